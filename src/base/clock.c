/* clock.c - the machine's monotone clock, and one that only moves when a test says so. */
#include "pgweir/base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t
real_now_us(const struct clock *clock)
{
    struct timespec now;

    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t
fake_now_us(const struct clock *clock)
{
    return clock->fake_us;
}

struct clock
clock_real(void)
{
    return (struct clock){ .now_us = real_now_us };
}

struct clock
clock_fake(uint64_t start_us)
{
    return (struct clock){ .now_us = fake_now_us, .fake_us = start_us };
}

void
clock_advance_us(struct clock *fake, uint64_t by_us)
{
    assert(fake->now_us == fake_now_us);
    fake->fake_us += by_us;
}
