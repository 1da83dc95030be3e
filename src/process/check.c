/* check.c - a configuration, held against the machine and its servers. */
#include "check_impl.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/base/clock.h"
#include "pgweir/control/inspection.h"
#include "pgweir/session/house.h"

#define ANSWER_MOST_US (UINT64_C(5) * US_PER_S) /* of one server */

static void
print(const struct buf *text)
{
    fwrite(buf_slice(text).at, 1, buf_len(text), stdout);
}

/* TEXT with BEFORE in front of each line. */
static void
print_lines(const char *before, const struct buf *text)
{
    struct slice rest = buf_slice(text);

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.at);

        printf("%s%.*s\n", before, (int)len, (const char *)rest.at);
        rest = slice_skip(rest, len + (end == NULL ? 0 : 1));
    }
}

static unsigned
line_count(const struct buf *text)
{
    struct slice all = buf_slice(text);
    unsigned count = 0;

    for (size_t i = 0; i < all.len; i++)
        count += all.at[i] == '\n';
    return count;
}

/* Reads FILE; returns how much is wrong with it. *OUT is set when that is 0. */
static unsigned
read_file(const char *file, struct settings **out)
{
    struct buf problems, warnings;
    struct error why;
    unsigned count = 0;

    buf_init(&problems);
    buf_init(&warnings);
    if (settings_load(file, out, &problems, &warnings, &why) != ERR_NONE)
        count = line_count(&problems);
    print_lines("PROBLEM: ", &problems);
    print_lines("warning: ", &warnings);
    buf_release(&problems);
    buf_release(&warnings);
    return count;
}

/* Whether the TLS files can be used. */
static unsigned
check_tls(const struct settings *settings)
{
    struct house_config *config;
    struct error why;

    if (house_config_new(settings, &config, &why) != ERR_NONE) {
        printf("PROBLEM: %s\n", why.text);
        return 1;
    }
    house_config_drop(config);
    return 0;
}

static unsigned
check_servers(const struct settings *settings, unsigned instances)
{
    uint64_t timeout_us = settings->server_connect_timeout_us;
    struct inspection_params params = { .settings = settings, .instances = instances };
    struct buf report;
    unsigned problems;

    params.timeout_us = timeout_us > 0 && timeout_us < ANSWER_MOST_US ? timeout_us : ANSWER_MOST_US;
    buf_init(&report);
    problems = inspect(&params, &report);
    print(&report);
    buf_release(&report);
    return problems;
}

int
check_file(const char *file, unsigned instances)
{
    struct settings *settings = NULL;
    unsigned problems = read_file(file, &settings);

    if (problems == 0) {
        problems = check_tls(settings);
        problems += check_servers(settings, instances);
        settings_drop(settings);
    }
    if (problems == 0)
        printf("%s: no problem\n", file);
    else
        printf("%s: %u problem%s\n", file, problems, problems == 1 ? "" : "s");
    return problems == 0 ? 0 : 1;
}
