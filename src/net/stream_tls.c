/*
 * stream_tls.c - TLS through memory.
 *
 *     socket --recv--> loop->cipher_in --BIO--> SSL_read  --> loop->read_buf --on_bytes--> owner
 *     socket <--send-- loop->cipher_out <--BIO-- SSL_write <-- loop->record   <--------- stream_sendv()
 *
 * OpenSSL never sees the descriptor. Its read side is a cursor over what one recv() brought; it takes all of
 * it, and an incomplete record waits inside OpenSSL. Its write side gathers in the loop's buffer, which
 * flush() hands to the socket before anybody else may use it. So between two operations all big buffers are
 * empty and an idle connection holds none.
 *
 * When the owner stops reading in the middle, the rest of the ciphertext is kept with the stream, and handled
 * when reading starts.
 *
 * Invariants: cipher_out is empty whenever a handler runs; `in` is empty save inside feed(); once SSL has
 * failed, is_broken is set and the SSL object is not used again.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loop_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/address.h"
#include "pgweir/net/tls.h"
#include "stream_impl.h"
#include "tls_impl.h"

#define FLUSH_BYTES (256u * 1024u) /* a large stream_sendv() goes out in pieces of this size */

struct stream_tls {
    SSL *ssl;
    struct stream *stream;       /* whose we are; changes when the stream moves */
    struct tls_context *context; /* held */
    struct slice in;             /* ciphertext at hand, inside feed() only */
    struct buf kept;             /* ciphertext that came before the owner stopped reading */
    char *session_key;           /* connecting side: where to keep the session; also the SSL's app data */
    struct error *failure;       /* the handshake could not even begin; told from the loop */
    bool is_established;
    bool is_accepting;
};

/* The BIO */

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_method;

static int
bio_read(BIO *bio, char *out, size_t size, size_t *got)
{
    struct stream_tls *tls = BIO_get_data(bio);
    size_t n = tls->in.len < size ? tls->in.len : size;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        *got = 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, tls->in.at, n);
    tls->in = slice_skip(tls->in, n);
    *got = n;
    return 1;
}

static int
bio_write(BIO *bio, const char *at, size_t len, size_t *wrote)
{
    struct stream_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_add(&tls->stream->loop->cipher_out, slice_of(at, len));
    *wrote = len;
    return 1;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static void
make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgweir stream");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

static BIO *
bio_new(struct stream_tls *tls)
{
    BIO *bio;

    pthread_once(&bio_once, make_bio_method);
    bio = bio_method == NULL ? NULL : BIO_new(bio_method);
    if (bio != NULL) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* Output */

/* OpenSSL's errors are the thread's, and SSL_get_error() believes that all of them are of the last operation. There
 * are hardly ever any, and looking costs a tenth of clearing, which was 10 % of the instructions of a transaction. */
static void
forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static void
flush(struct stream *s)
{
    struct buf *out = &s->loop->cipher_out;

    if (buf_len(out) == 0)
        return;
    stream_put(s, buf_slice(out));
    if (out->size > 2 * FLUSH_BYTES)
        buf_release(out);
    else
        buf_drop(out, buf_len(out));
}

/* OpenSSL cannot go on with this connection. */
static void
give_up_output(struct stream *s)
{
    ERR_clear_error();
    flush(s);
    stream_flush(s);
    stream_break(s, EPROTO);
}

static bool
encrypt(struct stream *s, struct slice bytes)
{
    struct stream_tls *tls = s->tls;

    while (bytes.len > 0) {
        size_t n;

        if (SSL_write_ex(tls->ssl, bytes.at, bytes.len, &n) != 1) {
            give_up_output(s);
            return false;
        }
        bytes = slice_skip(bytes, n);
        if (buf_len(&s->loop->cipher_out) >= FLUSH_BYTES)
            flush(s);
    }
    return true;
}

/* Small pieces are gathered into full records, large ones are encrypted from where they are. */
void
stream_tls_sendv(struct stream *s, const struct iovec *iov, int count)
{
    struct loop *loop = s->loop;
    size_t fill = 0;

    if (!s->tls->is_established)
        return;
    forget_errors();
    for (int i = 0; i < count; i++) {
        struct slice rest = slice_of(iov[i].iov_base, iov[i].iov_len);

        while (rest.len > 0) {
            size_t n = rest.len;

            if (fill == 0 && n >= LOOP_RECORD_BYTES) {
                n -= n % LOOP_RECORD_BYTES;
                if (!encrypt(s, slice_of(rest.at, n)))
                    return;
            } else {
                if (n > LOOP_RECORD_BYTES - fill)
                    n = LOOP_RECORD_BYTES - fill;
                memcpy(loop->record + fill, rest.at, n);
                fill += n;
            }
            rest = slice_skip(rest, n);
            if (fill == LOOP_RECORD_BYTES) {
                if (!encrypt(s, slice_of(loop->record, fill)))
                    return;
                fill = 0;
            }
        }
    }
    if (encrypt(s, slice_of(loop->record, fill)))
        flush(s);
}

void
stream_tls_say_bye(struct stream *s)
{
    struct stream_tls *tls = s->tls;

    if (s->loop == NULL || s->is_broken || s->is_ended || !tls->is_established)
        return;
    ERR_clear_error();
    if (SSL_shutdown(tls->ssl) < 0)
        ERR_clear_error();
    flush(s);
}

/* Input */

bool
stream_tls_wants_input(const struct stream_tls *tls)
{
    return !tls->is_established;
}

bool
stream_tls_has_kept(const struct stream_tls *tls)
{
    return buf_len(&tls->kept) > 0 || tls->failure != NULL;
}

/* The connection is over because OpenSSL says so. */
static void
fail(struct stream *s, const struct error *why)
{
    stream_flush(s); /* the alert */
    s->is_broken = true;
    s->broken_errno = EPROTO;
    stream_end(s, why);
}

enum went { WENT_ON, WENT_AWAY }; /* is S still ours, and alive? */

static enum went
went(const struct loop *loop, const struct stream *s)
{
    return loop->current == s && !s->is_ended ? WENT_ON : WENT_AWAY;
}

static enum went
shake_hands(struct stream *s)
{
    struct loop *loop = s->loop;
    struct stream_tls *tls = s->tls;
    struct error why;
    int result = SSL_do_handshake(tls->ssl);
    bool is_failed = result != 1 && SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ;

    if (is_failed)
        (void)tls_error(&why, tls->ssl, "TLS handshake failed");
    flush(s); /* an alert too */
    if (is_failed) {
        fail(s, &why);
        return WENT_AWAY;
    }
    if (result == 1) {
        tls->is_established = true;
        if (s->handler->on_tls != NULL)
            s->handler->on_tls(s->owner);
    }
    return went(loop, s);
}

/* Decrypts as many records as fit and shows them to the owner at once. */
static enum went
decrypt(struct stream *s)
{
    struct loop *loop = s->loop;
    struct stream_tls *tls = s->tls;
    struct error why;
    size_t fill = 0;
    int end = SSL_ERROR_NONE;

    while (LOOP_READ_BYTES - fill >= LOOP_RECORD_BYTES && tls->in.len > 0 && end == SSL_ERROR_NONE) {
        size_t n;

        if (SSL_read_ex(tls->ssl, loop->read_buf + fill, LOOP_READ_BYTES - fill, &n) == 1)
            fill += n;
        else
            end = SSL_get_error(tls->ssl, 0);
    }
    if (end != SSL_ERROR_NONE && end != SSL_ERROR_WANT_READ && end != SSL_ERROR_ZERO_RETURN)
        (void)tls_error(&why, tls->ssl, "TLS");
    flush(s); /* answers to KeyUpdate, alerts */
    if (fill > 0) {
        s->handler->on_bytes(s->owner, slice_of(loop->read_buf, fill));
        if (went(loop, s) == WENT_AWAY)
            return WENT_AWAY;
    }
    if (end == SSL_ERROR_NONE || end == SSL_ERROR_WANT_READ)
        return WENT_ON;
    if (end == SSL_ERROR_ZERO_RETURN)
        stream_end_of_input(s, 0);
    else
        fail(s, &why);
    return WENT_AWAY;
}

/* Gives CIPHER to OpenSSL, and what comes out of it to the owner, as long as he wants it. */
static enum went
feed(struct stream *s, struct slice cipher)
{
    struct stream_tls *tls = s->tls;

    tls->in = cipher;
    forget_errors();
    if (!tls->is_established && shake_hands(s) == WENT_AWAY)
        return WENT_AWAY;
    while (s->is_reading && tls->in.len > 0)
        if (decrypt(s) == WENT_AWAY)
            return WENT_AWAY;
    buf_add(&tls->kept, tls->in);
    tls->in = slice_of(NULL, 0);
    return WENT_ON;
}

static void
feed_kept(struct stream *s)
{
    struct buf kept = s->tls->kept;

    buf_init(&s->tls->kept);
    (void)feed(s, buf_slice(&kept)); /* may keep a rest again, may free S */
    buf_release(&kept);
}

static void
end_of_cipher(struct stream *s, int errnum)
{
    struct error why;

    if (s->tls->is_established || s->is_broken || errnum != 0) {
        /* Without close_notify too: the messages of PostgreSQL say themselves where they end. */
        stream_end_of_input(s, errnum);
        return;
    }
    (void)error_set(&why, ERR_CLOSED, "TLS handshake failed: the peer closed the connection");
    fail(s, &why);
}

static void
tell_failure(struct stream *s)
{
    struct error why = *s->tls->failure;

    fail(s, &why);
}

void
stream_tls_read(struct stream *s)
{
    struct loop *loop = s->loop;
    ssize_t n;

    if (s->tls->failure != NULL) {
        tell_failure(s);
        return;
    }
    if (buf_len(&s->tls->kept) > 0) {
        feed_kept(s);
        return;
    }
    n = recv(s->fd, loop->cipher_in, LOOP_CIPHER_BYTES, 0);
    if (n > 0)
        (void)feed(s, slice_of(loop->cipher_in, (size_t)n));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_of_cipher(s, n == 0 ? 0 : errno);
}

/* Beginnings and ends */

static void
remember_failure(struct stream_tls *tls, const char *doing)
{
    if (tls->failure == NULL)
        tls->failure = mem_new(sizeof(*tls->failure));
    (void)tls_error(tls->failure, tls->ssl, doing);
}

static struct stream_tls *
stream_tls_new(struct stream *s, struct tls_context *context)
{
    struct stream_tls *tls = mem_new(sizeof(*tls));
    BIO *bio;

    loop_need_tls_buffers(s->loop);
    tls->stream = s;
    tls->context = tls_context_hold(context);
    buf_init(&tls->kept);
    ERR_clear_error();
    tls->ssl = SSL_new(context->ssl_ctx);
    bio = bio_new(tls);
    if (tls->ssl == NULL || bio == NULL) {
        remember_failure(tls, "TLS");
        BIO_free(bio);
    } else {
        SSL_set_bio(tls->ssl, bio, bio);
    }
    return tls;
}

void
stream_tls_free(struct stream_tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->ssl != NULL) {
        /* However it ended, the session itself is good: without this OpenSSL would not resume it. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(tls->ssl);
    }
    tls_context_drop(tls->context);
    buf_release(&tls->kept);
    free(tls->session_key);
    free(tls->failure);
    free(tls);
}

/* Input is awaited from now on; a failure, or input that is there already, is handled from the loop. */
static void
begin(struct stream *s)
{
    stream_watch(s);
    if (stream_tls_has_kept(s->tls))
        stream_poke(s);
}

void
stream_start_tls_accept(struct stream *s, struct tls_context *context, struct slice already)
{
    assert(s->fd >= 0 && s->tls == NULL);
    s->tls = stream_tls_new(s, context);
    s->tls->is_accepting = true;
    buf_add(&s->tls->kept, already);
    if (s->tls->failure == NULL)
        SSL_set_accept_state(s->tls->ssl);
    begin(s);
}

static bool
set_sni(SSL *ssl, const char *name)
{
    char *copy = mem_text(name); /* the macro casts const away */
    bool is_good = SSL_set_tlsext_host_name(ssl, copy) == 1;

    free(copy);
    return is_good;
}

/* What the certificate must say, and what we tell the server whom we want. */
static bool
set_server_name(struct stream_tls *tls, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    bool must_match = tls->context->verify == TLS_VERIFY_FULL;
    struct address ip;

    if (name == NULL || name[0] == '\0')
        return true;
    if (address_of_ip(&ip, name, 0))
        return !must_match || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return set_sni(tls->ssl, name) && (!must_match || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
}

/* A session stands for a check that was made, so it is kept for the name that was checked. */
static void
resume_session(struct stream_tls *tls, const char *server_name, const char *endpoint)
{
    SSL_SESSION *session;

    if (endpoint == NULL)
        return;
    tls->session_key = mem_format("%s %s", endpoint, server_name == NULL ? "" : server_name);
    SSL_set_app_data(tls->ssl, tls->session_key);
    session = tls_take_session(tls->context, tls->session_key);
    if (session != NULL) {
        if (SSL_set_session(tls->ssl, session) != 1)
            ERR_clear_error();
        SSL_SESSION_free(session);
    }
}

static void
say_hello(struct stream *s, const char *server_name, const char *endpoint)
{
    struct stream_tls *tls = s->tls;
    int result;

    SSL_set_connect_state(tls->ssl);
    if (!set_server_name(tls, server_name)) {
        remember_failure(tls, "TLS server name");
        return;
    }
    resume_session(tls, server_name, endpoint);
    result = SSL_do_handshake(tls->ssl);
    if (result != 1 && SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
        remember_failure(tls, "TLS handshake failed");
    flush(s);
}

void
stream_start_tls_connect(struct stream *s, struct tls_context *context, const char *server_name,
                         const char *endpoint)
{
    assert(s->fd >= 0 && s->tls == NULL);
    s->tls = stream_tls_new(s, context);
    if (s->tls->failure == NULL && context->verify == TLS_VERIFY_FULL &&
        (server_name == NULL || server_name[0] == '\0')) {
        s->tls->failure = mem_new(sizeof(*s->tls->failure));
        (void)error_set(s->tls->failure, ERR_TLS, "TLS: certificate verify failed: no server name to check");
    }
    if (s->tls->failure == NULL)
        say_hello(s, server_name, endpoint);
    begin(s);
}

bool
stream_tls_can_move(const struct stream_tls *tls)
{
    return tls->is_established && !stream_tls_has_kept(tls) && tls->in.len == 0 &&
           SSL_has_pending(tls->ssl) == 0;
}

void
stream_tls_join(struct stream *s)
{
    s->tls->stream = s;
    loop_need_tls_buffers(s->loop);
}

/* Facts */

SSL *
stream_tls_ssl(const struct stream *s)
{
    return s->tls != NULL && s->tls->is_established ? s->tls->ssl : NULL;
}

bool
stream_is_tls(const struct stream *s)
{
    return stream_tls_ssl(s) != NULL;
}

const char *
stream_tls_version(const struct stream *s)
{
    return stream_tls_ssl(s) == NULL ? NULL : SSL_get_version(stream_tls_ssl(s));
}

const char *
stream_tls_cipher(const struct stream *s)
{
    return stream_tls_ssl(s) == NULL ? NULL : SSL_get_cipher_name(stream_tls_ssl(s));
}

void
stream_tls_text(const struct stream *s, char *out, size_t size)
{
    if (stream_tls_cipher(s) != NULL)
        snprintf(out, size, "%s/%s", stream_tls_version(s), stream_tls_cipher(s));
    else
        out[0] = '\0';
}

/* RFC 5929, section 4.1: the hash of the certificate's signature, but SHA-256 where that is MD5 or SHA-1. */
size_t
stream_tls_endpoint(const struct stream *s, uint8_t out[64])
{
    SSL *ssl = stream_tls_ssl(s);
    X509 *cert;
    const EVP_MD *digest;
    int digest_nid;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len;

    if (ssl == NULL)
        return 0;
    cert = s->tls->is_accepting ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    if (cert == NULL || X509_get_signature_info(cert, &digest_nid, NULL, NULL, NULL) != 1) {
        ERR_clear_error();
        return 0;
    }
    if (digest_nid == NID_md5 || digest_nid == NID_sha1)
        digest_nid = NID_sha256;
    digest = EVP_get_digestbynid(digest_nid);
    if (digest == NULL || X509_digest(cert, digest, hash, &len) != 1 || len > 64) {
        ERR_clear_error();
        return 0;
    }
    memcpy(out, hash, len);
    return len;
}

/* The peer's certificate, if the CA vouches for it; else NULL. */
static X509 *
peer_certificate(const struct stream *s)
{
    SSL *ssl = stream_tls_ssl(s);
    X509 *cert = ssl == NULL ? NULL : SSL_get0_peer_certificate(ssl);

    if (cert == NULL || s->tls->context->verify == TLS_VERIFY_NONE || SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    return cert;
}

bool
stream_tls_has_peer(const struct stream *s)
{
    return peer_certificate(s) != NULL;
}

bool
stream_tls_peer_name(const struct stream *s, char *out, size_t size)
{
    X509 *cert = peer_certificate(s);
    X509_NAME *subject;
    unsigned char *text = NULL;
    bool is_good;
    int at;
    int len;

    if (cert == NULL)
        return false;
    subject = X509_get_subject_name(cert);
    at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return false;
    len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len < 0) {
        ERR_clear_error();
        return false;
    }
    is_good = len > 0 && (size_t)len < size && memchr(text, '\0', (size_t)len) == NULL;
    if (is_good) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
    return is_good;
}

bool
stream_tls_peer_subject(const struct stream *s, char *out, size_t size)
{
    X509 *cert = peer_certificate(s);
    BIO *text = cert == NULL ? NULL : BIO_new(BIO_s_mem());
    bool is_good = false;
    char *at;
    long len;

    if (text == NULL)
        return false;
    if (X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_get_mem_data(text, &at);
        is_good = len > 0 && (size_t)len < size && memchr(at, '\0', (size_t)len) == NULL;
        if (is_good) {
            memcpy(out, at, (size_t)len);
            out[len] = '\0';
        }
    }
    ERR_clear_error();
    BIO_free(text);
    return is_good;
}
