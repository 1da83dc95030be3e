/*
 * test_states.c - every event in every state of a client. Robots play the servers, and the clock runs past
 * every bound, so what is checked is what must hold after anything: the others work, the servers are at rest,
 * nothing leaks.
 */
#include <stdio.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "robot.h"
#include "script.h"

void suite_states(void);

#define MOST_LINES 8

struct situation {
    const char *name;
    const char *lines[MOST_LINES];
};

/* How c1 comes there; c2 is in and idle, c3 is in and may hold servers. */
static const struct situation states[] = {
    { "startup", { "c1 connects" } },
    { "half a startup packet", { "c1 connects", "c1 sends Bytes 00 00 00 26 00" } },
    { "SSL asked", { "c1 connects", "c1 sends SSLRequest" } },
    { "auth", { "c1 connects", "c1 starts" } },
    { "half a password", { "c1 connects", "c1 starts", "c1 sends Bytes 70 00 00 00" } },
    { "idle", { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland" } },
    { "half a message",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland | Bytes 51 00 00" } },
    { "waiting",
      { "c3 sends Query begin", "c1 connects",
        "c1 sends Startup user=alice database=app | Password wonderland",
        "c1 sends Query echo one | Query echo two" } },
    { "in a transaction",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland | Query begin" } },
    { "in a failed transaction",
      { "c1 connects",
        "c1 sends Startup user=alice database=app | Password wonderland | Query begin; fail" } },
    { "busy",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland | Query slow one" } },
    { "busy in a transaction",
      { "c1 connects",
        "c1 sends Startup user=alice database=app | Password wonderland | Query begin; slow one" } },
    { "copying",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland | Query copy in" } },
    { "copying, extended",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland",
        "c1 sends Parse - copy in | Bind - - | Execute - 0 | Sync" } },
    { "without its Sync",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland",
        "c1 sends Parse - insert x | Bind - - | Execute - 0 | Flush" } },
    { "skipping",
      { "c1 connects",
        "c1 sends Startup user=alice database=app | Password wonderland | Parse - wrong | Flush" } },
    { "half a message that was sent on",
      { "c1 connects", "c1 sends Startup user=alice database=app | Password wonderland | Query begin",
        "c1 sends Bytes 51 00 00 00 20 61" } },
    { "cancelling", { "c3 sends Query slow one", "c1 cancels c3" } },
    { "gone", { "c1 connects", "c1 hangs up", "c1 connects" } },
};

static const struct situation events[] = {
    { "hangs up", { "c1 hangs up" } },
    { "half-closes", { "c1 half-closes" } },
    { "terminates", { "c1 sends Terminate" } },
    { "terminates and hangs up", { "c1 sends Terminate", "c1 hangs up" } },
    { "says what does not exist", { "c1 sends Type ? x" } },
    { "says a length that cannot be", { "c1 sends Bytes 51 ff ff ff ff" } },
    { "says a length that is too short", { "c1 sends Bytes 51 00 00 00 00" } },
    { "sends a password", { "c1 sends Password wonderland" } },
    { "starts", { "c1 starts" } },
    { "asks for TLS", { "c1 sends SSLRequest" } },
    { "asks", { "c1 sends Query echo one" } },
    { "asks, extended", { "c1 sends Parse - echo $1 | Bind - - 1 | Execute - 0 | Sync" } },
    { "syncs", { "c1 sends Sync | Sync" } },
    { "sends data", { "c1 sends CopyData one | CopyDone" } },
    { "fails a copy", { "c1 sends CopyFail no" } },
    { "stops reading", { "c1 stops reading", "c1 sends Query echo x*50000", "c1 hangs up" } },
    { "is cancelled", { "c4 cancels c1" } },
    { "loses its server", { "s1 closes" } },
    { "loses all servers", { "s1 closes", "server goes down", "time 2 s", "server comes up" } },
    { "is let go", { "drain" } },
    { "does nothing", { "time 1 s" } },
};

static const struct scene scene = {
    .settings = "auth_type = plain\nauth_file = users\nclient_login_timeout = 20\nclient_idle_timeout = 20\n"
                "idle_transaction_timeout = 20\nquery_timeout = 20\nquery_wait_timeout = 20\n",
    .limit = 1,
    .serve = robot_serve,
    .on_cancel = robot_cancel,
};

static void
play_lines(struct script *s, const char *const *lines)
{
    for (unsigned i = 0; i < MOST_LINES && lines[i] != NULL; i++)
        script_line(s, "%s", lines[i]);
}

static void
enter(struct script *s, unsigned client)
{
    script_line(s, "c%u connects", client);
    script_line(s, "c%u sends Startup user=bob database=app | Password builder", client);
    script_line(s, "c%u hears AuthPlain 3", client);
    script_line(s, "c%u is greeted", client);
}

static bool
is_drained(const struct situation *event)
{
    return event->lines[0][0] == 'd';
}

/* Whoever holds something lets go of it in time. */
static bool
survives(unsigned workers, const struct situation *state, const struct situation *event)
{
    struct robots robots;
    struct scene mine = scene;
    struct script *s;

    robots_init(&robots);
    robots.are_clients_rude = true;
    mine.arg = &robots;
    mine.workers = workers;
    s = script_begin(&mine, __FILE__, __LINE__);
    enter(s, 2);
    enter(s, 3);
    play_lines(s, state->lines);
    play_lines(s, event->lines);
    script_line(s, "time 15 s");
    actor_close(script_actor(s, ACTOR_CLIENT, 3));
    script_line(s, "time 30 s");
    for (unsigned i = 1; i <= 4; i++) {
        actor_close(script_actor(s, ACTOR_CLIENT, i));
        actor_forget(script_actor(s, ACTOR_CLIENT, i));
    }
    script_line(s, "time 12 s");
    if (!robots_are_at_rest(&robots))
        script_fail(s, "a server is not at rest");
    script_line(s, "couriers 0");
    if (is_drained(event)) {
        script_line(s, "drained");
    } else {
        enter(s, 2);
        script_line(s, "c2 sends Query echo alive");
        script_line(s, "c2 gets Columns a | Row alive | Complete SELECT 1 | Ready I");
    }
    if (robots.complaint[0] != '\0')
        script_fail(s, "%s", robots.complaint);
    if (script_has_failed(s))
        fprintf(stderr, "    %s, and it %s (%u workers)\n", state->name, event->name, workers);
    robots_fini(&robots);
    return script_end(s);
}

static void
any_event_in_any_state_is_survived(void)
{
    for (size_t i = 0; i < COUNT_OF(states); i++)
        for (size_t j = 0; j < COUNT_OF(events); j++)
            for (unsigned workers = 1; workers <= 2; workers++)
                (void)survives(workers, &states[i], &events[j]);
}

void
suite_states(void)
{
    CU_pSuite suite = CU_add_suite("states", NULL, NULL);

    CU_ADD_TEST(suite, any_event_in_any_state_is_survived);
}
