/*
 * daemon_impl.h - into the background, in two steps: the process that was started waits in the foreground
 * until the daemon is ready, so that `pgweir -d` fails, with the reason on stderr, where the start fails.
 */
#ifndef PGWEIR_PROCESS_DAEMON_IMPL_H
#define PGWEIR_PROCESS_DAEMON_IMPL_H

#include "pgweir/base/err.h"

struct daemon {
    int ready_fd; /* whom to tell; -1: nobody, it is no daemon */
};

void daemon_init(struct daemon *d);
/* Returns in the daemon only, before there are threads: a session of its own, no terminal, same working
 * directory. The process that was started exits with 0 after daemon_ready(), with 1 when the daemon ends
 * before. */
MUST_CHECK enum err daemon_begin(struct daemon *d, struct error *why);
/* Lets go of stdin, stdout and stderr and of the process that waits. Nothing to do when it is no daemon. */
void daemon_ready(struct daemon *d);

#endif
