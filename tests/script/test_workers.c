/* test_workers.c - servers and clients of several workers: a server goes where it is needed, and nobody waits
 * while one is idle. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_workers(void);

/* Clients are dealt out in turn: odd ones to the first worker, even ones to the second. */
static const struct scene one_server = { .limit = 1, .workers = 2 };
static const struct scene two_servers = { .limit = 2, .workers = 2 };
static const struct scene sessions = { .settings = "pool_mode = session\n", .limit = 1, .workers = 2 };
static const struct scene four_workers = { .limit = 1, .workers = 4 };

static void
an_idle_server_comes_over(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
                "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
                "c1 sends Query three", "s1 gets Query three", "s1 sends Complete 3 | Ready I",
                "c1 gets Complete 3 | Ready I", "servers 1");
}

static void
a_server_that_comes_free_goes_to_who_waits_elsewhere(void)
{
    PLAY_SPLITS(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
                "c2 sends Query two", "s1 gets nothing", "s1 sends Complete 1 | Ready I",
                "c1 gets Complete 1 | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
                "c2 gets Complete 2 | Ready I", "servers 1");
}

static void
it_goes_round_among_four(void)
{
    PLAY(&four_workers, "c1 enters", "c2 enters", "c3 enters", "c4 enters", "c1 sends Query 1",
         "s1 gets Query 1", "time 100 ms", "c2 sends Query 2", "time 100 ms", "c3 sends Query 3",
         "time 100 ms", "c4 sends Query 4", "time 100 ms", "s1 sends Complete 1 | Ready I",
         "c1 gets Complete 1 | Ready I", "s1 gets Query 2", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I", "s1 gets Query 3", "s1 sends Complete 3 | Ready I",
         "c3 gets Complete 3 | Ready I", "s1 gets Query 4", "s1 sends Complete 4 | Ready I",
         "c4 gets Complete 4 | Ready I", "servers 1");
}

static void
a_dirty_server_is_scrubbed_wherever_it_comes(void)
{
    PLAY(
        &one_server, "c1 enters", "c2 enters", "c1 sends Query set a to b", "s1 gets Query set a to b",
        "s1 sends Complete SET | Ready I", "c1 gets Complete SET | Ready I", "c2 sends Query two",
        "s1 is asked", "s1 sends Row v 62 | Complete SELECT 1 | Ready I",
        "s1 gets Query BEGIN ISOLATION LEVEL READ COMMITTED;SELECT pg_catalog.set_config(E'a',NULL,false);COMMIT"
        " | Query two",
        "s1 sends Complete RESET | Ready I | Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
}

static void
what_a_server_says_after_it_moved_is_heard(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I",
         "s1 sends Error FATAL 57P01 bye", "s1 is closed", "c1 sends Query three", "s2 gets Query three",
         "s2 sends Complete 3 | Ready I", "c1 gets Complete 3 | Ready I");
}

static void
a_server_that_is_cleaned_comes_over_when_it_is_clean(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query slow", "s1 gets Query slow",
         "c2 sends Query two", "c1 hangs up", "k1 cancels s1",
         "s1 sends Error ERROR 57014 cancelled | Ready I", "s1 gets nothing", "k1 closes",
         "s1 gets Query two", "s1 sends Complete 2 | Ready I", "c2 gets Complete 2 | Ready I");
    PLAY(&sessions, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "s1 sends Complete 1 | Ready I", "c1 gets Complete 1 | Ready I", "c2 sends Query two",
         "s1 gets nothing", "c1 hangs up", "s1 gets Query DISCARD ALL",
         "s1 sends Complete DISCARD ALL | Ready I", "s1 gets Query two", "s1 sends Complete 2 | Ready I",
         "c2 gets Complete 2 | Ready I");
}

static void
each_worker_uses_its_own_first(void)
{
    PLAY(&two_servers, "c1 enters", "c2 enters", "c1 sends Query one", "c2 sends Query two",
         "s1 gets Query one", "s2 gets Query two", "s1 sends Complete 1 | Ready I",
         "s2 sends Complete 2 | Ready I", "c1 gets Complete 1 | Ready I", "c2 gets Complete 2 | Ready I",
         "c1 sends Query three", "c2 sends Query four", "s1 gets Query three", "s2 gets Query four",
         "s1 sends Complete 3 | Ready I", "s2 sends Complete 4 | Ready I", "c1 gets Complete 3 | Ready I",
         "c2 gets Complete 4 | Ready I");
}

static void
a_waiting_client_may_leave_while_a_server_is_on_its_way(void)
{
    PLAY(&one_server, "c1 enters", "c2 enters", "c1 sends Query one", "s1 gets Query one",
         "c2 sends Query two", "s1 sends Complete 1 | Ready I", "c2 hangs up", "c1 gets Complete 1 | Ready I",
         "s1 hears Query two", "k1 cancels s1", "k1 closes", "s1 sends Complete 2 | Ready I",
         "c1 sends Query three", "s1 gets Query three", "s1 sends Complete 3 | Ready I",
         "c1 gets Complete 3 | Ready I");
}

void
suite_workers(void)
{
    CU_pSuite suite = CU_add_suite("workers", NULL, NULL);

    CU_ADD_TEST(suite, an_idle_server_comes_over);
    CU_ADD_TEST(suite, a_server_that_comes_free_goes_to_who_waits_elsewhere);
    CU_ADD_TEST(suite, it_goes_round_among_four);
    CU_ADD_TEST(suite, a_dirty_server_is_scrubbed_wherever_it_comes);
    CU_ADD_TEST(suite, what_a_server_says_after_it_moved_is_heard);
    CU_ADD_TEST(suite, a_server_that_is_cleaned_comes_over_when_it_is_clean);
    CU_ADD_TEST(suite, each_worker_uses_its_own_first);
    CU_ADD_TEST(suite, a_waiting_client_may_leave_while_a_server_is_on_its_way);
}
