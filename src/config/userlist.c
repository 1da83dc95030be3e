/*
 * userlist.c - names and secrets of the auth file.
 *
 *     A file may have a hundred thousand lines, so it is read once and taken apart where it lies: names and
 *     secrets are pointers into the text, the users are one array, and a hash map finds them.
 */
#include "userlist_impl.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/wire/secret.h"

void
userlist_init(struct userlist *list)
{
    *list = (struct userlist){ 0 };
    buf_init(&list->text);
    map_init(&list->by_name);
}

void
userlist_fini(struct userlist *list)
{
    map_fini(&list->by_name);
    free(list->users);
    buf_wipe(&list->text);
}

static bool
user_is(const struct map_node *node, const void *name)
{
    return strcmp(CONTAINER_OF_CONST(node, struct userlist_user, in_users)->name, name) == 0;
}

static struct userlist_user *
user_find(const struct userlist *list, const char *name, uint64_t hash)
{
    struct map_node *node = map_find(&list->by_name, hash, user_is, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct userlist_user, in_users);
}

const struct userlist_user *
userlist_find(const struct userlist *list, const char *name)
{
    return user_find(list, name, map_hash(slice_of_text(name)));
}

static char *
skip_blanks(char *at)
{
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    return at;
}

/* Undoes the quotes at *AT in place and moves *AT behind them; NULL when there are none or they are not
 * closed. */
static const char *
quoted_read(char **at)
{
    char *text = *at + 1, *to = text, *from = text;

    if (**at != '"')
        return NULL;
    for (; *from != '\0'; from++) {
        if (*from == '"' && *++from != '"') {
            *at = from;
            *to = '\0';
            return text;
        }
        *to++ = *from;
    }
    return NULL;
}

/* A secret that was meant as a verifier and is none would silently become a password. */
static void
secret_check(const char *name, const char *secret, struct place place, struct problems *warnings)
{
    if (strncmp(secret, "SCRAM-SHA-256$", strlen("SCRAM-SHA-256$")) == 0 &&
        secret_kind_of(secret) == SECRET_PLAIN)
        problem_add(
            warnings, place,
            "the secret of \"%.63s\" begins like a SCRAM verifier but is none; it is taken for a plain password",
            name);
}

/* What may stand behind the secret. Other words than `old` are PgBouncer's to ignore, and ours. */
static const char *
old_secret_read(char *at, struct userlist_user *user)
{
    if (strncmp(at, "old", 3) != 0 || (at[3] != ' ' && at[3] != '\t' && at[3] != '"'))
        return NULL;
    at = skip_blanks(at + 3);
    user->old_secret = quoted_read(&at);
    if (user->old_secret == NULL)
        return "expected a quoted secret behind `old`";
    if (user->old_secret[0] == '\0')
        user->old_secret = NULL;
    return NULL;
}

/* What is wrong with LINE, or NULL when it became USER; empty lines and comments leave user->name NULL. */
static const char *
line_read(char *line, struct userlist_user *user)
{
    char *at = skip_blanks(line);

    if (*at == '\0' || *at == ';')
        return NULL;
    if (*at != '"')
        return "expected `\"user\" \"secret\"`";
    user->name = quoted_read(&at);
    if (user->name == NULL)
        return "the quote round the user name is not closed";
    at = skip_blanks(at);
    if (*at != '"')
        return "expected a quoted secret behind the user name (\"\" for none)";
    user->secret = quoted_read(&at);
    if (user->secret == NULL)
        return "the quote round the secret is not closed";
    if (user->name[0] == '\0')
        return "an empty user name";
    return old_secret_read(skip_blanks(at), user);
}

static void
userlist_add(struct userlist *list, const struct userlist_user *user, size_t *count)
{
    uint64_t hash = map_hash(slice_of_text(user->name));
    struct userlist_user *twin = user_find(list, user->name, hash);

    if (twin != NULL) {
        twin->secret = user->secret;
        twin->old_secret = user->old_secret;
        return;
    }
    list->users[*count] = *user;
    map_add(&list->by_name, &list->users[*count].in_users, hash);
    (*count)++;
}

static size_t
line_count(struct slice text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

void
userlist_read(struct userlist *list, const char *file, struct buf *text, struct problems *problems,
              struct problems *warnings)
{
    struct place place = { .file = file };
    size_t count = 0;
    char *line, *end, *text_end;

    list->users = mem_grow(NULL, line_count(buf_slice(text)), sizeof(*list->users));
    buf_add_u8(text, '\0');
    list->text = *text;
    buf_init(text);
    line = (char *)list->text.at + list->text.start;
    text_end = (char *)list->text.at + list->text.end - 1;
    if (text_end - line >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3;
    for (; line < text_end; line = end + 1) {
        struct userlist_user user = { 0 };
        const char *wrong;

        place.line++;
        end = memchr(line, '\n', (size_t)(text_end - line));
        if (end == NULL)
            end = text_end;
        *end = '\0';
        wrong = strlen(line) == (size_t)(end - line) ? line_read(line, &user)
                                                     : "the line has a NUL byte in it";
        if (wrong != NULL) {
            problem_add(problems, place, "%s", wrong);
        } else if (user.name != NULL) {
            secret_check(user.name, user.secret, place, warnings);
            userlist_add(list, &user, &count);
        }
    }
}
