/*
 * test_cancel.c - cancel requests: they reach the query that they are meant for, or nobody. A courier's end
 * is PostgreSQL's word that the signal was sent; until then the server is given to nobody else.
 */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_cancel(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene two_workers = { .limit = 1, .workers = 2 };
static const struct scene impatient = { .limit = 1, .settings = "cancel_wait_timeout = 2\n" };
static const struct scene one_client = { .limit = 1, .settings = "max_client_conn = 1\n" };
static const struct scene sessions = { .limit = 1, .settings = "pool_mode = session\n" };
static const struct scene *const scenes[] = { &one_server, &two_workers };

/* With one worker, and with requester and client in two. */
#define PLAY_BOTH(...)                                            \
    do {                                                          \
        for (size_t scene = 0; scene < COUNT_OF(scenes); scene++) \
            PLAY(scenes[scene], __VA_ARGS__);                     \
    } while (0)

#define C3_WORKS_WITH_S1                                                                \
    "c3 sends Query after", "s1 gets Query after", "s1 sends Complete AFTER | Ready I", \
        "c3 gets Complete AFTER | Ready I", "servers 1", "couriers 0"

static void
a_running_query_is_cancelled(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
              "k1 cancels s1", "c2 is open", "c1 gets nothing", "k1 closes", "c2 is closed",
              "s1 sends Error ERROR 57014 cancelled | Ready I",
              "c1 gets Error ERROR 57014 cancelled | Ready I", C3_WORKS_WITH_S1);
}

static void
a_request_may_come_in_pieces(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
                "k1 cancels s1", "k1 closes", "c2 is closed",
                "s1 sends Error ERROR 57014 cancelled | Ready I",
                "c1 gets Error ERROR 57014 cancelled | Ready I");
}

static void
who_does_not_know_the_key_cancels_nothing(void)
{
    PLAY_BOTH("c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1 wrongly",
              "c2 is closed", "couriers 0", "time 1 s", "couriers 0", "s1 sends Complete 1 | Ready I",
              "c1 gets Complete 1 | Ready I");
}

static void
a_key_is_of_no_use_when_its_client_is_gone(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 hangs up", "c3 sends Query slow", "s1 gets Query slow",
              "c2 cancels c1", "c2 is closed", "couriers 0", "s1 sends Complete 3 | Ready I",
              "c3 gets Complete 3 | Ready I");
}

static void
there_is_nothing_to_cancel_between_queries(void)
{
    PLAY_BOTH("c1 enters", "c2 cancels c1", "c2 is closed", "couriers 0", "c1 sends Query begin",
              "s1 gets Query begin", "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
              "c2 cancels c1", "c2 is closed", "couriers 0", "c1 sends Query commit", "s1 gets Query commit",
              "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I");
}

static void
a_client_that_waits_goes_on_waiting(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c3 sends Query three", "s1 gets Query three", "c1 sends Query one",
              "c2 cancels c1", "c2 is closed", "couriers 0", "s1 sends Complete 3 | Ready I",
              "c3 gets Complete 3 | Ready I", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
              "c1 gets Complete 1 | Ready I");
}

/* The race: the query has just ended, its cancel request is still under way. */
static void
a_cancel_that_comes_late_hits_nobody(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c3 sends Query three",
              "c2 cancels c1", "k1 cancels s1", "s1 sends Complete 1 | Ready I",
              "c1 gets Complete 1 | Ready I", "s1 gets nothing", "time 3 s", "s1 gets nothing", "k1 closes",
              "c2 is closed", "s1 gets Query three", "s1 sends Complete 3 | Ready I",
              "c3 gets Complete 3 | Ready I", "servers 1");
}

static void
nor_the_next_transaction_of_its_own_client(void)
{
    PLAY_BOTH("c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1", "k1 cancels s1",
              "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c1 sends Query next",
              "s1 gets nothing", "k1 closes", "c2 is closed", "s1 gets Query next",
              "s1 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I");
}

static void
within_a_transaction_the_server_stays_with_its_client(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query begin", "s1 gets Query begin",
              "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 sends Query slow",
              "s1 gets Query slow", "c2 cancels c1", "k1 cancels s1", "s1 sends Complete 1 | Ready T",
              "c1 gets Complete 1 | Ready T", "c1 sends Query commit", "s1 gets Query commit",
              "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I",
              "c3 sends Query after", "s1 gets nothing", "k1 closes", "c2 is closed", "s1 gets Query after",
              "s1 sends Complete AFTER | Ready I", "c3 gets Complete AFTER | Ready I");
}

static void
all_couriers_must_have_come_back(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c3 sends Query three",
              "c2 cancels c1", "c4 cancels c1", "k1 cancels s1", "k2 cancels s1",
              "s1 sends Error ERROR 57014 cancelled | Ready I",
              "c1 gets Error ERROR 57014 cancelled | Ready I", "s1 gets nothing", "k2 closes", "c4 is closed",
              "s1 gets nothing", "k1 closes", "c2 is closed", "s1 gets Query three",
              "s1 sends Complete 3 | Ready I", "c3 gets Complete 3 | Ready I");
}

static void
a_requester_need_not_wait(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
              "k1 cancels s1", "c2 hangs up", "couriers 1", "s1 sends Error ERROR 57014 cancelled | Ready I",
              "c1 gets Error ERROR 57014 cancelled | Ready I", "c3 sends Query after", "s1 gets nothing",
              "k1 closes", "s1 gets Query after", "s1 sends Complete AFTER | Ready I",
              "c3 gets Complete AFTER | Ready I");
}

static void
a_client_may_leave_while_its_cancel_is_under_way(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
              "k1 cancels s1", "c1 hangs up", "couriers 1", "s1 sends Error ERROR 57014 cancelled | Ready I",
              "c3 sends Query after", "s1 gets nothing", "k1 closes", "c2 is closed", "s1 gets Query after",
              "s1 sends Complete AFTER | Ready I", "c3 gets Complete AFTER | Ready I");
}

static void
a_server_may_die_while_a_cancel_is_under_way(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
              "k1 cancels s1", "s1 closes", "c1 gets Refusal FATAL 08006 lost", "c1 is closed",
              "c2 is closed", "couriers 0", "c3 sends Query after", "s2 gets Query after",
              "s2 sends Complete AFTER | Ready I", "c3 gets Complete AFTER | Ready I");
}

/* It may still be lying in the server's queue, and would hit whoever has the backend then. */
static void
a_cancel_that_the_server_does_not_take_costs_the_connection(void)
{
    PLAY(&impatient, "c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow",
         "c3 sends Query three", "c2 cancels c1", "k1 cancels s1", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "time 1 s", "k1 is open", "c2 is open", "s1 gets nothing",
         "time 2 s", "k1 is closed", "c2 is closed", "s1 is closed", "s2 gets Query three",
         "s2 sends Complete 3 | Ready I", "c3 gets Complete 3 | Ready I", "c1 sends Query more",
         "s2 gets Query more", "s2 sends Complete 4 | Ready I", "c1 gets Complete 4 | Ready I");
    PLAY(&impatient, "c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow",
         "c3 sends Query three", "c2 cancels c1", "k1 cancels s1", "time 3 s", "k1 is closed", "c2 is closed",
         "s1 is open", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 is closed",
         "s2 gets Query three", "s2 sends Complete 3 | Ready I", "c3 gets Complete 3 | Ready I");
}

static void
a_cancel_that_does_not_reach_the_server_changes_nothing(void)
{
    PLAY_BOTH("c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "server goes down",
              "c2 cancels c1", "c2 is closed", "s1 sends Complete 1 | Ready I",
              "c1 gets Complete 1 | Ready I", C3_WORKS_WITH_S1);
}

static void
what_the_server_says_to_a_courier_is_ignored(void)
{
    PLAY_BOTH("c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1", "k1 cancels s1",
              "k1 sends Error FATAL 08P01 what", "c2 is closed", "couriers 0",
              "s1 sends Error ERROR 57014 cancelled | Ready I",
              "c1 gets Error ERROR 57014 cancelled | Ready I");
}

static void
a_cancel_needs_no_room_among_the_clients(void)
{
    PLAY(&one_client, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
         "k1 cancels s1", "k1 closes", "c2 is closed", "s1 sends Error ERROR 57014 cancelled | Ready I",
         "c1 gets Error ERROR 57014 cancelled | Ready I");
}

static void
the_reset_query_is_not_hit(void)
{
    PLAY(&sessions, "c1 enters", "c3 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
         "k1 cancels s1", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
         "c1 sends Terminate", "c1 is closed", "s1 gets nothing", "k1 closes", "c2 is closed",
         "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", C3_WORKS_WITH_S1);
}

static void
a_cancel_request_with_more_behind_it_is_one(void)
{
    PLAY(&one_server, "c1 connects", "c1 sends Bytes 00 00 00 10 04 d2 16 2e 00 00 00 20 01 02 03 04 05 06",
         "c1 is closed");
}

static void
a_cancel_request_of_another_length_is_nobodys(void)
{
    PLAY(&one_server, "c1 connects",
         "c1 sends Bytes 00 00 00 14 04 d2 16 2e 00 00 00 20 01 02 03 04 05 06 07 08", "c1 is closed");
}

void
suite_cancel(void)
{
    CU_pSuite suite = CU_add_suite("cancel", NULL, NULL);

    CU_ADD_TEST(suite, a_running_query_is_cancelled);
    CU_ADD_TEST(suite, a_request_may_come_in_pieces);
    CU_ADD_TEST(suite, who_does_not_know_the_key_cancels_nothing);
    CU_ADD_TEST(suite, a_key_is_of_no_use_when_its_client_is_gone);
    CU_ADD_TEST(suite, there_is_nothing_to_cancel_between_queries);
    CU_ADD_TEST(suite, a_client_that_waits_goes_on_waiting);
    CU_ADD_TEST(suite, a_cancel_that_comes_late_hits_nobody);
    CU_ADD_TEST(suite, nor_the_next_transaction_of_its_own_client);
    CU_ADD_TEST(suite, within_a_transaction_the_server_stays_with_its_client);
    CU_ADD_TEST(suite, all_couriers_must_have_come_back);
    CU_ADD_TEST(suite, a_requester_need_not_wait);
    CU_ADD_TEST(suite, a_client_may_leave_while_its_cancel_is_under_way);
    CU_ADD_TEST(suite, a_server_may_die_while_a_cancel_is_under_way);
    CU_ADD_TEST(suite, a_cancel_that_the_server_does_not_take_costs_the_connection);
    CU_ADD_TEST(suite, a_cancel_that_does_not_reach_the_server_changes_nothing);
    CU_ADD_TEST(suite, what_the_server_says_to_a_courier_is_ignored);
    CU_ADD_TEST(suite, a_cancel_needs_no_room_among_the_clients);
    CU_ADD_TEST(suite, the_reset_query_is_not_hit);
    CU_ADD_TEST(suite, a_cancel_request_with_more_behind_it_is_one);
    CU_ADD_TEST(suite, a_cancel_request_of_another_length_is_nobodys);
}
