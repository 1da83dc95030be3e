/*
 * route.c - from the name of a database and a user to where and how.
 *
 *     [users] of the role on the server, then [databases], then the main section: the first that sets an
 *     option has it.
 */
#include "pgweir/config/route.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "settings_impl.h"

/* A route and who holds it. */
struct route_held {
    struct route route;
    atomic_uint holds;
};

static void
route_resolve(struct route *r, const struct overrides *all)
{
    const struct settings *s = r->settings;

    r->pool_mode = all->pool_mode;
    r->pool_size = all->pool_size;
    r->min_pool_size = all->min_pool_size;
    r->reserve_pool_size = all->reserve_pool_size;
    r->reserve_pool_timeout_us = all->reserve_pool_timeout_us;
    r->max_db_connections = all->max_db_connections;
    r->max_db_client_connections = all->max_db_client_connections;
    r->max_user_connections = all->max_user_connections;
    r->transaction_timeout_us = all->transaction_timeout_us;
    r->load_balance_hosts = all->load_balance_hosts;
    r->auth_user = all->auth_user;
    r->auth_query = all->auth_query;
    r->auth_dbname = all->auth_dbname;
    r->password_command = all->password_command;
    r->password_command_ttl_us = all->password_command_ttl_us;
    r->server_tls = all->server_tls;
    r->max_pinned = all->max_pinned;
    r->sequence_pin_timeout_us = all->sequence_pin_timeout_us;
    /* what connect_query has set cannot be told from what clients have */
    r->session_audit = r->connect_query[0] == '\0' ? all->session_audit : 0;
    r->query_wait_timeout_us = all->query_wait_timeout_us;
    r->query_timeout_us = all->query_timeout_us;
    r->idle_transaction_timeout_us = all->idle_transaction_timeout_us;
    r->client_idle_timeout_us = all->client_idle_timeout_us;
    r->server_lifetime_us = all->server_lifetime_us;
    r->server_connect_timeout_us = all->server_connect_timeout_us;
    r->server_idle_timeout_us = all->server_idle_timeout_us;
    r->server_login_retry_us = all->server_login_retry_us;
    r->server_parallel_logins = all->server_parallel_logins;
    r->server_reset_query = mem_text(s->server_reset_query);
    r->server_reset_query_always = s->server_reset_query_always;
}

/* Every option that can be overridden, from the first of USER, DB and S that has it; texts are borrowed. USER
 * may be NULL. */
static struct overrides
overrides_of(const struct settings *s, const struct database *db, const struct user *user)
{
    struct overrides all = { 0 };

    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        const void *from = option_slot_const(o, s);

        if ((o->scope & (IN_DATABASE | IN_USER)) == 0)
            continue;
        if (override_is_set(&db->own, o))
            from = override_slot(&db->own, o);
        if (user != NULL && override_is_set(&user->own, o))
            from = override_slot(&user->own, o);
        memcpy((char *)&all + o->slot_inside, from, option_value_size(o));
    }
    return all;
}

static void
route_set_hosts(struct route *r, const struct database *db)
{
    struct buf key;

    buf_init(&key);
    r->hosts = mem_grow(NULL, db->host_count, sizeof(*r->hosts));
    r->host_count = db->host_count;
    for (unsigned i = 0; i < db->host_count; i++) {
        const char *host = db->hosts[i].host != NULL ? db->hosts[i].host : r->settings->unix_socket_dir;

        r->hosts[i] = (struct route_host){ .host = mem_text(host), .port = db->hosts[i].port };
        buf_add_format(&key, "%s%s:%u", i == 0 ? "" : ",", host, db->hosts[i].port);
    }
    r->host_key = mem_text_of(buf_slice(&key));
    buf_release(&key);
}

static void
route_set_startup(struct route *r, const struct database *db)
{
    size_t count = 0;

    r->startup = mem_new((2 * database_key_count + 1) * sizeof(char *));
    for (size_t i = 0; i < database_key_count; i++) {
        const char *value = database_text(db, &database_keys[i]);

        if (!database_keys[i].is_startup || value == NULL)
            continue;
        r->startup[count++] = mem_text(database_keys[i].name);
        r->startup[count++] = mem_text(value);
    }
}

/* The entry's password, or what the auth file has for a forced user. */
static const char *
route_password(const struct settings *s, const struct database *db)
{
    const char *secret;

    if (db->password != NULL)
        return db->password;
    secret = db->user == NULL ? NULL : settings_auth_secret(s, db->user);
    return secret == NULL || *secret == '\0' ? NULL : secret;
}

static struct route *
route_new(const struct settings *s, const struct database *db, const char *database, const char *user)
{
    struct route_held *held = mem_new(sizeof(*held));
    struct route *r = &held->route;
    struct overrides all;

    atomic_init(&held->holds, 1);
    r->settings = settings_hold(s);
    r->database = mem_text(database);
    r->is_forced = db->user != NULL;
    r->user = mem_text(r->is_forced ? db->user : user);
    r->is_autodb = strcmp(db->name, "*") == 0;
    r->server_database = mem_text(db->dbname != NULL ? db->dbname : database);
    r->password = mem_text(route_password(s, db));
    r->connect_query = mem_text(db->connect_query != NULL ? db->connect_query : "");
    route_set_hosts(r, db);
    route_set_startup(r, db);
    all = overrides_of(s, db, settings_user(s, r->user));
    route_resolve(r, &all);
    return r;
}

static bool
is_console(const char *database)
{
    return strcmp(database, "pgbouncer") == 0 || strcmp(database, "pgweir") == 0;
}

/* The entry that clients of DATABASE get; NULL when there is none. */
static const struct database *
entry_for(const struct settings *s, const char *database)
{
    const struct database *db;

    if (strlen(database) > NAME_BYTES_MOST || is_console(database))
        return NULL;
    db = settings_database(s, database);
    return db != NULL ? db : settings_database(s, "*");
}

struct route *
settings_route(const struct settings *s, const char *database, const char *user)
{
    const struct database *db = entry_for(s, database);

    return db == NULL ? NULL : route_new(s, db, database, user);
}

bool
settings_has_database(const struct settings *s, const char *name)
{
    return entry_for(s, name) != NULL;
}

/* ---- auth_query ---- */

/* What holds for the users of one database; texts are borrowed. */
struct asking {
    const char *user;  /* "": nobody asks */
    const char *query; /* "": likewise */
    const char *database;
};

static struct asking
asking_for(const struct settings *s, const char *database)
{
    const struct database *db = entry_for(s, database);
    struct asking a = { s->auth_user, s->auth_query, s->auth_dbname };

    if (db != NULL && db->own.is_set.auth_user)
        a.user = db->own.auth_user;
    if (db != NULL && db->own.is_set.auth_query)
        a.query = db->own.auth_query;
    if (db != NULL && db->own.is_set.auth_dbname)
        a.database = db->own.auth_dbname;
    if (a.database[0] == '\0')
        a.database = db != NULL ? database : "";
    return a;
}

bool
settings_asks_for_users(const struct settings *s, const char *database)
{
    struct asking a = asking_for(s, database);

    return a.user[0] != '\0' && a.query[0] != '\0' && a.database[0] != '\0';
}

struct route *
settings_auth_route(const struct settings *s, const char *database, const char **missing)
{
    struct asking a = asking_for(s, database);
    const struct database *db = entry_for(s, a.database);
    const char *secret;
    struct route *r;

    *missing = NULL;
    if (!settings_asks_for_users(s, database))
        return NULL;
    if (db == NULL) {
        *missing = a.database;
        return NULL;
    }
    r = route_new(s, db, a.database, a.user);
    secret = settings_auth_secret(s, a.user);
    if (secret == NULL || secret[0] == '\0')
        secret = db->user == NULL || strcmp(db->user, a.user) == 0 ? db->password : NULL;
    free(r->user);
    r->user = mem_text(a.user);
    mem_free_secret(r->password);
    r->password = mem_text(secret);
    r->auth_query = a.query;
    return r;
}

static void
route_free(struct route *r)
{
    for (unsigned i = 0; i < r->host_count; i++)
        free(r->hosts[i].host);
    for (char **at = r->startup; *at != NULL; at++)
        free(*at);
    free(r->hosts);
    free(r->startup);
    free(r->host_key);
    free(r->database);
    free(r->user);
    free(r->server_database);
    mem_free_secret(r->password);
    free(r->server_reset_query);
    free(r->connect_query);
    settings_drop(r->settings);
    free(CONTAINER_OF(r, struct route_held, route));
}

struct route *
route_hold(struct route *r)
{
    atomic_fetch_add_explicit(&CONTAINER_OF(r, struct route_held, route)->holds, 1, memory_order_relaxed);
    return r;
}

void
route_drop(struct route *r)
{
    if (r != NULL && atomic_fetch_sub_explicit(&CONTAINER_OF(r, struct route_held, route)->holds, 1,
                                               memory_order_acq_rel) == 1)
        route_free(r);
}

/* ---- comparing ---- */

static bool
is_same_startup(char *const *a, char *const *b)
{
    for (; *a != NULL && *b != NULL; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

bool
route_needs_new_servers(const struct route *a, const struct route *b)
{
    return strcmp(a->host_key, b->host_key) != 0 || strcmp(a->server_database, b->server_database) != 0 ||
           strcmp(a->user, b->user) != 0 || strcmp(a->connect_query, b->connect_query) != 0 ||
           !is_same_startup(a->startup, b->startup) || !tls_files_equal(&a->server_tls, &b->server_tls);
}
