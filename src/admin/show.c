/*
 * show.c - SHOW: one row of shows[] for each thing that can be shown. Its columns are described once, and
 * what describes them to the client is what the tests hold against PgBouncer's. Cells are written in the
 * columns' order.
 *
 *     show_begin() --(roll call, rows of clients and servers written in the workers)--> on_rolled()
 *         --> write() --> job_answer()
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/config/route.h"
#include "pgweir/net/stream.h"

#define T(name_)            \
    {                       \
        name_, CONSOLE_TEXT \
    }
#define I(name_)            \
    {                       \
        name_, CONSOLE_INT4 \
    }
#define Q(name_)            \
    {                       \
        name_, CONSOLE_INT8 \
    }
#define N(name_)               \
    {                          \
        name_, CONSOLE_NUMERIC \
    }
#define SHAPE(columns_)              \
    {                                \
        columns_, COUNT_OF(columns_) \
    }

static const char *const pool_modes[] = {
    [POOL_SESSION] = "session", [POOL_TRANSACTION] = "transaction", [POOL_STATEMENT] = "statement"
};

static int64_t
int_of(uint64_t number)
{
    return number > INT32_MAX ? INT32_MAX : (int64_t)number;
}

static void
add_count(struct buf *rows, uint64_t number) /* an int4 of a number that may be larger in theory */
{
    console_add_int(rows, int_of(number));
}

/* --- VERSION, STATE, HELP --- */

static const struct console_column version_columns[] = { T("version") };

static void
write_version(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    (void)roll;
    console_add_text(rows, "pgweir " PGWEIR_VERSION);
}

static const struct console_column state_columns[] = { T("key"), T("value") };

static void
add_state(struct buf *rows, const char *key, bool is_so)
{
    console_add_text(rows, key);
    console_add_text(rows, is_so ? "yes" : "no");
}

static void
write_state(struct job *j, const struct roll *roll, struct buf *rows)
{
    bool is_paused = pools_is_paused(house_pools(j->admin->house), NULL);

    (void)roll;
    add_state(rows, "active", !is_paused);
    add_state(rows, "paused", is_paused);
    add_state(rows, "suspended", false); /* SUSPEND is refused */
}

static void
write_help(struct job *j, const struct roll *roll, struct buf *rows)
{
    struct buf text;

    (void)roll;
    (void)rows;
    buf_init(&text);
    buf_add_text(&text, "Console usage");
    buf_add_text(&text, "\n\tSHOW ");
    for (size_t i = 0; i < show_count; i++)
        if (shows[i].name[0] >= 'A' && shows[i].name[0] <= 'Z')
            buf_add_format(&text, "%s%s", i == 0 ? "" : "|", shows[i].name);
    buf_add_text(&text,
                 "\n\tSET key = arg\n\tRELOAD\n\tPAUSE [<db>]\n\tRESUME [<db>]\n\tDISABLE <db>\n\tENABLE <db>"
                 "\n\tRECONNECT [<db>]\n\tKILL [<db>]\n\tKILL_CLIENT <client_id>\n\tSUSPEND\n\tSHUTDOWN"
                 "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n\tWAIT_CLOSE [<db>]");
    buf_add_u8(&text, 0);
    job_notice(j, (const char *)buf_slice(&text).at);
    buf_release(&text);
}

/* --- CONFIG --- */

static const struct console_column config_columns[] = { T("key"), T("value"), T("default"), T("changeable") };

static void
write_config(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct settings *s = j->admin->config->settings;
    char text[4096];

    (void)roll;
    for (size_t i = 0; i < option_count; i++) {
        console_add_text(rows, options[i].name);
        settings_show(s, &options[i], text, sizeof text);
        console_add_text(rows, text);
        settings_show_preset(s, &options[i], text, sizeof text);
        console_add_text(rows, text);
        console_add_text(rows, options[i].when == OPT_RESTART ? "no" : "yes");
    }
}

/* --- DATABASES, USERS, POOLS --- */

static unsigned
servers_of(const struct roll_pool *p)
{
    return p->sv_active + p->sv_being_canceled + p->sv_idle + p->sv_tested + p->sv_login;
}

static const struct console_column database_columns[] = {
    T("name"),
    T("host"),
    I("port"),
    T("database"),
    T("force_user"),
    I("pool_size"),
    I("min_pool_size"),
    I("reserve_pool_size"),
    I("server_lifetime"),
    T("pool_mode"),
    T("load_balance_hosts"),
    I("max_connections"),
    I("current_connections"),
    I("max_client_connections"),
    I("current_client_connections"),
    I("paused"),
    I("disabled"),
};

static void
add_hosts(struct buf *rows, const struct route *r)
{
    struct buf hosts;

    buf_init(&hosts);
    for (unsigned i = 0; i < r->host_count; i++)
        buf_add_format(&hosts, "%s%s", i == 0 ? "" : ",", r->hosts[i].host);
    console_add_slice(rows, buf_slice(&hosts));
    buf_release(&hosts);
}

static const char *
balance_of(const struct route *r)
{
    if (r->host_count < 2)
        return NULL;
    return r->load_balance_hosts == BALANCE_DISABLE ? "disable" : "round-robin";
}

static void
add_database(struct job *j, const struct roll *roll, struct buf *rows, const char *name)
{
    const struct settings *s = j->admin->config->settings;
    const struct overrides *own = settings_database_own(s, name);
    struct pools *pools = house_pools(j->admin->house);
    struct route *r = settings_route(s, name, "");
    unsigned servers = 0, clients = 0;

    if (r == NULL)
        return;
    for (size_t i = 0; i < roll->pool_count; i++)
        if (strcmp(roll->pools[i].database, name) == 0) {
            servers += servers_of(&roll->pools[i]);
            clients += roll->pools[i].cl_active + roll->pools[i].cl_waiting;
        }
    console_add_text(rows, name);
    add_hosts(rows, r);
    add_count(rows, r->hosts[0].port);
    console_add_text(rows, r->server_database);
    console_add_text(rows, r->is_forced ? r->user : NULL);
    add_count(rows, r->pool_size);
    add_count(rows, r->min_pool_size);
    add_count(rows, r->reserve_pool_size);
    add_count(rows, r->server_lifetime_us / US_PER_S);
    console_add_text(rows, own != NULL && own->is_set.pool_mode ? pool_modes[r->pool_mode] : NULL);
    console_add_text(rows, balance_of(r));
    add_count(rows, r->max_db_connections);
    add_count(rows, servers);
    add_count(rows, r->max_db_client_connections);
    add_count(rows, clients);
    add_count(rows, pools_is_paused(pools, name));
    add_count(rows, pools_is_disabled(pools, name));
    route_drop(r);
}

static void
add_console_database(struct job *j, const struct roll *roll, struct buf *rows)
{
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, NULL);
    add_count(rows, j->admin->config->settings->listen_port);
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, CONSOLE_DATABASE);
    for (unsigned i = 0; i < 4; i++) /* no servers, so no sizes */
        add_count(rows, 0);
    console_add_text(rows, "statement");
    console_add_text(rows, NULL);
    for (unsigned i = 0; i < 3; i++)
        add_count(rows, 0);
    add_count(rows, roll->totals.consoles);
    add_count(rows, 0);
    add_count(rows, 0);
}

static void
write_databases(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct settings *s = j->admin->config->settings;
    const char *name;

    for (unsigned i = 0; (name = settings_database_name(s, i)) != NULL; i++)
        if (strcmp(name, "*") != 0)
            add_database(j, roll, rows, name);
    for (size_t i = 0; i < roll->pool_count; i++) { /* those that "*" has made */
        name = roll->pools[i].database;
        if (settings_database_own(s, name) == NULL &&
            (i == 0 || strcmp(roll->pools[i - 1].database, name) != 0))
            add_database(j, roll, rows, name);
    }
    add_console_database(j, roll, rows);
}

static const struct console_column user_columns[] = {
    T("name"),
    T("pool_size"),
    T("reserve_pool_size"),
    T("pool_mode"),
    I("max_user_connections"),
    I("current_connections"),
    I("max_user_client_connections"),
    I("current_client_connections"),
};

struct user_sum { /* what the pools of one user have */
    const char *user;
    unsigned servers, clients;
    bool is_listed;
};

struct user_list {
    const struct settings *settings;
    struct user_sum *sums; /* by user; owned */
    size_t sum_count;
    struct buf *rows; /* NULL: only counted */
    unsigned count;
};

static int
compare_sums(const void *a, const void *b)
{
    const struct user_sum *one = a, *other = b;

    return strcmp(one->user, other->user);
}

static void
sum_users(struct user_list *list, const struct roll *roll)
{
    list->sums = mem_new(roll->pool_count * sizeof *list->sums + 1);
    for (size_t i = 0; i < roll->pool_count; i++)
        list->sums[i] = (struct user_sum){ .user = roll->pools[i].user,
                                           .servers = servers_of(&roll->pools[i]),
                                           .clients = roll->pools[i].cl_active + roll->pools[i].cl_waiting };
    qsort(list->sums, roll->pool_count, sizeof *list->sums, compare_sums);
    for (size_t i = 0; i < roll->pool_count; i++) {
        struct user_sum *last = list->sum_count == 0 ? NULL : &list->sums[list->sum_count - 1];

        if (last != NULL && strcmp(last->user, list->sums[i].user) == 0) {
            last->servers += list->sums[i].servers;
            last->clients += list->sums[i].clients;
        } else {
            list->sums[list->sum_count++] = list->sums[i];
        }
    }
}

/* PgBouncer right-aligns these. */
static void
add_size(struct buf *rows, bool is_set, unsigned size)
{
    char text[16] = "";

    if (is_set)
        snprintf(text, sizeof text, "%9u", size);
    console_add_text(rows, text);
}

static void
add_user(void *arg, const char *name, const struct overrides *own)
{
    static const struct overrides nothing;
    struct user_list *list = arg;
    const struct user_sum key = { .user = name };
    struct user_sum *sum = list->sum_count == 0
                               ? NULL
                               : bsearch(&key, list->sums, list->sum_count, sizeof *list->sums, compare_sums);

    if (sum != NULL)
        sum->is_listed = true;
    list->count++;
    if (list->rows == NULL)
        return;
    if (own == NULL)
        own = &nothing;
    console_add_text(list->rows, name);
    add_size(list->rows, own->is_set.pool_size, own->pool_size);
    add_size(list->rows, own->is_set.reserve_pool_size, own->reserve_pool_size);
    console_add_text(list->rows, own->is_set.pool_mode ? pool_modes[own->pool_mode] : NULL);
    add_count(list->rows, own->is_set.max_user_connections ? own->max_user_connections
                                                           : list->settings->max_user_connections);
    add_count(list->rows, sum == NULL ? 0 : sum->servers);
    add_count(list->rows, settings_user_client_limit(list->settings, name));
    add_count(list->rows, sum == NULL ? 0 : sum->clients);
}

/* Those of the configuration, then those that pools have met beside them. Returns how many. */
static unsigned
list_users(struct job *j, const struct roll *roll, struct buf *rows)
{
    struct user_list list = { .settings = j->admin->config->settings, .rows = rows };

    sum_users(&list, roll);
    settings_each_user(list.settings, add_user, &list);
    for (size_t i = 0; i < list.sum_count; i++)
        if (!list.sums[i].is_listed)
            add_user(&list, list.sums[i].user, NULL);
    free(list.sums);
    return list.count;
}

static void
write_users(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)list_users(j, roll, rows);
}

static const struct console_column pool_columns[] = {
    T("database"),
    T("user"),
    I("cl_active"),
    I("cl_waiting"),
    I("cl_active_cancel_req"),
    I("cl_waiting_cancel_req"),
    I("sv_active"),
    I("sv_active_cancel"),
    I("sv_being_canceled"),
    I("sv_idle"),
    I("sv_used"),
    I("sv_tested"),
    I("sv_login"),
    I("maxwait"),
    I("maxwait_us"),
    T("pool_mode"),
    T("load_balance_hosts"),
};

static void
write_pools(struct job *j, const struct roll *roll, struct buf *rows)
{
    for (size_t i = 0; i < roll->pool_count; i++) {
        const struct roll_pool *p = &roll->pools[i];
        struct route *r = settings_route(j->admin->config->settings, p->database, p->user);
        const uint64_t numbers[] = {
            p->cl_active,
            p->cl_waiting,
            p->cl_cancel,
            0, /* a cancel request goes to the server at once */
            p->sv_active,
            p->sv_active_cancel,
            p->sv_being_canceled,
            p->sv_idle,
            0, /* idle servers need no check before they are used */
            p->sv_tested,
            p->sv_login,
            p->max_wait_us / US_PER_S,
            p->max_wait_us % US_PER_S,
        };

        console_add_text(rows, p->database);
        console_add_text(rows, p->user);
        for (size_t k = 0; k < COUNT_OF(numbers); k++)
            add_count(rows, numbers[k]);
        console_add_text(rows, pool_modes[p->pool_mode]);
        console_add_text(rows, r == NULL ? NULL : balance_of(r));
        route_drop(r);
    }
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, CONSOLE_DATABASE);
    add_count(rows, roll->totals.consoles);
    for (unsigned i = 0; i < 12; i++)
        add_count(rows, 0);
    console_add_text(rows, "statement");
    console_add_text(rows, NULL);
}

/* --- PEERS, PEER_POOLS --- */

static const struct console_column peer_columns[] = { I("peer_id"), T("host"), I("port"), I("pool_size") };
static const struct console_column peer_pool_columns[] = {
    I("peer_id"), I("cl_active_cancel_req"), I("cl_waiting_cancel_req"), I("sv_active_cancel"), I("sv_login"),
};

static unsigned
peer_count(const struct job *j)
{
    unsigned count = 0;

    while (settings_peer_at(j->admin->config->settings, count) != NULL)
        count++;
    return count;
}

static void
write_peers(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct peer *peer;

    (void)roll;
    for (unsigned i = 0; (peer = settings_peer_at(j->admin->config->settings, i)) != NULL; i++) {
        add_count(rows, peer->id);
        console_add_text(rows, peer->host);
        add_count(rows, peer->port);
        add_count(rows, peer->pool_size);
    }
}

static void
write_peer_pools(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct peer *peer;

    for (unsigned i = 0; (peer = settings_peer_at(j->admin->config->settings, i)) != NULL; i++) {
        unsigned active = 0, dialing = 0;

        for (size_t k = 0; k < roll->peer_count; k++)
            if (roll->peers[k].id == peer->id) {
                active += roll->peers[k].active;
                dialing += roll->peers[k].dialing;
            }
        add_count(rows, peer->id);
        add_count(rows, active); /* a request and its connection are one and one */
        add_count(rows, dialing);
        add_count(rows, active);
        add_count(rows, dialing);
    }
}

static void
write_nothing(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    (void)roll;
    (void)rows;
}

/* --- CLIENTS, SERVERS, SOCKETS --- */

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

static void
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

static void
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

    if (stream_is_open(s) && stream_is_tls(s) && stream_tls_cipher(s) != NULL)
        snprintf(text, sizeof text, "%s/%s", stream_tls_version(s), stream_tls_cipher(s));
    console_add_text(rows, text);
}

/* What clients and servers have in common. */
struct socket_row {
    const char *type, *user, *database, *state;
    const char *application_name;
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
    console_add_text(rows, "none");
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
    static const char *const words[] = {
        "cl_active", "cl_waiting", "cl_login",  "cl_waiting_cancel_req", "sv_active",
        "sv_idle",   "sv_login",   "sv_tested", "sv_being_canceled"
    };

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

/* --- LISTS, MEM --- */

static const struct console_column list_columns[] = { T("list"), I("items") };

static void
write_lists(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct settings *s = j->admin->config->settings;
    const struct roll_totals *t = &roll->totals;
    unsigned databases = 1; /* the console */
    const char *name;

    for (unsigned i = 0; (name = settings_database_name(s, i)) != NULL; i++)
        databases += strcmp(name, "*") != 0;
    for (size_t i = 0; i < roll->pool_count; i++)
        databases += settings_database_own(s, roll->pools[i].database) == NULL &&
                     (i == 0 || strcmp(roll->pools[i - 1].database, roll->pools[i].database) != 0);
    {
        const struct {
            const char *list;
            uint64_t items;
        } items[] = {
            { "databases", databases },
            { "users", list_users(j, roll, NULL) },
            { "peers", peer_count(j) },
            { "pools", roll->pool_count + 1 },
            { "peer_pools", peer_count(j) },
            { "free_clients", 0 }, /* memory of clients that have left is given back, not listed */
            { "used_clients", (uint64_t)t->clients + t->consoles },
            { "login_clients", t->logins },
            { "free_servers", 0 },
            { "used_servers", t->servers },
            { "dns_names", t->dns_names },
            { "dns_zones", 0 },
            { "dns_queries", t->dns_queries },
            { "dns_pending", t->dns_queries },
        };

        for (size_t i = 0; i < COUNT_OF(items); i++) {
            console_add_text(rows, items[i].list);
            add_count(rows, items[i].items);
        }
    }
}

static const struct console_column mem_columns[] = { T("name"), I("size"), I("used"), I("free"),
                                                     I("memtotal") };

static void
add_mem(struct buf *rows, const char *name, uint64_t size, uint64_t used, uint64_t total)
{
    console_add_text(rows, name);
    add_count(rows, size);
    add_count(rows, used);
    add_count(rows, 0); /* free ones are given back */
    add_count(rows, total);
}

static void
write_mem(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct roll_totals *t = &roll->totals;
    uint64_t clients = (uint64_t)t->clients + t->logins + t->consoles;

    (void)j;
    add_mem(rows, "client_cache", t->client_bytes, clients, clients * t->client_bytes);
    add_mem(rows, "server_cache", t->server_bytes, t->servers, (uint64_t)t->servers * t->server_bytes);
    add_mem(rows, "statement_cache",
            t->statements.statements == 0 ? 0 : t->statements.bytes / t->statements.statements,
            t->statements.statements, t->statements.bytes);
}

/* --- DNS_HOSTS, DNS_ZONES, FDS --- */

static const struct console_column dns_host_columns[] = { T("hostname"), Q("ttl"), T("addrs") };
static const struct console_column dns_zone_columns[] = { T("zonename"), Q("serial"), I("count") };
/* Every worker has a resolver of its own: a name is told once, the freshest first. */
static void
write_dns_hosts(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    for (size_t i = 0; i < roll->name_count; i++) {
        const struct roll_name *name = &roll->names[i];

        if (i > 0 && strcmp(roll->names[i - 1].name, name->name) == 0)
            continue;
        console_add_text(rows, name->name);
        console_add_int(rows, (int64_t)(name->ttl_us / US_PER_S));
        console_add_text(rows, name->addresses);
    }
}

/* --- STATS --- */

#define STAT_NAMES(prefix, received, sent)                                                 \
    N(prefix "server_assignment_count"), N(prefix "xact_count"), N(prefix "query_count"),  \
        N(prefix received), N(prefix sent), N(prefix "xact_time"), N(prefix "query_time"), \
        N(prefix "wait_time")
#define STAT_NAMES_END(prefix)                                                              \
    N(prefix "client_parse_count"), N(prefix "server_parse_count"), N(prefix "bind_count"), \
        N(prefix "client_login_count")

static const struct console_column stats_columns[] = {
    T("database"),
    STAT_NAMES("total_", "received", "sent"),
    STAT_NAMES_END("total_"),
    STAT_NAMES("avg_", "recv", "sent"),
    STAT_NAMES_END("avg_"),
};
static const struct console_column stats_totals_columns[] = {
    T("database"),
    STAT_NAMES("", "bytes_received", "bytes_sent"),
    STAT_NAMES_END(""),
};
static const struct console_column stats_averages_columns[] = {
    T("database"),
    STAT_NAMES("", "bytes_received", "bytes_sent"),
    STAT_NAMES_END("avg_"),
};
static const struct console_column totals_columns[] = { T("name"), N("value") };

#define STAT_COUNT 12u

/* In the columns' order. */
static void
stat_values(const struct pool_counters *c, uint64_t out[STAT_COUNT])
{
    const uint64_t values[STAT_COUNT] = {
        c->server_assignment_count, c->xact_count,   c->query_count,
        c->received_bytes,          c->sent_bytes,   c->xact_time_us,
        c->query_time_us,           c->wait_time_us, c->client_parse_count,
        c->server_parse_count,      c->bind_count,   c->client_login_count,
    };

    memcpy(out, values, sizeof values);
}

static void
add_stats(struct buf *rows, const struct pool_counters *c)
{
    uint64_t values[STAT_COUNT];

    stat_values(c, values);
    for (size_t i = 0; i < STAT_COUNT; i++)
        console_add_uint(rows, values[i]);
}

enum { STATS_TOTAL = 1, STATS_AVERAGE = 2 };

static void
write_stats_of(struct job *j, const struct roll *roll, struct buf *rows, unsigned which)
{
    const struct stats_snapshot *before = &j->admin->stats.older;
    struct stats_snapshot now;

    stats_snapshot_of(&now, roll, clock_now_us(j->admin->clock));
    for (size_t i = 0; i < now.count; i++) {
        struct pool_counters old = stats_of(before, now.rows[i].database);
        struct pool_counters average;

        stats_average(&now.rows[i].total, now.taken_us, &old, before->taken_us, &average);
        console_add_text(rows, now.rows[i].database);
        if (which & STATS_TOTAL)
            add_stats(rows, &now.rows[i].total);
        if (which & STATS_AVERAGE)
            add_stats(rows, &average);
    }
    stats_snapshot_fini(&now);
}

static void
write_stats(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_TOTAL | STATS_AVERAGE);
}

static void
write_stats_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_TOTAL);
}

static void
write_stats_averages(struct job *j, const struct roll *roll, struct buf *rows)
{
    write_stats_of(j, roll, rows, STATS_AVERAGE);
}

static void
add_totals(struct buf *rows, const char *prefix, const struct pool_counters *c)
{
    static const char *const names[STAT_COUNT] = {
        "server_assignment_count",
        "xact_count",
        "query_count",
        "client_bytes",
        "server_bytes",
        "xact_time",
        "query_time",
        "wait_time",
        "ps_client_parse_count",
        "ps_server_parse_count",
        "ps_bind_count",
        "client_login_count",
    };
    uint64_t values[STAT_COUNT];
    char name[64];

    stat_values(c, values);
    for (size_t i = 0; i < STAT_COUNT; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        console_add_text(rows, name);
        console_add_uint(rows, values[i]);
    }
}

static void
write_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    struct stats_snapshot now;
    struct pool_counters sum, old, average;

    stats_snapshot_of(&now, roll, clock_now_us(j->admin->clock));
    stats_sum(&now, &sum);
    stats_sum(&j->admin->stats.older, &old);
    stats_average(&sum, now.taken_us, &old, j->admin->stats.older.taken_us, &average);
    add_totals(rows, "total_", &sum);
    add_totals(rows, "avg_", &average);
    stats_snapshot_fini(&now);
}

/* --- BUDGET --- */

static const struct console_column budget_columns[] = {
    T("host"), I("connection_limit"), I("in_force"),   I("taken"), I("waiting"),     T("database"),
    T("user"), I("pool_limit"),       I("pool_taken"), T("terms"), T("last_change"),
};

static void
add_budget(void *arg, struct pool *pool)
{
    struct buf *rows = arg;
    const struct budget_account *account = pool_account(pool);
    struct budget_view view;

    budget_look(account, &view);
    console_add_text(rows, budget_host_key(account->host));
    add_count(rows, view.limit);
    add_count(rows, view.in_force);
    add_count(rows, view.taken);
    add_count(rows, view.wanted);
    console_add_text(rows, pool_database(pool));
    console_add_text(rows, pool_user(pool));
    add_count(rows, view.account_limit);
    add_count(rows, view.account_taken);
    console_add_text(rows, view.why);
    console_add_text(rows, view.last_change);
}

static void
write_budget(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)roll;
    pools_each(house_pools(j->admin->house), add_budget, rows);
}

/* --- PINS, PIN_TOTALS --- */

#define PIN_NAME(id, name, words) [id] = #name,
static const char *const pin_names[PIN_REASON_COUNT] = { PIN_REASONS(PIN_NAME) };
#undef PIN_NAME

static const struct console_column pin_columns[] = {
    I("id"),   T("database"), T("user"),    T("application_name"), T("addr"),
    I("port"), T("state"),    T("reasons"), I("pinned_seconds"),   T("link"),
};

static void
list_pinned(const void *job, struct buf *rows, const struct roll_client *c)
{
    const struct job *j = job;
    struct address local = { .len = 0 }, peer = { .len = 0 };
    char reasons[200] = "";

    if (c->pins == 0)
        return;
    for (size_t i = 0; i < PIN_REASON_COUNT; i++)
        if (c->pins & PIN_BIT(i))
            snprintf(reasons + strlen(reasons), sizeof reasons - strlen(reasons), "%s%s",
                     reasons[0] == '\0' ? "" : ",", pin_names[i]);
    stream_ends(c->stream, &local, &peer);
    add_count(rows, c->id);
    console_add_text(rows, c->database);
    console_add_text(rows, c->user);
    console_add_text(rows, c->application_name);
    add_address(rows, &peer, j->admin->config->settings->listen_port);
    console_add_text(rows, c->state);
    console_add_text(rows, reasons);
    add_count(rows, (c->now_us - c->pinned_us) / US_PER_S);
    add_handle(rows, c->link_id);
}

static const struct console_column pin_total_columns[] = {
    T("database"), T("user"), T("reason"), I("clients"), T("words"),
};

static void
write_pin_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
#define PIN_WORDS(id, name, words) [id] = words,
    static const char *const words[PIN_REASON_COUNT] = { PIN_REASONS(PIN_WORDS) };
#undef PIN_WORDS

    (void)j;
    for (size_t i = 0; i < roll->pool_count; i++)
        for (size_t k = 0; k < PIN_REASON_COUNT; k++) {
            if (roll->pools[i].pins.by_reason[k] == 0)
                continue;
            console_add_text(rows, roll->pools[i].database);
            console_add_text(rows, roll->pools[i].user);
            console_add_text(rows, pin_names[k]);
            add_count(rows, roll->pools[i].pins.by_reason[k]);
            console_add_text(rows, words[k]);
        }
}

/* --- PREPARED --- */

#define PREPARED_AT_ONCE 64u     /* under the registry's lock */
#define PREPARED_MOST_TEXT 1000u /* bytes of a query that are shown */

static const struct console_column prepared_columns[] = {
    T("name"), T("query"), I("parameters"), I("holders"), I("servers"), N("calls"), I("bytes"),
};

static void
add_prepared(void *arg, const struct statement *s)
{
    struct buf *rows = arg;
    struct slice text = statement_text(s);
    size_t counted = (size_t)s->text_len + 1; /* behind the query: how many types the client has told */

    if (text.len > PREPARED_MOST_TEXT)
        for (text.len = PREPARED_MOST_TEXT; text.len > 0 && (text.at[text.len] & 0xc0) == 0x80;)
            text.len--;
    console_add_text(rows, s->name);
    console_add_slice(rows, text);
    add_count(rows, counted + 2 <= s->tail_len ? get_be16(s->bytes + counted) : 0);
    add_count(rows, atomic_load_explicit(&((struct statement *)(uintptr_t)s)->refs, memory_order_relaxed));
    add_count(rows, atomic_load_explicit(&((struct statement *)(uintptr_t)s)->servers, memory_order_relaxed));
    console_add_uint(rows,
                     atomic_load_explicit(&((struct statement *)(uintptr_t)s)->calls, memory_order_relaxed));
    add_count(rows, (uint64_t)s->tail_len + s->scope_len);
}

static void
write_prepared(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)roll;
    struct statement *last = NULL;

    do
        last = registry_list(house_registry(j->admin->house), last, PREPARED_AT_ONCE, add_prepared, rows);
    while (last != NULL);
}

/* --- pretend settings: what drivers ask any server at their start --- */

static const struct console_column client_encoding_columns[] = { T("client_encoding") };
static const struct console_column isolation_columns[] = { T("default_transaction_isolation") };
static const struct console_column standard_strings_columns[] = { T("standard_conforming_strings") };
static const struct console_column datestyle_columns[] = { T("datestyle") };
static const struct console_column timezone_columns[] = { T("timezone") };

static void
write_pretended(struct job *j, const struct roll *roll, struct buf *rows)
{
    static const struct {
        const struct console_column *columns;
        const char *value;
    } values[] = {
        { client_encoding_columns, "UTF8" }, { isolation_columns, "read committed" },
        { standard_strings_columns, "on" },  { datestyle_columns, "ISO" },
        { timezone_columns, "GMT" },
    };

    (void)roll;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (values[i].columns == j->show->shape.columns)
            console_add_text(rows, values[i].value);
}

/* --- the table --- */

/* clang-format off */
const struct show shows[] = {
    { "BUDGET", SHAPE(budget_columns), .write = write_budget },
    { "CLIENTS", SHAPE(client_columns), ROLL_CLIENTS, .on_client = list_client },
    { "CONFIG", SHAPE(config_columns), .write = write_config },
    { "DATABASES", SHAPE(database_columns), ROLL_POOLS, .write = write_databases },
    { "DNS_HOSTS", SHAPE(dns_host_columns), ROLL_NAMES, .write = write_dns_hosts },
    { "DNS_ZONES", SHAPE(dns_zone_columns), .write = write_nothing },
    { "FDS", { NULL, 0 }, .is_for_admin = true, .refusal = "SHOW FDS is not supported: connections are not handed over through the console" },
    { "HELP", { NULL, 0 }, .write = write_help },
    { "LISTS", SHAPE(list_columns), ROLL_POOLS | ROLL_NAMES, .write = write_lists },
    { "MEM", SHAPE(mem_columns), ROLL_TOTALS, .write = write_mem },
    { "PEERS", SHAPE(peer_columns), .write = write_peers },
    { "PEER_POOLS", SHAPE(peer_pool_columns), ROLL_PEERS, .write = write_peer_pools },
    { "PINS", SHAPE(pin_columns), ROLL_CLIENTS, .on_client = list_pinned },
    { "PIN_TOTALS", SHAPE(pin_total_columns), ROLL_POOLS, .write = write_pin_totals },
    { "PREPARED", SHAPE(prepared_columns), .is_for_admin = true, .write = write_prepared },
    { "POOLS", SHAPE(pool_columns), ROLL_POOLS, .write = write_pools },
    { "SERVERS", SHAPE(client_columns), ROLL_SERVERS, .on_server = list_server },
    { "SOCKETS", SHAPE(socket_columns), ROLL_CLIENTS | ROLL_SERVERS, .on_client = list_client_socket, .on_server = list_server_socket },
    { "ACTIVE_SOCKETS", SHAPE(socket_columns), ROLL_CLIENTS | ROLL_SERVERS, .on_client = list_active_client, .on_server = list_active_server },
    { "STATE", SHAPE(state_columns), .write = write_state },
    { "STATS", SHAPE(stats_columns), ROLL_POOLS, .write = write_stats },
    { "STATS_TOTALS", SHAPE(stats_totals_columns), ROLL_POOLS, .write = write_stats_totals },
    { "STATS_AVERAGES", SHAPE(stats_averages_columns), ROLL_POOLS, .write = write_stats_averages },
    { "TOTALS", SHAPE(totals_columns), ROLL_POOLS, .write = write_totals },
    { "USERS", SHAPE(user_columns), ROLL_POOLS, .write = write_users },
    { "VERSION", SHAPE(version_columns), .write = write_version },
    { "client_encoding", SHAPE(client_encoding_columns), .write = write_pretended },
    { "default_transaction_isolation", SHAPE(isolation_columns), .write = write_pretended },
    { "standard_conforming_strings", SHAPE(standard_strings_columns), .write = write_pretended },
    { "datestyle", SHAPE(datestyle_columns), .write = write_pretended },
    { "timezone", SHAPE(timezone_columns), .write = write_pretended },
};
/* clang-format on */

const size_t show_count = COUNT_OF(shows);

const struct show *
show_find(const char *name)
{
    for (size_t i = 0; i < show_count; i++)
        if (text_equal_nocase(shows[i].name, name))
            return &shows[i];
    return NULL;
}

/* --- the course of it --- */

static void
finish(struct job *j, const struct roll *roll)
{
    struct console_call *call = j->call;

    call->shape = j->show->shape;
    snprintf(call->tag, sizeof call->tag, "SHOW");
    if (roll != NULL && buf_len(&roll->rows) > 0)
        buf_add(&call->rows, buf_slice(&roll->rows));
    if (j->show->write != NULL)
        j->show->write(j, roll, &call->rows);
    job_answer(j);
}

static void
on_rolled(void *arg, struct roll *roll)
{
    struct job *j = arg;

    j->is_rolling = false;
    if (j->is_cancelled || j->admin->is_closing) /* closing: the house may be gone */
        job_refuse(j, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    else
        finish(j, roll);
}

void
show_begin(struct job *j)
{
    struct timespec now;
    struct roll_request request = {
        .what = j->show->what,
        .on_client = j->show->on_client,
        .on_server = j->show->on_server,
        .on_done = on_rolled,
        .arg = j,
        .loop = j->admin->loop,
    };

    if (j->show->is_for_admin && !j->call->is_admin) {
        job_refuse(j, "42501", "admin access needed: SHOW %s is for admin_users", j->show->name);
        return;
    }
    if (j->show->refusal != NULL) {
        job_refuse(j, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s", j->show->refusal);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    j->wall_us = (int64_t)now.tv_sec * (int64_t)US_PER_S + now.tv_nsec / 1000 -
                 (int64_t)clock_now_us(j->admin->clock);
    if (request.what == 0) {
        finish(j, NULL);
        return;
    }
    j->is_rolling = true;
    roll_call(j->admin->house, &request);
}
