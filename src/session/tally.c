/* tally.c - see tally_impl.h. */
#include "tally_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"

static bool
has_name(const struct map_node *node, const void *name)
{
    return strcmp(CONTAINER_OF_CONST(node, struct tally, in_tallies)->name, name) == 0;
}

static struct tally *
tally_if_any_locked(struct tallies *t, const char *name)
{
    struct map_node *node = map_find(&t->by_name, map_hash(slice_of_text(name)), has_name, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct tally, in_tallies);
}

void
tallies_init(struct tallies *t)
{
    pthread_mutex_init(&t->lock, NULL);
    map_init(&t->by_name);
}

void
tallies_fini(struct tallies *t)
{
    assert(t->by_name.count == 0);
    map_fini(&t->by_name);
    pthread_mutex_destroy(&t->lock);
}

struct tally *
tally_take(struct tallies *t, const char *name, unsigned limit, unsigned *count)
{
    struct tally *of;

    pthread_mutex_lock(&t->lock);
    of = tally_if_any_locked(t, name);
    *count = of == NULL ? 0 : of->count;
    if (limit != 0 && *count >= limit) {
        of = NULL;
    } else if (of == NULL) {
        of = mem_new(sizeof *of);
        of->name = mem_text(name);
        map_add(&t->by_name, &of->in_tallies, map_hash(slice_of_text(name)));
    }
    if (of != NULL)
        of->count++;
    pthread_mutex_unlock(&t->lock);
    return of;
}

void
tally_give(struct tallies *t, struct tally *of)
{
    bool is_last;

    if (of == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    is_last = --of->count == 0;
    if (is_last)
        map_remove(&t->by_name, &of->in_tallies);
    pthread_mutex_unlock(&t->lock);
    if (!is_last)
        return;
    free(of->name);
    free(of);
}

unsigned
tally_count(struct tallies *t, const char *name)
{
    const struct tally *of;
    unsigned count;

    pthread_mutex_lock(&t->lock);
    of = tally_if_any_locked(t, name);
    count = of == NULL ? 0 : of->count;
    pthread_mutex_unlock(&t->lock);
    return count;
}
