/* text.h - small questions about text. */
#ifndef PGWEIR_BASE_TEXT_H
#define PGWEIR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The one of NAMES (COUNT of them) that a typist most likely meant by WORD, or NULL when none is near
 * (edit distance with transpositions at most a third of the length, at least 1, but less than the length; case does not count). */
const char *text_nearest(const char *word, const char *const *names, size_t count);

/* ASCII only, independent of the locale. */
bool text_equal_nocase(const char *a, const char *b);

/* Cuts blanks off both ends, in place; returns the new beginning inside TEXT. */
char *text_trim(char *text);

#endif
