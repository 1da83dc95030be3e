/*
 * err.c - filling in a struct error. The arguments may point into the very text that is replaced, as in
 * error_set(why, code, "dial %s: %s", name, why->text), so the new text is built aside first.
 */
#include "pgweir/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "…"

/* Ends TEXT of SIZE bytes, which snprintf had to cut, with CUT_MARK and on a whole UTF-8 character. */
static void
mark_cut(char *text, size_t size)
{
    size_t at = size - sizeof(CUT_MARK);

    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, CUT_MARK, sizeof(CUT_MARK));
}

static void error_fill(struct error *why, enum err code, const char *tail, const char *format, va_list args)
    PRINTF_LIKE(4, 0);

static void
error_fill(struct error *why, enum err code, const char *tail, const char *format, va_list args)
{
    char text[sizeof(why->text)];
    size_t used = 0;
    int wrote = vsnprintf(text, sizeof(text), format, args);

    if (wrote > 0)
        used = (size_t)wrote;
    if (used < sizeof(text)) {
        wrote = snprintf(text + used, sizeof(text) - used, "%s", tail);
        if (wrote > 0)
            used += (size_t)wrote;
    }
    if (used >= sizeof(text))
        mark_cut(text, sizeof(text));
    why->code = code;
    memcpy(why->text, text, sizeof(text));
}

enum err
error_set(struct error *why, enum err code, const char *format, ...)
{
    va_list args;

    if (why == NULL)
        return code;
    va_start(args, format);
    error_fill(why, code, "", format, args);
    va_end(args);
    return code;
}

enum err
error_set_errno(struct error *why, int errnum, const char *format, ...)
{
    char store[128];
    char tail[160];
    va_list args;

    if (why == NULL)
        return ERR_IO;
    snprintf(tail, sizeof(tail), ": %s", strerror_r(errnum, store, sizeof(store)));
    va_start(args, format);
    error_fill(why, ERR_IO, tail, format, args);
    va_end(args);
    return ERR_IO;
}
