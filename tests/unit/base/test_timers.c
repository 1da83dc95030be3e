#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/base/timers.h"

void suite_timers(void);

/* A timer that writes its name when it ends, and then does one more thing. */
struct probe {
    struct timer timer;
    struct scene *scene;
    char name;
    void (*then)(struct probe *p);
    struct probe *other; /* what `then` acts upon */
};

struct scene {
    struct timers timers;
    uint64_t now_us;
    char told[64];
    size_t told_len;
};

static void
on_due(struct timer *timer)
{
    struct probe *p = CONTAINER_OF(timer, struct probe, timer);

    CU_ASSERT_FALSE(timer_is_armed(timer));
    p->scene->told[p->scene->told_len++] = p->name;
    if (p->then != NULL)
        p->then(p);
}

static void
scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->now_us = 1000;
    timers_init(&s->timers);
}

static void
probe_init(struct probe *p, struct scene *s, char name)
{
    memset(p, 0, sizeof(*p));
    p->scene = s;
    p->name = name;
    timer_init(&p->timer, on_due);
}

static void
arm(struct probe *p, uint64_t delay_us)
{
    timers_arm(&p->scene->timers, &p->timer, p->scene->now_us, delay_us);
}

/* What ended within the next BY_US. */
static const char *
pass(struct scene *s, uint64_t by_us)
{
    s->now_us += by_us;
    memset(s->told, 0, sizeof(s->told));
    s->told_len = 0;
    timers_run(&s->timers, s->now_us);
    return s->told;
}

static void
nothing_armed_means_never(void)
{
    struct scene s;

    scene_init(&s);
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), TIMERS_NEVER);
    CU_ASSERT_STRING_EQUAL(pass(&s, 1000000), "");
}

static void
a_timer_ends_at_its_time_and_not_before(void)
{
    struct scene s;
    struct probe a;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    CU_ASSERT_FALSE(timer_is_armed(&a.timer));
    arm(&a, 50);
    CU_ASSERT_TRUE(timer_is_armed(&a.timer));
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), 1050);
    CU_ASSERT_STRING_EQUAL(pass(&s, 49), "");
    CU_ASSERT_STRING_EQUAL(pass(&s, 1), "a");
    CU_ASSERT_FALSE(timer_is_armed(&a.timer));
    CU_ASSERT_STRING_EQUAL(pass(&s, 1000), "");
}

static void
timers_end_in_order_of_time_whatever_their_delays(void)
{
    struct scene s;
    struct probe a, b, c, d;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    probe_init(&c, &s, 'c');
    probe_init(&d, &s, 'd');
    arm(&d, 100);
    arm(&b, 20);
    arm(&a, 10);
    s.now_us += 5;
    arm(&c, 20);
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), 1010);
    CU_ASSERT_STRING_EQUAL(pass(&s, 1000), "abcd");
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), TIMERS_NEVER);
}

static void
timers_of_one_delay_end_in_the_order_they_were_armed(void)
{
    struct scene s;
    struct probe a, b, c;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    probe_init(&c, &s, 'c');
    arm(&b, 10);
    arm(&c, 10);
    arm(&a, 10);
    CU_ASSERT_STRING_EQUAL(pass(&s, 10), "bca");
}

static void
a_cancelled_timer_does_not_end(void)
{
    struct scene s;
    struct probe a, b;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    arm(&a, 10);
    arm(&b, 20);
    timer_cancel(&a.timer);
    timer_cancel(&a.timer);
    CU_ASSERT_FALSE(timer_is_armed(&a.timer));
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), 1020);
    CU_ASSERT_STRING_EQUAL(pass(&s, 100), "b");
}

static void
arming_again_moves_the_timer(void)
{
    struct scene s;
    struct probe a, b;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    arm(&a, 10);
    arm(&b, 10);
    s.now_us += 5;
    arm(&a, 10);
    CU_ASSERT_STRING_EQUAL(pass(&s, 5), "b");
    arm(&a, 1000);
    CU_ASSERT_STRING_EQUAL(pass(&s, 999), "");
    CU_ASSERT_STRING_EQUAL(pass(&s, 1), "a");
}

static void
arm_self_again(struct probe *p)
{
    arm(p, 0);
}

static void
a_delay_of_zero_waits_for_the_next_run(void)
{
    struct scene s;
    struct probe a, b;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    a.then = arm_self_again;
    arm(&a, 0);
    arm(&b, 0);
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), s.now_us);
    CU_ASSERT_STRING_EQUAL(pass(&s, 0), "ab");
    CU_ASSERT_STRING_EQUAL(pass(&s, 0), "a");
    CU_ASSERT_STRING_EQUAL(pass(&s, 10), "a");
}

static void
cancel_other(struct probe *p)
{
    timer_cancel(&p->other->timer);
}

static void
a_handler_may_cancel_a_timer_that_is_due_too(void)
{
    struct scene s;
    struct probe a, b, c;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    probe_init(&c, &s, 'c');
    a.then = cancel_other;
    a.other = &b;
    arm(&a, 10);
    arm(&b, 10);
    arm(&c, 20);
    CU_ASSERT_STRING_EQUAL(pass(&s, 20), "ac");
}

static void
free_other_and_self(struct probe *p)
{
    timer_cancel(&p->other->timer);
    free(p->other);
    free(p);
}

static void
a_handler_may_free_itself_and_another(void)
{
    struct scene s;
    struct probe *a = mem_new(sizeof(*a));
    struct probe *b = mem_new(sizeof(*b));
    struct probe c;

    scene_init(&s);
    probe_init(a, &s, 'a');
    probe_init(b, &s, 'b');
    probe_init(&c, &s, 'c');
    a->then = free_other_and_self;
    a->other = b;
    arm(a, 10);
    arm(b, 10);
    arm(&c, 10);
    CU_ASSERT_STRING_EQUAL(pass(&s, 10), "ac");
}

static void
arm_other(struct probe *p)
{
    arm(p->other, 5);
}

static void
a_handler_may_move_a_timer_that_is_due_too(void)
{
    struct scene s;
    struct probe a, b;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    a.then = arm_other;
    a.other = &b;
    arm(&a, 10);
    arm(&b, 10);
    CU_ASSERT_STRING_EQUAL(pass(&s, 10), "a");
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), s.now_us + 5);
    CU_ASSERT_STRING_EQUAL(pass(&s, 5), "b");
}

static void
more_delays_than_lanes_still_end_in_order(void)
{
    struct scene s;
    struct probe probes[2 * TIMERS_DELAYS];
    char expected[2 * TIMERS_DELAYS + 1] = "";

    scene_init(&s);
    for (unsigned i = 0; i < COUNT_OF(probes); i++) {
        unsigned rank = i * 7 % (unsigned)COUNT_OF(probes); /* every rank once, shuffled */

        probe_init(&probes[i], &s, (char)('0' + rank));
        arm(&probes[i], 100 + rank);
        expected[i] = (char)('0' + i);
    }
    CU_ASSERT_EQUAL(s.timers.lane_count, TIMERS_DELAYS);
    CU_ASSERT_FALSE(list_is_empty(&s.timers.sorted));
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), s.now_us + 100);
    CU_ASSERT_STRING_EQUAL(pass(&s, 1000), expected);
}

static void
a_lane_that_fell_empty_serves_another_delay(void)
{
    struct scene s;
    struct probe probes[TIMERS_DELAYS], late;

    scene_init(&s);
    for (unsigned i = 0; i < TIMERS_DELAYS; i++) {
        probe_init(&probes[i], &s, 'x');
        arm(&probes[i], 100 + i);
    }
    timer_cancel(&probes[3].timer);
    probe_init(&late, &s, 'l');
    arm(&late, 7);
    CU_ASSERT_TRUE(list_is_empty(&s.timers.sorted));
    CU_ASSERT_STRING_EQUAL(pass(&s, 7), "l");
}

static void
a_now_that_goes_back_does_not_hold_anyone_up(void)
{
    struct scene s;
    struct probe a, b;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    probe_init(&b, &s, 'b');
    arm(&b, 10);
    s.now_us -= 5;
    arm(&a, 10);
    CU_ASSERT_STRING_EQUAL(pass(&s, 10), "a");
    CU_ASSERT_STRING_EQUAL(pass(&s, 5), "b");
}

static void
a_delay_beyond_numbers_means_never(void)
{
    struct scene s;
    struct probe a;

    scene_init(&s);
    probe_init(&a, &s, 'a');
    arm(&a, TIMERS_NEVER);
    CU_ASSERT_TRUE(timer_is_armed(&a.timer));
    CU_ASSERT_EQUAL(timers_next_us(&s.timers), TIMERS_NEVER);
    CU_ASSERT_STRING_EQUAL(pass(&s, UINT64_C(1) << 60), "");
    timer_cancel(&a.timer);
}

/* Many timers against the simplest possible model: an array of due times. */
#define CROWD 300

static bool crowd_ended[CROWD];
static struct timer crowd[CROWD];

static void
on_crowd_due(struct timer *timer)
{
    crowd_ended[timer - crowd] = true;
}

static void
a_crowd_behaves_like_the_simplest_model(void)
{
    struct timers timers;
    uint64_t due_us[CROWD];
    uint64_t state = 2026, now_us = 0;
    bool right = true;

    timers_init(&timers);
    for (size_t i = 0; i < CROWD; i++) {
        timer_init(&crowd[i], on_crowd_due);
        due_us[i] = TIMERS_NEVER;
    }
    for (int step = 0; step < 20000 && right; step++) {
        size_t i = (size_t)random_between(&state, 0, CROWD - 1);
        uint64_t next_us = TIMERS_NEVER;

        switch (random_between(&state, 0, 3)) {
        case 0:
        case 1: {
            uint64_t delay_us = random_between(&state, 0, 40) * 10;

            timers_arm(&timers, &crowd[i], now_us, delay_us);
            due_us[i] = now_us + delay_us;
            break;
        }
        case 2:
            timer_cancel(&crowd[i]);
            due_us[i] = TIMERS_NEVER;
            break;
        default:
            now_us += random_between(&state, 0, 15);
            memset(crowd_ended, 0, sizeof(crowd_ended));
            timers_run(&timers, now_us);
            for (size_t k = 0; k < CROWD; k++) {
                right = right && crowd_ended[k] == (due_us[k] <= now_us);
                if (crowd_ended[k])
                    due_us[k] = TIMERS_NEVER;
            }
            break;
        }
        for (size_t k = 0; k < CROWD; k++)
            next_us = due_us[k] < next_us ? due_us[k] : next_us;
        right = right && timers_next_us(&timers) == next_us;
    }
    CU_ASSERT_TRUE(right);
}

void
suite_timers(void)
{
    CU_pSuite suite = CU_add_suite("timers", NULL, NULL);

    CU_ADD_TEST(suite, nothing_armed_means_never);
    CU_ADD_TEST(suite, a_timer_ends_at_its_time_and_not_before);
    CU_ADD_TEST(suite, timers_end_in_order_of_time_whatever_their_delays);
    CU_ADD_TEST(suite, timers_of_one_delay_end_in_the_order_they_were_armed);
    CU_ADD_TEST(suite, a_cancelled_timer_does_not_end);
    CU_ADD_TEST(suite, arming_again_moves_the_timer);
    CU_ADD_TEST(suite, a_delay_of_zero_waits_for_the_next_run);
    CU_ADD_TEST(suite, a_handler_may_cancel_a_timer_that_is_due_too);
    CU_ADD_TEST(suite, a_handler_may_free_itself_and_another);
    CU_ADD_TEST(suite, a_handler_may_move_a_timer_that_is_due_too);
    CU_ADD_TEST(suite, more_delays_than_lanes_still_end_in_order);
    CU_ADD_TEST(suite, a_lane_that_fell_empty_serves_another_delay);
    CU_ADD_TEST(suite, a_now_that_goes_back_does_not_hold_anyone_up);
    CU_ADD_TEST(suite, a_delay_beyond_numbers_means_never);
    CU_ADD_TEST(suite, a_crowd_behaves_like_the_simplest_model);
}
