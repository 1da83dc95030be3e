/* logins.c - several passes over the routes, one per kind of login, from the best to the last resort. */
#include "logins_impl.h"

#include <stdlib.h>
#include <string.h>

#include "conninfo_impl.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/secret.h"

/* STORED when libpq can log in with it: md5 and SCRAM verifiers tell us no password. */
static const char *
plain_of(const char *stored)
{
    return secret_kind_of(stored) == SECRET_PLAIN ? stored : NULL;
}

static bool
has_login(const struct logins *l, const char *user, const char *database)
{
    for (unsigned i = 0; i < l->count; i++)
        if (strcmp(l->at[i].user, user) == 0 && strcmp(l->at[i].database, database) == 0)
            return true;
    return false;
}

static void
add_login(struct logins *l, const char *user, const char *password, const char *database)
{
    if (l->count == LOGINS_MOST || has_login(l, user, database))
        return;
    l->at[l->count++] = (struct login){
        .user = mem_text(user),
        .password = mem_text(password),
        .database = mem_text(database),
    };
}

/* Where the question can be asked. Physical replication names no database, but an entry called `replication`, and mostly there is no such
 * database; the server's limits are the same everywhere. */
static const char *
database_of(const struct route *r)
{
    return strcmp(r->server_database, "replication") == 0 ? "postgres" : r->server_database;
}

static void
add_control_user(struct logins *l, const struct settings *s, const struct route *r)
{
    if (s->control_user[0] != '\0')
        add_login(l, s->control_user, plain_of(settings_auth_secret(s, s->control_user)), database_of(r));
}

static void
add_entry_user(struct logins *l, const struct settings *s, const struct route *r)
{
    const char *password = plain_of(r->password);

    (void)s;
    if (password != NULL)
        add_login(l, r->user, password, database_of(r));
}

static void
add_file_user(struct logins *l, const struct settings *s, const struct route *r)
{
    const char *password = plain_of(settings_auth_secret(s, r->user));

    if (password != NULL)
        add_login(l, r->user, password, database_of(r));
}

static void
add_bare_user(struct logins *l, const struct settings *s, const struct route *r)
{
    (void)s;
    add_login(l, r->user, NULL, database_of(r));
}

void
logins_of(struct logins *out, const struct settings *settings, struct route *const *routes,
          unsigned route_count)
{
    static void (*const passes[])(struct logins *, const struct settings *, const struct route *) = {
        add_control_user,
        add_entry_user,
        add_file_user,
        add_bare_user,
    };

    *out = (struct logins){ .count = 0 };
    if (route_count == 0)
        return;
    out->route = route_hold(routes[0]);
    for (size_t p = 0; p < COUNT_OF(passes); p++)
        for (unsigned i = 0; i < route_count; i++)
            passes[p](out, settings, routes[i]);
}

void
logins_fini(struct logins *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        free(l->at[i].user);
        mem_free_secret(l->at[i].password);
        free(l->at[i].database);
    }
    route_drop(l->route);
    *l = (struct logins){ .count = 0 };
}

/* "h1,h2" and "1,2", as libpq has them; or one of them. */
static void
add_hosts(const struct route *r, unsigned host, struct buf *hosts, struct buf *ports)
{
    for (unsigned i = 0; i < r->host_count; i++) {
        const char *comma = buf_len(hosts) == 0 ? "" : ",";

        if (host != ANY_HOST && host != i)
            continue;
        buf_add_format(hosts, "%s%s", comma, r->hosts[i].host);
        buf_add_format(ports, "%s%u", comma, r->hosts[i].port);
    }
    buf_add_u8(hosts, 0);
    buf_add_u8(ports, 0);
}

struct capacity_query *
login_ask(struct loop *loop, const struct logins *l, unsigned host, unsigned number, uint64_t timeout_us,
          const struct capacity_handler *handler, void *arg)
{
    const struct login *login = &l->at[number];
    struct capacity_query *query;
    struct conninfo info;
    struct buf hosts, ports;

    buf_init(&hosts);
    buf_init(&ports);
    add_hosts(l->route, host, &hosts, &ports);
    conninfo_fill(&info, &l->route->server_tls, (const char *)buf_slice(&hosts).at,
                  (const char *)buf_slice(&ports).at);
    conninfo_set_login(&info, login->user, login->password, login->database);
    query = capacity_ask(loop,
                         &(struct capacity_params){
                             .keywords = info.keywords, .values = info.values, .timeout_us = timeout_us },
                         handler, arg);
    buf_release(&hosts);
    buf_release(&ports);
    return query;
}
