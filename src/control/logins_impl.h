/*
 * logins_impl.h - with which logins a host may be asked, the most promising first. Pure: settings and
 * routes in, a list out.
 */
#ifndef PGWEIR_CONTROL_LOGINS_IMPL_H
#define PGWEIR_CONTROL_LOGINS_IMPL_H

#include <limits.h>
#include <stdbool.h>

#include "pgweir/config/route.h"
#include "pgweir/control/capacity.h"

#define LOGINS_MOST 8u /* per round of questions: a server must not see us hammering at its door */

struct login {
    char *user;
    char *password; /* a secret; NULL: the server may ask for none (trust, peer, certificate) */
    char *database;
};

struct logins {
    struct login at[LOGINS_MOST];
    unsigned count;
    struct route
        *route; /* held: the first of them, for its hosts and TLS settings; NULL while there is none */
};

/* The logins that ROUTES, all of one host, allow, in this order: control_user; database entries with a user
 * and a plain password; users of the auth file with a plain password; then those without a password that we
 * could use. Each (user, database) once, one with a password before the same without. */
void logins_of(struct logins *out, const struct settings *settings, struct route *const *routes,
               unsigned route_count);
void logins_fini(struct logins *l); /* wipes the passwords; zeroed memory is fine */

#define ANY_HOST UINT_MAX /* the first of the list that answers */
/* capacity_ask() of host number HOST in the list, or of ANY_HOST, with login NUMBER of L, which may go meanwhile. */
struct capacity_query *login_ask(struct loop *loop, const struct logins *l, unsigned host, unsigned number,
                                 uint64_t timeout_us, const struct capacity_handler *handler, void *arg);

#endif
