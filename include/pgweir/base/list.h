/*
 * list.h - intrusive doubly linked lists. A link lives inside its object and is named for the
 * membership (`in_idle`). A link outside any list points at itself: link_is_in() is false.
 * Zeroed memory is not an initialised link or list: call link_init() and list_init().
 */
#ifndef PGWEIR_BASE_LIST_H
#define PGWEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/base/attr.h"

struct link {
    struct link *next;
    struct link *prev;
};

struct list {
    struct link head; /* next: first, prev: last */
};

static inline void
link_init(struct link *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool
link_is_in(const struct link *l)
{
    return l->next != l;
}

/* Takes L out of whatever list it is in; does nothing when it is in none. */
static inline void
link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

static inline void
link_insert_after(struct link *where, struct link *l)
{
    l->prev = where;
    l->next = where->next;
    where->next->prev = l;
    where->next = l;
}

static inline void
list_init(struct list *list)
{
    link_init(&list->head);
}

static inline bool
list_is_empty(const struct list *list)
{
    return !link_is_in(&list->head);
}

static inline void
list_push_first(struct list *list, struct link *l)
{
    link_insert_after(&list->head, l);
}

static inline void
list_push_last(struct list *list, struct link *l)
{
    link_insert_after(list->head.prev, l);
}

/* NULL when empty. */
static inline struct link *
list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

static inline struct link *
list_last(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.prev;
}

/* The link behind L in LIST, or NULL when L is the last. */
static inline struct link *
list_next(const struct list *list, const struct link *l)
{
    return l->next == &list->head ? NULL : l->next;
}

/* Moves every link of FROM behind the last of TO. */
static inline void
list_append(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    list_init(from);
}

/* Walks LIST; the current link may be removed inside the loop, other links may not. */
#define LIST_EACH(list, it)                                                               \
    for (struct link *it = (list)->head.next, *it##_next = it->next; it != &(list)->head; \
         it = it##_next, it##_next = it->next)

#endif
