/* command_line_impl.h - what was asked for on the command line; the flags are PgBouncer's. */
#ifndef PGWEIR_PROCESS_COMMAND_LINE_IMPL_H
#define PGWEIR_PROCESS_COMMAND_LINE_IMPL_H

#include <stdbool.h>
#include <stdio.h>

#include "pgweir/base/err.h"

enum command {
    COMMAND_RUN,   /* `file` is set */
    COMMAND_CHECK, /* likewise, and `instances` */
    COMMAND_HELP,
    COMMAND_HELP_CONFIG,
    COMMAND_VERSION,
};

struct command_line {
    enum command command;
    bool is_daemon;
    bool is_quiet;
    unsigned verbose;   /* how often -v */
    const char *user;   /* borrowed from argv; NULL: as configured */
    const char *file;   /* borrowed from argv */
    unsigned instances; /* --instances, at least 1 */
};

/* ERR_SYNTAX with what is wrong. May reorder ARGV, as getopt_long() does. */
MUST_CHECK enum err command_line_read(int argc, char **argv, struct command_line *out, struct error *why);
void command_line_help(FILE *to);

#endif
