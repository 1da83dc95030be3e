/* conninfo_impl.h - what every connection of ours through libpq has in common. */
#ifndef PGWEIR_CONTROL_CONNINFO_IMPL_H
#define PGWEIR_CONTROL_CONNINFO_IMPL_H

#include "pgweir/config/settings.h"

#define CONNINFO_WORDS_MOST 16

/* As for PQconnectStartParams(), NULL-terminated; all texts are borrowed. */
struct conninfo {
    const char *keywords[CONNINFO_WORDS_MOST];
    const char *values[CONNINFO_WORDS_MOST];
};

/* HOSTS and PORTS: comma lists as libpq has them. */
void conninfo_fill(struct conninfo *out, const struct tls_files *tls, const char *hosts, const char *ports);
/* PASSWORD NULL: none. */
void conninfo_set_login(struct conninfo *info, const char *user, const char *password, const char *database);

#endif
