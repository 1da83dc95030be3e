/* login_impl.h - the client's first packets and its proof; everything here is freed when it is logged in. */
#ifndef PGWEIR_SESSION_LOGIN_IMPL_H
#define PGWEIR_SESSION_LOGIN_IMPL_H

#include "client_impl.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/secret.h"

struct login {
    char *user;
    char *database;
    struct scram scram;
    struct scram_keys keys; /* what the proof is checked against */
    char *stored;           /* secret for md5 and plain; owned, wiped; NULL for an unknown user */
    uint8_t md5_salt[4];
    enum { LOGIN_NOTHING, LOGIN_PLAIN, LOGIN_MD5, LOGIN_SASL_FIRST, LOGIN_SASL_FINAL } expects;
    bool is_known; /* the user exists and its secret fits the method: else every proof fails */
    bool is_plus;
    struct buf reported;     /* TRYING: ParameterStatus messages that the settings caused */
    struct pg_error refusal; /* TRYING: what the server said against them */
    bool is_refused;
};

struct login *login_new(void);
void login_free(struct login *login); /* NULL is fine */

/* Input while STARTUP or AUTH: all of `in`; tells how much was consumed. May end the client. */
size_t login_read(struct client *c, struct slice in);
/* What client_steps[] calls. */
void login_begin_auth(struct client *c);
void login_enter_pool(struct client *c);
/* The pool's welcome is there: greets, or first has a server try settings that the pool has not met yet. */
void login_settle(struct client *c);
void login_try_settings(struct client *c);
/* The server has answered; C has given it back. */
void login_tried(struct client *c);

#endif
