/*
 * sql_findings.c - what statements do to the session that runs them.
 *
 *     text -> token_next() -> advance() -> statement: the head word's handler, then its rest
 *                                |
 *                                +-> sql_watch.c: calls, INTO TEMP, pg_settings, the depth of parentheses
 *
 *     advance() takes one token and feeds what is watched for anywhere in a statement.
 *     A handler takes as many tokens as its statement's grammar needs and never passes the statement's end.
 *
 * PostgreSQL parses a text as a whole before it runs any of it: behind a syntax error findings do not matter,
 * and one handler need not ask whether the rest of its statement is sound.
 */
#include "sql_look_impl.h"

struct sql_setting *
look_begin_setting(struct look *l, enum sql_how how)
{
    struct sql_setting *setting = &l->out->settings[l->out->setting_count];

    if (l->out->setting_count == SQL_SETTINGS_MOST) {
        look_give_up(l);
        return NULL;
    }
    setting->how = how;
    setting->name_parameter = 0;
    setting->local_parameter = 0;
    setting->name[0] = '\0';
    return setting;
}

void
look_keep_setting(struct look *l, struct sql_setting *setting)
{
    for (char *c = setting->name; *c != '\0'; c++)
        *c = (char)fold((uint8_t)*c);
    l->out->setting_count++;
    if (strcmp(setting->name, "seed") == 0)
        look_flag(l, SQL_SETSEED);
}

static void
setting_add(struct look *l, enum sql_how how, const char *name)
{
    struct sql_setting *setting = look_begin_setting(l, how);

    if (setting == NULL)
        return;
    memcpy(setting->name, name, strlen(name) + 1);
    look_keep_setting(l, setting);
}

/* The token at hand names a prepared statement. */
static void
named_add(struct look *l, enum sql_verb verb)
{
    struct sql_named *named = &l->out->named[l->out->named_count];

    if (l->out->named_count == SQL_NAMED_MOST || !sql_name_read(&l->t, named->name, sizeof named->name)) {
        l->out->named_are_partial = true;
        return;
    }
    named->verb = verb;
    named->at = (size_t)(l->t.text.at - l->text);
    named->len = l->t.text.len;
    l->out->named_count++;
}

/* Takes one token. */
static void
advance(struct look *l)
{
    l->prev = l->t;
    l->scan.at = token_next(&l->scan, l->scan.at, &l->t);
    if (l->t.kind != SQL_END)
        look_at_token(l);
}

static inline bool
is_at_end(const struct look *l)
{
    return l->t.kind == SQL_END || (l->t.kind == SQL_SEMICOLON && l->depth == 0);
}

/* advance() for the handlers, which do not run often: it stays at the statement's end. */
static void
step(struct look *l)
{
    if (!is_at_end(l))
        advance(l);
}

static bool
is_at(const struct look *l, const char *word)
{
    return sql_token_is(&l->t, word);
}

static bool
is_at_one_of(const struct look *l, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_at(l, words[i]))
            return true;
    return false;
}

/*
 * Handlers. Each begins with its head word at hand.
 */

/* Before what a setting is set to, or between the parts of its name: then what stands before is no key
 * word. */
static bool
is_behind_name(const struct look *l)
{
    return is_at(l, "to") || is_punctuation(&l->t, "=") || is_punctuation(&l->t, ".");
}

/* Adds the setting whose name begins with FIRST and goes on at the token at hand. */
static void
setting_add_parts(struct look *l, enum sql_how how, const struct sql_token *first)
{
    struct sql_setting *setting = look_begin_setting(l, how);
    struct sql_token part = *first;
    size_t len = 0;

    if (setting == NULL)
        return;
    for (;;) {
        if (!sql_name_read(&part, setting->name + len, sizeof setting->name - len)) {
            look_give_up(l);
            return;
        }
        len += strlen(setting->name + len);
        if (!is_punctuation(&l->t, "."))
            break;
        if (len + 1 >= sizeof setting->name) {
            look_give_up(l);
            return;
        }
        setting->name[len++] = '.';
        step(l);
        part = l->t;
        step(l);
    }
    look_keep_setting(l, setting);
}

/* Whether DEFAULT is all that a setting is set to; the token at hand is the one behind its name. Nothing is taken. */
static bool
is_set_to_default(const struct look *l)
{
    struct sql_scan ahead = l->scan;
    struct sql_token value = l->t;

    if (is_at(l, "to") || is_punctuation(&l->t, "="))
        sql_next(&ahead, &value);
    return sql_token_is(&value, "default");
}

/* Forms of SET and RESET that say their setting's name in their own words. */
static const struct {
    const char *word;
    const char *setting; /* NULL: nothing that outlives the transaction */
} special_sets[] = {
    { "transaction", NULL }, { "constraints", NULL },
    { "time", "timezone" },  { "names", "client_encoding" },
    { "role", "role" },      { "schema", "search_path" },
    { "xml", "xmloption" },  { "authorization", "session_authorization" },
};

static const char *const characteristics[] = {
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
};

/* SET [LOCAL] of search_path, whose name is T; what it is set to is at hand, and goes on to the statement's end. */
static void
note_path(struct look *l, const struct sql_token *t)
{
    const uint8_t *from = l->t.text.at;
    char name[16];

    if (!sql_name_read(t, name, sizeof name) ||
        !(text_is(slice_of_text(name), "search_path") || text_is(slice_of_text(name), "schema")))
        return;
    while (!is_at_end(l))
        step(l);
    look_flag(l, SQL_PATH);
    l->out->path_parameter = 0;
    l->out->path = slice_of(from, (size_t)(l->t.text.at - from));
}

static void
on_set_local(struct look *l)
{
    struct sql_token word = l->t;

    step(l);
    if (!is_punctuation(&l->t, "."))
        note_path(l, &word);
}

static void
on_set(struct look *l)
{
    struct sql_token word;

    step(l);
    do { /* SESSION twice: SET SESSION SESSION AUTHORIZATION */
        word = l->t;
        step(l);
    } while (sql_token_is(&word, "session") && is_name(&l->t) && !is_behind_name(l));
    if (sql_token_is(&word, "local") && !is_behind_name(l)) {
        on_set_local(l);
        return;
    }
    if (is_behind_name(l)) {
        bool has_parts = is_punctuation(&l->t, ".");
        unsigned before = l->out->setting_count;

        look_flag(l, SQL_SETS);
        setting_add_parts(l, SQL_BY_SET, &word);
        if (l->out->setting_count > before && is_set_to_default(l))
            l->out->settings[before].how = SQL_BY_RESET;
        if (!has_parts)
            note_path(l, &word);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(special_sets); i++) {
        if (!sql_token_is(&word, special_sets[i].word))
            continue;
        if (special_sets[i].setting != NULL) {
            look_flag(l, SQL_SETS);
            setting_add(l, SQL_BY_SET, special_sets[i].setting);
            note_path(l, &word);
        }
        return;
    }
    look_flag(l, SQL_SETS);
    if (sql_token_is(&word, "characteristics"))
        for (size_t i = 0; i < COUNT_OF(characteristics); i++)
            setting_add(l, SQL_BY_SET, characteristics[i]);
    else
        look_give_up(l); /* no SET that PostgreSQL has had so far */
}

/* The body of DO: $tag$…$tag$. Only what a probe of the session cannot find out is looked for. */
static void
body_look(struct look *l)
{
    struct slice quoted = l->t.text;
    const uint8_t *tag_end = memchr(quoted.at + 1, '$', quoted.len - 1);
    size_t tag_len = tag_end == NULL ? 0 : (size_t)(tag_end - quoted.at) + 1;
    struct sql_findings found = { 0 };
    struct look body = { .out = &found };

    if (tag_len == 0 || quoted.len < 2 * tag_len)
        return;
    sql_scan_init(&body.scan, slice_of(quoted.at + tag_len, quoted.len - 2 * tag_len),
                  l->scan.standard_strings);
    body.text = body.scan.at;
    do {
        advance(&body);
    } while (body.t.kind != SQL_END);
    look_flag(l, found.flags & (uint32_t)SQL_COMPUTED);
}

static void
on_do(struct look *l)
{
    for (; !is_at_end(l); step(l))
        if (l->t.kind == SQL_STRING && l->t.text.at[0] == '$')
            body_look(l);
}

static void
on_reset(struct look *l)
{
    struct sql_token word;

    step(l);
    word = l->t;
    step(l);
    if (sql_token_is(&word, "all"))
        look_flag(l, SQL_RESETS_ALL);
    else if (sql_token_is(&word, "session") && is_at(l, "authorization"))
        setting_add(l, SQL_BY_RESET, "session_authorization");
    else if (sql_token_is(&word, "time") && is_at(l, "zone"))
        setting_add(l, SQL_BY_RESET, "timezone");
    else if (sql_token_is(&word, "transaction") && is_at(l, "isolation"))
        setting_add(l, SQL_BY_RESET, "transaction_isolation");
    else
        setting_add_parts(l, SQL_BY_RESET, &word);
}

static void
on_discard(struct look *l)
{
    step(l);
    if (is_at(l, "all"))
        look_flag(l, SQL_DISCARDS_ALL);
}

static void
on_prepare(struct look *l)
{
    struct sql_scan ahead;
    struct sql_token next;

    step(l);
    ahead = l->scan;
    if (is_at(l, "transaction") && sql_next(&ahead, &next) == SQL_STRING) {
        look_flag(l, SQL_COMMIT);
        return;
    }
    look_flag(l, SQL_PREPARE);
    named_add(l, SQL_BY_PREPARE);
}

static void
on_execute(struct look *l)
{
    step(l);
    named_add(l, SQL_BY_EXECUTE);
}

static void
on_deallocate(struct look *l)
{
    struct sql_scan ahead;
    struct sql_token next;

    step(l);
    ahead = l->scan;
    sql_next(&ahead, &next);
    if (is_at(l, "prepare") && is_name(&next)) /* else that is the statement's name */
        step(l);
    if (is_at(l, "all"))
        look_flag(l, SQL_DEALLOCATE_ALL);
    else
        named_add(l, SQL_BY_DEALLOCATE);
}

/* DECLARE name … CURSOR [WITH HOLD] FOR query. */
static void
on_declare(struct look *l)
{
    for (; !is_at_end(l) && !is_at(l, "for"); step(l))
        if (is_at(l, "hold") && sql_token_is(&l->prev, "with"))
            look_flag(l, SQL_HOLD_CURSOR);
}

/* [WORK | TRANSACTION] [AND [NO] CHAIN], and what is only half an end of a transaction. */
static void
on_transaction_end(struct look *l, enum sql_flag how)
{
    step(l);
    if (is_at(l, "prepared"))
        return; /* ends a transaction of no session */
    for (; !is_at_end(l); step(l)) {
        if (is_at(l, "to"))
            return; /* a savepoint */
        if (is_at(l, "chain") && sql_token_is(&l->prev, "and"))
            look_flag(l, SQL_BEGIN);
    }
    look_flag(l, how);
}

static void
on_commit(struct look *l)
{
    on_transaction_end(l, SQL_COMMIT);
}

static void
on_rollback(struct look *l)
{
    on_transaction_end(l, SQL_ROLLBACK);
}

static void
on_start(struct look *l)
{
    step(l);
    if (is_at(l, "transaction"))
        look_flag(l, SQL_BEGIN);
}

/* Words behind CREATE, ALTER and DROP that begin the name of a kind of object which no query's result
 * depends on. */
static const char *const shapeless[] = {
    "access",    "collation", "constraint", "conversion",   "database", "default",     "event",
    "group",     "index",     "language",   "large",        "policy",   "publication", "role",
    "sequence",  "server",    "statistics", "subscription", "system",   "tablespace",  "text",
    "transform", "trigger",   "unique",     "user",
};

static void
on_alter_or_drop(struct look *l)
{
    step(l);
    if (!is_at_one_of(l, shapeless, COUNT_OF(shapeless)))
        look_flag(l, SQL_DDL);
}

/* CREATE TABLE name … [ON COMMIT DROP] [AS EXECUTE statement]: the first AS outside of parentheses. A temporary
 * table that its transaction drops is not one that the session keeps. */
static void
on_create_table(struct look *l, bool is_temp)
{
    bool was_temp = (l->out->flags & (uint32_t)SQL_TEMP) != 0; /* by another statement */

    if (is_temp)
        look_flag(l, SQL_TEMP);
    for (; !is_at_end(l); step(l)) {
        if (l->depth == 0 && is_at(l, "drop") && sql_token_is(&l->prev, "commit") && !was_temp)
            l->out->flags &= ~(uint32_t)SQL_TEMP;
        if (l->depth > 0 || !is_at(l, "as"))
            continue;
        step(l);
        if (is_at(l, "execute")) {
            look_flag(l, SQL_EXECUTE);
            on_execute(l);
        }
        return;
    }
}

/* CREATE FUNCTION … BEGIN ATOMIC statement; … END: the END that stands where a statement could. */
static void
on_create_routine(struct look *l)
{
    bool is_in_body = false, is_first = false;

    for (;; advance(l)) {
        if (l->t.kind == SQL_END || (!is_in_body && is_at_end(l)))
            return;
        if (l->depth > 0)
            continue;
        if (is_in_body && is_first && is_at(l, "end"))
            return;
        is_first = l->t.kind == SQL_SEMICOLON;
        if (!is_in_body && is_at(l, "atomic") && sql_token_is(&l->prev, "begin"))
            is_in_body = is_first = true;
    }
}

static void
on_create(struct look *l)
{
    static const char *const adjectives[] = { "or",        "replace",  "local",     "global",  "temp",
                                              "temporary", "unlogged", "recursive", "trusted", "procedural" };
    bool is_temp = false;

    l->watch = WATCH_CREATE;
    for (step(l); is_at_one_of(l, adjectives, COUNT_OF(adjectives)); step(l))
        is_temp = is_temp || is_at(l, "temp") || is_at(l, "temporary");
    if (!is_temp && !is_at_one_of(l, shapeless, COUNT_OF(shapeless)))
        look_flag(l, SQL_DDL);
    if (is_at(l, "table")) {
        on_create_table(l, is_temp);
        return;
    }
    if (is_temp)
        look_flag(l, SQL_TEMP);
    if (is_at(l, "function") || is_at(l, "procedure"))
        on_create_routine(l);
}

static void on_explain(struct look *l);

/* What a statement's first word says. The common ones stand first. */
/* clang-format off */
static const struct head {
    const char *word;
    size_t len;
    uint32_t flags;
    void (*on)(struct look *l); /* NULL: the flags are all */
} heads[] = {
#define HEAD(word, flags, on) { word, sizeof(word) - 1, flags, on }
    HEAD("select",     0,                NULL),
    HEAD("insert",     0,                NULL),
    HEAD("update",     0,                NULL),
    HEAD("delete",     0,                NULL),
    HEAD("with",       0,                NULL),
    HEAD("begin",      SQL_BEGIN,        NULL),
    HEAD("commit",     0,                on_commit),
    HEAD("set",        0,                on_set),
    HEAD("abort",      0,                on_rollback),
    HEAD("alter",      0,                on_alter_or_drop),
    HEAD("call",       SQL_OPAQUE,       NULL),
    HEAD("close",      SQL_CLOSE_CURSOR, NULL),
    HEAD("copy",       SQL_COPY,         NULL),
    HEAD("create",     0,                on_create),
    HEAD("deallocate", SQL_DEALLOCATE,   on_deallocate),
    HEAD("declare",    0,                on_declare),
    HEAD("discard",    SQL_DISCARDS,     on_discard),
    HEAD("do",         SQL_OPAQUE,       on_do),
    HEAD("drop",       0,                on_alter_or_drop),
    HEAD("end",        0,                on_commit),
    HEAD("execute",    SQL_EXECUTE,      on_execute),
    HEAD("explain",    0,                on_explain),
    HEAD("import",     SQL_DDL,          NULL),
    HEAD("listen",     SQL_LISTEN,       NULL),
    HEAD("load",       SQL_LOAD,         NULL),
    HEAD("prepare",    0,                on_prepare),
    HEAD("reset",      SQL_RESETS,       on_reset),
    HEAD("rollback",   0,                on_rollback),
    HEAD("start",      0,                on_start),
    HEAD("unlisten",   SQL_UNLISTEN,     NULL),
#undef HEAD
};
/* clang-format on */

static const struct head *
head_of(const struct sql_token *t)
{
    for (size_t i = 0; t->kind == SQL_WORD && i < COUNT_OF(heads); i++)
        if (heads[i].len == t->text.len && text_is(t->text, heads[i].word))
            return &heads[i];
    return NULL;
}

static void
on_head(struct look *l, const struct head *head)
{
    look_flag(l, head->flags);
    if (head->on != NULL)
        head->on(l);
}

/* EXPLAIN [ANALYZE] [VERBOSE] statement, EXPLAIN (option, …) statement: it may be run. */
static void
on_explain(struct look *l)
{
    const struct head *head;

    step(l);
    if (is_punctuation(&l->t, "(")) {
        while (!is_at_end(l) && l->depth > 0)
            step(l);
        step(l);
    }
    while (is_at(l, "analyze") || is_at(l, "analyse") || is_at(l, "verbose"))
        step(l);
    head = head_of(&l->t);
    if (head != NULL && head->on != on_explain)
        on_head(l, head);
}

/* First bytes of the tokens that look_at_token() does something about. */
static const bool is_watched[256] = {
    ['('] = true, [')'] = true, ['['] = true, [']'] = true, ['U'] = true,
    ['u'] = true, ['I'] = true, ['i'] = true, [';'] = true,
};

/* advance() to the statement's end. Most texts pass through here: what nobody looks at stays in registers. */
static void
rest_look(struct look *l)
{
    const uint8_t *p = l->scan.at;
    struct sql_token t = l->t, prev = l->prev;

    while (t.kind != SQL_END && (t.kind != SQL_SEMICOLON || l->depth > 0)) {
        prev = t;
        p = token_next(&l->scan, p, &t);
        if (t.kind != SQL_END && (is_watched[t.text.at[0]] || l->call_count != 0 || l->watch != WATCH_NOT)) {
            l->prev = prev;
            l->t = t;
            look_at_token(l);
        }
    }
    l->prev = prev;
    l->t = t;
    l->scan.at = p;
}

/* The statement whose first token is at hand, to its end. */
static void
statement_look(struct look *l)
{
    const struct head *head = head_of(&l->t);

    if (head != NULL)
        on_head(l, head);
    rest_look(l);
}

static void
statement_begin(struct look *l)
{
    l->depth = 0;
    l->watch = WATCH_NOT;
    l->call_count = 0;
    advance(l);
}

void
sql_look(struct slice sql, bool standard_strings, struct sql_findings *out)
{
    struct look l;

    l.t = (struct sql_token){ 0 };
    l.out = out;
    sql_scan_init(&l.scan, sql, standard_strings);
    l.text = l.scan.at;
    out->flags = 0;
    out->statements = 0;
    out->settings_are_partial = false;
    out->named_are_partial = false;
    out->setting_count = 0;
    out->named_count = 0;
    for (statement_begin(&l); l.t.kind != SQL_END; statement_begin(&l)) {
        if (l.t.kind == SQL_SEMICOLON)
            continue;
        out->statements++;
        statement_look(&l);
        if (l.t.kind == SQL_END)
            break;
    }
    out->is_unterminated = l.scan.is_unterminated;
}
