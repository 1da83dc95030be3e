/*
 * err.h - how a call says that it failed.
 *
 * What can fail returns enum err, is marked MUST_CHECK, leaves its out parameters untouched on
 * failure and tells the story in a struct error, one sentence without a full stop, fit for a log line.
 */
#ifndef PGWEIR_BASE_ERR_H
#define PGWEIR_BASE_ERR_H

#include "pgweir/base/attr.h"

enum err {
    ERR_NONE,
    ERR_LIMIT,     /* a configured bound was reached */
    ERR_SYNTAX,    /* text or bytes that do not follow their grammar */
    ERR_NOT_FOUND, /* a file, a name, a host */
    ERR_IO,        /* the kernel said no; the text has strerror() */
    ERR_CLOSED,    /* the peer is gone */
    ERR_TIMEOUT,
    ERR_PROTOCOL, /* the peer broke the PostgreSQL protocol */
    ERR_TLS,      /* the text has OpenSSL's reason */
    ERR_AUTH,     /* credentials missing, wrong or not usable for this exchange */
    ERR_CONFIG,   /* what the operator wrote cannot be obeyed */
};

struct error {
    enum err code;
    char text[508];
};

/* Writes CODE and the formatted text into WHY (NULL is fine) and returns CODE, so that
 * `return error_set(why, …)` is one line. */
enum err error_set(struct error *why, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same for a failed system call: appends ": " and strerror(ERRNO). */
enum err error_set_errno(struct error *why, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
