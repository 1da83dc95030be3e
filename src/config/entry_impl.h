/* entry_impl.h - one line of [databases] or [users], understood. */
#ifndef PGWEIR_CONFIG_ENTRY_IMPL_H
#define PGWEIR_CONFIG_ENTRY_IMPL_H

#include "ini_impl.h"
#include "option_impl.h"
#include "pgweir/base/map.h"
#include "pgweir/config/route.h"
#include "pgweir/config/settings.h"

#define NAME_BYTES_MOST 63 /* of databases and users, as in PostgreSQL */
#define PORT_PRESET 5432
#define PEER_PORT_PRESET 6432

struct database {
    struct map_node in_databases; /* settings_content.databases_by_name */
    char *name;                   /* "*": for names without an entry */
    char *file;                   /* where it stands */
    unsigned line;
    /* As written; NULL where the entry does not say. The rows of database_keys. */
    char *dbname, *host, *port, *user, *password, *connect_query;
    char *client_encoding, *datestyle, *timezone, *application_name;
    struct overrides own;
    struct route_host *hosts; /* owned; one with a NULL name where the entry has no host */
    unsigned host_count;
};

/* A key of [databases] that is not an option. */
struct database_key {
    const char *name;
    size_t slot;     /* offset of a char * in struct database */
    bool is_startup; /* goes into the startup packet of its servers */
    bool is_secret;
    const char *text; /* for the reference page */
};

extern const struct database_key database_keys[];
extern const size_t database_key_count;

const char *database_text(const struct database *db, const struct database_key *key); /* NULL: not given */

struct user {
    struct map_node in_users; /* settings_content.users_by_name */
    char *name;
    struct overrides own;
};

/* Collects what is wrong and what has no effect while entries are read. */
struct entry_reading {
    struct problems *problems;
    struct problems *warnings;
    bool *is_told; /* per row of options: its note was given */
};

/* Each takes ENTRY's value apart in place. NULL when something was wrong; all that is wrong was told. */
struct database *database_new(struct ini_entry *entry, struct entry_reading *r);
void database_free(struct database *db); /* NULL is fine */
struct user *user_new(struct ini_entry *entry, struct entry_reading *r);
void user_free(struct user *user); /* NULL is fine */
struct peer *peer_new(struct ini_entry *entry, struct entry_reading *r);
void peer_free(struct peer *peer); /* NULL is fine */

/* Says once what there is to say about O (option_note()). */
void tell_note(struct entry_reading *r, struct place place, const struct option *o);

/* Whether OWN sets O, and where its value then is. */
bool override_is_set(const struct overrides *own, const struct option *o);
const void *override_slot(const struct overrides *own, const struct option *o);

#endif
