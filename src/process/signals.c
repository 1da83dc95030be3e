/* signals.c - libevent's evsignal. One base of a process can watch signals; it is the main thread's. */
#include "signals_impl.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "pgweir/base/mem.h"

static const int numbers[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };

struct signals {
    struct event events[COUNT_OF(numbers)];
    size_t count; /* events that were added */
    void (*on_signal)(void *arg, int number);
    void *arg;
};

static void
on_event(evutil_socket_t number, short what, void *arg)
{
    struct signals *s = arg;

    (void)what;
    s->on_signal(s->arg, (int)number);
}

enum err
signals_new(struct loop *loop, void (*on_signal)(void *arg, int number), void *arg, struct signals **out,
            struct error *why)
{
    struct signals *s = mem_new(sizeof(*s));

    s->on_signal = on_signal;
    s->arg = arg;
    signal(SIGPIPE, SIG_IGN);
    for (; s->count < COUNT_OF(numbers); s->count++) {
        struct event *event = &s->events[s->count];
        int number = numbers[s->count];

        if (evsignal_assign(event, loop_base(loop), number, on_event, s) != 0 ||
            evsignal_add(event, NULL) != 0) {
            signals_free(s);
            return error_set(why, ERR_IO, "cannot watch for signal %d", number);
        }
    }
    *out = s;
    return ERR_NONE;
}

void
signals_free(struct signals *s)
{
    sigset_t blocked;

    if (s == NULL)
        return;
    sigemptyset(&blocked);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        sigaddset(&blocked, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    while (s->count > 0)
        evsignal_del(&s->events[--s->count]);
    free(s);
}
