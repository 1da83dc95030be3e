/*
 * dialer.h - one attempt to reach a host: resolve (evdns, never blocking), connect to each address in turn,
 * within a time. Answers through a handler, from the loop, exactly once unless cancelled.
 */
#ifndef PGWEIR_NET_DIALER_H
#define PGWEIR_NET_DIALER_H

#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/tcp.h"

struct dial;
struct resolver;

/* Names to addresses for one loop, with a small cache (answers kept TTL_US, failures NXDOMAIN_TTL_US).
 * /etc/hosts is honoured. */
struct resolver *resolver_new(struct loop *loop, uint64_t ttl_us, uint64_t nxdomain_ttl_us);
/* Instead of /etc/resolv.conf and /etc/hosts. Borrowed. */
void resolver_use_files(struct resolver *r, const char *resolv_conf, const char *hosts);
/* How long answers, and failures, are remembered from now on. */
void resolver_set_ttl(struct resolver *r, uint64_t ttl_us, uint64_t nxdomain_ttl_us);
/* Tells EACH every name that is known or has failed (COUNT 0) and how long that is believed. Returns how many questions are under way. */
unsigned resolver_look(const struct resolver *r,
                       void (*each)(void *arg, const char *name, uint64_t ttl_us,
                                    const struct address *addresses, unsigned count),
                       void *arg);
void resolver_free(struct resolver *r); /* after the dials that use it; NULL is fine */
/* Forgets what is cached for HOST: after a failed connect, so that a failover in DNS is seen at once. */
void resolver_forget(struct resolver *r, const char *host);

struct dial_params {
    const char *
        /* a name, an IP address, or a directory ("/run/postgresql") or '@name' for Unix sockets (file
         * .s.PGSQL.<port>) */
        host;
    uint16_t port;
    uint64_t timeout_us; /* resolving and connecting together; 0: none */
    struct tcp_options tcp;
};

struct dial_handler {
    void (*on_connected)(void *arg, int fd, const struct address *peer); /* arg owns fd */
    void (*on_failed)(void *arg,
                      const struct error *why); /* ERR_NOT_FOUND (no such host), ERR_IO, ERR_TIMEOUT */
};

/* PARAMS is copied. The dial frees itself after calling a handler; never calls one before dial_start() has
 * returned. RESOLVER may be NULL where HOST is never a name. When no address of a name can be reached, its
 * cached addresses are forgotten. */
struct dial *dial_start(struct loop *loop, struct resolver *resolver, const struct dial_params *params,
                        const struct dial_handler *handler, void *arg);
void dial_cancel(struct dial *d); /* no handler is called; NULL, and inside the handler, is fine */

#endif
