#include <stdbool.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/random.h"

void suite_random(void);

static void
secrets_fill_their_room_and_differ(void)
{
    uint8_t one[33], two[33];

    memset(one, 0, sizeof(one));
    memset(two, 0, sizeof(two));
    random_secret(one, 32);
    random_secret(two, 32);
    CU_ASSERT_NOT_EQUAL(memcmp(one, two, 32), 0);
    CU_ASSERT_EQUAL(one[32], 0);
    CU_ASSERT_EQUAL(two[32], 0);
    random_secret(one, 0);
}

static void
one_seed_gives_one_sequence(void)
{
    uint64_t a = 42, b = 42, c = 43;
    uint64_t first = random_next(&a);

    CU_ASSERT_EQUAL(first, random_next(&b));
    CU_ASSERT_NOT_EQUAL(first, random_next(&c));
    CU_ASSERT_NOT_EQUAL(first, random_next(&a));
    CU_ASSERT_NOT_EQUAL(a, 0);
}

static void
values_stay_between_their_bounds_and_reach_both(void)
{
    uint64_t state = 1;
    bool least_seen = false, most_seen = false;

    for (int i = 0; i < 10000; i++) {
        uint64_t v = random_between(&state, 90, 110);

        CU_ASSERT_TRUE_FATAL(v >= 90 && v <= 110);
        least_seen = least_seen || v == 90;
        most_seen = most_seen || v == 110;
    }
    CU_ASSERT_TRUE(least_seen);
    CU_ASSERT_TRUE(most_seen);
}

static void
bounds_may_be_equal_or_everything(void)
{
    uint64_t state = 1;
    uint64_t high_bits = 0;

    CU_ASSERT_EQUAL(random_between(&state, 7, 7), 7);
    CU_ASSERT_EQUAL(random_between(&state, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    for (int i = 0; i < 64; i++)
        high_bits |= random_between(&state, 0, UINT64_MAX);
    CU_ASSERT_NOT_EQUAL(high_bits >> 63, 0);
}

void
suite_random(void)
{
    CU_pSuite suite = CU_add_suite("random", NULL, NULL);

    CU_ADD_TEST(suite, secrets_fill_their_room_and_differ);
    CU_ADD_TEST(suite, one_seed_gives_one_sequence);
    CU_ADD_TEST(suite, values_stay_between_their_bounds_and_reach_both);
    CU_ADD_TEST(suite, bounds_may_be_equal_or_everything);
}
