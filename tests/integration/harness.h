/*
 * harness.h - what every integration test stands on: suites, waiting for things no longer than they take,
 * texts; and with them PostgreSQL servers (pg.h), pgweir instances (weir.h) and clients (client.h).
 *
 *     PGWEIR_BIN            the binary under test (default build/dev/pgweir)
 *     PG_BIN_DIR            PostgreSQL's programs (default: what tests/lib/pg.sh finds)
 *     PGWEIR_TEST_DIRECT=1  every "pgweir" is PostgreSQL itself: what a test expects of a pooler that cannot
 *                           be told from PostgreSQL must hold there too. For writing tests; only some suites
 *                           make sense so.
 *     PGWEIR_TEST_LOGS=1    print the log of every pgweir at the end, not only those of failed tests
 *
 * Run from the top of the source tree. Servers and instances start at first use and are shared: a PostgreSQL
 * for the whole run, a pgweir for the rest of the suite. A test that fails prints what its pgweirs logged
 * meanwhile.
 */
#ifndef PGWEIR_TESTS_HARNESS_H
#define PGWEIR_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

#include "client.h"
#include "pg.h"
#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"
#include "weir.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HARNESS_SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARNESS_SANITIZED true
#endif
#ifndef HARNESS_SANITIZED
#define HARNESS_SANITIZED false /* memory and system calls are those of the program itself */
#endif

/* Sanitizers make everything slow, and find what they find in a quarter of the work. */
#define WORK(amount) (HARNESS_SANITIZED ? (amount) / 4 : (amount))

/* --- suites --- */

struct test_case {
    const char *name; /* a sentence, with underscores */
    void (*run)(void);
};
/* clang-format off */
#define TEST(function) { #function, function }
/* clang-format on */
#define SUITE(title, cases) suite_add(title, cases, COUNT_OF(cases))
/* Registers a CUnit suite whose pgweir instances end with it; an instance that ends badly fails the suite. */
void suite_add(const char *title, const struct test_case *cases, size_t count);
/* Prints why a test proves nothing on this machine; the test returns after it. */
void test_skip(const char *why);

/* --- waiting --- */

#define WAIT_MS 20000 /* for what must happen: far more than it takes, even under a sanitizer */

struct patience {
    uint64_t until_ms;
    bool is_over;
};
struct patience patience_new(void);
bool patience_nap(struct patience *p); /* a few milliseconds; false when WAIT_MS are over */
uint64_t now_ms(void);

/* Asserts that CONDITION holds before long. */
#define EVENTUALLY(condition)                                                                           \
    do {                                                                                                \
        struct patience patience_ = patience_new();                                                     \
        bool held_;                                                                                     \
        while (!(held_ = (condition)) && patience_nap(&patience_))                                      \
            continue;                                                                                   \
        CU_assertImplementation(held_, __LINE__, "EVENTUALLY(" #condition ")", __FILE__, "", CU_FALSE); \
    } while (0)

/* --- texts --- */

/* A text with printf's rules that is good until some hundred calls later. */
const char *text(const char *format, ...) PRINTF_LIKE(1, 2);
int number(const char *told); /* -1 when it is none */
#define BEGINS(text, beginning) (strncmp(text, beginning, strlen(beginning)) == 0)
#define HAS(text, part) (strstr(text, part) != NULL)
/* CU_ASSERT_STRING_EQUAL, which also prints what came instead. */
#define SAYS(actual, expected) says(actual, expected, __LINE__, __FILE__)
#define CONTAINS(actual, expected) contains(actual, expected, __LINE__, __FILE__)
void says(const char *actual, const char *expected, unsigned line, const char *file);
void contains(const char *actual, const char *expected, unsigned line, const char *file);

#endif
