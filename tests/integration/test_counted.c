/*
 * test_counted.c - what the console tells of prepared statements is what PostgreSQL has seen. Its word is its log, which with log_min_messages =
 * debug2 has a line for each Parse and Bind, and for each stale plan.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "machine.h"

void suite_counted(void);

#define CLIENTS 3u
#define NAMES 6u /* of each client, the same texts for all; the last is of the table that changes */

struct count {
    PGconn *clients[CLIENTS];
    PGconn *console;
    PGconn *around; /* changes the table, unseen */
    unsigned prepared, used, asked;
    size_t log_mark;
};

static char *
log_text(void)
{
    return file_text(text("%s/log", pg_main()->dir));
}

/* Lines of the log since the test began that have PART. */
static int
logged(const struct count *k, const char *part)
{
    char *log = log_text();
    int count = 0;

    for (const char *at = log + k->log_mark; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    free(log);
    return count;
}

/* Of what clients have prepared: the stand-ins that they deallocate are not counted. */
static int
server_parses(const struct count *k)
{
    return logged(k, "DEBUG:  parse pgweir_") - logged(k, "DEBUG:  parse pgweir_gone_");
}

/* COLUMN of the row whose first column says "counted". */
static int
told(const struct count *k, const char *show, const char *column)
{
    PGresult *r = PQexec(k->console, show);
    int at = PQfnumber(r, column), value = -1;

    for (int i = 0; i < PQntuples(r) && at >= 0; i++)
        if (strcmp(PQgetvalue(r, i, 0), "counted") == 0)
            value = number(PQgetvalue(r, i, at));
    PQclear(r);
    return value;
}

/* All rows of COLUMN of SHOW PREPARED together. */
static int
held(const struct count *k, const char *column)
{
    PGresult *r = PQexec(k->console, "SHOW PREPARED");
    int at = PQfnumber(r, column), sum = at < 0 ? -1 : 0;

    for (int i = 0; i < PQntuples(r) && at >= 0; i++)
        sum += number(PQgetvalue(r, i, at));
    PQclear(r);
    return sum;
}

static const char *
name_of(unsigned name)
{
    return text("name %u", name);
}

static void
prepare(struct count *k, unsigned client, unsigned name)
{
    const char *sql = name + 1 == NAMES ? "select * from changing" : text("select %u", name);

    CU_ASSERT_EQUAL(PQsendPrepare(k->clients[client], name_of(name), sql, 0, NULL), 1);
    SAYS(answer(k->clients[client]), "");
    k->prepared++;
    k->asked++;
}

static void
use(struct count *k, unsigned client, unsigned name)
{
    CU_ASSERT_EQUAL(PQsendQueryPrepared(k->clients[client], name_of(name), 0, NULL, NULL, NULL, 0), 1);
    SAYS(answer(k->clients[client]), name + 1 == NAMES ? "1" : text("%u", name));
    k->used++;
    k->asked++;
}

static void
say(struct count *k, unsigned client, const char *sql, const char *expected)
{
    SAYS(ask(k->clients[client], "%s", sql), expected);
    k->asked++;
}

static struct count
count_begin(void)
{
    struct count k = { 0 };
    struct weir *w;
    char *log;

    SAYS(pg_ask(pg_main(), "create database counted owner migration_user"), "CREATE DATABASE");
    SAYS(pg_ask(pg_main(), "alter database counted set log_min_messages = debug2"), "ALTER DATABASE");
    k.around = dial(pg_main()->port, "user=migration_user password=migration_user_pw dbname=counted");
    SAYS(ask(k.around, "create table changing (a int); insert into changing values (1);"
                       "grant select on changing to app_user"),
         "GRANT");
    w = weir_get(&(struct weir_spec){ .settings = "default_pool_size = 2\nworkers = 1\n"
                                                  "max_prepared_statements = 4\nadmin_users = app_user\n",
                                      .databases = "counted = host=127.0.0.1 port=$PORT\n" });
    k.console = dial(weir_port(w), "dbname=pgbouncer");
    for (unsigned i = 0; i < CLIENTS; i++)
        k.clients[i] = dial(weir_port(w), "dbname=counted");
    log = log_text();
    k.log_mark = strlen(log);
    free(log);
    return k;
}

static void
count_end(struct count *k)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        PQfinish(k->clients[i]);
    PQfinish(k->console);
    PQfinish(k->around);
}

static void
the_console_tells_what_the_server_has_seen(void)
{
    struct count k = count_begin();
    unsigned changes = 0, unnamed = 0, blocks = 0;
    int on_servers;

    for (unsigned i = 0; i < CLIENTS * NAMES; i++)
        prepare(&k, i % CLIENTS, i / CLIENTS);
    for (unsigned i = 0; i < WORK(240u); i++) {
        unsigned client = i * 7 / 3 % CLIENTS, name = i * 11 / 5 % NAMES;

        switch (i % 20) {
        case 3: /* a name anew */
            say(&k, client, text("deallocate \"%s\"", name_of(name)), "DEALLOCATE");
            prepare(&k, client, name);
            break;
        case 7: /* both servers are used */
            say(&k, client, "begin", "BEGIN");
            use(&k, (client + 1) % CLIENTS, name % (NAMES - 1));
            use(&k, client, name % (NAMES - 1));
            say(&k, client, "commit", "COMMIT");
            blocks++;
            break;
        case 11:
            CU_ASSERT_EQUAL(
                PQsendQueryParams(k.clients[client], "select 'unnamed'", 0, NULL, NULL, NULL, NULL, 0), 1);
            SAYS(answer(k.clients[client]), "unnamed");
            unnamed++;
            k.asked++;
            break;
        case 15: /* the plan at hand becomes stale */
            use(&k, client, NAMES - 1);
            SAYS(ask(k.around, "alter table changing add column c%u int", ++changes), "ALTER TABLE");
            use(&k, client, NAMES - 1);
            break;
        default:
            use(&k, client, name);
            break;
        }
    }

    CU_ASSERT_EQUAL(told(&k, "SHOW PREPARED_TOTALS", "client_parse_count"), (int)k.prepared);
    CU_ASSERT_EQUAL(told(&k, "SHOW PREPARED_TOTALS", "server_parse_count"), server_parses(&k));
    CU_ASSERT_EQUAL(told(&k, "SHOW PREPARED_TOTALS", "bind_count"),
                    logged(&k, "DEBUG:  bind <unnamed> to pgweir_"));
    CU_ASSERT_EQUAL(told(&k, "SHOW PREPARED_TOTALS", "heals"),
                    logged(&k, "ERROR:  cached plan must not change result type"));
    CU_ASSERT(told(&k, "SHOW PREPARED_TOTALS", "heals") > 0);
    CU_ASSERT(told(&k, "SHOW PREPARED_TOTALS", "evictions") > 0);
    CU_ASSERT_EQUAL(told(&k, "SHOW PREPARED_TOTALS", "bind_count"),
                    (int)k.used + told(&k, "SHOW PREPARED_TOTALS", "heals"));
    CU_ASSERT_EQUAL(logged(&k, "DEBUG:  parse <unnamed>: select 'unnamed'"), (int)unnamed);
    CU_ASSERT_EQUAL(told(&k, "SHOW STATS_TOTALS", "client_parse_count"), (int)k.prepared);
    CU_ASSERT_EQUAL(told(&k, "SHOW STATS_TOTALS", "server_parse_count"), server_parses(&k));
    CU_ASSERT_EQUAL(told(&k, "SHOW STATS_TOTALS", "bind_count"),
                    logged(&k, "DEBUG:  bind <unnamed> to pgweir_"));
    CU_ASSERT_EQUAL(told(&k, "SHOW STATS_TOTALS", "query_count"), (int)k.asked);
    CU_ASSERT_EQUAL(told(&k, "SHOW STATS_TOTALS", "xact_count"), (int)(k.asked - 2 * blocks));

    /* Two transactions at once have both servers. */
    say(&k, 0, "begin", "BEGIN");
    say(&k, 1, "begin", "BEGIN");
    on_servers = number(
        ask(k.clients[0], "select count(*) from pg_prepared_statements where name ~ '^pgweir_'"));
    on_servers += number(
        ask(k.clients[1], "select count(*) from pg_prepared_statements where name ~ '^pgweir_'"));
    CU_ASSERT_EQUAL(held(&k, "servers"), on_servers);
    CU_ASSERT(on_servers > 0 && on_servers <= 8);
    count_end(&k);
}

static const struct test_case cases[] = {
    TEST(the_console_tells_what_the_server_has_seen),
};

void
suite_counted(void)
{
    SUITE("prepared statements counted", cases);
}
