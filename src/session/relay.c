/*
 * relay.c - bytes from clients to servers and back.
 *
 *     client bytes -> scanner -> ledger (what will be owed) -> gather -> one write to the server
 *     server bytes -> scanner -> ledger (what is paid)      -> gather -> one write to the client ->
 *     release, when nothing is owed
 *
 * Both functions work through one piece of input, gather what leaves and write it once. Slices in the
 * gather point into that input, so it
 * is flushed before the input is dropped, before a server is released (another client may be linked in the
 * same breath and use the gather), and
 * before anything ends.
 */
#include "relay_impl.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cancel_impl.h"
#include "healing_impl.h"
#include "login_impl.h"
#include "pending_impl.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/rules.h"
#include "prepared_impl.h"
#include "session_settings_impl.h"
#include "sql_names_impl.h"
#include "state_impl.h"
#include "swift_impl.h"

static bool
is_clogged(const struct stream *s)
{
    return stream_backlog_bytes(s) > STREAM_HIGH_BYTES;
}

/* --- what is left of an input --- */

/* The bytes to work on: what was kept last time with FRESH behind it. *IS_KEPT says that they lie in KEPT. */
static struct slice
input_of(struct buf *kept, struct slice fresh, bool *is_kept)
{
    *is_kept = buf_len(kept) > 0;
    if (!*is_kept)
        return fresh;
    buf_add(kept, fresh);
    return buf_slice(kept);
}

/* Keeps REST, the end of what input_of() returned. */
static void
keep_rest(struct buf *kept, struct slice rest, bool is_kept)
{
    if (is_kept)
        buf_drop(kept, buf_len(kept) - rest.len);
    else if (rest.len > 0)
        buf_add(kept, rest);
    if (buf_len(kept) == 0)
        buf_release(kept);
}

/* --- counting --- */

/* A client that has a server sends something. */
static void
count_request(struct client *c, size_t bytes)
{
    struct turn *turn = &c->server->turn;

    shard_counters(c->shard)->received_bytes += bytes;
    if (turn->query_us != 0)
        return;
    turn->query_us = loop_now_us(c->worker->loop);
    shard_counters(c->shard)->query_count++;
    if (turn->xact_us != 0)
        return;
    turn->xact_us = turn->query_us;
    shard_counters(c->shard)->xact_count++;
}

/* All that was asked for is answered. */
static void
count_answer(struct client *c, char status)
{
    struct turn *turn = &c->server->turn;
    uint64_t now_us = loop_now_us(c->worker->loop);

    if (turn->query_us == 0)
        return;
    shard_counters(c->shard)->query_time_us += now_us - turn->query_us;
    turn->query_us = 0;
    if (status != 'I')
        return;
    shard_counters(c->shard)->xact_time_us += now_us - turn->xact_us;
    turn->xact_us = 0;
}

/* --- client to server --- */

enum progress {
    GO_ON,
    KEEP, /* not now: this message and what follows stay in carry */
    OVER, /* the client has ended */
};

void
relay_flush_to_server(struct client *c)
{
    if (c->server == NULL)
        return;
    gather_flush(&c->worker->gather, &c->server->stream);
    if (is_clogged(&c->server->stream))
        stream_read_stop(&c->stream);
}

/* Without a server a client owes and is owed nothing. */
static enum progress
message_without_server(struct client *c, enum front_kind kind)
{
    struct waiter *waiter;
    struct member *m;

    if (is_clogged(&c->stream)) { /* it does not read its answers: no new ones until it does */
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
        break;
    case PREPARED_IS_HELD:
        c->is_held = true;
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

static enum progress
client_message(struct client *c, const struct scan_span *span, struct slice after)
{
    enum front_kind kind = front_kind_of(span->type);
    struct pg_error e;

    c->is_dropping = false;
    switch (kind) {
    case FRONT_TERMINATE:
        relay_flush_to_server(c);
        client_end(c, END_CLIENT_LEFT, NULL);
        return OVER;
    case FRONT_UNKNOWN:
    case FRONT_PASSWORD:
        relay_flush_to_server(c);
        pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "invalid frontend message type %u",
                     span->type);
        client_end(c, END_PROTOCOL, &e);
        return OVER;
    case FRONT_QUERY:
        if (UNLIKELY(c->is_pqexec_refused)) {
            relay_flush_to_server(c);
            pg_error_set(&e, PG_FATAL, SQLSTATE_FEATURE_NOT_SUPPORTED, "PQexec disabled");
            pg_error_hint(&e, "disable_pqexec is set: use the extended query protocol.");
            client_end(c, END_UNSUPPORTED, &e);
            return OVER;
        }
        break;
    case FRONT_FUNCTION:
    case FRONT_PARSE:
    case FRONT_BIND:
    case FRONT_DESCRIBE:
    case FRONT_EXECUTE:
    case FRONT_CLOSE:
    case FRONT_SYNC:
    case FRONT_FLUSH:
    case FRONT_COPY_DATA:
    case FRONT_COPY_END:
        break;
    }
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
    if ((kind == FRONT_QUERY || kind == FRONT_PARSE || kind == FRONT_BIND || kind == FRONT_FUNCTION) &&
        UNLIKELY(!span->is_last) && span->body_len <= STATE_WHOLE_BYTES && c->pool_mode != POOL_SESSION)
        return KEEP;
    if (c->server == NULL) {
        enum progress p = message_without_server(c, kind);

        if (p != GO_ON || c->is_dropping)
            return p;
    }
    if (UNLIKELY(!settings_are_in_place(c)) && settings_will_be_brought(c->server) && kind != FRONT_FLUSH &&
        kind != FRONT_COPY_DATA && kind != FRONT_COPY_END) {
        c->is_held = true;
        return KEEP;
    }
    if (kind != FRONT_FLUSH && kind != FRONT_COPY_DATA && ledger_is_full(&c->server->ledger)) {
        stream_read_stop(&c->stream);
        return KEEP;
    }
    count_request(c, span->bytes.len);
    if (kind != FRONT_FLUSH && kind != FRONT_COPY_DATA) {
        if (UNLIKELY(!settings_are_in_place(c)) && settings_can_be_brought(c->server))
            settings_bring(c);
        if (c->pool_mode != POOL_SESSION && !c->server->ledger.is_skipping && !state_look(c, span, kind))
            return GO_ON;
        if (prepared_is_on(c) && !c->server->ledger.is_skipping) {
            if (names_statements(kind) || kind == FRONT_QUERY || kind == FRONT_EXECUTE)
                return prepared_or_not(c, span, kind, after);
        }
        (void)relay_enter(c, (enum owed_kind)owed_kinds[kind], OWED_FORWARD);
    }
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
    if (c->server->is_keeping)
        healing_keep_message(c->server, span->bytes, kind);
    return GO_ON;
}

static bool
may_release(const struct server *s)
{
    return s->status == 'I' && ledger_is_quiet(&s->ledger) && scanner_is_between_messages(&s->scanner) &&
           scanner_is_between_messages(&s->client->scanner) && s->client->pool_mode != POOL_SESSION;
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

static void
flush_to_client(struct server *s)
{
    struct client *c = s->client;

    if (c == NULL) {
        assert(s->worker->gather.count == 0);
        return;
    }
    gather_flush(&s->worker->gather, &c->stream);
    if (is_clogged(&c->stream) && !s->is_stalled) {
        s->is_stalled = true;
        stream_read_stop(&s->stream);
    }
}

/* Answers of our own that nothing from the server stands before. */
static void
gather_made_up(struct server *s)
{
    struct owed owed;

    while (ledger_take_synthetic(&s->ledger, &owed)) {
        gather_add(&s->worker->gather, &s->client->stream, made_up_reply(s, owed));
        prepared_paid(s, &owed);
    }
}

/* S could be released. It stays with its client while what that has left in the session is asked for, or
 * cannot follow it. */
static void
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
    if (may_release(s))
        relay_release(s);
}

void
relay_from_client(struct client *c, struct slice fresh)
{
    bool is_kept = false;
    struct slice in = c->pending == NULL ? fresh : input_of(&c->pending->carry, fresh, &is_kept);

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
        gather_made_up(c->server);
        flush_to_client(c->server);
    }
    if (in.len > 0 || c->pending != NULL) {
        keep_rest(&pending_of(c)->carry, in, is_kept);
        pending_tidy(c);
    }
    if (pending_bytes(c) > RELAY_CARRY_BYTES && (c->state == CLIENT_WAITING || c->is_held))
        stream_read_stop(&c->stream);
    if (c->server != NULL && may_release(c->server))
        relay_release(c->server);
}

/* --- server to client --- */

static void
note_error(struct server *s, struct slice message)
{
    struct client *c = s->client;
    struct pg_error e;

    if (!pg_error_read(message, &e))
        return;
    if (server_is_swallowing(s) && ledger_head(&s->ledger)->kind == OWED_QUERY && c != NULL) {
        if (ledger_head(&s->ledger)->own == OWN_READ_BACK) {
            state_failed(s, &e);
        } else if (c->state == CLIENT_TRYING) {
            c->login->refusal = e;
            c->login->is_refused = true;
            server_take_settings(s, NULL); /* all of it was rolled back */
            s->is_dirty = true;
        } else {
            server_log(s, LOG_WARNING_LEVEL, "settings could not be applied: %s: %s", e.sqlstate, e.message);
            state_refused(s, &e);
        }
    }
    if (c != NULL)
        c->server->turn.is_unsure = true;
    if (e.severity != PG_FATAL)
        return;
    s->is_fatal = true;
    server_log(s, LOG_NOTICE_LEVEL, "server says: FATAL %s: %s", e.sqlstate, e.message);
}

/* An error of ours in place of the one that we provoked. */
static void
send_instead(struct server *s, const struct pg_error *e)
{
    struct buf out;

    if (s->client == NULL)
        return;
    buf_init(&out);
    build_error(&out, e);
    gather_copy(&s->worker->gather, &s->client->stream, buf_slice(&out));
    buf_release(&out);
}

/* An error that names a statement as only we and the server do. True: the client has been told. */
static bool
send_reworded(struct server *s, struct slice message)
{
    struct buf out;
    bool is_sent;

    buf_init(&out);
    is_sent = prepared_reword(ledger_head(&s->ledger), message, &out);
    if (is_sent)
        gather_copy(&s->worker->gather, &s->client->stream, buf_slice(&out));
    buf_release(&out);
    return is_sent;
}

/* DEALLOCATE, DEALLOCATE ALL and DISCARD ALL, done by the request at the head. */
static void
note_deallocation(struct server *s, struct slice message)
{
    const uint8_t *tag = message.at + SCAN_HEADER;
    size_t len = message.len - SCAN_HEADER;
    struct owed *o;

    if (len < 11 || tag[0] != 'D' || ledger_is_empty(&s->ledger))
        return;
    o = ledger_entry(&s->ledger, 0);
    if (len == 15 && memcmp(tag, "DEALLOCATE ALL", 15) == 0) {
        prepared_wiped(s, o);
    } else if (len == 12 && memcmp(tag, "DISCARD ALL", 12) == 0) {
        prepared_wiped(s, o);
        if (s->client != NULL && o->action != OWED_SWALLOW)
            state_discarded(s, o);
    } else if (len == 11 && memcmp(tag, "DEALLOCATE", 11) == 0) {
        sql_names_deallocated(s, o);
    }
}

/* O, a query of ours on behalf of a client, is through. */
static void
own_query_is_done(struct server *s, const struct owed *o)
{
    struct client *c = s->client;

    if (o->own == OWN_READ_BACK && state_is_asking(s))
        state_answered(s);
    if (c->server->turn.is_cancel_due && !server_is_swallowing(s)) {
        c->server->turn.is_cancel_due = false;
        if (!ledger_is_empty(&s->ledger))
            cancel_dispatch(s, NULL);
    }
}

/* Whether its client would have given S back, had the server's last word not come in the same breath. */
static bool
is_done_with(const struct server *s)
{
    const struct client *c = s->client;

    return c != NULL && s->status == 'I' && ledger_is_quiet(&s->ledger) && c->pool_mode != POOL_SESSION &&
           c->suspected == 0 && c->pins == 0;
}

/* S has opened COPY IN. PostgreSQL refuses another message by its type and does not read the rest of it. */
static void
send_unsent(struct server *s)
{
    static const uint8_t types[] = {
        [OWED_PARSE] = 'P', [OWED_BIND] = 'B', [OWED_DESCRIBE] = 'D', [OWED_EXECUTE] = 'E', [OWED_CLOSE] = 'C'
    };
    enum owed_kind kind = ledger_send_unsent(&s->ledger);

    if (kind <= OWED_CLOSE)
        stream_send(&s->stream, slice_of((const uint8_t[]){ types[kind], 0, 0, 0, 6, 'S', 0 }, 7));
}

/* True when the message goes to the client. *IS_READY: it was a ReadyForQuery; *IS_BROKEN: the server must
 * be closed. */
static bool
server_message(struct server *s, const struct scan_span *span, bool *is_ready, bool *is_broken)
{
    enum back_kind kind = back_kind_of(span->type);
    bool is_forwarded = false;
    bool is_reworded = false;
    bool is_mended = false;
    bool is_kept_back = false;
    bool is_refused = false; /* the client gets an error in its place */
    bool failed;
    struct owed owed;
    struct pg_error instead;
    char status;

    switch (kind) {
    case BACK_NOTICE:
        return !server_is_unasked(s);
    case BACK_NOTIFICATION:
        return true;
    case BACK_PARAMETER:
        settings_note_report(s, span);
        return !server_is_swallowing(s) || server_is_heard(s);
    case BACK_COMMAND_DONE:
        note_deallocation(s, span->bytes);
        if (s->client == NULL || !server_is_swallowing(s))
            settings_note_tag(s, span->bytes);
        healing_note_tag(s, span->bytes);
        break;
    case BACK_PARAMETERS:
    case BACK_ROW_SHAPE:
        if (!ledger_is_empty(&s->ledger) && ledger_head(&s->ledger)->kind == OWED_DESCRIBE &&
            ledger_head(&s->ledger)->effect != 0)
            healing_note_shape(s, ledger_head(&s->ledger), span->bytes, span->is_last);
        if (kind == BACK_PARAMETERS)
            is_kept_back = !ledger_is_empty(&s->ledger) && healing_try_keep_back(s, span);
        else
            healing_tell_kept_back(s);
        break;
    case BACK_ERROR:
        note_error(s, span->bytes);
        if (s->state == SERVER_CHECKING || (s->state == SERVER_CLEANING && s->is_reset_sent))
            *is_broken = true;
        if (s->is_fatal && ledger_is_empty(&s->ledger))
            return s->is_fatal_told = !is_done_with(s);
        break;
    case BACK_READY:
        if (back_ready_read(span->bytes, &status) != PARSE_DONE) {
            *is_broken = true;
            return false;
        }
        s->status = status;
        *is_ready = true;
        healing_note_ready(s);
        if (status != 'I' && s->client != NULL)
            s->turn.is_unsure = true;
        is_refused = status != 'I' && s->client != NULL && s->client->pool_mode == POOL_STATEMENT;
        break;
    case BACK_DATA:
        s->is_capturing = state_is_asking(s) && server_is_swallowing(s) &&
                          ledger_head(&s->ledger)->own == OWN_READ_BACK;
        break;
    default:
        break;
    }
    if (kind == BACK_ERROR && !ledger_is_empty(&s->ledger)) {
        is_mended = healing_note_error(s, span->bytes);
        if (!is_mended)
            healing_tell_kept_back(s);
        is_reworded = !is_mended && s->client != NULL && send_reworded(s, span->bytes);
    }
    switch (ledger_settle(&s->ledger, kind, &owed)) {
    case LEDGER_FORWARD:
        is_forwarded = !is_refused && !is_kept_back;
        if (kind == BACK_READY)
            healing_note_told_ready(s);
        break;
    case LEDGER_SWALLOW:
        break;
    case LEDGER_UNEXPECTED:
        *is_broken = true;
        return false;
    }
    if (UNLIKELY(kind == BACK_COPY_IN))
        send_unsent(s);
    if (is_reworded)
        is_forwarded = false;
    if (owed.kind != OWED_NOTHING) {
        prepared_paid(s, &owed);
        if (UNLIKELY(owed.own != OWN_OTHER) && s->client != NULL)
            own_query_is_done(s, &owed);
    }
    while (kind == BACK_ERROR && ledger_take_skipped(&s->ledger, &owed, &failed))
        if (prepared_undone(s, &owed, failed, &instead)) {
            send_instead(s, &instead);
            is_forwarded = false;
        }
    if (is_mended) {
        healing_send_again(s);
        return false;
    }
    s->is_fatal_told = s->is_fatal && is_forwarded;
    return is_forwarded;
}

static void
refuse_transaction_block(struct client *c)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_ACTIVE_TRANSACTION,
                 "transaction blocks not allowed in statement pooling mode");
    pg_error_hint(&e, "Use pool_mode = transaction for this database or user.");
    client_end(c, END_STATEMENT_MODE, &e);
}

/* A message of C has waited for the answers that are here now, those for its settings perhaps. If it is
 * suspected itself, or C
 * keeps its server, it is sent before the session is asked for anything: else it would wait for that
 * answer too, and on another
 * server for the same again, without end. */
static bool
goes_on(const struct client *c)
{
    return c->is_held && (c->pins | c->suspected) != 0 && pending_bytes(c) > 0;
}

/* After a piece of input: what the replies in it allow. */
static void
server_look_again(struct server *s, bool was_ready)
{
    struct client *c = s->client;

    if (s->state == SERVER_CLEANING) {
        server_close_off(s);
        if (was_ready)
            server_clean_on(s);
        return;
    }
    if (s->state == SERVER_CHECKING) {
        server_checked(s);
        return;
    }
    if (s->state == SERVER_IDLE && s->is_fatal) {
        server_end(s, LOG_INFO_LEVEL, "ended the session");
        return;
    }
    if (c == NULL)
        return;
    if (c->state == CLIENT_TRYING) {
        if (ledger_is_quiet(&s->ledger) && scanner_is_between_messages(&s->scanner)) {
            server_release(s);
            if (c->state != CLIENT_ENDED)
                login_tried(c);
            client_catch_up(c);
        }
        return;
    }
    if (was_ready && s->status != 'I' && c->pool_mode == POOL_STATEMENT) {
        refuse_transaction_block(c);
        return;
    }
    if (may_release(s) && !goes_on(c)) {
        relay_release(s);
        return;
    }
    if (UNLIKELY(s->member.is_stale) && server_try_recycle(s))
        return;
    if (c->worker->is_draining) {
        client_drain(c);
        if (c->state == CLIENT_ENDED)
            return;
    }
    if (pending_bytes(c) > 0 && (c->is_held || !c->stream.is_reading) && !is_clogged(&s->stream) &&
        s->ledger.count < LEDGER_MOST / 2)
        relay_client_drained(c);
}

void
relay_from_server(struct server *s, struct slice fresh)
{
    bool is_kept;
    struct slice in = input_of(&s->carry, fresh, &is_kept);
    bool was_owing = !ledger_is_empty(&s->ledger);
    bool is_ready = false;
    bool is_broken = false;

    assert(s->worker->gather.count == 0);
    for (bool is_more = true; is_more && !is_broken;) {
        struct scan_span span;

        if (swift_from_server(s, &in))
            gather_made_up(s);
        switch (scan_next(&s->scanner, &in, &span)) {
        case SCAN_MESSAGE:
            s->is_capturing = false;
            s->is_forwarding = server_message(s, &span, &is_ready, &is_broken) && s->client != NULL;
            break;
        case SCAN_REST:
            break;
        case SCAN_MORE:
            is_more = false;
            continue;
        case SCAN_BAD:
            is_broken = true;
            continue;
        }
        if (UNLIKELY(s->is_capturing))
            state_capture(s, span.bytes);
        if (s->client == NULL)
            continue;
        if (UNLIKELY(state_refusal(s) != NULL)) /* what follows is not for this client */
            break;
        if (s->is_forwarding) {
            shard_counters(s->client->shard)->sent_bytes += span.bytes.len;
            gather_add(&s->worker->gather, &s->client->stream, span.bytes);
        }
        if (span.is_last)
            gather_made_up(s);
    }
    flush_to_client(s);
    if (is_broken) {
        struct client *c = s->client;
        struct pg_error e;

        pg_error_set(&e, PG_FATAL, SQLSTATE_CONNECTION_FAILURE,
                     "the server broke the protocol; its connection was closed");
        server_end(s, LOG_WARNING_LEVEL, "broke the protocol");
        if (c != NULL)
            client_server_gone(c, END_SERVER_LOST, &e);
        return;
    }
    keep_rest(&s->carry, in, is_kept);
    if (UNLIKELY(s->client != NULL && state_refusal(s) != NULL)) {
        struct pg_error e = *state_refusal(s);

        client_end(s->client, END_SETTINGS_REFUSED, &e);
        if (buf_len(&s->carry) > 0 && s->state == SERVER_CLEANING)
            relay_from_server(s, slice_of(NULL, 0));
        return;
    }
    if (is_ready && s->client != NULL && ledger_is_quiet(&s->ledger))
        count_answer(s->client, s->status);
    if (is_ready || (was_owing && ledger_is_empty(&s->ledger)))
        server_watch(s);
    server_look_again(s, is_ready);
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
