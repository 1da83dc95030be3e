/* prepared.c - see prepared_impl.h for the picture. */
#include "prepared_impl.h"

#include <assert.h>
#include <string.h>

#include "healing_impl.h"
#include "pgweir/wire/front.h"
#include "relay_impl.h"
#include "scope_impl.h"
#include "sql_names_impl.h"
#include "state_impl.h"

#define WIPING (SQL_DEALLOCATE | SQL_DISCARDS)

static void
send_as_it_is(struct client *c, const struct scan_span *span, enum owed_kind kind)
{
    (void)relay_enter(c, kind, OWED_FORWARD);
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
}

/* --- the messages --- */

struct names {
    struct slice first; /* with their NULs */
    struct slice second;
};

/* Up to COUNT NUL-terminated names at the beginning of BODY. */
static enum prepared
names_read(struct slice body, bool is_all, unsigned count, struct names *out)
{
    struct slice *slots[] = { &out->first, &out->second };

    for (unsigned i = 0; i < count; i++) {
        const uint8_t *end = body.len == 0 ? NULL : memchr(body.at, '\0', body.len);

        if (end == NULL)
            return is_all || body.len > PREPARED_MOST_NAME ? PREPARED_IS_BAD : PREPARED_WANTS_MORE;
        *slots[i] = slice_of(body.at, (size_t)(end - body.at) + 1);
        body = slice_skip(body, slots[i]->len);
    }
    return PREPARED_SENT;
}

static struct slice
body_of(const struct scan_span *span)
{
    return slice_skip(span->bytes, SCAN_HEADER);
}

/* Of one that is all there and lacks a NUL, the server says what is wrong. */
static enum prepared
completeness(const struct scan_span *span, unsigned skipped, unsigned count)
{
    struct slice body = body_of(span);
    struct names names;

    if (span->is_last)
        return PREPARED_SENT;
    return body.len < skipped ? PREPARED_WANTS_MORE
                              : names_read(slice_skip(body, skipped), false, count, &names);
}

enum prepared
prepared_is_complete(const struct scan_span *span, enum front_kind kind)
{
    switch (kind) {
    case FRONT_PARSE:
        return span->is_last || span->body_len > PREPARED_MOST_PARSE ? completeness(span, 0, 1)
                                                                     : PREPARED_WANTS_MORE;
    case FRONT_BIND:
        return completeness(span, 0, 2);
    case FRONT_DESCRIBE:
    case FRONT_CLOSE:
        return completeness(span, 1, 1);
    default:
        return PREPARED_SENT;
    }
}

/* Whether TAIL ends where its own counts say: if not, PostgreSQL refuses the message before it looks at the name. */
static bool
is_whole_parse(struct slice tail)
{
    const uint8_t *end = tail.len == 0 ? NULL : memchr(tail.at, '\0', tail.len);
    size_t used = end == NULL ? tail.len : (size_t)(end - tail.at) + 1;

    return tail.len >= used + 2 && tail.len - used - 2 == 4 * (size_t)get_be16(tail.at + used);
}

/* ST, or what is to be parsed in its place. */
static struct statement *
take_rewritten(struct client *c, struct statement *st, struct client_name **target)
{
    bool is_fresh;

    st = sql_names_parse(c, st, scope_of(c), target);
    if (*target != NULL && (st->findings & SQL_DEALLOCATE) == 0)
        (void)need(c, *target, &is_fresh);
    return st;
}

/* The statement of TAIL; NULL: there is no room for it, though the server has given up what it alone holds. */
static struct statement *
take(struct client *c, struct slice tail)
{
    struct statement *st;

    do
        st = statement_take(&c->worker->statements, tail, scope_of(c));
    while (UNLIKELY(st == NULL) && evict_unshared(c));
    return st;
}

static enum prepared
on_parse_unnamed(struct client *c, const struct scan_span *span, struct slice tail)
{
    struct statement *st = span->is_last ? take(c, tail) : NULL;
    struct client_name *target = NULL;
    struct statement *said = st;
    struct pg_error why;
    struct owed *o;

    if (st != NULL && sql_names_parse_must_wait(c, st)) {
        statement_drop(st);
        return PREPARED_IS_HELD;
    }
    if (st != NULL) {
        state_prepare(c, st);
        st = take_rewritten(c, st, &target);
    }
    /* One that cannot be kept (ST is NULL) lives on this server until something else comes. */
    if (st == NULL && !state_parse(c, span, &why)) {
        send_failure(c, &why);
        return PREPARED_SENT;
    }
    o = enter(c, OWED_PARSE, OWED_FORWARD, EFFECT_UNNAMED_SET);
    o->of_client = c->unnamed;
    c->unnamed = st == NULL ? NULL : name_new_unnamed(c->worker, st, schema_epoch(c->server->schema));
    c->is_unnamed_unkept = st == NULL;
    c->server->turn.unnamed_stamp = c->stamp;
    server_set_unnamed(c->server, st, c->id);
    if (st == said) {
        gather_add(&c->worker->gather, &c->server->stream, span->bytes);
        return PREPARED_SENT;
    }
    assert(st != NULL); /* rewritten texts are kept */
    c->unnamed->target = target;
    c->is_dropping = true;
    send_parse(c, st, empty_name());
    return PREPARED_SENT;
}

/* Whether the server would certainly accept a Parse that it has accepted before: not in a failed transaction, the schema is the same, and nothing is under way that may wipe
 * its statements or make the transaction fail behind a Sync. */
static bool
may_make_up_parse(const struct server *s, const struct statement *st)
{
    const struct server_statement *e = set_find(s, st);

    if (e == NULL || s->status == 'E' || e->parsed.epoch != schema_epoch(s->schema) ||
        !is_known(s, e->parsed.stamp))
        return false;
    return ledger_is_empty(&s->ledger) || ledger_head(&s->ledger)->server_stamp > s->act_stamp;
}

static enum prepared
on_parse_named(struct client *c, const struct scan_span *span, const char *name, struct slice tail)
{
    struct server *s = c->server;
    bool is_first = s->segment_stamp == 0;
    struct statement *st;
    struct client_name *n, *target = NULL;
    struct owed *o;
    struct pg_error e;

    if (s->ledger.is_copy_in_open) { /* which ends with the session then */
        send_as_it_is(c, span, OWED_PARSE);
        return PREPARED_SENT;
    }
    if (name_is_misspelt(c, name, &e)) {
        send_failure(c, &e);
        return PREPARED_SENT;
    }
    if (!span->is_last) {
        pg_error_set(&e, PG_ERROR, "54000", "prepared statement \"%.64s\" is too long", name);
        send_failure(c, &e);
        return PREPARED_SENT;
    }
    if (name_find(c, name) != NULL) {
        /* PostgreSQL parses first and refuses the name then: so does this, at the price of the unnamed statement there. */
        o = enter(c, OWED_PARSE, OWED_HIDE, EFFECT_ADDED);
        o->of_server = NULL;
        send_head(c, 'P', 1 + tail.len, slice_of(NULL, 0), empty_name());
        gather_copy(&c->worker->gather, &s->stream, tail);
        server_set_unnamed(s, NULL, 0);
        pg_error_set(&e, PG_ERROR, "42P05", "prepared statement \"%.200s\" already exists", name);
        send_failure(c, &e);
        return PREPARED_SENT;
    }
    if (!names_have_room(c, name)) {
        pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                     "too many prepared statements in one session: \"%.64s\" is one too many", name);
        send_failure(c, &e);
        return PREPARED_SENT;
    }
    st = take(c, tail);
    if (st == NULL) {
        pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                     "prepared_statements_memory is used up: no room for \"%.64s\"", name);
        send_failure(c, &e);
        return PREPARED_SENT;
    }
    if (sql_names_parse_must_wait(c, st)) {
        statement_drop(st);
        return PREPARED_IS_HELD;
    }
    state_prepare(c, st);
    st = take_rewritten(c, st, &target);
    n = name_new(name, st, schema_epoch(s->schema));
    n->target = target;
    n->stamp = c->stamp;
    name_put(c, n);
    shard_counters(c->shard)->client_parse_count++;
    c->is_dropping = true;
    if (may_make_up_parse(s, st)) {
        o = enter(c, OWED_PARSE, OWED_SYNTHESISE, EFFECT_NAME_ADDED);
        o->of_client = n;
        return PREPARED_SENT;
    }
    o = send_parse_named(c, st, OWED_FORWARD, EFFECT_NAME_ADDED);
    o->of_client = n;
    n->stamp = o->client_stamp;
    if (is_first)
        healing_begin(s, o->server_stamp);
    evict(c);
    return PREPARED_SENT;
}

/* Whether the server's unnamed statement is the one that C parsed and that was not kept. */
static bool
has_own_unnamed(const struct client *c)
{
    return c->unnamed == NULL && c->server->unnamed == NULL && c->server->unnamed_client == c->id;
}

/* C's unnamed statement could not be kept, and stays where it was parsed. */
static void
send_unkept(struct client *c)
{
    struct pg_error e;

    pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                 "the unnamed prepared statement could not be kept for another transaction");
    pg_error_hint(&e,
                  "It is longer than %u MB, or prepared_statements_memory is used up: bind it in the "
                  "transaction that parses it.",
                  PREPARED_MOST_PARSE / (1024u * 1024u));
    send_failure(c, &e);
}

/* A name that the client has not: the server, which has not got it either, says so in its own words. */
static void
send_unknown_name(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice name)
{
    static const char ours[] = "pgweir_";
    struct pg_error e;

    if (name.len == 1 && c->is_unnamed_unkept) {
        send_unkept(c);
        return;
    }
    if (name.len == 1) { /* but an unnamed statement it may have, somebody else's */
        (void)enter(c, OWED_CLOSE, OWED_HIDE, EFFECT_NONE);
        send_head(c, 'C', 2, slice_of("S", 1), empty_name());
        server_set_unnamed(c->server, NULL, 0);
    } else if (strncmp((const char *)name.at, ours, sizeof ours - 1) == 0) {
        pg_error_set(&e, PG_ERROR, "26000", "prepared statement \"%.200s\" does not exist",
                     (const char *)name.at);
        send_failure(c, &e);
        return;
    }
    send_as_it_is(c, span, kind);
}

/* Whether the message behind a Bind, the first in AFTER, is a Describe of the PORTAL that it makes. */
static enum parse
is_described_next(struct slice after, struct slice portal)
{
    if (after.len == 0)
        return PARSE_MORE;
    if (after.at[0] != 'D')
        return PARSE_BAD;
    if (after.len < SCAN_HEADER + 1 + portal.len)
        return PARSE_MORE;
    after = slice_skip(after, SCAN_HEADER);
    return after.at[0] == 'P' && memcmp(after.at + 1, portal.at, portal.len) == 0 ? PARSE_DONE : PARSE_BAD;
}

/* The same of a Bind, SPAN, as far as it has come. A very long one is taken for one that is not followed by it. */
static enum parse
will_be_described(const struct scan_span *span, struct slice after, struct slice portal)
{
    if (span->is_last)
        return is_described_next(after, portal);
    return span->body_len > RELAY_CARRY_BYTES ? PARSE_BAD : PARSE_MORE;
}

/* Whether what C was told of N holds there is not known. *IS_GOOD: its Bind may go on; else: what is to become of it. */
static enum prepared
prove_bind(struct client *c, struct client_name *n, struct parsed *parsed, const struct scan_span *span,
           struct slice portal, struct slice after, bool *is_good)
{
    *is_good = false;
    if (n->rows != SHAPE_NONE && healing_has_parameters(n, parsed)) {
        switch (will_be_described(span, after, portal)) {
        case PARSE_DONE:
            n->epoch = SCHEMA_LONG_AGO; /* so that what it tells is noted */
            *is_good = true;
            return PREPARED_SENT;
        case PARSE_MORE:
            return PREPARED_WANTS_MORE;
        case PARSE_BAD:
            break;
        }
    }
    switch (healing_prove(c, n, parsed)) {
    case PROVED:
        *is_good = true;
        return PREPARED_SENT;
    case PROOF_OWED:
        return PREPARED_IS_HELD;
    case PROOF_FAILED:
        break;
    }
    healing_refuse(c);
    return PREPARED_SENT;
}

static uint64_t
portal_hash(struct slice name)
{
    return name.len == 1 ? 0 : map_hash(name);
}

/* A text of C with FLAGS, not all of which may have been seen, is about to be sent: may it prepare statements under names of ours, unseen? */
static void
note_strays(struct client *c, uint32_t flags, bool is_seen)
{
    if (UNLIKELY(!is_seen || (flags & SQL_OPAQUE) != 0))
        c->server->has_strays = true;
}

/* C binds N (NULL: what is not known here) to PORTAL. */
static void
note_bind(struct client *c, struct client_name *n, struct slice portal)
{
    struct turn *turn = &c->server->turn;
    uint32_t findings = n == NULL ? SQL_DDL : name_findings(n);

    note_strays(c, findings, true);
    turn->has_ddl_portal = turn->has_ddl_portal || (findings & (SQL_DDL | SQL_OPAQUE)) != 0;
    turn->has_wiping_portal = turn->has_wiping_portal || (findings & WIPING) != 0;
    turn->bound_portal = portal_hash(portal);
    if (c->bound == n)
        return;
    name_drop(c->bound);
    c->bound = name_hold(n);
}

/* A Bind or a Describe, KIND, of N: what its entry must remember. */
static void
note_use(struct client *c, struct owed *o, struct client_name *n, const char *name,
         const struct parsed *parsed)
{
    o->of_client = n->name[0] == '\0' || strcmp(n->name, name) == 0 ? name_hold(n)
                                                                    : name_new_spelling(name, n);
    if (o->kind == OWED_DESCRIBE &&
        (n->epoch != parsed->epoch || n->rows == SHAPE_NONE || n->parameters == SHAPE_NONE)) {
        o->effect = EFFECT_DESCRIBED;
        n->epoch = parsed->epoch;
        n->told_owed++;
    } else {
        o->effect = EFFECT_NAME_USED;
    }
    shard_counters(c->shard)->bind_count += o->kind == OWED_BIND && n->name[0] != '\0';
}

/* Bind and Describe(statement): BEFORE is what stands in front of the name. */
static enum prepared
on_use(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice before,
       struct slice name, struct slice after)
{
    struct client_name *n = name.len == 1 ? c->unnamed : name_find(c, (const char *)name.at);
    struct server *s = c->server;
    bool is_first = s->segment_stamp == 0;
    bool is_fresh;
    struct parsed *parsed;
    struct owed *o;
    struct pg_error why;
    struct slice rest = slice_skip(span->bytes, SCAN_HEADER + before.len + name.len);

    if (n == NULL) {
        if (kind == OWED_BIND)
            note_bind(c, NULL, before);
        if (name.len == 1 && has_own_unnamed(c))
            send_as_it_is(c, span, kind);
        else
            send_unknown_name(c, span, kind, name);
        return PREPARED_SENT;
    }
    scope_follow(c, n);
    if (kind == OWED_BIND)
        state_prepare(c, n->statement);
    sql_names_need(c, n);
    parsed = need(c, n, &is_fresh);
    if (kind == OWED_BIND && !healing_is_told_right(n, parsed)) {
        bool is_good;
        enum prepared p = prove_bind(c, n, parsed, span, before, after, &is_good);

        if (!is_good)
            return p;
    }
    if (kind == OWED_BIND && !state_bind(c, n->statement, span, &why)) {
        send_failure(c, &why);
        return PREPARED_SENT;
    }
    if (kind == OWED_BIND)
        note_bind(c, n, before);
    o = enter(c, kind, OWED_FORWARD, EFFECT_NONE);
    note_use(c, o, n, (const char *)name.at, parsed);
    if (kind == OWED_BIND)
        statement_count_call(n->statement, &parsed->calls);
    if (is_first && parsed->stamp <= s->sync_stamp)
        healing_begin(s, o->server_stamp);
    else if (is_first && is_fresh)
        healing_begin(s, parsed->stamp);
    if (name.len == 1) {
        gather_add(&c->worker->gather, &s->stream, span->bytes);
        return PREPARED_SENT;
    }
    send_head(c, span->type, span->body_len - name.len + n->statement->name_len, before,
              server_name(n->statement));
    if (rest.len > 0)
        gather_add(&c->worker->gather, &s->stream, rest);
    return PREPARED_SENT;
}

/* What it tells is the shape of the statement that the portal was made of, as far as we know which that is. */
static void
on_describe_portal(struct client *c, const struct scan_span *span, struct slice portal)
{
    struct client_name *n = c->bound;
    struct server *s = c->server;
    const struct parsed *parsed;
    struct owed *o = enter(c, OWED_DESCRIBE, OWED_FORWARD, EFFECT_NONE);

    gather_add(&c->worker->gather, &s->stream, span->bytes);
    if (n == NULL || c->server->turn.bound_portal != portal_hash(portal) ||
        (n->rows != SHAPE_NONE && n->epoch == schema_epoch(s->schema)))
        return;
    parsed = parsed_find(s, n->name[0] == '\0' ? NULL : n->statement);
    o->effect = EFFECT_DESCRIBED;
    o->of_client = name_hold(n);
    n->told_owed++;
    n->epoch = parsed == NULL ? SCHEMA_LONG_AGO : parsed->epoch;
}

static void
on_close(struct client *c, const struct scan_span *span, struct slice name)
{
    struct client_name *n;
    struct owed *o;
    struct pg_error e;

    if (name.len == 1) {
        o = enter(c, OWED_CLOSE, OWED_FORWARD, EFFECT_UNNAMED_CLOSED);
        o->of_client = c->unnamed;
        c->unnamed = NULL;
        c->is_unnamed_unkept = false;
        c->server->turn.unnamed_stamp = c->stamp;
        server_set_unnamed(c->server, NULL, 0);
        gather_add(&c->worker->gather, &c->server->stream, span->bytes);
        return;
    }
    if (c->server->ledger.is_copy_in_open) {
        send_as_it_is(c, span, OWED_CLOSE);
        return;
    }
    if (name_is_misspelt(c, (const char *)name.at, &e)) {
        send_failure(c, &e);
        return;
    }
    n = name_find(c, (const char *)name.at);
    o = enter(c, OWED_CLOSE, OWED_SYNTHESISE, EFFECT_NAME_REMOVED);
    o->of_client = n;
    if (n != NULL) {
        name_take_out(c, n);
        note_removal(c);
    }
    c->is_dropping = true;
}

static const uint8_t owed_kinds[] = {
    [FRONT_PARSE] = OWED_PARSE,
    [FRONT_BIND] = OWED_BIND,
    [FRONT_DESCRIBE] = OWED_DESCRIBE,
    [FRONT_CLOSE] = OWED_CLOSE,
};

enum prepared
prepared_message(struct client *c, const struct scan_span *span, enum front_kind kind, struct slice after)
{
    struct slice body = body_of(span);
    bool has_target = kind == FRONT_DESCRIBE || kind == FRONT_CLOSE;
    uint8_t target = has_target && body.len > 0 ? body.at[0] : 0;
    struct names names;

    if (names_read(has_target ? slice_skip(body, target != 0) : body, span->is_last,
                   kind == FRONT_BIND ? 2 : 1, &names) != PREPARED_SENT) {
        if (!span->is_last)
            return PREPARED_IS_BAD;
        send_as_it_is(c, span, (enum owed_kind)owed_kinds[kind]);
        return PREPARED_SENT;
    }
    switch (kind) {
    case FRONT_PARSE:
        if (span->is_last && !is_whole_parse(slice_skip(body, names.first.len)))
            send_as_it_is(c, span, OWED_PARSE);
        else if (names.first.len == 1)
            return on_parse_unnamed(c, span, slice_skip(body, 1));
        else
            return on_parse_named(c, span, (const char *)names.first.at, slice_skip(body, names.first.len));
        return PREPARED_SENT;
    case FRONT_BIND:
        return on_use(c, span, OWED_BIND, names.first, names.second, after);
    case FRONT_DESCRIBE:
        if (target == 'S')
            return on_use(c, span, OWED_DESCRIBE, slice_of("S", 1), names.first, after);
        if (target == 'P')
            on_describe_portal(c, span, names.first);
        else
            send_as_it_is(c, span, OWED_DESCRIBE);
        return PREPARED_SENT;
    case FRONT_CLOSE:
        if (target == 'S')
            on_close(c, span, names.first);
        else
            send_as_it_is(c, span, OWED_CLOSE);
        return PREPARED_SENT;
    default:
        break;
    }
    return PREPARED_IS_BAD;
}

bool
prepared_must_wait(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    struct slice body = body_of(span);
    struct names names;
    struct slice name;
    const struct client_name *n;

    if (c->server == NULL ||
        c->server->ledger.is_copy_in_open) /* nothing will be answered before more is sent */
        return false;
    if (body.len == 0 ||
        names_read(kind == FRONT_DESCRIBE || kind == FRONT_CLOSE ? slice_skip(body, 1) : body, span->is_last,
                   kind == FRONT_BIND ? 2 : 1, &names) != PREPARED_SENT)
        return false;
    if ((kind == FRONT_DESCRIBE || kind == FRONT_CLOSE) && body.at[0] != 'S')
        return false;
    name = kind == FRONT_BIND ? names.second : names.first;
    if (name.len == 1)
        return (kind == FRONT_BIND || kind == FRONT_DESCRIBE) &&
               !is_known(c->server, stamp_on_server(c, c->server->turn.unnamed_stamp));
    if (c->server->turn.wipes_owed > 0) {
        send_flush(c); /* or else the Sync may stand behind this */
        return true;
    }
    n = name_find(c, (const char *)name.at);
    return n != NULL ? !is_known(c->server, stamp_on_server(c, n->stamp)) : !are_removals_known(c);
}

/* Of C's portal, the next to be executed: what it was made of, as far as we know. */
static struct client_name *
bound_to(const struct client *c, struct slice portal)
{
    return c->server->turn.bound_portal == portal_hash(portal) ? c->bound : NULL;
}

/* The same, for its entry: its text names another statement, which errors may tell. */
static enum effect
note_execute(struct client *c, struct client_name *n, struct client_name **of_client)
{
    *of_client = NULL;
    if (n == NULL || n->target == NULL)
        return EFFECT_NONE;
    *of_client = sql_names_execute(c, n);
    if (*of_client != NULL)
        return EFFECT_DEALLOCATES;
    *of_client = name_hold(n);
    return EFFECT_NAME_USED;
}

enum prepared
prepared_execute(struct client *c, const struct scan_span *span)
{
    struct client_name *of_client = NULL;
    struct client_name *n = NULL;
    enum effect effect = EFFECT_NONE;
    struct owed *o;

    if (c->server->turn.has_wiping_portal || (c->bound != NULL && c->bound->target != NULL)) {
        struct names names;

        switch (names_read(body_of(span), span->is_last, 1, &names)) {
        case PREPARED_SENT:
            n = bound_to(c, names.first);
            effect = note_execute(c, n, &of_client);
            break;
        case PREPARED_WANTS_MORE:
            return PREPARED_WANTS_MORE;
        case PREPARED_IS_BAD: /* the server will say so */
        case PREPARED_IS_HELD:
            break;
        }
    }
    o = enter(c, OWED_EXECUTE, OWED_FORWARD, effect);
    o->of_client = of_client;
    o->may_wipe = c->server->turn.has_wiping_portal && (n == NULL || (name_findings(n) & WIPING) != 0);
    o->is_own_ddl = !c->server->turn.has_ddl_portal;
    o->is_ddl = UNLIKELY(c->server->turn.has_ddl_portal) && c->bound != NULL &&
                (c->bound->statement->findings & SQL_DDL) != 0;
    c->server->turn.wipes_owed += o->may_wipe;
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
    return PREPARED_SENT;
}

enum prepared
prepared_query(struct client *c, const struct scan_span *span)
{
    struct slice text = slice_of(body_of(span).at,
                                 strnlen((const char *)body_of(span).at, body_of(span).len));
    bool is_whole = span->is_last && text.len + 1 == span->body_len;
    uint32_t flags = c->server->turn.query_flags;
    struct sql_names *names = NULL;
    struct sql_findings f;
    struct owed *o;
    struct buf said;

    buf_init(&said);
    if (UNLIKELY((flags & SQL_NAMING) != 0) && is_whole) {
        sql_look(text, !c->has_odd_strings, &f);
        if (sql_names_must_wait(c, &f))
            return PREPARED_IS_HELD;
        names = sql_names_rewrite(c, text, &f, &said);
        flags |= names == NULL ? 0 : sql_names_findings(names);
        note_strays(c, flags, (flags & SQL_PREPARE) == 0 || !f.named_are_partial);
    } else {
        note_strays(c, flags, is_whole);
    }
    o = enter(c, OWED_QUERY, OWED_FORWARD, names == NULL ? EFFECT_UNNAMED_CLOSED : EFFECT_SQL);
    o->of_server = names;
    /* of one that is not there in full nobody knows */
    o->may_wipe = has_names(c) && (!is_whole || (flags & (WIPING | QUERY_HAS_NO_END)) != 0);
    o->is_ddl = (flags & SQL_DDL) != 0;
    o->is_own_ddl = is_whole && (flags & SQL_TEMP) != 0 && !o->is_ddl;
    c->server->turn.wipes_owed += o->may_wipe;
    o->of_client = c->unnamed;
    c->unnamed = NULL;
    c->is_unnamed_unkept = false;
    c->server->turn.unnamed_stamp = c->stamp;
    server_set_unnamed(c->server, NULL, 0);
    if (names == NULL)
        gather_add(&c->worker->gather, &c->server->stream, span->bytes);
    else
        send_head(c, 'Q', buf_len(&said) + 1, buf_slice(&said), empty_name());
    buf_release(&said);
    return PREPARED_SENT;
}

unsigned
prepared_client_count(const struct client *c)
{
    return c->names == NULL ? 0 : (unsigned)c->names->by_name.count;
}

unsigned
prepared_server_count(const struct server *s)
{
    return s->statements == NULL ? 0 : (unsigned)s->statements->by_statement.count;
}
