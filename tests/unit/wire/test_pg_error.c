/* test_pg_error.c - errors written, read back, cut and mutilated. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/pg_error.h"

void suite_pg_error(void);

#define UE "\xc3\xbc"           /* two bytes in UTF-8 */
#define EURO "\xe2\x82\xac"     /* three */
#define WAVE "\xf0\x9f\x8c\x8a" /* four */

/* As PostgreSQL 15 sends it. */
#define SYNTAX                                                                                                  \
    "E\0\0\0\x62SERROR\0VERROR\0C42601\0Msyntax error at or near \"x\"\0P1\0Fscan.l\0L1188\0Rscanner_yyerror\0" \
    "Hno hint\0\0"

static void
an_error_is_written_with_its_four_fields(void)
{
    struct pg_error e;
    struct buf b;

    pg_error_set(&e, PG_FATAL, SQLSTATE_TOO_MANY_CONNECTIONS, "no more than %d clients", 5);
    buf_init(&b);
    build_error(&b, &e);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("E\0\0\0\x32SFATAL\0VFATAL\0C53300\0"
                                                    "Mno more than 5 clients\0\0")));
    buf_release(&b);
}

static void
detail_hint_and_routine_are_written_where_set(void)
{
    struct pg_error e;
    struct buf b;

    pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED, "m");
    pg_error_detail(&e, "%s", "d");
    pg_error_hint(&e, "h %d", 1);
    pg_error_routine(&e, "r");
    buf_init(&b);
    build_error(&b, &e);
    CU_ASSERT_TRUE(
        slice_equal(buf_slice(&b), BYTES("E\0\0\0\x28SERROR\0VERROR\0C53400\0Mm\0Dd\0Hh 1\0Rr\0\0")));
    buf_release(&b);
}

static void
setting_an_error_anew_forgets_the_rest(void)
{
    struct pg_error e;

    pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED, "m");
    pg_error_detail(&e, "d");
    pg_error_hint(&e, "h");
    pg_error_routine(&e, "r");
    pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "n");
    CU_ASSERT_STRING_EQUAL(e.detail, "");
    CU_ASSERT_STRING_EQUAL(e.hint, "");
    CU_ASSERT_PTR_NULL(e.routine);
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "57P01");
}

static void
a_notice_is_a_notice(void)
{
    struct buf b;

    buf_init(&b);
    build_notice(&b, "hello");
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("N\0\0\0\x23SNOTICE\0VNOTICE\0C00000\0Mhello\0\0")));
    buf_release(&b);
}

/* A text of BEFORE letters and then CHARACTER twice, of which only whole ones may remain in a message. */
static void
check_cut(size_t before, const char *character)
{
    char text[300] = "";
    struct pg_error e;
    size_t width = strlen(character);
    size_t most = sizeof(e.message) - 1;
    size_t expected = before;

    memset(text, 'a', before);
    strcpy(text + before, character);
    strcat(text, character);
    while (expected + width <= most && expected < before + 2 * width)
        expected += width;
    pg_error_set(&e, PG_ERROR, "XX000", "%s", text);
    CU_ASSERT_EQUAL(strlen(e.message), expected);
    CU_ASSERT_EQUAL(strncmp(e.message, text, expected), 0);
}

static void
long_texts_are_cut_between_characters(void)
{
    for (size_t before = 240; before < 256; before++) {
        check_cut(before, "x");
        check_cut(before, UE);
        check_cut(before, EURO);
        check_cut(before, WAVE);
    }
}

static void
bytes_that_are_no_utf8_are_cut_too(void)
{
    char text[300];
    struct pg_error e;

    memset(text, 0x80, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    pg_error_set(&e, PG_ERROR, "XX000", "%s", text);
    CU_ASSERT_TRUE(strlen(e.message) >= sizeof(e.message) - 4);
    memset(text, 0xff, sizeof(text) - 1);
    pg_error_set(&e, PG_ERROR, "XX000", "%s", text);
    CU_ASSERT_TRUE(strlen(e.message) >= sizeof(e.message) - 4);
}

static void
an_error_of_postgresql_is_read(void)
{
    struct pg_error e;

    CU_ASSERT_TRUE(pg_error_read(BYTES(SYNTAX), &e));
    CU_ASSERT_EQUAL(e.severity, PG_ERROR);
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "42601");
    CU_ASSERT_STRING_EQUAL(e.message, "syntax error at or near \"x\"");
    CU_ASSERT_STRING_EQUAL(e.detail, "");
    CU_ASSERT_STRING_EQUAL(e.hint, "no hint");
}

static void
what_is_built_is_read_back(void)
{
    struct pg_error e;
    struct pg_error back;
    struct buf b;

    pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "m " UE);
    pg_error_detail(&e, "d " EURO);
    pg_error_hint(&e, "h " WAVE);
    buf_init(&b);
    build_error(&b, &e);
    CU_ASSERT_TRUE(pg_error_read(buf_slice(&b), &back));
    CU_ASSERT_EQUAL(back.severity, PG_FATAL);
    CU_ASSERT_STRING_EQUAL(back.sqlstate, e.sqlstate);
    CU_ASSERT_STRING_EQUAL(back.message, e.message);
    CU_ASSERT_STRING_EQUAL(back.detail, e.detail);
    CU_ASSERT_STRING_EQUAL(back.hint, e.hint);
    buf_release(&b);
}

static void
an_error_cut_anywhere_is_read_as_far_as_it_goes(void)
{
    struct slice whole = BYTES(SYNTAX);

    for (size_t len = 0; len < whole.len; len++) {
        struct pg_error e;
        uint8_t *copy = tight_copy(slice_of(whole.at, len));
        bool is_read = pg_error_read(slice_of(copy, len), &e);

        CU_ASSERT_EQUAL(is_read, len > 5);
        if (is_read) {
            CU_ASSERT_EQUAL(strlen(e.sqlstate), 5);
            CU_ASSERT_EQUAL(strncmp(e.message, "syntax error at or near \"x\"", strlen(e.message)), 0);
            CU_ASSERT_EQUAL(strcmp(e.sqlstate, "42601") == 0, len >= 25);
        }
        free(copy);
    }
}

static void
a_text_cut_by_the_scanner_loses_half_characters(void)
{
    struct pg_error e;

    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\1\0MA\xe2\x82"), &e));
    CU_ASSERT_STRING_EQUAL(e.message, "A");
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x0aMA\xe2\x82\0\0"), &e)); /* not cut: left as it is */
    CU_ASSERT_STRING_EQUAL(e.message, "A\xe2\x82");
}

static void
severity_v_decides_wherever_it_stands(void)
{
    struct pg_error e;

    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x17SFEHLER\0VFATAL\0Mx\0\0"), &e));
    CU_ASSERT_EQUAL(e.severity, PG_FATAL);
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x16VERROR\0SFATAL\0Mx\0\0"), &e));
    CU_ASSERT_EQUAL(e.severity, PG_ERROR);
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x16SFATAL\0VERROR\0Mx\0\0"), &e));
    CU_ASSERT_EQUAL(e.severity, PG_ERROR);
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x0fSPANIC\0Mx\0\0"), &e));
    CU_ASSERT_EQUAL(e.severity, PG_FATAL);
    CU_ASSERT_TRUE(pg_error_read(BYTES("N\0\0\0\x11SWARNING\0Mx\0\0"), &e));
    CU_ASSERT_EQUAL(e.severity, PG_ERROR);
}

static void
a_missing_or_odd_sqlstate_becomes_internal_error(void)
{
    struct pg_error e;

    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\x08Mx\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "XX000");
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\012C4260\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "XX000");
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\014C426012\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "XX000");
    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\013C42p01\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "XX000");
}

static void
a_text_longer_than_ours_is_cut(void)
{
    uint8_t message[1000];
    struct pg_error e;

    memset(message, 'x', sizeof(message));
    memcpy(message, "E\0\0\0\0M", 6);
    put_be32(message + 1, sizeof(message) - 1);
    message[sizeof(message) - 2] = 0;
    message[sizeof(message) - 1] = 0;
    CU_ASSERT_TRUE(pg_error_read(slice_of(message, sizeof(message)), &e));
    CU_ASSERT_EQUAL(strlen(e.message), sizeof(e.message) - 1);
    message[5] = 'D';
    CU_ASSERT_FALSE(pg_error_read(slice_of(message, sizeof(message)), &e));
    memcpy(message, "E\0\0\0\0M\0D", 8);
    put_be32(message + 1, sizeof(message) - 1);
    CU_ASSERT_TRUE(pg_error_read(slice_of(message, sizeof(message)), &e));
    CU_ASSERT_EQUAL(strlen(e.detail), sizeof(e.detail) - 1);
}

static void
what_is_no_error_is_not_read(void)
{
    struct pg_error e = { .sqlstate = "kept" };

    CU_ASSERT_FALSE(pg_error_read(slice_of(NULL, 0), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("E\0\0\0"), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("E\0\0\0\4"), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("E\0\0\0\5\0"), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("E\0\0\0\3Mx\0\0"), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("E\0\0\0\x08?x\0\0"), &e));
    CU_ASSERT_FALSE(pg_error_read(BYTES("Z\0\0\0\x08Mx\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.sqlstate, "kept");
}

static void
bytes_behind_the_stated_length_are_not_read(void)
{
    struct pg_error e;

    CU_ASSERT_TRUE(pg_error_read(BYTES("E\0\0\0\7Mx\0Dsecret\0\0"), &e));
    CU_ASSERT_STRING_EQUAL(e.message, "x");
    CU_ASSERT_STRING_EQUAL(e.detail, "");
}

void
suite_pg_error(void)
{
    CU_pSuite suite = CU_add_suite("pg_error", NULL, NULL);

    CU_ADD_TEST(suite, an_error_is_written_with_its_four_fields);
    CU_ADD_TEST(suite, detail_hint_and_routine_are_written_where_set);
    CU_ADD_TEST(suite, setting_an_error_anew_forgets_the_rest);
    CU_ADD_TEST(suite, a_notice_is_a_notice);
    CU_ADD_TEST(suite, long_texts_are_cut_between_characters);
    CU_ADD_TEST(suite, bytes_that_are_no_utf8_are_cut_too);
    CU_ADD_TEST(suite, an_error_of_postgresql_is_read);
    CU_ADD_TEST(suite, what_is_built_is_read_back);
    CU_ADD_TEST(suite, an_error_cut_anywhere_is_read_as_far_as_it_goes);
    CU_ADD_TEST(suite, a_text_cut_by_the_scanner_loses_half_characters);
    CU_ADD_TEST(suite, severity_v_decides_wherever_it_stands);
    CU_ADD_TEST(suite, a_missing_or_odd_sqlstate_becomes_internal_error);
    CU_ADD_TEST(suite, a_text_longer_than_ours_is_cut);
    CU_ADD_TEST(suite, what_is_no_error_is_not_read);
    CU_ADD_TEST(suite, bytes_behind_the_stated_length_are_not_read);
}
