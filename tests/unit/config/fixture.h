/* fixture.h - a directory of files that is the working directory while the fixture lives, and a load in it.
 * */
#ifndef PGWEIR_TESTS_CONFIG_FIXTURE_H
#define PGWEIR_TESTS_CONFIG_FIXTURE_H

#include <stdbool.h>

#include "pgweir/base/buf.h"
#include "pgweir/config/settings.h"

#define MAIN_INI "main.ini"

struct fixture {
    char dir[64];
    int cwd; /* where we were */
    enum err result;
    struct settings *settings; /* NULL when the load failed */
    struct buf problems;       /* NUL-terminated after a load */
    struct buf warnings;       /* likewise */
    struct error why;
};

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);
void fixture_write(const char *name, const char *text);
void fixture_write_bytes(const char *name, const void *bytes, size_t len);
/* Drops what was loaded before and loads TEXT as MAIN_INI. */
void fixture_load(struct fixture *f, const char *text);
/* The same for a file that is there already. */
void fixture_load_file(struct fixture *f, const char *name);

const char *buf_text(struct buf *b); /* NUL-terminates what is in B */
bool has_problem(struct fixture *f, const char *part);
bool has_warning(struct fixture *f, const char *part);
unsigned line_count(struct buf *b);

#endif
