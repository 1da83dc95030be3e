/*
 * test_auth.c - the ways to prove who one is, beyond a password of the auth file: rules, certificates, the
 * Unix socket's peer.
 */

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

void suite_auth(void);

/* How a login with these words of conninfo ends: "in", or what libpq says. */
static const char *
come_in(const struct weir *w, const char *conninfo)
{
    PGconn *c = dial(weir_port(w), "%s", conninfo);
    const char *how = dial_error(c);

    if (how[0] == '\0')
        how = "in";
    PQfinish(c);
    return how;
}

static const char *
certificate(void)
{
    return text("sslmode=require sslcert=%s/cert_user.crt sslkey=%s/cert_user.key", pg_main()->dir,
                pg_main()->dir);
}

/* One instance for all that rules can say; app leads to a forced user, so that no server needs the client's
 * secret. */
static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "auth_type = hba\n"
                    "auth_hba_file = $DIR/hba\n"
                    "auth_ident_file = $DIR/ident\n"
                    "client_tls_sslmode = allow\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n"
                    "client_tls_ca_file = $PGDIR/ca.crt\n"
                    "server_connections = 10\n",
        .databases = "* = host=127.0.0.1 port=$PORT dbname=app user=app_user password=app_user_pw\n",
        .hba = "# type    database   user            address       method\n"
               "host      trusting   app_user        127.0.0.1/32  trust\n"
               "host      all        /^evil          all           reject\n"
               "hostssl   certs      all             samehost      cert\n"
               "hostssl   mapped     all             samehost      cert map=ops\n"
               "hostssl   subject    all             samehost      cert map=dn clientname=DN\n"
               "hostssl   both       all             samehost      scram-sha-256 clientcert=verify-ca\n"
               "hostssl   full       all             samehost      scram-sha-256 clientcert=verify-full\n"
               "hostnossl plain      all             samenet       password\n"
               "host      md5        all             127.0.0.0 255.0.0.0  md5\n"
               "host      sameuser,\"two words\" all  all           scram-sha-256\n"
               "local     peer       all                           peer map=sys\n"
               "local     all        app_user                      scram-sha-256\n"
               "host      replication app_user        all           reject\n",
        .ident = "ops  cert_user            analytics_user\n"
                 "ops  /^cert_(.*)$         md5_\\1\n"
                 "dn   CN=cert_user         tls_user\n"
                 "sys  postgres             app_user\n"
                 "sys  root                 app_user\n",
    });
}

static void
rules_choose_the_method(void)
{
    SAYS(come_in(weir(), "dbname=trusting password=wrong"), "in");
    CONTAINS(come_in(weir(), "dbname=plain password=wrong"),
             "password authentication failed for user \"app_user\"");
    SAYS(come_in(weir(), "dbname=plain"), "in");
    SAYS(come_in(weir(), "dbname=md5"), "in");
    SAYS(come_in(weir(), "dbname=app_user"), "in"); /* sameuser */
    SAYS(come_in(weir(), "dbname='two words'"), "in");
    SAYS(come_in(weir(), text("dbname=trusting host=%s", weir_dir(weir()))), "in");
}

static void
who_meets_no_rule_or_a_refusing_one_is_told_the_facts(void)
{
    CONTAINS(come_in(weir(), "dbname=nowhere"), "FATAL:  no auth_hba_file entry for host \"127.0.0.1\", user "
                                                "\"app_user\", database \"nowhere\", no encryption");
    CONTAINS(come_in(weir(), "dbname=nowhere sslmode=require"), "database \"nowhere\", SSL encryption");
    CONTAINS(come_in(weir(), "dbname=plain sslmode=require"), "no auth_hba_file entry for");
    CONTAINS(come_in(weir(), text("dbname=nowhere user=md5_user host=%s", weir_dir(weir()))),
             "no auth_hba_file entry for host \"[local]\", user \"md5_user\"");
    weir_log_forget(weir());
    CONTAINS(come_in(weir(), "user=evil_x"), "auth_hba_file rejects connection for host \"127.0.0.1\", user "
                                             "\"evil_x\", database \"app\", no encryption");
    EVENTUALLY(weir_logged(weir(), "/hba:3"));
}

static void
physical_replication_meets_its_own_rules_only(void)
{
    SAYS(come_in(weir(), "dbname=trusting"), "in");
    CONTAINS(come_in(weir(), "dbname=trusting replication=true"), "auth_hba_file rejects connection");
    CONTAINS(come_in(weir(), "dbname=trusting user=md5_user replication=true"), "no auth_hba_file entry for");
}

static void
a_certificate_proves_its_name(void)
{
    SAYS(come_in(weir(), text("dbname=certs user=cert_user %s", certificate())), "in");
    CONTAINS(come_in(weir(), text("dbname=certs user=app_user %s", certificate())),
             "certificate authentication failed for user \"app_user\"");
    CONTAINS(come_in(weir(), text("dbname=certs user=CERT_USER %s", certificate())),
             "certificate authentication failed for user \"CERT_USER\"");
    CONTAINS(come_in(weir(), "dbname=certs user=cert_user sslmode=require"),
             "connection requires a valid client certificate");
    CONTAINS(come_in(weir(), text("dbname=certs user=cert_user sslmode=disable")),
             "no auth_hba_file entry for");
}

static void
maps_give_a_certificate_other_names(void)
{
    SAYS(come_in(weir(), text("dbname=mapped user=analytics_user %s", certificate())), "in");
    CONTAINS(come_in(weir(), text("dbname=mapped user=cert_user %s", certificate())),
             "certificate authentication failed");
    SAYS(come_in(weir(), text("dbname=mapped user=md5_user %s", certificate())), "in");
    SAYS(come_in(weir(), text("dbname=subject user=tls_user %s", certificate())), "in");
    CONTAINS(come_in(weir(), text("dbname=subject user=cert_user %s", certificate())),
             "certificate authentication failed");
}

static void
a_certificate_can_be_wanted_beside_a_password(void)
{
    SAYS(come_in(weir(), text("dbname=both %s", certificate())), "in");
    CONTAINS(come_in(weir(), text("dbname=both password=wrong %s", certificate())),
             "password authentication failed");
    CONTAINS(come_in(weir(), "dbname=both sslmode=require"),
             "connection requires a valid client certificate");
    CONTAINS(come_in(weir(), text("dbname=full %s", certificate())), "certificate authentication failed");
}

static void
the_peer_of_a_unix_socket_is_known_to_the_system(void)
{
    const struct passwd *me = getpwuid(geteuid());

    if (me == NULL || (strcmp(me->pw_name, "root") != 0 && strcmp(me->pw_name, "postgres") != 0)) {
        test_skip("the map knows root and postgres only");
        return;
    }
    SAYS(come_in(weir(), text("dbname=peer password=wrong host=%s", weir_dir(weir()))), "in");
    CONTAINS(come_in(weir(), text("dbname=peer user=md5_user host=%s", weir_dir(weir()))),
             "Peer authentication failed for user \"md5_user\"");
    CONTAINS(come_in(weir(), "dbname=peer"), "no auth_hba_file entry for");
}

static void
certificates_can_be_the_only_way_in(void)
{
    struct weir *w = weir_get(&(struct weir_spec){
        .settings = "auth_type = cert\n"
                    "client_tls_sslmode = verify-full\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n"
                    "client_tls_ca_file = $PGDIR/ca.crt\n"
                    "server_connections = 10\n",
        .databases = "* = host=127.0.0.1 port=$PORT dbname=app user=app_user password=app_user_pw\n",
    });

    SAYS(come_in(w, text("user=cert_user %s", certificate())), "in");
    CONTAINS(come_in(w, text("user=app_user %s", certificate())), "certificate authentication failed");
    CONTAINS(come_in(w, "user=cert_user sslmode=disable"), "SSL required");
}

static void
bad_rules_keep_the_old_ones_in_force(void)
{
    struct weir_spec spec = { .settings =
                                  "auth_type = hba\nauth_hba_file = $DIR/hba\nserver_connections = 10\n",
                              .hba = "host all all all scram-sha-256\n" };
    struct weir *w = weir_start(&spec);

    SAYS(come_in(w, "dbname=app"), "in");
    spec.hba = "host all app_user all reject\nhost all all\n";
    weir_rewrite(w, &spec);
    weir_signal(w, SIGHUP);
    EVENTUALLY(weir_logged(w, "/hba:2: the line ends before its address"));
    EVENTUALLY(weir_logged(w, "reload failed"));
    SAYS(come_in(w, "dbname=app"), "in");
    spec.hba = "host all app_user all reject\nhost all all all trust\n";
    weir_rewrite(w, &spec);
    weir_signal(w, SIGHUP);
    EVENTUALLY(HAS(come_in(w, "dbname=app"), "rejects connection"));
    weir_stop(w);
}

static void
users_taken_out_of_the_auth_file_cannot_log_in(void)
{
    struct weir_spec spec = { .settings = "server_connections = 10\n" };
    struct weir *w = weir_start(&spec);

    SAYS(come_in(w, "dbname=app"), "in");
    spec.userlist = "\"analytics_user\" \"analytics_user_pw\"\n";
    weir_rewrite(w, &spec);
    weir_signal(w, SIGHUP);
    EVENTUALLY(HAS(come_in(w, "dbname=app"), "password authentication failed for user \"app_user\""));
    SAYS(come_in(w, "user=analytics_user password=analytics_user_pw"), "in");
    weir_stop(w);
}

/* --- changing a password --- */

static void
both_passwords_are_good_while_one_is_changed(void)
{
    static const char *const types[] = { "scram-sha-256", "md5", "plain" };

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        char settings[100];
        struct weir *w;

        snprintf(settings, sizeof settings, "auth_type = %s\nserver_connections = 10\n", types[i]);
        w = weir_start(&(struct weir_spec){
            .settings = settings,
            .databases = "app = host=127.0.0.1 port=$PORT user=app_user password=app_user_pw\n",
            .userlist = "\"turning\" \"new\" old \"older\"\n" });
        SAYS(come_in(w, "user=turning password=new"), "in");
        SAYS(come_in(w, "user=turning password=older"), "in");
        CONTAINS(come_in(w, "user=turning password=oldest"), "password authentication failed");
        weir_stop(w);
    }
}

/* Who answers behind these words of conninfo, or why nobody does. */
static const char *
select_1(const struct weir *w, const char *conninfo)
{
    PGconn *c = dial(weir_port(w), "%s", conninfo);
    const char *how = dial_error(c);

    how = how[0] != '\0' ? how : ask(c, "select current_user");
    PQfinish(c);
    return how;
}

static void
servers_are_shown_the_other_password_when_they_refuse_one(void)
{
    struct weir *w;

    pg_ask(pg_main(), "create role turning login password 'older' in role app_user");
    w = weir_start(&(struct weir_spec){ .settings = "auth_type = trust\nserver_connections = 10\n",
                                        .userlist = "\"turning\" \"new\" old \"older\"\n" });
    SAYS(select_1(w, "user=turning"), "turning"); /* not changed there yet */
    CU_ASSERT(weir_logged(w, "the server refused the password of user \"turning\", trying the other one"));
    weir_log_forget(w);
    pg_ask(pg_main(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'turning'");
    EVENTUALLY(strcmp(select_1(w, "user=turning"), "turning") == 0);
    CU_ASSERT_FALSE(weir_logged(w, "trying the other one")); /* it remembers which one does */
    pg_ask(pg_main(), "alter role turning password 'new'");
    pg_ask(pg_main(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'turning'");
    EVENTUALLY(strcmp(select_1(w, "user=turning"), "turning") == 0);
    CU_ASSERT(weir_logged(w, "trying the other one"));
    pg_ask(pg_main(), "alter role turning password 'neither'");
    pg_ask(pg_main(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'turning'");
    EVENTUALLY(HAS(select_1(w, "user=turning"), "password authentication failed"));
    weir_stop(w);
}

static const struct test_case cases[] = {
    TEST(rules_choose_the_method),
    TEST(who_meets_no_rule_or_a_refusing_one_is_told_the_facts),
    TEST(physical_replication_meets_its_own_rules_only),
    TEST(a_certificate_proves_its_name),
    TEST(maps_give_a_certificate_other_names),
    TEST(a_certificate_can_be_wanted_beside_a_password),
    TEST(the_peer_of_a_unix_socket_is_known_to_the_system),
    TEST(certificates_can_be_the_only_way_in),
    TEST(bad_rules_keep_the_old_ones_in_force),
    TEST(users_taken_out_of_the_auth_file_cannot_log_in),
    TEST(both_passwords_are_good_while_one_is_changed),
    TEST(servers_are_shown_the_other_password_when_they_refuse_one),
};

void
suite_auth(void)
{
    SUITE("auth", cases);
}
