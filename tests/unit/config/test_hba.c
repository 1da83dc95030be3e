/* test_hba.c - rules of an auth_hba_file: which one a login meets, and what is no rule. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "config/hba_impl.h"
#include "fixture.h"

void suite_hba(void);

struct reading {
    struct hba *hba;
    struct buf told, warned;
};

/* Files that the text under test may name. */
static const char *const other_files[][2] = {
    { "dir/users", "alice, \"Bob B\"  # the ops\ncarol,\n@more" },
    { "dir/more", "dave" },
    { "dir/loop", "@loop" },
    { "dir/extra.conf", "host all eve 10.0.0.0/8 trust\nhost all all junk/8 trust\n" },
};

static const char *under_test;

static enum err
fake_read(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    const char *text = strcmp(path, "dir/hba") == 0 ? under_test : NULL;

    *facts = (struct file_facts){ .mode = 0600 };
    for (size_t i = 0; i < COUNT_OF(other_files); i++)
        if (strcmp(path, other_files[i][0]) == 0)
            text = other_files[i][1];
    if (text == NULL)
        return error_set(why, ERR_NOT_FOUND, "cannot open `%s`: No such file or directory", path);
    buf_add_text(out, text);
    return ERR_NONE;
}

static void
reading_init(struct reading *r, const char *text)
{
    struct problems problems, warnings;

    under_test = text;
    buf_init(&r->told);
    buf_init(&r->warned);
    problems_init(&problems, &r->told);
    problems_init(&warnings, &r->warned);
    r->hba = hba_read("dir/hba", (struct place){ "main.ini", 7 }, fake_read, &problems, &warnings);
    problems_finish(&problems);
    problems_finish(&warnings);
}

static void
reading_fini(struct reading *r)
{
    hba_free(r->hba);
    buf_release(&r->told);
    buf_release(&r->warned);
}

static struct hba_ip
ip(const char *text)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

    if (text == NULL)
        return (struct hba_ip){ .len = 0 };
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return hba_ip_of((const struct sockaddr *)&four);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return hba_ip_of((const struct sockaddr *)&six);
}

/* Line of the rule that fits, 0: none. FROM NULL: a Unix socket. */
static unsigned
line_for(const struct hba *hba, const char *database, const char *user, const char *from, bool is_tls)
{
    struct hba_network own[] = {
        { ip("127.0.0.1"), ip("255.0.0.0") },
        { ip("192.168.7.9"), ip("255.255.255.0") },
        { ip("fd00::9"), ip("ffff:ffff:ffff:ffff::") },
    };
    const struct hba_question q = { .database = database,
                                    .user = user,
                                    .from = ip(from),
                                    .is_tls = is_tls,
                                    .own = own,
                                    .own_count = COUNT_OF(own) };
    const struct hba_rule *rule;

    CU_ASSERT_EQUAL(hba_find(hba, &q, &rule), rule == NULL ? HBA_NONE : HBA_FOUND);
    return rule == NULL ? 0 : rule->line;
}

static void
check_fits(const char *text, const char *database, const char *user, const char *from, bool is_tls,
           unsigned expected)
{
    struct reading r;
    unsigned got;

    reading_init(&r, text);
    CU_ASSERT_EQUAL(buf_len(&r.told), 0);
    got = line_for(r.hba, database, user, from, is_tls);
    if (got != expected)
        fprintf(stderr, "\n    `%s` for %s/%s from %s: line %u, expected %u: %s", text, database, user,
                from == NULL ? "here" : from, got, expected, buf_text(&r.told));
    CU_ASSERT_EQUAL(got, expected);
    reading_fini(&r);
}

static void
connection_types_tell_sockets_and_tls_apart(void)
{
    static const struct {
        const char *type;
        bool local, plain, tls;
    } rows[] = {
        { "local all all", true, false, false },           { "host all all all", false, true, true },
        { "hostssl all all all", false, false, true },     { "hostnossl all all all", false, true, false },
        { "hostgssenc all all all", false, false, false }, { "hostnogssenc all all all", false, true, true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[100];

        snprintf(line, sizeof line, "%s trust\n", rows[i].type);
        check_fits(line, "app", "u", NULL, false, rows[i].local);
        check_fits(line, "app", "u", "10.1.2.3", false, rows[i].plain);
        check_fits(line, "app", "u", "10.1.2.3", true, rows[i].tls);
        check_fits(line, "app", "u", "fe80::1", true, rows[i].tls);
    }
}

static void
databases_and_users_are_held_against_their_lists(void)
{
    static const struct {
        const char *database, *user, *asked_database, *asked_user;
        bool fits;
    } rows[] = {
        { "all", "all", "app", "u", true },
        { "app", "u", "app", "u", true },
        { "app", "u", "App", "u", false },
        { "app", "u", "app", "U", false },
        { "a,app,b", "x, u", "app", "u", true }, /* a blank behind a comma does not end the list */
        { "sameuser", "all", "u", "u", true },
        { "sameuser", "all", "app", "u", false },
        { "\"sameuser\"", "all", "sameuser", "u", true },
        { "\"sameuser\"", "all", "u", "u", false },
        { "\"all\"", "all", "app", "u", false },
        { "\"all\"", "all", "all", "u", true },
        { "all", "\"all\"", "app", "u", false },
        { "all", "sameuser", "app", "app", false }, /* no keyword there */
        { "all", "sameuser", "app", "sameuser", true },
        { "replication", "all", "replication", "u", false },
        { "\"replication\"", "all", "replication", "u", true },
        { "\"a, \"\"b\"\"\"", "all", "a, \"b\"", "u", true },
        { "all", "@users", "app", "Bob B", true },
        { "all", "@users", "app", "dave", true },
        { "all", "@users", "app", "eve", false },
        { "all", "x,@users,y", "app", "y", true },
        { "/^app[0-9]+$", "all", "app12", "u", true },
        { "/^app[0-9]+$", "all", "app12x", "u", false },
        { "/pp", "all", "app12", "u", true },
        { "\"/^a,b$\"", "all", "a,b", "u", true },
        { "all", "/^(joe|jim)$,u", "app", "jim", true },
        { "all", "/^(joe|jim)$,u", "app", "u", true },
        { "all", "/^(joe|jim)$,u", "app", "jimmy", false },
        { "all", "\"+staff\"", "app", "+staff", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[200];

        snprintf(line, sizeof line, "host %s %s all trust\n", rows[i].database, rows[i].user);
        check_fits(line, rows[i].asked_database, rows[i].asked_user, "10.0.0.1", false, rows[i].fits);
    }
}

static void
addresses_are_held_against_networks(void)
{
    static const struct {
        const char *address, *from;
        bool fits;
    } rows[] = {
        { "all", "1.2.3.4", true },
        { "all", "::1", true },
        { "10.0.0.0/8", "10.200.3.4", true },
        { "10.0.0.0/8", "11.0.0.1", false },
        { "10.1.2.3/32", "10.1.2.3", true },
        { "10.1.2.3/32", "10.1.2.4", false },
        { "10.1.2.128/25", "10.1.2.127", false },
        { "10.1.2.128/25", "10.1.2.129", true },
        { "0.0.0.0/0", "8.8.8.8", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "8.8.8.8", false },
        { "::/0", "fe80::1", true },
        { "::1/128", "::1", true },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "10.0.0.0 255.0.0.0", "10.9.9.9", true },
        { "10.0.0.0 255.0.0.255", "10.9.9.1", false },
        { "10.0.0.0 255.0.0.255", "10.9.9.0", true },
        { "fd00:: ffff::", "fd00:1::1", true },
        { "127.0.0.1/32", "::ffff:127.0.0.1", true }, /* a dual-stack socket's way to say IPv4 */
        { "samehost", "192.168.7.9", true },
        { "samehost", "192.168.7.8", false },
        { "samehost", "fd00::9", true },
        { "samenet", "192.168.7.8", true },
        { "samenet", "192.168.8.8", false },
        { "samenet", "fd00::1:2:3:4", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[200];

        snprintf(line, sizeof line, "host all all %s trust\n", rows[i].address);
        check_fits(line, "app", "u", rows[i].from, false, rows[i].fits);
    }
}

static void
the_first_rule_that_fits_decides(void)
{
    static const char text[] = "# comment\n"
                               "\n"
                               "host all bad all reject\n"
                               "hostssl app \\\r\n"
                               "        all all scram-sha-256   # joined\n"
                               "  host all all 127.0.0.1/32 md5\n"
                               "local all all peer map=ops\n";

    check_fits(text, "app", "bad", "127.0.0.1", true, 3);
    check_fits(text, "app", "u", "127.0.0.1", true, 4);
    check_fits(text, "other", "u", "127.0.0.1", true, 6);
    check_fits(text, "app", "u", "127.0.0.1", false, 6);
    check_fits(text, "app", "u", "10.0.0.1", false, 0);
    check_fits(text, "app", "bad", NULL, false, 7);
}

static void
physical_replication_needs_its_own_word(void)
{
    struct reading r;
    struct hba_question q = { .database = "", .user = "u", .from = ip("10.0.0.1"), .is_replication = true };
    const struct hba_rule *rule;

    reading_init(&r, "host all all all trust\nhost replication u all md5\n");
    CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), HBA_FOUND);
    CU_ASSERT_EQUAL(rule->line, 2);
    q.user = "v";
    CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), HBA_NONE);
    CU_ASSERT_PTR_NULL(rule);
    reading_fini(&r);
}

static void
hosts_are_known_by_name_or_by_how_it_ends(void)
{
    static const struct {
        const char *address, *host;
        bool fits;
    } rows[] = {
        { "db.example.com", "db.example.com", true },
        { "DB.Example.com", "db.eXample.COM", true },
        { "db.example.com", "a.db.example.com", false },
        { "db.example.com", "db.example.com.evil", false },
        { "db.example.com", "", false },
        { "db", "db.example.com", false },
        { ".example.com", "db.example.com", true },
        { ".EXAMPLE.com", "a.db.example.COM", true },
        { ".example.com", "example.com", false },
        { ".example.com", "badexample.com", false },
        { ".example.com", "db.example.com.evil", false },
        { ".example.com", "com", false },
        { ".example.com", "", false },
        { "\"db.example.com\"", "db.example.com", true },
        { "\"all\"", "all", true }, /* quoted, it is no keyword */
        { "\"all\"", "db", false },
        { "SAMENET", "samenet", true }, /* keywords are in small letters */
        { "1.2.3.4.example.com", "1.2.3.4.example.com", true },
        { "10-0-0-1", "10-0-0-1", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reading r;
        char line[100];
        struct hba_question q = {
            .database = "app", .user = "u", .from = ip("10.0.0.1"), .host = rows[i].host
        };
        const struct hba_rule *rule;
        enum hba_answer answer;

        snprintf(line, sizeof line, "host all all %s trust\n", rows[i].address);
        reading_init(&r, line);
        CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
        answer = hba_find(r.hba, &q, &rule);
        if (answer != (rows[i].fits ? HBA_FOUND : HBA_NONE))
            fprintf(stderr, "\n    `%s` for host `%s`: %d", line, rows[i].host, (int)answer);
        CU_ASSERT_EQUAL(answer, rows[i].fits ? HBA_FOUND : HBA_NONE);
        q.host = NULL;
        CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), HBA_NEEDS_HOST);
        CU_ASSERT_PTR_NULL(rule);
        q.from.len = 0; /* a Unix socket has none */
        CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), HBA_NONE);
        reading_fini(&r);
    }
}

static void
a_host_is_looked_up_only_when_the_rule_depends_on_it(void)
{
    struct reading r;
    struct hba_question q = { .from = ip("10.0.0.1") };
    const struct hba_rule *rule;
    static const struct {
        const char *database, *user;
        bool is_tls;
        enum hba_answer answer;
        unsigned line; /* with the name: which rule */
    } rows[] = {
        { "app", "early", true, HBA_FOUND, 1 },      { "app", "u", true, HBA_NEEDS_HOST, 2 },
        { "app", "u", false, HBA_FOUND, 3 },         { "other", "u", true, HBA_FOUND, 3 },
        { "app", "v", true, HBA_FOUND, 3 },          { "late", "u", true, HBA_NEEDS_HOST, 5 },
        { "late", "else", true, HBA_NEEDS_HOST, 0 },
    };

    reading_init(&r, "host all early all trust\n"
                     "hostssl app u db.example.com md5\n"
                     "host app,other all all reject\n"
                     "host late all .nowhere trust\n"
                     "host late u db.example.com trust\n");
    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        q.database = rows[i].database;
        q.user = rows[i].user;
        q.is_tls = rows[i].is_tls;
        q.host = NULL;
        CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), rows[i].answer);
        q.host = "db.example.com";
        CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), rows[i].line == 0 ? HBA_NONE : HBA_FOUND);
        CU_ASSERT_EQUAL(rule == NULL ? 0 : rule->line, rows[i].line);
    }
    q = (struct hba_question){
        .database = "app", .user = "u", .from = ip("10.0.0.1"), .is_tls = true, .host = ""
    };
    CU_ASSERT_EQUAL(hba_find(r.hba, &q, &rule), HBA_FOUND);
    CU_ASSERT_EQUAL(rule->line, 3);
    reading_fini(&r);
}

static void
methods_and_their_options_are_understood(void)
{
    struct reading r;
    const struct hba_rule *rule;

    reading_init(&r, "host all all all trust\n"
                     "host all all all reject\n"
                     "host all all all md5\n"
                     "host all all all password\n"
                     "host all all all scram-sha-256\n"
                     "local all all peer map=\"my map\"\n"
                     "hostssl all all all cert map=ops clientname=DN\n"
                     "hostssl all all all md5 clientcert=verify-ca\n"
                     "hostssl all all all md5 clientcert=verify-full clientname=CN\n");

    CU_ASSERT_STRING_EQUAL(buf_text(&r.told), "");
    for (size_t i = 0; i < 6; i++) {
        static const enum hba_method expected[] = { HBA_TRUST,    HBA_REJECT, HBA_MD5,
                                                    HBA_PASSWORD, HBA_SCRAM,  HBA_PEER };

        CU_ASSERT_EQUAL(hba_rule_at(r.hba, i)->method, expected[i]);
        CU_ASSERT_STRING_EQUAL(hba_rule_at(r.hba, i)->file, "dir/hba");
        CU_ASSERT_EQUAL(hba_rule_at(r.hba, i)->line, i + 1);
        CU_ASSERT_FALSE(hba_rule_at(r.hba, i)->wants_certificate);
    }
    CU_ASSERT_STRING_EQUAL(hba_rule_at(r.hba, 5)->map, "my map");
    rule = hba_rule_at(r.hba, 6);
    CU_ASSERT(rule->method == HBA_CERT && rule->wants_certificate && rule->wants_name && rule->is_dn);
    CU_ASSERT_STRING_EQUAL(rule->map, "ops");
    rule = hba_rule_at(r.hba, 7);
    CU_ASSERT(rule->method == HBA_MD5 && rule->wants_certificate && !rule->wants_name && !rule->is_dn);
    rule = hba_rule_at(r.hba, 8);
    CU_ASSERT(rule->method == HBA_MD5 && rule->wants_certificate && rule->wants_name && !rule->is_dn);
    CU_ASSERT(hba_wants_certificates(r.hba));
    CU_ASSERT_FALSE(hba_wants_networks(r.hba));
    CU_ASSERT_PTR_NULL(hba_rule_at(r.hba, 9));
    reading_fini(&r);
}

static void
a_bad_line_is_told_with_its_place_and_left_out(void)
{
    static const struct {
        const char *line, *told;
    } rows[] = {
        { "hots all all all trust", "unknown connection type `hots`" },
        { "\"host\" all all all trust", "unknown connection type `host`" },
        { "host,local all all all trust", "one connection type is wanted" },
        { "host", "ends before its database" },
        { "host all", "ends before its user" },
        { "host all all", "ends before its address" },
        { "host all all 10.0.0.0/8", "ends before its method" },
        { "local all all", "ends before its method" },
        { "host all all 10.0.0.1 trust", "invalid IP mask `trust`" },
        { "host all all 10.0.0.1", "ends before its mask" },
        { "host all all 10.0.0.0/33 trust", "number of bits" },
        { "host all all 10.0.0.0/ trust", "number of bits" },
        { "host all all 10.0.0.0/-1 trust", "number of bits" },
        { "host all all 10.0.0.0/8x trust", "number of bits" },
        { "host all all ::1/129 trust", "number of bits" },
        { "host all all 10.0.0/8 trust", "invalid IP address" },
        { "host all all 10.0.0.0 ffff:: trust", "not of the kind of its address" },
        { "host all all db.example.com 255.0.0.0 trust", "method `255.0.0.0` is not supported" },
        { "host all all .example.com", "ends before its method" },
        { "host all all a.example.com,b.example.com trust", "one address is wanted" },
        { "host all all db.example.com/32 trust", "a host name takes no mask" },
        { "host all all 10.0.0.256 trust", "invalid IP address" },
        { "host all all 10.1 255.0.0.0 trust", "invalid IP address" },
        { "host all all 0x7f.1 trust", "invalid IP address" },
        { "host all all fe80::1%lo trust", "invalid IP address" },
        { "host all all \"\" trust", "invalid IP address" },
        { "host samerole all all trust", "`samerole` is not supported" },
        { "host all +staff all trust", "`+staff` is not supported" },
        { "host all all all gss", "method `gss` is not supported" },
        { "host all all all ldap", "method `ldap` is not supported" },
        { "host all all all ident", "method `ident` is not supported" },
        { "host all all all peer", "peer works for local lines only" },
        { "host all all all cert", "cert works for hostssl lines only" },
        { "local all all cert", "cert works for hostssl lines only" },
        { "host all all all md5 clientcert=verify-ca", "only be given in hostssl lines" },
        { "hostssl all all all md5 clientcert=1", "must be verify-ca or verify-full" },
        { "hostssl all all all cert clientcert=verify-ca", "not enough for method cert" },
        { "hostssl all all all cert clientname=XN", "clientname must be CN or DN" },
        { "host all all all md5 map=x", "map can only be given" },
        { "host all all all md5 pamservice=x", "pamservice can only be given for method pam" },
        { "host all all all pam pam_use_hostname=1", "unknown option `pam_use_hostname=1`" },
        { "host all all all md5 extra", "unknown option `extra`" },
        { "host all \"a all trust", "a quote is not closed" },
        { "host /( all all trust", "invalid regular expression" },
        { "host all @missing all trust", "dir/missing" },
        { "host all @loop all trust", "nested too deeply" },
        { "include", "expected `include` and one file name" },
        { "include nowhere", "dir/nowhere" },
        { "include_dir x", "include_dir is not supported" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reading r;
        char text[300];

        snprintf(text, sizeof text, "# first\n%s\nhost all all all md5\n", rows[i].line);
        reading_init(&r, text);
        if (strstr(buf_text(&r.told), rows[i].told) == NULL)
            fprintf(stderr, "\n    `%s`: expected `%s`, got `%s`", rows[i].line, rows[i].told,
                    buf_text(&r.told));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.told), rows[i].told));
        if (strstr(rows[i].line, "@loop") == NULL)
            CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.told), "dir/hba:2: "));
        CU_ASSERT_EQUAL(line_count(&r.told), 1);
        CU_ASSERT_PTR_NOT_NULL(hba_rule_at(r.hba, 0));
        CU_ASSERT_PTR_NULL(hba_rule_at(r.hba, 1));
        reading_fini(&r);
    }
}

static void
other_files_are_included(void)
{
    struct reading r;

    reading_init(&r, "include_if_exists nowhere\ninclude extra.conf\nhost all u all trust\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.told), "dir/extra.conf:2: "));
    CU_ASSERT_EQUAL(line_count(&r.told), 1);
    CU_ASSERT_EQUAL(line_for(r.hba, "app", "eve", "10.0.0.1", false), 1);
    CU_ASSERT_EQUAL(line_for(r.hba, "app", "u", "10.0.0.1", false), 3);
    reading_fini(&r);
}

static void
an_empty_file_is_warned_of(void)
{
    struct reading r;

    reading_init(&r, "\n# nothing\n");
    CU_ASSERT_EQUAL(buf_len(&r.told), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&r.warned), "nobody can log in"));
    reading_fini(&r);
}

void
suite_hba(void)
{
    CU_pSuite suite = CU_add_suite("hba", NULL, NULL);

    CU_ADD_TEST(suite, connection_types_tell_sockets_and_tls_apart);
    CU_ADD_TEST(suite, databases_and_users_are_held_against_their_lists);
    CU_ADD_TEST(suite, addresses_are_held_against_networks);
    CU_ADD_TEST(suite, the_first_rule_that_fits_decides);
    CU_ADD_TEST(suite, physical_replication_needs_its_own_word);
    CU_ADD_TEST(suite, hosts_are_known_by_name_or_by_how_it_ends);
    CU_ADD_TEST(suite, a_host_is_looked_up_only_when_the_rule_depends_on_it);
    CU_ADD_TEST(suite, methods_and_their_options_are_understood);
    CU_ADD_TEST(suite, a_bad_line_is_told_with_its_place_and_left_out);
    CU_ADD_TEST(suite, other_files_are_included);
    CU_ADD_TEST(suite, an_empty_file_is_warned_of);
}
