/* test_budget.c - the arithmetic of the budget, and four threads that fight for it. */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/base/clock.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/budget.h"

void suite_budget(void);

#define MOST_EVENTS 64
#define ACCOUNTS 4

static struct diary {
    struct budget_want *slots[MOST_EVENTS];
    unsigned slot_count;
    struct budget_account *squeezed[MOST_EVENTS];
    unsigned squeeze_count;
    struct budget_account *barren; /* its squeezes fail inside the call */
    unsigned unknown_count;
} diary;

struct fixture {
    struct budget *budget;
    struct budget_host *host;
    struct budget_account accounts[ACCOUNTS];
    struct budget_want wants[2 * ACCOUNTS]; /* two of each account */
    _Atomic uint32_t idle[ACCOUNTS];
    uint64_t now_us;
};

static void
on_slot(struct budget_want *want)
{
    diary.slots[diary.slot_count++ % MOST_EVENTS] = want;
}

static void
on_squeeze(struct budget_account *account)
{
    diary.squeezed[diary.squeeze_count++ % MOST_EVENTS] = account;
    if (account == diary.barren)
        budget_squeeze_failed(account);
}

static void
on_unknown(void *arg, struct budget_host *host)
{
    (void)arg;
    (void)host;
    diary.unknown_count++;
}

static const struct budget_handler handler = { .on_slot = on_slot,
                                               .on_squeeze = on_squeeze,
                                               .on_unknown = on_unknown };

static void
fixture_init(struct fixture *f, unsigned limit, const unsigned *guarantees)
{
    memset(&diary, 0, sizeof(diary));
    f->budget = budget_new(&handler);
    f->host = budget_host(f->budget, "h:5432");
    f->now_us = US_PER_S;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        budget_account_open(&f->accounts[i], f->host, 0, guarantees == NULL ? 0 : guarantees[i]);
        atomic_init(&f->idle[i], 0);
        f->accounts[i].idle_hint = &f->idle[i];
    }
    for (unsigned i = 0; i < COUNT_OF(f->wants); i++)
        budget_want_init(&f->wants[i]);
    if (limit > 0)
        budget_set_limit(f->host, limit, "test");
}

/* Everything is given back; then nothing may be left in the books. */
static void
fixture_fini(struct fixture *f)
{
    struct budget_view view;

    for (unsigned i = 0; i < COUNT_OF(f->wants); i++)
        (void)budget_forget(&f->wants[i]);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        while (f->accounts[i].taken > 0)
            budget_give(&f->accounts[i], f->now_us);
    budget_look(&f->accounts[0], &view);
    CU_ASSERT_EQUAL(view.taken, 0);
    CU_ASSERT_EQUAL(view.wanted, 0);
    CU_ASSERT_EQUAL(budget_pressed_since(f->host), 0);
    budget_free(f->budget);
}

static bool
takes(struct fixture *f, unsigned account)
{
    return budget_take(&f->accounts[account], NULL, f->now_us, f->now_us) == BUDGET_TAKEN;
}

static unsigned
takes_all(struct fixture *f, unsigned account)
{
    unsigned n = 0;

    while (takes(f, account))
        n++;
    return n;
}

/* WANT of ACCOUNT is queued since SINCE_US. */
static void
waits(struct fixture *f, unsigned account, unsigned want, uint64_t since_us)
{
    CU_ASSERT_EQUAL(budget_take(&f->accounts[account], &f->wants[want], since_us, f->now_us), BUDGET_WAIT);
}

static void
gives(struct fixture *f, unsigned account)
{
    budget_give(&f->accounts[account], f->now_us);
}

static void
no_more_is_taken_than_the_limit(void)
{
    struct fixture f;

    fixture_init(&f, 3, NULL);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 3);
    CU_ASSERT_FALSE(takes(&f, 1));
    gives(&f, 0);
    CU_ASSERT_TRUE(takes(&f, 1));
    CU_ASSERT_FALSE(takes(&f, 0));
    fixture_fini(&f);
}

static void
a_host_is_found_again_by_its_key(void)
{
    struct fixture f;

    fixture_init(&f, 3, NULL);
    CU_ASSERT_PTR_EQUAL(budget_host(f.budget, "h:5432"), f.host);
    CU_ASSERT_PTR_NOT_EQUAL(budget_host(f.budget, "h:5433"), f.host);
    CU_ASSERT_STRING_EQUAL(budget_host_key(f.host), "h:5432");
    fixture_fini(&f);
}

static void
a_free_slot_goes_to_the_want_with_the_oldest_client(void)
{
    struct fixture f;

    fixture_init(&f, 1, NULL);
    CU_ASSERT_TRUE(takes(&f, 0));
    waits(&f, 1, 2, 300);
    waits(&f, 2, 4, 100);
    waits(&f, 3, 6, 200);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 100);
    gives(&f, 0);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[4]);
    gives(&f, 2);
    CU_ASSERT_PTR_EQUAL(diary.slots[1], &f.wants[6]);
    gives(&f, 3);
    CU_ASSERT_PTR_EQUAL(diary.slots[2], &f.wants[2]);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 0);
    fixture_fini(&f);
}

static void
a_want_whose_oldest_client_has_changed_takes_its_new_place(void)
{
    struct fixture f;

    fixture_init(&f, 1, NULL);
    CU_ASSERT_TRUE(takes(&f, 0));
    waits(&f, 1, 2, 100);
    waits(&f, 2, 4, 200);
    budget_want_since(&f.wants[2], 300);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 200);
    gives(&f, 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[4]);
    budget_want_since(&f.wants[4], 50); /* it is not queued: nothing happens */
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 300);
    fixture_fini(&f);
}

static void
a_forgotten_want_gets_nothing(void)
{
    struct fixture f;

    fixture_init(&f, 1, NULL);
    CU_ASSERT_TRUE(takes(&f, 0));
    CU_ASSERT_FALSE(budget_forget(&f.wants[2]));
    waits(&f, 1, 2, 100);
    CU_ASSERT_TRUE(budget_forget(&f.wants[2]));
    CU_ASSERT_FALSE(budget_forget(&f.wants[2]));
    gives(&f, 0);
    CU_ASSERT_EQUAL(diary.slot_count, 0);
    waits(&f, 1, 2, 100 + (unsigned)takes(&f, 0)); /* the slot was free */
    gives(&f, 0);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    CU_ASSERT_FALSE(budget_forget(&f.wants[2])); /* its slot is on the way */
    fixture_fini(&f);
}

static void
an_account_at_its_own_limit_waits_without_pressing_the_host(void)
{
    struct fixture f;

    fixture_init(&f, 10, NULL);
    budget_account_resize(&f.accounts[0], 2, 0, 0);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    waits(&f, 0, 0, 100);
    waits(&f, 0, 1, 200);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 0);
    CU_ASSERT_EQUAL(diary.squeeze_count, 0);
    CU_ASSERT_EQUAL(takes_all(&f, 1), 8);
    gives(&f, 1);
    CU_ASSERT_EQUAL(diary.slot_count, 0);
    gives(&f, 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[0]);
    budget_account_resize(&f.accounts[0], 3, 0, 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[1], &f.wants[1]);
    fixture_fini(&f);
}

static void
min_pool_size_is_kept_free_for_its_pool(void)
{
    struct fixture f;

    fixture_init(&f, 5, (const unsigned[ACCOUNTS]){ 2, 0, 0, 0 });
    CU_ASSERT_EQUAL(takes_all(&f, 1), 3);
    waits(&f, 1, 2, 100);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    CU_ASSERT_EQUAL(diary.slot_count, 0);
    gives(&f, 0);
    CU_ASSERT_EQUAL(diary.slot_count, 0); /* it is kept for account 0 again */
    budget_account_resize(&f.accounts[0], 0, 0, 1);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    fixture_fini(&f);
}

static void
a_pool_above_its_guarantee_shares_what_is_left(void)
{
    struct fixture f;

    fixture_init(&f, 6, (const unsigned[ACCOUNTS]){ 2, 2, 0, 0 });
    CU_ASSERT_EQUAL(takes_all(&f, 0), 4);
    CU_ASSERT_FALSE(takes(&f, 2));
    CU_ASSERT_EQUAL(takes_all(&f, 1), 2);
    fixture_fini(&f);
}

static void
guarantees_beyond_the_limit_starve_nobody(void)
{
    struct fixture f;

    fixture_init(&f, 3, (const unsigned[ACCOUNTS]){ 3, 3, 0, 0 });
    CU_ASSERT_TRUE(takes(&f, 2));
    CU_ASSERT_FALSE(takes(&f, 2));
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    fixture_fini(&f);
}

static void
a_quota_holds_over_all_pools_that_share_it(void)
{
    struct fixture f;

    fixture_init(&f, 10, NULL);
    budget_account_join(&f.accounts[0], QUOTA_ROLE, "app_user");
    budget_account_join(&f.accounts[1], QUOTA_ROLE, "app_user");
    budget_account_join(&f.accounts[1], QUOTA_DATABASE, "app_user"); /* another one */
    budget_set_quota(f.host, QUOTA_ROLE, "app_user", 3);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 3);
    CU_ASSERT_EQUAL(takes_all(&f, 1), 0);
    waits(&f, 1, 2, 100);
    CU_ASSERT_EQUAL(takes_all(&f, 2), 7); /* others do not care */
    gives(&f, 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[2]);
    waits(&f, 0, 0, 200);
    gives(&f, 2);
    budget_set_quota(f.host, QUOTA_ROLE, "app_user", 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[1], &f.wants[0]);
    fixture_fini(&f);
}

static void
a_full_quota_squeezes_only_those_who_share_it(void)
{
    struct fixture f;

    fixture_init(&f, 10, NULL);
    budget_account_join(&f.accounts[0], QUOTA_ROLE, "app_user");
    budget_account_join(&f.accounts[1], QUOTA_ROLE, "app_user");
    budget_set_quota(f.host, QUOTA_ROLE, "app_user", 2);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    CU_ASSERT_TRUE(takes(&f, 2));
    f.idle[0] = f.idle[2] = 1;
    f.accounts[0].worked_us = 50;
    waits(&f, 1, 2, 100);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 100);
    CU_ASSERT_EQUAL(diary.squeeze_count, 1);
    CU_ASSERT_PTR_EQUAL(diary.squeezed[0], &f.accounts[0]);
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[2], 0, f.now_us));
    gives(&f, 0);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[2]);
    fixture_fini(&f);
}

static void
the_pool_longest_without_work_is_squeezed(void)
{
    struct fixture f;

    fixture_init(&f, 6, (const unsigned[ACCOUNTS]){ 0, 2, 0, 0 });
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_TRUE(takes(&f, 1 + i % 3));
    f.idle[1] = f.idle[2] = f.idle[3] = 1;
    f.accounts[1].worked_us = 1; /* but it has only what it is guaranteed */
    f.accounts[2].worked_us = 30;
    f.accounts[3].worked_us = 20;
    waits(&f, 0, 0, 100);
    CU_ASSERT_EQUAL(diary.squeeze_count, 1);
    CU_ASSERT_PTR_EQUAL(diary.squeezed[0], &f.accounts[3]);
    waits(&f, 0, 1, 200);
    CU_ASSERT_EQUAL(diary.squeeze_count, 2); /* one for each want */
    CU_ASSERT_PTR_EQUAL(diary.squeezed[1], &f.accounts[3]);
    budget_revisit(f.host, f.now_us);
    CU_ASSERT_EQUAL(diary.squeeze_count, 2);
    gives(&f, 3);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[0]);
    gives(&f, 3);
    CU_ASSERT_PTR_EQUAL(diary.slots[1], &f.wants[1]);
    fixture_fini(&f);
}

static void
a_squeeze_that_fails_goes_to_the_next_pool(void)
{
    struct fixture f;

    fixture_init(&f, 2, NULL);
    CU_ASSERT_TRUE(takes(&f, 1));
    CU_ASSERT_TRUE(takes(&f, 2));
    f.idle[1] = f.idle[2] = 1;
    f.accounts[1].worked_us = 10;
    f.accounts[2].worked_us = 20;
    diary.barren = &f.accounts[1];
    waits(&f, 0, 0, 100);
    CU_ASSERT_EQUAL(diary.squeeze_count, 2);
    CU_ASSERT_PTR_EQUAL(diary.squeezed[1], &f.accounts[2]);
    budget_squeeze_failed(&f.accounts[2]);
    CU_ASSERT_EQUAL(diary.squeeze_count, 2); /* nobody is left, until the next round */
    budget_revisit(f.host, f.now_us);
    CU_ASSERT_EQUAL(diary.squeeze_count, 4);
    gives(&f, 2);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    fixture_fini(&f);
}

static void
a_pool_that_surely_has_nothing_idle_or_waits_itself_is_not_squeezed(void)
{
    struct fixture f;

    fixture_init(&f, 2, NULL);
    CU_ASSERT_TRUE(takes(&f, 1));
    CU_ASSERT_TRUE(takes(&f, 2));
    f.idle[2] = 1;
    waits(&f, 2, 4, 100);
    waits(&f, 0, 0, 200);
    CU_ASSERT_EQUAL(diary.squeeze_count, 0);
    fixture_fini(&f);
}

static void
a_pool_yields_to_one_that_has_waited_longer(void)
{
    struct fixture f;

    fixture_init(&f, 3, (const unsigned[ACCOUNTS]){ 1, 0, 0, 0 });
    CU_ASSERT_EQUAL(takes_all(&f, 0), 3);
    waits(&f, 1, 2, US_PER_S);
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], US_PER_S, f.now_us));
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], US_PER_S + 100 * US_PER_MS, f.now_us));
    CU_ASSERT_TRUE(budget_should_yield(&f.accounts[0], US_PER_S + 100 * US_PER_MS + 1, f.now_us));
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 0, f.now_us)); /* one want, one that leaves */
    waits(&f, 2, 4, 2 * US_PER_S);
    CU_ASSERT_TRUE(budget_should_yield(&f.accounts[0], 0, f.now_us)); /* nobody waits there */
    waits(&f, 3, 6, 2 * US_PER_S);
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 0, f.now_us)); /* the last one is its guarantee */
    gives(&f, 0);
    gives(&f, 0);
    CU_ASSERT_EQUAL(diary.slot_count, 2);
    fixture_fini(&f);
}

static void
a_pool_does_not_yield_to_itself_nor_to_one_at_its_own_limit(void)
{
    struct fixture f;

    fixture_init(&f, 3, NULL);
    budget_account_resize(&f.accounts[1], 1, 0, 0);
    CU_ASSERT_TRUE(takes(&f, 1));
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    waits(&f, 1, 2, 100);
    waits(&f, 0, 0, 100);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 100);
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 0, f.now_us));
    fixture_fini(&f);
}

static void
a_lower_limit_closes_as_many_as_are_too_many(void)
{
    struct fixture f;

    fixture_init(&f, 10, (const unsigned[ACCOUNTS]){ 5, 0, 0, 0 });
    CU_ASSERT_EQUAL(takes_all(&f, 0), 10);
    budget_set_limit(f.host, 7, "less");
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 1);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_TRUE(budget_should_yield(&f.accounts[0], 1, f.now_us));
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 1, f.now_us));
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 0);
    for (unsigned i = 0; i < 3; i++)
        gives(&f, 0);
    budget_set_limit(f.host, 4, "still less"); /* a guarantee does not stand above the limit */
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_TRUE(budget_should_yield(&f.accounts[0], 0, f.now_us));
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 0, f.now_us));
    fixture_fini(&f);
}

static void
a_lower_limit_squeezes_idle_pools(void)
{
    struct fixture f;

    fixture_init(&f, 4, (const unsigned[ACCOUNTS]){ 2, 0, 0, 0 });
    CU_ASSERT_TRUE(takes(&f, 0));
    CU_ASSERT_TRUE(takes(&f, 0));
    CU_ASSERT_EQUAL(takes_all(&f, 1), 2);
    f.idle[0] = f.idle[1] = 1;
    f.accounts[0].worked_us = 1;
    f.accounts[1].worked_us = 2;
    budget_set_limit(f.host, 1, "less");
    CU_ASSERT_EQUAL(diary.squeeze_count, 3);
    CU_ASSERT_PTR_EQUAL(diary.squeezed[0], &f.accounts[1]); /* first what nobody was promised */
    CU_ASSERT_PTR_EQUAL(diary.squeezed[1], &f.accounts[1]);
    CU_ASSERT_PTR_EQUAL(diary.squeezed[2], &f.accounts[0]);
    fixture_fini(&f);
}

static void
a_congested_server_steps_the_limit_down_and_it_recovers_slowly(void)
{
    struct fixture f;
    struct budget_view view;

    fixture_init(&f, 100, NULL);
    for (unsigned i = 0; i < 81; i++)
        CU_ASSERT_TRUE(takes(&f, 0));
    budget_congested(f.host, f.now_us); /* 80 are open, the 81st was refused */
    gives(&f, 0);
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.limit, 100);
    CU_ASSERT_EQUAL(view.in_force, 70);
    budget_congested(f.host, f.now_us + 10 * US_PER_MS); /* the same event */
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 70);
    budget_set_limit(f.host, 100, "asked again"); /* the server's word on max_connections is no cure */
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 70);
    f.now_us += 5 * US_PER_S - 1;
    budget_revisit(f.host, f.now_us);
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 70);
    f.now_us += 10 * US_PER_MS + 1;
    budget_revisit(f.host, f.now_us);
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 73);
    f.now_us += 60 * US_PER_S;
    budget_revisit(f.host, f.now_us);
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 100);
    fixture_fini(&f);
}

static void
congestion_never_steps_below_one(void)
{
    struct fixture f;
    struct budget_view view;

    fixture_init(&f, 100, NULL);
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_TRUE(takes(&f, 0));
        budget_congested(f.host, f.now_us);
        gives(&f, 0);
        f.now_us += 2 * US_PER_S;
    }
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.in_force, 1);
    fixture_fini(&f);
}

static void
wants_are_served_as_the_limit_recovers(void)
{
    struct fixture f;

    fixture_init(&f, 10, NULL);
    for (unsigned i = 0; i < 9; i++)
        CU_ASSERT_TRUE(takes(&f, 0));
    budget_congested(f.host, f.now_us);
    gives(&f, 0);
    waits(&f, 1, 2, 100);
    gives(&f, 0); /* 7 remain, 7 in force */
    CU_ASSERT_EQUAL(diary.slot_count, 0);
    f.now_us += 5 * US_PER_S;
    budget_revisit(f.host, f.now_us);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    fixture_fini(&f);
}

static void
room_that_came_with_time_goes_to_who_waits_and_not_to_who_comes(void)
{
    struct fixture f;

    fixture_init(&f, 10, NULL);
    for (unsigned i = 0; i < 9; i++)
        CU_ASSERT_TRUE(takes(&f, 0));
    budget_congested(f.host, f.now_us);
    gives(&f, 0);
    gives(&f, 0);
    waits(&f, 1, 2, f.now_us);
    f.now_us += 5 * US_PER_S; /* one more is allowed from now on */
    waits(&f, 2, 4, f.now_us);
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    CU_ASSERT_PTR_EQUAL(diary.slots[0], &f.wants[2]);
    fixture_fini(&f);
}

static void
an_unknown_limit_is_asked_for_once(void)
{
    struct fixture f;

    fixture_init(&f, 0, NULL);
    CU_ASSERT_FALSE(takes(&f, 0));
    CU_ASSERT_EQUAL(diary.unknown_count, 1);
    waits(&f, 0, 0, 100);
    CU_ASSERT_EQUAL(diary.unknown_count, 1);
    CU_ASSERT_EQUAL(budget_pressed_since(f.host), 0);
    budget_set_limit(f.host, 1, "known");
    CU_ASSERT_EQUAL(diary.slot_count, 1);
    budget_set_limit(f.host, 0, "forgotten");
    CU_ASSERT_FALSE(budget_should_yield(&f.accounts[0], 0, f.now_us));
    gives(&f, 0);
    CU_ASSERT_FALSE(takes(&f, 0));
    CU_ASSERT_EQUAL(diary.unknown_count, 2);
    fixture_fini(&f);
}

static void
the_view_explains_the_figure_in_force(void)
{
    struct fixture f;
    struct budget_view view;

    fixture_init(&f, 0, NULL);
    budget_set_limit(f.host, 2, "max_connections 5 - superuser_reserved 3");
    budget_account_resize(&f.accounts[0], 7, 0, 0);
    CU_ASSERT_EQUAL(takes_all(&f, 0), 2);
    waits(&f, 1, 2, 100);
    budget_look(&f.accounts[0], &view);
    CU_ASSERT_EQUAL(view.limit, 2);
    CU_ASSERT_EQUAL(view.taken, 2);
    CU_ASSERT_EQUAL(view.wanted, 1);
    CU_ASSERT_EQUAL(view.account_limit, 7);
    CU_ASSERT_EQUAL(view.account_taken, 2);
    CU_ASSERT_STRING_EQUAL(view.why, "max_connections 5 - superuser_reserved 3");
    fixture_fini(&f);
}

/* --- random schedules against the books --- */

#define STEPS 20000

/* What must be true whenever nobody is inside a call. */
static void
check_books(const struct fixture *f, unsigned quota, unsigned in_force)
{
    unsigned taken = 0;
    unsigned unmet = 0;

    for (unsigned i = 0; i < ACCOUNTS; i++) {
        const struct budget_account *a = &f->accounts[i];

        taken += a->taken;
        unmet += a->guaranteed > a->taken ? a->guaranteed - a->taken : 0;
        CU_ASSERT_TRUE_FATAL(a->leaving <= a->taken);
    }
    /* Who waits in the host's line and might have any slot has none to take. */
    for (unsigned i = 0; i < COUNT_OF(f->wants); i++) {
        const struct budget_want *w = &f->wants[i];

        if (w->line == NULL)
            continue;
        if (w->account->limit != 0 && w->account->taken >= w->account->limit)
            continue;
        if (quota != 0 && w->account->quotas[0] != NULL &&
            f->accounts[0].taken + f->accounts[1].taken >= quota)
            continue;
        CU_ASSERT_TRUE_FATAL(taken >= in_force || in_force - taken <= unmet);
        CU_ASSERT_TRUE_FATAL(w->account->taken >= w->account->guaranteed || taken >= in_force);
    }
}

static void
books_balance_in_random_schedules(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static const unsigned guarantees[ACCOUNTS] = { 3, 0, 1, 0 };
        struct fixture f;
        struct budget_view view;
        uint64_t random = seed;
        unsigned most_taken;
        unsigned most_quota = 0;

        fixture_init(&f, 8, guarantees);
        budget_account_join(&f.accounts[0], QUOTA_ROLE, "app_user");
        budget_account_join(&f.accounts[1], QUOTA_ROLE, "app_user");
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned i = (unsigned)random_between(&random, 0, ACCOUNTS - 1);
            unsigned j = i * 2 + (unsigned)random_between(&random, 0, 1);
            unsigned before, shared;

            budget_look(&f.accounts[0], &view);
            before = view.taken;
            shared = f.accounts[0].taken + f.accounts[1].taken;
            most_taken = before > view.in_force ? before : view.in_force;
            f.now_us += random_between(&random, 0, 100 * US_PER_MS);
            switch (random_between(&random, 0, 9)) {
            case 0:
            case 1:
            case 2:
                if (f.wants[j].line == NULL)
                    (void)!budget_take(&f.accounts[i], &f.wants[j],
                                       f.now_us - random_between(&random, 0, US_PER_S), f.now_us);
                break;
            case 3:
            case 4:
            case 5:
                if (f.accounts[i].taken > 0)
                    gives(&f, i);
                break;
            case 6:
                (void)budget_forget(&f.wants[j]);
                break;
            case 7:
                f.idle[i] = (uint32_t)random_between(&random, 0, 1);
                if (f.accounts[i].leaving > 0 && f.idle[i] == 0)
                    budget_squeeze_failed(&f.accounts[i]);
                break;
            case 8:
                if (f.accounts[i].taken > 0 && budget_pressed_since(f.host) != 0 &&
                    budget_should_yield(&f.accounts[i], random_between(&random, 0, 1) * f.now_us, f.now_us))
                    gives(&f, i);
                break;
            case 9:
                if (random_between(&random, 0, 9) == 0)
                    budget_set_limit(f.host, (unsigned)random_between(&random, 3, 12), "random");
                else if (random_between(&random, 0, 9) == 0 && f.accounts[i].taken > 0)
                    budget_congested(f.host, f.now_us);
                else if (random_between(&random, 0, 4) == 0)
                    budget_set_quota(f.host, QUOTA_ROLE, "app_user",
                                     most_quota = (unsigned)random_between(&random, 0, 6));
                else if (random_between(&random, 0, 4) == 0)
                    budget_account_resize(&f.accounts[i], (unsigned)random_between(&random, 0, 6), 0,
                                          guarantees[i]);
                break;
            }
            budget_look(&f.accounts[0], &view);
            if (view.in_force > most_taken)
                most_taken = view.in_force;
            if (view.taken > most_taken || view.in_force > view.limit) {
                fprintf(stderr, "\n    seed %u step %u: taken %u of %u", (unsigned)seed, step, view.taken,
                        view.in_force);
                CU_FAIL_FATAL("over the limit");
            }
            if (most_quota != 0 && shared < most_quota)
                shared = most_quota;
            CU_ASSERT_TRUE_FATAL(most_quota == 0 || f.accounts[0].taken + f.accounts[1].taken <= shared);
            check_books(&f, most_quota, view.in_force);
        }
        fixture_fini(&f);
    }
}

/* --- threads --- */

#define THREADS 4
#define ROUNDS 20000
#define CROWD_LIMIT 5

static struct crowd {
    struct budget *budget;
    struct budget_account accounts[2];
    _Atomic int open; /* connections that exist, by our own count */
    _Atomic int most;
    _Atomic unsigned squeezed[2];
    struct crowd_worker {
        struct budget_want want;
        _Atomic bool has_slot;
        unsigned index;
        unsigned served;
    } workers[THREADS];
} crowd;

static void
crowd_on_slot(struct budget_want *want)
{
    struct crowd_worker *w = CONTAINER_OF(want, struct crowd_worker, want);

    if (atomic_exchange(&w->has_slot, true))
        atomic_store(&crowd.most, 1000); /* two slots for one want */
}

static void
crowd_on_squeeze(struct budget_account *account)
{
    atomic_fetch_add(&crowd.squeezed[account - crowd.accounts], 1);
}

static void
crowd_open(void)
{
    int now = atomic_fetch_add(&crowd.open, 1) + 1;
    int most = atomic_load(&crowd.most);

    while (now > most && !atomic_compare_exchange_weak(&crowd.most, &most, now))
        ;
}

static void
crowd_close(struct budget_account *a, uint64_t now_us)
{
    atomic_fetch_sub(&crowd.open, 1);
    budget_give(a, now_us);
}

/* Squeezes are heard by whoever comes by: what is held by this thread is "idle" then. */
static bool
crowd_hears_squeeze(unsigned account)
{
    unsigned n = atomic_load(&crowd.squeezed[account]);

    while (n > 0)
        if (atomic_compare_exchange_weak(&crowd.squeezed[account], &n, n - 1))
            return true;
    return false;
}

static void *
crowd_run(void *arg)
{
    struct crowd_worker *w = arg;
    struct clock clock = clock_real();
    uint64_t random = w->index + 1;
    struct budget_account *a = &crowd.accounts[w->index % 2];
    unsigned held = 0;
    bool is_out = false;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t now_us = clock_now_us(&clock);

        if (is_out && atomic_exchange(&w->has_slot, false)) {
            is_out = false;
            held++;
            w->served++;
            crowd_open();
        } else if (!is_out && random_between(&random, 0, 1) == 0) {
            if (budget_take(a, &w->want, now_us, now_us) == BUDGET_TAKEN) {
                held++;
                w->served++;
                crowd_open();
            } else {
                is_out = true;
            }
        } else if (is_out && random_between(&random, 0, 7) == 0) {
            if (budget_forget(&w->want))
                is_out = false;
            else
                budget_want_since(&w->want, now_us);
        }
        if (crowd_hears_squeeze(w->index % 2)) {
            if (held > 0) {
                held--;
                crowd_close(a, now_us);
            } else {
                budget_squeeze_failed(a);
            }
        }
        if (held > 0 && (random_between(&random, 0, 3) == 0 ||
                         (budget_pressed_since(a->host) != 0 && budget_should_yield(a, now_us, now_us)))) {
            held--;
            crowd_close(a, now_us);
        }
    }
    if (is_out && !budget_forget(&w->want)) {
        while (!atomic_exchange(&w->has_slot, false))
            ;
        held++;
        crowd_open();
    }
    for (; held > 0; held--)
        crowd_close(a, clock_now_us(&clock));
    return NULL;
}

static void
four_threads_never_take_more_than_the_limit(void)
{
    static const struct budget_handler asks = { .on_slot = crowd_on_slot, .on_squeeze = crowd_on_squeeze };
    pthread_t threads[THREADS];
    struct budget_view view;
    struct budget_host *host;
    unsigned served = 0;

    memset(&crowd, 0, sizeof(crowd));
    crowd.budget = budget_new(&asks);
    host = budget_host(crowd.budget, "h:5432");
    for (unsigned i = 0; i < COUNT_OF(crowd.accounts); i++)
        budget_account_open(&crowd.accounts[i], host, 4, 1);
    budget_set_limit(host, CROWD_LIMIT, "test");
    for (unsigned i = 0; i < THREADS; i++) {
        crowd.workers[i].index = i;
        budget_want_init(&crowd.workers[i].want);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, crowd_run, &crowd.workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_TRUE(atomic_load(&crowd.most) <= CROWD_LIMIT);
    for (unsigned i = 0; i < THREADS;
         i++) /* a thread may spend its rounds waiting for one that does not run */
        served += crowd.workers[i].served;
    CU_ASSERT_TRUE(served > ROUNDS / 100);
    budget_look(&crowd.accounts[0], &view);
    CU_ASSERT_EQUAL(view.taken, 0);
    CU_ASSERT_EQUAL(view.wanted, 0);
    budget_free(crowd.budget);
}

void
suite_budget(void)
{
    CU_pSuite suite = CU_add_suite("budget", NULL, NULL);

    CU_ADD_TEST(suite, no_more_is_taken_than_the_limit);
    CU_ADD_TEST(suite, a_host_is_found_again_by_its_key);
    CU_ADD_TEST(suite, a_free_slot_goes_to_the_want_with_the_oldest_client);
    CU_ADD_TEST(suite, a_want_whose_oldest_client_has_changed_takes_its_new_place);
    CU_ADD_TEST(suite, a_forgotten_want_gets_nothing);
    CU_ADD_TEST(suite, an_account_at_its_own_limit_waits_without_pressing_the_host);
    CU_ADD_TEST(suite, min_pool_size_is_kept_free_for_its_pool);
    CU_ADD_TEST(suite, a_pool_above_its_guarantee_shares_what_is_left);
    CU_ADD_TEST(suite, guarantees_beyond_the_limit_starve_nobody);
    CU_ADD_TEST(suite, a_quota_holds_over_all_pools_that_share_it);
    CU_ADD_TEST(suite, a_full_quota_squeezes_only_those_who_share_it);
    CU_ADD_TEST(suite, the_pool_longest_without_work_is_squeezed);
    CU_ADD_TEST(suite, a_squeeze_that_fails_goes_to_the_next_pool);
    CU_ADD_TEST(suite, a_pool_that_surely_has_nothing_idle_or_waits_itself_is_not_squeezed);
    CU_ADD_TEST(suite, a_pool_yields_to_one_that_has_waited_longer);
    CU_ADD_TEST(suite, a_pool_does_not_yield_to_itself_nor_to_one_at_its_own_limit);
    CU_ADD_TEST(suite, a_lower_limit_closes_as_many_as_are_too_many);
    CU_ADD_TEST(suite, a_lower_limit_squeezes_idle_pools);
    CU_ADD_TEST(suite, a_congested_server_steps_the_limit_down_and_it_recovers_slowly);
    CU_ADD_TEST(suite, congestion_never_steps_below_one);
    CU_ADD_TEST(suite, wants_are_served_as_the_limit_recovers);
    CU_ADD_TEST(suite, room_that_came_with_time_goes_to_who_waits_and_not_to_who_comes);
    CU_ADD_TEST(suite, an_unknown_limit_is_asked_for_once);
    CU_ADD_TEST(suite, the_view_explains_the_figure_in_force);
    CU_ADD_TEST(suite, books_balance_in_random_schedules);
    CU_ADD_TEST(suite, four_threads_never_take_more_than_the_limit);
}
