/*
 * suspend.c - SUSPEND: everything stands still, without anybody being sent away.
 *
 *     house_suspend() -- a letter to each worker --> its loop reads no client and no server any more,
 *         its backlogs are sent --> letter home --> the last one: on_done()
 *     house_resume()  -- a letter to each worker --> reads them again
 *
 * Letters to one worker arrive in the order in which they were sent, so a worker knows at most one suspension.
 * Timers go on; a client whose time is over while it is suspended is told so.
 */
#include <stdlib.h>

#include "client_impl.h"
#include "pgweir/base/mem.h"
#include "server_impl.h"

#define LOOK_US (10 * US_PER_MS) /* at the backlogs */

struct hold { /* a worker's */
    struct worker *worker;
    struct timer look;
    uint64_t until_us;
    unsigned number;
};

struct order { /* to a worker, and, when it has sent everything, home again */
    struct letter letter;
    struct house *house;
    uint64_t limit_us;
    unsigned number;
};

/* --- in a worker --- */

static void
on_sent(struct letter *letter, void *recipient)
{
    struct order *o = CONTAINER_OF(letter, struct order, letter);
    struct house *h = o->house;
    bool is_last = h->suspension.is_on && h->suspension.number == o->number && --h->suspension.missing == 0;

    (void)recipient;
    free(o);
    if (is_last)
        h->suspension.on_done(h->suspension.arg);
}

static bool
has_backlog(const struct list *clients)
{
    LIST_EACH(clients, l) {
        if (stream_backlog_bytes(&CONTAINER_OF(l, struct client, in_worker)->stream) > 0)
            return true;
    }
    return false;
}

static bool
has_sent_all(const struct worker *w)
{
    if (has_backlog(&w->logins) || has_backlog(&w->clients))
        return false;
    LIST_EACH(&w->servers, l) {
        if (stream_backlog_bytes(&CONTAINER_OF(l, struct server, in_worker)->stream) > 0)
            return false;
    }
    return true;
}

static void
end_slow_clients(struct list *clients)
{
    LIST_EACH(clients, l) {
        struct client *c = CONTAINER_OF(l, struct client, in_worker);

        if (stream_backlog_bytes(&c->stream) > 0)
            client_end(c, END_SUSPENDED, NULL);
    }
}

/* Time is over. Ending one may end another. */
static void
end_slow_ones(struct worker *w)
{
    end_slow_clients(&w->logins);
    end_slow_clients(&w->clients);
    LIST_EACH(&w->servers, l) {
        struct server *s = CONTAINER_OF(l, struct server, in_worker);

        if (stream_backlog_bytes(&s->stream) > 0)
            server_end(s, LOG_NOTICE_LEVEL, "suspend_timeout");
    }
}

static void
on_look(struct timer *timer)
{
    struct hold *hold = CONTAINER_OF(timer, struct hold, look);
    struct worker *w = hold->worker;
    struct order *home;

    if (!has_sent_all(w)) {
        if (loop_now_us(w->loop) < hold->until_us) {
            loop_arm(w->loop, &hold->look, LOOK_US);
            return;
        }
        end_slow_ones(w);
    }
    home = mem_new(sizeof *home);
    home->letter.on_arrival = on_sent;
    home->house = w->house;
    home->number = hold->number;
    loop_post_surely(w->house->main_loop, &home->letter);
}

static void
on_suspend(struct letter *letter, void *recipient)
{
    struct order *o = CONTAINER_OF(letter, struct order, letter);
    struct worker *w = recipient;

    w->hold = mem_new(sizeof *w->hold);
    w->hold->worker = w;
    w->hold->number = o->number;
    w->hold->until_us = o->limit_us == 0 ? UINT64_MAX : loop_now_us(w->loop) + o->limit_us;
    timer_init(&w->hold->look, on_look);
    free(o);
    loop_hold(w->loop);
    on_look(&w->hold->look);
}

static void
read_clients_again(struct list *clients)
{
    LIST_EACH(clients, l) {
        stream_read_again(&CONTAINER_OF(l, struct client, in_worker)->stream);
    }
}

static void
on_resume(struct letter *letter, void *recipient)
{
    struct worker *w = recipient;

    free(CONTAINER_OF(letter, struct order, letter));
    timer_cancel(&w->hold->look);
    hold_free(w->hold);
    w->hold = NULL;
    loop_let_go(w->loop);
    read_clients_again(&w->logins);
    read_clients_again(&w->clients);
    LIST_EACH(&w->servers, l) {
        stream_read_again(&CONTAINER_OF(l, struct server, in_worker)->stream);
    }
}

void
hold_free(struct hold *hold)
{
    free(hold);
}

/* --- in the main thread --- */

static void
order_all(struct house *h, uint64_t limit_us, void (*on_arrival)(struct letter *letter, void *recipient))
{
    for (unsigned i = 0; i < h->worker_count; i++) {
        struct order *o = mem_new(sizeof *o);

        o->letter.on_arrival = on_arrival;
        o->house = h;
        o->limit_us = limit_us;
        o->number = h->suspension.number;
        loop_post_surely(h->workers[i].loop, &o->letter);
    }
}

bool
house_suspend(struct house *h, uint64_t limit_us, void (*on_done)(void *arg), void *arg)
{
    if (h->suspension.is_on)
        return false;
    h->suspension.is_on = true;
    h->suspension.number++;
    h->suspension.missing = h->worker_count;
    h->suspension.on_done = on_done;
    h->suspension.arg = arg;
    order_all(h, limit_us, on_suspend);
    return true;
}

bool
house_resume(struct house *h)
{
    if (!h->suspension.is_on)
        return false;
    h->suspension.is_on = false;
    order_all(h, 0, on_resume);
    return true;
}

bool
house_is_suspended(const struct house *h)
{
    return h->suspension.is_on;
}
