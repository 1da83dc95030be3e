#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "process/pidfile_impl.h"

void suite_pidfile(void);

static void
it_holds_our_number_while_we_live(void)
{
    struct place p;
    struct pidfile *file = NULL;
    struct error why;
    char expected[16], *text;

    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(pidfile_take(place_path(&p, "pid"), &file, &why), ERR_NONE);
    snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    text = place_read(&p, "pid");
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
    pidfile_give(file);
    CU_ASSERT_FALSE(place_has(&p, "pid"));
    place_fini(&p);
}

static void
a_second_one_is_refused(void)
{
    struct place p;
    struct pidfile *file = NULL, *second = NULL;
    struct error why;
    char number[16], *text;

    place_init(&p);
    CU_ASSERT_EQUAL_FATAL(pidfile_take(place_path(&p, "pid"), &file, &why), ERR_NONE);
    CU_ASSERT_EQUAL(pidfile_take(place_path(&p, "pid"), &second, &why), ERR_LIMIT);
    CU_ASSERT_PTR_NULL(second);
    snprintf(number, sizeof(number), "%ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, number));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/pid"));
    text = place_read(&p, "pid");
    CU_ASSERT_NOT_EQUAL(strlen(text), 0); /* it was left alone */
    free(text);
    pidfile_give(file);
    place_fini(&p);
}

/* In a container the process that died may well have had the number of one that lives now. */
static void
one_that_a_crash_left_behind_is_taken_over(void)
{
    struct place p;
    struct pidfile *file = NULL;
    struct error why;
    char *text;

    place_init(&p);
    place_write(&p, "pid", "1234567890 and much more than a number needs\n");
    CU_ASSERT_EQUAL(pidfile_take(place_path(&p, "pid"), &file, &why), ERR_NONE);
    text = place_read(&p, "pid");
    CU_ASSERT_EQUAL(strtol(text, NULL, 10), (long)getpid());
    CU_ASSERT_PTR_NULL(strstr(text, "more"));
    free(text);
    pidfile_give(file);
    place_fini(&p);
}

static void
a_file_that_is_not_ours_any_more_stays(void)
{
    struct place p;
    struct pidfile *file = NULL, *other = NULL;
    struct error why;

    place_init(&p);
    CU_ASSERT_EQUAL(pidfile_take(place_path(&p, "pid"), &file, &why), ERR_NONE);
    unlink(place_path(&p, "pid"));
    CU_ASSERT_EQUAL(pidfile_take(place_path(&p, "pid"), &other, &why), ERR_NONE);
    pidfile_give(file);
    CU_ASSERT(place_has(&p, "pid"));
    pidfile_give(other);
    CU_ASSERT_FALSE(place_has(&p, "pid"));
    pidfile_give(NULL);
    place_fini(&p);
}

static void
a_directory_that_is_missing_is_told(void)
{
    struct pidfile *file = NULL;
    struct error why;

    CU_ASSERT_EQUAL(pidfile_take("/nonexistent/pid", &file, &why), ERR_IO);
    CU_ASSERT_STRING_EQUAL(why.text, "cannot open pidfile \"/nonexistent/pid\": No such file or directory");
}

void
suite_pidfile(void)
{
    CU_pSuite suite = CU_add_suite("pidfile", NULL, NULL);

    CU_ADD_TEST(suite, it_holds_our_number_while_we_live);
    CU_ADD_TEST(suite, a_second_one_is_refused);
    CU_ADD_TEST(suite, one_that_a_crash_left_behind_is_taken_over);
    CU_ADD_TEST(suite, a_file_that_is_not_ours_any_more_stays);
    CU_ADD_TEST(suite, a_directory_that_is_missing_is_told);
}
