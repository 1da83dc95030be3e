/*
 * idle.c - the servers of one shard that have nothing to do, and when they close.
 *
 *     `idle`, hottest first. idle_timer rings when one is due, and closes
 *         those older than server_lifetime,      wherever they stand
 *         those unused for server_idle_timeout,  from the coldest on, while the pool keeps min_pool_size
 *
 *     Invariants: idle_timer is armed no later than the first of them is due.
 */
#include "shard_impl.h"

void
idle_take(struct member *m)
{
    struct shard *s = m->shard;

    link_remove(&m->in_idle);
    m->state = MEMBER_ACTIVE;
    s->idle_count--;
    s->active_count++;
}

/* When an idle M is to be closed if nobody needs it. */
static uint64_t
member_idle_due_us(const struct member *m)
{
    uint64_t timeout_us = m->shard->route->server_idle_timeout_us;

    return timeout_us == 0 ? TIMERS_NEVER : m->idle_since_us + timeout_us;
}

bool
pool_is_wanted(const struct shard *s)
{
    return s->route->is_forced || atomic_load_explicit(&s->pool->client_count, memory_order_relaxed) > 0;
}

static unsigned
least_size(const struct shard *s)
{
    return s->is_gone || s->is_closing_down || !pool_is_wanted(s) ? 0 : s->route->min_pool_size;
}

/* Takes one out of the pool's usable servers unless its minimum needs it. */
static bool
pool_try_shrink(struct pool *pool, unsigned min_size)
{
    unsigned count = atomic_load_explicit(&pool->usable_count, memory_order_relaxed);

    while (count > min_size)
        if (atomic_compare_exchange_weak_explicit(&pool->usable_count, &count, count - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

static void
arm_idle_timer(struct shard *s, uint64_t now_us, uint64_t due_us)
{
    if (due_us == TIMERS_NEVER || (timer_is_armed(&s->idle_timer) && s->idle_timer.due_us <= due_us))
        return;
    loop_arm(s->loop, &s->idle_timer, due_us > now_us ? due_us - now_us : 0);
}

/* An idle server that has become too old. */
static struct member *
expired_idle(struct shard *s, uint64_t now_us)
{
    LIST_EACH(&s->idle, l) {
        struct member *m = member_of_idle(l);

        if (member_expires_us(m) <= now_us)
            return m;
    }
    return NULL;
}

void
idle_care(struct shard *s)
{
    uint64_t now_us = loop_now_us(s->loop);
    uint64_t next_us = TIMERS_NEVER;
    struct member *m;

    while ((m = expired_idle(s, now_us)) != NULL)
        shard_retire(m, RETIRE_LIFETIME);
    while (!list_is_empty(&s->idle)) {
        m = member_of_idle(list_last(&s->idle));
        if (member_idle_due_us(m) > now_us || !pool_try_shrink(s->pool, least_size(s)))
            break;
        member_retire_uncounted(m, RETIRE_IDLE);
    }
    LIST_EACH(&s->idle, l) {
        uint64_t due_us = member_idle_due_us(member_of_idle(l));
        uint64_t expires_us = member_expires_us(member_of_idle(l));

        if (due_us <= now_us) /* kept for min_pool_size */
            due_us = now_us + s->route->server_idle_timeout_us;
        if (due_us > expires_us)
            due_us = expires_us;
        if (due_us < next_us)
            next_us = due_us;
    }
    arm_idle_timer(s, now_us, next_us);
}

static void
on_idle_due(struct timer *timer)
{
    idle_care(CONTAINER_OF(timer, struct shard, idle_timer));
}

void
idle_rest(struct member *m, uint64_t now_us)
{
    struct shard *s = m->shard;
    uint64_t due_us, expires_us;

    if (UNLIKELY(s->is_closing_down || s->is_gone || s->pool->is_private)) {
        shard_retire(m, RETIRE_IDLE);
        return;
    }
    m->state = MEMBER_IDLE;
    m->idle_since_us = now_us;
    s->active_count--;
    s->idle_count++;
    list_push_first(&s->idle, &m->in_idle);
    due_us = member_idle_due_us(m);
    expires_us = member_expires_us(m);
    arm_idle_timer(s, now_us, due_us < expires_us ? due_us : expires_us);
    exchange_tell_idle(s);
}

/* One that the configuration has no use for any more. */
static struct member *
stale_idle(struct shard *s)
{
    LIST_EACH(&s->idle, l) {
        if (s->is_gone || member_of_idle(l)->is_stale)
            return member_of_idle(l);
    }
    return NULL;
}

void
idle_retire_stale(struct shard *s)
{
    struct member *m;

    while ((m = stale_idle(s)) != NULL)
        shard_retire(m, m->is_stale ? RETIRE_STALE : RETIRE_IDLE);
}

void
idle_close_down(struct shard *s)
{
    struct link *l;

    timer_cancel(&s->idle_timer);
    while ((l = list_last(&s->idle)) != NULL)
        shard_retire(member_of_idle(l), RETIRE_IDLE);
}

void
idle_init(struct shard *s)
{
    list_init(&s->idle);
    timer_init(&s->idle_timer, on_idle_due);
}

void
idle_stop(struct shard *s)
{
    timer_cancel(&s->idle_timer);
}
