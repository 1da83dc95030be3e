/* test_limits.c - limits as clients meet them. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_limits(void);

static const struct scene few_per_database = { .settings = "max_db_client_connections = 2\n", .limit = 1 };
static const struct scene few_per_user = {
    .settings = "max_user_client_connections = 2\n", .limit = 1, .workers = 2, .entry = "user=app_user"
};
static const struct scene few_servers = { .settings = "max_db_connections = 1\nquery_wait_timeout = 5\n",
                                          .limit = 5 };
static const struct scene reserve = {
    .settings = "default_pool_size = 1\nreserve_pool_size = 1\nreserve_pool_timeout = 2\n", .limit = 5
};

static void
clients_of_a_database_are_bounded(void)
{
    PLAY(&few_per_database, "c1 enters", "c2 enters", "c3 connects", "c3 starts",
         "c3 gets Refusal FATAL 53300 (max_db_client_connections): database \"app\" has 2 of 2",
         "c3 is closed", "c1 hangs up", "c3 enters", "entry max_db_client_connections=3", "c4 enters",
         "c5 connects", "c5 starts",
         "c5 gets Refusal FATAL 53300 (max_db_client_connections): database \"app\" has 3 of 3",
         "c5 is closed");
}

static void
clients_are_counted_by_the_user_that_logs_in(void)
{
    PLAY(&few_per_user, "c1 enters", "c2 enters", "c3 connects", "c3 starts",
         "c3 gets Refusal FATAL 53300 (max_user_client_connections): user \"alice\" has 2 of 2",
         "c3 is closed", "c2 sends Terminate", "c2 is closed", "c3 enters");
}

static void
who_waits_in_vain_is_told_which_limit_binds(void)
{
    PLAY(&few_servers, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 enters",
         "c2 sends Query one", "time 6 s", "c2 gets Refusal FATAL 53300 query_wait_timeout", "c2 is closed",
         "servers 1");
}

static void
a_reserve_helps_who_has_waited(void)
{
    PLAY(&reserve, "c1 enters", "c1 sends Query begin", "s1 gets Query begin",
         "s1 sends Complete BEGIN | Ready T", "c1 gets Complete BEGIN | Ready T", "c2 enters",
         "c2 sends Query one", "time 1 s", "servers 1", "time 2 s", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c2 gets Complete 1 | Ready I");
}

void
suite_limits(void)
{
    CU_pSuite suite = CU_add_suite("limits", NULL, NULL);

    CU_ADD_TEST(suite, clients_of_a_database_are_bounded);
    CU_ADD_TEST(suite, clients_are_counted_by_the_user_that_logs_in);
    CU_ADD_TEST(suite, who_waits_in_vain_is_told_which_limit_binds);
    CU_ADD_TEST(suite, a_reserve_helps_who_has_waited);
}
