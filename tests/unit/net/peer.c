/* peer.c - see peer.h. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

static void
on_bytes(void *owner, struct slice fresh)
{
    struct peer *p = owner;

    p->bytes_calls++;
    if (fresh.len > p->largest_piece)
        p->largest_piece = fresh.len;
    buf_add(&p->got, fresh);
    if (p->then_on_bytes != NULL)
        p->then_on_bytes(p, fresh);
}

static void
on_drained(void *owner)
{
    struct peer *p = owner;

    p->drained_calls++;
    if (p->then_on_drained != NULL)
        p->then_on_drained(p);
}

static void
on_closed(void *owner, const struct error *why)
{
    struct peer *p = owner;

    p->closed_calls++;
    p->has_why = why != NULL;
    if (why != NULL)
        p->why = *why;
    if (p->then_on_closed != NULL)
        p->then_on_closed(p);
}

static void
on_tls(void *owner)
{
    struct peer *p = owner;

    p->tls_calls++;
    if (p->then_on_tls != NULL)
        p->then_on_tls(p);
}

static const struct stream_handler handler = { on_bytes, on_drained, on_closed, on_tls };

void
peer_init(struct peer *p)
{
    *p = (struct peer){ .why = { .code = ERR_NONE } };
    stream_init(&p->stream, &handler, p);
    buf_init(&p->got);
}

void
peer_fini(struct peer *p)
{
    stream_close(&p->stream);
    buf_release(&p->got);
}

bool
peer_got(const struct peer *p, const char *text)
{
    return slice_is(buf_slice(&p->got), text);
}

void
pair_unix(int fds[2])
{
    int room = 2 * (int)LOOP_READ_BYTES; /* for more than one read of the other side */

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

void
pair_tcp(int fds[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listening, 1) != 0 ||
        getsockname(listening, (struct sockaddr *)&at, &len) != 0 ||
        connect(fds[0], (struct sockaddr *)&at, len) != 0)
        abort();
    fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fds[1] < 0)
        abort();
    close(listening);
    for (int i = 0; i < 2; i++)
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
}

void
bench_init(struct bench *f)
{
    struct error why;

    f->clock = clock_fake(US_PER_S);
    f->loop = loop_new(&f->clock, NULL, &why);
    if (f->loop == NULL)
        abort();
    peer_init(&f->a);
    peer_init(&f->b);
}

static void
open_both(struct bench *f, const int fds[2])
{
    stream_open(&f->a.stream, f->loop, fds[0]);
    stream_open(&f->b.stream, f->loop, fds[1]);
    stream_read_start(&f->a.stream);
    stream_read_start(&f->b.stream);
}

void
bench_init_unix(struct bench *f)
{
    int fds[2];

    bench_init(f);
    pair_unix(fds);
    open_both(f, fds);
}

void
bench_init_tcp(struct bench *f)
{
    int fds[2];

    bench_init(f);
    pair_tcp(fds);
    open_both(f, fds);
}

void
bench_fini(struct bench *f)
{
    peer_fini(&f->a);
    peer_fini(&f->b);
    loop_free(f->loop);
}

static void
nap(void)
{
    struct timespec ms = { .tv_nsec = 1000000 };

    nanosleep(&ms, NULL);
}

void
settle(struct loop *loop)
{
    for (int quiet = 0, i = 0; quiet < 3 && i < 100000; i++) {
        if (loop_turn(loop)) {
            quiet = 0;
        } else {
            quiet++;
            nap();
        }
    }
}

void
turn_until(struct loop *loop, const unsigned *count)
{
    for (int i = 0; *count == 0 && i < 1000; i++)
        if (!loop_turn(loop))
            nap();
}

bool
raw_read(int fd, struct buf *out)
{
    for (;;) {
        ssize_t n = recv(fd, buf_reserve(out, 65536), 65536, MSG_DONTWAIT);

        if (n == 0)
            return false;
        if (n < 0)
            return errno == EAGAIN;
        buf_commit(out, (size_t)n);
    }
}

void
raw_write(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        abort();
}

bool
fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static uint8_t
pattern_byte(size_t at)
{
    return (uint8_t)(at ^ at >> 8 ^ at >> 16);
}

uint8_t *
pattern_new(size_t len)
{
    uint8_t *at = mem_grow(NULL, len, 1);

    for (size_t i = 0; i < len; i++)
        at[i] = pattern_byte(i);
    return at;
}

bool
is_pattern(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] != pattern_byte(i))
            return false;
    return true;
}
