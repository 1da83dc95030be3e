/*
 * snapshot.c - interning by content under one lock. The lock is taken at a login, at a change of a setting
 * and when the last reference goes; the path of a transaction compares pointers.
 */
#include "pgweir/pool/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"

/* Pools come and go; who has been forgotten is asked again. */
#define MOST_APPROVALS 1024u

struct approval {
    struct approval *next;
    const void *pool;
    struct buf reported;
};

struct snapshot {
    struct map_node in_store;
    _Atomic unsigned refs;
    size_t count;
    size_t bytes; /* of text */
    bool disturbs;
    struct approval *approvals; /* owned; the latest first; under the store's lock */
    unsigned approval_count;
    char *text; /* name NUL value NUL …, names in lower case and in order; owned */
    struct buf scope;
    struct snapshot_pair pairs[];
};

struct snapshots {
    pthread_mutex_t lock;
    struct map by_content;
};

struct snapshots *
snapshots_new(void)
{
    struct snapshots *store = mem_new(sizeof *store);

    pthread_mutex_init(&store->lock, NULL);
    map_init(&store->by_content);
    return store;
}

void
snapshots_free(struct snapshots *store)
{
    if (store == NULL)
        return;
    map_fini(&store->by_content);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* --- making --- */

/* Copies TEXT to *AT, which moves on behind its NUL. */
static char *
put_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

/* Names that differ in case only must make one object. */
static char *
fold(char *name)
{
    for (char *p = name; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
    return name;
}

static bool is_disturbing(const struct snapshot_pair *pair);

static void
note_scope(struct snapshot *s, const struct snapshot_pair *pair)
{
    static const char *const names[] = { "search_path", "role", "session_authorization" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(pair->name, names[i]) == 0) {
            buf_add_u8(&s->scope, (uint8_t)i);
            buf_add_textz(&s->scope, pair->value);
        }
}

static struct snapshot *
snapshot_new(const struct snapshot_pair *pairs, size_t count, size_t bytes)
{
    struct snapshot *s = mem_new(sizeof *s + count * sizeof s->pairs[0]);
    char *at;

    atomic_init(&s->refs, 1);
    s->count = count;
    s->bytes = bytes;
    s->text = at = mem_new(bytes);
    for (size_t i = 0; i < count; i++) {
        s->pairs[i].name = fold(put_text(&at, pairs[i].name));
        s->pairs[i].value = put_text(&at, pairs[i].value);
        s->disturbs = s->disturbs || is_disturbing(&s->pairs[i]);
        note_scope(s, &s->pairs[i]);
    }
    return s;
}

static void
snapshot_free(struct snapshot *s)
{
    struct approval *a;

    while ((a = s->approvals) != NULL) {
        s->approvals = a->next;
        buf_release(&a->reported);
        free(a);
    }
    buf_release(&s->scope);
    free(s->text);
    free(s);
}

static bool
same_content(const struct map_node *node, const void *key)
{
    const struct snapshot *a = CONTAINER_OF_CONST(node, struct snapshot, in_store);
    const struct snapshot *b = key;

    return a->count == b->count && a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

/* Returns the store's own object of S's content, with a reference for the caller; S is used or freed. */
static const struct snapshot *
intern(struct snapshots *store, struct snapshot *s)
{
    uint64_t hash = map_hash(slice_of(s->text, s->bytes));
    struct map_node *node;
    struct snapshot *known = s;

    pthread_mutex_lock(&store->lock);
    node = map_find(&store->by_content, hash, same_content, s);
    if (node != NULL) {
        known = CONTAINER_OF(node, struct snapshot, in_store);
        atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
    } else {
        map_add(&store->by_content, &s->in_store, hash);
    }
    pthread_mutex_unlock(&store->lock);
    if (known != s)
        snapshot_free(s);
    return known;
}

/* Lays PAIR over SORTED, which has room for one more; returns the new count. */
static size_t
lay_over(struct snapshot_pair *sorted, size_t count, struct snapshot_pair pair)
{
    bool is_there;
    size_t at = 0;

    while (at < count && strcasecmp(sorted[at].name, pair.name) < 0)
        at++;
    is_there = at < count && strcasecmp(sorted[at].name, pair.name) == 0;
    if (pair.value == NULL) {
        if (!is_there)
            return count;
        memmove(sorted + at, sorted + at + 1, (count - at - 1) * sizeof *sorted);
        return count - 1;
    }
    if (is_there) {
        sorted[at].value = pair.value;
        return count;
    }
    memmove(sorted + at + 1, sorted + at, (count - at) * sizeof *sorted);
    sorted[at] = pair;
    return count + 1;
}

bool
snapshot_with(struct snapshots *store, const struct snapshot *base, const struct snapshot_pair *pairs,
              size_t count, const struct snapshot **out)
{
    struct snapshot_pair sorted[SNAPSHOT_MOST_SETTINGS + 1];
    size_t have = 0;
    size_t bytes = 0;

    for (size_t i = 0; base != NULL && i < base->count; i++)
        sorted[have++] = base->pairs[i];
    for (size_t i = 0; i < count; i++) {
        have = lay_over(sorted, have, pairs[i]);
        if (have > SNAPSHOT_MOST_SETTINGS)
            return false;
    }
    for (size_t i = 0; i < have; i++)
        bytes += strlen(sorted[i].name) + strlen(sorted[i].value) + 2;
    if (bytes > SNAPSHOT_MOST_BYTES)
        return false;
    *out = have == 0 ? NULL : intern(store, snapshot_new(sorted, have, bytes));
    return true;
}

/* The field is atomic, so counting is not a change of what the snapshot says. */
static _Atomic unsigned *
refs_of(const struct snapshot *s)
{
    return &((struct snapshot *)(uintptr_t)s)->refs;
}

const struct snapshot *
snapshot_hold(const struct snapshot *s)
{
    if (s != NULL)
        atomic_fetch_add_explicit(refs_of(s), 1, memory_order_relaxed);
    return s;
}

void
snapshot_drop(struct snapshots *store, const struct snapshot *s)
{
    struct snapshot *last = NULL;
    unsigned refs;

    if (s == NULL)
        return;
    /* Not the last one: no lock. The last is given up under the lock, or intern() could hand out what is
     * being freed. */
    refs = atomic_load_explicit(refs_of(s), memory_order_relaxed);
    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(refs_of(s), &refs, refs - 1, memory_order_release,
                                                  memory_order_relaxed))
            return;
    pthread_mutex_lock(&store->lock);
    if (atomic_fetch_sub_explicit(refs_of(s), 1, memory_order_acq_rel) == 1) {
        last = (struct snapshot *)(uintptr_t)s;
        map_remove(&store->by_content, &last->in_store);
    }
    pthread_mutex_unlock(&store->lock);
    if (last != NULL)
        snapshot_free(last);
}

static const struct snapshot_pair *
pair_of(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->count; i++)
        if (strcasecmp(s->pairs[i].name, name) == 0)
            return &s->pairs[i];
    return NULL;
}

const char *
snapshot_value(const struct snapshot *s, const char *name)
{
    const struct snapshot_pair *pair = pair_of(s, name);

    return pair == NULL ? NULL : pair->value;
}

struct slice
snapshot_scope(const struct snapshot *s)
{
    return s == NULL ? slice_of(NULL, 0) : buf_slice(&s->scope);
}

size_t
snapshot_count(const struct snapshot *s)
{
    return s == NULL ? 0 : s->count;
}

const struct snapshot_pair *
snapshot_pair_at(const struct snapshot *s, size_t i)
{
    return &s->pairs[i];
}

#define SHORT_MS 100u

/* A number of milliseconds, with or without its unit, between LEAST and MOST. */
static bool
is_ms_between(const char *value, unsigned long least, unsigned long most)
{
    char *end;
    unsigned long ms = strtoul(value, &end, 10);

    return end != value && (*end == '\0' || strcmp(end, "ms") == 0) && ms >= least && ms <= most;
}

static bool
is_disturbing(const struct snapshot_pair *pair)
{
    if (strcmp(pair->name, "statement_timeout") == 0 || strcmp(pair->name, "transaction_timeout") == 0)
        return is_ms_between(pair->value, 1, SHORT_MS);
    return strcmp(pair->name, "idle_session_timeout") == 0 && !is_ms_between(pair->value, 0, 0);
}

bool
snapshot_disturbs(const struct snapshot *s)
{
    return s->disturbs;
}

/* --- SQL ---
 *
 * One SELECT of set_config() does all, and NULL there is what RESET does. RESET itself takes an identifier,
 * and the server cuts those after 63 bytes: the setting of a longer name would stay for the next client.
 */

void
snapshot_write_literal(struct buf *sql, const char *text)
{
    buf_add_text(sql, "E'");
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t byte = (uint8_t)*p;

        if (byte >= 0x80) {
            buf_add_format(sql, "\\x%02X", byte);
            continue;
        }
        if (byte == '\'' || byte == '\\')
            buf_add_u8(sql, byte);
        buf_add_u8(sql, byte);
    }
    buf_add_text(sql, "'");
}

/* VALUE NULL: back to what the connection was born with. */
static void
write_setting(struct buf *sql, const char *name, const char *value, const char **start)
{
    buf_add_text(sql, *start);
    buf_add_text(sql, "pg_catalog.set_config(");
    snapshot_write_literal(sql, name);
    buf_add_text(sql, ",");
    if (value == NULL)
        buf_add_text(sql, "NULL");
    else
        snapshot_write_literal(sql, value);
    buf_add_text(sql, ",false)");
    *start = ",";
}

/* Who the session is decides what it may set: so these are put back before all others, and brought behind
 * them, the first of them first. */
static const char *const identities[] = { "session_authorization", "role" };

static bool
is_identity(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(identities); i++)
        if (strcasecmp(name, identities[i]) == 0)
            return true;
    return false;
}

void
snapshot_write_change(const struct snapshot *from, const struct snapshot *to, struct buf *sql)
{
    const char *start = "SELECT ";

    if (from == to)
        return;
    for (size_t i = COUNT_OF(identities); i-- > 0;)
        if (pair_of(from, identities[i]) != NULL)
            write_setting(sql, identities[i], NULL, &start);
    for (size_t i = 0; from != NULL && i < from->count; i++)
        if (!is_identity(from->pairs[i].name) && pair_of(to, from->pairs[i].name) == NULL)
            write_setting(sql, from->pairs[i].name, NULL, &start);
    for (size_t i = 0; to != NULL && i < to->count; i++) {
        const struct snapshot_pair *wanted = &to->pairs[i];
        const struct snapshot_pair *has = pair_of(from, wanted->name);

        if (!is_identity(wanted->name) && (has == NULL || strcmp(has->value, wanted->value) != 0))
            write_setting(sql, wanted->name, wanted->value, &start);
    }
    for (size_t i = 0; i < COUNT_OF(identities); i++)
        if (pair_of(to, identities[i]) != NULL)
            write_setting(sql, identities[i], pair_of(to, identities[i])->value, &start);
}

/* --- approval --- */

static struct approval *
approval_of_locked(const struct snapshot *s, const void *pool)
{
    struct approval *a = s->approvals;

    while (a != NULL && a->pool != pool)
        a = a->next;
    return a;
}

static void
forget_oldest_locked(struct snapshot *s)
{
    struct approval **at = &s->approvals;

    while ((*at)->next != NULL)
        at = &(*at)->next;
    buf_release(&(*at)->reported);
    free(*at);
    *at = NULL;
    s->approval_count--;
}

void
snapshot_approve(struct snapshots *store, const struct snapshot *s, const void *pool, struct slice reported)
{
    struct approval *a;

    if (s == NULL)
        return;
    pthread_mutex_lock(&store->lock);
    a = approval_of_locked(s, pool);
    if (a == NULL) {
        struct snapshot *mine = (struct snapshot *)(uintptr_t)s;

        a = mem_new(sizeof *a);
        a->pool = pool;
        buf_init(&a->reported);
        buf_add(&a->reported, reported);
        a->next = mine->approvals;
        mine->approvals = a;
        if (++mine->approval_count > MOST_APPROVALS)
            forget_oldest_locked(mine);
    }
    pthread_mutex_unlock(&store->lock);
}

bool
snapshot_is_approved(struct snapshots *store, const struct snapshot *s, const void *pool,
                     struct buf *reported)
{
    const struct approval *a;

    if (s == NULL)
        return true;
    pthread_mutex_lock(&store->lock);
    a = approval_of_locked(s, pool);
    if (a != NULL)
        buf_add(reported, buf_slice(&a->reported));
    pthread_mutex_unlock(&store->lock);
    return a != NULL;
}
