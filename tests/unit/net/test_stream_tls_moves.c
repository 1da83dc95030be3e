/* test_stream_tls_moves.c - streams that speak TLS move between loops, and between threads. */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tls_bench.h"
#include "pgweir/base/mem.h"

void suite_stream_tls_moves(void);

static void
an_idle_tls_stream_moves_to_another_loop_and_to_other_memory(void)
{
    struct tls_bench f;
    struct bench g;
    struct peer *moved = mem_new(sizeof(*moved));

    tls_bench_init(&f);
    talk(&f);
    bench_init(&g);
    CU_ASSERT_TRUE_FATAL(stream_can_move(&f.server->stream));
    stream_leave(&f.server->stream);
    peer_init(moved);
    moved->stream = f.server->stream;
    moved->stream.owner = moved;
    buf_release(&f.server->got);
    memset(f.server, 0x5a, sizeof(*f.server));
    peer_init(f.server);
    stream_join(&moved->stream, g.loop);
    send_text(f.client, "over there");
    settle(g.loop);
    CU_ASSERT_TRUE(peer_got(moved, "over there"));
    send_text(moved, "over here");
    settle(f.bench.loop);
    CU_ASSERT_TRUE(peer_got(f.client, "answerover here"));
    peer_fini(moved);
    free(moved);
    bench_fini(&g);
    tls_bench_fini(&f);
}

static void
a_stream_with_half_a_record_or_half_a_handshake_cannot_move(void)
{
    struct tls_bench f;

    tls_bench_init_with(&f, connect_params(), accept_params());
    stream_start_tls_accept(&f.server->stream, f.accepting, slice_of(NULL, 0));
    CU_ASSERT_FALSE(stream_can_move(&f.server->stream));
    stream_start_tls_connect(&f.client->stream, f.connecting, "db.test", NULL);
    settle(f.bench.loop);
    CU_ASSERT_TRUE(stream_can_move(&f.server->stream));
    CU_ASSERT_EQUAL(send(f.client->stream.fd, "\x17\x03\x03\x00\x20half", 9, MSG_NOSIGNAL), 9);
    settle(f.bench.loop);
    CU_ASSERT_FALSE(stream_can_move(&f.server->stream));
    tls_bench_fini(&f);
}

/* Two threads hand one TLS stream to and fro while the client, in a third, plays ping-pong with it. */
#define MOVES 50
#define PINGS_BETWEEN_MOVES 20

struct traveller {
    struct letter letter;
    struct stream stream;
    struct room *room; /* where it is */
    unsigned moves, pings;
};

struct room {
    struct clock clock;
    struct loop *loop;
    struct room *other;
    pthread_t thread;
};

static void
traveller_arrives(struct letter *letter, void *recipient)
{
    struct traveller *t = CONTAINER_OF(letter, struct traveller, letter);

    t->room = recipient;
    stream_join(&t->stream, t->room->loop);
}

static void
traveller_on_bytes(void *owner, struct slice fresh)
{
    struct traveller *t = owner;

    t->pings++;
    stream_send(&t->stream, fresh);
    if (t->pings % PINGS_BETWEEN_MOVES != 0 || !stream_can_move(&t->stream))
        return;
    t->moves++;
    stream_leave(&t->stream);
    CU_ASSERT_TRUE(loop_post(t->room->other->loop, &t->letter));
}

static void
traveller_on_closed(void *owner, const struct error *why)
{
    struct traveller *t = owner;
    struct room *room = t->room;

    CU_ASSERT_PTR_NULL(why);
    stream_close(&t->stream);
    loop_stop(room->other->loop);
    loop_stop(room->loop);
}

static void
traveller_on_nothing(void *owner)
{
    (void)owner;
}

static void *
live_in_room(void *arg)
{
    loop_run(((struct room *)arg)->loop);
    return NULL;
}

static void
ping_again(struct peer *p, struct slice fresh)
{
    if (p->bytes_calls < MOVES * PINGS_BETWEEN_MOVES)
        stream_send(&p->stream, fresh);
    else
        stream_close(&p->stream);
}

static void
a_tls_stream_moves_between_threads_while_it_is_in_use(void)
{
    static const struct stream_handler handler = { traveller_on_bytes, traveller_on_nothing,
                                                   traveller_on_closed, traveller_on_nothing };
    struct tls_bench f;
    struct room rooms[2];
    struct traveller t = { .letter = { .on_arrival = traveller_arrives } };

    tls_bench_init(&f);
    for (int i = 0; i < 2; i++) {
        rooms[i] = (struct room){ .clock = clock_real(), .other = &rooms[1 - i] };
        rooms[i].loop = loop_new(&rooms[i].clock, &rooms[i], NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rooms[i].loop);
    }
    stream_leave(&f.server->stream);
    t.stream = f.server->stream;
    t.stream.owner = &t;
    t.stream.handler = &handler;
    peer_init(f.server);
    CU_ASSERT_TRUE(loop_post(rooms[0].loop, &t.letter));
    for (int i = 0; i < 2; i++)
        pthread_create(&rooms[i].thread, NULL, live_in_room, &rooms[i]);
    f.client->then_on_bytes = ping_again;
    send_text(f.client, "ping");
    while (stream_is_open(&f.client->stream))
        loop_turn(f.bench.loop);
    for (int i = 0; i < 2; i++)
        pthread_join(rooms[i].thread, NULL);
    CU_ASSERT_EQUAL(t.pings, MOVES * PINGS_BETWEEN_MOVES);
    CU_ASSERT_EQUAL(t.moves, MOVES);
    for (int i = 0; i < 2; i++)
        loop_free(rooms[i].loop);
    tls_bench_fini(&f);
}

void
suite_stream_tls_moves(void)
{
    CU_pSuite suite = CU_add_suite("stream_tls_moves", NULL, NULL);

    CU_ADD_TEST(suite, an_idle_tls_stream_moves_to_another_loop_and_to_other_memory);
    CU_ADD_TEST(suite, a_tls_stream_moves_between_threads_while_it_is_in_use);
    CU_ADD_TEST(suite, a_stream_with_half_a_record_or_half_a_handshake_cannot_move);
}
