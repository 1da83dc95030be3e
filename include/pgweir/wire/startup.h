/*
 * startup.h - the untyped first packets of a connection.
 *
 * source PostgreSQL docs, protocol-message-formats "StartupMessage", "SSLRequest", "GSSENCRequest",
 *        "CancelRequest"; protocol-flow "Start-up", "SSL Session Encryption".
 */
#ifndef PGWEIR_WIRE_STARTUP_H
#define PGWEIR_WIRE_STARTUP_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/slice.h"

#define STARTUP_MOST_BYTES 10000u /* behind the length; PostgreSQL's MAX_STARTUP_PACKET_LENGTH */
#define CANCEL_SECRET_MOST 256u   /* protocol 3.2; 4 bytes in 3.0 */
#define STARTUP_MOST_PARAMETERS 512u

enum parse { PARSE_DONE, PARSE_MORE, PARSE_BAD };

enum startup_kind {
    STARTUP_LOGIN,
    STARTUP_SSL,
    STARTUP_GSSENC,
    STARTUP_CANCEL,
    STARTUP_TLS_HELLO, /* first byte 0x16: direct TLS; nothing is consumed */
};

struct startup {
    enum startup_kind kind;
    size_t bytes;        /* length of the whole packet */
    uint16_t minor;      /* LOGIN: 3.minor as asked */
    struct slice pairs;  /* LOGIN: name NUL value NUL …, without the last NUL; walk with startup_next() */
    uint32_t cancel_pid; /* CANCEL */
    struct slice cancel_secret;
};

/*
 * Reads the first packet at the beginning of IN.
 * out    borrows from IN.
 * return PARSE_MORE until all of it is there; PARSE_BAD with a sentence in *why: bad length, a major version
 * other than 3 (*why begins with "unsupported frontend protocol"), a broken parameter list. The caller turns
 * it into 0A000 or 08P01.
 */
MUST_CHECK enum parse startup_read(struct slice in, struct startup *out, const char **why);

struct startup_pair {
    const char *name; /* NUL-terminated, inside the packet */
    const char *value;
};
/* Yields the next pair and moves *PAIRS on; false at the end. */
bool startup_next(struct slice *pairs, struct startup_pair *out);

/* Splits the value of the `options` parameter into settings, with PostgreSQL's rules: blanks separate,
 * backslash escapes, `-c name=value`, `-cname=value`, `--name=value` (dashes in a long name become
 * underscores). Calls ON_SETTING for each; PARSE_BAD with *why at the first switch that is none of these.
 * source PostgreSQL docs, runtime config "options"; src/backend/utils/init/postinit.c
 * process_startup_options. */
MUST_CHECK enum parse startup_options_read(const char *options,
                                           void (*on_setting)(void *arg, const char *name, const char *value),
                                           void *arg, const char **why);

/* Builders; each appends one whole packet. */
void build_startup(struct buf *out, uint16_t minor, const struct startup_pair *pairs, size_t count);
void build_ssl_request(struct buf *out);
void build_cancel_request(struct buf *out, uint32_t pid, struct slice secret);

#endif
