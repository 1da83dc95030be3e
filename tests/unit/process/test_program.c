/* The whole program in a child process, on a Unix socket, without a PostgreSQL. */
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/base/mem.h"
#include "pgweir/net/address.h"
#include "pgweir/process/program.h"
#include "pgweir/process/version.h"
#include "place.h"

void suite_program(void);

struct fixture {
    struct place place;
    pid_t pid;
    const char *awaited; /* what has_logged() looks for */
    char *argv[8];
    int argc;
};

static void
fixture_write_ini(struct fixture *f, const char *more)
{
    char ini[800];

    snprintf(ini, sizeof(ini),
             "[pgweir]\nlisten_addr =\nunix_socket_dir = %s\nlogfile = %s/log\npidfile = %s/pid\n"
             "auth_type = trust\nworkers = 2\nshutdown_timeout = 1\n%s\n"
             "[databases]\napp = host=/nonexistent\n",
             f->place.dir, f->place.dir, f->place.dir, more);
    place_write(&f->place, "pgweir.ini", ini);
}

static void
fixture_init(struct fixture *f, const char *more)
{
    static char name[] = "pgweir", quiet[] = "-q", user[] = "-unobody";
    static char path[128];

    memset(f, 0, sizeof(*f));
    place_init(&f->place);
    fixture_write_ini(f, more);
    snprintf(path, sizeof(path), "%s", place_path(&f->place, "pgweir.ini"));
    f->argv[f->argc++] = name;
    f->argv[f->argc++] = quiet;
    if (geteuid() == 0)
        f->argv[f->argc++] = user;
    f->argv[f->argc++] = path;
}

static int
be_pgweir(void *arg)
{
    struct fixture *f = arg;

    return program_main(f->argc, f->argv);
}

static int
be_pgweir_unheard(void *arg)
{
    (void)freopen("/dev/null", "w", stderr);
    (void)freopen("/dev/null", "w", stdout);
    return be_pgweir(arg);
}

static int
be_pgweir_overheard(void *arg)
{
    struct fixture *f = arg;

    (void)freopen(place_path(&f->place, "out"), "w", stdout);
    (void)freopen(place_path(&f->place, "out"), "a", stderr);
    return be_pgweir(arg);
}

static bool
has_logged(void *arg)
{
    struct fixture *f = arg;
    char *log = place_read(&f->place, "log");
    bool has = strstr(log, f->awaited) != NULL;

    free(log);
    return has;
}

/* Whether TEXT comes to stand in the log. */
static bool
logs(struct fixture *f, const char *text)
{
    f->awaited = text;
    return comes_true(has_logged, f);
}

static void
fixture_start(struct fixture *f)
{
    f->pid = start_child(be_pgweir, f);
    CU_ASSERT(logs(f, "process up: " PGWEIR_NAME_AND_VERSION ", libevent "));
}

static void
fixture_fini(struct fixture *f)
{
    CU_ASSERT_FALSE(place_has(&f->place, "pid"));
    CU_ASSERT_FALSE(place_has(&f->place, ".s.PGSQL.6432"));
    place_fini(&f->place);
}

/* A connection that never logs in. */
static int
connect_silently(const struct fixture *f)
{
    struct address a;
    struct error why;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL(address_of_path(&a, place_path(&f->place, ".s.PGSQL.6432"), &why), ERR_NONE);
    CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)(const void *)&a.at, a.len), 0);
    return fd;
}

static void
it_starts_and_stops(void)
{
    static const struct {
        int number;
        const char *log;
    } table[] = {
        { SIGTERM, "got SIGTERM, shutting down, waiting at most 1 s for transactions to end" },
        { SIGINT, "got SIGINT, shutting down, waiting for all transactions to end" },
        { SIGQUIT, "got SIGQUIT, exiting now" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct fixture f;
        char *pid;

        fixture_init(&f, "");
        fixture_start(&f);
        CU_ASSERT(logs(&f, "listening on unix:"));
        pid = place_read(&f.place, "pid");
        CU_ASSERT_EQUAL(strtol(pid, NULL, 10), f.pid);
        free(pid);
        kill(f.pid, table[i].number);
        CU_ASSERT_EQUAL(await_child(f.pid), 0);
        CU_ASSERT(logs(&f, table[i].log));
        fixture_fini(&f);
    }
}

static void
it_stops_with_a_connection_open(void)
{
    static const int numbers[] = { SIGTERM, SIGQUIT };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct fixture f;
        int fd;

        fixture_init(&f, "");
        fixture_start(&f);
        fd = connect_silently(&f);
        kill(f.pid, numbers[i]);
        CU_ASSERT_EQUAL(await_child(f.pid), 0);
        close(fd);
        fixture_fini(&f);
    }
}

static void
it_may_wait_for_its_clients(void)
{
    static const int second[] = { 0, SIGTERM, SIGINT };

    for (size_t i = 0; i < COUNT_OF(second); i++) {
        struct fixture f;
        int fd;

        fixture_init(&f, "shutdown_mode = clients\nshutdown_timeout = 0\ntcp_defer_accept = 0");
        fixture_start(&f);
        fd = connect_silently(&f);
        kill(f.pid, SIGHUP); /* whose answer comes when the connection was accepted */
        CU_ASSERT(logs(&f, "reload: no setting has changed"));
        kill(f.pid, SIGTERM);
        CU_ASSERT(logs(&f, "got SIGTERM, shutting down, waiting for all clients to disconnect"));
        kill(f.pid, SIGUSR2);
        CU_ASSERT(logs(&f, "got SIGUSR2 while shutting down, ignoring"));
        if (second[i] == 0)
            close(fd);
        else
            kill(f.pid, second[i]);
        CU_ASSERT_EQUAL(await_child(f.pid), 0);
        CU_ASSERT(logs(&f, second[i] == 0 ? "no client and no server is left, exiting"
                                          : "while shutting down, exiting now"));
        if (second[i] != 0)
            close(fd);
        fixture_fini(&f);
    }
}

static void
a_good_reload_is_told_and_a_bad_one_changes_nothing(void)
{
    struct fixture f;

    fixture_init(&f, "");
    fixture_start(&f);
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "got SIGHUP, re-reading config"));
    CU_ASSERT(logs(&f, "reload: no setting has changed"));
    fixture_write_ini(&f, "max_client_conn = 77");
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "reload: max_client_conn: 10000 -> 77"));
    fixture_write_ini(&f, "max_client_con = 78\npool_mode = what");
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "max_client_con`"));
    CU_ASSERT(logs(&f, "pool_mode"));
    CU_ASSERT(logs(&f, "reload failed: the configuration from before stays in force"));
    fixture_write_ini(&f, "max_client_conn = 79\nclient_tls_sslmode = require\n"
                          "client_tls_cert_file = /nonexistent.crt\nclient_tls_key_file = /nonexistent.key");
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "/nonexistent.crt"));
    fixture_write_ini(&f, "max_client_conn = 80");
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "reload: max_client_conn: 77 -> 80"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

static void
a_reload_opens_the_log_anew(void)
{
    struct fixture f;

    fixture_init(&f, "");
    fixture_start(&f);
    rename(place_path(&f.place, "log"), place_path(&f.place, "log.1"));
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "reload: no setting has changed"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

static void
signals_pause_and_resume(void)
{
    struct fixture f;

    fixture_init(&f, "");
    fixture_start(&f);
    kill(f.pid, SIGUSR2);
    CU_ASSERT(logs(&f, "got SIGUSR2, but not paused"));
    kill(f.pid, SIGUSR1);
    CU_ASSERT(logs(&f, "got SIGUSR1, pausing all activity"));
    kill(f.pid, SIGUSR1);
    CU_ASSERT(logs(&f, "got SIGUSR1, but already paused"));
    kill(f.pid, SIGUSR2);
    CU_ASSERT(logs(&f, "got SIGUSR2, continuing from PAUSE"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

static void
what_looks_wrong_at_the_start_is_in_the_log(void)
{
    struct fixture f;

    fixture_init(&f, "pkt_buf = 4096");
    fixture_start(&f);
    CU_ASSERT(logs(&f, "WARNING"));
    CU_ASSERT(logs(&f, "pgweir.ini:9: `pkt_buf` has no effect"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

static void
the_next_reload_reads_another_file(void)
{
    struct fixture f;
    char more[200];

    fixture_init(&f, "");
    fixture_start(&f);
    snprintf(more, sizeof(more), "conffile = %s", place_path(&f.place, "other.ini"));
    fixture_write_ini(&f, more);
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "reload: conffile: \"\" -> "));
    kill(f.pid, SIGHUP);
    CU_ASSERT(logs(&f, "cannot open `"));
    CU_ASSERT(logs(&f, "reload failed"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

/* The socket of a service manager, on which anybody may write. */
static int
listen_for_notes(const struct fixture *f)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(where.sun_path, sizeof(where.sun_path), "%s", place_path(&f->place, "notify"));
    CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)(const void *)&where, sizeof(where)), 0);
    CU_ASSERT_EQUAL(chmod(where.sun_path, 0777), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static bool
next_note_has(int fd, const char *text)
{
    char note[400];
    ssize_t n = recv(fd, note, sizeof(note) - 1, 0);

    note[n < 0 ? 0 : n] = '\0';
    return strstr(note, text) != NULL;
}

static void
a_service_manager_hears_how_it_goes(void)
{
    struct fixture f;
    int fd;

    fixture_init(&f, "");
    fd = listen_for_notes(&f);
    setenv("NOTIFY_SOCKET", place_path(&f.place, "notify"), 1);
    f.pid = start_child(be_pgweir, &f);
    unsetenv("NOTIFY_SOCKET");
    CU_ASSERT(next_note_has(fd, "READY=1\n"));
    kill(f.pid, SIGHUP);
    CU_ASSERT(next_note_has(fd, "RELOADING=1\nMONOTONIC_USEC="));
    CU_ASSERT(next_note_has(fd, "READY=1\n"));
    fixture_write_ini(&f, "no_such_key = 1");
    kill(f.pid, SIGHUP);
    CU_ASSERT(next_note_has(fd, "RELOADING=1\n"));
    CU_ASSERT(next_note_has(fd, "STATUS=serving; the last reload failed"));
    kill(f.pid, SIGTERM);
    CU_ASSERT(next_note_has(fd, "STOPPING=1\n"));
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    close(fd);
    fixture_fini(&f);
}

/* As a service manager starts it, with one socket that listens. */
static int
be_pgweir_with_a_socket(void *arg)
{
    struct fixture *f = arg;
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char pid[32];

    snprintf(where.sun_path, sizeof(where.sun_path), "%s", place_path(&f->place, "given"));
    if (bind(fd, (const struct sockaddr *)(const void *)&where, sizeof(where)) != 0 || listen(fd, 5) != 0 ||
        dup2(fd, 3) != 3)
        return 99;
    chmod(where.sun_path, 0777);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    return be_pgweir(f);
}

static void
sockets_of_a_service_manager_replace_its_own(void)
{
    static const unsigned char ssl_request[] = { 0, 0, 0, 8, 4, 210, 22, 47 };
    struct fixture f;
    struct address a;
    struct error why;
    char answer = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fixture_init(&f, "");
    f.pid = start_child(be_pgweir_with_a_socket, &f);
    CU_ASSERT(logs(&f, "given, handed over by the service manager"));
    CU_ASSERT(logs(&f, "process up: "));
    CU_ASSERT_FALSE(place_has(&f.place, ".s.PGSQL.6432"));
    CU_ASSERT_EQUAL(address_of_path(&a, place_path(&f.place, "given"), &why), ERR_NONE);
    CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)(const void *)&a.at, a.len), 0);
    CU_ASSERT_EQUAL(write(fd, ssl_request, sizeof(ssl_request)), sizeof(ssl_request));
    CU_ASSERT_EQUAL(read(fd, &answer, 1), 1);
    CU_ASSERT_EQUAL(answer, 'N');
    close(fd);
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    CU_ASSERT(place_has(&f.place, "given")); /* it is not ours to remove */
    fixture_fini(&f);
}

static void
a_start_that_fails_leaves_nothing_behind(void)
{
    static const char *const mistakes[] = {
        "unix_socket_dir =",
        "unix_socket_dir = /nonexistent",
        "logfile = /nonexistent/log",
        "pidfile = /nonexistent/pid",
        "no_such_option = 1",
        "client_tls_sslmode = require",
        "listen_addr = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };

    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct fixture f;

        fixture_init(&f, mistakes[i]);
        CU_ASSERT_EQUAL(run_child(be_pgweir_unheard, &f), 1);
        fixture_fini(&f);
    }
}

static void
a_second_one_does_not_start(void)
{
    struct fixture f;

    fixture_init(&f, "");
    fixture_start(&f);
    CU_ASSERT_EQUAL(run_child(be_pgweir_unheard, &f), 1);
    CU_ASSERT(logs(&f, "another pgweir is running"));
    CU_ASSERT(place_has(&f.place, "pid"));
    kill(f.pid, SIGTERM);
    CU_ASSERT_EQUAL(await_child(f.pid), 0);
    fixture_fini(&f);
}

/* What `pgweir FLAG` prints, if it exits with CODE. */
static void
print_for(const char *flag, int code, char *out, size_t size)
{
    struct fixture f;
    char *text;
    char flags[32];

    memset(&f, 0, sizeof(f));
    place_init(&f.place);
    snprintf(flags, sizeof(flags), "%s", flag);
    f.argv[0] = flags;
    f.argv[1] = flags;
    f.argc = 2;
    CU_ASSERT_EQUAL(run_child(be_pgweir_overheard, &f), code);
    text = place_read(&f.place, "out");
    snprintf(out, size, "%.*s", (int)size - 1, text);
    free(text);
    place_fini(&f.place);
}

static void
it_tells_what_it_is_asked(void)
{
    char text[4000];

    print_for("--version", 0, text, sizeof(text));
    CU_ASSERT_EQUAL(
        strncmp(text, PGWEIR_NAME_AND_VERSION "\nlibevent ", strlen(PGWEIR_NAME_AND_VERSION) + 10), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nadns: evdns2\ntls: OpenSSL 3"));
    print_for("--help", 0, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Usage: pgweir"));
    print_for("--help-config", 0, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "listen_addr"));
    print_for("--nonsense", 1, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(
        text, "pgweir: unknown option --nonsense\nTry \"pgweir --help\" for more information.\n");
}

void
suite_program(void)
{
    CU_pSuite suite = CU_add_suite("program", NULL, NULL);

    CU_ADD_TEST(suite, it_starts_and_stops);
    CU_ADD_TEST(suite, it_stops_with_a_connection_open);
    CU_ADD_TEST(suite, it_may_wait_for_its_clients);
    CU_ADD_TEST(suite, a_good_reload_is_told_and_a_bad_one_changes_nothing);
    CU_ADD_TEST(suite, a_reload_opens_the_log_anew);
    CU_ADD_TEST(suite, signals_pause_and_resume);
    CU_ADD_TEST(suite, what_looks_wrong_at_the_start_is_in_the_log);
    CU_ADD_TEST(suite, the_next_reload_reads_another_file);
    CU_ADD_TEST(suite, a_service_manager_hears_how_it_goes);
    CU_ADD_TEST(suite, sockets_of_a_service_manager_replace_its_own);
    CU_ADD_TEST(suite, a_start_that_fails_leaves_nothing_behind);
    CU_ADD_TEST(suite, a_second_one_does_not_start);
    CU_ADD_TEST(suite, it_tells_what_it_is_asked);
}
