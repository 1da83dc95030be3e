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

struct hba;
struct ident;

enum pool_mode { POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT };
enum auth_type {
    AUTH_TYPE_ANY,
    AUTH_TYPE_TRUST,
    AUTH_TYPE_PLAIN,
    AUTH_TYPE_MD5,
    AUTH_TYPE_SCRAM,
    AUTH_TYPE_CERT,
    AUTH_TYPE_HBA,
    AUTH_TYPE_PAM,
    AUTH_TYPE_LDAP,
    AUTH_TYPE_PEER
};
enum shutdown_mode { SHUTDOWN_TRANSACTIONS, SHUTDOWN_CLIENTS };
enum load_balance { BALANCE_ROUND_ROBIN, BALANCE_DISABLE };
enum dhe_params { DHE_AUTO, DHE_NONE, DHE_LEGACY };
enum sslmode { SSL_DISABLE, SSL_ALLOW, SSL_PREFER, SSL_REQUIRE, SSL_VERIFY_CA, SSL_VERIFY_FULL };

struct tls_files { /* one side's TLS options; texts never NULL */
    int sslmode;   /* enum sslmode */
    char *ca_file, *cert_file, *key_file, *protocols, *ciphers, *ciphersuites, *ecdhcurve;
};

bool tls_files_equal(const struct tls_files *a, const struct tls_files *b);

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
    uint64_t tcp_socket_buffer; /* bytes; 0: the system's own */
    bool so_reuseport;
    unsigned peer_id; /* 0: none */

    /* process */
    unsigned workers; /* 0: as many as CPUs, at most 8 */
    char *logfile, *pidfile, *user;
    char *conffile; /* what the next reload reads; "": the file of the command line */
    char *job_name;
    unsigned verbose;
    bool syslog;
    int syslog_facility; /* enum log_facility of log.h */
    char *syslog_ident;
    bool log_connections, log_disconnections, log_pooler_errors, log_stats;
    uint64_t stats_period_us;
    char *admin_users, *stats_users; /* comma lists */
    uint64_t shutdown_timeout_us, suspend_timeout_us;
    int shutdown_mode; /* enum shutdown_mode */

    /* clients */
    int auth_type;   /* enum auth_type */
    char *auth_file; /* "" none */
    char *auth_hba_file, *auth_ident_file, *auth_ldap_options;
    char *pam_service, *pam_confdir;
    char *auth_user, *auth_query, *auth_dbname;
    uint64_t auth_query_cache_us;
    unsigned scram_iterations; /* for verifiers made from plain secrets */
    unsigned max_client_conn;
    unsigned
        max_login_conn; /* connections that have not logged in, over all workers; beyond it the oldest is closed */
    unsigned max_db_client_connections, max_user_client_connections; /* 0: no limit */
    uint64_t client_login_timeout_us;
    uint64_t client_idle_timeout_us;                          /* 0: off, here and below */
    char *ignore_startup_parameters, *track_extra_parameters; /* comma lists */
    bool application_name_add_host;
    char *login_notify_message; /* "" none */
    bool disable_pqexec;
    uint64_t max_packet_size;
    unsigned pkt_buf, sbuf_loopcnt;
    struct tls_files client_tls;
    int client_tls_dheparams; /* enum dhe_params */

    /* pools */
    int pool_mode;              /* enum pool_mode */
    unsigned default_pool_size; /* 0: as many as the budget allows */
    unsigned min_pool_size;
    unsigned reserve_pool_size;
    uint64_t reserve_pool_timeout_us;                  /* 0: no reserve */
    unsigned max_db_connections, max_user_connections; /* 0: no limit */
    uint64_t autodb_idle_timeout_us, pool_idle_timeout_us;
    uint64_t query_wait_timeout_us, query_wait_notify_us;
    uint64_t query_timeout_us;
    uint64_t idle_transaction_timeout_us;
    uint64_t transaction_timeout_us;

    unsigned max_pinned; /* clients of a pool that keep their server between transactions; 0: no limit */
    uint64_t sequence_pin_timeout_us;
    unsigned session_audit;              /* of FRACTION_ONE releases */
    unsigned max_prepared_statements;    /* on one server connection; 0: not tracked */
    uint64_t prepared_statements_memory; /* bytes */

    /* servers */
    unsigned server_connections; /* per host; 0: auto */
    struct option_share direct_reserve;
    char *control_user; /* who asks the server for its limits; "" : the database's own user */
    uint64_t capacity_check_period_us;
    uint64_t server_connect_timeout_us;
    uint64_t server_idle_timeout_us;
    uint64_t server_lifetime_us;    /* 0: use once */
    uint64_t server_login_retry_us; /* longest back-off */
    int load_balance_hosts;         /* enum load_balance */
    char *password_command;         /* "" none */
    uint64_t password_command_ttl_us;
    unsigned server_parallel_logins; /* connection attempts under way at once, per pool */
    uint64_t cancel_wait_timeout_us;
    char *server_reset_query;
    bool server_reset_query_always;
    uint64_t server_check_delay_us;
    char *server_check_query; /* "": none; "<empty>": the empty query */
    bool server_round_robin, server_fast_close;
    struct tls_files server_tls;
    uint64_t dns_max_ttl_us, dns_nxdomain_ttl_us, dns_zone_check_period_us;
    char *resolv_conf; /* "": the system's */

    /* what follows is not in the option table; read it through the calls below */
    struct settings_content *content; /* databases, users, auth file */
};

/* An entry of [peers]: another pgweir, to which cancel requests that are for it are passed on. */
struct peer {
    unsigned id; /* 1 to 16383 */
    char *host;
    unsigned port;
    unsigned pool_size; /* 0: not given */
};

/* What [databases] and [users] may set for themselves; `is_set` says which. Names as in struct settings. Texts
 * belong to the entry, and are NULL where it does not set them. */
struct overrides {
    struct {
        bool pool_mode, pool_size, min_pool_size, query_wait_timeout, query_timeout, idle_transaction_timeout,
            client_idle_timeout, server_lifetime, auth_user, auth_query, auth_dbname,
            max_db_client_connections, max_user_client_connections, reserve_pool_size, reserve_pool_timeout,
            max_db_connections, max_user_connections, transaction_timeout, load_balance_hosts,
            password_command, password_command_ttl, server_connect_timeout, server_idle_timeout,
            server_login_retry, server_parallel_logins, server_tls_sslmode, server_tls_ca_file,
            server_tls_cert_file, server_tls_key_file, server_tls_protocols, server_tls_ciphers,
            server_tls_ecdhcurve, server_tls13_ciphers, max_pinned, sequence_pin_timeout, session_audit;
        bool client_tls_sslmode;
    } is_set;
    int pool_mode;
    unsigned pool_size, min_pool_size;
    uint64_t query_wait_timeout_us, query_timeout_us, idle_transaction_timeout_us, client_idle_timeout_us,
        server_lifetime_us, reserve_pool_timeout_us, transaction_timeout_us, server_connect_timeout_us,
        server_idle_timeout_us, server_login_retry_us;
    uint64_t sequence_pin_timeout_us;
    unsigned server_parallel_logins, reserve_pool_size, max_db_connections, max_user_connections, max_pinned,
        session_audit, max_db_client_connections, max_user_client_connections;
    int load_balance_hosts;
    char *auth_user, *auth_query, *auth_dbname, *password_command;
    uint64_t password_command_ttl_us;
    struct tls_files server_tls;
    int client_tls_sslmode;
};

/*
 * Reads FILE (and what it includes) into a new snapshot with one reference, and checks all of it: every
 * problem found is appended to PROBLEMS as one line "file:line: what is wrong (and what was probably meant)".
 * Any problem fails the load: ERR_CONFIG, ERR_NOT_FOUND or ERR_IO, with the first in *WHY. Relative paths
 * hang on the working directory, as PgBouncer's do. The auth file is read too; a missing or unreadable one is
 * a problem. What loads but looks wrong or has no effect is appended to WARNINGS in the same way. Either may be
 * NULL.
 */
MUST_CHECK enum err settings_load(const char *file, struct settings **out, struct buf *problems,
                                  struct buf *warnings, struct error *why);
const struct settings *settings_hold(const struct settings *s);
void settings_drop(const struct settings *s); /* any thread; NULL is fine */

/* One line per difference that an operator wants to see ("query_wait_timeout: 120 -> 60", "database app:
 * removed", "listen_port: … needs a restart"). */
void settings_tell_changes(const struct settings *before, const struct settings *after, struct buf *out);

/* The stored secret of a user in the auth file ("" when it has none); NULL: no such user. Lives as long as
 * the snapshot. */
const char *settings_auth_secret(const struct settings *s, const char *user);

/* The one that it had before, and that is good still; NULL: none. */
const char *settings_auth_old_secret(const struct settings *s, const char *user);

/* The rules of auth_hba_file, NULL unless auth_type is hba; the maps of auth_ident_file, NULL: none. They live as long as the snapshot. */
const struct hba *settings_hba(const struct settings *s);
const struct ident *settings_ident(const struct settings *s);

/* The most that the main section, DATABASE's entry and USER's ask of a client on TCP: an enum sslmode. */
int settings_client_sslmode(const struct settings *s, const char *database, const char *user);
/* Whether some database or user asks for a client certificate though the main section does not. */
bool settings_wants_certificates(const struct settings *s);
/* Most clients that may be logged in as USER, who is not always the user of their route; 0: no limit. */
unsigned settings_user_client_limit(const struct settings *s, const char *user);

/* Shows every user of the auth file to EACH, in no particular order, until it returns false. */
void settings_each_auth_user(const struct settings *s,
                             bool (*each)(void *arg, const char *user, const char *secret), void *arg);

const struct peer *settings_peer(const struct settings *s, unsigned id); /* NULL: there is none */
/* In the order of their numbers; NULL behind the last. */
const struct peer *settings_peer_at(const struct settings *s, unsigned index);

/* Names that settings_route() knows, for the log and later SHOW DATABASES; INDEX from 0, NULL behind the
 * last. "*" included. */
const char *settings_database_name(const struct settings *s, unsigned index);
/* Whether a login to NAME leads anywhere: to its entry, or to "*". */
bool settings_has_database(const struct settings *s, const char *name);
/* What the entry of that database sets for itself; NULL: it has none. */
const struct overrides *settings_database_own(const struct settings *s, const char *name);
/* Calls EACH for every user of the auth file and of [users], once; OWN is NULL for one without an entry in [users]. */
void settings_each_user(const struct settings *s,
                        void (*each)(void *arg, const char *name, const struct overrides *own), void *arg);
/* O's value in S, and its preset where S came from, as option_show() writes them. */
void settings_show(const struct settings *s, const struct option *o, char *out, size_t size);
void settings_show_preset(const struct settings *s, const struct option *o, char *out, size_t size);
/* S with O set to VALUE: SET on the console. One reference; databases, users and secrets are those of S. ERR_SYNTAX or ERR_LIMIT in *WHY as from
 * option_parse(), ERR_CONFIG when O cannot change while the process runs. */
MUST_CHECK enum err settings_with(const struct settings *s, const struct option *o, const char *value,
                                  struct settings **out, struct error *why);

#endif
