/* workers_impl.h - the worker threads: one for each worker loop of a house. */
#ifndef PGWEIR_PROCESS_WORKERS_IMPL_H
#define PGWEIR_PROCESS_WORKERS_IMPL_H

#include "pgweir/config/settings.h"
#include "pgweir/session/house.h"

struct workers;

/* `workers`, or one per CPU that we may run on, at most 8. */
unsigned workers_count(const struct settings *settings);

/* Threads "pgweir-w0", "pgweir-w1", …, with all signals blocked, so that the main thread gets them. ERR_IO;
 * none runs then. */
MUST_CHECK enum err workers_start(struct house *house, struct workers **out, struct error *why);
void workers_end(struct workers *w); /* stops their loops, waits for the threads; NULL is fine */

#endif
