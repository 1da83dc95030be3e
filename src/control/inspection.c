/*
 * inspection.c - one database after the other, then one sum per host.
 *
 *     entry -> routes of users that may log in -> logins, one by one -> what the server said
 *                                                                          |
 *     host: max_connections - reserves  <--- facts -----------------------+
 *           instances x min(server_connections, sum over its databases)
 */
#include "pgweir/control/inspection.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logins_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/control/capacity.h"

#define ROUTES_MOST 64u            /* users of an entry that are looked at for a login */
#define SERVERS_UNBOUNDED 1000000u /* server_connections of a [pgbouncer] file */

/* What is known of one host, over all databases on it. */
struct host {
    char *key; /* route.host_key */
    bool is_answered, is_unreachable;
    struct error why;            /* valid when unreachable */
    struct capacity_facts facts; /* valid when answered; without limits */
    uint64_t bound;              /* of all its databases, as far as they have one */
    bool is_unbounded;           /* one of them has none */
    struct buf sum;              /* how the bound comes about, line by line */
};

struct inspection {
    const struct inspection_params *params;
    struct buf *report;
    unsigned problems;
    struct clock clock;
    struct loop *loop;
    struct host *hosts;
    unsigned host_count;

    /* the question in hand */
    struct host *host;
    enum err outcome;
    struct error why;
};

static void complain(struct inspection *in, const char *format, ...) PRINTF_LIKE(2, 3);

static void
complain(struct inspection *in, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_add_format(in->report, "PROBLEM: %s\n", text);
    in->problems++;
}

/* --- asking --- */

static void
on_answer(void *arg, const struct capacity_facts *facts)
{
    struct inspection *in = arg;

    in->outcome = ERR_NONE;
    in->host->is_answered = true;
    in->host->facts = *facts;
    in->host->facts.limits = NULL;
    in->host->facts.limit_count = 0;
    loop_stop(in->loop);
}

static void
on_failure(void *arg, const struct error *why)
{
    struct inspection *in = arg;

    in->outcome = why->code;
    in->why = *why;
    loop_stop(in->loop);
}

static void
ask_with(struct inspection *in, const struct logins *logins, unsigned login)
{
    static const struct capacity_handler handler = { .on_answer = on_answer, .on_failure = on_failure };

    (void)login_ask(in->loop, logins, ANY_HOST, login, in->params->timeout_us, &handler, in);
    loop_run(in->loop);
}

/* Tries one login after the other. Returns the one that was let in, or NULL with in->outcome: the refusal of
 * the first that had a password, if one had. */
static const struct login *
ask(struct inspection *in, const struct logins *logins, bool *had_password)
{
    struct error first = { 0 };

    *had_password = false;
    in->outcome = ERR_AUTH;
    (void)error_set(&in->why, ERR_AUTH, "nobody to log in as is known");
    for (unsigned i = 0; i < logins->count && in->outcome == ERR_AUTH; i++) {
        ask_with(in, logins, i);
        if (in->outcome == ERR_NONE)
            return &logins->at[i];
        if (logins->at[i].password != NULL && !*had_password)
            first = in->why;
        *had_password |= logins->at[i].password != NULL;
    }
    if (in->outcome == ERR_AUTH && *had_password)
        in->why = first;
    return NULL;
}

/* --- databases --- */

struct routes {
    const struct settings *settings;
    const char *database;
    struct route *at[ROUTES_MOST + 1];
    unsigned count;
};

/* For settings_each_auth_user(). */
static bool
add_route(void *arg, const char *user, const char *secret)
{
    struct routes *r = arg;

    (void)secret;
    if (r->count < ROUTES_MOST)
        r->at[r->count++] = settings_route(r->settings, r->database, user);
    return r->count < ROUTES_MOST && !r->at[0]->is_forced;
}

/* One route at least, so that there is a host to ask. */
static void
collect_routes(struct inspection *in, const char *database, struct routes *out)
{
    const struct settings *s = in->params->settings;

    *out = (struct routes){ .settings = s, .database = database };
    settings_each_auth_user(s, add_route, out);
    if (out->count == 0)
        out->at[out->count++] = settings_route(s, database,
                                               s->control_user[0] != '\0' ? s->control_user : "pgweir");
}

static struct host *
host_of(struct inspection *in, const char *key)
{
    for (unsigned i = 0; i < in->host_count; i++)
        if (strcmp(in->hosts[i].key, key) == 0)
            return &in->hosts[i];
    in->hosts = mem_grow(in->hosts, in->host_count + 1, sizeof(in->hosts[0]));
    in->hosts[in->host_count] = (struct host){ .key = mem_text(key) };
    buf_init(&in->hosts[in->host_count].sum);
    return &in->hosts[in->host_count++];
}

static void
inspect_login(struct inspection *in, const char *database, const struct routes *routes)
{
    struct logins logins;
    const struct login *login;
    bool had_password;

    logins_of(&logins, in->params->settings, routes->at, routes->count);
    login = ask(in, &logins, &had_password);
    if (login != NULL) {
        buf_add_format(in->report, "database %s: PostgreSQL %d.%d at %s lets %s into %s\n", database,
                       in->host->facts.server_version / 10000, in->host->facts.server_version % 10000,
                       in->host->key, login->user, login->database);
    } else if (in->outcome == ERR_AUTH && !had_password) {
        buf_add_format(in->report,
                       "database %s: %s answers; no plain password is known to log in with (%s)\n", database,
                       in->host->key, in->why.text);
    } else {
        complain(in, "database %s: %s: %s", database, in->host->key, in->why.text);
        if (in->outcome != ERR_AUTH) {
            in->host->is_unreachable = true;
            in->host->why = in->why;
        }
    }
    logins_fini(&logins);
}

uint64_t
inspection_bound(const struct inspection_share *shares, unsigned count, unsigned max_db)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < count; i++) {
        if (shares[i].pool_size == 0)
            return max_db;
        all += shares[i].users * ((uint64_t)shares[i].pool_size + shares[i].reserve);
    }
    return max_db > 0 && all > max_db ? max_db : all;
}

struct shares {
    const struct settings *settings;
    const char *database;
    struct inspection_share *at;
    unsigned count;
};

/* For settings_each_auth_user(): counts USER among those whose pools are of the same size. */
static bool
add_share(void *arg, const char *user, const char *secret)
{
    struct shares *all = arg;
    struct route *r = settings_route(all->settings, all->database, user);
    bool is_forced = r->is_forced; /* one pool for all users */
    unsigned i = 0;

    (void)secret;
    while (i < all->count &&
           (all->at[i].pool_size != r->pool_size || all->at[i].reserve != r->reserve_pool_size))
        i++;
    if (i == all->count) {
        all->at = mem_grow(all->at, all->count + 1, sizeof all->at[0]);
        all->at[all->count++] = (struct inspection_share){ .pool_size = r->pool_size,
                                                           .reserve = r->reserve_pool_size };
    }
    all->at[i].users++;
    route_drop(r);
    return !is_forced;
}

/* Users come in no order; the largest pools are told first. */
static int
compare_shares(const void *a, const void *b)
{
    const struct inspection_share *x = a;
    const struct inspection_share *y = b;

    if (x->pool_size != y->pool_size)
        return x->pool_size < y->pool_size ? 1 : -1;
    return x->reserve < y->reserve ? 1 : x->reserve > y->reserve ? -1 : 0;
}

static void
add_to_sum(struct inspection *in, const char *database, const struct route *any)
{
    struct shares all = { .settings = in->params->settings, .database = database };
    struct buf *sum = &in->host->sum;
    uint64_t bound;

    settings_each_auth_user(all.settings, add_share, &all);
    if (all.count == 0)
        (void)add_share(&all, any->user, NULL);
    qsort(all.at, all.count, sizeof all.at[0], compare_shares);
    buf_add_format(sum, "  database %s: ", database);
    for (unsigned i = 0; i < all.count; i++) {
        const struct inspection_share *share = &all.at[i];

        buf_add_format(sum, "%s%u user%s ", i == 0 ? "" : " + ", share->users, share->users == 1 ? "" : "s");
        if (share->pool_size > 0)
            buf_add_format(sum, "x (pool_size %u + reserve_pool_size %u)", share->pool_size, share->reserve);
        else
            buf_add_text(sum, "with pool_size 0, no bound of its own");
    }
    bound = inspection_bound(all.at, all.count, any->max_db_connections);
    if (any->max_db_connections > 0)
        buf_add_format(sum, ", at most max_db_connections %u", any->max_db_connections);
    if (bound > 0)
        buf_add_format(sum, " = %" PRIu64, bound);
    buf_add_text(sum, "\n");
    in->host->bound += bound;
    in->host->is_unbounded |= bound == 0;
    free(all.at);
}

static void
inspect_database(struct inspection *in, const char *database)
{
    struct routes routes;

    collect_routes(in, database, &routes);
    in->host = host_of(in, routes.at[0]->host_key);
    if (strcmp(database, "*") == 0)
        buf_add_text(in->report, "database *: stands for names that are not known here: not asked\n");
    else if (in->host->is_unreachable)
        complain(in, "database %s: %s: %s", database, in->host->key, in->host->why.text);
    else
        inspect_login(in, database, &routes);
    add_to_sum(in, database, routes.at[0]);
    while (routes.count > 0)
        route_drop(routes.at[--routes.count]);
}

/* --- the sum --- */

/* What one instance may take of HOST, with the words for it; 0: nothing bounds it. */
static uint64_t
bound_of_instance(const struct settings *s, const struct host *host, unsigned for_pools, char *why,
                  size_t size)
{
    uint64_t given = s->server_connections;
    uint64_t pools = host->is_unbounded ? 0 : host->bound;

    if (given == 0)
        given = for_pools;
    if (given < SERVERS_UNBOUNDED && (pools == 0 || pools > given)) {
        if (s->server_connections == 0)
            snprintf(why, size, "server_connections = auto");
        else
            snprintf(why, size, "server_connections = %u", s->server_connections);
        return given;
    }
    snprintf(why, size, "all pools full");
    return pools;
}

static void
inspect_host(struct inspection *in, struct host *host)
{
    const struct settings *s = in->params->settings;
    unsigned instances = in->params->instances;
    char why[200], bound_why[64];
    unsigned left, for_pools;
    uint64_t bound;

    assert(instances > 0);
    buf_add_format(in->report, "host %s:\n", host->key);
    buf_add(in->report, buf_slice(&host->sum));
    if (!host->is_answered) {
        buf_add_format(in->report, "  its limits are not known: %s\n",
                       host->is_unreachable ? "it did not answer" : "no login with which to ask for them");
        return;
    }
    left = capacity_for_pools(&host->facts, s->direct_reserve, why, sizeof(why));
    for_pools = left > instances - 1 ? left - (instances - 1) : 1; /* a control connection each */
    buf_add_format(in->report, "  %s", why);
    if (instances > 1)
        buf_add_format(in->report, " - %u for the other instances", instances - 1);
    buf_add_format(in->report, " = %u for pools\n", for_pools);
    bound = bound_of_instance(s, host, left, bound_why, sizeof(bound_why));
    if (bound == 0) {
        complain(in, "host %s: nothing bounds the connections to it: set pool sizes or server_connections",
                 host->key);
        return;
    }
    buf_add_format(in->report, "  %u instance%s x %" PRIu64 " (%s) = %" PRIu64 " of %u\n", instances,
                   instances == 1 ? "" : "s", bound, bound_why, instances * bound, for_pools);
    if (instances * bound > for_pools)
        complain(
            in,
            "host %s: %" PRIu64 " connections may be wanted and %u are to be had; server_connections = %u "
            "for each instance would fit",
            host->key, instances * bound, for_pools, for_pools / instances > 0 ? for_pools / instances : 1);
}

/* --- all of it --- */

static void
inspection_fini(struct inspection *in)
{
    for (unsigned i = 0; i < in->host_count; i++) {
        free(in->hosts[i].key);
        buf_release(&in->hosts[i].sum);
    }
    free(in->hosts);
    loop_free(in->loop);
}

unsigned
inspect(const struct inspection_params *params, struct buf *report)
{
    struct inspection in = { .params = params, .report = report, .clock = clock_real() };
    const char *name;

    in.loop = loop_new(&in.clock, NULL, &in.why);
    if (in.loop == NULL) {
        complain(&in, "%s", in.why.text);
        return in.problems;
    }
    for (unsigned i = 0; (name = settings_database_name(params->settings, i)) != NULL; i++)
        inspect_database(&in, name);
    for (unsigned i = 0; i < in.host_count; i++)
        inspect_host(&in, &in.hosts[i]);
    inspection_fini(&in);
    return in.problems;
}
