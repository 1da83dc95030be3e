/* problems.c - collecting complaints, so that an operator sees all of them at once. */
#include "problems_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
problems_init(struct problems *p, struct buf *text)
{
    *p = (struct problems){ .text = text };
}

void
problem_add(struct problems *p, struct place place, const char *format, ...)
{
    char at[300], what[900];
    va_list args;

    if (place.line > 0)
        snprintf(at, sizeof(at), "%.250s:%u", place.file, place.line);
    else
        snprintf(at, sizeof(at), "%.250s", place.file);
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);

    if (p->count++ == 0)
        error_set(&p->first, ERR_CONFIG, "%s: %s", at, what);
    if (p->text != NULL && p->count <= PROBLEMS_MOST)
        buf_add_format(p->text, "%s: %s\n", at, what);
}

bool
problems_are_told(const struct problems *p)
{
    return p->text != NULL && p->count < PROBLEMS_MOST;
}

void
problems_finish(struct problems *p)
{
    if (p->text != NULL && p->count > PROBLEMS_MOST)
        buf_add_format(p->text, "... and %u more\n", p->count - PROBLEMS_MOST);
}
