/* test_admin.c - what an administrator does to pools, as clients and servers see it. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_admin(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene two_servers = { .limit = 2 };
static const struct scene two_workers = { .limit = 2, .workers = 2 };
static const struct scene impatient = { .settings = "query_wait_timeout = 10\n", .limit = 1 };
static const struct scene sessions = { .settings = "pool_mode = session\n", .limit = 1 };

#define ASKS_AND_GETS(c, s, text)                                                   \
    c " sends Query " text, s " gets Query " text, s " sends Complete 1 | Ready I", \
        c " gets Complete 1 | Ready I"

static void
a_pause_closes_servers_and_requests_wait(void)
{
    PLAY(&one_server, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "admin PAUSE app", "s1 gets Terminate",
         "s1 is closed", "admin has 1", "c1 sends Query two", "c1 gets nothing", "servers 0", "time 2 s",
         "servers 0", "admin RESUME app", "s2 gets Query two", "s2 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I");
    PLAY(&two_workers, "c1 enters", "c2 enters", ASKS_AND_GETS("c1", "s1", "one"), "admin PAUSE",
         "s1 gets Terminate", "s1 is closed", "admin has 1", "c1 sends Query two", "c2 sends Query three",
         "servers 0", "admin PAUSE -> already", "admin RESUME", "servers 2", "s2 gets Query two",
         "s3 gets Query three", "s3 sends Complete 3 | Ready I", "s2 sends Complete 2 | Ready I",
         "c1 gets Complete 2 | Ready I", "c2 gets Complete 3 | Ready I");
}

static void
a_pause_waits_for_the_transaction(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "admin PAUSE app",
         "admin has 0", "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 gets Complete COMMIT | Ready I", "s1 gets Terminate", "s1 is closed", "admin has 1");
    PLAY(&sessions, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "admin PAUSE", "admin has 0",
         ASKS_AND_GETS("c1", "s1", "two"), "admin has 0", "c1 sends Terminate", "c1 is closed",
         "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Terminate",
         "s1 is closed", "admin has 1");
}

static void
logins_go_on_in_a_pause(void)
{
    PLAY(&one_server, "c1 enters", "admin PAUSE app", "s1 gets Terminate", "s1 is closed", "c2 enters",
         "c2 sends Query one", "c2 gets nothing", "admin RESUME app", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c2 gets Complete 1 | Ready I");
    PLAY(&one_server, "admin PAUSE app", "admin has 1", "c1 connects", "c1 starts", "c1 gets nothing",
         "servers 0", "admin RESUME app", "c1 is greeted");
}

static void
a_wait_is_bounded_in_a_pause_too(void)
{
    PLAY(&impatient, "c1 enters", "admin PAUSE app", "s1 gets Terminate", "s1 is closed",
         "c1 sends Query one", "time 11 s", "c1 gets Refusal FATAL 53300 query_wait_timeout", "c1 is closed");
}

static void
a_pause_survives_a_reload(void)
{
    PLAY(&one_server, "c1 enters", "admin PAUSE app", "s1 gets Terminate", "s1 is closed",
         "reload pool_mode = transaction", "c1 sends Query one", "servers 0", "entry pool_size=3",
         "servers 0", "admin RESUME app", "s2 gets Query one", "s2 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I");
}

static void
all_and_one_are_paused_apart(void)
{
    PLAY(&one_server, "admin RESUME -> not-paused", "admin RESUME app -> not-paused",
         "admin PAUSE nowhere -> no-database", "admin RESUME nowhere -> no-database",
         "admin DISABLE nowhere -> no-database", "admin ENABLE nowhere -> no-database",
         "admin RECONNECT nowhere -> no-database", "admin WAIT_CLOSE nowhere -> no-database",
         "admin KILL nowhere -> no-database", "admin PAUSE app", "admin PAUSE app", "admin PAUSE",
         "admin KILL app -> already", "admin has 3", "admin RESUME", "c1 connects", "c1 starts",
         "c1 gets nothing", "admin RESUME app", "c1 is greeted");
}

static void
a_disabled_database_refuses_logins_only(void)
{
    PLAY(&one_server, "c1 enters", "admin DISABLE app", ASKS_AND_GETS("c1", "s1", "one"), "c2 connects",
         "c2 starts", "c2 gets Refusal FATAL 55000 database \"app\" is disabled", "c2 is closed",
         "admin ENABLE app", "c3 enters");
}

static void
a_reconnect_renews_servers_as_they_come_back(void)
{
    PLAY(&two_servers, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         ASKS_AND_GETS("c2", "s2", "two"), "admin RECONNECT app", "s2 gets Terminate", "s2 is closed",
         "admin WAIT_CLOSE app", "admin has 0", ASKS_AND_GETS("c2", "s3", "three"), "admin has 0",
         "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 gets Complete COMMIT | Ready I", "s1 gets Terminate", "s1 is closed", "admin has 1");
}

static void
a_killed_database_has_no_clients_and_no_servers(void)
{
    PLAY(&two_servers, "c1 enters", "c2 enters", "c3 enters", ASKS_AND_GETS("c1", "s1", "one"),
         "c2 sends Query begin", "s1 gets Query begin", "s1 sends Complete BEGIN | Ready T",
         "c2 gets Complete BEGIN | Ready T", "admin KILL app", "c1 gets Refusal FATAL 57P01 database removed",
         "c1 is closed", "c2 gets Refusal FATAL 57P01 database removed", "c2 is closed",
         "c3 gets Refusal FATAL 57P01 database removed", "c3 is closed", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I", "s1 gets Terminate", "s1 is closed", "servers 0",
         "c4 enters", "c4 sends Query one", "c4 gets nothing", "admin RESUME app", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c4 gets Complete 1 | Ready I");
}

static void
one_client_is_sent_away(void)
{
    PLAY(&two_workers, "c1 enters", "c2 enters", "admin KILL_CLIENT 1",
         "c1 gets Refusal FATAL 57P01 admin forced disconnect", "c1 is closed", "admin has 1",
         "admin KILL_CLIENT 999999", "admin has 1", "c2 gets nothing");
}

void
suite_admin(void)
{
    CU_pSuite suite = CU_add_suite("admin", NULL, NULL);

    CU_ADD_TEST(suite, a_pause_closes_servers_and_requests_wait);
    CU_ADD_TEST(suite, a_pause_waits_for_the_transaction);
    CU_ADD_TEST(suite, logins_go_on_in_a_pause);
    CU_ADD_TEST(suite, a_wait_is_bounded_in_a_pause_too);
    CU_ADD_TEST(suite, a_pause_survives_a_reload);
    CU_ADD_TEST(suite, all_and_one_are_paused_apart);
    CU_ADD_TEST(suite, a_disabled_database_refuses_logins_only);
    CU_ADD_TEST(suite, a_reconnect_renews_servers_as_they_come_back);
    CU_ADD_TEST(suite, a_killed_database_has_no_clients_and_no_servers);
    CU_ADD_TEST(suite, one_client_is_sent_away);
}
