/*
 * harness.c - servers, instances, clients and waiting for the integration tests.
 *
 *     /tmp/pgweir-it.XXXXXX/   main/   small/        PostgreSQL servers, made by tests/lib/pg.sh
 *                              weir-1/ weir-2/ …     pgweir.ini, userlist.txt, log, the Unix socket
 *
 * A test is bounded by a watchdog: when it strikes, every pgweir of the suite is killed, so that whatever hangs on one
 * fails; when that did not help, the run ends. Everything started here ends with the program, even by a signal.
 */

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/TestDB.h>

#define TEST_MOST_S (HARNESS_SANITIZED ? 240u : 100u)
#define LOG_MOST_LINES (HARNESS_SANITIZED ? 400 : 80)
#define MAX_WEIRS 64

struct weir {
    struct weir_spec spec; /* texts are literals of the tests: borrowed */
    char dir[200];
    unsigned port;
    pid_t pid; /* 0 once it has ended */
    int exit_code;
    bool is_shared;
    size_t log_mark;      /* weir_logged() looks behind it */
    size_t log_test_mark; /* a failed test prints what is behind it */
};

static char run_dir[64];
static struct pg main_server, small_server;
static PGconn *main_superuser, *small_superuser;
static struct weir *weirs[MAX_WEIRS]; /* running, or ended within this suite */
static unsigned weir_count, weirs_made;
static unsigned failures_before; /* of the whole run, when the test began */
static bool has_weir_ended_badly;
static volatile sig_atomic_t is_watchdog_loose;

/* --- small things --- */

const char *
text(const char *format, ...)
{
    static char ring[256][4096];
    static unsigned next;
    char *slot = ring[next++ % COUNT_OF(ring)];
    va_list args;

    va_start(args, format);
    vsnprintf(slot, sizeof ring[0], format, args);
    va_end(args);
    return slot;
}

int
number(const char *told)
{
    char *end;
    long value = strtol(told, &end, 10);

    return end != told && *end == '\0' && value >= 0 && value <= INT_MAX ? (int)value : -1;
}

uint64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

struct patience
patience_new(void)
{
    return (struct patience){ .until_ms = now_ms() + WAIT_MS };
}

bool
patience_nap(struct patience *p)
{
    const struct timespec nap = { .tv_nsec = 2000000 };

    if (now_ms() >= p->until_ms)
        p->is_over = true;
    else
        nanosleep(&nap, NULL);
    return !p->is_over;
}

static void die(const char *format, ...) PRINTF_LIKE(1, 2);

static void
die(const char *format, ...)
{
    va_list args;

    fputs("integration tests: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

char *
file_text(const char *path)
{
    struct buf b = { 0 };
    FILE *f = fopen(path, "r");
    char *out;

    if (f != NULL) {
        for (;;) {
            size_t got = fread(buf_reserve(&b, 65536), 1, 65536, f);
            if (got == 0)
                break;
            buf_commit(&b, got);
        }
        fclose(f);
    }
    out = malloc(buf_len(&b) + 1);
    if (out == NULL)
        die("out of memory");
    if (buf_len(&b) > 0)
        memcpy(out, buf_slice(&b).at, buf_len(&b));
    out[buf_len(&b)] = '\0';
    buf_release(&b);
    return out;
}

static void
file_write(const char *path, struct slice content)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fwrite(content.at, 1, content.len, f) != content.len || fclose(f) != 0)
        die("cannot write %s: %s", path, strerror(errno));
}

/* Below the range that the kernel takes for outgoing connections, and another stretch for each run. */
static unsigned
free_port(void)
{
    static unsigned next;

    if (next == 0)
        next = 16000 + (unsigned)getpid() * 37 % 16000;
    for (;; next++) {
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)next),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_free = bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

        close(fd);
        if (is_free)
            return next++;
    }
}

void
says(const char *actual, const char *expected, unsigned line, const char *file)
{
    bool same = strcmp(actual, expected) == 0;

    CU_assertImplementation(same, line, same ? "" : text("`%.900s` should be `%.900s`", actual, expected),
                            file, "", CU_FALSE);
}

void
contains(const char *actual, const char *expected, unsigned line, const char *file)
{
    bool there = strstr(actual, expected) != NULL;

    CU_assertImplementation(there, line,
                            there ? "" : text("`%.900s` should contain `%.900s`", actual, expected), file, "",
                            CU_FALSE);
}

/* --- other programs --- */

static const char *
program_path(const char *name)
{
    const char *path = strchr(name, '/') != NULL ? name : NULL;

    if (path == NULL && getenv("PG_BIN_DIR") != NULL) {
        path = text("%s/%s", getenv("PG_BIN_DIR"), name);
        if (access(path, X_OK) != 0)
            path = NULL;
    }
    return path != NULL ? path : name;
}

static pid_t
spawn(const char *input_file, const char *output_file, const char *const *words)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t plain;
    char *argv[64];
    size_t count = 0;
    pid_t pid = 0;

    for (; words[count] != NULL && count + 1 < COUNT_OF(argv); count++)
        argv[count] = strdup(
            words[count]); /* posix_spawn() promises not to write there, but its type does not */
    argv[count] = NULL;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, input_file, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, output_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_init(&attributes);
    sigemptyset(&plain);
    sigaddset(&plain, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &plain);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (posix_spawnp(&pid, program_path(words[0]), &files, &attributes, argv, environ) != 0)
        pid = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; i < count; i++)
        free(argv[i]);
    return pid;
}

pid_t
run_start(const char *output_file, const char *const *words)
{
    return spawn("/dev/null", output_file, words);
}

int
run_wait(pid_t pid)
{
    int status;

    if (pid <= 0)
        return -1;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
run(struct buf *out, const char *stdin_text, const char *const *words)
{
    static unsigned number;
    const char *input = text("%s/input-%u", run_dir, number);
    const char *output = text("%s/output-%u", run_dir, number++);
    char *told;
    int code;

    file_write(input, slice_of_text(stdin_text != NULL ? stdin_text : ""));
    code = run_wait(spawn(input, output, words));
    told = file_text(output);
    if (out != NULL)
        buf_add_text(out, told);
    free(told);
    unlink(input);
    unlink(output);
    return code;
}

bool
program_exists(const char *name)
{
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    bool found = strchr(program_path(name), '/') != NULL;

    for (char *rest = path, *dir; !found && (dir = strsep(&rest, ":")) != NULL;)
        found = access(text("%s/%s", dir, name), X_OK) == 0;
    free(path);
    return found;
}

/* --- the run: its directory, its end --- */

/* A signal handler, so that only calls are made which one may make: the directory is left to a shell. */
static void
kill_everything(int signal)
{
    for (unsigned i = 0; i < weir_count; i++)
        if (weirs[i]->pid > 0)
            kill(weirs[i]->pid, SIGKILL);
    if (main_server.pid > 0)
        kill(main_server.pid, SIGQUIT);
    if (small_server.pid > 0)
        kill(small_server.pid, SIGQUIT);
    (void)signal;
    execl("/bin/sh", "sh", "-c", "sleep 1; rm -rf \"$1\"; exit 130", "sh", run_dir, (char *)NULL);
    _exit(130);
}

static void
on_watchdog(int signal)
{
    if (is_watchdog_loose)
        kill_everything(signal);
    is_watchdog_loose = 1;
    for (unsigned i = 0; i < weir_count; i++)
        if (weirs[i]->pid > 0)
            kill(weirs[i]->pid, SIGABRT);
    alarm(20);
}

static void
on_end(void)
{
    PQfinish(main_superuser);
    PQfinish(small_superuser);
    for (unsigned i = 0; i < weir_count; i++)
        if (weirs[i]->pid > 0)
            kill(weirs[i]->pid, SIGKILL);
    for (const struct pg *pg = &main_server; pg != NULL; pg = pg == &main_server ? &small_server : NULL)
        if (pg->port != 0)
            run(NULL, NULL, (const char *const[]){ "tests/lib/pg.sh", "remove", pg->dir, NULL });
    run(NULL, NULL, (const char *const[]){ "rm", "-rf", run_dir, NULL });
}

static void
run_dir_make(void)
{
    static const char *const of_libpq[] = {
        "PGHOST",     "PGHOSTADDR", "PGPORT",           "PGUSER",        "PGDATABASE",      "PGPASSWORD",
        "PGPASSFILE", "PGSERVICE",  "PGSSLMODE",        "PGSSLROOTCERT", "PGSSLCERT",       "PGSSLKEY",
        "PGOPTIONS",  "PGAPPNAME",  "PGCHANNELBINDING", "PGGSSENCMODE",  "PGCLIENTENCODING"
    };

    if (run_dir[0] != '\0')
        return;
    strcpy(run_dir, "/tmp/pgweir-it.XXXXXX");
    if (mkdtemp(run_dir) == NULL || chmod(run_dir, 0755) != 0)
        die("cannot make a directory in /tmp: %s", strerror(errno));
    for (size_t i = 0; i < COUNT_OF(of_libpq); i++)
        unsetenv(of_libpq[i]);
    setenv("HOME", run_dir, 1); /* where libpq would look for certificates and passwords */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_watchdog);
    signal(SIGINT, kill_everything);
    signal(SIGTERM, kill_everything);
    atexit(on_end);
}

/* --- PostgreSQL --- */

/* The rest of the line that begins with KEY. */
static const char *
env_value(const char *env, const char *key)
{
    const char *at = strstr(env, key);

    return at == NULL ? "" : text("%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
}

/* Starts PG in directory NAME, with more lines for its postgresql.conf. */
static void
pg_launch(struct pg *pg, const char *name, const char *max_connections, const char *conf)
{
    struct buf out = { 0 };

    run_dir_make();
    if (pg->port == 0)
        pg->port = free_port();
    setenv("PG_MAX_CONNECTIONS", max_connections, 1);
    setenv("PG_CONF", conf, 1);
    if (run(&out, NULL,
            (const char *const[]){ "tests/lib/pg.sh", "start", text("%s/%s", run_dir, name),
                                   text("%u", pg->port), NULL }) != 0)
        die("PostgreSQL does not start: %.*s", (int)buf_len(&out), (const char *)buf_slice(&out).at);
    buf_add_u8(&out, '\0');
    const char *env = (const char *)buf_slice(&out).at;
    snprintf(pg->dir, sizeof pg->dir, "%s", env_value(env, "dir="));
    snprintf(pg->socket, sizeof pg->socket, "%s", env_value(env, "socket="));
    pg->port = (unsigned)number(env_value(env, "port="));
    pg->pid = (pid_t)number(env_value(env, "pid="));
    buf_release(&out);
}

const struct pg *
pg_main(void)
{
    if (main_server.pid == 0)
        pg_launch(&main_server, "main", "100",
                  "listen_addresses = '127.0.0.1,127.0.0.2'\n" /* the certificate does not name 127.0.0.2 */
                  "log_connections = on\n");
    return &main_server;
}

struct pg *
pg_small(void)
{
    if (small_server.pid == 0)
        pg_start(&small_server);
    return &small_server;
}

void
pg_start(struct pg *pg)
{
    pg_launch(pg, "small", "30", "superuser_reserved_connections = 3\nlog_connections = on\n");
}

void
pg_stop(struct pg *pg, const char *mode)
{
    struct buf out = { 0 };

    if (run(&out, NULL, (const char *const[]){ "tests/lib/pg.sh", "stop", pg->dir, mode, NULL }) != 0)
        die("PostgreSQL does not stop: %.*s", (int)buf_len(&out), (const char *)buf_slice(&out).at);
    buf_release(&out);
    pg->pid = 0;
}

/* The superuser's own connection to PG, kept between questions. */
static PGconn *
pg_superuser(const struct pg *pg)
{
    PGconn **kept = pg == &main_server ? &main_superuser : &small_superuser;

    if (*kept != NULL && PQstatus(*kept) == CONNECTION_OK)
        return *kept;
    PQfinish(*kept);
    *kept = PQconnectdb(text("host=%s port=%u dbname=app user=postgres connect_timeout=20 "
                             "options='-c client_min_messages=warning'",
                             pg->socket, pg->port));
    return *kept;
}

const char *
pg_ask(const struct pg *pg, const char *sql, ...)
{
    const char *told;
    char command[8192];
    va_list args;

    va_start(args, sql);
    vsnprintf(command, sizeof command, sql, args);
    va_end(args);
    told = ask(pg_superuser(pg), "%s", command);
    if (BEGINS(told, "LOST") || BEGINS(told, "FATAL")) /* PostgreSQL was restarted since the last question */
        told = ask(pg_superuser(pg), "%s", command);
    return told;
}

int
pg_count(const struct pg *pg, const char *sql, ...)
{
    char command[8192];
    va_list args;

    va_start(args, sql);
    vsnprintf(command, sizeof command, sql, args);
    va_end(args);
    return number(pg_ask(pg, "%s", command));
}

int
pg_backends(const struct pg *pg, const char *user)
{
    return pg_count(pg,
                    "select count(*) from pg_stat_activity where backend_type = 'client backend' "
                    "and usename <> 'postgres' and application_name not like 'pgweir%%' %s",
                    user == NULL ? "" : text("and usename = '%s'", user));
}

/* --- pgweir --- */

static bool
is_direct(void)
{
    return getenv("PGWEIR_TEST_DIRECT") != NULL;
}

static const char *
weir_path(const struct weir *w, const char *name)
{
    return text("%s/%s", w->dir, name);
}

/* Adds TEMPLATE with its $WORDS replaced. */
static void
add_expanded(struct buf *out, const struct weir *w, const char *template)
{
    const struct {
        const char *word;
        const char *value;
    } words[] = {
        { "$PORT", text("%u", w->spec.pg->port) },
        { "$PGDIR", w->spec.pg->dir },
        { "$DIR", w->dir },
    };

    while (*template != '\0') {
        size_t i = 0;

        while (i < COUNT_OF(words) && !BEGINS(template, words[i].word))
            i++;
        if (i < COUNT_OF(words)) {
            buf_add_text(out, words[i].value);
            template += strlen(words[i].word);
        } else {
            buf_add_u8(out, (uint8_t) * template ++);
        }
    }
}

static void
weir_write_files(struct weir *w)
{
    struct buf ini = { 0 };
    struct buf users = { 0 };
    const struct weir_spec *spec = &w->spec;
    char *all_roles = file_text(text("%s/userlist.txt", spec->pg->dir));

    add_expanded(&users, w, spec->userlist != NULL ? spec->userlist : all_roles);
    free(all_roles);
    buf_add_format(&ini,
                   "[pgweir]\n"
                   "listen_addr = 127.0.0.1\n"
                   "listen_port = %u\n"
                   "unix_socket_dir = %s\n"
                   "auth_type = scram-sha-256\n"
                   "auth_file = %s/userlist.txt\n"
                   "workers = 2\n",
                   w->port, w->dir, w->dir);
    if (geteuid() == 0)
        buf_add_text(&ini, "user = postgres\n");
    add_expanded(&ini, w, spec->settings != NULL ? spec->settings : "");
    buf_add_text(&ini, "\n[databases]\n");
    add_expanded(&ini, w,
                 spec->databases != NULL ? spec->databases : "app = host=127.0.0.1 port=$PORT dbname=app\n");
    if (spec->users != NULL) {
        buf_add_text(&ini, "\n[users]\n");
        add_expanded(&ini, w, spec->users);
    }
    file_write(weir_path(w, "userlist.txt"), buf_slice(&users));
    chmod(weir_path(w, "userlist.txt"), 0600);
    file_write(weir_path(w, "pgweir.ini"), buf_slice(&ini));
    buf_release(&ini);
    buf_release(&users);
}

/* The files and the socket must be reachable for the user that pgweir becomes. */
static void
weir_give_dir(const struct weir *w)
{
    if (geteuid() == 0)
        run(NULL, NULL, (const char *const[]){ "chown", "-R", "postgres:", w->dir, NULL });
}

struct weir *
weir_start(const struct weir_spec *spec)
{
    struct weir *w = calloc(1, sizeof *w);
    struct patience p = patience_new();

    if (w == NULL || weir_count == MAX_WEIRS)
        die("too many instances in one suite");
    weirs[weir_count++] = w;
    w->spec = *spec;
    if (w->spec.pg == NULL)
        w->spec.pg = pg_main();
    if (is_direct()) {
        w->port = w->spec.pg->port;
        return w;
    }
    w->port = free_port();
    snprintf(w->dir, sizeof w->dir, "%s/weir-%u", run_dir, ++weirs_made);
    if (mkdir(w->dir, 0755) != 0)
        die("cannot make %s: %s", w->dir, strerror(errno));
    weir_write_files(w);
    weir_give_dir(w);
    w->pid = run_start(weir_path(w, "log"),
                       (const char *const[]){ weir_binary(), weir_path(w, "pgweir.ini"), NULL });
    if (w->pid < 0) {
        w->pid = 0;
        die("cannot start %s", weir_binary());
    }
    while (!weir_logged(w, "process up: ") && !weir_has_ended(w) && patience_nap(&p))
        continue;
    CU_ASSERT(w->pid > 0 && !p.is_over); /* it is up */
    return w;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

struct weir *
weir_get(const struct weir_spec *spec)
{
    const struct pg *pg = spec->pg != NULL ? spec->pg : pg_main();
    struct weir *w;

    for (unsigned i = 0; i < weir_count; i++) {
        const struct weir_spec *other = &weirs[i]->spec;

        if (weirs[i]->is_shared && !weir_has_ended(weirs[i]) && other->pg == pg &&
            same_text(other->settings, spec->settings) && same_text(other->databases, spec->databases) &&
            same_text(other->users, spec->users) && same_text(other->userlist, spec->userlist))
            return weirs[i];
    }
    w = weir_start(spec);
    w->is_shared = true;
    return w;
}

void
weir_rewrite(struct weir *w, const struct weir_spec *spec)
{
    const struct pg *pg = w->spec.pg;

    w->spec = *spec;
    w->spec.pg = pg;
    if (is_direct())
        return;
    weir_write_files(w);
    weir_give_dir(w);
}

/* Notes the end of the process, if it has come. */
bool
weir_has_ended(struct weir *w)
{
    int status;

    if (w->pid > 0 && waitpid(w->pid, &status, WNOHANG) == w->pid) {
        w->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        w->pid = 0;
    }
    return w->pid == 0 && !is_direct();
}

int
weir_exit_code(struct weir *w)
{
    struct patience p = patience_new();

    while (!weir_has_ended(w))
        if (!patience_nap(&p))
            return -1;
    return w->exit_code;
}

static bool
log_has_sanitizer_report(const struct weir *w)
{
    char *log = file_text(weir_path(w, "log"));
    bool has = HAS(log, "Sanitizer") || HAS(log, "runtime error:");

    free(log);
    return has;
}

/* Ends it in a friendly way, and tells whether it went well. */
static bool
weir_end(struct weir *w)
{
    if (w->pid > 0) {
        kill(w->pid, SIGTERM);
        if (weir_exit_code(w) == -1 && w->pid > 0) {
            fprintf(stderr, "\n    pgweir (%s) does not end on SIGTERM\n", w->dir);
            kill(w->pid, SIGKILL);
            weir_exit_code(w);
        }
        if (w->exit_code != 0)
            fprintf(stderr, "\n    pgweir (%s) ended with code %d\n", w->dir, w->exit_code);
    }
    return w->exit_code == 0 && !log_has_sanitizer_report(w);
}

static void
weir_print_log(const struct weir *w, size_t from)
{
    char *log = file_text(weir_path(w, "log"));
    char *at = log + (from < strlen(log) ? from : strlen(log));
    char *start = at + strlen(at);

    for (int lines = 0; start > at; start--)
        if (start[-1] == '\n' && ++lines > LOG_MOST_LINES)
            break;
    if (*start != '\0')
        fprintf(stderr, "\n    --- log of pgweir (%s)%s\n%s    ---\n", w->dir, start > at ? ", its end" : "",
                start);
    free(log);
}

static void
weir_free(struct weir *w)
{
    unsigned i = 0;

    while (weirs[i] != w)
        i++;
    weirs[i] = weirs[--weir_count];
    free(w);
}

void
weir_stop(struct weir *w)
{
    bool ended_well = is_direct() || weir_end(w);

    CU_ASSERT(ended_well);
    if (!ended_well)
        weir_print_log(w, w->log_test_mark);
    weir_free(w);
}

const char *
weir_binary(void)
{
    return getenv("PGWEIR_BIN") != NULL ? getenv("PGWEIR_BIN") : "build/dev/pgweir";
}

unsigned
weir_port(const struct weir *w)
{
    return w->port;
}

const char *
weir_dir(const struct weir *w)
{
    return w->dir;
}

pid_t
weir_pid(const struct weir *w)
{
    return w->pid;
}

void
weir_signal(struct weir *w, int signal)
{
    if (w->pid > 0)
        kill(w->pid, signal);
}

static size_t
log_size(const struct weir *w)
{
    struct stat s;

    return stat(weir_path(w, "log"), &s) == 0 ? (size_t)s.st_size : 0;
}

bool
weir_logged(const struct weir *w, const char *words)
{
    char *log = file_text(weir_path(w, "log"));
    bool yes = strlen(log) > w->log_mark && HAS(log + w->log_mark, words);

    free(log);
    return yes;
}

void
weir_log_forget(struct weir *w)
{
    w->log_mark = log_size(w);
}

unsigned
weir_fd_count(const struct weir *w)
{
    DIR *dir = opendir(text("/proc/%d/fd", (int)w->pid));
    unsigned count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

unsigned
weir_rss_kb(const struct weir *w)
{
    char *status = file_text(text("/proc/%d/status", (int)w->pid));
    const char *at = strstr(status, "VmRSS:");
    unsigned kb = at != NULL ? (unsigned)strtoul(at + strlen("VmRSS:"), NULL, 10) : 0;

    free(status);
    return kb;
}

/* --- clients --- */

/* The default one prints them between the test results. */
static void
keep_quiet(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

static PGconn *
quiet(PGconn *c)
{
    PQsetNoticeReceiver(c, keep_quiet, NULL);
    return c;
}

static const char *
conninfo(unsigned port, const char *more)
{
    return text("host=127.0.0.1 port=%u dbname=app user=app_user password=app_user_pw "
                "sslmode=disable gssencmode=disable connect_timeout=30 %s",
                port, more);
}

PGconn *
dial(unsigned port, const char *more, ...)
{
    char extra[2048] = "";
    va_list args;

    if (more != NULL) {
        va_start(args, more);
        vsnprintf(extra, sizeof extra, more, args);
        va_end(args);
    }
    return quiet(PQconnectdb(conninfo(port, extra)));
}

PGconn *
dial_start(unsigned port)
{
    return quiet(PQconnectStart(conninfo(port, "")));
}

bool
dial_is_open(PGconn *c)
{
    if (PQstatus(c) != CONNECTION_OK && PQstatus(c) != CONNECTION_BAD)
        PQconnectPoll(c);
    return PQstatus(c) == CONNECTION_OK;
}

PGconn *
weir_dial(const struct weir *w)
{
    return dial(w->port, NULL);
}

PGconn *
weir_dial_as(const struct weir *w, const char *user)
{
    return dial(w->port, "user=%s password=%s_pw", user, user);
}

const char *
dial_error(PGconn *c)
{
    return PQstatus(c) == CONNECTION_OK ? "" : text("%s", PQerrorMessage(c));
}

const char *
result_text(PGresult *r)
{
    const char *sqlstate;

    switch (PQresultStatus(r)) {
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        if (PQntuples(r) == 0)
            return text("no rows");
        return PQgetisnull(r, 0, 0) ? text("NULL") : text("%s", PQgetvalue(r, 0, 0));
    case PGRES_COMMAND_OK:
        return text("%s", PQcmdStatus(r));
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        return text("%s", PQresStatus(PQresultStatus(r)));
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
        break;
    }
    sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    if (sqlstate == NULL)
        return text("LOST %s", r != NULL ? PQresultErrorMessage(r) : "");
    return text("%s %s %s", PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED), sqlstate,
                PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
}

const char *
answer(PGconn *c)
{
    const char *told = text("LOST %s", PQerrorMessage(c));
    bool has_failed = false;

    for (PGresult *r; (r = PQgetResult(c)) != NULL;) {
        ExecStatusType status = PQresultStatus(r);

        if (!has_failed)
            told = result_text(r);
        has_failed = has_failed || status == PGRES_FATAL_ERROR;
        PQclear(r);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            break;
    }
    return told;
}

/* Not PQexec(): of a FATAL error and the end of the connection it would tell the latter. */
const char *
ask(PGconn *c, const char *sql, ...)
{
    char command[8192];
    va_list args;

    va_start(args, sql);
    vsnprintf(command, sizeof command, sql, args);
    va_end(args);
    return PQsendQuery(c, command) == 1 ? answer(c) : text("LOST %s", PQerrorMessage(c));
}

bool
has_answered(PGconn *c)
{
    PQconsumeInput(c);
    return !PQisBusy(c);
}

/* --- suites --- */

static void
on_test_begin(void)
{
    failures_before = CU_get_number_of_failures();
    for (unsigned i = 0; i < weir_count; i++)
        weirs[i]->log_test_mark = weirs[i]->log_mark = log_size(weirs[i]);
    alarm(TEST_MOST_S);
}

static void
on_test_end(void)
{
    alarm(0);
    if (is_watchdog_loose)
        CU_FAIL("the test took too long: its pgweirs were killed");
    is_watchdog_loose = 0;
    for (unsigned i = 0; i < weir_count; i++)
        if (log_has_sanitizer_report(weirs[i]) && !has_weir_ended_badly) {
            has_weir_ended_badly = true;
            CU_FAIL("a sanitizer has something to say");
        }
    if (CU_get_number_of_failures() == failures_before)
        return;
    for (unsigned i = 0; i < weir_count; i++)
        weir_print_log(weirs[i], weirs[i]->log_test_mark);
}

static int
on_suite_end(void)
{
    while (weir_count > 0) {
        struct weir *w = weirs[weir_count - 1];
        bool ended_well = is_direct() || weir_end(w);

        if (!ended_well)
            weir_print_log(w, 0);
        else if (getenv("PGWEIR_TEST_LOGS") != NULL)
            weir_print_log(w, 0);
        has_weir_ended_badly = has_weir_ended_badly || !ended_well;
        weir_free(w);
    }
    if (!has_weir_ended_badly)
        return 0;
    has_weir_ended_badly = false;
    return 1;
}

void
suite_add(const char *title, const struct test_case *cases, size_t count)
{
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown(title, NULL, on_suite_end, on_test_begin,
                                                           on_test_end);

    for (size_t i = 0; i < count; i++) {
        char *name = strdup(cases[i].name);

        for (char *c = name; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        if (suite != NULL)
            CU_add_test(suite, name, cases[i].run);
        free(name);
    }
}

void
test_skip(const char *why)
{
    printf("\n    skipped: %s\n", why);
}
