/*
 * entry.c - what stands behind `name =` in [databases], [users] and [peers].
 *
 *     A key there is a row of the option table with that scope (it goes to struct overrides), or a row of
 *     database_keys (a text). An entry with anything wrong in it is not used, but read to its end, so that
 *     all complaints come at once.
 */
#include "entry_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connstr_impl.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"

#define KEY(field) .name = #field, .slot = offsetof(struct database, field)

const struct database_key database_keys[] = {
    { KEY(dbname),
      .text = "Name of the database on the server. Not given: the name that the client asks for." },
    { KEY(host),
      .text =
          "Host name, address, directory of a Unix socket or `@` and an abstract name; or a comma-separated list, "
          "of which the first that can be reached is used. Not given: `unix_socket_dir`." },
    { KEY(port), .text = "Port, 5432 if not given; or as many as there are hosts, with commas." },
    { KEY(user),
      .text =
          "Log in to the server as this role whoever the client is: one pool for all. Its password is `password`, "
          "or comes from the auth file." },
    { KEY(password), .is_secret = true,
      .text = "Password for the server. Not given: the client's own credentials, "
              "or with `user` those in the auth file." },
    { KEY(connect_query),
      .text = "Query to run on every new server connection before it is used. Quote it." },
    { KEY(client_encoding), .is_startup = true,
      .text = "client_encoding that server connections start with." },
    { KEY(datestyle), .is_startup = true, .text = "DateStyle that server connections start with." },
    { KEY(timezone), .is_startup = true, .text = "TimeZone that server connections start with." },
    { KEY(application_name), .is_startup = true,
      .text = "application_name that server connections start with." },
};

const size_t database_key_count = COUNT_OF(database_keys);

static const char *const reserved_names[] = { "pgbouncer", "pgweir" };

static char **
database_slot(struct database *db, const struct database_key *key)
{
    return (char **)(void *)((char *)db + key->slot);
}

const char *
database_text(const struct database *db, const struct database_key *key)
{
    return *(char *const *)(const void *)((const char *)db + key->slot);
}

bool
override_is_set(const struct overrides *own, const struct option *o)
{
    return *(const bool *)((const char *)own + o->mark_inside);
}

const void *
override_slot(const struct overrides *own, const struct option *o)
{
    return (const char *)own + o->slot_inside;
}

void
tell_note(struct entry_reading *r, struct place place, const struct option *o)
{
    bool *is_told = &r->is_told[o - options];

    if (!*is_told && option_note(o) != NULL)
        problem_add(r->warnings, place, "`%s` %s", o->name, option_note(o));
    *is_told = true;
}

/* Frees the texts in OWN. */
static void
overrides_fini(struct overrides *own)
{
    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & (IN_DATABASE | IN_USER)) != 0 && options[i].type == OPT_TEXT)
            free(*(char **)(void *)((char *)own + options[i].slot_inside));
}

/* ---- what [databases] and [users] have in common ---- */

/* An entry on its way; WHAT and its key begin every complaint about it. */
struct entry {
    struct ini_entry *ini;
    struct entry_reading *reading;
    const char *what;        /* "database", "user", "peer" */
    enum option_scope scope; /* 0: no option may stand here */
    bool is_bad;
};

static void entry_complain(struct entry *e, const char *format, ...) PRINTF_LIKE(2, 3);

static void
entry_complain(struct entry *e, const char *format, ...)
{
    char what[640];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    e->is_bad = true;
    problem_add(e->reading->problems, e->ini->place, "%s `%.63s`: %s", e->what, e->ini->key, what);
}

static void
entry_set_option(struct entry *e, struct overrides *own, const struct option *o, const char *value)
{
    void *slot = (char *)own + o->slot_inside;
    bool *is_set = (bool *)((char *)own + o->mark_inside);
    struct error why;

    if (option_parse(o, value, slot, &why) != ERR_NONE) {
        entry_complain(e, "%s: %s", option_name_inside(o), why.text);
        return;
    }
    *is_set = true;
    if (o->zero_inside_inherits) {
        char shown[32];

        option_show(o, slot, shown, sizeof(shown));
        *is_set = strcmp(shown, "0") != 0;
    }
}

/* Handles a key that is an option; false when it is none. */
static bool
entry_take_option(struct entry *e, struct overrides *own, const struct connstr_pair *pair)
{
    const struct option *o = option_find_inside(pair->key, e->scope);

    if (o == NULL)
        return false;
    entry_set_option(e, own, o, pair->value);
    tell_note(e->reading, e->ini->place, o);
    return true;
}

/* NAMES (COUNT of them) are the keys that are good here beside the options. */
static void
entry_complain_unknown(struct entry *e, const char *key, const char *const *names, size_t count)
{
    const char *nearest = NULL;

    if (problems_are_told(e->reading->problems))
        nearest = option_nearest(key, e->scope, names, count);
    if (nearest != NULL)
        entry_complain(e, "unknown key `%.60s`, did you mean `%s`?", key, nearest);
    else
        entry_complain(e, "unknown key `%.60s`", key);
}

static void
entry_check_name(struct entry *e)
{
    if (strlen(e->ini->key) > NAME_BYTES_MOST)
        entry_complain(e, "the name is longer than %d bytes", NAME_BYTES_MOST);
}

/* The next pair of the entry; false at its end, which a syntax error is too. */
static bool
entry_next(struct entry *e, char **at, struct connstr_pair *pair)
{
    struct error why;
    enum connstr_step step = connstr_next(at, pair, &why);

    if (step == CONNSTR_BAD)
        entry_complain(e, "%s", why.text);
    return step == CONNSTR_PAIR;
}

/* ---- [databases] ---- */

void
database_free(struct database *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < database_key_count; i++)
        mem_free_secret(*database_slot(db, &database_keys[i]));
    for (unsigned i = 0; i < db->host_count; i++)
        free(db->hosts[i].host);
    free(db->hosts);
    overrides_fini(&db->own);
    free(db->name);
    free(db->file);
    free(db);
}

static const struct database_key *
database_key_find(const char *name)
{
    for (size_t i = 0; i < database_key_count; i++)
        if (strcmp(database_keys[i].name, name) == 0)
            return &database_keys[i];
    return NULL;
}

static void
database_complain_unknown(struct entry *e, const char *key)
{
    const char *names[COUNT_OF(database_keys)];

    for (size_t i = 0; i < database_key_count; i++)
        names[i] = database_keys[i].name;
    entry_complain_unknown(e, key, names, database_key_count);
}

static void
database_take(struct entry *e, struct database *db, const struct connstr_pair *pair)
{
    const struct database_key *key = database_key_find(pair->key);
    char **slot;

    if (key == NULL) {
        if (!entry_take_option(e, &db->own, pair))
            database_complain_unknown(e, pair->key);
        return;
    }
    slot = database_slot(db, key);
    mem_free_secret(*slot);
    *slot = mem_text(pair->value);
}

/* Cuts the next item off a comma-separated list, blanks at its ends too; NULL behind the last. */
static char *
list_next(char **at)
{
    char *item = *at;

    if (item == NULL)
        return NULL;
    *at = strchr(item, ',');
    if (*at != NULL)
        *(*at)++ = '\0';
    return text_trim(item);
}

static void
database_add_host(struct database *db, const char *host)
{
    db->hosts = mem_grow(db->hosts, db->host_count + 1, sizeof(*db->hosts));
    db->hosts[db->host_count++] = (struct route_host){ .host = mem_text(host), .port = PORT_PRESET };
}

static void
database_split_hosts(struct entry *e, struct database *db)
{
    char *copy = mem_text(db->host);
    char *at = copy;
    char *host;

    if (db->host == NULL)
        database_add_host(db, NULL);
    while ((host = list_next(&at)) != NULL) {
        if (*host == '\0')
            entry_complain(e, "host: an empty name in the list");
        else
            database_add_host(db, host);
    }
    free(copy);
}

static void
database_split_ports(struct entry *e, struct database *db)
{
    static const struct option port_row = {
        .name = "port", .type = OPT_COUNT, .least = "1", .most = "65535"
    };
    char *copy = mem_text(db->port);
    char *at = copy;
    unsigned count = 0, number = PORT_PRESET;
    char *port;

    while ((port = list_next(&at)) != NULL) {
        struct error why;

        if (option_parse(&port_row, port, &number, &why) != ERR_NONE)
            entry_complain(e, "port: %s", why.text);
        else if (count < db->host_count)
            db->hosts[count].port = number;
        count++;
    }
    free(copy);
    if (count > 1 && count != db->host_count && !e->is_bad)
        entry_complain(e, "port: %u ports for %u host%s (give one, or one for each host)", count,
                       db->host_count, db->host_count == 1 ? "" : "s");
    for (unsigned i = 1; count == 1 && i < db->host_count; i++)
        db->hosts[i].port = number;
}

static void
database_check_name(struct entry *e)
{
    for (size_t i = 0; i < COUNT_OF(reserved_names); i++)
        if (strcmp(e->ini->key, reserved_names[i]) == 0)
            entry_complain(e, "the name is reserved for the console");
    entry_check_name(e);
}

static bool
is_uri(const char *text)
{
    return strncmp(text, "postgres://", strlen("postgres://")) == 0 ||
           strncmp(text, "postgresql://", strlen("postgresql://")) == 0;
}

static void
database_read_pairs(struct entry *e, struct database *db)
{
    struct connstr_pair pair;
    char *at = e->ini->value;

    if (is_uri(at)) {
        entry_complain(e, "a URI is not understood here (write host=... port=... dbname=... user=...)");
        return;
    }
    while (entry_next(e, &at, &pair))
        database_take(e, db, &pair);
    database_split_hosts(e, db);
    database_split_ports(e, db);
    if (db->user != NULL && strlen(db->user) > NAME_BYTES_MOST)
        entry_complain(e, "user: the name is longer than %d bytes", NAME_BYTES_MOST);
    if (db->dbname != NULL && strlen(db->dbname) > NAME_BYTES_MOST)
        entry_complain(e, "dbname: the name is longer than %d bytes", NAME_BYTES_MOST);
}

struct database *
database_new(struct ini_entry *entry, struct entry_reading *r)
{
    struct entry e = { .ini = entry, .reading = r, .what = "database", .scope = IN_DATABASE };
    struct database *db = mem_new(sizeof(*db));

    db->name = mem_text(entry->key);
    db->file = mem_text(entry->place.file);
    db->line = entry->place.line;
    database_check_name(&e);
    database_read_pairs(&e, db);
    if (!e.is_bad)
        return db;
    database_free(db);
    return NULL;
}

/* ---- [users] ---- */

void
user_free(struct user *user)
{
    if (user == NULL)
        return;
    overrides_fini(&user->own);
    free(user->name);
    free(user);
}

struct user *
user_new(struct ini_entry *entry, struct entry_reading *r)
{
    struct entry e = { .ini = entry, .reading = r, .what = "user", .scope = IN_USER };
    struct user *user = mem_new(sizeof(*user));
    struct connstr_pair pair;
    char *at = entry->value;

    user->name = mem_text(entry->key);
    entry_check_name(&e);
    while (entry_next(&e, &at, &pair))
        if (!entry_take_option(&e, &user->own, &pair))
            entry_complain_unknown(&e, pair.key, NULL, 0);
    if (!e.is_bad)
        return user;
    user_free(user);
    return NULL;
}

/* ---- [peers] ---- */

void
peer_free(struct peer *peer)
{
    if (peer == NULL)
        return;
    free(peer->host);
    free(peer);
}

static void
peer_take(struct entry *e, struct peer *peer, const struct connstr_pair *pair)
{
    static const char *const names[] = { "host", "port", "pool_size" };
    static const struct option rows[] = {
        { .name = "port", .type = OPT_COUNT, .least = "1", .most = "65535" },
        { .name = "pool_size", .type = OPT_COUNT },
    };
    unsigned *const slots[] = { &peer->port, &peer->pool_size };
    struct error why;

    if (strcmp(pair->key, "host") == 0) {
        free(peer->host);
        peer->host = mem_text(pair->value);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(pair->key, rows[i].name) != 0)
            continue;
        if (option_parse(&rows[i], pair->value, slots[i], &why) != ERR_NONE)
            entry_complain(e, "%s: %s", rows[i].name, why.text);
        return;
    }
    entry_complain_unknown(e, pair->key, names, COUNT_OF(names));
}

struct peer *
peer_new(struct ini_entry *entry, struct entry_reading *r)
{
    static const struct option id_row = { .name = "id", .type = OPT_COUNT, .least = "1", .most = "16383" };
    struct entry e = { .ini = entry, .reading = r, .what = "peer" };
    struct peer *peer = mem_new(sizeof(*peer));
    struct connstr_pair pair;
    char *at = entry->value;
    struct error why;

    peer->port = PEER_PORT_PRESET;
    if (option_parse(&id_row, entry->key, &peer->id, &why) != ERR_NONE)
        entry_complain(&e, "a peer's name is its number: %s", why.text);
    while (entry_next(&e, &at, &pair))
        peer_take(&e, peer, &pair);
    if (peer->host == NULL && !e.is_bad)
        entry_complain(&e, "`host` is missing");
    if (!e.is_bad)
        return peer;
    peer_free(peer);
    return NULL;
}
