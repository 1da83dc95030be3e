/* show_pins.c - PINS, PIN_TOTALS: who keeps a server between transactions, and why; STATE_TOTALS: how often sessions
 * were asked for what is left in them. */
#include <stdio.h>
#include <string.h>

#include "pgweir/net/stream.h"
#include "show_impl.h"

#define PIN_NAME(id, name, words) [id] = #name,
static const char *const pin_names[PIN_REASON_COUNT] = { PIN_REASONS(PIN_NAME) };
#undef PIN_NAME

static const struct console_column pin_columns[] = {
    I("id"),   T("database"), T("user"),    T("application_name"), T("addr"),
    I("port"), T("state"),    T("reasons"), I("pinned_seconds"),   T("link"),
};

static void
list_pinned(const void *job, struct buf *rows, const struct roll_client *c)
{
    const struct job *j = job;
    struct address local = { .len = 0 }, peer = { .len = 0 };
    char reasons[200] = "";

    if (c->pins == 0)
        return;
    for (size_t i = 0; i < PIN_REASON_COUNT; i++)
        if (c->pins & PIN_BIT(i))
            snprintf(reasons + strlen(reasons), sizeof reasons - strlen(reasons), "%s%s",
                     reasons[0] == '\0' ? "" : ",", pin_names[i]);
    stream_ends(c->stream, &local, &peer);
    add_count(rows, c->id);
    console_add_text(rows, c->database);
    console_add_text(rows, c->user);
    console_add_text(rows, c->application_name);
    add_address(rows, &peer, j->admin->config->settings->listen_port);
    console_add_text(rows, c->state);
    console_add_text(rows, reasons);
    add_count(rows, (c->now_us - c->pinned_us) / US_PER_S);
    add_handle(rows, c->link_id);
}

static const struct console_column pin_total_columns[] = {
    T("database"), T("user"), T("reason"), I("clients"), T("words"),
};

static void
write_pin_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
#define PIN_WORDS(id, name, words) [id] = words,
    static const char *const words[PIN_REASON_COUNT] = { PIN_REASONS(PIN_WORDS) };
#undef PIN_WORDS

    (void)j;
    for (size_t i = 0; i < roll->pool_count; i++)
        for (size_t k = 0; k < PIN_REASON_COUNT; k++) {
            if (roll->pools[i].pins.by_reason[k] == 0)
                continue;
            console_add_text(rows, roll->pools[i].database);
            console_add_text(rows, roll->pools[i].user);
            console_add_text(rows, pin_names[k]);
            add_count(rows, roll->pools[i].pins.by_reason[k]);
            console_add_text(rows, words[k]);
        }
}

static const struct console_column state_total_columns[] = {
    T("database"), T("user"), N("read_backs"), N("audits"), N("audit_findings"),
};

static void
write_state_totals(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)j;
    for (size_t i = 0; i < roll->pool_count; i++) {
        const struct pool_counters *c = &roll->pools[i].counters;

        console_add_text(rows, roll->pools[i].database);
        console_add_text(rows, roll->pools[i].user);
        console_add_uint(rows, c->read_back_count);
        console_add_uint(rows, c->audit_count);
        console_add_uint(rows, c->audit_finding_count);
    }
}

/* clang-format off */
static const struct show rows_here[] = {
    { "PINS", SHAPE(pin_columns), ROLL_CLIENTS, .on_client = list_pinned },
    { "PIN_TOTALS", SHAPE(pin_total_columns), ROLL_POOLS, .write = write_pin_totals },
    { "STATE_TOTALS", SHAPE(state_total_columns), ROLL_POOLS, .write = write_state_totals },
};
/* clang-format on */

const struct show_family show_pins = SHOW_FAMILY(rows_here);
