/* test_schema.c - one epoch for all pools of one database of one host list. */
#include <CUnit/CUnit.h>

#include "pgweir/pool/schema.h"
#include "stage.h"

void suite_schema(void);

#define DATABASES                                                          \
    "[databases]\napp = host=h port=1\nalias = host=h port=1 dbname=app\n" \
    "other = host=h port=1\nelsewhere = host=new port=1 dbname=app\n"

static struct schema *
schema_of(struct stage *st, const char *database)
{
    struct route *route = pool_route(stage_pool(st, database));
    struct schema *s = pools_schema(st->pools, route);

    route_drop(route);
    return s;
}

static void
pools_of_one_database_share_their_epoch(void)
{
    struct stage st;
    struct schema *app;

    stage_init(&st, 2, DATABASES);
    app = schema_of(&st, "app");
    CU_ASSERT_PTR_EQUAL(schema_of(&st, "alias"), app);
    CU_ASSERT_PTR_NOT_EQUAL(schema_of(&st, "other"), app);
    CU_ASSERT_PTR_NOT_EQUAL(schema_of(&st, "elsewhere"), app);
    CU_ASSERT_NOT_EQUAL(schema_epoch(schema_of(&st, "other")), schema_epoch(app));
    stage_fini(&st);
}

static void
what_was_told_already_begins_no_new_epoch(void)
{
    struct stage st;
    struct schema *app;
    uint64_t first, second;

    stage_init(&st, 1, DATABASES);
    app = schema_of(&st, "app");
    first = schema_epoch(app);
    CU_ASSERT(first > SCHEMA_LONG_AGO);
    schema_bump(app);
    second = schema_epoch(app);
    CU_ASSERT(second > first);
    schema_bump_since(app, first);
    CU_ASSERT_EQUAL(schema_epoch(app), second);
    schema_bump_since(app, second);
    CU_ASSERT(schema_epoch(app) > second);
    stage_fini(&st);
}

void
suite_schema(void)
{
    CU_pSuite suite = CU_add_suite("schema", NULL, NULL);

    CU_ADD_TEST(suite, pools_of_one_database_share_their_epoch);
    CU_ADD_TEST(suite, what_was_told_already_begins_no_new_epoch);
}
