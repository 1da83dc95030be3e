#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/base/mem.h"
#include "pgweir/net/loop.h"

void suite_loop(void);

#define THREADS 4
#define LETTERS_EACH 20000

struct diary {
    char text[64];
    size_t len;
};

struct fixture {
    struct clock clock;
    struct loop *loop;
    struct diary diary;
};

static void
fixture_init(struct fixture *f, struct clock clock)
{
    struct error why;

    memset(f, 0, sizeof(*f));
    f->clock = clock;
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
}

static void
fixture_fini(struct fixture *f)
{
    loop_free(f->loop);
}

static void
note(struct fixture *f, char what)
{
    if (f->diary.len + 1 < sizeof(f->diary.text))
        f->diary.text[f->diary.len++] = what;
}

struct noting_chore {
    struct chore chore;
    struct fixture *f;
    char name;
    unsigned again;
};

static void
run_noting_chore(struct chore *chore)
{
    struct noting_chore *c = CONTAINER_OF(chore, struct noting_chore, chore);

    note(c->f, c->name);
    if (c->again > 0) {
        c->again--;
        loop_defer(c->f->loop, chore);
    }
}

struct noting_timer {
    struct timer timer;
    struct fixture *f;
    char name;
    struct chore *then;
};

static void
on_noting_timer(struct timer *timer)
{
    struct noting_timer *t = CONTAINER_OF(timer, struct noting_timer, timer);

    note(t->f, t->name);
    if (t->then != NULL)
        loop_defer(t->f->loop, t->then);
}

struct noting_letter {
    struct letter letter;
    char name;
};

static void
on_noting_letter(struct letter *letter, void *recipient)
{
    note(recipient, CONTAINER_OF(letter, struct noting_letter, letter)->name);
}

static void
a_turn_without_events_does_nothing(void)
{
    struct fixture f;

    fixture_init(&f, clock_fake(0));
    CU_ASSERT_FALSE(loop_turn(f.loop));
    fixture_fini(&f);
}

static void
a_chore_runs_once_when_the_turn_is_over(void)
{
    struct fixture f;
    struct noting_chore c;

    fixture_init(&f, clock_fake(0));
    c = (struct noting_chore){ .chore = { .run = run_noting_chore }, .f = &f, .name = 'c' };
    loop_defer(f.loop, &c.chore);
    loop_defer(f.loop, &c.chore);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "");
    CU_ASSERT_TRUE(loop_turn(f.loop));
    CU_ASSERT_STRING_EQUAL(f.diary.text, "c");
    CU_ASSERT_FALSE(loop_turn(f.loop));
    fixture_fini(&f);
}

static void
a_chore_that_defers_itself_runs_again_in_the_next_turn(void)
{
    struct fixture f;
    struct noting_chore c;

    fixture_init(&f, clock_fake(0));
    c = (struct noting_chore){ .chore = { .run = run_noting_chore }, .f = &f, .name = 'c', .again = 2 };
    loop_defer(f.loop, &c.chore);
    loop_turn(f.loop);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "c");
    loop_turn(f.loop);
    loop_turn(f.loop);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "ccc");
    fixture_fini(&f);
}

struct heap_chore {
    struct chore chore;
};

static void
free_heap_chore(struct chore *chore)
{
    free(CONTAINER_OF(chore, struct heap_chore, chore));
}

static void
a_chore_may_free_itself_and_the_loop_runs_it_before_it_goes(void)
{
    struct fixture f;

    fixture_init(&f, clock_fake(0));
    for (int i = 0; i < 3; i++) {
        struct heap_chore *c = mem_new(sizeof(*c));

        c->chore.run = free_heap_chore;
        loop_defer(f.loop, &c->chore);
        if (i == 1)
            loop_turn(f.loop);
    }
    fixture_fini(&f); /* the address sanitizer would tell of the third */
}

static void
timers_move_only_when_the_fake_clock_does(void)
{
    struct fixture f;
    struct noting_timer t;

    fixture_init(&f, clock_fake(5 * US_PER_S));
    t = (struct noting_timer){ .f = &f, .name = 't' };
    timer_init(&t.timer, on_noting_timer);
    loop_arm(f.loop, &t.timer, 100);
    loop_turn(f.loop);
    clock_advance_us(&f.clock, 99);
    loop_turn(f.loop);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "");
    clock_advance_us(&f.clock, 1);
    CU_ASSERT_TRUE(loop_turn(f.loop));
    CU_ASSERT_STRING_EQUAL(f.diary.text, "t");
    CU_ASSERT_FALSE(timer_is_armed(&t.timer));
    fixture_fini(&f);
}

static void
a_turn_does_timers_then_letters_then_chores(void)
{
    struct fixture f;
    struct noting_chore c;
    struct noting_timer early, late;
    struct noting_letter one = { .letter = { .on_arrival = on_noting_letter }, .name = '1' };
    struct noting_letter two = { .letter = { .on_arrival = on_noting_letter }, .name = '2' };

    fixture_init(&f, clock_fake(0));
    c = (struct noting_chore){ .chore = { .run = run_noting_chore }, .f = &f, .name = 'c' };
    early = (struct noting_timer){ .f = &f, .name = 'e', .then = &c.chore };
    late = (struct noting_timer){ .f = &f, .name = 'l' };
    timer_init(&early.timer, on_noting_timer);
    timer_init(&late.timer, on_noting_timer);
    CU_ASSERT_TRUE(loop_post(f.loop, &one.letter));
    CU_ASSERT_TRUE(loop_post(f.loop, &two.letter));
    loop_arm(f.loop, &late.timer, 20);
    loop_arm(f.loop, &early.timer, 10);
    clock_advance_us(&f.clock, 30);
    loop_turn(f.loop);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "el12c");
    fixture_fini(&f);
}

static void
a_cancelled_timer_is_silent_and_the_next_one_still_rings(void)
{
    struct fixture f;
    struct noting_timer x, y;

    fixture_init(&f, clock_fake(0));
    x = (struct noting_timer){ .f = &f, .name = 'x' };
    y = (struct noting_timer){ .f = &f, .name = 'y' };
    timer_init(&x.timer, on_noting_timer);
    timer_init(&y.timer, on_noting_timer);
    loop_arm(f.loop, &x.timer, 10);
    loop_arm(f.loop, &y.timer, 20);
    timer_cancel(&x.timer);
    clock_advance_us(&f.clock, 20);
    loop_turn(f.loop);
    CU_ASSERT_STRING_EQUAL(f.diary.text, "y");
    fixture_fini(&f);
}

struct clock_reader {
    struct chore chore;
    struct fixture *f;
    uint64_t first_us, second_us;
};

static void
read_clock_twice(struct chore *chore)
{
    struct clock_reader *c = CONTAINER_OF(chore, struct clock_reader, chore);

    c->first_us = loop_now_us(c->f->loop);
    clock_advance_us(&c->f->clock, 50);
    c->second_us = loop_now_us(c->f->loop);
}

static void
the_time_stands_still_within_a_turn_and_is_fresh_outside(void)
{
    struct fixture f;
    struct clock_reader c;

    fixture_init(&f, clock_fake(1000));
    c = (struct clock_reader){ .chore = { .run = read_clock_twice }, .f = &f };
    loop_defer(f.loop, &c.chore);
    loop_turn(f.loop);
    CU_ASSERT_EQUAL(c.first_us, 1000);
    CU_ASSERT_EQUAL(c.second_us, 1000);
    CU_ASSERT_EQUAL(loop_now_us(f.loop), 1050);
    clock_advance_us(&f.clock, 1);
    CU_ASSERT_EQUAL(loop_now_us(f.loop), 1051);
    fixture_fini(&f);
}

static void
a_full_mailbox_refuses_and_leaves_the_letter_with_its_sender(void)
{
    struct fixture f;
    struct noting_letter *letters = mem_new((LOOP_MOST_LETTERS + 1) * sizeof(*letters));

    fixture_init(&f, clock_fake(0));
    for (unsigned i = 0; i <= LOOP_MOST_LETTERS; i++)
        letters[i].letter.on_arrival = on_noting_letter;
    for (unsigned i = 0; i < LOOP_MOST_LETTERS; i++)
        if (!loop_post(f.loop, &letters[i].letter))
            CU_FAIL_FATAL("refused too early");
    CU_ASSERT_FALSE(loop_post(f.loop, &letters[LOOP_MOST_LETTERS].letter));
    loop_turn(f.loop);
    CU_ASSERT_TRUE(loop_post(f.loop, &letters[LOOP_MOST_LETTERS].letter));
    fixture_fini(&f);
    free(letters);
}

/* Threads */

struct sender {
    pthread_t thread;
    struct loop *to;
    unsigned id;
    struct numbered {
        struct letter letter;
        unsigned sender, number;
    } letters[LETTERS_EACH];
};

struct recipient {
    struct clock clock;
    struct loop *loop;
    unsigned next_number[THREADS];
    unsigned arrived;
    bool is_out_of_order;
};

static void
on_numbered(struct letter *letter, void *arg)
{
    struct recipient *r = arg;
    struct numbered *n = CONTAINER_OF(letter, struct numbered, letter);

    if (r->next_number[n->sender]++ != n->number)
        r->is_out_of_order = true;
    if (++r->arrived == THREADS * LETTERS_EACH)
        loop_stop(r->loop);
}

static void *
send_all(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < LETTERS_EACH; i++) {
        s->letters[i] = (struct numbered){ { .on_arrival = on_numbered }, s->id, i };
        while (!loop_post(s->to, &s->letters[i].letter))
            continue;
        if (i % 1000 == 0) { /* let the loop fall asleep now and then */
            struct timespec t = { .tv_nsec = 200000 };

            nanosleep(&t, NULL);
        }
    }
    return NULL;
}

static void
letters_of_several_threads_all_arrive_each_thread_in_order(void)
{
    struct sender *senders = mem_new(THREADS * sizeof(*senders));
    struct recipient r = { .clock = clock_real() };
    struct error why;

    r.loop = loop_new(&r.clock, &r, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r.loop);
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i].to = r.loop;
        senders[i].id = i;
        pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
    }
    loop_run(r.loop);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    CU_ASSERT_EQUAL(r.arrived, THREADS * LETTERS_EACH);
    CU_ASSERT_FALSE(r.is_out_of_order);
    loop_free(r.loop);
    free(senders);
}

/* Two loops that play ball: each throw must wake a loop that sleeps. */
struct player {
    struct clock clock;
    struct loop *loop;
    struct player *other;
    unsigned catches;
};

struct ball {
    struct letter letter;
    unsigned throws_left;
};

static void
on_ball(struct letter *letter, void *arg)
{
    struct player *me = arg;
    struct ball *ball = CONTAINER_OF(letter, struct ball, letter);

    me->catches++;
    if (ball->throws_left == 0) {
        loop_stop(me->loop);
        loop_stop(me->other->loop);
        return;
    }
    ball->throws_left--;
    (void)!loop_post(me->other->loop, letter);
}

static void *
play(void *arg)
{
    loop_run(((struct player *)arg)->loop);
    return NULL;
}

static void
a_letter_wakes_a_loop_that_sleeps(void)
{
    struct player a = { .clock = clock_real() }, b = { .clock = clock_real() };
    struct ball ball = { .letter = { .on_arrival = on_ball }, .throws_left = 4999 };
    struct error why;
    pthread_t thread;

    a.loop = loop_new(&a.clock, &a, &why);
    b.loop = loop_new(&b.clock, &b, &why);
    CU_ASSERT_TRUE_FATAL(a.loop != NULL && b.loop != NULL);
    a.other = &b;
    b.other = &a;
    pthread_create(&thread, NULL, play, &b);
    CU_ASSERT_TRUE(loop_post(a.loop, &ball.letter));
    loop_run(a.loop);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(a.catches + b.catches, 5000);
    loop_free(a.loop);
    loop_free(b.loop);
}

static void *
stop_soon(void *arg)
{
    struct timespec t = { .tv_nsec = 5000000 };

    nanosleep(&t, NULL);
    loop_stop(arg);
    return NULL;
}

static void
a_stop_from_another_thread_ends_the_run_and_a_stop_before_it_too(void)
{
    struct fixture f;
    pthread_t thread;

    fixture_init(&f, clock_real());
    pthread_create(&thread, NULL, stop_soon, f.loop);
    loop_run(f.loop);
    pthread_join(thread, NULL);
    loop_stop(f.loop);
    loop_run(f.loop);
    fixture_fini(&f);
}

struct stopping_timer {
    struct timer timer;
    struct fixture *f;
    uint64_t rang_us;
};

static void
on_stopping_timer(struct timer *timer)
{
    struct stopping_timer *t = CONTAINER_OF(timer, struct stopping_timer, timer);

    t->rang_us = loop_now_us(t->f->loop);
    loop_stop(t->f->loop);
}

static void
a_running_loop_wakes_up_for_its_earliest_timer(void)
{
    struct fixture f;
    struct stopping_timer late, early;
    uint64_t began_us;

    fixture_init(&f, clock_real());
    late = (struct stopping_timer){ .f = &f };
    early = (struct stopping_timer){ .f = &f };
    timer_init(&late.timer, on_stopping_timer);
    timer_init(&early.timer, on_stopping_timer);
    began_us = loop_now_us(f.loop);
    loop_arm(f.loop, &late.timer, 60 * US_PER_S);
    loop_arm(f.loop, &early.timer, 8 * US_PER_MS);
    loop_run(f.loop);
    CU_ASSERT_TRUE(early.rang_us >= began_us + 8 * US_PER_MS);
    CU_ASSERT_TRUE(early.rang_us < began_us + 5 * US_PER_S);
    CU_ASSERT_EQUAL(late.rang_us, 0);
    timer_cancel(&late.timer);
    fixture_fini(&f);
}

struct deferring_timer {
    struct timer timer;
    struct noting_chore chore;
};

static void
on_deferring_timer(struct timer *timer)
{
    struct deferring_timer *t = CONTAINER_OF(timer, struct deferring_timer, timer);

    loop_defer(t->chore.f->loop, &t->chore.chore);
}

static void
stop_after_noting(struct chore *chore)
{
    struct noting_chore *c = CONTAINER_OF(chore, struct noting_chore, chore);

    run_noting_chore(chore);
    if (c->again == 0)
        loop_stop(c->f->loop);
}

static void
a_running_loop_does_not_sleep_on_a_chore(void)
{
    struct fixture f;
    struct deferring_timer t;
    uint64_t began_us;

    fixture_init(&f, clock_real());
    memset(&t, 0, sizeof(t));
    t.chore = (struct noting_chore){ { .run = stop_after_noting }, &f, 'c', 10 };
    timer_init(&t.timer, on_deferring_timer);
    began_us = loop_now_us(f.loop);
    loop_arm(f.loop, &t.timer, 0);
    loop_run(f.loop);
    CU_ASSERT_EQUAL(f.diary.len, 10);
    CU_ASSERT_TRUE(loop_now_us(f.loop) - began_us < US_PER_S);
    fixture_fini(&f);
}

void
suite_loop(void)
{
    CU_pSuite suite = CU_add_suite("loop", NULL, NULL);

    CU_ADD_TEST(suite, a_turn_without_events_does_nothing);
    CU_ADD_TEST(suite, a_chore_runs_once_when_the_turn_is_over);
    CU_ADD_TEST(suite, a_chore_that_defers_itself_runs_again_in_the_next_turn);
    CU_ADD_TEST(suite, a_chore_may_free_itself_and_the_loop_runs_it_before_it_goes);
    CU_ADD_TEST(suite, timers_move_only_when_the_fake_clock_does);
    CU_ADD_TEST(suite, a_turn_does_timers_then_letters_then_chores);
    CU_ADD_TEST(suite, a_cancelled_timer_is_silent_and_the_next_one_still_rings);
    CU_ADD_TEST(suite, the_time_stands_still_within_a_turn_and_is_fresh_outside);
    CU_ADD_TEST(suite, a_full_mailbox_refuses_and_leaves_the_letter_with_its_sender);
    CU_ADD_TEST(suite, letters_of_several_threads_all_arrive_each_thread_in_order);
    CU_ADD_TEST(suite, a_letter_wakes_a_loop_that_sleeps);
    CU_ADD_TEST(suite, a_stop_from_another_thread_ends_the_run_and_a_stop_before_it_too);
    CU_ADD_TEST(suite, a_running_loop_wakes_up_for_its_earliest_timer);
    CU_ADD_TEST(suite, a_running_loop_does_not_sleep_on_a_chore);
}
