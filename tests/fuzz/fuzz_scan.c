/*
 * fuzz_scan.c - any bytes, cut anywhere: the scanner yields the same messages as for the bytes in one piece,
 * never loses or invents a byte, and every reader survives every message.
 *
 *     input   rules | most_body | most_whole | piece lengths seed | stream
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/random.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scan_rules some_rules = { .need = { ['D'] = 3, ['Z'] = SCAN_WHOLE, ['E'] = 100 } };

static const struct scan_rules *const rules[] = {
    &front_relay_rules, &front_login_rules, &back_relay_rules, &back_login_rules, &some_rules,
};

/* What a stream was: each message's type and length, and all the bytes that were yielded. */
struct trace {
    struct scanner scanner;
    struct buf heads;
    struct buf passed;
    struct buf kept;
    bool is_bad;
};

static void
read_with_everything(struct slice message)
{
    struct sasl_initial initial;
    struct auth_request auth;
    struct backend_key key;
    struct startup_pair pair;
    struct pg_error error;
    struct slice out;
    char status;
    volatile bool used;

    used = front_password_read(message, &out) == PARSE_DONE;
    used = front_sasl_initial_read(message, &initial) == PARSE_DONE;
    used = front_sasl_response_read(message, &out) == PARSE_DONE;
    if (back_auth_read(message, &auth) == PARSE_DONE)
        used = auth_offers(&auth, "SCRAM-SHA-256");
    used = back_key_read(message, &key) == PARSE_DONE;
    if (back_parameter_read(message, &pair) == PARSE_DONE)
        MUST(strlen(pair.name) + strlen(pair.value) + 2 + SCAN_HEADER == message.len);
    used = back_ready_read(message, &status) == PARSE_DONE;
    used = pg_error_read(message, &error);
    (void)used;
}

static void
trace_span(struct trace *t, const struct scan_span *span, enum scan kind)
{
    if (kind == SCAN_MESSAGE) {
        MUST(span->bytes.len >= SCAN_HEADER && span->bytes.at[0] == span->type);
        MUST(span->body_len <= t->scanner.most_body);
        MUST(span->is_last == (span->bytes.len == SCAN_HEADER + (size_t)span->body_len));
        if (!span->is_last) {
            uint32_t need = t->scanner.rules->need[span->type];
            size_t here = span->bytes.len - SCAN_HEADER;

            MUST(here >= need || here >= t->scanner.most_whole);
        }
        buf_add_u8(&t->heads, span->type);
        buf_add_be32(&t->heads, span->body_len);
        read_with_everything(span->bytes);
    } else {
        MUST(span->bytes.len > 0);
    }
    MUST(span->is_last == scanner_is_between_messages(&t->scanner));
    buf_add(&t->passed, span->bytes);
}

/* Presents PIECE behind what was kept, as a copy of exactly its size. */
static void
trace_feed(struct trace *t, struct slice piece)
{
    struct scan_span span;
    struct slice in;
    uint8_t *copy;

    if (t->is_bad)
        return;
    buf_add(&t->kept, piece);
    in.len = buf_len(&t->kept);
    copy = malloc(in.len > 0 ? in.len : 1);
    MUST(copy != NULL);
    if (in.len > 0)
        memcpy(copy, buf_slice(&t->kept).at, in.len);
    in.at = copy;
    buf_drop(&t->kept, in.len);
    for (;;) {
        enum scan kind = scan_next(&t->scanner, &in, &span);

        if (kind == SCAN_MESSAGE || kind == SCAN_REST) {
            trace_span(t, &span, kind);
            continue;
        }
        t->is_bad = kind == SCAN_BAD;
        buf_add(&t->kept, in);
        break;
    }
    free(copy);
}

static void
trace_init(struct trace *t, const uint8_t *head)
{
    memset(t, 0, sizeof(*t));
    scanner_init(&t->scanner, rules[head[0] % COUNT_OF(rules)], head[1] < 128 ? SCAN_MAX_BODY : head[1] * 4u,
                 head[2]);
}

static void
trace_fini(struct trace *t)
{
    buf_release(&t->heads);
    buf_release(&t->passed);
    buf_release(&t->kept);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice stream;
    struct trace whole;
    struct trace pieces;
    uint64_t seed;

    if (size < 4)
        return 0;
    stream = slice_of(data + 4, size - 4);
    trace_init(&whole, data);
    trace_feed(&whole, stream);
    MUST(buf_len(&whole.passed) + buf_len(&whole.kept) == stream.len);
    MUST(memcmp(stream.at, buf_slice(&whole.passed).at == NULL ? stream.at : buf_slice(&whole.passed).at,
                buf_len(&whole.passed)) == 0);

    trace_init(&pieces, data);
    seed = data[3] + 1u;
    while (stream.len > 0) {
        size_t len = (size_t)random_between(&seed, 1, data[3] % 16 + 1u);

        len = len < stream.len ? len : stream.len;
        trace_feed(&pieces, slice_of(stream.at, len));
        stream = slice_skip(stream, len);
    }
    MUST(whole.is_bad == pieces.is_bad);
    MUST(slice_equal(buf_slice(&whole.heads), buf_slice(&pieces.heads)));
    MUST(slice_equal(buf_slice(&whole.passed), buf_slice(&pieces.passed)));
    trace_fini(&whole);
    trace_fini(&pieces);
    return 0;
}
