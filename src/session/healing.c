/* healing.c - see healing_impl.h. */
#include "healing_impl.h"

#include <string.h>

#include "pending_impl.h"
#include "pgweir/wire/front.h"
#include "relay_impl.h"

/* --- proof --- */

static bool
is_missing(uint64_t told, uint64_t present)
{
    return told != SHAPE_NONE && present == SHAPE_NONE;
}

static bool
is_other(uint64_t told, uint64_t present)
{
    return told != SHAPE_NONE && (told != present || told == SHAPE_ODD);
}

/* What we want to know ourselves; the answer must not wait for the client's Sync. */
static void
ask(struct client *c, struct client_name *n, struct parsed *parsed)
{
    bool is_unnamed = n->name[0] == '\0';
    struct slice name = is_unnamed ? empty_name() : server_name(n->statement);
    struct owed *o = enter(c, OWED_DESCRIBE, OWED_HIDE, EFFECT_ASKED);

    o->of_server = is_unnamed ? NULL : statement_hold(n->statement);
    parsed->asked_stamp = o->server_stamp;
    if (c->server->segment_stamp == 0)
        healing_begin_waiting(c->server,
                              parsed->stamp > c->server->sync_stamp ? parsed->stamp : o->server_stamp);
    send_head(c, 'D', 1 + name.len, slice_of("S", 1), name);
    send_flush(c);
}

bool
healing_has_parameters(const struct client_name *n, const struct parsed *parsed)
{
    return !is_missing(n->parameters, parsed->parameters) && !is_other(n->parameters, parsed->parameters);
}

enum proof
healing_prove(struct client *c, struct client_name *n, struct parsed *parsed)
{
    if (is_missing(n->rows, parsed->rows) || is_missing(n->parameters, parsed->parameters)) {
        if (parsed->asked_stamp == 0)
            ask(c, n, parsed);
        return PROOF_OWED;
    }
    if (is_other(n->parameters, parsed->parameters) || is_other(n->rows, parsed->rows))
        return PROOF_FAILED;
    n->epoch = parsed->epoch;
    return PROVED;
}

void
healing_refuse(struct client *c)
{
    struct pg_error e;

    pg_error_set(&e, PG_ERROR, SQLSTATE_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    pg_error_routine(&e,
                     "RevalidateCachedQuery"); /* asyncpg, pgjdbc and postgres.js then prepare anew unasked */
    pg_error_hint(&e, "The schema has changed since this statement was prepared: prepare it again.");
    send_failure(c, &e);
}

void
healing_note_shape(struct server *s, const struct owed *o, struct slice message, bool is_whole)
{
    uint64_t shape = back_shape(message, is_whole);
    bool is_rows = message.at[0] != 't';
    struct client_name *n = o->effect == EFFECT_DESCRIBED ? name_meant(o->of_client) : NULL;
    bool is_unnamed = n != NULL ? n->name[0] == '\0' : o->of_server == NULL;
    struct statement *st = is_unnamed ? NULL : n != NULL ? n->statement : o->of_server;
    struct parsed *parsed = parsed_find(s, st);
    bool is_of_it = parsed != NULL && parsed->stamp < o->server_stamp &&
                    (n != NULL ? parsed->epoch == n->epoch && (st != NULL || s->unnamed == n->statement)
                               : parsed->asked_stamp == o->server_stamp);

    if (n != NULL && is_rows)
        n->rows = shape;
    else if (n != NULL)
        n->parameters = shape;
    if (is_of_it && is_rows)
        parsed->rows = shape;
    else if (is_of_it)
        parsed->parameters = shape;
}

/* --- DDL --- */

void
healing_note_ddl(struct server *s, struct slice tag)
{
    if (!ledger_is_empty(&s->ledger) && ledger_head(&s->ledger)->is_own_ddl)
        return;
    s->has_ddl = s->has_ddl || tag_changes_schema(tag);
}

/* Whether it was committed is not the question: what was parsed here in between has seen it too. */
void
healing_transaction_ended(struct server *s)
{
    s->has_ddl = false;
    schema_bump(s->schema);
}

/* --- keeping --- */

void
healing_begin(struct server *s, uint64_t stamp)
{
    buf_drop(&s->kept, buf_len(&s->kept));
    s->keeping = slice_of(NULL, 0);
    s->kept_stamp = stamp;
    s->is_keeping = true;
}

void
healing_begin_waiting(struct server *s, uint64_t stamp)
{
    healing_begin(s, stamp);
    s->is_keeping = false;
}

void
healing_keep_message(struct server *s, struct slice bytes, enum front_kind kind)
{
    switch (kind) {
    case FRONT_PARSE:
    case FRONT_BIND:
    case FRONT_DESCRIBE:
    case FRONT_EXECUTE:
    case FRONT_CLOSE:
    case FRONT_FLUSH:
        healing_keep(s, bytes);
        return;
    case FRONT_SYNC:
        healing_keep(s, bytes);
        break;
    case FRONT_QUERY:
    case FRONT_FUNCTION:
    case FRONT_COPY_DATA:
    case FRONT_COPY_END:
    case FRONT_PASSWORD:
    case FRONT_TERMINATE:
    case FRONT_UNKNOWN:
        s->kept_stamp = 0;
        break;
    }
    s->is_keeping = false;
}

void
healing_copy(struct server *s)
{
    struct slice bytes = s->keeping;

    if (bytes.len == 0)
        return;
    s->keeping = slice_of(NULL, 0);
    if (s->kept_stamp == 0)
        return;
    if (buf_len(&s->kept) + bytes.len <= HEALING_MOST_KEPT) {
        buf_add(&s->kept, bytes);
    } else {
        s->is_keeping = false;
        s->kept_stamp = 0;
    }
}

/* --- sending again --- */

/* The text of FIELD in an ErrorResponse; "" when there is none. */
static const char *
field_of(struct slice message, char field)
{
    struct slice rest = slice_skip(message, SCAN_HEADER);

    while (rest.len > 1 && rest.at[0] != '\0') {
        const uint8_t *end = memchr(rest.at, '\0', rest.len);

        if (end == NULL)
            break;
        if (rest.at[0] == (uint8_t)field)
            return (const char *)rest.at + 1;
        rest = slice_skip(rest, (size_t)(end - rest.at) + 1);
    }
    return "";
}

/* What the client knows of the statement is not true any more: its columns are others. The second is said of a Bind with
 * a format for each of the old ones, when the statement was parsed there after the change. */
static bool
is_stale_plan(struct slice message)
{
    return (strcmp(field_of(message, 'C'), SQLSTATE_FEATURE_NOT_SUPPORTED) == 0 &&
            strcmp(field_of(message, 'R'), "RevalidateCachedQuery") == 0) ||
           (strcmp(field_of(message, 'C'), SQLSTATE_PROTOCOL_VIOLATION) == 0 &&
            strcmp(field_of(message, 'R'), "PortalSetResultFormat") == 0);
}

/* The server has lost a statement that we had put there. */
static bool
is_lost_statement(struct slice message)
{
    return strcmp(field_of(message, 'C'), "26000") == 0;
}

/* Whether nothing was sent behind the Sync of what the head is a part of. */
static bool
is_last_segment(const struct ledger *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (ledger_entry(l, i)->kind == OWED_SYNC)
            return i + 1 == l->count;
    return true;
}

static bool
can_be_hidden(const struct server *s)
{
    const struct client *c = s->client;

    return c != NULL && s->kept_stamp != 0 && ledger_head(&s->ledger)->server_stamp == s->kept_stamp &&
           s->status == 'I' && c->healed_stamp == 0 && scanner_is_between_messages(&c->scanner) &&
           is_last_segment(&s->ledger);
}

/* OF (NULL: the unnamed one) does not work there any more. */
static void
forget(struct server *s, const struct statement *of, bool is_stale)
{
    struct parsed *parsed = parsed_find(s, of);

    if (parsed == NULL)
        return;
    if (is_stale) {
        schema_bump_since(s->schema, parsed->epoch);
        parsed->epoch = SCHEMA_LONG_AGO; /* it is still there: it must be closed */
    } else if (of != NULL) {
        set_remove(s->statements, set_find(s, of));
    } else {
        server_set_unnamed(s, NULL, 0);
    }
}

bool
healing_try_keep_back(struct server *s, const struct scan_span *span)
{
    const struct owed *head = ledger_head(&s->ledger);

    if (head->action != OWED_FORWARD || !span->is_last || !can_be_hidden(s))
        return false;
    buf_add(&s->kept_back, span->bytes);
    return true;
}

void
healing_tell_kept_back(struct server *s)
{
    if (buf_len(&s->kept_back) == 0)
        return;
    if (s->client != NULL) {
        shard_counters(s->client->shard)->sent_bytes += buf_len(&s->kept_back);
        gather_copy(&s->worker->gather, &s->client->stream, buf_slice(&s->kept_back));
    }
    buf_drop(&s->kept_back, buf_len(&s->kept_back));
}

/* SQL has prepared something under a name of ours. */
static bool
is_name_taken(const struct owed *head, struct slice message)
{
    return head->kind == OWED_PARSE && head->of_server != NULL &&
           strcmp(field_of(message, 'C'), "42P05") == 0;
}

bool
healing_note_error(struct server *s, struct slice message)
{
    const struct owed *head = ledger_head(&s->ledger);
    bool is_stale = is_stale_plan(message);
    const struct client_name *n = head->of_client;

    if (is_name_taken(head, message)) {
        s->has_strays = true;
        return can_be_hidden(s);
    }
    if (!is_stale && !is_lost_statement(message))
        return false;
    if (head->effect == EFFECT_ASKED)
        forget(s, head->of_server, is_stale);
    else if ((head->effect == EFFECT_NAME_USED || head->effect == EFFECT_DESCRIBED) && n != NULL)
        forget(s, n->name[0] == '\0' ? NULL : n->statement, is_stale);
    else
        return false;
    if (can_be_hidden(s))
        return true;
    if (s->client != NULL)
        s->client->is_warned = true;
    return false;
}

/* The server comes to a ReadyForQuery, which nobody hears of. */
static void
hide_segment(struct server *s)
{
    static const uint8_t sync[] = { 'S', 0, 0, 0, 4 };

    if (!ledger_is_empty(&s->ledger)) { /* what is left of the segment is its Sync */
        ledger_entry(&s->ledger, 0)->action = OWED_SWALLOW;
        return;
    }
    (void)relay_enter(s->client, OWED_SYNC, OWED_SWALLOW);
    stream_send(&s->stream, slice_of(sync, sizeof sync));
}

void
healing_send_again(struct server *s)
{
    struct client *c = s->client;
    struct buf again = s->kept;

    hide_segment(s);
    c->is_again = true;
    shard_counters(c->shard)->received_bytes -= buf_len(&again); /* it comes again */
    buf_drop(&s->kept_back, buf_len(&s->kept_back));
    buf_init(&s->kept);
    s->kept_stamp = 0;
    s->is_keeping = false;
    buf_add(&again, pending_input(c));
    buf_release(&pending_of(c)->carry);
    c->pending->carry = again;
    c->is_held = true;
    c->healed_stamp = c->stamp;
    shard_counters(c->shard)->prepared_heal_count++;
}
