/* changes.c - what a reload changed, in the words of the file. No password is ever among them. */
#include <string.h>

#include "settings_impl.h"

#define SHOWN 200 /* of a value */

static void
tell_option(const struct option *o, const struct settings *before, const struct settings *after,
            struct buf *out)
{
    char old[SHOWN], new[SHOWN];
    const char *when = "";

    option_show(o, option_slot_const(o, before), old, sizeof(old));
    option_show(o, option_slot_const(o, after), new, sizeof(new));
    if (o->when == OPT_RESTART)
        when = " (needs a restart)";
    else if (o->when == OPT_NEW_SESSIONS)
        when = " (for new connections)";
    if (o->type == OPT_TEXT)
        buf_add_format(out, "%s: \"%s\" -> \"%s\"%s\n", o->name, old, new, when);
    else
        buf_add_format(out, "%s: %s -> %s%s\n", o->name, old, new, when);
}

static void
tell_options(const struct settings *before, const struct settings *after, struct buf *out)
{
    for (size_t i = 0; i < option_count; i++)
        if (!option_equal(&options[i], option_slot_const(&options[i], before),
                          option_slot_const(&options[i], after)))
            tell_option(&options[i], before, after, out);
}

/* Writes ", KEY" or ": changed KEY" behind what is there. */
static void
tell_key(struct buf *out, const char *what, const char *name, const char *key, bool *is_first)
{
    if (*is_first)
        buf_add_format(out, "%s %s: changed %s", what, name, key);
    else
        buf_add_format(out, ", %s", key);
    *is_first = false;
}

static bool
is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_same_override(const struct option *o, const struct overrides *a, const struct overrides *b)
{
    if (override_is_set(a, o) != override_is_set(b, o))
        return false;
    return !override_is_set(a, o) || option_equal(o, override_slot(a, o), override_slot(b, o));
}

static void
tell_overrides(const struct overrides *before, const struct overrides *after, const char *what,
               const char *name, bool *is_first, struct buf *out)
{
    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & (IN_DATABASE | IN_USER)) != 0 &&
            !is_same_override(&options[i], before, after))
            tell_key(out, what, name, option_name_inside(&options[i]), is_first);
}

static void
tell_database(const struct database *before, const struct database *after, struct buf *out)
{
    bool is_first = true;

    for (size_t i = 0; i < database_key_count; i++)
        if (!is_same_text(database_text(before, &database_keys[i]), database_text(after, &database_keys[i])))
            tell_key(out, "database", before->name, database_keys[i].name, &is_first);
    tell_overrides(&before->own, &after->own, "database", before->name, &is_first, out);
    if (!is_first)
        buf_add_text(out, "\n");
}

static void
tell_databases(const struct settings *before, const struct settings *after, struct buf *out)
{
    for (size_t i = 0; i < before->content->database_count; i++) {
        const struct database *db = before->content->databases[i];
        const struct database *now = settings_database(after, db->name);

        if (now == NULL)
            buf_add_format(out, "database %s: removed\n", db->name);
        else
            tell_database(db, now, out);
    }
    for (size_t i = 0; i < after->content->database_count; i++)
        if (settings_database(before, after->content->databases[i]->name) == NULL)
            buf_add_format(out, "database %s: added\n", after->content->databases[i]->name);
}

static void
tell_user(const struct user *before, const struct user *after, struct buf *out)
{
    bool is_first = true;

    tell_overrides(&before->own, &after->own, "user", before->name, &is_first, out);
    if (!is_first)
        buf_add_text(out, "\n");
}

static void
tell_users(const struct settings *before, const struct settings *after, struct buf *out)
{
    for (size_t i = 0; i < before->content->user_count; i++) {
        const struct user *user = before->content->users[i];
        const struct user *now = settings_user(after, user->name);

        if (now == NULL)
            buf_add_format(out, "user %s: removed\n", user->name);
        else
            tell_user(user, now, out);
    }
    for (size_t i = 0; i < after->content->user_count; i++)
        if (settings_user(before, after->content->users[i]->name) == NULL)
            buf_add_format(out, "user %s: added\n", after->content->users[i]->name);
}

static bool
is_same_peer(const struct peer *a, const struct peer *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->pool_size == b->pool_size;
}

static void
tell_peers(const struct settings *before, const struct settings *after, struct buf *out)
{
    const struct peer *peer, *other;

    for (unsigned i = 0; (peer = settings_peer_at(before, i)) != NULL; i++) {
        other = settings_peer(after, peer->id);
        if (other == NULL || !is_same_peer(peer, other))
            buf_add_format(out, "peer %u: %s\n", peer->id, other == NULL ? "removed" : "changed");
    }
    for (unsigned i = 0; (peer = settings_peer_at(after, i)) != NULL; i++)
        if (settings_peer(before, peer->id) == NULL)
            buf_add_format(out, "peer %u: added\n", peer->id);
}

/* Users of the auth file by the thousand: counted, not listed. */
static void
tell_secrets(const struct settings *before, const struct settings *after, struct buf *out)
{
    const struct userlist *old = &before->content->secrets, *new = &after->content->secrets;
    size_t removed = 0, changed = 0, kept = 0;

    for (struct map_node *node = map_next(&old->by_name, NULL); node != NULL;
         node = map_next(&old->by_name, node)) {
        const struct userlist_user *user = CONTAINER_OF(node, struct userlist_user, in_users);
        const struct userlist_user *now = userlist_find(new, user->name);

        removed += now == NULL;
        kept += now != NULL;
        changed += now != NULL && strcmp(now->secret, user->secret) != 0;
    }
    if (removed + changed + (new->by_name.count - kept) > 0)
        buf_add_format(out, "auth file: %zu users added, %zu removed, %zu with another secret\n",
                       new->by_name.count - kept, removed, changed);
}

void
settings_tell_changes(const struct settings *before, const struct settings *after, struct buf *out)
{
    tell_options(before, after, out);
    tell_databases(before, after, out);
    tell_users(before, after, out);
    tell_peers(before, after, out);
    tell_secrets(before, after, out);
}
