/*
 * rules.h - what pgweir knows of each message type: one row per type, indexed by the type byte.
 *
 * source PostgreSQL docs, protocol-message-formats; protocol-flow "Extended Query", "COPY Operations".
 */
#ifndef PGWEIR_WIRE_RULES_H
#define PGWEIR_WIRE_RULES_H

#include <stdint.h>

#include "pgweir/wire/scan.h"

/* What a frontend message makes the server owe. */
enum front_kind {
    FRONT_UNKNOWN = 0, /* no such message: 08P01 and the end of the connection */
    FRONT_QUERY,       /* Q: results, then ReadyForQuery */
    FRONT_FUNCTION,    /* F: FunctionCallResponse, then ReadyForQuery */
    FRONT_PARSE,       /* P: ParseComplete */
    FRONT_BIND,        /* B: BindComplete */
    FRONT_DESCRIBE,    /* D: ParameterDescription for statements, then RowDescription or NoData */
    FRONT_EXECUTE,     /* E: rows, then CommandComplete, EmptyQueryResponse or PortalSuspended */
    FRONT_CLOSE,       /* C: CloseComplete */
    FRONT_SYNC,        /* S: ReadyForQuery */
    FRONT_FLUSH,       /* H: nothing */
    FRONT_COPY_DATA,   /* d: nothing */
    FRONT_COPY_END,    /* c, f: nothing of its own; ends COPY IN */
    FRONT_PASSWORD,    /* p: only during login */
    FRONT_TERMINATE,   /* X */
};

/* What a backend message means for the ledger of owed replies. */
enum back_kind {
    BACK_UNKNOWN = 0,
    BACK_PARSE_COMPLETE, /* 1 */
    BACK_BIND_COMPLETE,  /* 2 */
    BACK_CLOSE_COMPLETE, /* 3 */
    BACK_PARAMETERS,     /* t: first half of the answer to Describe(statement) */
    BACK_ROW_SHAPE,      /* T, n: ends Describe; inside a simple Query just a part of the result */
    BACK_DATA,           /* D, V, d, c (CopyDone): a part of a result */
    BACK_COMMAND_DONE,   /* C, I, s: ends Execute; inside a simple Query one statement's end */
    BACK_COPY_IN,        /* G */
    BACK_COPY_OUT,       /* H */
    BACK_COPY_BOTH,      /* W */
    BACK_READY,          /* Z */
    BACK_ERROR,          /* E */
    BACK_NOTICE,         /* N, any time */
    BACK_PARAMETER,      /* S, any time */
    BACK_NOTIFICATION,   /* A, any time */
    BACK_AUTH,           /* R, only during login */
    BACK_KEY,            /* K, only during login */
    BACK_NEGOTIATE,      /* v, only during login */
};

extern const uint8_t front_kinds[256]; /* enum front_kind by type byte */
extern const uint8_t back_kinds[256];  /* enum back_kind by type byte */

static inline enum front_kind
front_kind_of(uint8_t type)
{
    return (enum front_kind)front_kinds[type];
}

static inline enum back_kind
back_kind_of(uint8_t type)
{
    return (enum back_kind)back_kinds[type];
}

/* What the scanners want to see. Front, relay: headers only (the tracking of prepared statements brings a
 * table of its own, with Parse, Bind, Describe, Close whole). Back, relay: Z, E, S, C, t, T whole, else headers.
 * Login: everything whole, in both directions. */
extern const struct scan_rules front_relay_rules;
extern const struct scan_rules front_login_rules;
extern const struct scan_rules back_relay_rules;
extern const struct scan_rules back_login_rules;

#endif
