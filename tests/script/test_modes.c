/* test_modes.c - session and statement mode, and what is run on a server before another client gets it. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_modes(void);

#define SCENE(name, text) static const struct scene name = { .settings = text, .limit = 1 }

SCENE(sessions, "pool_mode = session\n");
SCENE(bare_sessions, "pool_mode = session\nserver_reset_query =\n");
SCENE(statements, "pool_mode = statement\n");
SCENE(always, "server_reset_query_always = 1\n");
static const struct scene session_entry = { .entry = "pool_mode=session", .limit = 1 };

#define C2_WORKS \
    "c2 sends Query two", "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I"

static void
a_session_keeps_its_server_between_transactions(void)
{
    PLAY_SPLITS(&sessions, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
                "s1 gets nothing", "c1 sends Query more", "s1 gets Query more",
                "s1 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I", "c1 sends Terminate",
                "c1 is closed", "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&session_entry, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
         "s1 gets nothing", "c1 hangs up", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
what_an_idle_session_is_told_arrives(void)
{
    PLAY(&sessions, "c1 enters", "c1 sends Query listen a", "s1 gets Query listen a",
         "s1 sends Complete LISTEN | Ready I", "c1 gets Complete LISTEN | Ready I",
         "s1 sends Notification 7 a hello | Parameter TimeZone UTC",
         "c1 gets Notification 7 a hello | Parameter TimeZone UTC");
}

static void
a_sync_of_an_idle_session_goes_to_its_server(void)
{
    PLAY(&sessions, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "c1 sends Sync", "s1 gets Sync", "s1 sends Ready I",
         "c1 gets Ready I");
}

static void
a_session_left_in_a_transaction_is_rolled_back_and_reset(void)
{
    PLAY(&sessions, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 hangs up",
         "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", C2_WORKS);
}

static void
a_session_left_in_a_query_is_cancelled_and_reset(void)
{
    PLAY(&sessions, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "s1 sends Error ERROR 57014 cancelled | Ready I", "s1 gets nothing", "k1 closes",
         "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", C2_WORKS);
}

static void
a_reset_that_fails_costs_the_server(void)
{
    PLAY(&sessions, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two", "c1 hangs up",
         "s1 gets Query DISCARD ALL", "s1 sends Error ERROR 25001 no", "s1 is closed", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
a_reset_that_does_not_end_costs_the_server(void)
{
    PLAY(&sessions, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two", "c1 hangs up",
         "s1 gets Query DISCARD ALL", "time 9 s", "s1 is open", "time 2 s", "s1 is closed", "couriers 0",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
without_a_reset_query_the_next_session_follows_at_once(void)
{
    PLAY(&bare_sessions, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c1 hangs up", C2_WORKS);
}

static void
reset_query_always_means_after_each_transaction(void)
{
    PLAY_SPLITS(&always, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 gets Query DISCARD ALL",
                "c1 sends Query more", "s1 gets nothing", "s1 sends Complete DISCARD ALL | Ready I",
                "s1 gets Query more", "s1 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I",
                "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", C2_WORKS,
                "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I");
}

static void
statements_change_servers_between_each_other(void)
{
    PLAY(&statements, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "c1 sends Parse - a | Bind - - | Execute - 0 | Sync",
         "s1 gets Parse - a | Bind - - | Execute - 0 | Sync",
         "s1 sends ParseComplete | BindComplete | Complete 3 | Ready I",
         "c1 gets ParseComplete | BindComplete | Complete 3 | Ready I", C2_WORKS);
}

static void
a_transaction_block_is_refused_in_statement_mode(void)
{
    PLAY_SPLITS(&statements, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T",
                "c1 gets Complete BEGIN | Refusal FATAL 25001 statement pooling mode", "c1 is closed",
                "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", C2_WORKS);
}

void
suite_modes(void)
{
    CU_pSuite suite = CU_add_suite("modes", NULL, NULL);

    CU_ADD_TEST(suite, a_session_keeps_its_server_between_transactions);
    CU_ADD_TEST(suite, what_an_idle_session_is_told_arrives);
    CU_ADD_TEST(suite, a_sync_of_an_idle_session_goes_to_its_server);
    CU_ADD_TEST(suite, a_session_left_in_a_transaction_is_rolled_back_and_reset);
    CU_ADD_TEST(suite, a_session_left_in_a_query_is_cancelled_and_reset);
    CU_ADD_TEST(suite, a_reset_that_fails_costs_the_server);
    CU_ADD_TEST(suite, a_reset_that_does_not_end_costs_the_server);
    CU_ADD_TEST(suite, without_a_reset_query_the_next_session_follows_at_once);
    CU_ADD_TEST(suite, reset_query_always_means_after_each_transaction);
    CU_ADD_TEST(suite, statements_change_servers_between_each_other);
    CU_ADD_TEST(suite, a_transaction_block_is_refused_in_statement_mode);
}
