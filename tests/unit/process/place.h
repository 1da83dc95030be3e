/* place.h - a temporary directory, and a child process to try irrevocable things in. */
#ifndef PGWEIR_TESTS_PROCESS_PLACE_H
#define PGWEIR_TESTS_PROCESS_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

struct place {
    char dir[32];
};

void place_init(struct place *p); /* any user may write there */
void place_fini(struct place *p); /* with the files in it */
/* DIR/NAME; good until the call after the next. */
const char *place_path(const struct place *p, const char *name);
void place_write(const struct place *p, const char *name, const char *text);
/* What NAME holds, "" when there is no such file; the caller frees it. */
char *place_read(const struct place *p, const char *name);
bool place_has(const struct place *p, const char *name);

/* Runs BODY in a child, which exits with its result. */
pid_t start_child(int (*body)(void *arg), void *arg);
/* Its exit code, or minus the signal that ended it. */
int await_child(pid_t child);
int run_child(int (*body)(void *arg), void *arg);

/* Looks every millisecond, for ten seconds at the most. */
bool comes_true(bool (*look)(void *arg), void *arg);

#endif
