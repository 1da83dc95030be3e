/*
 * budget_impl.h - the inside of the budget: pots, quotas and hosts, and what its files have of each other.
 * Everything but budget.c's questions runs under the budget's lock, and says so in its name or takes only
 * what the lock guards.
 */
#ifndef PGWEIR_POOL_BUDGET_IMPL_H
#define PGWEIR_POOL_BUDGET_IMPL_H

#include <pthread.h>

#include "pgweir/base/map.h"
#include "pgweir/pool/budget.h"

#define PRESSED_NOT 0
#define PRESSED_OVER_LIMIT 1

/* After a 53300 the limit in force comes back a part at each step. */
#define RECOVERY_STEP_US (5 * US_PER_S)

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

/* --- budget_books.c: lines, pots, who has what --- */

void line_init(struct budget_line *line);
struct budget_want *want_of(struct link *l);
struct budget_want *line_first(const struct budget_line *line);
void line_add(struct budget_line *line, struct budget_want *want);
void line_remove(struct budget_want *want);
void pot_init(struct pot *pot);
/* How many too many there are, when those that leave have left. */
unsigned pot_excess(const struct pot *pot);
/* Whether somebody should leave who has not been told yet. */
bool pot_needs_leavers(const struct pot *pot);
bool quota_has_room(const struct budget_quota *q);
/* The quotas of A, one after the other from 0; NULL behind the last. */
struct budget_quota *quota_at(const struct budget_account *a, size_t i);
/* Where A, in a hurry or not, has to wait; NULL: nowhere, it may be served. */
struct budget_line *line_for_locked(struct budget_account *a, bool is_urgent);
struct budget_line *line_for_want_locked(const struct budget_want *want);
unsigned account_lacks(const struct budget_account *a);
bool quota_is_worth_it(const struct budget_quota *q);
void quota_notice_locked(struct budget *b, struct budget_quota *q);
/* How many too many A has, when those that leave have left. */
unsigned account_excess(const struct budget_account *a);
void account_notice_size_locked(struct budget_account *a);
void account_took_locked(struct budget_account *a);
void account_gave_locked(struct budget_account *a);
void account_will_leave_locked(struct budget_account *a);
/* One that was told to leave has left, or will not. */
void account_has_left_locked(struct budget_account *a);
void account_notice_quotas_locked(struct budget_account *a);
void want_queue_locked(struct budget_want *want, struct budget_line *line);
void want_unqueue_locked(struct budget_want *want);
void want_move_locked(struct budget_line *to, struct budget_want *want);
/* As many of A's wants wait further on as it has room for. */
void account_advance_locked(struct budget_account *a);
void quotas_advance_locked(struct budget *b);
/* The limit in force comes back to the limit, step by step. */
void host_recover_locked(struct budget_host *h, uint64_t now_us);

/* --- budget_settle.c: who is served, who is squeezed --- */

/* The oldest want that may have a slot now. */
struct budget_want *servable_want_locked(struct budget_host *h);
bool account_draws_from(const struct budget_account *a, const struct pot *pot);
/* Whether A, at or below its guarantee, keeps its idle connections from who presses POT. */
bool account_is_protected(const struct budget_account *a, const struct pot *pot);
uint64_t more_pressing(uint64_t a, uint64_t b);
void host_lock(struct budget_host *h);
void host_unlock(struct budget_host *h);
/* After every change: serves who can be served, squeezes whom it must, one at a time and each told without
 * the lock. */
void host_settle_and_unlock(struct budget_host *h);

/* --- budget.c --- */

/* Found or made. */
struct budget_quota *quota_of_locked(struct budget_host *host, enum budget_quota_kind kind, const char *name);
/* Forgets Q when nobody draws from it and nobody has said anything about it that must be remembered. */
void quota_forget_locked(struct budget_host *host, struct budget_quota *q);

#endif
