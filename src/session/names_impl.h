/*
 * names_impl.h - what a client calls its prepared statements, the unnamed one included, and what it knows of
 * them.
 *
 * A name outlives its place in the map while ledger entries refer to it: what an error skips has not
 * happened, and it is put back.
 */
#ifndef PGWEIR_SESSION_NAMES_IMPL_H
#define PGWEIR_SESSION_NAMES_IMPL_H

#include "client_impl.h"
#include "pgweir/pool/statement.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/pg_error.h"

struct client_name {
    struct map_node in_names;    /* by name; the unnamed one is in no map */
    struct statement *statement; /* held */
    uint64_t stamp;              /* client->stamp when it was parsed */
    uint64_t epoch; /* of the schema: in this one, the client's picture of it (below) is certainly right */
    uint64_t rows;  /* shape of the last RowDescription or NoData that the client was told for it */
    uint64_t parameters;       /* the same of ParameterDescription */
    unsigned told_owed;        /* Describes under way whose answers will tell both, or the first */
    struct client_name *meant; /* held: this is only another spelling of that one; NULL: it is itself */
    struct client_name
        *target; /* held: what its text deallocates or executes, see sql_names_impl.h; NULL: nothing */
    struct worker *home; /* of an unnamed one: keeps it for the next; else NULL */
    uint32_t refs;       /* the map's or the client's, and those of ledger entries */
    size_t bytes;
    char name[]; /* "": the unnamed statement */
};

struct client_names {
    struct map by_name;
    struct client_name
        *latest; /* found last and still in the map; most clients use one name again and again */
    size_t bytes;
};

#define NAME_SIGNIFICANT 63u /* bytes; PostgreSQL (NAMEDATALEN) does not tell names apart by what follows */

struct client_name *name_find(const struct client *c, const char *name); /* NULL: none */
/* enum sql_flag of what runs when N is executed: its text, and the statement that this executes by name. */
static inline uint32_t
name_findings(const struct client_name *n)
{
    return n->statement->findings | (n->target == NULL ? 0 : n->target->statement->findings);
}
bool has_names(const struct client *c);

/* One reference; ST's moves in. The client knows nothing of it yet, in EPOCH. */
struct client_name *name_new(const char *name, struct statement *st, uint64_t epoch);
/* Another spelling of N, which differs in what is not significant: errors tell the name as the client has
 * spelled it. */
struct client_name *name_new_spelling(const char *name, struct client_name *n);
static inline struct client_name *
name_meant(struct client_name *n)
{
    return n == NULL || n->meant == NULL ? n : n->meant;
}
/* The same for an unnamed statement in W, where one that has gone is used again: there is one for each
 * Parse. */
struct client_name *name_new_unnamed(struct worker *w, struct statement *st, uint64_t epoch);
struct client_name *name_hold(struct client_name *n); /* NULL is fine, here and below */
void name_drop(struct client_name *n);

void name_put(struct client *c, struct client_name *n); /* a reference moves in */
void name_take_out(struct client *c, struct client_name *n);
bool name_is_in(const struct client *c, const struct client_name *n);
/* Those that were parsed before STAMP are dropped. */
void names_forget_before(struct client *c, uint64_t stamp);

/* Whether PostgreSQL would refuse NAME for the encoding that C has chosen: *WHY. We look at UTF-8 only. */
bool name_is_misspelt(const struct client *c, const char *name, struct pg_error *why);
/* Whether C may have one more, called NAME. */
bool names_have_room(const struct client *c, const char *name);

#endif
