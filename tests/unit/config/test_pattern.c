/* test_pattern.c - PostgreSQL's regular expressions, as far as names of users and databases want them. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "config/pattern_impl.h"
#include "pgweir/base/attr.h"

void suite_pattern(void);

static void
patterns_mean_what_they_mean_in_postgresql(void)
{
    static const struct {
        const char *pattern, *name;
        bool fits;
    } rows[] = {
        { "^\\d+$", "4711", true },
        { "^\\d+$", "47d1", false },
        { "^app_\\w+\\s\\d{2,3}$", "app_x_9 123", true },
        { "^app_\\w+\\s\\d{2,3}$", "app_x_9-123", false },
        { "^\\D\\S\\W$", "ax-", true },
        { "^\\D\\S\\W$", "1x-", false },
        { "^[\\d.]+$", "1.2", true },
        { "^[\\d.]+$", "1\\2", false }, /* the backslash is none of them */
        { "^[\\w\\-]+$", "a-b_c", true },
        { "^[a\\]b]+$", "a]b", true },
        { "^[^\\s]+$", "a b", false },
        { "^[[:digit:][.x.]]+$", "1x2", true },
        { "^[]x]+$", "x]", true },
        { "^a\\.b$", "a.b", true },
        { "^a\\.b$", "axb", false },
        { "^a\\tb$", "a\tb", true },
        { "^\\x41\\u0042$", "AB", true },
        { "^\\u00e4$", "\xc3\xa4", true },
        { "^\\U0001F600$", "\xf0\x9f\x98\x80", true },
        { "\\mapp\\M", "my app now", true },
        { "\\mapp\\M", "myapp now", false },
        { "\\yapp\\y", "my app", true },
        { "[[:<:]]app[[:>:]]", "my app", true },
        { "[[:<:]]app[[:>:]]", "myapp", false },
        { "\\Aapp\\Z", "app", true },
        { "\\Aapp\\Z", "app2", false },
        { "^(?:a|b)c$", "bc", true },
        { "^(?:a)(b)\\1$", "abb", true }, /* \1 is the first that captures */
        { "^(?:a)(b)\\1$", "aba", false },
        { "(?i)^app$", "APP", true },
        { "(?c)^app$", "APP", false },
        { "***=a.b", "xa.by", true },
        { "***=a.b", "xacby", false },
        { "***:^\\d$", "1", true },
        { "^a{x$", "a{x", true },
        { "a|", "anything", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pattern p;
        struct error why;

        if (pattern_compile(rows[i].pattern, &p, &why) != ERR_NONE) {
            fprintf(stderr, "\n    `%s`: %s", rows[i].pattern, why.text);
            CU_FAIL("it does not compile");
            continue;
        }
        if (pattern_matches(&p, rows[i].name) != rows[i].fits) {
            fprintf(stderr, "\n    `%s` and `%s`", rows[i].pattern, rows[i].name);
            CU_FAIL("it means something else");
        }
        pattern_free(&p);
    }
}

static void
what_is_wrong_or_cannot_be_done_is_told(void)
{
    static const struct {
        const char *pattern, *why;
    } rows[] = {
        { "a*?", "non-greedy" },
        { "a{1,2}?", "non-greedy" },
        { "(?=a)", "looking ahead" },
        { "(?<!a)", "looking ahead" },
        { "a(?i)", "looking ahead" },
        { "(?x)a", "options at the front" },
        { "(?i", "options at the front" },
        { "[\\D]", "not allowed in brackets" },
        { "[a", "a bracket is not closed" },
        { "[[:digit:", "a bracket is not closed" },
        { "[a\\", "it ends in a backslash" },
        { "a\\", "it ends in a backslash" },
        { "\\q", "an escape that PostgreSQL does not know" },
        { "\\1", "names no group" },
        { "\\u12", "lacks its digits" },
        { "\\xg", "lacks its digits" },
        { "\\x0", "no character" },
        { "*a", "nothing before it" },
        { "a**", "nothing before it" },
        { "a{1", "a brace is not closed" },
        { "(a", "" },
        { "((((((((((((((((((((((a))))))))))))))))))))))", "too many groups" },
    };
    char long_one[PATTERN_BYTES_MOST + 2];
    struct pattern p;
    struct error why;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CU_ASSERT_EQUAL(pattern_compile(rows[i].pattern, &p, &why), ERR_SYNTAX);
        if (strstr(why.text, rows[i].why) == NULL) {
            fprintf(stderr, "\n    `%s`: %s", rows[i].pattern, why.text);
            CU_FAIL("another reason is expected");
        }
    }
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    CU_ASSERT_EQUAL(pattern_compile(long_one, &p, &why), ERR_LIMIT);
}

static void
the_first_group_is_the_first_that_captures(void)
{
    struct pattern p;
    struct error why;
    struct slice group;

    CU_ASSERT_EQUAL_FATAL(pattern_compile("^(?:svc|app)-(\\w+)@", &p, &why), ERR_NONE);
    CU_ASSERT(pattern_matches_group(&p, "svc-joe@example.com", &group));
    CU_ASSERT(slice_is(group, "joe"));
    CU_ASSERT_FALSE(pattern_matches_group(&p, "other-joe@example.com", &group));
    pattern_free(&p);
    CU_ASSERT_EQUAL_FATAL(pattern_compile("^(x)?y$", &p, &why), ERR_NONE);
    CU_ASSERT_FALSE(pattern_matches_group(&p, "y", &group)); /* it took no part */
    pattern_free(&p);
}

void
suite_pattern(void)
{
    CU_pSuite suite = CU_add_suite("pattern", NULL, NULL);

    CU_ADD_TEST(suite, patterns_mean_what_they_mean_in_postgresql);
    CU_ADD_TEST(suite, what_is_wrong_or_cannot_be_done_is_told);
    CU_ADD_TEST(suite, the_first_group_is_the_first_that_captures);
}
