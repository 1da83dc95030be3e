/*
 * control.h - what an administrator does to pools: PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, WAIT_CLOSE.
 *
 *     PAUSE       requests wait, servers are closed as they come back, no new one is dialed; answered when
 *                 the last has gone
 *     RECONNECT   servers are closed as they come back; requests get new ones
 *     WAIT_CLOSE  answered when the last server that was to be closed has gone
 *
 * The state hangs on names, not on entries of the configuration: it survives reloads and holds for pools that
 * are made later. "All" (a database of NULL) is a state of its own: RESUME of all leaves a database paused
 * that was paused by its name.
 *
 * Main thread only, save the questions. KILL and KILL_CLIENT need clients: session/house.h has them.
 */
#ifndef PGWEIR_POOL_CONTROL_H
#define PGWEIR_POOL_CONTROL_H

#include <stdbool.h>

#include "pgweir/base/list.h"
#include "pgweir/pool/pool.h"

enum pools_answer {
    POOLS_DONE,        /* done, or begun: then the wait tells the end */
    POOLS_NO_DATABASE, /* neither an entry nor "*" has this name */
    POOLS_ALREADY,     /* PAUSE of all while all are paused */
    POOLS_NOT_PAUSED,  /* RESUME of what is not paused */
};

struct pools_wait {       /* embedded in a waiting command; pool/'s until on_done() or pools_wait_cancel() */
    struct link in_waits; /* of the pools, while it waits */
    const char *database; /* borrowed; NULL: all */
    bool is_for_stale;    /* WAIT_CLOSE: servers that are to be closed; else all servers */
    void (*on_done)(struct pools_wait *wait); /* main thread, never before the call that began it returns */
};

/* LOOP is the main thread's: waits are answered there, and pools that nobody uses are found and freed. Once,
 * before any wait. */
void pools_attend(struct pools *p, struct loop *loop);

/* on_done() comes when no server of DATABASE is left; WAIT may be NULL. WAIT is not used unless the answer is
 * POOLS_DONE. */
enum pools_answer pools_pause(struct pools *p, const char *database, struct pools_wait *wait);
/* Ends the wait of a PAUSE of the same too: cancel it first. */
enum pools_answer pools_resume(struct pools *p, const char *database);
/* Logins are refused by pools_is_disabled(); clients that are there stay. */
enum pools_answer pools_disable(struct pools *p, const char *database);
enum pools_answer pools_enable(struct pools *p, const char *database);
/* Marks all members of DATABASE's pools stale: also for TLS material that has changed. */
enum pools_answer pools_reconnect(struct pools *p, const char *database);
/* on_done() comes when no stale server of DATABASE is left. */
enum pools_answer pools_wait_close(struct pools *p, const char *database, struct pools_wait *wait);
void pools_wait_cancel(struct pools_wait *wait); /* fine when it is over; on_done() will not come */

/* Any thread. DATABASE as the client names it. */
bool pools_is_paused(struct pools *p, const char *database); /* by its name or with all; NULL: all are */
bool pools_is_any_paused(struct pools *p);                   /* by its name, or all are */
bool pools_is_disabled(struct pools *p,
                       const char *database); /* takes a lock only while anything is disabled or paused */

#endif
