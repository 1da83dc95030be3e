/* test_stream_tls.c - streams over TLS: handshakes, bytes, sessions and ends. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_bench.h"

void suite_stream_tls(void);

#define MANY_BYTES (3u * 1024u * 1024u)
#define TLS13_OVERHEAD 22u /* header, content type, tag */

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
}
