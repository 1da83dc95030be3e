/* test_drain.c - house_drain() at each state: everybody is let go at the end of what they are doing, and
 * on_drained() follows the last. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_drain(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene sessions = { .settings = "pool_mode = session\n", .limit = 1 };
static const struct scene by_hand = { .limit = 1, .by_hand = true };
static const struct scene passwords = { .settings = "auth_type = plain\nauth_file = users\n", .limit = 1 };
static const struct scene two_workers = { .limit = 2, .workers = 2 };

#define C1_IS_LET_GO "c1 gets Refusal FATAL 57P01 administrator command", "c1 is closed"
#define C2_IS_LET_GO "c2 gets Refusal FATAL 57P01 administrator command", "c2 is closed"

static void
an_empty_house_has_drained_at_once(void)
{
    PLAY(&one_server, "undrained", "drain", "drained");
    PLAY(&two_workers, "drain", "drained");
}

static void
idle_clients_and_servers_go_at_once(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "drain", C1_IS_LET_GO, C2_IS_LET_GO, "s1 gets Terminate",
         "s1 is closed", "drained");
    PLAY(&two_workers, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "drain", C1_IS_LET_GO, C2_IS_LET_GO,
         "s1 gets Terminate", "s1 is closed", "drained");
}

static void
a_query_ends_first(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one", "drain",
                "c1 gets nothing", "undrained", "s1 sends Complete 1 | Ready I",
                "c1 hears Complete 1 | Ready I", C1_IS_LET_GO, "s1 gets Terminate", "s1 is closed",
                "drained");
}

static void
a_transaction_ends_first(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "drain", "c1 gets nothing",
         "undrained", "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 hears Complete COMMIT | Ready I", C1_IS_LET_GO, "s1 gets Terminate", "s1 is closed", "drained");
    PLAY(&one_server, "c1 enters", "c1 sends Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 gets Parse - a | Bind - - | Execute - 0 | Flush",
         "s1 sends ParseComplete | BindComplete | Complete 1",
         "c1 gets ParseComplete | BindComplete | Complete 1", "drain", "c1 gets nothing", "c1 sends Sync",
         "s1 gets Sync", "s1 sends Ready I", "c1 hears Ready I", C1_IS_LET_GO, "s1 gets Terminate",
         "s1 is closed", "drained");
    PLAY(&one_server, "c1 enters", "c1 sends Query copy in", "s1 gets Query copy in", "s1 sends CopyIn",
         "c1 gets CopyIn", "drain", "c1 gets nothing", "c1 sends CopyData x | CopyDone",
         "s1 gets CopyData x | CopyDone", "s1 sends Complete COPY 1 | Ready I",
         "c1 hears Complete COPY 1 | Ready I", C1_IS_LET_GO, "s1 gets Terminate", "s1 is closed", "drained");
}

static void
a_message_that_has_begun_ends_first(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Bytes 45 00 00 00 09 00", "s1 gets Bytes 45 00 00 00 09 00",
         "drain", "c1 gets nothing", "c1 sends Bytes 00 00 00 00 | Sync", "s1 gets Bytes 00 00 00 00 | Sync",
         "s1 sends Complete 1 | Ready I", "c1 hears Complete 1 | Ready I", C1_IS_LET_GO, "s1 gets Terminate",
         "s1 is closed", "drained");
}

static void
a_transaction_of_a_session_ends_first(void)
{
    PLAY(&sessions, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "drain", "c1 gets nothing",
         "undrained", "c1 sends Query commit", "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I",
         "c1 hears Complete COMMIT | Ready I", C1_IS_LET_GO, "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Terminate", "s1 is closed", "drained");
}

static void
a_session_between_transactions_goes_at_once(void)
{
    PLAY(&sessions, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "drain", C1_IS_LET_GO, "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Terminate", "s1 is closed", "drained");
}

static void
who_waits_goes_at_once(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "drain", C2_IS_LET_GO, "undrained", "s1 sends Complete 1 | Ready I",
         "c1 hears Complete 1 | Ready I", C1_IS_LET_GO, "s1 gets Terminate", "s1 is closed", "drained");
}

static void
who_has_not_logged_in_goes_at_once(void)
{
    static const char *const beginnings[] = { "c1 is open", "c1 sends Bytes 00 00", "c1 starts" };

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        struct script *s = script_begin(&passwords, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "%s", beginnings[i]);
        actor_forget(script_actor(s, ACTOR_CLIENT, 1));
        script_line(s, "drain");
        script_line(s, "c1 gets Refusal FATAL 57P01 administrator command");
        script_line(s, "c1 is closed");
        script_line(s, "drained");
        script_end(s);
    }
}

static void
who_comes_now_is_turned_away(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one", "drain", "c2 connects",
         "c2 is closed", "s1 sends Complete 1 | Ready I", "c1 hears Complete 1 | Ready I", C1_IS_LET_GO,
         "s1 gets Terminate", "s1 is closed", "drained");
}

static void
a_server_that_is_logging_in_goes_too(void)
{
    PLAY(&by_hand, "c1 connects", "c1 starts", "s1 accepts", "drain", C1_IS_LET_GO,
         "s1 sends AuthOk | Key 1001 7001 | Ready I", "s1 gets Terminate", "s1 is closed", "drained");
    PLAY(&by_hand, "c1 connects", "c1 starts", "s1 accepts", "drain", C1_IS_LET_GO, "s1 closes", "drained");
}

static void
a_server_that_is_being_cleaned_goes_too(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 hangs up",
         "s1 gets Query ROLLBACK", "drain", "undrained", "s1 sends Complete ROLLBACK | Ready I",
         "s1 gets Terminate", "s1 is closed", "drained");
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "drain", "undrained", "s1 sends Error ERROR 57014 cancelled | Ready I", "undrained",
         "k1 closes", "s1 gets Terminate", "s1 is closed", "drained");
}

static void
who_leaves_while_draining_is_waited_for_no_longer(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "drain", "undrained",
         "c1 hangs up", "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", "s1 gets Terminate",
         "s1 is closed", "drained");
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "drain", "s1 closes",
         "c1 gets Refusal FATAL 08006 lost", "c1 is closed", "drained");
}

static void
a_cancel_request_is_served_while_draining(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
         "k1 cancels s1", "drain", "c2 is closed", "k1 closes",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "c1 hears Error ERROR 57014 cancelled | Ready I",
         C1_IS_LET_GO, "s1 gets Terminate", "s1 is closed", "drained");
}

/* script_end() frees the house in whatever state it is, and asan looks on. */
static void
a_house_may_be_torn_down_at_any_moment(void)
{
    PLAY(&one_server, "c1 connects");
    PLAY(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3");
    PLAY(&by_hand, "c1 connects", "c1 starts", "s1 accepts");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two");
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c2 cancels c1",
         "k1 cancels s1");
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1");
    PLAY(&one_server, "c1 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "s1 sends Complete 1 | Ready I");
    PLAY(&two_workers, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "c2 sends Query two", "s2 gets Query two", "c3 cancels c1", "k1 cancels s1", "drain",
         "c3 is closed");
    PLAY(&one_server, "server goes down", "c1 connects", "c1 starts", "time 1 s");
}

void
suite_drain(void)
{
    CU_pSuite suite = CU_add_suite("drain", NULL, NULL);

    CU_ADD_TEST(suite, an_empty_house_has_drained_at_once);
    CU_ADD_TEST(suite, idle_clients_and_servers_go_at_once);
    CU_ADD_TEST(suite, a_query_ends_first);
    CU_ADD_TEST(suite, a_transaction_ends_first);
    CU_ADD_TEST(suite, a_message_that_has_begun_ends_first);
    CU_ADD_TEST(suite, a_transaction_of_a_session_ends_first);
    CU_ADD_TEST(suite, a_session_between_transactions_goes_at_once);
    CU_ADD_TEST(suite, who_waits_goes_at_once);
    CU_ADD_TEST(suite, who_has_not_logged_in_goes_at_once);
    CU_ADD_TEST(suite, who_comes_now_is_turned_away);
    CU_ADD_TEST(suite, a_server_that_is_logging_in_goes_too);
    CU_ADD_TEST(suite, a_server_that_is_being_cleaned_goes_too);
    CU_ADD_TEST(suite, who_leaves_while_draining_is_waited_for_no_longer);
    CU_ADD_TEST(suite, a_cancel_request_is_served_while_draining);
    CU_ADD_TEST(suite, a_house_may_be_torn_down_at_any_moment);
}
