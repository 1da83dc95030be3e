/*
 * test_storm.c - many clients at once, doing anything, some of them badly, on few servers, some of which die.
 * By chance, with the seed printed when something goes wrong. What must hold:
 *
 *     - each client reads the answers to its own requests, all of them, in order, and nothing else;
 *     - a client is hurt only by the death of a server, and each death hurts one client at the most;
 *     - what was confirmed is committed once; what was never asked to be committed is not;
 *     - a statement is cancelled only for a client that has asked for that, or that has gone;
 *     - no session sees another's setting;
 *     - in the end every server is at rest, and (asan) nothing has leaked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "message.h"
#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "robot.h"
#include "script.h"

void suite_storm(void);

#define GUESTS 7u
#define FIRST_CANCELLER 100u /* number of the actors that bring cancel requests, and of the next hundred */
#define STEPS 250u
#define MOST_MARKS 4000u

/* `$` is a word that nobody else uses: guest, session and number. */
static const struct unit {
    const char *sent;
    const char *wanted;
    unsigned needed; /* how many of its messages must be sent before $ may be committed; 0: it never may */
    bool is_slow;    /* somebody must cancel it */
    enum { KEEPS_NOTHING, PREPARES, USES, FORGETS } keeps; /* the statement k% */
} units[] = {
    { "Query echo $", "Columns a | Row $ | Complete SELECT 1 | Ready I", 0, false, KEEPS_NOTHING },
    { "Query echo $; notice $; echo $",
      "Columns a | Row $ | Complete SELECT 1 | Notice NOTICE 00000 $ | Complete NOTICE | Columns a | Row $ | "
      "Complete SELECT 1 | Ready I",
      0, false, KEEPS_NOTHING },
    { "Query fail", "Error ERROR 22012 no | Ready I", 0, false, KEEPS_NOTHING },
    { "Query insert $", "Complete INSERT 0 1 | Ready I", 1, false, KEEPS_NOTHING },
    { "Query begin | Query insert $ | Query echo $ | Query commit",
      "Complete BEGIN | Ready T | Complete INSERT 0 1 | Ready T | Columns a | Row $ | Complete SELECT 1 | Ready T | "
      "Complete COMMIT | Ready I",
      4, false, KEEPS_NOTHING },
    { "Query begin; insert $; fail | Query echo $ | Query commit",
      "Complete BEGIN | Complete INSERT 0 1 | Error ERROR 22012 no | Ready E | Error ERROR 25P02 no | Ready E | "
      "Complete ROLLBACK | Ready I",
      0, false, KEEPS_NOTHING },
    { "Parse - echo $1 | Bind - - $ | Describe P - | Execute - 0 | Sync",
      "ParseComplete | BindComplete | Columns a | Row $ | Complete SELECT 1 | Ready I", 0, false,
      KEEPS_NOTHING },
    { "Parse - insert $ | Bind - - | Execute - 0 | Flush | Sync",
      "ParseComplete | BindComplete | Complete INSERT 0 1 | Ready I", 5, false, KEEPS_NOTHING },
    { "Parse - wrong | Bind - - | Execute - 0 | Sync | Sync", "Error ERROR 42601 syntax | Ready I | Ready I",
      0, false, KEEPS_NOTHING },
    { "Parse - insert $ | Bind - - | Execute - 0 | Parse - fail | Bind - - | Execute - 0 | Parse - echo x | Sync",
      "ParseComplete | BindComplete | Complete INSERT 0 1 | ParseComplete | BindComplete | Error ERROR 22012 no | Ready I",
      0, false, KEEPS_NOTHING },
    { "Parse n$ echo $1 | Bind - n$ $ | Execute - 0 | Sync | Bind - n$ x | Execute - 0 | Sync | Close S n$ | Sync",
      "ParseComplete | BindComplete | Row $ | Complete SELECT 1 | Ready I | BindComplete | Row x | Complete SELECT 1 | "
      "Ready I | CloseComplete | Ready I",
      0, false, KEEPS_NOTHING },
    { "Query copy in; insert $ | CopyData one | CopyData two | CopyDone",
      "CopyIn | Complete COPY 2 | Complete INSERT 0 1 | Ready I", 4, false, KEEPS_NOTHING },
    { "Query insert $; copy in | CopyData one | CopyFail no",
      "Complete INSERT 0 1 | CopyIn | Error ERROR 57014 copy failed | Ready I", 0, false, KEEPS_NOTHING },
    { "Parse - copy in | Bind - - | Execute - 0 | CopyData x | CopyDone | Parse - insert $ | Bind - - | Execute - 0 | Sync",
      "ParseComplete | BindComplete | CopyIn | Complete COPY 1 | ParseComplete | BindComplete | Complete INSERT 0 1 | Ready I",
      9, false, KEEPS_NOTHING },
    { "Parse - copy in | Bind - - | Execute - 0 | Sync | CopyData x | CopyDone | Sync",
      "ParseComplete | BindComplete | CopyIn | Complete COPY 1 | Ready I", 0, false, KEEPS_NOTHING },
    { "Parse - copy in | Bind - - | Execute - 0 | Sync | CopyFail no | Sync",
      "ParseComplete | BindComplete | CopyIn | Error ERROR 57014 copy failed | Ready I", 0, false,
      KEEPS_NOTHING },
    { "Parse m$ echo $1 | Bind - m$ 1 | Parse - wrong | Bind - m$ 2 | Sync | Bind - m$ $ | Execute - 0 | Sync",
      "ParseComplete | BindComplete | Error ERROR 42601 syntax | Ready I | BindComplete | Row $ | Complete SELECT 1 | Ready I",
      0, false, KEEPS_NOTHING },
    { "Parse - echo $1 | Sync | Bind - - $ | Execute - 0 | Sync",
      "ParseComplete | Ready I | BindComplete | Row $ | Complete SELECT 1 | Ready I", 0, false,
      KEEPS_NOTHING },
    { "Parse k% echo $1 | Sync", "ParseComplete | Ready I", 0, false, PREPARES },
    { "Bind - k% $ | Describe P - | Execute - 0 | Sync",
      "BindComplete | Columns a | Row $ | Complete SELECT 1 | Ready I", 0, false, USES },
    { "Describe S k% | Bind - k% $ | Execute - 0 | Sync",
      "Parameters | Columns a | BindComplete | Row $ | Complete SELECT 1 | Ready I", 0, false, USES },
    { "Parse k% echo x | Sync", "Error ERROR 42P05 prepared statement \"k%\" already exists | Ready I", 0,
      false, USES },
    { "Close S k% | Sync", "CloseComplete | Ready I", 0, false, FORGETS },
    { "Query copy out", "CopyOut | CopyData one | CopyData two | CopyDone | Complete COPY 2 | Ready I", 0,
      false, KEEPS_NOTHING },
    { "Function 42 $", "Result called | Ready I", 0, false, KEEPS_NOTHING },
    { "Sync | Flush | Sync", "Ready I | Ready I", 0, false, KEEPS_NOTHING },
    { "Query set $ | Query show %", "Complete SET | Ready I | Row shown | Complete SHOW | Ready I", 0, false,
      KEEPS_NOTHING },
    { "Query show %", "Row shown | Complete SHOW | Ready I", 0, false, KEEPS_NOTHING },
    { "Query echo x*9000", "Columns a | Row x*9000 | Complete SELECT 1 | Ready I", 0, false, KEEPS_NOTHING },
    { "Query slow $", "Error ERROR 57014 cancelled | Ready I", 0, true, KEEPS_NOTHING },
    { "Query begin; insert $; slow $ | Query rollback",
      "Complete BEGIN | Complete INSERT 0 1 | Error ERROR 57014 cancelled | Ready E | Complete ROLLBACK | Ready I",
      0, true, KEEPS_NOTHING },
};

/* A word that was, or may have been, inserted. */
struct mark {
    char word[32];
    unsigned least, most; /* how often it must be committed */
    unsigned guest;
    uint64_t commit_at; /* of the session's bytes; when so many were sent, it may be committed */
    uint64_t heard_at;  /* of the session's answers; when so many were heard, it is confirmed */
    bool is_settled;
};

struct guest {
    unsigned number, session;
    bool is_here, is_greeted;
    struct buf plan;   /* to be sent */
    struct buf wanted; /* to be heard */
    uint64_t sent_bytes, planned_bytes, heard_bytes, wanted_bytes;
    uint64_t slow_until; /* heard_bytes that end its last slow statement */
    unsigned unit_count;
    unsigned cancels;  /* asked for */
    bool has_prepared; /* k% */
};

struct storm {
    struct robots robots; /* first: the hook gets no more */
    struct script *script;
    struct guest guests[GUESTS + 1];
    struct mark marks[MOST_MARKS];
    unsigned mark_count, canceller_count, deaths, hurt;
    uint64_t random;
};

static bool
chance(struct storm *st, unsigned percent)
{
    return random_between(&st->random, 1, 100) <= percent;
}

static struct actor *
actor_of(struct storm *st, const struct guest *g)
{
    return script_actor(st->script, ACTOR_CLIENT, g->number);
}

/* --- sessions --- */

static void
come(struct storm *st, struct guest *g)
{
    static const char *const parameters[] = { "", "", "", " timezone=UTC", " timezone=GMT" };
    const char *more = parameters[random_next(&st->random) % COUNT_OF(parameters)];
    char startup[100];

    g->session++;
    g->is_here = true;
    g->is_greeted = false;
    buf_release(&g->plan);
    buf_release(&g->wanted);
    g->sent_bytes = g->planned_bytes = g->heard_bytes = g->wanted_bytes = g->slow_until = 0;
    g->unit_count = g->cancels = 0;
    g->has_prepared = false;
    snprintf(startup, sizeof startup, "Startup user=alice database=app%s", more);
    (void)messages_write(&g->plan, startup);
    g->planned_bytes = buf_len(&g->plan);
    script_line(st->script, "c%u connects", g->number);
}

/* The session is over: what of its words may have been committed? */
static void
settle_marks(struct storm *st, const struct guest *g)
{
    for (unsigned i = 0; i < st->mark_count; i++) {
        struct mark *mark = &st->marks[i];

        if (mark->guest != g->number || mark->is_settled)
            continue;
        mark->is_settled = true;
        mark->most = g->sent_bytes >= mark->commit_at;
        mark->least = g->heard_bytes >= mark->heard_at && mark->most == 1;
    }
}

static void
leave(struct storm *st, struct guest *g)
{
    actor_close(actor_of(st, g));
    actor_forget(actor_of(st, g));
    g->is_here = false;
    settle_marks(st, g);
}

/* `$` and `%` become the guest's words. */
static void
personalise(char *out, size_t size, const char *words, const struct guest *g)
{
    size_t len = 0;

    for (; *words != '\0'; words++) {
        if (*words == '$' && words[1] != '1')
            len += (size_t)snprintf(out + len, size - len, "g%u.%u.%u", g->number, g->session, g->unit_count);
        else if (*words == '%')
            len += (size_t)snprintf(out + len, size - len, "g%u.%u.", g->number, g->session);
        else
            out[len++] = *words;
    }
    out[len] = '\0';
}

static size_t
write_some(struct buf *out, const char *words, unsigned message_count)
{
    char one[MESSAGE_MOST_TEXT];
    size_t before = buf_len(out);

    while (message_count-- > 0 && message_next(&words, one))
        CU_ASSERT_TRUE(message_write(out, one));
    return buf_len(out) - before;
}

static void
plan_unit(struct storm *st, struct guest *g)
{
    const struct unit *unit = &units[random_next(&st->random) % COUNT_OF(units)];
    char words[1000];
    struct buf head;
    struct mark *mark;

    if (st->mark_count == MOST_MARKS || (unit->keeps == PREPARES && g->has_prepared) ||
        (unit->keeps > PREPARES && !g->has_prepared))
        return;
    if (unit->keeps != KEEPS_NOTHING)
        g->has_prepared = unit->keeps != FORGETS;
    mark = &st->marks[st->mark_count];
    g->unit_count++;
    personalise(words, sizeof words, unit->sent, g);
    buf_init(&head);
    *mark = (struct mark){ .guest = g->number,
                           .commit_at = unit->needed == 0
                                            ? UINT64_MAX
                                            : g->planned_bytes + write_some(&head, words, unit->needed) };
    buf_release(&head);
    g->planned_bytes += write_some(&g->plan, words, UINT32_MAX);
    personalise(words, sizeof words, unit->wanted, g);
    g->wanted_bytes += write_some(&g->wanted, words, UINT32_MAX);
    mark->heard_at = g->wanted_bytes;
    if (unit->is_slow)
        g->slow_until = g->wanted_bytes;
    personalise(mark->word, sizeof mark->word, "$", g);
    if (strstr(unit->sent, "insert") != NULL)
        st->mark_count++;
}

static void
send_some(struct storm *st, struct guest *g)
{
    size_t all = buf_len(&g->plan);
    size_t some = chance(st, 60) ? all : (size_t)random_between(&st->random, 1, all);

    actor_send(actor_of(st, g), slice_of(buf_slice(&g->plan).at, some));
    buf_drop(&g->plan, some);
    g->sent_bytes += some;
}

/* --- what they hear --- */

static void
hear_greeting(struct storm *st, struct guest *g)
{
    struct actor *a = actor_of(st, g);
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;

    while (message_take(&in, &message)) {
        if (message.at[0] == 'K') {
            a->pid = get_be32(message.at + 5);
            a->secret = get_be32(message.at + 9);
        }
        if (message.at[0] == 'Z') {
            g->is_greeted = true;
            buf_drop(&a->in, before - in.len);
            return;
        }
    }
}

static bool
says_server_lost(struct slice in)
{
    return in.len == 0 || (in.at[0] == 'E' && memmem(in.at, in.len, "08006", 5) != NULL);
}

static void
hear(struct storm *st, struct guest *g)
{
    struct actor *a = actor_of(st, g);
    struct slice in = buf_slice(&a->in);
    struct slice wanted = buf_slice(&g->wanted);
    size_t same = 0;

    if (!g->is_here)
        return;
    if (!g->is_greeted) {
        hear_greeting(st, g);
        in = buf_slice(&a->in);
    }
    while (g->is_greeted && same < in.len && same < wanted.len && in.at[same] == wanted.at[same])
        same++;
    if (g->is_greeted && in.len > 0 && same == 0 && a->is_ended && says_server_lost(in)) {
        ; /* instead of the next answer */
    } else if (g->is_greeted && same < in.len && !a->is_ended) {
        struct buf text;

        if (in.at[same] == 'E') /* the end will follow */
            return;
        buf_init(&text);
        messages_show(&text, in);
        buf_add_text(&text, "    instead of\n");
        messages_show(&text, wanted);
        buf_add_u8(&text, 0);
        script_fail(st->script, "g%u has heard\n%s", g->number, (const char *)buf_slice(&text).at);
        buf_release(&text);
        return;
    }
    if (a->is_ended) {
        /* An answer that was an error too may agree with the refusal for some bytes: look at the whole
         * message. */
        if (memmem(in.at, in.len, "08006", 5) == NULL && in.len > same)
            script_fail(st->script, "g%u was sent away: %.*s", g->number, (int)in.len, (const char *)in.at);
        st->hurt++;
        if (st->hurt > st->deaths)
            script_fail(st->script, "g%u was hurt by the death of no server", g->number);
        g->heard_bytes += same;
        leave(st, g);
        return;
    }
    buf_drop(&a->in, same);
    buf_drop(&g->wanted, same);
    g->heard_bytes += same;
}

static void
all_hear(struct storm *st)
{
    for (unsigned i = 1; i <= GUESTS && !script_has_failed(st->script); i++)
        hear(st, &st->guests[i]);
    if (st->robots.complaint[0] != '\0')
        script_fail(st->script, "%s", st->robots.complaint);
}

/* --- what happens --- */

static bool
is_slow(const struct guest *g)
{
    return g->is_here && g->is_greeted && g->heard_bytes < g->slow_until;
}

static void
ask_to_cancel(struct storm *st, struct guest *g)
{
    unsigned number = FIRST_CANCELLER + st->canceller_count++ % (SCRIPT_MOST - FIRST_CANCELLER);
    struct actor *a = script_actor(st->script, ACTOR_CLIENT, number);

    actor_close(a); /* an old one need not wait for its answer */
    actor_forget(a);
    g->cancels++;
    script_line(st->script, "c%u cancels c%u", number, g->number);
}

/* WHAT is a word of personalise(). */
static void
on_cancelled(struct robots *robots, const char *what)
{
    struct storm *st = (struct storm *)(void *)robots;
    char *rest;
    unsigned long guest = strtoul(what + 1, &rest, 10);
    unsigned long session = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    const struct guest *g = &st->guests[guest <= GUESTS ? guest : 0];

    if (g->is_here && g->session == session && g->cancels == 0)
        snprintf(robots->complaint, sizeof robots->complaint,
                 "%s was cancelled, and its client did not ask for it", what);
}

static void
kill_server(struct storm *st)
{
    unsigned number = (unsigned)random_between(&st->random, 1, SCRIPT_MOST);
    struct actor *a;

    for (unsigned i = 0; i < SCRIPT_MOST; i++) {
        a = script_actor(st->script, ACTOR_SERVER, 1 + (number + i) % SCRIPT_MOST);
        if (a->fd < 0 || a->is_ended)
            continue;
        st->deaths++;
        actor_close(a);
        return;
    }
}

static void
act(struct storm *st, struct guest *g)
{
    if (!g->is_here) {
        come(st, g);
    } else if (chance(st, 4)) {
        leave(st, g);
    } else if (chance(st, 4)) {
        actor_of(st, g)->is_deaf = !actor_of(st, g)->is_deaf;
    } else if (is_slow(g) && chance(st, 30)) {
        ask_to_cancel(st, g);
    } else if (buf_len(&g->plan) > 0) {
        send_some(st, g);
    } else if (chance(st, 70)) {
        plan_unit(st, g);
    }
}

static void
step(struct storm *st)
{
    act(st, &st->guests[random_between(&st->random, 1, GUESTS)]);
    if (chance(st, 2))
        kill_server(st);
    if (chance(st, 40))
        (void)script_hear_courier(st->script);
    if (chance(st, 20))
        script_pass_us(st->script, random_between(&st->random, 1, 300) * US_PER_MS);
    else
        script_settle(st->script);
    all_hear(st);
}

/* Everybody says what they had to say, and hears the rest. */
static bool
is_quiet(struct storm *st)
{
    bool quiet = true;

    for (unsigned i = 1; i <= GUESTS; i++) {
        struct guest *g = &st->guests[i];

        actor_of(st, g)->is_deaf = false;
        if (!g->is_here)
            continue;
        if (buf_len(&g->plan) > 0)
            send_some(st, g);
        else if (is_slow(g) && chance(st, 30))
            ask_to_cancel(st, g);
        quiet = quiet && buf_len(&g->plan) == 0 && g->is_greeted && buf_len(&g->wanted) == 0;
    }
    while (script_hear_courier(st->script))
        ;
    script_pass_us(st->script, 200 * US_PER_MS);
    all_hear(st);
    return quiet;
}

static void
calm_down(struct storm *st)
{
    for (unsigned i = 0; i < 500 && !script_has_failed(st->script); i++)
        if (is_quiet(st))
            return;
    for (unsigned i = 1; i <= GUESTS; i++)
        if (st->guests[i].is_here && (buf_len(&st->guests[i].wanted) > 0 || !st->guests[i].is_greeted))
            script_fail(st->script, "g%u waits in vain", i);
}

static void
check_nothing_more_was_said(struct storm *st)
{
    for (unsigned i = 1; i <= GUESTS; i++)
        if (st->guests[i].is_here && buf_len(&actor_of(st, &st->guests[i])->in) > 0)
            script_fail(st->script, "g%u has heard more than the answers to its requests", i);
}

static void
check_marks(struct storm *st)
{
    for (unsigned i = 0; i < st->mark_count && !script_has_failed(st->script); i++) {
        const struct mark *mark = &st->marks[i];
        unsigned count = robots_committed(&st->robots, mark->word);

        if (count < mark->least || count > mark->most)
            script_fail(st->script, "%s was committed %u times and not %u to %u", mark->word, count,
                        mark->least, mark->most);
    }
}

static bool
weathers(const struct scene *scene, uint64_t seed)
{
    struct storm *st = mem_new(sizeof *st);
    struct scene mine = *scene;
    bool good;

    robots_init(&st->robots);
    st->robots.random = seed | 1;
    st->robots.on_cancelled = on_cancelled;
    st->random = seed | 1;
    (void)random_next(&st->random);
    mine.arg = &st->robots;
    st->script = script_begin(&mine, __FILE__, __LINE__);
    for (unsigned i = 1; i <= GUESTS; i++) {
        st->guests[i].number = i;
        buf_init(&st->guests[i].plan);
        buf_init(&st->guests[i].wanted);
    }
    for (unsigned i = 0; i < STEPS && !script_has_failed(st->script); i++)
        step(st);
    calm_down(st);
    check_nothing_more_was_said(st);
    for (unsigned i = 1; i <= GUESTS; i++)
        if (st->guests[i].is_here)
            leave(st, &st->guests[i]);
    for (unsigned i = 0; i < 20 && !script_has_failed(st->script); i++) {
        while (script_hear_courier(st->script))
            ;
        script_pass_us(st->script, 500 * US_PER_MS);
    }
    if (!script_has_failed(st->script) && !robots_are_at_rest(&st->robots))
        script_fail(st->script, "a server is not at rest");
    check_marks(st);
    if (script_has_failed(st->script))
        fprintf(stderr, "    seed %#llx\n", (unsigned long long)seed);
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        actor_forget(script_actor(st->script, ACTOR_CLIENT, i));
    good = script_end(st->script);
    for (unsigned i = 1; i <= GUESTS; i++) {
        buf_release(&st->guests[i].plan);
        buf_release(&st->guests[i].wanted);
    }
    robots_fini(&st->robots);
    free(st);
    return good;
}

#define ROUNDS 25u       /* with these seeds every time */
#define FRESH_ROUNDS 10u /* with others each time; PGWEIR_TEST_ROUNDS says how many */

/* PGWEIR_TEST_SEED: only this one. */
static void
weathers_all(const struct scene *scene)
{
    const char *only = getenv("PGWEIR_TEST_SEED");
    const char *rounds = getenv("PGWEIR_TEST_ROUNDS");
    unsigned long fresh_rounds = rounds != NULL ? strtoul(rounds, NULL, 10) : FRESH_ROUNDS;
    uint64_t fresh = (uint64_t)time(NULL);

    if (only != NULL) {
        (void)weathers(scene, strtoull(only, NULL, 0));
        return;
    }
    for (unsigned long i = 0; i < ROUNDS + fresh_rounds; i++)
        if (!weathers(scene, (i < ROUNDS ? i + 1 : fresh + i) * UINT64_C(0x9e3779b97f4a7c15)))
            return;
}

#define SCENE(name, text, ...)                                    \
    static const struct scene name = { .settings = text,          \
                                       .serve = robot_serve,      \
                                       .on_cancel = robot_cancel, \
                                       .are_couriers_slow = true, \
                                       __VA_ARGS__ }

SCENE(one_worker, "query_wait_timeout = 0\nmax_prepared_statements = 2\n", .limit = 3);
SCENE(one_server, "query_wait_timeout = 0\n", .limit = 1);
SCENE(three_workers, "query_wait_timeout = 0\n", .limit = 4, .workers = 3);
SCENE(sessions, "query_wait_timeout = 0\npool_mode = session\n", .limit = 9, .workers = 2);

static void
one_worker_weathers_a_storm(void)
{
    weathers_all(&one_worker);
}

static void
one_server_weathers_a_storm(void)
{
    weathers_all(&one_server);
}

static void
several_workers_weather_a_storm(void)
{
    weathers_all(&three_workers);
}

static void
sessions_weather_a_storm(void)
{
    weathers_all(&sessions);
}

void
suite_storm(void)
{
    CU_pSuite suite = CU_add_suite("storm", NULL, NULL);

    CU_ADD_TEST(suite, one_worker_weathers_a_storm);
    CU_ADD_TEST(suite, one_server_weathers_a_storm);
    CU_ADD_TEST(suite, several_workers_weather_a_storm);
    CU_ADD_TEST(suite, sessions_weather_a_storm);
}
