/*
 * client_impl.h - one client session.
 *
 *     STARTUP -> (TLS) -> AUTH -> WELCOME (-> TRYING) -> IDLE <-> ACTIVE        IDLE -> WAITING -> ACTIVE when no server is idle
 *        \-> CANCELLING                    \-> CONSOLE
 *                                                                 every state -> (ended)
 */
#ifndef PGWEIR_SESSION_CLIENT_IMPL_H
#define PGWEIR_SESSION_CLIENT_IMPL_H

#include "pgweir/base/log.h"
#include "pgweir/net/stream.h"
#include "pgweir/wire/scan.h"
#include "worker_impl.h"

enum client_state {
    CLIENT_STARTUP,    /* the first packets; nothing is known yet */
    CLIENT_TLS,        /* the handshake is under way */
    CLIENT_AUTH,       /* proving who it is; login is set */
    CLIENT_WELCOME,    /* waits for the pool's first server, or for one to try its settings */
    CLIENT_TRYING,     /* has a server, which tries the startup settings */
    CLIENT_IDLE,       /* logged in, no server, nothing asked */
    CLIENT_WAITING,    /* has asked; its request is in carry */
    CLIENT_ACTIVE,     /* has a server */
    CLIENT_CONSOLE,    /* talks to the console; never gets a server */
    CLIENT_PIPED,      /* replication: bytes go to and fro unread */
    CLIENT_CANCELLING, /* sent a CancelRequest; closed when it was handled */
    CLIENT_ENDED,      /* the stream is closed; freed after this loop turn */
    CLIENT_STATE_COUNT
};

enum client_event {
    EV_TLS_ASKED, /* SSLRequest granted, or a direct handshake began */
    EV_TLS_READY,
    EV_LOGIN_ASKED,  /* a StartupMessage that we accept */
    EV_PROVED,       /* authentication succeeded */
    EV_WELCOMED,     /* the greeting was sent */
    EV_CONSOLE,      /* the same, and it is the console's */
    EV_QUEUED,       /* a request, and no server is idle */
    EV_GRANTED,      /* a server is ours */
    EV_RELEASED,     /* and given back */
    EV_CANCEL_ASKED, /* a CancelRequest */
    EV_END,
    CLIENT_EVENT_COUNT,
};

enum replication { REPLICATION_NONE, REPLICATION_PHYSICAL, REPLICATION_LOGICAL };

struct login;
struct server;
struct pending;
struct idle_watch;
struct client_name;
struct client_names;
struct console;

#define CANCEL_SECRET_BYTES 4u /* protocol 3.0; the pid is random too, save the worker's number in it */

struct client {
    struct stream stream;
    struct worker *worker;
    struct shard *shard;             /* from AUTH's end on */
    struct server *server;           /* exactly while ACTIVE or TRYING */
    const struct snapshot *settings; /* what it wants a server to have; held; NULL: nothing */
    const struct snapshot *floor;    /* its startup packet's, to which RESET leads back; held */
    struct scanner scanner;          /* messages from the client */
    struct pending
        *pending; /* its place in a line and input that waits; NULL while there is neither; owned */
    struct idle_watch *idle_watch; /* client_idle_timeout: from the login on; NULL: there is none; owned */
    struct link in_worker;         /* logins, clients or graveyard */
    struct map_node in_keys;       /* worker->cancel_keys, from the greeting on */
    struct login *login;           /* STARTUP to TRYING, and CANCELLING; owned */
    struct console *console;       /* CONSOLE: its commands; NULL before; owned */
    struct client_names *names;    /* prepared statements by name; NULL: none; owned */
    struct client_name *unnamed;   /* its unnamed statement; a reference; NULL: none, or not kept */
    struct client_name
        *bound;     /* what it bound last, so that a Describe of that portal can be told whose it is; held */
    uint64_t stamp; /* messages sent, for prepared.c: stamps tell which came first */
    /* since when statements must have been parsed for it, up to the end of its transaction: 0: no matter;
     * see healing_impl.h */
    uint64_t healed_stamp;
    uint64_t id;
    uint64_t active_us;                  /* since when it has its server, or last had one */
    struct tally *of_database, *of_user; /* where it is counted; NULL before it enters a pool */
    uint32_t born_s;                     /* loop_now_us() in seconds */
    /* enum sql_flag: what its texts may have done to the session since the last read-back; see
     * state_impl.h */
    uint32_t suspected;
    uint32_t cancel_pid;
    uint8_t cancel_secret[CANCEL_SECRET_BYTES];
    uint16_t pins;       /* PIN_BITs: why it keeps its server between transactions */
    uint8_t state;       /* enum client_state; written by client_move() only */
    uint8_t end_reason;  /* enum end_reason */
    uint8_t replication; /* enum replication */
    uint8_t pool_mode;   /* enum pool_mode; its pool's when it logged in */
    bool is_dropping;    /* the current message is not forwarded (COPY data that nobody waits for) */
    bool is_held;        /* the message at the front of carry waits for an answer to an earlier one */
    bool is_unix : 1;
    bool is_unwanted : 1;       /* its database has left the configuration: it goes with its transaction */
    bool is_counted : 1;        /* in house->client_count */
    bool is_warned : 1;         /* in this transaction it was told that a statement is stale */
    bool asks_sequences : 1;    /* it has asked for currval() or lastval() */
    bool has_odd_strings : 1;   /* standard_conforming_strings is off */
    bool has_odd_encoding : 1;  /* client_encoding is one of those in which letters hold ASCII bytes */
    bool hears_settings : 1;    /* what the server reports when its settings are brought next is for it */
    bool is_pqexec_refused : 1; /* disable_pqexec: Query is refused */
    bool is_cut_off : 1;        /* its server was lost in the middle of a message to it */
    bool has_keys : 1;          /* in_keys is in the map */
    bool is_again : 1;          /* what it sends next was counted before: see healing_send_again() */
    bool is_unnamed_unkept : 1; /* the unnamed statement that it parsed last lives on one server only */
};

/* There are tens of thousands of them, most of them idle, and each byte here is one of each. With what libevent and the
 * maps keep, an idle client is to cost no more than 500 bytes (docs/performance.md). So: what only a client that logs
 * in, waits or has a server needs goes to struct login, pending or turn. Who needs more room here all the same, and has
 * looked there, may raise this. */
_Static_assert(sizeof(struct client) <= 416, "an idle client has grown");

struct client *client_new(struct worker *w, int fd, bool is_unix);
void client_free(struct client *c); /* after it has ended */

/* Walks the table; the only caller of the states' actions. */
void client_feed(struct client *c, enum client_event ev);

/* Ends the session: WHY (may be NULL) is sent first where the protocol allows an error. The server, if any,
 * is cleaned and kept. Safe anywhere; the object lives until the loop turn is over. */
void client_end(struct client *c, enum end_reason reason, const struct pg_error *why);
/* The server of this client is gone or said its last word (which was forwarded, if WHY is NULL): the client
 * is told and ended. c->server is NULL already. */
void client_server_gone(struct client *c, enum end_reason reason, const struct pg_error *why);

/* The relay in this state machine's terms. */
void client_link(struct client *c, struct server *s);
void client_unlink(struct client *c); /* the server is given back: to IDLE, or ended when draining */

/* Its login waited for something, and goes on: so does what it has said meanwhile. */
void client_read_on(struct client *c);
/* Just logged in: a client that did not wait for the greeting has said more already. */
void client_catch_up(struct client *c);

/* While draining: ends it if it is between transactions. */
void client_drain(struct client *c);
void client_check_database(struct client *c); /* the configuration has changed */

/* Whether it has logged in, or wants to log in, to DATABASE; NULL: to any. */
bool client_is_of(const struct client *c, const char *database);

/* Sends BYTES of our own making. */
void client_send(struct client *c, struct slice bytes);

/* pool's handlers */
void client_on_grant(struct waiter *w, struct member *m);
void client_on_welcome(struct waiter *w);
void client_on_long_wait(struct waiter *w);
/* The DETAIL of an error for C, who has waited in vain: why no server could be reached, or who has them. */
void client_tell_wait(struct client *c, struct pg_error *e);
void client_on_refuse(struct waiter *w, enum refusal refusal, const struct pg_error *why);

void client_log(const struct client *c, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
