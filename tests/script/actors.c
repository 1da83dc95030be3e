/*
 * actors.c - clients, servers and couriers of a script: their sockets, and what they do without being told.
 *
 *     socketpair --house_deliver()--> a client
 *     listener --caller, kind unknown--> StartupMessage: a server, which logs its caller in
 *                                   \--> CancelRequest: a courier
 */
#include "script_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "pgweir/wire/startup.h"

#define MOST_ROUNDS 200000 /* of a house that does not come to rest */

const char script_kind_letters[] = { [ACTOR_CLIENT] = 'c', [ACTOR_SERVER] = 's', [ACTOR_COURIER] = 'k' };

struct actor *
script_actor(struct script *s, enum actor_kind kind, unsigned number)
{
    return &s->actors[kind][number];
}

struct actor *
script_actor_named(struct script *s, const char *name)
{
    unsigned number = (unsigned)strtoul(name + 1, NULL, 10);

    for (unsigned kind = 0; kind < 3; kind++)
        if (name[0] == script_kind_letters[kind] && number >= 1 && number <= SCRIPT_MOST)
            return &s->actors[kind][number];
    return NULL;
}

unsigned
script_count(const struct script *s, enum actor_kind kind)
{
    unsigned count = 0;

    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        count += s->actors[kind][i].fd >= 0 && !s->actors[kind][i].is_ended;
    return count;
}

/* --- sockets --- */

void
actor_forget(struct actor *a)
{
    buf_drop(&a->in, buf_len(&a->in));
}

void
actor_close(struct actor *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    buf_release(&a->out);
}

void
actor_join(struct actor *a, int fd)
{
    a->fd = fd;
    a->was_here = true;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Both tell whether anything happened. */

static bool
actor_read(struct actor *a)
{
    bool is_any = false;

    while (a->fd >= 0 && !a->is_deaf && !a->is_ended) {
        ssize_t n = recv(a->fd, buf_reserve(&a->in, 65536), 65536, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        is_any = true;
        if (n > 0)
            buf_commit(&a->in, (size_t)n);
        else
            a->is_ended = true;
    }
    return is_any;
}

static bool
actor_write(struct actor *a)
{
    bool is_any = false;

    while (a->fd >= 0 && buf_len(&a->out) > 0) {
        struct slice rest = buf_slice(&a->out);
        size_t most = a->cut_at - a->sent_bytes < rest.len ? (size_t)(a->cut_at - a->sent_bytes) : rest.len;
        ssize_t n = send(a->fd, rest.at, most, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* it has hung up, so nobody will read the rest */
            buf_release(&a->out);
            break;
        }
        is_any = true;
        a->sent_bytes += (uint64_t)n;
        buf_drop(&a->out, (size_t)n);
        if (a->sent_bytes == a->cut_at)
            actor_close(a);
    }
    return is_any;
}

static void
send_piece(struct actor *a, struct slice bytes)
{
    a->script->sent += bytes.len;
    if (a->fd >= 0)
        buf_add(&a->out, bytes);
    script_settle(a->script);
}

void
actor_send(struct actor *a, struct slice bytes)
{
    struct script *s = a->script;

    while (bytes.len > 0 && !s->has_failed) {
        size_t piece = bytes.len;

        if (s->scene.pace == PACE_BYTES)
            piece = 1;
        else if (s->scene.pace == PACE_SPLIT_AT && s->sent < s->scene.split_at &&
                 s->sent + bytes.len > s->scene.split_at)
            piece = s->scene.split_at - s->sent;
        send_piece(a, slice_of(bytes.at, piece));
        bytes = slice_skip(bytes, piece);
    }
}

/* --- who calls --- */

static void
greet(struct actor *server)
{
    struct buf out;

    buf_init(&out);
    server->pid = 1000 + server->number;
    server->secret = 7000 + server->number;
    buf_add_format(&out, "AuthOk | Parameter server_version 15.0 | Key %u %u | Ready I", server->pid,
                   server->secret);
    buf_add_u8(&out, 0);
    (void)messages_write(&server->out, (const char *)buf_slice(&out).at);
    buf_release(&out);
    server->is_new = false;
}

static struct actor *
arrival(struct script *s, enum actor_kind kind)
{
    if (s->came[kind] == SCRIPT_MOST) {
        script_fail(s, "too many connections");
        return NULL;
    }
    return &s->actors[kind][++s->came[kind]];
}

static void
hear_courier(struct actor *courier)
{
    struct script *s = courier->script;

    if (s->scene.on_cancel == NULL)
        return;
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        if (s->actors[ACTOR_SERVER][i].pid == courier->pid &&
            s->actors[ACTOR_SERVER][i].secret == courier->secret)
            s->scene.on_cancel(s, &s->actors[ACTOR_SERVER][i]);
    actor_close(courier);
}

bool
script_hear_courier(struct script *s)
{
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        if (s->actors[ACTOR_COURIER][i].fd >= 0) {
            hear_courier(&s->actors[ACTOR_COURIER][i]);
            return true;
        }
    return false;
}

/* Servers are born as callers of unknown kind in actor 0 of the couriers, until their first packet is there. */
static bool
hear_caller(struct script *s)
{
    struct actor *caller = &s->actors[ACTOR_COURIER][0];
    struct slice in = buf_slice(&caller->in);
    struct startup packet;
    const char *why;
    struct actor *a;

    if (caller->fd < 0)
        return false;
    if (caller->is_ended && in.len == 0) {
        actor_close(caller);
        return true;
    }
    if (startup_read(in, &packet, &why) != PARSE_DONE)
        return false;
    a = arrival(s, packet.kind == STARTUP_CANCEL ? ACTOR_COURIER : ACTOR_SERVER);
    if (a == NULL)
        return false;
    a->fd = caller->fd;
    a->was_here = true;
    a->is_ended = caller->is_ended;
    caller->fd = -1;
    if (packet.kind == STARTUP_CANCEL) {
        a->pid = packet.cancel_pid;
        a->secret = get_be32(packet.cancel_secret.at);
        buf_drop(&caller->in, packet.bytes);
    } else if (s->scene.by_hand) {
        a->is_new = true;
    } else {
        buf_drop(&caller->in, packet.bytes);
        greet(a);
    }
    buf_add(&a->in, buf_slice(&caller->in));
    actor_forget(caller);
    if (a->kind == ACTOR_COURIER && !s->scene.are_couriers_slow)
        hear_courier(a);
    return true;
}

static bool
hear_callers(struct script *s)
{
    struct actor *caller = &s->actors[ACTOR_COURIER][0];
    bool is_any = false;
    int fd;

    do {
        if (caller->fd < 0 && s->listener >= 0 && (fd = accept(s->listener, NULL, NULL)) >= 0) {
            actor_join(caller, fd);
            caller->is_ended = false;
            is_any = true;
        }
        is_any |= actor_read(caller);
    } while (hear_caller(s));
    return is_any;
}

/* --- moving --- */

static bool
serve(struct script *s, struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    bool is_any;

    if (a->fd < 0 || a->is_new)
        return false;
    is_any = s->scene.serve(s, a, &in, &a->out);
    buf_drop(&a->in, before - in.len);
    return is_any;
}

static bool
actors_move(struct script *s)
{
    bool is_any = hear_callers(s);

    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 1; i <= s->came[kind]; i++) {
            struct actor *a = &s->actors[kind][i];

            if (a->fd < 0)
                continue;
            is_any |= actor_read(a);
            if (a->kind == ACTOR_SERVER && s->scene.serve != NULL)
                is_any |= serve(s, a);
            is_any |= actor_write(a);
            if (a->kind == ACTOR_SERVER && a->is_ended && !a->is_lingering)
                actor_close(a);
        }
    return is_any;
}

void
script_settle(struct script *s)
{
    unsigned calm = 0;

    for (unsigned round = 0; calm < 2; round++) {
        bool is_any = false;

        if (round == MOST_ROUNDS) {
            script_fail(s, "the house does not come to rest");
            return;
        }
        for (unsigned i = 0; i < house_worker_count(s->house); i++)
            is_any |= loop_turn(house_worker_loop(s->house, i));
        is_any |= loop_turn(s->main_loop);
        is_any |= actors_move(s);
        calm = is_any ? 0 : calm + 1;
    }
}

void
script_pass_us(struct script *s, uint64_t us)
{
    uint64_t step_us = us / 50 > 10 * US_PER_MS ? us / 50 : 10 * US_PER_MS;

    while (us > 0 && !s->has_failed) {
        uint64_t by_us = us < step_us ? us : step_us;

        clock_advance_us(&s->clock, by_us);
        us -= by_us;
        script_settle(s);
    }
}
