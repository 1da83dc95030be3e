/*
 * pending.c - lending and taking back.
 *
 *     Invariants: a pending that is not lent is in the worker's `spare_pending` or does not exist; the spare one is
 *     as new. A client that finds an idle server borrows it for a moment only, so in the steady state lending
 *     costs two pointers.
 */
#include "pending_impl.h"

static struct pending *
pending_new(struct worker *w)
{
    struct pending *p = slab_new(&w->pending_slab);

    waiter_init(&p->waiter);
    buf_init(&p->carry);
    return p;
}

struct pending *
pending_of(struct client *c)
{
    struct worker *w = c->worker;

    if (c->pending != NULL)
        return c->pending;
    c->pending = w->spare_pending != NULL ? w->spare_pending : pending_new(w);
    w->spare_pending = NULL;
    c->pending->client = c;
    return c->pending;
}

/* As new, but for its client. */
static void
give_back(struct client *c)
{
    struct worker *w = c->worker;
    struct pending *p = c->pending;

    c->pending = NULL;
    if (w->spare_pending == NULL)
        w->spare_pending = p;
    else
        slab_free(&w->pending_slab, p);
}

void
pending_tidy(struct client *c)
{
    struct pending *p = c->pending;

    if (p == NULL || buf_len(&p->carry) > 0 || waiter_is_waiting(&p->waiter))
        return;
    buf_release(&p->carry);
    give_back(c);
}

void
pending_free(struct client *c)
{
    if (c->pending == NULL)
        return;
    buf_wipe(&c->pending->carry);
    give_back(c);
}

void
pendings_fini(struct worker *w)
{
    slab_free(&w->pending_slab, w->spare_pending);
    slab_fini(&w->pending_slab);
}
