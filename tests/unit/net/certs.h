/* certs.h - certificates made for a test, in a directory of their own. */
#ifndef PGWEIR_TESTS_UNIT_NET_CERTS_H
#define PGWEIR_TESTS_UNIT_NET_CERTS_H

#include <openssl/x509.h>

struct cert {
    char cert_file[128];
    char key_file[128];
    X509 *x509; /* owned by certs */
    EVP_PKEY *key;
};

struct cert_wish {
    const char *name; /* of the files */
    const char *common_name;
    int common_name_len;       /* 0: strlen */
    const char *alt_names;     /* "DNS:db.test,IP:127.0.0.1" or NULL */
    const char *digest;        /* NULL: SHA256 */
    const struct cert *issuer; /* NULL: signs itself, and may sign others */
};

/* CERTS_DIR is made on first use and removed when the program ends. */
const char *certs_dir(void);
struct cert cert_new(const struct cert_wish *wish);
void cert_free(struct cert *c);

/* Made once: */
const struct cert *cert_ca(void);
const struct cert *
cert_server(void); /* by the CA; CN db.test, DNS:db.test, DNS:*.wild.test, IP:127.0.0.1, IP:::1 */
const struct cert *cert_client(void);   /* by the CA; CN app_user */
const struct cert *cert_stranger(void); /* signs itself; CN db.test, DNS:db.test */

#endif
