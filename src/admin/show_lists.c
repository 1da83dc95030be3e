/* show_lists.c - LISTS, MEM, DNS_HOSTS, DNS_ZONES, BUDGET, PREPARED, PREPARED_TOTALS: what there is, counted. */
#include <stdatomic.h>
#include <string.h>

#include "show_impl.h"

static const struct console_column list_columns[] = { T("list"), I("items") };

static void
write_lists(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct settings *s = j->admin->config->settings;
    const struct roll_totals *t = &roll->totals;
    unsigned databases = 1; /* the console */
    const char *name;

    for (unsigned i = 0; (name = settings_database_name(s, i)) != NULL; i++)
        databases += strcmp(name, "*") != 0;
    for (size_t i = 0; i < roll->pool_count; i++)
        databases += settings_database_own(s, roll->pools[i].database) == NULL &&
                     (i == 0 || strcmp(roll->pools[i - 1].database, roll->pools[i].database) != 0);
    {
        const struct {
            const char *list;
            uint64_t items;
        } items[] = {
            { "databases", databases },
            { "users", list_users(j, roll, NULL) },
            { "peers", peer_count(j) },
            { "pools", roll->pool_count + 1 },
            { "peer_pools", peer_count(j) },
            { "free_clients", 0 }, /* memory of clients that have left is given back, not listed */
            { "used_clients", (uint64_t)t->clients + t->consoles },
            { "login_clients", t->logins },
            { "free_servers", 0 },
            { "used_servers", t->servers },
            { "dns_names", t->dns_names },
            { "dns_zones", 0 },
            { "dns_queries", t->dns_queries },
            { "dns_pending", t->dns_queries },
        };

        for (size_t i = 0; i < COUNT_OF(items); i++) {
            console_add_text(rows, items[i].list);
            add_count(rows, items[i].items);
        }
    }
}

static const struct console_column mem_columns[] = { T("name"), I("size"), I("used"), I("free"),
                                                     I("memtotal") };

static void
add_mem(struct buf *rows, const char *name, uint64_t size, uint64_t used, uint64_t total)
{
    console_add_text(rows, name);
    add_count(rows, size);
    add_count(rows, used);
    add_count(rows, 0); /* free ones are given back */
    add_count(rows, total);
}

static void
write_mem(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct roll_totals *t = &roll->totals;
    uint64_t clients = (uint64_t)t->clients + t->logins + t->consoles;

    (void)j;
    add_mem(rows, "client_cache", t->client_bytes, clients, clients * t->client_bytes);
    add_mem(rows, "server_cache", t->server_bytes, t->servers, (uint64_t)t->servers * t->server_bytes);
    add_mem(rows, "statement_cache",
            t->statements.statements == 0 ? 0 : t->statements.bytes / t->statements.statements,
            t->statements.statements, t->statements.bytes);
}

/* --- DNS_HOSTS, DNS_ZONES, FDS --- */

static const struct console_column dns_host_columns[] = { T("hostname"), Q("ttl"), T("addrs") };
static const struct console_column dns_zone_columns[] = { T("zonename"), Q("serial"), I("count") };

/* Every worker has a resolver of its own: a name is told once, the freshest first. */
static void
write_dns_hosts(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    for (size_t i = 0; i < roll->name_count; i++) {
        const struct roll_name *name = &roll->names[i];

        if (i > 0 && strcmp(roll->names[i - 1].name, name->name) == 0)
            continue;
        console_add_text(rows, name->name);
        console_add_int(rows, (int64_t)(name->ttl_us / US_PER_S));
        console_add_text(rows, name->addresses);
    }
}

/* --- BUDGET --- */

static const struct console_column budget_columns[] = {
    T("host"), I("connection_limit"), I("in_force"),   I("taken"), I("waiting"),     T("database"),
    T("user"), I("pool_limit"),       I("pool_taken"), T("terms"), T("last_change"),
};

static void
add_budget(void *arg, struct pool *pool)
{
    struct buf *rows = arg;
    const struct budget_account *account = pool_account(pool);
    struct budget_view view;

    budget_look(account, &view);
    console_add_text(rows, budget_host_key(account->host));
    add_count(rows, view.limit);
    add_count(rows, view.in_force);
    add_count(rows, view.taken);
    add_count(rows, view.wanted);
    console_add_text(rows, pool_database(pool));
    console_add_text(rows, pool_user(pool));
    add_count(rows, view.account_limit);
    add_count(rows, view.account_taken);
    console_add_text(rows, view.why);
    console_add_text(rows, view.last_change);
}

static void
write_budget(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)roll;
    pools_each(house_pools(j->admin->house), add_budget, rows);
}

/* --- PREPARED --- */

#define PREPARED_AT_ONCE 64u     /* under the registry's lock */
#define PREPARED_MOST_TEXT 1000u /* bytes of a query that are shown */

static const struct console_column prepared_columns[] = {
    T("name"), T("query"), I("parameters"), I("holders"), I("servers"), N("calls"), I("bytes"),
};

static void
add_prepared(void *arg, const struct statement *s)
{
    struct buf *rows = arg;
    struct slice text = statement_text(s);
    size_t counted = (size_t)s->text_len + 1; /* behind the query: how many types the client has told */

    if (text.len > PREPARED_MOST_TEXT)
        for (text.len = PREPARED_MOST_TEXT; text.len > 0 && (text.at[text.len] & 0xc0) == 0x80;)
            text.len--;
    console_add_text(rows, s->name);
    console_add_slice(rows, text);
    add_count(rows, counted + 2 <= s->tail_len ? get_be16(s->bytes + counted) : 0);
    add_count(rows, atomic_load_explicit(&((struct statement *)(uintptr_t)s)->refs, memory_order_relaxed));
    add_count(rows, atomic_load_explicit(&((struct statement *)(uintptr_t)s)->servers, memory_order_relaxed));
    console_add_uint(rows,
                     atomic_load_explicit(&((struct statement *)(uintptr_t)s)->calls, memory_order_relaxed));
    add_count(rows, (uint64_t)s->tail_len + s->scope_len);
}

static void
write_prepared(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)roll;
    struct statement *last = NULL;

    do
        last = registry_list(house_registry(j->admin->house), last, PREPARED_AT_ONCE, add_prepared, rows);
    while (last != NULL);
}

static const struct console_column prepared_total_columns[] = {
    T("database"),   T("user"), N("client_parse_count"), N("server_parse_count"),
    N("bind_count"), N("hits"), N("evictions"),          N("heals"),
};

static void
write_prepared_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    for (size_t i = 0; i < roll->pool_count; i++) {
        const struct pool_counters *c = &roll->pools[i].counters;

        console_add_text(rows, roll->pools[i].database);
        console_add_text(rows, roll->pools[i].user);
        console_add_uint(rows, c->client_parse_count);
        console_add_uint(rows, c->server_parse_count);
        console_add_uint(rows, c->bind_count);
        console_add_uint(rows, c->prepared_hit_count);
        console_add_uint(rows, c->prepared_eviction_count);
        console_add_uint(rows, c->prepared_heal_count);
    }
}

static void
write_nothing(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    (void)roll;
    (void)rows;
}

/* clang-format off */
static const struct show rows_here[] = {
    { "BUDGET", SHAPE(budget_columns), .write = write_budget },
    { "DNS_HOSTS", SHAPE(dns_host_columns), ROLL_NAMES, .write = write_dns_hosts },
    { "DNS_ZONES", SHAPE(dns_zone_columns), .write = write_nothing },
    { "LISTS", SHAPE(list_columns), ROLL_POOLS | ROLL_NAMES, .write = write_lists },
    { "MEM", SHAPE(mem_columns), ROLL_TOTALS, .write = write_mem },
    { "PREPARED", SHAPE(prepared_columns), .is_for_admin = true, .write = write_prepared },
    { "PREPARED_TOTALS", SHAPE(prepared_total_columns), ROLL_POOLS, .write = write_prepared_totals },
};
/* clang-format on */

const struct show_family show_lists = SHOW_FAMILY(rows_here);
