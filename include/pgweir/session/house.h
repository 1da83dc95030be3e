/*
 * house.h - what all workers share, and the workers themselves as seen from the main thread.
 *
 * main:   house_new() -> house_worker_loop() for each, one thread runs loop_run() on it -> house_deliver() for each accepted socket
 *         house_reconfigure() after a reload, house_drain() at the end, then loop_stop(), join, house_free()
 */
#ifndef PGWEIR_SESSION_HOUSE_H
#define PGWEIR_SESSION_HOUSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "pgweir/base/err.h"
#include "pgweir/config/settings.h"
#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/tcp.h"
#include "pgweir/net/tls.h"
#include "pgweir/pool/control.h"
#include "pgweir/pool/statement.h"
#include "pgweir/session/console.h"
#include "pgweir/session/secret_ask.h"

struct house;
struct house_hunt;

/* A configuration with its TLS contexts: immutable, reference counted, any thread. */
struct house_config {
    _Atomic unsigned refs;
    const struct settings *settings; /* held */
    struct tls_context *client_tls;  /* held; NULL while client_tls_sslmode is disable */
    struct server_tls *server_tls;   /* a context for each TLS setting that databases have */
    unsigned server_tls_count;
};
/* Builds the TLS contexts and checks them; SETTINGS is held. ERR_TLS and friends with the file's name in
 * *WHY. */
MUST_CHECK enum err house_config_new(const struct settings *settings, struct house_config **out,
                                     struct error *why);
/* The context for servers with TLS settings FILES, held for the caller; NULL with sslmode disable. Settings
 * that C does not have, of a route from before a reload, get one of their own: that can fail. */
MUST_CHECK enum err house_config_server_tls(const struct house_config *c, const struct tls_files *files,
                                            struct tls_context **out, struct error *why);
struct house_config *house_config_hold(struct house_config *c);
void house_config_drop(struct house_config *c); /* NULL is fine */

/* What S wants of TCP connections. */
struct tcp_options tcp_options_of(const struct settings *s);

struct house_params {
    struct house_config *config; /* held */
    const struct clock *clock;
    unsigned worker_count;
    /* A host whose capacity is not known, or no longer true, is wanted; any thread. Answer some time with
     * budget_set_limit(). */
    void (*on_unknown_host)(void *arg, struct budget_host *host);
    /* After house_drain(): the last client and the last server of all workers are gone. Called in some
     * worker's thread. */
    void (*on_drained)(void *arg);
    /* A secret is wanted that only control/ can get; any thread. Answer some time, once, with
     * secret_ask_answer(). NULL: there is no control/. */
    void (*on_secret_ask)(void *arg, struct secret_ask *ask);
    void *arg;
    const struct console_handler
        *console; /* borrowed, for as long as the house lives; NULL: there is no console */
};

MUST_CHECK enum err house_new(const struct house_params *params, struct house **out, struct error *why);
void house_free(struct house *h); /* after the worker threads have ended; closes what is left */

/* LOOP is the main thread's: it hears the answers of what takes time (pools_attend() included). Once, before
 * the first of those. */
void house_attend(struct house *h, struct loop *loop);

/* KILL: pauses DATABASE (NULL: all), tells its clients 57P01 "database removed" and closes them and their
 * servers. POOLS_ALREADY while all are paused. pools_resume() lets clients come back. Main thread. */
enum pools_answer house_kill(struct house *h, const char *database);
/* KILL_CLIENT: the client of that id (client.id, shown as C-<id>) is told 57P01 "admin forced disconnect" and
 * closed. Main thread; on_done comes there later, unless the hunt, which is valid until then, is
 * cancelled. */
struct house_hunt *house_kill_client(struct house *h, uint64_t id, void (*on_done)(void *arg, bool is_found),
                                     void *arg);
void house_hunt_cancel(struct house_hunt *hunt); /* NULL is fine */

/* SUSPEND: nothing more is read from clients and servers, consoles excepted, and what is on its way to them is sent. ON_DONE, in the main
 * thread, comes when that is done; who has not taken it after LIMIT_US (0: no limit) is closed. False: it is suspended already. house_resume() undoes it,
 * and ON_DONE will not come any more; fine when it is not suspended. Main thread. */
bool house_suspend(struct house *h, uint64_t limit_us, void (*on_done)(void *arg), void *arg);
bool house_resume(struct house *h); /* false: it was not suspended */
bool house_is_suspended(const struct house *h);

unsigned house_worker_count(const struct house *h);
struct loop *house_worker_loop(struct house *h, unsigned worker);
struct pools *house_pools(struct house *h);
struct registry *house_registry(struct house *h);

/* The loop in which listening sockets are to live: the main thread's, or the worker's where there is only one,
 * which then needs no letter and no second thread for a login. */
struct loop *house_door(struct house *h);
/* Hands a socket that a listener has accepted to the worker with the fewest clients. The door's thread. */
void house_deliver(struct house *h, int fd, const struct address *peer);
/* Puts CONFIG in force everywhere; holds it. Main thread. */
void house_reconfigure(struct house *h, struct house_config *config);

/* Whoever comes by a Unix socket from now on may enter the console and nothing else. Any thread. */
void house_close_doors(struct house *h);
/* Ends at transaction boundaries: a client outside a transaction is told 57P01 and closed, one inside when
 * its transaction ends; servers are closed as they come back. on_drained follows. Main thread, once. */
void house_drain(struct house *h);

/* Clients of a login user; any thread. */
unsigned house_user_clients(struct house *h, const char *user);

struct house_totals {
    unsigned clients; /* logged in */
    unsigned logins;  /* not logged in yet */
    unsigned consoles;
};
void house_totals(const struct house *h, struct house_totals *out); /* any thread, relaxed */

#endif
