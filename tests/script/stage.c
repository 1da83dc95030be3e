/*
 * stage.c - the house that a script plays with, and what it was told about: settings, users, the address of
 * its servers.
 *
 * Everything lies in a directory of the script's own, the socket of the servers too.
 */
#include "script_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

#define PORT 5432
#define START_US (1000 * US_PER_S)

void
stage_set_limit(struct script *s)
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
        stage_set_limit(s);
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
void
stage_load(struct script *s)
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

void
stage_listener_open(struct script *s)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.%d", s->dir, PORT);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(s->listener, 100) != 0)
        script_fail(s, "the server cannot listen: %s", strerror(errno));
}

void
stage_listener_close(struct script *s)
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

void
stage_answer_ask(struct script *s, enum secret_outcome outcome, const char *secret)
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
    stage_load(s);
    stage_listener_open(s);
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
                script_fail_showing(s, &s->actors[kind][i], slice_of(NULL, 0));
}

bool
script_end(struct script *s)
{
    bool has_failed;

    if (!s->has_failed && s->scene.serve == NULL)
        check_nothing_unheard(s);
    while (s->asks != NULL)
        stage_answer_ask(s, SECRET_FAILED, NULL);
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
    stage_listener_close(s);
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
