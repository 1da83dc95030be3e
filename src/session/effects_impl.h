/*
 * effects_impl.h - what a message changed in the maps of prepared statements when it was sent, noted at its
 * ledger entry: forgotten when it is answered, undone when the server refuses or skips it.
 */
#ifndef PGWEIR_SESSION_EFFECTS_IMPL_H
#define PGWEIR_SESSION_EFFECTS_IMPL_H

enum effect {
    EFFECT_NONE,
    EFFECT_NAME_ADDED, /* of_client: the client_name; of_server: statement added to the server, or NULL (held) */
    EFFECT_NAME_REMOVED, /* of_client: the client_name, out of the map, to be freed or put back */
    EFFECT_NAME_USED, /* of_client: the client_name (held), in case an error tells the server's name of it */
    EFFECT_DESCRIBED, /* the same, and the answer tells the client its shape: its picture is that of its epoch */
    EFFECT_ASKED, /* of_server: the statement (held), NULL: the unnamed one; the answer tells us its shape there */
    EFFECT_UNNAMED_SET,    /* of_client: the client's unnamed client_name before (held), or NULL */
    EFFECT_UNNAMED_CLOSED, /* the same */
    EFFECT_ADDED,          /* of_server: statement parsed there for a Bind (held); NULL: the unnamed one */
    EFFECT_EVICTED,     /* of_server: statement closed there (held); client_stamp: when it was parsed there */
    EFFECT_CLOSED,      /* what may or may not have been there is closed */
    EFFECT_SQL,         /* of a Query. of_client: as UNNAMED_CLOSED; of_server: struct sql_names, owned */
    EFFECT_DEALLOCATES, /* of an Execute. of_client: the client_name that it deallocates (held) */
    EFFECT_REFUSE,      /* of_client: pg_error to tell in place of the server's; owned */
};

#endif
