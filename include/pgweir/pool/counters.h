/*
 * counters.h - what a pool has done, counted by each worker alone: plain numbers that only the worker's
 * thread writes and reads. Totals are gathered by letter. One row is the whole truth about a counter: its
 * name here is its name in the console (SHOW STATS) and among the metrics.
 *
 * Meanings are PgBouncer's. A query is counted when a client with no query running sends something, so a
 * whole pipeline is one query; its time is from when it has its server to when everything it asked for was
 * answered. Times are by the loop's clock, which is read once per wake-up.
 */
#ifndef PGWEIR_POOL_COUNTERS_H
#define PGWEIR_POOL_COUNTERS_H

#include <stdint.h>

/* clang-format off */
#define POOL_COUNTERS(X)                                                                                   \
    /* id                      text                                                                    */  \
    X(server_assignment_count, "times a server was given to a client")                                     \
    X(xact_count,              "transactions")                                                             \
    X(query_count,             "queries; a pipeline is one")                                               \
    X(received_bytes,          "bytes from clients that were for servers")                                 \
    X(sent_bytes,              "bytes from servers that went to clients")                                  \
    X(xact_time_us,            "time in transactions, idle in them included, microseconds")                \
    X(query_time_us,           "time in queries, microseconds")                                            \
    X(wait_time_us,            "time that clients waited for a server, microseconds")                      \
    X(client_parse_count,      "named prepared statements made by clients")                                \
    X(server_parse_count,      "named prepared statements made on servers")                                \
    X(bind_count,              "times a client bound a named prepared statement")                          \
    X(prepared_hit_count,      "times what a client bound or described was on its server already")           \
    X(prepared_eviction_count, "named prepared statements closed on servers to make room")                 \
    X(prepared_heal_count,     "prepared statements that failed on their server and were made to work unseen") \
    X(client_login_count,      "clients logged in")                                                        \
    X(read_back_count,         "times a session was asked for what texts may have left in it")             \
    X(audit_count,             "times a session was asked though no text had shown anything (session_audit)") \
    X(audit_finding_count,     "times that something was found by that")

/* clang-format on */

#define POOL_COUNTER_FIELD(id, text) uint64_t id;
struct pool_counters {
    POOL_COUNTERS(POOL_COUNTER_FIELD)
};
#undef POOL_COUNTER_FIELD

/* Adds FROM to TO. */
static inline void
pool_counters_add(struct pool_counters *to, const struct pool_counters *from)
{
#define POOL_COUNTER_ADD(id, text) to->id += from->id;
    POOL_COUNTERS(POOL_COUNTER_ADD)
#undef POOL_COUNTER_ADD
}

#endif
