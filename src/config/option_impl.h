/* option_impl.h - what only config/ knows of the option table. */
#ifndef PGWEIR_CONFIG_OPTION_IMPL_H
#define PGWEIR_CONFIG_OPTION_IMPL_H

#include "pgweir/config/option.h"

struct settings;

/* What the log says once when a file sets O, because O has no effect, or another one than in PgBouncer; NULL:
 * nothing, for it has its full effect. The rows are in option_notes.c. */
const char *option_note(const struct option *o);

/* The valid key nearest to WORD in SCOPE, EXTRA (COUNT of them) included; NULL when none is near. */
const char *option_nearest(const char *word, enum option_scope scope, const char *const *extra,
                           size_t extra_count);

/* Where O's value is in S. */
void *option_slot(const struct option *o, struct settings *s);
const void *option_slot_const(const struct option *o, const struct settings *s);

/* Bytes that a value of O takes in its slot. */
size_t option_value_size(const struct option *o);

#endif
