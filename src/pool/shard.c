/*
 * shard.c - who gets the next server connection in this worker.
 *
 *     shard_take() -> waiting --+                        +-- idle <- shard_give(), shard_adopt(), arrivals from other shards
 *                               +--> shard_place() <-----+
 *
 *     member:  DIALING -> ACTIVE <-> IDLE          in_all
 *                           |   \      |
 *                           |    +-> MOVING        between two workers, in no list
 *                           +--> RETIRING          on_retire() was called, shard_lost() will be
 *
 *     Invariants: waiting and idle are never both non-empty once a call returns; lines are in order of age; a handler is the last
 *     thing a function calls, or what follows looks at everything anew, because handlers come back into this file.
 *
 *     The path of a transaction, shard_take() with an idle server and shard_give() with nobody waiting, takes no lock, allocates nothing
 *     and writes nothing that another worker reads, save the pool's working time, ten times a second.
 */
#include "shard_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"

/* How exact budget_account.worked_us is: writing it costs all workers a cache line. */
#define WORKED_COARSE_US (100 * US_PER_MS)

/* Servers live up to one part in so many longer than server_lifetime, each by chance, so that those of one age do not go at once. */
#define LIFETIME_JITTER_PART 8

/* --- letters --- */

void
shard_post(struct loop *to, struct letter *letter)
{
    if (loop_post(to, letter))
        return;
    /* A million letters wait: that worker has not moved for a long time, and a lost letter would be a lost connection. */
    log_line(LOG_FATAL_LEVEL, "the mailbox of a worker is full");
    abort();
}

void
shard_ring(struct shard *s, uint32_t calls)
{
    if (atomic_fetch_or_explicit(&s->_shared.calls, calls, memory_order_acq_rel) == 0)
        shard_post(s->loop, &s->_shared.bell);
}

/* --- waiters --- */

static void
arm_wait_timer(struct shard *s)
{
    uint64_t timeout_us = s->route->query_wait_timeout_us;
    uint64_t oldest_us = shard_oldest_us(s);
    uint64_t now_us, due_us;

    if (timeout_us == 0 || oldest_us == 0)
        return;
    now_us = loop_now_us(s->loop);
    due_us = oldest_us + timeout_us;
    if (timer_is_armed(&s->wait_timer) && s->wait_timer.due_us <= due_us)
        return;
    loop_arm(s->loop, &s->wait_timer, due_us > now_us ? due_us - now_us : 0);
}

static uint64_t
notify_after_us(const struct shard *s)
{
    return s->route->settings->query_wait_notify_us;
}

static void
arm_notify_timer(struct shard *s)
{
    uint64_t now_us, due_us;

    if (notify_after_us(s) == 0 || s->next_to_tell == NULL || timer_is_armed(&s->notify_timer))
        return;
    now_us = loop_now_us(s->loop);
    due_us = waiter_of(s->next_to_tell)->since_us + notify_after_us(s);
    loop_arm(s->loop, &s->notify_timer, due_us > now_us ? due_us - now_us : 0);
}

static struct link *
behind_in(const struct list *list, struct link *l)
{
    return l->next == &list->head ? NULL : l->next;
}

static void
on_notify_due(struct timer *timer)
{
    struct shard *s = CONTAINER_OF(timer, struct shard, notify_timer);
    uint64_t now_us = loop_now_us(s->loop);

    while (notify_after_us(s) != 0 && s->next_to_tell != NULL &&
           waiter_of(s->next_to_tell)->since_us + notify_after_us(s) <= now_us) {
        struct waiter *w = waiter_of(s->next_to_tell);

        s->next_to_tell = behind_in(&s->waiting, s->next_to_tell);
        if (s->handler->on_long_wait != NULL)
            s->handler->on_long_wait(w);
    }
    arm_notify_timer(s);
}

static void
waiter_queue(struct shard *s, struct waiter *w, enum waiter_wish wish)
{
    uint64_t now_us = loop_now_us(s->loop);

    assert(w->shard == NULL);
    w->wish = wish;
    w->shard = s;
    w->since_us = now_us > 0 ? now_us : 1; /* 0 means that nobody waits */
    s->is_used = true;
    if (wish == WISH_SERVER) {
        list_push_last(&s->waiting, &w->in_waiting);
        s->waiting_count++;
        if (s->next_to_tell == NULL)
            s->next_to_tell = &w->in_waiting;
        arm_notify_timer(s);
        if (LIKELY(list_is_empty(&s->idle)))
            exchange_tell_no_idle(s);
        exchange_tell_waiting(s);
    } else {
        list_push_last(&s->greeting, &w->in_waiting);
        s->greeting_count++;
    }
    arm_wait_timer(s);
}

static void
waiter_unqueue(struct waiter *w)
{
    struct shard *s = w->shard;

    if (s->next_to_tell == &w->in_waiting)
        s->next_to_tell = behind_in(&s->waiting, &w->in_waiting);
    link_remove(&w->in_waiting);
    w->shard = NULL;
    if (w->wish == WISH_SERVER) {
        s->waiting_count--;
        exchange_tell_waiting(s);
    } else {
        s->greeting_count--;
    }
    growth_line_moved(s);
}

void
waiter_init(struct waiter *w)
{
    *w = (struct waiter){ .shard = NULL };
    link_init(&w->in_waiting);
}

void
shard_leave_queue(struct waiter *w)
{
    if (waiter_is_waiting(w))
        waiter_unqueue(w);
}

/* Whoever waits longest, for whatever; NULL: nobody. */
static struct waiter *
oldest_waiter(struct shard *s)
{
    uint64_t server_us = line_oldest_us(&s->waiting);
    uint64_t welcome_us = line_oldest_us(&s->greeting);
    struct list *line = server_us != 0 && (welcome_us == 0 || server_us <= welcome_us) ? &s->waiting
                                                                                       : &s->greeting;

    return list_is_empty(line) ? NULL : waiter_of(list_first(line));
}

static void
refuse(struct waiter *w, enum refusal refusal, const struct pg_error *why)
{
    const struct pool_handler *handler = w->shard->handler;

    waiter_unqueue(w);
    handler->on_refuse(w, refusal, why);
}

static void
on_wait_due(struct timer *timer)
{
    struct shard *s = CONTAINER_OF(timer, struct shard, wait_timer);
    uint64_t timeout_us = s->route->query_wait_timeout_us;
    uint64_t now_us = loop_now_us(s->loop);
    struct pg_error why;
    struct waiter *w;

    while (timeout_us != 0 && (w = oldest_waiter(s)) != NULL && w->since_us + timeout_us <= now_us)
        refuse(w, REFUSED_WAITED_TOO_LONG, trouble_tell(s->pool, &why) ? &why : NULL);
    arm_wait_timer(s);
}

/* CALL_REFUSED. Only those who wait now: one who is refused may come back at once. */
static void
refuse_all(struct shard *s)
{
    struct pg_error why;
    struct waiter *w;

    if (!trouble_is_refusal(s->pool))
        return;
    if (!trouble_tell(s->pool, &why))
        pg_error_set(&why, PG_FATAL, SQLSTATE_CONNECTION_FAILURE, "the server refused the login");
    for (unsigned n = s->waiting_count + s->greeting_count; n > 0 && (w = oldest_waiter(s)) != NULL; n--)
        refuse(w, REFUSED_BY_SERVER, &why);
}

/* CALL_WELCOME. A reload may have made the welcome unknown again. */
static void
greet_all(struct shard *s)
{
    if (!atomic_load_explicit(&s->pool->is_welcome_known, memory_order_acquire))
        return;
    for (unsigned n = s->greeting_count; n > 0 && s->greeting_count > 0; n--) {
        struct waiter *w = waiter_of(list_first(&s->greeting));

        waiter_unqueue(w);
        s->counters.wait_time_us += loop_now_us(s->loop) - w->since_us;
        s->handler->on_welcome(w);
    }
}

/* --- checks --- */

bool
member_is_suspect(const struct member *m, uint64_t now_us)
{
    return m->is_suspect || now_us - m->idle_since_us >= m->shard->check_delay_us;
}

static void
learn_check_delay(struct shard *s)
{
    const struct settings *settings = s->route->settings;
    bool is_on = s->handler->check != NULL && settings->server_check_query[0] != '\0';

    s->check_delay_us = is_on ? settings->server_check_delay_us : TIMERS_NEVER;
    s->is_round_robin = settings->server_round_robin;
}

/* M leaves the idle ones. */
static void
activate(struct member *m)
{
    struct shard *s = m->shard;

    link_remove(&m->in_idle);
    m->state = MEMBER_ACTIVE;
    s->idle_count--;
    s->active_count++;
}

static void
begin_check(struct member *m)
{
    m->is_checking = true;
    m->shard->checking_count++;
    m->shard->handler->check(m);
}

/* As many checks as somebody waits for: while clients wait here, whatever is idle here is suspect. */
static void
check_more(struct shard *s)
{
    while (s->waiting_count > s->checking_count && !list_is_empty(&s->idle)) {
        struct member *m = member_of_idle(list_first(&s->idle));

        activate(m);
        begin_check(m);
    }
}

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

/* How far shard_take() looks for a member with the right tag. */
#define MOST_LOOKED_AT 4

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
        waiter_queue(s, w, WISH_SERVER);
        exchange_seek(s);
        growth_look(s);
        return NULL;
    }
    if (UNLIKELY(member_is_suspect(m, loop_now_us(s->loop)))) {
        waiter_queue(s, w, WISH_SERVER);
        check_more(s);
        return NULL;
    }
    if (m->tag != w->tag && !s->is_round_robin)
        m = prefer_tag(s, m, w->tag);
    activate(m);
    return m;
}

void
shard_await_welcome(struct shard *s, struct waiter *w)
{
    waiter_queue(s, w, WISH_WELCOME);
    growth_look(s);
}

/* --- members --- */

void
member_init(struct member *m, struct shard *s)
{
    assert(s->slot_of != NULL);
    *m = (struct member){
        .shard = s,
        .born_us = loop_now_us(s->loop),
        .state = MEMBER_DIALING,
        .jitter = (uint16_t)random_next(&s->random),
        .generation = s->generation,
        .account = s->slot_of,
    };
    link_init(&m->in_idle);
    link_init(&m->in_all);
    list_push_last(&s->members, &m->in_all);
    s->slot_of = NULL;
    s->dial_count++;
}

void
member_detach(struct member *m)
{
    struct shard *s = m->shard;

    switch (m->state) {
    case MEMBER_DIALING:
        s->dial_count--;
        break;
    case MEMBER_IDLE:
        link_remove(&m->in_idle);
        s->idle_count--;
        break;
    case MEMBER_ACTIVE:
        s->active_count--;
        s->checking_count -= m->is_checking;
        m->is_checking = false;
        break;
    case MEMBER_MOVING:
    case MEMBER_RETIRING:
        return;
    }
    link_remove(&m->in_all);
}

/* The caller has taken it out of the pool's usable_count. */
static void
retire_uncounted(struct member *m, enum retire_reason reason)
{
    member_detach(m);
    m->state = MEMBER_RETIRING;
    m->shard->handler->on_retire(m, reason);
}

void
shard_retire(struct member *m, enum retire_reason reason)
{
    atomic_fetch_sub_explicit(&m->shard->pool->usable_count, 1, memory_order_relaxed);
    retire_uncounted(m, reason);
}

/* When M is older than servers may become. A lifetime of 0 means use once, and says nothing about an unused one. */
static uint64_t
member_expires_us(const struct member *m)
{
    uint64_t lifetime_us = m->shard->route->server_lifetime_us;

    if (lifetime_us == 0)
        return TIMERS_NEVER;
    return m->born_us + lifetime_us + (lifetime_us / LIFETIME_JITTER_PART >> 16) * m->jitter;
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
shard_min_size(const struct shard *s)
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

/* Closes idle servers whose time is over and arms the timer for the next. Costs a walk over the shard's idle ones, once per server_idle_timeout. */
static void
care_for_idle(struct shard *s)
{
    uint64_t now_us = loop_now_us(s->loop);
    uint64_t next_us = TIMERS_NEVER;
    struct member *m;

    while ((m = expired_idle(s, now_us)) != NULL)
        shard_retire(m, RETIRE_LIFETIME);
    while (!list_is_empty(&s->idle)) {
        m = member_of_idle(list_last(&s->idle));
        if (member_idle_due_us(m) > now_us || !pool_try_shrink(s->pool, shard_min_size(s)))
            break;
        retire_uncounted(m, RETIRE_IDLE);
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
    care_for_idle(CONTAINER_OF(timer, struct shard, idle_timer));
}

/* Nobody here needs M. */
static void
rest(struct member *m, uint64_t now_us)
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
        begin_check(m);
        return;
    }
    if (l != NULL) {
        struct waiter *w = waiter_of(l);

        waiter_unqueue(w);
        s->counters.wait_time_us += now_us - w->since_us;
        s->handler->on_grant(w, m);
        return;
    }
    rest(m, now_us);
}

/* Whether M, which has no client now, is to be closed for the sake of other pools. */
bool
shard_yields(struct member *m, uint64_t now_us)
{
    if (LIKELY(budget_pressed_since(m->account->host) == 0))
        return false;
    return budget_should_yield(m->account, exchange_oldest_us(m->shard), now_us);
}

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
    if (UNLIKELY(m->is_checking)) {
        m->is_checking = m->is_suspect = false;
        s->checking_count--;
    }
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

/* --- calls from other threads --- */

/* An idle server that the configuration has no use for any more. */
static struct member *
stale_idle(struct shard *s)
{
    LIST_EACH(&s->idle, l) {
        if (s->is_gone || member_of_idle(l)->is_stale)
            return member_of_idle(l);
    }
    return NULL;
}

/* CALL_ROUTE */
static void
learn_news(struct shard *s)
{
    struct route *before = s->route;
    struct pool_account *account_before = s->account;
    struct pool_news news;
    struct member *m;

    pool_read_news(s->pool, &news);
    s->route = news.route;
    s->is_gone = news.is_gone;
    s->account = news.account;
    if (s->account != account_before || atomic_load_explicit(&s->pool->is_paused, memory_order_acquire))
        growth_forget(s);
    if (s->generation != news.generation) {
        s->generation = news.generation;
        LIST_EACH(&s->members, l) {
            m = CONTAINER_OF(l, struct member, in_all);
            m->is_stale = m->generation <
                          s->generation; /* one that arrived before this letter may be new already */
            if (m->is_stale && m->state == MEMBER_ACTIVE && s->handler->on_stale != NULL)
                s->handler->on_stale(m);
        }
    }
    learn_check_delay(s);
    while ((m = stale_idle(s)) != NULL)
        shard_retire(m, m->is_stale ? RETIRE_STALE : RETIRE_IDLE);
    route_drop(before);
    timer_cancel(&s->notify_timer); /* another time may be set now */
    arm_notify_timer(s);
    arm_wait_timer(s);
    care_for_idle(s);
}

/* CALL_SQUEEZE. Where nothing is idle here, another shard of the pool is asked, and the budget when there is none. */
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
        greet_all(s);
    if (calls & CALL_REFUSED)
        refuse_all(s);
    if (calls & CALL_ANSWERED)
        exchange_hear(s);
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
    list_init(&s->idle);
    list_init(&s->waiting);
    list_init(&s->greeting);
    list_init(&s->members);
    timer_init(&s->wait_timer, on_wait_due);
    timer_init(&s->idle_timer, on_idle_due);
    timer_init(&s->notify_timer, on_notify_due);
    learn_check_delay(s);
    s->random = random | 1;
    s->_shared.bell.on_arrival = on_bell;
    atomic_init(&s->_shared.calls, 0);
    atomic_init(&s->_shared.squeezes, 0);
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
    timer_cancel(&s->wait_timer);
    timer_cancel(&s->idle_timer);
    timer_cancel(&s->notify_timer);
    exchange_fini(s);
    exchange_tell_no_idle(s);
    growth_stop(s);
}

void
shard_close_down(struct shard *s)
{
    struct link *l;

    s->is_closing_down = true;
    growth_stop(s);
    timer_cancel(&s->idle_timer);
    while ((l = list_last(&s->idle)) != NULL)
        shard_retire(member_of_idle(l), RETIRE_IDLE);
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

struct loop *
shard_loop(const struct shard *s)
{
    return s->loop;
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
shard_active_count(const struct shard *s)
{
    return s->active_count;
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
