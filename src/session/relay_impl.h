/*
 * relay_impl.h - bytes from clients to servers and back. The fast path: everything else in session/ exists so
 * that this is short.
 */
#ifndef PGWEIR_SESSION_RELAY_IMPL_H
#define PGWEIR_SESSION_RELAY_IMPL_H

#include "client_impl.h"
#include "server_impl.h"

/* Above this a waiting or stalled client is not read any more. */
#define RELAY_CARRY_BYTES (16u * 1024u)

/* FRESH bytes of a logged-in client; also called with none to go on with what is carried. */
void relay_from_client(struct client *c, struct slice fresh);
/* Bytes of a server past its login. */
void relay_from_server(struct server *s, struct slice fresh);
/* Enters a message that goes to C's server (or would have gone); NULL when it will have no answer. */
struct owed *relay_enter(struct client *c, enum owed_kind kind, enum owed_action action);
/* O, the entry just made for C's server S, gets its stamps, and S knows what it was sent last. */
static ALWAYS_INLINE void
relay_stamp(struct client *c, struct server *s, struct owed *o, enum owed_kind kind, enum owed_action action)
{
    o->client_stamp = c->stamp;
    o->server_stamp = s->stamp;
    if (kind == OWED_SYNC)
        s->sync_stamp = s->stamp;
    if (kind == OWED_SYNC || kind == OWED_QUERY || kind == OWED_FUNCTION || kind == OWED_EXECUTE)
        s->act_stamp = s->stamp;
    if (kind == OWED_SYNC || kind == OWED_QUERY || kind == OWED_FUNCTION)
        s->segment_stamp = 0;
    else if (kind != OWED_PARSE /* it has no effect that an error could undo */ && s->segment_stamp == 0 &&
             action != OWED_HIDE && action != OWED_SYNTHESISE)
        s->segment_stamp = s->stamp;
}

/* Gives S back if its client needs it no longer. */
void relay_let_go(struct server *s);
/* Sends what has been gathered for C's server. */
void relay_flush_to_server(struct client *c);
/* The backlog towards one side has drained: the other side is read again. */
void relay_client_drained(struct client *c);
void relay_server_drained(struct server *s);

/* --- what relay_request.c and relay_reply.c have in common --- */

/* The bytes to work on: what was kept last time with FRESH behind it. *IS_KEPT says that they lie in KEPT. */
struct slice relay_input(struct buf *kept, struct slice fresh, bool *is_kept);
/* Keeps REST, the end of what relay_input() returned. */
void relay_keep_rest(struct buf *kept, struct slice rest, bool is_kept);
/* Sends what has been gathered for S's client. */
void relay_flush_to_client(struct server *s);
/* Gathers answers of our own that nothing from the server stands before. */
void relay_gather_made_up(struct server *s);
/* S could be released: it is, or stays with its client while what that has left in the session is asked for,
 * or cannot follow it. */
void relay_release(struct server *s);

/* Whether nothing is outstanding between S and its client. */
static inline bool
relay_may_release(const struct server *s)
{
    return s->status == 'I' && ledger_is_quiet(&s->ledger) && scanner_is_between_messages(&s->scanner) &&
           scanner_is_between_messages(&s->client->scanner) && s->client->pool_mode != POOL_SESSION;
}

/* Whether the other end of S does not read fast enough. */
static inline bool
relay_is_clogged(const struct stream *s)
{
    return stream_backlog_bytes(s) > STREAM_HIGH_BYTES;
}

#endif
