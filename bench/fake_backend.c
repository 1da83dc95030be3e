/*
 * fake_backend.c - a PostgreSQL that answers at once, from memory: what a pooler is measured against when the
 * real one would be the bottleneck.
 *
 *     fake_backend PORT [LOGIN_DELAY_MS [CERT KEY]]      127.0.0.1:PORT; a CERT means that TLS is offered
 *
 * Everybody is let in, LOGIN_DELAY_MS after the startup message. What a Query says decides its answer:
 *
 *     copy out BYTES     COPY TO STDOUT in messages of 8 kB
 *     copy in            COPY FROM STDIN; what comes is dropped
 *     value BYTES        one row with one value of that size
 *     sleep MS           one row, after so long
 *     set …, discard …   nothing but their tag
 *     anything else      one row
 *
 * The extended protocol answers each Execute with one row, whatever was parsed. One thread; what comes in one
 * read is answered in one write.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/listener.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/stream.h"
#include "pgweir/net/tls.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/scan.h"

#define QUERY_MOST 256u /* of a Query's text, so much is looked at */
#define PIECE_BYTES 8192u

/* What is still to be sent of a large answer. */
enum flood { FLOOD_NONE, FLOOD_COPY, FLOOD_VALUE };

struct session {
    struct stream stream;
    struct scanner scanner;
    struct buf carry;
    struct timer delay;  /* of the login or of a `sleep` */
    struct chore ending; /* frees it after the loop turn in which it ended */
    enum flood flood;
    uint64_t flood_bytes; /* still to be sent */
    bool is_logged_in;
};

static struct loop *loop;
static struct tls_context *tls;
static uint64_t login_delay_us;
static uint32_t session_count;
static struct buf answer;              /* to what is being read; empty between two reads */
static struct scan_rules rules;        /* only Query and Describe are looked into */
static uint8_t piece[PIECE_BYTES];     /* of a large value */
static uint8_t copy_data[PIECE_BYTES]; /* a whole CopyData */

static const char row[] = "D\0\0\0\013\0\001\0\0\0\001"
                          "1";
static const char row_shape[] = "T\0\0\0\041\0\001?column?\0\0\0\0\0\0\0\0\0\0\027\0\004\377\377\377\377\0\0";
static const char selected[] = "C\0\0\0\015SELECT 1";
static const char ready[] = "Z\0\0\0\005I";

/* A message that is written down with all of its bytes; text literals that end in a NUL of the message's own
 * have it from the compiler. */
#define ADD(literal, len) buf_add(&answer, slice_of(literal, len))
_Static_assert(sizeof(row) - 1 == 1 + 11, "a row");
_Static_assert(sizeof(row_shape) - 1 == 1 + 33, "the shape of a row");
_Static_assert(sizeof(selected) == 1 + 13, "a tag with its NUL");
_Static_assert(sizeof(ready) - 1 == 1 + 5, "ready");

static void
add_tag(const char *tag)
{
    buf_add_u8(&answer, 'C');
    buf_add_be32(&answer, (uint32_t)(4 + strlen(tag) + 1));
    buf_add_textz(&answer, tag);
}

static void
add_query_answer(void)
{
    ADD(row_shape, sizeof(row_shape) - 1);
    ADD(row, sizeof(row) - 1);
    ADD(selected, sizeof(selected));
    ADD(ready, sizeof(ready) - 1);
}

static void
send_answer(struct session *s)
{
    if (buf_len(&answer) == 0)
        return;
    stream_send(&s->stream, buf_slice(&answer));
    buf_drop(&answer, buf_len(&answer));
}

/* Sends on until the socket is full; on_drained() comes back. */
static void
flood_on(struct session *s)
{
    while (s->flood_bytes > 0 && stream_backlog_bytes(&s->stream) <= STREAM_HIGH_BYTES) {
        size_t most = s->flood == FLOOD_COPY ? PIECE_BYTES : sizeof(piece);
        size_t n = s->flood_bytes < most ? (size_t)s->flood_bytes : most;

        stream_send(&s->stream, slice_of(s->flood == FLOOD_COPY ? copy_data : piece,
                                         s->flood == FLOOD_COPY ? PIECE_BYTES : n));
        s->flood_bytes -= n;
    }
    if (s->flood_bytes > 0 || s->flood == FLOOD_NONE)
        return;
    if (s->flood == FLOOD_COPY)
        ADD("c\0\0\0\004", 5);
    add_tag(s->flood == FLOOD_COPY ? "COPY 1" : "SELECT 1");
    ADD(ready, sizeof(ready) - 1);
    s->flood = FLOOD_NONE;
    send_answer(s);
}

static void
begin_value(struct session *s, uint64_t bytes)
{
    ADD(row_shape, sizeof(row_shape) - 1);
    buf_add_u8(&answer, 'D');
    buf_add_be32(&answer, (uint32_t)(4 + 2 + 4 + bytes));
    buf_add_be16(&answer, 1);
    buf_add_be32(&answer, (uint32_t)bytes);
    s->flood = FLOOD_VALUE;
    s->flood_bytes = bytes;
}

static void
run_query(struct session *s, const char *sql)
{
    if (strncasecmp(sql, "copy out ", 9) == 0) {
        ADD("H\0\0\0\011\0\0\001\0\0", 10);
        s->flood = FLOOD_COPY;
        s->flood_bytes = strtoull(sql + 9, NULL, 10);
    } else if (strncasecmp(sql, "copy in", 7) == 0) {
        ADD("G\0\0\0\011\0\0\001\0\0", 10);
    } else if (strncasecmp(sql, "value ", 6) == 0) {
        begin_value(s, strtoull(sql + 6, NULL, 10));
    } else if (strncasecmp(sql, "sleep ", 6) == 0) {
        loop_arm(loop, &s->delay, strtoull(sql + 6, NULL, 10) * US_PER_MS);
    } else if (strncasecmp(sql, "set ", 4) == 0 || strncasecmp(sql, "discard ", 8) == 0) {
        add_tag(strncasecmp(sql, "set ", 4) == 0 ? "SET" : "DISCARD ALL");
        ADD(ready, sizeof(ready) - 1);
    } else {
        add_query_answer();
    }
}

static void
on_message(struct session *s, const struct scan_span *span)
{
    char sql[QUERY_MOST];
    size_t len = span->bytes.len - SCAN_HEADER;

    switch (span->type) {
    case 'Q':
        snprintf(sql, sizeof(sql), "%.*s", (int)len, (const char *)span->bytes.at + SCAN_HEADER);
        run_query(s, sql);
        break;
    case 'P':
        ADD("1\0\0\0\004", 5);
        break;
    case 'B':
        ADD("2\0\0\0\004", 5);
        break;
    case 'D':
        if (span->bytes.at[SCAN_HEADER] == 'S')
            ADD("t\0\0\0\006\0\0", 7);
        ADD(row_shape, sizeof(row_shape) - 1);
        break;
    case 'E':
        ADD(row, sizeof(row) - 1);
        ADD(selected, sizeof(selected));
        break;
    case 'C':
        ADD("3\0\0\0\004", 5);
        break;
    case 'S':
        ADD(ready, sizeof(ready) - 1);
        break;
    case 'c':
        add_tag("COPY 1");
        ADD(ready, sizeof(ready) - 1);
        break;
    default: /* Flush and CopyData ask for nothing; Terminate is followed by the end of the stream */
        break;
    }
}

/* Login */

static void
greet(struct session *s)
{
    static const char *const parameters[][2] = {
        { "server_version", "15.0" },  { "server_encoding", "UTF8" },
        { "client_encoding", "UTF8" }, { "application_name", "" },
        { "is_superuser", "off" },     { "session_authorization", "bench" },
        { "DateStyle", "ISO, MDY" },   { "IntervalStyle", "postgres" },
        { "TimeZone", "UTC" },         { "integer_datetimes", "on" },
        { "in_hot_standby", "off" },   { "standard_conforming_strings", "on" },
    };
    const uint8_t key[4] = { 1, 2, 3, 4 };

    build_auth(&answer, AUTH_OK);
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        build_parameter(&answer, parameters[i][0], parameters[i][1]);
    build_key(&answer, ++session_count, slice_of(key, sizeof key));
    build_ready(&answer, 'I');
    s->is_logged_in = true;
    send_answer(s);
}

static void
on_delay_over(struct timer *timer)
{
    struct session *s = CONTAINER_OF(timer, struct session, delay);

    if (s->is_logged_in) {
        add_query_answer();
        send_answer(s);
    } else {
        greet(s);
    }
}

static void
session_free(struct chore *chore)
{
    free(CONTAINER_OF(chore, struct session, ending));
}

static void
session_end(struct session *s)
{
    timer_cancel(&s->delay);
    stream_close(&s->stream);
    buf_release(&s->carry);
    loop_defer(loop, &s->ending);
}

/* One packet of the startup phase; what is behind it goes on as messages. */
static void
on_startup(struct session *s, struct slice in)
{
    struct startup packet;
    const char *why;

    switch (startup_read(in, &packet, &why)) {
    case PARSE_MORE:
        buf_add(&s->carry, in);
        return;
    case PARSE_BAD:
        session_end(s);
        return;
    case PARSE_DONE:
        break;
    }
    if (packet.kind == STARTUP_SSL && tls != NULL) {
        stream_send(&s->stream, slice_of_text("S"));
        stream_start_tls_accept(&s->stream, tls, slice_skip(in, packet.bytes));
    } else if (packet.kind == STARTUP_SSL || packet.kind == STARTUP_GSSENC) {
        stream_send(&s->stream, slice_of_text("N"));
    } else if (packet.kind == STARTUP_LOGIN && login_delay_us > 0) {
        loop_arm(loop, &s->delay, login_delay_us);
    } else if (packet.kind == STARTUP_LOGIN) {
        greet(s);
    } else {
        session_end(s);
    }
}

static void
on_bytes(void *owner, struct slice in)
{
    struct session *s = owner;
    struct buf kept = s->carry;
    enum scan result;

    buf_init(&s->carry);
    if (buf_len(&kept) > 0) {
        buf_add(&kept, in);
        in = buf_slice(&kept);
    }
    if (!s->is_logged_in) {
        on_startup(s, in);
        buf_release(&kept);
        return;
    }
    do {
        struct scan_span span;

        result = scan_next(&s->scanner, &in, &span);
        if (result == SCAN_MESSAGE)
            on_message(s, &span);
    } while (result == SCAN_MESSAGE || result == SCAN_REST);
    if (in.len > 0)
        buf_add(&s->carry, in);
    buf_release(&kept);
    send_answer(s);
    flood_on(s);
    if (result == SCAN_BAD)
        session_end(s);
}

static void
on_drained(void *owner)
{
    flood_on(owner);
}

static void
on_closed(void *owner, const struct error *why)
{
    (void)why;
    session_end(owner);
}

static void
on_tls(void *owner)
{
    (void)owner; /* the startup message comes next, by on_bytes */
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
    static const struct stream_handler handler = { on_bytes, on_drained, on_closed, on_tls };
    struct session *s = mem_new(sizeof(*s));

    (void)arg;
    (void)peer;
    buf_init(&s->carry);
    timer_init(&s->delay, on_delay_over);
    s->ending.run = session_free;
    scanner_init(&s->scanner, &rules, SCAN_MAX_BODY, QUERY_MOST);
    stream_init(&s->stream, &handler, s);
    stream_open(&s->stream, loop, fd);
    stream_read_start(&s->stream);
}

static void
on_trouble(void *arg, const struct error *why)
{
    (void)arg;
    fprintf(stderr, "fake_backend: %s\n", why->text);
}

int
main(int argc, char **argv)
{
    static const struct listener_params params = { .backlog = 4096 };
    struct clock clock = clock_real();
    struct listener *listener;
    struct address where;
    struct error why;

    if (argc != 2 && argc != 3 && argc != 5) {
        fprintf(stderr, "usage: fake_backend PORT [LOGIN_DELAY_MS [CERT KEY]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    rules.need['Q'] = SCAN_WHOLE;
    rules.need['D'] = 1;
    copy_data[0] = 'd';
    put_be32(copy_data + 1, PIECE_BYTES - 1);
    memset(copy_data + SCAN_HEADER, 'x', PIECE_BYTES - SCAN_HEADER);
    memset(piece, 'x', sizeof(piece));
    login_delay_us = argc > 2 ? strtoull(argv[2], NULL, 10) * US_PER_MS : 0;
    loop = loop_new(&clock, NULL, &why);
    if (loop == NULL || !address_of_ip(&where, "127.0.0.1", (uint16_t)strtoul(argv[1], NULL, 10)))
        goto fail;
    if (argc == 5) {
        struct tls_params files = { .cert_file = argv[3], .key_file = argv[4], .verify = TLS_VERIFY_NONE };

        if (tls_context_new_accept(&files, &tls, &why) != ERR_NONE)
            goto fail;
    }
    if (listener_new(loop, &where, &params, on_accept, on_trouble, NULL, &listener, &why) != ERR_NONE)
        goto fail;
    loop_run(loop);
    return 0;
fail:
    fprintf(stderr, "fake_backend: %s\n", why.text);
    return 1;
}
