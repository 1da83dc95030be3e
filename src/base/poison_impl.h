/*
 * poison_impl.h - telling the address sanitizer which memory nobody may touch. Without the sanitizer
 * these are empty. Neighbours in base/ only.
 */
#ifndef PGWEIR_SRC_BASE_POISON_IMPL_H
#define PGWEIR_SRC_BASE_POISON_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_IS_KNOWN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_IS_KNOWN 1
#endif
#endif

#ifdef POISON_IS_KNOWN

#include <sanitizer/asan_interface.h>

static inline void
poison_put(const void *at, size_t size)
{
    __asan_poison_memory_region(at, size);
}

static inline void
poison_lift(const void *at, size_t size)
{
    __asan_unpoison_memory_region(at, size);
}

static inline bool
poison_is_at(const void *at)
{
    return __asan_address_is_poisoned(at) != 0;
}

#else

static inline void
poison_put(const void *at, size_t size)
{
    (void)at;
    (void)size;
}

static inline void
poison_lift(const void *at, size_t size)
{
    (void)at;
    (void)size;
}

static inline bool
poison_is_at(const void *at)
{
    (void)at;
    return false;
}

#endif

#endif
