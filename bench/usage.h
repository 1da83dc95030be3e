/* usage.h - what another process has used so far, from /proc. */
#ifndef PGWEIR_BENCH_USAGE_H
#define PGWEIR_BENCH_USAGE_H

#include <stdint.h>

struct usage {
    double cpu_us;     /* of all its living threads, kernel and user */
    uint64_t resident; /* bytes */
};

/* PID 0, or one that is gone: all zero. */
struct usage usage_of(int pid);

#endif
