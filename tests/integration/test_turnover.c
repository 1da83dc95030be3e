/*
 * test_turnover.c - servers come and go under clients that have prepared statements, named ones and the unnamed
 * one, which they parse once and bind in later transactions: servers grow old, the console wants new ones, they are
 * killed while nobody has them, they move between workers, and they hold few statements only. Nobody notices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_turnover(void);

#define CLIENTS 24
#define NAMES 5        /* of each client; the first is the unnamed one */
#define TEXTS 12       /* among all clients */
#define MOST_SEEN 4096 /* servers */

struct guest {
    PGconn *c;
    unsigned text[NAMES]; /* whose number its answer begins with */
    unsigned name;        /* at hand */
};

struct inn {
    struct weir *weir;
    PGconn *console;
    struct guest guests[CLIENTS];
    int seen[MOST_SEEN]; /* processes that have answered */
    unsigned seen_count;
};

static const char *
name_of(unsigned name)
{
    return name == 0 ? "" : text("name %u", name);
}

static struct inn *
inn_new(const char *settings)
{
    struct inn *inn = calloc(1, sizeof *inn);

    inn->weir = weir_get(&(struct weir_spec){ .settings = settings });
    inn->console = dial(weir_port(inn->weir), "dbname=pgbouncer");
    srand(5);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct guest *g = &inn->guests[i];

        g->c = weir_dial(inn->weir);
        for (unsigned name = NAMES; name-- > 0;) {
            g->text[name] = (unsigned)rand() % TEXTS;
            CU_ASSERT_EQUAL(
                PQsendPrepare(g->c, name_of(name),
                              text("select %u || ':' || pg_backend_pid() || ':' || $1", g->text[name]), 0,
                              NULL),
                1);
            SAYS(answer(g->c), "");
        }
    }
    return inn;
}

static void
inn_end(struct inn *inn)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        PQfinish(inn->guests[i].c);
    PQfinish(inn->console);
    free(inn);
}

static void
note_process(struct inn *inn, int pid)
{
    for (unsigned i = 0; i < inn->seen_count; i++)
        if (inn->seen[i] == pid)
            return;
    if (inn->seen_count < MOST_SEEN)
        inn->seen[inn->seen_count++] = pid;
}

/* SAID is "number:pid:client". */
static bool
is_answer(const char *said, unsigned number, unsigned client, int *pid)
{
    char *at;

    if (strtoul(said, &at, 10) != number || *at != ':')
        return false;
    *pid = (int)strtol(at + 1, &at, 10);
    return *at == ':' && strtoul(at + 1, &at, 10) == client && *at == '\0';
}

/* Each client asks for one of its statements, all at once; false when an answer is not its own. */
static bool
round_is_fine(struct inn *inn)
{
    bool is_fine = true;

    for (unsigned i = 0; i < CLIENTS; i++) {
        struct guest *g = &inn->guests[i];
        const char *value = text("%u", i);

        g->name = (unsigned)rand() % NAMES;
        CU_ASSERT_EQUAL(PQsendQueryPrepared(g->c, name_of(g->name), 1, &value, NULL, NULL, 0), 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct guest *g = &inn->guests[i];
        const char *said = answer(g->c);
        int pid;

        if (is_answer(said, g->text[g->name], i, &pid)) {
            note_process(inn, pid);
            continue;
        }
        SAYS(said, text("%u:<pid>:%u", g->text[g->name], i));
        is_fine = false;
    }
    return is_fine;
}

/* Until the clients have met so many servers, or something was wrong. */
static void
see_servers(struct inn *inn, unsigned count, void (*meanwhile)(struct inn *inn))
{
    struct patience p = patience_new();

    while (inn->seen_count < count && !p.is_over && round_is_fine(inn)) {
        if (meanwhile != NULL)
            meanwhile(inn);
        (void)patience_nap(&p);
    }
    CU_ASSERT_TRUE(inn->seen_count >= count);
}

static void
reconnect(struct inn *inn)
{
    SAYS(ask(inn->console, "RECONNECT"), "RECONNECT");
}

/* Those that were still on their way here come a moment later. */
static bool
are_servers_killed(struct inn *inn)
{
    (void)pg_count(pg_main(), "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                              "where usename = 'app_user' and backend_type = 'client backend'");
    return strcmp(ask(inn->console, "SHOW SERVERS"), "no rows") == 0;
}

/* While all clients have their answers; until pgweir knows. */
static void
kill_idle_servers(struct inn *inn)
{
    EVENTUALLY(are_servers_killed(inn));
}

static void
servers_that_grow_old_are_not_missed(void)
{
    struct inn *inn = inn_new("default_pool_size = 3\nworkers = 2\nserver_lifetime = 50ms\n"
                              "admin_users = app_user\n");

    see_servers(inn, 10, NULL);
    inn_end(inn);
}

static void
reconnect_is_not_noticed(void)
{
    struct inn *inn = inn_new("default_pool_size = 4\nworkers = 2\nadmin_users = app_user\n");

    see_servers(inn, 12, reconnect);
    inn_end(inn);
}

static void
servers_that_die_idle_are_not_missed(void)
{
    struct inn *inn = inn_new("default_pool_size = 4\nworkers = 2\nadmin_users = app_user\n");

    see_servers(inn, 12, kill_idle_servers);
    inn_end(inn);
}

/* Fewer servers than workers: they go where they are needed. */
static void
servers_move_between_workers_unnoticed(void)
{
    struct inn *inn = inn_new("default_pool_size = 2\nworkers = 4\nadmin_users = app_user\n");

    for (int i = 0; i < 30; i++)
        if (!round_is_fine(inn))
            break;
    see_servers(inn, 6, reconnect);
    inn_end(inn);
}

static void
servers_that_hold_three_statements_serve_twelve(void)
{
    struct inn *inn = inn_new("default_pool_size = 2\nworkers = 2\nmax_prepared_statements = 3\n"
                              "admin_users = app_user\n");

    for (int i = 0; i < 30; i++)
        if (!round_is_fine(inn))
            break;
    see_servers(inn, 6, reconnect);
    inn_end(inn);
}

void
suite_turnover(void)
{
    static const struct test_case cases[] = {
        TEST(servers_that_grow_old_are_not_missed),
        TEST(reconnect_is_not_noticed),
        TEST(servers_that_die_idle_are_not_missed),
        TEST(servers_move_between_workers_unnoticed),
        TEST(servers_that_hold_three_statements_serve_twelve),
    };

    SUITE("turnover of servers under prepared statements", cases);
}
