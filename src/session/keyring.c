/* keyring.c - maps under one lock: verifiers for clients, keys and secrets learnt from clients, keys derived for servers. */
#include "pgweir/session/keyring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"

#define MOST_DERIVED \
    4096u /* keys in one map; beyond it everything is forgotten and derived again when asked */
#define MOST_LEARNT \
    100000u /* likewise; but what a login has revealed is known again only after the next one */

struct key {
    struct map_node in_map;
    char *name;   /* user, or password for derived keys; secret either way */
    char *stored; /* the secret that a verifier was made from; NULL in the other maps */
    struct scram_keys keys;
};

struct keyring {
    pthread_mutex_t lock;
    struct map verifiers; /* by user */
    struct map learnt;    /* by user, or by user and database */
    struct map secrets;   /* by user and database; only `stored` */
    struct map refused;   /* by user and hosts; only `stored` */
    struct map derived;   /* by password, salt and iterations */
    uint8_t mock_secret[32];
    uint8_t nonce_salt[16]; /* salt of the verifiers that we make */
};

struct keyring *
keyring_new(void)
{
    struct keyring *k = mem_new(sizeof *k);

    pthread_mutex_init(&k->lock, NULL);
    map_init(&k->verifiers);
    map_init(&k->learnt);
    map_init(&k->secrets);
    map_init(&k->refused);
    map_init(&k->derived);
    random_secret(k->mock_secret, sizeof k->mock_secret);
    random_secret(k->nonce_salt, sizeof k->nonce_salt);
    return k;
}

static void
key_free(struct key *key)
{
    mem_free_secret(key->name);
    mem_free_secret(key->stored);
    mem_wipe(&key->keys, sizeof key->keys);
    free(key);
}

static void
empty(struct map *map)
{
    struct map_node *node;

    while ((node = map_take_any(map)) != NULL)
        key_free(CONTAINER_OF(node, struct key, in_map));
}

void
keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    empty(&k->verifiers);
    empty(&k->learnt);
    empty(&k->secrets);
    empty(&k->refused);
    empty(&k->derived);
    map_fini(&k->verifiers);
    map_fini(&k->learnt);
    map_fini(&k->secrets);
    map_fini(&k->refused);
    map_fini(&k->derived);
    pthread_mutex_destroy(&k->lock);
    mem_wipe(k, sizeof *k);
    free(k);
}

/* What a look-up compares; unused parts are NULL or empty. */
struct wanted {
    const char *name;
    const char *stored;
    struct slice salt;
    uint32_t iterations; /* 0: any */
};

static bool
same(const struct map_node *node, const void *arg)
{
    const struct key *key = CONTAINER_OF((struct map_node *)(uintptr_t)node, struct key, in_map);
    const struct wanted *w = arg;

    return strcmp(key->name, w->name) == 0 && (w->stored == NULL || strcmp(key->stored, w->stored) == 0) &&
           (w->iterations == 0 || key->keys.iterations == w->iterations) &&
           (w->salt.len == 0 || slice_equal(slice_of(key->keys.salt, key->keys.salt_len), w->salt));
}

static bool
look_up(struct keyring *k, const struct map *map, const struct wanted *w, struct scram_keys *out)
{
    struct map_node *node;

    pthread_mutex_lock(&k->lock);
    node = map_find(map, map_hash(slice_of_text(w->name)), same, w);
    if (node != NULL)
        *out = CONTAINER_OF(node, struct key, in_map)->keys;
    pthread_mutex_unlock(&k->lock);
    return node != NULL;
}

/* Replaces what MAP has under NAME (and, where they count, salt and iterations: see W). */
static void
keep(struct keyring *k, struct map *map, const struct wanted *w, const struct scram_keys *keys)
{
    struct key *key = mem_new(sizeof *key);
    uint64_t hash = map_hash(slice_of_text(w->name));
    struct wanted twin = *w;
    struct map_node *old;

    key->name = mem_text(w->name);
    key->stored = mem_text(w->stored);
    key->keys = *keys;
    twin.stored = NULL;
    pthread_mutex_lock(&k->lock);
    if (map->count >= (map == &k->learnt || map == &k->secrets ? MOST_LEARNT : MOST_DERIVED))
        empty(map);
    old = map_find(map, hash, same, &twin);
    if (old != NULL)
        map_remove(map, old);
    map_add(map, &key->in_map, hash);
    pthread_mutex_unlock(&k->lock);
    if (old != NULL)
        key_free(CONTAINER_OF(old, struct key, in_map));
}

bool
keyring_verifier(struct keyring *k, const char *user, const char *stored, uint32_t iterations,
                 struct scram_keys *out)
{
    struct wanted w = { .name = user, .stored = stored };

    if (stored != NULL && scram_verifier_read(stored, out, NULL) ==
                              ERR_NONE) /* before all else, so that it is read only once */
        return true;
    switch (secret_kind_of(stored)) {
    case SECRET_SCRAM: /* with more salt than we take */
        return false;
    case SECRET_PLAIN:
        if (look_up(k, &k->verifiers, &w, out))
            return true;
        /* The salt differs per user, or equal passwords would show as equal verifiers. */
        {
            uint64_t tweak = map_hash_after(map_hash(slice_of(k->nonce_salt, 16)), slice_of_text(user));
            uint8_t salt[16];

            memcpy(salt, k->nonce_salt, sizeof salt);
            for (unsigned i = 0; i < 8; i++)
                salt[i] ^= (uint8_t)(tweak >> (8 * i));
            scram_derive(stored, slice_of(salt, sizeof salt), iterations, out);
        }
        keep(k, &k->verifiers, &w, out);
        return true;
    case SECRET_NONE:
    case SECRET_MD5:
        break;
    }
    return false;
}

void
keyring_mock(struct keyring *k, const char *user, uint32_t iterations, struct scram_keys *out)
{
    scram_mock(slice_of(k->mock_secret, sizeof k->mock_secret), user, iterations, out);
}

void
keyring_learn(struct keyring *k, const char *user, const struct scram_keys *keys)
{
    struct scram_keys known;

    if (keyring_learnt(k, user, &known) && secret_equal(known.client_key, keys->client_key, SCRAM_KEY) &&
        known.salt_len == keys->salt_len && memcmp(known.salt, keys->salt, known.salt_len) == 0)
        return;
    keep(k, &k->learnt, &(struct wanted){ .name = user }, keys);
}

bool
keyring_learnt(struct keyring *k, const char *user, struct scram_keys *out)
{
    return look_up(k, &k->learnt, &(struct wanted){ .name = user }, out);
}

/* The name of a user of a database; owned by the caller. */
static char *
scoped(const char *database, const char *user)
{
    return mem_format("%s\n%s", user, database);
}

void
keyring_learn_in(struct keyring *k, const char *database, const char *user, const struct scram_keys *keys)
{
    char *name = scoped(database, user);

    keyring_learn(k, name, keys);
    free(name);
}

bool
keyring_learnt_in(struct keyring *k, const char *database, const char *user, struct scram_keys *out)
{
    char *name = scoped(database, user);
    bool is_known = keyring_learnt(k, name, out);

    free(name);
    return is_known;
}

void
keyring_learn_secret(struct keyring *k, const char *database, const char *user, const char *secret)
{
    static const struct scram_keys no_keys;
    char *name = scoped(database, user);

    keep(k, &k->secrets, &(struct wanted){ .name = name, .stored = secret }, &no_keys);
    free(name);
}

char *
keyring_learnt_secret(struct keyring *k, const char *database, const char *user)
{
    char *name = scoped(database, user);
    struct wanted w = { .name = name };
    struct map_node *node;
    char *secret = NULL;

    pthread_mutex_lock(&k->lock);
    node = map_find(&k->secrets, map_hash(slice_of_text(name)), same, &w);
    if (node != NULL)
        secret = mem_text(CONTAINER_OF(node, struct key, in_map)->stored);
    pthread_mutex_unlock(&k->lock);
    free(name);
    return secret;
}

void
keyring_note_refused(struct keyring *k, const char *hosts, const char *user, const char *secret)
{
    static const struct scram_keys no_keys;
    char *name = scoped(hosts, user);

    keep(k, &k->refused, &(struct wanted){ .name = name, .stored = secret }, &no_keys);
    free(name);
}

bool
keyring_was_refused(struct keyring *k, const char *hosts, const char *user, const char *secret)
{
    char *name = scoped(hosts, user);
    struct scram_keys unused;
    bool was_refused = look_up(k, &k->refused, &(struct wanted){ .name = name, .stored = secret }, &unused);

    free(name);
    return was_refused;
}

void
keyring_derive(struct keyring *k, const char *password, struct slice salt, uint32_t iterations,
               struct scram_keys *out)
{
    struct wanted w = { .name = password, .salt = salt, .iterations = iterations };

    if (look_up(k, &k->derived, &w, out))
        return;
    scram_derive(password, salt, iterations, out);
    keep(k, &k->derived, &w, out);
}
