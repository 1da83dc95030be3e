/*
 * option_table.c - every option, one row each, in the order of the reference page: a file option_rows_*_impl.h
 * for each of its headings. What pgweir makes of those that have no effect in it stands in option_notes.c.
 *
 *     A new option needs a field in struct settings, a row here, and `pgweir --help-config` written to
 *     docs/configuration.md and etc/pgweir.ini (a test compares them). An option that databases or users may
 *     set for themselves needs a field and a flag in struct overrides too.
 */
#include <stdlib.h>
#include <string.h>

#include "option_impl.h"
#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/config/settings.h"

#define SLOT(field) offsetof(struct settings, field)
#define INSIDE(field) offsetof(struct overrides, field)
#define MARK(field) offsetof(struct overrides, is_set.field)

#define LISTENING "Listening"
#define PROCESS "Process and log"
#define CLIENTS "Clients and their login"
#define CLIENT_TLS "TLS towards clients"
#define POOLS "Pools"
#define SERVERS "Servers"
#define SERVER_TLS "TLS towards servers"

static const char *const pool_modes[] = { "session", "transaction", "statement", NULL };
static const char *const auth_types[] = { "any", "trust", "plain", "md5", "scram-sha-256", "cert", "hba",
                                          "pam", "ldap",  "peer",  NULL };
static const char *const shutdown_modes[] = { "transactions", "clients", NULL };
static const char *const balances[] = { "round-robin", "disable", NULL };
static const char *const dheparams[] = { "auto", "none", "legacy", NULL };
static const char *const syslog_facilities[] = { "auth",   "authpriv", "daemon", "user",   "local0",
                                                 "local1", "local2",   "local3", "local4", "local5",
                                                 "local6", "local7",   NULL };
static const char *const sslmodes[] = { "disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL };

_Static_assert(COUNT_OF(pool_modes) == POOL_STATEMENT + 2, "pool_modes follows enum pool_mode");
_Static_assert(COUNT_OF(auth_types) == AUTH_TYPE_PEER + 2, "auth_types follows enum auth_type");
_Static_assert(COUNT_OF(shutdown_modes) == SHUTDOWN_CLIENTS + 2, "shutdown_modes follows enum");
_Static_assert(COUNT_OF(balances) == BALANCE_DISABLE + 2, "balances follows enum load_balance");
_Static_assert(COUNT_OF(dheparams) == DHE_LEGACY + 2, "dheparams follows enum dhe_params");
_Static_assert(COUNT_OF(syslog_facilities) == FACILITY_LOCAL7 + 2, "syslog_facilities follows enum");
_Static_assert(COUNT_OF(sslmodes) == SSL_VERIFY_FULL + 2, "sslmodes follows enum sslmode");

/* clang-format off */
const struct option options[] = {
#include "option_rows_listening_impl.h"
#include "option_rows_process_impl.h"
#include "option_rows_clients_impl.h"
#include "option_rows_client_tls_impl.h"
#include "option_rows_pools_impl.h"
#include "option_rows_servers_impl.h"
#include "option_rows_server_tls_impl.h"
};
/* clang-format on */

const size_t option_count = COUNT_OF(options);

static bool
is_alias(const struct option *o, const char *name)
{
    return o->alias != NULL && strcmp(o->alias, name) == 0;
}

const struct option *
option_find(const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0 || is_alias(&options[i], name))
            return &options[i];
    return NULL;
}

const char *
option_name_inside(const struct option *o)
{
    return o->name_inside != NULL ? o->name_inside : o->name;
}

const struct option *
option_find_inside(const char *name, enum option_scope scope)
{
    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & scope) != 0 &&
            (strcmp(option_name_inside(&options[i]), name) == 0 || is_alias(&options[i], name)))
            return &options[i];
    return NULL;
}

const char *
option_nearest(const char *word, enum option_scope scope, const char *const *extra, size_t extra_count)
{
    const char **names = mem_grow(NULL, option_count + extra_count, sizeof(*names));
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < option_count; i++)
        if ((options[i].scope & scope) != 0)
            names[count++] = scope == IN_GLOBAL ? options[i].name : option_name_inside(&options[i]);
    for (size_t i = 0; i < extra_count; i++)
        names[count++] = extra[i];
    nearest = text_nearest(word, names, count);
    free(names);
    return nearest;
}

void *
option_slot(const struct option *o, struct settings *s)
{
    return (char *)s + o->slot;
}

const void *
option_slot_const(const struct option *o, const struct settings *s)
{
    return (const char *)s + o->slot;
}

size_t
option_value_size(const struct option *o)
{
    switch (o->type) {
    case OPT_TEXT:
        return sizeof(char *);
    case OPT_BOOL:
        return sizeof(bool);
    case OPT_COUNT:
    case OPT_AUTO_COUNT:
    case OPT_FRACTION:
        return sizeof(unsigned);
    case OPT_DURATION:
    case OPT_BYTES:
        return sizeof(uint64_t);
    case OPT_CHOICE:
        return sizeof(int);
    case OPT_SHARE:
        return sizeof(struct option_share);
    }
    return 0;
}
