/*
 * sequence_values.c - currval() and lastval() are answered as on a connection of one's own.
 *
 * currval() and lastval() tell what nextval() has told the session before, and nothing shows whose values
 * a server remembers: any INSERT may
 * have advanced a sequence. So from the first text on that asks in a pool, DISCARD SEQUENCES goes ahead of
 * a client's first message on a server that
 * another has had; and a client that has asked keeps its server for a while when it may have advanced one.
 * Pools in which nobody asks pay
 * nothing.
 *
 * setseed() is alike: random() goes on from it on that server only. Its client keeps the server for a
 * while, as
 * long as it comes again within sequence_pin_timeout; the next one gets another seed, which nobody knows.
 */
#include <string.h>

#include "session_settings_impl.h"
#include "session_state_impl.h"

/* Whether the client has nothing under way on S in which a query of ours would disturb. */
static bool
is_between(const struct server *s)
{
    if (s->status != 'I' || ledger_needs_sync(&s->ledger))
        return false;
    for (uint32_t i = 0; i < s->ledger.count; i++)
        if (ledger_entry(&s->ledger, i)->action != OWED_SWALLOW)
            return false;
    return true;
}

/* C has a text that asks. False: its server may remember values of others, and it is too late to make it
 * forget them: inside of a transaction that
 * would take from C what is its own. */
static bool
are_sequences_own(struct client *c)
{
    struct server *s = c->server;

    c->asks_sequences = true;
    if (shard_learn_sequences(c->shard, loop_now_us(c->worker->loop)))
        client_log(c, LOG_NOTICE_LEVEL,
                   "currval() or lastval() is used in this pool: from now on DISCARD SEQUENCES "
                   "goes ahead where a server connection changes its client");
    if (s->sequence_client == c->id)
        return true;
    if (!is_between(s))
        return false;
    s->foreign |= FOREIGN_SEQUENCES;
    settings_bring(c);
    return true;
}

bool
sequences_are_refused(struct client *c, uint32_t flags, struct pg_error *why)
{
    if (LIKELY((flags & SQL_CURRVAL) == 0) || are_sequences_own(c))
        return false;
    pg_error_set(why, PG_ERROR, "55000", "currval() and lastval() cannot be told in this transaction");
    pg_error_detail(why,
                    "Nobody in this pool had asked for them when it began, and its server connection may "
                    "remember values of other clients.");
    pg_error_hint(
        why, "Run it again: transactions that begin from now on are prepared for it. INSERT ... RETURNING "
             "needs no such care.");
    return true;
}

void
state_prepare(struct client *c, const struct statement *st)
{
    if (UNLIKELY((st->findings & SQL_CURRVAL) != 0) && c->pool_mode != POOL_SESSION)
        (void)are_sequences_own(c);
}

/* INSERT, COPY and MERGE fill columns from sequences, and no text shows it. */
void
state_note_tag(struct client *c, struct slice message)
{
    static const char *const tags[] = { "INSERT ", "COPY ", "MERGE " };
    struct slice tag = slice_skip(message, SCAN_HEADER);

    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (tag.len >= strlen(tags[i]) && memcmp(tag.at, tags[i], strlen(tags[i])) == 0)
            c->suspected |= SQL_NEXTVAL;
}

void
sequences_settle(struct server *s)
{
    struct client *c = s->client;
    const struct route *route = shard_route(c->shard);
    uint32_t flags = c->suspected & SEQUENCES;
    unsigned pins = c->pins;
    bool may_pin;

    if (flags == 0)
        return;
    c->suspected &= ~SEQUENCES;
    may_pin = route->sequence_pin_timeout_us > 0 &&
              (c->pins != 0 || route->max_pinned == 0 || shard_pinned_in_pool(c->shard) < route->max_pinned);
    if ((flags & (uint32_t)SQL_SETSEED) != 0) {
        s->seed_client = c->id;
        pins |= may_pin ? PIN_BIT(PIN_SEED) : 0;
    }
    if ((flags & (uint32_t)SQL_CURRVAL) != 0)
        pins &= ~PIN_BIT(PIN_SEQUENCE);
    else if ((flags & (uint32_t)SQL_NEXTVAL) != 0)
        pins = may_pin ? pins | PIN_BIT(PIN_SEQUENCE) : pins & ~PIN_BIT(PIN_SEQUENCE);
    state_pin(c, pins);
    server_watch(s);
}
