/* slice.h - a borrowed look at bytes, and big-endian numbers as the wire has them. */
#ifndef PGWEIR_BASE_SLICE_H
#define PGWEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *at;
    size_t len;
};

static inline struct slice
slice_of(const void *at, size_t len)
{
    return (struct slice){ (const uint8_t *)at, len };
}

static inline struct slice
slice_of_text(const char *text)
{
    return slice_of(text, strlen(text));
}

/* The rest of S behind its first N bytes; N must not exceed its length. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
    return n == 0 ? s : (struct slice){ s.at + n, s.len - n }; /* NULL + 0 is undefined in C */
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool
slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of_text(text));
}

static inline uint16_t
get_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t
get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

#endif
