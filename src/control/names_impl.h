/*
 * names_impl.h - the hosts of a libpq connection as addresses. libpq would look names up with
 * getaddrinfo(), which blocks the loop; given `hostaddr` beside `host` it need not, and still checks the
 * certificate against the name.
 */
#ifndef PGWEIR_CONTROL_NAMES_IMPL_H
#define PGWEIR_CONTROL_NAMES_IMPL_H

#include "pgweir/base/err.h"
#include "pgweir/net/loop.h"

struct names_query;

struct names_answer { /* comma lists of equal length, for libpq's options of these names */
    const char *host;
    const char *hostaddr; /* an empty element: a Unix socket */
    const char *port;     /* "": libpq's default for all */
};

struct names_handler {
    void (*on_answer)(void *arg, const struct names_answer *answer); /* ANSWER dies with the call */
    void (*on_failure)(void *arg,
                       const struct error *why); /* ERR_NOT_FOUND: none of the hosts has an address */
};

/* HOSTS: comma list of names, addresses, directories; PORTS: as many, or one for all, or "". A name with
 * several addresses takes several places in the answer. Calls one handler, once, from the loop; the query
 * is gone when it returns. */
struct names_query *names_ask(struct loop *loop, const char *hosts, const char *ports,
                              const struct names_handler *handler, void *arg);
void names_cancel(struct names_query *q); /* NULL is fine */

#endif
