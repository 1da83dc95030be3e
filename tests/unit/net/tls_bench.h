/* tls_bench.h - two streams in one loop that speak TLS with each other. */
#ifndef PGWEIR_TESTS_NET_TLS_BENCH_H
#define PGWEIR_TESTS_NET_TLS_BENCH_H

#include "certs.h"
#include "net/tls_impl.h"
#include "peer.h"
#include "pgweir/net/tls.h"

/* a connects, b accepts. */
struct tls_bench {
    struct bench bench;
    struct peer *client, *server;
    struct tls_context *connecting, *accepting;
};

struct tls_params accept_params(void);
struct tls_params connect_params(void);
struct tls_context *accept_context(struct tls_params p);
struct tls_context *connect_context(struct tls_params p);
/* No handshake yet. */
void tls_bench_init_with(struct tls_bench *f, struct tls_params connecting, struct tls_params accepting);
void shake_hands(struct tls_bench *f, const char *server_name);
/* Both have been told that the handshake is over. */
void tls_bench_init(struct tls_bench *f);
void tls_bench_fini(struct tls_bench *f);
void send_text(struct peer *from, const char *text);
/* Everything that can go between the two, both ways. */
void talk(struct tls_bench *f);

#endif
