/* test_suspend.c - SUSPEND: everything stands still and goes on as if nothing had been. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_suspend(void);

/* With one worker, that accepts connections too. */
static const struct weir_spec spec_alone = { .settings = "admin_users = app_user\n"
                                                         "workers = 1\n" };
static const struct weir_spec spec = { .settings = "admin_users = app_user\n"
                                                   "default_pool_size = 3\n"
                                                   "suspend_timeout = 1\n" };

static PGconn *
admin_of(const struct weir *w)
{
    return dial(weir_port(w), "dbname=pgbouncer");
}

static const char *
state_of(PGconn *console, const char *key)
{
    PGresult *r = PQexec(console, "SHOW STATE");
    const char *value = "none";

    for (int i = 0; i < PQntuples(r); i++)
        if (strcmp(PQgetvalue(r, i, 0), key) == 0)
            value = text("%s", PQgetvalue(r, i, 1));
    PQclear(r);
    return value;
}

/* How many lines the table has, asked around pgweir. */
static const char *
lines(void)
{
    return pg_ask(pg_main(), "select count(*) from suspend_notes");
}

static void
check_that_nothing_is_read(const struct weir_spec *of)
{
    struct weir *w = weir_start(of);
    PGconn *console = admin_of(w), *idle = weir_dial(w), *busy = weir_dial(w), *late;

    pg_ask(pg_main(), "drop table if exists suspend_notes");
    pg_ask(pg_main(), "create table suspend_notes (who text); grant all on suspend_notes to public");
    SAYS(ask(idle, "select 1"), "1");
    SAYS(ask(busy, "begin"), "BEGIN");
    SAYS(ask(console, "SUSPEND"), "SUSPEND");
    SAYS(state_of(console, "suspended"), "yes");
    SAYS(state_of(console, "active"), "no");
    PQsendQuery(idle, "insert into suspend_notes values ('idle')");
    PQsendQuery(busy, "insert into suspend_notes values ('busy') returning 'in its transaction'");
    late = dial_start(weir_port(w));
    CONTAINS(ask(console, "SUSPEND"), "ERROR 08P01 already suspended/paused");
    CONTAINS(ask(console, "PAUSE"), "ERROR 08P01 already suspended/paused");
    for (int i = 0; i < 5; i++) /* the workers have had their turns */
        SAYS(state_of(console, "paused"), "no");
    SAYS(lines(), "0");
    CU_ASSERT(!has_answered(idle));
    CU_ASSERT(!has_answered(busy));
    CU_ASSERT(!dial_is_open(late));
    SAYS(ask(console, "RESUME"), "RESUME");
    SAYS(answer(idle), "INSERT 0 1");
    SAYS(answer(busy), "in its transaction");
    EVENTUALLY(dial_is_open(late));
    SAYS(ask(busy, "commit"), "COMMIT");
    SAYS(state_of(console, "active"), "yes");
    SAYS(lines(), "2");
    PQfinish(late);
    PQfinish(idle);
    PQfinish(busy);
    PQfinish(console);
    weir_stop(w);
}

static void
nothing_is_read_until_resume(void)
{
    check_that_nothing_is_read(&spec);
    check_that_nothing_is_read(&spec_alone);
}

static void
it_ends_with_its_console_or_by_signal(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *other = admin_of(w), *c = weir_dial(w);

    SAYS(ask(c, "select 1"), "1");
    SAYS(ask(console, "SUSPEND"), "SUSPEND");
    PQsendQuery(c, "select 'console gone'");
    PQfinish(console);
    SAYS(answer(c), "console gone");
    SAYS(state_of(other, "suspended"), "no");
    SAYS(ask(other, "SUSPEND"), "SUSPEND");
    PQsendQuery(c, "select 'signal'");
    weir_signal(w, SIGUSR1);
    EVENTUALLY(weir_logged(w, "got SIGUSR1, but suspended"));
    weir_signal(w, SIGUSR2);
    SAYS(answer(c), "signal");
    EVENTUALLY(weir_logged(w, "got SIGUSR2, continuing from SUSPEND"));
    SAYS(ask(other, "PAUSE app"), "PAUSE");
    CONTAINS(ask(other, "SUSPEND"), "ERROR 08P01 cannot suspend with paused databases");
    SAYS(ask(other, "RESUME app"), "RESUME");
    SAYS(ask(c, "select 'as before'"), "as before");
    PQfinish(c);
    PQfinish(other);
    weir_stop(w);
}

/* Bytes that wait to be sent to the client "deaf". */
static const char *
unsent(PGconn *console)
{
    PGresult *r = PQexec(console, "SHOW SOCKETS");
    const char *bytes = "0";

    for (int i = 0; i < PQntuples(r); i++)
        if (strcmp(PQgetvalue(r, i, PQfnumber(r, "application_name")), "deaf") == 0 &&
            strcmp(PQgetvalue(r, i, PQfnumber(r, "type")), "C") == 0)
            bytes = text("%s", PQgetvalue(r, i, PQfnumber(r, "send_avail")));
    PQclear(r);
    return bytes;
}

/* By the Unix socket: once that is full it stays so, while the buffers of TCP grow as they like. */
static PGconn *
deaf_client(const struct weir *w)
{
    return dial(weir_port(w), "host=%s application_name=deaf", weir_dir(w));
}

/* Who does not read what is sent to him is closed when suspend_timeout is over, and the command waits for
 * that. */
static void
who_takes_nothing_is_closed(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *deaf = deaf_client(w), *c = weir_dial(w);

    PQsendQuery(deaf, "select repeat('x', 1000000) from generate_series(1, 64)");
    EVENTUALLY(strcmp(unsent(console), "0") != 0); /* its socket is full of it, and so is the way to it */
    SAYS(ask(console, "SUSPEND"), "SUSPEND");
    EVENTUALLY(weir_logged(w, "suspend_timeout"));
    PQsendQuery(c, "select 'others are not'");
    SAYS(ask(console, "RESUME"), "RESUME");
    SAYS(answer(c), "others are not");
    PQfinish(deaf);
    PQfinish(c);
    PQfinish(console);
    weir_stop(w);
}

/* One that waits without limit for such a client. */
static void
ctrl_c_undoes_it_while_it_waits(void)
{
    struct weir *w = weir_start(
        &(struct weir_spec){ .settings = "admin_users = app_user\nsuspend_timeout = 0\n" });
    PGconn *console = admin_of(w), *other = admin_of(w), *c = weir_dial(w);
    PGconn *deaf = deaf_client(w);
    PGcancel *cancel = PQgetCancel(console);
    char why[256] = "";

    PQsendQuery(deaf, "select repeat('x', 1000000) from generate_series(1, 64)");
    EVENTUALLY(strcmp(unsent(other), "0") != 0);
    CU_ASSERT(PQsendQuery(console, "SUSPEND"));
    EVENTUALLY(strcmp(state_of(other, "suspended"), "yes") == 0);
    CU_ASSERT(!has_answered(console));
    CU_ASSERT(PQcancel(cancel, why, sizeof why));
    CONTAINS(answer(console), "ERROR 57014");
    SAYS(state_of(other, "suspended"), "no");
    CU_ASSERT(PQsendQuery(console, "SUSPEND"));
    EVENTUALLY(strcmp(state_of(other, "suspended"), "yes") == 0);
    CU_ASSERT(PQsendQuery(c, "select 'goes on'"));
    PQfinish(deaf); /* now there is nothing to wait for */
    SAYS(answer(console), "SUSPEND");
    CU_ASSERT(!has_answered(c));
    SAYS(ask(console, "RESUME"), "RESUME");
    SAYS(answer(c), "goes on");
    PQfreeCancel(cancel);
    PQfinish(c);
    PQfinish(other);
    PQfinish(console);
    weir_stop(w);
}

static void
shutdown_does_not_hang_on_it(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(ask(console, "SUSPEND"), "SUSPEND");
    SAYS(ask(console, "SHUTDOWN WAIT_FOR_SERVERS"), "SHUTDOWN");
    SAYS(ask(c, "commit"), "COMMIT");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(c);
    PQfinish(console);

    w = weir_start(&spec);
    console = admin_of(w);
    SAYS(ask(console, "SUSPEND"), "SUSPEND");
    PQsendQuery(console, "SHUTDOWN");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(console);
}

static const struct test_case cases[] = {
    TEST(nothing_is_read_until_resume), TEST(it_ends_with_its_console_or_by_signal),
    TEST(who_takes_nothing_is_closed),  TEST(ctrl_c_undoes_it_while_it_waits),
    TEST(shutdown_does_not_hang_on_it),
};

void
suite_suspend(void)
{
    SUITE("suspend", cases);
}
