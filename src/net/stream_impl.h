/* stream_impl.h - what stream.c and stream_tls.c know of each other. */
#ifndef PGWEIR_NET_STREAM_IMPL_H
#define PGWEIR_NET_STREAM_IMPL_H

#include "pgweir/base/buf.h"
#include "pgweir/net/stream.h"

struct stream_backlog {
    struct event writable; /* exists while there is something to write */
    struct buf bytes;      /* as they go to the socket: ciphertext on a TLS stream */
    bool was_high;         /* on_drained is owed */
};

/* stream.c */
void stream_put(struct stream *s, struct slice bytes); /* raw output: sent soon or kept */
void stream_send_now(struct stream *s, const struct iovec *iov, int count); /* past the outbox */
void stream_flush(struct stream *s);             /* what waits in the outbox is sent now */
void stream_break(struct stream *s, int errnum); /* a write failed */
void stream_watch(struct stream *s);             /* sees to it that on_readable is called for input */
void stream_poke(struct stream *s);              /* on_readable is called soon, input or not */
/* On_closed; S may be gone afterwards. WHY NULL: end of file. */
void stream_end(struct stream *s, const struct error *why);
/* The same after a read that returned nothing: ERRNUM 0 is end of file. */
void stream_end_of_input(struct stream *s, int errnum);

/* stream_tls.c */
bool
stream_tls_wants_input(const struct stream_tls *tls); /* the handshake goes on, whatever the owner says */
bool stream_tls_has_kept(
    const struct stream_tls *tls);      /* ciphertext, or a failure, that no descriptor will tell of */
void stream_tls_read(struct stream *s); /* the TLS part of on_readable */
void stream_tls_sendv(struct stream *s, const struct iovec *iov, int count);
void stream_tls_say_bye(struct stream *s); /* close_notify, if that is still possible */
bool stream_tls_can_move(const struct stream_tls *tls);
void stream_tls_join(struct stream *s);
void stream_tls_free(struct stream_tls *tls); /* NULL is fine */

#endif
