/*
 * test_bad_input.c - whatever arrives on the port: a clear PostgreSQL error, or a close where the protocol
 * allows none. Other clients notice nothing, and nothing is left: no descriptor, no memory, no server.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "pgweir/wire/startup.h"
#include "raw.h"
#include "script.h"

void suite_bad_input(void);

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 2\n"
                    "max_login_conn = 200\n"
                    "tcp_defer_accept = 0\n"
                    "client_tls_sslmode = prefer\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n",
    });
}

/* A normal client that is there all the time, and another that comes afterwards. */
static void
expect_good_health(PGconn *bystander)
{
    PGconn *c = weir_dial(weir());

    SAYS(ask(bystander, "select 'unharmed'"), "unharmed");
    SAYS(ask(c, "select 'healthy'"), "healthy");
    PQfinish(c);
}

/* --- before login --- */

/* What those first bytes are answered with: "<SQLSTATE>" of an error, or "closed", or "open". */
static const char *
answer_to(struct slice first)
{
    struct raw *r = raw_dial(weir_port(weir()));
    const char *told;

    raw_send(r, first);
    told = !raw_is_closed(r)                   ? "open"
           : raw_error(r)->sqlstate[0] != '\0' ? text("%s", raw_error(r)->sqlstate)
                                               : "closed";
    raw_close(r);
    return told;
}

#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

struct literal {
    const char *bytes;
    size_t count;
};
/* clang-format off */
#define LITERAL(literal) { literal, sizeof(literal) - 1 }
/* clang-format on */

static void
impossible_lengths_are_refused(void)
{
    PGconn *bystander = weir_dial(weir());

    SAYS(answer_to(BYTES("\0\0\0\0")), "08P01");
    SAYS(answer_to(BYTES("\0\0\0\3")), "08P01");
    SAYS(answer_to(BYTES("\0\0\0\7\0\3\0")), "08P01");
    SAYS(answer_to(BYTES("\377\377\377\377\0\3\0\0")), "08P01");
    SAYS(answer_to(BYTES("\177\377\377\377\0\3\0\0")), "08P01");
    SAYS(answer_to(BYTES("\0\0\047\025\0\3\0\0")), "08P01"); /* 10005 */
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
garbage_is_refused(void)
{
    PGconn *bystander = weir_dial(weir());

    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")), "open");
    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("\r\n\r\n\r\n\r\n")), "open");
    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")), "open");
    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("\x16\x03\x01\0\x05hello")), "open");
    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("p\0\0\0\011secret\0")),
                               "open"); /* a password before startup */
    CU_ASSERT_STRING_NOT_EQUAL(answer_to(BYTES("Q\0\0\0\015select 1\0")), "open");
    expect_good_health(bystander);
    PQfinish(bystander);
}

/* The same of a startup packet of protocol 3.0 with these parameters. */
static const char *
answer_to_parameters(struct slice parameters)
{
    struct buf out = { 0 };
    const char *told;

    buf_add_be32(&out, (uint32_t)parameters.len + 8);
    buf_add_be32(&out, 3u << 16);
    buf_add(&out, parameters);
    told = answer_to(buf_slice(&out));
    buf_release(&out);
    return told;
}

static void
a_startup_packet_must_make_sense(void)
{
    PGconn *bystander = weir_dial(weir());

    SAYS(answer_to_parameters(BYTES("")), "08P01");
    SAYS(answer_to_parameters(BYTES("\0")), "28000"); /* no user */
    SAYS(answer_to_parameters(BYTES("user\0\0\0")), "28000");
    SAYS(answer_to_parameters(BYTES("database\0app\0\0")), "28000");
    SAYS(answer_to_parameters(BYTES("user\0\0")), "08P01"); /* no end */
    SAYS(answer_to_parameters(BYTES("user\0app_user")), "08P01");
    SAYS(answer_to_parameters(BYTES("user\0app_user\0database")), "08P01");
    SAYS(answer_to_parameters(BYTES("user\0app_user\0\0more")), "08P01"); /* something behind the end */
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
other_protocol_versions_are_refused(void)
{
    PGconn *bystander = weir_dial(weir());

    SAYS(answer_to(BYTES("\0\0\0\010\0\2\0\0")), "0A000");
    SAYS(answer_to(BYTES("\0\0\0\010\0\4\0\0")), "0A000");
    SAYS(answer_to(BYTES("\0\0\0\010\0\1\0\0")), "0A000");
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
newer_minor_versions_and_options_are_negotiated(void)
{
    const struct startup_pair pairs[] = { { "user", "app_user" },
                                          { "database", "app" },
                                          { "_pq_.command_compression", "lz4" } };
    struct raw *newer = raw_dial(weir_port(weir()));
    struct raw *same = raw_dial(weir_port(weir()));
    struct buf out = { 0 };

    build_startup(&out, 2, pairs, 3);
    CU_ASSERT(raw_send_buf(newer, &out));
    CU_ASSERT(raw_until(newer, 'R')); /* the login goes on */
    CU_ASSERT_PTR_NOT_NULL(strchr(raw_heard(newer), 'v'));

    build_startup(&out, 0, pairs, 2);
    CU_ASSERT(raw_send_buf(same, &out));
    CU_ASSERT(raw_until(same, 'R'));
    CU_ASSERT_PTR_NULL(strchr(raw_heard(same), 'v'));
    raw_close(newer);
    raw_close(same);
}

static void
a_login_that_breaks_the_protocol_is_refused(void)
{
    static const char *const instead[] = { "Q select 1", "S", "X", "d row" };
    const struct startup_pair user[] = { { "user", "app_user" }, { "database", "app" } };
    PGconn *bystander = weir_dial(weir());

    for (size_t i = 0; i < COUNT_OF(instead); i++) {
        struct raw *r = raw_dial(weir_port(weir()));
        struct buf out = { 0 };

        build_startup(&out, 0, user, COUNT_OF(user));
        CU_ASSERT(raw_send_buf(r, &out));
        CU_ASSERT(raw_until(r, 'R'));
        script_add(&out, instead[i]);
        CU_ASSERT(raw_send_buf(r, &out));
        CU_ASSERT(raw_is_closed(r));
        CU_ASSERT_PTR_NULL(strchr(raw_heard(r), 'Z'));
        raw_close(r);
    }
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
a_password_message_may_lie(void)
{
    static const struct literal lies[] = {
        LITERAL("p\0\0\0\3"),                                      /* shorter than its own length */
        LITERAL("p\377\377\377\377"),                              /* absurdly long */
        LITERAL("p\0\1\0\0"),                                      /* longer than a password may be */
        LITERAL("p\0\0\0\004"),                                    /* empty */
        LITERAL("p\0\0\0\021SCRAM-SHA-256"),                       /* a name without an end */
        LITERAL("p\0\0\0\026SCRAM-SHA-256\0\0\0\1\0"),             /* a length beyond the end */
        LITERAL("p\0\0\0\026SCRAM-SHA-256\0\377\377\377\377"),     /* no response at all */
        LITERAL("p\0\0\0\020NOBODY\0\0\0\0\1n"),                   /* an unknown mechanism */
        LITERAL("p\0\0\0\034SCRAM-SHA-256\0\0\0\0\6n,,n=\0"),      /* no nonce */
        LITERAL("p\0\0\0\037SCRAM-SHA-256\0\0\0\0\011n,,n=,r=\0"), /* an empty nonce */
    };
    const struct startup_pair user[] = { { "user", "app_user" }, { "database", "app" } };
    PGconn *bystander = weir_dial(weir());

    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        struct raw *r = raw_dial(weir_port(weir()));
        struct buf out = { 0 };

        build_startup(&out, 0, user, COUNT_OF(user));
        CU_ASSERT(raw_send_buf(r, &out));
        CU_ASSERT(raw_until(r, 'R'));
        CU_ASSERT(raw_send(r, slice_of(lies[i].bytes, lies[i].count)));
        if (raw_message(r) == 'R') { /* "no response at all" is an invitation to send one */
            script_add(&out, "X");
            raw_send_buf(r, &out);
        }
        CU_ASSERT(raw_is_closed(r));
        CU_ASSERT_PTR_NULL(strchr(raw_heard(r), 'Z'));
        raw_close(r);
    }
    expect_good_health(bystander);
    PQfinish(bystander);
}

/* --- after login --- */

static void
unknown_messages_end_the_session(void)
{
    PGconn *bystander = weir_dial(weir());

    for (int type = 0; type < 256; type += 5) {
        static const char known[] = "QPBDECFSHdcfXp";
        uint8_t message[6] = { (uint8_t)type, 0, 0, 0, 5, 0 };
        struct raw *r;

        if (type != 0 && strchr(known, type) != NULL)
            continue;
        r = raw_open(weir_port(weir()));
        CU_ASSERT(raw_send(r, slice_of(message, sizeof message)));
        CU_ASSERT(raw_is_closed(r));
        SAYS(raw_error(r)->sqlstate, "08P01");
        raw_close(r);
    }
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
impossible_lengths_end_the_session(void)
{
    static const struct literal lies[] = {
        LITERAL("Q\0\0\0\0"),   LITERAL("Q\0\0\0\3"),         LITERAL("S\377\377\377\377"),
        LITERAL("P\200\0\0\0"), LITERAL("B\177\377\377\377"),
    };
    PGconn *bystander = weir_dial(weir());

    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        struct raw *r = raw_open(weir_port(weir()));

        CU_ASSERT(raw_send(r, slice_of(lies[i].bytes, lies[i].count)));
        CU_ASSERT(raw_is_closed(r));
        SAYS(raw_error(r)->sqlstate, "08P01");
        raw_close(r);
    }
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
an_unknown_message_in_a_transaction_rolls_it_back(void)
{
    PGconn *bystander = weir_dial(weir());
    struct raw *r = raw_open(weir_port(weir()));

    CU_ASSERT(raw_send_query(r, "begin; lock table pg_class in access share mode"));
    CU_ASSERT(raw_until(r, 'Z'));
    CU_ASSERT(raw_send(r, BYTES("y\0\0\0\4")));
    CU_ASSERT(raw_is_closed(r));
    SAYS(raw_error(r)->sqlstate, "08P01");
    raw_close(r);
    EVENTUALLY(pg_count(pg_main(), "select count(*) from pg_stat_activity where state like 'idle in tr%%'") ==
               0);
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
messages_with_broken_bodies_get_the_error_of_postgresql(void)
{
    static const struct literal broken[] = {
        LITERAL("Q\0\0\0\4"),           /* no text */
        LITERAL("Q\0\0\0\014select 1"), /* no NUL */
        LITERAL("B\0\0\0\006\0\0"),     /* counts missing */
        LITERAL("P\0\0\0\005x"),        /* a name without an end */
        LITERAL("D\0\0\0\005S"),        /* no name */
        LITERAL("D\0\0\0\006x\0"),      /* neither S nor P */
        LITERAL("E\0\0\0\005\0"),       /* no row count */
        LITERAL("C\0\0\0\004"),         /* nothing */
        LITERAL("F\0\0\0\004"),
    };
    PGconn *bystander = weir_dial(weir());

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct raw *direct = raw_open(pg_main()->port);
        struct raw *pooled = raw_open(weir_port(weir()));
        struct slice bytes = slice_of(broken[i].bytes, broken[i].count);

        raw_send(direct, bytes);
        raw_send(pooled, bytes);
        raw_send(direct, BYTES("S\0\0\0\4"));
        raw_send(pooled, BYTES("S\0\0\0\4"));
        raw_until(direct, 'Z');
        raw_until(pooled, 'Z'); /* or its end: a pooler need not go on */
        SAYS(text("%zu %s", i, raw_error(pooled)->sqlstate), text("%zu %s", i, raw_error(direct)->sqlstate));
        raw_close(direct);
        raw_close(pooled);
    }
    expect_good_health(bystander);
    PQfinish(bystander);
}

/* --- slow and greedy clients --- */

static void
a_client_may_send_one_byte_at_a_time(void)
{
    struct raw *r = raw_dial(weir_port(weir()));
    struct buf out = { 0 };
    struct slice rest;

    build_startup(&out, 0, (const struct startup_pair[]){ { "user", "app_user" }, { "database", "app" } }, 2);
    for (rest = buf_slice(&out); rest.len > 0; rest = slice_skip(rest, 1))
        CU_ASSERT(raw_send(r, slice_of(rest.at, 1)));
    CU_ASSERT(raw_until(r, 'R'));
    buf_release(&out);
    raw_close(r);
}

static void
a_client_that_stops_reading_costs_little_memory(void)
{
    PGconn *bystander = weir_dial(weir());
    unsigned before_kb = weir_rss_kb(weir());
    struct raw *r = raw_open(weir_port(weir()));

    CU_ASSERT(raw_send_query(r, "select repeat('x', 10000) from generate_series(1, 100000)")); /* 1 GB */
    EVENTUALLY(
        pg_count(pg_main(), "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'") == 1);
    if (!HARNESS_SANITIZED)
        CU_ASSERT(weir_rss_kb(weir()) < before_kb + 4096);
    expect_good_health(bystander);
    raw_close(r);
    EVENTUALLY(
        pg_count(pg_main(),
                 "select count(*) from pg_stat_activity where usename = 'app_user' and state = 'active'") ==
        0);
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
a_client_that_sends_and_never_reads_costs_little_memory(void)
{
    PGconn *bystander = weir_dial(weir());
    unsigned before_kb = weir_rss_kb(weir());
    struct raw *r = raw_open(weir_port(weir()));
    struct buf out = { 0 };

    script_add(&out, "Q begin");
    for (int i = 0; i < 20000; i++)
        script_add(&out, "Q select repeat('x', 2000)");
    CU_ASSERT(raw_send_buf(r, &out)); /* reads what comes, as it must, for the server would stop too */
    for (int i = 0; i < 20001; i++)
        CU_ASSERT(raw_until(r, 'Z'));
    if (!HARNESS_SANITIZED)
        CU_ASSERT(weir_rss_kb(weir()) < before_kb + 8192);
    raw_close(r);
    expect_good_health(bystander);
    PQfinish(bystander);
}

static void
connections_that_never_log_in_keep_nobody_out(void)
{
    enum { CONNECTIONS = 1000, AT_A_TIME = 400 };
    PGconn *bystander = weir_dial(weir());
    struct raw *silent[AT_A_TIME] = { 0 };
    struct rlimit files = { 0 };

    getrlimit(RLIMIT_NOFILE, &files);
    CU_ASSERT(files.rlim_cur > AT_A_TIME + 100);
    for (int i = 0; i < CONNECTIONS; i++) {
        raw_close(silent[i % AT_A_TIME]);
        silent[i % AT_A_TIME] = raw_dial(weir_port(weir()));
        raw_send(silent[i % AT_A_TIME], BYTES("\0\0\0\050\0\3")); /* the beginning of a startup packet */
    }
    expect_good_health(bystander);
    EVENTUALLY(weir_fd_count(weir()) < 200 + 60); /* max_login_conn and what else there is */
    for (int i = 0; i < AT_A_TIME; i++)
        raw_close(silent[i]);
    EVENTUALLY(weir_fd_count(weir()) < 60);
    expect_good_health(bystander);
    PQfinish(bystander);
}

/* --- all of it, again and again --- */

static void
throw_garbage(void)
{
    static const struct literal beginnings[] = {
        LITERAL("\0\0\0\3"),
        LITERAL("GET / HTTP/1.0\r\n\r\n"),
        LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        LITERAL("\0\0\0\010\0\2\0\0"),
        LITERAL("p\0\0\0\011secret\0"),
    };
    static const struct literal messages[] = {
        LITERAL("y\0\0\0\4"),     LITERAL("Q\0\0\0\3"),      LITERAL("Q\0\0\1\0select"),
        LITERAL("B\0\020\0\0.."), LITERAL("d\0\0\0\007abc"),
    };

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        struct raw *r = raw_dial(weir_port(weir()));

        raw_send(r, slice_of(beginnings[i].bytes, beginnings[i].count));
        raw_close(r);
    }
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct raw *r = raw_open(weir_port(weir()));

        raw_send(r, slice_of(messages[i].bytes, messages[i].count));
        if (i % 2 == 0)
            raw_abort(r);
        else
            raw_close(r);
    }
}

/* Open descriptors of pgweir, save those of its server connections, of which there may be more or fewer. */
static long
fds_beside_servers(void)
{
    return (long)weir_fd_count(weir()) -
           pg_count(pg_main(), "select count(*) from pg_stat_activity where usename = 'app_user'");
}

static void
nothing_leaks(void)
{
    PGconn *bystander = weir_dial(weir());
    long fds;
    unsigned warm_kb;

    for (int i = 0; i < 30; i++)
        throw_garbage();
    expect_good_health(bystander);
    EVENTUALLY(
        pg_count(pg_main(),
                 "select count(*) from pg_stat_activity where usename = 'app_user' and state <> 'idle'") ==
        0);
    fds = fds_beside_servers();
    warm_kb = weir_rss_kb(weir());
    for (int i = 0; i < 60; i++)
        throw_garbage();
    expect_good_health(bystander);
    EVENTUALLY(fds_beside_servers() <= fds);
    if (!HARNESS_SANITIZED)
        CU_ASSERT(weir_rss_kb(weir()) <= warm_kb + 512);
    PQfinish(bystander);
}

static const struct test_case cases[] = {
    TEST(impossible_lengths_are_refused),
    TEST(garbage_is_refused),
    TEST(a_startup_packet_must_make_sense),
    TEST(other_protocol_versions_are_refused),
    TEST(newer_minor_versions_and_options_are_negotiated),
    TEST(a_login_that_breaks_the_protocol_is_refused),
    TEST(a_password_message_may_lie),
    TEST(unknown_messages_end_the_session),
    TEST(impossible_lengths_end_the_session),
    TEST(an_unknown_message_in_a_transaction_rolls_it_back),
    TEST(messages_with_broken_bodies_get_the_error_of_postgresql),
    TEST(a_client_may_send_one_byte_at_a_time),
    TEST(a_client_that_stops_reading_costs_little_memory),
    TEST(a_client_that_sends_and_never_reads_costs_little_memory),
    TEST(connections_that_never_log_in_keep_nobody_out),
    TEST(nothing_leaks),
};

void
suite_bad_input(void)
{
    SUITE("bad input", cases);
}
