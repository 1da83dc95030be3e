/* test_options.c - options that show only from outside of the process: to clients, to the system, beside a
 * second process. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

void suite_options(void);

/* --- what clients are told --- */

static void
keep_notice(void *arg, const PGresult *r)
{
    struct buf *out = arg;

    buf_add_text(out, PQresultErrorMessage(r));
}

static void
a_message_follows_the_login(void)
{
    struct weir *w = weir_get(
        &(struct weir_spec){ .settings = "login_notify_message = Mind the weir; it's new\n" });
    struct buf notices = { 0 };
    PGconn *c = dial_start(weir_port(w));

    PQsetNoticeReceiver(c, keep_notice, &notices);
    EVENTUALLY(dial_is_open(c));
    buf_add_u8(&notices, 0);
    CONTAINS((const char *)buf_slice(&notices).at, "NOTICE:  Mind the weir; it's new");
    SAYS(ask(c, "select 1"), "1");
    buf_release(&notices);
    PQfinish(c);
}

static void
names_of_applications_get_their_address(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "application_name_add_host = 1\n" });
    PGconn *c = dial(weir_port(w), "application_name=reports");
    const char *name = ask(c, "show application_name");

    CONTAINS(name, "reports - 127.0.0.1:");
    SAYS(ask(c, "select application_name from pg_stat_activity where pid = pg_backend_pid()"), name);
    PQfinish(c);
    c = weir_dial(w);
    CONTAINS(ask(c, "show application_name"), "app - 127.0.0.1:");
    PQfinish(c);
}

/* --- servers --- */

/* Which of two hosts, the Unix socket and 127.0.0.1, four connections lead to: so many are of the former. */
static int
servers_by_socket(const char *balance)
{
    char databases[600];
    struct weir *w;
    PGconn *c[4];
    int count = 0;

    snprintf(databases, sizeof databases, "app = host=%s,127.0.0.1 port=$PORT load_balance_hosts=%s\n",
             pg_main()->socket, balance);
    w = weir_start(&(struct weir_spec){ .settings = "server_connections = 10\n", .databases = databases });
    for (size_t i = 0; i < COUNT_OF(c); i++) {
        c[i] = weir_dial(w);
        SAYS(ask(c[i], "begin"), "BEGIN");
        count += strcmp(ask(c[i], "select inet_server_addr()"), "NULL") == 0;
    }
    for (size_t i = 0; i < COUNT_OF(c); i++)
        PQfinish(c[i]);
    weir_stop(w);
    return count;
}

static void
a_list_of_hosts_is_used_in_turn_or_from_its_beginning(void)
{
    int in_order = servers_by_socket("disable");

    CU_ASSERT_EQUAL(servers_by_socket("round-robin"), 2);
    CU_ASSERT(in_order == 0 || in_order == 4); /* all on the one that it has begun with */
}

/* --- the system --- */

/* Two processes on one port; the older one leaves without that any client notices. */
static void
two_processes_share_a_port(void)
{
    static const char old_settings[] = "admin_users = app_user\nso_reuseport = 1\n";
    struct weir *old = weir_start(&(struct weir_spec){ .settings = old_settings });
    char settings[100];
    struct weir *new;
    PGconn *c[200], *console;
    size_t count = 0;

    snprintf(settings, sizeof settings, "so_reuseport = 1\nlisten_port = %u\n", weir_port(old));
    new = weir_start(&(struct weir_spec){ .settings = settings });
    while (count < COUNT_OF(c) &&
           (!weir_logged(old, "login attempt") || !weir_logged(new, "login attempt"))) {
        c[count] = weir_dial(old);
        SAYS(ask(c[count++], "select 1"), "1");
    }
    CU_ASSERT(weir_logged(old, "login attempt"));
    CU_ASSERT(weir_logged(new, "login attempt"));
    console = dial(weir_port(old), "host=%s dbname=pgbouncer", weir_dir(old));
    SAYS(ask(console, "SHUTDOWN WAIT_FOR_CLIENTS"), "SHUTDOWN");
    weir_log_forget(old);
    for (int i = 0; i < 5; i++) {
        PGconn *later = weir_dial(old);

        SAYS(ask(later, "select 'served by the new one'"), "served by the new one");
        PQfinish(later);
    }
    CU_ASSERT(!weir_logged(old, "login attempt"));
    while (count > 0) {
        SAYS(ask(c[--count], "select 1"), "1");
        PQfinish(c[count]);
    }
    CU_ASSERT_EQUAL(weir_exit_code(old), 0);
    PQfinish(console);
    weir_stop(new);
}

/* A stand-in for the system's log, where there is none and we may make it; -1 elsewhere. */
static int
listen_as_syslog(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    int fd;

    if (access(at.sun_path, F_OK) == 0 || geteuid() != 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    CU_ASSERT_EQUAL(chmod(at.sun_path, 0666), 0);
    return fd;
}

/* Whether a datagram with all of WORDS has come; others are dropped. */
static bool
has_come(int fd, const char *one, const char *other)
{
    char line[2000];
    ssize_t n;

    while ((n = recv(fd, line, sizeof line - 1, 0)) > 0) {
        line[n] = '\0';
        if (HAS(line, one) && HAS(line, other))
            return true;
    }
    return false;
}

static void
the_log_goes_to_syslog_too(void)
{
    int fd = listen_as_syslog();
    struct weir *w;
    PGconn *c;

    if (fd < 0) {
        test_skip("there is a /dev/log, or we may not make one");
        return;
    }
    w = weir_start(
        &(struct weir_spec){ .settings = "syslog = 1\nsyslog_facility = local3\nsyslog_ident = the_weir\n" });
    unlink("/dev/log");                              /* it has opened it by now */
    EVENTUALLY(has_come(fd, "<158>", "process up")); /* local3 is 19, info 6 */
    c = dial(weir_port(w), "password=wrong");
    EVENTUALLY(has_come(fd, "the_weir[", "password authentication failed"));
    PQfinish(c);
    weir_stop(w);
    close(fd);
}

static const struct test_case cases[] = {
    TEST(a_message_follows_the_login),
    TEST(names_of_applications_get_their_address),
    TEST(a_list_of_hosts_is_used_in_turn_or_from_its_beginning),
    TEST(two_processes_share_a_port),
    TEST(the_log_goes_to_syslog_too),
};

void
suite_options(void)
{
    SUITE("options", cases);
}
