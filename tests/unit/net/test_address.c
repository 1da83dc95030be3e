#include <CUnit/CUnit.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "pgweir/net/address.h"

void suite_address(void);

static const char *
text_of(const struct address *a)
{
    static char text[160];

    address_text(a, text, sizeof(text));
    return text;
}

static void
an_ip_address_reads_back_as_it_was_written(void)
{
    static const struct {
        const char *ip, *text;
    } rows[] = {
        { "127.0.0.1", "127.0.0.1:5432" },
        { "::1", "[::1]:5432" },
        { "2001:db8:0:0::5", "[2001:db8::5]:5432" },
        { "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:5432" },
    };
    struct address a;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CU_ASSERT_TRUE_FATAL(address_of_ip(&a, rows[i].ip, 5432));
        CU_ASSERT_STRING_EQUAL(text_of(&a), rows[i].text);
    }
}

static void
an_interface_may_stand_behind_a_link_local_address(void)
{
    struct address a;

    CU_ASSERT_TRUE_FATAL(address_of_ip(&a, "fe80::1%1", 5432));
    CU_ASSERT_EQUAL(((const struct sockaddr_in6 *)(const void *)&a.at)->sin6_scope_id, 1);
}

static void
a_name_is_not_an_ip_address_and_leaves_out_alone(void)
{
    static const char *const names[] = { "localhost", "", "*", "10.0.0", "10.0.0.1.example", "db%1", "1" };
    struct address a = { .len = 7 };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CU_ASSERT_FALSE(address_of_ip(&a, names[i], 5432));
    CU_ASSERT_EQUAL(a.len, 7);
}

static void
a_path_becomes_a_unix_address(void)
{
    struct address a;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(address_of_path(&a, "/tmp/.s.PGSQL.6432", &why), ERR_NONE);
    CU_ASSERT_EQUAL(a.at.ss_family, AF_UNIX);
    CU_ASSERT_STRING_EQUAL(text_of(&a), "unix:/tmp/.s.PGSQL.6432");
}

static void
an_at_sign_means_the_abstract_name_space(void)
{
    struct address a;
    struct error why;

    CU_ASSERT_EQUAL_FATAL(address_of_path(&a, "@pgweir", &why), ERR_NONE);
    CU_ASSERT_EQUAL(((const struct sockaddr_un *)(const void *)&a.at)->sun_path[0], '\0');
    CU_ASSERT_EQUAL(a.len, offsetof(struct sockaddr_un, sun_path) + strlen("@pgweir"));
    CU_ASSERT_STRING_EQUAL(text_of(&a), "unix:@pgweir");
}

static void
a_path_that_is_too_long_is_refused_with_its_name(void)
{
    struct sockaddr_un un;
    char path[sizeof(un.sun_path) + 1];
    struct address a = { .len = 7 };
    struct error why;

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(un.sun_path)] = '\0';
    CU_ASSERT_EQUAL(address_of_path(&a, path, &why), ERR_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, path));
    CU_ASSERT_EQUAL(a.len, 7);
    path[sizeof(un.sun_path) - 1] = '\0';
    CU_ASSERT_EQUAL(address_of_path(&a, path, &why), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(text_of(&a) + strlen("unix:"), path);
}

static void
no_address_and_a_nameless_socket_have_words_too(void)
{
    struct address a = { .len = 0 };

    CU_ASSERT_STRING_EQUAL(text_of(&a), "none");
    a.at.ss_family = AF_UNIX;
    a.len = sizeof(sa_family_t);
    CU_ASSERT_STRING_EQUAL(text_of(&a), "unix");
}

void
suite_address(void)
{
    CU_pSuite suite = CU_add_suite("address", NULL, NULL);

    CU_ADD_TEST(suite, an_ip_address_reads_back_as_it_was_written);
    CU_ADD_TEST(suite, an_interface_may_stand_behind_a_link_local_address);
    CU_ADD_TEST(suite, a_name_is_not_an_ip_address_and_leaves_out_alone);
    CU_ADD_TEST(suite, a_path_becomes_a_unix_address);
    CU_ADD_TEST(suite, an_at_sign_means_the_abstract_name_space);
    CU_ADD_TEST(suite, a_path_that_is_too_long_is_refused_with_its_name);
    CU_ADD_TEST(suite, no_address_and_a_nameless_socket_have_words_too);
}
