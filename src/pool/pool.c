/*
 * pool.c - all pools of the process, what one pool's shards share, and welcomes.
 *
 *     pools --by (database, user)--> pool --per worker, made at first use--> shard
 *                                      |
 *                                      +--per host it has had--> account --> budget
 *
 *     A pool is never freed while the workers run: clients and servers of any thread point at it. One whose
 *     database has gone from the configuration stays for the clients that it still has; it keeps its last
 *     route, loses its guarantee, and closes its idle servers.
 *
 *     Locks, in the order in which they may be held together: pools, pool, (budget's). Letters are posted
 *     under none of them.
 */
#include "pgweir/pool/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "shard_impl.h"

/* --- welcomes --- */

struct welcome *
welcome_new(struct slice parameters)
{
    struct welcome *w = mem_new(sizeof(*w));

    atomic_init(&w->refs, 1);
    w->len = parameters.len;
    if (parameters.len > 0) {
        w->bytes = mem_new(parameters.len);
        memcpy(w->bytes, parameters.at, parameters.len);
    }
    return w;
}

static struct welcome *
welcome_hold(struct welcome *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void
welcome_drop(struct welcome *w)
{
    if (w == NULL || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(w->bytes);
    free(w);
}

void
pool_set_welcome(struct pool *pool, struct welcome *w)
{
    struct welcome *before;

    pthread_mutex_lock(&pool->_shared.lock);
    before = pool->_shared.welcome;
    pool->_shared.welcome = w;
    pool->_shared.welcome_generation = pool->_shared.generation;
    atomic_store_explicit(&pool->is_welcome_known, true, memory_order_release);
    pthread_mutex_unlock(&pool->_shared.lock);
    welcome_drop(before);
    pool_ring_all(pool, NULL, CALL_WELCOME);
}

bool
pool_needs_welcome(const struct member *m)
{
    struct pool *pool = m->shard->pool;
    bool is_needed;

    pthread_mutex_lock(&pool->_shared.lock);
    is_needed = pool->_shared.welcome == NULL || pool->_shared.welcome_generation < m->generation;
    pthread_mutex_unlock(&pool->_shared.lock);
    return is_needed;
}

struct welcome *
pool_welcome(struct pool *pool)
{
    struct welcome *w;

    pthread_mutex_lock(&pool->_shared.lock);
    w = pool->_shared.welcome;
    if (w != NULL)
        welcome_hold(w);
    pthread_mutex_unlock(&pool->_shared.lock);
    return w;
}

/* --- accounts --- */

static unsigned
route_guarantee(const struct route *r)
{
    return r->pool_size != 0 && r->min_pool_size > r->pool_size ? r->pool_size : r->min_pool_size;
}

static void
account_set_limits(const struct pool *pool, struct budget_account *a, const struct route *route,
                   unsigned guaranteed)
{
    unsigned reserve = route->reserve_pool_timeout_us == 0 ? 0 : route->reserve_pool_size;

    if (pool->is_private)
        budget_account_resize(a, 1, 0, 0);
    else
        budget_account_resize(a, route->pool_size, reserve, guaranteed);
    budget_set_quota(a->host, QUOTA_ENTRY, route->database, route->max_db_connections);
    budget_set_quota(a->host, QUOTA_USER, route->user, route->max_user_connections);
}

/* The pool's account with the host of ROUTE becomes its present one. */
static void
pool_open_account(struct pool *pool, const struct route *route)
{
    struct pool_account *a = mem_new(sizeof(*a));
    struct budget_host *host = budget_host(pool->pools->budget, route->host_key);

    a->pool = pool;
    a->older = atomic_load_explicit(&pool->account, memory_order_relaxed);
    budget_account_open(&a->budget, host, route->pool_size, 0);
    budget_account_join(&a->budget, QUOTA_ROLE, route->user);
    budget_account_join(&a->budget, QUOTA_DATABASE, route->server_database);
    budget_account_join(&a->budget, QUOTA_ENTRY, route->database);
    budget_account_join(&a->budget, QUOTA_USER, route->user);
    account_set_limits(pool, &a->budget, route, route_guarantee(route));
    a->budget.idle_hint = &pool->idle.bits;
    atomic_store_explicit(&pool->account, a, memory_order_release);
}

struct budget_account *
pool_account(struct pool *pool)
{
    return &atomic_load_explicit(&pool->account, memory_order_acquire)->budget;
}

/* --- one pool --- */

static struct pool *
pool_new(struct pools *p, const char *database, const char *user, struct route *route, struct slice startup)
{
    struct pool *pool = mem_new(sizeof(*pool) + p->worker_count * sizeof(pool->shards[0]));

    pool->pools = p;
    pool->is_private = startup.len > 0;
    buf_init(&pool->startup);
    buf_add(&pool->startup, startup);
    link_init(&pool->in_unused);
    atomic_init(&pool->client_count, 0);
    atomic_init(&pool->approval_key, atomic_fetch_add(&p->last_approval_key, 1) + 1);
    pool->database = mem_text(database);
    pool->user = mem_text(user);
    pthread_mutex_init(&pool->_shared.lock, NULL);
    pool->_shared.route = route_hold(route);
    atomic_init(&pool->account, NULL);
    atomic_init(&pool->is_welcome_known, false);
    atomic_init(&pool->is_paused, false);
    atomic_init(&pool->trouble.kind, TROUBLE_NONE);
    atomic_init(&pool->trouble.retry_us, 0);
    atomic_init(&pool->host_turn,
                route->load_balance_hosts == BALANCE_DISABLE ? 0 : (unsigned)random_next(&p->_shared.random));
    atomic_init(&pool->usable_count, 0);
    atomic_init(&pool->dial_count, 0);
    atomic_init(&pool->starved, 0);
    pool->learned = learned_new();
    atomic_init(&pool->waiting.bits, 0);
    atomic_init(&pool->idle.bits, 0);
    for (unsigned i = 0; i < p->worker_count; i++)
        atomic_init(&pool->shards[i], NULL);
    pool_open_account(pool, route);
    return pool;
}

static void
accounts_free(struct pool_account *a)
{
    while (a != NULL) {
        struct pool_account *older = a->older;

        budget_account_close(&a->budget);
        free(a);
        a = older;
    }
}

void
pool_free(struct pool *pool)
{
    for (unsigned i = 0; i < pool->pools->worker_count; i++)
        shard_free(pool_shard_if_any(pool, i));
    accounts_free(atomic_load_explicit(&pool->account, memory_order_acquire));
    route_drop(pool->_shared.route);
    learned_free(pool->learned);
    welcome_drop(pool->_shared.welcome);
    free(pool->trouble._shared.why);
    pthread_mutex_destroy(&pool->_shared.lock);
    buf_release(&pool->startup);
    free(pool->database);
    free(pool->user);
    free(pool);
}

struct shard *
pool_shard_known(struct pool *pool, unsigned worker)
{
    return pool_shard_if_any(pool, worker);
}

struct shard *
pool_shard(struct pool *pool, unsigned worker)
{
    struct shard *s = pool_shard_if_any(pool, worker);
    struct shard *nobody = NULL;
    uint64_t random;

    if (s != NULL)
        return s;
    pthread_mutex_lock(&pool->pools->_shared.lock);
    random = random_next(&pool->pools->_shared.random);
    pthread_mutex_unlock(&pool->pools->_shared.lock);
    s = shard_new(pool, worker, random);
    if (atomic_compare_exchange_strong(&pool->shards[worker], &nobody, s)) {
        /* News that came before we were published would ring nobody. */
        shard_ring(s, CALL_ROUTE);
        return s;
    }
    shard_free(s);
    return nobody;
}

_Atomic unsigned *
pool_host_turn(struct pool *pool)
{
    return &pool->host_turn;
}

const char *
pool_database(const struct pool *pool)
{
    return pool->database;
}

const char *
pool_user(const struct pool *pool)
{
    return pool->user;
}

struct route *
pool_route(struct pool *pool)
{
    struct route *r;

    pthread_mutex_lock(&pool->_shared.lock);
    r = route_hold(pool->_shared.route);
    pthread_mutex_unlock(&pool->_shared.lock);
    return r;
}

void
pool_read_news(struct pool *pool, struct pool_news *out)
{
    pthread_mutex_lock(&pool->_shared.lock);
    out->route = route_hold(pool->_shared.route);
    out->generation = pool->_shared.generation;
    out->is_gone = pool->_shared.is_gone;
    out->account = atomic_load_explicit(&pool->account, memory_order_relaxed);
    pthread_mutex_unlock(&pool->_shared.lock);
}

void
pool_ring(struct pool *pool, uint32_t mask, uint32_t calls)
{
    for (; mask != 0; mask &= mask - 1) {
        struct shard *s = pool_shard_if_any(pool, mask_first(mask));

        if (s != NULL)
            shard_ring(s, calls);
    }
}

void
pool_ring_all(struct pool *pool, const struct shard *except, uint32_t calls)
{
    for (unsigned i = 0; i < pool->pools->worker_count; i++) {
        struct shard *s = pool_shard_if_any(pool, i);

        if (s != NULL && s != except)
            shard_ring(s, calls);
    }
}

/* --- what the budget asks of pools --- */

static void
on_slot(struct budget_want *want)
{
    shard_ring(CONTAINER_OF(want, struct shard, want), CALL_SLOT);
}

static void
on_squeeze(struct budget_account *account)
{
    struct pool_account *a = CONTAINER_OF(account, struct pool_account, budget);
    uint32_t idle = atomic_load_explicit(&a->pool->idle.bits, memory_order_relaxed);
    struct shard *s;

    /* Servers of a host that the pool has left are stale: the idle ones are closed already. */
    if (idle == 0 || account != pool_account(a->pool)) {
        budget_squeeze_failed(account);
        return;
    }
    s = pool_shard_if_any(a->pool, mask_first(idle));
    atomic_fetch_add_explicit(&s->_shared.squeezes, 1, memory_order_relaxed);
    shard_ring(s, CALL_SQUEEZE);
}

static void
on_unknown(void *arg, struct budget_host *host)
{
    struct pools *p = arg;

    if (p->handler.on_unknown_host != NULL)
        p->handler.on_unknown_host(p->handler.arg, host);
}

/* --- all pools --- */

struct pools *
pools_new(const struct pool_handler *handler, struct loop *const *loops, void *const *owners,
          unsigned worker_count)
{
    struct pools *p = mem_new(sizeof(*p));
    struct budget_handler asks = {
        .on_slot = on_slot, .on_squeeze = on_squeeze, .on_unknown = on_unknown, .arg = p
    };

    assert(worker_count > 0 && worker_count <= POOL_MOST_WORKERS);
    p->handler = *handler;
    p->worker_count = worker_count;
    for (unsigned i = 0; i < worker_count; i++) {
        p->loops[i] = loops[i];
        p->owners[i] = owners[i];
    }
    p->budget = budget_new(&asks);
    pthread_mutex_init(&p->_shared.lock, NULL);
    map_init(&p->_shared.by_name);
    map_init(&p->_shared.controls);
    atomic_init(&p->has_controls, false);
    atomic_init(&p->wait_count, 0);
    list_init(&p->waits);
    list_init(&p->_shared.unused);
    timer_init(&p->reap_timer, on_reap_due);
    atomic_init(&p->last_approval_key, 0);
    map_init(&p->_shared.schemas);
    random_secret(&p->_shared.random, sizeof(p->_shared.random));
    p->_shared.random |= 1;
    return p;
}

void
pools_seed(struct pools *p, uint64_t seed)
{
    p->_shared.random = seed | 1;
}

void
pools_free(struct pools *p)
{
    struct map_node *node;

    if (p == NULL)
        return;
    reaper_fini(p);
    while ((node = map_take_any(&p->_shared.by_name)) != NULL)
        pool_free(CONTAINER_OF(node, struct pool, in_pools));
    map_fini(&p->_shared.by_name);
    controls_fini(p);
    pools_unattend(p);
    schemas_free(p);
    settings_drop(p->_shared.settings);
    budget_free(p->budget);
    pthread_mutex_destroy(&p->_shared.lock);
    free(p);
}

struct budget *
pools_budget(struct pools *p)
{
    return p->budget;
}

struct pool_name {
    const char *database;
    const char *user;
};

static bool
pool_has_name(const struct map_node *node, const void *key)
{
    const struct pool *pool = CONTAINER_OF_CONST(node, struct pool, in_pools);
    const struct pool_name *name = key;

    return !pool->is_private && strcmp(pool->database, name->database) == 0 &&
           strcmp(pool->user, name->user) == 0;
}

/* Where (DATABASE, USER) leads in S; NULL when S has no such pool. */
static struct route *
route_in(const struct settings *s, const char *database, const char *user)
{
    struct route *r = settings_route(s, database, user);

    if (r != NULL && strcmp(r->user, user) !=
                         0) { /* its user is forced now, and another one: nobody comes here any more */
        route_drop(r);
        r = NULL;
    }
    return r;
}

/* A login may bring a route of the configuration before the last reload: that must not make a pool which no
 * reload corrects. */
static struct pool *
pool_new_locked(struct pools *p, struct route *route, struct slice startup)
{
    const struct settings *s = p->_shared.settings;
    struct route *fresh = NULL;
    struct pool *pool;

    if (s != NULL && s != route->settings)
        fresh = route_in(s, route->database, route->user);
    pool = pool_new(p, route->database, route->user, fresh != NULL ? fresh : route, startup);
    atomic_init(&pool->is_paused, pools_pauses_locked(p, route->database));
    if (s != NULL && s != route->settings && fresh == NULL) {
        pool->_shared.is_gone = true;
        account_set_limits(pool, pool_account(pool), route, 0);
    }
    route_drop(fresh);
    return pool;
}

struct pool *
pools_get(struct pools *p, struct route *route)
{
    struct pool_name name = { route->database, route->user };
    uint64_t hash = map_hash_after(map_hash(slice_of_text(route->database)), slice_of_text(route->user));
    struct pool *pool;
    struct map_node *node;

    pthread_mutex_lock(&p->_shared.lock);
    node = map_find(&p->_shared.by_name, hash, pool_has_name, &name);
    if (node != NULL) {
        pool = CONTAINER_OF(node, struct pool, in_pools);
    } else {
        pool = pool_new_locked(p, route, slice_of(NULL, 0));
        map_add(&p->_shared.by_name, &pool->in_pools, hash);
    }
    atomic_fetch_add(&pool->client_count, 1);
    if (link_is_in(&pool->in_unused))
        link_remove(&pool->in_unused);
    pthread_mutex_unlock(&p->_shared.lock);
    return pool;
}

struct pool *
pools_get_private(struct pools *p, struct route *route, struct slice startup)
{
    uint64_t hash = map_hash_after(map_hash(slice_of_text(route->database)), slice_of_text(route->user));
    struct pool *pool;

    pthread_mutex_lock(&p->_shared.lock);
    pool = pool_new_locked(p, route, startup);
    map_add(&p->_shared.by_name, &pool->in_pools, hash);
    atomic_fetch_add(&pool->client_count, 1);
    pthread_mutex_unlock(&p->_shared.lock);
    return pool;
}

struct slice
pool_startup(const struct pool *pool)
{
    return buf_slice(&pool->startup);
}

const void *
pool_approval_key(struct pool *pool)
{
    return (const void *)(uintptr_t)atomic_load(&pool->approval_key);
}

/* ROUTE is adopted; NULL: the configuration has the pool no longer. */
static void
pool_reroute(struct pool *pool, struct route *route)
{
    struct pool_account *before = atomic_load_explicit(&pool->account, memory_order_relaxed);
    struct route *old = pool->_shared.route; /* only reloads write it, one at a time */
    struct welcome *welcome = NULL;

    if (route == NULL) {
        account_set_limits(pool, &before->budget, old, 0);
        pthread_mutex_lock(&pool->_shared.lock);
        pool->_shared.is_gone = true;
        pthread_mutex_unlock(&pool->_shared.lock);
    } else {
        bool is_elsewhere = strcmp(old->host_key, route->host_key) != 0;

        account_set_limits(pool, &before->budget, is_elsewhere ? old : route,
                           is_elsewhere ? 0 : route_guarantee(route));
        pthread_mutex_lock(&pool->_shared.lock);
        if (is_elsewhere)
            pool_open_account(pool, route);
        if (is_elsewhere || route_needs_new_servers(old, route)) {
            pool_age_locked(pool);
            welcome = pool->_shared.welcome; /* it said what the old servers are like */
            pool->_shared.welcome = NULL;
            atomic_store_explicit(&pool->is_welcome_known, false, memory_order_relaxed);
        }
        pool->_shared.is_gone = false;
        pool->_shared.route = route;
        pthread_mutex_unlock(&pool->_shared.lock);
        route_drop(old);
        welcome_drop(welcome);
    }
    trouble_is_over(pool); /* what failed may have been corrected */
    pool_ring_all(pool, NULL, CALL_ROUTE);
}

void
pools_reload(struct pools *p, const struct settings *settings)
{
    const struct settings *before;

    pthread_mutex_lock(&p->_shared.lock);
    before = p->_shared.settings;
    p->_shared.settings = settings_hold(settings);
    for (struct map_node *node = map_next(&p->_shared.by_name, NULL); node != NULL;
         node = map_next(&p->_shared.by_name, node)) {
        struct pool *pool = CONTAINER_OF(node, struct pool, in_pools);

        pool_reroute(pool, route_in(settings, pool->database, pool->user));
    }
    pools_ring(p); /* some may be waited for by nobody but the reaper now */
    pthread_mutex_unlock(&p->_shared.lock);
    settings_drop(before);
}

void
pools_each(struct pools *p, void (*each)(void *arg, struct pool *pool), void *arg)
{
    pthread_mutex_lock(&p->_shared.lock);
    for (struct map_node *node = map_next(&p->_shared.by_name, NULL); node != NULL;
         node = map_next(&p->_shared.by_name, node))
        each(arg, CONTAINER_OF(node, struct pool, in_pools));
    pthread_mutex_unlock(&p->_shared.lock);
}

struct pool_list {
    struct pool **pools;
    size_t count;
};

static void
list_pool(void *arg, struct pool *pool)
{
    struct pool_list *list = arg;

    list->pools = mem_grow(list->pools, list->count + 1, sizeof(struct pool *));
    list->pools[list->count++] = pool;
}

void
pools_close_down(struct pools *p, unsigned worker)
{
    struct pool_list list = { NULL, 0 };

    /* Closing calls back and takes other locks, so it happens outside ours; a pool lives as long as P. */
    pools_each(p, list_pool, &list);
    for (size_t i = 0; i < list.count; i++) {
        struct shard *s = pool_shard_if_any(list.pools[i], worker);

        if (s != NULL)
            shard_close_down(s);
    }
    free(list.pools);
}
