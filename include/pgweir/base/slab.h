/*
 * slab.h - objects of one size from chunks, with a free list. One thread. A freed object is poisoned for
 * the address sanitizer. Chunks whose objects are all free are returned to the system, save one.
 */
#ifndef PGWEIR_BASE_SLAB_H
#define PGWEIR_BASE_SLAB_H

#include <stddef.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/list.h"

struct slab {
    size_t object_bytes;
    size_t chunk_bytes; /* a power of two; chunks are aligned to it */
    size_t per_chunk;
    size_t live_count;
    struct list partial; /* chunks with at least one free object */
    struct list full;
};

void slab_init(struct slab *slab, size_t object_bytes);
void slab_fini(struct slab *slab);               /* every object must have been freed */
void *slab_new(struct slab *slab) MUST_CHECK;    /* zeroed; never NULL */
void slab_free(struct slab *slab, void *object); /* NULL is fine */

#endif
