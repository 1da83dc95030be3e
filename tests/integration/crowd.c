/*
 * crowd.c - many clients in one thread: libpq without blocking, and poll().
 *
 *     every client   ask -> wait for its answer -> check it -> next question of its transaction, or the next transaction
 */

#include "crowd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"

enum kind { KIND_SIMPLE, KIND_BLOCK, KIND_EXTENDED, KIND_FAILING, KIND_COUNT };

struct member {
    PGconn *connection;
    unsigned number; /* of the client */
    unsigned asked;  /* questions so far: makes each one unique */
    unsigned step;   /* within the transaction */
    enum kind kind;
    bool is_waiting;    /* for an answer */
    char expected[128]; /* answer of the question that was sent */
};

struct crowd {
    const struct crowd_plan *plan;
    struct member *members;
    struct crowd_result result;
    unsigned begun; /* transactions handed out */
    uint64_t moved_ms;
};

static void
connect_member(struct crowd *crowd, struct member *m)
{
    const char *const *users = crowd->plan->users;
    unsigned count = 0;

    while (users != NULL && users[count] != NULL)
        count++;
    m->connection = count == 0 ? weir_dial(crowd->plan->weir)
                               : weir_dial_as(crowd->plan->weir, users[m->number % count]);
    m->is_waiting = false;
    m->step = 0;
    if (PQstatus(m->connection) == CONNECTION_OK)
        return;
    if (crowd->result.refused++ == 0)
        fprintf(stderr, "\n    a client of the crowd was refused: %s", PQerrorMessage(m->connection));
}

static void
expect(struct member *m, const char *answer)
{
    snprintf(m->expected, sizeof m->expected, "%s", answer);
}

/* Sends the next question of the transaction; false when it is over. */
static bool
ask_next(struct member *m)
{
    const char *own = text("%u.%u", m->number, ++m->asked);
    const char *query = text("select '%s'", own);

    expect(m, own);
    switch (m->kind) {
    case KIND_SIMPLE:
        if (m->step == 1)
            return false;
        break;
    case KIND_BLOCK: {
        static const char *const steps[] = { "begin", NULL, NULL, "commit" };

        if (m->step == COUNT_OF(steps))
            return false;
        if (steps[m->step] != NULL) {
            query = steps[m->step];
            expect(m, m->step == 0 ? "BEGIN" : "COMMIT");
        }
        break;
    }
    case KIND_EXTENDED:
        if (m->step == 1)
            return false;
        m->is_waiting = PQsendQueryParams(m->connection, "select $1::text || ''", 1, NULL, &own, NULL, NULL,
                                          0) == 1;
        m->step++;
        return true;
    case KIND_FAILING: {
        if (m->step == 3)
            return false;
        if (m->step == 0) {
            query = text("begin; do $$ begin raise exception '%s'; end $$", own);
            expect(m, text("ERROR P0001 %s", own));
        } else if (m->step == 1) {
            query = "select 'not in a failed transaction'";
            expect(
                m,
                "ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block");
        } else {
            query = "rollback";
            expect(m, "ROLLBACK");
        }
        break;
    }
    case KIND_COUNT:
        return false;
    }
    m->is_waiting = PQsendQuery(m->connection, query) == 1;
    m->step++;
    return true;
}

static void
begin_next(struct crowd *crowd, struct member *m)
{
    while (!m->is_waiting && crowd->begun < crowd->plan->transactions) {
        m->kind = (enum kind)(crowd->begun++ % KIND_COUNT);
        m->step = 0;
        if (PQstatus(m->connection) == CONNECTION_OK && ask_next(m) && m->is_waiting)
            return;
        PQfinish(m->connection); /* lost while it was idle: nobody should notice more than this */
        crowd->result.failed++;
        connect_member(crowd, m);
    }
}

static bool
is_server_loss(const char *told)
{
    return BEGINS(told, "FATAL 57P01") || BEGINS(told, "FATAL 08006") || BEGINS(told, "LOST");
}

static void
take_answer(struct crowd *crowd, struct member *m)
{
    const char *told = answer(m->connection);

    crowd->moved_ms = now_ms();
    m->is_waiting = false;
    if (strcmp(told, m->expected) == 0) {
        if (ask_next(m) && m->is_waiting)
            return;
        crowd->result.done++;
    } else if (crowd->plan->may_lose_servers && is_server_loss(told)) {
        crowd->result.lost++;
        PQfinish(m->connection);
        connect_member(crowd, m);
    } else {
        bool is_error = BEGINS(told, "ERROR") || BEGINS(told, "FATAL") || BEGINS(told, "LOST");

        if (crowd->result.failed + crowd->result.wrong == 0)
            fprintf(stderr, "\n    client %u expected `%s` and got `%s`\n", m->number, m->expected, told);
        crowd->result.failed += is_error;
        crowd->result.wrong += !is_error;
        PQfinish(m->connection);
        connect_member(crowd, m);
    }
    begin_next(crowd, m);
}

/* One round: waits until somebody has been answered, and serves all who have. False when nobody waits any
 * more. */
static bool
serve(struct crowd *crowd, struct pollfd *polls)
{
    nfds_t waiting = 0;

    for (unsigned i = 0; i < crowd->plan->clients; i++) {
        struct member *m = &crowd->members[i];

        if (m->is_waiting)
            polls[waiting++] = (struct pollfd){ .fd = PQsocket(m->connection), .events = POLLIN };
    }
    if (waiting == 0)
        return false;
    poll(polls, waiting, 20);
    for (unsigned i = 0; i < crowd->plan->clients; i++) {
        struct member *m = &crowd->members[i];

        if (m->is_waiting && has_answered(m->connection))
            take_answer(crowd, m);
    }
    return true;
}

struct crowd_result
crowd_run(const struct crowd_plan *plan)
{
    struct crowd crowd = { .plan = plan, .moved_ms = now_ms() };
    struct pollfd *polls = mem_new(plan->clients * sizeof *polls);

    crowd.members = mem_new(plan->clients * sizeof *crowd.members);
    for (unsigned i = 0; i < plan->clients; i++) {
        crowd.members[i].number = i;
        connect_member(&crowd, &crowd.members[i]);
    }
    for (unsigned i = 0; i < plan->clients; i++)
        begin_next(&crowd, &crowd.members[i]);
    while (serve(&crowd, polls)) {
        if (plan->meanwhile != NULL)
            plan->meanwhile(plan->arg, crowd.result.done);
        if (now_ms() > crowd.moved_ms + WAIT_MS) {
            fprintf(stderr, "\n    the crowd stands still after %u transactions\n", crowd.result.done);
            break;
        }
    }
    for (unsigned i = 0; i < plan->clients; i++)
        PQfinish(crowd.members[i].connection);
    free(crowd.members);
    free(polls);
    return crowd.result;
}
