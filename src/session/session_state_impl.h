/*
 * session_state_impl.h - the parts of what state_impl.h promises, among themselves.
 *
 *     suspicion.c        what texts may have done: flags, and the names of settings that they touch
 *     sequence_values.c  currval() and lastval(), which no view shows
 *     read_back.c        the question to the server, and what follows from its answer
 *     state.c            when there is something to ask, and the ends
 */
#ifndef PGWEIR_SESSION_SESSION_STATE_IMPL_H
#define PGWEIR_SESSION_SESSION_STATE_IMPL_H

#include "pgweir/base/text.h"
#include "pgweir/wire/sql.h"
#include "state_impl.h"

/* What a text says of settings; what it may leave behind; what may end a pin, so that it matters only where
 * there is one. */
#define SETTERS ((uint32_t)(SQL_SETS | SQL_RESETS | SQL_RESETS_ALL | SQL_SET_CONFIG))
#define MAKERS ((uint32_t)(SQL_LISTEN | SQL_PREPARE | SQL_HOLD_CURSOR | SQL_TEMP | SQL_ADVISORY_LOCK))
#define ENDERS                                                                                        \
    ((uint32_t)(SQL_UNLISTEN | SQL_EXECUTE | SQL_DEALLOCATE | SQL_DEALLOCATE_ALL | SQL_CLOSE_CURSOR | \
                SQL_ADVISORY_UNLOCK | SQL_DISCARDS | SQL_DISCARDS_ALL | SQL_DDL))
/* What no read-back can ask for. */
#define SEQUENCES ((uint32_t)(SQL_CURRVAL | SQL_NEXTVAL | SQL_SETSEED))
/* What sets a setting of any name, perhaps of one that no view shows. */
#define HIDING ((uint32_t)(SQL_OPAQUE | SQL_COMPUTED))
#define TELLING (SEQUENCES | SETTERS | MAKERS | ENDERS | HIDING)
/* Pins that only time ends. */
#define PIN_SET_BOUND (PIN_BIT(PIN_SEQUENCE) | PIN_BIT(PIN_SEED))
#define PINNING (MAKERS | (uint32_t)(SQL_LOAD | SQL_COMPUTED))

#define MOST_TOUCHED SNAPSHOT_MOST_SETTINGS

#define NOTES_MOST 16u

struct note {
    uint64_t fingerprint;
    bool is_learned; /* it was suspected because of its fingerprint */
};

struct session_state {
    struct buf touched; /* names of settings, as below, that the next read-back must ask for */
    struct buf asked;   /* those of the read-back under way: enum touch, name, NUL, … */
    struct buf rows;    /* its answer so far */
    uint32_t asked_flags;
    bool
        is_sure; /* nothing has failed, was undone or was in a block since what was asked for was suspected */
    uint32_t prepared_flags; /* of texts with SQL PREPARE: what an EXECUTE may do */
    unsigned asked_pins;     /* the kinds whose answer comes */
    unsigned tries;
    uint64_t asked_stamp; /* server->stamp when it was asked last */
    bool is_audit;        /* asked though no text was suspected */
    bool is_asking;
    bool has_failed;
    bool is_too_long;
    bool is_refused;
    struct pg_error refusal;
    struct note
        notes[NOTES_MOST]; /* audit.c's, of the texts that its client has sent since it has the server */
    unsigned note_count;
    unsigned asked_notes; /* the first so many are those that the read-back under way is about */
    bool notes_are_partial;
    struct buf note_texts; /* as sql_fingerprint() writes them, each with its NUL; only while watched */
};

enum touch { TOUCH_SET = 's', TOUCH_RESET = 'r' };

struct session_state *session_state_of(struct server *s); /* made when there is none */

/* A list of touched settings: each name once, in any case. */

/* The next name of REST, which is moved behind it; NULL: there is none. */
const char *touched_next(struct slice *rest, enum touch *how);
/* Enters NAME once; what was reset by any of the texts counts as reset. */
void touched_add(struct buf *list, const char *name, enum touch how);

/* The next read-back asks for NAME, if it is one of those that follow their client. */
void suspicion_touch(struct client *c, const char *name, enum touch how);

/* C has a text of these FLAGS. True: it asks for what sequences have told, which cannot be told now, for
 * the reason in WHY. */
bool sequences_are_refused(struct client *c, uint32_t flags, struct pg_error *why);
/* What the transaction of S's client had to do with sequences. */
void sequences_settle(struct server *s);

/* What an answer says: values live in `text`. */
struct answer {
    char *text; /* owned */
    size_t used;
    size_t size;
    struct snapshot_pair of_server[2 * MOST_TOUCHED + 16];
    struct snapshot_pair of_client[2 * MOST_TOUCHED + 16];
    size_t count;
    unsigned pins;
    bool is_overfull;
};

/* Asks for what is suspected. */
void read_back_ask(struct server *s);
/* The settings of both sides are what the answer says. False: they are too many to be followed. */
bool read_back_follow(struct server *s, const struct answer *a);
bool answer_has(const struct answer *a, const char *name); /* in any case */
/* What texts show that leave PINS behind. */
uint32_t read_back_makers(unsigned pins);

/* C, whose server is attentive, has sent TEXT, which shows FLAGS: it is noted. Returns what is known of
 * such texts. */
uint32_t audit_note(struct client *c, struct slice text, uint32_t flags);
/* What an audit has found out. */
void audit_judge(struct server *s, const struct answer *a);
/* What S's client has run of texts that were learnt has left something behind, or has not. */
void audit_learned_ran(struct server *s, bool was_right);

/* Who the session is: not among the settings that RESET ALL resets. */
static inline bool
is_identity(const char *name)
{
    return text_equal_nocase(name, "role") || text_equal_nocase(name, "session_authorization");
}

/* The value of parameter N (from 1) of a Bind message that is there as a whole; false when it is NULL or
 * missing. */
bool bind_value(struct slice bind, unsigned n, struct slice *out);

#endif
