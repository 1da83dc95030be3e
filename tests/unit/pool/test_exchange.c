/* test_exchange.c - several workers: no client waits while a server is idle in another one. */
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "pgweir/pool/control.h"
#include "stage.h"

void suite_exchange(void);

#define INI "query_wait_timeout = 100\nserver_idle_timeout = 600\nserver_parallel_logins = 4\n"
#define HOST "h:1"
#define WORKERS 4
#define PER_WORKER 4

struct fixture {
    struct stage st;
    struct pool *pool;
    struct shard *shards[WORKERS];
    struct actor actors[WORKERS][PER_WORKER];
};

static void
fixture_init_with(struct fixture *f, unsigned limit, const char *ini)
{
    stage_init(&f->st, WORKERS, ini);
    stage_set_limit(&f->st, HOST, limit);
    f->pool = stage_pool(&f->st, "app");
    for (unsigned w = 0; w < WORKERS; w++) {
        f->shards[w] = pool_shard(f->pool, w);
        for (unsigned i = 0; i < PER_WORKER; i++)
            actor_init(&f->actors[w][i], f->shards[w], w * PER_WORKER + i);
    }
    stage_settle(&f->st);
}

static void
fixture_init(struct fixture *f, unsigned limit)
{
    fixture_init_with(f, limit, INI);
}

static void
fixture_fini(struct fixture *f)
{
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < PER_WORKER; i++)
            actor_leave(&f->actors[w][i]);
    stage_fini(&f->st);
}

/* WORKER has COUNT idle servers. */
static void
fixture_warm_up(struct fixture *f, unsigned worker, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        actor_ask(&f->actors[worker][i]);
    stage_all_dials_work(&f->st);
    for (unsigned i = 0; i < count; i++)
        actor_give(&f->actors[worker][i]);
    stage_settle(&f->st);
    CU_ASSERT_EQUAL(shard_idle_count(f->shards[worker]), count);
}

static void
an_idle_server_of_another_worker_comes_and_nothing_is_dialed(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    fixture_warm_up(&f, 0, 1);
    actor_ask(&f.actors[2][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[2][0].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(f.st.dials_begun, 1);
    CU_ASSERT_EQUAL(f.st.moved, 1);
    actor_give(&f.actors[2][0]);
    CU_ASSERT_EQUAL(shard_idle_count(f.shards[2]), 1); /* and stays there */
    fixture_fini(&f);
}

static void
as_many_come_as_are_needed_and_the_rest_is_dialed(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    fixture_warm_up(&f, 0, 1);
    fixture_warm_up(&f, 1, 3);
    CU_ASSERT_EQUAL(f.st.dials_begun, 3); /* one came from worker 0 */
    for (unsigned i = 0; i < 4; i++)
        actor_ask(&f.actors[3][i]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dials_begun, 4);
    stage_all_dials_work(&f.st);
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(f.actors[3][i].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(f.st.server_count, 4);
    fixture_fini(&f);
}

static void
a_worker_that_has_none_left_says_so_and_the_asker_dials(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    fixture_warm_up(&f, 0, 1);
    actor_ask(&f.actors[0][0]); /* its bit still says that there may be idle ones */
    actor_ask(&f.actors[1][0]);
    CU_ASSERT_EQUAL(f.st.dial_count, 0); /* it asks first */
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_server_that_comes_free_goes_to_the_worker_that_has_waiters(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    actor_ask(&f.actors[0][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[3][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[3][0].state, CLIENT_WAITING);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(shard_idle_count(f.shards[0]), 0);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[3][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
only_one_server_moves_for_one_waiter(void)
{
    struct fixture f;

    fixture_init(&f, 3);
    for (unsigned w = 0; w < 3; w++)
        actor_ask(&f.actors[w][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[3][0]);
    stage_settle(&f.st);
    for (unsigned w = 0; w < 3; w++)
        actor_give(&f.actors[w][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[3][0].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(f.st.moved, 1);
    CU_ASSERT_EQUAL(pool_idle_count(&f.st, f.pool), 2);
    fixture_fini(&f);
}

static void
a_noticeably_older_waiter_elsewhere_comes_before_our_own(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    actor_ask(&f.actors[0][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[1][0]);
    stage_pass(&f.st, 10 * US_PER_MS);
    actor_ask(&f.actors[0][1]);
    stage_pass(&f.st, 10 * US_PER_MS);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_WAITING);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_SERVED);
    actor_give(&f.actors[1][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_waiter_elsewhere_that_is_hardly_older_does_not(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    actor_ask(&f.actors[0][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[1][0]);
    stage_pass(&f.st, US_PER_MS);
    actor_ask(&f.actors[0][1]);
    stage_pass(&f.st, 10 * US_PER_MS);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(f.st.moved, 0);
    fixture_fini(&f);
}

static void
a_server_that_cannot_move_now_is_offered_again(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    fixture_warm_up(&f, 0, 1);
    f.st.is_immovable = true;
    actor_ask(&f.actors[1][0]);
    stage_settle(&f.st); /* and it does come to rest */
    stage_pass(&f.st, 20 * US_PER_MS);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_WAITING);
    f.st.is_immovable = false;
    stage_pass(&f.st, 5 * US_PER_MS);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
an_immovable_server_still_serves_its_own_worker(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    f.st.is_immovable = true;
    actor_ask(&f.actors[0][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[1][0]);
    stage_pass(&f.st, US_PER_S);
    actor_ask(&f.actors[0][1]);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_SERVED);
    actor_give(&f.actors[0][1]);
    actor_ask(&f.actors[0][2]);
    CU_ASSERT_EQUAL(f.actors[0][2].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_server_that_becomes_stale_on_its_way_serves_once_at_most(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    fixture_warm_up(&f, 0, 1);
    actor_ask(&f.actors[1][0]);
    loop_turn(f.st.loops[0]); /* it has left */
    CU_ASSERT_EQUAL(f.st.moved, 1);
    pools_reconnect(f.st.pools, NULL);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_SERVED); /* it arrived before the news */
    CU_ASSERT_TRUE(f.actors[1][0].server->member.is_stale);
    actor_give(&f.actors[1][0]);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 1);
    fixture_fini(&f);
}

static void
a_server_that_arrives_after_the_news_that_made_it_stale_is_closed(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    fixture_warm_up(&f, 0, 1);
    actor_ask(&f.actors[1][0]);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S"))); /* worker 1's bell is in its mailbox, */
    loop_turn(f.st.loops[0]);                                  /* the server behind it, */
    pools_reconnect(f.st.pools, NULL);                         /* and the bell has one more thing to say */
    loop_turn(f.st.loops[1]);
    CU_ASSERT_EQUAL(f.st.moved, 1);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 1);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[1][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
who_left_while_a_server_was_coming_leaves_it_idle(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    fixture_warm_up(&f, 0, 1);
    actor_ask(&f.actors[1][0]);
    loop_turn(f.st.loops[0]);
    actor_leave(&f.actors[1][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(pool_idle_count(&f.st, f.pool), 1);
    actor_ask(&f.actors[2][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[2][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

/* --- what is bounded and known for the whole pool --- */

static void
parallel_dials_are_bounded_over_all_workers(void)
{
    struct fixture f;

    fixture_init(&f, 100);
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < PER_WORKER; i++)
            actor_ask(&f.actors[w][i]);
    stage_settle(&f.st);
    while (f.st.dial_count > 0) {
        CU_ASSERT_TRUE(f.st.dial_count <= 4);
        stage_dial_works(&f.st);
        stage_settle(&f.st);
    }
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < PER_WORKER; i++)
            CU_ASSERT_EQUAL(f.actors[w][i].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(f.st.server_count, 16);
    fixture_fini(&f);
}

static void
logins_of_all_workers_need_one_dial_for_the_welcome(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    for (unsigned w = 0; w < WORKERS; w++)
        actor_greet(&f.actors[w][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
    stage_pass(&f.st, 50 * US_PER_MS);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S")));
    stage_dial_works(&f.st);
    stage_settle(&f.st);
    for (unsigned w = 0; w < WORKERS; w++)
        CU_ASSERT_EQUAL(f.actors[w][0].welcomed, 1);
    CU_ASSERT_EQUAL(f.st.dials_begun, 2);
    fixture_fini(&f);
}

static void
a_refused_login_is_told_in_all_workers(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    for (unsigned w = 0; w < WORKERS; w++)
        actor_ask(&f.actors[w][0]);
    stage_settle(&f.st);
    stage_dial_fails(&f.st, DIAL_REFUSED, SQLSTATE_INVALID_DATABASE);
    stage_settle(&f.st);
    for (unsigned w = 0; w < WORKERS; w++) {
        CU_ASSERT_EQUAL(f.actors[w][0].refused, 1);
        CU_ASSERT_STRING_EQUAL(f.actors[w][0].why.sqlstate, SQLSTATE_INVALID_DATABASE);
    }
    fixture_fini(&f);
}

static void
after_an_outage_one_worker_probes_and_all_go_on(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    for (unsigned w = 0; w < WORKERS; w++)
        actor_ask(&f.actors[w][0]);
    stage_settle(&f.st);
    while (stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT))
        ;
    for (unsigned i = 0; i < 200; i++) {
        stage_pass(&f.st, 10 * US_PER_MS);
        CU_ASSERT_TRUE(f.st.dial_count <= 1);
        stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
    }
    CU_ASSERT_TRUE(f.st.dials_begun < 16);
    while (f.st.dial_count == 0)
        stage_pass(&f.st, 10 * US_PER_MS);
    stage_all_dials_work(&f.st);
    for (unsigned w = 0; w < WORKERS; w++)
        CU_ASSERT_EQUAL(f.actors[w][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
min_pool_size_counts_idle_servers_of_all_workers(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "min_pool_size = 3\nserver_lifetime = 86400\n");
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < 2; i++)
            actor_ask(&f.actors[w][i]);
    stage_all_dials_work(&f.st);
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < 2; i++)
            actor_give(&f.actors[w][i]);
    CU_ASSERT_EQUAL(f.st.server_count, 8);
    for (unsigned i = 0; i < 5; i++)
        stage_pass(&f.st, 600 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    CU_ASSERT_EQUAL(f.st.dials_begun, 8);
    fixture_fini(&f);
}

/* --- several pools on one host --- */

static void
a_pool_in_need_gets_the_idle_connection_of_another_one(void)
{
    struct fixture f;
    struct pool *other;
    struct actor needy;

    fixture_init(&f, 2);
    fixture_warm_up(&f, 1, 2);
    other = stage_pool(&f.st, "other");
    actor_init(&needy, pool_shard(other, 3), 99);
    actor_ask(&needy);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(needy.state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(account_taken(f.pool), 1);
    actor_leave(&needy);
    fixture_fini(&f);
}

static void
idle_connections_are_found_behind_a_worker_that_has_none_left(void)
{
    struct fixture f;
    struct pool *other;
    struct actor needy;

    fixture_init(&f, 2);
    actor_ask(&f.actors[0][0]);
    actor_ask(&f.actors[2][0]);
    stage_all_dials_work(&f.st);
    actor_give(&f.actors[0][0]);
    actor_give(&f.actors[2][0]);
    actor_ask(&f.actors[0][0]); /* worker 0's bit is set, but only worker 2 has one */
    other = stage_pool(&f.st, "other");
    actor_init(&needy, pool_shard(other, 3), 99);
    actor_ask(&needy);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    CU_ASSERT_EQUAL(shard_idle_count(f.shards[2]), 0);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(needy.state, CLIENT_SERVED);
    actor_leave(&needy);
    fixture_fini(&f);
}

static void
a_busy_pool_gives_way_to_one_whose_client_waits_longer(void)
{
    struct fixture f;
    struct actor needy;
    unsigned gives = 0;

    fixture_init(&f, 2);
    for (unsigned i = 0; i < 4; i++)
        actor_ask(&f.actors[0][i]);
    stage_all_dials_work(&f.st);
    actor_init(&needy, pool_shard(stage_pool(&f.st, "other"), 0), 99);
    actor_ask(&needy);
    for (; needy.state != CLIENT_SERVED && gives < 100; gives++) {
        struct actor *a = &f.actors[0][gives % 4];

        stage_pass(&f.st, 10 * US_PER_MS);
        if (a->state == CLIENT_SERVED) {
            actor_give(a);
            actor_ask(a);
        }
        stage_settle(&f.st);
        stage_all_dials_work(&f.st);
    }
    CU_ASSERT_EQUAL(needy.state, CLIENT_SERVED);
    CU_ASSERT_TRUE(needy.longest_us >= 100 * US_PER_MS);
    CU_ASSERT_TRUE(needy.longest_us < 200 * US_PER_MS);
    actor_leave(&needy);
    fixture_fini(&f);
}

void
suite_exchange(void)
{
    CU_pSuite suite = CU_add_suite("exchange", NULL, NULL);

    CU_ADD_TEST(suite, an_idle_server_of_another_worker_comes_and_nothing_is_dialed);
    CU_ADD_TEST(suite, as_many_come_as_are_needed_and_the_rest_is_dialed);
    CU_ADD_TEST(suite, a_worker_that_has_none_left_says_so_and_the_asker_dials);
    CU_ADD_TEST(suite, a_server_that_comes_free_goes_to_the_worker_that_has_waiters);
    CU_ADD_TEST(suite, only_one_server_moves_for_one_waiter);
    CU_ADD_TEST(suite, a_noticeably_older_waiter_elsewhere_comes_before_our_own);
    CU_ADD_TEST(suite, a_waiter_elsewhere_that_is_hardly_older_does_not);
    CU_ADD_TEST(suite, a_server_that_cannot_move_now_is_offered_again);
    CU_ADD_TEST(suite, an_immovable_server_still_serves_its_own_worker);
    CU_ADD_TEST(suite, a_server_that_becomes_stale_on_its_way_serves_once_at_most);
    CU_ADD_TEST(suite, a_server_that_arrives_after_the_news_that_made_it_stale_is_closed);
    CU_ADD_TEST(suite, who_left_while_a_server_was_coming_leaves_it_idle);
    CU_ADD_TEST(suite, parallel_dials_are_bounded_over_all_workers);
    CU_ADD_TEST(suite, logins_of_all_workers_need_one_dial_for_the_welcome);
    CU_ADD_TEST(suite, a_refused_login_is_told_in_all_workers);
    CU_ADD_TEST(suite, after_an_outage_one_worker_probes_and_all_go_on);
    CU_ADD_TEST(suite, min_pool_size_counts_idle_servers_of_all_workers);
    CU_ADD_TEST(suite, a_pool_in_need_gets_the_idle_connection_of_another_one);
    CU_ADD_TEST(suite, idle_connections_are_found_behind_a_worker_that_has_none_left);
    CU_ADD_TEST(suite, a_busy_pool_gives_way_to_one_whose_client_waits_longer);
}
