/*
 * check.c - servers that have been idle for long are asked something before they serve again.
 *
 *     idle, suspect --somebody waits--> ACTIVE, is_checking --it answers--> shard_give(): the oldest waiter's
 *                                                           \--it is dead-> shard_lost(): the next is asked
 *
 *     Invariants: checking_count members are ACTIVE and is_checking, never more than wait here; to growth.c
 *     each is a server on its way.
 */
#include "shard_impl.h"

bool
member_is_suspect(const struct member *m, uint64_t now_us)
{
    return m->is_suspect || now_us - m->idle_since_us >= m->shard->check_delay_us;
}

void
check_learn(struct shard *s)
{
    const struct settings *settings = s->route->settings;
    bool is_on = s->handler->check != NULL && settings->server_check_query[0] != '\0';

    s->check_delay_us = is_on ? settings->server_check_delay_us : TIMERS_NEVER;
    s->is_round_robin = settings->server_round_robin;
}

void
check_begin(struct member *m)
{
    m->is_checking = true;
    m->shard->checking_count++;
    m->shard->handler->check(m);
}

/* While clients wait here, whatever is idle here is suspect. */
void
check_more(struct shard *s)
{
    while (s->waiting_count > s->checking_count && !list_is_empty(&s->idle)) {
        struct member *m = member_of_idle(list_first(&s->idle));

        idle_take(m);
        check_begin(m);
    }
}

void
check_end(struct member *m)
{
    m->shard->checking_count--;
    m->is_checking = m->is_suspect = false;
}
