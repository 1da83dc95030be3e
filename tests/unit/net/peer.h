/* peer.h - a stream whose owner writes down what happens, and ways to let things happen. */
#ifndef PGWEIR_TESTS_UNIT_NET_PEER_H
#define PGWEIR_TESTS_UNIT_NET_PEER_H

#include "pgweir/base/buf.h"
#include "pgweir/base/clock.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/stream.h"

struct peer {
    struct stream stream;
    struct buf got; /* all bytes that on_bytes brought */
    unsigned bytes_calls;
    size_t largest_piece;
    unsigned drained_calls;
    unsigned tls_calls;
    unsigned closed_calls;
    bool has_why; /* what on_closed said */
    struct error why;
    /* Instead of only writing down; may be NULL. */
    void (*then_on_bytes)(struct peer *p, struct slice fresh);
    void (*then_on_drained)(struct peer *p);
    void (*then_on_tls)(struct peer *p);
    void (*then_on_closed)(struct peer *p);
    void *extra; /* the test's */
};

void peer_init(struct peer *p);
void peer_fini(struct peer *p); /* closes */
bool peer_got(const struct peer *p, const char *text);

/* Two connected descriptors: Unix stream sockets, or TCP over the loopback. Non-blocking. */
void pair_unix(int fds[2]);
void pair_tcp(int fds[2]);

/* A loop under a fake clock, and two peers connected through it. */
struct bench {
    struct clock clock;
    struct loop *loop;
    struct peer a, b;
};

void bench_init(struct bench *f);      /* a loop, and two peers that are not open */
void bench_init_unix(struct bench *f); /* both open and reading */
void bench_init_tcp(struct bench *f);
void bench_fini(struct bench *f);

/* Turns until nothing happens any more; gives the kernel's TCP some milliseconds to deliver. */
void settle(struct loop *loop);
/* Until *COUNT is not 0, or a second has passed. */
void turn_until(struct loop *loop, const unsigned *count);

/* Reads what is there from a raw descriptor into OUT; false at the end of file. */
bool raw_read(int fd, struct buf *out);
void raw_write(int fd, const char *text);
bool fd_is_open(int fd);

/* LEN bytes that tell by their value where they stand. */
uint8_t *pattern_new(size_t len);
bool is_pattern(struct slice bytes);

#endif
