/*
 * sql_fingerprint.c - texts that are the same but for their constants; and names that may be those of settings
 * where nobody can read the text: in the body of a DO.
 */
#include "sql_lexer_impl.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct print {
    uint64_t hash;
    char *out;
    size_t size;
    size_t len;
    uint8_t last;            /* byte told; 0: none was */
    bool is_behind_constant; /* the last token was one */
    bool is_comma_due;       /* and a comma followed */
    bool is_semicolon_due;
};

static void
print_byte(struct print *p, uint8_t byte)
{
    p->hash = (p->hash ^ byte) * FNV_PRIME;
    p->last = byte;
    if (p->len + 1 < p->size)
        p->out[p->len++] = (char)byte;
}

static bool
is_close(const struct sql_token *t)
{
    return t->kind == SQL_PUNCTUATION && t->text.len == 1 && strchr("),.]", t->text.at[0]) != NULL;
}

static void
print_token(struct print *p, const struct sql_token *t)
{
    bool is_open = p->last == '(' || p->last == '.' || p->last == '[';

    if (p->last != 0 && !is_open && !is_close(t))
        print_byte(p, ' ');
    for (size_t i = 0; i < t->text.len; i++)
        print_byte(p, t->kind == SQL_WORD ? fold(t->text.at[i]) : t->text.at[i]);
}

static void
print_due(struct print *p)
{
    static const struct sql_token comma = { SQL_PUNCTUATION, { (const uint8_t *)",", 1 } };
    static const struct sql_token semicolon = { SQL_SEMICOLON, { (const uint8_t *)";", 1 } };

    if (p->is_comma_due)
        print_token(p, &comma);
    if (p->is_semicolon_due)
        print_token(p, &semicolon);
    p->is_comma_due = p->is_semicolon_due = false;
}

static bool
is_constant(const struct sql_token *t)
{
    return t->kind == SQL_STRING || t->kind == SQL_NUMBER || t->kind == SQL_PARAMETER;
}

uint64_t
sql_fingerprint(struct slice sql, bool standard_strings, char *out, size_t size)
{
    static const struct sql_token constant = { SQL_PUNCTUATION, { (const uint8_t *)"?", 1 } };
    struct print p = { .hash = FNV_BASIS, .out = out, .size = size };
    struct sql_scan scan;
    struct sql_token t;

    sql_scan_init(&scan, sql, standard_strings);
    while (sql_next(&scan, &t) != SQL_END) {
        if (t.kind == SQL_SEMICOLON) { /* one at the end is none */
            p.is_semicolon_due = true;
        } else if (p.is_behind_constant && !p.is_comma_due && is_punctuation(&t, ",")) {
            p.is_comma_due = true;
            continue;
        } else if (p.is_comma_due && is_constant(&t)) {
            p.is_comma_due = false;
            continue;
        } else {
            print_due(&p);
            print_token(&p, is_constant(&t) ? &constant : &t);
        }
        p.is_behind_constant = is_constant(&t);
    }
    if (size > 0)
        out[p.len] = '\0';
    return p.hash != 0 ? p.hash : 1;
}

/* --- names --- */

static bool
is_name_byte(uint8_t c)
{
    return is_letter(c) || is_digit(c) || c == '$';
}

/* The end of the dotted name at the beginning of S; 0: there is none. */
static size_t
dotted_len(struct slice s)
{
    size_t i = 0, dots = 0;

    if (s.len == 0 || !is_letter(s.at[0]))
        return 0;
    while (i < s.len &&
           (is_name_byte(s.at[i]) || (s.at[i] == '.' && s.len - i > 1 && is_letter(s.at[i + 1]))))
        dots += s.at[i++] == '.';
    return dots > 0 ? i : 0;
}

/* Whether what stands before AT in TEXT is a quote, or SET [SESSION]. */
static bool
is_announced(const uint8_t *text, const uint8_t *at)
{
    const uint8_t *end = at;
    const uint8_t *word;
    struct slice name;

    if (at > text && at[-1] == '\'')
        return true;
    while (end > text && is_blank(end[-1]))
        end--;
    for (word = end; word > text && is_name_byte(word[-1]);)
        word--;
    name = slice_of(word, (size_t)(end - word));
    return end < at && (text_is(name, "set") || text_is(name, "session"));
}

bool
sql_next_dotted_name(struct slice *sql, char *out, size_t size)
{
    const uint8_t *text = sql->at;
    const uint8_t *p = text, *end = text + sql->len;

    while (p < end) {
        size_t len = dotted_len(slice_of(p, (size_t)(end - p)));

        if (len > 0 && len < size && is_announced(text, p)) {
            memcpy(out, p, len);
            out[len] = '\0';
            *sql = slice_of(p + len, (size_t)(end - p) - len);
            return true;
        }
        if (len > 0)
            p += len;
        else if (is_name_byte(*p)) /* no name begins within a word */
            while (p < end && is_name_byte(*p))
                p++;
        else
            p++;
    }
    *sql = slice_of(end, 0);
    return false;
}
