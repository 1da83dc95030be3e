/*
 * healing_impl.h - prepared statements outlive changes of the schema.
 *
 * A statement that was parsed before an ALTER TABLE fails with "cached plan must not change result type", and
 * goes on failing on that server until it is parsed anew. What follows from that:
 *
 *   - An epoch counts the changes (pool/schema.h): DDL tags that pass through, once their transaction has
 *     ended, and the first such error. What a server parsed in an older epoch is closed and parsed anew
 *     before it is used: see need().
 *   - A client that has been told a result's shape in an older epoch may rely on it, binary formats and all.
 *     So before its Bind is sent, the shape that the statement has now is asked for, unseen, and the Bind
 *     waits: same shape, or never told any: it goes on, and nobody notices. Another shape: the Bind fails as
 *     it would have on a direct connection, unless the client asks for the shape right behind it.
 *   - DDL that went around us shows as an error. If nothing was done yet, the error is hidden, and what the
 *     client has sent since its last Sync, of which a copy is kept, is sent again; then the above applies.
 *     A Parse or a Close in front of it that we answer ourselves is no part of that: the server has not seen
 *     it, the client has had its answer, and its name stays as it is: one parsed anew was never told a shape.
 *   - It is hidden once. What is sent again, and the next transaction of a client that was told such an error,
 *     uses only what was parsed for it, in the same transaction (healed_stamp): the schema cannot change
 *     between the two, while it may have changed, and changed again, under any other statement of any server.
 *
 *     client:  Bind s1  Describe P  Execute  Sync           (kept)
 *     server:  ErrorResponse 0A000, RevalidateCachedQuery   (hidden)    ReadyForQuery (hidden)
 *     we:      Close, Parse, Describe, Flush  ...  Bind Describe P Execute Sync
 */
#ifndef PGWEIR_SESSION_HEALING_IMPL_H
#define PGWEIR_SESSION_HEALING_IMPL_H

#include "prepare_impl.h"

#define HEALING_MOST_KEPT (256u * 1024u)
#define HEALING_SPARE_BYTES (16u * 1024u) /* what is kept may have room for so many while nobody needs it */

/* --- proof --- */

enum proof {
    PROVED,       /* what the client knows holds, or it knows nothing */
    PROOF_OWED,   /* the server was asked */
    PROOF_FAILED, /* it does not */
};

/* Whether TOLD, a shape that a client was told, can be what PRESENT is, one in the same epoch. */
static inline bool
is_same_shape(uint64_t told, uint64_t present)
{
    return told == present || told == SHAPE_NONE || told == SHAPE_ODD || present == SHAPE_ODD;
}

/* Whether what its client was told of N certainly holds for N as it is PARSED on its server. A server that lacked N may have parsed it after a
 * change that nobody has noticed yet; of the unnamed statement, which is bound right after it was described, that is not asked. */
static inline bool
healing_is_told_right(const struct client_name *n, const struct parsed *parsed)
{
    return n->epoch == parsed->epoch &&
           ((is_same_shape(n->rows, parsed->rows) && is_same_shape(n->parameters, parsed->parameters)) ||
            n->told_owed > 0 || n->name[0] == '\0');
}
/* If not, whether that may hold yet. */
enum proof healing_prove(struct client *c, struct client_name *n, struct parsed *parsed);
/* Whether its parameters are known there, and those that C was told, if any: then only the columns are in question. */
bool healing_has_parameters(const struct client_name *n, const struct parsed *parsed);
/* "cached plan must not change result type", for the client's message. */
void healing_refuse(struct client *c);
/* MESSAGE (ParameterDescription, RowDescription, NoData) answers the Describe O. */
void healing_note_shape(struct server *s, const struct owed *o, struct slice message, bool is_whole);

/* --- DDL --- */

void healing_note_ddl(struct server *s, struct slice tag); /* TAG may be one of DDL */
void healing_transaction_ended(struct server *s);          /* with has_ddl */

/* S has sent CommandComplete. */
static inline void
healing_note_tag(struct server *s, struct slice message)
{
    const uint8_t *tag = message.at + SCAN_HEADER;

    if (UNLIKELY(!ledger_is_empty(&s->ledger) && ledger_head(&s->ledger)->is_ddl))
        s->has_ddl = true;
    else if (message.len > SCAN_HEADER + 2u &&
             ((tag[0] == 'C' && tag[1] == 'R') || (tag[0] == 'A') || (tag[0] == 'D' && tag[1] == 'R') ||
              (tag[0] == 'I' && tag[1] == 'M')))
        healing_note_ddl(s, slice_skip(message, SCAN_HEADER));
}

/* S has sent ReadyForQuery. */
static inline void
healing_note_ready(struct server *s)
{
    if (s->has_ddl && s->status == 'I')
        healing_transaction_ended(s);
}

/* S's client is told of ReadyForQuery. */
static inline void
healing_note_told_ready(struct server *s)
{
    struct client *c = s->client;

    if (c == NULL || LIKELY(c->healed_stamp == 0 && !c->is_warned) || s->status != 'I')
        return;
    c->healed_stamp = c->is_warned ? c->stamp : 0;
    c->is_warned = false;
}

/* --- keeping and sending again --- */

/* The next message of C is the first of a segment that the server sees, save Parse and what is ours: it will be kept, with those that
 * follow up to Sync. STAMP is that of the entry whose error can be mended: its own, where its statement was parsed in an earlier
 * segment, or that of the Parse. */
void healing_begin(struct server *s, uint64_t stamp);
/* A Describe of ours was sent for it, and the message itself waits. */
void healing_begin_waiting(struct server *s, uint64_t stamp);
/* A message, or more of it, was sent while is_keeping. It lies in the input that is being worked on, behind
 * what was kept before. */
static inline void
healing_keep(struct server *s, struct slice bytes)
{
    if (s->keeping.len == 0)
        s->keeping = bytes;
    else
        s->keeping.len = (size_t)(bytes.at + bytes.len - s->keeping.at);
}
/* The same of a message of KIND, which may be the last one to be kept. */
void healing_keep_message(struct server *s, struct slice bytes, enum front_kind kind);
/* The input is about to go away: copies what is to be kept of it. */
void healing_copy(struct server *s);

/* S's client leaves it. */
static inline void
healing_rest(struct server *s)
{
    if (UNLIKELY(s->kept.size > HEALING_SPARE_BYTES))
        buf_release(&s->kept);
}

/* PostgreSQL finds out that a statement is stale after it has told its parameters: a ParameterDescription
 * that an error may follow, which can be mended, waits for what comes next. True: it does. */
bool healing_try_keep_back(struct server *s, const struct scan_span *span);
/* The next has come: it goes to the client first. */
void healing_tell_kept_back(struct server *s);

/* S has sent MESSAGE, the ErrorResponse to the head of the ledger, which does not know yet: what does not
 * work there any more is not used again. Whether the error can be hidden and the rest be tried again: then,
 * when what it skips has been undone, healing_send_again(). */
bool healing_note_error(struct server *s, struct slice message);
void healing_send_again(struct server *s);

#endif
