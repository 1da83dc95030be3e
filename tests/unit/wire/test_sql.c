/*
 * test_sql.c - tokens as PostgreSQL sees them, and what a text does to the session.
 *
 * The corpora are tables: a statement and what is to be found in it. Each is looked at as it is written, and
 * again in other letters, with comments between its tokens, among other statements, and cut off at every byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/sql.h"

void suite_sql(void);

#define FAIL_UNLESS(condition, sql)                                    \
    do {                                                               \
        bool is_so = (condition);                                      \
                                                                       \
        if (!is_so)                                                    \
            fprintf(stderr, "\n    %s: [%s]\n", #condition, (sql));    \
        CU_ASSERT_TRUE(is_so);                                         \
    } while (0)

/*
 * Tokens.
 */

static const char kind_letters[] = { [SQL_END] = '.',    [SQL_WORD] = 'w',      [SQL_QUOTED_NAME] = 'q',
                                     [SQL_STRING] = 's', [SQL_NUMBER] = 'n',    [SQL_PARAMETER] = '$',
                                     [SQL_PUNCTUATION] = 'p', [SQL_SEMICOLON] = ';' };

/* Writes one letter per token of SQL to KINDS, and the tokens, ¦ between them, to TEXTS. */
static bool
tokens_write(struct slice sql, bool standard_strings, char *kinds, char *texts)
{
    struct sql_scan s;
    struct sql_token t;

    *texts = '\0';
    sql_scan_init(&s, sql, standard_strings);
    while (sql_next(&s, &t) != SQL_END) {
        *kinds++ = kind_letters[t.kind];
        if (*texts != '\0')
            strcat(texts, "¦");
        strncat(texts, (const char *)t.text.at, t.text.len);
    }
    *kinds = '\0';
    CU_ASSERT_EQUAL(sql_next(&s, &t), SQL_END);
    CU_ASSERT_EQUAL(t.text.len, 0);
    return s.is_unterminated;
}

struct tokens_row {
    const char *sql;
    const char *kinds;
    const char *texts;
};

static void
check_tokens(const struct tokens_row *rows, size_t count, bool standard_strings, bool is_unterminated)
{
    char kinds[512], texts[2048];

    for (size_t i = 0; i < count; i++) {
        bool has_no_end = tokens_write(slice_of_text(rows[i].sql), standard_strings, kinds, texts);

        FAIL_UNLESS(has_no_end == is_unterminated, rows[i].sql);
        FAIL_UNLESS(strcmp(kinds, rows[i].kinds) == 0, kinds);
        FAIL_UNLESS(strcmp(texts, rows[i].texts) == 0, texts);
    }
}

/* clang-format off */
static const struct tokens_row plain_tokens[] = {
    { "",                              "",          "" },
    { " \t\r\n\f\v",                   "",          "" },
    { "select 1",                      "wn",        "select¦1" },
    { "SELECT a,b FROM t;",            "wwpwww;",   "SELECT¦a¦,¦b¦FROM¦t¦;" },
    { "_a a1 a$b a$1$ é名",            "wwwww",     "_a¦a1¦a$b¦a$1$¦é名" },
    { "abcdefghijklmnopqrstuvwxyz_0123456789$Z",     "w", "abcdefghijklmnopqrstuvwxyz_0123456789$Z" },
    { "a.b.\"c\"",                     "wpwpq",     "a¦.¦b¦.¦\"c\"" },
    { "a[1:2]",                        "wpnpnp",    "a¦[¦1¦:¦2¦]" },
    { "a::b a:=b a=>b ..",             "wpwwpwwpwp", "a¦::¦b¦a¦:=¦b¦a¦=>¦b¦.." },
    { ";;",                            ";;",        ";¦;" },
    { "\\ { } \x7f",                   "pppp",      "\\¦{¦}¦\x7f" },
    { "$1 $12a $",                     "$$wp",      "$1¦$12¦a¦$" },
    { "$1$$x$$",                       "$s",        "$1¦$$x$$" },
};

static const struct tokens_row number_tokens[] = {
    { "1 42 007",                      "nnn",       "1¦42¦007" },
    { "3.5 4. .001",                   "nnn",       "3.5¦4.¦.001" },
    { "5e2 1.925e-3 1E+9 .5e1",        "nnnn",      "5e2¦1.925e-3¦1E+9¦.5e1" },
    { "1e 1e+ 1.e",                    "nwnwpnw",   "1¦e¦1¦e¦+¦1.¦e" },
    { "1..10",                         "npn",       "1¦..¦10" },
    { "a.5",                           "wn",        "a¦.5" },
    { "0x1F 0b01 0o17 1_000.0_1e1_0",  "nnnn",      "0x1F¦0b01¦0o17¦1_000.0_1e1_0" },
    { "0x 1_ 1a",                      "nwnwnw",    "0¦x¦1¦_¦1¦a" },
    { "-1",                            "pn",        "-¦1" },
    { "1e'a\\'b'",                     "ns",        "1¦e'a\\'b'" },
};

static const struct tokens_row operator_tokens[] = {
    { "a->>b",                         "wpw",       "a¦->>¦b" },
    { "a<>-1",                         "wppn",      "a¦<>¦-¦1" },
    { "a=-1",                          "wppn",      "a¦=¦-¦1" },
    { "a@-1",                          "wpn",       "a¦@-¦1" },
    { "a=+-+1",                        "wppppn",    "a¦=¦+¦-¦+¦1" },
    { "+++=+",                         "pp",        "+++=¦+" },
    { "++",                            "pp",        "+¦+" },
    { "a+--b\n+c",                     "wppw",      "a¦+¦+¦c" },
    { "a*/* x */b",                    "wpw",       "a¦*¦b" },
    { "a-/**/-b",                      "wppw",      "a¦-¦-¦b" },
    { "a||b !~~* #>> @> ?| && `",      "wpwpppppp", "a¦||¦b¦!~~*¦#>>¦@>¦?|¦&&¦`" },
    { "u&x U & 'a'",                   "wpwwps",    "u¦&¦x¦U¦&¦'a'" },
};

static const struct tokens_row comment_tokens[] = {
    { "a --b",                         "w",         "a" },
    { "a --b\nc",                      "ww",        "a¦c" },
    { "a --b\rc",                      "ww",        "a¦c" },
    { "a--b 'c\n'd'",                  "ws",        "a¦'d'" },
    { "a - -b",                        "wppw",      "a¦-¦-¦b" },
    { "a/*b*/c",                       "ww",        "a¦c" },
    { "a/**/c",                        "ww",        "a¦c" },
    { "a/***/c",                       "ww",        "a¦c" },
    { "a/*/c*/d",                      "ww",        "a¦d" },
    { "a/* /* b */ c */ d",            "ww",        "a¦d" },
    { "a/*/*/**/*/*/b",                "ww",        "a¦b" },
    { "a/*//**/*/b",                   "ww",        "a¦b" },
    { "a/* ' \" $$ -- */b",            "ww",        "a¦b" },
    { "a */ b",                        "wpw",       "a¦*/¦b" },
    { "/* -- */ a",                    "w",         "a" },
    { "-- /*\na",                      "w",         "a" },
};

static const struct tokens_row string_tokens[] = {
    { "''",                            "s",         "''" },
    { "'a'",                           "s",         "'a'" },
    { "'a''b' c",                      "sw",        "'a''b'¦c" },
    { "''''",                          "s",         "''''" },
    { "'a\\' b",                       "sw",        "'a\\'¦b" },
    { "'\" -- /* $$ ; '",              "s",         "'\" -- /* $$ ; '" },
    { "e'a\\'b' E'\\\\' e''''",        "sss",       "e'a\\'b'¦E'\\\\'¦e''''" },
    { "e 'a\\' b",                     "wsw",       "e¦'a\\'¦b" },
    { "ee'a\\' b",                     "wsw",       "ee¦'a\\'¦b" },
    { "n'a' N'b' b'01' B'1' x'1F' X'f'", "ssssss",  "n'a'¦N'b'¦b'01'¦B'1'¦x'1F'¦X'f'" },
    { "b'0''1'",                       "ss",        "b'0'¦'1'" },
    { "u&'d\\0061' U&'a''b' u'x'",     "ssws",      "u&'d\\0061'¦U&'a''b'¦u¦'x'" },
    { "date'2020-01-01'",              "ws",        "date¦'2020-01-01'" },
    { "'a'\n'b'",                      "s",         "'a'\n'b'" },
    { "'a' 'b'",                       "ss",        "'a'¦'b'" },
    { "'a' \r\t'b'\n  \n'c'",          "s",         "'a' \r\t'b'\n  \n'c'" },
    { "'a' -- c '\n 'b'",              "s",         "'a' -- c '\n 'b'" },
    { "'a'--c\n--d\n'b'",              "s",         "'a'--c\n--d\n'b'" },
    { "'a' /* c */\n'b'",              "ss",        "'a'¦'b'" },
    { "'a'\n--b",                      "s",         "'a'" },
    { "'a'\n-1",                       "spn",       "'a'¦-¦1" },
    { "'a'\ne'b\\''",                  "ss",        "'a'¦e'b\\''" },
    { "e'a\\''\n'b\\'c'",              "s",         "e'a\\''\n'b\\'c'" },
    { "b'0'\n'1' d",                   "sw",        "b'0'\n'1'¦d" },
    { "'é' '\xff'",                    "ss",        "'é'¦'\xff'" },
};
/* clang-format on */

/* clang-format off */
static const struct tokens_row dollar_tokens[] = {
    { "$$$$",                          "s",         "$$$$" },
    { "$$a'b\"c;--/*$$ d",             "sw",        "$$a'b\"c;--/*$$¦d" },
    { "$a$ $b$ $$ $a$",                "s",         "$a$ $b$ $$ $a$" },
    { "$a$ $A$ $a$",                   "s",         "$a$ $A$ $a$" },
    { "$a$$a$ b",                      "sw",        "$a$$a$¦b" },
    { "$a$$ab$$a$",                    "s",         "$a$$ab$$a$" },
    { "$$a$b$c$$",                     "s",         "$$a$b$c$$" },
    { "$$ $ $1 $$",                    "s",         "$$ $ $1 $$" },
    { "$_1$x$_1$ $é$x$é$",             "ss",        "$_1$x$_1$¦$é$x$é$" },
    { "a$$b$$",                        "w",         "a$$b$$" },
    { "1$$b$$",                        "ns",        "1¦$$b$$" },
    { "'a'$$b$$",                      "ss",        "'a'¦$$b$$" },
    { "$a $b",                         "pwpw",      "$¦a¦$¦b" },
    { "$a-$",                          "pwpp",      "$¦a¦-¦$" },
    { "$$a$$\n'b'",                    "ss",        "$$a$$¦'b'" },
};

static const struct tokens_row name_tokens[] = {
    { "\"a\"",                         "q",         "\"a\"" },
    { "\"a\"\"b\"c",                   "qw",        "\"a\"\"b\"¦c" },
    { "\"a\"\n\"b\"",                  "qq",        "\"a\"¦\"b\"" },
    { "\"'\" \";\" \"--\" \"$$\"",     "qqqq",      "\"'\"¦\";\"¦\"--\"¦\"$$\"" },
    { "\"a\\\" \"b\"",                 "qq",        "\"a\\\"¦\"b\"" },
    { "u&\"a\" U&\"b\"\"c\"",          "qq",        "u&\"a\"¦U&\"b\"\"c\"" },
    { "u\"a\" e\"b\"",                 "wqwq",      "u¦\"a\"¦e¦\"b\"" },
    { "\"\"",                          "q",         "\"\"" },
};

static const struct tokens_row endless_tokens[] = {
    { "'a",                            "s",         "'a" },
    { "'",                             "s",         "'" },
    { "'''",                           "s",         "'''" },
    { "'a'\n'b",                       "s",         "'a'\n'b" },
    { "e'a\\'",                        "s",         "e'a\\'" },
    { "e'a\\",                         "s",         "e'a\\" },
    { "b'0",                           "s",         "b'0" },
    { "u&'a\\",                        "s",         "u&'a\\" },
    { "a \"b",                         "wq",        "a¦\"b" },
    { "\"a\"\"",                       "q",         "\"a\"\"" },
    { "U&\"",                          "q",         "U&\"" },
    { "$$",                            "s",         "$$" },
    { "$$a$",                          "s",         "$$a$" },
    { "$a$a",                          "s",         "$a$a" },
    { "$a$ $A$",                       "s",         "$a$ $A$" },
    { "a /*",                          "w",         "a" },
    { "a /*/",                         "w",         "a" },
    { "a /* /* */",                    "w",         "a" },
    { "a /* *",                        "w",         "a" },
};

static const struct tokens_row old_tokens[] = {
    { "'a\\'b'",                       "s",         "'a\\'b'" },
    { "'a\\\\' b",                     "sw",        "'a\\\\'¦b" },
    { "n'a\\'b'",                      "s",         "n'a\\'b'" },
    { "'a'\n'b\\'c'",                  "s",         "'a'\n'b\\'c'" },
    { "x'\\' b'\\'",                   "ss",        "x'\\'¦b'\\'" },
    { "b'0''\\''",                     "ss",        "b'0'¦'\\''" },
    { "e'a\\'b'",                      "s",         "e'a\\'b'" },
    { "\"\\\" $$\\$$",                 "qs",        "\"\\\"¦$$\\$$" },
};
/* clang-format on */

static void
words_names_and_punctuation_are_told_apart(void)
{
    check_tokens(plain_tokens, COUNT_OF(plain_tokens), true, false);
}

static void
numbers_have_points_exponents_and_bases(void)
{
    check_tokens(number_tokens, COUNT_OF(number_tokens), true, false);
}

static void
operators_end_where_postgresql_ends_them(void)
{
    check_tokens(operator_tokens, COUNT_OF(operator_tokens), true, false);
}

static void
comments_are_blanks_and_nest(void)
{
    check_tokens(comment_tokens, COUNT_OF(comment_tokens), true, false);
}

static void
strings_end_at_their_own_quote(void)
{
    check_tokens(string_tokens, COUNT_OF(string_tokens), true, false);
}

static void
dollar_quotes_end_at_their_own_tag(void)
{
    check_tokens(dollar_tokens, COUNT_OF(dollar_tokens), true, false);
}

static void
quoted_names_hold_anything(void)
{
    check_tokens(name_tokens, COUNT_OF(name_tokens), true, false);
}

static void
what_has_no_end_runs_to_the_end_of_the_text(void)
{
    check_tokens(endless_tokens, COUNT_OF(endless_tokens), true, true);
}

static void
a_backslash_escapes_when_standard_strings_are_off(void)
{
    check_tokens(old_tokens, COUNT_OF(old_tokens), false, false);
}

static void
a_nul_is_a_blank(void)
{
    char kinds[16], texts[64];

    CU_ASSERT_FALSE(tokens_write(BYTES("a\0b;\0"), true, kinds, texts));
    CU_ASSERT_STRING_EQUAL(kinds, "ww;");
    CU_ASSERT_FALSE(tokens_write(slice_of(NULL, 0), true, kinds, texts));
    CU_ASSERT_STRING_EQUAL(kinds, "");
}

/* Eight bytes at a time or one by one, a word ends at the same place. */
static void
a_word_ends_at_the_same_byte_wherever_it_begins(void)
{
    for (unsigned c = 0; c < 256; c++) {
        for (size_t len = 1; len < 20; len++) {
            char text[40];
            struct sql_scan s;
            struct sql_token t;
            bool is_inside = c >= 128 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '_' || c == '$';

            if (c < 0x20 || c == 0x7f)
                continue;
            memset(text, 'x', sizeof text);
            text[len] = (char)c;
            for (size_t end = len + 1; end <= sizeof text; end++) {
                uint8_t *copy = tight_copy(slice_of(text, end));

                sql_scan_init(&s, slice_of(copy, end), true);
                sql_next(&s, &t);
                CU_ASSERT_EQUAL(t.kind, SQL_WORD);
                CU_ASSERT_EQUAL(t.text.len, is_inside ? end : len);
                free(copy);
            }
        }
    }
}

/*
 * What a token says.
 */

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
    } rows[] = { { "$1", 1 },     { "$0", 0 },           { "$007", 7 }, { "$65535", 65535 },
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
