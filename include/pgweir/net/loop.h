/*
 * loop.h - one thread's event loop: libevent's base, the clock, the timers, the mailbox and the big buffers
 * that all streams of the thread share. Everything here belongs to the thread that runs the loop, save
 * loop_post() and loop_stop().
 */
#ifndef PGWEIR_NET_LOOP_H
#define PGWEIR_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/err.h"
#include "pgweir/base/timers.h"

/* One read(2) of a peer that has much to say. Four times as much as 64 kB costs a quarter less CPU per byte. */
#define LOOP_READ_BYTES (256u * 1024u)

struct event_base;
struct loop;

/* A message between threads. It is embedded in, and owned by, whoever posts it; from loop_post() until
 * `on_arrival` runs (in the receiving thread, once) it must not be touched. */
struct letter {
    struct letter *next;
    void (*on_arrival)(struct letter *letter, void *recipient);
};

/* Something to do when this loop turn is over: free an object that is still on the stack, look again at a
 * queue. */
struct chore {
    struct chore *next;
    bool is_queued;
    void (*run)(struct chore *chore);
};

/* RECIPIENT is handed to every letter that arrives here. CLOCK is borrowed; a fake one makes timers move
 * only when the test moves it. NULL and *WHY when the kernel refuses descriptors. */
MUST_CHECK struct loop *loop_new(const struct clock *clock, void *recipient, struct error *why);
/* Letters still in the mailbox are dropped, chores are run. Streams, timers, dials and listeners are
 * closed before. NULL is fine. */
void loop_free(struct loop *loop);

void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop); /* any thread */
/* One turn without waiting: what is ready now, then due timers, letters and chores. For tests. True when
 * anything of ours was done (a foreign libevent object's handler does not count). */
bool loop_turn(struct loop *loop);

/* For neighbours that hang other libevent objects in it. It has no lock: only the loop's own thread may
 * touch it and them. */
struct event_base *loop_base(struct loop *loop);

uint64_t loop_now_us(const struct loop *loop); /* the clock, read once per wake-up */
/* Streams with may_be_held are not read until LOOP lets go of them; then stream_read_again() for each. */
void loop_hold(struct loop *loop);
void loop_let_go(struct loop *loop);
void loop_arm(struct loop *loop, struct timer *timer, uint64_t delay_us); /* timer_cancel() undoes */

/* Any thread. Never blocks: one short lock, and one write to the wake-up descriptor when the box was empty.
 * False when the box already holds LOOP_MOST_LETTERS (then the caller still owns the letter). A letter
 * that must not be lost is one per object (embedded), so that the bound can only be hit by a flood of new
 * objects. */
#define LOOP_MOST_LETTERS 1000000u
bool loop_post(struct loop *to, struct letter *letter);
/* For a letter that must arrive: waits while the box is full. Not to one's own loop. */
void loop_post_surely(struct loop *to, struct letter *letter);
/* No-op when it is queued already. A chore that defers itself runs again in the next turn, which then does
 * not wait. */
void loop_defer(struct loop *loop, struct chore *chore);

#endif
