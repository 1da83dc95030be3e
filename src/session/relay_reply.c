/*
 * relay_reply.c - what a server says, on its way to its client; see relay.c.
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
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/rules.h"
#include "prepared_impl.h"
#include "session_settings_impl.h"
#include "sql_names_impl.h"
#include "state_impl.h"
#include "swift_impl.h"

/* --- counting --- */

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
    if (c != NULL) {
        c->server->turn.is_unsure = true;
        state_note_error(c);
    }
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

/* --- one message --- */

/* A message of a server's, and what comes of it. */
struct reply {
    const struct scan_span *span;
    enum back_kind kind;
    bool is_broken;   /* the server must be closed */
    bool is_mended;   /* an error that is made good: the client hears nothing of it */
    bool is_withheld; /* the client hears something else in its place, or later */
};

/* One text may begin and undo a transaction, and no ReadyForQuery tells of it. */
static bool
is_rollback(struct slice message)
{
    return message.len == SCAN_HEADER + sizeof "ROLLBACK" &&
           memcmp(message.at + SCAN_HEADER, "ROLLBACK", sizeof "ROLLBACK") == 0;
}

static void
note_command(struct server *s, const struct reply *r)
{
    note_deallocation(s, r->span->bytes);
    if (s->client != NULL && is_rollback(r->span->bytes))
        s->turn.is_unsure = true;
    if (s->client == NULL || !server_is_swallowing(s))
        settings_note_tag(s, r->span->bytes);
    healing_note_tag(s, r->span->bytes);
}

static void
note_shape(struct server *s, struct reply *r)
{
    const struct owed *head = ledger_is_empty(&s->ledger) ? NULL : ledger_head(&s->ledger);

    if (head != NULL && head->kind == OWED_DESCRIBE && head->effect != 0)
        healing_note_shape(s, head, r->span->bytes, r->span->is_last);
    if (r->kind == BACK_ROW_SHAPE)
        healing_tell_kept_back(s);
    else
        r->is_withheld = head != NULL && healing_try_keep_back(s, r->span);
}

static void
note_failure(struct server *s, struct reply *r)
{
    note_error(s, r->span->bytes);
    r->is_broken = s->state == SERVER_CHECKING || (s->state == SERVER_CLEANING && s->is_reset_sent);
    if (ledger_is_empty(&s->ledger))
        return;
    r->is_mended = healing_note_error(s, r->span->bytes);
    if (r->is_mended)
        return;
    healing_tell_kept_back(s);
    r->is_withheld = s->client != NULL && send_reworded(s, r->span->bytes);
}

static void
note_ready(struct server *s, struct reply *r)
{
    char status;

    if (back_ready_read(r->span->bytes, &status) != PARSE_DONE) {
        r->is_broken = true;
        return;
    }
    s->status = status;
    healing_note_ready(s);
    if (status == 'I' || s->client == NULL)
        return;
    s->turn.is_unsure = true;
    r->is_withheld = s->client->pool_mode == POOL_STATEMENT; /* refuse_transaction_block() follows */
}

/* O is answered. */
static void
note_paid(struct server *s, struct owed *o)
{
    if (o->kind == OWED_NOTHING)
        return;
    prepared_paid(s, o);
    if (UNLIKELY(o->own != OWN_OTHER) && s->client != NULL)
        own_query_is_done(s, o);
}

/* After an error: what the server skips has no effect. True: the client was told another error instead. */
static bool
undo_skipped(struct server *s)
{
    struct owed owed;
    struct pg_error instead;
    bool failed;
    bool is_told = false;

    while (ledger_take_skipped(&s->ledger, &owed, &failed))
        if (prepared_undone(s, &owed, failed, &instead)) {
            send_instead(s, &instead);
            is_told = true;
        }
    return is_told;
}

/* True when the message goes to the client. */
static bool
server_message(struct server *s, struct reply *r)
{
    bool is_forwarded = false;
    struct owed owed;

    switch (r->kind) {
    case BACK_NOTICE:
        return !server_is_unasked(s);
    case BACK_NOTIFICATION:
        return true;
    case BACK_PARAMETER:
        settings_note_report(s, r->span);
        return !server_is_swallowing(s) || server_is_heard(s);
    case BACK_COMMAND_DONE:
        note_command(s, r);
        break;
    case BACK_PARAMETERS:
    case BACK_ROW_SHAPE:
        note_shape(s, r);
        break;
    case BACK_ERROR:
        note_failure(s, r);
        if (s->is_fatal && ledger_is_empty(&s->ledger))
            return s->is_fatal_told = !is_done_with(s);
        break;
    case BACK_READY:
        note_ready(s, r);
        if (r->is_broken)
            return false;
        break;
    case BACK_DATA:
        s->is_capturing = state_is_asking(s) && server_is_swallowing(s) &&
                          ledger_head(&s->ledger)->own == OWN_READ_BACK;
        break;
    default:
        break;
    }
    switch (ledger_settle(&s->ledger, r->kind, &owed)) {
    case LEDGER_FORWARD:
        is_forwarded = true;
        if (r->kind == BACK_READY)
            healing_note_told_ready(s);
        break;
    case LEDGER_SWALLOW:
        break;
    case LEDGER_UNEXPECTED:
        r->is_broken = true;
        return false;
    }
    if (UNLIKELY(r->kind == BACK_COPY_IN))
        send_unsent(s);
    note_paid(s, &owed);
    if (r->kind == BACK_ERROR && undo_skipped(s))
        r->is_withheld = true;
    if (r->is_mended) {
        healing_send_again(s);
        return false;
    }
    is_forwarded = is_forwarded && !r->is_withheld;
    s->is_fatal_told = s->is_fatal && is_forwarded;
    return is_forwarded;
}

/* --- a piece of input --- */

static void
refuse_transaction_block(struct client *c)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_ACTIVE_TRANSACTION,
                 "transaction blocks not allowed in statement pooling mode");
    pg_error_hint(&e, "Use pool_mode = transaction for this database or user.");
    client_end(c, END_STATEMENT_MODE, &e);
}

/* A message of C has waited for the answers that are here now, those for its settings perhaps. What has waited
 * for this server's own, is suspected or belongs to one that keeps its server is sent before the session is
 * asked for anything, or anybody else has the server: else it would wait for the same again, there or on
 * another one, without end. */
static bool
goes_on(const struct client *c)
{
    return c->is_held && ((c->pins | c->suspected) != 0 || c->server->turn.is_held_here) &&
           pending_bytes(c) > 0;
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
    if (relay_may_release(s) && !goes_on(c)) {
        relay_release(s);
        return;
    }
    if (UNLIKELY(s->member.is_stale) && server_try_recycle(s))
        return;
    if (c->worker->is_draining || c->is_unwanted) {
        client_drain(c);
        if (c->state == CLIENT_ENDED)
            return;
    }
    if (pending_bytes(c) > 0 && (c->is_held || !c->stream.is_reading) && !relay_is_clogged(&s->stream) &&
        s->ledger.count < LEDGER_MOST / 2)
        relay_client_drained(c);
}

void
relay_from_server(struct server *s, struct slice fresh)
{
    bool is_kept;
    struct slice in = relay_input(&s->carry, fresh, &is_kept);
    bool was_owing = !ledger_is_empty(&s->ledger);
    bool is_ready = false;
    bool is_broken = false;

    assert(s->worker->gather.count == 0);
    for (bool is_more = true; is_more && !is_broken;) {
        struct scan_span span;

        if (swift_from_server(s, &in))
            relay_gather_made_up(s);
        switch (scan_next(&s->scanner, &in, &span)) {
        case SCAN_MESSAGE: {
            struct reply r = { .span = &span, .kind = back_kind_of(span.type) };

            s->is_capturing = false;
            s->is_forwarding = server_message(s, &r) && s->client != NULL;
            is_ready |= r.kind == BACK_READY;
            is_broken = r.is_broken;
            break;
        }
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
            relay_gather_made_up(s);
    }
    relay_flush_to_client(s);
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
    relay_keep_rest(&s->carry, in, is_kept);
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
