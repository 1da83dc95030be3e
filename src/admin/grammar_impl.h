/*
 * grammar_impl.h - the console's commands as a pure function of their text. One row of CONSOLE_COMMANDS is
 * the whole truth about a command's words; what it does stands in admin.c under the same id.
 */
#ifndef PGWEIR_ADMIN_GRAMMAR_IMPL_H
#define PGWEIR_ADMIN_GRAMMAR_IMPL_H

#include <stdbool.h>

#include "pgweir/wire/pg_error.h"

enum command_takes {
    TAKES_NOTHING,
    TAKES_MAYBE, /* a name, or nothing: all */
    TAKES_NAME,
    TAKES_SETTING, /* key = value */
};

enum command_right { FOR_STATS, FOR_ADMIN }; /* stats_users may; admin_users alone may */

/* clang-format off */
#define CONSOLE_COMMANDS(X)                                             \
    /* id                word           takes          right      */    \
    X(COMMAND_SHOW,        "SHOW",        TAKES_NAME,    FOR_STATS)     \
    X(COMMAND_SET,         "SET",         TAKES_SETTING, FOR_ADMIN)     \
    X(COMMAND_RELOAD,      "RELOAD",      TAKES_NOTHING, FOR_ADMIN)     \
    X(COMMAND_PAUSE,       "PAUSE",       TAKES_MAYBE,   FOR_ADMIN)     \
    X(COMMAND_RESUME,      "RESUME",      TAKES_MAYBE,   FOR_ADMIN)     \
    X(COMMAND_SUSPEND,     "SUSPEND",     TAKES_NOTHING, FOR_ADMIN)     \
    X(COMMAND_DISABLE,     "DISABLE",     TAKES_NAME,    FOR_ADMIN)     \
    X(COMMAND_ENABLE,      "ENABLE",      TAKES_NAME,    FOR_ADMIN)     \
    X(COMMAND_RECONNECT,   "RECONNECT",   TAKES_MAYBE,   FOR_ADMIN)     \
    X(COMMAND_WAIT_CLOSE,  "WAIT_CLOSE",  TAKES_MAYBE,   FOR_ADMIN)     \
    X(COMMAND_KILL,        "KILL",        TAKES_MAYBE,   FOR_ADMIN)     \
    X(COMMAND_KILL_CLIENT, "KILL_CLIENT", TAKES_NAME,    FOR_ADMIN)     \
    X(COMMAND_SHUTDOWN,    "SHUTDOWN",    TAKES_MAYBE,   FOR_ADMIN)

/* clang-format on */

#define COMMAND_ID(id, word, takes, right) id,
enum command_id { CONSOLE_COMMANDS(COMMAND_ID) COMMAND_COUNT, COMMAND_EMPTY = COMMAND_COUNT };
#undef COMMAND_ID

#define COMMAND_WORD_BYTES 15u
#define COMMAND_NAME_BYTES 63u
#define COMMAND_VALUE_BYTES 255u

struct command {
    enum command_id id; /* COMMAND_EMPTY: nothing but blanks, comments and a semicolon */
    bool has_name;
    char name[COMMAND_NAME_BYTES + 1]; /* the argument, or SET's key */
    char value[COMMAND_VALUE_BYTES + 1];
};

extern const char *const command_words[COMMAND_COUNT];
extern const enum command_right command_rights[COMMAND_COUNT];

/*
 * One command, with blanks, comments and one semicolon where SQL has them. Words are [0-9a-z_]+, of any case,
 * or double-quoted with "" for a quote inside; SET's value is a word of more letters or a single-quoted
 * string. SELECT x means SHOW x.
 * return false and *WHY (ERROR 08P01, "invalid command '…', use SHOW HELP;", with a hint what is wrong): two
 * commands, words too many or too few, …
 */
bool command_read(const char *text, struct command *out, struct pg_error *why);

#endif
