/* check_impl.h - `pgweir check FILE`: everything that can be known without starting. */
#ifndef PGWEIR_PROCESS_CHECK_IMPL_H
#define PGWEIR_PROCESS_CHECK_IMPL_H

/* Reads FILE, the TLS files it names and the auth file, asks its databases (inspection.h) for INSTANCES of
 * us, and tells all of it on stdout. Returns the exit code: 0, or 1 when there is a problem. Blocks. */
int check_file(const char *file, unsigned instances);

#endif
