/* random.c - OpenSSL's generator for secrets, xorshift64* for jitter. */
#include "pgweir/base/random.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/rand.h>

void
random_secret(void *out, size_t len)
{
    /* A predictable key is worse than no process: nobody would notice it. */
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
        dprintf(STDERR_FILENO, "pgweir: OpenSSL has no random bytes\n");
        abort();
    }
}

uint64_t
random_next(uint64_t *state)
{
    uint64_t x = *state;

    assert(x != 0);
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

uint64_t
random_between(uint64_t *state, uint64_t least, uint64_t most)
{
    uint64_t span = most - least;

    assert(least <= most);
    if (span == UINT64_MAX)
        return random_next(state);
    /* The modulo leans to small values by span / 2^64, which no jitter notices. */
    return least + random_next(state) % (span + 1);
}
