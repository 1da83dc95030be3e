/*
 * test_differential.c - random conversations, on PostgreSQL directly and through pgweir: the answers are the
 * same.
 *
 *     PGWEIR_TEST_SEED=n        the seed of both runs (default: 1 and 2, so that a run can be repeated)
 *     PGWEIR_TEST_TURNS=n       turns of each run
 *
 * Four clients talk in turn, through four servers at most, so that the transactions which they leave open
 * make the servers change hands; they prepare the same and other texts under the same names. What one turn
 * holds is up to author.c. A difference is shrunk to the few lines that bring it about and printed as a
 * conversation, which belongs below ("what once differed") when its cause is removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "author.h"
#include "harness.h"
#include "pipeline.h"

void suite_differential(void);

#define TURNS 1800u /* of a run */
#define SESSION_TURNS 600u
#define EPISODE_TURNS 60u /* with the same connections */
#define SHRINK_MS 20000u

static const char *const few_statements =
    "auth_type = trust\npool_mode = transaction\ndefault_pool_size = 4\n"
    "workers = 1\nmax_prepared_statements = 4\n";
static const char *const many_statements =
    "auth_type = trust\npool_mode = transaction\ndefault_pool_size = 4\n"
    "workers = 2\n";

static struct weir *
weir(const char *settings)
{
    return weir_get(&(struct weir_spec){ .settings = settings,
                                         .databases = "diff_b = host=127.0.0.1 port=$PORT dbname=diff_b\n" });
}

/* --- shrinking --- */

static bool
differs(struct talk *t, const struct turn *turns, size_t count)
{
    talk_begin(t);
    for (size_t i = 0; i < count; i++)
        if (turns[i].lines[0] != '\0' && (!talk_turn(t, &turns[i]) || talk_is_apart(t)))
            return !talk_is_apart(t);
    return false;
}

/* LINES without those from FROM on, COUNT of them; NULL when there are none. */
static char *
without_lines(const char *lines, size_t from, size_t count)
{
    char *out = calloc(1, strlen(lines) + 1);
    size_t n = 0;
    bool is_cut = false;

    for (const char *at = lines; *at != '\0'; n++) {
        size_t len = strcspn(at, "\n") + 1;

        if (n < from || n >= from + count)
            strncat(out, at, len);
        else
            is_cut = true;
        at += len;
    }
    if (is_cut)
        return out;
    free(out);
    return NULL;
}

/* Turns, then lines of turns, that the difference does without are emptied; new texts are the caller's. */
static void
shrink(struct talk *t, struct turn *turns, size_t count)
{
    uint64_t until = now_ms() + SHRINK_MS;

    for (size_t size = count / 2; size > 0; size = size == 1 ? 0 : (size + 1) / 2)
        for (size_t from = 0; from + 1 < count && now_ms() < until; from += size) {
            struct turn fewer[EPISODE_TURNS];

            memcpy(fewer, turns, count * sizeof *turns);
            for (size_t i = from; i < from + size && i + 1 < count; i++)
                fewer[i].lines = "";
            if (differs(t, fewer, count))
                for (size_t i = from; i < from + size && i + 1 < count; i++)
                    *(char *)(uintptr_t)turns[i].lines = '\0';
        }
    for (size_t size = 4; size > 0; size /= 2)
        for (size_t i = 0; i < count; i++)
            for (size_t from = 0; now_ms() < until;) {
                struct turn fewer[EPISODE_TURNS];
                char *lines = without_lines(turns[i].lines, from, size);

                if (lines == NULL)
                    break;
                memcpy(fewer, turns, count * sizeof *turns);
                fewer[i].lines = lines;
                fewer[i].chunk = 0;
                if (differs(t, fewer, count)) {
                    strcpy((char *)(uintptr_t)turns[i].lines, lines);
                    turns[i].chunk = 0;
                } else {
                    from += size;
                }
                free(lines);
            }
}

static void
print_conversation(const struct turn *turns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *lines = turns[i].lines;

        if (lines[0] == '\0')
            continue;
        fprintf(stderr, "    { %u, %u,", turns[i].client, turns[i].chunk);
        for (; *lines != '\0'; lines += strcspn(lines, "\n") + 1)
            fprintf(stderr, " \"%.*s\\n\"", (int)strcspn(lines, "\n"), lines);
        fprintf(stderr, " },\n");
    }
}

static void
report(struct talk *t, uint64_t seed, unsigned episode, struct turn *turns, size_t count)
{
    fprintf(stderr, "\n    seed %llu, episode %u, turn %zu: the answer differs from PostgreSQL's\n%s",
            (unsigned long long)seed, episode, count, talk_difference(t));
    if (differs(t, turns, count)) {
        shrink(t, turns, count);
        fprintf(stderr, "    shrunk to\n");
        print_conversation(turns, count);
        if (differs(t, turns, count))
            fprintf(stderr, "%s", talk_difference(t));
    } else {
        fprintf(stderr, "    it does not happen again; that was\n");
        print_conversation(turns, count);
    }
}

/* --- runs --- */

static unsigned
number_from_env(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* One conversation from its beginning; false when the sides differed. */
static bool
run_episode(struct talk *t, uint64_t seed, unsigned episode, bool is_about_sessions)
{
    struct author *a = author_new(seed * UINT64_C(0x9e3779b97f4a7c15) + episode + 1, is_about_sessions);
    struct turn turns[EPISODE_TURNS];
    size_t count = 0;
    bool same = true;

    talk_begin(t);
    while (same && !talk_is_apart(t) && count < EPISODE_TURNS) {
        turns[count] = author_turn(a);
        same = talk_turn(t, &turns[count++]);
    }
    if (!same)
        report(t, seed, episode, turns, count);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)turns[i].lines);
    author_free(a);
    return same;
}

static void
run_seed(const char *settings, uint64_t seed, unsigned turns, bool is_about_sessions)
{
    struct talk *t = talk_new(weir(settings));
    unsigned episodes = (number_from_env("PGWEIR_TEST_TURNS", WORK(turns)) + EPISODE_TURNS - 1) /
                        EPISODE_TURNS;
    unsigned different = 0;

    printf("(seed %llu) ", (unsigned long long)seed);
    for (unsigned i = number_from_env("PGWEIR_TEST_EPISODE", 0); i < episodes && different < 3; i++)
        different += !run_episode(t, seed, i, is_about_sessions);
    CU_ASSERT_EQUAL(different, 0);
    talk_free(t);
}

/* --- what once differed --- */

static void
converse(const char *settings, const struct turn *turns, size_t count)
{
    struct talk *t = talk_new(weir(settings));
    bool same = !differs(t, turns, count);

    if (!same) {
        print_conversation(turns, count);
        fprintf(stderr, "%s", talk_difference(t));
    }
    CU_ASSERT(same);
    CU_ASSERT_FALSE(talk_is_apart(t));
    talk_free(t);
}
#define CONVERSE(settings, ...)                              \
    do {                                                     \
        static const struct turn turns_[] = { __VA_ARGS__ }; \
        converse(settings, turns_, COUNT_OF(turns_));        \
    } while (0)

static void
an_error_tells_the_name_that_the_client_gave(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select $1::int\nB - s1 - - -\n" },
             { 0, 0, "B - s1 - 1|2 -\nS\nB p1 s1 - - -\nS\nC S s1\n" });
}

static void
settings_are_reset_ahead_of_a_message_that_is_rewritten(void)
{
    CONVERSE(many_statements, { 3, 0, "Q discard plans\n" }, { 0, 0, "B p1 unknown - - 1\n" },
             { 1, 0, "P - - select 1\n" }, { 2, 0, "Q discard plans\n" }, { 1, 0, "B - - - - -\nE - 0\n" });
}

static void
names_are_told_apart_by_63_bytes(void)
{
    CONVERSE(many_statements,
             { 0, 0, "P n*70 - select $1::int\nS\nP n*63 - select 2\nS\nP n*62 - select 3\n" },
             { 0, 0, "B - n*64 - - -\nS\nB - n*64 - 1 -\nE - 0\nS\nB - n*62 - - -\nE - 0\n" });
}

static void
what_executes_a_deallocate_all_takes_all_names_away(void)
{
    CONVERSE(many_statements, { 2, 0, "P s1 - deallocate all\nP s2 - select 1\nS\n" },
             { 2, 0, "Q execute s1\nP s2 - select 2\nB - s2 - - -\nE - 0\nS\n" },
             { 2, 0, "P s1 - deallocate all\nP s3 - execute s1\nS\nB - s3 - - -\nE - 0\nS\n" },
             { 2, 0, "P s2 - select 3\nB - s2 - - -\nE - 0\nS\n" });
}

static void
names_in_sql_are_heard_of_in_a_failed_transaction(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 1\nS\nQ begin; select 1 / 0\n" },
             { 1, 0, "Q discard all\n" }, { 0, 0, "C S -\nQ execute s1\n" },
             { 0, 0, "C S -\nQ deallocate s1\nS\n" }, { 0, 0, "Q rollback; execute s1\n" });
}

static void
copy_in_is_ended_by_what_has_stayed_here(void)
{
    CONVERSE(
        many_statements,
        { 0, 0,
          "P s3 - copy w (owner, v) from stdin\nB - s3 - - -\nE - 0\nC S nobody\nQ deallocate s2\nS\n" });
}

static void
a_parse_in_a_failed_transaction_fails(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'a'\n" }, { 0, 0, "C S s1\nQ begin; select 1 / 0\n" },
             { 0, 0, "P s1 - select 'a'\n" }, { 0, 0, "Q rollback\nQ begin\nQ selec\nP s1 - select 'a'\n" });
}

static void
what_an_error_has_skipped_is_not_believed_behind_the_sync(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'b'\nP s2 - select 'c'\n" }, { 1, 0, "Q begin\n" },
             /* the same servers, other hands: what s1 is must be parsed again, but not by what is skipped */
             { 0, 0, "Q deallocate all\n" }, { 0, 0, "P s1 - select 'b'\nS\n" }, { 2, 0, "Q begin\n" },
             { 0, 0,
               "B - no - - -\nB - s1 - - -\nP s3 - select 'd'\nC S s1\nS\n"
               "B - s1 - - -\nE - 0\nS\nB - s3 - - -\nE - 0\nS\nP s3 - select 'e'\nD S s3\n" },
             { 0, 0, "P s4 - selec\nS\nP s4 - select 'f'\nB - s4 - - -\nE - 0\n" });
}

static void
the_unnamed_statement_survives_what_is_skipped(void)
{
    CONVERSE(many_statements, { 0, 0, "P - - select 'mine'\n" }, { 1, 0, "P - - select 'not yours'\n" },
             { 0, 0, "B - no - - -\nQ select 1\nP - - select 'skipped'\nC S -\nS\nB - - - - -\nE - 0\n" },
             { 0, 0, "B - no - - -\nP - - select 'skipped'\nS\nP - - select 'new'\nS\nB - - - - -\nE - 0\n" },
             { 0, 0, "B - - - - -\nE - 0\n" }, { 0, 0, "P - 23!2 select 1\nS\nB - - - - -\nE - 0\n" });
}

static void
deallocate_all_is_heard_by_what_follows_it_in_the_pipeline(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'g'\nP s2 - deallocate all\n" },
             { 0, 50,
               "Q select 'something long enough to be cut into pieces'; deallocate all\n"
               "P s1 - select 'h'\nB - s1 - - -\nE - 0\nS\nB - s2 - - -\n" },
             { 0, 0, "P s2 - deallocate all\nP s3 - select 'g'\n" }, { 1, 0, "Q begin\n" },
             { 0, 0, "B - s2 - - -\nE - 0\nB - s3 - - -\nE - 0\n" }, { 0, 0, "P s1 - select 'g'\n" },
             { 0, 0, "Q discard all\nP s1 - select 'i'\nD S s1\nB - s1 - - -\nE - 0\n" });
}

static void
eviction_does_not_lose_what_was_skipped(void)
{
    CONVERSE(few_statements, { 0, 0, "P s1 - select 1\nP s2 - select 2\nP s3 - select 3\nP s4 - select 4\n" },
             { 0, 0,
               "B - no - - -\nP s5 - select 5\nC S s5\nP s5 - select 5\nP s6 - select 6\nS\n"
               "B - s1 - - -\nE - 0\nB - s5 - - -\n" },
             { 0, 0, "P s5 - select 5\nP s6 - select 6\nB - s1 - - -\nE - 0\nB - s2 - - -\nE - 0\n" });
}

static void
copy_that_fails_leaves_later_syncs_alone(void)
{
    CONVERSE(many_statements, { 0, 0, "P - - copy w (owner, v) from stdin\n" },
             { 0, 0,
               "B - - - - -\nE - 0\nS\nd no row\nc\nQ select 1\nS\nQ copy w (owner, v) from stdin\n"
               "d 1\tx\nc\nS\nS\nP - - select 1\nS\n" },
             { 0, 0, "Q copy w (owner, v) from stdin\nd no row\nQ copy w (owner, v) from stdin\nc\nS\nS\n" });
}

static void
nothing_waits_for_an_answer_that_copy_holds_back(void)
{
    CONVERSE(
        many_statements, { 0, 0, "P s1 - deallocate all\nP s2 - select 1\n" },
        { 0, 0,
          "Q begin\nB p1 s1 - - -\nP - - copy w (owner, v) from stdin\nB - - - - -\nE - 0\nP s3 - select 1\n" },
        { 0, 0, "Q select 2\n" });
}

/* --- chance --- */

static void
few_statements_fit_on_a_server(void)
{
    run_seed(few_statements, number_from_env("PGWEIR_TEST_SEED", 1), TURNS, false);
}

static void
many_statements_fit_on_a_server(void)
{
    run_seed(many_statements, number_from_env("PGWEIR_TEST_SEED", 2), TURNS, false);
}

static void
sessions_are_what_they_are_directly(void)
{
    run_seed(many_statements, number_from_env("PGWEIR_TEST_SEED", 3), SESSION_TURNS, true);
}

void
suite_differential(void)
{
    static const struct test_case cases[] = {
        TEST(an_error_tells_the_name_that_the_client_gave),
        TEST(settings_are_reset_ahead_of_a_message_that_is_rewritten),
        TEST(names_are_told_apart_by_63_bytes),
        TEST(what_executes_a_deallocate_all_takes_all_names_away),
        TEST(names_in_sql_are_heard_of_in_a_failed_transaction),
        TEST(copy_in_is_ended_by_what_has_stayed_here),
        TEST(a_parse_in_a_failed_transaction_fails),
        TEST(what_an_error_has_skipped_is_not_believed_behind_the_sync),
        TEST(the_unnamed_statement_survives_what_is_skipped),
        TEST(deallocate_all_is_heard_by_what_follows_it_in_the_pipeline),
        TEST(eviction_does_not_lose_what_was_skipped),
        TEST(copy_that_fails_leaves_later_syncs_alone),
        TEST(nothing_waits_for_an_answer_that_copy_holds_back),
        TEST(few_statements_fit_on_a_server),
        TEST(many_statements_fit_on_a_server),
        TEST(sessions_are_what_they_are_directly),
    };

    SUITE("differential", cases);
}
