/*
 * sql_names_impl.h - SQL that names statements which were prepared in the protocol: DEALLOCATE x, EXECUTE x,
 * PREPARE x AS.
 *
 * To PostgreSQL there is one kind of prepared statements; to us, x is the client's name for something that is
 * called pgweir_7 on every server and belongs to others too. So the names in the text are replaced:
 *
 *     client:  Query  DEALLOCATE x; EXECUTE y
 *     server:  Close pgweir_gone_1  Parse pgweir_gone_1 ""  Sync      (hidden)
 *              Query  DEALLOCATE pgweir_gone_1; EXECUTE pgweir_9
 *
 * What is deallocated is a stand-in without text; when the tag comes, the client's own name goes. So errors,
 * and how far a text of several statements gets, are the server's to say; where it tells a name of ours, the
 * client is told its own (sql_names_reword()).
 *
 * In the extended protocol the text is rewritten when it is parsed, and the stand-in is there when it is
 * executed. So it finds what was prepared before it was parsed itself.
 *
 * Names that the client has not prepared in the protocol are left alone: they may be prepared in SQL. Those
 * that look like ours are kept from ours by another sign, in all three verbs: pgweir_7 is "pgweir-7" then
 * (and in errors too, in the extended protocol).
 */
#ifndef PGWEIR_SESSION_SQL_NAMES_IMPL_H
#define PGWEIR_SESSION_SQL_NAMES_IMPL_H

#include "prepare_impl.h"

#define SQL_NAMING (SQL_DEALLOCATE | SQL_EXECUTE | SQL_PREPARE)

struct sql_names; /* what was replaced in the text of one Query; at its ledger entry */

void sql_names_free(struct sql_names *names); /* NULL is fine */

/* Whether a Query, of which F are the findings, must not be sent before what is owed has been answered: its
 * names may be uncertain, and what goes ahead of it would end the skipping behind an error that nobody knows
 * of yet. The server is told not to keep the answers back. */
bool sql_names_must_wait(struct client *c, const struct sql_findings *f);
/* Whether a name in the text of ST, which C parses, is uncertain until something is answered. */
bool sql_names_parse_must_wait(struct client *c, const struct statement *st);

/* The text of a Query is rewritten to OUT, and what it will need is put on the server. NULL: nothing to do,
 * OUT is empty. */
struct sql_names *sql_names_rewrite(struct client *c, struct slice text, const struct sql_findings *f,
                                    struct buf *out);
/* enum sql_flag of the statements that the text executes by name. */
uint32_t sql_names_findings(const struct sql_names *names);
/* The same for a Parse with TAIL: the statement to parse in place of ST, whose text it is (ST's reference is
 * dropped then), and whose name in it was replaced (a reference; NULL: none that this client has). ST itself
 * when there is nothing to do, or no room for another. */
struct statement *sql_names_parse(struct client *c, struct statement *st, struct slice scope,
                                  struct client_name **target);
/* Bind or Describe of N: what its text executes must be there. */
void sql_names_need(struct client *c, const struct client_name *n);
/* Execute of a portal of N: what its text deallocates must be there, if the client has it. Its name, with a
 * reference, for the ledger entry. */
struct client_name *sql_names_execute(struct client *c, const struct client_name *n);

/* The tag DEALLOCATE has come for the request that O stands for. */
void sql_names_deallocated(struct server *s, struct owed *o);
/* TEXT, a field of the ErrorResponse to a Query with NAMES, in the client's words; false: nothing to change,
 * OUT is as it was. */
bool sql_names_reword(const struct sql_names *names, const char *text, char field, struct buf *out);

/* Where NAME stands in TEXT, and not as the beginning of a longer one; NULL: nowhere. */
const char *sql_names_find(const char *text, const char *name);

#define SQL_STAND_IN "pgweir_gone_1" /* what an Execute deallocates */

#endif
