/*
 * state.c - see state_impl.h for the picture.
 *
 * The read-back is one simple Query of up to three statements, and each row of its answer begins with a letter:
 *
 *     v  the settings that were touched: value, and for what was perhaps put back also the default, each in hex, in the order of `asked`
 *     p  t or f for each kind of pin in question, in the order of checks[]
 *     f  name and value of a setting that the session has changed: one row each, only where the text could have done anything
 *
 * Values come as the hex of their bytes in the server's encoding, so that no client_encoding changes them. The Query takes its names from pg_catalog
 * only, runs outside of any transaction of the client's and switches statement_timeout off for itself. It may still fail, by a cancel request that
 * came late or a very short statement_timeout: then it is asked again, a few times. What remains unknown is scrubbed.
 */
#include "state_impl.h"

#include <stdlib.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/wire/sql.h"
#include "prepare_impl.h"
#include "session_settings_impl.h"

#define MOST_TRIES 4u
#define MOST_TOUCHED SNAPSHOT_MOST_SETTINGS
#define MOST_ANSWER_BYTES (1024u * 1024u)

/* What a text says of settings; what it may leave behind; what may end a pin, so that it matters only where there is one. */
#define SETTERS ((uint32_t)(SQL_SETS | SQL_RESETS | SQL_RESETS_ALL | SQL_SET_CONFIG))
#define MAKERS ((uint32_t)(SQL_LISTEN | SQL_PREPARE | SQL_HOLD_CURSOR | SQL_TEMP | SQL_ADVISORY_LOCK))
#define ENDERS                                                                                        \
    ((uint32_t)(SQL_UNLISTEN | SQL_EXECUTE | SQL_DEALLOCATE | SQL_DEALLOCATE_ALL | SQL_CLOSE_CURSOR | \
                SQL_ADVISORY_UNLOCK | SQL_DISCARDS | SQL_DISCARDS_ALL | SQL_DDL))
#define SEQUENCES ((uint32_t)(SQL_CURRVAL | SQL_NEXTVAL))
#define TELLING (SEQUENCES | SETTERS | MAKERS | ENDERS | (uint32_t)SQL_OPAQUE)
#define PINNING (MAKERS | (uint32_t)SQL_LOAD)

struct session_state {
    struct buf touched; /* names of settings, as below, that the next read-back must ask for */
    struct buf asked;   /* those of the read-back under way: enum touch, name, NUL, … */
    struct buf rows;    /* its answer so far */
    uint32_t asked_flags;
    uint32_t prepared_flags; /* of texts with SQL PREPARE: what an EXECUTE may do */
    unsigned asked_pins;     /* the kinds whose answer comes */
    unsigned tries;
    bool is_asking;
    bool has_failed;
    bool is_too_long;
    bool is_refused;
    struct pg_error refusal;
};

enum touch { TOUCH_SET = 's', TOUCH_RESET = 'r' };

/* How the server tells that a pin is still there. */
static const struct {
    uint32_t makers;
    enum pin_reason reason;
    const char *sql;
} checks[] = {
    { SQL_ADVISORY_LOCK, PIN_LOCK,
      "pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' "
      "AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()" },
    { SQL_LISTEN, PIN_LISTEN, "pg_catalog.pg_listening_channels()" },
    /* Whatever lies in a schema depends on it; pg_namespace has this oid. */
    { SQL_TEMP, PIN_TEMP,
      "pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) '2615'::pg_catalog.oid "
      "AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()" },
    { SQL_HOLD_CURSOR, PIN_HOLD_CURSOR, "pg_catalog.pg_cursors WHERE is_holdable" },
    { SQL_PREPARE, PIN_PREPARE, "pg_catalog.pg_prepared_statements WHERE from_sql" },
};

static struct session_state *
state_of(struct server *s)
{
    if (s->session == NULL) {
        s->session = mem_new(sizeof *s->session);
        buf_init(&s->session->touched);
        buf_init(&s->session->asked);
        buf_init(&s->session->rows);
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
    free(state);
}

/* --- suspicion --- */

static bool
is_identity(const char *name)
{
    return strcasecmp(name, "role") == 0 || strcasecmp(name, "session_authorization") == 0;
}

/* Settings of one transaction, and what SHOW does not tell. */
static bool
is_to_be_followed(const char *name)
{
    static const char *const others[] = { "transaction_isolation", "transaction_read_only",
                                          "transaction_deferrable", "seed" };

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcasecmp(name, others[i]) == 0)
            return false;
    return name[0] != '\0';
}

/* The next name of REST, which is moved behind it; NULL: there is none. */
static const char *
touched_next(struct slice *rest, enum touch *how)
{
    const char *name;

    if (rest->len == 0)
        return NULL;
    *how = (enum touch)rest->at[0];
    name = (const char *)rest->at + 1;
    *rest = slice_skip(*rest, strlen(name) + 2);
    return name;
}

static unsigned
touched_count(const struct buf *list)
{
    struct slice rest = buf_slice(list);
    enum touch how;
    unsigned count = 0;

    while (touched_next(&rest, &how) != NULL)
        count++;
    return count;
}

/* Enters NAME once; what was reset by any of the texts counts as reset. */
static void
touch_list(struct buf *list, const char *name, enum touch how)
{
    struct slice rest = buf_slice(list);

    while (rest.len > 0) {
        uint8_t *entry = list->at + list->start + (buf_len(list) - rest.len);
        enum touch before;

        if (strcasecmp(touched_next(&rest, &before), name) != 0)
            continue;
        if (how == TOUCH_RESET)
            entry[0] = (uint8_t)how;
        return;
    }
    buf_add_u8(list, (uint8_t)how);
    buf_add_textz(list, name);
}

static void
touch(struct client *c, const char *name, enum touch how)
{
    struct buf *list = &state_of(c->server)->touched;

    if (!is_to_be_followed(name))
        return;
    if (touched_count(list) >= MOST_TOUCHED) {
        c->suspected |= SQL_OPAQUE;
        return;
    }
    touch_list(list, name, how);
}

/* The value of parameter N (from 1) of a Bind message that is there as a whole; false when it is NULL or missing. */
static bool
bind_value(struct slice bind, unsigned n, struct slice *out)
{
    struct slice rest = slice_skip(bind, SCAN_HEADER);
    unsigned count;

    assert(bind.at != NULL);
    for (int names = 0; names < 2; names++) {
        const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.at, '\0', rest.len);

        if (end == NULL)
            return false;
        rest = slice_skip(rest, (size_t)(end - rest.at) + 1);
    }
    if (rest.len < 2 || rest.len < 2 + 2 * (size_t)get_be16(rest.at) + 2)
        return false;
    rest = slice_skip(rest, 2 + 2 * (size_t)get_be16(rest.at));
    count = get_be16(rest.at);
    rest = slice_skip(rest, 2);
    for (unsigned i = 1; i <= count; i++) {
        uint32_t len;

        if (rest.len < 4)
            return false;
        len = get_be32(rest.at);
        rest = slice_skip(rest, 4);
        if (len == UINT32_MAX) {
            if (i == n)
                return false;
            continue;
        }
        if (len > rest.len)
            return false;
        if (i == n) {
            *out = slice_of(rest.at, len);
            return true;
        }
        rest = slice_skip(rest, len);
    }
    return false;
}

/* What bool reads as true, in text or binary. */
static bool
is_true(struct slice value)
{
    static const char *const spellings[] = { "t", "true", "y", "yes", "on", "1", "\1" };

    for (size_t i = 0; i < COUNT_OF(spellings); i++)
        if (value.len == strlen(spellings[i]) &&
            strncasecmp((const char *)value.at, spellings[i], value.len) == 0)
            return true;
    return false;
}

/* BIND: the message whose values are the text's parameters; empty: there is none. */
static void
touch_settings(struct client *c, const struct sql_findings *f, struct slice bind)
{
    for (unsigned i = 0; i < f->setting_count; i++) {
        const struct sql_setting *setting = &f->settings[i];
        char name[SQL_SETTING_NAME_MOST + 1];
        struct slice value;

        if (setting->local_parameter > 0 && bind_value(bind, setting->local_parameter, &value) &&
            is_true(value))
            continue;
        if (setting->name_parameter == 0) {
            touch(c, setting->name, setting->how == SQL_BY_RESET ? TOUCH_RESET : TOUCH_SET);
        } else if (bind_value(bind, setting->name_parameter, &value) && value.len < sizeof name) {
            memcpy(name, value.at, value.len);
            name[value.len] = '\0';
            touch(c, name, TOUCH_SET);
        } else {
            c->suspected |= SQL_OPAQUE;
        }
    }
}

/* Which of FLAGS matter to C now. */
static uint32_t
relevant(const struct client *c, uint32_t flags)
{
    const struct session_state *state = c->server->session;
    uint32_t wanted = TELLING;

    if (!c->asks_sequences)
        wanted &= ~(uint32_t)SQL_NEXTVAL;
    if (c->pins == 0 && (c->suspected & MAKERS) == 0 && (state == NULL || !state->is_asking))
        wanted &= ~(ENDERS & ~(uint32_t)SQL_DISCARDS_ALL);
    return flags & wanted;
}

static void
suspect(struct client *c, uint32_t flags)
{
    struct session_state *state = state_of(c->server);

    if ((flags & SQL_EXECUTE) != 0)
        flags |= state->prepared_flags;
    if ((flags & SQL_PREPARE) != 0)
        state->prepared_flags |= (flags & TELLING) |
                                 ((flags & SQL_SET_CONFIG) != 0 ? (uint32_t)SQL_OPAQUE : 0);
    c->suspected |= flags;
    c->suspected_stamp = c->stamp + 1;
}

/* Whether C must not be pinned, because too many are. */
static bool
is_pinning_refused(const struct client *c, uint32_t flags, struct pg_error *why)
{
    unsigned most = shard_route(c->shard)->max_pinned;

    if ((flags & PINNING) == 0 || c->pins != 0 || most == 0 || shard_pinned_in_pool(c->shard) < most)
        return false;
    pg_error_set(why, PG_ERROR, SQLSTATE_LIMIT_EXCEEDED,
                 "too many clients keep a server connection for their session state (max_pinned = %u)", most);
    pg_error_detail(why, "Session-level advisory locks, LISTEN, temporary tables, cursors WITH HOLD, PREPARE "
                         "and LOAD keep the client's server connection until they end.");
    pg_error_hint(why, "Use pg_advisory_xact_lock() or protocol-level prepared statements, connect directly "
                       "for such work, or raise max_pinned.");
    return true;
}

/* Bytes that seem to be ASCII may be parts of a letter. */
static bool
is_readable(const struct client *c, struct slice text)
{
    return !c->has_odd_encoding || sql_is_ascii(text);
}

static struct slice
text_of(struct slice body)
{
    const uint8_t *end = body.len == 0 ? NULL : memchr(body.at, '\0', body.len);

    return end == NULL ? body : slice_of(body.at, (size_t)(end - body.at));
}

/* --- sequences ---
 *
 * currval() and lastval() tell what nextval() has told the session before, and nothing shows whose values a server remembers: any INSERT may
 * have advanced a sequence. So from the first text on that asks in a pool, DISCARD SEQUENCES goes ahead of a client's first message on a server that
 * another has had; and a client that has asked keeps its server for a while when it may have advanced one. Pools in which nobody asks pay
 * nothing. */

/* Whether the client has nothing under way on S in which a query of ours would disturb. */
static bool
is_between(const struct server *s)
{
    if (s->status != 'I' || ledger_needs_sync(&s->ledger))
        return false;
    for (uint32_t i = 0; i < s->ledger.count; i++)
        if (ledger_entry(&s->ledger, i)->action != OWED_SWALLOW)
            return false;
    return true;
}

/* C has a text that asks. False: its server may remember values of others, and it is too late to make it forget them: inside of a transaction that
 * would take from C what is its own. */
static bool
are_sequences_own(struct client *c)
{
    struct server *s = c->server;

    c->asks_sequences = true;
    if (shard_learn_sequences(c->shard))
        client_log(c, LOG_NOTICE_LEVEL,
                   "currval() or lastval() is used in this pool: from now on DISCARD SEQUENCES "
                   "goes ahead where a server connection changes its client");
    if (s->sequence_client == c->id)
        return true;
    if (!is_between(s))
        return false;
    s->has_foreign_sequences = true;
    settings_bring(c);
    return true;
}

static bool
is_asking_refused(struct client *c, uint32_t flags, struct pg_error *why)
{
    if (LIKELY((flags & SQL_CURRVAL) == 0) || are_sequences_own(c))
        return false;
    pg_error_set(why, PG_ERROR, "55000", "currval() and lastval() cannot be told in this transaction");
    pg_error_detail(why,
                    "Nobody in this pool had asked for them when it began, and its server connection may "
                    "remember values of other clients.");
    pg_error_hint(
        why, "Run it again: transactions that begin from now on are prepared for it. INSERT ... RETURNING "
             "needs no such care.");
    return true;
}

void
state_prepare(struct client *c, const struct statement *st)
{
    if (UNLIKELY((st->findings & SQL_CURRVAL) != 0) && c->pool_mode != POOL_SESSION)
        (void)are_sequences_own(c);
}

/* INSERT, COPY and MERGE fill columns from sequences, and no text shows it. */
void
state_note_tag(struct client *c, struct slice message)
{
    static const char *const tags[] = { "INSERT ", "COPY ", "MERGE " };
    struct slice tag = slice_skip(message, SCAN_HEADER);

    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (tag.len >= strlen(tags[i]) && memcmp(tag.at, tags[i], strlen(tags[i])) == 0)
            c->suspected |= SQL_NEXTVAL;
}

bool
state_query(struct client *c, const struct scan_span *span)
{
    struct slice text = text_of(slice_skip(span->bytes, SCAN_HEADER));
    struct sql_findings f;
    struct pg_error why;
    uint32_t flags;

    sql_look(text, !c->has_odd_strings, &f);
    flags = f.flags;
    if (!span->is_last || UNLIKELY(c->has_odd_encoding && !is_readable(c, text)))
        flags |= SQL_OPAQUE;
    if (LIKELY((flags & (TELLING | PINNING)) == 0))
        return true;
    if (is_pinning_refused(c, flags, &why) || is_asking_refused(c, flags, &why)) {
        send_failure_of_query(c, &why);
        return false;
    }
    flags = relevant(c, flags);
    if (flags == 0)
        return true;
    suspect(c, flags);
    touch_settings(c, &f, slice_of(NULL, 0));
    return true;
}

bool
state_bind(struct client *c, const struct statement *st, const struct scan_span *span, struct pg_error *why)
{
    uint32_t flags = st->findings;
    struct sql_findings f;

    if (UNLIKELY(c->has_odd_encoding && !is_readable(c, statement_text(st))))
        flags |= SQL_OPAQUE;
    if (LIKELY((flags & (TELLING | PINNING)) == 0))
        return true;
    if (is_pinning_refused(c, flags, why) || is_asking_refused(c, flags, why))
        return false;
    flags = relevant(c, flags);
    if (flags == 0)
        return true;
    suspect(c, flags);
    if ((flags & SETTERS) != 0) {
        sql_look(statement_text(st), !c->has_odd_strings, &f);
        touch_settings(c, &f, span->is_last ? span->bytes : slice_of(NULL, 0));
    }
    return true;
}

bool
state_parse(struct client *c, const struct scan_span *span, struct pg_error *why)
{
    struct slice body = slice_skip(span->bytes, SCAN_HEADER);
    const uint8_t *end = body.len == 0 ? NULL : memchr(body.at, '\0', body.len);
    struct sql_findings f;
    uint32_t flags = SQL_OPAQUE;

    if (end != NULL) {
        struct slice text = text_of(slice_skip(body, (size_t)(end - body.at) + 1));

        sql_look(text, !c->has_odd_strings, &f);
        flags = span->is_last && is_readable(c, text) ? f.flags : f.flags | (uint32_t)SQL_OPAQUE;
    }
    if (is_asking_refused(c, flags, why))
        return false;
    flags = relevant(c, flags);
    if (flags == 0)
        return true;
    suspect(c, flags);
    if (end != NULL)
        touch_settings(c, &f, slice_of(NULL, 0));
    return true;
}

/* The functions for large objects, which is what this message is used for; their oids have never changed. */
static bool
is_harmless_function(uint32_t oid)
{
    static const uint16_t harmless[] = { 715, 764, 765, 952,  953,  954,  955, 956,
                                         957, 958, 964, 1004, 3170, 3171, 3172 };

    for (size_t i = 0; i < COUNT_OF(harmless); i++)
        if (harmless[i] == oid)
            return true;
    return false;
}

void
state_function_call(struct client *c, const struct scan_span *span)
{
    struct slice body = slice_skip(span->bytes, SCAN_HEADER);

    if (body.len < 4 || !is_harmless_function(get_be32(body.at)))
        suspect(c, SQL_OPAQUE);
}

/* --- pins --- */

void
state_pin(struct client *c, unsigned pins)
{
    if (c->pins == pins)
        return;
    if (c->pins == 0)
        c->pinned_us = loop_now_us(c->worker->loop);
    shard_change_pins(c->shard, c->pins, pins);
    c->pins = (uint16_t)pins;
}

uint64_t
state_pin_bound_us(const struct client *c)
{
    uint64_t bound_us = shard_route(c->shard)->sequence_pin_timeout_us;

    if ((c->pins & PIN_BIT(PIN_SEQUENCE)) == 0)
        return 0;
    return bound_us > 0 ? bound_us : 1; /* 0: it was reloaded meanwhile */
}

void
state_pin_is_over(struct server *s)
{
    state_pin(s->client, s->client->pins & ~PIN_BIT(PIN_SEQUENCE));
}

/* What the transaction of S's client had to do with sequences. */
static void
settle_sequences(struct server *s)
{
    struct client *c = s->client;
    const struct route *route = shard_route(c->shard);
    uint32_t flags = c->suspected & SEQUENCES;
    unsigned pins = c->pins & ~PIN_BIT(PIN_SEQUENCE);

    if (flags == 0)
        return;
    c->suspected &= ~SEQUENCES;
    if ((flags & SQL_CURRVAL) == 0 && route->sequence_pin_timeout_us > 0 &&
        (c->pins != 0 || route->max_pinned == 0 || shard_pinned_in_pool(c->shard) < route->max_pinned))
        pins |= PIN_BIT(PIN_SEQUENCE);
    state_pin(c, pins);
    server_watch(s);
}

/* --- asking --- */

static void
write_hex(struct buf *sql, const char *before, const char *name, const char *after)
{
    buf_add_text(sql, ",pg_catalog.encode(pg_catalog.convert_to(");
    buf_add_text(sql, before);
    snapshot_write_literal(sql, name);
    buf_add_text(sql, after);
    buf_add_text(sql, ",pg_catalog.getdatabaseencoding()),'hex')");
}

static void
write_question(const struct session_state *state, struct buf *sql)
{
    struct slice rest = buf_slice(&state->asked);
    bool is_full = (state->asked_flags & SQL_OPAQUE) != 0;
    const char *name;
    enum touch how;

    buf_add_text(sql, "SELECT 'v'");
    while ((name = touched_next(&rest, &how)) != NULL) {
        write_hex(sql, "pg_catalog.current_setting(", name, ",true)");
        if (how == TOUCH_RESET)
            write_hex(sql, "pg_catalog.set_config(", name, ",NULL,true)");
    }
    if (state->asked_pins == 0 && !is_full)
        return;
    buf_add_text(sql, ",pg_catalog.set_config('statement_timeout','0',true);SELECT 'p'");
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if ((state->asked_pins & PIN_BIT(checks[i].reason)) != 0)
            buf_add_format(sql, ",EXISTS(SELECT 1 FROM %s)", checks[i].sql);
    if (!is_full)
        return;
    buf_add_text(sql, ";SELECT 'f'");
    buf_add_text(sql, ",name,pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting(name),"
                      "pg_catalog.getdatabaseencoding()),'hex') FROM pg_catalog.pg_settings "
                      "WHERE source OPERATOR(pg_catalog.=) 'session' "
                      "AND name OPERATOR(pg_catalog.<>) 'statement_timeout'");
}

/* Names of S, those of custom settings only, are asked for as HOW. */
static void
touch_snapshot(struct buf *list, const struct snapshot *s, bool custom_only, enum touch how)
{
    for (size_t i = 0; i < snapshot_count(s); i++) {
        const char *name = snapshot_pair_at(s, i)->name;

        if ((!custom_only || strchr(name, '.') != NULL) && !is_identity(name))
            touch_list(list, name, how);
    }
}

static void
touch_identities(struct buf *list)
{
    touch_list(list, "role", TOUCH_SET);
    touch_list(list, "session_authorization", TOUCH_SET);
}

static bool
touches_identity(const struct buf *list)
{
    struct slice rest = buf_slice(list);
    const char *name;
    enum touch how;

    while ((name = touched_next(&rest, &how)) != NULL)
        if (is_identity(name))
            return true;
    return false;
}

/* What the read-back under way asks for, from what was touched. */
static void
choose_names(struct client *c, struct session_state *state)
{
    const struct server *s = c->server;
    struct slice rest = buf_slice(&state->touched);
    bool is_full = (state->asked_flags & SQL_OPAQUE) != 0;
    bool is_reset = (state->asked_flags & SQL_RESETS_ALL) != 0;
    bool has_identity = is_full || touches_identity(&state->touched);
    const char *name;
    enum touch how;

    while ((name = touched_next(&rest, &how)) != NULL)
        if (!is_identity(name) && (!is_full || strchr(name, '.') != NULL))
            touch_list(&state->asked, name, is_reset ? TOUCH_RESET : how);
    if (is_full)
        touch_list(&state->asked, "statement_timeout", TOUCH_RESET);
    if (is_full || is_reset) {
        touch_snapshot(&state->asked, s->settings, is_full, is_reset ? TOUCH_RESET : TOUCH_SET);
        touch_snapshot(&state->asked, c->floor, is_full, is_reset ? TOUCH_RESET : TOUCH_SET);
    }
    if (has_identity)
        touch_identities(&state->asked);
}

/* What the server has reported since its client has it is asked for too: one answer has it all. */
static void
touch_reported(struct server *s)
{
    struct slice rest = buf_slice(&s->reported);

    while (rest.len > 0) {
        size_t len = 1 + (size_t)get_be32(rest.at + 1);
        struct startup_pair pair;

        if (settings_read_report(slice_of(rest.at, len), &pair))
            touch(s->client, pair.name, TOUCH_SET);
        rest = slice_skip(rest, len);
    }
    buf_release(&s->reported);
}

/* Whether the answer may be that C has gone back to what its startup packet says, which the server does not know. */
static bool
leads_to_floor(const struct client *c, const struct session_state *state)
{
    struct slice rest = buf_slice(&state->asked);
    const char *name;
    enum touch how;

    if (c->floor == NULL)
        return false;
    if ((state->asked_flags & SQL_OPAQUE) != 0)
        return true;
    while ((name = touched_next(&rest, &how)) != NULL)
        if (how == TOUCH_RESET && snapshot_value(c->floor, name) != NULL)
            return true;
    return false;
}

static void
ask(struct server *s)
{
    struct client *c = s->client;
    struct session_state *state = state_of(s);
    struct buf sql;

    touch_reported(s);
    state->asked_flags = c->suspected;
    state->asked_pins = 0;
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if ((c->suspected & (checks[i].makers | SQL_OPAQUE)) != 0 ||
            (c->pins & PIN_BIT(checks[i].reason)) != 0)
            state->asked_pins |= PIN_BIT(checks[i].reason);
    choose_names(c, state);
    buf_release(&state->touched);
    s->is_in_question = leads_to_floor(c, state);
    c->suspected = 0;
    c->is_unsure = false;
    state->is_asking = true;
    state->has_failed = false;
    state->is_too_long = false;
    buf_init(&sql);
    write_question(state, &sql);
    buf_add_u8(&sql, '\0');
    server_query(s, (const char *)buf_slice(&sql).at, OWN_READ_BACK);
    buf_release(&sql);
}

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

/* C is where its startup packet has put it, and its server where it was born; IS_ROLE_KEPT: save who they are. */
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

    settle_sequences(s);
    flags = c->suspected;
    if (c->pins == 0 && (flags & MAKERS) == 0)
        flags &= ~ENDERS;
    others = flags & ~(uint32_t)(SQL_RESETS | SQL_RESETS_ALL | SQL_SETS | SQL_SET_CONFIG);
    if (flags != 0 && (others != 0 || c->pins != 0)) {
        ask(s);
        return false;
    }
    if ((flags & SQL_RESETS_ALL) != 0) {
        if (c->is_unsure || (s->session != NULL && buf_len(&s->session->touched) > 0)) {
            ask(s);
            return false;
        }
        back_to_floor(c, true);
    } else if (!are_all_reported(s)) {
        ask(s);
        return false;
    }
    if (s->session != NULL)
        buf_release(&s->session->touched);
    c->suspected = 0;
    return c->pins == 0;
}

/* --- the answer --- */

bool
state_is_asking(const struct server *s)
{
    return s->session != NULL && s->session->is_asking;
}

void
state_capture(struct server *s, struct slice bytes)
{
    struct session_state *state = s->session;

    if (buf_len(&state->rows) + bytes.len > MOST_ANSWER_BYTES)
        state->is_too_long = true;
    if (!state->is_too_long)
        buf_add(&state->rows, bytes);
}

struct row {
    struct slice rest;
    unsigned left; /* fields */
};

/* The next row of MESSAGES, which are DataRows back to back. */
static bool
row_next(struct slice *messages, struct row *out)
{
    size_t len;

    if (messages->len < SCAN_HEADER + 2)
        return false;
    len = 1 + (size_t)get_be32(messages->at + 1);
    if (len > messages->len || len < SCAN_HEADER + 2)
        return false;
    out->rest = slice_skip(slice_of(messages->at, len), SCAN_HEADER + 2);
    out->left = get_be16(messages->at + SCAN_HEADER);
    *messages = slice_skip(*messages, len);
    return true;
}

/* *IS_NULL false: VALUE is it. Returns false when there is none left. */
static bool
field_next(struct row *row, struct slice *value, bool *is_null)
{
    uint32_t len;

    if (row->left == 0 || row->rest.len < 4)
        return false;
    row->left--;
    len = get_be32(row->rest.at);
    row->rest = slice_skip(row->rest, 4);
    *value = slice_of(row->rest.at, 0);
    *is_null = len == UINT32_MAX;
    if (*is_null)
        return true;
    if (len > row->rest.len)
        return false;
    *value = slice_of(row->rest.at, len);
    row->rest = slice_skip(row->rest, len);
    return true;
}

static bool
hex_digit(uint8_t c, uint8_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint8_t)(c - 'a' + 10);
    else
        return false;
    return true;
}

/* What an answer says: values live in `text`. */
struct answer {
    char *text; /* owned */
    size_t used;
    size_t size;
    struct snapshot_pair of_server[2 * MOST_TOUCHED + 16];
    struct snapshot_pair of_client[2 * MOST_TOUCHED + 16];
    size_t count;
    unsigned pins;
    bool is_overfull;
};

/* HEX as bytes with a NUL behind them; NULL when it is none. */
static char *
answer_text(struct answer *a, struct slice hex)
{
    char *out = a->text + a->used;

    if (hex.len % 2 != 0 || a->used + hex.len / 2 + 1 > a->size)
        return NULL;
    for (size_t i = 0; i < hex.len; i += 2) {
        uint8_t high, low;

        if (!hex_digit(hex.at[i], &high) || !hex_digit(hex.at[i + 1], &low))
            return NULL;
        out[i / 2] = (char)(high << 4 | low);
    }
    out[hex.len / 2] = '\0';
    a->used += hex.len / 2 + 1;
    return out;
}

static void
answer_add(struct answer *a, const char *name, const char *of_server, const char *of_client)
{
    if (a->count == COUNT_OF(a->of_server)) {
        a->is_overfull = true;
        return;
    }
    a->of_server[a->count] = (struct snapshot_pair){ name, of_server };
    a->of_client[a->count++] = (struct snapshot_pair){ name, of_client };
}

/* Whether VALUE is what the server has for NAME without being told. */
static bool
is_default(const struct server *s, const char *name, const char *value)
{
    if (strcasecmp(name, "role") == 0)
        return strcmp(value, "none") == 0;
    return strcasecmp(name, "session_authorization") == 0 && strcmp(value, s->route->user) == 0;
}

static bool
read_values(struct server *s, struct row *row, struct answer *a)
{
    const struct client *c = s->client;
    struct slice rest = buf_slice(&s->session->asked);
    const char *name;
    enum touch how;

    while ((name = touched_next(&rest, &how)) != NULL) {
        struct slice hex;
        bool is_null, is_reset_null;
        const char *value;
        const char *reset = "";
        bool is_back;

        if (!field_next(row, &hex, &is_null) || (value = answer_text(a, hex)) == NULL)
            return false;
        if (how == TOUCH_RESET &&
            (!field_next(row, &hex, &is_reset_null) || (reset = answer_text(a, hex)) == NULL))
            return false;
        is_back = how == TOUCH_RESET ? strcmp(value, reset) == 0 : is_default(s, name, value);
        if (is_null)
            answer_add(a, name, NULL, NULL);
        else if (is_back)
            answer_add(a, name, NULL, snapshot_value(c->floor, name));
        else
            answer_add(a, name, value, value);
    }
    return true;
}

static bool
read_pins(const struct server *s, struct row *row, struct answer *a)
{
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        struct slice value;
        bool is_null;

        if ((s->session->asked_pins & PIN_BIT(checks[i].reason)) == 0)
            continue;
        if (!field_next(row, &value, &is_null))
            return false;
        if (slice_is(value, "t"))
            a->pins |= PIN_BIT(checks[i].reason);
    }
    return true;
}

static bool
read_changed(struct row *row, struct answer *a)
{
    struct slice name, hex;
    const char *value;
    bool is_null;
    char *copy = a->text + a->used;

    if (!field_next(row, &name, &is_null) || a->used + name.len + 1 > a->size)
        return false;
    memcpy(copy, name.at, name.len);
    copy[name.len] = '\0';
    a->used += name.len + 1;
    if (!field_next(row, &hex, &is_null) || (value = answer_text(a, hex)) == NULL)
        return false;
    answer_add(a, copy, value, value);
    return true;
}

static bool
read_answer(struct server *s, struct answer *a)
{
    struct slice messages = buf_slice(&s->session->rows);
    struct row row;
    bool has_values = false;

    while (row_next(&messages, &row)) {
        struct slice kind;
        bool is_null;
        bool is_read = false;

        if (!field_next(&row, &kind, &is_null))
            return false;
        if (slice_is(kind, "v"))
            is_read = has_values = read_values(s, &row, a);
        else if (slice_is(kind, "p"))
            is_read = read_pins(s, &row, a);
        else if (slice_is(kind, "f"))
            is_read = read_changed(&row, a);
        if (!is_read)
            return false;
    }
    return has_values && messages.len == 0;
}

/* The settings of both sides are what the answer says. False: they are too many to be followed. */
static bool
follow_answer(struct server *s, const struct answer *a)
{
    struct client *c = s->client;
    struct snapshots *store = c->worker->house->snapshots;
    bool is_full = (s->session->asked_flags & SQL_OPAQUE) != 0;
    const struct snapshot *old = c->settings;
    const struct snapshot *of_server;
    const struct snapshot *of_client;

    if (a->is_overfull ||
        !snapshot_with(store, is_full ? NULL : s->settings, a->of_server, a->count, &of_server))
        return false;
    if (!snapshot_with(store, is_full ? c->floor : old, a->of_client, a->count, &of_client)) {
        snapshot_drop(store, of_server);
        return false;
    }
    c->settings = of_client;
    server_take_settings(s, of_server);
    snapshot_drop(store, of_server);
    snapshot_drop(store, old);
    s->is_dirty = s->is_dirty && !is_full;
    return true;
}

/* Nothing is known of what was asked: again, or the server is scrubbed once its client is through with it. */
static void
give_up(struct server *s)
{
    struct client *c = s->client;
    struct session_state *state = s->session;
    struct slice rest = buf_slice(&state->asked);
    const char *name;
    enum touch how;

    if (++state->tries < MOST_TRIES) {
        c->suspected |= state->asked_flags;
        while ((name = touched_next(&rest, &how)) != NULL)
            touch(c, name, how);
        return;
    }
    server_log(s, LOG_WARNING_LEVEL, "what its client has left in the session could not be read: %s",
               state->is_too_long ? "the answer is too long" : "see the error before");
    s->scrub = SCRUB_ALL;
    state->tries = 0;
}

void
state_failed(struct server *s, const struct pg_error *why)
{
    s->session->has_failed = true;
    server_log(s, LOG_INFO_LEVEL, "reading the session's state failed: %s: %s", why->sqlstate, why->message);
}

void
state_answered(struct server *s)
{
    struct client *c = s->client;
    struct session_state *state = s->session;
    struct answer a = { .size = buf_len(&state->rows) + 1 };

    state->is_asking = false;
    s->is_in_question = false;
    a.text = mem_new(a.size);
    if (state->has_failed || state->is_too_long || !read_answer(s, &a)) {
        give_up(s);
    } else {
        unsigned pins = (c->pins & ~state->asked_pins) | a.pins;
        bool is_all = (state->asked_flags & (SQL_OPAQUE | SQL_RESETS_ALL)) != 0;

        state->tries = 0;
        if (!follow_answer(s, &a))
            pins |= PIN_BIT(PIN_SETTINGS);
        else if (is_all)
            pins &= ~PIN_BIT(PIN_SETTINGS);
        if ((pins & PIN_BIT(PIN_PREPARE)) == 0)
            state->prepared_flags = 0;
        state_pin(c, pins);
    }
    free(a.text);
    buf_release(&state->asked);
    buf_release(&state->rows);
}

/* --- ends --- */

void
state_discarded(struct server *s, const struct owed *o)
{
    struct client *c = s->client;

    if (c->suspected_stamp <= o->client_stamp) {
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
    struct session_state *state = state_of(s);

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

    if (s->session != NULL) {
        if (s->session->is_asking)
            flags |= s->session->asked_flags;
        if (s->session->is_refused)
            flags |= SQL_OPAQUE;
        forget_question(s->session);
    }
    c->suspected = 0;
    s->is_in_question = false;
    if ((c->pins & ~PIN_BIT(PIN_SEQUENCE)) != 0 || (flags & ~SETTERS) != 0)
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
