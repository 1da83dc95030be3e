/*
 * test_snapshot.c - settings as one value, and the SQL between two of them. That SQL is read back by a small
 * reader that knows the one form in which it is written and refuses everything else.
 */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/snapshot.h"

void suite_snapshot(void);

#define MAKE(store, base, ...)                                       \
    make(store, base, (const struct snapshot_pair[]){ __VA_ARGS__ }, \
         COUNT_OF(((const struct snapshot_pair[]){ __VA_ARGS__ })))

static const struct snapshot *
make(struct snapshots *store, const struct snapshot *base, const struct snapshot_pair *pairs, size_t count)
{
    const struct snapshot *s = NULL;

    CU_ASSERT_TRUE(snapshot_with(store, base, pairs, count, &s));
    return s;
}

/* Its NUL stands behind the end. */
static const char *
change(const struct snapshot *from, const struct snapshot *to, struct buf *sql)
{
    buf_release(sql);
    snapshot_write_change(from, to, sql);
    buf_add_u8(sql, '\0');
    return (const char *)buf_slice(sql).at;
}

/* --- a reader of that SQL, and a session to try it on --- */

#define SESSION_MOST 128u

struct session { /* what set_config() has set */
    struct {
        char *name;
        char *value;
    } settings[SESSION_MOST];
    size_t count;
};

static void
session_fini(struct session *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->settings[i].name);
        free(s->settings[i].value);
    }
    s->count = 0;
}

static const char *
session_value(const struct session *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcasecmp(s->settings[i].name, name) == 0)
            return s->settings[i].value;
    return NULL;
}

/* Adopts both; VALUE NULL: as it was born. */
static void
session_set(struct session *s, char *name, char *value)
{
    size_t i = 0;

    while (i < s->count && strcasecmp(s->settings[i].name, name) != 0)
        i++;
    if (i < s->count) {
        free(s->settings[i].name);
        free(s->settings[i].value);
        s->settings[i] = s->settings[--s->count];
    }
    if (value == NULL) {
        free(name);
        return;
    }
    s->settings[s->count].name = name;
    s->settings[s->count++].value = value;
}

static bool
take(const char **sql, const char *text)
{
    if (strncmp(*sql, text, strlen(text)) != 0)
        return false;
    *sql += strlen(text);
    return true;
}

static int
hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* One byte of an E'…' literal; -1: none that we write, or its end. */
static int
take_byte(const char **sql)
{
    const char *p = *sql;

    if ((unsigned char)p[0] >= 0x80 || p[0] == '\0')
        return -1;
    if (p[0] == '\\' && p[1] == 'x') {
        if (hex_digit(p[2]) < 8 || hex_digit(p[3]) < 0)
            return -1;
        *sql += 4;
        return hex_digit(p[2]) * 16 + hex_digit(p[3]);
    }
    if (p[0] == '\\' || p[0] == '\'') {
        if (p[1] != p[0])
            return -1;
        *sql += 1;
    }
    *sql += 1;
    return (unsigned char)p[0];
}

static char *
take_literal(const char **sql)
{
    struct buf out;
    char *text = NULL;
    int byte;

    if (!take(sql, "E'"))
        return NULL;
    buf_init(&out);
    while ((byte = take_byte(sql)) >= 0)
        buf_add_u8(&out, (uint8_t)byte);
    if (take(sql, "'"))
        text = mem_text_of(buf_slice(&out));
    buf_release(&out);
    return text;
}

static bool
take_call(const char **sql, struct session *s)
{
    char *name, *value = NULL;

    if (!take(sql, "pg_catalog.set_config(") || (name = take_literal(sql)) == NULL)
        return false;
    if (take(sql, ",") && (take(sql, "NULL") || (value = take_literal(sql)) != NULL) &&
        take(sql, ",false)")) {
        session_set(s, name, value);
        return true;
    }
    free(name);
    free(value);
    return false;
}

/* False when SQL is not of the one form. */
static bool
session_run(struct session *s, const char *sql)
{
    if (*sql == '\0')
        return true;
    if (!take(&sql, "SELECT "))
        return false;
    do
        if (!take_call(&sql, s))
            return false;
    while (take(&sql, ","));
    return *sql == '\0';
}

/* A session that has FROM is brought to TO by what is written, and has nothing else then. */
static void
check_change(const struct snapshot *from, const struct snapshot *to, const char *const *names,
             size_t name_count)
{
    struct session s = { .count = 0 };
    struct buf sql;
    size_t expected = 0;

    buf_init(&sql);
    CU_ASSERT_TRUE(session_run(&s, change(NULL, from, &sql)));
    CU_ASSERT_TRUE(session_run(&s, change(from, to, &sql)));
    for (size_t i = 0; i < name_count; i++) {
        const char *is = session_value(&s, names[i]);
        const char *should = snapshot_value(to, names[i]);

        expected += should != NULL;
        CU_ASSERT_TRUE(is == should || (is != NULL && should != NULL && strcmp(is, should) == 0));
    }
    CU_ASSERT_EQUAL(s.count, expected);
    session_fini(&s);
    buf_release(&sql);
}

/* --- one value --- */

static void
equal_sets_are_one_object(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "work_mem", "4MB" }, { "search_path", "app" });
    const struct snapshot *b = MAKE(store, NULL, { "work_mem", "4MB" }, { "search_path", "app" });
    const struct snapshot *other = MAKE(store, NULL, { "work_mem", "5MB" }, { "search_path", "app" });

    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_PTR_NOT_EQUAL(a, other);
    snapshot_drop(store, a);
    snapshot_drop(store, b);
    snapshot_drop(store, other);
    snapshots_free(store);
}

static void
the_order_in_which_settings_come_does_not_matter(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "b", "2" }, { "a", "1" }, { "c", "3" });
    const struct snapshot *b = MAKE(store, NULL, { "c", "3" }, { "b", "2" }, { "a", "1" });

    CU_ASSERT_PTR_EQUAL(a, b);
    snapshot_drop(store, a);
    snapshot_drop(store, b);
    snapshots_free(store);
}

static void
names_that_differ_in_case_are_one_setting(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "DateStyle", "ISO, MDY" });
    const struct snapshot *b = MAKE(store, NULL, { "datestyle", "ISO, MDY" });
    const struct snapshot *c = MAKE(store, NULL, { "DATESTYLE", "German" }, { "dateStyle", "ISO, MDY" });

    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_PTR_EQUAL(a, c);
    snapshot_drop(store, a);
    snapshot_drop(store, b);
    snapshot_drop(store, c);
    snapshots_free(store);
}

static void
values_that_differ_in_case_are_two(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "search_path", "App" });
    const struct snapshot *b = MAKE(store, NULL, { "search_path", "app" });

    CU_ASSERT_PTR_NOT_EQUAL(a, b);
    snapshot_drop(store, a);
    snapshot_drop(store, b);
    snapshots_free(store);
}

static void
it_matters_where_a_name_ends_and_its_value_begins(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "ab", "c" }, { "d", "" });
    const struct snapshot *b = MAKE(store, NULL, { "a", "bc" }, { "d", "" });
    const struct snapshot *c = MAKE(store, NULL, { "ab", "" }, { "d", "c" });

    CU_ASSERT_PTR_NOT_EQUAL(a, b);
    CU_ASSERT_PTR_NOT_EQUAL(a, c);
    CU_ASSERT_PTR_NOT_EQUAL(b, c);
    snapshot_drop(store, a);
    snapshot_drop(store, b);
    snapshot_drop(store, c);
    snapshots_free(store);
}

static void
the_last_of_a_name_wins(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" }, { "b", "1" }, { "A", "2" }, { "a", "3" });

    CU_ASSERT_STRING_EQUAL(snapshot_value(s, "a"), "3");
    CU_ASSERT_STRING_EQUAL(snapshot_value(s, "b"), "1");
    snapshot_drop(store, s);
    snapshots_free(store);
}

static void
the_scope_of_plans_is_search_path_and_role(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *all[] = {
        MAKE(store, NULL, { "timezone", "UTC" }),
        MAKE(store, NULL, { "timezone", "CET" }),
        MAKE(store, NULL, { "search_path", "a" }),
        MAKE(store, NULL, { "SEARCH_PATH", "a" }, { "timezone", "UTC" }),
        MAKE(store, NULL, { "search_path", "b" }),
        MAKE(store, NULL, { "role", "a" }),
        MAKE(store, NULL, { "role", "a" }, { "search_path", "a" }),
        MAKE(store, NULL, { "session_authorization", "a" }, { "search_path", "a" }),
    };
    static const unsigned kinds[COUNT_OF(all)] = { 0, 0, 1, 1, 2, 3, 4, 5 };

    CU_ASSERT_EQUAL(snapshot_scope(NULL).len, 0);
    CU_ASSERT_EQUAL(snapshot_scope(all[0]).len, 0);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t j = 0; j < COUNT_OF(all); j++)
            CU_ASSERT_EQUAL(slice_equal(snapshot_scope(all[i]), snapshot_scope(all[j])),
                            kinds[i] == kinds[j]);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        snapshot_drop(store, all[i]);
    snapshots_free(store);
}

static void
no_settings_at_all_are_null(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = NULL;

    CU_ASSERT_TRUE(snapshot_with(store, NULL, NULL, 0, &s));
    CU_ASSERT_PTR_NULL(s);
    CU_ASSERT_PTR_NULL(snapshot_value(s, "a"));
    CU_ASSERT_PTR_NULL(snapshot_hold(s));
    snapshot_drop(store, s);
    snapshots_free(store);
    snapshots_free(NULL);
}

static void
settings_are_laid_over_a_base_that_stays_as_it_is(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *base = MAKE(store, NULL, { "a", "1" }, { "b", "2" });
    const struct snapshot *over = MAKE(store, base, { "b", "3" }, { "c", "4" });

    CU_ASSERT_STRING_EQUAL(snapshot_value(base, "b"), "2");
    CU_ASSERT_PTR_NULL(snapshot_value(base, "c"));
    CU_ASSERT_STRING_EQUAL(snapshot_value(over, "a"), "1");
    CU_ASSERT_STRING_EQUAL(snapshot_value(over, "b"), "3");
    CU_ASSERT_STRING_EQUAL(snapshot_value(over, "c"), "4");
    snapshot_drop(store, base);
    CU_ASSERT_STRING_EQUAL(snapshot_value(over, "a"), "1");
    snapshot_drop(store, over);
    snapshots_free(store);
}

static void
a_base_with_nothing_new_over_it_is_the_base_with_one_more_reference(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *base = MAKE(store, NULL, { "TimeZone", "UTC" });
    const struct snapshot *same = MAKE(store, base, { "timezone", "UTC" });
    const struct snapshot *none = make(store, base, NULL, 0);

    CU_ASSERT_PTR_EQUAL(base, same);
    CU_ASSERT_PTR_EQUAL(base, none);
    snapshot_drop(store, base);
    snapshot_drop(store, same);
    CU_ASSERT_STRING_EQUAL(snapshot_value(none, "TIMEZONE"), "UTC");
    snapshot_drop(store, none);
    snapshots_free(store);
}

static void
it_lives_until_its_last_reference_goes(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" });
    struct buf reported;

    buf_init(&reported);
    CU_ASSERT_PTR_EQUAL(snapshot_hold(s), s);
    snapshot_drop(store, s);
    CU_ASSERT_STRING_EQUAL(snapshot_value(s, "a"), "1");
    snapshot_approve(store, s, &store, slice_of(NULL, 0));
    snapshot_drop(store, s);

    s = MAKE(store, NULL,
             { "a", "1" }); /* another object of the same content: what was known of the first went with it */
    CU_ASSERT_FALSE(snapshot_is_approved(store, s, &store, &reported));
    snapshot_drop(store, s);
    snapshots_free(store);
    buf_release(&reported);
}

/* --- bounds --- */

static void
as_many_settings_as_fit_are_taken_and_one_more_is_refused(void)
{
    struct snapshots *store = snapshots_new();
    struct snapshot_pair pairs[SNAPSHOT_MOST_SETTINGS + 1];
    char names[SNAPSHOT_MOST_SETTINGS + 1][8];
    const struct snapshot *full, *more, *untouched = (const struct snapshot *)(const void *)names;

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        snprintf(names[i], sizeof names[i], "n%02zu", COUNT_OF(pairs) - i);
        pairs[i] = (struct snapshot_pair){ names[i], "v" };
    }
    full = make(store, NULL, pairs, SNAPSHOT_MOST_SETTINGS);
    more = untouched;
    CU_ASSERT_FALSE(snapshot_with(store, NULL, pairs, COUNT_OF(pairs), &more));
    CU_ASSERT_FALSE(snapshot_with(store, full, &pairs[SNAPSHOT_MOST_SETTINGS], 1, &more));
    CU_ASSERT_PTR_EQUAL(more, untouched);

    pairs[0].value = "w"; /* one that is there already needs no more room */
    more = make(store, full, pairs, 1);
    CU_ASSERT_STRING_EQUAL(snapshot_value(more, names[0]), "w");
    snapshot_drop(store, more);
    snapshot_drop(store, full);
    snapshots_free(store);
}

static void
as_many_bytes_as_fit_are_taken_and_one_more_is_refused(void)
{
    struct snapshots *store = snapshots_new();
    size_t most = SNAPSHOT_MOST_BYTES - sizeof("a") - 1; /* the rest is its name, and two NULs */
    char *value = mem_new(most + 2);
    const struct snapshot *untouched = (const struct snapshot *)(const void *)value;
    const struct snapshot *more = untouched;
    const struct snapshot *s;

    memset(value, 'x', most);
    s = MAKE(store, NULL, { "a", value });
    CU_ASSERT_EQUAL(strlen(snapshot_value(s, "a")), most);
    CU_ASSERT_FALSE(snapshot_with(store, s, &(struct snapshot_pair){ "b", "" }, 1, &more));
    value[most] = 'x';
    CU_ASSERT_FALSE(snapshot_with(store, NULL, &(struct snapshot_pair){ "a", value }, 1, &more));
    CU_ASSERT_PTR_EQUAL(more, untouched);
    snapshot_drop(store, s);
    free(value);
    snapshots_free(store);
}

/* --- SQL --- */

static void
nothing_is_written_between_equal_settings(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" });
    struct buf sql;

    buf_init(&sql);
    CU_ASSERT_STRING_EQUAL(change(NULL, NULL, &sql), "");
    CU_ASSERT_STRING_EQUAL(change(s, s, &sql), "");
    buf_release(&sql);
    snapshot_drop(store, s);
    snapshots_free(store);
}

static void
what_differs_is_set_and_what_is_alike_is_left_alone(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *from = MAKE(store, NULL, { "a", "1" }, { "b", "2" });
    const struct snapshot *to = MAKE(store, NULL, { "a", "1" }, { "b", "3" }, { "C", "4" });
    struct buf sql;

    buf_init(&sql);
    CU_ASSERT_STRING_EQUAL(
        change(from, to, &sql),
        "SELECT pg_catalog.set_config(E'b',E'3',false),pg_catalog.set_config(E'c',E'4',false)");
    buf_release(&sql);
    snapshot_drop(store, from);
    snapshot_drop(store, to);
    snapshots_free(store);
}

static void
what_only_the_old_settings_have_is_put_back_first(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *from = MAKE(store, NULL, { "z", "1" });
    const struct snapshot *to = MAKE(store, NULL, { "a", "2" });
    struct buf sql;

    buf_init(&sql);
    CU_ASSERT_STRING_EQUAL(
        change(from, to, &sql),
        "SELECT pg_catalog.set_config(E'z',NULL,false),pg_catalog.set_config(E'a',E'2',false)");
    CU_ASSERT_STRING_EQUAL(change(from, NULL, &sql), "SELECT pg_catalog.set_config(E'z',NULL,false)");
    buf_release(&sql);
    snapshot_drop(store, from);
    snapshot_drop(store, to);
    snapshots_free(store);
}

static void
the_sql_is_added_behind_what_is_there(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" });
    struct buf sql;

    buf_init(&sql);
    buf_add_text(&sql, "RESET ALL;");
    snapshot_write_change(NULL, s, &sql);
    CU_ASSERT_TRUE(slice_is(buf_slice(&sql), "RESET ALL;SELECT pg_catalog.set_config(E'a',E'1',false)"));
    buf_release(&sql);
    snapshot_drop(store, s);
    snapshots_free(store);
}

static const char *const hostile[] = {
    "",
    "'",
    "''",
    "\\",
    "\\\\",
    "\\'",
    "'\\",
    "\\x41",
    "\"",
    "\"\"",
    "a\".\"b",
    "a.b",
    ".",
    "..",
    "app.a_name_that_is_longer_than_the_sixty_three_bytes_of_an_identifier_in_postgresql",
    "');DROP TABLE t;--",
    "',false);COMMIT;SELECT pg_sleep(1)--",
    "$$",
    "$1",
    "%s%n",
    ";",
    "--",
    "/*",
    "\n",
    "\r\n",
    "\t",
    "\x01\x02\x1f\x7f",
    "caf\xc3\xa9", /* UTF-8 */
    "caf\xe9",     /* Latin-1; in UTF-8 no character at all */
    "\x83\x5c",    /* SJIS: one character, whose second byte is a backslash */
    "\x83\x5c'",
    "\xbf\x27 OR 1=1", /* GBK: a first byte that would eat the quote */
    "\x7f\x80",
    "\xff\xfe",
    "\xc3\xa9\x34", /* a digit behind an escape */
    "NULL",
    "E'",
};

static void
hostile_values_come_back_as_they_were(void)
{
    struct snapshots *store = snapshots_new();
    static const char *const names[] = { "a" };

    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        const struct snapshot *s = MAKE(store, NULL, { "a", hostile[i] });

        CU_ASSERT_STRING_EQUAL(snapshot_value(s, "a"), hostile[i]);
        check_change(NULL, s, names, 1);
        snapshot_drop(store, s);
    }
    snapshots_free(store);
}

static void
settings_of_hostile_names_are_set_and_put_back(void)
{
    struct snapshots *store = snapshots_new();

    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        const struct snapshot *s = MAKE(store, NULL, { hostile[i], "1" });

        check_change(NULL, s, &hostile[i], 1);
        check_change(s, NULL, &hostile[i], 1);
        snapshot_drop(store, s);
    }
    snapshots_free(store);
}

static void
the_text_of_hostile_names_and_values_is_exactly_this(void)
{
    static const struct {
        struct snapshot_pair pair;
        const char *sql;
    } rows[] = {
        { { "a.b", "it's" }, "SELECT pg_catalog.set_config(E'a.b',E'it''s',false)" },
        { { "a\"b", "c\\d" }, "SELECT pg_catalog.set_config(E'a\"b',E'c\\\\d',false)" },
        { { "a'b", "\xc3\xa9\x34" }, "SELECT pg_catalog.set_config(E'a''b',E'\\xC3\\xA94',false)" },
        { { "a\\", "\x83\x5c" }, "SELECT pg_catalog.set_config(E'a\\\\',E'\\x83\\\\',false)" },
        { { "A\n", "\x01" }, "SELECT pg_catalog.set_config(E'a\n',E'\x01',false)" },
    };
    struct snapshots *store = snapshots_new();
    struct buf sql;

    buf_init(&sql);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct snapshot *s = make(store, NULL, &rows[i].pair, 1);

        CU_ASSERT_STRING_EQUAL(change(NULL, s, &sql), rows[i].sql);
        snapshot_drop(store, s);
    }
    buf_release(&sql);
    snapshots_free(store);
}

static const struct snapshot *
random_snapshot(struct snapshots *store, uint64_t *random)
{
    struct snapshot_pair pairs[COUNT_OF(hostile)];
    size_t count = random_next(random) % COUNT_OF(pairs);

    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct snapshot_pair){ hostile[random_next(random) % COUNT_OF(hostile)],
                                           hostile[random_next(random) % COUNT_OF(hostile)] };
    return make(store, NULL, pairs, count);
}

static void
any_session_is_brought_from_any_settings_to_any_others(void)
{
    struct snapshots *store = snapshots_new();
    uint64_t random = 4711;

    for (unsigned i = 0; i < 500; i++) {
        const struct snapshot *from = random_snapshot(store, &random);
        const struct snapshot *to = random_snapshot(store, &random);

        check_change(from, to, hostile, COUNT_OF(hostile));
        snapshot_drop(store, from);
        snapshot_drop(store, to);
    }
    snapshots_free(store);
}

/* --- approval --- */

static void
no_settings_need_no_approval(void)
{
    struct snapshots *store = snapshots_new();
    struct buf reported;

    buf_init(&reported);
    CU_ASSERT_TRUE(snapshot_is_approved(store, NULL, &store, &reported));
    snapshot_approve(store, NULL, &store, slice_of_text("x"));
    CU_ASSERT_TRUE(snapshot_is_approved(store, NULL, &store, &reported));
    CU_ASSERT_EQUAL(buf_len(&reported), 0);
    snapshots_free(store);
}

static void
what_one_pool_has_accepted_says_nothing_about_another(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" });
    int first, second;
    struct buf reported;

    buf_init(&reported);
    CU_ASSERT_FALSE(snapshot_is_approved(store, s, &first, &reported));
    snapshot_approve(store, s, &first, slice_of_text("first"));
    CU_ASSERT_FALSE(snapshot_is_approved(store, s, &second, &reported));
    CU_ASSERT_EQUAL(buf_len(&reported), 0);
    CU_ASSERT_TRUE(snapshot_is_approved(store, s, &first, &reported));
    CU_ASSERT_TRUE(slice_is(buf_slice(&reported), "first"));
    snapshot_approve(store, s, &second, slice_of_text("+second"));
    CU_ASSERT_TRUE(snapshot_is_approved(store, s, &second, &reported)); /* appended */
    CU_ASSERT_TRUE(slice_is(buf_slice(&reported), "first+second"));
    buf_release(&reported);
    snapshot_drop(store, s);
    snapshots_free(store);
}

static void
the_first_approval_of_a_pool_stays(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *s = MAKE(store, NULL, { "a", "1" });
    struct buf reported;

    buf_init(&reported);
    snapshot_approve(store, s, &store, slice_of_text("first"));
    snapshot_approve(store, s, &store, slice_of_text("second"));
    CU_ASSERT_TRUE(snapshot_is_approved(store, s, &store, &reported));
    CU_ASSERT_TRUE(slice_is(buf_slice(&reported), "first"));
    buf_release(&reported);
    snapshot_drop(store, s);
    snapshots_free(store);
}

static void
whoever_comes_with_the_same_settings_has_the_approval_too(void)
{
    struct snapshots *store = snapshots_new();
    const struct snapshot *a = MAKE(store, NULL, { "DateStyle", "ISO" });
    const struct snapshot *b;
    struct buf reported;

    buf_init(&reported);
    snapshot_approve(store, a, &store, slice_of(NULL, 0));
    b = MAKE(store, NULL, { "datestyle", "ISO" });
    snapshot_drop(store, a);
    CU_ASSERT_TRUE(snapshot_is_approved(store, b, &store, &reported));
    CU_ASSERT_EQUAL(buf_len(&reported), 0);
    snapshot_drop(store, b);
    snapshots_free(store);
}

/* --- threads --- */

#define THREADS 4
#define TURNS 3000

struct crowd {
    struct snapshots *store;
    const struct snapshot *kept; /* a=0; main holds it */
    unsigned seed;
    unsigned strangers; /* objects of its content that are not it */
};

static void *
run_crowd(void *arg)
{
    struct crowd *c = arg;
    uint64_t random = c->seed;
    struct buf reported;

    buf_init(&reported);
    for (unsigned i = 0; i < TURNS; i++) {
        char value[2] = { (char)('0' + random_next(&random) % 3), '\0' };
        const struct snapshot *s = MAKE(c->store, NULL, { "a", value });
        const struct snapshot *over = MAKE(c->store, s, { "b", value });

        c->strangers += value[0] == '0' && s != c->kept;
        c->strangers += strcmp(snapshot_value(over, "a"), value) != 0;
        if (!snapshot_is_approved(c->store, s, c->store, &reported))
            snapshot_approve(c->store, s, c->store, slice_of_text(value));
        snapshot_drop(c->store, snapshot_hold(over));
        snapshot_drop(c->store, s);
        snapshot_drop(c->store, over);
        buf_release(&reported);
    }
    return NULL;
}

static void
threads_that_make_and_drop_the_same_settings_share_them(void)
{
    struct snapshots *store = snapshots_new();
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    const struct snapshot *kept = MAKE(store, NULL, { "a", "0" });
    struct buf reported;

    buf_init(&reported);
    for (unsigned i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .store = store, .kept = kept, .seed = i + 1 };
        pthread_create(&threads[i], NULL, run_crowd, &crowds[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(crowds[i].strangers, 0);
    }
    CU_ASSERT_TRUE(snapshot_is_approved(store, kept, store, &reported));
    CU_ASSERT_TRUE(slice_is(buf_slice(&reported), "0")); /* once, and never another's */
    buf_release(&reported);
    snapshot_drop(store, kept);
    snapshots_free(store);
}

void
suite_snapshot(void)
{
    CU_pSuite suite = CU_add_suite("snapshot", NULL, NULL);

    CU_ADD_TEST(suite, the_scope_of_plans_is_search_path_and_role);
    CU_ADD_TEST(suite, equal_sets_are_one_object);
    CU_ADD_TEST(suite, the_order_in_which_settings_come_does_not_matter);
    CU_ADD_TEST(suite, names_that_differ_in_case_are_one_setting);
    CU_ADD_TEST(suite, values_that_differ_in_case_are_two);
    CU_ADD_TEST(suite, it_matters_where_a_name_ends_and_its_value_begins);
    CU_ADD_TEST(suite, the_last_of_a_name_wins);
    CU_ADD_TEST(suite, no_settings_at_all_are_null);
    CU_ADD_TEST(suite, settings_are_laid_over_a_base_that_stays_as_it_is);
    CU_ADD_TEST(suite, a_base_with_nothing_new_over_it_is_the_base_with_one_more_reference);
    CU_ADD_TEST(suite, it_lives_until_its_last_reference_goes);
    CU_ADD_TEST(suite, as_many_settings_as_fit_are_taken_and_one_more_is_refused);
    CU_ADD_TEST(suite, as_many_bytes_as_fit_are_taken_and_one_more_is_refused);
    CU_ADD_TEST(suite, nothing_is_written_between_equal_settings);
    CU_ADD_TEST(suite, what_differs_is_set_and_what_is_alike_is_left_alone);
    CU_ADD_TEST(suite, what_only_the_old_settings_have_is_put_back_first);
    CU_ADD_TEST(suite, the_sql_is_added_behind_what_is_there);
    CU_ADD_TEST(suite, hostile_values_come_back_as_they_were);
    CU_ADD_TEST(suite, settings_of_hostile_names_are_set_and_put_back);
    CU_ADD_TEST(suite, the_text_of_hostile_names_and_values_is_exactly_this);
    CU_ADD_TEST(suite, any_session_is_brought_from_any_settings_to_any_others);
    CU_ADD_TEST(suite, no_settings_need_no_approval);
    CU_ADD_TEST(suite, what_one_pool_has_accepted_says_nothing_about_another);
    CU_ADD_TEST(suite, the_first_approval_of_a_pool_stays);
    CU_ADD_TEST(suite, whoever_comes_with_the_same_settings_has_the_approval_too);
    CU_ADD_TEST(suite, threads_that_make_and_drop_the_same_settings_share_them);
}
