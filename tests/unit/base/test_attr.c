#include <stdint.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"

void suite_attr(void);

struct outer {
    char before[3];
    struct inner {
        int value;
    } inner;
};

static void
an_object_is_found_from_its_member(void)
{
    struct outer o = { .inner = { 7 } };
    const struct inner *look = &o.inner;

    CU_ASSERT_PTR_EQUAL(CONTAINER_OF(&o.inner, struct outer, inner), &o);
    CU_ASSERT_PTR_EQUAL(CONTAINER_OF_CONST(look, struct outer, inner), &o);
}

static void
count_of_counts_elements_not_bytes(void)
{
    static const uint64_t five[5] = { 0 };

    CU_ASSERT_EQUAL(COUNT_OF(five), 5);
}

static void
likely_and_unlikely_keep_the_truth(void)
{
    CU_ASSERT_TRUE(LIKELY(4));
    CU_ASSERT_FALSE(LIKELY(0));
    CU_ASSERT_TRUE(UNLIKELY(4));
    CU_ASSERT_FALSE(UNLIKELY(0));
}

void
suite_attr(void)
{
    CU_pSuite suite = CU_add_suite("attr", NULL, NULL);

    CU_ADD_TEST(suite, an_object_is_found_from_its_member);
    CU_ADD_TEST(suite, count_of_counts_elements_not_bytes);
    CU_ADD_TEST(suite, likely_and_unlikely_keep_the_truth);
}
