/*
 * stage.h - a make-believe session/: clients and servers without sockets, on several workers whose loops turn
 * in one thread under a clock that stands still. Dials wait in a list until the test decides how they end.
 *
 * Watched all the time, and asserted: no more servers than the limit, no grant to a client that does not
 * wait, a server only ever in the hands of its own worker, nobody overtaken in his shard's line.
 */
#ifndef PGWEIR_TESTS_POOL_STAGE_H
#define PGWEIR_TESTS_POOL_STAGE_H

#include "pgweir/base/clock.h"
#include "pgweir/net/loop.h"
#include "pgweir/pool/pool.h"

#define STAGE_MOST_WORKERS 8

enum actor_state { CLIENT_RESTING, CLIENT_WAITING, CLIENT_SERVED };

struct actor { /* a client */
    struct waiter waiter;
    struct shard *shard;
    struct server *server; /* while SERVED */
    enum actor_state state;
    unsigned id;
    unsigned asked, granted, welcomed, timed_out, refused; /* how often */
    uint64_t asked_us;
    uint64_t longest_us; /* wait of one that was granted */
    uint64_t waited_us;  /* the sum of them */
    struct pg_error why;
    bool has_why;
    struct link in_grants; /* of the stage, in the order of grants; the last one counts */
};

enum server_state { SERVER_DIALED, SERVER_OPEN, SERVER_TRAVELLING, SERVER_CLOSING };

struct server {
    struct member member;
    struct stage *stage;
    struct link in_servers; /* of the stage */
    struct link in_dials;   /* while DIALED */
    struct link in_closing; /* while CLOSING and closing is slow */
    struct actor *client;
    unsigned worker; /* whose thread may touch it */
    unsigned host;   /* index into stage.hosts */
    uint64_t dialed_us;
    enum server_state state;
    enum retire_reason reason;
    bool is_over; /* its socket is closed; not counted any more */
};

struct stage_worker {
    struct stage *stage;
    unsigned index;
};

struct stage_host {
    struct budget_host *host;
    unsigned limit; /* what the test has set */
    unsigned count; /* servers that exist, dialed ones included */
    unsigned most;  /* the highest count ever */
};

struct stage {
    struct clock clock;
    unsigned worker_count;
    struct loop *loops[STAGE_MOST_WORKERS];
    struct stage_worker workers[STAGE_MOST_WORKERS];
    struct pools *pools;
    const struct settings *settings;
    struct stage_host hosts[4];
    unsigned host_count;
    struct list servers;
    struct list dials; /* the oldest first */
    struct list closing;
    struct list grants;
    unsigned server_count, dial_count;
    unsigned dials_begun, retired[4], moved;
    unsigned unknown_count; /* calls of on_unknown_host */
    unsigned errors;        /* broken promises; asserted to be 0 by stage_fini() */
    bool is_immovable;      /* may_move() says no */
    bool is_closing_slow;   /* retired servers wait for stage_end_closing() */
    /* Called for each grant, in place of nothing; may give and take. */
    void (*on_grant)(struct stage *st, struct actor *a);
    void (*on_dial)(struct stage *st); /* the new server is in `servers`; may be NULL */
};

/* INI are lines for the main section and, behind "[databases]", entries. */
const struct settings *settings_of(const char *ini);

void stage_init(struct stage *st, unsigned worker_count, const char *ini);
/* Closes everything, asserts that every slot came back. */
void stage_fini(struct stage *st);
struct pool *stage_pool(struct stage *st, const char *database);
struct pool *stage_pool_of(struct stage *st, const char *database, const char *user);
void stage_set_limit(struct stage *st, const char *host_key, unsigned limit);
struct stage_host *stage_host(struct stage *st, const char *host_key);
void stage_reload(struct stage *st, const char *ini);

/* Turns all loops until nothing is left to do. */
void stage_settle(struct stage *st);
void stage_pass(struct stage *st, uint64_t us); /* settles, lets the time pass, settles */

/* The oldest dial ends; false when there is none. */
bool stage_dial_works(struct stage *st);
bool stage_dial_fails(struct stage *st, enum dial_failure failure, const char *sqlstate);
void stage_all_dials_work(struct stage *st);
void server_dial_works(struct server *v);
void server_dial_fails(struct server *v, enum dial_failure failure, const char *sqlstate);
void server_dies(struct server *v);
struct server *stage_first_dial(struct stage *st);
void stage_end_closing(struct stage *st);

void actor_init(struct actor *a, struct shard *shard, unsigned id);
void actor_ask(struct actor *a); /* for a server */
void actor_greet(struct actor *a);
void actor_give(struct actor *a);
void actor_leave(struct actor *a); /* whatever it does */

void stage_fails(struct stage *st, const char *what); /* a promise is broken */
unsigned account_taken(struct pool *pool);
unsigned pool_idle_count(struct stage *st, struct pool *pool);
unsigned pool_waiting_count(struct stage *st, struct pool *pool); /* for servers */

#define CHECK(st, condition)                                                    \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "\n    %s:%d: %s", __FILE__, __LINE__, #condition); \
            (st)->errors++;                                                     \
        }                                                                       \
    } while (0)

#endif
