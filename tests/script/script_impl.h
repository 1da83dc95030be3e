/*
 * script_impl.h - the inside of a script, for the files that play it:
 *
 *     script.c      lines: which file knows the verb; paces; what is said when a line fails
 *     stage.c       the house, its settings, the socket that its servers are dialed at
 *     actors.c      clients, servers and couriers: their sockets, who they are, what moves without being told
 *     verbs.c       lines with an actor: `c1 sends Query select 1`
 *     directions.c  lines without one: `time 5 s`
 */
#ifndef PGWEIR_TESTS_SCRIPT_IMPL_H
#define PGWEIR_TESTS_SCRIPT_IMPL_H

#include "script.h"

#define SCRIPT_MOST_WAITS 8

struct admin_wait {
    struct pools_wait wait;
    struct script *script;
};

struct script {
    struct scene scene;
    const char *file;
    unsigned at_line;   /* of FILE, where the script stands */
    char line[1024];    /* being played */
    char settings[512]; /* what the scene's were replaced by */
    char entry[256];
    char dir[64];
    struct clock clock;
    struct house_config *config;
    struct house *house;
    struct budget_host *_Atomic host;
    unsigned limit;
    int listener;                            /* -1: down */
    struct actor actors[3][SCRIPT_MOST + 1]; /* by kind and number */
    unsigned came[3];                        /* the highest number that was there */
    size_t sent;
    unsigned fds_before;
    struct loop *main_loop;
    struct admin_wait waits[SCRIPT_MOST_WAITS]; /* of the admin's commands */
    unsigned wait_count, answered_count;
    struct secret_ask *asks; /* for secrets that only control/ could find out; oldest first */
    bool has_drained;
    bool has_failed;
};

extern const char script_kind_letters[];

/* --- script.c --- */
/* A has not read what it should have. */
void script_fail_showing(struct script *s, const struct actor *a, struct slice wanted);
const char *behind_word(const char *text); /* the next word of it */
bool begins_with_word(const char *text, const char *word);

/* --- stage.c --- */
void stage_set_limit(struct script *s);
/* s->config is what the scene's settings and entry say now. */
void stage_load(struct script *s);
void stage_listener_open(struct script *s);
void stage_listener_close(struct script *s);
/* The oldest of s->asks. */
void stage_answer_ask(struct script *s, enum secret_outcome outcome, const char *secret);

/* --- actors.c --- */
struct actor *script_actor_named(struct script *s, const char *name); /* `c1 …`; NULL: nobody */
void actor_join(struct actor *a, int fd);                             /* FD, adopted, is its socket */

/* --- verbs.c, directions.c: whether the line is theirs, and has been played --- */
bool verb_try_play(struct script *s, const char *line);
bool direction_try_play(struct script *s, const char *line);

#endif
