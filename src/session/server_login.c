/*
 * server_login.c - a server connection from dial to its first ReadyForQuery.
 *
 *     dial -> [SSLRequest -> handshake] -> StartupMessage -> proof -> ParameterStatus… BackendKeyData ReadyForQuery -> [connect_query]
 *
 * Credentials, in this order: what password_command prints, the password of the database entry, the user's secret in the auth file, what auth_query told
 * of him, the SCRAM keys that his own login to us has revealed. Where the server refuses the first and there is a second (the auth file's older secret, a
 * token made anew), that is tried, once. A host that cannot be reached is followed by the next of the list; a login that was refused is not tried elsewhere.
 *
 * source PostgreSQL docs, protocol-flow "Start-up", "SSL Session Encryption"; sasl-authentication.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/rules.h"
#include "pgweir/wire/secret.h"
#include "relay_impl.h"
#include "secret_ask_impl.h"
#include "server_impl.h"

struct server_login {
    struct dial *dial;   /* while DIALING */
    const char *closing; /* PgBouncer's words for the last failure to connect; static */
    struct scram scram;
    struct buf parameters; /* ParameterStatus messages as they came */
    unsigned host;         /* index of the one being tried */
    unsigned hosts_tried;
    enum { SASL_NOT_YET, SASL_FIRST_SENT, SASL_FINAL_SENT, SASL_VERIFIED } sasl;
    char *secret;           /* what this try is made with; owned, wiped; NULL: nothing is known by heart */
    bool has_chosen;        /* secret was looked for */
    bool is_second;         /* the server has refused the first secret, this try is made with another */
    bool begins_with_older; /* the first try was made with the older of two secrets */
    struct secret_ask *ask; /* what password_command prints is on its way; NULL: no */
    struct buf unanswered;  /* the request that waits for it */
};

void
server_login_free(struct server_login *login)
{
    if (login == NULL)
        return;
    dial_cancel(login->dial);
    scram_fini(&login->scram);
    buf_release(&login->parameters);
    buf_release(&login->unanswered);
    secret_ask_forget(login->ask);
    mem_free_secret(login->secret);
    free(login);
}

/* --- failing --- */

static void fail(struct server *s, enum dial_failure failure, const char *sqlstate, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void
fail(struct server *s, enum dial_failure failure, const char *sqlstate, const char *format, ...)
{
    struct pg_error e;
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pg_error_set(&e, PG_FATAL, sqlstate, "%s", text);
    server_login_failed(s, failure, s->state == SERVER_DIALING ? s->login->closing : "login failed", &e);
}

static void dial_host(struct server *s);

/* Forgets what the last host has said. */
static void
begin_anew(struct server *s)
{
    struct server_login *l = s->login;

    buf_release(&s->carry);
    buf_release(&l->parameters);
    scram_fini(&l->scram);
    l->sasl = SASL_NOT_YET;
    mem_free_secret(l->secret);
    l->secret = NULL;
    l->has_chosen = false;
}

/* Where the next dials begin, unless another one has failed there first. */
static void
leave_host(struct server *s)
{
    _Atomic unsigned *turn = pool_host_turn(shard_pool(s->member.shard));
    unsigned at = atomic_load_explicit(turn, memory_order_relaxed);

    if (at % s->route->host_count == s->login->host)
        atomic_compare_exchange_strong(turn, &at, at + 1);
}

/* Which of the list is tried first: each in turn, or the one where the last dial has worked. */
static unsigned
first_host(struct server *s)
{
    _Atomic unsigned *turn = pool_host_turn(shard_pool(s->member.shard));

    if (s->route->load_balance_hosts == BALANCE_DISABLE)
        return atomic_load_explicit(turn, memory_order_relaxed) % s->route->host_count;
    return atomic_fetch_add_explicit(turn, 1, memory_order_relaxed) % s->route->host_count;
}

/* This host cannot be reached; the list may have another. */
static void
fail_host(struct server *s, const char *sqlstate, const char *why)
{
    struct server_login *l = s->login;

    if (++l->hosts_tried < s->route->host_count) {
        server_log(s, LOG_NOTICE_LEVEL, "trying the next host: %s", why);
        stream_close(&s->stream);
        server_move(s, SERVER_DIALING);
        if (s->route->load_balance_hosts == BALANCE_DISABLE)
            leave_host(s);
        l->host = (l->host + 1) % s->route->host_count;
        begin_anew(s);
        dial_host(s);
        return;
    }
    fail(s, DIAL_UNREACHABLE, sqlstate, "cannot reach the server \"%s\": %s", s->host, why);
}

/* --- startup and proof --- */

static void
send_buf(struct server *s, struct buf *out)
{
    stream_send(&s->stream, buf_slice(out));
    buf_wipe(out);
}

static void
send_startup(struct server *s)
{
    struct startup_pair pairs[STARTUP_MOST_PARAMETERS + 2] = { { "user", s->route->user },
                                                               { "database", s->route->server_database } };
    struct slice own = pool_startup(shard_pool(s->member.shard));
    struct startup_pair pair;
    size_t count = 2;
    struct buf out;

    while (startup_next(&own, &pair) && count < COUNT_OF(pairs))
        if (strcmp(pair.name, "user") != 0 && strcmp(pair.name, "database") != 0 &&
            strncmp(pair.name, "_pq_.", 5) != 0)
            pairs[count++] = pair;
    if (count == 2) /* else the client's own count, as they are */
        for (char **p = s->route->startup; p != NULL && *p != NULL && count < COUNT_OF(pairs); p += 2)
            pairs[count++] = (struct startup_pair){ p[0], p[1] };
    buf_init(&out);
    build_startup(&out, 0, pairs, count);
    send_buf(s, &out);
    scanner_init(&s->scanner, &back_login_rules, SCAN_MAX_BODY, SCAN_MAX_BODY);
    server_move(s, SERVER_AUTH);
}

/* --- secrets --- */

/* The auth file's secrets of the role on the server, "" where it has none; the newer one first. False: the route names its own password. */
static bool
listed_secrets(const struct server *s, const char *out[2])
{
    const struct settings *settings = worker_settings(s->worker);
    const char *newer = settings_auth_secret(settings, s->route->user);
    const char *older = settings_auth_old_secret(settings, s->route->user);

    out[0] = newer != NULL ? newer : "";
    out[1] = older != NULL ? older : "";
    return s->route->password == NULL || strcmp(s->route->password, out[0]) == 0;
}

/* The secret for this try, owned by the caller; NULL: none is known by heart. Of two that the auth file lists, the one that this server has
 * refused lately comes second. */
static char *
choose_secret(struct server *s)
{
    struct server_login *l = s->login;
    struct keyring *keyring = s->worker->house->keyring;
    const char *listed[2];

    if (!listed_secrets(s, listed))
        return mem_text(s->route->password);
    if (listed[0][0] == '\0')
        return keyring_learnt_secret(keyring, s->route->database, s->route->user);
    if (!l->is_second)
        l->begins_with_older = listed[1][0] != '\0' &&
                               keyring_was_refused(keyring, s->route->host_key, s->route->user, listed[0]);
    return mem_text(listed[l->is_second != l->begins_with_older && listed[1][0] != '\0']);
}

static bool
has_other_secret(const struct server *s)
{
    const char *listed[2];

    return !s->login->is_second &&
           (s->route->password_command[0] != '\0' || (listed_secrets(s, listed) && listed[1][0] != '\0'));
}

/* The server has refused the secret, and there is another: comes again with that. */
static void
try_other_secret(struct server *s)
{
    struct server_login *l = s->login;

    server_log(s, LOG_NOTICE_LEVEL, "the server refused the password of user \"%s\", trying the other one",
               s->route->user);
    if (l->secret != NULL)
        keyring_note_refused(s->worker->house->keyring, s->route->host_key, s->route->user, l->secret);
    stream_close(&s->stream);
    server_move(s, SERVER_DIALING);
    begin_anew(s);
    l->is_second = true;
    dial_host(s);
}

static bool on_auth(struct server *s, struct slice message);

static void
on_command_answer(void *asker, struct secret_ask *ask)
{
    struct server *s = asker;
    struct server_login *l = s->login;
    struct buf message = l->unanswered;

    l->ask = NULL;
    buf_init(&l->unanswered);
    if (s->state == SERVER_ENDED) {
        buf_release(&message);
        return;
    }
    if (ask->outcome != SECRET_GIVEN) {
        fail(s, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT, "%s", ask->why.message);
    } else {
        l->secret = ask->secret;
        ask->secret = NULL;
        l->has_chosen = true;
        (void)on_auth(s, buf_slice(&message));
    }
    buf_release(&message);
}

/* Whether login->secret is what it can be. False: it is on its way, and on_auth() will see MESSAGE again. */
static bool
has_secret(struct server *s, struct slice message)
{
    struct server_login *l = s->login;

    if (l->has_chosen)
        return true;
    if (s->route->password_command[0] != '\0') {
        buf_add(&l->unanswered, message);
        l->ask = secret_ask_send(s->worker, SECRET_OF_COMMAND, s->route->database, s->route->user,
                                 l->is_second, on_command_answer, s);
        return false;
    }
    l->secret = choose_secret(s);
    l->has_chosen = true;
    return true;
}

static const char *
known_secret(const struct server *s)
{
    return s->login->secret == NULL ? "" : s->login->secret;
}

/* Keys that a client's login has revealed. */
static bool
learnt_keys(const struct server *s, struct scram_keys *out)
{
    struct keyring *keyring = s->worker->house->keyring;

    return keyring_learnt_in(keyring, s->route->database, s->route->user, out) ||
           keyring_learnt(keyring, s->route->user, out);
}

/* --- proof --- */

static bool
sasl_begin(struct server *s, const struct auth_request *request)
{
    struct server_login *l = s->login;
    uint8_t nonce[SCRAM_NONCE_RAW];
    uint8_t endpoint[64];
    size_t endpoint_len = stream_tls_endpoint(&s->stream, endpoint);
    bool is_plus = endpoint_len > 0 && auth_offers(request, "SCRAM-SHA-256-PLUS");
    char flag = is_plus ? 'p' : endpoint_len > 0 ? 'y' : 'n';
    struct buf first;
    struct buf out;

    if (!is_plus && !auth_offers(request, "SCRAM-SHA-256")) {
        fail(s, DIAL_REFUSED, SQLSTATE_INVALID_AUTHORIZATION,
             "the server offers no SASL mechanism that the pooler speaks");
        return false;
    }
    random_secret(nonce, sizeof nonce);
    buf_init(&first);
    buf_init(&out);
    scram_client_first(&l->scram, nonce, flag, slice_of(endpoint, is_plus ? endpoint_len : 0), &first);
    build_sasl_initial(&out, is_plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", buf_slice(&first));
    buf_wipe(&first);
    send_buf(s, &out);
    l->sasl = SASL_FIRST_SENT;
    return true;
}

static bool
sasl_continue(struct server *s, const struct auth_request *request)
{
    struct server_login *l = s->login;
    struct keyring *keyring = s->worker->house->keyring;
    const char *secret = known_secret(s);
    struct scram_keys keys;
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len;
    uint32_t iterations;
    struct error why;
    struct buf final;
    struct buf out;

    if (l->sasl != SASL_FIRST_SENT ||
        scram_client_challenge(&l->scram, request->data, salt, &salt_len, &iterations, &why) != ERR_NONE) {
        fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "bad SASL challenge from the server");
        return false;
    }
    if (secret_kind_of(secret) == SECRET_PLAIN) {
        keyring_derive(keyring, secret, slice_of(salt, salt_len), iterations, &keys);
    } else if (!learnt_keys(s, &keys)) {
        fail(s, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD,
             "wrong password type: the server wants SCRAM and no usable password of user \"%s\" is known",
             s->route->user);
        return false;
    } else if (keys.iterations != iterations ||
               !slice_equal(slice_of(keys.salt, keys.salt_len), slice_of(salt, salt_len))) {
        fail(s, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD,
             "the SCRAM verifier of user \"%s\" is not the server's, or the role has expired there",
             s->route->user);
        mem_wipe(&keys, sizeof keys);
        return false;
    }
    buf_init(&final);
    buf_init(&out);
    scram_client_final(&l->scram, &keys, &final);
    build_sasl_response(&out, buf_slice(&final));
    mem_wipe(&keys, sizeof keys);
    buf_wipe(&final);
    send_buf(s, &out);
    l->sasl = SASL_FINAL_SENT;
    return true;
}

static bool
answer_password(struct server *s, const struct auth_request *request)
{
    const char *secret = known_secret(s);
    enum secret_kind kind = secret_kind_of(secret);
    char stored[MD5_TEXT];
    char response[MD5_TEXT];
    struct buf out;

    buf_init(&out);
    if (request->kind == AUTH_CLEARTEXT && kind == SECRET_PLAIN) {
        build_password(&out, secret);
    } else if (request->kind == AUTH_MD5 && (kind == SECRET_PLAIN || kind == SECRET_MD5)) {
        if (kind == SECRET_PLAIN)
            md5_stored(secret, s->route->user, stored);
        else
            snprintf(stored, sizeof stored, "%s", secret);
        md5_response(stored, request->md5_salt, response);
        build_password(&out, response);
        mem_wipe(stored, sizeof stored);
    } else {
        fail(s, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD,
             "wrong password type: the server wants %s and no such password of user \"%s\" is known",
             request->kind == AUTH_MD5 ? "md5" : "a cleartext password", s->route->user);
        return false;
    }
    send_buf(s, &out);
    return true;
}

static bool
on_auth(struct server *s, struct slice message)
{
    struct server_login *l = s->login;
    struct auth_request request;
    struct error why;

    if (back_auth_read(message, &request) != PARSE_DONE) {
        fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unreadable authentication request");
        return false;
    }
    switch (request.kind) {
    case AUTH_OK:
        /* A server that skips the end of the exchange has not proved that it knows the password. */
        if (l->sasl == SASL_FIRST_SENT || l->sasl == SASL_FINAL_SENT) {
            fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "the server left the SCRAM exchange early");
            return false;
        }
        return true;
    case AUTH_CLEARTEXT:
    case AUTH_MD5:
        return !has_secret(s, message) || answer_password(s, &request);
    case AUTH_SASL:
        return !has_secret(s, message) || sasl_begin(s, &request);
    case AUTH_SASL_CONTINUE:
        return sasl_continue(s, &request);
    case AUTH_SASL_FINAL:
        if (l->sasl != SASL_FINAL_SENT || scram_client_verify(&l->scram, request.data, &why) != ERR_NONE) {
            fail(s, DIAL_REFUSED, SQLSTATE_INVALID_PASSWORD,
                 "the server did not prove that it knows the password of user \"%s\"", s->route->user);
            return false;
        }
        l->sasl = SASL_VERIFIED;
        return true;
    default:
        break;
    }
    fail(s, DIAL_REFUSED, SQLSTATE_INVALID_AUTHORIZATION,
         "the server asks for authentication method %u, which the pooler does not speak", request.kind);
    return false;
}

/* --- after the proof --- */

static bool
starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool
on_error(struct server *s, struct slice message)
{
    enum dial_failure failure = DIAL_REFUSED;
    struct pg_error e;

    if (!pg_error_read(message, &e)) {
        fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unreadable error from the server");
        return false;
    }
    if (s->state == SERVER_SETUP && e.severity != PG_FATAL) {
        server_log(s, LOG_WARNING_LEVEL, "connect_query failed: %s: %s", e.sqlstate, e.message);
        return true;
    }
    if (s->state == SERVER_AUTH && strcmp(e.sqlstate, SQLSTATE_INVALID_PASSWORD) == 0 &&
        has_other_secret(s)) {
        try_other_secret(s);
        return false;
    }
    if (starts_with(e.sqlstate, SQLSTATE_TOO_MANY_CONNECTIONS))
        failure = DIAL_CONGESTED;
    else if (starts_with(e.sqlstate, "57P0"))
        failure = DIAL_UNREACHABLE;
    e.severity = PG_FATAL;
    server_login_failed(s, failure, "login failed", &e);
    return false;
}

static bool
on_key(struct server *s, struct slice message)
{
    struct backend_key key;

    if (back_key_read(message, &key) != PARSE_DONE || key.secret.len > sizeof s->backend_secret) {
        fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unreadable cancel key from the server");
        return false;
    }
    s->backend_pid = key.pid;
    s->backend_secret_len = (uint16_t)key.secret.len;
    memcpy(s->backend_secret, key.secret.at, key.secret.len);
    return true;
}

static void
log_arrival(const struct server *s)
{
    struct address local, peer;
    char from[160] = "";
    char at[128];
    char tls[128];

    stream_ends(&s->stream, &local, &peer);
    if (local.len > 0 && local.at.ss_family != AF_UNIX) {
        address_text(&local, at, sizeof at);
        snprintf(from, sizeof from, " (from %s)", at);
    }
    stream_tls_text(&s->stream, tls, sizeof tls);
    server_log(s, LOG_NOTICE_LEVEL, "new connection to server%s%s%s pid=%u", from,
               tls[0] != '\0' ? " tls=" : "", tls, s->backend_pid);
}

/* True while connect_query keeps S here. False: it is in the pool, where another worker may have taken it by now. */
static bool
on_ready(struct server *s)
{
    if (s->state == SERVER_AUTH) {
        if (pool_needs_welcome(&s->member))
            pool_set_welcome(shard_pool(s->member.shard), welcome_new(buf_slice(&s->login->parameters)));
        if (s->route->connect_query[0] != '\0') {
            struct buf out;

            buf_init(&out);
            build_query(&out, s->route->connect_query);
            send_buf(s, &out);
            server_move(s, SERVER_SETUP);
            return true;
        }
    }
    if (worker_settings(s->worker)->log_connections)
        log_arrival(s);
    server_begin_work(s);
    return false;
}

/* False when S has ended or changed hands: it must not be touched any more. */
static bool
on_message(struct server *s, const struct scan_span *span)
{
    switch (back_kind_of(span->type)) {
    case BACK_AUTH:
        if (s->state == SERVER_AUTH)
            return on_auth(s, span->bytes);
        break;
    case BACK_KEY:
        return on_key(s, span->bytes);
    case BACK_PARAMETER:
        if (buf_len(&s->login->parameters) + span->bytes.len <= RELAY_CARRY_BYTES)
            buf_add(&s->login->parameters, span->bytes);
        return true;
    case BACK_ERROR:
        return on_error(s, span->bytes);
    case BACK_READY:
        return on_ready(s);
    case BACK_NOTICE:
    case BACK_NEGOTIATE:
    case BACK_NOTIFICATION:
        return true;
    default:
        break;
    }
    if (s->state == SERVER_SETUP &&
        back_kind_of(span->type) != BACK_AUTH) /* the results of connect_query are nobody's */
        return true;
    fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unexpected message %u during the login to the server",
         span->type);
    return false;
}

static void
read_messages(struct server *s, struct slice fresh)
{
    struct slice in;

    buf_add(&s->carry, fresh);
    in = buf_slice(&s->carry);
    for (;;) {
        struct scan_span span;

        switch (scan_next(&s->scanner, &in, &span)) {
        case SCAN_MESSAGE:
            buf_drop(&s->carry,
                     buf_len(&s->carry) - in.len); /* what is left when the login ends is the relay's */
            if (!on_message(s, &span))
                return;
            break;
        case SCAN_REST:
            break;
        case SCAN_MORE:
            buf_drop(&s->carry, buf_len(&s->carry) - in.len);
            return;
        case SCAN_BAD:
            fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unreadable message during the login: %s",
                 span.why);
            return;
        }
    }
}

/* --- TLS --- */

static bool
wants_tls(const struct server *s)
{
    return s->tls != NULL && s->peer.at.ss_family != AF_UNIX;
}

static void
on_tls_answer(struct server *s, struct slice fresh)
{
    char endpoint[300];

    if (fresh.len == 1 && fresh.at[0] == 'S') {
        server_move(s, SERVER_TLS);
        snprintf(endpoint, sizeof endpoint, "%s:%u", s->host, s->route->hosts[s->login->host].port);
        stream_start_tls_connect(&s->stream, s->tls, s->host, endpoint);
        return;
    }
    if (fresh.len == 1 && fresh.at[0] == 'N') {
        if (s->route->server_tls.sslmode <= SSL_PREFER)
            send_startup(s);
        else
            fail(s, DIAL_REFUSED, SQLSTATE_CANNOT_CONNECT,
                 "the server \"%s\" does not speak TLS and server_tls_sslmode demands it", s->host);
        return;
    }
    fail(s, DIAL_REFUSED, SQLSTATE_PROTOCOL_VIOLATION, "unexpected answer of \"%s\" to SSLRequest", s->host);
}

/* --- the stream's and the dial's handlers --- */

static void
on_bytes(void *owner, struct slice fresh)
{
    struct server *s = owner;

    if (s->state == SERVER_TLS_ASKED)
        on_tls_answer(s, fresh);
    else
        read_messages(s, fresh);
}

static void
on_tls(void *owner)
{
    send_startup(owner);
}

static void
on_closed(void *owner, const struct error *why)
{
    struct server *s = owner;

    if (why != NULL && why->code == ERR_TLS)
        fail(s, DIAL_REFUSED, SQLSTATE_CANNOT_CONNECT, "TLS to \"%s\": %s", s->host, why->text);
    else
        fail_host(s, SQLSTATE_CONNECTION_FAILURE,
                  why != NULL ? why->text : "the server closed the connection during the login");
}

static void
on_drained(void *owner)
{
    (void)owner;
}

static const struct stream_handler login_handler = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed, .on_tls = on_tls
};

static void
on_connected(void *arg, int fd, const struct address *peer)
{
    struct server *s = arg;
    struct error why;

    s->login->dial = NULL;
    s->peer = *peer;
    s->stream.handler = &login_handler;
    stream_open(&s->stream, s->worker->loop, fd);
    s->stream.may_be_held = true;
    if (s->tls == NULL &&
        house_config_server_tls(s->worker->config, &s->route->server_tls, &s->tls, &why) != ERR_NONE) {
        fail(s, DIAL_REFUSED, SQLSTATE_CANNOT_CONNECT, "TLS to \"%s\": %s", s->host, why.text);
        return;
    }
    if (wants_tls(s)) {
        struct buf out;

        buf_init(&out);
        build_ssl_request(&out);
        send_buf(s, &out);
        server_move(s, SERVER_TLS_ASKED);
    } else {
        send_startup(s);
    }
    stream_read_start(&s->stream);
}

static void
on_failed(void *arg, const struct error *why)
{
    struct server *s = arg;

    s->login->dial = NULL;
    s->login->closing = why->code == ERR_TIMEOUT     ? "connect timeout"
                        : why->code == ERR_NOT_FOUND ? "server DNS lookup failed"
                                                     : "connect failed";
    resolver_forget(s->worker->resolver, s->host);
    fail_host(s, SQLSTATE_CANNOT_CONNECT, why->text);
}

static void
dial_host(struct server *s)
{
    static const struct dial_handler handler = { .on_connected = on_connected, .on_failed = on_failed };
    const struct route_host *h = &s->route->hosts[s->login->host];
    const struct settings *settings = worker_settings(s->worker);
    struct dial_params params = {
        .host = h->host,
        .port = (uint16_t)h->port,
        .timeout_us = s->route->server_connect_timeout_us,
        .tcp = tcp_options_of(settings),
    };

    s->host = h->host;
    s->login->dial = dial_start(s->worker->loop, s->worker->resolver, &params, &handler, s);
}

void
server_login_start(struct server *s)
{
    s->login = mem_new(sizeof *s->login);
    scram_init(&s->login->scram);
    buf_init(&s->login->parameters);
    buf_init(&s->login->unanswered);
    s->login->closing = "connect failed";
    s->login->host = first_host(s);
    if (s->route->server_connect_timeout_us > 0)
        loop_arm(s->worker->loop, &s->timer, s->route->server_connect_timeout_us);
    dial_host(s);
}
