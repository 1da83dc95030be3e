/*
 * member.c - a server as its shard sees it, from the dial to the end.
 *
 *     member:  DIALING -> ACTIVE <-> IDLE          in_all
 *                           |   \      |
 *                           |    +-> MOVING        between two workers, in no list
 *                           +--> RETIRING          on_retire() was called, shard_lost() will be
 */
#include "shard_impl.h"

#include <assert.h>

#include "pgweir/base/random.h"

/* Servers live up to one part in so many longer than server_lifetime, each by chance, so that those of one
 * age do not go at once. */
#define LIFETIME_JITTER_PART 8

void
member_init(struct member *m, struct shard *s)
{
    assert(s->slot_of != NULL);
    *m = (struct member){
        .shard = s,
        .born_us = loop_now_us(s->loop),
        .state = MEMBER_DIALING,
        .jitter = (uint16_t)random_next(&s->random),
        .generation = s->generation,
        .account = s->slot_of,
    };
    link_init(&m->in_idle);
    link_init(&m->in_all);
    list_push_last(&s->members, &m->in_all);
    s->slot_of = NULL;
    s->dial_count++;
}

void
member_detach(struct member *m)
{
    struct shard *s = m->shard;

    switch (m->state) {
    case MEMBER_DIALING:
        s->dial_count--;
        break;
    case MEMBER_IDLE:
        link_remove(&m->in_idle);
        s->idle_count--;
        break;
    case MEMBER_ACTIVE:
        s->active_count--;
        s->checking_count -= m->is_checking;
        m->is_checking = false;
        break;
    case MEMBER_MOVING:
    case MEMBER_RETIRING:
        return;
    }
    link_remove(&m->in_all);
}

void
member_retire_uncounted(struct member *m, enum retire_reason reason)
{
    member_detach(m);
    m->state = MEMBER_RETIRING;
    m->shard->handler->on_retire(m, reason);
}

void
shard_retire(struct member *m, enum retire_reason reason)
{
    atomic_fetch_sub_explicit(&m->shard->pool->usable_count, 1, memory_order_relaxed);
    member_retire_uncounted(m, reason);
}

uint64_t
member_expires_us(const struct member *m)
{
    uint64_t lifetime_us = m->shard->route->server_lifetime_us;

    if (lifetime_us == 0)
        return TIMERS_NEVER;
    return m->born_us + lifetime_us + (lifetime_us / LIFETIME_JITTER_PART >> 16) * m->jitter;
}
