/*
 * ini_impl.h - a PgBouncer-like ini file as a list of entries. What the keys mean is not known here.
 *
 *     ; comment          # comment             only at the beginning of a line; blanks before it are fine
 *     [section]                                a section that comes again goes on
 *     key = value ; # : all of it is value     blanks at both ends of a value are cut; it may be empty
 *     'a key' = value    "a key" = value       a doubled quote stands for one
 *     %include path                            relative to the working directory; 10 deep
 *
 * No line limit, no continuation lines. Order is kept: whoever takes the later one of two equal keys follows
 * PgBouncer.
 */
#ifndef PGWEIR_CONFIG_INI_IMPL_H
#define PGWEIR_CONFIG_INI_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "file_impl.h"
#include "problems_impl.h"

#define INI_DEPTH_MOST 10 /* files open at once, PgBouncer's limit */

enum ini_section {
    INI_NONE,    /* before the first section */
    INI_UNKNOWN, /* was complained about; its entries are left out */
    INI_PGWEIR,
    INI_PGBOUNCER,
    INI_DATABASES,
    INI_USERS,
    INI_PEERS,
    INI_SECTIONS
};

struct ini_entry {
    enum ini_section section;
    struct place place; /* file: owned by the ini */
    char *key;          /* without quotes */
    char *value;        /* may be secret, so it is wiped */
};

struct ini_header {
    struct place place;
    size_t at; /* how many entries stand before it */
};

struct ini_file {
    char *path;
    struct file_facts facts;
};

struct ini {
    struct ini_entry *entries;
    size_t count, size;
    struct ini_file **files; /* all that were read, the main one first */
    size_t file_count;
    bool has_section[INI_SECTIONS]; /* empty ones count */
    struct ini_header *pgbouncer;   /* each header of a [pgbouncer] section, in order */
    size_t pgbouncer_count;
};

/*
 * Reads FILE and what it includes through READ. Whatever is wrong in them goes to PROBLEMS and the rest is
 * read on. return only what kept FILE itself from being read.
 */
MUST_CHECK enum err ini_read(struct ini *out, const char *file, file_reader *read, struct problems *problems,
                             struct error *why);
void ini_fini(struct ini *ini); /* wipes values */

#endif
