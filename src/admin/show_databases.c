/* show_databases.c - DATABASES, POOLS, PEERS, PEER_POOLS: the entries of the file and how their pools do. */
#include <string.h>

#include "pgweir/config/route.h"
#include "show_impl.h"

const char *const pool_mode_words[] = {
    [POOL_SESSION] = "session", [POOL_TRANSACTION] = "transaction", [POOL_STATEMENT] = "statement"
};

unsigned
servers_of(const struct roll_pool *p)
{
    return p->sv_active + p->sv_being_canceled + p->sv_idle + p->sv_used + p->sv_tested + p->sv_login;
}

static const struct console_column database_columns[] = {
    T("name"),
    T("host"),
    I("port"),
    T("database"),
    T("force_user"),
    I("pool_size"),
    I("min_pool_size"),
    I("reserve_pool_size"),
    I("server_lifetime"),
    T("pool_mode"),
    T("load_balance_hosts"),
    I("max_connections"),
    I("current_connections"),
    I("max_client_connections"),
    I("current_client_connections"),
    I("paused"),
    I("disabled"),
    I("reserve_pool"), /* behind PgBouncer's columns: its name before 1.8, which old exporters want */
};

static void
add_hosts(struct buf *rows, const struct route *r)
{
    struct buf hosts;

    buf_init(&hosts);
    for (unsigned i = 0; i < r->host_count; i++)
        buf_add_format(&hosts, "%s%s", i == 0 ? "" : ",", r->hosts[i].host);
    console_add_slice(rows, buf_slice(&hosts));
    buf_release(&hosts);
}

static const char *
balance_of(const struct route *r)
{
    if (r->host_count < 2)
        return NULL;
    return r->load_balance_hosts == BALANCE_DISABLE ? "disable" : "round-robin";
}

static void
add_database(struct job *j, const struct roll *roll, struct buf *rows, const char *name)
{
    const struct settings *s = j->admin->config->settings;
    const struct overrides *own = settings_database_own(s, name);
    struct pools *pools = house_pools(j->admin->house);
    struct route *r = settings_route(s, name, "");
    unsigned servers = 0, clients = 0;

    if (r == NULL)
        return;
    for (size_t i = 0; i < roll->pool_count; i++)
        if (strcmp(roll->pools[i].database, name) == 0) {
            servers += servers_of(&roll->pools[i]);
            clients += roll->pools[i].cl_active + roll->pools[i].cl_waiting;
        }
    console_add_text(rows, name);
    add_hosts(rows, r);
    add_count(rows, r->hosts[0].port);
    console_add_text(rows, r->server_database);
    console_add_text(rows, r->is_forced ? r->user : NULL);
    add_count(rows, r->pool_size);
    add_count(rows, r->min_pool_size);
    add_count(rows, r->reserve_pool_size);
    add_count(rows, r->server_lifetime_us / US_PER_S);
    console_add_text(rows, own != NULL && own->is_set.pool_mode ? pool_mode_words[r->pool_mode] : NULL);
    console_add_text(rows, balance_of(r));
    add_count(rows, r->max_db_connections);
    add_count(rows, servers);
    add_count(rows, r->max_db_client_connections);
    add_count(rows, clients);
    add_count(rows, pools_is_paused(pools, name));
    add_count(rows, pools_is_disabled(pools, name));
    add_count(rows, r->reserve_pool_size);
    route_drop(r);
}

static void
add_console_database(struct job *j, const struct roll *roll, struct buf *rows)
{
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, NULL);
    add_count(rows, j->admin->config->settings->listen_port);
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, CONSOLE_DATABASE);
    for (unsigned i = 0; i < 4; i++) /* no servers, so no sizes */
        add_count(rows, 0);
    console_add_text(rows, "statement");
    console_add_text(rows, NULL);
    for (unsigned i = 0; i < 3; i++)
        add_count(rows, 0);
    add_count(rows, roll->totals.consoles);
    for (unsigned i = 0; i < 3; i++)
        add_count(rows, 0);
}

static void
write_databases(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct settings *s = j->admin->config->settings;
    const char *name;

    for (unsigned i = 0; (name = settings_database_name(s, i)) != NULL; i++)
        if (strcmp(name, "*") != 0)
            add_database(j, roll, rows, name);
    for (size_t i = 0; i < roll->pool_count; i++) { /* those that "*" has made */
        name = roll->pools[i].database;
        if (settings_database_own(s, name) == NULL &&
            (i == 0 || strcmp(roll->pools[i - 1].database, name) != 0))
            add_database(j, roll, rows, name);
    }
    add_console_database(j, roll, rows);
}


static const struct console_column pool_columns[] = {
    T("database"),
    T("user"),
    I("cl_active"),
    I("cl_waiting"),
    I("cl_active_cancel_req"),
    I("cl_waiting_cancel_req"),
    I("sv_active"),
    I("sv_active_cancel"),
    I("sv_being_canceled"),
    I("sv_idle"),
    I("sv_used"),
    I("sv_tested"),
    I("sv_login"),
    I("maxwait"),
    I("maxwait_us"),
    T("pool_mode"),
    T("load_balance_hosts"),
};

static void
write_pools(struct job *j, const struct roll *roll, struct buf *rows)
{
    for (size_t i = 0; i < roll->pool_count; i++) {
        const struct roll_pool *p = &roll->pools[i];
        struct route *r = settings_route(j->admin->config->settings, p->database, p->user);
        const uint64_t numbers[] = {
            p->cl_active,
            p->cl_waiting,
            p->cl_cancel,
            0, /* a cancel request goes to the server at once */
            p->sv_active,
            p->sv_active_cancel,
            p->sv_being_canceled,
            p->sv_idle,
            p->sv_used,
            p->sv_tested,
            p->sv_login,
            p->max_wait_us / US_PER_S,
            p->max_wait_us % US_PER_S,
        };

        console_add_text(rows, p->database);
        console_add_text(rows, p->user);
        for (size_t k = 0; k < COUNT_OF(numbers); k++)
            add_count(rows, numbers[k]);
        console_add_text(rows, pool_mode_words[p->pool_mode]);
        console_add_text(rows, r == NULL ? NULL : balance_of(r));
        route_drop(r);
    }
    console_add_text(rows, CONSOLE_DATABASE);
    console_add_text(rows, CONSOLE_DATABASE);
    add_count(rows, roll->totals.consoles);
    for (unsigned i = 0; i < 12; i++)
        add_count(rows, 0);
    console_add_text(rows, "statement");
    console_add_text(rows, NULL);
}

/* --- PEERS, PEER_POOLS --- */

static const struct console_column peer_columns[] = { I("peer_id"), T("host"), I("port"), I("pool_size") };
static const struct console_column peer_pool_columns[] = {
    I("peer_id"), I("cl_active_cancel_req"), I("cl_waiting_cancel_req"), I("sv_active_cancel"), I("sv_login"),
};

unsigned
peer_count(const struct job *j)
{
    unsigned count = 0;

    while (settings_peer_at(j->admin->config->settings, count) != NULL)
        count++;
    return count;
}

static void
write_peers(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct peer *peer;

    (void)roll;
    for (unsigned i = 0; (peer = settings_peer_at(j->admin->config->settings, i)) != NULL; i++) {
        add_count(rows, peer->id);
        console_add_text(rows, peer->host);
        add_count(rows, peer->port);
        add_count(rows, peer->pool_size);
    }
}

static void
write_peer_pools(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct peer *peer;

    for (unsigned i = 0; (peer = settings_peer_at(j->admin->config->settings, i)) != NULL; i++) {
        unsigned active = 0, dialing = 0;

        for (size_t k = 0; k < roll->peer_count; k++)
            if (roll->peers[k].id == peer->id) {
                active += roll->peers[k].active;
                dialing += roll->peers[k].dialing;
            }
        add_count(rows, peer->id);
        add_count(rows, active); /* a request and its connection are one and one */
        add_count(rows, dialing);
        add_count(rows, active);
        add_count(rows, dialing);
    }
}

/* clang-format off */
static const struct show rows_here[] = {
    { "DATABASES", SHAPE(database_columns), ROLL_POOLS, .write = write_databases },
    { "PEERS", SHAPE(peer_columns), .write = write_peers },
    { "PEER_POOLS", SHAPE(peer_pool_columns), ROLL_PEERS, .write = write_peer_pools },
    { "POOLS", SHAPE(pool_columns), ROLL_POOLS, .write = write_pools },
};
/* clang-format on */

const struct show_family show_databases = SHOW_FAMILY(rows_here);
