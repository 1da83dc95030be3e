/*
 * prepared_impl.h - protocol-level prepared statements in transaction and statement mode: a client's names, a
 * server's statements, and the messages rewritten between them.
 *
 *     client A: Parse "s0" ----> statement 7 = (text, types) <---- Parse "s0" :client B, same text
 *                                     |
 *     server 1 holds pgweir_7, pgweir_9; server 2 lacks pgweir_7: it is parsed there, unasked, ahead of the
 *     Bind that needs it
 *
 * What is changed here when a message is sent is noted in the ledger (`effect`) and undone when the server
 * refuses or skips it.
 */
#ifndef PGWEIR_SESSION_PREPARED_IMPL_H
#define PGWEIR_SESSION_PREPARED_IMPL_H

#include "client_impl.h"
#include "pgweir/pool/statement.h"
#include "server_impl.h"

struct client_names;  /* a client's named statements; NULL until the first */
struct statement_set; /* what a server holds; NULL until the first */

/* A Parse that is longer must be sent unprepared; names of a client, and their bytes, are bounded too. */
#define PREPARED_MOST_PARSE (16u * 1024u * 1024u)
#define PREPARED_MOST_NAME 65536u
#define PREPARED_MOST_NAMES 10000u
#define PREPARED_MOST_NAME_BYTES (2048u * 1024u)

enum prepared {
    PREPARED_SENT,       /* entered and gathered, or its answer is due from us */
    PREPARED_WANTS_MORE, /* the names (of a Parse: all of it) are not there yet */
    PREPARED_IS_BAD,     /* no NUL where one must be */
    PREPARED_IS_HELD,    /* an answer must be there first: the message waits */
};

static inline bool
prepared_is_on(const struct client *c)
{
    return c->worker->config->settings->max_prepared_statements > 0 && c->pool_mode != POOL_SESSION;
}

/* Whether enough of the message is there; asked before a server is taken for it. */
enum prepared prepared_is_complete(const struct scan_span *span, enum front_kind kind);
/* A complete Parse, Bind, Describe or Close of C, which has its server; AFTER is what has come behind it. */
enum prepared prepared_message(struct client *c, const struct scan_span *span, enum front_kind kind,
                               struct slice after);
/* Whether what the message names is uncertain until a Sync that is owed has been answered: it must not be
 * sent before. Of one that is complete. */
bool prepared_must_wait(struct client *c, const struct scan_span *span, enum front_kind kind);
/* Enters and gathers a simple Query: the unnamed statements of both sides end with it. */
enum prepared prepared_query(struct client *c, const struct scan_span *span);
enum prepared prepared_execute(struct client *c, const struct scan_span *span); /* the same of an Execute */

/* O was answered as it should be. */
void prepared_paid(struct server *s, struct owed *o);
/* O was refused (FAILED) or skipped. True: *INSTEAD is what the client is told in place of the server's
 * error. */
bool prepared_undone(struct server *s, struct owed *o, bool failed, struct pg_error *instead);
/* MESSAGE, the ErrorResponse to O, tells a name of ours: OUT is what the client is told, with its own. False:
 * nothing to change, OUT is worthless. */
bool prepared_reword(const struct owed *o, struct slice message, struct buf *out);
/* The client leaves while things are owed: nothing in the ledger may point to it. */
void prepared_forget_client(struct server *s);
/* The server is gone: nothing that is owed will come. Empties the ledger. */
void prepared_abandon(struct server *s);
/* DEALLOCATE ALL or DISCARD ALL has been done by the request that O stands for. */
void prepared_wiped(struct server *s, const struct owed *o);

void client_names_free(struct client_names *names);
void statement_set_free(struct statement_set *set);

/* For SHOW: how many named statements a client has, and how many statements a server holds. */
unsigned prepared_client_count(const struct client *c);
unsigned prepared_server_count(const struct server *s);

#endif
