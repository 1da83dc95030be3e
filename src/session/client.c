/*
 * client.c - the client session's state machine. client_steps[] is the specification; login.c fills the left half of its picture, relay.c the right.
 */
#include "client_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cancel_impl.h"
#include "console_impl.h"
#include "forward_impl.h"
#include "login_impl.h"
#include "names_impl.h"
#include "pending_impl.h"
#include "pgweir/base/mem.h"
#include "pipe_impl.h"
#include "prepared_impl.h"
#include "relay_impl.h"
#include "state_impl.h"

static const struct {
    enum log_level level;
    const char *words;
} end_reasons[END_REASON_COUNT] = {
#define END_REASON_ROW(id, counter, level, words) [id] = { level, words },
    END_REASONS(END_REASON_ROW)
#undef END_REASON_ROW
};

void
client_log(const struct client *c, enum log_level level, const char *format, ...)
{
    char text[1024];
    char peer[128];
    va_list args;

    if (!log_wants(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    stream_peer_text(&c->stream, peer, sizeof peer);
    log_line(level, "C-%llu: %s/%s@%s %s", (unsigned long long)c->id,
             c->shard != NULL                                 ? pool_database(shard_pool(c->shard))
             : c->console != NULL                             ? console_database(c->console)
             : c->login != NULL && c->login->database != NULL ? c->login->database
                                                              : "(nodb)",
             c->shard != NULL                             ? pool_user(shard_pool(c->shard))
             : c->console != NULL                         ? console_user(c->console)
             : c->login != NULL && c->login->user != NULL ? c->login->user
                                                          : "(nouser)",
             peer, text);
}

/* --- the table --- */

static void start_relay(struct client *c);
static void resume_relay(struct client *c);
static void close_stream(struct client *c);
static void start_pipe(struct client *c);

struct client_step {
    bool is_allowed;
    enum client_state then;
    void (*act)(struct client *c); /* runs in the new state; NULL: nothing */
};

/* clang-format off */
#define STEP(then_, act_) { .is_allowed = true, .then = then_, .act = act_ }
#define ENDS [EV_END] = STEP(CLIENT_ENDED, close_stream)

static const struct client_step client_steps[CLIENT_STATE_COUNT][CLIENT_EVENT_COUNT] = {
    [CLIENT_STARTUP] = {
        [EV_TLS_ASKED] = STEP(CLIENT_TLS, NULL),
        [EV_LOGIN_ASKED] = STEP(CLIENT_AUTH, login_begin_auth),
        [EV_CANCEL_ASKED] = STEP(CLIENT_CANCELLING, NULL),
        ENDS,
    },
    [CLIENT_TLS] = {
        [EV_TLS_READY] = STEP(CLIENT_STARTUP, NULL),
        ENDS,
    },
    [CLIENT_AUTH] = {
        [EV_PROVED] = STEP(CLIENT_WELCOME, login_enter_pool),
        ENDS,
    },
    [CLIENT_WELCOME] = {
        [EV_WELCOMED] = STEP(CLIENT_IDLE, start_relay),
        [EV_CONSOLE] = STEP(CLIENT_CONSOLE, console_start),
        [EV_QUEUED] = STEP(CLIENT_WELCOME, NULL),
        [EV_GRANTED] = STEP(CLIENT_TRYING, login_try_settings),
        ENDS,
    },
    [CLIENT_TRYING] = {
        [EV_RELEASED] = STEP(CLIENT_WELCOME, NULL),
        [EV_WELCOMED] = STEP(CLIENT_PIPED, start_pipe),
        ENDS,
    },
    [CLIENT_PIPED] = { ENDS },
    [CLIENT_IDLE] = {
        [EV_QUEUED] = STEP(CLIENT_WAITING, NULL),
        [EV_GRANTED] = STEP(CLIENT_ACTIVE, NULL),
        ENDS,
    },
    [CLIENT_WAITING] = {
        [EV_GRANTED] = STEP(CLIENT_ACTIVE, resume_relay),
        ENDS,
    },
    [CLIENT_ACTIVE] = {
        [EV_RELEASED] = STEP(CLIENT_IDLE, NULL),
        ENDS,
    },
    [CLIENT_CONSOLE] = { ENDS },
    [CLIENT_CANCELLING] = { ENDS },
    [CLIENT_ENDED] = { [EV_END] = STEP(CLIENT_ENDED, NULL) },
};
/* clang-format on */

/* What must be true in each state, once a step is done. */
static bool
client_is_sane(const struct client *c)
{
    bool is_waiting = pending_is_waiting(c);

    switch ((enum client_state)c->state) {
    case CLIENT_STARTUP:
    case CLIENT_TLS:
    case CLIENT_AUTH:
        return c->login != NULL && c->shard == NULL && c->server == NULL && !is_waiting;
    case CLIENT_WELCOME:
        return c->login != NULL && c->shard != NULL && c->server == NULL;
    case CLIENT_TRYING:
        return c->login != NULL && !is_waiting;
    case CLIENT_IDLE:
        return c->login == NULL && c->server == NULL && !is_waiting && c->has_keys;
    case CLIENT_WAITING:
        return c->login == NULL && c->server == NULL && is_waiting;
    case CLIENT_ACTIVE:
        return c->login == NULL && !is_waiting;
    case CLIENT_CONSOLE:
        return c->login == NULL && c->shard == NULL && c->server == NULL && c->console != NULL;
    case CLIENT_PIPED:
        return c->login == NULL && !is_waiting && c->has_keys;
    case CLIENT_CANCELLING:
        return c->shard == NULL && c->server == NULL;
    case CLIENT_ENDED:
        return c->server == NULL && !is_waiting && !c->has_keys && !stream_is_open(&c->stream);
    case CLIENT_STATE_COUNT:
        break;
    }
    return false;
}

void
client_feed(struct client *c, enum client_event ev)
{
    const struct client_step *step = &client_steps[c->state][ev];

    assert(step->is_allowed);
    c->state = (uint8_t)step->then; /* the only writer */
    if (step->act != NULL)
        step->act(c);
    assert(client_is_sane(c));
    (void)client_is_sane;
}

/* --- input --- */

/* Input that must wait: bounded, because reading stops above the mark. */
static void
keep_for_later(struct client *c, struct slice fresh)
{
    buf_add(&pending_of(c)->carry, fresh);
    if (pending_bytes(c) > RELAY_CARRY_BYTES)
        stream_read_stop(&c->stream);
}

void
client_catch_up(struct client *c)
{
    pending_tidy(c);
    if (c->state == CLIENT_IDLE && pending_bytes(c) > 0)
        relay_from_client(c, slice_of(NULL, 0));
    if (c->state == CLIENT_CONSOLE && pending_bytes(c) > 0)
        console_read(c, slice_of(NULL, 0));
}

static void
read_login(struct client *c, struct slice fresh)
{
    struct slice in = fresh;
    bool is_kept = pending_bytes(c) > 0;
    size_t used;

    if (is_kept) {
        buf_add(&c->pending->carry, fresh);
        in = pending_input(c);
    }
    used = login_read(c, in);
    if (is_kept)
        buf_drop(&c->pending->carry, used);
    else if (c->state != CLIENT_ENDED && used < in.len)
        buf_add(&pending_of(c)->carry, slice_skip(in, used));
    if (c->pending != NULL && (pending_bytes(c) == 0 || c->state == CLIENT_ENDED))
        buf_wipe(&c->pending->carry); /* a password may have been in it */
    else if (pending_bytes(c) > RELAY_CARRY_BYTES)
        stream_read_stop(&c->stream);
    client_catch_up(c);
}

void
client_read_on(struct client *c)
{
    if (c->state == CLIENT_ENDED)
        return;
    stream_read_start(&c->stream);
    if (c->state == CLIENT_AUTH)
        read_login(c, slice_of(NULL, 0));
    else
        client_catch_up(c);
}

static void
on_bytes(void *owner, struct slice fresh)
{
    struct client *c = owner;

    switch ((enum client_state)c->state) {
    case CLIENT_IDLE:
    case CLIENT_ACTIVE:
        relay_from_client(c, fresh);
        break;
    case CLIENT_STARTUP:
    case CLIENT_AUTH:
        read_login(c, fresh);
        break;
    case CLIENT_CONSOLE:
        console_read(c, fresh);
        break;
    case CLIENT_WELCOME:
    case CLIENT_TRYING:
    case CLIENT_WAITING:
        keep_for_later(c, fresh);
        break;
    case CLIENT_PIPED:
        pipe_from_client(c, fresh);
        break;
    case CLIENT_TLS: /* the stream reads the handshake itself */
    case CLIENT_CANCELLING:
    case CLIENT_ENDED:
    case CLIENT_STATE_COUNT:
        break;
    }
}

static void
on_drained(void *owner)
{
    struct client *c = owner;

    if (c->state == CLIENT_CONSOLE)
        console_drained(c);
    else if (c->state == CLIENT_PIPED)
        pipe_client_drained(c);
    else
        relay_client_drained(c);
}

/* Whether what waits in carry ends with a Terminate. */
static bool
has_said_goodbye(const struct client *c)
{
    static const uint8_t terminate[] = { 'X', 0, 0, 0, 4 };
    struct slice kept = pending_input(c);

    return kept.len > sizeof terminate &&
           memcmp(kept.at + kept.len - sizeof terminate, terminate, sizeof terminate) == 0;
}

static void
on_closed(void *owner, const struct error *why)
{
    struct client *c = owner;
    bool is_probe = c->state == CLIENT_STARTUP && pending_bytes(c) == 0 && !c->login->is_tls_asked;

    if (c->state == CLIENT_WAITING && has_said_goodbye(c))
        return; /* what it asked for before is still to be done, as on a direct connection; then its Terminate ends it */
    if (why != NULL && c->state == CLIENT_TLS)
        client_log(c, LOG_NOTICE_LEVEL, "TLS handshake failed: %s", why->text);
    client_end(c, is_probe ? END_PROBE : END_CLIENT_LOST, NULL);
}

static void
on_tls(void *owner)
{
    client_feed(owner, EV_TLS_READY);
}

static const struct stream_handler handler = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed, .on_tls = on_tls
};

/* --- time --- */

/* client_idle_timeout. */
struct idle_watch {
    struct timer timer;
    struct client *client;
};

static void
on_idle_due(struct timer *timer)
{
    struct client *c = CONTAINER_OF(timer, struct idle_watch, timer)->client;
    uint64_t bound_us = shard_route(c->shard)->client_idle_timeout_us;
    uint64_t idle_us;
    struct pg_error e;

    if (bound_us == 0)
        return;
    idle_us = c->state == CLIENT_IDLE ? loop_now_us(c->worker->loop) - c->active_us
              : c->pins != 0 && c->server->status == 'I' && ledger_is_quiet(&c->server->ledger)
                  ? loop_now_us(c->worker->loop) - c->server->request_us
                  : 0;
    if (idle_us < bound_us) { /* it was busy meanwhile: look again when it can be due at the earliest */
        loop_arm(c->worker->loop, timer, bound_us - idle_us);
        return;
    }
    pg_error_set(&e, PG_FATAL, SQLSTATE_IDLE_SESSION_TIMEOUT,
                 "terminating connection due to idle-session timeout (client_idle_timeout = %g s)",
                 (double)bound_us / 1e6);
    client_end(c, END_CLIENT_IDLE, &e);
}

static void
watch_idleness(struct client *c)
{
    uint64_t bound_us = shard_route(c->shard)->client_idle_timeout_us;

    if (bound_us == 0)
        return;
    c->idle_watch = mem_new(sizeof *c->idle_watch);
    c->idle_watch->client = c;
    timer_init(&c->idle_watch->timer, on_idle_due);
    loop_arm(c->worker->loop, &c->idle_watch->timer, bound_us);
}

static void
ignore_idleness(struct client *c)
{
    if (c->idle_watch == NULL)
        return;
    timer_cancel(&c->idle_watch->timer);
    free(c->idle_watch);
    c->idle_watch = NULL;
}

/* --- birth --- */

/* Connections that never log in are bounded by closing the oldest of them, so that they cannot keep others out. */
static void
crowd_out(struct worker *w)
{
    unsigned most = worker_settings(w)->max_login_conn / w->house->worker_count;
    struct link *oldest = list_first(&w->logins);

    if (w->login_count <= (most > 0 ? most : 1) || oldest == NULL)
        return;
    client_end(CONTAINER_OF(oldest, struct client, in_worker), END_LOGIN_CROWDED_OUT, NULL);
}

struct client *
client_new(struct worker *w, int fd, bool is_unix)
{
    struct client *c = slab_new(&w->client_slab);

    c->worker = w;
    c->id = atomic_fetch_add_explicit(&w->house->last_client_id, 1, memory_order_relaxed) + 1;
    c->born_s = (uint32_t)(loop_now_us(w->loop) / US_PER_S);
    c->is_unix = is_unix;
    c->state = CLIENT_STARTUP;
    c->login = login_new(c);
    stream_init(&c->stream, &handler, c);
    link_init(&c->in_worker);
    list_push_last(&w->logins, &c->in_worker);
    w->login_count++;
    stream_open_accepted(&c->stream, w->loop, fd);
    stream_read_start(&c->stream);
    crowd_out(w);
    return c;
}

/* Logged in: the login's memory goes, the relay reads. */
static void
start_relay(struct client *c)
{
    struct worker *w = c->worker;

    login_free(c->login);
    c->login = NULL;
    link_remove(&c->in_worker);
    w->login_count--;
    list_push_last(&w->clients, &c->in_worker);
    scanner_init(&c->scanner, &front_relay_rules, worker_most_body(w), RELAY_CARRY_BYTES);
    c->is_pqexec_refused = worker_settings(w)->disable_pqexec;
    c->active_us = loop_now_us(w->loop);
    shard_counters(c->shard)->client_login_count++;
    watch_idleness(c);
    stream_read_start(&c->stream);
}

/* The same for a replication connection. */
static void
start_pipe(struct client *c)
{
    start_relay(c);
    pipe_start(c);
}

/* --- server --- */

void
client_link(struct client *c, struct server *s)
{
    c->server = s;
    s->client = c;
    c->active_us = loop_now_us(c->worker->loop);
    if (c->login == NULL) /* else it only has its settings tried */
        shard_counters(c->shard)->server_assignment_count++;
    s->turn = (struct turn){ .link_stamp = c->stamp, .bound_portal = PORTAL_NONE };
    s->segment_stamp = 0;
    s->kept_stamp = 0;
    s->is_keeping = false;
    s->keeping = slice_of(NULL, 0);
    buf_drop(&s->kept_back, buf_len(&s->kept_back));
    s->foreign = 0;
    if (UNLIKELY(s->seed_client != 0) && s->seed_client != c->id && c->pool_mode != POOL_SESSION)
        s->foreign = FOREIGN_SEED;
    if (s->sequence_client != c->id) {
        if (s->sequence_client != 0 && c->pool_mode != POOL_SESSION &&
            (c->asks_sequences || shard_asks_sequences(c->shard, c->active_us)))
            s->foreign |= FOREIGN_SEQUENCES;
        s->sequence_client = s->sequence_client == 0 ? c->id : SEQUENCES_OF_MANY;
    }
    state_begin(s);
    server_move(s, SERVER_ACTIVE);
    client_feed(c, EV_GRANTED);
}

void
client_unlink(struct client *c)
{
    c->active_us = loop_now_us(c->worker->loop);
    client_feed(c, EV_RELEASED);
    if (c->worker->is_draining || c->is_unwanted) {
        client_drain(c);
        return;
    }
    if ((c->is_held || !c->stream.is_reading) && stream_backlog_bytes(&c->stream) <= STREAM_HIGH_BYTES)
        relay_client_drained(c);
}

static void
resume_relay(struct client *c)
{
    stream_read_start(&c->stream);
    relay_from_client(c, slice_of(NULL, 0));
}

void
client_on_grant(struct waiter *w, struct member *m)
{
    client_link(client_of_waiter(w), server_of_member(m));
}

void
client_on_welcome(struct waiter *w)
{
    struct client *c = client_of_waiter(w);

    login_settle(c);
    client_catch_up(c);
}

void
client_on_long_wait(struct waiter *w)
{
    struct client *c = client_of_waiter(w);
    struct buf out;

    if (c->state != CLIENT_WAITING) /* a login is not interrupted */
        return;
    buf_init(&out);
    build_notice(&out, "No server connection available in postgres backend, client being queued");
    client_send(c, buf_slice(&out));
    buf_release(&out);
}

static const char *
application_of(const struct client *c)
{
    const char *name = snapshot_value(c->settings, "application_name");

    return name != NULL ? name : "";
}

/* The first of the reasons PINS. */
static const char *
pin_words(unsigned pins)
{
    static const char *const words[] = {
#define PIN_REASON_WORDS(id, name, words) "idle, kept because of " words,
        PIN_REASONS(PIN_REASON_WORDS)
#undef PIN_REASON_WORDS
    };

    return words[__builtin_ctz(pins)];
}

/* Who has the servers that this client did not get, as far as this worker knows. */
static void
tell_holders(struct client *c, struct pg_error *e)
{
    struct budget_view view;
    struct server *longest = NULL;
    uint64_t now_us = loop_now_us(c->worker->loop);
    char holder[300] = "";
    char bound[100] = "";
    char pinned[80] = "";
    unsigned pinned_count = shard_pinned_in_pool(c->shard);

    budget_look(pool_account(shard_pool(c->shard)), &view);
    LIST_EACH(shard_members(c->shard), it) {
        struct server *s = server_of_member(CONTAINER_OF(it, struct member, in_all));

        if (s->client != NULL && (longest == NULL || s->client->active_us < longest->client->active_us))
            longest = s;
    }
    if (pinned_count > 0)
        snprintf(pinned, sizeof pinned, " %u are kept by their clients' session state (see SHOW PINS).",
                 pinned_count);
    if (longest != NULL)
        snprintf(holder, sizeof holder, " Held longest: backend %u by \"%s\" (client C-%llu) for %.1f s, %s.",
                 longest->backend_pid, application_of(longest->client),
                 (unsigned long long)longest->client->id, (double)(now_us - longest->client->active_us) / 1e6,
                 !ledger_is_empty(&longest->ledger)                     ? "running a query"
                 : longest->client->pins != 0 && longest->status == 'I' ? pin_words(longest->client->pins)
                 : longest->status == 'I'                               ? "idle"
                                                                        : "idle in transaction");
    if (view.bound != NULL)
        snprintf(bound, sizeof bound, " The limit that is reached: %s, %u of %u.", view.bound,
                 view.bound_taken, view.bound_limit);
    pg_error_detail(
        e, "Pool %s/%s has %u of at most %u connections; its host %u of %u (%s); %u clients wait here.%s%s%s",
        pool_database(shard_pool(c->shard)), pool_user(shard_pool(c->shard)), view.account_taken,
        view.account_limit > 0 ? view.account_limit : view.in_force, view.taken, view.in_force, view.why,
        shard_waiting_count(c->shard), bound, pinned, holder);
}

void
client_tell_wait(struct client *c, struct pg_error *e)
{
    struct pg_error why;

    if (shard_trouble(c->shard, &why))
        pg_error_detail(e, "The last attempt to connect to the server failed: %s", why.message);
    else
        tell_holders(c, e);
}

void
client_on_refuse(struct waiter *w, enum refusal refusal, const struct pg_error *why)
{
    struct client *c = client_of_waiter(w);
    struct pg_error e;

    if (refusal == REFUSED_BY_SERVER) {
        client_end(c, END_SERVER_REFUSED, why);
        return;
    }
    pg_error_set(&e, PG_FATAL, SQLSTATE_TOO_MANY_CONNECTIONS,
                 "query_wait_timeout: no server connection came free within %g s",
                 (double)shard_route(c->shard)->query_wait_timeout_us / 1e6);
    client_tell_wait(c, &e);
    pg_error_hint(
        &e, "Shorten transactions, or raise default_pool_size, server_connections or query_wait_timeout.");
    client_end(c, END_WAITED_TOO_LONG, &e);
}

/* --- the end --- */

void
client_send(struct client *c, struct slice bytes)
{
    stream_send(&c->stream, bytes);
}

static void
close_stream(struct client *c)
{
    struct worker *w = c->worker;

    ignore_idleness(c);
    if (c->pending != NULL)
        shard_leave_queue(&c->pending->waiter);
    cancel_key_forget(c);
    if (c->login != NULL) {
        timer_cancel(&c->login->timer);
        cancel_requester_gone(c);
        forward_requester_gone(c);
    }
    if (c->console != NULL)
        console_gone(c);
    if (c->shard != NULL)
        shard_client_left(c->shard);
    if (c->end_reason == END_CLIENT_LEFT && stream_backlog_bytes(&c->stream) == 0)
        stream_close(&c->stream); /* it waits for nothing more, and a gentle end is four system calls */
    else
        stream_close_gently(&c->stream);
    if (c->login != NULL)
        w->login_count--;
    link_remove(&c->in_worker);
    list_push_last(&w->graveyard, &c->in_worker);
    worker_bury_later(w);
}

/* Whether an error message has a place now: not inside a handshake or another message, and a cancel request is never answered. */
static bool
can_be_told(const struct client *c)
{
    const struct server *s = c->server;

    return stream_is_open(&c->stream) && c->state != CLIENT_TLS && c->state != CLIENT_CANCELLING &&
           c->state != CLIENT_PIPED && !c->is_cut_off &&
           (s == NULL || !s->is_forwarding || scanner_is_between_messages(&s->scanner));
}

/* What the log says. Of a refused login that is what the client hears, as in PgBouncer: its words are searched for. */
static const char *
closing_words(enum end_reason reason, const struct pg_error *why)
{
    bool is_refused = reason == END_LOGIN_FAILED || reason == END_NO_DATABASE || reason == END_TOO_MANY ||
                      reason == END_UNSUPPORTED || reason == END_SERVER_REFUSED || reason == END_DISABLED;

    return is_refused && why != NULL ? why->message : end_reasons[reason].words;
}

void
client_end(struct client *c, enum end_reason reason, const struct pg_error *why)
{
    const struct settings *settings = worker_settings(c->worker);
    struct server *s = c->server;

    if (c->state == CLIENT_ENDED)
        return;
    c->end_reason = (uint8_t)reason;
    c->worker->ended[reason]++;
    if (why != NULL && can_be_told(c)) {
        struct buf out;

        buf_init(&out);
        build_error(&out, why);
        client_send(c, buf_slice(&out));
        buf_release(&out);
        if (settings->log_pooler_errors)
            client_log(c, LOG_WARNING_LEVEL, "pooler error: %s", why->message);
    }
    if (settings->log_disconnections || reason == END_LOGIN_FAILED)
        client_log(c, end_reasons[reason].level, "closing because: %s (age=%llus)",
                   closing_words(reason, why),
                   (unsigned long long)(loop_now_us(c->worker->loop) / US_PER_S - c->born_s));
    if (c->pins != 0 && s == NULL) /* it was lost */
        state_pin(c, 0);
    if (s != NULL) {
        bool is_half = !scanner_is_between_messages(&c->scanner) && !c->is_dropping;

        server_orphan(s, is_half                                                       ? ORPHAN_HALF_MESSAGE
                         : reason == END_CLIENT_LEFT || reason == END_SETTINGS_REFUSED ? ORPHAN_POLITE
                                                                                       : ORPHAN_LOST);
    }
    client_feed(c, EV_END);
}

void
client_server_gone(struct client *c, enum end_reason reason, const struct pg_error *why)
{
    assert(c->server == NULL);
    client_end(c, reason, why);
}

void
client_drain(struct client *c)
{
    struct pg_error e;
    bool is_between = c->state != CLIENT_ACTIVE ||
                      (c->server->status == 'I' && ledger_is_quiet(&c->server->ledger) &&
                       scanner_is_between_messages(&c->scanner) &&
                       scanner_is_between_messages(&c->server->scanner));

    if (!is_between)
        return;
    if (c->is_unwanted) {
        pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
        pg_error_detail(&e, "It is no longer in the configuration of the connection pooler.");
    } else {
        pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN,
                     "terminating connection due to administrator command");
        pg_error_detail(&e, "The connection pooler is shutting down.");
    }
    client_end(c, c->is_unwanted ? END_KILLED : END_SHUTDOWN, &e);
}

void
client_check_database(struct client *c)
{
    const struct settings *settings = worker_settings(c->worker);

    c->is_unwanted = c->shard != NULL &&
                     !settings_has_database(settings, pool_database(shard_pool(c->shard)));
    if (c->is_unwanted)
        client_drain(c);
}

void
client_free(struct client *c)
{
    struct worker *w = c->worker;

    login_free(c->login);
    console_free(c->console);
    pending_free(c);
    snapshot_drop(w->house->snapshots, c->settings);
    snapshot_drop(w->house->snapshots, c->floor);
    client_names_free(c->names);
    name_drop(c->unnamed);
    name_drop(c->bound);
    mem_wipe(c->cancel_secret, sizeof c->cancel_secret);
    if (c->shard != NULL)
        pool_leave(shard_pool(c->shard), loop_now_us(w->loop));
    tally_give(&w->house->database_clients, c->of_database);
    tally_give(&w->house->user_clients, c->of_user);
    if (c->is_counted)
        atomic_fetch_sub_explicit(&w->house->client_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->client_count, 1, memory_order_relaxed);
    slab_free(&w->client_slab, c);
}
