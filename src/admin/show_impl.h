/* show_impl.h - what the families of SHOW have in common: how columns and rows of the table are written, and cells that several need. */
#ifndef PGWEIR_ADMIN_SHOW_IMPL_H
#define PGWEIR_ADMIN_SHOW_IMPL_H

#include "admin_impl.h"
#include "pgweir/config/settings.h"

struct show {
    const char *name; /* as in SHOW <name> */
    struct console_shape shape;
    unsigned what; /* of enum roll_what; the roll call comes first */
    bool is_for_admin;
    void (*on_client)(const void *job, struct buf *rows, const struct roll_client *client);
    void (*on_server)(const void *job, struct buf *rows, const struct roll_server *server);
    /* ROLL is NULL for those that need none. NULL here: the rows of the roll call are all. */
    void (*write)(struct job *j, const struct roll *roll, struct buf *rows);
};

struct show_family {
    const struct show *rows;
    size_t count;
};

extern const struct show_family show_about, show_databases, show_users, show_sockets, show_lists, show_stats,
    show_pins, show_fds;

/* One after the other from 0, the families in turn; NULL behind the last. */
const struct show *show_at(size_t i);

/* --- writing the table --- */

/* clang-format off */
#define T(name_) { name_, CONSOLE_TEXT }
#define I(name_) { name_, CONSOLE_INT4 }
#define Q(name_) { name_, CONSOLE_INT8 }
#define N(name_) { name_, CONSOLE_NUMERIC }
#define B(name_) { name_, CONSOLE_BYTEA }
#define SHAPE(columns_) { columns_, COUNT_OF(columns_) }
#define SHOW_FAMILY(rows_) { rows_, COUNT_OF(rows_) }
/* clang-format on */

/* --- cells --- */

/* An int4 of a number that may be larger in theory. */
void add_count(struct buf *rows, uint64_t number);
/* The two columns addr and port; UNIX_PORT stands for the port of a Unix socket. */
void add_address(struct buf *rows, const struct address *a, unsigned unix_port);
/* ptr and link: ID as an address would look; empty for 0. */
void add_handle(struct buf *rows, uint64_t id);

/* --- counts --- */

unsigned servers_of(const struct roll_pool *p);
unsigned peer_count(const struct job *j);
/* Those of the configuration, then those that pools have met beside them. ROWS may be NULL. Returns how many. */
unsigned list_users(struct job *j, const struct roll *roll, struct buf *rows);
/* The words of enum pool_mode. */
extern const char *const pool_mode_words[];

#endif
