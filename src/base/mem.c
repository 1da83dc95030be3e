/*
 * mem.c - allocation that succeeds or ends the process. An out-of-memory message is formatted without
 * allocating, and abort() leaves a core that shows who asked.
 */
#include "pgweir/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

static _Noreturn void
mem_end(size_t count, size_t size)
{
    dprintf(STDERR_FILENO, "pgweir: out of memory asking for %zu x %zu bytes\n", count, size);
    abort();
}

void *
mem_new(size_t size)
{
    void *at = calloc(1, size == 0 ? 1 : size);

    if (at == NULL)
        mem_end(1, size);
    return at;
}

void *
mem_grow(void *old, size_t count, size_t size)
{
    size_t bytes;
    void *at;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
        mem_end(count, size);
    at = realloc(old, bytes == 0 ? 1 : bytes);
    if (at == NULL)
        mem_end(count, size);
    return at;
}

char *
mem_text(const char *text)
{
    return text == NULL ? NULL : mem_text_of(slice_of_text(text));
}

char *
mem_text_of(struct slice bytes)
{
    char *copy = mem_grow(NULL, bytes.len + 1, 1);

    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

char *
mem_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        mem_end(1, 0);
    return text;
}

void
mem_wipe(void *at, size_t size)
{
    if (size > 0)
        OPENSSL_cleanse(at, size);
}

void
mem_free_secret(char *text)
{
    if (text == NULL)
        return;
    mem_wipe(text, strlen(text));
    free(text);
}
