/*
 * audit.h - when the session of a server is looked at as a whole though no text has asked for it, and what a
 * pool has learnt from that: fingerprints of texts that leave something behind without a sign of it, and
 * names of settings that queries cannot be asked for otherwise (`app.tenant_id`).
 *
 * How often is one shard's affair, in its thread; what was learnt is the pool's, and read without a lock.
 * Both lists are bounded: the fingerprint that was of no use longest makes room, names beyond the bound are
 * not kept.
 */
#ifndef PGWEIR_POOL_AUDIT_H
#define PGWEIR_POOL_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_NAMES_MOST 48u
#define AUDIT_FINGERPRINTS_MOST 128u
/* A text that leaves nothing behind so many times in a row is not suspected any more. */
#define AUDIT_VAIN_RUNS 64u

struct shard;

/* A server of S is released: is it to be looked at? session_audit says for how many that is so; which ones is
 * left to chance, so that no rhythm of a program escapes. */
bool shard_audit_is_due(struct shard *s);
/* Whether every release is to be looked at, now and for some time. */
bool shard_audits_always(const struct shard *s);
/* Something was found, and nobody knows whose it was: the next releases are all looked at. False: that has
 * been so only a minute ago. */
bool shard_audit_alert(struct shard *s, uint64_t now_us);

/* What the text of that fingerprint (never 0) may leave behind, a set of enum sql_flag; 0: nothing is known. */
uint32_t shard_learned(const struct shard *s, uint64_t fingerprint);
bool shard_has_learned(const struct shard *s); /* anything at all */
/* It leaves FLAGS behind. True: that is news. */
bool shard_learn(struct shard *s, uint64_t fingerprint, uint32_t flags);
/* A text that had been learnt has run, and has left something behind, or has not. */
void shard_learned_ran(struct shard *s, uint64_t fingerprint, bool was_right);

void shard_learn_name(struct shard *s, const char *name);
/* From 0 on; NULL: there are no more. It lives as long as the pool. */
const char *shard_learned_name(const struct shard *s, unsigned i);
/* Whether names should be looked for where only the server can: now and then, and after DDL (EPOCH of the
 * schema has changed). True: the caller does so now. */
bool shard_names_are_due(struct shard *s, uint64_t epoch, uint64_t now_us);

#endif
