/* backend.c - see backend.h. All on one thread: while we wait, the loop of the code under test turns. */
#include "backend.h"

#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_TURNS 5000 /* of a millisecond */

static bool
is_readable(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, wait_ms) == 1;
}

static void
await_readable(struct backend *b, int fd)
{
    for (unsigned i = 0; i < PATIENCE_TURNS; i++) {
        (void)loop_turn(b->loop);
        if (is_readable(fd, 1))
            return;
    }
    CU_FAIL_FATAL("nothing came from libpq");
}

bool
turn_until(struct loop *loop, const bool *flag)
{
    for (unsigned i = 0; i < PATIENCE_TURNS && !*flag; i++)
        if (!loop_turn(loop))
            usleep(1000);
    return *flag;
}

void
backend_init(struct backend *b, struct loop *loop)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);

    *b = (struct backend){ .loop = loop, .fd = -1 };
    buf_init(&b->startup);
    b->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(b->listen_fd >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(b->listen_fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(b->listen_fd, 8), 0);
    getsockname(b->listen_fd, (struct sockaddr *)&at, &len);
    b->port = ntohs(at.sin_port);
    snprintf(b->port_text, sizeof(b->port_text), "%u", b->port);
}

void
backend_close(struct backend *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

bool
backend_is_called(const struct backend *b)
{
    return is_readable(b->listen_fd, 0);
}

void
backend_fini(struct backend *b)
{
    backend_close(b);
    close(b->listen_fd);
    buf_release(&b->startup);
}

static void
read_exactly(struct backend *b, void *out, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n;

        await_readable(b, b->fd);
        n = read(b->fd, (char *)out + got, len - got);
        CU_ASSERT_FATAL(n > 0);
        got += (size_t)n;
    }
}

void
backend_accept(struct backend *b)
{
    uint8_t head[4];
    size_t len;

    backend_close(b);
    await_readable(b, b->listen_fd);
    b->fd = accept(b->listen_fd, NULL, NULL);
    CU_ASSERT_FATAL(b->fd >= 0);
    read_exactly(b, head, sizeof(head));
    len = get_be32(head) - sizeof(head);
    CU_ASSERT_FATAL(len < 1000);
    buf_release(&b->startup);
    read_exactly(b, buf_reserve(&b->startup, len), len);
    buf_commit(&b->startup, len);
}

bool
backend_was_told(const struct backend *b, const char *name, const char *value)
{
    struct slice packet = slice_skip(buf_slice(&b->startup), 4); /* the protocol version */
    const char *at = (const char *)packet.at, *end = at + packet.len;

    while (at < end && *at != '\0') {
        const char *its_value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return strcmp(its_value, value) == 0;
        at = its_value + strlen(its_value) + 1;
    }
    return false;
}

static void
send_all(struct backend *b, struct buf *bytes)
{
    struct slice s = buf_slice(bytes);

    CU_ASSERT_EQUAL(send(b->fd, s.at, s.len, MSG_NOSIGNAL), (ssize_t)s.len);
    buf_release(bytes);
}

/* Adds a message of TYPE with BODY, which is released. */
static void
add_message(struct buf *out, char type, struct buf *body)
{
    buf_add_u8(out, (uint8_t)type);
    buf_add_be32(out, (uint32_t)(buf_len(body) + 4));
    buf_add(out, buf_slice(body));
    buf_release(body);
}

static void
add_ready(struct buf *out)
{
    struct buf body;

    buf_init(&body);
    buf_add_u8(&body, 'I');
    add_message(out, 'Z', &body);
}

void
backend_let_in(struct backend *b)
{
    struct buf out, body;

    buf_init(&out);
    buf_init(&body);
    buf_add_be32(&body, 0); /* AuthenticationOk */
    add_message(&out, 'R', &body);
    buf_add_textz(&body, "server_version");
    buf_add_textz(&body, "15.4");
    add_message(&out, 'S', &body);
    add_ready(&out);
    send_all(b, &out);
}

void
backend_refuse(struct backend *b, const char *sqlstate)
{
    struct buf out, body;

    buf_init(&out);
    buf_init(&body);
    buf_add_text(&body, "SFATAL");
    buf_add_u8(&body, 0);
    buf_add_text(&body, "VFATAL");
    buf_add_u8(&body, 0);
    buf_add_format(&body, "C%s", sqlstate);
    buf_add_u8(&body, 0);
    buf_add_textz(&body, "Mthis backend refuses");
    buf_add_textz(&body, "Fbackend.c");
    buf_add_textz(&body, "L1");
    buf_add_textz(&body, "Rbackend_refuse");
    buf_add_u8(&body, 0);
    add_message(&out, 'E', &body);
    send_all(b, &out);
    backend_close(b);
}

void
backend_await_query(struct backend *b)
{
    uint8_t head[5];
    char text[2000];
    size_t len;

    read_exactly(b, head, sizeof(head));
    CU_ASSERT_EQUAL_FATAL(head[0], 'Q');
    len = get_be32(head + 1) - 4;
    CU_ASSERT_FATAL(len < sizeof(text));
    read_exactly(b, text, len);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "pg_catalog.pg_roles"));
}

static void
add_columns(struct buf *out)
{
    struct buf body;

    buf_init(&body);
    buf_add_be16(&body, 3);
    for (unsigned i = 0; i < 3; i++) {
        buf_add_textz(&body, "column");
        buf_add_be32(&body, 0); /* table */
        buf_add_be16(&body, 0);
        buf_add_be32(&body, 25); /* text */
        buf_add_be16(&body, UINT16_MAX);
        buf_add_be32(&body, UINT32_MAX);
        buf_add_be16(&body, 0);
    }
    add_message(out, 'T', &body);
}

static void
add_row(struct buf *out, const char *const row[3])
{
    struct buf body;

    buf_init(&body);
    buf_add_be16(&body, 3);
    for (unsigned i = 0; i < 3; i++) {
        bool is_null = i == 2 && row[i][0] == '\0';

        buf_add_be32(&body, is_null ? UINT32_MAX : (uint32_t)strlen(row[i]));
        buf_add_text(&body, row[i]);
    }
    add_message(out, 'D', &body);
}

void
backend_answer(struct backend *b, const char *const (*rows)[3])
{
    struct buf out, body;

    buf_init(&out);
    buf_init(&body);
    add_columns(&out);
    for (; (*rows)[0] != NULL; rows++)
        add_row(&out, *rows);
    buf_add_textz(&body, "SELECT 1");
    add_message(&out, 'C', &body);
    add_ready(&out);
    send_all(b, &out);
}

void
backend_answer_nothing(struct backend *b)
{
    struct buf out, body;

    buf_init(&out);
    buf_init(&body);
    add_message(&out, 'I', &body);
    add_ready(&out);
    send_all(b, &out);
}
