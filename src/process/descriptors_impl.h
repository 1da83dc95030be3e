/* descriptors_impl.h - how many files and sockets the kernel lets us open, against how many the
 * configuration may need. */
#ifndef PGWEIR_PROCESS_DESCRIPTORS_IMPL_H
#define PGWEIR_PROCESS_DESCRIPTORS_IMPL_H

#include <stdint.h>

#include "pgweir/config/settings.h"

/* Raises the soft limit to the hard one, so that 1024 from a login shell is no bound. */
void descriptors_raise(void);
/* What SETTINGS may need at the most, with WORKER_COUNT threads. Pure. */
uint64_t descriptors_needed(const struct settings *settings, unsigned worker_count);
/* Logs need and limit, as a warning when they do not fit. */
void descriptors_tell(const struct settings *settings, unsigned worker_count);

#endif
