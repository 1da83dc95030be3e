/* problems_impl.h - what is wrong with a configuration, line by line: "file:line: what is wrong". */
#ifndef PGWEIR_CONFIG_PROBLEMS_IMPL_H
#define PGWEIR_CONFIG_PROBLEMS_IMPL_H

#include <stdbool.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/err.h"

#define PROBLEMS_MOST 100 /* told one by one; a file of garbage must not fill the log */

/* Where something stands. LINE 0: the file as a whole. FILE is borrowed. */
struct place {
    const char *file;
    unsigned line;
};

/* Problems, or warnings. */
struct problems {
    struct buf *text; /* borrowed; NULL: only counted */
    unsigned count;
    struct error first; /* valid when count > 0 */
};

void problems_init(struct problems *p, struct buf *text);
void problem_add(struct problems *p, struct place place, const char *format, ...) PRINTF_LIKE(3, 4);
/* Whether another problem will still be told one by one, and is worth some thought. */
bool problems_are_told(const struct problems *p);
/* Says how many were left out, if any; call it once, at the end. */
void problems_finish(struct problems *p);

#endif
