/*
 * budget.c - the books of connections: who has how many, who waits for one, who should give one back.
 *
 *     A connection of an account draws from several pots at once: its host's, and those of the role and the database it belongs to,
 *     on that host and over all hosts.
 *     A want waits in the line of the first thing that is full, looked at in this order: its account, its quotas, the host.
 *
 *         want -> account.line    \
 *         want -> quota.pot.line   }  when one is given back there, the oldest moves on ->  host.pot.line -> on_slot()
 *
 *     An account may have a reserve: wants that have waited long enough (is_urgent) see its limit that much higher.
 *
 *     So everybody in the host's line waits for the host alone, and the age of the first of them says how hard the host is pressed.
 *
 *     Room in a host for an account: a free slot that is not kept for somebody's guarantee. Guarantees that would eat the whole
 *     limit cannot all be kept; then an account that has nothing may take any free slot, so that nobody starves. For the same reason a
 *     guarantee protects idle connections only in a host that can keep all of its guarantees, and never against a quota.
 *
 *     What should close is counted as `leaving` from the moment it is told until its slot comes back; never more than wants wait.
 *
 *     Quotas over all hosts tie the hosts together, so there is one lock for all of them.
 *
 *     Invariants, whenever the lock is free: taken never grows beyond limit; unmet is the sum of what accounts lack to their
 *     guarantee; no want is left waiting that could be served, except by the thread that is just about to serve it.
 */
#include "pgweir/pool/budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/base/clock.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"

/* An account gives way to a want of another one that has waited longer than its own oldest by this and by a part of the latter's wait.
 * Less, and busy pools would close and reopen connections in turns; a login costs some milliseconds on both sides. */
#define YIELD_MARGIN_US (100 * US_PER_MS)
#define YIELD_MARGIN_PART 4

/* After a 53300: this share of what was open stays in force, … */
#define CONGESTED_SHARE_OF_8 7u
/* … further 53300s within this time belong to the same event and do not step down again, … */
#define CONGESTED_CALM_US US_PER_S
/* … and then one part in so many comes back at each step. */
#define RECOVERY_PART 32u
#define RECOVERY_STEP_US (5 * US_PER_S)

#define PRESSED_NOT 0
#define PRESSED_OVER_LIMIT 1

struct pot {
    unsigned limit; /* in force; 0: none (of a quota), not known (of a host) */
    unsigned taken;
    unsigned leaving; /* of those: told to close */
    struct budget_line line;
};

struct budget_quota {
    struct map_node in_quotas;
    struct link in_noticed; /* of the budget, at least while its line is not empty or it is over its limit */
    struct budget_host *host; /* NULL: it is over all hosts */
    unsigned account_count;   /* who draw from it */
    enum budget_quota_kind kind;
    char *name;
    struct pot pot;
};

struct budget_host {
    struct map_node in_hosts;
    struct budget *budget;
    char *key;
    _Atomic uint64_t pressed_us; /* what budget_pressed_since() answers; written under the lock */
    struct {                     /* under the budget's lock */
        struct link in_busy;     /* of the budget, at least while any account of ours wants */
        struct pot pot;          /* its limit is the one in force */
        unsigned limit;          /* as set; 0: not known */
        bool is_asked;           /* on_unknown() was called since it was last known */
        uint64_t calm_us;        /* until then another 53300 is the same event */
        uint64_t recovers_us;    /* when the limit in force takes its next step up */
        unsigned guaranteed;     /* the sum over all accounts */
        unsigned unmet;          /* the sum of what accounts lack to their guarantee */
        unsigned want_count;     /* in all lines */
        struct map quotas;
        char why[160];
        char last_change[120];
    } _shared;
};

struct budget {
    struct budget_handler handler;
    _Atomic uint64_t pressed_us; /* by quotas over all hosts */
    struct {
        pthread_mutex_t lock;
        struct map hosts;
        struct map quotas;     /* over all hosts */
        struct list noticed;   /* quotas, of hosts and over all */
        struct list holders;   /* accounts that have any */
        struct list oversized; /* accounts that have more than their size */
        struct list busy;      /* hosts */
        unsigned round;        /* who could not be squeezed is asked again in the next one */
    } _shared;
};

/* --- lines --- */

static void
line_init(struct budget_line *line)
{
    list_init(&line->wants);
    line->count = 0;
}

static struct budget_want *
want_of(struct link *l)
{
    return CONTAINER_OF(l, struct budget_want, in_wants);
}

static struct budget_want *
line_first(const struct budget_line *line)
{
    return list_is_empty(&line->wants) ? NULL : want_of(list_first(&line->wants));
}

/* New wants are mostly the youngest, so the search begins at the end. */
static void
line_add(struct budget_line *line, struct budget_want *want)
{
    struct link *where;

    assert(line != NULL);
    where = line->wants.head.prev;
    while (where != &line->wants.head && want_of(where)->since_us > want->since_us)
        where = where->prev;
    link_insert_after(where, &want->in_wants);
    want->line = line;
    line->count++;
}

static void
line_remove(struct budget_want *want)
{
    assert(want->line != NULL);
    link_remove(&want->in_wants);
    want->line->count--;
    want->line = NULL;
}

/* --- pots and rooms --- */

static void
pot_init(struct pot *pot)
{
    pot->limit = pot->taken = pot->leaving = 0;
    line_init(&pot->line);
}

/* How many too many there are, when those that leave have left. */
static unsigned
pot_excess(const struct pot *pot)
{
    unsigned staying = pot->taken - pot->leaving;

    return pot->limit != 0 && staying > pot->limit ? staying - pot->limit : 0;
}

/* Whether somebody should leave who has not been told yet. */
static bool
pot_needs_leavers(const struct pot *pot)
{
    unsigned over = pot->limit != 0 && pot->taken > pot->limit ? pot->taken - pot->limit : 0;

    return pot->leaving < pot->line.count + over;
}

static bool
quota_has_room(const struct budget_quota *q)
{
    return q->pot.limit == 0 || q->pot.taken < q->pot.limit;
}

/* The quotas of A, one after the other from 0; NULL behind the last. */
static struct budget_quota *
quota_at(const struct budget_account *a, size_t i)
{
    return i < COUNT_OF(a->quotas) ? a->quotas[i] : NULL;
}

static bool
host_has_room_locked(const struct budget_host *h, const struct budget_account *a)
{
    const struct pot *pot = &h->_shared.pot;

    if (pot->taken >= pot->limit)
        return false;
    if (a->taken < a->guaranteed)
        return true;
    if (a->taken == 0 && h->_shared.guaranteed >= pot->limit)
        return true;
    return pot->limit - pot->taken > h->_shared.unmet;
}

/* Where A, in a hurry or not, has to wait; NULL: nowhere, it may be served. */
static struct budget_line *
line_for_locked(struct budget_account *a, bool is_urgent)
{
    struct budget_quota *q;

    if (a->limit != 0 && a->taken >= a->limit + (is_urgent ? a->reserve : 0))
        return &a->line;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        if (!quota_has_room(q))
            return &q->pot.line;
    }
    return host_has_room_locked(a->host, a) ? NULL : &a->host->_shared.pot.line;
}

static struct budget_line *
line_for_want_locked(const struct budget_want *want)
{
    return line_for_locked(want->account, want->is_urgent);
}

/* --- bookkeeping --- */

static unsigned
account_lacks(const struct budget_account *a)
{
    return a->guaranteed > a->taken ? a->guaranteed - a->taken : 0;
}

static bool
quota_is_worth_it(const struct budget_quota *q)
{
    return q->pot.line.count > 0 || pot_excess(&q->pot) > 0;
}

/* Who is not worth it any more is overlooked when all is settled: the list is being walked. */
static void
quota_notice_locked(struct budget *b, struct budget_quota *q)
{
    if (quota_is_worth_it(q) && !link_is_in(&q->in_noticed))
        list_push_last(&b->_shared.noticed, &q->in_noticed);
}

/* How many too many A has, when those that leave have left. */
static unsigned
account_excess(const struct budget_account *a)
{
    unsigned staying = a->taken - a->leaving;

    return a->limit != 0 && staying > a->limit + a->reserve ? staying - a->limit - a->reserve : 0;
}

static void
account_notice_size_locked(struct budget_account *a)
{
    bool is_over = account_excess(a) > 0;

    if (is_over && !link_is_in(&a->in_oversize))
        list_push_last(&a->host->budget->_shared.oversized, &a->in_oversize);
    else if (!is_over && link_is_in(&a->in_oversize))
        link_remove(&a->in_oversize);
}

static void
account_took_locked(struct budget_account *a)
{
    struct budget_host *h = a->host;
    struct budget_quota *q;

    h->_shared.unmet -= account_lacks(a);
    if (a->taken++ == 0)
        list_push_last(&h->budget->_shared.holders, &a->in_holders);
    h->_shared.unmet += account_lacks(a);
    h->_shared.pot.taken++;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        q->pot.taken++;
}

static void
account_gave_locked(struct budget_account *a)
{
    struct budget_host *h = a->host;
    struct budget_quota *q;

    assert(a->taken > 0);
    h->_shared.unmet -= account_lacks(a);
    if (--a->taken == 0)
        link_remove(&a->in_holders);
    h->_shared.unmet += account_lacks(a);
    h->_shared.pot.taken--;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        q->pot.taken--;
    account_notice_size_locked(a);
}

static void
account_will_leave_locked(struct budget_account *a)
{
    struct budget_quota *q;

    a->leaving++;
    a->host->_shared.pot.leaving++;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        q->pot.leaving++;
    account_notice_size_locked(a);
}

/* One that was told to leave has left, or will not. */
static void
account_has_left_locked(struct budget_account *a)
{
    struct budget_quota *q;

    if (a->leaving == 0)
        return;
    a->leaving--;
    a->host->_shared.pot.leaving--;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        q->pot.leaving--;
    account_notice_size_locked(a);
}

static void
account_notice_quotas_locked(struct budget_account *a)
{
    struct budget_quota *q;

    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        quota_notice_locked(a->host->budget, q);
}

static void
want_queue_locked(struct budget_want *want, struct budget_line *line)
{
    struct budget_host *h = want->account->host;

    line_add(line, want);
    want->account->want_count++;
    h->_shared.want_count++;
    if (!link_is_in(&h->_shared.in_busy))
        list_push_last(&h->budget->_shared.busy, &h->_shared.in_busy);
    account_notice_quotas_locked(want->account);
}

static void
want_unqueue_locked(struct budget_want *want)
{
    line_remove(want);
    want->account->want_count--;
    want->account->host->_shared.want_count--;
    account_notice_quotas_locked(want->account);
}

static void
want_move_locked(struct budget_line *to, struct budget_want *want)
{
    line_remove(want);
    line_add(to, want);
    account_notice_quotas_locked(want->account);
}

/* LINE, an account's or a quota's, has room for so many: its oldest move on to where they have to wait now. */
static void
line_advance_locked(struct budget_line *line, unsigned room)
{
    while (room > 0 && line->count > 0) {
        struct budget_want *want = line_first(line);
        struct budget_line *of_host = &want->account->host->_shared.pot.line;
        struct budget_line *next = line_for_want_locked(want);

        if (next == line)
            return;
        if (next == NULL)
            next = of_host;
        if (next == of_host)
            room--;
        want_move_locked(next, want);
    }
}

/* As many of A's wants wait further on as it has room for. */
static void
account_advance_locked(struct budget_account *a)
{
    unsigned further = a->want_count - a->line.count;
    const struct budget_want *oldest = line_first(&a->line);
    unsigned limit;

    if (oldest == NULL)
        return;
    limit = a->limit + (oldest->is_urgent ? a->reserve : 0);
    if (a->limit == 0)
        line_advance_locked(&a->line, UINT32_MAX);
    else if (a->taken + further < limit)
        line_advance_locked(&a->line, limit - a->taken - further);
}

static bool account_draws_from(const struct budget_account *a, const struct pot *pot);

/* The same for a quota; its wants that wait further on are in the lines of hosts. One that can be served need not wait behind those that
 * cannot, for whose pools their host has no room. */
static void
quota_advance_locked(struct budget *b, struct budget_quota *q)
{
    unsigned further = 0;

    if (q->pot.line.count == 0 || !quota_has_room(q))
        return;
    LIST_EACH(&q->pot.line.wants, l) {
        if (line_for_want_locked(want_of(l)) == NULL)
            want_move_locked(&want_of(l)->account->host->_shared.pot.line, want_of(l));
    }
    if (q->pot.limit == 0) {
        line_advance_locked(&q->pot.line, UINT32_MAX);
        return;
    }
    LIST_EACH(&b->_shared.busy, in) {
        struct budget_host *h = CONTAINER_OF(in, struct budget_host, _shared.in_busy);

        LIST_EACH(&h->_shared.pot.line.wants, l)
            further += account_draws_from(want_of(l)->account, &q->pot);
    }
    if (q->pot.taken + further < q->pot.limit)
        line_advance_locked(&q->pot.line, q->pot.limit - q->pot.taken - further);
}

static void
quotas_advance_locked(struct budget *b)
{
    LIST_EACH(&b->_shared.noticed, l)
        quota_advance_locked(b, CONTAINER_OF(l, struct budget_quota, in_noticed));
}

/* The limit in force comes back to the limit, step by step. */
static void
host_recover_locked(struct budget_host *h, uint64_t now_us)
{
    unsigned step = h->_shared.limit / RECOVERY_PART;

    if (step == 0)
        step = 1;
    while (h->_shared.pot.limit < h->_shared.limit && now_us >= h->_shared.recovers_us) {
        unsigned missing = h->_shared.limit - h->_shared.pot.limit;

        h->_shared.pot.limit += step < missing ? step : missing;
        h->_shared.recovers_us += RECOVERY_STEP_US;
    }
}

/* --- who is served, who is squeezed --- */

/* The oldest want in the host's line that may have a slot now. Who turns out to wait for something else is moved there, and says so. */
static struct budget_want *
servable_in_line_locked(struct budget_host *h, bool *has_moved)
{
    struct pot *pot = &h->_shared.pot;

    LIST_EACH(&pot->line.wants, l) {
        struct budget_want *want = want_of(l);
        struct budget_line *line = line_for_want_locked(want);

        if (line == NULL)
            return want;
        if (line != &pot->line) {
            want_move_locked(line, want);
            *has_moved = true;
        }
    }
    return NULL;
}

/* The oldest want that may have a slot now. */
static struct budget_want *
servable_want_locked(struct budget_host *h)
{
    struct budget_want *want;
    bool has_moved = false;

    if (h->_shared.pot.taken >= h->_shared.pot.limit)
        return NULL;
    want = servable_in_line_locked(h, &has_moved);
    if (want != NULL || !has_moved)
        return want;
    quotas_advance_locked(h->budget); /* who has moved back left room in a quota for who is behind */
    return servable_in_line_locked(h, &has_moved);
}

/* The same over all hosts; H first. */
static struct budget_want *
servable_anywhere_locked(struct budget_host *h)
{
    struct budget_want *want = servable_want_locked(h);

    LIST_EACH(&h->budget->_shared.busy, l) {
        if (want == NULL)
            want = servable_want_locked(CONTAINER_OF(l, struct budget_host, _shared.in_busy));
    }
    return want;
}

static bool
account_draws_from(const struct budget_account *a, const struct pot *pot)
{
    struct budget_quota *q;

    if (pot == &a->host->_shared.pot)
        return true;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        if (pot == &q->pot)
            return true;
    }
    return false;
}

static bool
account_may_have_idle(const struct budget_account *a)
{
    return a->idle_hint == NULL || atomic_load_explicit(a->idle_hint, memory_order_relaxed) != 0;
}

static uint64_t
account_worked_us(struct budget_account *a)
{
    return atomic_load_explicit(&a->worked_us, memory_order_relaxed);
}

/* Whether A, at or below its guarantee, keeps its idle connections from who presses POT. */
static bool
account_is_protected(const struct budget_account *a, const struct pot *pot)
{
    const struct budget_host *h = a->host;

    return pot == &h->_shared.pot && pot_excess(pot) == 0 && h->_shared.guaranteed <= pot->limit;
}

/* Who should close an idle connection for the sake of POT: above its guarantee and longest without work. One at or below its guarantee only
 * where there is no other and it is not protected. */
static struct budget_account *
victim_of_locked(struct budget *b, const struct pot *pot)
{
    struct budget_account *best = NULL;
    bool is_best_above = false;

    LIST_EACH(&b->_shared.holders, l) {
        struct budget_account *a = CONTAINER_OF(l, struct budget_account, in_holders);
        bool is_above = a->taken - a->leaving > a->guaranteed;

        if (a->leaving >= a->taken || (!is_above && account_is_protected(a, pot)))
            continue;
        if (a->want_count > 0 || a->failed_round == b->_shared.round)
            continue; /* who waits has nothing idle, or will need it at once */
        if (!account_draws_from(a, pot) || !account_may_have_idle(a))
            continue;
        if (best == NULL || (is_above && !is_best_above) ||
            (is_above == is_best_above && account_worked_us(a) < account_worked_us(best))) {
            best = a;
            is_best_above = is_above;
        }
    }
    return best;
}

/* An account that has more than its size may have. */
static struct budget_account *
oversized_locked(struct budget *b)
{
    LIST_EACH(&b->_shared.oversized, l) {
        struct budget_account *a = CONTAINER_OF(l, struct budget_account, in_oversize);

        if (a->failed_round != b->_shared.round && account_may_have_idle(a))
            return a;
    }
    return NULL;
}

static struct budget_account *
victim_in_host_locked(struct budget_host *h)
{
    if (h->_shared.limit == 0 || !pot_needs_leavers(&h->_shared.pot))
        return NULL;
    return victim_of_locked(h->budget, &h->_shared.pot);
}

static struct budget_account *
victim_locked(struct budget_host *h)
{
    struct budget *b = h->budget;
    struct budget_account *victim = oversized_locked(b);

    if (victim == NULL)
        victim = victim_in_host_locked(h);
    LIST_EACH(&b->_shared.busy, l) {
        if (victim == NULL)
            victim = victim_in_host_locked(CONTAINER_OF(l, struct budget_host, _shared.in_busy));
    }
    LIST_EACH(&b->_shared.noticed, l) {
        struct budget_quota *q = CONTAINER_OF(l, struct budget_quota, in_noticed);

        if (victim == NULL && pot_needs_leavers(&q->pot))
            victim = victim_of_locked(b, &q->pot);
    }
    return victim;
}

/* How much POT presses on returning connections: an age stamp or one of the PRESSED words. */
static uint64_t
pot_pressure(const struct pot *pot)
{
    if (pot_excess(pot) > 0)
        return PRESSED_OVER_LIMIT;
    return pot->line.count > 0 ? line_first(&pot->line)->since_us : PRESSED_NOT;
}

static uint64_t
more_pressing(uint64_t a, uint64_t b)
{
    if (a == PRESSED_NOT || b == PRESSED_NOT)
        return a > b ? a : b;
    return a < b ? a : b;
}

/* Of the quotas of H, or, if it is NULL, of those over all hosts. */
static uint64_t
quotas_pressure(const struct budget *b, const struct budget_host *h)
{
    uint64_t pressed_us = PRESSED_NOT;

    LIST_EACH(&b->_shared.noticed, l) {
        const struct budget_quota *q = CONTAINER_OF(l, struct budget_quota, in_noticed);

        if (q->host == h)
            pressed_us = more_pressing(pressed_us, pot_pressure(&q->pot));
    }
    return pressed_us;
}

/* Written only when it is another one: all workers read it. */
static void
tell_pressure(_Atomic uint64_t *told_us, uint64_t pressed_us)
{
    if (pressed_us != atomic_load_explicit(told_us, memory_order_relaxed))
        atomic_store_explicit(told_us, pressed_us, memory_order_relaxed);
}

static void
host_note_pressure_locked(struct budget_host *h)
{
    struct budget_line *line = &h->_shared.pot.line;
    uint64_t pressed_us;

    while (line->count > 0) { /* the first must be one that waits for the host */
        struct budget_want *want = line_first(line);
        struct budget_line *where = line_for_want_locked(want);

        if (where == NULL || where == line)
            break;
        want_move_locked(where, want);
    }
    /* While the limit is not known, closing connections would help nobody. */
    pressed_us = h->_shared.limit == 0 ? PRESSED_NOT : pot_pressure(&h->_shared.pot);
    pressed_us = more_pressing(pressed_us, quotas_pressure(h->budget, h));
    LIST_EACH(&h->budget->_shared.oversized, l) {
        if (CONTAINER_OF(l, struct budget_account, in_oversize)->host == h)
            pressed_us = PRESSED_OVER_LIMIT;
    }
    tell_pressure(&h->pressed_us, pressed_us);
}

/* For H, and for all hosts that anybody wants something of. */
static void
note_pressure_locked(struct budget_host *h)
{
    struct budget *b = h->budget;

    LIST_EACH(&b->_shared.noticed, l) {
        if (!quota_is_worth_it(CONTAINER_OF(l, struct budget_quota, in_noticed)))
            link_remove(l);
    }
    LIST_EACH(&b->_shared.busy, l) {
        struct budget_host *busy = CONTAINER_OF(l, struct budget_host, _shared.in_busy);

        host_note_pressure_locked(busy);
        if (busy->_shared.want_count == 0)
            link_remove(l);
    }
    host_note_pressure_locked(h);
    tell_pressure(&b->pressed_us, quotas_pressure(b, NULL));
}

static void
host_lock(struct budget_host *h)
{
    pthread_mutex_lock(&h->budget->_shared.lock);
}

static void
host_unlock(struct budget_host *h)
{
    pthread_mutex_unlock(&h->budget->_shared.lock);
}

/* After every change: serves who can be served, squeezes whom it must, one at a time and each told without the lock. */
static void
host_settle_and_unlock(struct budget_host *h)
{
    for (;;) {
        struct budget_account *victim = NULL;
        struct budget_want *want;

        quotas_advance_locked(h->budget);
        want = servable_anywhere_locked(h);
        if (want != NULL) {
            want_unqueue_locked(want);
            account_took_locked(want->account);
        } else {
            victim = victim_locked(h);
            if (victim != NULL)
                account_will_leave_locked(victim);
        }
        note_pressure_locked(h);
        host_unlock(h);
        if (want != NULL)
            h->budget->handler.on_slot(want);
        else if (victim != NULL)
            h->budget->handler.on_squeeze(victim);
        else
            return;
        host_lock(h);
    }
}

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
static struct budget_quota *
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
static void
quota_forget_locked(struct budget_host *host, struct budget_quota *q)
{
    if (q->account_count > 0 || (is_of_one_host(q->kind) && q->pot.limit != 0))
        return;
    if (link_is_in(&q->in_noticed))
        link_remove(&q->in_noticed);
    map_remove(quotas_of_locked(host, q->kind), &q->in_quotas);
    quota_free(q);
}

/* --- accounts --- */

void
budget_want_init(struct budget_want *want)
{
    *want = (struct budget_want){ .line = NULL };
    link_init(&want->in_wants);
}

void
budget_account_open(struct budget_account *a, struct budget_host *host, unsigned limit, unsigned guaranteed)
{
    link_init(&a->in_holders);
    link_init(&a->in_oversize);
    a->host = host;
    memset(a->quotas, 0, sizeof(a->quotas));
    a->limit = limit;
    a->reserve = 0;
    a->guaranteed = guaranteed;
    a->taken = a->leaving = a->want_count = a->failed_round = 0;
    line_init(&a->line);
    atomic_init(&a->worked_us, 0);
    a->idle_hint = NULL;
    host_lock(host);
    host->_shared.guaranteed += guaranteed;
    host->_shared.unmet += guaranteed;
    host_unlock(host);
}

void
budget_account_join(struct budget_account *a, enum budget_quota_kind kind, const char *name)
{
    size_t i = 0;

    host_lock(a->host);
    assert(a->taken == 0 && a->want_count == 0);
    while (i < COUNT_OF(a->quotas) && a->quotas[i] != NULL)
        i++;
    assert(i < COUNT_OF(a->quotas));
    a->quotas[i] = quota_of_locked(a->host, kind, name);
    a->quotas[i]->account_count++;
    host_unlock(a->host);
}

void
budget_account_close(struct budget_account *a)
{
    struct budget_quota *q;

    host_lock(a->host);
    assert(a->taken == 0 && a->want_count == 0);
    a->host->_shared.guaranteed -= a->guaranteed;
    a->host->_shared.unmet -= account_lacks(a);
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        q->account_count--;
        quota_forget_locked(a->host, q);
    }
    host_settle_and_unlock(a->host);
}

void
budget_account_resize(struct budget_account *a, unsigned limit, unsigned reserve, unsigned guaranteed)
{
    struct budget_host *h = a->host;

    host_lock(h);
    h->_shared.guaranteed += guaranteed - a->guaranteed;
    h->_shared.unmet -= account_lacks(a);
    a->guaranteed = guaranteed;
    h->_shared.unmet += account_lacks(a);
    a->limit = limit;
    a->reserve = reserve;
    h->budget->_shared.round++;
    account_notice_size_locked(a);
    account_advance_locked(a);
    host_settle_and_unlock(h);
}

enum budget_answer
budget_take(struct budget_account *a, struct budget_want *want, uint64_t since_us, uint64_t now_us)
{
    struct budget_host *h = a->host;
    enum budget_answer answer = BUDGET_WAIT;
    const struct budget_want *oldest;
    struct budget_line *line;
    bool is_unknown;

    host_lock(h);
    host_recover_locked(h, now_us);
    is_unknown = h->_shared.limit == 0 && !h->_shared.is_asked;
    if (is_unknown)
        h->_shared.is_asked = true;
    oldest = servable_want_locked(h);
    line = line_for_locked(a, false);
    if (line == NULL && (oldest == NULL || oldest->since_us > since_us)) {
        account_took_locked(a);
        answer = BUDGET_TAKEN;
    } else if (want != NULL) {
        assert(want->line == NULL);
        want->account = a;
        want->since_us = since_us;
        want->is_urgent = false;
        want_queue_locked(want, line == NULL ? &h->_shared.pot.line : line);
        h->budget->_shared.round++;
    }
    host_settle_and_unlock(h);
    if (is_unknown && h->budget->handler.on_unknown != NULL)
        h->budget->handler.on_unknown(h->budget->handler.arg, h);
    return answer;
}

static bool
pot_is_over(const struct pot *pot)
{
    return pot->limit != 0 && pot->taken > pot->limit;
}

bool
budget_may_use(struct budget_account *a)
{
    struct budget_host *h = a->host;
    bool is_over;
    struct budget_quota *q;

    host_lock(h);
    is_over = pot_is_over(&h->_shared.pot);
    is_over |= a->limit != 0 && a->taken > a->limit + a->reserve;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        is_over |= pot_is_over(&q->pot);
    host_unlock(h);
    return !is_over;
}

void
budget_give(struct budget_account *a, uint64_t now_us)
{
    struct budget_host *h = a->host;

    host_lock(h);
    host_recover_locked(h, now_us);
    account_has_left_locked(a);
    account_gave_locked(a);
    account_advance_locked(a);
    account_notice_quotas_locked(a);
    host_settle_and_unlock(h);
}

bool
budget_forget(struct budget_want *want)
{
    struct budget_host *h;
    bool was_queued;

    if (want->account == NULL)
        return false;
    h = want->account->host;
    host_lock(h);
    was_queued = want->line != NULL;
    if (was_queued) {
        want_unqueue_locked(want);
        account_advance_locked(want->account);
    }
    host_settle_and_unlock(h);
    return was_queued;
}

void
budget_want_since(struct budget_want *want, uint64_t since_us)
{
    struct budget_host *h;

    if (want->account == NULL)
        return;
    h = want->account->host;
    host_lock(h);
    if (want->line != NULL) {
        struct budget_line *line = want->line;

        line_remove(want);
        want->since_us = since_us;
        want->is_urgent = false;
        line_add(line, want);
    }
    host_settle_and_unlock(h);
}

void
budget_want_hurries(struct budget_want *want)
{
    struct budget_host *h;

    if (want->account == NULL || want->is_urgent)
        return;
    h = want->account->host;
    host_lock(h);
    if (want->line != NULL) {
        want->is_urgent = true;
        account_advance_locked(want->account);
    }
    host_settle_and_unlock(h);
}

void
budget_squeeze_failed(struct budget_account *a)
{
    struct budget_host *h = a->host;

    host_lock(h);
    account_has_left_locked(a);
    a->failed_round = h->budget->_shared.round;
    host_settle_and_unlock(h);
}

void
budget_revisit(struct budget_host *host, uint64_t now_us)
{
    host_lock(host);
    host_recover_locked(host, now_us);
    host->budget->_shared.round++;
    host_settle_and_unlock(host);
}

/* --- who gives way --- */

uint64_t
budget_pressed_since(const struct budget_host *host)
{
    return more_pressing(atomic_load_explicit(&host->pressed_us, memory_order_relaxed),
                         atomic_load_explicit(&host->budget->pressed_us, memory_order_relaxed));
}

/* Whether somebody else in POT's line has waited so much longer that A gives way. */
static bool
pot_has_elder(const struct pot *pot, const struct budget_account *a, uint64_t own_since_us, uint64_t now_us)
{
    uint64_t own_wait_us = now_us > own_since_us ? now_us - own_since_us : 0;
    uint64_t margin_us = YIELD_MARGIN_US + own_wait_us / YIELD_MARGIN_PART;

    if (!pot_needs_leavers(pot))
        return false;
    LIST_EACH(&pot->line.wants, l) {
        const struct budget_want *want = want_of(l);

        if (want->account != a)
            return own_since_us == 0 || want->since_us + margin_us < own_since_us;
    }
    return false;
}

static bool
account_should_yield_locked(const struct budget_account *a, uint64_t own_since_us, uint64_t now_us)
{
    const struct budget_host *h = a->host;
    struct budget_quota *q;

    if (a->leaving >= a->taken)
        return false;
    if (pot_excess(&h->_shared.pot) > 0 || account_excess(a) > 0)
        return true;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        if (pot_excess(&q->pot) > 0)
            return true;
    }
    if (h->_shared.limit != 0 &&
        (a->taken - a->leaving > a->guaranteed || !account_is_protected(a, &h->_shared.pot)) &&
        pot_has_elder(&h->_shared.pot, a, own_since_us, now_us))
        return true;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        if (pot_has_elder(&q->pot, a, own_since_us, now_us))
            return true;
    }
    return false;
}

bool
budget_should_yield(struct budget_account *a, uint64_t own_since_us, uint64_t now_us)
{
    struct budget_host *h = a->host;
    bool is_yielding;

    host_lock(h);
    host_recover_locked(h, now_us);
    is_yielding = account_should_yield_locked(a, own_since_us, now_us);
    if (is_yielding)
        account_will_leave_locked(a);
    host_settle_and_unlock(h);
    return is_yielding;
}

/* What stands in the way of one more, the nearest first. */
static void
tell_bound_locked(const struct budget_account *a, struct budget_view *out)
{
    static const char *const words[] = {
        [QUOTA_ROLE] = "the role's CONNECTION LIMIT",
        [QUOTA_DATABASE] = "the database's CONNECTION LIMIT",
        [QUOTA_ENTRY] = "max_db_connections",
        [QUOTA_USER] = "max_user_connections",
    };
    const struct pot *pot = &a->host->_shared.pot;
    struct budget_quota *q;

    out->bound = pot->taken >= pot->limit ? "server_connections" : NULL;
    out->bound_limit = pot->limit;
    out->bound_taken = pot->taken;
    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++) {
        if (quota_has_room(q))
            continue;
        out->bound = words[q->kind];
        out->bound_limit = q->pot.limit;
        out->bound_taken = q->pot.taken;
    }
    if (a->limit != 0 && a->taken >= a->limit) {
        out->bound = "pool_size";
        out->bound_limit = a->limit;
        out->bound_taken = a->taken;
    }
}

void
budget_look(const struct budget_account *a, struct budget_view *out)
{
    struct budget_host *h = a->host;

    host_lock(h);
    tell_bound_locked(a, out);
    out->limit = h->_shared.limit;
    out->in_force = h->_shared.pot.limit;
    out->taken = h->_shared.pot.taken;
    out->wanted = h->_shared.want_count;
    out->account_limit = a->limit;
    out->account_taken = a->taken;
    snprintf(out->why, sizeof(out->why), "%s", h->_shared.why);
    snprintf(out->last_change, sizeof(out->last_change), "%s", h->_shared.last_change);
    host_unlock(h);
}
