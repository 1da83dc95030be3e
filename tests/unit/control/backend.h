/*
 * backend.h - a PostgreSQL that says what the test wants: a listening socket on 127.0.0.1 and the few
 * messages that libpq needs to log in and to get an answer. Each call first turns the loop until what it
 * waits for is there.
 */
#ifndef PGWEIR_TESTS_CONTROL_BACKEND_H
#define PGWEIR_TESTS_CONTROL_BACKEND_H

#include <stdbool.h>

#include "pgweir/base/buf.h"
#include "pgweir/net/loop.h"

struct backend {
    struct loop *loop;
    int listen_fd;
    int fd; /* the connection in hand; -1: none */
    unsigned port;
    char port_text[8];
    struct buf startup; /* the last startup packet, without its length */
};

void backend_init(struct backend *b, struct loop *loop);
void backend_fini(struct backend *b);

/* A client connects and sends its startup packet. */
void backend_accept(struct backend *b);
/* The last startup packet holds NAME with VALUE. */
bool backend_was_told(const struct backend *b, const char *name, const char *value);
void backend_let_in(struct backend *b);
/* FATAL with SQLSTATE, and the end of the connection. */
void backend_refuse(struct backend *b, const char *sqlstate);
void backend_await_query(struct backend *b);
/* Answers the query with rows of three columns, NULL-terminated; "" as a value is SQL's null. */
void backend_answer(struct backend *b, const char *const (*rows)[3]);
/* An empty query's answer: no rows at all. */
void backend_answer_nothing(struct backend *b);
void backend_close(struct backend *b);
/* Somebody has connected, and was not accepted yet. */
bool backend_is_called(const struct backend *b);

/* Turns LOOP until *FLAG; false when it takes too long. */
bool turn_until(struct loop *loop, const bool *flag);

#endif
