/*
 * client.c - libpq, and its many ways of answering told in one text.
 */

#include "client.h"

#include <stdarg.h>
#include <stdio.h>

#include "harness.h"
#include "weir.h"

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
    return dial(weir_port(w), NULL);
}

PGconn *
weir_dial_as(const struct weir *w, const char *user)
{
    return dial(weir_port(w), "user=%s password=%s_pw", user, user);
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
