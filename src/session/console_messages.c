/* console_messages.c - what a console session is told, message by message: simple and extended. See console.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console_parts_impl.h"
#include "pending_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/rules.h"

#define MOST_STATEMENTS 1000u
#define MOST_PORTALS 100u

/* --- statements and portals --- */

void
console_portal_fini(struct portal *p)
{
    console_call_free(p->result);
    free(p->name);
    free(p->text);
    *p = (struct portal){ .result = NULL };
}

static void
portal_drop(struct console *k, struct portal *p)
{
    link_remove(&p->in_console);
    k->portal_count--;
    console_portal_fini(p);
    free(p);
}

void
console_drop_portals(struct console *k)
{
    LIST_EACH(&k->portals, l) {
        portal_drop(k, CONTAINER_OF(l, struct portal, in_console));
    }
}

void
console_statement_forget(struct console *k, struct statement_kept *st)
{
    link_remove(&st->in_console);
    k->statement_count--;
    free(st->name);
    free(st->text);
    free(st);
}

static struct statement_kept *
statement_find(struct console *k, const char *name)
{
    LIST_EACH(&k->statements, l) {
        struct statement_kept *st = CONTAINER_OF(l, struct statement_kept, in_console);

        if (strcmp(st->name, name) == 0)
            return st;
    }
    return NULL;
}

static struct portal *
portal_find(struct console *k, const char *name)
{
    LIST_EACH(&k->portals, l) {
        struct portal *p = CONTAINER_OF(l, struct portal, in_console);

        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

/* --- messages --- */

static void fail_with(struct client *c, const char *sqlstate, const char *format, ...) PRINTF_LIKE(3, 4);

static void
fail_with(struct client *c, const char *sqlstate, const char *format, ...)
{
    struct pg_error e;
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pg_error_set(&e, PG_ERROR, sqlstate, "%s", text);
    console_fail(c, &e);
}

static void
on_query(struct client *c, const char *text)
{
    struct console *k = c->console;

    k->is_skipping = false;
    console_drop_portals(k);
    k->simple = (struct portal){ .text = mem_text(text) };
    link_init(&k->simple.in_console);
    console_run(c, &k->simple, 0);
}

static void
on_parse(struct client *c, const struct front_parse *parse)
{
    const struct console_handler *handler = c->worker->house->params.console;
    struct console *k = c->console;
    struct statement_kept *st = statement_find(k, parse->name);
    struct console_shape shape;
    struct pg_error e;

    if (st != NULL && parse->name[0] != '\0') {
        fail_with(c, "42P05", "prepared statement \"%.100s\" already exists", parse->name);
        return;
    }
    if (parse->type_count > 0) {
        fail_with(c, SQLSTATE_FEATURE_NOT_SUPPORTED, "console commands take no parameters");
        return;
    }
    if (!handler->describe(handler->arg, parse->text, &shape, &e)) {
        console_fail(c, &e);
        return;
    }
    if (st != NULL)
        console_statement_forget(k, st);
    if (k->statement_count >= MOST_STATEMENTS) {
        fail_with(c, SQLSTATE_LIMIT_EXCEEDED, "too many prepared statements in one console");
        return;
    }
    st = mem_new(sizeof *st);
    st->name = mem_text(parse->name);
    st->text = mem_text(parse->text);
    st->shape = shape;
    link_init(&st->in_console);
    list_push_last(&k->statements, &st->in_console);
    k->statement_count++;
    console_hear_bare(c, '1');
}

/* One format for all columns, one for each, or none at all: text. */
static bool
read_formats(struct portal *p, const struct front_bind *bind)
{
    if (bind->format_count > 1 && bind->format_count != p->shape.count)
        return false;
    for (size_t i = 0; i < p->shape.count; i++) {
        p->formats[i] = bind->format_count == 0
                            ? 0
                            : get_be16(bind->formats.at + (bind->format_count == 1 ? 0 : 2 * i));
        if (p->formats[i] > 1)
            return false;
    }
    return true;
}

static void
on_bind(struct client *c, const struct front_bind *bind)
{
    struct console *k = c->console;
    struct statement_kept *st = statement_find(k, bind->statement);
    struct portal *p = portal_find(k, bind->portal);

    if (st == NULL) {
        fail_with(c, "26000", "prepared statement \"%.100s\" does not exist", bind->statement);
        return;
    }
    if (bind->value_count > 0) {
        fail_with(c, SQLSTATE_PROTOCOL_VIOLATION, "console commands take no parameters");
        return;
    }
    if (p != NULL && bind->portal[0] != '\0') {
        fail_with(c, "42P03", "portal \"%.100s\" already exists", bind->portal);
        return;
    }
    if (p != NULL)
        portal_drop(k, p);
    if (k->portal_count >= MOST_PORTALS) {
        fail_with(c, SQLSTATE_LIMIT_EXCEEDED, "too many portals in one console");
        return;
    }
    p = mem_new(sizeof *p);
    p->name = mem_text(bind->portal);
    p->text = mem_text(st->text);
    p->shape = st->shape;
    link_init(&p->in_console);
    list_push_last(&k->portals, &p->in_console);
    k->portal_count++;
    if (read_formats(p, bind)) {
        console_hear_bare(c, '2');
        return;
    }
    portal_drop(k, p);
    fail_with(c, SQLSTATE_PROTOCOL_VIOLATION, "bind message has result formats that do not fit");
}

static void
on_describe(struct client *c, const struct front_target *target)
{
    static const uint8_t no_parameters[] = { 't', 0, 0, 0, 6, 0, 0 };
    struct console *k = c->console;
    const struct statement_kept *st;
    const struct portal *p;

    if (target->kind == 'S') {
        st = statement_find(k, target->name);
        if (st == NULL) {
            fail_with(c, "26000", "prepared statement \"%.100s\" does not exist", target->name);
            return;
        }
        client_send(c, slice_of(no_parameters, sizeof no_parameters));
        console_hear_shape(c, &st->shape, NULL);
        return;
    }
    p = portal_find(k, target->name);
    if (p == NULL)
        fail_with(c, "34000", "portal \"%.100s\" does not exist", target->name);
    else
        console_hear_shape(c, &p->shape, p->formats);
}

static void
on_close(struct client *c, const struct front_target *target)
{
    struct console *k = c->console;
    struct statement_kept *st = target->kind == 'S' ? statement_find(k, target->name) : NULL;
    struct portal *p = target->kind == 'P' ? portal_find(k, target->name) : NULL;

    if (st != NULL)
        console_statement_forget(k, st);
    if (p != NULL)
        portal_drop(k, p);
    console_hear_bare(c, '3');
}

static void
on_execute(struct client *c, const struct front_execute *execute)
{
    struct portal *p = portal_find(c->console, execute->portal);

    if (p == NULL)
        fail_with(c, "34000", "portal \"%.100s\" does not exist", execute->portal);
    else
        console_run(c, p, execute->most_rows);
}

static void
end_badly(struct client *c, const char *why)
{
    struct pg_error e;

    pg_error_set(&e, PG_FATAL, SQLSTATE_PROTOCOL_VIOLATION, "%s", why);
    client_end(c, END_PROTOCOL, &e);
}

/* True when MESSAGE was of KIND and well-formed. */
static bool
extended_message(struct client *c, enum front_kind kind, struct slice message)
{
    struct front_parse parse;
    struct front_bind bind;
    struct front_target target;
    struct front_execute execute;

    switch (kind) {
    case FRONT_PARSE:
        if (front_parse_read(message, &parse) != PARSE_DONE)
            return false;
        on_parse(c, &parse);
        return true;
    case FRONT_BIND:
        if (front_bind_read(message, &bind) != PARSE_DONE)
            return false;
        on_bind(c, &bind);
        return true;
    case FRONT_DESCRIBE:
        if (front_describe_read(message, &target) != PARSE_DONE)
            return false;
        on_describe(c, &target);
        return true;
    case FRONT_CLOSE:
        if (front_close_read(message, &target) != PARSE_DONE)
            return false;
        on_close(c, &target);
        return true;
    case FRONT_EXECUTE:
        if (front_execute_read(message, &execute) != PARSE_DONE)
            return false;
        on_execute(c, &execute);
        return true;
    default:
        return false;
    }
}

static void
console_message(struct client *c, const struct scan_span *span)
{
    enum front_kind kind = front_kind_of(span->type);
    struct console *k = c->console;
    const char *text;

    switch (kind) {
    case FRONT_QUERY:
        if (front_query_read(span->bytes, &text) == PARSE_DONE)
            on_query(c, text);
        else
            end_badly(c, "invalid Query message");
        break;
    case FRONT_PARSE:
    case FRONT_BIND:
    case FRONT_DESCRIBE:
    case FRONT_CLOSE:
    case FRONT_EXECUTE:
        if (!k->is_skipping && !extended_message(c, kind, span->bytes))
            end_badly(c, "invalid message of the extended query protocol");
        break;
    case FRONT_SYNC:
        k->is_skipping = false;
        console_drop_portals(k);
        console_hear_ready(c);
        break;
    case FRONT_FUNCTION:
        k->simple = (struct portal){ .result = NULL };
        link_init(&k->simple.in_console);
        k->running = &k->simple;
        fail_with(c, SQLSTATE_FEATURE_NOT_SUPPORTED, "the console has no functions to call");
        break;
    case FRONT_FLUSH: /* nothing is ever held back */
    case FRONT_COPY_DATA:
    case FRONT_COPY_END:
        break;
    case FRONT_TERMINATE:
        client_end(c, END_CLIENT_LEFT, NULL);
        break;
    case FRONT_UNKNOWN:
    case FRONT_PASSWORD:
        end_badly(c, "invalid frontend message type");
        break;
    }
}

/* Works on carry until a command is under way. */
void
console_next_message(struct client *c)
{
    while (c->state == CLIENT_CONSOLE && c->console->running == NULL && pending_bytes(c) > 0) {
        struct slice in = pending_input(c);
        struct scan_span span;
        enum scan found;

        if (stream_backlog_bytes(&c->stream) > STREAM_HIGH_BYTES) { /* it does not read its answers */
            stream_read_stop(&c->stream);
            return;
        }
        found = scan_next(&c->scanner, &in, &span);
        if (found == SCAN_MORE)
            break;
        if (found != SCAN_MESSAGE || !span.is_last) {
            end_badly(c, found == SCAN_BAD ? span.why : "message too long for the console");
            return;
        }
        console_message(c, &span);
        if (c->state == CLIENT_CONSOLE)
            buf_drop(&c->pending->carry, span.bytes.len);
    }
    if (c->state != CLIENT_CONSOLE)
        return;
    pending_tidy(c);
    if (c->console->running == NULL)
        stream_read_start(&c->stream);
}

void
console_read(struct client *c, struct slice fresh)
{
    if (fresh.len > 0)
        buf_add(&pending_of(c)->carry, fresh);
    c->worker->console_counters.received_bytes += fresh.len;
    console_next_message(c);
    if (c->state == CLIENT_CONSOLE && c->console->running != NULL && pending_bytes(c) > CONSOLE_MOST_COMMAND)
        stream_read_stop(&c->stream);
}

void
console_drained(struct client *c)
{
    struct console *k = c->console;

    if (k->running != NULL && k->waiting == NULL)
        console_send_rows(c);
    console_next_message(c);
}
