/*
 * login.c - a client from its first byte to its greeting.
 *
 *     [SSLRequest | GSSENCRequest | direct TLS] StartupMessage -> proof -> AuthenticationOk ParameterStatus… BackendKeyData ReadyForQuery
 *
 * Unknown users go through the whole exchange with a made-up verifier, and a database that does not exist is told only to
 * somebody who has proved who they are: as PostgreSQL does it.
 *
 * source PostgreSQL docs, protocol-flow "Start-up", "SSL Session Encryption", "GSSAPI Session Encryption"; sasl-authentication.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cancel_impl.h"
#include "console_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pending_impl.h"
#include "pgweir/wire/back.h"
#include "pipe_impl.h"
#include "relay_impl.h"
#include "session_settings_impl.h"

static void
on_login_due(struct timer *timer)
{
    struct client *c = CONTAINER_OF(timer, struct login, timer)->client;
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION,
                 "client_login_timeout: the login was not finished within %g s",
                 (double)worker_settings(c->worker)->client_login_timeout_us / 1e6);
    if (c->pending != NULL && waiter_is_waiting(&c->pending->waiter))
        client_tell_wait(c, &e);
    client_end(c, END_LOGIN_TIMEOUT, &e);
}

struct login *
login_new(struct client *c)
{
    struct login *l = mem_new(sizeof *l);
    uint64_t bound_us = worker_settings(c->worker)->client_login_timeout_us;

    l->client = c;
    timer_init(&l->timer, on_login_due);
    if (bound_us > 0)
        loop_arm(c->worker->loop, &l->timer, bound_us);
    scram_init(&l->scram);
    buf_init(&l->reported);
    buf_init(&l->startup);
    return l;
}

void
login_free(struct login *l)
{
    if (l == NULL)
        return;
    timer_cancel(&l->timer);
    scram_fini(&l->scram);
    buf_wipe(&l->last_word);
    buf_release(&l->reported);
    buf_release(&l->startup);
    secret_ask_forget(l->ask);
    mem_free_secret(l->stored);
    mem_free_secret(l->old_stored);
    mem_free_secret(l->response);
    mem_wipe(&l->keys, sizeof l->keys);
    free(l->user);
    free(l->database);
    free(l->map);
    free(l->service);
    free(l->host);
    free(l->no_host);
    free(l);
}

/* --- the first packets --- */

static bool
tls_is_on(const struct client *c)
{
    return c->worker->config->client_tls != NULL && !c->is_unix;
}

void
login_refuse(struct client *c, enum end_reason reason, const char *sqlstate, const char *text)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, sqlstate, "%s", text);
    client_end(c, reason, &e);
}

void
login_send(struct client *c, struct buf *out)
{
    client_send(c, buf_slice(out));
    buf_wipe(out);
}

/* SSLRequest or GSSENCRequest, with EXTRA bytes behind it. Whoever has sent more than the request before our answer is not to be
 * trusted: those bytes would be taken for encrypted ones (CVE-2021-23214). */
static void
answer_encryption(struct client *c, bool is_ssl, size_t extra)
{
    bool *asked = is_ssl ? &c->login->is_tls_asked : &c->login->is_gss_asked;

    if (*asked || stream_is_tls(&c->stream)) {
        login_refuse(c, END_STARTUP_BAD, SQLSTATE_PROTOCOL_VIOLATION, "unexpected encryption request");
        return;
    }
    *asked = true;
    if (extra > 0) {
        client_log(c, LOG_WARNING_LEVEL, "received unencrypted data after %s request",
                   is_ssl ? "SSL" : "GSSAPI encryption");
        login_refuse(c, END_STARTUP_BAD, SQLSTATE_PROTOCOL_VIOLATION,
                     is_ssl ? "received unencrypted data after SSL request"
                            : "received unencrypted data after GSSAPI encryption request");
        return;
    }
    if (!is_ssl || !tls_is_on(c)) {
        client_send(c, slice_of_text("N"));
        return;
    }
    client_send(c, slice_of_text("S"));
    client_feed(c, EV_TLS_ASKED);
    stream_start_tls_accept(&c->stream, c->worker->config->client_tls, slice_of(NULL, 0));
}

static size_t
direct_tls(struct client *c, struct slice in)
{
    if (!tls_is_on(c) || stream_is_tls(&c->stream)) {
        client_log(c, LOG_NOTICE_LEVEL, "TLS handshake on a connection that has no TLS");
        client_end(c, END_STARTUP_BAD, NULL);
        return in.len;
    }
    client_feed(c, EV_TLS_ASKED);
    stream_start_tls_accept(&c->stream, c->worker->config->client_tls, in);
    return in.len;
}

struct pair_list {
    struct snapshot_pair pairs[SNAPSHOT_MOST_SETTINGS + 1];
    char *owned[2 * (SNAPSHOT_MOST_SETTINGS + 1)];
    size_t count;
    const struct settings *settings;
    bool is_inside_options;
};

/* WORD is an item of the comma-separated LIST. */
static bool
is_in_list(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list != '\0') {
        size_t item;

        list += strspn(list, ", \t");
        item = strcspn(list, ", \t");
        if (item == len && len > 0 && strncasecmp(list, word, len) == 0)
            return true;
        list += item;
    }
    return false;
}

/* ignore_startup_parameters, as in PgBouncer: what it would follow counts all the same. */
static bool
is_ignored(const struct pair_list *list, const char *name)
{
    static const char followed[] =
        "client_encoding,DateStyle,TimeZone,standard_conforming_strings,application_name";
    const char *ignored = list->settings->ignore_startup_parameters;

    if (ignored[0] == '\0' || is_in_list(followed, name) ||
        is_in_list(list->settings->track_extra_parameters, name))
        return false;
    return is_in_list(ignored, name) || (list->is_inside_options && is_in_list(ignored, "options"));
}

static void
add_setting(void *arg, const char *name, const char *value)
{
    struct pair_list *list = arg;

    if (is_ignored(list, name))
        return;
    if (list->count == COUNT_OF(list->pairs)) /* one too many: the snapshot refuses it */
        return;
    list->owned[2 * list->count] = mem_text(name);
    list->owned[2 * list->count + 1] = mem_text(value);
    list->pairs[list->count] = (struct snapshot_pair){ list->owned[2 * list->count],
                                                       list->owned[2 * list->count + 1] };
    list->count++;
}

/* The application_name becomes "name - address:port". */
static void
add_host(struct client *c, struct pair_list *list)
{
    char peer[128];
    char name[256];
    const char *own = "app";

    for (size_t i = 0; i < list->count; i++)
        if (text_equal_nocase(list->pairs[i].name, "application_name"))
            own = list->pairs[i].value; /* the last one counts */
    stream_peer_text(&c->stream, peer, sizeof peer);
    snprintf(name, sizeof name, "%s - %s", own, peer);
    add_setting(list, "application_name", name);
}

/* The run-time parameters of a startup packet, those in `options` first, as PostgreSQL ranks them. */
static bool
read_settings(struct client *c, struct slice pairs)
{
    struct pair_list list = { .settings = worker_settings(c->worker), .is_inside_options = true };
    struct slice again = pairs;
    struct startup_pair pair;
    const char *why = NULL;
    struct pg_error e;

    while (startup_next(&pairs, &pair))
        if (strcmp(pair.name, "options") == 0 &&
            startup_options_read(pair.value, add_setting, &list, &why) != PARSE_DONE)
            break;
    list.is_inside_options = false;
    while (why == NULL && startup_next(&again, &pair))
        if (strcmp(pair.name, "user") != 0 && strcmp(pair.name, "database") != 0 &&
            strcmp(pair.name, "replication") != 0 && strcmp(pair.name, "options") != 0 &&
            strncmp(pair.name, "_pq_.", 5) != 0)
            add_setting(&list, pair.name, pair.value);
    if (worker_settings(c->worker)->application_name_add_host)
        add_host(c, &list);
    if (why != NULL)
        pg_error_set(&e, PG_FATAL, "42601", "unsupported startup parameter in options: %s", why);
    else if (!snapshot_with(c->worker->house->snapshots, NULL, list.pairs, list.count, &c->settings))
        pg_error_set(&e, PG_FATAL, SQLSTATE_LIMIT_EXCEEDED, "too many or too long startup parameters");
    else
        e.message[0] = '\0';
    for (size_t i = 0; i < 2 * list.count; i++)
        free(list.owned[i]);
    if (e.message[0] != '\0')
        client_end(c, END_STARTUP_BAD, &e);
    return e.message[0] == '\0';
}

/* As PostgreSQL reads it: "database", or a boolean in any of its spellings. */
static bool
read_replication(struct client *c, const char *value)
{
    static const char *const yes[] = { "true", "tru", "tr", "t", "yes", "ye", "y", "on", "1" };
    static const char *const no[] = { "false", "fals", "fal", "fa", "f", "no", "n", "off", "of", "0" };
    struct pg_error e;

    if (strcmp(value, "database") == 0) {
        c->replication = REPLICATION_LOGICAL;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(yes); i++)
        if (text_equal_nocase(value, yes[i])) {
            c->replication = REPLICATION_PHYSICAL;
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(no); i++)
        if (text_equal_nocase(value, no[i])) {
            c->replication = REPLICATION_NONE;
            return true;
        }
    pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_PARAMETER,
                 "invalid value for parameter \"replication\": \"%s\"", value);
    pg_error_hint(&e, "Valid values are: \"false\", 0, \"true\", 1, \"database\".");
    client_end(c, END_STARTUP_BAD, &e);
    return false;
}

/* Takes what we need from the parameters; false when the client was refused. */
static bool
read_parameters(struct client *c, uint16_t minor, struct slice pairs)
{
    struct login *l = c->login;
    const char *unknown[STARTUP_MOST_PARAMETERS];
    size_t unknown_count = 0;
    struct startup_pair pair;
    struct buf out;

    while (startup_next(&pairs, &pair)) {
        if (strcmp(pair.name, "user") == 0 && l->user == NULL) {
            l->user = mem_text(pair.value);
        } else if (strcmp(pair.name, "database") == 0 && l->database == NULL) {
            l->database = mem_text(pair.value);
        } else if (strcmp(pair.name, "replication") == 0) {
            if (!read_replication(c, pair.value))
                return false;
        } else if (strncmp(pair.name, "_pq_.", 5) == 0) {
            unknown[unknown_count++] = pair.name;
        }
    }
    if (l->user == NULL || l->user[0] == '\0') {
        login_refuse(c, END_STARTUP_BAD, SQLSTATE_INVALID_AUTHORIZATION,
                     "no PostgreSQL user name specified in startup packet");
        return false;
    }
    if (l->database == NULL || l->database[0] == '\0') {
        free(l->database);
        l->database = mem_text(l->user);
    }
    if (minor > 0 || unknown_count > 0) {
        buf_init(&out);
        build_negotiate(&out, 0, unknown, unknown_count);
        login_send(c, &out);
    }
    return true;
}

static bool
is_room_for(struct client *c)
{
    struct house *house = c->worker->house;
    unsigned most = worker_settings(c->worker)->max_client_conn;
    unsigned before = atomic_fetch_add_explicit(&house->client_count, 1, memory_order_relaxed);
    struct pg_error e;

    c->is_counted = true;
    if (before < most)
        return true;
    pg_error_set(&e, PG_FATAL, SQLSTATE_TOO_MANY_CONNECTIONS,
                 "no more connections allowed (max_client_conn): %u of %u are in use", before, most);
    pg_error_hint(&e, "Raise max_client_conn, or close clients that are not needed.");
    client_end(c, END_TOO_MANY, &e);
    return false;
}

static void
log_attempt(const struct client *c)
{
    const struct login *l = c->login;
    char tls[128];

    if (!worker_settings(c->worker)->log_connections)
        return;
    stream_tls_text(&c->stream, tls, sizeof tls);
    client_log(c, LOG_NOTICE_LEVEL, "login attempt: db=%s user=%s tls=%s", l->database, l->user,
               tls[0] != '\0' ? tls : "no");
}

static void
on_startup(struct client *c, const struct startup *packet)
{
    const struct settings *settings = worker_settings(c->worker);

    if (settings->client_tls.sslmode >= SSL_REQUIRE && !stream_is_tls(&c->stream) && !c->is_unix) {
        login_refuse(c, END_TLS_REQUIRED, SQLSTATE_INVALID_AUTHORIZATION, "SSL required");
        return;
    }
    if (c->worker->is_draining) {
        client_drain(c);
        return;
    }
    if (!read_parameters(c, packet->minor, packet->pairs))
        return;
    if (c->replication != REPLICATION_NONE)
        buf_add(&c->login->startup, packet->pairs); /* all of it goes to the server as it is */
    else if (!read_settings(c, packet->pairs))
        return;
    if (!console_is_wanted(c) && !is_room_for(c))
        return;
    log_attempt(c);
    c->stream.may_be_held = !console_is_wanted(c); /* not before: it may have been a cancel request */
    client_feed(c, EV_LOGIN_ASKED);
}

static size_t
read_startup(struct client *c, struct slice in)
{
    struct startup packet;
    const char *why = "";
    struct pg_error e;

    switch (startup_read(in, &packet, &why)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        pg_error_set(&e, PG_FATAL,
                     strncmp(why, "unsupported frontend protocol", 29) == 0 ? SQLSTATE_FEATURE_NOT_SUPPORTED
                                                                            : SQLSTATE_PROTOCOL_VIOLATION,
                     "%s", why);
        client_log(c, LOG_NOTICE_LEVEL, "bad startup packet: %s", why);
        client_end(c, END_STARTUP_BAD, &e);
        return in.len;
    case PARSE_DONE:
        break;
    }
    switch (packet.kind) {
    case STARTUP_SSL:
        answer_encryption(c, true, in.len - packet.bytes);
        break;
    case STARTUP_GSSENC:
        answer_encryption(c, false, in.len - packet.bytes);
        break;
    case STARTUP_TLS_HELLO:
        return direct_tls(c, in);
    case STARTUP_CANCEL:
        client_feed(c, EV_CANCEL_ASKED);
        cancel_request(c, packet.cancel_pid, packet.cancel_secret);
        return in.len;
    case STARTUP_LOGIN:
        on_startup(c, &packet);
        break;
    }
    return packet.bytes;
}

size_t
login_read(struct client *c, struct slice in)
{
    size_t used = 0;

    /* While its secret is asked for, what it has said already waits. */
    while (used < in.len &&
           (c->state == CLIENT_STARTUP || (c->state == CLIENT_AUTH && c->login->ask == NULL))) {
        struct slice rest = slice_skip(in, used);
        size_t step = c->state == CLIENT_STARTUP ? read_startup(c, rest) : proof_read(c, rest);

        if (step == 0)
            break;
        used += step;
    }
    return used;
}

/* --- into the pool --- */

/* NAME, a database or a user, has as many clients as OPTION allows, or more. */
static void
refuse_one_more(struct client *c, const char *what, const char *name, const char *option, unsigned limit,
                unsigned count)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_TOO_MANY_CONNECTIONS,
                 "no more connections allowed (%s): %s \"%s\" has %u of %u", option, what, name, count,
                 limit);
    pg_error_hint(&e, "Raise %s, or close clients that are not needed.", option);
    client_end(c, END_TOO_MANY, &e);
}

/* Counts C with its database and its user, where there is room. */
static bool
is_room_for_one_more(struct client *c, const struct route *route)
{
    struct house *house = c->worker->house;
    const char *user = c->login->user;
    unsigned limit = route->max_db_client_connections;
    unsigned count;

    c->of_database = tally_take(&house->database_clients, route->database, limit, &count);
    if (c->of_database == NULL) {
        refuse_one_more(c, "database", route->database, "max_db_client_connections", limit, count);
        return false;
    }
    limit = settings_user_client_limit(worker_settings(c->worker), user);
    c->of_user = tally_take(&house->user_clients, user, limit, &count);
    if (c->of_user == NULL) {
        refuse_one_more(c, "user", user, "max_user_client_connections", limit, count);
        return false;
    }
    return true;
}

/* Where C's login leads, held; NULL: nowhere. Clients of a crowd mostly want what the one before them wanted, and to
 * lay the levels of options over one another costs 8,000 instructions. */
static struct route *
route_of(struct client *c)
{
    const struct login *l = c->login;
    struct worker *w = c->worker;
    struct route *last = w->last_route;

    if (last != NULL && last->settings == worker_settings(w) && strcmp(last->database, l->database) == 0 &&
        (last->is_forced || strcmp(last->user, l->user) == 0))
        return route_hold(last);
    route_drop(last);
    w->last_route = settings_route(worker_settings(w), l->database, l->user);
    return w->last_route == NULL ? NULL : route_hold(w->last_route);
}

void
login_enter_pool(struct client *c)
{
    struct login *l = c->login;
    struct worker *w = c->worker;
    struct route *route;
    struct pool *pool;
    struct pg_error e;

    if (console_is_wanted(c)) {
        console_enter(c);
        return;
    }
    if (l->is_for_console) {
        login_refuse(c, END_SHUTDOWN, SQLSTATE_CANNOT_CONNECT_NOW, "pooler is shutting down");
        return;
    }
    route = route_of(c);
    if (route != NULL && pools_is_disabled(house_pools(w->house), l->database)) {
        route_drop(route);
        pg_error_set(&e, PG_FATAL, SQLSTATE_NOT_IN_STATE, "database \"%s\" is disabled", l->database);
        pg_error_hint(&e,
                      "An administrator has disabled it; ENABLE on the admin console lets clients in again.");
        client_end(c, END_DISABLED, &e);
        return;
    }
    if (route == NULL) {
        pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_DATABASE, "no such database: %s", l->database);
        pg_error_hint(&e, "The pooler's [databases] section has neither this name nor \"*\".");
        client_end(c, END_NO_DATABASE, &e);
        return;
    }
    if (!is_room_for_one_more(c, route)) {
        route_drop(route);
        return;
    }
    pool = c->replication == REPLICATION_NONE
               ? pools_get(house_pools(w->house), route)
               : pools_get_private(house_pools(w->house), route, buf_slice(&l->startup));
    c->shard = pool_shard(pool, w->index);
    shard_client_came(c->shard);
    c->pool_mode = (uint8_t)(c->replication == REPLICATION_NONE ? route->pool_mode : POOL_SESSION);
    route_drop(route);
    if (c->replication == REPLICATION_NONE)
        login_settle(c);
    else
        pipe_await(c);
}

static void
hear_all(struct client *c, struct slice reported)
{
    while (reported.len >= SCAN_HEADER) {
        size_t len = 1 + (size_t)get_be32(reported.at + 1);

        settings_hear(c, slice_of(reported.at, len));
        reported = slice_skip(reported, len);
    }
}

#define GREETING_REST_BYTES 64u /* what is in it beside ParameterStatus; a longer one only grows its buffer */

void
login_greet(struct client *c, const struct welcome *welcome, struct slice reported)
{
    const struct settings *settings = worker_settings(c->worker);
    struct buf out;

    cancel_key_make(c);
    out = c->login->last_word;
    buf_init(&c->login->last_word);
    (void)!buf_reserve(&out, welcome->len + reported.len + GREETING_REST_BYTES);
    build_auth(&out, AUTH_OK);
    buf_add(&out, slice_of(welcome->bytes, welcome->len));
    buf_add(&out, reported);
    build_key(&out, c->cancel_pid, slice_of(c->cancel_secret, sizeof c->cancel_secret));
    if (settings->login_notify_message[0] != '\0')
        build_notice(&out, settings->login_notify_message);
    build_ready(&out, 'I');
    login_send(c, &out);
    hear_all(c, slice_of(welcome->bytes, welcome->len));
    hear_all(c, reported);
    c->floor = snapshot_hold(c->settings);
    client_feed(c, EV_WELCOMED);
}

void
login_settle(struct client *c)
{
    struct pool *pool = shard_pool(c->shard);
    struct welcome *welcome = pool_welcome(pool);
    struct member *m;
    struct buf reported;

    buf_init(&reported);
    if (welcome == NULL) { /* not known yet, or forgotten by a reload */
        shard_await_welcome(c->shard, &pending_of(c)->waiter);
    } else if (snapshot_is_approved(c->worker->house->snapshots, c->settings, pool_approval_key(pool),
                                    &reported)) {
        login_greet(c, welcome, buf_slice(&reported));
    } else if ((m = shard_take(c->shard, &pending_of(c)->waiter)) != NULL) {
        client_link(c, server_of_member(m));
    } else if (c->state != CLIENT_ENDED) {
        client_feed(c, EV_QUEUED);
    }
    buf_release(&reported);
    welcome_drop(welcome);
}

void
login_try_settings(struct client *c)
{
    if (c->replication != REPLICATION_NONE) {
        pipe_open(c);
        return;
    }
    c->login->approval_key = pool_approval_key(shard_pool(c->shard));
    settings_bring(c);
    relay_flush_to_server(c);
}

void
login_tried(struct client *c)
{
    struct login *l = c->login;

    if (l->is_refused) {
        l->refusal.severity = PG_FATAL;
        client_end(c, END_LOGIN_FAILED, &l->refusal);
        return;
    }
    snapshot_approve(c->worker->house->snapshots, c->settings, l->approval_key, buf_slice(&l->reported));
    login_settle(c);
}
