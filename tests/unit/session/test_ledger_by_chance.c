/*
 * test_ledger_by_chance.c - what a server owes, against a small model of PostgreSQL's own loop.
 *
 * Three walkers over one list of messages: the sender enters them in the ledger, the backend works them off
 * as postgres.c does and writes replies, the reader settles the replies. Chance says who takes the next step.
 * What the client reads in the end must be what it would have read from a server that got all messages, those
 * whose answer was made up included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "ledger_letters.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"

void suite_ledger_by_chance(void);

#define MOST_MESSAGES 400
#define MOST_REPLIES 4000
#define MOST_PARTS 4

enum part { /* of what an Execute or a Query does */
            PART_ROWS,
            PART_EMPTY,
            PART_SUSPENDED,
            PART_COPY_OUT,
            PART_COPY_IN,
            PART_COPY_IN_FAILS_AT_THE_END,
            PART_COPY_IN_FAILS_AT_ONCE, /* before it reads any data */
            PART_FAILS,
};

struct message {
    char type; /* d: good CopyData, x: bad one, c: CopyDone, f: CopyFail, H: Flush; else as in the protocol */
    enum owed_action action;
    bool is_bad; /* fails */
    enum part parts[MOST_PARTS];
    unsigned part_count;
};

struct reply {
    char type;
    enum owed_action action; /* FORWARD or SWALLOW */
};

struct backend {
    bool is_skipping;             /* ignore_till_sync */
    const struct message *copies; /* whose COPY IN is open */
    unsigned part;                /* the one being worked on */
    bool is_implicit_open;        /* messages of the extended protocol since the last ReadyForQuery */
};

struct model {
    uint64_t random;
    struct message messages[MOST_MESSAGES];
    unsigned message_count, sent, worked;
    struct backend backend;
    struct reply replies[MOST_REPLIES];
    unsigned reply_count, read;
    struct ledger ledger;
    char got[MOST_REPLIES];    /* by the client */
    char wanted[MOST_REPLIES]; /* by the client */
    unsigned got_count, wanted_count;
    bool is_gone;
    bool is_wrong;
};

static bool
chance(struct model *m, unsigned percent)
{
    return random_between(&m->random, 1, 100) <= percent;
}

/* The list of messages. */

static struct message *
add_message(struct model *m, char type)
{
    struct message *message = &m->messages[m->message_count++];

    *message = (struct message){ .type = type, .action = OWED_FORWARD };
    return message;
}

static void
add_extended(struct model *m, char type)
{
    struct message *message = add_message(m, type);

    if (chance(m, 15))
        message->action = OWED_SYNTHESISE;
    else if (chance(m, 20))
        message->action = chance(m, 50) ? OWED_SWALLOW : OWED_HIDE;
    message->is_bad = message->action != OWED_SYNTHESISE && chance(m, 5);
}

/* The client's side of one COPY IN. */
static void
add_copy_data(struct model *m)
{
    for (unsigned n = (unsigned)random_between(&m->random, 0, 4); n > 0; n--) {
        if (chance(m, 20))
            add_message(m, 'S');
        add_message(m, chance(m, 10) ? 'x' : 'd');
        if (chance(m, 10))
            add_message(m, 'H');
    }
    if (chance(m, 20))
        add_message(m, 'S');
    add_message(m, chance(m, 80) ? 'c' : 'f');
}

static bool
copies_in(enum part part)
{
    return part == PART_COPY_IN || part == PART_COPY_IN_FAILS_AT_THE_END ||
           part == PART_COPY_IN_FAILS_AT_ONCE;
}

static void
add_work(struct model *m, char type, unsigned part_count)
{
    struct message *message = add_message(m, type);

    if (chance(m, 10))
        message->action = OWED_SWALLOW;
    message->part_count = part_count;
    for (unsigned i = 0; i < part_count; i++) {
        message->parts[i] = (enum part)random_between(&m->random, PART_ROWS, PART_FAILS);
        if (type == 'Q' && message->parts[i] == PART_SUSPENDED)
            message->parts[i] = PART_ROWS;
    }
    for (unsigned i = 0; i < part_count; i++)
        if (copies_in(message->parts[i]))
            add_copy_data(m);
}

static void
add_pipeline(struct model *m)
{
    for (unsigned n = (unsigned)random_between(&m->random, 0, 6); n > 0; n--) {
        static const char types[] = "PBDCEEHcd";
        char type = types[random_next(&m->random) % (sizeof types - 1)];

        if (type == 'E')
            add_work(m, 'E', 1);
        else if (strchr("Hcd", type) != NULL)
            add_message(m, type); /* idle talk */
        else
            add_extended(m, type);
    }
}

static void
add_unit(struct model *m)
{
    switch (random_between(&m->random, 0, 5)) {
    case 0:
        add_work(m, 'Q', (unsigned)random_between(&m->random, 1, MOST_PARTS));
        break;
    case 1:
        add_message(m, 'F')->is_bad = chance(m, 30);
        break;
    default:
        add_pipeline(m);
        add_message(m, 'S')->is_bad = chance(m, 5); /* a deferred constraint */
        break;
    }
}

/* The backend: PostgresMain() of src/backend/tcop/postgres.c and CopyGetData() of copyfromparse.c. */

static void
reply(struct model *m, const struct message *to, char type)
{
    enum owed_action action = to->action == OWED_HIDE ? (type == 'E' ? OWED_FORWARD : OWED_SWALLOW)
                                                      : to->action;

    m->replies[m->reply_count++] = (struct reply){ .type = type, .action = action };
    if (action == OWED_FORWARD && !m->is_gone)
        m->wanted[m->wanted_count++] = type;
}

static void
reply_all(struct model *m, const struct message *to, const char *types)
{
    for (; *types != '\0'; types++)
        reply(m, to, *types);
}

static void
end_in_ready(struct model *m, const struct message *to)
{
    reply(m, to, 'Z');
    m->backend.is_implicit_open = false;
}

static void
fail(struct model *m, const struct message *at)
{
    m->backend.copies = NULL;
    reply(m, at, 'E');
    if (strchr("QFS", at->type) != NULL)
        end_in_ready(m, at);
    else
        m->backend.is_skipping = true;
}

static void
work_on_parts(struct model *m, const struct message *message, unsigned from)
{
    static const char *const answers[] = {
        [PART_ROWS] = "DDC",
        [PART_EMPTY] = "I",
        [PART_SUSPENDED] = "Ds",
        [PART_COPY_OUT] = "HdcC",
        [PART_COPY_IN] = "G",
        [PART_COPY_IN_FAILS_AT_THE_END] = "G",
        [PART_COPY_IN_FAILS_AT_ONCE] = "G",
        [PART_FAILS] = "",
    };

    for (unsigned i = from; i < message->part_count; i++) {
        enum part part = message->parts[i];

        if (message->type == 'Q' && part == PART_ROWS)
            reply(m, message, 'T');
        reply_all(m, message, answers[part]);
        if (part == PART_FAILS || part == PART_COPY_IN_FAILS_AT_ONCE) {
            fail(m, message);
            return;
        }
        if (copies_in(part)) {
            m->backend.copies = message;
            m->backend.part = i;
            return;
        }
    }
    if (message->type == 'Q')
        end_in_ready(m, message);
}

static void
work_in_copy(struct model *m, const struct message *message)
{
    const struct message *copies = m->backend.copies;
    enum part part = copies->parts[m->backend.part];

    switch (message->type) {
    case 'x':
    case 'f':
        fail(m, copies);
        break;
    case 'c':
        if (part == PART_COPY_IN_FAILS_AT_THE_END) {
            fail(m, copies);
            break;
        }
        m->backend.copies = NULL;
        reply(m, copies, 'C');
        work_on_parts(m, copies, m->backend.part + 1);
        break;
    default: /* d, H, S; the list has nothing else here */
        break;
    }
}

static void
work_on_extended(struct model *m, const struct message *message)
{
    static const struct {
        char type;
        const char *answer;
    } rows[] = { { 'P', "1" }, { 'B', "2" }, { 'D', "tT" }, { 'C', "3" } };

    m->backend.is_implicit_open = true;
    if (message->action == OWED_SYNTHESISE) {
        m->wanted[m->wanted_count++] = (char)(message->type | 0x20);
        return;
    }
    if (message->is_bad) {
        fail(m, message);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].type == message->type)
            reply_all(m, message, rows[i].answer);
}

static void
work(struct model *m)
{
    const struct message *message = &m->messages[m->worked++];

    if (m->backend.copies != NULL) {
        work_in_copy(m, message);
        return;
    }
    if (message->type == 'S')
        m->backend.is_skipping = false;
    if (m->backend.is_skipping || strchr("dxcfH", message->type) != NULL)
        return;
    switch (message->type) {
    case 'S':
    case 'F':
        if (message->is_bad) {
            fail(m, message);
            break;
        }
        if (message->type == 'F')
            reply(m, message, 'V');
        end_in_ready(m, message);
        break;
    case 'Q':
    case 'E':
        m->backend.is_implicit_open = message->type == 'E';
        work_on_parts(m, message, 0);
        break;
    default:
        work_on_extended(m, message);
        break;
    }
}

/* The sender and the reader: as relay.c uses the ledger. */

static void
take_made_up(struct model *m)
{
    static const char letters[] = {
        [OWED_PARSE] = 'p', [OWED_BIND] = 'b', [OWED_DESCRIBE] = 'd', [OWED_CLOSE] = 'c'
    };
    struct owed owed;

    while (ledger_take_synthetic(&m->ledger, &owed))
        m->got[m->got_count++] = letters[owed.kind];
}

static void
send(struct model *m)
{
    const struct message *message = &m->messages[m->sent++];
    char type = message->type == 'f' ? 'c' : message->type;

    if (strchr("dxH", type) == NULL)
        ledger_push(&m->ledger, (enum owed_kind)owed_kinds[(uint8_t)type], message->action);
    take_made_up(m);
}

static void
read_reply(struct model *m)
{
    const struct reply *r = &m->replies[m->read++];
    bool is_clients = r->action == OWED_FORWARD && !m->is_gone;
    enum ledger_verdict verdict = settle(&m->ledger, r->type);

    if (verdict != (is_clients ? LEDGER_FORWARD : LEDGER_SWALLOW))
        m->is_wrong = true;
    if (verdict == LEDGER_FORWARD)
        m->got[m->got_count++] = r->type;
    take_made_up(m);
}

/* One step of somebody; false: nobody can take one. */
static bool
step(struct model *m)
{
    bool can_send = m->sent < m->message_count;
    bool can_work = m->worked < m->sent;
    bool can_read = m->read < m->reply_count;

    switch (random_next(&m->random) % 3) {
    case 0:
        if (can_send)
            send(m);
        break;
    case 1:
        if (can_work)
            work(m);
        break;
    default:
        if (can_read)
            read_reply(m);
        break;
    }
    return can_send || can_work || can_read;
}

static void
show(const struct model *m)
{
    static const char *const prefixes[] = {
        [OWED_FORWARD] = "", [OWED_SWALLOW] = "~", [OWED_HIDE] = "^", [OWED_SYNTHESISE] = "+"
    };

    fprintf(stderr, "\n    sent: ");
    for (unsigned i = 0; i < m->message_count; i++)
        fprintf(stderr, "%s%c%s ", prefixes[m->messages[i].action], m->messages[i].type,
                m->messages[i].is_bad ? "!" : "");
    fprintf(stderr, "\n    wanted: %.*s\n    got:    %.*s\n", (int)m->wanted_count, m->wanted,
            (int)m->got_count, m->got);
}

static bool
same_is_read(const struct model *m)
{
    return m->got_count == m->wanted_count && memcmp(m->got, m->wanted, m->got_count) == 0;
}

static struct model *
model_of(uint64_t seed)
{
    struct model *m = mem_new(sizeof *m);

    m->random = seed | 1;
    (void)random_next(&m->random);
    ledger_init(&m->ledger);
    for (unsigned n = (unsigned)random_between(&m->random, 1, 6); n > 0; n--)
        add_unit(m);
    return m;
}

static void
model_free(struct model *m)
{
    ledger_fini(&m->ledger);
    free(m);
}

#define FIRST_ROUNDS 20000u /* with these seeds every time */
#define FRESH_ROUNDS 5000u  /* with others each time */

static void
each_seed(bool (*agrees)(uint64_t seed))
{
    uint64_t fresh = (uint64_t)time(NULL) * 1000000;

    for (unsigned i = 0; i < FIRST_ROUNDS + FRESH_ROUNDS; i++) {
        uint64_t seed = i < FIRST_ROUNDS ? 1 + i * UINT64_C(0x9e3779b97f4a7c15) : fresh + i * 2;

        if (agrees(seed))
            continue;
        fprintf(stderr, "    seed %#llx\n", (unsigned long long)seed);
        CU_FAIL_FATAL("the ledger and the model do not agree");
    }
}

/* From the first doubt on the server is not reused, so what comes then concerns nobody but its client. */
static bool
agrees_to_the_end(uint64_t seed)
{
    struct model *m = model_of(seed);
    bool good;

    while (!m->is_wrong && !m->ledger.is_in_doubt && step(m))
        ;
    good = !m->is_wrong && (m->ledger.is_in_doubt || (same_is_read(m) && ledger_is_quiet(&m->ledger)));
    if (!good)
        show(m);
    model_free(m);
    return good;
}

static void
any_conversation_is_read_as_from_postgresql_itself(void)
{
    each_seed(agrees_to_the_end);
}

/* As server_orphan() does: the end of an open COPY, then what makes the server say that it is ready. */
static void
clean_up(struct model *m)
{
    if (m->ledger.is_copy_in_open)
        add_message(m, 'f')->action = OWED_SWALLOW;
    while (m->sent < m->message_count)
        send(m);
    if (ledger_needs_sync(&m->ledger)) {
        add_message(m, 'S')->action = OWED_SWALLOW;
        send(m);
    }
}

static bool
agrees_when_the_client_goes(uint64_t seed)
{
    struct model *m = model_of(seed);
    unsigned steps = (unsigned)random_between(&m->random, 0, 60);
    bool good;

    while (!m->is_wrong && !m->ledger.is_in_doubt && steps-- > 0 && step(m))
        ;
    m->is_gone = true;
    m->message_count = m->sent; /* the rest is never sent */
    ledger_swallow_all(&m->ledger);
    for (bool is_over = false; !m->is_wrong && !is_over && !m->ledger.is_in_doubt;) {
        clean_up(m); /* again and again: COPY may be opened by a reply that comes later */
        is_over = !step(m);
    }
    good = !m->is_wrong && (m->ledger.is_in_doubt || (ledger_is_quiet(&m->ledger) &&
                                                      m->backend.copies == NULL && !m->backend.is_skipping));
    if (!good)
        show(m);
    model_free(m);
    return good;
}

static void
whenever_the_client_goes_the_server_comes_to_rest(void)
{
    each_seed(agrees_when_the_client_goes);
}

void
suite_ledger_by_chance(void)
{
    CU_pSuite suite = CU_add_suite("ledger_by_chance", NULL, NULL);

    CU_ADD_TEST(suite, any_conversation_is_read_as_from_postgresql_itself);
    CU_ADD_TEST(suite, whenever_the_client_goes_the_server_comes_to_rest);
}
