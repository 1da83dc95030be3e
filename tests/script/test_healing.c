/* test_healing.c - prepared statements outlive changes of the schema, those that pass through and those that
 * do not. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_healing(void);

static const struct scene one = { .limit = 1 };
static const struct scene two = { .limit = 2 };

#define RUN "Execute - 0 | Sync"
#define DONE "BindComplete | Complete SELECT 1 | Ready I"
#define ENTER "c1 enters", "c2 enters"

/* c1 has prepared s1 and was told nothing of its result. */
#define PREPARE                                                                    \
    "c1 sends Parse s1 select 1 | Sync", "s1 gets Parse pgweir_1 select 1 | Sync", \
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I"
/* And was told the result's shape. */
#define PREPARE_AND_DESCRIBE                                            \
    "c1 sends Parse s1 select 1 | Describe S s1 | Sync",                \
        "s1 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Sync", \
        "s1 sends ParseComplete | Parameters | Columns a b | Ready I",  \
        "c1 gets ParseComplete | Parameters | Columns a b | Ready I"
/* c2's change passes through. */
#define DO(query, tag)                                                                      \
    "c2 sends Query " query, "s1 gets Query " query, "s1 sends Complete " tag " | Ready I", \
        "c2 gets Complete " tag " | Ready I"
#define ALTER DO("alter table t add x int", "ALTER TABLE")
#define ALTER_BY_C1                                                                    \
    "c1 sends Query alter table t add y int", "s1 gets Query alter table t add y int", \
        "s1 sends Complete ALTER TABLE | Ready I", "c1 gets Complete ALTER TABLE | Ready I"
#define ANEW "Close S pgweir_1 | Parse pgweir_1 select 1"
#define ASK ANEW " | Describe S pgweir_1 | Flush"

static void
ddl_that_passes_through_makes_servers_parse_anew(void)
{
    PLAY(&one, ENTER, PREPARE, ALTER, "c1 sends Bind - s1 | " RUN,
         "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "s1 sends CloseComplete | ParseComplete | " DONE,
         "c1 gets " DONE, "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE,
         "c1 gets " DONE);
}

#define MADE_ANEW                                                             \
    "c1 sends Bind - s1 | " RUN, "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, \
        "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE

/* Their tags are those of SELECT and EXPLAIN. */
static void
tables_that_are_made_by_queries_count_as_changes(void)
{
    PLAY(&one, ENTER, PREPARE, DO("create table t as select 1", "SELECT 1"), MADE_ANEW,
         DO("select 1 into t", "SELECT 1"), MADE_ANEW,
         DO("explain analyze create table t as select 1", "EXPLAIN"), MADE_ANEW,
         "c2 sends Parse - select 2 into t | Bind - - | " RUN,
         "s1 gets Parse - select 2 into t | Bind - - | " RUN, "s1 sends ParseComplete | " DONE,
         "c2 gets ParseComplete | " DONE, MADE_ANEW, DO("select 1", "SELECT 1"), "c1 sends Bind - s1 | " RUN,
         "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
all_servers_of_the_database_parse_anew(void)
{
    PLAY(&two, ENTER, PREPARE, "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c2 sends Query alter table t add x int", "s2 gets Query alter table t add x int",
         "s2 sends Complete ALTER TABLE | Ready I", "c2 gets Complete ALTER TABLE | Ready I",
         "c1 sends Bind - s1 | " RUN, "s1 gets " ANEW " | Bind - pgweir_1 | " RUN,
         "s1 sends CloseComplete | ParseComplete | BindComplete | Complete SELECT 1 | Ready T",
         "c1 gets BindComplete | Complete SELECT 1 | Ready T");
}

static void
a_change_counts_when_its_transaction_has_ended(void)
{
    PLAY(&one, "c1 enters", PREPARE, "c1 sends Query begin; alter table t add x int",
         "s1 gets Query begin; alter table t add x int",
         "s1 sends Complete BEGIN | Complete ALTER TABLE | Ready T",
         "c1 gets Complete BEGIN | Complete ALTER TABLE | Ready T", "c1 sends Bind - s1 | " RUN,
         "s1 gets Bind - pgweir_1 | " RUN, "s1 sends BindComplete | Complete SELECT 1 | Ready T",
         "c1 gets BindComplete | Complete SELECT 1 | Ready T", "c1 sends Query rollback",
         "s1 gets Query rollback", "s1 sends Complete ROLLBACK | Ready I",
         "c1 gets Complete ROLLBACK | Ready I", "c1 sends Bind - s1 | " RUN,
         "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "s1 sends CloseComplete | ParseComplete | " DONE,
         "c1 gets " DONE);
}

static void
what_cannot_change_a_result_is_no_change(void)
{
    PLAY(&one, ENTER, PREPARE, DO("create index on t (x)", "CREATE INDEX"),
         DO("create temp table own (x int)", "CREATE TABLE"), "s1 is asked: nothing",
         DO("alter role r", "ALTER ROLE"), DO("insert into t values (1)", "INSERT 0 1"),
         "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
a_temporary_table_made_by_a_prepared_statement_is_no_change(void)
{
    PLAY(&one, ENTER, PREPARE, "c2 sends Parse - create temp table own (x int) | Bind - - | " RUN,
         "s1 gets Parse - create temp table own (x int) | Bind - - | " RUN,
         "s1 sends ParseComplete | BindComplete | Complete CREATE TABLE | Ready I",
         "c2 gets ParseComplete | BindComplete | Complete CREATE TABLE | Ready I", "s1 is asked: nothing",
         "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE,
         "c2 sends Parse - create table all_can_see (x int) | Bind - - | " RUN,
         "s1 gets Parse - create table all_can_see (x int) | Bind - - | " RUN,
         "s1 sends ParseComplete | BindComplete | Complete CREATE TABLE | Ready I",
         "c2 gets ParseComplete | BindComplete | Complete CREATE TABLE | Ready I",
         "c1 sends Bind - s1 | " RUN, "s1 gets " ANEW " | Bind - pgweir_1 | " RUN,
         "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

static void
a_clients_own_parse_reaches_the_server_after_a_change(void)
{
    PLAY(&one, ENTER, PREPARE, ALTER, "c2 sends Parse mine select 1 | Sync", "s1 gets " ANEW " | Sync",
         "s1 sends CloseComplete | Error ERROR 42703 no such column | Ready I",
         "c2 gets Error ERROR 42703 no such column | Ready I", "c2 sends Parse mine select 1 | Sync",
         "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
         "c2 gets ParseComplete | Ready I", "c2 sends Parse again select 1 | Sync", "s1 gets Sync",
         "s1 sends Ready I", "c2 gets ParseComplete | Ready I");
}

static void
a_result_of_the_same_shape_goes_on_unnoticed(void)
{
    PLAY_SPLITS(
        &one, ENTER, PREPARE_AND_DESCRIBE, ALTER, "c1 sends Bind - s1 | " RUN, "s1 gets " ASK,
        "s1 sends CloseComplete | ParseComplete | Notice NOTICE 00000 once | Parameters | Columns a b",
        "s1 gets Bind - pgweir_1 | " RUN, "c1 gets nothing", "s1 sends " DONE, "c1 gets " DONE,
        "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
a_result_of_another_shape_fails_as_it_would_directly(void)
{
    PLAY_SPLITS(
        &one, ENTER, PREPARE_AND_DESCRIBE, ALTER, "c1 sends Bind - s1 | " RUN, "s1 gets " ASK,
        "s1 sends CloseComplete | ParseComplete | Parameters | Columns a b x",
        "s1 gets Describe S pgweir_does_not_exist | " RUN, "s1 sends Error ERROR 26000 no | Ready I",
        "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I",
        /* until it asks for the shape that it has now */
        "c1 sends Describe S s1 | Bind - s1 | " RUN, "s1 gets Describe S pgweir_1 | Bind - pgweir_1 | " RUN,
        "s1 sends Parameters | Columns a b x | " DONE, "c1 gets Parameters | Columns a b x | " DONE,
        "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

/* Nobody has noticed a change yet, but this server has parsed what it has now. */
static void
a_server_that_lacked_the_statement_is_asked_for_its_shape(void)
{
    PLAY_SPLITS(&two, ENTER, PREPARE_AND_DESCRIBE, "c2 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
                "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Flush",
                "s2 sends ParseComplete | Parameters | Columns a b", "s2 gets Bind - pgweir_1 | " RUN,
                "s2 sends " DONE, "c1 gets " DONE, "c1 sends Bind - s1 | " RUN,
                "s2 gets Bind - pgweir_1 | " RUN, "s2 sends " DONE, "c1 gets " DONE);
    PLAY_SPLITS(&two, ENTER, PREPARE_AND_DESCRIBE, "c2 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
                "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Flush",
                "s2 sends ParseComplete | Parameters | Columns a b x",
                "s2 gets Describe S pgweir_does_not_exist | " RUN, "s2 sends Error ERROR 26000 no | Ready I",
                "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I");
}

static void
a_client_that_asks_for_the_shape_gets_another_one(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE_AND_DESCRIBE, ALTER, "c1 sends Bind - s1 | Describe P - | " RUN,
                "s1 gets " ASK, "s1 sends CloseComplete | ParseComplete | Parameters | Columns a b x",
                "s1 gets Bind - pgweir_1 | Describe P - | " RUN,
                "s1 sends BindComplete | Columns a b x | Complete SELECT 1 | Ready I",
                "c1 gets BindComplete | Columns a b x | Complete SELECT 1 | Ready I",
                "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE,
                "c1 gets " DONE);
}

static void
the_shape_that_a_portal_told_counts_too(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind p s1 | Describe P p | Execute p 0 | Sync",
         "s1 gets Bind p pgweir_1 | Describe P p | Execute p 0 | Sync",
         "s1 sends BindComplete | Columns a | Complete SELECT 1 | Ready I",
         "c1 gets BindComplete | Columns a | Complete SELECT 1 | Ready I", ALTER, "c1 sends Bind - s1 | " RUN,
         "s1 gets " ASK, "s1 sends CloseComplete | ParseComplete | Parameters | Columns a x",
         "s1 gets Describe S pgweir_does_not_exist | " RUN, "s1 sends Error ERROR 26000 no | Ready I",
         "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I");
}

static void
parameters_of_other_types_are_refused(void)
{
    PLAY(&one, ENTER, PREPARE_AND_DESCRIBE, ALTER, "c1 sends Bind - s1 | Describe P - | " RUN, "s1 gets " ASK,
         "s1 sends CloseComplete | ParseComplete | Bytes 74 00 00 00 0a 00 01 00 00 00 17 | Columns a b",
         "s1 gets Describe S pgweir_does_not_exist | Describe P - | " RUN,
         "s1 sends Error ERROR 26000 no | Ready I",
         "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I");
}

static void
the_unnamed_statement_is_proved_like_any_other(void)
{
    PLAY(&one, ENTER, "c1 sends Parse - select 1 | Describe S - | Sync",
         "s1 gets Parse - select 1 | Describe S - | Sync",
         "s1 sends ParseComplete | Parameters | Columns a | Ready I",
         "c1 gets ParseComplete | Parameters | Columns a | Ready I", ALTER, "c1 sends Bind - - | " RUN,
         "s1 gets Parse - select 1 | Describe S - | Flush", "s1 sends ParseComplete | Parameters | Columns a",
         "s1 gets Bind - - | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
a_statement_that_is_wrong_now_fails_in_the_clients_name(void)
{
    PLAY(&one, ENTER, PREPARE_AND_DESCRIBE, ALTER, "c1 sends Bind - s1 | " RUN, "s1 gets " ASK,
         "s1 sends CloseComplete | Error ERROR 42P01 no such table",
         "c1 gets Error ERROR 42P01 no such table", "s1 gets Bind - s1 | " RUN, "s1 sends Ready I",
         "c1 gets Ready I");
}

static void
ddl_around_us_is_mended_unseen(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN,
                "s1 sends Stale | Ready I", "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "c1 gets nothing",
                "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

static void
ddl_around_us_is_mended_before_the_sync_has_come(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c1 sends Bind - s1 | Execute - 0 | Flush",
                "s1 gets Bind - pgweir_1 | Execute - 0 | Flush", "s1 sends Stale",
                "s1 gets Sync | " ANEW " | Bind - pgweir_1 | Execute - 0 | Flush",
                "s1 sends Ready I | CloseComplete | ParseComplete | BindComplete | Complete SELECT 1",
                "c1 gets BindComplete | Complete SELECT 1", "c1 sends Sync", "s1 gets Sync",
                "s1 sends Ready I", "c1 gets Ready I");
}

/* What c2 sends at its first use of a text that the server holds already, and what comes of it. */
#define FIRST_USE "Bind - mine | Describe P - | " RUN
#define FIRST_SENT "Bind - pgweir_1 | Describe P - | " RUN
#define FIRST_DONE "BindComplete | Columns a b x | Complete SELECT 1 | Ready I"

static void
a_parse_that_we_answer_does_not_keep_it_from_being_mended(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c2 sends Parse mine select 1 | " FIRST_USE, "s1 gets " FIRST_SENT,
                "c2 gets ParseComplete", "s1 sends Stale | Ready I", "s1 gets " ANEW " | " FIRST_SENT,
                "c2 gets nothing", "s1 sends CloseComplete | ParseComplete | " FIRST_DONE,
                "c2 gets " FIRST_DONE,
                /* what was told there is remembered */
                "c2 sends Bind - mine | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE,
                "c2 gets " DONE, ALTER_BY_C1, "c2 sends Bind - mine | " RUN, "s1 gets " ASK,
                "s1 sends CloseComplete | ParseComplete | Parameters | Columns a b x",
                "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c2 gets " DONE);
}

static void
nor_does_one_that_came_before_it(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c2 sends Parse mine select 1 | Flush", "s1 gets Flush",
                "c2 gets ParseComplete", "c2 sends " FIRST_USE, "s1 gets " FIRST_SENT,
                "s1 sends Stale | Ready I", "s1 gets " ANEW " | " FIRST_SENT, "c2 gets nothing",
                "s1 sends CloseComplete | ParseComplete | " FIRST_DONE, "c2 gets " FIRST_DONE);
}

static void
nor_a_parse_in_front_of_a_describe(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c2 sends Parse mine select 1 | Describe S mine | Sync",
                "s1 gets Describe S pgweir_1 | Sync", "c2 gets ParseComplete",
                "s1 sends Parameters | Stale | Ready I", "s1 gets " ANEW " | Describe S pgweir_1 | Sync",
                "c2 gets nothing",
                "s1 sends CloseComplete | ParseComplete | Parameters | Columns a x | Ready I",
                "c2 gets Parameters | Columns a x | Ready I");
}

/* Its name was told a shape, but that was another statement's. */
static void
nor_a_close_that_we_answer(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE_AND_DESCRIBE,
                "c1 sends Close S s1 | Parse s1 select 1 | Bind - s1 | " RUN,
                "s1 gets Bind - pgweir_1 | " RUN, "c1 gets CloseComplete | ParseComplete",
                "s1 sends Stale | Ready I", "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "c1 gets nothing",
                "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

/* The new name is certain when the hidden Sync is answered: its Bind is sent again no sooner. */
static void
nor_both_of_them_before_the_sync_has_come(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE,
                "c1 sends Close S s1 | Parse s1 select 1 | Bind - s1 | Execute - 0 | Flush",
                "s1 gets Bind - pgweir_1 | Execute - 0 | Flush", "c1 gets CloseComplete | ParseComplete",
                "s1 sends Stale", "s1 gets Sync", "s1 sends Ready I",
                "s1 gets " ANEW " | Bind - pgweir_1 | Execute - 0 | Flush", "c1 gets nothing",
                "s1 sends CloseComplete | ParseComplete | BindComplete | Complete SELECT 1",
                "c1 gets BindComplete | Complete SELECT 1", "c1 sends Sync", "s1 gets Sync",
                "s1 sends Ready I", "c1 gets Ready I");
}

static void
behind_a_parse_that_we_answer_a_lost_statement_is_parsed_again(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c2 sends Parse mine select 1 | " FIRST_USE, "s1 gets " FIRST_SENT,
                "c2 gets ParseComplete", "s1 sends Error ERROR 26000 lost | Ready I",
                "s1 gets Parse pgweir_1 select 1 | " FIRST_SENT, "c2 gets nothing",
                "s1 sends ParseComplete | " FIRST_DONE, "c2 gets " FIRST_DONE);
}

static void
what_fails_again_behind_a_parse_that_we_answer_is_told(void)
{
    PLAY(&one, ENTER, PREPARE, "c2 sends Parse mine select 1 | " FIRST_USE, "s1 gets " FIRST_SENT,
         "c2 gets ParseComplete", "s1 sends Stale | Ready I", "s1 gets " ANEW " | " FIRST_SENT,
         "s1 sends CloseComplete | Error ERROR 42P01 no such table | Ready I",
         "c2 gets Error ERROR 42P01 no such table | Ready I", "c2 sends " FIRST_USE,
         "s1 gets Parse pgweir_1 select 1 | " FIRST_SENT, "s1 sends ParseComplete | " FIRST_DONE,
         "c2 gets " FIRST_DONE);
}

/* It stays parsed, and was told so. */
static void
nor_a_parse_that_the_server_answers(void)
{
    PLAY_SPLITS(
        &one, ENTER, PREPARE, "c1 sends Parse s2 select 2 | Bind - s1 | Execute - 0 | Bind - s2 | " RUN,
        "s1 gets Parse pgweir_2 select 2 | Bind - pgweir_1 | Execute - 0 | Bind - pgweir_2 | " RUN,
        "s1 sends ParseComplete | Stale | Ready I", "c1 gets ParseComplete",
        "s1 gets " ANEW " | Bind - pgweir_1 | Execute - 0 | Close S pgweir_2 | Parse pgweir_2 select 2 | "
        "Bind - pgweir_2 | " RUN,
        "s1 sends CloseComplete | ParseComplete | BindComplete | Complete SELECT 1 | CloseComplete | "
        "ParseComplete | " DONE,
        "c1 gets BindComplete | Complete SELECT 1 | " DONE);
}

static void
nor_a_parse_of_the_unnamed_statement(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c1 sends Parse - select 2 | Bind - s1 | " RUN,
                "s1 gets Parse - select 2 | Bind - pgweir_1 | " RUN,
                "s1 sends ParseComplete | Stale | Ready I", "c1 gets ParseComplete",
                "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "s1 sends CloseComplete | ParseComplete | " DONE,
                "c1 gets " DONE, "c1 sends Bind - - | " RUN, "s1 gets Parse - select 2 | Bind - - | " RUN,
                "s1 sends ParseComplete | " DONE, "c1 gets " DONE);
}

/* --- names of ours that SQL has taken --- */

#define TAKEN "Error ERROR 42P05 prepared statement \"pgweir_1\" already exists"

static void
a_name_that_sql_has_taken_is_freed_unseen(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Parse s1 select 1 | Describe S s1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Sync",
                "s1 sends " TAKEN " | Ready I", "s1 gets " ANEW " | Describe S pgweir_1 | Sync",
                "c1 gets nothing", "s1 sends CloseComplete | ParseComplete | Parameters | NoData | Ready I",
                "c1 gets ParseComplete | Parameters | NoData | Ready I");
}

static void
so_it_is_ahead_of_a_bind(void)
{
    PLAY_SPLITS(&two, ENTER, PREPARE, "c2 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
                "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN,
                "s2 sends " TAKEN " | Ready I", "s2 gets " ANEW " | Bind - pgweir_1 | " RUN,
                "c1 gets nothing", "s2 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

/* What DO prepares nobody sees. */
static void
behind_a_text_that_may_do_anything_names_are_freed_first(void)
{
    PLAY(&one, ENTER, "c2 sends Query do 'x'", "s1 gets Query do 'x'", "s1 sends Complete DO | Ready I",
         "c2 gets Complete DO | Ready I", "s1 is asked: nothing", "c2 sends Parse s1 select 1 | Sync",
         "s1 gets " ANEW " | Sync", "s1 sends CloseComplete | ParseComplete | Ready I",
         "c2 gets ParseComplete | Ready I");
}

static void
what_is_mended_is_proved_as_well(void)
{
    PLAY(&one, ENTER, PREPARE_AND_DESCRIBE, "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN,
         "s1 sends Stale | Ready I", "s1 gets " ASK,
         "s1 sends CloseComplete | ParseComplete | Parameters | Columns a b x",
         "s1 gets Describe S pgweir_does_not_exist | " RUN, "s1 sends Error ERROR 26000 no | Ready I",
         "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I");
}

static void
formats_for_columns_of_before_are_mended_like_a_stale_plan(void)
{
    PLAY(&one, ENTER, PREPARE_AND_DESCRIBE, "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN,
         "s1 sends StaleFormats | Ready I", "s1 gets " ASK,
         "s1 sends CloseComplete | ParseComplete | Parameters | Columns a b x",
         "s1 gets Describe S pgweir_does_not_exist | " RUN, "s1 sends Error ERROR 26000 no | Ready I",
         "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready I");
}

static void
a_lost_statement_is_parsed_again_unseen(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Describe S s1 | Sync", "s1 gets Describe S pgweir_1 | Sync",
         "s1 sends Error ERROR 26000 lost | Ready I",
         "s1 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Sync",
         "s1 sends ParseComplete | Parameters | NoData | Ready I", "c1 gets Parameters | NoData | Ready I");
}

static void
parameters_are_told_once(void)
{
    PLAY_SPLITS(&one, ENTER, PREPARE, "c1 sends Describe S s1 | Sync", "s1 gets Describe S pgweir_1 | Sync",
                "s1 sends Parameters", "c1 gets nothing", "s1 sends Stale | Ready I",
                "s1 gets " ANEW " | Describe S pgweir_1 | Sync",
                "s1 sends CloseComplete | ParseComplete | Parameters | NoData | Ready I",
                "c1 gets Parameters | NoData | Ready I", "c1 sends Describe S s1 | Sync",
                "s1 gets Describe S pgweir_1 | Sync",
                "s1 sends Parameters | Error ERROR 57014 enough | Ready I",
                "c1 gets Parameters | Error ERROR 57014 enough | Ready I");
}

static void
what_fails_again_is_told(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN,
         "s1 sends Stale | Ready I", "s1 gets " ANEW " | Bind - pgweir_1 | " RUN,
         "s1 sends CloseComplete | ParseComplete | Stale | Ready I", "c1 gets Stale | Ready I",
         "c1 sends Bind - s1 | " RUN, "s1 gets " ANEW " | Bind - pgweir_1 | " RUN,
         "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

/* The other server may have been overtaken by another change. */
static void
what_is_mended_on_another_server_is_parsed_there_for_it(void)
{
    PLAY(&two, ENTER, "c3 enters", PREPARE, "c3 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c3 gets Complete BEGIN | Ready T", "c1 sends Bind - s1 | " RUN,
         "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN, "s2 sends ParseComplete | " DONE,
         "c1 gets " DONE, "c1 sends Bind - s1 | " RUN, "s2 gets Bind - pgweir_1 | " RUN, "c2 sends Query two",
         "s2 sends Error ERROR 26000 lost | Ready I", "s2 gets Query two", "c3 sends Query commit",
         "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I", "c3 gets Complete COMMIT | Ready I",
         "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "s1 sends CloseComplete | ParseComplete | " DONE,
         "c1 gets " DONE, "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN,
         "s2 sends ParseComplete | " DONE, "c1 gets " DONE);
}

static void
in_a_transaction_the_error_is_told_and_the_next_one_is_well(void)
{
    PLAY(&one, "c1 enters", PREPARE, "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 sends Bind - s1 | " RUN,
         "s1 gets Bind - pgweir_1 | " RUN, "s1 sends Stale | Ready E", "c1 gets Stale | Ready E",
         "c1 sends Query rollback", "s1 gets Query rollback", "s1 sends Complete ROLLBACK | Ready I",
         "c1 gets Complete ROLLBACK | Ready I", "c1 sends Bind - s1 | " RUN,
         "s1 gets " ANEW " | Bind - pgweir_1 | " RUN, "s1 sends CloseComplete | ParseComplete | " DONE,
         "c1 gets " DONE);
}

static void
behind_an_execute_the_error_is_told(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind - s1 | Execute - 0 | Bind - s1 | " RUN,
         "s1 gets Bind - pgweir_1 | Execute - 0 | Bind - pgweir_1 | " RUN,
         "s1 sends BindComplete | Complete INSERT 0 1 | Stale | Ready I",
         "c1 gets BindComplete | Complete INSERT 0 1 | Stale | Ready I");
}

static void
with_more_behind_its_sync_the_error_is_told(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind - s1 | " RUN " | Query two",
         "s1 gets Bind - pgweir_1 | " RUN " | Query two", "s1 sends Stale | Ready I | Complete 2 | Ready I",
         "c1 gets Stale | Ready I | Complete 2 | Ready I");
}

static void
what_is_too_long_to_be_kept_is_told(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind - s1 x*270000 | " RUN,
         "s1 gets Bind - pgweir_1 x*270000 | " RUN, "s1 sends Stale | Ready I", "c1 gets Stale | Ready I");
}

/* Several pieces of input, and more than a message may hold that is seen whole. */
static void
what_is_long_is_mended_too(void)
{
    PLAY(&one, ENTER, PREPARE, "c1 sends Bind - s1 x*250000 | " RUN,
         "s1 gets Bind - pgweir_1 x*250000 | " RUN, "s1 sends Stale | Ready I",
         "s1 gets " ANEW " | Bind - pgweir_1 x*250000 | " RUN, "c1 gets nothing",
         "s1 sends CloseComplete | ParseComplete | " DONE, "c1 gets " DONE);
}

void
suite_healing(void)
{
    CU_pSuite suite = CU_add_suite("healing of prepared statements", NULL, NULL);

    CU_ADD_TEST(suite, ddl_that_passes_through_makes_servers_parse_anew);
    CU_ADD_TEST(suite, tables_that_are_made_by_queries_count_as_changes);
    CU_ADD_TEST(suite, all_servers_of_the_database_parse_anew);
    CU_ADD_TEST(suite, a_change_counts_when_its_transaction_has_ended);
    CU_ADD_TEST(suite, what_cannot_change_a_result_is_no_change);
    CU_ADD_TEST(suite, a_temporary_table_made_by_a_prepared_statement_is_no_change);
    CU_ADD_TEST(suite, a_clients_own_parse_reaches_the_server_after_a_change);
    CU_ADD_TEST(suite, a_result_of_the_same_shape_goes_on_unnoticed);
    CU_ADD_TEST(suite, a_result_of_another_shape_fails_as_it_would_directly);
    CU_ADD_TEST(suite, a_server_that_lacked_the_statement_is_asked_for_its_shape);
    CU_ADD_TEST(suite, a_client_that_asks_for_the_shape_gets_another_one);
    CU_ADD_TEST(suite, the_shape_that_a_portal_told_counts_too);
    CU_ADD_TEST(suite, parameters_of_other_types_are_refused);
    CU_ADD_TEST(suite, the_unnamed_statement_is_proved_like_any_other);
    CU_ADD_TEST(suite, a_statement_that_is_wrong_now_fails_in_the_clients_name);
    CU_ADD_TEST(suite, ddl_around_us_is_mended_unseen);
    CU_ADD_TEST(suite, ddl_around_us_is_mended_before_the_sync_has_come);
    CU_ADD_TEST(suite, a_parse_that_we_answer_does_not_keep_it_from_being_mended);
    CU_ADD_TEST(suite, nor_does_one_that_came_before_it);
    CU_ADD_TEST(suite, nor_a_parse_in_front_of_a_describe);
    CU_ADD_TEST(suite, nor_a_close_that_we_answer);
    CU_ADD_TEST(suite, nor_both_of_them_before_the_sync_has_come);
    CU_ADD_TEST(suite, behind_a_parse_that_we_answer_a_lost_statement_is_parsed_again);
    CU_ADD_TEST(suite, what_fails_again_behind_a_parse_that_we_answer_is_told);
    CU_ADD_TEST(suite, nor_a_parse_that_the_server_answers);
    CU_ADD_TEST(suite, nor_a_parse_of_the_unnamed_statement);
    CU_ADD_TEST(suite, a_name_that_sql_has_taken_is_freed_unseen);
    CU_ADD_TEST(suite, so_it_is_ahead_of_a_bind);
    CU_ADD_TEST(suite, behind_a_text_that_may_do_anything_names_are_freed_first);
    CU_ADD_TEST(suite, what_is_mended_is_proved_as_well);
    CU_ADD_TEST(suite, formats_for_columns_of_before_are_mended_like_a_stale_plan);
    CU_ADD_TEST(suite, a_lost_statement_is_parsed_again_unseen);
    CU_ADD_TEST(suite, parameters_are_told_once);
    CU_ADD_TEST(suite, what_fails_again_is_told);
    CU_ADD_TEST(suite, what_is_mended_on_another_server_is_parsed_there_for_it);
    CU_ADD_TEST(suite, in_a_transaction_the_error_is_told_and_the_next_one_is_well);
    CU_ADD_TEST(suite, behind_an_execute_the_error_is_told);
    CU_ADD_TEST(suite, with_more_behind_its_sync_the_error_is_told);
    CU_ADD_TEST(suite, what_is_too_long_to_be_kept_is_told);
    CU_ADD_TEST(suite, what_is_long_is_mended_too);
}
