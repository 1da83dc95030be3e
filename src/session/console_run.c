/* console_run.c - a command of the console under way: asked for by letter, answered by letter, its rows sent in pieces. See console.c. */
#include <assert.h>
#include <stdlib.h>

#include "console_parts_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/wire/back.h"

#define PIECE_BYTES (32u * 1024u) /* of rows, sent in one turn of the loop */

struct rest { /* of an answer: the next turn goes on with it */
    struct chore chore;
    struct client *client; /* NULL: gone */
};

void
console_call_free(struct console_call *call)
{
    if (call == NULL)
        return;
    buf_release(&call->rows);
    buf_release(&call->notices);
    free(call->text);
    free(call->user);
    free(call->home);
    free(call);
}

/* The request that was under way is answered. */
static void
finish(struct client *c)
{
    struct console *k = c->console;
    bool is_simple = k->running == &k->simple;

    k->running = NULL;
    if (is_simple) {
        console_portal_fini(&k->simple);
        console_hear_ready(c);
    }
}

void
console_fail(struct client *c, struct pg_error *e)
{
    struct console *k = c->console;
    struct buf out;

    buf_init(&out);
    build_error(&out, e);
    console_hear(c, &out);
    if (k->running != &k->simple) {
        k->is_skipping = true;
        k->running = NULL;
    } else {
        finish(c);
    }
}

static void
on_rest(struct chore *chore)
{
    struct rest *rest = CONTAINER_OF(chore, struct rest, chore);
    struct client *c = rest->client;

    free(rest);
    if (c == NULL)
        return;
    c->console->rest = NULL;
    console_drained(c);
}

/* Not all of a long answer at once: others live in this worker too. A client that does not read it calls console_drained() when it does. */
static void
send_rest_later(struct client *c)
{
    struct rest *rest;

    if (c->console->rest != NULL || stream_backlog_bytes(&c->stream) > STREAM_HIGH_BYTES)
        return;
    rest = mem_new(sizeof *rest);
    rest->chore.run = on_rest;
    rest->client = c;
    c->console->rest = rest;
    loop_defer(c->worker->loop, &rest->chore);
}

void
console_forget_rest(struct console *k)
{
    if (k->rest != NULL)
        k->rest->client = NULL;
    k->rest = NULL;
}

/* Sends rows of what is under way, as many as are wanted and the client takes; then its end. */
void
console_send_rows(struct client *c)
{
    struct console *k = c->console;
    struct portal *p = k->running;
    bool is_full = false;
    struct slice cells = slice_skip(buf_slice(&p->result->rows), p->at);
    struct buf out;

    buf_init(&out);
    while (cells.len > 0 && k->rows_wanted > 0 && !is_full) {
        console_add_row(&out, p, &cells);
        if (k->rows_wanted != UINT32_MAX)
            k->rows_wanted--;
        is_full = buf_len(&out) >= PIECE_BYTES;
    }
    p->at = buf_len(&p->result->rows) - cells.len;
    if (cells.len > 0 && k->rows_wanted > 0) {
        console_hear(c, &out);
        send_rest_later(c);
        return;
    }
    if (cells.len > 0)
        build_bare(&out, 's');
    else if (p->result->tag[0] == '\0')
        build_bare(&out, 'I');
    else
        build_complete(&out, p->result->tag);
    console_hear(c, &out);
    finish(c);
}

static void
on_result(struct client *c)
{
    struct console *k = c->console;
    struct portal *p = k->running;

    if (buf_len(&p->result->notices) > 0) {
        client_send(c, buf_slice(&p->result->notices));
        buf_release(&p->result->notices);
    }
    if (p->result->is_error) {
        console_fail(c, &p->result->error);
        return;
    }
    assert(p->result->shape.count <= CONSOLE_MOST_COLUMNS);
    if (p == &k->simple && p->result->shape.count > 0)
        console_hear_shape(c, &p->result->shape, NULL);
    console_send_rows(c);
}

static void
on_answer(struct letter *letter, void *recipient)
{
    struct console_call *call = CONTAINER_OF(letter, struct console_call, letter);
    struct client *c = call->home->client;

    (void)recipient;
    if (c == NULL) {
        console_call_free(call);
        return;
    }
    c->console->waiting = NULL;
    c->console->running->result = call;
    on_result(c);
    console_next_message(c);
}

void
console_answer(struct console_call *call)
{
    struct loop *loop = call->home->worker->loop;

    call->letter.on_arrival = on_answer;
    loop_post_surely(loop, &call->letter);
}

/* Runs P, of which at most ROWS rows are to be sent now. */
void
console_run(struct client *c, struct portal *p, uint32_t rows)
{
    struct console *k = c->console;
    const struct console_handler *handler = c->worker->house->params.console;
    struct console_call *call;

    k->running = p;
    k->rows_wanted = rows == 0 ? UINT32_MAX : rows;
    if (p->result != NULL) { /* was suspended */
        console_send_rows(c);
        return;
    }
    c->worker->console_counters.query_count++;
    c->worker->console_counters.xact_count++;
    call = mem_new(sizeof *call);
    call->text = mem_text(p->text);
    call->user = mem_text(k->user);
    call->is_admin = k->is_admin;
    call->client_id = c->id;
    buf_init(&call->rows);
    buf_init(&call->notices);
    call->home = mem_new(sizeof *call->home);
    *call->home = (struct console_home){ c->worker, c };
    k->waiting = call->home;
    handler->execute(handler->arg, call);
}
