/*
 * test_syscalls.c - what a transaction costs in system calls, once everything is warm: two reads, two writes, and no epoll_ctl.
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

#define TRANSACTIONS 2000

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

static void
a_transaction_costs_two_reads_and_two_writes(void)
{
    static const char *const reads[] = { "read", "recvfrom", "readv", "recvmsg", NULL };
    static const char *const writes[] = { "write", "sendto", "writev", "sendmsg", NULL };
    static const char *const epoll_ctl[] = { "epoll_ctl", NULL };
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "workers = 1\nserver_tls_sslmode = disable\n" });
    char log[256];
    char file[256];
    PGconn *c;
    char *summary;
    pid_t strace;

    if (HARNESS_SANITIZED || !program_exists("strace")) {
        test_skip(HARNESS_SANITIZED ? "a sanitizer makes system calls of its own"
                                    : "strace is not installed");
        return;
    }
    snprintf(log, sizeof log, "%s/strace.log", weir_dir(w));
    snprintf(file, sizeof file, "%s/strace", weir_dir(w));
    c = weir_dial(w);
    for (int i = 0; i < 100; i++)
        SAYS(ask(c, "select 1"), "1");
    strace = run_start(log, (const char *const[]){ "strace", "-f", "-c", "-o", file, "-p",
                                                   text("%d", (int)weir_pid(w)), NULL });
    EVENTUALLY(has_spoken(log));
    summary = file_text(log);
    if (!HAS(summary, "attached")) {
        test_skip(text("strace cannot watch pgweir here: %.200s", summary));
        run_wait(strace);
        free(summary);
        PQfinish(c);
        return;
    }
    free(summary);
    for (int i = 0; i < TRANSACTIONS; i++)
        SAYS(ask(c, "select 1"), "1");
    kill(strace, SIGINT);
    run_wait(strace);
    summary = file_text(file);
    CU_ASSERT(calls(summary, reads) >= 2 * TRANSACTIONS);
    CU_ASSERT(calls(summary, reads) <= 2 * TRANSACTIONS + TRANSACTIONS / 20);
    CU_ASSERT(calls(summary, writes) >= 2 * TRANSACTIONS);
    CU_ASSERT(calls(summary, writes) <= 2 * TRANSACTIONS + TRANSACTIONS / 20);
    CU_ASSERT(calls(summary, epoll_ctl) <= TRANSACTIONS / 20);
    free(summary);
    PQfinish(c);
}

static const struct test_case cases[] = {
    TEST(a_transaction_costs_two_reads_and_two_writes),
};

void
suite_syscalls(void)
{
    SUITE("system calls", cases);
}
