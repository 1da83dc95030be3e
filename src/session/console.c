/*
 * console.c - a console session: who may enter, its beginning and its end. It speaks the server's side of the protocol, simple and
 * extended: console_messages.c hears, console_run.c asks for the command and sends its rows, console_cells.c writes them down.
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cancel_impl.h"
#include "console_parts_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/rules.h"

/* --- names and lists --- */

bool
console_is_database(const char *database)
{
    return strcmp(database, "pgbouncer") == 0 || strcmp(database, "pgweir") == 0;
}

/* Whether the comma list NAMES has NAME. */
static bool
list_has(const char *names, const char *name)
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

    *is_admin = console_is_owner(c) || list_has(s->admin_users, user);
    return *is_admin || list_has(s->stats_users, user) || s->auth_type == AUTH_TYPE_ANY;
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
    out = c->login->last_word; /* of SCRAM: some drivers take no greeting without it */
    buf_init(&c->login->last_word);
    build_auth(&out, AUTH_OK);
    build_parameter(&out, "server_version", c->worker->house->params.console->server_version);
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        build_parameter(&out, parameters[i][0], parameters[i][1]);
    build_key(&out, c->cancel_pid, slice_of(c->cancel_secret, sizeof c->cancel_secret));
    build_ready(&out, 'I');
    console_hear(c, &out);
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
    console_forget_rest(c->console);
    c->worker->console_count--;
    atomic_fetch_sub_explicit(&c->worker->house->console_count, 1, memory_order_relaxed);
    handler->cancel(handler->arg, c->id, true);
}

void
console_free(struct console *k)
{
    if (k == NULL)
        return;
    console_drop_portals(k);
    LIST_EACH(&k->statements, l) {
        console_statement_forget(k, CONTAINER_OF(l, struct statement_kept, in_console));
    }
    console_portal_fini(&k->simple);
    free(k->user);
    free(k->database);
    free(k);
}
