/* secrets.c - asks arrive here and go to who knows: in the main thread, or in helpers' threads what may block. */
#include "pgweir/control/secrets.h"

#include <stdlib.h>

#include "auth_query_impl.h"
#include "helpers_impl.h"
#include "host_name_impl.h"
#include "pam_impl.h"
#include "password_command_impl.h"
#include "pgweir/base/mem.h"

struct secrets {
    struct loop *loop;
    struct auth_query *queries; /* NULL once closed, both */
    struct password_commands *commands;
    struct helpers *helpers; /* any thread may give them something; NULL: likewise */
};

void
secret_ask_fail(struct secret_ask *ask, const char *sqlstate, const char *message)
{
    ask->outcome = SECRET_FAILED;
    pg_error_set(&ask->why, PG_FATAL, sqlstate, "%s", message);
    pg_error_hint(&ask->why, "The log of the pooler has the reason.");
    secret_ask_answer(ask);
}

static void
take(struct secrets *s, struct secret_ask *ask)
{
    if (s->queries == NULL)
        secret_ask_fail(ask, SQLSTATE_ADMIN_SHUTDOWN, "the pooler is shutting down");
    else if (ask->source == SECRET_OF_QUERY)
        auth_query_take(s->queries, ask);
    else
        password_commands_take(s->commands, ask);
}

static void
find_out(struct secret_ask *ask)
{
    if (ask->source == SECRET_OF_PAM)
        pam_answer(ask);
    else if (ask->source == SECRET_OF_HOST)
        host_name_answer(ask);
    else
        system_answer(ask);
}

static bool
may_block(enum secret_source source)
{
    return source == SECRET_OF_PAM || source == SECRET_OF_SYSTEM || source == SECRET_OF_HOST;
}

static void
on_arrival(struct letter *letter, void *recipient)
{
    struct secret_ask *ask = CONTAINER_OF(letter, struct secret_ask, letter);

    (void)recipient;
    take(ask->control, ask);
}

void
secrets_ask(struct secrets *s, struct secret_ask *ask)
{
    if (s->queries == NULL) { /* there is one thread left, and this is it */
        take(s, ask);
        return;
    }
    if (may_block(ask->source)) {
        helpers_take(s->helpers, ask);
        return;
    }
    ask->control = s;
    ask->letter.on_arrival = on_arrival;
    if (!loop_post(s->loop, &ask->letter))
        secret_ask_fail(ask, SQLSTATE_CANNOT_CONNECT_NOW, "too many logins at once");
}

struct secrets *
secrets_new(struct loop *main_loop, struct house_config *config)
{
    struct secrets *s = mem_new(sizeof(*s));

    s->loop = main_loop;
    s->queries = auth_query_new(main_loop, config->settings);
    s->commands = password_commands_new(main_loop, config->settings);
    s->helpers = helpers_new(find_out);
    return s;
}

void
secrets_reconfigure(struct secrets *s, struct house_config *config)
{
    if (s->queries == NULL)
        return;
    auth_query_reconfigure(s->queries, config->settings);
    password_commands_reconfigure(s->commands, config->settings);
}

void
secrets_close(struct secrets *s)
{
    if (s == NULL)
        return;
    auth_query_free(s->queries);
    password_commands_free(s->commands);
    helpers_free(s->helpers);
    s->queries = NULL;
    s->commands = NULL;
    s->helpers = NULL;
    (void)loop_turn(s->loop); /* asks that are on their way here; nobody else sends any more */
}

void
secrets_free(struct secrets *s)
{
    free(s);
}
