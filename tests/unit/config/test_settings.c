#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "config/settings_impl.h"
#include "fixture.h"
#include "pgweir/base/attr.h"
#include "pgweir/base/log.h"

void suite_settings(void);

/* The least that loads. */
#define TRUSTING "[pgweir]\nauth_type = trust\n"
#define SOMEWHERE "[databases]\n* = host=127.0.0.1\n"

static void
a_pgweir_file_has_the_presets_of_pgweir(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "\"joe\" \"x\"\n");
    fixture_load(&f, SOMEWHERE "[pgweir]\nauth_file = users.txt\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.problems), "");
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings), "");
    CU_ASSERT_STRING_EQUAL(f.settings->listen_addr, "127.0.0.1");
    CU_ASSERT_EQUAL(f.settings->listen_port, 6432);
    CU_ASSERT_EQUAL(f.settings->unix_socket_mode, 0777);
    CU_ASSERT_EQUAL(f.settings->workers, 0);
    CU_ASSERT_EQUAL(f.settings->pool_mode, POOL_TRANSACTION);
    CU_ASSERT_EQUAL(f.settings->auth_type, AUTH_TYPE_SCRAM);
    CU_ASSERT_EQUAL(f.settings->default_pool_size, 0);
    CU_ASSERT_EQUAL(f.settings->max_client_conn, 10000);
    CU_ASSERT_EQUAL(f.settings->server_connections, 0);
    CU_ASSERT_EQUAL(f.settings->direct_reserve.percent, 10);
    CU_ASSERT_EQUAL(f.settings->query_wait_timeout_us, 120000000);
    CU_ASSERT_EQUAL(f.settings->server_tls.sslmode, SSL_PREFER);
    CU_ASSERT_EQUAL(f.settings->client_tls.sslmode, SSL_DISABLE);
    CU_ASSERT_STRING_EQUAL(f.settings->server_reset_query, "DISCARD ALL");
    CU_ASSERT_STRING_EQUAL(settings_auth_secret(f.settings, "joe"), "x");
    CU_ASSERT_PTR_NULL(settings_auth_secret(f.settings, "ann"));
    fixture_fini(&f);
}

/* Wherever the section stands, and empty too. */
static void
a_file_without_anything_is_refused(void)
{
    static const char *const nothing[] = { "", "\n", "; nothing\n" };
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        fixture_load(&f, nothing[i]);
        CU_ASSERT_NOT_EQUAL(f.result, ERR_NONE);
        CU_ASSERT(line_count(&f.problems) > 0);
    }
    fixture_fini(&f);
}

static void
a_pgbouncer_file_has_the_presets_of_pgbouncer(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "");
    fixture_load(&f, "[pgweir]\nauth_file = users.txt\nmax_client_conn = 7\n" SOMEWHERE "[pgbouncer]\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(f.settings->listen_addr, "");
    CU_ASSERT_EQUAL(f.settings->pool_mode, POOL_SESSION);
    CU_ASSERT_EQUAL(f.settings->auth_type, AUTH_TYPE_MD5);
    CU_ASSERT_EQUAL(f.settings->default_pool_size, 20);
    CU_ASSERT_EQUAL(f.settings->max_client_conn, 7);
    CU_ASSERT_EQUAL(f.settings->query_wait_timeout_us, 120000000);
    fixture_load(&f, SOMEWHERE "[pgbouncer]\nauth_file = users.txt\n");
    CU_ASSERT_EQUAL(f.settings->max_client_conn, 100);
    fixture_fini(&f);
}

static void
values_reach_their_fields_and_the_last_one_counts(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, TRUSTING SOMEWHERE
                 "[pgweir]\nlisten_addr = *\nworkers = 3\nunix_socket_mode = 0700\n"
                 "query_wait_timeout = 5\nquery_wait_timeout = 1.5min\npool_mode = SESSION\n"
                 "logfile =\nlog_connections = off\ndirect_reserve = 4\n"
                 "server_reset_query = select ';' ; # x\n[pgweir]\nserver_connections = 50\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(f.settings->listen_addr, "*");
    CU_ASSERT_EQUAL(f.settings->workers, 3);
    CU_ASSERT_EQUAL(f.settings->unix_socket_mode, 0700);
    CU_ASSERT_EQUAL(f.settings->query_wait_timeout_us, 90000000);
    CU_ASSERT_EQUAL(f.settings->pool_mode, POOL_SESSION);
    CU_ASSERT_FALSE(f.settings->log_connections);
    CU_ASSERT_EQUAL(f.settings->direct_reserve.count, 4);
    CU_ASSERT_STRING_EQUAL(f.settings->server_reset_query, "select ';' ; # x");
    CU_ASSERT_EQUAL(f.settings->server_connections, 50);
    fixture_fini(&f);
}

/* Every kind of mistake: the file, and what is said of it. */
static const struct mistake {
    const char *text;
    const char *told;
} mistakes[] = {
    { TRUSTING SOMEWHERE "[pgweir]\ndefualt_pool_size = 5\n",
      "main.ini:6: unknown key `defualt_pool_size`, did you mean `default_pool_size`?\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nadmin_user = x\n",
      "main.ini:6: unknown key `admin_user`, did you mean `admin_users`?\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nzzzzzz = 5\n", "main.ini:6: unknown key `zzzzzz`\n" },
    { TRUSTING SOMEWHERE "[pgweir]\npool_size = 5\n", "main.ini:6: unknown key `pool_size`" },
    { TRUSTING SOMEWHERE "[pgweir]\nListen_Port = 5\n",
      "main.ini:6: unknown key `Listen_Port`, did you mean `listen_port`?\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nlisten_port = 70000\n",
      "main.ini:6: listen_port: `70000` is out of range: 1 to 65535\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nmax_client_conn =\n",
      "main.ini:6: max_client_conn: `` is not a whole number\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nquery_timeout = -1\n", "main.ini:6: query_timeout: `-1` is negative\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nquery_timeout = 10 minutes\n",
      "main.ini:6: query_timeout: `10 minutes` has an unknown unit (write 30, 0.5, 200ms, 30s, 5min, 2h or 1d)\n" },
    { TRUSTING SOMEWHERE "[pgweir]\npool_mode = transactoin\n",
      "main.ini:6: pool_mode: `transactoin` is not one of session, transaction, statement; did you mean `transaction`?\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nserver_connections = 0\n",
      "main.ini:6: server_connections: `0` is out of range: 1 to 1000000, or auto\n" },
    { TRUSTING SOMEWHERE "[pgweir]\ndirect_reserve = 200%\n",
      "main.ini:6: direct_reserve: `200%` is not between 0% and 100%\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nlog_connections = perhaps\n",
      "main.ini:6: log_connections: `perhaps` is neither" },
    { TRUSTING SOMEWHERE "[pgweir]\nauth_type = kerberos\n",
      "main.ini:6: auth_type: `kerberos` is not one of any, trust, plain, md5, scram-sha-256, "
      "cert, hba, pam, ldap, peer\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nlisten_addr = 127.0.0.1,,::1\n",
      "main.ini:6: listen_addr: an empty address in the list\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nlisten_addr =\nunix_socket_dir =\n",
      "main.ini:7: nothing to listen on: listen_addr and unix_socket_dir are both empty\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nunix_socket_dir = no/such/dir\n",
      "main.ini:6: unix_socket_dir: `no/such/dir`: No such file or directory\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nunix_socket_dir = main.ini\n",
      "main.ini:6: unix_socket_dir: `main.ini` is not a directory\n" },
    { TRUSTING SOMEWHERE
      "[pgweir]\nunix_socket_dir = /a/very/long/name/that/leaves/no/room/for/the/socket/itself/because/sun_path/"
      "has/only/108/bytes\n",
      "main.ini:6: unix_socket_dir: the name is too long for a Unix socket\n" },
    { SOMEWHERE "[pgweir]\nauth_type = md5\n",
      "main.ini:4: auth_file is missing: auth_type md5 needs to know users and their secrets (or auth_user, to ask for them with auth_query)\n" },
    { SOMEWHERE "[pgweir]\n",
      "main.ini: auth_file is missing: auth_type scram-sha-256 needs to know users and their secrets (or auth_user, to ask for them with auth_query)\n" },
    { SOMEWHERE "[pgweir]\nauth_file = no.txt\n",
      "main.ini:4: auth_file: cannot open `no.txt`: No such file or directory\n" },
    { SOMEWHERE "[pgweir]\nauth_file = .\n", "main.ini:4: auth_file: cannot read `.`: Is a directory\n" },
    { SOMEWHERE "[pgweir]\nauth_file = main.ini\n", "main.ini:1: expected `\"user\" \"secret\"`\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nclient_tls_sslmode = require\n",
      "main.ini:6: client_tls_sslmode require needs client_tls_cert_file and client_tls_key_file\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nclient_tls_cert_file = main.ini\n",
      "main.ini:6: client_tls_cert_file is given without client_tls_key_file\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nserver_tls_key_file = main.ini\n",
      "main.ini:6: server_tls_key_file is given without server_tls_cert_file\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nclient_tls_sslmode = verify-ca\nclient_tls_key_file = main.ini\n"
                         "client_tls_cert_file = main.ini\n",
      "main.ini:6: client_tls_ca_file is missing: client_tls_sslmode verify-ca checks against it\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nserver_tls_sslmode = verify-full\n",
      "main.ini:6: server_tls_ca_file is missing: server_tls_sslmode verify-full checks against it\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nserver_tls_ca_file = no.pem\n",
      "main.ini:6: server_tls_ca_file: cannot read `no.pem`: No such file or directory\n" },
    { TRUSTING SOMEWHERE "[pgweir]\nserver_tls_ca_file = .\n",
      "main.ini:6: server_tls_ca_file: `.` is a directory\n" },
    { TRUSTING, "main.ini: [databases] is empty" },
    { TRUSTING "[databases]\n", "main.ini: [databases] is empty" },
    { SOMEWHERE, "main.ini: there is neither a [pgweir] nor a [pgbouncer] section\n" },
    { "", "main.ini: there is neither a [pgweir] nor a [pgbouncer] section\n" },
    { TRUSTING "unix_socket_dir =\n[databases]\napp = dbname=x\n",
      "main.ini:5: database `app`: `host` is missing, and unix_socket_dir is empty\n" },
    { TRUSTING "[databases]\napp = dbnmae=x\n",
      "main.ini:4: database `app`: unknown key `dbnmae`, did you mean `dbname`?\n" },
    { TRUSTING "[databases]\napp = defaultpool=x\n",
      "main.ini:4: database `app`: unknown key `defaultpool`\n" },
    { TRUSTING "[databases]\napp = max_db_connection=3\n",
      "main.ini:4: database `app`: unknown key `max_db_connection`, did you mean `max_db_connections`?\n" },
    { TRUSTING "[databases]\napp = pool_size=12x\n",
      "main.ini:4: database `app`: pool_size: `12x` is not a whole number\n" },
    { TRUSTING "[databases]\napp = port=abc\n",
      "main.ini:4: database `app`: port: `abc` is not a whole number\n" },
    { TRUSTING "[databases]\napp = port=0\n",
      "main.ini:4: database `app`: port: `0` is out of range: 1 to 65535\n" },
    { TRUSTING "[databases]\napp = host=a,b,c port=1,2\n",
      "main.ini:4: database `app`: port: 2 ports for 3 hosts (give one, or one for each host)\n" },
    { TRUSTING "[databases]\napp = port=1,2\n",
      "main.ini:4: database `app`: port: 2 ports for 1 host (give one, or one for each host)\n" },
    { TRUSTING "[databases]\napp = host=a,,b\n",
      "main.ini:4: database `app`: host: an empty name in the list\n" },
    { TRUSTING "[databases]\napp = host\n", "main.ini:4: database `app`: expected `key=value` pairs" },
    { TRUSTING "[databases]\napp = host=''\n", "main.ini:4: database `app`: `host` has no value" },
    { TRUSTING "[databases]\napp = postgresql://joe:secret@h/app\n",
      "main.ini:4: database `app`: a URI is not understood here" },
    { TRUSTING "[databases]\npgbouncer = host=x\n",
      "main.ini:4: database `pgbouncer`: the name is reserved for the console\n" },
    { TRUSTING "[databases]\npgweir = host=x\n",
      "main.ini:4: database `pgweir`: the name is reserved for the console\n" },
    { TRUSTING "[databases]\n1234567890123456789012345678901234567890123456789012345678901234 = host=x\n",
      "the name is longer than 63 bytes\n" },
    { TRUSTING "[databases]\na = user=1234567890123456789012345678901234567890123456789012345678901234\n",
      "main.ini:4: database `a`: user: the name is longer than 63 bytes\n" },
    { TRUSTING SOMEWHERE "[users]\njoe = pool_mod=session\n",
      "main.ini:6: user `joe`: unknown key `pool_mod`, did you mean `pool_mode`?\n" },
    { TRUSTING SOMEWHERE "[users]\njoe = min_pool_size=3\n",
      "main.ini:6: user `joe`: unknown key `min_pool_size`" },
    { TRUSTING SOMEWHERE "[users]\njoe = pool_mode=x\n",
      "main.ini:6: user `joe`: pool_mode: `x` is not one of" },
    { TRUSTING SOMEWHERE "[users]\njoe = session\n", "main.ini:6: user `joe`: expected `key=value` pairs" },
    { TRUSTING SOMEWHERE "[peers]\nx = host=a\n",
      "main.ini:6: peer `x`: a peer's name is its number: `x` is not" },
    { TRUSTING SOMEWHERE "[peers]\n1 = port=5\n", "main.ini:6: peer `1`: `host` is missing\n" },
    { TRUSTING SOMEWHERE "[peers]\n1 = host=a port=x\n",
      "main.ini:6: peer `1`: port: `x` is not a whole number\n" },
    { TRUSTING SOMEWHERE "[peers]\n1 = hots=a\n",
      "main.ini:6: peer `1`: unknown key `hots`, did you mean `host`?\n" },
};

static void
every_mistake_is_told_with_its_place(void)
{
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        fixture_load(&f, mistakes[i].text);
        CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
        CU_ASSERT_EQUAL(f.why.code, ERR_CONFIG);
        CU_ASSERT_TRUE(has_problem(&f, mistakes[i].told));
    }
    fixture_fini(&f);
}

static void
all_mistakes_are_told_and_the_first_is_the_reason(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("more.ini", "listen_prt = 5\n");
    fixture_load(&f, "[pgweir]\nnonsense\nlisten_port = x\n%include more.ini\nauth_type = md5\n[databases]\n"
                     "a = hots=b pool_size=y\nb = port=z\n[users]\njoe = x=1 y=2\n");
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.why.text, "main.ini:2: expected `key = value`: `nonsense`");
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:3: listen_port"));
    CU_ASSERT_TRUE(has_problem(&f, "more.ini:1: unknown key `listen_prt`, did you mean `listen_port`?"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:7: database `a`: unknown key `hots`"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:7: database `a`: pool_size"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:8: database `b`: port"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:10: user `joe`: unknown key `x`"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:10: user `joe`: unknown key `y`"));
    CU_ASSERT_TRUE(has_problem(&f, "main.ini:5: auth_file is missing"));
    CU_ASSERT_EQUAL(line_count(&f.problems), 9);
    fixture_fini(&f);
}

static void
a_file_that_cannot_be_read_is_its_own_error(void)
{
    struct settings *none = NULL;
    struct fixture f;
    struct error why;

    fixture_init(&f);
    fixture_load_file(&f, "no.ini");
    CU_ASSERT_EQUAL(f.result, ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(f.why.text, "cannot open `no.ini`: No such file or directory");
    CU_ASSERT_TRUE(has_problem(&f, "cannot open `no.ini`"));
    fixture_load_file(&f, ".");
    CU_ASSERT_EQUAL(f.result, ERR_IO);
    CU_ASSERT_EQUAL(settings_load("no.ini", &none, NULL, NULL, &why), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(settings_load("no.ini", &none, NULL, NULL, NULL), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NULL(none);
    fixture_fini(&f);
}

static void
a_problem_never_shows_a_password(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "\"joe\" \"secret\nann secret\n");
    fixture_load(
        &f, "[pgweir]\nauth_file = users.txt\n[databases]\na = password=secret port=x\nb = password='secret\n"
            "c = password=secret extra\n");
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
    CU_ASSERT_PTR_NULL(strstr(buf_text(&f.problems), "secret\n"));
    CU_ASSERT_PTR_NULL(strstr(buf_text(&f.problems), "secret extra"));
    CU_ASSERT_EQUAL(line_count(&f.problems), 5);
    fixture_fini(&f);
}

static void
what_has_no_effect_is_said_once_by_its_own_name(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(
        &f, "[pgbouncer]\nauth_type = trust\nservice_name = x\njob_name = y\npkt_buf = 8192\n[databases]\n"
            "a = host=b\n[peers]\n1 = host=a port=6432\n2 = host=b\n");
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings),
                           "main.ini:3: `job_name` has no effect: it names a service on Windows\n"
                           "main.ini:5: `pkt_buf` has no effect: connections share one large buffer\n"
                           "main.ini: [peers] has no effect without peer_id, this instance's own number\n");
    fixture_fini(&f);
}

/* A value that O takes, in quotes. */
static const char *
example_of(const struct option *o)
{
    return o->type == OPT_TEXT ? "'x y'" : *o->preset == '\0' ? "''" : o->preset;
}

static void
every_option_is_accepted_wherever_it_may_stand(void)
{
    static const struct {
        enum option_scope scope;
        const char *section;
    } places[] = {
        { IN_DATABASE, TRUSTING "[databases]\na = " },
        { IN_USER, TRUSTING SOMEWHERE "[users]\na = " },
    };
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < option_count; i++) {
        for (size_t j = 0; j < COUNT_OF(places); j++) {
            struct buf text;

            if ((options[i].scope & places[j].scope) == 0)
                continue;
            buf_init(&text);
            buf_add_format(&text, "%s%s=%s\n", places[j].section, option_name_inside(&options[i]),
                           example_of(&options[i]));
            fixture_load(&f, buf_text(&text));
            CU_ASSERT_EQUAL(f.result, ERR_NONE);
            CU_ASSERT_STRING_EQUAL(buf_text(&f.problems), "");
            CU_ASSERT_EQUAL(buf_slice(&f.warnings).len > 0, option_note(&options[i]) != NULL);
            buf_release(&text);
        }
    }
    fixture_fini(&f);
}

static void
another_name_of_an_option_sets_it_too(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, TRUSTING "[databases]\na = reserve_pool=3\nb = reserve_pool_size=4\n");
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_EQUAL(settings_database(f.settings, "a")->own.reserve_pool_size, 3);
    CU_ASSERT_EQUAL(settings_database(f.settings, "b")->own.reserve_pool_size, 4);
    fixture_fini(&f);
}

static void
peers_are_known_by_their_numbers(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, TRUSTING
                 "peer_id = 2\n" SOMEWHERE
                 "[peers]\n7 = host=c\n2 = host=a port=7000 pool_size=3\n7 = host=d\n16383 = host=/run\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings),
                           "main.ini: [peers]: `pool_size` has no effect: every cancel "
                           "request has a connection of its own\n");
    CU_ASSERT_EQUAL(settings_peer_at(f.settings, 0)->id, 2);
    CU_ASSERT_EQUAL(settings_peer(f.settings, 2)->port, 7000);
    CU_ASSERT_EQUAL(settings_peer(f.settings, 2)->pool_size, 3);
    CU_ASSERT_STRING_EQUAL(settings_peer(f.settings, 7)->host, "d");
    CU_ASSERT_EQUAL(settings_peer(f.settings, 7)->port, 6432);
    CU_ASSERT_EQUAL(settings_peer_at(f.settings, 2)->id, 16383);
    CU_ASSERT_PTR_NULL(settings_peer_at(f.settings, 3));
    CU_ASSERT_PTR_NULL(settings_peer(f.settings, 3));
    fixture_load(&f, TRUSTING "peer_id = 2\n" SOMEWHERE
                              "[peers]\n0 = host=c\n16384 = host=c\nx = host=c\n3 = port=1\n");
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
    CU_ASSERT_EQUAL(line_count(&f.problems), 4);
    fixture_fini(&f);
}

static void
a_method_that_is_not_there_is_refused(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, "[pgweir]\nauth_type = ldap\n" SOMEWHERE);
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.problems), "main.ini:2: auth_type ldap is not built in\n");
    fixture_fini(&f);
}

static void
rules_and_maps_are_read_and_held_against_the_rest(void)
{
    static const struct {
        const char *settings, *hba, *problem, *warning;
    } rows[] = {
        { "auth_type = hba\nauth_hba_file = hba\n", "host all all all md5\n", "", "" },
        { "auth_type = hba\n", "", "main.ini:2: auth_type hba needs auth_hba_file", "" },
        { "auth_type = hba\nauth_hba_file = nowhere\n", "", "main.ini:3: cannot open `nowhere`", "" },
        { "auth_type = hba\nauth_hba_file = hba\n", "\nhost all\n", "hba:2: the line ends before its user",
          "" },
        { "auth_type = trust\nauth_hba_file = nowhere\n", "", "", "" },
        { "auth_type = trust\nauth_ident_file = nowhere\n", "", "main.ini:3: cannot open `nowhere`", "" },
        { "auth_type = hba\nauth_hba_file = hba\n", "hostssl all all all cert\n", "",
          "hba:1: client_tls_sslmode is disable" },
        { "auth_type = hba\nauth_hba_file = hba\nclient_tls_sslmode = require\n",
          "hostssl all all all cert\n",
          "hba:1: a rule that wants client certificates needs client_tls_ca_file", "" },
        { "auth_type = hba\nauth_hba_file = hba\n", "local all all peer map=ops\n", "",
          "hba:1: there is no map `ops` in auth_ident_file" },
        { "auth_type = hba\nauth_hba_file = hba\nauth_ident_file = ident\n", "local all all peer map=ops\n",
          "", "" },
        { "auth_type = cert\n", "", "main.ini:2: auth_type cert needs client_tls_sslmode = verify-full", "" },
        { "auth_type = md5\nauth_user = u\n", "", "", "" },
        { "auth_type = md5\nauth_user = u\nauth_dbname = pgbouncer\n", "",
          "main.ini:4: cannot use the reserved \"pgbouncer\" database as an auth_dbname", "" },
    };
    struct fixture f;

    fixture_init(&f);
    fixture_write("ident", "ops joe app\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[400];

        snprintf(text, sizeof text, "[pgweir]\n%s" SOMEWHERE, rows[i].settings);
        fixture_write("hba", rows[i].hba);
        fixture_load(&f, text);
        CU_ASSERT_EQUAL(f.result, rows[i].problem[0] != '\0' ? ERR_CONFIG : ERR_NONE);
        CU_ASSERT_TRUE(has_problem(&f, rows[i].problem));
        CU_ASSERT_TRUE(has_warning(&f, rows[i].warning));
        if (rows[i].warning[0] == '\0' && f.result == ERR_NONE)
            CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings), "");
    }
    fixture_load(&f, TRUSTING "auth_user = u\nauth_dbname = x\n[databases]\na = host=b\n");
    CU_ASSERT_TRUE(has_warning(&f, "authentication database \"x\" is not configured"));
    fixture_fini(&f);
}

static void
what_an_entry_asks_of_clients_must_be_possible(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, TRUSTING "[databases]\na = host=b client_tls_sslmode=require\n[users]\n"
                              "u = client_tls_sslmode=verify-full\nv = client_tls_sslmode=prefer\n");
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG);
    CU_ASSERT_EQUAL(line_count(&f.problems), 2);
    CU_ASSERT(has_problem(&f, "main.ini:4: database `a`: client_tls_sslmode require cannot be met: it is "
                              "`disable` in the main section\n"));
    CU_ASSERT(has_problem(&f, "main.ini: user `u`: client_tls_sslmode verify-full cannot be met: it is "
                              "`disable` in the main section\n"));
    fixture_fini(&f);
}

static void
secrets_that_everybody_can_read_are_warned_of(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "");
    fixture_write("key.pem", "");
    fixture_write(MAIN_INI, SOMEWHERE "app = host=a password=x\n[pgweir]\nauth_file = users.txt\n"
                                      "server_tls_cert_file = key.pem\nserver_tls_key_file = key.pem\n");
    fixture_load_file(&f, MAIN_INI);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings), "");
    CU_ASSERT_EQUAL(chmod("users.txt", 0644) + chmod(MAIN_INI, 0604) + chmod("key.pem", 0666), 0);
    fixture_load_file(&f, MAIN_INI);
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_TRUE(
        has_warning(&f, "main.ini:5: auth_file `users.txt` can be read by everybody (mode 0644)\n"));
    CU_ASSERT_TRUE(
        has_warning(&f, "main.ini:7: server_tls_key_file: `key.pem` can be read by everybody (mode 0666)\n"));
    CU_ASSERT_TRUE(has_warning(
        &f, "main.ini:3: database `app` has a password in a file that everybody can read (mode 0604)\n"));
    CU_ASSERT_PTR_NULL(strstr(buf_text(&f.warnings), "cert_file:"));
    fixture_fini(&f);
}

static void
what_loads_but_cannot_be_meant_is_warned_of(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(
        &f, "[pgweir]\nauth_type = any\n[databases]\na = pool_size=5 min_pool_size=6 user=joe\nb = host=x\n");
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings),
                           "main.ini:4: database `a`: min_pool_size 6 is more than its pool size 5\n"
                           "main.ini:5: database `b`: auth_type any needs `user` here; nobody can log in\n");
    fixture_fini(&f);
}

/* What Debian's package installs. */
static void
a_pgbouncer_file_without_databases_loads(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "");
    fixture_load(&f, ";; comment\n[databases]\n;a =\n[users]\n;b =\n[pgbouncer]\nlogfile = /var/log/x.log\n"
                     "pidfile = /var/run/x.pid\nlisten_addr = localhost\nlisten_port = 6432\n"
                     "unix_socket_dir = .\nauth_type = md5\nauth_file = users.txt\n");
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_TRUE(has_warning(&f, "main.ini: [databases] is empty"));
    fixture_fini(&f);
}

static void
warnings_are_handed_over_with_the_settings(void)
{
    struct settings *settings = NULL;
    struct fixture f;
    struct error why;

    fixture_init(&f);
    fixture_write(MAIN_INI, SOMEWHERE TRUSTING "pkt_buf = 60\n");
    CU_ASSERT_EQUAL(settings_load(MAIN_INI, &settings, &f.problems, &f.warnings, &why), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings),
                           "main.ini:5: `pkt_buf` has no effect: connections share one large buffer\n");
    settings_drop(settings);
    fixture_fini(&f);
}

static void
a_further_pgbouncer_header_resets_what_has_a_default(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_write("users.txt", "\"joe\" \"x\"\n");
    fixture_load(&f, "[pgbouncer]\nauth_file = users.txt\nmax_client_conn = 7\nverbose = 2\nlisten_port = 1\n"
                     "[databases]\na = host=x\n[pgbouncer]\nlisten_port = 2\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_EQUAL(f.settings->max_client_conn, 100);
    CU_ASSERT_EQUAL(f.settings->listen_port, 2);
    CU_ASSERT_EQUAL(f.settings->verbose, 2);
    CU_ASSERT_STRING_EQUAL(f.settings->auth_file, "users.txt");
    CU_ASSERT_STRING_EQUAL(
        buf_text(&f.warnings),
        "main.ini:8: [pgbouncer] begins anew here: what was set before it (2 keys) is back "
        "at its default\n");
    fixture_load(
        &f, "[pgbouncer]\nauth_type = trust\nmax_client_conn = 7\n[databases]\na = host=x\n[pgbouncer]\n");
    CU_ASSERT_EQUAL(f.result, ERR_CONFIG); /* md5 without a file again: an empty section resets too */
    fixture_load(&f, TRUSTING "max_client_conn = 7\n" SOMEWHERE "[pgweir]\nlisten_port = 2\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_EQUAL(f.settings->max_client_conn, 7);
    fixture_fini(&f);
}

static void
a_database_that_comes_again_replaces_itself(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_load(
        &f, TRUSTING
        "[databases]\na = host=x\nb = host=y\na = port=7\n[users]\nu = pool_size=3\nu = pool_size=4\n");
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_database_name(f.settings, 0), "a");
    CU_ASSERT_STRING_EQUAL(settings_database_name(f.settings, 1), "b");
    CU_ASSERT_PTR_NULL(settings_database_name(f.settings, 2));
    CU_ASSERT_PTR_NULL(settings_database(f.settings, "a")->host);
    CU_ASSERT_EQUAL(settings_database(f.settings, "a")->hosts[0].port, 7);
    CU_ASSERT_EQUAL(settings_user(f.settings, "u")->own.pool_size, 4);
    fixture_fini(&f);
}

static void
settings_live_as_long_as_somebody_holds_them(void)
{
    const struct settings *held;
    struct fixture f;

    fixture_init(&f);
    fixture_load(&f, TRUSTING SOMEWHERE);
    held = settings_hold(f.settings);
    settings_drop(f.settings);
    f.settings = NULL;
    CU_ASSERT_STRING_EQUAL(settings_database_name(held, 0), "*");
    settings_drop(held);
    settings_drop(NULL);
    fixture_fini(&f);
}

static void
ten_thousand_databases_load(void)
{
    struct fixture f;
    struct buf text;

    fixture_init(&f);
    buf_init(&text);
    buf_add_text(&text, TRUSTING "[databases]\n");
    for (int i = 0; i < 10000; i++)
        buf_add_format(&text, "tenant_%d = host=db%d port=5432 dbname=t%d pool_size=5 pool_mode=session\n", i,
                       i % 7, i);
    fixture_load(&f, buf_text(&text));
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_database(f.settings, "tenant_9999")->dbname, "t9999");
    buf_release(&text);
    fixture_fini(&f);
}

void
suite_settings(void)
{
    CU_pSuite suite = CU_add_suite("settings", NULL, NULL);

    CU_ADD_TEST(suite, a_pgweir_file_has_the_presets_of_pgweir);
    CU_ADD_TEST(suite, a_file_without_anything_is_refused);
    CU_ADD_TEST(suite, a_pgbouncer_file_has_the_presets_of_pgbouncer);
    CU_ADD_TEST(suite, values_reach_their_fields_and_the_last_one_counts);
    CU_ADD_TEST(suite, every_mistake_is_told_with_its_place);
    CU_ADD_TEST(suite, all_mistakes_are_told_and_the_first_is_the_reason);
    CU_ADD_TEST(suite, a_file_that_cannot_be_read_is_its_own_error);
    CU_ADD_TEST(suite, a_problem_never_shows_a_password);
    CU_ADD_TEST(suite, what_has_no_effect_is_said_once_by_its_own_name);
    CU_ADD_TEST(suite, every_option_is_accepted_wherever_it_may_stand);
    CU_ADD_TEST(suite, another_name_of_an_option_sets_it_too);
    CU_ADD_TEST(suite, peers_are_known_by_their_numbers);
    CU_ADD_TEST(suite, a_method_that_is_not_there_is_refused);
    CU_ADD_TEST(suite, rules_and_maps_are_read_and_held_against_the_rest);
    CU_ADD_TEST(suite, what_an_entry_asks_of_clients_must_be_possible);
    CU_ADD_TEST(suite, secrets_that_everybody_can_read_are_warned_of);
    CU_ADD_TEST(suite, what_loads_but_cannot_be_meant_is_warned_of);
    CU_ADD_TEST(suite, a_pgbouncer_file_without_databases_loads);
    CU_ADD_TEST(suite, warnings_are_handed_over_with_the_settings);
    CU_ADD_TEST(suite, a_further_pgbouncer_header_resets_what_has_a_default);
    CU_ADD_TEST(suite, a_database_that_comes_again_replaces_itself);
    CU_ADD_TEST(suite, settings_live_as_long_as_somebody_holds_them);
    CU_ADD_TEST(suite, ten_thousand_databases_load);
}
