/*
 * map.h - an intrusive hash map. The node lives inside the object, the object holds its own key,
 * the caller compares: so any key works and a lookup allocates nothing. Grows by doubling; hashes are
 * seeded per process so that a peer cannot aim at one bucket.
 */
#ifndef PGWEIR_BASE_MAP_H
#define PGWEIR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/base/slice.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets; /* NULL until the first node; owned */
    size_t bucket_count;       /* power of two */
    size_t count;
    size_t first_used; /* no bucket before this one holds a node */
};

/* Seeded hash of bytes (keyed, resistant to chosen keys; not for secrets). Two keys: chain through FIRST. */
uint64_t map_hash(struct slice key);
uint64_t map_hash_after(uint64_t first, struct slice key);

typedef bool map_same(const struct map_node *node, const void *key);

void map_init(struct map *map);
void map_fini(struct map *map); /* frees the buckets; the objects are the caller's */
void map_add(struct map *map, struct map_node *node, uint64_t hash); /* no check for a twin */
void map_remove(struct map *map, struct map_node *node);             /* must be in the map */
struct map_node *map_find(const struct map *map, uint64_t hash, map_same *same, const void *key);

/* Walks in no order: start with NULL, ends with NULL. The node returned last may be removed before the
 * next call only through map_take_any(). */
struct map_node *map_next(const struct map *map, const struct map_node *after);
/* Removes and returns any node, NULL when empty: how a map is emptied. */
struct map_node *map_take_any(struct map *map);

#endif
