/*
 * hba.c - rules of an auth_hba_file.
 *
 *     rows -> entry = conditions + rule; a login is held against one entry after the other
 *
 *     type  database  user  [address [mask]]  method  [option=value…]
 *
 *     An entry with anything wrong in it is left out, and the load fails: a rule that is skipped, as
 *     PgBouncer does it, may be the one that was meant to keep somebody out.
 */
#include "hba_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "rows_impl.h"


enum { OVER_LOCAL = 1, OVER_PLAIN = 2, OVER_TLS = 4 };

/* What a database or user must be. */
struct name_test {
    enum { NAME_IS, NAME_ANY, NAME_SAME_USER, NAME_REPLICATION, NAME_MATCHES } kind;
    const char *name;       /* borrowed from the rows */
    struct pattern pattern; /* NAME_MATCHES */
};

struct name_tests {
    struct name_test *at; /* owned */
    size_t count;
};

enum from { FROM_ANY, FROM_NETWORK, FROM_SAME_HOST, FROM_SAME_NET, FROM_NAMED };

struct entry {
    unsigned over; /* OVER_ bits */
    struct name_tests databases;
    struct name_tests users;
    enum from from;
    struct hba_ip network;
    struct hba_ip mask;
    const char *host; /* FROM_NAMED: a name, or how it ends: `.example.com`; borrowed from the rows */
    struct hba_rule rule;
};

struct hba {
    struct rows rows; /* texts of the entries */
    struct entry *entries;
    size_t count;
};

static const struct {
    const char *word;
    enum hba_method method;
} methods[] = {
    { "trust", HBA_TRUST },
    { "reject", HBA_REJECT },
    { "md5", HBA_MD5 },
    { "password", HBA_PASSWORD },
    { "scram-sha-256", HBA_SCRAM },
    { "peer", HBA_PEER },
    { "cert", HBA_CERT },
    { "pam", HBA_PAM },
};

/* ---- life ---- */

static void
tests_fini(struct name_tests *tests)
{
    for (size_t i = 0; i < tests->count; i++)
        if (tests->at[i].kind == NAME_MATCHES)
            pattern_free(&tests->at[i].pattern);
    free(tests->at);
}

static void
entry_fini(struct entry *e)
{
    tests_fini(&e->databases);
    tests_fini(&e->users);
}

void
hba_free(struct hba *hba)
{
    if (hba == NULL)
        return;
    for (size_t i = 0; i < hba->count; i++)
        entry_fini(&hba->entries[i]);
    free(hba->entries);
    rows_fini(&hba->rows);
    free(hba);
}

const struct hba_rule *
hba_rule_at(const struct hba *hba, size_t index)
{
    return index < hba->count ? &hba->entries[index].rule : NULL;
}

/* ---- addresses ---- */

struct hba_ip
hba_ip_of(const struct sockaddr *address)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };
    struct hba_ip ip = { .len = 0 };

    if (address->sa_family == AF_INET) {
        memcpy(ip.at, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        ip.len = 4;
    } else if (address->sa_family == AF_INET6) {
        memcpy(ip.at, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        ip.len = 16;
        if (memcmp(ip.at, mapped, sizeof(mapped)) == 0) {
            memmove(ip.at, ip.at + 12, 4);
            memset(ip.at + 4, 0, 12);
            ip.len = 4;
        }
    }
    return ip;
}

static bool
ip_read(const char *text, struct hba_ip *out)
{
    *out = (struct hba_ip){ .len = 4 };
    if (inet_pton(AF_INET, text, out->at) == 1)
        return true;
    out->len = 16;
    return inet_pton(AF_INET6, text, out->at) == 1;
}

static struct hba_ip
mask_of_bits(uint8_t len, unsigned bits)
{
    struct hba_ip mask = { .len = len };

    for (unsigned i = 0; i < len; i++) {
        unsigned here = bits > 8 ? 8 : bits;

        mask.at[i] = (uint8_t)(0xFF00u >> here);
        bits -= here;
    }
    return mask;
}

static bool
is_within(const struct hba_ip *ip, const struct hba_ip *network, const struct hba_ip *mask)
{
    if (ip->len != network->len || ip->len != mask->len)
        return false;
    for (unsigned i = 0; i < ip->len; i++)
        if (((ip->at[i] ^ network->at[i]) & mask->at[i]) != 0)
            return false;
    return true;
}

/* ---- reading ---- */

struct reading {
    struct problems *problems;
    const struct row *row;
    size_t next; /* field */
};

static bool complain(struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* Always false. */
static bool
complain(struct reading *r, const char *format, ...)
{
    char what[400];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    problem_add(r->problems, r->row->place, "%s", what);
    return false;
}

/* The one word of the next field; NULL when there is none, or when there are several. */
static const struct word *
next_word(struct reading *r, const char *what)
{
    const struct field *f = &r->row->fields[r->next];

    if (r->next >= r->row->count) {
        problem_add(r->problems, r->row->place, "the line ends before its %s", what);
        return NULL;
    }
    r->next++;
    if (f->count != 1) {
        problem_add(r->problems, r->row->place, "one %s is wanted here, not a list", what);
        return NULL;
    }
    return &f->words[0];
}

static bool
read_type(struct reading *r, struct entry *e)
{
    static const struct {
        const char *word;
        unsigned over;
    } types[] = {
        { "local", OVER_LOCAL }, { "host", OVER_PLAIN | OVER_TLS },
        { "hostssl", OVER_TLS }, { "hostnossl", OVER_PLAIN },
        { "hostgssenc", 0 },     { "hostnogssenc", OVER_PLAIN | OVER_TLS },
    };
    const struct word *word = next_word(r, "connection type");

    if (word == NULL)
        return false;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (word_is(word, types[i].word)) {
            e->over = types[i].over;
            return true;
        }
    return complain(r,
                    "unknown connection type `%.60s` (local, host, hostssl, hostnossl, hostgssenc or "
                    "hostnogssenc)",
                    word->text);
}

/* The test that WORD stands for. Keywords of roles' memberships would need to ask the server at each
 * login. */
static bool
read_name(struct reading *r, const struct word *word, bool is_database, struct name_test *out)
{
    *out = (struct name_test){ .kind = NAME_IS, .name = word->text };
    if (word_is(word, "all"))
        out->kind = NAME_ANY;
    else if (is_database && word_is(word, "sameuser"))
        out->kind = NAME_SAME_USER;
    else if (is_database && word_is(word, "replication"))
        out->kind = NAME_REPLICATION;
    else if (is_database && (word_is(word, "samerole") || word_is(word, "samegroup")))
        return complain(r, "`%.60s` is not supported: the pooler does not know who is a member of which role",
                        word->text);
    else if (!is_database && !word->is_quoted && word->text[0] == '+')
        return complain(
            r,
            "`%.60s` is not supported: the pooler does not know who is a member of which role; name the users",
            word->text);
    else
        switch (word_compile(word, &out->pattern, r->row->place, r->problems)) {
        case WORD_NAME:
            break;
        case WORD_PATTERN:
            out->kind = NAME_MATCHES;
            break;
        case WORD_BAD:
            return false;
        }
    return true;
}

static bool
read_names(struct reading *r, bool is_database, struct name_tests *out)
{
    const struct field *f = &r->row->fields[r->next];

    if (r->next >= r->row->count)
        return complain(r, "the line ends before its %s", is_database ? "database" : "user");
    r->next++;
    out->at = mem_grow(NULL, f->count, sizeof(*out->at));
    for (size_t i = 0; i < f->count; i++) {
        if (!read_name(r, &f->words[i], is_database, &out->at[out->count]))
            return false;
        out->count++;
    }
    return true;
}

static bool
read_bits(struct reading *r, struct entry *e, const char *text, const char *whole)
{
    char *end;
    unsigned long bits;

    errno = 0;
    bits = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || bits > e->network.len * 8u)
        return complain(r, "invalid number of bits in `%.100s`", whole);
    e->mask = mask_of_bits(e->network.len, (unsigned)bits);
    return true;
}

static bool
read_mask(struct reading *r, struct entry *e)
{
    const struct word *word = next_word(r, "mask");

    if (word == NULL)
        return false;
    if (!ip_read(word->text, &e->mask))
        return complain(r, "invalid IP mask `%.100s` (or write the address as address/bits)", word->text);
    if (e->mask.len != e->network.len)
        return complain(r, "the mask `%.100s` is not of the kind of its address", word->text);
    return true;
}

/* Whether a lookup may give TEXT. What can only be a mistyped address is none: nobody would ever fit it. */
static bool
is_host_name(const char *text)
{
    struct in_addr ignored;

    return text[strspn(text, "0123456789.")] != '\0' && strchr(text, ':') == NULL &&
           inet_aton(text, &ignored) == 0;
}

static bool
read_address(struct reading *r, struct entry *e)
{
    const struct word *word = next_word(r, "address");
    char address[INET6_ADDRSTRLEN];
    const char *slash;
    size_t len;

    if (word == NULL)
        return false;
    e->from = FROM_ANY;
    if (word_is(word, "all"))
        return true;
    e->from = word_is(word, "samehost")  ? FROM_SAME_HOST
              : word_is(word, "samenet") ? FROM_SAME_NET
                                         : FROM_NETWORK;
    if (e->from != FROM_NETWORK)
        return true;
    slash = strchr(word->text, '/');
    len = slash == NULL ? strlen(word->text) : (size_t)(slash - word->text);
    if (len < sizeof(address)) {
        memcpy(address, word->text, len);
        address[len] = '\0';
        if (ip_read(address, &e->network))
            return slash != NULL ? read_bits(r, e, slash + 1, word->text) : read_mask(r, e);
    }
    if (slash != NULL)
        return complain(r, "invalid IP address `%.100s` (and a host name takes no mask)", word->text);
    if (!is_host_name(word->text))
        return complain(r, "invalid IP address `%.100s`", word->text);
    e->from = FROM_NAMED;
    e->host = word->text;
    return true;
}

static bool
read_method(struct reading *r, struct entry *e)
{
    const struct word *word = next_word(r, "method");

    if (word == NULL)
        return false;
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (strcmp(word->text, methods[i].word) == 0) {
            e->rule.method = methods[i].method;
            return true;
        }
    return complain(
        r, "method `%.60s` is not supported (trust, reject, scram-sha-256, md5, password, cert, peer)",
        word->text);
}

/* TEXT is NAME=value: where the value begins, else NULL. */
static char *
value_of(char *text, const char *name)
{
    size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == '=' ? text + len + 1 : NULL;
}

static bool
read_clientcert(struct reading *r, struct entry *e, const char *value)
{
    if ((e->over & ~(unsigned)OVER_TLS) != 0)
        return complain(r, "clientcert can only be given in hostssl lines");
    if (strcmp(value, "verify-full") == 0)
        e->rule.wants_name = true;
    else if (strcmp(value, "verify-ca") != 0)
        return complain(r, "clientcert must be verify-ca or verify-full, not `%.60s`", value);
    else if (e->rule.method == HBA_CERT)
        return complain(r, "clientcert=%s is not enough for method cert", value);
    e->rule.wants_certificate = true;
    return true;
}

static bool
read_option(struct reading *r, struct entry *e, char *text)
{
    char *value;

    if ((value = value_of(text, "map")) != NULL) {
        if (e->rule.method != HBA_PEER && e->rule.method != HBA_CERT)
            return complain(r, "map can only be given for methods peer and cert");
        e->rule.map = value;
        return true;
    }
    if ((value = value_of(text, "pamservice")) != NULL) {
        if (e->rule.method != HBA_PAM)
            return complain(r, "pamservice can only be given for method pam");
        e->rule.service = value;
        return true;
    }
    if ((value = value_of(text, "clientcert")) != NULL)
        return read_clientcert(r, e, value);
    if ((value = value_of(text, "clientname")) != NULL) {
        if ((e->over & ~(unsigned)OVER_TLS) != 0)
            return complain(r, "clientname can only be given in hostssl lines");
        if (strcmp(value, "CN") != 0 && strcmp(value, "DN") != 0)
            return complain(r, "clientname must be CN or DN, not `%.60s`", value);
        e->rule.is_dn = value[0] == 'D';
        return true;
    }
    return complain(r, "unknown option `%.60s` of this method", text);
}

static bool
read_options(struct reading *r, struct entry *e)
{
    for (; r->next < r->row->count; r->next++) {
        const struct field *f = &r->row->fields[r->next];

        for (size_t i = 0; i < f->count; i++)
            if (!read_option(r, e, f->words[i].text))
                return false;
    }
    return true;
}

/* What the parts say about each other. */
static bool
check(struct reading *r, struct entry *e)
{
    if (e->rule.method == HBA_PEER && e->over != OVER_LOCAL)
        return complain(r, "method peer works for local lines only");
    if (e->rule.method == HBA_CERT && (e->over & ~(unsigned)OVER_TLS) != 0)
        return complain(r, "method cert works for hostssl lines only");
    if (e->rule.method == HBA_CERT) {
        e->rule.wants_certificate = true;
        e->rule.wants_name = true;
    }
    return true;
}

static bool
read_entry(const struct row *row, struct problems *problems, struct entry *e)
{
    struct reading r = { .problems = problems, .row = row };

    e->rule.file = row->place.file;
    e->rule.line = row->place.line;
    if (!read_type(&r, e) || !read_names(&r, true, &e->databases) || !read_names(&r, false, &e->users))
        return false;
    if (!word_is(&row->fields[0].words[0], "local") && !read_address(&r, e))
        return false;
    return read_method(&r, e) && check(&r, e) && read_options(&r, e);
}

struct hba *
hba_read(const char *file, struct place place, file_reader *read, struct problems *problems,
         struct problems *warnings)
{
    struct hba *hba = mem_new(sizeof(*hba));
    unsigned before = problems->count;

    rows_read(&hba->rows, file, place, read, problems);
    hba->entries = mem_new((hba->rows.count + 1) * sizeof(*hba->entries));
    for (size_t i = 0; i < hba->rows.count; i++) {
        struct entry *e = &hba->entries[hba->count];

        if (read_entry(&hba->rows.at[i], problems, e)) {
            hba->count++;
        } else {
            entry_fini(e);
            *e = (struct entry){ .over = 0 };
        }
    }
    if (hba->count == 0 && problems->count == before)
        problem_add(warnings, (struct place){ file, 0 }, "there is no rule in it: nobody can log in");
    return hba;
}

/* ---- asking ---- */

static bool
name_fits(const struct name_test *t, const char *name, const struct hba_question *q, bool is_database)
{
    /* Physical replication asks for no database, and only its own word speaks of it. */
    if (is_database && q->is_replication)
        return t->kind == NAME_REPLICATION;
    switch (t->kind) {
    case NAME_ANY:
        return true;
    case NAME_SAME_USER:
        return strcmp(name, q->user) == 0;
    case NAME_IS:
        return strcmp(name, t->name) == 0;
    case NAME_MATCHES:
        return pattern_matches(&t->pattern, name);
    case NAME_REPLICATION:
        break;
    }
    return false;
}

static bool
any_fits(const struct name_tests *tests, const char *name, const struct hba_question *q, bool is_database)
{
    for (size_t i = 0; i < tests->count; i++)
        if (name_fits(&tests->at[i], name, q, is_database))
            return true;
    return false;
}

static bool
is_ours(const struct hba_question *q, bool is_whole_net)
{
    struct hba_ip host = mask_of_bits(q->from.len, q->from.len * 8u);

    for (size_t i = 0; i < q->own_count; i++)
        if (is_within(&q->from, &q->own[i].address, is_whole_net ? &q->own[i].mask : &host))
            return true;
    return false;
}

static bool
address_fits(const struct entry *e, const struct hba_question *q)
{
    if (q->from.len == 0)
        return (e->over & OVER_LOCAL) != 0;
    if ((e->over & (unsigned)(q->is_tls ? OVER_TLS : OVER_PLAIN)) == 0)
        return false;
    switch (e->from) {
    case FROM_ANY:
        return true;
    case FROM_NETWORK:
        return is_within(&q->from, &e->network, &e->mask);
    case FROM_SAME_HOST:
        return is_ours(q, false);
    case FROM_SAME_NET:
        return is_ours(q, true);
    case FROM_NAMED: /* hba_find() looks at the name, after all else */
        return true;
    }
    return false;
}

static bool
host_fits(const char *wanted, const char *host)
{
    size_t wanted_len = strlen(wanted);
    size_t len = strlen(host);

    if (wanted[0] == '.' && len > wanted_len)
        host += len - wanted_len;
    return text_equal_nocase(wanted, host);
}

enum hba_answer
hba_find(const struct hba *hba, const struct hba_question *q, const struct hba_rule **out)
{
    *out = NULL;
    for (size_t i = 0; i < hba->count; i++) {
        const struct entry *e = &hba->entries[i];
        bool is_named = q->from.len > 0 && e->from == FROM_NAMED;

        if (!address_fits(e, q) || !any_fits(&e->databases, q->database, q, true) ||
            !any_fits(&e->users, q->user, q, false))
            continue;
        if (is_named && q->host == NULL)
            return HBA_NEEDS_HOST;
        if (is_named && !host_fits(e->host, q->host))
            continue;
        *out = &e->rule;
        return HBA_FOUND;
    }
    return HBA_NONE;
}

bool
hba_wants_networks(const struct hba *hba)
{
    for (size_t i = 0; i < hba->count; i++)
        if (hba->entries[i].from == FROM_SAME_HOST || hba->entries[i].from == FROM_SAME_NET)
            return true;
    return false;
}

bool
hba_wants_certificates(const struct hba *hba)
{
    for (size_t i = 0; i < hba->count; i++)
        if (hba->entries[i].rule.wants_certificate)
            return true;
    return false;
}
