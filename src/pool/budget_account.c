/*
 * budget_account.c - what a pool does with its account: takes, gives, waits, gives way. See budget.c for the
 * whole.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "budget_impl.h"
#include "pgweir/base/clock.h"

/* An account gives way to a want of another one that has waited longer than its own oldest by this and by a
 * part of the latter's wait. Less, and busy pools would close and reopen connections in turns; a login costs
 * some milliseconds on both sides. */
#define YIELD_MARGIN_US (100 * US_PER_MS)
#define YIELD_MARGIN_PART 4

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
