/* option_impl.h - what only config/ knows of the option table. */
#ifndef PGWEIR_CONFIG_OPTION_IMPL_H
#define PGWEIR_CONFIG_OPTION_IMPL_H

#include "pgweir/config/option.h"

struct settings;

/* A key that PgBouncer knows and pgweir does not yet: accepted, so that the file loads, with one warning. */
struct option_to_come {
    const char *name;
    unsigned scope; /* of enum option_scope: where it may stand */
};

extern const struct option_to_come options_to_come[];
extern const size_t option_to_come_count;

const struct option_to_come *option_to_come_find(const char *name, enum option_scope scope);

/* The valid key nearest to WORD in SCOPE, rows to come and EXTRA (COUNT of them) included; NULL when none is
 * near. */
const char *option_nearest(const char *word, enum option_scope scope, const char *const *extra,
                           size_t extra_count);

/* Where O's value is in S. */
void *option_slot(const struct option *o, struct settings *s);
const void *option_slot_const(const struct option *o, const struct settings *s);

/* Bytes that a value of O takes in its slot. */
size_t option_value_size(const struct option *o);

#endif
