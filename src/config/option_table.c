/*
 * option_table.c - every option, one row each, in the order of the reference page; and the names of
 * PgBouncer's options that are still to come.
 *
 *     A new option needs a field in struct settings, a row here, and `pgweir --help-config` written to
 *     docs/configuration.md and etc/pgweir.ini (a test compares them). An option that databases or users may
 *     set for themselves needs a field and a flag in struct overrides too.
 */
#include <stdlib.h>
#include <string.h>

#include "option_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/config/settings.h"

#define SLOT(field) offsetof(struct settings, field)
#define INSIDE(field) offsetof(struct overrides, field)
#define MARK(field) offsetof(struct overrides, is_set.field)

#define LISTENING "Listening"
#define PROCESS "Process and log"
#define CLIENTS "Clients and their login"
#define CLIENT_TLS "TLS towards clients"
#define POOLS "Pools"
#define SERVERS "Servers"
#define SERVER_TLS "TLS towards servers"

static const char *const pool_modes[] = { "session", "transaction", "statement", NULL };
static const char *const auth_types[] = { "any", "trust", "plain", "md5", "scram-sha-256", NULL };
static const char *const sslmodes[] = { "disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL };

_Static_assert(COUNT_OF(pool_modes) == POOL_STATEMENT + 2, "pool_modes follows enum pool_mode");
_Static_assert(COUNT_OF(auth_types) == AUTH_TYPE_SCRAM + 2, "auth_types follows enum auth_type");
_Static_assert(COUNT_OF(sslmodes) == SSL_VERIFY_FULL + 2, "sslmodes follows enum sslmode");

/* clang-format off */
const struct option options[] = {
    { .name = "listen_addr",
      .type = OPT_TEXT,
      .preset = "127.0.0.1", .preset_pgbouncer = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(listen_addr),
      .group = LISTENING,
      .text = "TCP addresses to listen on: a comma-separated list of IPv4 and IPv6 addresses and host names, or "
              "`*` for all. Empty: no TCP, only the Unix socket." },

    { .name = "listen_port",
      .type = OPT_COUNT,
      .preset = "6432", .least = "1", .most = "65535",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(listen_port),
      .group = LISTENING,
      .text = "The TCP port, and the number at the end of the Unix socket's name." },

    { .name = "listen_backlog",
      .type = OPT_COUNT,
      .preset = "128", .least = "1", .most = "65535",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(listen_backlog),
      .group = LISTENING,
      .text = "How many connections the kernel may hold ready before pgweir has accepted them." },

    { .name = "unix_socket_dir",
      .type = OPT_TEXT,
      .preset = "/tmp",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(unix_socket_dir),
      .group = LISTENING,
      .text = "Directory of the Unix socket (`.s.PGSQL.<listen_port>`), and of the server's where a database "
              "names no host. Starting with `@`: in the abstract name space. Empty: no Unix socket." },

    { .name = "unix_socket_mode",
      .type = OPT_COUNT, .unit = "octal",
      .preset = "0777", .most = "0777",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(unix_socket_mode),
      .group = LISTENING,
      .text = "File mode of the Unix socket, octal with its leading 0." },

    { .name = "unix_socket_group",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(unix_socket_group),
      .group = LISTENING,
      .text = "Group that owns the Unix socket, by name or number. Empty: the group of the process." },

    { .name = "tcp_defer_accept",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(tcp_defer_accept),
      .group = LISTENING,
      .text = "Let the kernel hold a new TCP connection back until its first bytes have arrived." },

    { .name = "tcp_keepalive",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_keepalive),
      .group = LISTENING,
      .text = "Send TCP keepalives to clients and servers, so that dead peers are noticed." },

    { .name = "tcp_keepidle",
      .type = OPT_COUNT, .unit = "s",
      .preset = "0", .most = "32767",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_keepidle_s),
      .group = LISTENING,
      .text = "Seconds without traffic before the first TCP keepalive. 0: as the operating system has it." },

    { .name = "tcp_keepintvl",
      .type = OPT_COUNT, .unit = "s",
      .preset = "0", .most = "32767",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_keepintvl_s),
      .group = LISTENING,
      .text = "Seconds between TCP keepalives that are not answered. 0: as the operating system has it." },

    { .name = "tcp_keepcnt",
      .type = OPT_COUNT,
      .preset = "0", .most = "127",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_keepcnt),
      .group = LISTENING,
      .text = "How many TCP keepalives may go unanswered before the connection counts as dead. 0: as the "
              "operating system has it." },

    { .name = "tcp_user_timeout",
      .type = OPT_COUNT, .unit = "ms",
      .preset = "0", .most = "2147483647",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_user_timeout_ms),
      .group = LISTENING,
      .text = "Milliseconds that sent data may stay unacknowledged before the connection counts as dead. 0: as "
              "the operating system has it." },

    { .name = "workers",
      .type = OPT_AUTO_COUNT,
      .preset = "auto", .most = "32",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(workers),
      .group = PROCESS,
      .text = "Number of worker threads. `auto` (or 0): one per CPU, at most 8." },

    { .name = "logfile",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(logfile),
      .group = PROCESS,
      .text = "File to which log lines are appended; it is opened anew at every reload. Empty: standard error "
              "only." },

    { .name = "pidfile",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(pidfile),
      .group = PROCESS,
      .text = "File for the process id; daemon mode (`-d`) needs one. Empty: none." },

    { .name = "user",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(user),
      .group = PROCESS,
      .text = "Operating system user to become after start; needed when started as root, for pgweir does not run "
              "as root." },

    { .name = "verbose",
      .type = OPT_COUNT,
      .preset = "0", .most = "3",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(verbose),
      .group = PROCESS,
      .text = "How much to log beyond the ordinary, 0 to 3; `-v` on the command line adds to it." },

    { .name = "log_connections",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(log_connections),
      .group = PROCESS,
      .text = "Log every login that succeeds." },

    { .name = "log_disconnections",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(log_disconnections),
      .group = PROCESS,
      .text = "Log every connection that ends, with the reason." },

    { .name = "log_pooler_errors",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(log_pooler_errors),
      .group = PROCESS,
      .text = "Log the errors that pgweir itself sends to clients." },

    { .name = "shutdown_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "30",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(shutdown_timeout_us),
      .group = PROCESS,
      .text = "How long a shutdown lets transactions come to their end before it closes what is left. 0 waits for "
              "ever." },

    { .name = "auth_type",
      .type = OPT_CHOICE, .choices = auth_types,
      .preset = "scram-sha-256", .preset_pgbouncer = "md5",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(auth_type),
      .group = CLIENTS,
      .text = "How clients prove who they are. `any`: not at all, and every database must name its `user`; "
              "`trust`: not at all; `plain`: clear-text password; `md5`: md5, or SCRAM where the stored secret is "
              "SCRAM; `scram-sha-256`: SCRAM only." },

    { .name = "auth_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(auth_file),
      .group = CLIENTS,
      .text = "File with user names and secrets, one `\"user\" \"secret\"` per line; a secret is a plain password, "
              "`md5` and 32 digits, or a SCRAM verifier as in pg_authid. It is read at start and at every reload." },

    { .name = "scram_iterations",
      .type = OPT_COUNT,
      .preset = "4096", .least = "1", .most = "1000000",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(scram_iterations),
      .group = CLIENTS,
      .text = "Iterations of SCRAM verifiers that are made from plain secrets." },

    { .name = "max_client_conn",
      .type = OPT_COUNT,
      .preset = "10000", .preset_pgbouncer = "100", .least = "1", .most = "1000000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(max_client_conn),
      .group = CLIENTS,
      .text = "Most client connections at once; a further one is refused with SQLSTATE 53300. Two file "
              "descriptors may be needed for each." },

    { .name = "max_login_conn",
      .type = OPT_COUNT,
      .preset = "1000", .least = "1", .most = "1000000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(max_login_conn),
      .group = CLIENTS,
      .text = "Most client connections that have not logged in yet; beyond it the one that has taken longest is "
              "closed, so that connections that never log in keep nobody out." },

    { .name = "client_login_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "60",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_login_timeout_us),
      .group = CLIENTS,
      .text = "A client must have logged in within this time. 0: no limit." },

    { .name = "client_idle_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(client_idle_timeout_us),
      .slot_inside = INSIDE(client_idle_timeout_us), .mark_inside = MARK(client_idle_timeout),
      .group = CLIENTS,
      .text = "Closes clients that have been idle, outside a transaction, for this long. 0: never." },

    { .name = "client_tls_sslmode",
      .type = OPT_CHOICE, .choices = sslmodes,
      .preset = "disable",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.sslmode),
      .group = CLIENT_TLS,
      .text = "TLS between clients and pgweir. `disable`: refused; `allow`, `prefer`: used when the client asks; "
              "`require`: clients without TLS are turned away; `verify-ca`, `verify-full`: the client must also "
              "present a certificate that `client_tls_ca_file` vouches for. All but `disable` need a certificate "
              "and a key." },

    { .name = "client_tls_cert_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.cert_file),
      .group = CLIENT_TLS,
      .text = "Certificate that clients see, PEM, with any intermediate ones behind it." },

    { .name = "client_tls_key_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.key_file),
      .group = CLIENT_TLS,
      .text = "Private key of `client_tls_cert_file`, PEM." },

    { .name = "client_tls_ca_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.ca_file),
      .group = CLIENT_TLS,
      .text = "Certificates, PEM, that client certificates are checked against." },

    { .name = "client_tls_protocols",
      .type = OPT_TEXT,
      .preset = "secure",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.protocols),
      .group = CLIENT_TLS,
      .text = "TLS versions offered to clients: a comma-separated list of `tlsv1.0`, `tlsv1.1`, `tlsv1.2`, "
              "`tlsv1.3`, or `secure` (1.2 and 1.3) or `all`." },

    { .name = "client_tls_ciphers",
      .type = OPT_TEXT,
      .preset = "default",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.ciphers),
      .group = CLIENT_TLS,
      .text = "Ciphers of TLS 1.2 and older towards clients: `default`, `secure`, or a list in OpenSSL's "
              "notation." },

    { .name = "client_tls13_ciphers",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.ciphersuites),
      .group = CLIENT_TLS,
      .text = "Cipher suites of TLS 1.3 towards clients, in OpenSSL's notation. Empty: OpenSSL's own choice." },

    { .name = "client_tls_ecdhcurve",
      .type = OPT_TEXT,
      .preset = "auto",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.ecdhcurve),
      .group = CLIENT_TLS,
      .text = "Curve for the key exchange with clients: `auto`, `none` or a name." },

    { .name = "pool_mode",
      .type = OPT_CHOICE, .choices = pool_modes,
      .preset = "transaction", .preset_pgbouncer = "session",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(pool_mode),
      .slot_inside = INSIDE(pool_mode), .mark_inside = MARK(pool_mode),
      .group = POOLS,
      .text = "When a server goes back to its pool: `session`: when the client leaves; `transaction`: when its "
              "transaction is over; `statement`: after every statement, and transactions of several statements "
              "are refused." },

    { .name = "default_pool_size", .name_inside = "pool_size",
      .type = OPT_COUNT,
      .preset = "0", .preset_pgbouncer = "20", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(default_pool_size),
      .slot_inside = INSIDE(pool_size), .mark_inside = MARK(pool_size),
      .group = POOLS,
      .text = "Most server connections of one pool, that is of one database and user. 0: as many as the host's "
              "`server_connections` allow." },

    { .name = "min_pool_size",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(min_pool_size),
      .slot_inside = INSIDE(min_pool_size), .mark_inside = MARK(min_pool_size),
      .group = POOLS,
      .text = "Server connections that a pool keeps open, and to which it is entitled, once it has been used." },

    { .name = "query_wait_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "120",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(query_wait_timeout_us),
      .slot_inside = INSIDE(query_wait_timeout_us), .mark_inside = MARK(query_wait_timeout),
      .group = POOLS,
      .text = "How long a client may wait for a server before it is sent away. 0 waits for ever." },

    { .name = "max_prepared_statements",
      .type = OPT_COUNT,
      .preset = "200", .most = "100000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(max_prepared_statements),
      .group = POOLS,
      .text = "How many prepared statements one server connection keeps in transaction and statement mode; the one "
              "used longest ago makes room. 0: prepared statements are not tracked." },

    { .name = "prepared_statements_memory",
      .type = OPT_BYTES,
      .preset = "256MB", .least = "1MB",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(prepared_statements_memory),
      .group = POOLS,
      .text = "Bound on the memory for the texts of prepared statements, which all clients and servers share. A "
              "Parse beyond it is refused." },

    { .name = "query_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(query_timeout_us),
      .slot_inside = INSIDE(query_timeout_us), .mark_inside = MARK(query_timeout),
      .group = POOLS,
      .text = "Closes a server, and its client, whose query runs longer than this. 0: never; PostgreSQL's own "
              "statement_timeout is the gentler way." },

    { .name = "idle_transaction_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(idle_transaction_timeout_us),
      .slot_inside = INSIDE(idle_transaction_timeout_us), .mark_inside = MARK(idle_transaction_timeout),
      .group = POOLS,
      .text = "Closes a server, and its client, that has been idle in a transaction for this long. 0: never." },

    { .name = "server_connections",
      .type = OPT_AUTO_COUNT,
      .preset = "auto", .least = "1", .most = "1000000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_connections),
      .group = SERVERS,
      .text = "Most connections to one PostgreSQL host, over all pools and workers. `auto`: what the server's "
              "max_connections, its reserved connections and its CONNECTION LIMITs leave, less `direct_reserve`." },

    { .name = "direct_reserve",
      .type = OPT_SHARE,
      .preset = "10%",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(direct_reserve),
      .group = SERVERS,
      .text = "What `server_connections = auto` leaves free for those who connect directly, as migrations do: a "
              "percentage of what is to be had (but at least 3 connections), or a number." },

    { .name = "control_user",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(control_user),
      .group = SERVERS,
      .text = "Role with which pgweir asks a server for its limits. Empty: the user of the pool that needs them "
              "first." },

    { .name = "capacity_check_period",
      .type = OPT_DURATION, .unit = "s",
      .preset = "60", .least = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(capacity_check_period_us),
      .group = SERVERS,
      .text = "How often a server is asked again for its limits." },

    { .name = "server_connect_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "15",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_connect_timeout_us),
      .group = SERVERS,
      .text = "Connecting and logging in to a server must be done within this time. 0: no limit." },

    { .name = "server_idle_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "600",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_idle_timeout_us),
      .group = SERVERS,
      .text = "Closes server connections that nobody has used for this long, but not below `min_pool_size`. 0: "
              "never." },

    { .name = "server_lifetime",
      .type = OPT_DURATION, .unit = "s",
      .preset = "3600",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(server_lifetime_us),
      .slot_inside = INSIDE(server_lifetime_us), .mark_inside = MARK(server_lifetime),
      .group = SERVERS,
      .text = "Closes server connections older than this as soon as they are free. 0: each is used once." },

    { .name = "server_login_retry",
      .type = OPT_DURATION, .unit = "s",
      .preset = "15",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_login_retry_us),
      .group = SERVERS,
      .text = "Longest pause between attempts to reach a server that refuses connections or logins; the first "
              "pauses are shorter." },

    { .name = "server_parallel_logins",
      .type = OPT_COUNT,
      .preset = "16", .least = "1", .most = "10000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_parallel_logins),
      .group = SERVERS,
      .text = "Most connections that one pool may be opening at the same time." },

    { .name = "cancel_wait_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "10",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(cancel_wait_timeout_us),
      .group = SERVERS,
      .text = "Drops a cancel request that could not be delivered within this time. 0: never." },

    { .name = "server_reset_query",
      .type = OPT_TEXT,
      .preset = "DISCARD ALL",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_reset_query),
      .group = SERVERS,
      .text = "Sent to a server that a client in session pooling leaves, before the next client gets it. Empty: "
              "nothing." },

    { .name = "server_reset_query_always",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_reset_query_always),
      .group = SERVERS,
      .text = "Send `server_reset_query` in the other pool modes too, after every transaction." },

    { .name = "dns_max_ttl",
      .type = OPT_DURATION, .unit = "s",
      .preset = "15",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(dns_max_ttl_us),
      .group = SERVERS,
      .text = "How long the addresses of a host name are remembered." },

    { .name = "dns_nxdomain_ttl",
      .type = OPT_DURATION, .unit = "s",
      .preset = "15",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(dns_nxdomain_ttl_us),
      .group = SERVERS,
      .text = "How long it is remembered that a host name has no address." },

    { .name = "server_tls_sslmode",
      .type = OPT_CHOICE, .choices = sslmodes,
      .preset = "prefer",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.sslmode),
      .group = SERVER_TLS,
      .text = "TLS between pgweir and PostgreSQL. `disable`: never; `allow`, `prefer`: if the server has it; "
              "`require`: always, with any certificate; `verify-ca`: the certificate must be vouched for by "
              "`server_tls_ca_file`; `verify-full`: and carry the host's name." },

    { .name = "server_tls_ca_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ca_file),
      .group = SERVER_TLS,
      .text = "Certificates, PEM, that server certificates are checked against." },

    { .name = "server_tls_cert_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.cert_file),
      .group = SERVER_TLS,
      .text = "Certificate, PEM, that pgweir presents to servers that ask for one." },

    { .name = "server_tls_key_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.key_file),
      .group = SERVER_TLS,
      .text = "Private key of `server_tls_cert_file`, PEM." },

    { .name = "server_tls_protocols",
      .type = OPT_TEXT,
      .preset = "secure",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.protocols),
      .group = SERVER_TLS,
      .text = "TLS versions offered to servers: a comma-separated list of `tlsv1.0`, `tlsv1.1`, `tlsv1.2`, "
              "`tlsv1.3`, or `secure` (1.2 and 1.3) or `all`." },

    { .name = "server_tls_ciphers",
      .type = OPT_TEXT,
      .preset = "default",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ciphers),
      .group = SERVER_TLS,
      .text = "Ciphers of TLS 1.2 and older towards servers: `default`, `secure`, or a list in OpenSSL's "
              "notation." },

    { .name = "server_tls13_ciphers",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ciphersuites),
      .group = SERVER_TLS,
      .text = "Cipher suites of TLS 1.3 towards servers, in OpenSSL's notation. Empty: OpenSSL's own choice." },

    { .name = "server_tls_ecdhcurve",
      .type = OPT_TEXT,
      .preset = "auto",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ecdhcurve),
      .group = SERVER_TLS,
      .text = "Curve for the key exchange with servers: `auto`, `none` or a name." },
};
/* clang-format on */

const size_t option_count = COUNT_OF(options);

const struct option_to_come options_to_come[] = {
    { "admin_users", IN_GLOBAL },
    { "application_name_add_host", IN_GLOBAL },
    { "auth_dbname", IN_GLOBAL | IN_DATABASE },
    { "auth_hba_file", IN_GLOBAL },
    { "auth_ident_file", IN_GLOBAL },
    { "auth_ldap_options", IN_GLOBAL },
    { "auth_query", IN_GLOBAL | IN_DATABASE },
    { "auth_user", IN_GLOBAL | IN_DATABASE },
    { "autodb_idle_timeout", IN_GLOBAL },
    { "client_tls_dheparams", IN_GLOBAL },
    { "conffile", IN_GLOBAL },
    { "disable_pqexec", IN_GLOBAL },
    { "dns_zone_check_period", IN_GLOBAL },
    { "ignore_startup_parameters", IN_GLOBAL },
    { "job_name", IN_GLOBAL },
    { "load_balance_hosts", IN_DATABASE },
    { "log_stats", IN_GLOBAL },
    { "login_notify_message", IN_GLOBAL },
    { "max_db_client_connections", IN_GLOBAL | IN_DATABASE },
    { "max_db_connections", IN_GLOBAL | IN_DATABASE },
    { "max_packet_size", IN_GLOBAL },
    { "max_user_client_connections", IN_GLOBAL | IN_USER },
    { "max_user_connections", IN_GLOBAL | IN_USER },
    { "peer_id", IN_GLOBAL },
    { "pkt_buf", IN_GLOBAL },
    { "pool_idle_timeout", IN_GLOBAL },
    { "query_wait_notify", IN_GLOBAL },
    { "reserve_pool", IN_DATABASE },
    { "reserve_pool_size", IN_GLOBAL | IN_DATABASE | IN_USER },
    { "reserve_pool_timeout", IN_GLOBAL },
    { "resolv_conf", IN_GLOBAL },
    { "sbuf_loopcnt", IN_GLOBAL },
    { "server_check_delay", IN_GLOBAL },
    { "server_check_query", IN_GLOBAL },
    { "server_fast_close", IN_GLOBAL },
    { "server_round_robin", IN_GLOBAL },
    { "service_name", IN_GLOBAL },
    { "so_reuseport", IN_GLOBAL },
    { "stats_period", IN_GLOBAL },
    { "stats_users", IN_GLOBAL },
    { "suspend_timeout", IN_GLOBAL },
    { "syslog", IN_GLOBAL },
    { "syslog_facility", IN_GLOBAL },
    { "syslog_ident", IN_GLOBAL },
    { "tcp_socket_buffer", IN_GLOBAL },
    { "track_extra_parameters", IN_GLOBAL },
    { "transaction_timeout", IN_GLOBAL | IN_USER },
};

const size_t option_to_come_count = COUNT_OF(options_to_come);

const struct option *
option_find(const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

const char *
option_name_inside(const struct option *o)
{
    return o->name_inside != NULL ? o->name_inside : o->name;
}

const struct option *
option_find_inside(const char *name, enum option_scope scope)
{
    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & scope) != 0 && strcmp(option_name_inside(&options[i]), name) == 0)
            return &options[i];
    return NULL;
}

const struct option_to_come *
option_to_come_find(const char *name, enum option_scope scope)
{
    for (size_t i = 0; i < option_to_come_count; i++)
        if ((options_to_come[i].scope & scope) != 0 && strcmp(options_to_come[i].name, name) == 0)
            return &options_to_come[i];
    return NULL;
}

const char *
option_nearest(const char *word, enum option_scope scope, const char *const *extra, size_t extra_count)
{
    const char **names = mem_grow(NULL, option_count + option_to_come_count + extra_count, sizeof(*names));
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & scope) != 0)
            names[count++] = scope == IN_GLOBAL ? options[i].name : option_name_inside(&options[i]);
    for (size_t i = 0; i < option_to_come_count; i++)
        if ((options_to_come[i].scope & scope) != 0)
            names[count++] = options_to_come[i].name;
    for (size_t i = 0; i < extra_count; i++)
        names[count++] = extra[i];
    nearest = text_nearest(word, names, count);
    free(names);
    return nearest;
}

void *
option_slot(const struct option *o, struct settings *s)
{
    return (char *)s + o->slot;
}

const void *
option_slot_const(const struct option *o, const struct settings *s)
{
    return (const char *)s + o->slot;
}

size_t
option_value_size(const struct option *o)
{
    switch (o->type) {
    case OPT_TEXT:
        return sizeof(char *);
    case OPT_BOOL:
        return sizeof(bool);
    case OPT_COUNT:
    case OPT_AUTO_COUNT:
        return sizeof(unsigned);
    case OPT_DURATION:
    case OPT_BYTES:
        return sizeof(uint64_t);
    case OPT_CHOICE:
        return sizeof(int);
    case OPT_SHARE:
        return sizeof(struct option_share);
    }
    return 0;
}
