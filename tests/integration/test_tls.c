/*
 * test_tls.c - TLS on both sides: every sslmode, direct TLS, and what must be refused before the handshake.
 */

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pgweir/wire/startup.h"
#include "raw.h"

void suite_tls(void);

#define CLIENT_FILES                             \
    "client_tls_cert_file = $PGDIR/pgweir.crt\n" \
    "client_tls_key_file = $PGDIR/pgweir.key\n"  \
    "client_tls_ca_file = $PGDIR/ca.crt\n"

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){ .settings = "client_tls_sslmode = prefer\n" CLIENT_FILES });
}

static const char *
certificate(void)
{
    return text("sslcert=%s/cert_user.crt sslkey=%s/cert_user.key", pg_main()->dir, pg_main()->dir);
}

/* --- clients --- */

/* Whether a client with these words of conninfo gets an answer: "plain", "TLS", or why not. */
static const char *
come_in(const struct weir *w, const char *conninfo)
{
    PGconn *c = dial(weir_port(w), "%s", conninfo);
    const char *how = dial_error(c);

    if (how[0] == '\0' && strcmp(ask(c, "select 1"), "1") == 0)
        how = PQsslInUse(c) ? "TLS" : "plain";
    PQfinish(c);
    return how;
}

static void
expect_modes(const char *settings, const char *plain, const char *tls, const char *tls_with_certificate)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = settings });

    CONTAINS(come_in(w, "sslmode=disable"), plain);
    CONTAINS(come_in(w, "sslmode=require"), tls);
    CONTAINS(come_in(w, text("sslmode=require %s", certificate())), tls_with_certificate);
}

static void
tls_is_off_when_it_is_disabled(void)
{
    expect_modes("client_tls_sslmode = disable\n" CLIENT_FILES, "plain", "does not support SSL",
                 "does not support SSL");
}

static void
tls_is_optional_when_it_is_allowed_or_preferred(void)
{
    expect_modes("client_tls_sslmode = allow\n" CLIENT_FILES, "plain", "TLS", "TLS");
    expect_modes("client_tls_sslmode = prefer\n" CLIENT_FILES, "plain", "TLS", "TLS");
}

static void
tls_is_demanded_when_it_is_required(void)
{
    expect_modes("client_tls_sslmode = require\n" CLIENT_FILES, "SSL required", "TLS", "TLS");
}

static void
a_client_certificate_is_demanded_when_it_is_verified(void)
{
    expect_modes("client_tls_sslmode = verify-ca\n" CLIENT_FILES, "SSL required", "certificate", "TLS");
    expect_modes("client_tls_sslmode = verify-full\n" CLIENT_FILES, "SSL required", "certificate", "TLS");
}

static void
databases_and_users_may_ask_for_more_than_the_rest(void)
{
#define APP "host=127.0.0.1 port=$PORT dbname=app "
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "client_tls_sslmode = prefer\n" CLIENT_FILES,
        .databases = "app = " APP "\nsafe = " APP "client_tls_sslmode=require\n"
                     "known = " APP "client_tls_sslmode=verify-full\n",
        .users = "analytics_user = client_tls_sslmode=require\n",
    });

    CONTAINS(come_in(w, "dbname=app sslmode=disable"), "plain");
    CONTAINS(come_in(w, "dbname=safe sslmode=disable"), "SSL required");
    CONTAINS(come_in(w, "dbname=safe sslmode=require"), "TLS");
    CONTAINS(come_in(w, "dbname=known sslmode=disable"), "SSL required");
    CONTAINS(come_in(w, "dbname=known sslmode=require"), "client certificate");
    CONTAINS(come_in(w, text("dbname=known sslmode=require %s", certificate())), "TLS");
    CONTAINS(come_in(w, "user=analytics_user password=analytics_user_pw sslmode=disable"), "SSL required");
    CONTAINS(come_in(w, "user=analytics_user password=analytics_user_pw sslmode=require"), "TLS");
}

static void
a_certificate_of_a_stranger_is_refused(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "client_tls_sslmode = verify-ca\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n"
                    "client_tls_ca_file = $PGDIR/other_ca.crt\n",
    });
    const char *how = come_in(w, text("sslmode=require %s", certificate()));

    CU_ASSERT(strcmp(how, "TLS") != 0);
    SAYS(come_in(weir(), text("sslmode=require %s", certificate())), "TLS");
}

static void
clients_can_verify_pgweir(void)
{
    const char *ca = text("sslrootcert=%s/ca.crt", pg_main()->dir);
    const char *other_ca = text("sslrootcert=%s/other_ca.crt", pg_main()->dir);

    SAYS(come_in(weir(), text("sslmode=verify-full host=localhost hostaddr=127.0.0.1 %s", ca)), "TLS");
    CONTAINS(come_in(weir(), text("sslmode=verify-full %s", other_ca)), "certificate verify failed");
}

static void
clients_can_bind_their_login_to_the_channel(void)
{
    SAYS(come_in(weir(), "sslmode=require channel_binding=require"), "TLS");
    SAYS(come_in(weir(), "sslmode=require channel_binding=disable"), "TLS");
}

static void
old_protocols_are_refused(void)
{
    CU_ASSERT(strcmp(come_in(weir(), "sslmode=require ssl_min_protocol_version=TLSv1 "
                                     "ssl_max_protocol_version=TLSv1.1"),
                     "TLS") != 0);
    SAYS(come_in(weir(), "sslmode=require ssl_max_protocol_version=TLSv1.2"), "TLS");
    SAYS(come_in(weir(), "sslmode=require ssl_min_protocol_version=TLSv1.3"), "TLS");
}

static void
large_messages_pass_through_tls(void)
{
    PGconn *c = dial(weir_port(weir()), "sslmode=require");
    const char *value = "x";

    SAYS(ask(c, "select length(repeat('0123456789', 1000000))"), "10000000");
    PGresult *r = PQexecParams(c, "select repeat($1, 20000000)", 1, NULL, &value, NULL, NULL, 0);
    CU_ASSERT_EQUAL(PQgetlength(r, 0, 0), 20000000);
    PQclear(r);
    PQfinish(c);
}

/* --- the first bytes --- */

static struct raw *
ask_for(const struct weir *w, uint32_t code)
{
    struct raw *r = raw_dial(weir_port(w));
    uint8_t packet[8];

    put_be32(packet, sizeof packet);
    put_be32(packet + 4, code);
    CU_ASSERT(raw_send(r, slice_of(packet, sizeof packet)));
    return r;
}
#define SSL_REQUEST 80877103u
#define GSSENC_REQUEST 80877104u

static void
direct_tls_is_accepted(void)
{
    struct raw *r = raw_dial(weir_port(weir()));

    CU_ASSERT(raw_start_tls(r, "postgresql"));
    SAYS(raw_chosen_alpn(r), "postgresql");
    CU_ASSERT(raw_login(r, "app_user", "app", "app_user_pw"));
    raw_close(r);
}

static void
another_protocol_on_direct_tls_is_refused(void)
{
    struct raw *r = raw_dial(weir_port(weir()));

    CU_ASSERT(!raw_start_tls(r, "http/1.1") || raw_is_closed(r));
    raw_close(r);
    SAYS(come_in(weir(), "sslmode=require"), "TLS");
}

static void
direct_tls_is_closed_where_tls_is_off(void)
{
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "client_tls_sslmode = disable\n" CLIENT_FILES });
    struct raw *r = raw_dial(weir_port(w));

    CU_ASSERT_FALSE(raw_start_tls(r, "postgresql"));
    raw_close(r);
    SAYS(come_in(w, "sslmode=disable"), "plain");
}

static void
gss_encryption_is_declined_and_the_login_goes_on(void)
{
    struct raw *plain = ask_for(weir(), GSSENC_REQUEST);
    struct raw *tls = ask_for(weir(), GSSENC_REQUEST);
    struct buf out = { 0 };

    CU_ASSERT_EQUAL(raw_byte(plain), 'N');
    CU_ASSERT(raw_login(plain, "app_user", "app", "app_user_pw"));

    CU_ASSERT_EQUAL(raw_byte(tls), 'N');
    build_ssl_request(&out);
    CU_ASSERT(raw_send_buf(tls, &out));
    CU_ASSERT_EQUAL(raw_byte(tls), 'S');
    CU_ASSERT(raw_start_tls(tls, NULL));
    CU_ASSERT(raw_login(tls, "app_user", "app", "app_user_pw"));
    raw_close(plain);
    raw_close(tls);
}

static void
a_second_request_for_tls_is_refused(void)
{
    struct raw *r = ask_for(weir(), SSL_REQUEST);
    struct buf out = { 0 };

    CU_ASSERT_EQUAL(raw_byte(r), 'S');
    CU_ASSERT(raw_start_tls(r, NULL));
    build_ssl_request(&out);
    raw_send_buf(r, &out);
    CU_ASSERT(raw_is_closed(r));
    raw_close(r);
}

static void
clear_text_behind_a_request_for_tls_is_refused(void)
{
    static const uint32_t codes[] = { SSL_REQUEST, GSSENC_REQUEST };

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct raw *r = raw_dial(weir_port(weir()));
        struct buf out = { 0 };

        buf_add_be32(&out, 8);
        buf_add_be32(&out, codes[i]);
        build_startup(&out, 0, (const struct startup_pair[]){ { "user", "app_user" }, { "database", "app" } },
                      2);
        CU_ASSERT(raw_send_buf(r, &out));
        CU_ASSERT(raw_is_closed(r));
        CU_ASSERT(strchr(raw_heard(r), 'R') == NULL); /* the smuggled packet was not obeyed */
        raw_close(r);
    }
    EVENTUALLY(weir_logged(weir(), "unencrypted data after"));
}

/* --- servers --- */

/* Whether pgweir's server connections use TLS under these settings: "t", "f", or why there is none. */
static const char *
server_tls(const char *settings, const char *databases)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = settings, .databases = databases });
    PGconn *c = weir_dial(w);
    const char *how = dial_error(c);

    if (how[0] == '\0')
        how = ask(c, "select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    PQfinish(c);
    return how;
}
#define GIVE_UP_SOON "query_wait_timeout = 1s\nserver_connections = 10\n"

static void
server_connections_use_tls_as_told(void)
{
    SAYS(server_tls("server_tls_sslmode = disable\n", NULL), "f");
    SAYS(server_tls("server_tls_sslmode = allow\n", NULL), "t");
    SAYS(server_tls("server_tls_sslmode = prefer\n", NULL), "t");
    SAYS(server_tls("server_tls_sslmode = require\n", NULL), "t");
}

static void
the_certificate_of_the_server_is_verified(void)
{
    SAYS(server_tls("server_tls_sslmode = verify-ca\nserver_tls_ca_file = $PGDIR/ca.crt\n", NULL), "t");
    CONTAINS(
        server_tls("server_tls_sslmode = verify-ca\nserver_tls_ca_file = $PGDIR/other_ca.crt\n" GIVE_UP_SOON,
                   NULL),
        "certificate verify failed");
}

static void
the_name_of_the_server_is_verified(void)
{
#define VERIFY_FULL "server_tls_sslmode = verify-full\nserver_tls_ca_file = $PGDIR/ca.crt\n"

    SAYS(server_tls(VERIFY_FULL, "app = host=127.0.0.1 port=$PORT\n"), "t");
    SAYS(server_tls(VERIFY_FULL, "app = host=localhost port=$PORT\n"), "t");
    CONTAINS(server_tls(VERIFY_FULL GIVE_UP_SOON, "app = host=127.0.0.2 port=$PORT\n"),
             "certificate verify failed");
#undef VERIFY_FULL
    SAYS(server_tls("server_tls_sslmode = verify-ca\nserver_tls_ca_file = $PGDIR/ca.crt\n",
                    "app = host=127.0.0.2 port=$PORT\n"),
         "t"); /* verify-ca does not look at names */
}

static void
pgweir_shows_its_certificate_to_the_server(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "auth_type = trust\n"
                    "server_connections = 10\n"
                    "server_tls_sslmode = require\n"
                    "server_tls_cert_file = $PGDIR/cert_user.crt\n"
                    "server_tls_key_file = $PGDIR/cert_user.key\n",
    });
    PGconn *c = weir_dial_as(w, "cert_user");

    SAYS(ask(c, "select client_dn from pg_stat_ssl where pid = pg_backend_pid()"), "/CN=cert_user");
    PQfinish(c);
}

static const char *
database_tls(struct weir *w, const char *database)
{
    PGconn *c = dial(weir_port(w), "dbname=%s", database);
    const char *how = dial_error(c);

    if (how[0] == '\0')
        how = ask(c, "select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    PQfinish(c);
    return how;
}

static void
each_database_may_have_its_own_tls(void)
{
#define PLACE "host=127.0.0.1 port=$PORT dbname=app "
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "server_tls_sslmode = require\n" GIVE_UP_SOON,
        .databases = "app = " PLACE "\n"
                     "plain = " PLACE "server_tls_sslmode=disable\n"
                     "sure = " PLACE "server_tls_sslmode=verify-ca server_tls_ca_file=$PGDIR/ca.crt\n"
                     "unsure = " PLACE
                     "server_tls_sslmode=verify-ca server_tls_ca_file=$PGDIR/other_ca.crt\n",
    });

    SAYS(database_tls(w, "app"), "t");
    SAYS(database_tls(w, "plain"), "f");
    SAYS(database_tls(w, "sure"), "t");
    CONTAINS(database_tls(w, "unsure"), "certificate verify failed");
    SAYS(database_tls(w, "app"), "t");
}

static const struct test_case cases[] = {
    TEST(tls_is_off_when_it_is_disabled),
    TEST(tls_is_optional_when_it_is_allowed_or_preferred),
    TEST(tls_is_demanded_when_it_is_required),
    TEST(a_client_certificate_is_demanded_when_it_is_verified),
    TEST(databases_and_users_may_ask_for_more_than_the_rest),
    TEST(a_certificate_of_a_stranger_is_refused),
    TEST(clients_can_verify_pgweir),
    TEST(clients_can_bind_their_login_to_the_channel),
    TEST(old_protocols_are_refused),
    TEST(large_messages_pass_through_tls),
    TEST(direct_tls_is_accepted),
    TEST(another_protocol_on_direct_tls_is_refused),
    TEST(direct_tls_is_closed_where_tls_is_off),
    TEST(gss_encryption_is_declined_and_the_login_goes_on),
    TEST(a_second_request_for_tls_is_refused),
    TEST(clear_text_behind_a_request_for_tls_is_refused),
    TEST(server_connections_use_tls_as_told),
    TEST(the_certificate_of_the_server_is_verified),
    TEST(the_name_of_the_server_is_verified),
    TEST(pgweir_shows_its_certificate_to_the_server),
    TEST(each_database_may_have_its_own_tls),
};

void
suite_tls(void)
{
    SUITE("TLS", cases);
}
