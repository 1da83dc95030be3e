/*
 * trouble.c - what a pool remembers about failed dials, for all of its shards.
 *
 *     none --dial failed--> trouble: nobody dials before retry_us, then one at a time --dial worked--> none
 *
 *     Each failure in a row doubles the pause, up to server_login_retry. Dials that fail together, because
 *     they were under way together, are one failure. Half of each pause is chance, so that instances that
 *     failed together do not come back together.
 */
#include <stdlib.h>

#include "pool_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"

#define FIRST_PAUSE_US (50 * US_PER_MS)
#define MOST_DOUBLINGS 20u

static uint64_t
pause_us(unsigned failure_count, uint64_t longest_us, uint64_t *random)
{
    unsigned doublings = failure_count - 1 < MOST_DOUBLINGS ? failure_count - 1 : MOST_DOUBLINGS;
    uint64_t pause = FIRST_PAUSE_US << doublings;

    if (pause > longest_us)
        pause = longest_us > FIRST_PAUSE_US ? longest_us : FIRST_PAUSE_US;
    return random_between(random, pause / 2, pause);
}

static void
keep_why_locked(struct trouble *t, const struct pg_error *why)
{
    if (why == NULL) {
        free(t->_shared.why);
        t->_shared.why = NULL;
        return;
    }
    if (t->_shared.why == NULL)
        t->_shared.why = mem_new(sizeof(*t->_shared.why));
    *t->_shared.why = *why;
}

void
trouble_note(struct pool *pool, enum trouble_kind kind, const struct pg_error *why, uint64_t dialed_us,
             uint64_t now_us, uint64_t longest_us, uint64_t *random)
{
    struct trouble *t = &pool->trouble;

    pthread_mutex_lock(&pool->_shared.lock);
    keep_why_locked(t, why);
    atomic_store_explicit(&t->kind, (int)kind, memory_order_relaxed);
    if (t->_shared.count == 0 || dialed_us >= t->_shared.counted_us) {
        t->_shared.count++;
        t->_shared.counted_us = now_us;
        atomic_store_explicit(&t->retry_us, now_us + pause_us(t->_shared.count, longest_us, random),
                              memory_order_release);
    }
    pthread_mutex_unlock(&pool->_shared.lock);
}

bool
trouble_is_over(struct pool *pool)
{
    struct trouble *t = &pool->trouble;
    bool was_trouble;

    if (trouble_retry_us(pool) == 0)
        return false;
    pthread_mutex_lock(&pool->_shared.lock);
    was_trouble = t->_shared.count > 0;
    t->_shared.count = 0;
    keep_why_locked(t, NULL);
    atomic_store_explicit(&t->kind, TROUBLE_NONE, memory_order_relaxed);
    atomic_store_explicit(&t->retry_us, 0, memory_order_release);
    pthread_mutex_unlock(&pool->_shared.lock);
    return was_trouble;
}

bool
trouble_is_refusal(const struct pool *pool)
{
    struct pool *p = (struct pool *)(uintptr_t)pool;

    return atomic_load_explicit(&p->trouble.kind, memory_order_relaxed) == TROUBLE_REFUSED &&
           atomic_load_explicit(&p->usable_count, memory_order_relaxed) == 0;
}

bool
trouble_tell(struct pool *pool, struct pg_error *out)
{
    bool is_known;

    pthread_mutex_lock(&pool->_shared.lock);
    is_known = pool->trouble._shared.why != NULL;
    if (is_known)
        *out = *pool->trouble._shared.why;
    pthread_mutex_unlock(&pool->_shared.lock);
    return is_known;
}
