/*
 * test_ledger.c - what a server owes: by conversations. By chance: test_ledger_by_chance.c.
 *
 * A conversation is written as words:
 *
 *     P B D E C S Q F c    a frontend message of this type is sent (c: CopyDone or CopyFail), its answer is
 *                          the client's
 *     ~P                   the same, its answer is to be swallowed
 *     ^P                   the same, its answer is to be swallowed unless it is an error
 *     +P                   it is not sent, its answer is to be made up
 *     >1  <1  !1           a backend message of this type comes: forwarded, swallowed, not expected
 *     =P                   the made-up answer to P is due now
 *     gone                 ledger_swallow_all()
 *     quiet owing open     what must be true now: nothing owed and nothing half-done; something owed; nothing
 *                          owed, but a Sync is needed
 *     copying doubtful     the client's COPY data is wanted; a ReadyForQuery may come that is not owed
 *
 * Every made-up answer that is due must be named: after each word ledger_take_synthetic() is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "ledger_letters.h"
#include "pgweir/base/mem.h"

void suite_ledger(void);

/* --- conversations --- */

static bool
state_is(const struct ledger *l, const char *word)
{
    if (strcmp(word, "quiet") == 0)
        return ledger_is_quiet(l) && ledger_is_empty(l) && !ledger_needs_sync(l) && !l->is_copy_in_open &&
               !l->is_in_doubt;
    if (strcmp(word, "owing") == 0)
        return !ledger_is_empty(l) && !ledger_is_quiet(l);
    if (strcmp(word, "open") == 0)
        return ledger_is_empty(l) && ledger_needs_sync(l) && !ledger_is_quiet(l);
    if (strcmp(word, "doubtful") == 0)
        return l->is_in_doubt;
    return strcmp(word, "copying") == 0 && l->is_copy_in_open;
}

/* As relay.c does it. */
static bool
made_up_is(struct ledger *l, const char *word)
{
    struct owed made_up;

    return ledger_take_synthetic(l, &made_up) && made_up.kind == owed_kinds[(uint8_t)word[1]];
}

/* Does what WORD says; whether the ledger agrees. */
static bool
play_word(struct ledger *l, const char *word)
{
    uint8_t type = (uint8_t)word[1];

    if (strcmp(word, "gone") == 0) {
        ledger_swallow_all(l);
        return true;
    }
    if (strlen(word) > 2)
        return state_is(l, word);
    switch (word[0]) {
    case '>':
        return settle(l, word[1]) == LEDGER_FORWARD;
    case '<':
        return settle(l, word[1]) == LEDGER_SWALLOW;
    case '!':
        return settle(l, word[1]) == LEDGER_UNEXPECTED;
    case '=':
        return made_up_is(l, word);
    case '~':
        ledger_push(l, (enum owed_kind)owed_kinds[type], OWED_SWALLOW);
        return true;
    case '^':
        ledger_push(l, (enum owed_kind)owed_kinds[type], OWED_HIDE);
        return true;
    case '+':
        ledger_push(l, (enum owed_kind)owed_kinds[type], OWED_SYNTHESISE);
        return true;
    default:
        ledger_push(l, (enum owed_kind)owed_kinds[(uint8_t)word[0]], OWED_FORWARD);
        return true;
    }
}

static bool
plays(const char *conversation)
{
    char *words = mem_text(conversation);
    char *at = words;
    struct ledger l;
    struct owed made_up;
    bool good = true;

    ledger_init(&l);
    for (char *word = strtok_r(words, " ", &at); good && word != NULL; word = strtok_r(NULL, " ", &at)) {
        good = play_word(&l, word);
        if (good && at[strspn(at, " ")] != '=' && ledger_take_synthetic(&l, &made_up))
            good = false;
        if (!good)
            fprintf(stderr, "\n    at \"%s\" (word %td) of: %s\n", word, word - words, conversation);
    }
    ledger_fini(&l);
    free(words);
    return good;
}
#define PLAYS(conversation) CU_ASSERT_TRUE(plays(conversation))

static void
a_fresh_ledger_is_quiet_and_expects_nothing(void)
{
    PLAYS("quiet");
    for (unsigned type = 0; type < 256; type++) {
        struct ledger l;

        ledger_init(&l);
        CU_ASSERT_EQUAL(settle(&l, (char)type), LEDGER_UNEXPECTED);
        ledger_fini(&l);
    }
}

static void
a_query_is_owed_until_it_is_ready(void)
{
    PLAYS("Q owing >T >D >D >C owing >Z quiet");
    PLAYS("Q >I >Z quiet");
    PLAYS("Q >E >Z quiet");
    PLAYS("Q >T >D >E >Z quiet !Z");
    PLAYS("Q >T >D >C >T >D >C >I >C >E >Z quiet");
    PLAYS("Q >T >s >Z");
    PLAYS("Q >H >d >d >c >C >T >D >C >Z quiet");
    PLAYS("Q Q Q >C >Z owing >E >Z owing >I >Z quiet");
}

static void
each_message_of_the_extended_protocol_has_its_answer(void)
{
    PLAYS("P B D E S >1 >2 >T >D >D >C owing >Z quiet");
    PLAYS("P D S >1 >t >T >Z quiet");
    PLAYS("P D S >1 >t >n >Z quiet");
    PLAYS("B E S >2 >s >Z quiet");
    PLAYS("B E S >2 >I >Z quiet");
    PLAYS("C C S >3 >3 >Z quiet");
    PLAYS("E S >H >d >d >c >C >Z quiet");
    PLAYS("S >Z quiet");
    PLAYS("F >V >Z quiet");
    PLAYS("F >E >Z quiet");
}

static void
what_is_not_the_answer_of_the_head_is_unexpected(void)
{
    static const struct {
        const char *sent;
        const char *wrong; /* backend types */
    } rows[] = {
        { "P", "23TtnDCIsGHZVdcRKv?" },
        { "B", "13TtnDCIsGHZVdc" },
        { "D", "123DCIsGHZVdc" },
        { "E", "123tZ" },
        { "C", "12TtnDCIsGHZVdc" },
        { "S", "123TtnDCIsGHVdc" },
        { "Q", "123tRKv?" },
        { "F", "123TtnCIsGH" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (const char *type = rows[i].wrong; *type != '\0'; type++) {
            char conversation[] = "P !2 owing";

            conversation[0] = rows[i].sent[0];
            conversation[3] = *type;
            PLAYS(conversation);
        }
}

static void
a_describe_is_answered_by_two_messages_or_by_one(void)
{
    PLAYS("D D S >t >n >T >Z quiet");
    PLAYS("D D S >T >t >T >Z quiet");
}

static void
a_sync_or_a_query_without_answer_yet_closes_the_extended_protocol(void)
{
    PLAYS("P >1 open");
    PLAYS("P B E >1 >2 >C open S owing >Z quiet");
    PLAYS("P >1 open Q >C >Z quiet");
    PLAYS("P >1 open F >V >Z quiet");
    PLAYS("P S B >1 >Z >2 open S >Z quiet");
    PLAYS("S B >Z >2 open");
}

static void
an_error_skips_to_the_sync_behind_it(void)
{
    PLAYS("P B D E S >E owing >Z quiet");
    PLAYS("P B D E S >1 >E >Z quiet");
    PLAYS("P B D E S >1 >2 >T >D >E >Z quiet");
    PLAYS("P B E P B E S P B E S >1 >2 >C >E >Z >1 >2 >C >Z quiet");
    PLAYS("D S >t >E >Z quiet");
    PLAYS("P S S >E >Z >Z quiet");
}

static void
what_is_skipped_need_not_be_of_the_extended_protocol(void)
{
    PLAYS("P Q F C S >E >Z quiet");
    PLAYS("P Q S Q >E >Z >T >D >C >Z quiet");
}

static void
after_an_error_without_a_sync_the_next_one_is_waited_for(void)
{
    PLAYS("P >E open S owing >Z quiet");
    PLAYS("P B E >E open P B open E open S >Z quiet");
    PLAYS("P >E Q open F open c open S P >Z >1 open S >Z quiet");
    PLAYS("P >E S S >Z >Z quiet");
}

static void
an_error_of_query_function_or_sync_skips_nothing(void)
{
    PLAYS("Q P B S >E >Z >1 >2 >Z quiet");
    PLAYS("F P S >E >Z >1 >Z quiet");
    PLAYS("P B E S P S >1 >2 >C >E >Z >1 >Z quiet"); /* a deferred constraint fails at the commit */
}

static void
a_copy_takes_data_until_its_end_was_sent(void)
{
    PLAYS("Q >G copying c >C >Z quiet");
    PLAYS("Q c >G owing >C >Z quiet");
    PLAYS("Q >G copying c >E >Z quiet");
    PLAYS("Q >G copying >E c >Z quiet"); /* failed before its end was sent */
    PLAYS("P B E S >1 >2 >G copying c S >C >Z quiet");
    PLAYS("P B E c S >1 >2 >G owing >C >Z quiet");
}

static void
a_sync_in_front_of_the_end_of_copy_is_ignored(void)
{
    PLAYS("P B E S >1 >2 >G copying S S c S >C >Z quiet");
    PLAYS("P B E S c S >1 >2 >G >C >Z quiet");
    PLAYS("P B E S S S c S S >1 >2 >G >C >Z >Z quiet");
    PLAYS("E S >G copying c >C open S >Z quiet");
    PLAYS("Q S c S >G >C >Z >Z quiet");
    PLAYS("Q >G S copying c S >C >Z >Z quiet");
}

static void
a_sync_behind_the_end_of_copy_is_answered(void)
{
    PLAYS("E c S S >G >C >Z >Z quiet");
    PLAYS("E c S E c S >G >C >Z >G >C >Z quiet");
}

static void
an_end_of_copy_that_ends_nothing_is_ignored(void)
{
    PLAYS("c quiet");
    PLAYS("c S c >Z quiet");
    PLAYS("Q c S >C >Z >Z quiet");
    PLAYS("Q c c c Q >E >Z >C >Z quiet");
    PLAYS("P c B c E S >1 >2 >C >Z quiet");
    PLAYS("P B E S c S >1 >E >Z >Z quiet"); /* COPY was never begun: both Syncs count */
    PLAYS("S c Q >Z >C >Z quiet");
}

static void
a_failed_copy_of_the_extended_protocol_skips_to_the_sync(void)
{
    PLAYS("P B E >1 >2 >G copying c >E open S >Z quiet");
    PLAYS("P B E >1 >2 >G copying c S >E >Z quiet");
    PLAYS("E c P B E S >G >E >Z quiet");
    PLAYS("E >G copying >E open c open S >Z quiet");
}

static void
a_failed_copy_leaves_a_sync_in_front_of_its_end_in_doubt(void)
{
    PLAYS(
        "E S >G >E open doubtful >Z doubtful"); /* it failed before it read anything, and then came to the Sync */
    PLAYS("E S >G >E c S >Z doubtful >Z doubtful");
    PLAYS("E S c S >G >E >Z doubtful >Z doubtful");
    PLAYS("E S >G S c S >E >Z >Z doubtful >Z doubtful");
    PLAYS("E S >G c S >E >Z doubtful");        /* it read the Sync and then failed: the usual case */
    PLAYS("E S c P B S >G >E >Z doubtful !1"); /* what stood behind it was not skipped; the server must go */
    PLAYS("Q >G S c S >E >Z >Z doubtful >Z doubtful");
    PLAYS("E S >G copying gone ~c ~S <E <Z doubtful");
    PLAYS("E S gone <G copying ~c ~S <E <Z doubtful");
    PLAYS("E S >G c >C S >Z quiet"); /* it went well, so the Sync was ignored */
    PLAYS("E c S >G >E >Z quiet");   /* no doubt about one behind the end */
}

static void
one_query_copies_several_times(void)
{
    PLAYS("Q >G copying c >C >G copying c >C >Z quiet");
    PLAYS("Q c c >G >C >G >C >Z quiet");
    PLAYS("Q c >G >C >G copying c >C >T >D >C >Z quiet");
    PLAYS("Q c c Q c >G >C >G >E >Z >G >C >Z quiet");
    PLAYS("Q c c Q >G >E >Z >C >Z quiet"); /* the second was never begun: its CopyDone is ignored */
    PLAYS("Q c c S Q c S >G >E >Z >Z >G >C >Z >Z quiet");
}

static void
a_swallowed_answer_is_swallowed_whole(void)
{
    PLAYS("~Q <C <Z quiet");
    PLAYS("~Q Q <T <D <E <Z >T >D >C >Z quiet");
    PLAYS("~P B E S <1 >2 >C >Z quiet");
    PLAYS("~C ~P B E S <3 <1 >2 >C >Z quiet");
    PLAYS("~P B E S <E >Z quiet"); /* whose error it is, the caller must know */
    PLAYS("~D S <t <n >Z quiet");
}

static void
a_hidden_answer_is_swallowed_unless_it_is_an_error(void)
{
    PLAYS("^P B E S <1 >2 >C >Z quiet");
    PLAYS("^C ^P B E S <3 <1 >2 >C >Z quiet");
    PLAYS("^P B E S >E >Z quiet");
    PLAYS("^P ^C B S <1 >E >Z quiet");
    PLAYS("^P B S gone <E <Z quiet");
}

static bool
pays(struct ledger *l, char type, uint8_t kind)
{
    struct owed paid;

    return ledger_settle(l, back_kind_of((uint8_t)type), &paid) == LEDGER_FORWARD && paid.kind == kind;
}

static void
it_says_which_entry_a_message_has_paid(void)
{
    static const char sent[] = "PDEQS";
    struct ledger l;

    ledger_init(&l);
    for (size_t i = 0; i < sizeof sent - 1; i++)
        ledger_push(&l, (enum owed_kind)owed_kinds[(uint8_t)sent[i]], OWED_FORWARD)->effect = (uint8_t)(i +
                                                                                                        1);
    CU_ASSERT_TRUE(pays(&l, '1', OWED_PARSE));
    CU_ASSERT_TRUE(pays(&l, 't', OWED_NOTHING));
    CU_ASSERT_TRUE(pays(&l, 'T', OWED_DESCRIBE));
    CU_ASSERT_TRUE(pays(&l, 'D', OWED_NOTHING));
    CU_ASSERT_TRUE(pays(&l, 'C', OWED_EXECUTE));
    CU_ASSERT_EQUAL(ledger_head(&l)->effect, 4);
    CU_ASSERT_TRUE(pays(&l, 'C', OWED_NOTHING));
    CU_ASSERT_TRUE(pays(&l, 'E', OWED_NOTHING));
    CU_ASSERT_TRUE(pays(&l, 'Z', OWED_QUERY));
    CU_ASSERT_TRUE(pays(&l, 'Z', OWED_SYNC));
    ledger_fini(&l);
}

/* The effects of what an error has made void are undone like a stack: the newest first, the failed message
 * last. */
static void
it_hands_out_what_an_error_has_made_void(void)
{
    static const char sent[] = "PBEcC"; /* 1 to 5; the second fails */
    static const uint8_t undone[] = { 5, 4, 3, 2 };
    struct ledger l;
    struct owed owed;
    bool failed;

    ledger_init(&l);
    for (size_t i = 0; i < sizeof sent - 1; i++)
        ledger_push(&l, (enum owed_kind)owed_kinds[(uint8_t)sent[i]], i == 4 ? OWED_SYNTHESISE : OWED_FORWARD)
            ->effect = (uint8_t)(i + 1);
    ledger_push(&l, OWED_SYNC, OWED_FORWARD);
    CU_ASSERT_EQUAL(ledger_settle(&l, BACK_PARSE_COMPLETE, &owed), LEDGER_FORWARD);
    CU_ASSERT_FALSE(ledger_take_skipped(&l, &owed, &failed));
    CU_ASSERT_EQUAL(ledger_settle(&l, BACK_ERROR, &owed), LEDGER_FORWARD);
    CU_ASSERT_EQUAL(owed.kind, OWED_NOTHING);
    for (size_t i = 0; i < COUNT_OF(undone); i++) {
        CU_ASSERT_TRUE_FATAL(ledger_take_skipped(&l, &owed, &failed));
        CU_ASSERT_EQUAL(owed.effect, undone[i]);
        CU_ASSERT_EQUAL(failed, i + 1 == COUNT_OF(undone));
    }
    CU_ASSERT_FALSE(ledger_take_skipped(&l, &owed, &failed));
    CU_ASSERT_EQUAL(ledger_settle(&l, BACK_READY, &owed), LEDGER_FORWARD);
    CU_ASSERT_TRUE(ledger_is_quiet(&l));
    ledger_fini(&l);
}

static void
an_error_of_a_query_makes_nothing_void(void)
{
    struct ledger l;
    struct owed owed;
    bool failed;

    ledger_init(&l);
    ledger_push(&l, OWED_QUERY, OWED_FORWARD);
    ledger_push(&l, OWED_PARSE, OWED_FORWARD);
    CU_ASSERT_EQUAL(ledger_settle(&l, BACK_ERROR, &owed), LEDGER_FORWARD);
    CU_ASSERT_FALSE(ledger_take_skipped(&l, &owed, &failed));
    CU_ASSERT_EQUAL(l.count, 2);
    ledger_fini(&l);
}

static void
what_will_not_be_answered_has_no_entry(void)
{
    struct ledger l;

    ledger_init(&l);
    CU_ASSERT_PTR_NULL(ledger_push(&l, OWED_COPY_END, OWED_FORWARD));
    CU_ASSERT_PTR_NOT_NULL(ledger_push(&l, OWED_EXECUTE, OWED_FORWARD));
    (void)settle(&l, 'G');
    CU_ASSERT_PTR_NULL(ledger_push(&l, OWED_SYNC, OWED_FORWARD));
    (void)settle(&l, 'E');
    CU_ASSERT_PTR_NULL(ledger_push(&l, OWED_PARSE, OWED_SYNTHESISE));
    CU_ASSERT_PTR_NOT_NULL(ledger_push(&l, OWED_SYNC, OWED_FORWARD));
    ledger_fini(&l);
}

static void
a_made_up_answer_comes_in_its_turn(void)
{
    PLAYS("+P =P open S >Z quiet");
    PLAYS("+P =P B E S >2 >C >Z quiet");
    PLAYS("P +P B +C S >1 =P >2 =C >Z quiet");
    PLAYS("P +P +P +C S >1 =P =P =C >Z quiet");
    PLAYS("Q +P S >C >Z =P >Z quiet");
    PLAYS("Q +S +Q Q >C >Z =S =Q >C >Z quiet");
    PLAYS("Q c +P >G >C >Z =P open");
    PLAYS("~P +P B S <1 =P >2 >Z quiet");
}

static void
a_made_up_answer_is_not_given_where_postgresql_would_skip(void)
{
    PLAYS("P +P B S >E >Z quiet");
    PLAYS("P +P S +P S >E >Z =P >Z quiet");
    PLAYS("P >E +P +C open S >Z quiet");
    PLAYS("P >E S +P >Z =P open");
}

static void
the_server_cannot_pay_what_is_made_up(void)
{
    struct ledger l;

    ledger_init(&l);
    ledger_push(&l, OWED_PARSE, OWED_SYNTHESISE);
    CU_ASSERT_EQUAL(settle(&l, '1'), LEDGER_UNEXPECTED);
    CU_ASSERT_EQUAL(settle(&l, 'E'), LEDGER_UNEXPECTED);
    ledger_fini(&l);
}

static void
nobody_gets_what_comes_for_a_client_that_is_gone(void)
{
    PLAYS("gone quiet");
    PLAYS("Q gone owing <T <D <C <Z quiet");
    PLAYS("P +P B E S +P gone <1 <2 <C <Z");
    PLAYS("Q +P +C S gone <C <Z <Z quiet");
    PLAYS("P B gone owing ~S <1 <2 <Z quiet");
    PLAYS("P B >E gone open ~S <Z quiet");
    PLAYS("Q >G copying gone ~c <E <Z quiet");
    PLAYS("E >G copying gone ~c ~S <E <Z quiet");
    PLAYS("E gone <G copying ~c ~S <E <Z quiet");
    PLAYS("Q c c gone <G <C <G <C <Z quiet");
}

static void
the_head_is_what_the_server_works_on(void)
{
    struct ledger l;

    ledger_init(&l);
    ledger_push(&l, OWED_QUERY, OWED_SWALLOW);
    ledger_push(&l, OWED_PARSE, OWED_FORWARD);
    CU_ASSERT_EQUAL(ledger_head(&l)->kind, OWED_QUERY);
    CU_ASSERT_EQUAL(ledger_head(&l)->action, OWED_SWALLOW);
    (void)settle(&l, 'Z');
    CU_ASSERT_EQUAL(ledger_head(&l)->kind, OWED_PARSE);
    CU_ASSERT_EQUAL(ledger_head(&l)->action, OWED_FORWARD);
    ledger_fini(&l);
}

/* --- size --- */

static void
it_grows_and_keeps_the_order(void)
{
    struct ledger l;
    bool in_order = true;

    ledger_init(&l);
    for (unsigned i = 0; i < 1000; i++)
        ledger_push(&l, i % 3 == 0 ? OWED_PARSE : OWED_BIND, i % 2 == 0 ? OWED_FORWARD : OWED_SWALLOW);
    CU_ASSERT_EQUAL(l.count, 1000);
    for (unsigned i = 0; i < 1000; i++)
        in_order = in_order &&
                   settle(&l, i % 3 == 0 ? '1' : '2') == (i % 2 == 0 ? LEDGER_FORWARD : LEDGER_SWALLOW);
    CU_ASSERT_TRUE(in_order);
    CU_ASSERT_TRUE(ledger_is_empty(&l));
    ledger_fini(&l);
}

static void
it_goes_round_without_growing(void)
{
    struct ledger l;
    bool in_order = true;
    uint32_t size;

    ledger_init(&l);
    ledger_push(&l, OWED_SYNC, OWED_FORWARD);
    (void)settle(&l, 'Z');
    size = l.size;
    l.first = UINT32_MAX - 100; /* as after four thousand million messages */
    for (unsigned i = 0; i < 1000; i++) {
        ledger_push(&l, OWED_PARSE, OWED_FORWARD);
        ledger_push(&l, OWED_CLOSE, OWED_SWALLOW);
        in_order = in_order && settle(&l, '1') == LEDGER_FORWARD && settle(&l, '3') == LEDGER_SWALLOW &&
                   ledger_is_empty(&l);
    }
    CU_ASSERT_TRUE(in_order);
    CU_ASSERT_EQUAL(l.size, size);
    ledger_fini(&l);
}

static void
it_grows_in_the_middle_of_a_round(void)
{
    for (unsigned turned = 0; turned < 20; turned++) {
        struct ledger l;
        bool in_order = true;

        ledger_init(&l);
        for (unsigned i = 0; i < turned; i++) {
            ledger_push(&l, OWED_SYNC, OWED_FORWARD);
            in_order = in_order && settle(&l, 'Z') == LEDGER_FORWARD;
        }
        for (unsigned i = 0; i < 100; i++)
            ledger_push(&l, i % 2 == 0 ? OWED_CLOSE : OWED_BIND, OWED_FORWARD);
        for (unsigned i = 0; i < 100; i++)
            in_order = in_order && settle(&l, i % 2 == 0 ? '3' : '2') == LEDGER_FORWARD;
        CU_ASSERT_TRUE(in_order && ledger_is_empty(&l));
        ledger_fini(&l);
    }
}

static void
it_is_full_when_it_has_its_most(void)
{
    struct ledger l;

    ledger_init(&l);
    for (unsigned i = 0; i < LEDGER_MOST; i++) {
        CU_ASSERT_FALSE_FATAL(ledger_is_full(&l));
        ledger_push(&l, OWED_SYNC, OWED_FORWARD);
    }
    CU_ASSERT_TRUE(ledger_is_full(&l));
    CU_ASSERT_EQUAL(settle(&l, 'Z'), LEDGER_FORWARD);
    CU_ASSERT_FALSE(ledger_is_full(&l));
    ledger_fini(&l);
}

void
suite_ledger(void)
{
    CU_pSuite suite = CU_add_suite("ledger", NULL, NULL);

    CU_ADD_TEST(suite, a_fresh_ledger_is_quiet_and_expects_nothing);
    CU_ADD_TEST(suite, a_query_is_owed_until_it_is_ready);
    CU_ADD_TEST(suite, each_message_of_the_extended_protocol_has_its_answer);
    CU_ADD_TEST(suite, what_is_not_the_answer_of_the_head_is_unexpected);
    CU_ADD_TEST(suite, a_describe_is_answered_by_two_messages_or_by_one);
    CU_ADD_TEST(suite, a_sync_or_a_query_without_answer_yet_closes_the_extended_protocol);
    CU_ADD_TEST(suite, an_error_skips_to_the_sync_behind_it);
    CU_ADD_TEST(suite, what_is_skipped_need_not_be_of_the_extended_protocol);
    CU_ADD_TEST(suite, after_an_error_without_a_sync_the_next_one_is_waited_for);
    CU_ADD_TEST(suite, an_error_of_query_function_or_sync_skips_nothing);
    CU_ADD_TEST(suite, a_copy_takes_data_until_its_end_was_sent);
    CU_ADD_TEST(suite, a_sync_in_front_of_the_end_of_copy_is_ignored);
    CU_ADD_TEST(suite, a_sync_behind_the_end_of_copy_is_answered);
    CU_ADD_TEST(suite, an_end_of_copy_that_ends_nothing_is_ignored);
    CU_ADD_TEST(suite, a_failed_copy_of_the_extended_protocol_skips_to_the_sync);
    CU_ADD_TEST(suite, a_failed_copy_leaves_a_sync_in_front_of_its_end_in_doubt);
    CU_ADD_TEST(suite, one_query_copies_several_times);
    CU_ADD_TEST(suite, a_swallowed_answer_is_swallowed_whole);
    CU_ADD_TEST(suite, a_hidden_answer_is_swallowed_unless_it_is_an_error);
    CU_ADD_TEST(suite, it_says_which_entry_a_message_has_paid);
    CU_ADD_TEST(suite, it_hands_out_what_an_error_has_made_void);
    CU_ADD_TEST(suite, an_error_of_a_query_makes_nothing_void);
    CU_ADD_TEST(suite, what_will_not_be_answered_has_no_entry);
    CU_ADD_TEST(suite, a_made_up_answer_comes_in_its_turn);
    CU_ADD_TEST(suite, a_made_up_answer_is_not_given_where_postgresql_would_skip);
    CU_ADD_TEST(suite, the_server_cannot_pay_what_is_made_up);
    CU_ADD_TEST(suite, nobody_gets_what_comes_for_a_client_that_is_gone);
    CU_ADD_TEST(suite, the_head_is_what_the_server_works_on);
    CU_ADD_TEST(suite, it_grows_and_keeps_the_order);
    CU_ADD_TEST(suite, it_goes_round_without_growing);
    CU_ADD_TEST(suite, it_grows_in_the_middle_of_a_round);
    CU_ADD_TEST(suite, it_is_full_when_it_has_its_most);
}
