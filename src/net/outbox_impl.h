/*
 * outbox_impl.h - what the streams of a loop send within one turn, as far as it is short, leaves when the turn
 * ends.
 *
 *     epoll_wait -> recv, work, recv, work, recv, work -> send, send, send -> epoll_wait
 *
 * Why: a send may wake the peer, and waking is most of what it costs. If peers get what they wait for in one
 * go, they are woken once and not for each piece (CPU per transaction 0.92, 32 clients, of that without an
 * outbox); and what is sent to one stream in several pieces leaves in one.
 *
 * Invariants: a stream with is_queued has an entry, no backlog and is open; entries are in the order in which
 * they were made; outside of turns there are none.
 */
#ifndef PGWEIR_NET_OUTBOX_IMPL_H
#define PGWEIR_NET_OUTBOX_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct stream;

#define OUTBOX_MOST 32u          /* entries: nobody's output waits for more than so many others */
#define OUTBOX_MOST_BYTES 32768u /* in all */
#define OUTBOX_SMALL_BYTES 4096u /* what is longer is not worth a copy */

struct outbox {
    struct outgoing {
        struct stream *stream; /* NULL: it has been sent */
        uint32_t at, len;      /* of bytes */
    } entries[OUTBOX_MOST];
    unsigned count;
    uint32_t used;
    uint8_t *bytes; /* OUTBOX_MOST_BYTES; owned */
};

void outbox_init(struct outbox *out);
void outbox_fini(struct outbox *out);

/* Copies BYTES bytes, which IOV is about, for S, an open stream without a backlog. False: they are too many. */
bool outbox_try_add(struct outbox *out, struct stream *s, const struct iovec *iov, int count, size_t bytes);
/* Sends everything. */
void outbox_flush(struct outbox *out);
/* Sends what is there for S, for more that cannot wait. */
void outbox_flush_stream(struct outbox *out, struct stream *s);

#endif
