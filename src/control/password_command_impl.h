/*
 * password_command_impl.h - passwords for servers that a command prints, and that soon expire. The command is
 * run by /bin/sh, with PGHOST, PGPORT, PGUSER and PGDATABASE in its environment, and without blocking.
 */
#ifndef PGWEIR_CONTROL_PASSWORD_COMMAND_IMPL_H
#define PGWEIR_CONTROL_PASSWORD_COMMAND_IMPL_H

#include "pgweir/config/settings.h"
#include "pgweir/net/loop.h"
#include "pgweir/session/secret_ask.h"

struct password_commands;

struct password_commands *password_commands_new(struct loop *loop,
                                                const struct settings *settings); /* holds SETTINGS */
/* Kills what runs and fails who waits; NULL is fine. */
void password_commands_free(struct password_commands *p);
void password_commands_reconfigure(struct password_commands *p, const struct settings *settings);
/* Answers ASK (SECRET_OF_COMMAND), now or later. */
void password_commands_take(struct password_commands *p, struct secret_ask *ask);

#endif
