/* schema.c - see schema.h. */
#include "pgweir/pool/schema.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pool_impl.h"

struct schema_entry {
    struct schema schema;
    struct map_node in_schemas;
    char *host_key;
    char *database;
};

static _Atomic uint64_t last_epoch = SCHEMA_LONG_AGO;

static uint64_t
next_epoch(void)
{
    return atomic_fetch_add_explicit(&last_epoch, 1, memory_order_relaxed) + 1;
}

void
schema_bump(struct schema *s)
{
    atomic_store_explicit(&s->epoch, next_epoch(), memory_order_release);
}

void
schema_bump_since(struct schema *s, uint64_t seen)
{
    (void)atomic_compare_exchange_strong_explicit(&s->epoch, &seen, next_epoch(), memory_order_release,
                                                  memory_order_relaxed);
}

static bool
same_schema(const struct map_node *node, const void *key)
{
    const struct schema_entry *e = CONTAINER_OF_CONST(node, struct schema_entry, in_schemas);
    const struct route *route = key;

    return strcmp(e->host_key, route->host_key) == 0 && strcmp(e->database, route->server_database) == 0;
}

static struct schema_entry *
add_locked(struct pools *p, const struct route *route, uint64_t hash)
{
    struct schema_entry *e = mem_new(sizeof *e);

    atomic_init(&e->schema.epoch, next_epoch());
    e->host_key = mem_text(route->host_key);
    e->database = mem_text(route->server_database);
    map_add(&p->_shared.schemas, &e->in_schemas, hash);
    return e;
}

struct schema *
pools_schema(struct pools *p, const struct route *route)
{
    uint64_t hash = map_hash_after(map_hash(slice_of_text(route->host_key)),
                                   slice_of_text(route->server_database));
    struct map_node *node;
    struct schema_entry *e;

    pthread_mutex_lock(&p->_shared.lock);
    node = map_find(&p->_shared.schemas, hash, same_schema, route);
    e = node != NULL ? CONTAINER_OF(node, struct schema_entry, in_schemas) : add_locked(p, route, hash);
    pthread_mutex_unlock(&p->_shared.lock);
    return &e->schema;
}

void
schemas_free(struct pools *p)
{
    struct map_node *node;

    while ((node = map_take_any(&p->_shared.schemas)) != NULL) {
        struct schema_entry *e = CONTAINER_OF(node, struct schema_entry, in_schemas);

        free(e->host_key);
        free(e->database);
        free(e);
    }
    map_fini(&p->_shared.schemas);
}
