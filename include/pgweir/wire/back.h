/*
 * back.h - messages from backends: readers for what pgweir must understand, builders for what it says itself.
 * Readers get the whole message from its type byte on, as the scanner yields it.
 *
 * source PostgreSQL docs, protocol-message-formats.
 */
#ifndef PGWEIR_WIRE_BACK_H
#define PGWEIR_WIRE_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/wire/startup.h"

/* The Int32 of Authentication… */
enum auth_kind {
    AUTH_OK = 0,
    AUTH_CLEARTEXT = 3,
    AUTH_MD5 = 5,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12,
};

struct auth_request {
    uint32_t kind; /* enum auth_kind, or one that pgweir cannot do (7 GSS, 9 SSPI, …) */
    uint8_t md5_salt[4];
    struct slice data; /* SASL: mechanism NUL mechanism NUL NUL; CONTINUE, FINAL: the SASL data */
};
MUST_CHECK enum parse back_auth_read(struct slice message, struct auth_request *out);
/* Whether the list of an AUTH_SASL request has MECHANISM. */
bool auth_offers(const struct auth_request *request, const char *mechanism);

struct backend_key {
    uint32_t pid;
    struct slice secret; /* 4 bytes in 3.0, up to 256 in 3.2 */
};
MUST_CHECK enum parse back_key_read(struct slice message, struct backend_key *out);

/* ParameterStatus: both NUL-terminated inside the message. */
MUST_CHECK enum parse back_parameter_read(struct slice message, struct startup_pair *out);

/* ReadyForQuery: 'I', 'T' or 'E'. */
MUST_CHECK enum parse back_ready_read(struct slice message, char *out_status);

/* What a client remembers of a result or of parameters, as one number. */
#define SHAPE_NONE UINT64_C(0) /* never seen */
#define SHAPE_ODD \
    UINT64_MAX /* seen, but too long to be looked at, or malformed: like no other, itself included */
/* Of a RowDescription (column names, types, their lengths and modifiers; not where a column is from, nor its format), a
 * NoData or a ParameterDescription. Same for the life of the process. */
uint64_t back_shape(struct slice message, bool is_whole);

/* Whether TAG, of a CommandComplete, with or without its NUL, may stand for a change of what a statement that was prepared before means or
 * returns. Errs towards yes: only what is known to be harmless (CREATE INDEX, ALTER ROLE, …) is not. */
bool tag_changes_schema(struct slice tag);

void build_auth(struct buf *out, enum auth_kind kind);
void build_auth_md5(struct buf *out, const uint8_t salt[4]);
/* MECHANISMS: NULL-terminated array. */
void build_auth_sasl(struct buf *out, const char *const *mechanisms);
void build_auth_sasl_data(struct buf *out, enum auth_kind kind, struct slice data);
void build_parameter(struct buf *out, const char *name, const char *value);
void build_key(struct buf *out, uint32_t pid, struct slice secret);
void build_ready(struct buf *out, char status);
/* What the console answers with: a message without a body ('1', '2', '3', 'n', 's', 'I'), one result column, the head of a
 * RowDescription or DataRow whose COUNT columns follow (build_end() closes it), CommandComplete. */
void build_bare(struct buf *out, char type);
struct back_column {
    const char *name;
    uint32_t type;   /* OID */
    int16_t size;    /* of the type; -1: varies */
    uint16_t format; /* 0 text, 1 binary */
};
size_t build_begin(struct buf *out, char type, uint16_t count);
void build_column(struct buf *out, const struct back_column *column);
void build_end(struct buf *out, size_t begun);
void build_complete(struct buf *out, const char *tag);
/* NegotiateProtocolVersion: the newest 3.MINOR we speak and the `_pq_.` options that we do not know. */
void build_negotiate(struct buf *out, uint16_t minor, const char *const *unknown, size_t count);

#endif
