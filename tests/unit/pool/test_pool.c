/* test_pool.c - pools by name, welcomes, reloads. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/pool/control.h"
#include "stage.h"

void suite_pool(void);

#define MAIN "query_wait_timeout = 100\nserver_lifetime = 86400\n"
#define DATABASES "[databases]\napp = host=h port=1\nforced = host=h port=1 user=owner dbname=app\n"

struct fixture {
    struct stage st;
    struct pool *pool;
    struct actor actors[2][3]; /* of two workers */
};

static void
fixture_init(struct fixture *f, const char *ini)
{
    stage_init(&f->st, 2, ini);
    stage_set_limit(&f->st, "h:1", 10);
    stage_set_limit(&f->st, "new:1", 10);
    f->pool = stage_pool(&f->st, "app");
    for (unsigned w = 0; w < 2; w++)
        for (unsigned i = 0; i < 3; i++)
            actor_init(&f->actors[w][i], pool_shard(f->pool, w), w * 3 + i);
    stage_settle(&f->st);
}

static void
fixture_fini(struct fixture *f)
{
    for (unsigned w = 0; w < 2; w++)
        for (unsigned i = 0; i < 3; i++)
            actor_leave(&f->actors[w][i]);
    stage_fini(&f->st);
}

/* Both workers have one busy and one idle server. */
static void
fixture_warm_up(struct fixture *f)
{
    for (unsigned w = 0; w < 2; w++)
        for (unsigned i = 0; i < 2; i++)
            actor_ask(&f->actors[w][i]);
    stage_all_dials_work(&f->st);
    for (unsigned w = 0; w < 2; w++)
        actor_give(&f->actors[w][1]);
    stage_settle(&f->st);
    CU_ASSERT_EQUAL(f->st.server_count, 4);
    CU_ASSERT_EQUAL(pool_idle_count(&f->st, f->pool), 2);
}

static void
a_pool_is_found_again_by_database_and_role(void)
{
    struct fixture f;
    struct pool *forced;

    fixture_init(&f, MAIN DATABASES);
    CU_ASSERT_PTR_EQUAL(stage_pool(&f.st, "app"), f.pool);
    CU_ASSERT_PTR_NOT_EQUAL(stage_pool_of(&f.st, "app", "other"), f.pool);
    CU_ASSERT_STRING_EQUAL(pool_database(f.pool), "app");
    CU_ASSERT_STRING_EQUAL(pool_user(f.pool), "app_user");
    forced = stage_pool_of(&f.st, "forced", "one");
    CU_ASSERT_PTR_EQUAL(stage_pool_of(&f.st, "forced", "two"), forced);
    CU_ASSERT_STRING_EQUAL(pool_user(forced), "owner");
    CU_ASSERT_PTR_EQUAL(shard_pool(pool_shard(f.pool, 1)), f.pool);
    CU_ASSERT_PTR_EQUAL(pool_shard(f.pool, 1), pool_shard(f.pool, 1));
    fixture_fini(&f);
}

static void
count_pool(void *arg, struct pool *pool)
{
    unsigned *count = arg;

    (void)pool;
    ++*count;
}

static void
each_pool_is_visited_once(void)
{
    struct fixture f;
    unsigned count = 0;

    fixture_init(&f, MAIN DATABASES);
    stage_pool_of(&f.st, "app", "other");
    stage_pool_of(&f.st, "app", "other");
    pools_each(f.st.pools, count_pool, &count);
    CU_ASSERT_EQUAL(count, 2);
    fixture_fini(&f);
}

static void
a_welcome_is_kept_and_replaced(void)
{
    struct fixture f;
    struct welcome *first, *second;

    fixture_init(&f, MAIN DATABASES);
    CU_ASSERT_PTR_NULL(pool_welcome(f.pool));
    pool_set_welcome(f.pool, welcome_new(slice_of_text("one")));
    first = pool_welcome(f.pool);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("")));
    second = pool_welcome(f.pool);
    CU_ASSERT_TRUE(slice_is(slice_of(first->bytes, first->len), "one"));
    CU_ASSERT_EQUAL(second->len, 0);
    welcome_drop(first);
    welcome_drop(second);
    welcome_drop(NULL);
    fixture_fini(&f);
}

static void
a_reload_that_changes_nothing_touches_no_server(void)
{
    struct fixture f;

    fixture_init(&f, MAIN DATABASES);
    fixture_warm_up(&f);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S")));
    stage_reload(&f.st, MAIN DATABASES);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 4);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(f.st.server_count, 4);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 0);
    welcome_drop(pool_welcome(f.pool));
    fixture_fini(&f);
}

static void
new_sizes_and_timeouts_take_effect_at_once(void)
{
    struct fixture f;

    fixture_init(&f, "query_wait_timeout = 100\n[databases]\napp = host=h port=1 pool_size=1\n");
    actor_ask(&f.actors[0][0]);
    actor_ask(&f.actors[0][1]);
    actor_ask(&f.actors[1][0]);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 1);
    stage_reload(&f.st, "query_wait_timeout = 5\n[databases]\napp = host=h port=1 pool_size=2\n");
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 2);
    stage_pass(&f.st, 5 * US_PER_S);
    CU_ASSERT_EQUAL(f.actors[0][1].timed_out + f.actors[1][0].timed_out, 1);
    fixture_fini(&f);
}

static void
a_shorter_server_idle_timeout_takes_effect_at_once(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "server_idle_timeout = 0\n" DATABASES);
    fixture_warm_up(&f);
    stage_pass(&f.st, 1000 * US_PER_S);
    stage_reload(&f.st, MAIN "server_idle_timeout = 10\n" DATABASES);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_IDLE], 2);
    fixture_fini(&f);
}

static void
servers_of_a_changed_database_go_when_they_come_back(void)
{
    struct fixture f;
    struct welcome *w;

    fixture_init(&f, MAIN DATABASES);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S")));
    fixture_warm_up(&f);
    stage_reload(&f.st, MAIN "[databases]\napp = host=h port=1 dbname=app2\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 2); /* the idle ones */
    w = pool_welcome(f.pool);
    CU_ASSERT_PTR_NULL(w); /* it was theirs */
    actor_ask(&f.actors[0][1]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    actor_give(&f.actors[0][0]);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 3);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_WAITING); /* it gets a new one */
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[0][1].state, CLIENT_SERVED);
    CU_ASSERT_STRING_EQUAL(shard_route(f.actors[0][1].shard)->server_database, "app2");
    fixture_fini(&f);
}

static void
a_dial_to_the_old_place_is_closed_when_it_ends(void)
{
    struct fixture f;

    fixture_init(&f, MAIN DATABASES);
    actor_ask(&f.actors[0][0]);
    stage_reload(&f.st, MAIN "[databases]\napp = host=h port=1 dbname=app2\n");
    stage_settle(&f.st);
    stage_dial_works(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 1);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_dial_works(&f.st);
    CU_ASSERT_EQUAL(f.actors[0][0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_pool_that_moves_to_another_host_counts_there(void)
{
    struct fixture f;
    struct budget_account *before;

    fixture_init(&f, MAIN DATABASES);
    fixture_warm_up(&f);
    before = pool_account(f.pool);
    CU_ASSERT_EQUAL(before->taken, 4);
    stage_reload(&f.st, MAIN "[databases]\napp = host=new port=1\n");
    stage_settle(&f.st);
    CU_ASSERT_PTR_NOT_EQUAL(pool_account(f.pool), before);
    CU_ASSERT_STRING_EQUAL(budget_host_key(pool_account(f.pool)->host), "new:1");
    CU_ASSERT_EQUAL(before->taken, 2);
    actor_ask(&f.actors[1][1]);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[1][1].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(account_taken(f.pool), 1);
    actor_give(&f.actors[0][0]);
    actor_give(&f.actors[1][0]);
    CU_ASSERT_EQUAL(before->taken, 0);
    fixture_fini(&f);
}

static void
a_want_in_the_old_hosts_line_is_asked_anew_in_the_new_one(void)
{
    struct fixture f;

    fixture_init(&f, MAIN DATABASES);
    stage_set_limit(&f.st, "h:1", 1);
    actor_ask(&f.actors[0][0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[0][1]);
    actor_ask(&f.actors[1][0]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    stage_reload(&f.st, MAIN "[databases]\napp = host=new port=1\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 2);
    fixture_fini(&f);
}

static void
a_pool_whose_database_is_gone_drains_and_comes_back_with_it(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "[databases]\napp = host=h port=1 pool_size=4 min_pool_size=3\n");
    fixture_warm_up(&f);
    stage_reload(&f.st, MAIN "[databases]\nother = host=h port=1\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 2); /* the busy ones: their clients go on */
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    actor_give(&f.actors[0][0]);
    actor_ask(&f.actors[0][1]);
    actor_ask(&f.actors[0][2]);
    stage_settle(&f.st);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[0][2].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(pool_account(f.pool)->guaranteed, 0);
    stage_reload(&f.st, MAIN "[databases]\napp = host=h port=1 pool_size=4 min_pool_size=4\n");
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(pool_account(f.pool)->guaranteed, 4);
    CU_ASSERT_EQUAL(f.st.server_count, 4);
    fixture_fini(&f);
}

static void
a_login_with_the_route_before_a_reload_gets_the_pool_after_it(void)
{
    struct fixture f;
    struct route *old, *now;
    struct pool *pool;

    fixture_init(&f, MAIN "[databases]\n* = host=h port=1\n");
    old = settings_route(f.st.settings, "late", "app_user");
    stage_reload(&f.st, MAIN "[databases]\n* = host=new port=1\n");
    pool = pools_get(f.st.pools, old);
    now = pool_route(pool);
    CU_ASSERT_STRING_EQUAL(now->host_key, "new:1");
    route_drop(now);
    route_drop(old);
    fixture_fini(&f);
}

static void
a_reload_ends_the_pause_after_failures(void)
{
    struct fixture f;

    fixture_init(&f, MAIN DATABASES);
    actor_ask(&f.actors[0][0]);
    for (unsigned i = 0; i < 5; i++) {
        stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
        while (i < 4 && f.st.dial_count == 0)
            stage_pass(&f.st, 10 * US_PER_MS);
    }
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    stage_reload(&f.st, MAIN DATABASES);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    fixture_fini(&f);
}

static void
reconnect_replaces_all_servers(void)
{
    struct fixture f;

    fixture_init(&f, MAIN DATABASES);
    fixture_warm_up(&f);
    pools_reconnect(f.st.pools, NULL);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 2);
    actor_give(&f.actors[0][0]);
    actor_give(&f.actors[1][0]);
    CU_ASSERT_EQUAL(f.st.server_count, 0);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_STALE], 4);
    fixture_fini(&f);
}

static void
a_retired_server_may_take_its_time_to_close(void)
{
    struct fixture f;
    struct actor needy;

    fixture_init(&f, MAIN DATABASES);
    stage_set_limit(&f.st, "h:1", 4);
    fixture_warm_up(&f);
    f.st.is_closing_slow = true;
    actor_init(&needy, pool_shard(stage_pool_of(&f.st, "app", "other"), 1), 99);
    actor_ask(&needy);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    CU_ASSERT_EQUAL(f.st.dial_count, 0); /* its slot is free when it is closed, not before */
    stage_pass(&f.st, 10 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    stage_end_closing(&f.st);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    actor_leave(&needy);
    fixture_fini(&f);
}

void
suite_pool(void)
{
    CU_pSuite suite = CU_add_suite("pool", NULL, NULL);

    CU_ADD_TEST(suite, a_pool_is_found_again_by_database_and_role);
    CU_ADD_TEST(suite, each_pool_is_visited_once);
    CU_ADD_TEST(suite, a_welcome_is_kept_and_replaced);
    CU_ADD_TEST(suite, a_reload_that_changes_nothing_touches_no_server);
    CU_ADD_TEST(suite, new_sizes_and_timeouts_take_effect_at_once);
    CU_ADD_TEST(suite, a_shorter_server_idle_timeout_takes_effect_at_once);
    CU_ADD_TEST(suite, servers_of_a_changed_database_go_when_they_come_back);
    CU_ADD_TEST(suite, a_dial_to_the_old_place_is_closed_when_it_ends);
    CU_ADD_TEST(suite, a_pool_that_moves_to_another_host_counts_there);
    CU_ADD_TEST(suite, a_want_in_the_old_hosts_line_is_asked_anew_in_the_new_one);
    CU_ADD_TEST(suite, a_pool_whose_database_is_gone_drains_and_comes_back_with_it);
    CU_ADD_TEST(suite, a_login_with_the_route_before_a_reload_gets_the_pool_after_it);
    CU_ADD_TEST(suite, a_reload_ends_the_pause_after_failures);
    CU_ADD_TEST(suite, reconnect_replaces_all_servers);
    CU_ADD_TEST(suite, a_retired_server_may_take_its_time_to_close);
}
