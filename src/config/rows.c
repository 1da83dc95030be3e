/*
 * rows.c - files like pg_hba.conf, taken apart into rows, fields and words. What they mean is not known here.
 *
 *     text -> logical lines -> fields -> words, of which `@file` is replaced by the words of that file
 */
#include "rows_impl.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"

/* What is being read. */
struct reader {
    struct rows *rows;
    file_reader *read;
    struct problems *problems;
    unsigned depth; /* of files in files */
};

/* One logical line, or one file of words. */
struct cursor {
    const char *at; /* NUL-terminated */
    struct place place;
};

/* ---- life ---- */

static void
field_fini(struct field *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->words[i].text);
    free(f->words);
}

static void
row_fini(struct row *r)
{
    for (size_t i = 0; i < r->count; i++)
        field_fini(&r->fields[i]);
    free(r->fields);
}

void
rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        row_fini(&rows->at[i]);
    for (size_t i = 0; i < rows->file_count; i++)
        free(rows->files[i]);
    free(rows->at);
    free(rows->files);
}

/* ---- words ---- */

bool
word_is(const struct word *word, const char *keyword)
{
    return !word->is_quoted && strcmp(word->text, keyword) == 0;
}

enum word_kind
word_compile(const struct word *word, struct pattern *pattern, struct place place, struct problems *problems)
{
    struct error why;

    if (word->text[0] != '/')
        return WORD_NAME;
    if (pattern_compile(word->text + 1, pattern, &why) == ERR_NONE)
        return WORD_PATTERN;
    problem_add(problems, place, "invalid regular expression `%.200s`: %s", word->text + 1, why.text);
    return WORD_BAD;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/* Moves over blanks, commas and comments to the next word. False at the end. */
static bool
find_word(struct cursor *c)
{
    while (is_blank(*c->at) || *c->at == ',' || *c->at == '#') {
        if (*c->at == '#')
            c->at += strcspn(c->at, "\n");
        else
            c->at++;
    }
    return *c->at != '\0';
}

/* Takes the word that the cursor stands on; false when a quote is not closed. *ENDS_IN_COMMA: the list goes
 * on. */
static bool
take_word(struct cursor *c, struct word *out, bool *ends_in_comma)
{
    struct buf text;
    bool is_inside = false;

    buf_init(&text);
    out->is_quoted = *c->at == '"';
    for (; *c->at != '\0'; c->at++) {
        if (*c->at == '"' && is_inside && c->at[1] == '"') {
            buf_add_u8(&text, '"');
            c->at++;
        } else if (*c->at == '"') {
            is_inside = !is_inside;
        } else if (!is_inside && (is_blank(*c->at) || *c->at == ',' || *c->at == '#')) {
            break;
        } else {
            buf_add_u8(&text, (uint8_t)*c->at);
        }
    }
    *ends_in_comma = *c->at == ',';
    out->text = mem_text_of(buf_slice(&text));
    buf_release(&text);
    return !is_inside;
}

static void
field_add(struct field *f, struct word word)
{
    f->words = mem_grow(f->words, f->count + 1, sizeof(*f->words));
    f->words[f->count++] = word;
}

/* ---- files ---- */

/* NAME as seen from the file at PLACE; kept by the rows. */
static const char *
file_beside(struct reader *r, const char *name, struct place place)
{
    const char *slash = strrchr(place.file, '/');
    struct rows *rows = r->rows;

    rows->files = mem_grow(rows->files, rows->file_count + 1, sizeof(*rows->files));
    if (name[0] == '/' || slash == NULL)
        rows->files[rows->file_count] = mem_text(name);
    else
        rows->files[rows->file_count] = mem_format("%.*s/%s", (int)(slash - place.file), place.file, name);
    return rows->files[rows->file_count++];
}

enum content { CONTENT_THERE, CONTENT_MISSING, CONTENT_BAD };

/* The text of FILE, NUL-terminated, without NUL bytes inside. What is wrong, save that it is missing, is
 * told. */
static enum content
file_content(struct reader *r, const char *file, struct place place, struct buf *out, struct error *why)
{
    struct file_facts facts;
    enum err e;

    if (r->depth >= ROWS_DEPTH_MOST) {
        problem_add(r->problems, place, "`%.200s`: files are nested too deeply", file);
        return CONTENT_BAD;
    }
    e = r->read(file, out, &facts, why);
    if (e == ERR_NOT_FOUND)
        return CONTENT_MISSING;
    if (e != ERR_NONE) {
        problem_add(r->problems, place, "%s", why->text);
        return CONTENT_BAD;
    }
    if (buf_len(out) > 0 && memchr(buf_slice(out).at, '\0', buf_len(out)) != NULL) {
        problem_add(r->problems, (struct place){ file, 0 }, "the file has a NUL byte in it");
        return CONTENT_BAD;
    }
    buf_add_u8(out, '\0');
    return CONTENT_THERE;
}

static const char *
content_text(const struct buf *content)
{
    const char *text = (const char *)buf_slice(content).at;

    return strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
}

static bool take_words_of(struct reader *r, struct cursor *c, struct field *f);

/* Adds the words of the file NAME to F. */
static bool
add_file_words(struct reader *r, const char *name, struct place place, struct field *f)
{
    const char *file = file_beside(r, name, place);
    struct cursor inside = { .place = { file, 0 } };
    struct buf text;
    struct error why;
    bool is_good = false;

    buf_init(&text);
    switch (file_content(r, file, place, &text, &why)) {
    case CONTENT_THERE:
        inside.at = content_text(&text);
        is_good = true;
        r->depth++;
        while (is_good && find_word(&inside))
            is_good = take_words_of(r, &inside, f);
        r->depth--;
        break;
    case CONTENT_MISSING:
        problem_add(r->problems, place, "%s", why.text);
        break;
    case CONTENT_BAD:
        break;
    }
    buf_release(&text);
    return is_good;
}

/* Takes one field, which is where the cursor stands; false when something was wrong, and told. */
static bool
take_words_of(struct reader *r, struct cursor *c, struct field *f)
{
    bool goes_on = true;

    while (goes_on && find_word(c)) {
        struct word word;

        if (!take_word(c, &word, &goes_on)) {
            problem_add(r->problems, c->place, "a quote is not closed");
            free(word.text);
            return false;
        }
        if (!word.is_quoted && word.text[0] == '@' && word.text[1] != '\0') {
            bool is_good = add_file_words(r, word.text + 1, c->place, f);

            free(word.text);
            if (!is_good)
                return false;
        } else {
            field_add(f, word);
        }
    }
    return true;
}

/* ---- rows ---- */

static void read_file(struct reader *r, const char *file, struct place place, bool may_be_missing);

/* True when ROW was an include of some kind, and is dealt with. */
static bool
take_include(struct reader *r, const struct row *row)
{
    const struct word *first = &row->fields[0].words[0];
    bool if_exists = word_is(first, "include_if_exists");

    if (word_is(first, "include_dir")) {
        problem_add(r->problems, row->place, "include_dir is not supported; include each file");
        return true;
    }
    if (!if_exists && !word_is(first, "include"))
        return false;
    if (row->count != 2 || row->fields[1].count != 1)
        problem_add(r->problems, row->place, "expected `%s` and one file name", first->text);
    else
        read_file(r, file_beside(r, row->fields[1].words[0].text, row->place), row->place, if_exists);
    return true;
}

static void
read_row(struct reader *r, char *line, struct place place)
{
    struct cursor c = { .at = line, .place = place };
    struct row row = { .place = place };
    bool is_good = true;

    while (is_good && find_word(&c)) {
        struct field f = { .words = NULL };

        is_good = take_words_of(r, &c, &f);
        row.fields = mem_grow(row.fields, row.count + 1, sizeof(*row.fields));
        row.fields[row.count++] = f;
        if (is_good && f.count == 0) {
            problem_add(r->problems, place, "field %zu is empty", row.count);
            is_good = false;
        }
    }
    if (!is_good || row.count == 0 || take_include(r, &row)) {
        row_fini(&row);
        return;
    }
    r->rows->at = mem_grow(r->rows->at, r->rows->count + 1, sizeof(*r->rows->at));
    r->rows->at[r->rows->count++] = row;
}

/* Joins lines that end in a backslash, in place, and shows each logical line to read_row(). */
static void
read_lines(struct reader *r, char *text, const char *file)
{
    struct place place = { .file = file };
    unsigned line = 0;

    while (*text != '\0') {
        char *start = text, *to = text;

        place.line = ++line;
        for (;;) {
            size_t len = strcspn(text, "\n");
            size_t kept = len > 0 && text[len - 1] == '\r' ? len - 1 : len;
            bool is_joined = kept > 0 && text[kept - 1] == '\\' && text[len] == '\n';

            kept -= is_joined;
            memmove(to, text, kept);
            to += kept;
            text += len + (text[len] == '\n');
            if (!is_joined)
                break;
            line++;
        }
        if (to < text)
            *to = '\0';
        read_row(r, start, place);
    }
}

static void
read_file(struct reader *r, const char *file, struct place place, bool may_be_missing)
{
    struct buf text;
    struct error why;

    buf_init(&text);
    switch (file_content(r, file, place, &text, &why)) {
    case CONTENT_THERE:
        r->depth++;
        read_lines(r,
                   (char *)text.at + text.start + (content_text(&text) - (const char *)buf_slice(&text).at),
                   file);
        r->depth--;
        break;
    case CONTENT_MISSING:
        if (!may_be_missing)
            problem_add(r->problems, place, "%s", why.text);
        break;
    case CONTENT_BAD:
        break;
    }
    buf_release(&text);
}

void
rows_read(struct rows *out, const char *file, struct place place, file_reader *read,
          struct problems *problems)
{
    struct reader r = { .rows = out, .read = read, .problems = problems };

    *out = (struct rows){ .at = NULL };
    out->files = mem_grow(NULL, 1, sizeof(*out->files));
    out->files[out->file_count++] = mem_text(file);
    read_file(&r, out->files[0], place, false);
}
