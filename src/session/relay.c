/*
 * relay.c - bytes from clients to servers and back.
 *
 *     client bytes -> scanner -> ledger (what will be owed) -> gather -> one write to the server
 *     server bytes -> scanner -> ledger (what is paid)      -> gather -> one write to the client -> release,
 *                                                                              when nothing is owed
 *
 * The first line is relay_request.c, the second relay_reply.c; here is what both need, and the release.
 *
 * Both directions work through one piece of input, gather what leaves and write it once. Slices in the gather
 * point into that input, so it is flushed before the input is dropped, before a server is released (another
 * client may be linked in the same breath and use the gather), and before anything ends.
 */
#include "relay_impl.h"

#include <assert.h>

#include "pending_impl.h"
#include "prepared_impl.h"
#include "session_settings_impl.h"
#include "state_impl.h"

/* --- what is left of an input --- */

struct slice
relay_input(struct buf *kept, struct slice fresh, bool *is_kept)
{
    *is_kept = buf_len(kept) > 0;
    if (!*is_kept)
        return fresh;
    buf_add(kept, fresh);
    return buf_slice(kept);
}

void
relay_keep_rest(struct buf *kept, struct slice rest, bool is_kept)
{
    if (is_kept)
        buf_drop(kept, buf_len(kept) - rest.len);
    else if (rest.len > 0)
        buf_add(kept, rest);
    if (buf_len(kept) == 0)
        buf_release(kept);
}

/* --- what leaves --- */

void
relay_flush_to_server(struct client *c)
{
    if (c->server == NULL)
        return;
    gather_flush_last(&c->worker->gather, &c->server->stream);
    if (relay_is_clogged(&c->server->stream))
        stream_read_stop(&c->stream);
}

void
relay_flush_to_client(struct server *s)
{
    struct client *c = s->client;

    if (c == NULL) {
        assert(s->worker->gather.count == 0);
        return;
    }
    gather_flush_last(&s->worker->gather, &c->stream);
    if (relay_is_clogged(&c->stream) && !s->is_stalled) {
        s->is_stalled = true;
        stream_read_stop(&s->stream);
    }
}

static struct slice
made_up_reply(const struct server *s, struct owed owed)
{
    static const uint8_t parse_complete[] = { '1', 0, 0, 0, 4 };
    static const uint8_t bind_complete[] = { '2', 0, 0, 0, 4 };
    static const uint8_t close_complete[] = { '3', 0, 0, 0, 4 };
    static const uint8_t no_data[] = { 'n', 0, 0, 0, 4 };
    static const uint8_t ready[3][6] = { { 'Z', 0, 0, 0, 5, 'I' },
                                         { 'Z', 0, 0, 0, 5, 'T' },
                                         { 'Z', 0, 0, 0, 5, 'E' } };

    switch ((enum owed_kind)owed.kind) {
    case OWED_PARSE:
        return slice_of(parse_complete, sizeof parse_complete);
    case OWED_BIND:
        return slice_of(bind_complete, sizeof bind_complete);
    case OWED_CLOSE:
        return slice_of(close_complete, sizeof close_complete);
    case OWED_DESCRIBE:
        return slice_of(no_data, sizeof no_data);
    case OWED_SYNC:
    case OWED_QUERY:
    case OWED_FUNCTION:
        return slice_of(ready[s->status == 'T' ? 1 : s->status == 'E' ? 2 : 0], sizeof ready[0]);
    case OWED_EXECUTE:
    case OWED_COPY_END:
    case OWED_NOTHING:
        break;
    }
    assert(false);
    return slice_of(NULL, 0);
}

void
relay_gather_made_up(struct server *s)
{
    struct owed owed;

    while (ledger_take_synthetic(&s->ledger, &owed)) {
        gather_add(&s->worker->gather, &s->client->stream, made_up_reply(s, owed));
        prepared_paid(s, &owed);
    }
}

/* --- release --- */

void
relay_release(struct server *s)
{
    if (!state_is_settled(s))
        return;
    if (buf_len(&s->reported) > 0)
        settings_follow(s->client, s);
    server_release(s);
}

void
relay_let_go(struct server *s)
{
    if (relay_may_release(s))
        relay_release(s);
}

/* --- backpressure --- */

void
relay_client_drained(struct client *c)
{
    if (c->server != NULL && c->server->is_stalled) {
        c->server->is_stalled = false;
        stream_read_start(&c->server->stream);
    }
    stream_read_start(&c->stream);
    if (pending_bytes(c) > 0 && (c->state == CLIENT_IDLE || c->state == CLIENT_ACTIVE))
        relay_from_client(c, slice_of(NULL, 0));
}

void
relay_server_drained(struct server *s)
{
    struct client *c = s->client;

    if (c == NULL)
        return;
    stream_read_start(&c->stream);
    if (pending_bytes(c) > 0)
        relay_from_client(c, slice_of(NULL, 0));
}
