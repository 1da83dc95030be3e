/*
 * latency.c - cells 0..31 hold one microsecond each; above, the five bits behind the leading one choose the
 * cell within its power of two.
 */
#include "latency.h"

static unsigned
cell_of(uint64_t us)
{
    unsigned power = 0;

    while (us >> power >= 2 * LATENCY_STEPS)
        power++;
    if (us < LATENCY_STEPS)
        return (unsigned)us;
    return LATENCY_STEPS * (power + 1) + (unsigned)((us >> power) - LATENCY_STEPS);
}

/* The middle of a cell. */
static uint64_t
middle_of(unsigned cell)
{
    unsigned power = cell / LATENCY_STEPS;
    uint64_t step = cell % LATENCY_STEPS;

    if (power == 0)
        return step;
    return ((LATENCY_STEPS + step) << (power - 1)) + (UINT64_C(1) << (power - 1)) / 2;
}

void
latency_note(struct latency *l, uint64_t us)
{
    unsigned cell = cell_of(us);

    l->cells[cell < LATENCY_CELLS ? cell : LATENCY_CELLS - 1]++;
    l->count++;
    l->sum_us += us;
    if (us > l->most_us)
        l->most_us = us;
}

uint64_t
latency_quantile(const struct latency *l, double q)
{
    uint64_t wanted = (uint64_t)((double)l->count * q);
    uint64_t seen = 0;

    for (unsigned cell = 0; cell < LATENCY_CELLS; cell++) {
        seen += l->cells[cell];
        if (seen > wanted)
            return middle_of(cell);
    }
    return l->most_us;
}

double
latency_mean(const struct latency *l)
{
    return l->count == 0 ? 0 : (double)l->sum_us / (double)l->count;
}
