/*
 * stream.c - a socket, its two events and what did not fit into it.
 *
 *     epoll --readable--> loop->read_buf --on_bytes--> owner --stream_sendv()--> socket
 *                                                                    |  what it did not take
 *                                                                    v
 *     epoll --writable-----------------------------------------> backlog --> socket
 *
 * stream_read_stop() only notes the owner's wish. Should something arrive before the next
 * stream_read_start(), then on_readable finds the wish and takes the descriptor out of epoll; if not, stop
 * and start cost nothing.
 *
 * Handlers are called from on_readable and on_writable only, so never inside a call of the owner's. While
 * on_readable handles the input of a stream, loop->current names it; stream_close() and stream_leave() take
 * the name away, and that is how we know after a handler whether S is still ours to touch.
 *
 * Short output that is sent within a turn of the loop waits in the loop's outbox for the end of the turn, so
 * "sent" below means no more than that.
 *
 * Invariants: a backlog is never empty; is_broken means no backlog; is_ended means the read event is out of
 * epoll.
 */
#include "stream_impl.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop_impl.h"
#include "parting_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/address.h"

#define IOV_BATCH 1024 /* IOV_MAX of Linux */

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

void
stream_init(struct stream *s, const struct stream_handler *handler, void *owner)
{
    *s = (struct stream){ .handler = handler, .owner = owner, .fd = -1 };
}

void
stream_open(struct stream *s, struct loop *loop, int fd)
{
    int on = 1;

    (void)ioctl(fd, FIONBIO, &on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof(on)); /* a Unix socket refuses, which is fine */
    stream_open_accepted(s, loop, fd);
}

void
stream_open_accepted(struct stream *s, struct loop *loop, int fd)
{
    assert(s->fd < 0 && fd >= 0);
    s->fd = fd;
    s->loop = loop;
    s->tls = NULL;
    s->backlog = NULL;
    s->is_reading = s->is_watched = s->is_broken = s->is_ended = s->is_queued = false;
    s->broken_errno = 0;
    event_assign(&s->readable, loop->base, fd, EV_READ | EV_PERSIST, on_readable, s);
}

/* The input side. */

static bool
wants_input(const struct stream *s)
{
    return s->is_reading || (s->tls != NULL && stream_tls_wants_input(s->tls));
}

void
stream_watch(struct stream *s)
{
    if (s->is_watched || s->is_ended)
        return;
    s->is_watched = event_add(&s->readable, NULL) == 0;
}

static void
unwatch(struct stream *s)
{
    s->is_watched = false;
    event_del(&s->readable);
}

void
stream_poke(struct stream *s)
{
    if (!s->is_ended)
        event_active(&s->readable, EV_READ, 0);
}

void
stream_read_start(struct stream *s)
{
    s->is_reading = true;
    if (s->fd < 0 || s->is_ended)
        return;
    stream_watch(s);
    if (s->tls != NULL && stream_tls_has_kept(s->tls))
        stream_poke(s);
}

void
stream_read_stop(struct stream *s)
{
    s->is_reading = false;
    if (s->fd >= 0 && s->is_broken)
        stream_poke(s); /* nothing else would tell the owner */
}

void
stream_read_again(struct stream *s)
{
    if (s->fd < 0 || s->is_ended)
        return;
    if (s->is_broken)
        stream_poke(s);
    else if (s->is_reading)
        stream_read_start(s);
    else if (wants_input(s))
        stream_watch(s);
}

void
stream_end(struct stream *s, const struct error *why)
{
    s->is_ended = true;
    unwatch(s);
    s->handler->on_closed(s->owner, why);
}

static enum err
code_of_errno(int errnum)
{
    switch (errnum) {
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return ERR_CLOSED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

void
stream_end_of_input(struct stream *s, int errnum)
{
    struct error why;
    int cause = s->is_broken ? s->broken_errno : errnum;

    if (cause == 0) {
        stream_end(s, NULL);
        return;
    }
    (void)error_set_errno(&why, cause, s->is_broken ? "write" : "read");
    why.code = code_of_errno(cause);
    stream_end(s, &why);
}

/* Once per wake-up: a peer that always has more must not keep the others waiting. */
static void
read_plain(struct stream *s, struct loop *loop)
{
    ssize_t n = recv(s->fd, loop->read_buf, LOOP_READ_BYTES, 0);

    if (n > 0)
        s->handler->on_bytes(s->owner, slice_of(loop->read_buf, (size_t)n));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        stream_end_of_input(s, n == 0 ? 0 : errno);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    struct loop *loop = s->loop;

    (void)fd;
    (void)what;
    loop_note_wake(loop);
    loop->current = s;
    if (s->is_ended || (loop->is_holding && s->may_be_held))
        unwatch(s);
    else if (!wants_input(s) && s->is_broken)
        stream_end_of_input(s, 0);
    else if (!wants_input(s))
        unwatch(s);
    else if (s->tls != NULL)
        stream_tls_read(s);
    else
        read_plain(s, loop);
    loop->current = NULL;
}

/* The output side. */

static void
drop_backlog(struct stream *s)
{
    struct stream_backlog *b = s->backlog;

    if (b == NULL)
        return;
    s->backlog = NULL;
    event_del(&b->writable);
    buf_release(&b->bytes);
    free(b);
}

void
stream_break(struct stream *s, int errnum)
{
    if (s->is_broken)
        return;
    s->is_broken = true;
    s->broken_errno = (uint8_t)errnum;
    drop_backlog(s);
    stream_read_start(s);
}

static size_t
iov_bytes(const struct iovec *iov, int count)
{
    size_t bytes = 0;

    for (int i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

/* Copies all of IOV but its first SKIP bytes to the backlog. */
static void
keep(struct stream *s, const struct iovec *iov, int count, size_t skip)
{
    struct stream_backlog *b = s->backlog;

    if (b == NULL) {
        b = mem_new(sizeof(*b));
        buf_init(&b->bytes);
        event_assign(&b->writable, s->loop->base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s);
        event_add(&b->writable, NULL);
        s->backlog = b;
    }
    (void)!buf_reserve(&b->bytes, iov_bytes(iov, count) - skip);
    for (int i = 0; i < count; i++) {
        size_t skip_here = skip < iov[i].iov_len ? skip : iov[i].iov_len;

        skip -= skip_here;
        buf_add(&b->bytes, slice_skip(slice_of(iov[i].iov_base, iov[i].iov_len), skip_here));
    }
    if (buf_len(&b->bytes) > STREAM_HIGH_BYTES)
        b->was_high = true;
}

/* One system call; what came of it, or -1 and errno. */
static ssize_t
send_batch(int fd, const struct iovec *iov, int count)
{
    struct msghdr message = { .msg_iovlen = (size_t)count };
    ssize_t n;

    memcpy(&message.msg_iov, &iov, sizeof(iov)); /* the kernel only reads it, but the field is not const */
    do
        n = count == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                       : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

void
stream_send_now(struct stream *s, const struct iovec *iov, int count)
{
    while (count > 0) {
        int batch = count < IOV_BATCH ? count : IOV_BATCH;
        size_t bytes = iov_bytes(iov, batch);
        size_t sent = 0;

        if (bytes > 0 && s->backlog == NULL) {
            ssize_t n = send_batch(s->fd, iov, batch);

            if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
                stream_break(s, errno);
                return;
            }
            sent = n < 0 ? 0 : (size_t)n;
        }
        if (sent < bytes) {
            keep(s, iov, count, sent);
            return;
        }
        iov += batch;
        count -= batch;
    }
}

void
stream_flush(struct stream *s)
{
    if (UNLIKELY(s->is_queued))
        outbox_flush_stream(&s->loop->outbox, s);
}

static void
send_or_keep(struct stream *s, const struct iovec *iov, int count)
{
    if (s->backlog == NULL && s->loop->is_in_turn &&
        outbox_try_add(&s->loop->outbox, s, iov, count, iov_bytes(iov, count)))
        return;
    stream_flush(s);
    stream_send_now(s, iov, count);
}

void
stream_sendv(struct stream *s, const struct iovec *iov, int count)
{
    if (s->fd < 0 || s->is_broken)
        return;
    if (s->tls != NULL)
        stream_tls_sendv(s, iov, count);
    else
        send_or_keep(s, iov, count);
}

/* Whether nobody else's input waits in this turn, as far as libevent knows. */
static bool
is_alone(const struct loop *loop)
{
    return event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE) == 0;
}

void
stream_sendv_last(struct stream *s, const struct iovec *iov, int count)
{
    struct loop *loop = s->loop;

    if (s->fd < 0 || s->is_broken)
        return;
    if (s->tls == NULL && loop->outbox.count == 0 && is_alone(loop)) {
        stream_send_now(s, iov, count);
        return;
    }
    stream_sendv(s, iov, count);
    if (loop->outbox.count > 0 && is_alone(loop))
        outbox_flush(&loop->outbox);
}

/* An iovec over bytes that are only read. */
static struct iovec
iovec_of(struct slice bytes)
{
    struct iovec iov = { .iov_len = bytes.len };

    memcpy(&iov.iov_base, &bytes.at, sizeof(bytes.at));
    return iov;
}

void
stream_send(struct stream *s, struct slice bytes)
{
    struct iovec iov = iovec_of(bytes);

    stream_sendv(s, &iov, 1);
}

void
stream_put(struct stream *s, struct slice bytes)
{
    struct iovec iov = iovec_of(bytes);

    if (!s->is_broken)
        send_or_keep(s, &iov, 1);
}

size_t
stream_backlog_bytes(const struct stream *s)
{
    return s->backlog == NULL ? 0 : buf_len(&s->backlog->bytes);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    struct stream_backlog *b = s->backlog;
    struct slice rest = buf_slice(&b->bytes);
    bool is_drained;
    ssize_t n;

    (void)what;
    loop_note_wake(s->loop);
    n = send(fd, rest.at, rest.len, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            stream_break(s, errno);
        return;
    }
    buf_drop(&b->bytes, (size_t)n);
    is_drained = b->was_high && buf_len(&b->bytes) <= STREAM_LOW_BYTES;
    if (is_drained)
        b->was_high = false;
    if (buf_len(&b->bytes) == 0)
        drop_backlog(s);
    if (is_drained)
        s->handler->on_drained(s->owner); /* S may be gone */
}

/* The end, and moving house. */

/* Takes S out of its loop; its descriptor stays open. */
static void
forget_loop(struct stream *s)
{
    if (s->loop == NULL)
        return;
    if (s->loop->current == s)
        s->loop->current = NULL;
    unwatch(s);
    s->loop = NULL;
}

void
stream_close(struct stream *s)
{
    if (s->fd < 0)
        return;
    if (s->tls != NULL)
        stream_tls_say_bye(s);
    stream_flush(s);
    stream_tls_free(s->tls);
    s->tls = NULL;
    drop_backlog(s);
    forget_loop(s);
    close(s->fd);
    s->fd = -1;
}

void
stream_half_close(struct stream *s)
{
    if (s->fd < 0 || s->is_ended)
        return;
    if (s->tls != NULL)
        stream_tls_say_bye(s);
    stream_flush(s);
    drop_backlog(s);
    (void)shutdown(s->fd, SHUT_WR);
    stream_read_start(s);
}

void
stream_close_gently(struct stream *s)
{
    struct buf pending;
    struct loop *loop = s->loop;
    int fd = s->fd;

    if (fd < 0)
        return;
    if (s->tls != NULL)
        stream_tls_say_bye(s);
    stream_flush(s);
    if (loop == NULL || s->is_broken || (s->is_ended && s->backlog == NULL)) {
        stream_close(s);
        return;
    }
    buf_init(&pending);
    if (s->backlog != NULL) {
        pending = s->backlog->bytes;
        buf_init(&s->backlog->bytes);
    }
    stream_tls_free(s->tls);
    s->tls = NULL;
    drop_backlog(s);
    forget_loop(s);
    s->fd = -1;
    parting_begin(loop, fd, &pending, s->is_ended);
}

bool
stream_can_move(struct stream *s)
{
    stream_flush(s);
    return s->fd >= 0 && s->loop != NULL && s->backlog == NULL && !s->is_broken && !s->is_ended &&
           (s->tls == NULL || stream_tls_can_move(s->tls));
}

void
stream_leave(struct stream *s)
{
    assert(stream_can_move(s));
    forget_loop(s);
}

void
stream_join(struct stream *s, struct loop *loop)
{
    assert(s->fd >= 0 && s->loop == NULL);
    s->loop = loop;
    event_assign(&s->readable, loop->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
    if (s->tls != NULL)
        stream_tls_join(s);
    if (s->is_reading)
        stream_read_start(s);
}

void
stream_ends(const struct stream *s, struct address *local, struct address *peer)
{
    local->len = sizeof local->at;
    if (s->fd < 0 || getsockname(s->fd, (struct sockaddr *)&local->at, &local->len) != 0)
        local->len = 0;
    peer->len = sizeof peer->at;
    if (s->fd < 0 || getpeername(s->fd, (struct sockaddr *)&peer->at, &peer->len) != 0)
        peer->len = 0;
}

bool
stream_peer_process(const struct stream *s, struct stream_process *out)
{
    struct ucred who;
    socklen_t len = sizeof who;

    /* Of a TCP socket the kernel knows neither, and says 0 and -1. */
    if (s->fd < 0 || getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || who.pid <= 0)
        return false;
    *out = (struct stream_process){ who.pid, who.uid };
    return true;
}

void
stream_peer_text(const struct stream *s, char *out, size_t size)
{
    struct address peer = { .len = sizeof(peer.at) };
    struct ucred who;
    socklen_t len = sizeof(who);

    if (s->fd < 0 || getpeername(s->fd, (struct sockaddr *)&peer.at, &peer.len) != 0)
        snprintf(out, size, "gone");
    else if (peer.at.ss_family != AF_UNIX)
        address_text(&peer, out, size);
    else if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid > 0)
        snprintf(out, size, "unix:%ld@", (long)who.pid);
    else
        snprintf(out, size, "unix");
}
