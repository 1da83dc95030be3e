/* text.c - small questions about text. */
#include "pgweir/base/text.h"

#include <stdint.h>
#include <string.h>

#define NEAREST_LEN_MOST 64 /* longer words and names are nobody's typing error */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned
least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: inserts, deletes, replacements and swaps of neighbours cost 1 each. */
static unsigned
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NEAREST_LEN_MOST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;

    for (size_t j = 0; j <= b_len; j++)
        before[j] = last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);

            row[j] = least_of(last[j - 1] + (same ? 0 : 1), least_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
        spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_len];
}

const char *
text_nearest(const char *word, const char *const *names, size_t count)
{
    size_t word_len = strlen(word);
    const char *nearest = NULL;
    unsigned best = word_len / 3 > 1 ? (unsigned)(word_len / 3) + 1 : 2;

    if (word_len > NEAREST_LEN_MOST)
        return NULL;
    best = least_of(best, (unsigned)word_len); /* something of the word must remain */
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        unsigned distance;

        if (name_len > NEAREST_LEN_MOST)
            continue;
        distance = edit_distance(word, word_len, names[i], name_len);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

bool
text_equal_nocase(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

char *
text_trim(char *text)
{
    char *end;

    while (is_blank(*text))
        text++;
    end = text + strlen(text);
    while (end > text && is_blank(end[-1]))
        end--;
    *end = '\0';
    return text;
}
