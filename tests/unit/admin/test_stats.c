/* test_stats.c - totals per database, and averages over one to two periods. */
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "admin/stats_impl.h"
#include "pgweir/base/attr.h"
#include "pgweir/base/clock.h"
#include "pgweir/session/roll.h"

void suite_stats(void);

static struct roll_pool
pool_of(const char *database, uint64_t queries)
{
    struct roll_pool p = { .counters = { .query_count = queries } };

    strcpy(p.database, database);
    return p;
}

static void
pools_add_up_to_databases(void)
{
    struct roll_pool pools[] = { pool_of("a", 1), pool_of("a", 2), pool_of("z", 5) };
    struct roll roll = { .pools = pools, .pool_count = COUNT_OF(pools), .totals.console.query_count = 9 };
    struct stats_snapshot s;
    struct pool_counters sum;

    stats_snapshot_of(&s, &roll, 77);
    CU_ASSERT_EQUAL(s.count, 3);
    CU_ASSERT_EQUAL(s.taken_us, 77);
    CU_ASSERT_STRING_EQUAL(s.rows[1].database, "pgbouncer"); /* in order */
    CU_ASSERT_EQUAL(stats_of(&s, "a").query_count, 3);
    CU_ASSERT_EQUAL(stats_of(&s, "z").query_count, 5);
    CU_ASSERT_EQUAL(stats_of(&s, "pgbouncer").query_count, 9);
    CU_ASSERT_EQUAL(stats_of(&s, "b").query_count, 0);
    stats_sum(&s, &sum);
    CU_ASSERT_EQUAL(sum.query_count, 17);
    stats_snapshot_fini(&s);
}

static void
averages_are_per_second_and_times_per_event(void)
{
    const struct pool_counters before = { .query_count = 100, .query_time_us = 1000 };
    const struct pool_counters now = { .query_count = 120,
                                       .query_time_us = 5000,
                                       .received_bytes = 4096,
                                       .wait_time_us = 900,
                                       .server_assignment_count = 3,
                                       .xact_time_us = 8 };
    struct pool_counters a;

    stats_average(&now, 12 * US_PER_S, &before, 2 * US_PER_S, &a);
    CU_ASSERT_EQUAL(a.query_count, 2);
    CU_ASSERT_EQUAL(a.query_time_us, 200);
    CU_ASSERT_EQUAL(a.received_bytes, 409);
    CU_ASSERT_EQUAL(a.wait_time_us, 300);
    CU_ASSERT_EQUAL(a.xact_time_us, 0);                   /* of no transaction */
    stats_average(&now, US_PER_S, &before, US_PER_S, &a); /* no time has gone by */
    CU_ASSERT_EQUAL(a.query_time_us, 200);
}

static void
the_snapshot_before_last_is_what_averages_look_back_to(void)
{
    struct stats s;

    stats_init(&s, 10);
    for (uint64_t now_us = 20; now_us <= 40; now_us += 10) {
        struct stats_snapshot next = { .taken_us = now_us };

        stats_advance(&s, &next);
        CU_ASSERT_EQUAL(s.older.taken_us, now_us - 10);
        CU_ASSERT_EQUAL(s.newer.taken_us, now_us);
    }
    stats_fini(&s);
}

static void
the_line_of_the_log_is_pgbouncers(void)
{
    char line[400];

    stats_line(&(struct pool_counters){ .xact_count = 1,
                                        .query_count = 2,
                                        .client_parse_count = 3,
                                        .server_parse_count = 4,
                                        .bind_count = 5,
                                        .received_bytes = 6,
                                        .sent_bytes = 7,
                                        .xact_time_us = 8,
                                        .query_time_us = 9,
                                        .wait_time_us = 10 },
               line, sizeof line);
    CU_ASSERT_STRING_EQUAL(line,
                           "stats: 1 xacts/s, 2 queries/s, 3 client parses/s, 4 server parses/s, 5 binds/s, "
                           "in 6 B/s, out 7 B/s, xact 8 us, query 9 us, wait 10 us");
}

void
suite_stats(void)
{
    CU_pSuite suite = CU_add_suite("stats", NULL, NULL);

    CU_ADD_TEST(suite, pools_add_up_to_databases);
    CU_ADD_TEST(suite, averages_are_per_second_and_times_per_event);
    CU_ADD_TEST(suite, the_snapshot_before_last_is_what_averages_look_back_to);
    CU_ADD_TEST(suite, the_line_of_the_log_is_pgbouncers);
}
