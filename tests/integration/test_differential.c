/*
 * test_differential.c - random conversations, on PostgreSQL directly and through pgweir: the answers are the same.
 *
 *     PGWEIR_TEST_SEED=n        the seed of both runs (default: 1 and 2, so that a run can be repeated)
 *     PGWEIR_TEST_TURNS=n       turns of each run
 *
 * Four clients talk in turn, through four servers at most, so that the transactions which they leave open make the servers change hands; they prepare
 * the same and other texts under the same names. What one turn holds is up to chance: see the phrases below. A difference is shrunk to the few lines that bring
 * it about and printed as a conversation, which belongs below
 * ("what once differed") when its cause is removed.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pgweir/base/random.h"
#include "pipeline.h"
#include "session_words.h"

void suite_differential(void);

#define TURNS 1800u /* of a run */
#define SESSION_TURNS 600u
#define EPISODE_TURNS 60u /* with the same connections */
#define SHRINK_MS 20000u
#define MOST_CLOSES 3u /* in a row: more of them are the mark of pipeline.c */

static const char *const few_statements =
    "auth_type = trust\npool_mode = transaction\ndefault_pool_size = 4\n"
    "workers = 1\nmax_prepared_statements = 4\n";
static const char *const many_statements =
    "auth_type = trust\npool_mode = transaction\ndefault_pool_size = 4\n"
    "workers = 2\n";

static struct weir *
weir(const char *settings)
{
    return weir_get(&(struct weir_spec){ .settings = settings,
                                         .databases = "diff_b = host=127.0.0.1 port=$PORT dbname=diff_b\n" });
}

/* --- what is said --- */

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

/* A change that fails does so in both databases. Columns that statements name stay: where PostgreSQL would say what is missing after it has told
 * the parameters, pgweir, which parses anew, says it before. */
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

/* What a client believes to have prepared, so that most of what it sends fits; errors prove it wrong now and then. */
#define KNOWN_NAMES COUNT_OF(names)
struct speaker {
    const struct sql *said[KNOWN_NAMES];
};

struct author {
    uint64_t state;
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
    return (unsigned)random_between(&a->state, 0, count - 1);
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

/* No Sync in between: PostgreSQL ignores it, unless a line in front of it was wrong. Only PostgreSQL knows which line that was, so nobody who
 * stands between can tell how many ReadyForQuery will come. */
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

/* Not of the unnamed portal: behind a Query that fails in a transaction, PostgreSQL (15.20) has one left over whose plan is gone, and crashes. */
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
    if (a->is_copying) { /* a message that does not belong into COPY ends the connection; of pgweir's own answers none must be due */
        say(a, chance(a, 80) ? "f enough" : chance(a, 50) ? "Q select 1" : "F 481 5");
        a->is_copying = false;
    }
    if (a->is_about_sessions && chance(a, 60))
        (chance(a, 95) ? phrase_session : phrase_bound_setting)(a);
    else
        phrases[i].say(a);
}

static struct turn
write_turn(struct author *a)
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

/* --- shrinking --- */

static bool
differs(struct talk *t, const struct turn *turns, size_t count)
{
    talk_begin(t);
    for (size_t i = 0; i < count; i++)
        if (turns[i].lines[0] != '\0' && (!talk_turn(t, &turns[i]) || talk_is_apart(t)))
            return !talk_is_apart(t);
    return false;
}

/* LINES without those from FROM on, COUNT of them; NULL when there are none. */
static char *
without_lines(const char *lines, size_t from, size_t count)
{
    char *out = calloc(1, strlen(lines) + 1);
    size_t n = 0;
    bool is_cut = false;

    for (const char *at = lines; *at != '\0'; n++) {
        size_t len = strcspn(at, "\n") + 1;

        if (n < from || n >= from + count)
            strncat(out, at, len);
        else
            is_cut = true;
        at += len;
    }
    if (is_cut)
        return out;
    free(out);
    return NULL;
}

/* Turns, then lines of turns, that the difference does without are emptied; new texts are the caller's. */
static void
shrink(struct talk *t, struct turn *turns, size_t count)
{
    uint64_t until = now_ms() + SHRINK_MS;

    for (size_t size = count / 2; size > 0; size = size == 1 ? 0 : (size + 1) / 2)
        for (size_t from = 0; from + 1 < count && now_ms() < until; from += size) {
            struct turn fewer[EPISODE_TURNS];

            memcpy(fewer, turns, count * sizeof *turns);
            for (size_t i = from; i < from + size && i + 1 < count; i++)
                fewer[i].lines = "";
            if (differs(t, fewer, count))
                for (size_t i = from; i < from + size && i + 1 < count; i++)
                    *(char *)(uintptr_t)turns[i].lines = '\0';
        }
    for (size_t size = 4; size > 0; size /= 2)
        for (size_t i = 0; i < count; i++)
            for (size_t from = 0; now_ms() < until;) {
                struct turn fewer[EPISODE_TURNS];
                char *lines = without_lines(turns[i].lines, from, size);

                if (lines == NULL)
                    break;
                memcpy(fewer, turns, count * sizeof *turns);
                fewer[i].lines = lines;
                fewer[i].chunk = 0;
                if (differs(t, fewer, count)) {
                    strcpy((char *)(uintptr_t)turns[i].lines, lines);
                    turns[i].chunk = 0;
                } else {
                    from += size;
                }
                free(lines);
            }
}

static void
print_conversation(const struct turn *turns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *lines = turns[i].lines;

        if (lines[0] == '\0')
            continue;
        fprintf(stderr, "    { %u, %u,", turns[i].client, turns[i].chunk);
        for (; *lines != '\0'; lines += strcspn(lines, "\n") + 1)
            fprintf(stderr, " \"%.*s\\n\"", (int)strcspn(lines, "\n"), lines);
        fprintf(stderr, " },\n");
    }
}

static void
report(struct talk *t, uint64_t seed, unsigned episode, struct turn *turns, size_t count)
{
    fprintf(stderr, "\n    seed %llu, episode %u, turn %zu: the answer differs from PostgreSQL's\n%s",
            (unsigned long long)seed, episode, count, talk_difference(t));
    if (differs(t, turns, count)) {
        shrink(t, turns, count);
        fprintf(stderr, "    shrunk to\n");
        print_conversation(turns, count);
        if (differs(t, turns, count))
            fprintf(stderr, "%s", talk_difference(t));
    } else {
        fprintf(stderr, "    it does not happen again; that was\n");
        print_conversation(turns, count);
    }
}

/* --- runs --- */

static unsigned
number_from_env(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* One conversation from its beginning; false when the sides differed. */
static bool
run_episode(struct talk *t, uint64_t seed, unsigned episode, bool is_about_sessions)
{
    struct author a = { .state = seed * UINT64_C(0x9e3779b97f4a7c15) + episode + 1,
                        .is_about_sessions = is_about_sessions };
    struct turn turns[EPISODE_TURNS];
    size_t count = 0;
    bool same = true;

    talk_begin(t);
    while (same && !talk_is_apart(t) && count < EPISODE_TURNS) {
        turns[count] = write_turn(&a);
        same = talk_turn(t, &turns[count++]);
    }
    if (!same)
        report(t, seed, episode, turns, count);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)turns[i].lines);
    buf_release(&a.out);
    return same;
}

static void
run_seed(const char *settings, uint64_t seed, unsigned turns, bool is_about_sessions)
{
    struct talk *t = talk_new(weir(settings));
    unsigned episodes = (number_from_env("PGWEIR_TEST_TURNS", WORK(turns)) + EPISODE_TURNS - 1) /
                        EPISODE_TURNS;
    unsigned different = 0;

    printf("(seed %llu) ", (unsigned long long)seed);
    for (unsigned i = number_from_env("PGWEIR_TEST_EPISODE", 0); i < episodes && different < 3; i++)
        different += !run_episode(t, seed, i, is_about_sessions);
    CU_ASSERT_EQUAL(different, 0);
    talk_free(t);
}

/* --- what once differed --- */

static void
converse(const char *settings, const struct turn *turns, size_t count)
{
    struct talk *t = talk_new(weir(settings));
    bool same = !differs(t, turns, count);

    if (!same) {
        print_conversation(turns, count);
        fprintf(stderr, "%s", talk_difference(t));
    }
    CU_ASSERT(same);
    CU_ASSERT_FALSE(talk_is_apart(t));
    talk_free(t);
}
#define CONVERSE(settings, ...)                              \
    do {                                                     \
        static const struct turn turns_[] = { __VA_ARGS__ }; \
        converse(settings, turns_, COUNT_OF(turns_));        \
    } while (0)

static void
an_error_tells_the_name_that_the_client_gave(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select $1::int\nB - s1 - - -\n" },
             { 0, 0, "B - s1 - 1|2 -\nS\nB p1 s1 - - -\nS\nC S s1\n" });
}

static void
settings_are_reset_ahead_of_a_message_that_is_rewritten(void)
{
    CONVERSE(many_statements, { 3, 0, "Q discard plans\n" }, { 0, 0, "B p1 unknown - - 1\n" },
             { 1, 0, "P - - select 1\n" }, { 2, 0, "Q discard plans\n" }, { 1, 0, "B - - - - -\nE - 0\n" });
}

static void
names_are_told_apart_by_63_bytes(void)
{
    CONVERSE(many_statements,
             { 0, 0, "P n*70 - select $1::int\nS\nP n*63 - select 2\nS\nP n*62 - select 3\n" },
             { 0, 0, "B - n*64 - - -\nS\nB - n*64 - 1 -\nE - 0\nS\nB - n*62 - - -\nE - 0\n" });
}

static void
what_executes_a_deallocate_all_takes_all_names_away(void)
{
    CONVERSE(many_statements, { 2, 0, "P s1 - deallocate all\nP s2 - select 1\nS\n" },
             { 2, 0, "Q execute s1\nP s2 - select 2\nB - s2 - - -\nE - 0\nS\n" },
             { 2, 0, "P s1 - deallocate all\nP s3 - execute s1\nS\nB - s3 - - -\nE - 0\nS\n" },
             { 2, 0, "P s2 - select 3\nB - s2 - - -\nE - 0\nS\n" });
}

static void
names_in_sql_are_heard_of_in_a_failed_transaction(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 1\nS\nQ begin; select 1 / 0\n" },
             { 1, 0, "Q discard all\n" }, { 0, 0, "C S -\nQ execute s1\n" },
             { 0, 0, "C S -\nQ deallocate s1\nS\n" }, { 0, 0, "Q rollback; execute s1\n" });
}

static void
copy_in_is_ended_by_what_has_stayed_here(void)
{
    CONVERSE(
        many_statements,
        { 0, 0,
          "P s3 - copy w (owner, v) from stdin\nB - s3 - - -\nE - 0\nC S nobody\nQ deallocate s2\nS\n" });
}

static void
a_parse_in_a_failed_transaction_fails(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'a'\n" }, { 0, 0, "C S s1\nQ begin; select 1 / 0\n" },
             { 0, 0, "P s1 - select 'a'\n" }, { 0, 0, "Q rollback\nQ begin\nQ selec\nP s1 - select 'a'\n" });
}

static void
what_an_error_has_skipped_is_not_believed_behind_the_sync(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'b'\nP s2 - select 'c'\n" }, { 1, 0, "Q begin\n" },
             /* the same servers, other hands: what s1 is must be parsed again, but not by what is skipped */
             { 0, 0, "Q deallocate all\n" }, { 0, 0, "P s1 - select 'b'\nS\n" }, { 2, 0, "Q begin\n" },
             { 0, 0,
               "B - no - - -\nB - s1 - - -\nP s3 - select 'd'\nC S s1\nS\n"
               "B - s1 - - -\nE - 0\nS\nB - s3 - - -\nE - 0\nS\nP s3 - select 'e'\nD S s3\n" },
             { 0, 0, "P s4 - selec\nS\nP s4 - select 'f'\nB - s4 - - -\nE - 0\n" });
}

static void
the_unnamed_statement_survives_what_is_skipped(void)
{
    CONVERSE(many_statements, { 0, 0, "P - - select 'mine'\n" }, { 1, 0, "P - - select 'not yours'\n" },
             { 0, 0, "B - no - - -\nQ select 1\nP - - select 'skipped'\nC S -\nS\nB - - - - -\nE - 0\n" },
             { 0, 0, "B - no - - -\nP - - select 'skipped'\nS\nP - - select 'new'\nS\nB - - - - -\nE - 0\n" },
             { 0, 0, "B - - - - -\nE - 0\n" }, { 0, 0, "P - 23!2 select 1\nS\nB - - - - -\nE - 0\n" });
}

static void
deallocate_all_is_heard_by_what_follows_it_in_the_pipeline(void)
{
    CONVERSE(many_statements, { 0, 0, "P s1 - select 'g'\nP s2 - deallocate all\n" },
             { 0, 50,
               "Q select 'something long enough to be cut into pieces'; deallocate all\n"
               "P s1 - select 'h'\nB - s1 - - -\nE - 0\nS\nB - s2 - - -\n" },
             { 0, 0, "P s2 - deallocate all\nP s3 - select 'g'\n" }, { 1, 0, "Q begin\n" },
             { 0, 0, "B - s2 - - -\nE - 0\nB - s3 - - -\nE - 0\n" }, { 0, 0, "P s1 - select 'g'\n" },
             { 0, 0, "Q discard all\nP s1 - select 'i'\nD S s1\nB - s1 - - -\nE - 0\n" });
}

static void
eviction_does_not_lose_what_was_skipped(void)
{
    CONVERSE(few_statements, { 0, 0, "P s1 - select 1\nP s2 - select 2\nP s3 - select 3\nP s4 - select 4\n" },
             { 0, 0,
               "B - no - - -\nP s5 - select 5\nC S s5\nP s5 - select 5\nP s6 - select 6\nS\n"
               "B - s1 - - -\nE - 0\nB - s5 - - -\n" },
             { 0, 0, "P s5 - select 5\nP s6 - select 6\nB - s1 - - -\nE - 0\nB - s2 - - -\nE - 0\n" });
}

static void
copy_that_fails_leaves_later_syncs_alone(void)
{
    CONVERSE(many_statements, { 0, 0, "P - - copy w (owner, v) from stdin\n" },
             { 0, 0,
               "B - - - - -\nE - 0\nS\nd no row\nc\nQ select 1\nS\nQ copy w (owner, v) from stdin\n"
               "d 1\tx\nc\nS\nS\nP - - select 1\nS\n" },
             { 0, 0, "Q copy w (owner, v) from stdin\nd no row\nQ copy w (owner, v) from stdin\nc\nS\nS\n" });
}

static void
nothing_waits_for_an_answer_that_copy_holds_back(void)
{
    CONVERSE(
        many_statements, { 0, 0, "P s1 - deallocate all\nP s2 - select 1\n" },
        { 0, 0,
          "Q begin\nB p1 s1 - - -\nP - - copy w (owner, v) from stdin\nB - - - - -\nE - 0\nP s3 - select 1\n" },
        { 0, 0, "Q select 2\n" });
}

/* --- chance --- */

static void
few_statements_fit_on_a_server(void)
{
    run_seed(few_statements, number_from_env("PGWEIR_TEST_SEED", 1), TURNS, false);
}

static void
many_statements_fit_on_a_server(void)
{
    run_seed(many_statements, number_from_env("PGWEIR_TEST_SEED", 2), TURNS, false);
}

static void
sessions_are_what_they_are_directly(void)
{
    run_seed(many_statements, number_from_env("PGWEIR_TEST_SEED", 3), SESSION_TURNS, true);
}

void
suite_differential(void)
{
    static const struct test_case cases[] = {
        TEST(an_error_tells_the_name_that_the_client_gave),
        TEST(settings_are_reset_ahead_of_a_message_that_is_rewritten),
        TEST(names_are_told_apart_by_63_bytes),
        TEST(what_executes_a_deallocate_all_takes_all_names_away),
        TEST(names_in_sql_are_heard_of_in_a_failed_transaction),
        TEST(copy_in_is_ended_by_what_has_stayed_here),
        TEST(a_parse_in_a_failed_transaction_fails),
        TEST(what_an_error_has_skipped_is_not_believed_behind_the_sync),
        TEST(the_unnamed_statement_survives_what_is_skipped),
        TEST(deallocate_all_is_heard_by_what_follows_it_in_the_pipeline),
        TEST(eviction_does_not_lose_what_was_skipped),
        TEST(copy_that_fails_leaves_later_syncs_alone),
        TEST(nothing_waits_for_an_answer_that_copy_holds_back),
        TEST(few_statements_fit_on_a_server),
        TEST(many_statements_fit_on_a_server),
        TEST(sessions_are_what_they_are_directly),
    };

    SUITE("differential", cases);
}
