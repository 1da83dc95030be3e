#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "pgweir/control/capacity.h"
#include "pgweir/control/inspection.h"

void suite_capacity(void);

/* --- arithmetic --- */

static void
capacity_is_what_the_reserves_leave(void)
{
    static const struct {
        unsigned max, superuser, reserved, percent, count, left;
        const char *why;
    } table[] = {
        { 100, 3, 0, 10, 0, 86,
          "max_connections 100 - superuser_reserved 3 - direct_reserve 10 - control 1" },
        { 100, 3, 5, 10, 0, 81,
          "max_connections 100 - superuser_reserved 3 - reserved 5 - direct_reserve 10 - control 1" },
        { 20, 3, 0, 10, 0, 13, "max_connections 20 - superuser_reserved 3 - direct_reserve 3 - control 1" },
        { 31, 3, 0, 10, 0, 23, "max_connections 31 - superuser_reserved 3 - direct_reserve 4 - control 1" },
        { 100, 3, 0, 0, 20, 76,
          "max_connections 100 - superuser_reserved 3 - direct_reserve 20 - control 1" },
        { 100, 3, 0, 0, 0, 96, "max_connections 100 - superuser_reserved 3 - control 1" },
        { 100, 0, 0, 0, 1, 98, "max_connections 100 - direct_reserve 1 - control 1" },
        { 100, 3, 0, 100, 0, 1,
          "max_connections 100 - superuser_reserved 3 - direct_reserve 100 - control 1, but at least 1" },
        { 5, 3, 0, 10, 0, 1,
          "max_connections 5 - superuser_reserved 3 - direct_reserve 3 - control 1, but at least 1" },
        { 1, 0, 0, 0, 0, 1, "max_connections 1 - control 1, but at least 1" },
        { 262143, 3, 0, 10, 0, 235924,
          "max_connections 262143 - superuser_reserved 3 - direct_reserve 26215 - control 1" },
        { 100, 3, 0, 0, 4294967295, 1,
          "max_connections 100 - superuser_reserved 3 - direct_reserve 4294967295 - control 1, but at least 1" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct capacity_facts facts = {
            .max_connections = table[i].max,
            .superuser_reserved = table[i].superuser,
            .reserved = table[i].reserved,
        };
        struct option_share share = { .percent = table[i].percent, .count = table[i].count };
        char why[160];

        CU_ASSERT_EQUAL(capacity_for_pools(&facts, share, why, sizeof(why)), table[i].left);
        CU_ASSERT_STRING_EQUAL(why, table[i].why);
    }
}

static void
a_sum_that_does_not_fit_is_cut(void)
{
    struct capacity_facts facts = { .max_connections = 100 };
    char why[16];

    CU_ASSERT_EQUAL(capacity_for_pools(&facts, (struct option_share){ .count = 1 }, why, sizeof(why)), 98);
    CU_ASSERT_STRING_EQUAL(why, "max_connections");
}

static void
a_limit_keeps_one_for_the_asker(void)
{
    struct capacity_limit limit = { .name = "app_user", .limit = 5, .is_role = true };

    CU_ASSERT_EQUAL(capacity_of_limit(&limit, false), 5);
    CU_ASSERT_EQUAL(capacity_of_limit(&limit, true), 4);
    limit.limit = 1;
    CU_ASSERT_EQUAL(capacity_of_limit(&limit, true), 1);
    limit.limit = 0;
    CU_ASSERT_EQUAL(capacity_of_limit(&limit, false), 1);
}

static void
pools_are_bounded_by_their_size_or_by_their_database(void)
{
    const struct inspection_share one[] = { { 1, 20, 0 } };
    const struct inspection_share four[] = { { 4, 20, 5 } };
    const struct inspection_share two_kinds[] = { { 4, 20, 5 }, { 2, 3, 0 } };
    const struct inspection_share unbounded[] = { { 4, 20, 5 }, { 1, 0, 5 } };
    const struct inspection_share huge[] = { { 4294967295, 1000000, 1000000 } };

    CU_ASSERT_EQUAL(inspection_bound(one, 1, 0), 20);
    CU_ASSERT_EQUAL(inspection_bound(four, 1, 0), 100);
    CU_ASSERT_EQUAL(inspection_bound(four, 1, 50), 50);
    CU_ASSERT_EQUAL(inspection_bound(four, 1, 500), 100);
    CU_ASSERT_EQUAL(inspection_bound(two_kinds, 2, 0), 106);
    CU_ASSERT_EQUAL(inspection_bound(unbounded, 2, 0), 0);
    CU_ASSERT_EQUAL(inspection_bound(unbounded, 2, 30), 30);
    CU_ASSERT_EQUAL(inspection_bound(huge, 1, 0), UINT64_C(8589934590000000));
}

/* --- questions --- */

struct fixture {
    struct clock clock;
    struct loop *loop;
    struct backend backend;
    struct capacity_query *query;
    bool is_over;
    enum err code; /* of the failure; ERR_NONE: an answer */
    char why[512];
    struct capacity_facts facts; /* `limits` is borrowed and gone; look at `limit` */
    struct capacity_limit limit[4];
};

static void
on_answer(void *arg, const struct capacity_facts *facts)
{
    struct fixture *f = arg;

    CU_ASSERT_FALSE(f->is_over);
    f->is_over = true;
    f->query = NULL;
    f->facts = *facts;
    CU_ASSERT_FATAL(facts->limit_count <= COUNT_OF(f->limit));
    for (unsigned i = 0; i < facts->limit_count; i++)
        f->limit[i] = facts->limits[i];
}

static void
on_failure(void *arg, const struct error *why)
{
    struct fixture *f = arg;

    CU_ASSERT_FALSE(f->is_over);
    f->is_over = true;
    f->query = NULL;
    f->code = why->code;
    strcpy(f->why, why->text);
}

static void
ask(struct fixture *f, const char *host, const char *port)
{
    static const struct capacity_handler handler = { .on_answer = on_answer, .on_failure = on_failure };
    const char *keywords[] = { "host", "port", "user", "dbname", "sslmode", "gssencmode", NULL };
    const char *values[] = { host, port, "asker", "app", "disable", "disable", NULL };
    struct capacity_params params = { .keywords = keywords, .values = values, .timeout_us = 10 * US_PER_S };

    f->is_over = false;
    f->code = ERR_NONE;
    f->query = capacity_ask(f->loop, &params, &handler, f);
    CU_ASSERT_FALSE(f->is_over);
}

static void
fixture_init(struct fixture *f)
{
    struct error why;

    memset(f, 0, sizeof(*f));
    f->clock = clock_fake(US_PER_S);
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    backend_init(&f->backend, f->loop);
}

static void
fixture_fini(struct fixture *f)
{
    capacity_cancel(f->query);
    backend_fini(&f->backend);
    (void)loop_turn(f->loop);
    loop_free(f->loop);
}

static void
ask_and_answer(struct fixture *f, const char *const (*rows)[3])
{
    ask(f, "127.0.0.1", f->backend.port_text);
    backend_accept(&f->backend);
    backend_let_in(&f->backend);
    backend_await_query(&f->backend);
    backend_answer(&f->backend, rows);
    CU_ASSERT(turn_until(f->loop, &f->is_over));
}

static void
facts_are_read(void)
{
    static const char *const rows[][3] = {
        { "setting", "max_connections", "250" },
        { "setting", "superuser_reserved_connections", "4" },
        { "setting", "reserved_connections", "2" },
        { "recovery", "", "1" },
        { "role", "app_user", "30" },
        { "database", "app", "0" },
        { NULL, NULL, NULL },
    };
    struct fixture f;

    fixture_init(&f);
    ask_and_answer(&f, rows);
    CU_ASSERT_EQUAL(f.code, ERR_NONE);
    CU_ASSERT_EQUAL(f.facts.server_version, 150004);
    CU_ASSERT_EQUAL(f.facts.max_connections, 250);
    CU_ASSERT_EQUAL(f.facts.superuser_reserved, 4);
    CU_ASSERT_EQUAL(f.facts.reserved, 2);
    CU_ASSERT(f.facts.is_in_recovery);
    CU_ASSERT_EQUAL_FATAL(f.facts.limit_count, 2);
    CU_ASSERT_STRING_EQUAL(f.limit[0].name, "app_user");
    CU_ASSERT_EQUAL(f.limit[0].limit, 30);
    CU_ASSERT(f.limit[0].is_role);
    CU_ASSERT_STRING_EQUAL(f.limit[1].name, "app");
    CU_ASSERT_EQUAL(f.limit[1].limit, 0);
    CU_ASSERT_FALSE(f.limit[1].is_role);
    CU_ASSERT(backend_was_told(&f.backend, "user", "asker"));
    CU_ASSERT(backend_was_told(&f.backend, "database", "app"));
    fixture_fini(&f);
}

static void
reserved_connections_may_be_unknown(void)
{
    static const char *const rows[][3] = {
        { "setting", "max_connections", "100" },
        { "setting", "superuser_reserved_connections", "3" },
        { "setting", "reserved_connections", "" },
        { "recovery", "", "0" },
        { NULL, NULL, NULL },
    };
    struct fixture f;

    fixture_init(&f);
    ask_and_answer(&f, rows);
    CU_ASSERT_EQUAL(f.code, ERR_NONE);
    CU_ASSERT_EQUAL(f.facts.max_connections, 100);
    CU_ASSERT_EQUAL(f.facts.reserved, 0);
    CU_ASSERT_EQUAL(f.facts.limit_count, 0);
    fixture_fini(&f);
}

static void
nonsense_is_no_answer(void)
{
    static const char *const tables[][3][3] = {
        { { "setting", "max_connections", "many" }, { NULL, NULL, NULL } },
        { { "setting", "max_connections", "-1" }, { NULL, NULL, NULL } },
        { { "setting", "max_connections", "99999999999" }, { NULL, NULL, NULL } },
        { { "setting", "max_connections", "" }, { NULL, NULL, NULL } },
        { { "setting", "what", "1" }, { NULL, NULL, NULL } },
        { { "recovery", "", "0" }, { NULL, NULL, NULL } },
        { { "setting", "max_connections", "100" },
          { "role", "0123456789012345678901234567890123456789012345678901234567890123", "1" },
          { NULL, NULL, NULL } },
        { { NULL, NULL, NULL } },
    };

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        struct fixture f;

        fixture_init(&f);
        ask_and_answer(&f, tables[i]);
        CU_ASSERT_EQUAL(f.code, ERR_PROTOCOL);
        fixture_fini(&f);
    }
}

static void
no_rows_are_no_answer(void)
{
    struct fixture f;

    fixture_init(&f);
    ask(&f, "127.0.0.1", f.backend.port_text);
    backend_accept(&f.backend);
    backend_let_in(&f.backend);
    backend_await_query(&f.backend);
    backend_answer_nothing(&f.backend);
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_EQUAL(f.code, ERR_IO);
    fixture_fini(&f);
}

static void
a_refusal_tells_its_kind(void)
{
    static const struct {
        const char *sqlstate;
        enum err code;
    } table[] = {
        { "28P01", ERR_AUTH }, { "28000", ERR_AUTH },  { "3D000", ERR_AUTH }, { "42501", ERR_AUTH },
        { "08P01", ERR_AUTH }, { "53300", ERR_LIMIT }, { "57P03", ERR_IO },   { "XX000", ERR_IO },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct fixture f;

        fixture_init(&f);
        ask(&f, "127.0.0.1", f.backend.port_text);
        backend_accept(&f.backend);
        backend_refuse(&f.backend, table[i].sqlstate);
        CU_ASSERT(turn_until(f.loop, &f.is_over));
        CU_ASSERT_EQUAL(f.code, table[i].code);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, table[i].sqlstate));
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "this backend refuses"));
        CU_ASSERT_PTR_NULL(strstr(f.why, "backend.c")); /* the LOCATION line */
        CU_ASSERT_PTR_NULL(strchr(f.why, '\n'));
        fixture_fini(&f);
    }
}

static void
the_next_host_is_tried(void)
{
    struct fixture f;
    struct backend second;
    char ports[20];

    fixture_init(&f);
    backend_init(&second, f.loop);
    snprintf(ports, sizeof(ports), "%u,%u", f.backend.port, second.port);
    close(f.backend.listen_fd);
    f.backend.listen_fd = -1;
    ask(&f, "127.0.0.1,127.0.0.1", ports);
    backend_accept(&second);
    backend_refuse(&second, "57P03");
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "57P03"));
    backend_fini(&second);
    fixture_fini(&f);
}

static void
a_refused_connection_is_told(void)
{
    struct fixture f;

    fixture_init(&f);
    close(f.backend.listen_fd);
    f.backend.listen_fd = -1;
    ask(&f, "127.0.0.1", f.backend.port_text);
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_EQUAL(f.code, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "Connection refused"));
    fixture_fini(&f);
}

static void
an_end_in_the_middle_is_told(void)
{
    struct fixture f;

    fixture_init(&f);
    ask(&f, "127.0.0.1", f.backend.port_text);
    backend_accept(&f.backend);
    backend_let_in(&f.backend);
    backend_await_query(&f.backend);
    backend_close(&f.backend);
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_EQUAL(f.code, ERR_IO);
    fixture_fini(&f);
}

static void
silence_ends_in_time(void)
{
    struct fixture f;

    fixture_init(&f);
    ask(&f, "127.0.0.1", f.backend.port_text);
    backend_accept(&f.backend);
    clock_advance_us(&f.clock, 10 * US_PER_S);
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_EQUAL(f.code, ERR_TIMEOUT);
    CU_ASSERT_STRING_EQUAL(f.why, "no answer within 10 s (connecting and logging in)");
    fixture_fini(&f);
}

static void
a_cancelled_question_is_forgotten_at_every_point(void)
{
    for (unsigned stage = 0; stage < 4; stage++) {
        struct fixture f;

        fixture_init(&f);
        ask(&f, "127.0.0.1", f.backend.port_text);
        if (stage > 0)
            backend_accept(&f.backend);
        if (stage > 1)
            backend_let_in(&f.backend);
        if (stage > 2)
            backend_await_query(&f.backend);
        capacity_cancel(f.query);
        f.query = NULL;
        clock_advance_us(&f.clock, 20 * US_PER_S);
        for (unsigned i = 0; i < 5; i++)
            (void)loop_turn(f.loop);
        CU_ASSERT_FALSE(f.is_over);
        fixture_fini(&f);
    }
    capacity_cancel(NULL);
}

static void
a_missing_unix_socket_is_told(void)
{
    struct fixture f;

    fixture_init(&f);
    ask(&f, "/nonexistent", "5432");
    CU_ASSERT(turn_until(f.loop, &f.is_over));
    CU_ASSERT_EQUAL(f.code, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "/nonexistent/.s.PGSQL.5432"));
    fixture_fini(&f);
}

void
suite_capacity(void)
{
    CU_pSuite suite = CU_add_suite("capacity", NULL, NULL);

    CU_ADD_TEST(suite, capacity_is_what_the_reserves_leave);
    CU_ADD_TEST(suite, a_sum_that_does_not_fit_is_cut);
    CU_ADD_TEST(suite, a_limit_keeps_one_for_the_asker);
    CU_ADD_TEST(suite, pools_are_bounded_by_their_size_or_by_their_database);
    CU_ADD_TEST(suite, facts_are_read);
    CU_ADD_TEST(suite, reserved_connections_may_be_unknown);
    CU_ADD_TEST(suite, nonsense_is_no_answer);
    CU_ADD_TEST(suite, no_rows_are_no_answer);
    CU_ADD_TEST(suite, a_refusal_tells_its_kind);
    CU_ADD_TEST(suite, the_next_host_is_tried);
    CU_ADD_TEST(suite, a_refused_connection_is_told);
    CU_ADD_TEST(suite, an_end_in_the_middle_is_told);
    CU_ADD_TEST(suite, silence_ends_in_time);
    CU_ADD_TEST(suite, a_cancelled_question_is_forgotten_at_every_point);
    CU_ADD_TEST(suite, a_missing_unix_socket_is_told);
}
