/* parting_impl.h - a descriptor whose owner has left: what is pending is sent, the peer gets time to read
 * it. */
#ifndef PGWEIR_NET_PARTING_IMPL_H
#define PGWEIR_NET_PARTING_IMPL_H

#include <stdbool.h>

#include "pgweir/base/buf.h"
#include "pgweir/net/loop.h"

/* FD and *PENDING are adopted. IS_PEER_DONE: the peer's end of file was seen already. */
void parting_begin(struct loop *loop, int fd, struct buf *pending, bool is_peer_done);
void partings_end(struct loop *loop); /* closes all, ready or not */

#endif
