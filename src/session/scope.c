/* scope.c - see scope_impl.h. */
#include "scope_impl.h"

#include <string.h>

#include "pgweir/base/map.h"
#include "pgweir/pool/schema.h"
#include "prepare_impl.h"
#include "session_state_impl.h"

static bool
names_temp_schema(struct slice path)
{
    return path.len > 0 && memmem(path.at, path.len, "pg_temp", strlen("pg_temp")) != NULL;
}

bool
scope_makes_temp(const struct client *c)
{
    const struct turn *turn = &c->server->turn;
    const char *path = snapshot_value(c->settings, "search_path");

    if (turn->local_path != 0)
        return turn->has_temp_path;
    return path != NULL && names_temp_schema(slice_of_text(path));
}

void
scope_note(struct client *c, const struct sql_findings *f, struct slice bind)
{
    struct slice value = f->path;

    if (f->path_parameter != 0 && (bind.len == 0 || !bind_value(bind, f->path_parameter, &value)))
        return;
    c->server->turn.local_path = map_hash_after(map_hash(value), snapshot_scope(c->settings));
    c->server->turn.has_temp_path = names_temp_schema(value);
}

/* Whether nothing that was sent refers to N: neither its Parse nor what an answer will tell of it. */
static bool
is_at_rest(const struct client *c, const struct client_name *n)
{
    return n->refs == 1u + (c->bound == n) && stamp_on_server(c, n->stamp) <= c->server->known_stamp;
}

/* Otherwise PostgreSQL makes a new plan, or says that it cannot. */
void
scope_follow_slowly(struct client *c, struct client_name *n, struct slice scope)
{
    struct statement *st;

    if (!is_at_rest(c, n))
        return;
    st = statement_take(&c->worker->statements, statement_tail(n->statement), scope);
    if (st == NULL)
        return;
    statement_drop(n->statement);
    n->statement = st;
    n->epoch = SCHEMA_LONG_AGO;
}
