/*
 * harness.h - what every integration test stands on: throw-away PostgreSQL servers, pgweir instances, clients, and a
 * way to wait for things that does not sleep longer than they take.
 *
 *     PGWEIR_BIN            the binary under test (default build/dev/pgweir)
 *     PG_BIN_DIR            PostgreSQL's programs (default: what tests/lib/pg.sh finds)
 *     PGWEIR_TEST_DIRECT=1  every "pgweir" is PostgreSQL itself: what a test expects of a pooler that cannot be told
 *                           from PostgreSQL must hold there too. For writing tests; only some suites make sense so.
 *     PGWEIR_TEST_LOGS=1    print the log of every pgweir at the end, not only those of failed tests
 *
 * Run from the top of the source tree. Servers and instances start at first use and are shared: a PostgreSQL for the
 * whole run, a pgweir for the rest of the suite. A test that fails prints what its pgweirs logged meanwhile.
 */
#ifndef PGWEIR_TESTS_HARNESS_H
#define PGWEIR_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <CUnit/CUnit.h>
#include <libpq-fe.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HARNESS_SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARNESS_SANITIZED true
#endif
#ifndef HARNESS_SANITIZED
#define HARNESS_SANITIZED false /* memory and system calls are those of the program itself */
#endif

/* Sanitizers make everything slow, and find what they find in a quarter of the work. */
#define WORK(amount) (HARNESS_SANITIZED ? (amount) / 4 : (amount))

/* --- suites --- */

struct test_case {
    const char *name; /* a sentence, with underscores */
    void (*run)(void);
};
/* clang-format off */
#define TEST(function) { #function, function }
/* clang-format on */
#define SUITE(title, cases) suite_add(title, cases, COUNT_OF(cases))
/* Registers a CUnit suite whose pgweir instances end with it; an instance that ends badly fails the suite. */
void suite_add(const char *title, const struct test_case *cases, size_t count);
/* Prints why a test proves nothing on this machine; the test returns after it. */
void test_skip(const char *why);

/* --- waiting --- */

#define WAIT_MS 20000 /* for what must happen: far more than it takes, even under a sanitizer */

struct patience {
    uint64_t until_ms;
    bool is_over;
};
struct patience patience_new(void);
bool patience_nap(struct patience *p); /* a few milliseconds; false when WAIT_MS are over */
uint64_t now_ms(void);

/* Asserts that CONDITION holds before long. */
#define EVENTUALLY(condition)                                                                           \
    do {                                                                                                \
        struct patience patience_ = patience_new();                                                     \
        bool held_;                                                                                     \
        while (!(held_ = (condition)) && patience_nap(&patience_))                                      \
            continue;                                                                                   \
        CU_assertImplementation(held_, __LINE__, "EVENTUALLY(" #condition ")", __FILE__, "", CU_FALSE); \
    } while (0)

/* --- PostgreSQL --- */

struct pg {
    char dir[256];    /* certificates, log and the like, see tests/lib/pg.sh */
    char socket[256]; /* directory of its Unix socket */
    unsigned port;
    pid_t pid; /* the postmaster; 0 while it is stopped */
};
const struct pg *pg_main(void); /* 100 connections; up for the whole run */
struct pg *pg_small(void);      /* 30 connections; a test may stop it, the next caller finds it up */
void pg_stop(struct pg *pg, const char *mode); /* fast, immediate */
void pg_start(struct pg *pg);                  /* on the port that it had */
/* A value asked by the superuser in database `app`, over its Unix socket; see ask(). */
const char *pg_ask(const struct pg *pg, const char *sql, ...) PRINTF_LIKE(2, 3);
int pg_count(const struct pg *pg, const char *sql, ...) PRINTF_LIKE(2, 3); /* see number() */
/* Server connections that belong to USER (NULL: to anybody but the superuser and the control connection of pgweir). */
int pg_backends(const struct pg *pg, const char *user);

/* --- pgweir --- */

struct weir;

/*
 * What to start. In the texts
 *     $PORT     port of PostgreSQL         $PGDIR   its directory (certificates)
 *     $DIR      directory of this instance
 * Before SETTINGS come: listen_addr = 127.0.0.1, listen_port, unix_socket_dir = $DIR, auth_type = scram-sha-256,
 * auth_file, workers = 2, and user = postgres for root; a key that is set again overrides.
 */
struct weir_spec {
    const struct pg *pg;   /* NULL: pg_main() */
    const char *settings;  /* lines of [pgweir]; NULL: none */
    const char *databases; /* lines of [databases]; NULL: app, in pg */
    const char *users;     /* lines of [users]; NULL: no such section */
    const char *userlist;  /* the auth file; NULL: all roles with plain passwords */
};

/* The instance of this suite that was started with the same texts, or a new one. */
struct weir *weir_get(const struct weir_spec *spec);
/* One that nobody else gets. Asserts that it listens. */
struct weir *weir_start(const struct weir_spec *spec);
/* Ends it with SIGTERM; asserts that it exits with 0 and that no sanitizer complained. */
void weir_stop(struct weir *w);

const char *weir_binary(void);
unsigned weir_port(const struct weir *w);
const char *weir_dir(const struct weir *w);
pid_t weir_pid(const struct weir *w);
void weir_signal(struct weir *w, int signal);
bool weir_has_ended(struct weir *w);
int weir_exit_code(struct weir *w); /* waits for the end; -1: it did not come, or came by a signal */
/* Puts other texts in its files (pg stays); the caller sends SIGHUP. */
void weir_rewrite(struct weir *w, const struct weir_spec *spec);

/* Whether it has logged TEXT since the test began, or since weir_log_forget(). */
bool weir_logged(const struct weir *w, const char *text);
void weir_log_forget(struct weir *w);

unsigned weir_fd_count(const struct weir *w);
unsigned weir_rss_kb(const struct weir *w);

/* --- clients --- */

/* libpq with user app_user, database app, no TLS, over 127.0.0.1. MORE (NULL: nothing) is more conninfo and overrides.
 * What comes back may be a failed connection: dial_error() tells. PQfinish() it. */
PGconn *dial(unsigned port, const char *more, ...) PRINTF_LIKE(2, 3);
/* The same as app_user without waiting: dial_is_open() works on it, and tells whether the login has succeeded. */
PGconn *dial_start(unsigned port);
bool dial_is_open(PGconn *c);
PGconn *weir_dial(const struct weir *w);
PGconn *weir_dial_as(const struct weir *w, const char *user); /* password <user>_pw */
const char *dial_error(PGconn *c);                            /* "" when it is connected */

/*
 * Runs SQL and tells in one text how it ended: the first value of the first row ("NULL" for null), else the command
 * tag, else "<severity> <SQLSTATE> <message>". Good until some calls later.
 */
const char *ask(PGconn *c, const char *sql, ...) PRINTF_LIKE(2, 3);
const char *result_text(PGresult *r); /* the same of a result at hand */
/* The text of a query sent with PQsendQuery(): waits for it, and for its end. */
const char *answer(PGconn *c);
/* The answer is there, but not read: answer() will not wait. */
bool has_answered(PGconn *c);
int number(const char *told); /* -1 when it is none */
#define BEGINS(text, beginning) (strncmp(text, beginning, strlen(beginning)) == 0)
#define HAS(text, part) (strstr(text, part) != NULL)
/* CU_ASSERT_STRING_EQUAL, which also prints what came instead. */
#define SAYS(actual, expected) says(actual, expected, __LINE__, __FILE__)
#define CONTAINS(actual, expected) contains(actual, expected, __LINE__, __FILE__)
void says(const char *actual, const char *expected, unsigned line, const char *file);
void contains(const char *actual, const char *expected, unsigned line, const char *file);

/* --- other programs --- */

/* Runs PROGRAM (looked up in PG_BIN_DIR first, then PATH) with the words, NULL-terminated, and STDIN_TEXT; both outputs land in OUT.
 * Returns its exit code, or -1. */
int run(struct buf *out, const char *stdin_text, const char *const *words);
pid_t run_start(const char *output_file, const char *const *words); /* in the background */
int run_wait(pid_t pid);
bool program_exists(const char *name);
char *file_text(const char *path); /* owned by the caller; "" when there is none */
/* A text with printf's rules that is good until some calls later. */
const char *text(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
