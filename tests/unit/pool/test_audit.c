/*
 * test_audit.c - how often sessions are looked at, and what a pool learns from it.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/pool/audit.h"
#include "pgweir/wire/sql.h"
#include "stage.h"

void suite_audit(void);

#define MINUTE (UINT64_C(60) * US_PER_S)

struct fixture {
    struct stage st;
    struct shard *shard;
    struct shard *other; /* of another worker */
};

static void
fixture_init(struct fixture *f, const char *fraction)
{
    char ini[100];
    struct pool *pool;

    snprintf(ini, sizeof ini, "session_audit = %s\n[databases]\napp = host=h\n", fraction);
    stage_init(&f->st, 2, ini);
    pool = stage_pool(&f->st, "app");
    f->shard = pool_shard(pool, 0);
    f->other = pool_shard(pool, 1);
}

static unsigned
due_of(struct shard *s, unsigned releases)
{
    unsigned due = 0;

    while (releases-- > 0)
        due += shard_audit_is_due(s);
    return due;
}

static void
nought_is_never_and_one_is_always(void)
{
    struct fixture f;

    fixture_init(&f, "0");
    CU_ASSERT_EQUAL(due_of(f.shard, 100000), 0);
    CU_ASSERT_FALSE(shard_audits_always(f.shard));
    stage_reload(&f.st, "session_audit = 1\n[databases]\napp = host=h\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(due_of(f.shard, 1000), 1000);
    CU_ASSERT_TRUE(shard_audits_always(f.shard));
    stage_reload(&f.st, "session_audit = 0\n[databases]\napp = host=h\n");
    stage_settle(&f.st);
    CU_ASSERT_EQUAL(due_of(f.shard, 1000), 0);
    stage_fini(&f.st);
}

static void
a_fraction_is_met_on_the_average(void)
{
    struct fixture f;
    unsigned due;

    fixture_init(&f, "0.01");
    due = due_of(f.shard, 100000); /* 1000 are expected, give or take 18 */
    CU_ASSERT_TRUE(due > 850 && due < 1150);
    CU_ASSERT_FALSE(shard_audits_always(f.shard));
    stage_fini(&f.st);
}

static void
after_an_alert_all_are_looked_at_for_a_while(void)
{
    struct fixture f;

    fixture_init(&f, "0.0001");
    (void)due_of(f.shard, 1);
    CU_ASSERT_TRUE(shard_audit_alert(f.shard, MINUTE));
    CU_ASSERT_TRUE(shard_audits_always(f.shard));
    CU_ASSERT_FALSE(shard_audit_alert(f.shard, 2 * MINUTE - 1));
    CU_ASSERT_EQUAL(due_of(f.shard, 256), 256);
    CU_ASSERT_FALSE(shard_audits_always(f.shard));
    CU_ASSERT_TRUE(due_of(f.shard, 256) < 256);
    CU_ASSERT_TRUE(shard_audit_alert(f.shard, 2 * MINUTE));
    stage_fini(&f.st);
}

static void
a_text_is_known_to_all_workers(void)
{
    struct fixture f;

    fixture_init(&f, "1");
    CU_ASSERT_FALSE(shard_has_learned(f.other));
    CU_ASSERT_EQUAL(shard_learned(f.other, 7), 0);
    CU_ASSERT_TRUE(shard_learn(f.shard, 7, SQL_TEMP));
    CU_ASSERT_FALSE(shard_learn(f.other, 7, SQL_TEMP));
    CU_ASSERT_TRUE(shard_learn(f.other, 7, SQL_LISTEN));
    CU_ASSERT_TRUE(shard_has_learned(f.other));
    CU_ASSERT_EQUAL(shard_learned(f.shard, 7), SQL_TEMP | SQL_LISTEN);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 8), 0);
    stage_fini(&f.st);
}

static void
a_text_that_does_nothing_is_forgotten(void)
{
    struct fixture f;

    fixture_init(&f, "1");
    (void)shard_learn(f.shard, 7, SQL_TEMP);
    for (unsigned i = 1; i < AUDIT_VAIN_RUNS; i++)
        shard_learned_ran(f.shard, 7, false);
    shard_learned_ran(f.shard, 7, true);
    for (unsigned i = 1; i < AUDIT_VAIN_RUNS; i++)
        shard_learned_ran(f.other, 7, false);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 7), SQL_TEMP);
    shard_learned_ran(f.shard, 7, false);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 7), 0);
    CU_ASSERT_FALSE(shard_has_learned(f.shard));
    shard_learned_ran(f.shard, 7, false); /* nobody remembers */
    CU_ASSERT_TRUE(shard_learn(f.shard, 7, SQL_TEMP));
    stage_fini(&f.st);
}

static void
the_one_that_was_of_no_use_longest_makes_room(void)
{
    struct fixture f;
    const uint64_t apart = AUDIT_FINGERPRINTS_MOST / 4; /* these share a bucket */

    fixture_init(&f, "1");
    for (uint64_t i = 1; i <= 4; i++) {
        (void)shard_learn(f.shard, i * apart, SQL_TEMP);
        shard_learned_ran(f.shard, i * apart, i != 3);
    }
    CU_ASSERT_TRUE(shard_learn(f.shard, 5 * apart, SQL_LISTEN));
    CU_ASSERT_EQUAL(shard_learned(f.shard, 3 * apart), 0);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 5 * apart), SQL_LISTEN);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 1 * apart), SQL_TEMP);
    for (uint64_t i = 1; i <= 10000; i++) /* however many there are */
        (void)shard_learn(f.shard, i, SQL_TEMP);
    CU_ASSERT_EQUAL(shard_learned(f.shard, 10000), SQL_TEMP);
    stage_fini(&f.st);
}

static void
names_are_kept_once_and_up_to_a_bound(void)
{
    struct fixture f;
    char name[20];

    fixture_init(&f, "1");
    CU_ASSERT_PTR_NULL(shard_learned_name(f.shard, 0));
    shard_learn_name(f.shard, "app.tenant");
    shard_learn_name(f.other, "APP.Tenant");
    CU_ASSERT_STRING_EQUAL(shard_learned_name(f.other, 0), "app.tenant");
    CU_ASSERT_PTR_NULL(shard_learned_name(f.shard, 1));
    for (unsigned i = 0; i < 2 * AUDIT_NAMES_MOST; i++) {
        snprintf(name, sizeof name, "app.n%u", i);
        shard_learn_name(f.shard, name);
    }
    CU_ASSERT_PTR_NOT_NULL(shard_learned_name(f.shard, AUDIT_NAMES_MOST - 1));
    CU_ASSERT_PTR_NULL(shard_learned_name(f.shard, AUDIT_NAMES_MOST));
    stage_fini(&f.st);
}

static void
functions_are_searched_now_and_then_and_after_ddl(void)
{
    struct fixture f;

    fixture_init(&f, "1");
    CU_ASSERT_TRUE(shard_names_are_due(f.shard, 1, MINUTE));
    CU_ASSERT_FALSE(shard_names_are_due(f.other, 1, MINUTE + US_PER_S));
    CU_ASSERT_TRUE(shard_names_are_due(f.other, 2, MINUTE + US_PER_S));
    CU_ASSERT_FALSE(shard_names_are_due(f.shard, 2, MINUTE + 2 * US_PER_S));
    CU_ASSERT_TRUE(shard_names_are_due(f.shard, 2, 2 * MINUTE));
    stage_fini(&f.st);
}

void
suite_audit(void)
{
    CU_pSuite suite = CU_add_suite("audit", NULL, NULL);

    CU_ADD_TEST(suite, nought_is_never_and_one_is_always);
    CU_ADD_TEST(suite, a_fraction_is_met_on_the_average);
    CU_ADD_TEST(suite, after_an_alert_all_are_looked_at_for_a_while);
    CU_ADD_TEST(suite, a_text_is_known_to_all_workers);
    CU_ADD_TEST(suite, a_text_that_does_nothing_is_forgotten);
    CU_ADD_TEST(suite, the_one_that_was_of_no_use_longest_makes_room);
    CU_ADD_TEST(suite, names_are_kept_once_and_up_to_a_bound);
    CU_ADD_TEST(suite, functions_are_searched_now_and_then_and_after_ddl);
}
