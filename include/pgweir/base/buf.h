/*
 * buf.h - a byte queue that grows: written at the end, read at the front. Empty buffers hold no memory
 * once buf_release() was called. A bound is the caller's business; growth itself ends the process only
 * when the machine has no memory.
 */
#ifndef PGWEIR_BASE_BUF_H
#define PGWEIR_BASE_BUF_H

#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/slice.h"

struct buf {
    uint8_t *at;  /* owned; NULL while empty and released */
    size_t start; /* first unread byte */
    size_t end;   /* one behind the last written byte */
    size_t size;  /* bytes allocated */
};

void buf_init(struct buf *b);
void buf_release(struct buf *b); /* frees the memory, drops the content; usable afterwards */
void buf_wipe(struct buf *b);    /* the same after overwriting the content: for secrets */

static inline size_t
buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice
buf_slice(const struct buf *b)
{
    return slice_skip(slice_of(b->at, b->end), b->start);
}

/* Room for COUNT more bytes at the end; the pointer is good until the next call. */
uint8_t *buf_reserve(struct buf *b, size_t count) MUST_CHECK;
void buf_commit(struct buf *b, size_t count); /* COUNT bytes of the reserved room were written */
void buf_add(struct buf *b, struct slice bytes);
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_be16(struct buf *b, uint16_t v);
void buf_add_be32(struct buf *b, uint32_t v);
void buf_add_text(struct buf *b, const char *text);  /* without its NUL */
void buf_add_textz(struct buf *b, const char *text); /* with its NUL */
void buf_add_format(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* COUNT bytes were consumed at the front; the room is reused, not freed. */
void buf_drop(struct buf *b, size_t count);

#endif
