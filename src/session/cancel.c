/*
 * cancel.c - see cancel_impl.h for the journey of a cancel request.
 *
 *     requester's worker          client's worker            a connection of its own
 *     job ----- letter ---------> key known, query runs? --> courier: [SSLRequest, handshake] CancelRequest, wait for EOF
 *     requester ended <-- letter - job goes home <---------- done, failed or too late (cancel_wait_timeout)
 *
 * A key is 32 bits of "pid" and 32 of secret, all random but for the bits of the pid that name the worker. No process
 * has such a pid, so a client that believes in it and calls pg_cancel_backend() or pg_terminate_backend() (Knex does)
 * hits nobody. With a peer_id the first 16 bits of the secret are 2 for the hops that a request may still make from
 * peer to peer, and 14 for the peer whose client it is; 41 random bits are left, which is 4 fewer than PgBouncer has.
 */
#include "cancel_impl.h"

#include <stdlib.h>

#include "console_impl.h"
#include "forward_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/wire/secret.h"

#define WORKER_BITS 5u
#define HOPS_MOST 3u
#define LEAST_PID 0x40000000u /* above every process id: Linux counts to 2^22 */
_Static_assert((1u << WORKER_BITS) >= POOL_MOST_WORKERS, "every worker needs a number in the key");

struct cancel_job {
    struct letter letter;
    struct worker *home;      /* where the requester lives; its thread alone touches `requester` */
    struct client *requester; /* NULL: hung up meanwhile */
    uint32_t pid;
    uint8_t secret[CANCEL_SECRET_BYTES];
};

struct courier {
    struct stream stream;
    struct worker *worker;
    struct server *server; /* NULL: it is gone */
    struct link in_server; /* server->couriers */
    struct dial *dial;
    struct timer timer;
    struct chore burial;
    struct cancel_job *job;  /* NULL: our own request */
    struct tls_context *tls; /* held; NULL: the server connection is plain */
    char *host;
    char endpoint[300];
    struct buf request;
    bool is_tls_asked;
    bool is_spoken; /* the request was sent: the server may act on it from now on */
};

/* --- keys --- */

static bool
same_pid(const struct map_node *node, const void *key)
{
    return CONTAINER_OF_CONST(node, struct client, in_keys)->cancel_pid == *(const uint32_t *)key;
}

struct client *
client_of_pid(const struct worker *w, uint32_t pid)
{
    struct map_node *node = map_find(&w->cancel_keys, map_hash(slice_of(&pid, sizeof pid)), same_pid, &pid);

    return node == NULL ? NULL : CONTAINER_OF(node, struct client, in_keys);
}

void
cancel_key_make(struct client *c)
{
    struct worker *w = c->worker;

    random_secret(c->cancel_secret, sizeof c->cancel_secret);
    if (w->house->peer_id > 0) {
        c->cancel_secret[0] = (uint8_t)(HOPS_MOST << 6 | w->house->peer_id >> 8);
        c->cancel_secret[1] = (uint8_t)w->house->peer_id;
    }
    do {
        random_secret(&c->cancel_pid, sizeof c->cancel_pid);
        c->cancel_pid &= 0x7fffffffu; /* drivers show it as a signed number */
        c->cancel_pid |= LEAST_PID;
        c->cancel_pid &= ~((1u << WORKER_BITS) - 1);
        c->cancel_pid |= w->index;
    } while (client_of_pid(w, c->cancel_pid) != NULL);
    map_add(&w->cancel_keys, &c->in_keys, map_hash(slice_of(&c->cancel_pid, sizeof c->cancel_pid)));
    c->has_keys = true;
}

void
cancel_key_forget(struct client *c)
{
    if (!c->has_keys)
        return;
    map_remove(&c->worker->cancel_keys, &c->in_keys);
    c->has_keys = false;
}

/* --- the job --- */

static void
job_at_home(struct letter *letter, void *recipient)
{
    struct cancel_job *job = CONTAINER_OF(letter, struct cancel_job, letter);

    (void)recipient;
    if (job->requester != NULL) {
        job->requester->login->cancel = NULL;
        client_end(job->requester, END_CANCEL_DONE, NULL);
    }
    mem_wipe(job, sizeof *job);
    free(job);
}

static void
job_go_home(struct cancel_job *job)
{
    if (job == NULL)
        return;
    job->letter.on_arrival = job_at_home;
    if (!loop_post(job->home->loop, &job->letter)) { /* flooded: the requester runs into its login timeout */
        log_line(LOG_WARNING_LEVEL, "a worker's mailbox is full: a cancel request was lost");
    }
}

static void
job_at_client(struct letter *letter, void *recipient)
{
    struct cancel_job *job = CONTAINER_OF(letter, struct cancel_job, letter);
    struct worker *w = recipient;
    struct client *c = client_of_pid(w, job->pid);

    if (c != NULL && c->console != NULL && secret_equal(c->cancel_secret, job->secret, sizeof job->secret)) {
        console_cancel(c);
        c = NULL;
    }
    /* Only a query that runs can be cancelled: idle in a transaction PostgreSQL ignores the request too. */
    if (c != NULL && secret_equal(c->cancel_secret, job->secret, sizeof job->secret) && c->server != NULL &&
        !ledger_is_empty(&c->server->ledger)) {
        client_log(c, LOG_INFO_LEVEL, "cancel request");
        if (!server_is_swallowing(c->server)) {
            cancel_dispatch(c->server, job);
            return;
        }
        /* What runs is a query of ours, which must not be hit; the client's, if it has sent one, comes behind it. */
        c->server->turn.is_cancel_due = true;
    }
    job_go_home(job);
}

static unsigned
peer_of(struct slice secret)
{
    return (unsigned)(secret.at[0] & 0x3f) << 8 | secret.at[1];
}

/* SECRET belongs to a client of another peer. */
static void
pass_on(struct client *requester, uint32_t pid, struct slice secret)
{
    const struct peer *peer = settings_peer(worker_settings(requester->worker), peer_of(secret));
    uint8_t next[CANCEL_SECRET_BYTES];

    if (peer == NULL || secret.at[0] >> 6 == 0) { /* nobody's, or it has gone in circles */
        client_end(requester, END_CANCEL_DONE, NULL);
        return;
    }
    memcpy(next, secret.at, sizeof next);
    next[0] = (uint8_t)(next[0] - (1u << 6));
    forward_cancel(requester, peer, pid, slice_of(next, sizeof next));
    mem_wipe(next, sizeof next);
}

void
cancel_request(struct client *requester, uint32_t pid, struct slice secret)
{
    struct house *house = requester->worker->house;
    uint32_t index = pid & ((1u << WORKER_BITS) - 1);
    struct cancel_job *job;

    if (house->peer_id > 0 && secret.len == CANCEL_SECRET_BYTES && peer_of(secret) != house->peer_id) {
        pass_on(requester, pid, secret);
        return;
    }
    if (secret.len != CANCEL_SECRET_BYTES || index >= house->worker_count) {
        client_end(requester, END_CANCEL_DONE, NULL);
        return;
    }
    job = mem_new(sizeof *job);
    job->home = requester->worker;
    job->requester = requester;
    job->pid = pid;
    memcpy(job->secret, secret.at, sizeof job->secret);
    if (house->peer_id > 0)
        job->secret[0] |= (uint8_t)(HOPS_MOST << 6); /* as it was given out, however many hops it has made */
    job->letter.on_arrival = job_at_client;
    requester->login->cancel = job;
    if (!loop_post(house->workers[index].loop, &job->letter)) {
        requester->login->cancel = NULL;
        free(job);
        client_end(requester, END_CANCEL_DONE, NULL);
    }
}

void
cancel_requester_gone(struct client *requester)
{
    if (requester->login->cancel != NULL)
        requester->login->cancel->requester = NULL;
    requester->login->cancel = NULL;
}

/* --- the courier --- */

static void
courier_bury(struct chore *chore)
{
    struct courier *k = CONTAINER_OF(chore, struct courier, burial);

    tls_context_drop(k->tls);
    buf_wipe(&k->request);
    free(k->host);
    free(k);
}

/* Done, one way or the other. */
static void
courier_end(struct courier *k)
{
    struct server *s = k->server;

    dial_cancel(k->dial);
    k->dial = NULL;
    timer_cancel(&k->timer);
    stream_close(&k->stream);
    link_remove(&k->in_server);
    k->server = NULL;
    job_go_home(k->job);
    k->job = NULL;
    loop_defer(k->worker->loop, &k->burial);
    if (s != NULL)
        server_settled(s);
}

static void
courier_speak(struct courier *k)
{
    k->is_spoken = true;
    stream_send(&k->stream, buf_slice(&k->request));
}

static void
on_bytes(void *owner, struct slice fresh)
{
    struct courier *k = owner;

    if (k->is_tls_asked && fresh.len == 1 && fresh.at[0] == 'S') {
        k->is_tls_asked = false;
        stream_start_tls_connect(&k->stream, k->tls, k->host, k->endpoint);
        return;
    }
    courier_end(k); /* nothing else is ever said to a CancelRequest */
}

static void
on_drained(void *owner)
{
    (void)owner;
}

/* The server closes the connection when it has signalled the backend. */
static void
on_closed(void *owner, const struct error *why)
{
    (void)why;
    courier_end(owner);
}

static void
on_tls(void *owner)
{
    courier_speak(owner);
}

static void
on_due(struct timer *timer)
{
    struct courier *k = CONTAINER_OF(timer, struct courier, timer);

    if (k->server != NULL) {
        server_log(k->server, LOG_NOTICE_LEVEL,
                   "cancel_wait_timeout: a cancel request was not taken in time");
        k->server->is_endangered |= k->is_spoken;
    }
    courier_end(k);
}

static void
on_connected(void *arg, int fd, const struct address *peer)
{
    struct courier *k = arg;

    (void)peer;
    k->dial = NULL;
    stream_open(&k->stream, k->worker->loop, fd);
    stream_read_start(&k->stream);
    if (k->tls != NULL) {
        struct buf out;

        k->is_tls_asked = true;
        buf_init(&out);
        build_ssl_request(&out);
        stream_send(&k->stream, buf_slice(&out));
        buf_release(&out);
    } else {
        courier_speak(k);
    }
}

static void
on_failed(void *arg, const struct error *why)
{
    struct courier *k = arg;

    k->dial = NULL;
    if (k->server != NULL)
        server_log(k->server, LOG_NOTICE_LEVEL, "a cancel request did not get through: %s", why->text);
    courier_end(k);
}

/* "host" and port of the very server that S talks to: a name could lead to another one by now. */
static void
dial_same_server(struct courier *k, const struct server *s)
{
    static const struct dial_handler handler = { .on_connected = on_connected, .on_failed = on_failed };
    char text[128];
    struct dial_params params = { .timeout_us = worker_settings(k->worker)->cancel_wait_timeout_us };
    char *colon;

    if (s->peer.at.ss_family == AF_UNIX) {
        params.host = s->host;
        params.port = (uint16_t)s->route->hosts[0].port;
        for (unsigned i = 0; i < s->route->host_count; i++)
            if (s->route->hosts[i].host == s->host)
                params.port = (uint16_t)s->route->hosts[i].port;
    } else {
        address_text(&s->peer, text, sizeof text);
        colon = strrchr(text, ':');
        params.port = (uint16_t)strtoul(colon + 1, NULL, 10);
        *colon = '\0';
        params.host = text;
        if (text[0] == '[') {
            colon[-1] = '\0';
            params.host = text + 1;
        }
    }
    k->dial = dial_start(k->worker->loop, k->worker->resolver, &params, &handler, k);
}

void
cancel_dispatch(struct server *s, struct cancel_job *job)
{
    static const struct stream_handler handler = {
        .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed, .on_tls = on_tls
    };
    struct worker *w = s->worker;
    struct courier *k = mem_new(sizeof *k);

    k->worker = w;
    k->server = s;
    k->job = job;
    k->host = mem_text(s->host);
    if (stream_is_tls(&s->stream))
        k->tls = tls_context_hold(s->tls);
    address_text(&s->peer, k->endpoint, sizeof k->endpoint);
    stream_init(&k->stream, &handler, k);
    timer_init(&k->timer, on_due);
    k->burial.run = courier_bury;
    link_init(&k->in_server);
    list_push_last(&s->couriers, &k->in_server);
    buf_init(&k->request);
    build_cancel_request(&k->request, s->backend_pid, slice_of(s->backend_secret, s->backend_secret_len));
    if (worker_settings(w)->cancel_wait_timeout_us > 0)
        loop_arm(w->loop, &k->timer, worker_settings(w)->cancel_wait_timeout_us);
    dial_same_server(k, s);
}

void
cancel_server_gone(struct server *s)
{
    LIST_EACH(&s->couriers, it) {
        struct courier *k = CONTAINER_OF(it, struct courier, in_server);

        k->server = NULL;
        link_remove(&k->in_server);
        courier_end(k);
    }
}

unsigned
cancel_count(const struct server *s)
{
    unsigned count = 0;

    LIST_EACH(&s->couriers, it) {
        count += CONTAINER_OF(it, struct courier, in_server)->job != NULL;
    }
    return count;
}
