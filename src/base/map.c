/*
 * map.c - chains of intrusive nodes.
 *
 *     buckets[hash & (bucket_count - 1)] -> node -> node -> NULL
 *
 *     Invariants: count <= bucket_count; every bucket before first_used is empty, so emptying a map with
 *     map_take_any() walks the buckets once and not once per node.
 */
#include "pgweir/base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "siphash_impl.h"

#define BUCKETS_LEAST 8

/* Written once, before is_seeded says so. */
static struct siphash_key seed;
static atomic_bool is_seeded;

static void
seed_once(void)
{
    random_secret(&seed, sizeof(seed));
    atomic_store_explicit(&is_seeded, true, memory_order_release);
}

static struct siphash_key
seed_key(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (UNLIKELY(!atomic_load_explicit(&is_seeded, memory_order_acquire)))
        pthread_once(&once, seed_once);
    return seed;
}

uint64_t
map_hash(struct slice key)
{
    return siphash_13(seed_key(), key);
}

uint64_t
map_hash_after(uint64_t first, struct slice key)
{
    return siphash_13_after(seed_key(), first, key);
}

void
map_init(struct map *map)
{
    *map = (struct map){ 0 };
}

void
map_fini(struct map *map)
{
    free(map->buckets);
    map_init(map);
}

static size_t
map_index(const struct map *map, uint64_t hash)
{
    return (size_t)hash & (map->bucket_count - 1);
}

static void
map_place(struct map *map, struct map_node *node)
{
    size_t index = map_index(map, node->hash);

    node->next = map->buckets[index];
    map->buckets[index] = node;
    if (index < map->first_used)
        map->first_used = index;
}

static void
map_grow(struct map *map)
{
    struct map old = *map;

    map->bucket_count = old.bucket_count == 0 ? BUCKETS_LEAST : old.bucket_count * 2;
    map->buckets = mem_new(map->bucket_count * sizeof(struct map_node *));
    map->first_used = map->bucket_count;
    for (size_t i = old.first_used; i < old.bucket_count; i++) {
        struct map_node *node = old.buckets[i];

        while (node != NULL) {
            struct map_node *next = node->next;

            map_place(map, node);
            node = next;
        }
    }
    free(old.buckets);
}

void
map_add(struct map *map, struct map_node *node, uint64_t hash)
{
    if (map->count == map->bucket_count)
        map_grow(map);
    node->hash = hash;
    map_place(map, node);
    map->count++;
}

void
map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at;

    assert(map->count > 0);
    at = &map->buckets[map_index(map, node->hash)];
    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    map->count--;
}

struct map_node *
map_find(const struct map *map, uint64_t hash, map_same *same, const void *key)
{
    if (map->count == 0)
        return NULL;
    for (struct map_node *node = map->buckets[map_index(map, hash)]; node != NULL; node = node->next) {
        if (node->hash == hash && same(node, key))
            return node;
    }
    return NULL;
}

/* The first node in the buckets from FROM on. */
static struct map_node *
map_first_from(const struct map *map, size_t from)
{
    for (size_t i = from; i < map->bucket_count; i++) {
        if (map->buckets[i] != NULL)
            return map->buckets[i];
    }
    return NULL;
}

struct map_node *
map_next(const struct map *map, const struct map_node *after)
{
    if (after == NULL)
        return map_first_from(map, map->first_used);
    if (after->next != NULL)
        return after->next;
    return map_first_from(map, map_index(map, after->hash) + 1);
}

struct map_node *
map_take_any(struct map *map)
{
    struct map_node *node = map_first_from(map, map->first_used);

    if (node == NULL)
        return NULL;
    map->first_used = map_index(map, node->hash);
    map_remove(map, node);
    return node;
}
