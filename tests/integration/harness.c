/*
 * harness.c - suites, waiting, and the end of the run.
 *
 *     /tmp/pgweir-it.XXXXXX/   main/   small/        PostgreSQL servers
 *                              weir-1/ weir-2/ …     pgweir instances
 *
 * A test is bounded by a watchdog: when it strikes, every pgweir of the suite is killed, so that whatever
 * hangs on one fails; when that did not help, the run ends. Everything started here ends with the program,
 * even by a signal.
 */

#include "harness.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/TestDB.h>

#include "machine.h"

#define TEST_MOST_S (HARNESS_SANITIZED ? 240u : 100u)

static char dir[64];
static unsigned failures_before; /* of the whole run, when the test began */
static bool has_sanitizer_spoken;
static volatile sig_atomic_t is_watchdog_loose;

/* --- texts --- */

const char *
text(const char *format, ...)
{
    static char ring[256][4096];
    static unsigned next;
    char *slot = ring[next++ % COUNT_OF(ring)];
    va_list args;

    va_start(args, format);
    vsnprintf(slot, sizeof ring[0], format, args);
    va_end(args);
    return slot;
}

int
number(const char *told)
{
    char *end;
    long value = strtol(told, &end, 10);

    return end != told && *end == '\0' && value >= 0 && value <= INT_MAX ? (int)value : -1;
}

void
says(const char *actual, const char *expected, unsigned line, const char *file)
{
    bool same = strcmp(actual, expected) == 0;

    CU_assertImplementation(same, line, same ? "" : text("`%.900s` should be `%.900s`", actual, expected),
                            file, "", CU_FALSE);
}

void
contains(const char *actual, const char *expected, unsigned line, const char *file)
{
    bool there = strstr(actual, expected) != NULL;

    CU_assertImplementation(there, line,
                            there ? "" : text("`%.900s` should contain `%.900s`", actual, expected), file, "",
                            CU_FALSE);
}

/* --- waiting --- */

uint64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

struct patience
patience_new(void)
{
    return (struct patience){ .until_ms = now_ms() + WAIT_MS };
}

bool
patience_nap(struct patience *p)
{
    const struct timespec nap = { .tv_nsec = 2000000 };

    if (now_ms() >= p->until_ms)
        p->is_over = true;
    else
        nanosleep(&nap, NULL);
    return !p->is_over;
}

/* --- the run: its directory, its end --- */

/* A signal handler, so that only calls are made which one may make: the directory is left to a shell. */
static void
kill_everything(int signal)
{
    (void)signal;
    weirs_kill_all(SIGKILL); /* NOLINT(bugprone-signal-handler,cert-sig30-c): kill() and no more */
    pg_kill_all();           /* NOLINT(bugprone-signal-handler,cert-sig30-c) */
    execl("/bin/sh", "sh", "-c", "sleep 1; rm -rf \"$1\"; exit 130", "sh", dir, (char *)NULL);
    _exit(130);
}

static void
on_watchdog(int signal)
{
    if (is_watchdog_loose)
        kill_everything(signal);
    is_watchdog_loose = 1;
    weirs_kill_all(SIGABRT);
    alarm(20);
}

static void
on_end(void)
{
    weirs_kill_all(SIGKILL);
    pg_remove_all();
    run(NULL, NULL, (const char *const[]){ "rm", "-rf", dir, NULL });
}

/* Nothing of the caller's environment may change what libpq does. */
static void
clean_environment(void)
{
    static const char *const of_libpq[] = {
        "PGHOST",     "PGHOSTADDR", "PGPORT",           "PGUSER",        "PGDATABASE",      "PGPASSWORD",
        "PGPASSFILE", "PGSERVICE",  "PGSSLMODE",        "PGSSLROOTCERT", "PGSSLCERT",       "PGSSLKEY",
        "PGOPTIONS",  "PGAPPNAME",  "PGCHANNELBINDING", "PGGSSENCMODE",  "PGCLIENTENCODING"
    };

    for (size_t i = 0; i < COUNT_OF(of_libpq); i++)
        unsetenv(of_libpq[i]);
    setenv("HOME", dir, 1); /* where libpq would look for certificates and passwords */
}

const char *
run_dir(void)
{
    if (dir[0] != '\0')
        return dir;
    strcpy(dir, "/tmp/pgweir-it.XXXXXX");
    if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0)
        die("cannot make a directory in /tmp: %s", strerror(errno));
    clean_environment();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_watchdog);
    signal(SIGINT, kill_everything);
    signal(SIGTERM, kill_everything);
    atexit(on_end);
    return dir;
}

/* --- suites --- */

static void
on_test_begin(void)
{
    failures_before = CU_get_number_of_failures();
    weirs_note_test();
    alarm(TEST_MOST_S);
}

static void
on_test_end(void)
{
    alarm(0);
    if (is_watchdog_loose)
        CU_FAIL("the test took too long: its pgweirs were killed");
    is_watchdog_loose = 0;
    if (!has_sanitizer_spoken && weirs_have_reports()) { /* told once in a suite */
        has_sanitizer_spoken = true;
        CU_FAIL("a sanitizer has something to say");
    }
    if (CU_get_number_of_failures() != failures_before)
        weirs_print_logs();
}

static int
on_suite_end(void)
{
    has_sanitizer_spoken = false;
    return weirs_end_all() ? 0 : 1;
}

void
suite_add(const char *title, const struct test_case *cases, size_t count)
{
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown(title, NULL, on_suite_end, on_test_begin,
                                                           on_test_end);

    for (size_t i = 0; i < count; i++) {
        char *name = strdup(cases[i].name);

        for (char *c = name; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        if (suite != NULL)
            CU_add_test(suite, name, cases[i].run);
        free(name);
    }
}

void
test_skip(const char *why)
{
    printf("\n    skipped: %s\n", why);
}
