/*
 * scan.h - a resumable cursor over a stream of typed protocol messages (Byte1 type, Int32 length, body), in
 * either direction, fed with any split of the stream.
 *
 *     struct slice in = fresh bytes;                 (what MORE left last time, followed by what arrived)
 *     for (;;)
 *         switch (scan_next(&scanner, &in, &span)) {
 *         case SCAN_MESSAGE:  a message begins: span.type, span.body_len, span.bytes from its type byte on
 *         case SCAN_REST:     span.bytes continue the message begun last
 *         case SCAN_MORE:     `in` is what must be kept and presented again, with more behind it
 *         case SCAN_BAD:      the stream cannot be read on; why in span.why
 *         }
 *
 * Nothing is copied. A message whose rule asks for more of its body than the header is yielded only when
 * that much is there; the rest of a longer message follows as SCAN_REST spans as it arrives.
 *
 * source PostgreSQL docs, protocol-overview "Messaging Overview", protocol-message-formats.
 */
#ifndef PGWEIR_WIRE_SCAN_H
#define PGWEIR_WIRE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/slice.h"

#define SCAN_WHOLE UINT32_MAX                /* the rule wants the whole body */
#define SCAN_MAX_BODY (UINT32_C(0x3fffffff)) /* PostgreSQL's own limit of one message, 1 GiB - 1 */
#define SCAN_HEADER 5u

/* What one direction wants to see of each type: body bytes that must be present before the message is
 * yielded (0: the header suffices; SCAN_WHOLE). */
struct scan_rules {
    uint32_t need[256];
};

struct scanner {
    const struct scan_rules *rules;
    uint32_t rest;       /* bytes of the current message still to come; 0 between messages */
    uint32_t most_body;  /* a longer body is SCAN_BAD: before login 10 kB, afterwards SCAN_MAX_BODY */
    uint32_t most_whole; /* no rule waits for more body bytes than this: a longer SCAN_WHOLE message is
                          * yielded once so many are there (is_last false); the rest comes as SCAN_REST */
};

struct scan_span {
    struct slice bytes; /* MESSAGE: header and as much body as there is; REST: continuation */
    uint32_t body_len;  /* MESSAGE: length of the whole body, without the 4 of the length field */
    uint8_t type;       /* MESSAGE only */
    bool is_last;       /* the message ends with these bytes; on MESSAGE it means bytes is all of it */
    const char *why;    /* BAD: a sentence for the log */
};

enum scan { SCAN_MESSAGE, SCAN_REST, SCAN_MORE, SCAN_BAD };

/* MOST_BODY above SCAN_MAX_BODY means SCAN_MAX_BODY. RULES must outlive S; s->rules may be swapped between
 * messages. */
void scanner_init(struct scanner *s, const struct scan_rules *rules, uint32_t most_body, uint32_t most_whole);

/* The rare answers of scan_next(), which alone calls these. */
enum scan scan_rest(struct scanner *s, struct slice *in, struct scan_span *out);
enum scan scan_begun(struct scanner *s, struct slice *in, struct scan_span *out);
enum scan scan_bad(struct scanner *s, struct slice in, struct scan_span *out);

/* Consumes from *IN what the span covers. After SCAN_MORE, *IN (possibly empty) must be kept. After SCAN_BAD
 * nothing is consumed, and every further call answers the same. Of OUT only the fields named for the answer
 * are written. Inline, because a result of small rows is one call per row and little else; and a message that
 * is there to its end needs no look at the rules. */
static inline enum scan
scan_next(struct scanner *s, struct slice *in, struct scan_span *out)
{
    uint32_t body;

    if (UNLIKELY(s->rest != 0))
        return scan_rest(s, in, out);
    if (UNLIKELY(in->len < SCAN_HEADER))
        return SCAN_MORE;
    body = get_be32(in->at + 1) - 4u; /* a length below 4 wraps and is too long */
    if (UNLIKELY(body > s->most_body))
        return scan_bad(s, *in, out);
    if (UNLIKELY(in->len - SCAN_HEADER < body))
        return scan_begun(s, in, out);
    out->bytes = slice_of(in->at, SCAN_HEADER + (size_t)body);
    out->body_len = body;
    out->type = in->at[0];
    out->is_last = true;
    *in = slice_skip(*in, SCAN_HEADER + (size_t)body);
    return SCAN_MESSAGE;
}

/* True when the last message was consumed to its end (bytes kept after SCAN_MORE do not count). */
static inline bool
scanner_is_between_messages(const struct scanner *s)
{
    return s->rest == 0;
}

#endif
