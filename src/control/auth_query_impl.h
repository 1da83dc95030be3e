/* auth_query_impl.h - secrets of users, asked for with auth_query and remembered for auth_query_cache. */
#ifndef PGWEIR_CONTROL_AUTH_QUERY_IMPL_H
#define PGWEIR_CONTROL_AUTH_QUERY_IMPL_H

#include "pgweir/config/settings.h"
#include "pgweir/net/loop.h"
#include "pgweir/session/secret_ask.h"

struct auth_query;

struct auth_query *auth_query_new(struct loop *loop, const struct settings *settings); /* holds SETTINGS */
void auth_query_free(struct auth_query *a); /* fails what is under way; NULL is fine */
void auth_query_reconfigure(struct auth_query *a, const struct settings *settings);
/* Answers ASK (SECRET_OF_QUERY), now or later. */
void auth_query_take(struct auth_query *a, struct secret_ask *ask);

/* secrets.c: answers ASK with a failure. */
void secret_ask_fail(struct secret_ask *ask, const char *sqlstate, const char *message);

#endif
