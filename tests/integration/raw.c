/*
 * raw.c - the raw client: a non-blocking socket, TLS or not, that poll() waits for.
 *
 * Whatever is sent, arriving bytes are taken in meanwhile, so that a peer which answers before it reads on cannot
 * lock us both up.
 */

#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "harness.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/secret.h"

struct raw {
    int fd;
    SSL *ssl; /* NULL: plain */
    struct buf in;
    size_t message_bytes; /* of the message at the front of `in`: dropped by the next read */
    bool has_ended;
    struct pg_error error;
    struct buf heard;
    uint32_t pid;
    struct buf secret;
    char challenge[256];
    bool is_verified; /* the server has shown that it knows the password too */
};

/* --- connections --- */

struct raw *
raw_dial(unsigned port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct raw *r = mem_new(sizeof *r);
    int on = 1;

    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(r->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        r->has_ended = true;
        return r;
    }
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
    return r;
}

void
raw_close(struct raw *r)
{
    if (r == NULL)
        return;
    SSL_free(r->ssl);
    close(r->fd);
    buf_release(&r->in);
    buf_release(&r->heard);
    buf_release(&r->secret);
    free(r);
}

void
raw_abort(struct raw *r)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    raw_close(r);
}

/* Sleeps until the socket is ready for EVENTS; false at UNTIL_MS. */
static bool
wait_for(const struct raw *r, short events, uint64_t until_ms)
{
    struct pollfd p = { .fd = r->fd, .events = events };
    uint64_t now = now_ms();
    int n;

    do
        n = poll(&p, 1, now < until_ms ? (int)(until_ms - now) : 0);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

bool
raw_start_tls(struct raw *r, const char *alpn)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    uint64_t until = now_ms() + WAIT_MS;
    uint8_t offer[64];
    int done = -1;

    if (context == NULL || r->has_ended)
        abort();
    r->ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(r->ssl, r->fd);
    SSL_set_mode(r->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (alpn != NULL) {
        offer[0] = (uint8_t)strlen(alpn);
        memcpy(offer + 1, alpn, offer[0]);
        SSL_set_alpn_protos(r->ssl, offer, offer[0] + 1u);
    }
    while ((done = SSL_connect(r->ssl)) != 1) {
        int why = SSL_get_error(r->ssl, done);

        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            break;
        if (!wait_for(r, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until))
            break;
    }
    r->has_ended = done != 1;
    return done == 1;
}

const char *
raw_chosen_alpn(struct raw *r)
{
    const unsigned char *name;
    unsigned size;

    SSL_get0_alpn_selected(r->ssl, &name, &size);
    return text("%.*s", (int)size, size > 0 ? (const char *)name : "");
}

/* --- bytes --- */

/* Takes in what has arrived, without waiting. */
static void
take_in(struct raw *r)
{
    while (!r->has_ended) {
        uint8_t *room = buf_reserve(&r->in, 65536);
        ssize_t got;

        if (r->ssl != NULL) {
            got = SSL_read(r->ssl, room, 65536);
            if (got <= 0) {
                int why = SSL_get_error(r->ssl, (int)got);
                if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
                    return;
            }
        } else {
            got = recv(r->fd, room, 65536, 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        }
        if (got > 0)
            buf_commit(&r->in, (size_t)got);
        else
            r->has_ended = true;
    }
}

/* Until COUNT bytes are there. Returns 1, RAW_GONE or RAW_SILENCE. */
static int
await_bytes(struct raw *r, size_t count, uint64_t until_ms)
{
    for (;;) {
        if (buf_len(&r->in) >= count)
            return 1;
        if (r->has_ended)
            return RAW_GONE;
        take_in(r);
        if (buf_len(&r->in) < count && !r->has_ended && !wait_for(r, POLLIN, until_ms))
            return RAW_SILENCE;
    }
}

bool
raw_send(struct raw *r, struct slice bytes)
{
    uint64_t until = now_ms() + WAIT_MS;

    while (bytes.len > 0 && !r->has_ended) {
        size_t piece = bytes.len < 1048576 ? bytes.len : 1048576;
        ssize_t sent = r->ssl != NULL ? SSL_write(r->ssl, bytes.at, (int)piece)
                                      : send(r->fd, bytes.at, piece, MSG_NOSIGNAL);

        if (sent > 0) {
            bytes = slice_skip(bytes, (size_t)sent);
            continue;
        }
        if (r->ssl != NULL) {
            int why = SSL_get_error(r->ssl, (int)sent);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                return false;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
        take_in(r);
        if (!wait_for(r, POLLIN | POLLOUT, until))
            return false;
    }
    return bytes.len == 0;
}

bool
raw_send_buf(struct raw *r, struct buf *out)
{
    bool sent = raw_send(r, buf_slice(out));

    buf_release(out);
    return sent;
}

bool
raw_send_query(struct raw *r, const char *sql)
{
    struct buf out = { 0 };

    build_query(&out, sql);
    return raw_send_buf(r, &out);
}

/* --- messages --- */

static void
forget_message(struct raw *r)
{
    buf_drop(&r->in, r->message_bytes);
    r->message_bytes = 0;
}

int
raw_byte(struct raw *r)
{
    int there;

    forget_message(r);
    there = await_bytes(r, 1, now_ms() + WAIT_MS);
    if (there != 1)
        return there;
    r->message_bytes = 1;
    return buf_slice(&r->in).at[0];
}

static void
note_message(struct raw *r, int type)
{
    struct backend_key key;

    buf_add_u8(&r->heard, (uint8_t)type);
    if (type == 'E')
        pg_error_read(raw_bytes(r), &r->error);
    if (type == 'K' && back_key_read(raw_bytes(r), &key) == PARSE_DONE) {
        r->pid = key.pid;
        buf_release(&r->secret);
        buf_add(&r->secret, key.secret);
    }
}

int
raw_message(struct raw *r)
{
    uint64_t until = now_ms() + WAIT_MS;
    uint32_t size;
    int there;

    forget_message(r);
    there = await_bytes(r, 5, until);
    if (there != 1)
        return there;
    size = get_be32(buf_slice(&r->in).at + 1);
    there = await_bytes(r, 1 + (size_t)size, until);
    if (there != 1)
        return there;
    r->message_bytes = 1 + (size_t)size;
    note_message(r, buf_slice(&r->in).at[0]);
    return buf_slice(&r->in).at[0];
}

struct slice
raw_bytes(const struct raw *r)
{
    return slice_of(buf_slice(&r->in).at, r->message_bytes);
}

struct slice
raw_body(const struct raw *r)
{
    return slice_skip(raw_bytes(r), 5);
}

bool
raw_until(struct raw *r, char type)
{
    for (;;) {
        int heard = raw_message(r);

        if (heard == type)
            return true;
        if (heard == RAW_GONE || heard == RAW_SILENCE)
            return false;
    }
}

bool
raw_is_closed(struct raw *r)
{
    for (;;) {
        int heard = raw_message(r);

        if (heard == RAW_GONE)
            return true;
        if (heard == RAW_SILENCE)
            return false;
    }
}

const struct pg_error *
raw_error(const struct raw *r)
{
    return &r->error;
}

uint32_t
raw_pid(const struct raw *r)
{
    return r->pid;
}

struct slice
raw_secret(const struct raw *r)
{
    return buf_slice(&r->secret);
}

const char *
raw_heard(const struct raw *r)
{
    struct slice all = buf_slice(&r->heard);

    return text("%.*s", (int)all.len, all.len > 0 ? (const char *)all.at : "");
}

const char *
raw_challenge(const struct raw *r)
{
    return r->challenge;
}

/* --- login --- */

static void
send_scram_first(struct raw *r, struct scram *x)
{
    struct buf first = { 0 };
    struct buf out = { 0 };
    uint8_t nonce[SCRAM_NONCE_RAW];

    RAND_bytes(nonce, sizeof nonce);
    scram_client_first(x, nonce, 'n', slice_of(NULL, 0), &first);
    build_sasl_initial(&out, "SCRAM-SHA-256", buf_slice(&first));
    raw_send_buf(r, &out);
    buf_release(&first);
}

static bool
send_scram_final(struct raw *r, struct scram *x, struct slice challenge, const char *password)
{
    struct scram_keys keys;
    struct buf final = { 0 };
    struct buf out = { 0 };
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len;
    uint32_t iterations;

    snprintf(r->challenge, sizeof r->challenge, "%.*s", (int)challenge.len, (const char *)challenge.at);
    if (scram_client_challenge(x, challenge, salt, &salt_len, &iterations, NULL) != ERR_NONE)
        return false;
    scram_derive(password, slice_of(salt, salt_len), iterations, &keys);
    scram_client_final(x, &keys, &final);
    build_sasl_response(&out, buf_slice(&final));
    raw_send_buf(r, &out);
    buf_release(&final);
    return true;
}

/* Does what one Authentication message asks for. */
static bool
obey(struct raw *r, struct scram *x, const char *user, const char *password)
{
    struct auth_request request;
    struct buf out = { 0 };
    char stored[MD5_TEXT];
    char response[MD5_TEXT];

    if (back_auth_read(raw_bytes(r), &request) != PARSE_DONE)
        return false;
    switch (request.kind) {
    case AUTH_OK: /* behind SCRAM not without its last word, which strict drivers wait for */
        return r->challenge[0] == '\0' || r->is_verified;
    case AUTH_CLEARTEXT:
        build_password(&out, password);
        return raw_send_buf(r, &out);
    case AUTH_MD5:
        md5_stored(password, user, stored);
        md5_response(stored, request.md5_salt, response);
        build_password(&out, response);
        return raw_send_buf(r, &out);
    case AUTH_SASL:
        send_scram_first(r, x);
        return true;
    case AUTH_SASL_CONTINUE:
        return send_scram_final(r, x, request.data, password);
    case AUTH_SASL_FINAL:
        r->is_verified = scram_client_verify(x, request.data, NULL) == ERR_NONE;
        return r->is_verified;
    default:
        return false;
    }
}

bool
raw_login(struct raw *r, const char *user, const char *database, const char *password)
{
    const struct startup_pair pairs[] = { { "user", user }, { "database", database } };
    struct scram x;
    struct buf out = { 0 };
    int type = RAW_GONE;
    bool fine = true;

    scram_init(&x);
    build_startup(&out, 0, pairs, COUNT_OF(pairs));
    raw_send_buf(r, &out);
    while (fine && type != 'Z') {
        type = raw_message(r);
        if (type == 'R')
            fine = obey(r, &x, user, password);
        else
            fine = type != RAW_GONE && type != RAW_SILENCE && type != 'E';
    }
    scram_fini(&x);
    return fine;
}

struct raw *
raw_open(unsigned port)
{
    struct raw *r = raw_dial(port);

    CU_ASSERT(raw_login(r, "app_user", "app", "app_user_pw"));
    return r;
}

struct raw *
raw_open_tls(unsigned port)
{
    struct raw *r = raw_dial(port);
    struct buf out = { 0 };

    build_ssl_request(&out);
    raw_send_buf(r, &out);
    CU_ASSERT(raw_byte(r) == 'S' && raw_start_tls(r, NULL));
    forget_message(r);
    CU_ASSERT(raw_login(r, "app_user", "app", "app_user_pw"));
    return r;
}
