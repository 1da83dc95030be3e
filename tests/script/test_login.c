/* test_login.c - from the first byte to the greeting, on both sides of the pool. */
#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_login(void);

#define SCENE(name, text, ...) static const struct scene name = { .settings = text, __VA_ARGS__ }

SCENE(open_house, NULL, .limit = 1);
SCENE(passwords, "auth_type = plain\nauth_file = users\n", .limit = 1);
SCENE(trusted, "auth_type = trust\nauth_file = users\n", .limit = 1);
SCENE(small, "max_client_conn = 2\n", .limit = 1);
SCENE(crowded, "max_login_conn = 2\n", .limit = 1);
SCENE(by_hand, NULL, .limit = 1, .by_hand = true);
SCENE(two_by_hand, NULL, .limit = 2, .by_hand = true);
SCENE(hosts, NULL, .limit = 1, .by_hand = true, .has_two_hosts = true);
SCENE(connect_query, NULL, .limit = 1, .entry = "connect_query='select hello'");
SCENE(unlimited, NULL, .limit = 1, .is_limit_unknown = true);
SCENE(with_password, NULL, .limit = 1, .by_hand = true, .entry = "user=app_user password=sesame");

#define S1_IS_SET_TO_UTC "s1 hears Query SELECT pg_catalog.set_config(E'timezone',E'UTC',false)"
#define S1_IS_BROUGHT_TO_UTC                               \
    "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;" \
    "SELECT pg_catalog.set_config(E'timezone',E'UTC',false);COMMIT"
#define S1_IS_SET_BACK                                     \
    "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;" \
    "SELECT pg_catalog.set_config(E'timezone',NULL,false);COMMIT"
#define S1_IS_SCRUBBED                                     \
    "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;" \
    "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;COMMIT"

SCENE(asking, "auth_type = plain\nauth_file = users\nauth_user = asker\nclient_login_timeout = 5s\n",
      .limit = 1);

/* --- clients --- */

static void
the_greeting_has_what_the_server_reported(void)
{
    PLAY(&open_house, "c1 connects", "c1 sends Startup user=alice database=app", "c1 is greeted",
         "c2 connects", "c2 starts", "c2 is greeted", "servers 1");
    PLAY(&by_hand, "c1 connects", "c1 starts", "s1 accepts", "c1 gets nothing",
         "s1 sends AuthOk | Parameter server_version 17 | Parameter is_superuser off | Key 1001 7001",
         "c1 gets nothing", "s1 sends Ready I", "c1 is greeted");
}

static void
a_login_may_come_in_pieces(void)
{
    PLAY_SPLITS(&open_house, "c1 connects", "c1 starts", "c1 is greeted", "c1 sends Query one",
                "s1 gets Query one", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
    PLAY_SPLITS(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3", "c1 sends Password wonderland",
                "c1 is greeted");
}

static void
a_client_need_not_wait_for_its_greeting(void)
{
    PLAY_SPLITS(&by_hand, "c1 connects", "c1 sends Startup user=alice database=app | Query one | Query two",
                "s1 accepts", "c1 gets nothing", "s1 sends AuthOk | Key 1001 7001 | Ready I", "c1 is greeted",
                "s1 gets Query one | Query two", "s1 sends Complete 1 | Ready I | Complete 2 | Ready I",
                "c1 gets Complete 1 | Ready I | Complete 2 | Ready I");
    PLAY_SPLITS(&passwords, "c1 connects",
                "c1 sends Startup user=alice database=app | Password wonderland | Query one",
                "c1 hears AuthPlain 3", "c1 is greeted", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
                "c1 gets Complete 1 | Ready I");
    PLAY(&open_house, "c1 connects", "c1 sends Startup user=alice database=app | Terminate", "c1 is greeted",
         "c1 is closed");
}

static void
a_secret_may_have_to_be_asked_for(void)
{
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "c1 gets nothing",
         "secret carol = sesame", "c1 gets AuthPlain 3", "c1 sends Password sesame", "c1 is greeted");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "secret carol = -",
         "c1 gets AuthPlain 3", "c1 sends Password sesame", "secret carol = -",
         "c1 gets Refusal FATAL 28P01 carol", "c1 is closed");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "secret carol = ?",
         "c1 gets Refusal FATAL 57P03 nobody knows", "c1 is closed");
    /* alice is in the file */
    PLAY(&asking, "c1 connects", "c1 sends Startup user=alice database=app", "c1 gets AuthPlain 3",
         "c1 sends Password wonderland", "c1 is greeted");
}

static void
a_secret_that_does_not_fit_is_asked_for_again_once(void)
{
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "secret carol = old",
         "c1 gets AuthPlain 3", "c1 sends Password new", "c1 gets nothing", "secret carol = new",
         "c1 is greeted");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "secret carol = old",
         "c1 gets AuthPlain 3", "c1 sends Password wrong", "secret carol = new",
         "c1 gets Refusal FATAL 28P01 carol", "c1 is closed");
}

static void
what_a_client_says_while_its_secret_is_asked_for_waits(void)
{
    PLAY_SPLITS(&asking, "c1 connects",
                "c1 sends Startup user=carol database=app | Password sesame | Query one", "c1 gets nothing",
                "secret carol = sesame", "c1 hears AuthPlain 3", "c1 is greeted", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
}

static void
who_leaves_while_its_secret_is_asked_for_is_forgotten(void)
{
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "c1 closes",
         "secret carol = sesame", "servers 0");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "time 6 s",
         "c1 gets Refusal FATAL 08P01 client_login_timeout", "c1 is closed", "secret carol = sesame");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app");
    PLAY(&asking, "c1 connects", "c1 sends Startup user=carol database=app", "drain",
         "c1 gets Refusal FATAL 57P01 terminating", "c1 is closed", "drained", "secret carol = sesame");
}

static void
encryption_is_declined_in_words(void)
{
    PLAY_SPLITS(&open_house, "c1 connects", "c1 sends SSLRequest", "c1 gets Bytes 4e",
                "c1 sends Bytes 00 00 00 08 04 d2 16 30", "c1 gets Bytes 4e", "c1 starts", "c1 is greeted");
    PLAY(&open_house, "c1 connects", "c1 sends SSLRequest", "c1 gets Bytes 4e", "c1 sends SSLRequest",
         "c1 gets Refusal FATAL 08P01 encryption", "c1 is closed");
    PLAY(&open_house, "c1 connects", "c1 sends SSLRequest | Startup user=alice database=app",
         "c1 gets Refusal FATAL 08P01 unencrypted data", "c1 is closed");
}

static void
what_is_no_startup_packet_is_refused(void)
{
    static const struct {
        const char *sent;
        const char *code;
    } rows[] = {
        { "Bytes 00 00 00 03", "08P01" },
        { "Bytes 00 00 00 07 00 03 00", "08P01" },
        { "Bytes 00 00 ff ff", "08P01" },
        { "Bytes ff ff ff ff", "08P01" },
        { "Bytes 47 45 54 20 2f 20 48 54 54 50", "08P01" }, /* GET / HTTP */
        { "Bytes 00 00 00 08 00 02 00 00", "0A000" },
        { "Bytes 00 00 00 08 00 04 00 00", "0A000" },
        { "Bytes 00 00 00 0a 00 03 00 00 61 00", "08P01" },
        { "Query select 1", "08P01" },
        { "Startup database=app", "28000" },
        { "Startup user=alice database=app replication=maybe", "22023" },
        { "Startup user=alice database=other", "3D000" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct script *s = script_begin(&open_house, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 sends %s", rows[i].sent);
        script_line(s, "c1 gets Refusal FATAL %s ", rows[i].code);
        script_line(s, "c1 is closed");
        script_line(s, "servers 0");
        script_line(s, "c2 enters");
        script_end(s);
    }
}

static void
tls_without_tls_is_closed(void)
{
    PLAY(&open_house, "c1 connects", "c1 sends Bytes 16 03 01 00 05", "c1 is closed");
}

static void
a_newer_protocol_is_negotiated(void)
{
    PLAY_SPLITS(
        &open_house, "c1 connects",
        "c1 sends Bytes 00 00 00 2a 00 03 00 02 75 73 65 72 00 61 6c 69 63 65 00 64 61 74 61 62 61 73 65 00 61 70 70 00 5f 70 71 5f 2e 61 00 31 00 00",
        "c1 hears Bytes 76 00 00 00 13 00 03 00 00 00 00 00 01 5f 70 71 5f 2e 61 00", "c1 is greeted");
}

static void
a_password_is_checked(void)
{
    PLAY(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3", "c1 sends Password wonderland",
         "c1 is greeted");
    PLAY(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3", "c1 sends Password looking glass",
         "c1 gets Refusal FATAL 28P01 password authentication failed for user \"alice\"", "c1 is closed",
         "servers 0");
    PLAY(&passwords, "c1 connects", "c1 starts user=mallory", "c1 gets AuthPlain 3",
         "c1 sends Password wonderland",
         "c1 gets Refusal FATAL 28P01 password authentication failed for user \"mallory\"", "c1 is closed",
         "servers 0");
    PLAY(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3", "c1 sends Password -",
         "c1 gets Refusal FATAL 28P01 password", "c1 is closed");
    PLAY(&trusted, "c1 connects", "c1 starts user=mallory", "c1 gets Refusal FATAL 28000 authentication",
         "c1 is closed");
}

/* Who has not proved who it is learns nothing about databases. */
static void
an_unknown_database_is_told_after_the_proof(void)
{
    PLAY(&passwords, "c1 connects", "c1 starts database=other", "c1 gets AuthPlain 3",
         "c1 sends Password wonderland", "c1 gets Refusal FATAL 3D000 other", "c1 is closed");
    PLAY(&passwords, "c1 connects", "c1 starts database=other", "c1 gets AuthPlain 3",
         "c1 sends Password wrong", "c1 gets Refusal FATAL 28P01 ", "c1 is closed");
}

static void
only_a_password_answers_the_question_for_one(void)
{
    static const char *const others[] = {
        "Query select 1",         "Sync", "Type ? x", "Bytes 70 00 00 00 03", "Bytes 70 7f ff ff ff",
        "Bytes 70 00 00 00 05 78"
    };

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct script *s = script_begin(&passwords, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 starts");
        script_line(s, "c1 gets AuthPlain 3");
        script_line(s, "c1 sends %s", others[i]);
        script_line(s, "c1 gets Refusal FATAL 08P01 ");
        script_line(s, "c1 is closed");
        script_line(s, "servers 0");
        script_end(s);
    }
    PLAY(&passwords, "c1 connects", "c1 starts", "c1 gets AuthPlain 3", "c1 sends Terminate", "c1 is closed");
    PLAY(&passwords, "c1 connects", "c1 sends Password wonderland", "c1 gets Refusal FATAL 08P01 ",
         "c1 is closed");
}

static void
one_client_too_many_is_refused(void)
{
    PLAY(&small, "c1 enters", "c2 enters", "c3 connects", "c3 starts",
         "c3 gets Refusal FATAL 53300 no more connections allowed (max_client_conn)", "c3 is closed",
         "c1 hangs up", "c3 enters");
}

static void
who_does_not_log_in_makes_room(void)
{
    PLAY(&crowded, "c1 enters", "c2 connects", "c3 connects", "c2 is open", "c4 connects", "c2 is closed",
         "c3 is open", "c4 starts", "c4 is greeted", "c5 connects", "c3 is open", "c6 connects",
         "c3 is closed", "c1 is open");
}

static void
a_client_that_leaves_before_it_is_in_leaves_nothing(void)
{
    PLAY(&open_house, "c1 connects", "c1 hangs up", "c2 connects", "c2 sends Bytes 00 00", "c2 hangs up",
         "servers 0", "c3 connects", "c3 sends SSLRequest", "c3 gets Bytes 4e", "c3 hangs up", "servers 0",
         "c4 enters");
    PLAY(&by_hand, "c1 connects", "c1 starts", "s1 accepts", "c1 hangs up",
         "s1 sends AuthOk | Key 1001 7001 | Ready I", "c2 connects", "c2 starts", "c2 is greeted",
         "s1 is open", "servers 1");
}

static void
messages_that_do_not_exist_are_refused(void)
{
    static const char *const nonsense[] = { "Type ? x",
                                            "Password x",
                                            "Type Z I",
                                            "Bytes 51 00 00 00 03",
                                            "Bytes 51 7f ff ff ff",
                                            "Bytes 51 ff ff ff ff",
                                            "Type v x" };

    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct script *s = script_begin(&open_house, __FILE__, __LINE__);

        script_line(s, "c1 enters");
        script_line(s, "c2 enters");
        script_line(s, "c1 sends Query begin");
        script_line(s, "s1 gets Query begin");
        script_line(s, "s1 sends Complete BEGIN | Ready T");
        script_line(s, "c1 gets Complete BEGIN | Ready T");
        script_line(s, "c1 sends %s", nonsense[i]);
        script_line(s, "c1 gets Refusal FATAL 08P01 ");
        script_line(s, "c1 is closed");
        script_line(s, "s1 gets Query ROLLBACK");
        script_line(s, "s1 sends Complete ROLLBACK | Ready I");
        script_line(s, "c2 sends %s", nonsense[i]);
        script_line(s, "c2 gets Refusal FATAL 08P01 ");
        script_line(s, "c2 is closed");
        script_line(s, "s1 gets nothing");
        script_line(s, "servers 1");
        script_end(s);
    }
}

/* --- settings of the startup packet --- */

static void
settings_of_the_startup_packet_are_tried_once_and_brought_along(void)
{
    PLAY_SPLITS(
        &open_house, "c1 connects", "c1 starts timezone=UTC", S1_IS_SET_TO_UTC, "c1 gets nothing",
        "s1 sends Columns a | Row UTC | Parameter TimeZone UTC | Complete SELECT 1 | Ready I",
        "c1 is greeted", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
        "c1 gets Complete 1 | Ready I", "c2 enters timezone=UTC", "s1 gets nothing", "c2 sends Query two",
        "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I", "c3 enters",
        "c3 sends Query three", S1_IS_SET_BACK, "s1 gets Query three",
        "s1 sends Parameter TimeZone GMT | Complete RESET | Ready I | Complete 3 | Ready I",
        "c3 gets Complete 3 | Ready I", "c1 sends Query four", S1_IS_BROUGHT_TO_UTC, "s1 gets Query four",
        "s1 sends Columns a | Row UTC | Parameter TimeZone UTC | Complete SELECT 1 | Ready I | Complete 4",
        "s1 sends Ready I", "c1 gets Complete 4 | Ready I");
}

static void
a_setting_that_the_server_refuses_is_a_failed_login(void)
{
    PLAY_SPLITS(&open_house, "c2 enters", "c1 connects", "c1 starts timezone=nowhere",
                "s1 gets Query SELECT pg_catalog.set_config(E'timezone',E'nowhere',false)",
                "s1 sends Error ERROR 22023 invalid value | Ready I",
                "c1 gets Refusal FATAL 22023 invalid value", "c1 is closed", "c2 sends Query two",
                S1_IS_SCRUBBED, "s1 gets Query two",
                "s1 sends Complete RESET | Ready I | Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
a_client_may_leave_while_its_settings_are_tried(void)
{
    PLAY(&open_house, "c2 enters", "c1 connects", "c1 starts timezone=UTC", S1_IS_SET_TO_UTC, "c1 hangs up",
         "k1 cancels s1", "s1 sends Error ERROR 57014 cancelled | Ready I", "k1 closes", "c2 sends Query two",
         S1_IS_SCRUBBED, "s1 gets Query two", "s1 sends Complete RESET | Ready I | Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "c3 connects", "c3 starts timezone=UTC", S1_IS_SET_TO_UTC,
         "s1 sends Columns a | Row UTC | Complete SELECT 1 | Ready I", "c3 is greeted");
}

static void
the_server_may_die_while_settings_are_tried(void)
{
    PLAY(&open_house, "c2 enters", "c1 connects", "c1 starts timezone=UTC", S1_IS_SET_TO_UTC, "s1 closes",
         "c1 gets Refusal FATAL 08006 lost", "c1 is closed", "c2 sends Query two", "s2 gets Query two",
         "s2 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

/* What was brought ahead of a request may be hit by the cancel of that request. */
static void
settings_whose_fate_is_unknown_are_brought_again(void)
{
    PLAY(
        &open_house, "c1 connects", "c1 starts timezone=UTC", S1_IS_SET_TO_UTC,
        "s1 sends Columns a | Row UTC | Complete SELECT 1 | Ready I", "c1 is greeted", "c2 enters",
        "c2 sends Query two", S1_IS_SET_BACK, "s1 gets Query two",
        "s1 sends Complete RESET | Ready I | Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
        "c3 enters timezone=UTC", "c1 sends Query one", S1_IS_BROUGHT_TO_UTC, "s1 gets Query one",
        "c1 hangs up", "k1 cancels s1", "k1 closes", "s1 sends Error ERROR 57014 cancelled | Ready I",
        "k2 cancels s1", "k2 closes", "s1 sends Error ERROR 57014 cancelled | Ready I",
        "c3 sends Query three",
        "s1 gets Query BEGIN ISOLATION LEVEL READ COMMITTED;RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"
        "SELECT pg_catalog.set_config(E'timezone',E'UTC',false);COMMIT | Query three",
        "s1 sends Complete RESET | Complete SELECT 1 | Ready I | Complete 3 | Ready I",
        "c3 gets Complete 3 | Ready I");
}

/* More than a snapshot can hold, or than is remembered of one transaction. */
static void
settings_that_cannot_be_followed_are_scrubbed(void)
{
    struct script *s = script_begin(&open_house, __FILE__, __LINE__);

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query select something");
    script_line(s, "s1 gets Query select something");
    for (unsigned i = 0; i < 100; i++) {
        script_line(s, "s1 sends Parameter setting_%u some value", i);
        script_line(s, "c1 gets Parameter setting_%u some value", i);
    }
    script_line(s, "s1 sends Complete SELECT 1 | Ready I");
    script_line(s, "c1 gets Complete SELECT 1 | Ready I");
    script_line(s, "c2 sends Query two");
    script_line(s, S1_IS_SCRUBBED);
    script_line(s, "s1 gets Query two");
    script_end(s);
    s = script_begin(&open_house, __FILE__, __LINE__);
    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query select something");
    script_line(s, "s1 gets Query select something");
    script_line(s, "s1 sends Parameter long x*33000 | Complete SELECT 1 | Ready I");
    script_line(s, "c1 gets Parameter long x*33000 | Complete SELECT 1 | Ready I");
    script_line(s, "c2 sends Query two");
    script_line(s, S1_IS_SCRUBBED);
    script_line(s, "s1 gets Query two");
    script_end(s);
}

static void
a_set_of_a_client_does_not_meet_the_next(void)
{
    PLAY_SPLITS(&open_house, "c1 enters", "c2 enters", "c1 sends Query set a to b",
                "s1 gets Query set a to b", "s1 sends Complete SET | Ready I",
                "c1 gets Complete SET | Ready I", "s1 is asked",
                "s1 sends Row v 62 | Complete SELECT 1 | Ready I", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
                "s1 hears Query BEGIN ISOLATION LEVEL READ COMMITTED;"
                "SELECT pg_catalog.set_config(E'a',NULL,false);COMMIT",
                "s1 gets Query two", "s1 sends Complete RESET | Ready I | Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I");
}

/* --- servers --- */

static void
a_servers_login_may_come_in_pieces(void)
{
    PLAY_SPLITS(&by_hand, "c1 connects", "c1 starts", "s1 accepts",
                "s1 sends AuthOk | Parameter a b | Notice NOTICE 00000 hi | Key 1001 7001 | Ready I",
                "c1 is greeted", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
                "c1 gets Complete 1 | Ready I");
    PLAY_SPLITS(&with_password, "c1 connects", "c1 starts", "time 1 ms",
                "s1 gets Startup user=app_user database=app", "s1 sends AuthPlain 3",
                "s1 gets Password sesame", "s1 sends AuthOk | Key 1001 7001 | Ready I", "c1 is greeted");
}

static void
what_a_server_says_right_behind_its_login_is_read(void)
{
    PLAY_SPLITS(&by_hand, "c1 connects", "c1 starts", "s1 accepts",
                "s1 sends AuthOk | Key 1001 7001 | Ready I | Parameter TimeZone UTC | Notice NOTICE 00000 hi",
                "c1 is greeted", "c1 sends Query one", "s1 gets Query one", "s1 sends Complete 1 | Ready I",
                "c1 gets Complete 1 | Ready I");
}

static void
the_connect_query_runs_before_any_client(void)
{
    PLAY_SPLITS(&connect_query, "c1 connects", "c1 starts", "c1 is greeted", "c1 sends Query one",
                "s1 gets Query select hello", "s1 sends Columns a | Row 1 | Complete SELECT 1 | Ready I",
                "s1 gets Query one", "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
    PLAY(&connect_query, "c1 connects", "c1 starts", "c1 is greeted", "c1 sends Query one",
         "s1 gets Query select hello", "s1 sends Error ERROR 42601 no | Ready I", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I");
}

static void
a_login_that_the_server_refuses_is_told(void)
{
    PLAY(&by_hand, "c1 connects", "c1 starts", "c2 connects", "c2 starts", "s1 accepts",
         "s1 sends Error FATAL 28P01 wrong password", "c1 gets Refusal FATAL 28P01 wrong password",
         "c1 is closed", "c2 gets Refusal FATAL 28P01 wrong password", "c2 is closed", "s1 is closed");
}

static void
a_login_that_the_server_cannot_take_now_is_tried_again(void)
{
    static const char *const reasons[] = { "57P03 the database system is starting up", "57P01 shutdown",
                                           "53300 too many clients" };

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct script *s = script_begin(&by_hand, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 starts");
        script_line(s, "s1 accepts");
        script_line(s, "s1 sends Error FATAL %s", reasons[i]);
        script_line(s, "s1 is closed");
        script_line(s, "c1 gets nothing");
        script_line(s, "time 3 s");
        script_line(s, "s2 accepts");
        script_line(s, "s2 sends AuthOk | Key 1002 7002 | Ready I");
        script_line(s, "c1 is greeted");
        script_end(s);
    }
}

static void
a_server_that_hangs_up_during_its_login_is_tried_again(void)
{
    static const char *const beginnings[] = { "", "Bytes 52", "AuthOk",
                                              "AuthOk | Parameter a b | Bytes 4b 00 00", "AuthOk | Key 1 2" };

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        struct script *s = script_begin(&by_hand, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 starts");
        script_line(s, "s1 accepts");
        script_line(s, "s1 sends %s", beginnings[i]);
        script_line(s, "s1 closes");
        script_line(s, "c1 gets nothing");
        script_line(s, "time 1 s");
        script_line(s, "s2 accepts");
        script_line(s, "s2 sends AuthOk | Key 1002 7002 | Ready I");
        script_line(s, "c1 is greeted");
        script_end(s);
    }
}

static void
the_next_host_of_a_list_is_tried_at_once(void)
{
    static const char *const beginnings[] = {
        "", "Bytes 52", "AuthOk | Parameter a b | Bytes 4b 00 00",
        "Bytes 52 00 00 00 17 00 00 00 0a 53 43 52 41 4d 2d 53 48 41 2d 32 35 36 00 00"
    };

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        struct script *s = script_begin(&hosts, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 starts");
        script_line(s, "s1 accepts");
        script_line(s, "s1 sends %s", beginnings[i]);
        actor_forget(script_actor(s, ACTOR_SERVER, 1));
        script_line(s, "s1 closes");
        script_line(s, "s2 accepts");
        script_line(s, "s2 sends AuthOk | Key 1002 7002 | Ready I");
        script_line(s, "c1 is greeted");
        script_end(s);
    }
}

static void
nonsense_during_a_servers_login_is_told(void)
{
    static const char *const nonsense[] = { "Row 1",
                                            "Type ? x",
                                            "Bytes 52 00 00 00 03",
                                            "AuthPlain 7",
                                            "AuthPlain 3",
                                            "Bytes 52 00 00 00 05 00",
                                            "AuthOk | Type K x" };

    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct script *s = script_begin(&by_hand, __FILE__, __LINE__);

        script_line(s, "c1 connects");
        script_line(s, "c1 starts");
        script_line(s, "s1 accepts");
        script_line(s, "s1 sends %s", nonsense[i]);
        script_line(s, "s1 is closed");
        CU_ASSERT_TRUE(buf_len(&script_actor(s, ACTOR_CLIENT, 1)->in) > 0);
        actor_forget(script_actor(s, ACTOR_CLIENT, 1));
        script_line(s, "c1 is closed");
        script_end(s);
    }
}

static void
several_servers_log_in_at_once(void)
{
    PLAY(&two_by_hand, "c1 connects", "c1 starts", "s1 accepts", "s1 sends AuthOk | Key 1001 7001 | Ready I",
         "c1 is greeted", "c2 connects", "c2 starts", "c2 is greeted", "c1 sends Query one",
         "s1 gets Query one", "c2 sends Query two", "s2 accepts", "c2 gets nothing",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I",
         "s1 gets Query two", /* whichever comes first serves it */
         "s2 sends AuthOk | Key 1002 7002 | Ready I", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "servers 2");
}

static void
nobody_connects_before_the_limit_is_known(void)
{
    PLAY(&unlimited, "c1 connects", "c1 starts", "time 5 s", "servers 0", "c1 gets nothing", "limit 1",
         "c1 is greeted", "servers 1");
}

void
suite_login(void)
{
    CU_pSuite suite = CU_add_suite("login", NULL, NULL);

    CU_ADD_TEST(suite, the_greeting_has_what_the_server_reported);
    CU_ADD_TEST(suite, a_login_may_come_in_pieces);
    CU_ADD_TEST(suite, a_client_need_not_wait_for_its_greeting);
    CU_ADD_TEST(suite, a_secret_may_have_to_be_asked_for);
    CU_ADD_TEST(suite, a_secret_that_does_not_fit_is_asked_for_again_once);
    CU_ADD_TEST(suite, what_a_client_says_while_its_secret_is_asked_for_waits);
    CU_ADD_TEST(suite, who_leaves_while_its_secret_is_asked_for_is_forgotten);
    CU_ADD_TEST(suite, encryption_is_declined_in_words);
    CU_ADD_TEST(suite, what_is_no_startup_packet_is_refused);
    CU_ADD_TEST(suite, tls_without_tls_is_closed);
    CU_ADD_TEST(suite, a_newer_protocol_is_negotiated);
    CU_ADD_TEST(suite, a_password_is_checked);
    CU_ADD_TEST(suite, an_unknown_database_is_told_after_the_proof);
    CU_ADD_TEST(suite, only_a_password_answers_the_question_for_one);
    CU_ADD_TEST(suite, one_client_too_many_is_refused);
    CU_ADD_TEST(suite, who_does_not_log_in_makes_room);
    CU_ADD_TEST(suite, a_client_that_leaves_before_it_is_in_leaves_nothing);
    CU_ADD_TEST(suite, messages_that_do_not_exist_are_refused);
    CU_ADD_TEST(suite, settings_of_the_startup_packet_are_tried_once_and_brought_along);
    CU_ADD_TEST(suite, a_setting_that_the_server_refuses_is_a_failed_login);
    CU_ADD_TEST(suite, a_client_may_leave_while_its_settings_are_tried);
    CU_ADD_TEST(suite, the_server_may_die_while_settings_are_tried);
    CU_ADD_TEST(suite, settings_whose_fate_is_unknown_are_brought_again);
    CU_ADD_TEST(suite, settings_that_cannot_be_followed_are_scrubbed);
    CU_ADD_TEST(suite, a_set_of_a_client_does_not_meet_the_next);
    CU_ADD_TEST(suite, a_servers_login_may_come_in_pieces);
    CU_ADD_TEST(suite, what_a_server_says_right_behind_its_login_is_read);
    CU_ADD_TEST(suite, the_connect_query_runs_before_any_client);
    CU_ADD_TEST(suite, a_login_that_the_server_refuses_is_told);
    CU_ADD_TEST(suite, a_login_that_the_server_cannot_take_now_is_tried_again);
    CU_ADD_TEST(suite, a_server_that_hangs_up_during_its_login_is_tried_again);
    CU_ADD_TEST(suite, the_next_host_of_a_list_is_tried_at_once);
    CU_ADD_TEST(suite, nonsense_during_a_servers_login_is_told);
    CU_ADD_TEST(suite, several_servers_log_in_at_once);
    CU_ADD_TEST(suite, nobody_connects_before_the_limit_is_known);
}
