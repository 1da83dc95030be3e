/*
 * forward_impl.h - cancel requests that are for another pgweir of [peers]: behind one address or port there
 * may be several, and a request comes to whichever the kernel or the balancer picks.
 */
#ifndef PGWEIR_SESSION_FORWARD_IMPL_H
#define PGWEIR_SESSION_FORWARD_IMPL_H

#include "client_impl.h"
#include "pgweir/config/settings.h"

/* Sends the key on to PEER; REQUESTER is ended when PEER has closed the connection, or could not be reached
 * within cancel_wait_timeout. */
void forward_cancel(struct client *requester, const struct peer *peer, uint32_t pid, struct slice secret);
void forward_requester_gone(struct client *requester);
/* Calls EACH for every request on its way: to which peer, and whether that is connected yet. */
void forward_each(const struct worker *w, void (*each)(void *arg, unsigned peer, bool is_connected),
                  void *arg);
void forward_end_all(struct worker *w); /* at the end of the worker */

#endif
