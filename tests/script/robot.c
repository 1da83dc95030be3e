/*
 * robot.c - PostgresMain() of src/backend/tcop/postgres.c in miniature.
 *
 *     message -> skipped? in COPY? busy? -> run_sql(): one statement after the other -> answers -> end of the
 *     message
 *
 *     A simple Query that comes upon COPY IN or a slow statement leaves its remaining statements in `rest`,
 *     and goes on there.
 */
#include "robot.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"

static void
complain(struct robot *r, const char *what, const char *about)
{
    if (r->robots->complaint[0] == '\0')
        snprintf(r->robots->complaint, sizeof r->robots->complaint, "s%u: %s %s", r->actor->number, what,
                 about);
}

static void
complain_of_client(struct robot *r, const char *what, const char *about)
{
    if (!r->robots->are_clients_rude)
        complain(r, what, about);
}

static void
set_text(char **text, const char *to)
{
    char *old = *text;

    *text = mem_text(to);
    free(old);
}

static void
append_text(char **text, const char *more)
{
    char *old = *text;

    *text = mem_format("%s%s", old == NULL ? "" : old, more);
    free(old);
}

static void say(struct robot *r, const char *format, ...) PRINTF_LIKE(2, 3);

static void
say(struct robot *r, const char *format, ...)
{
    char words[MESSAGE_MOST_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (!messages_write(&r->out, words))
        complain(r, "cannot say", words);
}

/* --- transactions --- */

static void
commit(struct robot *r)
{
    if (r->pending != NULL)
        append_text(&r->robots->committed, r->pending);
    set_text(&r->pending, NULL);
}

/* The end of a message that ends an implicit transaction. */
static void
end_implicit(struct robot *r)
{
    if (r->status == 'I')
        commit(r);
    r->is_open = false;
}

static void
be_ready(struct robot *r)
{
    end_implicit(r);
    say(r, "Ready %c", r->status);
}

static void
fail(struct robot *r, const char *code, const char *why)
{
    say(r, "Error ERROR %s %s", code, why);
    set_text(&r->pending, NULL);
    set_text(&r->rest, NULL);
    set_text(&r->slow, NULL);
    r->is_copying = false;
    if (r->status == 'T')
        r->status = 'E';
    if (r->is_extended)
        r->is_skipping = true;
    else
        be_ready(r);
}

/* --- statements --- */

enum course { GO_ON, STOP }; /* STOP: it failed, or goes on later */

static bool
is_word(const char *sql, const char *word, const char **argument)
{
    size_t len = strlen(word);

    if (strncmp(sql, word, len) != 0 || (sql[len] != '\0' && sql[len] != ' '))
        return false;
    *argument = sql + len + (sql[len] == ' ');
    return true;
}

static enum course
end_transaction(struct robot *r, const char *tag)
{
    if (r->status == 'E' || strcmp(tag, "ROLLBACK") == 0) {
        set_text(&r->pending, NULL);
        tag = "ROLLBACK";
    } else {
        commit(r);
    }
    r->status = 'I';
    say(r, "Complete %s", tag);
    return GO_ON;
}

static enum course
show(struct robot *r, const char *whose)
{
    if (r->setting != NULL && strncmp(r->setting, whose, strlen(whose)) != 0)
        complain(r, "has another session's setting:", r->setting);
    say(r, "Row shown | Complete SHOW");
    return GO_ON;
}

static enum course
echo(struct robot *r, const char *what)
{
    if (strcmp(what, "$1") == 0)
        what = r->parameter == NULL ? "" : r->parameter;
    say(r, r->is_simple ? "Columns a | Row %s | Complete SELECT 1" : "Row %s | Complete SELECT 1", what);
    return GO_ON;
}

static enum course
insert(struct robot *r, const char *what)
{
    append_text(&r->pending, " ");
    append_text(&r->pending, what);
    say(r, "Complete INSERT 0 1");
    return GO_ON;
}

static enum course
run_one(struct robot *r, const char *sql)
{
    const char *x;

    if (is_word(sql, "commit", &x) || is_word(sql, "COMMIT", &x))
        return end_transaction(r, "COMMIT");
    if (is_word(sql, "rollback", &x) || is_word(sql, "ROLLBACK", &x))
        return end_transaction(r, "ROLLBACK");
    if (r->status == 'E' || is_word(sql, "fail", &x)) {
        fail(r, r->status == 'E' ? "25P02" : "22012", "no");
        return STOP;
    }
    if (is_word(sql, "echo", &x))
        return echo(r, x);
    if (is_word(sql, "insert", &x))
        return insert(r, x);
    if (is_word(sql, "show", &x))
        return show(r, x);
    if (is_word(sql, "slow", &x)) {
        set_text(&r->slow, x);
        return STOP;
    }
    if (is_word(sql, "copy in", &x)) {
        say(r, "CopyIn");
        r->is_copying = true;
        r->copied = 0;
        return STOP;
    }
    if (is_word(sql, "begin", &x) || is_word(sql, "BEGIN", &x)) {
        r->status = 'T';
        say(r, "Complete BEGIN");
    } else if (is_word(sql, "set", &x)) {
        set_text(&r->setting, x);
        say(r, "Complete SET");
    } else if (is_word(sql, "notice", &x)) {
        say(r, "Notice NOTICE 00000 %s | Complete NOTICE", x);
    } else if (is_word(sql, "copy out", &x)) {
        say(r, "CopyOut | CopyData one | CopyData two | CopyDone | Complete COPY 2");
    } else if (is_word(sql, "RESET", &x) || is_word(sql, "DISCARD", &x)) {
        set_text(&r->setting, NULL);
        say(r, "Complete RESET");
    } else if (is_word(sql, "SELECT", &x)) {
        say(r, "Columns a | Row set | Complete SELECT 1");
    } else {
        complain_of_client(r, "does not know", sql);
        fail(r, "42601", "syntax");
        return STOP;
    }
    return GO_ON;
}

/* Runs the statements of SQL, up to the first that stops. */
static void
run_sql(struct robot *r, const char *sql)
{
    char *all = mem_text(sql);
    char *at = all;

    set_text(&r->rest, NULL);
    while (at != NULL) {
        char *end = strchr(at, ';');
        char *next = end == NULL ? NULL : end + 1;
        enum course course;

        if (end != NULL)
            *end = '\0';
        at += strspn(at, " ");
        course = *at == '\0' ? GO_ON : run_one(r, at);
        if (course == STOP) {
            if ((r->is_copying || r->slow != NULL) && next != NULL)
                set_text(&r->rest, next);
            free(all);
            return;
        }
        at = next;
    }
    free(all);
    if (r->is_simple)
        be_ready(r);
}

static void
go_on(struct robot *r)
{
    char *rest = r->rest;

    r->rest = NULL;
    if (rest != NULL)
        run_sql(r, rest);
    else if (r->is_simple)
        be_ready(r);
    free(rest);
}

/* --- messages --- */

static void
fail_about(struct robot *r, const char *code, const char *name, const char *what)
{
    char why[200];

    snprintf(why, sizeof why,
             name[0] == '\0' ? "unnamed prepared statement%s %s" : "prepared statement \"%s\" %s", name,
             what);
    fail(r, code, why);
}

static struct robot_statement *
statement_of(struct robot *r, const char *name, bool is_wanted)
{
    size_t most = sizeof r->statements / sizeof r->statements[0];

    for (size_t i = 0; i < most; i++)
        if (r->statements[i].name != NULL && strcmp(r->statements[i].name, name) == 0)
            return &r->statements[i];
    for (size_t i = 0; is_wanted && i < most; i++)
        if (r->statements[i].name == NULL) {
            set_text(&r->statements[i].name, name);
            return &r->statements[i];
        }
    return NULL;
}

static void
parse(struct robot *r, const char *name, const char *sql)
{
    struct robot_statement *st = statement_of(r, name, false);

    if (strstr(sql, "wrong") != NULL) {
        fail(r, "42601", "syntax");
        return;
    }
    if (st != NULL && name[0] != '\0') {
        fail_about(r, "42P05", name, "already exists");
        return;
    }
    st = statement_of(r, name, true);
    if (st == NULL) {
        complain(r, "has too many statements:", name);
        return;
    }
    set_text(&st->sql, sql);
    say(r, "ParseComplete");
}

/* Portal, statement, no formats, parameters. */
static void
bind_portal(struct robot *r, struct slice body)
{
    const char *portal = (const char *)body.at;
    const char *name = portal + strlen(portal) + 1;
    const uint8_t *at = (const uint8_t *)name + strlen(name) + 1 + 2;
    struct robot_statement *st = statement_of(r, name, false);
    unsigned count = get_be16(at);

    if (st == NULL || st->sql == NULL) {
        fail_about(r, "26000", name, "does not exist");
        return;
    }
    set_text(&r->parameter, NULL);
    if (count > 0)
        r->parameter = mem_text_of(slice_of(at + 6, get_be32(at + 2)));
    set_text(&r->portal.sql, st->sql);
    say(r, "BindComplete");
}

static void
close_one(struct robot *r, char kind, const char *name)
{
    struct robot_statement *st = statement_of(r, name, false);

    if (kind == 'S' && st != NULL) {
        set_text(&st->name, NULL);
        set_text(&st->sql, NULL);
    }
    say(r, "CloseComplete");
}

static void
describe(struct robot *r, char kind, const char *name)
{
    if (kind == 'S' && statement_of(r, name, false) == NULL)
        fail_about(r, "26000", name, "does not exist");
    else
        say(r, kind == 'S' ? "Parameters | Columns a" : "Columns a");
}

static void
execute(struct robot *r)
{
    if (r->portal.sql == NULL)
        fail(r, "34000", "no portal");
    else
        run_sql(r, r->portal.sql);
}

static void
work_in_copy(struct robot *r, char type)
{
    switch (type) {
    case 'd':
        r->copied++;
        break;
    case 'c':
        r->is_copying = false;
        say(r, "Complete COPY %u", r->copied);
        go_on(r);
        break;
    case 'f':
        fail(r, "57014", "copy failed");
        break;
    case 'S':
    case 'H':
        break;
    default:
        complain_of_client(r, "got into COPY:", (char[]){ type, '\0' });
        say(r, "Error ERROR 08P01 unexpected message | Error FATAL 08P01 synchronization lost");
        r->is_dying = true;
        break;
    }
}

static void
work(struct robot *r, struct slice message)
{
    char type = (char)message.at[0];
    struct slice body = slice_skip(message, 5);
    const char *text = body.len > 0 ? (const char *)body.at : "";

    if (r->is_copying) {
        work_in_copy(r, type);
        return;
    }
    if (type == 'S')
        r->is_skipping = false;
    if (r->is_skipping || strchr("dcfH", type) != NULL)
        return;
    r->is_extended = strchr("PBDEC", type) != NULL;
    r->is_simple = type == 'Q';
    if (r->is_extended)
        r->is_open = true;
    switch (type) {
    case 'Q':
        if (statement_of(r, "", false) != NULL)
            set_text(&statement_of(r, "", false)->sql, NULL);
        run_sql(r, text);
        break;
    case 'P':
        parse(r, text, text + strlen(text) + 1);
        break;
    case 'B':
        bind_portal(r, body);
        break;
    case 'D':
        describe(r, text[0], text + 1);
        break;
    case 'C':
        close_one(r, text[0], text + 1);
        break;
    case 'E':
        execute(r);
        break;
    case 'S':
        be_ready(r);
        break;
    case 'F':
        say(r, "Result called");
        be_ready(r);
        break;
    case 'X':
        actor_close(r->actor);
        break;
    default:
        complain_of_client(r, "cannot read", (char[]){ type, '\0' });
        say(r, "Error FATAL 08P01 invalid message");
        r->is_dying = true;
        break;
    }
}

/* --- for the stage --- */

static struct robot *
robot_of(struct robots *robots, struct actor *server)
{
    struct robot *r = &robots->robots[server->number];

    r->actor = server;
    return r;
}

bool
robot_serve(struct script *s, struct actor *server, struct slice *in, struct buf *out)
{
    struct robots *robots = script_arg(s);
    struct robot *r = robot_of(robots, server);
    struct slice message;
    struct slice said;
    bool is_any = false;

    while (r->slow == NULL && !r->is_dying && server->fd >= 0 && message_take(in, &message)) {
        work(r, message);
        is_any = true;
    }
    said = buf_slice(&r->out);
    if (said.len > 0) {
        if (robots->random != 0)
            said.len = (size_t)random_between(&robots->random, 1, said.len);
        buf_add(out, said);
        buf_drop(&r->out, said.len);
        is_any = true;
    }
    if (r->is_dying && buf_len(out) == 0)
        actor_close(server);
    return is_any;
}

void
robot_cancel(struct script *s, struct actor *server)
{
    struct robots *robots = script_arg(s);
    struct robot *r = robot_of(robots, server);

    if (r->slow == NULL)
        return;
    robots->cancelled++;
    if (robots->on_cancelled != NULL)
        robots->on_cancelled(robots, r->slow);
    fail(r, "57014", "cancelled");
}

void
robot_finish(struct robot *r)
{
    if (r->slow == NULL)
        return;
    set_text(&r->slow, NULL);
    say(r, "Complete SLOW");
    go_on(r);
}

void
robots_init(struct robots *robots)
{
    *robots = (struct robots){ .random = 0 };
    for (unsigned i = 0; i <= SCRIPT_MOST; i++) {
        robots->robots[i].robots = robots;
        robots->robots[i].status = 'I';
        buf_init(&robots->robots[i].out);
    }
}

static void
robot_fini(struct robot *r)
{
    buf_release(&r->out);
    set_text(&r->rest, NULL);
    set_text(&r->slow, NULL);
    set_text(&r->setting, NULL);
    set_text(&r->pending, NULL);
    set_text(&r->parameter, NULL);
    set_text(&r->portal.sql, NULL);
    for (size_t i = 0; i < sizeof r->statements / sizeof r->statements[0]; i++) {
        set_text(&r->statements[i].name, NULL);
        set_text(&r->statements[i].sql, NULL);
    }
}

void
robots_fini(struct robots *robots)
{
    for (unsigned i = 0; i <= SCRIPT_MOST; i++)
        if (robots->robots[i].actor != NULL)
            robot_fini(&robots->robots[i]);
    set_text(&robots->committed, NULL);
}

unsigned
robots_committed(const struct robots *robots, const char *x)
{
    const char *at = robots->committed == NULL ? "" : robots->committed;
    size_t len = strlen(x);
    unsigned count = 0;

    while ((at = strchr(at, ' ')) != NULL) {
        at++;
        if (strncmp(at, x, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
            count++;
    }
    return count;
}

bool
robots_are_at_rest(const struct robots *robots)
{
    for (unsigned i = 1; i <= SCRIPT_MOST; i++) {
        const struct robot *r = &robots->robots[i];

        if (r->actor == NULL || r->actor->fd < 0)
            continue;
        if (r->status != 'I' || r->is_open || r->is_skipping || r->is_copying || r->slow != NULL)
            return false;
    }
    return true;
}
