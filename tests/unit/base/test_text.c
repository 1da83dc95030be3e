#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/text.h"

void suite_text(void);

static const char *const options[] = { "listen_addr", "listen_port",    "pool_mode", "max_client_conn",
                                       "server_tls",  "server_tls_key", "user",      "db" };

static const char *
nearest(const char *word)
{
    return text_nearest(word, options, COUNT_OF(options));
}

static void
is_nearest(const char *word, const char *name)
{
    const char *found = nearest(word);

    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_STRING_EQUAL(found, name);
}

static void
every_kind_of_typing_error_finds_its_name(void)
{
    is_nearest("pool_mode", "pool_mode");
    is_nearest("pol_mode", "pool_mode");
    is_nearest("poool_mode", "pool_mode");
    is_nearest("pool-mode", "pool_mode");
    is_nearest("opol_mode", "pool_mode");
    is_nearest("max_clients_con", "max_client_conn");
    is_nearest("usre", "user");
    is_nearest("POOL_MODE", "pool_mode");
}

static void
a_name_only_half_like_the_word_is_not_offered(void)
{
    CU_ASSERT_PTR_NULL(nearest("quite_something"));
    CU_ASSERT_PTR_NULL(nearest("usxy"));
    CU_ASSERT_PTR_NULL(nearest(""));
    CU_ASSERT_PTR_NULL(nearest("x"));
}

static void
the_distance_may_be_a_third_of_the_word(void)
{
    static const char *const one[] = { "abcdefghi" };
    static const char *const six[] = { "abcdef" };

    CU_ASSERT_PTR_EQUAL(text_nearest("abcdefxyz", one, 1), one[0]);
    CU_ASSERT_PTR_NULL(text_nearest("abcdewxyz", one, 1));
    CU_ASSERT_PTR_NULL(text_nearest("abcdexyz", one, 1));
    CU_ASSERT_PTR_EQUAL(text_nearest("abcdxy", six, 1), six[0]);
    CU_ASSERT_PTR_NULL(text_nearest("abcdx", six, 1));
}

static void
the_nearer_of_two_names_wins_and_the_first_of_equals(void)
{
    static const char *const twins[] = { "abcx", "abcy" };

    is_nearest("server_tls_ke", "server_tls_key");
    is_nearest("server_tlss", "server_tls");
    CU_ASSERT_PTR_EQUAL(text_nearest("abcz", twins, 2), twins[0]);
    CU_ASSERT_PTR_EQUAL(text_nearest("abcy", twins, 2), twins[1]);
    CU_ASSERT_PTR_NULL(text_nearest("abcz", twins, 0));
}

static void
very_long_words_and_names_are_nobodys_typing_error(void)
{
    char word[65], longer[66];
    const char *const names[] = { longer, word };

    memset(word, 'a', sizeof(word));
    word[64] = '\0';
    memset(longer, 'a', sizeof(longer));
    longer[65] = '\0';
    CU_ASSERT_PTR_EQUAL(text_nearest(word, names, 2), word);
    CU_ASSERT_PTR_NULL(text_nearest(longer, names, 2));
}

static void
case_is_ignored_for_ascii_letters_only(void)
{
    CU_ASSERT_TRUE(text_equal_nocase("Transaction", "tRANSACTION"));
    CU_ASSERT_TRUE(text_equal_nocase("", ""));
    CU_ASSERT_FALSE(text_equal_nocase("abc", "abcd"));
    CU_ASSERT_FALSE(text_equal_nocase("abcd", "abc"));
    CU_ASSERT_FALSE(text_equal_nocase("a", ""));
    CU_ASSERT_FALSE(text_equal_nocase("@", "`"));
    CU_ASSERT_FALSE(text_equal_nocase("[", "{"));
    CU_ASSERT_FALSE(text_equal_nocase("Ä", "ä"));
    CU_ASSERT_TRUE(text_equal_nocase("Zz", "zZ"));
}

static void
trimming_cuts_blanks_at_both_ends_only(void)
{
    char padded[] = " \t\r\n two words\v\f ";
    char blank[] = " \t ";
    char none[] = "";
    char tight[] = "x";

    CU_ASSERT_STRING_EQUAL(text_trim(padded), "two words");
    CU_ASSERT_STRING_EQUAL(text_trim(blank), "");
    CU_ASSERT_STRING_EQUAL(text_trim(none), "");
    CU_ASSERT_PTR_EQUAL(text_trim(tight), tight);
    CU_ASSERT_STRING_EQUAL(tight, "x");
}

void
suite_text(void)
{
    CU_pSuite suite = CU_add_suite("text", NULL, NULL);

    CU_ADD_TEST(suite, every_kind_of_typing_error_finds_its_name);
    CU_ADD_TEST(suite, a_name_only_half_like_the_word_is_not_offered);
    CU_ADD_TEST(suite, the_distance_may_be_a_third_of_the_word);
    CU_ADD_TEST(suite, the_nearer_of_two_names_wins_and_the_first_of_equals);
    CU_ADD_TEST(suite, very_long_words_and_names_are_nobodys_typing_error);
    CU_ADD_TEST(suite, case_is_ignored_for_ascii_letters_only);
    CU_ADD_TEST(suite, trimming_cuts_blanks_at_both_ends_only);
}
