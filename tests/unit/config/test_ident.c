/* test_ident.c - maps from the names of certificates and of the operating system to roles. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "config/ident_impl.h"
#include "fixture.h"

void suite_ident(void);

static const char *under_test;

static enum err
fake_read(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    (void)why;
    CU_ASSERT_STRING_EQUAL(path, "ident");
    *facts = (struct file_facts){ .mode = 0600 };
    buf_add_text(out, under_test);
    return ERR_NONE;
}

static struct ident *
read_text(const char *text, struct buf *told)
{
    struct problems problems;
    struct ident *ident;

    under_test = text;
    buf_init(told);
    problems_init(&problems, told);
    ident = ident_read("ident", (struct place){ "main.ini", 1 }, fake_read, &problems);
    problems_finish(&problems);
    return ident;
}

static void
without_a_map_only_the_same_name_will_do(void)
{
    CU_ASSERT(ident_allows(NULL, NULL, "joe", "joe"));
    CU_ASSERT_FALSE(ident_allows(NULL, NULL, "joe", "Joe"));
    CU_ASSERT_FALSE(ident_allows(NULL, NULL, "joe", "jo"));
    CU_ASSERT_FALSE(ident_allows(NULL, "ops", "joe", "joe"));
}

static void
maps_say_who_may_be_whom(void)
{
    static const char text[] = "# map  system  user\n"
                               "ops  joe  app_user\n"
                               "ops  joe  analytics\n"
                               "ops  root all\n"
                               "ops  /^(.*)@example\\.com$  \\1\n"
                               "ops  /^(a|b(x))z$  \\1\n"
                               "ops  /^svc-  \"/^svc_\"\n"
                               "\"two words\"  \"J. Doe\"  \"all\"\n"
                               "opt  /^(x)?y$  r\\1\n"
                               "are  \"/^(?:svc|app)-(\\w+)\\d{2}$\"  \\1\n";
    static const struct {
        const char *map, *system, *user;
        bool allowed;
    } rows[] = {
        { "ops", "joe", "app_user", true },
        { "ops", "joe", "analytics", true },
        { "ops", "joe", "joe", false },
        { "ops", "jo", "app_user", false },
        { "ops", "root", "anybody", true },
        { "dev", "joe", "app_user", false },
        { "ops", "ann@example.com", "ann", true },
        { "ops", "ann@example.com", "bob", false },
        { "ops", "ann@example.com.evil", "ann", false },
        { "ops", "annAexample.com", "annAexample.com", false },
        { "ops", "bxz", "bx", true },
        { "ops", "svc-1", "svc_anything", true },
        { "ops", "svc-1", "asvc_", false },
        { "two words", "J. Doe", "all", true },
        { "two words", "J. Doe", "anybody", false },
        { "opt", "xy", "rx", true },
        { "opt", "y", "r", false },
        { "are", "svc-joe42", "joe", true },
        { "are", "svc-joe4x", "joe", false },
    };
    struct buf told;
    struct ident *ident = read_text(text, &told);

    CU_ASSERT_STRING_EQUAL(buf_text(&told), "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool allowed = ident_allows(ident, rows[i].map, rows[i].system, rows[i].user);

        if (allowed != rows[i].allowed)
            fprintf(stderr, "\n    %s: %s as %s", rows[i].map, rows[i].system, rows[i].user);
        CU_ASSERT_EQUAL(allowed, rows[i].allowed);
    }
    CU_ASSERT(ident_has_map(ident, "two words"));
    CU_ASSERT_FALSE(ident_has_map(ident, "two"));
    buf_release(&told);
    ident_free(ident);
}

static void
a_bad_mapping_is_told_with_its_place(void)
{
    static const struct {
        const char *line, *told;
    } rows[] = {
        { "ops joe", "expected a map name, a system name and a database user" },
        { "ops joe a b", "expected a map name" },
        { "ops joe a,b", "expected a map name" },
        { "ops /( a", "invalid regular expression" },
        { "ops /^x \\1", "has none" },
        { "ops joe +staff", "`+staff` is not supported" },
        { "ops joe \"x", "a quote is not closed" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        struct buf told;
        struct ident *ident;

        snprintf(text, sizeof text, "\n%s\n", rows[i].line);
        ident = read_text(text, &told);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&told), rows[i].told));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&told), "ident:2: "));
        CU_ASSERT_EQUAL(line_count(&told), 1);
        buf_release(&told);
        ident_free(ident);
    }
}

void
suite_ident(void)
{
    CU_pSuite suite = CU_add_suite("ident", NULL, NULL);

    CU_ADD_TEST(suite, without_a_map_only_the_same_name_will_do);
    CU_ADD_TEST(suite, maps_say_who_may_be_whom);
    CU_ADD_TEST(suite, a_bad_mapping_is_told_with_its_place);
}
