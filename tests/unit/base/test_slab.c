#include <stdint.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "base/poison_impl.h"
#include "death.h"
#include "pgweir/base/random.h"
#include "pgweir/base/slab.h"

void suite_slab(void);

#define MANY 2000

static bool
is_all_zero(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

static size_t
chunk_count(const struct slab *slab)
{
    size_t count = 0;

    for (const struct link *l = list_first(&slab->partial); l != NULL; l = list_next(&slab->partial, l))
        count++;
    for (const struct link *l = list_first(&slab->full); l != NULL; l = list_next(&slab->full, l))
        count++;
    return count;
}

static void
an_object_is_zeroed_aligned_and_its_own(void)
{
    struct slab slab;
    uint8_t *objects[MANY];
    bool right = true;

    slab_init(&slab, 100);
    for (size_t i = 0; i < MANY; i++) {
        objects[i] = slab_new(&slab);
        right = right && is_all_zero(objects[i], 100);
        right = right && (uintptr_t)objects[i] % _Alignof(max_align_t) == 0;
        memset(objects[i], (int)(i % 255) + 1, 100);
    }
    CU_ASSERT_EQUAL(slab.live_count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        right = right && objects[i][0] == i % 255 + 1 && objects[i][99] == i % 255 + 1;
        slab_free(&slab, objects[i]);
    }
    CU_ASSERT_TRUE(right);
    CU_ASSERT_EQUAL(slab.live_count, 0);
    slab_fini(&slab);
}

static void
a_freed_object_comes_back_zeroed(void)
{
    struct slab slab;
    uint8_t *one, *again;

    slab_init(&slab, 48);
    one = slab_new(&slab);
    memset(one, 0xFF, 48);
    slab_free(&slab, one);
    again = slab_new(&slab);
    CU_ASSERT_PTR_EQUAL(again, one);
    CU_ASSERT_TRUE(is_all_zero(again, 48));
    slab_free(&slab, again);
    slab_fini(&slab);
}

static void
objects_of_any_size_work(void)
{
    static const size_t sizes[] = { 1, 7, 8, 16, 17, 500, 2000, 4096, 16384, 65535, 65536, 200000 };

    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        struct slab slab;
        uint8_t *objects[70];

        slab_init(&slab, sizes[s]);
        CU_ASSERT_TRUE(slab.per_chunk >= 1);
        for (size_t i = 0; i < COUNT_OF(objects); i++) {
            objects[i] = slab_new(&slab);
            memset(objects[i], (int)i, sizes[s]);
        }
        for (size_t i = 0; i < COUNT_OF(objects); i++) {
            CU_ASSERT_EQUAL(objects[i][0], i);
            CU_ASSERT_EQUAL(objects[i][sizes[s] - 1], i);
            slab_free(&slab, objects[i]);
        }
        slab_fini(&slab);
    }
}

static void
empty_chunks_are_returned_save_one(void)
{
    struct slab slab;
    void *objects[MANY];

    slab_init(&slab, 256);
    for (size_t i = 0; i < MANY; i++)
        objects[i] = slab_new(&slab);
    CU_ASSERT_EQUAL(chunk_count(&slab), (MANY + slab.per_chunk - 1) / slab.per_chunk);
    for (size_t i = 0; i < MANY; i++)
        slab_free(&slab, objects[i]);
    CU_ASSERT_EQUAL(chunk_count(&slab), 1);
    slab_fini(&slab);
    CU_ASSERT_EQUAL(chunk_count(&slab), 0);
}

static void
the_spare_chunk_is_used_last(void)
{
    struct slab slab;
    void *objects[MANY];
    size_t per_chunk;
    void *fresh;

    slab_init(&slab, 1024);
    per_chunk = slab.per_chunk;
    CU_ASSERT_TRUE_FATAL(2 * per_chunk < MANY);
    for (size_t i = 0; i < 2 * per_chunk; i++)
        objects[i] = slab_new(&slab);
    for (size_t i = 0; i < per_chunk; i++) /* the first chunk is empty now */
        slab_free(&slab, objects[i]);
    slab_free(&slab, objects[per_chunk]); /* the second has one hole */
    fresh = slab_new(&slab);
    CU_ASSERT_PTR_EQUAL(fresh, objects[per_chunk]);
    slab_free(&slab, fresh);
    for (size_t i = per_chunk + 1; i < 2 * per_chunk; i++)
        slab_free(&slab, objects[i]);
    CU_ASSERT_EQUAL(chunk_count(&slab), 1);
    slab_fini(&slab);
}

static void
any_order_of_new_and_free_works(void)
{
    struct slab slab;
    uint8_t *objects[MANY] = { NULL };
    uint64_t state = 99;
    size_t live = 0;
    bool right = true;

    slab_init(&slab, 120);
    for (int i = 0; i < 100000; i++) {
        /* Seasons of growth and decline, so that chunks come and go. */
        size_t range = i / 10000 % 2 == 0 ? MANY : MANY / 50;
        size_t at = (size_t)random_between(&state, 0, range - 1);

        if (objects[at] == NULL) {
            objects[at] = slab_new(&slab);
            right = right && is_all_zero(objects[at], 120);
            memset(objects[at], (int)(at % 251) + 1, 120);
            live++;
        } else {
            right = right && objects[at][0] == at % 251 + 1 && objects[at][119] == at % 251 + 1;
            slab_free(&slab, objects[at]);
            objects[at] = NULL;
            live--;
        }
        right = right && slab.live_count == live;
    }
    CU_ASSERT_TRUE(right);
    for (size_t i = 0; i < MANY; i++)
        slab_free(&slab, objects[i]);
    CU_ASSERT_EQUAL(slab.live_count, 0);
    CU_ASSERT_EQUAL(chunk_count(&slab), 1);
    slab_fini(&slab);
}

static void
freeing_null_is_fine(void)
{
    struct slab slab;

    slab_init(&slab, 8);
    slab_free(&slab, NULL);
    CU_ASSERT_EQUAL(slab.live_count, 0);
    slab_fini(&slab);
}

/* True everywhere when there is no address sanitizer to ask. */
static bool
is_guarded(const void *at)
{
    int here = 0;

    poison_put(&here, sizeof(here));
    if (!poison_is_at(&here))
        return true;
    poison_lift(&here, sizeof(here));
    return poison_is_at(at);
}

static void
freed_and_unborn_objects_are_guarded_by_the_sanitizer(void)
{
    struct slab slab;
    uint8_t *one, *two;

    slab_init(&slab, 64);
    one = slab_new(&slab);
    two = slab_new(&slab);
    CU_ASSERT_FALSE(poison_is_at(one));
    CU_ASSERT_FALSE(poison_is_at(one + 63));
    slab_free(&slab, one);
    CU_ASSERT_TRUE(is_guarded(one));
    CU_ASSERT_TRUE(is_guarded(one + 63));
    CU_ASSERT_TRUE(is_guarded(two + 64));
    slab_free(&slab, two);
    slab_fini(&slab);
}

static void
leave_without_freeing(void)
{
    struct slab slab;
    void *object;

    slab_init(&slab, 64);
    object = slab_new(&slab);
    (void)object;
    slab_fini(&slab);
}

static void
free_the_middle(void)
{
    struct slab slab;
    uint8_t *object;

    slab_init(&slab, 64);
    object = slab_new(&slab);
    slab_free(&slab, object + 16);
}

static void
mistakes_of_ours_are_caught_by_asserts(void)
{
    if (!DEATH_BY_ASSERT)
        return;
    CU_ASSERT_TRUE(death_comes_with(leave_without_freeing, "live_count == 0"));
    CU_ASSERT_TRUE(death_comes_with(free_the_middle, "object_bytes"));
}

void
suite_slab(void)
{
    CU_pSuite suite = CU_add_suite("slab", NULL, NULL);

    CU_ADD_TEST(suite, an_object_is_zeroed_aligned_and_its_own);
    CU_ADD_TEST(suite, a_freed_object_comes_back_zeroed);
    CU_ADD_TEST(suite, objects_of_any_size_work);
    CU_ADD_TEST(suite, empty_chunks_are_returned_save_one);
    CU_ADD_TEST(suite, the_spare_chunk_is_used_last);
    CU_ADD_TEST(suite, any_order_of_new_and_free_works);
    CU_ADD_TEST(suite, freeing_null_is_fine);
    CU_ADD_TEST(suite, freed_and_unborn_objects_are_guarded_by_the_sanitizer);
    CU_ADD_TEST(suite, mistakes_of_ours_are_caught_by_asserts);
}
