/* test_grammar.c - what the console takes for a command. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "admin/grammar_impl.h"
#include "pgweir/base/attr.h"

void suite_grammar(void);

#define NAME_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
commands_are_read_with_their_words(void)
{
    static const struct {
        const char *text;
        enum command_id id;
        const char *name, *value;
    } cases[] = {
        { "", COMMAND_EMPTY, "", "" },
        { " ;\n", COMMAND_EMPTY, "", "" },
        { "-- ping", COMMAND_EMPTY, "", "" },
        { "/* ping */;", COMMAND_EMPTY, "", "" },
        { "SHOW pools", COMMAND_SHOW, "pools", "" },
        { "show POOLS;", COMMAND_SHOW, "pools", "" },
        { "\t sHoW\n\"POOLS\" ; ", COMMAND_SHOW, "POOLS", "" },
        { "SELECT version", COMMAND_SHOW, "version", "" },
        { "show/**/pools", COMMAND_SHOW, "pools", "" },
        { "show\"pools\"", COMMAND_SHOW, "pools", "" },
        { "pause", COMMAND_PAUSE, "", "" },
        { "PAUSE;", COMMAND_PAUSE, "", "" },
        { "PAUSE My_Db", COMMAND_PAUSE, "my_db", "" },
        { "PAUSE \"My \"\"Db\"\"\"", COMMAND_PAUSE, "My \"Db\"", "" },
        { "KILL_CLIENT 12", COMMAND_KILL_CLIENT, "12", "" },
        { "RELOAD", COMMAND_RELOAD, "", "" },
        { "DISABLE " NAME_63, COMMAND_DISABLE, NAME_63, "" },
        { "SHUTDOWN wait_for_clients", COMMAND_SHUTDOWN, "wait_for_clients", "" },
        { "SET a=b", COMMAND_SET, "a", "b" },
        { "set A to 'b c''d';", COMMAND_SET, "a", "b c'd" },
        { "SET a = ''", COMMAND_SET, "a", "" },
        { "SET a = 127.0.0.1", COMMAND_SET, "a", "127.0.0.1" },
        { "SET logfile=/var/log/x-y.log;", COMMAND_SET, "logfile", "/var/log/x-y.log" },
        { "SET a TO\t30s", COMMAND_SET, "a", "30s" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct command c;
        struct pg_error e;

        if (!command_read(cases[i].text, &c, &e) || c.id != cases[i].id ||
            strcmp(c.name, cases[i].name) != 0 || strcmp(c.value, cases[i].value) != 0 ||
            c.has_name != (cases[i].name[0] != '\0')) {
            fprintf(stderr, "\n    <%s>\n", cases[i].text);
            CU_FAIL("a command was misread");
        }
    }
}

static void
what_is_no_command_is_refused(void)
{
    static const char *const cases[] = {
        "SHOW",
        "SHOW a b",
        "SHOW a;;",
        "SHOW a; SHOW b",
        "SHOW 'a'",
        "SHOW \"a",
        "SHOW \"\"",
        ("SHOW a" NAME_63),
        "SHOW a-b",
        "FOO",
        "FOO bar",
        "; SHOW a",
        "SHOW pools /* no end",
        "waytoolongforacommand",
        "\"SHOW\" pools",
        "RELOAD now",
        "SUSPEND x",
        "DISABLE",
        "KILL_CLIENT",
        "KILL_CLIENT -1",
        "SET",
        "SET a",
        "SET a =",
        "SET a b",
        "SET = b",
        "SET a = b c",
        "SET a = 'b",
        "SET a tob",
        "SET a == b",
        "SELECT 1 + 1",
        "BEGIN",
        "\xff\xfe",
    };
    char longest[400] = "SET a = '";

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct command c;
        struct pg_error e;

        if (command_read(cases[i], &c, &e)) {
            fprintf(stderr, "\n    <%s>\n", cases[i]);
            CU_FAIL("not a command");
            continue;
        }
        CU_ASSERT_STRING_EQUAL(e.sqlstate, "08P01");
        CU_ASSERT_EQUAL(e.severity, PG_ERROR);
        CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "invalid command '"));
        CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "use SHOW HELP;"));
        CU_ASSERT_NOT_EQUAL(e.hint[0], '\0');
    }
    memset(longest + strlen(longest), 'x', 256);
    longest[265] = '\'';
    {
        struct command c;
        struct pg_error e;

        CU_ASSERT_FALSE(command_read(longest, &c, &e));
        longest[264] = '\'';
        longest[265] = '\0';
        CU_ASSERT_TRUE(command_read(longest, &c, &e));
        CU_ASSERT_EQUAL(strlen(c.value), 255);
    }
}

void
suite_grammar(void)
{
    CU_pSuite suite = CU_add_suite("grammar", NULL, NULL);

    CU_ADD_TEST(suite, commands_are_read_with_their_words);
    CU_ADD_TEST(suite, what_is_no_command_is_refused);
}
