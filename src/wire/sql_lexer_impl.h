/*
 * sql_lexer_impl.h - PostgreSQL's tokens: one switch on the first byte, then a loop for the kind found.
 *
 *     Words, names and strings are skipped eight bytes at a time: this runs over every text that a client
 *     sends,
 *     and most are SELECTs in which nothing is to be found. It is a header so that it becomes part of the two
 *     loops that call it: sql_next(), and sql_look()'s own.
 *
 *     Invariants: every byte is looked at a bounded number of times; no token but SQL_END is empty; what
 *     stands
 *     between two tokens is blanks and comments.
 */
#ifndef PGWEIR_WIRE_SQL_LEXER_IMPL_H
#define PGWEIR_WIRE_SQL_LEXER_IMPL_H

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
 * round. Folding takes some control characters for digits and a DEL for _: no SQL has those outside of
 * quotes.
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

/* Behind the QUOTE that ends what P is in. Before ESCAPE's follower nothing ends; no escapes: ESCAPE is
 * QUOTE. */
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

/* The quote that continues a string which ended before P: on another line, with blanks and -- comments
 * between. */
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

/* P is at an operator that is no comment. A run of + and - that is cut off is remembered, or each of its
 * bytes
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

/*
 * What a token is.
 */

static inline bool
text_is(struct slice text, const char *word)
{
    size_t i = 0;

    while (i < text.len && fold(text.at[i]) == (uint8_t)word[i])
        i++; /* no text holds a NUL where word ends: words and operators have none */
    return i == text.len && word[i] == '\0';
}

static inline bool
is_punctuation(const struct sql_token *t, const char *text)
{
    return t->kind == SQL_PUNCTUATION && text_is(t->text, text);
}

static inline bool
is_name(const struct sql_token *t)
{
    return t->kind == SQL_WORD || t->kind == SQL_QUOTED_NAME;
}

#endif
