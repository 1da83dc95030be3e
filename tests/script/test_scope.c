/* test_scope.c - prepared statements of sessions with another search_path or role: see scope_impl.h. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_scope(void);

static const struct scene one = { .limit = 1 };

#define RUN "Execute - 0 | Sync"
#define DONE "BindComplete | Complete SELECT 1 | Ready I"
#define DONE_INSIDE "BindComplete | Complete SELECT 1 | Ready T"
#define PREPARE(client, name)                                                           \
    client " sends Parse s1 select 1 | Sync", "s1 gets Parse " name " select 1 | Sync", \
        "s1 sends ParseComplete | Ready I", client " gets ParseComplete | Ready I"
#define BEGIN(client, path)                                     \
    client " sends Query begin; set local search_path = " path, \
        "s1 gets Query begin; set local search_path = " path,   \
        "s1 sends Complete BEGIN | Complete SET | Ready T",     \
        client " gets Complete BEGIN | Complete SET | Ready T"
#define COMMIT(client)                                                                          \
    client " sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I", \
        client " gets Complete COMMIT | Ready I"

/* Whoever sets the same path meets the same statement. */
static void
each_search_path_of_a_transaction_has_statements_of_its_own(void)
{
    PLAY(&one, "c1 enters", "c2 enters", PREPARE("c1", "pgweir_1"), BEGIN("c1", "a"),
         "c1 sends Bind - s1 | " RUN, "s1 gets Parse pgweir_2 select 1 | Bind - pgweir_2 | " RUN,
         "s1 sends ParseComplete | " DONE_INSIDE, "c1 gets " DONE_INSIDE, COMMIT("c1"), BEGIN("c2", "b"),
         "c2 sends Parse mine select 1 | Bind - mine | " RUN,
         "s1 gets Parse pgweir_3 select 1 | Bind - pgweir_3 | " RUN, "s1 sends ParseComplete | " DONE_INSIDE,
         "c2 gets ParseComplete | " DONE_INSIDE, COMMIT("c2"), BEGIN("c2", "a"),
         "c2 sends Bind - mine | " RUN, "s1 gets Bind - pgweir_2 | " RUN, "s1 sends " DONE_INSIDE,
         "c2 gets " DONE_INSIDE, COMMIT("c2"), "c2 sends Bind - mine | " RUN,
         "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c2 gets " DONE, "c1 sends Bind - s1 | " RUN,
         "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
a_path_that_is_bound_counts_by_its_value(void)
{
    PLAY(&one, "c1 enters", PREPARE("c1", "pgweir_1"), "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c1 sends Parse - select set_config('search_path', $1, true) | Bind - - a | " RUN,
         "s1 gets Parse - select set_config('search_path', $1, true) | Bind - - a | " RUN,
         "s1 sends ParseComplete | " DONE_INSIDE, "c1 gets ParseComplete | " DONE_INSIDE,
         "c1 sends Bind - s1 | " RUN, "s1 gets Parse pgweir_3 select 1 | Bind - pgweir_3 | " RUN,
         "s1 sends ParseComplete | " DONE_INSIDE, "c1 gets " DONE_INSIDE, COMMIT("c1"),
         "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

/* What an answer that is still to come tells of a name is told of the statement that it stood for. */
static void
a_name_that_is_being_answered_stays_what_it_is(void)
{
    PLAY(&one, "c1 enters", PREPARE("c1", "pgweir_1"), "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c1 sends Describe S s1 | Sync | Query set local search_path = a | Bind - s1 | " RUN,
         "s1 gets Describe S pgweir_1 | Sync | Query set local search_path = a | Bind - pgweir_1 | " RUN,
         "s1 sends Parameters | Columns a | Ready T | Complete SET | Ready T | " DONE_INSIDE,
         "c1 gets Parameters | Columns a | Ready T | Complete SET | Ready T | " DONE_INSIDE, COMMIT("c1"));
}

/* A client that was told the columns meets others there. */
static void
another_schema_is_proved_like_a_change_of_it(void)
{
    PLAY(&one, "c1 enters", "c1 sends Parse s1 select 1 | Describe S s1 | Sync",
         "s1 gets Parse pgweir_1 select 1 | Describe S pgweir_1 | Sync",
         "s1 sends ParseComplete | Parameters | Columns a b | Ready I",
         "c1 gets ParseComplete | Parameters | Columns a b | Ready I", BEGIN("c1", "a"),
         "c1 sends Bind - s1 | " RUN, "s1 gets Parse pgweir_2 select 1 | Describe S pgweir_2 | Flush",
         "s1 sends ParseComplete | Parameters | Columns a b", "s1 gets Bind - pgweir_2 | " RUN,
         "s1 sends " DONE_INSIDE, "c1 gets " DONE_INSIDE, COMMIT("c1"), BEGIN("c1", "b"),
         "c1 sends Bind - s1 | " RUN, "s1 gets Parse pgweir_3 select 1 | Describe S pgweir_3 | Flush",
         "s1 sends ParseComplete | Parameters | Columns a c",
         "s1 gets Describe S pgweir_does_not_exist | " RUN, "s1 sends Error ERROR 26000 no | Ready E",
         "c1 hears Refusal ERROR 0A000 cached plan must not change result type", "c1 gets Ready E",
         "c1 sends Query rollback", "s1 gets Query rollback", "s1 sends Complete ROLLBACK | Ready I",
         "c1 gets Complete ROLLBACK | Ready I", "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_1 | " RUN,
         "s1 sends " DONE, "c1 gets " DONE);
}

void
suite_scope(void)
{
    CU_pSuite suite = CU_add_suite("prepared statements and search_path", NULL, NULL);

    CU_ADD_TEST(suite, each_search_path_of_a_transaction_has_statements_of_its_own);
    CU_ADD_TEST(suite, a_path_that_is_bound_counts_by_its_value);
    CU_ADD_TEST(suite, a_name_that_is_being_answered_stays_what_it_is);
    CU_ADD_TEST(suite, another_schema_is_proved_like_a_change_of_it);
}
