/*
 * load.c - clients of a pooler, or of a server: many of them in one thread, and what it cost.
 *
 *     load KIND name=value…         prints one line of name=value
 *
 *     KIND     what each client does
 *     run      logs in, then asks on and on; measured from `warmup` seconds after the last login, for
 *              `seconds`
 *     idle     logs in and stays; memory before and after, CPU over `seconds` of idleness
 *     login    connects, logs in, leaves, again and again
 *     burst    all log in, then all ask at one moment: how long until the last one has its answer
 *     walk     one after the other asks in a database of its own (d1, d2, …), then leaves
 *     prepare  prepares `statements` between them, then stays like idle
 *
 *     port user password database  where to and who; the database of client n is database + n with kind walk
 *     clients seconds warmup       how many, how long
 *     protocol                     simple, extended (Parse, Bind, Describe, Execute, Sync) or prepared
 *                                  (Bind, …)
 *     depth                        queries per Sync, for pipelines
 *     query                        the text; `copy in` sends `bytes`
 *     count                        kinds run and login: ends after so many transactions or logins instead, and
 *                                  counts from the first
 *     rate                         transactions per second of all clients together; 0: as fast as answers
 *                                  come
 *     tls                          1: TLS, not verified and never resumed
 *     pid                          the pooler, whose CPU and memory are told
 *     hold                         1: idle and prepare tell `ready=1` and stay until stdin ends
 *
 * What is told: done (transactions or logins), seconds, rate, cpu_us (of the pooler, per transaction or
 * login), cpu_share (of one core), mean_us, p50_us, p99_us, p999_us, most_us, resident (bytes of the pooler
 * per client).
 *
 * Logins are begun LOGINS_AT_ONCE at a time. The program ends by itself: an alarm is set, and a client that
 * is refused ends it with the reason.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "latency.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/net/address.h"
#include "pgweir/net/loop.h"
#include "pgweir/net/stream.h"
#include "pgweir/net/tls.h"
#include "pgweir/wire/back.h"
#include "pgweir/wire/front.h"
#include "pgweir/wire/pg_error.h"
#include "pgweir/wire/scan.h"
#include "pgweir/wire/secret.h"
#include "usage.h"

#define LOGINS_AT_ONCE 32u
#define PIECE_BYTES 8192u
#define MOST_SECONDS 300u /* one run is ended after so long, whatever it does */

enum kind { KIND_RUN, KIND_IDLE, KIND_LOGIN, KIND_BURST, KIND_WALK, KIND_PREPARE };
static const char *const kind_names[] = { "run", "idle", "login", "burst", "walk", "prepare" };

enum protocol { PROTOCOL_SIMPLE, PROTOCOL_EXTENDED, PROTOCOL_PREPARED };
static const char *const protocol_names[] = { "simple", "extended", "prepared" };

enum state { LOGGING_IN, PREPARING, IDLE, ASKING, GONE };

struct client {
    struct stream stream;
    struct scanner scanner;
    struct buf carry;
    struct scram scram;
    struct timer pace;    /* rate: when the next transaction is due */
    struct chore restart; /* kind login: the next connection, after the loop turn that ended the last */
    enum state state;
    uint64_t sent_us;
    uint64_t copy_left;  /* copy in: bytes still to be sent */
    uint32_t to_prepare; /* kind prepare: statements still to be prepared */
    uint32_t number;
    bool has_asked_tls;
};

static struct {
    enum kind kind;
    enum protocol protocol;
    uint16_t port;
    const char *user;
    const char *password;
    const char *database;
    const char *query;
    unsigned clients;
    unsigned depth;
    unsigned statements;
    double seconds;
    double warmup;
    double rate;
    uint64_t bytes;
    uint64_t count;
    bool tls;
    bool hold;
    int pid;
} want = { .user = "bench",
           .password = "",
           .database = "bench",
           .query = "select 1",
           .clients = 1,
           .depth = 1,
           .seconds = 2,
           .warmup = 0.3 };

static struct loop *loop;
static struct clock clock_of_ours;
static struct tls_context *tls;
static struct address where;
static struct scan_rules rules;
static struct client *clients;
static unsigned begun_count;    /* clients whose first login has begun */
static unsigned ready_count;    /* … has ended */
static unsigned answered_count; /* burst */
static struct buf request;      /* one transaction as it goes over the wire; the same for all */
static struct buf preparation;  /* protocol prepared: what goes ahead, once per client */
static struct scram_keys keys;  /* of the last salt that a server named: deriving them is slow */
static bool is_measuring;
static uint64_t begin_us;
static uint64_t done;
static struct usage at_first; /* before the first login */
static struct usage at_begin;
static struct latency latency;
static struct timer phase;

static uint64_t
now_us(void)
{
    return clock_now_us(&clock_of_ours);
}

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

/* What is sent. */

static void
begin_message(struct buf *out, char type, size_t *length_at)
{
    buf_add_u8(out, (uint8_t)type);
    *length_at = buf_len(out);
    buf_add_be32(out, 0);
}

static void
end_message(struct buf *out, size_t length_at)
{
    put_be32(out->at + out->start + length_at, (uint32_t)(buf_len(out) - length_at));
}

static void
add_parse(struct buf *out, const char *name, const char *sql)
{
    size_t at;

    begin_message(out, 'P', &at);
    buf_add_textz(out, name);
    buf_add_textz(out, sql);
    buf_add_be16(out, 0);
    end_message(out, at);
}

/* Bind, Describe and Execute of statement NAME, as libpq sends them. */
static void
add_execution(struct buf *out, const char *name)
{
    size_t at;

    begin_message(out, 'B', &at);
    buf_add_textz(out, "");
    buf_add_textz(out, name);
    for (int i = 0; i < 3; i++) /* no formats, no parameters, no result formats */
        buf_add_be16(out, 0);
    end_message(out, at);
    begin_message(out, 'D', &at);
    buf_add_textz(out, "P");
    end_message(out, at);
    begin_message(out, 'E', &at);
    buf_add_textz(out, "");
    buf_add_be32(out, 0);
    end_message(out, at);
}

static void
write_requests(void)
{
    buf_init(&request);
    buf_init(&preparation);
    for (unsigned i = 0; i < want.depth; i++) {
        switch (want.protocol) {
        case PROTOCOL_SIMPLE:
            build_query(&request, want.query);
            break;
        case PROTOCOL_EXTENDED:
            add_parse(&request, "", want.query);
            add_execution(&request, "");
            break;
        case PROTOCOL_PREPARED:
            add_execution(&request, "s1");
            break;
        }
    }
    if (want.protocol != PROTOCOL_SIMPLE)
        build_sync(&request);
    if (want.protocol == PROTOCOL_PREPARED) {
        add_parse(&preparation, "s1", want.query);
        build_sync(&preparation);
    }
}

static void
ask(struct client *c)
{
    c->state = ASKING;
    c->sent_us = now_us();
    stream_send(&c->stream, buf_slice(&request));
}

/* CopyData until the socket is full; on_drained() comes back. */
static void
copy_on(struct client *c)
{
    static uint8_t piece[PIECE_BYTES];
    static const uint8_t copy_done[] = { 'c', 0, 0, 0, 4 };

    if (c->copy_left == 0)
        return;
    piece[0] = 'd';
    put_be32(piece + 1, PIECE_BYTES - 1);
    while (c->copy_left > 0 && stream_backlog_bytes(&c->stream) <= STREAM_HIGH_BYTES) {
        stream_send(&c->stream, slice_of(piece, sizeof(piece)));
        c->copy_left -= c->copy_left < PIECE_BYTES ? c->copy_left : PIECE_BYTES;
    }
    if (c->copy_left == 0)
        stream_send(&c->stream, slice_of(copy_done, sizeof(copy_done)));
}

/* What is told, and the end. */

static void
report(void)
{
    double seconds = (double)(now_us() - begin_us) / 1e6;
    struct usage u = usage_of(want.pid);
    double cpu_us = u.cpu_us - at_begin.cpu_us;
    uint64_t grown = u.resident > at_first.resident ? u.resident - at_first.resident : 0;
    uint64_t count = done * want.depth;

    printf("done=%lu seconds=%.3f rate=%.1f cpu_us=%.3f cpu_share=%.5f mean_us=%.1f p50_us=%lu p99_us=%lu "
           "p999_us=%lu most_us=%lu resident=%.1f\n",
           count, seconds, (double)count / seconds, count == 0 ? 0 : cpu_us / (double)count,
           cpu_us / 1e6 / seconds, latency_mean(&latency), latency_quantile(&latency, 0.5),
           latency_quantile(&latency, 0.99), latency_quantile(&latency, 0.999), latency.most_us,
           (double)grown / want.clients);
    fflush(stdout);
}

/* What was held is let go by whoever started us. */
static void
hold(void)
{
    char byte;

    printf("ready=1\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    exit(0);
}

static void
begin_measuring(void)
{
    is_measuring = true;
    begin_us = now_us();
    at_begin = usage_of(want.pid);
}

static void
on_phase_over(struct timer *timer)
{
    if (is_measuring) {
        report();
        exit(0);
    }
    begin_measuring();
    loop_arm(loop, timer, (uint64_t)(want.seconds * 1e6));
}

/* Clients */

static void client_begin(struct client *c);

static void
begin_more(void)
{
    unsigned most = want.kind == KIND_WALK ? 1 : LOGINS_AT_ONCE;

    while (begun_count < want.clients && begun_count - ready_count < most)
        client_begin(&clients[begun_count++]);
}

static void
pace(struct client *c, uint64_t delay_us)
{
    loop_arm(loop, &c->pace, delay_us);
}

static void
on_pace(struct timer *timer)
{
    ask(CONTAINER_OF(timer, struct client, pace));
}

/* All are logged in. */
static void
begin_work(void)
{
    switch (want.kind) {
    case KIND_RUN:
        if (want.count > 0)
            begin_measuring();
        for (unsigned i = 0; i < want.clients; i++) {
            if (want.rate > 0) /* spread over one period */
                pace(&clients[i], (uint64_t)(1e6 / want.rate * i) + 1);
            else
                ask(&clients[i]);
        }
        break;
    case KIND_BURST:
        begin_measuring();
        for (unsigned i = 0; i < want.clients; i++)
            ask(&clients[i]);
        return;
    case KIND_WALK:
        report();
        exit(0);
    case KIND_IDLE:
    case KIND_PREPARE:
        if (want.hold)
            hold();
        break;
    case KIND_LOGIN:
        break;
    }
    if (want.count == 0)
        loop_arm(loop, &phase, (uint64_t)(want.warmup * 1e6));
}

static void
one_is_ready(struct client *c)
{
    c->state = IDLE;
    if (++ready_count == want.clients)
        begin_work();
    else
        begin_more();
}

static void
prepare_one(struct client *c)
{
    char name[32];
    char sql[64];
    struct buf out;

    buf_init(&out);
    snprintf(name, sizeof(name), "s%u", c->to_prepare);
    snprintf(sql, sizeof(sql), "select %u, $1", c->number * 100000u + c->to_prepare);
    add_parse(&out, name, sql);
    build_sync(&out);
    stream_send(&c->stream, buf_slice(&out));
    buf_release(&out);
    c->to_prepare--;
}

static void
count_one(uint64_t us)
{
    done++;
    latency_note(&latency, us);
    if (done == want.count) {
        report();
        exit(0);
    }
}

static void
logged_in(struct client *c)
{
    switch (want.kind) {
    case KIND_LOGIN:
        if (is_measuring)
            count_one(now_us() - c->sent_us);
        c->state = GONE;
        loop_defer(loop, &c->restart);
        return;
    case KIND_PREPARE:
        c->to_prepare = want.statements / want.clients;
        c->state = PREPARING;
        prepare_one(c);
        return;
    case KIND_WALK:
        ask(c);
        return;
    case KIND_RUN:
    case KIND_BURST:
    case KIND_IDLE:
        break;
    }
    if (buf_len(&preparation) == 0) {
        one_is_ready(c);
        return;
    }
    c->state = PREPARING;
    stream_send(&c->stream, buf_slice(&preparation));
}

static void
answered(struct client *c)
{
    uint64_t us = now_us() - c->sent_us;

    if (is_measuring)
        count_one(us);
    switch (want.kind) {
    case KIND_WALK:
        stream_close(&c->stream);
        one_is_ready(c);
        return;
    case KIND_BURST:
        c->state = IDLE;
        if (++answered_count == want.clients) {
            report();
            exit(0);
        }
        return;
    default:
        break;
    }
    if (want.rate > 0) {
        uint64_t period_us = (uint64_t)(1e6 * want.clients / want.rate);

        c->state = IDLE;
        pace(c, us < period_us ? period_us - us : 1);
    } else {
        ask(c);
    }
}

static void
on_ready(struct client *c)
{
    switch (c->state) {
    case LOGGING_IN:
        logged_in(c);
        break;
    case PREPARING:
        if (c->to_prepare > 0)
            prepare_one(c);
        else
            one_is_ready(c);
        break;
    case ASKING:
        answered(c);
        break;
    case IDLE:
    case GONE:
        fail("the server", "is ready twice");
    }
}

static void
send_and_release(struct client *c, struct buf *out)
{
    stream_send(&c->stream, buf_slice(out));
    buf_release(out);
}

static void
answer_challenge(struct client *c, struct slice data, struct buf *out)
{
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len;
    uint32_t iterations;
    struct error why;
    struct buf final;

    if (scram_client_challenge(&c->scram, data, salt, &salt_len, &iterations, &why) != ERR_NONE)
        fail("SCRAM", why.text);
    if (!keys.has_client_key || keys.iterations != iterations || keys.salt_len != salt_len ||
        memcmp(keys.salt, salt, salt_len) != 0)
        scram_derive(want.password, slice_of(salt, salt_len), iterations, &keys);
    buf_init(&final);
    scram_client_final(&c->scram, &keys, &final);
    build_sasl_response(out, buf_slice(&final));
    buf_release(&final);
}

static void
on_auth(struct client *c, struct slice message)
{
    uint8_t nonce[SCRAM_NONCE_RAW];
    struct auth_request auth;
    struct buf first;
    struct buf out;

    if (back_auth_read(message, &auth) != PARSE_DONE)
        fail("the server", "sent a broken request for authentication");
    buf_init(&out);
    switch (auth.kind) {
    case AUTH_OK:
    case AUTH_SASL_FINAL:
        return;
    case AUTH_SASL:
        buf_init(&first);
        random_secret(nonce, sizeof(nonce));
        scram_fini(&c->scram);
        scram_init(&c->scram);
        scram_client_first(&c->scram, nonce, 'n', slice_of(NULL, 0), &first);
        build_sasl_initial(&out, "SCRAM-SHA-256", buf_slice(&first));
        buf_release(&first);
        break;
    case AUTH_SASL_CONTINUE:
        answer_challenge(c, auth.data, &out);
        break;
    default:
        fail("the server", "asks for a way of authentication that is not SCRAM");
    }
    send_and_release(c, &out);
}

static void
on_message(struct client *c, const struct scan_span *span)
{
    struct pg_error e;

    switch (span->type) {
    case 'Z':
        on_ready(c);
        break;
    case 'R':
        on_auth(c, span->bytes);
        break;
    case 'G':
        c->copy_left = want.bytes;
        copy_on(c);
        break;
    case 'E':
        fail("the server says", pg_error_read(span->bytes, &e) ? e.message : "an error that cannot be read");
        break;
    default:
        break;
    }
}

static void
send_startup(struct client *c)
{
    char database[64];
    struct startup_pair pairs[] = { { "user", want.user }, { "database", database } };
    struct buf out;

    if (want.kind == KIND_WALK)
        snprintf(database, sizeof(database), "%s%u", want.database, c->number + 1);
    else
        snprintf(database, sizeof(database), "%s", want.database);
    buf_init(&out);
    build_startup(&out, 0, pairs, COUNT_OF(pairs));
    send_and_release(c, &out);
}

static void
on_bytes(void *owner, struct slice in)
{
    struct client *c = owner;
    struct buf kept = c->carry;

    if (c->has_asked_tls) {
        c->has_asked_tls = false;
        if (in.at[0] != 'S')
            fail("TLS", "the server does not offer it");
        stream_start_tls_connect(&c->stream, tls, NULL, NULL);
        return;
    }
    buf_init(&c->carry);
    if (buf_len(&kept) > 0) {
        buf_add(&kept, in);
        in = buf_slice(&kept);
    }
    for (;;) {
        struct scan_span span;
        enum scan result = scan_next(&c->scanner, &in, &span);

        if (result == SCAN_MESSAGE)
            on_message(c, &span);
        else if (result == SCAN_BAD)
            fail("the server broke the protocol", span.why);
        else if (result == SCAN_MORE)
            break;
        if (!stream_is_open(&c->stream)) {
            in.len = 0;
            break;
        }
    }
    if (in.len > 0)
        buf_add(&c->carry, in);
    buf_release(&kept);
}

static void
on_drained(void *owner)
{
    copy_on(owner);
}

static void
on_closed(void *owner, const struct error *why)
{
    (void)owner;
    fail("the server closed a connection", why == NULL ? "end of file" : why->text);
}

static void
on_tls(void *owner)
{
    send_startup(owner);
}

static void
client_begin(struct client *c)
{
    static const struct stream_handler handler = { on_bytes, on_drained, on_closed, on_tls };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&where.at, where.len) != 0)
        fail("connect", strerror(errno));
    c->state = LOGGING_IN;
    c->sent_us = now_us();
    scanner_init(&c->scanner, &rules, SCAN_MAX_BODY, 64 * 1024);
    stream_init(&c->stream, &handler, c);
    stream_open(&c->stream, loop, fd);
    stream_read_start(&c->stream);
    if (want.tls) {
        struct buf out;

        buf_init(&out);
        build_ssl_request(&out);
        c->has_asked_tls = true;
        send_and_release(c, &out);
    } else {
        send_startup(c);
    }
}

/* Kind login: leaves and comes again. */
static void
client_again(struct chore *chore)
{
    struct client *c = CONTAINER_OF(chore, struct client, restart);
    struct buf out;

    buf_init(&out);
    build_terminate(&out);
    send_and_release(c, &out);
    stream_close(&c->stream);
    client_begin(c);
}

/* The command line. */

static unsigned
index_of(const char *word, const char *const *names, size_t count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    fail("no such word", word);
    return 0;
}

static void
read_argument(char *argument)
{
    char *value = strchr(argument, '=');

    if (value == NULL)
        fail("not name=value", argument);
    *value++ = '\0';
    if (strcmp(argument, "port") == 0)
        want.port = (uint16_t)strtoul(value, NULL, 10);
    else if (strcmp(argument, "user") == 0)
        want.user = value;
    else if (strcmp(argument, "password") == 0)
        want.password = value;
    else if (strcmp(argument, "database") == 0)
        want.database = value;
    else if (strcmp(argument, "query") == 0)
        want.query = value;
    else if (strcmp(argument, "clients") == 0)
        want.clients = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(argument, "depth") == 0)
        want.depth = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(argument, "statements") == 0)
        want.statements = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(argument, "seconds") == 0)
        want.seconds = strtod(value, NULL);
    else if (strcmp(argument, "warmup") == 0)
        want.warmup = strtod(value, NULL);
    else if (strcmp(argument, "rate") == 0)
        want.rate = strtod(value, NULL);
    else if (strcmp(argument, "bytes") == 0)
        want.bytes = strtoull(value, NULL, 10);
    else if (strcmp(argument, "count") == 0)
        want.count = strtoull(value, NULL, 10);
    else if (strcmp(argument, "protocol") == 0)
        want.protocol = (enum protocol)index_of(value, protocol_names, COUNT_OF(protocol_names));
    else if (strcmp(argument, "tls") == 0)
        want.tls = value[0] == '1';
    else if (strcmp(argument, "hold") == 0)
        want.hold = value[0] == '1';
    else if (strcmp(argument, "pid") == 0)
        want.pid = (int)strtol(value, NULL, 10);
    else
        fail("no such argument", argument);
}

int
main(int argc, char **argv)
{
    static const struct tls_params no_files = { .verify = TLS_VERIFY_NONE };
    struct error why;

    if (argc < 2)
        fail("usage", "load KIND name=value…");
    want.kind = (enum kind)index_of(argv[1], kind_names, COUNT_OF(kind_names));
    for (int i = 2; i < argc; i++)
        read_argument(argv[i]);
    if (want.clients == 0 || want.depth == 0)
        fail("clients, depth", "must not be 0");
    signal(SIGPIPE, SIG_IGN);
    alarm(MOST_SECONDS);
    clock_of_ours = clock_real();
    loop = loop_new(&clock_of_ours, NULL, &why);
    if (loop == NULL)
        fail("event loop", why.text);
    if (want.tls && tls_context_new_connect(&no_files, &tls, &why) != ERR_NONE)
        fail("TLS", why.text);
    if (!address_of_ip(&where, "127.0.0.1", want.port))
        fail("port", "none was given");
    rules.need['Z'] = rules.need['R'] = rules.need['E'] = SCAN_WHOLE;
    write_requests();
    clients = mem_grow(NULL, want.clients, sizeof(*clients));
    for (unsigned i = 0; i < want.clients; i++) {
        clients[i] = (struct client){ .number = i };
        scram_init(&clients[i].scram);
        timer_init(&clients[i].pace, on_pace);
        clients[i].restart.run = client_again;
    }
    timer_init(&phase, on_phase_over);
    at_first = at_begin = usage_of(want.pid);
    begin_us = now_us();
    if (want.kind == KIND_LOGIN) {
        while (begun_count < want.clients)
            client_begin(&clients[begun_count++]);
        if (want.count > 0)
            begin_measuring();
        else
            loop_arm(loop, &phase, (uint64_t)(want.warmup * 1e6));
    } else {
        begin_more();
    }
    loop_run(loop);
    return 0;
}
