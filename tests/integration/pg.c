/*
 * pg.c - PostgreSQL servers, and what their superuser sees.
 */

#include "pg.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "harness.h"
#include "machine.h"

static struct pg main_server, small_server;
static PGconn *main_superuser, *small_superuser;

/* The rest of the line that begins with KEY. */
static const char *
env_value(const char *env, const char *key)
{
    const char *at = strstr(env, key);

    return at == NULL ? "" : text("%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
}

/* Starts PG in directory NAME, with more lines for its postgresql.conf. */
static void
pg_launch(struct pg *pg, const char *name, const char *max_connections, const char *conf)
{
    struct buf out = { 0 };

    if (pg->port == 0)
        pg->port = free_port();
    setenv("PG_MAX_CONNECTIONS", max_connections, 1);
    setenv("PG_CONF", conf, 1);
    if (run(&out, NULL,
            (const char *const[]){ "tests/lib/pg.sh", "start", text("%s/%s", run_dir(), name),
                                   text("%u", pg->port), NULL }) != 0)
        die("PostgreSQL does not start: %.*s", (int)buf_len(&out), (const char *)buf_slice(&out).at);
    buf_add_u8(&out, '\0');
    const char *env = (const char *)buf_slice(&out).at;
    snprintf(pg->dir, sizeof pg->dir, "%s", env_value(env, "dir="));
    snprintf(pg->socket, sizeof pg->socket, "%s", env_value(env, "socket="));
    pg->port = (unsigned)number(env_value(env, "port="));
    pg->pid = (pid_t)number(env_value(env, "pid="));
    buf_release(&out);
}

const struct pg *
pg_main(void)
{
    if (main_server.pid == 0)
        pg_launch(&main_server, "main", "100",
                  "listen_addresses = '127.0.0.1,127.0.0.2'\n" /* the certificate does not name 127.0.0.2 */
                  "log_connections = on\n");
    return &main_server;
}

struct pg *
pg_small(void)
{
    if (small_server.pid == 0)
        pg_start(&small_server);
    return &small_server;
}

void
pg_start(struct pg *pg)
{
    pg_launch(pg, "small", "30", "superuser_reserved_connections = 3\nlog_connections = on\n");
}

void
pg_stop(struct pg *pg, const char *mode)
{
    struct buf out = { 0 };

    if (run(&out, NULL, (const char *const[]){ "tests/lib/pg.sh", "stop", pg->dir, mode, NULL }) != 0)
        die("PostgreSQL does not stop: %.*s", (int)buf_len(&out), (const char *)buf_slice(&out).at);
    buf_release(&out);
    pg->pid = 0;
}

/* The superuser's own connection to PG, kept between questions. */
static PGconn *
pg_superuser(const struct pg *pg)
{
    PGconn **kept = pg == &main_server ? &main_superuser : &small_superuser;

    if (*kept != NULL && PQstatus(*kept) == CONNECTION_OK)
        return *kept;
    PQfinish(*kept);
    *kept = PQconnectdb(text("host=%s port=%u dbname=app user=postgres connect_timeout=20 "
                             "options='-c client_min_messages=warning'",
                             pg->socket, pg->port));
    return *kept;
}

const char *
pg_ask(const struct pg *pg, const char *sql, ...)
{
    const char *told;
    char command[8192];
    va_list args;

    va_start(args, sql);
    vsnprintf(command, sizeof command, sql, args);
    va_end(args);
    told = ask(pg_superuser(pg), "%s", command);
    if (BEGINS(told, "LOST") || BEGINS(told, "FATAL")) /* PostgreSQL was restarted since the last question */
        told = ask(pg_superuser(pg), "%s", command);
    return told;
}

int
pg_count(const struct pg *pg, const char *sql, ...)
{
    char command[8192];
    va_list args;

    va_start(args, sql);
    vsnprintf(command, sizeof command, sql, args);
    va_end(args);
    return number(pg_ask(pg, "%s", command));
}

int
pg_backends(const struct pg *pg, const char *user)
{
    return pg_count(pg,
                    "select count(*) from pg_stat_activity where backend_type = 'client backend' "
                    "and usename <> 'postgres' and application_name not like 'pgweir%%' %s",
                    user == NULL ? "" : text("and usename = '%s'", user));
}

void
pg_kill_all(void)
{
    if (main_server.pid > 0)
        kill(main_server.pid, SIGQUIT);
    if (small_server.pid > 0)
        kill(small_server.pid, SIGQUIT);
}

void
pg_remove_all(void)
{
    const struct pg *all[] = { &main_server, &small_server };

    PQfinish(main_superuser);
    PQfinish(small_superuser);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i]->port != 0)
            run(NULL, NULL, (const char *const[]){ "tests/lib/pg.sh", "remove", all[i]->dir, NULL });
}
