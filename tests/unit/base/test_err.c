#include <errno.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/err.h"

void suite_err(void);

static void
setting_an_error_returns_its_code(void)
{
    struct error why = { 0 };

    CU_ASSERT_EQUAL(error_set(&why, ERR_LIMIT, "%d of %d", 3, 4), ERR_LIMIT);
    CU_ASSERT_EQUAL(why.code, ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(why.text, "3 of 4");
}

static void
nobody_has_to_listen(void)
{
    CU_ASSERT_EQUAL(error_set(NULL, ERR_TLS, "%s", "unheard"), ERR_TLS);
    CU_ASSERT_EQUAL(error_set_errno(NULL, ENOENT, "%s", "unheard"), ERR_IO);
}

static void
a_system_error_ends_with_its_name(void)
{
    struct error why = { 0 };

    CU_ASSERT_EQUAL(error_set_errno(&why, ENOENT, "cannot open %s", "/x"), ERR_IO);
    CU_ASSERT_EQUAL(why.code, ERR_IO);
    CU_ASSERT_STRING_EQUAL(why.text, "cannot open /x: No such file or directory");
}

static void
an_unknown_errno_is_told_too(void)
{
    struct error why = { 0 };

    CU_ASSERT_EQUAL(error_set_errno(&why, 99999, "odd"), ERR_IO);
    CU_ASSERT_STRING_EQUAL(why.text, "odd: Unknown error 99999");
}

static void
an_error_can_be_told_again_with_more_words(void)
{
    struct error why = { 0 };

    CU_ASSERT_EQUAL(error_set(&why, ERR_CLOSED, "connection reset"), ERR_CLOSED);
    CU_ASSERT_EQUAL(error_set(&why, why.code, "server db1: %s", why.text), ERR_CLOSED);
    CU_ASSERT_STRING_EQUAL(why.text, "server db1: connection reset");
}

static void
text_that_just_fits_is_kept_whole(void)
{
    struct error why = { 0 };
    int fits = (int)sizeof(why.text) - 1;

    CU_ASSERT_EQUAL(error_set(&why, ERR_SYNTAX, "%*d", fits, 7), ERR_SYNTAX);
    CU_ASSERT_EQUAL(strlen(why.text), (size_t)fits);
    CU_ASSERT_EQUAL(why.text[fits - 1], '7');
}

static void
text_that_is_too_long_shows_that_it_was_cut(void)
{
    struct error why = { 0 };
    size_t len;

    CU_ASSERT_EQUAL(error_set(&why, ERR_SYNTAX, "%*d", 600, 7), ERR_SYNTAX);
    len = strlen(why.text);
    CU_ASSERT_EQUAL(len, sizeof(why.text) - 1);
    CU_ASSERT_STRING_EQUAL(why.text + len - strlen("…"), "…");
}

static void
a_cut_never_splits_a_character(void)
{
    struct error why = { 0 };
    char umlauts[1024];

    for (size_t i = 0; i + 2 < sizeof(umlauts); i += 2)
        memcpy(umlauts + i, "ä", 3);
    for (int shift = 0; shift < 2; shift++) {
        size_t len;

        CU_ASSERT_EQUAL(error_set(&why, ERR_SYNTAX, "%.*s%s", shift, "x", umlauts), ERR_SYNTAX);
        len = strlen(why.text);
        CU_ASSERT_STRING_EQUAL(why.text + len - strlen("ä…"), "ä…");
    }
}

static void
a_reason_that_does_not_fit_is_cut_as_well(void)
{
    struct error why = { 0 };
    size_t len;

    CU_ASSERT_EQUAL(error_set_errno(&why, ENOENT, "%*d", 500, 7), ERR_IO);
    len = strlen(why.text);
    CU_ASSERT_STRING_EQUAL(why.text + len - strlen("7: No…"), "7: No…");
}

void
suite_err(void)
{
    CU_pSuite suite = CU_add_suite("err", NULL, NULL);

    CU_ADD_TEST(suite, setting_an_error_returns_its_code);
    CU_ADD_TEST(suite, nobody_has_to_listen);
    CU_ADD_TEST(suite, a_system_error_ends_with_its_name);
    CU_ADD_TEST(suite, an_unknown_errno_is_told_too);
    CU_ADD_TEST(suite, an_error_can_be_told_again_with_more_words);
    CU_ADD_TEST(suite, text_that_just_fits_is_kept_whole);
    CU_ADD_TEST(suite, text_that_is_too_long_shows_that_it_was_cut);
    CU_ADD_TEST(suite, a_cut_never_splits_a_character);
    CU_ADD_TEST(suite, a_reason_that_does_not_fit_is_cut_as_well);
}
