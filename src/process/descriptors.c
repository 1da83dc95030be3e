/* descriptors.c - RLIMIT_NOFILE. */
#include "descriptors_impl.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "pgweir/base/log.h"

#define SERVERS_UNKNOWN 100u /* with server_connections = auto: PostgreSQL's own default of max_connections */
#define SERVERS_MOST 1000000u /* in a [pgbouncer] file: no limit of its own */
#define OWN_FEW 64u           /* log, pid file, listeners, control connections, cancel requests */
#define OWN_PER_WORKER 8u     /* epoll, mailbox, resolver */

void
descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* descriptors_tell() says what it led to */
}

uint64_t
descriptors_needed(const struct settings *settings, unsigned worker_count)
{
    unsigned given = settings->server_connections;
    uint64_t servers = given > 0 && given < SERVERS_MOST ? given : SERVERS_UNKNOWN;

    return (uint64_t)settings->max_client_conn + servers + OWN_FEW + (uint64_t)worker_count * OWN_PER_WORKER;
}

void
descriptors_tell(const struct settings *settings, unsigned worker_count)
{
    uint64_t needed = descriptors_needed(settings, worker_count);
    struct rlimit limit = { .rlim_cur = 0 };

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (needed <= limit.rlim_cur)
        log_line(LOG_NOTICE_LEVEL,
                 "kernel file descriptor limit: %ju (hard: %ju); max_client_conn: %u, "
                 "max expected fd use: %" PRIu64,
                 (uintmax_t)limit.rlim_cur, (uintmax_t)limit.rlim_max, settings->max_client_conn, needed);
    else
        log_line(
            LOG_WARNING_LEVEL,
            "max_client_conn %u does not fit into the kernel's limit of %ju file descriptors: %" PRIu64
            " may be needed, so clients will be kept out before max_client_conn is reached; raise the limit "
            "(ulimit -n, LimitNOFILE= of systemd) or lower max_client_conn",
            settings->max_client_conn, (uintmax_t)limit.rlim_cur, needed);
}
