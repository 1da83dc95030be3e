/* login_impl.h - the client's first packets and its proof; everything here is freed when it is logged in. */
#ifndef PGWEIR_SESSION_LOGIN_IMPL_H
#define PGWEIR_SESSION_LOGIN_IMPL_H

#include "client_impl.h"
#include "pgweir/config/hba.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/secret.h"
#include "secret_ask_impl.h"

struct cancel_job;
struct forward;

struct login {
    struct timer timer; /* client_login_timeout */
    struct client *client;
    struct cancel_job *cancel; /* CANCELLING; not ours: it looks at `requester` */
    struct forward *forward;   /* CANCELLING, for a peer; likewise */
    char *user;
    char *database;
    struct scram scram;
    struct scram_keys keys; /* what the proof is checked against */
    char *stored;           /* what the secret is checked against; owned, wiped; NULL for an unknown user */
    char *old_stored;       /* a second secret that is still good; owned, wiped; NULL: none */
    enum hba_method method; /* how it is proved */
    char *map;              /* PEER: that of the rule; owned; NULL: none */
    char *service;          /* PAM: likewise */
    char *host;             /* name of its address, for rules; owned; "": none; NULL: not looked up */
    char *no_host;          /* why there is none; owned */
    struct secret_ask *ask; /* on its way; NULL: none */
    char *response;         /* what the client answered, while a newer secret is asked for; owned, wiped */
    bool is_tls_asked;      /* SSLRequest or GSSENCRequest were answered already: once each */
    bool is_gss_asked;
    bool is_from_query; /* stored came from auth_query */
    bool is_remembered; /* and from its memory: asking again may tell another */
    uint8_t md5_salt[4];
    enum { LOGIN_NOTHING, LOGIN_PLAIN, LOGIN_MD5, LOGIN_SASL_FIRST, LOGIN_SASL_FINAL } expects;
    bool is_known; /* the user exists and its secret fits the method: else every proof fails */
    bool is_plus;
    struct buf
        last_word; /* the server's part of the proof: leaves with the greeting, if that can be sent at once */
    struct buf startup;       /* of a replication connection: its parameters, for the server */
    const void *approval_key; /* TRYING: what the server's answer will hold for */
    struct buf reported;      /* TRYING: ParameterStatus messages that the settings caused */
    struct pg_error refusal;  /* TRYING: what the server said against them */
    bool is_refused;
    bool is_for_console; /* it came after the doors were closed: anything else is refused */
};

/* Its time begins to run. */
struct login *login_new(struct client *c);
void login_free(struct login *login); /* NULL is fine */

/* Input while STARTUP or AUTH: all of `in`; tells how much was consumed. May end the client. */
size_t login_read(struct client *c, struct slice in);
/* Sends what is in OUT, and wipes it. */
void login_send(struct client *c, struct buf *out);
void login_refuse(struct client *c, enum end_reason reason, const char *sqlstate, const char *text);

/* proof.c: asks for a proof, reads it, holds it against login->stored. */
void proof_ask_plain(struct client *c);
void proof_ask_md5(struct client *c);
void proof_ask_scram(struct client *c);
size_t proof_read(struct client *c, struct slice in); /* input while AUTH; as login_read() */
void proof_again(struct client *c);                   /* stored is newer now: response is held against it */
void proof_refuse_method(struct client *c, const char *method); /* those without a secret of ours */

/* auth.c: somebody else says whether RESPONSE, of which a copy is made, is the user's password. */
void auth_ask_others(struct client *c, const char *response);
/* auth.c: finds out whether stored has changed since it was remembered; proof_again() follows. */
void auth_ask_again(struct client *c);

/* What client_steps[] calls. */
void login_begin_auth(struct client *c); /* auth.c */
void login_enter_pool(struct client *c);
/* REPORTED: ParameterStatus messages behind the pool's WELCOME; the later one of a name counts. */
void login_greet(struct client *c, const struct welcome *welcome, struct slice reported);
/* The pool's welcome is there: greets, or first has a server try settings that the pool has not met yet. */
void login_settle(struct client *c);
void login_try_settings(struct client *c);
/* The server has answered; C has given it back. */
void login_tried(struct client *c);

#endif
