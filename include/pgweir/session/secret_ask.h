/*
 * secret_ask.h - what session/ needs to know of a user and only control/ can find out: the secret of one whom
 * auth_query knows, what password_command prints, whether somebody else takes a password for his, how the
 * system calls him, and the network his host.
 *
 *     worker: login waits -- on_ask --> control/ finds out -- secret_ask_answer() --> worker: login goes on
 *
 * The ask is one object that travels. Who asked may be gone when it comes back; then nobody reads it.
 */
#ifndef PGWEIR_SESSION_SECRET_ASK_H
#define PGWEIR_SESSION_SECRET_ASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pgweir/config/hba.h"
#include "pgweir/net/loop.h"
#include "pgweir/wire/pg_error.h"

enum secret_source {
    SECRET_OF_QUERY,   /* auth_query, for USER who wants to log in to DATABASE */
    SECRET_OF_COMMAND, /* password_command of the route of DATABASE and USER */
    SECRET_OF_PAM,     /* whether PASSWORD is USER's: SECRET_GIVEN, without a secret */
    SECRET_OF_SYSTEM,  /* how the system calls the user UID: SECRET_GIVEN with the name as its secret */
    SECRET_OF_HOST,    /* likewise the name of ADDRESS, if that name leads back to it */
};

enum secret_outcome {
    SECRET_GIVEN,
    SECRET_UNKNOWN, /* there is no such user, or one who cannot log in by password; or no such name */
    SECRET_FAILED,  /* nobody knows; `why` is what to tell the client, the rest is in the log */
};

struct secret_ask {
    struct letter letter;
    void *control;           /* control's own while it has the ask */
    struct secret_ask *next; /* likewise */
    enum secret_source source;
    char *database; /* owned, both */
    char *user;
    bool is_fresh;            /* what was remembered did not fit: find out anew */
    char *password;           /* SECRET_OF_PAM: what the client has sent; owned, wiped */
    char *from;               /* likewise: the client's address; owned, "" for a Unix socket */
    char *service;            /* likewise: whose rules hold; owned */
    char *directory;          /* likewise: where those are; owned, "": where the system has them */
    uid_t uid;                /* SECRET_OF_SYSTEM */
    struct hba_ip address;    /* SECRET_OF_HOST */
    atomic_bool is_forgotten; /* nobody waits for the answer any more, so it need not be found out */

    enum secret_outcome outcome;
    char *secret; /* SECRET_GIVEN; owned, wiped */
    struct pg_error why;
    char reason[160];   /* SECRET_UNKNOWN: for the log; may be empty */
    bool is_remembered; /* it was found out earlier, and asking again may tell another */

    struct loop *worker_loop; /* where it goes back to; session's own from here on */
    void *asker;              /* NULL: gone. Only the worker's thread looks */
    void (*on_answer)(void *asker, struct secret_ask *ask);
};

/* Sends ASK, with its outcome, back where it came from. Any thread. */
void secret_ask_answer(struct secret_ask *ask);
/* Frees an ask whose answer would come too late: the workers have ended. */
void secret_ask_drop(struct secret_ask *ask);

#endif
