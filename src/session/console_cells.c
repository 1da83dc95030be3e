/* console_cells.c - the rows of the console: cells in text, and the messages that carry them, in text or binary. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console_parts_impl.h"
#include "pgweir/base/text.h"
#include "pgweir/wire/back.h"

void
console_add_slice(struct buf *rows, struct slice text)
{
    buf_add_be32(rows, (uint32_t)text.len);
    if (text.len > 0)
        buf_add(rows, text);
}

void
console_add_text(struct buf *rows, const char *text)
{
    if (text == NULL)
        buf_add_be32(rows, UINT32_MAX);
    else
        console_add_slice(rows, slice_of_text(text));
}

void
console_add_int(struct buf *rows, int64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    console_add_text(rows, text);
}

void
console_add_uint(struct buf *rows, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    console_add_text(rows, text);
}

/* NUMBER as PostgreSQL sends a numeric: digits to the base of 10,000, the highest first, none at the end that
 * is 0. */
static void
add_binary_numeric(struct buf *out, uint64_t number)
{
    uint16_t digits[8];
    unsigned count = 0, weight, zeros = 0;

    for (; number > 0; number /= 10000)
        digits[count++] = (uint16_t)(number % 10000);
    while (zeros < count && digits[zeros] == 0)
        zeros++;
    weight = count > 0 ? count - 1 : 0;
    buf_add_be32(out, 8 + 2 * (count - zeros));
    buf_add_be16(out, (uint16_t)(count - zeros));
    buf_add_be16(out, (uint16_t)weight);
    buf_add_be16(out, 0); /* positive */
    buf_add_be16(out, 0); /* no digits behind the point */
    while (count > zeros)
        buf_add_be16(out, digits[--count]);
}

static void
add_binary(struct buf *out, enum console_type type, struct slice cell)
{
    char text[24] = "";
    int64_t number;

    if (type == CONSOLE_TEXT || type == CONSOLE_BYTEA) {
        buf_add_be32(out, (uint32_t)cell.len);
        if (cell.len > 0)
            buf_add(out, cell);
        return;
    }
    memcpy(text, cell.at, cell.len < sizeof text - 1 ? cell.len : sizeof text - 1);
    if (type == CONSOLE_NUMERIC) {
        add_binary_numeric(out, strtoull(text, NULL, 10));
        return;
    }
    number = strtoll(text, NULL, 10);
    buf_add_be32(out, type == CONSOLE_INT8 ? 8 : 4);
    if (type == CONSOLE_INT8)
        buf_add_be32(out, (uint32_t)((uint64_t)number >> 32));
    buf_add_be32(out, (uint32_t)number);
}

/* --- what the client hears --- */

void
console_hear(struct client *c, struct buf *out)
{
    client_send(c, buf_slice(out));
    buf_release(out);
}

void
console_hear_bare(struct client *c, char type)
{
    struct buf out;

    buf_init(&out);
    build_bare(&out, type);
    console_hear(c, &out);
}

void
console_hear_ready(struct client *c)
{
    struct buf out;

    buf_init(&out);
    build_ready(&out, 'I');
    console_hear(c, &out);
}

void
console_hear_shape(struct client *c, const struct console_shape *shape, const uint16_t *formats)
{
    static const struct {
        uint32_t oid;
        int16_t size;
    } types[] = {
        [CONSOLE_TEXT] = { 25, -1 },      [CONSOLE_INT4] = { 23, 4 },   [CONSOLE_INT8] = { 20, 8 },
        [CONSOLE_NUMERIC] = { 1700, -1 }, [CONSOLE_BYTEA] = { 17, -1 }, /* always null so far */
    };
    struct buf out;
    size_t frame;

    if (shape->count == 0) {
        console_hear_bare(c, 'n');
        return;
    }
    buf_init(&out);
    frame = build_begin(&out, 'T', (uint16_t)shape->count);
    for (size_t i = 0; i < shape->count; i++) {
        const struct console_column *column = &shape->columns[i];

        build_column(&out, &(struct back_column){ .name = column->name,
                                                  .type = types[column->type].oid,
                                                  .size = types[column->type].size,
                                                  .format = formats == NULL ? 0 : formats[i] });
    }
    build_end(&out, frame);
    console_hear(c, &out);
}

/* Appends the row at the front of *CELLS and moves on. */
void
console_add_row(struct buf *out, const struct portal *p, struct slice *cells)
{
    size_t count = p->result->shape.count;
    size_t frame = build_begin(out, 'D', (uint16_t)count);

    for (size_t i = 0; i < count; i++) {
        uint32_t len = get_be32(cells->at);
        struct slice cell;

        *cells = slice_skip(*cells, 4);
        if (len == UINT32_MAX) {
            buf_add_be32(out, len);
            continue;
        }
        cell = slice_of(cells->at, len);
        *cells = slice_skip(*cells, len);
        if (p->formats[i] == 1)
            add_binary(out, p->result->shape.columns[i].type, cell);
        else
            console_add_slice(out, cell);
    }
    build_end(out, frame);
}
