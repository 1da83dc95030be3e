/*
 * weir.c - pgweir instances.
 *
 *     <run_dir>/weir-<n>/   pgweir.ini, userlist.txt, log, the Unix socket
 */

#include "weir.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "machine.h"
#include "pgweir/base/mem.h"

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

static struct weir *weirs[MAX_WEIRS]; /* running, or ended within this suite */
static unsigned weir_count, weirs_made;

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

/* Puts CONTENT in the place of file NAME at once: a reload under way must not read half of it. */
static void
weir_replace_file(struct weir *w, const char *name, const struct buf *content)
{
    char fresh[320], path[300];
    struct stat st;

    snprintf(path, sizeof path, "%s", weir_path(w, name));
    snprintf(fresh, sizeof fresh, "%s.new", path);
    file_write(fresh, buf_slice(content));
    chmod(fresh, 0600);
    if (stat(path, &st) == 0) /* whose it was */
        CU_ASSERT_EQUAL(chown(fresh, st.st_uid, st.st_gid), 0);
    CU_ASSERT_EQUAL(rename(fresh, path), 0);
}

/* Writes TEMPLATE as file NAME, for nobody else to read; NULL: nothing. */
static void
weir_write_file(struct weir *w, const char *name, const char *template)
{
    struct buf content = { 0 };

    if (template == NULL)
        return;
    add_expanded(&content, w, template);
    weir_replace_file(w, name, &content);
    buf_release(&content);
}

static void
weir_write_files(struct weir *w)
{
    struct buf ini = { 0 };
    const struct weir_spec *spec = &w->spec;
    char *all_roles = file_text(text("%s/userlist.txt", spec->pg->dir));

    weir_write_file(w, "userlist.txt", spec->userlist != NULL ? spec->userlist : all_roles);
    weir_write_file(w, "hba", spec->hba);
    weir_write_file(w, "ident", spec->ident);
    free(all_roles);
    buf_add_format(&ini,
                   "[pgweir]\n"
                   "listen_addr = 127.0.0.1\n"
                   "listen_port = %u\n"
                   "unix_socket_dir = %s\n"
                   "auth_type = scram-sha-256\n"
                   "auth_file = %s/userlist.txt\n"
                   "workers = 2\n"
                   "session_audit = 0\n",
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
    weir_replace_file(w, "pgweir.ini", &ini);
    buf_release(&ini);
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
    struct weir *w = mem_new(sizeof *w);
    struct patience p = patience_new();

    if (weir_count == MAX_WEIRS)
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
    snprintf(w->dir, sizeof w->dir, "%s/weir-%u", run_dir(), ++weirs_made);
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
            same_text(other->users, spec->users) && same_text(other->userlist, spec->userlist) &&
            same_text(other->hba, spec->hba) && same_text(other->ident, spec->ident))
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
        if (WIFSIGNALED(status))
            fprintf(stderr, "\n    pgweir (%s) was ended by signal %d\n", w->dir, WTERMSIG(status));
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

void
weir_reload(struct weir *w, const struct weir_spec *spec, const char *outcome)
{
    weir_log_forget(w);
    weir_rewrite(w, spec);
    weir_signal(w, SIGHUP);
    EVENTUALLY(weir_logged(w, outcome));
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

/* --- all of them --- */

void
weirs_note_test(void)
{
    for (unsigned i = 0; i < weir_count; i++)
        weirs[i]->log_test_mark = weirs[i]->log_mark = log_size(weirs[i]);
}

void
weirs_print_logs(void)
{
    for (unsigned i = 0; i < weir_count; i++)
        weir_print_log(weirs[i], weirs[i]->log_test_mark);
}

bool
weirs_have_reports(void)
{
    for (unsigned i = 0; i < weir_count; i++)
        if (log_has_sanitizer_report(weirs[i]))
            return true;
    return false;
}

bool
weirs_end_all(void)
{
    bool all_well = true;

    while (weir_count > 0) {
        struct weir *w = weirs[weir_count - 1];
        bool ended_well = is_direct() || weir_end(w);

        if (!ended_well || getenv("PGWEIR_TEST_LOGS") != NULL)
            weir_print_log(w, 0);
        all_well = all_well && ended_well;
        weir_free(w);
    }
    return all_well;
}

void
weirs_kill_all(int signal)
{
    for (unsigned i = 0; i < weir_count; i++)
        if (weirs[i]->pid > 0)
            kill(weirs[i]->pid, signal);
}
