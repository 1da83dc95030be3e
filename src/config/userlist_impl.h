/*
 * userlist_impl.h - the auth file, as PgBouncer has it.
 *
 *     "user" "secret" anything              a doubled quote stands for one
 *     "user" "secret" old "older secret"    while a password is being changed, both are good; not in PgBouncer, which ignores it
 *     ; comment
 */
#ifndef PGWEIR_CONFIG_USERLIST_IMPL_H
#define PGWEIR_CONFIG_USERLIST_IMPL_H

#include "pgweir/base/buf.h"
#include "pgweir/base/map.h"
#include "problems_impl.h"

struct userlist_user {
    struct map_node in_users;
    const char *name; /* all point into the list's text */
    const char *secret;
    const char *old_secret; /* NULL: none */
};

struct userlist {
    struct buf text;             /* the file, taken apart in place; wiped at the end */
    struct userlist_user *users; /* owned */
    struct map by_name;
};

void userlist_init(struct userlist *list);
void userlist_fini(struct userlist *list);

/* Takes over TEXT, the content of FILE. What is wrong goes to PROBLEMS and the line is left out; what is odd,
 * to WARNINGS. A user that comes again replaces itself. Call once per list. */
void userlist_read(struct userlist *list, const char *file, struct buf *text, struct problems *problems,
                   struct problems *warnings);
const struct userlist_user *userlist_find(const struct userlist *list, const char *name);

#endif
