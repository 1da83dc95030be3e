#include <CUnit/CUnit.h>

#include "pgweir/base/clock.h"

void suite_clock(void);

static void
a_fake_clock_stands_still_until_it_is_advanced(void)
{
    struct clock clock = clock_fake(5 * US_PER_S);

    CU_ASSERT_EQUAL(clock_now_us(&clock), 5000000);
    CU_ASSERT_EQUAL(clock_now_us(&clock), 5000000);
    clock_advance_us(&clock, 3 * US_PER_MS);
    CU_ASSERT_EQUAL(clock_now_us(&clock), 5003000);
}

static void
two_fake_clocks_are_two_times(void)
{
    struct clock one = clock_fake(1);
    struct clock two = clock_fake(2);

    clock_advance_us(&one, 10);
    CU_ASSERT_EQUAL(clock_now_us(&one), 11);
    CU_ASSERT_EQUAL(clock_now_us(&two), 2);
}

static void
the_real_clock_never_goes_back_and_does_go(void)
{
    struct clock clock = clock_real();
    uint64_t start = clock_now_us(&clock);
    uint64_t last = start;

    while (last == start) {
        uint64_t now = clock_now_us(&clock);

        CU_ASSERT_TRUE_FATAL(now >= last);
        last = now;
    }
    CU_ASSERT_TRUE(last > start);
}

void
suite_clock(void)
{
    CU_pSuite suite = CU_add_suite("clock", NULL, NULL);

    CU_ADD_TEST(suite, a_fake_clock_stands_still_until_it_is_advanced);
    CU_ADD_TEST(suite, two_fake_clocks_are_two_times);
    CU_ADD_TEST(suite, the_real_clock_never_goes_back_and_does_go);
}
