/*
 * show.c - SHOW. There is one row for each thing that can be shown, in the file of its family, show_*.c. Its columns are described once,
 * and what describes them to the client is what the tests hold against PgBouncer's. Cells are written in the columns' order.
 *
 *     show_begin() --(roll call, rows of clients and servers written in the workers)--> on_rolled()
 *         --> write() --> job_answer()
 */
#include <stdio.h>
#include <time.h>

#include "pgweir/base/text.h"
#include "show_impl.h"

static const struct show_family *const families[] = {
    &show_about, &show_databases, &show_users, &show_sockets, &show_lists, &show_stats, &show_pins, &show_fds,
};

const struct show *
show_at(size_t i)
{
    for (size_t k = 0; k < COUNT_OF(families); k++) {
        if (i < families[k]->count)
            return &families[k]->rows[i];
        i -= families[k]->count;
    }
    return NULL;
}

const struct show *
show_find(const char *name)
{
    const struct show *show;

    for (size_t i = 0; (show = show_at(i)) != NULL; i++)
        if (text_equal_nocase(show->name, name))
            return show;
    return NULL;
}

void
add_count(struct buf *rows, uint64_t number)
{
    console_add_int(rows, number > INT32_MAX ? INT32_MAX : (int64_t)number);
}

/* --- the course of it --- */

static void
finish(struct job *j, const struct roll *roll)
{
    struct console_call *call = j->call;

    call->shape = j->show->shape;
    snprintf(call->tag, sizeof call->tag, "SHOW");
    if (roll != NULL && buf_len(&roll->rows) > 0)
        buf_add(&call->rows, buf_slice(&roll->rows));
    if (j->show->write != NULL)
        j->show->write(j, roll, &call->rows);
    job_answer(j);
}

static void
on_rolled(void *arg, struct roll *roll)
{
    struct job *j = arg;

    j->is_rolling = false;
    if (j->is_cancelled || j->admin->is_closing) /* closing: the house may be gone */
        job_refuse(j, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    else
        finish(j, roll);
}

void
show_begin(struct job *j)
{
    struct timespec now;
    struct roll_request request = {
        .what = j->show->what,
        .on_client = j->show->on_client,
        .on_server = j->show->on_server,
        .on_done = on_rolled,
        .arg = j,
        .loop = j->admin->loop,
    };

    if (j->show->is_for_admin && !j->call->is_admin) {
        job_refuse(j, "42501", "admin access needed: SHOW %s is for admin_users", j->show->name);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    j->wall_us = (int64_t)now.tv_sec * (int64_t)US_PER_S + now.tv_nsec / 1000 -
                 (int64_t)clock_now_us(j->admin->clock);
    if (request.what == 0) {
        finish(j, NULL);
        return;
    }
    j->is_rolling = true;
    roll_call(j->admin->house, &request);
}
