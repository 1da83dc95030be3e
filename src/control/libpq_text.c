/* libpq_text.c - reading the messages of libpq. */
#include "libpq_text_impl.h"

#include <stdio.h>
#include <string.h>

void
libpq_sqlstate(const char *message, char out[6])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    out[0] = '\0';
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, digits) == 5 && strncmp(at + 8, ": ", 2) == 0) {
            memcpy(out, at + 3, 5);
            out[5] = '\0';
            return;
        }
    }
}

enum err
libpq_err(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum err code;
    } classes[] = {
        { "28", ERR_AUTH },     /* invalid authorization: wrong password, no pg_hba line, no such role */
        { "3D000", ERR_AUTH },  /* no such database: this login will never do */
        { "42501", ERR_AUTH },  /* may not connect to the database, or not look at a catalog */
        { "08P01", ERR_AUTH },  /* a PgBouncer in between says so of every login it refuses */
        { "53300", ERR_LIMIT }, /* too many connections */
    };

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].code;
    return ERR_IO;
}

void
libpq_flatten(const char *message, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    while (*message != '\0' && used < size) {
        size_t len = strcspn(message, "\n");
        const char *text = message + strspn(message, " \t");

        if (text < message + len && strncmp(text, "LOCATION:", 9) != 0) {
            int wrote = snprintf(out + used, size - used, "%s%.*s", used == 0 ? "" : "; ",
                                 (int)(message + len - text), text);
            used += wrote < 0 ? 0 : (size_t)wrote;
        }
        message += len;
        message += *message == '\n';
    }
}
