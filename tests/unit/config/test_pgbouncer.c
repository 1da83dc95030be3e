/* The files of PgBouncer's users: every key is known, with PgBouncer's default, and the file that its package
 * installs loads as it is. */
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "config/settings_impl.h"
#include "fixture.h"

void suite_pgbouncer(void);

#define INSTALLED "/etc/pgbouncer/pgbouncer.ini"

/* source PgBouncer's own manual, "Generic settings" to "Dangerous timeouts" and SHOW CONFIG. */
static const struct {
    const char *key, *preset;
} keys[] = {
    { "admin_users", "" },
    { "application_name_add_host", "0" },
    { "auth_dbname", "" },
    { "auth_file", "" },
    { "auth_hba_file", "" },
    { "auth_ident_file", "" },
    { "auth_ldap_options", "" },
    { "auth_query", NULL }, /* the same in other words */
    { "auth_type", "md5" },
    { "auth_user", "" },
    { "autodb_idle_timeout", "3600" },
    { "cancel_wait_timeout", "10" },
    { "client_idle_timeout", "0" },
    { "client_login_timeout", "60" },
    { "client_tls13_ciphers", "" },
    { "client_tls_ca_file", "" },
    { "client_tls_cert_file", "" },
    { "client_tls_ciphers", "default" },
    { "client_tls_dheparams", "auto" },
    { "client_tls_ecdhcurve", "auto" },
    { "client_tls_key_file", "" },
    { "client_tls_protocols", "secure" },
    { "client_tls_sslmode", "disable" },
    { "conffile", "" },
    { "default_pool_size", "20" },
    { "disable_pqexec", "0" },
    { "dns_max_ttl", "15" },
    { "dns_nxdomain_ttl", "15" },
    { "dns_zone_check_period", "0" },
    { "idle_transaction_timeout", "0" },
    { "ignore_startup_parameters", "" },
    { "job_name", "pgbouncer" },
    { "listen_addr", "" },
    { "listen_backlog", "128" },
    { "listen_port", "6432" },
    { "log_connections", "1" },
    { "log_disconnections", "1" },
    { "log_pooler_errors", "1" },
    { "log_stats", "1" },
    { "logfile", "" },
    { "login_notify_message", "" },
    { "max_client_conn", "100" },
    { "max_db_client_connections", "0" },
    { "max_db_connections", "0" },
    { "max_packet_size", "2147483647" },
    { "max_prepared_statements", "200" },
    { "max_user_client_connections", "0" },
    { "max_user_connections", "0" },
    { "min_pool_size", "0" },
    { "peer_id", "0" },
    { "pidfile", "" },
    { "pkt_buf", "4096" },
    { "pool_idle_timeout", "0" },
    { "pool_mode", "session" },
    { "query_timeout", "0" },
    { "query_wait_notify", "5" },
    { "query_wait_timeout", "120" },
    { "reserve_pool_size", "0" },
    { "reserve_pool_timeout", "5" },
    { "resolv_conf", "" },
    { "sbuf_loopcnt", "5" },
    { "scram_iterations", "4096" },
    { "server_check_delay", "30" },
    { "server_check_query", "<empty>" },
    { "server_connect_timeout", "15" },
    { "server_fast_close", "0" },
    { "server_idle_timeout", "600" },
    { "server_lifetime", "3600" },
    { "server_login_retry", "15" },
    { "server_reset_query", "DISCARD ALL" },
    { "server_reset_query_always", "0" },
    { "server_round_robin", "0" },
    { "server_tls13_ciphers", "" },
    { "server_tls_ca_file", "" },
    { "server_tls_cert_file", "" },
    { "server_tls_ciphers", "default" },
    { "server_tls_key_file", "" },
    { "server_tls_protocols", "secure" },
    { "server_tls_sslmode", "prefer" },
    { "service_name", "pgbouncer" },
    { "so_reuseport", "0" },
    { "stats_period", "60" },
    { "stats_users", "" },
    { "suspend_timeout", "10" },
    { "syslog", "0" },
    { "syslog_facility", "daemon" },
    { "syslog_ident", "pgbouncer" },
    { "tcp_defer_accept", "1" },
    { "tcp_keepalive", "1" },
    { "tcp_keepcnt", "0" },
    { "tcp_keepidle", "0" },
    { "tcp_keepintvl", "0" },
    { "tcp_socket_buffer", "0" },
    { "tcp_user_timeout", "0" },
    { "track_extra_parameters", "IntervalStyle" },
    { "transaction_timeout", "0" },
    { "unix_socket_dir", "/tmp" },
    { "unix_socket_group", "" },
    { "unix_socket_mode", "0777" },
    { "user", "" },
    { "verbose", "0" },
};

static void
every_key_is_known_with_its_default(void)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct option *o = option_find(keys[i].key);

        CU_ASSERT_PTR_NOT_NULL_FATAL(o);
        if (keys[i].preset != NULL)
            CU_ASSERT_STRING_EQUAL(o->preset_pgbouncer != NULL ? o->preset_pgbouncer : o->preset,
                                   keys[i].preset);
    }
}

/* Whether a file of this text loads without a problem. */
static bool
does_load(struct fixture *f, const char *text)
{
    fixture_load(f, text);
    CU_ASSERT_STRING_EQUAL(buf_text(&f->problems), "");
    return f->result == ERR_NONE;
}

static void
every_key_of_an_entry_is_known(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT(does_load(
        &f, "[pgbouncer]\nauth_type = trust\n[databases]\n"
            "a = dbname=b host=h1,h2 port=5432 user=u password='it''s' auth_user=x auth_dbname=a "
            "auth_query='select 1, 2' pool_size=5 min_pool_size=1 reserve_pool_size=2 max_db_connections=9 "
            "max_db_client_connections=10 server_lifetime=60 query_wait_timeout=5 pool_mode=statement "
            "load_balance_hosts=disable connect_query='select ''x;#''' client_encoding=UTF8 datestyle=ISO "
            "timezone=UTC application_name=app\n"
            "b = reserve_pool = 2 host =h\n'c d' =\n* = host=h\n"
            "[users]\nu = pool_size=1 reserve_pool_size=1 pool_mode=session max_user_connections=3 "
            "max_user_client_connections=4 query_timeout=1 idle_transaction_timeout=2 transaction_timeout=3 "
            "client_idle_timeout=4 query_wait_timeout=0\n"
            "[peers]\n1 = host=h port=1 pool_size=2\n"));
    CU_ASSERT_EQUAL(settings_database(f.settings, "a")->own.max_db_connections, 9);
    CU_ASSERT_EQUAL(settings_user(f.settings, "u")->own.max_user_client_connections, 4);
    CU_ASSERT_EQUAL(settings_user_client_limit(f.settings, "u"), 4);
    CU_ASSERT_EQUAL(settings_user_client_limit(f.settings, "v"), 0);
    CU_ASSERT_PTR_NOT_NULL(settings_database(f.settings, "c d"));
    fixture_fini(&f);
}

/* As Debian installs it, in other words. */
static void
a_file_like_the_installed_one_loads(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("userlist.txt", "");
    CU_ASSERT(does_load(&f, ";;;\n;;; PgBouncer configuration file\n;;;\n\n[databases]\n\n;foodb =\n"
                            ";bardb = host=localhost dbname=bazdb\n\n;* = host=testserver\n\n[users]\n\n"
                            ";user1 = pool_mode=transaction max_user_connections=10\n\n[pgbouncer]\n\n"
                            "logfile = pgbouncer.log\npidfile = pgbouncer.pid\n\nlisten_addr = localhost\n"
                            "listen_port = 6432\n\nunix_socket_dir = .\n;unix_socket_mode = 0777\n\n"
                            ";client_tls_sslmode = disable\n\nauth_type = md5\nauth_file = userlist.txt\n\n"
                            ";; comment\n;%include filename\n"));
    CU_ASSERT_EQUAL(f.settings->pool_mode, POOL_SESSION);
    CU_ASSERT_EQUAL(f.settings->default_pool_size, 20);
    fixture_fini(&f);
}

static void
the_installed_file_loads(void)
{
    struct settings *settings = NULL;
    struct buf problems;
    struct error why;

    if (access(INSTALLED, R_OK) != 0 || access("/var/run/postgresql", F_OK) != 0)
        return; /* not installed, or not for our eyes: the test above has its like */
    buf_init(&problems);
    CU_ASSERT_EQUAL(settings_load(INSTALLED, &settings, &problems, NULL, &why), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&problems), "");
    settings_drop(settings);
    buf_release(&problems);
}

static void
what_is_wrong_for_its_type_is_refused_for_every_option(void)
{
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < option_count; i++) {
        struct buf text;

        if (options[i].type == OPT_TEXT)
            continue;
        buf_init(&text);
        buf_add_format(&text, "[pgweir]\nauth_type = trust\n%s = ?!\n[databases]\na = host=b\n",
                       options[i].name);
        fixture_load(&f, buf_text(&text));
        CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&f.problems), options[i].name));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&f.problems), "main.ini:3: "));
        buf_release(&text);
    }
    fixture_fini(&f);
}

void
suite_pgbouncer(void)
{
    CU_pSuite suite = CU_add_suite("pgbouncer", NULL, NULL);

    CU_ADD_TEST(suite, every_key_is_known_with_its_default);
    CU_ADD_TEST(suite, every_key_of_an_entry_is_known);
    CU_ADD_TEST(suite, a_file_like_the_installed_one_loads);
    CU_ADD_TEST(suite, the_installed_file_loads);
    CU_ADD_TEST(suite, what_is_wrong_for_its_type_is_refused_for_every_option);
}
