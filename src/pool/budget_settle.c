/*
 * budget_settle.c - after every change of the books: who is served, who is asked to close an idle connection,
 * and how hard that presses on connections that come back. See budget.c for the whole.
 */
#include <stdatomic.h>

#include "budget_impl.h"

/* --- who is served, who is squeezed --- */

/* The oldest want in the host's line that may have a slot now. Who turns out to wait for something else is
 * moved there, and says so. */
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
struct budget_want *
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

bool
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
bool
account_is_protected(const struct budget_account *a, const struct pot *pot)
{
    const struct budget_host *h = a->host;

    return pot == &h->_shared.pot && pot_excess(pot) == 0 && h->_shared.guaranteed <= pot->limit;
}

/* Who should close an idle connection for the sake of POT: above its guarantee and longest without work. One
 * at or below its guarantee only where there is no other and it is not protected. */
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

uint64_t
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

void
host_lock(struct budget_host *h)
{
    pthread_mutex_lock(&h->budget->_shared.lock);
}

void
host_unlock(struct budget_host *h)
{
    pthread_mutex_unlock(&h->budget->_shared.lock);
}

/* After every change: serves who can be served, squeezes whom it must, one at a time and each told without
 * the lock. */
void
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
