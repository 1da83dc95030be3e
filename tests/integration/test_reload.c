/*
 * test_reload.c - SIGHUP puts a new configuration in force, or keeps the old one and says why; nobody is dropped.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"
#include "raw.h"

void suite_reload(void);

#define SINGLE "default_pool_size = 1\n"

static void
a_larger_pool_serves_who_waits(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = SINGLE });
    PGconn *holder = weir_dial(w);
    PGconn *waiter = weir_dial(w);

    SAYS(ask(holder, "begin"), "BEGIN");
    PQsendQuery(waiter, "select 'served'");
    weir_reload(w, &(struct weir_spec){ .settings = "default_pool_size = 2\n" }, "reload: ");
    CU_ASSERT(weir_logged(w, "default_pool_size"));
    SAYS(answer(waiter), "served");
    SAYS(ask(holder, "select 'still in my transaction'"), "still in my transaction");
    SAYS(ask(holder, "commit"), "COMMIT");
    PQfinish(holder);
    PQfinish(waiter);
    weir_stop(w);
}

static void
a_bad_configuration_changes_nothing(void)
{
    static const struct {
        const char *settings;
        const char *why;
    } bad[] = {
        { SINGLE "defualt_pool_size = 5\n", "default_pool_size" },
        { SINGLE "pool_mode = sometimes\n", "pool_mode" },
        { SINGLE "auth_file = /nowhere/userlist.txt\n", "/nowhere/userlist.txt" },
        { SINGLE
          "client_tls_sslmode = require\nclient_tls_cert_file = /nowhere/crt\nclient_tls_key_file = /nowhere/key\n",
          "/nowhere/" },
    };
    struct weir *w = weir_start(&(struct weir_spec){ .settings = SINGLE });
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        PGconn *newcomer;

        weir_reload(w, &(struct weir_spec){ .settings = bad[i].settings }, "reload failed");
        CU_ASSERT(weir_logged(w, bad[i].why));
        SAYS(ask(c, "select %zu", i), text("%zu", i));
        newcomer = dial_start(weir_port(w));
        EVENTUALLY(dial_is_open(newcomer));
        PQfinish(newcomer);
    }
    SAYS(ask(c, "commit"), "COMMIT");
    PQfinish(c);
    weir_stop(w);
}

static void
databases_come_and_go(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = SINGLE });
    PGconn *old = weir_dial(w), *idle = weir_dial(w);
    PGconn *c;

    SAYS(ask(idle, "select 1"), "1");
    SAYS(ask(old, "begin"), "BEGIN");
    c = dial(weir_port(w), "dbname=more");
    CONTAINS(dial_error(c), "more");
    PQfinish(c);
    weir_reload(w,
                &(struct weir_spec){ .settings = SINGLE,
                                     .databases = "app = host=127.0.0.1 port=$PORT\n"
                                                  "more = host=127.0.0.1 port=$PORT dbname=app\n" },
                "reload: ");
    c = dial(weir_port(w), "dbname=more");
    SAYS(ask(c, "select 'more'"), "more");
    PQfinish(c);

    weir_reload(w,
                &(struct weir_spec){ .settings = SINGLE,
                                     .databases = "more = host=127.0.0.1 port=$PORT dbname=app\n" },
                "reload: ");
    SAYS(ask(old, "select 'my transaction goes on'"), "my transaction goes on");
    EVENTUALLY(strcmp(ask(idle, "select 1"), "1") != 0);
    CU_ASSERT(weir_logged(w, "closing because: database removed"));
    SAYS(ask(old, "select 'it still does'"), "it still does");
    SAYS(ask(old, "commit"), "COMMIT");
    EVENTUALLY(strcmp(ask(old, "select 1"), "1") != 0);
    c = weir_dial(w);
    CONTAINS(dial_error(c), "app");
    PQfinish(c);
    PQfinish(idle);
    PQfinish(old);
    weir_stop(w);
}

static void
a_database_may_move_while_it_is_used(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = SINGLE });
    PGconn *c = weir_dial(w);

    SAYS(ask(c, "begin"), "BEGIN");
    SAYS(ask(c, "select current_database()"), "app");
    weir_reload(w,
                &(struct weir_spec){ .settings = SINGLE,
                                     .databases = "app = host=127.0.0.1 port=$PORT dbname=postgres\n" },
                "reload: ");
    SAYS(ask(c, "select current_database()"), "app");
    SAYS(ask(c, "commit"), "COMMIT");
    EVENTUALLY(strcmp(ask(c, "select current_database()"), "postgres") == 0);
    PQfinish(c);
    weir_stop(w);
}

static void
passwords_change_with_a_reload(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = "auth_type = md5\n" SINGLE });
    PGconn *old = weir_dial(w);
    PGconn *c;

    weir_reload(w,
                &(struct weir_spec){ .settings = "auth_type = md5\n" SINGLE,
                                     .userlist = "\"analytics_user\" \"analytics_user_pw\"\n" },
                "re-reading");
    EVENTUALLY(weir_logged(w, "reload: "));
    c = weir_dial(w);
    CONTAINS(dial_error(c), "password authentication failed");
    PQfinish(c);
    c = weir_dial_as(w, "analytics_user");
    SAYS(ask(c, "select current_user"), "analytics_user");
    SAYS(ask(old, "select current_user"), "app_user"); /* who is in stays in */
    PQfinish(c);
    PQfinish(old);
    weir_stop(w);
}

/* Whether clients get TLS, with a certificate that our CA has signed. */
static bool
shows_certificate(const struct weir *w)
{
    PGconn *c = dial(weir_port(w), "sslmode=verify-ca sslrootcert=%s/ca.crt", pg_main()->dir);
    bool shows = PQstatus(c) == CONNECTION_OK;

    PQfinish(c);
    return shows;
}

static void
certificates_are_read_again(void)
{
    static const char *const tls = SINGLE "client_tls_sslmode = require\n"
                                          "client_tls_cert_file = $DIR/server.crt\n"
                                          "client_tls_key_file = $DIR/server.key\n";
    struct weir *w = weir_start(&(struct weir_spec){ .settings = SINGLE });
    PGconn *plain = weir_dial(w);

    CU_ASSERT_EQUAL(run(NULL, NULL,
                        (const char *const[]){ "cp", text("%s/pgweir.crt", pg_main()->dir),
                                               text("%s/server.crt", weir_dir(w)), NULL }),
                    0);
    CU_ASSERT_EQUAL(run(NULL, NULL,
                        (const char *const[]){ "cp", text("%s/pgweir.key", pg_main()->dir),
                                               text("%s/server.key", weir_dir(w)), NULL }),
                    0);
    weir_reload(w, &(struct weir_spec){ .settings = tls }, "reload: ");
    EVENTUALLY(shows_certificate(w));
    SAYS(ask(plain, "select 'plain, but in already'"), "plain, but in already");
    PQfinish(plain);
    weir_stop(w);
}

static void
a_crowd_does_not_notice_reloads(void)
{
    struct weir *w = weir_start(&(struct weir_spec){ .settings = "default_pool_size = 3\n" });
    PGconn *clients[20];

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = weir_dial(w);
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(clients); i++)
            PQsendQuery(clients[i], text("begin; select '%u.%zu'; commit", round, i));
        weir_rewrite(w, &(struct weir_spec){ .settings = round % 2 == 0 ? "default_pool_size = 6\n"
                                                                        : "default_pool_size = 2\n" });
        weir_signal(w, SIGHUP);
        for (size_t i = 0; i < COUNT_OF(clients); i++)
            SAYS(answer(clients[i]), "COMMIT");
    }
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        PQfinish(clients[i]);
    weir_stop(w);
}

static const struct test_case cases[] = {
    TEST(a_larger_pool_serves_who_waits),  TEST(a_bad_configuration_changes_nothing),
    TEST(databases_come_and_go),           TEST(a_database_may_move_while_it_is_used),
    TEST(passwords_change_with_a_reload),  TEST(certificates_are_read_again),
    TEST(a_crowd_does_not_notice_reloads),
};

void
suite_reload(void)
{
    SUITE("reload", cases);
}
