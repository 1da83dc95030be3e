/* libpq_text_impl.h - what libpq says, for us: its messages come in several lines, with the SQLSTATE in the
 * middle. */
#ifndef PGWEIR_CONTROL_LIBPQ_TEXT_IMPL_H
#define PGWEIR_CONTROL_LIBPQ_TEXT_IMPL_H

#include <stddef.h>

#include "pgweir/base/err.h"

/* The SQLSTATE in a message of PQERRORS_VERBOSE, "FATAL:  28P01: password …", or "". */
void libpq_sqlstate(const char *message, char out[6]);
/* MESSAGE in one line, without the source location that PQERRORS_VERBOSE brings. */
void libpq_flatten(const char *message, char *out, size_t size);
/* ERR_AUTH, ERR_LIMIT (too many connections), or ERR_IO. */
enum err libpq_err(const char *sqlstate);

#endif
