/*
 * verbs.c - lines with an actor: `c1 sends Query select 1`.
 */
#include "script_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "message.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/startup.h"

/* --- coming and going --- */

static void
connect_client(struct actor *a)
{
    struct address peer = { .len = sizeof(sa_family_t) };
    int fds[2];

    if (a->fd >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        script_fail(a->script, "cannot connect");
        return;
    }
    peer.at.ss_family = AF_UNIX;
    actor_forget(a);
    actor_join(a, fds[0]);
    a->is_ended = a->is_deaf = false;
    if (a->script->came[ACTOR_CLIENT] < a->number)
        a->script->came[ACTOR_CLIENT] = a->number;
    house_deliver(a->script->house, fds[1], &peer);
    script_settle(a->script);
}

static void
connects(struct actor *a, const char *words)
{
    (void)words;
    connect_client(a);
}

static void
send_words(struct actor *a, const char *words)
{
    struct buf out;

    buf_init(&out);
    if (messages_write(&out, words))
        actor_send(a, buf_slice(&out));
    else
        script_fail(a->script, "no such message");
    buf_release(&out);
}

static void
send_startup(struct actor *a, const char *parameters)
{
    struct buf words;

    buf_init(&words);
    buf_add_format(&words, "Startup %s%s%s", strstr(parameters, "user=") != NULL ? "" : "user=alice ",
                   strstr(parameters, "database=") != NULL ? "" : "database=app ", parameters);
    buf_add_u8(&words, 0);
    send_words(a, (const char *)buf_slice(&words).at);
    buf_release(&words);
}

/* AuthenticationOk, ParameterStatus messages, BackendKeyData, ReadyForQuery. */
static void
hear_greeting(struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;
    static const char *const order[] = { "R", "SK", "SKZ" };
    unsigned step = 0;

    while (message_take(&in, &message)) {
        char type = (char)message.at[0];

        if (step == 1 && type == 'K') {
            a->pid = get_be32(message.at + 5);
            a->secret = get_be32(message.at + 9);
            step = 2;
        } else if (step == 2 && type == 'Z' && message.at[5] == 'I') {
            buf_drop(&a->in, before - in.len);
            return;
        } else if (strchr(order[step], type) == NULL || (step == 2 && type != 'S')) {
            break;
        } else if (step == 0) {
            step = 1;
        }
    }
    script_fail(a->script, "c%u was not greeted", a->number);
    actor_forget(a);
}

static void
enter(struct actor *a, const char *parameters)
{
    connect_client(a);
    send_startup(a, parameters);
    hear_greeting(a);
}

static void
hang_up(struct actor *a, const char *words)
{
    (void)words;
    if (!a->was_here)
        script_fail(a->script, "it is not there");
    actor_close(a);
}

static void
half_close(struct actor *a, const char *words)
{
    (void)words;
    shutdown(a->fd, SHUT_WR);
}

static void
stop_reading(struct actor *a, const char *words)
{
    (void)words;
    a->is_deaf = true;
}

static void
read_on(struct actor *a, const char *words)
{
    (void)words;
    a->is_deaf = false;
}

static void
linger(struct actor *a, const char *words)
{
    (void)words;
    a->is_lingering = true;
}

/* --- hearing --- */

static bool
hear_refusal(struct actor *a, const char *words)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;
    struct pg_error e;
    char severity[16];
    char code[16];
    int at = 0;

    if (sscanf(words, "Refusal %15s %15s %n", severity, code, &at) != 2 || !message_take(&in, &message) ||
        message.at[0] != 'E' || !pg_error_read(message, &e))
        return false;
    if (strcmp(severity, e.severity == PG_FATAL ? "FATAL" : "ERROR") != 0 || strcmp(code, e.sqlstate) != 0 ||
        strstr(e.message, words + at) == NULL)
        return false;
    buf_drop(&a->in, before - in.len);
    return true;
}

/* One message, whatever it says. */
static void
hear_something(struct actor *a)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;

    if (message_take(&in, &message))
        buf_drop(&a->in, before - in.len);
    else
        script_fail(a->script, "s%u has got nothing", a->number);
}

static void
hear(struct actor *a, const char *words)
{
    char one[MESSAGE_MOST_TEXT];
    struct buf wanted;

    buf_init(&wanted);
    while (!a->script->has_failed && message_next(&words, one)) {
        struct slice want;

        if (strcmp(one, "something") == 0) {
            hear_something(a);
            continue;
        }
        if (strncmp(one, "Refusal ", 8) == 0) {
            if (!hear_refusal(a, one))
                script_fail_showing(a->script, a, slice_of_text(one));
            continue;
        }
        buf_drop(&wanted, buf_len(&wanted));
        if (!message_write(&wanted, one)) {
            script_fail(a->script, "no such message: %s", one);
            break;
        }
        want = buf_slice(&wanted);
        if (buf_len(&a->in) < want.len || memcmp(buf_slice(&a->in).at, want.at, want.len) != 0)
            script_fail_showing(a->script, a, want);
        else
            buf_drop(&a->in, want.len);
    }
    buf_release(&wanted);
}

static void
gets(struct actor *a, const char *words)
{
    if (strcmp(words, "nothing") != 0)
        hear(a, words);
    if (buf_len(&a->in) > 0)
        script_fail_showing(a->script, a, slice_of(NULL, 0));
}

static void
accepts(struct actor *a, const char *words)
{
    (void)words;
    if (!a->is_new)
        script_fail(a->script, "nobody has called");
    a->is_new = false;
    a->pid = 1000 + a->number;
    a->secret = 7000 + a->number;
    hear(a, "Startup user=alice database=app");
}

/* --- cancelling --- */

/* A CancelRequest with the key of the client in WORDS. */
static void
send_cancel(struct actor *a, const char *words)
{
    const struct actor *whose = script_actor_named(a->script, words);
    uint8_t secret[4];
    struct buf out;

    connect_client(a);
    put_be32(secret, whose->secret ^ (strstr(words, "wrongly") != NULL ? 1 : 0));
    buf_init(&out);
    build_cancel_request(&out, whose->pid, slice_of(secret, sizeof secret));
    actor_send(a, buf_slice(&out));
    buf_release(&out);
}

static void
check_courier(struct actor *k, const char *words)
{
    const struct actor *whom = script_actor_named(k->script, words);

    if (k->fd < 0)
        script_fail(k->script, "no cancel request came");
    else if (whom->pid != k->pid || whom->secret != k->secret)
        script_fail(k->script, "the cancel request is for backend %u", k->pid);
    else if (k->is_ended)
        script_fail(k->script, "the cancel request was given up");
}

static void
cancels(struct actor *a, const char *words)
{
    if (a->kind == ACTOR_COURIER)
        check_courier(a, words);
    else
        send_cancel(a, words);
}

/* --- the question what a client has left --- */

/* Takes the Query with which a server is asked for what its client has left in the session; returns its text,
 * NULL when it has not come. */
static const char *
take_question(struct actor *a, struct buf *keep)
{
    struct slice in = buf_slice(&a->in);
    size_t before = in.len;
    struct slice message;

    if (!message_take(&in, &message) || message.at[0] != 'Q' ||
        strncmp((const char *)message.at + 5, "SELECT 'v'", 10) != 0) {
        script_fail(a->script, "s%u was not asked", a->number);
        return NULL;
    }
    buf_add(keep, slice_skip(message, 5));
    buf_drop(&a->in, before - in.len);
    return (const char *)buf_slice(keep).at;
}

static unsigned
count_of(const char *text, const char *end, const char *part)
{
    unsigned count = 0;

    while ((text = strstr(text, part)) != NULL && text < end) {
        count++;
        text++;
    }
    return count;
}

static void
add_row(struct buf *out, char kind, unsigned fields, const char *value)
{
    size_t len = value == NULL ? 0 : strlen(value);

    buf_add_u8(out, 'D');
    buf_add_be32(out, (uint32_t)(4 + 2 + 4 + 1 + fields * (4 + len)));
    buf_add_be16(out, (uint16_t)(fields + 1));
    buf_add_be32(out, 1);
    buf_add_u8(out, (uint8_t)kind);
    for (unsigned i = 0; i < fields; i++) {
        buf_add_be32(out, value == NULL ? UINT32_MAX : (uint32_t)len);
        buf_add_text(out, value == NULL ? "" : value);
    }
}

/* The answer: no setting is there, and each pin in question is PIN. */
static void
answer_question(struct actor *a, const char *pin)
{
    struct buf question;
    struct buf out;
    const char *sql;

    buf_init(&question);
    buf_init(&out);
    sql = take_question(a, &question);
    if (sql != NULL) {
        const char *end = sql + strlen(sql);
        const char *second = strstr(sql, ";SELECT 'p'");

        add_row(&out, 'v', count_of(sql, second == NULL ? end : second, ",pg_catalog.encode("), NULL);
        (void)messages_write(&out, "Complete SELECT 1");
        if (second != NULL) {
            add_row(&out, 'p', count_of(second, end, "EXISTS("), pin);
            (void)messages_write(&out, "Complete SELECT 1");
        }
        if (strstr(sql, ";SELECT 'f'") != NULL)
            (void)messages_write(&out, "Complete SELECT 0");
        (void)messages_write(&out, "Ready I");
        actor_send(a, buf_slice(&out));
    }
    buf_release(&question);
    buf_release(&out);
}

static void
hear_question(struct actor *a)
{
    struct buf question;

    buf_init(&question);
    (void)take_question(a, &question);
    buf_release(&question);
}

/* --- being --- */

static void
check_closed(struct actor *a)
{
    if (buf_len(&a->in) > 0)
        script_fail_showing(a->script, a, slice_of(NULL, 0));
    else if (!a->is_ended)
        script_fail(a->script, "it is open");
    else
        actor_close(a);
}

static void
check_ended(struct actor *a)
{
    if (!a->is_ended)
        script_fail(a->script, "it is open");
}

static void
check_open(struct actor *a)
{
    if (a->fd < 0 || a->is_ended)
        script_fail(a->script, "it is closed");
}

static void
is(struct actor *a, const char *words)
{
    if (strcmp(words, "closed") == 0)
        check_closed(a);
    else if (strcmp(words, "ended") == 0)
        check_ended(a);
    else if (strcmp(words, "open") == 0)
        check_open(a);
    else if (strcmp(words, "greeted") == 0)
        hear_greeting(a);
    else if (strcmp(words, "asked") == 0)
        hear_question(a);
    else if (strcmp(words, "asked: nothing") == 0)
        answer_question(a, "f");
    else if (strcmp(words, "asked: pinned") == 0)
        answer_question(a, "t");
    else
        script_fail(a->script, "no such state");
}

static const struct {
    const char *verb;
    void (*act)(struct actor *a, const char *words);
} verbs[] = {
    { "accepts", accepts },
    { "cancels", cancels },
    { "closes", hang_up },
    { "connects", connects },
    { "enters", enter },
    { "gets", gets },
    { "half-closes", half_close },
    { "hangs", hang_up },
    { "hears", hear },
    { "lingers", linger },
    { "is", is },
    { "reads", read_on },
    { "sends", send_words },
    { "starts", send_startup },
    { "stops", stop_reading },
};

bool
verb_try_play(struct script *s, const char *line)
{
    const char *verb = behind_word(line);
    struct actor *a = script_actor_named(s, line);

    for (size_t i = 0; a != NULL && i < COUNT_OF(verbs); i++)
        if (begins_with_word(verb, verbs[i].verb)) {
            verbs[i].act(a, behind_word(verb));
            return true;
        }
    return false;
}
