/*
 * test_ledger.c - what a server owes: by conversations, and by chance against a small model of PostgreSQL's own loop.
 *
 * A conversation is written as words:
 *
 *     P B D E C S Q F c    a frontend message of this type is sent, its answer is the client's (c: CopyDone or CopyFail)
 *     ~P                   the same, its answer is to be swallowed
 *     ^P                   the same, its answer is to be swallowed unless it is an error
 *     +P                   it is not sent, its answer is to be made up
 *     >1  <1  !1           a backend message of this type comes: forwarded, swallowed, not expected
 *     =P                   the made-up answer to P is due now
 *     gone                 ledger_swallow_all()
 *     quiet owing open     what must be true now: nothing owed and nothing half-done; something owed; nothing owed, but a Sync is needed
 *     copying doubtful     the client's COPY data is wanted; a ReadyForQuery may come that is not owed
 *
 * Every made-up answer that is due must be named: after each word ledger_take_synthetic() is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/session/ledger.h"

void suite_ledger(void);

/* --- conversations --- */

static const uint8_t owed_kinds[256] = {
    ['P'] = OWED_PARSE, ['B'] = OWED_BIND,  ['D'] = OWED_DESCRIBE, ['E'] = OWED_EXECUTE,  ['C'] = OWED_CLOSE,
    ['S'] = OWED_SYNC,  ['Q'] = OWED_QUERY, ['F'] = OWED_FUNCTION, ['c'] = OWED_COPY_END,
};

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
static enum ledger_verdict
settle(struct ledger *l, char type)
{
    enum back_kind kind = back_kind_of((uint8_t)type);
    struct owed owed;
    bool failed;
    enum ledger_verdict verdict = ledger_settle(l, kind, &owed);

    while (kind == BACK_ERROR && ledger_take_skipped(l, &owed, &failed))
        ;
    return verdict;
}

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

/* The effects of what an error has made void are undone like a stack: the newest first, the failed message last. */
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

/* --- by chance, against PostgreSQL's own loop ---
 *
 * Three walkers over one list of messages: the sender enters them in the ledger, the backend works them off as postgres.c does and
 * writes replies, the reader settles the replies. Chance says who takes the next step. What the client reads in the end must be what it would
 * have read from a server that got all messages, those whose answer was made up included.
 */

#define MOST_MESSAGES 400
#define MOST_REPLIES 4000
#define MOST_PARTS 4

enum part { /* of what an Execute or a Query does */
            PART_ROWS,
            PART_EMPTY,
            PART_SUSPENDED,
            PART_COPY_OUT,
            PART_COPY_IN,
            PART_COPY_IN_FAILS_AT_THE_END,
            PART_COPY_IN_FAILS_AT_ONCE, /* before it reads any data */
            PART_FAILS,
};

struct message {
    char
        type; /* d: good CopyData, x: bad CopyData, c: CopyDone, f: CopyFail, H: Flush; else as in conversations */
    enum owed_action action;
    bool is_bad; /* fails */
    enum part parts[MOST_PARTS];
    unsigned part_count;
};

struct reply {
    char type;
    enum owed_action action; /* FORWARD or SWALLOW */
};

struct backend {
    bool is_skipping;             /* ignore_till_sync */
    const struct message *copies; /* whose COPY IN is open */
    unsigned part;                /* the one being worked on */
    bool is_implicit_open;        /* messages of the extended protocol since the last ReadyForQuery */
};

struct model {
    uint64_t random;
    struct message messages[MOST_MESSAGES];
    unsigned message_count, sent, worked;
    struct backend backend;
    struct reply replies[MOST_REPLIES];
    unsigned reply_count, read;
    struct ledger ledger;
    char got[MOST_REPLIES];    /* by the client */
    char wanted[MOST_REPLIES]; /* by the client */
    unsigned got_count, wanted_count;
    bool is_gone;
    bool is_wrong;
};

static bool
chance(struct model *m, unsigned percent)
{
    return random_between(&m->random, 1, 100) <= percent;
}

/* The list of messages. */

static struct message *
add_message(struct model *m, char type)
{
    struct message *message = &m->messages[m->message_count++];

    *message = (struct message){ .type = type, .action = OWED_FORWARD };
    return message;
}

static void
add_extended(struct model *m, char type)
{
    struct message *message = add_message(m, type);

    if (chance(m, 15))
        message->action = OWED_SYNTHESISE;
    else if (chance(m, 20))
        message->action = chance(m, 50) ? OWED_SWALLOW : OWED_HIDE;
    message->is_bad = message->action != OWED_SYNTHESISE && chance(m, 5);
}

/* The client's side of one COPY IN. */
static void
add_copy_data(struct model *m)
{
    for (unsigned n = (unsigned)random_between(&m->random, 0, 4); n > 0; n--) {
        if (chance(m, 20))
            add_message(m, 'S');
        add_message(m, chance(m, 10) ? 'x' : 'd');
        if (chance(m, 10))
            add_message(m, 'H');
    }
    if (chance(m, 20))
        add_message(m, 'S');
    add_message(m, chance(m, 80) ? 'c' : 'f');
}

static bool
copies_in(enum part part)
{
    return part == PART_COPY_IN || part == PART_COPY_IN_FAILS_AT_THE_END ||
           part == PART_COPY_IN_FAILS_AT_ONCE;
}

static void
add_work(struct model *m, char type, unsigned part_count)
{
    struct message *message = add_message(m, type);

    if (chance(m, 10))
        message->action = OWED_SWALLOW;
    message->part_count = part_count;
    for (unsigned i = 0; i < part_count; i++) {
        message->parts[i] = (enum part)random_between(&m->random, PART_ROWS, PART_FAILS);
        if (type == 'Q' && message->parts[i] == PART_SUSPENDED)
            message->parts[i] = PART_ROWS;
    }
    for (unsigned i = 0; i < part_count; i++)
        if (copies_in(message->parts[i]))
            add_copy_data(m);
}

static void
add_pipeline(struct model *m)
{
    for (unsigned n = (unsigned)random_between(&m->random, 0, 6); n > 0; n--) {
        static const char types[] = "PBDCEEHcd";
        char type = types[random_next(&m->random) % (sizeof types - 1)];

        if (type == 'E')
            add_work(m, 'E', 1);
        else if (strchr("Hcd", type) != NULL)
            add_message(m, type); /* idle talk */
        else
            add_extended(m, type);
    }
}

static void
add_unit(struct model *m)
{
    switch (random_between(&m->random, 0, 5)) {
    case 0:
        add_work(m, 'Q', (unsigned)random_between(&m->random, 1, MOST_PARTS));
        break;
    case 1:
        add_message(m, 'F')->is_bad = chance(m, 30);
        break;
    default:
        add_pipeline(m);
        add_message(m, 'S')->is_bad = chance(m, 5); /* a deferred constraint */
        break;
    }
}

/* The backend: PostgresMain() of src/backend/tcop/postgres.c and CopyGetData() of copyfromparse.c. */

static void
reply(struct model *m, const struct message *to, char type)
{
    enum owed_action action = to->action == OWED_HIDE ? (type == 'E' ? OWED_FORWARD : OWED_SWALLOW)
                                                      : to->action;

    m->replies[m->reply_count++] = (struct reply){ .type = type, .action = action };
    if (action == OWED_FORWARD && !m->is_gone)
        m->wanted[m->wanted_count++] = type;
}

static void
reply_all(struct model *m, const struct message *to, const char *types)
{
    for (; *types != '\0'; types++)
        reply(m, to, *types);
}

static void
end_in_ready(struct model *m, const struct message *to)
{
    reply(m, to, 'Z');
    m->backend.is_implicit_open = false;
}

static void
fail(struct model *m, const struct message *at)
{
    m->backend.copies = NULL;
    reply(m, at, 'E');
    if (strchr("QFS", at->type) != NULL)
        end_in_ready(m, at);
    else
        m->backend.is_skipping = true;
}

static void
work_on_parts(struct model *m, const struct message *message, unsigned from)
{
    static const char *const answers[] = {
        [PART_ROWS] = "DDC",
        [PART_EMPTY] = "I",
        [PART_SUSPENDED] = "Ds",
        [PART_COPY_OUT] = "HdcC",
        [PART_COPY_IN] = "G",
        [PART_COPY_IN_FAILS_AT_THE_END] = "G",
        [PART_COPY_IN_FAILS_AT_ONCE] = "G",
        [PART_FAILS] = "",
    };

    for (unsigned i = from; i < message->part_count; i++) {
        enum part part = message->parts[i];

        if (message->type == 'Q' && part == PART_ROWS)
            reply(m, message, 'T');
        reply_all(m, message, answers[part]);
        if (part == PART_FAILS || part == PART_COPY_IN_FAILS_AT_ONCE) {
            fail(m, message);
            return;
        }
        if (copies_in(part)) {
            m->backend.copies = message;
            m->backend.part = i;
            return;
        }
    }
    if (message->type == 'Q')
        end_in_ready(m, message);
}

static void
work_in_copy(struct model *m, const struct message *message)
{
    const struct message *copies = m->backend.copies;
    enum part part = copies->parts[m->backend.part];

    switch (message->type) {
    case 'x':
    case 'f':
        fail(m, copies);
        break;
    case 'c':
        if (part == PART_COPY_IN_FAILS_AT_THE_END) {
            fail(m, copies);
            break;
        }
        m->backend.copies = NULL;
        reply(m, copies, 'C');
        work_on_parts(m, copies, m->backend.part + 1);
        break;
    default: /* d, H, S; the list has nothing else here */
        break;
    }
}

static void
work_on_extended(struct model *m, const struct message *message)
{
    static const struct {
        char type;
        const char *answer;
    } rows[] = { { 'P', "1" }, { 'B', "2" }, { 'D', "tT" }, { 'C', "3" } };

    m->backend.is_implicit_open = true;
    if (message->action == OWED_SYNTHESISE) {
        m->wanted[m->wanted_count++] = (char)(message->type | 0x20);
        return;
    }
    if (message->is_bad) {
        fail(m, message);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].type == message->type)
            reply_all(m, message, rows[i].answer);
}

static void
work(struct model *m)
{
    const struct message *message = &m->messages[m->worked++];

    if (m->backend.copies != NULL) {
        work_in_copy(m, message);
        return;
    }
    if (message->type == 'S')
        m->backend.is_skipping = false;
    if (m->backend.is_skipping || strchr("dxcfH", message->type) != NULL)
        return;
    switch (message->type) {
    case 'S':
    case 'F':
        if (message->is_bad) {
            fail(m, message);
            break;
        }
        if (message->type == 'F')
            reply(m, message, 'V');
        end_in_ready(m, message);
        break;
    case 'Q':
    case 'E':
        m->backend.is_implicit_open = message->type == 'E';
        work_on_parts(m, message, 0);
        break;
    default:
        work_on_extended(m, message);
        break;
    }
}

/* The sender and the reader: as relay.c uses the ledger. */

static void
take_made_up(struct model *m)
{
    static const char letters[] = {
        [OWED_PARSE] = 'p', [OWED_BIND] = 'b', [OWED_DESCRIBE] = 'd', [OWED_CLOSE] = 'c'
    };
    struct owed owed;

    while (ledger_take_synthetic(&m->ledger, &owed))
        m->got[m->got_count++] = letters[owed.kind];
}

static void
send(struct model *m)
{
    const struct message *message = &m->messages[m->sent++];
    char type = message->type == 'f' ? 'c' : message->type;

    if (strchr("dxH", type) == NULL)
        ledger_push(&m->ledger, (enum owed_kind)owed_kinds[(uint8_t)type], message->action);
    take_made_up(m);
}

static void
read_reply(struct model *m)
{
    const struct reply *r = &m->replies[m->read++];
    bool is_clients = r->action == OWED_FORWARD && !m->is_gone;
    enum ledger_verdict verdict = settle(&m->ledger, r->type);

    if (verdict != (is_clients ? LEDGER_FORWARD : LEDGER_SWALLOW))
        m->is_wrong = true;
    if (verdict == LEDGER_FORWARD)
        m->got[m->got_count++] = r->type;
    take_made_up(m);
}

/* One step of somebody; false: nobody can take one. */
static bool
step(struct model *m)
{
    bool can_send = m->sent < m->message_count;
    bool can_work = m->worked < m->sent;
    bool can_read = m->read < m->reply_count;

    switch (random_next(&m->random) % 3) {
    case 0:
        if (can_send)
            send(m);
        break;
    case 1:
        if (can_work)
            work(m);
        break;
    default:
        if (can_read)
            read_reply(m);
        break;
    }
    return can_send || can_work || can_read;
}

static void
show(const struct model *m)
{
    static const char *const prefixes[] = {
        [OWED_FORWARD] = "", [OWED_SWALLOW] = "~", [OWED_HIDE] = "^", [OWED_SYNTHESISE] = "+"
    };

    fprintf(stderr, "\n    sent: ");
    for (unsigned i = 0; i < m->message_count; i++)
        fprintf(stderr, "%s%c%s ", prefixes[m->messages[i].action], m->messages[i].type,
                m->messages[i].is_bad ? "!" : "");
    fprintf(stderr, "\n    wanted: %.*s\n    got:    %.*s\n", (int)m->wanted_count, m->wanted,
            (int)m->got_count, m->got);
}

static bool
same_is_read(const struct model *m)
{
    return m->got_count == m->wanted_count && memcmp(m->got, m->wanted, m->got_count) == 0;
}

static struct model *
model_of(uint64_t seed)
{
    struct model *m = mem_new(sizeof *m);

    m->random = seed | 1;
    (void)random_next(&m->random);
    ledger_init(&m->ledger);
    for (unsigned n = (unsigned)random_between(&m->random, 1, 6); n > 0; n--)
        add_unit(m);
    return m;
}

static void
model_free(struct model *m)
{
    ledger_fini(&m->ledger);
    free(m);
}

#define FIRST_ROUNDS 20000u /* with these seeds every time */
#define FRESH_ROUNDS 5000u  /* with others each time */

static void
each_seed(bool (*agrees)(uint64_t seed))
{
    uint64_t fresh = (uint64_t)time(NULL) * 1000000;

    for (unsigned i = 0; i < FIRST_ROUNDS + FRESH_ROUNDS; i++) {
        uint64_t seed = i < FIRST_ROUNDS ? 1 + i * UINT64_C(0x9e3779b97f4a7c15) : fresh + i * 2;

        if (agrees(seed))
            continue;
        fprintf(stderr, "    seed %#llx\n", (unsigned long long)seed);
        CU_FAIL_FATAL("the ledger and the model do not agree");
    }
}

/* From the first doubt on the server is not reused, so what comes then concerns nobody but its client. */
static bool
agrees_to_the_end(uint64_t seed)
{
    struct model *m = model_of(seed);
    bool good;

    while (!m->is_wrong && !m->ledger.is_in_doubt && step(m))
        ;
    good = !m->is_wrong && (m->ledger.is_in_doubt || (same_is_read(m) && ledger_is_quiet(&m->ledger)));
    if (!good)
        show(m);
    model_free(m);
    return good;
}

static void
any_conversation_is_read_as_from_postgresql_itself(void)
{
    each_seed(agrees_to_the_end);
}

/* As server_orphan() does: the end of an open COPY, then what makes the server say that it is ready. */
static void
clean_up(struct model *m)
{
    if (m->ledger.is_copy_in_open)
        add_message(m, 'f')->action = OWED_SWALLOW;
    while (m->sent < m->message_count)
        send(m);
    if (ledger_needs_sync(&m->ledger)) {
        add_message(m, 'S')->action = OWED_SWALLOW;
        send(m);
    }
}

static bool
agrees_when_the_client_goes(uint64_t seed)
{
    struct model *m = model_of(seed);
    unsigned steps = (unsigned)random_between(&m->random, 0, 60);
    bool good;

    while (!m->is_wrong && !m->ledger.is_in_doubt && steps-- > 0 && step(m))
        ;
    m->is_gone = true;
    m->message_count = m->sent; /* the rest is never sent */
    ledger_swallow_all(&m->ledger);
    for (bool is_over = false; !m->is_wrong && !is_over && !m->ledger.is_in_doubt;) {
        clean_up(m); /* again and again: COPY may be opened by a reply that comes later */
        is_over = !step(m);
    }
    good = !m->is_wrong && (m->ledger.is_in_doubt || (ledger_is_quiet(&m->ledger) &&
                                                      m->backend.copies == NULL && !m->backend.is_skipping));
    if (!good)
        show(m);
    model_free(m);
    return good;
}

static void
whenever_the_client_goes_the_server_comes_to_rest(void)
{
    each_seed(agrees_when_the_client_goes);
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
    CU_ADD_TEST(suite, any_conversation_is_read_as_from_postgresql_itself);
    CU_ADD_TEST(suite, whenever_the_client_goes_the_server_comes_to_rest);
}
