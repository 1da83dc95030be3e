/*
 * test_anywhere.c - a connection is lost after each single byte of a conversation, the client's or the
 * server's. Whatever the moment: nobody else is disturbed, the servers come to rest, what was not asked to be
 * committed is not, and (asan) nothing leaks.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "message.h"
#include "pgweir/base/attr.h"
#include "robot.h"
#include "script.h"

/* The thread sanitizer has little to find in one thread: it gets a sample of the places. */
#if defined(__SANITIZE_THREAD__)
#define CUT_STEP 7
#else
#define CUT_STEP 1
#endif

void suite_anywhere(void);

/* Each tries to commit T. NEEDED: how many of its messages must be sent before T may be committed; 0: it
 * never may. */
static const struct conversation {
    const char *words;
    unsigned needed;
} conversations[] = {
    { "Query insert T", 1 },
    { "Query insert T | Terminate", 1 },
    { "Query begin | Query insert T | Query echo x | Query commit", 4 },
    { "Query begin; insert T; fail; commit | Query rollback | Query insert T", 3 },
    { "Query begin | Query insert T | Query fail | Query commit | Query echo x", 0 },
    { "Parse - insert T | Bind - - | Describe P - | Execute - 0 | Sync", 5 },
    { "Parse - insert T | Bind - - | Execute - 0 | Flush | Parse - echo $1 | Bind - - 1 | Execute - 0 | Sync | Sync",
      8 },
    { "Parse - wrong | Bind - - | Execute - 0 | Sync | Query insert T", 5 },
    { "Parse - insert T | Bind - - | Execute - 0 | Parse - fail | Bind - - | Execute - 0 | Sync", 0 },
    { "Parse a insert T | Bind - a | Execute - 0 | Close S a | Sync | Parse a echo $1 | Bind - a 5 | Execute - 0 | Sync",
      5 },
    { "Query begin; copy in; insert T; commit | CopyData one | CopyData two | CopyDone | Query echo x", 4 },
    { "Query copy in; insert T | CopyData one | CopyFail no | Query echo x", 0 },
    { "Parse - copy in | Bind - - | Execute - 0 | CopyData x | CopyDone | Parse - insert T | Bind - - | Execute - 0 | Sync",
      9 },
    { "Parse - copy in | Bind - - | Execute - 0 | Sync | CopyData x | CopyDone | Sync | Query insert T", 8 },
    { "Query begin; insert T; slow one; commit | Query echo x", 0 },
    { "Query slow one; insert T | Query slow two | Terminate", 0 },
    { "Function 42 1 | Sync | Query notice x | Query copy out | Query insert T", 5 },
    { "Query set c1.a | Query show c1 | Query insert T", 3 },
};

#define SCENE(name, text, ...)                                                         \
    static const struct scene name = {                                                 \
        .settings = text, .serve = robot_serve, .on_cancel = robot_cancel, __VA_ARGS__ \
    }

SCENE(transactions, NULL, .limit = 1);
SCENE(sessions, "pool_mode = session\n", .limit = 2);
SCENE(passwords, "auth_type = plain\nauth_file = users\n", .limit = 1);
SCENE(two_workers, NULL, .limit = 2, .workers = 2);
SCENE(pieces, NULL, .limit = 2);

/* Where the MESSAGE_COUNTth message of WORDS ends. */
static size_t
bytes_of(const char *words, unsigned message_count)
{
    char one[MESSAGE_MOST_TEXT];
    struct buf out;
    size_t len;

    buf_init(&out);
    while (message_count-- > 0 && message_next(&words, one))
        (void)message_write(&out, one);
    len = buf_len(&out);
    buf_release(&out);
    return len;
}

struct stage {
    struct robots robots;
    struct script *script;
    struct scene scene;
    struct slice wanted; /* what each client should hear, where that is known */
};

static void
stage_init(struct stage *st, const struct scene *scene, unsigned line)
{
    robots_init(&st->robots);
    st->scene = *scene;
    st->scene.arg = &st->robots;
    st->script = script_begin(&st->scene, __FILE__, line);
}

static bool
stage_fini(struct stage *st)
{
    bool good;

    if (st->robots.complaint[0] != '\0')
        script_fail(st->script, "%s", st->robots.complaint);
    for (unsigned i = 1; i <= SCRIPT_MOST; i++)
        actor_forget(script_actor(st->script, ACTOR_CLIENT, i));
    good = script_end(st->script);
    robots_fini(&st->robots);
    return good;
}

/* --- clients --- */

/* Lets time go by, ten seconds at the most, until IS_OVER. */
static void
wait_until(struct stage *st, bool (*is_over)(struct stage *st))
{
    for (unsigned i = 0; i < 100 && !is_over(st) && !script_has_failed(st->script); i++)
        script_pass_us(st->script, 100 * US_PER_MS);
}

static bool
has_calmed_down(struct stage *st)
{
    return buf_len(&script_actor(st->script, ACTOR_CLIENT, 2)->in) > 0 && robots_are_at_rest(&st->robots) &&
           script_count(st->script, ACTOR_COURIER) == 0;
}

static void
check_aftermath(struct stage *st, unsigned committed_most, unsigned committed_least)
{
    unsigned committed;

    script_line(st->script, "c2 sends Query echo alive");
    wait_until(st, has_calmed_down);
    script_line(st->script, "c2 gets Columns a | Row alive | Complete SELECT 1 | Ready I");
    script_line(st->script, "couriers 0");
    if (!robots_are_at_rest(&st->robots))
        script_fail(st->script, "a server is not at rest");
    committed = robots_committed(&st->robots, "T");
    if (committed > committed_most || committed < committed_least)
        script_fail(st->script, "T was committed %u times", committed);
}

/* C1 says INTRO and WORDS, and is gone after CUT bytes. */
static bool
client_is_lost(const struct scene *scene, const char *intro, const struct conversation *conversation,
               size_t cut)
{
    struct actor *client;
    struct stage st;
    struct buf out;
    size_t committed_at = SIZE_MAX;

    stage_init(&st, scene, __LINE__);
    client = script_actor(st.script, ACTOR_CLIENT, 1);
    buf_init(&out);
    if (scene->settings != NULL && strstr(scene->settings, "plain") != NULL) {
        script_line(st.script, "c2 connects");
        script_line(st.script, "c2 sends Startup user=bob database=app | Password builder");
        actor_forget(script_actor(st.script, ACTOR_CLIENT, 2));
        CU_ASSERT_TRUE(messages_write(&out, "Startup user=bob database=app | Password builder"));
    } else {
        script_line(st.script, "c2 enters");
        CU_ASSERT_TRUE(messages_write(&out, intro));
    }
    if (conversation->needed > 0)
        committed_at = buf_len(&out) + bytes_of(conversation->words, conversation->needed);
    CU_ASSERT_TRUE(messages_write(&out, conversation->words));
    client->cut_at = cut;
    script_line(st.script, "c1 connects");
    if (cut == 0)
        actor_close(client);
    actor_send(client, buf_slice(&out));
    if (cut >= buf_len(&out))
        actor_close(client);
    /* Where it still waits for a server of the other worker, or to be greeted, its request is dropped with
     * it. */
    check_aftermath(&st, cut >= committed_at,
                    cut >= committed_at && cut >= buf_len(&out) && scene->workers < 2 &&
                        strstr(intro, "timezone") == NULL);
    if (script_has_failed(st.script))
        fprintf(stderr, "    when c1 was lost after %zu bytes of: %s | %s\n", cut, intro,
                conversation->words);
    cut = cut >= buf_len(&out);
    buf_release(&out);
    return stage_fini(&st) && cut == 0;
}

static void
client_is_lost_anywhere(const struct scene *scene, const char *intro)
{
    for (size_t i = 0; i < COUNT_OF(conversations); i++)
        for (size_t cut = 0; client_is_lost(scene, intro, &conversations[i], cut); cut += CUT_STEP)
            ;
}

static void
a_client_is_lost_at_any_byte(void)
{
    client_is_lost_anywhere(&transactions, "Startup user=alice database=app");
}

static void
a_session_is_lost_at_any_byte(void)
{
    client_is_lost_anywhere(&sessions, "Startup user=alice database=app");
}

static void
a_client_of_another_worker_is_lost_at_any_byte(void)
{
    client_is_lost_anywhere(&two_workers, "Startup user=alice database=app");
}

static void
a_client_is_lost_at_any_byte_of_its_login(void)
{
    static const struct conversation nothing = { "", 0 };

    for (size_t cut = 0; client_is_lost(&passwords, "", &nothing, cut); cut += CUT_STEP)
        ;
    for (size_t cut = 0; client_is_lost(&transactions, "SSLRequest", &nothing, cut); cut += CUT_STEP)
        ;
    for (size_t cut = 0; client_is_lost(&transactions, "Startup user=alice database=app timezone=UTC",
                                        &conversations[2], cut);
         cut += CUT_STEP)
        ;
}

/* --- servers --- */

#define INTRO "Startup user=alice database=app | "

/* The answers of C1 behind its greeting, into OUT. */
static void
answers_of(struct actor *client, struct buf *out)
{
    struct slice in = buf_slice(&client->in);
    struct slice message;

    while (message_take(&in, &message))
        if (message.at[0] == 'Z')
            break;
    buf_add(out, in);
}

static void
send_all(struct stage *st, unsigned client, const char *words)
{
    struct buf out;

    buf_init(&out);
    CU_ASSERT_TRUE(messages_write(&out, INTRO));
    CU_ASSERT_TRUE(messages_write(&out, words));
    script_line(st->script, "c%u connects", client);
    actor_send(script_actor(st->script, ACTOR_CLIENT, client), buf_slice(&out));
    buf_release(&out);
}

/* What a client should get; and how much a server says, its greeting included. */
static void
rehearse(const struct scene *scene, const char *words, struct buf *answers, uint64_t *server_bytes)
{
    struct stage st;

    stage_init(&st, scene, __LINE__);
    send_all(&st, 1, words);
    answers_of(script_actor(st.script, ACTOR_CLIENT, 1), answers);
    *server_bytes = script_actor(st.script, ACTOR_SERVER, 1)->sent_bytes;
    stage_fini(&st);
}

enum fate { SERVED, HURT, WRONGED };

/* All answers; or the first of them, and then word that the server was lost, unless that would stand inside a
 * message. */
static enum fate
fate_of(struct actor *client, struct slice wanted)
{
    struct buf answers;
    struct slice got;
    struct slice message;
    size_t same = 0;
    enum fate fate = WRONGED;

    buf_init(&answers);
    answers_of(client, &answers);
    got = buf_slice(&answers);
    while (same < got.len && same < wanted.len && got.at[same] == wanted.at[same])
        same++;
    if (same == wanted.len && got.len == wanted.len && !client->is_ended) {
        fate = SERVED;
    } else if (client->is_ended) {
        while (message_take(&got, &message) && message.at[0] != 'E' && same > 0)
            ;
        got = slice_skip(buf_slice(&answers), same);
        /* The error's first byte may be that of the answer that never came. */
        if (got.len == 0 || memmem(got.at, got.len, "08006", 5) != NULL)
            fate = HURT;
    }
    buf_release(&answers);
    return fate;
}

static bool
have_clients_heard(struct stage *st)
{
    for (unsigned i = 1; i <= 2; i++) {
        struct actor *client = script_actor(st->script, ACTOR_CLIENT, i);

        if (!client->is_ended && fate_of(client, st->wanted) != SERVED)
            return false;
    }
    return true;
}

static bool
server_is_lost(const struct scene *scene, const struct conversation *conversation, struct slice wanted,
               uint64_t cut)
{
    struct stage st;
    unsigned hurt = 0;

    stage_init(&st, scene, __LINE__);
    script_actor(st.script, ACTOR_SERVER, 1)->cut_at = cut;
    send_all(&st, 1, conversation->words);
    send_all(&st, 2, conversation->words);
    st.wanted = wanted;
    wait_until(&st, have_clients_heard);
    for (unsigned i = 1; i <= 2; i++)
        switch (fate_of(script_actor(st.script, ACTOR_CLIENT, i), wanted)) {
        case SERVED:
            break;
        case HURT:
            hurt++;
            break;
        case WRONGED:
            script_fail(st.script, "c%u has got something else", i);
            break;
        }
    if (hurt > 1)
        script_fail(st.script, "one server was lost and %u clients hurt", hurt);
    if (robots_committed(&st.robots, "T") > 2u ||
        (conversation->needed > 0 && robots_committed(&st.robots, "T") + hurt < 2))
        script_fail(st.script, "T was committed %u times", robots_committed(&st.robots, "T"));
    script_line(st.script, "c3 enters");
    script_line(st.script, "c3 sends Query echo alive");
    script_line(st.script, "c3 gets Columns a | Row alive | Complete SELECT 1 | Ready I");
    if (script_has_failed(st.script))
        fprintf(stderr, "    when s1 was lost after %llu bytes of: %s\n", (unsigned long long)cut,
                conversation->words);
    return stage_fini(&st);
}

static void
a_server_is_lost_at_any_byte(void)
{
    for (size_t i = 0; i < COUNT_OF(conversations); i++) {
        struct buf wanted;
        uint64_t server_bytes;
        bool good = true;

        if (strstr(conversations[i].words, "slow") != NULL ||
            strstr(conversations[i].words, "Terminate") != NULL)
            continue; /* they do not come to an end of themselves, or have one of their own */
        buf_init(&wanted);
        rehearse(&pieces, conversations[i].words, &wanted, &server_bytes);
        for (uint64_t cut = 1; good && cut <= server_bytes; cut += CUT_STEP)
            good = server_is_lost(&pieces, &conversations[i], buf_slice(&wanted), cut);
        buf_release(&wanted);
    }
}

void
suite_anywhere(void)
{
    CU_pSuite suite = CU_add_suite("anywhere", NULL, NULL);

    CU_ADD_TEST(suite, a_client_is_lost_at_any_byte);
    CU_ADD_TEST(suite, a_session_is_lost_at_any_byte);
    CU_ADD_TEST(suite, a_client_of_another_worker_is_lost_at_any_byte);
    CU_ADD_TEST(suite, a_client_is_lost_at_any_byte_of_its_login);
    CU_ADD_TEST(suite, a_server_is_lost_at_any_byte);
}
