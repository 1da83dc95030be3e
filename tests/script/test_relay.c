/* test_relay.c - requests and answers: what one says, the other gets, whatever the pieces in which it comes,
 * and the server changes hands in between. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_relay(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene two_servers = { .limit = 2 };

/* --- simple --- */

static void
a_query_goes_to_a_server_and_its_answer_comes_back(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query select 1", "s1 gets Query select 1",
                "s1 sends Columns a | Row 1 | Complete SELECT 1 | Ready I",
                "c1 gets Columns a | Row 1 | Complete SELECT 1 | Ready I", "servers 1");
}

static void
any_kind_of_answer_to_a_query_comes_back(void)
{
    static const char *const answers[] = {
        "Empty | Ready I",
        "Complete INSERT 0 1 | Ready I",
        "Error ERROR 22012 division by zero | Ready I",
        "Columns a | Row 1 | Error ERROR 22012 division by zero | Ready I",
        "Columns a b | Row 1 2 | Row 3 4 | Complete SELECT 2 | Complete SET | Columns c | Complete SELECT 0 | Ready I",
        "Notice NOTICE 00000 careful | Complete DO | Ready I",
        "CopyOut | CopyData one | CopyData two | CopyDone | Complete COPY 2 | Ready I",
        "Parameter TimeZone UTC | Complete SET | Ready I",
        "Columns a | Row x*5000 | Complete SELECT 1 | Ready I",
    };

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct script *s = script_begin(&one_server, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "c1 sends Query whatever");
        script_line(s, "s1 gets Query whatever");
        script_line(s, "s1 sends %s", answers[i]);
        script_line(s, "c1 gets %s", answers[i]);
        script_end(s);
    }
}

static void
between_transactions_the_server_changes_hands(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "c2 sends Query two", "s1 gets nothing", "s1 sends Complete ONE | Ready I",
                "c1 gets Complete ONE | Ready I", "s1 gets Query two", "s1 sends Complete TWO | Ready I",
                "c2 gets Complete TWO | Ready I", "c1 gets nothing", "servers 1");
}

static void
within_a_transaction_it_does_not(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query two",
                "s1 gets nothing", "c1 sends Query fail", "s1 gets Query fail",
                "s1 sends Error ERROR 42601 no | Ready E", "c1 gets Error ERROR 42601 no | Ready E",
                "s1 gets nothing", "c1 sends Query commit", "s1 gets Query commit",
                "s1 sends Complete ROLLBACK | Ready I", "c1 gets Complete ROLLBACK | Ready I",
                "s1 gets Query two", "s1 sends Complete TWO | Ready I", "c2 gets Complete TWO | Ready I");
}

static void
queries_sent_at_once_stay_on_one_server(void)
{
    PLAY_SPLITS(&two_servers, "c1 enters", "c2 enters", "c1 sends Query one | Query two | Query three",
                "s1 gets Query one | Query two | Query three", "c2 sends Query other", "s2 gets Query other",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
                "s1 sends Complete 2 | Ready I | Complete 3 | Ready I",
                "c1 gets Complete 2 | Ready I | Complete 3 | Ready I", "s2 sends Complete 4 | Ready I",
                "c2 gets Complete 4 | Ready I");
}

static void
what_is_sent_ahead_waits_behind_the_release(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "c2 sends Query two | Query three",
         "s1 gets Query one", "c1 sends Query four", "s1 gets Query four", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 gets nothing", "s1 sends Complete 4 | Ready I",
         "c1 gets Complete 4 | Ready I", "s1 gets Query two | Query three",
         "s1 sends Complete 2 | Ready I | Complete 3 | Ready I",
         "c2 gets Complete 2 | Ready I | Complete 3 | Ready I");
}

/* --- extended --- */

static void
an_extended_query_is_one_transaction(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters",
                "c1 sends Parse - select $1 | Bind - - 1 | Describe P - | Execute - 0 | Sync",
                "s1 gets Parse - select $1 | Bind - - 1 | Describe P - | Execute - 0 | Sync",
                "c2 sends Query two",
                "s1 sends ParseComplete | BindComplete | Columns a | Row 1 | Complete SELECT 1",
                "c1 gets ParseComplete | BindComplete | Columns a | Row 1 | Complete SELECT 1",
                "s1 gets nothing", "s1 sends Ready I", "c1 gets Ready I", "s1 gets Query two",
                "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
without_sync_the_server_stays(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters",
                "c1 sends Parse - select | Bind - - | Execute - 0 | Flush",
                "s1 gets Parse - select | Bind - - | Execute - 0 | Flush", "c2 sends Query two",
                "s1 sends ParseComplete | BindComplete | Complete 1",
                "c1 gets ParseComplete | BindComplete | Complete 1", "s1 gets nothing", "time 10 s",
                "s1 gets nothing", "c1 sends Sync", "s1 gets Sync", "s1 sends Ready I", "c1 gets Ready I",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
an_error_skips_to_sync(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - bad | Bind - - | Execute - 0 | Sync",
                "s1 gets Parse - bad | Bind - - | Execute - 0 | Sync", "c2 sends Query two",
                "s1 sends Error ERROR 42601 no", "c1 gets Error ERROR 42601 no", "s1 gets nothing",
                "s1 sends Ready I", "c1 gets Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I");
}

static void
after_an_error_the_server_waits_for_the_clients_sync(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - bad | Flush",
                "s1 gets Parse - bad | Flush", "s1 sends Error ERROR 42601 no",
                "c1 gets Error ERROR 42601 no", "c2 sends Query two", "s1 gets nothing",
                "c1 sends Query skipped", "s1 gets Query skipped", "c1 sends Sync", "s1 gets Sync",
                "s1 sends Ready I", "c1 gets Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I");
}

static void
pipelined_transactions_are_answered_in_order(void)
{
    PLAY_SPLITS(
        &one_server, "c1 enters",
        "c1 sends Parse - a | Bind - - | Execute - 0 | Sync | Parse - b | Bind - - | Execute - 0 | Sync",
        "s1 gets Parse - a | Bind - - | Execute - 0 | Sync | Parse - b | Bind - - | Execute - 0 | Sync",
        "s1 sends ParseComplete | BindComplete | Error ERROR 22012 no | Ready I | ParseComplete | BindComplete",
        "c1 gets ParseComplete | BindComplete | Error ERROR 22012 no | Ready I | ParseComplete | BindComplete",
        "s1 sends Complete B | Ready I", "c1 gets Complete B | Ready I");
}

static void
a_portal_is_fetched_in_pieces(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c1 sends Parse - a | Bind p - | Execute p 1 | Sync",
         "s1 gets Parse - a | Bind p - | Execute p 1 | Sync",
         "s1 sends ParseComplete | BindComplete | Row 1 | Suspended | Ready T",
         "c1 gets ParseComplete | BindComplete | Row 1 | Suspended | Ready T",
         "c1 sends Execute p 1 | Close P p | Sync", "s1 gets Execute p 1 | Close P p | Sync",
         "s1 sends Row 2 | Complete SELECT 2 | CloseComplete | Ready T",
         "c1 gets Row 2 | Complete SELECT 2 | CloseComplete | Ready T", "c1 sends Query commit",
         "s1 gets Query commit", "s1 sends Complete COMMIT | Ready I", "c1 gets Complete COMMIT | Ready I");
}

static void
a_sync_without_a_server_is_answered_at_once(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c2 sends Query busy", "s1 gets Query busy",
                "c1 sends Sync", "c1 gets Ready I", "c1 sends Flush | Sync | CopyData x | CopyDone | Sync",
                "c1 gets Ready I | Ready I", "s1 gets nothing", "s1 sends Complete 1 | Ready I",
                "c2 gets Complete 1 | Ready I");
}

static void
a_function_call_is_answered(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Function 957 1 2",
                "s1 gets Function 957 1 2", "c2 sends Query two", "s1 sends Result 3", "c1 gets Result 3",
                "s1 gets nothing", "s1 sends Ready I", "c1 gets Ready I", "s1 gets Query two",
                "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

/* --- COPY --- */

static void
copy_takes_the_clients_data(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
                "c2 sends Query two", "s1 sends CopyIn", "c1 gets CopyIn",
                "c1 sends CopyData one | CopyData two", "s1 gets CopyData one | CopyData two",
                "c1 sends CopyData three | CopyDone", "s1 gets CopyData three | CopyDone",
                "s1 sends Complete COPY 3 | Ready I", "c1 gets Complete COPY 3 | Ready I",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
copy_fails_on_either_side(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query copy in", "s1 gets Query copy in",
                "s1 sends CopyIn", "c1 gets CopyIn", "c1 sends CopyData one | CopyFail no more",
                "s1 gets CopyData one | CopyFail no more", "s1 sends Error ERROR 57014 no more | Ready I",
                "c1 gets Error ERROR 57014 no more | Ready I", "c1 sends Query copy in",
                "s1 gets Query copy in", "s1 sends CopyIn | Error ERROR 22P04 bad | Ready I",
                "c1 gets CopyIn | Error ERROR 22P04 bad | Ready I", "c1 sends CopyData one | CopyDone",
                "s1 gets nothing", "c1 sends Query three", "s1 gets Query three",
                "s1 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I");
}

static void
the_rest_of_a_failed_copy_does_not_reach_the_next_client(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
                "c2 sends Query two", "s1 sends CopyIn | Error ERROR 22P04 bad | Ready I",
                "c1 gets CopyIn | Error ERROR 22P04 bad | Ready I", "s1 gets Query two",
                "c1 sends CopyData one | CopyData two | CopyDone | Sync", "c1 gets Ready I",
                "s1 gets nothing", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
the_server_is_ready_before_the_clients_data_has_ended(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
         "s1 sends CopyIn", "c1 gets CopyIn", "c1 sends Bytes 64 00 00 03 e8 61",
         "s1 gets Bytes 64 00 00 03 e8 61", "s1 sends Error ERROR 22P04 bad | Ready I",
         "c1 gets Error ERROR 22P04 bad | Ready I", "c2 sends Query two",
         "s1 gets nothing", /* half a message of c1 is under way to it */
         "c1 sends Bytes 61", "s1 gets Bytes 61", "c1 hangs up", "s1 is closed", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
a_message_is_finished_before_the_server_is_released(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
         "s1 sends CopyIn", "c1 gets CopyIn", "c1 sends Bytes 64 00 00 00 06 61",
         "s1 gets Bytes 64 00 00 00 06 61", "s1 sends Error ERROR 22P04 bad | Ready I",
         "c1 gets Error ERROR 22P04 bad | Ready I", "c2 sends Query two", "s1 gets nothing",
         "c1 sends Bytes 61", "s1 gets Bytes 61 | Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
copy_of_the_extended_protocol_ignores_a_sync_in_front_of_its_end(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters",
                "c1 sends Parse - copy | Bind - - | Execute - 0 | Sync",
                "s1 gets Parse - copy | Bind - - | Execute - 0 | Sync", "c2 sends Query two",
                "s1 sends ParseComplete | BindComplete | CopyIn",
                "c1 gets ParseComplete | BindComplete | CopyIn", "c1 sends CopyData one | CopyDone | Sync",
                "s1 gets CopyData one | CopyDone | Sync", "s1 sends Complete COPY 1",
                "c1 gets Complete COPY 1", "s1 gets nothing", "s1 sends Ready I", "c1 gets Ready I",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
a_whole_copy_is_sent_without_waiting(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters",
                "c1 sends Parse - copy | Bind - - | Execute - 0 | CopyData one | CopyDone | Sync",
                "s1 gets Parse - copy | Bind - - | Execute - 0 | CopyData one | CopyDone | Sync",
                "c2 sends Query two",
                "s1 sends ParseComplete | BindComplete | CopyIn | Complete COPY 1 | Ready I",
                "c1 gets ParseComplete | BindComplete | CopyIn | Complete COPY 1 | Ready I",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

/* Nobody knows whether the server read the first Sync before or after its error, so one more ReadyForQuery
 * may follow: it must not meet c2. */
static void
a_server_whose_failed_copy_leaves_a_sync_in_doubt_is_not_reused(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters",
         "c1 sends Parse - copy | Bind - - | Execute - 0 | Sync | CopyData one | CopyDone | Sync",
         "s1 gets Parse - copy | Bind - - | Execute - 0 | Sync | CopyData one | CopyDone | Sync",
         "c2 sends Query two",
         "s1 sends ParseComplete | BindComplete | CopyIn | Error ERROR 22P04 bad | Ready I",
         "c1 gets ParseComplete | BindComplete | CopyIn | Error ERROR 22P04 bad | Ready I", "s1 is closed",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "c1 sends Query three", "s2 gets Query three", "s2 sends Complete 3 | Ready I",
         "c1 gets Complete 3 | Ready I");
}

/* --- what comes at any time --- */

static void
notices_parameters_and_notifications_come_at_any_time(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Parse - a | Bind - - | Execute - 0 | Sync",
                "s1 gets Parse - a | Bind - - | Execute - 0 | Sync",
                "s1 sends Notice NOTICE 00000 a | ParseComplete | Parameter TimeZone UTC | BindComplete",
                "c1 gets Notice NOTICE 00000 a | ParseComplete | Parameter TimeZone UTC | BindComplete",
                "s1 sends Notification 7 channel hello | Row 1 | Notice NOTICE 00000 b | Complete 1",
                "c1 gets Notification 7 channel hello | Row 1 | Notice NOTICE 00000 b | Complete 1",
                "s1 sends Notification 7 channel bye | Ready I",
                "c1 gets Notification 7 channel bye | Ready I");
}

static void
what_an_idle_server_says_is_nobodys(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
                "s1 sends Notice WARNING 01000 bored | Parameter a b | Notification 7 channel hello",
                "c1 gets nothing", "c1 sends Query two", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
                "c1 gets Complete 2 | Ready I");
}

/* Two halves of one message, the server released between them: whoever gets the first gets the second. */
static void
no_client_gets_half_a_message(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "s1 sends Complete 1 | Ready I | Bytes 41 00 00 00 0e 00 00",
         "s1 sends Bytes 00 07 61 62 00 63 64 00", "c1 gets Complete 1 | Ready I | Notification 7 ab cd",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
half_a_message_from_an_idle_server_is_nobodys(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 sends Bytes 41 00 00 00 0e 00 00", "c1 sends Query two",
         "s1 gets Query two", "s1 sends Bytes 00 07 61 62 00 63 64 00", "s1 sends Complete 2 | Ready I",
         "c1 gets Complete 2 | Ready I");
}

static void
a_long_row_passes_in_pieces(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Columns a | Row x*3000000", "c1 gets Columns a | Row x*3000000",
         "s1 sends Error ERROR 22012 x*100000 | Ready I", "c1 gets Error ERROR 22012 x*100000 | Ready I",
         "c1 sends Query x*3000000", "s1 gets Query x*3000000", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 is asked: nothing");
}

static void
many_messages_pass(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server;

    script_line(s, "c1 enters");
    for (unsigned i = 0; i < 3000 && !script_has_failed(s); i++)
        script_line(s, "c1 sends Query select %u", i);
    server = script_actor(s, ACTOR_SERVER, 1);
    for (unsigned i = 0; i < 3000 && !script_has_failed(s); i++) {
        char query[40];

        snprintf(query, sizeof query, "Query select %u", i);
        (void)query;
        script_line(s, "s1 sends Columns a | Row %u | Complete SELECT 1 | Ready I", i);
    }
    CU_ASSERT_TRUE(buf_len(&server->in) > 3000 * 15);
    CU_ASSERT_TRUE(buf_len(&client->in) > 3000 * 60);
    actor_forget(server);
    actor_forget(client);
    script_line(s, "c2 enters");
    script_line(s, "c2 sends Query last");
    script_line(s, "s1 gets Query last");
    script_end(s);
}

void
suite_relay(void)
{
    CU_pSuite suite = CU_add_suite("relay", NULL, NULL);

    CU_ADD_TEST(suite, a_query_goes_to_a_server_and_its_answer_comes_back);
    CU_ADD_TEST(suite, any_kind_of_answer_to_a_query_comes_back);
    CU_ADD_TEST(suite, between_transactions_the_server_changes_hands);
    CU_ADD_TEST(suite, within_a_transaction_it_does_not);
    CU_ADD_TEST(suite, queries_sent_at_once_stay_on_one_server);
    CU_ADD_TEST(suite, what_is_sent_ahead_waits_behind_the_release);
    CU_ADD_TEST(suite, an_extended_query_is_one_transaction);
    CU_ADD_TEST(suite, without_sync_the_server_stays);
    CU_ADD_TEST(suite, an_error_skips_to_sync);
    CU_ADD_TEST(suite, after_an_error_the_server_waits_for_the_clients_sync);
    CU_ADD_TEST(suite, pipelined_transactions_are_answered_in_order);
    CU_ADD_TEST(suite, a_portal_is_fetched_in_pieces);
    CU_ADD_TEST(suite, a_sync_without_a_server_is_answered_at_once);
    CU_ADD_TEST(suite, a_function_call_is_answered);
    CU_ADD_TEST(suite, copy_takes_the_clients_data);
    CU_ADD_TEST(suite, copy_fails_on_either_side);
    CU_ADD_TEST(suite, the_rest_of_a_failed_copy_does_not_reach_the_next_client);
    CU_ADD_TEST(suite, the_server_is_ready_before_the_clients_data_has_ended);
    CU_ADD_TEST(suite, a_message_is_finished_before_the_server_is_released);
    CU_ADD_TEST(suite, copy_of_the_extended_protocol_ignores_a_sync_in_front_of_its_end);
    CU_ADD_TEST(suite, a_whole_copy_is_sent_without_waiting);
    CU_ADD_TEST(suite, a_server_whose_failed_copy_leaves_a_sync_in_doubt_is_not_reused);
    CU_ADD_TEST(suite, notices_parameters_and_notifications_come_at_any_time);
    CU_ADD_TEST(suite, what_an_idle_server_says_is_nobodys);
    CU_ADD_TEST(suite, no_client_gets_half_a_message);
    CU_ADD_TEST(suite, half_a_message_from_an_idle_server_is_nobodys);
    CU_ADD_TEST(suite, a_long_row_passes_in_pieces);
    CU_ADD_TEST(suite, many_messages_pass);
}
