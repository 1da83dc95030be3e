/* test_care.c - options that watch over clients and servers: checks before reuse, notices, order of reuse,
 * packets, host lists. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_care(void);

#define SCENE(name, text, ...) static const struct scene name = { .settings = text, __VA_ARGS__ }
#define ASKS_AND_GETS(c, s, text)                                                   \
    c " sends Query " text, s " gets Query " text, s " sends Complete 1 | Ready I", \
        c " gets Complete 1 | Ready I"

SCENE(checked, "server_check_query = <empty>\nserver_check_delay = 30\nserver_lifetime = 86400\n",
      .limit = 2);
SCENE(checked_by_select, "server_check_query = select 1\nserver_check_delay = 30\n", .limit = 2);
SCENE(checked_apart, "server_check_query = select 1\nserver_check_delay = 30\n", .limit = 2, .workers = 2);
SCENE(notified, "query_wait_notify = 5\n", .limit = 1);
SCENE(in_turn, "server_round_robin = 1\n", .limit = 2);
SCENE(bounded, "transaction_timeout = 5\nquery_timeout = 60\n", .limit = 1);
SCENE(quick_to_close, "pool_mode = session\nserver_fast_close = 1\n", .limit = 2);
SCENE(slow_to_close, "pool_mode = session\n", .limit = 2);
SCENE(no_pqexec, "disable_pqexec = 1\n", .limit = 1);
SCENE(small_packets, "max_packet_size = 1kB\n", .limit = 1);

static void
a_server_that_was_idle_for_long_is_checked_before_it_is_used(void)
{
    PLAY_SPLITS(&checked, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "time 29 s",
                ASKS_AND_GETS("c1", "s1", "two"), "time 31 s", "c1 sends Query three", "s1 gets Query ",
                "s1 sends Empty | Ready I", "s1 gets Query three", "s1 sends Complete 1 | Ready I",
                "c1 gets Complete 1 | Ready I", ASKS_AND_GETS("c1", "s1", "four"));
    PLAY(&checked_by_select, "c1 enters", "time 31 s", "c1 sends Query one", "s1 gets Query select 1",
         "s1 sends Row 1 | Complete SELECT 1 | Ready I", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I");
}

static void
a_server_that_fails_its_check_is_replaced_unseen(void)
{
    PLAY(&checked_by_select, "c1 enters", "time 31 s", "c1 sends Query one", "s1 gets Query select 1",
         "s1 closes", "s2 gets Query one", "s2 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
    PLAY(&checked_by_select, "c1 enters", "time 31 s", "c1 sends Query one", "s1 gets Query select 1",
         "s1 sends Error ERROR 57P03 no | Ready I", "s1 is closed", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
    PLAY(&checked_by_select, "c1 enters", "time 31 s", "c1 sends Query one", "s1 gets Query select 1",
         "s1 lingers", "time 4 s", "s1 is ended", "c1 gets nothing", "time 5 s", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
}

static void
a_check_is_nobodys_when_its_client_has_gone(void)
{
    PLAY(&checked_by_select, "c1 enters", "time 31 s", "c1 sends Query one", "s1 gets Query select 1",
         "c1 hangs up", "s1 sends Complete SELECT 1 | Ready I", "c2 enters",
         ASKS_AND_GETS("c2", "s1", "two"));
}

static void
each_waiter_has_a_check_of_its_own(void)
{
    PLAY(&checked_by_select, "c1 enters", "c2 enters", "c1 sends Query one", "c2 sends Query two",
         "s1 gets Query one", "s2 gets Query two", "s1 sends Complete 1 | Ready I",
         "s2 sends Complete 2 | Ready I", "c1 gets Complete 1 | Ready I", "c2 gets Complete 2 | Ready I",
         "time 31 s", "c1 sends Query three", "c2 sends Query four", "s2 gets Query select 1",
         "s1 gets Query select 1", "s1 closes", "s3 gets Query three", "s2 sends Complete SELECT 1 | Ready I",
         "s3 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I", "s2 gets Query four",
         "s2 sends Complete 4 | Ready I", "c2 gets Complete 4 | Ready I");
}

static void
a_server_that_moves_is_checked_where_it_comes(void)
{
    PLAY(&checked_apart, "limit 1", "c1 enters", "c2 enters", "time 31 s", "c2 sends Query one",
         "s1 gets Query select 1", "s1 sends Complete SELECT 1 | Ready I", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c2 gets Complete 1 | Ready I", "c1 sends Query two",
         "s1 gets Query two", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
}

static void
who_waits_long_is_told_once(void)
{
    PLAY(
        &notified, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
        "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query one",
        "time 4 s", "c2 gets nothing", "time 2 s",
        "c2 gets Notice NOTICE 00000 No server connection available in postgres backend, client being queued",
        "time 20 s", "c2 gets nothing", "c1 sends Query commit", "s1 gets Query commit",
        "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I", "s1 gets Query one",
        "s1 sends Complete 1 | Ready I", "c2 gets Complete 1 | Ready I");
}

static void
servers_take_turns(void)
{
    PLAY(&in_turn, "c1 enters", "c2 enters", "c1 sends Query one", "c2 sends Query two", "s1 gets Query one",
         "s2 gets Query two", "s1 sends Complete 1 | Ready I", "s2 sends Complete 2 | Ready I",
         "c1 gets Complete 1 | Ready I", "c2 gets Complete 2 | Ready I", ASKS_AND_GETS("c1", "s1", "three"),
         ASKS_AND_GETS("c1", "s2", "four"), ASKS_AND_GETS("c1", "s1", "five"));
}

static void
a_transaction_is_bounded(void)
{
    PLAY(&bounded, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "time 3 s",
         "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready T",
         "c1 gets Complete 1 | Ready T", "time 3 s", "c1 gets Refusal FATAL 25P04 transaction timeout",
         "c1 is closed", "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I");
    PLAY(&bounded, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "time 4 s",
         ASKS_AND_GETS("c1", "s1", "two"), "time 20 s", ASKS_AND_GETS("c1", "s1", "three"));
    PLAY(&bounded, "c1 enters", "c1 sends Query one", "s1 gets Query one", "time 6 s",
         "c1 gets Refusal FATAL 25P04 transaction timeout", "c1 is closed", "k1 cancels s1", "k1 closes",
         "s1 sends Complete 1 | Ready I");
}

static void
a_session_ends_when_its_server_is_to_be_replaced(void)
{
    PLAY(&quick_to_close, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "admin RECONNECT",
         "c1 gets Refusal FATAL 57P01 database configuration changed", "c1 is closed",
         "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Terminate",
         "s1 is closed");
    PLAY(&quick_to_close, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "admin RECONNECT",
         "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 hears Complete COMMIT | Ready I", "c1 gets Refusal FATAL 57P01 database configuration changed",
         "c1 is closed", "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I",
         "s1 gets Terminate", "s1 is closed");
    PLAY(&slow_to_close, "c1 enters", ASKS_AND_GETS("c1", "s1", "one"), "admin RECONNECT",
         ASKS_AND_GETS("c1", "s1", "two"));
}

static void
queries_can_be_refused(void)
{
    PLAY(&no_pqexec, "c1 enters", "c1 sends Query one", "c1 gets Refusal FATAL 0A000 PQexec disabled",
         "c1 is closed", "c2 enters", "c2 sends Parse - one | Bind - - | Execute - 0 | Sync",
         "s1 hears Parse - one | Bind - - | Execute - 0 | Sync",
         "s1 sends ParseComplete | BindComplete | Complete 1 | Ready I",
         "c2 gets ParseComplete | BindComplete | Complete 1 | Ready I");
}

static void
packets_have_a_bound(void)
{
    PLAY(&small_packets, "c1 enters", "c1 sends Query x*1000", "s1 gets Query x*1000",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c1 sends Query x*1100",
         "c1 gets Refusal FATAL 08P01 ", "c1 is closed");
}

void
suite_care(void)
{
    CU_pSuite suite = CU_add_suite("care", NULL, NULL);

    CU_ADD_TEST(suite, a_server_that_was_idle_for_long_is_checked_before_it_is_used);
    CU_ADD_TEST(suite, a_server_that_fails_its_check_is_replaced_unseen);
    CU_ADD_TEST(suite, a_check_is_nobodys_when_its_client_has_gone);
    CU_ADD_TEST(suite, each_waiter_has_a_check_of_its_own);
    CU_ADD_TEST(suite, a_server_that_moves_is_checked_where_it_comes);
    CU_ADD_TEST(suite, who_waits_long_is_told_once);
    CU_ADD_TEST(suite, servers_take_turns);
    CU_ADD_TEST(suite, a_transaction_is_bounded);
    CU_ADD_TEST(suite, a_session_ends_when_its_server_is_to_be_replaced);
    CU_ADD_TEST(suite, queries_can_be_refused);
    CU_ADD_TEST(suite, packets_have_a_bound);
}
