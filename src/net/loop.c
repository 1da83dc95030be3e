/*
 * loop.c - one turn after the other.
 *
 *     wait in epoll -> handlers of what is ready -> due timers -> letters -> chores -> outbox -> next turn
 *
 * libevent does the waiting and calls the handlers of descriptors; its base is made without a lock, because
 * only this thread touches it. Everything else is ours: timers are queues of timers.h with one libevent
 * timer, set for the earliest of them, as their alarm; letters come through a locked FIFO and an eventfd.
 *
 * The alarm is only ever set earlier, by loop_arm(), or anew after it rang. A timer that is cancelled leaves
 * it as it is: one wake-up in vain costs less than looking through all queues in each turn.
 *
 * Nobody sleeps through a letter: the loop first says is_asleep, then looks whether there are letters; a
 * sender first counts his letter, then looks whether the loop is asleep. One of the two sees the other. The
 * eventfd is watched edge-triggered, so that it is never read.
 */
#include "loop_impl.h"

#include <assert.h>
#include <errno.h>
#include <event2/thread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "parting_impl.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

static pthread_once_t libevent_once = PTHREAD_ONCE_INIT;

/* Libevent and evdns would write to stderr. What matters of it reaches its owner as an error and is told
 * there. */
static void
on_libevent_says(int severity, const char *text)
{
    static const enum log_level levels[] = {
        [EVENT_LOG_DEBUG] = LOG_DEBUG_LEVEL,
        [EVENT_LOG_MSG] = LOG_INFO_LEVEL,
        [EVENT_LOG_WARN] = LOG_WARNING_LEVEL,
        [EVENT_LOG_ERR] = LOG_ERROR_LEVEL,
    };

    log_line(levels[severity & 3], "libevent: %s", text);
}
_Static_assert(EVENT_LOG_DEBUG == 0 && EVENT_LOG_ERR == 3, "the severities must fit the table");

static void
prepare_libevent(void)
{
    event_set_log_callback(on_libevent_says);
    (void)evthread_use_pthreads(); /* our bases have no locks, but evdns and libevent's globals need theirs */
}

static struct event_base *
base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME |
                                      EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void
on_woken(evutil_socket_t fd, short what, void *arg)
{
    /* That we are awake is all; the turn delivers the letters. */
    (void)fd;
    (void)what;
    (void)arg;
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;

    (void)fd;
    (void)what;
    loop->alarm_us = TIMERS_NEVER;
    loop->has_rung = true;
}

struct loop *
loop_new(const struct clock *clock, void *recipient, struct error *why)
{
    struct loop *loop = mem_new(sizeof(*loop));

    pthread_once(&libevent_once, prepare_libevent);
    loop->clock = clock;
    loop->recipient = recipient;
    loop->time = &loop->own_time;
    loop->alarm_us = TIMERS_NEVER;
    timers_init(&loop->timers);
    list_init(&loop->partings);
    buf_init(&loop->cipher_out);
    pthread_mutex_init(&loop->_box.lock, NULL);
    atomic_init(&loop->letter_count, 0);
    atomic_init(&loop->is_asleep, false);
    atomic_init(&loop->is_stopped, false);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0) {
        (void)error_set_errno(why, errno, "eventfd for an event loop");
        goto fail;
    }
    loop->base = base_new();
    if (loop->base == NULL) {
        (void)error_set_errno(why, errno, "event loop");
        goto fail;
    }
    evtimer_assign(&loop->alarm, loop->base, on_alarm, loop);
    event_assign(&loop->woken, loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_woken, loop);
    if (event_add(&loop->woken, NULL) != 0) {
        (void)error_set_errno(why, errno, "watching the mailbox of an event loop");
        goto fail;
    }
    loop->read_buf = mem_new(LOOP_READ_BYTES);
    outbox_init(&loop->outbox);
    return loop;
fail:
    loop_free(loop);
    return NULL;
}

void
loop_need_tls_buffers(struct loop *loop)
{
    if (loop->cipher_in != NULL)
        return;
    loop->cipher_in = mem_new(LOOP_CIPHER_BYTES);
    loop->record = mem_new(LOOP_RECORD_BYTES);
}

/* Runs what was queued when the call began: a chore that queues itself again waits for the next turn. */
static void
run_chores(struct loop *loop)
{
    struct chore *c = loop->first_chore;

    if (c == NULL)
        return;
    loop->was_busy = true;
    loop->first_chore = loop->last_chore = NULL;
    while (c != NULL) {
        struct chore *next = c->next;

        c->next = NULL;
        c->is_queued = false;
        c->run(c); /* may free C */
        c = next;
    }
}

void
loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->first_chore != NULL)
        run_chores(loop);
    partings_end(loop);
    if (loop->base != NULL) {
        if (loop->question_count > 0)
            event_base_loop(loop->base, EVLOOP_NONBLOCK);
        if (loop->wake_fd >= 0 && event_initialized(&loop->woken))
            event_del(&loop->woken);
        if (event_initialized(&loop->alarm))
            event_del(&loop->alarm);
        event_base_free(loop->base);
    }
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->_box.lock);
    outbox_fini(&loop->outbox);
    buf_wipe(&loop->cipher_out);
    free(loop->cipher_in);
    if (loop->record != NULL)
        mem_wipe(loop->record, LOOP_RECORD_BYTES);
    free(loop->record);
    if (loop->read_buf != NULL)
        mem_wipe(loop->read_buf, LOOP_READ_BYTES);
    free(loop->read_buf);
    free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
    return loop->base;
}

uint64_t
loop_now_us(const struct loop *loop)
{
    struct loop_time *time = loop->time;

    if (!time->is_known) {
        time->now_us = clock_now_us(loop->clock);
        time->is_known = loop->is_in_turn;
    }
    return time->now_us;
}

static void
set_alarm(struct loop *loop, uint64_t due_us)
{
    uint64_t now_us = loop_now_us(loop);
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    struct timeval wait = { .tv_sec = (time_t)(wait_us / US_PER_S),
                            .tv_usec = (suseconds_t)(wait_us % US_PER_S) };

    if (wait_us > UINT64_C(86400) * US_PER_S) /* ring in vain once a day rather than overflow somewhere */
        wait = (struct timeval){ .tv_sec = 86400 };
    loop->alarm_us = due_us;
    evtimer_add(&loop->alarm, &wait);
}

void
loop_arm(struct loop *loop, struct timer *timer, uint64_t delay_us)
{
    timers_arm(&loop->timers, timer, loop_now_us(loop), delay_us);
    if (timer->due_us < loop->alarm_us)
        set_alarm(loop, timer->due_us);
}

static void
run_timers(struct loop *loop)
{
    uint64_t next_us = timers_next_us(&loop->timers);

    loop->has_rung = false;
    if (next_us <= loop_now_us(loop)) {
        loop->was_busy = true;
        timers_run(&loop->timers, loop_now_us(loop));
        next_us = timers_next_us(&loop->timers);
    }
    if (next_us < loop->alarm_us)
        set_alarm(loop, next_us);
}

static bool
has_letters(struct loop *loop)
{
    return atomic_load(&loop->letter_count) > 0;
}

/* Only what is there when the call begins: letters that breed letters must not starve the sockets. */
static void
deliver_letters(struct loop *loop)
{
    struct letter *letter;

    if (!has_letters(loop))
        return;
    loop->was_busy = true;
    pthread_mutex_lock(&loop->_box.lock);
    letter = loop->_box.first;
    loop->_box.first = loop->_box.last = NULL;
    atomic_store(&loop->letter_count, 0);
    pthread_mutex_unlock(&loop->_box.lock);
    while (letter != NULL) {
        struct letter *next = letter->next;

        letter->next = NULL;
        letter->on_arrival(letter, loop->recipient); /* LETTER is the arrival's now */
        letter = next;
    }
}

enum turn_kind { TURN_MAY_WAIT, TURN_IS_TEST };

static void
turn(struct loop *loop, enum turn_kind kind)
{
    int flags = EVLOOP_ONCE;

    if (kind == TURN_IS_TEST || loop->first_chore != NULL) {
        flags |= EVLOOP_NONBLOCK;
    } else {
        atomic_store(&loop->is_asleep, true);
        if (has_letters(loop) || atomic_load(&loop->is_stopped))
            flags |= EVLOOP_NONBLOCK;
    }
    loop->is_in_turn = true;
    loop->time->is_known = false;
    event_base_loop(loop->base, flags);
    if (atomic_load_explicit(&loop->is_asleep, memory_order_relaxed))
        atomic_store_explicit(&loop->is_asleep, false, memory_order_relaxed);
    if (loop->has_rung || kind == TURN_IS_TEST)
        run_timers(loop);
    deliver_letters(loop);
    run_chores(loop);
    outbox_flush(&loop->outbox);
    loop->is_in_turn = false;
    loop->time->is_known = false;
}

void
loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->is_stopped, memory_order_relaxed))
        turn(loop, TURN_MAY_WAIT);
    atomic_store(&loop->is_stopped, false);
}

bool
loop_turn(struct loop *loop)
{
    loop->was_busy = false;
    turn(loop, TURN_IS_TEST);
    return loop->was_busy;
}

static void
wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(loop->wake_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

void
loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopped, true);
    wake(loop);
}

void
loop_hold(struct loop *loop)
{
    loop->is_holding = true;
}

void
loop_let_go(struct loop *loop)
{
    loop->is_holding = false;
}

bool
loop_post(struct loop *to, struct letter *letter)
{
    bool was_empty;

    letter->next = NULL;
    pthread_mutex_lock(&to->_box.lock);
    if (atomic_load_explicit(&to->letter_count, memory_order_relaxed) >= LOOP_MOST_LETTERS) {
        pthread_mutex_unlock(&to->_box.lock);
        return false;
    }
    was_empty = to->_box.first == NULL;
    if (was_empty)
        to->_box.first = letter;
    else
        to->_box.last->next = letter;
    to->_box.last = letter;
    atomic_fetch_add(&to->letter_count, 1);
    pthread_mutex_unlock(&to->_box.lock);
    if (was_empty && atomic_load(&to->is_asleep))
        wake(to);
    return true;
}

void
loop_post_surely(struct loop *to, struct letter *letter)
{
    while (!loop_post(to, letter)) /* a flood of new sockets: it is emptied in a moment */
        usleep(1000);
}

void
loop_defer(struct loop *loop, struct chore *chore)
{
    if (chore->is_queued)
        return;
    chore->is_queued = true;
    chore->next = NULL;
    if (loop->first_chore == NULL)
        loop->first_chore = chore;
    else
        loop->last_chore->next = chore;
    loop->last_chore = chore;
}
