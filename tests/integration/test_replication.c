/*
 * test_replication.c - the replication tools of PostgreSQL work through pgweir.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"

void suite_replication(void);

static struct weir *
weir(void)
{
    (void)pg_ask(
        pg_main(),
        "do $$ begin if not exists (select from pg_roles where rolname = 'repl_user') then "
        "create role repl_user login replication password 'repl_user_pw'; grant connect on database app to repl_user; end if; end $$");
    return weir_get(&(struct weir_spec){
        .settings = "max_user_connections = 3\nclient_login_timeout = 10\n",
        .databases = "app = host=127.0.0.1 port=$PORT\n"
                     "replication = host=127.0.0.1 port=$PORT\n", /* what physical replication asks for */
        .userlist = "\"repl_user\" \"repl_user_pw\"\n\"app_user\" \"app_user_pw\"\n",
    });
}

static const char *
database(void)
{
    return text("host=127.0.0.1 port=%u dbname=app user=repl_user password=repl_user_pw sslmode=disable",
                weir_port(weir()));
}

static void
succeeds(const char *const *words)
{
    struct buf out = { 0 };
    int code = run(&out, NULL, words);

    CU_ASSERT_EQUAL(code, 0);
    if (code != 0)
        fprintf(stderr, "\n    %s ended with code %d:\n%.*s", words[0], code, (int)buf_len(&out),
                (const char *)buf_slice(&out).at);
    buf_release(&out);
}
#define SUCCEEDS(...) succeeds((const char *const[]){ __VA_ARGS__, NULL })

static void
pg_basebackup_copies_the_cluster(void)
{
    const char *dir = text("%s/backup", run_dir());
    char *version;

    SUCCEEDS("pg_basebackup", "-c", "fast", "-D", dir, "-d", database()); /* two connections: data and WAL */
    version = file_text(text("%s/PG_VERSION", dir));
    CU_ASSERT(strlen(version) > 0);
    free(version);
    EVENTUALLY(pg_backends(pg_main(), "repl_user") == 0);
}

static void
pg_recvlogical_receives_changes(void)
{
    const char *file = text("%s/changes", run_dir());
    char *changes;

    SUCCEEDS("pg_recvlogical", "-d", database(), "-S", "pgweir_test", "-P", "test_decoding", "--create-slot");
    (void)pg_ask(pg_main(), "create table replicated (a int)");
    (void)pg_ask(pg_main(), "insert into replicated select 4711");
    SUCCEEDS("pg_recvlogical", "-d", database(), "-S", "pgweir_test", "--start", "--no-loop", "-f", file,
             "-E", pg_ask(pg_main(), "select pg_current_wal_lsn()"));
    SUCCEEDS("pg_recvlogical", "-d", database(), "-S", "pgweir_test", "--drop-slot");
    changes = file_text(file);
    CONTAINS(changes, "replicated: INSERT: a[integer]:4711");
    free(changes);
    (void)pg_ask(pg_main(), "drop table replicated");
}

static void
pg_receivewal_receives_wal(void)
{
    const char *dir = text("%s/wal", run_dir());
    const char *end = text("%s", pg_ask(pg_main(), "select pg_current_wal_lsn()"));
    const char *segment = text("%s", pg_ask(pg_main(), "select pg_walfile_name('%s')", end));

    SUCCEEDS("mkdir", dir);
    (void)pg_ask(pg_main(), "select pg_logical_emit_message(false, 'test', 'one more record')");
    SUCCEEDS("pg_receivewal", "-d", database(), "-D", dir, "--no-loop", "-E", end);
    CU_ASSERT(access(text("%s/%s.partial", dir, segment), F_OK) == 0);
}

void
suite_replication(void)
{
    CU_pSuite suite = CU_add_suite("replication", NULL, NULL);

    CU_ADD_TEST(suite, pg_basebackup_copies_the_cluster);
    CU_ADD_TEST(suite, pg_recvlogical_receives_changes);
    CU_ADD_TEST(suite, pg_receivewal_receives_wal);
}
