/*
 * password_command.c - one token for each (command, server, database, user).
 *
 *     ask -> token --+-- good: answered at once
 *                    +-- old, refused, or never there: the command runs, and who asks waits for it
 *
 *     NONE -> WAITING -> RUNNING -> REAPING -> GOOD or FAILED
 *             (turn)     (reads)    (EOF)
 *
 *     A good token is made anew before it is over, if somebody has asked for it meanwhile; else it is
 *     forgotten. Where that fails, it serves on until it is over. At most COMMANDS_MOST run at once. A
 *     command that takes too long, or prints too much, is killed with everything that it has started.
 */
#include "password_command_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth_query_impl.h"
#include "pgweir/base/list.h"
#include "pgweir/base/log.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"
#include "pgweir/config/route.h"

#define COMMANDS_MOST 8u
#define OUTPUT_MOST (64u * 1024u)
#define RUN_MOST_US (UINT64_C(10) * US_PER_S)
#define REAP_US (UINT64_C(5) * US_PER_MS)
#define PAUSE_US   \
    (UINT64_C(1) * \
     US_PER_S) /* after a failure; and a token younger than this is not made anew because it was refused */

enum token_state { TOKEN_NONE, TOKEN_WAITING, TOKEN_RUNNING, TOKEN_REAPING, TOKEN_GOOD, TOKEN_FAILED };

struct token {
    struct map_node in_tokens; /* by key */
    struct link in_waiting;    /* exactly while WAITING */
    struct password_commands *owner;
    char *key;
    enum token_state state;
    struct route *route; /* held: whose command it is */
    /* owned; NULL: none yet. While it is made anew the old one goes on serving until it expires */
    char *secret;
    uint64_t made_us;        /* when secret was made */
    uint64_t refused_us;     /* when it was made anew because a server refused it; 0: never */
    bool is_wanted;          /* somebody has asked for it since then */
    struct secret_ask *asks; /* who waits */
    /* RUNNING, REAPING: the bound; GOOD: when it is looked at again; FAILED: when it is forgotten */
    struct timer timer;
    struct timer reap;
    pid_t pid;
    int fd; /* what it prints; -1: none */
    struct event readable;
    struct buf output;
};

struct password_commands {
    struct loop *loop;
    const struct settings *settings; /* held */
    struct map tokens;
    struct list waiting;
    unsigned running_count;
};

/* --- tokens --- */

static bool
is_token(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct token, in_tokens)->key, key) == 0;
}

static void on_timer(struct timer *timer);
static void on_reap(struct timer *timer);

static struct token *
token_for(struct password_commands *p, struct route *route)
{
    char *key = mem_format("%s\n%s\n%s\n%s", route->password_command, route->host_key, route->server_database,
                           route->user);
    uint64_t hash = map_hash(slice_of_text(key));
    struct map_node *node = map_find(&p->tokens, hash, is_token, key);
    struct token *t;

    if (node != NULL) {
        free(key);
        return CONTAINER_OF(node, struct token, in_tokens);
    }
    t = mem_new(sizeof(*t));
    t->owner = p;
    t->key = key;
    t->route = route_hold(route);
    t->fd = -1;
    link_init(&t->in_waiting);
    timer_init(&t->timer, on_timer);
    timer_init(&t->reap, on_reap);
    buf_init(&t->output);
    map_add(&p->tokens, &t->in_tokens, hash);
    return t;
}

static void
stop_reading(struct token *t)
{
    if (t->fd < 0)
        return;
    event_del(&t->readable);
    close(t->fd);
    t->fd = -1;
}

/* Nobody waits for it, and nothing of it runs. */
static void
token_free(struct token *t)
{
    stop_reading(t);
    timer_cancel(&t->timer);
    timer_cancel(&t->reap);
    link_remove(&t->in_waiting);
    map_remove(&t->owner->tokens, &t->in_tokens);
    route_drop(t->route);
    buf_wipe(&t->output);
    mem_free_secret(t->secret);
    free(t->key);
    free(t);
}

static uint64_t
age_us(const struct token *t)
{
    return loop_now_us(t->owner->loop) - t->made_us;
}

/* Whether there is a password that has not expired. */
static bool
is_young(const struct token *t)
{
    return t->secret != NULL && age_us(t) < t->route->password_command_ttl_us;
}

static void
answer(const struct token *t, struct secret_ask *ask)
{
    ask->outcome = SECRET_GIVEN;
    ask->secret = mem_text(t->secret);
    secret_ask_answer(ask);
}

static void
fail(struct secret_ask *ask)
{
    secret_ask_fail(ask, SQLSTATE_CANNOT_CONNECT, "password_command gave no password for the server");
}

static void
answer_all(struct token *t)
{
    struct secret_ask *ask = t->asks, *next;

    t->asks = NULL;
    for (; ask != NULL; ask = next) {
        next = ask->next;
        if (t->state == TOKEN_GOOD)
            answer(t, ask);
        else
            fail(ask);
    }
}

/* --- running it --- */

static void start(struct token *t);

static void
start_next(struct password_commands *p)
{
    while (p->running_count < COMMANDS_MOST && !list_is_empty(&p->waiting)) {
        struct token *t = CONTAINER_OF(list_first(&p->waiting), struct token, in_waiting);

        link_remove(&t->in_waiting);
        start(t);
    }
}

/* The command is over; WHY NULL: it has printed a password. */
static void
end_run(struct token *t, const char *why)
{
    struct password_commands *p = t->owner;

    stop_reading(t);
    timer_cancel(&t->reap);
    if (why == NULL) {
        mem_free_secret(t->secret);
        t->secret = mem_text_of(buf_slice(&t->output));
        t->made_us = loop_now_us(p->loop);
        t->is_wanted = t->asks != NULL;
        t->state = TOKEN_GOOD;
        loop_arm(p->loop, &t->timer, t->route->password_command_ttl_us / 4 * 3 + 1);
    } else {
        log_line(LOG_WARNING_LEVEL, "password_command for user \"%s\" of database \"%s\" on %s failed: %s",
                 t->route->user, t->route->server_database, t->route->host_key, why);
        t->state = TOKEN_FAILED;
        t->is_wanted = true;
        loop_arm(p->loop, &t->timer, PAUSE_US);
    }
    buf_wipe(&t->output);
    answer_all(t);
    if (t->state == TOKEN_FAILED &&
        is_young(t)) /* what it printed before serves on, and it is tried again soon */
        t->state = TOKEN_GOOD;
    p->running_count--;
    start_next(p);
}

/* What it has printed without the end of its line; NULL when that is a password. */
static const char *
trim_output(struct buf *output)
{
    struct slice s = buf_slice(output);

    if (s.len > 0 && s.at[s.len - 1] == '\n')
        output->end--;
    s = buf_slice(output);
    if (s.len > 0 && s.at[s.len - 1] == '\r')
        output->end--;
    s = buf_slice(output);
    if (s.len == 0)
        return "it printed nothing";
    if (memchr(s.at, '\0', s.len) != NULL || memchr(s.at, '\n', s.len) != NULL)
        return "it printed more than one line";
    return NULL;
}

static void
end_by_status(struct token *t, int status)
{
    char why[80];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        end_run(t, trim_output(&t->output));
        return;
    }
    if (WIFEXITED(status))
        snprintf(why, sizeof(why), "it exited with code %d", WEXITSTATUS(status));
    else
        snprintf(why, sizeof(why), "it ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    end_run(t, why);
}

/* It has closed its output, or was killed. */
static void
try_reap(struct token *t)
{
    int status;
    pid_t pid = waitpid(t->pid, &status, WNOHANG);

    t->state = TOKEN_REAPING;
    if (pid == t->pid) {
        t->pid = 0;
        end_by_status(t, status);
    } else if (pid < 0 && errno != EINTR) {
        t->pid = 0;
        end_run(t, "it cannot be waited for");
    } else {
        loop_arm(t->owner->loop, &t->reap, REAP_US);
    }
}

static void
on_reap(struct timer *timer)
{
    try_reap(CONTAINER_OF(timer, struct token, reap));
}

static void
kill_run(struct token *t)
{
    stop_reading(t);
    kill(-t->pid, SIGKILL); /* and whatever it has started */
    kill(t->pid, SIGKILL);
}

static void
on_output(evutil_socket_t fd, short what, void *arg)
{
    struct token *t = arg;
    ssize_t got = read(fd, buf_reserve(&t->output, 4096), 4096);

    (void)what;
    if (got > 0) {
        buf_commit(&t->output, (size_t)got);
        if (buf_len(&t->output) <= OUTPUT_MOST)
            return;
        log_line(LOG_WARNING_LEVEL, "password_command prints more than %u bytes: killed", OUTPUT_MOST);
        kill_run(t);
    } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    stop_reading(t);
    try_reap(t);
}

static void
add_variable(char **out, size_t *count, const char *name, const char *value)
{
    out[(*count)++] = mem_format("%s=%s", name, value);
}

/* Our environment with the facts of ROUTE; free_environment() it. */
static char **
environment_for(const struct route *route)
{
    static const char *const ours[] = { "PGHOST=", "PGPORT=", "PGUSER=", "PGDATABASE=" };
    size_t have = 0, count = 0;
    char port[16];
    char **out;

    while (environ[have] != NULL)
        have++;
    out = mem_new((have + COUNT_OF(ours) + 1) * sizeof(*out));
    for (size_t i = 0; i < have; i++) {
        bool is_ours = false;

        for (size_t j = 0; j < COUNT_OF(ours); j++)
            is_ours |= strncmp(environ[i], ours[j], strlen(ours[j])) == 0;
        if (!is_ours)
            out[count++] = mem_text(environ[i]);
    }
    snprintf(port, sizeof(port), "%u", route->hosts[0].port);
    add_variable(out, &count, "PGHOST", route->hosts[0].host);
    add_variable(out, &count, "PGPORT", port);
    add_variable(out, &count, "PGUSER", route->user);
    add_variable(out, &count, "PGDATABASE", route->server_database);
    return out;
}

static void
free_environment(char **variables)
{
    for (char **it = variables; *it != NULL; it++)
        free(*it);
    free(variables);
}

/* Starts the command of ROUTE with OUT_FD for its output, in a process group of its own, with signals as a
 * program expects them. */
static int
spawn(const struct route *route, int out_fd, pid_t *pid)
{
    char shell[] = "sh", dash_c[] = "-c";
    char *command = mem_text(route->password_command);
    char *argv[] = { shell, dash_c, command, NULL };
    char **variables = environment_for(route);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    int failed;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out_fd, 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    failed = posix_spawn(pid, "/bin/sh", &files, &attributes, argv, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free_environment(variables);
    free(command);
    return failed;
}

static void
start(struct token *t)
{
    struct password_commands *p = t->owner;
    int ends[2];

    p->running_count++;
    t->state = TOKEN_RUNNING;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        end_run(t, strerror(errno));
        return;
    }
    t->fd = ends[0];
    (void)fcntl(t->fd, F_SETFL, O_NONBLOCK);
    if (event_assign(&t->readable, loop_base(p->loop), t->fd, EV_READ | EV_PERSIST, on_output, t) != 0 ||
        event_add(&t->readable, NULL) != 0 || spawn(t->route, ends[1], &t->pid) != 0) {
        close(ends[1]);
        t->pid = 0;
        end_run(t, "it cannot be started");
        return;
    }
    close(ends[1]);
    loop_arm(p->loop, &t->timer, RUN_MOST_US);
}

/* Has the command run as soon as it may. */
static void
run(struct token *t)
{
    timer_cancel(&t->timer);
    t->state = TOKEN_WAITING;
    list_push_last(&t->owner->waiting, &t->in_waiting);
    start_next(t->owner);
}

static void
on_timer(struct timer *timer)
{
    struct token *t = CONTAINER_OF(timer, struct token, timer);

    switch (t->state) {
    case TOKEN_RUNNING:
    case TOKEN_REAPING:
        log_line(LOG_WARNING_LEVEL, "password_command for user \"%s\" takes longer than %.3g s: killed",
                 t->route->user, (double)RUN_MOST_US / (double)US_PER_S);
        kill_run(t);
        try_reap(t);
        break;
    case TOKEN_GOOD:
        if (t->is_wanted)
            run(t);
        else
            token_free(t);
        break;
    case TOKEN_FAILED:
        token_free(t);
        break;
    case TOKEN_NONE:
    case TOKEN_WAITING:
        break;
    }
}

/* --- asks --- */

/* Whether servers that refuse the token may have it made anew: once, and not each of them. */
static bool
may_be_refused(struct token *t)
{
    uint64_t now_us = loop_now_us(t->owner->loop);

    if (t->refused_us > 0 && now_us - t->refused_us < PAUSE_US)
        return false;
    t->refused_us = now_us;
    return true;
}

void
password_commands_take(struct password_commands *p, struct secret_ask *ask)
{
    struct route *route = settings_route(p->settings, ask->database, ask->user);
    struct token *t;

    if (route == NULL || route->password_command[0] == '\0') { /* a reload has just taken it away */
        route_drop(route);
        fail(ask);
        return;
    }
    t = token_for(p, route);
    route_drop(route);
    t->is_wanted = true;
    if (is_young(t) && !(ask->is_fresh && may_be_refused(t))) {
        answer(t, ask);
    } else if (t->state == TOKEN_FAILED) {
        fail(ask);
    } else {
        ask->next = t->asks;
        t->asks = ask;
        if (t->state == TOKEN_NONE || t->state == TOKEN_GOOD)
            run(t);
    }
}

/* --- life --- */

struct password_commands *
password_commands_new(struct loop *loop, const struct settings *settings)
{
    struct password_commands *p = mem_new(sizeof(*p));

    p->loop = loop;
    p->settings = settings_hold(settings);
    map_init(&p->tokens);
    list_init(&p->waiting);
    return p;
}

void
password_commands_free(struct password_commands *p)
{
    struct map_node *node;

    if (p == NULL)
        return;
    while ((node = map_next(&p->tokens, NULL)) != NULL) {
        struct token *t = CONTAINER_OF(node, struct token, in_tokens);

        if (t->pid > 0) {
            kill_run(t);
            (void)waitpid(t->pid, NULL, 0); /* a killed process ends at once */
        }
        t->state = TOKEN_FAILED;
        answer_all(t);
        token_free(t);
    }
    map_fini(&p->tokens);
    settings_drop(p->settings);
    free(p);
}

void
password_commands_reconfigure(struct password_commands *p, const struct settings *settings)
{
    settings_drop(p->settings);
    p->settings = settings_hold(settings);
}
