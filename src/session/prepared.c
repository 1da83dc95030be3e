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
    EFFECT_NAME_REMOVED, /* of_client: the client_name, out of the map, to be freed or put back */
    EFFECT_NAME_USED, /* of_client: the client_name (held), in case an error tells the server's name of it */
    EFFECT_UNNAMED_SET,    /* of_client: the unnamed statement before (held), or NULL */
    EFFECT_UNNAMED_CLOSED, /* the same */
    EFFECT_ADDED,          /* of_server: statement parsed there for a Bind (held); NULL: the unnamed one */
    EFFECT_EVICTED, /* of_server: statement closed there (held); client_stamp: when it was parsed there */
    EFFECT_CLOSED,  /* what may or may not have been there is closed */
    EFFECT_REFUSE,  /* of_client: pg_error to tell in place of the server's; owned */
};

struct client_name {
    struct map_node in_names;
    struct statement *statement; /* held */
    uint64_t stamp;              /* client->stamp when it was parsed */
    uint32_t refs;               /* the map's, and those of ledger entries */
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

/* --- what is certain ---
 *
 * An error makes the server skip all that follows up to the next Sync. So what was changed here for a message that is still owed holds for the messages
 * behind it up to that Sync (they would be skipped too), but behind the Sync nobody knows until it is answered.
 */

/* Not every Sync that was sent is owed: COPY IN makes the server ignore them. */
static bool
is_sync_owed_since(const struct ledger *l, uint64_t server_stamp)
{
    for (uint32_t i = l->count; i-- > 0;) {
        const struct owed *o = ledger_entry(l, i);

        if (o->server_stamp < server_stamp)
            return false;
        if (o->kind == OWED_SYNC)
            return true;
    }
    return false;
}

/* Whether what was changed for the message of that stamp holds for certain. */
static bool
is_known(const struct server *s, uint64_t server_stamp)
{
    return server_stamp <= s->known_stamp || server_stamp > s->sync_stamp ||
           !is_sync_owed_since(&s->ledger, server_stamp);
}

/* The server's stamp of what C did; 0 when it was on another server, where everything was answered. */
static uint64_t
stamp_on_server(const struct client *c, uint64_t client_stamp)
{
    return client_stamp <= c->link_stamp ? 0 : client_stamp - c->stamp + c->server->stamp;
}

/* C closes a name. */
static void
note_removal(struct client *c)
{
    if (stamp_on_server(c, c->removed_stamp) <= c->server->known_stamp)
        c->removed_since = c->stamp;
    c->removed_stamp = c->stamp;
}

/* Whether all names that C has closed are closed for certain. */
static bool
are_removals_known(const struct client *c)
{
    const struct server *s = c->server;
    uint64_t since = stamp_on_server(c, c->removed_since);

    return stamp_on_server(c, c->removed_stamp) <= s->known_stamp || since > s->sync_stamp ||
           !is_sync_owed_since(&s->ledger, since);
}

#define WIPING (SQL_DEALLOCATE | SQL_DISCARDS)

/* --- a client's names --- */

#define NAME_SIGNIFICANT 63u /* bytes; PostgreSQL (NAMEDATALEN) does not tell names apart by what follows */

static struct slice
significant(const char *name)
{
    return slice_of(name, strnlen(name, NAME_SIGNIFICANT));
}

static bool
same_name(const struct map_node *node, const void *key)
{
    return strncmp(CONTAINER_OF_CONST(node, struct client_name, in_names)->name, key, NAME_SIGNIFICANT) == 0;
}

static struct client_name *
name_find(const struct client *c, const char *name)
{
    struct map_node *node = c->names == NULL
                                ? NULL
                                : map_find(&c->names->by_name, map_hash(significant(name)), same_name, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct client_name, in_names);
}

static bool
has_names(const struct client *c)
{
    return c->names != NULL && c->names->by_name.count > 0;
}

/* ST's reference moves in. */
static struct client_name *
name_new(const char *name, struct statement *st)
{
    size_t bytes = sizeof(struct client_name) + strlen(name) + 1;
    struct client_name *n = mem_new(bytes);

    n->statement = st;
    n->refs = 1;
    n->bytes = bytes;
    memcpy(n->name, name, strlen(name));
    return n;
}

static void
name_put(struct client *c, struct client_name *n)
{
    if (c->names == NULL) {
        c->names = mem_new(sizeof *c->names);
        map_init(&c->names->by_name);
    }
    map_add(&c->names->by_name, &n->in_names, map_hash(significant(n->name)));
    c->names->bytes += n->bytes;
}

static void
name_take_out(struct client *c, struct client_name *n)
{
    map_remove(&c->names->by_name, &n->in_names);
    c->names->bytes -= n->bytes;
}

static void
name_drop(struct client_name *n)
{
    if (n == NULL || --n->refs > 0)
        return;
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
        name_drop(CONTAINER_OF(node, struct client_name, in_names));
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

/* STAMP: of the Parse. */
static void
set_add(struct server *s, struct statement *st, uint64_t stamp)
{
    struct server_statement *e = set_find(s, st);

    if (e != NULL) {
        e->stamp = stamp;
        link_remove(&e->in_lru);
        list_push_first(&s->statements->lru, &e->in_lru);
        return;
    }
    e = mem_new(sizeof *e);
    if (s->statements == NULL) {
        s->statements = mem_new(sizeof *s->statements);
        map_init(&s->statements->by_statement);
        list_init(&s->statements->lru);
    }
    e->statement = statement_hold(st);
    e->stamp = stamp;
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

/* The Parse of that stamp has come to nothing; a later one may still be on its way. */
static void
set_lose(struct server *s, const struct statement *st, uint64_t stamp)
{
    struct server_statement *e = set_find(s, st);

    if (e != NULL && e->stamp <= stamp)
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

/* ST's name is made free on the server, whether it was taken or not. E: as what it is there; NULL: nobody knows of it. */
static void
send_close(struct client *c, struct statement *st, const struct server_statement *e)
{
    bool is_there = e != NULL && is_known(c->server, e->stamp);
    struct owed *o = enter(c, OWED_CLOSE, OWED_HIDE, is_there ? EFFECT_EVICTED : EFFECT_CLOSED);

    c->server->closes_owed++;
    if (is_there) {
        o->of_server = statement_hold(st);
        o->client_stamp = e->stamp;
    }
    send_head(c, 'C', 1u + st->name_len, slice_of("S", 1), server_name(st));
}

static void
evict(struct client *c)
{
    struct statement_set *set = c->server->statements;
    unsigned most = worker_settings(c->worker)->max_prepared_statements;

    while (set->by_statement.count > most) {
        struct server_statement *e = CONTAINER_OF(list_last(&set->lru), struct server_statement, in_lru);

        send_close(c, e->statement, e);
        set_remove(set, e);
    }
}

/* Parses ST on the server: for the client (FORWARD), or unasked (HIDE). It may be there already, if nobody knows or a Parse shall really happen. */
static struct owed *
send_parse_named(struct client *c, struct statement *st, enum owed_action action, enum effect effect)
{
    struct server *s = c->server;
    const struct server_statement *e = set_find(s, st);
    struct owed *o;

    if (e != NULL || s->closes_owed > 0 || s->has_strays)
        send_close(c, st, e);
    o = enter(c, OWED_PARSE, action, effect);
    o->of_server = statement_hold(st);
    c->counters->server_parse_count++;
    send_parse(c, st, server_name(st));
    set_add(s, st, o->server_stamp);
    return o;
}

/* Sees to it that the server will hold ST when what is sent next arrives there. */
static void
need_statement(struct client *c, struct statement *st)
{
    struct server *s = c->server;
    struct server_statement *e = set_find(s, st);

    if (e == NULL || !is_known(s, e->stamp)) {
        (void)send_parse_named(c, st, OWED_HIDE, EFFECT_ADDED);
        evict(c);
    } else if (list_first(&s->statements->lru) != &e->in_lru) {
        link_remove(&e->in_lru);
        list_push_first(&s->statements->lru, &e->in_lru);
    }
}

/* The same for the client's unnamed statement, which is session state: another client's may stand in its place by now. */
static void
need_unnamed(struct client *c)
{
    struct server *s = c->server;
    struct owed *o;

    if (s->unnamed == c->unnamed && is_known(s, s->unnamed_stamp))
        return;
    o = enter(c, OWED_PARSE, OWED_HIDE, EFFECT_ADDED);
    o->of_server = NULL;
    o->of_client = statement_hold(c->unnamed); /* whose text is being sent */
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


/* Whether TAIL ends where its own counts say: if not, PostgreSQL refuses the message before it looks at the name. */
static bool
is_whole_parse(struct slice tail)
{
    const uint8_t *end = tail.len == 0 ? NULL : memchr(tail.at, '\0', tail.len);
    size_t used = end == NULL ? tail.len : (size_t)(end - tail.at) + 1;

    return tail.len >= used + 2 && tail.len - used - 2 == 4 * (size_t)get_be16(tail.at + used);
}

static void
on_parse_unnamed(struct client *c, const struct scan_span *span, struct slice tail)
{
    struct statement *st = span->is_last ? statement_take(&c->worker->statements, tail, scope_of(c)) : NULL;
    struct owed *o = enter(c, OWED_PARSE, OWED_FORWARD, EFFECT_UNNAMED_SET);

    /* One that is too long to be kept (ST is NULL) lives on this server until something else comes. */
    o->of_client = c->unnamed;
    c->unnamed = st;
    c->unnamed_stamp = c->stamp;
    server_set_unnamed(c->server, st, c->id);
    gather_add(&c->worker->gather, &c->server->stream, span->bytes);
}

/* Whether the server would certainly accept a Parse that it has accepted before: not in a failed transaction, and nothing is under way that may wipe
 * its statements or make the transaction fail behind a Sync. */
static bool
may_make_up_parse(const struct server *s, const struct statement *st)
{
    const struct server_statement *e = set_find(s, st);

    if (e == NULL || s->status == 'E' || !is_known(s, e->stamp))
        return false;
    return ledger_is_empty(&s->ledger) || ledger_head(&s->ledger)->server_stamp > s->act_stamp;
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
    n = name_new(name, st);
    n->stamp = c->stamp;
    name_put(c, n);
    c->counters->client_parse_count++;
    c->is_dropping = true;
    if (may_make_up_parse(s, st)) {
        o = enter(c, OWED_PARSE, OWED_SYNTHESISE, EFFECT_NAME_ADDED);
        o->of_client = n;
        return;
    }
    o = send_parse_named(c, st, OWED_FORWARD, EFFECT_NAME_ADDED);
    o->of_client = n;
    n->stamp = o->client_stamp;
    evict(c);
}

/* Whether the server's unnamed statement is the one that C parsed and that was too long to be kept. */
static bool
has_own_unnamed(const struct client *c)
{
    return c->unnamed == NULL && c->server->unnamed == NULL && c->server->unnamed_client == c->id;
}

/* A name that the client has not: the server, which has not got it either, says so in its own words. */
static void
send_unknown_name(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice name)
{
    static const char ours[] = "pgweir_";
    struct pg_error e;

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

static void
send_with_unnamed(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice name)
{
    if (c->unnamed != NULL) {
        if (kind == OWED_BIND && !c->has_wiping_portal && has_names(c))
            c->has_wiping_portal = (c->unnamed->findings & WIPING) != 0;
        need_unnamed(c);
    }
    if (c->unnamed != NULL || has_own_unnamed(c))
        send_as_it_is(c, span, kind);
    else
        send_unknown_name(c, span, kind, name);
}

/* Bind and Describe(statement): BEFORE is what stands in front of the name. */
static void
send_with_name(struct client *c, const struct scan_span *span, enum owed_kind kind, struct slice before,
               struct slice name)
{
    struct client_name *n;
    struct statement *st;
    struct slice rest = slice_skip(span->bytes, SCAN_HEADER + before.len + name.len);

    if (name.len == 1) {
        send_with_unnamed(c, span, kind, name);
        return;
    }
    n = name_find(c, (const char *)name.at);
    if (n == NULL) {
        send_unknown_name(c, span, kind, name);
        return;
    }
    st = n->statement;
    c->has_wiping_portal = c->has_wiping_portal || ((st->findings & WIPING) != 0 && kind == OWED_BIND);
    if (kind == OWED_BIND)
        c->counters->bind_count++;
    need_statement(c, st);
    if (strcmp(n->name, (const char *)name.at) == 0)
        n->refs++;
    else /* errors tell the name in all its insignificant length */
        n = name_new((const char *)name.at, statement_hold(st));
    enter(c, kind, OWED_FORWARD, EFFECT_NAME_USED)->of_client = n;
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
        c->unnamed_stamp = c->stamp;
        server_set_unnamed(c->server, NULL, 0);
        gather_add(&c->worker->gather, &c->server->stream, span->bytes);
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

enum prepared
prepared_message(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    struct slice body = body_of(span);
    struct names names;

    switch (kind) {
    case FRONT_PARSE:
        if (names_read(body, span->is_last, 1, &names) != PREPARED_SENT)
            return PREPARED_IS_BAD;
        if (span->is_last && !is_whole_parse(slice_skip(body, names.first.len)))
            send_as_it_is(c, span, OWED_PARSE);
        else if (names.first.len == 1)
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

bool
prepared_wants_more(const struct client *c, const struct scan_span *span)
{
    return !span->is_last && span->body_len <= PREPARED_WHOLE_QUERY && has_names(c);
}

bool
prepared_must_wait(struct client *c, const struct scan_span *span, enum front_kind kind)
{
    static const uint8_t flush[] = { 'H', 0, 0, 0, 4 };
    struct slice body = body_of(span);
    struct names names;
    struct slice name;
    const struct client_name *n;

    if (c->server == NULL ||
        c->server->ledger.is_copy_in_open) /* nothing will be answered before more is sent */
        return false;
    if (names_read(kind == FRONT_DESCRIBE || kind == FRONT_CLOSE ? slice_skip(body, 1) : body, span->is_last,
                   kind == FRONT_BIND ? 2 : 1, &names) != PREPARED_SENT)
        return false;
    if ((kind == FRONT_DESCRIBE || kind == FRONT_CLOSE) && body.at[0] != 'S')
        return false;
    name = kind == FRONT_BIND ? names.second : names.first;
    if (name.len == 1)
        return (kind == FRONT_BIND || kind == FRONT_DESCRIBE) &&
               !is_known(c->server, stamp_on_server(c, c->unnamed_stamp));
    if (c->wipes_owed > 0) {
        gather_add(&c->worker->gather, &c->server->stream,
                   slice_of(flush, sizeof flush)); /* or else the Sync may stand behind this */
        return true;
    }
    n = name_find(c, (const char *)name.at);
    return n != NULL ? !is_known(c->server, stamp_on_server(c, n->stamp)) : !are_removals_known(c);
}

void
prepared_execute(struct client *c)
{
    struct owed *o = enter(c, OWED_EXECUTE, OWED_FORWARD, EFFECT_NONE);

    o->may_wipe = c->has_wiping_portal;
    c->wipes_owed += o->may_wipe;
}

/* Of one that is not there in full nobody knows. */
static bool
may_query_wipe(const struct scan_span *span)
{
    struct sql_findings f;

    if (!span->is_last)
        return true;
    sql_look(body_of(span), true, &f);
    return (f.flags & WIPING) != 0 || f.is_unterminated;
}

void
prepared_query(struct client *c, const struct scan_span *span)
{
    struct owed *o = enter(c, OWED_QUERY, OWED_FORWARD, EFFECT_UNNAMED_CLOSED);

    o->may_wipe = has_names(c) && may_query_wipe(span);
    c->wipes_owed += o->may_wipe;
    o->of_client = c->unnamed;
    c->unnamed = NULL;
    c->unnamed_stamp = c->stamp;
    server_set_unnamed(c->server, NULL, 0);
}

/* --- what became of them --- */

static void
forget_wipe(struct server *s, const struct owed *o)
{
    if (o->may_wipe && s->client != NULL)
        s->client->wipes_owed--;
}

void
prepared_paid(struct server *s, struct owed *o)
{
    if (o->kind == OWED_SYNC && s->known_stamp < o->server_stamp)
        s->known_stamp = o->server_stamp;
    forget_wipe(s, o);
    switch ((enum effect)o->effect) {
    case EFFECT_NONE:
        return;
    case EFFECT_NAME_ADDED:
        statement_drop(o->of_server);
        break;
    case EFFECT_EVICTED:
    case EFFECT_CLOSED:
        s->closes_owed--;
        statement_drop(o->of_server);
        break;
    case EFFECT_ADDED:
        statement_drop(o->of_server);
        statement_drop(o->of_client);
        break;
    case EFFECT_NAME_REMOVED:
    case EFFECT_NAME_USED:
        name_drop(o->of_client);
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

/* The client's unnamed statement is ST (a reference, which moves in) in place of what O, undone now, has made of it; a later message, still owed, may
 * have changed it since. */
static void
restore_unnamed(struct server *s, struct statement *st)
{
    struct client *c = s->client;

    for (uint32_t i = s->ledger.skipped; i < s->ledger.count; i++) {
        struct owed *o = ledger_entry(&s->ledger, i);

        if (o->kind == OWED_COPY_END ||
            (o->effect != EFFECT_UNNAMED_SET && o->effect != EFFECT_UNNAMED_CLOSED))
            continue;
        statement_drop(o->of_client);
        o->of_client = st;
        return;
    }
    if (c == NULL) {
        statement_drop(st);
        return;
    }
    statement_drop(c->unnamed);
    c->unnamed = st;
}

bool
prepared_undone(struct server *s, struct owed *o, bool failed, struct pg_error *instead)
{
    struct client *c = s->client;

    forget_wipe(s, o);
    switch ((enum effect)o->effect) {
    case EFFECT_NONE:
        break;
    case EFFECT_NAME_ADDED:
        if (o->of_client != NULL && c != NULL) {
            name_take_out(c, o->of_client);
            name_drop(o->of_client);
        }
        if (o->of_server != NULL)
            set_lose(s, o->of_server, o->server_stamp);
        statement_drop(o->of_server);
        break;
    case EFFECT_ADDED:
        if (o->of_server != NULL)
            set_lose(s, o->of_server, o->server_stamp);
        else
            server_set_unnamed(s, NULL, 0);
        statement_drop(o->of_server);
        statement_drop(o->of_client);
        break;
    case EFFECT_NAME_REMOVED:
        if (o->of_client != NULL && c != NULL)
            name_put(c, o->of_client);
        break;
    case EFFECT_NAME_USED:
        name_drop(o->of_client);
        break;
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
        /* A Parse that fails has dropped the old one already; one that is skipped has not. */
        server_set_unnamed(s, NULL, 0);
        if (failed) {
            statement_drop(o->of_client);
            o->of_client = NULL;
        }
        restore_unnamed(s, o->of_client);
        break;
    case EFFECT_EVICTED:
        s->closes_owed--;
        if (set_find(s, o->of_server) == NULL)
            set_add(s, o->of_server, o->client_stamp);
        statement_drop(o->of_server);
        break;
    case EFFECT_CLOSED:
        s->closes_owed--;
        s->has_strays = true;
        break;
    case EFFECT_REFUSE:
        if (failed && o->of_client != NULL)
            *instead = *(struct pg_error *)o->of_client;
        free(o->of_client);
        return failed;
    }
    return false;
}

/* Where NAME stands in TEXT, and not as the beginning of a longer one; NULL: nowhere. */
static const char *
find_name(const char *text, const char *name)
{
    const char *at = text;

    while ((at = strstr(at, name)) != NULL) {
        char next = at[strlen(name)];

        if (next < '0' || next > '9')
            return at;
        at++;
    }
    return NULL;
}

bool
prepared_reword(const struct owed *o, struct slice message, struct buf *out)
{
    const struct client_name *n = o->of_client;
    struct slice rest = slice_skip(message, SCAN_HEADER);
    bool is_reworded = false;

    if (o->effect != EFFECT_NAME_USED || n == NULL)
        return false;
    buf_add_u8(out, 'E');
    buf_add_be32(out, 0);
    while (rest.len > 0 && rest.at[0] != '\0' && memchr(rest.at, '\0', rest.len) != NULL) {
        const char *text = (const char *)rest.at;
        const char *at = find_name(text, n->statement->name);
        size_t len = strlen(text) + 1;

        if (text[0] == 'M' && at != NULL) {
            buf_add(out, slice_of(text, (size_t)(at - text)));
            buf_add_text(out, n->name);
            buf_add_textz(out, at + strlen(n->statement->name));
            is_reworded = true;
        } else {
            buf_add(out, slice_of(text, len));
        }
        rest = slice_skip(rest, len);
    }
    buf_add_u8(out, '\0');
    put_be32(out->at + out->start + 1, (uint32_t)(buf_len(out) - 1));
    return is_reworded;
}

void
prepared_forget_client(struct server *s)
{
    for (uint32_t i = 0; i < s->ledger.count; i++) {
        struct owed *o = ledger_entry(&s->ledger, i);

        switch ((enum effect)o->effect) {
        case EFFECT_NAME_REMOVED:
        case EFFECT_NAME_USED:
            name_drop(o->of_client);
            break;
        case EFFECT_UNNAMED_SET:
        case EFFECT_UNNAMED_CLOSED:
        case EFFECT_ADDED:
            statement_drop(o->of_client);
            break;
        case EFFECT_REFUSE:
            free(o->of_client);
            break;
        case EFFECT_NONE:
        case EFFECT_NAME_ADDED:
        case EFFECT_EVICTED:
        case EFFECT_CLOSED:
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

    /* What is to be closed has gone already: if the Close is skipped, nothing comes back. */
    for (uint32_t i = 0; i < s->ledger.count; i++) {
        struct owed *later = ledger_entry(&s->ledger, i);

        if (later->effect == EFFECT_EVICTED) {
            statement_drop(later->of_server);
            later->of_server = NULL;
            later->effect = EFFECT_CLOSED;
        }
    }
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
                name_drop(n);
            } else {
                map_add(&kept, node, node->hash);
            }
        }
        map_fini(&c->names->by_name);
        c->names->by_name = kept;
    }
}
