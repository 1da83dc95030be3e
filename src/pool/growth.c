/*
 * growth.c - when a shard dials.
 *
 *     need --trouble? later--> --too many dials? starved--> --budget--> TAKEN: dial
 *                                                               \-----> WAIT: the want is out; its slot comes
 *                                                                       as a letter
 *
 *     A shard dials for every waiter that no dial under way and no arriving server will serve, once the
 *     shards that may have idle servers have answered. Logins that wait for a welcome count as one, in the
 *     whole pool. min_pool_size is filled up the same way, but it never waits in the budget's line.
 *
 *     Whoever cannot dial now is called again by whatever stood in the way: the end of a dial
 *     (pool->starved), the pause after a failure and the budget's slow recovery (growth_timer), a slot
 *     (CALL_SLOT).
 *
 *     Invariants: is_want_out from BUDGET_WAIT until the slot's letter or budget_forget() == true, and
 *     meanwhile no second budget_take()
 *     with the want; pool->dial_count >= the sum of the shards' dial_count.
 */
#include <assert.h>

#include "shard_impl.h"
#include "pgweir/base/clock.h"

/* While a want is out, the host's budget is looked at this often: limits recover with time. */
#define REVISIT_US US_PER_S

/* min_pool_size that the budget had no room for is tried again after this. */
#define SPARE_AGAIN_US (5 * US_PER_S)

/* How much older than the truth the age of a queued want may be; correcting it costs the host's lock. */
#define WANT_AGE_COARSE_US (20 * US_PER_MS)

enum lack { LACK_NOTHING, LACK_SERVER, LACK_SPARE };

/* --- what is missing --- */

static unsigned
pool_dial_count(struct pool *pool)
{
    return atomic_load_explicit(&pool->dial_count, memory_order_relaxed);
}

/* While a shard that may have idle servers has not answered, nobody knows; its answer is a letter away, a
 * login much more. */
static bool
lacks_server(struct shard *s)
{
    unsigned coming = s->dial_count + s->checking_count +
                      atomic_load_explicit(&s->_shared.incoming, memory_order_relaxed);

    return s->asked == 0 && s->waiting_count > coming;
}

/* Whichever shard dials, its server brings the welcome for all; we are called when that dial has ended. A
 * welcome that is known already is on its way to those who wait here. */
static bool
lacks_welcome(struct shard *s)
{
    if (s->greeting_count == 0 || s->waiting_count > 0 || s->dial_count > 0 ||
        atomic_load_explicit(&s->pool->is_welcome_known, memory_order_acquire))
        return false;
    if (pool_dial_count(s->pool) == 0)
        return true;
    atomic_fetch_or(&s->pool->starved, s->bit);
    return atomic_load(&s->pool->dial_count) == 0;
}

static bool
lacks_spare(struct shard *s)
{
    unsigned least = s->route->min_pool_size;

    if (!s->is_used || s->is_gone || s->pool->is_private || !pool_is_wanted(s))
        return false;
    if (s->route->pool_size != 0 && least > s->route->pool_size)
        least = s->route->pool_size;
    return least > 0 &&
           atomic_load_explicit(&s->pool->usable_count, memory_order_relaxed) + pool_dial_count(s->pool) <
               least;
}

static enum lack
lack_of(struct shard *s)
{
    if (s->is_closing_down || atomic_load_explicit(&s->pool->is_paused, memory_order_acquire))
        return LACK_NOTHING;
    if (lacks_server(s) || lacks_welcome(s))
        return LACK_SERVER;
    return lacks_spare(s) ? LACK_SPARE : LACK_NOTHING;
}

/* --- may we --- */

static void
look_again_in(struct shard *s, uint64_t delay_us)
{
    if (timer_is_armed(&s->growth_timer) && s->growth_timer.due_us <= loop_now_us(s->loop) + delay_us)
        return;
    loop_arm(s->loop, &s->growth_timer, delay_us);
}

static bool
try_count_dial(struct pool *pool, unsigned most)
{
    unsigned count = atomic_load(&pool->dial_count);

    while (count < most)
        if (atomic_compare_exchange_weak(&pool->dial_count, &count, count + 1))
            return true;
    return false;
}

/* One more dial in the pool. False: not now, and we will be called. */
static bool
try_begin_dial(struct shard *s)
{
    uint64_t retry_us = trouble_retry_us(s->pool);
    uint64_t now_us = loop_now_us(s->loop);
    unsigned most = s->route->server_parallel_logins;

    if (retry_us > now_us) {
        look_again_in(s, retry_us - now_us);
        if (s->waiting_count + s->greeting_count > 0 && trouble_is_refusal(s->pool))
            shard_ring(s, CALL_REFUSED); /* they need not wait for the next attempt to be told */
        return false;
    }
    if (retry_us != 0 || most == 0)
        most = 1;
    if (try_count_dial(s->pool, most))
        return true;
    atomic_fetch_or(&s->pool->starved, s->bit);
    return try_count_dial(s->pool, most); /* the last one may have ended before it could see us starving */
}

void
growth_dial_ended(struct shard *s)
{
    uint32_t starved;

    atomic_fetch_sub(&s->pool->dial_count, 1);
    starved = atomic_load(&s->pool->starved);
    if (starved == 0)
        return;
    starved = atomic_exchange(&s->pool->starved, 0);
    pool_ring(s->pool, starved & ~s->bit, CALL_GROW);
}

/* When the oldest waiter has waited long enough for the pool's reserve; TIMERS_NEVER: it has none. */
static uint64_t
reserve_due_us(const struct shard *s)
{
    const struct route *r = s->route;

    if (r->pool_size == 0 || r->reserve_pool_size == 0 || r->reserve_pool_timeout_us == 0)
        return TIMERS_NEVER;
    return s->want_since_us + r->reserve_pool_timeout_us;
}

/* The want is out: looks again when limits may have recovered, or when it may draw from the reserve. */
static void
look_after_want(struct shard *s)
{
    uint64_t now_us = loop_now_us(s->loop);
    uint64_t due_us = reserve_due_us(s);

    if (due_us <= now_us)
        budget_want_hurries(&s->want);
    look_again_in(s, due_us > now_us && due_us < now_us + REVISIT_US ? due_us - now_us : REVISIT_US);
}

static bool
try_take_slot(struct shard *s, enum lack lack)
{
    uint64_t now_us = loop_now_us(s->loop);
    uint64_t since_us = lack == LACK_SERVER ? shard_oldest_us(s) : now_us;
    struct budget_want *want = lack == LACK_SERVER ? &s->want : NULL;

    if (budget_take(&s->account->budget, want, since_us, now_us) == BUDGET_TAKEN)
        return true;
    if (want == NULL) {
        look_again_in(s, SPARE_AGAIN_US);
    } else {
        s->is_want_out = true;
        s->want_since_us = since_us;
        look_after_want(s);
    }
    return false;
}

static void
dial(struct shard *s, struct budget_account *slot_of)
{
    if (UNLIKELY(!pool_enter(s->pool, s->generation))) { /* paused while the slot came */
        growth_dial_ended(s);
        budget_give(slot_of, loop_now_us(s->loop));
        return;
    }
    s->slot_of = slot_of;
    s->handler->dial(s);
    assert(s->slot_of == NULL); /* member_init() was called */
}

void
growth_look(struct shard *s)
{
    enum lack lack;

    while ((lack = lack_of(s)) != LACK_NOTHING) {
        if (lack == LACK_SERVER && s->is_want_out) {
            growth_line_moved(s);
            return;
        }
        if (!try_begin_dial(s))
            return;
        if (!try_take_slot(s, lack)) {
            growth_dial_ended(s);
            return;
        }
        dial(s, &s->account->budget);
    }
}

/* --- the want --- */

void
growth_slot_came(struct shard *s)
{
    struct budget_account *account = s->want.account;

    s->is_want_out = false;
    if (account == &s->account->budget && lack_of(s) != LACK_NOTHING && try_begin_dial(s)) {
        if (budget_may_use(account)) {
            dial(s, account);
            return;
        }
        growth_dial_ended(s);
    }
    budget_give(account, loop_now_us(s->loop));
}

static void
forget_want(struct shard *s)
{
    if (s->is_want_out && budget_forget(&s->want))
        s->is_want_out = false;
}

void
growth_line_moved(struct shard *s)
{
    uint64_t oldest_us;

    if (LIKELY(!s->is_want_out))
        return;
    oldest_us = shard_oldest_us(s);
    if (oldest_us == 0) {
        /* While nobody presses the host our want only waits for room in our own pool, and may as well go on
         * doing so. */
        if (budget_pressed_since(s->want.account->host) != 0)
            forget_want(s);
    } else if (oldest_us > s->want_since_us + WANT_AGE_COARSE_US) {
        s->want_since_us = oldest_us;
        budget_want_since(&s->want, oldest_us);
    }
}

void
growth_forget(struct shard *s)
{
    forget_want(s);
}

static void
on_growth_due(struct timer *timer)
{
    struct shard *s = CONTAINER_OF(timer, struct shard, growth_timer);

    if (s->is_want_out && shard_oldest_us(s) == 0)
        forget_want(s);
    if (s->is_want_out) {
        budget_revisit(s->want.account->host, loop_now_us(s->loop));
        look_after_want(s);
    }
    growth_look(s);
}

void
growth_stop(struct shard *s)
{
    timer_cancel(&s->growth_timer);
    forget_want(s);
}

void
growth_init(struct shard *s)
{
    timer_init(&s->growth_timer, on_growth_due);
    budget_want_init(&s->want);
}
