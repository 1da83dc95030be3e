/* prepared.c - see prepared_impl.h for the picture. */
#include "prepared_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/wire/front.h"
#include "relay_impl.h"

/* What a ledger entry remembers. */
enum effect {
    EFFECT_NONE,
    EFFECT_NAME_ADDED, /* of_client: the client_name; of_server: statement added to the server, or NULL (held) */
    EFFECT_NAME_REMOVED,   /* of_client: the client_name, out of the map, to be freed or put back */
    EFFECT_UNNAMED_SET,    /* of_client: the unnamed statement before (held), or NULL */
    EFFECT_UNNAMED_CLOSED, /* the same */
    EFFECT_ADDED,          /* of_server: statement parsed there for a Bind (held); NULL: the unnamed one */
    EFFECT_EVICTED,        /* of_server: statement closed there (held) */
    EFFECT_REFUSE,         /* of_client: pg_error to tell in place of the server's; owned */
};

struct client_name {
    struct map_node in_names;
    struct statement *statement; /* held */
    uint64_t stamp;              /* client->stamp when it was parsed */
    size_t bytes;
    char name[];
};

struct client_names {
    struct map by_name;
    size_t bytes;
};

struct server_statement {
    struct map_node in_set;
    struct link in_lru;
    struct statement *statement; /* held */
    uint64_t stamp;              /* server->stamp when it was parsed */
};

struct statement_set {
    struct map by_statement;
    struct list lru; /* used last first */
};

/* --- a client's names --- */

static bool
same_name(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct client_name, in_names)->name, key) == 0;
}

static struct client_name *
name_find(const struct client *c, const char *name)
{
    struct map_node *node = c->names == NULL ? NULL
                                             : map_find(&c->names->by_name, map_hash(slice_of_text(name)),
                                                        same_name, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct client_name, in_names);
}

static void
name_put(struct client *c, struct client_name *n)
{
    if (c->names == NULL) {
        c->names = mem_new(sizeof *c->names);
        map_init(&c->names->by_name);
    }
    map_add(&c->names->by_name, &n->in_names, map_hash(slice_of_text(n->name)));
    c->names->bytes += n->bytes;
}

static void
name_take_out(struct client *c, struct client_name *n)
{
    map_remove(&c->names->by_name, &n->in_names);
    c->names->bytes -= n->bytes;
}

static void
name_free(struct client_name *n)
{
    statement_drop(n->statement);
    free(n);
}

void
client_names_free(struct client_names *names)
{
    struct map_node *node;

    if (names == NULL)
        return;
    while ((node = map_take_any(&names->by_name)) != NULL)
        name_free(CONTAINER_OF(node, struct client_name, in_names));
    map_fini(&names->by_name);
    free(names);
}

/* --- a server's statements --- */

static bool
same_statement(const struct map_node *node, const void *key)
{
    return CONTAINER_OF_CONST(node, struct server_statement, in_set)->statement == key;
}

static uint64_t
hash_of(const struct statement *st)
{
    return st->id * UINT64_C(0x9e3779b97f4a7c15); /* ids are ours: nobody can aim them at one bucket */
}

static struct server_statement *
set_find(const struct server *s, const struct statement *st)
{
    struct map_node *node = s->statements == NULL
                                ? NULL
                                : map_find(&s->statements->by_statement, hash_of(st), same_statement, st);

    return node == NULL ? NULL : CONTAINER_OF(node, struct server_statement, in_set);
}

static void
set_add(struct server *s, struct statement *st)
{
    struct server_statement *e = mem_new(sizeof *e);

    if (s->statements == NULL) {
        s->statements = mem_new(sizeof *s->statements);
        map_init(&s->statements->by_statement);
        list_init(&s->statements->lru);
    }
    e->statement = statement_hold(st);
    e->stamp = s->stamp;
    link_init(&e->in_lru);
    map_add(&s->statements->by_statement, &e->in_set, hash_of(st));
    list_push_first(&s->statements->lru, &e->in_lru);
}

static void
set_remove(struct statement_set *set, struct server_statement *e)
{
    map_remove(&set->by_statement, &e->in_set);
    link_remove(&e->in_lru);
    statement_drop(e->statement);
    free(e);
}

static void
set_lose(struct server *s, const struct statement *st)
{
    struct server_statement *e = set_find(s, st);

    if (e != NULL)
        set_remove(s->statements, e);
}

void
statement_set_free(struct statement_set *set)
{
    if (set == NULL)
        return;
    while (!list_is_empty(&set->lru))
        set_remove(set, CONTAINER_OF(list_first(&set->lru), struct server_statement, in_lru));
    map_fini(&set->by_statement);
    free(set);
}

/* --- sending --- */

/* type, length, then for Bind the portal, then the statement's name: what stands before the part that is passed on as it is. */
static void
send_head(struct client *c, uint8_t type, size_t body_len, struct slice before, struct slice name)
{
    struct buf *head = &c->worker->scratch;

    buf_drop(head, buf_len(head));
    buf_add_u8(head, type);
    buf_add_be32(head, (uint32_t)(body_len + 4));
    buf_add(head, before);
    buf_add(head, name);
    gather_copy(&c->worker->gather, &c->server->stream, buf_slice(head));
}

static struct slice
server_name(const struct statement *st)
{
    return slice_of(st->name, st->name_len);
}

static struct slice
empty_name(void)
{
    return slice_of("", 1);
}

static void
send_parse(struct client *c, struct statement *st, struct slice name)
{
    struct slice tail = statement_tail(st);

    send_head(c, 'P', name.len + tail.len, slice_of(NULL, 0), name);
    gather_add(&c->worker->gather, &c->server->stream, tail);
}

static struct owed *
enter(struct client *c, enum owed_kind kind, enum owed_action action, enum effect effect)
{
    struct owed *o = relay_enter(c, kind, action);

    assert(o != NULL); /* nothing comes here while the server skips */
    o->effect = (uint8_t)effect;
    return o;
}

static void
send_as_it_is(struct client *c, const struct scan_span *span, enum owed_kind kind)
{
    (void)relay_enter(c, kind, OWED_FORWARD);
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
}

/* The server is made to fail, so that a transaction is aborted and the rest up to Sync skipped as on a direct connection; the client is told E in place
 * of the server's words. The client's own message, SPAN, is dropped. */
static void
send_failure(struct client *c, const struct pg_error *e)
{
    static const char bogus[] = "pgweir_does_not_exist";
    struct owed *o = enter(c, OWED_DESCRIBE, OWED_FORWARD, EFFECT_REFUSE);
    struct pg_error *mine = mem_new(sizeof *mine);

    *mine = *e;
    o->of_client = mine;
    send_head(c, 'D', 1 + sizeof bogus, slice_of("S", 1), slice_of(bogus, sizeof bogus));
    c->is_dropping = true;
}

static void
evict(struct client *c)
{
    struct server *s = c->server;
    struct statement_set *set = s->statements;
    unsigned most = worker_settings(c->worker)->max_prepared_statements;

    while (set->by_statement.count > most) {
        struct server_statement *e = CONTAINER_OF(list_last(&set->lru), struct server_statement, in_lru);
        struct owed *o = enter(c, OWED_CLOSE, OWED_HIDE, EFFECT_EVICTED);

        o->of_server = statement_hold(e->statement);
        send_head(c, 'C', 1u + e->statement->name_len, slice_of("S", 1), server_name(e->statement));
        set_remove(set, e);
    }
}

/* Sees to it that the server will hold ST when what is sent next arrives there. */
static void
need_statement(struct client *c, struct statement *st)
{
    struct server *s = c->server;
    struct server_statement *e = set_find(s, st);
    struct owed *o;

    if (e != NULL) {
        if (list_first(&s->statements->lru) != &e->in_lru) {
            link_remove(&e->in_lru);
            list_push_first(&s->statements->lru, &e->in_lru);
        }
        return;
    }
    o = enter(c, OWED_PARSE, OWED_HIDE, EFFECT_ADDED);
    o->of_server = statement_hold(st);
    send_parse(c, st, server_name(st));
    set_add(s, st);
    evict(c);
}

/* The same for the client's unnamed statement, which is session state: another client's may stand in its place by now. */
static void
need_unnamed(struct client *c)
{
    struct server *s = c->server;
    struct owed *o;

    if (s->unnamed == c->unnamed)
        return;
    o = enter(c, OWED_PARSE, OWED_HIDE, EFFECT_ADDED);
    o->of_server = NULL;
    send_parse(c, c->unnamed, empty_name());
    server_set_unnamed(s, c->unnamed, c->id);
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

enum prepared
prepared_is_complete(const struct scan_span *span, enum front_kind kind)
{
    struct slice body = body_of(span);
    struct names names;

    switch (kind) {
    case FRONT_PARSE:
        return span->is_last || span->body_len > PREPARED_MOST_PARSE
                   ? names_read(body, span->is_last, 1, &names)
                   : PREPARED_WANTS_MORE;
    case FRONT_BIND:
        return names_read(body, span->is_last, 2, &names);
    case FRONT_DESCRIBE:
    case FRONT_CLOSE:
        if (body.len == 0)
            return span->is_last ? PREPARED_IS_BAD : PREPARED_WANTS_MORE;
        return names_read(slice_skip(body, 1), span->is_last, 1, &names);
    default:
        return PREPARED_SENT;
    }
}

/* Sessions that differ in these do not share a statement: its plan would be made anew at each turn. */
static struct slice
scope_of(const struct client *c)
{
    const char *path = snapshot_value(c->settings, "search_path");

    return path == NULL ? slice_of(NULL, 0) : slice_of_text(path);
}


static void
on_parse_unnamed(struct client *c, const struct scan_span *span, struct slice tail)
{
    struct statement *st = span->is_last ? statement_take(&c->worker->statements, tail, scope_of(c)) : NULL;
    struct owed *o = enter(c, OWED_PARSE, OWED_FORWARD, EFFECT_UNNAMED_SET);

    /* One that is too long to be kept (ST is NULL) lives on this server until something else comes. */
    o->of_client = c->unnamed;
    c->unnamed = st;
    server_set_unnamed(c->server, st, c->id);
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
}

static void
on_parse_named(struct client *c, const struct scan_span *span, const char *name, struct slice tail)
{
    struct server *s = c->server;
    struct statement *st;
    struct client_name *n;
    struct owed *o;
    struct pg_error e;
    size_t bytes = sizeof *n + strlen(name) + 1;

    if (!span->is_last) {
        pg_error_set(&e, PG_ERROR, "54000", "prepared statement \"%.64s\" is too long", name);
        send_failure(c, &e);
        return;
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
        return;
    }
    if (c->names != NULL && (c->names->by_name.count >= PREPARED_MOST_NAMES ||
                             c->names->bytes + bytes > PREPARED_MOST_NAME_BYTES)) {
        pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                     "too many prepared statements in one session: \"%.64s\" is one too many", name);
        send_failure(c, &e);
        return;
    }
    st = statement_take(&c->worker->statements, tail, scope_of(c));
    if (st == NULL) {
        pg_error_set(&e, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                     "prepared_statements_memory is used up: no room for \"%.64s\"", name);
        send_failure(c, &e);
        return;
    }
    n = mem_new(bytes);
    n->statement = st; /* its reference moves in */
    n->stamp = c->stamp;
    n->bytes = bytes;
    memcpy(n->name, name, strlen(name));
    name_put(c, n);
    if (set_find(s, st) != NULL) {
        o = enter(c, OWED_PARSE, OWED_SYNTHESISE, EFFECT_NAME_ADDED);
        o->of_client = n;
        c->is_dropping = true;
        return;
    }
    o = enter(c, OWED_PARSE, OWED_FORWARD, EFFECT_NAME_ADDED);
    o->of_client = n;
    o->of_server = statement_hold(st);
    send_parse(c, st, server_name(st));
    set_add(s, st);
    c->is_dropping = true;
    evict(c);
}

/* The statement behind NAME is made ready on the server; NULL: the client has none of that name, and the server will say so. */
static struct statement *
ready_statement(struct client *c, struct slice name)
{
    struct client_name *n;

    if (name.len == 1) {
        if (c->unnamed != NULL)
            need_unnamed(c);
        return c->unnamed;
    }
    n = name_find(c, (const char *)name.at);
    if (n == NULL)
        return NULL;
    need_statement(c, n->statement);
    return n->statement;
}

/* Whether the server's unnamed statement is the one that C parsed and that was too long to be kept. */
static bool
has_own_unnamed(const struct client *c)
{
    return c->unnamed == NULL && c->server->unnamed == NULL && c->server->unnamed_client == c->id;
}

/* A name that the client does not have must not lead anywhere on the server either: ours begin with pgweir_, and its unnamed statement may be somebody else's. Then
 * the server's own words are right. */
static void
send_unknown(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice name)
{
    struct pg_error e;

    if (name.len == 1) {
        (void)enter(c, OWED_CLOSE, OWED_HIDE, EFFECT_NONE);
        send_head(c, 'C', 2, slice_of("S", 1), empty_name());
        server_set_unnamed(c->server, NULL, 0);
    } else if (strncmp((const char *)name.at, "pgweir_", 7) == 0) {
        pg_error_set(&e, PG_ERROR, "26000", "prepared statement \"%.200s\" does not exist",
                     (const char *)name.at);
        send_failure(c, &e);
        return;
    }
    send_as_it_is(c, span, kind);
}

/* Bind and Describe(statement): BEFORE is what stands in front of the name. */
static void
send_with_name(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice before,
               struct slice name)
{
    struct statement *st = ready_statement(c, name);
    struct slice rest = slice_skip(span->bytes, SCAN_HEADER + before.len + name.len);

    if (st == NULL && (name.len > 1 || !has_own_unnamed(c))) {
        send_unknown(c, span, kind, name);
        return;
    }
    if (name.len == 1) {
        send_as_it_is(c, span, kind);
        return;
    }
    (void)relay_enter(c, kind, OWED_FORWARD);
    send_head(c, span->type, span->body_len - name.len + st->name_len, before, server_name(st));
    if (rest.len > 0)
        gather_add(&c->worker->gather, &c->server->stream, rest);
}

static void
on_close(struct client *c, const struct scan_span *span, struct slice name)
{
    struct client_name *n;
    struct owed *o;

    if (name.len == 1) {
        o = enter(c, OWED_CLOSE, OWED_FORWARD, EFFECT_UNNAMED_CLOSED);
        o->of_client = c->unnamed;
        c->unnamed = NULL;
        server_set_unnamed(c->server, NULL, 0);
        gather_add(&c->worker->gather, &c->server->stream, span->bytes);
        return;
    }
    n = name_find(c, (const char *)name.at);
    o = enter(c, OWED_CLOSE, OWED_SYNTHESISE, EFFECT_NAME_REMOVED);
    o->of_client = n;
    if (n != NULL)
        name_take_out(c, n);
    c->is_dropping = true;
}

enum prepared
prepared_message(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    struct slice body = body_of(span);
    struct names names;

    switch (kind) {
    case FRONT_PARSE:
        if (names_read(body, span->is_last, 1, &names) != PREPARED_SENT)
            return PREPARED_IS_BAD;
        if (names.first.len == 1)
            on_parse_unnamed(c, span, slice_skip(body, 1));
        else
            on_parse_named(c, span, (const char *)names.first.at, slice_skip(body, names.first.len));
        return PREPARED_SENT;
    case FRONT_BIND:
        if (names_read(body, span->is_last, 2, &names) != PREPARED_SENT)
            return PREPARED_IS_BAD;
        send_with_name(c, span, OWED_BIND, names.first, names.second);
        return PREPARED_SENT;
    case FRONT_DESCRIBE:
    case FRONT_CLOSE:
        if (names_read(slice_skip(body, 1), span->is_last, 1, &names) != PREPARED_SENT)
            return PREPARED_IS_BAD;
        if (body.at[0] != 'S')
            send_as_it_is(c, span, kind == FRONT_CLOSE ? OWED_CLOSE : OWED_DESCRIBE);
        else if (kind == FRONT_CLOSE)
            on_close(c, span, names.first);
        else
            send_with_name(c, span, OWED_DESCRIBE, slice_of("S", 1), names.first);
        return PREPARED_SENT;
    default:
        break;
    }
    return PREPARED_IS_BAD;
}

void
prepared_on_query(struct client *c)
{
    if (c->server->ledger.is_skipping) /* it will not be executed */
        return;
    statement_drop(c->unnamed);
    c->unnamed = NULL;
    server_set_unnamed(c->server, NULL, 0);
}

/* --- what became of them --- */

void
prepared_paid(struct server *s, struct owed *o)
{
    (void)s;
    switch ((enum effect)o->effect) {
    case EFFECT_NONE:
        return;
    case EFFECT_NAME_ADDED:
    case EFFECT_ADDED:
    case EFFECT_EVICTED:
        statement_drop(o->of_server);
        break;
    case EFFECT_NAME_REMOVED:
        if (o->of_client != NULL)
            name_free(o->of_client);
        break;
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
        statement_drop(o->of_client);
        break;
    case EFFECT_REFUSE: /* it should have failed */
        free(o->of_client);
        break;
    }
}

bool
prepared_undone(struct server *s, struct owed *o, bool failed, struct pg_error *instead)
{
    struct client *c = s->client;

    switch ((enum effect)o->effect) {
    case EFFECT_NONE:
        break;
    case EFFECT_NAME_ADDED:
        if (o->of_client != NULL && c != NULL) {
            name_take_out(c, o->of_client);
            name_free(o->of_client);
        }
        if (o->of_server != NULL)
            set_lose(s, o->of_server);
        statement_drop(o->of_server);
        break;
    case EFFECT_ADDED:
        if (o->of_server != NULL)
            set_lose(s, o->of_server);
        else
            server_set_unnamed(s, NULL, 0);
        statement_drop(o->of_server);
        break;
    case EFFECT_NAME_REMOVED:
        if (o->of_client != NULL && c != NULL)
            name_put(c, o->of_client);
        break;
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
        /* A Parse that fails has dropped the old one already; one that is skipped has not. */
        server_set_unnamed(s, NULL, 0);
        if (c != NULL) {
            statement_drop(c->unnamed);
            c->unnamed = failed ? NULL : o->of_client;
        }
        if (c == NULL || failed)
            statement_drop(o->of_client);
        break;
    case EFFECT_EVICTED:
        if (set_find(s, o->of_server) == NULL)
            set_add(s, o->of_server);
        statement_drop(o->of_server);
        break;
    case EFFECT_REFUSE:
        if (failed && o->of_client != NULL)
            *instead = *(struct pg_error *)o->of_client;
        free(o->of_client);
        return failed;
    }
    return false;
}

void
prepared_forget_client(struct server *s)
{
    for (uint32_t i = 0; i < s->ledger.count; i++) {
        struct owed *o = ledger_entry(&s->ledger, i);

        switch ((enum effect)o->effect) {
        case EFFECT_NAME_REMOVED:
            if (o->of_client != NULL)
                name_free(o->of_client);
            break;
        case EFFECT_UNNAMED_SET:
        case EFFECT_UNNAMED_CLOSED:
            statement_drop(o->of_client);
            break;
        case EFFECT_REFUSE:
            free(o->of_client);
            break;
        case EFFECT_NONE:
        case EFFECT_NAME_ADDED:
        case EFFECT_ADDED:
        case EFFECT_EVICTED:
            break;
        }
        o->of_client = NULL;
    }
}

void
prepared_abandon(struct server *s)
{
    prepared_forget_client(s);
    for (uint32_t i = 0; i < s->ledger.count; i++)
        statement_drop(ledger_entry(&s->ledger, i)->of_server);
    ledger_fini(&s->ledger);
}

void
prepared_wiped(struct server *s, const struct owed *o)
{
    struct client *c = s->client;
    struct list rest;
    struct link *l;

    /* What was parsed behind the request that wiped is still there. */
    if (s->statements != NULL) {
        list_init(&rest);
        while ((l = list_first(&s->statements->lru)) != NULL) {
            struct server_statement *e = CONTAINER_OF(l, struct server_statement, in_lru);

            if (e->stamp < o->server_stamp) {
                set_remove(s->statements, e);
            } else {
                link_remove(l);
                list_push_last(&rest, l);
            }
        }
        list_append(&s->statements->lru, &rest);
    }
    if (c != NULL && c->names != NULL) {
        struct map kept;
        struct map_node *node;

        map_init(&kept);
        while ((node = map_take_any(&c->names->by_name)) != NULL) {
            struct client_name *n = CONTAINER_OF(node, struct client_name, in_names);

            if (n->stamp < o->client_stamp) {
                c->names->bytes -= n->bytes;
                name_free(n);
            } else {
                map_add(&kept, node, node->hash);
            }
        }
        map_fini(&c->names->by_name);
        c->names->by_name = kept;
    }
}
