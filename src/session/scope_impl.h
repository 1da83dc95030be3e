/*
 * scope_impl.h - sessions with another search_path or role do not share statements: their plans would be made anew at
 * each turn, and a result of another shape would be an error for whoever comes second.
 *
 *     of the session           of the transaction
 *     settings->scope          SET LOCAL search_path, set_config('search_path', …, true); and what SET has set,
 *                              until it has been read back: turn.local_path, a hash of both
 *
 * A name follows its client: when that has another scope than the statement was parsed in, it is the same text in
 * the new scope that the name stands for.
 */
#ifndef PGWEIR_SESSION_SCOPE_IMPL_H
#define PGWEIR_SESSION_SCOPE_IMPL_H

#include "names_impl.h"
#include "pgweir/pool/snapshot.h"
#include "pgweir/wire/sql.h"
#include "server_impl.h"

/* Of what C, which has a server, parses now; good until its settings change. */
static inline struct slice
scope_of(const struct client *c)
{
    const uint64_t *local = &c->server->turn.local_path;

    return LIKELY(*local == 0) ? snapshot_scope(c->settings)
                               : slice_of((const uint8_t *)local, sizeof *local);
}

/* C sends a text with SQL_PATH, whose parameters are in the message BIND (empty: there is none). */
void scope_note(struct client *c, const struct sql_findings *f, struct slice bind);

/* Whether what C creates without saying where may be temporary: its search_path names pg_temp. */
bool scope_makes_temp(const struct client *c);

void scope_follow_slowly(struct client *c, struct client_name *n, struct slice scope);

/* C is about to use N. */
static inline void
scope_follow(struct client *c, struct client_name *n)
{
    struct slice scope = scope_of(c);

    if (UNLIKELY(!slice_equal(statement_scope(n->statement), scope)))
        scope_follow_slowly(c, n, scope);
}

#endif
