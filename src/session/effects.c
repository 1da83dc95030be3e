/* effects.c - see effects_impl.h: what became of the messages that were sent. */
#include "effects_impl.h"

#include <stdlib.h>
#include <string.h>

#include "prepare_impl.h"
#include "prepared_impl.h"
#include "sql_names_impl.h"

static void
forget_wipe(struct server *s, const struct owed *o)
{
    if (o->may_wipe && s->client != NULL)
        s->turn.wipes_owed--;
}

static void
end_asking(struct server *s, struct owed *o)
{
    struct parsed *parsed = parsed_find(s, o->of_server);

    if (parsed != NULL && parsed->asked_stamp == o->server_stamp)
        parsed->asked_stamp = 0;
    statement_drop(o->of_server);
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
        name_drop(o->of_client);
        break;
    case EFFECT_ASKED:
        end_asking(s, o);
        break;
    case EFFECT_DESCRIBED:
        if (o->of_client != NULL)
            name_meant(o->of_client)->told_owed--;
        name_drop(o->of_client);
        break;
    case EFFECT_NAME_REMOVED:
    case EFFECT_NAME_USED:
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
    case EFFECT_DEALLOCATES:
        name_drop(o->of_client);
        break;
    case EFFECT_SQL:
        name_drop(o->of_client);
        sql_names_free(o->of_server);
        break;
    case EFFECT_REFUSE: /* it should have failed */
        free(o->of_client);
        break;
    }
}

/* The client's unnamed statement is N (a reference, which moves in) in place of what O, undone now, has made of it; a later message, still owed, may
 * have changed it since. */
static void
restore_unnamed(struct server *s, struct client_name *n)
{
    struct client *c = s->client;

    for (uint32_t i = s->ledger.skipped; i < s->ledger.count; i++) {
        struct owed *o = ledger_entry(&s->ledger, i);

        if (o->kind == OWED_COPY_END || (o->effect != EFFECT_UNNAMED_SET &&
                                         o->effect != EFFECT_UNNAMED_CLOSED && o->effect != EFFECT_SQL))
            continue;
        name_drop(o->of_client);
        o->of_client = n;
        return;
    }
    if (c == NULL) {
        name_drop(n);
        return;
    }
    name_drop(c->unnamed);
    c->unnamed = n;
}

/* What the client would have been told it was not. */
static void
undo_described(struct owed *o)
{
    struct client_name *n = name_meant(o->of_client);

    if (n != NULL) {
        n->told_owed--;
        n->epoch = SCHEMA_LONG_AGO;
    }
    name_drop(o->of_client);
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
        name_drop(o->of_client);
        break;
    case EFFECT_ASKED:
        end_asking(s, o);
        break;
    case EFFECT_DESCRIBED:
        undo_described(o);
        break;
    case EFFECT_NAME_REMOVED:
        if (o->of_client != NULL && c != NULL)
            name_put(c, o->of_client);
        break;
    case EFFECT_NAME_USED:
    case EFFECT_DEALLOCATES:
        name_drop(o->of_client);
        break;
    case EFFECT_SQL:
        sql_names_free(o->of_server);
        server_set_unnamed(s, NULL, 0);
        restore_unnamed(s, o->of_client);
        break;
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
        /* A Parse that fails has dropped the old one already; one that is skipped has not. */
        server_set_unnamed(s, NULL, 0);
        if (failed) {
            name_drop(o->of_client);
            o->of_client = NULL;
            if (c != NULL && c->unnamed == NULL)
                c->is_unnamed_unkept = false;
        }
        restore_unnamed(s, o->of_client);
        break;
    case EFFECT_EVICTED:
        s->closes_owed--;
        if (set_find(s, o->of_server) == NULL)
            set_add(s, o->of_server, o->client_stamp, SCHEMA_LONG_AGO);
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

/* TEXT, the message of an error about N, in the client's words; false: there is nothing of ours in it. */
static bool
reword_name(const struct client_name *n, const char *ours, const char *text, struct buf *out)
{
    const char *at = sql_names_find(text, ours);

    if (at == NULL)
        return false;
    buf_add(out, slice_of(text, (size_t)(at - text)));
    buf_add_text(out, n->name);
    buf_add_textz(out, at + strlen(ours));
    return true;
}

static bool
reword_field(const struct owed *o, const char *text, struct buf *out)
{
    const struct client_name *n = o->of_client;

    if (o->effect == EFFECT_SQL)
        return sql_names_reword(o->of_server, text + 1, text[0], out);
    if (text[0] != 'M')
        return false;
    if (o->effect == EFFECT_DEALLOCATES)
        return reword_name(n, SQL_STAND_IN, text + 1, out);
    return reword_name(n, n->statement->name, text + 1, out) ||
           (n->target != NULL && reword_name(n->target, n->target->statement->name, text + 1, out));
}

static bool
tells_names(const struct owed *o)
{
    switch ((enum effect)o->effect) {
    case EFFECT_NAME_USED:
    case EFFECT_DESCRIBED:
    case EFFECT_DEALLOCATES:
        return o->of_client != NULL;
    case EFFECT_SQL:
        return o->of_server != NULL;
    case EFFECT_NONE:
    case EFFECT_NAME_ADDED:
    case EFFECT_NAME_REMOVED:
    case EFFECT_ASKED:
    case EFFECT_UNNAMED_SET:
    case EFFECT_UNNAMED_CLOSED:
    case EFFECT_ADDED:
    case EFFECT_EVICTED:
    case EFFECT_CLOSED:
    case EFFECT_REFUSE:
        break;
    }
    return false;
}

bool
prepared_reword(const struct owed *o, struct slice message, struct buf *out)
{
    struct slice rest = slice_skip(message, SCAN_HEADER);
    bool is_reworded = false;

    if (o->effect == EFFECT_REFUSE && o->kind == OWED_QUERY && o->of_client != NULL) {
        build_error(out, o->of_client);
        return true;
    }
    if (!tells_names(o))
        return false;
    buf_add_u8(out, 'E');
    buf_add_be32(out, 0);
    while (rest.len > 0 && rest.at[0] != '\0' && memchr(rest.at, '\0', rest.len) != NULL) {
        const char *text = (const char *)rest.at;
        size_t len = strlen(text) + 1;

        buf_add_u8(out, (uint8_t)text[0]);
        if (reword_field(o, text, out))
            is_reworded = true;
        else
            buf_add(out, slice_of(text + 1, len - 1));
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
        case EFFECT_DESCRIBED:
        case EFFECT_UNNAMED_SET:
        case EFFECT_UNNAMED_CLOSED:
        case EFFECT_ADDED:
        case EFFECT_DEALLOCATES:
            name_drop(o->of_client);
            break;
        case EFFECT_SQL:
            name_drop(o->of_client);
            sql_names_free(o->of_server);
            o->of_server = NULL;
            break;
        case EFFECT_REFUSE:
            free(o->of_client);
            break;
        case EFFECT_NONE:
        case EFFECT_NAME_ADDED:
        case EFFECT_ASKED:
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
    set_forget_before(s, o->server_stamp);
    if (c != NULL)
        names_forget_before(c, o->client_stamp);
}
