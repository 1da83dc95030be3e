/*
 * test_client_gone.c - a client that vanishes in the middle of something leaves nothing behind: its
 * transaction is rolled back, its query is cancelled, and its server serves the next client.
 *
 * The pool has one server, so the next client shows that it came back, and by its process number that it is
 * the same one.
 */

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "raw.h"
#include "script.h"

void suite_client_gone(void);

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "verbose = 1\n"
                    "default_pool_size = 1\n"
                    "client_tls_sslmode = prefer\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n",
    });
}

enum goodbye { GOODBYE_CLOSE, GOODBYE_RESET, GOODBYE_TLS, GOODBYE_COUNT };

/* A fresh table, and no servers but pgweir's idle ones. */
static void
clean_slate(void)
{
    pg_ask(pg_main(), "select pg_terminate_backend(pid, 10000) from pg_stat_activity "
                      "where usename = 'app_user' and state <> 'idle'");
    pg_ask(pg_main(), "drop table if exists gone; create table gone (a int)");
}

static void
expect_nothing_behind(void)
{
    SAYS(pg_ask(pg_main(), "select count(*) from gone"), "0");
    SAYS(pg_ask(pg_main(),
                "select count(*) from pg_stat_activity where usename = 'app_user' and state <> 'idle'"),
         "0");
}

/* The server's process, as the next client sees it. */
static int
next_backend(void)
{
    PGconn *next = weir_dial(weir());
    int backend = number(ask(next, "select pg_backend_pid()"));

    PQfinish(next);
    return backend;
}

static struct raw *
client(enum goodbye how)
{
    return how == GOODBYE_TLS ? raw_open_tls(weir_port(weir())) : raw_open(weir_port(weir()));
}

static void
leave(struct raw *r, enum goodbye how)
{
    if (how == GOODBYE_RESET)
        raw_abort(r);
    else
        raw_close(r);
}

/*
 * In each way of leaving: a client plays SCRIPT to its end and is gone. Afterwards nothing of it is left, and
 * the server is the one it was (with SAME_SERVER).
 */
static void
leaves_nothing_behind(const char *const *script, bool same_server, unsigned line)
{
    for (enum goodbye how = GOODBYE_CLOSE; how < GOODBYE_COUNT; how++) {
        int before;
        struct raw *r;
        struct buf out = { 0 };
        bool same;

        clean_slate();
        before = next_backend();
        r = client(how);
        for (size_t i = 0; script[i] != NULL; i++) {
            if (script[i][0] != '<') {
                script_add(&out, script[i]);
                continue;
            }
            CU_ASSERT(raw_send_buf(r, &out));
            CU_ASSERT(raw_until(r, script[i][1]));
        }
        CU_ASSERT(raw_send_buf(r, &out));
        leave(r, how);
        same = next_backend() == before || !same_server;
        CU_assertImplementation(same, line, "the same server serves the next client", __FILE__, "", CU_FALSE);
        expect_nothing_behind();
    }
}
#define LEAVES_NOTHING_BEHIND(...) \
    leaves_nothing_behind((const char *const[]){ __VA_ARGS__, NULL }, true, __LINE__)
#define LEAVES_AT_MOST_A_NEW_SERVER_BEHIND(...) \
    leaves_nothing_behind((const char *const[]){ __VA_ARGS__, NULL }, false, __LINE__)

static void
an_open_transaction_is_rolled_back(void)
{
    LEAVES_NOTHING_BEHIND("Q begin; insert into gone values (1)", "<Z");
    LEAVES_NOTHING_BEHIND("P - begin", "B - -", "E - 0", "S", "<Z", "P - insert into gone values (1)",
                          "B - -", "E - 0", "S", "<Z");
}

static void
a_failed_transaction_is_rolled_back(void)
{
    LEAVES_NOTHING_BEHIND("Q begin; insert into gone values (1); select 1/0", "<Z");
}

static void
a_pipeline_without_sync_is_rolled_back(void)
{
    LEAVES_NOTHING_BEHIND("P - insert into gone values (1)", "B - -", "E - 0", "H", "<C");
    LEAVES_NOTHING_BEHIND("P - select 1/0", "B - -", "E - 0", "H", "<E");
}

static void
a_running_query_is_cancelled(void)
{
    LEAVES_NOTHING_BEHIND("Q begin", "<Z", "Q insert into gone select 1 from pg_sleep(60)");
    LEAVES_NOTHING_BEHIND("P - insert into gone select 1 from pg_sleep(60)", "B - -", "E - 0", "S");
}

static void
a_pipeline_of_slow_queries_is_cancelled(void)
{
    LEAVES_NOTHING_BEHIND("Q select pg_sleep(60)", "Q select pg_sleep(60)", "Q select pg_sleep(60)");
}

static void
rows_that_were_being_copied_in_are_dropped(void)
{
    LEAVES_NOTHING_BEHIND("Q copy gone from stdin", "<G", "d 1", "d 2");
    LEAVES_NOTHING_BEHIND("P - copy gone from stdin", "B - -", "E - 0", "H", "<G", "d 1", "d 2");
    /* Whether a Sync that is sent during the copy will be answered, nobody can know. */
    LEAVES_AT_MOST_A_NEW_SERVER_BEHIND("P - copy gone from stdin", "B - -", "E - 0", "S", "<G", "d 1", "S");
}

static void
a_large_result_is_thrown_away(void)
{
    LEAVES_NOTHING_BEHIND("Q select repeat('x', 1000), generate_series(1, 100000000)", "<D");
    LEAVES_NOTHING_BEHIND("Q copy (select repeat('x', 1000), generate_series(1, 100000000)) to stdout", "<d");
}

/* Sends the first BYTES of a message and is gone. */
static void
half_a_message(const char *first, const char *line, size_t bytes)
{
    for (enum goodbye how = GOODBYE_CLOSE; how < GOODBYE_COUNT; how++) {
        struct raw *r;
        struct buf out = { 0 };

        clean_slate();
        r = client(how);
        if (first != NULL) {
            script_add(&out, first);
            CU_ASSERT(raw_send_buf(r, &out));
            CU_ASSERT(raw_until(r, 'Z'));
        }
        script_add(&out, line);
        CU_ASSERT(raw_send(r, slice_of(buf_slice(&out).at, bytes)));
        buf_release(&out);
        leave(r, how);
        CU_ASSERT(next_backend() > 0);
        expect_nothing_behind();
    }
}

static void
half_a_message_harms_nobody(void)
{
    static const char query[] = "Q insert into gone values (1) /* x */";

    half_a_message(NULL, query, 1);
    half_a_message(NULL, query, 5);
    half_a_message(NULL, query, 20);
    half_a_message("Q begin; insert into gone values (1)", query, 20);
    half_a_message(NULL, "P - insert into gone values (1)", 12);
    half_a_message("Q begin; insert into gone values (1)", "B - - x*100000", 50000);
    half_a_message(NULL, "B - - x*5000000", 3000000);
}

static void
a_client_that_says_goodbye_politely_leaves_nothing_either(void)
{
    int before;
    PGconn *c;

    clean_slate();
    before = next_backend();
    c = weir_dial(weir());
    SAYS(ask(c, "begin; insert into gone values (1)"), "INSERT 0 1");
    PQfinish(c);
    CU_ASSERT_EQUAL(next_backend(), before);
    expect_nothing_behind();
}

static void
a_short_query_sent_with_goodbye_is_done(void)
{
    struct raw *r;
    struct buf out = { 0 };

    clean_slate();
    r = raw_open(weir_port(weir()));
    script_add(&out, "Q insert into gone select 1 from pg_sleep(0.2)");
    script_add(&out, "X");
    CU_ASSERT(raw_send_buf(r, &out));
    raw_close(r);
    EVENTUALLY(pg_count(pg_main(), "select count(*) from gone") == 1); /* as on a direct connection */
}

static void
a_client_that_waits_for_a_server_can_leave(void)
{
    clean_slate();

    PGconn *holder = weir_dial(weir());
    struct raw *waiter = raw_open(weir_port(weir()));
    PGconn *next = weir_dial(weir());

    SAYS(ask(holder, "begin"), "BEGIN");
    CU_ASSERT(raw_send_query(waiter, "insert into gone values (1)"));
    PQsendQuery(next, "select count(*) from gone");
    raw_abort(waiter);
    EVENTUALLY(weir_logged(weir(), "client unexpected eof"));
    SAYS(ask(holder, "commit"), "COMMIT");
    SAYS(answer(next), "0");
    PQfinish(holder);
    PQfinish(next);
}

static const struct test_case cases[] = {
    TEST(an_open_transaction_is_rolled_back),
    TEST(a_failed_transaction_is_rolled_back),
    TEST(a_pipeline_without_sync_is_rolled_back),
    TEST(a_running_query_is_cancelled),
    TEST(a_pipeline_of_slow_queries_is_cancelled),
    TEST(rows_that_were_being_copied_in_are_dropped),
    TEST(a_large_result_is_thrown_away),
    TEST(half_a_message_harms_nobody),
    TEST(a_client_that_says_goodbye_politely_leaves_nothing_either),
    TEST(a_short_query_sent_with_goodbye_is_done),
    TEST(a_client_that_waits_for_a_server_can_leave),
};

void
suite_client_gone(void)
{
    SUITE("client gone", cases);
}
