/*
 * admin.h - the console's commands, and the statistics behind SHOW STATS. Lives in the main thread; the
 * console sessions of the workers reach it by letter.
 *
 * main: admin_new() -> house_new() with admin_console() -> admin_attend() … admin_close_down(), house_free(),
 * one loop_turn(), admin_free()
 */
#ifndef PGWEIR_ADMIN_ADMIN_H
#define PGWEIR_ADMIN_ADMIN_H

#include "pgweir/net/loop.h"
#include "pgweir/session/house.h"

struct admin;

enum admin_shutdown { SHUTDOWN_NOW, SHUTDOWN_FOR_SERVERS, SHUTDOWN_FOR_CLIENTS };

struct admin_handler { /* what admin/ asks of the program; all in the main thread */
    /* Reads the configuration again. TOLD gets one line for each thing that has changed, or, when it fails,
     * for each that is wrong. */
    enum err (*reload)(void *arg, struct buf *told);
    /* SET: puts O = VALUE in force until the next reload. */
    enum err (*set)(void *arg, const struct option *o, const char *value, struct buf *told,
                    struct error *why);
    /* True: begun. */
    void (*shutdown)(void *arg, enum admin_shutdown how);
    bool (*is_shutting_down)(void *arg);
    /* SUSPEND: no connection is accepted until RESUME. */
    void (*hold_listeners)(void *arg, bool is_held);
    /* The sockets that listen, from 0 on; false behind the last. */
    bool (*listener_at)(void *arg, unsigned i, int *fd, struct address *where);
    void *arg;
};

struct admin *admin_new(struct loop *main_loop, const struct clock *clock,
                        const struct admin_handler *handler);
/* For house_params.console. */
const struct console_handler *admin_console(struct admin *a);
/* HOUSE exists and CONFIG is in force: from now on commands are executed and statistics taken. */
void admin_attend(struct admin *a, struct house *house, struct house_config *config);
/* CONFIG is in force now (house_reconfigure() came first). */
void admin_reconfigure(struct admin *a, struct house_config *config);
/* Ends a SUSPEND; false: there was none. */
bool admin_resume(struct admin *a);
/* The workers have ended, the house still lives: nothing is answered any more. NULL is fine, here and
 * below. */
void admin_close_down(struct admin *a);
void admin_free(struct admin *a);

#endif
