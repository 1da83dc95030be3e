/*
 * test_sql_words.c - what a token says: key words, names, strings, parameters.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "sql_corpus.h"
#include "pgweir/wire/sql.h"

void suite_sql_words(void);

static struct sql_token
first_token(const char *sql, bool standard_strings)
{
    struct sql_scan s;
    struct sql_token t;

    sql_scan_init(&s, slice_of_text(sql), standard_strings);
    sql_next(&s, &t);
    return t;
}

static void
a_key_word_is_one_in_any_case(void)
{
    struct sql_token t = first_token("SeLeCt", true);

    CU_ASSERT_TRUE(sql_token_is(&t, "select"));
    CU_ASSERT_FALSE(sql_token_is(&t, "selec"));
    CU_ASSERT_FALSE(sql_token_is(&t, "selects"));
    t = first_token("\"select\"", true);
    CU_ASSERT_FALSE(sql_token_is(&t, "select"));
    t = first_token("", true);
    CU_ASSERT_FALSE(sql_token_is(&t, ""));
}

static void
check_name(const char *sql, const char *expected)
{
    struct sql_token t = first_token(sql, true);
    char name[SQL_NAME_MOST + 1] = "untouched";
    bool is_read = sql_name_read(&t, name, sizeof name);

    FAIL_UNLESS(is_read == (expected != NULL), sql);
    FAIL_UNLESS(strcmp(name, expected != NULL ? expected : "untouched") == 0, sql);
}

static void
a_name_is_folded_unless_quoted(void)
{
    check_name("abc", "abc");
    check_name("AbC_1$", "abc_1$");
    check_name("ÄB", "Äb");
    check_name("\"AbC\"", "AbC");
    check_name("\"a\"\"b\"", "a\"b");
    check_name("\"\"\"\"", "\"");
    check_name("\"\"", "");
    check_name("\" ; '\"", " ; '");
}

static void
what_is_no_whole_name_is_not_read(void)
{
    check_name("'a'", NULL);
    check_name("1", NULL);
    check_name("", NULL);
    check_name("\"a", NULL);
    check_name("\"a\"\"", NULL);
    check_name("\"", NULL);
    check_name("u&\"a\"", NULL);
    check_name("U&\"", NULL);
}

static void
a_name_is_cut_where_postgresql_cuts_it(void)
{
#define SIXTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
    check_name(SIXTY "123", SIXTY "123");
    check_name(SIXTY "1234", SIXTY "123");
    check_name(SIXTY "1é", SIXTY "1é");
    check_name(SIXTY "12é", SIXTY "12");
    check_name("\"" SIXTY "12\"\"x\"", SIXTY "12\"");
    check_name("\"" SIXTY "123\"\"x\"", SIXTY "123");
    check_name(SIXTY "名", SIXTY "名");
    check_name(SIXTY "1名", SIXTY "1");
#undef SIXTY
}

static void
a_name_needs_room_for_its_nul(void)
{
    struct sql_token t = first_token("abc", true);
    char name[8] = "xxxxxxx";

    CU_ASSERT_FALSE(sql_name_read(&t, name, 0));
    CU_ASSERT_FALSE(sql_name_read(&t, name, 3));
    CU_ASSERT_STRING_EQUAL(name, "xxxxxxx");
    CU_ASSERT_TRUE(sql_name_read(&t, name, 4));
    CU_ASSERT_STRING_EQUAL(name, "abc");
}

static void
check_string_in(const char *sql, bool standard_strings, const char *expected)
{
    struct sql_token t = first_token(sql, standard_strings);
    char value[64];
    bool is_read = sql_string_read(&t, standard_strings, value, sizeof value);

    FAIL_UNLESS(is_read == (expected != NULL), sql);
    if (is_read && expected != NULL)
        FAIL_UNLESS(strcmp(value, expected) == 0, sql);
}

static void
check_string(const char *sql, const char *expected)
{
    check_string_in(sql, true, expected);
}

static void
a_string_is_read_as_postgresql_reads_it(void)
{
    check_string("''", "");
    check_string("'a'", "a");
    check_string("'a''b'", "a'b");
    check_string("''''", "'");
    check_string("'a\\nb'", "a\\nb");
    check_string("n'a'", "a");
    check_string("N'a''b'", "a'b");
    check_string("'a'\n'b'", "ab");
    check_string("'a''' --x\n\t'''b'", "a''b");
    check_string("$$a$$", "a");
    check_string("$$$$", "");
    check_string("$x$a$$'b$x$", "a$$'b");
    check_string("$é$é$é$", "é");
}

static void
escapes_of_strings_are_undone(void)
{
    check_string("e''", "");
    check_string("E'a\\'b'", "a'b");
    check_string("e'a''b'", "a'b");
    check_string("e'\\b\\f\\n\\r\\t'", "\b\f\n\r\t");
    check_string("e'\\\\ \\q \\''", "\\ q '");
    check_string("e'\\141\\1411\\60\\778'", "aa10?8");
    check_string("e'\\x61\\x6\\x616\\xg'", "a\6a6xg");
    check_string("e'\\u0061\\U00000062\\u00e9\\u540d'", "abé名");
    check_string("e'\\ud83d\\ude00\\UD83D\\ude00'", NULL);
    check_string("e'\\ud83d\\ude00\\U0001F600'", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
    check_string("e'\\U0000d83d\\u0000de00'", NULL);
    check_string("e'a\\\n'", "a\n");
    check_string("e'a'\n'\\x62'", "ab");
    check_string_in("'a\\'b'", false, "a'b");
    check_string_in("n'\\x41'", false, "A");
    check_string_in("'a\\'", true, "a\\");
}

static void
what_is_no_whole_string_is_not_read(void)
{
    check_string("a", NULL);
    check_string("\"a\"", NULL);
    check_string("", NULL);
    check_string("'a", NULL);
    check_string("'a''", NULL);
    check_string("'a'\n'b", NULL);
    check_string("e'a\\'", NULL);
    check_string("e'a\\", NULL);
    check_string("$a$b$a", NULL);
    check_string("$a$", NULL);
    check_string("$$$", NULL);
    check_string("b'1'", NULL);
    check_string("X'1f'", NULL);
    check_string("u&'a'", NULL);
    check_string("e'\\0'", NULL);
    check_string("e'\\x00'", NULL);
    check_string("e'\\400'", NULL);
    check_string("e'\\u0000'", NULL);
    check_string("e'\\u12'", NULL);
    check_string("e'\\U0000006'", NULL);
    check_string("e'\\U00110000'", NULL);
    check_string("e'\\ud83d'", NULL);
    check_string("e'\\ud83dx'", NULL);
    check_string("e'\\ud83d\\u0061'", NULL);
    check_string("e'\\ude00'", NULL);
    check_string("e'\\v'", NULL);
}

static void
a_string_needs_room_for_its_nul(void)
{
    struct sql_token t = first_token("e'ab\\u00e9'", true);
    char value[8];

    for (size_t size = 0; size < sizeof value; size++)
        CU_ASSERT_EQUAL(sql_string_read(&t, true, value, size), size >= sizeof "abé");
}

static void
a_parameter_has_a_number_that_bind_can_count_to(void)
{
    static const struct {
        const char *sql;
        uint16_t number;
    } rows[] = { { "$1", 1 },     { "$0", 0 },          { "$007", 7 }, { "$65535", 65535 },
                 { "$65536", 0 }, { "$4294967297", 0 }, { "1", 0 },    { "", 0 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_token t = first_token(rows[i].sql, true);

        FAIL_UNLESS(sql_parameter_read(&t) == rows[i].number, rows[i].sql);
    }
}

static void
a_byte_above_127_is_not_ascii(void)
{
    char text[24];

    CU_ASSERT_TRUE(sql_is_ascii(slice_of(NULL, 0)));
    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 0x7f, sizeof text);
        CU_ASSERT_TRUE(sql_is_ascii(slice_of(text, len)));
        for (size_t at = 0; at < len; at++) {
            text[at] = (char)0x80;
            CU_ASSERT_FALSE(sql_is_ascii(slice_of(text, len)));
            text[at] = 0;
        }
    }
}

void
suite_sql_words(void)
{
    CU_pSuite suite = CU_add_suite("sql_words", NULL, NULL);

    CU_ADD_TEST(suite, a_key_word_is_one_in_any_case);
    CU_ADD_TEST(suite, a_name_is_folded_unless_quoted);
    CU_ADD_TEST(suite, what_is_no_whole_name_is_not_read);
    CU_ADD_TEST(suite, a_name_is_cut_where_postgresql_cuts_it);
    CU_ADD_TEST(suite, a_name_needs_room_for_its_nul);
    CU_ADD_TEST(suite, a_string_is_read_as_postgresql_reads_it);
    CU_ADD_TEST(suite, escapes_of_strings_are_undone);
    CU_ADD_TEST(suite, what_is_no_whole_string_is_not_read);
    CU_ADD_TEST(suite, a_string_needs_room_for_its_nul);
    CU_ADD_TEST(suite, a_parameter_has_a_number_that_bind_can_count_to);
    CU_ADD_TEST(suite, a_byte_above_127_is_not_ascii);
}
