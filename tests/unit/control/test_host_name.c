/* test_host_name.c - names of addresses, and whether they lead back. Asks no name server. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control/host_name_impl.h"
#include "pgweir/base/mem.h"

void suite_host_name(void);

static struct hba_ip
ip(const char *text)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return hba_ip_of((const struct sockaddr *)&four);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return hba_ip_of((const struct sockaddr *)&six);
}

/* An address is a name that leads to itself. */
static void
a_name_leads_to_its_addresses_only(void)
{
    static const struct {
        const char *name, *address;
        bool does_lead;
    } rows[] = {
        { "10.1.2.3", "10.1.2.3", true }, { "10.1.2.3", "10.1.2.4", false },
        { "10.1.2.3", "fd00::1", false }, { "10.1.2.3", "::ffff:10.1.2.3", true },
        { "fd00::1", "fd00::1", true },   { "fd00::1", "fd00::2", false },
        { "fd00::1", "10.1.2.3", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hba_ip address = ip(rows[i].address);

        CU_ASSERT_EQUAL(host_name_leads_to(rows[i].name, &address), rows[i].does_lead);
    }
}

static void
check_is_localhost(const char *address)
{
    struct secret_ask *ask = mem_new(sizeof *ask);

    ask->source = SECRET_OF_HOST;
    ask->address = ip(address);
    host_name_answer(ask);
    CU_ASSERT_EQUAL(ask->outcome, SECRET_GIVEN);
    CU_ASSERT(ask->secret != NULL && strcmp(ask->secret, "localhost") == 0);
    secret_ask_drop(ask);
}

static void
the_loopback_address_has_its_name(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char name[NI_MAXHOST];

    if (getnameinfo((const struct sockaddr *)&at, sizeof at, name, sizeof name, NULL, 0, NI_NAMEREQD) != 0 ||
        strcmp(name, "localhost") != 0) {
        printf("\n    skipped: 127.0.0.1 is not called localhost here\n");
        return;
    }
    check_is_localhost("127.0.0.1");
    check_is_localhost("::ffff:127.0.0.1");
}

void
suite_host_name(void)
{
    CU_pSuite suite = CU_add_suite("host_name", NULL, NULL);

    CU_ADD_TEST(suite, a_name_leads_to_its_addresses_only);
    CU_ADD_TEST(suite, the_loopback_address_has_its_name);
}
