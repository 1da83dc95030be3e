/* test_show.c - the columns of SHOW are PgBouncer's: names, types and order, as monitoring expects them. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "admin/show_impl.h"
#include "pgweir/base/attr.h"

void suite_show(void);

#define STATS(p, received, sent)                                                                        \
    p "server_assignment_count n " p "xact_count n " p "query_count n " p received " n " p sent " n " p \
      "xact_time n " p "query_time n " p "wait_time n "
#define STATS_END(p) \
    p "client_parse_count n " p "server_parse_count n " p "bind_count n " p "client_login_count n "
#define SOCKET                                                                                               \
    "type t user t database t replication t state t addr t port i local_addr t local_port i connect_time t " \
    "request_time t wait i wait_us i close_needed i ptr t link t remote_pid i tls t application_name t "     \
    "prepared_statements i id i "
#define BUFFER "recv_pos i pkt_pos i pkt_remain i send_pos i send_remain i pkt_avail i send_avail i "

/* Written down from PgBouncer 1.25: t text, i int4, q int8, n numeric. */
static const struct {
    const char *name, *columns;
} expected[] = {
    { "version", "version t " },
    { "state", "key t value t " },
    { "help", "" },
    { "config", "key t value t default t changeable t " },
    { "databases",
      "name t host t port i database t force_user t pool_size i min_pool_size i reserve_pool_size i "
      "server_lifetime i pool_mode t load_balance_hosts t max_connections i current_connections i "
      "max_client_connections i current_client_connections i paused i disabled i "
      "reserve_pool i " }, /* the last is PgBouncer's of long ago, behind the others */
    { "users",
      "name t pool_size t reserve_pool_size t pool_mode t max_user_connections i current_connections i "
      "max_user_client_connections i current_client_connections i " },
    { "pools",
      "database t user t cl_active i cl_waiting i cl_active_cancel_req i cl_waiting_cancel_req i sv_active i "
      "sv_active_cancel i sv_being_canceled i sv_idle i sv_used i sv_tested i sv_login i maxwait i "
      "maxwait_us i pool_mode t load_balance_hosts t " },
    { "peers", "peer_id i host t port i pool_size i " },
    { "peer_pools",
      "peer_id i cl_active_cancel_req i cl_waiting_cancel_req i sv_active_cancel i sv_login i " },
    { "clients", SOCKET },
    { "servers", SOCKET },
    { "sockets", SOCKET BUFFER },
    { "active_sockets", SOCKET BUFFER },
    { "lists", "list t items i " },
    { "mem", "name t size i used i free i memtotal i " },
    { "dns_hosts", "hostname t ttl q addrs t " },
    { "dns_zones", "zonename t serial q count i " },
    { "stats", "database t " STATS("total_", "received", "sent") STATS_END("total_")
                   STATS("avg_", "recv", "sent") STATS_END("avg_") "total_requests n " }, /* likewise */
    { "stats_totals", "database t " STATS("", "bytes_received", "bytes_sent") STATS_END("") },
    { "stats_averages", "database t " STATS("", "bytes_received", "bytes_sent") STATS_END("avg_") },
    { "totals", "name t value n " },
    { "fds",
      "fd i task t user t database t addr t port i cancel q link i client_encoding t std_strings t datestyle t "
      "timezone t password t scram_client_key b scram_server_key b " },
    /* what is ours */
    { "budget",
      "host t connection_limit i in_force i taken i waiting i database t user t pool_limit i pool_taken i terms t "
      "last_change t " },
    { "pins",
      "id i database t user t application_name t addr t port i state t reasons t pinned_seconds i link t " },
    { "pin_totals", "database t user t reason t clients i words t " },
    { "prepared", "name t query t parameters i holders i servers i calls n bytes i " },
    { "client_encoding", "client_encoding t " },
    { "default_transaction_isolation", "default_transaction_isolation t " },
    { "standard_conforming_strings", "standard_conforming_strings t " },
    { "datestyle", "datestyle t " },
    { "timezone", "timezone t " },
};

static void
columns_are_pgbouncers(void)
{
    static const char letters[] = { [CONSOLE_TEXT] = 't',
                                    [CONSOLE_INT4] = 'i',
                                    [CONSOLE_INT8] = 'q',
                                    [CONSOLE_NUMERIC] = 'n',
                                    [CONSOLE_BYTEA] = 'b' };

    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const struct show *show = show_find(expected[i].name);
        char columns[2000] = "";

        CU_ASSERT_PTR_NOT_NULL_FATAL(show);
        for (size_t k = 0; k < show->shape.count; k++)
            snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "%s %c ",
                     show->shape.columns[k].name, letters[show->shape.columns[k].type]);
        if (strcmp(columns, expected[i].columns) != 0) {
            fprintf(stderr, "\n    %s: %s\n    expected: %s\n", show->name, columns, expected[i].columns);
            CU_FAIL("columns differ");
        }
    }
}

static void
every_row_of_the_table_can_be_shown(void)
{
    const struct show *show;

    for (size_t i = 0; (show = show_at(i)) != NULL; i++) {
        CU_ASSERT_PTR_EQUAL(show_find(show->name), show);
        CU_ASSERT(show->shape.count <= CONSOLE_MOST_COLUMNS);
        CU_ASSERT(show->write != NULL || show->on_client != NULL || show->on_server != NULL);
        CU_ASSERT((show->on_client != NULL) == ((show->what & ROLL_CLIENTS) != 0));
        CU_ASSERT((show->on_server != NULL) == ((show->what & ROLL_SERVERS) != 0));
    }
    CU_ASSERT_PTR_NULL(show_find("nonsense"));
    CU_ASSERT_PTR_NULL(show_find(""));
}

void
suite_show(void)
{
    CU_pSuite suite = CU_add_suite("show", NULL, NULL);

    CU_ADD_TEST(suite, columns_are_pgbouncers);
    CU_ADD_TEST(suite, every_row_of_the_table_can_be_shown);
}
