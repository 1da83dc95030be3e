/*
 * ident.c - lines of an auth_ident_file.
 *
 *     map-name  system-name  database-user
 *
 *     A system name may be a pattern, and \1 in the user then stands for its first group. A user may be
 *     `all`, or a pattern.
 */
#include "ident_impl.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "rows_impl.h"

struct mapping {
    const char *map; /* texts are borrowed from the rows */
    const char *system;
    const char *user;
    bool is_any_user;
    bool has_system_pattern, has_user_pattern;
    struct pattern system_pattern, user_pattern; /* valid by the flags above */
    const char *group;                           /* where \1 stands in user; NULL: it has none */
};

struct ident {
    struct rows rows;
    struct mapping *mappings;
    size_t count;
};

static void
mapping_fini(struct mapping *m)
{
    if (m->has_system_pattern)
        pattern_free(&m->system_pattern);
    if (m->has_user_pattern)
        pattern_free(&m->user_pattern);
}

void
ident_free(struct ident *ident)
{
    if (ident == NULL)
        return;
    for (size_t i = 0; i < ident->count; i++)
        mapping_fini(&ident->mappings[i]);
    free(ident->mappings);
    rows_fini(&ident->rows);
    free(ident);
}

/* ---- reading ---- */

static bool
compile(const struct word *word, struct place place, struct problems *problems, struct pattern *pattern,
        bool *is_pattern)
{
    enum word_kind kind = word_compile(word, pattern, place, problems);

    *is_pattern = kind == WORD_PATTERN;
    return kind != WORD_BAD;
}

static bool
read_user(struct mapping *m, const struct word *word, struct place place, struct problems *problems)
{
    m->user = word->text;
    m->is_any_user = word_is(word, "all");
    if (!word->is_quoted && word->text[0] == '+') {
        problem_add(problems, place,
                    "`%.60s` is not supported: the pooler does not know who is a member of which role",
                    word->text);
        return false;
    }
    m->group = m->has_system_pattern ? strstr(word->text, "\\1") : NULL;
    if (m->group != NULL && m->system_pattern.first_group == 0) {
        problem_add(problems, place, "`%.60s` refers to a group, and `%.200s` has none", word->text,
                    m->system);
        return false;
    }
    if (m->group != NULL)
        return true;
    return compile(word, place, problems, &m->user_pattern, &m->has_user_pattern);
}

static bool
read_mapping(const struct row *row, struct problems *problems, struct mapping *m)
{
    if (row->count != 3 || row->fields[0].count != 1 || row->fields[1].count != 1 ||
        row->fields[2].count != 1) {
        problem_add(problems, row->place, "expected a map name, a system name and a database user");
        return false;
    }
    m->map = row->fields[0].words[0].text;
    m->system = row->fields[1].words[0].text;
    return compile(&row->fields[1].words[0], row->place, problems, &m->system_pattern,
                   &m->has_system_pattern) &&
           read_user(m, &row->fields[2].words[0], row->place, problems);
}

struct ident *
ident_read(const char *file, struct place place, file_reader *read, struct problems *problems)
{
    struct ident *ident = mem_new(sizeof(*ident));

    rows_read(&ident->rows, file, place, read, problems);
    ident->mappings = mem_new((ident->rows.count + 1) * sizeof(*ident->mappings));
    for (size_t i = 0; i < ident->rows.count; i++) {
        struct mapping *m = &ident->mappings[ident->count];

        if (read_mapping(&ident->rows.at[i], problems, m)) {
            ident->count++;
        } else {
            mapping_fini(m);
            *m = (struct mapping){ .map = NULL };
        }
    }
    return ident;
}

/* ---- asking ---- */

static bool
user_fits(const struct mapping *m, const char *user)
{
    if (m->is_any_user)
        return true;
    if (m->has_user_pattern)
        return pattern_matches(&m->user_pattern, user);
    return strcmp(m->user, user) == 0;
}

/* Whether USER is m->user with the bytes of GROUP for its \1. */
static bool
expanded_user_fits(const struct mapping *m, struct slice group, const char *user)
{
    struct buf expanded;
    bool fits;

    buf_init(&expanded);
    buf_add(&expanded, slice_of(m->user, (size_t)(m->group - m->user)));
    buf_add(&expanded, group);
    buf_add_text(&expanded, m->group + 2);
    fits = slice_is(buf_slice(&expanded), user);
    buf_release(&expanded);
    return fits;
}

static bool
mapping_allows(const struct mapping *m, const char *system_name, const char *user)
{
    struct slice group;

    if (!m->has_system_pattern)
        return strcmp(m->system, system_name) == 0 && user_fits(m, user);
    if (m->group == NULL)
        return pattern_matches(&m->system_pattern, system_name) && user_fits(m, user);
    return pattern_matches_group(&m->system_pattern, system_name, &group) &&
           expanded_user_fits(m, group, user);
}

bool
ident_allows(const struct ident *ident, const char *map, const char *system_name, const char *user)
{
    if (map == NULL || map[0] == '\0')
        return strcmp(system_name, user) == 0;
    for (size_t i = 0; ident != NULL && i < ident->count; i++)
        if (strcmp(ident->mappings[i].map, map) == 0 &&
            mapping_allows(&ident->mappings[i], system_name, user))
            return true;
    return false;
}

bool
ident_has_map(const struct ident *ident, const char *map)
{
    for (size_t i = 0; ident != NULL && i < ident->count; i++)
        if (strcmp(ident->mappings[i].map, map) == 0)
            return true;
    return false;
}
