/*
 * test_failure.c - PostgreSQL is not there, goes away, or comes back: who is not in a transaction waits and goes on.
 */

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "machine.h"
#include "raw.h"

void suite_failure(void);

#define SETTINGS "server_connections = 10\nserver_login_retry = 200ms\nserver_connect_timeout = 2\n"

/* Starts PostgreSQL where it is down: ask for it before stopping that. */
static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){ .pg = pg_small(), .settings = SETTINGS });
}

static unsigned
log_lines(const struct weir *w, const char *words)
{
    char *log = file_text(text("%s/log", weir_dir(w)));
    unsigned count = 0;

    for (const char *at = log; (at = strstr(at, words)) != NULL; at++)
        count++;
    free(log);
    return count;
}

static void
clients_wait_for_a_server_that_is_not_up_yet(void)
{
    struct pg *pg = pg_small();
    struct weir *w;
    PGconn *one;
    PGconn *two;

    pg_stop(pg, "fast");
    w = weir_start(&(struct weir_spec){ .pg = pg, .settings = SETTINGS });
    one = dial_start(weir_port(w));
    two = dial_start(weir_port(w));
    EVENTUALLY(!dial_is_open(one) && !dial_is_open(two) && weir_logged(w, "refused"));
    pg_start(pg);
    EVENTUALLY(dial_is_open(one) && dial_is_open(two));
    SAYS(ask(one, "select 'up'"), "up");
    SAYS(ask(two, "select 'up'"), "up");
    PQfinish(one);
    PQfinish(two);
    weir_stop(w);
}

static void
an_idle_client_does_not_notice_a_restart(void)
{
    struct pg *pg = pg_small();
    PGconn *c = weir_dial(weir());

    SAYS(ask(c, "select 'before'"), "before");
    pg_stop(pg, "fast");
    pg_start(pg);
    SAYS(ask(c, "select 'after'"), "after");
    PQfinish(c);
}

static void
a_query_waits_for_the_end_of_a_restart(void)
{
    struct pg *pg = pg_small();
    struct weir *w = weir();
    PGconn *c = weir_dial(w);
    PGconn *newcomer;

    SAYS(ask(c, "select 'before'"), "before");
    pg_stop(pg, "fast");
    PQsendQuery(c, "select 'after'");
    EVENTUALLY(weir_logged(w, "refused"));
    CU_ASSERT_FALSE(has_answered(c));
    pg_start(pg);
    SAYS(answer(c), "after");
    newcomer = weir_dial(w);
    SAYS(ask(newcomer, "select 'new'"), "new");
    PQfinish(newcomer);
    PQfinish(c);
}

static void
a_client_in_a_transaction_is_told_of_a_crash(void)
{
    struct pg *pg = pg_small();
    PGconn *in_transaction = weir_dial(weir());
    PGconn *idle = weir_dial(weir());
    const char *told;

    SAYS(ask(in_transaction, "begin"), "BEGIN");
    pg_stop(pg, "immediate");
    told = ask(in_transaction, "select 1");
    CU_ASSERT(BEGINS(told, "FATAL 57P") || BEGINS(told, "FATAL 08006") || BEGINS(told, "WARNING 57P02"));
    CU_ASSERT_EQUAL(PQstatus(in_transaction), CONNECTION_BAD);
    pg_start(pg);
    SAYS(ask(idle, "select 'goes on'"), "goes on");
    PQfinish(in_transaction);
    PQfinish(idle);
}

static void
a_running_query_fails_with_its_server(void)
{
    struct pg *pg = pg_small();
    PGconn *c = weir_dial(weir());
    const char *told;

    PQsendQuery(c, "select pg_sleep(60)");
    EVENTUALLY(
        pg_count(
            pg,
            "select count(*) from pg_stat_activity where state = 'active' and query like '%%sleep(60)'") ==
        1);
    pg_stop(pg, "immediate");
    told = answer(c);
    CU_ASSERT(BEGINS(told, "FATAL 57P") || BEGINS(told, "FATAL 08006") || BEGINS(told, "WARNING 57P02"));
    pg_start(pg);
    PQfinish(c);
}

static void
a_server_that_is_down_is_not_hammered(void)
{
    struct pg *pg = pg_small();
    struct weir *w = weir();
    PGconn *clients[5];
    unsigned before;

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = weir_dial(w);
    pg_stop(pg, "fast");
    before = log_lines(w, "refused");
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        PQsendQuery(clients[i], text("select %zu", i));
    EVENTUALLY(log_lines(w, "refused") > before + 2);
    CU_ASSERT(log_lines(w, "refused") < before + 50);
    pg_start(pg);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        SAYS(answer(clients[i]), text("%zu", i));
        PQfinish(clients[i]);
    }
}

static void
who_waits_too_long_for_a_server_that_is_down_is_told_why(void)
{
    struct pg *pg = pg_small();
    struct weir_spec spec = { .pg = pg, .settings = SETTINGS };
    struct weir *w = weir_start(&spec);
    struct raw *r = raw_open(weir_port(w));

    pg_stop(pg, "fast");
    spec.settings = SETTINGS "query_wait_timeout = 1s\n";
    weir_reload(w, &spec, "reload: ");
    CU_ASSERT(raw_send_query(r, "select 1"));
    CU_ASSERT(raw_is_closed(r));
    CU_ASSERT(raw_error(r)->sqlstate[0] != '\0');
    CONTAINS(text("%s %s", raw_error(r)->message, raw_error(r)->detail), "refused");
    raw_close(r);
    weir_stop(w);
    pg_start(pg);
}

static const struct test_case cases[] = {
    TEST(clients_wait_for_a_server_that_is_not_up_yet),
    TEST(an_idle_client_does_not_notice_a_restart),
    TEST(a_query_waits_for_the_end_of_a_restart),
    TEST(a_client_in_a_transaction_is_told_of_a_crash),
    TEST(a_running_query_fails_with_its_server),
    TEST(a_server_that_is_down_is_not_hammered),
    TEST(who_waits_too_long_for_a_server_that_is_down_is_told_why),
};

void
suite_failure(void)
{
    SUITE("failure", cases);
}
