/* loop_impl.h - the inside of a loop, for the other files of net/. */
#ifndef PGWEIR_NET_LOOP_IMPL_H
#define PGWEIR_NET_LOOP_IMPL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#include "outbox_impl.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/list.h"
#include "pgweir/net/loop.h"

struct listener;
struct stream;

/* Room for as many whole TLS records, with their overhead, as fill the read buffer: one read(2) of a busy peer. */
#define LOOP_RECORD_BYTES 16384u
#define LOOP_CIPHER_BYTES (LOOP_READ_BYTES / LOOP_RECORD_BYTES * (LOOP_RECORD_BYTES + 256u + 5u))

struct loop_time {
    uint64_t now_us;
    bool is_known; /* read in this turn */
};

struct loop {
    struct event_base *base;
    const struct clock *clock; /* borrowed */
    void *recipient;           /* borrowed: what letters are handed to */

    struct loop_time *time; /* points at own_time, so that a const loop can look at the clock */
    struct loop_time own_time;
    bool is_in_turn; /* outside of turns the clock is read every time */
    bool is_holding; /* streams that may be held are not read */
    bool was_busy;   /* something was done in this turn; only loop_turn() asks */

    struct timers timers;
    struct event alarm; /* the one libevent timer */
    uint64_t alarm_us;  /* when it rings; TIMERS_NEVER: it is not set */
    bool has_rung;      /* timers are to be looked at when the turn ends */

    struct chore *first_chore;
    struct chore *last_chore;

    /* Shared by all streams of the loop; the TLS ones are allocated for the first TLS stream. */
    uint8_t *read_buf;          /* LOOP_READ_BYTES: what on_bytes gets, plain or decrypted */
    uint8_t *cipher_in;         /* LOOP_CIPHER_BYTES: what TLS streams read */
    uint8_t *record;            /* LOOP_RECORD_BYTES: small pieces gathered before they are encrypted */
    struct outbox outbox;       /* short output of this turn */
    struct buf cipher_out;      /* what OpenSSL wrote; empty between two operations */
    struct stream *current;     /* whose input is being handled; NULL once its owner closed or moved it */
    struct listener *accepting; /* whose handler is running; NULL once it was freed */
    struct list partings;       /* streams that are closing gently */
    unsigned question_count;    /* questions of freed resolvers whose answer libevent still has to bring */

    int wake_fd; /* eventfd; written by others when the loop may be asleep */
    struct event woken;
    struct {
        pthread_mutex_t lock;
        struct letter *first;
        struct letter *last;
    } _box;                   /* by any thread, under its lock */
    atomic_uint letter_count; /* written under the lock of the box, read without it */
    atomic_bool is_asleep;    /* may be waiting: whoever fills the empty box must write to wake_fd */
    atomic_bool is_stopped;
};

/* For every handler that libevent calls: the loop runs, so letters need no wake-up. */
static inline void
loop_note_wake(struct loop *loop)
{
    loop->was_busy = true;
    if (atomic_load_explicit(&loop->is_asleep, memory_order_relaxed))
        atomic_store_explicit(&loop->is_asleep, false, memory_order_relaxed);
}

void loop_need_tls_buffers(struct loop *loop);

#endif
