/* test_swift.c - runs of messages that need nothing, and what ends them. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_swift(void);

static const struct scene one = { .limit = 1 };

#define KNOWN(name, id, text)                                                                 \
    "c1 sends Parse " name " " text " | Sync", "s1 gets Parse pgweir_" id " " text " | Sync", \
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I"
#define TOLD(name, id)                                                                \
    "c1 sends Describe S " name " | Sync", "s1 gets Describe S pgweir_" id " | Sync", \
        "s1 sends Parameters | Columns a | Ready I", "c1 gets Parameters | Columns a | Ready I"
#define QUERY(name) "Bind - " name " | Describe P - | Execute - 0"
#define RESULT "BindComplete | Columns a | Row 1 | Row 2 | Complete SELECT 2"

static void
a_run_of_queries_passes(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
                "c1 sends " QUERY("s1") " | " QUERY("s1") " | " QUERY("s1") " | Sync",
                "s1 gets " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | Sync",
                "s1 sends " RESULT " | " RESULT " | " RESULT " | Ready I",
                "c1 gets " RESULT " | " RESULT " | " RESULT " | Ready I", "counter bind_count 3",
                "counter query_count 3", "counter xact_count 3");
}

static void
several_statements_take_turns(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"), KNOWN("a", "2", "select 2"),
                KNOWN("longer", "3", "select 3"), TOLD("s1", "1"), TOLD("a", "2"),
                "c1 sends " QUERY("s1") " | " QUERY("a") " | " QUERY("longer") " | " QUERY("s1") " | " QUERY(
                    "a") " | Sync",
                "s1 gets " QUERY("pgweir_1") " | " QUERY("pgweir_2") " | " QUERY("pgweir_3") " | " QUERY(
                    "pgweir_1") " | " QUERY("pgweir_2") " | Sync",
                "s1 sends " RESULT " | " RESULT " | " RESULT " | " RESULT " | " RESULT " | Ready I",
                "c1 gets " RESULT " | " RESULT " | " RESULT " | " RESULT " | " RESULT " | Ready I");
}

static void
an_error_in_the_middle_ends_its_segment_alone(void)
{
    PLAY_SPLITS(
        &one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
        "c1 sends " QUERY("s1") " | " QUERY("s1") " | " QUERY("s1") " | Sync | " QUERY("s1") " | Sync",
        "s1 gets " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | Sync | " QUERY(
            "pgweir_1") " | Sync",
        "s1 sends " RESULT " | BindComplete | Columns a | Row 1 | Error ERROR 22012 zero | Ready I",
        "c1 gets " RESULT " | BindComplete | Columns a | Row 1 | Error ERROR 22012 zero | Ready I",
        "s1 sends " RESULT " | Ready I", "c1 gets " RESULT " | Ready I", "c1 sends " QUERY("s1") " | Sync",
        "s1 gets " QUERY("pgweir_1") " | Sync", "s1 sends " RESULT " | Ready I",
        "c1 gets " RESULT " | Ready I");
}

static void
a_name_that_gets_another_text_in_a_run_means_the_new_one(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
                "c1 sends " QUERY("s1") " | Close S s1 | Parse s1 select 2 | " QUERY("s1") " | " QUERY(
                    "s1") " | Sync",
                "s1 gets " QUERY("pgweir_1") " | Parse pgweir_2 select 2 | " QUERY("pgweir_2") " | " QUERY(
                    "pgweir_2") " | Sync",
                "s1 sends " RESULT " | ParseComplete | " RESULT " | " RESULT " | Ready I",
                "c1 gets " RESULT " | CloseComplete | ParseComplete | " RESULT " | " RESULT " | Ready I");
}

static void
an_answer_that_we_make_up_keeps_its_place(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
                "c1 sends Parse s2 select 1 | " QUERY("s1") " | Close S s2 | " QUERY("s1") " | Sync",
                "s1 gets " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | Sync", "c1 gets ParseComplete",
                "s1 sends " RESULT " | " RESULT " | Ready I",
                "c1 gets " RESULT " | CloseComplete | " RESULT " | Ready I");
}

static void
unnamed_statements_run_too(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
                "c1 sends Parse - select 2 | " QUERY("-") " | " QUERY("-") " | " QUERY("s1") " | " QUERY(
                    "-") " | Sync",
                "s1 gets Parse - select 2 | " QUERY("-") " | " QUERY("-") " | " QUERY("pgweir_1") " | " QUERY(
                    "-") " | Sync",
                "s1 sends ParseComplete | " RESULT " | " RESULT " | " RESULT " | " RESULT " | Ready I",
                "c1 gets ParseComplete | " RESULT " | " RESULT " | " RESULT " | " RESULT " | Ready I");
}

static void
a_run_is_mended_as_a_whole(void)
{
    PLAY_SPLITS(&one, "c1 enters", KNOWN("s1", "1", "select 1"),
                "c1 sends Bind - s1 | Execute - 0 | Bind - s1 | Execute - 5 | Bind - s1 | Execute - 0 | Sync",
                "s1 gets Bind - pgweir_1 | Execute - 0 | Bind - pgweir_1 | Execute - 5 | Bind - pgweir_1 | "
                "Execute - 0 | Sync",
                "s1 sends Stale | Ready I",
                "s1 gets Close S pgweir_1 | Parse pgweir_1 select 1 | Bind - pgweir_1 | Execute - 0 | "
                "Bind - pgweir_1 | Execute - 5 | Bind - pgweir_1 | Execute - 0 | Sync",
                "c1 gets nothing",
                "s1 sends CloseComplete | ParseComplete | BindComplete | Complete SELECT 1 | BindComplete | "
                "Suspended | BindComplete | Complete SELECT 1 | Ready I",
                "c1 gets BindComplete | Complete SELECT 1 | BindComplete | Suspended | BindComplete | "
                "Complete SELECT 1 | Ready I");
}

static void
what_is_not_owed_ends_the_connection(void)
{
    PLAY(&one, "c1 enters", KNOWN("s1", "1", "select 1"), TOLD("s1", "1"),
         "c1 sends " QUERY("s1") " | " QUERY("s1") " | Sync",
         "s1 gets " QUERY("pgweir_1") " | " QUERY("pgweir_1") " | Sync",
         "s1 sends " RESULT " | Columns a | BindComplete", "c1 hears " RESULT, "s1 is closed",
         "c1 gets Refusal FATAL 08006 the server broke the protocol", "c1 is closed");
}

void
suite_swift(void)
{
    CU_pSuite suite = CU_add_suite("runs of plain messages", NULL, NULL);

    CU_ADD_TEST(suite, a_run_of_queries_passes);
    CU_ADD_TEST(suite, several_statements_take_turns);
    CU_ADD_TEST(suite, an_error_in_the_middle_ends_its_segment_alone);
    CU_ADD_TEST(suite, a_name_that_gets_another_text_in_a_run_means_the_new_one);
    CU_ADD_TEST(suite, an_answer_that_we_make_up_keeps_its_place);
    CU_ADD_TEST(suite, unnamed_statements_run_too);
    CU_ADD_TEST(suite, a_run_is_mended_as_a_whole);
    CU_ADD_TEST(suite, what_is_not_owed_ends_the_connection);
}
