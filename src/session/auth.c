/*
 * auth.c - how a client has to prove who it is, and what the proof is held against.
 *
 *     auth_type, or the rule of auth_hba_file -> certificate, peer -> secret: auth_file, else auth_query
 *         -> proof.c -> others, who know secrets that we do not: PAM
 *
 * A rule that names hosts has the login wait for the name of the client's address; then it begins anew.
 *
 * A user who is in neither plays the whole exchange like any other. Whether a user exists matters for those
 * too who prove themselves by other means than a secret, where users are configured at all: who is taken out
 * of the auth file shall not come in by a certificate.
 */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "console_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/config/ident.h"
#include "pgweir/config/route.h"
#include "pgweir/net/address.h"

#define OWN_NETWORKS_MOST 64u

/* --- which rule --- */

static struct address
peer_of(const struct client *c)
{
    struct address peer = { .len = sizeof peer.at };

    if (c->is_unix || getpeername(c->stream.fd, (struct sockaddr *)&peer.at, &peer.len) != 0)
        peer = (struct address){ .len = 0 };
    return peer;
}

static size_t
own_networks(struct hba_network *out, size_t most)
{
    struct ifaddrs *all;
    size_t count = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *it = all; it != NULL && count < most; it = it->ifa_next) {
        if (it->ifa_addr == NULL || it->ifa_netmask == NULL)
            continue;
        out[count] = (struct hba_network){ hba_ip_of(it->ifa_addr), hba_ip_of(it->ifa_netmask) };
        count += out[count].address.len > 0 && out[count].address.len == out[count].mask.len;
    }
    freeifaddrs(all);
    return count;
}

/* The client's address without its port. */
static void
host_of(const struct client *c, char *out, size_t size)
{
    struct address peer = peer_of(c);
    char *colon;

    address_text(&peer, out, size);
    colon = strrchr(out, ':');
    if (colon != NULL)
        *colon = '\0';
}

/* "host "127.0.0.1", user "u", database "d", no encryption", as PostgreSQL says it. */
static void
facts_of(const struct client *c, char *out, size_t size)
{
    char host[128] = "[local]";

    if (!c->is_unix)
        host_of(c, host, sizeof host);
    snprintf(out, size, "host \"%.60s\", user \"%.63s\", database \"%.63s\", %s", host, c->login->user,
             c->login->database, stream_is_tls(&c->stream) ? "SSL encryption" : "no encryption");
}

static void
refuse_by_rule(struct client *c, const struct hba_rule *rule)
{
    struct pg_error e;
    char facts[250];

    facts_of(c, facts, sizeof facts);
    if (c->login->no_host != NULL)
        client_log(c, LOG_NOTICE_LEVEL, "fits no rule that names hosts: %s", c->login->no_host);
    else if (c->login->host != NULL)
        client_log(c, LOG_NOTICE_LEVEL, "rules know its host as \"%s\"", c->login->host);
    if (rule == NULL) {
        pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_AUTHORIZATION, "no auth_hba_file entry for %s", facts);
    } else {
        client_log(c, LOG_NOTICE_LEVEL, "rejected by %s:%u", rule->file, rule->line);
        pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_AUTHORIZATION, "auth_hba_file rejects connection for %s",
                     facts);
    }
    client_end(c, END_LOGIN_FAILED, &e);
}

static enum hba_answer
find_rule(struct client *c, const struct hba *hba, const struct hba_rule **out)
{
    struct hba_network own[OWN_NETWORKS_MOST];
    struct address peer = peer_of(c);
    struct hba_question q = { .database = c->login->database,
                              .user = c->login->user,
                              .from = hba_ip_of((const struct sockaddr *)&peer.at),
                              .host = c->login->host,
                              .is_tls = stream_is_tls(&c->stream),
                              .is_replication = c->replication == REPLICATION_PHYSICAL,
                              .own = own };

    *out = NULL;
    if (!c->is_unix && q.from.len == 0) /* gone already */
        return HBA_NONE;
    if (hba_wants_networks(hba))
        q.own_count = own_networks(own, OWN_NETWORKS_MOST);
    return hba_find(hba, &q, out);
}

/* The rule that auth_type stands for, where it is not a file of rules. */
static struct hba_rule
rule_of_type(enum auth_type type)
{
    struct hba_rule rule = { .method = HBA_REJECT };

    switch (type) {
    case AUTH_TYPE_ANY:
    case AUTH_TYPE_TRUST:
        rule.method = HBA_TRUST;
        break;
    case AUTH_TYPE_PLAIN:
        rule.method = HBA_PASSWORD;
        break;
    case AUTH_TYPE_MD5:
        rule.method = HBA_MD5;
        break;
    case AUTH_TYPE_SCRAM:
        rule.method = HBA_SCRAM;
        break;
    case AUTH_TYPE_CERT:
        rule.method = HBA_CERT;
        rule.wants_certificate = true;
        rule.wants_name = true;
        break;
    case AUTH_TYPE_PEER:
        rule.method = HBA_PEER;
        break;
    case AUTH_TYPE_PAM:
        rule.method = HBA_PAM;
        break;
    case AUTH_TYPE_HBA:
    case AUTH_TYPE_LDAP: /* settings_load() refuses it */
        break;
    }
    return rule;
}

/* --- names that others vouch for --- */

static bool
is_mapped(struct client *c, const char *map, const char *system_name)
{
    if (ident_allows(settings_ident(worker_settings(c->worker)), map, system_name, c->login->user))
        return true;
    if (map != NULL)
        client_log(c, LOG_NOTICE_LEVEL, "no match in map \"%s\" for user \"%s\" known as \"%s\"", map,
                   c->login->user, system_name);
    else
        client_log(c, LOG_NOTICE_LEVEL, "user name \"%s\" and known name \"%s\" do not match", c->login->user,
                   system_name);
    return false;
}

static bool
certificate_fits(struct client *c, const struct hba_rule *rule)
{
    char name[1024];
    bool has_name = rule->is_dn ? stream_tls_peer_subject(&c->stream, name, sizeof name)
                                : stream_tls_peer_name(&c->stream, name, sizeof name);

    if (rule->wants_certificate && !stream_tls_has_peer(&c->stream)) {
        login_refuse(c, END_LOGIN_FAILED, SQLSTATE_INVALID_AUTHORIZATION,
                     "connection requires a valid client certificate");
        return false;
    }
    if (!rule->wants_name || (has_name && is_mapped(c, rule->map, name)))
        return true;
    proof_refuse_method(c, "certificate");
    return false;
}

/* --- the secret --- */

static void
go_on(struct client *c)
{
    const struct settings *settings = worker_settings(c->worker);
    struct login *l = c->login;
    bool are_users_listed = settings->auth_file[0] != '\0' || l->is_from_query;

    switch (l->method) {
    case HBA_TRUST:
        if (are_users_listed && l->stored == NULL)
            login_refuse(c, END_LOGIN_FAILED, SQLSTATE_INVALID_AUTHORIZATION,
                         "\"trust\" authentication failed");
        else
            client_feed(c, EV_PROVED);
        break;
    case HBA_CERT:
    case HBA_PEER:
        if (are_users_listed && l->stored == NULL)
            proof_refuse_method(c, l->method == HBA_CERT ? "certificate" : "Peer");
        else
            client_feed(c, EV_PROVED);
        break;
    case HBA_MD5:
        if (secret_kind_of(l->stored) == SECRET_SCRAM)
            proof_ask_scram(c);
        else
            proof_ask_md5(c);
        break;
    case HBA_PASSWORD:
    case HBA_PAM:
        proof_ask_plain(c);
        break;
    case HBA_SCRAM:
        proof_ask_scram(c);
        break;
    case HBA_REJECT: /* login_begin_auth() has refused it */
        break;
    }
}

static void
on_secret(void *asker, struct secret_ask *ask)
{
    struct client *c = asker;
    struct login *l = c->login;

    l->ask = NULL;
    if (c->state == CLIENT_ENDED) /* in this very turn */
        return;
    if (ask->outcome == SECRET_FAILED) {
        client_end(c, END_AUTH_QUERY_FAILED, &ask->why);
        return;
    }
    l->is_from_query = true;
    l->is_remembered = ask->is_remembered && !ask->is_fresh;
    mem_free_secret(l->stored);
    l->stored = ask->secret;
    ask->secret = NULL;
    if (l->response != NULL)
        proof_again(c);
    else
        go_on(c);
    client_read_on(c);
}

void
auth_ask_again(struct client *c)
{
    struct login *l = c->login;

    l->ask = secret_ask_send(c->worker, SECRET_OF_QUERY, l->database, l->user, true, on_secret, c);
}

/* Fills in login->stored, at once or later, and goes on. */
static void
find_secret(struct client *c)
{
    const struct settings *settings = worker_settings(c->worker);
    struct login *l = c->login;
    const char *secret = settings_auth_secret(settings, l->user);

    if ((secret == NULL || secret[0] == '\0') && settings_asks_for_users(settings, l->database)) {
        l->ask = secret_ask_send(c->worker, SECRET_OF_QUERY, l->database, l->user, false, on_secret, c);
        return;
    }
    l->stored = mem_text(secret);
    l->old_stored = mem_text(settings_auth_old_secret(settings, l->user));
    go_on(c);
}

/* --- what others say --- */

static void
on_verdict(void *asker, struct secret_ask *ask)
{
    struct client *c = asker;
    struct login *l = c->login;

    l->ask = NULL;
    if (c->state == CLIENT_ENDED) /* in this very turn */
        return;
    switch (ask->outcome) {
    case SECRET_GIVEN: /* its server may want the password too */
        keyring_learn_secret(c->worker->house->keyring, l->database, l->user, ask->password);
        client_feed(c, EV_PROVED);
        break;
    case SECRET_UNKNOWN:
        client_log(c, LOG_NOTICE_LEVEL, "PAM refuses user \"%s\": %s", l->user, ask->reason);
        proof_refuse_method(c, "PAM");
        break;
    case SECRET_FAILED:
        client_end(c, END_LOGIN_FAILED, &ask->why);
        break;
    }
    if (c->state != CLIENT_ENDED)
        client_read_on(c);
}

void
auth_ask_others(struct client *c, const char *response)
{
    const struct settings *settings = worker_settings(c->worker);
    struct login *l = c->login;
    struct secret_ask *ask = secret_ask_new(c->worker, SECRET_OF_PAM, l->database, l->user, on_verdict, c);
    char from[128] = "";

    if (!c->is_unix)
        host_of(c, from, sizeof from);
    ask->password = mem_text(response);
    ask->from = mem_text(from);
    ask->service = mem_text(l->service != NULL ? l->service : settings->pam_service);
    ask->directory = mem_text(settings->pam_confdir);
    l->ask = secret_ask_go(c->worker, ask);
}

static void
on_system_name(void *asker, struct secret_ask *ask)
{
    struct client *c = asker;
    struct login *l = c->login;

    l->ask = NULL;
    if (c->state == CLIENT_ENDED)
        return;
    if (ask->outcome == SECRET_FAILED)
        client_end(c, END_LOGIN_FAILED, &ask->why);
    else if (ask->outcome == SECRET_GIVEN && is_mapped(c, l->map, ask->secret))
        find_secret(c);
    else
        proof_refuse_method(c, "Peer");
    if (c->state != CLIENT_ENDED)
        client_read_on(c);
}

/* Who is at the other end of the Unix socket? Finding out his name may take a directory service, and time. */
static void
ask_for_peer(struct client *c)
{
    struct login *l = c->login;
    struct secret_ask *ask;
    struct ucred who;
    socklen_t len = sizeof who;

    if (!c->is_unix || getsockopt(c->stream.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0) {
        proof_refuse_method(c, "Peer");
        return;
    }
    ask = secret_ask_new(c->worker, SECRET_OF_SYSTEM, l->database, l->user, on_system_name, c);
    ask->uid = who.uid;
    l->ask = secret_ask_go(c->worker, ask);
}

static void
on_host_name(void *asker, struct secret_ask *ask)
{
    struct client *c = asker;
    struct login *l = c->login;

    l->ask = NULL;
    if (c->state == CLIENT_ENDED)
        return;
    if (ask->outcome == SECRET_FAILED) { /* a rule that refuses must not be missed */
        client_end(c, END_LOGIN_FAILED, &ask->why);
        return;
    }
    l->host = mem_text(ask->outcome == SECRET_GIVEN ? ask->secret : "");
    if (ask->outcome == SECRET_UNKNOWN)
        l->no_host = mem_text(ask->reason);
    login_begin_auth(c);
    if (c->state != CLIENT_ENDED)
        client_read_on(c);
}

static void
ask_for_host_name(struct client *c)
{
    struct login *l = c->login;
    struct address peer = peer_of(c);
    struct secret_ask *ask = secret_ask_new(c->worker, SECRET_OF_HOST, l->database, l->user, on_host_name, c);

    ask->address = hba_ip_of((const struct sockaddr *)&peer.at);
    l->ask = secret_ask_go(c->worker, ask);
}

/* What the database and the user ask for beyond client_tls_sslmode of the main section. */
static bool
tls_fits(struct client *c)
{
    int sslmode = settings_client_sslmode(worker_settings(c->worker), c->login->database, c->login->user);

    if (c->is_unix || sslmode < SSL_REQUIRE)
        return true;
    if (!stream_is_tls(&c->stream)) {
        login_refuse(c, END_TLS_REQUIRED, SQLSTATE_INVALID_AUTHORIZATION, "SSL required");
        return false;
    }
    if (sslmode < SSL_VERIFY_CA || stream_tls_has_peer(&c->stream))
        return true;
    login_refuse(c, END_LOGIN_FAILED, SQLSTATE_INVALID_AUTHORIZATION,
                 "connection requires a valid client certificate");
    return false;
}

void
login_begin_auth(struct client *c)
{
    const struct settings *settings = worker_settings(c->worker);
    struct login *l = c->login;
    struct hba_rule rule = rule_of_type((enum auth_type)settings->auth_type);
    const struct hba_rule *found = &rule;

    if (console_is_owner(c)) {
        client_feed(c, EV_PROVED);
        return;
    }
    if (settings->auth_type == AUTH_TYPE_HBA &&
        find_rule(c, settings_hba(settings), &found) == HBA_NEEDS_HOST) {
        ask_for_host_name(c);
        return;
    }
    if (found == NULL || found->method == HBA_REJECT) {
        refuse_by_rule(c, found);
        return;
    }
    if (!tls_fits(c))
        return;
    l->method = found->method;
    l->map = mem_text(found->map);
    l->service = mem_text(found->service);
    if (!certificate_fits(c, found))
        return;
    if (settings->auth_type == AUTH_TYPE_ANY)
        client_feed(c, EV_PROVED);
    else if (l->method == HBA_PEER)
        ask_for_peer(c);
    else if (l->method == HBA_PAM)
        go_on(c);
    else
        find_secret(c);
}
