/*
 * test_shutdown.c - SIGTERM ends at transaction boundaries, within shutdown_timeout; SIGINT waits without a
 * limit; SIGQUIT does not wait.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "raw.h"

void suite_shutdown(void);

static struct weir *
weir_with(unsigned workers)
{
    return weir_start(
        &(struct weir_spec){ .settings = text("default_pool_size = 3\nworkers = %u\n", workers) });
}

static struct weir *
weir(void)
{
    return weir_with(2);
}

static bool
is_refusing(const struct weir *w)
{
    struct raw *r = raw_dial(weir_port(w));
    bool refused = raw_is_closed(r);

    raw_close(r);
    return refused;
}

static void
transactions_end_before_pgweir_does(int signal, unsigned workers)
{
    struct weir *w = weir_with(workers);
    struct raw *idle = raw_open(weir_port(w));
    struct raw *in_transaction = raw_open(weir_port(w));
    PGconn *busy = weir_dial(w);

    CU_ASSERT(raw_send_query(in_transaction, "begin"));
    CU_ASSERT(raw_until(in_transaction, 'Z'));
    PQsendQuery(busy, "select 'done' from pg_sleep(1.5)");
    EVENTUALLY(
        pg_count(
            pg_main(),
            "select count(*) from pg_stat_activity where query like 'select ''done''%%' and state = 'active'") ==
        1);

    weir_signal(w, signal);
    CU_ASSERT(raw_is_closed(idle));
    SAYS(raw_error(idle)->sqlstate, "57P01");
    CU_ASSERT(is_refusing(w));
    SAYS(answer(busy), "done");
    for (int i = 0; i < 10; i++) {
        CU_ASSERT(raw_send_query(in_transaction, "select 1"));
        CU_ASSERT(raw_until(in_transaction, 'Z'));
    }
    CU_ASSERT_FALSE(weir_has_ended(w));
    CU_ASSERT(raw_send_query(in_transaction, "commit"));
    CU_ASSERT(raw_until(in_transaction, 'C')); /* the commit is answered */
    CU_ASSERT(raw_is_closed(in_transaction));
    SAYS(raw_error(in_transaction)->sqlstate, "57P01");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    raw_close(idle);
    raw_close(in_transaction);
    PQfinish(busy);
    weir_stop(w);
}

static void
sigterm_lets_transactions_end(void)
{
    transactions_end_before_pgweir_does(SIGTERM, 2);
}

static void
sigint_lets_transactions_end(void)
{
    transactions_end_before_pgweir_does(SIGINT, 1); /* the one that accepts too */
}

static void
shutdown_timeout_ends_what_does_not_end_itself(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = "shutdown_timeout = 300ms\n" });
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    weir_signal(w, SIGTERM);
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    CU_ASSERT(weir_logged(w, "shutdown_timeout"));
    CU_ASSERT_NOT_EQUAL(PQstatus(c), CONNECTION_BAD);
    CU_ASSERT(!BEGINS(ask(c, "commit"), "COMMIT"));
    EVENTUALLY(pg_count(pg_main(), "select count(*) from pg_stat_activity where state like 'idle in tr%%'") ==
               0);
    PQfinish(c);
    weir_stop(w);
}

static void
a_second_sigterm_ends_at_once(void)
{
    struct weir *w = weir();
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    weir_signal(w, SIGTERM);
    EVENTUALLY(weir_logged(w, "shutting down"));
    weir_signal(w, SIGTERM);
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(c);
    weir_stop(w);
}

static void
sigquit_ends_at_once(void)
{
    struct weir *w = weir();
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    weir_signal(w, SIGQUIT);
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(c);
    weir_stop(w);
}

static void
clients_that_wait_are_told_too(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = "default_pool_size = 1\n" });
    PGconn *holder = weir_dial(w);
    struct raw *waiter = raw_open(weir_port(w));

    SAYS(ask(holder, "begin"), "BEGIN");
    CU_ASSERT(raw_send_query(waiter, "select 1"));
    SAYS(ask(holder, "select 'so that the other is read'"), "so that the other is read");
    weir_signal(w, SIGTERM);
    CU_ASSERT(raw_is_closed(waiter));
    SAYS(raw_error(waiter)->sqlstate, "57P01");
    SAYS(ask(holder, "commit"), "COMMIT");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(holder);
    raw_close(waiter);
    weir_stop(w);
}

static void
nothing_is_left_behind(void)
{
    struct weir *w = weir();
    PGconn *c = weir_dial_as(w, "md5_user");

    SAYS(ask(c, "select 1"), "1");
    PQfinish(c);
    CU_ASSERT_EQUAL(pg_backends(pg_main(), "md5_user"), 1);
    weir_stop(w);
    EVENTUALLY(pg_backends(pg_main(), "md5_user") == 0);
}

static const struct test_case cases[] = {
    TEST(sigterm_lets_transactions_end),
    TEST(sigint_lets_transactions_end),
    TEST(shutdown_timeout_ends_what_does_not_end_itself),
    TEST(a_second_sigterm_ends_at_once),
    TEST(sigquit_ends_at_once),
    TEST(clients_that_wait_are_told_too),
    TEST(nothing_is_left_behind),
};

void
suite_shutdown(void)
{
    SUITE("shutdown", cases);
}
