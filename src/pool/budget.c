/*
 * budget.c - hosts and quotas, made and limited; the story of the whole budget: who has how many connections,
 * who waits for one, who should give one back. The books are in budget_books.c, the decisions in
 * budget_settle.c, what pools do in budget_account.c.
 *
 *     A connection of an account draws from several pots at once: its host's, and those of the role and the
 *     database it belongs to, on that host and over all hosts.
 *     A want waits in the line of the first thing that is full, looked at in this order: its account, its
 *     quotas, the host.
 *
 *         want -> account.line    \
 *         want -> quota.pot.line   }  one is given back there: the oldest moves on ->  host.pot.line -> on_slot()
 *
 *     An account may have a reserve: wants that have waited long enough (is_urgent) see its limit that much
 *     higher.
 *
 *     So everybody in the host's line waits for the host alone, and the age of the first of them says how
 *     hard the host is pressed.
 *
 *     Room in a host for an account: a free slot that is not kept for somebody's guarantee. Guarantees that
 *     would eat the whole limit cannot all be kept; then an account that has nothing may take any free slot,
 *     so that nobody starves. For the same reason a guarantee protects idle connections only in a host that
 *     can keep all of its guarantees, and never against a quota.
 *
 *     What should close is counted as `leaving` from the moment it is told until its slot comes back; never
 *     more than wants wait.
 *
 *     Quotas over all hosts tie the hosts together, so there is one lock for all of them.
 *
 *     Invariants, whenever the lock is free: taken never grows beyond limit; unmet is the sum of what
 *     accounts lack to their guarantee; no want is left waiting that could be served, except by the thread
 *     that is just about to serve it.
 */
#include "pgweir/pool/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "budget_impl.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/mem.h"

/* After a 53300: this share of what was open stays in force, … */
#define CONGESTED_SHARE_OF_8 7u
/* … and further 53300s within this time belong to the same event and do not step down again. */
#define CONGESTED_CALM_US US_PER_S

/* --- the budget and its hosts --- */

struct budget *
budget_new(const struct budget_handler *handler)
{
    struct budget *b = mem_new(sizeof(*b));

    b->handler = *handler;
    atomic_init(&b->pressed_us, PRESSED_NOT);
    pthread_mutex_init(&b->_shared.lock, NULL);
    map_init(&b->_shared.hosts);
    map_init(&b->_shared.quotas);
    list_init(&b->_shared.noticed);
    list_init(&b->_shared.holders);
    list_init(&b->_shared.oversized);
    list_init(&b->_shared.busy);
    b->_shared.round = 1;
    return b;
}

static void
quota_free(struct budget_quota *q)
{
    free(q->name);
    free(q);
}

static void
quotas_free(struct map *quotas)
{
    struct map_node *node;

    while ((node = map_take_any(quotas)) != NULL)
        quota_free(CONTAINER_OF(node, struct budget_quota, in_quotas));
    map_fini(quotas);
}

static void
host_free(struct budget_host *h)
{
    quotas_free(&h->_shared.quotas);
    free(h->key);
    free(h);
}

void
budget_free(struct budget *b)
{
    struct map_node *node;

    if (b == NULL)
        return;
    while ((node = map_take_any(&b->_shared.hosts)) != NULL)
        host_free(CONTAINER_OF(node, struct budget_host, in_hosts));
    map_fini(&b->_shared.hosts);
    quotas_free(&b->_shared.quotas);
    pthread_mutex_destroy(&b->_shared.lock);
    free(b);
}

static bool
host_has_key(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct budget_host, in_hosts)->key, key) == 0;
}

static struct budget_host *
host_new(struct budget *b, const char *key)
{
    struct budget_host *h = mem_new(sizeof(*h));

    h->budget = b;
    h->key = mem_text(key);
    atomic_init(&h->pressed_us, PRESSED_NOT);
    link_init(&h->_shared.in_busy);
    pot_init(&h->_shared.pot);
    map_init(&h->_shared.quotas);
    snprintf(h->_shared.why, sizeof(h->_shared.why), "not known yet");
    return h;
}

struct budget_host *
budget_host(struct budget *b, const char *host_key)
{
    uint64_t hash = map_hash(slice_of_text(host_key));
    struct budget_host *h;
    struct map_node *node;

    pthread_mutex_lock(&b->_shared.lock);
    node = map_find(&b->_shared.hosts, hash, host_has_key, host_key);
    if (node != NULL) {
        h = CONTAINER_OF(node, struct budget_host, in_hosts);
    } else {
        h = host_new(b, host_key);
        map_add(&b->_shared.hosts, &h->in_hosts, hash);
    }
    pthread_mutex_unlock(&b->_shared.lock);
    return h;
}

const char *
budget_host_key(const struct budget_host *host)
{
    return host->key;
}

/* For SHOW BUDGET. */
static void
note_change_locked(struct budget_host *host, unsigned before, unsigned after, const char *cause)
{
    time_t now = time(NULL);
    char when[64] = "";
    struct tm parts;

    if (before == after || before == 0)
        return;
    if (localtime_r(&now, &parts) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S %Z", &parts);
    snprintf(host->_shared.last_change, sizeof host->_shared.last_change, "%s: %u -> %u (%s)", when, before,
             after, cause);
}

void
budget_set_limit(struct budget_host *host, unsigned limit, const char *why)
{
    struct pot *pot = &host->_shared.pot;
    bool is_congested;

    host_lock(host);
    note_change_locked(host, host->_shared.limit, limit, "the limit was set anew");
    is_congested = host->_shared.limit != 0 && pot->limit < host->_shared.limit;
    host->_shared.limit = limit;
    if (!is_congested || pot->limit > limit)
        pot->limit = limit;
    if (limit != 0)
        host->_shared.is_asked = false;
    host->budget->_shared.round++;
    snprintf(host->_shared.why, sizeof(host->_shared.why), "%s", why == NULL ? "" : why);
    host_settle_and_unlock(host);
}

void
budget_congested(struct budget_host *host, uint64_t now_us)
{
    struct pot *pot = &host->_shared.pot;
    unsigned open, before;

    host_lock(host);
    if (host->_shared.limit != 0) {
        host_recover_locked(host, now_us);
        before = pot->limit;
        open = pot->taken > 1 ? pot->taken - 1 : 1; /* the one that was refused is still counted */
        if (pot->limit > open)
            pot->limit = open;
        if (now_us >= host->_shared.calm_us && pot->limit > 1)
            pot->limit = pot->limit * CONGESTED_SHARE_OF_8 / 8;
        note_change_locked(host, before, pot->limit, "the server refused a connection: 53300");
        host->_shared.calm_us = now_us + CONGESTED_CALM_US;
        host->_shared.recovers_us = now_us + RECOVERY_STEP_US;
        host->budget->_shared.round++;
    }
    host_settle_and_unlock(host);
}

/* --- quotas --- */

struct quota_key {
    enum budget_quota_kind kind;
    const char *name;
};

static bool
quota_has_key(const struct map_node *node, const void *key)
{
    const struct budget_quota *q = CONTAINER_OF_CONST(node, struct budget_quota, in_quotas);
    const struct quota_key *wanted = key;

    return q->kind == wanted->kind && strcmp(q->name, wanted->name) == 0;
}

static bool
is_of_one_host(enum budget_quota_kind kind)
{
    return kind == QUOTA_ROLE || kind == QUOTA_DATABASE;
}

static struct map *
quotas_of_locked(struct budget_host *host, enum budget_quota_kind kind)
{
    return is_of_one_host(kind) ? &host->_shared.quotas : &host->budget->_shared.quotas;
}

/* Found or made. */
struct budget_quota *
quota_of_locked(struct budget_host *host, enum budget_quota_kind kind, const char *name)
{
    struct quota_key key = { kind, name };
    struct map *quotas = quotas_of_locked(host, kind);
    uint64_t hash = map_hash_after((uint64_t)kind, slice_of_text(name));
    struct map_node *node = map_find(quotas, hash, quota_has_key, &key);
    struct budget_quota *q;

    if (node != NULL)
        return CONTAINER_OF(node, struct budget_quota, in_quotas);
    q = mem_new(sizeof(*q));
    q->host = is_of_one_host(kind) ? host : NULL;
    q->kind = kind;
    q->name = mem_text(name);
    link_init(&q->in_noticed);
    pot_init(&q->pot);
    map_add(quotas, &q->in_quotas, hash);
    return q;
}

void
budget_set_quota(struct budget_host *host, enum budget_quota_kind kind, const char *name, unsigned limit)
{
    struct budget_quota *q;

    host_lock(host);
    q = quota_of_locked(host, kind, name);
    q->pot.limit = limit;
    quota_notice_locked(host->budget, q);
    host->budget->_shared.round++;
    host_settle_and_unlock(host);
}

/* Forgets Q when nobody draws from it and nobody has said anything about it that must be remembered. */
void
quota_forget_locked(struct budget_host *host, struct budget_quota *q)
{
    if (q->account_count > 0 || (is_of_one_host(q->kind) && q->pot.limit != 0))
        return;
    if (link_is_in(&q->in_noticed))
        link_remove(&q->in_noticed);
    map_remove(quotas_of_locked(host, q->kind), &q->in_quotas);
    quota_free(q);
}
