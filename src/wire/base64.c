/*
 * base64.c - three bytes as four characters.
 */
#include "pgweir/wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint8_t
character(uint32_t group, unsigned shift)
{
    return (uint8_t)alphabet[group >> shift & 63u];
}

void
base64_add(struct buf *out, struct slice bytes)
{
    size_t len = BASE64_LEN(bytes.len);
    size_t whole = bytes.len / 3 * 3;
    size_t left = bytes.len - whole;
    uint8_t *to;
    uint32_t group;

    if (len == 0)
        return;
    to = buf_reserve(out, len);
    for (size_t i = 0; i < whole; i += 3, to += 4) {
        group = (uint32_t)bytes.at[i] << 16 | (uint32_t)bytes.at[i + 1] << 8 | bytes.at[i + 2];
        to[0] = character(group, 18);
        to[1] = character(group, 12);
        to[2] = character(group, 6);
        to[3] = character(group, 0);
    }
    if (left > 0) {
        group = (uint32_t)bytes.at[whole] << 16 | (left > 1 ? (uint32_t)bytes.at[whole + 1] << 8 : 0);
        to[0] = character(group, 18);
        to[1] = character(group, 12);
        to[2] = left > 1 ? character(group, 6) : '=';
        to[3] = '=';
    }
    buf_commit(out, len);
}

/* clang-format off */
/* One more than what a character stands for; 0: it is not in the alphabet. A table, because a verifier is decoded at each login and the
 * branches of its random characters are never guessed right. */
static const uint8_t values[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};
/* clang-format on */

/* Bytes that TEXT stands for, going by its length and its padding. */
static size_t
decoded_len(struct slice text)
{
    size_t padding = 0;

    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    return text.len < 4 ? 0 : text.len / 4 * 3 - padding;
}

/* The BYTES (1 to 3) that four characters stand for, as the lower 24 bits of *OUT, the first one on top; what is padding counts as
 * nothing. */
static inline bool
group_read(const uint8_t *c, size_t bytes, uint32_t *out)
{
    uint32_t v[4] = { values[c[0]], values[c[1]], bytes > 1 ? values[c[2]] : 1,
                      bytes > 2 ? values[c[3]] : 1 };

    if (v[0] == 0 || v[1] == 0 || v[2] == 0 || v[3] == 0)
        return false;
    *out = (v[0] - 1) << 18 | (v[1] - 1) << 12 | (v[2] - 1) << 6 | (v[3] - 1);
    return true;
}

/* Decodes into TO, or only checks when TO is NULL. */
static bool
decode(struct slice text, uint8_t *to)
{
    size_t len = decoded_len(text);
    const uint8_t *c = text.at;
    uint32_t group;
    size_t done;

    if (text.len % 4 != 0)
        return false;
    for (done = 0; done + 3 <= len; done += 3, c += 4) {
        if (!group_read(c, 3, &group))
            return false;
        if (to != NULL) {
            to[done] = (uint8_t)(group >> 16);
            to[done + 1] = (uint8_t)(group >> 8);
            to[done + 2] = (uint8_t)group;
        }
    }
    if (done == len)
        return true;
    if (!group_read(c, len - done, &group) || (group & (len - done == 1 ? 0xffffu : 0xffu)) != 0)
        return false; /* the latter: two texts for the same bytes */
    for (size_t k = 0; k < len - done && to != NULL; k++)
        to[done + k] = (uint8_t)(group >> (16 - 8 * k));
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
    if (text.len % 4 != 0 || decoded_len(text) > most || !decode(text, to))
        return false;
    *len = decoded_len(text);
    return true;
}
