/* listener.h - a listening socket whose accepted descriptors go to a handler. Lives in one loop. */
#ifndef PGWEIR_NET_LISTENER_H
#define PGWEIR_NET_LISTENER_H

#include <sys/types.h>

#include "pgweir/base/attr.h"
#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/tcp.h"

struct listener;

struct listener_params {
    int backlog;
    bool tcp_defer_accept;
    bool reuse_port;
    mode_t unix_mode;       /* Unix sockets: chmod after bind */
    const char *unix_group; /* name or number; NULL: leave */
    struct tcp_options tcp; /* of the connections that it accepts */
};

/* Binds and listens. A stale Unix socket file (nobody answers) is replaced, a live one is "in use".
 * ON_ACCEPT gets descriptors, non-blocking, close-on-exec and, where they are TCP, with TCP_NODELAY and
 * params->tcp, and owns them. On EMFILE/ENFILE accepting
 * pauses 100 ms and is logged by ON_TROUBLE. */
MUST_CHECK enum err listener_new(struct loop *loop, const struct address *where,
                                 const struct listener_params *params,
                                 void (*on_accept)(void *arg, int fd, const struct address *peer),
                                 void (*on_trouble)(void *arg, const struct error *why), void *arg,
                                 struct listener **out, struct error *why);
/* The same over a socket that already listens (socket activation, take-over), with options TCP. It adopts FD when it
 * succeeds; the file of a Unix socket is not its to unlink. */
MUST_CHECK enum err listener_adopt(struct loop *loop, int fd, const struct tcp_options *tcp,
                                   void (*on_accept)(void *arg, int fd, const struct address *peer),
                                   void (*on_trouble)(void *arg, const struct error *why), void *arg,
                                   struct listener **out, struct error *why);
/* For connections accepted from now on. Any thread. */
void listener_set_tcp(struct listener *l, const struct tcp_options *tcp);
int listener_fd(const struct listener *l); /* for handing it to another process */
/* As bound: with the port that the kernel chose for port 0. */
const struct address *listener_address(const struct listener *l);

void listener_pause(struct listener *l); /* connections queue in the kernel */
void listener_resume(struct listener *l);
void listener_free(struct listener *l); /* closes; unlinks its Unix socket; NULL is fine */

#endif
