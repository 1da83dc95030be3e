/* test_counters.c - what a pool counts: pgweir/pool/counters.h. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_counters(void);

static const struct scene one = { .limit = 1 };

static void
queries_transactions_and_bytes_are_counted(void)
{
    PLAY(&one, "c1 enters", "counter client_login_count 1", "counter query_count 0",
         "c1 sends Query begin", /* 1 + 4 + 6 bytes */
         "counter query_count 1", "counter xact_count 1", "counter received_bytes 11", "time 2 s",
         "s1 sends Complete BEGIN | Ready T", /* 1 + 4 + 6, 1 + 4 + 1 */
         "counter sent_bytes 17", "counter query_time_us 2000000", "counter xact_time_us 0",
         "c1 gets Complete BEGIN | Ready T", "s1 gets Query begin", "time 3 s", "c1 sends Query end",
         "counter query_count 2", "counter xact_count 1", "s1 gets Query end", "time 1 s",
         "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I",
         "counter query_time_us 3000000", "counter xact_time_us 6000000", "counter server_assignment_count 1",
         "counter wait_time_us 0");
}

static void
a_pipeline_is_one_query(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Query a | Query b | Query c",
                "s1 gets Query a | Query b | Query c", "s1 sends Complete A | Ready I",
                "s1 sends Complete B | Ready I", "s1 sends Complete C | Ready I",
                "c1 gets Complete A | Ready I | Complete B | Ready I | Complete C | Ready I",
                "counter query_count 1", "counter xact_count 1", "counter server_assignment_count 1",
                "c1 sends Query d", "s1 gets Query d", "counter query_count 2");
}

static void
the_wait_for_a_server_is_counted_and_is_no_query_time(void)
{
    PLAY(&one, "c1 enters", "c2 enters", "c1 sends Query a", "s1 gets Query a", "c2 sends Query b",
         "time 4 s", "counter query_count 1", "s1 sends Complete A | Ready I", "c1 gets Complete A | Ready I",
         "counter wait_time_us 4000000", "s1 gets Query b", "time 1 s", "s1 sends Complete B | Ready I",
         "c2 gets Complete B | Ready I", "counter query_time_us 5000000", "counter query_count 2");
}

static void
prepared_statements_are_counted_where_they_are_made(void)
{
    PLAY_SPLITS(
        &one, "c1 enters", "c2 enters", "c1 sends Parse s1 select 1 | Sync",
        "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
        "c1 gets ParseComplete | Ready I", "c2 sends Parse s1 select 1 | Bind - s1 | Execute - 0 | Sync",
        "s1 gets Bind - pgweir_1 | Execute - 0 | Sync", "s1 sends BindComplete | Complete SELECT 1 | Ready I",
        "c2 gets ParseComplete | BindComplete | Complete SELECT 1 | Ready I", "counter client_parse_count 2",
        "counter server_parse_count 1", "counter bind_count 1");
}

void
suite_counters(void)
{
    CU_pSuite suite = CU_add_suite("counters", NULL, NULL);

    CU_ADD_TEST(suite, queries_transactions_and_bytes_are_counted);
    CU_ADD_TEST(suite, a_pipeline_is_one_query);
    CU_ADD_TEST(suite, the_wait_for_a_server_is_counted_and_is_no_query_time);
    CU_ADD_TEST(suite, prepared_statements_are_counted_where_they_are_made);
}
