/*
 * test_sql_lists.c - which settings and prepared statements a text names.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "sql_corpus.h"
#include "pgweir/wire/sql.h"

void suite_sql_lists(void);

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
        { "set a.b.c to default", "reset:a.b.c" },
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

void
suite_sql_lists(void)
{
    CU_pSuite suite = CU_add_suite("sql_lists", NULL, NULL);

    CU_ADD_TEST(suite, each_setting_is_listed_by_its_name);
    CU_ADD_TEST(suite, what_search_path_is_set_to_is_found);
    CU_ADD_TEST(suite, a_full_list_of_settings_says_so);
    CU_ADD_TEST(suite, a_setting_whose_name_cannot_be_listed_is_not_forgotten);
    CU_ADD_TEST(suite, calls_within_calls_are_listed_until_there_are_too_many);
    CU_ADD_TEST(suite, each_prepared_statement_is_listed_by_its_name_and_place);
    CU_ADD_TEST(suite, a_full_list_of_names_says_so);
}
