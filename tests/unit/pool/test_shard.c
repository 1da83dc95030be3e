/* test_shard.c - one worker: lines, dials, time limits, failures. */
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "stage.h"

void suite_shard(void);

#define INI \
    "query_wait_timeout = 10\nserver_idle_timeout = 600\nserver_lifetime = 3600\nserver_parallel_logins = 4\nserver_login_retry = 15\n"
#define HOST "h:1"

struct fixture {
    struct stage st;
    struct pool *pool;
    struct shard *shard;
    struct actor actors[16];
};

static void
fixture_init_with(struct fixture *f, unsigned limit, const char *ini)
{
    stage_init(&f->st, 1, ini);
    if (limit > 0)
        stage_set_limit(&f->st, HOST, limit);
    f->pool = stage_pool(&f->st, "app");
    f->shard = pool_shard(f->pool, 0);
    for (unsigned i = 0; i < COUNT_OF(f->actors); i++)
        actor_init(&f->actors[i], f->shard, i);
}

static void
fixture_init(struct fixture *f, unsigned limit)
{
    fixture_init_with(f, limit, INI);
}

static void
fixture_fini(struct fixture *f)
{
    for (unsigned i = 0; i < COUNT_OF(f->actors); i++)
        actor_leave(&f->actors[i]);
    stage_fini(&f->st);
}

/* COUNT servers are open and idle. */
static void
fixture_warm_up(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        actor_ask(&f->actors[i]);
    stage_all_dials_work(&f->st);
    for (unsigned i = count; i > 0; i--)
        actor_give(&f->actors[i - 1]);
    CU_ASSERT_EQUAL(shard_idle_count(f->shard), count);
}

static void
a_client_waits_for_a_dial_and_then_has_the_server(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    CU_ASSERT_EQUAL(f.actors[0].state, CLIENT_WAITING);
    CU_ASSERT_EQUAL(shard_waiting_count(f.shard), 1);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    CU_ASSERT_TRUE(stage_dial_works(&f.st));
    CU_ASSERT_EQUAL(f.actors[0].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(shard_waiting_count(f.shard), 0);
    fixture_fini(&f);
}

static void
the_server_that_came_back_last_is_used_first(void)
{
    struct fixture f;
    struct server *hottest;

    fixture_init(&f, 10);
    fixture_warm_up(&f, 2);
    actor_ask(&f.actors[0]);
    actor_ask(&f.actors[1]);
    hottest = f.actors[1].server;
    actor_give(&f.actors[0]);
    actor_give(&f.actors[1]);
    actor_ask(&f.actors[2]);
    CU_ASSERT_PTR_EQUAL(f.actors[2].server, hottest);
    CU_ASSERT_EQUAL(f.st.dials_begun, 2);
    fixture_fini(&f);
}

/* Tags are whatever a server holds that its next client would have to bring: settings. */
static void
a_server_with_the_clients_settings_is_preferred_among_the_hottest(void)
{
    struct fixture f;
    struct server *servers[6];
    int settings[6];

    fixture_init(&f, 10);
    fixture_warm_up(&f, 6);
    for (unsigned i = 0; i < 6; i++) {
        actor_ask(&f.actors[i]);
        servers[i] = f.actors[i].server;
        servers[i]->member.tag = &settings[i];
    }
    for (unsigned i = 0; i < 6; i++)
        actor_give(&f.actors[i]); /* the last one is the hottest */
    for (unsigned i = 0; i < 6; i++) {
        struct server *expected = servers[i >= 2 ? i : 5]; /* those too far back are not looked at */

        f.actors[6].waiter.tag = &settings[i];
        actor_ask(&f.actors[6]);
        CU_ASSERT_PTR_EQUAL(f.actors[6].server, expected);
        actor_give(&f.actors[6]);
        if (i >= 2)
            break; /* the order has changed */
    }
    f.actors[6].waiter.tag = NULL; /* nobody's */
    actor_ask(&f.actors[6]);
    CU_ASSERT_PTR_EQUAL(f.actors[6].server, servers[2]);
    actor_give(&f.actors[6]);
    fixture_fini(&f);
}

static void
waiters_are_served_in_the_order_in_which_they_came(void)
{
    struct fixture f;
    unsigned id = 0;

    fixture_init(&f, 1);
    for (unsigned i = 0; i < 5; i++)
        actor_ask(&f.actors[i]);
    stage_all_dials_work(&f.st);
    for (unsigned i = 0; i < 4; i++)
        actor_give(&f.actors[i]);
    LIST_EACH(&f.st.grants, l)
        CU_ASSERT_EQUAL(CONTAINER_OF(l, struct actor, in_grants)->id, id++);
    CU_ASSERT_EQUAL(id, 5);
    CU_ASSERT_EQUAL(f.st.dials_begun, 1);
    fixture_fini(&f);
}

static void
several_waiters_are_dialed_for_at_once_within_the_bound(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    for (unsigned i = 0; i < 8; i++)
        actor_ask(&f.actors[i]);
    CU_ASSERT_EQUAL(f.st.dial_count, 4); /* server_parallel_logins */
    stage_dial_works(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 4);
    CU_ASSERT_EQUAL(f.st.dials_begun, 5);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.dials_begun, 8);
    fixture_fini(&f);
}

static void
no_more_is_dialed_than_clients_wait(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    actor_ask(&f.actors[1]);
    CU_ASSERT_EQUAL(f.st.dial_count, 2);
    actor_leave(&f.actors[1]);
    actor_ask(&f.actors[2]);
    CU_ASSERT_EQUAL(f.st.dial_count, 2);
    fixture_fini(&f);
}

static void
a_dial_that_nobody_waits_for_any_more_becomes_idle(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    actor_leave(&f.actors[0]);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(shard_idle_count(f.shard), 1);
    fixture_fini(&f);
}

static void
the_pools_size_bounds_it_below_the_hosts_limit(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "default_pool_size = 3\n");
    for (unsigned i = 0; i < 8; i++)
        actor_ask(&f.actors[i]);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    CU_ASSERT_EQUAL(budget_pressed_since(pool_account(f.pool)->host), 0); /* that is nobody else's business */
    server_dies(f.actors[0].server);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    CU_ASSERT_EQUAL(f.actors[3].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
waiter_is_refused_when_its_time_is_up(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    actor_ask(&f.actors[0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[1]);
    stage_pass(&f.st, 4 * US_PER_S);
    actor_ask(&f.actors[2]);
    stage_pass(&f.st, 6 * US_PER_S - 1);
    CU_ASSERT_EQUAL(f.actors[1].timed_out, 0);
    stage_pass(&f.st, 1);
    CU_ASSERT_EQUAL(f.actors[1].timed_out, 1);
    CU_ASSERT_FALSE(f.actors[1].has_why);
    CU_ASSERT_EQUAL(f.actors[2].timed_out, 0);
    stage_pass(&f.st, 4 * US_PER_S);
    CU_ASSERT_EQUAL(f.actors[2].timed_out, 1);
    CU_ASSERT_EQUAL(shard_waiting_count(f.shard), 0);
    fixture_fini(&f);
}

static void
a_login_that_waits_for_a_welcome_is_refused_when_its_time_is_up(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    actor_greet(&f.actors[0]);
    stage_pass(&f.st, 10 * US_PER_S);
    CU_ASSERT_EQUAL(f.actors[0].timed_out, 1);
    fixture_fini(&f);
}

static void
without_query_wait_timeout_a_client_waits_for_ever(void)
{
    struct fixture f;

    fixture_init_with(&f, 1, "query_wait_timeout = 0\n");
    actor_ask(&f.actors[0]);
    for (unsigned i = 0; i < 20; i++)
        stage_pass(&f.st, 3600 * US_PER_S);
    CU_ASSERT_EQUAL(f.actors[0].state, CLIENT_WAITING);
    fixture_fini(&f);
}

static void
logins_that_wait_for_a_welcome_need_one_dial_together(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    for (unsigned i = 0; i < 5; i++)
        actor_greet(&f.actors[i]);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_dial_works(&f.st);
    CU_ASSERT_EQUAL(f.actors[0].welcomed, 0);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S")));
    stage_settle(&f.st);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(f.actors[i].welcomed, 1);
    CU_ASSERT_EQUAL(shard_idle_count(f.shard), 1); /* a welcome takes no server */
    fixture_fini(&f);
}

static void
who_leaves_the_line_is_not_served(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    for (unsigned i = 0; i < 3; i++)
        actor_ask(&f.actors[i]);
    stage_all_dials_work(&f.st);
    actor_leave(&f.actors[1]);
    actor_give(&f.actors[0]);
    CU_ASSERT_EQUAL(f.actors[1].granted, 0);
    CU_ASSERT_EQUAL(f.actors[2].granted, 1);
    fixture_fini(&f);
}

static void
give_and_ask(struct stage *st, struct actor *a)
{
    (void)st;
    if (a->granted < 100) {
        actor_give(a);
        actor_ask(a);
    }
}

static void
a_grant_may_give_and_ask_again_inside_the_call(void)
{
    struct fixture f;

    fixture_init(&f, 1);
    f.st.on_grant = give_and_ask;
    actor_ask(&f.actors[0]);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[0].granted, 100);
    fixture_fini(&f);
}

/* --- idle servers --- */

static void
an_idle_server_is_closed_after_server_idle_timeout(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    fixture_warm_up(&f, 2);
    stage_pass(&f.st, 300 * US_PER_S);
    actor_ask(&f.actors[0]);
    actor_give(&f.actors[0]);
    stage_pass(&f.st, 300 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_IDLE], 1);
    CU_ASSERT_EQUAL(f.st.server_count, 1);
    stage_pass(&f.st, 300 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.server_count, 0);
    CU_ASSERT_EQUAL(account_taken(f.pool), 0);
    fixture_fini(&f);
}

static void
idle_servers_are_kept_down_to_min_pool_size(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "min_pool_size = 2\nserver_lifetime = 86400\n");
    fixture_warm_up(&f, 4);
    for (unsigned i = 0; i < 10; i++)
        stage_pass(&f.st, 600 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.server_count, 2);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_IDLE], 2);
    CU_ASSERT_EQUAL(f.st.dials_begun, 4);
    fixture_fini(&f);
}

static void
min_pool_size_is_filled_at_the_first_login_and_after_losses(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "min_pool_size = 3\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 0); /* nobody came yet */
    actor_greet(&f.actors[0]);
    CU_ASSERT_EQUAL(f.st.dial_count, 3);
    pool_set_welcome(f.pool, welcome_new(slice_of_text("S")));
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    server_dies(CONTAINER_OF(list_first(&f.st.servers), struct server, in_servers));
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    fixture_fini(&f);
}

static void
an_old_server_is_closed_when_it_comes_back(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    stage_all_dials_work(&f.st);
    stage_pass(&f.st, 3600 * US_PER_S * 9 / 8);
    CU_ASSERT_EQUAL(f.st.server_count, 1); /* in use: it stays */
    actor_give(&f.actors[0]);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_LIFETIME], 1);
    CU_ASSERT_EQUAL(f.st.server_count, 0);
    fixture_fini(&f);
}

static void
old_idle_servers_are_closed_one_after_the_other(void)
{
    struct fixture f;
    unsigned most_at_once = 0;

    fixture_init_with(&f, 20, INI "server_idle_timeout = 0\n");
    fixture_warm_up(&f, 16);
    stage_pass(&f.st, 3600 * US_PER_S - 1);
    CU_ASSERT_EQUAL(f.st.server_count, 16);
    for (unsigned i = 0; i < 450; i++) {
        unsigned before = f.st.server_count;

        stage_pass(&f.st, US_PER_S);
        if (before - f.st.server_count > most_at_once)
            most_at_once = before - f.st.server_count;
    }
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_LIFETIME], 16);
    CU_ASSERT_TRUE(most_at_once <= 3);
    fixture_fini(&f);
}

static void
with_server_lifetime_0_a_server_is_used_once(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "server_lifetime = 0\n");
    actor_ask(&f.actors[0]);
    stage_all_dials_work(&f.st);
    actor_give(&f.actors[0]);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_LIFETIME], 1);
    fixture_fini(&f);
}

/* --- failure --- */

static void
clients_wait_while_the_server_is_unreachable_and_attempts_back_off(void)
{
    struct fixture f;
    uint64_t before_us = 0;
    uint64_t pause_us = 0;
    unsigned attempts = 0;

    fixture_init_with(&f, 10, INI "query_wait_timeout = 0\n");
    for (unsigned i = 0; i < 4; i++)
        actor_ask(&f.actors[i]);
    CU_ASSERT_EQUAL(f.st.dial_count, 4);
    stage_pass(&f.st, US_PER_MS);
    while (stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT))
        ;
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    before_us = clock_now_us(&f.st.clock);
    while (attempts < 12) {
        stage_pass(&f.st, US_PER_MS);
        CU_ASSERT_TRUE(f.st.dial_count <= 1); /* one probe at a time */
        if (f.st.dial_count == 0)
            continue;
        pause_us = clock_now_us(&f.st.clock) - before_us;
        before_us = clock_now_us(&f.st.clock);
        attempts++;
        if (attempts == 1)
            CU_ASSERT_TRUE(pause_us <= 51 * US_PER_MS); /* the four that failed together are one failure */
        CU_ASSERT_TRUE(pause_us <= 15 * US_PER_S + US_PER_MS);
        CU_ASSERT_TRUE(pause_us >= 25 * US_PER_MS);
        stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
    }
    CU_ASSERT_TRUE(pause_us >= 15 * US_PER_S / 2); /* it has grown to server_login_retry */
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(f.actors[i].state, CLIENT_WAITING);
    stage_pass(&f.st, 15 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.dial_count, 1);
    stage_dial_works(&f.st);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 3); /* it is back: all at once again */
    stage_all_dials_work(&f.st);
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(f.actors[i].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
who_waited_too_long_for_an_unreachable_server_hears_why(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT_NOW);
    for (unsigned i = 0; i < 1000; i++) {
        stage_pass(&f.st, 10 * US_PER_MS);
        stage_dial_fails(&f.st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT_NOW);
    }
    CU_ASSERT_EQUAL(f.actors[0].timed_out, 1);
    CU_ASSERT_TRUE(f.actors[0].has_why);
    CU_ASSERT_STRING_EQUAL(f.actors[0].why.sqlstate, SQLSTATE_CANNOT_CONNECT_NOW);
    fixture_fini(&f);
}

static void
a_refused_login_is_told_to_all_waiters(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    actor_ask(&f.actors[1]);
    actor_greet(&f.actors[2]);
    stage_dial_fails(&f.st, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD);
    stage_settle(&f.st);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(f.actors[i].refused, 1);
        CU_ASSERT_STRING_EQUAL(f.actors[i].why.sqlstate, SQLSTATE_INVALID_PASSWORD);
    }
    fixture_fini(&f);
}

static void
after_a_refused_login_others_hear_it_at_once_until_it_is_tried_again(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    stage_dial_fails(&f.st, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD);
    stage_settle(&f.st);
    actor_ask(&f.actors[1]);
    CU_ASSERT_EQUAL(f.actors[1].refused, 0); /* not inside shard_take() */
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[1].refused, 1);
    CU_ASSERT_STRING_EQUAL(f.actors[1].why.sqlstate, SQLSTATE_INVALID_PASSWORD);
    CU_ASSERT_EQUAL(f.st.dials_begun, 1);
    stage_pass(&f.st, 50 * US_PER_MS);
    actor_ask(&f.actors[2]);
    CU_ASSERT_EQUAL(f.st.dials_begun, 2);
    stage_dial_works(&f.st);
    CU_ASSERT_EQUAL(f.actors[2].state, CLIENT_SERVED);
    actor_ask(&f.actors[3]);
    CU_ASSERT_EQUAL(f.st.dials_begun, 3);
    fixture_fini(&f);
}

static void
while_a_server_is_usable_a_refused_login_harms_nobody(void)
{
    struct fixture f;

    fixture_init(&f, 10);
    actor_ask(&f.actors[0]);
    stage_all_dials_work(&f.st);
    actor_ask(&f.actors[1]);
    stage_dial_fails(&f.st, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.actors[1].state, CLIENT_WAITING);
    actor_give(&f.actors[0]);
    CU_ASSERT_EQUAL(f.actors[1].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_full_server_makes_clients_wait_and_the_budget_step_down(void)
{
    struct fixture f;
    struct budget_view view;

    fixture_init_with(&f, 10, INI "server_parallel_logins = 16\n");
    for (unsigned i = 0; i < 9; i++)
        actor_ask(&f.actors[i]);
    for (unsigned i = 0; i < 8; i++)
        stage_dial_works(&f.st);
    stage_dial_fails(&f.st, DIAL_CONGESTED, SQLSTATE_TOO_MANY_CONNECTIONS);
    stage_settle(&f.st);
    budget_look(pool_account(f.pool), &view);
    CU_ASSERT_EQUAL(view.limit, 10);
    CU_ASSERT_EQUAL(view.in_force, 7);
    CU_ASSERT_EQUAL(f.actors[8].state, CLIENT_WAITING);
    actor_give(&f.actors[0]); /* over the limit: it closes, and the other seven go round */
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    CU_ASSERT_EQUAL(f.actors[8].state, CLIENT_WAITING);
    actor_give(&f.actors[1]);
    CU_ASSERT_EQUAL(f.actors[8].state, CLIENT_SERVED);
    for (unsigned i = 0; i < 30; i++)
        stage_pass(&f.st, US_PER_S);
    actor_ask(&f.actors[9]);
    actor_ask(&f.actors[10]);
    stage_all_dials_work(&f.st);
    budget_look(pool_account(f.pool), &view);
    CU_ASSERT_EQUAL(view.in_force, 10);
    CU_ASSERT_EQUAL(f.actors[10].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_server_that_is_full_from_the_start_is_not_hammered(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "query_wait_timeout = 0\n");
    actor_ask(&f.actors[0]);
    for (unsigned ms = 0; ms < 10000; ms++) {
        stage_pass(&f.st, US_PER_MS);
        stage_dial_fails(&f.st, DIAL_CONGESTED, SQLSTATE_TOO_MANY_CONNECTIONS);
    }
    CU_ASSERT_TRUE(f.st.dials_begun < 15);
    for (unsigned s = 0; s < 20; s++) {
        stage_pass(&f.st, US_PER_S);
        stage_dial_works(&f.st);
    }
    CU_ASSERT_EQUAL(f.actors[0].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_host_without_a_known_limit_is_asked_about_once_and_clients_wait(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    actor_ask(&f.actors[0]);
    actor_ask(&f.actors[1]);
    stage_pass(&f.st, 5 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.unknown_count, 1);
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    stage_set_limit(&f.st, HOST, 2);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.dial_count, 2);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(f.actors[1].state, CLIENT_SERVED);
    fixture_fini(&f);
}

static void
a_dial_that_is_given_up_gives_its_slot_back(void)
{
    struct fixture f;
    struct server *v;

    fixture_init(&f, 1);
    actor_ask(&f.actors[0]);
    actor_leave(&f.actors[0]);
    v = stage_first_dial(&f.st);
    link_remove(&v->in_dials);
    f.st.dial_count--;
    v->state = SERVER_OPEN;
    server_dies(v);
    CU_ASSERT_EQUAL(account_taken(f.pool), 0);
    actor_ask(&f.actors[0]);
    CU_ASSERT_EQUAL(f.st.dial_count, 1); /* and says nothing about the server */
    fixture_fini(&f);
}

static void
a_lowered_limit_closes_idle_servers_at_once_and_busy_ones_as_they_come_back(void)
{
    struct fixture f;

    fixture_init(&f, 8);
    fixture_warm_up(&f, 8);
    for (unsigned i = 0; i < 5; i++)
        actor_ask(&f.actors[i]);
    f.st.hosts[0].limit = 8; /* those that are open may stay until they come back */
    budget_set_limit(f.st.hosts[0].host, 3, "lowered");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 5);
    CU_ASSERT_EQUAL(shard_idle_count(f.shard), 0);
    for (unsigned i = 0; i < 5; i++)
        actor_give(&f.actors[i]);
    CU_ASSERT_EQUAL(f.st.server_count, 3);
    CU_ASSERT_EQUAL(shard_idle_count(f.shard), 3);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 5);
    fixture_fini(&f);
}

static void
closing_down_ends_idle_servers_and_dials_for_nobody(void)
{
    struct fixture f;

    fixture_init_with(&f, 10, INI "min_pool_size = 2\ndefault_pool_size = 3\n");
    fixture_warm_up(&f, 3);
    actor_ask(&f.actors[0]);
    actor_ask(&f.actors[1]);
    shard_close_down(f.shard);
    CU_ASSERT_EQUAL(f.st.server_count, 2);
    actor_ask(&f.actors[2]);
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    actor_give(&f.actors[0]);
    CU_ASSERT_EQUAL(f.actors[2].state, CLIENT_SERVED); /* with what comes back */
    actor_give(&f.actors[1]);
    actor_give(&f.actors[2]);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(f.st.server_count, 0);
    fixture_fini(&f);
}

void
suite_shard(void)
{
    CU_pSuite suite = CU_add_suite("shard", NULL, NULL);

    CU_ADD_TEST(suite, a_client_waits_for_a_dial_and_then_has_the_server);
    CU_ADD_TEST(suite, the_server_that_came_back_last_is_used_first);
    CU_ADD_TEST(suite, a_server_with_the_clients_settings_is_preferred_among_the_hottest);
    CU_ADD_TEST(suite, waiters_are_served_in_the_order_in_which_they_came);
    CU_ADD_TEST(suite, several_waiters_are_dialed_for_at_once_within_the_bound);
    CU_ADD_TEST(suite, no_more_is_dialed_than_clients_wait);
    CU_ADD_TEST(suite, a_dial_that_nobody_waits_for_any_more_becomes_idle);
    CU_ADD_TEST(suite, the_pools_size_bounds_it_below_the_hosts_limit);
    CU_ADD_TEST(suite, waiter_is_refused_when_its_time_is_up);
    CU_ADD_TEST(suite, a_login_that_waits_for_a_welcome_is_refused_when_its_time_is_up);
    CU_ADD_TEST(suite, without_query_wait_timeout_a_client_waits_for_ever);
    CU_ADD_TEST(suite, logins_that_wait_for_a_welcome_need_one_dial_together);
    CU_ADD_TEST(suite, who_leaves_the_line_is_not_served);
    CU_ADD_TEST(suite, a_grant_may_give_and_ask_again_inside_the_call);
    CU_ADD_TEST(suite, an_idle_server_is_closed_after_server_idle_timeout);
    CU_ADD_TEST(suite, idle_servers_are_kept_down_to_min_pool_size);
    CU_ADD_TEST(suite, min_pool_size_is_filled_at_the_first_login_and_after_losses);
    CU_ADD_TEST(suite, an_old_server_is_closed_when_it_comes_back);
    CU_ADD_TEST(suite, old_idle_servers_are_closed_one_after_the_other);
    CU_ADD_TEST(suite, with_server_lifetime_0_a_server_is_used_once);
    CU_ADD_TEST(suite, clients_wait_while_the_server_is_unreachable_and_attempts_back_off);
    CU_ADD_TEST(suite, who_waited_too_long_for_an_unreachable_server_hears_why);
    CU_ADD_TEST(suite, a_refused_login_is_told_to_all_waiters);
    CU_ADD_TEST(suite, after_a_refused_login_others_hear_it_at_once_until_it_is_tried_again);
    CU_ADD_TEST(suite, while_a_server_is_usable_a_refused_login_harms_nobody);
    CU_ADD_TEST(suite, a_full_server_makes_clients_wait_and_the_budget_step_down);
    CU_ADD_TEST(suite, a_server_that_is_full_from_the_start_is_not_hammered);
    CU_ADD_TEST(suite, a_host_without_a_known_limit_is_asked_about_once_and_clients_wait);
    CU_ADD_TEST(suite, a_dial_that_is_given_up_gives_its_slot_back);
    CU_ADD_TEST(suite, a_lowered_limit_closes_idle_servers_at_once_and_busy_ones_as_they_come_back);
    CU_ADD_TEST(suite, closing_down_ends_idle_servers_and_dials_for_nobody);
}
