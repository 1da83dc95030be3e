/*
 * ini.c - reading the ini dialect through inih.
 *
 *     file -> lines -> line_read() -> give_line() -> inih -> take_line() -> struct ini
 *                         key, value of this line ------------^
 *
 *     inih's line length, inline comments, continuation lines and `:` separators are compile-time choices of
 *     whoever packaged it (Debian: 200 bytes, yes, yes, yes). So a reader of ours takes each line apart and
 *     hands inih a short one of the same shape, `[section]` or `entry=1`, that every build of inih reads
 *     alike; inih keeps the sections and calls back line by line, and the real key and value, of any length,
 *     wait beside it in struct ini_reading.
 *
 *     Invariants: inih calls take_line() before it asks for the next line, so reading.key and reading.value
 *     are those of the line last given. Behind each section line goes a `section=1`, so that empty sections
 *     are heard of.
 */
#include "ini_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "connstr_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"

#define GIVEN_ENTRY "entry"
#define GIVEN_SECTION "section"
#define GIVEN_UNKNOWN "?" /* in place of a section name that is not ours */

static const char *const section_names[INI_SECTIONS] = {
    [INI_NONE] = "",
    [INI_UNKNOWN] = GIVEN_UNKNOWN,
    [INI_PGWEIR] = "pgweir",
    [INI_PGBOUNCER] = "pgbouncer",
    [INI_DATABASES] = "databases",
    [INI_USERS] = "users",
    [INI_PEERS] = "peers",
};

/* A file that is being read. */
struct ini_source {
    struct ini_file *file;
    struct buf text; /* the whole file; what was read is dropped */
    unsigned line;
};

struct ini_reading {
    struct ini *ini;
    file_reader *read;
    struct problems *problems;
    struct ini_source sources[INI_DEPTH_MOST]; /* the innermost last */
    unsigned depth;
    bool is_section_fresh; /* inih has a section line and must be given its GIVEN_SECTION */
    struct buf line;       /* the line being read, NUL-terminated; key and value point into it */
    char *key, *value;
};

enum line_kind { LINE_EMPTY, LINE_SECTION, LINE_ENTRY };

static struct place
reading_place(const struct ini_reading *r)
{
    const struct ini_source *source = &r->sources[r->depth - 1];

    return (struct place){ source->file->path, source->line };
}

/* ---- files ---- */

static bool
is_same_file(const struct ini_file *a, const struct ini_file *b)
{
    if (a->facts.inode != 0 && b->facts.inode != 0)
        return a->facts.inode == b->facts.inode && a->facts.device == b->facts.device;
    return strcmp(a->path, b->path) == 0;
}

static bool
is_being_read(const struct ini_reading *r, const struct ini_file *file)
{
    for (unsigned i = 0; i < r->depth; i++)
        if (is_same_file(r->sources[i].file, file))
            return true;
    return false;
}

static void
ini_file_free(struct ini_file *file)
{
    free(file->path);
    free(file);
}

static void
reading_push(struct ini_reading *r, struct ini_file *file, struct buf text)
{
    struct ini *ini = r->ini;

    ini->files = mem_grow(ini->files, ini->file_count + 1, sizeof(*ini->files));
    ini->files[ini->file_count++] = file;
    r->sources[r->depth++] = (struct ini_source){ .file = file, .text = text };
}

static void
reading_pop(struct ini_reading *r)
{
    buf_wipe(&r->sources[--r->depth].text);
}

/* Begins with the file at PATH; a byte order mark is no part of its first line. */
static enum err
reading_open(struct ini_reading *r, const char *path, struct error *why)
{
    struct ini_file *file = mem_new(sizeof(*file));
    struct buf text;
    enum err e;

    buf_init(&text);
    file->path = mem_text(path);
    e = r->read(path, &text, &file->facts, why);
    if (e == ERR_NONE && is_being_read(r, file))
        e = error_set(why, ERR_CONFIG, "`%.200s` includes itself", path);
    if (e != ERR_NONE) {
        buf_wipe(&text);
        ini_file_free(file);
        return e;
    }
    if (buf_len(&text) >= 3 && memcmp(text.at + text.start, "\xEF\xBB\xBF", 3) == 0)
        buf_drop(&text, 3);
    reading_push(r, file, text);
    return ERR_NONE;
}

/* ---- lines ---- */

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What a key may consist of without quotes: PgBouncer's set and all of UTF-8 beyond ASCII. */
static bool
is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '*' || (unsigned char)c >= 0x80;
}

static char *
skip_blanks(char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

/* Repeats TEXT as far as it cannot be a password: up to a `=`, and without one the first word. */
static enum line_kind
line_complain(struct ini_reading *r, const char *what, const char *text)
{
    size_t len = strcspn(text, "=");

    if (text[len] == '\0')
        len = strcspn(text, " \t");
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    if (len == 0)
        problem_add(r->problems, reading_place(r), "%s", what);
    else
        problem_add(r->problems, reading_place(r), "%s: `%.*s`", what, len > 60 ? 60 : (int)len, text);
    return LINE_EMPTY;
}

static enum line_kind
line_read_include(struct ini_reading *r, char *at)
{
    static const char word[] = "%include";
    struct place place = reading_place(r);
    struct error why;
    char *path;

    if (strcspn(at, " \t") != sizeof(word) - 1 || strncmp(at, word, sizeof(word) - 1) != 0)
        return line_complain(r, "unknown directive, only `%include file` exists", at);
    path = skip_blanks(at + sizeof(word) - 1);
    if (*path == '\0')
        problem_add(r->problems, place, "%%include without a file name");
    else if (r->depth == INI_DEPTH_MOST)
        problem_add(r->problems, place, "%%include of `%.200s` is nested more than %d deep", path,
                    INI_DEPTH_MOST);
    else if (reading_open(r, path, &why) != ERR_NONE)
        problem_add(r->problems, place, "%%include: %s", why.text);
    return LINE_EMPTY;
}

static enum line_kind
line_read_section(struct ini_reading *r, char *at)
{
    char *end = strchr(at, ']');
    char *rest;

    r->key = NULL;
    if (end == NULL) {
        line_complain(r, "section name without `]`", at);
        return LINE_SECTION;
    }
    *end = '\0';
    rest = skip_blanks(end + 1);
    if (*rest != '\0' && *rest != ';' && *rest != '#')
        line_complain(r, "unexpected text behind a section name", rest);
    r->key = text_trim(at + 1);
    return LINE_SECTION;
}

/* AT is the first character behind the key that cannot be part of it, and not the `=`. */
static enum line_kind
line_complain_no_equals(struct ini_reading *r, const char *line, const char *at)
{
    if (*at == ':')
        return line_complain(r, "expected `=` behind the key, not `:`", line);
    if (*at != '\0' && strchr(line, '=') != NULL)
        return line_complain(
            r, "a key with other characters than letters, digits, `_`, `.`, `-`, `*` must stand in quotes",
            line);
    return line_complain(r, "expected `key = value`", line);
}

static enum line_kind
line_read_entry(struct ini_reading *r, char *at)
{
    const char *line = at;
    char *key = at, *end;

    if (*at == '\'' || *at == '"') {
        key = connstr_unquote(&at);
        if (key == NULL)
            return line_complain(r, "the quote round the key is not closed", line);
        end = at;
    } else {
        while (is_key_char(*at))
            at++;
        end = at;
        if (end == key && *skip_blanks(at) == '=')
            return line_complain(r, "a value without a key", line);
    }
    at = skip_blanks(at);
    if (*at != '=') /* the line is as it was, unless its key was quoted */
        return line_complain_no_equals(r, key == line ? line : key, key == line ? at : "");
    r->value = text_trim(at + 1);
    *end = '\0';
    r->key = key;
    if (*key == '\0')
        return line_complain(r, "an empty key", "");
    return LINE_ENTRY;
}

/* Takes apart the line in r->line: r->key (NULL: a section whose name could not be read) and r->value, or a
 * complaint. */
static enum line_kind
line_read(struct ini_reading *r)
{
    char *at = text_trim((char *)r->line.at);

    switch (*at) {
    case '\0':
    case ';':
    case '#':
        return LINE_EMPTY;
    case '%':
        return line_read_include(r, at);
    case '[':
        return line_read_section(r, at);
    default:
        return line_read_entry(r, at);
    }
}

/* Moves the next line of the innermost file to r->line; false at its end. */
static bool
reading_next_line(struct ini_reading *r)
{
    struct ini_source *source = &r->sources[r->depth - 1];
    struct slice rest = buf_slice(&source->text);
    const uint8_t *newline;
    size_t len;

    if (rest.len == 0)
        return false;
    source->line++;
    newline = memchr(rest.at, '\n', rest.len);
    len = newline == NULL ? rest.len : (size_t)(newline - rest.at);
    buf_drop(&r->line, buf_len(&r->line));
    if (memchr(rest.at, '\0', len) != NULL)
        problem_add(r->problems, reading_place(r), "the line has a NUL byte in it");
    else
        buf_add(&r->line, slice_of(rest.at, len));
    buf_add_u8(&r->line, '\0');
    buf_drop(&source->text, newline == NULL ? len : len + 1);
    return true;
}

/* ---- towards inih ---- */

static enum ini_section
section_of(const char *name)
{
    for (int i = INI_PGWEIR; i < INI_SECTIONS; i++)
        if (strcmp(section_names[i], name) == 0)
            return (enum ini_section)i;
    return INI_UNKNOWN;
}

static void
section_complain(struct ini_reading *r)
{
    const char *nearest = text_nearest(r->key, section_names + INI_PGWEIR, INI_SECTIONS - INI_PGWEIR);

    if (nearest != NULL)
        problem_add(r->problems, reading_place(r), "unknown section `[%.60s]`, did you mean `[%s]`?", r->key,
                    nearest);
    else
        problem_add(
            r->problems, reading_place(r),
            "unknown section `[%.60s]`; there are [pgweir] or [pgbouncer], [databases], [users], [peers]",
            r->key);
}

/* What inih reads instead of a line: ini_reader of ini_parse_stream(). */
static char *
give_line(char *out, int size, void *arg)
{
    struct ini_reading *r = arg;

    if (r->is_section_fresh) {
        r->is_section_fresh = false;
        snprintf(out, (size_t)size, GIVEN_SECTION "=1\n");
        return out;
    }
    while (r->depth > 0) {
        if (!reading_next_line(r)) {
            reading_pop(r);
            continue;
        }
        switch (line_read(r)) {
        case LINE_EMPTY:
            continue;
        case LINE_SECTION:
            r->is_section_fresh = true;
            snprintf(out, (size_t)size, "[%s]\n",
                     section_names[r->key == NULL ? INI_UNKNOWN : section_of(r->key)]);
            return out;
        case LINE_ENTRY:
            snprintf(out, (size_t)size, GIVEN_ENTRY "=1\n");
            return out;
        }
    }
    return NULL;
}

static void
ini_add(struct ini *ini, enum ini_section section, struct place place, const char *key, const char *value)
{
    if (ini->count == ini->size) {
        ini->size = ini->size == 0 ? 64 : ini->size * 2;
        ini->entries = mem_grow(ini->entries, ini->size, sizeof(*ini->entries));
    }
    ini->entries[ini->count++] = (struct ini_entry){
        .section = section,
        .place = place,
        .key = mem_text(key),
        .value = mem_text(value),
    };
}

static void
ini_add_header(struct ini *ini, struct place place)
{
    ini->pgbouncer = mem_grow(ini->pgbouncer, ini->pgbouncer_count + 1, sizeof(*ini->pgbouncer));
    ini->pgbouncer[ini->pgbouncer_count++] = (struct ini_header){ .place = place, .at = ini->count };
}

/* What inih found in the line that it was given: ini_handler of ini_parse_stream(). */
static int
take_line(void *arg, const char *section_name, const char *name, const char *value)
{
    struct ini_reading *r = arg;
    enum ini_section section = section_name[0] == '\0' ? INI_NONE : section_of(section_name);

    (void)value;
    if (strcmp(name, GIVEN_SECTION) == 0) {
        r->ini->has_section[section] = true;
        if (section == INI_UNKNOWN && r->key != NULL)
            section_complain(r);
        else if (section == INI_PGBOUNCER)
            ini_add_header(r->ini, reading_place(r));
    } else if (section == INI_NONE) {
        problem_add(r->problems, reading_place(r), "`%.60s` stands before the first section", r->key);
    } else if (section != INI_UNKNOWN) {
        ini_add(r->ini, section, reading_place(r), r->key, r->value);
    }
    return 1;
}

enum err
ini_read(struct ini *out, const char *file, file_reader *read, struct problems *problems, struct error *why)
{
    struct ini_reading r = { .ini = out, .read = read, .problems = problems };
    enum err e;
    int inih_says;

    *out = (struct ini){ 0 };
    buf_init(&r.line);
    e = reading_open(&r, file, why);
    if (e != ERR_NONE)
        return e;
    inih_says = ini_parse_stream(give_line, &r, take_line, &r);
    while (r.depth > 0)
        reading_pop(&r);
    buf_wipe(&r.line);
    if (inih_says != 0)
        problem_add(problems, (struct place){ file, 0 }, "inih refused the file (%d)", inih_says);
    return ERR_NONE;
}

void
ini_fini(struct ini *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        free(ini->entries[i].key);
        mem_free_secret(ini->entries[i].value);
    }
    for (size_t i = 0; i < ini->file_count; i++)
        ini_file_free(ini->files[i]);
    free(ini->entries);
    free(ini->pgbouncer);
    free(ini->files);
    *ini = (struct ini){ 0 };
}
