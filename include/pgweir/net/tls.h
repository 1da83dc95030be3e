/*
 * tls.h - one SSL_CTX per configuration, reference counted, shared by threads. Built and checked whole before
 * use, so a reload with bad files keeps the old one.
 */
#ifndef PGWEIR_NET_TLS_H
#define PGWEIR_NET_TLS_H

#include <stdbool.h>

#include "pgweir/base/err.h"

struct tls_context;

enum tls_verify {
    TLS_VERIFY_NONE,    /* encrypt only (allow, prefer, require) */
    TLS_VERIFY_OFFERED, /* accepting: a client certificate is asked for; who has none may come in, one that the CA file does not vouch for not */
    TLS_VERIFY_CA,      /* the chain must lead to the CA file; accepting: a client certificate is demanded */
    TLS_VERIFY_FULL,    /* connecting: the name must match too; accepting: the same as VERIFY_CA */
};

struct tls_params { /* "" or NULL: not given */
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *protocols; /* "secure", "all", "legacy" or a list of tlsv1.0 … tlsv1.3, as in PgBouncer */
    const char *ciphers;   /* TLS 1.2 and older; "default", "secure", … or an OpenSSL list */
    const char *ciphersuites; /* TLS 1.3 */
    const char *ecdhcurve;    /* "auto", "none" or a name */
    enum tls_verify verify;
    bool is_without_dhe; /* accepting: no finite-field Diffie-Hellman */
};

/* Accepting side: cert and key are required; session tickets on; ALPN `postgresql` is chosen when offered,
 * and a client that offers others only is refused (PostgreSQL 17). Connecting side: SNI always for names,
 * session resumption (the last session of each endpoint is kept, one lock). A CA file is required for
 * all but VERIFY_NONE. ERR_TLS, ERR_NOT_FOUND, ERR_CONFIG with the file's name in *WHY. */
MUST_CHECK enum err tls_context_new_accept(const struct tls_params *params, struct tls_context **out,
                                           struct error *why);
MUST_CHECK enum err tls_context_new_connect(const struct tls_params *params, struct tls_context **out,
                                            struct error *why);
struct tls_context *tls_context_hold(struct tls_context *c); /* NULL is fine */
void tls_context_drop(struct tls_context *c);

#endif
