/*
 * test_start.c - the command line, and what pgweir says when it cannot start.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"

void suite_start(void);

/* Runs pgweir with these arguments to its end; what it said is in OUT as a text. */
static int
pgweir(struct buf *out, const char *first, const char *second)
{
    int code = run(out, NULL, (const char *const[]){ weir_binary(), first, second, NULL });

    buf_add_u8(out, '\0');
    return code;
}

static const char *
output(const struct buf *out)
{
    return (const char *)buf_slice(out).at;
}

/* Starts pgweir with this ini, which must fail at once with SAYING (among other things) on stderr. */
static void
refuses(const char *ini, const char *saying)
{
    static unsigned number;
    const char *path = text("%s/bad-%u.ini", pg_main()->dir, number++);
    FILE *f = fopen(path, "w");
    struct buf out = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(ini, f);
    fclose(f);
    CU_ASSERT_EQUAL(pgweir(&out, path, NULL), 1);
    CONTAINS(output(&out), saying);
    buf_release(&out);
    unlink(path);
}

#define AS_SOMEBODY (geteuid() == 0 ? "user = postgres\n" : "")

static void
mistakes_in_the_ini_are_told_with_their_line(void)
{
    refuses(text("[pgweir]\n%sdefualt_pool_size = 5\n[databases]\napp = host=127.0.0.1\n", AS_SOMEBODY),
            text(":%d: ", geteuid() == 0 ? 3 : 2));
    refuses(text("[pgweir]\n%sdefualt_pool_size = 5\n", AS_SOMEBODY), "default_pool_size");
    refuses("[pgweir]\nlisten_port = many\n", ":2: ");
    refuses("[pgweir]\nlisten_port = 70000\n", ":2: ");
    refuses("[pgweir]\npool_mode = transactoin\n", "transaction");
    refuses("[pgweir]\nquery_wait_timeout = 5 parsecs\n", ":2: ");
    refuses("[pgweir]\nthis is no setting\n", ":2: ");
    refuses("[pgwier]\nlisten_port = 6432\n", ":1: ");
    refuses("listen_port = 6432\n", ":1: ");
    refuses("[pgweir]\n[databases]\napp = host=127.0.0.1 prot=5432\n", "port");
    refuses("[pgweir]\n[databases]\napp = host='127.0.0.1\n", ":3: ");
    refuses("[pgweir]\n%include /nowhere/at/all.ini\n", "/nowhere/at/all.ini");
}

static void
all_mistakes_are_told_at_once(void)
{
    const char *ini = "[pgweir]\nlisten_prot = 6432\nworkers = some\n[databases]\napp = hots=127.0.0.1\n";

    refuses(ini, ":2: ");
    refuses(ini, ":3: ");
    refuses(ini, ":5: ");
}

static void
files_that_are_not_there_are_named(void)
{
    struct buf out = { 0 };

    CU_ASSERT_EQUAL(pgweir(&out, "/nowhere/pgweir.ini", NULL), 1);
    CONTAINS(output(&out), "/nowhere/pgweir.ini");
    buf_release(&out);
    refuses(text("[pgweir]\n%sauth_file = /nowhere/userlist.txt\n", AS_SOMEBODY), "/nowhere/userlist.txt");
    refuses(text("[pgweir]\n%sclient_tls_sslmode = require\nclient_tls_cert_file = /nowhere/crt\n"
                 "client_tls_key_file = /nowhere/key\n",
                 AS_SOMEBODY),
            "/nowhere/");
    refuses(text("[pgweir]\n%sclient_tls_sslmode = require\n", AS_SOMEBODY), "client_tls_");
    refuses(
        text("[pgweir]\n%sserver_tls_sslmode = verify-full\nserver_tls_ca_file = /nowhere/ca\n", AS_SOMEBODY),
        "/nowhere/ca");
}

static void
a_port_in_use_is_named(void)
{
    refuses(text("[pgweir]\n%sauth_type = any\nlisten_addr = 127.0.0.1\nlisten_port = %u\nunix_socket_dir =\n"
                 "[databases]\napp = host=127.0.0.1\n",
                 AS_SOMEBODY, pg_main()->port),
            text("%u", pg_main()->port));
}

static void
root_must_become_somebody_else(void)
{
    if (geteuid() != 0) {
        test_skip("only root can be refused for being root");
        return;
    }
    refuses("[pgweir]\nauth_type = any\n[databases]\napp = host=127.0.0.1\n", "root");
    refuses("[pgweir]\nauth_type = any\nuser = nobody_of_this_name\n[databases]\napp = host=127.0.0.1\n",
            "nobody_of_this_name");
}

static void
help_and_version_are_told(void)
{
    struct buf out = { 0 };

    CU_ASSERT_EQUAL(pgweir(&out, "--help", NULL), 0);
    CONTAINS(output(&out), "--daemon");
    buf_release(&out);
    CU_ASSERT_EQUAL(pgweir(&out, "--version", NULL), 0);
    CU_ASSERT(BEGINS(output(&out), "pgweir"));
    CONTAINS(output(&out), "libevent");
    buf_release(&out);
    CU_ASSERT_EQUAL(pgweir(&out, "--nonsense", NULL), 1);
    CONTAINS(output(&out), "nonsense");
    buf_release(&out);
    CU_ASSERT_EQUAL(pgweir(&out, NULL, NULL), 1);
    buf_release(&out);
}

static void
it_gives_up_the_rights_of_root(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ 0 });
    char *status = file_text(text("/proc/%d/status", (int)weir_pid(w)));

    if (geteuid() == 0) {
        CU_ASSERT_PTR_NULL(strstr(status, "\nUid:\t0\t"));
        CU_ASSERT_PTR_NOT_NULL(strstr(status, "\nCapEff:\t0000000000000000"));
    }
    free(status);
}

/* `pgweir check [INSTANCES] ini` exits with CODE; what it says, good until the next call. */
static const char *
checks(const char *ini, const char *instances, int code)
{
    static struct buf out;
    const char *path = text("%s/check.ini", pg_main()->dir);
    FILE *f = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(ini, f);
    fclose(f);
    buf_release(&out);
    CU_ASSERT_EQUAL(run(&out, NULL, (const char *const[]){ weir_binary(), "check", path, instances, NULL }),
                    code);
    buf_add_u8(&out, '\0');
    unlink(path);
    return output(&out);
}

static void
a_file_is_checked_against_its_servers(void)
{
    const char *app = text("host=127.0.0.1 port=%u dbname=app user=app_user password=app_user_pw",
                           pg_main()->port);
    const char *users = text("%s/check.users", pg_main()->dir);
    const char *said;

    file_write(users,
               slice_of_text("\"app_user\" \"app_user_pw\"\n\"analytics_user\" \"analytics_user_pw\"\n"));
    said = checks(text("[pgweir]\nauth_type = trust\n[databases]\napp = %s\n", app), NULL, 0);
    CONTAINS(said, "lets app_user into app");
    CONTAINS(said, "max_connections ");
    CONTAINS(said, "no problem");

    said = checks(text("[pgweir]\nauth_type = trust\nserver_connections = 15\n[databases]\napp = %s\n", app),
                  "--instances=100", 1);
    CONTAINS(said, "100 instances x 15 (server_connections = 15) = 1500");
    CONTAINS(said, "PROBLEM: ");

    said = checks(text("[pgweir]\nauth_file = %s\ndefault_pool_size = 20\nserver_connections = 30\n"
                       "[databases]\napp = host=127.0.0.1 port=%u\n[users]\nanalytics_user = pool_size=4\n",
                       users, pg_main()->port),
                  NULL, 0);
    CONTAINS(
        said,
        "1 user x (pool_size 20 + reserve_pool_size 0) + 1 user x (pool_size 4 + reserve_pool_size 0) = 24");

    said = checks(
        text("[pgweir]\nauth_type = trust\n[databases]\napp = %s\nno = %s dbname=nowhere\n", app, app), NULL,
        1);
    CONTAINS(said, "database \"nowhere\" does not exist");

    said = checks(text("[pgweir]\nauth_type = trust\n[databases]\napp = %sx\n", app), NULL, 1);
    CONTAINS(said, "PROBLEM: database app: ");
    CONTAINS(said, "password");

    said = checks("[pgweir]\nauth_type = trust\n[databases]\napp = host=127.0.0.1 port=1\n", NULL, 1);
    CONTAINS(said, "127.0.0.1:1");
    CONTAINS(said, "1 problem\n");

    said = checks("[pgweir]\nauth_type = trsut\nx = 1\n[databases]\napp = host=127.0.0.1\n", NULL, 1);
    CONTAINS(said, "PROBLEM: ");
    CONTAINS(said, "did you mean `trust`?");
    CONTAINS(said, "3 problems\n");
    unlink(users);
}

static const struct test_case cases[] = {
    TEST(mistakes_in_the_ini_are_told_with_their_line),
    TEST(all_mistakes_are_told_at_once),
    TEST(files_that_are_not_there_are_named),
    TEST(a_port_in_use_is_named),
    TEST(root_must_become_somebody_else),
    TEST(help_and_version_are_told),
    TEST(it_gives_up_the_rights_of_root),
    TEST(a_file_is_checked_against_its_servers),
};

void
suite_start(void)
{
    SUITE("start", cases);
}
