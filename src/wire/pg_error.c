/*
 * pg_error.c - errors as PostgreSQL tells them: fields, each a letter and a text, and a NUL behind the last.
 *
 *     E len | S ERROR NUL | V ERROR NUL | C 53300 NUL | M … NUL | D … NUL | H … NUL | NUL
 */
#include "pgweir/wire/pg_error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "frame_impl.h"

#define SQLSTATE_UNKNOWN "XX000"
#define SQLSTATE_SUCCESS "00000"

/* --- writing --- */

/* How many of the LEN bytes at TEXT remain when a UTF-8 character that was cut at the end is dropped. Text in
 * another encoding loses at most three bytes by it. */
static size_t
whole_characters(const char *text, size_t len)
{
    size_t tail = 0;
    uint8_t lead;
    size_t width;

    while (tail < len && tail < 3 && ((uint8_t)text[len - 1 - tail] & 0xc0u) == 0x80u)
        tail++;
    if (tail == len)
        return len;
    lead = (uint8_t)text[len - 1 - tail];
    width = lead >= 0xf0u ? 4 : lead >= 0xe0u ? 3 : lead >= 0xc0u ? 2 : 1;
    return width > tail + 1 ? len - 1 - tail : len;
}

PRINTF_LIKE(3, 0) static void set_text(char *to, size_t size, const char *format, va_list args)
{
    int len = vsnprintf(to, size, format, args);

    if (len < 0)
        to[0] = '\0';
    else if ((size_t)len >= size)
        to[whole_characters(to, size - 1)] = '\0';
}

void
pg_error_set(struct pg_error *e, enum pg_severity severity, const char *sqlstate, const char *format, ...)
{
    va_list args;

    e->severity = severity;
    snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", sqlstate);
    e->detail[0] = '\0';
    e->hint[0] = '\0';
    e->routine = NULL;
    va_start(args, format);
    set_text(e->message, sizeof(e->message), format, args);
    va_end(args);
}

void
pg_error_detail(struct pg_error *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_text(e->detail, sizeof(e->detail), format, args);
    va_end(args);
}

void
pg_error_hint(struct pg_error *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_text(e->hint, sizeof(e->hint), format, args);
    va_end(args);
}

void
pg_error_routine(struct pg_error *e, const char *routine)
{
    e->routine = routine;
}

static void
add_field(struct buf *out, char field, const char *text)
{
    buf_add_u8(out, (uint8_t)field);
    buf_add_textz(out, text);
}

static size_t
begin_report(struct buf *out, char type, const char *severity, const char *sqlstate, const char *message)
{
    size_t frame = frame_begin(out, type);

    add_field(out, 'S', severity);
    add_field(out, 'V', severity);
    add_field(out, 'C', sqlstate);
    add_field(out, 'M', message);
    return frame;
}

void
build_error(struct buf *out, const struct pg_error *e)
{
    size_t frame = begin_report(out, 'E', e->severity == PG_FATAL ? "FATAL" : "ERROR", e->sqlstate,
                                e->message);

    if (e->detail[0] != '\0')
        add_field(out, 'D', e->detail);
    if (e->hint[0] != '\0')
        add_field(out, 'H', e->hint);
    if (e->routine != NULL)
        add_field(out, 'R', e->routine);
    buf_add_u8(out, 0);
    frame_end(out, frame);
}

void
build_notice(struct buf *out, const char *text)
{
    build_notice_detailed(out, text, "");
}

void
build_notice_detailed(struct buf *out, const char *text, const char *detail)
{
    size_t frame = begin_report(out, 'N', "NOTICE", SQLSTATE_SUCCESS, text);

    if (detail[0] != '\0')
        add_field(out, 'D', detail);
    buf_add_u8(out, 0);
    frame_end(out, frame);
}

/* --- reading --- */

struct field {
    char id;
    struct slice text;
    bool is_cut; /* the message ended before its NUL */
};

static bool
take_field(struct slice *in, struct field *out)
{
    const uint8_t *nul;

    if (in->len == 0 || in->at[0] == '\0')
        return false;
    out->id = (char)in->at[0];
    *in = slice_skip(*in, 1);
    nul = in->len > 0 ? memchr(in->at, 0, in->len) : NULL;
    out->is_cut = nul == NULL;
    out->text = slice_of(in->at, nul == NULL ? in->len : (size_t)(nul - in->at));
    *in = slice_skip(*in, out->text.len + (nul == NULL ? 0 : 1));
    return true;
}

static void
copy_text(char *to, size_t size, const struct field *f)
{
    size_t len = f->text.len < size ? f->text.len : size - 1;

    memcpy(to, f->text.at, len);
    if (len < f->text.len || f->is_cut)
        len = whole_characters(to, len);
    to[len] = '\0';
}

static bool
is_sqlstate(struct slice text)
{
    if (text.len != 5)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'A' && text.at[i] <= 'Z'))
            return false;
    return true;
}

static enum pg_severity
severity_of(struct slice text)
{
    return slice_is(text, "FATAL") || slice_is(text, "PANIC") ? PG_FATAL : PG_ERROR;
}

bool
pg_error_read(struct slice message, struct pg_error *out)
{
    struct pg_error e = { .severity = PG_ERROR, .sqlstate = SQLSTATE_UNKNOWN };
    bool has_severity = false;
    bool is_one = false;
    struct slice rest;
    struct field f;
    uint32_t len;

    if (message.len < SCAN_HEADER || (message.at[0] != 'E' && message.at[0] != 'N'))
        return false;
    len = get_be32(message.at + 1);
    if (len < 4)
        return false;
    rest = slice_of(message.at + SCAN_HEADER, message.len - 1 < len ? message.len - SCAN_HEADER : len - 4);
    while (take_field(&rest, &f)) {
        switch (f.id) {
        case 'V':
            e.severity = severity_of(f.text);
            has_severity = true;
            break;
        case 'S':
            if (!has_severity)
                e.severity = severity_of(f.text);
            break;
        case 'C':
            if (is_sqlstate(f.text))
                memcpy(e.sqlstate, f.text.at, f.text.len);
            break;
        case 'M':
            copy_text(e.message, sizeof(e.message), &f);
            break;
        case 'D':
            copy_text(e.detail, sizeof(e.detail), &f);
            break;
        case 'H':
            copy_text(e.hint, sizeof(e.hint), &f);
            break;
        default: /* position, file, line, … */
            break;
        }
        is_one = is_one || strchr("SVCM", f.id) != NULL;
    }
    if (!is_one)
        return false;
    *out = e;
    return true;
}
