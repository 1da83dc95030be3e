/*
 * derive.c - settings made from settings, and looks at them for the console.
 *
 * What SET makes has options of its own; databases, users and secrets belong to what was loaded, which it
 * holds.
 */
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "settings_impl.h"

static struct settings *
settings_copy(const struct settings *s)
{
    const struct settings *base = s->content->base != NULL ? s->content->base : s;
    struct settings_content *content = mem_new(sizeof(*content));
    struct settings *copy = mem_new(sizeof(*copy));

    /* All behind the two that say whose it is: nobody writes to that any more. */
    memcpy((char *)content + offsetof(struct settings_content, base),
           (const char *)base->content + offsetof(struct settings_content, base),
           sizeof(*content) - offsetof(struct settings_content, base));
    content->settings = copy;
    content->base = settings_hold(base);
    atomic_init(&content->holds, 1);
    *copy = *s;
    for (size_t i = 0; i < option_count; i++)
        if (options[i].type == OPT_TEXT) {
            char **text = option_slot(&options[i], copy);

            *text = mem_text(*text);
        }
    copy->content = content;
    return copy;
}

enum err
settings_with(const struct settings *s, const struct option *o, const char *value, struct settings **out,
              struct error *why)
{
    struct settings *copy;
    enum err e;

    if (o->when == OPT_RESTART)
        return error_set(why, ERR_CONFIG, "cannot be changed while pgweir runs");
    copy = settings_copy(s);
    e = option_parse(o, value, option_slot(o, copy), why);
    if (e == ERR_NONE)
        *out = copy;
    else
        settings_drop(copy);
    return e;
}

void
settings_show(const struct settings *s, const struct option *o, char *out, size_t size)
{
    option_show(o, option_slot_const(o, s), out, size);
}

void
settings_show_preset(const struct settings *s, const struct option *o, char *out, size_t size)
{
    bool is_pgbouncer = s->content->is_pgbouncer && o->preset_pgbouncer != NULL;
    struct settings *presets = mem_new(sizeof(*presets));

    if (option_parse(o, is_pgbouncer ? o->preset_pgbouncer : o->preset, option_slot(o, presets), NULL) ==
        ERR_NONE)
        option_show(o, option_slot(o, presets), out, size);
    if (o->type == OPT_TEXT)
        free(*(char **)option_slot(o, presets));
    free(presets);
}

const struct overrides *
settings_database_own(const struct settings *s, const char *name)
{
    const struct database *db = settings_database(s, name);

    return db == NULL ? NULL : &db->own;
}

void
settings_each_user(const struct settings *s,
                   void (*each)(void *arg, const char *name, const struct overrides *own), void *arg)
{
    const struct userlist *secrets = &s->content->secrets;

    for (struct map_node *node = map_next(&secrets->by_name, NULL); node != NULL;
         node = map_next(&secrets->by_name, node)) {
        const struct userlist_user *secret = CONTAINER_OF(node, struct userlist_user, in_users);
        const struct user *user = settings_user(s, secret->name);

        each(arg, secret->name, user == NULL ? NULL : &user->own);
    }
    for (size_t i = 0; i < s->content->user_count; i++) {
        const struct user *user = s->content->users[i];

        if (userlist_find(secrets, user->name) == NULL)
            each(arg, user->name, &user->own);
    }
}
