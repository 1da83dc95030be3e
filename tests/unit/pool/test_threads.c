/*
 * test_threads.c - four workers in four threads, with real loops and the real clock: what the schedules of
 * test_schedule.c cannot show is whether the threads may touch what they touch. Meant for the thread
 * sanitizer.
 */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/control.h"
#include "stage.h"

void suite_threads(void);

#define WORKERS 4
#define CLIENTS 24 /* per worker and pool */
#define POOLS 2
#define ROUNDS 2000
#define LIMIT 8
#define PATIENCE_S 120

struct worker {
    struct loop *loop;
    pthread_t thread;
    unsigned index;
    uint64_t random; /* its own thread's */
    struct shard *shards[POOLS];
    struct client {
        struct waiter waiter;
        struct worker *worker;
        struct shard *shard;
        struct conn *conn;
        struct letter next; /* to our own loop: time passes in turns, because real timers are coarse */
        unsigned turns;     /* until something is done */
        unsigned rounds;
    } clients[POOLS * CLIENTS];
    struct letter start, close;
};

struct conn {
    struct member member;
    struct letter dialed; /* to our own loop */
};

static struct play {
    struct clock clock;
    struct pools *pools;
    struct worker workers[WORKERS];
    _Atomic int open; /* servers that exist */
    _Atomic int most_open;
    _Atomic unsigned done; /* clients that have made their rounds */
    _Atomic unsigned moved, refused;
} play;

static struct worker *
worker_of(struct shard *s)
{
    return shard_owner(s);
}

static void
conn_free(struct conn *v)
{
    free(v);
}

static void
on_dialed(struct letter *letter, void *recipient)
{
    struct conn *v = CONTAINER_OF(letter, struct conn, dialed);
    struct worker *w = recipient;

    if (random_between(&w->random, 0, 199) == 0) {
        atomic_fetch_sub(&play.open, 1);
        shard_dial_failed(&v->member, DIAL_UNREACHABLE, NULL);
        conn_free(v);
    } else {
        shard_adopt(&v->member);
    }
}

static void
on_dial(struct shard *s)
{
    struct worker *w = worker_of(s);
    struct conn *v = mem_new(sizeof(*v));
    int open = atomic_fetch_add(&play.open, 1) + 1;
    int most = atomic_load(&play.most_open);

    while (open > most && !atomic_compare_exchange_weak(&play.most_open, &most, open))
        ;
    member_init(&v->member, s);
    v->dialed.on_arrival = on_dialed;
    if (!loop_post(w->loop, &v->dialed))
        abort();
}

static void
on_retire(struct member *m, enum retire_reason reason)
{
    (void)reason;
    atomic_fetch_sub(&play.open, 1);
    shard_lost(m);
    conn_free(CONTAINER_OF(m, struct conn, member));
}

static void
go_on_later(struct client *c, unsigned most_turns)
{
    c->turns = (unsigned)random_between(&c->worker->random, 0, most_turns);
    if (!loop_post(c->worker->loop, &c->next))
        abort();
}

static void
serve(struct client *c, struct member *m)
{
    c->conn = CONTAINER_OF(m, struct conn, member);
    go_on_later(c, 3);
}

static void
ask(struct client *c)
{
    struct member *m = shard_take(c->shard, &c->waiter);

    if (m != NULL)
        serve(c, m);
}

static void
on_next(struct letter *letter, void *recipient)
{
    struct client *c = CONTAINER_OF(letter, struct client, next);
    struct conn *v = c->conn;

    (void)recipient;
    if (c->turns > 0) {
        c->turns--;
        if (!loop_post(c->worker->loop, &c->next))
            abort();
        return;
    }
    if (v != NULL) {
        c->conn = NULL;
        if (random_between(&c->worker->random, 0, 999) == 0) {
            atomic_fetch_sub(&play.open, 1);
            shard_lost(&v->member);
            conn_free(v);
        } else {
            shard_give(&v->member);
        }
        if (++c->rounds == ROUNDS) {
            atomic_fetch_add(&play.done, 1);
            return;
        }
    }
    if (random_between(&c->worker->random, 0, 2) == 0)
        go_on_later(c, 20);
    else
        ask(c);
}

static void
on_grant(struct waiter *w, struct member *m)
{
    serve(CONTAINER_OF(w, struct client, waiter), m);
}

static void
on_welcome(struct waiter *w)
{
    (void)w;
}

static void
on_refuse(struct waiter *w, enum refusal refusal, const struct pg_error *why)
{
    (void)w;
    (void)refusal;
    (void)why;
    atomic_fetch_add(&play.refused, 1);
}

static bool
may_move(struct member *m)
{
    return random_between(&worker_of(m->shard)->random, 0, 9) > 0;
}

static void
leave(struct member *m)
{
    (void)m;
    atomic_fetch_add(&play.moved, 1);
}

static void
join(struct member *m)
{
    (void)m;
}

static void
on_start(struct letter *letter, void *recipient)
{
    struct worker *w = recipient;

    (void)letter;
    for (unsigned i = 0; i < COUNT_OF(w->clients); i++)
        ask(&w->clients[i]);
}

static void
on_close(struct letter *letter, void *recipient)
{
    struct worker *w = recipient;

    (void)letter;
    for (unsigned i = 0; i < POOLS; i++)
        shard_close_down(w->shards[i]);
}

static void *
worker_run(void *arg)
{
    struct worker *w = arg;

    loop_run(w->loop);
    return NULL;
}

static bool
waits_for_zero(_Atomic int *what)
{
    for (unsigned ms = 0; ms < PATIENCE_S * 1000; ms++) {
        if (atomic_load(what) == 0)
            return true;
        usleep(1000);
    }
    return false;
}

static void
play_init(const struct settings *settings, struct pool **pools)
{
    static const struct pool_handler handler = {
        .dial = on_dial,
        .on_grant = on_grant,
        .on_welcome = on_welcome,
        .on_refuse = on_refuse,
        .on_retire = on_retire,
        .may_move = may_move,
        .leave = leave,
        .join = join,
    };
    static const char *const names[POOLS] = { "one", "two" };
    struct loop *loops[WORKERS];
    void *owners[WORKERS];
    struct error why;

    play.clock = clock_real();
    for (unsigned i = 0; i < WORKERS; i++) {
        play.workers[i].index = i;
        play.workers[i].random = i + 1;
        owners[i] = &play.workers[i];
        loops[i] = play.workers[i].loop = loop_new(&play.clock, owners[i], &why);
        CU_ASSERT_PTR_NOT_NULL_FATAL(loops[i]);
    }
    play.pools = pools_new(&handler, loops, owners, WORKERS);
    for (unsigned n = 0; n < POOLS; n++) {
        struct route *r = settings_route(settings, names[n], "app_user");

        pools[n] = pools_get(play.pools, r);
        route_drop(r);
        for (unsigned i = 0; i < WORKERS; i++) {
            struct worker *w = &play.workers[i];

            w->shards[n] = pool_shard(pools[n], i);
            for (unsigned k = 0; k < CLIENTS; k++) {
                struct client *c = &w->clients[n * CLIENTS + k];

                *c = (struct client){ .worker = w, .shard = w->shards[n] };
                waiter_init(&c->waiter);
                c->next.on_arrival = on_next;
            }
        }
    }
    budget_set_limit(pool_account(pools[0])->host, LIMIT, "test");
}

static void
four_workers_share_two_pools_and_every_client_makes_its_rounds(void)
{
    const struct settings *settings = settings_of("query_wait_timeout = 0\nserver_login_retry = 0\n");
    struct pool *pools[POOLS];
    unsigned turns = 0;

    play = (struct play){ .open = 0 };
    play_init(settings, pools);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *w = &play.workers[i];

        CU_ASSERT_EQUAL_FATAL(pthread_create(&w->thread, NULL, worker_run, w), 0);
        w->start.on_arrival = on_start;
        CU_ASSERT_TRUE(loop_post(w->loop, &w->start));
    }
    for (; atomic_load(&play.done) < WORKERS * POOLS * CLIENTS && turns < PATIENCE_S * 200; turns++) {
        usleep(5000);
        if (turns % 7 == 0)
            budget_set_limit(pool_account(pools[0])->host, LIMIT - turns % 3, "test");
        if (turns % 20 == 0)
            pools_reconnect(play.pools, NULL);
        if (turns % 30 == 0)
            pools_reload(play.pools, settings);
    }
    CU_ASSERT_EQUAL(atomic_load(&play.done), WORKERS * POOLS * CLIENTS);
    for (unsigned i = 0; i < WORKERS; i++) {
        play.workers[i].close.on_arrival = on_close;
        CU_ASSERT_TRUE(loop_post(play.workers[i].loop, &play.workers[i].close));
    }
    CU_ASSERT_TRUE(waits_for_zero(&play.open));
    for (unsigned i = 0; i < WORKERS; i++) {
        loop_stop(play.workers[i].loop);
        pthread_join(play.workers[i].thread, NULL);
    }
    for (bool is_busy = true; is_busy;) {
        is_busy = false;
        for (unsigned i = 0; i < WORKERS; i++)
            is_busy |= loop_turn(play.workers[i].loop);
    }
    CU_ASSERT_TRUE(atomic_load(&play.most_open) <= LIMIT);
    CU_ASSERT_TRUE(atomic_load(&play.moved) > 0);
    CU_ASSERT_EQUAL(atomic_load(&play.refused), 0);
    for (unsigned i = 0; i < POOLS; i++)
        CU_ASSERT_EQUAL(account_taken(pools[i]), 0);
    pools_free(play.pools);
    for (unsigned i = 0; i < WORKERS; i++)
        loop_free(play.workers[i].loop);
    settings_drop(settings);
}

void
suite_threads(void)
{
    CU_pSuite suite = CU_add_suite("threads", NULL, NULL);

    CU_ADD_TEST(suite, four_workers_share_two_pools_and_every_client_makes_its_rounds);
}
