/*
 * console.c - the protocol of the console, on the server's side of it: simple and extended.
 *
 *     message -> carry -> one at a time -> execute() ... letter with the answer
 *         -> rows, in pieces -> next message
 *
 * While a command runs, or its rows wait for a slow reader, what the client says next stays in carry. Errors
 * are as PostgreSQL has them: one in the extended protocol skips to Sync. Portals live until the Sync,
 * because there are no transactions: the status is always I.
 *
 * source PostgreSQL docs, protocol-flow "Simple Query", "Extended Query"; protocol-message-formats.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cancel_impl.h"
#include "console_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/rules.h"
#include "relay_impl.h"

#define MOST_STATEMENTS 1000u
#define MOST_PORTALS 100u
#define PIECE_BYTES (32u * 1024u) /* of rows, sent at once */

struct statement_kept {
    struct link in_console;
    char *name;
    char *text;
    struct console_shape shape;
};

struct portal {
    struct link in_console; /* in no list: the one of a simple Query */
    char *name;
    char *text;
    struct console_shape shape;
    uint16_t formats[CONSOLE_MOST_COLUMNS]; /* of each column: 0 text, 1 binary */
    struct console_call *result;            /* owned; NULL: was not executed yet */
    size_t at;                              /* bytes of result->rows that were sent */
};

struct console_home { /* of a call: outlives the client */
    struct worker *worker;
    struct client *client; /* NULL: gone. The worker's thread alone touches it */
};

struct console {
    char *user;
    char *database;
    bool is_admin;
    bool is_skipping; /* an extended message has failed: up to Sync nothing is done */
    struct list statements, portals;
    unsigned statement_count, portal_count;
    struct portal simple;         /* of the Query under way */
    struct portal *running;       /* is executed, or being sent; NULL: nothing is under way */
    struct console_home *waiting; /* for the answer of `running`; NULL: it is there */
    uint32_t rows_wanted;         /* of `running`; UINT32_MAX: all */
};

/* --- names and lists --- */

bool
console_is_database(const char *database)
{
    return strcmp(database, "pgbouncer") == 0 || strcmp(database, "pgweir") == 0;
}

bool
console_list_has(const char *names, const char *name)
{
    size_t len = strlen(name);

    while (len > 0 && *(names += strspn(names, ", \t")) != '\0') {
        size_t span = strcspn(names, ", \t");

        if (span == len && memcmp(names, name, len) == 0)
            return true;
        names += span;
    }
    return false;
}

const char *
console_user(const struct console *k)
{
    return k->user;
}

const char *
console_database(const struct console *k)
{
    return k->database;
}

/* --- cells --- */

void
console_add_slice(struct buf *rows, struct slice text)
{
    buf_add_be32(rows, (uint32_t)text.len);
    if (text.len > 0)
        buf_add(rows, text);
}

void
console_add_text(struct buf *rows, const char *text)
{
    if (text == NULL)
        buf_add_be32(rows, UINT32_MAX);
    else
        console_add_slice(rows, slice_of_text(text));
}

void
console_add_int(struct buf *rows, int64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    console_add_text(rows, text);
}

void
console_add_uint(struct buf *rows, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    console_add_text(rows, text);
}

/* NUMBER as PostgreSQL sends a numeric: digits to the base of 10,000, the highest first, none at the end that
 * is 0. */
static void
add_binary_numeric(struct buf *out, uint64_t number)
{
    uint16_t digits[8];
    unsigned count = 0, weight, zeros = 0;

    for (; number > 0; number /= 10000)
        digits[count++] = (uint16_t)(number % 10000);
    while (zeros < count && digits[zeros] == 0)
        zeros++;
    weight = count > 0 ? count - 1 : 0;
    buf_add_be32(out, 8 + 2 * (count - zeros));
    buf_add_be16(out, (uint16_t)(count - zeros));
    buf_add_be16(out, (uint16_t)weight);
    buf_add_be16(out, 0); /* positive */
    buf_add_be16(out, 0); /* no digits behind the point */
    while (count > zeros)
        buf_add_be16(out, digits[--count]);
}

static void
add_binary(struct buf *out, enum console_type type, struct slice cell)
{
    char text[24] = "";
    int64_t number;

    if (type == CONSOLE_TEXT) {
        buf_add_be32(out, (uint32_t)cell.len);
        if (cell.len > 0)
            buf_add(out, cell);
        return;
    }
    memcpy(text, cell.at, cell.len < sizeof text - 1 ? cell.len : sizeof text - 1);
    if (type == CONSOLE_NUMERIC) {
        add_binary_numeric(out, strtoull(text, NULL, 10));
        return;
    }
    number = strtoll(text, NULL, 10);
    buf_add_be32(out, type == CONSOLE_INT8 ? 8 : 4);
    if (type == CONSOLE_INT8)
        buf_add_be32(out, (uint32_t)((uint64_t)number >> 32));
    buf_add_be32(out, (uint32_t)number);
}

/* --- what the client hears --- */

static void
hear(struct client *c, struct buf *out)
{
    client_send(c, buf_slice(out));
    buf_release(out);
}

static void
hear_bare(struct client *c, char type)
{
    struct buf out;

    buf_init(&out);
    build_bare(&out, type);
    hear(c, &out);
}

static void
hear_ready(struct client *c)
{
    struct buf out;

    buf_init(&out);
    build_ready(&out, 'I');
    hear(c, &out);
}

static void
hear_shape(struct client *c, const struct console_shape *shape, const uint16_t *formats)
{
    static const struct {
        uint32_t oid;
        int16_t size;
    } types[] = {
        [CONSOLE_TEXT] = { 25, -1 },
        [CONSOLE_INT4] = { 23, 4 },
        [CONSOLE_INT8] = { 20, 8 },
        [CONSOLE_NUMERIC] = { 1700, -1 },
    };
    struct buf out;
    size_t frame;

    if (shape->count == 0) {
        hear_bare(c, 'n');
        return;
    }
    buf_init(&out);
    frame = build_begin(&out, 'T', (uint16_t)shape->count);
    for (size_t i = 0; i < shape->count; i++) {
        const struct console_column *column = &shape->columns[i];

        build_column(&out, &(struct back_column){ .name = column->name,
                                                  .type = types[column->type].oid,
                                                  .size = types[column->type].size,
                                                  .format = formats == NULL ? 0 : formats[i] });
    }
    build_end(&out, frame);
    hear(c, &out);
}

/* Appends the row at the front of *CELLS and moves on. */
static void
add_row(struct buf *out, const struct portal *p, struct slice *cells)
{
    size_t count = p->result->shape.count;
    size_t frame = build_begin(out, 'D', (uint16_t)count);

    for (size_t i = 0; i < count; i++) {
        uint32_t len = get_be32(cells->at);
        struct slice cell;

        *cells = slice_skip(*cells, 4);
        if (len == UINT32_MAX) {
            buf_add_be32(out, len);
            continue;
        }
        cell = slice_of(cells->at, len);
        *cells = slice_skip(*cells, len);
        if (p->formats[i] == 1)
            add_binary(out, p->result->shape.columns[i].type, cell);
        else
            console_add_slice(out, cell);
    }
    build_end(out, frame);
}

/* --- statements and portals --- */

static void
portal_fini(struct portal *p)
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
    portal_fini(p);
    free(p);
}

static void
drop_portals(struct console *k)
{
    LIST_EACH(&k->portals, l) {
        portal_drop(k, CONTAINER_OF(l, struct portal, in_console));
    }
}

static void
statement_forget(struct console *k, struct statement_kept *st)
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

/* --- calls --- */

void
console_call_free(struct console_call *call)
{
    if (call == NULL)
        return;
    buf_release(&call->rows);
    buf_release(&call->notices);
    free(call->text);
    free(call->user);
    free(call->home);
    free(call);
}

static void next_message(struct client *c);

/* The request that was under way is answered. */
static void
finish(struct client *c)
{
    struct console *k = c->console;
    bool is_simple = k->running == &k->simple;

    k->running = NULL;
    if (is_simple) {
        portal_fini(&k->simple);
        hear_ready(c);
    }
}

static void
fail(struct client *c, struct pg_error *e)
{
    struct console *k = c->console;
    struct buf out;

    buf_init(&out);
    build_error(&out, e);
    hear(c, &out);
    if (k->running != &k->simple) {
        k->is_skipping = true;
        k->running = NULL;
    } else {
        finish(c);
    }
}

/* Sends rows of what is under way, as many as are wanted and the client takes; then its end. */
static void
send_rows(struct client *c)
{
    struct console *k = c->console;
    struct portal *p = k->running;
    struct slice cells = slice_skip(buf_slice(&p->result->rows), p->at);
    struct buf out;

    buf_init(&out);
    while (cells.len > 0 && k->rows_wanted > 0) {
        if (buf_len(&out) >= PIECE_BYTES) {
            hear(c, &out);
            if (stream_backlog_bytes(&c->stream) > STREAM_HIGH_BYTES) {
                p->at = buf_len(&p->result->rows) - cells.len;
                return; /* console_drained() goes on */
            }
        }
        add_row(&out, p, &cells);
        if (k->rows_wanted != UINT32_MAX)
            k->rows_wanted--;
    }
    p->at = buf_len(&p->result->rows) - cells.len;
    if (cells.len > 0)
        build_bare(&out, 's');
    else if (p->result->tag[0] == '\0')
        build_bare(&out, 'I');
    else
        build_complete(&out, p->result->tag);
    hear(c, &out);
    finish(c);
}

static void
on_result(struct client *c)
{
    struct console *k = c->console;
    struct portal *p = k->running;

    if (buf_len(&p->result->notices) > 0) {
        client_send(c, buf_slice(&p->result->notices));
        buf_release(&p->result->notices);
    }
    if (p->result->is_error) {
        fail(c, &p->result->error);
        return;
    }
    assert(p->result->shape.count <= CONSOLE_MOST_COLUMNS);
    if (p == &k->simple && p->result->shape.count > 0)
        hear_shape(c, &p->result->shape, NULL);
    send_rows(c);
}

static void
on_answer(struct letter *letter, void *recipient)
{
    struct console_call *call = CONTAINER_OF(letter, struct console_call, letter);
    struct client *c = call->home->client;

    (void)recipient;
    if (c == NULL) {
        console_call_free(call);
        return;
    }
    c->console->waiting = NULL;
    c->console->running->result = call;
    on_result(c);
    next_message(c);
}

void
console_answer(struct console_call *call)
{
    struct loop *loop = call->home->worker->loop;

    call->letter.on_arrival = on_answer;
    house_post(loop, &call->letter);
}

/* Runs P, of which at most ROWS rows are to be sent now. */
static void
run(struct client *c, struct portal *p, uint32_t rows)
{
    struct console *k = c->console;
    const struct console_handler *handler = c->worker->house->params.console;
    struct console_call *call;

    k->running = p;
    k->rows_wanted = rows == 0 ? UINT32_MAX : rows;
    if (p->result != NULL) { /* was suspended */
        send_rows(c);
        return;
    }
    c->worker->console_counters.query_count++;
    c->worker->console_counters.xact_count++;
    call = mem_new(sizeof *call);
    call->text = mem_text(p->text);
    call->user = mem_text(k->user);
    call->is_admin = k->is_admin;
    call->client_id = c->id;
    buf_init(&call->rows);
    buf_init(&call->notices);
    call->home = mem_new(sizeof *call->home);
    *call->home = (struct console_home){ c->worker, c };
    k->waiting = call->home;
    handler->execute(handler->arg, call);
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
    fail(c, &e);
}

static void
on_query(struct client *c, const char *text)
{
    struct console *k = c->console;

    k->is_skipping = false;
    drop_portals(k);
    k->simple = (struct portal){ .text = mem_text(text) };
    link_init(&k->simple.in_console);
    run(c, &k->simple, 0);
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
        fail(c, &e);
        return;
    }
    if (st != NULL)
        statement_forget(k, st);
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
    hear_bare(c, '1');
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
        hear_bare(c, '2');
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
        hear_shape(c, &st->shape, NULL);
        return;
    }
    p = portal_find(k, target->name);
    if (p == NULL)
        fail_with(c, "34000", "portal \"%.100s\" does not exist", target->name);
    else
        hear_shape(c, &p->shape, p->formats);
}

static void
on_close(struct client *c, const struct front_target *target)
{
    struct console *k = c->console;
    struct statement_kept *st = target->kind == 'S' ? statement_find(k, target->name) : NULL;
    struct portal *p = target->kind == 'P' ? portal_find(k, target->name) : NULL;

    if (st != NULL)
        statement_forget(k, st);
    if (p != NULL)
        portal_drop(k, p);
    hear_bare(c, '3');
}

static void
on_execute(struct client *c, const struct front_execute *execute)
{
    struct portal *p = portal_find(c->console, execute->portal);

    if (p == NULL)
        fail_with(c, "34000", "portal \"%.100s\" does not exist", execute->portal);
    else
        run(c, p, execute->most_rows);
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
        drop_portals(k);
        hear_ready(c);
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
static void
next_message(struct client *c)
{
    while (c->state == CLIENT_CONSOLE && c->console->running == NULL && buf_len(&c->carry) > 0) {
        struct slice in = buf_slice(&c->carry);
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
            buf_drop(&c->carry, span.bytes.len);
    }
    if (c->state != CLIENT_CONSOLE)
        return;
    if (buf_len(&c->carry) == 0)
        buf_release(&c->carry);
    if (c->console->running == NULL)
        stream_read_start(&c->stream);
}

void
console_read(struct client *c, struct slice fresh)
{
    if (fresh.len > 0)
        buf_add(&c->carry, fresh);
    c->worker->console_counters.received_bytes += fresh.len;
    next_message(c);
    if (c->state == CLIENT_CONSOLE && c->console->running != NULL &&
        buf_len(&c->carry) > CONSOLE_MOST_COMMAND)
        stream_read_stop(&c->stream);
}

void
console_drained(struct client *c)
{
    struct console *k = c->console;

    if (k->running != NULL && k->waiting == NULL)
        send_rows(c);
    next_message(c);
}

/* --- life --- */

bool
console_is_wanted(const struct client *c)
{
    return c->worker->house->params.console != NULL && console_is_database(c->login->database);
}

bool
console_is_owner(const struct client *c)
{
    const struct login *l = c->login;
    struct stream_process who;

    return console_is_wanted(c) && console_is_database(l->user) && c->is_unix &&
           stream_peer_process(&c->stream, &who) && who.uid == getuid();
}

static bool
may_enter(const struct client *c, bool *is_admin)
{
    const struct settings *s = worker_settings(c->worker);
    const char *user = c->login->user;

    *is_admin = console_is_owner(c) || console_list_has(s->admin_users, user);
    return *is_admin || console_list_has(s->stats_users, user) || s->auth_type == AUTH_TYPE_ANY;
}

static void
greet(struct client *c)
{
    static const char *const parameters[][2] = {
        { "client_encoding", "UTF8" }, { "server_encoding", "UTF8" },           { "DateStyle", "ISO" },
        { "TimeZone", "GMT" },         { "standard_conforming_strings", "on" }, { "is_superuser", "on" },
        { "integer_datetimes", "on" }, { "IntervalStyle", "postgres" },
    };
    struct buf out;

    cancel_key_make(c);
    buf_init(&out);
    build_auth(&out, AUTH_OK);
    build_parameter(&out, "server_version", c->worker->house->params.console->server_version);
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        build_parameter(&out, parameters[i][0], parameters[i][1]);
    build_key(&out, c->cancel_pid, slice_of(c->cancel_secret, sizeof c->cancel_secret));
    build_ready(&out, 'I');
    hear(c, &out);
}

void
console_enter(struct client *c)
{
    struct login *l = c->login;
    bool is_admin;
    struct pg_error e;

    if (!may_enter(c, &is_admin)) {
        pg_error_set(&e, PG_FATAL, SQLSTATE_INVALID_AUTHORIZATION,
                     "not allowed: user \"%.64s\" may not use the console", l->user);
        pg_error_hint(&e, "Name it in admin_users or stats_users.");
        client_end(c, END_LOGIN_FAILED, &e);
        return;
    }
    c->console = mem_new(sizeof *c->console);
    c->console->user = mem_text(l->user);
    c->console->database = mem_text(l->database);
    c->console->is_admin = is_admin;
    list_init(&c->console->statements);
    list_init(&c->console->portals);
    greet(c);
    client_feed(c, EV_CONSOLE);
}

void
console_start(struct client *c)
{
    struct worker *w = c->worker;

    timer_cancel(&c->timer);
    login_free(c->login);
    c->login = NULL;
    link_remove(&c->in_worker);
    w->login_count--;
    w->console_count++;
    atomic_fetch_add_explicit(&w->house->console_count, 1, memory_order_relaxed);
    list_push_last(&w->consoles, &c->in_worker);
    w->console_counters.client_login_count++;
    scanner_init(&c->scanner, &front_login_rules, CONSOLE_MOST_COMMAND, CONSOLE_MOST_COMMAND);
    c->active_us = loop_now_us(w->loop);
    stream_read_start(&c->stream);
    if (worker_settings(w)->log_connections)
        client_log(c, LOG_NOTICE_LEVEL, "login attempt: db=%s user=%s tls=%s", c->console->database,
                   c->console->user, stream_is_tls(&c->stream) ? stream_tls_version(&c->stream) : "no");
}

void
console_cancel(struct client *c)
{
    const struct console_handler *handler = c->worker->house->params.console;

    if (c->console->waiting != NULL)
        handler->cancel(handler->arg, c->id, false);
}

void
console_gone(struct client *c)
{
    const struct console_handler *handler = c->worker->house->params.console;

    if (c->console->waiting != NULL)
        c->console->waiting->client = NULL;
    c->worker->console_count--;
    atomic_fetch_sub_explicit(&c->worker->house->console_count, 1, memory_order_relaxed);
    handler->cancel(handler->arg, c->id, true);
}

void
console_free(struct console *k)
{
    if (k == NULL)
        return;
    drop_portals(k);
    LIST_EACH(&k->statements, l) {
        statement_forget(k, CONTAINER_OF(l, struct statement_kept, in_console));
    }
    portal_fini(&k->simple);
    free(k->user);
    free(k->database);
    free(k);
}
