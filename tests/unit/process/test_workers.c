#include <CUnit/CUnit.h>

#include "pgweir/base/log.h"
#include "process/workers_impl.h"

void suite_workers(void);

static void
a_number_is_obeyed_up_to_what_pools_can_serve(void)
{
    struct settings s = { .workers = 3 };
    struct error why;

    CU_ASSERT_EQUAL(workers_count(&s), 3);
    s.workers = POOL_MOST_WORKERS;
    CU_ASSERT_EQUAL(workers_count(&s), POOL_MOST_WORKERS);
    s.workers = POOL_MOST_WORKERS + 1;
    CU_ASSERT_EQUAL(log_open(NULL, true, LOG_NOTICE_LEVEL, &why), ERR_NONE);
    CU_ASSERT_EQUAL(workers_count(&s), POOL_MOST_WORKERS);
    log_close();
}

static void
auto_is_one_per_cpu_and_at_most_eight(void)
{
    struct settings s = { .workers = 0 };
    unsigned count = workers_count(&s);

    CU_ASSERT(count >= 1 && count <= 8);
}

void
suite_workers(void)
{
    CU_pSuite suite = CU_add_suite("workers", NULL, NULL);

    CU_ADD_TEST(suite, a_number_is_obeyed_up_to_what_pools_can_serve);
    CU_ADD_TEST(suite, auto_is_one_per_cpu_and_at_most_eight);
}
