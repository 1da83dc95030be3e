/*
 * server.c - the life of a server connection after its login (server_login.c has what comes before).
 *
 * A server leaves its client in one of two ways. Released: everything was answered, status I. Orphaned: the client went away and left
 * something; then what is owed is drained (a running query is cancelled first), an open transaction rolled back, and the server is as good as
 * new, or closed when it does not come clean in time.
 */
#include "server_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cancel_impl.h"
#include "client_impl.h"
#include "healing_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/pool/audit.h"
#include "pgweir/pool/schema.h"
#include "pgweir/wire/front.h"
#include "prepared_impl.h"
#include "relay_impl.h"
#include "state_impl.h"

/* Where S is, or where it wants to be. */
static void
whereabouts(const struct server *s, char *out, size_t size)
{
    const struct route_host *h = s->route->hosts;
    unsigned i = 0;

    if (s->peer.len > 0) {
        address_text(&s->peer, out, size);
        return;
    }
    while (i + 1 < s->route->host_count && h[i].host != s->host)
        i++;
    snprintf(out, size, "%s:%u", s->host, h[i].port);
}

void
server_log(const struct server *s, enum log_level level, const char *format, ...)
{
    char text[1024];
    char peer[320];
    va_list args;

    if (!log_wants(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    whereabouts(s, peer, sizeof peer);
    log_line(level, "S-%llu: %s/%s@%s %s", (unsigned long long)s->id, s->route->database, s->route->user,
             peer, text);
}

/* What is in force now; s->route is what the connection was made for. */
static const struct route *
route_of(const struct server *s)
{
    return shard_route(s->member.shard);
}

/* What must be true in each state; see SERVER_STATES. */
static bool
server_is_sane(const struct server *s)
{
    switch ((enum server_state)s->state) {
    case SERVER_DIALING:
        return s->client == NULL && !stream_is_open(&s->stream) && s->login != NULL;
    case SERVER_TLS_ASKED:
    case SERVER_TLS:
    case SERVER_AUTH:
    case SERVER_SETUP:
        return s->client == NULL && stream_is_open(&s->stream) && s->login != NULL;
    case SERVER_IDLE:
        return s->client == NULL && s->login == NULL && ledger_is_quiet(&s->ledger) && s->status == 'I';
    case SERVER_ACTIVE:
        return s->client != NULL && s->client->server == s;
    case SERVER_CLEANING:
    case SERVER_CHECKING:
    case SERVER_SETTLING:
        return s->client == NULL && s->login == NULL;
    case SERVER_PARTING:
        return s->client == NULL && s->login == NULL && ledger_is_empty(&s->ledger);
    case SERVER_ENDED:
        return s->client == NULL && !stream_is_open(&s->stream);
    case SERVER_STATE_COUNT:
        break;
    }
    return false;
}

void
server_move(struct server *s, enum server_state to)
{
    s->state = (uint8_t)to;
    assert(server_is_sane(s));
    (void)server_is_sane;
}

/* --- time --- */

static void
client_took_too_long(struct client *c, enum end_reason reason, const char *sqlstate, const char *option,
                     uint64_t bound_us)
{
    struct pg_error e;

    if (reason == END_QUERY_TIMEOUT)
        pg_error_set(&e, PG_FATAL, sqlstate, "query_timeout: the query ran longer than %g s",
                     (double)bound_us / 1e6);
    else
        pg_error_set(&e, PG_FATAL, sqlstate, "terminating connection due to %s timeout (%s = %g s)",
                     reason == END_TRANSACTION_LONG ? "transaction" : "idle-in-transaction", option,
                     (double)bound_us / 1e6);
    pg_error_hint(&e, "The limit is %s in the pooler's configuration.", option);
    client_end(c, reason, &e);
}

/* One cancel request ends one query, and one that comes between two is ignored: so this is done until nothing is owed any more. */
static void
cancel_what_runs(struct server *s)
{
    if (!s->is_patient && !s->is_ours && list_is_empty(&s->couriers) && !ledger_is_empty(&s->ledger))
        cancel_dispatch(s, NULL);
}

/* How long its client's transaction may still take; TIMERS_NEVER: for ever. */
static uint64_t
transaction_left_us(const struct server *s)
{
    uint64_t bound_us = route_of(s)->transaction_timeout_us;
    uint64_t now_us = loop_now_us(s->worker->loop);
    uint64_t began_us = s->turn.xact_us != 0 ? s->turn.xact_us : now_us;

    if (bound_us == 0)
        return TIMERS_NEVER;
    return began_us + bound_us > now_us ? began_us + bound_us - now_us : 0;
}

static void
on_due(struct timer *timer)
{
    struct server *s = CONTAINER_OF(timer, struct server, timer);
    struct pg_error e;

    switch ((enum server_state)s->state) {
    case SERVER_DIALING:
    case SERVER_TLS_ASKED:
    case SERVER_TLS:
    case SERVER_AUTH:
    case SERVER_SETUP:
        pg_error_set(&e, PG_FATAL, SQLSTATE_CANNOT_CONNECT,
                     "connecting to the server took longer than server_connect_timeout (%g s)",
                     (double)s->route->server_connect_timeout_us / 1e6);
        server_login_failed(s, DIAL_UNREACHABLE, "connect timeout", &e);
        break;
    case SERVER_ACTIVE:
        if (s->status == 'I' && ledger_is_quiet(&s->ledger)) {
            state_pin_is_over(s);
            relay_let_go(s);
        } else if (transaction_left_us(s) == 0)
            client_took_too_long(s->client, END_TRANSACTION_LONG, SQLSTATE_TRANSACTION_TIMEOUT,
                                 "transaction_timeout", route_of(s)->transaction_timeout_us);
        else if (!ledger_is_empty(&s->ledger))
            client_took_too_long(s->client, END_QUERY_TIMEOUT, SQLSTATE_QUERY_CANCELED, "query_timeout",
                                 route_of(s)->query_timeout_us);
        else
            client_took_too_long(s->client, END_TRANSACTION_IDLE, SQLSTATE_IDLE_TRANSACTION_TIMEOUT,
                                 "idle_transaction_timeout", route_of(s)->idle_transaction_timeout_us);
        break;
    case SERVER_CLEANING:
        s->is_patient = false; /* its client said goodbye politely; the query had its time */
        if (loop_now_us(s->worker->loop) < s->clean_until_us) {
            cancel_what_runs(s);
            loop_arm(s->worker->loop, &s->timer, SERVER_RECANCEL_US);
            break;
        }
        server_end(s, LOG_NOTICE_LEVEL, "did not come clean after its client left");
        break;
    case SERVER_SETTLING:
        if (loop_now_us(s->worker->loop) < s->clean_until_us) {
            loop_arm(s->worker->loop, &s->timer, SERVER_RECANCEL_US);
            break;
        }
        server_end(s, LOG_NOTICE_LEVEL, "a cancel request for its last client did not end");
        break;
    case SERVER_CHECKING:
        server_end(s, LOG_NOTICE_LEVEL, "did not answer server_check_query");
        break;
    case SERVER_PARTING:
        server_kill(s);
        break;
    case SERVER_IDLE:
    case SERVER_ENDED:
    case SERVER_STATE_COUNT:
        break;
    }
}

void
server_watch(struct server *s)
{
    bool is_busy = !ledger_is_empty(&s->ledger);
    uint64_t bound_us = 0;

    if (s->state != SERVER_ACTIVE)
        return;
    if (is_busy)
        bound_us = route_of(s)->query_timeout_us;
    else if (s->status != 'I' || !ledger_is_quiet(&s->ledger))
        bound_us = route_of(s)->idle_transaction_timeout_us;
    else
        bound_us = state_pin_bound_us(s->client);
    if (UNLIKELY(route_of(s)->transaction_timeout_us > 0) &&
        (is_busy || s->status != 'I' || !ledger_is_quiet(&s->ledger))) {
        uint64_t left_us = transaction_left_us(s);

        if (bound_us == 0 || left_us < bound_us)
            bound_us = left_us > 0 ? left_us : 1;
    }
    if (bound_us > 0)
        loop_arm(s->worker->loop, &s->timer, bound_us);
    else if (timer_is_armed(&s->timer))
        timer_cancel(&s->timer);
}

/* --- birth and death --- */

static void
on_bytes(void *owner, struct slice fresh)
{
    const struct server *s = owner;

    if (s->state != SERVER_PARTING)
        relay_from_server(owner, fresh);
}

static void
on_drained(void *owner)
{
    relay_server_drained(owner);
}

static void
on_closed(void *owner, const struct error *why)
{
    struct server *s = owner;
    struct client *c = s->client;
    bool is_fatal = s->is_fatal;
    bool is_told = is_fatal && !server_is_swallowing(s); /* the server's last words went to the client */
    struct pg_error e;

    if (s->state == SERVER_PARTING) {
        server_kill(s);
        return;
    }
    pg_error_set(&e, PG_FATAL, SQLSTATE_CONNECTION_FAILURE, "the server connection was lost (%s)",
                 why == NULL ? "closed by the server" : why->text);
    pg_error_detail(&e, "Backend %u of %s; %s.", s->backend_pid, s->host,
                    !ledger_is_empty(&s->ledger)
                        ? "a request was under way and may or may not have taken effect"
                    : s->status == 'I' ? "no transaction was open"
                                       : "the open transaction was rolled back");
    server_end(s, LOG_NOTICE_LEVEL, is_fatal ? "ended the session" : "server conn crashed?");
    if (c != NULL)
        client_server_gone(c, is_fatal ? END_SERVER_FATAL : END_SERVER_LOST, is_told ? NULL : &e);
}

static const struct stream_handler relayed = { .on_bytes = on_bytes,
                                               .on_drained = on_drained,
                                               .on_closed = on_closed };

void
server_dial(struct shard *shard)
{
    struct worker *w = shard_owner(shard);
    struct server *s = mem_new(sizeof *s);
    struct budget_view view;

    s->worker = w;
    s->id = atomic_fetch_add_explicit(&w->house->last_client_id, 1, memory_order_relaxed) + 1;
    s->route = route_hold((struct route *)(uintptr_t)shard_route(shard));
    s->host = s->route->hosts[0].host;
    s->schema = pools_schema(w->house->pools, s->route);
    buf_init(&s->kept);
    buf_init(&s->kept_back);
    stream_init(&s->stream, &relayed, s);
    member_init(&s->member, shard);
    ledger_init(&s->ledger);
    buf_init(&s->carry);
    buf_init(&s->reported);
    timer_init(&s->timer, on_due);
    link_init(&s->in_worker);
    list_init(&s->couriers);
    list_push_last(&w->servers, &s->in_worker);
    w->server_count++;
    budget_look(pool_account(shard_pool(shard)), &view);
    if (view.account_limit != 0 && view.account_taken > view.account_limit)
        server_log(s, LOG_NOTICE_LEVEL, "taking connection from reserve_pool");
    server_login_start(s);
}

/* Its login is over: from now on the relay reads it. */
void
server_begin_work(struct server *s)
{
    timer_cancel(&s->timer);
    server_login_free(s->login);
    s->login = NULL;
    s->stream.handler = &relayed;
    scanner_init(&s->scanner, &back_relay_rules, worker_most_body(s->worker), RELAY_CARRY_BYTES);
    s->status = 'I';
    s->is_watched = shard_audits_always(s->member.shard);
    server_move(s, SERVER_IDLE);
    if (buf_len(&s->carry) > 0) /* it said more than its login asks for */
        relay_from_server(s, slice_of(NULL, 0));
    if (s->state == SERVER_IDLE)
        shard_adopt(&s->member);
}

/* Nobody has to do with it any more. */
static void
server_let_go(struct server *s)
{
    timer_cancel(&s->timer);
    cancel_server_gone(s);
    if (s->client != NULL) {
        s->client->is_cut_off = s->is_forwarding && !scanner_is_between_messages(&s->scanner);
        s->client->server = NULL;
        s->client = NULL;
    }
    prepared_abandon(s);
    if (s->has_ddl) { /* whether it was committed nobody knows */
        s->has_ddl = false;
        schema_bump(s->schema);
    }
}

/* Out of the worker; its memory goes when the loop turn is over. */
static void
server_bury(struct server *s)
{
    struct worker *w = s->worker;

    server_let_go(s);
    stream_close(&s->stream);
    server_move(s, SERVER_ENDED);
    link_remove(&s->in_worker);
    list_push_last(&w->dead_servers, &s->in_worker);
    w->server_count--;
    worker_bury_later(w);
}

void
server_kill(struct server *s)
{
    if (s->state == SERVER_ENDED)
        return;
    server_bury(s);
    shard_lost(&s->member);
    worker_check_drained(s->worker);
}

static unsigned long long
age_s(const struct server *s)
{
    return (loop_now_us(s->worker->loop) - s->member.born_us) / US_PER_S;
}

void
server_end(struct server *s, enum log_level level, const char *why)
{
    if (s->state == SERVER_PARTING || s->state == SERVER_ENDED)
        return;
    if (level <= LOG_WARNING_LEVEL || worker_settings(s->worker)->log_disconnections)
        server_log(s, level, "closing because: %s (age=%llus)", why, age_s(s));
    if (!stream_is_open(&s->stream) || s->stream.is_ended) {
        server_kill(s);
        return;
    }
    /* PostgreSQL counts a connection until its backend has gone, and so do we. */
    server_let_go(s);
    server_move(s, SERVER_PARTING);
    loop_arm(s->worker->loop, &s->timer, SERVER_PART_US);
    stream_half_close(&s->stream);
}

void
server_login_failed(struct server *s, enum dial_failure failure, const char *words,
                    const struct pg_error *why)
{
    if (s->state == SERVER_ENDED)
        return;
    server_log(s, failure == DIAL_CONGESTED ? LOG_NOTICE_LEVEL : LOG_WARNING_LEVEL,
               "server login failed: %s %s (%s)", why->severity == PG_FATAL ? "FATAL" : "ERROR", why->message,
               why->sqlstate);
    if (worker_settings(s->worker)->log_disconnections)
        server_log(s, LOG_NOTICE_LEVEL, "closing because: %s (age=%llus)", words, age_s(s));
    server_bury(s);
    server_login_free(s->login);
    s->login = NULL;
    if (failure ==
        DIAL_CONGESTED) /* somebody has changed the server's limits, or uses more of it than we thought */
        s->worker->house->params.on_unknown_host(s->worker->house->params.arg,
                                                 pool_account(shard_pool(s->member.shard))->host);
    shard_dial_failed(&s->member, failure, why);
    worker_check_drained(s->worker);
}

void
server_free(struct server *s)
{
    server_login_free(s->login);
    ledger_fini(&s->ledger);
    buf_release(&s->carry);
    buf_release(&s->reported);
    buf_release(&s->kept);
    buf_release(&s->kept_back);
    state_free(s->session);
    statement_set_free(s->statements);
    statement_drop(s->unnamed);
    snapshot_drop(s->worker->house->snapshots, s->settings);
    route_drop(s->route);
    tls_context_drop(s->tls);
    mem_wipe(s->backend_secret, sizeof s->backend_secret);
    free(s);
}

/* --- pool's handlers --- */

void
server_on_retire(struct member *m, enum retire_reason reason)
{
    static const char *const words[] = {
        [RETIRE_IDLE] = "server idle timeout",
        [RETIRE_LIFETIME] = "server lifetime over",
        [RETIRE_STALE] = "database configuration changed",
        [RETIRE_BUDGET] = "evicted",
    };
    static const uint8_t terminate[] = { 'X', 0, 0, 0, 4 };
    struct server *s = server_of_member(m);

    if (stream_is_open(&s->stream))
        stream_send(&s->stream, slice_of(terminate, sizeof terminate));
    server_end(s, LOG_NOTICE_LEVEL, words[reason]);
}

bool
server_may_move(struct member *m)
{
    struct server *s = server_of_member(m);

    return s->state == SERVER_IDLE && buf_len(&s->carry) == 0 && list_is_empty(&s->couriers) &&
           stream_can_move(&s->stream);
}

void
server_leave(struct member *m)
{
    struct server *s = server_of_member(m);

    timer_cancel(&s->timer);
    stream_leave(&s->stream);
    link_remove(&s->in_worker);
    s->worker->server_count--;
    worker_check_drained(s->worker);
}

void
server_join(struct member *m)
{
    struct server *s = server_of_member(m);
    struct worker *w = shard_owner(m->shard);

    s->worker = w;
    list_push_last(&w->servers, &s->in_worker);
    w->server_count++;
    stream_join(&s->stream, w->loop);
    stream_read_start(&s->stream);
}

/* --- back to the pool --- */

void
server_query(struct server *s, const char *sql, enum own_query own)
{
    struct owed *o;
    struct buf out;

    buf_init(&out);
    build_query(&out, sql);
    stream_send(&s->stream, buf_slice(&out));
    buf_release(&out);
    s->stamp++;
    o = ledger_push(&s->ledger, OWED_QUERY, OWED_SWALLOW);
    o->own = (uint8_t)own;
    o->server_stamp = s->stamp;
    server_set_unnamed(s, NULL, 0);
    s->request_us = loop_now_us(s->worker->loop);
    server_watch(s);
}

void
server_check(struct member *m)
{
    struct server *s = server_of_member(m);
    const char *query = worker_settings(s->worker)->server_check_query;

    server_move(s, SERVER_CHECKING);
    loop_arm(s->worker->loop, &s->timer, SERVER_CHECK_US);
    server_query(s, strcmp(query, "<empty>") == 0 ? "" : query, OWN_OTHER);
}

void
server_checked(struct server *s)
{
    if (!ledger_is_quiet(&s->ledger))
        return;
    timer_cancel(&s->timer);
    if (s->status != 'I') {
        server_end(s, LOG_NOTICE_LEVEL, "server_check_query has opened a transaction");
        return;
    }
    server_move(s, SERVER_IDLE);
    shard_give(&s->member);
}

bool
server_try_recycle(struct server *s)
{
    struct client *c = s->client;
    struct pg_error e;

    if (!s->member.is_stale || c->pool_mode != POOL_SESSION || c->state != CLIENT_ACTIVE ||
        !worker_settings(s->worker)->server_fast_close || s->status != 'I' || !ledger_is_quiet(&s->ledger) ||
        !scanner_is_between_messages(&s->scanner) || !scanner_is_between_messages(&c->scanner))
        return false;
    pg_error_set(&e, PG_FATAL, SQLSTATE_ADMIN_SHUTDOWN, "database configuration changed");
    pg_error_hint(
        &e, "The server connection of this session is to be replaced (server_fast_close). Connect again.");
    client_end(c, END_RECYCLED, &e);
    return true;
}

void
server_on_stale(struct member *m)
{
    struct server *s = server_of_member(m);

    if (s->client != NULL)
        (void)server_try_recycle(s);
}

static bool
is_reset_due(const struct server *s)
{
    const struct route *route = route_of(s);

    return route->server_reset_query[0] != '\0' && (s->had_session || route->server_reset_query_always);
}

void
server_take_settings(struct server *s, const struct snapshot *settings)
{
    const struct snapshot *old = s->settings;

    s->settings = snapshot_hold(settings);
    s->member.tag = settings;
    snapshot_drop(s->worker->house->snapshots, old);
}

void
server_set_unnamed(struct server *s, struct statement *st, uint64_t client_id)
{
    statement_hold(st);
    statement_drop(s->unnamed);
    s->unnamed = st;
    s->unnamed_client = client_id;
    s->unnamed_parsed = (struct parsed){ .stamp = s->stamp, .epoch = schema_epoch(s->schema) };
}

/* What the reset query leaves behind is known only if it is DISCARD ALL. */
static void
forget_settings(struct server *s)
{
    s->is_dirty = !s->is_reset_whole;
    s->last_client = 0;
    if (s->is_dirty)
        return;
    server_take_settings(s, NULL);
    state_cleaned(s);
    if (s->scrub != SCRUB_SETTINGS) { /* it was DISCARD ALL */
        s->sequence_client = 0;
        s->is_watched = shard_audits_always(s->member.shard);
    }
    s->scrub = SCRUB_NOTHING;
}

/* Whether nobody else may get it. */
static bool
is_spent(const struct server *s)
{
    return s->is_fatal || s->is_endangered || s->is_loaded || s->ledger.is_in_doubt;
}

static void
end_spent(struct server *s)
{
    server_end(s, LOG_INFO_LEVEL,
               s->is_fatal        ? "ended the session"
               : s->is_endangered ? "a cancel request that was given up may still hit it"
               : s->is_loaded     ? "its client has used LOAD"
                                  : "a failed COPY left a Sync in doubt");
}

void
server_close_off(struct server *s)
{
    static const uint8_t sync[] = { 'S', 0, 0, 0, 4 };

    if (s->ledger.is_copy_in_open) {
        struct buf out;

        buf_init(&out);
        build_copy_fail(&out, "the client went away");
        stream_send(&s->stream, buf_slice(&out));
        buf_release(&out);
        (void)ledger_push(&s->ledger, OWED_COPY_END, OWED_SWALLOW);
    }
    if (s->ledger.is_skipping) {
        stream_send(&s->stream, slice_of(sync, sizeof sync));
        (void)ledger_push(&s->ledger, OWED_SYNC, OWED_SWALLOW);
    } else if (s->ledger.is_open && ledger_is_empty(&s->ledger)) {
        server_query(s, "ROLLBACK", OWN_OTHER);
    }
}

void
server_clean_on(struct server *s)
{
    assert(s->state == SERVER_CLEANING);
    if (!ledger_is_quiet(&s->ledger)) {
        cancel_what_runs(s);
        return;
    }
    if (is_spent(s)) {
        end_spent(s);
        return;
    }
    if (!list_is_empty(&s->couriers)) { /* a cancel request must not hit what we send ourselves */
        server_move(s, SERVER_SETTLING);
        return;
    }
    s->is_ours = true;
    if (s->status != 'I') {
        server_query(s, "ROLLBACK", OWN_OTHER);
        return;
    }
    if (is_reset_due(s) && !s->is_reset_sent) {
        s->is_reset_sent = true;
        s->is_reset_whole = text_equal_nocase(route_of(s)->server_reset_query, "DISCARD ALL");
        server_query(s, route_of(s)->server_reset_query, OWN_OTHER);
        return;
    }
    if (s->scrub == SCRUB_ALL && !(s->is_reset_sent && s->is_reset_whole)) {
        s->is_reset_sent = true;
        s->is_reset_whole = true;
        server_query(s, "DISCARD ALL", OWN_OTHER);
        return;
    }
    if (s->scrub == SCRUB_SETTINGS && !s->is_reset_sent) {
        s->is_reset_sent = true;
        s->is_reset_whole = true;
        server_query(s, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL", OWN_OTHER);
        return;
    }
    timer_cancel(&s->timer);
    if (s->is_reset_sent)
        forget_settings(s);
    s->is_reset_sent = false;
    server_move(s, SERVER_IDLE);
    shard_give(&s->member);
}

void
server_settled(struct server *s)
{
    if (s->state != SERVER_SETTLING || !list_is_empty(&s->couriers))
        return;
    server_move(s, SERVER_CLEANING);
    server_clean_on(s);
}

static void
server_unlink(struct server *s)
{
    s->had_session = s->client->pool_mode == POOL_SESSION;
    s->client->server = NULL;
    s->client = NULL;
    s->is_forwarding = false;
    healing_rest(s);
    if (s->is_stalled) {
        s->is_stalled = false;
        stream_read_start(&s->stream);
    }
}

static void
server_start_cleaning(struct server *s)
{
    s->clean_until_us = loop_now_us(s->worker->loop) + SERVER_CLEAN_US;
    s->is_ours = false;
    server_move(s, SERVER_CLEANING);
    loop_arm(s->worker->loop, &s->timer, SERVER_CLEAN_US);
}

void
server_release(struct server *s)
{
    struct client *c = s->client;

    server_unlink(s);
    buf_release(&s->reported);
    if (UNLIKELY(s->settings != NULL && snapshot_disturbs(s->settings)) && s->scrub == SCRUB_NOTHING)
        s->scrub = SCRUB_SETTINGS;
    if (is_spent(s)) {
        end_spent(s);
    } else if (is_reset_due(s) || s->scrub != SCRUB_NOTHING || !list_is_empty(&s->couriers)) {
        server_start_cleaning(s);
        server_clean_on(s);
    } else {
        if (timer_is_armed(&s->timer))
            timer_cancel(&s->timer);
        server_move(s, SERVER_IDLE);
        shard_give(&s->member);
    }
    client_unlink(c);
}

/* Whether the Query that brings the client's settings was not answered yet. */
static bool
is_being_brought(const struct server *s)
{
    for (uint32_t i = 0; i < s->ledger.count; i++)
        if (ledger_entry(&s->ledger, i)->kind == OWED_QUERY &&
            ledger_entry(&s->ledger, i)->action == OWED_SWALLOW)
            return true;
    return false;
}

void
server_orphan(struct server *s, enum orphan how)
{
    static const uint8_t flush[] = { 'H', 0, 0, 0, 4 };
    bool is_busy = !ledger_is_empty(&s->ledger) && !s->ledger.is_copy_in_open;

    if (s->client->replication != REPLICATION_NONE) {
        server_unlink(s);
        server_end(s, LOG_NOTICE_LEVEL, "replication client has left");
        return;
    }
    state_orphan(s);
    if (s->settings != NULL && snapshot_disturbs(s->settings) && s->scrub == SCRUB_NOTHING)
        s->scrub = SCRUB_SETTINGS;
    server_unlink(s);
    /* It changed something, and nobody follows any more; or a cancel request may hit what brings the settings. */
    if (buf_len(&s->reported) > 0 || is_being_brought(s)) {
        buf_release(&s->reported);
        s->is_dirty = true;
        s->last_client = 0;
        s->sequence_client = SEQUENCES_OF_MANY;
    }
    if (how == ORPHAN_HALF_MESSAGE) {
        server_end(s, LOG_NOTICE_LEVEL, "client disconnected in the middle of a message");
        return;
    }
    server_start_cleaning(s);
    prepared_forget_client(s);
    ledger_swallow_all(&s->ledger);
    s->is_patient = how == ORPHAN_POLITE;
    s->is_ours = !is_busy;
    loop_arm(s->worker->loop, &s->timer, is_busy && s->is_patient ? SERVER_GRACE_US : SERVER_RECANCEL_US);
    if (s->ledger.is_open &&
        is_busy) /* what is owed may lie in the server's buffer; and it may turn out to be COPY IN, which takes nothing else */
        stream_send(&s->stream, slice_of(flush, sizeof flush));
    server_close_off(s);
    server_clean_on(s);
}
