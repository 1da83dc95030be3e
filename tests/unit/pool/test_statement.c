/* test_statement.c - one statement for one text, however many workers meet it; and a registry that stays
 * within its bound. */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/pool/statement.h"

void suite_statement(void);

#define PLENTY (1024u * 1024u)
#define NO_TYPES "\0\0" /* behind the query's NUL: how many parameter types are given */
#define TAIL(query) slice_of(query "\0" NO_TYPES, sizeof(query) + 2)
#define NOWHERE slice_of(NULL, 0)

struct fixture {
    struct registry *registry;
    struct statement_cache cache;
    struct statement_cache other; /* another worker's */
};

static void
fixture_init(struct fixture *f, size_t registry_bytes, size_t cache_bytes)
{
    f->registry = registry_new(registry_bytes);
    statement_cache_init(&f->cache, f->registry, cache_bytes);
    statement_cache_init(&f->other, f->registry, cache_bytes);
}

/* Everything must have been dropped; what is kept in vain shows as bytes that are left. */
static void
fixture_fini(struct fixture *f)
{
    struct registry_totals totals;

    statement_cache_fini(&f->cache);
    statement_cache_fini(&f->other);
    registry_look(f->registry, &totals);
    CU_ASSERT_EQUAL(totals.statements, 0);
    CU_ASSERT_EQUAL(totals.bytes, 0);
    registry_free(f->registry);
}

static size_t
known(const struct fixture *f)
{
    struct registry_totals totals;

    registry_look(f->registry, &totals);
    return totals.statements;
}

static size_t
bytes_used(const struct fixture *f)
{
    struct registry_totals totals;

    registry_look(f->registry, &totals);
    return totals.bytes;
}

/* The I-th of many statements of one size. */
static struct statement *
take_number(struct statement_cache *cache, unsigned i)
{
    char tail[16] = { 0 };

    snprintf(tail, sizeof tail, "select %05u", i);
    return statement_take(cache, slice_of(tail, strlen(tail) + 3), NOWHERE);
}

/* What one of them costs. */
static size_t
cost_of_one(void)
{
    struct fixture f;
    size_t bytes;

    fixture_init(&f, PLENTY, 0);
    struct statement *st = take_number(&f.cache, 0);

    bytes = bytes_used(&f);
    statement_drop(st);
    fixture_fini(&f);
    return bytes;
}

/* Meets the I-th, and keeps no reference. */
static uint64_t
meet(struct statement_cache *cache, unsigned i)
{
    struct statement *st = take_number(cache, i);
    uint64_t id = st == NULL ? 0 : st->id;

    statement_drop(st);
    return id;
}

/* --- one statement for one text --- */

static void
the_same_text_is_one_statement(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    struct statement *a = statement_take(&f.cache, TAIL("select 1"), NOWHERE);
    struct statement *b = statement_take(&f.cache, TAIL("select 1"), NOWHERE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_EQUAL(known(&f), 1);
    CU_ASSERT_TRUE(slice_equal(statement_tail(a), TAIL("select 1")));
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
workers_share_a_statement(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    struct statement *a = statement_take(&f.cache, TAIL("select 1"), slice_of_text("app"));
    struct statement *b = statement_take(&f.other, TAIL("select 1"), slice_of_text("app"));

    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_EQUAL(known(&f), 1);
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
another_text_type_or_scope_is_another_statement(void)
{
    static const uint8_t int4[] = { 's', 0, 0, 1, 0, 0, 0, 23 };
    static const uint8_t text[] = { 's', 0, 0, 1, 0, 0, 0, 25 };
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    struct statement *all[] = {
        statement_take(&f.cache, TAIL("s"), NOWHERE),
        statement_take(&f.cache, TAIL("S"), NOWHERE),
        statement_take(&f.cache, TAIL("s"), slice_of_text("app")),
        statement_take(&f.cache, TAIL("s"), slice_of_text("App")),
        statement_take(&f.cache, slice_of(int4, sizeof int4), NOWHERE),
        statement_take(&f.cache, slice_of(text, sizeof text), NOWHERE),
        /* All bytes of int4, but its type is a scope here. */
        statement_take(&f.cache, slice_of(int4, 4), slice_of(int4 + 4, 4)),
    };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t j = 0; j < i; j++)
            CU_ASSERT_PTR_NOT_EQUAL(all[i], all[j]);
    CU_ASSERT_EQUAL(known(&f), COUNT_OF(all));
    for (size_t i = 0; i < COUNT_OF(all); i++)
        statement_drop(all[i]);
    fixture_fini(&f);
}

static void
the_text_is_copied(void)
{
    char tail[] = "select 1\0" NO_TYPES;
    char scope[] = "app";
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    struct statement *a = statement_take(&f.cache, slice_of(tail, sizeof tail - 1), slice_of_text(scope));

    memset(tail, 'x', sizeof tail);
    memset(scope, 'x', sizeof scope);
    struct statement *b = statement_take(&f.other, TAIL("select 1"), slice_of_text("app"));

    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_TRUE(slice_equal(statement_tail(a), TAIL("select 1")));
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

/* --- names --- */

static void
a_statement_is_named_after_its_id(void)
{
    struct fixture f;
    char name[64];

    fixture_init(&f, PLENTY, PLENTY);
    for (unsigned i = 0; i < 12; i++) {
        struct statement *st = take_number(&f.cache, i);

        snprintf(name, sizeof name, "pgweir_%llu", (unsigned long long)st->id);
        CU_ASSERT_STRING_EQUAL(st->name, name);
        CU_ASSERT_EQUAL(st->name_len, strlen(name) + 1);
        statement_drop(st);
    }
    fixture_fini(&f);
}

static void
the_longest_name_has_room(void)
{
    CU_ASSERT_TRUE(sizeof "pgweir_18446744073709551615" <= STATEMENT_NAME_BYTES);
}

static void
an_id_is_never_used_twice(void)
{
    struct fixture f;
    uint64_t last = 0;

    fixture_init(&f, PLENTY, 0); /* nobody remembers what was dropped */
    for (unsigned i = 0; i < 10; i++) {
        uint64_t id = meet(&f.cache, 0);

        CU_ASSERT_TRUE(id > last);
        CU_ASSERT_EQUAL(known(&f), 0);
        last = id;
    }
    fixture_fini(&f);
}

/* --- references --- */

static void
a_statement_lives_until_its_last_reference_goes(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, 0);
    struct statement *st = take_number(&f.cache, 1);

    CU_ASSERT_PTR_EQUAL(statement_hold(st), st);
    statement_drop(st);
    CU_ASSERT_EQUAL(known(&f), 1);
    CU_ASSERT_STRING_EQUAL((const char *)statement_tail(st).at, "select 00001");
    statement_drop(st);
    CU_ASSERT_EQUAL(known(&f), 0);
    CU_ASSERT_EQUAL(bytes_used(&f), 0);
    fixture_fini(&f);
}

static void
nothing_can_be_held_and_dropped(void)
{
    CU_ASSERT_PTR_NULL(statement_hold(NULL));
    statement_drop(NULL);
    registry_free(NULL);
}

/* --- the bound --- */

static void
a_parse_that_would_go_over_the_bound_is_refused(void)
{
    struct fixture f;

    fixture_init(&f, 2 * cost_of_one(), 0);
    struct statement *a = take_number(&f.cache, 1);
    struct statement *b = take_number(&f.cache, 2);

    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_NOT_NULL(b);
    CU_ASSERT_PTR_NULL(take_number(&f.cache, 3));
    CU_ASSERT_EQUAL(known(&f), 2);
    CU_ASSERT_EQUAL(bytes_used(&f), 2 * cost_of_one());
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
one_byte_less_than_needed_is_too_little(void)
{
    struct fixture f;

    fixture_init(&f, cost_of_one() - 1, PLENTY);
    CU_ASSERT_PTR_NULL(take_number(&f.cache, 1));
    CU_ASSERT_EQUAL(bytes_used(&f), 0);
    fixture_fini(&f);
}

static void
what_is_known_is_found_although_the_bound_is_reached(void)
{
    struct fixture f;

    fixture_init(&f, cost_of_one(), 0);
    struct statement *a = take_number(&f.cache, 1);
    struct statement *b = take_number(&f.other, 1);

    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_PTR_NULL(take_number(&f.cache, 2));
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
what_is_dropped_makes_room(void)
{
    struct fixture f;

    fixture_init(&f, cost_of_one(), 0);
    struct statement *a = take_number(&f.cache, 1);

    CU_ASSERT_PTR_NULL(take_number(&f.cache, 2));
    statement_drop(a);
    a = take_number(&f.cache, 2);
    CU_ASSERT_PTR_NOT_NULL(a);
    statement_drop(a);
    fixture_fini(&f);
}

static void
what_only_the_own_cache_keeps_makes_room(void)
{
    struct fixture f;

    fixture_init(&f, 3 * cost_of_one(), PLENTY);
    struct statement *used = take_number(&f.cache, 1);

    (void)meet(&f.cache, 2);
    (void)meet(&f.cache, 3);
    CU_ASSERT_EQUAL(known(&f), 3);
    struct statement *a = take_number(&f.cache, 4);
    struct statement *b = take_number(&f.cache, 5);

    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_NOT_NULL(b);
    CU_ASSERT_EQUAL(known(&f), 3);
    CU_ASSERT_PTR_NULL(take_number(&f.cache, 6)); /* now all three are in use */
    CU_ASSERT_EQUAL(known(&f), 3);
    statement_drop(used);
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
the_bound_can_be_moved_while_statements_are_in_use(void)
{
    struct fixture f;
    struct registry_totals totals;

    fixture_init(&f, 2 * cost_of_one(), 0);
    struct statement *a = take_number(&f.cache, 1);
    struct statement *b = take_number(&f.cache, 2);

    registry_set_bound(f.registry, cost_of_one());
    registry_look(f.registry, &totals);
    CU_ASSERT_EQUAL(totals.most_bytes, cost_of_one());
    CU_ASSERT_EQUAL(totals.statements, 2);
    statement_drop(a);
    CU_ASSERT_PTR_NULL(take_number(&f.cache, 3)); /* one is there, and one is what may be there */
    registry_set_bound(f.registry, 2 * cost_of_one());
    a = take_number(&f.cache, 3);
    CU_ASSERT_PTR_NOT_NULL(a);
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

/* --- a worker's cache --- */

static void
what_was_met_lately_is_kept_without_a_user(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    uint64_t id = meet(&f.cache, 1);

    CU_ASSERT_EQUAL(known(&f), 1);
    CU_ASSERT_EQUAL(meet(&f.cache, 1), id);
    CU_ASSERT_EQUAL(meet(&f.other, 1), id);
    fixture_fini(&f);
}

static void
the_longest_not_met_is_forgotten_first(void)
{
    struct fixture f;
    uint64_t ids[4];

    fixture_init(&f, PLENTY, 3 * cost_of_one());
    for (unsigned i = 0; i < 3; i++)
        ids[i] = meet(&f.cache, i);
    CU_ASSERT_EQUAL(meet(&f.cache, 0), ids[0]); /* now 1 is the oldest */
    ids[3] = meet(&f.cache, 3);
    CU_ASSERT_EQUAL(known(&f), 3);
    CU_ASSERT_EQUAL(meet(&f.cache, 0), ids[0]);
    CU_ASSERT_EQUAL(meet(&f.cache, 2), ids[2]);
    CU_ASSERT_EQUAL(meet(&f.cache, 3), ids[3]);
    CU_ASSERT_NOT_EQUAL(meet(&f.cache, 1), ids[1]);
    fixture_fini(&f);
}

static void
what_the_cache_forgets_stays_while_it_is_in_use(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, cost_of_one());
    struct statement *a = take_number(&f.cache, 1);

    (void)meet(&f.cache, 2);
    CU_ASSERT_EQUAL(known(&f), 2);
    struct statement *b = take_number(&f.cache, 1);

    CU_ASSERT_PTR_EQUAL(a, b);
    CU_ASSERT_EQUAL(known(&f), 1); /* 2 made way for it */
    statement_drop(a);
    statement_drop(b);
    fixture_fini(&f);
}

static void
one_that_is_larger_than_the_cache_does_not_drive_the_others_out(void)
{
    size_t large = 3 * cost_of_one() + 3;
    char *query = mem_new(large);
    struct fixture f;
    uint64_t ids[2];

    memset(query, 'x', large - 3);
    fixture_init(&f, PLENTY, 2 * cost_of_one());
    ids[0] = meet(&f.cache, 0);
    ids[1] = meet(&f.cache, 1);
    struct statement *st = statement_take(&f.cache, slice_of(query, large), NOWHERE);

    CU_ASSERT_PTR_NOT_NULL(st);
    CU_ASSERT_EQUAL(known(&f), 3);
    statement_drop(st);
    CU_ASSERT_EQUAL(known(&f), 2); /* it was not kept */
    CU_ASSERT_EQUAL(meet(&f.cache, 0), ids[0]);
    CU_ASSERT_EQUAL(meet(&f.cache, 1), ids[1]);
    fixture_fini(&f);
    free(query);
}

static void
a_cache_that_ends_keeps_nothing(void)
{
    struct fixture f;

    fixture_init(&f, PLENTY, PLENTY);
    for (unsigned i = 0; i < 100; i++)
        (void)meet(&f.cache, i);
    CU_ASSERT_EQUAL(known(&f), 100);
    statement_cache_fini(&f.cache);
    CU_ASSERT_EQUAL(known(&f), 0);
    statement_cache_init(&f.cache, f.registry, PLENTY);
    fixture_fini(&f);
}

/* --- threads --- */

#define THREADS 4
#define TURNS 5000
#define TEXTS 6

struct crowd { /* a worker */
    struct registry *registry;
    const struct statement *kept; /* number 0; main holds it */
    unsigned seed;
    unsigned strangers; /* statements of that text that are not it, or of another text than asked for */
};

static void *
run_crowd(void *arg)
{
    struct crowd *c = arg;
    struct statement_cache cache;
    struct statement *held[TEXTS] = { NULL };
    uint64_t random = c->seed;

    statement_cache_init(&cache, c->registry, 3 * (sizeof(struct statement) + 80));
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned i = (unsigned)(random_next(&random) % TEXTS);
        struct statement *st = take_number(&cache, i);
        char text[16];

        snprintf(text, sizeof text, "select %05u", i);
        c->strangers += st == NULL || strcmp((const char *)st->bytes, text) != 0;
        c->strangers += i == 0 && st != c->kept;
        statement_drop(held[i]);
        held[i] = random_next(&random) % 2 == 0 ? statement_hold(st) : NULL;
        statement_drop(st);
    }
    for (unsigned i = 0; i < TEXTS; i++)
        statement_drop(held[i]);
    statement_cache_fini(&cache);
    return NULL;
}

static void
workers_that_take_and_drop_the_same_texts_share_them(void)
{
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    struct fixture f;

    fixture_init(&f, PLENTY, 0);
    struct statement *kept = take_number(&f.cache, 0);

    for (unsigned i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .registry = f.registry, .kept = kept, .seed = i + 1 };
        pthread_create(&threads[i], NULL, run_crowd, &crowds[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(crowds[i].strangers, 0);
    }
    CU_ASSERT_EQUAL(known(&f), 1);
    statement_drop(kept);
    fixture_fini(&f);
}

static void
what_a_text_may_do_is_found_out_once(void)
{
    struct fixture f;
    struct statement *plain, *wipes, *quoted;
    struct sql_findings found;

    fixture_init(&f, PLENTY, PLENTY);
    plain = statement_take(&f.cache, TAIL("select 'deallocate all'"), NOWHERE);
    wipes = statement_take(&f.cache, TAIL("begin; /* so */ Deallocate \"A b\""), NOWHERE);
    quoted = statement_take(&f.cache, TAIL("select '\\'; discard all; --'"), NOWHERE);
    CU_ASSERT_EQUAL(plain->findings, 0);
    CU_ASSERT_EQUAL(wipes->findings, SQL_BEGIN | SQL_DEALLOCATE);
    CU_ASSERT((quoted->findings & SQL_DISCARDS_ALL) != 0);
    statement_look(wipes, true, &found);
    CU_ASSERT_EQUAL(found.flags, wipes->findings);
    CU_ASSERT_STRING_EQUAL(found.named[0].name, "A b");
    CU_ASSERT_EQUAL(statement_text(plain).len, strlen("select 'deallocate all'"));
    statement_drop(plain);
    statement_drop(wipes);
    statement_drop(quoted);
    fixture_fini(&f);
}

struct listing {
    uint64_t ids[16];
    uint64_t calls; /* of all */
    size_t count;
};

static void
note(void *arg, const struct statement *s)
{
    struct listing *l = arg;

    l->ids[l->count++] = s->id;
    l->calls += atomic_load(&((struct statement *)(uintptr_t)s)->calls);
}

static void
the_registry_is_listed_in_batches(void)
{
    struct fixture f;
    struct statement *kept[10];
    struct statement *after = NULL;
    struct listing l = { .count = 0 };
    uint64_t calls = 0;
    char query[40];

    fixture_init(&f, PLENTY, 0);
    for (unsigned i = 0; i < COUNT_OF(kept); i++) {
        int len = snprintf(query, sizeof query, "select %u", i);

        memset(query + len, 0, 3);
        kept[i] = statement_take(&f.cache, slice_of(query, (size_t)len + 3), NOWHERE);
    }
    for (unsigned i = 0; i < 70; i++)
        statement_count_call(kept[0], &calls);
    after = registry_list(f.registry, NULL, 3, note, &l);
    CU_ASSERT_EQUAL(l.count, 3);
    CU_ASSERT_EQUAL(l.calls, 64);
    statement_drop(kept[2]); /* what goes meanwhile, the last one told included, does not disturb */
    statement_drop(kept[5]);
    while (after != NULL)
        after = registry_list(f.registry, after, 3, note, &l);
    CU_ASSERT_EQUAL(l.count, 9);
    for (size_t i = 0; i < l.count; i++)
        CU_ASSERT_EQUAL(l.ids[i], i + 1 + (i >= 5));
    for (unsigned i = 0; i < COUNT_OF(kept); i++)
        if (i != 2 && i != 5)
            statement_drop(kept[i]);
    fixture_fini(&f);
}

void
suite_statement(void)
{
    CU_pSuite suite = CU_add_suite("statement", NULL, NULL);

    CU_ADD_TEST(suite, the_same_text_is_one_statement);
    CU_ADD_TEST(suite, workers_share_a_statement);
    CU_ADD_TEST(suite, another_text_type_or_scope_is_another_statement);
    CU_ADD_TEST(suite, the_text_is_copied);
    CU_ADD_TEST(suite, a_statement_is_named_after_its_id);
    CU_ADD_TEST(suite, the_longest_name_has_room);
    CU_ADD_TEST(suite, an_id_is_never_used_twice);
    CU_ADD_TEST(suite, a_statement_lives_until_its_last_reference_goes);
    CU_ADD_TEST(suite, nothing_can_be_held_and_dropped);
    CU_ADD_TEST(suite, a_parse_that_would_go_over_the_bound_is_refused);
    CU_ADD_TEST(suite, one_byte_less_than_needed_is_too_little);
    CU_ADD_TEST(suite, what_is_known_is_found_although_the_bound_is_reached);
    CU_ADD_TEST(suite, what_is_dropped_makes_room);
    CU_ADD_TEST(suite, what_only_the_own_cache_keeps_makes_room);
    CU_ADD_TEST(suite, the_bound_can_be_moved_while_statements_are_in_use);
    CU_ADD_TEST(suite, what_was_met_lately_is_kept_without_a_user);
    CU_ADD_TEST(suite, the_longest_not_met_is_forgotten_first);
    CU_ADD_TEST(suite, what_the_cache_forgets_stays_while_it_is_in_use);
    CU_ADD_TEST(suite, one_that_is_larger_than_the_cache_does_not_drive_the_others_out);
    CU_ADD_TEST(suite, a_cache_that_ends_keeps_nothing);
    CU_ADD_TEST(suite, workers_that_take_and_drop_the_same_texts_share_them);
    CU_ADD_TEST(suite, the_registry_is_listed_in_batches);
    CU_ADD_TEST(suite, what_a_text_may_do_is_found_out_once);
}
