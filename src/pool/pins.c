/* pins.c - see pins.h. */
#include "pgweir/pool/pins.h"

#include "shard_impl.h"

void
shard_change_pins(struct shard *s, unsigned from, unsigned to)
{
    for (unsigned i = 0; i < PIN_REASON_COUNT; i++) {
        if ((to & PIN_BIT(i)) != 0 && (from & PIN_BIT(i)) == 0)
            s->pins.by_reason[i]++;
        if ((from & PIN_BIT(i)) != 0 && (to & PIN_BIT(i)) == 0)
            s->pins.by_reason[i]--;
    }
    if (from == 0 && to != 0) {
        s->pins.clients++;
        atomic_fetch_add_explicit(&s->pool->pinned_count, 1, memory_order_relaxed);
    }
    if (from != 0 && to == 0) {
        s->pins.clients--;
        atomic_fetch_sub_explicit(&s->pool->pinned_count, 1, memory_order_relaxed);
    }
}

const struct pin_counts *
shard_pin_counts(const struct shard *s)
{
    return &s->pins;
}

unsigned
shard_pinned_in_pool(const struct shard *s)
{
    return atomic_load_explicit(&s->pool->pinned_count, memory_order_relaxed);
}

bool
shard_asks_sequences(const struct shard *s)
{
    return atomic_load_explicit(&s->pool->asks_sequences, memory_order_relaxed);
}

bool
shard_learn_sequences(struct shard *s)
{
    return !shard_asks_sequences(s) &&
           !atomic_exchange_explicit(&s->pool->asks_sequences, true, memory_order_relaxed);
}
