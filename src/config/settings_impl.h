/* settings_impl.h - what stands behind a struct settings, and a load on its way. */
#ifndef PGWEIR_CONFIG_SETTINGS_IMPL_H
#define PGWEIR_CONFIG_SETTINGS_IMPL_H

#include <stdatomic.h>

#include "entry_impl.h"
#include "hba_impl.h"
#include "ident_impl.h"
#include "userlist_impl.h"

struct settings_content {
    atomic_uint holds;
    struct settings *settings;   /* the one that has this content, for settings_drop() */
    const struct settings *base; /* NULL, or held: what follows belongs to it */
    bool is_pgbouncer;           /* the file has a [pgbouncer] section: PgBouncer's presets */

    struct database **databases; /* in the order of the file; owned */
    size_t database_count;
    struct map databases_by_name; /* "*" included */
    struct user **users;          /* [users], likewise */
    size_t user_count;
    struct map users_by_name;
    struct peer **peers; /* by number; owned */
    size_t peer_count;
    struct userlist secrets; /* the auth file */
    struct hba *hba;         /* owned; NULL unless auth_type is hba */
    struct ident *ident;     /* owned; NULL: none */
};

const struct database *settings_database(const struct settings *s, const char *name);
const struct user *settings_user(const struct settings *s, const char *name);

/* settings_load() with another way to files. */
MUST_CHECK enum err settings_load_through(file_reader *read, const char *file, struct settings **out,
                                          struct buf *problems, struct buf *warnings, struct error *why);

/* A load on its way. */
struct loading {
    struct settings *settings;
    const char *file;
    file_reader *read;
    struct ini ini;
    struct problems problems;
    struct problems warnings;
    struct place *set_at; /* per row of options; file is NULL where the preset stands */
};

/* Where the option at SLOT of struct settings was set, or the file as a whole. */
struct place loading_place(const struct loading *l, size_t slot);

/* check.c: what can be wrong with settings that are each right. */
void settings_check(struct loading *l);

#endif
