/*
 * test_search_path.c - the same text means other tables to sessions with another search_path: clients that
 * share servers, and prepare the same text under the same name, each get what is theirs.
 */
#include <string.h>

#include "harness.h"

void suite_search_path(void);

#define SQL "select * from thing"

struct sides {
    PGconn *one, *two;
    PGconn *owner; /* directly */
};

static void
make_tables(PGconn *owner)
{
    SAYS(
        ask(owner,
            "drop schema if exists path_one, path_two, path_six cascade;"
            "create schema path_one; create schema path_two; create schema path_six;"
            "create table path_one.thing (a text); insert into path_one.thing values ('of one');"
            "create table path_two.thing (a text, b int, c date); insert into path_two.thing values ('of two');"
            "create table path_six.thing (a text); insert into path_six.thing values ('of six');"
            "grant usage on schema path_one, path_two, path_six to app_user;"
            "grant select on all tables in schema path_one, path_two, path_six to app_user"),
        "GRANT");
}

static struct sides
sides(const char *settings)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = settings });
    struct sides s = { weir_dial(w), weir_dial(w),
                       dial(pg_main()->port, "user=migration_user password=migration_user_pw") };

    make_tables(s.owner);
    SAYS(ask(s.one, "set search_path = path_one"), "SET");
    SAYS(ask(s.two, "set search_path = path_two"), "SET");
    return s;
}

static void
sides_end(struct sides *s)
{
    SAYS(ask(s->owner, "drop schema path_one, path_two, path_six cascade"), "DROP SCHEMA");
    PQfinish(s->one);
    PQfinish(s->two);
    PQfinish(s->owner);
}

static const char *
prepare(PGconn *c, const char *name)
{
    return PQsendPrepare(c, name, SQL, 0, NULL) == 1 ? answer(c) : text("LOST %s", PQerrorMessage(c));
}

static const char *
run(PGconn *c, const char *name)
{
    return PQsendQueryPrepared(c, name, 0, NULL, NULL, NULL, 0) == 1 ? answer(c)
                                                                     : text("LOST %s", PQerrorMessage(c));
}

static const char *
run_unnamed(PGconn *c)
{
    return PQsendQueryParams(c, SQL, 0, NULL, NULL, NULL, NULL, 0) == 1 ? answer(c)
                                                                        : text("LOST %s", PQerrorMessage(c));
}

static const char *const one_server = "default_pool_size = 1\nworkers = 1\n";
static const char *const two_servers = "default_pool_size = 2\nworkers = 2\n";


static void
everybody_gets_his_own_rows(const char *settings)
{
    struct sides s = sides(settings);

    SAYS(prepare(s.one, "q"), "");
    SAYS(prepare(s.two, "q"), "");
    for (int i = 0; i < 4; i++) {
        SAYS(run(s.one, "q"), "of one");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.one, SQL), "of one");
        SAYS(ask(s.two, SQL), "of two");
        SAYS(run_unnamed(s.one), "of one");
        SAYS(run_unnamed(s.two), "of two");
        SAYS(ask(s.one, "begin"), "BEGIN");
        SAYS(run(s.one, "q"), "of one");
        SAYS(ask(s.one, "commit"), "COMMIT");
        SAYS(ask(s.two, "begin"), "BEGIN");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.two, "commit"), "COMMIT");
    }
    sides_end(&s);
}

static void
clients_on_one_server_get_rows_of_their_own_schema(void)
{
    everybody_gets_his_own_rows(one_server);
}

static void
clients_on_two_servers_get_rows_of_their_own_schema(void)
{
    everybody_gets_his_own_rows(two_servers);
}

/* The statement follows the setting, as on a direct connection; whoever asks for the columns gets them. */
static void
a_statement_prepared_before_follows_its_client(void)
{
    struct sides s = sides(one_server);

    SAYS(prepare(s.one, "q"), "");
    SAYS(prepare(s.two, "q"), "");
    SAYS(run(s.one, "q"), "of one");
    for (int i = 0; i < 3; i++) {
        SAYS(ask(s.one, "set search_path = path_two"), "SET");
        SAYS(run(s.one, "q"), "of two");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.one, "begin"), "BEGIN");
        SAYS(run(s.one, "q"), "of two");
        SAYS(ask(s.one, "commit"), "COMMIT");
        SAYS(ask(s.one, "set search_path = path_six"), "SET");
        SAYS(run(s.one, "q"), "of six");
        SAYS(ask(s.two, "begin"), "BEGIN");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.two, "commit"), "COMMIT");
    }
    sides_end(&s);
}

/* Nobody but the client itself knows what it has set: the server is told, and the text is the same. */
static void
what_is_set_for_a_transaction_is_its_own(void)
{
    struct sides s = sides(one_server);

    SAYS(prepare(s.one, "q"), "");
    SAYS(prepare(s.two, "q"), "");
    for (int i = 0; i < 3; i++) {
        SAYS(ask(s.one, "begin; set local search_path = path_six"), "SET");
        SAYS(run(s.one, "q"), "of six");
        SAYS(ask(s.one, "commit"), "COMMIT");
        SAYS(ask(s.two, "begin"), "BEGIN");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.two, "commit"), "COMMIT");
        SAYS(run(s.one, "q"), "of one");
    }
    sides_end(&s);
}

/* All tenants use one text in transactions of their own, and begin with SET LOCAL. */
static void
tenants_of_a_transaction_do_not_meet_each_other(void)
{
    struct sides s = sides(one_server);

    SAYS(ask(s.one, "set search_path = nowhere"), "SET");
    SAYS(ask(s.two, "set search_path = nowhere"), "SET");
    for (int i = 0; i < 3; i++) {
        SAYS(ask(s.one, "begin; set local search_path = path_one"), "SET");
        if (i == 0)
            SAYS(prepare(s.one, "q"), "");
        SAYS(run(s.one, "q"), "of one");
        SAYS(ask(s.one, "commit"), "COMMIT");
        SAYS(ask(s.two, "begin; set local search_path = path_two"), "SET");
        if (i == 0)
            SAYS(prepare(s.two, "q"), "");
        SAYS(run(s.two, "q"), "of two");
        SAYS(ask(s.two, "commit"), "COMMIT");
    }
    sides_end(&s);
}

void
suite_search_path(void)
{
    static const struct test_case cases[] = {
        TEST(clients_on_one_server_get_rows_of_their_own_schema),
        TEST(clients_on_two_servers_get_rows_of_their_own_schema),
        TEST(a_statement_prepared_before_follows_its_client),
        TEST(what_is_set_for_a_transaction_is_its_own),
        TEST(tenants_of_a_transaction_do_not_meet_each_other),
    };

    SUITE("prepared statements and search_path", cases);
}
