/*
 * worker_impl.h - one thread's sessions: everything that its clients and servers share. Only its thread
 * touches it, save the fields marked atomic.
 */
#ifndef PGWEIR_SESSION_WORKER_IMPL_H
#define PGWEIR_SESSION_WORKER_IMPL_H

#include <stdatomic.h>

#include "gather_impl.h"
#include "pgweir/base/list.h"
#include "pgweir/base/map.h"
#include "pgweir/base/slab.h"
#include "pgweir/net/dialer.h"
#include "pgweir/pool/snapshot.h"
#include "pgweir/pool/statement.h"
#include "pgweir/session/end_reason.h"
#include "pgweir/session/house.h"
#include "pgweir/session/keyring.h"
#include "pgweir/wire/scan.h"
#include "tally_impl.h"

struct client_name;
struct hold;
struct pending;

struct worker {
    struct house *house;
    struct loop *loop;
    struct resolver *resolver;
    struct house_config *config; /* held; swapped by letter */
    unsigned index;
    bool is_draining;
    bool has_drained;

    struct slab client_slab;
    struct slab pending_slab;
    struct pending *spare_pending; /* pending.c's; NULL: none */
    struct list logins;            /* client.in_worker, oldest first, until logged in */
    struct list clients;           /* client.in_worker, logged in */
    struct list consoles;          /* client.in_worker, logged in to the console */
    struct list graveyard;         /* client.in_worker, ended; freed by the chore when the turn is over */
    struct list dead_servers;      /* server.in_worker */
    struct list servers;           /* server.in_worker, all that live here */
    struct list forwards;          /* forward.in_forwards: cancel requests on their way to peers */
    struct chore burial;
    struct map cancel_keys; /* client.in_keys, by cancel pid */
    struct gather gather;
    struct buf scratch; /* where a message of our own is built before it is gathered */
    struct statement_cache statements;
    struct route *last_route;       /* where the last login led; held; NULL: nowhere yet */
    struct hold *hold;              /* suspend.c's; owned; NULL: not suspended */
    struct client_name *spare_name; /* names.c's; owned; NULL: none */
    struct pool_counters console_counters;
    unsigned login_count;
    unsigned console_count;
    unsigned server_count;
    uint64_t jitter;
    uint64_t ended[END_REASON_COUNT]; /* clients, by reason */

    _Atomic unsigned client_count; /* sockets delivered here and not yet ended; for dealing and totals */
};

struct house {
    struct house_params params;
    struct pools *pools;
    struct keyring *keyring;
    struct snapshots *snapshots;
    struct registry *registry;
    struct tallies database_clients, user_clients; /* logged in, by database and by login user */
    struct house_config *config;                   /* held; main thread */
    struct loop *main_loop;                        /* from house_attend() on */
    struct {                                       /* SUSPEND; main thread */
        bool is_on;
        unsigned number;  /* of this one: letters of earlier ones mean nothing */
        unsigned missing; /* workers that still have something to send */
        void (*on_done)(void *arg);
        void *arg;
    } suspension;
    atomic_bool is_for_console; /* whoever comes by a Unix socket now */
    char *resolv_conf;          /* owned; NULL: the system's */
    unsigned peer_id;           /* as at the start: it is part of all cancel keys; 0: none */
    unsigned worker_count;
    struct worker *workers;
    _Atomic uint64_t last_client_id;
    _Atomic unsigned client_count; /* logged in or past the limit check; compared with max_client_conn */
    _Atomic unsigned console_count;
    _Atomic unsigned undrained; /* workers that still have somebody */
};

static inline const struct settings *
worker_settings(const struct worker *w)
{
    return w->config->settings;
}

/* The longest message that may pass, without its header. */
static inline uint32_t
worker_most_body(const struct worker *w)
{
    uint64_t most = worker_settings(w)->max_packet_size;

    return most > SCAN_MAX_BODY ? SCAN_MAX_BODY : (uint32_t)most;
}

/* Buries what has ended once this loop turn is over. */
void worker_bury_later(struct worker *w);
/* While draining: tells the house when this worker's last client and server are gone. */
void worker_check_drained(struct worker *w);

/* KILL: ends every client of DATABASE (NULL: of all), those in their login included. */
void worker_end_clients(struct worker *w, char *database);
void hold_free(struct hold *hold); /* with its loop gone; NULL is fine */

#endif
