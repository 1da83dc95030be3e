/*
 * exchange.c - how the shards of a pool help each other, so that no client waits while a server is idle in
 * another worker.
 *
 *     a shard that gets a waiter:        counts it, sets its bit in pool->waiting,
 *                                        THEN looks at pool->idle and asks there
 *     a shard whose first server rests:  sets its bit in pool->idle,
 *                                        THEN looks at pool->waiting and sends it there
 *
 *     With a full fence at each THEN, one of the two sees the other (Dekker). Bits of pool->idle are cleared
 *     only when somebody looked in vain, so in the steady state of a pool that has enough servers nobody
 *     writes either mask. A shard that was asked answers always, and clears its bit before it answers no: so
 *     asking ends.
 *
 *         A                                            B
 *         | asked_by |= A, CALL_ASKED ---------------->| has an idle one: leave(), state MOVING
 *         |<------------------ the server as a letter  |
 *         | join(), to the oldest waiter               |
 *         |<----------------- answered_by |= B, CALL_ANSWERED
 *
 *     A server that comes back goes to another shard's oldest waiter when that has waited noticeably longer
 *     than ours. `incoming` counts what is on its way to a shard, so that not all others send at once to the
 *     same waiter.
 */
#include <assert.h>

#include "shard_impl.h"

/* A waiter elsewhere is noticeably older when it has waited longer than ours by a quarter and this. Less
 * would move servers to and fro because a worker was off its CPU for a moment: with 200 us here, four workers
 * on two CPUs spent a quarter of theirs on moves. More would let the longest wait grow past twice the
 * mean. */
#define ELDER_MARGIN_US (2 * US_PER_MS)
#define ELDER_NUMERATOR 5
#define ELDER_DENOMINATOR 4

/* When an idle server could not move just now (may_move() said no), it is offered again after this. */
#define OFFER_AGAIN_US (5 * US_PER_MS)

/* --- telling --- */

void
exchange_tell_waiting(struct shard *s)
{
    bool is_waiting = s->waiting_count > 0;

    if (s->is_alone)
        return;
    atomic_store_explicit(&s->_shared.oldest_us, line_oldest_us(&s->waiting), memory_order_relaxed);
    atomic_store_explicit(&s->_shared.waiting_count, s->waiting_count, memory_order_release);
    if (is_waiting == s->is_waiting_told)
        return;
    s->is_waiting_told = is_waiting;
    if (is_waiting)
        atomic_fetch_or(&s->pool->waiting.bits, s->bit);
    else
        atomic_fetch_and(&s->pool->waiting.bits, ~s->bit);
}

void
exchange_tell_no_idle(struct shard *s)
{
    assert(list_is_empty(&s->idle));
    if (!s->is_idle_told)
        return;
    s->is_idle_told = false;
    atomic_fetch_and(&s->pool->idle.bits, ~s->bit);
}

/* --- choosing --- */

/* Since when T's oldest waits; 0: nobody waits there who has not a server on its way. */
static uint64_t
unserved_since_us(struct shard *t, unsigned most_incoming)
{
    /* In this order: an arrival first leaves `incoming`, then its waiter leaves the count. */
    unsigned waiting_count = atomic_load_explicit(&t->_shared.waiting_count, memory_order_acquire);
    unsigned incoming = atomic_load_explicit(&t->_shared.incoming, memory_order_acquire);

    if (incoming >= waiting_count || incoming > most_incoming)
        return 0;
    return atomic_load_explicit(&t->_shared.oldest_us, memory_order_relaxed);
}

static uint64_t
age_us(uint64_t since_us, uint64_t now_us)
{
    return now_us > since_us ? now_us - since_us : 0; /* clocks of two workers are read at different times */
}

/* The shard of MASK whose oldest unserved waiter is the oldest of all. */
static struct shard *
oldest_of(struct pool *pool, uint32_t mask, unsigned most_incoming, uint64_t *since_us)
{
    struct shard *best = NULL;

    for (; mask != 0; mask &= mask - 1) {
        struct shard *t = pool_shard_if_any(pool, mask_first(mask));
        uint64_t since = unserved_since_us(t, most_incoming);

        if (since != 0 && (best == NULL || since < *since_us)) {
            best = t;
            *since_us = since;
        }
    }
    return best;
}

struct shard *
exchange_elder(struct shard *s, uint64_t now_us)
{
    uint64_t own_us = line_oldest_us(&s->waiting);
    uint64_t other_us = 0;
    uint64_t own_age_us;
    struct shard *elder;
    uint32_t mask;

    if (s->is_alone)
        return NULL;
    mask = atomic_load_explicit(&s->pool->waiting.bits, memory_order_acquire) & ~s->bit;
    if (LIKELY(mask == 0))
        return NULL;
    elder = oldest_of(s->pool, mask, own_us == 0 ? UINT32_MAX : 0, &other_us);
    if (elder == NULL || own_us == 0)
        return elder;
    own_age_us = age_us(own_us, now_us);
    if (age_us(other_us, now_us) > own_age_us / ELDER_DENOMINATOR * ELDER_NUMERATOR + ELDER_MARGIN_US)
        return elder;
    return NULL;
}

uint64_t
exchange_oldest_us(struct shard *s)
{
    uint64_t oldest_us = line_oldest_us(&s->waiting);
    uint32_t mask;

    if (s->is_alone)
        return oldest_us;
    for (mask = atomic_load_explicit(&s->pool->waiting.bits, memory_order_relaxed) & ~s->bit; mask != 0;
         mask &= mask - 1) {
        struct shard *t = pool_shard_if_any(s->pool, mask_first(mask));
        uint64_t other_us = atomic_load_explicit(&t->_shared.oldest_us, memory_order_relaxed);

        if (other_us != 0 && (oldest_us == 0 || other_us < oldest_us))
            oldest_us = other_us;
    }
    return oldest_us;
}

/* --- moving --- */

static void
on_arrival(struct letter *letter, void *recipient)
{
    struct member *m = CONTAINER_OF(letter, struct member, move);
    struct shard *s = m->shard;
    uint64_t now_us = loop_now_us(s->loop);

    (void)recipient;
    atomic_fetch_sub_explicit(&s->_shared.incoming, 1, memory_order_release);
    m->state = MEMBER_ACTIVE;
    if (m->generation < s->generation) /* it was between two workers when the news came */
        m->is_stale = true;
    list_push_last(&s->members, &m->in_all);
    s->active_count++;
    s->handler->join(m);
    if (m->is_stale)
        shard_retire(m, RETIRE_STALE);
    else if (s->waiting_count == 0 && shard_yields(m, now_us))
        shard_retire(m, RETIRE_BUDGET);
    else
        shard_place(m, now_us);
    exchange_seek(s);
    growth_look(s);
}

bool
exchange_try_send(struct member *m, struct shard *to)
{
    struct shard *s = m->shard;

    if (!s->handler->may_move(m))
        return false;
    s->handler->leave(m);
    member_detach(m);
    m->state = MEMBER_MOVING;
    m->shard = to;
    m->move.on_arrival = on_arrival;
    atomic_fetch_add_explicit(&to->_shared.incoming, 1, memory_order_relaxed);
    shard_post(to->loop, &m->move);
    return true;
}

/* Sends the coldest idle server that can move. Where none can, they are hidden for a while: who asked would
 * ask for ever. */
static bool
try_send_idle(struct shard *s, struct shard *to)
{
    for (struct link *l = list_last(&s->idle); l != NULL; l = l->prev == &s->idle.head ? NULL : l->prev) {
        struct member *m = member_of_idle(l);

        m->is_suspect = member_is_suspect(m, loop_now_us(s->loop));
        if (exchange_try_send(m, to))
            return true;
    }
    if (s->is_idle_told) {
        s->is_idle_told = false;
        atomic_fetch_and(&s->pool->idle.bits, ~s->bit);
    }
    if (!list_is_empty(&s->idle) && !timer_is_armed(&s->offer_timer))
        loop_arm(s->loop, &s->offer_timer, OFFER_AGAIN_US);
    return false;
}

void
exchange_tell_idle(struct shard *s)
{
    struct shard *elder;

    if (LIKELY(s->is_idle_told))
        return;
    s->is_idle_told = true;
    atomic_fetch_or(&s->pool->idle.bits, s->bit);
    if (s->is_alone)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    while (!list_is_empty(&s->idle) && (elder = exchange_elder(s, loop_now_us(s->loop))) != NULL)
        if (!try_send_idle(s, elder))
            return;
}

static void
on_offer_due(struct timer *timer)
{
    struct shard *s = CONTAINER_OF(timer, struct shard, offer_timer);

    if (!list_is_empty(&s->idle))
        exchange_tell_idle(s);
}

/* --- asking --- */

/* Asks as many shards as there are waiters, each at most once at a time, our neighbour first so that not all
 * ask the same. Who is asked sends as many as he has and we lack. */
void
exchange_seek(struct shard *s)
{
    struct pool *pool = s->pool;

    if (s->is_alone || s->waiting_count == 0)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    for (;;) {
        unsigned incoming = atomic_load_explicit(&s->_shared.incoming, memory_order_acquire);
        uint32_t mask = atomic_load(&pool->idle.bits) & ~(s->bit | s->asked);
        uint32_t behind = mask & ~(s->bit - 1);
        struct shard *t;

        if (mask == 0 || mask_count(s->asked) + incoming >= s->waiting_count)
            return;
        t = pool_shard_if_any(pool, mask_first(behind != 0 ? behind : mask));
        s->asked |= t->bit;
        atomic_fetch_or_explicit(&t->_shared.asked_by, s->bit, memory_order_release);
        shard_ring(t, CALL_ASKED);
    }
}

void
exchange_answer(struct shard *s)
{
    uint32_t askers = atomic_exchange_explicit(&s->_shared.asked_by, 0, memory_order_acquire);

    for (; askers != 0; askers &= askers - 1) {
        struct shard *t = pool_shard_if_any(s->pool, mask_first(askers));

        while ((list_is_empty(&s->idle) || unserved_since_us(t, UINT32_MAX) != 0) && try_send_idle(s, t))
            ;
        atomic_fetch_or_explicit(&t->_shared.answered_by, s->bit, memory_order_release);
        shard_ring(t, CALL_ANSWERED);
    }
}

void
exchange_hear(struct shard *s)
{
    s->asked &= ~atomic_exchange_explicit(&s->_shared.answered_by, 0, memory_order_acquire);
    exchange_seek(s);
}

void
exchange_init(struct shard *s)
{
    timer_init(&s->offer_timer, on_offer_due);
    atomic_init(&s->_shared.asked_by, 0);
    atomic_init(&s->_shared.answered_by, 0);
    atomic_init(&s->_shared.incoming, 0);
    atomic_init(&s->_shared.oldest_us, 0);
    atomic_init(&s->_shared.waiting_count, 0);
}

void
exchange_fini(struct shard *s)
{
    timer_cancel(&s->offer_timer);
}
