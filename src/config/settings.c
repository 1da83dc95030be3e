/*
 * settings.c - from files to an immutable struct settings.
 *
 *     presets -> ini -> main section, databases, users -> auth file -> settings_check() -> out, or all
 *     problems
 *
 *     The whole ini is read before any of it is understood, for a [pgbouncer] section anywhere decides the
 *     presets. A load goes on after a problem, with the preset or without the entry, so that one run tells
 *     everything that is wrong.
 */
#include "pgweir/config/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "settings_impl.h"

/* ---- life ---- */

static void
settings_preset(struct settings *s, const struct option *o)
{
    const char *preset = s->content->is_pgbouncer && o->preset_pgbouncer != NULL ? o->preset_pgbouncer
                                                                                 : o->preset;
    enum err e = option_parse(o, preset, option_slot(o, s), NULL);

    assert(e == ERR_NONE);
    (void)e;
}

static struct settings *
settings_new(bool is_pgbouncer)
{
    struct settings *s = mem_new(sizeof(*s));
    struct settings_content *content = mem_new(sizeof(*content));

    atomic_init(&content->holds, 1);
    content->settings = s;
    content->is_pgbouncer = is_pgbouncer;
    map_init(&content->databases_by_name);
    map_init(&content->users_by_name);
    userlist_init(&content->secrets);
    s->content = content;
    for (size_t i = 0; i < option_count; i++)
        settings_preset(s, &options[i]);
    return s;
}

static void
content_free(struct settings_content *content)
{
    if (content->base != NULL) {
        settings_drop(content->base);
        free(content);
        return;
    }
    map_fini(&content->databases_by_name);
    for (size_t i = 0; i < content->database_count; i++)
        database_free(content->databases[i]);
    free(content->databases);
    map_fini(&content->users_by_name);
    for (size_t i = 0; i < content->user_count; i++)
        user_free(content->users[i]);
    free(content->users);
    userlist_fini(&content->secrets);
    for (size_t i = 0; i < content->peer_count; i++)
        peer_free(content->peers[i]);
    free(content->peers);
    hba_free(content->hba);
    ident_free(content->ident);
    free(content);
}

static void
settings_free(struct settings *s)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].type == OPT_TEXT)
            free(*(char **)option_slot(&options[i], s));
    content_free(s->content);
    free(s);
}

const struct settings *
settings_hold(const struct settings *s)
{
    atomic_fetch_add_explicit(&s->content->holds, 1, memory_order_relaxed);
    return s;
}

void
settings_drop(const struct settings *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->content->holds, 1, memory_order_acq_rel) == 1)
        settings_free(s->content->settings);
}

bool
tls_files_equal(const struct tls_files *a, const struct tls_files *b)
{
    return a->sslmode == b->sslmode && strcmp(a->ca_file, b->ca_file) == 0 &&
           strcmp(a->cert_file, b->cert_file) == 0 && strcmp(a->key_file, b->key_file) == 0 &&
           strcmp(a->protocols, b->protocols) == 0 && strcmp(a->ciphers, b->ciphers) == 0 &&
           strcmp(a->ciphersuites, b->ciphersuites) == 0 && strcmp(a->ecdhcurve, b->ecdhcurve) == 0;
}

/* ---- looking things up ---- */

static bool
database_is(const struct map_node *node, const void *name)
{
    return strcmp(CONTAINER_OF_CONST(node, struct database, in_databases)->name, name) == 0;
}

static struct database *
content_database(const struct settings_content *content, const char *name)
{
    struct map_node *node = map_find(&content->databases_by_name, map_hash(slice_of_text(name)), database_is,
                                     name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct database, in_databases);
}

const struct database *
settings_database(const struct settings *s, const char *name)
{
    return content_database(s->content, name);
}

static bool
user_is(const struct map_node *node, const void *name)
{
    return strcmp(CONTAINER_OF_CONST(node, struct user, in_users)->name, name) == 0;
}

static struct user *
content_user(const struct settings_content *content, const char *name)
{
    struct map_node *node = map_find(&content->users_by_name, map_hash(slice_of_text(name)), user_is, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct user, in_users);
}

const struct user *
settings_user(const struct settings *s, const char *name)
{
    return content_user(s->content, name);
}

const char *
settings_auth_secret(const struct settings *s, const char *user)
{
    const struct userlist_user *found = userlist_find(&s->content->secrets, user);

    return found == NULL ? NULL : found->secret;
}

const char *
settings_auth_old_secret(const struct settings *s, const char *user)
{
    const struct userlist_user *found = userlist_find(&s->content->secrets, user);

    return found == NULL ? NULL : found->old_secret;
}

const struct hba *
settings_hba(const struct settings *s)
{
    return s->content->hba;
}

const struct ident *
settings_ident(const struct settings *s)
{
    return s->content->ident;
}

void
settings_each_auth_user(const struct settings *s,
                        bool (*each)(void *arg, const char *user, const char *secret), void *arg)
{
    const struct map *map = &s->content->secrets.by_name;

    for (struct map_node *node = map_next(map, NULL); node != NULL; node = map_next(map, node)) {
        const struct userlist_user *user = CONTAINER_OF(node, struct userlist_user, in_users);

        if (!each(arg, user->name, user->secret))
            return;
    }
}

static int
larger(int sslmode, const struct overrides *own)
{
    return own->is_set.client_tls_sslmode && own->client_tls_sslmode > sslmode ? own->client_tls_sslmode
                                                                               : sslmode;
}

int
settings_client_sslmode(const struct settings *s, const char *database, const char *user)
{
    const struct database *db = settings_database(s, database);
    const struct user *u = settings_user(s, user);
    int sslmode = s->client_tls.sslmode;

    if (db == NULL)
        db = settings_database(s, "*");
    if (db != NULL)
        sslmode = larger(sslmode, &db->own);
    return u != NULL ? larger(sslmode, &u->own) : sslmode;
}

bool
settings_wants_certificates(const struct settings *s)
{
    const struct settings_content *content = s->content;
    int most = SSL_DISABLE;

    for (size_t i = 0; i < content->database_count; i++)
        most = larger(most, &content->databases[i]->own);
    for (size_t i = 0; i < content->user_count; i++)
        most = larger(most, &content->users[i]->own);
    return most >= SSL_VERIFY_CA;
}

unsigned
settings_user_client_limit(const struct settings *s, const char *user)
{
    const struct user *entry = settings_user(s, user);

    return entry != NULL && entry->own.is_set.max_user_client_connections
               ? entry->own.max_user_client_connections
               : s->max_user_client_connections;
}

const struct peer *
settings_peer(const struct settings *s, unsigned id)
{
    const struct settings_content *content = s->content;

    for (size_t i = 0; i < content->peer_count; i++)
        if (content->peers[i]->id == id)
            return content->peers[i];
    return NULL;
}

const struct peer *
settings_peer_at(const struct settings *s, unsigned index)
{
    return index < s->content->peer_count ? s->content->peers[index] : NULL;
}

const char *
settings_database_name(const struct settings *s, unsigned index)
{
    return index < s->content->database_count ? s->content->databases[index]->name : NULL;
}

/* ---- loading ---- */

struct place
loading_place(const struct loading *l, size_t slot)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].slot == slot && l->set_at[i].file != NULL)
            return l->set_at[i];
    return (struct place){ l->file, 0 };
}

static void
load_option(struct loading *l, const struct ini_entry *entry, struct entry_reading *r)
{
    const struct option *o = option_find(entry->key);
    struct error why;

    if (o != NULL) {
        l->set_at[o - options] = entry->place;
        if (option_parse(o, entry->value, option_slot(o, l->settings), &why) != ERR_NONE)
            problem_add(&l->problems, entry->place, "%s: %s", o->name, why.text);
        tell_note(r, entry->place, o);
    } else {
        const char *nearest = problems_are_told(&l->problems) ? option_nearest(entry->key, IN_GLOBAL, NULL, 0)
                                                              : NULL;

        if (nearest != NULL)
            problem_add(&l->problems, entry->place, "unknown key `%.60s`, did you mean `%s`?", entry->key,
                        nearest);
        else
            problem_add(&l->problems, entry->place, "unknown key `%.60s`", entry->key);
    }
}

/* A name that comes again takes the place of the first, as in PgBouncer. */
static void
load_database(struct loading *l, struct ini_entry *entry, struct entry_reading *r)
{
    struct settings_content *content = l->settings->content;
    struct database *db = database_new(entry, r);
    struct database *twin = content_database(content, entry->key);

    if (db == NULL)
        return;
    if (twin != NULL) {
        size_t i = 0;

        while (content->databases[i] != twin)
            i++;
        content->databases[i] = db;
        map_remove(&content->databases_by_name, &twin->in_databases);
        database_free(twin);
    } else {
        content->databases = mem_grow(content->databases, content->database_count + 1,
                                      sizeof(struct database *));
        content->databases[content->database_count++] = db;
    }
    map_add(&content->databases_by_name, &db->in_databases, map_hash(slice_of_text(db->name)));
}

static void
load_user(struct loading *l, struct ini_entry *entry, struct entry_reading *r)
{
    struct settings_content *content = l->settings->content;
    struct user *user = user_new(entry, r);
    struct user *twin = content_user(content, entry->key);

    if (user == NULL)
        return;
    if (twin != NULL) {
        size_t i = 0;

        while (content->users[i] != twin)
            i++;
        content->users[i] = user;
        map_remove(&content->users_by_name, &twin->in_users);
        user_free(twin);
    } else {
        content->users = mem_grow(content->users, content->user_count + 1, sizeof(struct user *));
        content->users[content->user_count++] = user;
    }
    map_add(&content->users_by_name, &user->in_users, map_hash(slice_of_text(user->name)));
}

static void
load_peer(struct loading *l, struct ini_entry *entry, struct entry_reading *r)
{
    struct settings_content *content = l->settings->content;
    struct peer *peer = peer_new(entry, r);
    size_t at = 0;

    if (peer == NULL)
        return;
    while (at < content->peer_count && content->peers[at]->id < peer->id)
        at++;
    if (at < content->peer_count && content->peers[at]->id == peer->id) {
        peer_free(content->peers[at]);
    } else {
        content->peers = mem_grow(content->peers, content->peer_count + 1, sizeof(struct peer *));
        memmove(&content->peers[at + 1], &content->peers[at],
                (content->peer_count - at) * sizeof(struct peer *));
        content->peer_count++;
    }
    content->peers[at] = peer;
}

static void
load_entry(struct loading *l, struct ini_entry *entry, struct entry_reading *r)
{
    switch (entry->section) {
    case INI_PGWEIR:
    case INI_PGBOUNCER:
        load_option(l, entry, r);
        break;
    case INI_DATABASES:
        load_database(l, entry, r);
        break;
    case INI_USERS:
        load_user(l, entry, r);
        break;
    case INI_PEERS:
        load_peer(l, entry, r);
        break;
    case INI_NONE:
    case INI_UNKNOWN:
    case INI_SECTIONS:
        break; /* ini_read() leaves these out */
    }
}

/* A further [pgbouncer] header: as in PgBouncer, what stood before it is back at its default. */
static void
load_header(struct loading *l, const struct ini_header *header)
{
    size_t count = 0;

    for (size_t i = 0; i < option_count; i++) {
        if (options[i].is_sticky || l->set_at[i].file == NULL)
            continue;
        settings_preset(l->settings, &options[i]);
        l->set_at[i] = (struct place){ 0 };
        count++;
    }
    if (count > 0)
        problem_add(&l->warnings, header->place,
                    "[pgbouncer] begins anew here: what was set before it (%zu keys) is back at its default",
                    count);
}

static void
load_entries(struct loading *l)
{
    bool *is_told = mem_new(option_count * sizeof(bool));
    struct entry_reading r = { .problems = &l->problems, .warnings = &l->warnings, .is_told = is_told };
    size_t headers = 0;

    for (size_t i = 0; i <= l->ini.count; i++) {
        for (; headers < l->ini.pgbouncer_count && l->ini.pgbouncer[headers].at == i; headers++)
            if (headers > 0)
                load_header(l, &l->ini.pgbouncer[headers]);
        if (i == l->ini.count)
            break;
        load_entry(l, &l->ini.entries[i], &r);
    }
    free(is_told);
}

static void
load_secrets(struct loading *l)
{
    const char *file = l->settings->auth_file;
    struct place place = loading_place(l, offsetof(struct settings, auth_file));
    struct file_facts facts = { 0 };
    struct buf text;
    struct error why;

    if (*file == '\0')
        return;
    buf_init(&text);
    if (l->read(file, &text, &facts, &why) != ERR_NONE) {
        problem_add(&l->problems, place, "auth_file: %s", why.text);
        buf_wipe(&text);
        return;
    }
    if ((facts.mode & 0004) != 0)
        problem_add(&l->warnings, place, "auth_file `%.200s` can be read by everybody (mode %04o)", file,
                    (unsigned)facts.mode & 07777);
    userlist_read(&l->settings->content->secrets, file, &text, &l->problems, &l->warnings);
}

static void
load_rules(struct loading *l)
{
    struct settings *s = l->settings;

    if (s->auth_type == AUTH_TYPE_HBA && s->auth_hba_file[0] != '\0')
        s->content->hba = hba_read(s->auth_hba_file,
                                   loading_place(l, offsetof(struct settings, auth_hba_file)), l->read,
                                   &l->problems, &l->warnings);
    if (s->auth_ident_file[0] != '\0')
        s->content->ident = ident_read(s->auth_ident_file,
                                       loading_place(l, offsetof(struct settings, auth_ident_file)), l->read,
                                       &l->problems);
}

static void
load_all(struct loading *l)
{
    load_entries(l);
    load_secrets(l);
    load_rules(l);
    settings_check(l);
    problems_finish(&l->problems);
    problems_finish(&l->warnings);
}

enum err
settings_load_through(file_reader *read, const char *file, struct settings **out, struct buf *problems,
                      struct buf *warnings, struct error *why)
{
    struct loading l = { .file = file, .read = read };
    enum err e;

    problems_init(&l.problems, problems);
    problems_init(&l.warnings, warnings);
    e = ini_read(&l.ini, file, read, &l.problems, why);
    if (e != ERR_NONE) {
        if (problems != NULL && why != NULL)
            buf_add_format(problems, "%s\n", why->text);
        return e;
    }
    l.set_at = mem_new(option_count * sizeof(struct place));
    l.settings = settings_new(l.ini.has_section[INI_PGBOUNCER]);
    load_all(&l);
    if (l.problems.count == 0) {
        *out = l.settings;
    } else {
        settings_drop(l.settings);
        e = error_set(why, ERR_CONFIG, "%s", l.problems.first.text);
    }
    free(l.set_at);
    ini_fini(&l.ini);
    return e;
}

enum err
settings_load(const char *file, struct settings **out, struct buf *problems, struct buf *warnings,
              struct error *why)
{
    return settings_load_through(file_read, file, out, problems, warnings, why);
}
