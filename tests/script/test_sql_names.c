/* test_sql_names.c - SQL that names what was prepared in the protocol. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_sql_names(void);

static const struct scene one = { .limit = 1 };

#define RUN "Execute - 0 | Sync"
#define DONE "BindComplete | Complete SELECT 1 | Ready I"
#define PREPARE(name, number)                                                                           \
    "c1 sends Parse " name " select " number " | Sync",                                                 \
        "s1 gets Parse pgweir_" number " select " number " | Sync", "s1 sends ParseComplete | Ready I", \
        "c1 gets ParseComplete | Ready I"
#define STAND_IN(n) "Close S pgweir_gone_" n " | Parse pgweir_gone_" n " "
#define STOOD "CloseComplete | ParseComplete"
#define UNKNOWN                                                                                      \
    "c1 sends Bind - x | " RUN, "s1 gets Bind - x | " RUN, "s1 sends Error ERROR 26000 x | Ready I", \
        "c1 gets Error ERROR 26000 x | Ready I"
#define KNOWN "c1 sends Bind - x | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE

static void
a_name_goes_when_its_tag_comes(void)
{
    PLAY_SPLITS(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Query Deallocate X",
                "s1 gets " STAND_IN("1") " | Sync | Query Deallocate pgweir_gone_1",
                "s1 sends " STOOD " | Ready I | Complete DEALLOCATE | Ready I",
                "c1 gets Complete DEALLOCATE | Ready I", UNKNOWN);
}

static void
what_was_not_reached_was_not_done(void)
{
    PLAY(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Query select 1 / 0; deallocate x",
         "s1 gets " STAND_IN("1") " | Sync | Query select 1 / 0; deallocate pgweir_gone_1",
         "s1 sends " STOOD " | Ready I | Error ERROR 22012 by zero | Ready I",
         "c1 gets Error ERROR 22012 by zero | Ready I", KNOWN);
}

static void
each_of_several_has_a_stand_in(void)
{
    PLAY(&one, "c1 enters", PREPARE("x", "1"), PREPARE("y", "2"),
         "c1 sends Query deallocate y; deallocate x; selec",
         "s1 gets " STAND_IN("1") " | " STAND_IN("2") " | Sync | Query deallocate pgweir_gone_1; deallocate "
                                                      "pgweir_gone_2; selec",
         "s1 sends " STOOD " | " STOOD
         " | Ready I | Complete DEALLOCATE | Error ERROR 26000 no pgweir_gone_2 | Ready I",
         "c1 gets Complete DEALLOCATE | Error ERROR 26000 no x | Ready I", KNOWN);
}

static void
execute_finds_what_the_server_is_given_first(void)
{
    PLAY(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Query execute x (2)",
         "s1 gets Query execute pgweir_1 (2)", "s1 sends Error ERROR 42601 not for \"pgweir_1\" | Ready I",
         "c1 gets Error ERROR 42601 not for \"x\" | Ready I");
}

static void
in_a_failed_transaction_nothing_is_given(void)
{
    static const struct scene two = { .limit = 2 };

    PLAY(&two, "c1 enters", "c2 enters", PREPARE("x", "1"), "c2 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T", "c1 sends Query begin",
         "s2 gets Query begin", "s2 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c1 sends Query selec", "s2 gets Query selec", "s2 sends Error ERROR 42601 selec | Ready E",
         "c1 gets Error ERROR 42601 selec | Ready E", "c1 sends Close S - | Flush",
         "s2 gets Close S - | Flush", "s2 sends CloseComplete", "c1 gets CloseComplete",
         "c1 sends Query execute x", "s2 gets Query execute pgweir_1",
         "s2 sends Error ERROR 25P02 aborted | Ready E", "c1 gets Error ERROR 25P02 aborted | Ready E");
}

static void
it_waits_for_what_is_owed(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Parse x select 1 | Close S nobody | Query deallocate x",
                "s1 gets Parse pgweir_1 select 1 | Flush", "s1 sends ParseComplete",
                "s1 gets " STAND_IN("1") " | Query deallocate pgweir_gone_1",
                "c1 gets ParseComplete | CloseComplete", "s1 sends " STOOD " | Complete DEALLOCATE | Ready I",
                "c1 gets Complete DEALLOCATE | Ready I", UNKNOWN);
}

static void
it_does_not_wait_for_what_is_made_up(void)
{
    PLAY_SPLITS(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Close S nobody | Query deallocate x",
                "s1 gets " STAND_IN("1") " | Query deallocate pgweir_gone_1", "c1 gets CloseComplete",
                "s1 sends " STOOD " | Complete DEALLOCATE | Ready I",
                "c1 gets Complete DEALLOCATE | Ready I");
}

static void
it_does_not_wait_for_the_end_of_a_copy_that_nobody_began(void)
{
    PLAY_SPLITS(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
                "c1 sends Close S nobody | CopyFail stray | Query deallocate x",
                "s1 gets CopyFail stray | " STAND_IN("1") " | Query deallocate pgweir_gone_1",
                "c1 gets CloseComplete", "s1 sends " STOOD " | Complete DEALLOCATE | Ready T",
                "c1 gets Complete DEALLOCATE | Ready T");
}

static void
an_executed_deallocate_takes_the_name_away(void)
{
    PLAY_SPLITS(&one, "c1 enters", PREPARE("x", "1"), "c1 sends Parse - deallocate x | Bind - - | " RUN,
                "s1 gets Parse - deallocate pgweir_gone_1 | Bind - - | " STAND_IN("1") " | " RUN,
                "s1 sends ParseComplete | BindComplete | " STOOD " | Complete DEALLOCATE | Ready I",
                "c1 gets ParseComplete | BindComplete | Complete DEALLOCATE | Ready I", UNKNOWN);
}

static void
names_like_ours_are_kept_apart(void)
{
    PLAY(&one, "c1 enters", "c1 sends Query execute pgweir_1; deallocate \"pgweir_\"\"\"",
         "s1 gets Query execute \"pgweir-1\"; deallocate \"pgweir-\"\"\"",
         "s1 sends Error ERROR 26000 no \"pgweir-1\" | Ready I",
         "c1 gets Error ERROR 26000 no \"pgweir_1\" | Ready I");
}

void
suite_sql_names(void)
{
    CU_pSuite suite = CU_add_suite("prepared statements named in SQL", NULL, NULL);

    CU_ADD_TEST(suite, a_name_goes_when_its_tag_comes);
    CU_ADD_TEST(suite, what_was_not_reached_was_not_done);
    CU_ADD_TEST(suite, each_of_several_has_a_stand_in);
    CU_ADD_TEST(suite, execute_finds_what_the_server_is_given_first);
    CU_ADD_TEST(suite, in_a_failed_transaction_nothing_is_given);
    CU_ADD_TEST(suite, it_waits_for_what_is_owed);
    CU_ADD_TEST(suite, it_does_not_wait_for_what_is_made_up);
    CU_ADD_TEST(suite, it_does_not_wait_for_the_end_of_a_copy_that_nobody_began);
    CU_ADD_TEST(suite, an_executed_deallocate_takes_the_name_away);
    CU_ADD_TEST(suite, names_like_ours_are_kept_apart);
}
