/* base64.h - RFC 4648 with padding, stricter than PostgreSQL's: no blanks, no line ends, one text per value. */
#ifndef PGWEIR_WIRE_BASE64_H
#define PGWEIR_WIRE_BASE64_H

#include <stdbool.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/slice.h"

/* Characters of LEN bytes once encoded. */
#define BASE64_LEN(len) (((len) + 2u) / 3u * 4u)

void base64_add(struct buf *out, struct slice bytes);

/*
 * Decodes TEXT into TO, which has room for MOST bytes.
 * return false when TEXT is not base64 or does not fit; *LEN is written on success only.
 */
MUST_CHECK bool base64_read(struct slice text, uint8_t *to, size_t most, size_t *len);

/* Whether TEXT is base64, of whatever length. */
bool base64_is(struct slice text);

#endif
