/* test_prepared.c - prepared statements: whose names they are, where they are parsed, and what errors undo. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "script.h"

void suite_prepared(void);

#define SCENE(name, text, ...) static const struct scene name = { .settings = text, __VA_ARGS__ }

SCENE(one, NULL, .limit = 1);
SCENE(two, NULL, .limit = 2);
SCENE(room_for_one, "max_prepared_statements = 1\n", .limit = 1);
SCENE(untracked, "max_prepared_statements = 0\n", .limit = 1);

#define RUN "Execute - 0 | Sync"
#define DONE "BindComplete | Complete SELECT 1 | Ready I"

static void
a_text_is_parsed_once_for_all_clients(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c2 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c2 sends Parse other select 1 | Bind - other | " RUN,
                "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c2 gets ParseComplete | " DONE,
                "c1 sends Describe S s1 | Bind - s1 | " RUN,
                "s1 gets Describe S pgweir_1 | Bind - pgweir_1 | " RUN,
                "s1 sends Parameters | NoData | " DONE, "c1 gets Parameters | NoData | " DONE);
}

static void
a_server_that_lacks_a_statement_parses_it_unasked(void)
{
    PLAY_SPLITS(&two, "c1 enters", "c2 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c2 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
                "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN,
                "s2 sends ParseComplete | " DONE, "c1 gets " DONE, "c1 sends Bind - s1 | " RUN,
                "s2 gets Bind - pgweir_1 | " RUN, "s2 sends " DONE, "c1 gets " DONE);
}

static void
an_error_of_what_was_parsed_unasked_is_the_clients(void)
{
    PLAY_SPLITS(&two, "c1 enters", "c2 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c2 sends Query begin", "s1 gets Query begin",
                "s1 sends Complete BEGIN | Ready T", "c2 gets Complete BEGIN | Ready T",
                "c1 sends Bind - s1 | " RUN, "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN,
                "s2 sends Error ERROR 42P01 no such table | Ready I",
                "c1 gets Error ERROR 42P01 no such table | Ready I", "c1 sends Bind - s1 | " RUN,
                "s2 gets Parse pgweir_1 select 1 | Bind - pgweir_1 | " RUN, "s2 sends ParseComplete | " DONE,
                "c1 gets " DONE);
}

static void
the_unnamed_statement_is_each_clients_own(void)
{
    PLAY_SPLITS(
        &one, "c1 enters", "c2 enters", "c1 sends Parse - select 1 | Sync", "s1 gets Parse - select 1 | Sync",
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I", "c1 sends Bind - - | " RUN,
        "s1 gets Bind - - | " RUN, "s1 sends " DONE, "c1 gets " DONE, "c2 sends Parse - select 2 | Sync",
        "s1 gets Parse - select 2 | Sync", "s1 sends ParseComplete | Ready I",
        "c2 gets ParseComplete | Ready I", "c1 sends Bind - - | " RUN,
        "s1 gets Parse - select 1 | Bind - - | " RUN, "s1 sends ParseComplete | " DONE, "c1 gets " DONE);
}

static void
a_simple_query_ends_the_unnamed_statement(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Parse - select 1 | Sync", "s1 gets Parse - select 1 | Sync",
                "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I", "c1 sends Query two",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c1 gets Complete 2 | Ready I",
                "c1 sends Bind - - | " RUN, "s1 gets Close S - | Bind - - | " RUN,
                "s1 sends CloseComplete | Error ERROR 26000 unnamed | Ready I",
                "c1 gets Error ERROR 26000 unnamed | Ready I");
}

static void
a_name_in_use_is_refused_and_the_session_lives_on(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c1 sends Parse s1 select 2 | Sync",
                "s1 gets Parse - select 2 | Describe S pgweir_does_not_exist | Sync",
                "s1 sends ParseComplete | Error ERROR 26000 no | Ready I",
                "c1 hears Refusal ERROR 42P05 already exists", "c1 gets Ready I", "c1 sends Bind - s1 | " RUN,
                "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE);
}

static void
a_closed_name_may_get_another_text(void)
{
    PLAY_SPLITS(&one, "c1 enters",
                "c1 sends Parse s1 select 1 | Close S s1 | Close S nobody | Parse s1 select 2 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Parse pgweir_2 select 2 | Sync",
                "s1 sends ParseComplete | ParseComplete | Ready I",
                "c1 gets ParseComplete | CloseComplete | CloseComplete | ParseComplete | Ready I",
                "c1 sends Bind - s1 | " RUN, "s1 gets Bind - pgweir_2 | " RUN, "s1 sends " DONE,
                "c1 gets " DONE);
}

static void
what_an_error_skips_has_not_happened(void)
{
    PLAY_SPLITS(
        &one, "c1 enters", "c1 sends Parse old select 0 | Sync", "s1 gets Parse pgweir_1 select 0 | Sync",
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I",
        "c1 sends Parse bad selec | Parse s2 select 2 | Close S old | Sync",
        "s1 gets Parse pgweir_2 selec | Parse pgweir_3 select 2 | Sync",
        "s1 sends Error ERROR 42601 syntax | Ready I", "c1 gets Error ERROR 42601 syntax | Ready I",
        "c1 sends Bind - s2 | " RUN, "s1 gets Bind - s2 | " RUN,
        "s1 sends Error ERROR 26000 unknown | Ready I", "c1 gets Error ERROR 26000 unknown | Ready I",
        "c1 sends Bind - old | " RUN, "s1 gets Bind - pgweir_1 | " RUN, "s1 sends " DONE, "c1 gets " DONE,
        "c1 sends Parse s2 select 2 | Sync", "s1 gets Parse pgweir_3 select 2 | Sync",
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I");
}

static void
the_statement_used_longest_ago_makes_room(void)
{
    PLAY_SPLITS(&room_for_one, "c1 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c1 sends Parse s2 select 2 | Sync",
                "s1 gets Parse pgweir_2 select 2 | Close S pgweir_1 | Sync",
                "s1 sends ParseComplete | CloseComplete | Ready I", "c1 gets ParseComplete | Ready I",
                "c1 sends Bind - s1 | " RUN,
                "s1 gets Parse pgweir_1 select 1 | Close S pgweir_2 | Bind - pgweir_1 | " RUN,
                "s1 sends ParseComplete | CloseComplete | " DONE, "c1 gets " DONE);
}

static void
deallocate_all_forgets_what_was_there_before_it(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I", "c1 sends Query deallocate all",
                "s1 gets Query deallocate all", "s1 sends Complete DEALLOCATE ALL | Ready I",
                "c1 gets Complete DEALLOCATE ALL | Ready I", "c1 sends Parse s1 select 1 | Sync",
                "s1 gets Parse pgweir_1 select 1 | Sync", "s1 sends ParseComplete | Ready I",
                "c1 gets ParseComplete | Ready I");
}

static void
settings_and_a_rewritten_name_leave_in_one_write(void)
{
    PLAY(
        &one, "c1 enters", "c1 sends Parse s1 select 1 | Sync", "s1 gets Parse pgweir_1 select 1 | Sync",
        "s1 sends ParseComplete | Ready I", "c1 gets ParseComplete | Ready I", "c2 connects",
        "c2 starts timezone=UTC", "s1 gets Query SELECT pg_catalog.set_config(E'timezone',E'UTC',false)",
        "s1 sends Row UTC | Complete SELECT 1 | Ready I", "c2 is greeted", "c1 sends Bind - s1 | " RUN,
        "s1 gets Query BEGIN ISOLATION LEVEL READ COMMITTED;SELECT pg_catalog.set_config(E'timezone',NULL,false);"
        "COMMIT | Bind - pgweir_1 | " RUN,
        "s1 sends Row - | Complete SELECT 1 | Ready I | " DONE, "c1 gets " DONE);
}

static void
names_pass_untouched_when_tracking_is_off(void)
{
    PLAY_SPLITS(&untracked, "c1 enters", "c1 sends Parse s1 select 1 | Bind - s1 | " RUN,
                "s1 gets Parse s1 select 1 | Bind - s1 | " RUN, "s1 sends ParseComplete | " DONE,
                "c1 gets ParseComplete | " DONE);
}

#define COPY_BEGINS                                                                     \
    "c1 enters", "c1 sends Parse - copy t from stdin | Bind - - | Execute - 0 | Flush", \
        "s1 gets Parse - copy t from stdin | Bind - - | Execute - 0 | Flush",           \
        "s1 sends ParseComplete | BindComplete | CopyIn", "c1 gets ParseComplete | BindComplete | CopyIn"

/* PostgreSQL ends the session of a client that says such things during COPY. */
static void
during_copy_names_are_the_servers_matter(void)
{
    PLAY_SPLITS(&one, COPY_BEGINS, "c1 sends Close S s1", "s1 gets Close S s1",
                "s1 sends Error FATAL 08P01 lost", "s1 closes", "c1 gets Error FATAL 08P01 lost",
                "c1 is closed");
    PLAY_SPLITS(&one, COPY_BEGINS, "c1 sends Parse s1 select 1", "s1 gets Parse s1 select 1",
                "s1 sends Error FATAL 08P01 lost", "s1 closes", "c1 gets Error FATAL 08P01 lost",
                "c1 is closed");
}

/* The server has not heard of the Close, and must: it would wait for data that never come. */
#define COPY_AND_CLOSE(last)                                                                               \
    "c1 enters", "c1 sends Parse - copy t from stdin | Bind - - | Execute - 0 | Close S s1 | " last,       \
        "s1 gets Parse - copy t from stdin | Bind - - | Execute - 0 | " last,                              \
        "s1 sends ParseComplete | BindComplete | CopyIn", "c1 gets ParseComplete | BindComplete | CopyIn", \
        "s1 gets Close S -", "s1 sends Error ERROR 08P01 unexpected message type",                         \
        "c1 gets Error ERROR 08P01 unexpected message type"

static void
a_close_that_we_answer_ends_copy(void)
{
    PLAY(&one, COPY_AND_CLOSE("Flush"));
    PLAY(&one, COPY_AND_CLOSE("Sync"));
}

static void
what_is_not_terminated_is_the_servers_to_refuse(void)
{
    PLAY_SPLITS(&one, "c1 enters", "c1 sends Type D Snoend | Sync", "s1 gets Type D Snoend | Sync",
                "s1 sends Error ERROR 08P01 invalid string in message | Ready I",
                "c1 gets Error ERROR 08P01 invalid string in message | Ready I",
                "c1 sends Type P noend | Type C | Sync", "s1 gets Type P noend | Type C | Sync",
                "s1 sends Error ERROR 08P01 invalid string in message | Ready I",
                "c1 gets Error ERROR 08P01 invalid string in message | Ready I");
}

static bool
has_got(const struct actor *a, const char *text)
{
    struct slice in = buf_slice(&a->in);

    return in.len > 0 && memmem(in.at, in.len, text, strlen(text)) != NULL;
}

/* 1 MB of texts: each with a name of its own is too much, one after the other is not. */
static void
what_one_client_prepares_is_bounded(void)
{
    static const struct scene small = { .settings = "prepared_statements_memory = 1MB\n"
                                                    "max_prepared_statements = 2\n",
                                        .limit = 1 };
    struct script *s = script_begin(&small, __FILE__, __LINE__);
    unsigned kept = 0;
    bool is_refused = false;

    script_line(s, "c1 enters");
    for (; kept < 200 && !script_has_failed(s); kept++) { /* closed again: memory stays flat */
        script_line(s, "c1 sends Parse s x*%u | Close S s | Sync", 20000 + kept);
        actor_forget(script_actor(s, ACTOR_SERVER, 1));
        script_line(s, kept < 2 ? "s1 sends ParseComplete | Ready I"
                                : "s1 sends ParseComplete | CloseComplete | Ready I");
        script_line(s, "c1 gets ParseComplete | CloseComplete | Ready I");
    }
    for (kept = 0; kept < 60 && !is_refused && !script_has_failed(s);
         kept++) { /* kept: until there is no room */
        script_line(s, "c1 sends Parse k%u y*%u | Sync", kept, 20000 + kept);
        is_refused = has_got(script_actor(s, ACTOR_SERVER, 1), "pgweir_does_not_exist");
        actor_forget(script_actor(s, ACTOR_SERVER, 1));
        if (!is_refused) {
            script_line(s, "s1 sends ParseComplete | CloseComplete | Ready I");
            script_line(s, "c1 gets ParseComplete | Ready I");
        }
    }
    CU_ASSERT(is_refused && kept > 40);
    script_line(s, "s1 sends Error ERROR 26000 no | Ready I");
    script_line(s, "c1 hears Refusal ERROR 53400 prepared_statements_memory is used up");
    script_line(s, "c1 gets Ready I");
    /* An unnamed one is let by, but it does not outlive its place on the server. */
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Parse - z*30000 | Sync");
    script_line(s, "s1 gets Parse - z*30000 | Sync");
    script_line(s, "s1 sends ParseComplete | Ready I");
    script_line(s, "c1 gets ParseComplete | Ready I");
    script_line(s, "c1 sends Bind - - | Sync");
    script_line(s, "s1 gets Bind - - | Sync");
    script_line(s, "s1 sends BindComplete | Ready I");
    script_line(s, "c1 gets BindComplete | Ready I");
    script_line(s, "c2 sends Query two");
    script_line(s, "s1 gets Query two");
    script_line(s, "s1 sends Complete 2 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I");
    script_line(s, "c1 sends Bind - - | Sync");
    script_line(s, "s1 gets Describe S pgweir_does_not_exist | Sync");
    script_line(s, "s1 sends Error ERROR 26000 no | Ready I");
    script_line(s, "c1 hears Refusal ERROR 53400 the unnamed prepared statement could not be kept");
    script_line(s, "c1 gets Ready I");
    /* What it has refused to parse is unknown as on a direct connection, */
    script_line(s, "c1 sends Parse - z*30000 | Sync");
    script_line(s, "s1 gets Parse - z*30000 | Sync");
    script_line(s, "s1 sends Error ERROR 42601 no | Ready I");
    script_line(s, "c1 gets Error ERROR 42601 no | Ready I");
    script_line(s, "c1 sends Bind - - | Sync");
    script_line(s, "s1 gets Close S - | Bind - - | Sync");
    script_line(s, "s1 sends CloseComplete | Error ERROR 26000 no | Ready I");
    script_line(s, "c1 gets Error ERROR 26000 no | Ready I");
    script_end(s);
}

/* Nobody but the server has what its client has closed: that goes, the oldest first, where a new text needs its
 * room. While a Close is owed, the new statement's name is made free as well. */
static void
a_server_gives_up_what_it_alone_holds(void)
{
    static const struct scene small = { .settings = "prepared_statements_memory = 1MB\n", .limit = 1 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct script *s = script_begin(&small, __FILE__, __LINE__);
    unsigned most = sizeof letters - 1, closed = 0;

    script_line(s, "c1 enters");
    for (unsigned i = 0; i < 2 * most && !script_has_failed(s); i++) {
        bool is_closing;

        script_line(s, "c1 sends Parse s %c*%u | Close S s | Sync", letters[i % most], 25000 + i / most);
        is_closing = has_got(script_actor(s, ACTOR_SERVER, 1), "Spgweir_");
        actor_forget(script_actor(s, ACTOR_SERVER, 1));
        script_line(s, is_closing ? "s1 sends CloseComplete | CloseComplete | ParseComplete | Ready I"
                                  : "s1 sends ParseComplete | Ready I");
        script_line(s, "c1 gets ParseComplete | CloseComplete | Ready I");
        closed += is_closing;
    }
    CU_ASSERT(closed > 50);
    script_end(s);
}

void
suite_prepared(void)
{
    CU_pSuite suite = CU_add_suite("prepared", NULL, NULL);

    CU_ADD_TEST(suite, a_text_is_parsed_once_for_all_clients);
    CU_ADD_TEST(suite, a_server_that_lacks_a_statement_parses_it_unasked);
    CU_ADD_TEST(suite, an_error_of_what_was_parsed_unasked_is_the_clients);
    CU_ADD_TEST(suite, the_unnamed_statement_is_each_clients_own);
    CU_ADD_TEST(suite, a_simple_query_ends_the_unnamed_statement);
    CU_ADD_TEST(suite, a_name_in_use_is_refused_and_the_session_lives_on);
    CU_ADD_TEST(suite, a_closed_name_may_get_another_text);
    CU_ADD_TEST(suite, what_an_error_skips_has_not_happened);
    CU_ADD_TEST(suite, the_statement_used_longest_ago_makes_room);
    CU_ADD_TEST(suite, deallocate_all_forgets_what_was_there_before_it);
    CU_ADD_TEST(suite, settings_and_a_rewritten_name_leave_in_one_write);
    CU_ADD_TEST(suite, during_copy_names_are_the_servers_matter);
    CU_ADD_TEST(suite, a_close_that_we_answer_ends_copy);
    CU_ADD_TEST(suite, what_is_not_terminated_is_the_servers_to_refuse);
    CU_ADD_TEST(suite, what_one_client_prepares_is_bounded);
    CU_ADD_TEST(suite, a_server_gives_up_what_it_alone_holds);
    CU_ADD_TEST(suite, names_pass_untouched_when_tracking_is_off);
}
