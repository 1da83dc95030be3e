/*
 * capacity.c - one question to one server, in one short-lived libpq connection.
 *
 *     names_ask() -> PQconnectStartParams() -> PQconnectPoll()… -> PQsendQuery() -> PQgetResult()
 *
 *     Each step ends with one event for what libpq waits for, made anew each time, because libpq may change
 *     its socket from one step to the next (the next host, a second try without TLS). Whatever the end, it
 *     goes through finish().
 */
#include "pgweir/control/capacity.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <libpq-fe.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libpq_text_impl.h"
#include "names_impl.h"
#include "pgweir/base/mem.h"

#define DIRECT_RESERVE_LEAST 3u
#define CONTROL_CONNECTIONS 1u

/* Rows of (kind, name, value). Everything names its schema, operators too, so that no search_path can
 * redirect it. reserved_connections exists from PostgreSQL 16 on, and is NULL before. PostgreSQL does not
 * hold superusers to limits. */
static const char question[] =
    "SELECT 'setting', s.name, pg_catalog.current_setting(s.name, true)"
    "  FROM (VALUES ('max_connections'), ('superuser_reserved_connections'), ('reserved_connections'))"
    "    AS s (name)"
    " UNION ALL "
    "SELECT 'recovery', '', CASE WHEN pg_catalog.pg_is_in_recovery() THEN '1' ELSE '0' END"
    " UNION ALL "
    "SELECT 'role', r.rolname::pg_catalog.text, r.rolconnlimit::pg_catalog.text"
    "  FROM pg_catalog.pg_roles AS r"
    " WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolconnlimit OPERATOR(pg_catalog.>=) 0"
    " UNION ALL "
    "SELECT 'database', d.datname::pg_catalog.text, d.datconnlimit::pg_catalog.text"
    "  FROM pg_catalog.pg_database AS d"
    " WHERE d.datallowconn AND d.datconnlimit OPERATOR(pg_catalog.>=) 0";

enum question_column { COLUMN_KIND, COLUMN_NAME, COLUMN_VALUE, COLUMN_COUNT };

/* --- arithmetic --- */

static unsigned
minus(unsigned from, unsigned what)
{
    return from > what ? from - what : 0;
}

static unsigned
reserve_of(unsigned max_connections, struct option_share share)
{
    unsigned reserve;

    if (share.percent == 0)
        return share.count;
    reserve = (unsigned)(((uint64_t)max_connections * share.percent + 99) / 100);
    return reserve < DIRECT_RESERVE_LEAST ? DIRECT_RESERVE_LEAST : reserve;
}

unsigned
capacity_for_pools(const struct capacity_facts *facts, struct option_share direct_reserve, char *why,
                   size_t why_size)
{
    const struct {
        const char *name;
        unsigned count;
    } reserves[] = {
        { "superuser_reserved", facts->superuser_reserved },
        { "reserved", facts->reserved },
        { "direct_reserve", reserve_of(facts->max_connections, direct_reserve) },
        { "control", CONTROL_CONNECTIONS },
    };
    unsigned left = facts->max_connections;
    size_t used = 0;
    char text[256];

    used = (size_t)snprintf(text, sizeof(text), "max_connections %u", left);
    for (size_t i = 0; i < COUNT_OF(reserves); i++) {
        if (reserves[i].count == 0)
            continue;
        left = minus(left, reserves[i].count);
        used += (size_t)snprintf(text + used, sizeof(text) - used, " - %s %u", reserves[i].name,
                                 reserves[i].count);
    }
    if (left == 0) {
        left = 1;
        snprintf(text + used, sizeof(text) - used, ", but at least 1");
    }
    snprintf(why, why_size, "%s", text);
    return left;
}

unsigned
capacity_of_limit(const struct capacity_limit *limit, bool is_asked)
{
    unsigned left = is_asked ? minus(limit->limit, CONTROL_CONNECTIONS) : limit->limit;

    return left == 0 ? 1 : left;
}

/* --- one question --- */

enum capacity_state {
    CAPACITY_NAMING,     /* names is set */
    CAPACITY_CONNECTING, /* conn is set */
    CAPACITY_ASKING,     /* conn is set, the question is on its way */
};

struct capacity_query {
    enum capacity_state state;
    struct loop *loop;
    struct capacity_handler handler;
    void *arg;
    char **keywords; /* owned, NULL-terminated, as are the texts; the values may be secrets */
    char **values;
    struct names_query *names;
    PGconn *conn;
    struct event ready; /* what libpq waits for; one shot */
    bool is_watching;   /* `ready` may be pending */
    struct timer deadline;
    uint64_t timeout_us;
    struct capacity_facts facts;
};

static void
query_free(struct capacity_query *q)
{
    timer_cancel(&q->deadline);
    names_cancel(q->names);
    if (q->is_watching)
        event_del(&q->ready);
    PQfinish(q->conn);
    for (unsigned i = 0; q->keywords[i] != NULL; i++) {
        free(q->keywords[i]);
        mem_free_secret(q->values[i]);
    }
    free(q->keywords);
    free(q->values);
    free(q->facts.limits);
    free(q);
}

void
capacity_cancel(struct capacity_query *q)
{
    if (q != NULL)
        query_free(q);
}

/* Ends Q; WHY NULL: with its facts. */
static void
finish(struct capacity_query *q, const struct error *why)
{
    struct capacity_handler handler = q->handler;
    struct capacity_facts facts = q->facts;
    void *arg = q->arg;

    q->facts.limits = NULL;
    query_free(q);
    if (why != NULL)
        handler.on_failure(arg, why);
    else
        handler.on_answer(arg, &facts);
    free(facts.limits);
}

/* Where the value of KEYWORD is, or NULL. */
static char **
place_of(const struct capacity_query *q, const char *keyword)
{
    for (unsigned i = 0; q->keywords[i] != NULL; i++)
        if (strcmp(q->keywords[i], keyword) == 0)
            return &q->values[i];
    return NULL;
}

static const char *
value_of(const struct capacity_query *q, const char *keyword)
{
    char **place = place_of(q, keyword);

    return place == NULL || *place == NULL ? "" : *place;
}

static void
set_value(struct capacity_query *q, const char *keyword, const char *value)
{
    char **place = place_of(q, keyword);

    mem_free_secret(*place);
    *place = mem_text(value);
}

static void
fail_with_message(struct capacity_query *q, const char *message, const char *sqlstate)
{
    struct error why;
    char text[sizeof(why.text)];
    enum err code = libpq_err(sqlstate);

    if (code == ERR_IO && PQconnectionNeedsPassword(q->conn))
        code = ERR_AUTH;
    libpq_flatten(message, text, sizeof(text));
    (void)error_set(&why, code, "%s", text[0] != '\0' ? text : "libpq failed without a message");
    finish(q, &why);
}

/* Fails with what libpq has to say about the connection. */
static void
fail_with_connection(struct capacity_query *q)
{
    const char *message = PQerrorMessage(q->conn);
    char sqlstate[6];

    libpq_sqlstate(message, sqlstate);
    fail_with_message(q, message, sqlstate);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void
wait_for(struct capacity_query *q, short what)
{
    int fd = PQsocket(q->conn);

    if (fd < 0 || event_assign(&q->ready, loop_base(q->loop), fd, what, on_ready, q) != 0 ||
        event_add(&q->ready, NULL) != 0) {
        struct error why;

        (void)error_set(&why, ERR_IO, "the connection cannot be waited for");
        finish(q, &why);
        return;
    }
    q->is_watching = true;
}

/* --- the answer --- */

static bool
read_count(const char *text, unsigned *out)
{
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v > INT_MAX)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool
read_setting(struct capacity_facts *facts, const char *name, unsigned value)
{
    if (strcmp(name, "max_connections") == 0)
        facts->max_connections = value;
    else if (strcmp(name, "superuser_reserved_connections") == 0)
        facts->superuser_reserved = value;
    else if (strcmp(name, "reserved_connections") == 0)
        facts->reserved = value;
    else
        return false;
    return true;
}

static bool
read_limit(struct capacity_facts *facts, const char *name, unsigned value, bool is_role)
{
    struct capacity_limit *limit = &facts->limits[facts->limit_count];
    size_t len = strlen(name);

    if (len >= sizeof(limit->name))
        return false;
    *limit = (struct capacity_limit){ .limit = value, .is_role = is_role };
    memcpy(limit->name, name, len);
    facts->limit_count++;
    return true;
}

static bool
read_row(struct capacity_facts *facts, const PGresult *r, int row)
{
    const char *kind = PQgetvalue(r, row, COLUMN_KIND);
    const char *name = PQgetvalue(r, row, COLUMN_NAME);
    unsigned value;

    if (PQgetisnull(r, row, COLUMN_VALUE))
        return strcmp(name, "reserved_connections") == 0;
    if (!read_count(PQgetvalue(r, row, COLUMN_VALUE), &value))
        return false;
    if (strcmp(kind, "setting") == 0)
        return read_setting(facts, name, value);
    if (strcmp(kind, "role") == 0 || strcmp(kind, "database") == 0)
        return read_limit(facts, name, value, kind[0] == 'r');
    facts->is_in_recovery = value != 0;
    return true;
}

static bool
read_answer(struct capacity_query *q, const PGresult *r)
{
    int rows = PQntuples(r);

    if (PQnfields(r) != COLUMN_COUNT || rows <= 0)
        return false;
    q->facts.server_version = PQserverVersion(q->conn);
    q->facts.limits = mem_new((size_t)rows * sizeof(q->facts.limits[0]));
    for (int row = 0; row < rows; row++)
        if (!read_row(&q->facts, r, row))
            return false;
    return q->facts.max_connections > 0;
}

static void
take_result(struct capacity_query *q)
{
    PGresult *r = PQgetResult(q->conn);
    const char *sqlstate;
    struct error why;

    if (r == NULL || PQresultStatus(r) != PGRES_TUPLES_OK) {
        sqlstate = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
        fail_with_message(q, r == NULL ? "no answer" : PQresultErrorMessage(r),
                          sqlstate == NULL ? "" : sqlstate);
    } else if (!read_answer(q, r)) {
        (void)error_set(&why, ERR_PROTOCOL, "the server's answer about its limits makes no sense");
        finish(q, &why);
    } else {
        finish(q, NULL);
    }
    PQclear(r);
}

/* --- the way there --- */

static void
go_on_asking(struct capacity_query *q)
{
    int unsent = PQflush(q->conn);

    if (unsent < 0 || PQconsumeInput(q->conn) == 0)
        fail_with_connection(q);
    else if (unsent > 0)
        wait_for(q, EV_READ | EV_WRITE);
    else if (PQisBusy(q->conn))
        wait_for(q, EV_READ);
    else
        take_result(q);
}

static void
ask(struct capacity_query *q)
{
    q->state = CAPACITY_ASKING;
    if (PQsetnonblocking(q->conn, 1) != 0 || PQsendQuery(q->conn, question) == 0)
        fail_with_connection(q);
    else
        go_on_asking(q);
}

static void
go_on_connecting(struct capacity_query *q)
{
    switch (PQconnectPoll(q->conn)) {
    case PGRES_POLLING_READING:
        wait_for(q, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(q, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        ask(q);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        fail_with_connection(q);
        break;
    }
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct capacity_query *q = arg;

    (void)fd;
    (void)what;
    q->is_watching = false;
    switch (q->state) {
    case CAPACITY_NAMING:
        break;
    case CAPACITY_CONNECTING:
        go_on_connecting(q);
        break;
    case CAPACITY_ASKING:
        go_on_asking(q);
        break;
    }
}

static void
on_names(void *arg, const struct names_answer *answer)
{
    struct capacity_query *q = arg;

    q->names = NULL;
    q->state = CAPACITY_CONNECTING;
    set_value(q, "host", answer->host);
    set_value(q, "hostaddr", answer->hostaddr);
    set_value(q, "port", answer->port);
    q->conn = PQconnectStartParams((const char *const *)q->keywords, (const char *const *)q->values, 0);
    if (PQstatus(q->conn) == CONNECTION_BAD) {
        fail_with_connection(q);
        return;
    }
    PQsetErrorVerbosity(q->conn, PQERRORS_VERBOSE); /* the only way to the SQLSTATE of a refused login */
    wait_for(q, EV_WRITE);
}

static void
on_no_names(void *arg, const struct error *why)
{
    struct capacity_query *q = arg;

    q->names = NULL;
    finish(q, why);
}

static void
on_deadline(struct timer *timer)
{
    struct capacity_query *q = CONTAINER_OF(timer, struct capacity_query, deadline);
    static const char *const doing[] = {
        [CAPACITY_NAMING] = "looking up its name",
        [CAPACITY_CONNECTING] = "connecting and logging in",
        [CAPACITY_ASKING] = "waiting for its answer",
    };
    struct error why;

    (void)error_set(&why, ERR_TIMEOUT, "no answer within %.3g s (%s)",
                    (double)q->timeout_us / (double)US_PER_S, doing[q->state]);
    finish(q, &why);
}

/* Copies what is given, with room for what on_names() sets. */
static void
copy_params(struct capacity_query *q, const struct capacity_params *params)
{
    static const char *const needed[] = { "host", "hostaddr", "port" };
    unsigned given = 0, count = 0;

    while (params->keywords[given] != NULL)
        given++;
    q->keywords = mem_new((given + COUNT_OF(needed) + 1) * sizeof(q->keywords[0]));
    q->values = mem_new((given + COUNT_OF(needed) + 1) * sizeof(q->values[0]));
    for (unsigned i = 0; i < given; i++, count++) {
        q->keywords[count] = mem_text(params->keywords[i]);
        q->values[count] = mem_text(params->values[i]);
    }
    for (unsigned i = 0; i < COUNT_OF(needed); i++)
        if (place_of(q, needed[i]) == NULL)
            q->keywords[count++] = mem_text(needed[i]);
}

struct capacity_query *
capacity_ask(struct loop *loop, const struct capacity_params *params, const struct capacity_handler *handler,
             void *arg)
{
    static const struct names_handler names_handler = { .on_answer = on_names, .on_failure = on_no_names };
    struct capacity_query *q = mem_new(sizeof(*q));

    q->state = CAPACITY_NAMING;
    q->loop = loop;
    q->handler = *handler;
    q->arg = arg;
    q->timeout_us = params->timeout_us;
    copy_params(q, params);
    timer_init(&q->deadline, on_deadline);
    loop_arm(loop, &q->deadline, params->timeout_us);
    q->names = names_ask(loop, value_of(q, "host"), value_of(q, "port"), &names_handler, q);
    return q;
}
