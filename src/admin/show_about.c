/* show_about.c - what the program says of itself: VERSION, STATE, HELP, CONFIG, and the settings that drivers ask any server for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "show_impl.h"

static const struct console_column version_columns[] = { T("version") };

static void
write_version(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    (void)roll;
    console_add_text(rows, "pgweir " PGWEIR_VERSION);
}

static const struct console_column state_columns[] = { T("key"), T("value") };

static void
add_state(struct buf *rows, const char *key, bool is_so)
{
    console_add_text(rows, key);
    console_add_text(rows, is_so ? "yes" : "no");
}

static void
write_state(struct job *j, const struct roll *roll, struct buf *rows)
{
    bool is_paused = pools_is_paused(house_pools(j->admin->house), NULL);
    bool is_suspended = house_is_suspended(j->admin->house);

    (void)roll;
    add_state(rows, "active", !is_paused && !is_suspended);
    add_state(rows, "paused", is_paused);
    add_state(rows, "suspended", is_suspended);
}

static void
write_help(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct show *show;
    struct buf text;

    (void)roll;
    (void)rows;
    buf_init(&text);
    buf_add_text(&text, "\n\tSHOW ");
    for (size_t i = 0; (show = show_at(i)) != NULL; i++)
        if (show->name[0] >= 'A' && show->name[0] <= 'Z')
            buf_add_format(&text, "%s%s", i == 0 ? "" : "|", show->name);
    buf_add_text(&text,
                 "\n\tSET key = arg\n\tRELOAD\n\tPAUSE [<db>]\n\tRESUME [<db>]\n\tDISABLE <db>\n\tENABLE <db>"
                 "\n\tRECONNECT [<db>]\n\tKILL [<db>]\n\tKILL_CLIENT <client_id>\n\tSUSPEND\n\tSHUTDOWN"
                 "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n\tWAIT_CLOSE [<db>]");
    buf_add_u8(&text, 0);
    build_notice_detailed(&j->call->notices, "Console usage", (const char *)buf_slice(&text).at);
    buf_release(&text);
}

/* --- CONFIG --- */

static const struct console_column config_columns[] = { T("key"), T("value"), T("default"), T("changeable") };

static int
compare_options(const void *a, const void *b)
{
    const struct option *const *one = a, *const *other = b;

    return strcmp((*one)->name, (*other)->name);
}

/* By name; options without a default are null while they are not set. What needs a restart is told as it is in force, whatever a reload has read since. */
static void
write_config(struct job *j, const struct roll *roll, struct buf *rows)
{
    const struct option **sorted = mem_new(option_count * sizeof(*sorted));
    char text[4096];

    (void)roll;
    for (size_t i = 0; i < option_count; i++)
        sorted[i] = &options[i];
    qsort(sorted, option_count, sizeof(*sorted), compare_options);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = sorted[i];
        bool is_fixed = o->when == OPT_RESTART;
        const struct settings *s = is_fixed ? j->admin->at_start : j->admin->config->settings;

        console_add_text(rows, o->name);
        settings_show(s, o, text, sizeof text);
        console_add_text(rows, o->is_sticky && text[0] == '\0' ? NULL : text);
        settings_show_preset(s, o, text, sizeof text);
        console_add_text(rows, o->is_sticky ? NULL : text);
        console_add_text(rows, is_fixed ? "no" : "yes");
    }
    free(sorted);
}

/* --- pretend settings: what drivers ask any server at their start --- */

static const struct console_column client_encoding_columns[] = { T("client_encoding") };
static const struct console_column isolation_columns[] = { T("default_transaction_isolation") };
static const struct console_column standard_strings_columns[] = { T("standard_conforming_strings") };
static const struct console_column datestyle_columns[] = { T("datestyle") };
static const struct console_column timezone_columns[] = { T("timezone") };

static void
write_pretended(struct job *j, const struct roll *roll, struct buf *rows)
{
    static const struct {
        const struct console_column *columns;
        const char *value;
    } values[] = {
        { client_encoding_columns, "UTF8" }, { isolation_columns, "read committed" },
        { standard_strings_columns, "on" },  { datestyle_columns, "ISO" },
        { timezone_columns, "GMT" },
    };

    (void)roll;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (values[i].columns == j->show->shape.columns)
            console_add_text(rows, values[i].value);
}

/* clang-format off */
static const struct show rows_here[] = {
    { "HELP", { NULL, 0 }, .write = write_help },
    { "CONFIG", SHAPE(config_columns), .write = write_config },
    { "STATE", SHAPE(state_columns), .write = write_state },
    { "VERSION", SHAPE(version_columns), .write = write_version },
    { "client_encoding", SHAPE(client_encoding_columns), .write = write_pretended },
    { "default_transaction_isolation", SHAPE(isolation_columns), .write = write_pretended },
    { "standard_conforming_strings", SHAPE(standard_strings_columns), .write = write_pretended },
    { "datestyle", SHAPE(datestyle_columns), .write = write_pretended },
    { "timezone", SHAPE(timezone_columns), .write = write_pretended },
};
/* clang-format on */

const struct show_family show_about = SHOW_FAMILY(rows_here);
