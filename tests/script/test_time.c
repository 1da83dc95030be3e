/* test_time.c - every bound on time, under a clock that the script moves. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_time(void);

#define SCENE(name, text, ...) static const struct scene name = { .settings = text, __VA_ARGS__ }

SCENE(queries, "query_timeout = 5\n", .limit = 1);
SCENE(transactions, "idle_transaction_timeout = 5\n", .limit = 1);
SCENE(both, "query_timeout = 5\nidle_transaction_timeout = 2\n", .limit = 1);
SCENE(waits, "query_wait_timeout = 5\n", .limit = 1);
SCENE(logins, "client_login_timeout = 5\n", .limit = 1);
SCENE(waiting_logins, "client_login_timeout = 5\n", .limit = 1, .by_hand = true);
SCENE(clients, "client_idle_timeout = 5\n", .limit = 1);
SCENE(connects, "server_connect_timeout = 5\n", .limit = 1, .by_hand = true);
SCENE(idle_servers, "server_idle_timeout = 60\nserver_lifetime = 100000\n", .limit = 2);
SCENE(kept_servers, "server_idle_timeout = 60\nserver_lifetime = 100000\nmin_pool_size = 1\n", .limit = 2);
SCENE(old_servers, "server_lifetime = 80\nserver_idle_timeout = 0\n", .limit = 1);
SCENE(once, "server_lifetime = 0\n", .limit = 1);
SCENE(patient, "query_wait_timeout = 0\nclient_login_timeout = 0\n", .limit = 1);

/* --- queries and transactions --- */

static void
a_query_that_runs_too_long_is_cancelled_and_its_client_sent_away(void)
{
    PLAY(&queries, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow",
         "c2 sends Query two", "time 4 s", "c1 gets nothing", "time 2 s",
         "c1 gets Refusal FATAL 57014 query_timeout", "c1 is closed", "k1 cancels s1",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "s1 gets nothing", "k1 closes",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
each_query_has_the_whole_time(void)
{
    PLAY(&queries, "c1 enters", "c1 sends Query one", "s1 gets Query one", "time 4 s",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c1 sends Query two | Query three",
         "s1 gets Query two | Query three", "time 4 s", "s1 sends Complete 2 | Ready I",
         "c1 gets Complete 2 | Ready I", "time 4 s", "s1 sends Complete 3 | Ready I",
         "c1 gets Complete 3 | Ready I", "time 20 s", "c1 is open");
}

static void
time_spent_waiting_for_a_server_does_not_count(void)
{
    PLAY(&queries, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one", "c2 sends Query two",
         "time 4 s", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 gets Query two",
         "time 4 s", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
between_the_queries_of_a_transaction_query_timeout_rests(void)
{
    PLAY(&queries, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "time 60 s",
         "c1 gets nothing", "c1 sends Query slow", "s1 gets Query slow", "time 6 s",
         "c1 gets Refusal FATAL 57014 query_timeout", "c1 is closed", "k1 cancels s1", "k1 closes",
         "s1 sends Error ERROR 57014 cancelled | Ready E", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I");
}

/* Everything was answered: no query runs. */
static void
behind_a_flush_query_timeout_rests(void)
{
    PLAY(&queries, "c1 enters", "c1 sends Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 gets Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 sends ParseComplete | BindComplete | Complete 1",
         "c1 gets ParseComplete | BindComplete | Complete 1", "time 60 s", "c1 gets nothing", "c1 is open",
         "c1 sends Sync", "s1 gets Sync", "s1 sends Ready I", "c1 gets Ready I");
}

static void
an_idle_transaction_is_rolled_back_and_its_client_sent_away(void)
{
    PLAY(&transactions, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query two",
         "time 4 s", "c1 gets nothing", "time 2 s", "c1 gets Refusal FATAL 25P03 idle_transaction_timeout",
         "c1 is closed", "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "couriers 0");
}

static void
a_failed_transaction_is_an_idle_one_too(void)
{
    PLAY(&transactions, "c1 enters", "c1 sends Query begin; fail", "s1 gets Query begin; fail",
         "s1 sends Complete BEGIN | Error ERROR 22012 no | Ready E",
         "c1 gets Complete BEGIN | Error ERROR 22012 no | Ready E", "time 6 s",
         "c1 gets Refusal FATAL 25P03 idle_transaction_timeout", "c1 is closed", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I");
}

/* Its implicit transaction holds locks as any other does. */
static void
an_extended_query_that_lacks_its_sync_is_an_idle_one_too(void)
{
    PLAY(&transactions, "c1 enters", "c1 sends Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 gets Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 sends ParseComplete | BindComplete | Complete 1",
         "c1 gets ParseComplete | BindComplete | Complete 1", "time 6 s",
         "c1 gets Refusal FATAL 25P03 idle_transaction_timeout", "c1 is closed", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I");
}

static void
a_transaction_at_work_is_not_idle(void)
{
    PLAY(&transactions, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "time 4 s",
         "c1 sends Query slow", "s1 gets Query slow", "time 60 s", "s1 sends Complete 1 | Ready T",
         "c1 gets Complete 1 | Ready T", "time 4 s", "c1 sends Query commit", "s1 gets Query commit",
         "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I", "time 60 s",
         "c1 is open");
}

static void
both_bounds_hold_each_in_its_time(void)
{
    PLAY(&both, "c1 enters", "c1 sends Query begin", "s1 gets Query begin", "time 4 s",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "time 1 s",
         "c1 sends Query two", "s1 gets Query two", "time 4 s", "c1 gets nothing",
         "s1 sends Complete 2 | Ready T", "c1 gets Complete 2 | Ready T", "time 3 s",
         "c1 gets Refusal FATAL 25P03 idle_transaction_timeout", "c1 is closed", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I");
}

/* --- clients --- */

static void
who_waits_too_long_for_a_server_is_sent_away(void)
{
    PLAY(&waits, "c1 enters", "c2 enters", "c3 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "time 3 s", "c3 sends Query three", "time 3 s",
         "c2 gets Refusal FATAL 53300 query_wait_timeout", "c2 is closed", "c3 gets nothing",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 gets Query three",
         "s1 sends Complete 3 | Ready I", "c3 gets Complete 3 | Ready I");
}

static void
who_waits_in_vain_for_the_first_server_is_sent_away(void)
{
    PLAY(&waits, "server goes down", "c1 connects", "c1 starts", "time 4 s", "c1 gets nothing", "time 2 s",
         "c1 gets Refusal FATAL 53300 query_wait_timeout", "c1 is closed");
}

static void
who_does_not_log_in_is_sent_away(void)
{
    PLAY(&logins, "c1 connects", "time 4 s", "c1 is open", "time 2 s",
         "c1 gets Refusal FATAL 08P01 client_login_timeout", "c1 is closed");
    PLAY(&logins, "c1 connects", "c1 sends Bytes 00 00 00 20 00 03", "time 4 s", "c1 sends Bytes 00 00",
         "time 2 s", "c1 gets Refusal FATAL 08P01 client_login_timeout", "c1 is closed");
    PLAY(&waiting_logins, "c1 connects", "c1 starts", "s1 accepts", "time 6 s",
         "c1 gets Refusal FATAL 08P01 client_login_timeout", "c1 is closed");
    PLAY(&logins, "c1 enters", "time 60 s", "c1 is open");
}

static void
an_idle_client_is_sent_away(void)
{
    PLAY(&clients, "c1 enters", "c2 enters", "time 4 s", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "time 2 s",
         "c2 gets Refusal FATAL 57P05 client_idle_timeout", "c2 is closed", "c1 is open", "time 4 s",
         "c1 gets Refusal FATAL 57P05 client_idle_timeout", "c1 is closed", "s1 gets nothing");
}

static void
a_client_at_work_or_waiting_is_not_idle(void)
{
    PLAY(&clients, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "c2 sends Query two", "time 20 s", "s1 sends Complete BEGIN | Ready T",
         "c1 gets Complete BEGIN | Ready T", "time 20 s", "c1 sends Query commit", "s1 gets Query commit",
         "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I", "s1 gets Query two",
         "time 4 s", "c1 is open", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "time 2 s", "c1 gets Refusal FATAL 57P05 client_idle_timeout", "c1 is closed", "c2 is open");
}

/* --- servers --- */

static void
a_server_that_does_not_answer_is_tried_again(void)
{
    PLAY(&connects, "c1 connects", "c1 starts", "s1 accepts", "time 4 s", "s1 is open", "time 2 s",
         "s1 is closed", "c1 gets nothing", "time 3 s", "s2 accepts",
         "s2 sends AuthOk | Key 1002 7002 | Ready I", "c1 is greeted");
    PLAY(&connects, "c1 connects", "c1 starts", "s1 accepts", "s1 sends AuthOk", "time 4 s",
         "s1 sends Key 1001 7001", "time 2 s", "s1 is closed", "time 3 s", "s2 accepts",
         "s2 sends AuthOk | Key 1002 7002 | Ready I", "c1 is greeted");
}

static void
an_idle_server_is_closed_after_its_time(void)
{
    PLAY(&idle_servers, "c1 enters", "c2 enters", "c1 sends Query one", "c2 sends Query two",
         "s1 gets Query one", "s2 gets Query two", "s1 sends Complete 1 | Ready I",
         "s2 sends Complete 2 | Ready I", "c1 gets Complete 1 | Ready I", "c2 gets Complete 2 | Ready I",
         "servers 2", "time 50 s", "servers 2", "c1 sends Query three", "s2 gets Query three",
         "s2 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I", "time 20 s", "s1 gets Terminate",
         "s1 is closed", "s2 is open", "time 60 s", "s2 gets Terminate", "s2 is closed",
         "c1 sends Query four", "s3 gets Query four", "s3 sends Complete 4 | Ready I",
         "c1 gets Complete 4 | Ready I");
}

static void
min_pool_size_is_kept(void)
{
    PLAY(&kept_servers, "c1 enters", "time 600 s", "servers 1");
}

static void
an_old_server_is_replaced_when_it_comes_back(void)
{
    PLAY(&old_servers, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query two",
         "time 100 s", "s1 is open", "c1 sends Query commit", "s1 gets Query commit",
         "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I", "s1 gets Terminate",
         "s1 is closed", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
an_old_idle_server_is_closed(void)
{
    PLAY(&old_servers, "c1 enters", "time 75 s", "s1 is open", "time 30 s", "s1 gets Terminate",
         "s1 is closed", "c1 sends Query one", "s2 gets Query one", "s2 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I");
}

static void
a_lifetime_of_nothing_uses_each_server_once(void)
{
    PLAY(&once, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 gets Terminate", "s1 is closed", "c1 sends Query two",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I",
         "s2 gets Terminate", "s2 is closed");
}

static void
a_server_that_is_down_is_waited_for(void)
{
    PLAY(&patient, "c1 enters", "c2 enters", "s1 closes", "server goes down", "c1 sends Query one",
         "time 100 s", "c1 gets nothing", "c2 sends Query two", "time 100 s", "server comes up", "time 20 s",
         "s2 gets Query one", "s2 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&patient, "server goes down", "c1 connects", "c1 starts", "time 100 s", "c1 gets nothing",
         "server comes up", "time 20 s", "c1 is greeted");
}

void
suite_time(void)
{
    CU_pSuite suite = CU_add_suite("time", NULL, NULL);

    CU_ADD_TEST(suite, a_query_that_runs_too_long_is_cancelled_and_its_client_sent_away);
    CU_ADD_TEST(suite, each_query_has_the_whole_time);
    CU_ADD_TEST(suite, time_spent_waiting_for_a_server_does_not_count);
    CU_ADD_TEST(suite, between_the_queries_of_a_transaction_query_timeout_rests);
    CU_ADD_TEST(suite, behind_a_flush_query_timeout_rests);
    CU_ADD_TEST(suite, an_idle_transaction_is_rolled_back_and_its_client_sent_away);
    CU_ADD_TEST(suite, a_failed_transaction_is_an_idle_one_too);
    CU_ADD_TEST(suite, an_extended_query_that_lacks_its_sync_is_an_idle_one_too);
    CU_ADD_TEST(suite, a_transaction_at_work_is_not_idle);
    CU_ADD_TEST(suite, both_bounds_hold_each_in_its_time);
    CU_ADD_TEST(suite, who_waits_too_long_for_a_server_is_sent_away);
    CU_ADD_TEST(suite, who_waits_in_vain_for_the_first_server_is_sent_away);
    CU_ADD_TEST(suite, who_does_not_log_in_is_sent_away);
    CU_ADD_TEST(suite, an_idle_client_is_sent_away);
    CU_ADD_TEST(suite, a_client_at_work_or_waiting_is_not_idle);
    CU_ADD_TEST(suite, a_server_that_does_not_answer_is_tried_again);
    CU_ADD_TEST(suite, an_idle_server_is_closed_after_its_time);
    CU_ADD_TEST(suite, min_pool_size_is_kept);
    CU_ADD_TEST(suite, an_old_server_is_replaced_when_it_comes_back);
    CU_ADD_TEST(suite, an_old_idle_server_is_closed);
    CU_ADD_TEST(suite, a_lifetime_of_nothing_uses_each_server_once);
    CU_ADD_TEST(suite, a_server_that_is_down_is_waited_for);
}
