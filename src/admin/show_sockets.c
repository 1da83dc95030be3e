/* show_sockets.c - CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS: rows that are written in the workers' threads. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pgweir/net/stream.h"
#include "show_impl.h"

#define SOCKET_COLUMNS                                                                                   \
    T("type"), T("user"), T("database"), T("replication"), T("state"), T("addr"), I("port"),             \
        T("local_addr"), I("local_port"), T("connect_time"), T("request_time"), I("wait"), I("wait_us"), \
        I("close_needed"), T("ptr"), T("link"), I("remote_pid"), T("tls")
#define SOCKET_COLUMNS_END T("application_name"), I("prepared_statements"), I("id")

static const struct console_column client_columns[] = { SOCKET_COLUMNS, SOCKET_COLUMNS_END };
static const struct console_column socket_columns[] = {
    SOCKET_COLUMNS, SOCKET_COLUMNS_END, I("recv_pos"),  I("pkt_pos"),    I("pkt_remain"),
    I("send_pos"),  I("send_remain"),   I("pkt_avail"), I("send_avail"),
};

void
add_address(struct buf *rows, const struct address *a, unsigned unix_port)
{
    char text[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;

    if (a->at.ss_family == AF_INET && a->len > 0) {
        const struct sockaddr_in *in = (const void *)&a->at;

        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        port = ntohs(in->sin_port);
    } else if (a->at.ss_family == AF_INET6 && a->len > 0) {
        const struct sockaddr_in6 *in6 = (const void *)&a->at;

        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        port = ntohs(in6->sin6_port);
    } else if (a->len > 0) {
        snprintf(text, sizeof text, "unix");
        port = unix_port;
    }
    console_add_text(rows, text);
    add_count(rows, port);
}

static void
add_time(struct buf *rows, const struct job *j, uint64_t monotone_us)
{
    time_t at = (time_t)((j->wall_us + (int64_t)monotone_us) / (int64_t)US_PER_S);
    char text[64] = "";
    struct tm parts;

    if (localtime_r(&at, &parts) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &parts);
    console_add_text(rows, text);
}

void
add_handle(struct buf *rows, uint64_t id)
{
    char text[24] = "";

    if (id != 0)
        snprintf(text, sizeof text, "0x%" PRIx64, id);
    console_add_text(rows, text);
}

static void
add_tls(struct buf *rows, const struct stream *s)
{
    char text[128] = "";

    if (stream_is_open(s))
        stream_tls_text(s, text, sizeof text);
    console_add_text(rows, text);
}

/* What clients and servers have in common. */
struct socket_row {
    const char *type, *user, *database, *state;
    const char *application_name, *replication;
    const struct stream *stream;
    uint64_t connect_us, request_us, wait_us, id, link_id;
    uint32_t remote_pid;
    unsigned prepared_statements;
    size_t pending_in, pending_out;
    bool close_needed;
};

static void
add_socket(const struct job *j, struct buf *rows, const struct socket_row *r)
{
    unsigned port = j->admin->config->settings->listen_port;
    struct address local = { .len = 0 }, peer = { .len = 0 };

    stream_ends(r->stream, &local, &peer);
    console_add_text(rows, r->type);
    console_add_text(rows, r->user);
    console_add_text(rows, r->database);
    console_add_text(rows, r->replication);
    console_add_text(rows, r->state);
    add_address(rows, &peer, port);
    add_address(rows, &local, port);
    add_time(rows, j, r->connect_us);
    add_time(rows, j, r->request_us);
    add_count(rows, r->wait_us / US_PER_S);
    add_count(rows, r->wait_us % US_PER_S);
    add_count(rows, r->close_needed);
    add_handle(rows, r->id);
    add_handle(rows, r->link_id);
    add_count(rows, r->remote_pid);
    add_tls(rows, r->stream);
    console_add_text(rows, r->application_name);
    add_count(rows, r->prepared_statements);
    add_count(rows, r->id);
}

static void
add_positions(struct buf *rows, const struct socket_row *r)
{
    for (unsigned i = 0; i < 5; i++) /* PgBouncer's ways through its packet buffer, which is no thing here */
        add_count(rows, 0);
    add_count(rows, r->pending_in);
    add_count(rows, r->pending_out);
}

static struct socket_row
row_of_client(const struct roll_client *c)
{
    struct stream_process peer = { .pid = 0 };

    return (struct socket_row){
        .type = "C",
        .user = c->user,
        .database = c->database,
        .state = c->state,
        .application_name = c->application_name,
        .replication = c->replication,
        .stream = c->stream,
        .connect_us = c->connect_us,
        .request_us = c->request_us,
        .wait_us = c->wait_us,
        .id = c->id,
        .link_id = c->link_id,
        .remote_pid = stream_peer_process(c->stream, &peer) ? (uint32_t)peer.pid : 0,
        .prepared_statements = c->prepared_statements,
        .pending_in = c->pending_in,
        .pending_out = c->pending_out,
    };
}

static struct socket_row
row_of_server(const struct roll_server *s)
{
    return (struct socket_row){
        .type = "S",
        .user = s->user,
        .database = s->database,
        .state = s->state,
        .application_name = s->application_name,
        .replication = s->replication,
        .stream = s->stream,
        .connect_us = s->connect_us,
        .request_us = s->request_us,
        .id = s->id,
        .link_id = s->link_id,
        .remote_pid = s->backend_pid,
        .prepared_statements = s->prepared_statements,
        .pending_in = s->pending_in,
        .pending_out = s->pending_out,
        .close_needed = s->close_needed,
    };
}

/* PgBouncer's CLIENTS and SERVERS leave out those that have not logged in; they are among its SOCKETS. */
static void
list_client(const void *job, struct buf *rows, const struct roll_client *c)
{
    struct socket_row r = row_of_client(c);

    if (strcmp(c->state, "login") != 0)
        add_socket(job, rows, &r);
}

static void
list_server(const void *job, struct buf *rows, const struct roll_server *s)
{
    struct socket_row r = row_of_server(s);

    add_socket(job, rows, &r);
}

static const char *
socket_state(const char *prefix, const char *state)
{
    static const char *const words[] = { "cl_active", "cl_waiting",       "cl_login", "cl_waiting_cancel_req",
                                         "sv_active", "sv_idle",          "sv_used",  "sv_login",
                                         "sv_tested", "sv_being_canceled" };

    if (strcmp(prefix, "cl_") == 0 && strcmp(state, "idle") == 0)
        state = "active";
    if (strcmp(state, "new") == 0)
        state = "login";
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strncmp(words[i], prefix, 3) == 0 && strcmp(words[i] + 3, state) == 0)
            return words[i];
    return state;
}

static void
list_client_socket(const void *job, struct buf *rows, const struct roll_client *c)
{
    struct socket_row r = row_of_client(c);

    r.state = socket_state("cl_", c->state);
    add_socket(job, rows, &r);
    add_positions(rows, &r);
}

static void
list_server_socket(const void *job, struct buf *rows, const struct roll_server *s)
{
    struct socket_row r = row_of_server(s);

    r.state = socket_state("sv_", s->state);
    add_socket(job, rows, &r);
    add_positions(rows, &r);
}

static void
list_active_client(const void *job, struct buf *rows, const struct roll_client *c)
{
    if (strcmp(c->state, "idle") != 0)
        list_client_socket(job, rows, c);
}

static void
list_active_server(const void *job, struct buf *rows, const struct roll_server *s)
{
    if (strcmp(s->state, "idle") != 0)
        list_server_socket(job, rows, s);
}

/* clang-format off */
static const struct show rows_here[] = {
    { "CLIENTS", SHAPE(client_columns), ROLL_CLIENTS, .on_client = list_client },
    { "SERVERS", SHAPE(client_columns), ROLL_SERVERS, .on_server = list_server },
    { "SOCKETS", SHAPE(socket_columns), ROLL_CLIENTS | ROLL_SERVERS, .on_client = list_client_socket, .on_server = list_server_socket },
    { "ACTIVE_SOCKETS", SHAPE(socket_columns), ROLL_CLIENTS | ROLL_SERVERS, .on_client = list_active_client, .on_server = list_active_server },
};
/* clang-format on */

const struct show_family show_sockets = SHOW_FAMILY(rows_here);
