#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs.h"
#include "net/tls_impl.h"
#include "peer.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/tls.h"

void suite_stream_tls(void);

#define MANY_BYTES (3u * 1024u * 1024u)
#define TLS13_OVERHEAD 22u /* header, content type, tag */

/* a connects, b accepts. */
struct tls_bench {
    struct bench bench;
    struct peer *client, *server;
    struct tls_context *connecting, *accepting;
};

static struct tls_params
accept_params(void)
{
    return (struct tls_params){ .cert_file = cert_server()->cert_file, .key_file = cert_server()->key_file };
}

static struct tls_params
connect_params(void)
{
    return (struct tls_params){ .ca_file = cert_ca()->cert_file, .verify = TLS_VERIFY_FULL };
}

static struct tls_context *
accept_context(struct tls_params p)
{
    struct tls_context *c = NULL;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_accept(&p, &c, &why), ERR_NONE);
    return c;
}

static struct tls_context *
connect_context(struct tls_params p)
{
    struct tls_context *c = NULL;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(tls_context_new_connect(&p, &c, &why), ERR_NONE);
    return c;
}

static void
tls_bench_init_with(struct tls_bench *f, struct tls_params connecting, struct tls_params accepting)
{
    bench_init_unix(&f->bench);
    f->client = &f->bench.a;
    f->server = &f->bench.b;
    f->connecting = connect_context(connecting);
    f->accepting = accept_context(accepting);
}

static void
shake_hands(struct tls_bench *f, const char *server_name)
{
    stream_start_tls_accept(&f->server->stream, f->accepting, slice_of(NULL, 0));
    stream_start_tls_connect(&f->client->stream, f->connecting, server_name, "10.0.0.1:5432");
    settle(f->bench.loop);
}

static void
tls_bench_init(struct tls_bench *f)
{
    tls_bench_init_with(f, connect_params(), accept_params());
    shake_hands(f, "db.test");
    CU_ASSERT_EQUAL_FATAL(f->client->tls_calls, 1);
    CU_ASSERT_EQUAL_FATAL(f->server->tls_calls, 1);
}

static void
tls_bench_fini(struct tls_bench *f)
{
    bench_fini(&f->bench);
    tls_context_drop(f->connecting);
    tls_context_drop(f->accepting);
}

static void
send_text(struct peer *from, const char *text)
{
    stream_send(&from->stream, slice_of_text(text));
}

/* Everything that can go between the two, both ways. */
static void
talk(struct tls_bench *f)
{
    size_t had_client = buf_len(&f->client->got), had_server = buf_len(&f->server->got);

    send_text(f->client, "question");
    settle(f->bench.loop);
    send_text(f->server, "answer");
    settle(f->bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f->server->got), had_server + strlen("question"));
    CU_ASSERT_EQUAL(buf_len(&f->client->got), had_client + strlen("answer"));
}

static void
a_handshake_is_told_to_both_and_then_bytes_go_both_ways(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    CU_ASSERT_TRUE(stream_is_tls(&f.client->stream));
    CU_ASSERT_STRING_EQUAL(stream_tls_version(&f.client->stream), "TLSv1.3");
    CU_ASSERT_STRING_EQUAL(stream_tls_version(&f.server->stream), "TLSv1.3");
    CU_ASSERT_PTR_NOT_NULL(strstr(stream_tls_cipher(&f.server->stream), "TLS_"));
    talk(&f);
    CU_ASSERT_EQUAL(f.client->closed_calls + f.server->closed_calls, 0);
    tls_bench_fini(&f);
}

static void
a_plain_stream_has_no_tls_facts(void)
{
    struct bench f;
    uint8_t hash[64];
    char name[64];

    bench_init_unix(&f);
    CU_ASSERT_FALSE(stream_is_tls(&f.a.stream));
    CU_ASSERT_PTR_NULL(stream_tls_version(&f.a.stream));
    CU_ASSERT_PTR_NULL(stream_tls_cipher(&f.a.stream));
    CU_ASSERT_EQUAL(stream_tls_endpoint(&f.a.stream, hash), 0);
    CU_ASSERT_FALSE(stream_tls_peer_name(&f.a.stream, name, sizeof(name)));
    bench_fini(&f);
}

static void
tls_1_2_works_too(void)
{
    struct tls_bench f;
    struct tls_params p = accept_params();

    p.protocols = "tlsv1.2";
    tls_bench_init_with(&f, connect_params(), p);
    shake_hands(&f, "db.test");
    CU_ASSERT_STRING_EQUAL_FATAL(stream_tls_version(&f.client->stream), "TLSv1.2");
    talk(&f);
    tls_bench_fini(&f);
}

static void
sides_without_a_common_version_part_with_openssls_reason(void)
{
    struct tls_bench f;
    struct tls_params p = accept_params(), q = connect_params();

    p.protocols = "tlsv1.2";
    q.protocols = "tlsv1.3";
    tls_bench_init_with(&f, q, p);
    shake_hands(&f, "db.test");
    CU_ASSERT_EQUAL(f.client->tls_calls + f.server->tls_calls, 0);
    CU_ASSERT_EQUAL(f.server->why.code, ERR_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.server->why.text, "unsupported protocol"));
    CU_ASSERT_EQUAL(f.client->why.code, ERR_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.client->why.text, "alert protocol version"));
    tls_bench_fini(&f);
}

static void
much_goes_through_in_large_pieces_whatever_the_socket_takes(void)
{
    struct tls_bench f;
    uint8_t *bytes = pattern_new(MANY_BYTES);
    struct iovec iov[] = { { bytes, 10 },
                           { bytes + 10, 40000 },
                           { bytes + 40010, 1 },
                           { bytes + 40011, 16384 },
                           { bytes + 56395, MANY_BYTES - 56395 } };

    tls_bench_init(&f);
    stream_read_stop(&f.server->stream);
    stream_sendv(&f.client->stream, iov, 5);
    CU_ASSERT_TRUE(stream_backlog_bytes(&f.client->stream) > STREAM_HIGH_BYTES);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.server->bytes_calls, 0);
    stream_read_start(&f.server->stream);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f.server->got), MANY_BYTES);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.server->got)));
    CU_ASSERT_TRUE(f.server->largest_piece > 32768);
    CU_ASSERT_EQUAL(f.client->drained_calls, 1);
    talk(&f);
    free(bytes);
    tls_bench_fini(&f);
}

static int
waiting_bytes(int fd)
{
    int n = -1;

    ioctl(fd, FIONREAD, &n);
    return n;
}

static void
small_pieces_share_a_record(void)
{
    struct tls_bench f;
    struct iovec iov[100];
    char piece[11] = "0123456789";

    tls_bench_init(&f);
    for (int i = 0; i < 100; i++)
        iov[i] = (struct iovec){ piece, 10 };
    stream_sendv(&f.client->stream, iov, 100);
    CU_ASSERT_EQUAL(waiting_bytes(f.server->stream.fd), 1000 + (int)TLS13_OVERHEAD);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f.server->got), 1000);
    CU_ASSERT_EQUAL(f.server->bytes_calls, 1);
    tls_bench_fini(&f);
}

static void
large_pieces_fill_their_records(void)
{
    struct tls_bench f;
    uint8_t *bytes = pattern_new(50000);
    struct iovec iov[] = { { bytes, 100 }, { bytes + 100, 40000 }, { bytes + 40100, 9900 } };

    tls_bench_init(&f);
    stream_sendv(&f.client->stream, iov, 3);
    CU_ASSERT_EQUAL(waiting_bytes(f.server->stream.fd), 50000 + 4 * (int)TLS13_OVERHEAD);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.server->got)));
    CU_ASSERT_EQUAL(buf_len(&f.server->got), 50000);
    free(bytes);
    tls_bench_fini(&f);
}

static void
sending_nothing_sends_nothing(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    stream_send(&f.client->stream, slice_of(NULL, 0));
    stream_sendv(&f.client->stream, NULL, 0);
    CU_ASSERT_EQUAL(waiting_bytes(f.server->stream.fd), 0);
    tls_bench_fini(&f);
}

/* The ciphertext goes through our hands, STEP bytes at a time. */
static void
carry(struct loop *loop, int from, int to, size_t step)
{
    struct buf bytes;

    buf_init(&bytes);
    (void)raw_read(from, &bytes);
    for (size_t at = 0; at < buf_len(&bytes); at += step) {
        size_t n = buf_len(&bytes) - at < step ? buf_len(&bytes) - at : step;

        if (send(to, bytes.at + bytes.start + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            abort();
        loop_turn(loop);
    }
    buf_release(&bytes);
}

static void
every_split_of_the_ciphertext_gives_the_same_bytes(void)
{
    static const size_t steps[] = { 1, 2, 3, 5, 21, 4096 };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct tls_bench f;
        int c[2], s[2];

        bench_init(&f.bench);
        f.client = &f.bench.a;
        f.server = &f.bench.b;
        f.connecting = connect_context(connect_params());
        f.accepting = accept_context(accept_params());
        pair_unix(c);
        pair_unix(s);
        stream_open(&f.client->stream, f.bench.loop, c[0]);
        stream_open(&f.server->stream, f.bench.loop, s[0]);
        stream_read_start(&f.client->stream);
        stream_read_start(&f.server->stream);
        stream_start_tls_accept(&f.server->stream, f.accepting, slice_of(NULL, 0));
        stream_start_tls_connect(&f.client->stream, f.connecting, "db.test", NULL);
        for (int round = 0; round < 3; round++) {
            carry(f.bench.loop, c[1], s[1], steps[i]);
            carry(f.bench.loop, s[1], c[1], steps[i]);
        }
        CU_ASSERT_EQUAL_FATAL(f.client->tls_calls + f.server->tls_calls, 2);
        for (int n = 0; n < 3; n++) {
            send_text(f.client, "one two three ");
            send_text(f.server, "four five six ");
        }
        carry(f.bench.loop, c[1], s[1], steps[i]);
        carry(f.bench.loop, s[1], c[1], steps[i]);
        CU_ASSERT_TRUE(peer_got(f.server, "one two three one two three one two three "));
        CU_ASSERT_TRUE(peer_got(f.client, "four five six four five six four five six "));
        close(c[1]);
        close(s[1]);
        tls_bench_fini(&f);
    }
}

static void
stop_reading(struct peer *p, struct slice fresh)
{
    (void)fresh;
    stream_read_stop(&p->stream);
}

static void
a_stop_keeps_what_was_read_but_not_decrypted(void)
{
    struct tls_bench f;
    uint8_t *bytes = pattern_new(120000);
    unsigned starts = 0;

    tls_bench_init(&f);
    f.server->then_on_bytes = stop_reading;
    for (size_t at = 0; at < 120000; at += 600)
        stream_send(&f.client->stream, slice_of(bytes + at, 600));
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.server->bytes_calls, 1);
    while (buf_len(&f.server->got) < 120000 && starts++ < 100) {
        unsigned calls = f.server->bytes_calls;

        stream_read_start(&f.server->stream);
        CU_ASSERT_EQUAL(f.server->bytes_calls, calls); /* not from inside the call */
        settle(f.bench.loop);
        CU_ASSERT_EQUAL(f.server->bytes_calls, calls + 1);
    }
    CU_ASSERT_TRUE(starts > 0);
    CU_ASSERT_EQUAL(buf_len(&f.server->got), 120000);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.server->got)));
    free(bytes);
    tls_bench_fini(&f);
}

static void
stop_on_tls(struct peer *p)
{
    stream_read_stop(&p->stream);
}

static void
talk_on_tls(struct peer *p)
{
    send_text(p, "early ");
}

static void
an_owner_that_stops_in_on_tls_gets_early_bytes_when_it_starts(void)
{
    struct tls_bench f;

    tls_bench_init_with(&f, connect_params(), accept_params());
    f.server->then_on_tls = stop_on_tls;
    f.client->then_on_tls = talk_on_tls; /* leaves with the client's Finished, nearly */
    shake_hands(&f, "db.test");
    send_text(f.client, "and late");
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.server->bytes_calls, 0);
    stream_read_start(&f.server->stream);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.server, "early and late"));
    tls_bench_fini(&f);
}

static void
a_handshake_reads_although_the_owner_does_not(void)
{
    struct tls_bench f;

    tls_bench_init_with(&f, connect_params(), accept_params());
    stream_read_stop(&f.client->stream);
    stream_read_stop(&f.server->stream);
    settle(f.bench.loop);
    shake_hands(&f, "db.test");
    CU_ASSERT_EQUAL(f.client->tls_calls + f.server->tls_calls, 2);
    send_text(f.client, "x");
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.server->bytes_calls, 0);
    stream_read_start(&f.server->stream);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.server, "x"));
    tls_bench_fini(&f);
}

/* As a session does it: the first bytes decide, and are handed on. */
static void
start_tls_with_what_came(struct peer *p, struct slice fresh)
{
    p->then_on_bytes = NULL;
    buf_drop(&p->got, buf_len(&p->got));
    stream_start_tls_accept(&p->stream, p->extra, fresh);
}

static void
a_handshake_may_begin_with_bytes_that_were_read_before(void)
{
    struct tls_bench f;

    tls_bench_init_with(&f, connect_params(), accept_params());
    f.server->then_on_bytes = start_tls_with_what_came;
    f.server->extra = f.accepting;
    stream_start_tls_connect(&f.client->stream, f.connecting, "db.test", NULL);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.client->tls_calls + f.server->tls_calls, 2);
    talk(&f);
    tls_bench_fini(&f);
}

/* Certificates */

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

/* Sessions, ALPN, messages after the handshake */

static bool
is_second_resumed(const char *protocols, const char *second_name, const char *second_endpoint)
{
    struct tls_bench f;
    struct tls_params p = accept_params();
    bool is_resumed;
    int fds[2];

    p.protocols = protocols;
    tls_bench_init_with(&f, connect_params(), p);
    shake_hands(&f, "db.test");
    talk(&f);
    stream_close(&f.client->stream);
    stream_close(&f.server->stream);
    pair_unix(fds);
    stream_open(&f.client->stream, f.bench.loop, fds[0]);
    stream_open(&f.server->stream, f.bench.loop, fds[1]);
    stream_read_start(&f.client->stream);
    stream_read_start(&f.server->stream);
    stream_start_tls_accept(&f.server->stream, f.accepting, slice_of(NULL, 0));
    stream_start_tls_connect(&f.client->stream, f.connecting, second_name, second_endpoint);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(f.client->tls_calls, 2);
    talk(&f);
    is_resumed = SSL_session_reused(stream_tls_ssl(&f.client->stream)) == 1;
    if (is_resumed) {
        uint8_t hash[64];

        CU_ASSERT_EQUAL(stream_tls_endpoint(&f.client->stream, hash),
                        32); /* the certificate is remembered too */
    }
    tls_bench_fini(&f);
    return is_resumed;
}

static void
a_second_connection_to_an_endpoint_resumes_the_session(void)
{
    CU_ASSERT_TRUE(is_second_resumed("tlsv1.3", "db.test", "10.0.0.1:5432"));
    CU_ASSERT_TRUE(is_second_resumed("tlsv1.2", "db.test", "10.0.0.1:5432"));
    CU_ASSERT_FALSE(is_second_resumed("tlsv1.3", "db.test", "10.0.0.2:5432"));
    CU_ASSERT_FALSE(is_second_resumed("tlsv1.3", "127.0.0.1", "10.0.0.1:5432"));
    CU_ASSERT_FALSE(is_second_resumed("tlsv1.3", "db.test", NULL));
}

static void
our_clients_offer_postgresql_and_it_is_chosen(void)
{
    struct tls_bench f;
    const unsigned char *name;
    unsigned len;

    tls_bench_init(&f);
    SSL_get0_alpn_selected(stream_tls_ssl(&f.client->stream), &name, &len);
    CU_ASSERT_TRUE(slice_is(slice_of(name, len), "postgresql"));
    tls_bench_fini(&f);
}

static void
clients_that_offer_other_protocols_only_are_refused_and_those_that_offer_none_are_not(void)
{
    static const unsigned char http[] = "\002h2\010http/1.1";

    for (int i = 0; i < 2; i++) {
        struct tls_bench f;

        tls_bench_init_with(&f, connect_params(), accept_params());
        SSL_CTX_set_alpn_protos(f.connecting->ssl_ctx, http, i == 0 ? sizeof(http) - 1 : 0);
        shake_hands(&f, "db.test");
        CU_ASSERT_EQUAL(f.server->tls_calls, i == 0 ? 0 : 1);
        if (i == 0)
            CU_ASSERT_PTR_NOT_NULL(strstr(f.client->why.text, "alert no application protocol"));
        tls_bench_fini(&f);
    }
}

static void
keys_can_be_renewed_by_both_sides_at_any_time(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    for (int i = 0; i < 4; i++) {
        struct peer *who = i % 2 == 0 ? f.client : f.server;

        CU_ASSERT_EQUAL(SSL_key_update(stream_tls_ssl(&who->stream), SSL_KEY_UPDATE_REQUESTED), 1);
        talk(&f);
        talk(&f);
    }
    CU_ASSERT_EQUAL(f.client->closed_calls + f.server->closed_calls, 0);
    tls_bench_fini(&f);
}

/* Ends */

static void
a_close_is_a_clean_end_for_the_peer(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    send_text(f.client, "last");
    stream_close(&f.client->stream);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.server, "last"));
    CU_ASSERT_EQUAL(f.server->closed_calls, 1);
    CU_ASSERT_FALSE(f.server->has_why);
    tls_bench_fini(&f);
}

static void
an_end_without_close_notify_is_clean_too(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    send_text(f.client, "last");
    shutdown(f.client->stream.fd, SHUT_WR);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.server, "last"));
    CU_ASSERT_EQUAL(f.server->closed_calls, 1);
    CU_ASSERT_FALSE(f.server->has_why);
    tls_bench_fini(&f);
}

static void
an_end_in_the_middle_of_the_handshake_is_told_as_such(void)
{
    struct bench f;
    struct tls_context *accepting = accept_context(accept_params());

    bench_init_unix(&f);
    stream_start_tls_accept(&f.b.stream, accepting, slice_of(NULL, 0));
    stream_close(&f.a.stream);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.b.closed_calls, 1);
    CU_ASSERT_TRUE(f.b.has_why);
    CU_ASSERT_EQUAL(f.b.why.code, ERR_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.b.why.text, "handshake"));
    tls_context_drop(accepting);
    bench_fini(&f);
}

static void
garbage_instead_of_a_handshake_is_refused(void)
{
    struct bench f;
    struct tls_context *accepting = accept_context(accept_params());

    bench_init_unix(&f);
    stream_start_tls_accept(&f.b.stream, accepting, slice_of_text("GET / HTTP/1.1\r\n\r\n"));
    CU_ASSERT_EQUAL(f.b.closed_calls, 0);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.b.closed_calls, 1);
    CU_ASSERT_EQUAL(f.b.why.code, ERR_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.b.why.text, "http request"));
    tls_context_drop(accepting);
    bench_fini(&f);
}

static void
a_forged_record_ends_the_stream_after_what_was_good(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    send_text(f.client, "good");
    CU_ASSERT_TRUE(send(f.client->stream.fd,
                        "\x17\x03\x03\x00\x20"
                        "forged forged forged forged forge",
                        37, MSG_NOSIGNAL) == 37);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.server, "good"));
    CU_ASSERT_EQUAL(f.server->closed_calls, 1);
    CU_ASSERT_EQUAL(f.server->why.code, ERR_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.server->why.text, "bad record mac"));
    send_text(f.server, "into the void");
    CU_ASSERT_EQUAL(f.client->why.code, ERR_TLS); /* it got the alert */
    tls_bench_fini(&f);
}

static void
the_last_words_of_a_peer_that_died_are_heard_through_tls(void)
{
    struct tls_bench f;

    tls_bench_init(&f);
    stream_read_stop(&f.client->stream);
    send_text(f.server, "FATAL");
    stream_close(&f.server->stream);
    send_text(f.client, "SELECT 1");
    CU_ASSERT_TRUE(f.client->stream.is_broken);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.client, "FATAL"));
    CU_ASSERT_EQUAL(f.client->closed_calls, 1);
    tls_bench_fini(&f);
}

static void
a_gentle_close_sends_everything_and_close_notify(void)
{
    struct tls_bench f;
    uint8_t *bytes = pattern_new(MANY_BYTES);

    tls_bench_init(&f);
    stream_send(&f.client->stream, slice_of(bytes, MANY_BYTES));
    stream_close_gently(&f.client->stream);
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f.server->got), MANY_BYTES);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.server->got)));
    CU_ASSERT_EQUAL(f.server->closed_calls, 1);
    CU_ASSERT_FALSE(f.server->has_why);
    free(bytes);
    tls_bench_fini(&f);
}

static void
close_me(struct peer *p)
{
    stream_close(&p->stream);
}

static void
close_me_on_bytes(struct peer *p, struct slice fresh)
{
    (void)fresh;
    stream_close(&p->stream);
}

static void
an_owner_may_close_in_every_handler(void)
{
    for (int i = 0; i < 3; i++) {
        struct tls_bench f;

        tls_bench_init_with(&f, connect_params(), accept_params());
        if (i == 0)
            f.server->then_on_tls = close_me;
        shake_hands(&f, "db.test");
        if (i == 1)
            f.server->then_on_bytes = close_me_on_bytes;
        if (i == 2)
            f.server->then_on_closed = close_me;
        for (int n = 0; i > 0 && n < 5; n++)
            send_text(f.client, "some text");
        if (i == 2)
            stream_close(&f.client->stream);
        settle(f.bench.loop);
        CU_ASSERT_FALSE(stream_is_open(&f.server->stream));
        if (i < 2)
            CU_ASSERT_EQUAL(f.client->closed_calls, 1);
        tls_bench_fini(&f);
    }
}

static void
answer_everything(struct peer *p, struct slice fresh)
{
    stream_send(&p->stream, fresh);
}

static void
an_answer_from_inside_on_bytes_is_fine(void)
{
    struct tls_bench f;
    uint8_t *bytes = pattern_new(200000);

    tls_bench_init(&f);
    f.server->then_on_bytes = answer_everything;
    stream_send(&f.client->stream, slice_of(bytes, 200000));
    settle(f.bench.loop);
    CU_ASSERT_EQUAL(buf_len(&f.client->got), 200000);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.client->got)));
    free(bytes);
    tls_bench_fini(&f);
}

static void
an_idle_tls_stream_moves_to_another_loop_and_to_other_memory(void)
{
    struct tls_bench f;
    struct bench g;
    struct peer *moved = mem_new(sizeof(*moved));

    tls_bench_init(&f);
    talk(&f);
    bench_init(&g);
    CU_ASSERT_TRUE_FATAL(stream_can_move(&f.server->stream));
    stream_leave(&f.server->stream);
    peer_init(moved);
    moved->stream = f.server->stream;
    moved->stream.owner = moved;
    buf_release(&f.server->got);
    memset(f.server, 0x5a, sizeof(*f.server));
    peer_init(f.server);
    stream_join(&moved->stream, g.loop);
    send_text(f.client, "over there");
    settle(g.loop);
    CU_ASSERT_TRUE(peer_got(moved, "over there"));
    send_text(moved, "over here");
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.client, "answerover here"));
    peer_fini(moved);
    free(moved);
    bench_fini(&g);
    tls_bench_fini(&f);
}

static void
a_stream_with_half_a_record_or_half_a_handshake_cannot_move(void)
{
    struct tls_bench f;

    tls_bench_init_with(&f, connect_params(), accept_params());
    stream_start_tls_accept(&f.server->stream, f.accepting, slice_of(NULL, 0));
    CU_ASSERT_FALSE(stream_can_move(&f.server->stream));
    stream_start_tls_connect(&f.client->stream, f.connecting, "db.test", NULL);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(stream_can_move(&f.server->stream));
    CU_ASSERT_EQUAL(send(f.client->stream.fd, "\x17\x03\x03\x00\x20half", 9, MSG_NOSIGNAL), 9);
    settle(f.bench.loop);
    CU_ASSERT_FALSE(stream_can_move(&f.server->stream));
    tls_bench_fini(&f);
}

/* Two threads hand one TLS stream to and fro while the client, in a third, plays ping-pong with it. */
#define MOVES 50
#define PINGS_BETWEEN_MOVES 20

struct traveller {
    struct letter letter;
    struct stream stream;
    struct room *room; /* where it is */
    unsigned moves, pings;
};

struct room {
    struct clock clock;
    struct loop *loop;
    struct room *other;
    pthread_t thread;
};

static void
traveller_arrives(struct letter *letter, void *recipient)
{
    struct traveller *t = CONTAINER_OF(letter, struct traveller, letter);

    t->room = recipient;
    stream_join(&t->stream, t->room->loop);
}

static void
traveller_on_bytes(void *owner, struct slice fresh)
{
    struct traveller *t = owner;

    t->pings++;
    stream_send(&t->stream, fresh);
    if (t->pings % PINGS_BETWEEN_MOVES != 0 || !stream_can_move(&t->stream))
        return;
    t->moves++;
    stream_leave(&t->stream);
    CU_ASSERT_TRUE(loop_post(t->room->other->loop, &t->letter));
}

static void
traveller_on_closed(void *owner, const struct error *why)
{
    struct traveller *t = owner;
    struct room *room = t->room;

    CU_ASSERT_PTR_NULL(why);
    stream_close(&t->stream);
    loop_stop(room->other->loop);
    loop_stop(room->loop);
}

static void
traveller_on_nothing(void *owner)
{
    (void)owner;
}

static void *
live_in_room(void *arg)
{
    loop_run(((struct room *)arg)->loop);
    return NULL;
}

static void
ping_again(struct peer *p, struct slice fresh)
{
    if (p->bytes_calls < MOVES * PINGS_BETWEEN_MOVES)
        stream_send(&p->stream, fresh);
    else
        stream_close(&p->stream);
}

static void
a_tls_stream_moves_between_threads_while_it_is_in_use(void)
{
    static const struct stream_handler handler = { traveller_on_bytes, traveller_on_nothing,
                                                   traveller_on_closed, traveller_on_nothing };
    struct tls_bench f;
    struct room rooms[2];
    struct traveller t = { .letter = { .on_arrival = traveller_arrives } };

    tls_bench_init(&f);
    for (int i = 0; i < 2; i++) {
        rooms[i] = (struct room){ .clock = clock_real(), .other = &rooms[1 - i] };
        rooms[i].loop = loop_new(&rooms[i].clock, &rooms[i], NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rooms[i].loop);
    }
    stream_leave(&f.server->stream);
    t.stream = f.server->stream;
    t.stream.owner = &t;
    t.stream.handler = &handler;
    peer_init(f.server);
    CU_ASSERT_TRUE(loop_post(rooms[0].loop, &t.letter));
    for (int i = 0; i < 2; i++)
        pthread_create(&rooms[i].thread, NULL, live_in_room, &rooms[i]);
    f.client->then_on_bytes = ping_again;
    send_text(f.client, "ping");
    while (stream_is_open(&f.client->stream))
        loop_turn(f.bench.loop);
    for (int i = 0; i < 2; i++)
        pthread_join(rooms[i].thread, NULL);
    CU_ASSERT_EQUAL(t.pings, MOVES * PINGS_BETWEEN_MOVES);
    CU_ASSERT_EQUAL(t.moves, MOVES);
    for (int i = 0; i < 2; i++)
        loop_free(rooms[i].loop);
    tls_bench_fini(&f);
}

void
suite_stream_tls(void)
{
    CU_pSuite suite = CU_add_suite("stream_tls", NULL, NULL);

    CU_ADD_TEST(suite, a_handshake_is_told_to_both_and_then_bytes_go_both_ways);
    CU_ADD_TEST(suite, a_plain_stream_has_no_tls_facts);
    CU_ADD_TEST(suite, tls_1_2_works_too);
    CU_ADD_TEST(suite, sides_without_a_common_version_part_with_openssls_reason);
    CU_ADD_TEST(suite, much_goes_through_in_large_pieces_whatever_the_socket_takes);
    CU_ADD_TEST(suite, small_pieces_share_a_record);
    CU_ADD_TEST(suite, large_pieces_fill_their_records);
    CU_ADD_TEST(suite, sending_nothing_sends_nothing);
    CU_ADD_TEST(suite, every_split_of_the_ciphertext_gives_the_same_bytes);
    CU_ADD_TEST(suite, a_stop_keeps_what_was_read_but_not_decrypted);
    CU_ADD_TEST(suite, an_owner_that_stops_in_on_tls_gets_early_bytes_when_it_starts);
    CU_ADD_TEST(suite, a_handshake_reads_although_the_owner_does_not);
    CU_ADD_TEST(suite, a_handshake_may_begin_with_bytes_that_were_read_before);
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
    CU_ADD_TEST(suite, a_second_connection_to_an_endpoint_resumes_the_session);
    CU_ADD_TEST(suite, our_clients_offer_postgresql_and_it_is_chosen);
    CU_ADD_TEST(suite, clients_that_offer_other_protocols_only_are_refused_and_those_that_offer_none_are_not);
    CU_ADD_TEST(suite, keys_can_be_renewed_by_both_sides_at_any_time);
    CU_ADD_TEST(suite, a_close_is_a_clean_end_for_the_peer);
    CU_ADD_TEST(suite, an_end_without_close_notify_is_clean_too);
    CU_ADD_TEST(suite, an_end_in_the_middle_of_the_handshake_is_told_as_such);
    CU_ADD_TEST(suite, garbage_instead_of_a_handshake_is_refused);
    CU_ADD_TEST(suite, a_forged_record_ends_the_stream_after_what_was_good);
    CU_ADD_TEST(suite, the_last_words_of_a_peer_that_died_are_heard_through_tls);
    CU_ADD_TEST(suite, a_gentle_close_sends_everything_and_close_notify);
    CU_ADD_TEST(suite, an_owner_may_close_in_every_handler);
    CU_ADD_TEST(suite, an_answer_from_inside_on_bytes_is_fine);
    CU_ADD_TEST(suite, an_idle_tls_stream_moves_to_another_loop_and_to_other_memory);
    CU_ADD_TEST(suite, a_tls_stream_moves_between_threads_while_it_is_in_use);
    CU_ADD_TEST(suite, a_stream_with_half_a_record_or_half_a_handshake_cannot_move);
}
