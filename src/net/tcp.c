/* tcp.c - setsockopt(2). */
#include "pgweir/net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void
set_number(int fd, int level, int option, int value)
{
    if (value > 0)
        (void)setsockopt(fd, level, option, &value, sizeof(value));
}

void
tcp_set_options(int fd, const struct tcp_options *o)
{
    if (o->keepalive) {
        set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle_s);
        set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl_s);
        set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt);
    }
    set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms);
    set_number(fd, SOL_SOCKET, SO_SNDBUF, o->buffer_bytes);
    set_number(fd, SOL_SOCKET, SO_RCVBUF, o->buffer_bytes);
}
