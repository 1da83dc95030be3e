/*
 * crowd.h - many clients in one thread, each of which checks that every answer is its own.
 *
 * A client runs transactions of several kinds (one simple query, BEGIN … COMMIT, extended protocol, one that
 * fails on purpose); each question carries a number that nobody else uses, and the answer must be that
 * number.
 */
#ifndef PGWEIR_TESTS_CROWD_H
#define PGWEIR_TESTS_CROWD_H

#include <stdbool.h>

#include "harness.h"

struct crowd_plan {
    const struct weir *weir;
    const char *const *users; /* dealt out in turn; NULL-terminated; NULL: app_user */
    unsigned clients;
    unsigned transactions; /* of all clients together */
    /* Called between two rounds of work, some hundred times a second; NULL: nothing to do. */
    void (*meanwhile)(void *arg, unsigned done);
    void *arg;
    bool may_lose_servers; /* 57P01 and lost connections are fine; the client comes back */
};

struct crowd_result {
    unsigned done;    /* transactions with the right answers */
    unsigned wrong;   /* answers that belong to somebody else, or to nobody */
    unsigned failed;  /* errors that nothing explains; the first is printed */
    unsigned lost;    /* transactions lost with their server, where that may be */
    unsigned refused; /* connections that could not be made */
};

/* Runs the plan to its end, or until nothing has moved for WAIT_MS. */
struct crowd_result crowd_run(const struct crowd_plan *plan);

#endif
