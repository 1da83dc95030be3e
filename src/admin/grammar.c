/*
 * grammar.c - reading a command of the console.
 *
 *     command  =  blank* word [ name | key ("=" | "TO") value ] blank* [";"] blank*
 *
 * The reader walks over the text once and copies words out of it, so a text of any bytes is harmless.
 */
#include "grammar_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/text.h"

#define WORD_ROW(id, word, takes, right) [id] = word,
const char *const command_words[COMMAND_COUNT] = { CONSOLE_COMMANDS(WORD_ROW) };
#undef WORD_ROW

#define RIGHT_ROW(id, word, takes, right) [id] = right,
const enum command_right command_rights[COMMAND_COUNT] = { CONSOLE_COMMANDS(RIGHT_ROW) };
#undef RIGHT_ROW

#define TAKES_ROW(id, word, takes, right) [id] = takes,
static const enum command_takes command_takes[COMMAND_COUNT] = { CONSOLE_COMMANDS(TAKES_ROW) };
#undef TAKES_ROW

static bool
is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f' || ch == '\v';
}

static const char *
skip_blanks(const char *at)
{
    for (;;) {
        if (is_blank(*at)) {
            at++;
        } else if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");

            if (end == NULL)
                return at; /* no comment without an end */
            at = end + 2;
        } else {
            return at;
        }
    }
}

static bool
is_plain(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

/* A value may have what addresses, paths and lists are made of. */
static bool
is_value(char ch)
{
    return is_plain(ch) || (ch != '\0' && strchr(".,:/@%+-*[]", ch) != NULL) || (unsigned char)ch >= 0x80;
}

/* What stands between two QUOTEs at *AT, a doubled one meaning itself. False: it is not closed, or too
 * long. */
static bool
take_quoted(const char **at, char quote, char *out, size_t most)
{
    const char *from = *at + 1;
    size_t len = 0;

    for (;; from++) {
        if (*from == '\0')
            return false;
        if (*from == quote && *++from != quote)
            break;
        if (len == most)
            return false;
        out[len++] = *from;
    }
    out[len] = '\0';
    *at = from;
    return true;
}

static bool
take_run(const char **at, bool (*is_part)(char ch), char *out, size_t most)
{
    size_t len = 0;

    while (is_part((*at)[len]))
        len++;
    if (len == 0 || len > most)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len;
    return true;
}

/* Unquoted words are folded to lower case, as PostgreSQL folds names. */
static bool
take_word(const char **at, char *out, size_t most)
{
    if (**at == '"')
        return take_quoted(at, '"', out, most) && out[0] != '\0';
    if (!take_run(at, is_plain, out, most))
        return false;
    for (; *out != '\0'; out++)
        *out = (char)tolower((unsigned char)*out);
    return true;
}

static bool
take_setting(const char **at, struct command *out)
{
    if (!take_word(at, out->name, sizeof out->name - 1))
        return false;
    *at = skip_blanks(*at);
    if (**at == '=')
        (*at)++;
    else if (tolower((unsigned char)(*at)[0]) == 't' && tolower((unsigned char)(*at)[1]) == 'o' &&
             is_blank((*at)[2]))
        *at += 2;
    else
        return false;
    *at = skip_blanks(*at);
    out->has_name = true;
    if (**at == '\'')
        return take_quoted(at, '\'', out->value, sizeof out->value - 1);
    return take_run(at, is_value, out->value, sizeof out->value - 1);
}

/* NULL: understood; else what is wrong. */
static const char *
read_all(const char *text, struct command *out)
{
    const char *at = skip_blanks(text);
    char word[COMMAND_WORD_BYTES + 1];

    *out = (struct command){ .id = COMMAND_EMPTY };
    if (*at != ';' && *at != '\0') {
        if (!take_run(&at, is_plain, word, sizeof word - 1))
            return "A command begins with a word.";
        if (text_equal_nocase(word, "select"))
            snprintf(word, sizeof word, "show");
        for (out->id = 0; out->id < COMMAND_COUNT && !text_equal_nocase(word, command_words[out->id]);)
            out->id++;
        if (out->id == COMMAND_COUNT)
            return "There is no such command.";
        at = skip_blanks(at);
        if (command_takes[out->id] == TAKES_SETTING) {
            if (!take_setting(&at, out))
                return "SET is written SET key = value, with the value in single quotes if it has blanks.";
        } else if (*at != ';' && *at != '\0') {
            if (command_takes[out->id] == TAKES_NOTHING)
                return "This command stands alone.";
            if (!take_word(&at, out->name, sizeof out->name - 1))
                return "A name is made of letters, digits and _, or stands in double quotes; it has at most 63 bytes.";
            out->has_name = true;
        } else if (command_takes[out->id] == TAKES_NAME) {
            return "This command needs a name behind it.";
        }
    }
    at = skip_blanks(at);
    if (*at == ';')
        at = skip_blanks(at + 1);
    return *at == '\0' ? NULL : "The console takes one command at a time.";
}

bool
command_read(const char *text, struct command *out, struct pg_error *why)
{
    const char *wrong = read_all(text, out);

    if (wrong == NULL)
        return true;
    pg_error_set(why, PG_ERROR, SQLSTATE_PROTOCOL_VIOLATION, "invalid command '%.150s', use SHOW HELP;",
                 text);
    pg_error_hint(why, "%s", wrong);
    return false;
}
