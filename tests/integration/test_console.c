/*
 * test_console.c - the console: who may enter, what it shows, what its commands do, by libpq and by bare
 * messages.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"
#include "raw.h"

void suite_console(void);

#define ROLES "admin_users = other, app_user\nstats_users = analytics_user\nstats_period = 1\n"

static const struct weir_spec spec = { .settings = ROLES "default_pool_size = 3\n" };

static PGconn *
console_as(const struct weir *w, const char *user)
{
    return dial(weir_port(w), "user=%s password=%s_pw dbname=pgbouncer", user, user);
}

static PGconn *
admin_of(const struct weir *w)
{
    return console_as(w, "app_user");
}

/* The value of COLUMN in the row whose KEY is VALUE; "none" without one. */
static const char *
look_up(PGconn *c, const char *sql, const char *key, const char *value, const char *column)
{
    PGresult *r = PQexec(c, sql);
    const char *found = "none";
    int key_at = PQfnumber(r, key), at = PQfnumber(r, column);

    for (int i = 0; i < PQntuples(r) && key_at >= 0 && at >= 0; i++)
        if (strcmp(PQgetvalue(r, i, key_at), value) == 0)
            found = text("%s", PQgetvalue(r, i, at));
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        found = result_text(r);
    PQclear(r);
    return found;
}

/* --- who may enter --- */

static void
users_in_neither_list_are_not_let_in(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "admin_users = somebody\n" });
    PGconn *c = console_as(w, "app_user");

    CONTAINS(dial_error(c), "not allowed");
    PQfinish(c);
    c = dial(weir_port(w), "dbname=pgweir password=wrong");
    CONTAINS(dial_error(c), "password authentication failed");
    PQfinish(c);
}

static void
stats_users_may_look_and_do_nothing_else(void)
{
    static const char *const commands[] = {
        "SET query_wait_timeout = 1",
        "RELOAD",
        "PAUSE",
        "PAUSE app",
        "RESUME",
        "SUSPEND",
        "DISABLE app",
        "ENABLE app",
        "RECONNECT",
        "WAIT_CLOSE",
        "KILL app",
        "KILL_CLIENT 1",
        "SHUTDOWN",
        "SHOW FDS",
        "SHUTDOWN WAIT_FOR_CLIENTS",
        "SHUTDOWN WAIT_FOR_SERVERS",
    };
    struct weir *w = weir_get(&spec);
    PGconn *c = console_as(w, "analytics_user");

    SAYS(dial_error(c), "");
    SAYS(ask(c, "SHOW VERSION"), "pgweir " PGWEIR_VERSION);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        CONTAINS(ask(c, "%s", commands[i]), "ERROR 42501 admin access needed");
    PQfinish(c);
}

static void
our_own_user_needs_no_password_on_the_unix_socket(void)
{
    struct weir *w = weir_get(&spec);
    const char *as_postgres[] = { "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups" };
    const char *words[20];
    const char *psql[] = {
        "psql", "-X",        "-At", "-h",        weir_dir(w), "-p",          text("%u", weir_port(w)),
        "-U",   "pgbouncer", "-d",  "pgbouncer", "-c",        "show version"
    };
    size_t count = 0;
    struct buf out;

    if (geteuid() == 0) /* then pgweir runs as postgres */
        for (size_t i = 0; i < COUNT_OF(as_postgres); i++)
            words[count++] = as_postgres[i];
    for (size_t i = 0; i < COUNT_OF(psql) && count < COUNT_OF(words) - 1; i++)
        words[count++] = psql[i];
    words[count] = NULL;
    buf_init(&out);
    CU_ASSERT_EQUAL(run(&out, NULL, words), 0);
    buf_add_u8(&out, 0);
    CONTAINS((const char *)buf_slice(&out).at, "pgweir " PGWEIR_VERSION);
    buf_release(&out);
}

static void
the_greeting_is_a_consoles(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *c = dial(weir_port(w), "dbname=pgweir");

    SAYS(dial_error(c), "");
    SAYS(PQparameterStatus(c, "server_version"), PGWEIR_VERSION "/bouncer");
    SAYS(PQparameterStatus(c, "client_encoding"), "UTF8");
    SAYS(PQparameterStatus(c, "server_encoding"), "UTF8");
    SAYS(PQparameterStatus(c, "DateStyle"), "ISO");
    SAYS(PQparameterStatus(c, "TimeZone"), "GMT");
    SAYS(PQparameterStatus(c, "standard_conforming_strings"), "on");
    SAYS(PQparameterStatus(c, "is_superuser"), "on");
    PQfinish(c);
}

static void
a_full_house_has_room_for_the_console(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = ROLES "max_client_conn = 1\n" });
    PGconn *only = weir_dial(w);
    PGconn *refused = weir_dial(w);
    PGconn *console = admin_of(w);

    SAYS(ask(only, "select 1"), "1");
    CONTAINS(dial_error(refused), "max_client_conn");
    SAYS(ask(console, "SHOW VERSION"), "pgweir " PGWEIR_VERSION);
    PQfinish(only);
    PQfinish(refused);
    PQfinish(console);
}

/* --- SHOW --- */

static void
what_is_there_is_shown(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *console = admin_of(w);
    PGconn *busy = dial(weir_port(w), "application_name=busy_one");

    SAYS(ask(busy, "begin"), "BEGIN");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "busy_one", "state"), "active");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "busy_one", "addr"), "127.0.0.1");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "busy_one", "local_port"),
         text("%u", weir_port(w)));
    SAYS(look_up(console, "SHOW SERVERS", "application_name", "busy_one", "state"), "active");
    SAYS(look_up(console, "SHOW SERVERS", "application_name", "busy_one", "remote_pid"),
         ask(busy, "select pg_backend_pid()"));
    SAYS(look_up(console, "SHOW SERVERS", "application_name", "busy_one", "link"),
         look_up(console, "SHOW CLIENTS", "application_name", "busy_one", "ptr"));
    SAYS(look_up(console, "SHOW POOLS", "database", "app", "cl_active"), "1");
    SAYS(look_up(console, "SHOW POOLS", "database", "app", "sv_active"), "1");
    SAYS(look_up(console, "SHOW POOLS", "database", "app", "pool_mode"), "transaction");
    SAYS(look_up(console, "SHOW POOLS", "database", "pgbouncer", "cl_active"), "1");
    SAYS(look_up(console, "SHOW DATABASES", "name", "app", "current_client_connections"), "1");
    SAYS(look_up(console, "SHOW DATABASES", "name", "app", "pool_size"), "3");
    SAYS(look_up(console, "SHOW USERS", "name", "app_user", "current_client_connections"), "1");
    SAYS(look_up(console, "SHOW SOCKETS", "application_name", "busy_one", "pkt_avail"), "0");
    SAYS(look_up(console, "SHOW LISTS", "list", "used_clients", "items"), "2");
    SAYS(look_up(console, "SHOW CONFIG", "key", "default_pool_size", "value"), "3");
    SAYS(look_up(console, "SHOW CONFIG", "key", "listen_port", "changeable"), "no");
    SAYS(look_up(console, "SHOW BUDGET", "database", "app", "pool_limit"), "3");
    SAYS(look_up(console, "SHOW STATE", "key", "active", "value"), "yes");
    SAYS(ask(busy, "rollback"), "ROLLBACK");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "busy_one", "state"), "idle");
    SAYS(look_up(console, "SHOW POOLS", "database", "app", "sv_idle"), "1");
    PQfinish(busy);
    PQfinish(console);
}

/* The columns that only some connections fill. */
static void
what_few_connections_have_is_shown_too(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = ROLES "server_check_delay = 0\nauth_type = trust\n",
        .databases = "app = host=127.0.0.1 port=$PORT\n"
                     "stream = host=127.0.0.1 port=$PORT dbname=app user=console_repl password=repl_pw\n" });
    PGconn *console = admin_of(w), *c;

    pg_ask(pg_main(), "do $$ begin if not exists (select from pg_roles where rolname = 'console_repl') then "
                      "create role console_repl login replication password 'repl_pw'; "
                      "grant connect on database app to console_repl; end if; end $$");
    c = dial(weir_port(w), "dbname=stream replication=database");
    SAYS(dial_error(c), "");
    SAYS(look_up(console, "SHOW CLIENTS", "database", "stream", "replication"), "logical");
    SAYS(look_up(console, "SHOW SERVERS", "database", "stream", "replication"), "logical");
    PQfinish(c);
    c = dial(weir_port(w), "application_name=named");
    SAYS(ask(c, "select 1"), "1");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "named", "replication"), "none");
    EVENTUALLY(strcmp(look_up(console, "SHOW POOLS", "user", "app_user", "sv_used"), "1") == 0);
    SAYS(look_up(console, "SHOW POOLS", "user", "app_user", "sv_idle"), "0");
    SAYS(look_up(console, "SHOW SERVERS", "application_name", "named", "state"),
         "used"); /* it has kept the name */
    SAYS(look_up(console, "SHOW USERS", "name", "app_user", "current_connections"), "1");
    SAYS(look_up(console, "SHOW USERS", "name", "app_user", "current_client_connections"), "1");
    SAYS(look_up(console, "SHOW USERS", "name", "pgbouncer", "current_connections"), "0");
    PQfinish(c);
    PQfinish(console);
}

static void
users_are_listed_by_name_and_what_is_not_set_is_null(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *c = admin_of(w);
    PGresult *r = PQexec(c, "SHOW USERS");

    CU_ASSERT(PQntuples(r) > 2);
    for (int i = 1; i < PQntuples(r); i++)
        CU_ASSERT(strcmp(PQgetvalue(r, i - 1, 0), PQgetvalue(r, i, 0)) < 0);
    PQclear(r);
    r = PQexec(c, "SHOW CONFIG");
    for (int i = 0; i < PQntuples(r); i++) {
        const char *key = PQgetvalue(r, i, 0);

        if (strcmp(key, "auth_user") == 0)
            CU_ASSERT(PQgetisnull(r, i, 1) && PQgetisnull(r, i, 2));
        if (strcmp(key, "auth_file") == 0)
            CU_ASSERT(!PQgetisnull(r, i, 1) && PQgetisnull(r, i, 2));
        if (strcmp(key, "logfile") == 0)
            CU_ASSERT(!PQgetisnull(r, i, 1) && !PQgetisnull(r, i, 2));
    }
    PQclear(r);
    PQfinish(c);
}

static void
help_is_the_detail_of_a_notice(void)
{
    static const char words[] = "\0MConsole usage\0D\n\tSHOW HELP|";
    struct weir *w = weir_get(&spec);
    struct raw *r = raw_dial(weir_port(w));

    CU_ASSERT(raw_login(r, "app_user", "pgbouncer", "app_user_pw"));
    CU_ASSERT(raw_send_query(r, "show help"));
    CU_ASSERT(raw_until(r, 'N'));
    CU_ASSERT_PTR_NOT_NULL(memmem(raw_body(r).at, raw_body(r).len, words, sizeof words - 1));
    CU_ASSERT(raw_until(r, 'Z'));
    raw_close(r);
}

static void
descriptors_are_shown_without_secrets(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = ROLES "server_tls_sslmode = disable\n" });
    PGconn *console = admin_of(w), *c = dial(weir_port(w), "options='-c timezone=Asia/Tokyo'");
    PGresult *r;

    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(look_up(console, "SHOW FDS", "task", "client", "user"), "app_user");
    SAYS(look_up(console, "SHOW FDS", "task", "client", "timezone"), "Asia/Tokyo");
    SAYS(look_up(console, "SHOW FDS", "task", "client", "std_strings"), "on");
    SAYS(look_up(console, "SHOW FDS", "task", "client", "link"),
         look_up(console, "SHOW FDS", "task", "server", "fd"));
    SAYS(look_up(console, "SHOW FDS", "task", "server", "link"),
         look_up(console, "SHOW FDS", "task", "client", "fd"));
    CONTAINS(look_up(console, "SHOW FDS", "addr", "unix", "task"), "pooler");
    r = PQexec(console, "SHOW FDS");
    for (int i = 0; i < PQntuples(r); i++)
        for (int k = PQfnumber(r, "password"); k < PQnfields(r); k++)
            CU_ASSERT(PQgetisnull(r, i, k));
    PQclear(r);
    SAYS(ask(c, "rollback"), "ROLLBACK");
    PQfinish(c);
    PQfinish(console);
}

/* What a file says of options that need a restart is not in force yet. */
static void
the_running_value_of_restart_options_is_shown(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = ROLES "listen_backlog = 77\n" });
    PGconn *console = admin_of(w);

    weir_rewrite(w, &(struct weir_spec){ .settings = ROLES "listen_backlog = 78\nquery_wait_notify = 9\n" });
    SAYS(ask(console, "RELOAD"), "RELOAD");
    SAYS(look_up(console, "SHOW CONFIG", "key", "query_wait_notify", "value"), "9");
    SAYS(look_up(console, "SHOW CONFIG", "key", "listen_backlog", "value"), "77");
    PQfinish(console);
    weir_stop(w);
}

/* Works on all of them, which log in at the same time. */
static bool
are_open(PGconn *const *crowd, int count)
{
    int open = 0;

    for (int i = 0; i < count; i++)
        open += dial_is_open(crowd[i]);
    return open == count;
}

/* Many more than a worker lists in one turn of its loop, and more rows than it sends in one. */
static void
every_client_of_a_crowd_is_listed_once(void)
{
    enum { CROWD = 1000 };
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = ROLES "workers = 1\nauth_type = trust\nmax_client_conn = 2000\n" });
    PGconn *console = admin_of(w), *crowd[CROWD];
    struct rlimit files = { .rlim_cur = 1024 };
    int count, listed = 0;
    bool is_seen[CROWD] = { false };
    PGresult *r;

    (void)getrlimit(RLIMIT_NOFILE, &files);
    count = files.rlim_cur < 2 * CROWD ? 300 : WORK(CROWD);
    for (int i = 0; i < count; i++)
        crowd[i] = PQconnectStart(
            text("host=127.0.0.1 port=%u dbname=app user=app_user application_name=crowd_%d "
                 "sslmode=disable gssencmode=disable",
                 weir_port(w), i));
    EVENTUALLY(are_open(crowd, count));
    r = PQexec(console, "SHOW CLIENTS");
    for (int i = 0; i < PQntuples(r); i++) {
        const char *name = PQgetvalue(r, i, PQfnumber(r, "application_name"));
        int at = BEGINS(name, "crowd_") ? number(name + strlen("crowd_")) : -1;

        if (at >= 0 && at < count && !is_seen[at])
            listed++;
        else
            CU_ASSERT(at < 0); /* nobody twice */
        if (at >= 0 && at < count)
            is_seen[at] = true;
    }
    CU_ASSERT_EQUAL(listed, count);
    PQclear(r);
    for (int i = 0; i < count; i++)
        PQfinish(crowd[i]);
    PQfinish(console);
}

static void
pins_and_prepared_statements_are_shown(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *console = admin_of(w), *stats = console_as(w, "analytics_user");
    PGconn *pinned = dial(weir_port(w), "application_name=pinned_one");

    SAYS(look_up(console, "SHOW PINS", "application_name", "pinned_one", "reasons"), "none");
    SAYS(ask(pinned, "listen something"), "LISTEN");
    EVENTUALLY(strcmp(look_up(console, "SHOW PINS", "application_name", "pinned_one", "reasons"), "listen") ==
               0);
    SAYS(look_up(console, "SHOW PIN_TOTALS", "reason", "listen", "clients"), "1");
    PQclear(PQprepare(pinned, "mine", "select 4711 + $1::int", 0, NULL));
    CONTAINS(look_up(console, "SHOW PREPARED", "query", "select 4711 + $1::int", "name"), "pgweir_");
    SAYS(look_up(console, "SHOW CLIENTS", "application_name", "pinned_one", "prepared_statements"), "1");
    CONTAINS(ask(stats, "SHOW PREPARED"), "ERROR 42501");
    SAYS(ask(pinned, "unlisten *"), "UNLISTEN");
    EVENTUALLY(strcmp(look_up(console, "SHOW PINS", "application_name", "pinned_one", "reasons"), "none") ==
               0);
    PQfinish(pinned);
    PQfinish(stats);
    PQfinish(console);
}

static void
statistics_count_and_average(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *console = admin_of(w);
    PGconn *c = weir_dial(w);
    int before = number(look_up(console, "SHOW STATS", "database", "app", "total_query_count"));

    if (before < 0)
        before = 0;
    for (int i = 0; i < 50; i++)
        SAYS(ask(c, "select 1"), "1");
    CU_ASSERT_EQUAL(number(look_up(console, "SHOW STATS", "database", "app", "total_query_count")),
                    before + 50);
    CU_ASSERT_EQUAL(number(look_up(console, "SHOW STATS_TOTALS", "database", "app", "query_count")),
                    before + 50);
    CU_ASSERT(number(look_up(console, "SHOW STATS", "database", "app", "total_received")) > 50);
    EVENTUALLY(strcmp(ask(c, "select 1"), "1") == 0 && /* a new period may have begun just now */
               number(look_up(console, "SHOW STATS", "database", "app", "avg_query_count")) > 0);
    CU_ASSERT(number(look_up(console, "SHOW TOTALS", "name", "total_xact_count", "value")) >= before + 50);
    CU_ASSERT(number(look_up(console, "SHOW STATS", "database", "pgbouncer", "total_query_count")) > 0);
    EVENTUALLY(weir_logged(w, "LOG stats: "));
    PQfinish(c);
    PQfinish(console);
}

/* --- who else reads it --- */

/* What Datadog's check of PgBouncer takes out of each, by name. */
static void
datadog_finds_its_columns(void)
{
    static const struct {
        const char *sql, *columns;
    } reads[] = {
        { "SHOW STATS",
          "database total_xact_count total_query_count total_wait_time total_received total_sent total_xact_time "
          "total_query_time avg_xact_count avg_query_count avg_wait_time avg_recv avg_sent avg_xact_time avg_query_time" },
        { "SHOW POOLS",
          "database user cl_active cl_waiting sv_active sv_idle sv_used sv_tested sv_login maxwait maxwait_us" },
        { "SHOW DATABASES", "name pool_size max_connections current_connections" },
        { "SHOW CONFIG", "key value" },
        { "SHOW CLIENTS", "user database state application_name connect_time wait wait_us" },
        { "SHOW SERVERS", "user database state application_name request_time connect_time" },
    };
    struct weir *w = weir_get(&spec);
    PGconn *c = console_as(w, "analytics_user");

    for (size_t i = 0; i < COUNT_OF(reads); i++) {
        PGresult *r = PQexec(c, reads[i].sql);
        char columns[400], *rest = columns, *name;

        snprintf(columns, sizeof columns, "%s", reads[i].columns);
        while ((name = strsep(&rest, " ")) != NULL)
            CU_ASSERT(PQfnumber(r, name) >= 0);
        PQclear(r);
    }
    SAYS(look_up(c, "SHOW CONFIG", "key", "max_client_conn", "value"), "10000");
    PQfinish(c);
}

/* Debian's exporter is made for PgBouncer before 1.8. In STATS and DATABASES it wants columns that have gone there since: they stand behind
 * the others, so that all of its page is there. */
static void
debians_exporter_reads_all_that_it_wants(void)
{
    static const char script[] = "import sys\n"
                                 "from prometheus_client import generate_latest\n"
                                 "from prometheus_client.core import CollectorRegistry\n"
                                 "from prometheus_pgbouncer_exporter.utils import get_connection\n"
                                 "from prometheus_pgbouncer_exporter.collectors import *\n"
                                 "c = get_connection('app_user', int(sys.argv[1]), '127.0.0.1')\n"
                                 "r = CollectorRegistry()\n"
                                 "r.register(ListsCollector(connection=c))\n"
                                 "for of in StatsCollector, PoolsCollector, DatabasesCollector:\n"
                                 "    r.register(of(connection=c, databases=None))\n"
                                 "print(generate_latest(r).decode())\n";
    struct weir *w = weir_get(&spec);
    const char *words[] = { "/usr/bin/python3", "-c", script, text("%u", weir_port(w)), NULL };
    struct buf out;

    if (!program_exists("prometheus-pgbouncer-exporter")) {
        test_skip("prometheus-pgbouncer-exporter is not installed");
        return;
    }
    setenv("PGPASSWORD", "app_user_pw", 1);
    buf_init(&out);
    CU_ASSERT_EQUAL(run(&out, NULL, words), 0);
    unsetenv("PGPASSWORD");
    buf_add_u8(&out, 0);
    CONTAINS((const char *)buf_slice(&out).at, "pgbouncer_used_clients ");
    CONTAINS((const char *)buf_slice(&out).at,
             "pgbouncer_active_clients{database=\"pgbouncer\",user=\"pgbouncer\"} 1.0");
    CONTAINS((const char *)buf_slice(&out).at, "pgbouncer_pool_size{database=\"app\"} 3.0");
    CONTAINS((const char *)buf_slice(&out).at, "pgbouncer_reserve_pool{database=\"app\"} 0.0");
    CONTAINS((const char *)buf_slice(&out).at, "pgbouncer_requests_total{database=\"pgbouncer\"}");
    buf_release(&out);
}

/* --- the protocol --- */

static void
any_driver_may_use_the_extended_protocol(void)
{
    struct weir *w = weir_get(&spec);
    PGconn *c = admin_of(w);
    PGresult *r = PQprepare(c, "lists", "SHOW LISTS", 0, NULL);

    CU_ASSERT_EQUAL(PQresultStatus(r), PGRES_COMMAND_OK);
    PQclear(r);
    r = PQdescribePrepared(c, "lists");
    CU_ASSERT_EQUAL(PQnfields(r), 2);
    SAYS(PQfname(r, 0), "list");
    CU_ASSERT_EQUAL(PQftype(r, 0), 25);
    CU_ASSERT_EQUAL(PQftype(r, 1), 23);
    PQclear(r);
    r = PQexecPrepared(c, "lists", 0, NULL, NULL, NULL, 0);
    CU_ASSERT_EQUAL(PQntuples(r), 14);
    SAYS(PQcmdStatus(r), "SHOW");
    PQclear(r);
    r = PQexecPrepared(c, "lists", 0, NULL, NULL, NULL, 1);
    CU_ASSERT_EQUAL(PQgetlength(r, 0, 1), 4); /* an int4 in binary */
    CU_ASSERT_EQUAL(PQfformat(r, 1), 1);
    SAYS(PQgetvalue(r, 0, 0), "databases");
    PQclear(r);
    r = PQexecParams(c, "SHOW TOTALS", 0, NULL, NULL, NULL, NULL, 1);
    CU_ASSERT_EQUAL(PQntuples(r), 24);
    CU_ASSERT_EQUAL(PQftype(r, 1), 1700);
    CU_ASSERT(PQgetlength(r, 0, 1) >= 8);
    PQclear(r);
    PQfinish(c);
}

static void
what_cannot_be_is_refused_and_the_console_lives_on(void)
{
    static const char *const one[] = { "1" };
    struct weir *w = weir_get(&spec);
    PGconn *c = admin_of(w);
    PGresult *r = PQexecParams(c, "SHOW LISTS", 1, NULL, one, NULL, NULL, 0);

    CONTAINS(result_text(r), "ERROR 08P01 console commands take no parameters");
    PQclear(r);
    r = PQexecPrepared(c, "nobody", 0, NULL, NULL, NULL, 0);
    CONTAINS(result_text(r), "ERROR 26000 prepared statement \"nobody\" does not exist");
    PQclear(r);
    r = PQprepare(c, "", "no such command", 0, NULL);
    CONTAINS(result_text(r), "ERROR 08P01 invalid command 'no such command', use SHOW HELP;");
    PQclear(r);
    CONTAINS(ask(c, "SHOW nonsense"), "ERROR 08P01 invalid command 'SHOW nonsense', use SHOW HELP;");
    CONTAINS(ask(c, "SHOW POOLS; SHOW POOLS"), "ERROR 08P01 invalid command");
    CONTAINS(ask(c, "select 1 + 1"), "ERROR 08P01 invalid command");
    SAYS(ask(c, "SELECT version"), "pgweir " PGWEIR_VERSION);
    SAYS(ask(c, "SHOW client_encoding"), "UTF8");
    SAYS(ask(c, "SET client_encoding = utf8"), "SET");
    CU_ASSERT_EQUAL(PQtransactionStatus(c), PQTRANS_IDLE);
    PQfinish(c);
}

static void
a_portal_may_be_read_in_pieces_by_bare_messages(void)
{
    struct weir *w = weir_get(&spec);
    struct raw *r = raw_dial(weir_port(w));
    struct buf out;
    size_t heard;

    CU_ASSERT(raw_login(r, "app_user", "pgbouncer", "app_user_pw"));
    heard = strlen(raw_heard(r));
    buf_init(&out);
    buf_add_u8(&out, 'P');
    buf_add_be32(&out, 4 + 1 + 12 + 2);
    buf_add_u8(&out, 0);
    buf_add_textz(&out, "SHOW TOTALS");
    buf_add_be16(&out, 0);
    buf_add(&out, slice_of("B\0\0\0\x0c\0\0\0\0\0\0\0\0", 13));
    buf_add(&out, slice_of("E\0\0\0\x09\0\0\0\0\x02", 10));
    buf_add(&out, slice_of("E\0\0\0\x09\0\0\0\0\x01", 10));
    buf_add(&out, slice_of("H\0\0\0\x04", 5));
    buf_add(&out, slice_of("E\0\0\0\x09\0\0\0\0\0", 10));
    buf_add(&out, slice_of("S\0\0\0\x04", 5));
    buf_add(&out, slice_of("E\0\0\0\x09\0\0\0\0\0", 10)); /* the portal went with the Sync */
    buf_add(&out, slice_of("P\0\0\0\x04", 5));            /* skipped, though malformed */
    buf_add(&out, slice_of("S\0\0\0\x04", 5));
    CU_ASSERT(raw_send_buf(r, &out));
    CU_ASSERT(raw_until(r, 'Z'));
    CU_ASSERT(raw_until(r, 'Z'));
    SAYS(raw_heard(r) + heard, "12DDsDsDDDDDDDDDDDDDDDDDDDDDCZEZ");
    SAYS(raw_error(r)->sqlstate, "34000");
    raw_close(r);
}

/* Megabytes of answers to one who does not read wait in him, not in us; none is lost. */
static void
who_does_not_read_his_answers_is_not_served_ahead(void)
{
    unsigned count = WORK(900);
    struct weir *w = weir_get(&spec);
    struct raw *r = raw_dial(weir_port(w));
    PGconn *other = admin_of(w);
    unsigned answered = 0;

    CU_ASSERT(raw_login(r, "app_user", "pgbouncer", "app_user_pw"));
    for (unsigned i = 0; i < count; i++)
        CU_ASSERT(raw_send_query(r, "SHOW CONFIG"));
    SAYS(ask(other, "SHOW VERSION"), "pgweir " PGWEIR_VERSION);
    while (answered < count && raw_until(r, 'Z'))
        answered++;
    CU_ASSERT_EQUAL(answered, count);
    SAYS(raw_error(r)->sqlstate, "");
    raw_close(r);
    PQfinish(other);
}

static void
nonsense_in_the_protocol_ends_only_the_one_who_said_it(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "Q\0\0\0\x05x", 6 },    { "P\0\0\0\x04", 5 },    { "B\0\0\0\x05\0", 6 },
        { "?\0\0\0\x04", 5 },     { "Q\0\0\0\x03", 5 },    { "Q\x7f\0\0\0", 5 },
        { "E\0\0\0\x06\0\0", 7 }, { "D\0\0\0\x06X\0", 7 }, { "p\0\0\0\x05\0", 6 },
    };
    struct weir *w = weir_get(&spec);

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct raw *r = raw_dial(weir_port(w));

        CU_ASSERT(raw_login(r, "app_user", "pgbouncer", "app_user_pw"));
        CU_ASSERT(raw_send(r, slice_of(bad[i].bytes, bad[i].len)));
        CU_ASSERT(raw_is_closed(r));
        SAYS(raw_error(r)->sqlstate, "08P01");
        CU_ASSERT_EQUAL(raw_error(r)->severity, PG_FATAL);
        raw_close(r);
    }
}

/* --- commands --- */

static void
pause_waits_for_servers_and_resume_lets_go_on(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *other = admin_of(w);
    PGconn *holder = weir_dial(w), *waiter = weir_dial(w);

    SAYS(ask(holder, "begin"), "BEGIN");
    CU_ASSERT(PQsendQuery(console, "PAUSE app"));
    EVENTUALLY(strcmp(look_up(other, "SHOW DATABASES", "name", "app", "paused"), "1") == 0);
    CU_ASSERT(!has_answered(console));
    PQsendQuery(waiter, "select 'served'");
    EVENTUALLY(strcmp(look_up(other, "SHOW POOLS", "database", "app", "cl_waiting"), "1") == 0);
    SAYS(ask(holder, "commit"), "COMMIT");
    SAYS(answer(console), "PAUSE");
    CU_ASSERT(!has_answered(waiter));
    SAYS(ask(console, "RESUME app"), "RESUME");
    SAYS(answer(waiter), "served");
    CONTAINS(ask(console, "RESUME app"), "ERROR 08P01 database app is not paused");
    CONTAINS(ask(console, "RESUME"), "ERROR 08P01 pooler is not paused/suspended");
    CONTAINS(ask(console, "PAUSE nowhere"), "ERROR 08P01 no such database: nowhere");
    CONTAINS(ask(console, "PAUSE pgbouncer"), "ERROR 08P01");
    PQfinish(holder);
    PQfinish(waiter);
    PQfinish(other);
    PQfinish(console);
    weir_stop(w);
}

static void
ctrl_c_undoes_a_pause(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *holder = weir_dial(w), *waiter = weir_dial(w);
    PGcancel *cancel = PQgetCancel(console);
    char why[256] = "";

    SAYS(ask(holder, "begin"), "BEGIN");
    CU_ASSERT(PQsendQuery(console, "PAUSE"));
    PQsendQuery(waiter, "select 'served'");
    EVENTUALLY(weir_logged(w, "PAUSE"));
    CU_ASSERT(PQcancel(cancel, why, sizeof why));
    CONTAINS(answer(console), "ERROR 57014");
    SAYS(answer(waiter), "served");
    SAYS(look_up(console, "SHOW STATE", "key", "paused", "value"), "no");
    SAYS(ask(holder, "commit"), "COMMIT");
    PQfreeCancel(cancel);
    PQfinish(holder);
    PQfinish(waiter);
    PQfinish(console);
    weir_stop(w);
}

static void
the_process_may_end_while_commands_wait(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *one = admin_of(w), *two = admin_of(w), *holder = weir_dial(w);

    SAYS(ask(holder, "begin"), "BEGIN");
    CU_ASSERT(PQsendQuery(one, "PAUSE app"));
    EVENTUALLY(strcmp(look_up(two, "SHOW DATABASES", "name", "app", "paused"), "1") == 0);
    CU_ASSERT(PQsendQuery(two, "WAIT_CLOSE app"));
    weir_signal(w, SIGQUIT);
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(one);
    PQfinish(two);
    PQfinish(holder);
}

static void
databases_are_disabled_reconnected_and_killed(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *c = weir_dial(w), *late;
    const char *backend = ask(c, "select pg_backend_pid()");

    SAYS(ask(console, "DISABLE app"), "DISABLE");
    late = weir_dial(w);
    CONTAINS(dial_error(late), "is disabled");
    PQfinish(late);
    SAYS(look_up(console, "SHOW DATABASES", "name", "app", "disabled"), "1");
    SAYS(ask(console, "ENABLE app"), "ENABLE");
    SAYS(ask(console, "RECONNECT app"), "RECONNECT");
    SAYS(ask(console, "WAIT_CLOSE app"), "WAIT_CLOSE");
    CU_ASSERT_STRING_NOT_EQUAL(ask(c, "select pg_backend_pid()"), backend);
    SAYS(ask(console, "KILL app"), "KILL");
    CONTAINS(ask(c, "select 1"), "57P01 database removed");
    SAYS(ask(console, "RESUME app"), "RESUME");
    PQfinish(c);
    c = dial(weir_port(w), "application_name=victim");
    SAYS(ask(c, "select 1"), "1");
    SAYS(ask(console, "KILL_CLIENT %s", look_up(console, "SHOW CLIENTS", "application_name", "victim", "id")),
         "KILL_CLIENT");
    CONTAINS(ask(c, "select 1"), "57P01 admin forced disconnect");
    CONTAINS(ask(console, "KILL_CLIENT 999999"), "ERROR 08P01 client not found");
    CONTAINS(ask(console, "KILL_CLIENT xyz"), "ERROR 08P01 invalid client pointer supplied");
    PQfinish(c);
    PQfinish(console);
    weir_stop(w);
}

static void
settings_change_by_set_and_by_reload(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w);

    SAYS(ask(console, "SET query_wait_timeout = '90s'"), "SET query_wait_timeout=90s");
    SAYS(look_up(console, "SHOW CONFIG", "key", "query_wait_timeout", "value"), "90");
    SAYS(ask(console, "SET server_idle_timeout TO 7"), "SET server_idle_timeout=7");
    SAYS(look_up(console, "SHOW CONFIG", "key", "query_wait_timeout", "value"), "90");
    CONTAINS(ask(console, "SET listen_port = 1"), "ERROR 55P02 listen_port: cannot be changed");
    CONTAINS(ask(console, "SET defualt_pool_size = 1"), "ERROR 42704 unrecognized configuration parameter");
    CONTAINS(ask(console, "SET pool_mode = sometimes"), "ERROR 22023 pool_mode: ");
    CONTAINS(ask(console, "SET max_client_conn = -3"), "ERROR 22023 max_client_conn: ");
    SAYS(ask(console, "RELOAD"), "RELOAD");
    SAYS(look_up(console, "SHOW CONFIG", "key", "query_wait_timeout", "value"), "120");
    weir_rewrite(w, &(struct weir_spec){ .settings = ROLES "pool_mode = never\n" });
    CONTAINS(ask(console, "RELOAD"), "ERROR F0000 RELOAD failed, see logs for additional details");
    weir_rewrite(w, &(struct weir_spec){ .settings = ROLES "default_pool_size = 4\n" });
    SAYS(ask(console, "RELOAD"), "RELOAD");
    SAYS(look_up(console, "SHOW DATABASES", "name", "app", "pool_size"), "4");
    PQfinish(console);
    weir_stop(w);
}

/* A bound that is changed while the process runs. */
static void
memory_for_prepared_statements_is_bounded_anew(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = ROLES "prepared_statements_memory = 4MB\n" });
    PGconn *console = admin_of(w), *c = weir_dial(w);
    PGresult *r;

    for (int i = 0; i < 2; i++) {
        char name[16];
        char *sql = malloc(1200100);

        snprintf(name, sizeof name, "large_%d", i);
        snprintf(sql, 1200100, "select length('%01200000d')", i);
        r = PQprepare(c, name, sql, 0, NULL);
        CU_ASSERT_EQUAL(PQresultStatus(r), i == 0 ? PGRES_COMMAND_OK : PGRES_FATAL_ERROR);
        if (i == 1)
            CONTAINS(PQresultErrorMessage(r), "prepared_statements_memory is used up");
        PQclear(r);
        if (i == 0)
            SAYS(ask(console, "SET prepared_statements_memory = '2MB'"),
                 "SET prepared_statements_memory=2MB");
        free(sql);
    }
    SAYS(ask(console, "SET prepared_statements_memory = '4MB'"), "SET prepared_statements_memory=4MB");
    SAYS(ask(c, "select 'goes on'"), "goes on");
    PQfinish(c);
    PQfinish(console);
}

static void
shutdown_waits_for_clients_or_servers_or_nobody(void)
{
    struct weir *w = weir_start(&spec);
    PGconn *console = admin_of(w), *c = weir_dial(w), *late;

    SAYS(ask(console, "SHUTDOWN WAIT_FOR_CLIENTS"), "SHUTDOWN");
    CONTAINS(ask(console, "SHUTDOWN WAIT_FOR_SERVERS"), "already shutting down");
    CONTAINS(ask(console, "RESUME"), "pooler is shutting down");
    late = weir_dial(w);
    CU_ASSERT_NOT_EQUAL(PQstatus(late), CONNECTION_OK);
    PQfinish(late);
    late = dial(weir_port(w), "host=%s", weir_dir(w)); /* the Unix socket stays, for consoles */
    CONTAINS(dial_error(late), "pooler is shutting down");
    PQfinish(late);
    late = dial(weir_port(w), "host=%s dbname=pgbouncer", weir_dir(w));
    SAYS(ask(late, "SHOW VERSION"), "pgweir " PGWEIR_VERSION);
    SAYS(ask(c, "select 'served on'"), "served on");
    PQfinish(late);
    PQfinish(c);
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(console);

    w = weir_start(&spec);
    console = admin_of(w);
    c = weir_dial(w);
    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(ask(console, "SHUTDOWN WAIT_FOR_SERVERS"), "SHUTDOWN");
    SAYS(ask(c, "select 'in my transaction'"), "in my transaction");
    SAYS(ask(c, "commit"), "COMMIT");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(c);
    PQfinish(console);

    w = weir_start(&spec);
    console = admin_of(w);
    PQsendQuery(console, "SHUTDOWN");
    CU_ASSERT_EQUAL(weir_exit_code(w), 0);
    PQfinish(console);
}

void
suite_console(void)
{
    static const struct test_case cases[] = {
        TEST(users_in_neither_list_are_not_let_in),
        TEST(stats_users_may_look_and_do_nothing_else),
        TEST(our_own_user_needs_no_password_on_the_unix_socket),
        TEST(the_greeting_is_a_consoles),
        TEST(a_full_house_has_room_for_the_console),
        TEST(what_is_there_is_shown),
        TEST(what_few_connections_have_is_shown_too),
        TEST(users_are_listed_by_name_and_what_is_not_set_is_null),
        TEST(help_is_the_detail_of_a_notice),
        TEST(descriptors_are_shown_without_secrets),
        TEST(the_running_value_of_restart_options_is_shown),
        TEST(every_client_of_a_crowd_is_listed_once),
        TEST(pins_and_prepared_statements_are_shown),
        TEST(statistics_count_and_average),
        TEST(datadog_finds_its_columns),
        TEST(debians_exporter_reads_all_that_it_wants),
        TEST(any_driver_may_use_the_extended_protocol),
        TEST(what_cannot_be_is_refused_and_the_console_lives_on),
        TEST(a_portal_may_be_read_in_pieces_by_bare_messages),
        TEST(who_does_not_read_his_answers_is_not_served_ahead),
        TEST(nonsense_in_the_protocol_ends_only_the_one_who_said_it),
        TEST(pause_waits_for_servers_and_resume_lets_go_on),
        TEST(ctrl_c_undoes_a_pause),
        TEST(the_process_may_end_while_commands_wait),
        TEST(databases_are_disabled_reconnected_and_killed),
        TEST(settings_change_by_set_and_by_reload),
        TEST(memory_for_prepared_statements_is_bounded_anew),
        TEST(shutdown_waits_for_clients_or_servers_or_nobody),
    };

    SUITE("console", cases);
}
