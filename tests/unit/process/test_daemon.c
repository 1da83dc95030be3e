#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "process/daemon_impl.h"

void suite_daemon(void);

static int
be_a_daemon_that_gets_ready(void *arg)
{
    const struct place *p = arg;
    struct daemon d;
    struct error why;
    char text[100];

    daemon_init(&d);
    if (daemon_begin(&d, &why) != ERR_NONE)
        return 9;
    snprintf(text, sizeof(text), "leader %d", getsid(0) == getpid());
    place_write(p, "daemon", text);
    daemon_ready(&d);
    daemon_ready(&d); /* the second time there is nobody to tell */
    return 7;         /* nobody hears it */
}

static int
be_a_daemon_that_fails(void *arg)
{
    struct daemon d;
    struct error why;

    (void)arg;
    daemon_init(&d);
    return daemon_begin(&d, &why) == ERR_NONE ? 7 : 9;
}

static void
who_started_it_leaves_when_it_is_ready(void)
{
    struct place p;
    char *text;

    place_init(&p);
    CU_ASSERT_EQUAL(run_child(be_a_daemon_that_gets_ready, &p), 0);
    text = place_read(&p, "daemon");
    CU_ASSERT_STRING_EQUAL(text, "leader 0");
    free(text);
    place_fini(&p);
}

static void
who_started_it_fails_when_it_fails(void)
{
    CU_ASSERT_EQUAL(run_child(be_a_daemon_that_fails, NULL), 1);
}

static void
a_foreground_process_has_nobody_to_tell(void)
{
    struct daemon d;

    daemon_init(&d);
    daemon_ready(&d);
    CU_ASSERT_NOT_EQUAL(write(STDERR_FILENO, "", 0), -1); /* still there */
}

void
suite_daemon(void)
{
    CU_pSuite suite = CU_add_suite("daemon", NULL, NULL);

    CU_ADD_TEST(suite, who_started_it_leaves_when_it_is_ready);
    CU_ADD_TEST(suite, who_started_it_fails_when_it_fails);
    CU_ADD_TEST(suite, a_foreground_process_has_nobody_to_tell);
}
