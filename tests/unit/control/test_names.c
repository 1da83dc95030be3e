#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "control/names_impl.h"

void suite_names(void);

struct fixture {
    struct clock clock;
    struct loop *loop;
    bool is_over;
    bool has_failed;
    char host[200], hostaddr[200], port[200];
};

static void
on_answer(void *arg, const struct names_answer *answer)
{
    struct fixture *f = arg;

    f->is_over = true;
    snprintf(f->host, sizeof(f->host), "%s", answer->host);
    snprintf(f->hostaddr, sizeof(f->hostaddr), "%s", answer->hostaddr);
    snprintf(f->port, sizeof(f->port), "%s", answer->port);
}

static void
on_failure(void *arg, const struct error *why)
{
    struct fixture *f = arg;

    f->is_over = f->has_failed = true;
    CU_ASSERT_EQUAL(why->code, ERR_NOT_FOUND);
}

static const struct names_handler handler = { .on_answer = on_answer, .on_failure = on_failure };

static void
fixture_init(struct fixture *f)
{
    struct error why;

    memset(f, 0, sizeof(*f));
    f->clock = clock_fake(US_PER_S);
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
}

static void
fixture_ask(struct fixture *f, const char *hosts, const char *ports)
{
    CU_ASSERT_PTR_NOT_NULL(names_ask(f->loop, hosts, ports, &handler, f));
    CU_ASSERT_FALSE(f->is_over);
    CU_ASSERT(turn_until(f->loop, &f->is_over));
}

static void
what_is_no_name_is_not_looked_up(void)
{
    static const struct {
        const char *hosts, *ports, *host, *hostaddr, *port;
    } table[] = {
        { "127.0.0.1", "5432", "127.0.0.1", "127.0.0.1", "5432" },
        { "::1", "", "::1", "::1", "" },
        { "/tmp", "5433", "/tmp", "", "5433" },
        { "@abstract", "5433", "@abstract", "", "5433" },
        { "", "5432", "", "", "5432" },
        { "10.0.0.1,/run/pg,::1", "1,2,3", "10.0.0.1,/run/pg,::1", "10.0.0.1,,::1", "1,2,3" },
        { "10.0.0.1,10.0.0.2", "5432", "10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.2", "5432,5432" },
        { "10.0.0.1,10.0.0.2", "", "10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.2", "" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct fixture f;

        fixture_init(&f);
        fixture_ask(&f, table[i].hosts, table[i].ports);
        CU_ASSERT_FALSE(f.has_failed);
        CU_ASSERT_STRING_EQUAL(f.host, table[i].host);
        CU_ASSERT_STRING_EQUAL(f.hostaddr, table[i].hostaddr);
        CU_ASSERT_STRING_EQUAL(f.port, table[i].port);
        loop_free(f.loop);
    }
}

/* Every machine has localhost in /etc/hosts: no name server is asked. */
static void
a_name_keeps_its_place_beside_its_addresses(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_ask(&f, "localhost,10.0.0.1", "5432,5433");
    CU_ASSERT_FALSE(f.has_failed);
    CU_ASSERT_EQUAL(strncmp(f.host, "localhost,", 10), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.host, ",10.0.0.1"));
    CU_ASSERT(strstr(f.hostaddr, "127.0.0.1,") != NULL || strstr(f.hostaddr, "::1,") != NULL);
    CU_ASSERT_EQUAL(strncmp(f.port, "5432,", 5), 0);
    CU_ASSERT_STRING_EQUAL(f.port + strlen(f.port) - 5, ",5433");
    loop_free(f.loop);
}

static void
too_many_hosts_are_cut(void)
{
    struct fixture f;
    char hosts[400] = "10.0.0.1";

    for (unsigned i = 0; i < 30; i++)
        strcat(hosts, ",10.0.0.1");
    fixture_init(&f);
    fixture_ask(&f, hosts, "");
    CU_ASSERT_FALSE(f.has_failed);
    CU_ASSERT_EQUAL(strlen(f.hostaddr), 16 * strlen("10.0.0.1") + 15);
    loop_free(f.loop);
}

static void
a_cancelled_question_is_never_answered(void)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "no-such-host.invalid" };

    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct fixture f;

        fixture_init(&f);
        names_cancel(names_ask(f.loop, hosts[i], "", &handler, &f));
        for (unsigned turn = 0; turn < 5; turn++)
            (void)loop_turn(f.loop);
        CU_ASSERT_FALSE(f.is_over);
        loop_free(f.loop);
    }
    names_cancel(NULL);
}

void
suite_names(void)
{
    CU_pSuite suite = CU_add_suite("names", NULL, NULL);

    CU_ADD_TEST(suite, what_is_no_name_is_not_looked_up);
    CU_ADD_TEST(suite, a_name_keeps_its_place_beside_its_addresses);
    CU_ADD_TEST(suite, too_many_hosts_are_cut);
    CU_ADD_TEST(suite, a_cancelled_question_is_never_answered);
}
