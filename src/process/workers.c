/* workers.c - starting and joining. What the threads do is session's business. */
#include "workers_impl.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

#define WORKERS_AUTO_MOST 8u

struct workers {
    struct house *house;
    pthread_t *threads; /* owned; `count` of them run */
    unsigned count;
};

unsigned
workers_count(const struct settings *settings)
{
    cpu_set_t cpus;
    unsigned count = settings->workers;

    if (count > POOL_MOST_WORKERS) {
        log_line(LOG_WARNING_LEVEL, "workers = %u is too many: using %u", count, POOL_MOST_WORKERS);
        return POOL_MOST_WORKERS;
    }
    if (count > 0)
        return count;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        count = (unsigned)CPU_COUNT(&cpus);
    if (count == 0)
        return 1;
    return count < WORKERS_AUTO_MOST ? count : WORKERS_AUTO_MOST;
}

static void *
run(void *loop)
{
    loop_run(loop);
    return NULL;
}

/* All but those by which a thread tells of its own crash. */
static void
block_signals(sigset_t *before)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF };
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

enum err
workers_start(struct house *house, struct workers **out, struct error *why)
{
    struct workers *w = mem_new(sizeof(*w));
    unsigned wanted = house_worker_count(house);
    int errnum = 0;
    sigset_t before;

    w->house = house;
    w->threads = mem_new(wanted * sizeof(w->threads[0]));
    block_signals(&before);
    while (w->count < wanted && errnum == 0) {
        char name[16];

        errnum = pthread_create(&w->threads[w->count], NULL, run, house_worker_loop(house, w->count));
        if (errnum != 0)
            break;
        snprintf(name, sizeof(name), "pgweir-w%u", w->count);
        pthread_setname_np(w->threads[w->count], name);
        w->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0) {
        (void)error_set_errno(why, errnum, "cannot start worker thread %u", w->count);
        workers_end(w);
        return ERR_IO;
    }
    *out = w;
    return ERR_NONE;
}

void
workers_end(struct workers *w)
{
    if (w == NULL)
        return;
    for (unsigned i = 0; i < w->count; i++)
        loop_stop(house_worker_loop(w->house, i));
    for (unsigned i = 0; i < w->count; i++)
        pthread_join(w->threads[i], NULL);
    free(w->threads);
    free(w);
}
