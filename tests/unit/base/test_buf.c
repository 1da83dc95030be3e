#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "death.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/random.h"

void suite_buf(void);

static void
a_new_buffer_is_empty_and_holds_no_memory(void)
{
    struct buf b;

    buf_init(&b);
    CU_ASSERT_EQUAL(buf_len(&b), 0);
    CU_ASSERT_EQUAL(buf_slice(&b).len, 0);
    CU_ASSERT_PTR_NULL(b.at);
    buf_add(&b, slice_of(NULL, 0));
    buf_add_text(&b, "");
    buf_add_format(&b, "%s", "");
    CU_ASSERT_PTR_NULL(b.at);
    buf_drop(&b, 0);
    buf_release(&b);
}

static void
what_is_added_is_read_in_order(void)
{
    struct buf b;

    buf_init(&b);
    buf_add_u8(&b, 'Q');
    buf_add_be32(&b, 0x01020304);
    buf_add_be16(&b, 0xFFFE);
    buf_add_text(&b, "ab");
    buf_add_textz(&b, "cd");
    buf_add_format(&b, "%d-%s", 42, "x");
    buf_add(&b, slice_of("\0\1", 2));
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), slice_of("Q\1\2\3\4\xFF\xFE"
                                                       "abcd\0"
                                                       "42-x\0\1",
                                                       18)));
    buf_release(&b);
}

static void
dropping_at_the_front_leaves_the_rest(void)
{
    struct buf b;

    buf_init(&b);
    buf_add_text(&b, "hello world");
    buf_drop(&b, 6);
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "world"));
    buf_add_text(&b, "!");
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "world!"));
    buf_drop(&b, 6);
    CU_ASSERT_EQUAL(buf_len(&b), 0);
    CU_ASSERT_EQUAL(b.start, 0);
    buf_release(&b);
}

static void
a_released_buffer_is_empty_and_usable(void)
{
    struct buf b;

    buf_init(&b);
    buf_add_text(&b, "first");
    buf_release(&b);
    CU_ASSERT_PTR_NULL(b.at);
    CU_ASSERT_EQUAL(buf_len(&b), 0);
    buf_add_text(&b, "second");
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "second"));
    buf_wipe(&b);
    CU_ASSERT_PTR_NULL(b.at);
    buf_wipe(&b);
    buf_release(&b);
}

static void
reserved_room_can_be_written_in_part(void)
{
    struct buf b;
    uint8_t *room;

    buf_init(&b);
    buf_add_text(&b, "a");
    room = buf_reserve(&b, 4096);
    memset(room, 'b', 4096);
    buf_commit(&b, 2);
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "abb"));
    room = buf_reserve(&b, 0);
    CU_ASSERT_PTR_NOT_NULL(room);
    buf_release(&b);
}

static void
a_queue_in_balance_does_not_grow(void)
{
    struct buf b;
    uint8_t chunk[100];

    memset(chunk, 'x', sizeof(chunk));
    buf_init(&b);
    buf_add(&b, slice_of(chunk, sizeof(chunk)));
    for (int i = 0; i < 10000; i++) {
        buf_add(&b, slice_of(chunk, sizeof(chunk)));
        buf_drop(&b, sizeof(chunk));
    }
    CU_ASSERT_EQUAL(buf_len(&b), sizeof(chunk));
    CU_ASSERT_TRUE(b.size <= 512);
    buf_release(&b);
}

static void
many_small_additions_cost_few_moves(void)
{
    struct buf b;
    size_t moves = 0, size = 0;

    buf_init(&b);
    for (int i = 0; i < 100000; i++) {
        buf_add_u8(&b, 'x');
        moves += b.size != size ? 1 : 0;
        size = b.size;
    }
    CU_ASSERT_TRUE(moves < 20);
    buf_release(&b);
}

static void
a_little_room_at_the_front_is_not_worth_moving_everything(void)
{
    struct buf b;
    size_t size;

    buf_init(&b);
    while (b.size < 4096 || b.end < b.size)
        buf_add_u8(&b, 'x');
    size = b.size;
    buf_drop(&b, 1);
    buf_add_u8(&b, 'y');
    CU_ASSERT_EQUAL(b.size, 2 * size);
    CU_ASSERT_EQUAL(buf_len(&b), size);
    buf_release(&b);
}

static void
any_mix_of_adding_and_dropping_keeps_the_stream(void)
{
    struct buf b;
    uint64_t state = 4711;
    size_t written = 0, read = 0;
    bool same = true;

    buf_init(&b);
    for (int i = 0; i < 20000; i++) {
        size_t count = (size_t)random_between(&state, 0, i % 64 == 0 ? 3000 : 60);

        if (random_between(&state, 0, 1) == 0) {
            uint8_t *room = buf_reserve(&b, count);

            for (size_t k = 0; k < count; k++)
                room[k] = (uint8_t)((written + k) % 251);
            buf_commit(&b, count);
            written += count;
        } else {
            struct slice s = buf_slice(&b);

            count = count < s.len ? count : s.len;
            for (size_t k = 0; k < count; k++)
                same = same && s.at[k] == (read + k) % 251;
            buf_drop(&b, count);
            read += count;
        }
        same = same && buf_len(&b) == written - read && b.end <= b.size;
    }
    CU_ASSERT_TRUE(same);
    buf_release(&b);
}

static void
a_long_format_fits(void)
{
    struct buf b;

    buf_init(&b);
    buf_add_text(&b, ">");
    buf_add_format(&b, "%*d", 70000, 5);
    CU_ASSERT_EQUAL(buf_len(&b), 70001);
    CU_ASSERT_EQUAL(buf_slice(&b).at[70000], '5');
    buf_release(&b);
}

static void
reserve_the_impossible(void)
{
    struct buf b;

    buf_init(&b);
    buf_add_text(&b, "x");
    free(buf_reserve(&b, SIZE_MAX));
}

static void
a_reservation_beyond_numbers_ends_the_process(void)
{
    CU_ASSERT_TRUE(death_comes_with(reserve_the_impossible, "out of memory"));
}

void
suite_buf(void)
{
    CU_pSuite suite = CU_add_suite("buf", NULL, NULL);

    CU_ADD_TEST(suite, a_new_buffer_is_empty_and_holds_no_memory);
    CU_ADD_TEST(suite, what_is_added_is_read_in_order);
    CU_ADD_TEST(suite, dropping_at_the_front_leaves_the_rest);
    CU_ADD_TEST(suite, a_released_buffer_is_empty_and_usable);
    CU_ADD_TEST(suite, reserved_room_can_be_written_in_part);
    CU_ADD_TEST(suite, a_queue_in_balance_does_not_grow);
    CU_ADD_TEST(suite, many_small_additions_cost_few_moves);
    CU_ADD_TEST(suite, a_little_room_at_the_front_is_not_worth_moving_everything);
    CU_ADD_TEST(suite, any_mix_of_adding_and_dropping_keeps_the_stream);
    CU_ADD_TEST(suite, a_long_format_fits);
    CU_ADD_TEST(suite, a_reservation_beyond_numbers_ends_the_process);
}
