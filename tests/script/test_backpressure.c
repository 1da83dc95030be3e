/*
 * test_backpressure.c - who does not read stops who sends, and the pooler keeps a bounded amount in between:
 * what it has taken from the one and not given to the other is what the sockets hold and some hundred
 * kilobytes.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "message.h"
#include "script.h"

void suite_backpressure(void);

static const struct scene one_server = { .limit = 1 };
static const struct scene two_servers = { .limit = 2 };
static const struct scene sessions = { .settings = "pool_mode = session\n", .limit = 1 };

#define BIG (8u * 1024u * 1024u)
#define BOUND (1536u * 1024u) /* two pairs of sockets take 0.4 MB each */

static void
check_bounded(struct script *s, const struct actor *a, uint64_t before)
{
    if (a->sent_bytes - before > BOUND)
        script_fail(s, "%llu bytes were taken", (unsigned long long)(a->sent_bytes - before));
    if (buf_len(&a->out) == 0)
        script_fail(s, "all was taken");
}

/* COUNT times the messages of WORDS, at once. */
static void
send_many(struct actor *a, const char *words, unsigned count)
{
    struct buf one;
    struct buf all;

    buf_init(&one);
    buf_init(&all);
    CU_ASSERT_TRUE(messages_write(&one, words));
    for (unsigned i = 0; i < count; i++)
        buf_add(&all, buf_slice(&one));
    actor_send(a, buf_slice(&all));
    buf_release(&one);
    buf_release(&all);
}

/* COUNT messages of TYPE have come, and nothing that is not whole; all is forgotten. */
static void
hear_many(struct actor *a, char type, unsigned count)
{
    struct slice in = buf_slice(&a->in);
    struct slice message;
    unsigned heard = 0;

    while (message_take(&in, &message))
        heard += message.at[0] == (uint8_t)type;
    if (heard != count || in.len != 0)
        script_fail(a->script, "%u messages %c came and not %u", heard, type, count);
    actor_forget(a);
}

static void
a_client_that_does_not_read_stops_its_server(void)
{
    struct script *s = script_begin(&two_servers, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query big");
    script_line(s, "s1 gets Query big");
    script_line(s, "c1 stops reading");
    before = server->sent_bytes;
    send_many(server, "Row x*1000", BIG / 1000);
    check_bounded(s, server, before);
    script_line(s, "c2 sends Query two");
    script_line(s, "s2 gets Query two");
    script_line(s, "s2 sends Complete 2 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I");
    script_line(s, "c1 reads on");
    hear_many(client, 'D', BIG / 1000);
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    script_end(s);
}

static void
one_large_row_is_no_different(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c1 sends Query big");
    script_line(s, "s1 gets Query big");
    script_line(s, "c1 stops reading");
    before = server->sent_bytes;
    script_line(s, "s1 sends Row x*%u", BIG);
    check_bounded(s, server, before);
    script_line(s, "c1 reads on");
    hear_many(client, 'D', 1);
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    script_end(s);
}

static void
a_server_that_does_not_read_stops_its_client(void)
{
    struct script *s = script_begin(&two_servers, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query copy in");
    script_line(s, "s1 gets Query copy in");
    script_line(s, "s1 sends CopyIn");
    script_line(s, "c1 gets CopyIn");
    script_line(s, "s1 stops reading");
    before = client->sent_bytes;
    send_many(client, "CopyData x*1000", BIG / 1000);
    check_bounded(s, client, before);
    script_line(s, "c2 sends Query two");
    script_line(s, "s2 gets Query two");
    script_line(s, "s2 sends Complete 2 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I");
    script_line(s, "s1 reads on");
    hear_many(script_actor(s, ACTOR_SERVER, 1), 'd', BIG / 1000);
    script_line(s, "c1 sends CopyDone");
    script_line(s, "s1 gets CopyDone");
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    script_end(s);
}

static void
one_large_query_is_no_different(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "s1 stops reading");
    before = client->sent_bytes;
    script_line(s, "c1 sends Query x*%u", BIG);
    check_bounded(s, client, before);
    script_line(s, "s1 reads on");
    hear_many(script_actor(s, ACTOR_SERVER, 1), 'Q', 1);
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    script_line(s, "s1 is asked: nothing");
    script_end(s);
}

static void
a_client_that_waits_for_a_server_is_stopped(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 2);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query one");
    script_line(s, "s1 gets Query one");
    before = client->sent_bytes;
    script_line(s, "c2 sends Query x*%u | Query two", BIG);
    check_bounded(s, client, before);
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    hear_many(script_actor(s, ACTOR_SERVER, 1), 'Q', 2);
    script_line(s, "s1 sends Complete 2 | Ready I | Complete 3 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I | Complete 3 | Ready I");
    script_line(s, "s1 is asked: nothing");
    script_end(s);
}

static void
a_client_that_has_not_been_greeted_is_stopped(void)
{
    static const struct scene scene = { .limit = 1, .by_hand = true };
    struct script *s = script_begin(&scene, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);

    script_line(s, "c1 connects");
    script_line(s, "c1 starts");
    script_line(s, "c1 sends Query x*%u | Query two", BIG);
    check_bounded(s, client, 0);
    script_line(s, "s1 accepts");
    script_line(s, "s1 sends AuthOk | Key 1001 7001 | Ready I");
    script_line(s, "c1 is greeted");
    hear_many(script_actor(s, ACTOR_SERVER, 1), 'Q', 2);
    script_line(s, "s1 sends Complete 2 | Ready I | Complete 3 | Ready I");
    script_line(s, "c1 gets Complete 2 | Ready I | Complete 3 | Ready I");
    script_line(s, "s1 is asked: nothing");
    script_end(s);
}

/* We answer these ourselves, so nothing but our own care stops them. */
static void
a_client_that_syncs_and_does_not_read_is_stopped(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c1 stops reading");
    before = client->sent_bytes;
    send_many(client, "Sync", BIG / 5);
    check_bounded(s, client, before);
    script_line(s, "c1 reads on");
    hear_many(client, 'Z', BIG / 5);
    script_line(s, "c1 sends Query one");
    script_line(s, "s1 gets Query one");
    script_line(s, "s1 sends Complete 1 | Ready I");
    script_line(s, "c1 gets Complete 1 | Ready I");
    script_end(s);
}

/* Answers each Query with its own length of rows. */
static bool
answer_queries(struct script *s, struct actor *server, struct slice *in, struct buf *out)
{
    struct slice message;
    bool is_any = false;

    (void)s;
    (void)server;
    for (; buf_len(out) < 100000 && message_take(in, &message); is_any = true)
        if (message.at[0] == 'Q')
            (void)messages_write(out, "Row x*100 | Complete 1 | Ready I");
    return is_any;
}

static void
a_client_that_asks_and_does_not_read_is_stopped(void)
{
    static const struct scene scene = { .limit = 1, .serve = answer_queries };
    struct script *s = script_begin(&scene, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    uint64_t before;

    script_line(s, "c1 enters");
    script_line(s, "c1 stops reading");
    before = client->sent_bytes;
    send_many(client, "Query select x", 200000);
    check_bounded(s, client, before);
    script_line(s, "c2 enters");
    script_line(s, "c1 reads on");
    hear_many(client, 'Z', 200000);
    script_line(s, "c2 sends Query two");
    script_line(s, "c2 gets Row x*100 | Complete 1 | Ready I");
    script_end(s);
}

static void
more_is_pipelined_than_the_ledger_holds(void)
{
    struct script *s = script_begin(&sessions, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);

    script_line(s, "c1 enters");
    send_many(client, "Query -", 150000);
    hear_many(server, 'Q', 65536);
    for (unsigned i = 0; i < 150000; i += 10000)
        send_many(server, "Empty | Ready I", 10000);
    hear_many(client, 'Z', 150000);
    hear_many(server, 'Q', 150000 - 65536);
    script_end(s);
}

static void
a_client_that_does_not_read_may_leave(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query big");
    script_line(s, "s1 gets Query big");
    script_line(s, "c2 sends Query two");
    script_line(s, "c1 stops reading");
    send_many(server, "Row x*1000", BIG / 1000);
    script_line(s, "c1 hangs up");
    script_line(s, "k1 cancels s1");
    script_line(s, "k1 closes");
    script_line(s, "s1 sends Error ERROR 57014 cancelled | Ready I");
    script_line(s, "s1 gets Query two");
    script_line(s, "s1 sends Complete 2 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I");
    script_end(s);
}

static void
a_client_stopped_by_its_server_may_leave(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query copy in");
    script_line(s, "s1 gets Query copy in");
    script_line(s, "s1 sends CopyIn");
    script_line(s, "c1 gets CopyIn");
    script_line(s, "s1 stops reading");
    send_many(client, "CopyData x*1000", BIG / 1000);
    script_line(s, "c2 sends Query two");
    script_line(s, "c1 hangs up");
    script_line(s, "s1 reads on");
    actor_forget(server);
    if (!server->is_ended) /* else it was closed for half a message */
        script_line(s, "s1 sends Error ERROR 57014 gone | Ready I");
    script_line(s, server->is_ended ? "s2 gets Query two" : "s1 gets Query two");
    script_end(s);
}

static void
a_server_may_die_while_its_client_does_not_read(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *client = script_actor(s, ACTOR_CLIENT, 1);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);
    struct slice in;
    struct slice message;
    unsigned rows = 0;

    script_line(s, "c1 enters");
    script_line(s, "c2 enters");
    script_line(s, "c1 sends Query big");
    script_line(s, "s1 gets Query big");
    script_line(s, "c2 sends Query two");
    script_line(s, "c1 stops reading");
    send_many(server, "Row x*1000", BIG / 1000);
    script_line(s, "s1 closes");
    script_line(s, "c1 reads on");
    in = buf_slice(&client->in);
    while (message_take(&in, &message) && message.at[0] == 'D')
        rows++;
    CU_ASSERT_TRUE(rows > 100);
    CU_ASSERT_TRUE(client->is_ended);
    actor_forget(client);
    script_line(s, "s2 gets Query two");
    script_line(s, "s2 sends Complete 2 | Ready I");
    script_line(s, "c2 gets Complete 2 | Ready I");
    script_end(s);
}

static void
a_client_that_does_not_read_its_last_words_is_closed_all_the_same(void)
{
    struct script *s = script_begin(&one_server, __FILE__, __LINE__);
    struct actor *server = script_actor(s, ACTOR_SERVER, 1);

    script_line(s, "c1 enters");
    script_line(s, "c1 sends Query big");
    script_line(s, "s1 gets Query big");
    script_line(s, "c1 stops reading");
    send_many(server, "Row x*1000", BIG / 1000);
    script_line(s, "c1 sends Type ? x");
    script_line(s, "time 5 s");
    script_line(s, "c1 reads on");
    CU_ASSERT_TRUE(script_actor(s, ACTOR_CLIENT, 1)->is_ended);
    actor_forget(script_actor(s, ACTOR_CLIENT, 1));
    script_line(s, "k1 cancels s1");
    script_end(s);
}

void
suite_backpressure(void)
{
    CU_pSuite suite = CU_add_suite("backpressure", NULL, NULL);

    CU_ADD_TEST(suite, a_client_that_does_not_read_stops_its_server);
    CU_ADD_TEST(suite, one_large_row_is_no_different);
    CU_ADD_TEST(suite, a_server_that_does_not_read_stops_its_client);
    CU_ADD_TEST(suite, one_large_query_is_no_different);
    CU_ADD_TEST(suite, a_client_that_waits_for_a_server_is_stopped);
    CU_ADD_TEST(suite, a_client_that_has_not_been_greeted_is_stopped);
    CU_ADD_TEST(suite, a_client_that_syncs_and_does_not_read_is_stopped);
    CU_ADD_TEST(suite, a_client_that_asks_and_does_not_read_is_stopped);
    CU_ADD_TEST(suite, more_is_pipelined_than_the_ledger_holds);
    CU_ADD_TEST(suite, a_client_that_does_not_read_may_leave);
    CU_ADD_TEST(suite, a_client_stopped_by_its_server_may_leave);
    CU_ADD_TEST(suite, a_server_may_die_while_its_client_does_not_read);
    CU_ADD_TEST(suite, a_client_that_does_not_read_its_last_words_is_closed_all_the_same);
}
