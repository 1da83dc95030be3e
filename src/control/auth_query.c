/*
 * auth_query.c - who is this user, and what is his secret?
 *
 *     ask -> question (source, user) --+-- remembered: answered at once
 *                                      +-- asked already: answered with that one
 *                                      +-- queued at its source -> talk -> answer -> all who ask, remembered
 *
 *     A source is where a question is asked: server, database, auth_user, query. It has one connection, which
 *     takes one question after the other, is kept for a while after the last, and belongs to no pool. A storm
 *     of logins of one user is one question, and one of many users is a queue at one connection.
 *
 *     Invariants: a question is in source->queue exactly while somebody waits for it (asks is not NULL,
 *     or it is asked for nobody), else in known. A source without a question, a talk and a pause is freed.
 */
#include "auth_query_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/list.h"
#include "pgweir/base/log.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"
#include "pgweir/config/route.h"
#include "talk_impl.h"

#define NAME_BYTES_MOST 63u /* of roles in PostgreSQL */
#define KNOWN_MOST 10000u   /* users remembered; beyond it the one that was asked for first goes */
#define TALKS_MOST 8u       /* connections at once, over all sources */
#define TALK_KEPT_US (UINT64_C(60) * US_PER_S)   /* without a question */
#define ANSWER_MOST_US (UINT64_C(10) * US_PER_S) /* of server_connect_timeout, or where that is 0 */
#define PAUSE_US (UINT64_C(500) * US_PER_MS) /* after a connection failed, questions fail without another */
#define FRESH_US \
    (UINT64_C(1) * US_PER_S) /* what is younger is not asked for again because of a wrong password */

#define CONFIG_ERROR "bouncer config error"
#define SQLSTATE_CONFIG_FILE_ERROR "F0000"

struct source {
    struct map_node in_sources; /* by key */
    struct link in_all;
    struct auth_query *owner;
    char *key;
    struct route *route; /* held */
    struct talk *talk;   /* NULL: no connection */
    bool has_answered;   /* it has answered before, so that it may have died of old age */
    struct list queue;   /* questions; the first is asked when is_asking */
    bool is_asking;
    struct timer rest; /* without a question: closes the connection; in a pause: ends it */
    bool is_pausing;   /* the last connection failed: */
    enum secret_outcome pause_outcome;
    char pause_sqlstate[6];
    unsigned known_count; /* questions in known */
};

struct question {
    struct map_node in_questions; /* by source and user */
    struct link in_list;          /* source->queue, or known */
    struct source *source;
    char *user;
    struct secret_ask *asks; /* who waits for it, linked by next */
    bool is_queued;
    bool is_retried; /* its connection was lost while it was asked */
    /* while known: */
    enum secret_outcome outcome;
    char *secret; /* owned */
    uint64_t learnt_us;
};

struct auth_query {
    struct loop *loop;
    const struct settings *settings; /* held */
    struct map sources;
    struct list all_sources;
    struct map questions;
    struct list known; /* oldest first */
    unsigned talk_count;
};

/* --- questions --- */

struct question_key {
    const struct source *source;
    const char *user;
};

static uint64_t
question_hash(const struct source *source, const char *user)
{
    return map_hash_after(map_hash(slice_of_text(source->key)), slice_of_text(user));
}

static bool
is_question(const struct map_node *node, const void *arg)
{
    const struct question *q = CONTAINER_OF_CONST(node, struct question, in_questions);
    const struct question_key *key = arg;

    return q->source == key->source && strcmp(q->user, key->user) == 0;
}

static struct question *
question_for(struct auth_query *a, struct source *source, const char *user)
{
    struct question_key key = { source, user };
    uint64_t hash = question_hash(source, user);
    struct map_node *node = map_find(&a->questions, hash, is_question, &key);
    struct question *q;

    if (node != NULL)
        return CONTAINER_OF(node, struct question, in_questions);
    q = mem_new(sizeof(*q));
    link_init(&q->in_list);
    q->source = source;
    q->user = mem_text(user);
    map_add(&a->questions, &q->in_questions, hash);
    return q;
}

/* It has no asks. */
static void
question_free(struct auth_query *a, struct question *q)
{
    if (!q->is_queued && link_is_in(&q->in_list))
        q->source->known_count--;
    link_remove(&q->in_list);
    map_remove(&a->questions, &q->in_questions);
    mem_free_secret(q->secret);
    free(q->user);
    free(q);
}

/* --- sources --- */

static bool
is_source(const struct map_node *node, const void *key)
{
    return strcmp(CONTAINER_OF_CONST(node, struct source, in_sources)->key, key) == 0;
}

static void on_rest(struct timer *timer);

/* The source that ROUTE, which it holds, leads to. */
static struct source *
source_for(struct auth_query *a, struct route *route)
{
    char *key = mem_format("%s\n%s\n%s\n%s", route->host_key, route->server_database, route->user,
                           route->auth_query);
    uint64_t hash = map_hash(slice_of_text(key));
    struct map_node *node = map_find(&a->sources, hash, is_source, key);
    struct source *s;

    if (node != NULL) {
        free(key);
        return CONTAINER_OF(node, struct source, in_sources);
    }
    s = mem_new(sizeof(*s));
    s->owner = a;
    s->key = key;
    s->route = route_hold(route);
    list_init(&s->queue);
    timer_init(&s->rest, on_rest);
    list_push_last(&a->all_sources, &s->in_all);
    map_add(&a->sources, &s->in_sources, hash);
    return s;
}

static void
source_hang_up(struct source *s)
{
    if (s->talk == NULL)
        return;
    talk_free(s->talk);
    s->talk = NULL;
    s->owner->talk_count--;
}

static void
source_free(struct source *s)
{
    source_hang_up(s);
    timer_cancel(&s->rest);
    link_remove(&s->in_all);
    map_remove(&s->owner->sources, &s->in_sources);
    route_drop(s->route);
    free(s->key);
    free(s);
}

static void
source_free_unused(struct source *s)
{
    if (s->talk == NULL && !s->is_pausing && s->known_count == 0 && list_is_empty(&s->queue))
        source_free(s);
}

/* --- answers --- */

/* What is remembered for too long, or beyond what is remembered at all. */
static void
forget_old(struct auth_query *a)
{
    uint64_t now_us = loop_now_us(a->loop);
    LIST_EACH(&a->known, oldest) {
        struct question *q = CONTAINER_OF(oldest, struct question, in_list);
        struct source *s = q->source;

        if (now_us - q->learnt_us < a->settings->auth_query_cache_us && a->questions.count <= KNOWN_MOST)
            return;
        question_free(a, q);
        source_free_unused(s);
    }
}

static void
answer_known(struct auth_query *a, const struct question *q, struct secret_ask *ask)
{
    ask->outcome = q->outcome;
    ask->secret = mem_text(q->secret);
    ask->is_remembered = loop_now_us(a->loop) - q->learnt_us >= FRESH_US;
    secret_ask_answer(ask);
}

/* Takes Q out of its queue; who waits for it is answered by the caller. */
static struct secret_ask *
question_end(struct question *q)
{
    struct secret_ask *asks = q->asks;

    q->asks = NULL;
    q->is_queued = false;
    link_remove(&q->in_list);
    return asks;
}

/* SECRET (adopted; NULL: he cannot log in) is what Q asked for. */
static void
question_answer(struct auth_query *a, struct question *q, enum secret_outcome outcome, char *secret)
{
    struct secret_ask *ask = question_end(q), *next;

    mem_free_secret(q->secret);
    q->outcome = outcome;
    q->secret = secret;
    q->learnt_us = loop_now_us(a->loop);
    for (; ask != NULL; ask = next) {
        next = ask->next;
        answer_known(a, q, ask);
    }
    list_push_last(&a->known, &q->in_list);
    q->source->known_count++;
    forget_old(a);
}

static void
question_fail(struct auth_query *a, struct question *q, enum secret_outcome outcome, const char *sqlstate,
              const char *message)
{
    struct secret_ask *ask = question_end(q), *next;

    for (; ask != NULL; ask = next) {
        next = ask->next;
        ask->outcome = outcome;
        if (outcome == SECRET_FAILED)
            secret_ask_fail(ask, sqlstate, message);
        else
            secret_ask_answer(ask);
    }
    question_free(a, q);
}

/* --- asking --- */

static const char *
failure_words(const char *sqlstate)
{
    return strcmp(sqlstate, SQLSTATE_CONFIG_FILE_ERROR) == 0
               ? CONFIG_ERROR
               : "the server that knows the users cannot be asked now";
}

static void go(struct source *s);

/* Somebody has given up a connection that others may need. */
static void
go_all(struct auth_query *a)
{
    LIST_EACH(&a->all_sources, it) {
        struct source *s = CONTAINER_OF(it, struct source, in_all);

        if (s->talk == NULL && !list_is_empty(&s->queue))
            go(s);
    }
}

static void
on_ready(void *arg)
{
    go(arg);
}

static void
tell_failure(const struct source *s, const char *user, const char *what)
{
    log_line(LOG_WARNING_LEVEL, "auth_query as \"%s\" in database \"%s\" on %s%s%s%s failed: %s",
             s->route->user, s->route->server_database, s->route->host_key,
             user[0] != '\0' ? " for user \"" : "", user, user[0] != '\0' ? "\"" : "", what);
}

/* What an answer that is a result says of Q. */
static void
read_row(struct source *s, struct question *q, const struct talk_answer *answer)
{
    const PGresult *r = answer->result;
    char *secret;

    if (PQnfields(r) != 2) {
        char what[80];

        snprintf(what, sizeof(what), "it returns %d columns, and not user name and secret", PQnfields(r));
        tell_failure(s, q->user, what);
        question_fail(s->owner, q, SECRET_FAILED, SQLSTATE_CONFIG_FILE_ERROR, CONFIG_ERROR);
    } else if (answer->rows == 0) {
        question_answer(s->owner, q, SECRET_UNKNOWN, NULL);
    } else if (answer->rows > 1) {
        tell_failure(s, q->user, "it returns more than one row");
        question_fail(s->owner, q, SECRET_FAILED, SQLSTATE_CONFIG_FILE_ERROR, CONFIG_ERROR);
    } else if (strcmp(PQgetvalue(r, 0, 0), q->user) != 0) {
        tell_failure(s, q->user, "it returns another user's name");
        question_fail(s->owner, q, SECRET_FAILED, SQLSTATE_CONFIG_FILE_ERROR, CONFIG_ERROR);
    } else if (PQgetisnull(r, 0, 1)) {
        question_answer(s->owner, q, SECRET_UNKNOWN, NULL);
    } else {
        secret = mem_text(PQgetvalue(r, 0, 1));
        question_answer(s->owner, q, SECRET_GIVEN, secret);
    }
}

/* The server refused to say. A name that it cannot even read is nobody's. */
static void
read_refusal(struct source *s, struct question *q, const PGresult *r)
{
    const char *sqlstate = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *message = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    if (sqlstate != NULL && (strcmp(sqlstate, "22021") == 0 || strcmp(sqlstate, "22P05") == 0)) {
        question_answer(s->owner, q, SECRET_UNKNOWN, NULL);
        return;
    }
    tell_failure(s, q->user, message != NULL ? message : "no answer");
    if (sqlstate != NULL && strcmp(sqlstate, SQLSTATE_QUERY_CANCELED) == 0)
        question_fail(s->owner, q, SECRET_FAILED, SQLSTATE_CANNOT_CONNECT_NOW,
                      failure_words(SQLSTATE_CANNOT_CONNECT_NOW));
    else
        question_fail(s->owner, q, SECRET_FAILED, SQLSTATE_CONFIG_FILE_ERROR, CONFIG_ERROR);
}

static void
on_answer(void *arg, const struct talk_answer *answer)
{
    struct source *s = arg;
    struct question *q = CONTAINER_OF(list_first(&s->queue), struct question, in_list);
    ExecStatusType status = PQresultStatus(answer->result);

    s->is_asking = false;
    s->has_answered = true;
    if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)
        read_row(s, q, answer);
    else
        read_refusal(s, q, answer->result);
    if (answer->rows > 1)
        source_hang_up(s); /* the rest of that table is still on its way */
    go(s);
}

static void
begin_pause(struct source *s, const struct error *why, const char *sqlstate)
{
    s->is_pausing = true;
    /* A client may ask for any database where there is a "*" entry, and is not told which ones exist. */
    s->pause_outcome = strcmp(sqlstate, SQLSTATE_INVALID_DATABASE) == 0 ? SECRET_UNKNOWN : SECRET_FAILED;
    snprintf(s->pause_sqlstate, sizeof(s->pause_sqlstate), "%s",
             why->code == ERR_AUTH ? SQLSTATE_CONFIG_FILE_ERROR : SQLSTATE_CANNOT_CONNECT_NOW);
    loop_arm(s->owner->loop, &s->rest, PAUSE_US);
    LIST_EACH(&s->queue, l) {
        question_fail(s->owner, CONTAINER_OF(l, struct question, in_list), s->pause_outcome,
                      s->pause_sqlstate, failure_words(s->pause_sqlstate));
    }
}

static void
on_lost(void *arg, const struct error *why, const char *sqlstate)
{
    struct source *s = arg;
    struct auth_query *a = s->owner;
    struct link *first = list_first(&s->queue);
    struct question *q = first == NULL ? NULL : CONTAINER_OF(first, struct question, in_list);
    bool was_old = s->has_answered && why->code == ERR_IO;

    s->talk = NULL;
    a->talk_count--;
    s->is_asking = false;
    s->has_answered = false;
    if (q == NULL) {
        source_free_unused(s); /* it rested, and nobody misses it */
    } else if (was_old && !q->is_retried) {
        q->is_retried = true;
        go(s);
    } else {
        tell_failure(s, "", why->text);
        begin_pause(s, why, sqlstate);
    }
    go_all(a);
}

/* The session that questions are asked in: its search_path is ours, whatever the role or the database would
 * have, so that nobody puts something of his own before what the query names. */
static void
call(struct source *s)
{
    static const struct talk_handler handler = { .on_ready = on_ready,
                                                 .on_answer = on_answer,
                                                 .on_lost = on_lost };
    uint64_t timeout_us = s->route->server_connect_timeout_us;
    struct conninfo info;
    struct buf ports, hosts;
    char setup[300];

    if (timeout_us == 0 || timeout_us > ANSWER_MOST_US)
        timeout_us = ANSWER_MOST_US;
    buf_init(&hosts);
    buf_init(&ports);
    for (unsigned i = 0; i < s->route->host_count; i++) {
        buf_add_format(&hosts, "%s%s", i == 0 ? "" : ",", s->route->hosts[i].host);
        buf_add_format(&ports, "%s%u", i == 0 ? "" : ",", s->route->hosts[i].port);
    }
    buf_add_u8(&hosts, 0);
    buf_add_u8(&ports, 0);
    conninfo_fill(&info, &s->route->server_tls, (const char *)buf_slice(&hosts).at,
                  (const char *)buf_slice(&ports).at);
    conninfo_set_login(&info, s->route->user, s->route->password, s->route->server_database);
    snprintf(setup, sizeof(setup),
             "SELECT pg_catalog.set_config('search_path', 'pg_catalog, \"$user\", public', false),"
             " pg_catalog.set_config('statement_timeout', '%llu', false)",
             (unsigned long long)(timeout_us / US_PER_MS));
    s->owner->talk_count++;
    s->talk = talk_new(s->owner->loop, &info, setup, timeout_us, &handler, s);
    buf_release(&hosts);
    buf_release(&ports);
}

/* Closes a connection that rests, if need be, so that another source can have one. */
static bool
make_room(struct auth_query *a)
{
    if (a->talk_count < TALKS_MOST)
        return true;
    LIST_EACH(&a->all_sources, it) {
        struct source *s = CONTAINER_OF(it, struct source, in_all);

        if (s->talk != NULL && talk_is_idle(s->talk) && list_is_empty(&s->queue)) {
            source_hang_up(s); /* its own timer frees it */
            return true;
        }
    }
    return false;
}

/* Does what S can do now. */
static void
go(struct source *s)
{
    struct link *first = list_first(&s->queue);

    if (first == NULL) {
        loop_arm(s->owner->loop, &s->rest, TALK_KEPT_US);
        go_all(s->owner);
    } else if (s->talk == NULL) {
        timer_cancel(&s->rest);
        if (make_room(s->owner))
            call(s);
    } else if (talk_is_idle(s->talk) && !s->is_asking) {
        timer_cancel(&s->rest);
        s->is_asking = true;
        talk_ask(s->talk, s->route->auth_query, CONTAINER_OF(first, struct question, in_list)->user);
    }
}

static void
on_rest(struct timer *timer)
{
    struct source *s = CONTAINER_OF(timer, struct source, rest);
    struct auth_query *a = s->owner;

    s->is_pausing = false;
    source_hang_up(s);
    source_free_unused(s);
    go_all(a);
}

/* --- asks --- */

static void
queue(struct source *s, struct question *q, struct secret_ask *ask)
{
    ask->next = q->asks;
    q->asks = ask;
    if (q->is_queued)
        return;
    if (link_is_in(&q->in_list)) {
        link_remove(&q->in_list);
        s->known_count--;
    }
    q->is_queued = true;
    q->is_retried = false;
    list_push_last(&s->queue, &q->in_list);
    go(s);
}

static bool
is_good_still(const struct auth_query *a, const struct question *q, const struct secret_ask *ask)
{
    uint64_t age_us = loop_now_us(a->loop) - q->learnt_us;

    if (q->is_queued || !link_is_in(&q->in_list))
        return false;
    return age_us < a->settings->auth_query_cache_us && (!ask->is_fresh || age_us < FRESH_US);
}

static void
take_at(struct auth_query *a, struct source *s, struct secret_ask *ask)
{
    struct question *q;

    if (s->is_pausing) {
        ask->outcome = s->pause_outcome;
        if (s->pause_outcome == SECRET_FAILED)
            secret_ask_fail(ask, s->pause_sqlstate, failure_words(s->pause_sqlstate));
        else
            secret_ask_answer(ask);
        return;
    }
    q = question_for(a, s, ask->user);
    if (is_good_still(a, q, ask))
        answer_known(a, q, ask);
    else
        queue(s, q, ask);
}

void
auth_query_take(struct auth_query *a, struct secret_ask *ask)
{
    const char *missing;
    struct route *route;

    if (strlen(ask->user) > NAME_BYTES_MOST) {
        ask->outcome = SECRET_UNKNOWN;
        secret_ask_answer(ask);
        return;
    }
    route = settings_auth_route(a->settings, ask->database, &missing);
    if (route != NULL) {
        take_at(a, source_for(a, route), ask);
        route_drop(route);
    } else if (missing != NULL) {
        log_line(LOG_WARNING_LEVEL,
                 "auth_query for database \"%s\" failed: authentication database \"%s\" is not configured",
                 ask->database, missing);
        secret_ask_fail(ask, SQLSTATE_CONFIG_FILE_ERROR, CONFIG_ERROR);
    } else { /* a reload has just taken auth_user away */
        ask->outcome = SECRET_UNKNOWN;
        secret_ask_answer(ask);
    }
}

/* --- life --- */

struct auth_query *
auth_query_new(struct loop *loop, const struct settings *settings)
{
    struct auth_query *a = mem_new(sizeof(*a));

    a->loop = loop;
    a->settings = settings_hold(settings);
    map_init(&a->sources);
    map_init(&a->questions);
    list_init(&a->all_sources);
    list_init(&a->known);
    return a;
}

/* Ends everything that is known or under way; returns who still waits. */
static struct secret_ask *
forget_all(struct auth_query *a)
{
    struct secret_ask *waiting = NULL, *ask, *next;
    struct map_node *node = NULL;

    while ((node = map_next(&a->questions, NULL)) != NULL) {
        struct question *q = CONTAINER_OF(node, struct question, in_questions);

        for (ask = q->is_queued ? question_end(q) : NULL; ask != NULL; ask = next) {
            next = ask->next;
            ask->next = waiting;
            waiting = ask;
        }
        question_free(a, q);
    }
    LIST_EACH(&a->all_sources, l) {
        source_free(CONTAINER_OF(l, struct source, in_all));
    }
    return waiting;
}

void
auth_query_reconfigure(struct auth_query *a, const struct settings *settings)
{
    struct secret_ask *ask = forget_all(a), *next;

    settings_drop(a->settings);
    a->settings = settings_hold(settings);
    for (; ask != NULL; ask = next) {
        next = ask->next;
        auth_query_take(a, ask);
    }
}

void
auth_query_free(struct auth_query *a)
{
    struct secret_ask *ask, *next;

    if (a == NULL)
        return;
    for (ask = forget_all(a); ask != NULL; ask = next) {
        next = ask->next;
        secret_ask_fail(ask, SQLSTATE_ADMIN_SHUTDOWN, "the pooler is shutting down");
    }
    map_fini(&a->sources);
    map_fini(&a->questions);
    settings_drop(a->settings);
    free(a);
}
