/*
 * sql.c - PostgreSQL's tokens, and what statements do to the session that runs them.
 *
 *     text -> token_next() -> advance() -> statement: the head word's handler, then its rest
 *                                |
 *                                +-> watchers: calls, INTO TEMP, pg_settings, the depth of parentheses
 *
 *     token_next() is the lexer: one switch on the first byte, then a loop for the kind found. Words, names and
 *     strings are skipped eight bytes at a time; it runs over every text that a client sends, and most are
 *     SELECTs in which nothing is to be found.
 *     advance() takes one token and feeds what is watched for anywhere in a statement.
 *     A handler takes as many tokens as its statement's grammar needs and never passes the statement's end.
 *
 *     Invariants: every byte is looked at a bounded number of times; no token but SQL_END is empty; what stands
 *     between two tokens is blanks and comments.
 *
 * PostgreSQL parses a text as a whole before it runs any of it: behind a syntax error findings do not matter,
 * and one handler need not ask whether the rest of its statement is sound.
 */
#include "pgweir/wire/sql.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)
#define EACH(byte) (ONES * (uint8_t)(byte))

/* For what every token passes through. */
#define INTO_CALLER static inline __attribute__((always_inline))

/* What a token that begins with a byte can be. */
/* clang-format off */
enum first {
    OTH, /* no place in SQL outside of strings */
    BLA, /* blank */
    LET, /* letter: word */
    PRE, /* letter that may begin a string: word or string */
    DIG, /* digit */
    STR, /* '   */
    NAM, /* "   */
    DOL, /* $   parameter or dollar quote */
    SEL, /* , ( ) [ ] */
    COL, /* :   and :: and := */
    DOT, /* .   and .. and .5 */
    SEM, /* ;   */
    OPE, /* operator; it and what follows can be within one */
    DAS, /* -   operator or comment */
    SLA, /* /   operator or comment */
};

static const uint8_t first_of[256] = {
    BLA, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, BLA, BLA, BLA, BLA, BLA, OTH, OTH,
    OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH, OTH,
    /*    !    "    #    $    %    &    '    (    )    *    +    ,    -    .    / */
    BLA, OPE, NAM, OPE, DOL, OPE, OPE, STR, SEL, SEL, OPE, OPE, SEL, DAS, DOT, SLA,
    /* 0    1    2    3    4    5    6    7    8    9    :    ;    <    =    >    ? */
    DIG, DIG, DIG, DIG, DIG, DIG, DIG, DIG, DIG, DIG, COL, SEM, OPE, OPE, OPE, OPE,
    /* @    A    B    C    D    E    F    G    H    I    J    K    L    M    N    O */
    OPE, LET, PRE, LET, LET, PRE, LET, LET, LET, LET, LET, LET, LET, LET, PRE, LET,
    /* P    Q    R    S    T    U    V    W    X    Y    Z    [    \    ]    ^    _ */
    LET, LET, LET, LET, LET, PRE, LET, LET, PRE, LET, LET, SEL, OTH, SEL, OPE, LET,
    /* `    a    b    c    d    e    f    g    h    i    j    k    l    m    n    o */
    OPE, LET, PRE, LET, LET, PRE, LET, LET, LET, LET, LET, LET, LET, LET, PRE, LET,
    /* p    q    r    s    t    u    v    w    x    y    z    {    |    }    ~      */
    LET, LET, LET, LET, LET, PRE, LET, LET, PRE, LET, LET, OTH, OPE, OTH, OPE, OTH,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
    LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET, LET,
};
/* clang-format on */

/*
 * Eight bytes at a time.
 */

/* Byte I of the result stands at p[I], whatever the machine; compilers make one load of it. */
static inline uint64_t
load_eight(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The same for what is left before END, and no byte behind it: there are zeros. */
static inline uint64_t
load_left(const uint8_t *p, const uint8_t *end)
{
    uint8_t left[8] = { 0 };

    memcpy(left, p, (size_t)(end - p));
    return load_eight(left);
}

/* The index of the first byte whose high bit is set; MARKS is not 0. */
static inline unsigned
first_marked(uint64_t marks)
{
    return (unsigned)__builtin_ctzll(marks) / 8;
}

/* Marks bytes from LEAST on, which is at least 1, among bytes that are all below 128. */
static inline uint64_t
marks_from(uint64_t bytes, unsigned least)
{
    return bytes + EACH(0x80 - least);
}

/*
 * Marks what cannot stand in a word, and $. Bytes above 127 can. Letters and digits are two ranges, _ is
 * next to the end once the case is folded away, and each border that a byte lies beyond turns the answer
 * round. Folding takes some control characters for digits and a DEL for _: no SQL has those outside of quotes.
 * The next token cannot begin before this is known, so it is written to have few steps after one another.
 */
static inline uint64_t
marks_outside_word(uint64_t bytes)
{
    uint64_t low = (bytes & ~HIGHS) | EACH(0x20);
    uint64_t digits = marks_from(low, '0') ^ marks_from(low, '9' + 1);
    uint64_t letters = marks_from(low, 'a') ^ marks_from(low, 'z' + 1);
    uint64_t outside = digits ^ ~marks_from(low, '_' | 0x20) ^ letters;

    return outside & (~bytes & HIGHS);
}

/* Marks bytes that are BYTE; the first mark is right, those behind it may not be. */
static inline uint64_t
marks_equal(uint64_t bytes, uint8_t byte)
{
    uint64_t zeros = bytes ^ EACH(byte);

    return (zeros - ONES) & ~zeros & HIGHS;
}

static inline bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool
is_letter(uint8_t c)
{
    return first_of[c] == LET || first_of[c] == PRE;
}

static inline bool
is_blank(uint8_t c)
{
    return first_of[c] == BLA;
}

static inline bool
is_newline(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static inline uint8_t
fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* The end of the word's bytes from P on. */
static inline const uint8_t *
skip_word(const uint8_t *p, const uint8_t *end)
{
    for (;;) {
        uint64_t marks = marks_outside_word(LIKELY(end - p >= 8) ? load_eight(p) : load_left(p, end));

        if (UNLIKELY(marks == 0)) {
            p += 8;
            continue;
        }
        p += first_marked(marks);
        if (LIKELY(p == end || *p != '$'))
            return p;
        p++;
    }
}

/* The first A or B from P on; END when there is none. */
static inline const uint8_t *
find_either(const uint8_t *p, const uint8_t *end, uint8_t a, uint8_t b)
{
    while (LIKELY(end - p >= 8)) {
        uint64_t bytes = load_eight(p);
        uint64_t marks = marks_equal(bytes, a);

        if (a != b)
            marks |= marks_equal(bytes, b);
        if (marks != 0)
            return p + first_marked(marks);
        p += 8;
    }
    while (p < end && *p != a && *p != b)
        p++;
    return p;
}

/*
 * The lexer.
 */

static inline bool
has_next(const struct sql_scan *s, const uint8_t *p, uint8_t c)
{
    return s->end - p > 1 && p[1] == c;
}

static const uint8_t *
unterminated(struct sql_scan *s)
{
    s->is_unterminated = true;
    return s->end;
}

/* Behind the QUOTE that ends what P is in. Before ESCAPE's follower nothing ends; no escapes: ESCAPE is QUOTE. */
static inline const uint8_t *
skip_quoted(struct sql_scan *s, const uint8_t *p, uint8_t quote, uint8_t escape)
{
    for (;;) {
        p = find_either(p, s->end, quote, escape);
        if (p == s->end)
            return unterminated(s);
        if (*p == quote && !has_next(s, p, quote))
            return p + 1;
        if (s->end - p < 2)
            return unterminated(s);
        p += 2;
    }
}

/* To the end of the line, or of the text. */
static const uint8_t *
skip_line(const uint8_t *p, const uint8_t *end)
{
    return find_either(p, end, '\n', '\r');
}

/* The quote that continues a string which ended before P: on another line, with blanks and -- comments between. */
static inline const uint8_t *
find_continuation(const uint8_t *p, const uint8_t *end)
{
    bool is_other_line = false;

    for (; p < end; p++) {
        if (is_newline(*p)) {
            is_other_line = true;
        } else if (*p == '-' && end - p > 1 && p[1] == '-') {
            p = skip_line(p, end);
            if (p == end)
                return NULL;
            is_other_line = true;
        } else if (!is_blank(*p)) {
            return is_other_line && *p == '\'' ? p : NULL;
        }
    }
    return NULL;
}

/* What may stand in a string. */
enum string_rule {
    STRING_PLAIN,   /* two quotes for one */
    STRING_ESCAPES, /* and a backslash before anything */
    STRING_BITS,    /* neither */
};

static const uint8_t *
skip_bits(struct sql_scan *s, const uint8_t *p)
{
    p = find_either(p, s->end, '\'', '\'');
    return p < s->end ? p + 1 : unterminated(s);
}

/* P is behind the string's first quote. */
static inline const uint8_t *
skip_string(struct sql_scan *s, const uint8_t *p, enum string_rule rule)
{
    for (;;) {
        const uint8_t *next;

        p = rule == STRING_BITS ? skip_bits(s, p)
                                : skip_quoted(s, p, '\'', rule == STRING_ESCAPES ? '\\' : '\'');
        next = find_continuation(p, s->end);
        if (next == NULL)
            return p;
        p = next + 1;
    }
}

/* What a '…' without a letter before it is. */
static enum string_rule
rule_of_strings(const struct sql_scan *s)
{
    return s->standard_strings ? STRING_PLAIN : STRING_ESCAPES;
}

/* Comments nest. P is at the first slash. */
static const uint8_t *
skip_comment(struct sql_scan *s, const uint8_t *p)
{
    size_t depth = 1;

    for (p += 2;; p++) {
        p = find_either(p, s->end, '/', '*');
        if (s->end - p < 2)
            return unterminated(s);
        if (p[0] == '/' && p[1] == '*') {
            depth++;
            p++;
        } else if (p[0] == '*' && p[1] == '/') {
            p++;
            if (--depth == 0)
                return p + 1;
        }
    }
}

/* The length of the $tag$ at the beginning of S, or 0. No digit follows the dollar. */
static size_t
dollar_tag_len(struct slice s)
{
    size_t i = 1;

    while (i < s.len && (is_letter(s.at[i]) || is_digit(s.at[i])))
        i++;
    return i < s.len && s.at[i] == '$' ? i + 1 : 0;
}

/* P is at a dollar with no digit behind it. */
static const uint8_t *
skip_dollar_quoted(struct sql_scan *s, const uint8_t *p, enum sql_kind *kind)
{
    size_t tag_len = dollar_tag_len(slice_of(p, (size_t)(s->end - p)));
    const uint8_t *tag = p;

    if (tag_len == 0)
        return p + 1;
    *kind = SQL_STRING;
    /* No tag holds a dollar, so that each comparison ends before the next one begins. */
    for (p += tag_len; (p = find_either(p, s->end, '$', '$')) != s->end; p++)
        if ((size_t)(s->end - p) >= tag_len && memcmp(p, tag, tag_len) == 0)
            return p + tag_len;
    return unterminated(s);
}

/* P is at a dollar. */
static inline const uint8_t *
skip_dollar(struct sql_scan *s, const uint8_t *p, enum sql_kind *kind)
{
    if (s->end - p < 2 || !is_digit(p[1]))
        return skip_dollar_quoted(s, p, kind);
    *kind = SQL_PARAMETER;
    for (p += 2; p < s->end && is_digit(*p); p++)
        ;
    return p;
}

static const uint8_t *
skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (is_digit(*p) || (*p == '_' && end - p > 1 && is_digit(p[1]))))
        p++;
    return p;
}

/* 0x1F, 0o17, 0b1: digits in another base behind the letter at p[1]; P when there are none. */
static const uint8_t *
skip_other_base(const uint8_t *p, const uint8_t *end)
{
    uint8_t base = end - p > 2 ? fold(p[1]) : 0;
    const uint8_t *digits, *at;

    if (*p != '0' || (base != 'x' && base != 'o' && base != 'b'))
        return p;
    digits = at = p + 2;
    while (at < end && (is_digit(*at) || *at == '_' || (base == 'x' && fold(*at) >= 'a' && fold(*at) <= 'f')))
        at++;
    return at > digits ? at : p;
}

/* P is at a digit, or at the dot before one. */
static const uint8_t *
skip_number(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *at = skip_other_base(p, end);

    if (at != p)
        return at;
    at = skip_digits(p, end);
    if (at < end && *at == '.' && !(end - at > 1 && at[1] == '.'))
        at = skip_digits(at + 1, end);
    if (at < end && fold(*at) == 'e') {
        const uint8_t *digits = at + 1;

        if (digits < end && (*digits == '+' || *digits == '-'))
            digits++;
        if (digits < end && is_digit(*digits))
            at = skip_digits(digits, end);
    }
    return at;
}

static inline bool
is_operator_byte(uint8_t c)
{
    return first_of[c] >= OPE;
}

/* Operators made of these alone do not end in + or -. */
static bool
is_sql_operator_byte(uint8_t c)
{
    return c == '+' || c == '-' || c == '*' || c == '/' || c == '<' || c == '>' || c == '=';
}

/* P is at an operator that is no comment. A run of + and - that is cut off is remembered, or each of its bytes
 * would be taken after another look at all of them. */
static const uint8_t *
skip_long_operator(struct sql_scan *s, const uint8_t *p)
{
    const uint8_t *at = p, *solid = p; /* behind the last byte that is not + or -, the first one included */
    bool may_end_in_sign = false;

    for (; at < s->end && is_operator_byte(*at); at++) {
        if ((*at == '-' && has_next(s, at, '-')) || (*at == '/' && has_next(s, at, '*')))
            break;
        if (!is_sql_operator_byte(*at))
            may_end_in_sign = true;
        if (at == p || (*at != '+' && *at != '-'))
            solid = at + 1;
    }
    if (may_end_in_sign)
        return at;
    s->signs_end = at;
    return solid;
}

static inline const uint8_t *
skip_operator(struct sql_scan *s, const uint8_t *p)
{
    if (s->end - p < 2 || !is_operator_byte(p[1]) || p < s->signs_end)
        return p + 1;
    return skip_long_operator(s, p);
}

/* A word that begins with a letter which, with the quote behind it, begins a string. */
static inline const uint8_t *
skip_prefixed(struct sql_scan *s, const uint8_t *p, enum sql_kind *kind)
{
    uint8_t letter = fold(*p);

    *kind = SQL_STRING;
    if (letter == 'u') {
        if (s->end - p > 2 && p[1] == '&' && p[2] == '\'')
            return skip_string(s, p + 3, STRING_PLAIN);
        if (s->end - p > 2 && p[1] == '&' && p[2] == '"') {
            *kind = SQL_QUOTED_NAME;
            return skip_quoted(s, p + 3, '"', '"');
        }
    } else if (has_next(s, p, '\'')) {
        return skip_string(s, p + 2,
                           letter == 'e'   ? STRING_ESCAPES
                           : letter == 'n' ? rule_of_strings(s)
                                           : STRING_BITS);
    }
    *kind = SQL_WORD;
    return skip_word(p, s->end);
}

/* The one lexer: the token at P or behind it. Returns its end, for the next call; s->at is the callers'. */
INTO_CALLER const uint8_t *
token_next(struct sql_scan *s, const uint8_t *p, struct sql_token *out)
{
    while (p < s->end) {
        const uint8_t *begin = p;
        enum sql_kind kind = SQL_PUNCTUATION;

        if (*p == ' ') { /* most blanks: no need to ask the table */
            p++;
            continue;
        }
        switch ((enum first)first_of[*p]) {
        case BLA:
            p++;
            continue;
        case LET:
            kind = SQL_WORD;
            p = skip_word(p, s->end);
            break;
        case PRE:
            p = skip_prefixed(s, p, &kind);
            break;
        case NAM:
            kind = SQL_QUOTED_NAME;
            p = skip_quoted(s, p + 1, '"', '"');
            break;
        case STR:
            kind = SQL_STRING;
            p = skip_string(s, p + 1, rule_of_strings(s));
            break;
        case DOT:
            if (s->end - p > 1 && is_digit(p[1])) {
                kind = SQL_NUMBER;
                p = skip_number(p, s->end);
            } else {
                p += has_next(s, p, '.') ? 2 : 1;
            }
            break;
        case DIG:
            kind = SQL_NUMBER;
            p = skip_number(p, s->end);
            break;
        case DOL:
            p = skip_dollar(s, p, &kind);
            break;
        case DAS:
            if (has_next(s, p, '-')) {
                p = skip_line(p, s->end);
                continue;
            }
            p = skip_operator(s, p);
            break;
        case SLA:
            if (has_next(s, p, '*')) {
                p = skip_comment(s, p);
                continue;
            }
            p = skip_operator(s, p);
            break;
        case OPE:
            p = skip_operator(s, p);
            break;
        case COL:
            p += has_next(s, p, ':') || has_next(s, p, '=') ? 2 : 1;
            break;
        case SEM:
            kind = SQL_SEMICOLON;
            p++;
            break;
        case SEL:
        case OTH:
            p++;
            break;
        }
        *out = (struct sql_token){ kind, slice_of(begin, (size_t)(p - begin)) };
        return p;
    }
    *out = (struct sql_token){ SQL_END, slice_of(p, 0) };
    return p;
}

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

/*
 * What a token says.
 */

static bool
text_is(struct slice text, const char *word)
{
    size_t i = 0;

    while (i < text.len && fold(text.at[i]) == (uint8_t)word[i])
        i++; /* no text holds a NUL where word ends: words and operators have none */
    return i == text.len && word[i] == '\0';
}

bool
sql_token_is(const struct sql_token *t, const char *word)
{
    return t->kind == SQL_WORD && text_is(t->text, word);
}

static bool
is_punctuation(const struct sql_token *t, const char *text)
{
    return t->kind == SQL_PUNCTUATION && text_is(t->text, text);
}

static bool
is_name(const struct sql_token *t)
{
    return t->kind == SQL_WORD || t->kind == SQL_QUOTED_NAME;
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

/*
 * A look at all statements.
 */

#define CALLS_MOST 8u

/* A call of set_config() whose closing parenthesis has not come. */
struct call {
    size_t depth;           /* of its arguments */
    unsigned argument;      /* 0, 1, 2, … */
    unsigned position;      /* of the next token within the argument */
    struct sql_token name;  /* argument 0, when it is one literal or parameter, cast or not; else SQL_END */
    struct sql_token local; /* argument 2, likewise */
};

enum watch {
    WATCH_NOT,
    WATCH_INTO,   /* behind INTO: is the next name a temporary table's? */
    WATCH_UPDATE, /* behind UPDATE, before SET: is it pg_settings? */
    WATCH_CREATE, /* in CREATE: any name may be qualified by pg_temp */
};

struct look {
    struct sql_scan scan;
    struct sql_token t;    /* the token at hand */
    struct sql_token prev; /* the one before it */
    size_t depth;          /* of parentheses and brackets open before t */
    enum watch watch;
    unsigned call_count;
    struct call calls[CALLS_MOST];
    const uint8_t *text;
    struct sql_findings *out;
};

static void
flag(struct look *l, uint32_t flags)
{
    l->out->flags |= flags;
}

static void
give_up_on_settings(struct look *l)
{
    l->out->settings_are_partial = true;
    flag(l, SQL_OPAQUE);
}

/* A place for one more setting, or NULL. Its name is empty; setting_keep() keeps it. */
static struct sql_setting *
setting_begin(struct look *l, enum sql_how how)
{
    struct sql_setting *setting = &l->out->settings[l->out->setting_count];

    if (l->out->setting_count == SQL_SETTINGS_MOST) {
        give_up_on_settings(l);
        return NULL;
    }
    setting->how = how;
    setting->name_parameter = 0;
    setting->local_parameter = 0;
    setting->name[0] = '\0';
    return setting;
}

static void
setting_keep(struct look *l, struct sql_setting *setting)
{
    for (char *c = setting->name; *c != '\0'; c++)
        *c = (char)fold((uint8_t)*c);
    l->out->setting_count++;
    if (strcmp(setting->name, "seed") == 0)
        flag(l, SQL_SETSEED);
}

static void
setting_add(struct look *l, enum sql_how how, const char *name)
{
    struct sql_setting *setting = setting_begin(l, how);

    if (setting == NULL)
        return;
    memcpy(setting->name, name, strlen(name) + 1);
    setting_keep(l, setting);
}

/* The token at hand names a prepared statement. */
static void
named_add(struct look *l, enum sql_verb verb)
{
    struct sql_named *named = &l->out->named[l->out->named_count];

    if (l->out->named_count == SQL_NAMED_MOST || !sql_name_read(&l->t, named->name, sizeof named->name)) {
        l->out->named_are_partial = true;
        return;
    }
    named->verb = verb;
    named->at = (size_t)(l->t.text.at - l->text);
    named->len = l->t.text.len;
    l->out->named_count++;
}

/*
 * Watchers.
 */

/* clang-format off */
#define CALLS(X)                                              \
    X("set_config",                  SQL_SET_CONFIG)          \
    X("set_limit",                   SQL_OPAQUE)              \
    X("currval",                     SQL_CURRVAL)             \
    X("lastval",                     SQL_CURRVAL)             \
    X("nextval",                     SQL_NEXTVAL)             \
    X("setval",                      SQL_NEXTVAL)             \
    X("setseed",                     SQL_SETSEED)             \
    X("pg_advisory_lock",            SQL_ADVISORY_LOCK)       \
    X("pg_advisory_lock_shared",     SQL_ADVISORY_LOCK)       \
    X("pg_try_advisory_lock",        SQL_ADVISORY_LOCK)       \
    X("pg_try_advisory_lock_shared", SQL_ADVISORY_LOCK)       \
    X("pg_advisory_unlock",          SQL_ADVISORY_UNLOCK)     \
    X("pg_advisory_unlock_shared",   SQL_ADVISORY_UNLOCK)     \
    X("pg_advisory_unlock_all",      SQL_ADVISORY_UNLOCK)
/* clang-format on */

#define CALL_ROW(word, found) { word, sizeof(word) - 1, found },
#define CALL_LENGTH(word, found) | UINT32_C(1) << (sizeof(word) - 1)

static const struct {
    const char *word;
    size_t len;
    uint32_t flags;
} calls[] = { CALLS(CALL_ROW) };

static const uint32_t call_lengths = 0 CALLS(CALL_LENGTH);

/* What the function of this name does, if it is one of ours. */
static uint32_t
flags_of_call(struct slice name, bool is_quoted)
{
    if (name.len >= 32 || (call_lengths >> name.len & 1) == 0)
        return 0;
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        if (calls[i].len == name.len &&
            (is_quoted ? slice_is(name, calls[i].word) : text_is(name, calls[i].word)))
            return calls[i].flags;
    return 0;
}

/* A parenthesis opens behind the name l->prev. */
static inline void
on_call(struct look *l)
{
    bool is_quoted = l->prev.kind == SQL_QUOTED_NAME;
    struct slice name = l->prev.text;
    uint32_t found;

    if (is_quoted && name.len >= 2)
        name = slice_of(name.at + 1, name.len - 2);
    found = flags_of_call(name, is_quoted);
    if (LIKELY(found == 0))
        return;
    if (found != SQL_SET_CONFIG) {
        flag(l, found);
    } else if (l->call_count == CALLS_MOST) {
        flag(l, found);
        give_up_on_settings(l);
    } else {
        l->calls[l->call_count++] = (struct call){ .depth = l->depth + 1 };
    }
}

/* Whether the token may stand at POSITION of an argument that is one literal or parameter, cast or not. */
static bool
is_plain_at(const struct sql_token *t, unsigned position)
{
    if (position == 0)
        return t->kind == SQL_STRING || t->kind == SQL_PARAMETER || sql_token_is(t, "true");
    if (position % 2 == 1)
        return is_punctuation(t, "::");
    return sql_token_is(t, "text") || sql_token_is(t, "varchar") || sql_token_is(t, "bool") ||
           sql_token_is(t, "boolean");
}

/* Whether a token is TRUE, or a string that bool accepts for it. */
static bool
is_true(const struct look *l, const struct sql_token *t)
{
    static const char *const spellings[] = { "t", "true", "y", "yes", "on", "1" };
    char text[8];

    if (sql_token_is(t, "true"))
        return true;
    if (!sql_string_read(t, l->scan.standard_strings, text, sizeof text))
        return false;
    for (size_t i = 0; i < COUNT_OF(spellings); i++)
        if (text_is(slice_of_text(text), spellings[i]))
            return true;
    return false;
}

/* The innermost call of set_config() has ended. */
static void
call_end(struct look *l)
{
    const struct call *call = &l->calls[--l->call_count];
    bool is_complete = call->argument == 2 && call->position > 0;
    struct sql_setting *setting;

    if (is_complete && is_true(l, &call->local)) {
        flag(l, SQL_SET_CONFIG_LOCAL);
        return;
    }
    flag(l, SQL_SET_CONFIG);
    setting = setting_begin(l, SQL_BY_SET_CONFIG);
    if (setting == NULL)
        return;
    if (is_complete)
        setting->local_parameter = sql_parameter_read(&call->local);
    setting->name_parameter = sql_parameter_read(&call->name);
    if (setting->name_parameter == 0 &&
        !sql_string_read(&call->name, l->scan.standard_strings, setting->name, sizeof setting->name))
        give_up_on_settings(l);
    else
        setting_keep(l, setting);
}

static void
plain_feed(struct sql_token *argument, const struct sql_token *t, unsigned position)
{
    if (!is_plain_at(t, position))
        argument->kind = SQL_END;
    else if (position == 0)
        *argument = *t;
}

/* Another token while a call of set_config() is open. */
static void
call_feed(struct look *l)
{
    struct call *call = &l->calls[l->call_count - 1];

    if (call->depth != l->depth)
        return;
    if (is_punctuation(&l->t, ")")) {
        call_end(l);
    } else if (is_punctuation(&l->t, ",")) {
        call->argument++;
        call->position = 0;
    } else {
        if (call->argument == 0)
            plain_feed(&call->name, &l->t, call->position);
        if (call->argument == 2)
            plain_feed(&call->local, &l->t, call->position);
        call->position++;
    }
}

/* pg_temp, or the pg_temp_3 that it stands for. */
static bool
is_temp_schema(const struct sql_token *t)
{
    char name[SQL_NAME_MOST + 1];

    return sql_name_read(t, name, sizeof name) &&
           (strcmp(name, "pg_temp") == 0 || strncmp(name, "pg_temp_", strlen("pg_temp_")) == 0);
}

/* Behind SELECT … INTO. */
static void
on_into(struct look *l)
{
    if (sql_token_is(&l->t, "local") || sql_token_is(&l->t, "global") || sql_token_is(&l->t, "unlogged") ||
        sql_token_is(&l->t, "table"))
        return;
    l->watch = WATCH_NOT;
    if (sql_token_is(&l->t, "temp") || sql_token_is(&l->t, "temporary") || is_temp_schema(&l->t))
        flag(l, SQL_TEMP);
    else
        flag(l, SQL_DDL);
}

/* Behind UPDATE [ONLY]. */
static void
on_update(struct look *l)
{
    char name[SQL_NAME_MOST + 1];

    if (is_punctuation(&l->t, "."))
        return;
    if (!sql_name_read(&l->t, name, sizeof name) || sql_token_is(&l->t, "set"))
        l->watch = WATCH_NOT;
    else if (strcmp(name, "pg_settings") == 0)
        flag(l, SQL_SET_CONFIG | SQL_OPAQUE); /* the view's rule calls set_config() */
}

/* A token while something is watched for. */
static void
watch_feed(struct look *l)
{
    switch (l->watch) {
    case WATCH_NOT:
        break;
    case WATCH_INTO:
        on_into(l);
        break;
    case WATCH_UPDATE:
        on_update(l);
        break;
    case WATCH_CREATE:
        if (is_name(&l->t) && is_temp_schema(&l->t))
            flag(l, SQL_TEMP);
        break;
    }
}

/* A word that begins with I or U. */
static void
on_watched_word(struct look *l)
{
    if (l->watch == WATCH_CREATE || is_punctuation(&l->prev, "."))
        return;
    if (sql_token_is(&l->t, "update"))
        l->watch = WATCH_UPDATE;
    else if (sql_token_is(&l->t, "into") && !sql_token_is(&l->prev, "insert") &&
             !sql_token_is(&l->prev, "merge"))
        l->watch = WATCH_INTO;
}

/* First bytes of the tokens that on_token() does something about. */
static const bool is_watched[256] = {
    ['('] = true, [')'] = true, ['['] = true, [']'] = true, ['U'] = true,
    ['u'] = true, ['I'] = true, ['i'] = true, [';'] = true,
};

/* A token, other than SQL_END, that is_watched, or any while there is a call or something watched for. */
static void
on_token(struct look *l)
{
    uint8_t c = l->t.text.at[0];

    if (l->call_count != 0)
        call_feed(l);
    if (l->watch != WATCH_NOT)
        watch_feed(l);
    switch (l->t.kind) {
    case SQL_PUNCTUATION:
        if (c == '(' && is_name(&l->prev))
            on_call(l);
        if (c == '(' || c == '[')
            l->depth++;
        else if ((c == ')' || c == ']') && l->depth > 0)
            l->depth--;
        break;
    case SQL_WORD:
        if (fold(c) == 'i' || fold(c) == 'u')
            on_watched_word(l);
        break;
    case SQL_QUOTED_NAME:
        if (c != '"')
            flag(l, SQL_OPAQUE); /* U&"…" may spell anything */
        break;
    case SQL_STRING:
    case SQL_NUMBER:
    case SQL_PARAMETER:
    case SQL_SEMICOLON:
    case SQL_END:
        break;
    }
}

/* Takes one token. */
static void
advance(struct look *l)
{
    l->prev = l->t;
    l->scan.at = token_next(&l->scan, l->scan.at, &l->t);
    if (l->t.kind != SQL_END)
        on_token(l);
}

static inline bool
is_at_end(const struct look *l)
{
    return l->t.kind == SQL_END || (l->t.kind == SQL_SEMICOLON && l->depth == 0);
}

/* advance() for the handlers, which do not run often: it stays at the statement's end. */
static void
step(struct look *l)
{
    if (!is_at_end(l))
        advance(l);
}

static bool
is_at(const struct look *l, const char *word)
{
    return sql_token_is(&l->t, word);
}

static bool
is_at_one_of(const struct look *l, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_at(l, words[i]))
            return true;
    return false;
}

/*
 * Handlers. Each begins with its head word at hand.
 */

/* Before what a setting is set to, or between the parts of its name: then what stands before is no key word. */
static bool
is_behind_name(const struct look *l)
{
    return is_at(l, "to") || is_punctuation(&l->t, "=") || is_punctuation(&l->t, ".");
}

/* Adds the setting whose name begins with FIRST and goes on at the token at hand. */
static void
setting_add_parts(struct look *l, enum sql_how how, const struct sql_token *first)
{
    struct sql_setting *setting = setting_begin(l, how);
    struct sql_token part = *first;
    size_t len = 0;

    if (setting == NULL)
        return;
    for (;;) {
        if (!sql_name_read(&part, setting->name + len, sizeof setting->name - len)) {
            give_up_on_settings(l);
            return;
        }
        len += strlen(setting->name + len);
        if (!is_punctuation(&l->t, "."))
            break;
        if (len + 1 >= sizeof setting->name) {
            give_up_on_settings(l);
            return;
        }
        setting->name[len++] = '.';
        step(l);
        part = l->t;
        step(l);
    }
    setting_keep(l, setting);
}

/* Forms of SET and RESET that say their setting's name in their own words. */
static const struct {
    const char *word;
    const char *setting; /* NULL: nothing that outlives the transaction */
} special_sets[] = {
    { "local", NULL },           { "transaction", NULL },        { "constraints", NULL },
    { "time", "timezone" },      { "names", "client_encoding" }, { "role", "role" },
    { "schema", "search_path" }, { "xml", "xmloption" },         { "authorization", "session_authorization" },
};

static const char *const characteristics[] = {
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
};

static void
on_set(struct look *l)
{
    struct sql_token word;

    step(l);
    do { /* SESSION twice: SET SESSION SESSION AUTHORIZATION */
        word = l->t;
        step(l);
    } while (sql_token_is(&word, "session") && is_name(&l->t) && !is_behind_name(l));
    if (is_behind_name(l)) {
        flag(l, SQL_SETS);
        setting_add_parts(l, SQL_BY_SET, &word);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(special_sets); i++) {
        if (!sql_token_is(&word, special_sets[i].word))
            continue;
        if (special_sets[i].setting != NULL) {
            flag(l, SQL_SETS);
            setting_add(l, SQL_BY_SET, special_sets[i].setting);
        }
        return;
    }
    flag(l, SQL_SETS);
    if (sql_token_is(&word, "characteristics"))
        for (size_t i = 0; i < COUNT_OF(characteristics); i++)
            setting_add(l, SQL_BY_SET, characteristics[i]);
    else
        give_up_on_settings(l); /* no SET that PostgreSQL has had so far */
}

static void
on_reset(struct look *l)
{
    struct sql_token word;

    step(l);
    word = l->t;
    step(l);
    if (sql_token_is(&word, "all"))
        flag(l, SQL_RESETS_ALL);
    else if (sql_token_is(&word, "session") && is_at(l, "authorization"))
        setting_add(l, SQL_BY_RESET, "session_authorization");
    else if (sql_token_is(&word, "time") && is_at(l, "zone"))
        setting_add(l, SQL_BY_RESET, "timezone");
    else if (sql_token_is(&word, "transaction") && is_at(l, "isolation"))
        setting_add(l, SQL_BY_RESET, "transaction_isolation");
    else
        setting_add_parts(l, SQL_BY_RESET, &word);
}

static void
on_discard(struct look *l)
{
    step(l);
    if (is_at(l, "all"))
        flag(l, SQL_DISCARDS_ALL);
}

static void
on_prepare(struct look *l)
{
    struct sql_scan ahead;
    struct sql_token next;

    step(l);
    ahead = l->scan;
    if (is_at(l, "transaction") && sql_next(&ahead, &next) == SQL_STRING) {
        flag(l, SQL_COMMIT);
        return;
    }
    flag(l, SQL_PREPARE);
    named_add(l, SQL_BY_PREPARE);
}

static void
on_execute(struct look *l)
{
    step(l);
    named_add(l, SQL_BY_EXECUTE);
}

static void
on_deallocate(struct look *l)
{
    struct sql_scan ahead;
    struct sql_token next;

    step(l);
    ahead = l->scan;
    sql_next(&ahead, &next);
    if (is_at(l, "prepare") && is_name(&next)) /* else that is the statement's name */
        step(l);
    if (is_at(l, "all"))
        flag(l, SQL_DEALLOCATE_ALL);
    else
        named_add(l, SQL_BY_DEALLOCATE);
}

/* DECLARE name … CURSOR [WITH HOLD] FOR query. */
static void
on_declare(struct look *l)
{
    for (; !is_at_end(l) && !is_at(l, "for"); step(l))
        if (is_at(l, "hold") && sql_token_is(&l->prev, "with"))
            flag(l, SQL_HOLD_CURSOR);
}

/* [WORK | TRANSACTION] [AND [NO] CHAIN], and what is only half an end of a transaction. */
static void
on_transaction_end(struct look *l, enum sql_flag how)
{
    step(l);
    if (is_at(l, "prepared"))
        return; /* ends a transaction of no session */
    for (; !is_at_end(l); step(l)) {
        if (is_at(l, "to"))
            return; /* a savepoint */
        if (is_at(l, "chain") && sql_token_is(&l->prev, "and"))
            flag(l, SQL_BEGIN);
    }
    flag(l, how);
}

static void
on_commit(struct look *l)
{
    on_transaction_end(l, SQL_COMMIT);
}

static void
on_rollback(struct look *l)
{
    on_transaction_end(l, SQL_ROLLBACK);
}

static void
on_start(struct look *l)
{
    step(l);
    if (is_at(l, "transaction"))
        flag(l, SQL_BEGIN);
}

/* Words behind CREATE, ALTER and DROP that begin the name of a kind of object which no query's result
 * depends on. */
static const char *const shapeless[] = {
    "access",    "collation", "constraint", "conversion",   "database", "default",     "event",
    "group",     "index",     "language",   "large",        "policy",   "publication", "role",
    "sequence",  "server",    "statistics", "subscription", "system",   "tablespace",  "text",
    "transform", "trigger",   "unique",     "user",
};

static void
on_alter_or_drop(struct look *l)
{
    step(l);
    if (!is_at_one_of(l, shapeless, COUNT_OF(shapeless)))
        flag(l, SQL_DDL);
}

/* CREATE TABLE name … AS EXECUTE statement: the first AS outside of parentheses. */
static void
on_create_table(struct look *l)
{
    for (; !is_at_end(l); step(l)) {
        if (l->depth > 0 || !is_at(l, "as"))
            continue;
        step(l);
        if (is_at(l, "execute")) {
            flag(l, SQL_EXECUTE);
            on_execute(l);
        }
        return;
    }
}

/* CREATE FUNCTION … BEGIN ATOMIC statement; … END: the END that stands where a statement could. */
static void
on_create_routine(struct look *l)
{
    bool is_in_body = false, is_first = false;

    for (;; advance(l)) {
        if (l->t.kind == SQL_END || (!is_in_body && is_at_end(l)))
            return;
        if (l->depth > 0)
            continue;
        if (is_in_body && is_first && is_at(l, "end"))
            return;
        is_first = l->t.kind == SQL_SEMICOLON;
        if (!is_in_body && is_at(l, "atomic") && sql_token_is(&l->prev, "begin"))
            is_in_body = is_first = true;
    }
}

static void
on_create(struct look *l)
{
    static const char *const adjectives[] = { "or",        "replace",  "local",     "global",  "temp",
                                              "temporary", "unlogged", "recursive", "trusted", "procedural" };
    bool is_temp = false;

    l->watch = WATCH_CREATE;
    for (step(l); is_at_one_of(l, adjectives, COUNT_OF(adjectives)); step(l))
        is_temp = is_temp || is_at(l, "temp") || is_at(l, "temporary");
    if (is_temp)
        flag(l, SQL_TEMP);
    else if (!is_at_one_of(l, shapeless, COUNT_OF(shapeless)))
        flag(l, SQL_DDL);
    if (is_at(l, "table"))
        on_create_table(l);
    else if (is_at(l, "function") || is_at(l, "procedure"))
        on_create_routine(l);
}

static void on_explain(struct look *l);

/* What a statement's first word says. The common ones stand first. */
/* clang-format off */
static const struct head {
    const char *word;
    size_t len;
    uint32_t flags;
    void (*on)(struct look *l); /* NULL: the flags are all */
} heads[] = {
#define HEAD(word, flags, on) { word, sizeof(word) - 1, flags, on }
    HEAD("select",     0,                NULL),
    HEAD("insert",     0,                NULL),
    HEAD("update",     0,                NULL),
    HEAD("delete",     0,                NULL),
    HEAD("with",       0,                NULL),
    HEAD("begin",      SQL_BEGIN,        NULL),
    HEAD("commit",     0,                on_commit),
    HEAD("set",        0,                on_set),
    HEAD("abort",      0,                on_rollback),
    HEAD("alter",      0,                on_alter_or_drop),
    HEAD("call",       SQL_OPAQUE,       NULL),
    HEAD("close",      SQL_CLOSE_CURSOR, NULL),
    HEAD("copy",       SQL_COPY,         NULL),
    HEAD("create",     0,                on_create),
    HEAD("deallocate", SQL_DEALLOCATE,   on_deallocate),
    HEAD("declare",    0,                on_declare),
    HEAD("discard",    SQL_DISCARDS,     on_discard),
    HEAD("do",         SQL_OPAQUE,       NULL),
    HEAD("drop",       0,                on_alter_or_drop),
    HEAD("end",        0,                on_commit),
    HEAD("execute",    SQL_EXECUTE,      on_execute),
    HEAD("explain",    0,                on_explain),
    HEAD("import",     SQL_DDL,          NULL),
    HEAD("listen",     SQL_LISTEN,       NULL),
    HEAD("load",       SQL_LOAD,         NULL),
    HEAD("prepare",    0,                on_prepare),
    HEAD("reset",      SQL_RESETS,       on_reset),
    HEAD("rollback",   0,                on_rollback),
    HEAD("start",      0,                on_start),
    HEAD("unlisten",   SQL_UNLISTEN,     NULL),
#undef HEAD
};
/* clang-format on */

static const struct head *
head_of(const struct sql_token *t)
{
    for (size_t i = 0; t->kind == SQL_WORD && i < COUNT_OF(heads); i++)
        if (heads[i].len == t->text.len && text_is(t->text, heads[i].word))
            return &heads[i];
    return NULL;
}

static void
on_head(struct look *l, const struct head *head)
{
    flag(l, head->flags);
    if (head->on != NULL)
        head->on(l);
}

/* EXPLAIN [ANALYZE] [VERBOSE] statement, EXPLAIN (option, …) statement: it may be run. */
static void
on_explain(struct look *l)
{
    const struct head *head;

    step(l);
    if (is_punctuation(&l->t, "(")) {
        while (!is_at_end(l) && l->depth > 0)
            step(l);
        step(l);
    }
    while (is_at(l, "analyze") || is_at(l, "analyse") || is_at(l, "verbose"))
        step(l);
    head = head_of(&l->t);
    if (head != NULL && head->on != on_explain)
        on_head(l, head);
}

/* advance() to the statement's end. Most texts pass through here: what nobody looks at stays in registers. */
static void
rest_look(struct look *l)
{
    const uint8_t *p = l->scan.at;
    struct sql_token t = l->t, prev = l->prev;

    while (t.kind != SQL_END && (t.kind != SQL_SEMICOLON || l->depth > 0)) {
        prev = t;
        p = token_next(&l->scan, p, &t);
        if (t.kind != SQL_END && (is_watched[t.text.at[0]] || l->call_count != 0 || l->watch != WATCH_NOT)) {
            l->prev = prev;
            l->t = t;
            on_token(l);
        }
    }
    l->prev = prev;
    l->t = t;
    l->scan.at = p;
}

/* The statement whose first token is at hand, to its end. */
static void
statement_look(struct look *l)
{
    const struct head *head = head_of(&l->t);

    if (head != NULL)
        on_head(l, head);
    rest_look(l);
}

static void
statement_begin(struct look *l)
{
    l->depth = 0;
    l->watch = WATCH_NOT;
    l->call_count = 0;
    advance(l);
}

void
sql_look(struct slice sql, bool standard_strings, struct sql_findings *out)
{
    struct look l;

    l.t = (struct sql_token){ 0 };
    l.out = out;
    sql_scan_init(&l.scan, sql, standard_strings);
    l.text = l.scan.at;
    out->flags = 0;
    out->statements = 0;
    out->settings_are_partial = false;
    out->named_are_partial = false;
    out->setting_count = 0;
    out->named_count = 0;
    for (statement_begin(&l); l.t.kind != SQL_END; statement_begin(&l)) {
        if (l.t.kind == SQL_SEMICOLON)
            continue;
        out->statements++;
        statement_look(&l);
        if (l.t.kind == SQL_END)
            break;
    }
    out->is_unterminated = l.scan.is_unterminated;
}
