/*
 * roll.h - a roll call: every worker tells, in its own thread, who is there and how its pools do; when the
 * last one has answered, the asking thread gets it all. Rows of clients and servers are written by the
 * asker's own functions, in the workers, so that nothing is copied twice; a worker lists its clients in small
 * batches between its other work.
 */
#ifndef PGWEIR_SESSION_ROLL_H
#define PGWEIR_SESSION_ROLL_H

#include "pgweir/pool/counters.h"
#include "pgweir/pool/statement.h"
#include "pgweir/session/end_reason.h"
#include "pgweir/session/house.h"

struct roll_client { /* all texts are borrowed for the call */
    uint64_t id;
    const char *user;     /* "(nouser)" when not known yet */
    const char *database; /* "(nodb)" */
    const char *state;    /* active, idle, waiting, login, waiting_cancel_req */
    const char *application_name;
    const char *replication;         /* none, physical, logical */
    const struct snapshot *settings; /* NULL: none of its own */
    const struct pool *pool;         /* NULL: of none */
    const struct stream *stream;
    int link_fd;                             /* of its server's socket; -1: none */
    uint64_t connect_us, request_us, now_us; /* by the loop's clock */
    uint64_t wait_us;                        /* waiting so long by now; 0: does not */
    uint64_t link_id;                        /* of its server; 0: none */
    size_t pending_in, pending_out;          /* bytes */
    unsigned prepared_statements;
    unsigned pins;      /* set of PIN_BIT: why it keeps its server between transactions; 0: it does not */
    uint64_t pinned_us; /* since when; valid while `pins` is not 0 */
    bool is_console;
};

struct roll_server {
    uint64_t id;
    const char *user, *database;
    const char *state; /* active, idle, used, tested, new, being_canceled, closing */
    const char *application_name;
    const char *replication;
    const struct snapshot *settings;
    const struct pool *pool;
    const struct stream *stream;
    int link_fd; /* of its client's; -1: none */
    const struct address *peer;
    uint64_t connect_us, request_us, now_us;
    uint64_t link_id;
    size_t pending_in, pending_out;
    unsigned prepared_statements;
    uint32_t backend_pid;
    bool close_needed;
};

struct roll_pool { /* over all workers */
    const struct pool *pool;
    char database[64], user[128];
    unsigned cl_active, cl_waiting, cl_cancel;
    unsigned sv_active, sv_active_cancel, sv_being_canceled, sv_idle, sv_used, sv_tested,
        sv_login; /* used: idle, and checked before they serve again */
    uint64_t max_wait_us;
    int pool_mode; /* enum pool_mode */
    struct pool_counters counters;
    struct pin_counts pins;
};

struct roll_totals {
    unsigned clients, logins, consoles; /* logged in, not yet, to the console */
    unsigned servers, servers_idle;     /* idle ones included */
    struct pool_counters console;       /* what the console has done */
    uint64_t ended[END_REASON_COUNT];   /* clients, by reason */
    unsigned dns_names, dns_queries;    /* names known over all workers, questions under way */
    size_t server_bytes;
    size_t client_bytes; /* of one client's object */
    struct registry_totals statements;
};

struct roll_name { /* of a host, as the resolvers know it */
    char *name;
    char *addresses; /* comma list; "": it could not be found */
    uint64_t ttl_us; /* is believed so long */
};

struct roll_peer { /* cancel requests on their way to a peer */
    unsigned id;
    unsigned active, dialing;
};

enum roll_what {
    ROLL_TOTALS = 0x10,
    ROLL_POOLS = 1,
    ROLL_CLIENTS = 2,
    ROLL_SERVERS = 4,
    ROLL_NAMES = 8,
    ROLL_PEERS = 0x20
};

struct roll {
    struct roll_pool *pools; /* sorted by database and user */
    size_t pool_count;
    struct roll_name *
        names; /* sorted by name, then the longest believed first; a name comes once per worker that has it */
    size_t name_count;
    struct roll_peer
        *peers; /* those to which a request is on its way, one entry for each worker and request */
    size_t peer_count;
    struct roll_totals totals;
    struct buf rows; /* what on_client and on_server have written, worker by worker, clients first */
};

struct roll_request {
    unsigned what; /* set of enum roll_what; the totals always come */
    /* In the workers' threads, side by side: they may use ARG only to read. */
    void (*on_client)(const void *arg, struct buf *rows, const struct roll_client *client);
    void (*on_server)(const void *arg, struct buf *rows, const struct roll_server *server);
    /* In the thread of LOOP. ROLL is freed afterwards. */
    void (*on_done)(void *arg, struct roll *roll);
    void *arg;
    struct loop *loop;
};

void roll_call(struct house *house, const struct roll_request *request);

#endif
