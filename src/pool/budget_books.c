/*
 * budget_books.c - the books: who has how many, who waits in which line. Nothing here decides; see budget.c
 * for the whole.
 */
#include <assert.h>

#include "budget_impl.h"
#include "pgweir/base/clock.h"

/* After a 53300 one part in so many comes back at each step. */
#define RECOVERY_PART 32u

/* --- lines --- */

void
line_init(struct budget_line *line)
{
    list_init(&line->wants);
    line->count = 0;
}

struct budget_want *
want_of(struct link *l)
{
    return CONTAINER_OF(l, struct budget_want, in_wants);
}

struct budget_want *
line_first(const struct budget_line *line)
{
    return list_is_empty(&line->wants) ? NULL : want_of(list_first(&line->wants));
}

/* New wants are mostly the youngest, so the search begins at the end. */
void
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

void
line_remove(struct budget_want *want)
{
    assert(want->line != NULL);
    link_remove(&want->in_wants);
    want->line->count--;
    want->line = NULL;
}

/* --- pots and rooms --- */

void
pot_init(struct pot *pot)
{
    pot->limit = pot->taken = pot->leaving = 0;
    line_init(&pot->line);
}

/* How many too many there are, when those that leave have left. */
unsigned
pot_excess(const struct pot *pot)
{
    unsigned staying = pot->taken - pot->leaving;

    return pot->limit != 0 && staying > pot->limit ? staying - pot->limit : 0;
}

/* Whether somebody should leave who has not been told yet. */
bool
pot_needs_leavers(const struct pot *pot)
{
    unsigned over = pot->limit != 0 && pot->taken > pot->limit ? pot->taken - pot->limit : 0;

    return pot->leaving < pot->line.count + over;
}

bool
quota_has_room(const struct budget_quota *q)
{
    return q->pot.limit == 0 || q->pot.taken < q->pot.limit;
}

/* The quotas of A, one after the other from 0; NULL behind the last. */
struct budget_quota *
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
struct budget_line *
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

struct budget_line *
line_for_want_locked(const struct budget_want *want)
{
    return line_for_locked(want->account, want->is_urgent);
}

/* --- bookkeeping --- */

unsigned
account_lacks(const struct budget_account *a)
{
    return a->guaranteed > a->taken ? a->guaranteed - a->taken : 0;
}

bool
quota_is_worth_it(const struct budget_quota *q)
{
    return q->pot.line.count > 0 || pot_excess(&q->pot) > 0;
}

/* Who is not worth it any more is overlooked when all is settled: the list is being walked. */
void
quota_notice_locked(struct budget *b, struct budget_quota *q)
{
    if (quota_is_worth_it(q) && !link_is_in(&q->in_noticed))
        list_push_last(&b->_shared.noticed, &q->in_noticed);
}

/* How many too many A has, when those that leave have left. */
unsigned
account_excess(const struct budget_account *a)
{
    unsigned staying = a->taken - a->leaving;

    return a->limit != 0 && staying > a->limit + a->reserve ? staying - a->limit - a->reserve : 0;
}

void
account_notice_size_locked(struct budget_account *a)
{
    bool is_over = account_excess(a) > 0;

    if (is_over && !link_is_in(&a->in_oversize))
        list_push_last(&a->host->budget->_shared.oversized, &a->in_oversize);
    else if (!is_over && link_is_in(&a->in_oversize))
        link_remove(&a->in_oversize);
}

void
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

void
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

void
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
void
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

void
account_notice_quotas_locked(struct budget_account *a)
{
    struct budget_quota *q;

    for (size_t i = 0; (q = quota_at(a, i)) != NULL; i++)
        quota_notice_locked(a->host->budget, q);
}

void
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

void
want_unqueue_locked(struct budget_want *want)
{
    line_remove(want);
    want->account->want_count--;
    want->account->host->_shared.want_count--;
    account_notice_quotas_locked(want->account);
}

void
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
void
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

/* The same for a quota; its wants that wait further on are in the lines of hosts. One that can be served need
 * not wait behind those that cannot, for whose pools their host has no room. */
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

void
quotas_advance_locked(struct budget *b)
{
    LIST_EACH(&b->_shared.noticed, l)
        quota_advance_locked(b, CONTAINER_OF(l, struct budget_quota, in_noticed));
}

/* The limit in force comes back to the limit, step by step. */
void
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
