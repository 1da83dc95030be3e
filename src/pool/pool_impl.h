/* pool_impl.h - the inside of a pool: what its shards share. For neighbours in the room. */
#ifndef PGWEIR_POOL_POOL_IMPL_H
#define PGWEIR_POOL_POOL_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/base/map.h"
#include "pgweir/pool/pool.h"

#define POOL_CACHE_LINE 64

struct pools {
    struct pool_handler handler;
    unsigned worker_count;
    struct loop *loops[POOL_MOST_WORKERS];
    void *owners[POOL_MOST_WORKERS];
    struct budget *budget;
    _Atomic bool has_controls; /* whether _shared.controls has anything */
    _Atomic unsigned
        wait_count; /* waits of control.c; members that go ring the attendant while there are any */
    struct attendant *attendant; /* control.c's; NULL: nobody attends, nobody may wait, nothing is reaped */
    struct loop *attendant_loop;
    struct timer reap_timer; /* reaper.c's, in that loop */
    struct funeral *funeral; /* likewise; NULL: none is under way; main thread */
    _Atomic uint64_t last_approval_key;
    struct list waits; /* pools_wait.in_waits; main thread */
    struct {
        pthread_mutex_t lock;
        struct map by_name;              /* pool.in_pools, by database and user */
        struct map schemas;              /* schema.c's, by host list and database */
        const struct settings *settings; /* held: of the last pools_reload(), NULL before */
        uint64_t random;                 /* seeds the shards */
        struct list unused;              /* pool.in_unused: without clients and members */
        struct map controls;             /* control.c: what was done to databases by their names */
        bool is_all_paused;
    } _shared;
};

/* One bit per worker, on a cache line of its own. */
struct pool_mask {
    char before[POOL_CACHE_LINE];
    _Atomic uint32_t bits;
    char after[POOL_CACHE_LINE - sizeof(uint32_t)];
};

struct pool_account { /* of one host; a pool whose route goes to another host gets another one */
    struct budget_account budget;
    struct pool *pool;
    struct pool_account *older; /* those servers may live on for a while */
};

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_UNREACHABLE,
    TROUBLE_CONGESTED,
    TROUBLE_REFUSED,
};

struct trouble {               /* trouble.c: what the pool's shards know about failed dials */
    _Atomic int kind;          /* enum trouble_kind; written under the pool's lock */
    _Atomic uint64_t retry_us; /* no dial before; 0 without trouble */
    struct {                   /* under the pool's lock */
        unsigned count;        /* in a row */
        uint64_t counted_us;   /* when one was counted last: dials that were under way then do not count */
        struct pg_error *why;  /* of the last one; NULL: none or not told */
    } _shared;
};

struct pool {
    struct map_node in_pools;
    struct pools *pools;
    char *database;
    char *user;
    bool is_private;       /* of one client: nobody finds it by its name */
    struct buf startup;    /* private: what pool_startup() tells */
    struct link in_unused; /* of the pools, or of a funeral; under the pools' lock, as the next two */
    uint64_t unused_us;    /* while in_unused */
    bool is_dead;
    _Atomic unsigned client_count; /* pools_get() less pool_leave() */
    _Atomic uint64_t approval_key; /* pool_approval_key() */
    struct {
        pthread_mutex_t lock;
        struct route *route; /* held */
        unsigned generation; /* of servers: those of an older one are stale */
        bool is_gone;        /* the configuration no longer has it: route is the last one that led here */
        struct welcome *welcome;
        unsigned welcome_generation; /* of the servers that it speaks of */
        unsigned fresh_count;        /* members of the present generation, from pool_enter() to pool_exit() */
        unsigned stale_count;        /* of older ones */
    } _shared;
    _Atomic bool is_paused;                 /* no dials; written under the lock */
    _Atomic(struct pool_account *) account; /* the present one; written under the lock */
    _Atomic bool is_welcome_known;          /* whether _shared.welcome is set */
    struct trouble trouble;
    _Atomic unsigned host_turn;    /* pool_host_turn() */
    _Atomic unsigned usable_count; /* servers that are neither DIALING nor RETIRING, over all shards */
    _Atomic unsigned dial_count;   /* dials under way, over all shards */
    /* when a client asked for currval() last, about; 0: nobody ever did; see shard_asks_sequences() */
    _Atomic uint64_t sequences_asked_us;
    struct learned *learned;       /* audit.c's; owned */
    _Atomic unsigned pinned_count; /* clients that keep their server between transactions, over all shards */
    _Atomic uint32_t starved;      /* shards that would dial if fewer dials were under way */
    struct pool_mask waiting;      /* shards that have clients waiting for a server: exact */
    struct pool_mask idle;         /* shards that may have idle servers: cleared lazily */
    _Atomic(struct shard *) shards[];
};

struct pool_news {       /* what a shard learns when it is made and after a reload */
    struct route *route; /* held */
    unsigned generation;
    bool is_gone;
    struct pool_account *account;
};
void pool_read_news(struct pool *pool, struct pool_news *out);

/* For tests that must be repeatable: jitter comes from SEED. Before the first shard is made. */
void pools_seed(struct pools *p, uint64_t seed);

static inline struct shard *
pool_shard_if_any(struct pool *pool, unsigned worker)
{
    return atomic_load_explicit(&pool->shards[worker], memory_order_acquire);
}

/* Lowest set bit of a mask that is not 0. */
static inline unsigned
mask_first(uint32_t mask)
{
    return (unsigned)__builtin_ctz(mask);
}

static inline unsigned
mask_count(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

void pool_free(struct pool *pool);

/* --- reaper.c --- */
void pool_may_be_unused(struct pool *pool, uint64_t now_us);
void pools_reap(struct pools *p); /* main thread: frees what is due, arms reap_timer for the next */
void on_reap_due(struct timer *timer);
void reaper_fini(struct pools *p);

/* --- control.c --- */

struct attendant;

/* The gate for one more member, dialed in GENERATION. False: the pool is paused. */
bool pool_enter(struct pool *pool, unsigned generation);
void pool_exit(struct pool *pool, unsigned generation, uint64_t now_us); /* it has gone */
void pool_age_locked(struct pool *pool);                                 /* a new generation begins */
bool pools_pauses_locked(struct pools *p, const char *database);
void controls_fini(struct pools *p);
void pools_ring(struct pools *p); /* the attendant; any thread */
void pools_unattend(struct pools *p);

/* Where members of GENERATION are counted. */
static inline unsigned *
pool_count_locked(struct pool *pool, unsigned generation)
{
    return generation == pool->_shared.generation ? &pool->_shared.fresh_count : &pool->_shared.stale_count;
}

void schemas_free(struct pools *p); /* schema.c */

/* --- trouble.c --- */

/* A dial that began at DIALED_US failed. WHY is copied; NULL is fine. */
void trouble_note(struct pool *pool, enum trouble_kind kind, const struct pg_error *why, uint64_t dialed_us,
                  uint64_t now_us, uint64_t longest_us, uint64_t *random);
/* A dial worked, or a reload may have cured it. True when there was trouble. */
bool trouble_is_over(struct pool *pool);
/* No dial before this; 0: no trouble. */
static inline uint64_t
trouble_retry_us(const struct pool *pool)
{
    return atomic_load_explicit(&((struct pool *)(uintptr_t)pool)->trouble.retry_us, memory_order_acquire);
}
/* Whether clients are to be told that the server refuses them: it did, and there is no usable server. */
bool trouble_is_refusal(const struct pool *pool);
bool trouble_tell(struct pool *pool, struct pg_error *out); /* false: nothing to tell */

/* --- audit.c --- */
struct learned *learned_new(void);
void learned_free(struct learned *l);

#endif
