/*
 * option_table.c - every option, one row each, in the order of the reference page. What pgweir makes of
 * those that have no effect in it stands in option_notes.c.
 *
 *     A new option needs a field in struct settings, a row here, and `pgweir --help-config` written to
 *     docs/configuration.md and etc/pgweir.ini (a test compares them). An option that databases or users may
 *     set for themselves needs a field and a flag in struct overrides too.
 */
#include <stdlib.h>
#include <string.h>

#include "option_impl.h"
#include "pgweir/base/log.h"
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
static const char *const auth_types[] = { "any", "trust", "plain", "md5", "scram-sha-256", "cert", "hba",
                                          "pam", "ldap",  "peer",  NULL };
static const char *const shutdown_modes[] = { "transactions", "clients", NULL };
static const char *const balances[] = { "round-robin", "disable", NULL };
static const char *const dheparams[] = { "auto", "none", "legacy", NULL };
static const char *const syslog_facilities[] = { "auth",   "authpriv", "daemon", "user",   "local0",
                                                 "local1", "local2",   "local3", "local4", "local5",
                                                 "local6", "local7",   NULL };
static const char *const sslmodes[] = { "disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL };

_Static_assert(COUNT_OF(pool_modes) == POOL_STATEMENT + 2, "pool_modes follows enum pool_mode");
_Static_assert(COUNT_OF(auth_types) == AUTH_TYPE_PEER + 2, "auth_types follows enum auth_type");
_Static_assert(COUNT_OF(shutdown_modes) == SHUTDOWN_CLIENTS + 2, "shutdown_modes follows enum");
_Static_assert(COUNT_OF(balances) == BALANCE_DISABLE + 2, "balances follows enum load_balance");
_Static_assert(COUNT_OF(dheparams) == DHE_LEGACY + 2, "dheparams follows enum dhe_params");
_Static_assert(COUNT_OF(syslog_facilities) == FACILITY_LOCAL7 + 2, "syslog_facilities follows enum");
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

    { .name = "tcp_socket_buffer",
      .type = OPT_BYTES,
      .preset = "0", .most = "1GB",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(tcp_socket_buffer),
      .group = LISTENING,
      .text = "Send and receive buffer of every TCP socket in the kernel. 0: as the operating system has it." },

    { .name = "so_reuseport",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(so_reuseport),
      .group = LISTENING,
      .text = "Let several processes listen on the same TCP addresses and port; the kernel shares new "
              "connections out among them. Give each its own `unix_socket_dir` and `peer_id`." },

    { .name = "peer_id",
      .type = OPT_COUNT,
      .preset = "0", .most = "16383",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(peer_id),
      .group = LISTENING,
      .text = "The own number among [peers]: cancel requests that reach another of them are passed on to this "
              "process. 0: none." },

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

    { .name = "conffile",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .is_sticky = true,
      .slot = SLOT(conffile),
      .group = PROCESS,
      .text = "File that the next reload reads. Empty: the one of the command line." },

    { .name = "job_name", .alias = "service_name",
      .type = OPT_TEXT,
      .preset = "pgweir", .preset_pgbouncer = "pgbouncer",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(job_name),
      .group = PROCESS,
      .text = "Name of the service on Windows, kept for the files of PgBouncer." },

    { .name = "user",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .is_sticky = true,
      .slot = SLOT(user),
      .group = PROCESS,
      .text = "Operating system user to become after start; needed when started as root, for pgweir does not run "
              "as root." },

    { .name = "verbose",
      .type = OPT_COUNT,
      .preset = "0", .most = "3",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .is_sticky = true,
      .slot = SLOT(verbose),
      .group = PROCESS,
      .text = "How much to log beyond the ordinary, 0 to 3; `-v` on the command line adds to it." },

    { .name = "syslog",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(syslog),
      .group = PROCESS,
      .text = "Send log lines to syslog too." },

    { .name = "syslog_facility",
      .type = OPT_CHOICE, .choices = syslog_facilities,
      .preset = "daemon",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(syslog_facility),
      .group = PROCESS,
      .text = "Facility of log lines in syslog." },

    { .name = "syslog_ident",
      .type = OPT_TEXT,
      .preset = "pgweir", .preset_pgbouncer = "pgbouncer",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(syslog_ident),
      .group = PROCESS,
      .text = "Name in front of log lines in syslog." },

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

    { .name = "log_stats",
      .type = OPT_BOOL,
      .preset = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(log_stats),
      .group = PROCESS,
      .text = "Log the totals of every `stats_period`." },

    { .name = "stats_period",
      .type = OPT_DURATION, .unit = "s",
      .preset = "60", .least = "1",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(stats_period_us),
      .group = PROCESS,
      .text = "Period over which the averages of SHOW STATS are taken, and after which they are logged." },

    { .name = "admin_users",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(admin_users),
      .group = PROCESS,
      .text = "Users, with commas, who may use every command of the console (database `pgweir` or "
              "`pgbouncer`)." },

    { .name = "stats_users",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(stats_users),
      .group = PROCESS,
      .text = "Users, with commas, who may use the SHOW commands of the console." },

    { .name = "shutdown_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "30", .preset_pgbouncer = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(shutdown_timeout_us),
      .group = PROCESS,
      .text = "How long a shutdown lets transactions come to their end, or clients leave, before it closes what is "
              "left. 0 waits for ever." },

    { .name = "shutdown_mode",
      .type = OPT_CHOICE, .choices = shutdown_modes,
      .preset = "transactions", .preset_pgbouncer = "clients",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(shutdown_mode),
      .group = PROCESS,
      .text = "What SIGTERM waits for: `transactions`: sessions end at their next transaction boundary; `clients`: "
              "those who are there are served until they leave by themselves." },

    { .name = "suspend_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "10",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(suspend_timeout_us),
      .group = PROCESS,
      .text = "How long SUSPEND waits for messages on their way before it closes the connections that hold "
              "them. 0: no limit." },

    { .name = "auth_type",
      .type = OPT_CHOICE, .choices = auth_types,
      .preset = "scram-sha-256", .preset_pgbouncer = "md5",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(auth_type),
      .group = CLIENTS,
      .text = "How clients prove who they are. `any`: not at all, and every database must name its `user`; "
              "`trust`: not at all; `plain`: clear-text password; `md5`: md5, or SCRAM where the stored secret is "
              "SCRAM; `scram-sha-256`: SCRAM only; `cert`: by the common name of a client certificate; `peer`: "
              "by the operating system's user at the other end of the Unix socket; `hba`: as the first rule in "
              "`auth_hba_file` says that fits." },

    { .name = "auth_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(auth_file),
      .group = CLIENTS,
      .text = "File with user names and secrets, one `\"user\" \"secret\"` per line; a secret is a plain password, "
              "`md5` and 32 digits, or a SCRAM verifier as in pg_authid. It is read at start and at every reload." },

    { .name = "auth_hba_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(auth_hba_file),
      .group = CLIENTS,
      .text = "Rules for `auth_type = hba`, written as in pg_hba.conf. It is read at start and at every reload; "
              "a line that is wrong fails both." },

    { .name = "auth_ident_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(auth_ident_file),
      .group = CLIENTS,
      .text = "Name maps for the rules in `auth_hba_file`, written as in pg_ident.conf." },

    { .name = "auth_user",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(auth_user),
      .slot_inside = INSIDE(auth_user), .mark_inside = MARK(auth_user),
      .group = CLIENTS,
      .text = "Role that runs `auth_query` for users who are not in `auth_file`; its own password stands "
              "there. Empty: only users of `auth_file` may log in." },

    { .name = "auth_query",
      .type = OPT_TEXT,
      .preset = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
                "FROM pg_authid WHERE rolname = $1 AND rolcanlogin",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(auth_query),
      .slot_inside = INSIDE(auth_query), .mark_inside = MARK(auth_query),
      .group = CLIENTS,
      .text = "Query for the name and the secret of the user $1, of whom it returns one row of two columns." },

    { .name = "auth_dbname",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(auth_dbname),
      .slot_inside = INSIDE(auth_dbname), .mark_inside = MARK(auth_dbname),
      .group = CLIENTS,
      .text = "Entry of [databases] in which `auth_query` runs. Empty: the one that the client asks for." },

    { .name = "auth_query_cache",
      .type = OPT_DURATION, .unit = "s",
      .preset = "30", .preset_pgbouncer = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(auth_query_cache_us),
      .group = CLIENTS,
      .text = "How long an answer of `auth_query` is good for; a login that fails with it asks again. 0: "
              "every login asks." },

    { .name = "auth_ldap_options",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(auth_ldap_options),
      .group = CLIENTS,
      .text = "Settings for `auth_type = ldap`, written as in pg_hba.conf." },

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

    { .name = "max_db_client_connections",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(max_db_client_connections),
      .slot_inside = INSIDE(max_db_client_connections), .mark_inside = MARK(max_db_client_connections),
      .group = CLIENTS,
      .text = "Most clients of one entry of [databases]. 0: no limit of its own." },

    { .name = "max_user_client_connections",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(max_user_client_connections),
      .slot_inside = INSIDE(max_user_client_connections), .mark_inside = MARK(max_user_client_connections),
      .group = CLIENTS,
      .text = "Most clients that are logged in as one user. 0: no limit of its own." },

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

    { .name = "ignore_startup_parameters",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(ignore_startup_parameters),
      .group = CLIENTS,
      .text = "Parameters of the startup packet, with commas, that are dropped without a word; `options` "
              "stands for all that are given inside `options`." },

    { .name = "track_extra_parameters",
      .type = OPT_TEXT,
      .preset = "IntervalStyle",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(track_extra_parameters),
      .group = CLIENTS,
      .text = "Parameters, with commas, that are always kept with the client, beside those that PostgreSQL "
              "reports." },

    { .name = "application_name_add_host",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(application_name_add_host),
      .group = CLIENTS,
      .text = "Append the address and port of the client to its application_name at login." },

    { .name = "login_notify_message",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(login_notify_message),
      .group = CLIENTS,
      .text = "NOTICE for every client that has logged in. Empty: none." },

    { .name = "disable_pqexec",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(disable_pqexec),
      .group = CLIENTS,
      .text = "Refuse the simple query protocol, in which one string can hold several statements." },

    { .name = "max_packet_size",
      .type = OPT_BYTES,
      .preset = "2147483647", .least = "1kB", .most = "2147483647",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(max_packet_size),
      .group = CLIENTS,
      .text = "Longest message; a longer one ends its connection." },

    { .name = "pkt_buf",
      .type = OPT_COUNT,
      .preset = "4096", .least = "1",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(pkt_buf),
      .group = CLIENTS,
      .text = "Size of PgBouncer's buffers, kept for its files." },

    { .name = "sbuf_loopcnt",
      .type = OPT_COUNT,
      .preset = "5",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(sbuf_loopcnt),
      .group = CLIENTS,
      .text = "How often PgBouncer reads one socket before the next, kept for its files." },

    { .name = "client_tls_sslmode",
      .type = OPT_CHOICE, .choices = sslmodes,
      .preset = "disable",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls.sslmode),
      .slot_inside = INSIDE(client_tls_sslmode), .mark_inside = MARK(client_tls_sslmode),
      .group = CLIENT_TLS,
      .text = "TLS between clients and pgweir. `disable`: refused; `allow`, `prefer`: used when the client asks; "
              "`require`: clients without TLS are turned away; `verify-ca`, `verify-full`: the client must also "
              "present a certificate that `client_tls_ca_file` vouches for. All but `disable` need a certificate "
              "and a key. A database or a user can only ask for more than the main section does." },

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
      .is_sticky = true,
      .slot = SLOT(client_tls.ciphersuites),
      .group = CLIENT_TLS,
      .text = "Cipher suites of TLS 1.3 towards clients, in OpenSSL's notation. Empty: OpenSSL's own choice." },

    { .name = "client_tls_dheparams",
      .type = OPT_CHOICE, .choices = dheparams,
      .preset = "auto",
      .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(client_tls_dheparams),
      .group = CLIENT_TLS,
      .text = "Finite-field Diffie-Hellman in TLS 1.2 and older: `auto` and `legacy` use OpenSSL's groups, "
              "`none` does without." },

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

    { .name = "reserve_pool_size", .alias = "reserve_pool",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(reserve_pool_size),
      .slot_inside = INSIDE(reserve_pool_size), .mark_inside = MARK(reserve_pool_size),
      .group = POOLS,
      .text = "Server connections that a pool may open beyond its size once a client has waited for "
              "`reserve_pool_timeout`." },

    { .name = "reserve_pool_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "5",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(reserve_pool_timeout_us),
      .slot_inside = INSIDE(reserve_pool_timeout_us), .mark_inside = MARK(reserve_pool_timeout),
      .group = POOLS,
      .text = "How long a client must have waited before `reserve_pool_size` counts. 0: the reserve is not "
              "used." },

    { .name = "max_db_connections",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(max_db_connections),
      .slot_inside = INSIDE(max_db_connections), .mark_inside = MARK(max_db_connections),
      .group = POOLS,
      .text = "Most server connections of one entry of [databases], whoever the users are. 0: no limit of its "
              "own." },

    { .name = "max_user_connections",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(max_user_connections),
      .slot_inside = INSIDE(max_user_connections), .mark_inside = MARK(max_user_connections),
      .group = POOLS,
      .text = "Most server connections of one role, whatever the databases are. 0: no limit of its own." },

    { .name = "autodb_idle_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "3600",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(autodb_idle_timeout_us),
      .group = POOLS,
      .text = "Forgets a database that `*` stood in for when it has been unused for this long. 0: never." },

    { .name = "pool_idle_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(pool_idle_timeout_us),
      .group = POOLS,
      .text = "Forgets a pool that has had neither clients nor servers for this long. 0: never." },

    { .name = "query_wait_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "120",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(query_wait_timeout_us),
      .slot_inside = INSIDE(query_wait_timeout_us), .mark_inside = MARK(query_wait_timeout),
      .group = POOLS,
      .text = "How long a client may wait for a server before it is sent away. 0 waits for ever." },

    { .name = "query_wait_notify",
      .type = OPT_DURATION, .unit = "s",
      .preset = "5",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(query_wait_notify_us),
      .group = POOLS,
      .text = "Sends a NOTICE to a client that has waited this long for a server. 0: none." },

    { .name = "max_prepared_statements",
      .type = OPT_COUNT,
      .preset = "200", .most = "100000",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(max_prepared_statements),
      .group = POOLS,
      .text = "How many prepared statements one server connection keeps in transaction and statement mode; the one "
              "used longest ago makes room. 0: prepared statements are not tracked." },

    { .name = "max_pinned",
      .type = OPT_COUNT,
      .preset = "0", .most = "1000000",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(max_pinned),
      .slot_inside = INSIDE(max_pinned), .mark_inside = MARK(max_pinned),
      .group = POOLS,
      .text = "How many clients of a pool may keep their server connection between transactions, because of "
              "session-level advisory locks, LISTEN, temporary tables, cursors WITH HOLD, SQL PREPARE or LOAD. "
              "Beyond it, queries that would begin such a thing are refused. 0: no limit." },

    { .name = "sequence_pin_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "5",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .slot = SLOT(sequence_pin_timeout_us),
      .slot_inside = INSIDE(sequence_pin_timeout_us), .mark_inside = MARK(sequence_pin_timeout),
      .group = POOLS,
      .text = "How long a client that has asked for currval() or lastval() before keeps its server connection after a "
              "transaction that may have advanced a sequence, in case it asks again. 0: not at all." },

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

    { .name = "transaction_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
      .zero_inside_inherits = true,
      .slot = SLOT(transaction_timeout_us),
      .slot_inside = INSIDE(transaction_timeout_us), .mark_inside = MARK(transaction_timeout),
      .group = POOLS,
      .text = "Closes a server, and its client, whose transaction takes longer than this. 0: never." },

    { .name = "server_connections",
      .type = OPT_AUTO_COUNT,
      .preset = "auto", .preset_pgbouncer = "1000000", .least = "1", .most = "1000000",
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
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_connect_timeout_us),
      .slot_inside = INSIDE(server_connect_timeout_us), .mark_inside = MARK(server_connect_timeout),
      .group = SERVERS,
      .text = "Connecting and logging in to a server must be done within this time. 0: no limit." },

    { .name = "server_idle_timeout",
      .type = OPT_DURATION, .unit = "s",
      .preset = "600",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(server_idle_timeout_us),
      .slot_inside = INSIDE(server_idle_timeout_us), .mark_inside = MARK(server_idle_timeout),
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
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(server_login_retry_us),
      .slot_inside = INSIDE(server_login_retry_us), .mark_inside = MARK(server_login_retry),
      .group = SERVERS,
      .text = "Longest pause between attempts to reach a server that refuses connections or logins; the first "
              "pauses are shorter." },

    { .name = "load_balance_hosts",
      .type = OPT_CHOICE, .choices = balances,
      .preset = "round-robin",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(load_balance_hosts),
      .slot_inside = INSIDE(load_balance_hosts), .mark_inside = MARK(load_balance_hosts),
      .group = SERVERS,
      .text = "Which host of a list a new server connection tries first: `round-robin`: each in turn; "
              "`disable`: the one that worked last." },

    { .name = "password_command",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(password_command),
      .slot_inside = INSIDE(password_command), .mark_inside = MARK(password_command),
      .group = SERVERS,
      .text = "Command, run by `/bin/sh -c`, that prints the password for new server connections, as for tokens "
              "that soon expire. It finds PGHOST, PGPORT, PGUSER and PGDATABASE in its environment, and has 10 "
              "seconds. Empty: none." },

    { .name = "password_command_ttl",
      .type = OPT_DURATION, .unit = "s",
      .preset = "600", .least = "1",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(password_command_ttl_us),
      .slot_inside = INSIDE(password_command_ttl_us), .mark_inside = MARK(password_command_ttl),
      .group = SERVERS,
      .text = "How long what `password_command` printed is used. While it is in use it is made anew when three "
              "quarters of this are over, and at once when a server refuses it." },

    { .name = "server_parallel_logins",
      .type = OPT_COUNT,
      .preset = "16", .least = "1", .most = "10000",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
      .slot = SLOT(server_parallel_logins),
      .slot_inside = INSIDE(server_parallel_logins), .mark_inside = MARK(server_parallel_logins),
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

    { .name = "server_check_delay",
      .type = OPT_DURATION, .unit = "s",
      .preset = "30",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_check_delay_us),
      .group = SERVERS,
      .text = "A server that nobody has used for longer than this must pass `server_check_query` before it is "
              "used." },

    { .name = "server_check_query",
      .type = OPT_TEXT,
      .preset = "<empty>",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_check_query),
      .group = SERVERS,
      .text = "Query by which an idle server shows that it is alive. Empty: none; `<empty>`: the empty query." },

    { .name = "server_round_robin",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_round_robin),
      .group = SERVERS,
      .text = "Use the server that has been idle longest, and not the one used last." },

    { .name = "server_fast_close",
      .type = OPT_BOOL,
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(server_fast_close),
      .group = SERVERS,
      .text = "In session mode, close a server that is to be closed as soon as it is idle outside a "
              "transaction, though its client is still there." },

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

    { .name = "dns_zone_check_period",
      .type = OPT_DURATION, .unit = "s",
      .preset = "0",
      .scope = IN_GLOBAL, .when = OPT_LIVE,
      .slot = SLOT(dns_zone_check_period_us),
      .group = SERVERS,
      .text = "How often PgBouncer looks for changed zones, kept for its files." },

    { .name = "resolv_conf",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL, .when = OPT_RESTART,
      .slot = SLOT(resolv_conf),
      .group = SERVERS,
      .text = "File with name servers, written as resolv.conf. Empty: the one of the operating system." },

    { .name = "server_tls_sslmode",
      .type = OPT_CHOICE, .choices = sslmodes,
      .preset = "prefer",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.sslmode),
      .slot_inside = INSIDE(server_tls.sslmode), .mark_inside = MARK(server_tls_sslmode),
      .group = SERVER_TLS,
      .text = "TLS between pgweir and PostgreSQL. `disable`: never; `allow`, `prefer`: if the server has it; "
              "`require`: always, with any certificate; `verify-ca`: the certificate must be vouched for by "
              "`server_tls_ca_file`; `verify-full`: and carry the host's name." },

    { .name = "server_tls_ca_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ca_file),
      .slot_inside = INSIDE(server_tls.ca_file), .mark_inside = MARK(server_tls_ca_file),
      .group = SERVER_TLS,
      .text = "Certificates, PEM, that server certificates are checked against." },

    { .name = "server_tls_cert_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.cert_file),
      .slot_inside = INSIDE(server_tls.cert_file), .mark_inside = MARK(server_tls_cert_file),
      .group = SERVER_TLS,
      .text = "Certificate, PEM, that pgweir presents to servers that ask for one." },

    { .name = "server_tls_key_file",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.key_file),
      .slot_inside = INSIDE(server_tls.key_file), .mark_inside = MARK(server_tls_key_file),
      .group = SERVER_TLS,
      .text = "Private key of `server_tls_cert_file`, PEM." },

    { .name = "server_tls_protocols",
      .type = OPT_TEXT,
      .preset = "secure",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.protocols),
      .slot_inside = INSIDE(server_tls.protocols), .mark_inside = MARK(server_tls_protocols),
      .group = SERVER_TLS,
      .text = "TLS versions offered to servers: a comma-separated list of `tlsv1.0`, `tlsv1.1`, `tlsv1.2`, "
              "`tlsv1.3`, or `secure` (1.2 and 1.3) or `all`." },

    { .name = "server_tls_ciphers",
      .type = OPT_TEXT,
      .preset = "default",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ciphers),
      .slot_inside = INSIDE(server_tls.ciphers), .mark_inside = MARK(server_tls_ciphers),
      .group = SERVER_TLS,
      .text = "Ciphers of TLS 1.2 and older towards servers: `default`, `secure`, or a list in OpenSSL's "
              "notation." },

    { .name = "server_tls13_ciphers",
      .type = OPT_TEXT,
      .preset = "",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .is_sticky = true,
      .slot = SLOT(server_tls.ciphersuites),
      .slot_inside = INSIDE(server_tls.ciphersuites), .mark_inside = MARK(server_tls13_ciphers),
      .group = SERVER_TLS,
      .text = "Cipher suites of TLS 1.3 towards servers, in OpenSSL's notation. Empty: OpenSSL's own choice." },

    { .name = "server_tls_ecdhcurve",
      .type = OPT_TEXT,
      .preset = "auto",
      .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_NEW_SESSIONS,
      .slot = SLOT(server_tls.ecdhcurve),
      .slot_inside = INSIDE(server_tls.ecdhcurve), .mark_inside = MARK(server_tls_ecdhcurve),
      .group = SERVER_TLS,
      .text = "Curve for the key exchange with servers: `auto`, `none` or a name." },
};
/* clang-format on */

const size_t option_count = COUNT_OF(options);

static bool
is_alias(const struct option *o, const char *name)
{
    return o->alias != NULL && strcmp(o->alias, name) == 0;
}

const struct option *
option_find(const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0 || is_alias(&options[i], name))
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
        if ((options[i].scope & scope) != 0 &&
            (strcmp(option_name_inside(&options[i]), name) == 0 || is_alias(&options[i], name)))
            return &options[i];
    return NULL;
}

const char *
option_nearest(const char *word, enum option_scope scope, const char *const *extra, size_t extra_count)
{
    const char **names = mem_grow(NULL, option_count + extra_count, sizeof(*names));
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & scope) != 0)
            names[count++] = scope == IN_GLOBAL ? options[i].name : option_name_inside(&options[i]);
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
