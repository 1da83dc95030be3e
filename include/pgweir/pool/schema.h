/*
 * schema.h - how often the schema of a database has changed, as far as we have seen: one epoch for each (host
 * list, database), shared by all pools and workers that lead there.
 *
 * A statement that a server parsed in an older epoch may fail when it is used ("cached plan must not change
 * result type"), so it is parsed anew first; what a client has learnt in an older epoch is proved anew.
 * Epochs are drawn from one sequence, so those of two databases never compare as equal by chance.
 */
#ifndef PGWEIR_POOL_SCHEMA_H
#define PGWEIR_POOL_SCHEMA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config/route.h"
#include "pgweir/pool/pool.h"

#define SCHEMA_LONG_AGO UINT64_C(0) /* older than every epoch */

struct schema {
    _Atomic uint64_t epoch; /* the first member: what is read for every Bind */
};

/* The one that ROUTE's servers have, made at first; it lives as long as P. Any thread; one lock, for each new
 * server. */
struct schema *pools_schema(struct pools *p, const struct route *route);

static inline uint64_t
schema_epoch(const struct schema *s)
{
    return atomic_load_explicit(&((struct schema *)(uintptr_t)s)->epoch, memory_order_acquire);
}

/* The schema has changed: a new epoch begins. */
void schema_bump(struct schema *s);
/* The same, unless that was told already since the epoch SEEN. */
void schema_bump_since(struct schema *s, uint64_t seen);

#endif
