/*
 * random.c - OpenSSL's generator for secrets, xorshift64* for jitter.
 *
 *     Each call of RAND_bytes() costs 7,000 instructions and two system calls (it asks for the process id, to notice a
 *     fork), and a login wants three small secrets. So each thread draws a stock and hands it out; what is handed out
 *     is wiped from the stock. After a fork() the child's stock is thrown away: parent and child would hand out the
 *     same secrets.
 */
#include "pgweir/base/random.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "pgweir/base/mem.h"

#define STOCK_BYTES 512u
#define SMALL_BYTES 64u /* longer ones are drawn for themselves */

static _Thread_local struct {
    uint8_t bytes[STOCK_BYTES];
    size_t left; /* the last of them are fresh */
} stock;

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void
forget_stock(void)
{
    mem_wipe(&stock, sizeof(stock));
}

static void
watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_stock);
}

static void
draw(void *out, size_t len)
{
    /* A predictable key is worse than no process: nobody would notice it. */
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
        dprintf(STDERR_FILENO, "pgweir: OpenSSL has no random bytes\n");
        abort();
    }
}

void
random_secret(void *out, size_t len)
{
    uint8_t *from;

    if (len > SMALL_BYTES) {
        draw(out, len);
        return;
    }
    if (stock.left < len) {
        pthread_once(&fork_once, watch_forks);
        draw(stock.bytes, sizeof(stock.bytes));
        stock.left = sizeof(stock.bytes);
    }
    from = stock.bytes + sizeof(stock.bytes) - stock.left;
    memcpy(out, from, len);
    mem_wipe(from, len);
    stock.left -= len;
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
