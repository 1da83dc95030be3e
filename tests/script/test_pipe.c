/* test_pipe.c - replication connections: a server of their own, and bytes that nobody reads. */
#include <CUnit/CUnit.h>

#include "script.h"

void suite_pipe(void);

static const struct scene two_servers = { .settings = "default_pool_size = 1\n", .limit = 2 };
static const struct scene one_server = { .settings = "query_wait_timeout = 5\n", .limit = 1 };

#define C1_REPLICATES \
    "c1 connects", "c1 sends Startup user=alice database=app replication=database", "c1 is greeted"

static void
bytes_go_to_and_fro_unread(void)
{
    PLAY_SPLITS(&two_servers, C1_REPLICATES, "c1 sends Query IDENTIFY_SYSTEM",
                "s1 gets Query IDENTIFY_SYSTEM", "s1 sends Row 1 | Complete 1 | Ready I",
                "c1 gets Row 1 | Complete 1 | Ready I", "s1 sends Type W 000", "c1 gets Type W 000",
                "s1 sends CopyData one", "c1 gets CopyData one", "c1 sends CopyData two",
                "s1 gets CopyData two", "s1 sends CopyData three", "c1 gets CopyData three",
                "c1 sends CopyDone", "s1 gets CopyDone");
}

static void
its_server_is_its_own(void)
{
    PLAY(&two_servers, C1_REPLICATES, "c2 enters", "c2 sends Query one", "s2 gets Query one",
         "s2 sends Complete 1 | Ready I", "c2 gets Complete 1 | Ready I", "c1 sends Terminate",
         "s1 gets Terminate", "s1 closes", "c1 is closed", "servers 1");
    PLAY(&two_servers, C1_REPLICATES, "c1 hangs up", "s1 is closed", "servers 0");
    PLAY(&two_servers, C1_REPLICATES, "s1 closes", "c1 is closed", "c2 enters");
}

static void
it_counts_against_the_limits(void)
{
    PLAY(&one_server, C1_REPLICATES, "c2 connects", "c2 starts", "time 6 s",
         "c2 gets Refusal FATAL 53300 query_wait_timeout", "c2 is closed", "c1 is open");
    PLAY(&one_server, "c2 enters", "servers 1", C1_REPLICATES, "s1 gets Terminate", "s1 is closed",
         "servers 1");
}

static void
who_is_sent_away_is_told_nothing(void)
{
    PLAY(&one_server, C1_REPLICATES, "s1 sends Bytes 64 00 00 00 ff", "c1 gets Bytes 64 00 00 00 ff",
         "admin KILL_CLIENT 1", "c1 is closed", "s1 is closed");
    PLAY(&one_server, C1_REPLICATES, "drain", "c1 is closed", "s1 is closed", "drained");
}

void
suite_pipe(void)
{
    CU_pSuite suite = CU_add_suite("pipe", NULL, NULL);

    CU_ADD_TEST(suite, bytes_go_to_and_fro_unread);
    CU_ADD_TEST(suite, its_server_is_its_own);
    CU_ADD_TEST(suite, it_counts_against_the_limits);
    CU_ADD_TEST(suite, who_is_sent_away_is_told_nothing);
}
