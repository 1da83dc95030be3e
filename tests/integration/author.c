/*
 * author.c - what clients say in a random conversation.
 *
 *     author_turn() -> phrases, by weight -> lines of pipeline.h
 *
 * All clients choose from the same names and texts. The author remembers what each believes to have prepared
 * under which name, so that most of what is said fits.
 */
#include "author.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/random.h"
#include "session_words.h"

#define MOST_CLOSES 3u /* in a row: more of them are the mark of pipeline.c */

/* Parameters: i a number, o the owner of rows (a number of this client's own), t a text. */
struct sql {
    const char *text;
    const char *params;
};

static const struct sql statements[] = {
    { "select 1", "" },
    { "select $1::int + 1", "i" },
    { "select $1::text, $2::int", "ti" },
    { "select a, b, c from r order by a", "" },
    { "select a, b from r where a <= $1 order by a", "i" },
    { "select b from r where a = $1", "i" },
    { "select a, 12 / (a - $1) from r order by a", "i" },
    { "insert into w (owner, v) values ($1, $2) returning owner, v", "ot" },
    { "insert into w (owner, v) values ($1, 'x')", "o" },
    { "update w set n = n + 1 where owner = $1", "o" },
    { "delete from w where owner = $1", "o" },
    { "select owner, count(*), sum(n) from w group by owner order by owner", "" },
    { "insert into u values ($1 * 10 + 1)", "o" },
    { "begin", "" },
    { "commit", "" },
    { "rollback", "" },
    { "savepoint s", "" },
    { "rollback to s", "" },
    { "copy r to stdout", "" },
    { "copy w (owner, v) from stdin", "" },
    { "", "" },
    { "/* nothing */", "" },
    { "deallocate all", "" },
    { "discard all", "" },
    { "deallocate all", "" },
    { "values (1, 'a'), (2, null)", "" },
    { "select * from m order by a", "" },
    { "select a from m where a = $1", "i" },
    { "select a, b from m order by a", "" },
    { "select 'one', $1::bytea", "t" },
    /* that fail, at once or later */
    { "selec 1", "" },
    { "select 1; select 2", "" },
    { "select nothing from r", "" },
    { "select * from nowhere", "" },
    { "select $1", "t" },
    { "select $2::int", "ii" },
    { "select 1 / $1::int", "i" },
    { "select 1 / 0", "" },
    { "create table not_allowed (a int)", "" },
    { "select 'unterminated", "" },
};

static const char *const queries[] = {
    "select 1",
    "select a, b from r order by a",
    "select 1; select 2",
    "begin",
    "begin",
    "begin",
    "commit",
    "commit",
    "rollback",
    "rollback",
    "begin; select 1 / 0",
    "begin; insert into w values (98, 'y'); commit",
    "select 1; select 1 / 0; select 2",
    "select 1; commit; select 1 / 0",
    "selec",
    "",
    ";",
    "deallocate all",
    "discard all",
    "discard plans",
    "DeAllocate /* why */ ALL; select 3",
    "deallocate s1",
    "deallocate s1; deallocate s2; select 4",
    "select 1 / 0; deallocate s1",
    "deallocate s2; select 1 / 0",
    "execute s1",
    "execute s2; deallocate s2",
    "select 'deallocate all'",
    "copy r to stdout",
    "copy (select a from r where a < 4 order by a) to stdout (format csv)",
    "select count(*) from w",
    "savepoint s",
    "rollback to s",
    "commit; begin",
    "do 'begin raise notice ''noticed''; end'",
};

/* A change that fails does so in both databases. Columns that statements name stay: where PostgreSQL would
 * say what is missing after it has told the parameters, pgweir, which parses anew, says it before. */
static const char *const changes[] = {
    "alter table m add column d int default 4",      "alter table m drop column d",
    "alter table m alter column a type bigint",      "alter table m alter column a type int",
    "alter table m alter column b type varchar(20)", "alter table m alter column b type text",
};

static const char *const names[] = {
    "-",
    "-",
    "-",
    "s1",
    "s1",
    "s1",
    "s2",
    "s2",
    "s3",
    "s4",
    "n*62",
    "n*63",
    "n*64",
    "n*70",
    "long*180",
    "with\\20space",
    "q\"uo'te%s%n",
    "\\c3\\a9\\0a",
    "a\\ff",
    "\\e2\\82",
    "S1",
    "pgweir_1",
    "pgweir_7",
};
static const char *const portals[] = { "-", "-", "-", "-", "p1", "p1", "p2", "P*70" };
static const char *const texts[] = { "a", "a\\20b", "\\N", "\\c3\\a9", "\\ff", "b*2000", "" };
static const char *const types[] = { "23",     "25",       "0",    "20",   "16", "17",
                                     "999999", "23,23,23", "23!2", "23!0", "-!1" };

/* What a client believes to have prepared, so that most of what it sends fits; errors prove it wrong now and
 * then. */
#define KNOWN_NAMES COUNT_OF(names)
struct speaker {
    const struct sql *said[KNOWN_NAMES];
};

struct author {
    uint64_t random;
    unsigned client;
    struct speaker speakers[TALK_CLIENTS];
    struct buf out; /* the turn at hand */
    unsigned closes;
    bool is_copying;
    bool is_about_sessions; /* half of what is said */
};

static unsigned
below(struct author *a, size_t count)
{
    return (unsigned)random_between(&a->random, 0, count - 1);
}

static bool
chance(struct author *a, unsigned percent)
{
    return below(a, 100) < percent;
}

#define ANY_OF(a, list) ((list)[below(a, COUNT_OF(list))])

static void PRINTF_LIKE(2, 3) say(struct author *a, const char *format, ...)
{
    char line[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    a->closes = line[0] == 'C' ? a->closes + 1 : 0;
    if (a->closes > MOST_CLOSES) {
        a->closes = MOST_CLOSES;
        return;
    }
    buf_add_text(&a->out, line);
    buf_add_u8(&a->out, '\n');
}

static const struct sql **
said(struct author *a, unsigned name)
{
    unsigned i = name;

    while (i > 0 && strcmp(names[i - 1], names[name]) == 0)
        i--;
    return &a->speakers[a->client].said[i];
}

static void
say_parse(struct author *a, unsigned name)
{
    const struct sql *sql = chance(a, 60) ? &statements[below(a, 12)] : &ANY_OF(a, statements);

    if (chance(a, 15) && *said(a, name) != NULL && chance(a, 70))
        sql = *said(a, name);
    say(a, "P %s %s %s", names[name], chance(a, 8) ? ANY_OF(a, types) : "-", sql->text);
    *said(a, name) = sql;
}

static void
add_value(struct author *a, struct buf *out, char kind, bool is_binary)
{
    unsigned number = kind == 'o' ? a->client : below(a, 14);

    if (chance(a, 3)) {
        buf_add_text(out, chance(a, 50) ? "\\N" : "nonsense");
        return;
    }
    if (kind == 't')
        buf_add_text(out, ANY_OF(a, texts));
    else if (is_binary)
        buf_add_format(out, "\\00\\00\\00\\%02x", number);
    else
        buf_add_format(out, "%u", number);
}

static void
say_bind(struct author *a, unsigned name, const char *portal)
{
    const struct sql *sql = *said(a, name);
    const char *params = sql == NULL ? "" : sql->params;
    struct buf values = { 0 };
    struct buf formats = { 0 };
    bool is_binary = chance(a, 30) && strchr(params, 't') == NULL;
    size_t count = strlen(params);

    if (chance(a, 5))
        count = below(a, 4);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_u8(&values, '|');
        add_value(a, &values, i < strlen(params) ? params[i] : 'i', is_binary);
    }
    if (is_binary)
        buf_add_text(&formats, chance(a, 90) ? "1" : "11");
    if (chance(a, 2))
        buf_add_u8(&formats, '7');
    if (buf_len(&values) == 0)
        buf_add_u8(&values, '-');
    if (buf_len(&formats) == 0)
        buf_add_u8(&formats, '-');
    buf_add_u8(&values, '\0');
    buf_add_u8(&formats, '\0');
    say(a, "B %s %s %s %s %s", portal, names[name], (const char *)buf_slice(&formats).at,
        (const char *)buf_slice(&values).at,
        chance(a, 80)   ? "-"
        : chance(a, 80) ? "1"
                        : "01");
    buf_release(&values);
    buf_release(&formats);
}

static void
say_execute(struct author *a, const char *portal)
{
    static const unsigned limits[] = { 0, 0, 0, 0, 1, 2, 5, 100 };

    say(a, "E %s %u", portal, ANY_OF(a, limits));
}

/* No Sync in between: PostgreSQL ignores it, unless a line in front of it was wrong. Only PostgreSQL knows
 * which line that was, so nobody who stands between can tell how many ReadyForQuery will come. */
static void
say_copy_data(struct author *a)
{
    static const char *const rows[] = { "\tfirst",         "\tsecond",      "\t\\N",
                                        "\tone\ttoo many", "no row at all", "\\." };
    unsigned count = below(a, 5);

    a->is_copying = chance(a, 3);
    for (unsigned i = 0; i < count; i++) {
        const char *row = a->is_copying || chance(a, 90) ? rows[below(a, 3)] : ANY_OF(a, rows);

        say(a, "d %s%s", row[0] == '\t' ? text("%u", a->client) : "", row);
        if (chance(a, 4))
            say(a, "H");
    }
    if (a->is_copying)
        return;
    if (chance(a, 75))
        say(a, "c");
    else
        say(a, "f that was it");
}

/* --- phrases --- */

static void
phrase_whole(struct author *a)
{
    unsigned name = below(a, COUNT_OF(names));
    const char *portal = ANY_OF(a, portals);

    if (chance(a, 40))
        say_parse(a, name);
    if (chance(a, 30))
        say(a, "D S %s", names[name]);
    say_bind(a, name, portal);
    if (chance(a, 40))
        say(a, "D P %s", portal);
    say_execute(a, portal);
    if (chance(a, 50))
        say(a, "S");
}

static void
phrase_parse(struct author *a)
{
    unsigned name = below(a, COUNT_OF(names));

    if (chance(a, 30))
        say(a, "C S %s", names[name]);
    say_parse(a, name);
    if (chance(a, 40))
        say(a, "D S %s", names[name]);
    if (chance(a, 60))
        say(a, "S");
}

static void
phrase_bind(struct author *a)
{
    const char *portal = ANY_OF(a, portals);

    say_bind(a, below(a, COUNT_OF(names)), portal);
    if (chance(a, 80))
        say_execute(a, portal);
}

/* Not of the unnamed portal: behind a Query that fails in a transaction, PostgreSQL (15.20) has one left over
 * whose plan is gone, and crashes. */
static void
phrase_execute(struct author *a)
{
    say_execute(a, chance(a, 70) ? "p1" : "p2");
}

static void
phrase_describe(struct author *a)
{
    if (chance(a, 3))
        say(a, "D X -");
    else if (chance(a, 60))
        say(a, "D S %s", ANY_OF(a, names));
    else
        say(a, "D P %s", ANY_OF(a, portals));
}

static void
phrase_close(struct author *a)
{
    if (chance(a, 3))
        say(a, "C X -");
    else if (chance(a, 70))
        say(a, "C S %s", ANY_OF(a, names));
    else
        say(a, "C P %s", ANY_OF(a, portals));
}

static void
phrase_sync(struct author *a)
{
    say(a, chance(a, 80) ? "S" : "H");
}

static void
phrase_query(struct author *a)
{
    say(a, "Q %s", ANY_OF(a, queries));
}

static void
phrase_copy_by_query(struct author *a)
{
    say(a, "Q copy w (owner, v) from stdin%s", chance(a, 10) ? "; select 1" : "");
    say_copy_data(a);
}

static void
phrase_copy_by_execute(struct author *a)
{
    say(a, "P - - copy w (owner, v) from stdin");
    say(a, "B - - - - -");
    say(a, "E - 0");
    if (chance(a, 10))
        say(a, "S");
    say_copy_data(a);
}

static void
phrase_stray(struct author *a)
{
    if (chance(a, 40))
        say(a, "d stray");
    say(a, chance(a, 50) ? "c" : "f stray");
}

static void
phrase_function(struct author *a)
{
    static const char *const calls[] = { "1598 \\N", "481 5", "481 x", "999999 1",
                                         "1317 abc" }; /* random, int8, length */

    say(a, "F %s", calls[1 + below(a, COUNT_OF(calls) - 1)]);
}

/* By one protocol or the other; the prepared one may stay prepared under a name. */
static void
phrase_session(struct author *a)
{
    const char *query = session_query(below(a, 10000), a->client);
    const char *name = ANY_OF(a, names);

    if (chance(a, 60) || strstr(query, "s1") != NULL) { /* a statement that names itself is too much */
        say(a, "Q %s", query);
        return;
    }
    say(a, "P %s - %s", name, query);
    say(a, "B - %s - - -", name);
    say(a, "E - 0");
    if (chance(a, 80))
        say(a, "S");
}

static void
phrase_bound_setting(struct author *a)
{
    say(a, "P - - select set_config($1, $2, $3)");
    say(a, "B - - - app.who|g%u|%s -", a->client, chance(a, 70) ? "f" : "t");
    say(a, "E - 0");
    if (chance(a, 80))
        say(a, "S");
}

static const struct {
    void (*say)(struct author *a);
    unsigned weight;
} phrases[] = {
    { phrase_whole, 40 },        { phrase_parse, 20 },          { phrase_bind, 20 }, { phrase_execute, 4 },
    { phrase_describe, 10 },     { phrase_close, 10 },          { phrase_sync, 12 }, { phrase_query, 16 },
    { phrase_copy_by_query, 3 }, { phrase_copy_by_execute, 3 }, { phrase_stray, 2 }, { phrase_function, 3 },
};

static void
say_phrase(struct author *a)
{
    unsigned at = 0;
    unsigned i = 0;

    for (size_t n = 0; n < COUNT_OF(phrases); n++)
        at += phrases[n].weight;
    for (at = below(a, at); at >= phrases[i].weight; i++)
        at -= phrases[i].weight;
    /* A message that does not belong into COPY ends the connection; of pgweir's own answers none must be due. */
    if (a->is_copying) {
        say(a, chance(a, 80) ? "f enough" : chance(a, 50) ? "Q select 1" : "F 481 5");
        a->is_copying = false;
    }
    if (a->is_about_sessions && chance(a, 60))
        (chance(a, 95) ? phrase_session : phrase_bound_setting)(a);
    else
        phrases[i].say(a);
}

struct turn
author_turn(struct author *a)
{
    static const unsigned chunks[] = { 0, 0, 0, 0, 0, 0, 1, 7, 50, 300 };
    struct turn turn = { .client = below(a, TALK_CLIENTS), .chunk = ANY_OF(a, chunks) };
    unsigned count = 1 + below(a, chance(a, 20) ? 12 : 4);

    if (chance(a, 3)) {
        turn.client = TALK_CHANGE;
        turn.lines = strdup(text("%s\n", ANY_OF(a, changes)));
        return turn;
    }
    a->client = turn.client;
    a->closes = 0;
    a->is_copying = false;
    for (unsigned i = 0; i < count; i++)
        say_phrase(a);
    if (a->is_copying && chance(a, 80))
        say(a, "c");
    buf_add_u8(&a->out, '\0');
    turn.lines = strdup((const char *)buf_slice(&a->out).at);
    buf_drop(&a->out, buf_len(&a->out));
    return turn;
}

struct author *
author_new(uint64_t random, bool is_about_sessions)
{
    struct author *a = calloc(1, sizeof *a);

    a->random = random;
    a->is_about_sessions = is_about_sessions;
    return a;
}

void
author_free(struct author *a)
{
    buf_release(&a->out);
    free(a);
}
