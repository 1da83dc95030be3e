#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "loading.h"
#include "pgweir/base/log.h"
#include "pgweir/control/census.h"

void suite_census(void);

struct fixture {
    struct clock clock;
    struct loop *loop; /* main's */
    struct backend backend;
    struct backend second; /* of a list of two hosts */
    struct house_config *config;
    struct house *house;
    struct census *census;
    struct pool *pool;
};

#define ROWS_MOST 8

static const char *const facts[ROWS_MOST][3] = {
    { "setting", "max_connections", "100" },
    { "setting", "superuser_reserved_connections", "3" },
    { "setting", "reserved_connections", "" },
    { "recovery", "", "0" },
    { "role", "plain", "5" },
    { "database", "app", "7" },
    { NULL, NULL, NULL },
};

static const char *const fewer_facts[ROWS_MOST][3] = {
    { "setting", "max_connections", "50" },
    { "setting", "superuser_reserved_connections", "3" },
    { "setting", "reserved_connections", "" },
    { "recovery", "", "0" },
    { NULL, NULL, NULL },
};

static void
on_unknown_host(void *arg, struct budget_host *host)
{
    struct fixture *f = arg;

    census_want(f->census, host);
}

static void
on_drained(void *arg)
{
    (void)arg;
}

static struct house_config *
config_of(struct fixture *f, const char *more_ini)
{
    char ini[600];
    struct settings *settings;
    struct house_config *config;
    struct error why;

    snprintf(
        ini, sizeof(ini),
        "[pgweir]\nauth_file = %%s\nserver_tls_sslmode = disable\n%s\n"
        "[databases]\napp = host=127.0.0.1 port=%u\nlist = host=127.0.0.1,127.0.0.1 port=%u,%u dbname=app\n",
        more_ini, f->backend.port, f->backend.port, f->second.port);
    settings = load_settings(ini,
                             "\"plain\" \"secret\"\n\"hashed\" \"md5e8a48653851e28c69d0506508fb27fc5\"\n");
    CU_ASSERT_EQUAL_FATAL(house_config_new(settings, &config, &why), ERR_NONE);
    settings_drop(settings);
    return config;
}

/* A house with one pool, that of USER. */
static void
fixture_init_in(struct fixture *f, const char *more_ini, const char *database, const char *user)
{
    struct error why;
    struct house_params params = { .clock = &f->clock,
                                   .worker_count = 1,
                                   .on_unknown_host = on_unknown_host,
                                   .on_drained = on_drained,
                                   .arg = f };
    struct route *route;

    memset(f, 0, sizeof(*f));
    CU_ASSERT_EQUAL(log_open(NULL, true, LOG_NOTICE_LEVEL, &why), ERR_NONE); /* say nothing */
    f->clock = clock_fake(1000 * US_PER_S);
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    backend_init(&f->backend, f->loop);
    backend_init(&f->second, f->loop);
    params.config = f->config = config_of(f, more_ini);
    CU_ASSERT_EQUAL_FATAL(house_new(&params, &f->house, &why), ERR_NONE);
    f->census = census_new(f->loop, f->house, f->config);
    route = settings_route(f->config->settings, database, user);
    f->pool = pools_get(house_pools(f->house), route);
    route_drop(route);
}

static void
fixture_init(struct fixture *f, const char *more_ini, const char *user)
{
    fixture_init_in(f, more_ini, "app", user);
}

static void
fixture_fini(struct fixture *f)
{
    house_free(f->house);
    census_free(f->census);
    house_config_drop(f->config);
    backend_fini(&f->backend);
    backend_fini(&f->second);
    (void)loop_turn(f->loop);
    loop_free(f->loop);
    log_close();
}

static void
fixture_reconfigure(struct fixture *f, const char *more_ini)
{
    struct house_config *config = config_of(f, more_ini);

    house_reconfigure(f->house, config);
    census_reconfigure(f->census, config);
    house_config_drop(f->config);
    f->config = config;
}

static void
fixture_want(struct fixture *f)
{
    census_want(f->census, pool_account(f->pool)->host);
    (void)loop_turn(f->loop);
}

static struct budget_view
fixture_look(struct fixture *f)
{
    struct budget_view view;

    budget_look(pool_account(f->pool), &view);
    return view;
}

/* Whether the budget comes to know LIMIT, while the loop turns. */
static bool
limit_becomes(struct fixture *f, unsigned limit)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (fixture_look(f).limit == limit)
            return true;
        clock_advance_us(&f->clock, 1);
        (void)loop_turn(f->loop);
    }
    return false;
}

/* Turns the loop for a while: nothing may happen in it. */
static void
nobody_asks(struct fixture *f)
{
    for (unsigned i = 0; i < 20; i++)
        (void)loop_turn(f->loop);
    CU_ASSERT_FALSE(backend_is_called(&f->backend));
}

static void
tells(struct backend *b, const char *const (*rows)[3])
{
    backend_accept(b);
    backend_let_in(b);
    backend_await_query(b);
    backend_answer(b, rows);
}

static void
backend_tells(struct fixture *f, const char *const (*rows)[3])
{
    tells(&f->backend, rows);
}

static void
a_number_needs_no_question(void)
{
    struct fixture f;

    fixture_init(&f, "server_connections = 7", "plain");
    fixture_want(&f);
    CU_ASSERT_EQUAL(fixture_look(&f).limit, 7);
    CU_ASSERT_STRING_EQUAL(fixture_look(&f).why, "server_connections = 7");
    nobody_asks(&f);
    fixture_fini(&f);
}

static void
auto_asks_the_server(void)
{
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    CU_ASSERT_EQUAL(fixture_look(&f).limit, 0);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    CU_ASSERT_STRING_EQUAL(fixture_look(&f).why,
                           "max_connections 100 - superuser_reserved 3 - direct_reserve 10 - control 1");
    CU_ASSERT(backend_was_told(&f.backend, "user", "plain"));
    CU_ASSERT(backend_was_told(&f.backend, "database", "app"));
    CU_ASSERT(backend_was_told(&f.backend, "application_name", "pgweir/control"));
    fixture_fini(&f);
}

/* How many connections the budget gives the pool, up to MOST. */
static unsigned
takes(struct fixture *f, unsigned most)
{
    struct budget_account *account = pool_account(f->pool);
    unsigned taken = 0;

    while (taken < most && budget_take(account, NULL, 0, f->clock.fake_us) == BUDGET_TAKEN)
        taken++;
    for (unsigned i = 0; i < taken; i++)
        budget_give(account, f->clock.fake_us);
    return taken;
}

static void
connection_limits_become_quotas_and_go_again(void)
{
    struct fixture f;

    fixture_init(&f, "default_pool_size = 0", "plain");
    fixture_want(&f);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    CU_ASSERT_EQUAL(takes(&f, 50), 4); /* CONNECTION LIMIT 5 of the role, less the one that asks */
    clock_advance_us(&f.clock, 70 * US_PER_S);
    backend_tells(&f, fewer_facts);
    CU_ASSERT(limit_becomes(&f, 41));
    CU_ASSERT_EQUAL(takes(&f, 50), 41);
    fixture_fini(&f);
}

static void
a_host_is_asked_again_after_the_period(void)
{
    struct fixture f;

    fixture_init(&f, "capacity_check_period = 100", "plain");
    fixture_want(&f);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    clock_advance_us(&f.clock, 110 * US_PER_S);
    backend_tells(&f, fewer_facts);
    CU_ASSERT(limit_becomes(&f, 41));
    fixture_fini(&f);
}

static void
a_known_host_that_is_wanted_is_asked_soon(void)
{
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_want(&f); /* just asked: it waits a little */
    nobody_asks(&f);
    clock_advance_us(&f.clock, 6 * US_PER_S);
    backend_tells(&f, fewer_facts);
    CU_ASSERT(limit_becomes(&f, 41));
    clock_advance_us(&f.clock, 6 * US_PER_S);
    fixture_want(&f); /* long enough ago: at once */
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_fini(&f);
}

static void
clients_wait_while_the_server_is_full_or_starting(void)
{
    static const char *const states[] = { "53300", "57P03" };
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        backend_accept(&f.backend);
        backend_refuse(&f.backend, states[i]);
        nobody_asks(&f);
        CU_ASSERT_EQUAL(fixture_look(&f).limit, 0);
        clock_advance_us(&f.clock, US_PER_S);
    }
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_fini(&f);
}

static void
what_was_known_outlives_a_failure(void)
{
    static const char *const states[] = { "53300", "57P03", "28P01" };
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86));
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        clock_advance_us(&f.clock, 70 * US_PER_S);
        backend_accept(&f.backend);
        backend_refuse(&f.backend, states[i]);
        nobody_asks(&f);
        CU_ASSERT_EQUAL(fixture_look(&f).limit, 86);
    }
    fixture_fini(&f);
}

static void
the_next_login_is_tried(void)
{
    struct fixture f;

    fixture_init(&f, "control_user = boss", "plain");
    fixture_want(&f);
    backend_accept(&f.backend);
    CU_ASSERT(backend_was_told(&f.backend, "user", "boss"));
    backend_refuse(&f.backend, "28P01");
    backend_tells(&f, facts);
    CU_ASSERT(backend_was_told(&f.backend, "user", "plain"));
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_fini(&f);
}

static void
without_a_login_the_limit_is_a_guess_until_there_is_one(void)
{
    struct fixture f;

    fixture_init(&f, "", "hashed");
    fixture_want(&f);
    backend_accept(&f.backend);
    CU_ASSERT(backend_was_told(&f.backend, "user", "hashed"));
    backend_refuse(&f.backend, "28P01");
    CU_ASSERT(limit_becomes(&f, CENSUS_BLIND_LIMIT));
    fixture_reconfigure(&f, "control_user = plain");
    backend_tells(&f, facts);
    CU_ASSERT(backend_was_told(&f.backend, "user", "plain"));
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_fini(&f);
}

static void
a_reload_takes_effect_at_once_and_breaks_off_a_question(void)
{
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    backend_accept(&f.backend);
    fixture_reconfigure(&f, "server_connections = 12");
    CU_ASSERT_EQUAL(fixture_look(&f).limit, 12);
    backend_close(&f.backend);
    nobody_asks(&f);
    fixture_reconfigure(&f, "direct_reserve = 20");
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 76));
    fixture_fini(&f);
}

static void
the_least_of_a_list_of_hosts_counts(void)
{
    struct fixture f;
    char why[200];

    fixture_init_in(&f, "capacity_check_period = 100", "list", "plain");
    fixture_want(&f);
    backend_tells(&f, facts);
    CU_ASSERT(limit_becomes(&f, 86)); /* nobody waits for the second one */
    tells(&f.second, fewer_facts);
    CU_ASSERT(limit_becomes(&f, 41));
    snprintf(why, sizeof(why), "127.0.0.1:%u: max_connections 50", f.second.port);
    CU_ASSERT_PTR_NOT_NULL(strstr(fixture_look(&f).why, why));
    clock_advance_us(&f.clock, 120 * US_PER_S);
    backend_tells(&f, fewer_facts); /* the other way round */
    tells(&f.second, facts);
    (void)limit_becomes(&f, 1);
    CU_ASSERT_EQUAL(fixture_look(&f).limit, 41);
    snprintf(why, sizeof(why), "127.0.0.1:%u: max_connections 50", f.backend.port);
    CU_ASSERT_PTR_NOT_NULL(strstr(fixture_look(&f).why, why));
    fixture_fini(&f);
}

static void
a_host_of_a_list_that_is_down_does_not_count(void)
{
    struct fixture f;

    fixture_init_in(&f, "capacity_check_period = 100", "list", "plain");
    fixture_want(&f);
    backend_accept(&f.backend);
    backend_refuse(&f.backend, "57P03");
    tells(&f.second, fewer_facts);
    CU_ASSERT(limit_becomes(&f, 41));
    nobody_asks(&f); /* until the period is over */
    clock_advance_us(&f.clock, 120 * US_PER_S);
    backend_tells(&f, facts);
    backend_accept(&f.second);
    backend_refuse(&f.second, "57P03");
    CU_ASSERT(limit_becomes(&f, 86));
    fixture_fini(&f);
}

static void
a_census_may_end_in_the_middle_of_a_question(void)
{
    struct fixture f;

    fixture_init(&f, "", "plain");
    fixture_want(&f);
    backend_accept(&f.backend);
    census_want(f.census, pool_account(f.pool)->host); /* the letter is still on its way */
    fixture_fini(&f);
    census_free(NULL);
}

void
suite_census(void)
{
    CU_pSuite suite = CU_add_suite("census", NULL, NULL);

    CU_ADD_TEST(suite, a_number_needs_no_question);
    CU_ADD_TEST(suite, auto_asks_the_server);
    CU_ADD_TEST(suite, connection_limits_become_quotas_and_go_again);
    CU_ADD_TEST(suite, a_host_is_asked_again_after_the_period);
    CU_ADD_TEST(suite, a_known_host_that_is_wanted_is_asked_soon);
    CU_ADD_TEST(suite, clients_wait_while_the_server_is_full_or_starting);
    CU_ADD_TEST(suite, what_was_known_outlives_a_failure);
    CU_ADD_TEST(suite, the_next_login_is_tried);
    CU_ADD_TEST(suite, without_a_login_the_limit_is_a_guess_until_there_is_one);
    CU_ADD_TEST(suite, a_reload_takes_effect_at_once_and_breaks_off_a_question);
    CU_ADD_TEST(suite, the_least_of_a_list_of_hosts_counts);
    CU_ADD_TEST(suite, a_host_of_a_list_that_is_down_does_not_count);
    CU_ADD_TEST(suite, a_census_may_end_in_the_middle_of_a_question);
}
