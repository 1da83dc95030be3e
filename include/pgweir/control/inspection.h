/*
 * inspection.h - `pgweir check`: does a configuration lead to servers that answer, and do they have enough
 * connections for it? Asks each database once, over libpq, and does the sum that otherwise a 53300 does.
 */
#ifndef PGWEIR_CONTROL_INSPECTION_H
#define PGWEIR_CONTROL_INSPECTION_H

#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/config/settings.h"

struct inspection_params {
    const struct settings *settings;
    unsigned instances;  /* how many pgweirs will run with these settings, at least 1 */
    uint64_t timeout_us; /* for one answer of one server */
};

/*
 * Blocks until every database was asked; a host that did not answer is not asked again. What was found is
 * appended to REPORT, line by line; lines that begin with "PROBLEM: " are counted and returned.
 *
 * With clients' own credentials (no `user` in the entry) any user of the auth file with a plain password
 * serves; where there is none, an answer that refuses the login shows that the server is there.
 */
unsigned inspect(const struct inspection_params *params, struct buf *report);

/* So many users of a database have pools of this size. */
struct inspection_share {
    unsigned users;
    unsigned pool_size; /* 0: without a bound */
    unsigned reserve;
};

/*
 * Most server connections of a database's pools in one instance: those of all COUNT shares, but not more than
 * MAX_DB (0: no such limit). 0 when nothing bounds it. Pure.
 */
uint64_t inspection_bound(const struct inspection_share *shares, unsigned count, unsigned max_db);

#endif
