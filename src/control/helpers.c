/*
 * helpers.c - see helpers_impl.h.
 *
 *     helpers_take() -> queue (QUEUE_MOST) -> one of THREADS_MOST threads -> answer() -> secret_ask_answer()
 *
 * Whoever has been forgotten meanwhile is not asked about. A library that hangs holds up its thread and no
 * other; when all hang, the queue fills up and says so, and clients run into client_login_timeout.
 */
#include "helpers_impl.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "auth_query_impl.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

#define THREADS_MOST 4u
#define QUEUE_MOST 256u
#define LAST_WAIT_S 2 /* for what runs at the end */

struct helpers {
    void (*answer)(struct secret_ask *ask);
    pthread_mutex_t lock;
    pthread_cond_t is_work;  /* in the queue, or the end */
    pthread_cond_t is_quiet; /* fewer are busy, or answering */
    struct {                 /* under the lock */
        struct secret_ask *first, *last;
        unsigned queued;
        unsigned threads, busy; /* busy: with finding out, or with telling */
        unsigned telling;
        bool is_closing;
        bool is_abandoned; /* workers are gone: nothing may be told any more */
    } _shared;
};

static struct secret_ask *
pop_locked(struct helpers *h)
{
    struct secret_ask *ask = h->_shared.first;

    h->_shared.first = ask->next;
    if (h->_shared.first == NULL)
        h->_shared.last = NULL;
    h->_shared.queued--;
    ask->next = NULL;
    return ask;
}

static void
find_out(struct helpers *h, struct secret_ask *ask)
{
    if (atomic_load_explicit(&ask->is_forgotten, memory_order_relaxed))
        ask->outcome = SECRET_UNKNOWN;
    else
        h->answer(ask);
}

/* False when there is nobody left to tell. */
static bool
tell(struct helpers *h, struct secret_ask *ask)
{
    bool is_late;

    pthread_mutex_lock(&h->lock);
    is_late = h->_shared.is_abandoned;
    h->_shared.telling += !is_late;
    pthread_mutex_unlock(&h->lock);
    if (is_late) {
        secret_ask_drop(ask);
        return false;
    }
    secret_ask_answer(ask);
    pthread_mutex_lock(&h->lock);
    h->_shared.telling--;
    h->_shared.busy--;
    pthread_cond_broadcast(&h->is_quiet);
    pthread_mutex_unlock(&h->lock);
    return true;
}

static void *
work(void *arg)
{
    struct helpers *h = arg;

    for (;;) {
        struct secret_ask *ask;

        pthread_mutex_lock(&h->lock);
        while (h->_shared.first == NULL && !h->_shared.is_closing)
            pthread_cond_wait(&h->is_work, &h->lock);
        if (h->_shared.first == NULL) {
            h->_shared.threads--;
            pthread_cond_broadcast(&h->is_quiet);
            pthread_mutex_unlock(&h->lock);
            return NULL;
        }
        ask = pop_locked(h);
        h->_shared.busy++;
        pthread_mutex_unlock(&h->lock);
        find_out(h, ask);
        if (!tell(h, ask))
            return NULL;
    }
}

/* Signals are the main thread's. */
static bool
start_thread_locked(struct helpers *h)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    bool is_started;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    is_started = pthread_create(&thread, &attributes, work, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    h->_shared.threads += is_started;
    return is_started;
}

struct helpers *
helpers_new(void (*answer)(struct secret_ask *ask))
{
    struct helpers *h = mem_new(sizeof(*h));

    h->answer = answer;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->is_work, NULL);
    pthread_cond_init(&h->is_quiet, NULL);
    return h;
}

/* Whether ASK has a place. */
static bool
push_locked(struct helpers *h, struct secret_ask *ask)
{
    bool has_idle = h->_shared.threads > h->_shared.busy + h->_shared.queued;

    if (h->_shared.is_closing || h->_shared.queued >= QUEUE_MOST)
        return false;
    if (!has_idle && h->_shared.threads < THREADS_MOST && !start_thread_locked(h) && h->_shared.threads == 0)
        return false;
    ask->next = NULL;
    if (h->_shared.last != NULL)
        h->_shared.last->next = ask;
    else
        h->_shared.first = ask;
    h->_shared.last = ask;
    h->_shared.queued++;
    pthread_cond_signal(&h->is_work);
    return true;
}

void
helpers_take(struct helpers *h, struct secret_ask *ask)
{
    bool has_place;

    pthread_mutex_lock(&h->lock);
    has_place = push_locked(h, ask);
    pthread_mutex_unlock(&h->lock);
    if (!has_place)
        secret_ask_fail(ask, SQLSTATE_TOO_MANY_CONNECTIONS, "too many logins at once wait for an answer");
}

static void
fail_queued(struct helpers *h)
{
    struct secret_ask *ask;

    do {
        pthread_mutex_lock(&h->lock);
        ask = h->_shared.first == NULL ? NULL : pop_locked(h);
        pthread_mutex_unlock(&h->lock);
        if (ask != NULL)
            secret_ask_fail(ask, SQLSTATE_ADMIN_SHUTDOWN, "the pooler is shutting down");
    } while (ask != NULL);
}

/* Whether all threads have ended, and h can be freed. */
static bool
wait_for_threads(struct helpers *h)
{
    struct timespec until;
    unsigned left;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_WAIT_S;
    pthread_mutex_lock(&h->lock);
    while (h->_shared.threads > 0 && pthread_cond_timedwait(&h->is_quiet, &h->lock, &until) == 0)
        continue;
    h->_shared.is_abandoned = true;
    while (h->_shared.telling > 0)
        pthread_cond_wait(&h->is_quiet, &h->lock);
    left = h->_shared.threads;
    pthread_mutex_unlock(&h->lock);
    if (left > 0)
        log_line(LOG_WARNING_LEVEL,
                 "%u logins hang in PAM, or in the system's lookup of users or hosts, and are left there",
                 left);
    return left == 0;
}

void
helpers_free(struct helpers *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->_shared.is_closing = true;
    pthread_cond_broadcast(&h->is_work);
    pthread_mutex_unlock(&h->lock);
    fail_queued(h);
    if (!wait_for_threads(h)) /* whoever comes back later still looks at it */
        return;
    pthread_cond_destroy(&h->is_quiet);
    pthread_cond_destroy(&h->is_work);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
