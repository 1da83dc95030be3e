/* login_impl.h - the client's first packets and its proof; everything here is freed when it is logged in. */
#ifndef PGWEIR_SESSION_LOGIN_IMPL_H
#define PGWEIR_SESSION_LOGIN_IMPL_H

#include "client_impl.h"
#include "pgweir/wire/secret.h"

struct login {
    char *user;
    char *database;
    struct scram scram;
    struct scram_keys keys;   /* what the proof is checked against */
    char *stored;             /* secret for md5 and plain; owned, wiped; NULL for an unknown user */
    uint8_t md5_salt[4];
    enum { LOGIN_NOTHING, LOGIN_PLAIN, LOGIN_MD5, LOGIN_SASL_FIRST, LOGIN_SASL_FINAL } expects;
    bool is_known;            /* the user exists and its secret fits the method: else every proof fails */
    bool is_plus;
};

struct login *login_new(void);
void login_free(struct login *login); /* NULL is fine */

/* Input while STARTUP or AUTH: all of `in`; tells how much was consumed. May end the client. */
size_t login_read(struct client *c, struct slice in);
/* What client_steps[] calls. */
void login_begin_auth(struct client *c);
void login_enter_pool(struct client *c);
void login_greet(struct client *c);

#endif
