/*
 * base64.c - three bytes as four characters.
 */
#include "pgweir/wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char
character(uint32_t group, unsigned shift)
{
    return alphabet[group >> shift & 63u];
}

void
base64_add(struct buf *out, struct slice bytes)
{
    size_t len = BASE64_LEN(bytes.len);
    uint8_t *to;

    if (len == 0)
        return;
    to = buf_reserve(out, len);
    for (size_t i = 0; i < bytes.len; i += 3, to += 4) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.at[i] << 16 | (left > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)bytes.at[i + 2] : 0);

        to[0] = (uint8_t)character(group, 18);
        to[1] = (uint8_t)character(group, 12);
        to[2] = (uint8_t)(left > 1 ? character(group, 6) : '=');
        to[3] = (uint8_t)(left > 2 ? character(group, 0) : '=');
    }
    buf_commit(out, len);
}

/* 0 to 63, or 64 for what is not in the alphabet. */
static uint32_t
value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - (uint32_t)'A';
    if (c >= 'a' && c <= 'z')
        return c - (uint32_t)'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - (uint32_t)'0' + 52u;
    return c == '+' ? 62u : c == '/' ? 63u : 64u;
}

/* Bytes that TEXT stands for, going by its length and its padding. */
static size_t
decoded_len(struct slice text)
{
    size_t padding = 0;

    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    return text.len / 4 * 3 - padding;
}

/* Decodes into TO, or only checks when TO is NULL. */
static bool
decode(struct slice text, uint8_t *to)
{
    size_t len;

    if (text.len % 4 != 0)
        return false;
    len = text.len == 0 ? 0 : decoded_len(text);
    for (size_t i = 0, done = 0; i < text.len; i += 4) {
        size_t bytes = len - done < 3 ? len - done : 3;
        uint32_t group = 0;

        for (size_t k = 0; k < 4; k++) {
            uint32_t v = k <= bytes ? value_of(text.at[i + k]) : 0; /* the rest is padding */

            if (v > 63)
                return false;
            group = group << 6 | v;
        }
        if (bytes < 3 && (group & (bytes == 1 ? 0xffffu : 0xffu)) != 0)
            return false; /* two texts for the same bytes */
        for (size_t k = 0; k < bytes && to != NULL; k++)
            to[done + k] = (uint8_t)(group >> (16 - 8 * k));
        done += bytes;
    }
    return true;
}

bool
base64_is(struct slice text)
{
    return decode(text, NULL);
}

bool
base64_read(struct slice text, uint8_t *to, size_t most, size_t *len)
{
    if (text.len % 4 != 0 || (text.len > 0 && decoded_len(text) > most) || !decode(text, to))
        return false;
    *len = text.len == 0 ? 0 : decoded_len(text);
    return true;
}
