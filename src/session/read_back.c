/*
 * read_back.c - the server is asked what its session holds, and its answer is what client and server are
 * known to have from then on.
 *
 * The read-back is one simple Query of a few statements; each row of its answer begins with a letter:
 *
 *     v  the settings that were touched: value, and for what was perhaps put back also the default, each in
 *        hex, in the order of `asked`
 *     p  t or f for each kind of pin in question, in the order of checks[]
 *     f  name and value of a setting that the session has changed: one row each, only where the text could
 *        have done anything; no value: a setting of an extension that it has not changed
 *     n  the same of a setting that no view shows and that the body of a function names; now and then
 *
 * Values come as the hex of their bytes in the server's encoding, so that no client_encoding changes them.
 * The Query takes its names from pg_catalog only, runs outside of any transaction of the client's and
 * switches statement_timeout off for itself. It may still fail, by a cancel request that came late or a very
 * short statement_timeout: then it is asked again, a few times. What remains unknown is scrubbed.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/base/mem.h"
#include "pgweir/pool/audit.h"
#include "pgweir/pool/schema.h"
#include "session_settings_impl.h"
#include "session_state_impl.h"

#define MOST_TRIES 4u
#define MOST_ANSWER_BYTES (1024u * 1024u)

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

static void
write_hex(struct buf *sql, const char *before, const char *name, const char *after)
{
    buf_add_text(sql, ",pg_catalog.encode(pg_catalog.convert_to(");
    buf_add_text(sql, before);
    snapshot_write_literal(sql, name);
    buf_add_text(sql, after);
    buf_add_text(sql, ",pg_catalog.getdatabaseencoding()),'hex')");
}

/* What stands between quotes in a call of set_config(), and what stands behind SET. No backslash: it would be
 * read in two ways. */
#define NAME_PATTERN                                                                      \
    "(?:set_config[[:space:]]*[(][[:space:]]*''|set[[:space:]]+(?:session[[:space:]]+)?)" \
    "([a-z_][a-z0-9_$]*[.][a-z0-9_$.]*[a-z0-9_$])"
#define FIRST_USER_OID "16384"

static void
write_names_question(struct buf *sql)
{
    buf_add_text(sql, ";SELECT DISTINCT 'n',m[1],pg_catalog.encode(pg_catalog.convert_to("
                      "pg_catalog.current_setting(m[1],true),pg_catalog.getdatabaseencoding()),'hex') "
                      "FROM pg_catalog.pg_proc,pg_catalog.regexp_matches(prosrc,'" NAME_PATTERN "','gi') m "
                      "WHERE oid OPERATOR(pg_catalog.>=) '" FIRST_USER_OID "'::pg_catalog.oid");
}

/* Whether the answer tells the default of NAME too. Who one is needs no question for that. */
static bool
asks_default(const char *name, enum touch how)
{
    return how == TOUCH_RESET && !is_identity(name);
}

static void
write_question(const struct session_state *state, bool asks_names, struct buf *sql)
{
    struct slice rest = buf_slice(&state->asked);
    bool is_full = (state->asked_flags & SQL_OPAQUE) != 0;
    const char *name;
    enum touch how;

    buf_add_text(sql, "SELECT 'v'");
    while ((name = touched_next(&rest, &how)) != NULL) {
        write_hex(sql, "pg_catalog.current_setting(", name, ",true)");
        if (asks_default(name, how))
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
    buf_add_text(sql, ",name,CASE WHEN source OPERATOR(pg_catalog.=) 'session' THEN "
                      "pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting(name),"
                      "pg_catalog.getdatabaseencoding()),'hex') END FROM pg_catalog.pg_settings "
                      "WHERE (source OPERATOR(pg_catalog.=) 'session' "
                      "OR pg_catalog.strpos(name,'.') OPERATOR(pg_catalog.>) 0) "
                      "AND name OPERATOR(pg_catalog.<>) 'statement_timeout'");
    if (asks_names)
        write_names_question(sql);
}

/* Names of S, those of custom settings only, are asked for as HOW. */
static void
touch_snapshot(struct buf *list, const struct snapshot *s, bool custom_only, enum touch how)
{
    for (size_t i = 0; i < snapshot_count(s); i++) {
        const char *name = snapshot_pair_at(s, i)->name;

        if ((!custom_only || strchr(name, '.') != NULL) && !is_identity(name))
            touched_add(list, name, how);
    }
}

static void
touch_identities(struct buf *list)
{
    touched_add(list, "role", TOUCH_SET);
    touched_add(list, "session_authorization", TOUCH_SET);
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
        if (is_identity(name)) /* RESET ALL does not touch it */
            touched_add(&state->asked, name, how);
        else if (!is_full || strchr(name, '.') != NULL)
            touched_add(&state->asked, name, is_reset ? TOUCH_RESET : how);
    if (is_full)
        touched_add(&state->asked, "statement_timeout", TOUCH_RESET);
    if (is_full || is_reset) {
        touch_snapshot(&state->asked, s->settings, is_full, is_reset ? TOUCH_RESET : TOUCH_SET);
        touch_snapshot(&state->asked, c->floor, is_full, is_reset ? TOUCH_RESET : TOUCH_SET);
    }
    for (unsigned i = 0; is_full && (name = shard_learned_name(c->shard, i)) != NULL; i++)
        touched_add(&state->asked, name, is_reset ? TOUCH_RESET : TOUCH_SET);
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
            suspicion_touch(s->client, pair.name, TOUCH_SET);
        rest = slice_skip(rest, len);
    }
    buf_release(&s->reported);
}

/* Whether the answer may be that C has gone back to what its startup packet says, which the server does not
 * know. */
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
ask(struct server *s, struct session_state *state)
{
    struct client *c = s->client;
    bool is_full = (state->asked_flags & SQL_OPAQUE) != 0;
    struct buf sql;

    state->asked_pins = 0;
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if ((state->asked_flags & (checks[i].makers | SQL_OPAQUE)) != 0 ||
            (c->pins & PIN_BIT(checks[i].reason)) != 0)
            state->asked_pins |= PIN_BIT(checks[i].reason);
    choose_names(c, state);
    buf_release(&state->touched);
    state->is_asking = true;
    state->has_failed = false;
    state->is_too_long = false;
    buf_init(&sql);
    write_question(state,
                   is_full &&
                       shard_names_are_due(c->shard, schema_epoch(s->schema), loop_now_us(c->worker->loop)),
                   &sql);
    buf_add_u8(&sql, '\0');
    server_query(s, (const char *)buf_slice(&sql).at, OWN_READ_BACK);
    buf_release(&sql);
    state->asked_stamp = s->stamp;
    state->asked_notes = state->note_count;
}

void
read_back_ask(struct server *s)
{
    struct client *c = s->client;
    struct session_state *state = session_state_of(s);

    touch_reported(s);
    shard_counters(c->shard)->read_back_count++;
    state->asked_flags = c->suspected;
    state->is_sure = !s->turn.is_unsure;
    state->is_audit = false;
    c->suspected = 0;
    c->server->turn.is_unsure = false;
    ask(s, state);
    s->is_in_question = leads_to_floor(c, state);
}

/* What was reported counts as told: it is followed at the release, as ever. */
void
state_audit(struct server *s)
{
    struct session_state *state = session_state_of(s);

    state->asked_flags = SQL_OPAQUE;
    state->is_audit = true;
    ask(s, state);
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

/* What C has where the server has its default, VALUE. RESET leads back to the startup packet; SET ROLE NONE is another
 * thing than that. */
static const char *
value_of_client(const struct client *c, const char *name, enum touch how, const char *value)
{
    const char *floor = snapshot_value(c->floor, name);

    return floor != NULL && is_identity(name) && how == TOUCH_SET ? value : floor;
}

static bool
read_values(struct server *s, struct row *row, struct answer *a)
{
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
        if (asks_default(name, how) &&
            (!field_next(row, &hex, &is_reset_null) || (reset = answer_text(a, hex)) == NULL))
            return false;
        is_back = asks_default(name, how) ? strcmp(value, reset) == 0 : is_default(s, name, value);
        if (is_null)
            answer_add(a, name, NULL, NULL);
        else if (is_back)
            answer_add(a, name, NULL, value_of_client(s->client, name, how, value));
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

/* The next two fields: a name, and its value in hexadecimal digits; NULL when it has none. Both texts are A's. */
static bool
read_setting(struct row *row, struct answer *a, const char **name, const char **value)
{
    struct slice bytes, hex;
    bool is_null;
    char *copy = a->text + a->used;

    if (!field_next(row, &bytes, &is_null) || a->used + bytes.len + 1 > a->size)
        return false;
    memcpy(copy, bytes.at, bytes.len);
    copy[bytes.len] = '\0';
    a->used += bytes.len + 1;
    *name = copy;
    if (!field_next(row, &hex, &is_null))
        return false;
    *value = is_null ? NULL : answer_text(a, hex);
    return is_null || *value != NULL;
}

bool
answer_has(const struct answer *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (text_equal_nocase(a->of_server[i].name, name))
            return true;
    return false;
}

static bool
read_changed(struct row *row, struct answer *a)
{
    const char *name, *value;

    if (!read_setting(row, a, &name, &value))
        return false;
    if (value != NULL || answer_has(a, name))
        answer_add(a, name, value, value);
    return true;
}

/* What was asked for has its value already. */
static bool
read_name(struct server *s, struct row *row, struct answer *a)
{
    const char *name, *value;

    if (!read_setting(row, a, &name, &value))
        return false;
    shard_learn_name(s->client->shard, name);
    if (value != NULL && value[0] != '\0' && !answer_has(a, name))
        answer_add(a, name, value, value);
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
        else if (slice_is(kind, "n"))
            is_read = read_name(s, &row, a);
        if (!is_read)
            return false;
    }
    return has_values && messages.len == 0;
}

bool
read_back_follow(struct server *s, const struct answer *a)
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
    if (is_full) { /* settings that no view shows may be set there besides */
        s->is_dirty = false;
        settings_suspect_hidden(s, c->id);
    }
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

    if (state->is_audit) { /* whose it is would not be known if it was asked for as the client's */
        s->scrub = SCRUB_ALL;
        s->audited_stamp = state->asked_stamp;
        return;
    }
    if (++state->tries < MOST_TRIES) {
        c->suspected |= state->asked_flags;
        while ((name = touched_next(&rest, &how)) != NULL)
            suspicion_touch(c, name, how);
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

uint32_t
read_back_makers(unsigned pins)
{
    uint32_t makers = 0;

    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if ((pins & PIN_BIT(checks[i].reason)) != 0)
            makers |= checks[i].makers;
    return makers;
}

static void
follow(struct server *s, const struct answer *a)
{
    struct client *c = s->client;
    struct session_state *state = s->session;
    const struct snapshot *before = c->settings;
    unsigned pins = (c->pins & ~state->asked_pins) | a->pins;
    bool is_full = (state->asked_flags & SQL_OPAQUE) != 0;

    state->tries = 0;
    if (!read_back_follow(s, a))
        pins |= PIN_BIT(PIN_SETTINGS);
    else if (is_full || (state->asked_flags & SQL_RESETS_ALL) != 0)
        pins &= ~PIN_BIT(PIN_SETTINGS);
    if ((state->asked_flags & SQL_RESETS_ALL) != 0 && state->is_sure && !is_full)
        pins &= ~PIN_BIT(PIN_COMPUTED);
    if ((state->asked_flags & SQL_COMPUTED) != 0)
        pins |= PIN_BIT(PIN_COMPUTED);
    if ((pins & PIN_BIT(PIN_PREPARE)) == 0)
        state->prepared_flags = 0;
    state_pin(c, pins);
    if (is_full)
        s->audited_stamp = state->asked_stamp;
    audit_learned_ran(s, pins != 0 || c->settings != before);
}

void
state_answered(struct server *s)
{
    struct session_state *state = s->session;
    struct answer a = { .size = buf_len(&state->rows) + 1 };

    state->is_asking = false;
    s->is_in_question = false;
    a.text = mem_new(a.size);
    if (state->has_failed || state->is_too_long || !read_answer(s, &a))
        give_up(s);
    else if (state->is_audit)
        audit_judge(s, &a);
    else
        follow(s, &a);
    free(a.text);
    buf_release(&state->asked);
    buf_release(&state->rows);
}
