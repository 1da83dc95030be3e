/*
 * ident.h - which role names somebody may use who is known under another name (that of a certificate, or of
 * the operating system): the maps of auth_ident_file, as in PostgreSQL's pg_ident.conf. Immutable once read.
 *
 * source PostgreSQL docs, auth-username-maps.
 */
#ifndef PGWEIR_CONFIG_IDENT_H
#define PGWEIR_CONFIG_IDENT_H

#include <stdbool.h>

struct ident;

/* Whether the map called MAP lets SYSTEM_NAME log in as USER. MAP NULL: only as itself. IDENT NULL: there are
 * no maps. Any thread. */
bool ident_allows(const struct ident *ident, const char *map, const char *system_name, const char *user);
bool ident_has_map(const struct ident *ident, const char *map);

#endif
