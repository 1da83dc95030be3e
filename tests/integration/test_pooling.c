/*
 * test_pooling.c - who gets which server, for how long, and how many there are.
 */

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "raw.h"

void suite_pooling(void);

static struct weir *
weir(const char *settings)
{
    return weir_get(&(struct weir_spec){ .settings = settings });
}

/* The process that serves this client now; -1 when it is gone. */
static int
backend(PGconn *c)
{
    return number(ask(c, "select pg_backend_pid()"));
}

/* --- modes --- */

static void
clients_share_a_server_between_transactions(void)
{
    struct weir *w = weir("default_pool_size = 1\n");
    PGconn *one = weir_dial(w);
    PGconn *two = weir_dial(w);
    int first = backend(one);

    CU_ASSERT_EQUAL(backend(two), first);
    CU_ASSERT_EQUAL(backend(one), first);
    PQfinish(one);
    PQfinish(two);
}

static void
a_transaction_keeps_its_server(void)
{
    struct weir *w = weir("default_pool_size = 1\n");
    PGconn *one = weir_dial(w);
    PGconn *two = weir_dial(w);

    SAYS(ask(one, "begin"), "BEGIN");
    CU_ASSERT_EQUAL(PQsendQuery(two, "select 'at last'"), 1);
    for (int i = 0; i < 50; i++)
        SAYS(ask(one, "select %d", i), text("%d", i));
    CU_ASSERT_FALSE(has_answered(two));
    SAYS(ask(one, "commit"), "COMMIT");
    SAYS(answer(two), "at last");
    PQfinish(one);
    PQfinish(two);
}

static void
the_server_used_last_is_used_next(void)
{
    struct weir *w = weir("default_pool_size = 3\nworkers = 1\n");
    PGconn *clients[3];
    int backends[3];

    for (int i = 0; i < 3; i++) {
        clients[i] = weir_dial(w);
        SAYS(ask(clients[i], "begin"), "BEGIN");
        backends[i] = backend(clients[i]);
    }
    SAYS(ask(clients[2], "commit"), "COMMIT");
    SAYS(ask(clients[0], "commit"), "COMMIT");
    SAYS(ask(clients[1], "commit"), "COMMIT");
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(backend(clients[i % 3]), backends[1]);
    for (int i = 0; i < 3; i++)
        PQfinish(clients[i]);
}

static void
waiting_clients_are_served_in_order(void)
{
    enum { WAITERS = 8 };
    struct weir *w = weir("default_pool_size = 1\nworkers = 1\n");
    PGconn *holder = weir_dial(w);
    PGconn *waiters[WAITERS];
    const char *places[WAITERS];

    pg_ask(pg_main(), "create sequence if not exists places; grant usage on sequence places to app_user");
    SAYS(ask(holder, "begin"), "BEGIN");
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = weir_dial(w);
        PQsendQuery(waiters[i], "select nextval('places')");
        SAYS(ask(holder, "select 'so that the worker has read it'"), "so that the worker has read it");
    }
    SAYS(ask(holder, "commit"), "COMMIT");
    for (int i = 0; i < WAITERS; i++)
        places[i] = answer(waiters[i]);
    for (int i = 1; i < WAITERS; i++)
        CU_ASSERT_EQUAL(number(places[i]), number(places[i - 1]) + 1);
    for (int i = 0; i < WAITERS; i++)
        PQfinish(waiters[i]);
    PQfinish(holder);
}

static void
session_mode_lends_a_server_until_the_client_leaves(void)
{
    struct weir *w = weir("pool_mode = session\ndefault_pool_size = 1\n");
    PGconn *one = weir_dial(w);
    PGconn *two;
    int first = backend(one);

    SAYS(ask(one, "set work_mem = '5MB'"), "SET");
    SAYS(ask(one, "create temp table own (a int)"), "CREATE TABLE");
    SAYS(ask(one, "listen somebody"), "LISTEN");
    SAYS(ask(one, "prepare own as select 'prepared'"), "PREPARE");
    CU_ASSERT_EQUAL(backend(one), first);
    SAYS(ask(one, "show work_mem"), "5MB");

    two = weir_dial(w);
    CU_ASSERT_EQUAL(PQsendQuery(two, "show work_mem"), 1);
    SAYS(ask(one, "execute own"), "prepared");
    CU_ASSERT_FALSE(has_answered(two));
    PQfinish(one);

    SAYS(answer(two), "4MB");
    CU_ASSERT_EQUAL(backend(two), first);
    SAYS(ask(two, "select count(*) from pg_prepared_statements"), "0");
    SAYS(ask(two, "select to_regclass('own')"), "NULL");
    SAYS(ask(two, "select count(*) from pg_listening_channels()"), "0");
    PQfinish(two);
}

static void
notifications_arrive_in_session_mode(void)
{
    struct weir *w = weir("pool_mode = session\ndefault_pool_size = 2\n");
    PGconn *listener = weir_dial(w);
    PGnotify *note = NULL;
    struct patience p = patience_new();

    SAYS(ask(listener, "listen news"), "LISTEN");
    pg_ask(pg_main(), "notify news, 'for you'");
    while (note == NULL && patience_nap(&p)) {
        PQconsumeInput(listener);
        note = PQnotifies(listener);
    }
    CU_ASSERT_PTR_NOT_NULL(note);
    if (note != NULL)
        SAYS(note->extra, "for you");
    PQfreemem(note);
    PQfinish(listener);
}

static void
statement_mode_refuses_transaction_blocks(void)
{
    struct weir *w = weir("pool_mode = statement\ndefault_pool_size = 1\n");
    PGconn *one = weir_dial(w);
    PGconn *two = weir_dial(w);
    int first = backend(one);

    CU_ASSERT_EQUAL(backend(two), first);
    CONTAINS(ask(one, "begin"), "transaction blocks not allowed in statement pooling mode");
    SAYS(ask(two, "select 'unharmed'"), "unharmed");
    SAYS(ask(two, "select count(*) from pg_stat_activity where state like 'idle in tr%%'"), "0");
    PQfinish(one);
    PQfinish(two);
}

static void
users_and_databases_have_pools_of_their_own(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 2\n",
        .databases = "app = host=127.0.0.1 port=$PORT\n"
                     "single = host=127.0.0.1 port=$PORT dbname=app pool_size=1 pool_mode=session\n",
        .users = "analytics_user = pool_mode=session\n",
    });
    PGconn *app = weir_dial(w);
    PGconn *analytics = weir_dial_as(w, "analytics_user");
    PGconn *single = dial(weir_port(w), "dbname=single");
    PGconn *queued = dial(weir_port(w), "dbname=single");

    for (int i = 0; i < 5; i++) {
        SAYS(ask(app, "select current_user"), "app_user");
        SAYS(ask(analytics, "select current_user"), "analytics_user");
        SAYS(ask(single, "select current_user"), "app_user");
    }
    SAYS(ask(analytics, "set work_mem = '5MB'"), "SET");
    PQsendQuery(queued, "select 'my turn'");
    SAYS(ask(analytics, "show work_mem"), "5MB");
    CU_ASSERT_FALSE(has_answered(queued));
    PQfinish(single);
    SAYS(answer(queued), "my turn");
    PQfinish(app);
    PQfinish(analytics);
    PQfinish(queued);
}

/* --- servers that die --- */

static void
a_killed_idle_server_is_replaced_silently(void)
{
    struct weir *w = weir("default_pool_size = 1\n");
    PGconn *c = weir_dial(w);
    int first = backend(c);

    SAYS(pg_ask(pg_main(), "select pg_terminate_backend(%d, 10000)", first), "t");
    CU_ASSERT(backend(c) != first);
    SAYS(ask(c, "select 'unharmed'"), "unharmed");
    PQfinish(c);
}

static void
a_client_in_a_transaction_is_told_that_its_server_was_killed(void)
{
    struct weir *w = weir("default_pool_size = 1\n");
    PGconn *c = weir_dial(w);
    PGconn *other = weir_dial(w);
    const char *told;

    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(pg_ask(pg_main(), "select pg_terminate_backend(%d, 10000)", backend(c)), "t");
    told = ask(c, "select 1");
    CU_ASSERT(BEGINS(told, "FATAL 57P01") || BEGINS(told, "FATAL 08006"));
    CU_ASSERT_EQUAL(PQstatus(c), CONNECTION_BAD);
    SAYS(ask(other, "select 'unharmed'"), "unharmed");
    PQfinish(c);
    PQfinish(other);
}

/* --- timeouts and sizes --- */

static void
who_waits_too_long_is_told_who_holds_the_servers(void)
{
    struct weir_spec spec = { .settings = "default_pool_size = 1\nworkers = 1\n" };
    struct weir *w = weir_start(&spec);
    PGconn *holder = dial(weir_port(w), "application_name=the_holder");
    struct raw *waiter = raw_open(weir_port(w));

    SAYS(ask(holder, "begin"), "BEGIN");
    spec.settings = "default_pool_size = 1\nworkers = 1\nquery_wait_timeout = 300ms\n";
    weir_reload(w, &spec, "reload: ");
    CU_ASSERT(raw_send_query(waiter, "select 1"));
    CU_ASSERT(raw_is_closed(waiter));
    SAYS(raw_error(waiter)->sqlstate, "53300");
    CONTAINS(raw_error(waiter)->message, "query_wait_timeout");
    CONTAINS(raw_error(waiter)->detail, "the_holder");
    CONTAINS(raw_error(waiter)->detail, "idle in transaction");
    CONTAINS(raw_error(waiter)->hint, "default_pool_size");
    SAYS(ask(holder, "commit"), "COMMIT");
    PQfinish(holder);
    raw_close(waiter);
    weir_stop(w);
}

static void
a_minimum_of_servers_is_kept(void)
{
    struct weir *w = weir("default_pool_size = 5\nmin_pool_size = 3\nserver_idle_timeout = 200ms\n");
    PGconn *clients[5];

    for (int i = 0; i < 5; i++) {
        clients[i] = weir_dial_as(w, "plain_user");
        SAYS(ask(clients[i], "begin"), "BEGIN");
    }
    CU_ASSERT_EQUAL(pg_backends(pg_main(), "plain_user"), 5);
    for (int i = 0; i < 5; i++)
        SAYS(ask(clients[i], "commit"), "COMMIT");
    EVENTUALLY(pg_backends(pg_main(), "plain_user") == 3);
    pg_ask(pg_main(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'plain_user'");
    EVENTUALLY(pg_backends(pg_main(), "plain_user") == 3);
    for (int i = 0; i < 5; i++)
        PQfinish(clients[i]);
}

static void
idle_servers_are_closed(void)
{
    struct weir *w = weir("server_idle_timeout = 200ms\n");
    PGconn *c = weir_dial_as(w, "md5_user");

    SAYS(ask(c, "select 1"), "1");
    EVENTUALLY(pg_backends(pg_main(), "md5_user") == 0);
    SAYS(ask(c, "select 2"), "2");
    PQfinish(c);
}

static void
old_servers_are_replaced(void)
{
    struct weir *w = weir("default_pool_size = 1\nserver_lifetime = 300ms\n");
    PGconn *c = weir_dial(w);
    int first = backend(c);

    EVENTUALLY(backend(c) != first);
    SAYS(ask(c, "begin"), "BEGIN");
    first = backend(c);
    for (int i = 0; i < 4; i++) /* never in a transaction */
        CU_ASSERT_EQUAL(number(ask(c, "select pg_backend_pid() from pg_sleep(0.1)")), first);
    SAYS(ask(c, "commit"), "COMMIT");
    EVENTUALLY(backend(c) != first);
    PQfinish(c);
}

static void
who_idles_in_a_transaction_is_sent_away(void)
{
    struct weir *w = weir("default_pool_size = 1\nidle_transaction_timeout = 1s\n");
    PGconn *sleepy = weir_dial(w);
    PGconn *next = weir_dial(w);

    SAYS(ask(sleepy, "begin"), "BEGIN");
    SAYS(ask(sleepy, "select 'work takes longer' from pg_sleep(1.2)"), "work takes longer");
    SAYS(ask(next, "select count(*) from pg_stat_activity where state like 'idle in tr%%'"), "0");
    CU_ASSERT(BEGINS(ask(sleepy, "commit"), "FATAL 25P03"));
    PQfinish(sleepy);
    PQfinish(next);
}

static void
a_query_that_runs_too_long_is_ended(void)
{
    struct weir *w = weir("default_pool_size = 1\nquery_timeout = 1s\n");
    PGconn *slow = weir_dial(w);
    PGconn *next = weir_dial(w);

    CU_ASSERT(BEGINS(ask(slow, "select pg_sleep(60)"), "FATAL 57014"));
    SAYS(
        ask(next,
            "select count(*) from pg_stat_activity where query like 'select pg_sleep(60)%%' and state = 'active'"),
        "0");
    PQfinish(slow);
    PQfinish(next);
}

static void
an_idle_client_is_sent_away(void)
{
    struct weir *w = weir("client_idle_timeout = 1s\n");
    struct raw *r = raw_open(weir_port(w));
    PGconn *busy = weir_dial(w);

    SAYS(ask(busy, "select 'work takes longer' from pg_sleep(1.2)"), "work takes longer");
    CU_ASSERT(raw_is_closed(r));
    SAYS(raw_error(r)->sqlstate, "57P05");
    raw_close(r);
    PQfinish(busy);
}

static const struct test_case cases[] = {
    TEST(clients_share_a_server_between_transactions),
    TEST(a_transaction_keeps_its_server),
    TEST(the_server_used_last_is_used_next),
    TEST(waiting_clients_are_served_in_order),
    TEST(session_mode_lends_a_server_until_the_client_leaves),
    TEST(notifications_arrive_in_session_mode),
    TEST(statement_mode_refuses_transaction_blocks),
    TEST(users_and_databases_have_pools_of_their_own),
    TEST(who_waits_too_long_is_told_who_holds_the_servers),
    TEST(a_minimum_of_servers_is_kept),
    TEST(idle_servers_are_closed),
    TEST(old_servers_are_replaced),
    TEST(who_idles_in_a_transaction_is_sent_away),
    TEST(a_query_that_runs_too_long_is_ended),
    TEST(an_idle_client_is_sent_away),
    TEST(a_killed_idle_server_is_replaced_silently),
    TEST(a_client_in_a_transaction_is_told_that_its_server_was_killed),
};

void
suite_pooling(void)
{
    SUITE("pooling", cases);
}
