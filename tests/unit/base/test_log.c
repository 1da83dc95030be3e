#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"

void suite_log(void);

/* A log file in a directory of its own; stderr is quiet. */
struct fixture {
    char dir[64];
    char file[96];
    char rotated[96];
};

static void
fixture_init(struct fixture *f, enum log_level most)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/pgweir-log-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->dir));
    snprintf(f->file, sizeof(f->file), "%s/log", f->dir);
    snprintf(f->rotated, sizeof(f->rotated), "%s/log.1", f->dir);
    CU_ASSERT_EQUAL_FATAL(log_open(f->file, true, most, NULL), ERR_NONE);
}

static void
fixture_fini(struct fixture *f)
{
    log_close();
    unlink(f->file);
    unlink(f->rotated);
    rmdir(f->dir);
}

/* All of the file's text; free() it. */
static char *
text_in(const char *file)
{
    struct stat st;
    char *text;
    ssize_t got;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0)
        return mem_text("");
    text = mem_new((size_t)st.st_size + 1);
    got = read(fd, text, (size_t)st.st_size);
    CU_ASSERT_EQUAL(got, st.st_size);
    close(fd);
    return text;
}

static bool
matches(const char *text, const char *pattern)
{
    regex_t re;
    bool found;

    CU_ASSERT_EQUAL_FATAL(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

/* The words that log_line() writes for MESSAGE, without date, pid and newline; free() it. */
static char *
written_for(const char *message)
{
    struct fixture f;
    char *text, *words;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    log_line(LOG_NOTICE_LEVEL, "%s", message);
    text = text_in(f.file);
    fixture_fini(&f);
    words = strstr(text, "] LOG ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(words);
    words = mem_text(words + strlen("] LOG "));
    CU_ASSERT_EQUAL(words[strlen(words) - 1], '\n');
    words[strlen(words) - 1] = '\0';
    free(text);
    return words;
}

static void
is_written_as(const char *message, const char *expected)
{
    char *written = written_for(message);

    CU_ASSERT_STRING_EQUAL(written, expected);
    free(written);
}

static void
a_line_has_time_pid_word_and_text(void)
{
    struct fixture f;
    char pid[32];
    char *text;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    log_line(LOG_NOTICE_LEVEL, "C-%s: login refused: %d", "0x1", 7);
    text = text_in(f.file);
    CU_ASSERT_TRUE(matches(text,
                           "^20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}"
                           " UTC \\[[0-9]+\\] LOG C-0x1: login refused: 7\n$"));
    snprintf(pid, sizeof(pid), "[%ld]", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(text, pid));
    free(text);
    fixture_fini(&f);
}

static void
every_level_has_pgbouncers_word(void)
{
    static const char *const words[] = { "FATAL", "ERROR", "WARNING", "LOG", "LOG", "DEBUG" };

    for (int level = LOG_FATAL_LEVEL; level <= LOG_DEBUG_LEVEL; level++) {
        struct fixture f;
        char expected[32];
        char *text;

        fixture_init(&f, LOG_DEBUG_LEVEL);
        log_line((enum log_level)level, "x");
        text = text_in(f.file);
        snprintf(expected, sizeof(expected), "] %s x\n", words[level]);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
        free(text);
        fixture_fini(&f);
    }
}

static void
what_nobody_wants_is_not_written(void)
{
    struct fixture f;
    char *text;

    fixture_init(&f, LOG_WARNING_LEVEL);
    CU_ASSERT_TRUE(log_wants(LOG_FATAL_LEVEL));
    CU_ASSERT_TRUE(log_wants(LOG_WARNING_LEVEL));
    CU_ASSERT_FALSE(log_wants(LOG_NOTICE_LEVEL));
    log_line(LOG_NOTICE_LEVEL, "unwanted");
    log_line(LOG_WARNING_LEVEL, "wanted");
    text = text_in(f.file);
    CU_ASSERT_PTR_NULL(strstr(text, "unwanted"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "] WARNING wanted\n"));
    free(text);
    fixture_fini(&f);
}

static void
a_peer_cannot_forge_a_line(void)
{
    is_written_as("user \"x\n2026-03-01 FATAL fake\"", "user \"x\\n2026-03-01 FATAL fake\"");
    is_written_as("a\rb\tc\bd\ae\vf\fg", "a\\rb\\tc\\bd\\ae\\vf\\fg");
    is_written_as("\x1b[2J\x7f\x01", "\\x1b[2J\\x7f\\x01");
}

static void
utf_8_is_kept_and_what_only_looks_like_it_is_escaped(void)
{
    is_written_as("Zürich 東京 🐘 …", "Zürich 東京 🐘 …");
    is_written_as("\xc2\x85"
                  "c1",
                  "\\xc2\\x85c1");
    is_written_as("\xc2\x9b"
                  "c1",
                  "\\xc2\\x9bc1");
    is_written_as("\xc2\xa0nbsp", "\xc2\xa0nbsp");
    is_written_as("\x80\xbf", "\\x80\\xbf");
    is_written_as("\xff\xfe", "\\xff\\xfe");
    is_written_as("\xc0\x8a", "\\xc0\\x8a");
    is_written_as("\xe0\x82\x85", "\\xe0\\x82\\x85");
    is_written_as("\xed\xa0\x80", "\\xed\\xa0\\x80");
    is_written_as("\xf0\x80\x82\x85", "\\xf0\\x80\\x82\\x85");
    is_written_as("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    is_written_as("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xa6", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9…");
    is_written_as("cut \xe6\x9d", "cut \\xe6\\x9d");
    is_written_as("cut \xf0\x9f\x90", "cut \\xf0\\x9f\\x90");
    is_written_as("cut \xc3", "cut \\xc3");
}

static void
backslash_and_percent_are_plain_text(void)
{
    is_written_as("C:\\temp 100%s", "C:\\temp 100%s");
}

static void
a_long_line_is_cut_with_a_mark(void)
{
    char *message = mem_new(10001);
    char *written;

    memset(message, 'm', 10000);
    written = written_for(message);
    CU_ASSERT_TRUE(strlen(written) < 4096);
    CU_ASSERT_TRUE(strlen(written) > 4000);
    CU_ASSERT_STRING_EQUAL(written + strlen(written) - strlen("m…"), "m…");
    free(written);
    free(message);
}

static void
a_line_never_exceeds_4_kb_even_when_all_is_escaped(void)
{
    for (size_t len = 3000; len < 4200; len += 3) {
        struct fixture f;
        char *message = mem_new(len + 1);
        char *text;
        size_t text_len;

        memset(message, len % 2 == 0 ? '\n' : 'm', len);
        message[0] = "am\x01\xc3"[len % 4];
        fixture_init(&f, LOG_NOTICE_LEVEL);
        log_line(LOG_NOTICE_LEVEL, "%s", message);
        text = text_in(f.file);
        text_len = strlen(text);
        CU_ASSERT_TRUE_FATAL(text_len <= 4096);
        CU_ASSERT_PTR_EQUAL_FATAL(strchr(text, '\n'), text + text_len - 1);
        CU_ASSERT_TRUE(len < 4080 || strstr(text, "…") != NULL);
        free(text);
        free(message);
        fixture_fini(&f);
    }
}

static void
a_cut_falls_between_characters(void)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char *message = mem_new(8001);
        char *written;
        size_t len;

        memset(message, 'x', shift);
        for (size_t i = shift; i + 4 <= 8000; i += 4)
            memcpy(message + i, "🐘", 4);
        written = written_for(message);
        len = strlen(written);
        CU_ASSERT_STRING_EQUAL(written + len - strlen("🐘…"), "🐘…");
        CU_ASSERT_PTR_NULL(strstr(written, "\\x"));
        free(written);
        free(message);
    }
}

static void
a_full_disk_stops_nobody_and_leaves_errno_alone(void)
{
    struct fixture f;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    CU_ASSERT_EQUAL(log_open("/dev/full", true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    errno = EPROTO;
    log_line(LOG_NOTICE_LEVEL, "x");
    CU_ASSERT_EQUAL(errno, EPROTO);
    fixture_fini(&f);
}

/* What F's log says on stderr while it is open with QUIET. */
static char *
stderr_while_quiet_is(bool quiet)
{
    char name[] = "/tmp/pgweir-err-XXXXXX";
    int fd = mkstemp(name);
    int keep = dup(STDERR_FILENO);
    char *text;

    CU_ASSERT_TRUE_FATAL(fd >= 0 && keep >= 0);
    dup2(fd, STDERR_FILENO);
    CU_ASSERT_EQUAL(log_open(NULL, quiet, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    log_line(LOG_NOTICE_LEVEL, "heard");
    dup2(keep, STDERR_FILENO);
    log_close();
    text = text_in(name);
    close(fd);
    close(keep);
    unlink(name);
    return text;
}

static void
stderr_hears_unless_quiet(void)
{
    char *heard = stderr_while_quiet_is(false);
    char *quiet = stderr_while_quiet_is(true);

    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "] LOG heard\n"));
    CU_ASSERT_STRING_EQUAL(quiet, "");
    free(heard);
    free(quiet);
}

static void
a_file_that_cannot_be_opened_changes_nothing(void)
{
    struct fixture f;
    struct error why = { 0 };
    char *text;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    CU_ASSERT_EQUAL(log_open("/nonexistent/pgweir.log", false, LOG_DEBUG_LEVEL, &why), ERR_IO);
    CU_ASSERT_STRING_EQUAL(why.text,
                           "cannot open log file \"/nonexistent/pgweir.log\": No such file or directory");
    CU_ASSERT_FALSE(log_wants(LOG_DEBUG_LEVEL));
    log_line(LOG_NOTICE_LEVEL, "still here");
    text = text_in(f.file);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "still here\n"));
    free(text);
    fixture_fini(&f);
}

static void
opening_again_after_a_rotation_writes_to_the_new_file(void)
{
    struct fixture f;
    char *before, *after;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    log_line(LOG_NOTICE_LEVEL, "one");
    CU_ASSERT_EQUAL(rename(f.file, f.rotated), 0);
    log_line(LOG_NOTICE_LEVEL, "two");
    CU_ASSERT_EQUAL(log_open(f.file, true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    log_line(LOG_NOTICE_LEVEL, "three");
    before = text_in(f.rotated);
    after = text_in(f.file);
    CU_ASSERT_TRUE(matches(before, "LOG one\n.*LOG two\n$"));
    CU_ASSERT_TRUE(matches(after, "LOG three\n$"));
    CU_ASSERT_PTR_NULL(strstr(before, "three"));
    free(before);
    free(after);
    fixture_fini(&f);
}

static void
an_existing_file_is_appended_to(void)
{
    struct fixture f;
    char *text;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    log_line(LOG_NOTICE_LEVEL, "one");
    log_close();
    CU_ASSERT_EQUAL(log_open(f.file, true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    log_line(LOG_NOTICE_LEVEL, "two");
    text = text_in(f.file);
    CU_ASSERT_TRUE(matches(text, "LOG one\n.*LOG two\n$"));
    free(text);
    fixture_fini(&f);
}

/* Leaks would raise it. */
static int
lowest_free_fd(void)
{
    int fd = dup(STDIN_FILENO);

    close(fd);
    return fd;
}

static void
reopening_leaks_no_descriptor(void)
{
    struct fixture f;
    int before;

    fixture_init(&f, LOG_NOTICE_LEVEL);
    before = lowest_free_fd();
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(log_open(f.file, true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
        CU_ASSERT_EQUAL(log_open("", true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    }
    CU_ASSERT_EQUAL(lowest_free_fd(), before);
    fixture_fini(&f);
}

#define WRITERS 6
#define LINES_EACH 400

static void *
write_many(void *arg)
{
    unsigned writer = *(unsigned *)arg;

    for (unsigned i = 0; i < LINES_EACH; i++)
        log_line(LOG_NOTICE_LEVEL, "writer %u line %04u %0200d end", writer, i, 0);
    return NULL;
}

/* How many whole lines FILE has; every line must be one. */
static size_t
whole_lines_in(const char *file)
{
    char *text = text_in(file);
    size_t count = 0;

    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (!matches(line, "^20.* LOG writer [0-9] line [0-9]{4} 0{200} end$"))
            CU_FAIL("a torn line");
        count++;
    }
    free(text);
    return count;
}

static void
lines_of_many_threads_are_never_torn_or_lost_while_the_file_is_rotated(void)
{
    struct fixture f;
    pthread_t threads[WRITERS];
    unsigned names[WRITERS];

    fixture_init(&f, LOG_NOTICE_LEVEL);
    for (unsigned i = 0; i < WRITERS; i++) {
        names[i] = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, write_many, &names[i]), 0);
    }
    CU_ASSERT_EQUAL(rename(f.file, f.rotated), 0);
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(log_open(f.file, true, LOG_NOTICE_LEVEL, NULL), ERR_NONE);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(whole_lines_in(f.file) + whole_lines_in(f.rotated), WRITERS * LINES_EACH);
    fixture_fini(&f);
}

void
suite_log(void)
{
    CU_pSuite suite = CU_add_suite("log", NULL, NULL);

    CU_ADD_TEST(suite, a_line_has_time_pid_word_and_text);
    CU_ADD_TEST(suite, every_level_has_pgbouncers_word);
    CU_ADD_TEST(suite, what_nobody_wants_is_not_written);
    CU_ADD_TEST(suite, a_peer_cannot_forge_a_line);
    CU_ADD_TEST(suite, utf_8_is_kept_and_what_only_looks_like_it_is_escaped);
    CU_ADD_TEST(suite, backslash_and_percent_are_plain_text);
    CU_ADD_TEST(suite, a_long_line_is_cut_with_a_mark);
    CU_ADD_TEST(suite, a_line_never_exceeds_4_kb_even_when_all_is_escaped);
    CU_ADD_TEST(suite, a_cut_falls_between_characters);
    CU_ADD_TEST(suite, a_full_disk_stops_nobody_and_leaves_errno_alone);
    CU_ADD_TEST(suite, stderr_hears_unless_quiet);
    CU_ADD_TEST(suite, a_file_that_cannot_be_opened_changes_nothing);
    CU_ADD_TEST(suite, opening_again_after_a_rotation_writes_to_the_new_file);
    CU_ADD_TEST(suite, an_existing_file_is_appended_to);
    CU_ADD_TEST(suite, reopening_leaks_no_descriptor);
    CU_ADD_TEST(suite, lines_of_many_threads_are_never_torn_or_lost_while_the_file_is_rotated);
}
