/*
 * script.h - conversations written down: what a client sends, line by line, and what comes back.
 *
 * A script is a list of lines, one message each, named by its type byte in the protocol. `-` is the empty
 * name, a value `\N` is null, and `x*1000` is a thousand times x.
 *
 *     Q <sql>                     Query
 *     P <name> <sql>              Parse
 *     B <portal> <name> <v>|<v>   Bind, all in text         b …   the same with results in binary
 *     D S <name>, D P <portal>    Describe                  C S <name>, C P <portal>   Close
 *     E <portal> <rows>           Execute                   F <oid> <v>|<v>            FunctionCall, in text
 *     S                           Sync                      H     Flush
 *     d <text>                    CopyData, with a line end c     CopyDone       f <text>   CopyFail
 *     <Z                          send what stands above in one write, and wait for a message of type Z
 *     <.                          the same, and wait for the end of the connection
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#ifndef PGWEIR_TESTS_SCRIPT_H
#define PGWEIR_TESTS_SCRIPT_H

#include "harness.h"
#include "pgweir/base/buf.h"

/* Appends the message that LINE stands for. */
void script_add(struct buf *out, const char *line);

/*
 * Plays the lines on PostgreSQL directly, then through W: plain, over TLS, and in small pieces; meanwhile
 * another client makes W's servers change hands. Asserts that the same bytes come back. W needs
 * client_tls_sslmode = prefer and two servers at least.
 */
void same_as_direct(struct weir *w, const char *const *lines, unsigned line, const char *file);
#define SAME(w, ...) same_as_direct(w, (const char *const[]){ __VA_ARGS__, NULL }, __LINE__, __FILE__)

#endif
