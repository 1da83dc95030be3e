/*
 * front.h - messages from frontends: readers for the bodies that pgweir must understand, builders for those
 * that it sends. A reader gets the whole message from its type byte on, as the scanner yields it, unless it
 * says otherwise.
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#ifndef PGWEIR_WIRE_FRONT_H
#define PGWEIR_WIRE_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/wire/startup.h"

/* PasswordMessage: the password without its NUL. */
MUST_CHECK enum parse front_password_read(struct slice message, struct slice *out_password);

struct sasl_initial {
    struct slice mechanism;
    struct slice response;
    bool has_response; /* false: the length was -1 */
};
MUST_CHECK enum parse front_sasl_initial_read(struct slice message, struct sasl_initial *out);
MUST_CHECK enum parse front_sasl_response_read(struct slice message, struct slice *out);

/* For the console, which is the server itself. Texts lie NUL-terminated in the message. */
MUST_CHECK enum parse front_query_read(struct slice message, const char **out);

struct front_parse {
    const char *name;
    const char *text;
    uint16_t type_count; /* of parameters whose types are told beforehand */
};
MUST_CHECK enum parse front_parse_read(struct slice message, struct front_parse *out);

struct front_bind {
    const char *portal;
    const char *statement;
    uint16_t value_count;
    uint16_t format_count; /* of result formats */
    struct slice formats;  /* that many Int16 */
};
MUST_CHECK enum parse front_bind_read(struct slice message, struct front_bind *out);

struct front_target { /* Describe and Close */
    char kind;        /* 'S' statement, 'P' portal */
    const char *name;
};
MUST_CHECK enum parse front_describe_read(struct slice message, struct front_target *out);
MUST_CHECK enum parse front_close_read(struct slice message, struct front_target *out);

struct front_execute {
    const char *portal;
    uint32_t most_rows; /* 0: all */
};
MUST_CHECK enum parse front_execute_read(struct slice message, struct front_execute *out);

void build_query(struct buf *out, const char *sql);
void build_sync(struct buf *out);
void build_terminate(struct buf *out);
void build_copy_fail(struct buf *out, const char *reason);
void build_password(struct buf *out, const char *secret);
void build_sasl_initial(struct buf *out, const char *mechanism, struct slice response);
void build_sasl_response(struct buf *out, struct slice response);

#endif
