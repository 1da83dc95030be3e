#include <CUnit/CUnit.h>
#include <sys/resource.h>

#include "place.h"
#include "process/descriptors_impl.h"

void suite_descriptors(void);

static void
every_client_and_server_needs_one(void)
{
    struct settings s = { .max_client_conn = 1000, .server_connections = 50 };
    uint64_t needed = descriptors_needed(&s, 2);

    CU_ASSERT(needed > 1050 && needed < 1300);
    s.max_client_conn = 2000;
    CU_ASSERT_EQUAL(descriptors_needed(&s, 2), needed + 1000);
    s.server_connections = 60;
    CU_ASSERT_EQUAL(descriptors_needed(&s, 2), needed + 1010);
    CU_ASSERT(descriptors_needed(&s, 3) > needed + 1010);
    s.server_connections = 0; /* auto: something is assumed */
    CU_ASSERT(descriptors_needed(&s, 2) > needed + 1000);
    needed = descriptors_needed(&s, 2);
    s.server_connections = 1000000; /* no limit: likewise */
    CU_ASSERT_EQUAL(descriptors_needed(&s, 2), needed);
}

static int
raise_limit(void *arg)
{
    struct rlimit limit = { .rlim_cur = 100, .rlim_max = 200 };

    (void)arg;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1;
    descriptors_raise();
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != 200 || limit.rlim_max != 200)
        return 2;
    return 0;
}

static void
the_soft_limit_becomes_the_hard_one(void)
{
    CU_ASSERT_EQUAL(run_child(raise_limit, NULL), 0);
}

void
suite_descriptors(void)
{
    CU_pSuite suite = CU_add_suite("descriptors", NULL, NULL);

    CU_ADD_TEST(suite, every_client_and_server_needs_one);
    CU_ADD_TEST(suite, the_soft_limit_becomes_the_hard_one);
}
