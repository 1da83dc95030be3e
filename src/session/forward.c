/*
 * forward.c - see forward_impl.h.
 *
 *     requester --CancelRequest--> us --the same, one hop less--> peer, which closes when it is done
 *     requester <---- closed ----- us <--------- closed --------- peer
 *
 *     A forward outlives its requester, who may hang up: what was asked for is done all the same. It is held
 *     by the worker's list, and ends with cancel_wait_timeout at the latest.
 */
#include "forward_impl.h"

#include <stdlib.h>

#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/startup.h"
#include "worker_impl.h"

struct forward {
    struct link in_forwards; /* worker->forwards */
    struct worker *worker;
    struct client *requester; /* NULL: hung up */
    struct stream stream;
    struct dial *dial;
    struct timer timer;
    struct chore burial;
    struct buf request;
    unsigned peer;
};

static void
forward_bury(struct chore *chore)
{
    struct forward *f = CONTAINER_OF(chore, struct forward, burial);

    buf_wipe(&f->request);
    free(f);
}

/* Done, one way or the other. */
static void
forward_end(struct forward *f)
{
    struct client *requester = f->requester;

    dial_cancel(f->dial);
    f->dial = NULL;
    timer_cancel(&f->timer);
    stream_close(&f->stream);
    link_remove(&f->in_forwards);
    f->requester = NULL;
    loop_defer(f->worker->loop, &f->burial);
    if (requester != NULL) {
        requester->login->forward = NULL;
        client_end(requester, END_CANCEL_DONE, NULL);
    }
}

static void
complain(const struct forward *f, const char *why)
{
    log_line(LOG_WARNING_LEVEL, "a cancel request did not get through to peer %u: %s", f->peer, why);
}

static void
on_bytes(void *owner, struct slice fresh)
{
    (void)fresh; /* nothing is ever said to a CancelRequest */
    forward_end(owner);
}

static void
on_drained(void *owner)
{
    (void)owner;
}

static void
on_closed(void *owner, const struct error *why)
{
    if (why != NULL)
        complain(owner, why->text);
    forward_end(owner);
}

static void
on_due(struct timer *timer)
{
    struct forward *f = CONTAINER_OF(timer, struct forward, timer);

    complain(f, "cancel_wait_timeout");
    forward_end(f);
}

static void
on_connected(void *arg, int fd, const struct address *peer)
{
    struct forward *f = arg;

    (void)peer;
    f->dial = NULL;
    stream_open(&f->stream, f->worker->loop, fd);
    stream_read_start(&f->stream);
    stream_send(&f->stream, buf_slice(&f->request));
}

static void
on_failed(void *arg, const struct error *why)
{
    struct forward *f = arg;

    f->dial = NULL;
    complain(f, why->text);
    forward_end(f);
}

void
forward_cancel(struct client *requester, const struct peer *peer, uint32_t pid, struct slice secret)
{
    static const struct stream_handler stream_handler = { .on_bytes = on_bytes,
                                                          .on_drained = on_drained,
                                                          .on_closed = on_closed };
    static const struct dial_handler dial_handler = { .on_connected = on_connected, .on_failed = on_failed };
    struct worker *w = requester->worker;
    uint64_t timeout_us = worker_settings(w)->cancel_wait_timeout_us;
    struct dial_params params = { .host = peer->host,
                                  .port = (uint16_t)peer->port,
                                  .timeout_us = timeout_us };
    struct forward *f = mem_new(sizeof *f);

    f->worker = w;
    f->requester = requester;
    f->peer = peer->id;
    requester->login->forward = f;
    stream_init(&f->stream, &stream_handler, f);
    timer_init(&f->timer, on_due);
    f->burial.run = forward_bury;
    link_init(&f->in_forwards);
    list_push_last(&w->forwards, &f->in_forwards);
    buf_init(&f->request);
    build_cancel_request(&f->request, pid, secret);
    if (timeout_us > 0)
        loop_arm(w->loop, &f->timer, timeout_us);
    f->dial = dial_start(w->loop, w->resolver, &params, &dial_handler, f);
}

void
forward_requester_gone(struct client *requester)
{
    if (requester->login->forward != NULL)
        requester->login->forward->requester = NULL;
    requester->login->forward = NULL;
}

void
forward_end_all(struct worker *w)
{
    for (struct link *l; (l = list_first(&w->forwards)) != NULL;)
        forward_end(CONTAINER_OF(l, struct forward, in_forwards));
}

void
forward_each(const struct worker *w, void (*each)(void *arg, unsigned peer, bool is_connected), void *arg)
{
    LIST_EACH(&w->forwards, l) {
        const struct forward *f = CONTAINER_OF(l, struct forward, in_forwards);

        each(arg, f->peer, f->dial == NULL);
    }
}
