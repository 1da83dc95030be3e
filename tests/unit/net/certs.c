/* certs.c - see certs.h. */
#include "certs.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static void
need(int is_good)
{
    if (!is_good)
        abort();
}

static void
remove_dir(void)
{
    DIR *d = opendir(dir);

    need(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        (void)unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

const char *
certs_dir(void)
{
    if (dir[0] != '\0')
        return dir;
    strcpy(dir, "/tmp/pgweir-certs-XXXXXX");
    need(mkdtemp(dir) != NULL);
    atexit(remove_dir);
    return dir;
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *ext;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static void
write_files(struct cert *c, const struct cert_wish *wish)
{
    BIO *f;

    snprintf(c->cert_file, sizeof(c->cert_file), "%s/%s.crt", certs_dir(), wish->name);
    snprintf(c->key_file, sizeof(c->key_file), "%s/%s.key", certs_dir(), wish->name);
    f = BIO_new_file(c->cert_file, "w");
    need(f != NULL && PEM_write_bio_X509(f, c->x509) == 1);
    BIO_free(f);
    f = BIO_new_file(c->key_file, "w");
    need(f != NULL && PEM_write_bio_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL) == 1);
    BIO_free(f);
}

struct cert
cert_new(const struct cert_wish *wish)
{
    static long serial = 1;
    struct cert c = { .x509 = X509_new(), .key = EVP_EC_gen("P-256") };
    const struct cert *issuer = wish->issuer != NULL ? wish->issuer : &c;
    X509_NAME *name = X509_get_subject_name(c.x509);

    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), 3600);
    X509_set_pubkey(c.x509, c.key);
    need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)wish->common_name,
                                    wish->common_name_len > 0 ? wish->common_name_len : -1, -1, 0));
    X509_set_issuer_name(c.x509, X509_get_subject_name(issuer->x509));
    add_extension(c.x509, issuer->x509, NID_basic_constraints,
                  wish->issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->alt_names != NULL)
        add_extension(c.x509, issuer->x509, NID_subject_alt_name, wish->alt_names);
    need(X509_sign(c.x509, issuer->key,
                   EVP_get_digestbyname(wish->digest != NULL ? wish->digest : "SHA256")) > 0);
    write_files(&c, wish);
    return c;
}

void
cert_free(struct cert *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
}

static struct cert made[4];

static void
free_made(void)
{
    for (int i = 0; i < 4; i++)
        cert_free(&made[i]);
}

static const struct cert *
made_once(int at, const struct cert_wish *wish)
{
    if (made[at].x509 == NULL) {
        if (at == 0)
            atexit(free_made);
        made[at] = cert_new(wish);
    }
    return &made[at];
}

const struct cert *
cert_ca(void)
{
    return made_once(0, &(struct cert_wish){ .name = "ca", .common_name = "pgweir test CA" });
}

const struct cert *
cert_server(void)
{
    return made_once(1, &(struct cert_wish){ .name = "server",
                                             .common_name = "db.test",
                                             .alt_names = "DNS:db.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1",
                                             .issuer = cert_ca() });
}

const struct cert *
cert_client(void)
{
    return made_once(2,
                     &(struct cert_wish){ .name = "client", .common_name = "app_user", .issuer = cert_ca() });
}

const struct cert *
cert_stranger(void)
{
    return made_once(
        3, &(struct cert_wish){ .name = "stranger", .common_name = "db.test", .alt_names = "DNS:db.test" });
}
