/*
 * pipe.c - replication connections (startup parameter `replication`), physical and logical.
 *
 *     login -> a private pool -> its one server, dialed with the client's own startup parameters
 *         -> greeting -> PIPED
 *
 * A walsender is a session of its own kind: it cannot be cleaned, so its server is never reused, and in COPY
 * BOTH either side may say anything at any time. So nothing is scanned or entered in the ledger: what one
 * side sends goes to the other, and when one closes, so does the other. For the same reason nothing of ours
 * can be said in between: a client that is sent away finds its connection closed.
 *
 * source PostgreSQL docs, protocol-replication.
 */
#include "pipe_impl.h"

#include <assert.h>

#include "login_impl.h"
#include "pending_impl.h"
#include "server_impl.h"

/* --- the server's side --- */

static bool
is_clogged(const struct stream *s)
{
    return stream_backlog_bytes(s) > STREAM_HIGH_BYTES;
}

static void
on_bytes(void *owner, struct slice fresh)
{
    struct server *s = owner;
    struct client *c = s->client;

    if (c == NULL) /* it is closing */
        return;
    shard_counters(c->shard)->sent_bytes += fresh.len;
    stream_send(&c->stream, fresh);
    if (is_clogged(&c->stream))
        stream_read_stop(&s->stream);
}

static void
on_drained(void *owner)
{
    struct server *s = owner;

    if (s->client != NULL)
        stream_read_start(&s->client->stream);
}

static void
on_closed(void *owner, const struct error *why)
{
    struct server *s = owner;
    struct client *c = s->client;

    (void)why;
    if (s->state == SERVER_PARTING) {
        server_kill(s);
        return;
    }
    server_end(s, LOG_NOTICE_LEVEL, "ended the replication session");
    if (c != NULL)
        client_server_gone(c, END_SERVER_LOST, NULL);
}

static const struct stream_handler piped = { .on_bytes = on_bytes,
                                             .on_drained = on_drained,
                                             .on_closed = on_closed };

/* --- the client's side --- */

void
pipe_await(struct client *c)
{
    struct member *m = shard_take(c->shard, &pending_of(c)->waiter);

    assert(m == NULL); /* nobody else has ever been there */
    (void)m;
    if (c->state != CLIENT_ENDED)
        client_feed(c, EV_QUEUED);
}

void
pipe_open(struct client *c)
{
    struct welcome *welcome = pool_welcome(shard_pool(c->shard));

    login_greet(c, welcome, slice_of(NULL, 0));
    welcome_drop(welcome);
}

void
pipe_start(struct client *c)
{
    c->server->stream.handler = &piped;
    if (pending_bytes(c) > 0)
        pipe_from_client(c, pending_input(c));
    pending_free(c);
}

void
pipe_from_client(struct client *c, struct slice fresh)
{
    if (c->server == NULL)
        return;
    shard_counters(c->shard)->received_bytes += fresh.len;
    stream_send(&c->server->stream, fresh);
    if (is_clogged(&c->server->stream))
        stream_read_stop(&c->stream);
}

void
pipe_client_drained(struct client *c)
{
    if (c->server != NULL)
        stream_read_start(&c->server->stream);
}
