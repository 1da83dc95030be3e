/*
 * suspicion.c - what a client's texts may have done to the session: flags, and the names of the settings
 * that they touch.
 */
#include <string.h>
#include <strings.h>

#include "pgweir/pool/audit.h"
#include "prepare_impl.h"
#include "scope_impl.h"
#include "session_state_impl.h"

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

const char *
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

void
touched_add(struct buf *list, const char *name, enum touch how)
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

void
suspicion_touch(struct client *c, const char *name, enum touch how)
{
    struct buf *list = &session_state_of(c->server)->touched;

    if (!is_to_be_followed(name))
        return;
    if (strchr(name, '.') != NULL)
        shard_learn_name(c->shard, name);
    if (touched_count(list) >= MOST_TOUCHED) {
        c->suspected |= SQL_OPAQUE;
        return;
    }
    touched_add(list, name, how);
}

bool
bind_value(struct slice bind, unsigned n, struct slice *out)
{
    struct slice rest;
    unsigned count;

    if (bind.len < SCAN_HEADER) /* it is not there, or not as a whole */
        return false;
    rest = slice_skip(bind, SCAN_HEADER);
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
            suspicion_touch(c, setting->name, setting->how == SQL_BY_RESET ? TOUCH_RESET : TOUCH_SET);
        } else if (bind_value(bind, setting->name_parameter, &value) && value.len < sizeof name) {
            memcpy(name, value.at, value.len);
            name[value.len] = '\0';
            suspicion_touch(c, name, TOUCH_SET);
        } else {
            c->suspected |= HIDING;
        }
    }
}

/* A SET that was refused has not made what is read then a value of the client's own: one that only a superuser may set
 * could not even be brought to the next server. What is the session's own is seen in full. */
void
state_note_error(struct client *c)
{
    if (UNLIKELY((c->suspected & SETTERS) != 0))
        c->suspected |= SQL_OPAQUE;
}

/* TEXT may do anything; what it may set that no view shows can only be asked for by name. */
static void
touch_hidden_names(struct client *c, struct slice text)
{
    char name[SQL_SETTING_NAME_MOST + 1];

    while (sql_next_dotted_name(&text, name, sizeof name))
        suspicion_touch(c, name, TOUCH_SET);
}

/* Which of FLAGS matter to C now. */
static uint32_t
relevant(const struct client *c, uint32_t flags)
{
    const struct session_state *state = c->server->session;
    uint32_t wanted = TELLING;

    if (UNLIKELY((flags & (uint32_t)SQL_DDL) != 0) && scope_makes_temp(c))
        flags |= SQL_TEMP;
    if (!c->asks_sequences)
        wanted &= ~(uint32_t)SQL_NEXTVAL;
    if (c->pins == 0 && (c->suspected & MAKERS) == 0 && (state == NULL || !state->is_asking))
        wanted &= ~(ENDERS & ~(uint32_t)SQL_DISCARDS_ALL);
    return flags & wanted;
}

static void
suspect(struct client *c, uint32_t flags)
{
    struct session_state *state = session_state_of(c->server);

    if ((flags & SQL_EXECUTE) != 0)
        flags |= state->prepared_flags;
    if ((flags & SQL_PREPARE) != 0)
        state->prepared_flags |= (flags & TELLING) |
                                 ((flags & SQL_SET_CONFIG) != 0 ? (uint32_t)SQL_OPAQUE : 0);
    c->suspected |= flags;
    c->server->turn.suspected_stamp = c->stamp + 1;
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

bool
state_query(struct client *c, const struct scan_span *span)
{
    struct slice text = text_of(slice_skip(span->bytes, SCAN_HEADER));
    struct sql_findings f;
    struct pg_error why;
    uint32_t flags;

    if (LIKELY(span->is_last && !c->has_odd_encoding && !c->server->is_attentive && sql_is_harmless(text))) {
        c->server->turn.query_flags = 0;
        return true;
    }
    sql_look(text, !c->has_odd_strings, &f);
    flags = f.flags;
    if (UNLIKELY(c->server->is_attentive) && span->is_last)
        flags |= audit_note(c, text, flags);
    c->server->turn.query_flags = f.is_unterminated ? flags | QUERY_HAS_NO_END : flags;
    if (UNLIKELY((flags & SQL_PATH) != 0))
        scope_note(c, &f, slice_of(NULL, 0));
    if (!span->is_last || UNLIKELY(c->has_odd_encoding && !is_readable(c, text)))
        flags |= SQL_OPAQUE;
    if (LIKELY((flags & (TELLING | PINNING)) == 0))
        return true;
    if (is_pinning_refused(c, flags, &why) || sequences_are_refused(c, flags, &why)) {
        send_failure_of_query(c, &why);
        return false;
    }
    flags = relevant(c, flags);
    if (flags == 0)
        return true;
    suspect(c, flags);
    touch_settings(c, &f, slice_of(NULL, 0));
    if (UNLIKELY((flags & SQL_OPAQUE) != 0))
        touch_hidden_names(c, text);
    return true;
}

bool
state_bind(struct client *c, const struct statement *st, const struct scan_span *span, struct pg_error *why)
{
    uint32_t flags = st->findings;
    struct sql_findings f;

    if (UNLIKELY(c->server->is_attentive))
        flags |= audit_note(c, statement_text(st), flags);
    if (UNLIKELY(c->has_odd_encoding && !is_readable(c, statement_text(st))))
        flags |= SQL_OPAQUE;
    if (LIKELY((flags & (TELLING | PINNING | SQL_PATH)) == 0))
        return true;
    if ((flags & SQL_PATH) != 0) {
        sql_look(statement_text(st), !c->has_odd_strings, &f);
        scope_note(c, &f, span->is_last ? span->bytes : slice_of(NULL, 0));
    }
    if (is_pinning_refused(c, flags, why) || sequences_are_refused(c, flags, why))
        return false;
    flags = relevant(c, flags);
    if (flags == 0)
        return true;
    suspect(c, flags);
    if (UNLIKELY((flags & SQL_OPAQUE) != 0))
        touch_hidden_names(c, statement_text(st));
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
        if (UNLIKELY(c->server->is_attentive) && span->is_last)
            flags |= audit_note(c, text, f.flags);
    }
    if (sequences_are_refused(c, flags, why))
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
