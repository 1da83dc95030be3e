/*
 * client.h - clients of the ordinary kind: libpq.
 */
#ifndef PGWEIR_TESTS_CLIENT_H
#define PGWEIR_TESTS_CLIENT_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "pgweir/base/attr.h"

struct weir;

/* libpq with user app_user, database app, no TLS, over 127.0.0.1. MORE (NULL: nothing) is more conninfo and
 * overrides. What comes back may be a failed connection: dial_error() tells. PQfinish() it. */
PGconn *dial(unsigned port, const char *more, ...) PRINTF_LIKE(2, 3);
/* The same as app_user without waiting: dial_is_open() works on it, and tells whether the login has
 * succeeded. */
PGconn *dial_start(unsigned port);
bool dial_is_open(PGconn *c);
PGconn *weir_dial(const struct weir *w);
PGconn *weir_dial_as(const struct weir *w, const char *user); /* password <user>_pw */
const char *dial_error(PGconn *c);                            /* "" when it is connected */

/*
 * Runs SQL and tells in one text how it ended: the first value of the first row ("NULL" for null), else the
 * command tag, else "<severity> <SQLSTATE> <message>". Good until some calls later.
 */
const char *ask(PGconn *c, const char *sql, ...) PRINTF_LIKE(2, 3);
const char *result_text(PGresult *r); /* the same of a result at hand */
/* The text of a query sent with PQsendQuery(): waits for it, and for its end. */
const char *answer(PGconn *c);
/* The answer is there, but not read: answer() will not wait. */
bool has_answered(PGconn *c);

#endif
