/*
 * roll.c - see roll.h.
 *
 *     roll_call() -- one letter to each worker --> pools and servers at once, clients in batches
 *         -- the last one --> on_done()
 *
 * The clients of a worker are noted by their cancel keys, in one quick pass; then so many of them per loop
 * turn are looked up and written down. One that has left meanwhile is left out, and nobody needs to know that
 * a roll call goes on.
 */
#include "pgweir/session/roll.h"

#include <stdlib.h>
#include <string.h>

#include "cancel_impl.h"
#include "console_impl.h"
#include "forward_impl.h"
#include "login_impl.h"
#include "pending_impl.h"
#include "pgweir/base/mem.h"
#include "prepared_impl.h"

#define BATCH 32u /* clients in one turn: about 0.2 ms */

struct part { /* one worker's */
    struct letter letter;
    struct chore next; /* batch of clients */
    struct roll_under_way *roll;
    struct worker *worker;
    struct roll_pool *pools;
    size_t pool_count, pool_room;
    struct roll_name *names; /* owned until they are merged */
    size_t name_count;
    struct roll_peer *peers;
    size_t peer_count;
    uint32_t *keys; /* of clients */
    size_t key_count, key_at;
    struct buf clients, servers;
    struct roll_totals totals;
};

struct roll_under_way {
    struct letter done;
    struct roll_request request;
    struct roll_totals totals; /* what is known without asking */
    _Atomic unsigned missing;  /* parts */
    unsigned part_count;
    struct part parts[];
};

/* --- pools --- */

static void
count_members(struct shard *shard, uint64_t now_us, struct roll_pool *out)
{
    LIST_EACH(shard_members(shard), l) {
        const struct server *s = server_of_member(CONTAINER_OF(l, struct member, in_all));
        unsigned cancels = cancel_count(s);

        out->cl_cancel += cancels;
        out->sv_active_cancel += cancels;
        switch ((enum server_state)s->state) {
        case SERVER_DIALING:
        case SERVER_TLS_ASKED:
        case SERVER_TLS:
        case SERVER_AUTH:
        case SERVER_SETUP:
            out->sv_login++;
            break;
        case SERVER_IDLE:
            if (member_is_suspect(&s->member, now_us))
                out->sv_used++;
            else
                out->sv_idle++;
            break;
        case SERVER_ACTIVE:
            out->sv_active++;
            break;
        case SERVER_CLEANING:
        case SERVER_CHECKING:
            out->sv_tested++;
            break;
        case SERVER_SETTLING:
            out->sv_being_canceled++;
            break;
        case SERVER_PARTING:
        case SERVER_ENDED:
        case SERVER_STATE_COUNT:
            break;
        }
    }
}

static void
add_pool(void *arg, struct pool *pool)
{
    struct part *part = arg;
    struct shard *shard = pool_shard_known(pool, part->worker->index);
    struct roll_pool *out;
    uint64_t since_us;

    if (shard == NULL)
        return;
    if (part->pool_count == part->pool_room) {
        part->pool_room = part->pool_room == 0 ? 16 : 2 * part->pool_room;
        part->pools = mem_grow(part->pools, part->pool_room, sizeof *part->pools);
    }
    out = &part->pools[part->pool_count++];
    *out = (struct roll_pool){ .pool = pool, .pool_mode = shard_route(shard)->pool_mode };
    snprintf(out->database, sizeof out->database, "%s", pool_database(pool));
    snprintf(out->user, sizeof out->user, "%s", pool_user(pool));
    out->cl_waiting = shard_waiting_count(shard);
    out->cl_active = shard_client_count(shard) - out->cl_waiting;
    since_us = shard_waiting_since_us(shard);
    if (since_us > 0)
        out->max_wait_us = loop_now_us(part->worker->loop) - since_us;
    out->counters = *shard_counters(shard);
    out->pins = *shard_pin_counts(shard);
    count_members(shard, loop_now_us(part->worker->loop), out);
}

static int
compare_pools(const void *a, const void *b)
{
    const struct roll_pool *one = a, *other = b;
    int order = strcmp(one->database, other->database);

    if (order == 0)
        order = strcmp(one->user, other->user);
    if (order == 0)
        order = one->pool < other->pool ? -1 : one->pool > other->pool;
    return order;
}

static void
merge_pool(struct roll_pool *to, const struct roll_pool *from)
{
    to->cl_active += from->cl_active;
    to->cl_waiting += from->cl_waiting;
    to->cl_cancel += from->cl_cancel;
    to->sv_active += from->sv_active;
    to->sv_active_cancel += from->sv_active_cancel;
    to->sv_being_canceled += from->sv_being_canceled;
    to->sv_idle += from->sv_idle;
    to->sv_used += from->sv_used;
    to->sv_tested += from->sv_tested;
    to->sv_login += from->sv_login;
    if (to->max_wait_us < from->max_wait_us)
        to->max_wait_us = from->max_wait_us;
    pool_counters_add(&to->counters, &from->counters);
    to->pins.clients += from->pins.clients;
    for (size_t i = 0; i < PIN_REASON_COUNT; i++)
        to->pins.by_reason[i] += from->pins.by_reason[i];
}

static void
merge_pools(struct roll_under_way *u, struct roll *out)
{
    size_t count = 0;

    for (unsigned i = 0; i < u->part_count; i++)
        count += u->parts[i].pool_count;
    out->pools = mem_new(count * sizeof *out->pools + 1);
    count = 0;
    for (unsigned i = 0; i < u->part_count; i++)
        for (size_t j = 0; j < u->parts[i].pool_count; j++)
            out->pools[count++] = u->parts[i].pools[j];
    qsort(out->pools, count, sizeof *out->pools, compare_pools);
    for (size_t i = 0; i < count; i++) {
        if (out->pool_count > 0 && out->pools[out->pool_count - 1].pool == out->pools[i].pool)
            merge_pool(&out->pools[out->pool_count - 1], &out->pools[i]);
        else
            out->pools[out->pool_count++] = out->pools[i];
    }
}

/* --- clients and servers --- */

static const char *
application_in(const struct snapshot *settings)
{
    const char *name = snapshot_value(settings, "application_name");

    return name == NULL ? "" : name;
}

static const char *const replication_words[] = {
    [REPLICATION_NONE] = "none", [REPLICATION_PHYSICAL] = "physical", [REPLICATION_LOGICAL] = "logical"
};

static const char *
state_of(const struct client *c)
{
    switch ((enum client_state)c->state) {
    case CLIENT_STARTUP:
    case CLIENT_TLS:
    case CLIENT_AUTH:
        return "login";
    case CLIENT_WELCOME:
        return pending_is_waiting(c) ? "waiting" : "login";
    case CLIENT_WAITING:
        return "waiting";
    case CLIENT_IDLE:
        return "idle";
    case CLIENT_TRYING:
    case CLIENT_ACTIVE:
    case CLIENT_CONSOLE:
    case CLIENT_PIPED:
        return "active";
    case CLIENT_CANCELLING:
        return "waiting_cancel_req";
    case CLIENT_ENDED:
    case CLIENT_STATE_COUNT:
        break;
    }
    return "ended";
}

static void
write_client(struct part *part, const struct client *c)
{
    const struct roll_request *request = &part->roll->request;
    struct roll_client row = {
        .id = c->id,
        .user = c->shard != NULL                             ? pool_user(shard_pool(c->shard))
                : c->console != NULL                         ? console_user(c->console)
                : c->login != NULL && c->login->user != NULL ? c->login->user
                                                             : "(nouser)",
        .database = c->shard != NULL                                 ? pool_database(shard_pool(c->shard))
                    : c->console != NULL                             ? console_database(c->console)
                    : c->login != NULL && c->login->database != NULL ? c->login->database
                                                                     : "(nodb)",
        .state = state_of(c),
        .application_name = application_in(c->settings),
        .replication = replication_words[c->replication],
        .settings = c->settings,
        .pool = c->shard != NULL ? shard_pool(c->shard) : NULL,
        .link_fd = c->server != NULL ? c->server->stream.fd : -1,
        .stream = &c->stream,
        .connect_us = c->born_s * US_PER_S,
        .request_us = c->server != NULL && c->server->turn.query_us != 0 ? c->server->turn.query_us
                      : c->active_us != 0                                ? c->active_us
                                                                         : c->born_s * US_PER_S,
        .now_us = loop_now_us(part->worker->loop),
        .link_id = c->server != NULL ? c->server->id : 0,
        .pending_in = pending_bytes(c),
        .pending_out = stream_backlog_bytes(&c->stream),
        .prepared_statements = prepared_client_count(c),
        .pins = c->pins,
        .pinned_us = c->server == NULL ? 0 : c->server->turn.pinned_us,
        .is_console = c->console != NULL,
    };

    if (pending_is_waiting(c))
        row.wait_us = row.now_us - c->pending->waiter.since_us;
    request->on_client(request->arg, &part->clients, &row);
}

static void
write_clients(struct part *part, const struct list *clients)
{
    LIST_EACH(clients, l) {
        write_client(part, CONTAINER_OF(l, struct client, in_worker));
    }
}

/* PgBouncer's words for what a server does. */
static const char *const server_words[] = {
    [SERVER_DIALING] = "new",     [SERVER_TLS_ASKED] = "new",
    [SERVER_TLS] = "new",         [SERVER_AUTH] = "new",
    [SERVER_SETUP] = "new",       [SERVER_IDLE] = "idle",
    [SERVER_ACTIVE] = "active",   [SERVER_CLEANING] = "tested",
    [SERVER_CHECKING] = "tested", [SERVER_SETTLING] = "being_canceled",
    [SERVER_PARTING] = "closing", [SERVER_ENDED] = "closing",
};
_Static_assert(COUNT_OF(server_words) == SERVER_STATE_COUNT, "server_words follows enum server_state");

static void
write_server(struct part *part, const struct server *s)
{
    const struct roll_request *request = &part->roll->request;
    const struct snapshot *settings = s->client != NULL ? s->client->settings : s->settings;
    bool is_used = s->state == SERVER_IDLE && member_is_suspect(&s->member, loop_now_us(part->worker->loop));
    struct roll_server row = {
        .id = s->id,
        .user = s->route->user,
        .database = s->route->database,
        .state = is_used ? "used" : server_words[s->state],
        .application_name = application_in(settings),
        .replication = replication_words[s->client != NULL ? s->client->replication : REPLICATION_NONE],
        .settings = settings,
        .pool = s->member.shard != NULL ? shard_pool(s->member.shard) : NULL,
        .link_fd = s->client != NULL ? s->client->stream.fd : -1,
        .stream = &s->stream,
        .peer = &s->peer,
        .connect_us = s->member.born_us,
        .request_us = s->request_us != 0 ? s->request_us : s->member.born_us,
        .now_us = loop_now_us(part->worker->loop),
        .link_id = s->client != NULL ? s->client->id : 0,
        .pending_in = buf_len(&s->carry),
        .pending_out = stream_backlog_bytes(&s->stream),
        .prepared_statements = prepared_server_count(s),
        .backend_pid = s->backend_pid,
        .close_needed = s->member.is_stale || s->state == SERVER_PARTING,
    };

    request->on_server(request->arg, &part->servers, &row);
}

/* --- peers --- */

static void
add_peer(void *arg, unsigned peer, bool is_connected)
{
    struct part *part = arg;

    part->peers = mem_grow(part->peers, part->peer_count + 1, sizeof *part->peers);
    part->peers[part->peer_count++] = (struct roll_peer){ peer, is_connected, !is_connected };
}

static void
merge_peers(struct roll_under_way *u, struct roll *out)
{
    for (unsigned i = 0; i < u->part_count; i++)
        for (size_t k = 0; k < u->parts[i].peer_count; k++) {
            out->peers = mem_grow(out->peers, out->peer_count + 1, sizeof *out->peers);
            out->peers[out->peer_count++] = u->parts[i].peers[k];
        }
}

/* --- names of hosts --- */

static void
add_name(void *arg, const char *name, uint64_t ttl_us, const struct address *addresses, unsigned count)
{
    struct part *part = arg;
    struct roll_name *out;
    struct buf text;

    part->names = mem_grow(part->names, part->name_count + 1, sizeof *part->names);
    out = &part->names[part->name_count++];
    buf_init(&text);
    for (unsigned i = 0; i < count; i++) {
        char one[128];

        address_text(&addresses[i], one, sizeof one);
        *strrchr(one, ':') = '\0'; /* the port is no part of what is known */
        buf_add_format(&text, "%s%s", i == 0 ? "" : ",", one);
    }
    *out = (struct roll_name){ mem_text(name), mem_text_of(buf_slice(&text)), ttl_us };
    buf_release(&text);
}

static int
compare_names(const void *a, const void *b)
{
    const struct roll_name *one = a, *other = b;
    int order = strcmp(one->name, other->name);

    return order != 0 ? order : one->ttl_us < other->ttl_us ? 1 : one->ttl_us > other->ttl_us ? -1 : 0;
}

static void
merge_names(struct roll_under_way *u, struct roll *out)
{
    for (unsigned i = 0; i < u->part_count; i++) {
        struct part *part = &u->parts[i];

        if (part->name_count == 0)
            continue;
        out->names = mem_grow(out->names, out->name_count + part->name_count, sizeof *out->names);
        memcpy(out->names + out->name_count, part->names, part->name_count * sizeof *part->names);
        out->name_count += part->name_count;
        part->name_count = 0;
    }
    if (out->name_count > 0)
        qsort(out->names, out->name_count, sizeof *out->names, compare_names);
    for (size_t i = 0; i < out->name_count; i++)
        out->totals.dns_names += i == 0 || strcmp(out->names[i - 1].name, out->names[i].name) != 0;
}

/* --- one worker's part --- */

static void
part_done(struct part *part)
{
    struct roll_under_way *u = part->roll;

    if (atomic_fetch_sub_explicit(&u->missing, 1, memory_order_acq_rel) > 1)
        return;
    loop_post_surely(u->request.loop, &u->done);
}

static void
on_batch(struct chore *chore)
{
    struct part *part = CONTAINER_OF(chore, struct part, next);

    for (unsigned n = 0; n < BATCH && part->key_at < part->key_count; n++) {
        const struct client *c = client_of_pid(part->worker, part->keys[part->key_at++]);

        if (c != NULL && c->console == NULL)
            write_client(part, c);
    }
    if (part->key_at < part->key_count)
        loop_defer(part->worker->loop, chore);
    else
        part_done(part);
}

static void
note_clients(struct part *part)
{
    struct worker *w = part->worker;
    size_t room = atomic_load_explicit(&w->client_count, memory_order_relaxed);

    part->keys = mem_new(room * sizeof *part->keys + 1);
    LIST_EACH(&w->clients, l) {
        if (part->key_count < room)
            part->keys[part->key_count++] = CONTAINER_OF(l, struct client, in_worker)->cancel_pid;
    }
}

static void
count_worker(struct part *part)
{
    struct worker *w = part->worker;
    struct roll_totals *t = &part->totals;

    t->logins = w->login_count;
    t->consoles = w->console_count;
    t->console = w->console_counters;
    memcpy(t->ended, w->ended, sizeof t->ended);
    LIST_EACH(&w->servers, l) {
        t->servers++;
        t->servers_idle += CONTAINER_OF(l, struct server, in_worker)->state == SERVER_IDLE;
    }
}

static void
on_call(struct letter *letter, void *recipient)
{
    struct part *part = CONTAINER_OF(letter, struct part, letter);
    struct worker *w = recipient;
    unsigned what = part->roll->request.what;

    count_worker(part);
    if (what & ROLL_POOLS)
        pools_each(w->house->pools, add_pool, part);
    if (what & ROLL_PEERS)
        forward_each(w, add_peer, part);
    if (what & ROLL_NAMES)
        part->totals.dns_queries = resolver_look(w->resolver, add_name, part);
    if (what & ROLL_SERVERS) {
        LIST_EACH(&w->servers, l) {
            write_server(part, CONTAINER_OF(l, struct server, in_worker));
        }
    }
    if (what & ROLL_CLIENTS) {
        write_clients(part, &w->logins);
        write_clients(part, &w->consoles);
        note_clients(part);
    }
    on_batch(&part->next);
}

/* --- the whole --- */

static void
add_totals(struct roll_totals *to, const struct roll_totals *from)
{
    to->logins += from->logins;
    to->consoles += from->consoles;
    to->servers += from->servers;
    to->servers_idle += from->servers_idle;
    to->dns_queries += from->dns_queries;
    pool_counters_add(&to->console, &from->console);
    for (size_t i = 0; i < END_REASON_COUNT; i++)
        to->ended[i] += from->ended[i];
}

static void
add_bytes(struct buf *to, const struct buf *from)
{
    if (buf_len(from) > 0)
        buf_add(to, buf_slice(from));
}

static void
roll_free(struct roll_under_way *u)
{
    for (unsigned i = 0; i < u->part_count; i++) {
        buf_release(&u->parts[i].clients);
        buf_release(&u->parts[i].servers);
        free(u->parts[i].pools);
        free(u->parts[i].keys);
        free(u->parts[i].names);
        free(u->parts[i].peers);
    }
    free(u);
}

static void
on_done(struct letter *letter, void *recipient)
{
    struct roll_under_way *u = CONTAINER_OF(letter, struct roll_under_way, done);
    struct roll_request request = u->request;
    struct roll roll = { .totals = u->totals };

    (void)recipient;
    buf_init(&roll.rows);
    merge_pools(u, &roll);
    merge_names(u, &roll);
    merge_peers(u, &roll);
    for (unsigned i = 0; i < u->part_count; i++)
        add_bytes(&roll.rows, &u->parts[i].clients);
    for (unsigned i = 0; i < u->part_count; i++) {
        add_bytes(&roll.rows, &u->parts[i].servers);
        add_totals(&roll.totals, &u->parts[i].totals);
    }
    roll_free(u);
    request.on_done(request.arg, &roll);
    buf_release(&roll.rows);
    free(roll.pools);
    for (size_t i = 0; i < roll.name_count; i++) {
        free(roll.names[i].name);
        free(roll.names[i].addresses);
    }
    free(roll.names);
    free(roll.peers);
}

void
roll_call(struct house *house, const struct roll_request *request)
{
    struct roll_under_way *u = mem_new(sizeof *u + house->worker_count * sizeof u->parts[0]);

    u->done.on_arrival = on_done;
    u->request = *request;
    u->totals.clients = atomic_load_explicit(&house->client_count, memory_order_relaxed);
    u->totals.client_bytes = sizeof(struct client);
    u->totals.server_bytes = sizeof(struct server);
    registry_look(house->registry, &u->totals.statements);
    u->part_count = house->worker_count;
    atomic_init(&u->missing, u->part_count);
    for (unsigned i = 0; i < u->part_count; i++) {
        struct part *part = &u->parts[i];

        part->letter.on_arrival = on_call;
        part->next.run = on_batch;
        part->roll = u;
        part->worker = &house->workers[i];
        buf_init(&part->clients);
        buf_init(&part->servers);
    }
    for (unsigned i = 0; i < u->part_count; i++)
        loop_post_surely(house->workers[i].loop, &u->parts[i].letter);
}
