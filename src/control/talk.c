/*
 * talk.c - a libpq connection as a state machine.
 *
 *     NAMING -> CONNECTING -> SETTING_UP -> IDLE <-> ASKING        any -> lost
 *
 *     A result comes row by row (single-row mode), so that a query that returns a table costs two rows of
 *     memory. One event waits for what libpq waits for; it is made anew each time, because libpq may change
 *     its socket while it connects.
 */
#include "talk_impl.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "libpq_text_impl.h"
#include "names_impl.h"
#include "pgweir/base/mem.h"

enum talk_state { TALK_NAMING, TALK_CONNECTING, TALK_SETTING_UP, TALK_IDLE, TALK_ASKING };

struct talk {
    enum talk_state state;
    struct loop *loop;
    struct talk_handler handler;
    void *arg;
    char *keywords[CONNINFO_WORDS_MOST +
                   1]; /* owned, NULL-terminated, as are the values, which may be secrets */
    char *values[CONNINFO_WORDS_MOST + 1];
    char *setup;
    uint64_t timeout_us;
    struct names_query *names;
    PGconn *conn;
    struct event ready; /* what libpq waits for; one shot */
    bool is_watching;   /* `ready` may be pending */
    struct timer deadline;
    PGresult *first; /* ASKING: of this answer so far; owned */
    unsigned rows;
};

void
talk_free(struct talk *t)
{
    if (t == NULL)
        return;
    timer_cancel(&t->deadline);
    names_cancel(t->names);
    if (t->is_watching)
        event_del(&t->ready);
    PQclear(t->first);
    PQfinish(t->conn);
    for (unsigned i = 0; t->keywords[i] != NULL; i++) {
        free(t->keywords[i]);
        mem_free_secret(t->values[i]);
    }
    free(t->setup);
    free(t);
}

bool
talk_is_idle(const struct talk *t)
{
    return t->state == TALK_IDLE;
}

/* --- losing it --- */

static void
lose(struct talk *t, const struct error *why, const char *sqlstate)
{
    struct talk_handler handler = t->handler;
    void *arg = t->arg;

    talk_free(t);
    handler.on_lost(arg, why, sqlstate);
}

static void
lose_with_message(struct talk *t, const char *message)
{
    struct error why;
    char text[sizeof(why.text)];
    char sqlstate[6];

    libpq_sqlstate(message, sqlstate);
    libpq_flatten(message, text, sizeof(text));
    (void)error_set(&why, libpq_err(sqlstate), "%s", text[0] != '\0' ? text : "the connection was lost");
    lose(t, &why, sqlstate);
}

static void
on_deadline(struct timer *timer)
{
    static const char *const doing[] = {
        [TALK_NAMING] = "looking up its name",        [TALK_CONNECTING] = "connecting and logging in",
        [TALK_SETTING_UP] = "setting up the session", [TALK_IDLE] = "resting",
        [TALK_ASKING] = "waiting for its answer",
    };
    struct talk *t = CONTAINER_OF(timer, struct talk, deadline);
    struct error why;

    (void)error_set(&why, ERR_TIMEOUT, "no answer within %.3g s (%s)",
                    (double)t->timeout_us / (double)US_PER_S, doing[t->state]);
    lose(t, &why, "");
}

/* --- waiting --- */

static void on_event(evutil_socket_t fd, short what, void *arg);

/* False: T is lost. */
static bool
wait_for(struct talk *t, short what)
{
    struct error why;
    int fd = PQsocket(t->conn);

    if (fd >= 0 && event_assign(&t->ready, loop_base(t->loop), fd, what, on_event, t) == 0 &&
        event_add(&t->ready, NULL) == 0) {
        t->is_watching = true;
        return true;
    }
    (void)error_set(&why, ERR_IO, "the connection cannot be waited for");
    lose(t, &why, "");
    return false;
}

/* False: T is lost. */
static bool
rest(struct talk *t)
{
    t->state = TALK_IDLE;
    timer_cancel(&t->deadline);
    return wait_for(t, EV_READ); /* the server may leave */
}

/* --- questions --- */

/* Takes what has come. False: more has to come, or T is lost. True: the answer is whole, or has more rows
 * than anybody wants. */
static bool
take_results(struct talk *t)
{
    while (!PQisBusy(t->conn)) {
        PGresult *r = PQgetResult(t->conn);
        bool is_row, is_good;

        if (r == NULL)
            return true;
        is_row = PQresultStatus(r) == PGRES_SINGLE_TUPLE;
        is_good = is_row || PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK;
        t->rows += is_row;
        if (t->first == NULL || !is_good) {
            PQclear(t->first);
            t->first = r;
        } else {
            PQclear(r);
        }
        if (t->rows > 1)
            return true;
    }
    wait_for(t, EV_READ);
    return false;
}

static void
end_setup(struct talk *t)
{
    bool is_good = t->first != NULL && (PQresultStatus(t->first) == PGRES_TUPLES_OK ||
                                        PQresultStatus(t->first) == PGRES_COMMAND_OK);

    if (!is_good) {
        lose_with_message(t, t->first != NULL ? PQresultErrorMessage(t->first) : PQerrorMessage(t->conn));
        return;
    }
    PQclear(t->first);
    t->first = NULL;
    if (rest(t))
        t->handler.on_ready(t->arg);
}

static void
end_question(struct talk *t)
{
    struct talk_answer answer = { .result = t->first, .rows = t->rows };
    PGresult *first = t->first;

    if (PQstatus(t->conn) == CONNECTION_BAD) {
        lose_with_message(t, PQerrorMessage(t->conn));
        return;
    }
    t->first = NULL;
    t->rows = 0;
    if (rest(t))
        t->handler.on_answer(t->arg, &answer);
    PQclear(first);
}

static void
go_on_asking(struct talk *t)
{
    int unsent = PQflush(t->conn);

    if (unsent < 0 || PQconsumeInput(t->conn) == 0)
        lose_with_message(t, PQerrorMessage(t->conn));
    else if (unsent > 0)
        wait_for(t, EV_READ | EV_WRITE);
    else if (take_results(t))
        (t->state == TALK_SETTING_UP ? end_setup : end_question)(t);
}

void
talk_ask(struct talk *t, const char *sql, const char *value)
{
    event_del(&t->ready);
    t->is_watching = false;
    t->state = TALK_ASKING;
    loop_arm(t->loop, &t->deadline, t->timeout_us);
    /* What goes wrong at once is told from the loop: the caller is in the middle of something. */
    if (PQsendQueryParams(t->conn, sql, 1, NULL, &value, NULL, NULL, 0) == 1)
        (void)PQsetSingleRowMode(t->conn);
    wait_for(t, EV_WRITE);
}

/* --- the way there --- */

static void
set_up(struct talk *t)
{
    t->state = TALK_SETTING_UP;
    if (PQsetnonblocking(t->conn, 1) != 0 || PQsendQuery(t->conn, t->setup) == 0)
        lose_with_message(t, PQerrorMessage(t->conn));
    else
        go_on_asking(t);
}

static void
go_on_connecting(struct talk *t)
{
    switch (PQconnectPoll(t->conn)) {
    case PGRES_POLLING_READING:
        wait_for(t, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(t, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        set_up(t);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        lose_with_message(t, PQerrorMessage(t->conn));
        break;
    }
}

/* A word from a server that nobody has asked: a notice, or its end. */
static void
hear(struct talk *t)
{
    if (PQconsumeInput(t->conn) == 0 || PQstatus(t->conn) == CONNECTION_BAD)
        lose_with_message(t, PQerrorMessage(t->conn));
    else
        wait_for(t, EV_READ);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct talk *t = arg;

    (void)fd;
    (void)what;
    t->is_watching = false;
    switch (t->state) {
    case TALK_NAMING:
        break;
    case TALK_CONNECTING:
        go_on_connecting(t);
        break;
    case TALK_SETTING_UP:
    case TALK_ASKING:
        go_on_asking(t);
        break;
    case TALK_IDLE:
        hear(t);
        break;
    }
}

static void
drop_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

static void
set_value(struct talk *t, const char *keyword, const char *value)
{
    unsigned i = 0;

    while (t->keywords[i] != NULL && strcmp(t->keywords[i], keyword) != 0)
        i++;
    if (t->keywords[i] == NULL)
        t->keywords[i] = mem_text(keyword);
    mem_free_secret(t->values[i]);
    t->values[i] = mem_text(value);
}

static void
on_names(void *arg, const struct names_answer *answer)
{
    struct talk *t = arg;

    t->names = NULL;
    t->state = TALK_CONNECTING;
    set_value(t, "host", answer->host);
    set_value(t, "hostaddr", answer->hostaddr);
    set_value(t, "port", answer->port);
    t->conn = PQconnectStartParams((const char *const *)t->keywords, (const char *const *)t->values, 0);
    if (PQstatus(t->conn) == CONNECTION_BAD) {
        lose_with_message(t, PQerrorMessage(t->conn));
        return;
    }
    PQsetNoticeReceiver(t->conn, drop_notice, NULL);
    PQsetErrorVerbosity(t->conn, PQERRORS_VERBOSE); /* the only way to the SQLSTATE of a refused login */
    wait_for(t, EV_WRITE);
}

static void
on_no_names(void *arg, const struct error *why)
{
    struct talk *t = arg;

    t->names = NULL;
    lose(t, why, "");
}

struct talk *
talk_new(struct loop *loop, const struct conninfo *info, const char *setup, uint64_t timeout_us,
         const struct talk_handler *handler, void *arg)
{
    static const struct names_handler names_handler = { .on_answer = on_names, .on_failure = on_no_names };
    struct talk *t = mem_new(sizeof(*t));
    const char *hosts = "", *ports = "";

    t->state = TALK_NAMING;
    t->loop = loop;
    t->handler = *handler;
    t->arg = arg;
    t->setup = mem_text(setup);
    t->timeout_us = timeout_us;
    for (unsigned i = 0; info->keywords[i] != NULL; i++) {
        t->keywords[i] = mem_text(info->keywords[i]);
        t->values[i] = mem_text(info->values[i]);
        if (strcmp(info->keywords[i], "host") == 0)
            hosts = info->values[i];
        else if (strcmp(info->keywords[i], "port") == 0)
            ports = info->values[i];
    }
    timer_init(&t->deadline, on_deadline);
    loop_arm(loop, &t->deadline, timeout_us);
    t->names = names_ask(loop, hosts, ports, &names_handler, t);
    return t;
}
