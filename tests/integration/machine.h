/*
 * machine.h - what the tests need of the machine that they run on: other programs, files, free ports, a place
 * to work in.
 */
#ifndef PGWEIR_TESTS_MACHINE_H
#define PGWEIR_TESTS_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"

/* A directory of this run, which goes away with it. */
const char *run_dir(void);

/* Runs the program that WORDS (NULL-terminated) begin with, looked up in PG_BIN_DIR, then in PATH; both of
 * its outputs are appended to OUT (NULL: dropped). Returns its exit code, or -1. */
int run(struct buf *out, const char *stdin_text, const char *const *words);
pid_t run_start(const char *output_file, const char *const *words); /* in the background; -1 */
int run_wait(pid_t pid);
bool program_exists(const char *name);

char *file_text(const char *path); /* owned by the caller; "" when there is no such file */
void file_write(const char *path, struct slice content);
/* The same, with rights MODE: for a program, or a file that another user reads. */
void file_write_mode(const char *path, const char *content, mode_t mode);
unsigned free_port(void);

/* Ends the run with a message. */
void die(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
