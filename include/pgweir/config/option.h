/*
 * option.h - the option table: one row is the whole truth about an option. The loader, reload, SHOW CONFIG,
 * SET, --help-config, docs/configuration.md and etc/pgweir.ini all read it.
 */
#ifndef PGWEIR_CONFIG_OPTION_H
#define PGWEIR_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/base/err.h"

enum option_type {
    OPT_TEXT,       /* char *, owned by its settings; never NULL */
    OPT_BOOL,       /* bool; 0/1, on/off, yes/no, true/false */
    OPT_COUNT,      /* unsigned; C notation as strtoul base 0 */
    OPT_DURATION,   /* uint64_t µs; bare numbers count .unit; us ms s min h d */
    OPT_BYTES,      /* uint64_t; bare numbers are bytes; kB MB GB are powers of 1024 as in PostgreSQL */
    OPT_CHOICE,     /* int, index into .choices; case-insensitive */
    OPT_AUTO_COUNT, /* unsigned, 0 for the word `auto` */
    OPT_SHARE,      /* struct option_share: a percentage or a count */
    OPT_FRACTION,   /* unsigned, in millionths: from 0 to 1, in decimal notation */
};

enum option_scope { IN_GLOBAL = 1, IN_DATABASE = 2, IN_USER = 4 };

enum option_when {
    OPT_LIVE,         /* takes effect at the reload */
    OPT_NEW_SESSIONS, /* for clients and servers that connect afterwards */
    OPT_RESTART,
};

#define FRACTION_ONE 1000000u

struct option_share {
    unsigned percent; /* 0 when given as a count */
    unsigned count;
};

struct option {
    const char *name;
    const char *name_inside; /* the key in [databases] and [users] where it differs (pool_size); NULL: same */
    const char *alias;       /* another name for it, accepted wherever it may stand; NULL: none */
    enum option_type type;
    const char *unit;   /* of bare numbers: "s", "ms"; "octal": a count that is shown as 0777; NULL: none */
    const char *preset; /* default in a [pgweir] file */
    const char *preset_pgbouncer; /* default in a [pgbouncer] file where it differs; NULL: the same */
    const char *least, *most;     /* as written in a file; NULL: no bound */
    const char *const *choices;   /* OPT_CHOICE: NULL-terminated, in the order of its enum */
    bool is_sticky; /* PgBouncer has no default for it: a further [pgbouncer] header leaves it as it is */
    bool zero_inside_inherits; /* 0 in [databases] or [users] means "as if not given" (PgBouncer's meaning) */
    unsigned scope;            /* of enum option_scope */
    enum option_when when;
    size_t slot;        /* offset in struct settings */
    size_t slot_inside; /* offset in struct overrides when scope has more than IN_GLOBAL */
    size_t mark_inside; /* offset in struct overrides of the is_set flag, likewise */
    const char *group;  /* heading in the reference page */
    const char *text;   /* one or two sentences for the operator */
};

extern const struct option options[];
extern const size_t option_count;

const struct option *option_find(const char *name); /* global key; NULL when there is none */
/* The row behind a key of [databases] (IN_DATABASE) or [users] (IN_USER); NULL when there is none. */
const struct option *option_find_inside(const char *name, enum option_scope scope);
/* What an operator calls O there: name_inside where it has one. */
const char *option_name_inside(const struct option *o);
/* Parses VALUE into SLOT (frees and replaces OPT_TEXT). ERR_SYNTAX, ERR_LIMIT with the range in *WHY, which
 * quotes the value but leaves the option's name to the caller; the slot is untouched then. */
MUST_CHECK enum err option_parse(const struct option *o, const char *value, void *slot, struct error *why);
/* The canonical text of what SLOT holds. */
void option_show(const struct option *o, const void *slot, char *out, size_t size);
bool option_equal(const struct option *o, const void *slot_a, const void *slot_b);

#endif
