/*
 * slab.c - objects of one size.
 *
 *     chunk, aligned to its own size, so that an object's address names its chunk:
 *     | struct chunk | object | object | free -> | object | free | never used ... |
 *
 *     Invariants: a chunk is in `partial` exactly while it has room, else in `full`; at most one chunk of
 *     `partial` has no live object, and it stands last, so it is used last and spares a slab that swings
 *     around a chunk's edge from asking the system each time. A freed object holds only the pointer of
 *     its chunk's free list, and is poisoned.
 *
 *     Chunks are mapped and not allocated: malloc's header in front of an aligned piece lies on a page of its own,
 *     which made 4 kB for each chunk (150 bytes for each idle client), and a chunk that is given back leaves the
 *     process at once.
 */
#include "pgweir/base/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "poison_impl.h"

#define CHUNK_BYTES_LEAST ((size_t)16 * 1024)
#define CHUNK_BYTES_MOST ((size_t)64 * 1024) /* unless a single object is larger */
#define CHUNK_OBJECTS_WANTED 128             /* what is never used costs nothing */
#define OBJECT_ALIGN _Alignof(max_align_t)

struct free_object {
    struct free_object *next;
};

struct chunk {
    struct link in_slab;       /* slab->partial or slab->full */
    struct free_object *freed; /* poisoned; NULL when none was freed since */
    size_t fresh_count;        /* objects at the end that were never handed out */
    size_t live_count;
};

static size_t
align_up(size_t size)
{
    return (size + OBJECT_ALIGN - 1) / OBJECT_ALIGN * OBJECT_ALIGN;
}

#define CHUNK_HEAD_BYTES ((sizeof(struct chunk) + OBJECT_ALIGN - 1) / OBJECT_ALIGN * OBJECT_ALIGN)

void
slab_init(struct slab *slab, size_t object_bytes)
{
    size_t chunk_bytes = CHUNK_BYTES_LEAST;

    assert(object_bytes > 0 && object_bytes < SIZE_MAX / 4);
    object_bytes = align_up(object_bytes);
    while (chunk_bytes < CHUNK_BYTES_MOST &&
           (chunk_bytes - CHUNK_HEAD_BYTES) / object_bytes < CHUNK_OBJECTS_WANTED)
        chunk_bytes *= 2;
    while (chunk_bytes - CHUNK_HEAD_BYTES < object_bytes)
        chunk_bytes *= 2;
    slab->object_bytes = object_bytes;
    slab->chunk_bytes = chunk_bytes;
    slab->per_chunk = (chunk_bytes - CHUNK_HEAD_BYTES) / object_bytes;
    slab->live_count = 0;
    list_init(&slab->partial);
    list_init(&slab->full);
}

static uint8_t *
chunk_objects(struct chunk *chunk)
{
    return (uint8_t *)chunk + CHUNK_HEAD_BYTES;
}

static bool
chunk_is_full(const struct chunk *chunk)
{
    return chunk->freed == NULL && chunk->fresh_count == 0;
}

static uint8_t *
map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        dprintf(STDERR_FILENO, "pgweir: out of memory asking for a slab of %zu bytes\n", bytes);
        abort();
    }
    return at;
}

/* BYTES, a power of two, at a multiple of BYTES. */
static void *
map_aligned(size_t bytes)
{
    uint8_t *at = map(bytes);
    size_t before;

    if (((uintptr_t)at & (bytes - 1)) == 0) /* mostly so: it stands beside the chunk from before */
        return at;
    munmap(at, bytes);
    at = map(2 * bytes);
    before = (bytes - ((uintptr_t)at & (bytes - 1))) & (bytes - 1);
    if (before > 0)
        munmap(at, before);
    munmap(at + before + bytes, bytes - before);
    return at + before;
}

static struct chunk *
chunk_new(struct slab *slab)
{
    struct chunk *chunk = map_aligned(slab->chunk_bytes);

    *chunk = (struct chunk){ .fresh_count = slab->per_chunk };
    poison_put(chunk_objects(chunk), slab->chunk_bytes - CHUNK_HEAD_BYTES);
    list_push_last(&slab->partial, &chunk->in_slab);
    return chunk;
}

static void
chunk_free(struct slab *slab, struct chunk *chunk)
{
    link_remove(&chunk->in_slab);
    poison_lift(chunk_objects(chunk), slab->chunk_bytes - CHUNK_HEAD_BYTES);
    munmap(chunk, slab->chunk_bytes);
}

void
slab_fini(struct slab *slab)
{
    assert(slab->live_count == 0);
    LIST_EACH(&slab->partial, it)
        chunk_free(slab, CONTAINER_OF(it, struct chunk, in_slab));
}

static void *
chunk_take(struct slab *slab, struct chunk *chunk)
{
    void *object;

    if (chunk->freed != NULL) {
        object = chunk->freed;
        poison_lift(object, slab->object_bytes);
        chunk->freed = chunk->freed->next;
    } else {
        object = chunk_objects(chunk) + (slab->per_chunk - chunk->fresh_count) * slab->object_bytes;
        poison_lift(object, slab->object_bytes);
        chunk->fresh_count--;
    }
    chunk->live_count++;
    return object;
}

void *
slab_new(struct slab *slab)
{
    struct link *first = list_first(&slab->partial);
    struct chunk *chunk = first == NULL ? chunk_new(slab) : CONTAINER_OF(first, struct chunk, in_slab);
    void *object = chunk_take(slab, chunk);

    slab->live_count++;
    if (chunk_is_full(chunk)) {
        link_remove(&chunk->in_slab);
        list_push_first(&slab->full, &chunk->in_slab);
    }
    return memset(object, 0, slab->object_bytes);
}

/* CHUNK has just lost its last live object: it stays as the spare one, or goes. */
static void
chunk_retire(struct slab *slab, struct chunk *chunk)
{
    struct link *last;

    link_remove(&chunk->in_slab);
    last = list_last(&slab->partial);
    list_push_last(&slab->partial, &chunk->in_slab);
    if (last != NULL && CONTAINER_OF(last, struct chunk, in_slab)->live_count == 0)
        chunk_free(slab, chunk);
}

void
slab_free(struct slab *slab, void *object)
{
    struct chunk *chunk;
    struct free_object *freed = object;
    size_t offset;

    if (object == NULL)
        return;
    assert(!poison_is_at(object)); /* freed twice */
    offset = (uintptr_t)object & (slab->chunk_bytes - 1);
    chunk = (struct chunk *)(void *)((uint8_t *)object - offset);
    assert(offset >= CHUNK_HEAD_BYTES && (offset - CHUNK_HEAD_BYTES) % slab->object_bytes == 0);

    if (chunk_is_full(chunk)) {
        link_remove(&chunk->in_slab);
        list_push_first(&slab->partial, &chunk->in_slab);
    }
    freed->next = chunk->freed;
    chunk->freed = freed;
    poison_put(object, slab->object_bytes);
    chunk->live_count--;
    slab->live_count--;
    if (chunk->live_count == 0)
        chunk_retire(slab, chunk);
}
