/*
 * script.c - the stage. Clients are socket pairs handed to house_deliver(), servers what a listening socket in a directory of the script's own accepts.
 *
 *     line -> verb -> bytes -> socket -> | house, turned loop by loop | -> sockets -> actors' `in` -> compared by the next lines
 */
#include "script.h"

/* The plain build plays all splits. The sanitizers slow a script down: they get a sample, and the thread sanitizer, which has little to find
 * in one thread, hardly any. */
#if defined(__SANITIZE_THREAD__)
#define SPLIT_STEP 1000 /* one split of each */
#elif defined(__SANITIZE_ADDRESS__)
#define SPLIT_STEP 5
#else
#define SPLIT_STEP 1
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "message.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/startup.h"

#define PORT 5432
#define START_US (1000 * US_PER_S)
#define MOST_ROUNDS 200000 /* of a house that does not come to rest */

#define SCRIPT_MOST_WAITS 8

struct admin_wait {
    struct pools_wait wait;
    struct script *script;
};

struct script {
    struct scene scene;
    const char *file;
    unsigned at_line;   /* of FILE, where the script stands */
    char line[1024];    /* being played */
    char settings[512]; /* what the scene's were replaced by */
    char entry[256];
    char dir[64];
    struct clock clock;
    struct house_config *config;
    struct house *house;
    struct budget_host *_Atomic host;
    unsigned limit;
    int listener;                            /* -1: down */
    struct actor actors[3][SCRIPT_MOST + 1]; /* by kind and number */
    unsigned came[3];                        /* the highest number that was there */
    size_t sent;
    unsigned fds_before;
    struct loop *main_loop;
    struct admin_wait waits[SCRIPT_MOST_WAITS]; /* of the admin's commands */
    unsigned wait_count, answered_count;
    struct secret_ask *asks; /* for secrets that only control/ could find out; oldest first */
    bool has_drained;
    bool has_failed;
};

static const char kind_letters[] = { [ACTOR_CLIENT] = 'c', [ACTOR_SERVER] = 's', [ACTOR_COURIER] = 'k' };

/* --- failing --- */

bool
script_has_failed(const struct script *s)
{
    return s->has_failed;
}

void
script_fail(struct script *s, const char *format, ...)
{
    va_list args;

    if (s->has_failed)
        return;
    s->has_failed = true;
    fprintf(stderr, "\n%s:%u: %s", s->file, s->at_line, s->line);
    if (s->scene.pace == PACE_BYTES)
        fprintf(stderr, " (byte by byte)");
    if (s->scene.pace == PACE_SPLIT_AT)
        fprintf(stderr, " (split at %zu)", s->scene.split_at);
    fprintf(stderr, "\n    ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    CU_assertImplementation(CU_FALSE, s->at_line, s->line, s->file, "", CU_FALSE);
}

static void
fail_showing(struct script *s, const struct actor *a, struct slice wanted)
{
    struct buf text;

    buf_init(&text);
    buf_add_format(&text, "%c%u should have got\n", kind_letters[a->kind], a->number);
    messages_show(&text, wanted);
    buf_add_text(&text, "    and has\n");
    messages_show(&text, buf_slice(&a->in));
    if (a->is_ended)
        buf_add_text(&text, "        the end of the connection\n");
    buf_add_u8(&text, 0);
    script_fail(s, "%s", (const char *)buf_slice(&text).at);
    buf_release(&text);
}

/* --- the house --- */

static void
set_limit(struct script *s)
{
    struct budget_host *host = atomic_load(&s->host);

    if (host != NULL)
        budget_set_limit(host, s->limit, "says the script");
}

static void
on_unknown_host(void *arg, struct budget_host *host)
{
    struct script *s = arg;

    atomic_store(&s->host, host);
    if (!s->scene.is_limit_unknown)
        set_limit(s);
}

static void
on_drained(void *arg)
{
    struct script *s = arg;

    s->has_drained = true;
}

static void
write_ini(struct script *s, const char *path)
{
    const char *settings = s->scene.settings != NULL ? s->scene.settings : "";
    const char *entry = s->scene.entry != NULL ? s->scene.entry : "";
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file,
            "[pgweir]\nlisten_addr = 127.0.0.1\nserver_tls_sslmode = disable\nquery_wait_notify = 0\n"
            "server_check_query =\nsession_audit = 0\n%s%s[databases]\n",
            strstr(settings, "auth_type") != NULL ? "" : "auth_type = trust\n", settings);
    fprintf(file, "%s = host=%s%s%s port=%d %s\n", strcmp(entry, "-") == 0 ? "other" : "app", s->dir,
            s->scene.has_two_hosts ? "," : "", s->scene.has_two_hosts ? s->dir : "", PORT,
            strcmp(entry, "-") == 0 ? "" : entry);
    fclose(file);
}

static void
write_users(const char *path)
{
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "\"alice\" \"wonderland\"\n\"bob\" \"builder\"\n");
    fclose(file);
    chmod(path, 0600);
}

/* The script's directory is the working directory meanwhile: `auth_file = users`. */
static void
load(struct script *s)
{
    char path[128];
    struct house_config *before = s->config;
    struct settings *settings = NULL;
    struct buf problems;
    struct error why = { 0 };
    int cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    snprintf(path, sizeof path, "%s/users", s->dir);
    write_users(path);
    snprintf(path, sizeof path, "%s/pgweir.ini", s->dir);
    write_ini(s, path);
    buf_init(&problems);
    CU_ASSERT_EQUAL(chdir(s->dir), 0);
    if (settings_load(path, &settings, &problems, NULL, &why) != ERR_NONE) {
        buf_add_u8(&problems, 0);
        script_fail(s, "the settings: %s\n%s", why.text, (const char *)buf_slice(&problems).at);
    } else if (house_config_new(settings, &s->config, &why) != ERR_NONE) {
        script_fail(s, "the settings: %s", why.text);
    } else {
        house_config_drop(before);
    }
    CU_ASSERT_EQUAL(fchdir(cwd), 0);
    close(cwd);
    settings_drop(settings);
    buf_release(&problems);
}

static void
listener_open(struct script *s)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.%d", s->dir, PORT);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(s->listener, 100) != 0)
        script_fail(s, "the server cannot listen: %s", strerror(errno));
}

static void
listener_close(struct script *s)
{
    char path[128];

    if (s->listener < 0)
        return;
    close(s->listener);
    s->listener = -1;
    snprintf(path, sizeof path, "%s/.s.PGSQL.%d", s->dir, PORT);
    unlink(path);
}

static unsigned
open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void
answer_ask(struct script *s, enum secret_outcome outcome, const char *secret)
{
    struct secret_ask *ask = s->asks;

    s->asks = ask->next;
    ask->outcome = outcome;
    ask->secret = mem_text(secret);
    ask->is_remembered = !ask->is_fresh;
    if (outcome == SECRET_FAILED)
        pg_error_set(&ask->why, PG_FATAL, SQLSTATE_CANNOT_CONNECT_NOW, "nobody knows");
    secret_ask_answer(ask);
}

static void
on_secret_ask(void *arg, struct secret_ask *ask)
{
    struct script *s = arg;
    struct secret_ask **at = &s->asks;

    while (*at != NULL)
        at = &(*at)->next;
    ask->next = NULL;
    *at = ask;
}

struct script *
script_begin(const struct scene *scene, const char *file, unsigned line)
{
    struct script *s = mem_new(sizeof *s);
    struct house_params params = {
        .on_unknown_host = on_unknown_host, .on_drained = on_drained, .on_secret_ask = on_secret_ask, .arg = s
    };
    struct error why = { 0 };
    bool is_loud = getenv("PGWEIR_TEST_LOG") != NULL;

    s->scene = *scene;
    s->file = file;
    s->at_line = line;
    s->limit = scene->limit == 0 ? 1 : scene->limit;
    s->listener = -1;
    s->clock = clock_fake(START_US);
    s->fds_before = open_fds();
    atomic_init(&s->host, NULL);
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 0; i <= SCRIPT_MOST; i++) {
            struct actor *a = &s->actors[kind][i];

            *a = (struct actor){
                .script = s, .kind = (enum actor_kind)kind, .number = i, .fd = -1, .cut_at = UINT64_MAX
            };
            buf_init(&a->in);
            buf_init(&a->out);
        }
    (void)!log_open(NULL, !is_loud, LOG_DEBUG_LEVEL, NULL);
    snprintf(s->dir, sizeof s->dir, "/tmp/pgweir-script-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
    load(s);
    listener_open(s);
    if (s->has_failed)
        return s;
    params.config = s->config;
    params.clock = &s->clock;
    params.worker_count = scene->workers == 0 ? 1 : scene->workers;
    if (house_new(&params, &s->house, &why) != ERR_NONE)
        script_fail(s, "the house: %s", why.text);
    s->main_loop = loop_new(&s->clock, s, &why);
    if (s->main_loop == NULL)
        script_fail(s, "the main loop: %s", why.text);
    if (!s->has_failed)
        house_attend(s->house, s->main_loop);
    return s;
}

static void
remove_dir(struct script *s)
{
    static const char *const files[] = { "pgweir.ini", "users" };
    char path[128];

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", s->dir, files[i]);
        unlink(path);
    }
    rmdir(s->dir);
}

static void
check_nothing_unheard(struct script *s)
{
    snprintf(s->line, sizeof s->line, "(at the end)");
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 1; i <= SCRIPT_MOST; i++)
            if (buf_len(&s->actors[kind][i].in) > 0)
                fail_showing(s, &s->actors[kind][i], slice_of(NULL, 0));
}

bool
script_end(struct script *s)
{
    bool has_failed;

    if (!s->has_failed && s->scene.serve == NULL)
        check_nothing_unheard(s);
    while (s->asks != NULL)
        answer_ask(s, SECRET_FAILED, NULL);
    house_free(s->house);
    if (s->main_loop != NULL)
        (void)loop_turn(s->main_loop); /* letters that outlive the house */
    loop_free(s->main_loop);
    house_config_drop(s->config);
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 0; i <= SCRIPT_MOST; i++) {
            actor_close(&s->actors[kind][i]);
            buf_release(&s->actors[kind][i].in);
            buf_release(&s->actors[kind][i].out);
        }
    listener_close(s);
    remove_dir(s);
    snprintf(s->line, sizeof s->line, "(at the very end)");
    if (open_fds() != s->fds_before)
        script_fail(s, "%u descriptors were open before and %u are now", s->fds_before, open_fds());
    has_failed = s->has_failed;
    free(s);
    return !has_failed;
}

struct house *
script_house(struct script *s)
{
    return s->house;
}

void *
script_arg(struct script *s)
{
    return s->scene.arg;
}

size_t
script_sent(const struct script *s)
{
    return s->sent;
}

struct actor *
script_actor(struct script *s, enum actor_kind kind, unsigned number)
{
    return &s->actors[kind][number];
}

unsigned
script_count(const struct script *s, enum actor_kind kind)
{
    unsigned count = 0;

    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        count += s->actors[kind][i].fd >= 0 && !s->actors[kind][i].is_ended;
    return count;
}

/* --- actors --- */

void
actor_forget(struct actor *a)
{
    buf_drop(&a->in, buf_len(&a->in));
}

void
actor_close(struct actor *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    buf_release(&a->out);
}

static void
actor_join(struct actor *a, int fd)
{
    a->fd = fd;
    a->was_here = true;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Both tell whether anything happened. */

static bool
actor_read(struct actor *a)
{
    bool is_any = false;

    while (a->fd >= 0 && !a->is_deaf && !a->is_ended) {
        ssize_t n = recv(a->fd, buf_reserve(&a->in, 65536), 65536, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        is_any = true;
        if (n > 0)
            buf_commit(&a->in, (size_t)n);
        else
            a->is_ended = true;
    }
    return is_any;
}

static bool
actor_write(struct actor *a)
{
    bool is_any = false;

    while (a->fd >= 0 && buf_len(&a->out) > 0) {
        struct slice rest = buf_slice(&a->out);
        size_t most = a->cut_at - a->sent_bytes < rest.len ? (size_t)(a->cut_at - a->sent_bytes) : rest.len;
        ssize_t n = send(a->fd, rest.at, most, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* it has hung up, so nobody will read the rest */
            buf_release(&a->out);
            break;
        }
        is_any = true;
        a->sent_bytes += (uint64_t)n;
        buf_drop(&a->out, (size_t)n);
        if (a->sent_bytes == a->cut_at)
            actor_close(a);
    }
    return is_any;
}

static void
send_piece(struct actor *a, struct slice bytes)
{
    a->script->sent += bytes.len;
    if (a->fd >= 0)
        buf_add(&a->out, bytes);
    script_settle(a->script);
}

void
actor_send(struct actor *a, struct slice bytes)
{
    struct script *s = a->script;

    while (bytes.len > 0 && !s->has_failed) {
        size_t piece = bytes.len;

        if (s->scene.pace == PACE_BYTES)
            piece = 1;
        else if (s->scene.pace == PACE_SPLIT_AT && s->sent < s->scene.split_at &&
                 s->sent + bytes.len > s->scene.split_at)
            piece = s->scene.split_at - s->sent;
        send_piece(a, slice_of(bytes.at, piece));
        bytes = slice_skip(bytes, piece);
    }
}

/* --- who calls --- */

static void
greet(struct actor *server)
{
    struct buf out;

    buf_init(&out);
    server->pid = 1000 + server->number;
    server->secret = 7000 + server->number;
    buf_add_format(&out, "AuthOk | Parameter server_version 15.0 | Key %u %u | Ready I", server->pid,
                   server->secret);
    buf_add_u8(&out, 0);
    (void)messages_write(&server->out, (const char *)buf_slice(&out).at);
    buf_release(&out);
    server->is_new = false;
}

static struct actor *
arrival(struct script *s, enum actor_kind kind)
{
    if (s->came[kind] == SCRIPT_MOST) {
        script_fail(s, "too many connections");
        return NULL;
    }
    return &s->actors[kind][++s->came[kind]];
}

static void
hear_courier(struct actor *courier)
{
    struct script *s = courier->script;

    if (s->scene.on_cancel == NULL)
        return;
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        if (s->actors[ACTOR_SERVER][i].pid == courier->pid &&
            s->actors[ACTOR_SERVER][i].secret == courier->secret)
            s->scene.on_cancel(s, &s->actors[ACTOR_SERVER][i]);
    actor_close(courier);
}

bool
script_hear_courier(struct script *s)
{
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        if (s->actors[ACTOR_COURIER][i].fd >= 0) {
            hear_courier(&s->actors[ACTOR_COURIER][i]);
            return true;
        }
    return false;
}

/* Servers are born as callers of unknown kind in actor 0 of the couriers, until their first packet is there. */
static bool
hear_caller(struct script *s)
{
    struct actor *caller = &s->actors[ACTOR_COURIER][0];
    struct slice in = buf_slice(&caller->in);
    struct startup packet;
    const char *why;
    struct actor *a;

    if (caller->fd < 0)
        return false;
    if (caller->is_ended && in.len == 0) {
        actor_close(caller);
        return true;
    }
    if (startup_read(in, &packet, &why) != PARSE_DONE)
        return false;
    a = arrival(s, packet.kind == STARTUP_CANCEL ? ACTOR_COURIER : ACTOR_SERVER);
    if (a == NULL)
        return false;
    a->fd = caller->fd;
    a->was_here = true;
    a->is_ended = caller->is_ended;
    caller->fd = -1;
    if (packet.kind == STARTUP_CANCEL) {
        a->pid = packet.cancel_pid;
        a->secret = get_be32(packet.cancel_secret.at);
        buf_drop(&caller->in, packet.bytes);
    } else if (s->scene.by_hand) {
        a->is_new = true;
    } else {
        buf_drop(&caller->in, packet.bytes);
        greet(a);
    }
    buf_add(&a->in, buf_slice(&caller->in));
    actor_forget(caller);
    if (a->kind == ACTOR_COURIER && !s->scene.are_couriers_slow)
        hear_courier(a);
    return true;
}

static bool
hear_callers(struct script *s)
{
    struct actor *caller = &s->actors[ACTOR_COURIER][0];
    bool is_any = false;
    int fd;

    do {
        if (caller->fd < 0 && s->listener >= 0 && (fd = accept(s->listener, NULL, NULL)) >= 0) {
            actor_join(caller, fd);
            caller->is_ended = false;
            is_any = true;
        }
        is_any |= actor_read(caller);
    } while (hear_caller(s));
    return is_any;
}

static bool
serve(struct script *s, struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    bool is_any;

    if (a->fd < 0 || a->is_new)
        return false;
    is_any = s->scene.serve(s, a, &in, &a->out);
    buf_drop(&a->in, before - in.len);
    return is_any;
}

static bool
actors_move(struct script *s)
{
    bool is_any = hear_callers(s);

    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 1; i <= s->came[kind]; i++) {
            struct actor *a = &s->actors[kind][i];

            if (a->fd < 0)
                continue;
            is_any |= actor_read(a);
            if (a->kind == ACTOR_SERVER && s->scene.serve != NULL)
                is_any |= serve(s, a);
            is_any |= actor_write(a);
            if (a->kind == ACTOR_SERVER && a->is_ended && !a->is_lingering)
                actor_close(a);
        }
    return is_any;
}

void
script_settle(struct script *s)
{
    unsigned calm = 0;

    for (unsigned round = 0; calm < 2; round++) {
        bool is_any = false;

        if (round == MOST_ROUNDS) {
            script_fail(s, "the house does not come to rest");
            return;
        }
        for (unsigned i = 0; i < house_worker_count(s->house); i++)
            is_any |= loop_turn(house_worker_loop(s->house, i));
        is_any |= loop_turn(s->main_loop);
        is_any |= actors_move(s);
        calm = is_any ? 0 : calm + 1;
    }
}

void
script_pass_us(struct script *s, uint64_t us)
{
    uint64_t step_us = us / 50 > 10 * US_PER_MS ? us / 50 : 10 * US_PER_MS;

    while (us > 0 && !s->has_failed) {
        uint64_t by_us = us < step_us ? us : step_us;

        clock_advance_us(&s->clock, by_us);
        us -= by_us;
        script_settle(s);
    }
}

/* --- verbs --- */

static void
connect_client(struct actor *a)
{
    struct address peer = { .len = sizeof(sa_family_t) };
    int fds[2];

    if (a->fd >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        script_fail(a->script, "cannot connect");
        return;
    }
    peer.at.ss_family = AF_UNIX;
    actor_forget(a);
    actor_join(a, fds[0]);
    a->is_ended = a->is_deaf = false;
    if (a->script->came[ACTOR_CLIENT] < a->number)
        a->script->came[ACTOR_CLIENT] = a->number;
    house_deliver(a->script->house, fds[1], &peer);
    script_settle(a->script);
}

static void
send_words(struct actor *a, const char *words)
{
    struct buf out;

    buf_init(&out);
    if (messages_write(&out, words))
        actor_send(a, buf_slice(&out));
    else
        script_fail(a->script, "no such message");
    buf_release(&out);
}

static void
send_startup(struct actor *a, const char *parameters)
{
    struct buf words;

    buf_init(&words);
    buf_add_format(&words, "Startup %s%s%s", strstr(parameters, "user=") != NULL ? "" : "user=alice ",
                   strstr(parameters, "database=") != NULL ? "" : "database=app ", parameters);
    buf_add_u8(&words, 0);
    send_words(a, (const char *)buf_slice(&words).at);
    buf_release(&words);
}

/* AuthenticationOk, ParameterStatus messages, BackendKeyData, ReadyForQuery. */
static void
hear_greeting(struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;
    static const char *const order[] = { "R", "SK", "SKZ" };
    unsigned step = 0;

    while (message_take(&in, &message)) {
        char type = (char)message.at[0];

        if (step == 1 && type == 'K') {
            a->pid = get_be32(message.at + 5);
            a->secret = get_be32(message.at + 9);
            step = 2;
        } else if (step == 2 && type == 'Z' && message.at[5] == 'I') {
            buf_drop(&a->in, before - in.len);
            return;
        } else if (strchr(order[step], type) == NULL || (step == 2 && type != 'S')) {
            break;
        } else if (step == 0) {
            step = 1;
        }
    }
    script_fail(a->script, "c%u was not greeted", a->number);
    actor_forget(a);
}

static bool
hear_refusal(struct actor *a, const char *words)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;
    struct pg_error e;
    char severity[16];
    char code[16];
    int at = 0;

    if (sscanf(words, "Refusal %15s %15s %n", severity, code, &at) != 2 || !message_take(&in, &message) ||
        message.at[0] != 'E' || !pg_error_read(message, &e))
        return false;
    if (strcmp(severity, e.severity == PG_FATAL ? "FATAL" : "ERROR") != 0 || strcmp(code, e.sqlstate) != 0 ||
        strstr(e.message, words + at) == NULL)
        return false;
    buf_drop(&a->in, before - in.len);
    return true;
}

/* One message, whatever it says. */
static void
hear_something(struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;

    if (message_take(&in, &message))
        buf_drop(&a->in, before - in.len);
    else
        script_fail(a->script, "s%u has got nothing", a->number);
}

static void
hear(struct actor *a, const char *words)
{
    char one[MESSAGE_MOST_TEXT];
    struct buf wanted;

    buf_init(&wanted);
    while (!a->script->has_failed && message_next(&words, one)) {
        struct slice want;

        if (strcmp(one, "something") == 0) {
            hear_something(a);
            continue;
        }
        if (strncmp(one, "Refusal ", 8) == 0) {
            if (!hear_refusal(a, one))
                fail_showing(a->script, a, slice_of_text(one));
            continue;
        }
        buf_drop(&wanted, buf_len(&wanted));
        if (!message_write(&wanted, one)) {
            script_fail(a->script, "no such message: %s", one);
            break;
        }
        want = buf_slice(&wanted);
        if (buf_len(&a->in) < want.len || memcmp(buf_slice(&a->in).at, want.at, want.len) != 0)
            fail_showing(a->script, a, want);
        else
            buf_drop(&a->in, want.len);
    }
    buf_release(&wanted);
}

static void
gets(struct actor *a, const char *words)
{
    if (strcmp(words, "nothing") != 0)
        hear(a, words);
    if (buf_len(&a->in) > 0)
        fail_showing(a->script, a, slice_of(NULL, 0));
}

static struct actor *
actor_named(struct script *s, const char *name)
{
    unsigned number = (unsigned)strtoul(name + 1, NULL, 10);

    for (unsigned kind = 0; kind < 3; kind++)
        if (name[0] == kind_letters[kind] && number >= 1 && number <= SCRIPT_MOST)
            return &s->actors[kind][number];
    return NULL;
}

/* A CancelRequest with the key of the client in WORDS. */
static void
send_cancel(struct actor *a, const char *words)
{
    const struct actor *whose = actor_named(a->script, words);
    uint8_t secret[4];
    struct buf out;

    connect_client(a);
    put_be32(secret, whose->secret ^ (strstr(words, "wrongly") != NULL ? 1 : 0));
    buf_init(&out);
    build_cancel_request(&out, whose->pid, slice_of(secret, sizeof secret));
    actor_send(a, buf_slice(&out));
    buf_release(&out);
}

static void
check_courier(struct actor *k, const char *words)
{
    const struct actor *whom = actor_named(k->script, words);

    if (k->fd < 0)
        script_fail(k->script, "no cancel request came");
    else if (whom->pid != k->pid || whom->secret != k->secret)
        script_fail(k->script, "the cancel request is for backend %u", k->pid);
    else if (k->is_ended)
        script_fail(k->script, "the cancel request was given up");
}

static void
check_closed(struct actor *a)
{
    if (buf_len(&a->in) > 0)
        fail_showing(a->script, a, slice_of(NULL, 0));
    else if (!a->is_ended)
        script_fail(a->script, "it is open");
    else
        actor_close(a);
}

static void
check_ended(struct actor *a)
{
    if (!a->is_ended)
        script_fail(a->script, "it is open");
}

static void
check_open(struct actor *a)
{
    if (a->fd < 0 || a->is_ended)
        script_fail(a->script, "it is closed");
}

static void
enter(struct actor *a, const char *parameters)
{
    connect_client(a);
    send_startup(a, parameters);
    hear_greeting(a);
}

static void
hang_up(struct actor *a, const char *words)
{
    (void)words;
    if (!a->was_here)
        script_fail(a->script, "it is not there");
    actor_close(a);
}

static void
half_close(struct actor *a, const char *words)
{
    (void)words;
    shutdown(a->fd, SHUT_WR);
}

static void
stop_reading(struct actor *a, const char *words)
{
    (void)words;
    a->is_deaf = true;
}

static void
read_on(struct actor *a, const char *words)
{
    (void)words;
    a->is_deaf = false;
}

static void
linger(struct actor *a, const char *words)
{
    (void)words;
    a->is_lingering = true;
}

static void
connects(struct actor *a, const char *words)
{
    (void)words;
    connect_client(a);
}

static void
accepts(struct actor *a, const char *words)
{
    (void)words;
    if (!a->is_new)
        script_fail(a->script, "nobody has called");
    a->is_new = false;
    a->pid = 1000 + a->number;
    a->secret = 7000 + a->number;
    hear(a, "Startup user=alice database=app");
}

/* Takes the Query with which a server is asked for what its client has left in the session; returns its text, NULL when it has not come. */
static const char *
take_question(struct actor *a, struct buf *keep)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;

    if (!message_take(&in, &message) || message.at[0] != 'Q' ||
        strncmp((const char *)message.at + 5, "SELECT 'v'", 10) != 0) {
        script_fail(a->script, "s%u was not asked", a->number);
        return NULL;
    }
    buf_add(keep, slice_skip(message, 5));
    buf_drop(&a->in, before - in.len);
    return (const char *)buf_slice(keep).at;
}

static unsigned
count_of(const char *text, const char *end, const char *part)
{
    unsigned count = 0;

    while ((text = strstr(text, part)) != NULL && text < end) {
        count++;
        text++;
    }
    return count;
}

static void
add_row(struct buf *out, char kind, unsigned fields, const char *value)
{
    size_t len = value == NULL ? 0 : strlen(value);

    buf_add_u8(out, 'D');
    buf_add_be32(out, (uint32_t)(4 + 2 + 4 + 1 + fields * (4 + len)));
    buf_add_be16(out, (uint16_t)(fields + 1));
    buf_add_be32(out, 1);
    buf_add_u8(out, (uint8_t)kind);
    for (unsigned i = 0; i < fields; i++) {
        buf_add_be32(out, value == NULL ? UINT32_MAX : (uint32_t)len);
        buf_add_text(out, value == NULL ? "" : value);
    }
}

/* The answer: no setting is there, and each pin in question is PIN. */
static void
answer_question(struct actor *a, const char *pin)
{
    struct buf question;
    struct buf out;
    const char *sql;

    buf_init(&question);
    buf_init(&out);
    sql = take_question(a, &question);
    if (sql != NULL) {
        const char *end = sql + strlen(sql);
        const char *second = strstr(sql, ";SELECT 'p'");

        add_row(&out, 'v', count_of(sql, second == NULL ? end : second, ",pg_catalog.encode("), NULL);
        (void)messages_write(&out, "Complete SELECT 1");
        if (second != NULL) {
            add_row(&out, 'p', count_of(second, end, "EXISTS("), pin);
            (void)messages_write(&out, "Complete SELECT 1");
        }
        if (strstr(sql, ";SELECT 'f'") != NULL)
            (void)messages_write(&out, "Complete SELECT 0");
        (void)messages_write(&out, "Ready I");
        actor_send(a, buf_slice(&out));
    }
    buf_release(&question);
    buf_release(&out);
}

static void
hear_question(struct actor *a)
{
    struct buf question;

    buf_init(&question);
    (void)take_question(a, &question);
    buf_release(&question);
}

static void
is(struct actor *a, const char *words)
{
    if (strcmp(words, "closed") == 0)
        check_closed(a);
    else if (strcmp(words, "ended") == 0)
        check_ended(a);
    else if (strcmp(words, "open") == 0)
        check_open(a);
    else if (strcmp(words, "greeted") == 0)
        hear_greeting(a);
    else if (strcmp(words, "asked") == 0)
        hear_question(a);
    else if (strcmp(words, "asked: nothing") == 0)
        answer_question(a, "f");
    else if (strcmp(words, "asked: pinned") == 0)
        answer_question(a, "t");
    else
        script_fail(a->script, "no such state");
}

static void
cancels(struct actor *a, const char *words)
{
    if (a->kind == ACTOR_COURIER)
        check_courier(a, words);
    else
        send_cancel(a, words);
}

static const struct {
    const char *verb;
    void (*act)(struct actor *a, const char *words);
} verbs[] = {
    { "accepts", accepts },
    { "cancels", cancels },
    { "closes", hang_up },
    { "connects", connects },
    { "enters", enter },
    { "gets", gets },
    { "half-closes", half_close },
    { "hangs", hang_up },
    { "hears", hear },
    { "lingers", linger },
    { "is", is },
    { "reads", read_on },
    { "sends", send_words },
    { "starts", send_startup },
    { "stops", stop_reading },
};

/* Lines without an actor. */

static void
pass_time(struct script *s, const char *words)
{
    char *unit;
    uint64_t us = strtoul(words, &unit, 10);

    script_pass_us(s, us * (strcmp(unit, " ms") == 0 ? US_PER_MS : US_PER_S));
}

static void
check_servers(struct script *s, const char *words)
{
    if (script_count(s, ACTOR_SERVER) != strtoul(words, NULL, 10))
        script_fail(s, "there are %u", script_count(s, ACTOR_SERVER));
}

static void
check_couriers(struct script *s, const char *words)
{
    if (script_count(s, ACTOR_COURIER) != strtoul(words, NULL, 10))
        script_fail(s, "there are %u", script_count(s, ACTOR_COURIER));
}

static const char *
behind_word(const char *text)
{
    text += strcspn(text, " ");
    return text + strspn(text, " ");
}

static bool
begins_with_word(const char *text, const char *word)
{
    size_t len = strcspn(text, " ");

    return strlen(word) == len && strncmp(text, word, len) == 0;
}

struct tally { /* the sum of one counter over all pools and workers */
    struct script *script;
    size_t offset;
    uint64_t sum;
};

static void
add_counter(void *arg, struct pool *pool)
{
    struct tally *t = arg;

    for (unsigned i = 0; i < house_worker_count(t->script->house); i++)
        t->sum += *(const uint64_t *)(const void *)((const char *)shard_counters(pool_shard(pool, i)) +
                                                    t->offset);
}

/* COUNTER NUMBER: see pgweir/pool/counters.h. */
static void
check_counter(struct script *s, const char *words)
{
#define COUNTER_ROW(id, text) { #id, offsetof(struct pool_counters, id) },
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = { POOL_COUNTERS(COUNTER_ROW) };
#undef COUNTER_ROW
    struct tally t = { .script = s };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!begins_with_word(words, rows[i].name))
            continue;
        t.offset = rows[i].offset;
        pools_each(house_pools(s->house), add_counter, &t);
        if (t.sum != strtoull(behind_word(words), NULL, 10))
            script_fail(s, "it is %llu", (unsigned long long)t.sum);
        return;
    }
    script_fail(s, "no such counter");
}

static void
drain(struct script *s, const char *words)
{
    (void)words;
    house_drain(s->house);
}

static void
check_drained(struct script *s, const char *words)
{
    (void)words;
    if (!s->has_drained)
        script_fail(s, "it has not");
}

static void
check_undrained(struct script *s, const char *words)
{
    (void)words;
    if (s->has_drained)
        script_fail(s, "it has");
}

/* "carol = sesame", "carol = -": unknown, "carol = ?": that cannot be found out, "carol": is asked for. */
static void
answer_secret(struct script *s, const char *words)
{
    size_t len = strcspn(words, " ");

    if (s->asks == NULL || strlen(s->asks->user) != len || strncmp(s->asks->user, words, len) != 0)
        script_fail(s, "asked for is %s", s->asks == NULL ? "nobody" : s->asks->user);
    else if (strncmp(words + len, " = ", 3) == 0)
        answer_ask(s,
                   strcmp(words + len + 3, "-") == 0   ? SECRET_UNKNOWN
                   : strcmp(words + len + 3, "?") == 0 ? SECRET_FAILED
                                                       : SECRET_GIVEN,
                   strspn(words + len + 3, "-?") > 0 ? NULL : words + len + 3);
    script_settle(s);
}

static void
change_limit(struct script *s, const char *words)
{
    s->limit = (unsigned)strtoul(words, NULL, 10);
    s->scene.is_limit_unknown = false;
    set_limit(s);
}

static void
reload(struct script *s, const char *words)
{
    char *bar;

    snprintf(s->settings, sizeof s->settings, "%s\n", words);
    while ((bar = strstr(s->settings, " | ")) != NULL)
        bar[1] = '\n';
    s->scene.settings = s->settings;
    load(s);
    if (!s->has_failed)
        house_reconfigure(s->house, s->config);
}

static void
change_entry(struct script *s, const char *words)
{
    snprintf(s->entry, sizeof s->entry, "%s", words);
    s->scene.entry = s->entry;
    load(s);
    if (!s->has_failed)
        house_reconfigure(s->house, s->config);
}

static void
change_server(struct script *s, const char *words)
{
    if (strcmp(words, "goes down") == 0)
        listener_close(s);
    else
        listener_open(s);
}

static void
on_answered(struct pools_wait *wait)
{
    CONTAINER_OF(wait, struct admin_wait, wait)->script->answered_count++;
}

static void
on_hunted(void *arg, bool is_found)
{
    struct script *s = arg;

    s->answered_count += is_found;
}

static const char *const answer_words[] = {
    [POOLS_DONE] = "done",
    [POOLS_NO_DATABASE] = "no-database",
    [POOLS_ALREADY] = "already",
    [POOLS_NOT_PAUSED] = "not-paused",
};

/* COMMAND [DATABASE] [-> ANSWER], KILL_CLIENT id, or `has NUMBER` of answers that took time. */
static void
administer(struct script *s, const char *words)
{
    struct pools *pools = house_pools(s->house);
    char command[32] = "";
    char name[64] = "-";
    char wanted[32] = "done";
    const char *arrow = strstr(words, "->");
    const char *database;
    enum pools_answer answer = POOLS_DONE;
    struct admin_wait *slot = &s->waits[s->wait_count % SCRIPT_MOST_WAITS];
    struct pools_wait *wait = &slot->wait;

    if (sscanf(words, "%31s %63s", command, name) == 2 && strcmp(name, "->") == 0)
        snprintf(name, sizeof name, "-");
    if (arrow != NULL)
        snprintf(wanted, sizeof wanted, "%s", arrow + 3);
    database = strcmp(name, "-") == 0 ? NULL : strcmp(name, "app") == 0 ? "app" : "nowhere";
    slot->script = s;
    if (strcmp(command, "has") == 0) {
        if (s->answered_count != strtoul(name, NULL, 10))
            script_fail(s, "it has %u", s->answered_count);
        return;
    }
    wait->on_done = on_answered;
    if (strcmp(command, "PAUSE") == 0)
        answer = pools_pause(pools, database, wait);
    else if (strcmp(command, "WAIT_CLOSE") == 0)
        answer = pools_wait_close(pools, database, wait);
    else if (strcmp(command, "RESUME") == 0)
        answer = pools_resume(pools, database);
    else if (strcmp(command, "DISABLE") == 0)
        answer = pools_disable(pools, database);
    else if (strcmp(command, "ENABLE") == 0)
        answer = pools_enable(pools, database);
    else if (strcmp(command, "RECONNECT") == 0)
        answer = pools_reconnect(pools, database);
    else if (strcmp(command, "KILL") == 0)
        answer = house_kill(s->house, database);
    else if (strcmp(command, "KILL_CLIENT") == 0)
        (void)house_kill_client(s->house, strtoul(name, NULL, 10), on_hunted, s);
    else
        script_fail(s, "no such command");
    if (answer == POOLS_DONE && (strcmp(command, "PAUSE") == 0 || strcmp(command, "WAIT_CLOSE") == 0))
        s->wait_count++;
    if (strcmp(answer_words[answer], wanted) != 0)
        script_fail(s, "the answer is %s", answer_words[answer]);
}

static const struct {
    const char *word;
    void (*act)(struct script *s, const char *words);
} stage_words[] = {
    { "admin", administer },        { "counter", check_counter },
    { "couriers", check_couriers }, { "drain", drain },
    { "drained", check_drained },   { "limit", change_limit },
    { "server", change_server },    { "servers", check_servers },
    { "time", pass_time },          { "undrained", check_undrained },
    { "reload", reload },           { "entry", change_entry },
    { "secret", answer_secret },
};

/* --- lines --- */

static void
play_line(struct script *s, const char *line)
{
    const char *verb = behind_word(line);
    struct actor *a = actor_named(s, line);

    for (size_t i = 0; i < COUNT_OF(stage_words); i++)
        if (begins_with_word(line, stage_words[i].word)) {
            stage_words[i].act(s, verb);
            return;
        }
    for (size_t i = 0; a != NULL && i < COUNT_OF(verbs); i++)
        if (begins_with_word(verb, verbs[i].verb)) {
            verbs[i].act(a, behind_word(verb));
            return;
        }
    script_fail(s, "this line cannot be played");
}

void
script_line(struct script *s, const char *format, ...)
{
    va_list args;

    if (s->has_failed)
        return;
    va_start(args, format);
    vsnprintf(s->line, sizeof s->line, format, args);
    va_end(args);
    play_line(s, s->line);
    if (!s->has_failed)
        script_settle(s);
}

static bool
play(const struct scene *scene, const char *const *lines, const char *file, unsigned line, size_t *sent)
{
    struct script *s = script_begin(scene, file, line);

    for (; *lines != NULL; lines++)
        script_line(s, "%s", *lines);
    *sent = s->sent;
    return script_end(s);
}

bool
script_play(const struct scene *scene, const char *const *lines, const char *file, unsigned line)
{
    size_t sent;

    return play(scene, lines, file, line, &sent);
}

void
script_play_splits(const struct scene *scene, const char *const *lines, const char *file, unsigned line)
{
    struct scene paced = *scene;
    size_t sent;
    bool good;

    paced.pace = PACE_WHOLE;
    good = play(&paced, lines, file, line, &sent);
    if (good) {
        size_t once_more;

        paced.pace = PACE_BYTES;
        good = play(&paced, lines, file, line, &once_more);
    }
    paced.pace = PACE_SPLIT_AT;
    for (paced.split_at = 1; good && paced.split_at < sent; paced.split_at += SPLIT_STEP) {
        size_t once_more;

        good = play(&paced, lines, file, line, &once_more);
    }
}
