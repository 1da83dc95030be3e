/* ident_impl.h - reading an auth_ident_file. */
#ifndef PGWEIR_CONFIG_IDENT_IMPL_H
#define PGWEIR_CONFIG_IDENT_IMPL_H

#include "file_impl.h"
#include "pgweir/config/ident.h"
#include "problems_impl.h"

/* Reads FILE through READ. Whatever is wrong goes to PROBLEMS; a FILE that cannot be read is a problem at
 * PLACE. Never NULL. */
struct ident *ident_read(const char *file, struct place place, file_reader *read, struct problems *problems);
void ident_free(struct ident *ident); /* NULL is fine */

#endif
