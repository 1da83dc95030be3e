/* test_reaper.c - pools that nobody uses are freed, and no others. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/control.h"
#include "stage.h"

void suite_reaper(void);

#define MAIN "server_idle_timeout = 10\nautodb_idle_timeout = 60\nserver_check_query =\n"
#define ANY "[databases]\n* = host=h port=1\nnamed = host=h port=1\n"

static void
begin(struct stage *st, const char *ini)
{
    stage_init(st, 2, ini);
    pools_attend(st->pools, st->loops[0]);
    stage_set_limit(st, "h:1", 10);
}

static void
count_pool(void *arg, struct pool *pool)
{
    (void)pool;
    ++*(unsigned *)arg;
}

static unsigned
pool_count(struct stage *st)
{
    unsigned count = 0;

    pools_each(st->pools, count_pool, &count);
    return count;
}

static void
leave(struct stage *st, struct pool *pool)
{
    pool_leave(pool, clock_now_us(&st->clock));
}

/* Somebody comes, works and goes; the server stays until its idle time is over. */
static void
visit(struct stage *st, const char *database)
{
    struct pool *pool = stage_pool(st, database);
    struct actor a;

    actor_init(&a, pool_shard(pool, 1), 1);
    actor_ask(&a);
    stage_all_dials_work(st);
    actor_give(&a);
    link_remove(&a.in_grants);
    leave(st, pool);
}

static void
a_pool_of_any_database_goes_after_its_time(void)
{
    struct stage st;

    begin(&st, MAIN ANY);
    visit(&st, "x");
    visit(&st, "named");
    CU_ASSERT_EQUAL(pool_count(&st), 2);
    stage_pass(&st, 11 * US_PER_S); /* its server goes; only now is it unused */
    CU_ASSERT_EQUAL(st.server_count, 0);
    stage_pass(&st, 50 * US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 2);
    for (unsigned i = 0; i < 3; i++)
        stage_pass(&st, 15 * US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 1); /* the named one stays */
    visit(&st, "x");
    CU_ASSERT_EQUAL(pool_count(&st), 2);
    stage_fini(&st);
}

static void
any_pool_goes_where_it_is_wanted(void)
{
    struct stage st;

    begin(&st, MAIN "pool_idle_timeout = 20\n" ANY);
    visit(&st, "named");
    visit(&st, "x");
    for (unsigned i = 0; i < 6; i++)
        stage_pass(&st, 10 * US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 0);
    stage_fini(&st);
}

static void
a_pool_that_has_left_the_configuration_goes_at_once(void)
{
    struct stage st;
    struct pool *pool;

    begin(&st, MAIN "[databases]\nnamed = host=h port=1\nused = host=h port=1\nkept = host=h port=1\n");
    visit(&st, "kept");
    visit(&st, "named");
    pool = stage_pool(&st, "used");
    stage_reload(&st, MAIN "[databases]\nkept = host=h port=1\n");
    stage_pass(&st, US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 2); /* somebody is still in one of them */
    leave(&st, pool);
    stage_pass(&st, US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 1);
    stage_fini(&st);
}

static void
a_pool_with_clients_stays(void)
{
    struct stage st;
    struct pool *pool;

    begin(&st, MAIN ANY);
    pool = stage_pool(&st, "x");
    visit(&st, "x");
    for (unsigned i = 0; i < 20; i++)
        stage_pass(&st, 15 * US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 1);
    leave(&st, pool);
    stage_pass(&st, 59 * US_PER_S);
    CU_ASSERT_PTR_EQUAL(stage_pool(&st, "x"), pool); /* just in time */
    for (unsigned i = 0; i < 20; i++)
        stage_pass(&st, 15 * US_PER_S);
    CU_ASSERT_EQUAL(pool_count(&st), 1);
    stage_fini(&st);
}

static void
a_minimum_is_kept_for_somebody_only(void)
{
    struct stage st;
    struct pool *pool;

    begin(&st, MAIN "min_pool_size = 2\n" ANY);
    pool = stage_pool(&st, "x");
    visit(&st, "x");
    stage_pass(&st, 60 * US_PER_S);
    stage_all_dials_work(&st);
    CU_ASSERT_EQUAL(st.server_count, 2);
    leave(&st, pool);
    for (unsigned i = 0; i < 20; i++)
        stage_pass(&st, 15 * US_PER_S);
    CU_ASSERT_EQUAL(st.server_count, 0);
    CU_ASSERT_EQUAL(pool_count(&st), 0);
    stage_fini(&st);
}

static struct pool *
private_pool(struct stage *st, const char *database)
{
    struct route *r = settings_route(st->settings, database, "app_user");
    struct pool *pool = pools_get_private(st->pools, r, slice_of("replication\0true\0", 17));

    route_drop(r);
    return pool;
}

static void
a_private_pool_has_one_server_and_goes_with_it(void)
{
    struct stage st;
    struct pool *pool;
    struct actor a;

    begin(&st, MAIN "default_pool_size = 1\nmin_pool_size = 5\nmax_db_connections = 2\n" ANY);
    pool = private_pool(&st, "named");
    CU_ASSERT_EQUAL(pool_startup(pool).len, 17);
    CU_ASSERT_PTR_NOT_EQUAL(stage_pool(&st, "named"), pool);
    CU_ASSERT_EQUAL(pool_count(&st), 2);
    actor_init(&a, pool_shard(pool, 0), 1);
    actor_ask(&a);
    stage_all_dials_work(&st);
    CU_ASSERT_EQUAL(a.state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(st.server_count, 1);
    actor_give(&a);
    CU_ASSERT_EQUAL(st.server_count, 0); /* never reused */
    leave(&st, pool);
    stage_settle(&st);
    stage_fini(&st);
}

static void
a_private_pool_draws_from_the_limits(void)
{
    struct stage st;
    struct pool *pools[3];
    struct actor actors[3];

    begin(&st, MAIN "max_db_connections = 2\n" ANY);
    for (unsigned i = 0; i < 3; i++) {
        pools[i] = private_pool(&st, "named");
        actor_init(&actors[i], pool_shard(pools[i], i % 2), i);
        actor_ask(&actors[i]);
        stage_all_dials_work(&st);
    }
    CU_ASSERT_EQUAL(actors[1].state, CLIENT_SERVED);
    CU_ASSERT_EQUAL(actors[2].state, CLIENT_WAITING);
    CU_ASSERT_EQUAL(st.server_count, 2);
    actor_give(&actors[0]);
    leave(&st, pools[0]);
    stage_all_dials_work(&st);
    CU_ASSERT_EQUAL(actors[2].state, CLIENT_SERVED);
    for (unsigned i = 1; i < 3; i++) {
        actor_give(&actors[i]);
        leave(&st, pools[i]);
    }
    stage_fini(&st);
}

/* Clients come, work and go at any time, letters cross: what is freed is what nobody has. */
#define GUESTS 12

static void
run_chaos(uint64_t seed, unsigned worker_count)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    struct {
        struct stage st;
        struct actor actors[GUESTS];
        struct pool *pools[GUESTS];
    } *c = mem_new(sizeof(*c));

    stage_init(
        &c->st, worker_count,
        "server_idle_timeout = 1\nautodb_idle_timeout = 1\nserver_check_query =\nmin_pool_size = 1\n" ANY);
    pools_attend(c->st.pools, c->st.loops[0]);
    stage_set_limit(&c->st, "h:1", 4);
    for (unsigned step = 0; step < 4000; step++) {
        unsigned i = (unsigned)random_between(&seed, 0, GUESTS - 1);
        unsigned w = (unsigned)random_between(&seed, 0, worker_count - 1);
        struct actor *a = &c->actors[i];

        switch (random_between(&seed, 0, 9)) {
        case 0:
        case 1:
            loop_turn(c->st.loops[w]);
            break;
        case 2:
            (void)stage_dial_works(&c->st);
            break;
        case 3:
            clock_advance_us(&c->st.clock, random_between(&seed, 0, 400 * US_PER_MS));
            break;
        case 4:
            if (c->pools[i] != NULL) {
                actor_leave(a);
                link_remove(&a->in_grants);
                leave(&c->st, c->pools[i]);
                c->pools[i] = NULL;
            }
            break;
        default:
            if (c->pools[i] == NULL) {
                c->pools[i] = random_between(&seed, 0, 5) == 0 ? private_pool(&c->st, names[i % 4])
                                                               : stage_pool(&c->st, names[i % 4]);
                actor_init(a, pool_shard(c->pools[i], w), i);
            } else if (a->state == CLIENT_RESTING) {
                actor_ask(a);
            } else if (a->state == CLIENT_SERVED) {
                actor_give(a);
            }
            break;
        }
    }
    for (unsigned i = 0; i < GUESTS; i++)
        if (c->pools[i] != NULL) {
            actor_leave(&c->actors[i]);
            leave(&c->st, c->pools[i]);
        }
    for (unsigned i = 0; i < 10; i++) {
        stage_all_dials_work(&c->st);
        stage_pass(&c->st, 2 * US_PER_S);
    }
    CHECK(&c->st, pool_count(&c->st) == 0);
    CHECK(&c->st, c->st.server_count == 0);
    stage_fini(&c->st);
    free(c);
}

static void
nobody_loses_a_pool_in_random_schedules(void)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_chaos(seed, 1 + (unsigned)seed % 3);
}

void
suite_reaper(void)
{
    CU_pSuite suite = CU_add_suite("reaper", NULL, NULL);

    CU_ADD_TEST(suite, a_pool_of_any_database_goes_after_its_time);
    CU_ADD_TEST(suite, any_pool_goes_where_it_is_wanted);
    CU_ADD_TEST(suite, a_pool_that_has_left_the_configuration_goes_at_once);
    CU_ADD_TEST(suite, a_pool_with_clients_stays);
    CU_ADD_TEST(suite, a_minimum_is_kept_for_somebody_only);
    CU_ADD_TEST(suite, a_private_pool_has_one_server_and_goes_with_it);
    CU_ADD_TEST(suite, a_private_pool_draws_from_the_limits);
    CU_ADD_TEST(suite, nobody_loses_a_pool_in_random_schedules);
}
