/*
 * test_syscalls.c - what a transaction costs in system calls, once everything is warm: two reads, two writes,
 * and no epoll_ctl; and what a login costs.
 *
 *     strace -f -c -p <pgweir>      shows the same by hand
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "machine.h"

void suite_syscalls(void);

#define TRANSACTIONS 1000
#define LOGINS 100

/* How often any of the calls (NULL-terminated) stands in a summary of strace -c, whose lines are
 * `% time, seconds, usecs/call, calls, errors (where there were any), name`. */
static int
calls(const char *summary, const char *const *names)
{
    char *copy = strdup(summary);
    int sum = 0;

    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) != NULL;) {
        const char *words[6];
        size_t count = 0;

        for (char *word; count < COUNT_OF(words) && (word = strsep(&line, " ")) != NULL;)
            if (*word != '\0')
                words[count++] = word;
        for (size_t i = 0; count >= 5 && names[i] != NULL; i++)
            if (strcmp(names[i], words[count - 1]) == 0)
                sum += number(words[3]);
    }
    free(copy);
    return sum;
}

static bool
has_spoken(const char *path)
{
    char *content = file_text(path);
    bool has = strchr(content, '\n') != NULL;

    free(content);
    return has;
}

/* One transaction; what the server said. */
typedef PGresult *transaction(PGconn *c);

static PGresult *
simple(PGconn *c)
{
    return PQexec(c, "select 1");
}

static PGresult *
extended(PGconn *c)
{
    return PQexecParams(c, "select 1", 0, NULL, NULL, NULL, NULL, 0);
}

static PGresult *
prepared(PGconn *c)
{
    return PQexecPrepared(c, "one", 0, NULL, NULL, NULL, 0);
}

static void
run_all(PGconn *c, transaction *kind, int count)
{
    for (int i = 0; i < count; i++) {
        PGresult *r = kind(c);

        SAYS(PQgetvalue(r, 0, 0), "1");
        PQclear(r);
    }
}

/* What is traced: DO_IT is called with how often it is to be done. */
struct work {
    void (*do_it)(const struct work *work, int count);
    struct weir *weir;
    PGconn *connection;
    transaction *kind;
};

static void
transact(const struct work *work, int count)
{
    run_all(work->connection, work->kind, count);
}

static void
log_in(const struct work *work, int count)
{
    for (int i = 0; i < count; i++)
        PQfinish(weir_dial(work->weir));
}

/* System calls of pgweir while WORK is done COUNT times: the text of strace -c, or NULL when that cannot be
 * had here. */
static char *
trace(const struct work *work, int count)
{
    struct weir *w = work->weir;
    char log[256];
    char file[256];
    char *summary;
    pid_t strace;

    snprintf(log, sizeof log, "%s/strace.log", weir_dir(w));
    snprintf(file, sizeof file, "%s/strace", weir_dir(w));
    remove(log); /* of the case before */
    work->do_it(work, 100);
    strace = run_start(log, (const char *const[]){ "strace", "-f", "-c", "-o", file, "-p",
                                                   text("%d", (int)weir_pid(w)), NULL });
    EVENTUALLY(has_spoken(log));
    summary = file_text(log);
    if (!HAS(summary, "attached")) {
        test_skip(text("strace cannot watch pgweir here: %.200s", summary));
        run_wait(strace);
        free(summary);
        return NULL;
    }
    free(summary);
    work->do_it(work, count);
    kill(strace, SIGINT);
    run_wait(strace);
    return file_text(file);
}

static const char *const reads[] = { "read", "recvfrom", "readv", "recvmsg", NULL };
static const char *const writes[] = { "write", "sendto", "writev", "sendmsg", NULL };
static const char *const epoll_ctl[] = { "epoll_ctl", NULL };

static bool
is_possible_here(void)
{
    if (!HARNESS_SANITIZED && program_exists("strace"))
        return true;
    test_skip(HARNESS_SANITIZED ? "a sanitizer makes system calls of its own" : "strace is not installed");
    return false;
}

static void
costs_two_reads_and_two_writes(transaction *kind)
{
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "workers = 1\nserver_tls_sslmode = disable\n" });
    PGconn *c;
    char *summary;

    if (!is_possible_here())
        return;
    c = weir_dial(w);
    PQclear(PQprepare(c, "one", "select 1", 0, NULL));
    summary = trace(&(struct work){ transact, w, c, kind }, TRANSACTIONS);
    if (summary != NULL) {
        CU_ASSERT(calls(summary, reads) >= 2 * TRANSACTIONS);
        CU_ASSERT(calls(summary, reads) <= 2 * TRANSACTIONS + TRANSACTIONS / 20);
        CU_ASSERT(calls(summary, writes) >= 2 * TRANSACTIONS);
        CU_ASSERT(calls(summary, writes) <= 2 * TRANSACTIONS + TRANSACTIONS / 20);
        CU_ASSERT(calls(summary, epoll_ctl) <= TRANSACTIONS / 20);
    }
    free(summary);
    PQfinish(c);
}

static void
a_transaction_costs_two_reads_and_two_writes(void)
{
    costs_two_reads_and_two_writes(simple);
}

static void
one_of_the_extended_protocol_costs_no_more(void)
{
    costs_two_reads_and_two_writes(extended);
}

static void
one_of_a_prepared_statement_costs_no_more(void)
{
    costs_two_reads_and_two_writes(prepared);
}

/* Startup packet, two SASL messages and Terminate are read; three answers are written. The connection gets
 * its options from the listening socket, and secrets come from a stock. */
static void
a_login_costs_four_reads_three_writes_and_little_else(void)
{
    static const char *const others[] = { "setsockopt",  "getsockopt", "ioctl", "fcntl", "getsockname",
                                          "getpeername", "getpid",     "futex", NULL };
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "workers = 1\nauth_type = scram-sha-256\nlog_connections = 0\n"
                                         "log_disconnections = 0\n" });
    char *summary;

    if (!is_possible_here())
        return;
    summary = trace(&(struct work){ .do_it = log_in, .weir = w }, LOGINS);
    if (summary != NULL) {
        CU_ASSERT(calls(summary, reads) <= 4 * LOGINS + LOGINS / 5);
        CU_ASSERT(calls(summary, writes) <= 3 * LOGINS + LOGINS / 5);
        CU_ASSERT(calls(summary, epoll_ctl) <= 2 * LOGINS + LOGINS / 5);
        CU_ASSERT(calls(summary, others) <= LOGINS / 5);
    }
    free(summary);
}

static const struct test_case cases[] = {
    TEST(a_login_costs_four_reads_three_writes_and_little_else),
    TEST(a_transaction_costs_two_reads_and_two_writes),
    TEST(one_of_the_extended_protocol_costs_no_more),
    TEST(one_of_a_prepared_statement_costs_no_more),
};

void
suite_syscalls(void)
{
    SUITE("system calls", cases);
}
