/*
 * timers.c - one queue per delay.
 *
 *     lanes[0]  30 s   -> due 41.2 -> due 44.0 -> due 69.9
 *     lanes[1]  120 s  -> due 90.1
 *     sorted           -> due 43.3 -> due 50.0               (delays that found no lane)
 *
 *     Invariant: every queue is in order of due_us. A new timer of a lane's delay belongs behind the last
 *     one, unless the caller's idea of now went back; so insertion walks from the end and stops at once.
 *     A lane whose queue is empty may be taken over by another delay, once all lanes are in use.
 */
#include "pgweir/base/timers.h"

#include <stddef.h>


static uint64_t
due_of(const struct link *l)
{
    return CONTAINER_OF_CONST(l, struct timer, in_timers)->due_us;
}

static uint64_t
queue_due_us(const struct list *queue)
{
    return list_is_empty(queue) ? TIMERS_NEVER : due_of(queue->head.next);
}

static void
queue_insert(struct list *queue, struct timer *timer)
{
    struct link *where = queue->head.prev;

    while (where != &queue->head && due_of(where) > timer->due_us)
        where = where->prev;
    link_insert_after(where, &timer->in_timers);
}

void
timers_init(struct timers *t)
{
    t->lane_count = 0;
    for (unsigned i = 0; i < TIMERS_DELAYS; i++) {
        t->lanes[i].delay_us = 0;
        list_init(&t->lanes[i].queue);
    }
    list_init(&t->sorted);
}

void
timer_init(struct timer *timer, void (*on_due)(struct timer *timer))
{
    link_init(&timer->in_timers);
    timer->due_us = TIMERS_NEVER;
    timer->on_due = on_due;
}

static struct list *
timers_queue_for(struct timers *t, uint64_t delay_us)
{
    struct timers_lane *vacant = NULL;

    for (unsigned i = 0; i < t->lane_count; i++) {
        if (t->lanes[i].delay_us == delay_us)
            return &t->lanes[i].queue;
        if (vacant == NULL && list_is_empty(&t->lanes[i].queue))
            vacant = &t->lanes[i];
    }
    if (t->lane_count < TIMERS_DELAYS)
        vacant = &t->lanes[t->lane_count++];
    if (vacant == NULL)
        return &t->sorted;
    vacant->delay_us = delay_us;
    return &vacant->queue;
}

void
timers_arm(struct timers *t, struct timer *timer, uint64_t now_us, uint64_t delay_us)
{
    link_remove(&timer->in_timers);
    if (__builtin_add_overflow(now_us, delay_us, &timer->due_us))
        timer->due_us = TIMERS_NEVER;
    queue_insert(timers_queue_for(t, delay_us), timer);
}

void
timer_cancel(struct timer *timer)
{
    link_remove(&timer->in_timers);
}

/* The queue whose head ends first; `sorted`, perhaps empty, when there is none. */
static struct list *
timers_first_queue(struct timers *t)
{
    struct list *first = &t->sorted;
    uint64_t first_us = queue_due_us(first);

    for (unsigned i = 0; i < t->lane_count; i++) {
        uint64_t due_us = queue_due_us(&t->lanes[i].queue);

        if (due_us < first_us) {
            first = &t->lanes[i].queue;
            first_us = due_us;
        }
    }
    return first;
}

uint64_t
timers_next_us(const struct timers *t)
{
    uint64_t next_us = queue_due_us(&t->sorted);

    for (unsigned i = 0; i < t->lane_count; i++) {
        uint64_t due_us = queue_due_us(&t->lanes[i].queue);

        if (due_us < next_us)
            next_us = due_us;
    }
    return next_us;
}

void
timers_run(struct timers *t, uint64_t now_us)
{
    struct list due;
    struct list *queue;

    /* First set aside, then end: a handler may cancel or move what is set aside, and what it arms goes
     * to the queues, which this call does not look at again. */
    list_init(&due);
    for (queue = timers_first_queue(t); !list_is_empty(queue) && queue_due_us(queue) <= now_us;
         queue = timers_first_queue(t)) {
        struct link *l = list_first(queue);

        link_remove(l);
        list_push_last(&due, l);
    }
    while (!list_is_empty(&due)) {
        struct timer *timer = CONTAINER_OF(list_first(&due), struct timer, in_timers);

        link_remove(&timer->in_timers);
        timer->on_due(timer);
    }
}
