/* names.c - see names_impl.h. */
#include "names_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "prepared_impl.h"

static struct slice
significant(const char *name)
{
    return slice_of(name, strnlen(name, NAME_SIGNIFICANT));
}

static bool
same_name(const struct map_node *node, const void *key)
{
    return strncmp(CONTAINER_OF_CONST(node, struct client_name, in_names)->name, key, NAME_SIGNIFICANT) == 0;
}

struct client_name *
name_find(const struct client *c, const char *name)
{
    struct client_names *names = c->names;
    struct map_node *node;

    if (names == NULL)
        return NULL;
    if (names->latest != NULL && same_name(&names->latest->in_names, name))
        return names->latest;
    node = map_find(&names->by_name, map_hash(significant(name)), same_name, name);
    if (node == NULL)
        return NULL;
    names->latest = CONTAINER_OF(node, struct client_name, in_names);
    return names->latest;
}

bool
has_names(const struct client *c)
{
    return c->names != NULL && c->names->by_name.count > 0;
}

static size_t
bytes_of(const char *name)
{
    return sizeof(struct client_name) + strlen(name) + 1;
}

struct client_name *
name_new(const char *name, struct statement *st, uint64_t epoch)
{
    size_t bytes = bytes_of(name);
    struct client_name *n = mem_new(bytes);

    n->statement = st;
    n->epoch = epoch;
    n->refs = 1;
    n->bytes = bytes;
    memcpy(n->name, name, strlen(name));
    return n;
}

struct client_name *
name_new_spelling(const char *name, struct client_name *n)
{
    struct client_name *spelling = name_new(name, statement_hold(n->statement), n->epoch);

    spelling->meant = name_hold(n);
    return spelling;
}

struct client_name *
name_new_unnamed(struct worker *w, struct statement *st, uint64_t epoch)
{
    struct client_name *n = w->spare_name;

    if (n == NULL) {
        n = name_new("", st, epoch);
    } else {
        size_t bytes = n->bytes;

        w->spare_name = NULL;
        *n = (struct client_name){ .statement = st, .epoch = epoch, .refs = 1, .bytes = bytes };
    }
    n->home = w;
    return n;
}

struct client_name *
name_hold(struct client_name *n)
{
    if (n != NULL)
        n->refs++;
    return n;
}

void
name_drop(struct client_name *n)
{
    if (n == NULL || --n->refs > 0)
        return;
    statement_drop(n->statement);
    name_drop(n->meant);
    name_drop(n->target);
    if (n->home != NULL && n->home->spare_name == NULL)
        n->home->spare_name = n;
    else
        free(n);
}

void
name_put(struct client *c, struct client_name *n)
{
    if (c->names == NULL) {
        c->names = mem_new(sizeof *c->names);
        map_init(&c->names->by_name);
    }
    map_add(&c->names->by_name, &n->in_names, map_hash(significant(n->name)));
    c->names->bytes += n->bytes;
}

void
name_take_out(struct client *c, struct client_name *n)
{
    map_remove(&c->names->by_name, &n->in_names);
    if (c->names->latest == n)
        c->names->latest = NULL;
    c->names->bytes -= n->bytes;
}

bool
name_is_in(const struct client *c, const struct client_name *n)
{
    return n->name[0] != '\0' && name_find(c, n->name) == n;
}

void
names_forget_before(struct client *c, uint64_t stamp)
{
    struct map kept;
    struct map_node *node;

    if (c->names == NULL)
        return;
    map_init(&kept);
    c->names->latest = NULL;
    while ((node = map_take_any(&c->names->by_name)) != NULL) {
        struct client_name *n = CONTAINER_OF(node, struct client_name, in_names);

        if (n->stamp < stamp) {
            c->names->bytes -= n->bytes;
            name_drop(n);
        } else {
            map_add(&kept, node, node->hash);
        }
    }
    map_fini(&c->names->by_name);
    c->names->by_name = kept;
}

bool
names_have_room(const struct client *c, const char *name)
{
    return c->names == NULL || (c->names->by_name.count < PREPARED_MOST_NAMES &&
                                c->names->bytes + bytes_of(name) <= PREPARED_MOST_NAME_BYTES);
}

/* --- spelling --- */

static bool
is_utf8_name(const char *encoding)
{
    char plain[16];
    size_t n = 0;

    for (const char *at = encoding; *at != '\0' && n + 1 < sizeof plain; at++)
        if (*at != '-' && *at != '_')
            plain[n++] = *at;
    plain[n] = '\0';
    return text_equal_nocase(plain, "utf8") || text_equal_nocase(plain, "unicode");
}

/* What the servers of its pool begin with. */
static bool
is_utf8_greeting(const struct client *c)
{
    struct welcome *w = pool_welcome(shard_pool(c->shard));
    struct slice rest = w == NULL ? slice_of(NULL, 0) : slice_of(w->bytes, w->len);
    bool is_utf8 = false;

    while (rest.len > SCAN_HEADER) {
        size_t len = 1 + (size_t)get_be32(rest.at + 1);
        struct startup_pair pair;

        if (back_parameter_read(slice_of(rest.at, len), &pair) == PARSE_DONE &&
            strcmp(pair.name, "client_encoding") == 0)
            is_utf8 = is_utf8_name(pair.value);
        rest = slice_skip(rest, len);
    }
    welcome_drop(w);
    return is_utf8;
}

static bool
has_utf8(const struct client *c)
{
    const char *chosen = snapshot_value(c->settings, "client_encoding");

    return chosen != NULL ? is_utf8_name(chosen) : is_utf8_greeting(c);
}

static size_t
utf8_length(uint8_t first)
{
    return (first & 0xe0) == 0xc0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : (first & 0xf8) == 0xf0 ? 4 : 1;
}

/* LEN bytes that should be one character. */
static bool
is_utf8_character(const uint8_t *at, size_t len)
{
    uint32_t code = at[0];

    if (len == 1)
        return at[0] < 0x80;
    code &= 0xffu >> (len + 1);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) /* the NUL at the end too */
            return false;
        code = code << 6 | (at[i] & 0x3f);
    }
    return code >= (len == 2   ? 0x80u
                    : len == 3 ? 0x800u
                               : 0x10000u) &&
           code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* The first byte of NAME that does not begin a character of UTF-8; NULL: all is well. */
static const uint8_t *
utf8_fault(const char *name)
{
    const uint8_t *at = (const uint8_t *)name;

    while (*at != '\0') {
        size_t len = utf8_length(*at);

        if (!is_utf8_character(at, len))
            return at;
        at += len;
    }
    return NULL;
}

bool
name_is_misspelt(const struct client *c, const char *name, struct pg_error *why)
{
    const uint8_t *fault = utf8_fault(name);
    char told[32] = "";
    size_t len;

    if (fault == NULL || !has_utf8(c))
        return false;
    len = strnlen((const char *)fault, utf8_length(*fault));
    for (size_t i = 0; i < len; i++)
        snprintf(told + 5 * i, sizeof told - 5 * i, " 0x%02x", fault[i]);
    pg_error_set(why, PG_ERROR, "22021", "invalid byte sequence for encoding \"UTF8\":%s", told);
    return true;
}

void
client_names_free(struct client_names *names)
{
    struct map_node *node;

    if (names == NULL)
        return;
    while ((node = map_take_any(&names->by_name)) != NULL)
        name_drop(CONTAINER_OF(node, struct client_name, in_names));
    map_fini(&names->by_name);
    free(names);
}
