/* test_helpers.c - questions that may block: answered in threads of their own, so many at once and so many
 * waiting. */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <string.h>

#include "control/helpers_impl.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/mem.h"

void suite_helpers(void);

#define MANY 400u /* more than run and wait */

struct fixture {
    struct clock clock;
    struct loop *loop; /* whose thread asks */
    struct helpers *helpers;
    unsigned given, refused, shut_down; /* how asks came back */
    unsigned out;                       /* under way */
};

/* While it is closed, whoever is asked hangs. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t is_open;
    bool is_closed;
    unsigned inside; /* who hang there */
    unsigned asked;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .is_open = PTHREAD_COND_INITIALIZER };

static void
answer(struct secret_ask *ask)
{
    pthread_mutex_lock(&gate.lock);
    gate.asked++;
    gate.inside++;
    while (gate.is_closed)
        pthread_cond_wait(&gate.is_open, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
    ask->outcome = SECRET_GIVEN;
    ask->secret = mem_text(ask->user);
}

static unsigned
look(const unsigned *count)
{
    unsigned seen;

    pthread_mutex_lock(&gate.lock);
    seen = *count;
    pthread_mutex_unlock(&gate.lock);
    return seen;
}

static void
set_gate(bool is_closed)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_closed = is_closed;
    pthread_cond_broadcast(&gate.is_open);
    pthread_mutex_unlock(&gate.lock);
}

static void
on_answer(void *asker, struct secret_ask *ask)
{
    struct fixture *f = asker;

    f->out--;
    if (ask->outcome == SECRET_GIVEN) {
        CU_ASSERT_STRING_EQUAL(ask->secret, "joe");
        f->given++;
    } else if (strcmp(ask->why.sqlstate, SQLSTATE_TOO_MANY_CONNECTIONS) == 0) {
        f->refused++;
    } else {
        CU_ASSERT_STRING_EQUAL(ask->why.sqlstate, SQLSTATE_ADMIN_SHUTDOWN);
        f->shut_down++;
    }
}

static void
fixture_init(struct fixture *f)
{
    struct error why;

    memset(f, 0, sizeof(*f));
    f->clock = clock_real();
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    f->helpers = helpers_new(answer);
    pthread_mutex_lock(&gate.lock);
    gate.asked = 0;
    pthread_mutex_unlock(&gate.lock);
}

static struct secret_ask *
fixture_ask(struct fixture *f)
{
    struct secret_ask *ask = mem_new(sizeof(*ask));

    ask->source = SECRET_OF_SYSTEM;
    ask->user = mem_text("joe");
    ask->worker_loop = f->loop;
    ask->asker = f;
    ask->on_answer = on_answer;
    atomic_init(&ask->is_forgotten, false);
    f->out++;
    helpers_take(f->helpers, ask);
    return ask;
}

static void
fixture_await_all(struct fixture *f)
{
    while (f->out > 0) /* the harness ends a run that hangs */
        (void)loop_turn(f->loop);
}

static void
fixture_fini(struct fixture *f)
{
    helpers_free(f->helpers);
    fixture_await_all(f);
    loop_free(f->loop);
}

static void
answers_come_back_to_the_loop_that_asked(void)
{
    struct fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 50; i++)
        (void)fixture_ask(&f);
    fixture_await_all(&f);
    CU_ASSERT_EQUAL(f.given, 50);
    fixture_fini(&f);
}

static void
too_many_at_once_are_refused(void)
{
    struct fixture f;

    set_gate(true);
    fixture_init(&f);
    for (unsigned i = 0; i < MANY; i++)
        (void)fixture_ask(&f);
    set_gate(false);
    fixture_await_all(&f);
    CU_ASSERT(f.refused > 0);
    CU_ASSERT(f.given >= 256);
    CU_ASSERT_EQUAL(f.given + f.refused, MANY);
    (void)fixture_ask(&f); /* there is room again */
    fixture_await_all(&f);
    CU_ASSERT_EQUAL(f.given + f.refused, MANY + 1);
    fixture_fini(&f);
}

/* Whose client has left need not be found out. */
static void
forgotten_ones_are_skipped(void)
{
    struct secret_ask *asks[20];
    struct fixture f;
    unsigned asked;

    set_gate(true);
    fixture_init(&f);
    for (unsigned i = 0; i < COUNT_OF(asks); i++)
        asks[i] = fixture_ask(&f);
    while (look(&gate.inside) < 4) /* all threads hang */
        (void)loop_turn(f.loop);
    for (unsigned i = 0; i < COUNT_OF(asks); i++) {
        asks[i]->asker = NULL;
        atomic_store(&asks[i]->is_forgotten, true);
    }
    f.out = 0;
    set_gate(false);
    helpers_free(f.helpers);
    asked = look(&gate.asked);
    CU_ASSERT_EQUAL(asked, 4);
    while (loop_turn(f.loop)) /* the last ones come home */
        continue;
    loop_free(f.loop);
}

static void
at_the_end_those_who_wait_are_told(void)
{
    struct fixture f;

    set_gate(true);
    fixture_init(&f);
    for (unsigned i = 0; i < 20; i++)
        (void)fixture_ask(&f);
    while (look(&gate.inside) < 4)
        (void)loop_turn(f.loop);
    set_gate(false);
    fixture_fini(&f);
    CU_ASSERT(f.given >= 4); /* those that were under way */
    CU_ASSERT_EQUAL(f.given + f.shut_down, 20);
}

void
suite_helpers(void)
{
    CU_pSuite suite = CU_add_suite("helpers", NULL, NULL);

    CU_ADD_TEST(suite, answers_come_back_to_the_loop_that_asked);
    CU_ADD_TEST(suite, too_many_at_once_are_refused);
    CU_ADD_TEST(suite, forgotten_ones_are_skipped);
    CU_ADD_TEST(suite, at_the_end_those_who_wait_are_told);
}
