/*
 * killing.c - KILL and KILL_CLIENT: clients that an administrator sends away.
 *
 *     KILL         pauses the pools, then a letter to every worker: it ends the clients of the database
 *     KILL_CLIENT  one letter goes round: main -> worker 0 -> worker 1 … -> main. Where the client lives
 *                  it is ended.
 *
 * What a killed client's server was at is cancelled and rolled back, as when a client is lost; the pause then
 * closes the server.
 */
#include <stdlib.h>
#include <string.h>

#include "client_impl.h"
#include "login_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/pool/control.h"
#include "pgweir/wire/pg_error.h"

/* --- KILL_CLIENT --- */

struct house_hunt {
    struct letter letter;
    struct house *house;
    uint64_t client;
    unsigned worker; /* whose loop the letter travels to; worker_count: the main one */
    bool is_found;
    void (*on_done)(void *arg, bool is_found); /* main thread; NULL: nobody wants to know any more */
    void *arg;
};

static struct client *
client_in(struct list *list, uint64_t id)
{
    LIST_EACH(list, l) {
        struct client *c = CONTAINER_OF(l, struct client, in_worker);

        if (c->id == id)
            return c;
    }
    return NULL;
}

static void on_hunt(struct letter *letter, void *recipient);

static void
send_on(struct house_hunt *hunt)
{
    struct house *h = hunt->house;

    hunt->letter.on_arrival = on_hunt;
    loop_post_surely(hunt->worker < h->worker_count ? h->workers[hunt->worker].loop : h->main_loop,
                     &hunt->letter);
}

static void
come_home(struct house_hunt *hunt)
{
    if (hunt->on_done != NULL)
        hunt->on_done(hunt->arg, hunt->is_found);
    free(hunt);
}

static void
on_hunt(struct letter *letter, void *recipient)
{
    struct house_hunt *hunt = CONTAINER_OF(letter, struct house_hunt, letter);
    struct worker *w = recipient;
    struct client *c;
    struct pg_error e;

    if (hunt->worker == hunt->house->worker_count) {
        come_home(hunt);
        return;
    }
    c = client_in(&w->clients, hunt->client);
    if (c == NULL)
        c = client_in(&w->logins, hunt->client);
    if (c == NULL)
        c = client_in(&w->consoles, hunt->client);
    hunt->is_found = c != NULL;
    hunt->worker = c != NULL ? hunt->house->worker_count : hunt->worker + 1;
    if (c != NULL) {
        pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "admin forced disconnect");
        client_end(c, END_ADMIN, &e);
    }
    send_on(hunt);
}

struct house_hunt *
house_kill_client(struct house *h, uint64_t id, void (*on_done)(void *arg, bool is_found), void *arg)
{
    struct house_hunt *hunt = mem_new(sizeof *hunt);

    hunt->house = h;
    hunt->client = id;
    hunt->on_done = on_done;
    hunt->arg = arg;
    send_on(hunt);
    return hunt;
}

void
house_hunt_cancel(struct house_hunt *hunt)
{
    if (hunt != NULL)
        hunt->on_done = NULL;
}

/* --- KILL --- */

struct verdict {
    struct letter letter;
    char *database; /* NULL: all */
};

static const char *
database_of(const struct client *c)
{
    if (c->shard != NULL)
        return pool_database(shard_pool(c->shard));
    return c->login != NULL ? c->login->database : NULL;
}

static void
on_verdict(struct letter *letter, void *recipient)
{
    struct verdict *v = CONTAINER_OF(letter, struct verdict, letter);
    struct worker *w = recipient;

    worker_end_clients(w, v->database);
    free(v->database);
    free(v);
}

bool
client_is_of(const struct client *c, const char *database)
{
    const char *own = database_of(c);

    return own != NULL && (database == NULL || strcmp(own, database) == 0);
}

enum pools_answer
house_kill(struct house *h, const char *database)
{
    enum pools_answer answer = POOLS_ALREADY;

    if (!pools_is_paused(h->pools, NULL))
        answer = pools_pause(h->pools, database, NULL);
    if (answer != POOLS_DONE)
        return answer;
    for (unsigned i = 0; i < h->worker_count; i++) {
        struct verdict *v = mem_new(sizeof *v);

        v->letter.on_arrival = on_verdict;
        v->database = database == NULL ? NULL : mem_text(database);
        loop_post_surely(h->workers[i].loop, &v->letter);
    }
    return POOLS_DONE;
}
