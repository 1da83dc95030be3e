/*
 * pipeline.h - conversations of several clients, played on PostgreSQL directly and through pgweir at once,
 * message for message.
 *
 * A conversation is a list of turns: what one client sends in one go. The lines of a turn are those of
 * script.h for Q, F, S, H, d, c and f, and these, which can say more; a word may hold any byte as \hh, and
 * `x*1000` is a thousand times x:
 *
 *     P <name> <types> <sql>         Parse; types: `-` or OIDs with commas; `23,25!7` says that they are 7
 *     B <portal> <name> <formats> <values> <formats>
 *                                    Bind; formats: `-`, or a digit for each; values: `-`, or v|v, `\N` is null
 *     D S <name>, C P <portal> …     Describe and Close, of S, P or what is neither
 *     E <portal> <rows>              Execute
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#ifndef PGWEIR_TESTS_PIPELINE_H
#define PGWEIR_TESTS_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "harness.h"

#define TALK_CLIENTS 4u
/* In place of a client: the turn's line is SQL that the superuser runs in both databases, changing table m. */
#define TALK_CHANGE TALK_CLIENTS

struct turn {
    unsigned client;
    unsigned chunk; /* bytes that are sent to pgweir at a time; 0: all at once */
    const char *lines;
};

struct talk; /* two databases of equal content: one is reached directly, one through pgweir */

struct talk *talk_new(struct weir *w);
void talk_free(struct talk *t);

/* Both databases as they were, and nobody connected: what comes next is the beginning of a conversation. */
void talk_begin(struct talk *t);
/* Plays TURN on both sides; false when they answered differently: talk_difference() tells. Client 0 to
 * TALK_CLIENTS - 1 connects when it says something first, and again after PostgreSQL has sent it away. */
bool talk_turn(struct talk *t, const struct turn *turn);
/* A difference was met that must be: what comes behind it in this conversation cannot be compared. */
bool talk_is_apart(const struct talk *t);
const char *talk_difference(const struct talk *t);

#endif
