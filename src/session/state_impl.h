/*
 * state_impl.h - what a client leaves in the session of its server: suspected from the text of its queries,
 * read back from the server itself, and then followed (settings) or the reason why the client keeps that
 * server (pins).
 *
 *     text -> sql_look() -> suspicion --- ReadyForQuery, idle ---> read-back: a hidden Query -> settings
 *     follow, pins change -> release
 *                  \-- nothing found: released at once
 *
 * The client waits for nothing: its next message follows behind the read-back on the same server. The
 * server's answer is the truth, not the text: what was rolled back comes out right. In session mode there is
 * nothing to do.
 *
 * source PostgreSQL docs, sql-set, sql-discard, view-pg-settings, view-pg-locks, functions-info.
 */
#ifndef PGWEIR_SESSION_STATE_IMPL_H
#define PGWEIR_SESSION_STATE_IMPL_H

#include "pgweir/pool/audit.h"
#include "client_impl.h"
#include "server_impl.h"

/* A simple Query, and a Bind, are looked at as a whole up to this many bytes; what is beyond in a longer
 * Query may do anything. */
#define STATE_WHOLE_BYTES (8u * 1024u)

bool state_is_settled_slowly(struct server *s);
void state_audit(struct server *s); /* asks for everything; the answer goes to audit_judge() */
void state_begin_notes(struct server *s);

struct session_state; /* a server's; NULL until something was suspected there */

/* In turn->query_flags, a flag of no finding: a string or a comment runs into the end of the text. */
#define QUERY_HAS_NO_END (UINT32_C(1) << 31)

/* A simple Query of C, which has its server; before it is entered. What is found in it is kept in query_flags. False: it was refused, and what makes it
 * fail has been sent in its place. */
bool state_query(struct client *c, const struct scan_span *span);
/* A Bind of C, SPAN, to ST. False: it must be refused, for the reason in WHY. */
bool state_bind(struct client *c, const struct statement *st, const struct scan_span *span,
                struct pg_error *why);
/* A Parse of C that is not kept in the registry: it will be run, as far as anybody knows. False: it must be
 * refused, for the reason in WHY. */
bool state_parse(struct client *c, const struct scan_span *span, struct pg_error *why);
/* A Parse of C to ST, before anything is entered for it: it will be bound. */
void state_prepare(struct client *c, const struct statement *st);
/* C, which asks for the values of sequences, has a CommandComplete. */
void state_note_tag(struct client *c, struct slice message);
/* A FunctionCall of C. */
void state_function_call(struct client *c, const struct scan_span *span);

/* S has got its client. */
static inline void
state_begin(struct server *s)
{
    if (s->client->pool_mode == POOL_SESSION)
        s->is_watched = false;
    s->is_attentive = s->is_watched || shard_has_learned(s->member.shard);
    if (UNLIKELY(s->is_attentive))
        state_begin_notes(s);
}

/* S could be released: has its client left nothing there? If that must be asked, it is asked now. */
static inline bool
state_is_settled(struct server *s)
{
    if (UNLIKELY((s->client->suspected | s->client->pins) != 0) && !state_is_settled_slowly(s))
        return false;
    if (s->audited_stamp == s->stamp || LIKELY(!shard_audit_is_due(s->member.shard) && !s->is_watched))
        return true;
    state_audit(s);
    return false;
}

/* The server of C has sent an error. */
void state_note_error(struct client *c);

/* BYTES of a DataRow that answers a read-back. */
void state_capture(struct server *s, struct slice bytes);
/* Whether a query of ours on S wants to see its rows. */
bool state_is_asking(const struct server *s);
/* An error came for the read-back. */
void state_failed(struct server *s, const struct pg_error *why);
/* The ReadyForQuery of the read-back came. */
void state_answered(struct server *s);
/* S's client has done DISCARD ALL by the request that O stands for. */
void state_discarded(struct server *s, const struct owed *o);
/* The settings of S's client could not be brought: it ends, as soon as this piece of input is worked
 * through. */
void state_refused(struct server *s, const struct pg_error *why);
const struct pg_error *state_refusal(const struct server *s); /* NULL: nothing of that kind */

/* S's client is about to leave it for good, with whatever is under way. */
void state_orphan(struct server *s);
/* What S's session holds is what a fresh one holds. */
void state_cleaned(struct server *s);
void state_free(struct session_state *state);

/* For how long C, while it does nothing, is pinned; 0: as long as it likes. */
uint64_t state_pin_bound_us(const struct client *c);
/* That is over for S's client. */
void state_pin_is_over(struct server *s);

/* Why C keeps its server; 0: it does not. */
void state_pin(struct client *c, unsigned pins);

#endif
