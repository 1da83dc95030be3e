/*
 * test_sql_tokens.c - where the tokens of a text begin and end: as PostgreSQL sees them.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "bytes.h"
#include "sql_corpus.h"
#include "pgweir/wire/sql.h"

void suite_sql_tokens(void);

static const char kind_letters[] = {
    [SQL_END] = '.',    [SQL_WORD] = 'w',      [SQL_QUOTED_NAME] = 'q', [SQL_STRING] = 's',
    [SQL_NUMBER] = 'n', [SQL_PARAMETER] = '$', [SQL_PUNCTUATION] = 'p', [SQL_SEMICOLON] = ';'
};

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
            memset(text, 'y', sizeof text); /* no letter that begins a string */
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

void
suite_sql_tokens(void)
{
    CU_pSuite suite = CU_add_suite("sql_tokens", NULL, NULL);

    CU_ADD_TEST(suite, words_names_and_punctuation_are_told_apart);
    CU_ADD_TEST(suite, numbers_have_points_exponents_and_bases);
    CU_ADD_TEST(suite, operators_end_where_postgresql_ends_them);
    CU_ADD_TEST(suite, comments_are_blanks_and_nest);
    CU_ADD_TEST(suite, strings_end_at_their_own_quote);
    CU_ADD_TEST(suite, dollar_quotes_end_at_their_own_tag);
    CU_ADD_TEST(suite, quoted_names_hold_anything);
    CU_ADD_TEST(suite, what_has_no_end_runs_to_the_end_of_the_text);
    CU_ADD_TEST(suite, a_backslash_escapes_when_standard_strings_are_off);
    CU_ADD_TEST(suite, a_nul_is_a_blank);
    CU_ADD_TEST(suite, a_word_ends_at_the_same_byte_wherever_it_begins);
}
