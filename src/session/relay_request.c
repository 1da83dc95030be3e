/*
 * relay_request.c - what a client says, on its way to a server; see relay.c.
 */
#include "relay_impl.h"

#include <assert.h>
#include <stdint.h>

#include "healing_impl.h"
#include "pending_impl.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/rules.h"
#include "prepared_impl.h"
#include "session_settings_impl.h"
#include "state_impl.h"
#include "swift_impl.h"

enum progress {
    GO_ON,
    KEEP, /* not now: this message and what follows stay in carry */
    OVER, /* the client has ended */
};

/* --- counting --- */

/* A client that has a server sends something. */
static void
count_request(struct client *c, size_t bytes)
{
    struct turn *turn = &c->server->turn;

    shard_counters(c->shard)->received_bytes += bytes;
    if (UNLIKELY(c->is_again)) {
        c->is_again = false;
        if (turn->query_us == 0)
            turn->xact_us = turn->query_us = loop_now_us(c->worker->loop);
        return;
    }
    if (turn->query_us != 0)
        return;
    turn->query_us = loop_now_us(c->worker->loop);
    shard_counters(c->shard)->query_count++;
    if (turn->xact_us != 0)
        return;
    turn->xact_us = turn->query_us;
    shard_counters(c->shard)->xact_count++;
}

/* Without a server a client owes and is owed nothing. */
static enum progress
message_without_server(struct client *c, enum front_kind kind)
{
    struct waiter *waiter;
    struct member *m;

    if (relay_is_clogged(&c->stream)) { /* it does not read its answers: no new ones until it does */
        stream_read_stop(&c->stream);
        return KEEP;
    }
    switch (kind) {
    case FRONT_COPY_DATA: /* PostgreSQL ignores these outside COPY: the rest of one that has failed */
    case FRONT_COPY_END:
    case FRONT_FLUSH:
        c->is_dropping = true;
        return GO_ON;
    case FRONT_SYNC: {
        static const uint8_t ready[] = { 'Z', 0, 0, 0, 5, 'I' };

        c->is_dropping = true;
        client_send(c, slice_of(ready, sizeof ready));
        return GO_ON;
    }
    default:
        break;
    }
    waiter = &pending_of(c)->waiter;
    waiter->tag = c->settings;
    m = shard_take(c->shard, waiter);
    if (c->state == CLIENT_ENDED) /* refused at once */
        return OVER;
    if (m == NULL) {
        client_feed(c, EV_QUEUED);
        return KEEP;
    }
    client_link(c, server_of_member(m));
    return GO_ON;
}

static const uint8_t owed_kinds[] = {
    [FRONT_QUERY] = OWED_QUERY, [FRONT_FUNCTION] = OWED_FUNCTION, [FRONT_PARSE] = OWED_PARSE,
    [FRONT_BIND] = OWED_BIND,   [FRONT_DESCRIBE] = OWED_DESCRIBE, [FRONT_EXECUTE] = OWED_EXECUTE,
    [FRONT_CLOSE] = OWED_CLOSE, [FRONT_SYNC] = OWED_SYNC,         [FRONT_COPY_END] = OWED_COPY_END,
};

struct owed *
relay_enter(struct client *c, enum owed_kind kind, enum owed_action action)
{
    struct server *s = c->server;
    bool was_empty = ledger_is_empty(&s->ledger);
    struct owed *o = ledger_push(&s->ledger, kind, action);

    c->stamp++;
    s->stamp++;
    if (o != NULL)
        relay_stamp(c, s, o, kind, action);
    if (was_empty && o != NULL) {
        s->request_us = loop_now_us(s->worker->loop);
        server_watch(s);
    }
    return o;
}

/* Parse, Bind, Describe and Close name prepared statements. */
static bool
names_statements(enum front_kind kind)
{
    return kind == FRONT_PARSE || kind == FRONT_BIND || kind == FRONT_DESCRIBE || kind == FRONT_CLOSE;
}

static enum progress
bad_message(struct client *c, uint8_t type)
{
    struct pg_error e;

    relay_flush_to_server(c);
    pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "invalid string in message of type %u", type);
    client_end(c, END_PROTOCOL, &e);
    return OVER;
}

/* What the message may leave behind in the session; Parse and Bind are looked at where they are rewritten.
 * False: it was refused. */
static bool
state_look(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    struct pg_error why;

    if (kind == FRONT_QUERY)
        return state_query(c, span);
    if (UNLIKELY(kind == FRONT_FUNCTION))
        state_function_call(c, span);
    if (kind != FRONT_PARSE || prepared_is_on(c) || state_parse(c, span, &why))
        return true;
    send_failure(c, &why);
    return false;
}

/* A message that may have to do with prepared statements. AFTER: what has come behind it. */
static enum progress
prepared_or_not(struct client *c, const struct scan_span *span, enum front_kind kind, struct slice after)
{
    enum prepared p = kind == FRONT_QUERY     ? prepared_query(c, span)
                      : kind == FRONT_EXECUTE ? prepared_execute(c, span)
                                              : prepared_message(c, span, kind, after);

    switch (p) {
    case PREPARED_SENT:
        c->server->turn.is_held_here = false;
        break;
    case PREPARED_IS_HELD:
        c->is_held = true;
        c->server->turn.is_held_here = true;
        shard_counters(c->shard)->received_bytes -= span->bytes.len; /* it comes again */
        return KEEP;
    case PREPARED_WANTS_MORE:
        shard_counters(c->shard)->received_bytes -= span->bytes.len;
        return KEEP;
    case PREPARED_IS_BAD:
        return bad_message(c, span->type);
    }
    if (c->server->is_keeping)
        healing_keep_message(c->server, span->bytes, kind);
    return GO_ON;
}

/* Terminate, and what ends the session as well. */
static bool
ends_session(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    struct pg_error e;

    switch (kind) {
    case FRONT_TERMINATE:
        relay_flush_to_server(c);
        client_end(c, END_CLIENT_LEFT, NULL);
        return true;
    case FRONT_UNKNOWN:
    case FRONT_PASSWORD:
        relay_flush_to_server(c);
        pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "invalid frontend message type %u",
                     span->type);
        client_end(c, END_PROTOCOL, &e);
        return true;
    case FRONT_QUERY:
        if (LIKELY(!c->is_pqexec_refused))
            return false;
        relay_flush_to_server(c);
        pg_error_set(&e, PG_FATAL, SQLSTATE_FEATURE_NOT_SUPPORTED, "PQexec disabled");
        pg_error_hint(&e, "disable_pqexec is set: use the extended query protocol.");
        client_end(c, END_UNSUPPORTED, &e);
        return true;
    default:
        return false;
    }
}

/* Whether enough of the message is here, and nothing of what came before it is open. */
static enum progress
is_ripe(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    bool is_looked_at = kind == FRONT_QUERY || kind == FRONT_PARSE || kind == FRONT_BIND ||
                        kind == FRONT_FUNCTION;

    if (names_statements(kind) && prepared_is_on(c)) {
        switch (prepared_is_complete(span, kind)) {
        case PREPARED_SENT:
            c->is_held = prepared_must_wait(c, span, kind);
            if (c->is_held)
                return KEEP;
            break;
        case PREPARED_WANTS_MORE:
        case PREPARED_IS_HELD:
            return KEEP;
        case PREPARED_IS_BAD:
            return bad_message(c, span->type);
        }
    }
    if (is_looked_at && UNLIKELY(!span->is_last) && span->body_len <= STATE_WHOLE_BYTES &&
        c->pool_mode != POOL_SESSION)
        return KEEP;
    return GO_ON;
}

/* Flush and CopyData are passed on: no answer is owed for them, and they meet no settings. */
static bool
is_answered(enum front_kind kind)
{
    return kind != FRONT_FLUSH && kind != FRONT_COPY_DATA;
}

/* Whether C's server can take the message now. */
static enum progress
is_server_ripe(struct client *c, enum front_kind kind)
{
    if (UNLIKELY(!settings_are_in_place(c)) && settings_will_be_brought(c->server) && is_answered(kind) &&
        kind != FRONT_COPY_END) {
        c->is_held = true;
        return KEEP;
    }
    if (is_answered(kind) && ledger_is_full(&c->server->ledger)) {
        stream_read_stop(&c->stream);
        return KEEP;
    }
    return GO_ON;
}

static enum progress
client_message(struct client *c, const struct scan_span *span, struct slice after)
{
    enum front_kind kind = front_kind_of(span->type);
    enum progress progress;

    c->is_dropping = false;
    if (ends_session(c, span, kind))
        return OVER;
    progress = is_ripe(c, span, kind);
    if (progress == GO_ON && c->server == NULL)
        progress = message_without_server(c, kind);
    if (progress != GO_ON || c->is_dropping)
        return progress;
    progress = is_server_ripe(c, kind);
    if (progress != GO_ON)
        return progress;
    count_request(c, span->bytes.len);
    if (is_answered(kind)) {
        if (UNLIKELY(!settings_are_in_place(c)) && settings_can_be_brought(c->server))
            settings_bring(c);
        if (c->pool_mode != POOL_SESSION && !c->server->ledger.is_skipping && !state_look(c, span, kind))
            return GO_ON;
        if (prepared_is_on(c) && !c->server->ledger.is_skipping &&
            (names_statements(kind) || kind == FRONT_QUERY || kind == FRONT_EXECUTE))
            return prepared_or_not(c, span, kind, after);
        (void)relay_enter(c, (enum owed_kind)owed_kinds[kind], OWED_FORWARD);
    }
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
    if (c->server->is_keeping)
        healing_keep_message(c->server, span->bytes, kind);
    return GO_ON;
}

/* --- a piece of input --- */

void
relay_from_client(struct client *c, struct slice fresh)
{
    bool is_kept = false;
    struct slice in = c->pending == NULL ? fresh : relay_input(&c->pending->carry, fresh, &is_kept);

    assert(c->worker->gather.count == 0);
    c->is_held = false;
    for (;;) {
        struct scanner scanner;
        struct slice from;
        struct scan_span span;
        enum progress progress = GO_ON;

        swift_from_client(c, &in);
        scanner = c->scanner;
        from = in;
        switch (scan_next(&c->scanner, &in, &span)) {
        case SCAN_MESSAGE:
            progress = client_message(c, &span, in);
            break;
        case SCAN_REST:
            if (c->server != NULL && c->server->is_keeping)
                healing_keep(c->server, span.bytes);
            if (!c->is_dropping) { /* so it has a server: message_without_server() drops all that it lets by */
                assert(c->server != NULL);
                shard_counters(c->shard)->received_bytes += span.bytes.len;
                gather_add(&c->worker->gather, &c->server->stream, span.bytes);
            }
            break;
        case SCAN_MORE:
            progress = KEEP;
            from = in;
            scanner = c->scanner;
            break;
        case SCAN_BAD: {
            struct pg_error e;

            relay_flush_to_server(c);
            pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "%s", span.why);
            client_end(c, END_PROTOCOL, &e);
            progress = OVER;
            break;
        }
        }
        if (progress == OVER)
            return;
        if (progress == KEEP) {
            c->scanner = scanner;
            in = from;
            break;
        }
    }
    relay_flush_to_server(c);
    if (c->server != NULL) {
        healing_copy(c->server);
        relay_gather_made_up(c->server);
        relay_flush_to_client(c->server);
    }
    if (in.len > 0 || c->pending != NULL) {
        relay_keep_rest(&pending_of(c)->carry, in, is_kept);
        pending_tidy(c);
    }
    if (pending_bytes(c) > RELAY_CARRY_BYTES && (c->state == CLIENT_WAITING || c->is_held))
        stream_read_stop(&c->stream);
    if (c->server != NULL && relay_may_release(c->server))
        relay_release(c->server);
}
