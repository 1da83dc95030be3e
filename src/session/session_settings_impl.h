/*
 * session_settings_impl.h - settings follow their client from server to server.
 *
 * A server is brought to its client's settings by one Query sent ahead of the first message in the same
 * write; its answer is swallowed. Clients follow what the server reports (ParameterStatus), and what
 * read_back.c reads. What nobody has followed marks the server: RESET ALL comes before another client's
 * work, and so nothing of one client's session is seen by another.
 *
 * source PostgreSQL docs, protocol-flow "Asynchronous Operations" (ParameterStatus).
 */
#ifndef PGWEIR_SESSION_SESSION_SETTINGS_IMPL_H
#define PGWEIR_SESSION_SESSION_SETTINGS_IMPL_H

#include "client_impl.h"
#include "server_impl.h"

/* Whether C's server has what C wants, on the path of every message. */
static inline bool
settings_are_in_place(const struct client *c)
{
    const struct server *s = c->server;

    return s->settings == c->settings && (!s->is_dirty || s->last_client == c->id) && !s->is_in_question &&
           s->foreign == 0;
}

/* Whether they can be brought now: not inside a transaction, nor between messages that belong together. */
static inline bool
settings_can_be_brought(const struct server *s)
{
    return s->status == 'I' && ledger_is_quiet(&s->ledger);
}

/* Whether they can be brought once what S owes has been answered. */
static inline bool
settings_will_be_brought(const struct server *s)
{
    return s->status == 'I' && !ledger_needs_sync(&s->ledger) && !ledger_is_empty(&s->ledger);
}

/* Gathers the Query that brings c->server to C's settings, without foreign values of sequences, and enters
 * it in the ledger. */
void settings_bring(struct client *c);

/* S has sent a ParameterStatus. */
void settings_note_report(struct server *s, const struct scan_span *span);
/* S has sent CommandComplete for what its client, which may have gone, has asked for. */
void settings_note_tag(struct server *s, struct slice message);
/* MESSAGE is a ParameterStatus that goes to C: how its queries are to be read. */
void settings_hear(struct client *c, struct slice message);
/* Reads a ParameterStatus. False: it is none, or of a parameter that nobody can set. */
bool settings_read_report(struct slice message, struct startup_pair *out);
/* Something was set on S that cannot be followed: it is scrubbed before anybody but the client of that id
 * works with it; 0: before anybody does. */
void settings_lose_track(struct server *s, uint64_t client_id);
/* Settings that no view shows may have been set on S by the client of that id (0: by anybody): the same, if
 * that is to be had. */
void settings_suspect_hidden(struct server *s, uint64_t client_id);
/* C leaves S: its settings become what S has reported since they met. */
void settings_follow(struct client *c, struct server *s);

#endif
