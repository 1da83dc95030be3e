/*
 * log.h - one event, one line. Each line is written with one write(2) and so never torn, from any thread:
 *     2026-03-01 12:00:00.123 UTC [4711] LOG C-0x…: app/app_user@127.0.0.1:40000 login refused: …
 * Callers on the right of base/ wrap this in macros that take the object (client_log(), server_log()).
 */
#ifndef PGWEIR_BASE_LOG_H
#define PGWEIR_BASE_LOG_H

#include <stdbool.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/err.h"

enum log_level {                    /* PgBouncer's words in the line */
                 LOG_FATAL_LEVEL,   /* FATAL: the process ends */
                 LOG_ERROR_LEVEL,   /* ERROR: needs somebody */
                 LOG_WARNING_LEVEL, /* WARNING: will need somebody */
                 LOG_NOTICE_LEVEL,  /* LOG: what an operator wants to see */
                 LOG_INFO_LEVEL,    /* LOG, with -v */
                 LOG_DEBUG_LEVEL,   /* DEBUG, with -v -v */
};

/* Lines go to stderr unless QUIET, and are appended to FILE (NULL or "": none). Call again after a reload or
 * to reopen the file: the old descriptor is closed when the new one is open. Thread-safe. */
MUST_CHECK enum err log_open(const char *file, bool quiet, enum log_level most, struct error *why);
void log_close(void);

/* The facilities of syslog(3) that an ordinary process may use. */
enum log_facility {
    FACILITY_AUTH,
    FACILITY_AUTHPRIV,
    FACILITY_DAEMON,
    FACILITY_USER,
    FACILITY_LOCAL0, /* to LOCAL7, in order */
    FACILITY_LOCAL7 = FACILITY_LOCAL0 + 7
};
/* Lines go to syslog too, under IDENT (copied, at most 63 bytes); NULL: not, or no longer. Thread-safe. */
void log_to_syslog(const char *ident, enum log_facility facility);

bool log_wants(enum log_level level); /* one relaxed load */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
