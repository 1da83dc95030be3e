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
shard_asks_sequences(const struct shard *s, uint64_t now_us)
{
    uint64_t asked_us = atomic_load_explicit(&s->pool->sequences_asked_us, memory_order_relaxed);

    return asked_us != 0 && now_us < asked_us + PINS_SEQUENCES_ASKED_US;
}

bool
shard_learn_sequences(struct shard *s, uint64_t now_us)
{
    bool is_known = shard_asks_sequences(s, now_us);
    uint64_t asked_us = atomic_load_explicit(&s->pool->sequences_asked_us, memory_order_relaxed);

    if (is_known && now_us <= asked_us + US_PER_S) /* the line is not written each time */
        return false;
    return atomic_compare_exchange_strong_explicit(&s->pool->sequences_asked_us, &asked_us,
                                                   now_us > 0 ? now_us : 1, memory_order_relaxed,
                                                   memory_order_relaxed) &&
           !is_known;
}
