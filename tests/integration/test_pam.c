/*
 * test_pam.c - logins that PAM decides. Its rules stand in the instance's own directory (pam_confdir), and a
 * script decides for them: it gets the password on its standard input, without a newline.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"

void suite_pam(void);

/* Services: pgweir asks the script; permit and deny need none; slow waits until the file `go` is there. */
static void
write_rules(const struct weir *w)
{
    const char *dir = weir_dir(w);

    mkdir(text("%s/pam", dir), 0755);
    file_write_mode(
        text("%s/pam/pgweir", dir),
        text("auth required pam_exec.so quiet expose_authtok %s/pam/check\naccount required pam_permit.so\n",
             dir),
        0644);
    file_write_mode(text("%s/pam/permit", dir),
                    "auth required pam_permit.so\naccount required pam_permit.so\n", 0644);
    file_write_mode(text("%s/pam/deny", dir), "auth required pam_deny.so\naccount required pam_permit.so\n",
                    0644);
    file_write_mode(text("%s/pam/expired", dir),
                    "auth required pam_permit.so\naccount required pam_deny.so\n", 0644);
    file_write_mode(
        text("%s/pam/slow", dir),
        text("auth required pam_exec.so quiet %s/pam/wait\naccount required pam_permit.so\n", dir), 0644);
    file_write_mode(
        text("%s/pam/check", dir),
        "#!/bin/sh\n"
        "given=$(tr -d '\\000')\n"
        "[ \"$PAM_USER from $PAM_RHOST has $given\" = \"app_user from 127.0.0.1 has app_user_pw\" ]\n",
        0755);
    file_write_mode(text("%s/pam/wait", dir),
                    text("#!/bin/sh\n"
                         "touch %s/waiting\n"
                         "for i in $(seq 600); do [ -e %s/pam/go ] && exit 0; sleep 0.1; done\n",
                         dir, dir),
                    0755);
    chmod(text("%s/pam", dir), 0777);
}

static struct weir *
weir(void)
{
    static const struct weir_spec spec = {
        .settings = "auth_type = hba\n"
                    "auth_hba_file = $DIR/hba\n"
                    "pam_confdir = $DIR/pam\n"
                    "server_connections = 10\n",
        .databases = "app = host=127.0.0.1 port=$PORT dbname=app\n"
                     "* = host=127.0.0.1 port=$PORT dbname=app user=app_user password=app_user_pw\n",
        .userlist = "\"somebody\" \"else\"\n",
        .hba = "host app      all all pam\n"
               "host permit   all all pam pamservice=permit\n"
               "host deny     all all pam pamservice=deny\n"
               "host expired  all all pam pamservice=expired\n"
               "host slow     all all pam pamservice=slow\n"
               "host nowhere  all all pam pamservice=nowhere\n"
               "host password all all password\n",
    };
    struct weir *w = weir_get(&spec);

    if (access(text("%s/pam", weir_dir(w)), F_OK) != 0)
        write_rules(w);
    return w;
}

static const char *
come_in(const char *conninfo)
{
    PGconn *c = dial(weir_port(weir()), "%s", conninfo);
    const char *how = dial_error(c);

    how = how[0] != '\0' ? how : ask(c, "select current_user");
    PQfinish(c);
    return how;
}

static void
pam_says_whether_a_password_fits(void)
{
    /* The role has that password on the server too, and the auth file does not know it: it is the client's
     * own. */
    SAYS(come_in("dbname=app"), "app_user");
    CONTAINS(come_in("dbname=app password=wrong"), "PAM authentication failed for user \"app_user\"");
    CONTAINS(come_in("dbname=app user=tls_user password=app_user_pw"),
             "PAM authentication failed for user \"tls_user\"");
    CU_ASSERT(weir_logged(weir(), "PAM refuses user \"tls_user\""));
    CU_ASSERT_FALSE(weir_logged(weir(), "app_user_pw"));
}

static void
a_rule_names_its_own_service(void)
{
    SAYS(come_in("dbname=permit user=whoever password=whatever"), "app_user");
    CONTAINS(come_in("dbname=deny"), "PAM authentication failed");
    CONTAINS(come_in("dbname=expired"), "PAM authentication failed"); /* the account, not the password */
    CONTAINS(come_in("dbname=nowhere"), "PAM authentication failed");
}

/* More than there are threads for it; the workers go on meanwhile, and who gives up is not missed. */
static void
a_slow_module_keeps_nobody_else_waiting(void)
{
    PGconn *waiting[6];
    struct weir *w = weir();

    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = PQconnectStart(text(
            "host=127.0.0.1 port=%u dbname=slow user=app_user password=x sslmode=disable gssencmode=disable",
            weir_port(w)));
    EVENTUALLY(dial_is_open(waiting[0]) || access(text("%s/waiting", weir_dir(w)), F_OK) == 0);
    CONTAINS(come_in("dbname=password user=somebody password=wrong"), "password authentication failed");
    PQfinish(waiting[1]);
    file_write_mode(text("%s/pam/go", weir_dir(w)), "", 0644);
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        if (i == 1)
            continue;
        EVENTUALLY(dial_is_open(waiting[i]));
        PQfinish(waiting[i]);
    }
    unlink(text("%s/pam/go", weir_dir(w)));
}

/* An instance with a module that hangs ends all the same. */
static void
the_end_does_not_wait_for_a_module_that_hangs(void)
{
    struct weir *w = weir_start(&(struct weir_spec){
        .settings =
            "auth_type = pam\npam_service = slow\npam_confdir = $DIR/pam\nserver_connections = 10\n" });
    char go[256];
    PGconn *c;

    snprintf(go, sizeof go, "%s/pam/go", weir_dir(w));
    write_rules(w);
    c = PQconnectStart(text("host=127.0.0.1 port=%u dbname=app user=app_user password=x sslmode=disable "
                            "gssencmode=disable",
                            weir_port(w)));
    EVENTUALLY(dial_is_open(c) || access(text("%s/waiting", weir_dir(w)), F_OK) == 0);
    weir_stop(w);
    PQfinish(c);
    file_write_mode(go, "", 0644); /* for the script, which nobody waits for any more */
}

static const struct test_case cases[] = {
    TEST(pam_says_whether_a_password_fits),
    TEST(a_rule_names_its_own_service),
    TEST(a_slow_module_keeps_nobody_else_waiting),
    TEST(the_end_does_not_wait_for_a_module_that_hangs),
};

void
suite_pam(void)
{
    SUITE("pam", cases);
}
