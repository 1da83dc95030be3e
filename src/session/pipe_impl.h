/* pipe_impl.h - replication connections: a client and a server of its own, and bytes to and fro that nobody
 * reads. */
#ifndef PGWEIR_SESSION_PIPE_IMPL_H
#define PGWEIR_SESSION_PIPE_IMPL_H

#include "client_impl.h"

/* C, which has proved who it is and has a pool of its own, waits for its server. */
void pipe_await(struct client *c);
/* The server is there: greets C with what that server has said. */
void pipe_open(struct client *c);
/* C has been greeted (PIPED): from now on all goes through. */
void pipe_start(struct client *c);
void pipe_from_client(struct client *c, struct slice fresh);
void pipe_client_drained(struct client *c);

#endif
