#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "pgweir/base/mem.h"

void suite_stream(void);

#define MANY_BYTES (3u * 1024u * 1024u)

static void
send_text(struct peer *from, const char *text)
{
    stream_send(&from->stream, slice_of_text(text));
}

/* One peer in the loop, the other end a raw descriptor. */
static int
bench_init_raw(struct bench *f)
{
    int fds[2];

    bench_init(f);
    pair_unix(fds);
    stream_open(&f->a.stream, f->loop, fds[0]);
    stream_read_start(&f->a.stream);
    return fds[1];
}

static void
a_stream_over_nothing_is_closed_and_may_be_closed(void)
{
    struct peer p;

    peer_init(&p);
    CU_ASSERT_FALSE(stream_is_open(&p.stream));
    send_text(&p, "lost");
    stream_read_start(&p.stream);
    stream_read_stop(&p.stream);
    CU_ASSERT_FALSE(stream_can_move(&p.stream));
    CU_ASSERT_EQUAL(stream_backlog_bytes(&p.stream), 0);
    stream_close_gently(&p.stream);
    stream_close(&p.stream);
    peer_fini(&p);
}

static void
a_stream_is_small(void)
{
    CU_ASSERT_TRUE(sizeof(struct stream) <= 192);
}

static void
what_one_side_sends_the_other_side_gets(void)
{
    struct bench f;

    bench_init_unix(&f);
    send_text(&f.a, "SELECT 1");
    settle(f.loop);
    send_text(&f.b, "answer");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.b, "SELECT 1"));
    CU_ASSERT_TRUE(peer_got(&f.a, "answer"));
    CU_ASSERT_EQUAL(f.a.closed_calls + f.b.closed_calls + f.a.drained_calls, 0);
    bench_fini(&f);
}

static void
pieces_leave_together_in_order_and_empty_ones_do_not_matter(void)
{
    struct bench f;
    char text[] = "onetwothree";
    struct iovec iov[] = { { text, 0 },     { text, 3 },     { text, 0 },
                           { text + 3, 3 }, { text + 6, 5 }, { NULL, 0 } };

    bench_init_unix(&f);
    stream_sendv(&f.a.stream, iov, 6);
    stream_sendv(&f.a.stream, iov, 0);
    stream_sendv(&f.a.stream, iov, 1);
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.b, "onetwothree"));
    CU_ASSERT_EQUAL(f.b.bytes_calls, 1);
    bench_fini(&f);
}

static void
more_pieces_than_the_kernel_takes_at_once_all_arrive(void)
{
    struct bench f;
    size_t count = 5000;
    size_t piece = 37;
    uint8_t *bytes = pattern_new(count * piece);
    struct iovec *iov = mem_new(count * sizeof(*iov));

    bench_init_unix(&f);
    for (size_t i = 0; i < count; i++)
        iov[i] = (struct iovec){ bytes + i * piece, piece };
    stream_sendv(&f.a.stream, iov, (int)count);
    settle(f.loop);
    CU_ASSERT_EQUAL(buf_len(&f.b.got), count * piece);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.b.got)));
    free(iov);
    free(bytes);
    bench_fini(&f);
}

static void
what_the_socket_does_not_take_is_kept_and_sent_when_the_peer_reads_on(void)
{
    struct bench f;
    uint8_t *bytes = pattern_new(MANY_BYTES);
    struct iovec iov[] = { { bytes, 1000000 }, { bytes + 1000000, 7 }, { bytes + 1000007, 500 * 1000 } };

    bench_init_unix(&f);
    stream_read_stop(&f.b.stream);
    stream_sendv(&f.a.stream, iov, 3);
    CU_ASSERT_TRUE(stream_backlog_bytes(&f.a.stream) > STREAM_HIGH_BYTES);
    stream_send(&f.a.stream, slice_of(bytes + 1500007, MANY_BYTES - 1500007));
    settle(f.loop);
    CU_ASSERT_EQUAL(f.b.bytes_calls, 0);
    CU_ASSERT_EQUAL(f.a.drained_calls, 0);
    stream_read_start(&f.b.stream);
    settle(f.loop);
    CU_ASSERT_EQUAL(buf_len(&f.b.got), MANY_BYTES);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.b.got)));
    CU_ASSERT_EQUAL(f.a.drained_calls, 1);
    CU_ASSERT_EQUAL(stream_backlog_bytes(&f.a.stream), 0);
    free(bytes);
    bench_fini(&f);
}

static void
a_small_backlog_drains_without_a_word(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(MANY_BYTES);
    struct buf got;

    buf_init(&got);
    while (stream_backlog_bytes(&f.a.stream) == 0)
        stream_send(&f.a.stream, slice_of(bytes, 4000));
    CU_ASSERT_TRUE(stream_backlog_bytes(&f.a.stream) <= STREAM_LOW_BYTES);
    while (stream_backlog_bytes(&f.a.stream) > 0) {
        CU_ASSERT_TRUE(raw_read(raw, &got));
        loop_turn(f.loop);
    }
    CU_ASSERT_EQUAL(f.a.drained_calls, 0);
    buf_release(&got);
    free(bytes);
    close(raw);
    bench_fini(&f);
}

static void
stop_reading(struct peer *p, struct slice fresh)
{
    (void)fresh;
    stream_read_stop(&p->stream);
}

static void
nothing_comes_after_a_stop_until_the_start(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);

    f.a.then_on_bytes = stop_reading;
    raw_write(raw, "one");
    settle(f.loop);
    raw_write(raw, "two");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "one"));
    CU_ASSERT_FALSE(f.a.stream.is_watched);
    stream_read_start(&f.a.stream);
    CU_ASSERT_TRUE(peer_got(&f.a, "one")); /* not from inside the call */
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "onetwo"));
    close(raw);
    bench_fini(&f);
}

static void
a_stop_in_the_middle_of_much_input_leaves_the_rest_in_the_socket(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(3 * LOOP_READ_BYTES);
    size_t sent = 0;

    f.a.then_on_bytes = stop_reading;
    while (sent < 3 * LOOP_READ_BYTES) {
        ssize_t n = send(raw, bytes + sent, 3 * LOOP_READ_BYTES - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else
            break;
    }
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.bytes_calls, 1);
    CU_ASSERT_EQUAL(buf_len(&f.a.got), LOOP_READ_BYTES);
    for (unsigned i = 0; i < 10; i++) {
        stream_read_start(&f.a.stream);
        settle(f.loop);
    }
    CU_ASSERT_EQUAL(buf_len(&f.a.got), sent);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&f.a.got)));
    free(bytes);
    close(raw);
    bench_fini(&f);
}

static void
a_stop_and_a_start_with_nothing_between_leave_epoll_alone(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);

    stream_read_stop(&f.a.stream);
    settle(f.loop);
    CU_ASSERT_TRUE(f.a.stream.is_watched);
    stream_read_start(&f.a.stream);
    raw_write(raw, "one");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "one"));
    close(raw);
    bench_fini(&f);
}

static void
a_peer_that_always_has_more_does_not_keep_others_waiting(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(MANY_BYTES);
    int big = 8 << 20;
    unsigned most = 0;

    setsockopt(raw, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
    setsockopt(raw, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
    while (send(raw, bytes, 100000, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        continue;
    for (unsigned before = 0; loop_turn(f.loop); before = f.a.bytes_calls)
        if (f.a.bytes_calls - before > most)
            most = f.a.bytes_calls - before;
    CU_ASSERT_TRUE(most >= 1 && most <= 4);
    free(bytes);
    close(raw);
    bench_fini(&f);
}

static void
a_peer_that_ends_is_told_once_and_without_a_reason(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);

    raw_write(raw, "last");
    close(raw);
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "last"));
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    CU_ASSERT_FALSE(f.a.has_why);
    CU_ASSERT_TRUE(stream_is_open(&f.a.stream));
    stream_read_start(&f.a.stream);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    bench_fini(&f);
}

static void
an_answer_can_still_be_sent_to_a_peer_that_closed_its_side(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    struct buf got;

    buf_init(&got);
    shutdown(raw, SHUT_WR);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    send_text(&f.a, "answer");
    CU_ASSERT_TRUE(raw_read(raw, &got));
    CU_ASSERT_TRUE(slice_is(buf_slice(&got), "answer"));
    buf_release(&got);
    close(raw);
    bench_fini(&f);
}

static void
a_reset_is_told_with_its_reason(void)
{
    struct bench f;
    struct linger at_once = { .l_onoff = 1 };
    int fds[2];

    bench_init(&f);
    pair_tcp(fds);
    stream_open(&f.a.stream, f.loop, fds[0]);
    stream_read_start(&f.a.stream);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fds[1]);
    turn_until(f.loop, &f.a.closed_calls);
    CU_ASSERT_EQUAL_FATAL(f.a.closed_calls, 1);
    CU_ASSERT_TRUE(f.a.has_why);
    CU_ASSERT_EQUAL(f.a.why.code, ERR_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.a.why.text, "reset"));
    bench_fini(&f);
}

static void
the_last_words_of_a_peer_that_died_are_heard_before_the_failed_write_is_told(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);

    raw_write(raw, "FATAL");
    close(raw);
    send_text(&f.a, "SELECT 1");
    CU_ASSERT_EQUAL(f.a.closed_calls, 0); /* not from inside the call */
    CU_ASSERT_TRUE(f.a.stream.is_broken);
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "FATAL"));
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    CU_ASSERT_TRUE(f.a.has_why);
    CU_ASSERT_EQUAL(f.a.why.code, ERR_CLOSED);
    bench_fini(&f);
}

static void
they_are_heard_although_reading_was_stopped(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);

    stream_read_stop(&f.a.stream);
    raw_write(raw, "FATAL");
    settle(f.loop); /* takes the descriptor out of epoll */
    close(raw);
    send_text(&f.a, "SELECT 1");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "FATAL"));
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    bench_fini(&f);
}

static void
an_owner_that_stops_a_broken_stream_is_told_the_end_all_the_same(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(2 * LOOP_READ_BYTES);

    f.a.then_on_bytes = stop_reading;
    CU_ASSERT_TRUE(send(raw, bytes, LOOP_READ_BYTES + 100, MSG_NOSIGNAL) > (ssize_t)LOOP_READ_BYTES);
    close(raw);
    send_text(&f.a, "SELECT 1");
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.bytes_calls, 1);
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    CU_ASSERT_TRUE(f.a.has_why);
    free(bytes);
    bench_fini(&f);
}

static void
a_backlog_whose_peer_dies_is_dropped_and_told(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(MANY_BYTES);

    stream_read_stop(&f.a.stream);
    stream_send(&f.a.stream, slice_of(bytes, MANY_BYTES));
    close(raw);
    settle(f.loop);
    CU_ASSERT_EQUAL(stream_backlog_bytes(&f.a.stream), 0);
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    send_text(&f.a, "more");
    CU_ASSERT_EQUAL(stream_backlog_bytes(&f.a.stream), 0);
    free(bytes);
    bench_fini(&f);
}

/* Owners that end in their own handlers: the address sanitizer watches. */
static struct peer *
heap_peer_new(struct loop *loop, int fd)
{
    struct peer *p = mem_new(sizeof(*p));

    peer_init(p);
    stream_open(&p->stream, loop, fd);
    stream_read_start(&p->stream);
    return p;
}

static unsigned freed_count;

static void
free_peer(struct peer *p)
{
    freed_count++;
    peer_fini(p);
    free(p);
}

static void
free_peer_on_bytes(struct peer *p, struct slice fresh)
{
    (void)fresh;
    free_peer(p);
}

static void
an_owner_may_free_itself_in_every_handler(void)
{
    struct bench f;
    uint8_t *bytes = pattern_new(MANY_BYTES);
    int fds[3][2];
    struct peer *p;
    struct buf got;

    bench_init(&f);
    buf_init(&got);
    freed_count = 0;
    for (int i = 0; i < 3; i++)
        pair_unix(fds[i]);
    heap_peer_new(f.loop, fds[0][0])->then_on_bytes = free_peer_on_bytes;
    heap_peer_new(f.loop, fds[1][0])->then_on_closed = free_peer;
    p = heap_peer_new(f.loop, fds[2][0]);
    p->then_on_drained = free_peer;
    stream_send(&p->stream, slice_of(bytes, MANY_BYTES));
    CU_ASSERT_TRUE(send(fds[0][1], bytes, 2 * LOOP_READ_BYTES, MSG_NOSIGNAL) > 0);
    close(fds[1][1]);
    settle(f.loop);
    while (raw_read(fds[2][1], &got))
        settle(f.loop);
    CU_ASSERT_EQUAL(freed_count, 3);
    close(fds[0][1]);
    close(fds[2][1]);
    buf_release(&got);
    free(bytes);
    bench_fini(&f);
}

static void
free_the_other(struct peer *p, struct slice fresh)
{
    (void)fresh;
    stream_close(p->extra);
}

static void
a_stream_that_another_handler_closed_in_the_same_turn_is_left_alone(void)
{
    struct bench f;
    int fds[2][2];

    bench_init(&f);
    for (int i = 0; i < 2; i++)
        pair_unix(fds[i]);
    stream_open(&f.a.stream, f.loop, fds[0][0]);
    stream_open(&f.b.stream, f.loop, fds[1][0]);
    stream_read_start(&f.a.stream);
    stream_read_start(&f.b.stream);
    f.a.then_on_bytes = f.b.then_on_bytes = free_the_other;
    f.a.extra = &f.b.stream;
    f.b.extra = &f.a.stream;
    raw_write(fds[0][1], "x");
    raw_write(fds[1][1], "x");
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.bytes_calls + f.b.bytes_calls, 1);
    close(fds[0][1]);
    close(fds[1][1]);
    bench_fini(&f);
}

struct next_socket {
    struct loop *loop;
    int fd;
};

static void
reopen(struct peer *p, struct slice fresh)
{
    const struct next_socket *next = p->extra;

    (void)fresh;
    p->then_on_bytes = NULL;
    stream_close(&p->stream);
    stream_open(&p->stream, next->loop, next->fd);
    stream_read_start(&p->stream);
}

static void
a_stream_may_be_opened_again_inside_its_handler(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fds[2];
    struct next_socket next;

    pair_unix(fds);
    next.fd = fds[0];
    next.loop = f.loop;
    f.a.extra = &next;
    f.a.then_on_bytes = reopen;
    raw_write(raw, "one");
    raw_write(fds[1], "two");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "onetwo"));
    close(raw);
    close(fds[1]);
    bench_fini(&f);
}

static void
closing_closes_the_descriptor_at_once(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;

    stream_close(&f.a.stream);
    CU_ASSERT_FALSE(fd_is_open(fd));
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.closed_calls, 0);
    close(raw);
    bench_fini(&f);
}

/* Closing gently */

static void
a_gentle_close_sends_the_backlog_and_then_the_end(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;
    uint8_t *bytes = pattern_new(MANY_BYTES);
    struct buf got;

    buf_init(&got);
    stream_send(&f.a.stream, slice_of(bytes, MANY_BYTES));
    stream_close_gently(&f.a.stream);
    CU_ASSERT_FALSE(stream_is_open(&f.a.stream));
    raw_write(raw, "nobody reads this");
    while (raw_read(raw, &got))
        settle(f.loop);
    CU_ASSERT_EQUAL(buf_len(&got), MANY_BYTES);
    CU_ASSERT_TRUE(is_pattern(buf_slice(&got)));
    CU_ASSERT_TRUE(fd_is_open(fd)); /* waits for us */
    close(raw);
    settle(f.loop);
    CU_ASSERT_FALSE(fd_is_open(fd));
    CU_ASSERT_EQUAL(f.a.bytes_calls + f.a.closed_calls + f.a.drained_calls, 0);
    buf_release(&got);
    free(bytes);
    bench_fini(&f);
}

static void
a_gentle_close_waits_for_the_peer_no_longer_than_it_says(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;

    stream_close_gently(&f.a.stream);
    settle(f.loop);
    clock_advance_us(&f.clock, STREAM_LINGER_US - 1);
    settle(f.loop);
    CU_ASSERT_TRUE(fd_is_open(fd));
    clock_advance_us(&f.clock, 1);
    settle(f.loop);
    CU_ASSERT_FALSE(fd_is_open(fd));
    close(raw);
    bench_fini(&f);
}

static void
the_last_message_is_not_lost_to_a_reset(void)
{
    struct bench f;
    struct buf got;
    int fds[2];

    bench_init(&f);
    buf_init(&got);
    pair_tcp(fds);
    stream_open(&f.a.stream, f.loop, fds[0]);
    raw_write(fds[1], "something that is never read");
    send_text(&f.a, "FATAL: go away");
    stream_close_gently(&f.a.stream);
    settle(f.loop);
    raw_write(fds[1], "more of it");
    settle(f.loop);
    CU_ASSERT_FALSE(raw_read(fds[1], &got)); /* the text, then end of file and no reset */
    CU_ASSERT_TRUE(slice_is(buf_slice(&got), "FATAL: go away"));
    buf_release(&got);
    close(fds[1]);
    bench_fini(&f);
}

static void
a_gentle_close_after_the_peers_end_closes_at_once(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;

    shutdown(raw, SHUT_WR);
    settle(f.loop);
    stream_close_gently(&f.a.stream);
    CU_ASSERT_FALSE(fd_is_open(fd));
    close(raw);
    bench_fini(&f);
}

static void
a_backlog_is_still_sent_to_a_peer_that_closed_its_side(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;
    uint8_t *bytes = pattern_new(MANY_BYTES);
    struct buf got;

    buf_init(&got);
    stream_send(&f.a.stream, slice_of(bytes, MANY_BYTES));
    shutdown(raw, SHUT_WR);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.a.closed_calls, 1);
    stream_close_gently(&f.a.stream);
    while (raw_read(raw, &got))
        settle(f.loop);
    CU_ASSERT_EQUAL(buf_len(&got), MANY_BYTES);
    CU_ASSERT_FALSE(fd_is_open(fd));
    buf_release(&got);
    free(bytes);
    close(raw);
    bench_fini(&f);
}

static void
a_loop_that_goes_closes_what_was_closing_gently(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;

    stream_close_gently(&f.a.stream);
    bench_fini(&f);
    CU_ASSERT_FALSE(fd_is_open(fd));
    close(raw);
}

/* Moving */

static void
a_stream_moves_to_another_loop_and_to_other_memory(void)
{
    struct bench f, g;
    int raw = bench_init_raw(&f);
    struct peer *moved = mem_new(sizeof(*moved));

    bench_init(&g);
    CU_ASSERT_TRUE_FATAL(stream_can_move(&f.a.stream));
    stream_leave(&f.a.stream);
    raw_write(raw, "to the new loop");
    settle(f.loop);
    peer_init(moved);
    moved->stream = f.a.stream;
    moved->stream.owner = moved;
    peer_init(&f.a);
    stream_join(&moved->stream, g.loop);
    settle(f.loop);
    CU_ASSERT_EQUAL(moved->bytes_calls, 0);
    settle(g.loop);
    CU_ASSERT_TRUE(peer_got(moved, "to the new loop"));
    free_peer(moved);
    close(raw);
    bench_fini(&f);
    bench_fini(&g);
}

static void
move_away(struct peer *p, struct slice fresh)
{
    (void)fresh;
    stream_leave(&p->stream);
    stream_join(&p->stream, p->extra);
    p->then_on_bytes = NULL;
}

static void
a_stream_may_move_inside_its_own_handler(void)
{
    struct bench f, g;
    int raw = bench_init_raw(&f);

    bench_init(&g);
    f.a.then_on_bytes = move_away;
    f.a.extra = g.loop;
    raw_write(raw, "one");
    settle(f.loop);
    raw_write(raw, "two");
    settle(f.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "one"));
    settle(g.loop);
    CU_ASSERT_TRUE(peer_got(&f.a, "onetwo"));
    close(raw);
    bench_fini(&f);
    bench_fini(&g);
}

static void
a_stream_with_a_backlog_cannot_move(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    uint8_t *bytes = pattern_new(MANY_BYTES);

    stream_send(&f.a.stream, slice_of(bytes, MANY_BYTES));
    CU_ASSERT_FALSE(stream_can_move(&f.a.stream));
    free(bytes);
    close(raw);
    bench_fini(&f);
}

static void
a_stream_between_two_loops_may_be_closed(void)
{
    struct bench f;
    int raw = bench_init_raw(&f);
    int fd = f.a.stream.fd;

    stream_leave(&f.a.stream);
    stream_close_gently(&f.a.stream);
    CU_ASSERT_FALSE(fd_is_open(fd));
    close(raw);
    bench_fini(&f);
}

static void
the_peer_has_a_name_for_the_log(void)
{
    struct bench f;
    char text[64], want[64];

    bench_init_unix(&f);
    stream_peer_text(&f.a.stream, text, sizeof(text));
    snprintf(want, sizeof(want), "unix:%ld@", (long)getpid());
    CU_ASSERT_STRING_EQUAL(text, want);
    bench_fini(&f);
    bench_init_tcp(&f);
    stream_peer_text(&f.a.stream, text, sizeof(text));
    CU_ASSERT_PTR_EQUAL(strstr(text, "127.0.0.1:"), text);
    bench_fini(&f);
}

void
suite_stream(void)
{
    CU_pSuite suite = CU_add_suite("stream", NULL, NULL);

    CU_ADD_TEST(suite, a_stream_over_nothing_is_closed_and_may_be_closed);
    CU_ADD_TEST(suite, a_stream_is_small);
    CU_ADD_TEST(suite, what_one_side_sends_the_other_side_gets);
    CU_ADD_TEST(suite, pieces_leave_together_in_order_and_empty_ones_do_not_matter);
    CU_ADD_TEST(suite, more_pieces_than_the_kernel_takes_at_once_all_arrive);
    CU_ADD_TEST(suite, what_the_socket_does_not_take_is_kept_and_sent_when_the_peer_reads_on);
    CU_ADD_TEST(suite, a_small_backlog_drains_without_a_word);
    CU_ADD_TEST(suite, nothing_comes_after_a_stop_until_the_start);
    CU_ADD_TEST(suite, a_stop_in_the_middle_of_much_input_leaves_the_rest_in_the_socket);
    CU_ADD_TEST(suite, a_stop_and_a_start_with_nothing_between_leave_epoll_alone);
    CU_ADD_TEST(suite, a_peer_that_always_has_more_does_not_keep_others_waiting);
    CU_ADD_TEST(suite, a_peer_that_ends_is_told_once_and_without_a_reason);
    CU_ADD_TEST(suite, an_answer_can_still_be_sent_to_a_peer_that_closed_its_side);
    CU_ADD_TEST(suite, a_reset_is_told_with_its_reason);
    CU_ADD_TEST(suite, the_last_words_of_a_peer_that_died_are_heard_before_the_failed_write_is_told);
    CU_ADD_TEST(suite, they_are_heard_although_reading_was_stopped);
    CU_ADD_TEST(suite, an_owner_that_stops_a_broken_stream_is_told_the_end_all_the_same);
    CU_ADD_TEST(suite, a_backlog_whose_peer_dies_is_dropped_and_told);
    CU_ADD_TEST(suite, an_owner_may_free_itself_in_every_handler);
    CU_ADD_TEST(suite, a_stream_that_another_handler_closed_in_the_same_turn_is_left_alone);
    CU_ADD_TEST(suite, a_stream_may_be_opened_again_inside_its_handler);
    CU_ADD_TEST(suite, closing_closes_the_descriptor_at_once);
    CU_ADD_TEST(suite, a_gentle_close_sends_the_backlog_and_then_the_end);
    CU_ADD_TEST(suite, a_gentle_close_waits_for_the_peer_no_longer_than_it_says);
    CU_ADD_TEST(suite, the_last_message_is_not_lost_to_a_reset);
    CU_ADD_TEST(suite, a_gentle_close_after_the_peers_end_closes_at_once);
    CU_ADD_TEST(suite, a_backlog_is_still_sent_to_a_peer_that_closed_its_side);
    CU_ADD_TEST(suite, a_loop_that_goes_closes_what_was_closing_gently);
    CU_ADD_TEST(suite, a_stream_moves_to_another_loop_and_to_other_memory);
    CU_ADD_TEST(suite, a_stream_may_move_inside_its_own_handler);
    CU_ADD_TEST(suite, a_stream_with_a_backlog_cannot_move);
    CU_ADD_TEST(suite, a_stream_between_two_loops_may_be_closed);
    CU_ADD_TEST(suite, the_peer_has_a_name_for_the_log);
}
