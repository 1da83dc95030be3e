/*
 * proof.c - the exchanges by which a client proves that it knows a secret: clear-text password, md5,
 * SCRAM-SHA-256(-PLUS).
 *
 *     proof_ask_…() -> request -> proof_read() -> EV_PROVED, or the end
 *
 * What it is held against, l->stored, was found by auth.c. A second secret that is still good (l->old_stored)
 * is tried when the first does not fit; with SCRAM only where both are plain passwords, because the salt is
 * told before the proof comes. A secret that auth_query gave some time ago may have changed since: then it is
 * asked for again, once.
 *
 * source PostgreSQL docs, protocol-flow "Start-up"; sasl-authentication.
 */
#include <stdio.h>
#include <stdlib.h>

#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/rules.h"

void
proof_ask_scram(struct client *c)
{
    static const char *const with_plus[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", NULL };
    struct login *l = c->login;
    uint8_t endpoint[64];
    bool has_plus = stream_tls_endpoint(&c->stream, endpoint) > 0;
    struct keyring *keyring = c->worker->house->keyring;
    unsigned iterations = worker_settings(c->worker)->scram_iterations;
    struct buf out;

    if (l->stored != NULL)
        l->is_known = keyring_verifier(keyring, l->user, l->stored, iterations, &l->keys);
    if (!l->is_known)
        keyring_mock(keyring, l->user, iterations, &l->keys);
    buf_init(&out);
    build_auth_sasl(&out, has_plus ? with_plus : with_plus + 1);
    login_send(c, &out);
    l->expects = LOGIN_SASL_FIRST;
}

void
proof_ask_md5(struct client *c)
{
    struct login *l = c->login;
    struct buf out;

    l->is_known = l->stored != NULL && l->stored[0] != '\0';
    random_secret(l->md5_salt, sizeof l->md5_salt);
    buf_init(&out);
    build_auth_md5(&out, l->md5_salt);
    login_send(c, &out);
    l->expects = LOGIN_MD5;
}

void
proof_ask_plain(struct client *c)
{
    struct login *l = c->login;
    struct buf out;

    l->is_known = l->stored != NULL && l->stored[0] != '\0';
    buf_init(&out);
    build_auth(&out, AUTH_CLEARTEXT);
    login_send(c, &out);
    l->expects = LOGIN_PLAIN;
}

static void
proof_refuse(struct client *c)
{
    const struct login *l = c->login;
    struct pg_error e;

    if (!l->is_known) /* what the client is not told, because it would help to guess names */
        client_log(c, LOG_NOTICE_LEVEL, "%s: %s",
                   l->stored == NULL || l->stored[0] != '\0' ? "no such user" : "user without a password",
                   l->user);
    pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_PASSWORD, "password authentication failed for user \"%s\"",
                 l->user);
    client_end(c, END_LOGIN_FAILED, &e);
}

void
proof_refuse_method(struct client *c, const char *method)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_AUTHORIZATION, "%s authentication failed for user \"%s\"",
                 method, c->login->user);
    client_end(c, END_LOGIN_FAILED, &e);
}

/* --- passwords --- */

/* The name under which keys are learnt: users of auth_query are those of a database, not of the pooler. */
static void
learn(struct client *c, const struct scram_keys *keys)
{
    struct login *l = c->login;

    if (l->is_from_query)
        keyring_learn_in(c->worker->house->keyring, l->database, l->user, keys);
    else
        keyring_learn(c->worker->house->keyring, l->user, keys);
}

static bool
plain_fits(struct client *c, const char *stored, const char *password)
{
    struct login *l = c->login;
    char hash[MD5_TEXT];
    struct scram_keys keys;
    bool fits = false;

    switch (secret_kind_of(stored)) {
    case SECRET_PLAIN:
        return strlen(password) == strlen(stored) && secret_equal(password, stored, strlen(stored));
    case SECRET_MD5:
        md5_stored(password, l->user, hash);
        return strlen(stored) == strlen(hash) && secret_equal(hash, stored, strlen(hash));
    case SECRET_SCRAM:
        if (scram_verifier_read(stored, &l->keys, NULL) != ERR_NONE)
            return false;
        keyring_derive(c->worker->house->keyring, password, slice_of(l->keys.salt, l->keys.salt_len),
                       l->keys.iterations, &keys);
        fits = secret_equal(keys.stored_key, l->keys.stored_key, SCRAM_KEY);
        if (fits)
            learn(c, &keys);
        mem_wipe(&keys, sizeof keys);
        return fits;
    case SECRET_NONE:
        break;
    }
    return false;
}

static bool
md5_fits(struct client *c, const char *stored, const char *response)
{
    struct login *l = c->login;
    char hash[MD5_TEXT];
    char expected[MD5_TEXT];
    bool fits;

    switch (secret_kind_of(stored)) {
    case SECRET_MD5:
        snprintf(hash, sizeof hash, "%s", stored);
        break;
    case SECRET_PLAIN:
        md5_stored(stored, l->user, hash);
        break;
    case SECRET_SCRAM: /* the hash would be one of the verifier's text */
    case SECRET_NONE:
        return false;
    }
    md5_response(hash, l->md5_salt, expected);
    fits = strlen(response) == strlen(expected) && secret_equal(response, expected, strlen(expected));
    mem_wipe(hash, sizeof hash);
    return fits;
}

static bool
response_fits(struct client *c, const char *stored, const char *response)
{
    if (stored == NULL)
        return false;
    return c->login->expects == LOGIN_PLAIN ? plain_fits(c, stored, response) : md5_fits(c, stored, response);
}

/* Whether the response fits either secret; the one that it fits is the user's from here on. */
static bool
is_proved(struct client *c, const char *response)
{
    struct login *l = c->login;

    if (!l->is_known)
        return false;
    if (response_fits(c, l->stored, response))
        return true;
    if (!response_fits(c, l->old_stored, response))
        return false;
    mem_free_secret(l->stored);
    l->stored = l->old_stored;
    l->old_stored = NULL;
    return true;
}

/* What servers of a user whom auth_query knows may want: there is no auth file to look it up in. */
static void
on_proved(struct client *c)
{
    struct login *l = c->login;

    if (l->is_from_query && secret_kind_of(l->stored) != SECRET_SCRAM)
        keyring_learn_secret(c->worker->house->keyring, l->database, l->user, l->stored);
    client_feed(c, EV_PROVED);
}

static void
on_password(struct client *c, struct slice message)
{
    struct login *l = c->login;
    struct slice sent;
    char *response;

    if (front_password_read(message, &sent) != PARSE_DONE) {
        login_refuse(c, END_PROTOCOL, SQLSTATE_PROTOCOL_VIOLATION, "invalid password message");
        return;
    }
    response = mem_text_of(sent);
    if (l->method == HBA_PAM) {
        auth_ask_others(c, response);
        mem_free_secret(response);
        return;
    }
    if (is_proved(c, response)) {
        mem_free_secret(response);
        on_proved(c);
    } else if (l->is_remembered) {
        l->response = response;
        auth_ask_again(c);
    } else {
        mem_free_secret(response);
        proof_refuse(c);
    }
}

void
proof_again(struct client *c)
{
    struct login *l = c->login;

    l->is_known = l->stored != NULL && l->stored[0] != '\0';
    if (is_proved(c, l->response))
        on_proved(c);
    else
        proof_refuse(c);
}

/* --- SCRAM --- */

static void
refuse_scram(struct client *c, const struct error *why)
{
    if (why->code == ERR_AUTH) {
        /* The exchange cannot begin anew, but the next login meets a newer verifier. */
        if (c->login->is_remembered)
            (void)secret_ask_send(c->worker, SECRET_OF_QUERY, c->login->database, c->login->user, true, NULL,
                                  NULL);
        proof_refuse(c);
        return;
    }
    client_log(c, LOG_NOTICE_LEVEL, "SASL authentication failed: %s", why->text);
    login_refuse(c, END_LOGIN_FAILED, SQLSTATE_PROTOCOL_VIOLATION, "SASL authentication failed");
}

static void
on_sasl_first(struct client *c, struct slice message)
{
    struct login *l = c->login;
    struct sasl_initial initial;
    uint8_t nonce[SCRAM_NONCE_RAW];
    uint8_t endpoint[64];
    size_t endpoint_len = stream_tls_endpoint(&c->stream, endpoint);
    struct buf first;
    struct buf out;
    struct error why;

    if (front_sasl_initial_read(message, &initial) != PARSE_DONE || !initial.has_response) {
        login_refuse(c, END_PROTOCOL, SQLSTATE_PROTOCOL_VIOLATION, "invalid SASLInitialResponse message");
        return;
    }
    l->is_plus = endpoint_len > 0 && slice_is(initial.mechanism, "SCRAM-SHA-256-PLUS");
    if (!l->is_plus && !slice_is(initial.mechanism, "SCRAM-SHA-256")) {
        login_refuse(c, END_PROTOCOL, SQLSTATE_PROTOCOL_VIOLATION,
                     "client selected an invalid SASL authentication mechanism");
        return;
    }
    random_secret(nonce, sizeof nonce);
    buf_init(&first);
    if (scram_server_first(&l->scram, initial.response, l->is_plus, endpoint_len > 0,
                           slice_of(endpoint, endpoint_len), &l->keys, nonce, &first, &why) != ERR_NONE) {
        buf_release(&first);
        refuse_scram(c, &why);
        return;
    }
    buf_init(&out);
    build_auth_sasl_data(&out, AUTH_SASL_CONTINUE, buf_slice(&first));
    buf_wipe(&first);
    login_send(c, &out);
    l->expects = LOGIN_SASL_FINAL;
}

/* The proof was made with the salt of `stored`. Where that is ours, the old password has it too. */
static bool
old_secret_fits(struct client *c, struct slice response, struct buf *final)
{
    struct login *l = c->login;
    struct scram_keys keys;

    if (!l->is_known || secret_kind_of(l->stored) != SECRET_PLAIN ||
        secret_kind_of(l->old_stored) != SECRET_PLAIN)
        return false;
    keyring_derive(c->worker->house->keyring, l->old_stored, slice_of(l->keys.salt, l->keys.salt_len),
                   l->keys.iterations, &keys);
    l->keys = keys;
    mem_wipe(&keys, sizeof keys);
    return scram_server_final(&l->scram, response, &l->keys, final, NULL) == ERR_NONE;
}

static void
on_sasl_final(struct client *c, struct slice message)
{
    struct login *l = c->login;
    struct slice response;
    struct buf final;
    struct error why;

    if (front_sasl_response_read(message, &response) != PARSE_DONE) {
        login_refuse(c, END_PROTOCOL, SQLSTATE_PROTOCOL_VIOLATION, "invalid SASLResponse message");
        return;
    }
    buf_init(&final);
    if (scram_server_final(&l->scram, response, &l->keys, &final, &why) != ERR_NONE &&
        !old_secret_fits(c, response, &final)) {
        buf_release(&final);
        refuse_scram(c, &why);
        return;
    }
    if (!l->is_known) { /* the made-up verifier cannot be met, but nothing may hang on that */
        buf_wipe(&final);
        proof_refuse(c);
        return;
    }
    build_auth_sasl_data(&l->last_word, AUTH_SASL_FINAL, buf_slice(&final));
    buf_wipe(&final);
    memcpy(l->keys.client_key, l->scram.client_key, SCRAM_KEY);
    l->keys.has_client_key = true;
    learn(c, &l->keys);
    on_proved(c);
    if (c->state != CLIENT_ENDED && c->login != NULL && buf_len(&c->login->last_word) > 0)
        login_send(c, &c->login->last_word); /* the greeting has to wait */
}

static void
on_login_message(struct client *c, const struct scan_span *span)
{
    if (span->type == 'X') {
        client_end(c, END_CLIENT_LEFT, NULL);
        return;
    }
    if (span->type != 'p' || !span->is_last) {
        struct pg_error e;

        pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION,
                     "expected password response, got message type %u", span->type);
        client_end(c, END_PROTOCOL, &e);
        return;
    }
    switch (c->login->expects) {
    case LOGIN_PLAIN:
    case LOGIN_MD5:
        on_password(c, span->bytes);
        break;
    case LOGIN_SASL_FIRST:
        on_sasl_first(c, span->bytes);
        break;
    case LOGIN_SASL_FINAL:
        on_sasl_final(c, span->bytes);
        break;
    case LOGIN_NOTHING: /* login_read() shows us nothing then */
        break;
    }
}

size_t
proof_read(struct client *c, struct slice in)
{
    struct slice rest = in;
    struct scanner scanner;
    struct scan_span span;

    scanner_init(&scanner, &front_login_rules, STARTUP_MOST_BYTES, STARTUP_MOST_BYTES);
    switch (scan_next(&scanner, &rest, &span)) {
    case SCAN_MESSAGE:
        on_login_message(c, &span);
        return in.len - rest.len;
    case SCAN_MORE:
        return 0;
    case SCAN_REST:
    case SCAN_BAD:
        break;
    }
    login_refuse(c, END_PROTOCOL, SQLSTATE_PROTOCOL_VIOLATION, "invalid message during authentication");
    return in.len;
}
