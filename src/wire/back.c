/*
 * back.c - what backends say: read where pgweir is the client, built where it is the server.
 */
#include "pgweir/wire/back.h"

#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/map.h"
#include "frame_impl.h"

#define PROTOCOL_3 (UINT32_C(3) << 16)

/* --- readers --- */

/* Whether LIST is names, each with its NUL, and one NUL behind the last. */
static bool
is_mechanism_list(struct slice list)
{
    const char *name;

    while (frame_take_text(&list, &name))
        if (name[0] == '\0')
            return list.len == 0;
    return false;
}

enum parse
back_auth_read(struct slice message, struct auth_request *out)
{
    struct auth_request a = { 0 };
    struct slice body;
    enum parse p = frame_body(message, 'R', &body);

    if (p != PARSE_DONE)
        return p;
    if (body.len < 4)
        return PARSE_BAD;
    a.kind = get_be32(body.at);
    a.data = slice_skip(body, 4);
    switch (a.kind) {
    case AUTH_OK:
    case AUTH_CLEARTEXT:
        if (a.data.len != 0)
            return PARSE_BAD;
        break;
    case AUTH_MD5:
        if (a.data.len != sizeof(a.md5_salt))
            return PARSE_BAD;
        memcpy(a.md5_salt, a.data.at, sizeof(a.md5_salt));
        break;
    case AUTH_SASL:
        if (!is_mechanism_list(a.data))
            return PARSE_BAD;
        break;
    default: /* SASL data is opaque here, and the caller refuses what it cannot do */
        break;
    }
    *out = a;
    return PARSE_DONE;
}

bool
auth_offers(const struct auth_request *request, const char *mechanism)
{
    struct slice list = request->data;
    const char *name;

    if (request->kind != AUTH_SASL)
        return false;
    while (frame_take_text(&list, &name) && name[0] != '\0')
        if (strcmp(name, mechanism) == 0)
            return true;
    return false;
}

enum parse
back_key_read(struct slice message, struct backend_key *out)
{
    struct slice body;
    enum parse p = frame_body(message, 'K', &body);

    if (p != PARSE_DONE)
        return p;
    if (body.len < 4 + 4 || body.len > 4 + CANCEL_SECRET_MOST)
        return PARSE_BAD;
    out->pid = get_be32(body.at);
    out->secret = slice_skip(body, 4);
    return PARSE_DONE;
}

enum parse
back_parameter_read(struct slice message, struct startup_pair *out)
{
    struct startup_pair pair;
    struct slice body;
    enum parse p = frame_body(message, 'S', &body);

    if (p != PARSE_DONE)
        return p;
    if (!frame_take_text(&body, &pair.name) || !frame_take_text(&body, &pair.value) || body.len != 0)
        return PARSE_BAD;
    *out = pair;
    return PARSE_DONE;
}

enum parse
back_ready_read(struct slice message, char *out_status)
{
    struct slice body;
    enum parse p = frame_body(message, 'Z', &body);

    if (p != PARSE_DONE)
        return p;
    if (body.len != 1 || (body.at[0] != 'I' && body.at[0] != 'T' && body.at[0] != 'E'))
        return PARSE_BAD;
    *out_status = (char)body.at[0];
    return PARSE_DONE;
}

/* --- shapes and tags --- */

#define COLUMN_ORIGIN 6u /* table OID, attribute number */
#define COLUMN_TYPE 10u  /* type OID, length, modifier */
#define COLUMN_BYTES 18u /* both, and the format */

static uint64_t
row_shape(struct slice body)
{
    uint64_t hash = 'T';
    unsigned columns;
    const char *name;

    if (body.len < 2)
        return SHAPE_ODD;
    columns = get_be16(body.at);
    body = slice_skip(body, 2);
    for (unsigned i = 0; i < columns; i++) {
        struct slice start = body;

        if (!frame_take_text(&body, &name) || body.len < COLUMN_BYTES)
            return SHAPE_ODD;
        hash = map_hash_after(hash, slice_of(start.at, start.len - body.len));
        hash = map_hash_after(hash, slice_of(body.at + COLUMN_ORIGIN, COLUMN_TYPE));
        body = slice_skip(body, COLUMN_BYTES);
    }
    return body.len == 0 ? hash : SHAPE_ODD;
}

uint64_t
back_shape(struct slice message, bool is_whole)
{
    uint64_t hash;

    if (!is_whole || message.len < 5)
        return SHAPE_ODD;
    hash = message.at[0] == 'T' ? row_shape(slice_skip(message, 5))
                                : map_hash_after(message.at[0], slice_skip(message, 5));
    return hash == SHAPE_NONE ? 1 : hash;
}

static bool
begins_with(struct slice text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && memcmp(text.at, word, len) == 0;
}

bool
tag_changes_schema(struct slice tag)
{
    static const char *const changes[] = { "CREATE ", "ALTER ", "DROP ", "IMPORT FOREIGN SCHEMA" };
    static const char *const harmless[] = {
        "DATABASE",      "DEFAULT PRIVILEGES",
        "EVENT TRIGGER", "INDEX",
        "LARGE OBJECT",  "POLICY",
        "PUBLICATION",   "ROLE",
        "SEQUENCE",      "STATISTICS",
        "SUBSCRIPTION",  "SYSTEM",
        "TABLESPACE",    "TRIGGER",
        "USER MAPPING",
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        if (!begins_with(tag, changes[i]))
            continue;
        tag = slice_skip(tag, strlen(changes[i]));
        for (size_t j = 0; j < COUNT_OF(harmless); j++)
            if (begins_with(tag, harmless[j]))
                return false;
        return true;
    }
    return false;
}

/* --- builders --- */

void
build_auth(struct buf *out, enum auth_kind kind)
{
    build_auth_sasl_data(out, kind, slice_of(NULL, 0));
}

void
build_auth_md5(struct buf *out, const uint8_t salt[4])
{
    build_auth_sasl_data(out, AUTH_MD5, slice_of(salt, 4));
}

void
build_auth_sasl(struct buf *out, const char *const *mechanisms)
{
    size_t frame = frame_begin(out, 'R');

    buf_add_be32(out, AUTH_SASL);
    for (; *mechanisms != NULL; mechanisms++)
        buf_add_textz(out, *mechanisms);
    buf_add_u8(out, 0);
    frame_end(out, frame);
}

void
build_auth_sasl_data(struct buf *out, enum auth_kind kind, struct slice data)
{
    size_t frame = frame_begin(out, 'R');

    buf_add_be32(out, kind);
    if (data.len > 0)
        buf_add(out, data);
    frame_end(out, frame);
}

void
build_parameter(struct buf *out, const char *name, const char *value)
{
    size_t frame = frame_begin(out, 'S');

    buf_add_textz(out, name);
    buf_add_textz(out, value);
    frame_end(out, frame);
}

void
build_key(struct buf *out, uint32_t pid, struct slice secret)
{
    size_t frame = frame_begin(out, 'K');

    buf_add_be32(out, pid);
    buf_add(out, secret);
    frame_end(out, frame);
}

void
build_ready(struct buf *out, char status)
{
    size_t frame = frame_begin(out, 'Z');

    buf_add_u8(out, (uint8_t)status);
    frame_end(out, frame);
}

/* The docs call the number a minor version; PostgreSQL sends and libpq expects the whole one, major included
 * (src/backend/tcop/backend_startup.c SendNegotiateProtocolVersion, libpq fe-protocol3.c). */
void
build_negotiate(struct buf *out, uint16_t minor, const char *const *unknown, size_t count)
{
    size_t frame = frame_begin(out, 'v');

    buf_add_be32(out, PROTOCOL_3 | minor);
    buf_add_be32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        buf_add_textz(out, unknown[i]);
    frame_end(out, frame);
}

void
build_bare(struct buf *out, char type)
{
    frame_end(out, frame_begin(out, type));
}

size_t
build_begin(struct buf *out, char type, uint16_t count)
{
    size_t frame = frame_begin(out, type);

    buf_add_be16(out, count);
    return frame;
}

void
build_column(struct buf *out, const struct back_column *column)
{
    buf_add_textz(out, column->name);
    buf_add_be32(out, 0); /* of no table */
    buf_add_be16(out, 0);
    buf_add_be32(out, column->type);
    buf_add_be16(out, (uint16_t)column->size);
    buf_add_be32(out, UINT32_MAX); /* no modifier */
    buf_add_be16(out, column->format);
}

void
build_end(struct buf *out, size_t begun)
{
    frame_end(out, begun);
}

void
build_complete(struct buf *out, const char *tag)
{
    size_t frame = frame_begin(out, 'C');

    buf_add_textz(out, tag);
    frame_end(out, frame);
}
