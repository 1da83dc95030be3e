/*
 * talk_impl.h - one connection of ours to a server that is kept, for one question at a time. Never blocks:
 * names are looked up by evdns, the rest is libpq on loop events.
 */
#ifndef PGWEIR_CONTROL_TALK_IMPL_H
#define PGWEIR_CONTROL_TALK_IMPL_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "conninfo_impl.h"
#include "pgweir/base/err.h"
#include "pgweir/net/loop.h"

struct talk;

/* How a question ended. ROWS counts the rows, up to 2: then the rest is not read, and the talk is of no more
 * use. The result holds the first row (PGRES_SINGLE_TUPLE), or none, or an error. It dies with the call. */
struct talk_answer {
    const PGresult *result;
    unsigned rows;
};

/* A handler may free the talk. */
struct talk_handler {
    void (*on_ready)(void *arg); /* the first question may be asked */
    void (*on_answer)(void *arg, const struct talk_answer *answer);
    /* The connection is gone, or was never there; SQLSTATE is "" where no server has said anything. The talk
     * is freed when this returns. */
    void (*on_lost)(void *arg, const struct error *why, const char *sqlstate);
};

/* Connects, and runs SETUP there. TIMEOUT_US: for that, and for each question. */
struct talk *talk_new(struct loop *loop, const struct conninfo *info, const char *setup, uint64_t timeout_us,
                      const struct talk_handler *handler, void *arg);
/* Closes it; no handler is called any more. NULL is fine. */
void talk_free(struct talk *t);

/* Whether a question may be asked. */
bool talk_is_idle(const struct talk *t);
/* SQL with VALUE for $1. */
void talk_ask(struct talk *t, const char *sql, const char *value);

#endif
