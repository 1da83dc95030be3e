/* bytes.h - byte strings for the tests of this room. */
#ifndef PGWEIR_TESTS_WIRE_BYTES_H
#define PGWEIR_TESTS_WIRE_BYTES_H

#include <stdlib.h>
#include <string.h>

#include "pgweir/base/slice.h"

/* A string literal, NUL bytes included, without the one that C appends. */
#define BYTES(literal) slice_of((literal), sizeof(literal) - 1)

/* A heap copy of exactly S.len bytes, so that the address sanitizer sees a read past its end. Free it. */
static inline uint8_t *
tight_copy(struct slice s)
{
    uint8_t *copy = malloc(s.len > 0 ? s.len : 1);

    if (copy == NULL)
        abort();
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return copy;
}

/* Whether the buffer TEXT (a char array) holds WORD somewhere. */
static inline int
has_word(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

#endif
