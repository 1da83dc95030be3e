/*
 * test_copy.c - COPY in and out, in both protocols, with everything that can go wrong in the middle.
 *
 * The traps (DESIGN.md 5): PostgreSQL ignores Sync while it copies in, so a Sync may or may not be answered;
 * after an error it answers at once or at the next Sync, while the client still sends rows, which are then
 * ignored too.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "script.h"

void suite_copy(void);

static struct weir *
weir(void)
{
    pg_ask(pg_main(), "create table if not exists copied (a int primary key, b text)");
    return weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 2\n"
                    "client_tls_sslmode = prefer\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n",
    });
}

#define EMPTY_TABLE "Q delete from copied", "<Z"
#define WHAT_IS_THERE "Q select * from copied order by a", "<Z"

/* --- out --- */

static void
rows_are_copied_out(void)
{
    SAME(weir(), "Q copy (select i, 'row ' || i from generate_series(1, 3) i) to stdout", "<Z",
         "Q copy (select 1 where false) to stdout", "<Z",
         "Q copy (select i, i::text from generate_series(1, 3) i) to stdout (format binary)", "<Z",
         "Q select 1", "<Z");
}

static void
rows_are_copied_out_in_the_extended_protocol(void)
{
    SAME(weir(), "P - copy (select generate_series(1, 3)) to stdout", "B - -", "D P -", "E - 0", "S",
         "P - select 1", "B - -", "E - 0", "S", "<Z", "<Z");
}

static void
copying_out_stands_among_other_statements(void)
{
    SAME(weir(), "Q select 1; copy (select 2) to stdout; select 3; copy (select 4) to stdout", "<Z",
         "Q begin; copy (select 5) to stdout", "<Z", "Q commit", "<Z");
}

static void
copying_out_fails_in_the_middle(void)
{
    SAME(weir(), "Q copy (select 10 / (3 - i) from generate_series(1, 5) i) to stdout", "<Z", "Q select 1",
         "<Z", "P - copy (select 10 / (3 - i) from generate_series(1, 5) i) to stdout", "B - -", "E - 0",
         "P - select 'skipped'", "S", "Q select 2", "<Z", "<Z");
}

static void
ten_megabytes_are_copied_out(void)
{
    SAME(weir(), "Q copy (select i, repeat('x', 490) from generate_series(1, 20000) i) to stdout", "<Z",
         "Q select 1", "<Z");
}

/* --- in --- */

static void
rows_are_copied_in(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "<G", "d 1\tone", "d 2\ttwo", "c", "<Z",
         WHAT_IS_THERE, EMPTY_TABLE, "Q copy copied from stdin", "<G", "c", "<Z", WHAT_IS_THERE);
}

static void
rows_are_sent_before_the_server_asks(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "d 1\tone", "c", "Q select count(*) from copied",
         "<Z", "<Z", "H", EMPTY_TABLE);
}

static void
rows_are_copied_in_inside_a_transaction(void)
{
    SAME(weir(), "Q begin; create temp table t (a int, b text) on commit drop", "<Z", "Q copy t from stdin",
         "<G", "d 1\tone", "c", "<Z", "Q select a + 0, b || '' from t", "<Z", "Q rollback", "<Z");
}

static void
two_tables_are_copied_in_by_one_query(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin; select 1; copy copied (a) from stdin; select 2",
         "<G", "d 1\tone", "c", "<G", "d 2", "c", "<Z", WHAT_IS_THERE, EMPTY_TABLE);
}

static void
a_client_gives_up_copying_in(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "<G", "d 1\tone", "f changed my mind", "<Z",
         "Q select 1", "<Z", WHAT_IS_THERE, "Q copy copied from stdin; select 'skipped'", "<G", "f at once",
         "<Z", "Q select 2", "<Z");
}

static void
a_bad_row_ends_copying_in(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "<G", "d 1\tone", "d notanumber\ttwo", "d 3\tthree",
         "c", "<Z", "Q select 1", "<Z", WHAT_IS_THERE);
}

static void
rows_that_follow_a_failed_copy_are_ignored(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "<G", "d notanumber\tone", "<Z", "d 2\ttwo",
         "d 3\tthree", "c", "Q select 'still here'", "<Z", "d stray", "c", "f stray", "Q select 2", "<Z");
}

static void
a_copy_that_never_began_ignores_its_rows(void)
{
    SAME(weir(), "Q copy nowhere from stdin", "d 1\tone", "c", "Q select 1", "<Z", "<Z",
         "Q copy nowhere from stdin", "<Z", "d 1\tone", "f no", "Q select 2", "<Z");
}

static void
a_query_during_a_copy_ends_the_connection(void)
{
    SAME(weir(), EMPTY_TABLE, "Q copy copied from stdin", "<G", "d 1\tone", "Q select 'not expected here'",
         "<.");
    SAME(weir(), WHAT_IS_THERE);
}

/* --- in, extended --- */

static void
rows_are_copied_in_in_the_extended_protocol(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "D P -", "E - 0", "H", "<G", "d 1\tone",
         "d 2\ttwo", "c", "S", "<Z", WHAT_IS_THERE, EMPTY_TABLE);
}

static void
sync_is_ignored_while_rows_are_copied_in(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "S", "<G", "d 1\tone", "S", "H",
         "d 2\ttwo", "S", "c", "S", "<Z", "Q select 1", "<Z", WHAT_IS_THERE, EMPTY_TABLE);
}

static void
a_whole_copy_is_sent_at_once(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "S", "d 1\tone", "S", "c", "S",
         "Q select 'next'", "<Z", "<Z", WHAT_IS_THERE, EMPTY_TABLE);
}

static void
a_client_gives_up_copying_in_in_the_extended_protocol(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "S", "<G", "d 1\tone", "f no",
         "<E", "S", "<Z", "Q select 1", "<Z", WHAT_IS_THERE);
    SAME(weir(), "P - copy copied from stdin", "B - -", "E - 0", "f no", "P - select 'skipped'", "B - -",
         "E - 0", "S", "Q select 2", "<Z", "<Z");
}

static void
a_bad_row_in_the_extended_protocol_skips_to_sync(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "S", "<G", "d notanumber\tone",
         "<E", "d 2\ttwo", "c", "P - select 'skipped'", "B - -", "E - 0", "S", "<Z", "Q select 1", "<Z",
         WHAT_IS_THERE);
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "S", "d notanumber\tone",
         "d 2\ttwo", "c", "S", "Q select 2", "<Z", "<Z", WHAT_IS_THERE);
}

static void
an_extended_copy_that_never_began_answers_each_sync(void)
{
    SAME(weir(), "P - copy nowhere from stdin", "B - -", "E - 0", "S", "d 1\tone", "c", "S", "Q select 1",
         "<Z", "<Z", "<Z");
    SAME(weir(), "P - copy nowhere from stdin", "B - -", "E - 0", "S", "d 1\tone", "f no", "S", "Q select 2",
         "<Z", "<Z", "<Z");
}

static void
a_parse_during_a_copy_ends_the_connection(void)
{
    SAME(weir(), EMPTY_TABLE, "P - copy copied from stdin", "B - -", "E - 0", "H", "<G", "d 1\tone",
         "P - select 1", "S", "<.");
    SAME(weir(), WHAT_IS_THERE);
}

static void
copies_and_queries_share_a_pipeline(void)
{
    SAME(weir(), EMPTY_TABLE, "P - begin", "B - -", "E - 0", "P - copy copied from stdin", "B - -", "E - 0",
         "d 1\tone", "c", "P - copy copied (a) from stdin", "B - -", "E - 0", "d 2", "d 3", "c",
         "P - select * from copied", "B - -", "E - 0", "P - copy copied to stdout", "B - -", "E - 0",
         "P - rollback", "B - -", "E - 0", "S", "Q select count(*) from copied", "<Z", "<Z");
}

/* --- libpq --- */

static void
ten_megabytes_are_copied_in(void)
{
    PGconn *c = weir_dial(weir());
    char row[1024];

    SAYS(ask(c, "begin; create temp table t (a int, b text) on commit drop"), "CREATE TABLE");
    SAYS(ask(c, "copy t from stdin"), "PGRES_COPY_IN");
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(row, sizeof row, "%d\t%0490d\n", i, i);

        if (PQputCopyData(c, row, size) != 1)
            break;
    }
    CU_ASSERT_EQUAL(PQputCopyEnd(c, NULL), 1);
    SAYS(answer(c), "COPY 20000");
    SAYS(ask(c, "select count(*) || ' ' || sum(b::numeric) from t"), "20000 199990000");
    SAYS(ask(c, "commit"), "COMMIT");
    PQfinish(c);
}

static const struct test_case cases[] = {
    TEST(rows_are_copied_out),
    TEST(rows_are_copied_out_in_the_extended_protocol),
    TEST(copying_out_stands_among_other_statements),
    TEST(copying_out_fails_in_the_middle),
    TEST(ten_megabytes_are_copied_out),
    TEST(rows_are_copied_in),
    TEST(rows_are_sent_before_the_server_asks),
    TEST(rows_are_copied_in_inside_a_transaction),
    TEST(two_tables_are_copied_in_by_one_query),
    TEST(a_client_gives_up_copying_in),
    TEST(a_bad_row_ends_copying_in),
    TEST(rows_that_follow_a_failed_copy_are_ignored),
    TEST(a_copy_that_never_began_ignores_its_rows),
    TEST(a_query_during_a_copy_ends_the_connection),
    TEST(rows_are_copied_in_in_the_extended_protocol),
    TEST(sync_is_ignored_while_rows_are_copied_in),
    TEST(a_whole_copy_is_sent_at_once),
    TEST(a_client_gives_up_copying_in_in_the_extended_protocol),
    TEST(a_bad_row_in_the_extended_protocol_skips_to_sync),
    TEST(an_extended_copy_that_never_began_answers_each_sync),
    TEST(a_parse_during_a_copy_ends_the_connection),
    TEST(copies_and_queries_share_a_pipeline),
    TEST(ten_megabytes_are_copied_in),
};

void
suite_copy(void)
{
    SUITE("copy", cases);
}
