/*
 * state.c - when a server's session must be asked for what its client has left there, and what becomes of
 * it at the ends: see state_impl.h for
 * the picture.
 */
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "session_settings_impl.h"
#include "session_state_impl.h"

struct session_state *
session_state_of(struct server *s)
{
    if (s->session == NULL) {
        s->session = mem_new(sizeof *s->session);
        buf_init(&s->session->touched);
        buf_init(&s->session->asked);
        buf_init(&s->session->rows);
        buf_init(&s->session->note_texts);
    }
    return s->session;
}

static void
forget_question(struct session_state *state)
{
    buf_release(&state->touched);
    buf_release(&state->asked);
    buf_release(&state->rows);
    state->asked_flags = 0;
    state->asked_pins = 0;
    state->tries = 0;
    state->is_asking = false;
    state->is_refused = false;
}

void
state_free(struct session_state *state)
{
    if (state == NULL)
        return;
    forget_question(state);
    buf_release(&state->note_texts);
    free(state);
}

/* --- pins --- */

void
state_pin(struct client *c, unsigned pins)
{
    if (c->pins == pins)
        return;
    if (c->pins == 0)
        c->server->turn.pinned_us = loop_now_us(c->worker->loop);
    shard_change_pins(c->shard, c->pins, pins);
    c->pins = (uint16_t)pins;
}

uint64_t
state_pin_bound_us(const struct client *c)
{
    uint64_t bound_us = shard_route(c->shard)->sequence_pin_timeout_us;

    if ((c->pins & PIN_SET_BOUND) == 0)
        return 0;
    return bound_us > 0 ? bound_us : 1; /* 0: it was reloaded meanwhile */
}

void
state_pin_is_over(struct server *s)
{
    state_pin(s->client, s->client->pins & ~PIN_SET_BOUND);
}

/* --- release --- */

/* Settings that every server reports, since PostgreSQL 9.0. */
static bool
is_reported(const char *name)
{
    static const char *const reported[] = { "application_name", "client_encoding",
                                            "datestyle",        "intervalstyle",
                                            "timezone",         "standard_conforming_strings" };

    for (size_t i = 0; i < COUNT_OF(reported); i++)
        if (strcasecmp(name, reported[i]) == 0)
            return true;
    return false;
}

static bool
are_all_reported(const struct server *s)
{
    struct slice rest = s->session == NULL ? slice_of(NULL, 0) : buf_slice(&s->session->touched);
    const char *name;
    enum touch how;

    while ((name = touched_next(&rest, &how)) != NULL)
        if (how != TOUCH_SET || !is_reported(name))
            return false;
    return true;
}

/* C is where its startup packet has put it, and its server where it was born; IS_ROLE_KEPT: save who they
 * are. */
static void
back_to_floor(struct client *c, bool is_role_kept)
{
    static const char *const identities[] = { "role", "session_authorization" };
    struct snapshots *store = c->worker->house->snapshots;
    const struct snapshot *old = c->settings;
    const struct snapshot *bare = NULL;
    struct snapshot_pair pairs[COUNT_OF(identities)];
    size_t count = 0;

    for (size_t i = 0; is_role_kept && i < COUNT_OF(identities); i++)
        if (snapshot_value(old, identities[i]) != NULL)
            pairs[count++] = (struct snapshot_pair){ identities[i], snapshot_value(old, identities[i]) };
    if (!snapshot_with(store, c->floor, pairs, count, &c->settings))
        c->settings = snapshot_hold(c->floor);
    if (!snapshot_with(store, NULL, pairs, count, &bare))
        bare = NULL;
    server_take_settings(c->server, bare);
    snapshot_drop(store, bare);
    snapshot_drop(store, old);
    buf_release(&c->server->reported);
    c->server->is_dirty = false;
    c->hears_settings = c->floor != NULL;
}

bool
state_is_settled_slowly(struct server *s)
{
    struct client *c = s->client;
    uint32_t flags;
    uint32_t others;

    sequences_settle(s);
    flags = c->suspected;
    if (c->pins == 0 && (flags & MAKERS) == 0)
        flags &= ~ENDERS;
    others = flags & ~(uint32_t)(SQL_RESETS | SQL_RESETS_ALL | SQL_SETS | SQL_SET_CONFIG);
    if (flags != 0 && (others != 0 || c->pins != 0)) {
        read_back_ask(s);
        return false;
    }
    if ((flags & SQL_RESETS_ALL) != 0) {
        if (c->server->turn.is_unsure || (s->session != NULL && buf_len(&s->session->touched) > 0)) {
            read_back_ask(s);
            return false;
        }
        back_to_floor(c, true);
    } else if (!are_all_reported(s)) {
        read_back_ask(s);
        return false;
    }
    if (s->session != NULL)
        buf_release(&s->session->touched);
    c->suspected = 0;
    s->turn.local_path = 0;
    return c->pins == 0;
}

/* --- ends --- */

void
state_discarded(struct server *s, const struct owed *o)
{
    struct client *c = s->client;

    if (c->server->turn.suspected_stamp <= o->client_stamp) {
        c->suspected = 0;
        if (s->session != NULL) {
            buf_release(&s->session->touched);
            s->session->prepared_flags = 0;
        }
    }
    back_to_floor(c, false);
    s->sequence_client = c->id;
    state_pin(c, c->pins & PIN_BIT(PIN_LOAD));
}

void
state_refused(struct server *s, const struct pg_error *why)
{
    struct session_state *state = session_state_of(s);

    state->is_refused = true;
    state->refusal = *why;
    state->refusal.severity = PG_FATAL;
}

const struct pg_error *
state_refusal(const struct server *s)
{
    return s->session != NULL && s->session->is_refused ? &s->session->refusal : NULL;
}

void
state_orphan(struct server *s)
{
    struct client *c = s->client;
    uint32_t flags = c->suspected & ~SEQUENCES; /* s->sequence_client knows */

    if ((c->suspected & (uint32_t)SQL_SETSEED) != 0)
        s->seed_client = c->id;

    if (s->is_watched) /* nobody asks any more what its texts have done */
        flags |= SQL_OPAQUE;
    if (s->session != NULL) {
        if (s->session->is_asking)
            flags |= s->session->asked_flags;
        if (s->session->is_refused)
            flags |= SQL_OPAQUE;
        forget_question(s->session);
    }
    c->suspected = 0;
    s->is_in_question = false;
    if ((c->pins & ~PIN_SET_BOUND) != 0 || (flags & ~SETTERS) != 0)
        s->scrub = SCRUB_ALL;
    else if (flags != 0)
        settings_lose_track(s, 0);
    state_pin(c, 0);
}

void
state_cleaned(struct server *s)
{
    if (s->session != NULL)
        s->session->prepared_flags = 0;
}
