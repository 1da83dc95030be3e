/*
 * reaper.c - pools that nobody uses are freed: those of `*` databases after autodb_idle_timeout, all after
 * pool_idle_timeout, private ones and those of databases that have left the configuration at once.
 *
 *     used --last client or member gone--> in p->unused --time over--> out of by_name, gate closed
 *            (pool_leave(), pool_exit())       |                         \--three rounds--> freed
 *                                              \--pools_get()--> used
 *
 *     Once a pool is out of by_name with its gate closed, without clients and members, nobody can come to it
 *     any more; but workers may be in the middle of something that touches it, and bells may be on their way.
 *     So a letter goes round through all workers and comes back: in the first round each stops its shard, and
 *     what was begun before has ended; what that has posted was posted before the letter came by again, so it
 *     has arrived when the letter has gone round twice more.
 *
 *     Whoever calls pool_leave() or pool_exit() may go on touching the pool until its loop takes the next
 *     letter, and not longer.
 */
#include <assert.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"
#include "shard_impl.h"

#define ROUNDS 3u
#define LOOK_AGAIN_US (15 * US_PER_S)
#define LOOK_LEAST_US (50 * US_PER_MS)

struct funeral {
    struct letter letter;
    struct pools *pools; /* NULL: all pools are gone; main thread */
    struct loop *home;
    unsigned worker, round; /* where it travels to; worker_count: home */
    struct list dead;       /* pool.in_unused */
};

/* --- becoming unused --- */

static bool
pool_is_unused(struct pool *pool)
{
    bool is_unused;

    pthread_mutex_lock(&pool->_shared.lock);
    is_unused = atomic_load(&pool->client_count) == 0 &&
                pool->_shared.fresh_count + pool->_shared.stale_count == 0;
    pthread_mutex_unlock(&pool->_shared.lock);
    return is_unused;
}

void
pool_may_be_unused(struct pool *pool, uint64_t now_us)
{
    struct pools *p = pool->pools;

    if (p->attendant == NULL)
        return;
    pthread_mutex_lock(&p->_shared.lock);
    if (!pool->is_dead && !link_is_in(&pool->in_unused) && pool_is_unused(pool)) {
        pool->unused_us = now_us;
        list_push_last(&p->_shared.unused, &pool->in_unused);
        pools_ring(p);
    }
    pthread_mutex_unlock(&p->_shared.lock);
}

void
pool_leave(struct pool *pool, uint64_t now_us)
{
    if (atomic_fetch_sub(&pool->client_count, 1) == 1)
        pool_may_be_unused(pool, now_us);
}

/* --- the end of a pool --- */

static void on_round(struct letter *letter, void *recipient);

static void
send_on(struct funeral *f)
{
    f->letter.on_arrival = on_round;
    shard_post(f->worker < f->pools->worker_count ? f->pools->loops[f->worker] : f->home, &f->letter);
}

static void
bury(struct funeral *f)
{
    struct link *l;

    while ((l = list_first(&f->dead)) != NULL) {
        link_remove(l);
        pool_free(CONTAINER_OF(l, struct pool, in_unused));
    }
}

static void
on_round(struct letter *letter, void *recipient)
{
    struct funeral *f = CONTAINER_OF(letter, struct funeral, letter);

    (void)recipient;
    if (f->pools == NULL || f->worker == f->pools->worker_count) {
        if (f->pools != NULL) {
            f->pools->funeral = NULL;
            bury(f);
            pools_ring(f->pools); /* there may be more */
        }
        free(f);
        return;
    }
    LIST_EACH(&f->dead, l) {
        struct shard *s = pool_shard_if_any(CONTAINER_OF(l, struct pool, in_unused), f->worker);

        if (s != NULL)
            shard_stop(s);
    }
    if (++f->worker == f->pools->worker_count && ++f->round < ROUNDS)
        f->worker = 0;
    send_on(f);
}

/* How long POOL stays without use; TIMERS_NEVER: for ever. */
static uint64_t
patience_us(const struct pool *pool)
{
    const struct route *r = pool->_shared.route; /* only the main thread writes it */
    uint64_t any_us = r->settings->pool_idle_timeout_us;
    uint64_t auto_us = r->is_autodb ? r->settings->autodb_idle_timeout_us : 0;

    if (pool->is_private || pool->_shared.is_gone)
        return 0;
    if (any_us == 0 || (auto_us != 0 && auto_us < any_us))
        any_us = auto_us;
    return any_us == 0 ? TIMERS_NEVER : any_us;
}

/* Whether nobody has come back meanwhile; then nobody will. */
static bool
pool_try_die_locked(struct pool *pool)
{
    bool is_unused;

    pthread_mutex_lock(&pool->_shared.lock);
    is_unused = atomic_load(&pool->client_count) == 0 &&
                pool->_shared.fresh_count + pool->_shared.stale_count == 0;
    if (is_unused) {
        pool->is_dead = true;
        atomic_store(&pool->is_paused, true); /* the gate */
    }
    pthread_mutex_unlock(&pool->_shared.lock);
    return is_unused;
}

void
pools_reap(struct pools *p)
{
    uint64_t now_us = loop_now_us(p->attendant_loop);
    uint64_t next_us = TIMERS_NEVER;
    struct funeral *f;

    if (p->funeral != NULL)
        return;
    f = mem_new(sizeof(*f));
    list_init(&f->dead);
    pthread_mutex_lock(&p->_shared.lock);
    LIST_EACH(&p->_shared.unused, l) {
        struct pool *pool = CONTAINER_OF(l, struct pool, in_unused);
        uint64_t patience = patience_us(pool);
        uint64_t due_us = patience == TIMERS_NEVER ? TIMERS_NEVER : pool->unused_us + patience;

        if (due_us > now_us) {
            if (due_us < next_us)
                next_us = due_us;
            continue;
        }
        link_remove(l);
        if (!pool_try_die_locked(pool))
            continue;
        map_remove(&p->_shared.by_name, &pool->in_pools);
        list_push_last(&f->dead, l);
    }
    pthread_mutex_unlock(&p->_shared.lock);
    if (next_us != TIMERS_NEVER) {
        uint64_t delay_us = next_us - now_us < LOOK_AGAIN_US ? next_us - now_us : LOOK_AGAIN_US;

        loop_arm(p->attendant_loop, &p->reap_timer, delay_us > LOOK_LEAST_US ? delay_us : LOOK_LEAST_US);
    }
    if (list_is_empty(&f->dead)) {
        free(f);
        return;
    }
    f->pools = p;
    f->home = p->attendant_loop;
    p->funeral = f;
    send_on(f);
}

void
on_reap_due(struct timer *timer)
{
    pools_reap(CONTAINER_OF(timer, struct pools, reap_timer));
}

void
reaper_fini(struct pools *p)
{
    timer_cancel(&p->reap_timer);
    if (p->funeral == NULL)
        return;
    bury(p->funeral);
    p->funeral->pools = NULL; /* its letter comes home, if anywhere */
    p->funeral = NULL;
}
