/*
 * tls.c - from file names and words to an SSL_CTX.
 *
 * A context is complete before anybody sees it, and is not changed afterwards; SSL objects are made from it
 * in any thread. The one thing that changes is the store of sessions to resume: one per endpoint, the newest,
 * under one lock.
 */
#include "tls_impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

#define SESSIONS_MOST 1024

struct kept_session {
    struct map_node in_sessions; /* context->_sessions.by_key */
    char *key;
    SSL_SESSION *session;
};

static bool
is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

enum err
tls_error(struct error *why, const SSL *ssl, const char *doing)
{
    unsigned long first = ERR_peek_error();
    const char *reason = first == 0 ? NULL : ERR_reason_error_string(first);
    long verdict = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);

    ERR_clear_error();
    if (verdict != X509_V_OK && ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return error_set(why, ERR_TLS, "%s: certificate verify failed: %s", doing,
                         X509_verify_cert_error_string(verdict));
    if (reason != NULL)
        return error_set(why, ERR_TLS, "%s: %s", doing, reason);
    if (first != 0 && ERR_SYSTEM_ERROR(first))
        return error_set(why, ERR_TLS, "%s: %s", doing, strerror(ERR_GET_REASON(first)));
    return error_set(why, ERR_TLS, "%s: OpenSSL error %lx", doing, first);
}

/* Sessions */

static bool
is_same_key(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct kept_session, in_sessions)->key, key) == 0;
}

static void
kept_session_free(struct kept_session *k)
{
    SSL_SESSION_free(k->session);
    free(k->key);
    free(k);
}

static struct kept_session *
find_session_locked(struct tls_context *c, const char *key, uint64_t hash)
{
    struct map_node *node = map_find(&c->_sessions.by_key, hash, is_same_key, key);

    return node == NULL ? NULL : CONTAINER_OF(node, struct kept_session, in_sessions);
}

SSL_SESSION *
tls_take_session(struct tls_context *c, const char *key)
{
    uint64_t hash = map_hash(slice_of_text(key));
    struct kept_session *k;
    struct kept_session *used_up = NULL;
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&c->_sessions.lock);
    k = find_session_locked(c, key, hash);
    if (k != NULL) {
        session = k->session;
        SSL_SESSION_up_ref(session);
        if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
            map_remove(&c->_sessions.by_key, &k->in_sessions);
            used_up = k;
        }
    }
    pthread_mutex_unlock(&c->_sessions.lock);
    if (used_up != NULL)
        kept_session_free(used_up);
    return session;
}

void
tls_keep_session(struct tls_context *c, const char *key, SSL_SESSION *session)
{
    uint64_t hash = map_hash(slice_of_text(key));
    struct kept_session *fresh = mem_new(sizeof(*fresh));
    struct kept_session *old;

    fresh->key = mem_text(key);
    fresh->session = session;
    pthread_mutex_lock(&c->_sessions.lock);
    old = find_session_locked(c, key, hash);
    if (old != NULL) {
        map_remove(&c->_sessions.by_key, &old->in_sessions);
    } else if (c->_sessions.by_key.count >= SESSIONS_MOST) {
        struct map_node *any = map_take_any(&c->_sessions.by_key);

        old = CONTAINER_OF(any, struct kept_session, in_sessions);
    }
    map_add(&c->_sessions.by_key, &fresh->in_sessions, hash);
    pthread_mutex_unlock(&c->_sessions.lock);
    if (old != NULL)
        kept_session_free(old);
}

/* Words */

static const struct {
    const char *word;
    unsigned versions;
} protocol_words[] = {
    /* bit 0: TLS 1.0 … bit 3: TLS 1.3 */
    { "tlsv1.0", 1u << 0 }, { "tlsv1.1", 1u << 1 }, { "tlsv1.2", 1u << 2 },
    { "tlsv1.3", 1u << 3 }, { "tlsv1", 0xfu },      { "all", 0xfu },
    { "legacy", 0xfu },     { "secure", 0xcu },     { "default", 0xcu },
};

static const struct {
    int number;
    uint64_t off;
} versions[] = {
    { TLS1_VERSION, SSL_OP_NO_TLSv1 },
    { TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
    { TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
    { TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};

static unsigned
versions_of_word(const char *word, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(protocol_words); i++)
        if (strlen(protocol_words[i].word) == len && strncasecmp(protocol_words[i].word, word, len) == 0)
            return protocol_words[i].versions;
    return 0;
}

/* "tlsv1.2,tlsv1.3", "all,!tlsv1.0"; commas, colons and blanks part the words. */
static enum err
read_protocols(const char *text, unsigned *out, struct error *why)
{
    static const char between[] = ",: \t";
    unsigned wanted = 0;

    for (const char *at = text + strspn(text, between); *at != '\0'; at += strspn(at, between)) {
        bool is_not = *at == '!';
        const char *word = is_not ? at + 1 : at;
        size_t len = strcspn(word, between);
        unsigned named = versions_of_word(word, len);

        if (named == 0)
            return error_set(why, ERR_CONFIG, "unknown TLS protocol \"%.*s\" in \"%s\"", (int)len, word,
                             text);
        if (is_not)
            wanted = (wanted == 0 ? 0xfu : wanted) & ~named;
        else
            wanted |= named;
        at = word + len;
    }
    if (wanted == 0)
        return error_set(why, ERR_CONFIG, "no TLS protocol is left by \"%s\"", text);
    *out = wanted;
    return ERR_NONE;
}

static enum err
set_protocols(SSL_CTX *ctx, const char *text, struct error *why)
{
    unsigned wanted = 0;
    size_t first = 0;
    size_t last = COUNT_OF(versions) - 1;
    enum err e = read_protocols(is_given(text) ? text : "secure", &wanted, why);

    if (e != ERR_NONE)
        return e;
    while ((wanted & 1u << first) == 0)
        first++;
    while ((wanted & 1u << last) == 0)
        last--;
    SSL_CTX_set_min_proto_version(ctx, versions[first].number);
    SSL_CTX_set_max_proto_version(ctx, versions[last].number);
    for (size_t i = first; i < last; i++)
        if ((wanted & 1u << i) == 0)
            SSL_CTX_set_options(ctx, versions[i].off);
    return ERR_NONE;
}

/* OpenSSL's macros for some setters cast const away, though nothing is written: they get a copy. */
static bool
set_groups(SSL_CTX *ctx, const char *groups)
{
    char *copy = mem_text(groups);
    bool is_good = SSL_CTX_set1_groups_list(ctx, copy) == 1;

    free(copy);
    return is_good;
}

/* The words mean what the system's OpenSSL configuration means, as in PgBouncer. */
static bool
is_system_word(const char *word)
{
    static const char *const words[] = { "default", "secure", "fast", "normal", "compat", "legacy" };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return !is_given(word);
}

static bool
is_without_curves(const struct tls_params *p)
{
    return is_given(p->ecdhcurve) && strcasecmp(p->ecdhcurve, "none") == 0;
}

static enum err
set_cipher_list(SSL_CTX *ctx, const struct tls_params *p, struct error *why)
{
    const char *given = is_given(p->ciphers) ? p->ciphers : "default";
    const char *list = is_system_word(given) ? "DEFAULT" : given;
    char *text;
    bool is_good;

    if (strcasecmp(given, "all") == 0)
        list = "ALL:!aNULL:!eNULL";
    text = mem_format("%s%s", list, is_without_curves(p) ? ":!kECDHE" : "");
    is_good = SSL_CTX_set_cipher_list(ctx, text) == 1;
    free(text);
    if (is_good)
        return ERR_NONE;
    ERR_clear_error();
    return error_set(why, ERR_CONFIG, "no usable TLS cipher in \"%s\"", given);
}

static enum err
set_ciphers(SSL_CTX *ctx, const struct tls_params *p, struct error *why)
{
    const char *suites = is_given(p->ciphersuites) ? p->ciphersuites : "default";

    if (is_system_word(suites) || SSL_CTX_set_ciphersuites(ctx, suites) == 1)
        return set_cipher_list(ctx, p, why);
    ERR_clear_error();
    return error_set(why, ERR_CONFIG, "no usable TLS 1.3 cipher suite in \"%s\"", suites);
}

static enum err
set_curve(SSL_CTX *ctx, const struct tls_params *p, struct error *why)
{
    if (is_without_curves(p))
        SSL_CTX_set_options(ctx,
                            SSL_OP_NO_TLSv1_3); /* which has nothing else; for 1.2 see set_cipher_list() */
    else if (is_given(p->ecdhcurve) && strcasecmp(p->ecdhcurve, "auto") != 0 &&
             !set_groups(ctx, p->ecdhcurve)) {
        ERR_clear_error();
        return error_set(why, ERR_CONFIG, "unknown elliptic curve \"%s\"", p->ecdhcurve);
    }
    return ERR_NONE;
}

/* Files */

static enum err
need_file(const char *file, const char *what, struct error *why)
{
    if (!is_given(file))
        return error_set(why, ERR_CONFIG, "TLS needs a %s file", what);
    if (access(file, R_OK) == 0)
        return ERR_NONE;
    if (errno == ENOENT)
        return error_set(why, ERR_NOT_FOUND, "TLS %s file \"%s\" does not exist", what, file);
    return error_set_errno(why, errno, "TLS %s file \"%s\"", what, file);
}

static enum err
file_error(struct error *why, const char *what, const char *file)
{
    struct error reason;

    (void)tls_error(&reason, NULL, what);
    return error_set(why, ERR_TLS, "TLS file \"%s\": %s", file, reason.text);
}

/* A key behind a passphrase must not make OpenSSL ask the terminal. */
static int
refuse_passphrase(char *out, int size, int is_writing, void *arg)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

static enum err
load_certificate(SSL_CTX *ctx, const struct tls_params *p, struct error *why)
{
    enum err e = need_file(p->cert_file, "certificate", why);

    if (e == ERR_NONE)
        e = need_file(p->key_file, "key", why);
    if (e != ERR_NONE)
        return e;
    if (SSL_CTX_use_certificate_chain_file(ctx, p->cert_file) != 1)
        return file_error(why, "certificate", p->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, p->key_file, SSL_FILETYPE_PEM) != 1)
        return file_error(why, "private key", p->key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return file_error(why, "private key does not fit the certificate", p->key_file);
    return ERR_NONE;
}

static enum err
load_ca(SSL_CTX *ctx, const char *file, struct error *why)
{
    enum err e = need_file(file, "CA", why);

    if (e != ERR_NONE)
        return e;
    if (SSL_CTX_load_verify_locations(ctx, file, NULL) != 1)
        return file_error(why, "CA certificates", file);
    return ERR_NONE;
}

/* Contexts */

static struct tls_context *
context_new(const SSL_METHOD *method, enum tls_verify verify)
{
    struct tls_context *c = mem_new(sizeof(*c));

    pthread_mutex_init(&c->_sessions.lock, NULL);
    map_init(&c->_sessions.by_key);
    atomic_init(&c->holders, 1);
    c->verify = verify;
    ERR_clear_error();
    c->ssl_ctx = SSL_CTX_new(method);
    return c;
}

/* What both sides have in common. */
static enum err
set_up(struct tls_context *c, const struct tls_params *p, struct error *why)
{
    enum err e;

    if (c->ssl_ctx == NULL)
        return tls_error(why, NULL, "TLS context");
    SSL_CTX_set_app_data(c->ssl_ctx, c);
    SSL_CTX_set_mode(c->ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_default_passwd_cb(c->ssl_ctx, refuse_passphrase);
    e = set_protocols(c->ssl_ctx, p->protocols, why);
    if (e == ERR_NONE)
        e = set_ciphers(c->ssl_ctx, p, why);
    if (e == ERR_NONE)
        e = set_curve(c->ssl_ctx, p, why);
    return e;
}

/* OUT gets C, or C goes. */
static enum err
finish(struct tls_context *c, enum err e, struct tls_context **out)
{
    if (e == ERR_NONE)
        *out = c;
    else
        tls_context_drop(c);
    return e;
}

static const unsigned char alpn_postgresql[] = "\012postgresql";
_Static_assert(sizeof(alpn_postgresql) == 1 + 10 + 1, "the length octet must fit the name");

/* Called only when the client offers protocols at all. */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
            unsigned offered_len, void *arg)
{
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, alpn_postgresql, sizeof(alpn_postgresql) - 1, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum err
ask_for_client_certificate(SSL_CTX *ctx, const struct tls_params *p, struct error *why)
{
    int mode = p->verify == TLS_VERIFY_OFFERED ? SSL_VERIFY_PEER
                                               : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    STACK_OF(X509_NAME) * names;
    enum err e = load_ca(ctx, p->ca_file, why);

    if (e != ERR_NONE)
        return e;
    names = SSL_load_client_CA_file(p->ca_file);
    if (names == NULL)
        return file_error(why, "CA certificates", p->ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, mode, NULL);
    return ERR_NONE;
}

static enum err
set_up_accept(struct tls_context *c, const struct tls_params *p, struct error *why)
{
    static const unsigned char id[] = "pgweir";
    enum err e = set_up(c, p, why);

    if (e != ERR_NONE)
        return e;
    SSL_CTX_set_options(c->ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_dh_auto(c->ssl_ctx, p->is_without_dhe ? 0 : 1);
    SSL_CTX_set_session_id_context(c->ssl_ctx, id, sizeof(id) - 1);
    SSL_CTX_set_session_cache_mode(c->ssl_ctx, SSL_SESS_CACHE_OFF); /* tickets remember for us */
    SSL_CTX_set_num_tickets(c->ssl_ctx, 1);
    SSL_CTX_set_alpn_select_cb(c->ssl_ctx, choose_alpn, NULL);
    e = load_certificate(c->ssl_ctx, p, why);
    if (e == ERR_NONE && p->verify != TLS_VERIFY_NONE)
        e = ask_for_client_certificate(c->ssl_ctx, p, why);
    return e;
}

enum err
tls_context_new_accept(const struct tls_params *params, struct tls_context **out, struct error *why)
{
    struct tls_context *c = context_new(TLS_server_method(), params->verify);

    return finish(c, set_up_accept(c, params, why), out);
}

/* The SSL object carries its key (stream_tls.c); 1 means that the reference is ours now. */
static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
    const char *key = SSL_get_app_data(ssl);

    if (key == NULL || !SSL_SESSION_is_resumable(session))
        return 0;
    tls_keep_session(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), key, session);
    return 1;
}

static enum err
set_up_connect(struct tls_context *c, const struct tls_params *p, struct error *why)
{
    enum err e = set_up(c, p, why);

    if (e != ERR_NONE)
        return e;
    SSL_CTX_set_session_cache_mode(c->ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ssl_ctx, on_new_session);
    SSL_CTX_set_alpn_protos(c->ssl_ctx, alpn_postgresql, sizeof(alpn_postgresql) - 1);
    if (p->verify != TLS_VERIFY_NONE) {
        e = load_ca(c->ssl_ctx, p->ca_file, why);
        SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, NULL);
    }
    if (e == ERR_NONE && (is_given(p->cert_file) || is_given(p->key_file)))
        e = load_certificate(c->ssl_ctx, p, why);
    return e;
}

enum err
tls_context_new_connect(const struct tls_params *params, struct tls_context **out, struct error *why)
{
    struct tls_context *c = context_new(TLS_client_method(), params->verify);

    return finish(c, set_up_connect(c, params, why), out);
}

struct tls_context *
tls_context_hold(struct tls_context *c)
{
    if (c != NULL)
        atomic_fetch_add_explicit(&c->holders, 1, memory_order_relaxed);
    return c;
}

void
tls_context_drop(struct tls_context *c)
{
    struct map_node *node;

    if (c == NULL || atomic_fetch_sub_explicit(&c->holders, 1, memory_order_acq_rel) > 1)
        return;
    while ((node = map_take_any(&c->_sessions.by_key)) != NULL)
        kept_session_free(CONTAINER_OF(node, struct kept_session, in_sessions));
    map_fini(&c->_sessions.by_key);
    pthread_mutex_destroy(&c->_sessions.lock);
    SSL_CTX_free(c->ssl_ctx);
    free(c);
}
