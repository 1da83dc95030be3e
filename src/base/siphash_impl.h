/*
 * siphash_impl.h - SipHash-1-3, the hash behind map_hash(). Our own thirty lines, although hashing
 * otherwise belongs to OpenSSL: its SIPHASH is an EVP_MAC whose context, parameters and dispatch cost
 * some microseconds per call, and a map asks millions of times a second. 1-3 is what Rust and Ruby use
 * against chosen keys in hash tables; it does not protect secrets. test_map.c compares it with OpenSSL.
 */
#ifndef PGWEIR_SRC_BASE_SIPHASH_IMPL_H
#define PGWEIR_SRC_BASE_SIPHASH_IMPL_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pgweir/base/slice.h"

struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

struct siphash {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
siphash_rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void
siphash_round(struct siphash *s)
{
    s->v0 += s->v1;
    s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
    s->v0 = siphash_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
    s->v2 = siphash_rotate(s->v2, 32);
}

static inline void
siphash_word(struct siphash *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    s->v0 ^= word;
}

static inline struct siphash
siphash_start(struct siphash_key key)
{
    return (struct siphash){
        .v0 = key.k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key.k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key.k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key.k1 ^ UINT64_C(0x7465646279746573),
    };
}

/* The LEN (0 to 7) bytes at P as the low end of a number. Reads may overlap, never leave the bytes. */
static inline uint64_t
siphash_tail(const uint8_t *p, size_t len)
{
    uint32_t low, high;

    if (len == 0)
        return 0;
    if (len < 4)
        return (uint64_t)p[0] | (uint64_t)p[len / 2] << (len / 2 * 8) |
               (uint64_t)p[len - 1] << ((len - 1) * 8);
    memcpy(&low, p, sizeof(low));
    memcpy(&high, p + len - 4, sizeof(high));
    return (uint64_t)le32toh(low) | (uint64_t)le32toh(high) << ((len - 4) * 8);
}

/* Ends the hash with BYTES. BEFORE: bytes that went through siphash_word() already. */
static inline uint64_t
siphash_end(struct siphash *s, struct slice bytes, size_t before)
{
    const uint8_t *p = bytes.at;
    size_t left = bytes.len;

    for (; left >= 8; p += 8, left -= 8) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        siphash_word(s, le64toh(word));
    }
    siphash_word(s, siphash_tail(p, left) | (uint64_t)(bytes.len + before) << 56);
    s->v2 ^= 0xff;
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t
siphash_13(struct siphash_key key, struct slice bytes)
{
    struct siphash s = siphash_start(key);

    return siphash_end(&s, bytes, 0);
}

/* The hash of FIRST, as eight little-endian bytes, followed by BYTES. */
static inline uint64_t
siphash_13_after(struct siphash_key key, uint64_t first, struct slice bytes)
{
    struct siphash s = siphash_start(key);

    siphash_word(&s, first);
    return siphash_end(&s, bytes, sizeof(first));
}

#endif
