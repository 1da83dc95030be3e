/*
 * sql_watch.c - what may stand anywhere in a statement: calls of functions that leave something in the
 * session,
 * INTO TEMP, UPDATE pg_settings, names in pg_temp; and the depth of parentheses.
 */
#include "sql_look_impl.h"

/* clang-format off */
#define CALLS(X)                                              \
    X("set_config",                  SQL_SET_CONFIG)          \
    X("set_limit",                   SQL_OPAQUE)              \
    X("currval",                     SQL_CURRVAL)             \
    X("lastval",                     SQL_CURRVAL)             \
    X("nextval",                     SQL_NEXTVAL)             \
    X("setval",                      SQL_NEXTVAL)             \
    X("setseed",                     SQL_SETSEED)             \
    X("pg_advisory_lock",            SQL_ADVISORY_LOCK)       \
    X("pg_advisory_lock_shared",     SQL_ADVISORY_LOCK)       \
    X("pg_try_advisory_lock",        SQL_ADVISORY_LOCK)       \
    X("pg_try_advisory_lock_shared", SQL_ADVISORY_LOCK)       \
    X("pg_advisory_unlock",          SQL_ADVISORY_UNLOCK)     \
    X("pg_advisory_unlock_shared",   SQL_ADVISORY_UNLOCK)     \
    X("pg_advisory_unlock_all",      SQL_ADVISORY_UNLOCK)
/* clang-format on */

#define CALL_ROW(word, found) { word, sizeof(word) - 1, found },
#define CALL_LENGTH(word, found) | UINT32_C(1) << (sizeof(word) - 1)

static const struct {
    const char *word;
    size_t len;
    uint32_t flags;
} calls[] = { CALLS(CALL_ROW) };

static const uint32_t call_lengths = 0 CALLS(CALL_LENGTH);

uint32_t
look_flags_of_call(struct slice name, bool is_quoted)
{
    if (name.len >= 32 || (call_lengths >> name.len & 1) == 0)
        return 0;
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        if (calls[i].len == name.len &&
            (is_quoted ? slice_is(name, calls[i].word) : text_is(name, calls[i].word)))
            return calls[i].flags;
    return 0;
}

/* A parenthesis opens behind the name l->prev. */
static inline void
on_call(struct look *l)
{
    bool is_quoted = l->prev.kind == SQL_QUOTED_NAME;
    struct slice name = l->prev.text;
    uint32_t found;

    if (is_quoted && name.len >= 2)
        name = slice_of(name.at + 1, name.len - 2);
    found = look_flags_of_call(name, is_quoted);
    if (LIKELY(found == 0))
        return;
    if (found != SQL_SET_CONFIG) {
        look_flag(l, found);
    } else if (l->call_count == CALLS_MOST) {
        look_flag(l, found | (uint32_t)SQL_COMPUTED);
        look_give_up(l);
    } else {
        l->calls[l->call_count++] = (struct call){ .depth = l->depth + 1 };
    }
}

/* Whether the token may stand at POSITION of an argument that is one literal or parameter, cast or not. */
static bool
is_plain_at(const struct sql_token *t, unsigned position)
{
    if (position == 0)
        return t->kind == SQL_STRING || t->kind == SQL_PARAMETER || sql_token_is(t, "true");
    if (position % 2 == 1)
        return is_punctuation(t, "::");
    return sql_token_is(t, "text") || sql_token_is(t, "varchar") || sql_token_is(t, "bool") ||
           sql_token_is(t, "boolean");
}

/* Whether a token is TRUE, or a string that bool accepts for it. */
static bool
is_true(const struct look *l, const struct sql_token *t)
{
    static const char *const spellings[] = { "t", "true", "y", "yes", "on", "1" };
    char text[8];

    if (sql_token_is(t, "true"))
        return true;
    if (!sql_string_read(t, l->scan.standard_strings, text, sizeof text))
        return false;
    for (size_t i = 0; i < COUNT_OF(spellings); i++)
        if (text_is(slice_of_text(text), spellings[i]))
            return true;
    return false;
}

/* set_config() of search_path, to a value that can be told apart from others. */
static void
note_path(struct look *l, const struct call *call)
{
    char name[16];

    if (call->value.kind == SQL_END ||
        !sql_string_read(&call->name, l->scan.standard_strings, name, sizeof name) ||
        !text_is(slice_of_text(name), "search_path"))
        return;
    look_flag(l, SQL_PATH);
    l->out->path_parameter = sql_parameter_read(&call->value);
    l->out->path = l->out->path_parameter != 0 ? slice_of(NULL, 0) : call->value.text;
}

/* The innermost call of set_config() has ended. */
static void
call_end(struct look *l)
{
    const struct call *call = &l->calls[--l->call_count];
    bool is_complete = call->argument == 2 && call->position > 0;
    struct sql_setting *setting;

    if (is_complete)
        note_path(l, call);
    if (is_complete && is_true(l, &call->local)) {
        look_flag(l, SQL_SET_CONFIG_LOCAL);
        return;
    }
    look_flag(l, SQL_SET_CONFIG);
    setting = look_begin_setting(l, SQL_BY_SET_CONFIG);
    if (setting == NULL) {
        look_flag(l, SQL_COMPUTED); /* as good as that: nobody keeps its name */
        return;
    }
    if (is_complete)
        setting->local_parameter = sql_parameter_read(&call->local);
    setting->name_parameter = sql_parameter_read(&call->name);
    if (setting->name_parameter == 0 &&
        !sql_string_read(&call->name, l->scan.standard_strings, setting->name, sizeof setting->name)) {
        look_flag(l, SQL_COMPUTED);
        look_give_up(l);
    } else {
        look_keep_setting(l, setting);
    }
}

static void
plain_feed(struct sql_token *argument, const struct sql_token *t, unsigned position)
{
    if (!is_plain_at(t, position))
        argument->kind = SQL_END;
    else if (position == 0)
        *argument = *t;
}

/* Another token while a call of set_config() is open. */
static void
call_feed(struct look *l)
{
    struct call *call = &l->calls[l->call_count - 1];

    if (call->depth != l->depth)
        return;
    if (is_punctuation(&l->t, ")")) {
        call_end(l);
    } else if (is_punctuation(&l->t, ",")) {
        call->argument++;
        call->position = 0;
    } else {
        if (call->argument == 0)
            plain_feed(&call->name, &l->t, call->position);
        if (call->argument == 1)
            plain_feed(&call->value, &l->t, call->position);
        if (call->argument == 2)
            plain_feed(&call->local, &l->t, call->position);
        call->position++;
    }
}

/* pg_temp, or the pg_temp_3 that it stands for. */
static bool
is_temp_schema(const struct sql_token *t)
{
    char name[SQL_NAME_MOST + 1];

    return sql_name_read(t, name, sizeof name) &&
           (strcmp(name, "pg_temp") == 0 || strncmp(name, "pg_temp_", strlen("pg_temp_")) == 0);
}

/* Behind SELECT … INTO. */
static void
on_into(struct look *l)
{
    if (sql_token_is(&l->t, "local") || sql_token_is(&l->t, "global") || sql_token_is(&l->t, "unlogged") ||
        sql_token_is(&l->t, "table"))
        return;
    l->watch = WATCH_NOT;
    if (sql_token_is(&l->t, "temp") || sql_token_is(&l->t, "temporary") || is_temp_schema(&l->t))
        look_flag(l, SQL_TEMP);
    else
        look_flag(l, SQL_DDL);
}

/* Behind UPDATE [ONLY]. */
static void
on_update(struct look *l)
{
    char name[SQL_NAME_MOST + 1];

    if (is_punctuation(&l->t, "."))
        return;
    if (!sql_name_read(&l->t, name, sizeof name) || sql_token_is(&l->t, "set"))
        l->watch = WATCH_NOT;
    else if (strcmp(name, "pg_settings") == 0)
        look_flag(l, SQL_SET_CONFIG | SQL_OPAQUE); /* the view's rule calls set_config() */
}

/* A token while something is watched for. */
static void
watch_feed(struct look *l)
{
    switch (l->watch) {
    case WATCH_NOT:
        break;
    case WATCH_INTO:
        on_into(l);
        break;
    case WATCH_UPDATE:
        on_update(l);
        break;
    case WATCH_CREATE:
        if (is_name(&l->t) && is_temp_schema(&l->t))
            look_flag(l, SQL_TEMP);
        break;
    }
}

/* A word that begins with I or U. */
static void
on_watched_word(struct look *l)
{
    if (l->watch == WATCH_CREATE || is_punctuation(&l->prev, "."))
        return;
    if (sql_token_is(&l->t, "update"))
        l->watch = WATCH_UPDATE;
    else if (sql_token_is(&l->t, "into") && !sql_token_is(&l->prev, "insert") &&
             !sql_token_is(&l->prev, "merge"))
        l->watch = WATCH_INTO;
}

void
look_at_token(struct look *l)
{
    uint8_t c = l->t.text.at[0];

    if (l->call_count != 0)
        call_feed(l);
    if (l->watch != WATCH_NOT)
        watch_feed(l);
    switch (l->t.kind) {
    case SQL_PUNCTUATION:
        if (c == '(' && is_name(&l->prev))
            on_call(l);
        if (c == '(' || c == '[')
            l->depth++;
        else if ((c == ')' || c == ']') && l->depth > 0)
            l->depth--;
        break;
    case SQL_WORD:
        if (fold(c) == 'i' || fold(c) == 'u')
            on_watched_word(l);
        break;
    case SQL_QUOTED_NAME:
        if (c != '"')
            look_flag(l, SQL_OPAQUE); /* U&"…" may spell anything */
        break;
    case SQL_STRING:
    case SQL_NUMBER:
    case SQL_PARAMETER:
    case SQL_SEMICOLON:
    case SQL_END:
        break;
    }
}
