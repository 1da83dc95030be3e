/*
 * bell.c - what other threads want of a shard.
 *
 *     any thread:          calls |= CALL_..., and whoever found it 0 posts the bell
 *     the shard's thread:  takes all calls and serves them in a row
 *
 *     Invariant: the bell is on its way exactly while calls is not 0, so however much is asked of a shard, it
 *     is one letter.
 */
#include "shard_impl.h"

#include <stdlib.h>

#include "pgweir/base/log.h"

void
shard_post(struct loop *to, struct letter *letter)
{
    if (loop_post(to, letter))
        return;
    /* A million letters wait: that worker has not moved for a long time, and a lost letter would be a lost
     * connection. */
    log_line(LOG_FATAL_LEVEL, "the mailbox of a worker is full");
    abort();
}

void
shard_ring(struct shard *s, uint32_t calls)
{
    if (atomic_fetch_or_explicit(&s->_shared.calls, calls, memory_order_acq_rel) == 0)
        shard_post(s->loop, &s->_shared.bell);
}

/* CALL_ROUTE */
static void
learn_news(struct shard *s)
{
    struct route *before = s->route;
    struct pool_account *account_before = s->account;
    struct pool_news news;

    pool_read_news(s->pool, &news);
    s->route = news.route;
    s->is_gone = news.is_gone;
    s->account = news.account;
    if (s->account != account_before || atomic_load_explicit(&s->pool->is_paused, memory_order_acquire))
        growth_forget(s);
    if (s->generation != news.generation) {
        s->generation = news.generation;
        LIST_EACH(&s->members, l) {
            struct member *m = CONTAINER_OF(l, struct member, in_all);

            /* One that arrived before this letter may be new already. */
            m->is_stale = m->generation < s->generation;
            if (m->is_stale && m->state == MEMBER_ACTIVE && s->handler->on_stale != NULL)
                s->handler->on_stale(m);
        }
    }
    check_learn(s);
    idle_retire_stale(s);
    route_drop(before);
    queue_learn(s);
    idle_care(s);
}

/* CALL_SQUEEZE. Where nothing is idle here, another shard of the pool is asked, and the budget when there is
 * none. */
static void
squeeze(struct shard *s)
{
    for (unsigned n = atomic_exchange_explicit(&s->_shared.squeezes, 0, memory_order_relaxed); n > 0; n--) {
        struct link *l = list_last(&s->idle);
        struct shard *next = NULL;
        uint32_t idle;

        if (l != NULL) {
            shard_retire(member_of_idle(l), RETIRE_BUDGET);
            continue;
        }
        exchange_tell_no_idle(s);
        idle = atomic_load_explicit(&s->pool->idle.bits, memory_order_relaxed) & ~s->bit;
        if (idle != 0)
            next = pool_shard_if_any(s->pool, mask_first(idle));
        if (next == NULL) {
            budget_squeeze_failed(&s->account->budget);
        } else {
            atomic_fetch_add_explicit(&next->_shared.squeezes, 1, memory_order_relaxed);
            shard_ring(next, CALL_SQUEEZE);
        }
    }
}

static void
on_bell(struct letter *letter, void *recipient)
{
    struct shard *s = CONTAINER_OF(letter, struct shard, _shared.bell);
    uint32_t calls = atomic_exchange_explicit(&s->_shared.calls, 0, memory_order_acq_rel);

    (void)recipient;
    if (calls & CALL_ROUTE)
        learn_news(s);
    if (calls & CALL_SLOT)
        growth_slot_came(s);
    if (calls & CALL_ASKED)
        exchange_answer(s);
    if (calls & CALL_SQUEEZE)
        squeeze(s);
    if (calls & CALL_WELCOME)
        queue_greet_all(s);
    if (calls & CALL_REFUSED)
        queue_refuse_all(s);
    if (calls & CALL_ANSWERED)
        exchange_hear(s);
    growth_look(s);
}

void
bell_init(struct shard *s)
{
    s->_shared.bell.on_arrival = on_bell;
    atomic_init(&s->_shared.calls, 0);
    atomic_init(&s->_shared.squeezes, 0);
}
