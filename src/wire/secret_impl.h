/* secret_impl.h - what secret.c and scram.c share. */
#ifndef PGWEIR_WIRE_SECRET_IMPL_H
#define PGWEIR_WIRE_SECRET_IMPL_H

#include "pgweir/wire/secret.h"

void secret_sha256(struct slice bytes, uint8_t out[SCRAM_KEY]);

/* HMAC-SHA-256 of PARTS one behind the other. */
void secret_hmac(struct slice key, const struct slice *parts, size_t count, uint8_t out[SCRAM_KEY]);

/* 32 bytes as base64, all of TEXT. */
bool secret_key_read(struct slice text, uint8_t out[SCRAM_KEY]);

/* A decimal number in [1, INT32_MAX], all of TEXT. */
bool secret_iterations_read(struct slice text, uint32_t *out);

/* Takes what stands before SEPARATOR off *IN, and the separator; false when there is none. */
bool secret_take_until(struct slice *in, char separator, struct slice *out);

#endif
