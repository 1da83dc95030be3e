/*
 * pidfile_impl.h - the file with our process id. It is locked while we live, so one that a crash or a
 * killed container left behind is no obstacle, whoever has its number now.
 */
#ifndef PGWEIR_PROCESS_PIDFILE_IMPL_H
#define PGWEIR_PROCESS_PIDFILE_IMPL_H

#include "pgweir/base/err.h"

struct pidfile;

/* ERR_LIMIT: another process holds it; ERR_IO. */
MUST_CHECK enum err pidfile_take(const char *path, struct pidfile **out, struct error *why);
void pidfile_give(struct pidfile *p); /* removes the file; NULL is fine */

#endif
