/*
 * message.h - protocol messages as words, in both directions:
 *
 *     Query select 1 | Sync                     messages, one behind the other
 *     Columns a | Row 1 | Complete SELECT 1 | Ready I
 *
 * The first word names the message (message.c has the table), the others are its fields in the order of the
 * wire; `-` is an empty one. A last field may hold blanks; x*1000 is a thousand times x. `Type ? text` is a
 * message of any type, `Bytes 51 00 0f` is anything at all.
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#ifndef PGWEIR_TESTS_MESSAGE_H
#define PGWEIR_TESTS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/slice.h"

#define MESSAGE_MOST_TEXT 512 /* of one message in words */

/* Takes the next message in words from *LINE into WORDS; false at the end of the line. */
bool message_next(const char **line, char words[MESSAGE_MOST_TEXT]);
/* Appends the bytes of one message in words; false when there is no such message. */
bool message_write(struct buf *out, const char *words);
/* Appends all messages of LINE. */
bool messages_write(struct buf *out, const char *line);

/* Takes one typed message, from its type byte on, from the front of *BYTES; false while it is not all there. */
bool message_take(struct slice *bytes, struct slice *out);
/* Appends BYTES for a human being, one message per line. */
void messages_show(struct buf *out, struct slice bytes);

#endif
