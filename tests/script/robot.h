/*
 * robot.h - a very small PostgreSQL for scenes in which nobody can write down beforehand what the servers are
 * asked. It keeps the protocol's rules (one message after the other, ignore_till_sync, COPY mode, implicit
 * and explicit transactions) and knows these statements, with `;` between them:
 *
 *     begin  commit  rollback     echo X        a row with X ($1: the first parameter)
 *     insert X                    X is remembered once it is committed
 *     fail                        an error
 *     slow X                      does not end by itself: it is cancelled, or robot_finish() ends it
 *     copy in   copy out          notice X      a notice with X
 *     set X   show X              a setting; a complaint when it is there and does not begin with X
 *     SELECT …  RESET …  DISCARD …     what the pooler says itself
 *
 * A complaint is something that must not happen: another session's setting; and, unless clients are rude, a
 * message that has no place or a statement that cannot be read.
 */
#ifndef PGWEIR_TESTS_ROBOT_H
#define PGWEIR_TESTS_ROBOT_H

#include "script.h"

struct robot_statement {
    char *name;
    char *sql;
};

struct robot {
    struct robots *robots;
    struct actor *actor; /* NULL: was never asked anything */
    struct buf out;      /* said and not sent yet */
    char status;         /* I, T, E */
    bool is_skipping;    /* ignore_till_sync */
    bool is_open;        /* an implicit transaction of the extended protocol */
    bool is_extended;    /* the message at work is of the extended protocol */
    char *rest;          /* statements behind a COPY or a slow one of a simple Query; NULL: none is at work */
    bool is_simple;      /* what is at work is a simple Query */
    bool is_copying;
    bool is_dying; /* it has said a FATAL error */
    unsigned copied;
    char *slow; /* what it is busy with; NULL: nothing */
    char *setting;
    char *pending; /* inserted and not committed: " a b" */
    struct robot_statement statements[32];
    struct robot_statement portal; /* the unnamed one */
    char *parameter;
};

struct robots {
    struct robot robots[SCRIPT_MOST + 1]; /* by the server's number */
    char *committed;                      /* " a b" */
    unsigned cancelled;                   /* slow ones that were */
    char complaint[256];                  /* the first; "": none */
    bool are_clients_rude;
    uint64_t random; /* 0: what is said is sent at once; else in pieces */
    /* A slow statement was cancelled; NULL: nobody wants to know. */
    void (*on_cancelled)(struct robots *robots, const char *what);
};

void robots_init(struct robots *robots);
void robots_fini(struct robots *robots);

/* For a scene: .serve = robot_serve, .on_cancel = robot_cancel, .arg = robots. */
bool robot_serve(struct script *s, struct actor *server, struct slice *in, struct buf *out);
void robot_cancel(struct script *s, struct actor *server);

/* How often X was committed. */
unsigned robots_committed(const struct robots *robots, const char *x);
/* Whether every robot that is still connected has nothing open and nothing under way. */
bool robots_are_at_rest(const struct robots *robots);
void robot_finish(struct robot *r); /* the slow one ends well */

#endif
