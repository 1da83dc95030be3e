/* tally_impl.h - how many clients each database entry and each login user has, over all workers;
 * max_db_client_connections and max_user_client_connections bound it. Thread-safe; one lock, at logins and
 * when clients end. */
#ifndef PGWEIR_SESSION_TALLY_IMPL_H
#define PGWEIR_SESSION_TALLY_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "pgweir/base/map.h"

struct tally { /* of one name */
    struct map_node in_tallies;
    char *name;
    unsigned count; /* under the lock; the tally goes when it is 0 */
};

struct tallies {
    pthread_mutex_t lock;
    struct map by_name;
};

void tallies_init(struct tallies *t);
void tallies_fini(struct tallies *t); /* every tally must have been given back */

/* One more of NAME, unless there are LIMIT already (0: no limit): then NULL. *COUNT: how many there were
 * before. */
struct tally *tally_take(struct tallies *t, const char *name, unsigned limit, unsigned *count);
void tally_give(struct tallies *t, struct tally *of); /* NULL is fine */
unsigned tally_count(struct tallies *t, const char *name);

#endif
