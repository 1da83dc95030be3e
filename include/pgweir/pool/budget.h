/*
 * budget.h - how many server connections may exist, over all pools and workers. max_connections belongs to a
 * PostgreSQL server, so the bound belongs to the host (a route's host_key), above its pools; roles and
 * databases may carry limits of their own, there (CONNECTION LIMIT) or here, over all hosts
 * (max_user_connections, max_db_connections).
 *
 * One lock, taken only when a connection is opened, closed or waited for; the path of a transaction only
 * reads budget_pressed_since().
 * A connection is counted from before its socket exists until after it is closed, so no race exceeds a limit.
 *
 *     take ----> TAKEN: open a connection, later budget_give()
 *       \------> WAIT: the want is queued by age; on_slot() comes with a slot already taken for it
 *     Who waits is served by the age of its oldest client; min_pool_size of every account is kept free for
 *     it; when nothing is free, the account that has gone longest without work and is above its guarantee is
 *     squeezed: on_squeeze().
 */
#ifndef PGWEIR_POOL_BUDGET_H
#define PGWEIR_POOL_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/list.h"

struct budget;       /* the process has one; every call is thread-safe */
struct budget_host;  /* lives as long as its budget */
struct budget_quota; /* a role's or database's own limit */

/* Wants that wait for the same thing, the oldest first; budget.c's, under the host's lock. */
struct budget_line {
    struct list wants;
    unsigned count;
};

/* One pool; embedded in it; fields are budget.c's, under the host's lock, save the last two. */
struct budget_account {
    struct link in_holders;  /* of the budget, exactly while taken > 0 */
    struct link in_oversize; /* of the budget, exactly while more would stay than limit and reserve allow */
    struct budget_host *host;
    /* Further limits that each connection counts against; NULL-terminated unless full. */
    struct budget_quota *quotas[4];
    unsigned limit;      /* the pool's size; 0: none of its own */
    unsigned reserve;    /* so many more for wants in a hurry; means nothing without a limit */
    unsigned guaranteed; /* min_pool_size */
    unsigned taken;
    unsigned leaving;        /* of those: asked to close by a squeeze or a yield, not given back yet */
    unsigned want_count;     /* queued wants of this account */
    unsigned failed_round;   /* the host's round in which a squeeze of this account failed */
    struct budget_line line; /* wants that wait because this account is at its own limit */
    /* Hints, read without a lock. The owner sets idle_hint after budget_account_open(), before it first
     * takes. */
    _Atomic uint64_t worked_us;  /* when this pool last returned a server; written by its workers */
    _Atomic uint32_t *idle_hint; /* borrowed; 0 there: surely nothing idle to squeeze. NULL: nobody knows */
};

struct budget_want { /* one shard that needs another connection; embedded in it */
    struct link in_wants;
    struct budget_line *line; /* where it is queued; NULL: it is not */
    struct budget_account *account;
    uint64_t since_us; /* since when its oldest client waits */
    bool is_urgent;    /* that has waited long enough for the account's reserve */
};

struct budget_handler { /* called without the lock, from any thread; they post a letter */
    void (*on_slot)(struct budget_want *want);
    /* One idle connection of this account should be closed (its slot given back). Answer
     * budget_squeeze_failed() when there is none. */
    void (*on_squeeze)(struct budget_account *account);
    /* A host without a known limit is wanted for the first time: find its capacity, then budget_set_limit(). */
    void (*on_unknown)(void *arg, struct budget_host *host);
    void *arg;
};

struct budget *budget_new(const struct budget_handler *handler);
void budget_free(struct budget *b);

struct budget_host *budget_host(struct budget *b, const char *host_key); /* found or made */
const char *budget_host_key(const struct budget_host *host);
/* LIMIT connections at the most from now on; 0: not known yet, nobody may connect. A lower one squeezes idle
 * connections and closes returning ones. WHY is kept for errors and SHOW BUDGET ("max_connections 100 -
 * superuser_reserved 3 - direct_reserve 10"). */
void budget_set_limit(struct budget_host *host, unsigned limit, const char *why);
/* The server answered 53300 at NOW_US to a connection whose slot is still taken: the limit in force steps
 * down below what is open (multiplicatively, never below 1) and recovers slowly. */
void budget_congested(struct budget_host *host, uint64_t now_us);

enum budget_quota_kind {
    QUOTA_ROLE,     /* of one host: what the role has there */
    QUOTA_DATABASE, /* of one host: what the database has there */
    QUOTA_ENTRY,    /* over all hosts: max_db_connections of an entry of [databases] */
    QUOTA_USER,     /* over all hosts: max_user_connections of a role */
};
/* LIMIT 0: none. A quota of one host is made if need be; of one over all hosts it is enough that it is
 * remembered while accounts draw from it. */
void budget_set_quota(struct budget_host *host, enum budget_quota_kind kind, const char *name,
                      unsigned limit);

void budget_want_init(struct budget_want *want);
void budget_account_open(struct budget_account *a, struct budget_host *host, unsigned limit,
                         unsigned guaranteed);
/* Its connections draw from this quota too. Before it first takes; at most 4. */
void budget_account_join(struct budget_account *a, enum budget_quota_kind kind, const char *name);
/* A lower limit squeezes idle connections and closes returning ones. */
void budget_account_resize(struct budget_account *a, unsigned limit, unsigned reserve, unsigned guaranteed);
void budget_account_close(struct budget_account *a); /* it has nothing, wants nothing and will not any more */

enum budget_answer {
    BUDGET_TAKEN,
    BUDGET_WAIT, /* WANT is queued; budget_forget() takes it out. on_slot() may come before this answer */
};
/* WANT is not queued, and no on_slot() for it is still travelling. NULL: only try. NOW_US serves the recovery
 * after congestion. Nobody overtakes: a slot that an older want may have goes there. */
MUST_CHECK enum budget_answer budget_take(struct budget_account *a, struct budget_want *want,
                                          uint64_t since_us, uint64_t now_us);
/* A slot that came by on_slot() is about to be used. False: the limit has been lowered meanwhile, give it
 * back. */
bool budget_may_use(struct budget_account *a);
void budget_give(struct budget_account *a, uint64_t now_us); /* may call on_slot() of another want */
/* False when the want was not queued any more: its on_slot() has been or is being called, and the slot will
 * arrive. */
bool budget_forget(struct budget_want *want);
/* Its oldest client is another one now, and not in a hurry. Nothing happens when it is not queued. */
void budget_want_since(struct budget_want *want, uint64_t since_us);
/* Its oldest client has waited long enough to draw from the account's reserve. Nothing happens when it is not
 * queued. */
void budget_want_hurries(struct budget_want *want);
void budget_squeeze_failed(struct budget_account *a);
/* For limits that recover with time: gives slots to queued wants that may have one now. Called on a slow
 * timer while anyone waits. */
void budget_revisit(struct budget_host *host, uint64_t now_us);

/* Age stamp of the oldest queued want that a connection to this host, closed by somebody else, might serve, 0
 * when none, or 1 when there are more than a limit allows: two relaxed loads, for the path of a returning
 * server. */
uint64_t budget_pressed_since(const struct budget_host *host);
/* Whether a connection of A that has just finished its work is to be closed so that an older want (or a
 * lowered limit) is served: OWN_SINCE_US is the age stamp of A's own oldest waiter, 0 when nobody waits.
 * After true it must be closed: it counts as leaving. */
bool budget_should_yield(struct budget_account *a, uint64_t own_since_us, uint64_t now_us);

struct budget_view { /* for errors and SHOW BUDGET */
    unsigned limit, in_force, taken, wanted;
    unsigned account_limit, account_taken;
    const char *bound; /* which limit stands in the way of one more, as operators call it; NULL: none */
    unsigned bound_limit, bound_taken;
    char why[160];
    char last_change[120]; /* when the limit changed last, how and why; "": never since it was first known */
};
void budget_look(const struct budget_account *a, struct budget_view *out);

#endif
