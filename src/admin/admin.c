/*
 * admin.c - from a command's text to its answer, in the main thread.
 *
 *     worker: execute() --letter--> on_call() -> job -> commands[id](job) -> job_answer(), now or later
 *     worker: cancel()  --letter--> on_cancel(): a job of that client that waits is given up: 57014,
 *             and a PAUSE is undone
 *
 * Invariants: a job is in admin->jobs from on_call() to job_answer(); one that a roll call holds (is_rolling)
 * is answered when that is over.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_impl.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/config/option.h"
#include "show_impl.h"

/* --- jobs --- */

static void
job_end(struct job *j)
{
    struct console_call *call = j->call;

    link_remove(&j->in_admin);
    if (j->is_waiting)
        pools_wait_cancel(&j->wait);
    house_hunt_cancel(j->hunt);
    if (j->admin->is_closing)
        console_call_free(call);
    else
        console_answer(call);
    free(j);
}

void
job_answer(struct job *j)
{
    if (j->call->tag[0] == '\0' && j->command.id < COMMAND_COUNT)
        snprintf(j->call->tag, sizeof j->call->tag, "%s", command_words[j->command.id]);
    job_end(j);
}

void
job_refuse(struct job *j, const char *sqlstate, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    j->call->is_error = true;
    pg_error_set(&j->call->error, PG_ERROR, sqlstate, "%s", text);
    job_end(j);
}

static void
job_notice(struct job *j, const char *text)
{
    build_notice(&j->call->notices, text);
}

/* Each line of TOLD as a notice. */
static void
notice_lines(struct job *j, struct buf *told)
{
    char *line, *rest = NULL;

    buf_add_u8(told, 0);
    for (line = strtok_r((char *)told->at + told->start, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        job_notice(j, line);
}

/* --- pools --- */

static const char *
database_of(const struct job *j)
{
    return j->command.has_name ? j->command.name : NULL;
}

/* The console itself cannot be paused, and no pool has its name. */
static bool
is_about_console(struct job *j)
{
    if (!j->command.has_name || !console_is_database(j->command.name))
        return false;
    job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "cannot %s admin db: %s", command_words[j->command.id],
               j->command.name);
    return true;
}

/* True when ANSWER is an error, which was told. */
static bool
is_refused(struct job *j, enum pools_answer answer)
{
    switch (answer) {
    case POOLS_DONE:
        return false;
    case POOLS_NO_DATABASE:
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "no such database: %s", j->command.name);
        break;
    case POOLS_ALREADY:
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "already suspended/paused");
        break;
    case POOLS_NOT_PAUSED:
        if (j->command.has_name)
            job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "database %s is not paused", j->command.name);
        else
            job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "pooler is not paused/suspended");
        break;
    }
    return true;
}

static void
on_wait_done(struct pools_wait *wait)
{
    struct job *j = CONTAINER_OF(wait, struct job, wait);

    j->is_waiting = false;
    job_answer(j);
}

static void
wait_for(struct job *j, enum pools_answer answer)
{
    if (answer == POOLS_DONE)
        j->is_waiting = true; /* on_wait_done() answers */
    else
        (void)is_refused(j, answer);
}

static void
answer_as(struct job *j, enum pools_answer answer)
{
    if (!is_refused(j, answer))
        job_answer(j);
}

static void
run_pause(struct job *j)
{
    if (house_is_suspended(j->admin->house))
        (void)is_refused(j, POOLS_ALREADY);
    else if (!is_about_console(j))
        wait_for(j, pools_pause(house_pools(j->admin->house), database_of(j), &j->wait));
}

static void
run_resume(struct job *j)
{
    if (j->admin->program.is_shutting_down(j->admin->program.arg))
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "pooler is shutting down");
    else if (!j->command.has_name && admin_resume(j->admin))
        job_answer(j);
    else if (!is_about_console(j))
        answer_as(j, pools_resume(house_pools(j->admin->house), database_of(j)));
}

static void
run_disable(struct job *j)
{
    if (!is_about_console(j))
        answer_as(j, pools_disable(house_pools(j->admin->house), database_of(j)));
}

static void
run_enable(struct job *j)
{
    if (!is_about_console(j))
        answer_as(j, pools_enable(house_pools(j->admin->house), database_of(j)));
}

static void
run_reconnect(struct job *j)
{
    if (!is_about_console(j))
        answer_as(j, pools_reconnect(house_pools(j->admin->house), database_of(j)));
}

static void
run_wait_close(struct job *j)
{
    if (!is_about_console(j))
        wait_for(j, pools_wait_close(house_pools(j->admin->house), database_of(j), &j->wait));
}

static void
run_kill(struct job *j)
{
    if (!is_about_console(j))
        answer_as(j, house_kill(j->admin->house, database_of(j)));
}

static void
on_killed(void *arg, bool is_found)
{
    struct job *j = arg;

    j->hunt = NULL;
    if (is_found)
        job_answer(j);
    else
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "client not found");
}

static void
run_kill_client(struct job *j)
{
    const char *text = j->command.name;
    char *end = NULL;
    uint64_t id;

    errno = 0;
    id = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || id == 0)
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "invalid client pointer supplied");
    else
        j->hunt = house_kill_client(j->admin->house, id, on_killed, j);
}

static void
on_suspended(void *arg)
{
    struct admin *a = arg;
    struct job *j = a->suspending;

    a->program.hold_listeners(a->program.arg,
                              true); /* not before: a Ctrl-C comes by a connection of its own */
    a->suspending = NULL;
    if (j != NULL)
        job_answer(j);
}

static void
run_suspend(struct job *j)
{
    struct admin *a = j->admin;

    if (a->program.is_shutting_down(a->program.arg)) {
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "pooler is shutting down");
    } else if (pools_is_any_paused(house_pools(a->house))) {
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "cannot suspend with paused databases");
    } else if (!house_suspend(a->house, a->config->settings->suspend_timeout_us, on_suspended, a)) {
        (void)is_refused(j, POOLS_ALREADY);
    } else {
        a->suspender = j->call->client_id;
        a->suspending = j;
    }
}

bool
admin_resume(struct admin *a)
{
    struct job *j = a->suspending;

    if (!house_resume(a->house))
        return false;
    a->suspender = 0;
    a->suspending = NULL;
    a->program.hold_listeners(a->program.arg, false);
    if (j != NULL)
        job_refuse(j, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    return true;
}

/* --- configuration and the process --- */

static void
run_reload(struct job *j)
{
    const struct admin_handler *program = &j->admin->program;
    struct buf told;
    enum err e;

    buf_init(&told);
    e = program->reload(program->arg, &told);
    if (e == ERR_NONE) {
        notice_lines(j, &told);
        job_answer(j);
    } else {
        buf_add_u8(&told, 0);
        j->call->is_error = true;
        pg_error_set(&j->call->error, PG_ERROR, "F0000", "RELOAD failed, see logs for additional details");
        pg_error_detail(&j->call->error, "%.380s", (const char *)buf_slice(&told).at);
        job_end(j);
    }
    buf_release(&told);
}

/* Settings of a PostgreSQL session that drivers set at their start: accepted, and nothing is done. */
static bool
is_pretended(const char *name)
{
    static const char *const names[] = { "client_encoding",
                                         "default_transaction_isolation",
                                         "standard_conforming_strings",
                                         "datestyle",
                                         "timezone",
                                         "application_name",
                                         "extra_float_digits" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal_nocase(names[i], name))
            return true;
    return false;
}

static void
set_option(struct job *j, const struct option *o)
{
    const struct admin_handler *program = &j->admin->program;
    struct buf told;
    struct error why;

    buf_init(&told);
    if (program->set(program->arg, o, j->command.value, &told, &why) == ERR_NONE) {
        notice_lines(j, &told);
        job_answer(j);
    } else {
        job_refuse(j, o->when == OPT_RESTART ? "55P02" : "22023", "%s: %s", o->name, why.text);
    }
    buf_release(&told);
}

static void
run_set(struct job *j)
{
    const struct option *o = option_find(j->command.name);
    char *tag = j->call->tag;

    snprintf(tag, sizeof j->call->tag, "SET %s=%s", j->command.name, j->command.value);
    if (o != NULL) {
        set_option(j, o);
    } else if (is_pretended(j->command.name)) {
        snprintf(tag, sizeof j->call->tag, "SET");
        job_notice(j, "SET ignored");
        job_answer(j);
    } else {
        job_refuse(j, "42704", "unrecognized configuration parameter \"%s\"", j->command.name);
    }
}

static void
run_shutdown(struct job *j)
{
    const struct admin_handler *program = &j->admin->program;
    const char *how = j->command.name;

    if (!j->command.has_name) {
        log_line(LOG_NOTICE_LEVEL, "SHUTDOWN command issued");
        program->shutdown(program->arg, SHUTDOWN_NOW); /* there is no answer */
        return;
    }
    if (!text_equal_nocase(how, "wait_for_servers") && !text_equal_nocase(how, "wait_for_clients")) {
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "invalid command '%s', use SHOW HELP;", j->call->text);
        return;
    }
    if (program->is_shutting_down(program->arg)) {
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "already shutting down");
        return;
    }
    log_line(LOG_NOTICE_LEVEL, "SHUTDOWN %s command issued", how);
    (void)admin_resume(j->admin); /* nobody could come to an end */
    program->shutdown(program->arg, text_equal_nocase(how, "wait_for_servers") ? SHUTDOWN_FOR_SERVERS
                                                                               : SHUTDOWN_FOR_CLIENTS);
    job_answer(j);
}

static void
run_show(struct job *j)
{
    j->show = show_find(j->command.name);
    if (j->show == NULL)
        job_refuse(j, SQLSTATE_PROTOCOL_VIOLATION, "invalid command '%.150s', use SHOW HELP;", j->call->text);
    else
        show_begin(j);
}

static void (*const commands[COMMAND_COUNT])(struct job *j) = {
    [COMMAND_SHOW] = run_show,           [COMMAND_SET] = run_set,
    [COMMAND_RELOAD] = run_reload,       [COMMAND_PAUSE] = run_pause,
    [COMMAND_RESUME] = run_resume,       [COMMAND_SUSPEND] = run_suspend,
    [COMMAND_DISABLE] = run_disable,     [COMMAND_ENABLE] = run_enable,
    [COMMAND_RECONNECT] = run_reconnect, [COMMAND_WAIT_CLOSE] = run_wait_close,
    [COMMAND_KILL] = run_kill,           [COMMAND_KILL_CLIENT] = run_kill_client,
    [COMMAND_SHUTDOWN] = run_shutdown,
};

/* --- from and to the workers --- */

static void
refuse_call(struct job *j, const struct pg_error *why)
{
    j->call->is_error = true;
    j->call->error = *why;
    job_end(j);
}

static void
on_call(struct letter *letter, void *recipient)
{
    struct console_call *call = CONTAINER_OF(letter, struct console_call, letter);
    struct admin *a = call->owner;
    struct job *j = mem_new(sizeof *j);
    struct pg_error why;

    (void)recipient;
    j->admin = a;
    j->call = call;
    j->wait.on_done = on_wait_done;
    link_init(&j->in_admin);
    list_push_last(&a->jobs, &j->in_admin);
    if (!command_read(call->text, &j->command, &why)) {
        refuse_call(j, &why);
    } else if (a->is_closing || a->house == NULL) {
        job_refuse(j, SQLSTATE_CANNOT_CONNECT_NOW, "pgweir is starting or stopping");
    } else if (j->command.id == COMMAND_EMPTY) {
        job_answer(j);
    } else if (command_rights[j->command.id] == FOR_ADMIN && !call->is_admin) {
        job_refuse(j, "42501", "admin access needed: %s is for admin_users", command_words[j->command.id]);
    } else {
        if (command_rights[j->command.id] == FOR_ADMIN)
            log_line(LOG_NOTICE_LEVEL, "console: user \"%s\": %.200s", call->user, call->text);
        commands[j->command.id](j);
    }
}

static void
execute(void *arg, struct console_call *call)
{
    struct admin *a = arg;

    call->owner = a;
    call->letter.on_arrival = on_call;
    if (loop_post(a->loop, &call->letter))
        return;
    call->is_error = true;
    pg_error_set(&call->error, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED, "the main thread is flooded; try again");
    console_answer(call);
}

struct cancel_letter {
    struct letter letter;
    struct admin *admin;
    uint64_t client_id;
    bool is_gone;
};

/* A PAUSE that is given up by its client is undone; one whose client has left goes on. A SUSPEND is undone in either case. */
static void
give_up(struct job *j, bool is_gone)
{
    if (j == j->admin->suspending) {
        (void)admin_resume(j->admin);
        return;
    }
    if (j->is_rolling) {
        j->is_cancelled = true;
        return;
    }
    if (j->is_waiting) {
        pools_wait_cancel(&j->wait);
        j->is_waiting = false;
        if (j->command.id == COMMAND_PAUSE && !is_gone)
            (void)pools_resume(house_pools(j->admin->house), database_of(j));
    }
    job_refuse(j, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
}

static void
on_cancel(struct letter *letter, void *recipient)
{
    struct cancel_letter *l = CONTAINER_OF(letter, struct cancel_letter, letter);

    (void)recipient;
    if (!l->admin->is_closing)
        LIST_EACH(&l->admin->jobs, it) {
            struct job *j = CONTAINER_OF(it, struct job, in_admin);

            if (j->call->client_id == l->client_id) {
                give_up(j, l->is_gone);
                break;
            }
        }
    if (!l->admin->is_closing && l->is_gone && l->admin->suspender == l->client_id)
        (void)admin_resume(l->admin);
    free(l);
}

static void
cancel(void *arg, uint64_t client_id, bool is_gone)
{
    struct admin *a = arg;
    struct cancel_letter *l = mem_new(sizeof *l);

    l->letter.on_arrival = on_cancel;
    l->admin = a;
    l->client_id = client_id;
    l->is_gone = is_gone;
    if (!loop_post(a->loop, &l->letter))
        free(l); /* flooded: who cancels may cancel again */
}

static bool
describe(void *arg, const char *text, struct console_shape *out, struct pg_error *why)
{
    const struct show *show;
    struct command command;

    (void)arg;
    *out = (struct console_shape){ NULL, 0 };
    if (!command_read(text, &command, why))
        return false;
    if (command.id != COMMAND_SHOW)
        return true;
    show = show_find(command.name);
    if (show != NULL) {
        *out = show->shape;
        return true;
    }
    pg_error_set(why, PG_ERROR, SQLSTATE_PROTOCOL_VIOLATION, "invalid command '%.150s', use SHOW HELP;",
                 text);
    return false;
}

/* --- statistics --- */

static void
arm_stats(struct admin *a)
{
    uint64_t period_us = a->config->settings->stats_period_us;

    loop_arm(a->loop, &a->stats_timer, period_us > 0 ? period_us : US_PER_S);
}

static void
log_stats(const struct stats_snapshot *now, const struct stats_snapshot *before)
{
    struct pool_counters sum, old, average;
    char line[400];

    stats_sum(now, &sum);
    stats_sum(before, &old);
    stats_average(&sum, now->taken_us, &old, before->taken_us, &average);
    stats_line(&average, line, sizeof line);
    log_line(LOG_NOTICE_LEVEL, "%s", line);
}

static void
on_stats(void *arg, struct roll *roll)
{
    struct admin *a = arg;
    struct stats_snapshot now;

    a->is_stats_asked = false;
    if (a->is_closing)
        return;
    stats_snapshot_of(&now, roll, clock_now_us(a->clock));
    if (a->config->settings->log_stats)
        log_stats(&now, &a->stats.newer);
    stats_advance(&a->stats, &now);
}

static void
on_stats_due(struct timer *timer)
{
    struct admin *a = CONTAINER_OF(timer, struct admin, stats_timer);
    const struct roll_request request = {
        .what = ROLL_POOLS, .on_done = on_stats, .arg = a, .loop = a->loop
    };

    arm_stats(a);
    if (a->is_stats_asked) /* a worker is stuck */
        return;
    a->is_stats_asked = true;
    roll_call(a->house, &request);
}

/* --- life --- */

struct admin *
admin_new(struct loop *main_loop, const struct clock *clock, const struct admin_handler *handler)
{
    struct admin *a = mem_new(sizeof *a);

    a->loop = main_loop;
    a->clock = clock;
    a->program = *handler;
    a->console = (struct console_handler){ .server_version = PGWEIR_VERSION "/bouncer",
                                           .describe = describe,
                                           .execute = execute,
                                           .cancel = cancel,
                                           .arg = a };
    list_init(&a->jobs);
    timer_init(&a->stats_timer, on_stats_due);
    stats_init(&a->stats, clock_now_us(clock));
    return a;
}

const struct console_handler *
admin_console(struct admin *a)
{
    return &a->console;
}

void
admin_attend(struct admin *a, struct house *house, struct house_config *config)
{
    a->house = house;
    a->config = house_config_hold(config);
    a->at_start = settings_hold(config->settings);
    arm_stats(a);
}

void
admin_reconfigure(struct admin *a, struct house_config *config)
{
    house_config_drop(a->config);
    a->config = house_config_hold(config);
    timer_cancel(&a->stats_timer);
    arm_stats(a);
}

void
admin_close_down(struct admin *a)
{
    if (a == NULL)
        return;
    a->is_closing = true;
    timer_cancel(&a->stats_timer);
    LIST_EACH(&a->jobs, it) { /* their clients still look at the calls: those go with admin_free() */
        struct job *j = CONTAINER_OF(it, struct job, in_admin);

        if (j->is_waiting)
            pools_wait_cancel(&j->wait);
        j->is_waiting = false;
        house_hunt_cancel(j->hunt);
        j->hunt = NULL;
    }
}

void
admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    LIST_EACH(&a->jobs, it) {
        job_end(CONTAINER_OF(it, struct job, in_admin));
    }
    stats_fini(&a->stats);
    house_config_drop(a->config);
    settings_drop(a->at_start);
    free(a);
}
