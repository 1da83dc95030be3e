/*
 * pattern_impl.h - regular expressions as PostgreSQL writes them in pg_hba.conf and pg_ident.conf, for the matcher of the C library.
 *
 * source PostgreSQL docs, functions-matching "Regular Expression Details".
 */
#ifndef PGWEIR_CONFIG_PATTERN_IMPL_H
#define PGWEIR_CONFIG_PATTERN_IMPL_H

#include <regex.h>
#include <stdbool.h>

#include "pgweir/base/err.h"
#include "pgweir/base/slice.h"

#define PATTERN_BYTES_MOST 1000

struct pattern {
    regex_t compiled;
    unsigned first_group; /* the number by which the matcher knows what \1 means; 0: there is no group */
};

/*
 * Compiles TEXT, an advanced regular expression: class escapes, character escapes, word constraints, groups that capture nothing,
 * (?i) and ***= at the front. What the matcher cannot do (looking ahead and behind, non-greedy quantifiers) is refused.
 * return ERR_SYNTAX or ERR_LIMIT with the reason in *WHY; nothing is to be freed then.
 */
MUST_CHECK enum err pattern_compile(const char *text, struct pattern *out, struct error *why);
void pattern_free(struct pattern *p);
bool pattern_matches(const struct pattern *p, const char *name);
/* The same, and what \1 stands for, borrowed from NAME; false too when that group took no part. */
bool pattern_matches_group(const struct pattern *p, const char *name, struct slice *group);

#endif
