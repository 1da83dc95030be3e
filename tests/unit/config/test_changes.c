#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "fixture.h"

void suite_changes(void);

#define TRUSTING "[pgweir]\nauth_type = trust\n"
#define SOMEWHERE "[databases]\n* = host=127.0.0.1\n"

/* Whether a reload from BEFORE to AFTER is told as EXPECTED. */
static bool
is_told(struct fixture *f, const char *before, const char *after, const char *expected)
{
    struct settings *old;
    struct buf told;
    bool is_same;

    fixture_load(f, before);
    CU_ASSERT_EQUAL_FATAL(f->result, ERR_NONE);
    old = f->settings;
    f->settings = NULL;
    fixture_load(f, after);
    CU_ASSERT_EQUAL_FATAL(f->result, ERR_NONE);
    buf_init(&told);
    settings_tell_changes(old, f->settings, &told);
    is_same = strcmp(buf_text(&told), expected) == 0;
    if (!is_same)
        fprintf(stderr, "\n    expected: %s\n    got: %s\n", expected, buf_text(&told));
    buf_release(&told);
    settings_drop(old);
    return is_same;
}

static void
nothing_changed_is_nothing_told(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_TRUE(is_told(&f, TRUSTING SOMEWHERE,
                           TRUSTING "listen_port = 0x1920\nquery_wait_timeout = 2min\n" SOMEWHERE, ""));
    fixture_fini(&f);
}

static void
options_are_told_with_both_values_and_what_it_takes(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_TRUE(is_told(
        &f, TRUSTING SOMEWHERE,
        TRUSTING "listen_port = 7\nquery_wait_timeout = 1min\npool_mode = session\nlogfile = x\n" SOMEWHERE,
        "listen_port: 6432 -> 7 (needs a restart)\nlogfile: \"\" -> \"x\"\n"
        "pool_mode: transaction -> session (for new connections)\nquery_wait_timeout: 120 -> 60\n"));
    fixture_fini(&f);
}

static void
databases_and_users_come_go_and_change(void)
{
    static const char before[] = TRUSTING "[databases]\n"
                                          "a = host=x\n"
                                          "b = host=x password=old pool_size=3\n"
                                          "c =\n"
                                          "[users]\n"
                                          "u = pool_size=1\n"
                                          "v = pool_size=1\n"
                                          "x = pool_size=1\n";
    static const char after[] = TRUSTING "[databases]\n"
                                         "d =\n"
                                         "b = host=y password=new min_pool_size=1\n"
                                         "c =\n"
                                         "[users]\n"
                                         "v = pool_size=2 pool_mode=session\n"
                                         "w = pool_size=1\n"
                                         "x = pool_size=1\n";
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_TRUE(is_told(&f, before, after,
                           "database a: removed\n"
                           "database b: changed host, password, pool_size, min_pool_size\n"
                           "database d: added\n"
                           "user u: removed\n"
                           "user v: changed pool_mode, pool_size\n"
                           "user w: added\n"));
    fixture_fini(&f);
}

static void
the_auth_file_is_counted_and_not_shown(void)
{
    struct fixture f;
    struct settings *old;
    struct buf told;

    fixture_init(&f);
    fixture_write("users.txt", "\"a\" \"1\"\n\"b\" \"2\"\n\"c\" \"3\"\n");
    fixture_load(&f, SOMEWHERE "[pgweir]\nauth_file = users.txt\n");
    old = f.settings;
    f.settings = NULL;
    fixture_write("users.txt", "\"b\" \"new\"\n\"c\" \"3\"\n\"d\" \"4\"\n\"e\" \"5\"\n");
    fixture_load_file(&f, MAIN_INI);
    buf_init(&told);
    settings_tell_changes(old, f.settings, &told);
    CU_ASSERT_STRING_EQUAL(buf_text(&told), "auth file: 2 users added, 1 removed, 1 with another secret\n");
    buf_release(&told);
    settings_drop(old);
    fixture_fini(&f);
}

static void
one_option_is_changed_and_the_rest_stays(void)
{
    struct fixture f;
    struct settings *one, *two = NULL;
    struct error why;
    char text[64];

    fixture_init(&f);
    fixture_load(&f, TRUSTING SOMEWHERE);
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(settings_with(f.settings, option_find("query_wait_timeout"), "1min", &one, &why),
                          ERR_NONE);
    CU_ASSERT_EQUAL(settings_with(one, option_find("listen_port"), "1", &two, &why), ERR_CONFIG);
    CU_ASSERT_EQUAL(settings_with(one, option_find("query_wait_timeout"), "soon", &two, &why), ERR_SYNTAX);
    CU_ASSERT_PTR_NULL(two);
    CU_ASSERT_EQUAL_FATAL(settings_with(one, option_find("pool_mode"), "session", &two, &why), ERR_NONE);
    settings_drop(f.settings);
    f.settings = NULL;
    settings_drop(one);
    settings_show(two, option_find("query_wait_timeout"), text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "60");
    settings_show_preset(two, option_find("query_wait_timeout"), text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "120");
    CU_ASSERT_EQUAL(two->pool_mode, POOL_SESSION);
    CU_ASSERT_STRING_EQUAL(settings_database_name(two, 0), "*");
    settings_drop(two);
    fixture_fini(&f);
}

void
suite_changes(void)
{
    CU_pSuite suite = CU_add_suite("changes", NULL, NULL);

    CU_ADD_TEST(suite, one_option_is_changed_and_the_rest_stays);
    CU_ADD_TEST(suite, nothing_changed_is_nothing_told);
    CU_ADD_TEST(suite, options_are_told_with_both_values_and_what_it_takes);
    CU_ADD_TEST(suite, databases_and_users_come_go_and_change);
    CU_ADD_TEST(suite, the_auth_file_is_counted_and_not_shown);
}
