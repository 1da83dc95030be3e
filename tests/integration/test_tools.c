/*
 * test_tools.c - the programs that come with PostgreSQL work through pgweir as they do without it: psql,
 * pgbench, pg_dump and pg_restore.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"

void suite_tools(void);

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 20\n",
        .users = "migration_user = pool_mode=transaction\n",
    });
}

/* A database argument that every tool understands. */
static const char *
database(unsigned port, const char *user)
{
    return text("host=127.0.0.1 port=%u dbname=app user=%s password=%s_pw sslmode=disable", port, user, user);
}

/* What the tool printed, for the caller to free; asserts that it succeeded. */
static char *
output_of(const char *stdin_text, const char *const *words)
{
    struct buf out = { 0 };
    int code = run(&out, stdin_text, words);
    char *told;

    buf_add_u8(&out, '\0');
    told = strdup((const char *)buf_slice(&out).at);
    buf_release(&out);
    CU_ASSERT_EQUAL(code, 0);
    if (code != 0)
        fprintf(stderr, "\n    %s ended with code %d:\n%.2000s", words[0], code, told);
    return told;
}
#define OUTPUT_OF(input, ...) output_of(input, (const char *const[]){ __VA_ARGS__, NULL })

/* --- psql --- */

static void
psql_runs_a_script(void)
{
    static const char script[] = "\\set ON_ERROR_STOP 1\n"
                                 "select version();\n"
                                 "\\d pg_class\n"
                                 "select 40 + :add as sum \\gset\n"
                                 "\\echo :sum\n"
                                 "begin;\n"
                                 "create temp table t (a int, b text) on commit drop;\n"
                                 "\\copy t from pstdin\n"
                                 "1\tone\n"
                                 "2\ttwo\n"
                                 "\\.\n"
                                 "select * from t order by a;\n"
                                 "\\copy (select b, a from t order by a) to pstdout with csv header\n"
                                 "savepoint s;\n"
                                 "\\set ON_ERROR_STOP 0\n"
                                 "select * from nowhere;\n"
                                 "rollback to s;\n"
                                 "select count(*) from t;\n"
                                 "commit;\n"
                                 "do $$ begin raise notice 'seen'; end $$;\n"
                                 "\\bind 1 2\n"
                                 "\\l app\n"
                                 "\\du app_user\n"
                                 "select * from generate_series(1, 2000);\n"
                                 "\\conninfo\n";
    char *direct = OUTPUT_OF(script, "psql", "-X", "-v", "add=2", database(pg_main()->port, "app_user"));
    char *pooled = OUTPUT_OF(script, "psql", "-X", "-v", "add=2", database(weir_port(weir()), "app_user"));
    char *conninfo[] = { strstr(direct, "You are connected"), strstr(pooled, "You are connected") };

    for (size_t i = 0; i < COUNT_OF(conninfo); i++) {
        CU_ASSERT_PTR_NOT_NULL(conninfo[i]);
        if (conninfo[i] != NULL)
            *conninfo[i] = '\0'; /* it names the port */
    }
    CU_ASSERT(strlen(direct) > 10000);
    CU_ASSERT(strcmp(pooled, direct) == 0);
    free(direct);
    free(pooled);
}

/* --- pgbench --- */

/* A thread for each client: pgbench blocks while it prepares a statement, so that one client which waits for
 * a server would keep the others of its thread from ending their transactions. */
static void
pgbench_runs_clean(const char *script, const char *mode)
{
    char *told = OUTPUT_OF(NULL, "pgbench", "-n", "-c", "100", "-j", "100", "-t", "10", "-b", script, "-M",
                           mode, database(weir_port(weir()), "app_user"));

    CONTAINS(told, "number of transactions actually processed: 1000/1000");
    CONTAINS(told, "number of failed transactions: 0");
    CU_ASSERT(pg_backends(pg_main(), "app_user") <= 20);
    free(told);
}

static void
pgbench_makes_its_tables(void)
{
    free(OUTPUT_OF(NULL, "pgbench", "-i", "-q", "-s", "1",
                   text("host=%s port=%u dbname=app user=postgres", pg_main()->socket, pg_main()->port)));
}

static void
a_hundred_clients_of_pgbench_read(void)
{
    pgbench_makes_its_tables();
    pgbench_runs_clean("select-only", "simple");
    pgbench_runs_clean("select-only", "extended");
    pgbench_runs_clean("select-only", "prepared");
}

static void
a_hundred_clients_of_pgbench_write(void)
{
    pgbench_makes_its_tables();
    pgbench_runs_clean("tpcb-like", "simple");
    pgbench_runs_clean("tpcb-like", "extended");
    pgbench_runs_clean("tpcb-like", "prepared");
    SAYS(pg_ask(pg_main(), "select count(*) from pgbench_history"), "3000");
    SAYS(
        pg_ask(
            pg_main(),
            "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)"),
        "t"); /* no money was made or lost */
}

/* --- pg_dump, pg_restore --- */

static void
make_something_to_dump(void)
{
    static const char script[] =
        "set client_min_messages = warning;\n"
        "drop schema if exists dumped cascade;\n"
        "create schema dumped;\n"
        "create type dumped.mood as enum ('sad', 'ok', 'happy');\n"
        "create table dumped.people (id int primary key generated always as identity, name text not null,\n"
        "    mood dumped.mood default 'ok', born timestamptz, photo bytea, tags text[], score float8);\n"
        "insert into dumped.people (name, mood, born, photo, tags, score)\n"
        "    select E'Straße\\t' || i, (array['sad', 'ok', 'happy'])[1 + i % 3]::dumped.mood,\n"
        "        timestamptz '2020-01-01' + i * interval '1 hour', decode(md5(i::text), 'hex'), array['a', null, i::text],\n"
        "        1.0 / (i + 1) from generate_series(1, 2000) i;\n"
        "create table dumped.notes (person int references dumped.people, note text check (length(note) < 100000));\n"
        "insert into dumped.notes select id, repeat(name, 100) from dumped.people where id % 10 = 0;\n"
        "create index on dumped.notes (person);\n"
        "create view dumped.happy as select name from dumped.people where mood = 'happy';\n"
        "create function dumped.add(a int, b int) returns int language sql immutable as 'select a + b';\n"
        "comment on table dumped.people is 'it''s a \"comment\"; with everything';\n";

    free(OUTPUT_OF(script, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
                   database(pg_main()->port, "migration_user")));
}

/* Cuts out the lines with a random key that protect a dump since 2025. */
static void
cut_restrict(char *dump)
{
    for (char *at; (at = strstr(dump, "restrict ")) != NULL;) {
        char *start = at;
        char *end = at + strcspn(at, "\n");

        while (start > dump && start[-1] != '\n')
            start--;
        memmove(start, end, strlen(end) + 1);
    }
}

static char *
dump(unsigned port)
{
    char *text_of_it = OUTPUT_OF(NULL, "pg_dump", "-n", "dumped", database(port, "migration_user"));

    cut_restrict(text_of_it);
    return text_of_it;
}

static void
a_dump_is_the_same_as_a_direct_one(void)
{
    char *direct;
    char *pooled;

    make_something_to_dump();
    direct = dump(pg_main()->port);
    pooled = dump(weir_port(weir()));
    CU_ASSERT(strlen(direct) > 100000);
    CU_ASSERT(strcmp(direct, pooled) == 0);
    free(direct);
    free(pooled);
}

static void
what_was_dumped_is_restored(void)
{
    const char *file = text("%s/dump", weir_dir(weir()));
    const char *through = database(weir_port(weir()), "migration_user");
    char *before;
    char *after;

    make_something_to_dump();
    before = dump(pg_main()->port);
    free(OUTPUT_OF(NULL, "pg_dump", "-Fc", "-n", "dumped", "-f", file, through));
    SAYS(pg_ask(pg_main(), "drop schema dumped cascade"), "DROP SCHEMA");
    free(OUTPUT_OF(NULL, "pg_restore", "--exit-on-error", "-d", through, file));
    after = dump(pg_main()->port);
    CU_ASSERT(strcmp(before, after) == 0);
    free(before);
    free(after);
    unlink(file);
}

static const struct test_case cases[] = {
    TEST(psql_runs_a_script),
    TEST(a_hundred_clients_of_pgbench_read),
    TEST(a_hundred_clients_of_pgbench_write),
    TEST(a_dump_is_the_same_as_a_direct_one),
    TEST(what_was_dumped_is_restored),
};

void
suite_tools(void)
{
    SUITE("tools", cases);
}
