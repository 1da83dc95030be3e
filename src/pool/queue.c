/*
 * queue.c - the clients that wait in one shard.
 *
 *     WISH_SERVER   in `waiting`:   a request is at hand; leaves with a server, or refused
 *     WISH_WELCOME  in `greeting`:  a login; leaves with the welcome that any server of the pool brings, or
 *     refused
 *
 *     wait_timer    the oldest of both lines has waited for query_wait_timeout: it is refused
 *     notify_timer  the oldest that nobody has been told of has waited for query_wait_notify: it is told,
 *     once, and goes on waiting
 *
 *     Invariants: lines are in order of age; a timer is armed no later than its oldest is due, and one that
 *     rings for somebody who has left since looks again.
 */
#include "shard_impl.h"

#include <assert.h>

void
waiter_init(struct waiter *w)
{
    *w = (struct waiter){ .shard = NULL };
    link_init(&w->in_waiting);
}

/* --- time --- */

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

/* --- the lines --- */

void
queue_join(struct shard *s, struct waiter *w, enum waiter_wish wish)
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
queue_leave(struct waiter *w)
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
shard_leave_queue(struct waiter *w)
{
    if (waiter_is_waiting(w))
        queue_leave(w);
}

void
queue_grant(struct waiter *w, struct member *m, uint64_t now_us)
{
    struct shard *s = w->shard;

    queue_leave(w);
    s->counters.wait_time_us += now_us - w->since_us;
    s->handler->on_grant(w, m);
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

    queue_leave(w);
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

/* Only those who wait now: one who is refused may come back at once. */
void
queue_refuse_all(struct shard *s)
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

/* A reload may have made the welcome unknown again. */
void
queue_greet_all(struct shard *s)
{
    if (!atomic_load_explicit(&s->pool->is_welcome_known, memory_order_acquire))
        return;
    for (unsigned n = s->greeting_count; n > 0 && s->greeting_count > 0; n--) {
        struct waiter *w = waiter_of(list_first(&s->greeting));

        queue_leave(w);
        s->counters.wait_time_us += loop_now_us(s->loop) - w->since_us;
        s->handler->on_welcome(w);
    }
}

void
queue_init(struct shard *s)
{
    list_init(&s->waiting);
    list_init(&s->greeting);
    timer_init(&s->wait_timer, on_wait_due);
    timer_init(&s->notify_timer, on_notify_due);
}

void
queue_stop(struct shard *s)
{
    timer_cancel(&s->wait_timer);
    timer_cancel(&s->notify_timer);
}

void
queue_learn(struct shard *s)
{
    timer_cancel(&s->notify_timer); /* another time may be set now */
    arm_notify_timer(s);
    arm_wait_timer(s);
}
