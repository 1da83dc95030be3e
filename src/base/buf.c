/*
 * buf.c - a byte queue in one piece of memory.
 *
 *     at         start            end              size
 *     |  consumed  |    content    |     room       |
 *
 *     Invariants: start <= end <= size; an empty buffer has start == end == 0; at == NULL exactly while
 *     size == 0. What grows or is released may hold secrets, so memory left behind by growth is wiped:
 *     as sizes double, that costs less than a byte of work per byte ever written.
 */
#include "pgweir/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"

#define BUF_SIZE_LEAST 64

void
buf_init(struct buf *b)
{
    *b = (struct buf){ 0 };
}

void
buf_release(struct buf *b)
{
    free(b->at);
    buf_init(b);
}

void
buf_wipe(struct buf *b)
{
    mem_wipe(b->at, b->size);
    buf_release(b);
}

/* Moves the content into memory that holds NEED bytes, at least twice what there was. */
static void
buf_grow(struct buf *b, size_t need)
{
    size_t len = buf_len(b);
    size_t size = b->size < BUF_SIZE_LEAST / 2 ? BUF_SIZE_LEAST : b->size * 2;
    uint8_t *bigger;

    if (size < need)
        size = need;
    bigger = mem_grow(NULL, size, 1);
    if (len > 0 && b->at != NULL)
        memcpy(bigger, b->at + b->start, len);
    buf_wipe(b);
    *b = (struct buf){ .at = bigger, .end = len, .size = size };
}

uint8_t *
buf_reserve(struct buf *b, size_t count)
{
    size_t len = buf_len(b);

    if (b->at != NULL && b->size - b->end >= count)
        return b->at + b->end;
    /* Moving to the front is worth it when at least as much was consumed as must be moved. */
    if (b->at != NULL && b->start > 0 && b->start >= len && b->size - len >= count) {
        memmove(b->at, b->at + b->start, len);
        b->start = 0;
        b->end = len;
    } else {
        size_t need;

        if (__builtin_add_overflow(len, count, &need))
            need = SIZE_MAX; /* which mem_grow() refuses, loudly */
        buf_grow(b, need);
    }
    return b->at + b->end;
}

void
buf_commit(struct buf *b, size_t count)
{
    assert(count <= b->size - b->end);
    b->end += count;
}

void
buf_add(struct buf *b, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    memcpy(buf_reserve(b, bytes.len), bytes.at, bytes.len);
    buf_commit(b, bytes.len);
}

void
buf_add_u8(struct buf *b, uint8_t v)
{
    *buf_reserve(b, 1) = v;
    buf_commit(b, 1);
}

void
buf_add_be16(struct buf *b, uint16_t v)
{
    put_be16(buf_reserve(b, 2), v);
    buf_commit(b, 2);
}

void
buf_add_be32(struct buf *b, uint32_t v)
{
    put_be32(buf_reserve(b, 4), v);
    buf_commit(b, 4);
}

void
buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, slice_of_text(text));
}

void
buf_add_textz(struct buf *b, const char *text)
{
    buf_add(b, slice_of(text, strlen(text) + 1));
}

void
buf_add_format(struct buf *b, const char *format, ...)
{
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len > 0) {
        char *room = (char *)buf_reserve(b, (size_t)len + 1); /* vsnprintf() insists on its NUL */

        vsnprintf(room, (size_t)len + 1, format, again);
        buf_commit(b, (size_t)len);
    }
    va_end(again);
    va_end(args);
}

void
buf_drop(struct buf *b, size_t count)
{
    assert(count <= buf_len(b));
    b->start += count;
    if (b->start == b->end)
        b->start = b->end = 0;
}
