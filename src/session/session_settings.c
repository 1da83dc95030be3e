/* session_settings.c - see session_settings_impl.h. */
#include "session_settings_impl.h"

#include <string.h>

#include "login_impl.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"

void
settings_bring(struct client *c)
{
    struct server *s = c->server;
    struct buf *scratch = &c->worker->scratch;
    struct buf sql;

    buf_init(&sql);
    if (s->is_dirty && s->last_client != c->id) {
        buf_add_text(&sql, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;");
        server_take_settings(s, NULL);
        s->is_dirty = false;
    }
    snapshot_write_change(s->settings, c->settings, &sql);
    server_take_settings(s, c->settings);
    buf_add_u8(&sql, '\0');
    buf_drop(scratch, buf_len(scratch));
    build_query(scratch, (const char *)buf_slice(&sql).at);
    buf_release(&sql);
    (void)ledger_push(&s->ledger, OWED_QUERY, OWED_SWALLOW);
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

/* Something was set that cannot be followed: S is scrubbed before anybody but the client of that id works with it; 0: before anybody does. */
static void
lose_track(struct server *s, uint64_t client_id)
{
    s->is_dirty = true;
    s->last_client = client_id;
}

void
settings_note_report(struct server *s, const struct scan_span *span)
{
    struct client *c = s->client;
    struct buf *to = &s->reported;

    if (c ==
        NULL) { /* its client has gone and what it asked for is still being done; when idle, an operator has changed a default */
        if (s->state == SERVER_CLEANING)
            lose_track(s, 0);
        return;
    }
    if (server_is_swallowing(s)) {
        if (c->state != CLIENT_TRYING)
            return;
        to = &c->login->reported;
    }
    if (span->is_last && buf_len(to) + span->bytes.len <= SNAPSHOT_MOST_BYTES)
        buf_add(to, span->bytes);
    else
        lose_track(s, c->id);
}

void
settings_note_tag(struct server *s, struct slice message)
{
    if (is_setting_tag(message))
        lose_track(s, s->client != NULL ? s->client->id : 0);
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
        lose_track(s, c->id);
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

        if (back_parameter_read(slice_of(rest.at, len), &pair) == PARSE_DONE && is_followed(pair.name))
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
