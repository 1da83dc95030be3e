/* resolver_impl.h - asking a resolver: what dialer.c and the tests need beyond dialer.h. */
#ifndef PGWEIR_NET_RESOLVER_IMPL_H
#define PGWEIR_NET_RESOLVER_IMPL_H

#include "pgweir/base/list.h"
#include "pgweir/net/dialer.h"

#define RESOLVER_MOST_ADDRESSES 16

/* One who waits for the addresses of a host. Embedded in the asker. */
struct lookup {
    struct link in_waiting; /* host->waiting, from the question to the answer */
    /* COUNT addresses with port 0, or 0 of them and WHY. Called inside resolver_ask() when the answer is
     * known. */
    void (*on_answer)(struct lookup *l, const struct address *addresses, unsigned count,
                      const struct error *why);
};

void lookup_init(struct lookup *l, void (*on_answer)(struct lookup *l, const struct address *addresses,
                                                     unsigned count, const struct error *why));
void lookup_cancel(struct lookup *l);
void resolver_ask(struct resolver *r, const char *host, struct lookup *l);

#endif
