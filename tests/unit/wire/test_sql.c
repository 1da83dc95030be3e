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

#define FAIL_UNLESS(condition, sql)                                 \
    do {                                                            \
        bool is_so = (condition);                                   \
                                                                    \
        if (!is_so)                                                 \
            fprintf(stderr, "\n    %s: [%s]\n", #condition, (sql)); \
        CU_ASSERT_TRUE(is_so);                                      \
    } while (0)

/*
 * Tokens.
 */

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

/*
 * What a text does to the session.
 */

struct look_row {
    const char *sql; /* one statement */
    uint32_t flags;
};

/* clang-format off */
static const struct look_row harmless[] = {
    { "select 1", 0 },
    { "select * from users where id = $1", 0 },
    { "SELECT \"public\".\"User\".\"id\", \"public\".\"User\".\"email\" FROM \"public\".\"User\" WHERE (\"public\".\"User\".\"id\" = $1 AND 1=1) LIMIT $2 OFFSET $3", 0 },
    { "SELECT \"auth_user\".\"id\", \"auth_user\".\"password\" FROM \"auth_user\" WHERE \"auth_user\".\"username\" = $1 LIMIT 21", 0 },
    { "select u1_0.id,u1_0.name,r1_0.user_id from users u1_0 left join roles r1_0 on u1_0.id=r1_0.user_id where u1_0.id=$1", 0 },
    { "SELECT \"posts\".* FROM \"posts\" WHERE \"posts\".\"id\" = $1 LIMIT $2 /*application:Blog,controller:posts,action:show*/", 0 },
    { "INSERT INTO \"users\" (\"name\", \"email\") VALUES ($1, $2) RETURNING \"id\"", 0 },
    { "insert into temp values (1)", 0 },
    { "insert into temporary(a) select 1", 0 },
    { "insert into pg_temp_stuff values (1)", 0 },
    { "with x as (select 1) insert into temp select * from x", 0 },
    { "merge into temp t using s on t.id = s.id when matched then update set a = s.a", 0 },
    { "insert into t values (1) on conflict (id) do update set a = excluded.a", 0 },
    { "update users set name = $1 where id = $2", 0 },
    { "UPDATE \"users\" SET \"name\" = $1, \"role\" = 'set x = 1' WHERE \"id\" = $2", 0 },
    { "update t set local = 1, session = 2", 0 },
    { "delete from users where id in (select id from old)", 0 },
    { "select * from users for update", 0 },
    { "select * from users for update of users skip locked", 0 },
    { "select * from pg_settings", 0 },
    { "select name, setting from pg_catalog.pg_settings where name = 'x' for update", 0 },
    { "values (1), (2)", 0 },
    { "table users", 0 },
    { "(select 1) union (select 2)", 0 },
    { "show search_path", 0 },
    { "show all", 0 },
    { "set local search_path = x", SQL_PATH },
    { "set local app.tenant_id to '5'", 0 },
    { "set local time zone 'UTC'", 0 },
    { "set local role bob", 0 },
    { "set local session authorization bob", 0 },
    { "set transaction isolation level serializable", 0 },
    { "set transaction read only", 0 },
    { "set transaction snapshot '00000003-0000001B-1'", 0 },
    { "set session transaction read only", 0 },
    { "set constraints all deferred", 0 },
    { "set constraints a.b, c immediate", 0 },
    { "savepoint a", 0 },
    { "release savepoint a", 0 },
    { "rollback to a", 0 },
    { "rollback to savepoint a", 0 },
    { "rollback work to savepoint a", 0 },
    { "rollback transaction to a", 0 },
    { "rollback to chain", 0 },
    { "commit prepared 'x'", 0 },
    { "rollback prepared 'x'", 0 },
    { "fetch 10 from c", 0 },
    { "move forward all in c", 0 },
    { "declare c cursor for select 1", 0 },
    { "declare c no scroll cursor without hold for select 1", 0 },
    { "declare c binary insensitive cursor for select a with_hold from t", 0 },
    { "declare hold cursor for with hold as (select 1) select * from hold", 0 },
    { "notify a, 'listen b'", 0 },
    { "lock table users in share mode", 0 },
    { "truncate users", 0 },
    { "vacuum analyze users", 0 },
    { "analyze", 0 },
    { "reindex table users", 0 },
    { "refresh materialized view v", 0 },
    { "grant execute on function f to bob", 0 },
    { "revoke all on users from bob", 0 },
    { "comment on table users is 'set x = 1'", 0 },
    { "explain select 1", 0 },
    { "explain (analyze, costs off) select 1", 0 },
    { "explain analyze verbose delete from t", 0 },
    { "explain (select 1)", 0 },
    { "checkpoint", 0 },
    { "security label on table t is 'x'", 0 },
    { "reassign owned by a to b", 0 },
    { "create index i on users (id)", 0 },
    { "create unique index concurrently if not exists i on users (id)", 0 },
    { "drop index concurrently i", 0 },
    { "alter index i rename to j", 0 },
    { "create role bob login", 0 },
    { "alter role bob set search_path = x", 0 },
    { "alter user bob set statement_timeout = 1", 0 },
    { "drop role if exists bob", 0 },
    { "create user mapping for bob server s", 0 },
    { "create database d", 0 },
    { "alter database d set search_path = x", 0 },
    { "alter system set work_mem = '1MB'", 0 },
    { "alter sequence s restart", 0 },
    { "create sequence s", 0 },
    { "create trigger t before insert on users for each row execute function f()", 0 },
    { "create constraint trigger t after insert on users for each row execute function f()", 0 },
    { "alter default privileges grant select on tables to bob", 0 },
    { "create policy p on users using (tenant_id = current_setting('app.tenant_id'))", 0 },
    { "create statistics s on a, b from t", 0 },
    { "create publication p for all tables", 0 },
    { "select current_setting('set_config')", 0 },
    { "select set_config from t", 0 },
    { "select \"SET_CONFIG\"('a', 'b', false)", 0 },
    { "select set_configs('a', 'b', false)", 0 },
    { "select pg_advisory_xact_lock(1)", 0 },
    { "select pg_advisory_xact_lock_shared(1, 2)", 0 },
    { "select pg_try_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)", 0 },
    { "select pg_advisory_lock", 0 },
    { "select my_pg_advisory_lock(1)", 0 },
    { "select 'pg_advisory_lock(1)'", 0 },
    { "select \"pg_advisory_lock(1)\"", 0 },
    { "select 1 -- pg_advisory_lock(1)", 0 },
    { "select /* pg_advisory_lock(1) /* nested */ set_config('a','b',false) */ 1", 0 },
    { "select $$ pg_advisory_lock(1); set x = 1 $$", 0 },
    { "select $q$ ; listen a; $q$", 0 },
    { "select 'it''s; set x = 1'", 0 },
    { "select E'it\\'s; set x = 1'", 0 },
    { "select U&'\\0061; listen x'", 0 },
    { "select setting from t where listen = load and copy = discard", 0 },
    { "select a.into from a", 0 },
    { "select 'a'\n'b; set x = 1'", 0 },
    { "select nextvalue(1), currvals(2), lastvalue(3), \"nextval\"", 0 },
};

static const struct look_row settings[] = {
    { "set a = 1", SQL_SETS },
    { "set a to 1", SQL_SETS },
    { "set a to default", SQL_SETS },
    { "set a='b'", SQL_SETS },
    { "set session a = 1", SQL_SETS },
    { "set session a.b to 'c'", SQL_SETS },
    { "set app.tenant_id = '42'", SQL_SETS },
    { "set \"app\".\"Tenant\" = '42'", SQL_SETS },
    { "set search_path = a, \"$user\", public", SQL_SETS | SQL_PATH },
    { "set search_path to local", SQL_SETS | SQL_PATH },
    { "set datestyle = iso, dmy", SQL_SETS },
    { "set local.x = 1", SQL_SETS },
    { "set session.user_id = '5'", SQL_SETS },
    { "set session session.user_id = '5'", SQL_SETS },
    { "set transaction.x = 1", SQL_SETS },
    { "set constraints.x to 1", SQL_SETS },
    { "set time.x = 1", SQL_SETS },
    { "set \"local\" = 1", SQL_SETS },
    { "set \"transaction\" = 1", SQL_SETS },
    { "set session \"x\" = 1", SQL_SETS },
    { "set time zone 'UTC'", SQL_SETS },
    { "set time zone local", SQL_SETS },
    { "set time zone interval '-08:00' hour to minute", SQL_SETS },
    { "set session time zone -7", SQL_SETS },
    { "set timezone = 'UTC'", SQL_SETS },
    { "set names 'utf8'", SQL_SETS },
    { "set names", SQL_SETS },
    { "set schema 'a'", SQL_SETS | SQL_PATH },
    { "set role bob", SQL_SETS },
    { "set role none", SQL_SETS },
    { "set role to bob", SQL_SETS },
    { "set role = 'bob'", SQL_SETS },
    { "set session role bob", SQL_SETS },
    { "set session authorization bob", SQL_SETS },
    { "set session authorization default", SQL_SETS },
    { "set session session authorization bob", SQL_SETS },
    { "set session characteristics as transaction read only", SQL_SETS },
    { "set session characteristics as transaction isolation level serializable, read write", SQL_SETS },
    { "set session characteristics.x = 1", SQL_SETS },
    { "set xml option document", SQL_SETS },
    { "set seed = 0.5", SQL_SETS | SQL_SETSEED },
    { "set seed to 0.5", SQL_SETS | SQL_SETSEED },
    { "set default_transaction_read_only = on", SQL_SETS },
    { "set transaction_isolation = 'serializable'", SQL_SETS },
    { "reset a", SQL_RESETS },
    { "reset a.b", SQL_RESETS },
    { "reset \"a\"", SQL_RESETS },
    { "reset all", SQL_RESETS | SQL_RESETS_ALL },
    { "reset \"all\"", SQL_RESETS },
    { "reset role", SQL_RESETS },
    { "reset time zone", SQL_RESETS },
    { "reset timezone", SQL_RESETS },
    { "reset session authorization", SQL_RESETS },
    { "reset session.x", SQL_RESETS },
    { "reset transaction isolation level", SQL_RESETS },
    { "discard all", SQL_DISCARDS | SQL_DISCARDS_ALL },
    { "discard plans", SQL_DISCARDS },
    { "discard sequences", SQL_DISCARDS },
    { "discard temp", SQL_DISCARDS },
    { "discard temporary", SQL_DISCARDS },
    { "select set_config('a', 'b', false)", SQL_SET_CONFIG },
    { "select set_config('a', 'b', 'f')", SQL_SET_CONFIG },
    { "select set_config('a', 'b', $1)", SQL_SET_CONFIG },
    { "select set_config('a', $1, false)", SQL_SET_CONFIG },
    { "select set_config($1, $2, $3)", SQL_SET_CONFIG },
    { "select set_config($1::text, $2::text, $3::boolean)", SQL_SET_CONFIG },
    { "select set_config('a', 'b', not true)", SQL_SET_CONFIG },
    { "select set_config('a', 'b', true and false)", SQL_SET_CONFIG },
    { "select set_config('a', 'b', true::bool = false)", SQL_SET_CONFIG },
    { "select set_config('a', 'b', (true))", SQL_SET_CONFIG },
    { "select set_config('a', 'b', \"true\")", SQL_SET_CONFIG },
    { "select set_config('a', 'b', b'1')", SQL_SET_CONFIG },
    { "select pg_catalog.set_config('a', 'b', false)", SQL_SET_CONFIG },
    { "select \"pg_catalog\".\"set_config\"('a', 'b', false)", SQL_SET_CONFIG },
    { "select set_config ( 'a' , 'b' , false )", SQL_SET_CONFIG },
    { "select * from set_config('a', 'b', false)", SQL_SET_CONFIG },
    { "insert into t select set_config('a', 'b', false)", SQL_SET_CONFIG },
    { "with x as (select set_config('a', 'b', false)) select 1", SQL_SET_CONFIG },
    { "update t set a = set_config('a', 'b', false)", SQL_SET_CONFIG },
    { "select set_config('a', (array['x','y'])[1], false)", SQL_SET_CONFIG },
    { "select set_config('a', concat('x', 'y'), false)", SQL_SET_CONFIG },
    { "select set_config(E'a', 'b', false)", SQL_SET_CONFIG },
    { "select set_config($$a$$, 'b', false)", SQL_SET_CONFIG },
    { "select set_config('a'::text, 'b', false)", SQL_SET_CONFIG },
    { "select set_config('seed', '0.1', false)", SQL_SET_CONFIG | SQL_SETSEED },
    { "select set_config('a', 'b', true)", SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', 'b', 't')", SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', 'b', 'on'::boolean)", SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', 'b', true::bool)", SQL_SET_CONFIG_LOCAL },
    { "select set_config('search_path', $1, true), set_config('role', $2, true)", SQL_SET_CONFIG_LOCAL | SQL_PATH },
    { "select set_config(concat('a', 'b'), 'b', true)", SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', 'b', true), set_config('c', 'd', false)", SQL_SET_CONFIG | SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', set_config('b', 'c', false), true)", SQL_SET_CONFIG | SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', set_config('b', 'c', true), false)", SQL_SET_CONFIG | SQL_SET_CONFIG_LOCAL },
    { "select set_config('a', f(1, set_config('b', 'c', true), true), false)", SQL_SET_CONFIG | SQL_SET_CONFIG_LOCAL },
    { "select set_config(name, 'b', false) from t", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config('a' || 'b', 'b', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config(('a'), 'b', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config('a'::char, 'b', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config(u&'a', 'b', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config(setting_name => 'a', new_value => 'b', is_local => true)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config($70000, 'b', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_config(set_config('a', 'b', false), 'c', false)", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select u&\"set\\005fconfig\"('a', 'b', false)", SQL_OPAQUE },
    { "select U&\"set!005fconfig\" UESCAPE '!' ('a', 'b', false)", SQL_OPAQUE },
    { "update pg_settings set setting = 'x' where name = 'a'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "update pg_catalog.pg_settings s set setting = 'x'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "update only pg_settings set setting = 'x'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "update \"pg_settings\" set setting = 'x'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "update \"pg_catalog\" . \"pg_settings\" as s set setting = 'x'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "with x as (update pg_settings set setting = 'x' returning 1) select 1", SQL_SET_CONFIG | SQL_OPAQUE },
    { "explain analyze update pg_settings set setting = 'x'", SQL_SET_CONFIG | SQL_OPAQUE },
    { "select set_limit(0.5)", SQL_OPAQUE },
};

static const struct look_row session_state[] = {
    { "listen a", SQL_LISTEN },
    { "listen \"a b\"", SQL_LISTEN },
    { "unlisten a", SQL_UNLISTEN },
    { "unlisten *", SQL_UNLISTEN },
    { "prepare a as select 1", SQL_PREPARE },
    { "prepare a (int, text) as insert into t values ($1, $2)", SQL_PREPARE },
    { "prepare transaction as select 1", SQL_PREPARE },
    { "prepare transaction (int) as select $1", SQL_PREPARE },
    { "prepare \"transaction\" as select 1", SQL_PREPARE },
    { "prepare a as select set_config('a', 'b', false)", SQL_PREPARE | SQL_SET_CONFIG },
    { "prepare transaction 'x'", SQL_COMMIT },
    { "execute a", SQL_EXECUTE },
    { "execute a (1, 'x')", SQL_EXECUTE },
    { "explain execute a", SQL_EXECUTE },
    { "explain (analyze, verbose) execute a(1)", SQL_EXECUTE },
    { "explain analyze verbose execute a(1)", SQL_EXECUTE },
    { "create table t as execute a", SQL_EXECUTE | SQL_DDL },
    { "create table t (a, b) with (fillfactor = 10) as execute a(1) with no data", SQL_EXECUTE | SQL_DDL },
    { "create temp table t as execute a", SQL_EXECUTE | SQL_TEMP },
    { "explain create table t as execute a", SQL_EXECUTE | SQL_DDL },
    { "create table t as select 1 as execute", SQL_DDL },
    { "deallocate a", SQL_DEALLOCATE },
    { "deallocate prepare a", SQL_DEALLOCATE },
    { "deallocate prepare", SQL_DEALLOCATE },
    { "deallocate \"all\"", SQL_DEALLOCATE },
    { "deallocate all", SQL_DEALLOCATE | SQL_DEALLOCATE_ALL },
    { "deallocate prepare all", SQL_DEALLOCATE | SQL_DEALLOCATE_ALL },
    { "declare c cursor with hold for select 1", SQL_HOLD_CURSOR },
    { "declare c binary no scroll cursor with hold for select * from t", SQL_HOLD_CURSOR },
    { "declare \"c\" scroll cursor with hold for values (1)", SQL_HOLD_CURSOR },
    { "declare hold cursor with hold for select 1", SQL_HOLD_CURSOR },
    { "declare cursor cursor with hold for select 1", SQL_HOLD_CURSOR },
    { "close c", SQL_CLOSE_CURSOR },
    { "close all", SQL_CLOSE_CURSOR },
    { "create temp table t (a int)", SQL_TEMP },
    { "create temporary table if not exists t (a int) on commit preserve rows", SQL_TEMP },
    { "create temporary table if not exists t (a int) on commit drop", 0 },
    { "create temp table t on commit drop as select 1", 0 },
    { "create temp table t (a int default drop) on commit delete rows", SQL_TEMP },
    { "create local temp table t (a int)", SQL_TEMP },
    { "create local temporary table t (a int)", SQL_TEMP },
    { "create global temporary table t (a int)", SQL_TEMP },
    { "create temp view v as select 1", SQL_TEMP },
    { "create or replace temp view v as select 1", SQL_TEMP },
    { "create or replace temporary recursive view v (a) as select 1", SQL_TEMP },
    { "create temp sequence s", SQL_TEMP },
    { "create temp table t as select 1", SQL_TEMP },
    { "explain analyze create temp table t as select 1", SQL_TEMP },
    { "create table pg_temp.t (a int)", SQL_TEMP | SQL_DDL },
    { "create table \"pg_temp\".t (a int)", SQL_TEMP | SQL_DDL },
    { "create table pg_temp_3.t (a int)", SQL_TEMP | SQL_DDL },
    { "create or replace function pg_temp.f() returns int language sql as 'select 1'", SQL_TEMP | SQL_DDL },
    { "create type pg_temp.t as enum ('a')", SQL_TEMP | SQL_DDL },
    { "select 1 as a into temp t", SQL_TEMP },
    { "select 1 as a into temporary table t", SQL_TEMP },
    { "select 1 as a into local temp t from x", SQL_TEMP },
    { "select 1 as a into global temporary t from x", SQL_TEMP },
    { "select 1 as a into pg_temp.t", SQL_TEMP },
    { "select 1 as a into \"pg_temp\".t", SQL_TEMP },
    { "select 1 as a into table pg_temp.t", SQL_TEMP },
    { "with x as (select 1) select * into temp t from x", SQL_TEMP },
    { "(select 1 as a into temp t)", SQL_TEMP },
    { "select update as a into temp t from x", SQL_TEMP },
    { "select pg_advisory_lock(1)", SQL_ADVISORY_LOCK },
    { "select pg_advisory_lock($1)", SQL_ADVISORY_LOCK },
    { "select pg_catalog.pg_advisory_lock(1, 2)", SQL_ADVISORY_LOCK },
    { "select pg_advisory_lock_shared(1)", SQL_ADVISORY_LOCK },
    { "select pg_try_advisory_lock(1)", SQL_ADVISORY_LOCK },
    { "select pg_try_advisory_lock_shared(1)", SQL_ADVISORY_LOCK },
    { "SELECT pg_try_advisory_lock(hashtext('x')::bigint) AS locked", SQL_ADVISORY_LOCK },
    { "select * from t where pg_try_advisory_lock(t.id) limit 1", SQL_ADVISORY_LOCK },
    { "select \"pg_advisory_lock\"(1)", SQL_ADVISORY_LOCK },
    { "select pg_advisory_unlock(1)", SQL_ADVISORY_UNLOCK },
    { "select pg_advisory_unlock_shared(1)", SQL_ADVISORY_UNLOCK },
    { "select pg_advisory_unlock_all()", SQL_ADVISORY_UNLOCK },
    { "select pg_advisory_unlock(1), pg_advisory_lock(2)", SQL_ADVISORY_LOCK | SQL_ADVISORY_UNLOCK },
    { "load 'auto_explain'", SQL_LOAD },
    { "do $$ begin perform set_config('a', 'b', false); end $$", SQL_OPAQUE },
    { "do language plpgsql 'begin end'", SQL_OPAQUE },
    { "DO $do$ BEGIN EXECUTE 'listen x'; END; $do$ LANGUAGE plpgsql", SQL_OPAQUE },
    { "call p()", SQL_OPAQUE },
    { "call s.p(1, $1)", SQL_OPAQUE },
    { "select currval('s')", SQL_CURRVAL },
    { "select currval(pg_get_serial_sequence('t', 'id'))", SQL_CURRVAL },
    { "select lastval()", SQL_CURRVAL },
    { "insert into t (a) values (currval('s'))", SQL_CURRVAL },
    { "select nextval('s')", SQL_NEXTVAL },
    { "select nextval('s'::regclass) from generate_series(1, 10)", SQL_NEXTVAL },
    { "select setval('s', 1, false)", SQL_NEXTVAL },
    { "select pg_catalog.setval('s', (select max(id) from t))", SQL_NEXTVAL },
    { "select setseed(0.5)", SQL_SETSEED },
};

static const struct look_row transactions[] = {
    { "begin", SQL_BEGIN },
    { "begin work", SQL_BEGIN },
    { "begin transaction isolation level serializable, read only", SQL_BEGIN },
    { "start transaction", SQL_BEGIN },
    { "start transaction read write", SQL_BEGIN },
    { "commit", SQL_COMMIT },
    { "commit work", SQL_COMMIT },
    { "commit transaction and no chain", SQL_COMMIT },
    { "commit and chain", SQL_COMMIT | SQL_BEGIN },
    { "end", SQL_COMMIT },
    { "end transaction and chain", SQL_COMMIT | SQL_BEGIN },
    { "rollback", SQL_ROLLBACK },
    { "rollback transaction", SQL_ROLLBACK },
    { "rollback work and chain", SQL_ROLLBACK | SQL_BEGIN },
    { "abort", SQL_ROLLBACK },
    { "abort and no chain", SQL_ROLLBACK },
    { "copy t from stdin", SQL_COPY },
    { "COPY \"t\" (a, b) FROM STDIN WITH (FORMAT csv)", SQL_COPY },
    { "copy (select nextval('s')) to stdout", SQL_COPY | SQL_NEXTVAL },
};

static const struct look_row shapes[] = {
    { "create table t (a int)", SQL_DDL },
    { "create table temp (a int)", SQL_DDL },
    { "create table if not exists t (id serial primary key, a text default 'x;y')", SQL_DDL },
    { "create unlogged table t (a int)", SQL_DDL },
    { "create foreign table t (a int) server s", SQL_DDL },
    { "create table t as select 1", SQL_DDL },
    { "create table t (id int default nextval('s'))", SQL_DDL | SQL_NEXTVAL },
    { "create view v as select 1", SQL_DDL },
    { "create or replace view v as select 1", SQL_DDL },
    { "create recursive view v (a) as select 1", SQL_DDL },
    { "create materialized view v as select 1", SQL_DDL },
    { "create type t as (a int)", SQL_DDL },
    { "create domain d as int", SQL_DDL },
    { "create schema s", SQL_DDL },
    { "create schema s create table t (a int) create view v as select 1", SQL_DDL },
    { "create extension hstore", SQL_DDL },
    { "create operator @@@ (leftarg = int, function = f)", SQL_DDL },
    { "create cast (a as b) without function", SQL_DDL },
    { "create aggregate a (int) (sfunc = f, stype = int)", SQL_DDL },
    { "create rule r as on insert to t do instead nothing", SQL_DDL },
    { "create rule r as on insert to t do also (insert into a values (1); delete from b; notify x)", SQL_DDL },
    { "create function f() returns int language sql as 'select 1; select 2'", SQL_DDL },
    { "create or replace function f(a int default 1) returns trigger as $$ begin; end; $$ language plpgsql set search_path = x", SQL_DDL },
    { "create function f(begin atomic, b int) returns int language sql as 'select 1'", SQL_DDL },
    { "create function f() returns int return 1 + 1", SQL_DDL },
    { "create function f() returns int begin atomic end", SQL_DDL },
    { "create function f() returns int begin atomic select 1; end", SQL_DDL },
    { "create function f() returns int begin atomic select 1; select 2; end", SQL_DDL },
    { "create function f() returns int begin atomic select case when true then 1 else 2 end; end", SQL_DDL },
    { "create function f() returns int begin atomic select 1 end; select 1 as end; select t.end from t; end", SQL_DDL },
    { "create function f() returns int begin atomic insert into t values ((1)); return (select 2); end", SQL_DDL },
    { "create function f() returns int language sql begin atomic (select 1); end", SQL_DDL },
    { "create or replace procedure p(a int) begin atomic insert into t values (a); delete from t; end", SQL_DDL },
    { "create procedure p() language plpgsql as $$ begin commit; end $$", SQL_DDL },
    { "alter table t add column a int", SQL_DDL },
    { "alter table if exists only t drop column a, alter column b type text", SQL_DDL },
    { "alter table t set (fillfactor = 10)", SQL_DDL },
    { "alter type t add value 'x'", SQL_DDL },
    { "alter view v rename to w", SQL_DDL },
    { "alter function f() set search_path = x", SQL_DDL },
    { "alter schema s rename to r", SQL_DDL },
    { "alter extension e update", SQL_DDL },
    { "drop table t", SQL_DDL },
    { "drop table if exists t cascade", SQL_DDL },
    { "drop view v", SQL_DDL },
    { "drop function f()", SQL_DDL },
    { "drop type t", SQL_DDL },
    { "drop owned by bob", SQL_DDL },
    { "select 1 as a into t", SQL_DDL },
    { "select 1 as a into table t", SQL_DDL },
    { "select 1 as a into unlogged t from x", SQL_DDL },
    { "import foreign schema a from server s into b", SQL_DDL },
};
/* clang-format on */

static const struct {
    const struct look_row *rows;
    size_t count;
} corpora[] = {
    { harmless, COUNT_OF(harmless) },
    { settings, COUNT_OF(settings) },
    { session_state, COUNT_OF(session_state) },
    { transactions, COUNT_OF(transactions) },
    { shapes, COUNT_OF(shapes) },
};

static uint32_t
flags_of(struct slice sql)
{
    struct sql_findings found;

    sql_look(sql, true, &found);
    return found.flags;
}

static void
check_looks(const struct look_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sql_findings found;

        sql_look(slice_of_text(rows[i].sql), true, &found);
        FAIL_UNLESS(found.flags == rows[i].flags, rows[i].sql);
        FAIL_UNLESS(found.statements == 1, rows[i].sql);
        FAIL_UNLESS(!found.is_unterminated, rows[i].sql);
    }
}

/* Calls CHECK with each statement of the corpora. */
static void
each_statement(void (*check)(const struct look_row *row))
{
    for (size_t i = 0; i < COUNT_OF(corpora); i++)
        for (size_t j = 0; j < corpora[i].count; j++)
            check(&corpora[i].rows[j]);
}

static void
most_statements_leave_nothing_behind(void)
{
    check_looks(harmless, COUNT_OF(harmless));
}

/* What is told at a glance is never wrong; wherever it stands in the sixteen bytes that are looked at at once. */
static void
glance_at(const struct look_row *row)
{
    static const char *const before[] = { "",
                                          "select 1 -- ",
                                          "select a, b ",
                                          "update t set a = 1 where b = ",
                                          "insert into t ",
                                          "delete from t ",
                                          "select '",
                                          "select \"" };
    static const char *const behind[] = { "", ";", " ; ", " ;select 1", "'", "\"" };
    char text[2048];

    for (size_t i = 0; i < COUNT_OF(before); i++)
        for (size_t j = 0; j < COUNT_OF(behind); j++)
            for (int blanks = 0; blanks < 18; blanks++) {
                struct sql_findings f, odd;

                snprintf(text, sizeof text, "%s%*s%s%s", before[i], blanks, "", row->sql, behind[j]);
                if (!sql_is_harmless(slice_of_text(text)))
                    continue;
                sql_look(slice_of_text(text), true, &f);
                sql_look(slice_of_text(text), false, &odd);
                FAIL_UNLESS(f.flags == 0 && odd.flags == 0 && f.statements == 1, text);
            }
}

static void
nothing_is_missed_at_a_glance(void)
{
    each_statement(glance_at);
}

static void
what_orms_say_is_told_at_a_glance(void)
{
    static const char *const yes[] = {
        "SELECT \"public\".\"User\".\"id\" FROM \"public\".\"User\" WHERE (\"public\".\"User\".\"id\" = $1 AND 1=1) LIMIT $2",
        "INSERT INTO \"users\" (\"name\", \"email\") VALUES ($1, $2) RETURNING \"id\"",
        "  update accounts set printed = into_account, interest = count(*) + 1 where a in (1, 2);\n",
        "delete from t where x & 1 = 1 and f('pg_setting')",
        "select \"set_config\" from t where a = 'reset all'",
        "SELECT",
    };
    static const char *const no[] = {
        "select set_config ('a', 'b', false)",
        "select \"set_config\"('a', 'b', false)",
        "select set_config/**/('a', 'b', false)",
        "select set_config --\n('a', 'b', false)",
        "select a into b from c",
        "update pg_settings set a = b",
        "update \"pg_settings\" set a = b",
        "select U&\"set_confi\\0067\"('a', 'b', false)",
        "select 1; select 2",
        "with x as (select 1) select 2",
        "selects",
        "",
        "insert x",
        "/**/ select 1",
        "select 1set_config('a', 'b', false)",
        "select 1into t",
        "select $$a$$set_config('a', 'b', false)",
        "set a = b",
    };

    for (size_t i = 0; i < COUNT_OF(yes); i++)
        FAIL_UNLESS(sql_is_harmless(slice_of_text(yes[i])), yes[i]);
    for (size_t i = 0; i < COUNT_OF(no); i++)
        FAIL_UNLESS(!sql_is_harmless(slice_of_text(no[i])), no[i]);
}

static void
settings_that_outlive_the_transaction_are_found(void)
{
    check_looks(settings, COUNT_OF(settings));
}

static void
other_state_of_the_session_is_found(void)
{
    check_looks(session_state, COUNT_OF(session_state));
}

static void
a_table_that_its_transaction_drops_hides_no_other(void)
{
    static const char *const texts[] = {
        "create temp table t as select 1; create temp table u (a int) on commit drop",
        "create temp table u (a int) on commit drop; create temp table t as select 1",
    };
    struct sql_findings f;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        sql_look(slice_of_text(texts[i]), true, &f);
        CU_ASSERT_EQUAL(f.flags, SQL_TEMP);
    }
}

static void
begins_and_ends_of_transactions_are_found(void)
{
    check_looks(transactions, COUNT_OF(transactions));
}

static void
what_changes_the_shape_of_results_is_found(void)
{
    check_looks(shapes, COUNT_OF(shapes));
}

/* Writes SQL's tokens to OUT with SEPARATOR between them, words in alternating case. */
static void
tokens_rewrite(const char *sql, const char *separator, char *out)
{
    struct sql_scan s;
    struct sql_token t;

    sql_scan_init(&s, slice_of_text(sql), true);
    while (sql_next(&s, &t) != SQL_END) {
        for (size_t i = 0; i < t.text.len; i++) {
            uint8_t c = t.text.at[i];

            *out++ = (char)(t.kind != SQL_WORD || c < 'A' || c > 'z' || c == '_' ? c
                            : i % 2                                              ? c | 0x20
                                                                                 : c & ~0x20);
        }
        out += sprintf(out, "%s", separator);
    }
    *out = '\0';
}

static void
check_other_spelling(const struct look_row *row)
{
    static const char *const separators[] = { " ", "\n\t", "/* set a=b; */", "/*/**/ ' */ ",
                                              " -- ; \" $$\n" };
    char text[8192];

    for (size_t i = 0; i < COUNT_OF(separators); i++) {
        tokens_rewrite(row->sql, separators[i], text);
        FAIL_UNLESS(flags_of(slice_of_text(text)) == row->flags, text);
    }
}

static void
case_blanks_and_comments_change_nothing(void)
{
    each_statement(check_other_spelling);
}

static void
check_in_company(const struct look_row *row)
{
    struct sql_findings found;
    char text[2048];

    snprintf(text, sizeof text, ";select 'a;b'; ; %s \n;; update t set a = (1) ; /* ; */ ", row->sql);
    sql_look(slice_of_text(text), true, &found);
    FAIL_UNLESS(found.flags == row->flags, text);
    FAIL_UNLESS(found.statements == 3, text);
    snprintf(text, sizeof text, "%s\n;%s\n;listen a", row->sql, row->sql);
    sql_look(slice_of_text(text), true, &found);
    FAIL_UNLESS(found.flags == (row->flags | SQL_LISTEN), text);
    FAIL_UNLESS(found.statements == 3, text);
}

static void
a_statement_is_found_among_others(void)
{
    each_statement(check_in_company);
}

/* No assertion but the address sanitizer's, and that it comes back. */
static void
check_every_cut(const struct look_row *row)
{
    for (size_t len = 0; len <= strlen(row->sql); len++) {
        uint8_t *copy = tight_copy(slice_of(row->sql, len));

        (void)flags_of(slice_of(copy, len));
        free(copy);
    }
}

static void
a_text_may_be_cut_off_anywhere(void)
{
    each_statement(check_every_cut);
}

static void
an_empty_text_has_no_statement(void)
{
    static const char *const texts[] = { "", " \n", ";", " ; ;; ", "-- select 1", "/* set a = 1 */ ; --" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct sql_findings found;

        sql_look(slice_of_text(texts[i]), true, &found);
        FAIL_UNLESS(found.statements == 0 && found.flags == 0 && !found.is_unterminated, texts[i]);
    }
}

static void
what_stands_in_an_endless_string_is_not_a_statement(void)
{
    static const char *const texts[] = { "select 1; 'a; set a = 1", "select 1; \"a; set a = 1",
                                         "select 1; $$a; set a = 1", "select 1; e'\\'; set a = 1" };
    struct sql_findings found;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        sql_look(slice_of_text(texts[i]), true, &found);
        FAIL_UNLESS(found.is_unterminated && found.flags == 0 && found.statements == 2, texts[i]);
    }
    sql_look(slice_of_text("select 1; /* set a = 1; listen b"), true, &found);
    CU_ASSERT_TRUE(found.is_unterminated);
    CU_ASSERT_EQUAL(found.statements, 1);
}

static void
the_setting_of_backslashes_decides_what_is_a_string(void)
{
    static const char sql[] = "select 'a\\'; listen b; --'";
    struct sql_findings found;

    sql_look(slice_of_text(sql), true, &found);
    CU_ASSERT_EQUAL(found.flags, SQL_LISTEN);
    CU_ASSERT_EQUAL(found.statements, 2);
    sql_look(slice_of_text(sql), false, &found);
    CU_ASSERT_EQUAL(found.flags, 0);
    CU_ASSERT_EQUAL(found.statements, 1);
}

/*
 * The lists.
 */

/* Writes the settings as "set:a reset:b config:c config:$1?$3 …", ? before what says whether it is local. */
static void
settings_write(const struct sql_findings *found, char *out)
{
    static const char *const hows[] = {
        [SQL_BY_SET] = "set", [SQL_BY_RESET] = "reset", [SQL_BY_SET_CONFIG] = "config"
    };

    *out = '\0';
    for (size_t i = 0; i < found->setting_count; i++) {
        const struct sql_setting *s = &found->settings[i];

        out += sprintf(out, "%s%s:%s", i > 0 ? " " : "", hows[s->how], s->name);
        if (s->name_parameter != 0)
            out += sprintf(out, "$%u", s->name_parameter);
        if (s->local_parameter != 0)
            out += sprintf(out, "?$%u", s->local_parameter);
    }
}

static void
each_setting_is_listed_by_its_name(void)
{
    /* clang-format off */
    static const struct {
        const char *sql;
        const char *settings;
    } rows[] = {
        { "set a = 1", "set:a" },
        { "SET Search_Path TO x", "set:search_path" },
        { "set app.Tenant_ID = 1", "set:app.tenant_id" },
        { "set \"App\" . \"te nant\" = 1", "set:app.te nant" },
        { "set a.b.c to default", "set:a.b.c" },
        { "set session a = 1", "set:a" },
        { "set session.a = 1", "set:session.a" },
        { "set session session.a = 1", "set:session.a" },
        { "set local.a = 1", "set:local.a" },
        { "set local a = 1", "" },
        { "set time zone 'UTC'", "set:timezone" },
        { "set timezone to 'UTC'", "set:timezone" },
        { "set names 'utf8'", "set:client_encoding" },
        { "set schema 'x'", "set:search_path" },
        { "set xml option content", "set:xmloption" },
        { "set role bob", "set:role" },
        { "set role to bob", "set:role" },
        { "set session authorization bob", "set:session_authorization" },
        { "set session characteristics as transaction read only",
          "set:default_transaction_isolation set:default_transaction_read_only set:default_transaction_deferrable" },
        { "reset a.B", "reset:a.b" },
        { "reset all", "" },
        { "reset time zone", "reset:timezone" },
        { "reset role", "reset:role" },
        { "reset session authorization", "reset:session_authorization" },
        { "select set_config('A.b', 'c', false)", "config:a.b" },
        { "select set_config(e'\\x61.b', 'c', false)", "config:a.b" },
        { "select set_config($x$a$x$::varchar::text, 'c', false)", "config:a" },
        { "select set_config('a', 'b', true)", "" },
        { "select set_config($1, $2, false)", "config:$1" },
        { "select set_config($1::text, $2, $3)", "config:$1?$3" },
        { "select set_config('a', $1, $2::bool)", "config:a?$2" },
        { "select set_config('a', $1, $2 or true)", "config:a" },
        { "select set_config('a', $1, not $2)", "config:a" },
        { "select set_config('a', 'b')", "config:a" },
        { "select set_config('a', 'b', $1, 1)", "config:a" },
        { "select set_config('a', set_config('b', '', false), false)", "config:b config:a" },
        { "select set_config('a', array[1, 2]::text, $1)", "config:a?$1" },
        { "set a = 1; reset b; select set_config('c', '', false), set_config('d', '', false); set local e = 1",
          "set:a reset:b config:c config:d" },
        { "set a = 1; set a = 2", "set:a set:a" },
        { "update t set a = 1", "" },
        { "alter role bob set a = 1", "" },
        { "create function f() returns int language sql set a = 1 as ''", "" },
    };
    /* clang-format on */
    char text[1024];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_findings found;

        sql_look(slice_of_text(rows[i].sql), true, &found);
        settings_write(&found, text);
        FAIL_UNLESS(strcmp(text, rows[i].settings) == 0, text);
        FAIL_UNLESS(!found.settings_are_partial, rows[i].sql);
    }
}

static void
what_search_path_is_set_to_is_found(void)
{
    /* clang-format off */
    static const struct {
        const char *sql;
        const char *path; /* NULL: none */
        uint16_t parameter;
    } rows[] = {
        { "set local search_path = a, \"b\"", "= a, \"b\"", 0 },
        { "SET LOCAL Search_Path TO a; select 1", "TO a", 0 },
        { "begin; set local schema 'a' ;commit", "'a' ", 0 },
        { "set search_path to default", "to default", 0 },
        { "set session search_path = a", "= a", 0 },
        { "set local search_path = a; set local search_path = b", "= b", 0 },
        { "select set_config('search_path', 'a', true)", "'a'", 0 },
        { "select set_config('SEARCH_PATH', $2::text, $3)", "", 2 },
        { "select set_config('search_path', $1, true), set_config('app.id', $2, true)", "", 1 },
        { "set local search_path = a; select set_config('search_path', $1, true)", "", 1 },
        { "select set_config('search_path', $1, true); set local search_path = a", "= a", 0 },
        { "set local search_path.x = a", NULL, 0 },
        { "set search_path.x = a", NULL, 0 },
        { "set local timezone = a", NULL, 0 },
        { "set local.search_path = a", NULL, 0 },
        { "select set_config('search_path', concat('a', $1), true)", NULL, 0 },
        { "select set_config($1, 'a', true)", NULL, 0 },
        { "alter role bob set search_path = x", NULL, 0 },
        { "select 'set local search_path = x'", NULL, 0 },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_findings f;

        sql_look(slice_of_text(rows[i].sql), true, &f);
        CU_ASSERT_EQUAL((f.flags & SQL_PATH) != 0, rows[i].path != NULL);
        if ((f.flags & SQL_PATH) == 0 || rows[i].path == NULL)
            continue;
        CU_ASSERT_EQUAL(f.path_parameter, rows[i].parameter);
        CU_ASSERT_TRUE(slice_is(f.path, rows[i].path));
    }
}

static void
a_full_list_of_settings_says_so(void)
{
    struct sql_findings found;
    char text[1024] = "";

    for (unsigned i = 0; i < SQL_SETTINGS_MOST; i++)
        sprintf(text + strlen(text), "set a%u = 1; select set_config('x', '', true); set local y = 1;", i);
    sql_look(slice_of_text(text), true, &found);
    CU_ASSERT_EQUAL(found.setting_count, SQL_SETTINGS_MOST);
    CU_ASSERT_FALSE(found.settings_are_partial);
    CU_ASSERT_EQUAL(found.flags, SQL_SETS | SQL_SET_CONFIG_LOCAL);
    strcat(text, "reset b");
    sql_look(slice_of_text(text), true, &found);
    CU_ASSERT_EQUAL(found.setting_count, SQL_SETTINGS_MOST);
    CU_ASSERT_TRUE(found.settings_are_partial);
    CU_ASSERT_EQUAL(found.flags, SQL_SETS | SQL_SET_CONFIG_LOCAL | SQL_RESETS | SQL_OPAQUE);
    CU_ASSERT_STRING_EQUAL(found.settings[0].name, "a0");
    CU_ASSERT_STRING_EQUAL(found.settings[SQL_SETTINGS_MOST - 1].name, "a15");
}

static void
a_setting_whose_name_cannot_be_listed_is_not_forgotten(void)
{
    static const char *const texts[] = {
        "set u&\"a\" = 1", "set a.u&\"b\" = 1", "reset 'a'", "set a. = 1", "set $1 = 1", "set 1", "set",
        "reset",
    };
    struct sql_findings found;
    char text[256];

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        sql_look(slice_of_text(texts[i]), true, &found);
        FAIL_UNLESS(found.settings_are_partial && found.setting_count == 0, texts[i]);
        FAIL_UNLESS((found.flags & SQL_OPAQUE) != 0, texts[i]);
    }
    for (int len = (int)SQL_SETTING_NAME_MOST - 1; len <= (int)SQL_SETTING_NAME_MOST + 1; len++) {
        snprintf(text, sizeof text, "select set_config('%0*d', '', false)", len, 0);
        sql_look(slice_of_text(text), true, &found);
        FAIL_UNLESS(found.settings_are_partial == (len > (int)SQL_SETTING_NAME_MOST), text);
        snprintf(text, sizeof text, "set a%0*d.b%0*d.c%0*d = 1", 60, 0, 60, 0, len - 125, 0);
        sql_look(slice_of_text(text), true, &found);
        FAIL_UNLESS(found.settings_are_partial == (len > (int)SQL_SETTING_NAME_MOST), text);
    }
}

static void
calls_within_calls_are_listed_until_there_are_too_many(void)
{
    struct sql_findings found;
    char text[1024];

    for (unsigned depth = 1; depth < 12; depth++) {
        text[0] = '\0';
        for (unsigned i = 0; i < depth; i++)
            strcat(text, i == 0 ? "select set_config('a', " : "set_config('a', ");
        for (unsigned i = 0; i < depth; i++)
            strcat(text, i == 0 ? "'', false)" : ", false)");
        sql_look(slice_of_text(text), true, &found);
        FAIL_UNLESS(found.setting_count == (depth < 8 ? depth : 8), text);
        FAIL_UNLESS(found.settings_are_partial == (depth > 8), text);
    }
}

/* Writes the names as "prepare:a execute:b …", each followed by the token that stands in SQL. */
static void
named_write(const char *sql, const struct sql_findings *found, char *out)
{
    static const char *const verbs[] = {
        [SQL_BY_PREPARE] = "prepare", [SQL_BY_EXECUTE] = "execute", [SQL_BY_DEALLOCATE] = "deallocate"
    };

    *out = '\0';
    for (size_t i = 0; i < found->named_count; i++) {
        const struct sql_named *n = &found->named[i];

        out += sprintf(out, "%s%s:%s=%.*s", i > 0 ? " " : "", verbs[n->verb], n->name, (int)n->len,
                       sql + n->at);
    }
}

static void
each_prepared_statement_is_listed_by_its_name_and_place(void)
{
    /* clang-format off */
    static const struct {
        const char *sql;
        const char *named;
    } rows[] = {
        { "deallocate a", "deallocate:a=a" },
        { "DEALLOCATE PREPARE MyName", "deallocate:myname=MyName" },
        { "deallocate prepare", "deallocate:prepare=prepare" },
        { "deallocate prepare prepare", "deallocate:prepare=prepare" },
        { "deallocate prepare; select 1", "deallocate:prepare=prepare" },
        { "deallocate \"My\"\"Name\"", "deallocate:My\"Name=\"My\"\"Name\"" },
        { "deallocate \"all\"", "deallocate:all=\"all\"" },
        { "deallocate all", "" },
        { "deallocate/* a */prepare--b\n\tc", "deallocate:c=c" },
        { "deallocate a;deallocate b ; deallocate all", "deallocate:a=a deallocate:b=b" },
        { "prepare a as select 1", "prepare:a=a" },
        { "prepare \"A\"(int) as select 1", "prepare:A=\"A\"" },
        { "prepare transaction 'a'", "" },
        { "prepare transaction as select 1", "prepare:transaction=transaction" },
        { "execute pdo_stmt_00000001", "execute:pdo_stmt_00000001=pdo_stmt_00000001" },
        { "execute a(1, 2)", "execute:a=a" },
        { "explain (analyze) execute a(1)", "execute:a=a" },
        { "create table t (x) as execute a", "execute:a=a" },
        { "create table t as select x as execute, a from b", "" },
        { "begin; prepare a as select 1; execute a; deallocate a; commit", "prepare:a=a execute:a=a deallocate:a=a" },
        { "select 'deallocate a'; select deallocate, a", "" },
        { "deallocate ÄB", "deallocate:Äb=ÄB" },
    };
    /* clang-format on */
    char text[1024];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_findings found;

        sql_look(slice_of_text(rows[i].sql), true, &found);
        named_write(rows[i].sql, &found, text);
        FAIL_UNLESS(strcmp(text, rows[i].named) == 0, text);
        FAIL_UNLESS(!found.named_are_partial, rows[i].sql);
    }
}

static void
a_full_list_of_names_says_so(void)
{
    struct sql_findings found;
    char text[1024] = "";

    for (unsigned i = 0; i < SQL_NAMED_MOST; i++)
        sprintf(text + strlen(text), "deallocate a%u;", i);
    sql_look(slice_of_text(text), true, &found);
    CU_ASSERT_EQUAL(found.named_count, SQL_NAMED_MOST);
    CU_ASSERT_FALSE(found.named_are_partial);
    strcat(text, "deallocate b");
    sql_look(slice_of_text(text), true, &found);
    CU_ASSERT_EQUAL(found.named_count, SQL_NAMED_MOST);
    CU_ASSERT_TRUE(found.named_are_partial);
    sql_look(slice_of_text("deallocate u&\"a\""), true, &found);
    CU_ASSERT_EQUAL(found.named_count, 0);
    CU_ASSERT_TRUE(found.named_are_partial);
}

/*
 * Hostile texts.
 */

/* UNIT again and again: a test that takes minutes has found time that grows with the square of the length. */
static void
look_at_many(const char *prefix, const char *unit, bool standard_strings)
{
    const size_t bytes = (size_t)1 << 16;
    size_t len = strlen(prefix), unit_len = strlen(unit);
    char *text = malloc(bytes);
    struct sql_findings found;

    if (text == NULL)
        abort();
    memcpy(text, prefix, len);
    for (; len + unit_len <= bytes; len += unit_len)
        memcpy(text + len, unit, unit_len);
    sql_look(slice_of(text, len), standard_strings, &found);
    CU_ASSERT_TRUE(found.statements > 0 || found.is_unterminated || found.flags == 0);
    free(text);
}

static void
hostile_texts_take_no_longer_than_others(void)
{
    static const char *const units[] = {
        "a",
        "a ",
        "'",
        "''",
        "'a'\n",
        "'a' --\n",
        "\"",
        "\"\"",
        "$",
        "$a",
        "$a$",
        "$$",
        "$a ",
        "$a$b",
        "(",
        ")",
        "((;",
        "[",
        ";",
        "+",
        "-",
        "+-",
        "=+",
        "/",
        "/*",
        "*/",
        "/*/",
        "*",
        "--",
        "--\n",
        "1",
        "1e",
        "1.",
        "1..",
        ".",
        ":",
        "\\",
        "e'",
        "u&'",
        "u&\"",
        "e'\\'",
        "\n",
        "set ",
        "set a.",
        "a.",
        "explain ",
        "explain(",
        "session ",
        "into ",
        "update ",
        "set_config(",
        "set_config('a',",
        "set_config('',set_config(",
        "\"set_config\"(",
        "begin atomic ",
        "deallocate prepare ",
        "create ",
        "create temp ",
        "create function begin atomic ",
        "with hold ",
        "\xff",
        "end;",
        "0x",
        "1_",
        "'a'\n--\n",
        "b'",
        "n'",
        "@",
        "@+",
        "+--\n",
    };
    static const char *const prefixes[] = {
        "",
        "select ",
        "set ",
        "set session ",
        "reset ",
        "explain ",
        "explain (",
        "create function f() begin atomic ",
        "create table a ",
        "select set_config('",
        "deallocate ",
        "prepare transaction ",
        "declare ",
        "rollback ",
        "$$",
        "$a$",
        "'",
        "e'",
        "\"",
        "/*",
        "--",
        "(",
        "select x into ",
        "update ",
        "=",
    };

    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        for (size_t j = 0; j < COUNT_OF(units); j++)
            look_at_many(prefixes[i], units[j], (i + j) % 2 == 0);
}

void
suite_sql(void)
{
    CU_pSuite suite = CU_add_suite("sql", NULL, NULL);

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
    CU_ADD_TEST(suite, most_statements_leave_nothing_behind);
    CU_ADD_TEST(suite, nothing_is_missed_at_a_glance);
    CU_ADD_TEST(suite, what_orms_say_is_told_at_a_glance);
    CU_ADD_TEST(suite, settings_that_outlive_the_transaction_are_found);
    CU_ADD_TEST(suite, other_state_of_the_session_is_found);
    CU_ADD_TEST(suite, a_table_that_its_transaction_drops_hides_no_other);
    CU_ADD_TEST(suite, begins_and_ends_of_transactions_are_found);
    CU_ADD_TEST(suite, what_changes_the_shape_of_results_is_found);
    CU_ADD_TEST(suite, case_blanks_and_comments_change_nothing);
    CU_ADD_TEST(suite, a_statement_is_found_among_others);
    CU_ADD_TEST(suite, a_text_may_be_cut_off_anywhere);
    CU_ADD_TEST(suite, an_empty_text_has_no_statement);
    CU_ADD_TEST(suite, what_stands_in_an_endless_string_is_not_a_statement);
    CU_ADD_TEST(suite, the_setting_of_backslashes_decides_what_is_a_string);
    CU_ADD_TEST(suite, each_setting_is_listed_by_its_name);
    CU_ADD_TEST(suite, what_search_path_is_set_to_is_found);
    CU_ADD_TEST(suite, a_full_list_of_settings_says_so);
    CU_ADD_TEST(suite, a_setting_whose_name_cannot_be_listed_is_not_forgotten);
    CU_ADD_TEST(suite, calls_within_calls_are_listed_until_there_are_too_many);
    CU_ADD_TEST(suite, each_prepared_statement_is_listed_by_its_name_and_place);
    CU_ADD_TEST(suite, a_full_list_of_names_says_so);
    CU_ADD_TEST(suite, hostile_texts_take_no_longer_than_others);
}
