/*
 * control.c - what administrators do to pools; see control.h.
 *
 *     A pause makes all servers of a pool stale, so that they go the way of stale ones: idle ones at once,
 *     busy ones when they come back. And it closes the gate that every dial passes, pool_enter(), under the
 *     pool's lock: once that is done and the count of members is 0, no server exists and none will.
 *
 *     A member that has gone rings the bell of whoever waits, at most once per turn of the main loop, and
 *     only while somebody waits.
 *
 *     Locks: pools' for the names, then pool's for its gate.
 */
#include "pgweir/pool/control.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "shard_impl.h"

/* What was done to one database by its name; stays when it is all undone, for there are few. */
struct control {
    struct map_node in_controls;
    char *database;
    bool is_paused;
    bool is_disabled;
};

/* The main loop's side. Outlives the pools while its letter travels. */
struct attendant {
    struct letter bell;
    _Atomic bool is_rung; /* the letter is on its way */
    struct pools *pools;  /* NULL: gone; main thread */
    struct loop *loop;
};

/* --- names --- */

static bool
control_has_name(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct control, in_controls)->database, key) == 0;
}

static struct control *
control_if_any_locked(struct pools *p, const char *database)
{
    struct map_node *node = map_find(&p->_shared.controls, map_hash(slice_of_text(database)),
                                     control_has_name, database);

    return node == NULL ? NULL : CONTAINER_OF(node, struct control, in_controls);
}

static struct control *
control_of_locked(struct pools *p, const char *database)
{
    struct control *c = control_if_any_locked(p, database);

    if (c != NULL)
        return c;
    c = mem_new(sizeof(*c));
    c->database = mem_text(database);
    map_add(&p->_shared.controls, &c->in_controls, map_hash(slice_of_text(database)));
    atomic_store_explicit(&p->has_controls, true, memory_order_release);
    return c;
}

void
controls_fini(struct pools *p)
{
    struct map_node *node;

    while ((node = map_take_any(&p->_shared.controls)) != NULL) {
        struct control *c = CONTAINER_OF(node, struct control, in_controls);

        free(c->database);
        free(c);
    }
    map_fini(&p->_shared.controls);
}

static bool
is_known_locked(const struct pools *p, const char *database)
{
    struct route *r = p->_shared.settings == NULL ? NULL : settings_route(p->_shared.settings, database, "");

    route_drop(r);
    return r != NULL;
}

bool
pools_pauses_locked(struct pools *p, const char *database)
{
    const struct control *c = control_if_any_locked(p, database);

    return p->_shared.is_all_paused || (c != NULL && c->is_paused);
}

bool
pools_is_paused(struct pools *p, const char *database)
{
    bool is_paused;

    pthread_mutex_lock(&p->_shared.lock);
    is_paused = database == NULL ? p->_shared.is_all_paused : pools_pauses_locked(p, database);
    pthread_mutex_unlock(&p->_shared.lock);
    return is_paused;
}

bool
pools_is_any_paused(struct pools *p)
{
    const struct map *all = &p->_shared.controls;
    bool is_paused;

    pthread_mutex_lock(&p->_shared.lock);
    is_paused = p->_shared.is_all_paused;
    for (struct map_node *node = map_next(all, NULL); node != NULL; node = map_next(all, node))
        is_paused |= CONTAINER_OF(node, struct control, in_controls)->is_paused;
    pthread_mutex_unlock(&p->_shared.lock);
    return is_paused;
}

bool
pools_is_disabled(struct pools *p, const char *database)
{
    const struct control *c;
    bool is_disabled;

    if (!atomic_load_explicit(&p->has_controls, memory_order_acquire))
        return false;
    pthread_mutex_lock(&p->_shared.lock);
    c = control_if_any_locked(p, database);
    is_disabled = c != NULL && c->is_disabled;
    pthread_mutex_unlock(&p->_shared.lock);
    return is_disabled;
}

/* --- the gate of a pool --- */

bool
pool_enter(struct pool *pool, unsigned generation)
{
    bool is_open;

    pthread_mutex_lock(&pool->_shared.lock);
    is_open = !atomic_load_explicit(&pool->is_paused, memory_order_relaxed);
    if (is_open)
        pool_count_locked(pool, generation)[0]++;
    pthread_mutex_unlock(&pool->_shared.lock);
    return is_open;
}

void
pool_exit(struct pool *pool, unsigned generation, uint64_t now_us)
{
    bool is_last;

    pthread_mutex_lock(&pool->_shared.lock);
    assert(*pool_count_locked(pool, generation) > 0);
    pool_count_locked(pool, generation)[0]--;
    is_last = pool->_shared.fresh_count + pool->_shared.stale_count == 0;
    pthread_mutex_unlock(&pool->_shared.lock);
    if (is_last && atomic_load(&pool->client_count) == 0)
        pool_may_be_unused(pool, now_us);
    if (UNLIKELY(atomic_load(&pool->pools->wait_count) > 0))
        pools_ring(pool->pools);
}

void
pool_age_locked(struct pool *pool)
{
    pool->_shared.generation++;
    atomic_store(&pool->approval_key, atomic_fetch_add(&pool->pools->last_approval_key, 1) + 1);
    pool->_shared.stale_count += pool->_shared.fresh_count;
    pool->_shared.fresh_count = 0;
}

/* --- doing it to pools --- */

static void
pool_reconnect(struct pool *pool)
{
    pthread_mutex_lock(&pool->_shared.lock);
    pool_age_locked(pool);
    pthread_mutex_unlock(&pool->_shared.lock);
    trouble_is_over(pool);
    pool_ring_all(pool, NULL, CALL_ROUTE);
}

/* Brings the pool's gate to what the names say. */
static void
pool_follow_pause(struct pool *pool)
{
    bool is_paused = pools_pauses_locked(pool->pools, pool->database);

    pthread_mutex_lock(&pool->_shared.lock);
    if (is_paused == atomic_load_explicit(&pool->is_paused, memory_order_relaxed)) {
        pthread_mutex_unlock(&pool->_shared.lock);
        return;
    }
    atomic_store_explicit(&pool->is_paused, is_paused, memory_order_release);
    if (is_paused)
        pool_age_locked(pool);
    pthread_mutex_unlock(&pool->_shared.lock);
    trouble_is_over(pool); /* whoever pauses changes something */
    pool_ring_all(pool, NULL, CALL_ROUTE);
}

static void
each_pool_locked(struct pools *p, const char *database, void (*each)(struct pool *pool))
{
    for (struct map_node *node = map_next(&p->_shared.by_name, NULL); node != NULL;
         node = map_next(&p->_shared.by_name, node)) {
        struct pool *pool = CONTAINER_OF(node, struct pool, in_pools);

        if (database == NULL || strcmp(pool->database, database) == 0)
            each(pool);
    }
}

/* --- waits; main thread --- */

void
pools_ring(struct pools *p)
{
    struct attendant *a = p->attendant;

    if (a != NULL && !atomic_exchange(&a->is_rung, true))
        shard_post(a->loop, &a->bell);
}

static void
wait_begin(struct pools *p, struct pools_wait *wait, const char *database, bool is_for_stale)
{
    if (wait == NULL)
        return;
    assert(p->attendant != NULL);
    wait->database = database;
    wait->is_for_stale = is_for_stale;
    link_init(&wait->in_waits);
    list_push_last(&p->waits, &wait->in_waits);
    atomic_fetch_add(&p->wait_count, 1);
    pools_ring(p);
}

void
pools_wait_cancel(struct pools_wait *wait)
{
    if (link_is_in(&wait->in_waits))
        link_remove(&wait->in_waits);
}

static bool
wait_is_over_locked(struct pools *p, const struct pools_wait *wait)
{
    for (struct map_node *node = map_next(&p->_shared.by_name, NULL); node != NULL;
         node = map_next(&p->_shared.by_name, node)) {
        struct pool *pool = CONTAINER_OF(node, struct pool, in_pools);
        unsigned left;

        if (wait->database != NULL && strcmp(pool->database, wait->database) != 0)
            continue;
        pthread_mutex_lock(&pool->_shared.lock);
        left = pool->_shared.stale_count + (wait->is_for_stale ? 0 : pool->_shared.fresh_count);
        pthread_mutex_unlock(&pool->_shared.lock);
        if (left > 0)
            return false;
    }
    return true;
}

static void
answer_waits(struct pools *p)
{
    struct list over;
    struct link *l;
    unsigned left = 0;

    list_init(&over);
    pthread_mutex_lock(&p->_shared.lock);
    l = list_first(&p->waits);
    while (l != NULL) {
        struct link *next = l->next == &p->waits.head ? NULL : l->next;

        if (wait_is_over_locked(p, CONTAINER_OF(l, struct pools_wait, in_waits))) {
            link_remove(l);
            list_push_last(&over, l);
        } else {
            left++;
        }
        l = next;
    }
    atomic_store(&p->wait_count, left);
    pthread_mutex_unlock(&p->_shared.lock);
    while ((l = list_first(&over)) != NULL) { /* a handler may cancel another one */
        struct pools_wait *wait = CONTAINER_OF(l, struct pools_wait, in_waits);

        link_remove(l);
        wait->on_done(wait);
    }
}

static void
on_bell(struct letter *letter, void *recipient)
{
    struct attendant *a = CONTAINER_OF(letter, struct attendant, bell);

    (void)recipient;
    if (a->pools == NULL) {
        free(a);
        return;
    }
    atomic_store(&a->is_rung, false); /* who rings from now on is looked at in the next turn */
    answer_waits(a->pools);
    pools_reap(a->pools);
}

void
pools_attend(struct pools *p, struct loop *loop)
{
    assert(p->attendant == NULL);
    p->attendant = mem_new(sizeof(*p->attendant));
    p->attendant->bell.on_arrival = on_bell;
    p->attendant->pools = p;
    p->attendant->loop = p->attendant_loop = loop;
    atomic_init(&p->attendant->is_rung, false);
}

void
pools_unattend(struct pools *p)
{
    struct attendant *a = p->attendant;

    if (a == NULL)
        return;
    p->attendant = NULL;
    if (atomic_load(&a->is_rung))
        a->pools = NULL;
    else
        free(a);
}

/* --- the commands --- */

enum pools_answer
pools_pause(struct pools *p, const char *database, struct pools_wait *wait)
{
    enum pools_answer answer = POOLS_DONE;

    pthread_mutex_lock(&p->_shared.lock);
    if (database == NULL && p->_shared.is_all_paused)
        answer = POOLS_ALREADY;
    else if (database != NULL && !is_known_locked(p, database))
        answer = POOLS_NO_DATABASE;
    else if (database == NULL)
        p->_shared.is_all_paused = true;
    else
        control_of_locked(p, database)->is_paused = true;
    if (answer == POOLS_DONE)
        each_pool_locked(p, database, pool_follow_pause);
    pthread_mutex_unlock(&p->_shared.lock);
    if (answer == POOLS_DONE)
        wait_begin(p, wait, database, false);
    return answer;
}

enum pools_answer
pools_resume(struct pools *p, const char *database)
{
    enum pools_answer answer = POOLS_DONE;
    struct control *c;

    pthread_mutex_lock(&p->_shared.lock);
    c = database == NULL ? NULL : control_if_any_locked(p, database);
    if (database != NULL && c == NULL && !is_known_locked(p, database))
        answer = POOLS_NO_DATABASE;
    else if (database == NULL ? !p->_shared.is_all_paused : c == NULL || !c->is_paused)
        answer = POOLS_NOT_PAUSED;
    else if (c != NULL)
        c->is_paused = false;
    else
        p->_shared.is_all_paused = false;
    if (answer == POOLS_DONE)
        each_pool_locked(p, database, pool_follow_pause);
    pthread_mutex_unlock(&p->_shared.lock);
    return answer;
}

static enum pools_answer
set_disabled(struct pools *p, const char *database, bool is_disabled)
{
    enum pools_answer answer = POOLS_DONE;

    pthread_mutex_lock(&p->_shared.lock);
    if (control_if_any_locked(p, database) == NULL && !is_known_locked(p, database))
        answer = POOLS_NO_DATABASE;
    else
        control_of_locked(p, database)->is_disabled = is_disabled;
    pthread_mutex_unlock(&p->_shared.lock);
    return answer;
}

enum pools_answer
pools_disable(struct pools *p, const char *database)
{
    return set_disabled(p, database, true);
}

enum pools_answer
pools_enable(struct pools *p, const char *database)
{
    return set_disabled(p, database, false);
}

enum pools_answer
pools_reconnect(struct pools *p, const char *database)
{
    enum pools_answer answer = POOLS_DONE;

    pthread_mutex_lock(&p->_shared.lock);
    if (database != NULL && !is_known_locked(p, database))
        answer = POOLS_NO_DATABASE;
    else
        each_pool_locked(p, database, pool_reconnect);
    pthread_mutex_unlock(&p->_shared.lock);
    return answer;
}

enum pools_answer
pools_wait_close(struct pools *p, const char *database, struct pools_wait *wait)
{
    enum pools_answer answer = POOLS_DONE;

    pthread_mutex_lock(&p->_shared.lock);
    if (database != NULL && !is_known_locked(p, database))
        answer = POOLS_NO_DATABASE;
    pthread_mutex_unlock(&p->_shared.lock);
    if (answer == POOLS_DONE)
        wait_begin(p, wait, database, true);
    return answer;
}
