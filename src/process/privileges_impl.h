/* privileges_impl.h - a pooler needs no root: it becomes an ordinary user, for good, before it opens
 * anything. */
#ifndef PGWEIR_PROCESS_PRIVILEGES_IMPL_H
#define PGWEIR_PROCESS_PRIVILEGES_IMPL_H

#include "pgweir/base/err.h"

/* Becomes USER ("": stays who it is) with its groups. Refuses to stay or become root, ERR_CONFIG;
 * ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK enum err privileges_drop(const char *user, struct error *why);

#endif
