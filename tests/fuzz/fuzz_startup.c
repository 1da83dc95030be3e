/*
 * fuzz_startup.c - any first packet: an answer once given does not change when more bytes arrive, the list
 * can be walked, what was read is what a builder would have written, and any `options` can be split.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pgweir/wire/startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_setting(void *arg, const char *name, const char *value)
{
    size_t *total = arg;

    MUST(name[0] != '\0' && strchr(name, '-') == NULL && strchr(name, '=') == NULL);
    *total += strlen(name) + strlen(value);
}

static void
split_options(const char *options)
{
    size_t total = 0;
    const char *why = NULL;
    enum parse p = startup_options_read(options, check_setting, &total, &why);

    MUST(p == PARSE_DONE || (p == PARSE_BAD && why != NULL));
    MUST(total <= strlen(options));
}

/* Walks the pairs of a login and builds the packet again. */
static void
check_login(const struct startup *s, struct slice packet)
{
    struct startup_pair pairs[STARTUP_MOST_PARAMETERS];
    struct slice rest = s->pairs;
    struct buf again = { 0 };
    size_t count = 0;

    while (count < STARTUP_MOST_PARAMETERS && startup_next(&rest, &pairs[count])) {
        if (strcmp(pairs[count].name, "options") == 0)
            split_options(pairs[count].value);
        count++;
    }
    MUST(rest.len == 0);
    build_startup(&again, s->minor, pairs, count);
    MUST(slice_equal(buf_slice(&again), packet));
    buf_release(&again);
}

static enum parse
read_tight(struct slice in, struct startup *out)
{
    uint8_t *copy = malloc(in.len > 0 ? in.len : 1);
    const char *why = NULL;
    enum parse p;

    MUST(copy != NULL);
    if (in.len > 0)
        memcpy(copy, in.at, in.len);
    p = startup_read(slice_of(copy, in.len), out, &why);
    MUST((p == PARSE_BAD) == (why != NULL));
    if (p == PARSE_DONE) {
        MUST(out->bytes <= in.len);
        if (out->kind == STARTUP_LOGIN)
            check_login(out, slice_of(copy, out->bytes));
        if (out->kind == STARTUP_CANCEL)
            MUST(out->cancel_secret.len >= 4 && out->cancel_secret.len <= CANCEL_SECRET_MOST &&
                 out->cancel_secret.at + out->cancel_secret.len == copy + out->bytes);
    }
    free(copy);
    return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct startup full = { 0 };
    struct startup part = { 0 };
    enum parse p = read_tight(slice_of(data, size), &full);
    char *options = malloc(size + 1);

    for (size_t len = size > 64 ? size - 64 : 0; len < size; len++) {
        enum parse early = read_tight(slice_of(data, len), &part);

        MUST(early == PARSE_MORE || early == p);
        MUST(early != PARSE_DONE || (part.bytes == full.bytes && part.kind == full.kind));
    }
    MUST(options != NULL);
    memcpy(options, data, size);
    options[size] = '\0';
    split_options(options);
    free(options);
    return 0;
}
