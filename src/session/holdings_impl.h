/*
 * holdings_impl.h - which prepared statements a server holds, used last first, and what is known of each
 * Parse there.
 */
#ifndef PGWEIR_SESSION_HOLDINGS_IMPL_H
#define PGWEIR_SESSION_HOLDINGS_IMPL_H

#include "pgweir/pool/statement.h"
#include "pgweir/wire/back.h"
#include "server_impl.h"

struct server_statement {
    struct map_node in_set;
    struct link in_lru;
    struct statement *statement; /* held */
    struct parsed parsed;
};

struct statement_set {
    struct map by_statement;
    struct list lru; /* used last first */
};

struct server_statement *set_find(const struct server *s, const struct statement *st);
/* ST was parsed there, at STAMP, in EPOCH of the schema. */
void set_add(struct server *s, struct statement *st, uint64_t stamp, uint64_t epoch);
void set_touch(struct server *s, struct server_statement *e); /* it is used */
void set_remove(struct statement_set *set, struct server_statement *e);
/* The Parse of that stamp has come to nothing; a later one may still be on its way. */
void set_lose(struct server *s, const struct statement *st, uint64_t stamp);
/* Those that were parsed before STAMP are gone. */
void set_forget_before(struct server *s, uint64_t stamp);

#endif
