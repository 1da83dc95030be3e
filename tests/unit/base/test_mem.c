#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "death.h"
#include "pgweir/base/mem.h"

void suite_mem(void);

static void
new_memory_is_zeroed(void)
{
    uint8_t *at = mem_new(1000);
    unsigned sum = 0;

    for (size_t i = 0; i < 1000; i++)
        sum += at[i];
    CU_ASSERT_EQUAL(sum, 0);
    free(at);
}

static void
nothing_at_all_is_still_a_pointer(void)
{
    void *none = mem_new(0);
    void *grown = mem_grow(NULL, 0, 16);

    CU_ASSERT_PTR_NOT_NULL(none);
    CU_ASSERT_PTR_NOT_NULL(grown);
    grown = mem_grow(grown, 0, 16);
    CU_ASSERT_PTR_NOT_NULL(grown);
    free(none);
    free(grown);
}

static void
growing_keeps_the_content(void)
{
    uint32_t *numbers = mem_grow(NULL, 2, sizeof(*numbers));

    numbers[0] = 11;
    numbers[1] = 22;
    numbers = mem_grow(numbers, 5000, sizeof(*numbers));
    numbers[4999] = 33;
    CU_ASSERT_EQUAL(numbers[0], 11);
    CU_ASSERT_EQUAL(numbers[1], 22);
    free(numbers);
}

static void
text_is_copied_and_null_stays_null(void)
{
    const char *original = "app_user";
    char *copy = mem_text(original);
    char *empty = mem_text("");

    CU_ASSERT_STRING_EQUAL(copy, original);
    CU_ASSERT_PTR_NOT_EQUAL(copy, original);
    CU_ASSERT_STRING_EQUAL(empty, "");
    CU_ASSERT_PTR_NULL(mem_text(NULL));
    free(copy);
    free(empty);
}

static void
bytes_become_a_terminated_text(void)
{
    char *some = mem_text_of(slice_of("abcdef", 3));
    char *none = mem_text_of(slice_of(NULL, 0));

    CU_ASSERT_STRING_EQUAL(some, "abc");
    CU_ASSERT_STRING_EQUAL(none, "");
    free(some);
    free(none);
}

static void
formatted_text_has_the_length_it_needs(void)
{
    char *text = mem_format("%s/%s:%u", "db", "user", 5432u);
    char *wide = mem_format("%*d", 5000, 7);

    CU_ASSERT_STRING_EQUAL(text, "db/user:5432");
    CU_ASSERT_EQUAL(strlen(wide), 5000);
    free(text);
    free(wide);
}

static void
wiped_memory_holds_zeroes(void)
{
    uint8_t secret[64];
    unsigned sum = 0;

    memset(secret, 0x5A, sizeof(secret));
    mem_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        sum += secret[i];
    CU_ASSERT_EQUAL(sum, 0);
    mem_wipe(NULL, 0);
}

static void
a_secret_may_be_null_when_it_is_freed(void)
{
    mem_free_secret(NULL);
    mem_free_secret(mem_text("hunter2"));
    mem_free_secret(mem_text(""));
}

static void
grow_beyond_numbers(void)
{
    volatile size_t count = SIZE_MAX / 2;

    free(mem_grow(NULL, count, 3));
}

static void
an_array_larger_than_numbers_go_ends_the_process(void)
{
    CU_ASSERT_TRUE(death_comes_with(grow_beyond_numbers, "pgweir: out of memory asking for"));
}

void
suite_mem(void)
{
    CU_pSuite suite = CU_add_suite("mem", NULL, NULL);

    CU_ADD_TEST(suite, new_memory_is_zeroed);
    CU_ADD_TEST(suite, nothing_at_all_is_still_a_pointer);
    CU_ADD_TEST(suite, growing_keeps_the_content);
    CU_ADD_TEST(suite, text_is_copied_and_null_stays_null);
    CU_ADD_TEST(suite, bytes_become_a_terminated_text);
    CU_ADD_TEST(suite, formatted_text_has_the_length_it_needs);
    CU_ADD_TEST(suite, wiped_memory_holds_zeroes);
    CU_ADD_TEST(suite, a_secret_may_be_null_when_it_is_freed);
    CU_ADD_TEST(suite, an_array_larger_than_numbers_go_ends_the_process);
}
