/* must.h - assert() for fuzz harnesses: never compiled out. */
#ifndef PGWEIR_TESTS_FUZZ_MUST_H
#define PGWEIR_TESTS_FUZZ_MUST_H

#include <stdlib.h>

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#endif
