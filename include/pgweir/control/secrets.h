/*
 * secrets.h - answers what session/ asks about secrets (session/secret_ask.h): with auth_query for users,
 * with password_command for servers. Main thread; only secrets_ask() may come from any.
 */
#ifndef PGWEIR_CONTROL_SECRETS_H
#define PGWEIR_CONTROL_SECRETS_H

#include "pgweir/net/loop.h"
#include "pgweir/session/house.h"
#include "pgweir/session/secret_ask.h"

struct secrets;

struct secrets *secrets_new(struct loop *main_loop, struct house_config *config);
/* Any thread: house_params.on_secret_ask. */
void secrets_ask(struct secrets *s, struct secret_ask *ask);
/* CONFIG is in force now; what was found out under the last one is forgotten. */
void secrets_reconfigure(struct secrets *s, struct house_config *config);
/* The worker threads have ended, and house_free() comes next: what is under way is answered with a failure,
 * and so is what still comes. */
void secrets_close(struct secrets *s);
/* After house_free(). One loop_turn() must follow, in which a name that is looked up is let go. NULL is fine,
 * here and above. */
void secrets_free(struct secrets *s);

#endif
