#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/siphash_impl.h"
#include "pgweir/base/attr.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"

void suite_map(void);

struct item {
    struct map_node in_map;
    unsigned key;
    bool seen;
};

static uint64_t
hash_of(unsigned key)
{
    return map_hash(slice_of(&key, sizeof(key)));
}

static bool
has_key(const struct map_node *node, const void *key)
{
    return CONTAINER_OF_CONST(node, struct item, in_map)->key == *(const unsigned *)key;
}

static struct item *
find(const struct map *map, unsigned key)
{
    struct map_node *node = map_find(map, hash_of(key), has_key, &key);

    return node == NULL ? NULL : CONTAINER_OF(node, struct item, in_map);
}

/* COUNT items with the keys 0, 1, … */
static struct item *
items_in(struct map *map, unsigned count)
{
    struct item *items = mem_new(count * sizeof(*items));

    map_init(map);
    for (unsigned i = 0; i < count; i++) {
        items[i].key = i;
        map_add(map, &items[i].in_map, hash_of(i));
    }
    return items;
}

static void
an_empty_map_has_nothing_to_give(void)
{
    struct map map;

    map_init(&map);
    CU_ASSERT_PTR_NULL(find(&map, 1));
    CU_ASSERT_PTR_NULL(map_next(&map, NULL));
    CU_ASSERT_PTR_NULL(map_take_any(&map));
    CU_ASSERT_PTR_NULL(map.buckets);
    map_fini(&map);
}

static void
every_node_is_found_again_however_the_map_grew(void)
{
    struct map map;
    struct item *items = items_in(&map, 5000);
    bool all = true;

    for (unsigned i = 0; i < 5000; i++)
        all = all && find(&map, i) == &items[i];
    CU_ASSERT_TRUE(all);
    CU_ASSERT_PTR_NULL(find(&map, 5000));
    CU_ASSERT_EQUAL(map.count, 5000);
    CU_ASSERT_TRUE(map.bucket_count >= map.count);
    map_fini(&map);
    free(items);
}

static void
a_removed_node_is_gone_and_the_others_stay(void)
{
    struct map map;
    struct item *items = items_in(&map, 1000);
    bool right = true;

    for (unsigned i = 0; i < 1000; i += 2)
        map_remove(&map, &items[i].in_map);
    for (unsigned i = 0; i < 1000; i++)
        right = right && find(&map, i) == (i % 2 == 0 ? NULL : &items[i]);
    CU_ASSERT_TRUE(right);
    CU_ASSERT_EQUAL(map.count, 500);
    map_add(&map, &items[0].in_map, hash_of(0));
    CU_ASSERT_PTR_EQUAL(find(&map, 0), &items[0]);
    map_fini(&map);
    free(items);
}

static void
nodes_of_one_hash_are_told_apart_by_their_keys(void)
{
    struct map map;
    struct item items[20];
    unsigned key;

    map_init(&map);
    for (unsigned i = 0; i < COUNT_OF(items); i++) {
        items[i].key = i;
        map_add(&map, &items[i].in_map, 77);
    }
    for (key = 0; key < COUNT_OF(items); key++)
        CU_ASSERT_PTR_EQUAL(map_find(&map, 77, has_key, &key), &items[key].in_map);
    CU_ASSERT_PTR_NULL(map_find(&map, 77, has_key, &key));
    map_remove(&map, &items[10].in_map);
    map_remove(&map, &items[0].in_map);
    map_remove(&map, &items[19].in_map);
    key = 10;
    CU_ASSERT_PTR_NULL(map_find(&map, 77, has_key, &key));
    key = 11;
    CU_ASSERT_PTR_EQUAL(map_find(&map, 77, has_key, &key), &items[11].in_map);
    map_fini(&map);
}

static void
a_walk_meets_every_node_once(void)
{
    struct map map;
    struct item *items = items_in(&map, 777);
    size_t count = 0;
    bool twice = false;

    for (struct map_node *n = map_next(&map, NULL); n != NULL; n = map_next(&map, n)) {
        struct item *item = CONTAINER_OF(n, struct item, in_map);

        twice = twice || item->seen;
        item->seen = true;
        count++;
    }
    CU_ASSERT_EQUAL(count, 777);
    CU_ASSERT_FALSE(twice);
    map_fini(&map);
    free(items);
}

static void
taking_any_empties_the_map_and_frees_are_fine_meanwhile(void)
{
    struct map map;
    struct map_node *node;
    size_t count = 0;

    map_init(&map);
    for (unsigned i = 0; i < 1000; i++) {
        struct item *item = mem_new(sizeof(*item));

        map_add(&map, &item->in_map, hash_of(i));
    }
    while ((node = map_take_any(&map)) != NULL) {
        free(CONTAINER_OF(node, struct item, in_map));
        count++;
    }
    CU_ASSERT_EQUAL(count, 1000);
    CU_ASSERT_EQUAL(map.count, 0);
    map_fini(&map);
}

static void
nodes_added_while_emptying_are_taken_too(void)
{
    struct map map;
    struct item *items = items_in(&map, 64);
    struct item late[64];
    size_t count = 0;

    for (unsigned i = 0; i < 32; i++)
        CU_ASSERT_PTR_NOT_NULL(map_take_any(&map));
    for (unsigned i = 0; i < 64; i++)
        map_add(&map, &late[i].in_map, hash_of(1000 + i));
    while (map_take_any(&map) != NULL)
        count++;
    CU_ASSERT_EQUAL(count, 32 + 64);
    map_fini(&map);
    free(items);
}

static void
emptying_a_map_walks_it_once_and_not_once_per_node(void)
{
    struct map map;
    struct item *items = items_in(&map, 4096);

    for (unsigned i = 0; i < 2048; i++)
        CU_ASSERT_PTR_NOT_NULL(map_take_any(&map));
    /* The search for the next one begins about half way. */
    CU_ASSERT_TRUE(map.first_used > map.bucket_count / 4);
    CU_ASSERT_TRUE(map.first_used < map.bucket_count);
    map_fini(&map);
    free(items);
}

static void
hashes_depend_on_every_byte_and_on_the_length(void)
{
    uint8_t bytes[40] = { 0 };

    for (size_t len = 0; len < sizeof(bytes); len++) {
        uint64_t hash = map_hash(slice_of(bytes, len));

        CU_ASSERT_EQUAL(hash, map_hash(slice_of(bytes, len)));
        CU_ASSERT_NOT_EQUAL(hash, map_hash(slice_of(bytes, len + 1)));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            CU_ASSERT_NOT_EQUAL(hash, map_hash(slice_of(bytes, len)));
            bytes[i] = 0;
        }
    }
}

static void
two_keys_are_chained_in_their_order(void)
{
    struct slice a = slice_of_text("app"), b = slice_of_text("bpp");

    CU_ASSERT_EQUAL(map_hash_after(map_hash(a), b), map_hash_after(map_hash(a), b));
    CU_ASSERT_NOT_EQUAL(map_hash_after(map_hash(a), b), map_hash_after(map_hash(b), a));
    CU_ASSERT_NOT_EQUAL(map_hash_after(map_hash(a), b), map_hash(b));
    CU_ASSERT_NOT_EQUAL(map_hash_after(map_hash(slice_of_text("ab")), slice_of_text("c")),
                        map_hash_after(map_hash(slice_of_text("a")), slice_of_text("bc")));
}

static void
an_empty_key_has_a_hash(void)
{
    CU_ASSERT_EQUAL(map_hash(slice_of(NULL, 0)), map_hash(slice_of_text("")));
}

static uint64_t
openssl_siphash_13(EVP_MAC *mac, struct siphash_key key, struct slice bytes)
{
    uint64_t words[2] = { htole64(key.k0), htole64(key.k1) };
    unsigned c_rounds = 1, d_rounds = 3;
    size_t size = 8, got = 0;
    uint64_t hash = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    CU_ASSERT_EQUAL(EVP_MAC_init(ctx, (unsigned char *)words, sizeof(words), params), 1);
    CU_ASSERT_EQUAL(EVP_MAC_update(ctx, bytes.at, bytes.len), 1);
    CU_ASSERT_EQUAL(EVP_MAC_final(ctx, (unsigned char *)&hash, &got, sizeof(hash)), 1);
    CU_ASSERT_EQUAL(got, 8);
    EVP_MAC_CTX_free(ctx);
    return le64toh(hash);
}

static void
our_siphash_agrees_with_openssl(void)
{
    struct siphash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    uint8_t bytes[300];

    CU_ASSERT_PTR_NOT_NULL_FATAL(mac);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + 0x80);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct slice s = slice_of(bytes, len);
        uint64_t hash = openssl_siphash_13(mac, key, s);

        CU_ASSERT_EQUAL(siphash_13(key, s), hash);
        if (len >= 8) {
            uint64_t first;

            memcpy(&first, bytes, sizeof(first));
            CU_ASSERT_EQUAL(siphash_13_after(key, le64toh(first), slice_skip(s, 8)), hash);
        }
    }
    EVP_MAC_free(mac);
}

static void *
hash_in_thread(void *out)
{
    *(uint64_t *)out = map_hash(slice_of_text("pgweir"));
    return NULL;
}

static void
all_threads_share_one_seed(void)
{
    pthread_t threads[8];
    uint64_t hashes[8];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, hash_in_thread, &hashes[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(hashes[i], map_hash(slice_of_text("pgweir")));
    }
}

static void
keys_that_count_up_spread_over_the_buckets(void)
{
    struct map map;
    struct item *items = items_in(&map, 4096);
    size_t longest = 0;

    for (size_t i = 0; i < map.bucket_count; i++) {
        size_t chain = 0;

        for (struct map_node *n = map.buckets[i]; n != NULL; n = n->next)
            chain++;
        longest = chain > longest ? chain : longest;
    }
    CU_ASSERT_TRUE(longest < 16); /* chance of more, with a good hash: below 1e-9 */
    map_fini(&map);
    free(items);
}

void
suite_map(void)
{
    CU_pSuite suite = CU_add_suite("map", NULL, NULL);

    CU_ADD_TEST(suite, all_threads_share_one_seed); /* first, to race for the seed */
    CU_ADD_TEST(suite, an_empty_map_has_nothing_to_give);
    CU_ADD_TEST(suite, every_node_is_found_again_however_the_map_grew);
    CU_ADD_TEST(suite, a_removed_node_is_gone_and_the_others_stay);
    CU_ADD_TEST(suite, nodes_of_one_hash_are_told_apart_by_their_keys);
    CU_ADD_TEST(suite, a_walk_meets_every_node_once);
    CU_ADD_TEST(suite, taking_any_empties_the_map_and_frees_are_fine_meanwhile);
    CU_ADD_TEST(suite, nodes_added_while_emptying_are_taken_too);
    CU_ADD_TEST(suite, emptying_a_map_walks_it_once_and_not_once_per_node);
    CU_ADD_TEST(suite, hashes_depend_on_every_byte_and_on_the_length);
    CU_ADD_TEST(suite, two_keys_are_chained_in_their_order);
    CU_ADD_TEST(suite, an_empty_key_has_a_hash);
    CU_ADD_TEST(suite, our_siphash_agrees_with_openssl);
    CU_ADD_TEST(suite, keys_that_count_up_spread_over_the_buckets);
}
