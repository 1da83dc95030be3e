#include <CUnit/CUnit.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs.h"
#include "net/tls_impl.h"
#include "pgweir/net/tls.h"

void suite_tls(void);

static struct tls_params
server_params(void)
{
    return (struct tls_params){ .cert_file = cert_server()->cert_file, .key_file = cert_server()->key_file };
}

/* What a context made of P says, or "fine". */
static const char *
accept_verdict(struct tls_params p, enum err want)
{
    static struct error why;
    struct tls_context *untouched = (struct tls_context *)(void *)&why;
    struct tls_context *c = untouched;
    enum err e = tls_context_new_accept(&p, &c, &why);

    CU_ASSERT_EQUAL(e, want);
    if (e != ERR_NONE) {
        CU_ASSERT_PTR_EQUAL(c, untouched);
        CU_ASSERT_EQUAL(why.code, e);
        return why.text;
    }
    tls_context_drop(c);
    return "fine";
}

static const char *
connect_verdict(struct tls_params p, enum err want)
{
    static struct error why;
    struct tls_context *c;
    enum err e = tls_context_new_connect(&p, &c, &why);

    CU_ASSERT_EQUAL(e, want);
    if (e != ERR_NONE)
        return why.text;
    tls_context_drop(c);
    return "fine";
}

static void
says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fprintf(stderr, "\n\"%s\" does not say \"%s\"\n", text, part);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

static void
a_certificate_and_its_key_make_a_context(void)
{
    says(accept_verdict(server_params(), ERR_NONE), "fine");
}

static void
the_connecting_side_needs_no_files(void)
{
    says(connect_verdict((struct tls_params){ .ca_file = "", .protocols = "" }, ERR_NONE), "fine");
}

static void
the_accepting_side_needs_both_files(void)
{
    struct tls_params p = server_params();

    p.cert_file = "";
    says(accept_verdict(p, ERR_CONFIG), "certificate");
    p = server_params();
    p.key_file = NULL;
    says(accept_verdict(p, ERR_CONFIG), "key");
}

static void
a_file_that_is_not_there_is_named(void)
{
    struct tls_params p = server_params();

    p.cert_file = "/nowhere/server.crt";
    says(accept_verdict(p, ERR_NOT_FOUND), "/nowhere/server.crt");
    p = server_params();
    p.key_file = "/nowhere/server.key";
    says(accept_verdict(p, ERR_NOT_FOUND), "/nowhere/server.key");
    says(connect_verdict((struct tls_params){ .ca_file = "/nowhere/ca.crt", .verify = TLS_VERIFY_CA },
                         ERR_NOT_FOUND),
         "/nowhere/ca.crt");
}

static void
verification_needs_a_ca_file(void)
{
    struct tls_params p = server_params();

    p.verify = TLS_VERIFY_CA;
    says(accept_verdict(p, ERR_CONFIG), "CA file");
    says(connect_verdict((struct tls_params){ .verify = TLS_VERIFY_FULL }, ERR_CONFIG), "CA file");
    p.ca_file = cert_ca()->cert_file;
    says(accept_verdict(p, ERR_NONE), "fine");
}

static void
a_file_without_a_certificate_is_named_with_openssls_reason(void)
{
    struct tls_params p = server_params();

    p.cert_file = cert_server()->key_file;
    says(accept_verdict(p, ERR_TLS), cert_server()->key_file);
    says(accept_verdict(p, ERR_TLS), "no start line");
}

static void
a_key_of_another_certificate_is_refused(void)
{
    struct tls_params p = server_params();

    p.key_file = cert_client()->key_file;
    says(accept_verdict(p, ERR_TLS), "key values mismatch");
}

static void
a_key_behind_a_passphrase_is_refused_and_asks_nobody(void)
{
    struct tls_params p = server_params();
    char file[160];
    BIO *out;

    snprintf(file, sizeof(file), "%s/locked.key", certs_dir());
    out = BIO_new_file(file, "w");
    CU_ASSERT_EQUAL_FATAL(
        PEM_write_bio_PKCS8PrivateKey(out, cert_server()->key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL),
        1);
    BIO_free(out);
    p.key_file = file;
    says(accept_verdict(p, ERR_TLS), "locked.key");
}

static void
protocol_words_set_the_range_of_versions(void)
{
    static const struct {
        const char *words;
        int least, most;
    } rows[] = {
        { NULL, TLS1_2_VERSION, TLS1_3_VERSION },
        { "", TLS1_2_VERSION, TLS1_3_VERSION },
        { "secure", TLS1_2_VERSION, TLS1_3_VERSION },
        { "all", TLS1_VERSION, TLS1_3_VERSION },
        { "legacy", TLS1_VERSION, TLS1_3_VERSION },
        { "tlsv1.3", TLS1_3_VERSION, TLS1_3_VERSION },
        { "TLSv1.2", TLS1_2_VERSION, TLS1_2_VERSION },
        { "tlsv1.2, tlsv1.3", TLS1_2_VERSION, TLS1_3_VERSION },
        { "tlsv1.1:tlsv1.2", TLS1_1_VERSION, TLS1_2_VERSION },
        { "all,!tlsv1.0", TLS1_1_VERSION, TLS1_3_VERSION },
        { "!tlsv1.0", TLS1_1_VERSION, TLS1_3_VERSION },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_params p = { .protocols = rows[i].words };
        struct tls_context *c;
        struct error why;

        CU_ASSERT_EQUAL_FATAL(tls_context_new_connect(&p, &c, &why), ERR_NONE);
        CU_ASSERT_EQUAL(SSL_CTX_get_min_proto_version(c->ssl_ctx), rows[i].least);
        CU_ASSERT_EQUAL(SSL_CTX_get_max_proto_version(c->ssl_ctx), rows[i].most);
        tls_context_drop(c);
    }
}

static void
a_hole_in_the_range_of_versions_is_closed_too(void)
{
    struct tls_params p = { .protocols = "tlsv1.0,tlsv1.1,tlsv1.3" };
    struct tls_context *c;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_connect(&p, &c, &why), ERR_NONE);
    CU_ASSERT_TRUE((SSL_CTX_get_options(c->ssl_ctx) & SSL_OP_NO_TLSv1_2) != 0);
    CU_ASSERT_TRUE((SSL_CTX_get_options(c->ssl_ctx) & SSL_OP_NO_TLSv1_1) == 0);
    tls_context_drop(c);
}

static void
a_wrong_word_is_told(void)
{
    says(connect_verdict((struct tls_params){ .protocols = "tlsv1.2,sslv3" }, ERR_CONFIG), "\"sslv3\"");
    says(connect_verdict((struct tls_params){ .protocols = "tlsv1.2,!tlsv1.2" }, ERR_CONFIG),
         "no TLS protocol");
    says(connect_verdict((struct tls_params){ .protocols = "," }, ERR_CONFIG), "no TLS protocol");
    says(connect_verdict((struct tls_params){ .ciphers = "ROT13" }, ERR_CONFIG), "ROT13");
    says(connect_verdict((struct tls_params){ .ciphersuites = "ROT13" }, ERR_CONFIG), "ROT13");
    says(connect_verdict((struct tls_params){ .ecdhcurve = "ellipse" }, ERR_CONFIG), "ellipse");
}

static void
cipher_and_curve_words_are_understood(void)
{
    static const char *const ciphers[] = {
        "default", "secure", "fast", "normal", "all", "HIGH:!aNULL", "ECDHE-RSA-AES128-GCM-SHA256"
    };
    static const char *const curves[] = { "auto", "none", "prime256v1", "X25519" };

    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
        says(connect_verdict((struct tls_params){ .ciphers = ciphers[i] }, ERR_NONE), "fine");
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        says(connect_verdict((struct tls_params){ .ecdhcurve = curves[i] }, ERR_NONE), "fine");
    says(connect_verdict((struct tls_params){ .ciphersuites = "TLS_AES_256_GCM_SHA384" }, ERR_NONE), "fine");
}

static void
a_held_context_outlives_its_maker(void)
{
    struct tls_params p = server_params();
    struct tls_context *c;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_accept(&p, &c, &why), ERR_NONE);
    CU_ASSERT_PTR_EQUAL(tls_context_hold(c), c);
    tls_context_drop(c);
    CU_ASSERT_PTR_NOT_NULL(SSL_CTX_get0_certificate(c->ssl_ctx));
    tls_context_drop(c);
    CU_ASSERT_PTR_NULL(tls_context_hold(NULL));
    tls_context_drop(NULL);
}

static void
the_store_of_sessions_keeps_the_newest_of_each_key_and_has_a_bound(void)
{
    struct tls_params p = { .ca_file = NULL };
    struct tls_context *c;
    struct error why;
    SSL_SESSION *a = SSL_SESSION_new(), *b = SSL_SESSION_new(), *got;
    char key[32];

    CU_ASSERT_EQUAL_FATAL(tls_context_new_connect(&p, &c, &why), ERR_NONE);
    SSL_SESSION_set_protocol_version(a, TLS1_2_VERSION);
    SSL_SESSION_set_protocol_version(b, TLS1_3_VERSION);
    CU_ASSERT_PTR_NULL(tls_take_session(c, "x"));
    tls_keep_session(c, "x", a);
    for (int i = 0; i < 2; i++) {
        got = tls_take_session(c, "x");
        CU_ASSERT_PTR_EQUAL(got, a); /* TLS 1.2: again and again */
        SSL_SESSION_free(got);
    }
    tls_keep_session(c, "x", b);
    got = tls_take_session(c, "x");
    CU_ASSERT_PTR_EQUAL(got, b);
    SSL_SESSION_free(got);
    CU_ASSERT_PTR_NULL(tls_take_session(c, "x")); /* TLS 1.3: once */
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "host%d", i);
        tls_keep_session(c, key, SSL_SESSION_new());
    }
    CU_ASSERT_TRUE(c->_sessions.by_key.count <= 1024);
    tls_context_drop(c);
}

void
suite_tls(void)
{
    CU_pSuite suite = CU_add_suite("tls", NULL, NULL);

    CU_ADD_TEST(suite, a_certificate_and_its_key_make_a_context);
    CU_ADD_TEST(suite, the_connecting_side_needs_no_files);
    CU_ADD_TEST(suite, the_accepting_side_needs_both_files);
    CU_ADD_TEST(suite, a_file_that_is_not_there_is_named);
    CU_ADD_TEST(suite, verification_needs_a_ca_file);
    CU_ADD_TEST(suite, a_file_without_a_certificate_is_named_with_openssls_reason);
    CU_ADD_TEST(suite, a_key_of_another_certificate_is_refused);
    CU_ADD_TEST(suite, a_key_behind_a_passphrase_is_refused_and_asks_nobody);
    CU_ADD_TEST(suite, protocol_words_set_the_range_of_versions);
    CU_ADD_TEST(suite, a_hole_in_the_range_of_versions_is_closed_too);
    CU_ADD_TEST(suite, a_wrong_word_is_told);
    CU_ADD_TEST(suite, cipher_and_curve_words_are_understood);
    CU_ADD_TEST(suite, a_held_context_outlives_its_maker);
    CU_ADD_TEST(suite, the_store_of_sessions_keeps_the_newest_of_each_key_and_has_a_bound);
}
