/*
 * pins.h - why a client keeps its server between transactions: what it has left there cannot follow it. One
 * row is the whole truth about a reason: its name in the console and among the metrics, and its words.
 *
 * Each shard counts its own clients, in its thread; only the pool's total is shared, because max_pinned
 * bounds it.
 */
#ifndef PGWEIR_POOL_PINS_H
#define PGWEIR_POOL_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/clock.h"

/* clang-format off */
#define PIN_REASONS(X)                                                                        \
    /* id              name           words                                               */  \
    X(PIN_LOCK,        advisory_lock, "a session-level advisory lock")                        \
    X(PIN_LISTEN,      listen,        "LISTEN")                                               \
    X(PIN_TEMP,        temporary,     "a temporary table or another temporary object")        \
    X(PIN_HOLD_CURSOR, hold_cursor,   "a cursor WITH HOLD")                                   \
    X(PIN_PREPARE,     prepare,       "a statement prepared by SQL PREPARE")                  \
    X(PIN_LOAD,        load,          "LOAD")                                                 \
    X(PIN_SEQUENCE,    sequence,      "a sequence's value, which it may ask for (currval)")   \
    X(PIN_SEED,        seed,          "setseed(), from which random() goes on")                \
    X(PIN_SETTINGS,    settings,      "more settings than can be followed")                   \
    X(PIN_COMPUTED,    computed,      "a setting whose name only set_config() has known")

/* clang-format on */

#define PIN_REASON_ID(id, name, words) id,
enum pin_reason { PIN_REASONS(PIN_REASON_ID) PIN_REASON_COUNT };
#undef PIN_REASON_ID

#define PIN_BIT(reason) (1u << (reason)) /* a client's reasons are a set of these */

struct pin_counts {
    unsigned clients; /* pinned ones */
    unsigned by_reason[PIN_REASON_COUNT];
};

struct shard;

/* A client of S had the reasons FROM and has TO now; 0: none. In its thread. */
void shard_change_pins(struct shard *s, unsigned from, unsigned to);
/* In its thread. */
const struct pin_counts *shard_pin_counts(const struct shard *s);
/* How many clients of its pool are pinned, in all workers. */
unsigned shard_pinned_in_pool(const struct shard *s);

/* A pool in which nobody has asked for so long begins anew: somebody who tries lastval() once does not make
 * all clients pay for ever. */
#define PINS_SEQUENCES_ASKED_US (UINT64_C(600) * US_PER_S)

/* Whether a client of its pool has asked for currval() or lastval() lately, so that what sequences have told
 * one client must be kept from the next. In any thread. */
bool shard_asks_sequences(const struct shard *s, uint64_t now_us);
/* One has. True: it is the first, or the first after a long time. */
bool shard_learn_sequences(struct shard *s, uint64_t now_us);

#endif
