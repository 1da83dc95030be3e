/*
 * test_sql_fingerprint.c - texts that differ in constants only are one; names of settings are found where
 * nobody reads.
 */
#include <CUnit/CUnit.h>
#include <string.h>

#include "pgweir/wire/sql.h"

void suite_sql_fingerprint(void);

static uint64_t
print_of(const char *sql)
{
    char shown[200];

    return sql_fingerprint(slice_of_text(sql), true, shown, sizeof shown);
}

static void
constants_case_and_spacing_do_not_matter(void)
{
    static const char *const same[][2] = {
        { "select f(1)", "SELECT  f ( 'x' ) -- hello" },
        { "select f($1, 2, 'x')", "select f(E'a''b')" },
        { "select * from t where a in (1,2,3)", "select * from t where a in (1, 2)" },
        { "select 1;", "select 2" },
        { "select $$one$$", "select U&'two'" },
        { "", " /* nothing */ ; " },
    };
    static const char *const other[][2] = {
        { "select f(1)", "select g(1)" },          { "select \"F\"()", "select \"f\"()" },
        { "select a, 1", "select 1, a" },          { "select 1; select 2", "select 1" },
        { "select f(1, a)", "select f(1)" },       { "selectf(1)", "select f(1)" },
        { "select f(1), f(2)", "select f(1, 2)" },
    };

    for (size_t i = 0; i < COUNT_OF(same); i++)
        CU_ASSERT_EQUAL(print_of(same[i][0]), print_of(same[i][1]));
    for (size_t i = 0; i < COUNT_OF(other); i++)
        CU_ASSERT_NOT_EQUAL(print_of(other[i][0]), print_of(other[i][1]));
}

static void
no_constant_is_shown(void)
{
    char shown[64];

    (void)sql_fingerprint(slice_of_text("SELECT a.b, f( 'secret' ,$$secret$$) FROM \"T\" WHERE x[1] = -5;"),
                          true, shown, sizeof shown);
    CU_ASSERT_STRING_EQUAL(shown, "select a.b, f (?) from \"T\" where x [?] = - ?");
}

static void
the_hash_is_that_of_the_whole_text(void)
{
    static const char text[] = "select aaaaaaaaaaaa, bbbbbbbbbbbbbbb from c";
    char shown[8];

    CU_ASSERT_EQUAL(sql_fingerprint(slice_of_text(text), true, shown, sizeof shown), print_of(text));
    CU_ASSERT_STRING_EQUAL(shown, "select ");
    CU_ASSERT_EQUAL(sql_fingerprint(slice_of_text(text), true, NULL, 0), print_of(text));
}

/* What is found in TEXT, each behind a bar. */
static const char *
names_of(const char *text)
{
    static char all[256];
    struct slice rest = slice_of_text(text);
    char name[32];

    all[0] = '\0';
    while (sql_next_dotted_name(&rest, name, sizeof name))
        strcat(strcat(all, "|"), name);
    return all;
}

static void
dotted_names_are_found_in_strings_and_behind_set(void)
{
    static const char *const cases[][2] = {
        { "do $$begin perform set_config('app.tenant', x, false); end$$", "|app.tenant" },
        { "do 'begin set app.a = 1; SET  SESSION\tb.c_1$.d to x; end'", "|app.a|b.c_1$.d" },
        { "do 'begin perform set_config(''x.y'', ''1'', false); end'", "|x.y" },
        { "select a.b from c.d where reset e.f", "" },
        { "call f('plain', '.x', 'x.', '1.2', 'a..b')", "" },
        { "do 'offset a.b set.c.d'", "" },
        { "'a.234567890123456789012345678901234567890' 'b.c'", "|b.c" },
        { "", "" },
        { "'a.b", "|a.b" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CU_ASSERT_STRING_EQUAL(names_of(cases[i][0]), cases[i][1]);
}

void
suite_sql_fingerprint(void)
{
    CU_pSuite suite = CU_add_suite("sql fingerprint", NULL, NULL);

    CU_ADD_TEST(suite, constants_case_and_spacing_do_not_matter);
    CU_ADD_TEST(suite, no_constant_is_shown);
    CU_ADD_TEST(suite, the_hash_is_that_of_the_whole_text);
    CU_ADD_TEST(suite, dotted_names_are_found_in_strings_and_behind_set);
}
