/*
 * test_limits.c - pool_size, reserve, min_pool_size, max_db_connections, max_user_connections and the host's
 * budget, each alone and all at once: whatever happens, none is exceeded, and nobody starves.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/control.h"
#include "stage.h"

void suite_limits(void);

#define MAIN "server_idle_timeout = 600\nserver_lifetime = 86400\nquery_wait_timeout = 1000\n"

/* Servers of (DATABASE, USER); NULL: of any. */
static unsigned
servers_of(struct stage *st, const char *database, const char *user)
{
    unsigned count = 0;

    LIST_EACH(&st->servers, l) {
        const struct server *v = CONTAINER_OF(l, struct server, in_servers);
        const struct pool *pool = shard_pool(v->member.shard);

        count += !v->is_over && (database == NULL || strcmp(pool_database(pool), database) == 0) &&
                 (user == NULL || strcmp(pool_user(pool), user) == 0);
    }
    return count;
}

struct fixture {
    struct stage st;
    struct actor actors[4][6]; /* of (one, alice), (one, bob), (two, alice), (two, bob) */
};

static void
fixture_init(struct fixture *f, const char *ini)
{
    static const char *const names[4][2] = {
        { "one", "alice" }, { "one", "bob" }, { "two", "alice" }, { "two", "bob" }
    };

    stage_init(&f->st, 2, ini);
    stage_set_limit(&f->st, "h:1", 20);
    stage_set_limit(&f->st, "g:1", 20);
    for (unsigned p = 0; p < 4; p++)
        for (unsigned i = 0; i < 6; i++)
            actor_init(&f->actors[p][i], pool_shard(stage_pool_of(&f->st, names[p][0], names[p][1]), i % 2),
                       p * 6 + i);
    stage_settle(&f->st);
}

static void
fixture_fini(struct fixture *f)
{
    for (unsigned p = 0; p < 4; p++)
        for (unsigned i = 0; i < 6; i++)
            actor_leave(&f->actors[p][i]);
    stage_fini(&f->st);
}

static void
asks(struct fixture *f, unsigned pool, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        actor_ask(&f->actors[pool][i]);
    stage_all_dials_work(&f->st);
}

static unsigned
served(const struct fixture *f, unsigned pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 6; i++)
        count += f->actors[pool][i].state == CLIENT_SERVED;
    return count;
}

static void
gives(struct fixture *f, unsigned pool, unsigned count)
{
    for (unsigned i = 0; i < 6 && count > 0; i++)
        if (f->actors[pool][i].state == CLIENT_SERVED) {
            actor_give(&f->actors[pool][i]);
            count--;
        }
    stage_all_dials_work(&f->st);
}

#define HOSTS "[databases]\none = host=h port=1\ntwo = host=g port=1\n"

static void
a_databases_limit_holds_over_its_users(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "max_db_connections = 3\n" HOSTS);
    asks(&f, 0, 2);
    asks(&f, 1, 3);
    asks(&f, 2, 2); /* another database */
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 3);
    CU_ASSERT_EQUAL(servers_of(&f.st, "two", NULL), 2);
    CU_ASSERT_EQUAL(served(&f, 0), 2);
    CU_ASSERT_EQUAL(served(&f, 1), 1);
    gives(&f, 0, 2); /* evicted for those who wait */
    CU_ASSERT_EQUAL(served(&f, 1), 3);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 3);
    fixture_fini(&f);
}

static void
a_users_limit_holds_over_databases_and_hosts(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "[users]\nalice = max_user_connections=3\n" HOSTS);
    asks(&f, 0, 3);
    asks(&f, 2, 2);
    asks(&f, 3, 2); /* bob has none */
    CU_ASSERT_EQUAL(servers_of(&f.st, NULL, "alice"), 3);
    CU_ASSERT_EQUAL(served(&f, 2), 0);
    CU_ASSERT_EQUAL(served(&f, 3), 2);
    gives(&f, 0, 1); /* an idle server of one host makes room on the other */
    CU_ASSERT_EQUAL(served(&f, 2), 1);
    CU_ASSERT_EQUAL(servers_of(&f.st, NULL, "alice"), 3);
    gives(&f, 0, 1);
    CU_ASSERT_EQUAL(served(&f, 2), 2);
    fixture_fini(&f);
}

static void
the_pool_longest_without_work_is_evicted(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "max_user_connections = 3\n[databases]\none = host=h port=1\ntwo = host=h port=1\n"
                          "three = host=h port=1\n");
    asks(&f, 0, 1);
    gives(&f, 0, 1);
    stage_pass(&f.st, US_PER_S);
    asks(&f, 2, 2);
    gives(&f, 2, 2);
    actor_init(&f.actors[1][0], pool_shard(stage_pool_of(&f.st, "three", "alice"), 0), 99);
    asks(&f, 1, 1);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", "alice"), 0);
    CU_ASSERT_EQUAL(servers_of(&f.st, "two", "alice"), 2);
    CU_ASSERT_EQUAL(served(&f, 1), 1);
    CU_ASSERT_EQUAL(f.st.retired[RETIRE_BUDGET], 1);
    fixture_fini(&f);
}

static void
a_guarantee_does_not_keep_others_of_the_same_limit_out(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "max_db_connections = 3\nmin_pool_size = 3\n" HOSTS);
    asks(&f, 0, 1);
    gives(&f, 0, 1);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", "alice"), 3);
    asks(&f, 1, 1);
    CU_ASSERT_EQUAL(served(&f, 1), 1);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 3);
    fixture_fini(&f);
}

static void
guarantees_that_cannot_all_be_kept_starve_nobody(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "min_pool_size = 5\n" HOSTS);
    stage_set_limit(&f.st, "h:1", 5);
    asks(&f, 0, 1);
    gives(&f, 0, 1);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", "alice"), 5);
    asks(&f, 1, 1);
    CU_ASSERT_EQUAL(served(&f, 1), 1);
    fixture_fini(&f);
}

static void
a_reserve_is_drawn_from_after_its_time(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "default_pool_size = 1\nreserve_pool_size = 2\nreserve_pool_timeout = 3\n" HOSTS);
    asks(&f, 0, 4);
    CU_ASSERT_EQUAL(served(&f, 0), 1);
    stage_pass(&f.st, 2900 * US_PER_MS);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(served(&f, 0), 1);
    stage_pass(&f.st, 200 * US_PER_MS);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(served(&f, 0), 3);
    stage_pass(&f.st, 100 * US_PER_S);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(served(&f, 0), 3); /* the reserve is all there is */
    gives(&f, 0, 1);
    CU_ASSERT_EQUAL(served(&f, 0), 3);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 3);
    fixture_fini(&f);
}

static void
no_reserve_without_its_time(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "default_pool_size = 1\nreserve_pool_size = 2\nreserve_pool_timeout = 0\n" HOSTS);
    asks(&f, 0, 2);
    stage_pass(&f.st, 100 * US_PER_S);
    CU_ASSERT_EQUAL(f.st.dial_count, 0);
    CU_ASSERT_EQUAL(served(&f, 0), 1);
    fixture_fini(&f);
}

static void
a_reserve_does_not_widen_other_limits(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "default_pool_size = 1\nreserve_pool_size = 5\nreserve_pool_timeout = 1\n"
                          "max_db_connections = 2\n" HOSTS);
    asks(&f, 0, 4);
    stage_pass(&f.st, 5 * US_PER_S);
    stage_all_dials_work(&f.st);
    CU_ASSERT_EQUAL(served(&f, 0), 2);
    fixture_fini(&f);
}

static void
a_smaller_pool_closes_what_is_too_much(void)
{
    struct fixture f;

    fixture_init(&f, MAIN "default_pool_size = 5\n" HOSTS);
    asks(&f, 0, 5);
    gives(&f, 0, 2);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 5);
    stage_reload(&f.st, MAIN "default_pool_size = 2\n" HOSTS);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 3); /* idle ones at once */
    gives(&f, 0, 3);
    CU_ASSERT_EQUAL(servers_of(&f.st, "one", NULL), 2); /* busy ones as they come back */
    fixture_fini(&f);
}

static void
a_lower_limit_over_hosts_closes_what_is_too_much(void)
{
    struct fixture f;

    fixture_init(&f, MAIN HOSTS);
    asks(&f, 0, 4);
    asks(&f, 2, 4);
    gives(&f, 2, 4);
    stage_reload(&f.st, MAIN "max_user_connections = 2\n" HOSTS);
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(servers_of(&f.st, NULL, "alice"), 4);
    gives(&f, 0, 4);
    CU_ASSERT_EQUAL(servers_of(&f.st, NULL, "alice"), 2);
    fixture_fini(&f);
}

static void
a_view_names_the_limit_that_binds(void)
{
    struct fixture f;
    struct budget_view view;

    fixture_init(&f, MAIN "default_pool_size = 5\nmax_db_connections = 3\nmax_user_connections = 4\n" HOSTS);
    budget_look(pool_account(stage_pool_of(&f.st, "one", "alice")), &view);
    CU_ASSERT_PTR_NULL(view.bound);
    asks(&f, 0, 5);
    budget_look(pool_account(stage_pool_of(&f.st, "one", "alice")), &view);
    CU_ASSERT_STRING_EQUAL(view.bound, "max_db_connections");
    CU_ASSERT_EQUAL(view.bound_limit, 3);
    CU_ASSERT_EQUAL(view.bound_taken, 3);
    asks(&f, 2, 2);
    budget_look(pool_account(stage_pool_of(&f.st, "two", "alice")), &view);
    CU_ASSERT_STRING_EQUAL(view.bound, "max_user_connections");
    CU_ASSERT_EQUAL(view.bound_taken, 4);
    fixture_fini(&f);
}

/* --- all at once, anything may happen --- */

#define STEPS 4000
#define ACTORS 28
#define DB_LIMIT 4u
#define ALICE_LIMIT 5u
#define POOL_SIZE 2u
#define RESERVE 2u

static const char all_ini[] =
    "query_wait_timeout = 30\nserver_idle_timeout = 30\nserver_lifetime = 60\nserver_parallel_logins = 3\n"
    "server_login_retry = 2\ndefault_pool_size = 2\nreserve_pool_size = 2\nreserve_pool_timeout = 1\n"
    "max_db_connections = 4\nmin_pool_size = 1\n[users]\nalice = max_user_connections=5\n"
    "[databases]\none = host=h port=1\ntwo = host=g port=1\nthree = host=h port=1\n";

struct chaos {
    struct stage st;
    struct pool *pools[6];
    struct actor actors[ACTORS];
    uint64_t random;
};

static uint64_t
pick(struct chaos *c, uint64_t count)
{
    return random_between(&c->random, 0, count - 1);
}

static void
check_limits(struct stage *st)
{
    static const char *const databases[] = { "one", "two", "three" };

    CHECK(st, servers_of(st, NULL, "alice") <= ALICE_LIMIT);
    for (unsigned i = 0; i < COUNT_OF(databases); i++) {
        CHECK(st, servers_of(st, databases[i], NULL) <= DB_LIMIT);
        CHECK(st, servers_of(st, databases[i], "alice") <= POOL_SIZE + RESERVE);
        CHECK(st, servers_of(st, databases[i], "bob") <= POOL_SIZE + RESERVE);
    }
}

static struct server *
any_server(struct chaos *c, enum server_state state)
{
    unsigned skip = (unsigned)pick(c, 8);
    struct server *found = NULL;

    LIST_EACH(&c->st.servers, l) {
        struct server *v = CONTAINER_OF(l, struct server, in_servers);

        if (v->state == state) {
            found = v;
            if (skip-- == 0)
                break;
        }
    }
    return found;
}

static void
step(struct chaos *c)
{
    struct actor *a = &c->actors[pick(c, ACTORS)];
    struct server *v;

    switch (pick(c, 30)) {
    case 0:
        v = any_server(c, SERVER_OPEN);
        if (v != NULL && pick(c, 4) == 0)
            server_dies(v);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        v = any_server(c, SERVER_DIALED);
        if (v != NULL && pick(c, 8) > 0)
            server_dial_works(v);
        else if (v != NULL)
            server_dial_fails(v, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
        break;
    case 5:
    case 6:
        clock_advance_us(&c->st.clock, pick(c, pick(c, 40) == 0 ? 5 * US_PER_S : 200 * US_PER_MS));
        break;
    case 7:
        stage_set_limit(&c->st, pick(c, 2) == 0 ? "h:1" : "g:1", (unsigned)pick(c, 6) + 3);
        break;
    case 8:
        if (pick(c, 10) == 0)
            (void)pools_reconnect(c->st.pools, NULL);
        break;
    case 9:
        if (pick(c, 10) == 0)
            (void)pools_pause(c->st.pools, pick(c, 2) == 0 ? "one" : NULL, NULL);
        break;
    case 10:
        (void)pools_resume(c->st.pools, pick(c, 2) == 0 ? "one" : NULL);
        break;
    case 11:
        c->st.is_closing_slow = pick(c, 3) == 0;
        stage_end_closing(&c->st);
        break;
    case 12:
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
        loop_turn(c->st.loops[pick(c, c->st.worker_count)]);
        break;
    default:
        if (a->state == CLIENT_RESTING)
            actor_ask(a);
        else if (a->state == CLIENT_SERVED)
            actor_give(a);
        else if (pick(c, 20) == 0)
            actor_leave(a);
        break;
    }
}

/* From some point on everything works: everybody is served, and then again, for nobody keeps what others wait
 * for. */
static void
let_all_be_served(struct chaos *c)
{
    c->st.is_closing_slow = false;
    stage_end_closing(&c->st);
    (void)pools_resume(c->st.pools, NULL);
    (void)pools_resume(c->st.pools, "one");
    stage_set_limit(&c->st, "h:1", 3);
    stage_set_limit(&c->st, "g:1", 3);
    for (unsigned i = 0; i < ACTORS; i++)
        c->actors[i].granted = 0;
    for (unsigned rounds = 0; rounds < 3000; rounds++) {
        unsigned least = UINT32_MAX;

        stage_pass(&c->st, 10 * US_PER_MS);
        stage_dial_works(&c->st);
        for (unsigned i = 0; i < ACTORS; i++) {
            if (c->actors[i].state == CLIENT_SERVED && pick(c, 2) == 0)
                actor_give(&c->actors[i]);
            if (c->actors[i].state == CLIENT_RESTING)
                actor_ask(&c->actors[i]);
            if (c->actors[i].granted < least)
                least = c->actors[i].granted;
        }
        if (least >= 3)
            return;
    }
    stage_fails(&c->st, "somebody starves");
}

static void
run_chaos(unsigned worker_count, uint64_t seed)
{
    static const char *const names[3] = { "one", "two", "three" };
    struct chaos *c = mem_new(sizeof(*c));

    c->random = seed;
    stage_init(&c->st, worker_count, all_ini);
    c->st.on_dial = check_limits;
    for (unsigned i = 0; i < 6; i++)
        c->pools[i] = stage_pool_of(&c->st, names[i / 2], i % 2 == 0 ? "alice" : "bob");
    for (unsigned i = 0; i < ACTORS; i++)
        actor_init(&c->actors[i], pool_shard(c->pools[pick(c, 6)], (unsigned)pick(c, worker_count)), i);
    stage_set_limit(&c->st, "h:1", 6);
    stage_set_limit(&c->st, "g:1", 6);
    for (unsigned i = 0; i < STEPS && c->st.errors == 0; i++)
        step(c);
    let_all_be_served(c);
    for (unsigned i = 0; i < ACTORS; i++)
        actor_leave(&c->actors[i]);
    stage_settle(&c->st);
    if (c->st.errors > 0)
        fprintf(stderr, "\n    seed %llu, %u workers\n", (unsigned long long)seed, worker_count);
    stage_fini(&c->st);
    free(c);
}

static void
no_limit_is_exceeded_and_nobody_starves_in_random_schedules(void)
{
    for (uint64_t seed = 1; seed <= 24; seed++)
        run_chaos(1 + (unsigned)(seed % 4), seed);
}

void
suite_limits(void)
{
    CU_pSuite suite = CU_add_suite("limits", NULL, NULL);

    CU_ADD_TEST(suite, a_databases_limit_holds_over_its_users);
    CU_ADD_TEST(suite, a_users_limit_holds_over_databases_and_hosts);
    CU_ADD_TEST(suite, the_pool_longest_without_work_is_evicted);
    CU_ADD_TEST(suite, a_guarantee_does_not_keep_others_of_the_same_limit_out);
    CU_ADD_TEST(suite, guarantees_that_cannot_all_be_kept_starve_nobody);
    CU_ADD_TEST(suite, a_reserve_is_drawn_from_after_its_time);
    CU_ADD_TEST(suite, no_reserve_without_its_time);
    CU_ADD_TEST(suite, a_reserve_does_not_widen_other_limits);
    CU_ADD_TEST(suite, a_smaller_pool_closes_what_is_too_much);
    CU_ADD_TEST(suite, a_lower_limit_over_hosts_closes_what_is_too_much);
    CU_ADD_TEST(suite, a_view_names_the_limit_that_binds);
    CU_ADD_TEST(suite, no_limit_is_exceeded_and_nobody_starves_in_random_schedules);
}
