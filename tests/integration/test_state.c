/*
 * test_state.c - what belongs to a session follows its client from server to server, or keeps its server;
 * nobody else ever meets it.
 *
 * Every test has clients in transaction mode on few servers. `stir()` lets others work in between, so that no
 * client can rely on getting the server that it had before.
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_state(void);

#define SERVERS 3

static struct weir *
weir(const char *more)
{
    return weir_get(&(struct weir_spec){
        .settings = text("pool_mode = transaction\ndefault_pool_size = %d\nworkers = 1\n%s", SERVERS,
                         more) });
}

static struct weir *
one_server(void)
{
    return weir_get(&(struct weir_spec){
        .settings =
            "pool_mode = transaction\ndefault_pool_size = 1\nworkers = 1\nquery_wait_timeout = 20\n" });
}

static int
backend(PGconn *c)
{
    return number(ask(c, "select pg_backend_pid()"));
}

/* Runs SQL with parameters; its first value, as ask() tells it. */
static const char *
ask_bound(PGconn *c, const char *sql, int count, const char *const *values)
{
    PGresult *r = PQexecParams(c, sql, count, NULL, values, NULL, NULL, 0);
    const char *told = result_text(r);

    PQclear(r);
    return told;
}
#define BOUND(c, sql, ...)                                                             \
    ask_bound(c, sql, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)), \
              (const char *[]){ __VA_ARGS__ })

/* Another client works on every server, and finds nothing of anybody else's there. */
static void
stir(const struct weir *w)
{
    PGconn *others[SERVERS];

    for (int i = 0; i < SERVERS; i++) {
        others[i] = weir_dial(w);
        PQsendQuery(
            others[i],
            "begin; select current_setting('app.tenant', true) is distinct from 'blue' and "
            "current_setting('work_mem') = '4MB' and current_user = session_user and "
            "not exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) "
            "and not exists (select from pg_listening_channels()) "
            "and not exists (select from pg_prepared_statements where from_sql) "
            "and not exists (select from pg_cursors where is_holdable) "
            "and to_regclass('pg_temp.own') is null");
    }
    for (int i = 0; i < SERVERS; i++) {
        PGresult *r;
        const char *clean = "";

        while ((r = PQgetResult(others[i])) != NULL) {
            if (PQresultStatus(r) == PGRES_TUPLES_OK)
                clean = text("%s", PQgetvalue(r, 0, 0));
            PQclear(r);
        }
        SAYS(clean, "t");
    }
    for (int i = 0; i < SERVERS; i++)
        PQfinish(others[i]);
}

/* --- settings --- */

static void
a_setting_stays_with_its_client(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "set session work_mem to '6MB'"), "SET");
    stir(w);
    SAYS(ask(c, "show work_mem"), "6MB");
    SAYS(ask(c, "reset work_mem"), "RESET");
    stir(w);
    SAYS(ask(c, "show work_mem"), "4MB");
    SAYS(ask(c, "set app.tenant = 'blue'; select 1"), "1");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "blue");
    SAYS(ask(c, "set time zone 'Asia/Tokyo'"), "SET");
    SAYS(ask(c, "set names 'latin1'"), "SET");
    SAYS(ask(c, "set session characteristics as transaction isolation level repeatable read"), "SET");
    SAYS(ask(c, "set search_path = pg_temp, \"it's, odd\", public"), "SET");
    stir(w);
    SAYS(ask(c, "show timezone"), "Asia/Tokyo");
    SAYS(ask(c, "show client_encoding"), "LATIN1");
    SAYS(ask(c, "show transaction_isolation"), "repeatable read");
    SAYS(ask(c, "show search_path"), "pg_temp, \"it's, odd\", public");
    SAYS(ask(c, "reset all"), "RESET");
    stir(w);
    SAYS(ask(c, "show timezone"), pg_ask(pg_main(), "show timezone"));
    SAYS(ask(c, "show transaction_isolation"), "read committed");
    SAYS(ask(c, "show search_path"), "\"$user\", public");
    SAYS(ask(c, "set work_mem to '5MB'"), "SET");
    SAYS(ask(c, "set work_mem to default"), "SET");
    stir(w);
    SAYS(ask(c, "show work_mem"), "4MB");
    PQfinish(c);
}

static void
set_config_is_followed(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "select set_config('app.tenant', 'blue', false)"), "blue");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "blue");
    SAYS(BOUND(c, "select set_config('app.tenant', $1, false)", "green"), "green");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "green");
    SAYS(BOUND(c, "select set_config($1, $2, $3::boolean)", "app.tenant", "red", "f"), "red");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "red");
    SAYS(BOUND(c, "select set_config($1, $2, $3::boolean)", "app.tenant", "local", "true"), "local");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "red");
    SAYS(ask(c, "do $$ begin perform set_config('work_mem', '7MB', false); end $$"), "DO");
    stir(w);
    SAYS(ask(c, "show work_mem"), "7MB");
    PQfinish(c);
}

/* In a text that is no Bind's, or where its Bind is too long to be kept, nobody knows what $1 is. */
static void
set_config_of_a_parameter_may_have_no_value(void)
{
    char many[20001] = "";
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "select set_config($1, 'blue', $2)"), "ERROR 42P02 there is no parameter $1");
    SAYS(ask(c, "prepare own(text, bool) as select set_config($1, 'blue', $2)"), "PREPARE");
    SAYS(ask(c, "execute own('app.tenant', false)"), "blue");
    SAYS(ask(c, "select current_setting('app.tenant')"), "blue");
    SAYS(ask(c, "discard all"), "DISCARD ALL");
    SAYS(ask(c, "prepare own(bool) as select set_config('app.tenant', 'green', $1)"), "PREPARE");
    SAYS(ask(c, "execute own(false)"), "green");
    SAYS(ask(c, "deallocate own"), "DEALLOCATE");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "green");
    memset(many, 'x', sizeof many - 1);
    SAYS(BOUND(c, "select length(set_config('app.tenant', $1, $2::boolean))", many, "f"), "20000");
    stir(w);
    SAYS(ask(c, "select length(current_setting('app.tenant'))"), "20000");
    PQfinish(c);
}

/* No view tells the name of such a setting: its client keeps the server that has it, until RESET ALL. */
static void
a_setting_of_a_computed_name_keeps_its_server(void)
{
    static const char *const texts[] = {
        "select set_config('app.' || 'tenant', 'blue', false)",
        "select set_config(key, value, false) from json_each_text('{\"app.tenant\": \"blue\"}')",
        "do $$ begin perform set_config('app.' || 'tenant', 'blue', false); end $$",
        "begin; select set_config('app.' || 'tenant', 'blue', false); commit",
    };
    struct weir *w = one_server();
    PGconn *c = weir_dial(w);
    PGconn *other = weir_dial(w);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        (void)ask(c, "%s", texts[i]);
        PQsendQuery(other, "select nullif(current_setting('app.tenant', true), '')");
        SAYS(ask(c, "select current_setting('app.tenant')"), "blue");
        SAYS(ask(c, "do $$ begin end $$"), "DO");
        SAYS(ask(c, "begin; reset all; rollback"), "ROLLBACK");
        SAYS(ask(c, "select current_setting('app.tenant')"), "blue");
        SAYS(ask(c, i % 2 == 0 ? "reset all" : "discard all"), i % 2 == 0 ? "RESET" : "DISCARD ALL");
        SAYS(answer(other), "NULL");
    }
    PQfinish(c);
    PQfinish(other);
}

/* Its value is read afterwards all the same, but is the server's own; nobody but a superuser could bring it to the next
 * server. */
static void
a_set_that_was_refused_is_not_followed(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "set lc_messages = 'C'"), "ERROR 42501 permission denied to set parameter \"lc_messages\"");
    SAYS(ask(c, "reset lc_messages"), "ERROR 42501 permission denied to set parameter \"lc_messages\"");
    SAYS(ask(c, "do $$ begin perform 1; end $$"), "DO"); /* so that there is plpgsql.variable_conflict */
    (void)ask(c, "begin; savepoint s; set plpgsql.variable_conflict = 'error'");
    (void)ask(c, "rollback to s");
    SAYS(ask(c, "set work_mem = '5MB'; commit"), "COMMIT");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    PQfinish(c);
}

static void
what_search_path_makes_temporary_keeps_its_server(void)
{
    struct weir *w = one_server();
    PGconn *c = weir_dial(w);
    PGconn *other = weir_dial(w);

    for (int i = 0; i < 2; i++) {
        SAYS(ask(c, i == 0 ? "set search_path = pg_temp, public" : "begin; set local search_path = pg_temp"),
             "SET");
        SAYS(ask(c, "create table own (a int)"), "CREATE TABLE");
        if (i == 1)
            SAYS(ask(c, "commit"), "COMMIT");
        PQsendQuery(other, "select to_regclass('pg_temp.own')");
        SAYS(ask(c, "select count(*) from own"), "0");
        SAYS(ask(c, "drop table own; set search_path = public"), "SET");
        SAYS(answer(other), "NULL");
    }
    PQfinish(c);
    PQfinish(other);
}

static void
what_is_undone_is_undone(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(ask(c, "set work_mem = '6MB'"), "SET");
    SAYS(ask(c, "rollback"), "ROLLBACK");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(ask(c, "savepoint a"), "SAVEPOINT");
    SAYS(ask(c, "set work_mem = '6MB'"), "SET");
    SAYS(ask(c, "rollback to a"), "ROLLBACK");
    SAYS(ask(c, "set local work_mem = '9MB'"), "SET");
    SAYS(ask(c, "commit"), "COMMIT");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "begin; reset all; rollback"), "ROLLBACK");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "begin; set work_mem = '8MB'; reset all; rollback"), "ROLLBACK");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "discard all"), "DISCARD ALL");
    stir(w);
    SAYS(ask(c, "show work_mem"), "4MB");
    PQfinish(c);
}

static void
reset_leads_back_to_the_startup_packet(void)
{
    struct weir *w = weir("");
    PGconn *c = dial(weir_port(w), "options='-c work_mem=3MB -c app.tenant=own'");

    SAYS(ask(c, "show work_mem"), "3MB");
    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    stir(w);
    SAYS(ask(c, "show work_mem"), "5MB");
    SAYS(ask(c, "reset work_mem"), "RESET");
    SAYS(ask(c, "show work_mem"), "3MB");
    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    SAYS(ask(c, "set work_mem to default"), "SET");
    SAYS(ask(c, "show work_mem"), "3MB");
    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    SAYS(ask(c, "reset all"), "RESET");
    SAYS(ask(c, "show work_mem"), "3MB");
    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    SAYS(ask(c, "discard all"), "DISCARD ALL");
    stir(w);
    SAYS(ask(c, "show work_mem"), "3MB");
    SAYS(ask(c, "select current_setting('app.tenant')"), "own");
    PQfinish(c);
}

static void
roles_are_followed(void)
{
    struct weir *w = weir("");
    PGconn *c;

    pg_ask(pg_main(),
           "do $$ begin create role hat nologin; grant hat to app_user; exception when duplicate_object then "
           "null; end $$");
    c = weir_dial(w);
    SAYS(ask(c, "set role hat"), "SET");
    stir(w);
    SAYS(ask(c, "select current_user"), "hat");
    SAYS(ask(c, "set work_mem = '5MB'"), "SET");
    stir(w);
    SAYS(ask(c, "select current_user || current_setting('work_mem')"), "hat5MB");
    SAYS(ask(c, "reset role"), "RESET");
    stir(w);
    SAYS(ask(c, "select current_user"), "app_user");
    SAYS(ask(c, "begin; set role hat; rollback"), "ROLLBACK");
    stir(w);
    SAYS(ask(c, "select current_user"), "app_user");
    PQfinish(c);
    c = dial(weir_port(w), "options='-c role=hat'");
    SAYS(ask(c, "set role none"), "SET");
    stir(w);
    SAYS(ask(c, "select current_user"), "app_user");
    SAYS(ask(c, "reset role"), "RESET");
    stir(w);
    SAYS(ask(c, "select current_user"), "hat");
    PQfinish(c);
    c = weir_dial(w);
    /* A role that may not be taken any more: its client is told, and nobody else notices. */
    SAYS(ask(c, "set role hat"), "SET");
    SAYS(ask(c, "select current_user"), "hat");
    pg_ask(pg_main(), "revoke hat from app_user");
    stir(w);
    CONTAINS(ask(c, "create table must_not_exist ()"), "permission denied to set role");
    CU_ASSERT_EQUAL(PQstatus(c), CONNECTION_BAD);
    stir(w);
    SAYS(pg_ask(pg_main(), "select to_regclass('must_not_exist')"), "NULL");
    pg_ask(pg_main(), "drop role hat");
    PQfinish(c);
}

static void
hostile_settings_harm_nobody(void)
{
    static const char *const hostile[] = {
        "set search_path = pg_temp, evil, pg_catalog",
        "set statement_timeout = '1ms'",
        "set lock_timeout = '1ms'",
        "set default_transaction_read_only = on",
        "set standard_conforming_strings = off",
        "set client_encoding = 'SJIS'",
        "set session characteristics as transaction isolation level serializable, read only, deferrable",
        "set idle_session_timeout = '1ms'",
        "set bytea_output = 'escape'",
    };
    struct weir *w = weir("");

    pg_ask(pg_main(),
           "create schema if not exists evil; grant all on schema evil to public; "
           "create or replace function evil.current_setting(text, boolean) returns text language sql as "
           "$$ select 'evil' $$");
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        PGconn *c = weir_dial(w);
        const char *told;

        SAYS(ask(c, "%s", hostile[i]), "SET");
        stir(w);
        if (!HAS(hostile[i], "idle_session")) { /* that client has asked to be thrown out */
            told = ask(c, "select set_config('app.tenant', 'bl\u00fce', false) is not null");
            CU_ASSERT(strcmp(told, "t") == 0 ||
                      (HAS(hostile[i], "statement_timeout") && BEGINS(told, "ERROR 57014")));
        }
        PQfinish(c);
        stir(w);
    }
    pg_ask(pg_main(), "drop schema evil cascade");
}

static void
values_of_all_kinds_are_followed(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);
    char *large = malloc(10001);

    memset(large, 'x', 10000);
    large[10000] = '\0';
    SAYS(ask(c, "set app.tenant = 'it''s, \"so\" \\ \303\274'"), "SET");
    SAYS(BOUND(c, "select length(set_config('app.large', $1, false))", large), "10000");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "it's, \"so\" \\ \303\274");
    SAYS(ask(c, "select length(current_setting('app.large'))"), "10000");
    SAYS(ask(c, "set client_encoding = 'LATIN1'"), "SET");
    SAYS(ask(c, "set app.tenant = '\374'"), "SET");
    stir(w);
    SAYS(ask(c, "select current_setting('app.tenant')"), "\374");
    SAYS(ask(c, "set application_name = 'reports'"), "SET");
    stir(w);
    SAYS(ask(c, "select application_name from pg_stat_activity where pid = pg_backend_pid()"), "reports");
    free(large);
    PQfinish(c);
}

static void
row_level_security_sees_the_right_tenant(void)
{
    enum { TENANTS = 6 };
    struct weir *w = weir("");
    PGconn *clients[TENANTS];

    pg_ask(pg_main(), "drop table if exists owned; create table owned (tenant text); "
                      "insert into owned select 't' || i from generate_series(0, 5) i; "
                      "alter table owned enable row level security; grant select on owned to public; "
                      "create policy mine on owned using (tenant = current_setting('app.tenant_id', true))");
    for (int i = 0; i < TENANTS; i++) {
        clients[i] = weir_dial(w);
        SAYS(ask(clients[i], "set app.tenant_id = 't%d'", i), "SET");
    }
    for (int i = 0; i < 10 * TENANTS; i++)
        SAYS(ask(clients[i * 5 % TENANTS], "select string_agg(tenant, ',') from owned"),
             text("t%d", i * 5 % TENANTS));
    for (int i = 0; i < TENANTS; i++)
        PQfinish(clients[i]);
    pg_ask(pg_main(), "drop table owned");
}

/* --- pins --- */

/* Whether somebody keeps a server: others do not get all of them. */
static bool
is_kept(const struct weir *w)
{
    PGconn *others[SERVERS];
    struct patience p = patience_new();
    int count;

    for (int i = 0; i < SERVERS; i++) {
        others[i] = weir_dial(w);
        PQsendQuery(others[i], "begin");
    }
    do {
        count = 0;
        for (int i = 0; i < SERVERS; i++)
            count += has_answered(others[i]);
    } while (count < SERVERS - 1 && patience_nap(&p));
    PQfinish(weir_dial(w)); /* so that the worker has read everything */
    count = 0;
    for (int i = 0; i < SERVERS; i++)
        count += has_answered(others[i]);
    for (int i = 0; i < SERVERS; i++)
        PQfinish(others[i]);
    return count < SERVERS;
}

/* What it takes to begin and to end, and how it is seen that it is still there. */
static const struct {
    const char *begin;
    const char *check;
    const char *answer;
    const char *end;
} pinning[] = {
    { "select pg_advisory_lock(7)", "select pg_advisory_unlock(7)", "t", NULL },
    { "select pg_advisory_lock(7), pg_advisory_lock(7)", "select pg_advisory_unlock(7)", "t",
      "select pg_advisory_unlock(7)" },
    { "select pg_try_advisory_lock_shared(1, 2)", "select 1", "1", "select pg_advisory_unlock_all()" },
    { "listen somebody", "select count(*) from pg_listening_channels()", "1", "unlisten *" },
    { "create temp table own (a int)", "select count(*) from own", "0", "drop table own" },
    { "create temp view own as select 1", "select count(*) from own", "1", "drop view own" },
    { "create temp table own (a int)", "select count(*) from own", "0", "discard temp" },
    { "begin; declare held cursor with hold for select 5; commit", "fetch from held", "5", "close held" },
    { "prepare own as select 6", "execute own", "6", "deallocate own" },
    { "do $$ begin create temp table own (a int); end $$", "select count(*) from own", "0",
      "drop table own" },
    { "listen somebody", "select count(*) from pg_listening_channels()", "1", "discard all" },
};

static void
what_cannot_follow_keeps_its_server(void)
{
    struct weir *w = weir("");

    for (size_t i = 0; i < COUNT_OF(pinning); i++) {
        PGconn *c = weir_dial(w);

        (void)ask(c, "%s", pinning[i].begin);
        CU_ASSERT_TRUE(is_kept(w));
        SAYS(ask(c, "%s", pinning[i].check), pinning[i].answer);
        if (pinning[i].end != NULL) {
            CU_ASSERT_TRUE(is_kept(w));
            (void)ask(c, "%s", pinning[i].end);
        }
        EVENTUALLY(!is_kept(w));
        stir(w);
        PQfinish(c);
    }
}

static void
what_ends_with_its_transaction_keeps_nothing(void)
{
    static const char *const harmless[] = {
        "begin; select pg_advisory_lock(8); create temp table own (); listen a; rollback; select pg_advisory_unlock(8)",
        "begin; create temp table own (a int) on commit drop; commit",
        "select pg_advisory_xact_lock(8)",
        "begin; declare c cursor for select 1; commit",
        "begin; set local work_mem = '5MB'; commit",
        "select nextval('kept')",
    };
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    pg_ask(pg_main(), "create sequence if not exists kept; grant all on sequence kept to public");
    for (size_t i = 0; i < COUNT_OF(harmless); i++) {
        (void)ask(c, "%s", harmless[i]);
        EVENTUALLY(!is_kept(w));
    }
    PQfinish(c);
}

static void
notifications_reach_an_idle_listener(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);
    PGconn *other = weir_dial(w);
    PGnotify *n;

    SAYS(ask(c, "listen news"), "LISTEN");
    SAYS(ask(other, "notify news, 'one'"), "NOTIFY");
    EVENTUALLY((PQconsumeInput(c), (n = PQnotifies(c)) != NULL));
    SAYS(n->extra, "one");
    PQfreemem(n);
    SAYS(ask(c, "unlisten news"), "UNLISTEN");
    SAYS(ask(other, "notify news, 'two'"), "NOTIFY");
    stir(w);
    PQconsumeInput(c);
    CU_ASSERT_PTR_NULL(PQnotifies(c));
    PQfinish(c);
    PQfinish(other);
}

static void
what_a_departed_client_has_left_is_gone(void)
{
    struct weir *w = one_server();

    for (size_t i = 0; i < 2 * COUNT_OF(pinning); i++) {
        PGconn *c = weir_dial(w);
        PGconn *other;
        int first = backend(c);

        if (i % 2 == 0)
            (void)ask(c, "%s", pinning[i / 2].begin);
        else
            PQsendQuery(c, pinning[i / 2].begin);
        PQfinish(c);
        other = weir_dial(w);
        SAYS(ask(other, "select not exists (select from pg_locks where locktype = 'advisory') "
                        "and not exists (select from pg_listening_channels()) "
                        "and not exists (select from pg_prepared_statements where from_sql) "
                        "and not exists (select from pg_cursors where is_holdable) "
                        "and to_regclass('pg_temp.own') is null"),
             "t");
        CU_ASSERT_EQUAL(backend(other), first);
        PQfinish(other);
    }
}

static void
a_library_loaded_by_a_client_costs_its_server(void)
{
    struct weir *w = one_server();
    PGconn *c;
    PGconn *other;
    int first;

    pg_ask(pg_main(), "alter role app_user superuser");
    c = weir_dial(w);
    first = backend(c);
    SAYS(ask(c, "load 'auto_explain'"), "LOAD");
    CU_ASSERT_EQUAL(backend(c), first);
    PQfinish(c);
    pg_ask(pg_main(), "alter role app_user nosuperuser");
    other = weir_dial(w);
    CU_ASSERT_NOT_EQUAL(backend(other), first);
    PQfinish(other);
}

static void
too_many_pins_are_refused(void)
{
    struct weir *w = weir("max_pinned = 1\n");
    PGconn *c = weir_dial(w);
    PGconn *other = weir_dial(w);

    SAYS(ask(c, "select pg_advisory_lock(9)"), "");
    SAYS(ask(c, "listen news"), "LISTEN");
    CONTAINS(ask(other, "listen news"), "ERROR 53400 too many clients keep a server connection");
    CONTAINS(BOUND(other, "select pg_advisory_lock($1)", "10"), "ERROR 53400 too many clients");
    SAYS(ask(other, "begin"), "BEGIN");
    CONTAINS(ask(other, "create temp table own ()"), "ERROR 53400");
    CONTAINS(ask(other, "select 1"), "ERROR 25P02");
    SAYS(ask(other, "rollback"), "ROLLBACK");
    SAYS(ask(other, "select 1"), "1");
    SAYS(ask(other, "begin; create temp table own () on commit drop"), "CREATE TABLE"); /* keeps nothing */
    SAYS(ask(other, "commit"), "COMMIT");
    PQfinish(c);
    EVENTUALLY(BEGINS(ask(other, "listen news"), "LISTEN"));
    PQfinish(other);
}

/* --- sequences --- */

static void
a_sequence_tells_its_own_client_only(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "pool_mode = transaction\ndefault_pool_size = 1\nworkers = 1\nquery_wait_timeout = 20\n"
                    "sequence_pin_timeout = 1\n" });
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);

    pg_ask(pg_main(), "drop table if exists filled");
    pg_ask(pg_main(), "create table filled (id serial, x int)");
    pg_ask(pg_main(), "grant all on filled, filled_id_seq to public");
    SAYS(ask(a, "insert into filled (x) values (1)"), "INSERT 0 1");
    SAYS(ask(b, "begin"), "BEGIN");
    CONTAINS(ask(b, "select lastval()"), "ERROR 55000 currval() and lastval() cannot be told");
    SAYS(ask(b, "rollback"), "ROLLBACK");
    CONTAINS(ask(b, "select lastval()"), "ERROR 55000");
    CONTAINS(BOUND(b, "select $1 || currval('filled_id_seq')", "x"), "ERROR 55000");
    SAYS(ask(a, "begin"), "BEGIN");
    SAYS(ask(a, "insert into filled (x) values (2)"), "INSERT 0 1");
    SAYS(ask(a, "select x from filled where id = lastval()"), "2");
    SAYS(ask(a, "commit"), "COMMIT");
    CONTAINS(ask(b, "begin read only; select lastval()"), "ERROR 55000");
    SAYS(ask(b, "rollback"), "ROLLBACK");
    for (int i = 0; i < 3; i++) { /* now both have asked */
        SAYS(ask(a, "insert into filled (x) values (3)"), "INSERT 0 1");
        SAYS(ask(a, "select x from filled where id = currval('filled_id_seq')"), "3");
        SAYS(ask(b, "insert into filled (x) values (4)"), "INSERT 0 1");
        SAYS(BOUND(b, "select x from filled where id = lastval() and x < $1::int", "5"), "4");
    }
    SAYS(ask(a, "insert into filled (x) values (5)"), "INSERT 0 1");
    CONTAINS(ask(b, "select lastval()"), "ERROR 55000"); /* it has waited for a's time to end */
    PQfinish(a);
    PQfinish(b);
    pg_ask(pg_main(), "drop table filled");
}

/* The seed of one is not that of the next; within its time it goes on. */
static void
a_seed_is_its_clients_own(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "pool_mode = transaction\ndefault_pool_size = 1\nworkers = 1\nquery_wait_timeout = 60\n"
                    "sequence_pin_timeout = 60\n" });
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);
    const char *direct = pg_ask(pg_main(), "select setseed(0.25); select random()");

    SAYS(ask(a, "begin; select setseed(0.25); select random()"), direct);
    SAYS(ask(a, "select setseed(0.25)"), "");
    SAYS(ask(a, "commit"), "COMMIT");
    SAYS(ask(a, "select random()"), direct);
    SAYS(ask(a, "select setseed(0.25)"), "");
    PQfinish(a);
    CU_ASSERT_STRING_NOT_EQUAL(ask(b, "select random()"), direct);
    PQfinish(b);
}

static void
the_loss_of_a_kept_server_is_told(void)
{
    struct weir *w = weir("");
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "listen news"), "LISTEN");
    pg_ask(pg_main(), "select pg_terminate_backend(%d)", backend(c));
    EVENTUALLY(PQconsumeInput(c) == 0);
    CU_ASSERT_TRUE(weir_logged(w, "server says: FATAL 57P01"));
    PQfinish(c);
}

void
suite_state(void)
{
    static const struct test_case cases[] = {
        TEST(a_setting_stays_with_its_client),
        TEST(set_config_is_followed),
        TEST(set_config_of_a_parameter_may_have_no_value),
        TEST(a_setting_of_a_computed_name_keeps_its_server),
        TEST(a_set_that_was_refused_is_not_followed),
        TEST(what_search_path_makes_temporary_keeps_its_server),
        TEST(what_is_undone_is_undone),
        TEST(reset_leads_back_to_the_startup_packet),
        TEST(roles_are_followed),
        TEST(hostile_settings_harm_nobody),
        TEST(values_of_all_kinds_are_followed),
        TEST(row_level_security_sees_the_right_tenant),
        TEST(what_cannot_follow_keeps_its_server),
        TEST(what_ends_with_its_transaction_keeps_nothing),
        TEST(notifications_reach_an_idle_listener),
        TEST(what_a_departed_client_has_left_is_gone),
        TEST(a_library_loaded_by_a_client_costs_its_server),
        TEST(too_many_pins_are_refused),
        TEST(a_sequence_tells_its_own_client_only),
        TEST(a_seed_is_its_clients_own),
        TEST(the_loss_of_a_kept_server_is_told),
    };

    SUITE("state", cases);
}
