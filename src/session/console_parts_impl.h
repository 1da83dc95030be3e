/* console_parts_impl.h - the inside of a console session, for the files console*.c alone. */
#ifndef PGWEIR_SESSION_CONSOLE_PARTS_IMPL_H
#define PGWEIR_SESSION_CONSOLE_PARTS_IMPL_H

#include "console_impl.h"

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
    struct rest *rest;            /* console_run.c's: rows of `running` go out in the next turn; NULL: no */
};

/* --- console_cells.c --- */

/* Sends OUT and empties it. */
void console_hear(struct client *c, struct buf *out);
void console_hear_bare(struct client *c, char type);
void console_hear_ready(struct client *c);
void console_hear_shape(struct client *c, const struct console_shape *shape, const uint16_t *formats);
/* Appends the row at the front of *CELLS and moves on. */
void console_add_row(struct buf *out, const struct portal *p, struct slice *cells);

/* --- console_messages.c --- */

void console_portal_fini(struct portal *p);
void console_drop_portals(struct console *k);
void console_statement_forget(struct console *k, struct statement_kept *st);
/* Works on carry until a command is under way. */
void console_next_message(struct client *c);

/* --- console_run.c --- */

/* What is under way has failed: E is told, and what that means for the messages behind it is done. */
void console_fail(struct client *c, struct pg_error *e);
/* Sends rows of what is under way, as many as are wanted and the client takes; then its end. */
void console_send_rows(struct client *c);
/* The client is gone. */
void console_forget_rest(struct console *k);
/* Runs P, of which at most ROWS rows are to be sent now. */
void console_run(struct client *c, struct portal *p, uint32_t rows);

#endif
