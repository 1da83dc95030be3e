/*
 * fuzz_sql.c - any text: tokens stand in their order with nothing but blanks and comments between, they are the
 * same when they are written down again, names and strings fit their buffers, and what is found in a text is
 * found in it behind another statement and with other blanks too. The first byte says which strings there are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pgweir/wire/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A heap copy of PREFIX and TEXT, of exactly their length. */
static struct slice
copy_behind(const char *prefix, struct slice text)
{
    size_t len = strlen(prefix) + text.len;
    uint8_t *copy = malloc(len > 0 ? len : 1);

    MUST(copy != NULL);
    memcpy(copy, prefix, strlen(prefix));
    if (text.len > 0)
        memcpy(copy + strlen(prefix), text.at, text.len);
    return slice_of(copy, len);
}

static void
slice_free(struct slice s)
{
    free((void *)(uintptr_t)s.at);
}

static void
check_no_token(const uint8_t *from, const uint8_t *to)
{
    struct sql_scan s;
    struct sql_token t;

    sql_scan_init(&s, slice_of(from, (size_t)(to - from)), true);
    MUST(sql_next(&s, &t) == SQL_END);
}

/* Reads T as everything, into buffers of all kinds of sizes. */
static void
check_reads(const struct sql_token *t, bool standard_strings)
{
    size_t sizes[] = { 0, 1, 2, 8, 64, t->text.len + 1 };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *out = malloc(sizes[i] > 0 ? sizes[i] : 1);

        MUST(out != NULL);
        if (sql_name_read(t, out, sizes[i]))
            MUST(strlen(out) < sizes[i] && strlen(out) <= SQL_NAME_MOST);
        if (sql_string_read(t, standard_strings, out, sizes[i]))
            MUST(strlen(out) < sizes[i] && t->kind == SQL_STRING);
        free(out);
    }
    MUST(sql_parameter_read(t) == 0 || t->kind == SQL_PARAMETER);
}

/* Walks SQL's tokens and writes them, a blank behind each, to *OUT_AGAIN. */
static bool
check_tokens(struct slice sql, bool standard_strings, struct slice *out_again)
{
    uint8_t *again = malloc(2 * sql.len + 1);
    const uint8_t *behind = sql.at;
    size_t len = 0;
    struct sql_scan s;
    struct sql_token t;

    MUST(again != NULL);
    sql_scan_init(&s, sql, standard_strings);
    while (sql_next(&s, &t) != SQL_END) {
        MUST(t.text.len > 0 && t.text.at >= behind && t.text.at + t.text.len <= sql.at + sql.len);
        check_no_token(behind, t.text.at);
        check_reads(&t, standard_strings);
        behind = t.text.at + t.text.len;
        memcpy(again + len, t.text.at, t.text.len);
        len += t.text.len;
        again[len++] = ' ';
    }
    MUST(sql_next(&s, &t) == SQL_END && t.text.len == 0);
    *out_again = slice_of(again, len);
    return s.is_unterminated;
}

static void
check_same_tokens(struct slice a, struct slice b, bool standard_strings)
{
    struct sql_scan in_a, in_b;
    struct sql_token t, u;

    sql_scan_init(&in_a, a, standard_strings);
    sql_scan_init(&in_b, b, standard_strings);
    do {
        MUST(sql_next(&in_a, &t) == sql_next(&in_b, &u));
        MUST(slice_equal(t.text, u.text));
    } while (t.kind != SQL_END);
}

/* The lists of a look at SQL. */
static void
check_lists(struct slice sql, bool standard_strings, const struct sql_findings *found)
{
    MUST(found->setting_count <= SQL_SETTINGS_MOST && found->named_count <= SQL_NAMED_MOST);
    MUST(!found->settings_are_partial || (found->flags & SQL_OPAQUE) != 0);
    for (size_t i = 0; i < found->setting_count; i++) {
        const struct sql_setting *s = &found->settings[i];

        MUST(memchr(s->name, '\0', sizeof s->name) != NULL);
        MUST(s->name_parameter == 0 || s->name[0] == '\0');
        MUST(s->how == SQL_BY_SET_CONFIG || (s->name_parameter == 0 && s->local_parameter == 0));
    }
    for (size_t i = 0; i < found->named_count; i++) {
        const struct sql_named *n = &found->named[i];
        char name[SQL_NAME_MOST + 1];
        struct sql_scan s;
        struct sql_token t;

        MUST(n->len > 0 && n->at <= sql.len && n->len <= sql.len - n->at);
        sql_scan_init(&s, slice_of(sql.at + n->at, n->len), standard_strings);
        sql_next(&s, &t);
        MUST(t.text.len == n->len && sql_name_read(&t, name, sizeof name) && strcmp(name, n->name) == 0);
    }
}

static void
check_same_findings(const struct sql_findings *a, const struct sql_findings *b)
{
    MUST(a->setting_count == b->setting_count && a->settings_are_partial == b->settings_are_partial);
    MUST(a->named_count == b->named_count && a->named_are_partial == b->named_are_partial);
    for (size_t i = 0; i < a->setting_count; i++) {
        const struct sql_setting *s = &a->settings[i], *t = &b->settings[i];

        MUST(s->how == t->how && strcmp(s->name, t->name) == 0 && s->name_parameter == t->name_parameter &&
             s->local_parameter == t->local_parameter);
    }
    for (size_t i = 0; i < a->named_count; i++)
        MUST(a->named[i].verb == b->named[i].verb && strcmp(a->named[i].name, b->named[i].name) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool standard_strings = size == 0 || data[0] % 2 == 0;
    struct slice sql = copy_behind("", size == 0 ? slice_of(NULL, 0) : slice_of(data + 1, size - 1));
    struct slice behind = copy_behind("listen a;", sql);
    struct slice again;
    struct sql_findings found, other;
    bool is_unterminated = check_tokens(sql, standard_strings, &again);

    sql_look(sql, standard_strings, &found);
    MUST(found.is_unterminated == is_unterminated);
    check_lists(sql, standard_strings, &found);
    if (sql_is_harmless(sql))
        MUST(found.flags == 0 && found.statements <= 1 && found.setting_count == 0 && found.named_count == 0);

    sql_look(behind, standard_strings, &other);
    MUST(other.flags == (found.flags | SQL_LISTEN) && other.statements == found.statements + 1);
    check_same_findings(&found, &other);

    if (!is_unterminated) {
        check_same_tokens(sql, again, standard_strings);
        sql_look(again, standard_strings, &other);
        MUST(other.flags == found.flags && other.statements == found.statements);
        check_same_findings(&found, &other);
    }
    (void)sql_is_ascii(sql);
    slice_free(sql);
    slice_free(behind);
    slice_free(again);
    return 0;
}
