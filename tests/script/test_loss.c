/* test_loss.c - one side goes away in the middle of things: the other is told or cleaned up, and nobody else
 * notices. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_loss(void);

static const struct scene one_server = { .limit = 1 };

/* c2 can work with s1, which is therefore clean. */
#define C2_WORKS_WITH_S1                                                                \
    "c2 sends Query after", "s1 gets Query after", "s1 sends Complete AFTER | Ready I", \
        "c2 gets Complete AFTER | Ready I", "servers 1", "couriers 0"

/* --- clients --- */

static void
an_idle_client_leaves_without_a_trace(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c1 hangs up", "s1 gets nothing",
         C2_WORKS_WITH_S1);
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Terminate", "c1 is closed", C2_WORKS_WITH_S1);
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 half-closes", "c1 is closed", C2_WORKS_WITH_S1);
}

static void
an_open_transaction_is_rolled_back(void)
{
    static const char *const goodbyes[] = { "c1 hangs up", "c1 sends Terminate", "c1 half-closes" };

    for (size_t i = 0; i < COUNT_OF(goodbyes); i++) {
        PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
             "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", goodbyes[i],
             "s1 gets Query ROLLBACK", "c2 sends Query after", "s1 gets nothing",
             "s1 sends Complete ROLLBACK | Ready I", "s1 gets Query after",
             "s1 sends Complete AFTER | Ready I", "c2 gets Complete AFTER | Ready I", "servers 1",
             "couriers 0");
        PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin; fail", "s1 gets Query begin; fail",
             "s1 sends Complete BEGIN | Error ERROR 22012 no | Ready E",
             "c1 gets Complete BEGIN | Error ERROR 22012 no | Ready E", goodbyes[i], "s1 gets Query ROLLBACK",
             "s1 sends Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
    }
}

static void
a_running_query_is_cancelled_and_the_server_reused(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "s1 gets nothing", "s1 sends Error ERROR 57014 cancelled | Ready I",
         "c2 sends Query after", "s1 gets nothing", "k1 closes", "s1 gets Query after",
         "s1 sends Complete AFTER | Ready I", "c2 gets Complete AFTER | Ready I", "servers 1");
}

static void
a_query_running_in_a_transaction_is_cancelled_and_rolled_back(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 sends Query slow",
         "s1 gets Query slow", "c1 hangs up", "k1 cancels s1",
         "s1 sends Error ERROR 57014 cancelled | Ready E", "s1 gets nothing", "k1 closes",
         "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
}

/* The courier's end says that the server has sent the signal: nothing of ours or of c2's may be hit by it. */
static void
a_query_that_ends_before_its_cancel_arrives_keeps_the_server_waiting(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "s1 sends Complete SLOW | Ready I", "c2 sends Query after", "s1 gets nothing",
         "time 5 s", "s1 gets nothing", "k1 closes", "s1 gets Query after",
         "s1 sends Complete AFTER | Ready I", "c2 gets Complete AFTER | Ready I");
}

static void
what_still_comes_for_a_lost_client_is_nobodys(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow",
                "c2 sends Query after", "s1 sends Columns a | Row 1", "c1 gets Columns a | Row 1",
                "c1 hangs up", "k1 cancels s1", "k1 closes",
                "s1 sends Row 2 | Notice NOTICE 00000 hm | Row x*1000 | Error ERROR 57014 cancelled",
                "s1 sends Notification 7 a b | Ready I", "s1 gets Query after",
                "s1 sends Complete AFTER | Ready I", "c2 gets Complete AFTER | Ready I", "servers 1");
}

static void
terminate_behind_a_query_lets_it_run(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query insert | Terminate",
                "s1 gets Query insert", "c1 is closed", "couriers 0", "c2 sends Query after",
                "s1 gets nothing", "s1 sends Complete INSERT 0 1 | Ready I", "s1 gets Query after",
                "s1 sends Complete AFTER | Ready I", "c2 gets Complete AFTER | Ready I", "couriers 0");
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters",
                "c1 sends Parse - insert | Bind - - | Execute - 0 | Sync | Terminate",
                "s1 gets Parse - insert | Bind - - | Execute - 0 | Sync", "c1 is closed", "couriers 0",
                "s1 sends ParseComplete | BindComplete | Complete INSERT 0 1 | Ready I", C2_WORKS_WITH_S1);
}

static void
but_not_for_ever(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow | Terminate", "s1 gets Query slow",
         "c1 is closed", "time 4 s", "couriers 0", "time 2 s", "k1 cancels s1",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "k1 closes", C2_WORKS_WITH_S1);
}

static void
a_transaction_that_terminate_leaves_open_is_rolled_back(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin | Query insert | Terminate",
         "s1 gets Query begin | Query insert", "c1 is closed",
         "s1 sends Complete BEGIN | Ready T | Complete INSERT 0 1 | Ready T", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
}

static void
half_a_message_costs_the_server(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
         "c1 sends Bytes 45 00 00 00 20 61 62", "s1 gets Bytes 45 00 00 00 20 61 62", "c2 sends Query two",
         "c1 hangs up", "s1 is closed", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
half_a_message_that_was_not_sent_on_does_not(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Bytes 51 00 00", "c1 hangs up", C2_WORKS_WITH_S1);
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 sends Bytes 51 00 00",
         "s1 gets nothing", "c1 hangs up", "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I",
         C2_WORKS_WITH_S1);
}

static void
a_waiting_client_leaves_the_queue(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c3 enters", "c1 sends Query one", "s1 gets Query one",
         "c3 sends Query three", "c2 sends Query two", "c3 hangs up", "s1 gets nothing",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 gets Query two",
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "s1 gets nothing");
    PLAY(&one_server, "c1 enters", "c2 enters", "c3 enters", "c1 sends Query one", "s1 gets Query one",
         "c3 sends Query three | Terminate", "c2 sends Query two", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 gets Query three", "s1 sends Complete 3 | Ready I",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "c3 is closed");
}

static void
an_open_copy_is_failed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
         "s1 sends CopyIn", "c1 gets CopyIn", "c1 sends CopyData one", "s1 gets CopyData one", "c1 hangs up",
         "s1 gets CopyFail the client went away", "s1 sends Error ERROR 57014 away | Ready I",
         C2_WORKS_WITH_S1);
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin; copy in",
         "s1 gets Query begin; copy in", "s1 sends Complete BEGIN | CopyIn",
         "c1 gets Complete BEGIN | CopyIn", "c1 sends Terminate", "c1 is closed",
         "s1 gets CopyFail the client went away", "s1 sends Error ERROR 57014 away | Ready E",
         "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
}

static void
an_open_copy_of_the_extended_protocol_is_failed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - copy | Bind - - | Execute - 0 | Flush",
         "s1 gets Parse - copy | Bind - - | Execute - 0 | Flush",
         "s1 sends ParseComplete | BindComplete | CopyIn", "c1 gets ParseComplete | BindComplete | CopyIn",
         "c1 hangs up", "s1 gets CopyFail the client went away", "s1 sends Error ERROR 57014 away",
         "s1 gets Sync", "s1 sends Ready I", C2_WORKS_WITH_S1);
}

static void
a_copy_that_opens_when_its_client_is_gone_is_failed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy in", "s1 gets Query copy in",
         "c1 hangs up", "k1 cancels s1", "k1 closes", "s1 sends CopyIn",
         "s1 gets CopyFail the client went away", "s1 sends Error ERROR 57014 away | Ready I",
         C2_WORKS_WITH_S1);
}

static void
copy_out_is_cancelled_and_drained(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query copy out", "s1 gets Query copy out",
         "s1 sends CopyOut | CopyData one", "c1 gets CopyOut | CopyData one", "c1 hangs up", "k1 cancels s1",
         "k1 closes", "s1 sends CopyData two | Error ERROR 57014 cancelled | Ready I", C2_WORKS_WITH_S1);
}

/* A Sync would commit what the client never asked to commit. */
static void
an_extended_query_without_its_sync_is_rolled_back(void)
{
    static const char *const goodbyes[] = { "c1 hangs up", "c1 sends Terminate" };

    for (size_t i = 0; i < COUNT_OF(goodbyes); i++)
        PLAY(&one_server, "c1 enters", "c2 enters",
             "c1 sends Parse - insert | Bind - - | Execute - 0 | Flush",
             "s1 gets Parse - insert | Bind - - | Execute - 0 | Flush",
             "s1 sends ParseComplete | BindComplete | Complete INSERT 0 1",
             "c1 gets ParseComplete | BindComplete | Complete INSERT 0 1", goodbyes[i],
             "s1 gets Query ROLLBACK", "couriers 0",
             "s1 sends Notice WARNING 25P01 none | Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
}

static void
a_failed_extended_query_without_its_sync_is_synced(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - bad | Bind - - | Flush",
         "s1 gets Parse - bad | Bind - - | Flush", "s1 sends Error ERROR 42601 no",
         "c1 gets Error ERROR 42601 no", "c1 hangs up", "s1 gets Sync", "s1 sends Ready I", C2_WORKS_WITH_S1);
}

static void
an_extended_query_that_fails_when_its_client_is_gone_is_synced(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - bad | Bind - - | Flush",
         "s1 gets Parse - bad | Bind - - | Flush", "c1 hangs up", "s1 gets Flush", "k1 cancels s1",
         "k1 closes", "s1 sends Error ERROR 42601 no", "s1 gets Sync", "s1 sends Ready I", C2_WORKS_WITH_S1);
}

/* A Flush makes the server say what it has done so far; a Query would be a violation of the protocol if that
 * is COPY IN. */
static void
an_unanswered_extended_query_without_its_sync_is_rolled_back(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - insert | Bind - - | Execute - 0",
         "s1 gets Parse - insert | Bind - - | Execute - 0", "c1 hangs up", "s1 gets Flush", "k1 cancels s1",
         "k1 closes", "s1 sends ParseComplete | BindComplete | Complete INSERT 0 1", "s1 gets Query ROLLBACK",
         "s1 sends Complete ROLLBACK | Ready I", C2_WORKS_WITH_S1);
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Parse - copy | Bind - - | Execute - 0",
         "s1 gets Parse - copy | Bind - - | Execute - 0", "c1 hangs up", "s1 gets Flush", "k1 cancels s1",
         "k1 closes", "s1 sends ParseComplete | BindComplete | CopyIn",
         "s1 gets CopyFail the client went away", "s1 sends Error ERROR 57014 away", "s1 gets Sync",
         "s1 sends Ready I", C2_WORKS_WITH_S1);
}

static void
a_server_that_does_not_come_clean_is_closed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 hangs up",
         "s1 gets Query ROLLBACK", "c2 sends Query after", "time 9 s", "couriers 0", "s1 is open", "time 2 s",
         "s1 is closed", "s2 gets Query after", "s2 sends Complete AFTER | Ready I",
         "c2 gets Complete AFTER | Ready I");
}

/* One cancel request ends one query. */
static void
each_query_of_a_pipeline_is_cancelled(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one | Query two | Query three",
         "s1 gets Query one | Query two | Query three", "c1 hangs up", "k1 cancels s1", "k1 closes",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "k2 cancels s1", "k2 closes",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "k3 cancels s1", "s1 sends Complete 3 | Ready I",
         "s1 gets nothing", "k3 closes", C2_WORKS_WITH_S1);
}

static void
a_cancel_that_came_too_early_is_repeated(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "k1 closes", "couriers 0", "time 200 ms", "k2 cancels s1",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "k2 closes", C2_WORKS_WITH_S1);
}

/* Its last requests are executed when it has gone already, and their traces must not meet the next client. */
static void
what_a_departed_client_has_set_is_scrubbed(void)
{
    static const char *const traces[] = { "Complete SET", "Complete RESET", "Complete DISCARD SEQUENCES",
                                          "Parameter TimeZone GMT | Row GMT | Complete SELECT 1" };
    static const char *const goodbyes[] = { "c1 hangs up", "c1 sends Terminate" };

    for (size_t i = 0; i < COUNT_OF(traces) * COUNT_OF(goodbyes); i++) {
        struct script *s = script_begin(&one_server, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "c2 enters");
        script_line(s, "c1 sends Query slow | Query set a to b");
        script_line(s, "s1 gets Query slow | Query set a to b");
        script_line(s, "%s", goodbyes[i % 2]);
        script_line(s, "c2 sends Query two");
        script_line(s, "s1 sends Complete SLOW | Ready I | %s | Ready I", traces[i / 2]);
        if (i % 2 == 0)
            script_line(s, "k1 closes");
        script_line(
            s,
            "s1 gets Query BEGIN ISOLATION LEVEL READ COMMITTED;RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"
            "COMMIT | Query two");
        script_end(s);
    }
}

static void
all_clients_leave_at_once(void)
{
    struct script *s = script_begin(&(struct scene){ .limit = 3 }, __FILE__, __LINE__);

    for (unsigned i = 1; i <= 20; i++)
        script_line(s, "c%u enters", i);
    for (unsigned i = 1; i <= 20; i++)
        script_line(s, "c%u sends Query begin", i);
    for (unsigned i = 1; i <= 3; i++) {
        script_line(s, "s%u gets Query begin", i);
        script_line(s, "s%u sends Complete BEGIN | Ready T", i);
    }
    for (unsigned i = 1; i <= 20; i++)
        actor_close(script_actor(s, ACTOR_CLIENT, i));
    script_settle(s);
    for (unsigned i = 1; i <= 3; i++) {
        script_line(s, "s%u gets Query ROLLBACK", i);
        script_line(s, "s%u sends Complete ROLLBACK | Ready I", i);
        script_line(s, "s%u gets nothing", i);
    }
    script_line(s, "servers 3");
    for (unsigned i = 1; i <= 20; i++)
        actor_forget(script_actor(s, ACTOR_CLIENT, i));
    script_end(s);
}

/* --- servers --- */

static void
an_idle_server_that_dies_is_replaced(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 closes", "servers 0", "c1 gets nothing", "c1 sends Query two",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I");
}

static void
an_idle_server_that_says_fatal_is_given_to_nobody(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
                "s1 sends Error FATAL 57P01 terminating", "c1 sends Query two", "c1 gets nothing",
                "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I",
                "s1 is closed");
}

static void
a_client_hears_of_the_death_of_its_server(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "s1 closes", "c1 gets Refusal FATAL 08006 the server connection was lost",
         "c1 is closed", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "s1 closes",
         "c1 gets Refusal FATAL 08006 the server connection was lost", "c1 is closed");
    PLAY(&one_server, "c1 enters", "c1 sends Query copy in", "s1 gets Query copy in", "s1 sends CopyIn",
         "c1 gets CopyIn", "c1 sends CopyData one", "s1 gets CopyData one", "s1 closes",
         "c1 gets Refusal FATAL 08006 the server connection was lost", "c1 is closed");
}

static void
what_the_server_said_before_it_died_arrives(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Columns a | Row 1 | Error FATAL 57P01 terminating", "s1 closes",
                "c1 gets Columns a | Row 1 | Error FATAL 57P01 terminating", "c1 is closed",
                "c2 sends Query two", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I");
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
                "s1 sends Error FATAL 57P01 terminating", "c1 gets Error FATAL 57P01 terminating",
                "s1 closes", "c1 is closed");
}

/* Also when it comes in one piece with the end of the transaction. */
static void
what_the_server_says_behind_the_end_is_not_the_clients(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I | Error FATAL 57P01 terminating",
                "c1 gets Complete 1 | Ready I", "s1 is closed", "c1 sends Query two", "s2 gets Query two",
                "s2 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I");
}

/* The client would read it as a part of the message. */
static void
no_error_is_put_into_the_middle_of_a_message(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Columns a | Bytes 44 00 00 00 20 00", "s1 closes",
         "c1 gets Columns a | Bytes 44 00 00 00 20 00", "c1 is closed");
    PLAY(&one_server, "c1 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Columns a | Bytes 44 00 00 00 20 00", "c1 sends Type ? x",
         "c1 gets Columns a | Bytes 44 00 00 00 20 00", "c1 is closed", "k1 cancels s1");
}

/* PostgreSQL counts a connection until its backend is gone. */
static void
the_slot_of_a_server_is_free_when_it_has_gone(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Bytes 45 00 00 00 20 61 62",
         "s1 gets Bytes 45 00 00 00 20 61 62", "c2 sends Query two", "s1 lingers", "c1 hangs up",
         "s1 is ended", "c2 gets nothing", "time 3 s", "servers 0", "s1 closes", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Bytes 45 00 00 00 20 61 62",
         "s1 gets Bytes 45 00 00 00 20 61 62", "c2 sends Query two", "s1 lingers", "c1 hangs up",
         "s1 is ended", "time 6 s", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
a_server_that_said_fatal_is_not_cleaned_but_closed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 sends Query two",
         "s1 sends Error FATAL 57P01 terminating", "c1 gets Error FATAL 57P01 terminating", "c1 hangs up",
         "s1 is closed", "s2 gets Query two", "s2 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
a_server_that_dies_while_it_is_cleaned_is_replaced(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 hangs up",
         "s1 gets Query ROLLBACK", "c2 sends Query two", "s1 closes", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "c2 sends Query two", "s1 closes", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "couriers 0");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow", "c1 hangs up",
         "k1 cancels s1", "s1 sends Complete SLOW | Ready I", "c2 sends Query two", "s1 closes",
         "s2 gets Query two", "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "couriers 0");
}

static void
a_server_that_breaks_the_protocol_is_closed(void)
{
    static const char *const nonsense[] = {
        "Type ? what",
        "Type R ok",
        "ParseComplete",
        "Key 1 2",
        "Ready X",
        "Parameters",
        "Bytes 44 00 00 00 03",
        "Bytes 5a ff ff ff ff",
        "Bytes 5a 00 00 00 04",
    };

    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct script *s = script_begin(&one_server, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "c2 enters");
        script_line(s, "c1 sends Query one");
        script_line(s, "s1 gets Query one");
        script_line(s, "c2 sends Query two");
        script_line(s, "s1 sends Columns a | %s", nonsense[i]);
        script_line(s, "c1 gets Columns a | Refusal FATAL 08006 broke the protocol");
        script_line(s, "c1 is closed");
        script_line(s, "s1 is closed");
        script_line(s, "s2 gets Query two");
        script_line(s, "s2 sends Complete 2 | Ready I");
        script_line(s, "c2 gets Complete 2 | Ready I");
        script_end(s);
    }
}

static void
an_idle_server_that_breaks_the_protocol_is_closed(void)
{
    static const char *const nonsense[] = { "Ready I", "Row 1", "Type ? what", "Complete 1",
                                            "Error ERROR 22012 no" };

    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct script *s = script_begin(&one_server, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "s1 sends %s", nonsense[i]);
        script_line(s, "s1 is closed");
        script_line(s, "c1 sends Query one");
        script_line(s, "s2 gets Query one");
        script_line(s, "s2 sends Complete 1 | Ready I");
        script_line(s, "c1 gets Complete 1 | Ready I");
        script_end(s);
    }
}

void
suite_loss(void)
{
    CU_pSuite suite = CU_add_suite("loss", NULL, NULL);

    CU_ADD_TEST(suite, an_idle_client_leaves_without_a_trace);
    CU_ADD_TEST(suite, an_open_transaction_is_rolled_back);
    CU_ADD_TEST(suite, a_running_query_is_cancelled_and_the_server_reused);
    CU_ADD_TEST(suite, a_query_running_in_a_transaction_is_cancelled_and_rolled_back);
    CU_ADD_TEST(suite, a_query_that_ends_before_its_cancel_arrives_keeps_the_server_waiting);
    CU_ADD_TEST(suite, what_still_comes_for_a_lost_client_is_nobodys);
    CU_ADD_TEST(suite, terminate_behind_a_query_lets_it_run);
    CU_ADD_TEST(suite, but_not_for_ever);
    CU_ADD_TEST(suite, a_transaction_that_terminate_leaves_open_is_rolled_back);
    CU_ADD_TEST(suite, half_a_message_costs_the_server);
    CU_ADD_TEST(suite, half_a_message_that_was_not_sent_on_does_not);
    CU_ADD_TEST(suite, a_waiting_client_leaves_the_queue);
    CU_ADD_TEST(suite, an_open_copy_is_failed);
    CU_ADD_TEST(suite, an_open_copy_of_the_extended_protocol_is_failed);
    CU_ADD_TEST(suite, a_copy_that_opens_when_its_client_is_gone_is_failed);
    CU_ADD_TEST(suite, copy_out_is_cancelled_and_drained);
    CU_ADD_TEST(suite, an_extended_query_without_its_sync_is_rolled_back);
    CU_ADD_TEST(suite, a_failed_extended_query_without_its_sync_is_synced);
    CU_ADD_TEST(suite, an_extended_query_that_fails_when_its_client_is_gone_is_synced);
    CU_ADD_TEST(suite, an_unanswered_extended_query_without_its_sync_is_rolled_back);
    CU_ADD_TEST(suite, a_server_that_does_not_come_clean_is_closed);
    CU_ADD_TEST(suite, each_query_of_a_pipeline_is_cancelled);
    CU_ADD_TEST(suite, a_cancel_that_came_too_early_is_repeated);
    CU_ADD_TEST(suite, what_a_departed_client_has_set_is_scrubbed);
    CU_ADD_TEST(suite, all_clients_leave_at_once);
    CU_ADD_TEST(suite, an_idle_server_that_dies_is_replaced);
    CU_ADD_TEST(suite, an_idle_server_that_says_fatal_is_given_to_nobody);
    CU_ADD_TEST(suite, a_client_hears_of_the_death_of_its_server);
    CU_ADD_TEST(suite, what_the_server_said_before_it_died_arrives);
    CU_ADD_TEST(suite, what_the_server_says_behind_the_end_is_not_the_clients);
    CU_ADD_TEST(suite, no_error_is_put_into_the_middle_of_a_message);
    CU_ADD_TEST(suite, the_slot_of_a_server_is_free_when_it_has_gone);
    CU_ADD_TEST(suite, a_server_that_said_fatal_is_not_cleaned_but_closed);
    CU_ADD_TEST(suite, a_server_that_dies_while_it_is_cleaned_is_replaced);
    CU_ADD_TEST(suite, a_server_that_breaks_the_protocol_is_closed);
    CU_ADD_TEST(suite, an_idle_server_that_breaks_the_protocol_is_closed);
}
