/*
 * test_prepared.c - prepared statements of ordinary clients, while the schema changes under them: through
 * pgweir, and around it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "raw.h"
#include "script.h"

void suite_prepared(void);

static struct weir *
weir(const char *settings)
{
    return weir_get(&(struct weir_spec){ .settings = settings });
}

static const char *const two_servers = "default_pool_size = 2\nworkers = 2\n";

/* --- how clients use them --- */

static const char *
prepare(PGconn *c, const char *name, const char *sql)
{
    return PQsendPrepare(c, name, sql, 0, NULL) == 1 ? answer(c) : text("LOST %s", PQerrorMessage(c));
}

/* With a Describe of the portal, as libpq does. */
static const char *
run(PGconn *c, const char *name)
{
    return PQsendQueryPrepared(c, name, 0, NULL, NULL, NULL, 0) == 1 ? answer(c)
                                                                     : text("LOST %s", PQerrorMessage(c));
}

static const char *
run_with(PGconn *c, const char *name, const char *value)
{
    return PQsendQueryPrepared(c, name, 1, &value, NULL, NULL, 0) == 1 ? answer(c)
                                                                       : text("LOST %s", PQerrorMessage(c));
}

/* The columns of what NAME returns, as it is told by Describe; -1: it is refused. */
static int
columns(PGconn *c, const char *name)
{
    PGresult *r;
    int count = -1;

    CU_ASSERT_EQUAL(PQsendDescribePrepared(c, name), 1);
    while ((r = PQgetResult(c)) != NULL) {
        if (PQresultStatus(r) == PGRES_COMMAND_OK)
            count = PQnfields(r);
        PQclear(r);
    }
    return count;
}

/* Each of two clients uses NAME on each of two servers. */
static void
spread(PGconn *one, PGconn *two, const char *name, const char *expected)
{
    PGconn *both[] = { one, two };

    for (unsigned i = 0; i < 2; i++) {
        SAYS(ask(both[i], "begin"), "BEGIN");
        SAYS(run(both[1 - i], name), expected);
        SAYS(run(both[i], name), expected);
        SAYS(ask(both[i], "commit"), "COMMIT");
    }
}

struct scene {
    struct weir *weir;
    PGconn *one, *two;
    PGconn *through; /* who changes the schema through pgweir */
    PGconn *around;  /* and directly */
};

static struct scene
scene(const char *settings)
{
    struct scene s = { .weir = weir(settings) };

    s.one = weir_dial(s.weir);
    s.two = weir_dial(s.weir);
    s.through = weir_dial_as(s.weir, "migration_user");
    s.around = dial(pg_main()->port, "user=migration_user password=migration_user_pw");
    SAYS(ask(s.around, "drop table if exists healed; create table healed (a int, b text);"
                       "insert into healed values (1, 'x')"),
         "INSERT 0 1");
    return s;
}

static void
scene_end(struct scene *s)
{
    SAYS(ask(s->around, "drop table if exists healed"), "DROP TABLE");
    PQfinish(s->one);
    PQfinish(s->two);
    PQfinish(s->through);
    PQfinish(s->around);
}

/* --- changes that nobody notices --- */

static const char *const changes[] = {
    "alter table healed add column c int default 7",
    "alter table healed drop column b",
    "alter table healed alter column a type bigint",
    "begin; drop table healed; create table healed (a numeric, d date); insert into healed values (1); commit",
};

static void
select_star_outlives_changes_that_pass_through(void)
{
    struct scene s = scene(two_servers);

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(prepare(s.two, "q", "select * from healed"), "");
    spread(s.one, s.two, "q", "1");
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        (void)ask(s.through, "%s", changes[i]);
        spread(s.one, s.two, "q", "1");
    }
    scene_end(&s);
}

static void
select_star_outlives_changes_around_us(void)
{
    struct scene s = scene(two_servers);

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(prepare(s.two, "q", "select * from healed"), "");
    spread(s.one, s.two, "q", "1");
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        (void)ask(s.around, "%s", changes[i]);
        SAYS(run(s.one, "q"), "1"); /* the first one finds out */
        spread(s.one, s.two, "q", "1");
    }
    scene_end(&s);
}

/* Parse, Bind, Describe, Execute and Sync in one go, as drivers do at the first use of a named statement. */
static const char *
prepare_and_run(PGconn *c, const char *name, const char *sql)
{
    const char *said;
    PGresult *r;

    CU_ASSERT_EQUAL(PQenterPipelineMode(c), 1);
    CU_ASSERT_EQUAL(PQsendPrepare(c, name, sql, 0, NULL), 1);
    CU_ASSERT_EQUAL(PQsendQueryPrepared(c, name, 0, NULL, NULL, NULL, 0), 1);
    CU_ASSERT_EQUAL(PQpipelineSync(c), 1);
    said = answer(c);
    CU_ASSERT_STRING_EQUAL(said, "");
    said = answer(c);
    r = PQgetResult(c);
    CU_ASSERT_EQUAL(PQresultStatus(r), PGRES_PIPELINE_SYNC);
    PQclear(r);
    CU_ASSERT_EQUAL(PQexitPipelineMode(c), 1);
    return said;
}

/* The server holds the text already, so that the Parse is answered by pgweir and the Bind is what fails. */
static void
the_first_use_of_a_known_text_outlives_changes_around_us(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");
    const char *sql = "select * from healed";

    SAYS(prepare(s.one, "q", sql), "");
    SAYS(run(s.one, "q"), "1");
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        (void)ask(s.around, "%s", changes[i]);
        SAYS(prepare_and_run(s.two, text("q%zu", i), sql), "1");
        SAYS(run(s.two, text("q%zu", i)), "1");
        SAYS(run(s.one, "q"), "1");
    }
    scene_end(&s);
}

/* --- changes that a client must learn of --- */

static void
who_asks_for_the_result_is_told_the_new_one(void)
{
    struct scene s = scene(two_servers);
    const char *sql = "select * from healed";

    for (int is_around = 0; is_around < 2; is_around++) {
        PGconn *ddl = is_around ? s.around : s.through;
        const char *name = is_around ? "around" : "through";
        int before;

        SAYS(prepare(s.one, name, sql), "");
        before = columns(s.one, name);
        SAYS(ask(ddl, "alter table healed add column c%d int", is_around), "ALTER TABLE");
        CU_ASSERT_EQUAL(columns(s.one, name), before + 1);
        SAYS(run(s.one, name), "1");
    }
    scene_end(&s);
}

/* The client stays on its server for the statement's sake, and each EXECUTE comes while the server is asked
 * for that. */
static void
sql_statements_of_a_session_that_keeps_its_server_are_executed(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");

    SAYS(ask(s.one, "prepare mine as select 3 + $1::int"), "PREPARE");
    SAYS(ask(s.one, "execute mine(3)"), "6");
    SAYS(ask(s.one, "execute mine(4)"), "7");
    SAYS(ask(s.one, "deallocate mine"), "DEALLOCATE");
    SAYS(ask(s.one, "execute mine(5)"), "ERROR 26000 prepared statement \"mine\" does not exist");
    scene_end(&s);
}

static void
in_a_transaction_the_next_one_is_healthy(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.one, "begin"), "BEGIN");
    SAYS(ask(s.around, "alter table healed add column c int"), "ALTER TABLE");
    SAYS(run(s.one, "q"), "ERROR 0A000 cached plan must not change result type");
    SAYS(ask(s.one, "rollback"), "ROLLBACK");
    SAYS(ask(s.one, "begin"), "BEGIN");
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.one, "commit"), "COMMIT");
    scene_end(&s);
}

static void
a_transaction_that_begins_after_a_change_is_not_poisoned(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.through, "alter table healed add column c int"), "ALTER TABLE");
    SAYS(ask(s.one, "begin"), "BEGIN");
    SAYS(ask(s.one, "insert into healed values (2, 'y')"), "INSERT 0 1");
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.one, "commit"), "COMMIT");
    SAYS(ask(s.one, "select count(*) from healed"), "2");
    scene_end(&s);
}

static void
a_parameter_gets_the_type_that_its_column_has_now(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");

    SAYS(prepare(s.one, "q", "select a from healed where a = $1"), "");
    SAYS(run_with(s.one, "q", "1"), "1");
    SAYS(ask(s.through, "alter table healed alter column a type text"), "ALTER TABLE");
    SAYS(prepare(s.two, "mine", "select a from healed where a = $1"), "");
    SAYS(run_with(s.two, "mine", "none"), "no rows");
    SAYS(run_with(s.two, "mine", "1"), "1");
    SAYS(run_with(s.one, "q", "1"), "1");
    scene_end(&s);
}

static void
a_statement_without_its_table_fails_and_comes_back(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\n");

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.through, "drop table healed"), "DROP TABLE");
    SAYS(run(s.one, "q"), "ERROR 42P01 relation \"healed\" does not exist");
    SAYS(ask(s.through, "create table healed (x text)"), "CREATE TABLE");
    SAYS(ask(s.through, "insert into healed values ('back')"), "INSERT 0 1");
    SAYS(run(s.one, "q"), "back");
    scene_end(&s);
}

/* --- under load --- */

#define CROWD 12
#define ROUNDS 40

static void
a_crowd_does_not_notice_changes(void)
{
    struct scene s = scene("default_pool_size = 4\nworkers = 2\n");
    PGconn *crowd[CROWD];

    for (int i = 0; i < CROWD; i++) {
        crowd[i] = weir_dial(s.weir);
        SAYS(prepare(crowd[i], "q", i % 2 == 0 ? "select * from healed" : "select * from healed where a > 0"),
             "");
    }
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 8 == 3)
            SAYS(ask(round % 16 == 3 ? s.around : s.through, "alter table healed add column c%d int", round),
                 "ALTER TABLE");
        for (int i = 0; i < CROWD; i++)
            CU_ASSERT_EQUAL(PQsendQueryPrepared(crowd[i], "q", 0, NULL, NULL, NULL, 0), 1);
        for (int i = 0; i < CROWD; i++)
            SAYS(answer(crowd[i]), "1");
    }
    for (int i = 0; i < CROWD; i++)
        PQfinish(crowd[i]);
    scene_end(&s);
}

/* --- SQL that names what was prepared in the protocol --- */

/* What is said on both, each time with `x`, `y` and `Mixed Case` prepared. */
static const char *const namings[] = {
    "deallocate x",
    "DEALLOCATE PREPARE X",
    "deallocate \"Mixed Case\"",
    "deallocate \"x\"",
    "deallocate /* why; */ x -- so\n",
    "select 1; deallocate x; select 2",
    "deallocate x; deallocate y; deallocate \"Mixed Case\"",
    "deallocate x; deallocate x",
    "deallocate x; selec",
    "deallocate x; select 1 / 0",
    "select 1 / 0; deallocate x",
    "begin; deallocate x; rollback",
    "begin; select 1 / 0; deallocate x; rollback",
    "begin; deallocate x; select 1 / 0",
    "rollback",
    "deallocate nobody",
    "deallocate pgweir_1",
    "execute pgweir_1",
    "execute x",
    "execute y (1)",
    "execute x; deallocate x",
    "deallocate x; execute x",
    "execute x (1)",
    "prepare x as select 2",
    "deallocate x; prepare x as select 3; execute x; deallocate x",
    "prepare pgweir_7 as select 'own'; execute pgweir_7; deallocate pgweir_7",
    "explain (costs off) execute x",
    "select 'deallocate x'",
    "deallocate all",
    "select 'a'; deallocate all; select 'b'",
    "discard all",
    "deallocate \"unterminated",
};

static const char *
run_extended(PGconn *c, const char *sql)
{
    return PQsendQueryParams(c, sql, 0, NULL, NULL, NULL, NULL, 0) == 1 ? answer(c)
                                                                        : text("LOST %s", PQerrorMessage(c));
}

/* All that NAMING does, in one text. */
static const char *
story(PGconn *c, const char *naming, bool is_extended)
{
    const char *told = text("%s %s", prepare(c, "x", "select 'x'"), prepare(c, "y", "select $1 + 0"));

    told = text("%s %s", told, prepare(c, "Mixed Case", "select 'mixed'"));
    told = text("%s: %s", told, is_extended ? run_extended(c, naming) : ask(c, "%s", naming));
    told = text("%s, x %s", told, run(c, "x"));
    told = text("%s, y %s", told, run_with(c, "y", "5"));
    told = text("%s, mixed %s", told, run(c, "Mixed Case"));
    return text("%s, again %s %s", told, prepare(c, "x", "select 'again'"), run(c, "x"));
}

static void
namings_mean_what_they_mean_directly(bool is_extended)
{
    struct weir *w = weir("default_pool_size = 1\nworkers = 1\n");

    for (size_t i = 0; i < COUNT_OF(namings); i++) {
        PGconn *direct, *through, *other;

        if (is_extended && strstr(namings[i], "pgweir_") != NULL) /* errors tell another name there */
            continue;
        direct = dial(pg_main()->port, NULL);
        through = weir_dial(w);
        other = weir_dial(w);

        SAYS(prepare(other, "x", "select 'x'"), "");
        SAYS(story(through, namings[i], is_extended), story(direct, namings[i], is_extended));
        if (PQtransactionStatus(through) == PQTRANS_IDLE)
            SAYS(run(other, "x"), "x");
        PQfinish(direct);
        PQfinish(through);
        PQfinish(other);
    }
}

static void
deallocate_and_execute_find_what_was_prepared_in_the_protocol(void)
{
    namings_mean_what_they_mean_directly(false);
}

static void
so_they_do_in_the_extended_protocol(void)
{
    namings_mean_what_they_mean_directly(true);
}

static void
a_prepared_deallocate_can_be_used_again(void)
{
    struct weir *w = weir("default_pool_size = 2\nworkers = 1\n");
    PGconn *c = weir_dial(w);

    SAYS(prepare(c, "x", "select 1"), "");
    SAYS(prepare(c, "away", "deallocate x"), "");
    SAYS(run(c, "away"), "DEALLOCATE");
    SAYS(run(c, "away"), "ERROR 26000 prepared statement \"x\" does not exist");
    SAYS(prepare(c, "x", "select 2"), "");
    SAYS(run(c, "x"), "2");
    SAYS(run(c, "away"), "DEALLOCATE");
    SAYS(run(c, "x"), "ERROR 26000 prepared statement \"x\" does not exist");
    PQfinish(c);
}

/* --- very many --- */

#define AT_ONCE 250u

/* COUNT texts that nobody has said before, parsed as NAME (with their number in place of a # at its end), and closed again where SHALL_CLOSE. How
 * many were accepted. */
static unsigned
parse_many(struct raw *r, const char *name, unsigned count, bool shall_close)
{
    struct buf out = { 0 };
    unsigned accepted = 0;

    for (unsigned i = 0; i < count; i++) {
        const char *called = strchr(name, '#') == NULL ? name
                                                       : text("%.*s%u", (int)strcspn(name, "#"), name, i);

        script_add(&out, text("P %s select %u as text_of_a_client_that_says_nothing_twice", called, i));
        if (shall_close)
            script_add(&out, text("C S %s", called));
        script_add(&out, "S");
        if (i % AT_ONCE != AT_ONCE - 1 && i + 1 < count)
            continue;
        CU_ASSERT(raw_send_buf(r, &out));
        for (unsigned n = i % AT_ONCE + 1; n > 0;) {
            int type = raw_message(r);

            accepted += type == '1';
            n -= type == 'Z';
            if (type == RAW_GONE || type == RAW_SILENCE)
                return accepted;
        }
    }
    return accepted;
}

static unsigned
texts_from_env(void)
{
    const char *value = getenv("PGWEIR_TEST_TEXTS");

    return value != NULL ? (unsigned)strtoul(value, NULL, 10) : WORK(20000u);
}

static int
registry_bytes(PGconn *console)
{
    PGresult *r = PQexec(console, "SHOW MEM");
    int at = PQfnumber(r, "memtotal"), bytes = -1;

    for (int i = 0; i < PQntuples(r) && at >= 0; i++)
        if (strcmp(PQgetvalue(r, i, 0), "statement_cache") == 0)
            bytes = number(PQgetvalue(r, i, at));
    PQclear(r);
    return bytes;
}

static int
total(PGconn *console, const char *column)
{
    PGresult *r = PQexec(console, "SHOW PREPARED_TOTALS");
    int at = PQfnumber(r, column), count = -1;

    for (int i = 0; i < PQntuples(r) && at >= 0; i++)
        if (strcmp(PQgetvalue(r, i, 1), "app_user") == 0)
            count = number(PQgetvalue(r, i, at));
    PQclear(r);
    return count;
}

static void
what_becomes_of_prepared_statements_is_counted(void)
{
    struct scene s = scene("default_pool_size = 1\nworkers = 1\nmax_prepared_statements = 2\n"
                           "admin_users = app_user\n");
    PGconn *console = dial(weir_port(s.weir), "dbname=pgbouncer");

    SAYS(prepare(s.one, "q", "select * from healed"), "");
    SAYS(prepare(s.two, "q", "select * from healed"), ""); /* the server has it */
    for (int i = 0; i < 5; i++)
        SAYS(run(s.one, "q"), "1");
    CU_ASSERT_EQUAL(total(console, "client_parse_count"), 2);
    CU_ASSERT_EQUAL(total(console, "server_parse_count"), 1);
    CU_ASSERT_EQUAL(total(console, "bind_count"), 5);
    CU_ASSERT_EQUAL(total(console, "hits"), 5);
    CU_ASSERT_EQUAL(total(console, "evictions"), 0);
    CU_ASSERT_EQUAL(total(console, "heals"), 0);
    SAYS(prepare(s.one, "r", "select 2"), "");
    SAYS(prepare(s.one, "s", "select 3"), "");
    CU_ASSERT_EQUAL(total(console, "evictions"), 1);
    SAYS(run(s.one, "q"), "1");
    SAYS(ask(s.around, "alter table healed add column c int"), "ALTER TABLE");
    SAYS(run(s.one, "q"), "1");
    CU_ASSERT_EQUAL(total(console, "heals"), 1);
    PQfinish(console);
    scene_end(&s);
}

/* The registry is bounded by its bytes, a server by its number of statements, and what nobody has is forgotten. */
static void
distinct_texts_without_end_cost_no_memory(void)
{
    struct weir *w = weir("default_pool_size = 1\nworkers = 1\nprepared_statements_memory = 1MB\n"
                          "max_prepared_statements = 50\nadmin_users = app_user\n");
    PGconn *console = dial(weir_port(w), "dbname=pgbouncer");
    struct raw *r = raw_open(weir_port(w));
    unsigned count = texts_from_env();
    unsigned before_kb;

    CU_ASSERT_EQUAL(parse_many(r, "mine", 1, false), 1); /* it stays the client's */
    CU_ASSERT_EQUAL(parse_many(r, "warm", 2000, true), 2000);
    before_kb = weir_rss_kb(w);
    CU_ASSERT_EQUAL(parse_many(r, "name#", count, true), count);
    CU_ASSERT_EQUAL(parse_many(r, "-", count, false), count);
    if (!HARNESS_SANITIZED)
        CU_ASSERT(weir_rss_kb(w) < before_kb + 4096);
    CU_ASSERT(registry_bytes(console) > 0 && registry_bytes(console) <= 1024 * 1024);
    CU_ASSERT_EQUAL(parse_many(r, "mine", 1, false), 0); /* in use, still */
    SAYS(raw_error(r)->sqlstate, "42P05");
    raw_close(r);
    PQfinish(console);
}

static void
a_client_has_ten_thousand_names_and_no_more(void)
{
    struct weir *w = weir("default_pool_size = 1\nworkers = 1\n");
    struct raw *r = raw_open(weir_port(w));

    CU_ASSERT_EQUAL(parse_many(r, "n#", 10200, false), 10000);
    SAYS(raw_error(r)->sqlstate, "53400");
    CU_ASSERT_EQUAL(parse_many(r, "n#", 1, true), 0);
    SAYS(raw_error(r)->sqlstate, "42P05");
    CU_ASSERT_EQUAL(parse_many(r, "-", 1, false), 1);
    raw_close(r);
}

static const struct test_case cases[] = {
    TEST(select_star_outlives_changes_that_pass_through),
    TEST(select_star_outlives_changes_around_us),
    TEST(the_first_use_of_a_known_text_outlives_changes_around_us),
    TEST(who_asks_for_the_result_is_told_the_new_one),
    TEST(sql_statements_of_a_session_that_keeps_its_server_are_executed),
    TEST(in_a_transaction_the_next_one_is_healthy),
    TEST(a_transaction_that_begins_after_a_change_is_not_poisoned),
    TEST(a_parameter_gets_the_type_that_its_column_has_now),
    TEST(a_statement_without_its_table_fails_and_comes_back),
    TEST(deallocate_and_execute_find_what_was_prepared_in_the_protocol),
    TEST(so_they_do_in_the_extended_protocol),
    TEST(a_prepared_deallocate_can_be_used_again),
    TEST(a_crowd_does_not_notice_changes),
    TEST(what_becomes_of_prepared_statements_is_counted),
    TEST(distinct_texts_without_end_cost_no_memory),
    TEST(a_client_has_ten_thousand_names_and_no_more),
};

void
suite_prepared(void)
{
    SUITE("prepared", cases);
}
