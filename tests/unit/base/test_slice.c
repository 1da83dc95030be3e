#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/slice.h"

void suite_slice(void);

static void
slices_are_equal_by_bytes_not_by_place(void)
{
    char here[] = "same";
    char there[] = "same";

    CU_ASSERT_TRUE(slice_equal(slice_of_text(here), slice_of_text(there)));
    CU_ASSERT_FALSE(slice_equal(slice_of_text("same"), slice_of_text("samE")));
    CU_ASSERT_FALSE(slice_equal(slice_of_text("same"), slice_of_text("sam")));
    CU_ASSERT_FALSE(slice_equal(slice_of_text("sam"), slice_of_text("same")));
}

static void
empty_slices_are_equal_wherever_they_point(void)
{
    CU_ASSERT_TRUE(slice_equal(slice_of(NULL, 0), slice_of_text("")));
    CU_ASSERT_TRUE(slice_is(slice_of(NULL, 0), ""));
    CU_ASSERT_FALSE(slice_is(slice_of(NULL, 0), "x"));
}

static void
a_nul_inside_a_slice_is_a_byte_like_others(void)
{
    CU_ASSERT_FALSE(slice_is(slice_of("a\0b", 3), "a"));
    CU_ASSERT_TRUE(slice_equal(slice_of("a\0b", 3), slice_of("a\0b", 3)));
    CU_ASSERT_FALSE(slice_equal(slice_of("a\0b", 3), slice_of("a\0c", 3)));
}

static void
skipping_leaves_the_rest(void)
{
    struct slice s = slice_of_text("abcdef");

    CU_ASSERT_TRUE(slice_is(slice_skip(s, 0), "abcdef"));
    CU_ASSERT_TRUE(slice_is(slice_skip(s, 2), "cdef"));
    CU_ASSERT_EQUAL(slice_skip(s, 6).len, 0);
    CU_ASSERT_PTR_NULL(slice_skip(slice_of(NULL, 0), 0).at);
}

static void
numbers_are_read_most_significant_byte_first(void)
{
    static const uint8_t bytes[] = { 0xFF, 0x01, 0x80, 0x7F, 0xFE };

    CU_ASSERT_EQUAL(get_be16(bytes), 0xFF01);
    CU_ASSERT_EQUAL(get_be16(bytes + 1), 0x0180);
    CU_ASSERT_EQUAL(get_be32(bytes), 0xFF01807F);
    CU_ASSERT_EQUAL(get_be32(bytes + 1), 0x01807FFE);
}

static void
numbers_survive_a_round_trip(void)
{
    static const uint32_t values[] = {
        0,      1,      0x7F,    0x80,       0xFF,       0x100,      0x7FFF,
        0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x01020304
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t bytes[6];

        memset(bytes, 0xAA, sizeof(bytes));
        put_be32(bytes + 1, values[i]);
        CU_ASSERT_EQUAL(get_be32(bytes + 1), values[i]);
        put_be16(bytes + 1, (uint16_t)values[i]);
        CU_ASSERT_EQUAL(get_be16(bytes + 1), (uint16_t)values[i]);
        CU_ASSERT_EQUAL(bytes[0], 0xAA);
        CU_ASSERT_EQUAL(bytes[5], 0xAA);
    }
}

void
suite_slice(void)
{
    CU_pSuite suite = CU_add_suite("slice", NULL, NULL);

    CU_ADD_TEST(suite, slices_are_equal_by_bytes_not_by_place);
    CU_ADD_TEST(suite, empty_slices_are_equal_wherever_they_point);
    CU_ADD_TEST(suite, a_nul_inside_a_slice_is_a_byte_like_others);
    CU_ADD_TEST(suite, skipping_leaves_the_rest);
    CU_ADD_TEST(suite, numbers_are_read_most_significant_byte_first);
    CU_ADD_TEST(suite, numbers_survive_a_round_trip);
}
