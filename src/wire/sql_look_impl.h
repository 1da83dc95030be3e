/*
 * sql_look_impl.h - a look at all statements of a text, while it is under way. sql_findings.c goes through
 * the
 * statements, sql_watch.c sees to what can stand anywhere in one.
 */
#ifndef PGWEIR_WIRE_SQL_LOOK_IMPL_H
#define PGWEIR_WIRE_SQL_LOOK_IMPL_H

#include "sql_lexer_impl.h"

#define CALLS_MOST 8u

/* A call of set_config() whose closing parenthesis has not come. */
struct call {
    size_t depth;           /* of its arguments */
    unsigned argument;      /* 0, 1, 2, … */
    unsigned position;      /* of the next token within the argument */
    struct sql_token name;  /* argument 0, when it is one literal or parameter, cast or not; else SQL_END */
    struct sql_token value; /* argument 1, likewise */
    struct sql_token local; /* argument 2, likewise */
};

enum watch {
    WATCH_NOT,
    WATCH_INTO,   /* behind INTO: is the next name a temporary table's? */
    WATCH_UPDATE, /* behind UPDATE, before SET: is it pg_settings? */
    WATCH_CREATE, /* in CREATE: any name may be qualified by pg_temp */
};

struct look {
    struct sql_scan scan;
    struct sql_token t;    /* the token at hand */
    struct sql_token prev; /* the one before it */
    size_t depth;          /* of parentheses and brackets open before t */
    enum watch watch;
    unsigned call_count;
    struct call calls[CALLS_MOST];
    const uint8_t *text;
    struct sql_findings *out;
};

static inline void
look_flag(struct look *l, uint32_t flags)
{
    l->out->flags |= flags;
}

static inline void
look_give_up(struct look *l)
{
    l->out->settings_are_partial = true;
    look_flag(l, SQL_OPAQUE);
}

/* What the function of this name does, if it is one of those that matter; else 0. */
uint32_t look_flags_of_call(struct slice name, bool is_quoted);

/* A place for one more setting, or NULL. Its name is empty; look_keep_setting() keeps it. */
struct sql_setting *look_begin_setting(struct look *l, enum sql_how how);
void look_keep_setting(struct look *l, struct sql_setting *setting);

/* Sees to the token at hand, which is not SQL_END. It may be passed over when no token of its first byte is
 * watched
 * (is_watched[] in sql_findings.c), no call is open and nothing is watched for. */
void look_at_token(struct look *l);

#endif
