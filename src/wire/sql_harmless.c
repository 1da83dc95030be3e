/*
 * sql_harmless.c - most texts leave nothing behind, and most of those can be told from the others without
 * reading them word for word.
 *
 *     Whatever sql_look() finds in a SELECT, INSERT, UPDATE or DELETE needs one of these, wherever it stands:
 *
 *         ( behind the name of a function that it knows      ; before another statement
 *         INTO                                                pg_settings
 *         U&", which may spell anything
 *
 *     They are looked for sixteen bytes at a time, in strings and comments too: that errs towards reading the
 *     text after all.
 */
#include "sql_look_impl.h"

#define WIDTH 16u
#define BEHIND 2u /* bytes that a look at sixteen sees beyond them */

typedef uint8_t bytes16 __attribute__((vector_size(WIDTH)));
typedef uint64_t words2 __attribute__((vector_size(WIDTH)));

static inline bytes16
load_bytes(const uint8_t *p)
{
    bytes16 b;

    memcpy(&b, p, sizeof b);
    return b;
}

static inline bytes16
bytes_equal(bytes16 a, uint8_t byte)
{
    return (bytes16)(a == byte);
}

/* Marks what has to be looked at more closely: ( ; & and the beginnings of INT and G_S. */
static inline bytes16
marks_at(const uint8_t *p)
{
    bytes16 at = load_bytes(p);
    bytes16 low = at | 0x20, next = load_bytes(p + 1) | 0x20, third = load_bytes(p + 2) | 0x20;

    return bytes_equal(at, '(') | bytes_equal(at, ';') | bytes_equal(at, '&') |
           (bytes_equal(low, 'i') & bytes_equal(next, 'n') & bytes_equal(third, 't')) |
           (bytes_equal(low, 'g') & bytes_equal(next, '_' | 0x20) & bytes_equal(third, 's'));
}

static bool
is_word_byte(uint8_t c)
{
    return is_letter(c) || is_digit(c) || c == '$';
}

/* Whether the text that begins at TEXT and goes on at P has WORD, in lower case, there, and END is far enough. */
static bool
is_word_at(const uint8_t *text, const uint8_t *p, const uint8_t *end, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(end - p) >= len && text_is(slice_of(p, len), word) && (p == text || !is_letter(p[-1])) &&
           (p + len == end || !is_word_byte(p[len]));
}

/* The name whose closing quote is before END. */
static struct slice
quoted_before(const uint8_t *text, const uint8_t *end)
{
    const uint8_t *p = end - 1;

    while (p > text && p[-1] != '"' && end - p <= 64)
        p--;
    return slice_of(p, (size_t)(end - 1 - p));
}

/* A parenthesis opens at P. */
static bool
is_harmless_call(const uint8_t *text, const uint8_t *p)
{
    const uint8_t *end = p, *begin;

    while (end > text && is_blank(end[-1])) {
        if (is_newline(end[-1]))
            return false; /* what stands before it may be a comment */
        end--;
    }
    if (end == text)
        return true;
    if (end[-1] == '"')
        return look_flags_of_call(quoted_before(text, end), true) == 0;
    if (end[-1] == '/')
        return false;
    for (begin = end; begin > text && is_word_byte(begin[-1]);)
        begin--;
    if (begin < end && !is_letter(*begin))
        return false; /* 1set_config( is two tokens, $$…$$set_config( too */
    return look_flags_of_call(slice_of(begin, (size_t)(end - begin)), false) == 0;
}

/* SELECT, INSERT INTO, UPDATE, DELETE: the end of the words; NULL: it is something else. */
static const uint8_t *
head_end(const uint8_t *p, const uint8_t *end)
{
    static const char *const heads[] = { "select", "update", "delete" };

    for (size_t i = 0; i < COUNT_OF(heads); i++)
        if (is_word_at(p, p, end, heads[i]))
            return p + strlen(heads[i]);
    if (!is_word_at(p, p, end, "insert"))
        return NULL;
    for (p += strlen("insert"); p < end && is_blank(*p);)
        p++;
    return is_word_at(p - 1, p, end, "into") ? p + strlen("into") : NULL;
}

/* Whether what is marked at P is nothing after all. */
static bool
is_harmless_at(const uint8_t *text, const uint8_t *p, const uint8_t *end)
{
    switch (fold(*p)) {
    case '(':
        return is_harmless_call(text, p);
    case ';':
        while (++p < end && is_blank(*p))
            continue;
        return p == end;
    case '&':
        return p == text || fold(p[-1]) != 'u';
    case 'i':
        return !is_word_at(text, p, end, "into");
    case 'g':
        return p == text || fold(p[-1]) != 'p' || !text_is(slice_of(p, end - p < 10 ? 0 : 10), "g_settings");
    default:
        return true; /* another byte that differs in one bit */
    }
}

/* The last few bytes, one by one. */
static bool
is_harmless_between(const uint8_t *text, const uint8_t *p, const uint8_t *end)
{
    for (; p < end; p++)
        switch (fold(*p)) {
        case '(':
        case ';':
        case '&':
        case 'i':
        case 'g':
            if (!is_harmless_at(text, p, end))
                return false;
            break;
        default:
            break;
        }
    return true;
}

static inline bool
is_any(bytes16 marks)
{
    words2 words = (words2)marks;

    return (words[0] | words[1]) != 0;
}

/* MARKS: of what stands at P, each all ones or none. */
static bool
is_harmless_marked(const uint8_t *text, const uint8_t *p, bytes16 marks, const uint8_t *end)
{
    uint8_t bytes[WIDTH];

    memcpy(bytes, &marks, sizeof bytes);
    for (unsigned half = 0; half < WIDTH; half += 8)
        for (uint64_t left = load_eight(bytes + half); left != 0;) {
            unsigned i = first_marked(left);

            if (!is_harmless_at(text, p + half + i, end))
                return false;
            left &= ~(UINT64_C(0xff) << 8 * i);
        }
    return true;
}

bool
sql_is_harmless(struct slice sql)
{
    const uint8_t *text = sql.at, *p = text, *end = text + sql.len;

    while (p < end && is_blank(*p))
        p++;
    p = head_end(p, end);
    if (p == NULL)
        return false;
    for (; (size_t)(end - p) >= WIDTH + BEHIND; p += WIDTH) {
        bytes16 marks = marks_at(p);

        if (is_any(marks) && !is_harmless_marked(text, p, marks, end))
            return false;
    }
    return is_harmless_between(text, p, end);
}
