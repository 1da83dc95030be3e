/* tls_impl.h - the inside of a TLS context, for stream_tls.c. */
#ifndef PGWEIR_NET_TLS_IMPL_H
#define PGWEIR_NET_TLS_IMPL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/base/map.h"
#include "pgweir/net/tls.h"

struct tls_context {
    SSL_CTX *ssl_ctx;
    atomic_uint holders;
    enum tls_verify verify;
    struct {
        pthread_mutex_t lock;
        struct map by_key; /* struct kept_session; connecting side only */
    } _sessions;           /* by any thread, under its lock */
};

/* The session kept under KEY, or NULL; SSL_SESSION_free() it. A TLS 1.3 session is given out once only
 * (RFC 8446, appendix C.4). */
SSL_SESSION *tls_take_session(struct tls_context *c, const char *key);
/* Adopts SESSION as the one to resume under KEY. */
void tls_keep_session(struct tls_context *c, const char *key, SSL_SESSION *session);

struct stream;
SSL *stream_tls_ssl(const struct stream *s); /* NULL until the handshake ended; for tests */

/* ERR_TLS: "<doing>: <OpenSSL's first reason>", and for a certificate that was not accepted "<doing>:
 * certificate verify failed: <why>". Empties OpenSSL's error queue. SSL may be NULL. */
enum err tls_error(struct error *why, const SSL *ssl, const char *doing);

#endif
