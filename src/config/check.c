/* check.c - what only shows when settings are held side by side, or against the file system. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/base/attr.h"
#include "settings_impl.h"

#define SLOT(field) offsetof(struct settings, field)

/* ".s.PGSQL.65535" and its slash, behind the directory. */
#define SOCKET_NAME_BYTES sizeof("/.s.PGSQL.65535")

static void
check_sections(struct loading *l)
{
    struct place whole = { l->file, 0 };

    if (!l->ini.has_section[INI_PGWEIR] && !l->ini.has_section[INI_PGBOUNCER])
        problem_add(&l->problems, whole, "there is neither a [pgweir] nor a [pgbouncer] section");
    for (size_t i = 0; i < l->ini.count; i++)
        if (l->ini.entries[i].section == INI_DATABASES)
            return; /* one that is wrong was complained about */
    /* PgBouncer starts without one, and so does the file that its package installs. */
    problem_add(l->ini.has_section[INI_PGBOUNCER] ? &l->warnings : &l->problems, whole,
                "[databases] is empty, so there is nothing to connect to (`* = host=... port=...` passes on "
                "every name)");
}

static void
check_listen_addr(struct loading *l)
{
    const char *at = l->settings->listen_addr;

    if (*at == '\0')
        return;
    for (;;) {
        size_t len = strcspn(at, ",");

        if (strspn(at, " \t") >= len) {
            problem_add(&l->problems, loading_place(l, SLOT(listen_addr)),
                        "listen_addr: an empty address in the list");
            return;
        }
        if (at[len] == '\0')
            return;
        at += len + 1;
    }
}

static void
check_unix_socket(struct loading *l)
{
    const char *dir = l->settings->unix_socket_dir;
    struct place place = loading_place(l, SLOT(unix_socket_dir));
    struct stat st;

    if (*dir == '\0') {
        if (l->settings->listen_addr[0] == '\0')
            problem_add(&l->problems, place,
                        "nothing to listen on: listen_addr and unix_socket_dir are both empty");
        return;
    }
    if (strlen(dir) + SOCKET_NAME_BYTES > sizeof(((struct sockaddr_un *)0)->sun_path))
        problem_add(&l->problems, place, "unix_socket_dir: the name is too long for a Unix socket");
    else if (*dir == '@')
        return;
    else if (stat(dir, &st) != 0)
        problem_add(&l->problems, place, "unix_socket_dir: `%.120s`: %s", dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        problem_add(&l->problems, place, "unix_socket_dir: `%.120s` is not a directory", dir);
}

/* Whether users may be known by other means than the auth file. */
static bool
has_auth_query(const struct settings *s)
{
    if (s->auth_user[0] != '\0')
        return true;
    for (size_t i = 0; i < s->content->database_count; i++)
        if (s->content->databases[i]->own.is_set.auth_user)
            return true;
    return false;
}

static void
check_auth_dbname(struct loading *l, const char *name, struct place place)
{
    if (strcmp(name, "pgbouncer") == 0 || strcmp(name, "pgweir") == 0)
        problem_add(&l->problems, place, "cannot use the reserved \"%s\" database as an auth_dbname", name);
    else if (name[0] != '\0' && settings_database(l->settings, name) == NULL &&
             settings_database(l->settings, "*") == NULL)
        problem_add(
            &l->warnings, place,
            "auth_dbname: authentication database \"%.63s\" is not configured, so auth_query will fail",
            name);
}

static void
check_auth_query(struct loading *l)
{
    const struct settings *s = l->settings;

    if (!has_auth_query(s))
        return;
    check_auth_dbname(l, s->auth_dbname, loading_place(l, SLOT(auth_dbname)));
    for (size_t i = 0; i < s->content->database_count; i++) {
        const struct database *db = s->content->databases[i];

        if (db->own.is_set.auth_dbname)
            check_auth_dbname(l, db->own.auth_dbname, (struct place){ db->file, db->line });
    }
}

/* Rules that the rest of the settings makes pointless, or that ask for what is not there. */
static void
check_hba(struct loading *l)
{
    const struct settings *s = l->settings;
    const struct hba_rule *rule;

    if (s->auth_hba_file[0] == '\0') {
        problem_add(&l->problems, loading_place(l, SLOT(auth_type)), "auth_type hba needs auth_hba_file");
        return;
    }
    for (size_t i = 0; (rule = hba_rule_at(s->content->hba, i)) != NULL; i++) {
        struct place place = { rule->file, rule->line };

        if (rule->wants_certificate && s->client_tls.sslmode == SSL_DISABLE)
            problem_add(&l->warnings, place, "client_tls_sslmode is disable, so this rule never fits");
        else if (rule->wants_certificate && s->client_tls.ca_file[0] == '\0')
            problem_add(&l->problems, place,
                        "a rule that wants client certificates needs client_tls_ca_file");
        if (rule->map != NULL && !ident_has_map(s->content->ident, rule->map))
            problem_add(&l->warnings, place, "there is no map `%.60s` in auth_ident_file, so nobody can pass",
                        rule->map);
    }
}

static void
check_auth(struct loading *l)
{
    const struct settings *s = l->settings;
    struct place place = loading_place(l, SLOT(auth_type));

    check_auth_query(l);
    switch ((enum auth_type)s->auth_type) {
    case AUTH_TYPE_ANY:
    case AUTH_TYPE_TRUST:
    case AUTH_TYPE_PEER:
    case AUTH_TYPE_PAM:
        break;
    case AUTH_TYPE_PLAIN:
    case AUTH_TYPE_MD5:
    case AUTH_TYPE_SCRAM:
        if (s->auth_file[0] == '\0' && !has_auth_query(s))
            problem_add(
                &l->problems, place,
                "auth_file is missing: auth_type %s needs to know users and their secrets (or auth_user, "
                "to ask for them with auth_query)",
                option_find("auth_type")->choices[s->auth_type]);
        break;
    case AUTH_TYPE_CERT:
        if (s->client_tls.sslmode < SSL_VERIFY_CA)
            problem_add(&l->problems, place,
                        "auth_type cert needs client_tls_sslmode = verify-full and client_tls_ca_file");
        break;
    case AUTH_TYPE_HBA:
        check_hba(l);
        break;
    case AUTH_TYPE_LDAP:
        problem_add(&l->problems, place, "auth_type %s is not built in",
                    option_find("auth_type")->choices[s->auth_type]);
        break;
    }
}

/* ---- TLS ---- */

/* One side's TLS options, with the names that its complaints use. */
struct tls_side {
    const char *name; /* "client_tls" */
    const struct tls_files *files;
    size_t sslmode, ca_file, cert_file, key_file; /* slots */
};

/* False when there is no such file that we could read. */
static void
check_file(struct loading *l, const struct tls_side *side, const char *what, const char *file, size_t slot)
{
    struct stat st;
    struct place place = loading_place(l, slot);

    if (*file == '\0')
        return;
    if (access(file, R_OK) != 0 || stat(file, &st) != 0)
        problem_add(&l->problems, place, "%s_%s: cannot read `%.200s`: %s", side->name, what, file,
                    strerror(errno));
    else if (S_ISDIR(st.st_mode))
        problem_add(&l->problems, place, "%s_%s: `%.200s` is a directory", side->name, what, file);
    else if (slot == side->key_file && (st.st_mode & 0004) != 0)
        problem_add(&l->warnings, place, "%s_%s: `%.200s` can be read by everybody (mode %04o)", side->name,
                    what, file, (unsigned)st.st_mode & 07777);
}

static void
check_tls_side(struct loading *l, const struct tls_side *side)
{
    const struct tls_files *files = side->files;
    const char *mode = option_find("server_tls_sslmode")->choices[files->sslmode];

    check_file(l, side, "ca_file", files->ca_file, side->ca_file);
    check_file(l, side, "cert_file", files->cert_file, side->cert_file);
    check_file(l, side, "key_file", files->key_file, side->key_file);
    if (files->cert_file[0] != '\0' && files->key_file[0] == '\0')
        problem_add(&l->problems, loading_place(l, side->cert_file),
                    "%s_cert_file is given without %s_key_file", side->name, side->name);
    if (files->key_file[0] != '\0' && files->cert_file[0] == '\0')
        problem_add(&l->problems, loading_place(l, side->key_file),
                    "%s_key_file is given without %s_cert_file", side->name, side->name);
    if (files->sslmode >= SSL_VERIFY_CA && files->ca_file[0] == '\0')
        problem_add(&l->problems, loading_place(l, side->sslmode),
                    "%s_ca_file is missing: %s_sslmode %s checks against it", side->name, side->name, mode);
}

static void
check_tls(struct loading *l)
{
    const struct tls_side client = { "client_tls",
                                     &l->settings->client_tls,
                                     SLOT(client_tls.sslmode),
                                     SLOT(client_tls.ca_file),
                                     SLOT(client_tls.cert_file),
                                     SLOT(client_tls.key_file) };
    const struct tls_side server = { "server_tls",
                                     &l->settings->server_tls,
                                     SLOT(server_tls.sslmode),
                                     SLOT(server_tls.ca_file),
                                     SLOT(server_tls.cert_file),
                                     SLOT(server_tls.key_file) };

    check_tls_side(l, &client);
    check_tls_side(l, &server);
    if (client.files->sslmode != SSL_DISABLE && client.files->cert_file[0] == '\0' &&
        client.files->key_file[0] == '\0')
        problem_add(&l->problems, loading_place(l, client.sslmode),
                    "client_tls_sslmode %s needs client_tls_cert_file and client_tls_key_file",
                    option_find("client_tls_sslmode")->choices[client.files->sslmode]);
}

/* ---- pools and databases ---- */

static unsigned
pool_size_of(const struct settings *s, const struct database *db)
{
    return db->own.is_set.pool_size ? db->own.pool_size : s->default_pool_size;
}

static unsigned
min_pool_size_of(const struct settings *s, const struct database *db)
{
    return db->own.is_set.min_pool_size ? db->own.min_pool_size : s->min_pool_size;
}

/* What OWN, of WHAT NAME, asks of clients must be possible. */
static void
check_client_tls(struct loading *l, struct place place, const char *what, const char *name,
                 const struct overrides *own)
{
    const struct tls_files *tls = &l->settings->client_tls;
    const char *mode = option_find("client_tls_sslmode")->choices[own->client_tls_sslmode];

    if (!own->is_set.client_tls_sslmode)
        return;
    if (own->client_tls_sslmode >= SSL_REQUIRE && tls->sslmode == SSL_DISABLE)
        problem_add(&l->problems, place,
                    "%s `%s`: client_tls_sslmode %s cannot be met: it is `disable` in the main section", what,
                    name, mode);
    else if (own->client_tls_sslmode >= SSL_VERIFY_CA && tls->ca_file[0] == '\0')
        problem_add(&l->problems, place,
                    "%s `%s`: client_tls_ca_file is missing: client_tls_sslmode %s checks "
                    "against it",
                    what, name, mode);
    else if (own->client_tls_sslmode < tls->sslmode)
        problem_add(&l->warnings, place,
                    "%s `%s`: client_tls_sslmode %s has no effect: the main section asks for more", what,
                    name, mode);
}

static void
check_database(struct loading *l, const struct database *db)
{
    const struct settings *s = l->settings;
    struct place place = { db->file, db->line };
    unsigned size = pool_size_of(s, db), least = min_pool_size_of(s, db);

    check_client_tls(l, place, "database", db->name, &db->own);
    if (db->host == NULL && s->unix_socket_dir[0] == '\0')
        problem_add(&l->problems, place, "database `%s`: `host` is missing, and unix_socket_dir is empty",
                    db->name);
    if (db->user == NULL && s->auth_type == AUTH_TYPE_ANY)
        problem_add(&l->warnings, place, "database `%s`: auth_type any needs `user` here; nobody can log in",
                    db->name);
    if (size > 0 && least > size)
        problem_add(&l->warnings, place, "database `%s`: min_pool_size %u is more than its pool size %u",
                    db->name, least, size);
}

/* Passwords in a file that everybody can read. */
static void
check_passwords(struct loading *l)
{
    const struct settings_content *content = l->settings->content;

    for (size_t i = 0; i < l->ini.file_count; i++) {
        const struct ini_file *file = l->ini.files[i];

        for (size_t j = 0; (file->facts.mode & 0004) != 0 && j < content->database_count; j++) {
            const struct database *db = content->databases[j];

            if (db->password == NULL || strcmp(db->file, file->path) != 0)
                continue;
            problem_add(&l->warnings, (struct place){ db->file, db->line },
                        "database `%s` has a password in a file that everybody can read (mode %04o)",
                        db->name, (unsigned)file->facts.mode & 07777);
            break;
        }
    }
}

/* PgBouncer wants its own number among them too, and so do files that serve all of the instances. */
static void
check_peers(struct loading *l)
{
    const struct settings *s = l->settings;

    if (s->content->peer_count > 0 && s->peer_id == 0)
        problem_add(&l->warnings, (struct place){ l->file, 0 },
                    "[peers] has no effect without peer_id, this instance's own number");
    for (size_t i = 0; i < s->content->peer_count; i++) {
        if (s->content->peers[i]->pool_size == 0)
            continue;
        problem_add(&l->warnings, (struct place){ l->file, 0 },
                    "[peers]: `pool_size` has no effect: every cancel request has a connection of its own");
        break;
    }
}

void
settings_check(struct loading *l)
{
    check_sections(l);
    check_listen_addr(l);
    check_unix_socket(l);
    check_auth(l);
    check_tls(l);
    for (size_t i = 0; i < l->settings->content->database_count; i++)
        check_database(l, l->settings->content->databases[i]);
    for (size_t i = 0; i < l->settings->content->user_count; i++)
        check_client_tls(l, (struct place){ l->file, 0 }, "user", l->settings->content->users[i]->name,
                         &l->settings->content->users[i]->own);
    check_passwords(l);
    check_peers(l);
}
