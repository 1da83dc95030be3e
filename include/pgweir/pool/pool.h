/*
 * pool.h - pools and their shards: who gets the next server connection.
 *
 * A pool is (database, role on the server); it has one shard per worker. A shard has idle servers (LIFO) and
 * waiting clients (FIFO). Servers and clients are known here only as `member` and `waiter`, so budget and
 * fairness run in a test under a fake clock, without a socket.
 *
 *     shard_take():  own idle  ->  ask another shard that has one idle  +  budget allows: dial  ->  wait
 *     shard_give():  oldest waiter of this shard, unless another shard's has waited noticeably longer: then
 *                    the server moves there
 *
 * Invariants: a shard never has both waiters and idle members once a call returns; no client waits while an
 * idle member of its pool exists anywhere longer than a letter travels; members + dials under way = what the
 * pool took from the budget.
 *
 * A shard belongs to its worker's thread; pools_…() and pool_…() are thread-safe.
 */
#ifndef PGWEIR_POOL_POOL_H
#define PGWEIR_POOL_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/list.h"
#include "pgweir/base/timers.h"
#include "pgweir/config/route.h"
#include "pgweir/net/loop.h"
#include "pgweir/pool/budget.h"
#include "pgweir/pool/counters.h"
#include "pgweir/pool/pins.h"
#include "pgweir/wire/pg_error.h"

#define POOL_MOST_WORKERS 32u

struct pools;
struct pool;
struct shard;
struct welcome;

enum waiter_wish {
    WISH_SERVER,  /* a request is at hand */
    WISH_WELCOME, /* a login needs the server's ParameterStatus set; any server of the pool brings it */
};

struct waiter { /* embedded in the client */
    struct link in_waiting;
    struct shard *shard; /* NULL while not waiting */
    uint64_t since_us;   /* valid while waiting */
    enum waiter_wish wish;
    const void *tag; /* for shard_take(): an idle member with this tag is preferred */
};

enum member_state {
    MEMBER_DIALING,
    MEMBER_IDLE,
    MEMBER_ACTIVE,
    MEMBER_MOVING,   /* left its worker, has not arrived in the next one; in no list, belongs to nobody */
    MEMBER_RETIRING, /* from on_retire() to shard_lost(); in no list */
};

struct member {          /* embedded in the server */
    struct link in_all;  /* shard->members, while DIALING, IDLE or ACTIVE */
    struct link in_idle; /* shard->idle, exactly while IDLE */
    struct shard *shard; /* whose thread may touch the server */
    struct letter move;
    uint64_t born_us;       /* when the dial began */
    uint64_t idle_since_us; /* valid while IDLE */
    const void *tag; /* what a waiter may look for (its session's settings): compared, never followed */
    enum member_state state;
    bool is_stale;    /* made for a route that has changed: closed when it comes back */
    bool is_checking; /* from pool_handler.check until shard_give() or shard_lost(); ACTIVE meanwhile */
    bool is_suspect;  /* moved here after it had been idle for long: to be checked before it is granted */
    /* pool/'s own */
    uint16_t jitter;                /* its share of what servers live beyond server_lifetime */
    unsigned generation;            /* the pool's when it was dialed */
    struct budget_account *account; /* whose slot it has */
};

enum dial_failure {
    DIAL_UNREACHABLE, /* refused, timed out, no such host, 57P01-57P03: it may come back, so clients wait */
    DIAL_CONGESTED,   /* 53300: the budget steps down; clients wait */
    DIAL_REFUSED, /* this login, for good (28P01, 3D000, …): waiters are told when no server is usable */
};

enum refusal { REFUSED_WAITED_TOO_LONG, REFUSED_BY_SERVER };

enum retire_reason { RETIRE_IDLE, RETIRE_LIFETIME, RETIRE_STALE, RETIRE_BUDGET };

struct pool_handler { /* what pool/ asks of session/; called in the worker's thread */
    /* Open one server connection for SHARD; its slot is taken. Call member_init() before returning; answer
     * with shard_adopt() or shard_dial_failed(), never before returning. */
    void (*dial)(struct shard *shard);
    /* W is no longer waiting and M is its server (ACTIVE). Never called from inside shard_take(). */
    void (*on_grant)(struct waiter *w, struct member *m);
    /* A welcome is there for a WISH_WELCOME; W is no longer waiting. */
    void (*on_welcome)(struct waiter *w);
    /* W is no longer waiting and gets nothing. Never called from inside shard_take(). WHY, valid during the
     * call: what the server said, for REFUSED_BY_SERVER; for REFUSED_WAITED_TOO_LONG how the pool's last dial
     * failed, NULL when it did not or said nothing. */
    void (*on_refuse)(struct waiter *w, enum refusal refusal, const struct pg_error *why);
    /* M, ACTIVE, has been idle for longer than server_check_delay and somebody waits for it: ask it
     * something, then shard_give(), or close it and shard_lost(). May be called inside shard_take(). NULL:
     * servers are not checked. */
    void (*check)(struct member *m);
    /* W has been waiting for query_wait_notify and goes on waiting. Called once for each wait; may be NULL. */
    void (*on_long_wait)(struct waiter *w);
    /* M, ACTIVE, has become stale while it works. May be NULL. */
    void (*on_stale)(struct member *m);
    /* M (no longer in any list, its slot still taken) must be closed; then shard_lost(). May be called inside
     * shard_give(). */
    void (*on_retire)(struct member *m, enum retire_reason reason);
    /* Moving between workers: may M leave now; take it out of this worker's loop; put it into that of
     * M->shard. */
    bool (*may_move)(struct member *m);
    void (*leave)(struct member *m);
    void (*join)(struct member *m);
    /* A host whose capacity is not known is wanted: budget_handler's on_unknown. May be NULL. */
    void (*on_unknown_host)(void *arg, struct budget_host *host); /* any thread */
    void *arg;                                                    /* for on_unknown_host */
};

/* LOOPS and OWNERS have WORKER_COUNT entries; OWNERS come back through shard_owner(). */
struct pools *pools_new(const struct pool_handler *handler, struct loop *const *loops, void *const *owners,
                        unsigned worker_count);
/* After the workers have ended and every member is lost, with no letter left in the loops, which must still
 * exist: the shards' timers lie in them. NULL is fine. */
void pools_free(struct pools *p);
struct budget *pools_budget(struct pools *p);

/* The pool that ROUTE leads to, made at first (ROUTE is held). One lock; logins only. It lives at least until
 * pool_leave(). */
struct pool *pools_get(struct pools *p, struct route *route);
/* A pool of the caller's own, with one server that is never reused, dialed with these startup parameters
 * (name NUL value NUL …; copied) in place of the route's. It draws from all limits of the route but the
 * pool's size. */
struct pool *pools_get_private(struct pools *p, struct route *route, struct slice startup);
/* Whoever got it does not need it any more. It may be touched until the caller's loop takes its next letter. */
void pool_leave(struct pool *pool, uint64_t now_us);
/* The startup parameters of a private pool; empty: it is none. */
struct slice pool_startup(const struct pool *pool);
/* A new configuration is in force: every pool's route is resolved again; shards learn it by letter; members
 * made for what has changed become stale; pools whose database is gone drain. */
void pools_reload(struct pools *p, const struct settings *settings);
/* Calls EACH for every pool, private ones too, under the lock: it must be brief. */
void pools_each(struct pools *p, void (*each)(void *arg, struct pool *pool), void *arg);
/* shard_close_down() for every shard of WORKER; in its thread. */
void pools_close_down(struct pools *p, unsigned worker);

struct shard *pool_shard(struct pool *pool, unsigned worker);       /* made at first use */
struct shard *pool_shard_known(struct pool *pool, unsigned worker); /* NULL: was not used yet */
/* Names the pool and the present generation of its servers, for snapshot_approve(): never the same for
 * another pool or generation. Any thread. */
const void *pool_approval_key(struct pool *pool);
/* Which of a host list is dialed first: pool/ keeps the number, whoever dials reads and moves it. Any thread. */
_Atomic unsigned *pool_host_turn(struct pool *pool);
const char *pool_database(const struct pool *pool);
const char *pool_user(const struct pool *pool);
/* Another one after a reload that changed the pool's hosts. */
struct budget_account *pool_account(struct pool *pool);
/* The pool's current route; the caller drops it. Any thread. */
struct route *pool_route(struct pool *pool);

/* What later clients are greeted with: ready-built ParameterStatus messages, immutable, reference counted. */
struct welcome {
    _Atomic unsigned refs;
    uint8_t *bytes; /* S messages back to back */
    size_t len;
};
struct welcome *welcome_new(struct slice parameters); /* copies; one reference */
void welcome_drop(struct welcome *w);
/* Adopts; wakes WISH_WELCOME waiters of all shards. Called for each new server before its shard_adopt(), at
 * least when pool_welcome() is NULL, as it is again after a reload that makes all servers stale: while logins
 * wait for it, dials go on. */
void pool_set_welcome(struct pool *pool, struct welcome *w);
/* Whether M, whose dial has just ended well, should set it: there is none, or it speaks of servers that were
 * to be replaced since. */
bool pool_needs_welcome(const struct member *m);
struct welcome *pool_welcome(struct pool *pool); /* NULL when not known; the caller drops it */

/* --- one worker's part; all in its thread --- */
/* M, IDLE, has been so for server_check_delay: it is asked something before it serves again. */
bool member_is_suspect(const struct member *m, uint64_t now_us);
struct pool *shard_pool(const struct shard *s);
const struct route *shard_route(const struct shard *s); /* as of this worker's last reload letter */
void *shard_owner(const struct shard *s);
unsigned shard_waiting_count(const struct shard *s);
/* Why the pool's servers could not be reached last; false: no dial has failed since the last one that worked. */
bool shard_trouble(const struct shard *s, struct pg_error *why);
unsigned shard_idle_count(const struct shard *s);
/* Clients of this shard, logged in or about to be; for SHOW. */
unsigned shard_client_count(const struct shard *s);
void shard_client_came(struct shard *s);
void shard_client_left(struct shard *s);
/* Since when the oldest waiter waits; 0: nobody does. */
uint64_t shard_waiting_since_us(const struct shard *s);
struct list *shard_members(struct shard *s); /* links are member.in_all */
/* Wait times are counted in pool/, all else by whoever sees it happen. */
struct pool_counters *shard_counters(struct shard *s);

void waiter_init(struct waiter *w);
static inline bool
waiter_is_waiting(const struct waiter *w)
{
    return w->shard != NULL;
}

/* An idle server, now ACTIVE; or NULL, and W is queued until on_grant() or on_refuse(). */
struct member *shard_take(struct shard *s, struct waiter *w);
/* Queues W for a welcome (the caller saw that there is none). */
void shard_await_welcome(struct shard *s, struct waiter *w);
void shard_leave_queue(struct waiter *w); /* fine when it is not waiting */

void member_init(struct member *m, struct shard *s); /* inside pool_handler.dial: DIALING */
/* The dial ended well: M is a server of this shard, ready for work. */
void shard_adopt(struct member *m);
/* The dial ended badly; M is in no list afterwards, its slot is given back. WHY is copied. */
void shard_dial_failed(struct member *m, enum dial_failure failure, const struct pg_error *why);
/* M has done its work and is clean: the next waiter gets it (on_grant), or it becomes idle, moves, or
 * retires. */
void shard_give(struct member *m);
/* M is closed, in whatever state but MOVING; its slot is given back. A DIALING one was given up, which says
 * nothing about the server. */
void shard_lost(struct member *m);

/* While closing down: waiters are no longer served with new dials, only with servers that come back; idle
 * members retire (RETIRE_IDLE). */
void shard_close_down(struct shard *s);

#endif
