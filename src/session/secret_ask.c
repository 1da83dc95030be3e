/* secret_ask.c - the way of a question to control/ and back. */
#include "secret_ask_impl.h"

#include <stdlib.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

void
secret_ask_drop(struct secret_ask *ask)
{
    free(ask->database);
    free(ask->user);
    mem_free_secret(ask->secret);
    mem_free_secret(ask->password);
    free(ask->from);
    free(ask->service);
    free(ask->directory);
    free(ask);
}

static void
on_return(struct letter *letter, void *recipient)
{
    struct secret_ask *ask = CONTAINER_OF(letter, struct secret_ask, letter);

    (void)recipient;
    if (ask->asker != NULL)
        ask->on_answer(ask->asker, ask);
    secret_ask_drop(ask);
}

void
secret_ask_answer(struct secret_ask *ask)
{
    ask->letter.on_arrival = on_return;
    while (!loop_post(ask->worker_loop, &ask->letter)) /* full of new sockets: it is emptied in a moment */
        usleep(1000);
}

struct secret_ask *
secret_ask_new(struct worker *w, enum secret_source source, const char *database, const char *user,
               void (*on_answer)(void *asker, struct secret_ask *ask), void *asker)
{
    struct secret_ask *ask = mem_new(sizeof *ask);

    ask->source = source;
    ask->database = mem_text(database);
    ask->user = mem_text(user);
    ask->worker_loop = w->loop;
    ask->on_answer = on_answer;
    ask->asker = asker;
    atomic_init(&ask->is_forgotten, false);
    return ask;
}

struct secret_ask *
secret_ask_go(struct worker *w, struct secret_ask *ask)
{
    w->house->params.on_secret_ask(w->house->params.arg, ask);
    return ask;
}

struct secret_ask *
secret_ask_send(struct worker *w, enum secret_source source, const char *database, const char *user,
                bool is_fresh, void (*on_answer)(void *asker, struct secret_ask *ask), void *asker)
{
    struct secret_ask *ask = secret_ask_new(w, source, database, user, on_answer, asker);

    ask->is_fresh = is_fresh;
    return secret_ask_go(w, ask);
}

void
secret_ask_forget(struct secret_ask *ask)
{
    if (ask == NULL)
        return;
    ask->asker = NULL;
    atomic_store_explicit(&ask->is_forgotten, true, memory_order_relaxed);
}
