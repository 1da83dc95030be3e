/* admin_impl.h - the inside of admin/: one command under way, and what the files of the room have of each
 * other. */
#ifndef PGWEIR_ADMIN_ADMIN_IMPL_H
#define PGWEIR_ADMIN_ADMIN_IMPL_H

#include "grammar_impl.h"
#include "pgweir/admin/admin.h"
#include "pgweir/base/list.h"
#include "pgweir/pool/control.h"
#include "pgweir/session/console.h"
#include "pgweir/session/roll.h"
#include "stats_impl.h"

struct admin {
    struct loop *loop;
    const struct clock *clock;
    struct admin_handler program;
    struct console_handler console;
    struct house *house;             /* borrowed; NULL before admin_attend() */
    struct house_config *config;     /* held; likewise */
    const struct settings *at_start; /* held: what restart-only options are still */
    struct list jobs;                /* job.in_admin */
    uint64_t suspender;              /* the console that has said SUSPEND, while that holds */
    struct job *suspending;          /* its job until everything is sent; NULL: it is answered */
    struct stats stats;
    struct timer stats_timer;
    bool is_stats_asked; /* a roll call for the statistics is under way */
    bool is_closing;
};

struct job { /* a command under way; its own until job_answer() */
    struct link in_admin;
    struct admin *admin;
    struct console_call *call;
    struct command command;
    const struct show *show; /* SHOW: which */
    int64_t wall_us;         /* the wall clock minus the monotone one, when it began */
    struct pools_wait wait;  /* PAUSE, WAIT_CLOSE */
    bool is_waiting;         /* `wait` is pool/'s */
    struct house_hunt *hunt; /* KILL_CLIENT */
    bool is_rolling;         /* a roll call holds it: it lives until that is over */
    bool is_cancelled;       /* and is answered with 57014 then */
};

/* Answers and forgets. */
void job_answer(struct job *j);
/* The same with an error instead of rows. */
void job_refuse(struct job *j, const char *sqlstate, const char *format, ...) PRINTF_LIKE(3, 4);

/* --- show.c --- */

struct show; /* show_impl.h */

const struct show *show_find(const char *name);
void show_begin(struct job *j); /* answers, now or later */

#endif
