/* shard_impl.h - the inside of a shard, for the files that move it: shard.c, whose story names them, and its
 * parts. */
#ifndef PGWEIR_POOL_SHARD_IMPL_H
#define PGWEIR_POOL_SHARD_IMPL_H

#include "pool_impl.h"

/* Why a shard's bell is rung; a set. */
enum shard_call {
    CALL_SLOT = 1,      /* its want got a slot */
    CALL_GROW = 2,      /* look again whether to dial */
    CALL_WELCOME = 4,   /* the pool's welcome is known */
    CALL_ROUTE = 8,     /* there are pool_news */
    CALL_REFUSED = 16,  /* the server refuses the login */
    CALL_SQUEEZE = 32,  /* _shared.squeezes of idle servers should close */
    CALL_ASKED = 64,    /* _shared.asked_by want an idle server */
    CALL_ANSWERED = 128 /* _shared.answered_by have answered */
};

struct shard {
    struct pool *pool;
    const struct pool_handler *handler;
    struct loop *loop;
    void *owner;
    unsigned worker;
    uint32_t bit;  /* 1 << worker */
    bool is_alone; /* the pool has no other shard, ever */

    struct route *route; /* held */
    unsigned generation;
    bool is_gone;
    struct pool_account *account;

    struct list members; /* member.in_all */
    unsigned idle_count, active_count, dial_count;
    unsigned client_count;
    bool is_used; /* some client asked for something: min_pool_size is kept up from then on */
    bool is_closing_down;

    struct pool_counters counters;
    struct pin_counts pins;
    struct {                   /* audit.c's */
        unsigned fraction;     /* session_audit as it was when `left` was drawn */
        uint32_t left;         /* releases up to the next one that is looked at */
        unsigned alert;        /* so many are looked at, one after the other */
        uint64_t alert_due_us; /* no alert before */
    } audit;

    /* queue.c */
    struct list waiting;  /* waiter.in_waiting with WISH_SERVER: first the oldest */
    struct list greeting; /* waiter.in_waiting with WISH_WELCOME: first the oldest */
    unsigned waiting_count, greeting_count;
    struct timer wait_timer;   /* the oldest waiter's time is up, or that of one that has left since */
    struct link *next_to_tell; /* the first in `waiting` not told that it waits long; NULL: all were */
    struct timer notify_timer; /* it is due to be told, or was when the timer was armed */

    /* idle.c */
    struct list idle;        /* member.in_idle: first the hottest, last the coldest */
    struct timer idle_timer; /* one of them is due to close, or was when it was armed */

    /* check.c */
    unsigned checking_count; /* of the active ones: is_checking */
    uint64_t check_delay_us; /* idle servers are checked after so long; TIMERS_NEVER: they are not */
    bool is_round_robin;     /* the coldest idle server is taken, not the hottest */

    /* exchange.c */
    bool is_idle_told;        /* our bit in pool->idle */
    bool is_waiting_told;     /* our bit in pool->waiting */
    uint32_t asked;           /* shards that we asked for an idle server and that have not answered */
    struct timer offer_timer; /* look again: an idle server could not move just then */

    /* growth.c */
    struct budget_want want;
    bool is_want_out;               /* the budget has it, or its slot is on the way */
    uint64_t want_since_us;         /* the age it was queued with */
    struct budget_account *slot_of; /* while pool_handler.dial runs: whose slot the new member has */
    struct timer growth_timer;
    uint64_t random;

    char before[POOL_CACHE_LINE];
    struct {
        struct letter bell;
        _Atomic uint32_t calls; /* enum shard_call; the bell is on its way exactly while not 0 */
        _Atomic uint32_t asked_by, answered_by;
        _Atomic unsigned squeezes;
        _Atomic unsigned incoming;  /* servers that other shards have sent here and that have not arrived */
        _Atomic uint64_t oldest_us; /* since when our oldest waits for a server; 0: nobody does */
        _Atomic unsigned waiting_count; /* as above, for the others */
    } _shared;
};

struct shard *shard_new(struct pool *pool, unsigned worker, uint64_t random);
void shard_free(struct shard *s);
/* Its pool is about to be freed: nothing of it may happen by itself any more. */
void shard_stop(struct shard *s);

/* M is ACTIVE here without a client: the next waiter gets it, or it becomes idle. */
void shard_place(struct member *m, uint64_t now_us);
/* Whether M, which has no client now, is to be closed for the sake of other pools. */
bool shard_yields(struct member *m, uint64_t now_us);

/* --- bell.c: what other threads want of a shard --- */
void bell_init(struct shard *s);
/* Any thread. Calls while the bell is on its way are one letter. */
void shard_ring(struct shard *s, uint32_t calls);
void shard_post(struct loop *to, struct letter *letter); /* a letter that must not be lost */
/* pool.c's. Rings all shards that exist, save EXCEPT (NULL: none). */
void pool_ring_all(struct pool *pool, const struct shard *except, uint32_t calls);
void pool_ring(struct pool *pool, uint32_t mask, uint32_t calls); /* those of MASK */

/* --- member.c: a server's states --- */
void member_detach(struct member *m); /* out of all lists and counts of its shard */
/* on_retire() for M; the second when it is no longer in the pool's usable_count. */
void shard_retire(struct member *m, enum retire_reason reason);
void member_retire_uncounted(struct member *m, enum retire_reason reason);
/* When M is older than servers may become. A lifetime of 0 means use once, and says nothing about an unused
 * one. */
uint64_t member_expires_us(const struct member *m);

/* --- queue.c: who waits --- */
void queue_init(struct shard *s);
void queue_stop(struct shard *s);
void queue_join(struct shard *s, struct waiter *w, enum waiter_wish wish);
void queue_grant(struct waiter *w, struct member *m, uint64_t now_us); /* W leaves, M is its server */
void queue_greet_all(struct shard *s);                                 /* CALL_WELCOME */
void queue_refuse_all(struct shard *s);                                /* CALL_REFUSED */
void queue_learn(struct shard *s); /* the route, and with it how long one may wait, is another one */

/* --- idle.c: which servers rest --- */
void idle_init(struct shard *s);
void idle_stop(struct shard *s);
void idle_take(struct member *m);                  /* M leaves the idle ones: ACTIVE */
void idle_rest(struct member *m, uint64_t now_us); /* nobody here needs M: IDLE, or closed */
/* Closes those whose time is over and arms the timer for the next: a walk over the shard's idle ones. */
void idle_care(struct shard *s);
void idle_retire_stale(struct shard *s); /* those that the configuration has no use for any more */
void idle_close_down(struct shard *s);   /* all of them */
/* Whether min_pool_size holds: somebody is there, or it is known whom servers would be for. */
bool pool_is_wanted(const struct shard *s);

/* --- check.c: which are asked first --- */
void check_learn(struct shard *s); /* from the route's settings */
void check_begin(struct member *m);
void check_end(struct member *m);
void check_more(struct shard *s); /* as many as somebody waits for, if that many are idle */

static inline struct waiter *
waiter_of(struct link *l)
{
    return CONTAINER_OF(l, struct waiter, in_waiting);
}

static inline struct member *
member_of_idle(struct link *l)
{
    return CONTAINER_OF(l, struct member, in_idle);
}

/* Since when the first of LINE waits; 0: it is empty. */
static inline uint64_t
line_oldest_us(const struct list *line)
{
    return list_is_empty(line) ? 0 : waiter_of(list_first(line))->since_us;
}

/* Since when anybody waits here, for a server or a welcome; 0: nobody does. */
static inline uint64_t
shard_oldest_us(const struct shard *s)
{
    uint64_t server_us = line_oldest_us(&s->waiting);
    uint64_t welcome_us = line_oldest_us(&s->greeting);

    if (server_us == 0 || welcome_us == 0)
        return server_us > welcome_us ? server_us : welcome_us;
    return server_us < welcome_us ? server_us : welcome_us;
}

/* --- exchange.c: how shards of a pool help each other --- */
void exchange_init(struct shard *s);
void exchange_fini(struct shard *s);
void exchange_tell_waiting(struct shard *s); /* after any change of s->waiting */
void exchange_tell_idle(struct shard *s); /* after s->idle got its first: offers it to who waits elsewhere */
void exchange_tell_no_idle(struct shard *s); /* s->idle was found empty */
void exchange_seek(struct shard *s);         /* we have waiters: ask shards that may have idle servers */
void exchange_answer(struct shard *s);       /* CALL_ASKED */
void exchange_hear(struct shard *s);         /* CALL_ANSWERED */
/* Whose oldest waiter should get a server that is free here now, rather than ours; NULL: nobody's. */
struct shard *exchange_elder(struct shard *s, uint64_t now_us);
bool exchange_try_send(struct member *m, struct shard *to);
/* Since when anybody waits for a server in any shard of the pool; 0: nobody does. */
uint64_t exchange_oldest_us(struct shard *s);

/* --- growth.c: when a shard dials --- */
void growth_init(struct shard *s);
/* Dials as many as are needed and allowed; arms its timer for what must wait. */
void growth_look(struct shard *s);
void growth_slot_came(struct shard *s); /* CALL_SLOT */
/* Somebody left a line: the want's age may have changed, or nobody needs it any more. */
void growth_line_moved(struct shard *s);
void growth_forget(struct shard *s); /* its want: the account is another one now, or nobody may dial */
void growth_stop(struct shard *s);
void growth_dial_ended(struct shard *s); /* one dial fewer is under way in the pool */

#endif
