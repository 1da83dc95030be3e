/*
 * stream.h - one connected non-blocking socket, plain or TLS, in one loop.
 *
 * The read event is added once and stays; the write event exists only while output is pending. Bytes are read
 * into the loop's buffer and shown to the owner from there; they are gone when on_bytes returns. Output goes
 * to the socket at once; what it would not take is copied to a backlog and sent when the peer reads on.
 *
 * TLS goes through memory: one read(2) per wake-up into the loop's buffer, as many records out of it as are
 * there, records of one stream_send() gathered into one write(2). SSL objects never touch the descriptor.
 *
 * A stream is embedded by value in its owner. Handlers may call anything on their own stream, stream_close()
 * included.
 */
#ifndef PGWEIR_NET_STREAM_H
#define PGWEIR_NET_STREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "pgweir/base/err.h"
#include "pgweir/base/slice.h"
#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"

#define STREAM_HIGH_BYTES (64u * 1024u) /* backlog above which the owner should stop feeding */
#define STREAM_LOW_BYTES (16u * 1024u)  /* on_drained comes when the backlog has fallen to this */

struct stream;
struct stream_backlog;
struct stream_tls;
struct tls_context;

struct stream_handler {
    /* Fresh bytes (never empty). Called again and again while more is at hand, but not after
     * stream_read_stop() or stream_close().
     * One exception: when a write has failed, reading starts again
     * by itself, so that what the peer said before it died is heard (a server's FATAL). An owner that has
     * no room for it stops again, and gets on_closed without the rest. */
    void (*on_bytes)(void *owner, struct slice fresh);
    /* The backlog was above STREAM_HIGH_BYTES and has fallen to STREAM_LOW_BYTES or less. */
    void (*on_drained)(void *owner);
    /* The peer is gone or broke TLS: WHY NULL means a clean end of file. Everything it sent before was
     * delivered. The stream is still open on our side: the owner calls stream_close(). Called once. */
    void (*on_closed)(void *owner, const struct error *why);
    /* A handshake begun with stream_start_tls_…() ended well. May be NULL for plain-only owners. */
    void (*on_tls)(void *owner);
};

struct stream {
    struct event readable;
    const struct stream_handler *handler;
    void *owner;
    struct loop *loop;
    struct stream_tls *tls;         /* NULL: plain */
    struct stream_backlog *backlog; /* NULL: nothing pending */
    int fd;                         /* -1: closed or not open yet */
    bool is_reading;                /* wanted by the owner */
    bool is_watched;                /* the read event is in epoll; it outlives a short stop (see stream.c) */
    bool is_broken;                 /* a write failed: output is dropped, on_closed comes after the input */
    bool is_ended;                  /* on_closed was called */
    bool is_queued;                 /* the loop has output of it that leaves when the turn ends */
    bool may_be_held;     /* its owner's wish: nothing is read while the loop holds its input back */
    uint8_t broken_errno; /* while is_broken: what the failed write said */
};

/* A stream over nothing: is_open is false, close is fine. */
void stream_init(struct stream *s, const struct stream_handler *handler, void *owner);
/* Adopts FD (made non-blocking, TCP_NODELAY where it is TCP). Reading begins stopped. */
void stream_open(struct stream *s, struct loop *loop, int fd);
/* The same for what a listener has accepted, which is so already: two system calls less. */
void stream_open_accepted(struct stream *s, struct loop *loop, int fd);
static inline bool
stream_is_open(const struct stream *s)
{
    return s->fd >= 0;
}

/* Both are cheap, and free of system calls when nothing arrives between a stop and a start. */
void stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);
/* S may have been held back by its loop, which does not do so any more: reads again what it wants to. */
void stream_read_again(struct stream *s);

/* Sends all of IOV, or keeps copies of what the socket does not take; within a turn of the loop short output
 * leaves when the turn ends. Never fails towards the caller: a dead peer is told through on_closed, from the
 * loop. What is sent to a broken stream, or during a TLS handshake, is dropped. */
void stream_sendv(struct stream *s, const struct iovec *iov, int count);
/* The same for what is all for now: it leaves at once, with what else waits for the end of the turn, unless
 * the input of others is still to be seen to, whose answers can leave with it. So where nobody gains by
 * waiting, the write comes first and the bookkeeping after it. */
void stream_sendv_last(struct stream *s, const struct iovec *iov, int count);
void stream_send(struct stream *s, struct slice bytes);
size_t stream_backlog_bytes(const struct stream *s);

/* Closes at once, drops the backlog; TLS says close_notify when the socket takes it. Idempotent; no
 * handler is called any more. */
void stream_close(struct stream *s);
/* Says that nothing more will be sent (the backlog is dropped) and goes on reading: on_closed tells when the peer has closed its side too. */
void stream_half_close(struct stream *s);
/* Hands the descriptor and its backlog over to the loop, which sends the rest, half-closes, waits shortly
 * for the peer to read it (at most LINGER_US in all, so that the last error message is not lost to a
 * reset) and closes. For the owner this is stream_close(). */
#define STREAM_LINGER_US (UINT64_C(2) * US_PER_S)
void stream_close_gently(struct stream *s);

/* TLS as the accepting side. ALREADY: bytes of the handshake that were read before (direct TLS), else empty.
 * Reading goes on by itself until on_tls or on_closed. */
void stream_start_tls_accept(struct stream *s, struct tls_context *context, struct slice already);
/* TLS as the connecting side. SERVER_NAME: for SNI and, where the context verifies names, for the check;
 * NULL or an IP address: no SNI (RFC 6066), an address is checked against the certificate's IP entries.
 * ENDPOINT keys session resumption ("host:port"). */
void stream_start_tls_connect(struct stream *s, struct tls_context *context, const char *server_name,
                              const char *endpoint);

/* Moves an open, idle stream (no backlog, nothing half-read in TLS) to the loop of another thread: leave
 * in the old one, join in the new one. Between the two the stream must not be used, save that it may be
 * closed, and copied to other memory (a new slab). */
bool stream_can_move(struct stream *s); /* sends what waits for the end of the turn */
void stream_leave(struct stream *s);
void stream_join(struct stream *s, struct loop *loop);

/* TLS facts; NULL or false on a plain stream. */
bool stream_is_tls(const struct stream *s);
const char *stream_tls_version(const struct stream *s);               /* "TLSv1.3" */
void stream_tls_text(const struct stream *s, char *out, size_t size); /* version/cipher; "" without TLS */
const char *stream_tls_cipher(const struct stream *s);
/* tls-server-end-point (RFC 5929) of the server certificate of this connection: ours on the accepting
 * side, the peer's on the connecting side. Returns its length, 0 when there is none. */
size_t stream_tls_endpoint(const struct stream *s, uint8_t out[64]);
/* Whether the peer has shown a certificate that our CA vouches for. */
bool stream_tls_has_peer(const struct stream *s);
/* Common name of the peer's verified certificate into OUT; false without one, or when it holds a NUL. */
bool stream_tls_peer_name(const struct stream *s, char *out, size_t size);
/* Its whole subject in the form of RFC 2253, "CN=joe,OU=ops,O=Example", likewise. */
bool stream_tls_peer_subject(const struct stream *s, char *out, size_t size);

/* "127.0.0.1:5432", "[::1]:5432", "unix:4711@" (pid) or "unix". Does system calls: for the log, once per
 * connection. */
void stream_peer_text(const struct stream *s, char *out, size_t size);
/* Both ends of an open stream; a length of 0 where the kernel does not say. System calls, like the next. */
void stream_ends(const struct stream *s, struct address *local, struct address *peer);
struct stream_process { /* who is at the other end of a Unix socket */
    pid_t pid;
    uid_t uid;
};
bool stream_peer_process(const struct stream *s, struct stream_process *out);

#endif
