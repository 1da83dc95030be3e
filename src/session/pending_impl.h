/*
 * pending_impl.h - what a client has asked for and not got: its place in a line, and the input that nobody has
 * worked on yet. An idle client has none of it, so it has no room for it either: there is a struct pending only
 * while there is something in it.
 */
#ifndef PGWEIR_SESSION_PENDING_IMPL_H
#define PGWEIR_SESSION_PENDING_IMPL_H

#include "client_impl.h"

struct pending {
    struct waiter waiter; /* queued exactly while WAITING or WELCOME */
    struct buf carry;     /* input that cannot be worked on yet */
    struct client *client;
};

/* C's, made when it has none. */
struct pending *pending_of(struct client *c);
/* Takes it away if there is nothing in it: to be called whenever a wait is over or input was worked on. What lay in
 * the carry is not wiped. */
void pending_tidy(struct client *c);
void pending_free(struct client *c); /* whatever is in it, wiped; not while it is in a line */
void pendings_fini(struct worker *w);

static inline size_t
pending_bytes(const struct client *c)
{
    return c->pending == NULL ? 0 : buf_len(&c->pending->carry);
}

static inline struct slice
pending_input(const struct client *c)
{
    return c->pending == NULL ? slice_of(NULL, 0) : buf_slice(&c->pending->carry);
}

static inline bool
pending_is_waiting(const struct client *c)
{
    return c->pending != NULL && waiter_is_waiting(&c->pending->waiter);
}

static inline struct client *
client_of_waiter(struct waiter *w)
{
    return CONTAINER_OF(w, struct pending, waiter)->client;
}

#endif
