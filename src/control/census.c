/*
 * census.c - one census_host for each host that pools have wanted; it rests, or one question is under way.
 *
 *     census_want() --letter--> look() --+-- server_connections = N: that is the limit --> rest
 *                                 ^      +-- auto: capacity_ask() of the first host with the first login
 *     timer `again` --------------+            |-- facts                  \
 *     census_reconfigure() -------+            |-- login refused: the next one; no more  }  the next host of the list
 *                                              +-- not reached, or full (53300)         /
 *         no more hosts --+-- facts of any: the least limit is set, rest for capacity_check_period
 *                         +-- logins refused: a guess, rest for the period
 *                         +-- nothing reached: limits stay, back-off
 *
 *     Any host of a list may be the one that all connections lead to, so the least limit is that of the list. The first that is told is
 *     in force at once where none was known, so that nobody waits for a host that does not answer.
 *
 *     A failure is told when it begins and when it changes its words, not at each repetition, and so is its
 *     end. The budget keeps the limit; what is kept here is what was last said, to say only what is new.
 */
#include "pgweir/control/census.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logins_impl.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/control/capacity.h"

#define AGAIN_LEAST_US (UINT64_C(250) * US_PER_MS)
#define AGAIN_MOST_US (UINT64_C(15) * US_PER_S)  /* where server_login_retry is 0 */
#define ANSWER_MOST_US (UINT64_C(15) * US_PER_S) /* where server_connect_timeout is 0 */
#define WANTED_LEAST_US (UINT64_C(5) * US_PER_S) /* between questions about a known host that is wanted */
#define LIMITS_TOLD_MOST 10u                     /* changed CONNECTION LIMITs logged one by one */

struct census_limit { /* a CONNECTION LIMIT and what pools get of it */
    struct capacity_limit set;
    unsigned granted;
};

struct census_host {
    struct link in_hosts;
    struct census *census;
    struct budget_host *budget;   /* borrowed; lives as long as its budget */
    struct capacity_query *query; /* NULL while resting */
    struct timer again;
    struct logins logins; /* of the round under way */
    unsigned login;       /* index of the one that asks */
    unsigned asked;       /* index of the host that is asked */
    struct error refusal; /* of the first login of this round, the one that was meant to do */
    struct error missed;  /* why the first host that told nothing in this round did not; ERR_NONE: all have */
    unsigned least;       /* limit of those that have answered in this round; 0: none has */
    char least_why[160];
    uint64_t asked_us;    /* when the last round began */
    unsigned failures;    /* rounds in a row without an answer */
    struct error trouble; /* the failure that was told last; ERR_NONE: none */
    unsigned limit;       /* 0: not known yet */
    char why[160];
    struct census_limit *limits; /* in force, sorted; owned */
    unsigned limit_count;
};

/* Hosts that are wanted, from the threads that want them to ours. */
struct wants {
    struct letter letter;
    struct census *census; /* NULL: freed meanwhile. Only our thread looks */
    struct {
        pthread_mutex_t lock;
        struct budget_host **hosts; /* owned array */
        unsigned count;
        bool is_posted; /* the letter is on its way */
    } _shared;          /* by any thread, under its lock */
};

struct census {
    struct loop *loop;
    struct house *house;
    struct house_config *config; /* held */
    struct list hosts;
    uint64_t jitter;     /* state of random_between() */
    struct wants *wants; /* owned until census_free(), then by itself while its letter is on its way */
};

static const struct settings *
settings_of(const struct census_host *h)
{
    return h->census->config->settings;
}

/* --- what is said to the budget --- */

static void
set_limit(struct census_host *h, unsigned limit, const char *why)
{
    const char *key = budget_host_key(h->budget);

    if (limit == h->limit && strcmp(why, h->why) == 0)
        return;
    if (h->limit == 0)
        log_line(LOG_NOTICE_LEVEL, "host %s: at most %u server connections: %s", key, limit, why);
    else
        log_line(LOG_NOTICE_LEVEL, "host %s: at most %u server connections, before %u: %s", key, limit,
                 h->limit, why);
    h->limit = limit;
    snprintf(h->why, sizeof(h->why), "%s", why);
    budget_set_limit(h->budget, limit, why);
}

static void
set_quota(struct census_host *h, const struct census_limit *limit, unsigned granted)
{
    enum budget_quota_kind kind = limit->set.is_role ? QUOTA_ROLE : QUOTA_DATABASE;

    budget_set_quota(h->budget, kind, limit->set.name, granted);
}

static int
compare_limits(const void *a, const void *b)
{
    const struct capacity_limit *x = &((const struct census_limit *)a)->set;
    const struct capacity_limit *y = &((const struct census_limit *)b)->set;

    return x->is_role != y->is_role ? (x->is_role ? -1 : 1) : strcmp(x->name, y->name);
}

static void
tell_limit(const struct census_host *h, const struct census_limit *limit)
{
    log_line(LOG_NOTICE_LEVEL, "host %s: %s \"%s\": at most %u server connections: CONNECTION LIMIT %u",
             budget_host_key(h->budget), limit->set.is_role ? "role" : "database", limit->set.name,
             limit->granted, limit->set.limit);
}

static void
tell_no_limit(const struct census_host *h, const struct census_limit *limit)
{
    log_line(LOG_NOTICE_LEVEL, "host %s: %s \"%s\" has no CONNECTION LIMIT any more",
             budget_host_key(h->budget), limit->set.is_role ? "role" : "database", limit->set.name);
}

/* Puts LIMITS (COUNT, sorted, adopted) in force instead of those before. */
static void
set_limits(struct census_host *h, struct census_limit *limits, unsigned count)
{
    unsigned changed = 0, i = 0, j = 0;

    while (i < h->limit_count || j < count) {
        int order = i == h->limit_count ? 1 : j == count ? -1 : compare_limits(&h->limits[i], &limits[j]);

        if (order < 0) {
            set_quota(h, &h->limits[i], 0);
            if (++changed <= LIMITS_TOLD_MOST)
                tell_no_limit(h, &h->limits[i]);
        } else if (order > 0 || h->limits[i].granted != limits[j].granted) {
            set_quota(h, &limits[j], limits[j].granted);
            if (++changed <= LIMITS_TOLD_MOST)
                tell_limit(h, &limits[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
    if (changed > LIMITS_TOLD_MOST)
        log_line(LOG_NOTICE_LEVEL, "host %s: %u more CONNECTION LIMITs of roles and databases have changed",
                 budget_host_key(h->budget), changed - LIMITS_TOLD_MOST);
    free(h->limits);
    h->limits = limits;
    h->limit_count = count;
}

/* --- when it is asked again --- */

static void
rest(struct census_host *h, uint64_t for_us)
{
    logins_fini(&h->logins);
    if (for_us == 0)
        timer_cancel(&h->again);
    else
        loop_arm(h->census->loop, &h->again, for_us);
}

/* A tenth more or less, so that instances that were started together do not ask together. */
static uint64_t
around(struct census *c, uint64_t us)
{
    return random_between(&c->jitter, us - us / 10, us + us / 10);
}

static void
rest_for_the_period(struct census_host *h)
{
    rest(h, around(h->census, settings_of(h)->capacity_check_period_us));
}

static void
rest_for_the_back_off(struct census_host *h)
{
    uint64_t most_us = settings_of(h)->server_login_retry_us;
    uint64_t delay_us = AGAIN_LEAST_US << (h->failures < 16 ? h->failures : 16);

    if (most_us < AGAIN_LEAST_US)
        most_us = AGAIN_MOST_US;
    h->failures++;
    rest(h, around(h->census, delay_us < most_us ? delay_us : most_us));
}

/* --- the answers --- */

static void
tell_trouble(struct census_host *h, const struct error *what, const char *consequence)
{
    bool is_news = h->trouble.code == ERR_NONE || strcmp(h->trouble.text, what->text) != 0;

    log_line(is_news ? LOG_WARNING_LEVEL : LOG_DEBUG_LEVEL, "host %s: its limits cannot be asked for: %s; %s",
             budget_host_key(h->budget), what->text, consequence);
    h->trouble = *what;
}

static void
forget_trouble(struct census_host *h)
{
    if (h->trouble.code != ERR_NONE)
        log_line(LOG_NOTICE_LEVEL, "host %s: its limits can be asked for again", budget_host_key(h->budget));
    h->trouble.code = ERR_NONE;
    h->failures = 0;
}

/* What of its CONNECTION LIMITs the server leaves to pools; the caller owns it. */
static struct census_limit *
limits_of(const struct capacity_facts *facts, const struct login *asker)
{
    struct census_limit *limits = mem_new((facts->limit_count + 1) * sizeof(limits[0]));

    for (unsigned i = 0; i < facts->limit_count; i++) {
        const struct capacity_limit *set = &facts->limits[i];
        bool is_asked = strcmp(set->name, set->is_role ? asker->user : asker->database) == 0;

        limits[i] = (struct census_limit){ .set = *set, .granted = capacity_of_limit(set, is_asked) };
    }
    qsort(limits, facts->limit_count, sizeof(limits[0]), compare_limits);
    return limits;
}

static void ask(struct census_host *h);
static void ask_next_host(struct census_host *h);

/* Whose limit it is, where that is not clear. */
static void
explain(const struct census_host *h, const char *sum, char *out, size_t size)
{
    const struct route *r = h->logins.route;

    if (r->host_count == 1)
        snprintf(out, size, "%s", sum);
    else
        snprintf(out, size, "%.60s:%u: %.90s", r->hosts[h->asked].host, r->hosts[h->asked].port, sum);
}

static void
on_answer(void *arg, const struct capacity_facts *facts)
{
    struct census_host *h = arg;
    char sum[sizeof(h->why)], why[sizeof(h->why)];
    unsigned limit = capacity_for_pools(facts, settings_of(h)->direct_reserve, sum, sizeof(sum));

    h->query = NULL;
    explain(h, sum, why, sizeof(why));
    if (h->least == 0) /* before the host's own limit, which lets connections begin */
        set_limits(h, limits_of(facts, &h->logins.at[h->login]), facts->limit_count);
    if (h->least == 0 || limit < h->least) {
        h->least = limit;
        snprintf(h->least_why, sizeof(h->least_why), "%s", why);
    }
    if (h->limit == 0)
        set_limit(h, limit, why);
    ask_next_host(h);
}

/* No login is left to try. What was known stays known; if nothing was, somebody has to say a number. */
static void
go_blind(struct census_host *h)
{
    struct error what;
    char consequence[160];

    if (h->limit == 0)
        set_limit(h, CENSUS_BLIND_LIMIT, "a guess: no login to ask the server with");
    (void)error_set(&what, ERR_AUTH, "as role \"%s\": %s", h->logins.at[0].user, h->refusal.text);
    snprintf(consequence, sizeof(consequence),
             "the limit is %u: set control_user, with its plain password in auth_file, or server_connections",
             h->limit);
    tell_trouble(h, &what, consequence);
    h->failures = 0;
    rest_for_the_period(h);
}

/* All hosts of the list were asked. */
static void
end_round(struct census_host *h)
{
    if (h->least > 0) {
        if (h->missed.code == ERR_NONE)
            forget_trouble(h);
        else
            tell_trouble(h, &h->missed, "the other hosts of the list have told theirs");
        h->failures = 0;
        set_limit(h, h->least, h->least_why);
        rest_for_the_period(h);
    } else if (h->missed.code == ERR_AUTH) {
        go_blind(h);
    } else {
        tell_trouble(h, &h->missed, h->limit == 0 ? "clients wait" : "the limit stays as it is");
        rest_for_the_back_off(h);
    }
}

static void
ask_next_host(struct census_host *h)
{
    h->login = 0;
    if (++h->asked < h->logins.route->host_count)
        ask(h);
    else
        end_round(h);
}

static void
on_failure(void *arg, const struct error *why)
{
    struct census_host *h = arg;

    h->query = NULL;
    if (why->code == ERR_AUTH && h->login == 0)
        h->refusal = *why;
    if (why->code == ERR_AUTH && h->login + 1 < h->logins.count) {
        h->login++;
        ask(h);
        return;
    }
    if (h->missed.code == ERR_NONE)
        h->missed = *why;
    ask_next_host(h);
}

/* --- the questions --- */

static void
ask(struct census_host *h)
{
    static const struct capacity_handler handler = { .on_answer = on_answer, .on_failure = on_failure };
    uint64_t timeout_us = settings_of(h)->server_connect_timeout_us;

    h->query = login_ask(h->census->loop, &h->logins, h->asked, h->login,
                         timeout_us > 0 ? timeout_us : ANSWER_MOST_US, &handler, h);
}

struct pool_list {
    struct pool **at;
    unsigned count, room;
};

static void
note_pool(void *arg, struct pool *pool)
{
    struct pool_list *list = arg;

    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : 2 * list->room;
        list->at = mem_grow(list->at, list->room, sizeof(list->at[0]));
    }
    list->at[list->count++] = pool;
}

/* The logins that the pools of this host allow. */
static void
collect_logins(struct census_host *h)
{
    struct pool_list pools = { .at = NULL };
    struct route **routes;
    unsigned count = 0;

    logins_fini(&h->logins);
    pools_each(house_pools(h->census->house), note_pool, &pools);
    routes = mem_new((pools.count + 1) * sizeof(routes[0]));
    for (unsigned i = 0; i < pools.count; i++) {
        struct route *r = pool_route(pools.at[i]);

        if (r != NULL && strcmp(r->host_key, budget_host_key(h->budget)) == 0)
            routes[count++] = r;
        else
            route_drop(r);
    }
    logins_of(&h->logins, settings_of(h), routes, count);
    while (count > 0)
        route_drop(routes[--count]);
    free(routes);
    free(pools.at);
}

/* Finds out what the limit is now, whatever is under way. */
static void
look(struct census_host *h)
{
    unsigned given = settings_of(h)->server_connections;

    capacity_cancel(h->query);
    h->query = NULL;
    h->login = h->asked = h->least = 0;
    h->missed.code = ERR_NONE;
    h->asked_us = loop_now_us(h->census->loop);
    if (given > 0) {
        char why[64];

        snprintf(why, sizeof(why), "server_connections = %u", given);
        set_limits(h, NULL, 0);
        set_limit(h, given, why);
        rest(h, 0);
        return;
    }
    collect_logins(h);
    if (h->logins.count > 0)
        ask(h);
    else if (h->limit == 0)
        rest_for_the_back_off(h); /* its pool is being made */
    else
        rest_for_the_period(h); /* no pool leads there any more */
}

static void
on_again(struct timer *timer)
{
    look(CONTAINER_OF(timer, struct census_host, again));
}

static struct census_host *
host_of(struct census *c, struct budget_host *budget)
{
    struct census_host *h;

    LIST_EACH(&c->hosts, it) {
        h = CONTAINER_OF(it, struct census_host, in_hosts);
        if (h->budget == budget)
            return h;
    }
    h = mem_new(sizeof(*h));
    h->census = c;
    h->budget = budget;
    timer_init(&h->again, on_again);
    link_init(&h->in_hosts);
    list_push_last(&c->hosts, &h->in_hosts);
    return h;
}

/* A host that is known was wanted again: it said 53300, or what we know is not enough. */
static void
look_soon(struct census_host *h)
{
    uint64_t now_us = loop_now_us(h->census->loop);
    bool is_first = h->asked_us == 0;

    if (h->query != NULL || h->failures > 0)
        return; /* an answer is on its way, or a question is */
    if (is_first || now_us >= h->asked_us + WANTED_LEAST_US)
        look(h);
    else if (settings_of(h)->server_connections == 0)
        loop_arm(h->census->loop, &h->again, h->asked_us + WANTED_LEAST_US - now_us);
}

static void
wants_free(struct wants *w)
{
    pthread_mutex_destroy(&w->_shared.lock);
    free(w->_shared.hosts);
    free(w);
}

static void
on_wanted(struct letter *letter, void *recipient)
{
    struct wants *w = CONTAINER_OF(letter, struct wants, letter);
    struct budget_host **hosts;
    unsigned count;

    (void)recipient;
    if (w->census == NULL) {
        wants_free(w);
        return;
    }
    pthread_mutex_lock(&w->_shared.lock);
    hosts = w->_shared.hosts;
    count = w->_shared.count;
    w->_shared.hosts = NULL;
    w->_shared.count = 0;
    w->_shared.is_posted = false;
    pthread_mutex_unlock(&w->_shared.lock);
    for (unsigned i = 0; i < count; i++)
        look_soon(host_of(w->census, hosts[i]));
    free(hosts);
}

static bool
is_wanted_locked(const struct wants *w, const struct budget_host *host)
{
    for (unsigned i = 0; i < w->_shared.count; i++)
        if (w->_shared.hosts[i] == host)
            return true;
    return false;
}

void
census_want(struct census *c, struct budget_host *host)
{
    struct wants *w = c->wants;

    pthread_mutex_lock(&w->_shared.lock);
    if (!is_wanted_locked(w, host)) {
        w->_shared.hosts = mem_grow(w->_shared.hosts, w->_shared.count + 1, sizeof(w->_shared.hosts[0]));
        w->_shared.hosts[w->_shared.count++] = host;
    }
    if (!w->_shared.is_posted)
        w->_shared.is_posted = loop_post(c->loop, &w->letter);
    pthread_mutex_unlock(&w->_shared.lock);
}

static struct wants *
wants_new(struct census *c)
{
    struct wants *w = mem_new(sizeof(*w));

    w->letter.on_arrival = on_wanted;
    w->census = c;
    pthread_mutex_init(&w->_shared.lock, NULL);
    return w;
}

struct census *
census_new(struct loop *main_loop, struct house *house, struct house_config *config)
{
    struct census *c = mem_new(sizeof(*c));

    c->loop = main_loop;
    c->house = house;
    c->config = house_config_hold(config);
    c->wants = wants_new(c);
    list_init(&c->hosts);
    random_secret(&c->jitter, sizeof(c->jitter));
    c->jitter |= 1; /* never 0 */
    return c;
}

static void
host_free(struct census_host *h)
{
    capacity_cancel(h->query);
    timer_cancel(&h->again);
    logins_fini(&h->logins);
    link_remove(&h->in_hosts);
    free(h->limits);
    free(h);
}

void
census_free(struct census *c)
{
    if (c == NULL)
        return;
    LIST_EACH(&c->hosts, it)
        host_free(CONTAINER_OF(it, struct census_host, in_hosts));
    house_config_drop(c->config);
    c->wants->census = NULL;
    if (!c->wants->_shared.is_posted) /* nobody wants anything any more: no lock */
        wants_free(c->wants);
    free(c);
}

void
census_reconfigure(struct census *c, struct house_config *config)
{
    struct house_config *before = c->config;

    c->config = house_config_hold(config);
    house_config_drop(before);
    LIST_EACH(&c->hosts, it)
        look(CONTAINER_OF(it, struct census_host, in_hosts));
}
