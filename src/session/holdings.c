/* holdings.c - see holdings_impl.h. */
#include "holdings_impl.h"

#include <stdlib.h>

#include "pgweir/base/mem.h"
#include "prepared_impl.h"

static bool
same_statement(const struct map_node *node, const void *key)
{
    return CONTAINER_OF_CONST(node, struct server_statement, in_set)->statement == key;
}

static uint64_t
hash_of(const struct statement *st)
{
    return st->id * UINT64_C(0x9e3779b97f4a7c15); /* ids are ours: nobody can aim them at one bucket */
}

struct server_statement *
set_find(const struct server *s, const struct statement *st)
{
    struct map_node *node = s->statements == NULL
                                ? NULL
                                : map_find(&s->statements->by_statement, hash_of(st), same_statement, st);

    return node == NULL ? NULL : CONTAINER_OF(node, struct server_statement, in_set);
}

void
set_touch(struct server *s, struct server_statement *e)
{
    if (list_first(&s->statements->lru) == &e->in_lru)
        return;
    link_remove(&e->in_lru);
    list_push_first(&s->statements->lru, &e->in_lru);
}

void
set_add(struct server *s, struct statement *st, uint64_t stamp, uint64_t epoch)
{
    struct server_statement *e = set_find(s, st);

    if (e != NULL) {
        set_touch(s, e);
    } else {
        e = mem_new(sizeof *e);
        if (s->statements == NULL) {
            s->statements = mem_new(sizeof *s->statements);
            map_init(&s->statements->by_statement);
            list_init(&s->statements->lru);
        }
        e->statement = statement_hold(st);
        atomic_fetch_add_explicit(&st->servers, 1, memory_order_relaxed);
        link_init(&e->in_lru);
        map_add(&s->statements->by_statement, &e->in_set, hash_of(st));
        list_push_first(&s->statements->lru, &e->in_lru);
    }
    e->parsed = (struct parsed){ .stamp = stamp, .epoch = epoch };
}

void
set_remove(struct statement_set *set, struct server_statement *e)
{
    map_remove(&set->by_statement, &e->in_set);
    link_remove(&e->in_lru);
    atomic_fetch_sub_explicit(&e->statement->servers, 1, memory_order_relaxed);
    statement_drop(e->statement);
    free(e);
}

void
set_lose(struct server *s, const struct statement *st, uint64_t stamp)
{
    struct server_statement *e = set_find(s, st);

    if (e != NULL && e->parsed.stamp <= stamp)
        set_remove(s->statements, e);
}

void
set_forget_before(struct server *s, uint64_t stamp)
{
    struct list rest;
    struct link *l;

    if (s->statements == NULL)
        return;
    list_init(&rest);
    while ((l = list_first(&s->statements->lru)) != NULL) {
        struct server_statement *e = CONTAINER_OF(l, struct server_statement, in_lru);

        if (e->parsed.stamp < stamp) {
            set_remove(s->statements, e);
        } else {
            link_remove(l);
            list_push_last(&rest, l);
        }
    }
    list_append(&s->statements->lru, &rest);
}

void
statement_set_free(struct statement_set *set)
{
    if (set == NULL)
        return;
    while (!list_is_empty(&set->lru))
        set_remove(set, CONTAINER_OF(list_first(&set->lru), struct server_statement, in_lru));
    map_fini(&set->by_statement);
    free(set);
}
