/* statement.c - interning under one lock, and each worker's cache in front of it. */
#include "pgweir/pool/statement.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"

#define OVERHEAD_BYTES 64u /* what malloc and the map add, roughly */

struct registry {
    pthread_mutex_t lock;
    struct map by_text;
    struct list all; /* statement.in_all */
    uint64_t last_id;
    size_t bytes;
    size_t most_bytes;
};

struct cached { /* a cache's entry */
    struct map_node in_cache;
    struct link in_lru;
    struct statement *statement; /* held */
};

struct registry *
registry_new(size_t most_bytes)
{
    struct registry *r = mem_new(sizeof *r);

    pthread_mutex_init(&r->lock, NULL);
    map_init(&r->by_text);
    list_init(&r->all);
    r->most_bytes = most_bytes;
    return r;
}

void
registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    map_fini(&r->by_text);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void
registry_set_bound(struct registry *r, size_t most_bytes)
{
    pthread_mutex_lock(&r->lock);
    r->most_bytes = most_bytes;
    pthread_mutex_unlock(&r->lock);
}

void
registry_look(struct registry *r, struct registry_totals *out)
{
    pthread_mutex_lock(&r->lock);
    *out = (struct registry_totals){ r->by_text.count, r->bytes, r->most_bytes };
    pthread_mutex_unlock(&r->lock);
}

/* --- statements --- */

struct text {
    struct slice tail;
    struct slice scope;
};

static uint64_t
hash_of(const struct text *text)
{
    return map_hash_after(map_hash(text->tail), text->scope);
}

static bool
is_text(const struct statement *s, const struct text *text)
{
    return slice_equal(statement_tail(s), text->tail) && slice_equal(statement_scope(s), text->scope);
}

static bool
same_in_registry(const struct map_node *node, const void *key)
{
    return is_text(CONTAINER_OF_CONST(node, struct statement, in_registry), key);
}

static bool
same_in_cache(const struct map_node *node, const void *key)
{
    return is_text(CONTAINER_OF_CONST(node, struct cached, in_cache)->statement, key);
}

static size_t
cost_of(const struct statement *s)
{
    return sizeof *s + s->tail_len + s->scope_len + OVERHEAD_BYTES;
}

/* The query at the beginning of TAIL. */
static struct slice
text_of(struct slice tail)
{
    return slice_of(tail.at, tail.len == 0 ? 0 : strnlen((const char *)tail.at, tail.len));
}

/* Whoever asks has its own idea of standard_conforming_strings: findings are those of both. */
static uint32_t
findings_of(struct slice text)
{
    struct sql_findings f;
    uint32_t flags;

    if (sql_is_harmless(text))
        return 0;
    sql_look(text, true, &f);
    flags = f.flags;
    if (text.len > 0 && memchr(text.at, '\\', text.len) != NULL) {
        sql_look(text, false, &f);
        flags |= f.flags;
    }
    return flags;
}

/* NULL when the bound is reached. */
static struct statement *
add_locked(struct registry *r, const struct text *text, uint64_t hash, uint32_t findings)
{
    size_t bytes = sizeof(struct statement) + text->tail.len + text->scope.len;
    struct statement *s;

    if (r->bytes + bytes + OVERHEAD_BYTES > r->most_bytes || (s = malloc(bytes)) == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    atomic_init(&s->refs, 0);
    s->registry = r;
    s->id = ++r->last_id;
    s->findings = findings;
    s->text_len = (uint32_t)text_of(text->tail).len;
    s->tail_len = (uint32_t)text->tail.len;
    s->scope_len = (uint32_t)text->scope.len;
    s->name_len = (uint8_t)(snprintf(s->name, sizeof s->name, "pgweir_%llu", (unsigned long long)s->id) + 1);
    memcpy(s->bytes, text->tail.at, text->tail.len);
    if (text->scope.len > 0)
        memcpy(s->bytes + s->tail_len, text->scope.at, text->scope.len);
    map_add(&r->by_text, &s->in_registry, hash);
    link_init(&s->in_all);
    list_push_last(&r->all, &s->in_all);
    r->bytes += cost_of(s);
    return s;
}

static struct statement *
intern(struct registry *r, const struct text *text, uint64_t hash, uint32_t findings)
{
    struct statement *s;
    struct map_node *node;

    pthread_mutex_lock(&r->lock);
    node = map_find(&r->by_text, hash, same_in_registry, text);
    s = node != NULL ? CONTAINER_OF(node, struct statement, in_registry)
                     : add_locked(r, text, hash, findings);
    (void)statement_hold(s);
    pthread_mutex_unlock(&r->lock);
    return s;
}

struct statement *
statement_hold(struct statement *s)
{
    if (s != NULL)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void
statement_drop(struct statement *s)
{
    struct registry *r;
    unsigned refs;
    bool is_last;

    if (s == NULL)
        return;
    /* Not the last one: no lock. The last is given up under the lock, or intern() could hand out what is
     * being freed. */
    refs = atomic_load_explicit(&s->refs, memory_order_relaxed);
    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&s->refs, &refs, refs - 1, memory_order_release,
                                                  memory_order_relaxed))
            return;
    r = s->registry;
    pthread_mutex_lock(&r->lock);
    is_last = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1;
    if (is_last) {
        map_remove(&r->by_text, &s->in_registry);
        link_remove(&s->in_all);
        r->bytes -= cost_of(s);
    }
    pthread_mutex_unlock(&r->lock);
    if (is_last)
        free(s);
}

/* --- listing --- */

struct statement *
registry_list(struct registry *r, struct statement *after, size_t most,
              void (*each)(void *arg, const struct statement *s), void *arg)
{
    struct statement *last = NULL;
    struct link *l;

    pthread_mutex_lock(&r->lock);
    l = after == NULL ? list_first(&r->all) : list_next(&r->all, &after->in_all);
    for (size_t i = 0; l != NULL && i < most; i++, l = list_next(&r->all, l)) {
        last = CONTAINER_OF(l, struct statement, in_all);
        each(arg, last);
    }
    last = l == NULL ? NULL : statement_hold(last);
    pthread_mutex_unlock(&r->lock);
    statement_drop(after);
    return last;
}

/* --- a worker's cache --- */

void
statement_cache_init(struct statement_cache *cache, struct registry *registry, size_t most_bytes)
{
    *cache = (struct statement_cache){ .registry = registry, .most_bytes = most_bytes };
    map_init(&cache->by_text);
    list_init(&cache->lru);
}

void
statement_cache_set_bound(struct statement_cache *cache, size_t most_bytes)
{
    cache->most_bytes = most_bytes; /* the next statement that it meets pushes out what is too much */
}

static void
forget_oldest(struct statement_cache *cache)
{
    struct cached *oldest = CONTAINER_OF(list_last(&cache->lru), struct cached, in_lru);

    link_remove(&oldest->in_lru);
    map_remove(&cache->by_text, &oldest->in_cache);
    cache->bytes -= cost_of(oldest->statement);
    statement_drop(oldest->statement);
    free(oldest);
}

void
statement_cache_fini(struct statement_cache *cache)
{
    while (!list_is_empty(&cache->lru))
        forget_oldest(cache);
    map_fini(&cache->by_text);
}

/* One that is larger than the whole cache would drive all others out and go itself with the next. */
static void
remember(struct statement_cache *cache, struct statement *s, uint64_t hash)
{
    struct cached *entry;

    if (cost_of(s) > cache->most_bytes)
        return;
    entry = mem_new(sizeof *entry);
    entry->statement = statement_hold(s);
    link_init(&entry->in_lru);
    map_add(&cache->by_text, &entry->in_cache, hash);
    list_push_first(&cache->lru, &entry->in_lru);
    cache->bytes += cost_of(s);
    while (cache->bytes > cache->most_bytes)
        forget_oldest(cache);
}

struct statement *
statement_take(struct statement_cache *cache, struct slice tail, struct slice scope)
{
    struct text text = { tail, scope };
    uint64_t hash = hash_of(&text);
    struct map_node *node = map_find(&cache->by_text, hash, same_in_cache, &text);
    struct statement *s;
    uint32_t findings;

    if (node != NULL) {
        struct cached *entry = CONTAINER_OF(node, struct cached, in_cache);

        if (list_first(&cache->lru) != &entry->in_lru) {
            link_remove(&entry->in_lru);
            list_push_first(&cache->lru, &entry->in_lru);
        }
        return statement_hold(entry->statement);
    }
    findings = findings_of(text_of(tail));
    s = intern(cache->registry, &text, hash, findings);
    while (s == NULL && !list_is_empty(&cache->lru)) { /* what only the cache keeps makes room */
        forget_oldest(cache);
        s = intern(cache->registry, &text, hash, findings);
    }
    if (s != NULL)
        remember(cache, s, hash);
    return s;
}
