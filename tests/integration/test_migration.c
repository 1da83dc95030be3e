/*
 * test_migration.c - the schema changes under a crowd: fifty clients on ten servers run what they have prepared, in
 * transactions and without, while columns come and go, change their types, and the table is made anew; by turns
 * through pgweir and around it. Outside of transactions nobody notices. In one the error may be told, but then the next one is healthy,
 * unless the schema has changed again meanwhile.
 *
 * All of it happens in one thread that never waits for one client alone: a change waits for those who hold
 * the table, and they for nobody.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_migration(void);

#define CLIENTS 50
#define CHANGES WORK(40u)
#define RUNS_BETWEEN 60u /* two changes */
#define TEXTS 3

static const char *const texts[TEXTS] = {
    "select * from moving",
    "select * from moving where a > 0",
    "select *, a + 1 as more from moving order by a",
};

static const char *const changes[] = {
    "alter table moving add column c int default 7",
    "alter table moving alter column a type bigint",
    "alter table moving drop column c",
    "begin; drop table moving; create table moving (a int, d date, b text); insert into moving values (1); commit",
    "alter table moving alter column d type text",
    "alter table moving rename column b to e",
    "alter table moving drop column d",
    "begin; drop table moving; create table moving (a numeric); insert into moving values (1); commit",
    "alter table moving add column b text",
    "alter table moving alter column a type int",
};

enum doing { RESTING, PREPARING, FORGETTING, RUNNING, BEGINNING, ENDING };

struct dweller {
    PGconn *c;
    enum doing doing;
    bool has[TEXTS];      /* prepared, as `q0` and so on */
    unsigned text;        /* at hand */
    unsigned left;        /* runs in this transaction; 0: it is to be ended */
    bool is_inside;       /* of a transaction */
    bool has_failed;      /* in this transaction */
    bool was_failed;      /* the last transaction has failed */
    unsigned failed_when; /* scene.events then */
};

struct town {
    struct dweller dwellers[CLIENTS];
    PGconn *by[2];    /* who changes the schema: through pgweir, around it */
    unsigned changes; /* begun */
    unsigned events;  /* begun and ended: odd while one is under way */
    unsigned runs, runs_at_change;
    unsigned wrong;
    const char *first_wrong;
};

static unsigned
pick(unsigned count)
{
    return (unsigned)rand() % count;
}

static void
note_wrong(struct town *t, const char *said)
{
    t->wrong++;
    if (t->first_wrong == NULL)
        t->first_wrong = strdup(said);
}

/* --- a client --- */

static void
begin_run(struct dweller *d)
{
    const char *name = text("q%u", d->text);

    if (d->has[d->text]) {
        d->doing = RUNNING;
        CU_ASSERT_EQUAL(PQsendQueryPrepared(d->c, name, 0, NULL, NULL, NULL, 0), 1);
    } else {
        d->doing = PREPARING;
        CU_ASSERT_EQUAL(PQsendPrepare(d->c, name, texts[d->text], 0, NULL), 1);
    }
}

static void
begin_something(struct dweller *d)
{
    d->text = pick(TEXTS);
    if (!d->is_inside && pick(4) == 0) {
        d->doing = BEGINNING;
        d->left = 1 + pick(3);
        CU_ASSERT_EQUAL(PQsendQuery(d->c, "begin"), 1);
    } else if (d->is_inside && d->left-- == 0) {
        d->doing = ENDING;
        CU_ASSERT_EQUAL(PQsendQuery(d->c, d->has_failed ? "rollback" : "commit"), 1);
    } else if (!d->is_inside && d->has[d->text] && pick(20) == 0) {
        d->doing = FORGETTING;
        CU_ASSERT_EQUAL(PQsendQuery(d->c, text("deallocate q%u", d->text)), 1);
    } else {
        begin_run(d);
    }
}

/* An error in a transaction, which is all right if the schema has changed. */
static void
fail_inside(struct town *t, struct dweller *d, const char *said)
{
    bool is_honest = BEGINS(said, "ERROR 0A000");
    bool is_settled = d->was_failed && d->failed_when == t->events && t->events % 2 == 0;

    if (!is_honest || is_settled)
        note_wrong(t, text("in a transaction: %s", said));
    d->has_failed = true;
    d->failed_when = t->events;
    d->left = 0;
}

static void
note_run(struct town *t, struct dweller *d, const char *said)
{
    if (strcmp(said, "1") == 0)
        t->runs++;
    else if (d->is_inside)
        fail_inside(t, d, said);
    else
        note_wrong(t, said);
}

static void
note_answer(struct town *t, struct dweller *d, const char *said)
{
    switch (d->doing) {
    case RESTING:
        return;
    case PREPARING:
        d->has[d->text] = said[0] == '\0';
        if (!d->has[d->text])
            note_wrong(t, said);
        break;
    case FORGETTING:
        d->has[d->text] = false;
        if (strcmp(said, "DEALLOCATE") != 0)
            note_wrong(t, said);
        break;
    case RUNNING:
        note_run(t, d, said);
        break;
    case BEGINNING:
        d->is_inside = true;
        d->has_failed = false;
        break;
    case ENDING:
        d->is_inside = false;
        d->was_failed = d->has_failed;
        break;
    }
    d->doing = RESTING;
}

/* --- who changes the schema --- */

static bool
is_changing(const struct town *t)
{
    return t->events % 2 == 1;
}

static PGconn *
changer(const struct town *t)
{
    return t->by[t->changes / COUNT_OF(changes) % 2];
}

static void
change_on(struct town *t)
{
    const char *said;

    if (is_changing(t) && has_answered(changer(t))) {
        said = answer(changer(t));
        if (!BEGINS(said, "ALTER TABLE") && !BEGINS(said, "COMMIT"))
            note_wrong(t, said);
        t->events++;
        t->changes++;
        t->runs_at_change = t->runs;
    }
    if (is_changing(t) || t->changes == CHANGES || t->runs < t->runs_at_change + RUNS_BETWEEN)
        return;
    t->events++;
    CU_ASSERT_EQUAL(PQsendQuery(changer(t), changes[t->changes % COUNT_OF(changes)]), 1);
}

/* --- all together --- */

static void
await_anything(const struct town *t)
{
    struct pollfd fds[CLIENTS + 2];

    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = (struct pollfd){ PQsocket(t->dwellers[i].c), POLLIN, 0 };
    for (unsigned i = 0; i < 2; i++)
        fds[CLIENTS + i] = (struct pollfd){ PQsocket(t->by[i]), POLLIN, 0 };
    if (poll(fds, CLIENTS + 2, WAIT_MS) <= 0)
        CU_FAIL("nobody is answered");
}

static bool
is_at_rest(const struct town *t)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (t->dwellers[i].doing != RESTING || t->dwellers[i].is_inside)
            return false;
    return true;
}

/* Until all changes are made and everybody has come out of his transaction; false when that takes for ever. */
static bool
live(struct town *t)
{
    uint64_t until = now_ms() + 3 * WAIT_MS;

    while (t->changes < CHANGES || !is_at_rest(t)) {
        bool has_moved = false;

        if (now_ms() > until) {
            CU_FAIL("it does not come to an end");
            return false;
        }
        change_on(t);
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct dweller *d = &t->dwellers[i];

            if (d->doing != RESTING && !has_answered(d->c))
                continue;
            if (d->doing != RESTING)
                note_answer(t, d, answer(d->c));
            if (t->changes < CHANGES || d->is_inside)
                begin_something(d);
            has_moved = true;
        }
        if (!has_moved)
            await_anything(t);
    }
    return true;
}

static void
a_crowd_lives_through_migrations(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "default_pool_size = 10\nworkers = 2\n" });
    struct town *t = calloc(1, sizeof *t);
    bool is_over;

    t->by[0] = weir_dial_as(w, "migration_user");
    t->by[1] = dial(pg_main()->port, "user=migration_user password=migration_user_pw");
    SAYS(ask(t->by[1], "drop table if exists moving; create table moving (a int, b text);"
                       "insert into moving values (1, 'x')"),
         "INSERT 0 1");
    srand(3);
    for (unsigned i = 0; i < CLIENTS; i++)
        t->dwellers[i].c = weir_dial(w);
    is_over = live(t);
    CU_ASSERT_EQUAL(t->wrong, 0);
    if (t->first_wrong != NULL)
        SAYS(t->first_wrong, "");
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned k = 0; k < TEXTS && is_over; k++) {
            if (t->dwellers[i].has[k])
                SAYS((PQsendQueryPrepared(t->dwellers[i].c, text("q%u", k), 0, NULL, NULL, NULL, 0),
                      answer(t->dwellers[i].c)),
                     "1");
        }
        PQfinish(t->dwellers[i].c);
    }
    if (is_over)
        SAYS(ask(t->by[1], "drop table moving"), "DROP TABLE");
    PQfinish(t->by[0]);
    PQfinish(t->by[1]);
    free((char *)(uintptr_t)t->first_wrong);
    free(t);
}

void
suite_migration(void)
{
    static const struct test_case cases[] = { TEST(a_crowd_lives_through_migrations) };

    SUITE("migrations under load", cases);
}
