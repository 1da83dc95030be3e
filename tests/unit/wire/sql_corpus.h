/*
 * sql_corpus.h - statements, and what is to be found in each of them.
 *
 * A row is one statement, without an end. What is added here is looked at by every test that goes through the
 * corpus: as it is written, in other letters, with comments between its tokens, among other statements, and
 * cut off at every byte.
 */
#ifndef PGWEIR_TESTS_WIRE_SQL_CORPUS_H
#define PGWEIR_TESTS_WIRE_SQL_CORPUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <CUnit/CUnit.h>

struct look_row {
    const char *sql;
    uint32_t flags; /* enum sql_flag */
};

enum look_noun {
    LOOK_HARMLESS,
    LOOK_SETTINGS, /* what outlives its transaction of them */
    LOOK_SESSION_STATE,
    LOOK_TRANSACTIONS,
    LOOK_SHAPES, /* of results: what changes them */
    LOOK_NOUNS
};

extern const struct look_rows {
    const struct look_row *rows;
    size_t count;
} sql_corpus[LOOK_NOUNS];

/* Tells the text that it is about. */
#define FAIL_UNLESS(condition, sql)                                 \
    do {                                                            \
        bool is_so = (condition);                                   \
                                                                    \
        if (!is_so)                                                 \
            fprintf(stderr, "\n    %s: [%s]\n", #condition, (sql)); \
        CU_ASSERT_TRUE(is_so);                                      \
    } while (0)

#endif
