/*
 * helpers_impl.h - threads for questions whose answer may take its time inside of a library: PAM, the system's
 * directory of users, names of hosts. Few threads, started when they are wanted, and a bounded queue in front of them.
 */
#ifndef PGWEIR_CONTROL_HELPERS_IMPL_H
#define PGWEIR_CONTROL_HELPERS_IMPL_H

#include "pgweir/session/secret_ask.h"

struct helpers;

/* ANSWER finds out what an ask wants to know and fills in its outcome; it runs in the helpers' threads, side
 * by side. */
struct helpers *helpers_new(void (*answer)(struct secret_ask *ask));
/* Any thread. Answers ASK in a thread of its own, or at once, with a failure, when too many wait. */
void helpers_take(struct helpers *h, struct secret_ask *ask);
/* Fails who waits, waits a moment for what runs, and frees it. What does not come back from its library in
 * that time is left behind, and its ask is dropped when it does. NULL is fine. */
void helpers_free(struct helpers *h);

#endif
