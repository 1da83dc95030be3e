/* message.c - one table for both directions; a letter of `fields` for each field. */
#include "message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/startup.h"

/*
 *     w  a word and NUL        t  the rest and NUL        r  the rest without NUL
 *     b  a character           4  a number, Int32         0  two zero bytes
 *     v  all further words as a counted list of values    l  the rest as one value
 *     k  all further words as columns of type text
 *     c  the body of CopyInResponse and CopyOutResponse: text, no columns
 *     e  severity, code and message as error fields
 *     s  the fields of "cached plan must not change result type"
 */
static const struct {
    const char *name;
    char type;
    const char *fields;
} messages[] = {
    /* frontend */
    { "Query", 'Q', "t" },
    { "Parse", 'P', "wt0" },
    { "Bind", 'B', "ww0v0" },
    { "Describe", 'D', "bw" },
    { "Execute", 'E', "w4" },
    { "Close", 'C', "bw" },
    { "Function", 'F', "40v0" },
    { "Sync", 'S', "" },
    { "Flush", 'H', "" },
    { "CopyFail", 'f', "t" },
    { "Password", 'p', "t" },
    { "Terminate", 'X', "" },
    /* both */
    { "CopyData", 'd', "r" },
    { "CopyDone", 'c', "" },
    /* backend */
    { "AuthOk", 'R', "00" },
    { "AuthPlain", 'R', "4" },
    { "Key", 'K', "44" },
    { "Parameter", 'S', "wt" },
    { "Ready", 'Z', "b" },
    { "ParseComplete", '1', "" },
    { "BindComplete", '2', "" },
    { "CloseComplete", '3', "" },
    { "Parameters", 't', "0" },
    { "NoData", 'n', "" },
    { "Columns", 'T', "k" },
    { "Row", 'D', "v" },
    { "Complete", 'C', "t" },
    { "Empty", 'I', "" },
    { "Suspended", 's', "" },
    { "CopyIn", 'G', "c" },
    { "CopyOut", 'H', "c" },
    { "Result", 'V', "l" },
    { "Error", 'E', "e" },
    { "Stale", 'E', "s" },
    { "StaleFormats", 'E', "f" },
    { "Notice", 'N', "e" },
    { "Notification", 'A', "4wt" },
};

/* --- words --- */

bool
message_next(const char **line, char words[MESSAGE_MOST_TEXT])
{
    const char *end;
    size_t len;

    *line += strspn(*line, " ");
    if (**line == '\0')
        return false;
    end = strstr(*line, " | ");
    len = end == NULL ? strlen(*line) : (size_t)(end - *line);
    if (len >= MESSAGE_MOST_TEXT)
        return false;
    memcpy(words, *line, len);
    words[len] = '\0';
    *line = end == NULL ? *line + len : end + 3;
    return true;
}

/* The next word of *REST; "" when there is none. */
static char *
take_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    size_t len = strcspn(word, " ");

    *rest = word + len;
    if (**rest != '\0')
        *(*rest)++ = '\0';
    return strcmp(word, "-") == 0 ? word + 1 : word;
}

static void
write_text(struct buf *out, const char *text)
{
    if (text[0] != '\0' && text[1] == '*' && isdigit((unsigned char)text[2])) {
        size_t count = strtoul(text + 2, NULL, 10);

        memset(buf_reserve(out, count), text[0], count);
        buf_commit(out, count);
        return;
    }
    buf_add_text(out, text);
}

static void
write_value(struct buf *out, const char *text)
{
    size_t at = buf_len(out);

    buf_add_be32(out, 0);
    write_text(out, text);
    put_be32(out->at + out->start + at, (uint32_t)(buf_len(out) - at - 4));
}

static void
write_values(struct buf *out, char *rest)
{
    size_t at = buf_len(out);
    uint16_t count = 0;

    buf_add_be16(out, 0);
    for (char *word; *(word = take_word(&rest)) != '\0'; count++)
        write_value(out, word);
    put_be16(out->at + out->start + at, count);
}

static void
write_columns(struct buf *out, char *rest)
{
    size_t at = buf_len(out);
    uint16_t count = 0;

    buf_add_be16(out, 0);
    for (char *word; *(word = take_word(&rest)) != '\0'; count++) {
        buf_add_textz(out, word);
        buf_add_be32(out, 0); /* of no table */
        buf_add_be16(out, 0);
        buf_add_be32(out, 25); /* text */
        buf_add_be16(out, UINT16_MAX);
        buf_add_be32(out, UINT32_MAX);
        buf_add_be16(out, 0);
    }
    put_be16(out->at + out->start + at, count);
}

static void
write_error(struct buf *out, char *rest)
{
    const char *severity = take_word(&rest);
    const char *code = take_word(&rest);

    buf_add_u8(out, 'S');
    buf_add_textz(out, severity);
    buf_add_u8(out, 'V');
    buf_add_textz(out, severity);
    buf_add_u8(out, 'C');
    buf_add_textz(out, code);
    buf_add_u8(out, 'M');
    write_text(out, rest);
    buf_add_be16(out, 0); /* the end of M and the end of the fields */
}

/* As the server reports it in its own language: only code and routine tell what it is. */
static void
write_stale(struct buf *out)
{
    static const char fields[] = "SFEHLER\0VERROR\0C0A000\0Mso nicht\0RRevalidateCachedQuery\0";

    buf_add(out, slice_of(fields, sizeof fields));
}

/* What a Bind hears that has a format for each column of before. */
static void
write_stale_formats(struct buf *out)
{
    static const char fields[] = "SFEHLER\0VERROR\0C08P01\0Mso nicht\0RPortalSetResultFormat\0";

    buf_add(out, slice_of(fields, sizeof fields));
}

static void
write_field(struct buf *out, char field, char **rest)
{
    switch (field) {
    case 'w':
        write_text(out, take_word(rest));
        buf_add_u8(out, 0);
        break;
    case 't':
        write_text(out, *rest);
        buf_add_u8(out, 0);
        break;
    case 'r':
        write_text(out, *rest);
        break;
    case 'b':
        buf_add_u8(out, (uint8_t)take_word(rest)[0]);
        break;
    case '4':
        buf_add_be32(out, (uint32_t)strtoul(take_word(rest), NULL, 10));
        break;
    case '0':
        buf_add_be16(out, 0);
        break;
    case 'v':
        write_values(out, *rest);
        break;
    case 'l':
        write_value(out, *rest);
        break;
    case 'k':
        write_columns(out, *rest);
        break;
    case 'c':
        buf_add_u8(out, 0);
        buf_add_be16(out, 0);
        break;
    case 's':
        write_stale(out);
        break;
    case 'f':
        write_stale_formats(out);
        break;
    default: /* e */
        write_error(out, *rest);
        break;
    }
}

static void
write_message(struct buf *out, char type, const char *fields, char *rest)
{
    size_t at = buf_len(out);

    buf_add_u8(out, (uint8_t)type);
    buf_add_be32(out, 0);
    for (; *fields != '\0'; fields++)
        write_field(out, *fields, &rest);
    put_be32(out->at + out->start + at + 1, (uint32_t)(buf_len(out) - at - 1));
}

static void
write_bytes(struct buf *out, char *rest)
{
    for (char *word; *(word = take_word(&rest)) != '\0';)
        buf_add_u8(out, (uint8_t)strtoul(word, NULL, 16));
}

/* The untyped first packet: name=value … */
static void
write_startup(struct buf *out, char *rest)
{
    struct startup_pair pairs[16];
    size_t count = 0;

    for (char *word; count < COUNT_OF(pairs) && *(word = take_word(&rest)) != '\0';) {
        char *value = strchr(word, '=');

        *value = '\0';
        pairs[count++] = (struct startup_pair){ word, value + 1 };
    }
    build_startup(out, 0, pairs, count);
}

bool
message_write(struct buf *out, const char *words)
{
    char copy[MESSAGE_MOST_TEXT];
    char *rest = copy;
    const char *name;

    memcpy(copy, words, strlen(words) + 1);
    name = take_word(&rest);
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        if (strcmp(messages[i].name, name) == 0) {
            write_message(out, messages[i].type, messages[i].fields, rest);
            return true;
        }
    if (strcmp(name, "Startup") == 0)
        write_startup(out, rest);
    else if (strcmp(name, "SSLRequest") == 0)
        build_ssl_request(out);
    else if (strcmp(name, "Bytes") == 0)
        write_bytes(out, rest);
    else if (strcmp(name, "Type") == 0)
        write_message(out, take_word(&rest)[0], "r", rest);
    else
        return false;
    return true;
}

bool
messages_write(struct buf *out, const char *line)
{
    char words[MESSAGE_MOST_TEXT];

    while (message_next(&line, words))
        if (!message_write(out, words))
            return false;
    return true;
}

/* --- bytes --- */

bool
message_take(struct slice *bytes, struct slice *out)
{
    size_t len;

    if (bytes->len < 5)
        return false;
    len = 1 + (size_t)get_be32(bytes->at + 1);
    if (len < 5 || bytes->len < len)
        return false;
    *out = slice_of(bytes->at, len);
    *bytes = slice_skip(*bytes, len);
    return true;
}

static void
show_bytes(struct buf *out, struct slice bytes)
{
    size_t most = bytes.len < 100 ? bytes.len : 100;

    for (size_t i = 0; i < most; i++)
        buf_add_u8(out, isprint(bytes.at[i]) ? bytes.at[i] : bytes.at[i] == 0 ? ' ' : '?');
    if (most < bytes.len)
        buf_add_format(out, "... (%zu bytes)", bytes.len);
}

void
messages_show(struct buf *out, struct slice bytes)
{
    struct slice message;
    unsigned most = 30;

    if (bytes.len == 0)
        buf_add_text(out, "        nothing\n");
    while (most-- > 0 && message_take(&bytes, &message)) {
        buf_add_format(out, "        %c %zu: ", message.at[0], message.len);
        show_bytes(out, slice_skip(message, 5));
        buf_add_text(out, "\n");
    }
    if (bytes.len == 0)
        return;
    buf_add_format(out, "        and %zu bytes: ", bytes.len);
    show_bytes(out, bytes);
    buf_add_text(out, "\n");
}
