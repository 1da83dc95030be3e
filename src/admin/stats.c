/* stats.c - arithmetic over what roll calls bring. Counters never go down while the process lives, for pools
 * are never freed. */
#include "stats_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/clock.h"
#include "pgweir/base/mem.h"
#include "pgweir/session/console.h"
#include "pgweir/session/roll.h"

void
stats_init(struct stats *s, uint64_t now_us)
{
    *s = (struct stats){ .newer = { .taken_us = now_us }, .older = { .taken_us = now_us } };
}

void
stats_snapshot_fini(struct stats_snapshot *snapshot)
{
    free(snapshot->rows);
    *snapshot = (struct stats_snapshot){ .rows = NULL };
}

void
stats_fini(struct stats *s)
{
    stats_snapshot_fini(&s->newer);
    stats_snapshot_fini(&s->older);
}

void
stats_advance(struct stats *s, struct stats_snapshot *now)
{
    stats_snapshot_fini(&s->older);
    s->older = s->newer;
    s->newer = *now;
    *now = (struct stats_snapshot){ .rows = NULL };
}

static int
compare_rows(const void *a, const void *b)
{
    const struct stats_row *one = a, *other = b;

    return strcmp(one->database, other->database);
}

void
stats_snapshot_of(struct stats_snapshot *out, const struct roll *roll, uint64_t now_us)
{
    out->rows = mem_new((roll->pool_count + 1) * sizeof *out->rows);
    out->count = 0;
    out->taken_us = now_us;
    for (size_t i = 0; i < roll->pool_count; i++) { /* they come sorted */
        const struct roll_pool *pool = &roll->pools[i];
        struct stats_row *last = out->count == 0 ? NULL : &out->rows[out->count - 1];

        if (last == NULL || strcmp(last->database, pool->database) != 0) {
            last = &out->rows[out->count++];
            snprintf(last->database, sizeof last->database, "%s", pool->database);
        }
        pool_counters_add(&last->total, &pool->counters);
    }
    snprintf(out->rows[out->count].database, sizeof out->rows[0].database, "%s", CONSOLE_DATABASE);
    out->rows[out->count++].total = roll->totals.console;
    qsort(out->rows, out->count, sizeof *out->rows, compare_rows);
}

void
stats_sum(const struct stats_snapshot *snapshot, struct pool_counters *out)
{
    *out = (struct pool_counters){ 0 };
    for (size_t i = 0; i < snapshot->count; i++)
        pool_counters_add(out, &snapshot->rows[i].total);
}

struct pool_counters
stats_of(const struct stats_snapshot *snapshot, const char *database)
{
    for (size_t i = 0; i < snapshot->count; i++)
        if (strcmp(snapshot->rows[i].database, database) == 0)
            return snapshot->rows[i].total;
    return (struct pool_counters){ 0 };
}

static uint64_t
ratio(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : a / b;
}

void
stats_average(const struct pool_counters *now, uint64_t now_us, const struct pool_counters *before,
              uint64_t before_us, struct pool_counters *out)
{
    uint64_t span_us = now_us > before_us ? now_us - before_us : 1;

#define PER_SECOND(id, text) \
    out->id = (uint64_t)((double)(now->id - before->id) * (double)US_PER_S / (double)span_us);
    POOL_COUNTERS(PER_SECOND)
#undef PER_SECOND
    out->xact_time_us = ratio(now->xact_time_us - before->xact_time_us, now->xact_count - before->xact_count);
    out->query_time_us = ratio(now->query_time_us - before->query_time_us,
                               now->query_count - before->query_count);
    out->wait_time_us = ratio(now->wait_time_us - before->wait_time_us,
                              now->server_assignment_count - before->server_assignment_count);
}

void
stats_line(const struct pool_counters *a, char *out, size_t size)
{
    snprintf(out, size,
             "stats: %" PRIu64 " xacts/s, %" PRIu64 " queries/s, %" PRIu64 " client parses/s, %" PRIu64
             " server parses/s, %" PRIu64 " binds/s, in %" PRIu64 " B/s, out %" PRIu64 " B/s, xact %" PRIu64
             " us, query %" PRIu64 " us, wait %" PRIu64 " us",
             a->xact_count, a->query_count, a->client_parse_count, a->server_parse_count, a->bind_count,
             a->received_bytes, a->sent_bytes, a->xact_time_us, a->query_time_us, a->wait_time_us);
}
