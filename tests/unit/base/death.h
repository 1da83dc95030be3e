/* death.h - for tests of calls that end the process on purpose. */
#ifndef PGWEIR_TESTS_UNIT_BASE_DEATH_H
#define PGWEIR_TESTS_UNIT_BASE_DEATH_H

#include <stdbool.h>

#ifdef NDEBUG
#define DEATH_BY_ASSERT false /* a release build has no assert() to test */
#else
#define DEATH_BY_ASSERT true
#endif

/* Whether ACT, run in a child process, aborts after having said WORDS on stderr. */
bool death_comes_with(void (*act)(void), const char *words);

#endif
