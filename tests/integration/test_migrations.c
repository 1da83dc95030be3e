/*
 * test_migrations.c - tools that migrate a schema under a session-level advisory lock, several of them at
 * once: one works at a time, the others wait their turn or are told no, all end, and programs go on
 * meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_migrations(void);

#define RUNNERS 3
#define STEPS 3

/* What a tool does on its one connection. */
struct tool {
    const char *name;
    const char *begin[3]; /* after it has connected */
    const char *lock;     /* waits for it, or tells f when another has it */
    const char *unlock;
    bool is_prepared; /* by Parse, Bind, Execute */
};

static const struct tool tools[] = {
    { .name = "Prisma",
      .begin = { "SELECT version()" },
      .lock = "SELECT pg_advisory_lock(72707369)",
      .unlock = "SELECT pg_advisory_unlock(72707369)",
      .is_prepared = true },
    { .name = "golang-migrate",
      .begin = { "SELECT CURRENT_DATABASE()", "SELECT CURRENT_SCHEMA()" },
      .lock = "SELECT pg_advisory_lock($1)",
      .unlock = "SELECT pg_advisory_unlock($1)",
      .is_prepared = true },
    { .name = "Rails",
      .begin = { "SET client_min_messages TO 'warning'", "SET standard_conforming_strings = on",
                 "SHOW max_identifier_length" },
      .lock = "SELECT pg_try_advisory_lock(2053462845)",
      .unlock = "SELECT pg_advisory_unlock(2053462845)" },
    { .name = "Flyway",
      .begin = { "SET extra_float_digits = 3", "SET application_name = 'flyway'" },
      .lock = "SELECT pg_try_advisory_lock(77431708279161)",
      .unlock = "SELECT pg_advisory_unlock(77431708279161)" },
};

enum stage { LOCKING, STEPPING, UNLOCKING, DONE };

struct runner {
    const struct tool *tool;
    PGconn *c;
    enum stage stage;
    unsigned step;
};

struct race {
    struct runner runners[RUNNERS];
    int holder; /* who has the lock; -1: nobody */
};

static void
send(struct runner *r, const char *sql)
{
    static const char *const key[] = { "4711081542" };
    bool has_key = strstr(sql, "$1") != NULL;

    if (r->tool->is_prepared)
        PQsendQueryParams(r->c, sql, has_key ? 1 : 0, NULL, has_key ? key : NULL, NULL, NULL, 0);
    else
        PQsendQuery(r->c, sql);
}

/* Each step is applied once, by whoever comes first. */
static const char *
step_sql(const struct runner *r)
{
    switch (r->step % 3) {
    case 0:
        return "create table if not exists migrations.migrated (step int primary key)";
    case 1:
        return text(
            "insert into migrations.migrated select max(step) + 1 from (select 0 as step union all select step from "
            "migrations.migrated) m having max(step) < 2");
    default:
        return "alter table migrations.migrated add column if not exists more int";
    }
}

static void
go_on(struct race *race, int i)
{
    struct runner *r = &race->runners[i];
    const char *told = answer(r->c);

    switch (r->stage) {
    case LOCKING:
        if (strcmp(told, "f") == 0) {
            send(r, r->tool->lock); /* again, as Flyway does; Rails tells its user to */
            return;
        }
        CU_ASSERT_TRUE(strcmp(told, "") == 0 || strcmp(told, "t") == 0);
        CU_ASSERT_EQUAL(race->holder, -1);
        race->holder = i;
        r->stage = STEPPING;
        send(r, step_sql(r));
        return;
    case STEPPING:
        CU_ASSERT_EQUAL(race->holder, i);
        CU_ASSERT_FALSE(BEGINS(told, "ERROR"));
        if (++r->step < STEPS) {
            send(r, step_sql(r));
            return;
        }
        race->holder = -1; /* before the server says so: the next one may be told first */
        r->stage = UNLOCKING;
        send(r, r->tool->unlock);
        return;
    case UNLOCKING:
        SAYS(told, "t");
        r->stage = DONE;
        return;
    case DONE:
        return;
    }
}

static bool
is_over(const struct race *race)
{
    for (unsigned i = 0; i < RUNNERS; i++)
        if (race->runners[i].stage != DONE)
            return false;
    return true;
}

static void
race_of(struct weir *w, const struct tool *tool)
{
    struct race race = { .holder = -1 };
    PGconn *program = weir_dial(w);
    struct patience patience = patience_new();

    pg_ask(pg_main(), "drop schema if exists migrations cascade");
    pg_ask(pg_main(), "create schema migrations authorization app_user");
    for (int i = 0; i < RUNNERS; i++) {
        struct runner *r = &race.runners[i];

        *r = (struct runner){ .tool = tool, .c = weir_dial(w) };
        for (unsigned b = 0; b < COUNT_OF(tool->begin) && tool->begin[b] != NULL; b++)
            CU_ASSERT_FALSE(BEGINS(ask(r->c, "%s", tool->begin[b]), "ERROR"));
    }
    for (int i = 0; i < RUNNERS; i++)
        send(&race.runners[i], tool->lock);
    PQsendQuery(program, "select 1");
    do {
        for (int i = 0; i < RUNNERS; i++) {
            struct runner *r = &race.runners[i];

            if (r->stage != DONE && PQconsumeInput(r->c) == 1 && !PQisBusy(r->c))
                go_on(&race, i);
        }
        if (PQconsumeInput(program) == 1 && !PQisBusy(program)) {
            SAYS(answer(program), "1");
            PQsendQuery(program, "select 1");
        }
    } while (!is_over(&race) && patience_nap(&patience));
    CU_ASSERT_TRUE(is_over(&race));
    SAYS(answer(program), "1");
    SAYS(ask(program, "select string_agg(step::text, ',' order by step) from migrations.migrated"), "1,2");
    for (int i = 0; i < RUNNERS; i++) {
        SAYS(ask(race.runners[i].c, "select count(*) from pg_locks where locktype = 'advisory'"), "0");
        PQfinish(race.runners[i].c);
    }
    PQfinish(program);
}

static void
runners_race_for_one_lock(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings =
            "pool_mode = transaction\ndefault_pool_size = 2\nworkers = 1\nquery_wait_timeout = 60\n" });

    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        race_of(w, &tools[i]);
}

/* The second one does not wait for a lock: it waits for a server, and gets it. */
static void
runners_race_on_a_single_server(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings =
            "pool_mode = transaction\ndefault_pool_size = 1\nworkers = 1\nquery_wait_timeout = 60\n" });

    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        race_of(w, &tools[i]);
}

static void
a_runner_beyond_the_limit_is_told_so(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "pool_mode = transaction\ndefault_pool_size = 2\nworkers = 1\nmax_pinned = 1\n" });
    PGconn *first = weir_dial(w);
    PGconn *second = weir_dial(w);

    SAYS(ask(first, "select pg_advisory_lock(72707369)"), "");
    CONTAINS(ask(second, "select pg_advisory_lock(72707369)"), "ERROR 53400 too many clients keep a server");
    SAYS(ask(second, "select 1"), "1");
    SAYS(ask(first, "select pg_advisory_unlock(72707369)"), "t");
    EVENTUALLY(strcmp(ask(second, "select pg_advisory_lock(72707369)"), "") == 0);
    SAYS(ask(second, "select pg_advisory_unlock(72707369)"), "t");
    PQfinish(first);
    PQfinish(second);
}

/* A tool that is killed in the middle leaves its lock to the next one. */
static void
a_runner_that_dies_leaves_its_lock(void)
{
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "pool_mode = transaction\ndefault_pool_size = 2\nworkers = 1\n" });
    PGconn *first = weir_dial(w);
    PGconn *second = weir_dial(w);

    SAYS(ask(first, "select pg_advisory_lock(72707369)"), "");
    SAYS(ask(first, "begin"), "BEGIN");
    PQsendQuery(second, "select pg_advisory_lock(72707369)");
    PQfinish(first);
    SAYS(answer(second), "");
    SAYS(ask(second, "select pg_advisory_unlock(72707369)"), "t");
    PQfinish(second);
}

void
suite_migrations(void)
{
    static const struct test_case cases[] = {
        TEST(runners_race_for_one_lock),
        TEST(runners_race_on_a_single_server),
        TEST(a_runner_beyond_the_limit_is_told_so),
        TEST(a_runner_that_dies_leaves_its_lock),
    };

    SUITE("migrations", cases);
}
