/*
 * weir.h - instances of the pgweir under test: their files, their life, their log.
 */
#ifndef PGWEIR_TESTS_WEIR_H
#define PGWEIR_TESTS_WEIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "pg.h"

struct weir;

/*
 * What to start. In the texts
 *     $PORT     port of PostgreSQL         $PGDIR   its directory (certificates)
 *     $DIR      directory of this instance
 * Before SETTINGS come: listen_addr = 127.0.0.1, listen_port, unix_socket_dir = $DIR, auth_type = scram-sha-256,
 * auth_file, workers = 2, session_audit = 0, and user = postgres for root; a key that is set again overrides.
 */
struct weir_spec {
    const struct pg *pg;   /* NULL: pg_main() */
    const char *settings;  /* lines of [pgweir]; NULL: none */
    const char *databases; /* lines of [databases]; NULL: app, in pg */
    const char *users;     /* lines of [users]; NULL: no such section */
    const char *userlist;  /* the auth file; NULL: all roles with plain passwords */
    const char *hba;       /* $DIR/hba; NULL: no such file */
    const char *ident;     /* $DIR/ident, likewise */
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
/* That, and has it read; returns when OUTCOME is in its log ("reload: " says that it is in force). */
void weir_reload(struct weir *w, const struct weir_spec *spec, const char *outcome);

/* Whether it has logged TEXT since the test began, or since weir_log_forget(). */
bool weir_logged(const struct weir *w, const char *text);
void weir_log_forget(struct weir *w);

unsigned weir_fd_count(const struct weir *w);
unsigned weir_rss_kb(const struct weir *w);

/* For the harness. */
void weirs_note_test(void);      /* a test begins: weir_logged() looks behind here */
void weirs_print_logs(void);     /* what was logged since then */
bool weirs_have_reports(void);   /* some sanitizer has complained */
bool weirs_end_all(void);        /* at the end of a suite; false when one ended badly */
void weirs_kill_all(int signal); /* without waiting; for signal handlers */

#endif
