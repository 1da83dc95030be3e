/*
 * connstr_impl.h - the right-hand sides in [databases], [users] and [peers].
 *
 *     host=db1,db2 port = 5432 password='it''s' connect_query="select ';#'"
 *
 * Pairs are separated by blanks; blanks round `=` are fine; a value in single or double quotes doubles a
 * quote that is meant.
 */
#ifndef PGWEIR_CONFIG_CONNSTR_IMPL_H
#define PGWEIR_CONFIG_CONNSTR_IMPL_H

#include "pgweir/base/err.h"

struct connstr_pair {
    char *key;   /* both point into the text that was given */
    char *value; /* never empty */
};

/*
 * Reads the next pair at *AT and moves *AT behind it. Text is taken apart in place.
 * return CONNSTR_PAIR with a pair, CONNSTR_END at the end of the text, CONNSTR_BAD with *WHY; no value is
 * ever part of *WHY.
 */
enum connstr_step { CONNSTR_PAIR, CONNSTR_END, CONNSTR_BAD };
MUST_CHECK enum connstr_step connstr_next(char **at, struct connstr_pair *out, struct error *why);

/* Undoes the quotes at *AT in place, a doubled one stands for itself, and moves *AT behind them: the text between.
 * NULL when they are not closed. */
char *connstr_unquote(char **at);

#endif
