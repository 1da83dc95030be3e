#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "config/option_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/config/settings.h"

void suite_option(void);

static const struct option seconds = { .name = "t", .type = OPT_DURATION, .unit = "s" };
static const struct option milliseconds = { .name = "t", .type = OPT_DURATION, .unit = "ms" };
static const struct option minutes = { .name = "t", .type = OPT_DURATION, .unit = "min" };
static const struct option count = { .name = "n", .type = OPT_COUNT };
static const struct option bytes = { .name = "b", .type = OPT_BYTES };
static const struct option flag = { .name = "f", .type = OPT_BOOL };
static const struct option share = { .name = "s", .type = OPT_SHARE };
static const struct option fraction = { .name = "f", .type = OPT_FRACTION };
static const struct option auto_count = { .name = "a", .type = OPT_AUTO_COUNT, .least = "1", .most = "100" };

static uint64_t
amount_of(const struct option *o, const char *text)
{
    uint64_t slot = 77;

    CU_ASSERT_EQUAL(option_parse(o, text, &slot, NULL), ERR_NONE);
    return slot;
}

static unsigned
count_of(const struct option *o, const char *text)
{
    unsigned slot = 77;

    CU_ASSERT_EQUAL(option_parse(o, text, &slot, NULL), ERR_NONE);
    return slot;
}

/* Whether TEXT is refused with EXPECTED, a reason that quotes it, and without a trace in the slot. */
static bool
is_refused(const struct option *o, const char *text, enum err expected)
{
    unsigned char slot[32], before[32];
    struct error why = { 0 };
    enum err e;

    memset(slot, 0, sizeof(slot));
    memcpy(before, slot, sizeof(slot));
    e = option_parse(o, text, slot, &why);
    return e == expected && why.code == expected && strchr(why.text, '`') != NULL &&
           memcmp(slot, before, sizeof(slot)) == 0;
}

static const char *
shown(const struct option *o, const void *slot)
{
    static char text[128];

    option_show(o, slot, text, sizeof(text));
    return text;
}

static void
durations_are_bare_numbers_or_have_units(void)
{
    CU_ASSERT_EQUAL(amount_of(&seconds, "30"), 30000000);
    CU_ASSERT_EQUAL(amount_of(&milliseconds, "30"), 30000);
    CU_ASSERT_EQUAL(amount_of(&seconds, "0"), 0);
    CU_ASSERT_EQUAL(amount_of(&seconds, "30s"), 30000000);
    CU_ASSERT_EQUAL(amount_of(&milliseconds, "30s"), 30000000);
    CU_ASSERT_EQUAL(amount_of(&seconds, "200ms"), 200000);
    CU_ASSERT_EQUAL(amount_of(&seconds, "7us"), 7);
    CU_ASSERT_EQUAL(amount_of(&seconds, "5min"), UINT64_C(300000000));
    CU_ASSERT_EQUAL(amount_of(&seconds, "2h"), UINT64_C(7200000000));
    CU_ASSERT_EQUAL(amount_of(&seconds, "1 d"), UINT64_C(86400000000));
    CU_ASSERT_EQUAL(amount_of(&seconds, "5MIN"), UINT64_C(300000000));
    CU_ASSERT_EQUAL(amount_of(&seconds, "+5"), 5000000);
}

static void
durations_may_have_fractions(void)
{
    CU_ASSERT_EQUAL(amount_of(&seconds, "0.5"), 500000);
    CU_ASSERT_EQUAL(amount_of(&seconds, ".25"), 250000);
    CU_ASSERT_EQUAL(amount_of(&seconds, "3."), 3000000);
    CU_ASSERT_EQUAL(amount_of(&seconds, "1.5min"), 90000000);
    CU_ASSERT_EQUAL(amount_of(&milliseconds, "0.001"), 1);
}

static void
a_duration_that_is_not_nothing_is_never_rounded_to_nothing(void)
{
    CU_ASSERT_EQUAL(amount_of(&seconds, "0.0000001"), 1);
    CU_ASSERT_EQUAL(amount_of(&seconds, "0.000000000000000000000001"), 1);
    CU_ASSERT_EQUAL(amount_of(&seconds, "0.1us"), 1);
    CU_ASSERT_EQUAL(amount_of(&seconds, "0.0000000"), 0);
}

static void
durations_are_not_negative_nor_endless_nor_words(void)
{
    static const char *const garbage[] = { "",     "s",     "five", "5x",  "5 parsecs", "1e3",
                                           "0x10", "5m",    "5,5",  ".",   "5s5s",      "- 5",
                                           "--5",  "1.2.3", "inf",  "nan", "5 s s" };

    CU_ASSERT_TRUE(is_refused(&seconds, "-1", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&seconds, "-0.5s", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&seconds, "10000000001", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&seconds, "18446744073709551615", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&seconds, "18446744073709551616", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&seconds, "99999999999999999999999999999999999999d", ERR_LIMIT));
    for (size_t i = 0; i < COUNT_OF(garbage); i++)
        CU_ASSERT_TRUE(is_refused(&seconds, garbage[i], ERR_SYNTAX));
}

static void
counts_are_written_as_in_c(void)
{
    CU_ASSERT_EQUAL(count_of(&count, "0"), 0);
    CU_ASSERT_EQUAL(count_of(&count, "20"), 20);
    CU_ASSERT_EQUAL(count_of(&count, "0777"), 511);
    CU_ASSERT_EQUAL(count_of(&count, "0x1fF"), 511);
    CU_ASSERT_EQUAL(count_of(&count, "4294967295"), 4294967295u);
}

static void
counts_are_whole_not_negative_and_fit(void)
{
    static const char *const garbage[] = {
        "", "x", "5x", "5 5", "5.0", "0x", "08", " 5", "+5", "- 5", "20s"
    };

    for (size_t i = 0; i < COUNT_OF(garbage); i++)
        CU_ASSERT_TRUE(is_refused(&count, garbage[i], ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&count, "-1", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&count, "4294967296", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&count, "99999999999999999999999999", ERR_LIMIT));
}

static void
a_number_below_the_least_or_above_the_most_is_told_the_range(void)
{
    const struct option port = { .name = "port", .type = OPT_COUNT, .least = "1", .most = "65535" };
    const struct option period = { .name = "p", .type = OPT_DURATION, .unit = "s", .least = "1" };
    struct error why;
    unsigned n = 5;
    uint64_t us = 5;

    CU_ASSERT_EQUAL(option_parse(&port, "65536", &n, &why), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(why.text, "`65536` is out of range: 1 to 65535");
    CU_ASSERT_EQUAL(option_parse(&port, "0", &n, &why), ERR_LIMIT);
    CU_ASSERT_EQUAL(n, 5);
    CU_ASSERT_EQUAL(option_parse(&period, "999ms", &us, &why), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(why.text, "`999ms` is out of range: at least 1s");
    CU_ASSERT_EQUAL(us, 5);
    CU_ASSERT_EQUAL(amount_of(&period, "1s"), 1000000);
    CU_ASSERT_EQUAL(count_of(&port, "0xffff"), 65535);
}

static void
sizes_have_powers_of_1024(void)
{
    CU_ASSERT_EQUAL(amount_of(&bytes, "65536"), 65536);
    CU_ASSERT_EQUAL(amount_of(&bytes, "64kB"), 65536);
    CU_ASSERT_EQUAL(amount_of(&bytes, "1 MB"), 1048576);
    CU_ASSERT_EQUAL(amount_of(&bytes, "1.5GB"), UINT64_C(1610612736));
    CU_ASSERT_EQUAL(amount_of(&bytes, "2TB"), UINT64_C(2199023255552));
    CU_ASSERT_EQUAL(amount_of(&bytes, "10b"), 10);
    CU_ASSERT_TRUE(is_refused(&bytes, "1PB", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&bytes, "-1", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&bytes, "99999999TB", ERR_LIMIT));
}

static void
yes_and_no_have_four_words_each(void)
{
    static const char *const yes[] = { "1", "on", "yes", "true", "ON", "True" };
    static const char *const no[] = { "0", "off", "no", "false", "NO" };
    bool is_on;

    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        is_on = false;
        CU_ASSERT_EQUAL(option_parse(&flag, yes[i], &is_on, NULL), ERR_NONE);
        CU_ASSERT_TRUE(is_on);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        is_on = true;
        CU_ASSERT_EQUAL(option_parse(&flag, no[i], &is_on, NULL), ERR_NONE);
        CU_ASSERT_FALSE(is_on);
    }
    CU_ASSERT_TRUE(is_refused(&flag, "2", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&flag, "", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&flag, "yess", ERR_SYNTAX));
}

static void
choices_ignore_case_and_a_slip_is_told_what_was_meant(void)
{
    const struct option *o = option_find("pool_mode");
    struct error why;
    int mode = -1;

    CU_ASSERT_EQUAL(option_parse(o, "Statement", &mode, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(mode, POOL_STATEMENT);
    CU_ASSERT_EQUAL(option_parse(o, "transation", &mode, &why), ERR_SYNTAX);
    CU_ASSERT_STRING_EQUAL(why.text, "`transation` is not one of session, transaction, statement; "
                                     "did you mean `transaction`?");
    CU_ASSERT_EQUAL(mode, POOL_STATEMENT);
    CU_ASSERT_TRUE(is_refused(o, "x", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(o, "", ERR_SYNTAX));
}

static void
auto_is_nought_but_nought_is_held_against_the_bounds(void)
{
    CU_ASSERT_EQUAL(count_of(&auto_count, "auto"), 0);
    CU_ASSERT_EQUAL(count_of(&auto_count, "AUTO"), 0);
    CU_ASSERT_EQUAL(count_of(&auto_count, "7"), 7);
    CU_ASSERT_TRUE(is_refused(&auto_count, "0", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&auto_count, "101", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&auto_count, "automatic", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&auto_count, "-1", ERR_LIMIT));
}

static void
a_fraction_is_told_in_millionths(void)
{
    static const struct {
        const char *text;
        unsigned millionths;
    } good[] = { { "0", 0 },         { "1", 1000000 },   { "0.5", 500000 },        { "0.000001", 1 },
                 { "1.0", 1000000 }, { "0.10", 100000 }, { "0.12345600", 123456 }, { "0.", 0 } };
    static const char *const bad[] = { "", "x", ".5", "-1", "1%", "0.5x", "0.0000001", "0.5 " };
    unsigned slot = 0;

    for (size_t i = 0; i < COUNT_OF(good); i++)
        CU_ASSERT_EQUAL(count_of(&fraction, good[i].text), good[i].millionths);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CU_ASSERT_TRUE(is_refused(&fraction, bad[i], ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&fraction, "1.000001", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&fraction, "2", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&fraction, "99999999999999999999", ERR_LIMIT));
    CU_ASSERT_STRING_EQUAL(shown(&fraction, &slot), "0");
    slot = 100;
    CU_ASSERT_STRING_EQUAL(shown(&fraction, &slot), "0.0001");
    slot = 500000;
    CU_ASSERT_STRING_EQUAL(shown(&fraction, &slot), "0.5");
    slot = 1000000;
    CU_ASSERT_STRING_EQUAL(shown(&fraction, &slot), "1");
}

static void
a_share_is_a_percentage_or_a_number(void)
{
    struct option_share s = { 0 };

    CU_ASSERT_EQUAL(option_parse(&share, "10%", &s, NULL), ERR_NONE);
    CU_ASSERT_TRUE(s.percent == 10 && s.count == 0);
    CU_ASSERT_STRING_EQUAL(shown(&share, &s), "10%");
    CU_ASSERT_EQUAL(option_parse(&share, "5", &s, NULL), ERR_NONE);
    CU_ASSERT_TRUE(s.percent == 0 && s.count == 5);
    CU_ASSERT_STRING_EQUAL(shown(&share, &s), "5");
    CU_ASSERT_TRUE(is_refused(&share, "101%", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&share, "99999999999999%", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&share, "111111111111111111111111111%", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&share, "-1", ERR_LIMIT));
    CU_ASSERT_TRUE(is_refused(&share, "%", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&share, "ten %", ERR_SYNTAX));
    CU_ASSERT_TRUE(is_refused(&share, "5.5%", ERR_SYNTAX));
}

static void
text_replaces_the_text_before_it(void)
{
    const struct option text = { .name = "x", .type = OPT_TEXT };
    char *slot = mem_text("old");

    CU_ASSERT_EQUAL(option_parse(&text, "new ; # 'x'", &slot, NULL), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(slot, "new ; # 'x'");
    CU_ASSERT_EQUAL(option_parse(&text, "", &slot, NULL), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(slot, "");
    free(slot);
}

static void
a_value_is_shown_in_the_unit_of_its_row(void)
{
    const uint64_t whole = 120000000, half = 500000, tiny = 1, odd_minutes = 90000000, size = 64 << 20,
                   nothing = 0;
    const unsigned mode = 0777, none = 0;
    const bool on = true;

    CU_ASSERT_STRING_EQUAL(shown(&seconds, &whole), "120");
    CU_ASSERT_STRING_EQUAL(shown(&seconds, &half), "0.5");
    CU_ASSERT_STRING_EQUAL(shown(&seconds, &tiny), "0.000001");
    CU_ASSERT_STRING_EQUAL(shown(&milliseconds, &half), "500");
    CU_ASSERT_STRING_EQUAL(shown(&milliseconds, &tiny), "0.001");
    CU_ASSERT_STRING_EQUAL(shown(&minutes, &whole), "2");
    CU_ASSERT_STRING_EQUAL(shown(&minutes, &odd_minutes), "90s");
    CU_ASSERT_STRING_EQUAL(shown(&minutes, &nothing), "0");
    CU_ASSERT_STRING_EQUAL(shown(&bytes, &size), "64MB");
    CU_ASSERT_STRING_EQUAL(shown(&bytes, &tiny), "1");
    CU_ASSERT_STRING_EQUAL(shown(&bytes, &nothing), "0");
    CU_ASSERT_STRING_EQUAL(shown(option_find("unix_socket_mode"), &mode), "0777");
    CU_ASSERT_STRING_EQUAL(shown(&auto_count, &none), "auto");
    CU_ASSERT_STRING_EQUAL(shown(&flag, &on), "1");
}

static void
what_is_shown_reads_back_as_the_same_value(void)
{
    static const uint64_t values[] = { 0,      1,       999,      1000,    1001,
                                       500000, 1000000, 90000000, 1234567, UINT64_C(86400000000) };
    const struct option *const rows[] = { &seconds, &milliseconds, &minutes, &bytes };
    char text[64];

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        for (size_t j = 0; j < COUNT_OF(rows); j++) {
            option_show(rows[j], &values[i], text, sizeof(text));
            CU_ASSERT_EQUAL(amount_of(rows[j], text), values[i]);
        }
    }
}

static bool
has_preset_that_reads_back(const struct option *o, const char *preset)
{
    union {
        uint64_t number;
        char *text;
        struct option_share share;
    } slot = { 0 };
    char text[256];
    bool is_same;

    if (option_parse(o, preset, &slot, NULL) != ERR_NONE)
        return false;
    option_show(o, &slot, text, sizeof(text));
    is_same = strcmp(text, preset) == 0;
    if (o->type == OPT_TEXT)
        free(slot.text);
    return is_same;
}

static void
every_row_is_complete_and_its_presets_are_canonical(void)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];

        CU_ASSERT_PTR_NOT_NULL_FATAL(o->preset);
        CU_ASSERT_TRUE(has_preset_that_reads_back(o, o->preset));
        CU_ASSERT_TRUE(o->preset_pgbouncer == NULL || has_preset_that_reads_back(o, o->preset_pgbouncer));
        CU_ASSERT_TRUE(o->group != NULL && o->text != NULL && o->text[strlen(o->text) - 1] == '.');
        CU_ASSERT_EQUAL(o->type == OPT_CHOICE, o->choices != NULL);
        CU_ASSERT_TRUE(o->type != OPT_DURATION || o->unit != NULL);
        CU_ASSERT_TRUE((o->scope & IN_GLOBAL) != 0);
        CU_ASSERT_EQUAL((o->scope & (IN_DATABASE | IN_USER)) != 0,
                        o->slot_inside != 0 || o->mark_inside != 0 || strcmp(o->name, "pool_mode") == 0);
        CU_ASSERT_PTR_EQUAL(option_find(o->name), o);
        CU_ASSERT_TRUE(o->alias == NULL || option_find(o->alias) == o);
    }
}

/* Every byte of struct settings up to its content is some row's, but for padding. */
static void
every_field_of_struct_settings_has_one_row(void)
{
    unsigned char owners[sizeof(struct settings)] = { 0 };
    size_t free_bytes = 0;

    for (size_t i = 0; i < option_count; i++)
        for (size_t j = 0; j < option_value_size(&options[i]); j++)
            owners[options[i].slot + j]++;
    for (size_t i = 0; i < offsetof(struct settings, content); i++) {
        CU_ASSERT_TRUE(owners[i] <= 1);
        free_bytes = owners[i] == 0 ? free_bytes + 1 : 0;
        CU_ASSERT_TRUE(free_bytes < 8);
    }
}

static void
keys_inside_have_their_own_names_and_scopes(void)
{
    CU_ASSERT_PTR_EQUAL(option_find_inside("pool_size", IN_DATABASE), option_find("default_pool_size"));
    CU_ASSERT_PTR_NULL(option_find_inside("default_pool_size", IN_DATABASE));
    CU_ASSERT_PTR_NOT_NULL(option_find_inside("min_pool_size", IN_DATABASE));
    CU_ASSERT_PTR_NULL(option_find_inside("min_pool_size", IN_USER));
    CU_ASSERT_PTR_NULL(option_find_inside("listen_port", IN_DATABASE));
    CU_ASSERT_PTR_NULL(option_find("pool_size"));
    CU_ASSERT_STRING_EQUAL(option_nearest("pool_sise", IN_USER, NULL, 0), "pool_size");
}

void
suite_option(void)
{
    CU_pSuite suite = CU_add_suite("option", NULL, NULL);

    CU_ADD_TEST(suite, durations_are_bare_numbers_or_have_units);
    CU_ADD_TEST(suite, durations_may_have_fractions);
    CU_ADD_TEST(suite, a_duration_that_is_not_nothing_is_never_rounded_to_nothing);
    CU_ADD_TEST(suite, durations_are_not_negative_nor_endless_nor_words);
    CU_ADD_TEST(suite, counts_are_written_as_in_c);
    CU_ADD_TEST(suite, counts_are_whole_not_negative_and_fit);
    CU_ADD_TEST(suite, a_number_below_the_least_or_above_the_most_is_told_the_range);
    CU_ADD_TEST(suite, sizes_have_powers_of_1024);
    CU_ADD_TEST(suite, yes_and_no_have_four_words_each);
    CU_ADD_TEST(suite, choices_ignore_case_and_a_slip_is_told_what_was_meant);
    CU_ADD_TEST(suite, auto_is_nought_but_nought_is_held_against_the_bounds);
    CU_ADD_TEST(suite, a_fraction_is_told_in_millionths);
    CU_ADD_TEST(suite, a_share_is_a_percentage_or_a_number);
    CU_ADD_TEST(suite, text_replaces_the_text_before_it);
    CU_ADD_TEST(suite, a_value_is_shown_in_the_unit_of_its_row);
    CU_ADD_TEST(suite, what_is_shown_reads_back_as_the_same_value);
    CU_ADD_TEST(suite, every_row_is_complete_and_its_presets_are_canonical);
    CU_ADD_TEST(suite, every_field_of_struct_settings_has_one_row);
    CU_ADD_TEST(suite, keys_inside_have_their_own_names_and_scopes);
}
