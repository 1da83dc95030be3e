/*
 * audit.c - see audit.h.
 *
 * Fingerprints stand in buckets of four. A reader compares four numbers; a writer, under the lock, writes the
 * flags before the fingerprint. A reader that comes between sees the old text with the new flags at worst:
 * one question too many.
 */
#include "pgweir/pool/audit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/clock.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/base/text.h"
#include "pgweir/config/option.h"
#include "shard_impl.h"

#define WAYS 4u
#define BUCKETS (AUDIT_FINGERPRINTS_MOST / WAYS)
#define ALERT_RELEASES 256u
#define ALERT_EVERY_US (UINT64_C(60) * US_PER_S)
#define NAMES_EVERY_US (UINT64_C(10) * US_PER_S)

struct learned_text {
    _Atomic uint64_t fingerprint; /* 0: the place is free */
    _Atomic uint32_t flags;
    _Atomic uint32_t vain_runs;
};

struct learned {
    _Atomic unsigned text_count;
    struct learned_text texts[AUDIT_FINGERPRINTS_MOST];
    _Atomic unsigned name_count; /* names before it are never changed again */
    char *names[AUDIT_NAMES_MOST];
    _Atomic uint64_t names_epoch;
    _Atomic uint64_t names_due_us;
    pthread_mutex_t lock; /* for writers */
};

struct learned *
learned_new(void)
{
    struct learned *l = mem_new(sizeof *l);

    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void
learned_free(struct learned *l)
{
    for (unsigned i = 0; i < atomic_load(&l->name_count); i++)
        free(l->names[i]);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* --- how often --- */

bool
shard_audits_always(const struct shard *s)
{
    return s->route->session_audit == FRACTION_ONE || (s->audit.alert > 0 && s->route->session_audit > 0);
}

/* The distance to the next one, 1 / fraction on the average. */
static bool
draw(struct shard *s)
{
    unsigned fraction = s->route->session_audit;
    bool is_reached = fraction == s->audit.fraction;

    s->audit.fraction = fraction;
    s->audit.left = UINT32_MAX;
    if (fraction == 0)
        return false;
    if (fraction == FRACTION_ONE || s->audit.alert > 0) {
        s->audit.alert -= s->audit.alert > 0;
        s->audit.left = 1;
        return true;
    }
    s->audit.left = (uint32_t)random_between(&s->random, 1, 2 * (uint64_t)FRACTION_ONE / fraction - 1);
    return is_reached;
}

bool
shard_audit_is_due(struct shard *s)
{
    if (LIKELY(s->audit.fraction == s->route->session_audit && --s->audit.left > 0))
        return false;
    return draw(s);
}

bool
shard_audit_alert(struct shard *s, uint64_t now_us)
{
    if (now_us < s->audit.alert_due_us)
        return false;
    s->audit.alert_due_us = now_us + ALERT_EVERY_US;
    s->audit.alert = ALERT_RELEASES;
    s->audit.left = 1;
    return true;
}

/* --- texts --- */

static struct learned_text *
bucket_of(const struct shard *s, uint64_t fingerprint)
{
    return &s->pool->learned->texts[fingerprint % BUCKETS * WAYS];
}

static struct learned_text *
find(const struct shard *s, uint64_t fingerprint)
{
    struct learned_text *bucket = bucket_of(s, fingerprint);

    for (unsigned i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&bucket[i].fingerprint, memory_order_relaxed) == fingerprint)
            return &bucket[i];
    return NULL;
}

bool
shard_has_learned(const struct shard *s)
{
    return atomic_load_explicit(&s->pool->learned->text_count, memory_order_relaxed) > 0;
}

uint32_t
shard_learned(const struct shard *s, uint64_t fingerprint)
{
    const struct learned_text *text = find(s, fingerprint);

    return text == NULL ? 0 : atomic_load_explicit(&text->flags, memory_order_relaxed);
}

/* A free place of the bucket, else that which was of no use longest. */
static struct learned_text *
place_locked(struct shard *s, uint64_t fingerprint)
{
    struct learned_text *bucket = bucket_of(s, fingerprint);
    struct learned_text *best = bucket;

    for (unsigned i = 0; i < WAYS; i++) {
        if (atomic_load_explicit(&bucket[i].fingerprint, memory_order_relaxed) == 0) {
            atomic_fetch_add_explicit(&s->pool->learned->text_count, 1, memory_order_relaxed);
            return &bucket[i];
        }
        if (atomic_load_explicit(&bucket[i].vain_runs, memory_order_relaxed) >
            atomic_load_explicit(&best->vain_runs, memory_order_relaxed))
            best = &bucket[i];
    }
    return best;
}

bool
shard_learn(struct shard *s, uint64_t fingerprint, uint32_t flags)
{
    struct learned *l = s->pool->learned;
    struct learned_text *text;
    bool is_news;

    pthread_mutex_lock(&l->lock);
    text = find(s, fingerprint);
    if (text == NULL) {
        text = place_locked(s, fingerprint);
        atomic_store_explicit(&text->flags, 0, memory_order_relaxed);
        atomic_store_explicit(&text->fingerprint, fingerprint, memory_order_relaxed);
    }
    is_news = (flags & ~atomic_fetch_or_explicit(&text->flags, flags, memory_order_relaxed)) != 0;
    atomic_store_explicit(&text->vain_runs, 0, memory_order_relaxed);
    pthread_mutex_unlock(&l->lock);
    return is_news;
}

void
shard_learned_ran(struct shard *s, uint64_t fingerprint, bool was_right)
{
    struct learned *l = s->pool->learned;
    struct learned_text *text = find(s, fingerprint);

    if (text == NULL)
        return;
    if (was_right) {
        atomic_store_explicit(&text->vain_runs, 0, memory_order_relaxed);
        return;
    }
    if (atomic_fetch_add_explicit(&text->vain_runs, 1, memory_order_relaxed) + 1 < AUDIT_VAIN_RUNS)
        return;
    pthread_mutex_lock(&l->lock);
    if (atomic_load_explicit(&text->fingerprint, memory_order_relaxed) == fingerprint) {
        atomic_store_explicit(&text->fingerprint, 0, memory_order_relaxed);
        atomic_fetch_sub_explicit(&l->text_count, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&l->lock);
}

/* --- names --- */

const char *
shard_learned_name(const struct shard *s, unsigned i)
{
    const struct learned *l = s->pool->learned;

    return i < atomic_load_explicit(&l->name_count, memory_order_acquire) ? l->names[i] : NULL;
}

static bool
is_known(const struct shard *s, const char *name)
{
    const char *known;

    for (unsigned i = 0; (known = shard_learned_name(s, i)) != NULL; i++)
        if (text_equal_nocase(known, name))
            return true;
    return false;
}

void
shard_learn_name(struct shard *s, const char *name)
{
    struct learned *l = s->pool->learned;
    unsigned count;

    if (LIKELY(is_known(s, name)))
        return;
    pthread_mutex_lock(&l->lock);
    count = atomic_load_explicit(&l->name_count, memory_order_relaxed);
    if (count < AUDIT_NAMES_MOST && !is_known(s, name)) {
        l->names[count] = mem_text(name);
        atomic_store_explicit(&l->name_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&l->lock);
}

bool
shard_names_are_due(struct shard *s, uint64_t epoch, uint64_t now_us)
{
    struct learned *l = s->pool->learned;
    uint64_t due_us = atomic_load_explicit(&l->names_due_us, memory_order_relaxed);

    if (now_us < due_us && atomic_load_explicit(&l->names_epoch, memory_order_relaxed) == epoch)
        return false;
    atomic_store_explicit(&l->names_epoch, epoch, memory_order_relaxed);
    atomic_store_explicit(&l->names_due_us, now_us + NAMES_EVERY_US, memory_order_relaxed);
    return true;
}
