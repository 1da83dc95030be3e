#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "process/command_line_impl.h"

void suite_command_line(void);

#define WORDS_MOST 8

/* Reads WORDS (blank-separated) behind the program's name. *LINE borrows from STORE. */
static enum err
read_words(const char *words, char store[200], struct command_line *line, struct error *why)
{
    char *argv[WORDS_MOST + 2], *rest = NULL;
    int argc = 1;

    snprintf(store, 200, "pgweir %s", words);
    argv[0] = strtok_r(store, " ", &rest);
    while (argc <= WORDS_MOST && (argv[argc] = strtok_r(NULL, " ", &rest)) != NULL)
        argc++;
    argv[argc] = NULL;
    return command_line_read(argc, argv, line, why);
}

static void
flags_are_read(void)
{
    static const struct {
        const char *words;
        enum command command;
        bool is_daemon, is_quiet;
        unsigned verbose;
        const char *user, *file;
    } table[] = {
        { "a.ini", COMMAND_RUN, false, false, 0, "", "a.ini" },
        { "-d a.ini", COMMAND_RUN, true, false, 0, "", "a.ini" },
        { "a.ini -d", COMMAND_RUN, true, false, 0, "", "a.ini" },
        { "-dq a.ini", COMMAND_RUN, true, true, 0, "", "a.ini" },
        { "--daemon --quiet a.ini", COMMAND_RUN, true, true, 0, "", "a.ini" },
        { "-v a.ini", COMMAND_RUN, false, false, 1, "", "a.ini" },
        { "-vv --verbose a.ini", COMMAND_RUN, false, false, 3, "", "a.ini" },
        { "-u postgres a.ini", COMMAND_RUN, false, false, 0, "postgres", "a.ini" },
        { "-upostgres a.ini", COMMAND_RUN, false, false, 0, "postgres", "a.ini" },
        { "--user=postgres a.ini", COMMAND_RUN, false, false, 0, "postgres", "a.ini" },
        { "--user postgres -u pgweir a.ini", COMMAND_RUN, false, false, 0, "pgweir", "a.ini" },
        { "check a.ini", COMMAND_CHECK, false, false, 0, "", "a.ini" },
        { "check --instances=3 a.ini", COMMAND_CHECK, false, false, 0, "", "a.ini" },
        { "check", COMMAND_RUN, false, false, 0, "", "check" },
        { "-- -d", COMMAND_RUN, false, false, 0, "", "-d" },
        { "-h", COMMAND_HELP, false, false, 0, "", "" },
        { "--help", COMMAND_HELP, false, false, 0, "", "" },
        { "--help-config", COMMAND_HELP_CONFIG, false, false, 0, "", "" },
        { "-V", COMMAND_VERSION, false, false, 0, "", "" },
        { "--version", COMMAND_VERSION, false, false, 0, "", "" },
        { "-V --nonsense", COMMAND_VERSION, false, false, 0, "", "" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct command_line line;
        struct error why;
        char store[200];

        CU_ASSERT_EQUAL_FATAL(read_words(table[i].words, store, &line, &why), ERR_NONE);
        CU_ASSERT_EQUAL(line.command, table[i].command);
        CU_ASSERT_EQUAL(line.is_daemon, table[i].is_daemon);
        CU_ASSERT_EQUAL(line.is_quiet, table[i].is_quiet);
        CU_ASSERT_EQUAL(line.verbose, table[i].verbose);
        CU_ASSERT_STRING_EQUAL(line.user == NULL ? "" : line.user, table[i].user);
        CU_ASSERT_STRING_EQUAL(line.file == NULL ? "" : line.file, table[i].file);
    }
}

static void
mistakes_are_explained(void)
{
    static const struct {
        const char *words, *why;
    } table[] = {
        { "", "no configuration file given" },
        { "-d", "no configuration file given" },
        { "check a.ini b.ini", "one configuration file only, not \"a.ini\" too" },
        { "--instances=3 a.ini", "--instances is for pgweir check" },
        { "check --instances=0 a.ini", "--instances=0 is not between 1 and 10000" },
        { "check --instances=many a.ini", "--instances=many is not between 1 and 10000" },
        { "a.ini b.ini", "one configuration file only, not \"b.ini\" too" },
        { "-x a.ini", "unknown option -x" },
        { "-dx a.ini", "unknown option -x" },
        { "--vrebose a.ini", "unknown option --vrebose, did you mean --verbose" },
        { "--usr=postgres a.ini", "unknown option --usr, did you mean --user" },
        { "--nonsense a.ini", "unknown option --nonsense" },
        { "--daemon=1 a.ini", "option --daemon takes no value" },
        { "-u", "option -u needs a value" },
        { "--user", "option --user needs a value" },
        { "-R a.ini",
          "-R (--reboot) is not supported: start the new process beside the old one with so_reuseport, then stop the old one with SIGTERM" },
        { "--reboot a.ini",
          "-R (--reboot) is not supported: start the new process beside the old one with so_reuseport, then stop the old one with SIGTERM" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct command_line line = { .verbose = 77 };
        struct error why;
        char store[200];

        CU_ASSERT_EQUAL(read_words(table[i].words, store, &line, &why), ERR_SYNTAX);
        CU_ASSERT_STRING_EQUAL(why.text, table[i].why);
        CU_ASSERT_EQUAL(line.verbose, 77); /* untouched */
    }
}

static void
help_names_every_flag(void)
{
    static const char *const flags[] = { "-d, --daemon",  "-q, --quiet",   "-u, --user",
                                         "-v, --verbose", "-R, --reboot",  "-V, --version",
                                         "-h, --help",    "--help-config", "FILE.ini" };
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    command_line_help(to);
    fclose(to);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, flags[i]));
    free(text);
}

void
suite_command_line(void)
{
    CU_pSuite suite = CU_add_suite("command_line", NULL, NULL);

    CU_ADD_TEST(suite, flags_are_read);
    CU_ADD_TEST(suite, mistakes_are_explained);
    CU_ADD_TEST(suite, help_names_every_flag);
}
