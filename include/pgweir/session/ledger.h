/*
 * ledger.h - what a server connection still owes, in the order in which it will come.
 *
 * Every message sent to a server that will be answered is entered here with what is to be done with the
 * answer: forward it to the client, swallow it (the message was ours), hide it (ours, but sent for the
 * client's sake: its success is nobody's business, its error the client's), or synthesise it (the message was
 * never sent; the answer is made up when its turn has come). What a message changes in the maps of prepared
 * statements is noted at its entry, because it must be undone when the server skips or refuses the message.
 * All rewriting of replies is done from this queue, so it stays in order under any pipelining and after any
 * error. It also knows what PostgreSQL will *not* answer:
 *
 *   - after an error in the extended protocol everything up to the next Sync is skipped;
 *   - while COPY IN is open, Sync is ignored, until CopyDone or CopyFail;
 *   - CopyDone and CopyFail have no answer of their own; they stand here as marks, to tell which Syncs came
 *     before them.
 *
 * One thing nobody but the server knows: when a COPY IN has failed, whether that was before or after it read
 * a Sync that was sent in front of the end of the data. Then more ReadyForQuery may come than are owed:
 * is_in_doubt, and the server must not serve another client.
 *
 *     client: Parse Bind Execute Sync            ledger: [PARSE BIND EXECUTE SYNC]
 *     server: ParseComplete                      [BIND EXECUTE SYNC]
 *     server: ErrorResponse                      [SYNC]         BIND failed, EXECUTE is skipped
 *     server: ReadyForQuery                      []
 *
 * source PostgreSQL docs, protocol-flow "Extended Query", "COPY Operations", "Function Call";
 * src/backend/tcop/postgres.c (ignore_till_sync).
 */
#ifndef PGWEIR_SESSION_LEDGER_H
#define PGWEIR_SESSION_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/wire/rules.h"

#define LEDGER_MOST 65536u /* entries; a client that pipelines more is not read until some are paid */

enum owed_kind {
    OWED_PARSE, /* of the extended protocol: up to OWED_CLOSE */
    OWED_BIND,
    OWED_DESCRIBE,
    OWED_EXECUTE,
    OWED_CLOSE,
    OWED_SYNC,
    OWED_QUERY,
    OWED_FUNCTION,
    OWED_COPY_END, /* a mark, no answer */
    OWED_NOTHING,
};

enum owed_action { OWED_FORWARD, OWED_SWALLOW, OWED_HIDE, OWED_SYNTHESISE };

struct owed {
    uint8_t kind;   /* enum owed_kind */
    uint8_t action; /* enum owed_action */
    uint8_t effect; /* for its owner (prepared.c): what was changed when the message was sent; 0: nothing */
    /* for prepared.c: it may be DEALLOCATE or DISCARD, so what is prepared behind it is known when it is
     * paid */
    bool may_wipe;
    bool is_own_ddl; /* for healing.c: if it creates anything, then for its session alone */
    bool is_ddl;     /* and: it changes the schema, whatever its tag says (CREATE TABLE AS, SELECT INTO) */
    uint8_t own;     /* for read_back.c: which query of ours it is; 0: another one, or the client's */
    void *of_client;
    void *of_server;
    /* how many messages its client and its server had seen: what a DEALLOCATE ALL reaches is older */
    uint64_t client_stamp;
    uint64_t server_stamp;
};

struct ledger {
    struct owed *ring; /* owned; NULL until first used */
    uint32_t first;
    uint32_t count;
    uint32_t size;    /* power of two */
    uint32_t ignored; /* Syncs sent in front of the end of the COPY IN that is open at the head */
    uint32_t skipped; /* entries at the front that will not be answered: take them before anything else */
    /* messages of the extended protocol were sent since the last Sync: its transaction may be open */
    bool is_open;
    bool is_skipping;     /* the server ignores all but Sync, and no Sync has been sent */
    bool is_copy_in_open; /* CopyInResponse came, neither CopyDone nor CopyFail was sent */
    bool is_head_copying; /* CopyInResponse came for the head, its CommandComplete or error has not */
    bool
        is_in_doubt; /* a COPY IN has failed, and nobody knows which Syncs the server has ignored: for good */
};

enum ledger_verdict {
    LEDGER_FORWARD,
    LEDGER_SWALLOW,
    LEDGER_UNEXPECTED, /* nothing owed matches: the server broke the protocol */
};

void ledger_init(struct ledger *l);
void ledger_fini(struct ledger *l);

static inline bool
ledger_is_empty(const struct ledger *l)
{
    return l->count == 0;
}

static inline bool
ledger_is_full(const struct ledger *l)
{
    return l->count >= LEDGER_MOST;
}

/* The server sent a message of KIND (not one of those that come at any time). Tells what to do with it and
 * settles what it pays: *PAID is the entry, its kind OWED_NOTHING when none was. After an error, call
 * ledger_take_skipped() until it says no. */
enum ledger_verdict ledger_settle(struct ledger *l, enum back_kind kind, struct owed *paid);

/* Entries that an error has made void, the newest first, the failed one last (*FAILED). */
bool ledger_take_skipped(struct ledger *l, struct owed *out, bool *failed);

/* What the server works on; the ledger must not be empty. */
static inline const struct owed *
ledger_head(const struct ledger *l)
{
    return &l->ring[l->first & (l->size - 1)];
}

/* COPY IN has just opened at the head. PostgreSQL ends a session that then sends anything but data; what the
 * client did send may have stayed here, because its answer is made up. The kind of that message, which counts
 * as sent from now on; OWED_NOTHING: there is none, or the server has one that comes to the same. */
enum owed_kind ledger_send_unsent(struct ledger *l);

/* The client is gone: whatever still comes is swallowed, nothing is made up any more. The owner has dealt
 * with what the entries hold of the client. */
void ledger_swallow_all(struct ledger *l);
/* Entry I, the oldest first. */
static inline struct owed *
ledger_entry(const struct ledger *l, uint32_t i)
{
    return &l->ring[(l->first + i) & (l->size - 1)];
}

/* The rare answers of ledger_push(), which alone calls this. */
struct owed *ledger_push_slowly(struct ledger *l, enum owed_kind kind, enum owed_action action);

/* A message of KIND goes to the server (or, SYNTHESISE, would have gone). The entry, for its effect to be
 * noted; NULL when PostgreSQL will not answer it. */
static inline struct owed *
ledger_push(struct ledger *l, enum owed_kind kind, enum owed_action action)
{
    struct owed *o;

    if (UNLIKELY(l->is_skipping || l->is_copy_in_open || l->count == l->size || kind == OWED_COPY_END))
        return ledger_push_slowly(l, kind, action);
    l->is_open = kind <= OWED_CLOSE;
    o = ledger_entry(l, l->count++);
    *o = (struct owed){ .kind = (uint8_t)kind, .action = (uint8_t)action };
    return o;
}

/* The rare answers of ledger_take_synthetic(), which alone calls this. */
bool ledger_take_synthetic_slowly(struct ledger *l, struct owed *out);

/* The made-up answer whose turn has come: takes it from the ledger; false when the next one is the server's
 * to give. Call after every push and settle. */
static inline bool
ledger_take_synthetic(struct ledger *l, struct owed *out)
{
    if (LIKELY(l->count == 0 ||
               (ledger_head(l)->action != OWED_SYNTHESISE && ledger_head(l)->kind != OWED_COPY_END)))
        return false;
    return ledger_take_synthetic_slowly(l, out);
}

/* Marks at the head are done with. */
void ledger_drop_marks(struct ledger *l);

/* The head was answered, and what that means for COPY IN and for skipping has been looked at. */
static inline void
ledger_pop(struct ledger *l)
{
    l->first++;
    l->count--;
    if (UNLIKELY(l->count > 0 && ledger_head(l)->kind == OWED_COPY_END))
        ledger_drop_marks(l);
}

/* Whether a Sync must be sent so that the server comes to a ReadyForQuery. */
static inline bool
ledger_needs_sync(const struct ledger *l)
{
    return l->is_open || l->is_skipping;
}

/* Nothing is owed and nothing half-done: what the last ReadyForQuery said still holds. */
static inline bool
ledger_is_quiet(const struct ledger *l)
{
    return l->count == 0 && !l->is_open && !l->is_skipping;
}

#endif
