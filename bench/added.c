/*
 * added.c - what poolers add to the time of one client's transaction.
 *
 *     added direct=PORT LABEL=PORT… [seconds=S]     prints one line of name=value for each LABEL
 *
 * One thread holds one connection straight to the backend and one through each pooler, and does one
 * transaction on each in turn: direct, A, direct, B, direct, A, … So each transaction through a pooler has a
 * direct one next to it, within a millisecond, under whatever else the machine is doing; their difference is
 * what the pooler added. Single ones scatter widely (a sleeping process is woken four times instead of twice),
 * their median does not.
 *
 * What is told: done (pairs), added_us (median of the differences), p50_us and p99_us (through the pooler),
 * direct_us (median of its neighbours).
 *
 * Sockets block, so that no loop of ours stands between the clock and the wire. Nobody asks for a password.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/address.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/scan.h"

#define MOST_PATHS 16u
#define MOST_PAIRS (1u << 20)
#define WARM_UP 500u      /* pairs that are not counted */
#define MOST_SECONDS 300u /* the program ends after so long, whatever happens */

/* One way to the backend, and what its transactions took. */
struct path {
    const char *label;
    int fd;
    double *took_us;
    double *added_us;  /* over the neighbour */
    double *direct_us; /* the neighbour */
};

static struct path direct = { .label = "direct", .fd = -1 };
static struct path paths[MOST_PATHS];
static size_t path_count;
static struct buf request;

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "added: %s: %s\n", what, why);
    exit(1);
}

static double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
write_all(const struct path *p, struct slice bytes)
{
    if (send(p->fd, bytes.at, bytes.len, MSG_NOSIGNAL) !=
        (ssize_t)bytes.len) /* far less than a socket holds */
        fail(p->label, strerror(errno));
}

/* Reads until the server is ready for a query. */
static void
await_ready(const struct path *p)
{
    static const struct scan_rules rules = { .need = { ['Z'] = SCAN_WHOLE, ['E'] = SCAN_WHOLE } };
    static uint8_t bytes[65536];
    struct scanner scanner;
    struct slice in = slice_of(bytes, 0);
    struct scan_span span;

    scanner_init(&scanner, &rules, SCAN_MAX_BODY, sizeof(bytes) / 2);
    for (;;) {
        switch (scan_next(&scanner, &in, &span)) {
        case SCAN_MESSAGE:
            if (span.type == 'E')
                fail(p->label, "an error instead of an answer");
            if (span.type == 'Z')
                return;
            break;
        case SCAN_MORE: {
            size_t kept = in.len;
            ssize_t n;

            memmove(bytes, in.at, kept);
            n = recv(p->fd, bytes + kept, sizeof(bytes) - kept, 0);
            if (n <= 0)
                fail(p->label, n == 0 ? "end of file" : strerror(errno));
            in = slice_of(bytes, kept + (size_t)n);
            break;
        }
        case SCAN_BAD:
            fail(p->label, span.why);
            break;
        case SCAN_REST:
            break;
        }
    }
}

static void
path_open(struct path *p, const char *label, const char *port)
{
    static const struct startup_pair pairs[] = { { "user", "bench" }, { "database", "bench" } };
    struct address where;
    struct buf out;
    int on = 1;

    p->label = label;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!address_of_ip(&where, "127.0.0.1", (uint16_t)strtoul(port, NULL, 10)))
        fail(label, "no port");
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&where.at, where.len) != 0)
        fail(label, strerror(errno));
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    buf_init(&out);
    build_startup(&out, 0, pairs, COUNT_OF(pairs));
    write_all(p, buf_slice(&out));
    buf_release(&out);
    await_ready(p);
}

static double
transact_us(const struct path *p)
{
    double begin_us = now_us();

    write_all(p, buf_slice(&request));
    await_ready(p);
    return now_us() - begin_us;
}

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The value below which the share Q lies; sorts LIST. */
static double
quantile(double *list, size_t count, double q)
{
    qsort(list, count, sizeof(*list), compare);
    return list[(size_t)((double)(count - 1) * q)];
}

static void
report(struct path *p, size_t count)
{
    printf("pooler=%s done=%zu added_us=%.2f direct_us=%.2f p50_us=%.2f p99_us=%.2f\n", p->label, count,
           quantile(p->added_us, count, 0.5), quantile(p->direct_us, count, 0.5),
           quantile(p->took_us, count, 0.5), quantile(p->took_us, count, 0.99));
}

int
main(int argc, char **argv)
{
    double seconds = 1;
    double end_us;
    size_t count = 0;

    alarm(MOST_SECONDS);
    buf_init(&request);
    build_query(&request, "select 1");
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL)
            fail("not name=value", argv[i]);
        *value++ = '\0';
        if (strcmp(argv[i], "seconds") == 0)
            seconds = strtod(value, NULL);
        else if (strcmp(argv[i], "direct") == 0)
            path_open(&direct, "direct", value);
        else if (path_count == MOST_PATHS)
            fail("too many poolers", argv[i]);
        else
            path_open(&paths[path_count++], argv[i], value);
    }
    if (direct.fd < 0 || path_count == 0)
        fail("usage", "added direct=PORT LABEL=PORT… [seconds=S]");
    for (size_t i = 0; i < path_count; i++) {
        paths[i].took_us = mem_grow(NULL, MOST_PAIRS, sizeof(double));
        paths[i].added_us = mem_grow(NULL, MOST_PAIRS, sizeof(double));
        paths[i].direct_us = mem_grow(NULL, MOST_PAIRS, sizeof(double));
    }
    for (size_t i = 0; i < WARM_UP; i++)
        for (size_t k = 0; k < path_count; k++)
            (void)(transact_us(&direct) + transact_us(&paths[k]));
    end_us = now_us() + seconds * 1e6;
    while (count < MOST_PAIRS && now_us() < end_us) {
        for (size_t k = 0; k < path_count; k++) {
            struct path *p = &paths[(k + count) % path_count]; /* nobody is always the first */

            p->direct_us[count] = transact_us(&direct);
            p->took_us[count] = transact_us(p);
            p->added_us[count] = p->took_us[count] - p->direct_us[count];
        }
        count++;
    }
    for (size_t k = 0; k < path_count; k++)
        report(&paths[k], count);
    return 0;
}
