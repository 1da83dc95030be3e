/*
 * program.c - the order of things.
 *
 *     start   command line, configuration, privileges, background, log, pid file, descriptors,
 *             main loop, house, census, secrets, listeners, signals, worker threads
 *     run     the main loop
 *     end     worker threads, listeners, house, census, secrets, signals, main loop, pid file, log
 *
 *     Each step may say no; then what was begun is undone in the order of the end, and the process exits
 *     with 1.
 *
 *     RUNNING --SHUTDOWN WAIT_FOR_CLIENTS--> WAITING --the last has left--> DRAINING
 *     RUNNING --TERM with shutdown_mode clients--> WAITING, likewise
 *     RUNNING --TERM, INT--> DRAINING --all gone, shutdown_timeout, second signal--> the end
 *        +-----QUIT-----------------------------------------------------------------> the end
 */
#include "pgweir/process/program.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_impl.h"
#include "command_line_impl.h"
#include "daemon_impl.h"
#include "descriptors_impl.h"
#include "listeners_impl.h"
#include "pgweir/admin/admin.h"
#include "pgweir/base/log.h"
#include "pgweir/config/reference.h"
#include "pgweir/control/census.h"
#include "pgweir/control/secrets.h"
#include "pgweir/process/version.h"
#include "pgweir/session/house.h"
#include "pidfile_impl.h"
#include "privileges_impl.h"
#include "signals_impl.h"
#include "systemd_impl.h"
#include "workers_impl.h"

enum program_state {
    PROGRAM_STARTING,
    PROGRAM_RUNNING,
    PROGRAM_WAITING, /* SHUTDOWN WAIT_FOR_CLIENTS: nobody new; drains when the last client has left */
    PROGRAM_DRAINING
};

#define FAREWELL_LOOK_US (100 * US_PER_MS)

struct program {
    enum program_state state;
    struct command_line line;
    bool is_log_open;
    struct buf warnings; /* of the start, until there is a log */
    struct daemon daemon;
    struct pidfile *pidfile; /* NULL: none configured */
    struct clock clock;
    struct loop *loop;           /* of this thread */
    struct house_config *config; /* in force; held */
    struct house *house;
    struct census *census;
    struct secrets *secrets;
    struct admin *admin;
    struct listeners *listeners; /* NULL while draining */
    struct signals *signals;
    struct workers *workers;
    struct timer farewell; /* WAITING: looks whether the last client has left */
    struct timer shutdown; /* armed while draining with a time limit */
    struct letter drained; /* from the worker that saw the last client or server go */
};

/* --- telling --- */

/* A reason not to start. Stderr hears it even with -q: nobody would look into a log for it. */
static void
tell_fatal(const struct program *p, const char *text)
{
    if (!p->is_log_open || p->line.is_quiet)
        fprintf(stderr, "pgweir: %s\n", text);
    if (p->is_log_open)
        log_line(LOG_FATAL_LEVEL, "%s", text);
}

/* Calls TELL for each line of TEXT, which is changed. */
static void
each_line(struct buf *text, void (*tell)(const char *line))
{
    char *line, *rest = NULL;

    buf_add_u8(text, 0);
    line = strtok_r((char *)text->at + text->start, "\n", &rest);
    for (; line != NULL; line = strtok_r(NULL, "\n", &rest))
        tell(line);
}

static void
tell_on_stderr(const char *line)
{
    fprintf(stderr, "pgweir: %s\n", line);
}

static void
log_problem(const char *line)
{
    log_line(LOG_ERROR_LEVEL, "%s", line);
}

static void
log_warning(const char *line)
{
    log_line(LOG_WARNING_LEVEL, "%s", line);
}

static void
log_change(const char *line)
{
    log_line(LOG_NOTICE_LEVEL, "reload: %s", line);
}

static void
tell_version(FILE *to)
{
    fprintf(to, "%s\nlibevent %s\nadns: evdns2\ntls: %s\n", PGWEIR_NAME_AND_VERSION, event_get_version(),
            OpenSSL_version(OPENSSL_VERSION));
}

static void
tell_reference(void)
{
    struct buf text;

    buf_init(&text);
    config_write_reference(&text);
    fwrite(buf_slice(&text).at, 1, buf_len(&text), stdout);
    buf_release(&text);
}

/* --- configuration and log --- */

/* Opens, or opens anew, the log as S wants it. */
static enum err
open_log(struct program *p, const struct settings *s, struct error *why)
{
    static const enum log_level levels[] = { LOG_NOTICE_LEVEL, LOG_INFO_LEVEL, LOG_DEBUG_LEVEL };
    unsigned verbose = s->verbose + p->line.verbose;
    bool is_detached = p->line.is_daemon && p->state != PROGRAM_STARTING;
    enum err e = log_open(s->logfile, p->line.is_quiet || is_detached,
                          levels[verbose < COUNT_OF(levels) ? verbose : COUNT_OF(levels) - 1], why);

    if (e != ERR_NONE)
        return e;
    log_to_syslog(s->syslog ? s->syslog_ident : NULL, (enum log_facility)s->syslog_facility);
    p->is_log_open = true;
    return e;
}

/* Reads FILE into *OUT, and what looks wrong in it into WARNINGS. Problems are told line by line, and appended to TOLD (NULL: nobody asks). */
static enum err
load(const char *file, struct settings **out, struct buf *warnings, void (*tell)(const char *line),
     struct buf *told)
{
    struct buf problems;
    struct error why;
    enum err e;

    buf_init(&problems);
    e = settings_load(file, out, &problems, warnings, &why);
    if (e != ERR_NONE && buf_len(&problems) == 0)
        buf_add_format(&problems, "%s\n", why.text);
    if (e != ERR_NONE && told != NULL)
        buf_add(told, buf_slice(&problems));
    if (e != ERR_NONE)
        each_line(&problems, tell);
    buf_release(&problems);
    return e;
}

static void
tell_changes(const struct settings *before, const struct settings *after, struct buf *told)
{
    struct buf changes;

    buf_init(&changes);
    settings_tell_changes(before, after, &changes);
    if (buf_len(&changes) == 0)
        buf_add_text(&changes, "no setting has changed\n");
    if (told != NULL)
        buf_add(told, buf_slice(&changes));
    each_line(&changes, log_change);
    buf_release(&changes);
}

/* The file of the next reload. */
static const char *
next_file(const struct program *p)
{
    const char *conffile = p->config->settings->conffile;

    return conffile[0] != '\0' ? conffile : p->line.file;
}

/* SETTINGS (dropped) with TLS contexts, and with the log open as they want it. What is wrong is logged, and appended to TOLD. */
static enum err
prepare(struct program *p, struct settings *settings, struct house_config **out, struct buf *told)
{
    struct error why;
    enum err e = house_config_new(settings, out, &why);

    if (e == ERR_NONE && open_log(p, settings, &why) != ERR_NONE) {
        house_config_drop(*out);
        e = ERR_CONFIG;
    }
    settings_drop(settings);
    if (e != ERR_NONE)
        log_problem(why.text);
    if (e != ERR_NONE && told != NULL)
        buf_add_format(told, "%s\n", why.text);
    return e;
}

static void
put_in_force(struct program *p, struct house_config *config, struct buf *told)
{
    struct house_config *before = p->config;

    p->config = config;
    tell_changes(before->settings, config->settings, told);
    if (before->settings->max_client_conn != config->settings->max_client_conn)
        descriptors_tell(config->settings, house_worker_count(p->house));
    house_reconfigure(p->house, config);
    if (p->state == PROGRAM_RUNNING) /* later their thread closes them */
        listeners_reconfigure(p->listeners, config->settings);
    census_reconfigure(p->census, config);
    secrets_reconfigure(p->secrets, config);
    admin_reconfigure(p->admin, config);
    house_config_drop(before);
}

/* The whole of it or nothing. TOLD (NULL: nobody asks) gets what has changed, or what is wrong. */
static enum err
try_reload(struct program *p, struct buf *told)
{
    struct house_config *config;
    struct settings *settings;
    struct buf warnings;
    enum err e;

    buf_init(&warnings);
    e = load(next_file(p), &settings, &warnings, log_problem, told);
    if (e == ERR_NONE)
        e = prepare(p, settings, &config, told);
    if (e == ERR_NONE) {
        if (told != NULL && buf_len(&warnings) > 0)
            buf_add(told, buf_slice(&warnings));
        each_line(&warnings, log_warning);
        put_in_force(p, config, told);
    }
    buf_release(&warnings);
    return e;
}

static enum err
reload(struct program *p, struct buf *told)
{
    enum err e;

    systemd_tell_reloading(clock_now_us(&p->clock));
    e = try_reload(p, told);
    if (e != ERR_NONE)
        log_line(LOG_ERROR_LEVEL, "reload failed: the configuration from before stays in force");
    systemd_tell_ready(e == ERR_NONE ? "serving" : "serving; the last reload failed, see the log");
    return e;
}

/* --- the end --- */

static void
stop_now(struct program *p)
{
    loop_stop(p->loop);
}

/* In a worker's thread. */
static void
on_drained(void *arg)
{
    struct program *p = arg;

    (void)loop_post(p->loop, &p->drained); /* full: shutdown_timeout or a second signal ends us */
}

static void
on_drained_arrival(struct letter *letter, void *recipient)
{
    struct program *p = recipient;

    (void)letter;
    log_line(LOG_NOTICE_LEVEL, "no client and no server is left, exiting");
    stop_now(p);
}

static void
on_shutdown_timeout(struct timer *timer)
{
    struct program *p = CONTAINER_OF(timer, struct program, shutdown);
    struct house_totals totals;

    house_totals(p->house, &totals);
    log_line(LOG_WARNING_LEVEL, "shutdown_timeout is over, exiting; clients still connected: %u",
             totals.clients + totals.logins);
    stop_now(p);
}

/* In the thread of the listening sockets, which may be a worker's. */
static void
listeners_do(struct program *p, void (*what)(struct listeners *l))
{
    struct loop *door = house_door(p->house);

    if (p->listeners == NULL)
        return;
    if (door == p->loop)
        what(p->listeners);
    else
        listeners_send(door, p->listeners, what);
}

/* LIMIT_US 0: no limit. */
static void
drain(struct program *p, uint64_t limit_us)
{
    p->state = PROGRAM_DRAINING;
    timer_cancel(&p->farewell);
    systemd_tell_stopping("letting transactions end");
    (void)admin_resume(p->admin);
    listeners_do(p, listeners_free);
    p->listeners = NULL;
    if (limit_us > 0)
        loop_arm(p->loop, &p->shutdown, limit_us);
    house_drain(p->house);
}

/* SHUTDOWN WAIT_FOR_CLIENTS: those who are there are served on, for LIMIT_US; 0: no limit. */
static void
wait_for_clients(struct program *p, uint64_t limit_us)
{
    p->state = PROGRAM_WAITING;
    if (limit_us > 0)
        loop_arm(p->loop, &p->shutdown, limit_us);
    systemd_tell_stopping("waiting for the last client to leave");
    (void)admin_resume(p->admin);
    house_close_doors(p->house);
    listeners_do(p, listeners_close_tcp); /* the console may still come */
    loop_arm(p->loop, &p->farewell, FAREWELL_LOOK_US);
}

static void
on_farewell_look(struct timer *timer)
{
    struct program *p = CONTAINER_OF(timer, struct program, farewell);
    struct house_totals totals;

    house_totals(p->house, &totals);
    if (totals.clients + totals.logins == 0)
        drain(p, p->config->settings->shutdown_timeout_us);
    else
        loop_arm(p->loop, &p->farewell, FAREWELL_LOOK_US);
}

/* TERM or INT, NAME. */
static void
on_stop_signal(struct program *p, const char *name, uint64_t limit_us)
{
    if (p->state == PROGRAM_DRAINING ||
        (p->state == PROGRAM_WAITING && p->config->settings->shutdown_mode == SHUTDOWN_CLIENTS)) {
        log_line(LOG_NOTICE_LEVEL, "got %s while shutting down, exiting now", name);
        stop_now(p);
        return;
    }
    if (limit_us > 0)
        log_line(LOG_NOTICE_LEVEL, "got %s, shutting down, waiting at most %.3g s for transactions to end",
                 name, (double)limit_us / (double)US_PER_S);
    else
        log_line(LOG_NOTICE_LEVEL, "got %s, shutting down, waiting for all transactions to end", name);
    drain(p, limit_us);
}

static void
on_term(struct program *p)
{
    const struct settings *s = p->config->settings;

    if (p->state != PROGRAM_RUNNING || s->shutdown_mode == SHUTDOWN_TRANSACTIONS) {
        on_stop_signal(p, "SIGTERM", s->shutdown_timeout_us);
        return;
    }
    log_line(LOG_NOTICE_LEVEL, "got SIGTERM, shutting down, waiting for all clients to disconnect");
    wait_for_clients(p, s->shutdown_timeout_us);
}

/* USR1 is PAUSE of all databases, USR2 RESUME. */
static void
on_pause_signal(struct program *p, int number)
{
    const char *name = number == SIGUSR1 ? "SIGUSR1" : "SIGUSR2";
    struct pools *pools = house_pools(p->house);

    if (p->state != PROGRAM_RUNNING)
        log_line(LOG_NOTICE_LEVEL, "got %s while shutting down, ignoring", name);
    else if (number == SIGUSR1 && house_is_suspended(p->house))
        log_line(LOG_NOTICE_LEVEL, "got %s, but suspended", name);
    else if (number == SIGUSR1 && pools_pause(pools, NULL, NULL) == POOLS_DONE)
        log_line(LOG_NOTICE_LEVEL, "got %s, pausing all activity", name);
    else if (number == SIGUSR1)
        log_line(LOG_NOTICE_LEVEL, "got %s, but already paused", name);
    else if (admin_resume(p->admin))
        log_line(LOG_NOTICE_LEVEL, "got %s, continuing from SUSPEND", name);
    else if (pools_resume(pools, NULL) == POOLS_DONE)
        log_line(LOG_NOTICE_LEVEL, "got %s, continuing from PAUSE", name);
    else
        log_line(LOG_NOTICE_LEVEL, "got %s, but not paused", name);
}

static void
on_signal(void *arg, int number)
{
    struct program *p = arg;

    switch (number) {
    case SIGHUP:
        if (p->state == PROGRAM_DRAINING)
            log_line(LOG_NOTICE_LEVEL, "got SIGHUP while shutting down, ignoring");
        else {
            log_line(LOG_NOTICE_LEVEL, "got SIGHUP, re-reading config");
            (void)reload(p, NULL);
        }
        break;
    case SIGTERM:
        on_term(p);
        break;
    case SIGINT:
        on_stop_signal(p, "SIGINT", 0);
        break;
    case SIGQUIT:
        log_line(LOG_NOTICE_LEVEL, "got SIGQUIT, exiting now");
        stop_now(p);
        break;
    default:
        on_pause_signal(p, number);
        break;
    }
}

/* Undoes whatever start() has done, from any point of it. */
static void
end(struct program *p)
{
    workers_end(p->workers);
    listeners_free(p->listeners); /* its loop may be a worker's */
    timer_cancel(&p->shutdown);
    secrets_close(p->secrets);
    timer_cancel(&p->farewell);
    admin_close_down(p->admin);
    house_free(p->house); /* what is done there may want a host one last time */
    census_free(p->census);
    secrets_free(p->secrets);
    signals_free(p->signals);
    if (p->loop != NULL)
        (void)loop_turn(p->loop); /* for what census_free() and house_free() left behind */
    admin_free(p->admin);
    loop_free(p->loop);
    house_config_drop(p->config);
    pidfile_give(p->pidfile);
    log_to_syslog(NULL, FACILITY_DAEMON);
    log_close();
    buf_release(&p->warnings);
    libevent_global_shutdown();
}

/* --- the start --- */

static void
on_accept(void *arg, int fd, const struct address *peer)
{
    struct program *p = arg;

    house_deliver(p->house, fd, peer);
}

/* In any thread. */
static void
on_unknown_host(void *arg, struct budget_host *host)
{
    struct program *p = arg;

    census_want(p->census, host);
}

/* In any thread. */
static void
on_secret_ask(void *arg, struct secret_ask *ask)
{
    struct program *p = arg;

    secrets_ask(p->secrets, ask);
}

/* Who we are: user, daemon, log, pid file. */
static enum err
start_process(struct program *p, const struct settings *s, struct error *why)
{
    enum err e = privileges_drop(p->line.user != NULL ? p->line.user : s->user, why);

    if (e == ERR_NONE && p->line.is_daemon && s->pidfile[0] == '\0')
        e = error_set(why, ERR_CONFIG, "daemon mode needs `pidfile`");
    if (e == ERR_NONE && p->line.is_daemon)
        e = daemon_begin(&p->daemon, why);
    if (e == ERR_NONE)
        e = open_log(p, s, why);
    if (e == ERR_NONE && s->pidfile[0] != '\0')
        e = pidfile_take(s->pidfile, &p->pidfile, why);
    if (e != ERR_NONE)
        return e;
    each_line(&p->warnings, log_warning);
    if (p->line.is_daemon && s->logfile[0] == '\0' && !s->syslog)
        log_line(LOG_WARNING_LEVEL, "a daemon without `logfile` and `syslog` logs nothing");
    if (access(p->line.file, R_OK) != 0)
        log_line(LOG_WARNING_LEVEL, "configuration file %s cannot be read by this user: a reload will fail",
                 p->line.file);
    descriptors_raise();
    return ERR_NONE;
}

/* --- what the console asks for --- */

static enum err
on_console_reload(void *arg, struct buf *told)
{
    struct program *p = arg;

    if (p->state == PROGRAM_DRAINING) {
        buf_add_text(told, "pgweir is shutting down\n");
        return ERR_CONFIG;
    }
    log_line(LOG_NOTICE_LEVEL, "RELOAD command issued");
    return reload(p, told);
}

static enum err
on_console_set(void *arg, const struct option *o, const char *value, struct buf *told, struct error *why)
{
    struct program *p = arg;
    struct house_config *config;
    struct settings *settings;
    enum err e = settings_with(p->config->settings, o, value, &settings, why);

    if (e != ERR_NONE)
        return e;
    e = prepare(p, settings, &config, told);
    if (e != ERR_NONE) {
        size_t len = buf_len(told) > 0 ? buf_len(told) - 1 : 0; /* without the end of the line */

        return error_set(why, e, "%.*s", (int)len, (const char *)buf_slice(told).at);
    }
    put_in_force(p, config, told);
    return ERR_NONE;
}

static void
on_console_shutdown(void *arg, enum admin_shutdown how)
{
    struct program *p = arg;

    switch (how) {
    case SHUTDOWN_NOW:
        stop_now(p);
        break;
    case SHUTDOWN_FOR_SERVERS:
        drain(p, 0);
        break;
    case SHUTDOWN_FOR_CLIENTS:
        wait_for_clients(p, 0);
        break;
    }
}

static void
hold_listeners(void *arg, bool is_held)
{
    struct program *p = arg;

    listeners_do(p, is_held ? listeners_hold : listeners_let_go);
}

static bool
listener_at(void *arg, unsigned i, int *fd, struct address *where)
{
    const struct program *p = arg;

    return p->state == PROGRAM_RUNNING && listeners_at(p->listeners, i, fd, where);
}

static bool
is_shutting_down(void *arg)
{
    const struct program *p = arg;

    return p->state == PROGRAM_WAITING || p->state == PROGRAM_DRAINING;
}

static enum err
start_house(struct program *p, struct error *why)
{
    const struct admin_handler handler = { .reload = on_console_reload,
                                           .set = on_console_set,
                                           .shutdown = on_console_shutdown,
                                           .is_shutting_down = is_shutting_down,
                                           .hold_listeners = hold_listeners,
                                           .listener_at = listener_at,
                                           .arg = p };

    struct house_params params = {
        .config = p->config,
        .clock = &p->clock,
        .worker_count = workers_count(p->config->settings),
        .on_unknown_host = on_unknown_host,
        .on_drained = on_drained,
        .on_secret_ask = on_secret_ask,
        .arg = p,
    };

    descriptors_tell(p->config->settings, params.worker_count);
    p->loop = loop_new(&p->clock, p, why);
    if (p->loop == NULL)
        return ERR_IO;
    p->admin = admin_new(p->loop, &p->clock, &handler);
    params.console = admin_console(p->admin);
    if (house_new(&params, &p->house, why) != ERR_NONE)
        return ERR_IO;
    house_attend(p->house, p->loop);
    admin_attend(p->admin, p->house, p->config);
    return ERR_NONE;
}

static enum err
start_service(struct program *p, struct error *why)
{
    enum err e = start_house(p, why);

    if (e != ERR_NONE)
        return e;
    p->census = census_new(p->loop, p->house, p->config);
    p->secrets = secrets_new(p->loop, p->config);
    e = listeners_new(house_door(p->house), p->config->settings, systemd_listen_fds(), on_accept, p,
                      &p->listeners, why);
    if (e == ERR_NONE)
        e = signals_new(p->loop, on_signal, p, &p->signals, why);
    if (e == ERR_NONE)
        e = workers_start(p->house, &p->workers, why);
    return e;
}

/* Only when everything else is up: with stderr gone nobody would see what went wrong. */
static enum err
start_serving(struct program *p, struct error *why)
{
    p->state = PROGRAM_RUNNING;
    daemon_ready(&p->daemon);
    systemd_tell_ready("serving");
    log_line(LOG_NOTICE_LEVEL, "process up: %s, libevent %s (%s), adns: evdns2, tls: %s",
             PGWEIR_NAME_AND_VERSION, event_get_version(), event_base_get_method(loop_base(p->loop)),
             OpenSSL_version(OPENSSL_VERSION));
    return p->line.is_daemon ? open_log(p, p->config->settings, why) : ERR_NONE;
}

static enum err
start(struct program *p, const struct settings *s, struct error *why)
{
    enum err e = start_process(p, s, why);

    if (e == ERR_NONE)
        e = house_config_new(s, &p->config, why);
    if (e == ERR_NONE)
        e = start_service(p, why);
    if (e == ERR_NONE)
        e = start_serving(p, why);
    return e;
}

static int
run(const struct command_line *line)
{
    struct program p = { .state = PROGRAM_STARTING, .line = *line, .clock = clock_real() };
    struct settings *settings;
    struct error why;
    enum err e;

    systemd_init();
    daemon_init(&p.daemon);
    buf_init(&p.warnings);
    timer_init(&p.shutdown, on_shutdown_timeout);
    timer_init(&p.farewell, on_farewell_look);
    p.drained.on_arrival = on_drained_arrival;
    if (load(line->file, &settings, &p.warnings, tell_on_stderr, NULL) != ERR_NONE) {
        buf_release(&p.warnings);
        return 1;
    }
    e = start(&p, settings, &why);
    settings_drop(settings);
    if (e == ERR_NONE)
        loop_run(p.loop);
    else
        tell_fatal(&p, why.text);
    end(&p);
    return e == ERR_NONE ? 0 : 1;
}

int
program_main(int argc, char **argv)
{
    struct command_line line;
    struct error why;

    if (command_line_read(argc, argv, &line, &why) != ERR_NONE) {
        fprintf(stderr, "pgweir: %s\nTry \"pgweir --help\" for more information.\n", why.text);
        return 1;
    }
    switch (line.command) {
    case COMMAND_RUN:
        return run(&line);
    case COMMAND_CHECK:
        return check_file(line.file, line.instances);
    case COMMAND_HELP:
        command_line_help(stdout);
        return 0;
    case COMMAND_HELP_CONFIG:
        tell_reference();
        return 0;
    case COMMAND_VERSION:
        tell_version(stdout);
        return 0;
    }
    return 1;
}
