/*
 * parting.c - closing without losing the last words.
 *
 *     SENDING --all sent--> half-close --> WAITING --peer's end of file, error or STREAM_LINGER_US--> closed
 *
 * close(2) with unread input makes the kernel send a reset, and a reset makes the peer's kernel drop what the
 * peer has not read yet: our error message. So input is read and dropped until the peer has closed its side.
 */
#include "parting_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/stream.h"

struct parting {
    struct link in_partings; /* loop->partings */
    struct loop *loop;
    struct timer patience;
    struct event ready;
    struct buf pending;
    int fd;
    bool is_peer_done;
};

static void
parting_free(struct parting *p)
{
    link_remove(&p->in_partings);
    timer_cancel(&p->patience);
    event_del(&p->ready);
    buf_release(&p->pending);
    close(p->fd);
    free(p);
}

static void
on_patience_over(struct timer *timer)
{
    parting_free(CONTAINER_OF(timer, struct parting, patience));
}

static bool
is_passing(int errnum)
{
    return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

/* False when the connection is of no use any more. */
static bool
send_pending(struct parting *p)
{
    struct slice rest = buf_slice(&p->pending);
    ssize_t n = send(p->fd, rest.at, rest.len, MSG_NOSIGNAL);

    if (n < 0)
        return is_passing(errno);
    buf_drop(&p->pending, (size_t)n);
    if (buf_len(&p->pending) == 0)
        shutdown(p->fd, SHUT_WR);
    return true;
}

static bool
drop_input(struct parting *p)
{
    ssize_t n = recv(p->fd, p->loop->read_buf, LOOP_READ_BYTES, 0);

    if (n == 0)
        p->is_peer_done = true;
    return n >= 0 || is_passing(errno);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void
watch(struct parting *p)
{
    short wanted = EV_PERSIST;

    if (!p->is_peer_done)
        wanted |= EV_READ;
    if (buf_len(&p->pending) > 0)
        wanted |= EV_WRITE;
    event_assign(&p->ready, p->loop->base, p->fd, wanted, on_ready, p);
    event_add(&p->ready, NULL);
}

static bool
is_over(const struct parting *p)
{
    return p->is_peer_done && buf_len(&p->pending) == 0;
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct parting *p = arg;
    bool was_pending = buf_len(&p->pending) > 0;
    bool was_peer_done = p->is_peer_done;

    (void)fd;
    loop_note_wake(p->loop);
    if (((what & EV_READ) != 0 && !drop_input(p)) || ((what & EV_WRITE) != 0 && !send_pending(p)) ||
        is_over(p)) {
        parting_free(p);
        return;
    }
    if (was_pending != (buf_len(&p->pending) > 0) || was_peer_done != p->is_peer_done) {
        event_del(&p->ready);
        watch(p);
    }
}

void
parting_begin(struct loop *loop, int fd, struct buf *pending, bool is_peer_done)
{
    struct parting *p = mem_new(sizeof(*p));

    p->loop = loop;
    p->fd = fd;
    p->pending = *pending;
    p->is_peer_done = is_peer_done;
    buf_init(pending);
    list_push_last(&loop->partings, &p->in_partings);
    timer_init(&p->patience, on_patience_over);
    loop_arm(loop, &p->patience, STREAM_LINGER_US);
    if (buf_len(&p->pending) == 0)
        shutdown(fd, SHUT_WR);
    watch(p);
}

void
partings_end(struct loop *loop)
{
    LIST_EACH(&loop->partings, l)
        parting_free(CONTAINER_OF(l, struct parting, in_partings));
}
