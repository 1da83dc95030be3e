/* signals_impl.h - signals as events of the main loop. */
#ifndef PGWEIR_PROCESS_SIGNALS_IMPL_H
#define PGWEIR_PROCESS_SIGNALS_IMPL_H

#include "pgweir/base/err.h"
#include "pgweir/net/loop.h"

struct signals;

/* HUP, TERM, INT, QUIT, USR1 and USR2 go to ON_SIGNAL from now on; PIPE is ignored. */
MUST_CHECK enum err signals_new(struct loop *loop, void (*on_signal)(void *arg, int number), void *arg,
                                struct signals **out, struct error *why);
/* From here on these signals are blocked: one that comes while we tidy up must not kill us. NULL is fine. */
void signals_free(struct signals *s);

#endif
