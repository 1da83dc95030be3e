/*
 * test_state_crowd.c - many clients with sessions of their own on few servers. Each transaction of each
 * client checks that the session is its own: its setting, its role, its channels, locks and temporary tables,
 * and nobody else's, while others change theirs, fail, are cancelled and go away.
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void suite_state_crowd(void);

/* Hundreds in the plain build, for a few rounds; less and longer under sanitizers. */
#define CLIENTS 200
#define SERVERS 3
#define ROUNDS (HARNESS_SANITIZED ? 15 : 6)
#define MOST_KEPT (SERVERS - 1) /* clients that keep a server: the others need one too */

static const char *const roles[] = { "app_user", "hat_one", "hat_two" };

struct mind { /* what a client thinks of its session */
    PGconn *c;
    char who[24];
    unsigned role;
    unsigned channels, locks;
    bool has_table;
    char expected[64];
    bool may_fail;
};

struct crowd {
    struct weir *weir;
    struct mind minds[CLIENTS];
    unsigned clients;
    unsigned names; /* so that no value is ever used twice */
    unsigned wrong;
};

static unsigned
pick(unsigned count)
{
    return (unsigned)rand() % count;
}

static bool
is_kept(const struct mind *m)
{
    return m->channels + m->locks > 0 || m->has_table;
}

static unsigned
kept_count(const struct crowd *crowd)
{
    unsigned count = 0;

    for (unsigned i = 0; i < crowd->clients; i++)
        count += is_kept(&crowd->minds[i]);
    return count;
}

static void
enter(struct crowd *crowd, struct mind *m)
{
    *m = (struct mind){ .c = NULL };
    snprintf(m->who, sizeof m->who, "born%u", ++crowd->names);
    m->c = dial(weir_port(crowd->weir), "options='-c app.who=%s'", m->who);
    SAYS(dial_error(m->c), "");
}

#define CHECK                                                                                                          \
    "select concat_ws(' ', current_setting('app.who'), current_user, (select count(*) from pg_listening_channels()), " \
    "(select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), "                         \
    "(select count(*) from pg_class where relnamespace = pg_my_temp_schema()))"

/* Sends the check with something done before it in the same transaction or behind; what it must answer is
 * noted. */
static void
act(struct crowd *crowd, struct mind *m)
{
    const char *before = "";
    const char *behind = "";
    struct mind then = *m;

    switch (pick(12)) {
    case 0:
        snprintf(then.who, sizeof then.who, "set%u", ++crowd->names);
        before = text("set app.who = '%s';", then.who);
        break;
    case 1:
        snprintf(then.who, sizeof then.who, "conf%u", ++crowd->names);
        before = text("select set_config('app.who', '%s', false);", then.who);
        break;
    case 2:
        before = "set local work_mem = '5MB'; begin; set app.who = 'undone'; set role hat_one; rollback;";
        break;
    case 3:
        then.role = pick(COUNT_OF(roles));
        before = text("set role %s;", then.role == 0 ? "none" : roles[then.role]);
        break;
    case 4:
        if (is_kept(m) || kept_count(crowd) < MOST_KEPT) {
            then.channels = 1;
            before = "begin; listen news; commit;";
        }
        break;
    case 5:
        if (is_kept(m) || kept_count(crowd) < MOST_KEPT) {
            then.locks++;
            before = text("select pg_advisory_lock(%u);", ++crowd->names);
        }
        break;
    case 6:
        if (m->role == 0 && !m->has_table && (is_kept(m) || kept_count(crowd) < MOST_KEPT)) {
            then.has_table = true;
            before = "create temp table own ();";
        }
        break;
    case 7:
        if (m->role == 0) {
            then.channels = then.locks = 0;
            then.has_table = false;
            before =
                "begin; unlisten *; commit; select pg_advisory_unlock_all(); drop table if exists pg_temp.own;";
        }
        break;
    case 8:
        behind = "; set app.who = 'never'; select 1 / 0";
        break;
    default:
        break;
    }
    *m = then;
    snprintf(m->expected, sizeof m->expected, "%s",
             text("%s %s %u %u %u", m->who, roles[m->role], m->channels, m->locks, m->has_table));
    m->may_fail = behind[0] != '\0';
    PQsendQuery(m->c, text("%s" CHECK "%s", before, behind));
}

/* The last row that came. */
static void
hear(struct crowd *crowd, struct mind *m)
{
    const char *told = "";
    PGresult *r;

    while ((r = PQgetResult(m->c)) != NULL) {
        if (PQresultStatus(r) == PGRES_TUPLES_OK)
            told = text("%s", PQgetvalue(r, 0, 0));
        else if (PQresultStatus(r) != PGRES_COMMAND_OK && !m->may_fail)
            told = result_text(r);
        PQclear(r);
    }
    if (strcmp(told, m->expected) != 0 && crowd->wrong++ < 5)
        SAYS(told, m->expected);
}

/* A query of M is cancelled, which must hit nobody else. */
static void
cancel_one(struct mind *m)
{
    PGcancel *cancel = PQgetCancel(m->c);
    char why[256];

    PQsendQuery(m->c, "begin; set app.who = 'cancelled'; select pg_sleep(0.05)");
    PQcancel(cancel, why, sizeof why);
    PQfreeCancel(cancel);
    (void)answer(m->c);
    (void)ask(m->c, "rollback");
}

static void
everybody_meets_only_its_own_session(void)
{
    struct crowd crowd = { .weir = weir_get(&(struct weir_spec){
                               .settings = text("pool_mode = transaction\ndefault_pool_size = %d\n"
                                                "max_client_conn = 300\n",
                                                SERVERS) }) };

    pg_ask(pg_main(),
           "do $$ begin create role hat_one; create role hat_two; exception when duplicate_object then null; "
           "end $$; grant hat_one, hat_two to app_user");
    srand(1);
    crowd.clients = WORK(CLIENTS);
    for (unsigned i = 0; i < crowd.clients; i++)
        enter(&crowd, &crowd.minds[i]);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < crowd.clients; i++)
            act(&crowd, &crowd.minds[i]);
        for (unsigned i = 0; i < crowd.clients; i++) {
            struct mind *m = &crowd.minds[i];

            if (pick(20) == 0) { /* without waiting */
                PQfinish(m->c);
                enter(&crowd, m);
                continue;
            }
            hear(&crowd, m);
            if (pick(100) == 0)
                cancel_one(m);
        }
    }
    CU_ASSERT_EQUAL(crowd.wrong, 0);
    for (unsigned i = 0; i < crowd.clients; i++)
        PQfinish(crowd.minds[i].c);
    EVENTUALLY(pg_count(pg_main(), "select count(*) from pg_locks where locktype = 'advisory'") == 0);
    pg_ask(pg_main(), "drop role hat_one; drop role hat_two");
}

void
suite_state_crowd(void)
{
    static const struct test_case cases[] = { TEST(everybody_meets_only_its_own_session) };

    SUITE("state of a crowd", cases);
}
