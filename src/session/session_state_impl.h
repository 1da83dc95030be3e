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
#define SEQUENCES ((uint32_t)(SQL_CURRVAL | SQL_NEXTVAL))
#define TELLING (SEQUENCES | SETTERS | MAKERS | ENDERS | (uint32_t)SQL_OPAQUE)
#define PINNING (MAKERS | (uint32_t)SQL_LOAD)

#define MOST_TOUCHED SNAPSHOT_MOST_SETTINGS

struct session_state {
    struct buf touched; /* names of settings, as below, that the next read-back must ask for */
    struct buf asked;   /* those of the read-back under way: enum touch, name, NUL, … */
    struct buf rows;    /* its answer so far */
    uint32_t asked_flags;
    uint32_t prepared_flags; /* of texts with SQL PREPARE: what an EXECUTE may do */
    unsigned asked_pins;     /* the kinds whose answer comes */
    unsigned tries;
    bool is_asking;
    bool has_failed;
    bool is_too_long;
    bool is_refused;
    struct pg_error refusal;
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

/* Asks for what is suspected. */
void read_back_ask(struct server *s);

/* Who the session is: not among the settings that RESET ALL resets. */
static inline bool
is_identity(const char *name)
{
    return text_equal_nocase(name, "role") || text_equal_nocase(name, "session_authorization");
}

#endif
