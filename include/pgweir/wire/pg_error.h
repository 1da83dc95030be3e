/*
 * pg_error.h - an error as PostgreSQL tells it, and the SQLSTATEs that pgweir uses.
 *
 * source PostgreSQL docs, protocol-error-fields; errcodes-appendix.
 */
#ifndef PGWEIR_WIRE_PG_ERROR_H
#define PGWEIR_WIRE_PG_ERROR_H

#include <stdbool.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/slice.h"

#define SQLSTATE_CONNECTION_FAILURE "08006"
#define SQLSTATE_CANNOT_CONNECT "08001"
#define SQLSTATE_PROTOCOL_VIOLATION "08P01"
#define SQLSTATE_FEATURE_NOT_SUPPORTED "0A000"
#define SQLSTATE_INVALID_AUTHORIZATION "28000"
#define SQLSTATE_INVALID_PASSWORD "28P01"
#define SQLSTATE_INVALID_DATABASE "3D000"
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300"
#define SQLSTATE_LIMIT_EXCEEDED "53400"
#define SQLSTATE_INVALID_PARAMETER "22023"
#define SQLSTATE_NOT_IN_STATE "55000"
#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_ADMIN_SHUTDOWN "57P01"
#define SQLSTATE_CANNOT_CONNECT_NOW "57P03"
#define SQLSTATE_IDLE_SESSION_TIMEOUT "57P05"
#define SQLSTATE_IDLE_TRANSACTION_TIMEOUT "25P03"
#define SQLSTATE_TRANSACTION_TIMEOUT "25P04"
#define SQLSTATE_ACTIVE_TRANSACTION "25001"

enum pg_severity { PG_ERROR, PG_FATAL };

/* An error of our own making. Fixed size so that one can be kept, sent to many and passed between threads. */
struct pg_error {
    enum pg_severity severity;
    char sqlstate[6];
    char message[256];
    char detail[384];    /* "": none */
    char hint[256];      /* "": none */
    const char *routine; /* a literal; NULL: none */
};

void pg_error_set(struct pg_error *e, enum pg_severity severity, const char *sqlstate, const char *format,
                  ...) PRINTF_LIKE(4, 5);
void pg_error_detail(struct pg_error *e, const char *format, ...) PRINTF_LIKE(2, 3);
void pg_error_hint(struct pg_error *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* The function of the server that would have reported it: drivers know some errors by that, whatever language they are
 * told in. ROUTINE is a literal. */
void pg_error_routine(struct pg_error *e, const char *routine);

/* Appends an ErrorResponse with S, V, C, M and, where set, D, H and R. */
void build_error(struct buf *out, const struct pg_error *e);
/* Appends a NoticeResponse of severity NOTICE, SQLSTATE 00000. */
void build_notice(struct buf *out, const char *text);
void build_notice_detailed(struct buf *out, const char *text, const char *detail); /* "": none */

/* Reads an ErrorResponse or NoticeResponse (whole message from the type byte on, possibly cut short) into
 * OUT: unknown fields are skipped, long texts cut at a character's border, a missing C becomes XX000. False
 * when it is not even roughly one. The non-localised severity V decides; S serves servers older than 9.6.
 * PANIC counts as PG_FATAL. */
bool pg_error_read(struct slice message, struct pg_error *out);

#endif
