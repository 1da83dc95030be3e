/*
 * gather_impl.h - output for one peer, gathered while one piece of input is worked through, so that it leaves in one write. Slices are
 * borrowed: the gather is flushed before the input goes away. Neighbouring slices grow together; bytes of our own making are copied to a scratch that lives as
 * long as the gather does.
 */
#ifndef PGWEIR_SESSION_GATHER_IMPL_H
#define PGWEIR_SESSION_GATHER_IMPL_H

#include <string.h>
#include <sys/uio.h>

#include "pgweir/net/stream.h"

#define GATHER_MOST 64
#define GATHER_SCRATCH 8192u

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

static inline void
gather_add(struct gather *g, struct stream *to, struct slice bytes)
{
    if (g->count > 0) {
        struct iovec *last = &g->iov[g->count - 1];

        if ((const uint8_t *)last->iov_base + last->iov_len == bytes.at) {
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
    if (bytes.len > GATHER_SCRATCH - g->used || g->count == GATHER_MOST)
        gather_flush(g, to);
    if (bytes.len > GATHER_SCRATCH) {
        stream_send(to, bytes);
        return;
    }
    memcpy(g->scratch + g->used, bytes.at, bytes.len);
    gather_add(g, to, slice_of(g->scratch + g->used, bytes.len));
    g->used += bytes.len;
}

#endif
