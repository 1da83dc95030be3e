#include <string.h>

#include <CUnit/CUnit.h>

#include "config/connstr_impl.h"
#include "pgweir/base/mem.h"

void suite_connstr(void);

#define PAIRS_MOST 8

struct taken {
    char *text;
    struct connstr_pair pairs[PAIRS_MOST];
    unsigned count;
    enum connstr_step last;
    struct error why;
};

static void
taken_init(struct taken *t, const char *text)
{
    char *at;

    *t = (struct taken){ .text = mem_text(text) };
    at = t->text;
    while ((t->last = connstr_next(&at, &t->pairs[t->count], &t->why)) == CONNSTR_PAIR &&
           t->count + 1 < PAIRS_MOST)
        t->count++;
}

static void
taken_fini(struct taken *t)
{
    mem_free_secret(t->text);
}

static bool
is_pair(const struct taken *t, unsigned index, const char *key, const char *value)
{
    return index < t->count && strcmp(t->pairs[index].key, key) == 0 &&
           strcmp(t->pairs[index].value, value) == 0;
}

/* Whether TEXT is refused with a reason that begins with WHY. */
static bool
is_refused(const char *text, const char *why)
{
    struct taken t;
    bool is_as_expected;

    taken_init(&t, text);
    is_as_expected = t.last == CONNSTR_BAD && strncmp(t.why.text, why, strlen(why)) == 0;
    taken_fini(&t);
    return is_as_expected;
}

static void
pairs_are_separated_by_blanks(void)
{
    struct taken t;

    taken_init(&t, "  host=10.0.0.1 port=5432\t dbname=app  ");
    CU_ASSERT_EQUAL(t.last, CONNSTR_END);
    CU_ASSERT_EQUAL(t.count, 3);
    CU_ASSERT_TRUE(is_pair(&t, 0, "host", "10.0.0.1"));
    CU_ASSERT_TRUE(is_pair(&t, 1, "port", "5432"));
    CU_ASSERT_TRUE(is_pair(&t, 2, "dbname", "app"));
    taken_fini(&t);
}

static void
blanks_may_stand_round_the_equals_sign(void)
{
    struct taken t;

    taken_init(&t, "a =1 b= 2 c = 3 d\t=\t'4'");
    CU_ASSERT_EQUAL(t.count, 4);
    CU_ASSERT_TRUE(is_pair(&t, 0, "a", "1"));
    CU_ASSERT_TRUE(is_pair(&t, 1, "b", "2"));
    CU_ASSERT_TRUE(is_pair(&t, 2, "c", "3"));
    CU_ASSERT_TRUE(is_pair(&t, 3, "d", "4"));
    taken_fini(&t);
}

static void
quoted_values_hold_anything(void)
{
    struct taken t;

    taken_init(&t, "a='it''s' b=\"say \"\"hi\"\"\" c=' ; # = ' d='\"' e=\"'\" f='''' g='x'");
    CU_ASSERT_EQUAL(t.last, CONNSTR_END);
    CU_ASSERT_TRUE(is_pair(&t, 0, "a", "it's"));
    CU_ASSERT_TRUE(is_pair(&t, 1, "b", "say \"hi\""));
    CU_ASSERT_TRUE(is_pair(&t, 2, "c", " ; # = "));
    CU_ASSERT_TRUE(is_pair(&t, 3, "d", "\""));
    CU_ASSERT_TRUE(is_pair(&t, 4, "e", "'"));
    CU_ASSERT_TRUE(is_pair(&t, 5, "f", "'"));
    CU_ASSERT_TRUE(is_pair(&t, 6, "g", "x"));
    taken_fini(&t);
}

static void
unquoted_values_hold_anything_but_blanks(void)
{
    struct taken t;

    taken_init(&t, "password=a;b#c=d'e\\\" host=::1");
    CU_ASSERT_TRUE(is_pair(&t, 0, "password", "a;b#c=d'e\\\""));
    CU_ASSERT_TRUE(is_pair(&t, 1, "host", "::1"));
    taken_fini(&t);
}

static void
nothing_is_no_pair(void)
{
    struct taken t;

    taken_init(&t, " \t ");
    CU_ASSERT_EQUAL(t.last, CONNSTR_END);
    CU_ASSERT_EQUAL(t.count, 0);
    taken_fini(&t);
}

static void
what_is_no_pair_is_refused_with_a_reason(void)
{
    CU_ASSERT_TRUE(is_refused("host", "expected `key=value` pairs"));
    CU_ASSERT_TRUE(is_refused("a=1 host", "expected `key=value` pairs"));
    CU_ASSERT_TRUE(is_refused("=1", "a value without a key"));
    CU_ASSERT_TRUE(is_refused("host=", "`host` has no value"));
    CU_ASSERT_TRUE(is_refused("host=  ", "`host` has no value"));
    CU_ASSERT_TRUE(is_refused("host=''", "`host` has no value"));
    CU_ASSERT_TRUE(is_refused("host=\"\"", "`host` has no value"));
    CU_ASSERT_TRUE(is_refused("host='", "the quote in the value of `host` is not closed"));
    CU_ASSERT_TRUE(is_refused("host='a''", "the quote in the value of `host` is not closed"));
    CU_ASSERT_TRUE(is_refused("host='a\"", "the quote in the value of `host` is not closed"));
    CU_ASSERT_TRUE(is_refused("host='a'b", "text follows the quoted value of `host`"));
    CU_ASSERT_TRUE(is_refused("host='a'port=1", "text follows the quoted value of `host`"));
}

static void
a_refusal_never_repeats_a_value(void)
{
    static const char *const texts[] = { "password=top secret", "password='secret", "password='s'secret",
                                         "password='secret''" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct taken t;

        taken_init(&t, texts[i]);
        CU_ASSERT_EQUAL(t.last, CONNSTR_BAD);
        CU_ASSERT_PTR_NULL(strstr(t.why.text, "secret"));
        taken_fini(&t);
    }
}

void
suite_connstr(void)
{
    CU_pSuite suite = CU_add_suite("connstr", NULL, NULL);

    CU_ADD_TEST(suite, pairs_are_separated_by_blanks);
    CU_ADD_TEST(suite, blanks_may_stand_round_the_equals_sign);
    CU_ADD_TEST(suite, quoted_values_hold_anything);
    CU_ADD_TEST(suite, unquoted_values_hold_anything_but_blanks);
    CU_ADD_TEST(suite, nothing_is_no_pair);
    CU_ADD_TEST(suite, what_is_no_pair_is_refused_with_a_reason);
    CU_ADD_TEST(suite, a_refusal_never_repeats_a_value);
}
