/*
 * test_budget.c - the limit of the server is never exceeded: a PostgreSQL with 30 connections, 3 of them
 * reserved for superusers, and more clients than that.
 */

#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "harness.h"

void suite_budget(void);

/* 30 - 3 for superusers - direct_reserve (10 %, but at least 3) = 24, one of which is pgweir's own control
 * connection. */
#define BUDGET 24

/* Its own for each test, for idle servers of another would take places away. */
static struct weir *
weir(const char *settings)
{
    return weir_start(&(struct weir_spec){ .pg = pg_small(), .settings = settings });
}

/* All connections that are not the superuser's own, pgweir's control connection among them. */
static int
connections(void)
{
    return pg_count(pg_small(), "select count(*) from pg_stat_activity where backend_type = 'client backend' "
                                "and usename <> 'postgres'");
}

struct observer {
    uint64_t next_ms;
    int most;         /* connections */
    int most_limited; /* of analytics_user */
    bool has_failed;
};

static void
observe(void *arg, unsigned done)
{
    struct observer *o = arg;
    int now;

    (void)done;
    if (now_ms() < o->next_ms)
        return;
    o->next_ms = now_ms() + 10;
    now = connections();
    o->has_failed = o->has_failed || now < 0;
    o->most = now > o->most ? now : o->most;
    now = pg_backends(pg_small(), "analytics_user");
    o->most_limited = now > o->most_limited ? now : o->most_limited;
}

static const char *const two_users[] = { "app_user", "analytics_user", NULL };

static void
two_pools_share_what_the_server_allows(void)
{
    struct weir *w = weir("server_connections = auto\n");
    struct observer o = { 0 };
    struct crowd_result r = crowd_run(&(struct crowd_plan){ .weir = w,
                                                            .users = two_users,
                                                            .clients = 100,
                                                            .transactions = WORK(3000),
                                                            .meanwhile = observe,
                                                            .arg = &o });

    CU_ASSERT_EQUAL(r.done, WORK(3000));
    CU_ASSERT_EQUAL(r.wrong + r.failed + r.refused, 0);
    CU_ASSERT(o.most > BUDGET / 2);
    CU_ASSERT(o.most <= BUDGET);
    CU_ASSERT_FALSE(o.has_failed); /* the superuser always found a place */
    weir_stop(w);
}

static void
direct_connections_find_the_reserved_places(void)
{
    struct weir *w = weir("server_connections = auto\n");
    PGconn *pooled[BUDGET + 6];
    PGconn *direct[3];

    for (size_t i = 0; i < COUNT_OF(pooled); i++) {
        pooled[i] = weir_dial(w);
        PQsendQuery(pooled[i], "begin");
    }
    EVENTUALLY(pg_backends(pg_small(), NULL) == BUDGET - 1);
    for (size_t i = 0; i < COUNT_OF(direct); i++) {
        direct[i] = dial(pg_small()->port, NULL);
        SAYS(dial_error(direct[i]), "");
    }
    for (size_t i = 0; i < COUNT_OF(direct); i++)
        PQfinish(direct[i]);
    for (size_t i = 0; i < COUNT_OF(pooled); i++)
        PQfinish(pooled[i]);
    weir_stop(w);
}

static void
a_pool_in_need_takes_idle_servers_of_another(void)
{
    struct weir *w = weir("server_connections = 4\n");
    PGconn *app[4];
    PGconn *analytics[2];

    for (size_t i = 0; i < COUNT_OF(app); i++) {
        app[i] = weir_dial(w);
        SAYS(ask(app[i], "begin"), "BEGIN");
    }
    for (size_t i = 0; i < COUNT_OF(app); i++)
        SAYS(ask(app[i], "commit"), "COMMIT");
    for (size_t i = 0; i < COUNT_OF(analytics); i++) {
        analytics[i] = weir_dial_as(w, "analytics_user");
        SAYS(ask(analytics[i], "begin"), "BEGIN");
    }
    CU_ASSERT(pg_backends(pg_small(), NULL) >= 4);
    for (size_t i = 0; i < COUNT_OF(analytics); i++)
        PQfinish(analytics[i]);
    for (size_t i = 0; i < COUNT_OF(app); i++)
        PQfinish(app[i]);
    weir_stop(w);
}

static void
a_fixed_number_is_kept_too(void)
{
    struct weir *w = weir("server_connections = 5\nworkers = 4\n");
    struct observer o = { 0 };
    struct crowd_result r = crowd_run(&(struct crowd_plan){ .weir = w,
                                                            .users = two_users,
                                                            .clients = 60,
                                                            .transactions = WORK(2000),
                                                            .meanwhile = observe,
                                                            .arg = &o });

    CU_ASSERT_EQUAL(r.done, WORK(2000));
    CU_ASSERT_EQUAL(r.wrong + r.failed + r.refused, 0);
    CU_ASSERT(o.most <= 5);
    weir_stop(w);
}

/* 53300 from the server is congestion, not an error. */
static void
requests_wait_while_others_have_taken_all_places(void)
{
    struct weir *w = weir(
        "server_connections = 20\nserver_login_retry = 200ms\nserver_idle_timeout = 200ms\n");
    PGconn *greedy[30];
    PGconn *clients[12];

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = weir_dial(w);
    EVENTUALLY(pg_backends(pg_small(), NULL) == 0);
    for (size_t i = 0; i < COUNT_OF(greedy); i++)
        greedy[i] = dial(pg_small()->port, NULL);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        PQsendQuery(clients[i], text("select %zu from pg_sleep(0.05)", i));
    EVENTUALLY(weir_logged(w, "53300"));
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        CU_ASSERT_FALSE(has_answered(clients[i]));
    for (size_t i = 0; i < COUNT_OF(greedy); i++)
        PQfinish(greedy[i]);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        SAYS(answer(clients[i]), text("%zu", i));
        PQfinish(clients[i]);
    }
    weir_stop(w);
}

static void
the_limits_are_asked_for_until_there_is_a_place(void)
{
    PGconn *greedy[30];
    struct weir *w;
    PGconn *client;

    for (size_t i = 0; i < COUNT_OF(greedy); i++)
        greedy[i] = dial(pg_small()->port, NULL);
    w = weir("server_connections = auto\nserver_login_retry = 200ms\n");
    client = dial_start(weir_port(w));
    EVENTUALLY(dial_is_open(client) || weir_logged(w, "53300"));
    CU_ASSERT(weir_logged(w, "53300"));
    for (size_t i = 0; i < COUNT_OF(greedy); i++)
        PQfinish(greedy[i]);
    EVENTUALLY(dial_is_open(client));
    SAYS(ask(client, "select 'at last'"), "at last");
    PQfinish(client);
    weir_stop(w);
}

static void
the_limit_of_a_role_is_respected(void)
{
    struct observer o = { 0 };
    struct crowd_result r;
    struct weir *w;

    SAYS(pg_ask(pg_small(), "alter role analytics_user connection limit 3"), "ALTER ROLE");
    w = weir("server_connections = auto\nworkers = 3\n");
    r = crowd_run(&(struct crowd_plan){ .weir = w,
                                        .users = two_users,
                                        .clients = 40,
                                        .transactions = WORK(1500),
                                        .meanwhile = observe,
                                        .arg = &o });
    CU_ASSERT_EQUAL(r.done, WORK(1500));
    CU_ASSERT_EQUAL(r.wrong + r.failed + r.refused, 0);
    CU_ASSERT(o.most_limited >= 1);
    CU_ASSERT(o.most_limited <= 3);
    SAYS(pg_ask(pg_small(), "alter role analytics_user connection limit -1"), "ALTER ROLE");
    weir_stop(w);
}

static const struct test_case cases[] = {
    TEST(two_pools_share_what_the_server_allows),
    TEST(direct_connections_find_the_reserved_places),
    TEST(a_pool_in_need_takes_idle_servers_of_another),
    TEST(a_fixed_number_is_kept_too),
    TEST(requests_wait_while_others_have_taken_all_places),
    TEST(the_limits_are_asked_for_until_there_is_a_place),
    TEST(the_limit_of_a_role_is_respected),
};

void
suite_budget(void)
{
    SUITE("budget", cases);
}
