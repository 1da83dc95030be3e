/*
 * house.c - the shared part of all sessions, and each worker's own part. Here, and nowhere else in session/, threads meet: everything from outside a
 * worker's thread arrives by letter.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "cancel_impl.h"
#include "client_impl.h"
#include "forward_impl.h"
#include "login_impl.h"
#include "pending_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/config/hba.h"
#include "server_impl.h"
#include "worker_impl.h"

/* --- configuration --- */

static struct tls_params
tls_params_of(const struct tls_files *f)
{
    enum tls_verify verify = f->sslmode == SSL_VERIFY_FULL ? TLS_VERIFY_FULL
                             : f->sslmode == SSL_VERIFY_CA ? TLS_VERIFY_CA
                                                           : TLS_VERIFY_NONE;

    return (struct tls_params){ .ca_file = f->ca_file,
                                .cert_file = f->cert_file,
                                .key_file = f->key_file,
                                .protocols = f->protocols,
                                .ciphers = f->ciphers,
                                .ciphersuites = f->ciphersuites,
                                .ecdhcurve = f->ecdhcurve,
                                .verify = verify };
}

struct server_tls {
    struct tls_files files;      /* the texts are the settings' */
    struct tls_context *context; /* held; NULL: sslmode is disable */
};

static enum err
connect_context_new(const struct tls_files *files, struct tls_context **out, struct error *why)
{
    struct tls_params params = tls_params_of(files);

    *out = NULL;
    return files->sslmode == SSL_DISABLE ? ERR_NONE : tls_context_new_connect(&params, out, why);
}

static const struct server_tls *
find_server_tls(const struct house_config *c, const struct tls_files *files)
{
    for (unsigned i = 0; i < c->server_tls_count; i++)
        if (tls_files_equal(&c->server_tls[i].files, files))
            return &c->server_tls[i];
    return NULL;
}

static enum err
add_server_tls(struct house_config *c, const struct tls_files *files, struct error *why)
{
    struct server_tls fresh = { .files = *files };
    enum err e;

    if (find_server_tls(c, files) != NULL)
        return ERR_NONE;
    e = connect_context_new(files, &fresh.context, why);
    if (e != ERR_NONE)
        return e;
    c->server_tls = mem_grow(c->server_tls, c->server_tls_count + 1, sizeof *c->server_tls);
    c->server_tls[c->server_tls_count++] = fresh;
    return ERR_NONE;
}

static enum err
add_database_tls(struct house_config *c, const char *database, struct error *why)
{
    struct route *route = settings_route(c->settings, database, "");
    struct error reason;
    enum err e = ERR_NONE;

    if (route != NULL)
        e = add_server_tls(c, &route->server_tls, &reason);
    route_drop(route);
    return e == ERR_NONE ? e : error_set(why, e, "database %s: %s", database, reason.text);
}

enum err
house_config_server_tls(const struct house_config *c, const struct tls_files *files, struct tls_context **out,
                        struct error *why)
{
    const struct server_tls *known = find_server_tls(c, files);

    if (known == NULL)
        return connect_context_new(files, out, why);
    *out = tls_context_hold(known->context);
    return ERR_NONE;
}

enum err
house_config_new(const struct settings *settings, struct house_config **out, struct error *why)
{
    struct house_config *c = mem_new(sizeof *c);
    struct tls_params params;
    enum err e = ERR_NONE;

    atomic_init(&c->refs, 1);
    c->settings = settings_hold(settings);
    if (settings->client_tls.sslmode != SSL_DISABLE) {
        params = tls_params_of(&settings->client_tls);
        params.is_without_dhe = settings->client_tls_dheparams == DHE_NONE;
        if (params.verify == TLS_VERIFY_NONE &&
            ((settings_hba(settings) != NULL && hba_wants_certificates(settings_hba(settings))) ||
             settings_wants_certificates(settings)))
            params.verify = TLS_VERIFY_OFFERED;
        e = tls_context_new_accept(&params, &c->client_tls, why);
    }
    if (e == ERR_NONE)
        e = add_server_tls(c, &settings->server_tls, why);
    for (unsigned i = 0; e == ERR_NONE && settings_database_name(settings, i) != NULL; i++)
        e = add_database_tls(c, settings_database_name(settings, i), why);
    if (e != ERR_NONE) {
        house_config_drop(c);
        return e;
    }
    *out = c;
    return ERR_NONE;
}

struct tcp_options
tcp_options_of(const struct settings *s)
{
    return (struct tcp_options){ .keepalive = s->tcp_keepalive,
                                 .keepidle_s = (int)s->tcp_keepidle_s,
                                 .keepintvl_s = (int)s->tcp_keepintvl_s,
                                 .keepcnt = (int)s->tcp_keepcnt,
                                 .user_timeout_ms = (int)s->tcp_user_timeout_ms,
                                 .buffer_bytes = (int)s->tcp_socket_buffer };
}

struct house_config *
house_config_hold(struct house_config *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void
house_config_drop(struct house_config *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_context_drop(c->client_tls);
    for (unsigned i = 0; i < c->server_tls_count; i++)
        tls_context_drop(c->server_tls[i].context);
    free(c->server_tls);
    settings_drop(c->settings);
    free(c);
}

/* --- workers --- */

static void
bury(struct chore *chore)
{
    struct worker *w = CONTAINER_OF(chore, struct worker, burial);
    struct link *l;

    while ((l = list_first(&w->graveyard)) != NULL) {
        link_remove(l);
        client_free(CONTAINER_OF(l, struct client, in_worker));
    }
    while ((l = list_first(&w->dead_servers)) != NULL) {
        link_remove(l);
        server_free(CONTAINER_OF(l, struct server, in_worker));
    }
    worker_check_drained(w);
}

void
worker_bury_later(struct worker *w)
{
    loop_defer(w->loop, &w->burial);
}

void
worker_check_drained(struct worker *w)
{
    if (!w->is_draining || w->has_drained || w->server_count > 0 || !list_is_empty(&w->clients) ||
        !list_is_empty(&w->logins) || !list_is_empty(&w->graveyard))
        return;
    w->has_drained = true;
    if (atomic_fetch_sub(&w->house->undrained, 1) == 1)
        w->house->params.on_drained(w->house->params.arg);
}

/* A quarter of the registry's bound, over all workers. */
static size_t
cache_bytes(const struct house *h, const struct settings *s)
{
    return s->prepared_statements_memory / 4 / h->worker_count;
}

static enum err
worker_init(struct worker *w, struct house *house, unsigned index, struct error *why)
{
    w->house = house;
    w->index = index;
    w->config = house_config_hold(house->config);
    slab_init(&w->client_slab, sizeof(struct client));
    slab_init(&w->pending_slab, sizeof(struct pending));
    list_init(&w->logins);
    list_init(&w->clients);
    list_init(&w->consoles);
    list_init(&w->graveyard);
    list_init(&w->dead_servers);
    list_init(&w->servers);
    list_init(&w->forwards);
    map_init(&w->cancel_keys);
    buf_init(&w->scratch);
    statement_cache_init(&w->statements, house->registry, cache_bytes(house, house->config->settings));
    w->burial.run = bury;
    random_secret(&w->jitter, sizeof w->jitter);
    w->jitter |= 1; /* never 0 */
    w->loop = loop_new(house->params.clock, w, why);
    if (w->loop == NULL)
        return ERR_IO;
    w->resolver = resolver_new(w->loop, house->config->settings->dns_max_ttl_us,
                               house->config->settings->dns_nxdomain_ttl_us);
    if (house->resolv_conf != NULL)
        resolver_use_files(w->resolver, house->resolv_conf, "/etc/hosts");
    return ERR_NONE;
}

/* Shows each client of LIST to EACH, once; one that ends meanwhile, of whatever cause, is passed over. */
static void
each_client(struct list *list, void (*each)(struct client *c, void *arg), void *arg)
{
    struct list todo;
    struct link *l;

    list_init(&todo);
    list_append(&todo, list);
    while ((l = list_first(&todo)) != NULL) {
        link_remove(l);
        list_push_last(list, l);
        each(CONTAINER_OF(l, struct client, in_worker), arg);
    }
}

static void
end_client(struct client *c, void *arg)
{
    struct pg_error e;

    (void)arg;

    pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN,
                 "terminating connection due to administrator command");
    pg_error_detail(&e, "The connection pooler has stopped.");
    client_end(c, END_SHUTDOWN, &e);
}

static void
kill_client(struct client *c, void *database)
{
    struct pg_error e;

    if (!client_is_of(c, database))
        return;
    pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
    pg_error_detail(&e, "An administrator has sent all clients of the database away (KILL).");
    client_end(c, END_KILLED, &e);
}

void
worker_end_clients(struct worker *w, char *database)
{
    each_client(&w->logins, kill_client, database);
    each_client(&w->clients, kill_client, database);
}

/* After its thread has ended: what is left is closed without ceremony. */
static void
worker_close(struct worker *w)
{
    w->is_draining = true;
    w->has_drained = true;
    each_client(&w->logins, end_client, NULL);
    each_client(&w->clients, end_client, NULL);
    forward_end_all(w);
    each_client(&w->consoles, end_client, NULL);
    for (struct link *l; (l = list_first(&w->servers)) != NULL;) {
        struct server *s = CONTAINER_OF(l, struct server, in_worker);
        struct pg_error e;

        pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "the pooler is shutting down");
        if (s->member.state == MEMBER_DIALING)
            server_login_failed(s, DIAL_UNREACHABLE, "server shutting down", &e);
        else
            server_kill(s);
    }
}

static void
worker_fini(struct worker *w)
{
    resolver_free(w->resolver);
    loop_free(w->loop);
    map_fini(&w->cancel_keys);
    buf_release(&w->scratch);
    statement_cache_fini(&w->statements);
    free(w->spare_name);
    hold_free(w->hold);
    pendings_fini(w);
    slab_fini(&w->client_slab);
    route_drop(w->last_route);
    house_config_drop(w->config);
}

/* --- letters from the main thread --- */

struct delivery {
    struct letter letter;
    int fd;
    bool is_unix;
    bool is_for_console;
};

/* It is counted in w->client_count already. */
static void
worker_take_socket(struct worker *w, int fd, bool is_unix, bool is_for_console)
{
    if (w->is_draining) {
        close(fd);
        atomic_fetch_sub_explicit(&w->client_count, 1, memory_order_relaxed);
    } else {
        client_new(w, fd, is_unix)->login->is_for_console = is_for_console;
    }
}

static void
on_delivery(struct letter *letter, void *recipient)
{
    struct delivery *d = CONTAINER_OF(letter, struct delivery, letter);

    worker_take_socket(recipient, d->fd, d->is_unix, d->is_for_console);
    free(d);
}

struct loop *
house_door(struct house *h)
{
    return h->worker_count == 1 ? h->workers[0].loop : h->main_loop;
}

void
house_deliver(struct house *h, int fd, const struct address *peer)
{
    bool is_unix = peer->at.ss_family == AF_UNIX;
    bool is_for_console = is_unix && atomic_load_explicit(&h->is_for_console, memory_order_relaxed);
    struct worker *least = &h->workers[0];
    struct delivery *d;

    for (unsigned i = 1; i < h->worker_count; i++)
        if (atomic_load_explicit(&h->workers[i].client_count, memory_order_relaxed) <
            atomic_load_explicit(&least->client_count, memory_order_relaxed))
            least = &h->workers[i];
    atomic_fetch_add_explicit(&least->client_count, 1, memory_order_relaxed);
    if (h->worker_count == 1) {
        worker_take_socket(least, fd, is_unix, is_for_console);
        return;
    }
    d = mem_new(sizeof *d);
    d->letter.on_arrival = on_delivery;
    d->fd = fd;
    d->is_unix = is_unix;
    d->is_for_console = is_for_console;
    if (!loop_post(least->loop, &d->letter)) {
        atomic_fetch_sub_explicit(&least->client_count, 1, memory_order_relaxed);
        close(fd);
        free(d);
    }
}

struct notice { /* a new configuration, or NULL: drain */
    struct letter letter;
    struct house_config *config;
};

static void
let_go(struct client *c, void *arg)
{
    (void)arg;
    client_drain(c);
}

static void
check_database(struct client *c, void *arg)
{
    (void)arg;
    client_check_database(c);
}

static void
worker_drain(struct worker *w)
{
    w->is_draining = true;
    each_client(&w->logins, let_go, NULL);
    each_client(&w->clients, let_go, NULL);
    pools_close_down(w->house->pools, w->index);
    worker_check_drained(w);
}

static void
on_notice(struct letter *letter, void *recipient)
{
    struct notice *n = CONTAINER_OF(letter, struct notice, letter);
    struct worker *w = recipient;

    if (n->config == NULL) {
        worker_drain(w);
    } else {
        house_config_drop(w->config);
        w->config = n->config;
        route_drop(w->last_route); /* it holds the settings from before */
        w->last_route = NULL;
        statement_cache_set_bound(&w->statements, cache_bytes(w->house, w->config->settings));
        resolver_set_ttl(w->resolver, w->config->settings->dns_max_ttl_us,
                         w->config->settings->dns_nxdomain_ttl_us);
        each_client(&w->logins, check_database, NULL);
        each_client(&w->clients, check_database, NULL);
    }
    free(n);
}

static void
tell_workers(struct house *h, struct house_config *config)
{
    for (unsigned i = 0; i < h->worker_count; i++) {
        struct notice *n = mem_new(sizeof *n);

        n->letter.on_arrival = on_notice;
        n->config = config == NULL ? NULL : house_config_hold(config);
        loop_post_surely(h->workers[i].loop, &n->letter);
    }
}

void
house_reconfigure(struct house *h, struct house_config *config)
{
    house_config_drop(h->config);
    h->config = house_config_hold(config);
    registry_set_bound(h->registry, config->settings->prepared_statements_memory);
    tell_workers(h, config);
    pools_reload(h->pools, config->settings);
}

void
house_close_doors(struct house *h)
{
    atomic_store_explicit(&h->is_for_console, true, memory_order_relaxed);
}

void
house_drain(struct house *h)
{
    tell_workers(h, NULL);
}

/* --- the house --- */

static void
on_unknown_host(void *arg, struct budget_host *host)
{
    struct house *h = arg;

    h->params.on_unknown_host(h->params.arg, host);
}

enum err
house_new(const struct house_params *params, struct house **out, struct error *why)
{
    struct pool_handler handler = {
        .dial = server_dial,
        .on_grant = client_on_grant,
        .on_welcome = client_on_welcome,
        .on_refuse = client_on_refuse,
        .check = server_check,
        .on_long_wait = client_on_long_wait,
        .on_stale = server_on_stale,
        .on_retire = server_on_retire,
        .may_move = server_may_move,
        .leave = server_leave,
        .join = server_join,
        .on_unknown_host = on_unknown_host,
    };
    struct house *h = mem_new(sizeof *h);
    struct loop *loops[POOL_MOST_WORKERS];
    void *owners[POOL_MOST_WORKERS];

    assert(params->worker_count > 0 && params->worker_count <= POOL_MOST_WORKERS);
    h->params = *params;
    h->config = house_config_hold(params->config);
    h->keyring = keyring_new();
    h->snapshots = snapshots_new();
    h->registry = registry_new(params->config->settings->prepared_statements_memory);
    tallies_init(&h->database_clients);
    tallies_init(&h->user_clients);
    h->worker_count = params->worker_count;
    h->peer_id = params->config->settings->peer_id;
    if (params->config->settings->resolv_conf[0] != '\0')
        h->resolv_conf = mem_text(params->config->settings->resolv_conf);
    h->workers = mem_new(h->worker_count * sizeof *h->workers);
    atomic_init(&h->undrained, h->worker_count);
    for (unsigned i = 0; i < h->worker_count; i++) {
        if (worker_init(&h->workers[i], h, i, why) != ERR_NONE) {
            h->worker_count = i; /* the loop of this one is missing; house_free() handles those before */
            house_config_drop(h->workers[i].config);
            house_free(h);
            return ERR_IO;
        }
        loops[i] = h->workers[i].loop;
        owners[i] = &h->workers[i];
    }
    handler.arg = h;
    h->pools = pools_new(&handler, loops, owners, h->worker_count);
    pools_reload(h->pools, h->config->settings);
    *out = h;
    return ERR_NONE;
}

#define SETTLE_TURNS 1000

static void
settle(struct house *h)
{
    bool is_busy = true;

    for (unsigned turn = 0; is_busy && turn < SETTLE_TURNS; turn++) {
        is_busy = false;
        for (unsigned i = 0; i < h->worker_count; i++)
            is_busy |= loop_turn(h->workers[i].loop);
    }
}

static bool
has_servers(const struct house *h)
{
    for (unsigned i = 0; i < h->worker_count; i++)
        if (h->workers[i].server_count > 0)
            return true;
    return false;
}

void
house_free(struct house *h)
{
    if (h == NULL)
        return;
    /* Letters and chores under way come home, then what is left is closed; that may write letters, and a letter may bring a server. */
    do {
        settle(h);
        for (unsigned i = 0; i < h->worker_count; i++)
            worker_close(&h->workers[i]);
        settle(h);
    } while (has_servers(h));
    if (h->pools != NULL)
        pools_free(h->pools);
    for (unsigned i = 0; i < h->worker_count; i++)
        worker_fini(&h->workers[i]);
    keyring_free(h->keyring);
    snapshots_free(h->snapshots);
    registry_free(h->registry);
    tallies_fini(&h->database_clients);
    tallies_fini(&h->user_clients);
    house_config_drop(h->config);
    free(h->resolv_conf);
    free(h->workers);
    free(h);
}

void
house_attend(struct house *h, struct loop *loop)
{
    h->main_loop = loop;
    pools_attend(h->pools, loop);
}

unsigned
house_worker_count(const struct house *h)
{
    return h->worker_count;
}

struct loop *
house_worker_loop(struct house *h, unsigned worker)
{
    return h->workers[worker].loop;
}

struct registry *
house_registry(struct house *h)
{
    return h->registry;
}

struct pools *
house_pools(struct house *h)
{
    return h->pools;
}

unsigned
house_user_clients(struct house *h, const char *user)
{
    return tally_count(&h->user_clients, user);
}

void
house_totals(const struct house *h, struct house_totals *out)
{
    unsigned sockets = 0;

    for (unsigned i = 0; i < h->worker_count; i++)
        sockets += atomic_load_explicit(&h->workers[i].client_count, memory_order_relaxed);
    out->clients = atomic_load_explicit(&h->client_count, memory_order_relaxed);
    out->consoles = atomic_load_explicit(&h->console_count, memory_order_relaxed);
    sockets = sockets > out->consoles ? sockets - out->consoles : 0;
    out->logins = sockets > out->clients ? sockets - out->clients : 0;
}
