/*
 * timers.h - many timers with few distinct delays, in O(1).
 *
 * A timer is armed with a delay. Timers of one delay end in the order in which they were armed, so each
 * delay has one FIFO list and only the heads are compared (libevent's "common timeout" does the same, but
 * an event costs 128 bytes and its clock cannot be replaced). At most TIMERS_DELAYS lists; further delays share one
 * list that is kept sorted. One thread.
 */
#ifndef PGWEIR_BASE_TIMERS_H
#define PGWEIR_BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/list.h"

#define TIMERS_DELAYS 24
#define TIMERS_NEVER UINT64_MAX

struct timer {
    struct link in_timers;
    uint64_t due_us;
    void (*on_due)(struct timer *timer); /* may arm, cancel and free any timer, itself included */
};

struct timers {
    struct timers_lane {
        uint64_t delay_us;
        struct list queue;
    } lanes[TIMERS_DELAYS];
    unsigned lane_count;
    struct list sorted;
};

void timers_init(struct timers *t);
void timer_init(struct timer *timer, void (*on_due)(struct timer *timer));

static inline bool
timer_is_armed(const struct timer *timer)
{
    return link_is_in(&timer->in_timers);
}

/* Arms TIMER to end DELAY_US after NOW_US; a timer that was armed is moved. */
void timers_arm(struct timers *t, struct timer *timer, uint64_t now_us, uint64_t delay_us);
void timer_cancel(struct timer *timer); /* fine when it is not armed */

/* When the next timer ends, or TIMERS_NEVER. */
uint64_t timers_next_us(const struct timers *t);
/* Ends every timer that is due at NOW_US. A timer armed meanwhile with a delay of 0 waits for the next call. */
void timers_run(struct timers *t, uint64_t now_us);

#endif
