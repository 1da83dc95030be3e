/*
 * pg.h - the throw-away PostgreSQL servers of the run, made by tests/lib/pg.sh at first use, with TLS and
 * SCRAM.
 */
#ifndef PGWEIR_TESTS_PG_H
#define PGWEIR_TESTS_PG_H

#include <sys/types.h>

#include "pgweir/base/attr.h"

struct pg {
    char dir[256];    /* certificates, log and the like, see tests/lib/pg.sh */
    char socket[256]; /* directory of its Unix socket */
    unsigned port;
    pid_t pid; /* the postmaster; 0 while it is stopped */
};
const struct pg *pg_main(void); /* 100 connections; up for the whole run */
struct pg *pg_small(void);      /* 30 connections; a test may stop it, the next caller finds it up */
void pg_stop(struct pg *pg, const char *mode); /* fast, immediate */
void pg_start(struct pg *pg);                  /* on the port that it had */
/* A value asked by the superuser in database `app`, over its Unix socket; see ask(). */
const char *pg_ask(const struct pg *pg, const char *sql, ...) PRINTF_LIKE(2, 3);
int pg_count(const struct pg *pg, const char *sql, ...) PRINTF_LIKE(2, 3); /* see number() */
/* Server connections that belong to USER (NULL: to anybody but the superuser and the control connection of
 * pgweir). */
int pg_backends(const struct pg *pg, const char *user);

void pg_kill_all(void);   /* without waiting; for signal handlers */
void pg_remove_all(void); /* at the end of the run */

#endif
