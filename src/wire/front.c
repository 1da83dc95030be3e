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
