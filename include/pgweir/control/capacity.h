/*
 * capacity.h - what one PostgreSQL server allows: asked over libpq, asynchronously, in the loop of the
 * caller (main).
 *
 * source PostgreSQL docs, runtime-config-connection "max_connections", "superuser_reserved_connections",
 *        "reserved_connections"; catalogs pg_roles "rolconnlimit", pg_database "datconnlimit".
 */
#ifndef PGWEIR_CONTROL_CAPACITY_H
#define PGWEIR_CONTROL_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/base/err.h"
#include "pgweir/config/option.h"
#include "pgweir/net/loop.h"

/* A CONNECTION LIMIT that is set (>= 0), of a database or of a role that is no superuser. */
struct capacity_limit {
    char name[64];
    unsigned limit;
    bool is_role; /* else a database */
};

struct capacity_facts {
    int server_version; /* PQserverVersion(): 150004 */
    bool is_in_recovery;
    unsigned max_connections;
    unsigned superuser_reserved;
    unsigned reserved; /* reserved_connections, 16+; else 0 */
    struct capacity_limit *limits;
    unsigned limit_count;
};

/* What is left for pools after the reserves: max_connections - superuser_reserved - reserved -
 * direct_reserve (a percentage of max_connections rounded up, at least 3, or a count) - 1 for the control
 * connection itself; at least 1. The sum is explained in WHY ("max_connections 100 - superuser_reserved 3 -
 * …"). Pure. */
unsigned capacity_for_pools(const struct capacity_facts *facts, struct option_share direct_reserve, char *why,
                            size_t why_size);

/* What is left for pools of a role's or database's own limit. IS_ASKED: the control connection counts
 * against it too, so one is kept for it. At least 1: PostgreSQL itself says no where the limit is 0. Pure. */
unsigned capacity_of_limit(const struct capacity_limit *limit, bool is_asked);

struct capacity_query; /* one question under way */

struct capacity_params { /* texts are copied */
    /* As for PQconnectStartParams(), NULL-terminated: host, port, user, password, dbname, … */
    const char *const *keywords;
    const char *const *values; /* NULL or "": not given */
    uint64_t timeout_us;       /* for all of it */
};

/* ERR_AUTH: the server refused this login (role, password, database); another one may do better. ERR_LIMIT:
 * it answered 53300. ERR_NOT_FOUND, ERR_TIMEOUT, ERR_IO: not reached. ERR_PROTOCOL: an answer that makes no
 * sense. */
struct capacity_handler {
    void (*on_answer)(void *arg, const struct capacity_facts *facts); /* FACTS die with the call */
    void (*on_failure)(void *arg, const struct error *why);
};

/* Connects, asks, disconnects; never blocks: host names are looked up by evdns, the rest is PQconnectPoll()
 * and PQconsumeInput() on loop events. Calls one handler, once, from the loop; the question is gone by
 * then. */
struct capacity_query *capacity_ask(struct loop *loop, const struct capacity_params *params,
                                    const struct capacity_handler *handler, void *arg);
/* No handler is called any more; NULL is fine. A name that is being looked up is let go in the loop's next
 * turn. */
void capacity_cancel(struct capacity_query *q);

#endif
