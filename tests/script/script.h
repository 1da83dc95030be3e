/*
 * script.h - conversations with a whole house: scripted clients on one side, scripted PostgreSQL servers on
 * the other, one thread, and a clock that only the script moves. A line is `actor verb words`, and after each
 * line everything that can happen without time going by has happened.
 *
 * Clients, servers and couriers (connections with a CancelRequest of the pooler's):
 *
 *     c1 enters [timezone=UTC]    connects, sends its startup packet (with that parameter), gets the greeting
 *     c1 connects                 only connects;   c1 is greeted   the greeting comes
 *     c1 sends Query select 1     messages (message.h), `|` between them
 *     s1 gets Query select 1      exactly these bytes are what it has read and not yet heard of
 *     s1 hears Query select 1     the same, but more may follow;   s1 hears something   one message
 *     c1 gets Refusal FATAL 53300 words
 *                                 an ErrorResponse of pgweir's making: severity, SQLSTATE, part of its
 *                                 message
 *     c1 gets nothing             everything was heard of;   c1 is closed   and it is;   c1 is open
 *     c1 hangs up                 c1 half-closes   c1 stops reading   c1 reads on
 *     c2 cancels c1 [wrongly]     connects and sends a CancelRequest with c1's key (with a wrong secret)
 *     k1 cancels s1               a connection has come with a CancelRequest for s1;   k1 closes
 *     s1 is asked                 a Query of the pooler's asks what its client has left in the session
 *     s1 is asked: nothing        the same, and it answers that nothing is there
 *     s1 is asked: pinned         the same, and it answers that every pin in question is
 *     s1 lingers                  does not close when the pooler does, as servers do; then s1 is ended
 *     s1 accepts                  (scenes with by_hand) gets the startup packet and answers nothing
 *     s1 closes
 *
 * Lines without an actor:
 *
 *     server goes down | comes up nobody listens there any more; listens again
 *     counter query_count 3       of all pools and workers, see pgweir/pool/counters.h
 *     servers 2                   so many connections to servers are open
 *     couriers 1                  cancel requests under way
 *     time 5 s                    (ms, s) goes by, in many small steps
 *     drain   drained   undrained house_drain(); whether on_drained() came
 *     reload pool_mode = session  house_reconfigure() with these settings (`|` between them) in place of the
 *                                 scene's
 *     entry connect_query=…       the same with these words in the database's entry; `-`: no such database
 *     admin PAUSE app -> done     an administrator's PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, WAIT_CLOSE,
 *                                 KILL [app] or KILL_CLIENT 1, and the answer
 *     admin has 1                 so many answers have come that take their time
 *     limit 3                     what the budget's host may have
 *     secret carol = sesame       whose secret was asked for, and what it is; `-`: there is no such user,
 *                                 `?`: nobody knows; `secret carol`: only that it was asked for
 *
 * Clients are numbered by the script, servers and couriers in the order in which they come. Servers log
 * everybody in by themselves, unless by_hand. At the end nobody may have unheard bytes.
 */
#ifndef PGWEIR_TESTS_SCRIPT_H
#define PGWEIR_TESTS_SCRIPT_H

#include "pgweir/base/buf.h"
#include "pgweir/base/clock.h"
#include "pgweir/session/house.h"

#define SCRIPT_MOST 200 /* actors of a kind */

enum pace {
    PACE_WHOLE,    /* a line's bytes are sent at once */
    PACE_BYTES,    /* one by one */
    PACE_SPLIT_AT, /* at once, save that one place of all that is sent lies between two writes */
};

struct script;
struct actor;

struct scene {
    const char *settings;  /* lines of [pgweir]; NULL: none */
    const char *entry;     /* more words for the database's entry; NULL: none */
    bool has_two_hosts;    /* the entry's host list has the same server twice */
    unsigned workers;      /* 0: 1 */
    unsigned limit;        /* of server connections; 0: 1 */
    bool by_hand;          /* servers do not log in by themselves */
    bool is_limit_unknown; /* until the line `limit` */
    enum pace pace;
    size_t split_at;
    /* Who plays the servers; NULL: the script does. Takes what it understands from *IN, appends its answers;
     * whether it did anything. Asked again and again until it does nothing. */
    bool (*serve)(struct script *s, struct actor *server, struct slice *in, struct buf *out);
    /* A CancelRequest for SERVER has come. The courier is closed when this returns, unless are_couriers_slow. */
    void (*on_cancel)(struct script *s, struct actor *server);
    bool are_couriers_slow; /* they, and their effect, wait for script_hear_courier() */
    void *arg;              /* for these two */
};

enum actor_kind { ACTOR_CLIENT, ACTOR_SERVER, ACTOR_COURIER };

struct actor {
    struct script *script;
    enum actor_kind kind;
    unsigned number; /* from 1 */
    int fd;          /* -1: not there, or closed by us */
    bool was_here;
    bool is_ended;       /* the other side has closed */
    bool is_deaf;        /* does not read */
    bool is_lingering;   /* a server that stays when the other side has closed */
    bool is_new;         /* a server whose startup packet has not come yet */
    struct buf in;       /* read and not heard of */
    struct buf out;      /* not taken by the socket yet */
    uint64_t sent_bytes; /* taken by the socket */
    uint64_t cut_at;     /* it closes for good when so many were; UINT64_MAX: never */
    uint32_t pid,
        secret; /* client: the key it was given; server: the one it gave; courier: the one it brings */
};

struct script *script_begin(const struct scene *scene, const char *file, unsigned line);
/* Plays one line; does nothing once something has failed. */
void script_line(struct script *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Checks that nobody has unheard bytes and no descriptor is left open. Whether all was well. */
bool script_end(struct script *s);

bool script_has_failed(const struct script *s);
void script_fail(struct script *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Lets happen what can happen without time going by. */
void script_settle(struct script *s);
void script_pass_us(struct script *s, uint64_t us);
struct actor *script_actor(struct script *s, enum actor_kind kind, unsigned number);
/* What it has read is forgotten. */
void actor_forget(struct actor *a);
void actor_close(struct actor *a);
/* BYTES leave as the scene's pace wants. */
void actor_send(struct actor *a, struct slice bytes);
/* The oldest courier that still waits has its effect and is closed; false: none waits. */
bool script_hear_courier(struct script *s);
struct house *script_house(struct script *s);
void *script_arg(struct script *s);
unsigned script_count(const struct script *s, enum actor_kind kind); /* open ones */
size_t script_sent(const struct script *s);                          /* bytes so far, by all */

/* A whole script. False when it failed, which CUnit knows by then. */
bool script_play(const struct scene *scene, const char *const *lines, const char *file, unsigned line);
#define PLAY(scene, ...) script_play(scene, (const char *const[]){ __VA_ARGS__, NULL }, __FILE__, __LINE__)
/* The same in every pace: whole, byte by byte, and with each place of what is sent between two writes. */
void script_play_splits(const struct scene *scene, const char *const *lines, const char *file, unsigned line);
#define PLAY_SPLITS(scene, ...) \
    script_play_splits(scene, (const char *const[]){ __VA_ARGS__, NULL }, __FILE__, __LINE__)

#endif
