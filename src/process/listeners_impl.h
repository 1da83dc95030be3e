/* listeners_impl.h - all the sockets that the configuration wants us to listen on. */
#ifndef PGWEIR_PROCESS_LISTENERS_IMPL_H
#define PGWEIR_PROCESS_LISTENERS_IMPL_H

#include "pgweir/config/settings.h"
#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"

#define LISTENERS_MOST 64u

struct listeners;

struct addresses {
    struct address at[LISTENERS_MOST];
    unsigned count;
};

/* What listen_addr means: addresses, names (through getaddrinfo(), which blocks: at start only), `*` for
 * all of IPv6 and IPv4. Each address once. One that this machine does not have, of several that `*` or a
 * name stands for, is left out. ERR_NOT_FOUND, ERR_LIMIT. */
MUST_CHECK enum err addresses_of(const char *listen_addr, unsigned port, struct addresses *out,
                                 struct error *why);

/* Opens all of them or none, and logs each; or, when a service manager has handed over INHERITED sockets
 * (SYSTEMD_FIRST_FD and those behind it), listens on these and on nothing else. ERR_CONFIG when there is
 * nothing to listen on; ERR_IO with the address, when it is in use for example. ON_ACCEPT owns its
 * descriptors and is called in the thread of LOOP. */
MUST_CHECK enum err listeners_new(struct loop *loop, const struct settings *settings, unsigned inherited,
                                  void (*on_accept)(void *arg, int fd, const struct address *peer), void *arg,
                                  struct listeners **out, struct error *why);
/* TCP options for connections accepted from now on. Any thread, as long as none is closed; NULL is fine. */
void listeners_reconfigure(struct listeners *l, const struct settings *settings);

/* All of these in the thread of their loop, or while that has none. */
void listeners_free(struct listeners *l); /* NULL is fine */
/* Those of TCP; Unix sockets stay. */
void listeners_close_tcp(struct listeners *l);
/* Connections queue in the kernel until listeners_let_go(). */
void listeners_hold(struct listeners *l);
void listeners_let_go(struct listeners *l);
/* From any other thread: WHAT is one of them, and is done before any letter that is posted later arrives. L may be NULL. */
void listeners_send(struct loop *loop, struct listeners *l, void (*what)(struct listeners *l));

/* From 0 on; false behind the last. Any thread, as long as none is closed. */
bool listeners_at(const struct listeners *l, unsigned i, int *fd, struct address *where);

#endif
