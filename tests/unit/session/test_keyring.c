/* test_keyring.c - keys are derived once, found again, never mixed up, by one thread and by several. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/mem.h"
#include "pgweir/session/keyring.h"

void suite_keyring(void);

#define FAST 1u /* iterations: mathematics is not what is tested here */
#define SLOW 200000u

/* RFC 7677, "pencil" with a salt of its example */
#define VERIFIER                                                                                \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static bool
same_keys(const struct scram_keys *a, const struct scram_keys *b)
{
    return memcmp(a->stored_key, b->stored_key, SCRAM_KEY) == 0 &&
           memcmp(a->server_key, b->server_key, SCRAM_KEY) == 0 && a->iterations == b->iterations &&
           a->salt_len == b->salt_len && memcmp(a->salt, b->salt, a->salt_len) == 0;
}

static bool
fits(const struct scram_keys *keys, const char *password)
{
    struct scram_keys mine;

    scram_derive(password, slice_of(keys->salt, keys->salt_len), keys->iterations, &mine);
    return same_keys(keys, &mine);
}

static void
a_plain_secret_becomes_a_verifier_that_its_password_fits(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys first;
    struct scram_keys again;

    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "wonderland", FAST, &first));
    CU_ASSERT_TRUE(fits(&first, "wonderland"));
    CU_ASSERT_FALSE(fits(&first, "Wonderland"));
    CU_ASSERT_EQUAL(first.salt_len, 16);
    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "wonderland", FAST, &again));
    CU_ASSERT_TRUE(same_keys(&first, &again));
    keyring_free(k);
}

static void
equal_passwords_do_not_show_as_equal_verifiers(void)
{
    struct keyring *k = keyring_new();
    struct keyring *other = keyring_new();
    struct scram_keys alice;
    struct scram_keys bob;
    struct scram_keys elsewhere;

    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "secret", FAST, &alice));
    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "bob", "secret", FAST, &bob));
    CU_ASSERT_TRUE_FATAL(keyring_verifier(other, "alice", "secret", FAST, &elsewhere));
    CU_ASSERT_FALSE(same_keys(&alice, &bob));
    CU_ASSERT_NOT_EQUAL(memcmp(alice.salt, bob.salt, 16), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(alice.salt, elsewhere.salt, 16), 0);
    keyring_free(k);
    keyring_free(other);
}

static void
a_changed_secret_counts_at_once(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys keys;

    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "old", FAST, &keys));
    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "new", FAST, &keys));
    CU_ASSERT_TRUE(fits(&keys, "new"));
    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "alice", "old", FAST, &keys));
    CU_ASSERT_TRUE(fits(&keys, "old"));
    keyring_free(k);
}

static void
a_stored_verifier_is_taken_as_it_is(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys keys;

    CU_ASSERT_TRUE_FATAL(keyring_verifier(k, "user", VERIFIER, FAST, &keys));
    CU_ASSERT_EQUAL(keys.iterations, 4096);
    CU_ASSERT_TRUE(fits(&keys, "pencil"));
    keyring_free(k);
}

static void
what_is_no_secret_for_scram_is_refused(void)
{
    static const char *const unfit[] = { "", "md5"
                                             "0123456789abcdef0123456789abcdef" };
    struct keyring *k = keyring_new();

    for (size_t i = 0; i < COUNT_OF(unfit); i++) {
        struct scram_keys keys = { .iterations = 77 };

        CU_ASSERT_FALSE(keyring_verifier(k, "alice", unfit[i], FAST, &keys));
        CU_ASSERT_EQUAL(keys.iterations, 77);
    }
    keyring_free(k);
}

static void
an_unknown_name_gets_the_same_mock_each_time(void)
{
    struct keyring *k = keyring_new();
    struct keyring *other = keyring_new();
    struct scram_keys first;
    struct scram_keys again;
    struct scram_keys bob;
    struct scram_keys elsewhere;

    keyring_mock(k, "mallory", 4096, &first);
    keyring_mock(k, "mallory", 4096, &again);
    keyring_mock(k, "bob", 4096, &bob);
    keyring_mock(other, "mallory", 4096, &elsewhere);
    CU_ASSERT_TRUE(same_keys(&first, &again));
    CU_ASSERT_FALSE(same_keys(&first, &bob));
    CU_ASSERT_FALSE(same_keys(&first, &elsewhere));
    CU_ASSERT_EQUAL(first.iterations, 4096);
    CU_ASSERT_EQUAL(first.salt_len, 16);
    keyring_free(k);
    keyring_free(other);
}

/* As a login leaves them behind. */
static struct scram_keys
keys_of(const char *password, const char *salt)
{
    struct scram_keys keys;

    scram_derive(password, slice_of_text(salt), FAST, &keys);
    return keys;
}

static void
what_a_login_revealed_is_remembered_for_its_user(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys alice = keys_of("one", "salt of alice");
    struct scram_keys bob = keys_of("two", "salt of bob");
    struct scram_keys found;

    CU_ASSERT_FALSE(keyring_learnt(k, "alice", &found));
    keyring_learn(k, "alice", &alice);
    keyring_learn(k, "bob", &bob);
    CU_ASSERT_TRUE_FATAL(keyring_learnt(k, "alice", &found));
    CU_ASSERT_TRUE(same_keys(&found, &alice));
    CU_ASSERT_EQUAL(memcmp(found.client_key, alice.client_key, SCRAM_KEY), 0);
    CU_ASSERT_TRUE(found.has_client_key);
    CU_ASSERT_TRUE_FATAL(keyring_learnt(k, "bob", &found));
    CU_ASSERT_TRUE(same_keys(&found, &bob));
    CU_ASSERT_FALSE(keyring_learnt(k, "carol", &found));
    keyring_free(k);
}

static void
the_last_login_counts(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys keys = keys_of("one", "salt");
    struct scram_keys salted_anew = keys_of("one", "pepper");
    struct scram_keys changed = keys_of("two", "pepper");
    struct scram_keys found;

    keyring_learn(k, "alice", &keys);
    keyring_learn(k, "alice", &keys);
    keyring_learn(k, "alice", &salted_anew);
    CU_ASSERT_TRUE_FATAL(keyring_learnt(k, "alice", &found));
    CU_ASSERT_TRUE(same_keys(&found, &salted_anew));
    keyring_learn(k, "alice", &changed);
    CU_ASSERT_TRUE_FATAL(keyring_learnt(k, "alice", &found));
    CU_ASSERT_TRUE(same_keys(&found, &changed));
    keyring_free(k);
}

static bool
derives_right(struct keyring *k, const char *password, const char *salt, uint32_t iterations)
{
    struct scram_keys got;
    struct scram_keys want;

    keyring_derive(k, password, slice_of_text(salt), iterations, &got);
    scram_derive(password, slice_of_text(salt), iterations, &want);
    return same_keys(&got, &want) && got.has_client_key &&
           memcmp(got.client_key, want.client_key, SCRAM_KEY) == 0;
}

static void
derived_keys_are_those_of_this_password_salt_and_count(void)
{
    static const char *const passwords[] = { "one", "two", "" };
    static const char *const salts[] = { "salt", "pepper", "salt and pepper" };
    struct keyring *k = keyring_new();

    for (unsigned round = 0; round < 2; round++)
        for (size_t p = 0; p < COUNT_OF(passwords); p++)
            for (size_t s = 0; s < COUNT_OF(salts); s++)
                for (uint32_t n = 1; n < 4; n++)
                    CU_ASSERT_TRUE(derives_right(k, passwords[p], salts[s], n));
    keyring_free(k);
}

static void
the_second_time_nothing_is_derived(void)
{
    struct keyring *k = keyring_new();
    struct clock clock = clock_real();
    struct scram_keys keys;
    uint64_t start_us = clock_now_us(&clock);
    uint64_t first_us;

    keyring_derive(k, "password", slice_of_text("salt"), SLOW, &keys);
    (void)keyring_verifier(k, "alice", "password", SLOW, &keys);
    first_us = clock_now_us(&clock) - start_us;
    start_us = clock_now_us(&clock);
    for (unsigned i = 0; i < 20; i++) {
        keyring_derive(k, "password", slice_of_text("salt"), SLOW, &keys);
        (void)keyring_verifier(k, "alice", "password", SLOW, &keys);
    }
    CU_ASSERT_TRUE(clock_now_us(&clock) - start_us < first_us);
    keyring_free(k);
}

static void
beyond_its_bound_it_forgets_and_goes_on(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys keys = keys_of("one", "salt");
    struct scram_keys found;
    bool good = true;

    for (unsigned i = 0; i < 10000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "user %u", i);
        good = good && derives_right(k, name, "salt", FAST) && keyring_verifier(k, name, name, FAST, &found);
    }
    CU_ASSERT_TRUE(good);
    for (unsigned i = 0; i <= 100000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "user %u", i);
        keyring_learn(k, name, &keys);
        good = good && keyring_learnt(k, name, &found) &&
               (i == 100000 || keyring_learnt(k, "user 0", &found));
    }
    CU_ASSERT_TRUE(good);
    CU_ASSERT_FALSE(keyring_learnt(k, "user 1", &found));
    keyring_free(k);
}

#define THREADS 4
#define ROUNDS 2000

struct thread {
    pthread_t id;
    struct keyring *keyring;
    unsigned number;
    bool good;
};

/* All threads use the same few names, and each checks that what it gets fits together. */
static void *
use_keyring(void *arg)
{
    struct thread *t = arg;

    t->good = true;
    for (unsigned i = 0; i < ROUNDS && t->good; i++) {
        struct scram_keys keys;
        char name[16];

        snprintf(name, sizeof(name), "user %u", (i + t->number) % 7);
        t->good = keyring_verifier(t->keyring, name, name, FAST, &keys) && fits(&keys, name) &&
                  derives_right(t->keyring, name, "salt", FAST);
        keys = keys_of(name, i % 2 == 0 ? "salt" : "pepper");
        keyring_learn(t->keyring, name, &keys);
        t->good = t->good && keyring_learnt(t->keyring, name, &keys) && fits(&keys, name);
        keyring_mock(t->keyring, name, FAST, &keys);
    }
    return NULL;
}

static void
threads_share_it(void)
{
    struct keyring *k = keyring_new();
    struct thread threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){ .keyring = k, .number = i };
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i].id, NULL, use_keyring, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        CU_ASSERT_TRUE(threads[i].good);
    }
    keyring_free(k);
}

static void
freeing_nothing_is_fine(void)
{
    keyring_free(NULL);
}

static void
users_of_two_databases_are_two(void)
{
    struct keyring *k = keyring_new();
    struct scram_keys one, two, found;
    char *secret;

    scram_derive("one", slice_of_text("salt"), FAST, &one);
    scram_derive("two", slice_of_text("salt"), FAST, &two);
    keyring_learn_in(k, "app", "alice", &one);
    keyring_learn_in(k, "shop", "alice", &two);
    CU_ASSERT_TRUE_FATAL(keyring_learnt_in(k, "app", "alice", &found));
    CU_ASSERT_TRUE(same_keys(&found, &one));
    CU_ASSERT_TRUE_FATAL(keyring_learnt_in(k, "shop", "alice", &found));
    CU_ASSERT_TRUE(same_keys(&found, &two));
    CU_ASSERT_FALSE(keyring_learnt(k, "alice", &found));
    CU_ASSERT_FALSE(keyring_learnt_in(k, "shop", "bob", &found));

    CU_ASSERT_PTR_NULL(keyring_learnt_secret(k, "app", "alice"));
    keyring_learn_secret(k, "app", "alice", "first");
    keyring_learn_secret(k, "app", "alice", "second");
    secret = keyring_learnt_secret(k, "app", "alice");
    CU_ASSERT_STRING_EQUAL(secret, "second");
    CU_ASSERT_PTR_NULL(keyring_learnt_secret(k, "shop", "alice"));
    mem_free_secret(secret);
    keyring_free(k);
}

static void
the_secret_refused_last_is_remembered(void)
{
    struct keyring *k = keyring_new();

    CU_ASSERT_FALSE(keyring_was_refused(k, "a:1", "alice", "new"));
    keyring_note_refused(k, "a:1", "alice", "new");
    CU_ASSERT_TRUE(keyring_was_refused(k, "a:1", "alice", "new"));
    CU_ASSERT_FALSE(keyring_was_refused(k, "a:1", "alice", "old"));
    CU_ASSERT_FALSE(keyring_was_refused(k, "b:1", "alice", "new"));
    keyring_note_refused(k, "a:1", "alice", "old");
    CU_ASSERT_FALSE(keyring_was_refused(k, "a:1", "alice", "new"));
    keyring_free(k);
}

void
suite_keyring(void)
{
    CU_pSuite suite = CU_add_suite("keyring", NULL, NULL);

    CU_ADD_TEST(suite, a_plain_secret_becomes_a_verifier_that_its_password_fits);
    CU_ADD_TEST(suite, equal_passwords_do_not_show_as_equal_verifiers);
    CU_ADD_TEST(suite, a_changed_secret_counts_at_once);
    CU_ADD_TEST(suite, a_stored_verifier_is_taken_as_it_is);
    CU_ADD_TEST(suite, what_is_no_secret_for_scram_is_refused);
    CU_ADD_TEST(suite, an_unknown_name_gets_the_same_mock_each_time);
    CU_ADD_TEST(suite, what_a_login_revealed_is_remembered_for_its_user);
    CU_ADD_TEST(suite, the_last_login_counts);
    CU_ADD_TEST(suite, derived_keys_are_those_of_this_password_salt_and_count);
    CU_ADD_TEST(suite, the_second_time_nothing_is_derived);
    CU_ADD_TEST(suite, beyond_its_bound_it_forgets_and_goes_on);
    CU_ADD_TEST(suite, users_of_two_databases_are_two);
    CU_ADD_TEST(suite, the_secret_refused_last_is_remembered);
    CU_ADD_TEST(suite, threads_share_it);
    CU_ADD_TEST(suite, freeing_nothing_is_fine);
}
