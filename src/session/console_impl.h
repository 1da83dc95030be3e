/* console_impl.h - a client whose database is the console: it gets no server, its commands go to
 * console_handler. */
#ifndef PGWEIR_SESSION_CONSOLE_IMPL_H
#define PGWEIR_SESSION_CONSOLE_IMPL_H

#include "client_impl.h"
#include "pgweir/session/console.h"

struct console;

/* Logged in or about to be: whose console this is. */
const char *console_user(const struct console *k);
const char *console_database(const struct console *k);

/* Whether C's login names the console. */
bool console_is_wanted(const struct client *c);
/* Whether C, whose login names the console, needs no password: it comes from the Unix socket and from our own
 * uid. */
bool console_is_owner(const struct client *c);
/* C has proved who it is: greets it, or refuses it. */
void console_enter(struct client *c);
/* What client_steps[] calls. */
void console_start(struct client *c);

void console_read(struct client *c, struct slice fresh);
void console_drained(struct client *c);
/* A cancel request with its key has come. */
void console_cancel(struct client *c);
/* C ends. */
void console_gone(struct client *c);
void console_free(struct console *k); /* NULL is fine */

#endif
