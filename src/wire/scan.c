/*
 * scan.c - the cursor's rare answers; its hot path is scan_next() in scan.h.
 *
 *     bytes    T l l l l b b b b b | T l l l l b b b b b b b b | T l l
 *     fed      ------------------------------------|              ----- MORE: kept, presented again
 *     yields   MESSAGE (last)        MESSAGE (not last)   REST (last)
 *
 *     Invariants: rest is 0 exactly between messages; spans of one message are contiguous and add up to
 *     SCAN_HEADER + body_len; nothing is consumed by MORE and BAD.
 */
#include "pgweir/wire/scan.h"

void
scanner_init(struct scanner *s, const struct scan_rules *rules, uint32_t most_body, uint32_t most_whole)
{
    s->rules = rules;
    s->rest = 0;
    s->most_body = most_body < SCAN_MAX_BODY ? most_body : SCAN_MAX_BODY;
    s->most_whole = most_whole;
}

enum scan
scan_rest(struct scanner *s, struct slice *in, struct scan_span *out)
{
    size_t here = in->len < s->rest ? in->len : s->rest;

    if (here == 0)
        return SCAN_MORE;
    s->rest -= (uint32_t)here;
    out->bytes = slice_of(in->at, here);
    out->is_last = s->rest == 0;
    *in = slice_skip(*in, here);
    return SCAN_REST;
}

/* A message of an acceptable length whose header is there and whose end is not. */
enum scan
scan_begun(struct scanner *s, struct slice *in, struct scan_span *out)
{
    size_t here = in->len - SCAN_HEADER;
    uint32_t need = s->rules->need[in->at[0]];

    if (here < need && here < s->most_whole)
        return SCAN_MORE;
    out->body_len = get_be32(in->at + 1) - 4u;
    out->bytes = *in;
    out->type = in->at[0];
    out->is_last = false;
    s->rest = out->body_len - (uint32_t)here;
    *in = slice_skip(*in, in->len);
    return SCAN_MESSAGE;
}

enum scan
scan_bad(struct scanner *s, struct slice in, struct scan_span *out)
{
    uint32_t len = get_be32(in.at + 1);

    if (len < 4u || len - 4u > SCAN_MAX_BODY)
        out->why = "invalid message length";
    else
        out->why = s->most_body < SCAN_MAX_BODY ? "message is longer than allowed before login"
                                                : "message is longer than allowed";
    return SCAN_BAD;
}
