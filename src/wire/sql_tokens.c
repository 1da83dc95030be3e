/*
 * sql_tokens.c - one token after the other, and what names, strings and parameters stand for.
 */
#include "sql_lexer_impl.h"

void
sql_scan_init(struct sql_scan *s, struct slice sql, bool standard_strings)
{
    static const uint8_t nothing[1] = { 0 }; /* no arithmetic on NULL */

    if (sql.len == 0)
        sql.at = nothing;
    *s = (struct sql_scan){
        .at = sql.at, .end = sql.at + sql.len, .signs_end = sql.at, .standard_strings = standard_strings
    };
}

enum sql_kind
sql_next(struct sql_scan *s, struct sql_token *out)
{
    s->at = token_next(s, s->at, out);
    return out->kind;
}
bool
sql_token_is(const struct sql_token *t, const char *word)
{
    return t->kind == SQL_WORD && text_is(t->text, word);
}

/* Bytes behind the last that a name may have are cut off, whole UTF-8 characters. */
static size_t
name_cut(const char *name, size_t len)
{
    if (len <= SQL_NAME_MOST)
        return len;
    for (len = SQL_NAME_MOST; len > 0 && ((uint8_t)name[len] & 0xc0u) == 0x80u; len--)
        ;
    return len;
}

bool
sql_name_read(const struct sql_token *t, char *out, size_t size)
{
    bool is_quoted = t->kind == SQL_QUOTED_NAME;
    const uint8_t *p = t->text.at, *end = p + t->text.len;
    char name[SQL_NAME_MOST + 1]; /* one more byte than a name has, to see where the cut falls; no NUL */
    size_t len = 0;

    if (!is_name(t))
        return false;
    if (is_quoted) {
        if (t->text.len < 2 || p[0] != '"' || end[-1] != '"')
            return false;
        p++, end--;
    }
    while (p < end && len < sizeof name) {
        if (is_quoted && *p == '"' && ++p == end)
            return false; /* the last quote was one of a pair */
        name[len++] = (char)(is_quoted ? *p : fold(*p));
        p++;
    }
    len = name_cut(name, len);
    if (len >= size)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

/* A value being written; is_good becomes false once, for any reason. */
struct writer {
    char *out;
    size_t size;
    size_t len;
    bool is_good;
};

static void
put_byte(struct writer *w, unsigned byte)
{
    if (byte == 0 || w->len + 1 >= w->size)
        w->is_good = false;
    else
        w->out[w->len++] = (char)byte;
}

static void
put_utf8(struct writer *w, uint32_t c)
{
    if (c < 0x80) {
        put_byte(w, c);
    } else if (c < 0x800) {
        put_byte(w, 0xc0 | c >> 6);
        put_byte(w, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put_byte(w, 0xe0 | c >> 12);
        put_byte(w, 0x80 | (c >> 6 & 0x3f));
        put_byte(w, 0x80 | (c & 0x3f));
    } else if (c < 0x110000) {
        put_byte(w, 0xf0 | c >> 18);
        put_byte(w, 0x80 | (c >> 12 & 0x3f));
        put_byte(w, 0x80 | (c >> 6 & 0x3f));
        put_byte(w, 0x80 | (c & 0x3f));
    } else {
        w->is_good = false;
    }
}

/* Up to MOST digits in BASE (8 or 16); returns how many there were. */
static unsigned
take_digits(struct slice *rest, unsigned base, unsigned most, uint32_t *out)
{
    unsigned count = 0;

    for (*out = 0; count < most && rest->len > 0; count++) {
        uint8_t c = fold(rest->at[0]);
        unsigned digit = is_digit(c) ? (unsigned)c - '0' : c >= 'a' && c <= 'f' ? (unsigned)c - 'a' + 10 : 99;

        if (digit >= base)
            break;
        *out = *out * base + digit;
        *rest = slice_skip(*rest, 1);
    }
    return count;
}

/* \uXXXX or \UXXXXXXXX, behind its letter; a first surrogate must be followed by a second one. */
static void
put_unicode(struct writer *w, struct slice *rest, unsigned digits)
{
    uint32_t c, second;

    if (take_digits(rest, 16, digits, &c) != digits || (c >= 0xdc00 && c < 0xe000)) {
        w->is_good = false;
        return;
    }
    if (c >= 0xd800 && c < 0xdc00) {
        digits = rest->len < 2 || rest->at[0] != '\\' ? 0
                 : rest->at[1] == 'u'                 ? 4
                 : rest->at[1] == 'U'                 ? 8
                                                      : 0;
        if (digits == 0) {
            w->is_good = false;
            return;
        }
        *rest = slice_skip(*rest, 2);
        if (take_digits(rest, 16, digits, &second) != digits || second < 0xdc00 || second >= 0xe000) {
            w->is_good = false;
            return;
        }
        c = 0x10000 + ((c & 0x3ff) << 10) + (second & 0x3ff);
    }
    put_utf8(w, c);
}

/* Behind a backslash. */
static void
put_escape(struct writer *w, struct slice *rest)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    uint8_t c = rest->at[0];
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    uint32_t value;

    if (c >= '0' && c <= '7') {
        (void)take_digits(rest, 8, 3, &value);
        put_byte(w, value & 0xff);
        return;
    }
    *rest = slice_skip(*rest, 1);
    if (letter != NULL)
        put_byte(w, (uint8_t)meant[letter - letters]);
    else if (c == 'x')
        put_byte(w, take_digits(rest, 16, 2, &value) > 0 ? value : 'x');
    else if (c == 'u' || c == 'U')
        put_unicode(w, rest, c == 'u' ? 4 : 8);
    else if (c == 'v')
        w->is_good = false; /* a letter before PostgreSQL 16, a vertical tab since */
    else
        put_byte(w, c);
}

/* BODY is a string from behind its first quote on. */
static bool
put_quoted(struct writer *w, struct slice body, bool has_escapes)
{
    while (body.len > 0 && w->is_good) {
        uint8_t c = body.at[0];

        body = slice_skip(body, 1);
        if (c == '\'' && (body.len == 0 || body.at[0] != '\'')) {
            const uint8_t *next = find_continuation(body.at, body.at + body.len);

            if (next == NULL)
                return true;
            body = slice_skip(body, (size_t)(next - body.at) + 1);
        } else if (c == '\'') {
            put_byte(w, c);
            body = slice_skip(body, 1);
        } else if (c == '\\' && has_escapes && body.len > 0) {
            put_escape(w, &body);
        } else {
            put_byte(w, c);
        }
    }
    return false;
}

static bool
put_dollar_quoted(struct writer *w, struct slice text)
{
    size_t tag_len = dollar_tag_len(text);

    if (tag_len == 0 || text.len < 2 * tag_len || memcmp(text.at + text.len - tag_len, text.at, tag_len) != 0)
        return false;
    for (size_t i = tag_len; i < text.len - tag_len && w->is_good; i++)
        put_byte(w, text.at[i]);
    return true;
}

bool
sql_string_read(const struct sql_token *t, bool standard_strings, char *out, size_t size)
{
    struct writer w = { .out = out, .size = size, .is_good = t->kind == SQL_STRING && size > 0 };
    uint8_t first = t->text.len > 0 ? fold(t->text.at[0]) : 0;
    bool is_whole = false;

    if (!w.is_good)
        return false;
    if (first == '$')
        is_whole = put_dollar_quoted(&w, t->text);
    else if (first == '\'')
        is_whole = put_quoted(&w, slice_skip(t->text, 1), !standard_strings);
    else if (first == 'e' || first == 'n')
        is_whole = put_quoted(&w, slice_skip(t->text, 2), first == 'e' || !standard_strings);
    if (!is_whole || !w.is_good)
        return false;
    out[w.len] = '\0';
    return true;
}

uint16_t
sql_parameter_read(const struct sql_token *t)
{
    uint32_t n = 0;

    if (t->kind != SQL_PARAMETER)
        return 0;
    for (size_t i = 1; i < t->text.len; i++) {
        n = n * 10 + (uint32_t)t->text.at[i] - '0';
        if (n > UINT16_MAX)
            return 0;
    }
    return (uint16_t)n;
}

bool
sql_is_ascii(struct slice sql)
{
    uint64_t all = 0;
    size_t i = 0;

    for (; sql.len - i >= 8; i += 8)
        all |= load_eight(sql.at + i);
    for (; i < sql.len; i++)
        all |= sql.at[i];
    return (all & HIGHS) == 0;
}
