#include <string.h>

#include <CUnit/CUnit.h>

#include "fixture.h"
#include "pgweir/config/route.h"

void suite_route(void);

#define TRUSTING "[pgweir]\nauth_type = trust\n"

/* Loads TEXT and resolves DATABASE and USER in it. */
static struct route *
route_in(struct fixture *f, const char *text, const char *database, const char *user)
{
    fixture_load(f, text);
    CU_ASSERT_EQUAL_FATAL(f->result, ERR_NONE);
    return settings_route(f->settings, database, user);
}

static void
an_empty_entry_leads_to_the_unix_socket_under_the_same_name(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f, TRUSTING "[databases]\napp =\n", "app", "joe");
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_STRING_EQUAL(r->database, "app");
    CU_ASSERT_STRING_EQUAL(r->server_database, "app");
    CU_ASSERT_STRING_EQUAL(r->user, "joe");
    CU_ASSERT_FALSE(r->is_forced);
    CU_ASSERT_FALSE(r->is_autodb);
    CU_ASSERT_PTR_NULL(r->password);
    CU_ASSERT_EQUAL(r->host_count, 1);
    CU_ASSERT_STRING_EQUAL(r->hosts[0].host, "/tmp");
    CU_ASSERT_EQUAL(r->hosts[0].port, 5432);
    CU_ASSERT_STRING_EQUAL(r->host_key, "/tmp:5432");
    CU_ASSERT_STRING_EQUAL(r->connect_query, "");
    CU_ASSERT_STRING_EQUAL(r->server_reset_query, "DISCARD ALL");
    CU_ASSERT_PTR_NULL(r->startup[0]);
    route_drop(r);
    fixture_fini(&f);
}

static void
an_entry_says_where_and_how(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(
        &f,
        TRUSTING
        "[databases]\napp = host=db1,/run/pg,@x port=1,2,3 dbname=real user=owner password='p w' "
        "connect_query='set x = 1' timezone=UTC client_encoding=UTF8 application_name='my app' datestyle=ISO\n",
        "app", "joe");
    CU_ASSERT_STRING_EQUAL(r->server_database, "real");
    CU_ASSERT_STRING_EQUAL(r->user, "owner");
    CU_ASSERT_TRUE(r->is_forced);
    CU_ASSERT_STRING_EQUAL(r->password, "p w");
    CU_ASSERT_STRING_EQUAL(r->host_key, "db1:1,/run/pg:2,@x:3");
    CU_ASSERT_EQUAL(r->host_count, 3);
    CU_ASSERT_STRING_EQUAL(r->hosts[1].host, "/run/pg");
    CU_ASSERT_EQUAL(r->hosts[2].port, 3);
    CU_ASSERT_STRING_EQUAL(r->connect_query, "set x = 1");
    CU_ASSERT_STRING_EQUAL(r->startup[0], "client_encoding");
    CU_ASSERT_STRING_EQUAL(r->startup[1], "UTF8");
    CU_ASSERT_STRING_EQUAL(r->startup[6], "application_name");
    CU_ASSERT_STRING_EQUAL(r->startup[7], "my app");
    CU_ASSERT_PTR_NULL(r->startup[8]);
    route_drop(r);
    fixture_fini(&f);
}

static void
one_port_is_for_all_hosts(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f, TRUSTING "[databases]\napp = host='a, b,::1' port=7\n", "app", "joe");
    CU_ASSERT_STRING_EQUAL(r->host_key, "a:7,b:7,::1:7");
    route_drop(r);
    fixture_fini(&f);
}

static void
names_without_an_entry_take_the_star(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f, TRUSTING "[databases]\n* = host=any\napp = host=own\n", "other", "joe");
    CU_ASSERT_TRUE(r->is_autodb);
    CU_ASSERT_STRING_EQUAL(r->database, "other");
    CU_ASSERT_STRING_EQUAL(r->server_database, "other");
    CU_ASSERT_STRING_EQUAL(r->host_key, "any:5432");
    route_drop(r);
    r = settings_route(f.settings, "app", "joe");
    CU_ASSERT_FALSE(r->is_autodb);
    CU_ASSERT_STRING_EQUAL(r->host_key, "own:5432");
    route_drop(r);
    r = route_in(&f, TRUSTING "[databases]\n* = host=any dbname=one\n", "other", "joe");
    CU_ASSERT_STRING_EQUAL(r->server_database, "one");
    CU_ASSERT_STRING_EQUAL(r->database, "other");
    route_drop(r);
    fixture_fini(&f);
}

static void
some_names_lead_nowhere(void)
{
    static const char longest[] = "123456789012345678901234567890123456789012345678901234567890123";
    static const char too_long[] = "1234567890123456789012345678901234567890123456789012345678901234";
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    CU_ASSERT_PTR_NULL(route_in(&f, TRUSTING "[databases]\napp =\n", "other", "joe"));
    CU_ASSERT_PTR_NULL(settings_route(f.settings, "App", "joe"));
    CU_ASSERT_PTR_NULL(settings_route(f.settings, "", "joe"));
    CU_ASSERT_PTR_NULL(route_in(&f, TRUSTING "[databases]\n* =\n", too_long, "joe"));
    CU_ASSERT_PTR_NULL(settings_route(f.settings, "pgbouncer", "joe"));
    CU_ASSERT_PTR_NULL(settings_route(f.settings, "pgweir", "joe"));
    r = settings_route(f.settings, longest, "joe");
    CU_ASSERT_PTR_NOT_NULL(r);
    route_drop(r);
    fixture_fini(&f);
}

static void
a_forced_user_may_have_its_password_in_the_auth_file(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    fixture_write("users.txt", "\"owner\" \"from file\"\n\"blank\" \"\"\n\"joe\" \"mine\"\n");
    r = route_in(
        &f,
        "[pgweir]\nauth_file = users.txt\n[databases]\na = user=owner\nb = user=owner password=own\nc =\nd = user=blank\n",
        "a", "joe");
    CU_ASSERT_STRING_EQUAL(r->password, "from file");
    route_drop(r);
    r = settings_route(f.settings, "b", "joe");
    CU_ASSERT_STRING_EQUAL(r->password, "own");
    route_drop(r);
    r = settings_route(f.settings, "c", "joe");
    CU_ASSERT_PTR_NULL(r->password);
    route_drop(r);
    r = settings_route(f.settings, "d", "joe");
    CU_ASSERT_PTR_NULL(r->password);
    route_drop(r);
    fixture_fini(&f);
}

static void
the_user_comes_before_the_database_and_that_before_the_rest(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f,
                 TRUSTING
                 "pool_mode = statement\ndefault_pool_size = 1\nquery_timeout = 1\nmin_pool_size = 1\n"
                 "client_idle_timeout = 1\nquery_wait_timeout = 1\nserver_lifetime = 1\n"
                 "[databases]\napp = pool_mode=session pool_size=2 query_timeout=2s min_pool_size=2 "
                 "query_wait_timeout=2\n"
                 "[users]\njoe = pool_size=3 query_timeout=3000ms query_wait_timeout=0\n",
                 "app", "joe");
    CU_ASSERT_EQUAL(r->pool_mode, POOL_SESSION);
    CU_ASSERT_EQUAL(r->pool_size, 3);
    CU_ASSERT_EQUAL(r->min_pool_size, 2);
    CU_ASSERT_EQUAL(r->query_timeout_us, 3000000);
    CU_ASSERT_EQUAL(r->query_wait_timeout_us, 0);
    CU_ASSERT_EQUAL(r->client_idle_timeout_us, 1000000);
    CU_ASSERT_EQUAL(r->server_lifetime_us, 1000000);
    route_drop(r);
    r = settings_route(f.settings, "app", "ann");
    CU_ASSERT_EQUAL(r->pool_size, 2);
    CU_ASSERT_EQUAL(r->query_timeout_us, 2000000);
    CU_ASSERT_EQUAL(r->query_wait_timeout_us, 2000000);
    route_drop(r);
    fixture_fini(&f);
}

static void
with_a_forced_user_its_settings_count(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f,
                 TRUSTING "[databases]\napp = user=owner\n[users]\njoe = pool_size=3\nowner = pool_size=4\n",
                 "app", "joe");
    CU_ASSERT_EQUAL(r->pool_size, 4);
    route_drop(r);
    fixture_fini(&f);
}

static void
nought_inside_means_the_global_value_for_some(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(
        &f,
        TRUSTING
        "query_timeout = 1\nidle_transaction_timeout = 1\nclient_idle_timeout = 1\nserver_lifetime = 1\n"
        "query_wait_timeout = 1\ndefault_pool_size = 7\n[databases]\n"
        "app = server_lifetime=0 query_wait_timeout=0 pool_size=0\n"
        "[users]\njoe = query_timeout=0 idle_transaction_timeout=0ms client_idle_timeout=0\n",
        "app", "joe");
    CU_ASSERT_EQUAL(r->query_timeout_us, 1000000);
    CU_ASSERT_EQUAL(r->idle_transaction_timeout_us, 1000000);
    CU_ASSERT_EQUAL(r->client_idle_timeout_us, 1000000);
    CU_ASSERT_EQUAL(r->server_lifetime_us, 1000000);
    CU_ASSERT_EQUAL(r->query_wait_timeout_us, 0);
    CU_ASSERT_EQUAL(r->pool_size, 0);
    route_drop(r);
    fixture_fini(&f);
}

static void
a_route_outlives_the_load_that_made_it(void)
{
    struct fixture f;
    struct route *r;

    fixture_init(&f);
    r = route_in(&f, TRUSTING "[databases]\napp = host=x\n", "app", "joe");
    CU_ASSERT_PTR_EQUAL(route_hold(r), r);
    settings_drop(f.settings);
    f.settings = NULL;
    route_drop(r);
    CU_ASSERT_STRING_EQUAL(r->host_key, "x:5432");
    CU_ASSERT_EQUAL(r->settings->listen_port, 6432);
    route_drop(r);
    route_drop(NULL);
    fixture_fini(&f);
}

/* Whether a reload from entry A to entry B, with MORE options, makes the servers of A obsolete. */
static bool
needs_new_servers(const char *a, const char *b, const char *more)
{
    struct fixture f;
    struct buf text;
    struct route *before, *after;
    bool needs;

    fixture_init(&f);
    buf_init(&text);
    buf_add_format(&text, TRUSTING "[databases]\napp = %s\n", a);
    before = route_in(&f, buf_text(&text), "app", "joe");
    buf_release(&text);
    buf_add_format(&text, TRUSTING "%s\n[databases]\napp = %s\n", more, b);
    after = route_in(&f, buf_text(&text), "app", "joe");
    buf_release(&text);
    needs = route_needs_new_servers(before, after);
    CU_ASSERT_EQUAL(route_needs_new_servers(after, before), needs);
    route_drop(before);
    route_drop(after);
    fixture_fini(&f);
    return needs;
}

static void
servers_are_made_anew_only_for_what_makes_them_different(void)
{
    CU_ASSERT_FALSE(needs_new_servers("host=a", "host=a", ""));
    CU_ASSERT_TRUE(needs_new_servers("host=a", "host=b", ""));
    CU_ASSERT_TRUE(needs_new_servers("host=a", "host=a,b", ""));
    CU_ASSERT_TRUE(needs_new_servers("port=1", "port=2", ""));
    CU_ASSERT_TRUE(needs_new_servers("dbname=a", "dbname=b", ""));
    CU_ASSERT_FALSE(needs_new_servers("", "dbname=app port=5432 host=/tmp", ""));
    CU_ASSERT_TRUE(needs_new_servers("", "user=other", ""));
    CU_ASSERT_TRUE(needs_new_servers("", "connect_query=x", ""));
    CU_ASSERT_TRUE(needs_new_servers("timezone=UTC", "timezone=CET", ""));
    CU_ASSERT_TRUE(needs_new_servers("timezone=UTC", "", ""));
    CU_ASSERT_TRUE(needs_new_servers("timezone=UTC", "datestyle=UTC", ""));
    CU_ASSERT_TRUE(needs_new_servers("", "", "server_tls_sslmode = require"));
    CU_ASSERT_TRUE(needs_new_servers("", "", "server_tls_ca_file = main.ini"));
    CU_ASSERT_FALSE(needs_new_servers("", "", "client_tls_ciphers = secure"));
    CU_ASSERT_FALSE(needs_new_servers("password=a", "password=b", ""));
    CU_ASSERT_FALSE(needs_new_servers("pool_size=1", "pool_size=2 pool_mode=session query_timeout=3", ""));
}

void
suite_route(void)
{
    CU_pSuite suite = CU_add_suite("route", NULL, NULL);

    CU_ADD_TEST(suite, an_empty_entry_leads_to_the_unix_socket_under_the_same_name);
    CU_ADD_TEST(suite, an_entry_says_where_and_how);
    CU_ADD_TEST(suite, one_port_is_for_all_hosts);
    CU_ADD_TEST(suite, names_without_an_entry_take_the_star);
    CU_ADD_TEST(suite, some_names_lead_nowhere);
    CU_ADD_TEST(suite, a_forced_user_may_have_its_password_in_the_auth_file);
    CU_ADD_TEST(suite, the_user_comes_before_the_database_and_that_before_the_rest);
    CU_ADD_TEST(suite, with_a_forced_user_its_settings_count);
    CU_ADD_TEST(suite, nought_inside_means_the_global_value_for_some);
    CU_ADD_TEST(suite, a_route_outlives_the_load_that_made_it);
    CU_ADD_TEST(suite, servers_are_made_anew_only_for_what_makes_them_different);
}
