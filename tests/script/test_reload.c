/* test_reload.c - house_reconfigure() while clients and servers live. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_reload(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene two_servers = { .limit = 2 };
static const struct scene sessions = { .settings = "pool_mode = session\n", .limit = 1 };

static void
nothing_changes_for_who_is_in(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "reload max_client_conn = 50", "c1 sends Query commit", "s1 gets Query commit",
         "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I", "c1 sends Query two",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I", "servers 1");
}

static void
bounds_on_time_hold_at_once(void)
{
    PLAY(&one_server, "c1 enters", "reload idle_transaction_timeout = 5", "c1 sends Query begin",
         "s1 gets Query begin", "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "time 6 s", "c1 gets Refusal FATAL 25P03 idle_transaction_timeout", "c1 is closed",
         "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I");
    PLAY(&one_server, "c1 enters", "reload query_timeout = 5", "c1 sends Query slow", "s1 gets Query slow",
         "time 6 s", "c1 gets Refusal FATAL 57014 query_timeout", "c1 is closed", "k1 cancels s1",
         "k1 closes", "s1 sends Error ERROR 57014 cancelled | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow",
         "reload query_wait_timeout = 5", "c2 sends Query two", "time 6 s",
         "c2 gets Refusal FATAL 53300 query_wait_timeout", "c2 is closed");
}

static void
a_new_pool_mode_is_for_new_sessions(void)
{
    PLAY(&sessions, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "reload pool_mode = transaction", "c2 enters", "c2 sends Query two",
         "s1 gets nothing", "c1 sends Query more", "s1 gets Query more", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 gets nothing", "c1 hangs up", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "c3 enters", "c3 sends Query three", "s1 gets Query three",
         "s1 sends Complete 3 | Ready I", "c3 gets Complete 3 | Ready I");
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "reload pool_mode = session", "c2 enters", "c2 sends Query two",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "c1 sends Query three", "s1 gets nothing", "c2 hangs up", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query three", "s1 sends Complete 3 | Ready I",
         "c1 gets Complete 3 | Ready I");
}

static void
servers_made_for_another_entry_are_replaced_when_they_are_free(void)
{
    PLAY(&two_servers, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query two",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "entry connect_query='select 1'", "s2 gets Terminate", "s2 is closed", "s1 is open",
         "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 gets Complete COMMIT | Ready I", "s1 gets Terminate", "s1 is closed", "c2 sends Query three",
         "s3 gets Query select 1", "s3 sends Complete 1 | Ready I", "s3 gets Query three",
         "s3 sends Complete 3 | Ready I", "c2 gets Complete 3 | Ready I");
}

static void
a_database_that_is_gone_takes_nobody_in(void)
{
    PLAY(&one_server, "c1 enters", "entry -", "c1 gets Refusal FATAL 57P01 removed", "c1 is closed",
         "s1 gets Terminate", "s1 is closed", "c2 connects", "c2 starts", "c2 gets Refusal FATAL 3D000 app",
         "c2 is closed", "entry  ", "c3 enters");
}

/* pool.h: pools whose database is gone drain. */
static void
a_transaction_in_a_database_that_is_gone_comes_to_its_end(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "entry -",
         "s1 gets nothing", "c1 sends Query commit", "s1 gets Query commit",
         "s1 sends Complete COMMIT | Ready I",
         "c1 gets Complete COMMIT | Ready I | Refusal FATAL 57P01 removed", "c1 is closed",
         "s1 gets Terminate", "s1 is closed");
}

void
suite_reload(void)
{
    CU_pSuite suite = CU_add_suite("reload", NULL, NULL);

    CU_ADD_TEST(suite, nothing_changes_for_who_is_in);
    CU_ADD_TEST(suite, bounds_on_time_hold_at_once);
    CU_ADD_TEST(suite, a_new_pool_mode_is_for_new_sessions);
    CU_ADD_TEST(suite, servers_made_for_another_entry_are_replaced_when_they_are_free);
    CU_ADD_TEST(suite, a_database_that_is_gone_takes_nobody_in);
    CU_ADD_TEST(suite, a_transaction_in_a_database_that_is_gone_comes_to_its_end);
}
