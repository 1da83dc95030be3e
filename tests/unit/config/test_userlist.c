#include <stdio.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "config/userlist_impl.h"
#include "fixture.h"

void suite_userlist(void);

#define VERIFIER                                                                                \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

struct reading {
    struct userlist list;
    struct buf told, warned;
};

static void
reading_init_bytes(struct reading *r, const void *bytes, size_t len)
{
    struct problems problems, warnings;
    struct buf text;

    userlist_init(&r->list);
    buf_init(&r->told);
    buf_init(&r->warned);
    buf_init(&text);
    problems_init(&problems, &r->told);
    problems_init(&warnings, &r->warned);
    buf_add(&text, slice_of(bytes, len));
    userlist_read(&r->list, "users", &text, &problems, &warnings);
    problems_finish(&problems);
    problems_finish(&warnings);
}

static void
reading_init(struct reading *r, const char *text)
{
    reading_init_bytes(r, text, strlen(text));
}

static void
reading_fini(struct reading *r)
{
    userlist_fini(&r->list);
    buf_release(&r->told);
    buf_release(&r->warned);
}

static bool
has_secret(const struct reading *r, const char *name, const char *secret)
{
    const struct userlist_user *user = userlist_find(&r->list, name);

    return user != NULL && strcmp(user->secret, secret) == 0;
}

static bool
is_told(const char *text, const char *expected)
{
    struct reading r;
    bool is_same;

    reading_init(&r, text);
    is_same = strcmp(buf_text(&r.told), expected) == 0;
    reading_fini(&r);
    return is_same;
}

static void
a_line_is_a_user_and_a_secret(void)
{
    struct reading r;

    reading_init(&r, "\"joe\" \"plain\"\n  \"ann\"\t\"md50123\" \"more\" of it\r\n\"scram\" \"" VERIFIER
                     "\"\n\"none\" \"\"");
    CU_ASSERT_EQUAL(r.list.by_name.count, 4);
    CU_ASSERT_TRUE(has_secret(&r, "joe", "plain"));
    CU_ASSERT_TRUE(has_secret(&r, "ann", "md50123"));
    CU_ASSERT_TRUE(has_secret(&r, "scram", VERIFIER));
    CU_ASSERT_TRUE(has_secret(&r, "none", ""));
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, "Joe"));
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, ""));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    CU_ASSERT_STRING_EQUAL(buf_text(&r.warned), "");
    reading_fini(&r);
}

static void
a_doubled_quote_is_one(void)
{
    struct reading r;

    reading_init(&r, "\"jo\"\"e\" \"\"\"pw\"\"\"\n\"\"\"\" \"x ; y\"\n\"né\"\"\" \"'\\\"\n");
    CU_ASSERT_TRUE(has_secret(&r, "jo\"e", "\"pw\""));
    CU_ASSERT_TRUE(has_secret(&r, "\"", "x ; y"));
    CU_ASSERT_TRUE(has_secret(&r, "né\"", "'\\"));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
comments_and_empty_lines_are_nobody(void)
{
    struct reading r;

    reading_init(&r, "\n; \"joe\" \"x\"\n   ;\n\n");
    CU_ASSERT_EQUAL(r.list.by_name.count, 0);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
    reading_init(&r, "");
    CU_ASSERT_EQUAL(r.list.by_name.count, 0);
    reading_fini(&r);
}

static void
a_user_that_comes_again_has_the_last_secret(void)
{
    struct reading r;

    reading_init(&r, "\"joe\" \"1\"\n\"ann\" \"2\"\n\"joe\" \"3\"\n");
    CU_ASSERT_EQUAL(r.list.by_name.count, 2);
    CU_ASSERT_TRUE(has_secret(&r, "joe", "3"));
    reading_fini(&r);
}

static void
what_is_wrong_is_told_with_its_line_and_without_secrets(void)
{
    CU_ASSERT_TRUE(is_told("joe secret\n", "users:1: expected `\"user\" \"secret\"`\n"));
    CU_ASSERT_TRUE(is_told("\n\"joe\n", "users:2: the quote round the user name is not closed\n"));
    CU_ASSERT_TRUE(
        is_told("\"joe\"\n", "users:1: expected a quoted secret behind the user name (\"\" for none)\n"));
    CU_ASSERT_TRUE(is_told("\"joe\" secret\n",
                           "users:1: expected a quoted secret behind the user name (\"\" for none)\n"));
    CU_ASSERT_TRUE(is_told("\"joe\" \"secret\n\"ann\" \"x\"\nx\n",
                           "users:1: the quote round the secret is not closed\n"
                           "users:3: expected `\"user\" \"secret\"`\n"));
    CU_ASSERT_TRUE(is_told("\"\" \"x\"\n", "users:1: an empty user name\n"));
}

static void
a_nul_byte_is_told(void)
{
    static const char text[] = "\"joe\" \"a\0b\"\n\"ann\" \"x\"\n";
    struct reading r;

    reading_init_bytes(&r, text, sizeof(text) - 1);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "users:1: the line has a NUL byte in it\n");
    CU_ASSERT_TRUE(has_secret(&r, "ann", "x"));
    reading_fini(&r);
}

static void
a_verifier_with_a_slip_is_warned_of(void)
{
    struct reading r;

    reading_init(&r, "\"joe\" \"SCRAM-SHA-256$4096:cut\"\n\"ann\" \"SCRAM-SHA-1$no\"\n");
    CU_ASSERT_STRING_EQUAL(buf_text(&r.warned),
                           "users:1: the secret of \"joe\" begins like a SCRAM verifier but is none; "
                           "it is taken for a plain password\n");
    CU_ASSERT_TRUE(has_secret(&r, "joe", "SCRAM-SHA-256$4096:cut"));
    reading_fini(&r);
}

static void
garbage_is_told_a_hundred_times_and_counted(void)
{
    struct reading r;
    struct buf text;

    buf_init(&text);
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, "garbage\n");
    reading_init(&r, buf_text(&text));
    CU_ASSERT_EQUAL(line_count(&r.told), 101);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.told), "... and 900 more\n"));
    reading_fini(&r);
    buf_release(&text);
}

/* Quadratic work would take minutes here. */
static void
a_hundred_thousand_users_are_read_and_found_at_once(void)
{
    clock_t begin = clock();
    struct reading r;
    struct buf text;
    char name[32];

    buf_init(&text);
    for (int i = 0; i < 100000; i++)
        buf_add_format(&text, "\"user_%d\" \"password %d\"\n", i, i);
    reading_init(&r, buf_text(&text));
    CU_ASSERT_EQUAL(r.list.by_name.count, 100000);
    for (int i = 0; i < 100000; i += 7) {
        snprintf(name, sizeof(name), "user_%d", i);
        CU_ASSERT_PTR_NOT_NULL(userlist_find(&r.list, name));
    }
    CU_ASSERT_TRUE(clock() - begin < 10 * CLOCKS_PER_SEC);
    reading_fini(&r);
    buf_release(&text);
}

static void
a_user_may_have_an_older_secret_too(void)
{
    struct reading r;

    reading_init(&r, "\"a\" \"new\" old \"older\"\n\"b\" \"x\" \"2030-01-01\"\n\"c\" \"x\" older\n"
                     "\"d\" \"x\" old \"\"\n\"e\" \"x\" old\t\"a \"\"quote\"\" \" rest\n\"f\" \"x\" old y\n");
    CU_ASSERT_STRING_EQUAL(userlist_find(&r.list, "a")->secret, "new");
    CU_ASSERT_STRING_EQUAL(userlist_find(&r.list, "a")->old_secret, "older");
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, "b")->old_secret); /* a date in an old file is no password */
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, "c")->old_secret);
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, "d")->old_secret);
    CU_ASSERT_STRING_EQUAL(userlist_find(&r.list, "e")->old_secret, "a \"quote\" ");
    CU_ASSERT_PTR_NULL(userlist_find(&r.list, "f"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.told), "users:6: expected a quoted secret behind `old`"));
    reading_fini(&r);
}

void
suite_userlist(void)
{
    CU_pSuite suite = CU_add_suite("userlist", NULL, NULL);

    CU_ADD_TEST(suite, a_line_is_a_user_and_a_secret);
    CU_ADD_TEST(suite, a_doubled_quote_is_one);
    CU_ADD_TEST(suite, comments_and_empty_lines_are_nobody);
    CU_ADD_TEST(suite, a_user_that_comes_again_has_the_last_secret);
    CU_ADD_TEST(suite, what_is_wrong_is_told_with_its_line_and_without_secrets);
    CU_ADD_TEST(suite, a_nul_byte_is_told);
    CU_ADD_TEST(suite, a_verifier_with_a_slip_is_warned_of);
    CU_ADD_TEST(suite, garbage_is_told_a_hundred_times_and_counted);
    CU_ADD_TEST(suite, a_hundred_thousand_users_are_read_and_found_at_once);
    CU_ADD_TEST(suite, a_user_may_have_an_older_secret_too);
}
