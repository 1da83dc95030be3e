/*
 * directions.c - lines without an actor: time, counts, what an operator or an administrator does.
 */
#include "script_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
pass_time(struct script *s, const char *words)
{
    char *unit;
    uint64_t us = strtoul(words, &unit, 10);

    script_pass_us(s, us * (strcmp(unit, " ms") == 0 ? US_PER_MS : US_PER_S));
}

static void
check_servers(struct script *s, const char *words)
{
    if (script_count(s, ACTOR_SERVER) != strtoul(words, NULL, 10))
        script_fail(s, "there are %u", script_count(s, ACTOR_SERVER));
}

static void
check_couriers(struct script *s, const char *words)
{
    if (script_count(s, ACTOR_COURIER) != strtoul(words, NULL, 10))
        script_fail(s, "there are %u", script_count(s, ACTOR_COURIER));
}

struct tally { /* the sum of one counter over all pools and workers */
    struct script *script;
    size_t offset;
    uint64_t sum;
};

static void
add_counter(void *arg, struct pool *pool)
{
    struct tally *t = arg;

    for (unsigned i = 0; i < house_worker_count(t->script->house); i++)
        t->sum += *(const uint64_t *)(const void *)((const char *)shard_counters(pool_shard(pool, i)) +
                                                    t->offset);
}

/* COUNTER NUMBER: see pgweir/pool/counters.h. */
static void
check_counter(struct script *s, const char *words)
{
#define COUNTER_ROW(id, text) { #id, offsetof(struct pool_counters, id) },
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = { POOL_COUNTERS(COUNTER_ROW) };
#undef COUNTER_ROW
    struct tally t = { .script = s };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!begins_with_word(words, rows[i].name))
            continue;
        t.offset = rows[i].offset;
        pools_each(house_pools(s->house), add_counter, &t);
        if (t.sum != strtoull(behind_word(words), NULL, 10))
            script_fail(s, "it is %llu", (unsigned long long)t.sum);
        return;
    }
    script_fail(s, "no such counter");
}

static void
drain(struct script *s, const char *words)
{
    (void)words;
    house_drain(s->house);
}

static void
check_drained(struct script *s, const char *words)
{
    (void)words;
    if (!s->has_drained)
        script_fail(s, "it has not");
}

static void
check_undrained(struct script *s, const char *words)
{
    (void)words;
    if (s->has_drained)
        script_fail(s, "it has");
}

/* "carol = sesame", "carol = -": unknown, "carol = ?": that cannot be found out, "carol": is asked for. */
static void
answer_secret(struct script *s, const char *words)
{
    size_t len = strcspn(words, " ");

    if (s->asks == NULL || strlen(s->asks->user) != len || strncmp(s->asks->user, words, len) != 0)
        script_fail(s, "asked for is %s", s->asks == NULL ? "nobody" : s->asks->user);
    else if (strncmp(words + len, " = ", 3) == 0)
        stage_answer_ask(s,
                         strcmp(words + len + 3, "-") == 0   ? SECRET_UNKNOWN
                         : strcmp(words + len + 3, "?") == 0 ? SECRET_FAILED
                                                             : SECRET_GIVEN,
                         strspn(words + len + 3, "-?") > 0 ? NULL : words + len + 3);
    script_settle(s);
}

static void
change_limit(struct script *s, const char *words)
{
    s->limit = (unsigned)strtoul(words, NULL, 10);
    s->scene.is_limit_unknown = false;
    stage_set_limit(s);
}

static void
reload(struct script *s, const char *words)
{
    char *bar;

    snprintf(s->settings, sizeof s->settings, "%s\n", words);
    while ((bar = strstr(s->settings, " | ")) != NULL)
        bar[1] = '\n';
    s->scene.settings = s->settings;
    stage_load(s);
    if (!s->has_failed)
        house_reconfigure(s->house, s->config);
}

static void
change_entry(struct script *s, const char *words)
{
    snprintf(s->entry, sizeof s->entry, "%s", words);
    s->scene.entry = s->entry;
    stage_load(s);
    if (!s->has_failed)
        house_reconfigure(s->house, s->config);
}

static void
change_server(struct script *s, const char *words)
{
    if (strcmp(words, "goes down") == 0)
        stage_listener_close(s);
    else
        stage_listener_open(s);
}

static void
on_answered(struct pools_wait *wait)
{
    CONTAINER_OF(wait, struct admin_wait, wait)->script->answered_count++;
}

static void
on_hunted(void *arg, bool is_found)
{
    struct script *s = arg;

    s->answered_count += is_found;
}

static const char *const answer_words[] = {
    [POOLS_DONE] = "done",
    [POOLS_NO_DATABASE] = "no-database",
    [POOLS_ALREADY] = "already",
    [POOLS_NOT_PAUSED] = "not-paused",
};

/* COMMAND [DATABASE] [-> ANSWER], KILL_CLIENT id, or `has NUMBER` of answers that took time. */
static void
administer(struct script *s, const char *words)
{
    struct pools *pools = house_pools(s->house);
    char command[32] = "";
    char name[64] = "-";
    char wanted[32] = "done";
    const char *arrow = strstr(words, "->");
    const char *database;
    enum pools_answer answer = POOLS_DONE;
    struct admin_wait *slot = &s->waits[s->wait_count % SCRIPT_MOST_WAITS];
    struct pools_wait *wait = &slot->wait;

    if (sscanf(words, "%31s %63s", command, name) == 2 && strcmp(name, "->") == 0)
        snprintf(name, sizeof name, "-");
    if (arrow != NULL)
        snprintf(wanted, sizeof wanted, "%s", arrow + 3);
    database = strcmp(name, "-") == 0 ? NULL : strcmp(name, "app") == 0 ? "app" : "nowhere";
    slot->script = s;
    if (strcmp(command, "has") == 0) {
        if (s->answered_count != strtoul(name, NULL, 10))
            script_fail(s, "it has %u", s->answered_count);
        return;
    }
    wait->on_done = on_answered;
    if (strcmp(command, "PAUSE") == 0)
        answer = pools_pause(pools, database, wait);
    else if (strcmp(command, "WAIT_CLOSE") == 0)
        answer = pools_wait_close(pools, database, wait);
    else if (strcmp(command, "RESUME") == 0)
        answer = pools_resume(pools, database);
    else if (strcmp(command, "DISABLE") == 0)
        answer = pools_disable(pools, database);
    else if (strcmp(command, "ENABLE") == 0)
        answer = pools_enable(pools, database);
    else if (strcmp(command, "RECONNECT") == 0)
        answer = pools_reconnect(pools, database);
    else if (strcmp(command, "KILL") == 0)
        answer = house_kill(s->house, database);
    else if (strcmp(command, "KILL_CLIENT") == 0)
        (void)house_kill_client(s->house, strtoul(name, NULL, 10), on_hunted, s);
    else
        script_fail(s, "no such command");
    if (answer == POOLS_DONE && (strcmp(command, "PAUSE") == 0 || strcmp(command, "WAIT_CLOSE") == 0))
        s->wait_count++;
    if (strcmp(answer_words[answer], wanted) != 0)
        script_fail(s, "the answer is %s", answer_words[answer]);
}

static const struct {
    const char *word;
    void (*act)(struct script *s, const char *words);
} directions[] = {
    { "admin", administer },        { "counter", check_counter },
    { "couriers", check_couriers }, { "drain", drain },
    { "drained", check_drained },   { "limit", change_limit },
    { "server", change_server },    { "servers", check_servers },
    { "time", pass_time },          { "undrained", check_undrained },
    { "reload", reload },           { "entry", change_entry },
    { "secret", answer_secret },
};

bool
direction_try_play(struct script *s, const char *line)
{
    for (size_t i = 0; i < COUNT_OF(directions); i++)
        if (begins_with_word(line, directions[i].word)) {
            directions[i].act(s, behind_word(line));
            return true;
        }
    return false;
}
