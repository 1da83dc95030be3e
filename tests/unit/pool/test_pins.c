/*
 * test_pins.c - how many clients keep their server, and why.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "pgweir/pool/pins.h"
#include "stage.h"

void suite_pins(void);

#define LOCK PIN_BIT(PIN_LOCK)
#define LISTEN PIN_BIT(PIN_LISTEN)

static void
each_reason_is_counted_and_each_client_once(void)
{
    struct stage st;
    struct pool *pool;
    struct shard *a, *b;

    stage_init(&st, 2, "[databases]\napp = host=h\n");
    pool = stage_pool(&st, "app");
    a = pool_shard(pool, 0);
    b = pool_shard(pool, 1);
    shard_change_pins(a, 0, LOCK | LISTEN);
    shard_change_pins(b, 0, LOCK);
    CU_ASSERT_EQUAL(shard_pinned_in_pool(a), 2);
    CU_ASSERT_EQUAL(shard_pin_counts(a)->clients, 1);
    CU_ASSERT_EQUAL(shard_pin_counts(a)->by_reason[PIN_LOCK], 1);
    CU_ASSERT_EQUAL(shard_pin_counts(a)->by_reason[PIN_LISTEN], 1);
    CU_ASSERT_EQUAL(shard_pin_counts(b)->by_reason[PIN_LISTEN], 0);
    shard_change_pins(a, LOCK | LISTEN, LISTEN);
    CU_ASSERT_EQUAL(shard_pinned_in_pool(b), 2);
    CU_ASSERT_EQUAL(shard_pin_counts(a)->by_reason[PIN_LOCK], 0);
    shard_change_pins(a, LISTEN, 0);
    CU_ASSERT_EQUAL(shard_pinned_in_pool(b), 1);
    CU_ASSERT_EQUAL(shard_pin_counts(a)->clients, 0);
    shard_change_pins(b, LOCK, LOCK);
    shard_change_pins(b, LOCK, 0);
    CU_ASSERT_EQUAL(shard_pinned_in_pool(a), 0);
    for (unsigned i = 0; i < PIN_REASON_COUNT; i++)
        CU_ASSERT_EQUAL(shard_pin_counts(a)->by_reason[i] + shard_pin_counts(b)->by_reason[i], 0);
    stage_fini(&st);
}

static void
a_pool_learns_once_that_sequences_are_asked_for(void)
{
    struct stage st;
    struct pool *pool;
    struct shard *a, *b;

    stage_init(&st, 2, "[databases]\napp = host=h\n");
    pool = stage_pool(&st, "app");
    a = pool_shard(pool, 0);
    b = pool_shard(pool, 1);
    CU_ASSERT_FALSE(shard_asks_sequences(a, 1));
    CU_ASSERT_TRUE(shard_learn_sequences(a, US_PER_S));
    CU_ASSERT_FALSE(shard_learn_sequences(b, US_PER_S));
    CU_ASSERT_TRUE(shard_asks_sequences(b, US_PER_S));
    CU_ASSERT_FALSE(shard_learn_sequences(b, 100 * US_PER_S)); /* it goes on */
    CU_ASSERT_TRUE(shard_asks_sequences(a, PINS_SEQUENCES_ASKED_US + 99 * US_PER_S));
    CU_ASSERT_FALSE(shard_asks_sequences(a, PINS_SEQUENCES_ASKED_US + 100 * US_PER_S)); /* it is over */
    CU_ASSERT_TRUE(shard_learn_sequences(a, PINS_SEQUENCES_ASKED_US + 200 * US_PER_S));
    stage_fini(&st);
}

void
suite_pins(void)
{
    CU_pSuite suite = CU_add_suite("pins", NULL, NULL);

    CU_ADD_TEST(suite, each_reason_is_counted_and_each_client_once);
    CU_ADD_TEST(suite, a_pool_learns_once_that_sequences_are_asked_for);
}
