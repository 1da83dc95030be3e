/* latency.h - a histogram of microseconds: 32 steps per power of two, so a quantile is right within 3 %. */
#ifndef PGWEIR_BENCH_LATENCY_H
#define PGWEIR_BENCH_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS 32u
#define LATENCY_CELLS (LATENCY_STEPS * 36u)

struct latency {
    uint64_t cells[LATENCY_CELLS];
    uint64_t count;
    uint64_t sum_us;
    uint64_t most_us;
};

void latency_note(struct latency *l, uint64_t us);
/* The time below which the share Q (0 to 1) of what was noted lies; 0 when nothing was. */
uint64_t latency_quantile(const struct latency *l, double q);
double latency_mean(const struct latency *l);

#endif
