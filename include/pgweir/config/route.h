/*
 * route.h - where a login for (database, user) leads: the database entry, the user's and the global settings
 * resolved into one immutable, reference-counted value that a pool and its servers read.
 */
#ifndef PGWEIR_CONFIG_ROUTE_H
#define PGWEIR_CONFIG_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config/settings.h"

struct route_host {
    char *host; /* name, address, directory or '@name' */
    unsigned port;
};

struct route {
    char *database; /* as the client names it */
    char *user;     /* the role on the server: the client's, or the entry's forced one */
    bool is_forced; /* the entry names the user */
    bool is_autodb; /* made from the "*" entry */
    char *server_database;
    /* From the entry or, for a forced user, its auth file secret; NULL: the client's own credentials. */
    char *password;
    struct route_host *hosts; /* owned; at least one */
    unsigned host_count;
    char *host_key; /* "host:port,host:port": names the budget */

    int pool_mode;      /* enum pool_mode */
    unsigned pool_size; /* 0: bounded by the budget only */
    unsigned min_pool_size;
    unsigned reserve_pool_size;
    uint64_t reserve_pool_timeout_us; /* 0: no reserve */
    /* Servers, and clients, of the database's entry over all users; servers of the user over all databases.
     * 0: no limit. Clients of a user: settings_user_client_limit(). */
    unsigned max_db_connections, max_db_client_connections, max_user_connections;
    uint64_t query_wait_timeout_us, query_timeout_us, idle_transaction_timeout_us, transaction_timeout_us,
        client_idle_timeout_us, server_connect_timeout_us, server_idle_timeout_us, server_lifetime_us,
        server_login_retry_us;
    unsigned server_parallel_logins;
    unsigned max_pinned; /* 0: no limit */
    uint64_t sequence_pin_timeout_us;
    unsigned session_audit; /* of FRACTION_ONE releases */
    int load_balance_hosts; /* enum load_balance */
    /* These live in the settings. "": none. */
    const char *auth_user, *auth_query, *auth_dbname, *password_command;
    uint64_t password_command_ttl_us;
    struct tls_files server_tls;
    char *server_reset_query; /* "": none */
    bool server_reset_query_always;
    char *connect_query; /* "": none */
    /* Startup parameters that the entry sets for its servers (client_encoding, datestyle, timezone,
     * application_name): name, value, … NULL. */
    char **startup;

    const struct settings *settings; /* held */
};

/* NULL when there is no such database and no "*" entry (or the name is longer than 63 bytes). The caller owns
 * one reference. */
struct route *settings_route(const struct settings *s, const char *database, const char *user);
/* Whether there is an auth_query for users of DATABASE who are not in the auth file. */
bool settings_asks_for_users(const struct settings *s, const char *database);
/* Where it is asked: as auth_user, with auth_user's password, in auth_dbname; the route's auth_query is the query. NULL when nobody asks, or
 * would have to in a database that does not exist: then its name is in *MISSING (borrowed from S or DATABASE), else NULL. */
struct route *settings_auth_route(const struct settings *s, const char *database, const char **missing);
struct route *route_hold(struct route *r);
void route_drop(struct route *r); /* any thread; NULL is fine */

/* Whether servers made for A would be made differently for B: host, port, database, user, TLS, startup
 * parameters, connect_query. A changed password does not count. */
bool route_needs_new_servers(const struct route *a, const struct route *b);

#endif
