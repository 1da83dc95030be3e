/*
 * front.c - what frontends say. Readers are strict about the end of a message, as PostgreSQL's pq_getmsgend()
 * is: a byte too many is as bad as one too few.
 */
#include "pgweir/wire/front.h"

#include "frame_impl.h"

enum parse
front_password_read(struct slice message, struct slice *out_password)
{
    struct slice body;
    const char *text;
    enum parse p = frame_body(message, 'p', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &text) || body.len != 0)
        return PARSE_BAD;
    *out_password = slice_of_text(text);
    return PARSE_DONE;
}

enum parse
front_sasl_initial_read(struct slice message, struct sasl_initial *out)
{
    struct slice body;
    const char *mechanism;
    uint32_t len;
    enum parse p = frame_body(message, 'p', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &mechanism) || body.len < 4)
        return PARSE_BAD;
    len = get_be32(body.at);
    body = slice_skip(body, 4);
    if (body.len != (len == UINT32_MAX ? 0 : len))
        return PARSE_BAD;
    out->mechanism = slice_of_text(mechanism);
    out->response = body;
    out->has_response = len != UINT32_MAX;
    return PARSE_DONE;
}

enum parse
front_sasl_response_read(struct slice message, struct slice *out)
{
    return frame_body(message, 'p', out);
}

enum parse
front_query_read(struct slice message, const char **out)
{
    struct slice body;
    const char *text;
    enum parse p = frame_body(message, 'Q', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &text) || body.len != 0)
        return PARSE_BAD;
    *out = text;
    return PARSE_DONE;
}

static bool
take_u16(struct slice *in, uint16_t *out)
{
    if (in->len < 2)
        return false;
    *out = get_be16(in->at);
    *in = slice_skip(*in, 2);
    return true;
}

static bool
take_bytes(struct slice *in, size_t len, struct slice *out)
{
    if (in->len < len)
        return false;
    *out = slice_of(in->at, len);
    *in = slice_skip(*in, len);
    return true;
}

enum parse
front_parse_read(struct slice message, struct front_parse *out)
{
    struct front_parse read;
    struct slice body, types;
    enum parse p = frame_body(message, 'P', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &read.name) || !frame_take_text(&body, &read.text) ||
        !take_u16(&body, &read.type_count) || !take_bytes(&body, (size_t)4 * read.type_count, &types) ||
        body.len != 0)
        return PARSE_BAD;
    *out = read;
    return PARSE_DONE;
}

/* Over one parameter value: an Int32 length, -1 for NULL, and as many bytes. */
static bool
skip_value(struct slice *in)
{
    struct slice head, value;

    if (!take_bytes(in, 4, &head))
        return false;
    return get_be32(head.at) == UINT32_MAX || take_bytes(in, get_be32(head.at), &value);
}

enum parse
front_bind_read(struct slice message, struct front_bind *out)
{
    struct front_bind read;
    struct slice body, formats;
    uint16_t count;
    enum parse p = frame_body(message, 'B', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &read.portal) || !frame_take_text(&body, &read.statement) ||
        !take_u16(&body, &count) || !take_bytes(&body, (size_t)2 * count, &formats) ||
        !take_u16(&body, &read.value_count))
        return PARSE_BAD;
    for (unsigned i = 0; i < read.value_count; i++)
        if (!skip_value(&body))
            return PARSE_BAD;
    if (!take_u16(&body, &read.format_count) ||
        !take_bytes(&body, (size_t)2 * read.format_count, &read.formats) || body.len != 0)
        return PARSE_BAD;
    *out = read;
    return PARSE_DONE;
}

static enum parse
target_read(struct slice message, char type, struct front_target *out)
{
    struct front_target read;
    struct slice body;
    enum parse p = frame_body(message, type, &body);

    if (p != PARSE_DONE)
        return p;
    if (body.len < 1 || (body.at[0] != 'S' && body.at[0] != 'P'))
        return PARSE_BAD;
    read.kind = (char)body.at[0];
    body = slice_skip(body, 1);
    if (!frame_take_text(&body, &read.name) || body.len != 0)
        return PARSE_BAD;
    *out = read;
    return PARSE_DONE;
}

enum parse
front_describe_read(struct slice message, struct front_target *out)
{
    return target_read(message, 'D', out);
}

enum parse
front_close_read(struct slice message, struct front_target *out)
{
    return target_read(message, 'C', out);
}

enum parse
front_execute_read(struct slice message, struct front_execute *out)
{
    struct slice body;
    const char *portal;
    enum parse p = frame_body(message, 'E', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &portal) || body.len != 4)
        return PARSE_BAD;
    *out = (struct front_execute){ portal, get_be32(body.at) };
    return PARSE_DONE;
}

static void
build_text(struct buf *out, char type, const char *text)
{
    size_t frame = frame_begin(out, type);

    buf_add_textz(out, text);
    frame_end(out, frame);
}

static void
build_bare(struct buf *out, char type)
{
    frame_end(out, frame_begin(out, type));
}

void
build_query(struct buf *out, const char *sql)
{
    build_text(out, 'Q', sql);
}

void
build_sync(struct buf *out)
{
    build_bare(out, 'S');
}

void
build_terminate(struct buf *out)
{
    build_bare(out, 'X');
}

void
build_copy_fail(struct buf *out, const char *reason)
{
    build_text(out, 'f', reason);
}

void
build_password(struct buf *out, const char *secret)
{
    build_text(out, 'p', secret);
}

void
build_sasl_initial(struct buf *out, const char *mechanism, struct slice response)
{
    size_t frame = frame_begin(out, 'p');

    buf_add_textz(out, mechanism);
    buf_add_be32(out, (uint32_t)response.len);
    buf_add(out, response);
    frame_end(out, frame);
}

void
build_sasl_response(struct buf *out, struct slice response)
{
    size_t frame = frame_begin(out, 'p');

    buf_add(out, response);
    frame_end(out, frame);
}
