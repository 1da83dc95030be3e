/*
 * server_impl.h - one connection to PostgreSQL.
 *
 *     DIALING -> (TLS_ASKED -> TLS) -> AUTH -> (SETUP) -> IDLE <-> ACTIVE
 *                                                          ^         |  its client left
 *                                                          +- CLEANING, SETTLING -> IDLE
 */
#ifndef PGWEIR_SESSION_SERVER_IMPL_H
#define PGWEIR_SESSION_SERVER_IMPL_H

#include "pgweir/base/log.h"
#include "pgweir/net/stream.h"
#include "pgweir/session/ledger.h"
#include "pgweir/wire/scan.h"
#include "pgweir/wire/startup.h"
#include "worker_impl.h"

enum server_state {
    SERVER_DIALING,   /* no socket yet */
    SERVER_TLS_ASKED, /* SSLRequest sent */
    SERVER_TLS,       /* the handshake is under way */
    SERVER_AUTH,      /* startup packet sent, up to the first ReadyForQuery */
    SERVER_SETUP,     /* runs connect_query */
    SERVER_IDLE,      /* in the pool */
    SERVER_ACTIVE,    /* has a client */
    SERVER_CLEANING,  /* its client left something: what is owed drains, then ROLLBACK, reset query */
    SERVER_CHECKING,  /* it was idle for long: answers server_check_query before it is used */
    SERVER_SETTLING,  /* a cancel request for its last client is still under way */
    SERVER_PARTING,   /* we have closed our side; its slot is free when its backend has gone */
    SERVER_ENDED,
    SERVER_STATE_COUNT
};

/* Which query of ours an entry of the ledger is (owed.own). */
enum own_query {
    OWN_OTHER,
    OWN_SETTINGS,       /* brings the client's settings ahead of its first message */
    OWN_HEARD_SETTINGS, /* the same, and what it makes the server report is for the client */
    OWN_READ_BACK,      /* asks for what the client has left in the session */
};

/* How a server must be cleaned before another client has it. */
enum scrub {
    SCRUB_NOTHING,
    SCRUB_SETTINGS, /* what is set there would disturb what brings the next client's settings */
    SCRUB_ALL,      /* DISCARD ALL: what its client has left there is not known, or was not ended */
};

struct client;
struct schema;
struct server_login;
struct statement;
struct statement_set;
struct session_state;

/* A dead client's query gets this long to end by itself after a Terminate, and a cancelled one to give up,
 * before the connection is closed. */
#define SERVER_GRACE_US (UINT64_C(5) * US_PER_S)
#define SERVER_CLEAN_US (UINT64_C(10) * US_PER_S)
#define SERVER_PART_US (UINT64_C(5) * US_PER_S)  /* a backend that does not go meanwhile is not waited for */
#define SERVER_CHECK_US (UINT64_C(3) * US_PER_S) /* a check that is not answered meanwhile has failed */
#define SERVER_RECANCEL_US (UINT64_C(100) * US_PER_MS)

struct parsed {           /* one Parse, as it stands there */
    uint64_t stamp;       /* server->stamp when it was sent */
    uint64_t epoch;       /* of the schema then */
    uint64_t asked_stamp; /* of a Describe of ours that is owed; 0: none */
    uint64_t rows;        /* its shape (back_shape()), as far as it was told since; SHAPE_NONE: it was not */
    uint64_t parameters;
    uint64_t calls; /* times it was used there */
};

/* What a client is at while it has its server. Nothing of it outlives the link, and clients that have none
 * are many: so it
 * lives here. Stamps count in client->stamp; 0: never since it has this server. */
struct turn {
    uint64_t link_stamp;      /* when it got its server */
    uint64_t query_us;        /* since when a query of it runs; 0: none does */
    uint64_t xact_us;         /* since when it is in a transaction; 0: it is in none */
    uint64_t bound_portal;    /* hash of the portal that client->bound is bound to; 0: the unnamed one */
    uint64_t unnamed_stamp;   /* when client->unnamed changed last */
    uint64_t removed_stamp;   /* when a name was closed last */
    uint64_t removed_since;   /* when the first of those was that are perhaps not certain yet */
    uint64_t suspected_stamp; /* of the message suspected last */
    uint64_t pinned_us;       /* since when client->pins is not 0 */
    uint64_t local_path;      /* see scope_impl.h; 0: the client's search_path is that of its settings */
    uint32_t query_flags;     /* enum sql_flag: what was found in the Query at hand, see QUERY_HAS_NO_END */
    uint32_t wipes_owed;      /* messages that may be DEALLOCATE or DISCARD and are not answered yet */
    bool has_temp_path;       /* local_path names pg_temp */
    bool has_ddl_portal;      /* a Bind of what may be DDL was sent */
    bool has_wiping_portal;   /* likewise of what may be DEALLOCATE or DISCARD */
    bool is_unsure;     /* since client->suspected something has failed, was undone, or was in a block */
    bool is_cancel_due; /* it has sent a cancel request while its server ran a query of ours */
    bool is_held_here;  /* the message at the front of its carry waits for an answer of this server */
};
#define PORTAL_NONE UINT64_MAX /* in bound_portal: none was bound yet */

#define SEQUENCES_OF_MANY UINT64_MAX

#define FOREIGN_SEQUENCES 1u /* DISCARD SEQUENCES */
#define FOREIGN_SEED 2u      /* setseed() */

struct server {
    struct stream stream;
    struct member member;
    struct worker *worker;
    struct client *client;  /* exactly while ACTIVE */
    struct turn turn;       /* and what that is at */
    struct scanner scanner; /* messages from the server */
    struct ledger ledger;
    struct buf carry;                /* an incomplete message that must be seen whole */
    const struct snapshot *settings; /* what it was brought to; held; NULL: as it was born */
    struct buf reported;           /* ParameterStatus messages since it has its client: settings to follow */
    uint64_t last_client;          /* id of the one that made it dirty */
    uint64_t seed_client;          /* the last one that has called setseed() here; 0: nobody */
    uint64_t sequence_client;      /* the only one that has left values of sequences here; 0: nobody */
    struct session_state *session; /* session_state_impl.h; NULL: nothing was ever suspected here; owned */
    struct statement_set *statements; /* what is prepared there; NULL: nothing; owned */
    struct statement *unnamed;        /* its unnamed statement; held; NULL: none, or not one of ours */
    uint64_t unnamed_client;          /* who parsed it; 0: nobody */
    uint64_t stamp;                   /* messages entered, for prepared.c */
    uint64_t audited_stamp;           /* `stamp` when its session was looked at as a whole last */
    uint64_t known_stamp;             /* of the last Sync that was answered */
    uint64_t sync_stamp;              /* of the last Sync that was sent */
    /* of the last message sent that may change the transaction's state, or the statements by DEALLOCATE
     * ALL */
    uint64_t act_stamp;
    struct parsed unnamed_parsed; /* of `unnamed`; the stamp is when it changed last */
    struct schema *schema;        /* of the database it is connected to; not ours */
    /* of the first message of its client that it was sent since the last Sync or simple query; 0: there was
     * none */
    uint64_t segment_stamp;
    uint64_t flush_stamp; /* of the last message that stood in front of a Flush of ours */
    /* of the message that `kept` begins with, or of what we have sent for one that waits; 0: nothing is
     * kept */
    uint64_t kept_stamp;
    /* the client's messages since the last Sync, as they came, without those at their front that we answer:
     * see healing_impl.h */
    struct buf kept;
    struct slice keeping; /* what is to be added to it, in the input that is being worked on */
    struct buf kept_back; /* a ParameterDescription whose second half has not come: see healing_impl.h */
    /* Closes of ours under way: until they are answered, what is not in `statements` may be there */
    uint32_t closes_owed;
    struct route *route;     /* held: what it was made for */
    struct timer timer;      /* by state: login time, query or idle-in-transaction time, cleaning bound */
    struct tls_context *tls; /* held; NULL: plain, or not connected yet */
    struct link in_worker;
    struct server_login *login; /* until the first ReadyForQuery; owned */
    struct list couriers;       /* cancel requests on their way to it: courier.in_server */
    struct address peer;        /* for cancel requests */
    char *host;                 /* of route->hosts, borrowed: the name TLS is checked against */
    uint64_t id;
    uint64_t clean_until_us; /* CLEANING: when it is given up */
    uint64_t request_us;     /* when the oldest unanswered request began; for query_timeout and the log */
    uint32_t backend_pid;
    uint8_t backend_secret[CANCEL_SECRET_MOST];
    uint16_t backend_secret_len;
    uint8_t state;       /* enum server_state; written by server_move() only */
    char status;         /* of the last ReadyForQuery: I, T, E */
    bool is_forwarding;  /* the rest of the message begun last goes to the client */
    bool had_session;    /* CLEANING: its client was in session mode */
    bool is_reset_sent;  /* CLEANING: the reset query is on its way or done */
    bool is_reset_whole; /* and it is DISCARD ALL, which leaves nothing behind */
    bool is_fatal;       /* it sent a FATAL error: the end of the connection follows */
    bool is_fatal_told;  /* and its client got that error */
    bool is_endangered;  /* a cancel request that was sent to it was given up, and may still arrive */
    uint8_t scrub;       /* enum scrub: due before another client has it */
    /* what is asked of it may tell that its client has gone back to settings of its startup packet */
    bool is_in_question;
    bool is_capturing; /* the message begun last is a row that read_back.c wants */
    bool is_loaded;    /* its client has used LOAD, which nothing undoes: closed when it comes back */
    uint8_t foreign; /* FOREIGN_: what others have left here is due to go before its client's first message */
    /* its session was known when it got its client: what is found in the end is that client's */
    bool is_watched;
    bool is_attentive; /* its client's texts are noted, or held against what was learnt: see audit.c */
    bool is_dirty;     /* its client has SET or RESET something: RESET ALL before another gets it */
    bool is_keeping;   /* messages are added to `kept` */
    bool has_ddl;      /* a tag of DDL has come, and no ReadyForQuery with status I since */
    bool has_strays;   /* statements of ours may be there that are not in `statements` */
    bool is_stalled;   /* not read: its client does not take its output */
    bool is_patient;   /* CLEANING: what runs may end by itself first, its client left politely */
    bool is_ours;      /* CLEANING: nothing of its client's runs any more, only what we have sent */
};

/* pool's handlers */
void server_dial(struct shard *shard);
void server_on_retire(struct member *m, enum retire_reason reason);
void server_check(struct member *m);
void server_on_stale(struct member *m);
bool server_may_move(struct member *m);
void server_leave(struct member *m);
void server_join(struct member *m);

void server_move(struct server *s, enum server_state to);
/* The unnamed statement there is now ST (held; NULL: none of ours), parsed by the client of that id. */
void server_set_unnamed(struct server *s, struct statement *st, uint64_t client_id);
/* S was or is being brought to SETTINGS, which is held. */
void server_take_settings(struct server *s, const struct snapshot *settings);
/* server_login.c is through: into the pool. */
void server_begin_work(struct server *s);

/* Sends a simple Query of ours, whose answer is swallowed; nothing may be gathered for S. OWN: which one it
 * is. */
void server_query(struct server *s, const char *sql, enum own_query own);

/* Its client is through: all answered, status I, between messages. Back to the pool, after the reset query
 * where one is due. */
void server_release(struct server *s);
/* Its client is gone. IS_POLITE: it said Terminate, so what it asked for may run to its end. */
enum orphan { ORPHAN_LOST, ORPHAN_POLITE, ORPHAN_HALF_MESSAGE };
void server_orphan(struct server *s, enum orphan how);
/* CLEANING: ends what the client has left open on it, COPY IN or an extended query without its Sync. Its work
 * since the last Sync is rolled back, as it is when a client leaves PostgreSQL itself; a Sync would commit
 * it. */
void server_close_off(struct server *s);
/* Goes on with CLEANING after a ReadyForQuery. */
void server_clean_on(struct server *s);
/* A courier has come back: goes on where SETTLING stopped. */
void server_settled(struct server *s);
/* Something came while CHECKING. */
void server_checked(struct server *s);
/* With server_fast_close: a session between two transactions ends when its server is to be replaced. Whether
 * it did. */
bool server_try_recycle(struct server *s);
/* Closes it for good and gives its slot back. */
void server_end(struct server *s, enum log_level level, const char *why);
/* The same at once, without waiting for the backend: when the process ends. */
void server_kill(struct server *s);
void server_free(struct server *s); /* after it has ended */

/* Arms or cancels the timer for what it does now; called when a request begins, when all is answered and at
 * each ReadyForQuery. */
void server_watch(struct server *s);

void server_log(const struct server *s, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

/* server_login.c: the handler of its stream up to the first ReadyForQuery, and the end of a login. */
void server_login_start(struct server *s);
void server_login_free(struct server_login *login);
void server_login_failed(struct server *s, enum dial_failure failure, const char *words,
                         const struct pg_error *why);

/* Whether what it works on was sent by us: nothing of it is a client's business. */
static inline bool
server_is_swallowing(const struct server *s)
{
    return !ledger_is_empty(&s->ledger) && ledger_head(&s->ledger)->action == OWED_SWALLOW;
}

/* The same, and what was sent for its client's sake unasked: notices of that the client has had, or would not
 * get. */
static inline bool
server_is_unasked(const struct server *s)
{
    return !ledger_is_empty(&s->ledger) &&
           (ledger_head(&s->ledger)->action == OWED_SWALLOW || ledger_head(&s->ledger)->action == OWED_HIDE);
}

/* Whether what it is swallowing makes it report what its client should hear. */
static inline bool
server_is_heard(const struct server *s)
{
    return ledger_head(&s->ledger)->own == OWN_HEARD_SETTINGS;
}

static inline struct server *
server_of_member(struct member *m)
{
    return CONTAINER_OF(m, struct server, member);
}

#endif
