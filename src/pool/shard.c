/*
 * shard.c - who gets the next server connection in this worker.
 *
 *     shard_take() -> waiting --+                        +-- idle <- shard_give(), shard_adopt(),
 *                               +--> shard_place() <-----+           arrivals from other shards
 *
 *     Its parts: queue.c who waits, idle.c which servers rest, check.c which are asked first, member.c a
 *     server's states, bell.c what other threads want, exchange.c other shards, growth.c when to dial.
 *
 *     Invariants: waiting and idle are never both non-empty once a call returns; a handler is the last thing
 *     a function calls, or what follows looks at everything anew, because handlers come back into this room.
 *
 *     The path of a transaction, shard_take() with an idle server and shard_give() with nobody waiting, takes
 *     no lock, allocates nothing and writes nothing that another worker reads, save the pool's working time,
 *     ten times a second.
 */
#include "shard_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"

/* How exact budget_account.worked_us is: writing it costs all workers a cache line. */
#define WORKED_COARSE_US (100 * US_PER_MS)

/* --- a client wants a server --- */

/* How far shard_take() looks for a member with the right tag. */
#define MOST_LOOKED_AT 4

/* The idle server that is taken next; NULL: none. A suspect one only where all are. */
static struct member *
next_idle(struct shard *s)
{
    struct link *l = s->is_round_robin ? list_last(&s->idle) : list_first(&s->idle);

    if (UNLIKELY(l == NULL))
        return NULL;
    if (s->is_round_robin && member_is_suspect(member_of_idle(l), loop_now_us(s->loop)))
        l = list_first(&s->idle);
    return member_of_idle(l);
}

/* M, or one of the first idle ones that is as good and has TAG. */
static struct member *
prefer_tag(struct shard *s, struct member *m, const void *tag)
{
    unsigned count = 0;

    LIST_EACH(&s->idle, l) {
        struct member *other = member_of_idle(l);

        if (other->tag == tag && !member_is_suspect(other, loop_now_us(s->loop)))
            return other;
        if (++count == MOST_LOOKED_AT)
            break;
    }
    return m;
}

struct member *
shard_take(struct shard *s, struct waiter *w)
{
    struct member *m = next_idle(s);

    if (UNLIKELY(m == NULL)) {
        queue_join(s, w, WISH_SERVER);
        exchange_seek(s);
        growth_look(s);
        return NULL;
    }
    if (UNLIKELY(member_is_suspect(m, loop_now_us(s->loop)))) {
        queue_join(s, w, WISH_SERVER);
        check_more(s);
        return NULL;
    }
    if (m->tag != w->tag && !s->is_round_robin)
        m = prefer_tag(s, m, w->tag);
    idle_take(m);
    return m;
}

void
shard_await_welcome(struct shard *s, struct waiter *w)
{
    queue_join(s, w, WISH_WELCOME);
    growth_look(s);
}

/* --- a server has no client --- */

void
shard_place(struct member *m, uint64_t now_us)
{
    struct shard *s = m->shard;
    struct shard *elder = exchange_elder(s, now_us);
    struct link *l;

    assert(m->state == MEMBER_ACTIVE);
    if (UNLIKELY(elder != NULL) && exchange_try_send(m, elder))
        return;
    l = list_first(&s->waiting);
    if (l != NULL && UNLIKELY(m->is_suspect)) {
        check_begin(m);
        return;
    }
    if (l != NULL)
        queue_grant(waiter_of(l), m, now_us);
    else
        idle_rest(m, now_us);
}

bool
shard_yields(struct member *m, uint64_t now_us)
{
    if (LIKELY(budget_pressed_since(m->account->host) == 0))
        return false;
    return budget_should_yield(m->account, exchange_oldest_us(m->shard), now_us);
}

static void
note_work(struct shard *s, uint64_t now_us)
{
    _Atomic uint64_t *worked_us = &s->account->budget.worked_us;

    if (atomic_load_explicit(worked_us, memory_order_relaxed) + WORKED_COARSE_US < now_us)
        atomic_store_explicit(worked_us, now_us, memory_order_relaxed);
}

void
shard_give(struct member *m)
{
    struct shard *s = m->shard;
    uint64_t now_us = loop_now_us(s->loop);

    assert(m->state == MEMBER_ACTIVE);
    if (UNLIKELY(m->is_checking))
        check_end(m);
    note_work(s, now_us);
    if (UNLIKELY(m->is_stale))
        shard_retire(m, RETIRE_STALE);
    else if (UNLIKELY(s->route->server_lifetime_us == 0 || member_expires_us(m) <= now_us))
        shard_retire(m, RETIRE_LIFETIME);
    else if (UNLIKELY(shard_yields(m, now_us)))
        shard_retire(m, RETIRE_BUDGET);
    else
        shard_place(m, now_us);
}

/* --- servers come and go --- */

void
shard_adopt(struct member *m)
{
    struct shard *s = m->shard;
    uint64_t now_us = loop_now_us(s->loop);

    assert(m->state == MEMBER_DIALING);
    s->dial_count--;
    s->active_count++;
    m->state = MEMBER_ACTIVE;
    atomic_fetch_add_explicit(&s->pool->usable_count, 1, memory_order_relaxed);
    growth_dial_ended(s);
    if (m->generation == s->generation && trouble_is_over(s->pool))
        pool_ring_all(s->pool, NULL, CALL_GROW);
    if (m->is_stale)
        shard_retire(m, RETIRE_STALE);
    else if (s->waiting_count == 0 && shard_yields(m, now_us))
        shard_retire(m, RETIRE_BUDGET);
    else
        shard_place(m, now_us);
    growth_look(s);
}

void
shard_dial_failed(struct member *m, enum dial_failure failure, const struct pg_error *why)
{
    static const enum trouble_kind kinds[] = {
        [DIAL_UNREACHABLE] = TROUBLE_UNREACHABLE,
        [DIAL_CONGESTED] = TROUBLE_CONGESTED,
        [DIAL_REFUSED] = TROUBLE_REFUSED,
    };
    struct shard *s = m->shard;
    uint64_t now_us = loop_now_us(s->loop);

    assert(m->state == MEMBER_DIALING);
    member_detach(m);
    if (failure == DIAL_CONGESTED)
        budget_congested(m->account->host, now_us);
    if (m->generation == s->generation) /* else the route has changed: this was about another server */
        trouble_note(s->pool, kinds[failure], why, m->born_us, now_us, s->route->server_login_retry_us,
                     &s->random);
    budget_give(m->account, now_us);
    m->account = NULL;
    pool_exit(s->pool, m->generation, now_us);
    growth_dial_ended(s);
    if (trouble_is_refusal(s->pool))
        pool_ring_all(s->pool, NULL, CALL_REFUSED);
    growth_look(s);
}

void
shard_lost(struct member *m)
{
    struct shard *s = m->shard;
    struct budget_account *account = m->account;
    bool was_dialing = m->state == MEMBER_DIALING;

    assert(m->state != MEMBER_MOVING && account != NULL);
    if (m->state == MEMBER_IDLE || m->state == MEMBER_ACTIVE)
        atomic_fetch_sub_explicit(&s->pool->usable_count, 1, memory_order_relaxed);
    member_detach(m);
    m->account = NULL;
    budget_give(account, loop_now_us(s->loop));
    pool_exit(s->pool, m->generation, loop_now_us(s->loop));
    if (was_dialing)
        growth_dial_ended(s);
    check_more(s);
    growth_look(s);
}

/* --- the shard itself --- */

struct shard *
shard_new(struct pool *pool, unsigned worker, uint64_t random)
{
    struct shard *s = mem_new(sizeof(*s));
    struct pool_news news;

    s->pool = pool;
    s->handler = &pool->pools->handler;
    s->loop = pool->pools->loops[worker];
    s->owner = pool->pools->owners[worker];
    s->worker = worker;
    s->bit = UINT32_C(1) << worker;
    s->is_alone = pool->pools->worker_count == 1;
    pool_read_news(pool, &news);
    s->route = news.route;
    s->generation = news.generation;
    s->is_gone = news.is_gone;
    s->account = news.account;
    list_init(&s->members);
    s->random = random | 1;
    queue_init(s);
    idle_init(s);
    check_learn(s);
    bell_init(s);
    exchange_init(s);
    growth_init(s);
    return s;
}

void
shard_free(struct shard *s)
{
    if (s == NULL)
        return;
    assert(list_is_empty(&s->members) && s->waiting_count + s->greeting_count == 0);
    shard_stop(s);
    route_drop(s->route);
    free(s);
}

void
shard_stop(struct shard *s)
{
    queue_stop(s);
    idle_stop(s);
    exchange_fini(s);
    exchange_tell_no_idle(s);
    growth_stop(s);
}

void
shard_close_down(struct shard *s)
{
    s->is_closing_down = true;
    growth_stop(s);
    idle_close_down(s);
}

struct pool *
shard_pool(const struct shard *s)
{
    return s->pool;
}

const struct route *
shard_route(const struct shard *s)
{
    return s->route;
}

void *
shard_owner(const struct shard *s)
{
    return s->owner;
}

bool
shard_trouble(const struct shard *s, struct pg_error *why)
{
    return trouble_tell(s->pool, why);
}

unsigned
shard_waiting_count(const struct shard *s)
{
    return s->waiting_count + s->greeting_count;
}

unsigned
shard_idle_count(const struct shard *s)
{
    return s->idle_count;
}

unsigned
shard_client_count(const struct shard *s)
{
    return s->client_count;
}

void
shard_client_came(struct shard *s)
{
    s->client_count++;
}

void
shard_client_left(struct shard *s)
{
    s->client_count--;
}

uint64_t
shard_waiting_since_us(const struct shard *s)
{
    return shard_oldest_us(s);
}

struct pool_counters *
shard_counters(struct shard *s)
{
    return &s->counters;
}

struct list *
shard_members(struct shard *s)
{
    return &s->members;
}
