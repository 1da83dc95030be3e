/*
 * startup.c - the untyped first packets: told apart by the number where a login has its protocol version.
 *
 *     Int32 length | Int32 196608 (3.0)    | name NUL value NUL … NUL       StartupMessage
 *                  | Int32 1234 << 16 | 56xx | pid secret, or nothing       cancel, SSL, GSS
 *
 *     What can be refused is refused as soon as it can be seen: a first byte that makes the length absurd (an
 *     HTTP request, say) does not wait for more.
 */
#include "pgweir/wire/startup.h"

#include <stdlib.h>

#include "frame_impl.h"
#include "pgweir/base/mem.h"

#define CODE_CANCEL UINT32_C(80877102)
#define CODE_SSL UINT32_C(80877103)
#define CODE_GSSENC UINT32_C(80877104)
#define PROTOCOL_3 (UINT32_C(3) << 16)

#define TLS_HANDSHAKE 0x16u
#define LENGTH_AND_CODE 8u
#define CANCEL_FIXED 12u /* length, code, pid */

static const char bad_length[] = "invalid length of startup packet";

/* Checks the list of a login; PAIRS becomes its part before the last NUL. */
static enum parse
pairs_read(struct slice list, struct slice *out_pairs, const char **why)
{
    struct slice rest = list;
    unsigned count = 0;
    const char *text;

    while (rest.len > 0 && rest.at[0] != '\0') {
        if (!frame_take_text(&rest, &text) || !frame_take_text(&rest, &text))
            break;
        if (++count > STARTUP_MOST_PARAMETERS) {
            *why = "too many parameters in startup packet";
            return PARSE_BAD;
        }
    }
    if (rest.len != 1 || rest.at[0] != '\0') {
        *why = "invalid startup packet layout: expected terminator as last byte";
        return PARSE_BAD;
    }
    *out_pairs = slice_of(list.at, list.len - 1);
    return PARSE_DONE;
}

/* Whether a packet of LEN bytes can have CODE. */
static bool
is_length_of(uint32_t len, uint32_t code)
{
    switch (code) {
    case CODE_SSL:
    case CODE_GSSENC:
        return len == LENGTH_AND_CODE;
    case CODE_CANCEL:
        return len >= CANCEL_FIXED + 4u && len <= CANCEL_FIXED + CANCEL_SECRET_MOST;
    default:
        return true;
    }
}

static enum parse
packet_read(struct slice packet, uint32_t code, struct startup *out, const char **why)
{
    struct startup s = { .bytes = packet.len };

    switch (code) {
    case CODE_SSL:
        s.kind = STARTUP_SSL;
        break;
    case CODE_GSSENC:
        s.kind = STARTUP_GSSENC;
        break;
    case CODE_CANCEL:
        s.kind = STARTUP_CANCEL;
        s.cancel_pid = get_be32(packet.at + LENGTH_AND_CODE);
        s.cancel_secret = slice_skip(packet, CANCEL_FIXED);
        break;
    default:
        s.kind = STARTUP_LOGIN;
        s.minor = (uint16_t)(code & 0xffffu);
        if (pairs_read(slice_skip(packet, LENGTH_AND_CODE), &s.pairs, why) != PARSE_DONE)
            return PARSE_BAD;
        break;
    }
    *out = s;
    return PARSE_DONE;
}

enum parse
startup_read(struct slice in, struct startup *out, const char **why)
{
    uint32_t len;
    uint32_t code;

    if (in.len == 0)
        return PARSE_MORE;
    if (in.at[0] == TLS_HANDSHAKE) {
        *out = (struct startup){ .kind = STARTUP_TLS_HELLO };
        return PARSE_DONE;
    }
    if (in.at[0] != 0) {
        *why = bad_length;
        return PARSE_BAD;
    }
    if (in.len < 4)
        return PARSE_MORE;
    len = get_be32(in.at);
    if (len < LENGTH_AND_CODE || len > 4u + STARTUP_MOST_BYTES) {
        *why = bad_length;
        return PARSE_BAD;
    }
    if (in.len < LENGTH_AND_CODE)
        return PARSE_MORE;
    code = get_be32(in.at + 4);
    if (!is_length_of(len, code)) {
        *why = bad_length;
        return PARSE_BAD;
    }
    if (code >> 16 != PROTOCOL_3 >> 16 && code != CODE_SSL && code != CODE_GSSENC && code != CODE_CANCEL) {
        *why = "unsupported frontend protocol: only version 3 is spoken here";
        return PARSE_BAD;
    }
    if (in.len < len)
        return PARSE_MORE;
    return packet_read(slice_of(in.at, len), code, out, why);
}

bool
startup_next(struct slice *pairs, struct startup_pair *out)
{
    struct slice rest = *pairs;
    struct startup_pair pair;

    if (rest.len == 0 || !frame_take_text(&rest, &pair.name) || !frame_take_text(&rest, &pair.value))
        return false;
    *pairs = rest;
    *out = pair;
    return true;
}

/* --- the `options` parameter --- */

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next word off *OPTIONS into TO, unescaped and NUL-terminated; false when only blanks are left.
 * source src/backend/utils/init/postinit.c pg_split_opts(). */
static bool
word_take(const char **options, char *to)
{
    const char *p = *options;
    bool is_escaped = false;

    while (is_blank(*p))
        p++;
    if (*p == '\0')
        return false;
    for (; *p != '\0' && (is_escaped || !is_blank(*p)); p++) {
        if (!is_escaped && *p == '\\') {
            is_escaped = true;
        } else {
            is_escaped = false;
            *to++ = *p;
        }
    }
    *to = '\0';
    *options = p;
    return true;
}

/* Splits "name=value" in place; false when there is no name or no value.
 * source src/backend/utils/misc/guc.c ParseLongOption(). */
static bool
setting_split(char *text, char **out_value)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || equals == text)
        return false;
    *equals = '\0';
    for (char *p = text; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    *out_value = equals + 1;
    return true;
}

enum parse
startup_options_read(const char *options, void (*on_setting)(void *arg, const char *name, const char *value),
                     void *arg, const char **why)
{
    char *word = mem_new(strlen(options) + 1);
    enum parse result = PARSE_BAD;
    char *setting;
    char *value;

    while (word_take(&options, word)) {
        setting = word + 2;
        if (strcmp(word, "-c") == 0) {
            setting = word;
            if (!word_take(&options, word)) {
                *why = "invalid command-line argument for server process: -c requires a setting";
                goto out;
            }
        } else if (strcmp(word, "--") == 0 || (strncmp(word, "-c", 2) != 0 && strncmp(word, "--", 2) != 0)) {
            *why = "invalid command-line argument for server process: only -c name=value and "
                   "--name=value are known";
            goto out;
        }
        if (!setting_split(setting, &value)) {
            *why = "invalid command-line argument for server process: a setting requires a value";
            goto out;
        }
        on_setting(arg, setting, value);
    }
    result = PARSE_DONE;
out:
    free(word);
    return result;
}

/* --- builders --- */

void
build_startup(struct buf *out, uint16_t minor, const struct startup_pair *pairs, size_t count)
{
    size_t frame = frame_begin_untyped(out);

    buf_add_be32(out, PROTOCOL_3 | minor);
    for (size_t i = 0; i < count; i++) {
        buf_add_textz(out, pairs[i].name);
        buf_add_textz(out, pairs[i].value);
    }
    buf_add_u8(out, 0);
    frame_end(out, frame);
}

void
build_ssl_request(struct buf *out)
{
    buf_add_be32(out, LENGTH_AND_CODE);
    buf_add_be32(out, CODE_SSL);
}

void
build_cancel_request(struct buf *out, uint32_t pid, struct slice secret)
{
    buf_add_be32(out, CANCEL_FIXED + (uint32_t)secret.len);
    buf_add_be32(out, CODE_CANCEL);
    buf_add_be32(out, pid);
    buf_add(out, secret);
}
