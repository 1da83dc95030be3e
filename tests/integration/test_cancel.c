/*
 * test_cancel.c - a cancel request ends the query it was meant for, and never another one.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pgweir/wire/startup.h"
#include "raw.h"

void suite_cancel(void);

static struct weir *
weir(void)
{
    return weir_get(&(struct weir_spec){
        .settings = "default_pool_size = 4\n"
                    "client_tls_sslmode = prefer\n"
                    "client_tls_cert_file = $PGDIR/pgweir.crt\n"
                    "client_tls_key_file = $PGDIR/pgweir.key\n",
    });
}

static void
cancel(PGconn *c)
{
    PGcancel *request = PQgetCancel(c);
    char why[256];

    CU_ASSERT_EQUAL(PQcancel(request, why, sizeof why), 1);
    PQfreeCancel(request);
}

/* Queries like this one that run on the server now. */
static int
running(const char *pattern)
{
    return pg_count(pg_main(),
                    "select count(*) from pg_stat_activity where state = 'active' and usename <> 'postgres' "
                    "and query like '%s'",
                    pattern);
}

static void
cancels_its_query(const char *conninfo)
{
    PGconn *c = dial(weir_port(weir()), "%s", conninfo);

    PQsendQuery(c, "select 'to be cancelled', pg_sleep(60)");
    EVENTUALLY(running("select ''to be cancelled''%") == 1);
    cancel(c);
    SAYS(answer(c), "ERROR 57014 canceling statement due to user request");
    SAYS(ask(c, "select 'goes on'"), "goes on");
    PQfinish(c);
}

static void
a_client_cancels_its_query(void)
{
    cancels_its_query("sslmode=disable");
}

static void
a_client_on_tls_cancels_its_query(void)
{
    cancels_its_query("sslmode=require");
}

static void
a_cancelled_transaction_can_be_rolled_back(void)
{
    PGconn *c = weir_dial(weir());

    SAYS(ask(c, "begin"), "BEGIN");
    PQsendQuery(c, "select 'to be cancelled', pg_sleep(60)");
    EVENTUALLY(running("select ''to be cancelled''%") == 1);
    cancel(c);
    SAYS(answer(c), "ERROR 57014 canceling statement due to user request");
    CU_ASSERT_EQUAL(PQtransactionStatus(c), PQTRANS_INERROR);
    SAYS(ask(c, "rollback"), "ROLLBACK");
    PQfinish(c);
}

static void
cancelling_an_idle_client_harms_nobody(void)
{
    PGconn *idle = weir_dial(weir());
    PGconn *in_transaction = weir_dial(weir());
    PGconn *busy = weir_dial(weir());

    SAYS(ask(idle, "select 1"), "1");
    SAYS(ask(in_transaction, "begin"), "BEGIN");
    PQsendQuery(busy, "select 'unharmed' from pg_sleep(0.3)");
    for (int i = 0; i < 5; i++) {
        cancel(idle);
        cancel(in_transaction);
    }
    SAYS(ask(idle, "select 2"), "2");
    SAYS(ask(in_transaction, "commit"), "COMMIT");
    SAYS(answer(busy), "unharmed");
    PQfinish(idle);
    PQfinish(in_transaction);
    PQfinish(busy);
}

static void
a_client_that_waits_for_a_server_can_be_cancelled(void)
{
    struct weir *w = weir_get(&(struct weir_spec){ .settings = "default_pool_size = 1\n" });
    PGconn *holder = weir_dial_as(w, "analytics_user");
    PGconn *waiter = weir_dial_as(w, "analytics_user");

    SAYS(ask(holder, "begin"), "BEGIN");
    PQsendQuery(waiter, "select 'my turn'");
    cancel(waiter); /* as PostgreSQL's answer to a request that comes too early: nothing happens */
    SAYS(ask(holder, "select 'unharmed'"), "unharmed");
    SAYS(ask(holder, "commit"), "COMMIT");
    answer(waiter);
    SAYS(ask(waiter, "select 'goes on'"), "goes on");
    PQfinish(holder);
    PQfinish(waiter);
}

/* Sends a CancelRequest to W and waits until it closes the connection. */
static void
request_cancel_at(const struct weir *w, uint32_t pid, struct slice secret)
{
    struct raw *r = raw_dial(weir_port(w));
    struct buf out = { 0 };

    build_cancel_request(&out, pid, secret);
    CU_ASSERT(raw_send_buf(r, &out));
    CU_ASSERT(raw_is_closed(r));
    SAYS(raw_heard(r), ""); /* there is never an answer */
    raw_close(r);
}

static void
request_cancel(uint32_t pid, struct slice secret)
{
    request_cancel_at(weir(), pid, secret);
}

static void
a_wrong_key_cancels_nothing(void)
{
    struct raw *victim = raw_open(weir_port(weir()));
    uint8_t secret[64] = { 0 };
    struct slice right = raw_secret(victim);

    CU_ASSERT(raw_send_query(victim, "select 'unharmed' from pg_sleep(1.5)"));
    EVENTUALLY(running("select ''unharmed''%") == 1);
    CU_ASSERT(right.len >= 4 && right.len <= sizeof secret);
    for (size_t bit = 0; bit < right.len * 8; bit += 5) {
        memcpy(secret, right.at, right.len);
        secret[bit / 8] ^= (uint8_t)(1u << bit % 8);
        request_cancel(raw_pid(victim), slice_of(secret, right.len));
    }
    request_cancel(raw_pid(victim) + 1, right);
    request_cancel(raw_pid(victim), slice_of(secret, right.len + 1)); /* too long */
    request_cancel(0, slice_of(secret, 4));
    CU_ASSERT(raw_until(victim, 'Z'));
    CU_ASSERT(strchr(raw_heard(victim), 'E') == NULL);
    raw_close(victim);
}

static void
keys_are_random_and_not_those_of_the_server(void)
{
    struct raw *clients[8];

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = raw_open(weir_port(weir()));
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        CU_ASSERT(raw_pid(clients[i]) > 1u << 22 && raw_pid(clients[i]) <= INT32_MAX); /* no process has it */
        CU_ASSERT_EQUAL(pg_count(pg_main(), "select count(*) from pg_stat_activity where pid = %d",
                                 (int)raw_pid(clients[i])),
                        0);
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(raw_pid(clients[i]) != raw_pid(clients[j]) &&
                      !slice_equal(raw_secret(clients[i]), raw_secret(clients[j])));
    }
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        raw_close(clients[i]);
}

/* --- peers --- */

static const char *
as_peer(unsigned number)
{
    return text("default_pool_size = 4\npeer_id = %u\n", number);
}

/* Tells W who its peers are: 1 and 2, and 9, which leads to the other one of the two. */
static void
introduce(struct weir *w, unsigned number, const struct weir *one, const struct weir *two)
{
    const struct weir *other = number == 1 ? two : one;

    weir_rewrite(w, &(struct weir_spec){
                        .settings = as_peer(number),
                        .users = text("[peers]\n1 = host=127.0.0.1 port=%u\n2 = host=127.0.0.1 port=%u\n"
                                      "9 = host=127.0.0.1 port=%u\n",
                                      weir_port(one), weir_port(two), weir_port(other)),
                    });
    weir_signal(w, SIGHUP);
    EVENTUALLY(weir_logged(w, "peer 9: added"));
}

static void
a_request_at_the_wrong_peer_is_passed_on(void)
{
    struct weir *one = weir_start(&(struct weir_spec){ .settings = as_peer(1) });
    struct weir *two = weir_start(&(struct weir_spec){ .settings = as_peer(2) });
    struct raw *victim;
    uint8_t secret[4] = { 0 };

    introduce(one, 1, one, two);
    introduce(two, 2, one, two);
    victim = raw_open(weir_port(one));
    CU_ASSERT_EQUAL_FATAL(raw_secret(victim).len, sizeof secret);
    CU_ASSERT(raw_send_query(victim, "select 'for a peer', pg_sleep(60)"));
    EVENTUALLY(running("select ''for a peer''%") == 1);

    memcpy(secret, raw_secret(victim).at, sizeof secret);
    secret[3] ^= 1;
    request_cancel_at(two, raw_pid(victim), slice_of(secret, sizeof secret)); /* a wrong key */
    memcpy(secret, raw_secret(victim).at, sizeof secret);
    secret[1] = 9;
    request_cancel_at(two, raw_pid(victim),
                      slice_of(secret, sizeof secret)); /* goes in circles, not for long */
    secret[1] = 77;
    request_cancel_at(two, raw_pid(victim), slice_of(secret, sizeof secret)); /* a peer that nobody knows */
    CU_ASSERT_EQUAL(running("select ''for a peer''%"), 1);

    request_cancel_at(two, raw_pid(victim), raw_secret(victim));
    CU_ASSERT(raw_until(victim, 'Z'));
    CU_ASSERT_STRING_EQUAL(raw_error(victim)->sqlstate, "57014");
    raw_close(victim);
    weir_stop(one);

    request_cancel_at(two, 1, slice_of((const uint8_t[]){ 0xc0, 1, 2, 3 }, 4)); /* a peer that is down */
    CU_ASSERT(weir_logged(two, "did not get through to peer 1"));
    weir_stop(two);
}

/* --- a storm --- */

#define STORM_CLIENTS 24
#define STORM_QUERIES 800u
#define STORM_QUIET_MS 50

/* Most of a victim's queries are over before a cancel arrives on a slow machine; some wait for theirs,
 * however long it takes. */
static void
storm_ask(PGconn *c, unsigned number, bool is_victim)
{
    const char *seconds = !is_victim ? "0.002" : number % 16 == 0 ? "60" : "0.02";

    PQsendQuery(c, text("select %u from pg_sleep(%s)", number, seconds));
}

/*
 * Clients run short queries on few servers; every second one is cancelled again and again, mostly too late.
 * Whoever is never cancelled must never see an error, because a late cancel would hit the server's next
 * client.
 */
static void
a_storm_of_cancels_hits_no_other_query(void)
{
    PGconn *clients[STORM_CLIENTS];
    PGcancel *requests[STORM_CLIENTS];
    struct pollfd polls[STORM_CLIENTS];
    unsigned asked = 0;
    unsigned answered = 0;
    unsigned cancelled = 0;
    unsigned quiet = 0;
    unsigned wrong = 0;
    unsigned bystanders_hit = 0;
    char why[256];
    unsigned numbers[STORM_CLIENTS];

    srand(1);
    for (unsigned i = 0; i < STORM_CLIENTS; i++) {
        clients[i] = dial(weir_port(weir()), i % 4 == 1 ? "sslmode=require" : "sslmode=disable");
        requests[i] = PQgetCancel(clients[i]);
        numbers[i] = asked++;
        storm_ask(clients[i], numbers[i], i % 2 == 1);
    }
    while (answered < STORM_QUERIES && quiet * STORM_QUIET_MS < WAIT_MS) {
        unsigned victim = (unsigned)rand() % (STORM_CLIENTS / 2) * 2 + 1;

        if (rand() % 4 == 0 || quiet > 0)
            PQcancel(requests[victim], why, sizeof why);
        for (unsigned i = 0; i < STORM_CLIENTS; i++)
            polls[i] = (struct pollfd){ .fd = PQsocket(clients[i]), .events = POLLIN };
        if (poll(polls, STORM_CLIENTS, STORM_QUIET_MS) > 0)
            quiet = 0;
        else
            quiet++; /* every server sleeps: only a cancel wakes one */
        for (unsigned i = 0; i < STORM_CLIENTS; i++) {
            const char *told;

            if (!has_answered(clients[i]))
                continue;
            told = answer(clients[i]);
            answered++;
            if (BEGINS(told, "ERROR 57014")) {
                cancelled++;
                bystanders_hit += i % 2 == 0;
            } else {
                wrong += strcmp(told, text("%u", numbers[i])) != 0;
            }
            numbers[i] = asked++;
            storm_ask(clients[i], numbers[i], i % 2 == 1);
        }
    }
    CU_ASSERT(answered >= STORM_QUERIES);
    CU_ASSERT_EQUAL(bystanders_hit, 0);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(cancelled > 0);
    for (unsigned i = 0; i < STORM_CLIENTS; i++) {
        PQfreeCancel(requests[i]);
        PQfinish(clients[i]); /* in the middle of a query: it is cancelled */
    }
    CU_ASSERT(pg_backends(pg_main(), "app_user") <= 4);
}

static const struct test_case cases[] = {
    TEST(a_client_cancels_its_query),
    TEST(a_client_on_tls_cancels_its_query),
    TEST(a_cancelled_transaction_can_be_rolled_back),
    TEST(cancelling_an_idle_client_harms_nobody),
    TEST(a_client_that_waits_for_a_server_can_be_cancelled),
    TEST(a_wrong_key_cancels_nothing),
    TEST(keys_are_random_and_not_those_of_the_server),
    TEST(a_request_at_the_wrong_peer_is_passed_on),
    TEST(a_storm_of_cancels_hits_no_other_query),
};

void
suite_cancel(void)
{
    SUITE("cancel", cases);
}
