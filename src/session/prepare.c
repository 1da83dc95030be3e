/* prepare.c - see prepare_impl.h. */
#include "prepare_impl.h"

#include <assert.h>

#include "pgweir/base/mem.h"
#include "pgweir/wire/front.h"
#include "relay_impl.h"

/* --- what is certain --- */

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

bool
is_known(const struct server *s, uint64_t server_stamp)
{
    return server_stamp <= s->known_stamp || server_stamp > s->sync_stamp ||
           !is_sync_owed_since(&s->ledger, server_stamp);
}

uint64_t
stamp_on_server(const struct client *c, uint64_t client_stamp)
{
    return client_stamp <= c->server->turn.link_stamp ? 0 : client_stamp - c->stamp + c->server->stamp;
}

void
note_removal(struct client *c)
{
    struct turn *turn = &c->server->turn;

    if (stamp_on_server(c, turn->removed_stamp) <= c->server->known_stamp)
        turn->removed_since = c->stamp;
    turn->removed_stamp = c->stamp;
}

bool
are_removals_known(const struct client *c)
{
    const struct server *s = c->server;
    uint64_t since = stamp_on_server(c, s->turn.removed_since);

    return stamp_on_server(c, s->turn.removed_stamp) <= s->known_stamp || since > s->sync_stamp ||
           !is_sync_owed_since(&s->ledger, since);
}

/* --- sending --- */

struct owed *
enter(struct client *c, enum owed_kind kind, enum owed_action action, enum effect effect)
{
    struct owed *o = relay_enter(c, kind, action);

    assert(o != NULL);
    o->effect = (uint8_t)effect;
    return o;
}

/* A portal's name may be longer than what is gathered. */
static void
send_long_head(struct client *c, uint8_t type, size_t body_len, struct slice before, struct slice name)
{
    struct buf *head = &c->worker->scratch;

    buf_drop(head, buf_len(head));
    buf_add_u8(head, type);
    buf_add_be32(head, (uint32_t)(body_len + 4));
    buf_add(head, before);
    buf_add(head, name);
    gather_copy(&c->worker->gather, &c->server->stream, buf_slice(head));
}

void
send_head(struct client *c, uint8_t type, size_t body_len, struct slice before, struct slice name)
{
    size_t len = SCAN_HEADER + before.len + name.len;
    uint8_t *at;

    if (len > GATHER_SCRATCH) {
        send_long_head(c, type, body_len, before, name);
        return;
    }
    at = gather_room(&c->worker->gather, &c->server->stream, len);
    at[0] = type;
    put_be32(at + 1, (uint32_t)(body_len + 4));
    if (before.len > 0)
        memcpy(at + SCAN_HEADER, before.at, before.len);
    memcpy(at + SCAN_HEADER + before.len, name.at, name.len);
}

void
send_parse(struct client *c, struct statement *st, struct slice name)
{
    struct slice tail = statement_tail(st);

    send_head(c, 'P', name.len + tail.len, slice_of(NULL, 0), name);
    gather_add(&c->worker->gather, &c->server->stream, tail);
}

void
send_flush(struct client *c)
{
    static const uint8_t flush[] = { 'H', 0, 0, 0, 4 };

    if (c->server->flush_stamp == c->server->stamp)
        return;
    c->server->flush_stamp = c->server->stamp;
    gather_add(&c->worker->gather, &c->server->stream, slice_of(flush, sizeof flush));
}

void
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

void
send_failure_of_query(struct client *c, const struct pg_error *e)
{
    struct owed *o = enter(c, OWED_QUERY, OWED_FORWARD, EFFECT_REFUSE);
    struct buf *bogus = &c->worker->scratch;
    struct pg_error *mine = mem_new(sizeof *mine);

    *mine = *e;
    o->of_client = mine;
    server_set_unnamed(c->server, NULL, 0);
    buf_drop(bogus, buf_len(bogus));
    build_query(bogus, "pgweir_does_not_exist");
    gather_copy(&c->worker->gather, &c->server->stream, buf_slice(bogus));
    c->is_dropping = true;
}

/* ST's name is made free on the server, whether it was taken or not. E: as what it is there; NULL: nobody knows of it. */
static void
send_close(struct client *c, struct statement *st, const struct server_statement *e)
{
    bool is_there = e != NULL && is_known(c->server, e->parsed.stamp);
    struct owed *o = enter(c, OWED_CLOSE, OWED_HIDE, is_there ? EFFECT_EVICTED : EFFECT_CLOSED);

    c->server->closes_owed++;
    if (is_there) {
        o->of_server = statement_hold(st);
        o->client_stamp = e->parsed.stamp;
    }
    send_head(c, 'C', 1u + st->name_len, slice_of("S", 1), server_name(st));
}

void
evict(struct client *c)
{
    struct statement_set *set = c->server->statements;
    unsigned most = worker_settings(c->worker)->max_prepared_statements;

    while (set->by_statement.count > most) {
        struct server_statement *e = CONTAINER_OF(list_last(&set->lru), struct server_statement, in_lru);

        send_close(c, e->statement, e);
        set_remove(set, e);
        shard_counters(c->shard)->prepared_eviction_count++;
    }
}

bool
evict_unshared(struct client *c)
{
    struct statement_set *set = c->server->statements;
    struct server_statement *oldest = NULL;

    if (set == NULL)
        return false;
    for (struct link *l = list_first(&set->lru); l != NULL; l = list_next(&set->lru, l)) {
        struct server_statement *e = CONTAINER_OF(l, struct server_statement, in_lru);

        if (atomic_load_explicit(&e->statement->refs, memory_order_relaxed) == 1)
            oldest = e;
    }
    if (oldest == NULL)
        return false;
    send_close(c, oldest->statement, NULL); /* an entry that knew what it is would hold it */
    set_remove(set, oldest);
    shard_counters(c->shard)->prepared_eviction_count++;
    return true;
}

struct owed *
send_parse_named(struct client *c, struct statement *st, enum owed_action action, enum effect effect)
{
    struct server *s = c->server;
    const struct server_statement *e = set_find(s, st);
    struct owed *o;

    if (e != NULL || s->closes_owed > 0 || s->has_strays)
        send_close(c, st, e);
    o = enter(c, OWED_PARSE, action, effect);
    o->of_server = statement_hold(st);
    shard_counters(c->shard)->server_parse_count++;
    send_parse(c, st, server_name(st));
    set_add(s, st, o->server_stamp, schema_epoch(s->schema));
    return o;
}

/* --- what is needed --- */

struct parsed *
parsed_find(struct server *s, const struct statement *st)
{
    struct server_statement *e;

    if (st == NULL)
        return &s->unnamed_parsed;
    e = set_find(s, st);
    return e == NULL ? NULL : &e->parsed;
}

/* See healing_impl.h: what is parsed for C since it was spared an error, or told one. */
static bool
is_since_healing(const struct client *c, const struct parsed *parsed)
{
    const struct turn *turn = &c->server->turn;
    uint64_t since = c->healed_stamp > turn->link_stamp ? c->healed_stamp : turn->link_stamp;

    return c->healed_stamp == 0 || parsed->stamp > c->server->stamp - (c->stamp - since);
}

static struct parsed *
need_named(struct client *c, struct statement *st, bool *is_fresh)
{
    struct server *s = c->server;
    struct server_statement *e = set_find(s, st);

    if (e != NULL && e->parsed.epoch == schema_epoch(s->schema) && is_known(s, e->parsed.stamp) &&
        is_since_healing(c, &e->parsed)) {
        set_touch(s, e);
        shard_counters(c->shard)->prepared_hit_count++;
        *is_fresh = false;
        return &e->parsed;
    }
    (void)send_parse_named(c, st, OWED_HIDE, EFFECT_ADDED);
    evict(c);
    *is_fresh = true;
    return &set_find(s, st)->parsed;
}

/* The unnamed statement is session state: another client's may stand in its place by now. */
static struct parsed *
need_unnamed(struct client *c, bool *is_fresh)
{
    struct server *s = c->server;
    struct statement *st = c->unnamed->statement;
    struct owed *o;

    *is_fresh = s->unnamed != st || s->unnamed_parsed.epoch != schema_epoch(s->schema) ||
                !is_known(s, s->unnamed_parsed.stamp) || !is_since_healing(c, &s->unnamed_parsed);
    if (*is_fresh) {
        o = enter(c, OWED_PARSE, OWED_HIDE, EFFECT_ADDED);
        o->of_server = NULL;
        o->of_client = name_hold(c->unnamed); /* whose text is being sent */
        send_parse(c, st, empty_name());
        server_set_unnamed(s, st, c->id);
    }
    return &s->unnamed_parsed;
}

struct parsed *
need(struct client *c, struct client_name *n, bool *is_fresh)
{
    return n->name[0] == '\0' ? need_unnamed(c, is_fresh) : need_named(c, n->statement, is_fresh);
}
