/*
 * swift_impl.h - messages that need nothing: most of what passes through, in one go and without the questions
 * that relay.c asks of each.
 *
 *     client:  [Bind Describe Execute Bind Describe Execute Sync] Parse ...
 *     server:  [BindComplete RowDescription DataRow DataRow CommandComplete BindComplete ... ] ReadyForQuery
 *
 * From a client: Bind of the statement that it has bound last, where the server has that for certain and nothing
 * is to be known of its text; Describe and Execute of the portal that this makes; Sync. From a server: the
 * replies to what is forwarded and changes nothing. The first message that is not of this kind, or not there
 * to its end, is left to relay.c, which also asks once more before the next run.
 *
 * Here a query of a pipeline costs some 400 instructions in both directions; message by message it is 3,200.
 */
#ifndef PGWEIR_SESSION_SWIFT_IMPL_H
#define PGWEIR_SESSION_SWIFT_IMPL_H

#include "client_impl.h"
#include "server_impl.h"

/* Enters and gathers what stands at the front of IN, bytes of C between two messages, and takes it away. */
void swift_from_client(struct client *c, struct slice *in);
/* The same of what S has sent: settles and gathers it. True: it did, and answers that we make up may be due. */
bool swift_from_server(struct server *s, struct slice *in);

#endif
