/* frame_impl.h - how the neighbours in wire/ put a message into its frame and take a body out of it. */
#ifndef PGWEIR_WIRE_FRAME_IMPL_H
#define PGWEIR_WIRE_FRAME_IMPL_H

#include "pgweir/base/buf.h"
#include "pgweir/wire/scan.h"
#include "pgweir/wire/startup.h"

/* Begins a message; returns what frame_end() needs to fill in the length. */
static inline size_t
frame_begin_untyped(struct buf *out)
{
    size_t begin = buf_len(out);

    buf_add_be32(out, 0);
    return begin;
}

static inline size_t
frame_begin(struct buf *out, char type)
{
    buf_add_u8(out, (uint8_t)type);
    return frame_begin_untyped(out);
}

static inline void
frame_end(struct buf *out, size_t begin)
{
    put_be32(out->at + out->start + begin, (uint32_t)(buf_len(out) - begin));
}

/*
 * Takes the body out of MESSAGE, which should be one message of TYPE and nothing else.
 * return PARSE_MORE while it is shorter than it says; PARSE_BAD when it has another type, a length
 *        below 4 or is longer than it says.
 */
MUST_CHECK static inline enum parse
frame_body(struct slice message, char type, struct slice *out_body)
{
    uint32_t len;

    if (message.len > 0 && message.at[0] != (uint8_t)type)
        return PARSE_BAD;
    if (message.len < SCAN_HEADER)
        return PARSE_MORE;
    len = get_be32(message.at + 1);
    if (len < 4 || message.len - 1 > len)
        return PARSE_BAD;
    if (message.len - 1 < len)
        return PARSE_MORE;
    *out_body = slice_skip(message, SCAN_HEADER);
    return PARSE_DONE;
}

/* Takes a NUL-terminated string off the front of *IN; false when there is no NUL in it. */
MUST_CHECK static inline bool
frame_take_text(struct slice *in, const char **out)
{
    const uint8_t *nul = in->len > 0 ? memchr(in->at, 0, in->len) : NULL;

    if (nul == NULL)
        return false;
    *out = (const char *)in->at;
    *in = slice_skip(*in, (size_t)(nul - in->at) + 1);
    return true;
}

#endif
