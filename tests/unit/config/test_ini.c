#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "config/ini_impl.h"
#include "fixture.h"
#include "pgweir/base/mem.h"

void suite_ini(void);

/* Files in memory: name, text, name, text, … NULL. */
static const char *const *files_now;

static enum err
read_memory(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    (void)facts;
    for (const char *const *at = files_now; *at != NULL; at += 2) {
        if (strcmp(at[0], path) == 0) {
            buf_add_text(out, at[1]);
            return ERR_NONE;
        }
    }
    return error_set(why, ERR_NOT_FOUND, "cannot open `%s`: No such file or directory", path);
}

struct reading {
    struct ini ini;
    struct buf told;
};

/* Reads "main.ini" of FILES. */
static void
reading_init_files(struct reading *r, const char *const *files)
{
    struct problems problems;

    files_now = files;
    buf_init(&r->told);
    problems_init(&problems, &r->told);
    CU_ASSERT_EQUAL_FATAL(ini_read(&r->ini, MAIN_INI, read_memory, &problems, NULL), ERR_NONE);
    problems_finish(&problems);
}

static void
reading_init(struct reading *r, const char *text)
{
    const char *const files[] = { MAIN_INI, text, NULL };

    reading_init_files(r, files);
}

static void
reading_fini(struct reading *r)
{
    ini_fini(&r->ini);
    buf_release(&r->told);
}

static bool
is_entry(const struct reading *r, size_t index, enum ini_section section, const char *key, const char *value)
{
    const struct ini_entry *entry = &r->ini.entries[index];

    return index < r->ini.count && entry->section == section && strcmp(entry->key, key) == 0 &&
           strcmp(entry->value, value) == 0;
}

/* Whether reading TEXT tells EXPECTED, all of it. */
static bool
is_told(const char *text, const char *expected)
{
    struct reading r;
    bool is_same;

    reading_init(&r, text);
    is_same = strcmp(buf_text(&r.told), expected) == 0;
    if (!is_same)
        fprintf(stderr, "\n    expected: %s\n    got: %s\n", expected, buf_text(&r.told));
    reading_fini(&r);
    return is_same;
}

static void
a_line_is_a_key_and_the_rest_of_it(void)
{
    struct reading r;

    reading_init(&r, "[pgweir]\nkey=value\n  spaced \t=   two  words \t\r\nempty =\nlast = 1");
    CU_ASSERT_EQUAL(r.ini.count, 4);
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_PGWEIR, "key", "value"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_PGWEIR, "spaced", "two  words"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_PGWEIR, "empty", ""));
    CU_ASSERT_TRUE(is_entry(&r, 3, INI_PGWEIR, "last", "1"));
    CU_ASSERT_EQUAL(r.ini.entries[1].place.line, 3);
    CU_ASSERT_STRING_EQUAL(r.ini.entries[3].place.file, MAIN_INI);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
comment_signs_in_a_value_belong_to_it(void)
{
    struct reading r;

    reading_init(
        &r,
        "; a = 1\n  # b = 2\n[databases] ; also here\nq = select ';' ; -- # not a comment\np = #x\ns = ;\n");
    CU_ASSERT_EQUAL(r.ini.count, 3);
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_DATABASES, "q", "select ';' ; -- # not a comment"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_DATABASES, "p", "#x"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_DATABASES, "s", ";"));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
an_indented_line_continues_nothing(void)
{
    struct reading r;

    reading_init(&r, "[pgweir]\n  a = 1\n    b = 2\n\t\tc = 3\n   \n  [users]\n    d = 4\n");
    CU_ASSERT_EQUAL(r.ini.count, 4);
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_PGWEIR, "a", "1"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_PGWEIR, "b", "2"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_PGWEIR, "c", "3"));
    CU_ASSERT_TRUE(is_entry(&r, 3, INI_USERS, "d", "4"));
    reading_fini(&r);
}

static void
colons_separate_nothing(void)
{
    struct reading r;

    reading_init(&r, "[databases]\nv6 = host=::1 : x\n'a:b' = 1\nx : y = 2\nk: v\n");
    CU_ASSERT_EQUAL(r.ini.count, 2);
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_DATABASES, "v6", "host=::1 : x"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_DATABASES, "a:b", "1"));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "main.ini:4: expected `=` behind the key, not `:`: `x : y`\n"
                                              "main.ini:5: expected `=` behind the key, not `:`: `k:`\n");
    reading_fini(&r);
}

/* Each length up to past every limit that some build of inih has, for key and value. */
static void
lines_of_any_length_come_whole(void)
{
    struct buf text;
    struct reading r;
    char *longest = mem_new(1000001);

    memset(longest, 'x', 1000000);
    buf_init(&text);
    buf_add_text(&text, "[databases]\n");
    for (int len = 1; len <= 600; len++)
        buf_add_format(&text, "%.*s = %.*s\n", len, longest, len, longest);
    buf_add_format(&text, "long = %s\n", longest);
    reading_init(&r, buf_text(&text));
    CU_ASSERT_EQUAL_FATAL(r.ini.count, 601);
    for (size_t i = 0; i < 600; i++) {
        CU_ASSERT_EQUAL(strlen(r.ini.entries[i].key), i + 1);
        CU_ASSERT_EQUAL(strlen(r.ini.entries[i].value), i + 1);
        CU_ASSERT_EQUAL(r.ini.entries[i].place.line, i + 2);
    }
    CU_ASSERT_STRING_EQUAL(r.ini.entries[600].value, longest);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
    buf_release(&text);
    free(longest);
}

static void
keys_stand_in_either_quote(void)
{
    struct reading r;

    reading_init(
        &r,
        "[databases]\n'my db' = 1\n\"my = db\"=2\n'it''s' = 3\n\"a\"\"b\" = 4\n';x' = 5\n'[x]'=6\n* = 7\nÄ = 8\n");
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_DATABASES, "my db", "1"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_DATABASES, "my = db", "2"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_DATABASES, "it's", "3"));
    CU_ASSERT_TRUE(is_entry(&r, 3, INI_DATABASES, "a\"b", "4"));
    CU_ASSERT_TRUE(is_entry(&r, 4, INI_DATABASES, ";x", "5"));
    CU_ASSERT_TRUE(is_entry(&r, 5, INI_DATABASES, "[x]", "6"));
    CU_ASSERT_TRUE(is_entry(&r, 6, INI_DATABASES, "*", "7"));
    CU_ASSERT_TRUE(is_entry(&r, 7, INI_DATABASES, "Ä", "8"));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
sections_may_come_again_and_be_empty(void)
{
    struct reading r;

    reading_init(&r, "[users]\n[databases]\na = 1\n[pgbouncer]\nb = 2\n[databases]\nc = 3\n[ pgweir ]\n");
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_DATABASES, "a", "1"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_PGBOUNCER, "b", "2"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_DATABASES, "c", "3"));
    CU_ASSERT_TRUE(r.ini.has_section[INI_USERS]);
    CU_ASSERT_TRUE(r.ini.has_section[INI_PGWEIR]);
    CU_ASSERT_FALSE(r.ini.has_section[INI_PEERS]);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
an_unknown_section_is_told_once_and_skipped(void)
{
    CU_ASSERT_TRUE(is_told("[databsaes]\na = 1\nb = 2\n[users]\n",
                           "main.ini:1: unknown section `[databsaes]`, did you mean `[databases]`?\n"));
    CU_ASSERT_TRUE(
        is_told("[zzzzzzzzzzzzzzzzz]\n",
                "main.ini:1: unknown section `[zzzzzzzzzzzzzzzzz]`; there are [pgweir] or [pgbouncer], "
                "[databases], [users], [peers]\n"));
    CU_ASSERT_TRUE(is_told("[databases ;x]\n\n", "main.ini:1: unknown section `[databases ;x]`, did you mean "
                                                 "`[databases]`?\n"));
    CU_ASSERT_TRUE(is_told("[]\nb = 1\n",
                           "main.ini:1: unknown section `[]`; there are [pgweir] or [pgbouncer], "
                           "[databases], [users], [peers]\n"));
}

static void
every_line_that_is_none_is_told_with_its_number(void)
{
    CU_ASSERT_TRUE(is_told("a = 1\n", "main.ini:1: `a` stands before the first section\n"));
    CU_ASSERT_TRUE(is_told("[users\na = 1\n", "main.ini:1: section name without `]`: `[users`\n"));
    CU_ASSERT_TRUE(is_told("[users] a = 1\n", "main.ini:1: unexpected text behind a section name: `a`\n"));
    CU_ASSERT_TRUE(is_told("[users]\n\nnonsense here\n", "main.ini:3: expected `key = value`: `nonsense`\n"));
    CU_ASSERT_TRUE(is_told("[users]\n= 1\n", "main.ini:2: a value without a key\n"));
    CU_ASSERT_TRUE(is_told("[users]\n'' = 1\n", "main.ini:2: an empty key\n"));
    CU_ASSERT_TRUE(is_told("[users]\n'x = 1\n", "main.ini:2: the quote round the key is not closed: `'x`\n"));
    CU_ASSERT_TRUE(is_told("[users]\n'x y' z = 1\n", "main.ini:2: expected `key = value`: `x`\n"));
    CU_ASSERT_TRUE(is_told("[users]\n%inclood x\n",
                           "main.ini:2: unknown directive, only `%include file` exists: "
                           "`%inclood`\n"));
    CU_ASSERT_TRUE(is_told("[users]\nmy db = 1\n",
                           "main.ini:2: a key with other characters than letters, digits, `_`, "
                           "`.`, `-`, `*` must stand in quotes: `my db`\n"));
}

static void
a_complaint_never_repeats_what_may_be_a_password(void)
{
    struct reading r;

    reading_init(&r, "[databases]\nmy db = password=secret\n[users]x password=secret\njoe secret\n"
                     "\"joe\" \"secret\"\n%x secret\n'joe = secret\njoe: secret\n");
    CU_ASSERT_PTR_NULL(strstr(buf_text(&r.told), "secret"));
    CU_ASSERT_EQUAL(line_count(&r.told), 7);
    reading_fini(&r);
}

static void
a_byte_order_mark_and_carriage_returns_are_no_text(void)
{
    struct reading r;

    reading_init(&r, "\xEF\xBB\xBF[pgweir]\r\na = 1\r\n\r\n");
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_PGWEIR, "a", "1"));
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    reading_fini(&r);
}

static void
an_included_file_stands_in_place_of_its_line(void)
{
    const char *const files[] = {
        MAIN_INI, "[databases]\na = 1\n  %include  b.ini  \nd = 4\n",
        "b.ini",  "b = 2\n\n[users]\nc = 3\nbad\n",
        NULL,
    };
    struct reading r;

    reading_init_files(&r, files);
    CU_ASSERT_TRUE(is_entry(&r, 0, INI_DATABASES, "a", "1"));
    CU_ASSERT_TRUE(is_entry(&r, 1, INI_DATABASES, "b", "2"));
    CU_ASSERT_TRUE(is_entry(&r, 2, INI_USERS, "c", "3"));
    CU_ASSERT_TRUE(is_entry(&r, 3, INI_USERS, "d", "4"));
    CU_ASSERT_STRING_EQUAL(r.ini.entries[2].place.file, "b.ini");
    CU_ASSERT_EQUAL(r.ini.entries[2].place.line, 4);
    CU_ASSERT_STRING_EQUAL(r.ini.entries[3].place.file, MAIN_INI);
    CU_ASSERT_EQUAL(r.ini.entries[3].place.line, 4);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "b.ini:5: expected `key = value`: `bad`\n");
    reading_fini(&r);
}

static void
includes_that_cannot_be_read_are_told_where_they_stand(void)
{
    CU_ASSERT_TRUE(is_told("[users]\n%include no.ini\n",
                           "main.ini:2: %include: cannot open `no.ini`: No such file or directory\n"));
    CU_ASSERT_TRUE(is_told("%include   \n", "main.ini:1: %include without a file name\n"));
    CU_ASSERT_TRUE(is_told("%include\n", "main.ini:1: %include without a file name\n"));
}

static void
a_file_may_be_included_twice_but_not_by_itself(void)
{
    const char *const files[] = {
        MAIN_INI, "[users]\n%include b.ini\n%include b.ini\n", "b.ini", "a = 1\n%include main.ini\n", NULL,
    };
    struct reading r;

    reading_init_files(&r, files);
    CU_ASSERT_EQUAL(r.ini.count, 2);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "b.ini:2: %include: `main.ini` includes itself\n"
                                              "b.ini:2: %include: `main.ini` includes itself\n");
    reading_fini(&r);
}

static void
ten_files_deep_is_the_limit(void)
{
    static const char *const files[] = {
        MAIN_INI, "[users]\n%include 2", "2",  "%include 3",         "3",  "%include 4", "4",  "%include 5",
        "5",      "%include 6",          "6",  "%include 7",         "7",  "%include 8", "8",  "%include 9",
        "9",      "%include 10",         "10", "a = 1\n%include 11", "11", "b = 2",      NULL,
    };
    struct reading r;

    reading_init_files(&r, files);
    CU_ASSERT_EQUAL(r.ini.count, 1);
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "10:2: %include of `11` is nested more than 10 deep\n");
    reading_fini(&r);
}

/* The same file under two names. */
static void
a_loop_through_a_link_is_seen(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write(MAIN_INI, "[pgweir]\n%include link.ini\n");
    CU_ASSERT_EQUAL(symlink(MAIN_INI, "link.ini"), 0);
    fixture_load_file(&f, MAIN_INI);
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:2: %include: `link.ini` includes itself"));
    fixture_fini(&f);
}

static void
a_nul_byte_is_told(void)
{
    static const char text[] = "[pgweir]\nverbose\0 = 1\nverbose = 1\n";
    struct fixture f;

    fixture_init(&f);
    fixture_write_bytes(MAIN_INI, text, sizeof(text) - 1);
    fixture_load_file(&f, MAIN_INI);
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:2: the line has a NUL byte in it"));
    fixture_fini(&f);
}

void
suite_ini(void)
{
    CU_pSuite suite = CU_add_suite("ini", NULL, NULL);

    CU_ADD_TEST(suite, a_line_is_a_key_and_the_rest_of_it);
    CU_ADD_TEST(suite, comment_signs_in_a_value_belong_to_it);
    CU_ADD_TEST(suite, an_indented_line_continues_nothing);
    CU_ADD_TEST(suite, colons_separate_nothing);
    CU_ADD_TEST(suite, lines_of_any_length_come_whole);
    CU_ADD_TEST(suite, keys_stand_in_either_quote);
    CU_ADD_TEST(suite, sections_may_come_again_and_be_empty);
    CU_ADD_TEST(suite, an_unknown_section_is_told_once_and_skipped);
    CU_ADD_TEST(suite, every_line_that_is_none_is_told_with_its_number);
    CU_ADD_TEST(suite, a_complaint_never_repeats_what_may_be_a_password);
    CU_ADD_TEST(suite, a_byte_order_mark_and_carriage_returns_are_no_text);
    CU_ADD_TEST(suite, an_included_file_stands_in_place_of_its_line);
    CU_ADD_TEST(suite, includes_that_cannot_be_read_are_told_where_they_stand);
    CU_ADD_TEST(suite, a_file_may_be_included_twice_but_not_by_itself);
    CU_ADD_TEST(suite, ten_files_deep_is_the_limit);
    CU_ADD_TEST(suite, a_loop_through_a_link_is_seen);
    CU_ADD_TEST(suite, a_nul_byte_is_told);
}
