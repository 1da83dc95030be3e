/*
 * test_schedule.c - promises and fairness under random schedules. Loops turn one by one and in any order, so
 * that letters of several workers cross; the seed of a run that fails is printed.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/control.h"
#include "stage.h"

void suite_schedule(void);

/* --- anything may happen --- */

#define STEPS 6000
#define POOLS 3
#define ACTORS 24
#define HOST "h:1"

static const char ini[] =
    "query_wait_timeout = 20\nserver_idle_timeout = 30\nserver_lifetime = 60\nserver_parallel_logins = 3\n"
    "server_login_retry = 2\n[databases]\n"
    "one = host=h port=1 pool_size=5 min_pool_size=1\ntwo = host=h port=1\nthree = host=h port=1 pool_size=3\n";
static const char other_ini[] =
    "query_wait_timeout = 10\nserver_idle_timeout = 20\nserver_parallel_logins = 2\n[databases]\n"
    "one = host=h port=1 pool_size=2\ntwo = host=h port=1 dbname=else min_pool_size=2\n";

struct chaos {
    struct stage st;
    struct pool *pools[POOLS];
    struct actor actors[ACTORS];
    unsigned left; /* waiters that left by themselves */
    uint64_t random;
};

static uint64_t
pick(struct chaos *c, uint64_t count)
{
    return random_between(&c->random, 0, count - 1);
}

static struct server *
pick_server(struct chaos *c, enum server_state state)
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
end_some_dial(struct chaos *c)
{
    static const char *const states[] = { SQLSTATE_CANNOT_CONNECT, SQLSTATE_TOO_MANY_CONNECTIONS,
                                          SQLSTATE_INVALID_PASSWORD };
    struct server *v = pick_server(c, SERVER_DIALED);
    enum dial_failure failure = (enum dial_failure)pick(c, 3);

    if (v == NULL)
        return;
    if (pick(c, 4) > 0)
        server_dial_works(v);
    else
        server_dial_fails(v, failure, states[failure]);
}

static void
act(struct chaos *c, struct actor *a)
{
    switch (a->state) {
    case CLIENT_RESTING:
        if (pick(c, 8) == 0)
            actor_greet(a);
        else
            actor_ask(a);
        break;
    case CLIENT_WAITING:
        if (pick(c, 20) == 0) {
            actor_leave(a);
            c->left++;
        }
        break;
    case CLIENT_SERVED:
        actor_give(a);
        break;
    }
}

static void
step(struct chaos *c)
{
    struct server *v;

    switch (pick(c, 40)) {
    case 0:
        v = pick_server(c, SERVER_OPEN);
        if (v != NULL)
            server_dies(v);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        end_some_dial(c);
        break;
    case 6:
    case 7:
        clock_advance_us(&c->st.clock, pick(c, pick(c, 50) == 0 ? 10 * US_PER_S : 20 * US_PER_MS));
        break;
    case 8:
        if (pick(c, 10) == 0)
            stage_set_limit(&c->st, HOST, (unsigned)pick(c, 9) + 2);
        break;
    case 9:
        if (pick(c, 30) == 0)
            stage_reload(&c->st, pick(c, 2) == 0 ? ini : other_ini);
        break;
    case 10:
        if (pick(c, 30) == 0)
            pools_reconnect(c->st.pools, NULL);
        break;
    case 11:
        c->st.is_immovable = pick(c, 4) == 0;
        break;
    case 12:
        c->st.is_closing_slow = pick(c, 3) == 0;
        stage_end_closing(&c->st);
        break;
    case 13:
        pool_set_welcome(c->pools[pick(c, POOLS)], welcome_new(slice_of_text("S")));
        break;
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
        loop_turn(c->st.loops[pick(c, c->st.worker_count)]);
        break;
    default:
        act(c, &c->actors[pick(c, ACTORS)]);
        break;
    }
}

/* With all letters delivered, nobody waits for a server while one of his pool is idle. */
static void
check_at_rest(struct chaos *c)
{
    bool was_immovable = c->st.is_immovable;

    c->st.is_immovable = false;
    stage_pass(&c->st, 5 * US_PER_MS); /* what could not move is offered again by then */
    for (unsigned i = 0; i < POOLS; i++)
        CHECK(&c->st,
              pool_idle_count(&c->st, c->pools[i]) == 0 || pool_waiting_count(&c->st, c->pools[i]) == 0);
    c->st.is_immovable = was_immovable;
}

/* From some point on everything works: then everybody is served, in the end. */
static void
let_all_be_served(struct chaos *c)
{
    c->st.is_immovable = c->st.is_closing_slow = false;
    stage_end_closing(&c->st);
    stage_set_limit(&c->st, HOST, 4);
    stage_reload(&c->st, ini);
    for (unsigned i = 0; i < POOLS; i++)
        pool_set_welcome(c->pools[i], welcome_new(slice_of_text("S")));
    for (unsigned rounds = 0; rounds < 2000; rounds++) {
        bool is_anybody_waiting = false;

        stage_pass(&c->st, 5 * US_PER_MS);
        stage_dial_works(&c->st);
        for (unsigned i = 0; i < ACTORS; i++) {
            is_anybody_waiting |= c->actors[i].state == CLIENT_WAITING;
            if (c->actors[i].state == CLIENT_SERVED && pick(c, 2) == 0)
                actor_give(&c->actors[i]);
        }
        if (!is_anybody_waiting)
            return;
    }
    stage_fails(&c->st, "somebody waits for ever");
}

static void
run_chaos(unsigned worker_count, uint64_t seed)
{
    static const char *const names[POOLS] = { "one", "two", "three" };
    struct chaos *c = mem_new(sizeof(*c));
    unsigned asked = 0, answered = 0, waiting = 0;

    c->random = seed;
    stage_init(&c->st, worker_count, ini);
    for (unsigned i = 0; i < POOLS; i++)
        c->pools[i] = stage_pool(&c->st, names[i]);
    for (unsigned i = 0; i < ACTORS; i++)
        actor_init(&c->actors[i], pool_shard(c->pools[pick(c, POOLS)], (unsigned)pick(c, worker_count)), i);
    for (unsigned i = 0; i < STEPS && c->st.errors == 0; i++) {
        if (i == STEPS / 20)
            stage_set_limit(&c->st, HOST, 6); /* it was not known before */
        step(c);
        if (i % 50 == 0)
            check_at_rest(c);
    }
    let_all_be_served(c);
    for (unsigned i = 0; i < ACTORS; i++) {
        struct actor *a = &c->actors[i];

        asked += a->asked;
        answered += a->granted + a->welcomed + a->timed_out + a->refused;
        waiting += a->state == CLIENT_WAITING;
    }
    CHECK(&c->st, asked == answered + waiting + c->left); /* each is answered exactly once */
    for (unsigned i = 0; i < ACTORS; i++)
        actor_leave(&c->actors[i]);
    stage_settle(&c->st);
    if (c->st.errors > 0)
        fprintf(stderr, "\n    seed %llu, %u workers\n", (unsigned long long)seed, worker_count);
    stage_fini(&c->st);
    free(c);
}

static void
promises_hold_in_random_schedules_of_one_worker(void)
{
    for (uint64_t seed = 1; seed <= 15; seed++)
        run_chaos(1, seed);
}

static void
promises_hold_in_random_schedules_of_several_workers(void)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        run_chaos(2 + (unsigned)(seed % 3), seed);
}

/* --- fairness --- */

#define TICK_US 20
#define CROWD 160

struct crowd {
    struct stage st;
    struct actor actors[CROWD];
    uint64_t until_us[CROWD]; /* when the one that is served gives */
    unsigned count;
    uint64_t random;
};

/* Everybody asks again as soon as he has given; a transaction takes LEAST to MOST. */
static void
crowd_run(struct crowd *c, uint64_t us, uint64_t least_us, uint64_t most_us)
{
    uint64_t end_us = clock_now_us(&c->st.clock) + us;

    while (clock_now_us(&c->st.clock) < end_us) {
        uint64_t now_us = clock_now_us(&c->st.clock);
        unsigned first = (unsigned)random_between(&c->random, 0, c->count - 1);

        for (unsigned n = 0; n < c->count; n++) {
            unsigned i = (first + n) % c->count;
            struct actor *a = &c->actors[i];

            if (a->state == CLIENT_SERVED && c->until_us[i] == 0)
                c->until_us[i] = now_us + random_between(&c->random, least_us, most_us);
            if (a->state == CLIENT_SERVED && now_us >= c->until_us[i]) {
                c->until_us[i] = 0;
                actor_give(a);
            }
            if (a->state == CLIENT_RESTING)
                actor_ask(a);
        }
        while (stage_dial_works(&c->st))
            ;
        for (unsigned w = 0; w < c->st.worker_count;
             w++) /* a letter takes a tick, or two when its worker is busy */
            if (random_between(&c->random, 0, 1) == 0)
                loop_turn(c->st.loops[w]);
        clock_advance_us(&c->st.clock, TICK_US);
    }
}

static void
crowd_forget(struct crowd *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        c->actors[i].granted = 0;
        c->actors[i].waited_us = c->actors[i].longest_us = 0;
    }
}

struct waits {
    uint64_t mean_us;
    uint64_t longest_us;
};

static struct waits
crowd_waits(const struct crowd *c, unsigned from, unsigned to)
{
    struct waits w = { 0, 0 };
    uint64_t granted = 0;

    for (unsigned i = from; i < to; i++) {
        w.mean_us += c->actors[i].waited_us;
        granted += c->actors[i].granted;
        if (c->actors[i].longest_us > w.longest_us)
            w.longest_us = c->actors[i].longest_us;
        CU_ASSERT_TRUE(c->actors[i].granted > 0);
    }
    w.mean_us /= granted > 0 ? granted : 1;
    return w;
}

static void
crowd_fini(struct crowd *c)
{
    for (unsigned i = 0; i < c->count; i++)
        actor_leave(&c->actors[i]);
    stage_fini(&c->st);
    free(c);
}

static void
the_longest_wait_stays_within_twice_the_mean(void)
{
    /* How the clients are dealt out to four workers, per cent. */
    static const unsigned shares[][4] = {
        { 25, 25, 25, 25 }, { 85, 5, 5, 5 }, { 40, 30, 20, 10 }, { 49, 49, 1, 1 }, { 97, 1, 1, 1 }
    };

    for (unsigned n = 0; n < COUNT_OF(shares); n++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct crowd *c = mem_new(sizeof(*c));
            struct waits w;
            unsigned worker = 0;

            c->random = seed;
            c->count = 100;
            stage_init(&c->st, 4, "query_wait_timeout = 0\n");
            stage_set_limit(&c->st, HOST, 10);
            for (unsigned i = 0, dealt = 0; i < c->count; i++, dealt++) {
                while (dealt == shares[n][worker]) {
                    worker++;
                    dealt = 0;
                }
                actor_init(&c->actors[i], pool_shard(stage_pool(&c->st, "app"), worker), i);
            }
            crowd_run(c, 100 * US_PER_MS, 200, 2000);
            crowd_forget(c);
            crowd_run(c, 500 * US_PER_MS, 200, 2000);
            w = crowd_waits(c, 0, c->count);
            if (w.longest_us > 2 * w.mean_us)
                fprintf(stderr, "\n    seed %u, shares %u: mean %u us, longest %u us", (unsigned)seed, n,
                        (unsigned)w.mean_us, (unsigned)w.longest_us);
            CU_ASSERT_TRUE(w.longest_us <= 2 * w.mean_us);
            CU_ASSERT_TRUE(w.mean_us < 12 * US_PER_MS); /* 100 clients, 10 servers, 1.1 ms each */
            crowd_fini(c);
        }
    }
}

static void
two_busy_pools_wait_alike(void)
{
    struct crowd *c = mem_new(sizeof(*c));
    struct waits big, small;

    c->random = 7;
    c->count = 110;
    stage_init(&c->st, 2, "query_wait_timeout = 0\n");
    stage_set_limit(&c->st, HOST, 8);
    for (unsigned i = 0; i < c->count; i++)
        actor_init(&c->actors[i], pool_shard(stage_pool(&c->st, i < 100 ? "big" : "small"), i % 2), i);
    crowd_run(c, 2 * US_PER_S, 10000, 40000);
    crowd_forget(c);
    crowd_run(c, 10 * US_PER_S, 10000, 40000);
    big = crowd_waits(c, 0, 100);
    small = crowd_waits(c, 100, 110);
    CU_ASSERT_TRUE(small.longest_us < 2 * big.mean_us);
    CU_ASSERT_TRUE(big.longest_us < 2 * big.mean_us);
    if (small.longest_us >= 2 * big.mean_us || big.longest_us >= 2 * big.mean_us)
        fprintf(stderr, "\n    big: mean %u longest %u, small: mean %u longest %u, dials %u",
                (unsigned)big.mean_us, (unsigned)big.longest_us, (unsigned)small.mean_us,
                (unsigned)small.longest_us, c->st.dials_begun);
    CU_ASSERT_TRUE(c->st.dials_begun < 200); /* without closing and opening all the time */
    crowd_fini(c);
}

void
suite_schedule(void)
{
    CU_pSuite suite = CU_add_suite("schedule", NULL, NULL);

    CU_ADD_TEST(suite, promises_hold_in_random_schedules_of_one_worker);
    CU_ADD_TEST(suite, promises_hold_in_random_schedules_of_several_workers);
    CU_ADD_TEST(suite, the_longest_wait_stays_within_twice_the_mean);
    CU_ADD_TEST(suite, two_busy_pools_wait_alike);
}
