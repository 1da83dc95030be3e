/* conninfo.c - our settings in libpq's words. */
#include "conninfo_impl.h"

#include <string.h>

#include "pgweir/base/attr.h"

#define NO_SUCH_FILE "/dev/null/none" /* instead of what libpq would look for in the home directory */

/* libpq's word for what we do; `allow` speaks TLS first here, as `prefer` does. */
static const char *
sslmode_word(int sslmode)
{
    static const char *const words[] = {
        [SSL_DISABLE] = "disable", [SSL_ALLOW] = "prefer",        [SSL_PREFER] = "prefer",
        [SSL_REQUIRE] = "require", [SSL_VERIFY_CA] = "verify-ca", [SSL_VERIFY_FULL] = "verify-full",
    };

    return words[sslmode];
}

static const char *
file_or_none(const char *file)
{
    return file[0] != '\0' ? file : NO_SUCH_FILE;
}

void
conninfo_fill(struct conninfo *out, const struct tls_files *tls, const char *hosts, const char *ports)
{
    const char *const words[][2] = {
        { "host", hosts },
        { "port", ports },
        { "dbname", NULL },
        { "user", NULL },
        { "password", NULL },
        { "application_name", "pgweir/control" },
        { "client_encoding", "SQL_ASCII" }, /* names as clients write them: no conversion */
        { "target_session_attrs", "any" },
        { "gssencmode", "disable" },
        { "sslmode", sslmode_word(tls->sslmode) },
        /* With `require`, libpq verifies when it finds a CA file; we do not. */
        { "sslrootcert", tls->sslmode >= SSL_VERIFY_CA ? file_or_none(tls->ca_file) : NO_SUCH_FILE },
        { "sslcert", file_or_none(tls->cert_file) },
        { "sslkey", file_or_none(tls->key_file) },
        { NULL, NULL },
    };

    _Static_assert(COUNT_OF(words) <= CONNINFO_WORDS_MOST, "they must fit");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        out->keywords[i] = words[i][0];
        out->values[i] = words[i][1];
    }
}

static void
set(struct conninfo *info, const char *keyword, const char *value)
{
    for (size_t i = 0; info->keywords[i] != NULL; i++)
        if (strcmp(info->keywords[i], keyword) == 0)
            info->values[i] = value;
}

void
conninfo_set_login(struct conninfo *info, const char *user, const char *password, const char *database)
{
    set(info, "user", user);
    set(info, "password", password);
    set(info, "dbname", database);
}
