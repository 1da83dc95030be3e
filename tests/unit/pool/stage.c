/* stage.c - see stage.h. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/mem.h"
#include "pool/shard_impl.h"

#define MOST_TURNS 100000

/* --- settings --- */

const struct settings *
settings_of(const char *ini)
{
    char name[] = "/tmp/pgweir-pool-XXXXXX";
    int fd = mkstemp(name);
    const char *databases = strstr(ini, "[databases]");
    struct settings *s = NULL;
    struct buf problems;
    struct error why;
    FILE *file;

    CU_ASSERT_FATAL(fd >= 0);
    file = fdopen(fd, "w");
    fprintf(file, "[pgweir]\nauth_type = trust\nunix_socket_dir =\n%.*s\n%s\n",
            databases == NULL ? (int)strlen(ini) : (int)(databases - ini), ini,
            databases == NULL ? "[databases]\n* = host=h port=1" : databases);
    fclose(file);
    buf_init(&problems);
    if (settings_load(name, &s, &problems, NULL, &why) != ERR_NONE)
        fprintf(stderr, "\n%.*s%s\n", (int)buf_slice(&problems).len, (const char *)buf_slice(&problems).at,
                why.text);
    buf_release(&problems);
    unlink(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    return s;
}

void
stage_fails(struct stage *st, const char *what)
{
    fprintf(stderr, "\n    %s", what);
    st->errors++;
}

/* --- servers --- */

static struct server *
server_of(struct member *m)
{
    return CONTAINER_OF(m, struct server, member);
}

static struct stage_host *
host_of_shard(struct stage *st, struct shard *s)
{
    return stage_host(st, shard_route(s)->host_key);
}

static void
dial(struct shard *shard)
{
    struct stage_worker *w = shard_owner(shard);
    struct stage *st = w->stage;
    struct stage_host *host = host_of_shard(st, shard);
    struct server *v = mem_new(sizeof(*v));

    v->stage = st;
    v->worker = w->index;
    v->host = (unsigned)(host - st->hosts);
    v->dialed_us = clock_now_us(&st->clock);
    v->state = SERVER_DIALED;
    link_init(&v->in_closing);
    member_init(&v->member, shard);
    list_push_last(&st->servers, &v->in_servers);
    list_push_last(&st->dials, &v->in_dials);
    st->server_count++;
    st->dial_count++;
    st->dials_begun++;
    host->count++;
    if (host->count > host->most)
        host->most = host->count;
    CHECK(st, host->count <= host->limit); /* the promise */
    if (st->on_dial != NULL)
        st->on_dial(st);
}

static void
server_free(struct server *v)
{
    struct stage *st = v->stage;

    CHECK(st, v->client == NULL);
    link_remove(&v->in_servers);
    st->server_count--;
    st->hosts[v->host].count--;
    free(v);
}

/* The socket is closed before the slot goes back: what exists is counted until then. */
static void
server_ends(struct server *v)
{
    struct stage_host *host = &v->stage->hosts[v->host];

    host->count--;
    v->is_over = true;
    shard_lost(&v->member);
    host->count++; /* server_free() counts it out */
    server_free(v);
}

static void
undial(struct server *v)
{
    link_remove(&v->in_dials);
    v->stage->dial_count--;
}

void
server_dial_works(struct server *v)
{
    undial(v);
    v->state = SERVER_OPEN;
    shard_adopt(&v->member);
}

void
server_dial_fails(struct server *v, enum dial_failure failure, const char *sqlstate)
{
    struct stage_host *host = &v->stage->hosts[v->host];
    struct pg_error why;

    pg_error_set(&why, PG_FATAL, sqlstate, "no: %s", sqlstate);
    undial(v);
    host->count--;
    v->is_over = true;
    shard_dial_failed(&v->member, failure, &why);
    host->count++;
    server_free(v);
}

struct server *
stage_first_dial(struct stage *st)
{
    return list_is_empty(&st->dials) ? NULL : CONTAINER_OF(list_first(&st->dials), struct server, in_dials);
}

bool
stage_dial_works(struct stage *st)
{
    struct server *v = stage_first_dial(st);

    if (v != NULL)
        server_dial_works(v);
    return v != NULL;
}

bool
stage_dial_fails(struct stage *st, enum dial_failure failure, const char *sqlstate)
{
    struct server *v = stage_first_dial(st);

    if (v != NULL)
        server_dial_fails(v, failure, sqlstate);
    return v != NULL;
}

void
stage_all_dials_work(struct stage *st)
{
    do
        while (stage_dial_works(st))
            ;
    while (stage_settle(st), st->dial_count > 0);
}

void
server_dies(struct server *v)
{
    struct actor *a = v->client;

    CHECK(v->stage, v->state == SERVER_OPEN);
    if (a != NULL) {
        a->server = NULL;
        a->state = CLIENT_RESTING;
        v->client = NULL;
    }
    server_ends(v);
}

static void
on_retire(struct member *m, enum retire_reason reason)
{
    struct server *v = server_of(m);
    struct stage *st = v->stage;

    CHECK(st, v->client == NULL && v->state == SERVER_OPEN);
    v->state = SERVER_CLOSING;
    v->reason = reason;
    st->retired[reason]++;
    if (st->is_closing_slow)
        list_push_last(&st->closing, &v->in_closing);
    else
        server_ends(v);
}

void
stage_end_closing(struct stage *st)
{
    while (!list_is_empty(&st->closing)) {
        struct server *v = CONTAINER_OF(list_first(&st->closing), struct server, in_closing);

        link_remove(&v->in_closing);
        server_ends(v);
    }
}

static bool
may_move(struct member *m)
{
    struct server *v = server_of(m);

    CHECK(v->stage, v->client == NULL && v->state == SERVER_OPEN);
    return !v->stage->is_immovable;
}

static void
leave(struct member *m)
{
    struct server *v = server_of(m);

    CHECK(v->stage,
          v->state == SERVER_OPEN && v->worker == ((struct stage_worker *)shard_owner(m->shard))->index);
    v->state = SERVER_TRAVELLING;
    v->stage->moved++;
}

static void
join(struct member *m)
{
    struct server *v = server_of(m);

    CHECK(v->stage, v->state == SERVER_TRAVELLING);
    v->state = SERVER_OPEN;
    v->worker = ((struct stage_worker *)shard_owner(m->shard))->index;
}

/* --- clients --- */

static struct actor *
actor_of(struct waiter *w)
{
    return CONTAINER_OF(w, struct actor, waiter);
}

static struct stage *
stage_of(const struct actor *a)
{
    return ((struct stage_worker *)shard_owner(a->shard))->stage;
}

static void
serve(struct actor *a, struct member *m)
{
    struct stage *st = stage_of(a);
    struct server *v = server_of(m);
    uint64_t wait_us = clock_now_us(&st->clock) - a->asked_us;

    CHECK(st, a->state == CLIENT_WAITING && !waiter_is_waiting(&a->waiter));
    CHECK(st, list_is_empty(&a->shard->waiting) || line_oldest_us(&a->shard->waiting) >= a->waiter.since_us);
    CHECK(st,
          m->shard == a->shard && m->state == MEMBER_ACTIVE && v->client == NULL && v->state == SERVER_OPEN);
    a->state = CLIENT_SERVED;
    a->server = v;
    a->granted++;
    a->waited_us += wait_us;
    if (wait_us > a->longest_us)
        a->longest_us = wait_us;
    v->client = a;
    link_remove(&a->in_grants);
    list_push_last(&st->grants, &a->in_grants);
    if (st->on_grant != NULL)
        st->on_grant(st, a);
}

static void
on_grant(struct waiter *w, struct member *m)
{
    serve(actor_of(w), m);
}

static void
on_welcome(struct waiter *w)
{
    struct actor *a = actor_of(w);

    CHECK(stage_of(a), a->state == CLIENT_WAITING && !waiter_is_waiting(w));
    a->state = CLIENT_RESTING;
    a->welcomed++;
}

static void
on_refuse(struct waiter *w, enum refusal refusal, const struct pg_error *why)
{
    struct actor *a = actor_of(w);

    CHECK(stage_of(a), a->state == CLIENT_WAITING && !waiter_is_waiting(w));
    a->state = CLIENT_RESTING;
    a->has_why = why != NULL;
    if (why != NULL)
        a->why = *why;
    if (refusal == REFUSED_WAITED_TOO_LONG)
        a->timed_out++;
    else
        a->refused++;
}

void
actor_init(struct actor *a, struct shard *shard, unsigned id)
{
    memset(a, 0, sizeof(*a));
    waiter_init(&a->waiter);
    link_init(&a->in_grants);
    a->shard = shard;
    a->id = id;
    a->state = CLIENT_RESTING;
}

void
actor_ask(struct actor *a)
{
    struct stage *st = stage_of(a);
    struct member *m;

    CHECK(st, a->state == CLIENT_RESTING);
    a->state = CLIENT_WAITING;
    a->asked++;
    a->asked_us = clock_now_us(&st->clock);
    m = shard_take(a->shard, &a->waiter);
    if (m != NULL)
        serve(a, m);
    else
        CHECK(st, a->state == CLIENT_WAITING &&
                      waiter_is_waiting(&a->waiter)); /* no handler of ours was called */
}

void
actor_greet(struct actor *a)
{
    a->state = CLIENT_WAITING;
    a->asked++;
    a->asked_us = clock_now_us(&stage_of(a)->clock);
    shard_await_welcome(a->shard, &a->waiter);
}

void
actor_give(struct actor *a)
{
    struct server *v = a->server;

    CHECK(stage_of(a), a->state == CLIENT_SERVED && v->client == a);
    a->state = CLIENT_RESTING;
    a->server = NULL;
    v->client = NULL;
    shard_give(&v->member);
}

void
actor_leave(struct actor *a)
{
    switch (a->state) {
    case CLIENT_RESTING:
        break;
    case CLIENT_WAITING:
        shard_leave_queue(&a->waiter);
        a->state = CLIENT_RESTING;
        break;
    case CLIENT_SERVED:
        actor_give(a);
        break;
    }
}

/* --- the stage --- */

static void
on_unknown_host(void *arg, struct budget_host *host)
{
    struct stage *st = arg;

    (void)host;
    st->unknown_count++;
}

void
stage_init(struct stage *st, unsigned worker_count, const char *ini)
{
    static const struct pool_handler handler = {
        .dial = dial,
        .on_grant = on_grant,
        .on_welcome = on_welcome,
        .on_refuse = on_refuse,
        .on_retire = on_retire,
        .may_move = may_move,
        .leave = leave,
        .join = join,
        .on_unknown_host = on_unknown_host,
    };
    struct pool_handler ours = handler;
    void *owners[STAGE_MOST_WORKERS];
    struct error why;

    memset(st, 0, sizeof(*st));
    st->clock = clock_fake(US_PER_S);
    st->worker_count = worker_count;
    list_init(&st->servers);
    list_init(&st->dials);
    list_init(&st->closing);
    list_init(&st->grants);
    for (unsigned i = 0; i < worker_count; i++) {
        st->workers[i] = (struct stage_worker){ st, i };
        owners[i] = &st->workers[i];
        st->loops[i] = loop_new(&st->clock, owners[i], &why);
        CU_ASSERT_PTR_NOT_NULL_FATAL(st->loops[i]);
    }
    st->settings = settings_of(ini);
    ours.arg = st;
    st->pools = pools_new(&ours, st->loops, owners, worker_count);
    pools_seed(st->pools, 42);
    pools_reload(st->pools, st->settings);
}

static void
check_empty(void *arg, struct pool *pool)
{
    CHECK((struct stage *)arg, account_taken(pool) == 0);
}

void
stage_fini(struct stage *st)
{
    st->on_grant = NULL;
    stage_settle(st);
    for (unsigned i = 0; i < st->worker_count; i++)
        pools_close_down(st->pools, i);
    stage_settle(st); /* slots that were on their way come home */
    while (st->dial_count > 0 || !list_is_empty(&st->closing)) {
        stage_end_closing(st);
        if (st->dial_count > 0)
            stage_dial_fails(st, DIAL_UNREACHABLE, SQLSTATE_CANNOT_CONNECT);
        stage_settle(st);
    }
    while (!list_is_empty(&st->servers)) {
        struct server *v = CONTAINER_OF(list_first(&st->servers), struct server, in_servers);

        if (v->client != NULL)
            actor_give(v->client);
        else
            server_dies(v);
        stage_end_closing(st);
        stage_settle(st);
    }
    pools_each(st->pools, check_empty, st);
    pools_free(st->pools);
    for (unsigned i = 0; i < st->worker_count; i++)
        loop_free(st->loops[i]);
    settings_drop(st->settings);
    CU_ASSERT_EQUAL(st->server_count, 0);
    CU_ASSERT_EQUAL(st->errors, 0);
}

struct pool *
stage_pool_of(struct stage *st, const char *database, const char *user)
{
    struct route *r = settings_route(st->settings, database, user);
    struct pool *pool;

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    pool = pools_get(st->pools, r);
    route_drop(r);
    return pool;
}

struct pool *
stage_pool(struct stage *st, const char *database)
{
    return stage_pool_of(st, database, "app_user");
}

struct stage_host *
stage_host(struct stage *st, const char *host_key)
{
    struct stage_host *h;

    for (unsigned i = 0; i < st->host_count; i++)
        if (strcmp(budget_host_key(st->hosts[i].host), host_key) == 0)
            return &st->hosts[i];
    CU_ASSERT_FATAL(st->host_count < COUNT_OF(st->hosts));
    h = &st->hosts[st->host_count++];
    h->host = budget_host(pools_budget(st->pools), host_key);
    return h;
}

void
stage_set_limit(struct stage *st, const char *host_key, unsigned limit)
{
    struct stage_host *h = stage_host(st, host_key);

    h->limit = limit;
    budget_set_limit(h->host, limit, "the test says so");
}

void
stage_reload(struct stage *st, const char *ini)
{
    const struct settings *before = st->settings;

    st->settings = settings_of(ini);
    pools_reload(st->pools, st->settings);
    settings_drop(before);
}

void
stage_settle(struct stage *st)
{
    bool was_busy = true;

    for (unsigned turns = 0; was_busy; turns++) {
        was_busy = false;
        for (unsigned i = 0; i < st->worker_count; i++)
            was_busy |= loop_turn(st->loops[i]);
        if (turns == MOST_TURNS) {
            stage_fails(st, "the loops never come to rest");
            return;
        }
    }
}

void
stage_pass(struct stage *st, uint64_t us)
{
    stage_settle(st);
    clock_advance_us(&st->clock, us);
    stage_settle(st);
}

unsigned
pool_idle_count(struct stage *st, struct pool *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < st->worker_count; i++)
        if (pool_shard_if_any(pool, i) != NULL)
            count += shard_idle_count(pool_shard(pool, i));
    return count;
}

unsigned
pool_waiting_count(struct stage *st, struct pool *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < st->worker_count; i++)
        if (pool_shard_if_any(pool, i) != NULL)
            count += pool_shard(pool, i)->waiting_count;
    return count;
}

unsigned
account_taken(struct pool *pool)
{
    struct budget_view view;

    budget_look(pool_account(pool), &view);
    return view.account_taken;
}
