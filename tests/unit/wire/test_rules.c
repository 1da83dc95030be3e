/* test_rules.c - the types that PostgreSQL's protocol-message-formats lists, and no others. */
#include <stdbool.h>

#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/rules.h"

void suite_rules(void);

static const char front_types[] = "QFPBDECSHdcfpX";
static const char back_types[] = "123tTnDVdcCIsGHWZENSARKv";

static void
every_frontend_message_is_known_and_nothing_else(void)
{
    for (unsigned type = 0; type < 256; type++) {
        bool is_listed = type != 0 && strchr(front_types, (int)type) != NULL;

        CU_ASSERT_EQUAL(front_kind_of((uint8_t)type) != FRONT_UNKNOWN, is_listed);
    }
}

static void
every_backend_message_is_known_and_nothing_else(void)
{
    for (unsigned type = 0; type < 256; type++) {
        bool is_listed = type != 0 && strchr(back_types, (int)type) != NULL;

        CU_ASSERT_EQUAL(back_kind_of((uint8_t)type) != BACK_UNKNOWN, is_listed);
    }
}

static void
one_letter_means_different_things_in_each_direction(void)
{
    CU_ASSERT_EQUAL(front_kind_of('S'), FRONT_SYNC);
    CU_ASSERT_EQUAL(back_kind_of('S'), BACK_PARAMETER);
    CU_ASSERT_EQUAL(front_kind_of('D'), FRONT_DESCRIBE);
    CU_ASSERT_EQUAL(back_kind_of('D'), BACK_DATA);
    CU_ASSERT_EQUAL(front_kind_of('C'), FRONT_CLOSE);
    CU_ASSERT_EQUAL(back_kind_of('C'), BACK_COMMAND_DONE);
    CU_ASSERT_EQUAL(front_kind_of('E'), FRONT_EXECUTE);
    CU_ASSERT_EQUAL(back_kind_of('E'), BACK_ERROR);
    CU_ASSERT_EQUAL(front_kind_of('H'), FRONT_FLUSH);
    CU_ASSERT_EQUAL(back_kind_of('H'), BACK_COPY_OUT);
}

static void
copy_done_and_copy_fail_both_end_a_copy(void)
{
    CU_ASSERT_EQUAL(front_kind_of('c'), FRONT_COPY_END);
    CU_ASSERT_EQUAL(front_kind_of('f'), FRONT_COPY_END);
    CU_ASSERT_EQUAL(back_kind_of('c'), BACK_DATA);
}

static void
login_sees_every_message_whole(void)
{
    for (unsigned type = 0; type < 256; type++) {
        CU_ASSERT_EQUAL(front_login_rules.need[type], SCAN_WHOLE);
        CU_ASSERT_EQUAL(back_login_rules.need[type], SCAN_WHOLE);
    }
}

static void
the_relay_sees_whole_only_what_it_reads(void)
{
    for (unsigned type = 0; type < 256; type++) {
        bool is_read = type != 0 && strchr("ZESCtT", (int)type) != NULL;

        CU_ASSERT_EQUAL(back_relay_rules.need[type], is_read ? SCAN_WHOLE : 0);
        CU_ASSERT_EQUAL(front_relay_rules.need[type], 0);
    }
}

void
suite_rules(void)
{
    CU_pSuite suite = CU_add_suite("rules", NULL, NULL);

    CU_ADD_TEST(suite, every_frontend_message_is_known_and_nothing_else);
    CU_ADD_TEST(suite, every_backend_message_is_known_and_nothing_else);
    CU_ADD_TEST(suite, one_letter_means_different_things_in_each_direction);
    CU_ADD_TEST(suite, copy_done_and_copy_fail_both_end_a_copy);
    CU_ADD_TEST(suite, login_sees_every_message_whole);
    CU_ADD_TEST(suite, the_relay_sees_whole_only_what_it_reads);
}
