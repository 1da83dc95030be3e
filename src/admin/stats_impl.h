/*
 * stats_impl.h - totals per database and what they were: SHOW STATS and the line of log_stats.
 *
 *     every stats_period:  older <- newer <- totals now      averages compare now with `older`, so they span one to two periods
 */
#ifndef PGWEIR_ADMIN_STATS_IMPL_H
#define PGWEIR_ADMIN_STATS_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "pgweir/pool/counters.h"

struct roll;

struct stats_row {
    char database[64];
    struct pool_counters total;
};

struct stats_snapshot {
    struct stats_row *rows; /* by database, in order; owned */
    size_t count;
    uint64_t taken_us;
};

struct stats {
    struct stats_snapshot newer, older;
};

void stats_init(struct stats *s, uint64_t now_us);
void stats_fini(struct stats *s);
/* Moves on: NOW (adopted) becomes `newer`. */
void stats_advance(struct stats *s, struct stats_snapshot *now);

/* The totals of ROLL per database, the console's included. */
void stats_snapshot_of(struct stats_snapshot *out, const struct roll *roll, uint64_t now_us);
void stats_snapshot_fini(struct stats_snapshot *snapshot);
/* The sum over all databases. */
void stats_sum(const struct stats_snapshot *snapshot, struct pool_counters *out);
/* What SNAPSHOT has for DATABASE; zeros when it has nothing. */
struct pool_counters stats_of(const struct stats_snapshot *snapshot, const char *database);
/* Per second, save that times are per transaction, query and assignment. */
void stats_average(const struct pool_counters *now, uint64_t now_us, const struct pool_counters *before,
                   uint64_t before_us, struct pool_counters *out);

/* The line of log_stats, without its level and time. */
void stats_line(const struct pool_counters *average, char *out, size_t size);

#endif
