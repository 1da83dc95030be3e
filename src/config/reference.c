/*
 * reference.c - docs/configuration.md and etc/pgweir.ini, written from the tables. A unit test compares both
 * files with what is written here; with PGWEIR_WRITE_REFERENCE=1 in its environment it writes them first.
 */
#include "pgweir/config/reference.h"

#include <string.h>

#include "entry_impl.h"
#include "option_impl.h"

#define SAMPLE_COLUMNS 100

/* ---- what the columns of a row are called ---- */

static void
write_type(const struct option *o, struct buf *out)
{
    switch (o->type) {
    case OPT_TEXT:
        buf_add_text(out, "text");
        return;
    case OPT_BOOL:
        buf_add_text(out, "yes or no");
        return;
    case OPT_COUNT:
        buf_add_text(out, "whole number");
        return;
    case OPT_DURATION:
        buf_add_format(out, "duration, bare numbers in %s", o->unit);
        return;
    case OPT_BYTES:
        buf_add_text(out, "size");
        return;
    case OPT_CHOICE:
        buf_add_text(out, "one of");
        for (size_t i = 0; o->choices[i] != NULL; i++)
            buf_add_format(out, "%s `%s`", i == 0 ? "" : ",", o->choices[i]);
        return;
    case OPT_AUTO_COUNT:
        buf_add_text(out, "whole number or `auto`");
        return;
    case OPT_SHARE:
        buf_add_text(out, "whole number or percentage");
        return;
    case OPT_FRACTION:
        buf_add_text(out, "fraction from 0 to 1");
        return;
    }
}

static void
write_range(const struct option *o, struct buf *out)
{
    if (o->least != NULL && o->most != NULL)
        buf_add_format(out, ", %s to %s", o->least, o->most);
    else if (o->least != NULL)
        buf_add_format(out, ", at least %s", o->least);
    else if (o->most != NULL)
        buf_add_format(out, ", at most %s", o->most);
}

static const char *
when_words(const struct option *o)
{
    switch (o->when) {
    case OPT_LIVE:
        return "a reload changes it at once";
    case OPT_NEW_SESSIONS:
        return "a reload changes it for new connections";
    case OPT_RESTART:
        return "a change needs a restart";
    }
    return "";
}

static const char *
preset_words(const char *preset)
{
    return *preset == '\0' ? "empty" : preset;
}

/* ---- docs/configuration.md ---- */

static const char reference_head[] =
    "# Configuration\n"
    "\n"
    "Every option of pgweir, written from its option table (`pgweir --help-config` prints this page;\n"
    "please change `src/config/option_rows_*_impl.h` and not this file).\n"
    "\n"
    "## The file\n"
    "\n"
    "```ini\n"
    "[databases]\n"
    "app = host=10.0.0.5 port=5432\n"
    "* = host=10.0.0.6\n"
    "\n"
    "[pgweir]\n"
    "listen_addr = *\n"
    "auth_file = /etc/pgweir/userlist.txt\n"
    "query_wait_timeout = 30s\n"
    "```\n"
    "\n"
    "- Sections are `[pgweir]`, `[databases]`, `[users]` and `[peers]`. `[pgbouncer]` is another name\n"
    "  for `[pgweir]`: a file with a `[pgbouncer]` section anywhere gets PgBouncer's defaults where they\n"
    "  differ, so a file of PgBouncer's means what it meant. A section may come several times; of a key\n"
    "  that comes again the last counts.\n"
    "- A line is `key = value`. The value is the rest of the line, whatever its length, without the\n"
    "  blanks at its ends; it is not quoted, and `;` and `#` in it are part of it. It may be empty.\n"
    "  There are no continuation lines.\n"
    "- Lines that begin with `;` or `#` are comments; blanks before a line mean nothing.\n"
    "- A key with other characters than letters, digits, `_`, `.`, `-`, `*` stands in single or double\n"
    "  quotes; a quote in it is doubled.\n"
    "- `%include file` reads another file in its place, at most 10 deep.\n"
    "- File names are relative to the working directory of the process.\n"
    "\n"
    "Everything that is wrong is told at once, with file and line; then pgweir does not start, or after\n"
    "SIGHUP stays with the configuration that it has.\n"
    "\n"
    "Values:\n"
    "\n"
    "| type | written as |\n"
    "|---|---|\n"
    "| whole number | `20`; octal `0777`; hexadecimal `0x1ff` |\n"
    "| duration | `30s`, `200ms`, `5min`, `2h`, `1d`, `1.5s`; a bare number counts the option's unit |\n"
    "| size | `65536`, `64kB`, `16MB`, `1GB` (powers of 1024) |\n"
    "| yes or no | `1`, `on`, `yes`, `true` or `0`, `off`, `no`, `false` |\n";

static const char reference_databases[] =
    "\n"
    "## [databases]\n"
    "\n"
    "`name = key=value key=value ...`, where NAME is what clients ask for. `*` stands for every name\n"
    "without an entry of its own. `pgweir` and `pgbouncer` are reserved. Pairs are separated by blanks;\n"
    "a value with blanks in it stands in single or double quotes, and a quote in it is doubled\n"
    "(`password='it''s'`). Nothing behind `name =` is fine: everything is preset.\n"
    "\n";

static const char reference_users[] =
    "\n"
    "## [users]\n"
    "\n"
    "`name = key=value ...` for single roles; with `user=` in the database's entry that role is meant\n"
    "and not the client's. What is set here comes before [databases], and that before the main section.\n"
    "\n";

static const char reference_peers[] =
    "\n"
    "## [peers]\n"
    "\n"
    "`number = host=... port=...` for each pgweir that clients may reach under the same name, by `so_reuseport`\n"
    "or a balancer; `port` is 6432 if not given. A cancel request that comes to another process than its client\n"
    "is passed on to the one whose `peer_id` is in its key, three times at the most. The own number may be among\n"
    "them, so that all can read the same section. `pool_size` is accepted and has no effect: every request has a\n"
    "connection of its own.\n";

static const char reference_secrets[] =
    "\n"
    "## The auth file\n"
    "\n"
    "```\n"
    "; comment\n"
    "\"app_user\" \"SCRAM-SHA-256$4096:...\"\n"
    "\"analytics_user\" \"a plain password with \"\" in it\"\n"
    "```\n"
    "\n"
    "One user per line: name and secret in double quotes, a quote in them doubled, anything behind them\n"
    "ignored. A secret is a plain password, `md5` and 32 hexadecimal digits, or a SCRAM verifier, the\n"
    "latter two as `pg_authid.rolpassword` has them; `\"\"` is a user without one. Only the process\n"
    "should be able to read the file.\n";

static void
write_option(const struct option *o, struct buf *out)
{
    buf_add_format(out, "\n### %s\n\n", o->name);
    if (o->alias != NULL)
        buf_add_format(out, "Also called `%s`. ", o->alias);
    buf_add_format(out, "Default: %s%s%s", *o->preset == '\0' ? "" : "`", preset_words(o->preset),
                   *o->preset == '\0' ? "" : "`");
    if (o->preset_pgbouncer != NULL)
        buf_add_format(out, " (in a [pgbouncer] file: %s%s%s)", *o->preset_pgbouncer == '\0' ? "" : "`",
                       preset_words(o->preset_pgbouncer), *o->preset_pgbouncer == '\0' ? "" : "`");
    buf_add_text(out, " · ");
    write_type(o, out);
    write_range(o, out);
    if ((o->scope & (IN_DATABASE | IN_USER)) != 0)
        buf_add_format(out, " · also in %s%s%s%s%s%s", (o->scope & IN_DATABASE) != 0 ? "[databases]" : "",
                       (o->scope & IN_DATABASE) != 0 && (o->scope & IN_USER) != 0 ? " and " : "",
                       (o->scope & IN_USER) != 0 ? "[users]" : "", o->name_inside != NULL ? " as `" : "",
                       o->name_inside != NULL ? o->name_inside : "", o->name_inside != NULL ? "`" : "");
    buf_add_format(out, " · %s\n\n%s", when_words(o), o->text);
    if (option_note(o) != NULL)
        buf_add_format(out, " In pgweir it %s.", option_note(o));
    if (o->zero_inside_inherits)
        buf_add_text(out, " For a single database or user 0 means: as in the main section.");
    buf_add_text(out, "\n");
}

/* The options that SCOPE may set for itself, as one line. */
static void
write_inside(enum option_scope scope, struct buf *out)
{
    const char *before = "";

    for (size_t i = 0; i < option_count; i++) {
        if ((options[i].scope & scope) == 0)
            continue;
        buf_add_format(out, "%s`%s`", before, option_name_inside(&options[i]));
        before = ", ";
    }
    buf_add_text(out, ".\n");
}

void
config_write_reference(struct buf *out)
{
    buf_add_text(out, reference_head);
    for (size_t i = 0; i < option_count; i++) {
        if (i == 0 || strcmp(options[i].group, options[i - 1].group) != 0)
            buf_add_format(out, "\n## %s\n", options[i].group);
        write_option(&options[i], out);
    }
    buf_add_text(out, reference_databases);
    for (size_t i = 0; i < database_key_count; i++)
        buf_add_format(out, "- `%s`: %s\n", database_keys[i].name, database_keys[i].text);
    buf_add_text(out, "\nOptions that a database may set for itself: ");
    write_inside(IN_DATABASE, out);
    buf_add_text(out, reference_users);
    buf_add_text(out, "Options that a user may have: ");
    write_inside(IN_USER, out);
    buf_add_text(out, reference_peers);
    buf_add_text(out, reference_secrets);
}

/* ---- etc/pgweir.ini ---- */

static const char sample_head[] =
    ";; pgweir.ini - every option of pgweir with its default value.\n"
    ";;\n"
    ";; Lines with `;;` explain; lines with one `;` are examples, or options at their defaults: take the\n"
    ";; `;` away and change them. docs/configuration.md has the syntax, and says of every option what a\n"
    ";; reload (SIGHUP) changes. Durations are 30s, 200ms, 5min, 2h or 1d; file names are relative to\n"
    ";; the working directory.\n"
    "\n"
    "[databases]\n"
    ";; name that clients ask for = where it leads. Keys:\n";

static const char sample_databases[] =
    "\n"
    ";app = host=127.0.0.1 port=5432 dbname=app pool_size=20 query_wait_timeout=30s\n"
    ";reports = host=db1,db2 user=analytics_user password='it''s a secret' pool_mode=session\n"
    "\n"
    ";; Every name without an entry of its own.\n"
    "* = host=127.0.0.1 port=5432\n"
    "\n"
    "[users]\n"
    ";; role = settings that come before those of its database. Keys:\n";

static const char sample_users[] = "\n"
                                   ";analytics_user = pool_mode=session query_wait_timeout=10min\n"
                                   "\n"
                                   "[pgweir]\n";

/* TEXT as comment lines of at most SAMPLE_COLUMNS bytes. */
static void
write_comment(const char *text, struct buf *out)
{
    static const char line_begin[] = ";;";
    size_t column = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");

        if (column > 0 && column + 1 + len > SAMPLE_COLUMNS) {
            buf_add_text(out, "\n");
            column = 0;
        }
        if (column == 0) {
            buf_add_text(out, line_begin);
            column = sizeof(line_begin) - 1;
        }
        buf_add_text(out, " ");
        buf_add(out, slice_of(text, len));
        column += len + 1;
        text += len;
        while (*text == ' ')
            text++;
    }
    buf_add_text(out, "\n");
}

/* All that may stand behind a name of SCOPE. */
static void
write_keys_comment(enum option_scope scope, struct buf *out)
{
    struct buf keys;
    const char *before = "";

    buf_init(&keys);
    for (size_t i = 0; scope == IN_DATABASE && i < database_key_count; i++) {
        buf_add_format(&keys, "%s%s", before, database_keys[i].name);
        before = ", ";
    }
    for (size_t i = 0; i < option_count; i++) {
        if ((options[i].scope & scope) == 0)
            continue;
        buf_add_format(&keys, "%s%s", before, option_name_inside(&options[i]));
        before = ", ";
    }
    buf_add_textz(&keys, ".");
    write_comment((const char *)buf_slice(&keys).at, out);
    buf_release(&keys);
}

static void
write_sample_option(const struct option *o, struct buf *out)
{
    const char *before = *o->preset == '\0' ? "" : " ";

    buf_add_text(out, "\n");
    write_comment(o->text, out);
    buf_add_format(out, ";%s =%s%s\n", o->name, before, o->preset);
    if (strcmp(o->name, "auth_file") == 0)
        buf_add_text(out, "auth_file = etc/userlist.txt\n");
}

void
config_write_sample(struct buf *out)
{
    buf_add_text(out, sample_head);
    write_keys_comment(IN_DATABASE, out);
    buf_add_text(out, sample_databases);
    write_keys_comment(IN_USER, out);
    buf_add_text(out, sample_users);
    for (size_t i = 0; i < option_count; i++) {
        if (i == 0 || strcmp(options[i].group, options[i - 1].group) != 0)
            buf_add_format(out, "\n;;;; %s\n", options[i].group);
        write_sample_option(&options[i], out);
    }
}
