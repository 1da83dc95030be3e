/* ledger.c - see ledger.h for the story. */
#include "pgweir/session/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"

#define FIRST_SIZE 8u

void
ledger_init(struct ledger *l)
{
    *l = (struct ledger){ 0 };
}

void
ledger_fini(struct ledger *l)
{
    free(l->ring);
    ledger_init(l);
}

static void
grow(struct ledger *l)
{
    uint32_t size = l->size == 0 ? FIRST_SIZE : l->size * 2;
    struct owed *ring = mem_grow(NULL, size, sizeof *ring);

    for (uint32_t i = 0; i < l->count; i++)
        ring[i] = *ledger_entry(l, i);
    free(l->ring);
    l->ring = ring;
    l->size = size;
    l->first = 0;
}

/* Marks have no answer: one that has come to the head is done with. */
void
ledger_drop_marks(struct ledger *l)
{
    while (l->count > 0 && ledger_head(l)->kind == OWED_COPY_END) {
        l->first++;
        l->count--;
    }
}

static bool
is_extended(uint8_t kind)
{
    return kind <= OWED_CLOSE;
}

static bool
ends_in_ready(uint8_t kind)
{
    return kind == OWED_SYNC || kind == OWED_QUERY || kind == OWED_FUNCTION;
}

struct owed *
ledger_push_slowly(struct ledger *l, enum owed_kind kind, enum owed_action action)
{
    struct owed *o;

    if (l->is_skipping) {
        if (kind != OWED_SYNC)
            return NULL;
        l->is_skipping = false;
    }
    if (l->is_copy_in_open) {
        if (kind == OWED_SYNC) {
            l->ignored++;
            return NULL;
        }
        l->is_copy_in_open = false; /* what is neither data nor its end is not read during COPY IN */
    }
    if (kind == OWED_COPY_END && l->count == 0)
        return NULL;
    if (kind != OWED_COPY_END)
        l->is_open = is_extended((uint8_t)kind);
    if (l->count == l->size)
        grow(l);
    o = ledger_entry(l, l->count++);
    *o = (struct owed){ .kind = (uint8_t)kind, .action = (uint8_t)action };
    return o;
}

/* The server is in COPY IN since the head: it ignores each Sync that was sent before the end of the data. */
static void
open_copy_in(struct ledger *l)
{
    uint32_t kept = 1;
    bool is_ended = false;

    l->is_open = is_extended(ledger_head(l)->kind);
    for (uint32_t i = 1; i < l->count; i++) {
        struct owed o = *ledger_entry(l, i);

        if (o.kind == OWED_SYNC && !is_ended) {
            l->ignored++;
            continue;
        }
        if (o.kind != OWED_COPY_END)
            l->is_open = is_extended(o.kind);
        if (o.action != OWED_SYNTHESISE)
            is_ended = true; /* by its mark, or by an error: nothing else is read during COPY IN */
        *ledger_entry(l, kept++) = o;
    }
    l->count = kept;
    l->is_copy_in_open = !is_ended;
    l->is_head_copying = true;
}

enum owed_kind
ledger_send_unsent(struct ledger *l)
{
    for (uint32_t i = 1; i < l->count; i++)
        if (ledger_entry(l, i)->action != OWED_SYNTHESISE)
            return OWED_NOTHING;
    if (l->count < 2)
        return OWED_NOTHING;
    ledger_entry(l, 1)->action = OWED_FORWARD;
    return (enum owed_kind)ledger_entry(l, 1)->kind;
}

/* COPY IN of the head is over: the mark of its end, if it was sent, has served. A simple Query may open another. */
static void
close_copy_in(struct ledger *l, bool has_failed)
{
    if (has_failed && l->ignored > 0)
        l->is_in_doubt = true;
    l->ignored = 0;
    l->is_copy_in_open = false;
    l->is_head_copying = false;
    for (uint32_t i = 1; i < l->count; i++) {
        if (ledger_entry(l, i)->kind == OWED_SYNC)
            continue;
        if (ledger_entry(l, i)->kind != OWED_COPY_END)
            return;
        for (uint32_t j = i + 1; j < l->count; j++)
            *ledger_entry(l, j - 1) = *ledger_entry(l, j);
        l->count--;
        return;
    }
}

/* The head, of the extended protocol, failed: the server skips to the next Sync. */
static void
skip_to_sync(struct ledger *l)
{
    uint32_t n = 0;

    while (n < l->count && ledger_entry(l, n)->kind != OWED_SYNC)
        n++;
    l->skipped = n;
    l->is_skipping = n == l->count;
}

bool
ledger_take_skipped(struct ledger *l, struct owed *out, bool *failed)
{
    if (l->skipped == 0)
        return false;
    *failed = --l->skipped == 0;
    *out = *ledger_entry(l, l->skipped);
    ledger_entry(l, l->skipped)->kind = OWED_COPY_END; /* a mark is dropped when it is the head */
    if (*failed)
        ledger_drop_marks(l);
    return true;
}

/* Whether a reply of KIND may answer, in whole or in part, an entry of kind OWED; *DONE: it settles it. */
static bool
answers(enum back_kind kind, uint8_t owed, bool *done)
{
    *done = false;
    switch (kind) {
    case BACK_PARSE_COMPLETE:
        *done = true;
        return owed == OWED_PARSE;
    case BACK_BIND_COMPLETE:
        *done = true;
        return owed == OWED_BIND;
    case BACK_CLOSE_COMPLETE:
        *done = true;
        return owed == OWED_CLOSE;
    case BACK_PARAMETERS:
        return owed == OWED_DESCRIBE;
    case BACK_ROW_SHAPE:
        *done = owed == OWED_DESCRIBE;
        return owed == OWED_DESCRIBE || owed == OWED_QUERY || owed == OWED_EXECUTE;
    case BACK_DATA:
        return owed == OWED_QUERY || owed == OWED_EXECUTE || owed == OWED_FUNCTION;
    case BACK_COMMAND_DONE:
        *done = owed == OWED_EXECUTE;
        return owed == OWED_QUERY || owed == OWED_EXECUTE;
    case BACK_COPY_IN:
    case BACK_COPY_OUT:
    case BACK_COPY_BOTH:
        return owed == OWED_QUERY || owed == OWED_EXECUTE;
    case BACK_READY:
        *done = true;
        return ends_in_ready(owed);
    case BACK_ERROR:
        return true;
    case BACK_UNKNOWN:
    case BACK_NOTICE:
    case BACK_PARAMETER:
    case BACK_NOTIFICATION:
    case BACK_AUTH:
    case BACK_KEY:
    case BACK_NEGOTIATE:
        break;
    }
    return false;
}

enum ledger_verdict
ledger_settle(struct ledger *l, enum back_kind kind, struct owed *paid)
{
    paid->kind = OWED_NOTHING;
    ledger_drop_marks(l);
    if (l->count == 0) {
        if (!l->is_in_doubt || kind != BACK_READY)
            return LEDGER_UNEXPECTED;
        l->is_open = l->is_skipping = false; /* a Sync was read after all, and ended the skipping */
        return LEDGER_FORWARD;
    }

    struct owed head = *ledger_head(l);
    bool done;

    if (!answers(kind, head.kind, &done) || head.action == OWED_SYNTHESISE)
        return LEDGER_UNEXPECTED;
    if (kind == BACK_COPY_IN)
        open_copy_in(l);
    else if (l->is_head_copying && (kind == BACK_COMMAND_DONE || kind == BACK_ERROR))
        close_copy_in(l, kind == BACK_ERROR);
    if (kind == BACK_ERROR && is_extended(head.kind))
        skip_to_sync(l);
    if (done) {
        *paid = head;
        ledger_pop(l);
    }
    if (head.action == OWED_HIDE)
        return kind == BACK_ERROR ? LEDGER_FORWARD : LEDGER_SWALLOW;
    return head.action == OWED_FORWARD ? LEDGER_FORWARD : LEDGER_SWALLOW;
}

bool
ledger_take_synthetic_slowly(struct ledger *l, struct owed *out)
{
    ledger_drop_marks(l);
    if (l->count == 0 || ledger_head(l)->action != OWED_SYNTHESISE)
        return false;
    *out = *ledger_head(l);
    ledger_pop(l);
    return true;
}

void
ledger_swallow_all(struct ledger *l)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        struct owed o = *ledger_entry(l, i);

        if (o.action == OWED_SYNTHESISE)
            continue;
        o.action = OWED_SWALLOW;
        *ledger_entry(l, kept++) = o;
    }
    l->count = kept;
}
