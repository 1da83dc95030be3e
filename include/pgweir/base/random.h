/* random.h - unguessable bytes (RAND_bytes) and cheap jitter. */
#ifndef PGWEIR_BASE_RANDOM_H
#define PGWEIR_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_secret(void *out, size_t len); /* for keys and nonces; ends the process when OpenSSL has none */

/* xorshift: for jitter and tests with a seed, never for secrets. STATE must not be 0. */
uint64_t random_next(uint64_t *state);
/* A value in [least, most]. */
uint64_t random_between(uint64_t *state, uint64_t least, uint64_t most);

#endif
