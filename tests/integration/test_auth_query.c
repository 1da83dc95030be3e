/*
 * test_auth_query.c - users whom only PostgreSQL knows.
 *
 * The roles are asked_… and the auth_user is asking_user, so that its connections can be counted.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pgweir/wire/startup.h"
#include "raw.h"

void suite_auth_query(void);

/* What the tests need in PostgreSQL, once. */
static void
prepare(void)
{
    static bool is_done;
    static const char *const commands[] = {
        "create role asking_user login superuser password 'asking_user_pw'",
        "create role asked_scram login password 'one' in role app_user",
        "create role \"asked ' \"\" ; -- ü\" login password 'quoted' in role app_user",
        "create role asked_expired login password 'one' valid until '2001-01-01'",
        "create role asked_empty login",
        "create role asked_nologin password 'one'",
        "set password_encryption = 'md5'; create role asked_md5 login password 'one' in role app_user; "
        "reset password_encryption",
        "create function public.asked_two(text) returns table (n text, s text) language sql as "
        "$$ select $1, 'a' union all select $1, 'b' $$",
    };

    if (is_done)
        return;
    is_done = true;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        CU_ASSERT(!BEGINS(pg_ask(pg_main(), "%s", commands[i]), "ERROR"));
}

#define SETTINGS "auth_user = asking_user\nserver_connections = 20\n"
#define USERLIST "\"asking_user\" \"asking_user_pw\"\n\"app_user\" \"app_user_pw\"\n\"asked_scram\" \"\"\n"

static struct weir *
weir_with(const char *settings)
{
    prepare();
    return weir_get(&(struct weir_spec){ .settings = settings, .userlist = USERLIST });
}

static struct weir *
weir(void)
{
    return weir_with(SETTINGS);
}

/* "in as <user>", or why not. */
static const char *
come_in_to(const struct weir *w, const char *database, const char *user, const char *password)
{
    PGconn *c = dial(weir_port(w), "dbname=%s user='%s' password='%s'", database, user, password);
    const char *how = dial_error(c);

    if (how[0] == '\0')
        how = text("in as %s", ask(c, "select current_user"));
    PQfinish(c);
    return how;
}

static const char *
come_in(const struct weir *w, const char *user, const char *password)
{
    return come_in_to(w, "app", user, password);
}

static void
postgresql_is_asked_for_users_that_the_auth_file_lacks(void)
{
    SAYS(come_in(weir(), "asked_scram", "one"), "in as asked_scram"); /* without a secret there */
    SAYS(come_in(weir(), "app_user", "app_user_pw"), "in as app_user");
    CONTAINS(come_in(weir(), "asked_scram", "two"),
             "password authentication failed for user \"asked_scram\"");
    SAYS(come_in(weir(), "asked \\' \" ; -- ü", "quoted"), "in as asked ' \" ; -- ü");
}

static void
who_cannot_log_in_is_not_told_why(void)
{
    static const char *const users[] = { "asked_expired",  "asked_empty", "asked_nologin", "nobody",
                                         "\\' or 1=1; --", "\xff\xfe",    "asked_scram_" };

    for (size_t i = 0; i < COUNT_OF(users); i++)
        CONTAINS(come_in(weir(), users[i], "one"), "password authentication failed for user ");
}

static void
an_unknown_user_plays_the_whole_exchange(void)
{
    struct raw *r = raw_dial(weir_port(weir()));

    CU_ASSERT_FALSE(raw_login(r, "nobody", "app", "x"));
    SAYS(raw_heard(r), "RRE");
    SAYS(raw_error(r)->sqlstate, "28P01");
    raw_close(r);
}

static void
md5_secrets_open_servers_that_want_md5(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = SETTINGS "auth_type = md5\n",
                                                   .userlist = USERLIST,
                                                   .databases = "app = host=127.0.0.1 port=$PORT\n" });

    prepare();
    /* The server's pg_hba.conf wants SCRAM of this role: its md5 secret does for us, and not for the
     * server. */
    CONTAINS(come_in(w, "asked_md5", "two"), "password authentication failed");
    CONTAINS(come_in(w, "asked_md5", "one"), "wrong password type");
    SAYS(come_in(w, "asked_scram", "one"), "in as asked_scram");
}

/* The sequence counts how often the query ran. */
static void
a_storm_of_logins_is_one_question(void)
{
    struct weir *w = weir_with(SETTINGS "auth_query = select rolname, rolpassword from pg_authid, "
                                        "nextval('public.asked_count') where rolname = $1\n");
    PGconn *clients[20];
    int before;

    pg_ask(pg_main(), "create sequence if not exists public.asked_count");
    before = pg_count(pg_main(), "select count(*) from pg_stat_activity where usename = 'asking_user'");
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = PQconnectStart(text("host=127.0.0.1 port=%u dbname=app user=asked_scram password=one "
                                         "sslmode=disable gssencmode=disable",
                                         weir_port(w)));
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        EVENTUALLY(dial_is_open(clients[i]));
    CU_ASSERT_EQUAL(pg_count(pg_main(), "select last_value from public.asked_count"), 1);
    CU_ASSERT(pg_count(pg_main(), "select count(*) from pg_stat_activity where usename = 'asking_user'") <=
              before + 1);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        PQfinish(clients[i]);
}

static void
a_changed_password_is_noticed_before_the_memory_ends(void)
{
    struct weir *w = weir_with(SETTINGS "auth_type = plain\nauth_query_cache = 1h\n");

    pg_ask(pg_main(), "create role asked_change login password 'old' in role app_user");
    SAYS(come_in(w, "asked_change", "old"), "in as asked_change");
    pg_ask(pg_main(), "alter role asked_change password 'new'");
    EVENTUALLY(HAS(come_in(w, "asked_change", "new"), "in as asked_change"));
    CONTAINS(come_in(w, "asked_change", "old"), "password authentication failed");
}

static void
queries_that_answer_nonsense_are_told_to_the_log_only(void)
{
    static const struct {
        const char *query, *logged;
    } rows[] = {
        { "auth_query = select rolname from pg_authid where rolname = $1\n", "it returns 1 columns" },
        { "auth_query = select * from asked_two($1)\n", "more than one row" },
        { "auth_query = select 'somebody', 'secret' where $1 <> ''\n", "another user" },
        { "auth_query = select nonsense($1)\n", "function nonsense(unknown) does not exist" },
        { "auth_query = select $1, 1/0\n", "division by zero" },
        { "auth_query = select generate_series(1, 100000000)::text, $1\n", "more than one row" },
        { "auth_query = select $1::text, 'x'; select 1\n", "cannot insert multiple commands" },
    };
    struct weir_spec spec = { .userlist = USERLIST, .settings = SETTINGS };
    struct weir *w;

    prepare();
    w = weir_start(&spec);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char settings[300];
        struct raw *r;

        snprintf(settings, sizeof settings, SETTINGS "%s", rows[i].query);
        spec.settings = settings;
        weir_reload(w, &spec, "reload: ");
        r = raw_dial(weir_port(w));
        CU_ASSERT_FALSE(raw_login(r, "asked_scram", "app", "one"));
        SAYS(raw_error(r)->sqlstate, "F0000");
        SAYS(raw_error(r)->message, "bouncer config error");
        EVENTUALLY(weir_logged(w, rows[i].logged));
        raw_close(r);
    }
    weir_stop(w);
}

static void
a_query_that_hangs_is_given_up(void)
{
    struct weir *w = weir_with(SETTINGS "server_connect_timeout = 300ms\n"
                                        "auth_query = select $1::text, 'x' from pg_sleep(600)\n");

    CONTAINS(come_in(w, "asked_scram", "one"), "the server that knows the users cannot be asked now");
    EVENTUALLY(pg_count(pg_main(),
                        "select count(*) from pg_stat_activity where query like '%%pg_sleep(600)%%' "
                        "and usename = 'asking_user' and state = 'active'") == 0);
}

static void
a_client_that_leaves_meanwhile_is_missed_by_nobody(void)
{
    struct weir *w = weir_with(SETTINGS "server_connect_timeout = 20s\n"
                                        "auth_query = select $1::text, null from pg_sleep(0.3)\n");
    struct raw *gone[8];
    struct raw *r = raw_dial(weir_port(w));

    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        struct buf out = { 0 };

        gone[i] = raw_dial(weir_port(w));
        build_startup(&out, 0, (const struct startup_pair[]){ { "user", text("asked_%zu", i % 4) } }, 1);
        CU_ASSERT(raw_send_buf(gone[i], &out));
    }
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        (i % 2 == 0 ? raw_abort : raw_close)(gone[i]);
    CU_ASSERT_FALSE(raw_login(r, "asked_scram", "app", "one"));
    SAYS(raw_error(r)->sqlstate, "28P01");
    raw_close(r);
}

static void
an_auth_user_who_cannot_ask_is_a_mistake_of_the_configuration(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "auth_user = asking_user\n",
                                                   .userlist = "\"asking_user\" \"wrong\"\n" });

    prepare();
    CONTAINS(come_in(w, "asked_scram", "one"), "bouncer config error");
    EVENTUALLY(weir_logged(w, "password authentication failed for user \"asking_user\""));
}

static void
databases_may_ask_elsewhere_or_not_at_all(void)
{
    struct weir *w;

    prepare();
    w = weir_get(&(struct weir_spec){
        .settings = "server_connections = 20\n",
        .userlist = USERLIST,
        .databases = "app = host=127.0.0.1 port=$PORT auth_user=asking_user auth_dbname=postgres\n"
                     "postgres = host=127.0.0.1 port=$PORT\n"
                     "lost = host=127.0.0.1 port=$PORT auth_user=asking_user auth_dbname=nowhere\n",
    });
    SAYS(come_in(w, "asked_scram", "one"), "in as asked_scram");
    CU_ASSERT(pg_count(pg_main(), "select count(*) from pg_stat_activity where usename = 'asking_user' and "
                                  "datname = 'postgres'") >= 1);
    CONTAINS(come_in_to(w, "postgres", "asked_scram", "one"), "password authentication failed");
    CONTAINS(come_in_to(w, "lost", "asked_scram", "one"), "bouncer config error");
    EVENTUALLY(weir_logged(w, "authentication database \"nowhere\" is not configured"));
}

/* The one of docs/authentication.md. */
static void
a_function_spares_the_superuser(void)
{
    struct weir *w;

    prepare();
    pg_ask(pg_main(), "create role looking_user login password 'looking_user_pw' in role app_user");
    pg_ask(pg_main(),
           "create function public.user_lookup(name text, out uname text, out secret text) returns record "
           "language sql security definer set search_path = pg_catalog as "
           "$$ select rolname::text, rolpassword from pg_authid where rolname = name and rolcanlogin "
           "and (rolvaliduntil is null or rolvaliduntil > now()) and rolname <> 'postgres' $$");
    pg_ask(pg_main(), "revoke all on function public.user_lookup(text) from public; "
                      "grant execute on function public.user_lookup(text) to looking_user");
    w = weir_get(&(struct weir_spec){
        .settings =
            "auth_user = looking_user\nserver_connections = 10\nauth_query = SELECT uname, secret FROM "
            "public.user_lookup($1) WHERE uname IS NOT NULL\n",
        .userlist = "\"looking_user\" \"looking_user_pw\"\n" });
    SAYS(come_in(w, "asked_scram", "one"), "in as asked_scram");
    CONTAINS(come_in(w, "asked_expired", "one"), "password authentication failed");
    CONTAINS(come_in(w, "nobody", "one"), "password authentication failed");
}

static const struct test_case cases[] = {
    TEST(postgresql_is_asked_for_users_that_the_auth_file_lacks),
    TEST(who_cannot_log_in_is_not_told_why),
    TEST(an_unknown_user_plays_the_whole_exchange),
    TEST(md5_secrets_open_servers_that_want_md5),
    TEST(a_storm_of_logins_is_one_question),
    TEST(a_changed_password_is_noticed_before_the_memory_ends),
    TEST(queries_that_answer_nonsense_are_told_to_the_log_only),
    TEST(a_query_that_hangs_is_given_up),
    TEST(a_client_that_leaves_meanwhile_is_missed_by_nobody),
    TEST(an_auth_user_who_cannot_ask_is_a_mistake_of_the_configuration),
    TEST(databases_may_ask_elsewhere_or_not_at_all),
    TEST(a_function_spares_the_superuser),
};

void
suite_auth_query(void)
{
    SUITE("auth_query", cases);
}
