/*
 * test_query.c - simple and extended queries, pipelines and their errors: a client cannot tell pgweir from
 * PostgreSQL.
 *
 * Nearly every test is a script (script.h) whose answers must be those of a direct connection, byte for byte,
 * while another client makes the servers change hands.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "script.h"

void suite_query(void);

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 2\n"
                    "client_tls_sslmode = prefer\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n",
    });
}

/* --- simple --- */

static void
a_query_is_answered(void)
{
    SAME(weir(), "Q select 1 as one, 'two' as two, null as three", "<Z");
}

static void
an_empty_query_is_answered_as_such(void)
{
    SAME(weir(), "Q ", "<Z", "Q ;", "<Z", "Q -- nothing", "<Z", "Q select 1", "<Z");
}

static void
several_statements_in_one_query_are_all_answered(void)
{
    SAME(weir(), "Q select 1; select 2; ; select 'three'", "<Z",
         "Q begin; select 1; commit; select 2; begin; select 3", "<Z", "Q select 4; rollback", "<Z");
}

static void
an_error_ends_a_query_of_several_statements(void)
{
    SAME(weir(), "Q select 1; select 1/0; select 2", "<Z", "Q select 3", "<Z", "Q selct 4", "<Z",
         "Q select 5", "<Z");
}

static void
a_transaction_fails_and_is_rolled_back(void)
{
    SAME(weir(), "Q begin", "<Z", "Q select * from nowhere", "<Z", "Q select 1", "<Z", "Q commit", "<Z",
         "Q select 2", "<Z", "Q begin", "<Z", "Q select 3", "<Z", "Q savepoint a", "<Z", "Q select 1/0", "<Z",
         "Q rollback to a", "<Z", "Q select 4", "<Z", "Q rollback", "<Z");
}

static void
queries_sent_at_once_are_answered_in_order(void)
{
    SAME(weir(), "Q select 1", "Q select 1/0", "Q select 2; select 3", "Q ", "Q select 4", "<Z", "<Z", "<Z",
         "<Z", "<Z");
    SAME(weir(), "Q begin", "Q select 1", "Q commit", "Q begin", "Q select 1/0", "Q select 2", "Q rollback",
         "Q select 3", "<Z", "<Z", "<Z", "<Z", "<Z", "<Z", "<Z", "<Z");
}

static void
notices_and_warnings_arrive_where_they_belong(void)
{
    SAME(weir(), "Q do $$ begin raise notice 'one'; raise warning 'two'; end $$; select 3", "<Z",
         "Q do $$ begin for i in 1..50 loop raise notice 'line %', i; end loop; end $$", "<Z",
         "P - do $$ begin raise info 'extended'; end $$", "B - -", "E - 0", "S", "<Z", "Q rollback", "<Z");
}

static void
a_changed_parameter_is_reported(void)
{
    SAME(weir(), "Q begin; set local datestyle = 'German'; set local timezone = 'Asia/Tokyo'", "<Z",
         "Q select date '2020-02-01'", "<Z", "Q commit", "<Z", "Q select date '2020-02-01'", "<Z");
}

static void
text_of_any_kind_arrives_unchanged(void)
{
    SAME(weir(),
         "Q select 'Straße 東京 🐘', E'a\\tb\\nc', chr(1), 'semi;colon', $tag$ it's -- not a comment $tag$",
         "<Z", "Q select '\xff'", "<Z", "Q select 1", "<Z");
}

static void
many_small_rows_arrive(void)
{
    SAME(weir(), "Q select i, -i, 'row ' || i from generate_series(1, 20000) i", "<Z", "Q select 1", "<Z");
}

static void
a_result_without_columns_or_rows_arrives(void)
{
    SAME(weir(), "Q select from generate_series(1, 3)", "<Z", "Q select 1 where false", "<Z", "P - select",
         "B - -", "D P -", "E - 0", "S", "<Z");
}

static void
wide_rows_arrive(void)
{
    char query[16000] = "Q select 1";

    for (int i = 2; i <= 1600; i++)
        snprintf(query + strlen(query), sizeof query - strlen(query), ",%d", i);
    SAME(weir(), query, "<Z");
}

/* --- extended --- */

static void
a_parsed_statement_runs(void)
{
    SAME(weir(), "P - select $1::int + $2::int as sum, $3::text", "B - - 40|2|\\N", "D P -", "E - 0", "S",
         "<Z");
    SAME(weir(), "P - select $1::int + 1", "D S -", "b - - 41", "E - 0", "S", "<Z");
}

static void
an_empty_statement_runs(void)
{
    SAME(weir(), "P - ", "B - -", "D P -", "E - 0", "S", "<Z", "S", "<Z", "S", "S", "<Z", "<Z");
}

static void
a_named_statement_lives_until_it_is_closed(void)
{
    SAME(weir(), "P one select 'one ' || $1::text", "D S one", "B - one a", "E - 0", "B - one b", "E - 0",
         "C S one", "S", "<Z", "C S one", "C P nothing", "S", "<Z");
}

static void
an_unknown_statement_or_portal_is_an_error(void)
{
    SAME(weir(), "B - nobody", "E - 0", "S", "<Z", "D S nobody", "S", "<Z", "E nobody 0", "S", "<Z",
         "D P nobody", "S", "<Z", "Q select 1", "<Z");
}

static void
everything_after_an_error_is_skipped_up_to_sync(void)
{
    SAME(weir(), "P - selct 1", "B - -", "D P -", "E - 0", "S", "<Z", "Q select 1", "<Z");
    SAME(weir(), "P - select $1::int", "B - - notanumber", "D P -", "E - 0", "P - select 2", "B - -", "E - 0",
         "S", "<Z", "Q select 2", "<Z");
    SAME(weir(), "P - select 1/$1::int", "B - - 0", "D P -", "E - 0", "E - 0", "C P -", "H", "S", "<Z",
         "Q select 3", "<Z");
    SAME(weir(), "P - select 1", "D S nobody", "B - -", "E - 0", "S", "<Z", "Q select 4", "<Z");
}

static void
a_query_behind_an_error_is_skipped_too(void)
{
    SAME(weir(), "P - select 1/$1::int", "B - - 0", "E - 0", "Q select 'skipped'", "F 177 1|2",
         "P - select 'skipped'", "S", "Q select 'answered'", "<Z", "<Z");
}

static void
each_sync_of_a_pipeline_is_answered(void)
{
    SAME(weir(), "P - select 1", "B - -", "E - 0", "S", "P - select 2", "B - -", "E - 0", "S", "S",
         "P - select 3", "B - -", "E - 0", "S", "<Z", "<Z", "<Z", "<Z");
}

static void
errors_in_a_pipeline_of_several_syncs_stay_in_their_segment(void)
{
    SAME(weir(), "P - select 1/0", "B - -", "E - 0", "S", "P - select 2", "B - -", "E - 0", "S", "<Z", "<Z");
    SAME(weir(), "P - select 1", "B - -", "E - 0", "S", "P - selct 2", "B - -", "E - 0", "S", "P - select 3",
         "B - -", "D P -", "E - 0", "S", "<Z", "<Z", "<Z");
    SAME(weir(), "B - nobody", "S", "B - nobody", "S", "E nobody 0", "E nobody 0", "S", "Q select 4", "<Z",
         "<Z", "<Z", "<Z");
}

static void
a_pipeline_in_a_transaction_fails_as_a_whole(void)
{
    SAME(weir(), "P - begin", "B - -", "E - 0", "P - select 1/0", "B - -", "E - 0", "S", "P - select 2",
         "B - -", "E - 0", "S", "P - rollback", "B - -", "E - 0", "S", "Q select 3", "<Z", "<Z", "<Z", "<Z");
}

static void
simple_and_extended_queries_mix(void)
{
    SAME(weir(), "P - select 1", "B - -", "E - 0", "Q select 2", "P - select 3", "B - -", "E - 0", "S", "Q ",
         "<Z", "<Z", "<Z");
}

static void
flush_brings_answers_before_sync(void)
{
    SAME(weir(), "P - select $1::int", "D S -", "H", "<T", "B - - 7", "H", "<2", "E - 0", "H", "<C", "S",
         "<Z", "H", "Q select 1", "<Z");
    SAME(weir(), "P - select 1/0::int", "H", "<1", "B - -", "H", "<E", "B - -", "E - 0", "S", "<Z");
}

static void
a_portal_is_suspended_and_resumed(void)
{
    SAME(weir(), "P - select generate_series(1, 5)", "B cursor -", "D P cursor", "E cursor 2", "E cursor 2",
         "E cursor 2", "E cursor 2", "C P cursor", "S", "<Z");
    SAME(weir(), "Q begin", "<Z", "P - select generate_series(1, 5)", "B cursor -", "E cursor 2", "S", "<Z",
         "E cursor 2", "S", "<Z", "E cursor 0", "S", "<Z", "E cursor 1", "C P cursor", "S", "<Z", "Q commit",
         "<Z", "E cursor 1", "S", "<Z");
}

static void
a_cursor_lives_in_its_transaction(void)
{
    SAME(weir(), "Q begin; declare c scroll cursor for select generate_series(1, 100)", "<Z",
         "Q fetch 3 from c", "<Z", "Q fetch backward 1 from c; move 50 in c", "<Z", "Q fetch c", "<Z",
         "Q close c; commit", "<Z", "Q fetch c", "<Z");
}

static void
functions_are_called(void)
{
    SAME(weir(), "F 177 40|2", "<Z", "F 177 40|notanumber", "<Z", "F 1 1", "<Z", "F 177 1|\\N", "<Z",
         "F 177 1|2", "F 177 3|4", "Q select 1", "<Z", "<Z", "<Z");
    SAME(weir(), "Q begin", "<Z", "F 177 1|2", "<Z", "F 154 1|0", "<Z", "F 177 1|2", "<Z", "Q rollback",
         "<Z");
}

static void
wrong_numbers_of_parameters_are_errors(void)
{
    SAME(weir(), "P - select $1::int, $2::int", "B - - 1", "E - 0", "S", "<Z", "P - select 1", "B - - 1", "S",
         "<Z", "P - select 1; select 2", "B - -", "S", "<Z", "Q select 1", "<Z");
}

static void
a_long_pipeline_is_answered_in_order(void)
{
    enum { PAIRS = 400 };
    const char *lines[PAIRS * 4 + 3];
    size_t n = 0;

    for (int i = 0; i < PAIRS; i++) {
        if (i % 50 == 49) { /* and an error now and then */
            lines[n++] = "P - select 1/0";
            lines[n++] = "S";
            continue;
        }
        lines[n++] = "P - select $1::int * 2";
        lines[n++] = i % 2 == 0 ? "B - - 21" : "B - - -21";
        lines[n++] = "E - 0";
    }
    lines[n++] = "S";
    lines[n++] = "Q select 'the end'";
    for (int i = 0; i < PAIRS / 50 + 2; i++)
        lines[n++] = "<Z";
    lines[n] = NULL;
    same_as_direct(weir(), lines, __LINE__, __FILE__);
}

/* --- large values --- */

static void
a_row_of_50_megabytes_arrives(void)
{
    char query[100];

    snprintf(query, sizeof query, "Q select repeat('0123456789', %d), 'next'", WORK(5000000));
    SAME(weir(), query, "<Z", "Q select 1", "<Z");
}

static void
a_value_of_50_megabytes_is_sent(void)
{
    char bind[100];

    snprintf(bind, sizeof bind, "B - - x*%d|next", WORK(50000000));
    SAME(weir(), "P - select length($1), md5($1), $2::text", bind, "D P -", "E - 0", "S", "<Z");
}

static void
large_values_travel_in_both_directions_at_once(void)
{
    SAME(weir(), "P - select $1::text", "B - - a*3000000", "E - 0", "B - - b*3000000", "E - 0",
         "B - - c*3000000", "E - 0", "S", "P - select 1/0", "B - -", "E - 0", "B - - d*3000000", "S", "<Z",
         "<Z");
}

/* --- libpq --- */

static void
the_greeting_has_the_parameters_of_the_server(void)
{
    static const char *const names[] = { "server_version",
                                         "server_encoding",
                                         "client_encoding",
                                         "DateStyle",
                                         "TimeZone",
                                         "integer_datetimes",
                                         "IntervalStyle",
                                         "is_superuser",
                                         "session_authorization",
                                         "standard_conforming_strings",
                                         "application_name",
                                         "in_hot_standby" };
    PGconn *direct = dial(pg_main()->port, NULL);
    PGconn *pooled = weir_dial(weir());

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *there = PQparameterStatus(direct, names[i]);
        const char *here = PQparameterStatus(pooled, names[i]);

        SAYS(here != NULL ? here : "(none)", there != NULL ? there : "(none)");
    }
    PQfinish(direct);
    PQfinish(pooled);
}

static void
pipeline_mode_of_libpq_works(void)
{
    enum { QUERIES = 1000 };
    PGconn *c = weir_dial(weir());
    int right = 0;

    CU_ASSERT_EQUAL(PQenterPipelineMode(c), 1);
    for (int i = 0; i < QUERIES; i++) {
        const char *value = text("%d", i);

        PQsendQueryParams(c, "select $1::int", 1, NULL, &value, NULL, NULL, 0);
        if (i % 10 == 9)
            PQpipelineSync(c);
    }
    for (int i = 0; i < QUERIES; i++) {
        PGresult *r = PQgetResult(c);

        right += number(result_text(r)) == i;
        PQclear(r);
        PQclear(PQgetResult(c)); /* the NULL behind each query */
        if (i % 10 == 9) {
            r = PQgetResult(c);
            SAYS(result_text(r), "PGRES_PIPELINE_SYNC");
            PQclear(r);
        }
    }
    CU_ASSERT_EQUAL(right, QUERIES);
    CU_ASSERT_EQUAL(PQexitPipelineMode(c), 1);
    SAYS(ask(c, "select 'still here'"), "still here");
    PQfinish(c);
}

static void
rows_can_be_fetched_one_by_one(void)
{
    PGconn *c = weir_dial(weir());
    int rows = 0;

    PQsendQuery(c, "select i, repeat('x', 1000) from generate_series(1, 5000) i");
    PQsetSingleRowMode(c);
    for (PGresult *r; (r = PQgetResult(c)) != NULL; PQclear(r))
        if (PQresultStatus(r) == PGRES_SINGLE_TUPLE && number(PQgetvalue(r, 0, 0)) == rows + 1)
            rows++;
    CU_ASSERT_EQUAL(rows, 5000);
    SAYS(ask(c, "select 1"), "1");
    PQfinish(c);
}

static const struct test_case cases[] = {
    TEST(a_query_is_answered),
    TEST(an_empty_query_is_answered_as_such),
    TEST(several_statements_in_one_query_are_all_answered),
    TEST(an_error_ends_a_query_of_several_statements),
    TEST(a_transaction_fails_and_is_rolled_back),
    TEST(queries_sent_at_once_are_answered_in_order),
    TEST(notices_and_warnings_arrive_where_they_belong),
    TEST(a_changed_parameter_is_reported),
    TEST(text_of_any_kind_arrives_unchanged),
    TEST(many_small_rows_arrive),
    TEST(a_result_without_columns_or_rows_arrives),
    TEST(wide_rows_arrive),
    TEST(a_parsed_statement_runs),
    TEST(an_empty_statement_runs),
    TEST(a_named_statement_lives_until_it_is_closed),
    TEST(an_unknown_statement_or_portal_is_an_error),
    TEST(everything_after_an_error_is_skipped_up_to_sync),
    TEST(a_query_behind_an_error_is_skipped_too),
    TEST(each_sync_of_a_pipeline_is_answered),
    TEST(errors_in_a_pipeline_of_several_syncs_stay_in_their_segment),
    TEST(a_pipeline_in_a_transaction_fails_as_a_whole),
    TEST(simple_and_extended_queries_mix),
    TEST(flush_brings_answers_before_sync),
    TEST(a_portal_is_suspended_and_resumed),
    TEST(a_cursor_lives_in_its_transaction),
    TEST(functions_are_called),
    TEST(wrong_numbers_of_parameters_are_errors),
    TEST(a_long_pipeline_is_answered_in_order),
    TEST(a_row_of_50_megabytes_arrives),
    TEST(a_value_of_50_megabytes_is_sent),
    TEST(large_values_travel_in_both_directions_at_once),
    TEST(the_greeting_has_the_parameters_of_the_server),
    TEST(pipeline_mode_of_libpq_works),
    TEST(rows_can_be_fetched_one_by_one),
};

void
suite_query(void)
{
    SUITE("query", cases);
}
