/* clock.h - time as a thing that is passed in, so that a test owns it. Monotone microseconds. */
#ifndef PGWEIR_BASE_CLOCK_H
#define PGWEIR_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS UINT64_C(1000)
#define US_PER_S UINT64_C(1000000)

struct clock {
    uint64_t (*now_us)(const struct clock *clock);
    uint64_t fake_us; /* only for clock_fake() */
};

struct clock clock_real(void);              /* CLOCK_MONOTONIC */
struct clock clock_fake(uint64_t start_us); /* stands still until clock_advance_us() */
void clock_advance_us(struct clock *fake, uint64_t by_us);

static inline uint64_t
clock_now_us(const struct clock *clock)
{
    return clock->now_us(clock);
}

#endif
