/*
 * console.h - between a console session, which lives in a worker and speaks the protocol, and whoever
 * understands its commands (admin/).
 *
 *     worker: text of a command -> describe() for its columns, execute() to run it
 *     anyone: console_answer(call) -> worker: rows, tag or error, in whatever protocol and format the client asked for
 *
 * A login to the database `pgweir` or `pgbouncer` is a console. Who may: over the Unix socket the user
 * `pgweir` or `pgbouncer` with the process' own uid, without a password; else admin_users (all) and
 * stats_users (SHOW) after normal authentication.
 */
#ifndef PGWEIR_SESSION_CONSOLE_H
#define PGWEIR_SESSION_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/net/loop.h"
#include "pgweir/wire/pg_error.h"

#define CONSOLE_DATABASE "pgbouncer" /* its name in SHOW, whichever one the client used */
#define CONSOLE_MOST_COLUMNS 40u
#define CONSOLE_MOST_COMMAND (16u * 1024u) /* bytes of a message */

enum console_type { CONSOLE_TEXT, CONSOLE_INT4, CONSOLE_INT8, CONSOLE_NUMERIC, CONSOLE_BYTEA };

struct console_column {
    const char *name;
    enum console_type type;
};

struct console_shape { /* what rows look like; COUNT 0: the command answers without rows */
    const struct console_column *columns;
    size_t count;
};

/* One command under way. From execute() to console_answer() it belongs to whoever executes it. */
struct console_call {
    struct letter letter; /* free for whoever has the call, like the next */
    void *owner;
    char *text;
    char *user;
    bool is_admin;
    uint64_t client_id; /* whose: what cancel() names; it has at most one call */

    /* the answer */
    struct console_shape shape;
    struct buf rows;    /* cells of all rows in order, each by console_add_…() */
    struct buf notices; /* NoticeResponse messages, see build_notice() */
    char tag[400];      /* CommandComplete; "": EmptyQueryResponse */
    bool is_error;
    struct pg_error error; /* instead of rows and tag */

    struct console_home *home; /* session's */
};

/* Cells of a row, in the order of its columns. Numbers are written as text, whatever their type. */
void console_add_text(struct buf *rows, const char *text); /* NULL: the SQL null */
void console_add_slice(struct buf *rows, struct slice text);
void console_add_int(struct buf *rows, int64_t number);
void console_add_uint(struct buf *rows, uint64_t number);

struct console_handler {
    const char *server_version; /* told at login */
    /* What TEXT will answer; false and *WHY when it is no command. Pure; any thread. */
    bool (*describe)(void *arg, const char *text, struct console_shape *out, struct pg_error *why);
    /* Any worker's thread; brief. The answer may come later, from any thread. */
    void (*execute)(void *arg, struct console_call *call);
    /* The client wants its command cancelled (57014 is the answer, unless it is done by now), or IS_GONE.
     * Worker's thread. */
    void (*cancel)(void *arg, uint64_t client_id, bool is_gone);
    void *arg;
};

/* Any thread, while the house lives. */
void console_answer(struct console_call *call);
/* Instead of console_answer(), when the house is gone. */
void console_call_free(struct console_call *call);

/* Whether a login to DATABASE is one to the console. */
bool console_is_database(const char *database);

#endif
