/* tcp.c - setsockopt(2). */
#include "pgweir/net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* VALUE, or what a new socket has where it is 0. */
static void
set_or_reset(int fd, int fresh, int option, int value)
{
    socklen_t len = sizeof(value);

    if (value == 0 && getsockopt(fresh, IPPROTO_TCP, option, &value, &len) != 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

void
tcp_set_offspring_options(int fd, const struct tcp_options *o)
{
    int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    int keepalive = o->keepalive;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, sizeof(keepalive));
    set_or_reset(fd, fresh, TCP_KEEPIDLE, o->keepidle_s);
    set_or_reset(fd, fresh, TCP_KEEPINTVL, o->keepintvl_s);
    set_or_reset(fd, fresh, TCP_KEEPCNT, o->keepcnt);
    set_or_reset(fd, fresh, TCP_USER_TIMEOUT, o->user_timeout_ms);
    set_number(fd, SOL_SOCKET, SO_SNDBUF, o->buffer_bytes);
    set_number(fd, SOL_SOCKET, SO_RCVBUF, o->buffer_bytes);
    if (fresh >= 0)
        close(fresh);
}
