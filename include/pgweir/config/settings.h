/*
 * settings.h - a loaded configuration: immutable once built, reference counted, shared by all threads. A
 * reload builds a second one, checks it whole and swaps the pointer. No option is a global variable.
 */
#ifndef PGWEIR_CONFIG_SETTINGS_H
#define PGWEIR_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/err.h"
#include "pgweir/base/map.h"
#include "pgweir/config/option.h"

enum pool_mode { POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT };
enum auth_type { AUTH_TYPE_ANY, AUTH_TYPE_TRUST, AUTH_TYPE_PLAIN, AUTH_TYPE_MD5, AUTH_TYPE_SCRAM };
enum sslmode { SSL_DISABLE, SSL_ALLOW, SSL_PREFER, SSL_REQUIRE, SSL_VERIFY_CA, SSL_VERIFY_FULL };

struct tls_files { /* one side's TLS options; texts never NULL */
    int sslmode;   /* enum sslmode */
    char *ca_file, *cert_file, *key_file, *protocols, *ciphers, *ciphersuites, *ecdhcurve;
};

struct settings {
    /* listening */
    char *listen_addr; /* comma list, "*" */
    unsigned listen_port;
    unsigned listen_backlog;
    char *unix_socket_dir; /* "" none; '@…' abstract */
    char *unix_socket_group;
    unsigned unix_socket_mode;
    bool tcp_defer_accept;
    bool tcp_keepalive;
    unsigned tcp_keepidle_s, tcp_keepintvl_s, tcp_keepcnt, tcp_user_timeout_ms;

    /* process */
    unsigned workers; /* 0: as many as CPUs, at most 8 */
    char *logfile, *pidfile, *user;
    unsigned verbose;
    bool log_connections, log_disconnections, log_pooler_errors;
    uint64_t shutdown_timeout_us;

    /* clients */
    int auth_type;             /* enum auth_type */
    char *auth_file;           /* "" none */
    unsigned scram_iterations; /* for verifiers made from plain secrets */
    unsigned max_client_conn;
    unsigned
        max_login_conn; /* connections that have not logged in, over all workers; beyond it the oldest is closed */
    uint64_t client_login_timeout_us;
    uint64_t client_idle_timeout_us; /* 0: off, here and below */
    struct tls_files client_tls;

    /* pools */
    int pool_mode;              /* enum pool_mode */
    unsigned default_pool_size; /* 0: as many as the budget allows */
    unsigned min_pool_size;
    uint64_t query_wait_timeout_us;
    uint64_t query_timeout_us;
    uint64_t idle_transaction_timeout_us;

    unsigned max_prepared_statements;    /* on one server connection; 0: not tracked */
    uint64_t prepared_statements_memory; /* bytes */

    /* servers */
    unsigned server_connections; /* per host; 0: auto */
    struct option_share direct_reserve;
    char *control_user; /* who asks the server for its limits; "" : the database's own user */
    uint64_t capacity_check_period_us;
    uint64_t server_connect_timeout_us;
    uint64_t server_idle_timeout_us;
    uint64_t server_lifetime_us;     /* 0: use once */
    uint64_t server_login_retry_us;  /* longest back-off */
    unsigned server_parallel_logins; /* connection attempts under way at once, per pool */
    uint64_t cancel_wait_timeout_us;
    char *server_reset_query;
    bool server_reset_query_always;
    struct tls_files server_tls;
    uint64_t dns_max_ttl_us, dns_nxdomain_ttl_us;

    /* what follows is not in the option table; read it through the calls below */
    struct settings_content *content; /* databases, users, auth file */
};

/* What [databases] and [users] may set for themselves; `is_set` says which. Names as in struct settings. */
struct overrides {
    struct {
        bool pool_mode, pool_size, min_pool_size, query_wait_timeout, query_timeout, idle_transaction_timeout,
            client_idle_timeout, server_lifetime;
    } is_set;
    int pool_mode;
    unsigned pool_size, min_pool_size;
    uint64_t query_wait_timeout_us, query_timeout_us, idle_transaction_timeout_us, client_idle_timeout_us,
        server_lifetime_us;
};

/*
 * Reads FILE (and what it includes) into a new snapshot with one reference, and checks all of it: every
 * problem found is appended to PROBLEMS as one line "file:line: what is wrong (and what was probably meant)".
 * Any problem fails the load: ERR_CONFIG, ERR_NOT_FOUND or ERR_IO, with the first in *WHY. Relative paths
 * hang on the working directory, as PgBouncer's do. The auth file is read too; a missing or unreadable one is
 * a problem. What loads but looks wrong or has no effect yet is logged, one WARNING each.
 */
MUST_CHECK enum err settings_load(const char *file, struct settings **out, struct buf *problems,
                                  struct error *why);
const struct settings *settings_hold(const struct settings *s);
void settings_drop(const struct settings *s); /* any thread; NULL is fine */

/* One line per difference that an operator wants to see ("query_wait_timeout: 120 -> 60", "database app:
 * removed", "listen_port: … needs a restart"). */
void settings_tell_changes(const struct settings *before, const struct settings *after, struct buf *out);

/* The stored secret of a user in the auth file ("" when it has none); NULL: no such user. Lives as long as
 * the snapshot. */
const char *settings_auth_secret(const struct settings *s, const char *user);

/* Names that settings_route() knows, for the log and later SHOW DATABASES; INDEX from 0, NULL behind the
 * last. "*" included. */
const char *settings_database_name(const struct settings *s, unsigned index);

#endif
