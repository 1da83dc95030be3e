/*
 * snapshot.h - the settings of a session as one value: an immutable, interned, reference-counted set of
 * (name, value). Equal sets are one object, so "does this server have this client's settings" is a pointer
 * comparison. NULL is the empty set: what a fresh connection has.
 *
 * A client's floor is its startup packet; a server remembers which snapshot it was brought to. Values were
 * accepted by a server of the pool once (approval), so that bringing a server to a snapshot can travel
 * unasked in front of a request.
 *
 * source PostgreSQL docs, protocol-flow "Start-up" (run-time parameters), sql-set, functions-admin
 * "set_config".
 */
#ifndef PGWEIR_POOL_SNAPSHOT_H
#define PGWEIR_POOL_SNAPSHOT_H

#include <stdbool.h>

#include "pgweir/base/buf.h"

#define SNAPSHOT_MOST_SETTINGS 64u
#define SNAPSHOT_MOST_BYTES (32u * 1024u) /* names and values together */

struct snapshots; /* the store; one per process; thread-safe */
struct snapshot;

struct snapshot_pair {
    const char *name;  /* compared without regard to case, as PostgreSQL does */
    const char *value; /* NULL, for snapshot_with(): the setting is taken out */
};

struct snapshots *snapshots_new(void);
void snapshots_free(struct snapshots *store); /* all snapshots must have been dropped */

/* BASE (may be NULL) with PAIRS laid over it, the last of a name winning. The caller owns one reference of
 * *OUT, which is NULL for the empty set. False when it would grow over the bounds above; *OUT is untouched
 * then. */
bool snapshot_with(struct snapshots *store, const struct snapshot *base, const struct snapshot_pair *pairs,
                   size_t count, const struct snapshot **out);
const struct snapshot *snapshot_hold(const struct snapshot *s); /* NULL is fine, here and below */
void snapshot_drop(struct snapshots *store, const struct snapshot *s);
/* NULL when S does not set NAME. */
const char *snapshot_value(const struct snapshot *s, const char *name);

/* What the plan of a statement depends on: search_path and the role, as bytes to compare. Empty when S sets
 * neither. */
struct slice snapshot_scope(const struct snapshot *s);

/* Its settings, in the order of their names; valid as long as S. */
size_t snapshot_count(const struct snapshot *s);
const struct snapshot_pair *snapshot_pair_at(const struct snapshot *s, size_t i);

/* Whether a session with S cannot be relied on to run what brings the next client's settings: it has a very
 * short statement_timeout, or may end while it is idle. */
bool snapshot_disturbs(const struct snapshot *s);

/* Appends TEXT as a literal: E'…' means the same whatever standard_conforming_strings says. Bytes beyond
 * ASCII are written as escapes, which the server takes as they are, as it does those of a startup packet,
 * whatever client_encoding is in force there. */
void snapshot_write_literal(struct buf *sql, const char *text);

/* Appends the SQL that brings a session from FROM to TO, in one simple Query; nothing when they are the same.
 * Independent of search_path, standard_conforming_strings and of what is in the values. Role and
 * session_authorization are put back first and brought last. */
void snapshot_write_change(const struct snapshot *from, const struct snapshot *to, struct buf *sql);

/* A server of POOL (any address that names it) has accepted S and answered with these ParameterStatus
 * messages. Remembered while S lives. */
void snapshot_approve(struct snapshots *store, const struct snapshot *s, const void *pool,
                      struct slice reported);
/* Whether POOL has accepted S; appends the messages it answered with to REPORTED. NULL is always approved. */
bool snapshot_is_approved(struct snapshots *store, const struct snapshot *s, const void *pool,
                          struct buf *reported);

#endif
