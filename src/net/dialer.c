/*
 * dialer.c - from a host's name to a connected descriptor.
 *
 *     BEGIN --name--> lookup --addresses--> try one --connected--------------------> on_connected
 *       +----IP address or Unix path------> |   ^  |
 *                                           |   +--+ refused, or its share of the time is over: the next
 *                                           +--none is left, or all time is over---> on_failed
 *
 * Every address gets an equal share of the time that is left, so that a dead first one does not use up all.
 * Everything happens in handlers of the loop: dial_start() only queues the first of them.
 */
#include "pgweir/net/dialer.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_impl.h"
#include "pgweir/base/mem.h"
#include "resolver_impl.h"

#define SHARE_GRAIN_US (50 * US_PER_MS)       /* shares are rounded to it, so that timers.h sees few delays */
#define FULL_SOCKET_PAUSE_US (10 * US_PER_MS) /* a Unix socket whose queue is full is tried again after it */

struct dial {
    struct loop *loop;
    struct resolver *resolver;
    struct dial_params params; /* host is ours */
    char *host;
    const struct dial_handler *handler;
    void *arg;
    uint64_t deadline_us; /* TIMERS_NEVER: none */
    struct timer limit;   /* for all of it */
    struct timer share;   /* for the address that is being tried, or the pause before it is tried again */
    struct lookup lookup;
    struct event ready; /* first the start, then the connecting socket */
    struct address *addresses;
    unsigned count;
    unsigned at; /* the address that is being tried */
    int fd;      /* connecting, or -1 */
    bool is_telling;
    struct error last; /* why the address before failed */
};

static void try_address(struct dial *d);

static void
drop_socket(struct dial *d)
{
    event_del(&d->ready);
    timer_cancel(&d->share);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

static void
dial_free(struct dial *d)
{
    drop_socket(d);
    timer_cancel(&d->limit);
    lookup_cancel(&d->lookup);
    free(d->addresses);
    free(d->host);
    free(d);
}

static void
fail(struct dial *d, const struct error *why)
{
    struct error told = *why;

    drop_socket(d);
    timer_cancel(&d->limit);
    lookup_cancel(&d->lookup);
    if (d->count > 0 && d->resolver != NULL)
        resolver_forget(d->resolver, d->host);
    d->is_telling = true;
    d->handler->on_failed(d->arg, &told);
    dial_free(d);
}

static void
succeed(struct dial *d)
{
    int fd = d->fd;

    d->fd = -1;
    event_del(&d->ready);
    timer_cancel(&d->share);
    timer_cancel(&d->limit);
    d->is_telling = true;
    d->handler->on_connected(d->arg, fd, &d->addresses[d->at]);
    dial_free(d);
}

/* The address at hand is no good for this reason; the next one has its turn. */
static void
give_up_address(struct dial *d, int errnum)
{
    char text[160];

    drop_socket(d);
    address_text(&d->addresses[d->at], text, sizeof(text));
    (void)error_set_errno(&d->last, errnum, "connect to %s", text);
    d->at++;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    int errnum = 0;
    socklen_t len = sizeof(errnum);

    (void)what;
    loop_note_wake(d->loop);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0)
        errnum = errno;
    if (errnum == 0) {
        succeed(d);
        return;
    }
    give_up_address(d, errnum);
    try_address(d);
}

static void
on_share_over(struct timer *timer)
{
    struct dial *d = CONTAINER_OF(timer, struct dial, share);

    if (d->fd >= 0)
        give_up_address(d, ETIMEDOUT);
    try_address(d);
}

/* The last address may use all the time that there is. */
static void
arm_share(struct dial *d)
{
    uint64_t now_us = loop_now_us(d->loop);
    uint64_t share_us;

    if (d->deadline_us == TIMERS_NEVER || d->at + 1 == d->count || d->deadline_us <= now_us)
        return;
    share_us = (d->deadline_us - now_us) / (d->count - d->at);
    loop_arm(d->loop, &d->share, share_us - share_us % SHARE_GRAIN_US + SHARE_GRAIN_US);
}

/* 0: connected. EINPROGRESS: wait. EAGAIN: the queue of a Unix socket is full. Else the reason. */
static int
begin_connect(struct dial *d)
{
    const struct address *to = &d->addresses[d->at];

    d->fd = socket(to->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0)
        return errno;
    if (to->at.ss_family != AF_UNIX)
        tcp_set_options(d->fd, &d->params.tcp);
    return connect(d->fd, (const struct sockaddr *)&to->at, to->len) == 0 ? 0 : errno;
}

static void
try_address(struct dial *d)
{
    while (d->at < d->count) {
        int result = begin_connect(d);

        switch (result) {
        case 0:
            succeed(d);
            return;
        case EINPROGRESS:
        case EINTR:
            event_assign(&d->ready, d->loop->base, d->fd, EV_WRITE, on_writable, d);
            event_add(&d->ready, NULL);
            arm_share(d);
            return;
        case EAGAIN:
            drop_socket(d);
            loop_arm(d->loop, &d->share, FULL_SOCKET_PAUSE_US);
            return;
        default:
            give_up_address(d, result);
        }
    }
    if (d->count > 1)
        (void)error_set(&d->last, d->last.code, "%s (the last of %u addresses of %s)", d->last.text, d->count,
                        d->host);
    fail(d, &d->last);
}

static void
on_limit_over(struct timer *timer)
{
    struct dial *d = CONTAINER_OF(timer, struct dial, limit);
    struct error why;
    unsigned long ms = (unsigned long)(d->params.timeout_us / US_PER_MS);

    if (d->count == 0)
        (void)error_set(&why, ERR_TIMEOUT, "looking up host \"%s\": no answer within %lu ms", d->host, ms);
    else if (d->last.code != ERR_NONE)
        (void)error_set(&why, ERR_TIMEOUT, "connect to %s port %u: not connected within %lu ms; before: %s",
                        d->host, d->params.port, ms, d->last.text);
    else
        (void)error_set(&why, ERR_TIMEOUT, "connect to %s port %u: no answer within %lu ms", d->host,
                        d->params.port, ms);
    fail(d, &why);
}

static void
set_port(struct address *a, uint16_t port)
{
    struct sockaddr_in *in = (void *)&a->at;
    struct sockaddr_in6 *in6 = (void *)&a->at;

    if (a->at.ss_family == AF_INET)
        in->sin_port = htons(port);
    else if (a->at.ss_family == AF_INET6)
        in6->sin6_port = htons(port);
}

static void
use_addresses(struct dial *d, const struct address *addresses, unsigned count)
{
    d->addresses = mem_grow(NULL, count, sizeof(*d->addresses));
    memcpy(d->addresses, addresses, count * sizeof(*d->addresses));
    d->count = count;
    for (unsigned i = 0; i < count; i++)
        set_port(&d->addresses[i], d->params.port);
    try_address(d);
}

static void
on_answer(struct lookup *l, const struct address *addresses, unsigned count, const struct error *why)
{
    struct dial *d = CONTAINER_OF(l, struct dial, lookup);

    if (count == 0)
        fail(d, why);
    else
        use_addresses(d, addresses, count);
}

static enum err
address_of_socket_in(struct address *out, const char *directory, uint16_t port, struct error *why)
{
    char *path = mem_format("%s/.s.PGSQL.%u", directory, port);
    enum err e = address_of_path(out, path, why);

    free(path);
    return e;
}

static void
on_begin(evutil_socket_t fd, short what, void *arg)
{
    struct dial *d = arg;
    struct address one;
    struct error why;

    (void)fd;
    (void)what;
    loop_note_wake(d->loop);
    if (d->host[0] == '/' || d->host[0] == '@') {
        if (address_of_socket_in(&one, d->host, d->params.port, &why) == ERR_NONE)
            use_addresses(d, &one, 1);
        else
            fail(d, &why);
    } else if (address_of_ip(&one, d->host, d->params.port)) {
        use_addresses(d, &one, 1);
    } else if (d->resolver != NULL && d->host[0] != '\0') {
        resolver_ask(d->resolver, d->host, &d->lookup);
    } else {
        (void)error_set(&why, ERR_NOT_FOUND, "host \"%s\" is not an address, and there is no resolver",
                        d->host);
        fail(d, &why);
    }
}

struct dial *
dial_start(struct loop *loop, struct resolver *resolver, const struct dial_params *params,
           const struct dial_handler *handler, void *arg)
{
    struct dial *d = mem_new(sizeof(*d));

    d->loop = loop;
    d->resolver = resolver;
    d->params = *params;
    d->host = mem_text(params->host);
    d->params.host = d->host;
    d->handler = handler;
    d->arg = arg;
    d->fd = -1;
    d->deadline_us = TIMERS_NEVER;
    timer_init(&d->limit, on_limit_over);
    timer_init(&d->share, on_share_over);
    lookup_init(&d->lookup, on_answer);
    if (params->timeout_us > 0) {
        d->deadline_us = loop_now_us(loop) + params->timeout_us;
        loop_arm(loop, &d->limit, params->timeout_us);
    }
    event_assign(&d->ready, loop->base, -1, 0, on_begin, d);
    event_active(&d->ready, EV_TIMEOUT, 0);
    return d;
}

void
dial_cancel(struct dial *d)
{
    if (d != NULL && !d->is_telling)
        dial_free(d);
}
