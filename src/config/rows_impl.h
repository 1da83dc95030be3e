/*
 * rows_impl.h - the lines of a file like pg_hba.conf: blank-separated fields, each a comma-separated list of
 * words.
 *
 *     host  app,"a, b"  @users.txt  127.0.0.1/32  scram-sha-256   # a comment
 *
 * A quoted word may hold anything, a doubled quote stands for one. A backslash at the end of a line joins it
 * with the next one. `@name` stands for the words of another file. `include name` and `include_if_exists
 * name` stand for its lines. Such names are relative to the directory of the file that has them.
 *
 * source PostgreSQL docs, auth-pg-hba-conf; auth-username-maps.
 */
#ifndef PGWEIR_CONFIG_ROWS_IMPL_H
#define PGWEIR_CONFIG_ROWS_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "file_impl.h"
#include "pattern_impl.h"
#include "problems_impl.h"

#define ROWS_DEPTH_MOST 10 /* files open at once */

struct word {
    char *text;     /* without its quotes; owned */
    bool is_quoted; /* it began with a quote: it is no keyword */
};

struct field {
    struct word *words; /* owned */
    size_t count;
};

struct row {
    struct place place; /* its file is owned by the rows */
    struct field *fields;
    size_t count;
};

struct rows {
    struct row *at;
    size_t count;
    char **files; /* names of all that were read */
    size_t file_count;
};

/* Reads FILE and what it includes through READ. Whatever is wrong goes to PROBLEMS and its line is left out;
 * a FILE that cannot be read is a problem at PLACE. */
void rows_read(struct rows *out, const char *file, struct place place, file_reader *read,
               struct problems *problems);
void rows_fini(struct rows *rows); /* zeroed memory is fine */

/* Whether WORD is the keyword: not quoted, and the same letters. */
bool word_is(const struct word *word, const char *keyword);

/*
 * A word that names something, or is a pattern: `/` and a regular expression, which is not anchored. PATTERN is
 * to be freed with pattern_free() when the answer is WORD_PATTERN.
 */
enum word_kind { WORD_NAME, WORD_PATTERN, WORD_BAD };
enum word_kind word_compile(const struct word *word, struct pattern *pattern, struct place place,
                            struct problems *problems);

#endif
