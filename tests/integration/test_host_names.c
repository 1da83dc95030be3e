/*
 * test_host_names.c - rules that name hosts. Lookups run in the threads that PAM has too: modules that hang
 * there keep a lookup waiting for as long as a test wants.
 */
#include <glob.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"

void suite_host_names(void);

#define HELPERS 4u /* threads for what may block */
#define SETTINGS                 \
    "auth_type = hba\n"          \
    "auth_hba_file = $DIR/hba\n" \
    "pam_confdir = $DIR/pam\n"   \
    "server_connections = 10\n"

/* Without a name for the loopback address a name server would be asked, and there may be none. */
static bool
has_name(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char name[NI_MAXHOST];

    if (getnameinfo((const struct sockaddr *)&at, sizeof at, name, sizeof name, NULL, 0, NI_NAMEREQD) == 0 &&
        strcmp(name, "localhost") == 0)
        return true;
    test_skip("127.0.0.1 is not called localhost here");
    return false;
}

static struct weir_spec
spec(void)
{
    return (struct weir_spec){
        .settings = SETTINGS "client_login_timeout = 60\n",
        .databases = "* = host=127.0.0.1 port=$PORT dbname=app user=app_user password=app_user_pw\n",
        .hba = "host  early     all       127.0.0.1/32      trust\n"
               "host  slow      all       all               pam pamservice=slow\n"
               "host  app       all       .nowhere.example  trust\n"
               "host  app       md5_user  localhost         reject\n"
               "host  app       app_user  LocalHost         trust\n"
               "host  fallback  all       .nowhere.example  reject\n"
               "host  fallback  all       all               trust\n"
               "host  nowhere   all       .nowhere.example  trust\n",
    };
}

static struct weir *
weir(void)
{
    struct weir_spec s = spec();

    return weir_get(&s);
}

/* "in", or what libpq says. */
static const char *
come_in(const struct weir *w, const char *conninfo)
{
    PGconn *c = dial(weir_port(w), "%s", conninfo);
    const char *how = dial_error(c);

    how = how[0] != '\0' ? how : "in";
    PQfinish(c);
    return how;
}

static void
a_rule_may_name_the_host_of_a_client(void)
{
    if (!has_name())
        return;
    SAYS(come_in(weir(), "dbname=app password=wrong"), "in");
    CONTAINS(come_in(weir(), "dbname=app user=md5_user"), "auth_hba_file rejects connection");
    SAYS(come_in(weir(), "dbname=fallback password=wrong"), "in");
    CONTAINS(come_in(weir(), "dbname=nowhere"), "no auth_hba_file entry for host \"127.0.0.1\"");
    EVENTUALLY(weir_logged(weir(), "rules know its host as \"localhost\""));
}

static void
a_unix_socket_has_no_host_name(void)
{
    CONTAINS(come_in(weir(), text("dbname=app host=%s", weir_dir(weir()))),
             "no auth_hba_file entry for host \"[local]\"");
    CONTAINS(come_in(weir(), text("dbname=fallback host=%s", weir_dir(weir()))),
             "no auth_hba_file entry for host \"[local]\"");
}

static PGconn *
begin(const struct weir *w, const char *database)
{
    return PQconnectStart(text("host=127.0.0.1 port=%u dbname=%s user=app_user password=x sslmode=disable "
                               "gssencmode=disable",
                               weir_port(w), database));
}

/* Some leave at once, some in the middle of their login, wherever that is. */
static void
many_are_looked_up_side_by_side(void)
{
    PGconn *crowd[30];

    if (!has_name())
        return;
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = begin(weir(), i % 2 == 0 ? "app" : "fallback");
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        if (i % 3 == 1)
            (void)dial_is_open(crowd[i]);
        if (i % 3 != 0)
            PQfinish(crowd[i]);
    }
    for (size_t i = 0; i < COUNT_OF(crowd); i += 3) {
        EVENTUALLY(dial_is_open(crowd[i]));
        PQfinish(crowd[i]);
    }
}

/* --- lookups that take their time --- */

/* The service slow: says that it is there, and waits until the file `go` is. */
static void
write_slow_service(const char *dir)
{
    mkdir(text("%s/pam", dir), 0755);
    chmod(text("%s/pam", dir), 0777);
    file_write_mode(
        text("%s/pam/slow", dir),
        text("auth required pam_exec.so quiet %s/pam/wait\naccount required pam_permit.so\n", dir), 0644);
    file_write_mode(text("%s/pam/wait", dir),
                    text("#!/bin/sh\n"
                         "touch %s/pam/inside.$$\n"
                         "for i in $(seq 600); do [ -e %s/pam/go ] && exit 0; sleep 0.1; done\n",
                         dir, dir),
                    0755);
}

static size_t
count_inside(const char *dir)
{
    glob_t found;
    size_t count = glob(text("%s/pam/inside.*", dir), 0, NULL, &found) == 0 ? found.gl_pathc : 0;

    globfree(&found);
    return count;
}

/* Whether each of them keeps a thread busy; moves their logins on. */
static bool
are_inside(const struct weir *w, PGconn **slow)
{
    for (unsigned i = 0; i < HELPERS; i++)
        (void)dial_is_open(slow[i]);
    return count_inside(weir_dir(w)) == HELPERS;
}

static bool
can_fill_helpers(void)
{
    const char *preset = getenv("PGWEIR_PRESET");

    if (preset == NULL || strcmp(preset, "tsan") != 0)
        return has_name();
    test_skip("libpam opens and closes its modules under a lock that ThreadSanitizer cannot see");
    return false;
}

static void
a_slow_lookup_keeps_nobody_else_waiting(void)
{
    struct weir_spec s = spec();
    struct weir *w;
    PGconn *slow[HELPERS];
    PGconn *leaves, *stays;

    if (!can_fill_helpers())
        return;
    w = weir_start(&s);
    write_slow_service(weir_dir(w));
    for (unsigned i = 0; i < HELPERS; i++)
        slow[i] = begin(w, "slow");
    EVENTUALLY(are_inside(w, slow));
    leaves = begin(w, "app");
    stays = begin(w, "app");
    SAYS(come_in(w, "dbname=early password=wrong"), "in"); /* an earlier rule fits: nothing to look up */
    (void)dial_is_open(leaves);
    PQfinish(leaves);
    CU_ASSERT_FALSE(dial_is_open(stays));
    s.settings = SETTINGS "client_login_timeout = 1\n";
    weir_reload(w, &s, "reload: ");
    CONTAINS(come_in(w, "dbname=app"), "client_login_timeout");
    file_write_mode(text("%s/pam/go", weir_dir(w)), "", 0644);
    EVENTUALLY(dial_is_open(stays));
    PQfinish(stays);
    for (unsigned i = 0; i < HELPERS; i++) {
        EVENTUALLY(dial_is_open(slow[i]));
        PQfinish(slow[i]);
    }
    weir_stop(w);
}

static const struct test_case cases[] = {
    TEST(a_rule_may_name_the_host_of_a_client),
    TEST(a_unix_socket_has_no_host_name),
    TEST(many_are_looked_up_side_by_side),
    TEST(a_slow_lookup_keeps_nobody_else_waiting),
};

void
suite_host_names(void)
{
    SUITE("host_names", cases);
}
