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
           !s->turn.has_wiping_portal && !c->has_odd_encoding && c->healed_stamp == 0 &&
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

static struct owed *
enter_plain(struct client *c, struct server *s, enum owed_kind kind)
{
    struct owed *o = ledger_push(&s->ledger, kind, OWED_FORWARD);

    c->stamp++;
    s->stamp++;
    relay_stamp(c, s, o);
    return o;
}

/* MESSAGE is a Bind. SENT: how much of what stands in front of it is gathered; what follows its name is left to be. */
static bool
try_bind(struct client *c, struct slice message, const uint8_t **sent)
{
    struct server *s = c->server;
    struct slice portal = slice_of(message.at + SCAN_HEADER, 1);
    struct slice name = slice_skip(message, SCAN_HEADER + 1);
    bool is_first = s->segment_stamp == 0;
    struct client_name *n;
    struct parsed *parsed;
    struct owed *o;

    if (message.len < SCAN_HEADER + 2 || portal.at[0] != '\0')
        return false;
    n = name_at(c, name);
    if (n == NULL || !is_plain_name(c, n))
        return false;
    parsed = plain_parsed(c, n);
    if (parsed == NULL)
        return false;
    if (c->bound != n) {
        name_drop(c->bound);
        c->bound = name_hold(n);
    }
    c->server->turn.bound_portal = 0;
    o = enter_plain(c, s, OWED_BIND);
    o->effect = EFFECT_NAME_USED;
    o->of_client = n;
    n->refs++;
    statement_count_call(n->statement, &parsed->calls);
    if (is_first && parsed->stamp <= s->sync_stamp)
        healing_begin(s, o->server_stamp);
    if (n->name[0] == '\0')
        return true;
    c->counters->prepared_hit_count++;
    c->counters->bind_count++;
    name.len = n->bytes - sizeof *n;
    if (message.at > *sent)
        gather_add(&c->worker->gather, &s->stream, slice_of(*sent, (size_t)(message.at - *sent)));
    send_head(c, 'B', message.len - SCAN_HEADER - name.len + n->statement->name_len, portal,
              server_name(n->statement));
    *sent = name.at + name.len;
    return true;
}

static bool
try_describe(struct client *c, struct slice message)
{
    const struct client_name *n = c->bound;

    if (message.len != SCAN_HEADER + 2 || memcmp(message.at + SCAN_HEADER, "P", 2) != 0)
        return false;
    if (n != NULL && c->server->turn.bound_portal == 0 &&
        (n->rows == SHAPE_NONE ||
         n->epoch != schema_epoch(c->server->schema))) /* its answer is of interest */
        return false;
    (void)enter_plain(c, c->server, OWED_DESCRIBE);
    return true;
}

static bool
try_execute(struct client *c, struct slice message)
{
    if (message.len != SCAN_HEADER + 5 || message.at[SCAN_HEADER] != '\0' || c->server->turn.has_ddl_portal)
        return false;
    enter_plain(c, c->server, OWED_EXECUTE)->is_own_ddl = true;
    return true;
}

static bool
try_message(struct client *c, struct slice message, const uint8_t **sent)
{
    struct server *s = c->server;

    switch (message.at[0]) {
    case 'B':
        if (!try_bind(c, message, sent))
            return false;
        break;
    case 'D':
        if (!try_describe(c, message))
            return false;
        break;
    case 'E':
        if (!try_execute(c, message))
            return false;
        break;
    case 'S':
        if (message.len != SCAN_HEADER)
            return false;
        (void)enter_plain(c, s, OWED_SYNC);
        if (s->is_keeping)
            healing_keep(s, message);
        s->is_keeping = false;
        return true;
    default:
        return false;
    }
    if (s->is_keeping)
        healing_keep(s, message);
    return true;
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
    const uint8_t *sent = begin;
    struct slice message;

    if (in->len == 0 || !client_is_plain(c))
        return;
    while (whole_message(*in, &message) && !ledger_is_full(&c->server->ledger) &&
           try_message(c, message, &sent))
        *in = slice_skip(*in, message.len);
    if (in->at == begin)
        return;
    c->is_dropping = false;
    c->counters->received_bytes += (size_t)(in->at - begin);
    if (in->at > sent)
        gather_add(&c->worker->gather, &c->server->stream, slice_of(sent, (size_t)(in->at - sent)));
}

/* --- from servers --- */

static bool
server_is_plain(const struct server *s)
{
    return s->client != NULL && scanner_is_between_messages(&s->scanner) && !s->is_fatal &&
           !s->ledger.is_head_copying && buf_len(&s->kept_back) == 0 && state_refusal(s) == NULL;
}

/* Whether the head is a message of the client's, of KIND. */
static bool
is_owed(const struct ledger *l, enum owed_kind kind)
{
    return !ledger_is_empty(l) && ledger_head(l)->kind == kind && ledger_head(l)->action == OWED_FORWARD;
}

static bool
is_result_owed(const struct ledger *l)
{
    return is_owed(l, OWED_EXECUTE) || is_owed(l, OWED_QUERY);
}

static bool
try_complete(struct server *s, enum owed_kind kind)
{
    struct owed paid;

    if (!is_owed(&s->ledger, kind))
        return false;
    paid = *ledger_head(&s->ledger);
    if (paid.own != OWN_OTHER)
        return false;
    ledger_pop(&s->ledger);
    if (LIKELY(paid.effect == EFFECT_NAME_USED && !paid.may_wipe))
        name_drop(paid.of_client);
    else
        prepared_paid(s, &paid);
    return true;
}

static bool
try_shape(struct server *s)
{
    if (is_result_owed(&s->ledger))
        return true;
    if (!is_owed(&s->ledger, OWED_DESCRIBE) || ledger_head(&s->ledger)->effect != EFFECT_NONE)
        return false;
    ledger_pop(&s->ledger);
    return true;
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
try_command_done(struct server *s, struct slice message)
{
    const struct owed *head;

    if (!is_result_owed(&s->ledger) || !is_plain_tag(s, message))
        return false;
    head = ledger_head(&s->ledger);
    if (head->is_ddl)
        return false;
    if (head->kind == OWED_QUERY)
        return true;
    if (head->effect != EFFECT_NONE || head->may_wipe || head->own != OWN_OTHER)
        return false;
    ledger_pop(&s->ledger);
    return true;
}

static bool
try_reply(struct server *s, struct slice message)
{
    switch (back_kind_of(message.at[0])) {
    case BACK_PARSE_COMPLETE:
        return try_complete(s, OWED_PARSE);
    case BACK_BIND_COMPLETE:
        return try_complete(s, OWED_BIND);
    case BACK_CLOSE_COMPLETE:
        return try_complete(s, OWED_CLOSE);
    case BACK_ROW_SHAPE:
        return try_shape(s);
    case BACK_DATA:
        return is_result_owed(&s->ledger);
    case BACK_COMMAND_DONE:
        return try_command_done(s, message);
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
    while (whole_message(*in, &message) && try_reply(s, message))
        *in = slice_skip(*in, message.len);
    bytes = (size_t)(in->at - begin);
    if (bytes == 0)
        return false;
    s->client->counters->sent_bytes += bytes;
    gather_add(&s->worker->gather, &s->client->stream, slice_of(begin, bytes));
    return true;
}
