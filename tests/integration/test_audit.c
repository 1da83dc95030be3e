/*
 * test_audit.c - what functions and triggers leave in a session, of which no text shows anything: with
 * session_audit it reaches nobody else, and is its client's own.
 */
#include <signal.h>
#include <stdlib.h>

#include "harness.h"

void suite_audit(void);

static const char *
settings(const char *audit)
{
    return text("pool_mode = transaction\ndefault_pool_size = 1\nworkers = 1\nquery_wait_timeout = 20\n"
                "stats_users = app_user\nsession_audit = %s\n",
                audit);
}

static struct weir *
weir(const char *audit)
{
    return weir_get(&(struct weir_spec){ .settings = settings(audit) });
}

static void
reload(struct weir *w, const char *audit)
{
    weir_reload(w, &(struct weir_spec){ .settings = settings(audit) }, "reload: ");
    weir_log_forget(w);
}

/* By Parse, Bind, Execute. */
static const char *
ask_prepared(PGconn *c, const char *sql)
{
    PGresult *r = PQexecParams(c, sql, 0, NULL, NULL, NULL, NULL, 0);
    const char *told = result_text(r);

    PQclear(r);
    return told;
}

/* One function for each thing that a session can keep. */
static void
make_functions(void)
{
    static const struct {
        const char *name, *body;
    } functions[] = {
        { "custom", "perform set_config('app.hidden', 'blue', false)" },
        { "computed", "perform set_config('app' || '.computed', 'blue', false)" },
        { "plain", "set work_mem = '7MB'" },
        { "searched", "perform set_config('search_path', 'hidden, public', false)" },
        { "role", "set role app_owner" },
        { "own_table", "create temp table hidden_own (x int)" },
        { "listens", "listen hidden_news" },
        { "locks", "perform pg_advisory_lock(4711)" },
        { "prepares", "execute 'prepare hidden_plan as select 1'" },
        { "holds", "execute 'declare hidden_cursor cursor with hold for select 1'" },
        { "nothing", "perform 1" },
    };

    pg_ask(pg_main(), "drop schema if exists hidden cascade");
    pg_ask(pg_main(), "create schema hidden");
    pg_ask(pg_main(), "grant usage on schema hidden to public");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        pg_ask(
            pg_main(),
            "create function hidden.%s() returns text language plpgsql as $$begin %s; return 'done'; end$$",
            functions[i].name, functions[i].body);
}

#define STATE                                                                                                      \
    "select concat_ws(' ', nullif(current_setting('app.hidden', true), ''), "                                      \
    "nullif(current_setting('app.computed', true), ''), "                                                          \
    "current_setting('work_mem'), case when current_setting('search_path') like 'hidden%%' then 'searched' end, "  \
    "nullif(current_setting('role'), 'none'), to_regclass('pg_temp.hidden_own'), "                                 \
    "(select string_agg(c, ' ') from pg_listening_channels() c), "                                                 \
    "(select string_agg(objid::text, ' ') from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), " \
    "(select string_agg(name, ' ') from pg_prepared_statements where from_sql), "                                  \
    "(select string_agg(name, ' ') from pg_cursors where is_holdable))"

static void
what_a_function_leaves_is_its_clients_own(void)
{
    static const struct {
        const char *function, *left;
    } cases[] = {
        { "custom", "blue 4MB" },
        { "plain", "7MB" },
        { "searched", "4MB searched" },
        { "own_table", "4MB hidden_own" },
        { "listens", "4MB hidden_news" },
        { "locks", "4MB 4711" },
        { "prepares", "4MB hidden_plan" },
        { "holds", "4MB hidden_cursor" },
        { "nothing", "4MB" },
    };
    struct weir *w = weir("1");

    make_functions();
    for (int round = 0; round < 2; round++) /* the second time its text is known */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            PGconn *a = weir_dial(w);
            PGconn *b = weir_dial(w);

            SAYS(ask(a, "select hidden.%s()", cases[i].function), "done");
            if (i < 3)
                SAYS(ask(b, STATE), "4MB");
            SAYS(ask(a, STATE), cases[i].left);
            PQfinish(a);
            SAYS(ask(b, STATE), "4MB");
            PQfinish(b);
        }
}

/* A setting whose name nobody can know cannot follow; but nobody else gets it. */
static void
a_setting_of_unknown_name_reaches_nobody_else(void)
{
    struct weir *w = weir("1");
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);

    make_functions();
    SAYS(ask(a, "select hidden.computed()"), "done");
    SAYS(ask(b, STATE), "4MB");
    PQfinish(a);
    PQfinish(b);
}

static void
a_trigger_is_seen_too(void)
{
    struct weir *w = weir("1");
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);

    make_functions();
    pg_ask(pg_main(), "create table hidden.t (x int)");
    pg_ask(pg_main(), "grant all on hidden.t to public");
    pg_ask(pg_main(), "create function hidden.marks() returns trigger language plpgsql as "
                      "$$begin perform set_config('app.hidden', new.x::text, false); return new; end$$");
    pg_ask(pg_main(),
           "create trigger marks before insert on hidden.t for each row execute function hidden.marks()");
    for (int i = 1; i <= 3; i++) {
        SAYS(ask(a, "insert into hidden.t values (%d)", i), "INSERT 0 1");
        SAYS(ask(b, STATE), "4MB");
        SAYS(ask(a, "select current_setting('app.hidden')"), text("%d", i));
    }
    PQfinish(a);
    PQfinish(b);
}

static void
a_server_is_clean_though_its_client_has_died_in_a_transaction(void)
{
    struct weir *w = weir("1");
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);

    make_functions();
    SAYS(ask(a, "select hidden.locks()"), "done");
    SAYS(ask(a, "begin"), "BEGIN");
    SAYS(ask(a, "select hidden.prepares()"), "done");
    SAYS(ask(a, "select hidden.custom()"), "done");
    PQfinish(a);
    SAYS(ask(b, STATE), "4MB");
    PQfinish(b);
}

static void
hostile_settings_hide_nothing(void)
{
    static const char *const hostile[] = {
        "set search_path = pg_temp, evil, pg_catalog",
        "set lock_timeout = '1ms'",
        "set default_transaction_read_only = on",
        "set standard_conforming_strings = off",
        "set client_encoding = 'SJIS'",
        "set session characteristics as transaction isolation level serializable, read only, deferrable",
        "set bytea_output = 'escape'",
    };
    struct weir *w = weir("1");

    make_functions();
    pg_ask(pg_main(),
           "create schema if not exists evil; grant all on schema evil to public; "
           "create or replace function evil.current_setting(text, boolean) returns text language sql as "
           "$$ select 'evil' $$");
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        PGconn *a = weir_dial(w);
        PGconn *b = weir_dial(w);

        SAYS(ask(a, "%s", hostile[i]), "SET");
        SAYS(ask(a, "select hidden.custom()"), "done");
        SAYS(ask(b, STATE), "4MB");
        SAYS(ask(a, "select pg_catalog.current_setting('app.hidden', true)"), "blue");
        SAYS(ask(a, "select hidden.locks()"), "done");
        PQfinish(a);
        SAYS(ask(b, STATE), "4MB");
        PQfinish(b);
    }
    pg_ask(pg_main(), "drop schema evil cascade");
}

/* Of SHOW STATE_TOTALS, over all pools. */
static int
audit_total(const struct weir *w, int column)
{
    PGconn *console = dial(weir_port(w), "dbname=pgweir");
    PGresult *r = PQexec(console, "SHOW STATE_TOTALS");
    int sum = 0;

    for (int i = 0; i < PQntuples(r); i++)
        sum += atoi(PQgetvalue(r, i, column));
    PQclear(r);
    PQfinish(console);
    return sum;
}

/* What was there before anybody looked is nobody's. Then it is known whose doing it is, and nobody needs to look
 * any more. */
static void
what_was_learnt_is_suspected_from_then_on(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = settings("0") });
    PGconn *a = weir_dial(w);
    PGconn *b = weir_dial(w);

    make_functions();
    SAYS(ask(a, "select hidden.own_table() as \"%d\"", 1), "done");
    SAYS(ask(b, STATE), "4MB hidden_own");
    reload(w, "1");
    EVENTUALLY((ask(b, "select 1"), weir_logged(w, "what no text of theirs shows (a temporary table")));
    SAYS(ask(a, STATE), "4MB");
    SAYS(ask(a, "select hidden.own_table()"), "done");
    SAYS(ask(a, STATE), "4MB hidden_own");
    EVENTUALLY(weir_logged(w, "select hidden.own_table ()"));
    CU_ASSERT(audit_total(w, 3) >= audit_total(w, 4));
    CU_ASSERT(audit_total(w, 4) >= 2);
    CU_ASSERT_FALSE(weir_logged(w, "concat_ws"));
    PQfinish(a);
    SAYS(ask(b, STATE), "4MB");
    reload(w, "0");
    a = weir_dial(w);
    for (int i = 0; i < 3; i++) {
        SAYS(ask(b, "SELECT  hidden.own_table ( ) -- %d", i), "done");
        SAYS(ask(b, STATE), "4MB hidden_own");
        SAYS(ask(b, "discard all"), "DISCARD ALL");
        SAYS(ask(a, STATE), "4MB");
        SAYS(ask_prepared(b, "select hidden.own_table()"), "done");
        SAYS(ask(b, STATE), "4MB hidden_own");
        SAYS(ask(b, "drop table hidden_own"), "DROP TABLE");
        SAYS(ask(a, STATE), "4MB");
    }
    PQfinish(a);
    PQfinish(b);
    weir_stop(w);
}

void
suite_audit(void)
{
    CU_pSuite suite = CU_add_suite("audit", NULL, NULL);

    CU_ADD_TEST(suite, what_a_function_leaves_is_its_clients_own);
    CU_ADD_TEST(suite, a_setting_of_unknown_name_reaches_nobody_else);
    CU_ADD_TEST(suite, a_trigger_is_seen_too);
    CU_ADD_TEST(suite, a_server_is_clean_though_its_client_has_died_in_a_transaction);
    CU_ADD_TEST(suite, hostile_settings_hide_nothing);
    CU_ADD_TEST(suite, what_was_learnt_is_suspected_from_then_on);
}
