/* connstr.c - `key=value` pairs, as PgBouncer writes them; passwords among them, so complaints name keys
 * only. */
#include "connstr_impl.h"

#include <stdbool.h>
#include <string.h>

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char *
skip_blanks(char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

char *
connstr_unquote(char **at)
{
    char quote = **at;
    char *value = *at + 1, *to = value, *from = value;

    for (; *from != '\0'; from++) {
        if (*from == quote && *++from != quote) {
            *at = from;
            *to = '\0';
            return value;
        }
        *to++ = *from;
    }
    return NULL;
}

/* Ends the value at *AT, where it is not already, and moves *AT behind the blank. */
static bool
value_end(char **at)
{
    if (**at == '\0')
        return true;
    if (!is_blank(**at))
        return false;
    *(*at)++ = '\0';
    return true;
}

static enum connstr_step
value_read(char **at, struct connstr_pair *pair, struct error *why)
{
    bool is_quoted = **at == '\'' || **at == '"';

    pair->value = *at;
    if (is_quoted) {
        pair->value = connstr_unquote(at);
        if (pair->value == NULL) {
            error_set(why, ERR_SYNTAX, "the quote in the value of `%.60s` is not closed", pair->key);
            return CONNSTR_BAD;
        }
    } else {
        while (**at != '\0' && !is_blank(**at))
            (*at)++;
    }
    if (!value_end(at)) {
        error_set(why, ERR_SYNTAX,
                  "text follows the quoted value of `%.60s` without a blank (double a quote that is meant)",
                  pair->key);
        return CONNSTR_BAD;
    }
    if (pair->value[0] == '\0') {
        error_set(why, ERR_SYNTAX, "`%.60s` has no value (leave it out)", pair->key);
        return CONNSTR_BAD;
    }
    return CONNSTR_PAIR;
}

enum connstr_step
connstr_next(char **at, struct connstr_pair *out, struct error *why)
{
    char *key = skip_blanks(*at);
    char *end = key;
    struct connstr_pair pair = { .key = key };
    enum connstr_step step;

    if (*key == '\0')
        return CONNSTR_END;
    while (*end != '\0' && *end != '=' && !is_blank(*end))
        end++;
    *at = skip_blanks(end);
    if (**at != '=' || end == key) {
        /* A stray word may be the rest of a password: it is not repeated. */
        error_set(why, ERR_SYNTAX,
                  end == key ? "a value without a key"
                             : "expected `key=value` pairs separated by blanks "
                               "(a value with blanks in it must stand in single quotes)");
        return CONNSTR_BAD;
    }
    *at = skip_blanks(*at + 1);
    *end = '\0';
    step = value_read(at, &pair, why);
    if (step == CONNSTR_PAIR)
        *out = pair;
    return step;
}
