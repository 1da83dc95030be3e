/*
 * session_settings_impl.h - settings follow their client from server to server.
 *
 * A server is brought to its client's settings by one Query sent ahead of the first message in the same write; its answer is swallowed.
 * Clients follow what the server reports (ParameterStatus), so a SET of such a parameter stays with them. Any other SET marks the
 * server: RESET ALL comes before another client's work, and so nothing of one client's session is seen by another.
 *
 * source PostgreSQL docs, protocol-flow "Asynchronous Operations" (ParameterStatus).
 */
#ifndef PGWEIR_SESSION_SESSION_SETTINGS_IMPL_H
#define PGWEIR_SESSION_SESSION_SETTINGS_IMPL_H

#include "client_impl.h"
#include "server_impl.h"

/* Whether C's server has what C wants: two comparisons, on the path of every message. */
static inline bool
settings_are_in_place(const struct client *c)
{
    const struct server *s = c->server;

    return s->settings == c->settings && (!s->is_dirty || s->last_client == c->id);
}

/* Gathers the Query that brings c->server to C's settings, and enters it in the ledger. */
void settings_bring(struct client *c);

/* S has sent a ParameterStatus. */
void settings_note_report(struct server *s, const struct scan_span *span);
/* S has sent CommandComplete for what its client, which may have gone, has asked for. */
void settings_note_tag(struct server *s, struct slice message);
/* C leaves S: its settings become what S has reported since they met. */
void settings_follow(struct client *c, struct server *s);

#endif
