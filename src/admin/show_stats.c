/* show_stats.c - STATS, STATS_TOTALS, STATS_AVERAGES, TOTALS: counters and their averages. */
#include <stdio.h>
#include <string.h>

#include "show_impl.h"

#define STAT_NAMES(prefix, received, sent)                                                 \
    N(prefix "server_assignment_count"), N(prefix "xact_count"), N(prefix "query_count"),  \
        N(prefix received), N(prefix sent), N(prefix "xact_time"), N(prefix "query_time"), \
        N(prefix "wait_time")
#define STAT_NAMES_END(prefix)                                                              \
    N(prefix "client_parse_count"), N(prefix "server_parse_count"), N(prefix "bind_count"), \
        N(prefix "client_login_count")

static const struct console_column stats_columns[] = {
    T("database"),
    STAT_NAMES("total_", "received", "sent"),
    STAT_NAMES_END("total_"),
    STAT_NAMES("avg_", "recv", "sent"),
    STAT_NAMES_END("avg_"),
    N("total_requests"), /* behind PgBouncer's columns: what it told before 1.8, which old exporters want */
};
static const struct console_column stats_totals_columns[] = {
    T("database"),
    STAT_NAMES("", "bytes_received", "bytes_sent"),
    STAT_NAMES_END(""),
};
static const struct console_column stats_averages_columns[] = {
    T("database"),
    STAT_NAMES("", "bytes_received", "bytes_sent"),
    STAT_NAMES_END("avg_"),
};
static const struct console_column totals_columns[] = { T("name"), N("value") };

#define STAT_COUNT 12u

/* In the columns' order. */
static void
stat_values(const struct pool_counters *c, uint64_t out[STAT_COUNT])
{
    const uint64_t values[STAT_COUNT] = {
        c->server_assignment_count, c->xact_count,   c->query_count,
        c->received_bytes,          c->sent_bytes,   c->xact_time_us,
        c->query_time_us,           c->wait_time_us, c->client_parse_count,
        c->server_parse_count,      c->bind_count,   c->client_login_count,
    };

    memcpy(out, values, sizeof values);
}

static void
add_stats(struct buf *rows, const struct pool_counters *c)
{
    uint64_t values[STAT_COUNT];

    stat_values(c, values);
    for (size_t i = 0; i < STAT_COUNT; i++)
        console_add_uint(rows, values[i]);
}

enum { STATS_TOTAL = 1, STATS_AVERAGE = 2 };

static void
write_stats_of(struct job *j, const struct roll *roll, struct buf *rows, unsigned which)
{
    const struct stats_snapshot *before = &j->admin->stats.older;
    struct stats_snapshot now;

    stats_snapshot_of(&now, roll, clock_now_us(j->admin->clock));
    for (size_t i = 0; i < now.count; i++) {
        struct pool_counters old = stats_of(before, now.rows[i].database);
        struct pool_counters average;

        stats_average(&now.rows[i].total, now.taken_us, &old, before->taken_us, &average);
        console_add_text(rows, now.rows[i].database);
        if (which & STATS_TOTAL)
            add_stats(rows, &now.rows[i].total);
        if (which & STATS_AVERAGE)
            add_stats(rows, &average);
        if (which == (STATS_TOTAL | STATS_AVERAGE))
            console_add_uint(rows, now.rows[i].total.query_count);
    }
    stats_snapshot_fini(&now);
}

static void
write_stats(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_TOTAL | STATS_AVERAGE);
}

static void
write_stats_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_TOTAL);
}

static void
write_stats_averages(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_AVERAGE);
}

static void
add_totals(struct buf *rows, const char *prefix, const struct pool_counters *c)
{
    static const char *const names[STAT_COUNT] = {
        "server_assignment_count",
        "xact_count",
        "query_count",
        "client_bytes",
        "server_bytes",
        "xact_time",
        "query_time",
        "wait_time",
        "ps_client_parse_count",
        "ps_server_parse_count",
        "ps_bind_count",
        "client_login_count",
    };
    uint64_t values[STAT_COUNT];
    char name[64];

    stat_values(c, values);
    for (size_t i = 0; i < STAT_COUNT; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        console_add_text(rows, name);
        console_add_uint(rows, values[i]);
    }
}

static void
write_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    struct stats_snapshot now;
    struct pool_counters sum, old, average;

    stats_snapshot_of(&now, roll, clock_now_us(j->admin->clock));
    stats_sum(&now, &sum);
    stats_sum(&j->admin->stats.older, &old);
    stats_average(&sum, now.taken_us, &old, j->admin->stats.older.taken_us, &average);
    add_totals(rows, "total_", &sum);
    add_totals(rows, "avg_", &average);
    stats_snapshot_fini(&now);
}

/* clang-format off */
static const struct show rows_here[] = {
    { "STATS", SHAPE(stats_columns), ROLL_POOLS, .write = write_stats },
    { "STATS_TOTALS", SHAPE(stats_totals_columns), ROLL_POOLS, .write = write_stats_totals },
    { "STATS_AVERAGES", SHAPE(stats_averages_columns), ROLL_POOLS, .write = write_stats_averages },
    { "TOTALS", SHAPE(totals_columns), ROLL_POOLS, .write = write_totals },
};
/* clang-format on */

const struct show_family show_stats = SHOW_FAMILY(rows_here);
