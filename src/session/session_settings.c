/* session_settings.c - see session_settings_impl.h. */
#include "session_settings_impl.h"

#include <string.h>

#include "login_impl.h"
#include "pgweir/base/random.h"
#include "pgweir/base/text.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "state_impl.h"

/* Nobody knows what random() will say. */
static void
write_new_seed(struct buf *sql)
{
    uint32_t seed;

    random_secret(&seed, sizeof seed);
    buf_add_format(sql, "SELECT pg_catalog.setseed(0.%010u);", seed);
}

/* A client's message follows behind this in the same write, and must not be run with settings that are not
 * its own. So if this fails, the session stays
 * in a failed transaction, in which nothing that follows has an effect. A trial has nothing behind it. */
void
settings_bring(struct client *c)
{
    struct server *s = c->server;
    struct buf *scratch = &c->worker->scratch;
    bool is_trial = c->state == CLIENT_TRYING;
    struct buf sql;
    struct owed *o;

    buf_init(&sql);
    if (!is_trial)
        buf_add_text(&sql, "BEGIN ISOLATION LEVEL READ COMMITTED;");
    if (s->is_dirty && s->last_client != c->id) {
        buf_add_text(&sql, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;");
        server_take_settings(s, NULL);
        s->is_dirty = false;
    }
    if ((s->foreign & FOREIGN_SEED) != 0 && !is_trial) {
        write_new_seed(&sql);
        s->foreign &= (uint8_t)~FOREIGN_SEED;
        s->seed_client = 0;
    }
    if ((s->foreign & FOREIGN_SEQUENCES) != 0 && !is_trial) {
        buf_add_text(&sql, "DISCARD SEQUENCES;");
        s->foreign &= (uint8_t)~FOREIGN_SEQUENCES;
        s->sequence_client = c->id;
    }
    snapshot_write_change(s->settings, c->settings, &sql);
    if (!is_trial)
        buf_add_text(&sql, s->settings != c->settings ? ";COMMIT" : "COMMIT");
    server_take_settings(s, c->settings);
    buf_add_u8(&sql, '\0');
    buf_drop(scratch, buf_len(scratch));
    build_query(scratch, (const char *)buf_slice(&sql).at);
    buf_release(&sql);
    s->stamp++;
    o = ledger_push(&s->ledger, OWED_QUERY, OWED_SWALLOW);
    o->own = c->hears_settings ? OWN_HEARD_SETTINGS : OWN_SETTINGS;
    o->server_stamp = s->stamp;
    c->hears_settings = false;
    server_set_unnamed(s, NULL, 0);
    gather_copy(&c->worker->gather, &s->stream, buf_slice(scratch));
}

/* A parameter that clients can set; others are reported for their information only. */
static bool
is_followed(const char *name)
{
    static const char *const unsettable[] = {
        "in_hot_standby",  "integer_datetimes", "is_superuser",
        "server_encoding", "server_version",    "session_authorization"
    };

    for (size_t i = 0; i < COUNT_OF(unsettable); i++)
        if (strcmp(name, unsettable[i]) == 0)
            return false;
    return true;
}

/* The tags of SET, RESET and DISCARD. */
static bool
is_setting_tag(struct slice message)
{
    const uint8_t *tag = message.at + SCAN_HEADER;
    size_t len = message.len - SCAN_HEADER;

    return (len == 4 && memcmp(tag, "SET", 4) == 0) || (len == 6 && memcmp(tag, "RESET", 6) == 0) ||
           (len >= 8 && memcmp(tag, "DISCARD ", 8) == 0);
}

void
settings_lose_track(struct server *s, uint64_t client_id)
{
    s->is_dirty = true;
    s->last_client = client_id;
}

/* What connect_query has set would be lost with it. */
void
settings_suspect_hidden(struct server *s, uint64_t client_id)
{
    if (s->route->connect_query[0] == '\0')
        settings_lose_track(s, client_id);
}

bool
settings_read_report(struct slice message, struct startup_pair *out)
{
    return back_parameter_read(message, out) == PARSE_DONE && is_followed(out->name);
}

/* Those in which a byte that seems to be ASCII can be the second half of a letter. */
static bool
is_odd_encoding(const char *encoding)
{
    static const char *const odd[] = { "BIG5", "GBK", "GB18030", "JOHAB", "SJIS", "SHIFT_JIS_2004", "UHC" };

    for (size_t i = 0; i < COUNT_OF(odd); i++)
        if (text_equal_nocase(encoding, odd[i]))
            return true;
    return false;
}

void
settings_hear(struct client *c, struct slice message)
{
    struct startup_pair pair;

    /* Most are neither: at a login all of the greeting passes here. */
    if (message.len <= SCAN_HEADER || (message.at[SCAN_HEADER] != 'c' && message.at[SCAN_HEADER] != 's') ||
        back_parameter_read(message, &pair) != PARSE_DONE)
        return;
    if (strcmp(pair.name, "client_encoding") == 0)
        c->has_odd_encoding = is_odd_encoding(pair.value);
    else if (strcmp(pair.name, "standard_conforming_strings") == 0)
        c->has_odd_strings = strcmp(pair.value, "on") != 0;
}

void
settings_note_report(struct server *s, const struct scan_span *span)
{
    struct client *c = s->client;
    struct buf *to = &s->reported;

    if (c ==
        NULL) { /* its client has gone and what it asked for is still being done; when idle, an operator has changed a default */
        if (s->state == SERVER_CLEANING)
            settings_lose_track(s, 0);
        return;
    }
    if (server_is_swallowing(s)) {
        if (server_is_heard(s) && span->is_last)
            settings_hear(c, span->bytes);
        if (c->state != CLIENT_TRYING)
            return;
        to = &c->login->reported;
    } else if (span->is_last) {
        settings_hear(c, span->bytes);
    }
    if (span->is_last && buf_len(to) + span->bytes.len <= SNAPSHOT_MOST_BYTES)
        buf_add(to, span->bytes);
    else
        settings_lose_track(s, c->id);
}

void
settings_note_tag(struct server *s, struct slice message)
{
    struct client *c = s->client;

    if (c != NULL && c->pool_mode != POOL_SESSION) {
        if (message.len == SCAN_HEADER + 5 && memcmp(message.at + SCAN_HEADER, "LOAD", 5) == 0) {
            state_pin(c, c->pins | PIN_BIT(PIN_LOAD));
            s->is_loaded = true;
        } else if (UNLIKELY(c->asks_sequences)) {
            state_note_tag(c, message);
        }
    } else if (is_setting_tag(message)) {
        settings_lose_track(s, c != NULL ? c->id : 0);
    }
}

/* Lays PAIRS over C's settings, which S has already. */
static void
follow_pairs(struct client *c, struct server *s, const struct snapshot_pair *pairs, size_t count)
{
    struct snapshots *store = c->worker->house->snapshots;
    const struct snapshot *old = c->settings;

    if (count == 0)
        return;
    if (!snapshot_with(store, old, pairs, count, &c->settings)) {
        settings_lose_track(s, c->id);
        return;
    }
    snapshot_drop(store, old);
    server_take_settings(s, c->settings);
}

void
settings_follow(struct client *c, struct server *s)
{
    struct snapshot_pair pairs[SNAPSHOT_MOST_SETTINGS];
    struct slice rest = buf_slice(&s->reported);
    size_t count = 0;

    while (rest.len > 0) {
        size_t len = 1 + (size_t)get_be32(rest.at + 1);
        struct startup_pair pair;

        if (settings_read_report(slice_of(rest.at, len), &pair))
            pairs[count++] = (struct snapshot_pair){ pair.name, pair.value };
        rest = slice_skip(rest, len);
        if (count == COUNT_OF(pairs)) {
            follow_pairs(c, s, pairs, count);
            count = 0;
        }
    }
    follow_pairs(c, s, pairs, count);
    buf_release(&s->reported);
}
