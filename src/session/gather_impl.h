/*
 * gather_impl.h - output for one peer, gathered while one piece of input is worked through, so that it leaves
 * in one write. Slices are borrowed: the gather is flushed before the input goes away. Neighbouring slices
 * grow together; bytes of our own making are copied to a scratch that lives as long as the gather does.
 */
#ifndef PGWEIR_SESSION_GATHER_IMPL_H
#define PGWEIR_SESSION_GATHER_IMPL_H

#include <string.h>
#include <sys/uio.h>

#include "pgweir/net/stream.h"

#define GATHER_MOST 64
#define GATHER_SCRATCH 8192u
/* Behind bytes of our own making, pieces up to this are copied: one write of 60 pieces (20 pipelined Binds
 * with new names) costs the kernel more. */
#define GATHER_SMALL 256u

struct gather {
    struct iovec iov[GATHER_MOST];
    int count;
    size_t used; /* of scratch */
    uint8_t scratch[GATHER_SCRATCH];
};

static inline void
gather_flush(struct gather *g, struct stream *to)
{
    if (g->count > 0 && stream_is_open(to))
        stream_sendv(to, g->iov, g->count);
    g->count = 0;
    g->used = 0;
}

/* The same when the input is worked through: nothing follows for now. */
static inline void
gather_flush_last(struct gather *g, struct stream *to)
{
    if (g->count > 0 && stream_is_open(to))
        stream_sendv_last(to, g->iov, g->count);
    g->count = 0;
    g->used = 0;
}

/* Room for LEN bytes (at most GATHER_SCRATCH) of our own making, to be filled before anything else is
 * gathered. */
static inline uint8_t *
gather_room(struct gather *g, struct stream *to, size_t len)
{
    uint8_t *at;

    if (len > GATHER_SCRATCH - g->used || g->count == GATHER_MOST)
        gather_flush(g, to);
    at = g->scratch + g->used;
    g->used += len;
    if (g->count > 0) {
        struct iovec *last = &g->iov[g->count - 1];

        if ((uint8_t *)last->iov_base + last->iov_len == at) {
            last->iov_len += len;
            return at;
        }
    }
    g->iov[g->count++] = (struct iovec){ at, len };
    return at;
}

static inline void
gather_add(struct gather *g, struct stream *to, struct slice bytes)
{
    if (g->count > 0) {
        struct iovec *last = &g->iov[g->count - 1];
        const uint8_t *end = (const uint8_t *)last->iov_base + last->iov_len;

        if (end == bytes.at) {
            last->iov_len += bytes.len;
            return;
        }
        if (bytes.len <= GATHER_SMALL && end == g->scratch + g->used &&
            bytes.len <= GATHER_SCRATCH - g->used) {
            memcpy(g->scratch + g->used, bytes.at, bytes.len);
            g->used += bytes.len;
            last->iov_len += bytes.len;
            return;
        }
        if (g->count == GATHER_MOST)
            gather_flush(g, to);
    }
    g->iov[g->count++] = (struct iovec){ (void *)(uintptr_t)bytes.at, bytes.len };
}

/* The same for bytes that will not last. */
static inline void
gather_copy(struct gather *g, struct stream *to, struct slice bytes)
{
    if (bytes.len > GATHER_SCRATCH) {
        gather_flush(g, to);
        stream_send(to, bytes);
        return;
    }
    memcpy(gather_room(g, to, bytes.len), bytes.at, bytes.len);
}

#endif
