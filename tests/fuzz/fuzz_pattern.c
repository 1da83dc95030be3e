/* fuzz_pattern.c - PostgreSQL's regular expressions, on their way to the C library's. */
#include <stdlib.h>
#include <string.h>

#include "config/pattern_impl.h"
#include "must.h"

/* What the C library makes of repetition and of references to groups is not ours to find: it may take
 * gigabytes for that. */
static bool
is_too_much(const char *text)
{
    if (strchr(text, '{') != NULL)
        return true;
    for (const char *at = strchr(text, '\\'); at != NULL; at = strchr(at + 1, '\\'))
        if (at[1] >= '1' && at[1] <= '9')
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pattern pattern;
    struct slice group;
    struct error why;
    char text[200];

    if (size >= sizeof text || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (is_too_much(text) || pattern_compile(text, &pattern, &why) != ERR_NONE)
        return 0;
    (void)pattern_matches(&pattern, "app_user-4711@example.com");
    if (pattern.first_group > 0 && pattern_matches_group(&pattern, "joe", &group))
        MUST(group.len <= 3);
    pattern_free(&pattern);
    return 0;
}
