/*
 * show_fds.c - FDS: the sockets, as one that takes them over would want to know them.
 *
 * PgBouncer sends the descriptors along when its own user asks on the Unix socket; here they stay where they are, because nobody could go on
 * with what pgweir knows of a session (`pgweir -R` is refused). For the same reason the columns with secrets are empty. As in PgBouncer, TLS
 * sockets are left out.
 */
#include <string.h>

#include "pgweir/net/stream.h"
#include "pgweir/pool/pool.h"
#include "pgweir/pool/snapshot.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/rules.h"
#include "show_impl.h"

static const struct console_column fd_columns[] = {
    I("fd"),        T("task"),     T("user"),     T("database"),         T("addr"),
    I("port"),      Q("cancel"),   I("link"),     T("client_encoding"),  T("std_strings"),
    T("datestyle"), T("timezone"), T("password"), B("scram_client_key"), B("scram_server_key"),
};

/* --- settings --- */

/* What servers of POOL said of NAME at their login; "" when no one has said anything yet. */
static void
add_default(struct buf *rows, const struct pool *pool, const char *name)
{
    struct welcome *w = pool == NULL ? NULL : pool_welcome((struct pool *)(uintptr_t)pool);
    struct slice rest = w == NULL ? slice_of(NULL, 0) : slice_of(w->bytes, w->len);
    const char *value = "";

    while (rest.len >= SCAN_HEADER) {
        size_t len = 1 + (size_t)get_be32(rest.at + 1);
        struct startup_pair pair;

        if (back_parameter_read(slice_of(rest.at, len), &pair) == PARSE_DONE && strcmp(pair.name, name) == 0)
            value = pair.value;
        rest = slice_skip(rest, len);
    }
    console_add_text(rows, value);
    welcome_drop(w);
}

static void
add_settings(struct buf *rows, const struct snapshot *settings, const struct pool *pool)
{
    static const char *const names[] = { "client_encoding", "standard_conforming_strings", "DateStyle",
                                         "TimeZone" };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *own = snapshot_value(settings, names[i]);

        if (own != NULL)
            console_add_text(rows, own);
        else
            add_default(rows, pool, names[i]);
    }
}

/* --- rows --- */

static void
add_fd(const struct job *j, struct buf *rows, const char *task, const struct stream *stream, const char *user,
       const char *database)
{
    struct address local = { .len = 0 }, peer = { .len = 0 };

    stream_ends(stream, &local, &peer);
    console_add_int(rows, stream->fd);
    console_add_text(rows, task);
    console_add_text(rows, user);
    console_add_text(rows, database);
    add_address(rows, &peer, j->admin->config->settings->listen_port);
}

static void
add_end(struct buf *rows, int link_fd, const struct snapshot *settings, const struct pool *pool)
{
    console_add_text(rows, NULL); /* cancel: its key */
    console_add_int(rows, link_fd < 0 ? 0 : link_fd);
    add_settings(rows, settings, pool);
    for (unsigned i = 0; i < 3; i++)
        console_add_text(rows, NULL); /* secrets */
}

static void
list_client(const void *job, struct buf *rows, const struct roll_client *c)
{
    if (!stream_is_open(c->stream) || stream_is_tls(c->stream) || c->is_console)
        return;
    add_fd(job, rows, "client", c->stream, c->user, c->database);
    add_end(rows, c->link_fd, c->settings, c->pool);
}

static void
list_server(const void *job, struct buf *rows, const struct roll_server *s)
{
    if (!stream_is_open(s->stream) || stream_is_tls(s->stream))
        return;
    add_fd(job, rows, "server", s->stream, s->user, s->database);
    add_end(rows, s->link_fd, s->settings, s->pool);
}

static void
write_listeners(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct admin_handler *program = &j->admin->program;
    struct address where;
    int fd;

    (void)roll;
    for (unsigned i = 0; program->listener_at(program->arg, i, &fd, &where); i++) {
        console_add_int(rows, fd);
        console_add_text(rows, "pooler");
        console_add_text(rows, NULL);
        console_add_text(rows, NULL);
        add_address(rows, &where, j->admin->config->settings->listen_port);
        console_add_text(rows, NULL);
        console_add_int(rows, 0);
        for (unsigned k = 0; k < 7; k++)
            console_add_text(rows, NULL);
    }
}

/* clang-format off */
static const struct show rows_here[] = {
    { "FDS", SHAPE(fd_columns), ROLL_CLIENTS | ROLL_SERVERS, .is_for_admin = true,
      .on_client = list_client, .on_server = list_server, .write = write_listeners },
};
/* clang-format on */

const struct show_family show_fds = SHOW_FAMILY(rows_here);
