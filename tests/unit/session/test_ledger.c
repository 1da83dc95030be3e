/*
 * test_ledger.c - what a server owes: by tables of conversations, and by chance against a small model of PostgreSQL's own loop.
 *
 * A conversation is written as words:
 *
 *     P B D E C S Q F c    a frontend message of this type is sent and its answer forwarded (c: CopyDone or CopyFail)
 *     ~P                   the same, to be swallowed           +P   the same, to be made up
 *     >1 ~1 !1             a backend message of this type arrives: forwarded, swallowed, not expected
 *     =P                   the made-up answer of a P is due
 *     gone                 the client is gone: ledger_swallow_all()
 *     quiet, owing, open   what the ledger must be now: nothing is owed and nothing half-done; something is owed; nothing is owed, but a
 *                          Sync is needed
 *     copying              the server takes COPY data of the client
 *
 * After every word ledger_take_synthetic() is asked, and must have nothing unless an =P follows.
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
    ['P'] = OWED_PARSE, ['B'] = OWED_BIND, ['D'] = OWED_DESCRIBE, ['E'] = OWED_EXECUTE,  ['C'] = OWED_CLOSE,
    ['S'] = OWED_SYNC,  ['Q'] = OWED_QUERY, ['F'] = OWED_FUNCTION, ['c'] = OWED_COPY_END,
};

static const char *const verdict_words[] = {
    [LEDGER_FORWARD] = "forward",
    [LEDGER_SWALLOW] = "swallow",
    [LEDGER_UNEXPECTED] = "unexpected",
};

static bool
state_is(const struct ledger *l, const char *word)
{
    if (strcmp(word, "quiet") == 0)
        return ledger_is_quiet(l) && ledger_is_empty(l) && !ledger_needs_sync(l) && !l->is_copy_in_open;
    if (strcmp(word, "owing") == 0)
        return !ledger_is_empty(l) && !ledger_is_quiet(l);
    if (strcmp(word, "open") == 0)
        return ledger_is_empty(l) && ledger_needs_sync(l) && !ledger_is_quiet(l);
    return strcmp(word, "copying") == 0 && l->is_copy_in_open;
}

/* What WORD does to L is not what it says: the complaint, else NULL. NEXT is the word behind it. */
static const char *
play_word(struct ledger *l, const char *word, const char *next)
{
    const char *complaint = NULL;
    struct owed made_up;

    if (word[0] == '=') {
        return "the made-up answer was not due before this word";
    } else if (strcmp(word, "gone") == 0) {
        ledger_swallow_all(l);
    } else if (strlen(word) > 2) {
        return state_is(l, word) ? NULL : "the ledger is in another state";
    } else if (word[0] == '>' || word[0] == '!' || (word[0] == '~' && back_kind_of((uint8_t)word[1]) != BACK_UNKNOWN &&
                                                    strchr("PBF", word[1]) == NULL && strchr("12tTnIsGHWdZ", word[1]))) {
        enum ledger_verdict got = ledger_settle(l, back_kind_of((uint8_t)word[1]));
        enum ledger_verdict want = word[0] == '>'   ? LEDGER_FORWARD
                                   : word[0] == '~' ? LEDGER_SWALLOW
                                                    : LEDGER_UNEXPECTED;

        if (got != want)
            complaint = verdict_words[got];
    } else if (word[0] == '~') {
        ledger_push(l, (enum owed_kind)owed_kinds[(uint8_t)word[1]], OWED_SWALLOW);
    } else if (word[0] == '+') {
        ledger_push(l, (enum owed_kind)owed_kinds[(uint8_t)word[1]], OWED_SYNTHESISE);
    } else {
        ledger_push(l, (enum owed_kind)owed_kinds[(uint8_t)word[0]], OWED_FORWARD);
    }
    if (complaint == NULL && next[0] != '=' && ledger_take_synthetic(l, &made_up))
        complaint = "a made-up answer is due";
    return complaint;
}
