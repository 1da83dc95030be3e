/*
 * secret_ask.h - a secret that session/ needs and only control/ can get: that of a user whom auth_query
 * knows, or what password_command prints.
 *
 *     worker: login waits -- on_ask --> main: control/ finds out -- secret_ask_answer() --> worker: login goes on
 *
 * The ask is one object that travels. Who asked may be gone when it comes back; then nobody reads it.
 */
#ifndef PGWEIR_SESSION_SECRET_ASK_H
#define PGWEIR_SESSION_SECRET_ASK_H

#include <stdbool.h>

#include "pgweir/net/loop.h"
#include "pgweir/wire/pg_error.h"

enum secret_source {
    SECRET_OF_QUERY,   /* auth_query, for USER who wants to log in to DATABASE */
    SECRET_OF_COMMAND, /* password_command of the route of DATABASE and USER */
};

enum secret_outcome {
    SECRET_GIVEN,
    SECRET_UNKNOWN, /* there is no such user, or one who cannot log in by password */
    SECRET_FAILED,  /* nobody knows; `why` is what to tell the client, the rest is in the log */
};

struct secret_ask {
    struct letter letter;
    void *control;           /* control's own while it has the ask */
    struct secret_ask *next; /* likewise */
    enum secret_source source;
    char *database; /* owned, both */
    char *user;
    bool is_fresh; /* what was remembered did not fit: find out anew */

    enum secret_outcome outcome;
    char *secret; /* SECRET_GIVEN; owned, wiped */
    struct pg_error why;
    bool is_remembered; /* it was found out earlier, and asking again may tell another */

    struct loop *worker_loop; /* where it goes back to; session's own from here on */
    void *asker;              /* NULL: gone. Only the worker's thread looks */
    void (*on_answer)(void *asker, struct secret_ask *ask);
};

/* Sends ASK, with its outcome, back where it came from. Main thread. */
void secret_ask_answer(struct secret_ask *ask);

#endif
