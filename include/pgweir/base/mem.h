/*
 * mem.h - allocation. What a peer can make large or many is asked for with plain malloc and may
 * fail; everything else comes from here, and the process ends when the machine has none left.
 */
#ifndef PGWEIR_BASE_MEM_H
#define PGWEIR_BASE_MEM_H

#include <stddef.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/slice.h"

void *mem_new(size_t size) MUST_CHECK;                           /* zeroed; never NULL; free() it */
void *mem_grow(void *old, size_t count, size_t size) MUST_CHECK; /* realloc of an array; never NULL */
char *mem_text(const char *text) MUST_CHECK;                     /* a copy; NULL stays NULL */
char *mem_text_of(struct slice bytes) MUST_CHECK;                /* a NUL-terminated copy */
char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2) MUST_CHECK;

/* Overwrites a secret so that the compiler cannot drop the store (OPENSSL_cleanse). */
void mem_wipe(void *at, size_t size);
/* Wipes and frees a NUL-terminated secret; NULL is fine. */
void mem_free_secret(char *text);

#endif
