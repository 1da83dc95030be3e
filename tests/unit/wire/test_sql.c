/*
 * test_sql.c - what a text does to the session: the corpus, in every spelling, and hostile texts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "bytes.h"
#include "sql_corpus.h"
#include "pgweir/wire/sql.h"

void suite_sql(void);

static uint32_t
flags_of(struct slice sql)
{
    struct sql_findings found;

    sql_look(sql, true, &found);
    return found.flags;
}

static void
check_looks(const struct look_rows *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        const struct look_row *row = &corpus->rows[i];
        struct sql_findings found;

        sql_look(slice_of_text(row->sql), true, &found);
        FAIL_UNLESS(found.flags == row->flags, row->sql);
        FAIL_UNLESS(found.statements == 1, row->sql);
        FAIL_UNLESS(!found.is_unterminated, row->sql);
    }
}

/* Calls CHECK with each statement of the corpus. */
static void
each_statement(void (*check)(const struct look_row *row))
{
    for (size_t i = 0; i < LOOK_NOUNS; i++)
        for (size_t j = 0; j < sql_corpus[i].count; j++)
            check(&sql_corpus[i].rows[j]);
}

static void
most_statements_leave_nothing_behind(void)
{
    check_looks(&sql_corpus[LOOK_HARMLESS]);
}

/* What is told at a glance is never wrong; wherever it stands in the sixteen bytes that are looked at at
 * once. */
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
    check_looks(&sql_corpus[LOOK_SETTINGS]);
}

static void
other_state_of_the_session_is_found(void)
{
    check_looks(&sql_corpus[LOOK_SESSION_STATE]);
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
    check_looks(&sql_corpus[LOOK_TRANSACTIONS]);
}

static void
what_changes_the_shape_of_results_is_found(void)
{
    check_looks(&sql_corpus[LOOK_SHAPES]);
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
    CU_ADD_TEST(suite, hostile_texts_take_no_longer_than_others);
}
