/*
 * test_login.c - who may come in and how it is proved, on both sides: clients to pgweir, pgweir to PostgreSQL.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "pgweir/wire/startup.h"
#include "raw.h"

void suite_login(void);

/* How a login ends: "in", or "<SQLSTATE> <message>", or "gone". */
static const char *
login(const struct weir *w, const char *user, const char *database, const char *password)
{
    struct raw *r = raw_dial(weir_port(w));
    const char *how = "in";

    if (!raw_login(r, user, database, password))
        how = raw_error(r)->sqlstate[0] == '\0'
                  ? "gone"
                  : text("%s %s", raw_error(r)->sqlstate, raw_error(r)->message);
    raw_close(r);
    return how;
}

/* The types of the messages that a login is answered with. */
static const char *
login_course(const struct weir *w, const char *user, const char *database, const char *password)
{
    struct raw *r = raw_dial(weir_port(w));
    const char *course;

    raw_login(r, user, database, password);
    course = raw_heard(r);
    raw_close(r);
    return course;
}

/* Salt and iterations that a SCRAM login of USER is asked to use. */
static const char *
login_salt(const struct weir *w, const char *user)
{
    struct raw *r = raw_dial(weir_port(w));
    const char *salt;

    raw_login(r, user, "app", "whatever");
    salt = strstr(raw_challenge(r), ",s=");
    salt = text("%s", salt != NULL ? salt : "(no challenge)");
    raw_close(r);
    return salt;
}

static struct weir *
weir_with_auth(const char *settings)
{
    return weir_get(&(struct weir_spec){ .settings = settings });
}

static struct weir *
weir(void)
{
    return weir_with_auth("auth_type = scram-sha-256\n");
}

/* Lines of an auth file with what PostgreSQL itself stores. */
static const char *
stored_secrets(void)
{
    static char lines[2048];

    snprintf(lines, sizeof lines, "%s\n",
             pg_ask(pg_main(), "select string_agg(format('\"%%s\" \"%%s\"', rolname, rolpassword), e'\\n') "
                               "from pg_authid where rolname in ('app_user', 'analytics_user', 'md5_user')"));
    return lines;
}

/* --- clients --- */

static void
a_user_logs_in_with_scram(void)
{
    SAYS(login(weir(), "app_user", "app", "app_user_pw"), "in");
    SAYS(login_course(weir(), "app_user", "app", "app_user_pw"),
         login_course(weir(), "app_user", "app", "app_user_pw"));
    CU_ASSERT(BEGINS(login_course(weir(), "app_user", "app", "app_user_pw"), "RRRRS"));
}

static void
a_user_logs_in_with_md5(void)
{
    struct weir *w = weir_with_auth("auth_type = md5\n");

    SAYS(login(w, "app_user", "app", "app_user_pw"), "in");
    SAYS(login(w, "app_user", "app", "wrong"), "28P01 password authentication failed for user \"app_user\"");
    SAYS(login_course(w, "app_user", "app", "wrong"), "RE");
    SAYS(login_course(w, "nobody", "app", "wrong"), "RE");
}

static void
a_user_logs_in_with_a_plain_password(void)
{
    struct weir *w = weir_with_auth("auth_type = plain\n");

    SAYS(login(w, "app_user", "app", "app_user_pw"), "in");
    SAYS(login(w, "app_user", "app", "wrong"), "28P01 password authentication failed for user \"app_user\"");
    SAYS(login_course(w, "nobody", "app", "wrong"), "RE");
}

static void
trust_asks_for_nothing_but_a_known_user(void)
{
    struct weir *w = weir_with_auth("auth_type = trust\n");

    SAYS(login(w, "app_user", "app", ""), "in");
    CU_ASSERT(BEGINS(login_course(w, "app_user", "app", ""), "RS"));
    CU_ASSERT(BEGINS(login(w, "nobody", "app", ""), "28000 "));
}

static void
a_wrong_password_is_refused_in_the_words_of_postgresql(void)
{
    struct raw *direct = raw_dial(pg_main()->port);

    CU_ASSERT_FALSE(raw_login(direct, "app_user", "app", "wrong"));
    SAYS(login(weir(), "app_user", "app", "wrong"),
         text("%s %s", raw_error(direct)->sqlstate, raw_error(direct)->message));
    SAYS(login_course(weir(), "app_user", "app", "wrong"), raw_heard(direct));
    SAYS(login(weir(), "app_user", "app", ""), "28P01 password authentication failed for user \"app_user\"");
    raw_close(direct);
}

static void
an_unknown_user_plays_the_whole_exchange(void)
{
    SAYS(login(weir(), "nobody", "app", "x"), "28P01 password authentication failed for user \"nobody\"");
    SAYS(login_course(weir(), "nobody", "app", "x"), login_course(weir(), "app_user", "app", "x"));
    SAYS(login_course(weir(), "nobody", "nowhere", "x"), login_course(weir(), "app_user", "app", "x"));
}

static void
an_unknown_user_is_asked_with_the_same_salt_each_time(void)
{
    const char *salt = login_salt(weir(), "nobody");

    CU_ASSERT(BEGINS(salt, ",s="));
    SAYS(login_salt(weir(), "nobody"), salt);
    CU_ASSERT(strcmp(login_salt(weir(), "somebody_else"), salt) != 0);
    CU_ASSERT(strlen(login_salt(weir(), "app_user")) == strlen(salt));
}

static void
a_user_with_an_empty_secret_cannot_log_in(void)
{
    SAYS(login(weir(), "trust_user", "app", ""),
         "28P01 password authentication failed for user \"trust_user\"");
}

static void
an_unknown_database_is_refused_after_the_password(void)
{
    SAYS(login_course(weir(), "app_user", "nowhere", "wrong"), "RRE");
    CU_ASSERT(BEGINS(login(weir(), "app_user", "nowhere", "wrong"), "28P01 "));
    CU_ASSERT(BEGINS(login(weir(), "app_user", "nowhere", "app_user_pw"), "3D000 "));
    CONTAINS(login(weir(), "app_user", "nowhere", "app_user_pw"), "nowhere");
    CONTAINS(login(weir(), "app_user", "", "app_user_pw"), "app_user"); /* the user's name is the default */
}

static void
too_many_clients_are_told_the_limit_and_its_use(void)
{
    struct weir *w = weir_with_auth("max_client_conn = 2\n");
    PGconn *one = weir_dial(w);
    PGconn *two = weir_dial(w);
    const char *refused = login(w, "app_user", "app", "app_user_pw");

    SAYS(dial_error(one), "");
    SAYS(dial_error(two), "");
    CU_ASSERT(BEGINS(refused, "53300 "));
    CONTAINS(refused, "max_client_conn");
    CONTAINS(refused, "2 of 2");
    SAYS(ask(one, "select 1"), "1");
    PQfinish(two);
    EVENTUALLY(strcmp(login(w, "app_user", "app", "app_user_pw"), "in") == 0);
    PQfinish(one);
}

static void
a_login_must_end_in_time(void)
{
    struct weir *w = weir_with_auth(
        "client_login_timeout = 1s\n"
        "tcp_defer_accept = 0\n" /* or the kernel keeps who says nothing to itself */
    );
    struct raw *silent = raw_dial(weir_port(w));
    struct raw *halfway = raw_dial(weir_port(w));
    struct buf out = { 0 };

    build_startup(&out, 0, (const struct startup_pair[]){ { "user", "app_user" } }, 1);
    CU_ASSERT(raw_send_buf(halfway, &out));
    CU_ASSERT(raw_until(halfway, 'R'));
    CU_ASSERT(raw_is_closed(silent));
    CU_ASSERT(raw_is_closed(halfway));
    CONTAINS(raw_error(halfway)->message, "client_login_timeout");
    raw_close(silent);
    raw_close(halfway);
}

static void
a_login_that_waits_for_a_server_is_told_why(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "client_login_timeout = 1s\nserver_connections = 10\n",
        .databases = "app = host=127.0.0.1 port=1\n",
    });
    struct raw *r = raw_dial(weir_port(w));

    CU_ASSERT_FALSE(raw_login(r, "app_user", "app", "app_user_pw"));
    CONTAINS(raw_error(r)->message, "client_login_timeout");
    CONTAINS(raw_error(r)->detail, "The last attempt to connect to the server failed");
    CONTAINS(raw_error(r)->detail, "refused");
    raw_close(r);
}

static void
clients_come_over_a_unix_socket_and_ipv6_too(void)
{
    bool has_ipv6 = access("/proc/net/if_inet6", R_OK) == 0;
    struct weir *w = weir_with_auth(has_ipv6 ? "listen_addr = 127.0.0.1, ::1\n"
                                             : "listen_addr = 127.0.0.1\n");
    PGconn *local = dial(weir_port(w), "host=%s", weir_dir(w));
    PGconn *six = has_ipv6 ? dial(weir_port(w), "host=::1") : NULL;

    SAYS(ask(local, "select 'local'"), "local");
    if (six != NULL)
        SAYS(ask(six, "select 'six'"), "six");
    PQfinish(local);
    PQfinish(six);
}

/* --- routes --- */

static void
databases_lead_where_their_entries_say(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .databases =
            "app = host=127.0.0.1 port=$PORT\n"
            "reports = host=127.0.0.1 port=$PORT dbname=app user=analytics_user password=analytics_user_pw\n"
            "* = host=127.0.0.1 port=$PORT\n",
    });
    PGconn *app = weir_dial(w);
    PGconn *reports = dial(weir_port(w), "dbname=reports");
    PGconn *any = dial(weir_port(w), "dbname=postgres");

    SAYS(ask(app, "select current_database() || ' ' || current_user"), "app app_user");
    SAYS(ask(reports, "select current_database() || ' ' || current_user"), "app analytics_user");
    SAYS(ask(any, "select current_database() || ' ' || current_user"), "postgres app_user");
    SAYS(login(w, "app_user", "nowhere", "app_user_pw"), "3D000 database \"nowhere\" does not exist");
    PQfinish(app);
    PQfinish(reports);
    PQfinish(any);
}

/* --- servers --- */

static void
pgweir_logs_in_by_every_method_of_the_server(void)
{
    static const char *const users[] = { "app_user", "md5_user", "plain_user", "tls_user", "trust_user" };
    struct weir *w = weir_with_auth("auth_type = trust\n");

    for (size_t i = 0; i < COUNT_OF(users); i++) {
        PGconn *c = weir_dial_as(w, users[i]);

        SAYS(ask(c, "select current_user"), users[i]);
        PQfinish(c);
    }
}

static void
scram_keys_of_the_client_open_the_server(void)
{
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "server_connections = 10\n", .userlist = stored_secrets() });
    PGconn *app = weir_dial(w);
    PGconn *analytics = weir_dial_as(w, "analytics_user");

    SAYS(ask(app, "select current_user"), "app_user");
    SAYS(ask(analytics, "select current_user"), "analytics_user");
    SAYS(login(w, "app_user", "app", "wrong"), "28P01 password authentication failed for user \"app_user\"");

    /* The pool grows on without anybody logging in. */
    SAYS(ask(app, "begin"), "BEGIN");
    PGconn *second = weir_dial(w);
    SAYS(ask(second, "select 'another server'"), "another server");
    PQfinish(app);
    PQfinish(second);
    PQfinish(analytics);
}

static void
md5_secrets_open_a_server_that_wants_md5(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "auth_type = md5\nserver_connections = 10\n",
                                                   .userlist = stored_secrets() });
    PGconn *md5 = weir_dial_as(w, "md5_user");
    PGconn *scram = weir_dial(w); /* its secret is a SCRAM verifier: it is asked for SCRAM */

    SAYS(ask(md5, "select current_user"), "md5_user");
    SAYS(ask(scram, "select current_user"), "app_user");
    SAYS(login_course(w, "md5_user", "app", "wrong"), "RE");
    SAYS(login_course(w, "app_user", "app", "wrong"), "RRE");
    PQfinish(md5);
    PQfinish(scram);
}

static void
a_password_that_the_server_refuses_is_told_to_the_client(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "server_connections = 10\n",
                                                   .userlist = "\"app_user\" \"not that of the server\"\n" });

    SAYS(login(w, "app_user", "app", "not that of the server"),
         "28P01 password authentication failed for user \"app_user\"");
    SAYS(login(w, "app_user", "app", "app_user_pw"),
         "28P01 password authentication failed for user \"app_user\"");
}

static void
passwords_never_reach_the_log(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "auth_type = plain\nverbose = 3\n" });

    SAYS(login(w, "app_user", "app", "app_user_pw"), "in");
    CU_ASSERT(BEGINS(login(w, "app_user", "app", "my-secret-typo"), "28P01 "));
    EVENTUALLY(weir_logged(w, "closing because: password authentication failed"));
    CU_ASSERT_FALSE(weir_logged(w, "app_user_pw"));
    CU_ASSERT_FALSE(weir_logged(w, "my-secret-typo"));
}

static void
the_log_has_the_words_that_scripts_search_for(void)
{
    static const char *const words[] = {
        ": forced/analytics_user@127.0.0.1:",
        "login attempt: db=forced user=analytics_user tls=no",
        "new connection to server (from 127.0.0.1:",
        "login attempt: db=app user=nobody tls=no",
        "no such user: nobody",
        "closing because: password authentication failed for user \"nobody\" (age=",
        "login attempt: db=nowhere user=app_user",
        "closing because: no such database: nowhere (age=",
        "server login failed: FATAL database \"no_such_db\" does not exist",
        ": login failed (age=",
        "closing because: database \"no_such_db\" does not exist (age=",
    };
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "server_connections = 10\n",
        .databases = "app = host=127.0.0.1 port=$PORT\n"
                     "missing = host=127.0.0.1 port=$PORT dbname=no_such_db\n"
                     "forced = host=127.0.0.1 port=$PORT dbname=app user=app_user password=app_user_pw\n" });

    SAYS(login(w, "analytics_user", "forced", "analytics_user_pw"), "in");
    CU_ASSERT(BEGINS(login(w, "nobody", "app", "guess"), "28P01 "));
    CU_ASSERT(BEGINS(login(w, "app_user", "nowhere", "app_user_pw"), "3D000 "));
    CU_ASSERT(BEGINS(login(w, "app_user", "missing", "app_user_pw"), "3D000 "));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        EVENTUALLY(weir_logged(w, words[i]));
}

static void
startup_parameters_can_be_ignored(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "ignore_startup_parameters = options, search_path\nserver_connections = 10\n" });
    PGconn *c = dial(weir_port(w), "options='-c no_such_setting=1 -c DateStyle=German'");

    SAYS(dial_error(c), "");
    SAYS(ask(c, "show DateStyle"), "German, DMY");
    PQfinish(c);
    w = weir_get(&(struct weir_spec){ .settings = "server_connections = 10\n" });
    c = dial(weir_port(w), "options='-c no_such_setting=1'");
    CONTAINS(dial_error(c), "no_such_setting");
    PQfinish(c);
}

static const struct test_case cases[] = {
    TEST(startup_parameters_can_be_ignored),
    TEST(a_user_logs_in_with_scram),
    TEST(a_user_logs_in_with_md5),
    TEST(a_user_logs_in_with_a_plain_password),
    TEST(trust_asks_for_nothing_but_a_known_user),
    TEST(a_wrong_password_is_refused_in_the_words_of_postgresql),
    TEST(an_unknown_user_plays_the_whole_exchange),
    TEST(an_unknown_user_is_asked_with_the_same_salt_each_time),
    TEST(a_user_with_an_empty_secret_cannot_log_in),
    TEST(an_unknown_database_is_refused_after_the_password),
    TEST(too_many_clients_are_told_the_limit_and_its_use),
    TEST(a_login_must_end_in_time),
    TEST(a_login_that_waits_for_a_server_is_told_why),
    TEST(clients_come_over_a_unix_socket_and_ipv6_too),
    TEST(databases_lead_where_their_entries_say),
    TEST(pgweir_logs_in_by_every_method_of_the_server),
    TEST(scram_keys_of_the_client_open_the_server),
    TEST(md5_secrets_open_a_server_that_wants_md5),
    TEST(a_password_that_the_server_refuses_is_told_to_the_client),
    TEST(passwords_never_reach_the_log),
    TEST(the_log_has_the_words_that_scripts_search_for),
};

void
suite_login(void)
{
    SUITE("login", cases);
}
