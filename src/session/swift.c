/*
 * swift.c - see swift_impl.h.
 *
 *     Invariant: what is done here for a message is what relay.c, prepared.c and ledger.c would have done. They
 *     answer every question; here those are put together whose usual answer is the same for a whole run, and
 *     whoever finds another answer leaves the message to them.
 */
#include "swift_impl.h"

#include <string.h>

#include "healing_impl.h"
#include "pgweir/wire/rules.h"
#include "prepared_impl.h"
#include "relay_impl.h"
#include "scope_impl.h"
#include "session_settings_impl.h"
#include "state_impl.h"

/* --- from clients --- */

/* Whether messages of C could be plain; nothing that is done here changes the answer, but for the ledger's room. */
static bool
client_is_plain(const struct client *c)
{
    const struct server *s = c->server;

    return s != NULL && scanner_is_between_messages(&c->scanner) && !ledger_is_empty(&s->ledger) &&
           !s->ledger.is_skipping && !s->ledger.is_copy_in_open && s->turn.query_us != 0 &&
           prepared_is_on(c) && settings_are_in_place(c) && s->turn.wipes_owed == 0 &&
           !s->turn.has_wiping_portal && !s->is_attentive && !c->has_odd_encoding && c->healed_stamp == 0 &&
           (c->bound == NULL || c->bound->target == NULL);
}

static bool
is_certain(const struct server *s, uint64_t server_stamp)
{
    return server_stamp <= s->known_stamp || server_stamp > s->sync_stamp;
}

static bool
is_called(const struct client_name *n, struct slice text)
{
    size_t len = n->bytes - sizeof *n; /* with its NUL */

    return text.len >= len && memcmp(text.at, n->name, len) == 0;
}

/* What C calls by the name at the front of TEXT; NULL: nothing, or by another spelling of it. */
static struct client_name *
name_at(struct client *c, struct slice text)
{
    struct client_name *n;

    if (text.at[0] == '\0')
        return c->unnamed;
    if (c->names == NULL)
        return NULL;
    n = c->names->latest;
    if (LIKELY(n != NULL && is_called(n, text)))
        return n;
    n = memchr(text.at, '\0', text.len) == NULL ? NULL : name_find(c, (const char *)text.at);
    return n != NULL && is_called(n, text) ? n : NULL;
}

/* Whether it is certain what N is, and harmless. */
static bool
is_plain_name(const struct client *c, const struct client_name *n)
{
    uint64_t stamp = n->name[0] == '\0' ? c->server->turn.unnamed_stamp : n->stamp;

    return n->statement->findings == 0 && n->target == NULL &&
           slice_equal(statement_scope(n->statement), scope_of(c)) &&
           is_certain(c->server, stamp_on_server(c, stamp));
}

/* How N is parsed on its client's server; NULL: somebody must see to it. */
static struct parsed *
plain_parsed(struct client *c, const struct client_name *n)
{
    struct server *s = c->server;
    struct parsed *parsed = &s->unnamed_parsed;

    if (n->name[0] != '\0') {
        struct server_statement *e = set_find(s, n->statement);

        if (e == NULL)
            return NULL;
        set_touch(s, e);
        parsed = &e->parsed;
    } else if (s->unnamed != n->statement) {
        return NULL;
    }
    return healing_is_told_right(n, parsed) && parsed->epoch == schema_epoch(s->schema) &&
                   is_certain(s, parsed->stamp)
               ? parsed
               : NULL;
}

/* What stays the same from message to message of a client. */
struct run {
    struct client *c;
    struct server *s;
    const uint8_t *sent;   /* what stands before this was gathered */
    struct client_name *n; /* of the last Bind, if all was asked about it since the last Sync; else NULL */
    struct parsed *parsed; /* how it is parsed there */
};

/* Inlined, so that what depends on KIND is decided by the compiler: 47 -> 20 instructions. */
static ALWAYS_INLINE struct owed *
enter_plain(struct run *run, enum owed_kind kind)
{
    struct owed *o = ledger_push(&run->s->ledger, kind, OWED_FORWARD);

    run->c->stamp++;
    run->s->stamp++;
    relay_stamp(run->c, run->s, o, kind, OWED_FORWARD);
    return o;
}

/* Copies a few bytes. By memmove, because gcc makes `rep movsq` of a memcpy whose length is small and not known, which takes as long as
 * everything else that is done here for a Bind (CPU per pipelined query 1.1). */
static void
put_bytes(uint8_t *to, const void *from, size_t len)
{
    memmove(to, from, len);
}

/* MESSAGE, a Bind of N to the unnamed portal, is gathered with the server's name in place of NAME, the client's, in one piece with what
 * stands before it. What stands behind the name is left for later. */
static void
gather_renamed(struct run *run, struct slice message, struct slice name, const struct client_name *n)
{
    struct gather *g = &run->c->worker->gather;
    const struct statement *st = n->statement;
    size_t before = (size_t)(message.at - run->sent);
    size_t head = SCAN_HEADER + 1u + st->name_len;
    uint8_t *at;

    if (before > GATHER_SMALL) {
        gather_add(g, &run->s->stream, slice_of(run->sent, before));
        run->sent = message.at;
        before = 0;
    }
    at = gather_room(g, &run->s->stream, before + head);
    put_bytes(at, run->sent, before);
    at += before;
    at[0] = 'B';
    put_be32(at + 1, (uint32_t)(message.len - 1 - name.len + st->name_len));
    at[SCAN_HEADER] = '\0';
    put_bytes(at + SCAN_HEADER + 1, st->name, st->name_len);
    run->sent = name.at + name.len;
}

/* Sees to it that N is what RUN is about. */
static bool
try_name(struct run *run, struct client_name *n)
{
    if (n == NULL || !is_plain_name(run->c, n))
        return false;
    run->parsed = plain_parsed(run->c, n);
    if (run->parsed == NULL)
        return false;
    run->n = n;
    if (run->c->bound != n) {
        name_drop(run->c->bound);
        run->c->bound = name_hold(n);
    }
    run->s->turn.bound_portal = 0;
    return true;
}

static bool
try_bind(struct run *run, struct slice message)
{
    struct client *c = run->c;
    struct slice name = slice_skip(message, SCAN_HEADER + 1);
    bool is_first = run->s->segment_stamp == 0;
    struct client_name *n = run->n;
    struct owed *o;

    if (message.len < SCAN_HEADER + 2 || message.at[SCAN_HEADER] != '\0')
        return false;
    if ((n == NULL || !is_called(n, name)) && !try_name(run, name_at(c, name)))
        return false;
    n = run->n;
    o = enter_plain(run, OWED_BIND);
    o->effect = EFFECT_NAME_USED;
    o->of_client = n;
    n->refs++;
    statement_count_call(n->statement, &run->parsed->calls);
    if (is_first && run->parsed->stamp <= run->s->sync_stamp)
        healing_begin(run->s, o->server_stamp);
    if (n->name[0] == '\0')
        return true;
    shard_counters(c->shard)->prepared_hit_count++;
    shard_counters(c->shard)->bind_count++;
    name.len = n->bytes - sizeof *n;
    gather_renamed(run, message, name, n);
    return true;
}

static bool
try_describe(struct run *run, struct slice message)
{
    const struct client_name *n = run->c->bound;

    if (message.len != SCAN_HEADER + 2 || memcmp(message.at + SCAN_HEADER, "P", 2) != 0)
        return false;
    if (n != NULL && run->s->turn.bound_portal == 0 &&
        (n->rows == SHAPE_NONE || n->epoch != schema_epoch(run->s->schema))) /* its answer is of interest */
        return false;
    (void)enter_plain(run, OWED_DESCRIBE);
    return true;
}

static bool
try_execute(struct run *run, struct slice message)
{
    if (message.len != SCAN_HEADER + 5 || message.at[SCAN_HEADER] != '\0' || run->s->turn.has_ddl_portal)
        return false;
    enter_plain(run, OWED_EXECUTE)->is_own_ddl = true;
    return true;
}

/* What was certain is so no longer: what follows may happen although something in front of it has failed. */
static bool
try_sync(struct run *run, struct slice message)
{
    if (message.len != SCAN_HEADER)
        return false;
    (void)enter_plain(run, OWED_SYNC);
    run->n = NULL;
    if (run->s->is_keeping)
        healing_keep(run->s, message);
    run->s->is_keeping = false;
    return true;
}

static bool
try_message(struct run *run, struct slice message)
{
    bool is_done = false;

    switch (message.at[0]) {
    case 'B':
        is_done = try_bind(run, message);
        break;
    case 'D':
        is_done = try_describe(run, message);
        break;
    case 'E':
        is_done = try_execute(run, message);
        break;
    case 'S':
        return try_sync(run, message);
    default:
        break;
    }
    if (is_done && run->s->is_keeping)
        healing_keep(run->s, message);
    return is_done;
}

/* The message at the front of IN, if all of it is there. */
static inline bool
whole_message(struct slice in, struct slice *out)
{
    uint32_t body;

    if (in.len < SCAN_HEADER)
        return false;
    body = get_be32(in.at + 1) - 4u; /* a length below 4 wraps: more than is there */
    if (in.len - SCAN_HEADER < body)
        return false;
    *out = slice_of(in.at, SCAN_HEADER + (size_t)body);
    return true;
}

void
swift_from_client(struct client *c, struct slice *in)
{
    const uint8_t *begin = in->at;
    struct run run = { .c = c, .s = c->server, .sent = begin };
    struct slice message;

    if (in->len == 0 || !client_is_plain(c))
        return;
    while (whole_message(*in, &message) && !ledger_is_full(&run.s->ledger) && try_message(&run, message))
        *in = slice_skip(*in, message.len);
    if (in->at == begin)
        return;
    c->is_dropping = false;
    shard_counters(c->shard)->received_bytes += (size_t)(in->at - begin);
    if (in->at > run.sent)
        gather_add(&c->worker->gather, &run.s->stream, slice_of(run.sent, (size_t)(in->at - run.sent)));
}

/* --- from servers --- */

static bool
server_is_plain(const struct server *s)
{
    return s->client != NULL && scanner_is_between_messages(&s->scanner) && !s->is_fatal &&
           !s->ledger.is_head_copying && buf_len(&s->kept_back) == 0 && state_refusal(s) == NULL;
}

/* HEAD, of the ledger, is a message of the client's, of KIND. */
static bool
is_owed(const struct owed *head, enum owed_kind kind)
{
    return head->kind == kind && head->action == OWED_FORWARD;
}

static bool
is_result_owed(const struct owed *head)
{
    return is_owed(head, OWED_EXECUTE) || is_owed(head, OWED_QUERY);
}

static bool
try_complete(struct server *s, const struct owed *head, enum owed_kind kind)
{
    struct owed paid;

    if (!is_owed(head, kind) || head->own != OWN_OTHER)
        return false;
    if (LIKELY(head->effect == EFFECT_NAME_USED && !head->may_wipe)) {
        struct client_name *n = head->of_client;

        ledger_pop(&s->ledger);
        name_drop(n);
        return true;
    }
    paid = *head;
    ledger_pop(&s->ledger);
    prepared_paid(s, &paid);
    return true;
}

static bool
try_shape(struct server *s, const struct owed *head)
{
    if (is_owed(head, OWED_DESCRIBE) && head->effect == EFFECT_NONE) {
        ledger_pop(&s->ledger);
        return true;
    }
    return is_result_owed(head);
}

/* Of statements that change rows or only read them. */
static bool
is_plain_tag(const struct server *s, struct slice message)
{
    const uint8_t *tag = message.at + SCAN_HEADER;

    if (message.len < SCAN_HEADER + 3u || s->client->asks_sequences)
        return false;
    return (tag[0] == 'S' && tag[1] == 'E' && tag[2] == 'L') || (tag[0] == 'I' && tag[1] == 'N') ||
           (tag[0] == 'U' && tag[1] == 'P') || (tag[0] == 'D' && tag[1] == 'E' && tag[2] == 'L');
}

static bool
try_command_done(struct server *s, const struct owed *head, struct slice message)
{
    if (head->is_ddl || !is_plain_tag(s, message))
        return false;
    if (is_owed(head, OWED_QUERY))
        return true;
    if (!is_owed(head, OWED_EXECUTE) || head->effect != EFFECT_NONE || head->may_wipe ||
        head->own != OWN_OTHER)
        return false;
    ledger_pop(&s->ledger);
    return true;
}

static bool
try_reply(struct server *s, struct slice message)
{
    const struct owed *head = ledger_head(&s->ledger);

    switch (back_kind_of(message.at[0])) {
    case BACK_PARSE_COMPLETE:
        return try_complete(s, head, OWED_PARSE);
    case BACK_BIND_COMPLETE:
        return try_complete(s, head, OWED_BIND);
    case BACK_CLOSE_COMPLETE:
        return try_complete(s, head, OWED_CLOSE);
    case BACK_ROW_SHAPE:
        return try_shape(s, head);
    case BACK_DATA:
        return is_result_owed(head);
    case BACK_COMMAND_DONE:
        return try_command_done(s, head, message);
    default:
        return false;
    }
}

bool
swift_from_server(struct server *s, struct slice *in)
{
    const uint8_t *begin = in->at;
    struct slice message;
    size_t bytes;

    if (in->len == 0 || !server_is_plain(s))
        return false;
    while (whole_message(*in, &message) && !ledger_is_empty(&s->ledger) && try_reply(s, message))
        *in = slice_skip(*in, message.len);
    bytes = (size_t)(in->at - begin);
    if (bytes == 0)
        return false;
    shard_counters(s->client->shard)->sent_bytes += bytes;
    gather_add(&s->worker->gather, &s->client->stream, slice_of(begin, bytes));
    return true;
}
