/*
 * pattern.c - from PostgreSQL's advanced regular expressions to POSIX extended ones with GNU's extensions, escape by escape.
 *
 *     \d+(?:x|\t)[\w.]   ->   [[:digit:]]+(x|<tab>)[[:alnum:]_.]
 *
 * Whether a name matches does not depend on greed, but what a group holds does: so non-greedy quantifiers are refused, not read as others.
 */
#include "pattern_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/buf.h"

#define NAME_MATCHED_MOST 1024 /* bytes; longer names are shown to no pattern */
#define GROUPS_MOST 20u

struct translation {
    const char *at; /* what is still to be read; NUL-terminated */
    struct buf out;
    unsigned groups;                    /* of the result so far */
    unsigned captures;                  /* of the original */
    unsigned group_of[GROUPS_MOST + 1]; /* capture -> group */
    bool is_nocase;
    bool is_quantifiable; /* the last thing was one that a quantifier may follow */
    struct error *why;
};

static enum err
refuse(struct translation *t, const char *what)
{
    return error_set(t->why, ERR_SYNTAX, "%s", what);
}

static void
add_char(struct translation *t, char c)
{
    buf_add_u8(&t->out, (uint8_t)c);
}

/* A letter that stands for itself. */
static void
add_literal(struct translation *t, char c, bool is_in_bracket)
{
    if (is_in_bracket && strchr("]^-[", c) != NULL) {
        buf_add_format(&t->out, "[.%c.]", c);
        return;
    }
    if (!is_in_bracket && strchr(".[]()*+?{}|^$\\", c) != NULL)
        add_char(t, '\\');
    add_char(t, c);
}

/* A character by its number, in UTF-8 where it needs more than one byte. */
static enum err
add_code(struct translation *t, unsigned long code, bool is_in_bracket)
{
    if (code == 0 || code > 0x10FFFF)
        return refuse(t, "an escape names no character that could be in a name");
    if (code < 0x80) {
        add_literal(t, (char)code, is_in_bracket);
        return ERR_NONE;
    }
    if (is_in_bracket)
        return refuse(t, "characters beyond ASCII are not supported in brackets");
    if (code >= 0x10000) {
        add_char(t, (char)(0xF0 | code >> 18));
        add_char(t, (char)(0x80 | (code >> 12 & 0x3F)));
    } else if (code >= 0x800) {
        add_char(t, (char)(0xE0 | code >> 12));
    }
    if (code >= 0x800)
        add_char(t, (char)(0x80 | (code >> 6 & 0x3F)));
    else
        add_char(t, (char)(0xC0 | code >> 6));
    add_char(t, (char)(0x80 | (code & 0x3F)));
    return ERR_NONE;
}

/* The hexadecimal digits at the cursor, MOST of them (all of them needed if IS_EXACT). */
static enum err
take_hex(struct translation *t, unsigned most, bool is_exact, bool is_in_bracket)
{
    char digits[9] = "";
    unsigned count = 0;

    while (count < most && isxdigit((unsigned char)t->at[count])) {
        digits[count] = t->at[count];
        count++;
    }
    if (count == 0 || (is_exact && count < most))
        return refuse(t, "an escape lacks its digits");
    t->at += count;
    return add_code(t, strtoul(digits, NULL, 16), is_in_bracket);
}

/* \d and friends; false when C is none of them. */
static bool
add_class(struct translation *t, char c, bool is_in_bracket)
{
    static const struct {
        char letter;
        const char *inside;
    } classes[] = { { 'd', "[:digit:]" }, { 's', "[:space:]" }, { 'w', "[:alnum:]_" } };

    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (classes[i].letter != tolower((unsigned char)c))
            continue;
        if (is_in_bracket)
            buf_add_text(&t->out, classes[i].inside);
        else
            buf_add_format(&t->out, "[%s%s]", isupper((unsigned char)c) ? "^" : "", classes[i].inside);
        return true;
    }
    return false;
}

/* \y and friends: between characters. */
static const char *
constraint_of(char c)
{
    switch (c) {
    case 'A':
        return "\\`";
    case 'Z':
        return "\\'";
    case 'm':
        return "\\<";
    case 'M':
        return "\\>";
    case 'y':
        return "\\b";
    case 'Y':
        return "\\B";
    default:
        return NULL;
    }
}

/* What a letter behind a backslash means as a character; 0: nothing. */
static char
character_of(char c)
{
    static const char pairs[] = "a\ab\be\033f\fn\nr\rt\tv\v";

    for (size_t i = 0; pairs[i] != '\0'; i += 2)
        if (pairs[i] == c)
            return pairs[i + 1];
    return '\0';
}

static enum err
take_reference(struct translation *t, char digit)
{
    unsigned number = (unsigned)(digit - '0');

    if (number > t->captures || isdigit((unsigned char)*t->at) || t->group_of[number] > 9)
        return refuse(t, "a reference names no group");
    buf_add_format(&t->out, "\\%u", t->group_of[number]);
    return ERR_NONE;
}

/* What follows a backslash. */
static enum err
take_escape(struct translation *t, bool is_in_bracket)
{
    char c = *t->at;
    const char *constraint = is_in_bracket ? NULL : constraint_of(c);

    t->is_quantifiable = constraint == NULL;
    if (c == '\0')
        return refuse(t, "it ends in a backslash");
    t->at++;
    if (!isalnum((unsigned char)c)) {
        add_literal(t, c, is_in_bracket);
        return ERR_NONE;
    }
    if (is_in_bracket && strchr("DSW", c) != NULL)
        return refuse(t, "\\D, \\S and \\W are not allowed in brackets");
    if (add_class(t, c, is_in_bracket))
        return ERR_NONE;
    if (constraint != NULL) {
        buf_add_text(&t->out, constraint);
        return ERR_NONE;
    }
    if (character_of(c) != '\0')
        return add_code(t, (unsigned char)character_of(c), is_in_bracket);
    if (c == 'B')
        return add_code(t, '\\', is_in_bracket);
    if (c == 'c' && *t->at != '\0')
        return add_code(t, (unsigned char)*t->at++ & 0x1F, is_in_bracket);
    if (c == 'x')
        return take_hex(t, 8, false, is_in_bracket);
    if (c == 'u' || c == 'U')
        return take_hex(t, c == 'u' ? 4 : 8, true, is_in_bracket);
    if (c >= '1' && c <= '9' && !is_in_bracket)
        return take_reference(t, c);
    return refuse(t, "it has an escape that PostgreSQL does not know");
}

/* [:class:], [.x.], [=x=] inside of brackets, as it is. */
static enum err
take_named(struct translation *t)
{
    const char end[] = { t->at[1], ']', '\0' };
    const char *behind = strstr(t->at + 2, end);

    if (behind == NULL)
        return refuse(t, "a bracket is not closed");
    buf_add(&t->out, slice_of(t->at, (size_t)(behind + 2 - t->at)));
    t->at = behind + 2;
    return ERR_NONE;
}

/* Behind the opening bracket. */
static enum err
take_bracket(struct translation *t)
{
    enum err e = ERR_NONE;

    t->is_quantifiable = true;
    if (strncmp(t->at, "[:<:]]", 6) == 0 || strncmp(t->at, "[:>:]]", 6) == 0) {
        buf_add_format(&t->out, "\\%c", t->at[2]);
        t->at += 6;
        return ERR_NONE;
    }
    add_char(t, '[');
    if (*t->at == '^')
        add_char(t, *t->at++);
    if (*t->at == ']')
        add_char(t, *t->at++);
    while (e == ERR_NONE && *t->at != ']') {
        if (*t->at == '\0')
            return refuse(t, "a bracket is not closed");
        if (*t->at == '[' && strchr(":.=", t->at[1]) != NULL && t->at[1] != '\0') {
            e = take_named(t);
        } else if (*t->at == '\\') {
            t->at++;
            e = take_escape(t, true);
        } else {
            add_char(t, *t->at++);
        }
    }
    if (e == ERR_NONE)
        add_char(t, *t->at++);
    return e;
}

/* Behind an opening parenthesis. */
static enum err
take_group(struct translation *t)
{
    bool is_capture = *t->at != '?';

    if (!is_capture && t->at[1] != ':')
        return refuse(t, "looking ahead and behind, and options in the middle, are not supported");
    if (t->groups == GROUPS_MOST)
        return refuse(t, "it has too many groups");
    t->groups++;
    if (is_capture)
        t->group_of[++t->captures] = t->groups;
    else
        t->at += 2;
    add_char(t, '(');
    t->is_quantifiable = false;
    return ERR_NONE;
}

/* A quantifier, from its first letter C on, which has been read. */
static enum err
take_quantifier(struct translation *t, char c)
{
    add_char(t, c);
    if (c == '{') {
        size_t span = strspn(t->at, "0123456789,");

        if (t->at[span] != '}')
            return refuse(t, "a brace is not closed");
        buf_add(&t->out, slice_of(t->at, span + 1));
        t->at += span + 1;
    }
    if (*t->at == '?')
        return refuse(t, "non-greedy quantifiers are not supported");
    t->is_quantifiable = false;
    return ERR_NONE;
}

static enum err
take_one(struct translation *t)
{
    char c = *t->at++;

    if (c == '\\')
        return take_escape(t, false);
    if (c == '[')
        return take_bracket(t);
    if (c == '(')
        return take_group(t);
    if (c == '{' && !isdigit((unsigned char)*t->at)) {
        add_literal(t, c, false);
        t->is_quantifiable = true;
        return ERR_NONE;
    }
    if (strchr("*+?{", c) != NULL)
        return t->is_quantifiable ? take_quantifier(t, c) : refuse(t, "a quantifier has nothing before it");
    t->is_quantifiable = strchr("|^$", c) == NULL;
    add_char(t, c);
    return ERR_NONE;
}

/* ***= makes the rest a plain text, ***: and (?…) say how it is written. */
static enum err
take_front(struct translation *t)
{
    if (strncmp(t->at, "***=", 4) == 0) {
        for (t->at += 4; *t->at != '\0'; t->at++)
            add_literal(t, *t->at, false);
        return ERR_NONE;
    }
    if (strncmp(t->at, "***:", 4) == 0)
        t->at += 4;
    if (strncmp(t->at, "(?", 2) != 0 || !isalpha((unsigned char)t->at[2]))
        return ERR_NONE;
    for (t->at += 2; *t->at != ')'; t->at++) {
        if (*t->at != 'i' && *t->at != 'c')
            return refuse(t, "of the options at the front i and c alone are supported");
        t->is_nocase = *t->at == 'i';
    }
    t->at++;
    return ERR_NONE;
}

static enum err
compile(struct translation *t, struct pattern *out)
{
    char reason[128];
    int failed;

    buf_add_u8(&t->out, 0);
    failed = regcomp(&out->compiled, (const char *)buf_slice(&t->out).at,
                     REG_EXTENDED | (t->is_nocase ? REG_ICASE : 0));
    if (failed == 0) {
        out->first_group = t->captures > 0 ? t->group_of[1] : 0;
        return ERR_NONE;
    }
    regerror(failed, &out->compiled, reason, sizeof(reason));
    return refuse(t, reason);
}

enum err
pattern_compile(const char *text, struct pattern *out, struct error *why)
{
    struct translation t = { .at = text, .why = why };
    enum err e;

    if (strlen(text) > PATTERN_BYTES_MOST)
        return error_set(why, ERR_LIMIT, "it is longer than %d bytes", PATTERN_BYTES_MOST);
    buf_init(&t.out);
    e = take_front(&t);
    while (e == ERR_NONE && *t.at != '\0')
        e = take_one(&t);
    if (e == ERR_NONE)
        e = compile(&t, out);
    buf_release(&t.out);
    return e;
}

void
pattern_free(struct pattern *p)
{
    regfree(&p->compiled);
}

bool
pattern_matches(const struct pattern *p, const char *name)
{
    return strlen(name) <= NAME_MATCHED_MOST && regexec(&p->compiled, name, 0, NULL, 0) == 0;
}

bool
pattern_matches_group(const struct pattern *p, const char *name, struct slice *group)
{
    regmatch_t at[GROUPS_MOST + 1];
    const regmatch_t *of = &at[p->first_group];

    if (strlen(name) > NAME_MATCHED_MOST || regexec(&p->compiled, name, COUNT_OF(at), at, 0) != 0 ||
        of->rm_so < 0)
        return false;
    *group = slice_of(name + of->rm_so, (size_t)(of->rm_eo - of->rm_so));
    return true;
}
