/*
 * prepare_impl.h - seeing to it that a server holds what the next message needs: what is certain about it,
 * and the messages of ours that put it there.
 */
#ifndef PGWEIR_SESSION_PREPARE_IMPL_H
#define PGWEIR_SESSION_PREPARE_IMPL_H

#include "effects_impl.h"
#include "holdings_impl.h"
#include "names_impl.h"
#include "pgweir/pool/counters.h"
#include "pgweir/pool/schema.h"
#include "pgweir/wire/pg_error.h"

/* Whether what was changed on S for the message of that stamp holds for certain.
 *
 * An error makes the server skip all that follows up to the next Sync. So what was changed here for a message
 * that is still owed holds for the messages behind it up to that Sync (they would be skipped too), but behind
 * the Sync nobody knows until it is answered. */
bool is_known(const struct server *s, uint64_t server_stamp);
/* The server's stamp of what C did; 0 when it was on another server, where everything was answered. */
uint64_t stamp_on_server(const struct client *c, uint64_t client_stamp);
/* C closes a name; whether all names that it has closed are closed for certain. */
void note_removal(struct client *c);
bool are_removals_known(const struct client *c);

/* Enters a message; nothing comes here while the server skips, so there is always an entry. */
struct owed *enter(struct client *c, enum owed_kind kind, enum owed_action action, enum effect effect);

static inline struct slice
server_name(const struct statement *st)
{
    return slice_of(st->name, st->name_len);
}

static inline struct slice
empty_name(void)
{
    return slice_of("", 1);
}

/* Gathers type, length, BEFORE (for Bind the portal, for Describe and Close the kind) and NAME: what stands
 * in front of the part that is passed on as it is. BODY_LEN is that of the whole. */
void send_head(struct client *c, uint8_t type, size_t body_len, struct slice before, struct slice name);
/* ST is parsed under NAME; not entered. */
void send_parse(struct client *c, struct statement *st, struct slice name);
/* Parses ST on the server under its own name: for the client (FORWARD), or unasked (HIDE). It may be there
 * already, if nobody knows or a Parse shall really happen. Then evict(). */
struct owed *send_parse_named(struct client *c, struct statement *st, enum owed_action action,
                              enum effect effect);
/* Closes what the server holds beyond max_prepared_statements, used longest ago first. */
void evict(struct client *c);
/* The registry is full: closes what the server alone holds, used longest ago, so that there is room again.
 * False: there is none such. */
bool evict_unshared(struct client *c);
/* The server is told not to keep back what it owes; once for all that was sent. */
void send_flush(struct client *c);
/* The server is made to fail, so that a transaction is aborted and the rest up to Sync skipped as on a direct
 * connection; the client is told E in place of the server's words. The client's own message is dropped. */
void send_failure(struct client *c, const struct pg_error *e);
/* The same where that message is a simple Query. */
void send_failure_of_query(struct client *c, const struct pg_error *e);

/* Sees to it that the server will hold what N, of C, stands for when what is sent next arrives there, parsed
 * in the present epoch. *IS_FRESH: that it was parsed for this. */
struct parsed *need(struct client *c, struct client_name *n, bool *is_fresh);
/* How ST (NULL: the unnamed statement) is parsed there; NULL: it is not. */
struct parsed *parsed_find(struct server *s, const struct statement *st);

#endif
