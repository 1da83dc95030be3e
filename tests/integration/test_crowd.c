/*
 * test_crowd.c - two hundred clients on ten servers: nobody gets an answer that is not his, no connection too
 * many is opened, and memory stays flat, even while servers are killed.
 */

#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "harness.h"

void suite_crowd(void);

#define CROWD_SERVERS 10

static struct weir *
weir(void)
{
    return weir_get(
        &(struct weir_spec){ .settings = "default_pool_size = 10\nserver_tls_sslmode = require\n" });
}

struct observer {
    unsigned samples;
    int most_backends;
    unsigned kill_every; /* samples; 0: never */
    unsigned killed;
    uint64_t next_ms;
};

/* Counts the server connections, and kills one now and then. */
static void
observe(void *arg, unsigned done)
{
    struct observer *o = arg;
    int backends;

    if (done == 0 || now_ms() < o->next_ms)
        return;
    o->next_ms = now_ms() + 10;
    backends = pg_backends(pg_main(), "app_user");
    if (backends > o->most_backends)
        o->most_backends = backends;
    if (o->kill_every > 0 && ++o->samples % o->kill_every == 0)
        o->killed += strcmp(pg_ask(pg_main(), "select pg_terminate_backend(pid) from pg_stat_activity "
                                              "where usename = 'app_user' order by random() limit 1"),
                            "t") == 0;
}

static void
two_hundred_clients_share_ten_servers(void)
{
    struct observer o = { 0 };
    struct crowd_result r = crowd_run(&(struct crowd_plan){
        .weir = weir(), .clients = 200, .transactions = WORK(10000), .meanwhile = observe, .arg = &o });

    CU_ASSERT_EQUAL(r.done, WORK(10000));
    CU_ASSERT_EQUAL(r.wrong, 0);
    CU_ASSERT_EQUAL(r.failed, 0);
    CU_ASSERT_EQUAL(r.refused, 0);
    CU_ASSERT(o.most_backends > 1);
    CU_ASSERT(o.most_backends <= CROWD_SERVERS);
}

static void
memory_stays_flat_under_a_crowd(void)
{
    struct weir *w = weir();
    struct crowd_plan plan = { .weir = w, .clients = 50, .transactions = WORK(2000) };
    unsigned warm_kb;
    unsigned fds;

    crowd_run(&plan);
    crowd_run(&plan);
    warm_kb = weir_rss_kb(w);
    fds = weir_fd_count(w);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(crowd_run(&plan).done, plan.transactions);
    EVENTUALLY(weir_fd_count(w) <= fds);
    if (HARNESS_SANITIZED)
        return; /* their memory is not ours */
    CU_ASSERT(weir_rss_kb(w) <= warm_kb + 1024);
}

static void
clients_survive_servers_that_are_killed(void)
{
    struct observer o = { .kill_every = 3 };
    struct weir *w = weir();
    struct crowd_result r = crowd_run(&(struct crowd_plan){ .weir = w,
                                                            .clients = 100,
                                                            .transactions = WORK(6000),
                                                            .may_lose_servers = true,
                                                            .meanwhile = observe,
                                                            .arg = &o });

    CU_ASSERT_EQUAL(r.done + r.lost, WORK(6000));
    CU_ASSERT_EQUAL(r.wrong, 0);
    CU_ASSERT_EQUAL(r.failed, 0);
    CU_ASSERT_EQUAL(r.refused, 0);
    CU_ASSERT(o.killed > 0);
    CU_ASSERT(r.lost <= o.killed);
    CU_ASSERT(o.most_backends <= CROWD_SERVERS);
}

static const struct test_case cases[] = {
    TEST(two_hundred_clients_share_ten_servers),
    TEST(memory_stays_flat_under_a_crowd),
    TEST(clients_survive_servers_that_are_killed),
};

void
suite_crowd(void)
{
    SUITE("crowd", cases);
}
