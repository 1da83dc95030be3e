/*
 * census.h - keeps each host's budget true: asks for its capacity when it is first wanted, on a slow timer,
 * after a reload and on 53300, and sets the budget's limits. Main thread; only census_want() may come from
 * any.
 *
 * server_connections = N: the limit is N, nobody is asked. auto: the server is asked with, in this order,
 * control_user and its auth_file password, a database entry's user and password, an auth_file user with a
 * plain password that a pool of this host uses, or a pool's user without a password, for servers that want
 * none. When none of them can log in, the limit falls back to CENSUS_BLIND_LIMIT, unless a true one is
 * known from before, and the log says what to set. While the server cannot be reached, or says 53300 to
 * this question too, the limit stays what it was (unknown at first: clients wait) and the question is
 * repeated with a back-off.
 */
#ifndef PGWEIR_CONTROL_CENSUS_H
#define PGWEIR_CONTROL_CENSUS_H

#include "pgweir/net/loop.h"
#include "pgweir/session/house.h"

#define CENSUS_BLIND_LIMIT 20u

struct census;

struct census *census_new(struct loop *main_loop, struct house *house, struct house_config *config);
/* After house_free(), which may still want a host. One loop_turn() must follow, in which what is on its way to
 * us, a letter or the address of a name, is let go. */
void census_free(struct census *c);
/* Any thread: house_params.on_unknown_host. For a host that is known already: asks again, soon and not too
 * often. */
void census_want(struct census *c, struct budget_host *host);
/* CONFIG is in force now (house_reconfigure() came first): every host is looked at again. */
void census_reconfigure(struct census *c, struct house_config *config);

#endif
