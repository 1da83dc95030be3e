/* test_session_state.c - what a client leaves in its server's session is asked for before anybody else has
 * that server. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_session_state(void);

static const struct scene one_server = { .limit = 1 };

#define SET_A                                                                                   \
    "c1 sends Query set a to b", "s1 gets Query set a to b", "s1 sends Complete SET | Ready I", \
        "c1 gets Complete SET | Ready I"
#define LISTENS                                                                                \
    "c1 sends Query listen x", "s1 gets Query listen x", "s1 sends Complete LISTEN | Ready I", \
        "c1 gets Complete LISTEN | Ready I", "s1 is asked: pinned"
#define C2_WORKS \
    "c2 sends Query two", "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I"
#define A_IS_B "s1 sends Row v 62 | Complete SELECT 1 | Ready I"
#define A_IS_SET_BACK                                      \
    "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;" \
    "SELECT pg_catalog.set_config(E'a',NULL,false);COMMIT"

static void
a_clients_next_message_follows_behind_the_question(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked", "c1 sends Query one",
                "s1 gets Query one", "c2 sends Query two", A_IS_B, "c1 gets nothing",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", A_IS_SET_BACK,
                "s1 gets Query two", "s1 sends Complete RESET | Ready I | Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I");
}

static void
nothing_is_asked_inside_a_transaction(void)
{
    PLAY(&one_server, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 sends Query set a to b",
         "s1 gets Query set a to b", "s1 sends Complete SET | Ready T", "c1 gets Complete SET | Ready T",
         "s1 gets nothing", "c1 sends Query rollback", "s1 gets Query rollback",
         "s1 sends Complete ROLLBACK | Ready I", "c1 gets Complete ROLLBACK | Ready I",
         "s1 is asked: nothing", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I");
}

static void
what_is_reported_is_not_asked_for(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query set application_name to me",
         "s1 gets Query set application_name to me",
         "s1 sends Parameter application_name me | Complete SET | Ready I",
         "c1 gets Parameter application_name me | Complete SET | Ready I", "c1 sends Query set local x to y",
         "s1 gets Query set local x to y", "s1 sends Complete SET | Ready I",
         "c1 gets Complete SET | Ready I", "s1 gets nothing");
}

/* It names a statement, and so waits until its settings are in place. Were the server given to c3 then, the same
 * would begin anew on the next one, for ever where there are enough others. */
static void
what_has_waited_for_its_settings_is_sent_where_they_are(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c3 enters", SET_A, "s1 is asked", A_IS_B,
                "c2 sends Query two", A_IS_SET_BACK, "s1 gets Query two", "c1 sends Query deallocate all",
                "c3 sends Query three", "s1 sends Complete RESET | Ready I | Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I",
                "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;"
                "SELECT pg_catalog.set_config(E'a',E'b',false);COMMIT",
                "s1 gets Flush", "s1 sends Complete SET | Ready I", "s1 gets Query deallocate all",
                "s1 sends Complete DEALLOCATE ALL | Ready I", "c1 gets Complete DEALLOCATE ALL | Ready I",
                A_IS_SET_BACK, "s1 gets Query three",
                "s1 sends Complete RESET | Ready I | Complete 3 | Ready I", "c3 gets Complete 3 | Ready I");
}

static void
a_question_that_fails_is_repeated_and_then_all_is_scrubbed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "s1 is asked", A_IS_B, "c1 sends Query one",
         "s1 gets Query one", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked",
         "s1 sends Error ERROR 57014 no | Ready I", "s1 is asked", "s1 sends Error ERROR 57014 no | Ready I",
         "s1 is asked", "s1 sends Error ERROR 57014 no | Ready I", "s1 is asked",
         "s1 sends Error ERROR 57014 no | Ready I", "s1 gets Query DISCARD ALL", "c2 sends Query two",
         "s1 gets nothing", "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two",
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
an_answer_that_cannot_be_read_is_no_answer(void)
{
    static const char *const nonsense[] = { "Row v 6", "Row v zz", "Row v", "Row x 62", "Columns a" };

    for (unsigned i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct script *s = script_begin(&one_server, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "c1 sends Query set a to b");
        script_line(s, "s1 gets Query set a to b");
        script_line(s, "s1 sends Complete SET | Ready I");
        script_line(s, "c1 gets Complete SET | Ready I");
        for (int tries = 0; tries < 4; tries++) {
            script_line(s, "s1 is asked");
            script_line(s, "s1 sends %s | Complete SELECT 1 | Ready I", nonsense[i]);
        }
        script_line(s, "s1 gets Query DISCARD ALL");
        script_line(s, "s1 sends Complete DISCARD ALL | Ready I");
        script_end(s);
    }
}

static void
a_client_may_leave_while_its_server_is_asked(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked", "c1 sends Terminate",
         "c2 sends Query two", "s1 gets nothing", A_IS_B,
         "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;"
         "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;COMMIT",
         "s1 gets Query two", "s1 sends Complete RESET | Ready I | Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query listen x", "s1 gets Query listen x",
         "s1 sends Complete LISTEN | Ready I", "c1 gets Complete LISTEN | Ready I", "s1 is asked",
         "c1 sends Terminate", "c2 sends Query two", "s1 sends Complete SELECT 1 | Ready I",
         "s1 gets Query DISCARD ALL", "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two",
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
a_server_may_be_lost_while_it_is_asked(void)
{
    PLAY(&one_server, "c1 enters", SET_A, "s1 is asked", "s1 closes", "c1 gets Refusal FATAL 08006 lost",
         "c1 is closed");
}

static void
a_pinned_client_keeps_its_server_and_hears_what_it_says(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", LISTENS, "c2 sends Query two", "s1 gets nothing",
                "s1 sends Notification 7 ab cd", "c1 gets Notification 7 ab cd", "c1 sends Query unlisten x",
                "s1 gets Query unlisten x", "s1 sends Complete UNLISTEN | Ready I",
                "c1 gets Complete UNLISTEN | Ready I", "s1 is asked: nothing", "s1 gets Query two",
                "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", LISTENS, "s1 sends Error FATAL 57P01 bye", "s1 closes",
         "c1 gets Error FATAL 57P01 bye", "c1 is closed");
}

static void
a_pinned_client_leaves_nothing_behind(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", LISTENS, "c1 hangs up", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", C2_WORKS);
    PLAY(&one_server, "c1 enters", "c2 enters", LISTENS, "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c1 hangs up",
         "s1 gets Query ROLLBACK", "s1 sends Complete ROLLBACK | Ready I", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", C2_WORKS);
}

static void
what_the_client_discards_is_not_asked_for(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", LISTENS, "c1 sends Query discard all",
         "s1 gets Query discard all", "s1 sends Complete DISCARD ALL | Ready I",
         "c1 gets Complete DISCARD ALL | Ready I", C2_WORKS);
    PLAY(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked", A_IS_B, "c1 sends Query reset all",
         "s1 gets Query reset all", "s1 sends Complete RESET | Ready I", "c1 gets Complete RESET | Ready I",
         C2_WORKS);
}

/* A message that was sent behind settings that failed must have had no effect. */
static void
settings_that_fail_abort_what_follows(void)
{
    PLAY_SPLITS(
        &one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked", A_IS_B, "c2 sends Query two",
        A_IS_SET_BACK, "s1 gets Query two",
        "s1 sends Complete BEGIN | Error ERROR 42501 no | Ready E | Error ERROR 25P02 aborted | Ready E",
        "c2 gets Refusal FATAL 42501 no", "c2 is closed", "s1 gets Query ROLLBACK",
        "s1 sends Complete ROLLBACK | Ready I", "s1 gets Query DISCARD ALL",
        "s1 sends Complete DISCARD ALL | Ready I");
}

static void
a_cancel_request_does_not_hit_a_question(void)
{
    PLAY(&one_server, "c1 enters", SET_A, "s1 is asked", "c1 sends Query slow", "s1 gets Query slow",
         "c2 cancels c1", "c2 is closed", "couriers 0", A_IS_B, "k1 cancels s1", "k1 closes",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "c1 gets Error ERROR 57014 cancelled | Ready I");
    PLAY(&one_server, "c1 enters", SET_A, "s1 is asked", "c2 cancels c1", "c2 is closed", A_IS_B,
         "couriers 0");
}

#define WORKS(c) \
    c " sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I", c " gets Complete 1 | Ready I"
#define ASKED(c)                                                              \
    "s1 gets Query select lastval()", "s1 sends Complete SELECT 1 | Ready I", \
        c " gets Complete SELECT 1 | Ready I"
#define INSERTS(c)                                                                             \
    c " sends Query insert", "s1 gets Query insert", "s1 sends Complete INSERT 0 1 | Ready I", \
        c " gets Complete INSERT 0 1 | Ready I"
#define SEQUENCES_GO "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;DISCARD SEQUENCES;COMMIT"
#define THEY_ARE_GONE "s1 sends Complete BEGIN | Complete DISCARD SEQUENCES | Complete COMMIT | Ready I"

static void
sequences_tell_nobody_what_they_have_told_another(void)
{
    /* Where nobody asks, nothing is done. */
    PLAY(&one_server, "c1 enters", "c2 enters", INSERTS("c1"), WORKS("c2"), WORKS("c1"));
    /* The first one that does, and all that come after it. */
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", WORKS("c1"), "c2 sends Query select lastval()",
                SEQUENCES_GO, "s1 gets Query select lastval()", THEY_ARE_GONE,
                "s1 sends Complete SELECT 1 | Ready I", "c2 gets Complete SELECT 1 | Ready I",
                "c1 sends Query begin", SEQUENCES_GO, "s1 gets Query begin", THEY_ARE_GONE,
                "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T",
                "c1 sends Query select lastval()", "s1 gets Query select lastval()",
                "s1 sends Complete SELECT 1 | Ready T", "c1 gets Complete SELECT 1 | Ready T");
    /* A server that nobody else has had. */
    PLAY(&one_server, "c1 enters", INSERTS("c1"), "c1 sends Query select lastval()", ASKED("c1"));
    /* The client may leave before that is done: nobody knows whether it was. */
    PLAY(&one_server, "c1 enters", "c2 enters", WORKS("c1"), "c2 sends Query select lastval()", SEQUENCES_GO,
         "s1 gets Query select lastval()", THEY_ARE_GONE, "c2 sends Terminate", "c1 sends Query one",
         "s1 sends Complete SELECT 1 | Ready I", SEQUENCES_GO, "s1 gets Query one", THEY_ARE_GONE,
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
}

static void
a_prepared_text_that_asks_is_seen_when_it_is_parsed(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", WORKS("c1"),
         "c2 sends Parse - select lastval() | Bind | Execute | Sync", SEQUENCES_GO,
         "s1 gets Parse - select lastval() | Bind | Execute | Sync", THEY_ARE_GONE,
         "s1 sends ParseComplete | BindComplete | Complete SELECT 1 | Ready I",
         "c2 gets ParseComplete | BindComplete | Complete SELECT 1 | Ready I");
}

static void
who_asks_first_in_a_transaction_is_refused(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", WORKS("c1"), "c2 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
         "c2 sends Query select lastval()", "s1 gets Query pgweir_does_not_exist",
         "s1 sends Error ERROR 42601 syntax | Ready E",
         "c2 gets Refusal ERROR 55000 cannot be told | Ready E", "c2 sends Query rollback",
         "s1 gets Query rollback", "s1 sends Complete ROLLBACK | Ready I",
         "c2 gets Complete ROLLBACK | Ready I", "c2 sends Query begin", SEQUENCES_GO, "s1 gets Query begin",
         THEY_ARE_GONE, "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T");
}

static void
who_has_asked_keeps_its_server_for_a_while(void)
{
    static const struct scene never = { .limit = 1, .settings = "sequence_pin_timeout = 0\n" };

    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query select lastval()", ASKED("c1"), INSERTS("c1"),
         "c2 sends Query two", "time 4 s", "s1 gets nothing", WORKS("c1"), "time 4 s", "s1 gets nothing",
         "c1 sends Query select lastval()", ASKED("c1"), SEQUENCES_GO, "s1 gets Query two", THEY_ARE_GONE,
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query select lastval()", ASKED("c1"), INSERTS("c1"),
         "c2 sends Query two", "s1 gets nothing", "time 6 s", SEQUENCES_GO, "s1 gets Query two",
         THEY_ARE_GONE, "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query select lastval()", ASKED("c1"), INSERTS("c1"),
         "c1 sends Terminate", "c2 sends Query two", SEQUENCES_GO, "s1 gets Query two", THEY_ARE_GONE,
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&never, "c1 enters", "c2 enters", "c1 sends Query select lastval()", ASKED("c1"), INSERTS("c1"),
         "c2 sends Query two", SEQUENCES_GO, "s1 gets Query two", THEY_ARE_GONE,
         "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

/* --- setseed() --- */

static void
a_seed_keeps_its_server_for_a_while(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query select setseed(0.5)",
         "s1 gets Query select setseed(0.5)", "s1 sends Complete SELECT 1 | Ready I",
         "c1 gets Complete SELECT 1 | Ready I", "c2 sends Query two", "time 4 s", "s1 gets nothing",
         WORKS("c1"), "time 4 s", "s1 gets nothing", "time 2 s", "s1 hears something", "s1 gets Query two",
         "s1 sends Complete SELECT 1 | Ready I | Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         WORKS("c1"), "s1 gets nothing");
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query set seed to 0.5",
         "s1 gets Query set seed to 0.5", "s1 sends Complete SET | Ready I", "c1 gets Complete SET | Ready I",
         "s1 is asked: nothing", "c1 sends Terminate", "c2 sends Query two", "s1 hears something",
         "s1 gets Query two", "s1 sends Complete SELECT 1 | Ready I | Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

/* --- what no text shows --- */

static const struct scene always = { .limit = 1, .settings = "session_audit = 1\n" };

#define CALLS(client, text)                                                                     \
    client " sends Query " text, "s1 gets Query " text, "s1 sends Complete SELECT 1 | Ready I", \
        client " gets Complete SELECT 1 | Ready I"
#define RESETS_GO \
    "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;COMMIT"
#define AFTER_RESETS(client, text)                                         \
    client " sends Query " text, RESETS_GO, "s1 gets Query " text,         \
        "s1 sends Complete RESET | Ready I | Complete SELECT 1 | Ready I", \
        client " gets Complete SELECT 1 | Ready I"

static void
every_release_can_be_looked_at(void)
{
    PLAY_SPLITS(&always, "c1 enters", "c2 enters", CALLS("c1", "one"), "c2 sends Query two",
                "s1 is asked: nothing", RESETS_GO, "s1 gets Query two",
                "s1 sends Complete RESET | Ready I | Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
                "s1 is asked: nothing");
    PLAY(&always, "c1 enters", CALLS("c1", "one"), "c1 sends Query two", "s1 is asked: nothing",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I",
         "s1 is asked: nothing", "s1 gets nothing");
    PLAY(&always, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "s1 gets nothing");
}

static void
what_no_text_shows_is_its_clients(void)
{
    PLAY_SPLITS(&always, "c1 enters", "c2 enters", CALLS("c1", "select f(1)"), "s1 is asked: pinned",
                "c2 sends Query two", "s1 gets nothing", "c1 hangs up", "s1 gets Query DISCARD ALL",
                "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two",
                "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "s1 is asked: nothing");
}

static void
what_was_there_before_anybody_looked_is_nobodys(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", CALLS("c1", "select f(1)"), "reload session_audit = 1",
         CALLS("c2", "two"), "s1 is asked: pinned", "c1 sends Query one", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 is asked: nothing");
}

static void
a_text_that_was_found_out_is_read_back_later(void)
{
    PLAY(&always, "c1 enters", "c2 enters", CALLS("c1", "select f(1)"), "s1 is asked: pinned",
         "c1 sends Query discard all", "s1 gets Query discard all", "s1 sends Complete DISCARD ALL | Ready I",
         "c1 gets Complete DISCARD ALL | Ready I", "s1 is asked: nothing", "reload session_audit = 0",
         AFTER_RESETS("c2", "two"), "s1 is asked: nothing", CALLS("c2", "SELECT f('x')"),
         "s1 is asked: nothing", AFTER_RESETS("c1", "select g(1)"), "s1 gets nothing");
}

static void
a_look_that_fails_is_not_repeated(void)
{
    PLAY(&always, "c1 enters", "c2 enters", CALLS("c1", "one"), "s1 is asked", "c2 sends Query two",
         "s1 sends Error ERROR 57014 no | Ready I", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "s1 is asked: nothing");
    PLAY(&always, "c1 enters", "c2 enters", CALLS("c1", "one"), "s1 is asked", "c1 sends Terminate",
         "c2 sends Query two", "s1 sends Complete SELECT 1 | Ready I", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "s1 is asked: nothing");
}

static void
pools_with_a_connect_query_are_not_looked_at(void)
{
    static const struct scene prepared = { .limit = 1,
                                           .settings = "session_audit = 1\n",
                                           .entry = "connect_query='set x to y'" };

    PLAY(&prepared, "c1 connects", "c1 starts", "c1 is greeted", "c1 sends Query one",
         "s1 gets Query set x to y", "s1 sends Complete SET | Ready I", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "s1 gets nothing");
}

/* Else it would be asked on this server, and on the next, what the message has not done yet. */
static void
what_waits_for_its_settings_is_sent_before_anything_is_asked(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", SET_A, "s1 is asked", A_IS_B,
                "c2 sends Query prepare p as select 1", A_IS_SET_BACK, "s1 sends Complete RESET | Ready I",
                "s1 gets Flush | Query prepare p as select 1", "s1 sends Complete PREPARE | Ready I",
                "c2 gets Complete PREPARE | Ready I", "s1 is asked: pinned");
}

void
suite_session_state(void)
{
    CU_pSuite suite = CU_add_suite("session state", NULL, NULL);

    CU_ADD_TEST(suite, a_clients_next_message_follows_behind_the_question);
    CU_ADD_TEST(suite, nothing_is_asked_inside_a_transaction);
    CU_ADD_TEST(suite, what_is_reported_is_not_asked_for);
    CU_ADD_TEST(suite, what_has_waited_for_its_settings_is_sent_where_they_are);
    CU_ADD_TEST(suite, a_question_that_fails_is_repeated_and_then_all_is_scrubbed);
    CU_ADD_TEST(suite, an_answer_that_cannot_be_read_is_no_answer);
    CU_ADD_TEST(suite, a_client_may_leave_while_its_server_is_asked);
    CU_ADD_TEST(suite, a_server_may_be_lost_while_it_is_asked);
    CU_ADD_TEST(suite, a_pinned_client_keeps_its_server_and_hears_what_it_says);
    CU_ADD_TEST(suite, a_pinned_client_leaves_nothing_behind);
    CU_ADD_TEST(suite, what_the_client_discards_is_not_asked_for);
    CU_ADD_TEST(suite, settings_that_fail_abort_what_follows);
    CU_ADD_TEST(suite, a_cancel_request_does_not_hit_a_question);
    CU_ADD_TEST(suite, sequences_tell_nobody_what_they_have_told_another);
    CU_ADD_TEST(suite, a_prepared_text_that_asks_is_seen_when_it_is_parsed);
    CU_ADD_TEST(suite, who_asks_first_in_a_transaction_is_refused);
    CU_ADD_TEST(suite, who_has_asked_keeps_its_server_for_a_while);
    CU_ADD_TEST(suite, a_seed_keeps_its_server_for_a_while);
    CU_ADD_TEST(suite, what_waits_for_its_settings_is_sent_before_anything_is_asked);
    CU_ADD_TEST(suite, every_release_can_be_looked_at);
    CU_ADD_TEST(suite, what_no_text_shows_is_its_clients);
    CU_ADD_TEST(suite, what_was_there_before_anybody_looked_is_nobodys);
    CU_ADD_TEST(suite, a_text_that_was_found_out_is_read_back_later);
    CU_ADD_TEST(suite, a_look_that_fails_is_not_repeated);
    CU_ADD_TEST(suite, pools_with_a_connect_query_are_not_looked_at);
}
