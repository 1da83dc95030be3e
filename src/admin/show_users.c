/* show_users.c - USERS: those of the file and those that pools have met. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "show_impl.h"

static const struct console_column user_columns[] = {
    T("name"),
    T("pool_size"),
    T("reserve_pool_size"),
    T("pool_mode"),
    I("max_user_connections"),
    I("current_connections"),
    I("max_user_client_connections"),
    I("current_client_connections"),
};

struct user_sum { /* what the pools of one user have */
    const char *user;
    unsigned servers;
    bool is_listed;
};

struct user_name { /* a row to be */
    const char *name;
    const struct overrides *own; /* NULL: none */
};

struct user_list {
    const struct settings *settings;
    struct house *house;
    struct user_sum *sums; /* by user; owned */
    size_t sum_count;
    struct buf *rows;        /* NULL: only counted */
    struct user_name *names; /* owned */
    unsigned count;
    unsigned room;
    bool has_console; /* its own user is listed already */
};

static int
compare_sums(const void *a, const void *b)
{
    const struct user_sum *one = a, *other = b;

    return strcmp(one->user, other->user);
}

static void
sum_users(struct user_list *list, const struct roll *roll)
{
    list->sums = mem_new(roll->pool_count * sizeof *list->sums + 1);
    for (size_t i = 0; i < roll->pool_count; i++)
        list->sums[i] = (struct user_sum){ .user = roll->pools[i].user,
                                           .servers = servers_of(&roll->pools[i]) };
    qsort(list->sums, roll->pool_count, sizeof *list->sums, compare_sums);
    for (size_t i = 0; i < roll->pool_count; i++) {
        struct user_sum *last = list->sum_count == 0 ? NULL : &list->sums[list->sum_count - 1];

        if (last != NULL && strcmp(last->user, list->sums[i].user) == 0) {
            last->servers += list->sums[i].servers;
        } else {
            list->sums[list->sum_count++] = list->sums[i];
        }
    }
}

/* PgBouncer right-aligns these. */
static void
add_size(struct buf *rows, bool is_set, unsigned size)
{
    char text[16] = "";

    if (is_set)
        snprintf(text, sizeof text, "%9u", size);
    console_add_text(rows, text);
}

static void
add_user(struct user_list *list, const struct user_name *user, const struct user_sum *sum)
{
    static const struct overrides nothing;
    const struct overrides *own = user->own == NULL ? &nothing : user->own;

    console_add_text(list->rows, user->name);
    add_size(list->rows, own->is_set.pool_size, own->pool_size);
    add_size(list->rows, own->is_set.reserve_pool_size, own->reserve_pool_size);
    console_add_text(list->rows, own->is_set.pool_mode ? pool_mode_words[own->pool_mode] : NULL);
    add_count(list->rows, own->is_set.max_user_connections ? own->max_user_connections
                                                           : list->settings->max_user_connections);
    add_count(list->rows, sum == NULL ? 0 : sum->servers);
    add_count(list->rows, settings_user_client_limit(list->settings, user->name));
    add_count(list->rows, house_user_clients(list->house, user->name));
}

static struct user_sum *
sum_of(const struct user_list *list, const char *name)
{
    const struct user_sum key = { .user = name };

    return list->sum_count == 0
               ? NULL
               : bsearch(&key, list->sums, list->sum_count, sizeof *list->sums, compare_sums);
}

static void
note_user(void *arg, const char *name, const struct overrides *own)
{
    struct user_list *list = arg;
    struct user_sum *sum = sum_of(list, name);

    if (sum != NULL)
        sum->is_listed = true;
    list->has_console |= strcmp(name, CONSOLE_DATABASE) == 0;
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : 2 * list->room;
        list->names = mem_grow(list->names, list->room, sizeof *list->names);
    }
    list->names[list->count++] = (struct user_name){ .name = name, .own = own };
}

static int
compare_names(const void *a, const void *b)
{
    const struct user_name *one = a, *other = b;

    return strcmp(one->name, other->name);
}

/* Those of the configuration and those that pools have met beside them, by name. Returns how many. */
unsigned
list_users(struct job *j, const struct roll *roll, struct buf *rows)
{
    struct user_list list = { .settings = j->admin->config->settings,
                              .house = j->admin->house,
                              .rows = rows };

    sum_users(&list, roll);
    settings_each_user(list.settings, note_user, &list);
    for (size_t i = 0; i < list.sum_count; i++)
        if (!list.sums[i].is_listed)
            note_user(&list, list.sums[i].user, NULL);
    if (!list.has_console)
        note_user(&list, CONSOLE_DATABASE, NULL); /* who needs no password on the Unix socket */
    if (rows != NULL) {
        qsort(list.names, list.count, sizeof *list.names, compare_names);
        for (size_t i = 0; i < list.count; i++)
            add_user(&list, &list.names[i], sum_of(&list, list.names[i].name));
    }
    free(list.names);
    free(list.sums);
    return list.count;
}

static void
write_users(struct job *j, const struct roll *roll, struct buf *rows)
{
    (void)list_users(j, roll, rows);
}

/* clang-format off */
static const struct show rows_here[] = {
    { "USERS", SHAPE(user_columns), ROLL_POOLS, .write = write_users },
};
/* clang-format on */

const struct show_family show_users = SHOW_FAMILY(rows_here);
