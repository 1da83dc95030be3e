/*
 * statement.h - prepared statements known to the process: (query text, parameter types, scope) interned to
 * one immutable `statement`, whose name on every server is pgweir_<id>. Clients map their own names to
 * statements; servers know which statements they hold; both hold references.
 *
 * The registry has one lock. A worker keeps the statements that it has met lately in a cache of its own, so a
 * Parse of a known text takes no lock: one hash over the text and one look-up. Memory is bounded by bytes: a
 * Parse that would go over the bound is refused.
 */
#ifndef PGWEIR_POOL_STATEMENT_H
#define PGWEIR_POOL_STATEMENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "pgweir/base/list.h"
#include "pgweir/base/map.h"
#include "pgweir/base/slice.h"
#include "pgweir/wire/sql.h"

#define STATEMENT_NAME_BYTES 28u

struct registry; /* one per process; thread-safe */

struct statement {
    struct map_node in_registry;
    struct link in_all; /* the registry's, the oldest first; under its lock */
    _Atomic unsigned refs;
    _Atomic unsigned servers; /* that hold it; counted by who keeps their lists */
    _Atomic uint64_t calls;   /* times it was bound: told by those now and then, see statement_count_call() */
    struct registry *registry;
    uint64_t id;
    uint32_t findings; /* of enum sql_flag: what its text may do to a session; found once, when interned */
    uint32_t tail_len;
    uint32_t text_len; /* of the query, without its NUL; the tail begins with it */
    uint32_t scope_len;
    uint8_t name_len; /* with its NUL */
    char name[STATEMENT_NAME_BYTES];
    /* The tail of a Parse message behind the name (query NUL, Int16 count, Int32 types), then the scope. */
    uint8_t bytes[];
};

struct statement_cache { /* one worker's; embedded in it */
    struct registry *registry;
    struct map by_text;
    struct list lru; /* most recently met first */
    size_t bytes;
    size_t most_bytes;
};

struct registry *registry_new(size_t most_bytes);
void registry_free(struct registry *r); /* every statement must have been dropped */
void registry_set_bound(struct registry *r, size_t most_bytes);

void statement_cache_init(struct statement_cache *cache, struct registry *registry, size_t most_bytes);
void statement_cache_set_bound(struct statement_cache *cache, size_t most_bytes);
void statement_cache_fini(struct statement_cache *cache);

/* The statement of TAIL (as above) in SCOPE (whatever makes plans of one text differ between sessions; may be
 * empty), with a reference for the caller; NULL when the registry's bound is reached. */
struct statement *statement_take(struct statement_cache *cache, struct slice tail, struct slice scope);
struct statement *statement_hold(struct statement *s); /* NULL is fine */
void statement_drop(struct statement *s);              /* any thread; NULL is fine */

static inline struct slice
statement_tail(const struct statement *s)
{
    return slice_of(s->bytes, s->tail_len);
}

/* The query text, without its NUL. */
static inline struct slice
statement_text(const struct statement *s)
{
    return slice_of(s->bytes, s->text_len);
}

static inline struct slice
statement_scope(const struct statement *s)
{
    return slice_of(s->bytes + s->tail_len, s->scope_len);
}

/* All that is to be found out about its text; worth the while only where `findings` has a flag. */
static inline void
statement_look(const struct statement *s, bool standard_strings, struct sql_findings *out)
{
    sql_look(statement_text(s), standard_strings, out);
}

/* One more use of it on one server, where *CALLS is how many there were. The shared count is written at the
 * first few and then at each 64th, for it is on the path of every transaction of all workers. */
static inline void
statement_count_call(struct statement *s, uint64_t *calls)
{
    uint64_t n = ++*calls;

    if ((n & (n - 1)) == 0 && n <= 64)
        atomic_fetch_add_explicit(&s->calls, n - n / 2, memory_order_relaxed);
    else if ((n & 63) == 0)
        atomic_fetch_add_explicit(&s->calls, 64, memory_order_relaxed);
}

/* Calls EACH, under the registry's lock, for up to MOST statements (at least 1), those made behind AFTER
 * (NULL: from the oldest on).
 * return  the last of them, with a reference, to be the next call's AFTER; NULL when there are no more.
 * AFTER's reference is given up. */
struct statement *registry_list(struct registry *r, struct statement *after, size_t most,
                                void (*each)(void *arg, const struct statement *s), void *arg);

struct registry_totals {
    size_t statements;
    size_t bytes;
    size_t most_bytes;
};
void registry_look(struct registry *r, struct registry_totals *out);

#endif
