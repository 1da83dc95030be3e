/* tcp.h - what the kernel is asked to do for a TCP connection of ours, of clients and of servers alike. */
#ifndef PGWEIR_NET_TCP_H
#define PGWEIR_NET_TCP_H

#include <stdbool.h>

struct tcp_options { /* 0: the system's */
    bool keepalive;
    int keepidle_s, keepintvl_s, keepcnt;
    int user_timeout_ms;
    int buffer_bytes; /* of either direction */
};

/* FD is a TCP socket. What the kernel refuses stays as it was. */
void tcp_set_options(int fd, const struct tcp_options *o);
/* FD is a listening TCP socket: what it accepts from now on is born with these options and TCP_NODELAY, so
 * that no connection costs a system call for them. May be called again: an option that has become 0 is the
 * system's again, save buffer_bytes, which the kernel does not give back. Any thread. */
void tcp_set_offspring_options(int fd, const struct tcp_options *o);

#endif
