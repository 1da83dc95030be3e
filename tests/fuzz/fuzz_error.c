/*
 * fuzz_error.c - any ErrorResponse, whole or cut: what is read is well formed, and reading what we would
 * write for it changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pgweir/wire/pg_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct pg_error *a, const struct pg_error *b)
{
    MUST(a->severity == b->severity);
    MUST(strcmp(a->sqlstate, b->sqlstate) == 0);
    MUST(strcmp(a->message, b->message) == 0);
    MUST(strcmp(a->detail, b->detail) == 0);
    MUST(strcmp(a->hint, b->hint) == 0);
}

static void
check_read(struct slice message)
{
    struct pg_error e;
    struct pg_error again;
    struct buf b = { 0 };

    if (!pg_error_read(message, &e))
        return;
    MUST(strlen(e.sqlstate) == 5);
    MUST(strlen(e.message) < sizeof(e.message));
    MUST(strlen(e.detail) < sizeof(e.detail));
    MUST(strlen(e.hint) < sizeof(e.hint));
    build_error(&b, &e);
    MUST(pg_error_read(buf_slice(&b), &again));
    check_same(&e, &again);
    pg_error_set(&again, e.severity, e.sqlstate, "%s", e.message);
    pg_error_detail(&again, "%s", e.detail);
    pg_error_hint(&again, "%s", e.hint);
    check_same(&e, &again);
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *message = malloc(size + 5);

    check_read(slice_of(data, size));

    /* The same bytes as the body of a message whose header is right. */
    MUST(message != NULL);
    message[0] = 'E';
    put_be32(message + 1, (uint32_t)size + 4);
    memcpy(message + 5, data, size);
    check_read(slice_of(message, size + 5));
    free(message);
    return 0;
}
