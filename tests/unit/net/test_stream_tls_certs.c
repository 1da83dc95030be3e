/* test_stream_tls_certs.c - whom a stream believes, and what it learns from certificates. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "tls_bench.h"

void suite_stream_tls_certs(void);

static void
a_certificate_by_a_stranger_is_refused_with_the_reason(void)
{
    struct tls_bench f;
    struct tls_params p = { .cert_file = cert_stranger()->cert_file, .key_file = cert_stranger()->key_file };

    tls_bench_init_with(&f, connect_params(), p);
    shake_hands(&f, "db.test");
    CU_ASSERT_EQUAL(f.client->tls_calls, 0);
    CU_ASSERT_EQUAL(f.client->closed_calls, 1);
    CU_ASSERT_EQUAL(f.client->why.code, ERR_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.client->why.text, "certificate verify failed: self-signed certificate"));
    CU_ASSERT_EQUAL(f.server->closed_calls, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.server->why.text, "unknown ca"));
    tls_bench_fini(&f);
}

static bool
is_welcome(enum tls_verify verify, const char *name, const struct cert *cert)
{
    struct tls_bench f;
    struct tls_params p = { .cert_file = cert->cert_file, .key_file = cert->key_file };
    struct tls_params q = connect_params();
    bool is_good;

    q.verify = verify;
    tls_bench_init_with(&f, q, p);
    shake_hands(&f, name);
    is_good = f.client->tls_calls == 1;
    if (!is_good)
        CU_ASSERT_PTR_NOT_NULL(strstr(f.client->why.text, "certificate verify failed"));
    tls_bench_fini(&f);
    return is_good;
}

static void
verify_full_compares_names_and_addresses(void)
{
    const struct cert *c = cert_server();

    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_FULL, "db.test", c));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_FULL, "DB.Test", c));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_FULL, "a.wild.test", c));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_FULL, "127.0.0.1", c));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_FULL, "::1", c));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, "other.test", c));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, "a.b.wild.test", c));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, "127.0.0.2", c));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, "db.test", cert_stranger()));
}

static void
verify_full_without_a_name_is_refused(void)
{
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, NULL, cert_server()));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_FULL, "", cert_server()));
}

static void
verify_ca_looks_at_the_issuer_only_and_none_at_nothing(void)
{
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_CA, "other.test", cert_server()));
    CU_ASSERT_FALSE(is_welcome(TLS_VERIFY_CA, "db.test", cert_stranger()));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_NONE, "other.test", cert_stranger()));
    CU_ASSERT_TRUE(is_welcome(TLS_VERIFY_NONE, NULL, cert_stranger()));
}

static void
the_server_name_is_sent_for_names_and_not_for_addresses(void)
{
    static const struct {
        const char *name, *sni;
    } rows[] = { { "db.test", "db.test" }, { "127.0.0.1", NULL }, { "::1", NULL } };

    for (size_t i = 0; i < 3; i++) {
        struct tls_bench f;
        const char *seen;

        tls_bench_init_with(&f, connect_params(), accept_params());
        shake_hands(&f, rows[i].name);
        CU_ASSERT_EQUAL_FATAL(f.server->tls_calls, 1);
        seen = SSL_get_servername(stream_tls_ssl(&f.server->stream), TLSEXT_NAMETYPE_host_name);
        CU_ASSERT_TRUE(rows[i].sni == NULL ? seen == NULL : seen != NULL && strcmp(seen, rows[i].sni) == 0);
        tls_bench_fini(&f);
    }
}

static struct tls_params
demanding_params(void)
{
    struct tls_params p = accept_params();

    p.ca_file = cert_ca()->cert_file;
    p.verify = TLS_VERIFY_CA;
    return p;
}

static struct tls_params
client_params(const struct cert *cert)
{
    struct tls_params p = connect_params();

    p.cert_file = cert->cert_file;
    p.key_file = cert->key_file;
    return p;
}

static void
a_client_certificate_gives_the_peer_a_name(void)
{
    struct tls_bench f;
    char name[64];

    tls_bench_init_with(&f, client_params(cert_client()), demanding_params());
    shake_hands(&f, "db.test");
    CU_ASSERT_TRUE_FATAL(stream_tls_peer_name(&f.server->stream, name, sizeof(name)));
    CU_ASSERT_STRING_EQUAL(name, "app_user");
    CU_ASSERT_FALSE(stream_tls_peer_name(&f.server->stream, name, strlen("app_user")));
    CU_ASSERT_TRUE(stream_tls_peer_name(&f.client->stream, name, sizeof(name)));
    CU_ASSERT_STRING_EQUAL(name, "db.test");
    tls_bench_fini(&f);
}

static void
a_name_with_a_nul_in_it_is_no_name(void)
{
    struct cert bad = cert_new(&(struct cert_wish){
        .name = "nul", .common_name = "app_user\0.evil", .common_name_len = 14, .issuer = cert_ca() });
    struct tls_bench f;
    char name[64];

    tls_bench_init_with(&f, client_params(&bad), demanding_params());
    shake_hands(&f, "db.test");
    CU_ASSERT_EQUAL(f.server->tls_calls, 1);
    CU_ASSERT_FALSE(stream_tls_peer_name(&f.server->stream, name, sizeof(name)));
    tls_bench_fini(&f);
    cert_free(&bad);
}

static void
a_certificate_that_nobody_checked_gives_no_name(void)
{
    struct tls_bench f;
    struct tls_params q = connect_params();
    char name[64];

    q.verify = TLS_VERIFY_NONE;
    tls_bench_init_with(&f, q, accept_params());
    shake_hands(&f, "db.test");
    CU_ASSERT_EQUAL(f.client->tls_calls, 1);
    CU_ASSERT_FALSE(stream_tls_peer_name(&f.client->stream, name, sizeof(name)));
    CU_ASSERT_FALSE(stream_tls_peer_name(&f.server->stream, name, sizeof(name)));
    tls_bench_fini(&f);
}

static void
a_client_without_a_certificate_or_with_a_strangers_is_sent_away(void)
{
    for (int i = 0; i < 2; i++) {
        struct tls_bench f;

        tls_bench_init_with(&f, i == 0 ? connect_params() : client_params(cert_stranger()),
                            demanding_params());
        shake_hands(&f, "db.test");
        CU_ASSERT_EQUAL(f.server->tls_calls, 0);
        CU_ASSERT_EQUAL(f.server->closed_calls, 1);
        CU_ASSERT_EQUAL(f.server->why.code, ERR_TLS);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.server->why.text,
                                      i == 0 ? "did not return a certificate" : "certificate verify failed"));
        CU_ASSERT_EQUAL(f.client->closed_calls, 1); /* with TLS 1.3 after its own on_tls */
        CU_ASSERT_EQUAL(f.client->why.code, ERR_TLS);
        tls_bench_fini(&f);
    }
}

static void
both_sides_compute_the_same_endpoint_hash(void)
{
    static const struct {
        const char *digest, *used;
    } rows[] = {
        { "SHA256", "SHA256" }, { "SHA384", "SHA384" }, { "SHA512", "SHA512" }, { "SHA1", "SHA256" }
    };

    for (size_t i = 0; i < 4; i++) {
        struct cert c = cert_new(&(struct cert_wish){
            .name = "endpoint", .common_name = "db.test", .digest = rows[i].digest, .issuer = cert_ca() });
        struct tls_params p = { .cert_file = c.cert_file,
                                .key_file = c.key_file,
                                .ciphers = "ALL:@SECLEVEL=0" };
        struct tls_params q = { .ciphers = "ALL:@SECLEVEL=0" };
        struct tls_bench f;
        uint8_t want[EVP_MAX_MD_SIZE], ours[64], theirs[64];
        unsigned len;

        X509_digest(c.x509, EVP_get_digestbyname(rows[i].used), want, &len);
        tls_bench_init_with(&f, q, p);
        shake_hands(&f, "db.test");
        CU_ASSERT_EQUAL_FATAL(f.client->tls_calls, 1);
        CU_ASSERT_EQUAL(stream_tls_endpoint(&f.server->stream, ours), len);
        CU_ASSERT_EQUAL(stream_tls_endpoint(&f.client->stream, theirs), len);
        CU_ASSERT_EQUAL(memcmp(ours, want, len), 0);
        CU_ASSERT_EQUAL(memcmp(theirs, want, len), 0);
        tls_bench_fini(&f);
        cert_free(&c);
    }
}

void
suite_stream_tls_certs(void)
{
    CU_pSuite suite = CU_add_suite("stream_tls_certs", NULL, NULL);

    CU_ADD_TEST(suite, a_certificate_by_a_stranger_is_refused_with_the_reason);
    CU_ADD_TEST(suite, verify_full_compares_names_and_addresses);
    CU_ADD_TEST(suite, verify_full_without_a_name_is_refused);
    CU_ADD_TEST(suite, verify_ca_looks_at_the_issuer_only_and_none_at_nothing);
    CU_ADD_TEST(suite, the_server_name_is_sent_for_names_and_not_for_addresses);
    CU_ADD_TEST(suite, a_client_certificate_gives_the_peer_a_name);
    CU_ADD_TEST(suite, a_name_with_a_nul_in_it_is_no_name);
    CU_ADD_TEST(suite, a_certificate_that_nobody_checked_gives_no_name);
    CU_ADD_TEST(suite, a_client_without_a_certificate_or_with_a_strangers_is_sent_away);
    CU_ADD_TEST(suite, both_sides_compute_the_same_endpoint_hash);
}
