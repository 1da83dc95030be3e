/* test_back.c - what backends say, cut short at every length, and lying. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "reader.h"
#include "pgweir/wire/back.h"

void suite_back(void);

#define OK "R\0\0\0\x08\0\0\0\0"
#define CLEARTEXT "R\0\0\0\x08\0\0\0\3"
#define MD5 "R\0\0\0\x0c\0\0\0\5\1\2\xfe\xff"
#define SASL "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
#define CONTINUE "R\0\0\0\x0b\0\0\0\x0br=x"
#define FINAL "R\0\0\0\x0b\0\0\0\x0cv=x"
#define KEY "K\0\0\0\x0c\0\0\1\2abcd"
#define PARAMETER "S\0\0\0\x11TimeZone\0UTC\0"
#define READY "Z\0\0\0\5T"

static enum parse
read_auth(struct slice message)
{
    struct auth_request out;

    return back_auth_read(message, &out);
}

static enum parse
read_key(struct slice message)
{
    struct backend_key out;

    return back_key_read(message, &out);
}

static enum parse
read_parameter(struct slice message)
{
    struct startup_pair out;

    return back_parameter_read(message, &out);
}

static enum parse
read_ready(struct slice message)
{
    char out;

    return back_ready_read(message, &out);
}

static void
each_authentication_request_is_told_apart(void)
{
    struct auth_request a;

    CU_ASSERT_EQUAL(back_auth_read(BYTES(OK), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, AUTH_OK);
    CU_ASSERT_EQUAL(back_auth_read(BYTES(CLEARTEXT), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, AUTH_CLEARTEXT);
    CU_ASSERT_EQUAL(back_auth_read(BYTES(MD5), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, AUTH_MD5);
    CU_ASSERT_EQUAL(memcmp(a.md5_salt, "\1\2\xfe\xff", 4), 0);
    CU_ASSERT_EQUAL(back_auth_read(BYTES(CONTINUE), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, AUTH_SASL_CONTINUE);
    CU_ASSERT_TRUE(slice_is(a.data, "r=x"));
    CU_ASSERT_EQUAL(back_auth_read(BYTES(FINAL), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, AUTH_SASL_FINAL);
    CU_ASSERT_TRUE(slice_is(a.data, "v=x"));
    CU_ASSERT_EQUAL(back_auth_read(BYTES("R\0\0\0\x08\0\0\0\7"), &a), PARSE_DONE);
    CU_ASSERT_EQUAL(a.kind, 7);
}

static void
authentication_requests_are_read_strictly(void)
{
    check_reader(read_auth, BYTES(OK));
    check_reader(read_auth, BYTES(SASL));
    check_short_bodies(read_auth, BYTES(OK));
    check_short_bodies(read_auth, BYTES(CLEARTEXT));
    check_short_bodies(read_auth, BYTES(MD5));
    check_short_bodies(read_auth, BYTES(SASL));
    CU_ASSERT_EQUAL(read_auth(BYTES("R\0\0\0\x09\0\0\0\0x")), PARSE_BAD);
    CU_ASSERT_EQUAL(read_auth(BYTES("R\0\0\0\x0d\0\0\0\5salt!")), PARSE_BAD);
    CU_ASSERT_EQUAL(read_auth(BYTES("R\0\0\0\x0b\0\0\0\x0a\0a\0")), PARSE_BAD);
}

static void
offered_mechanisms_are_found_by_their_whole_name(void)
{
    struct auth_request a;

    CU_ASSERT_EQUAL_FATAL(back_auth_read(BYTES(SASL), &a), PARSE_DONE);
    CU_ASSERT_TRUE(auth_offers(&a, "SCRAM-SHA-256"));
    CU_ASSERT_TRUE(auth_offers(&a, "SCRAM-SHA-256-PLUS"));
    CU_ASSERT_FALSE(auth_offers(&a, "SCRAM-SHA"));
    CU_ASSERT_FALSE(auth_offers(&a, ""));
    CU_ASSERT_FALSE(auth_offers(&a, "OAUTHBEARER"));
    CU_ASSERT_EQUAL_FATAL(back_auth_read(BYTES("R\0\0\0\x09\0\0\0\x0a\0"), &a), PARSE_DONE);
    CU_ASSERT_FALSE(auth_offers(&a, "SCRAM-SHA-256"));
    CU_ASSERT_EQUAL_FATAL(back_auth_read(BYTES(OK), &a), PARSE_DONE);
    CU_ASSERT_FALSE(auth_offers(&a, "SCRAM-SHA-256"));
}

static void
a_key_has_4_to_256_secret_bytes(void)
{
    uint8_t message[9 + 257];
    struct backend_key key;

    memcpy(message, KEY, 9);
    memset(message + 9, 'x', sizeof(message) - 9);
    for (uint32_t len = 0; len <= 257; len++) {
        put_be32(message + 1, 8 + len);
        if (len < 4 || len > 256) {
            CU_ASSERT_EQUAL(back_key_read(slice_of(message, 9 + len), &key), PARSE_BAD);
            continue;
        }
        CU_ASSERT_EQUAL(back_key_read(slice_of(message, 9 + len), &key), PARSE_DONE);
        CU_ASSERT_EQUAL(key.pid, 0x102);
        CU_ASSERT_EQUAL(key.secret.len, len);
        CU_ASSERT_PTR_EQUAL(key.secret.at, message + 9);
    }
    check_reader(read_key, BYTES(KEY));
}

static void
a_parameter_is_two_strings(void)
{
    struct startup_pair pair;

    CU_ASSERT_EQUAL_FATAL(back_parameter_read(BYTES(PARAMETER), &pair), PARSE_DONE);
    CU_ASSERT_STRING_EQUAL(pair.name, "TimeZone");
    CU_ASSERT_STRING_EQUAL(pair.value, "UTC");
    CU_ASSERT_EQUAL(read_parameter(BYTES("S\0\0\0\6\0\0")), PARSE_DONE);
    CU_ASSERT_EQUAL(read_parameter(BYTES("S\0\0\0\7a\0b")), PARSE_BAD);
    CU_ASSERT_EQUAL(read_parameter(BYTES("S\0\0\0\011a\0b\0x")), PARSE_BAD);
    check_reader(read_parameter, BYTES(PARAMETER));
    check_short_bodies(read_parameter, BYTES(PARAMETER));
}

static void
ready_has_three_states(void)
{
    char status = '?';

    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\5I"), &status), PARSE_DONE);
    CU_ASSERT_EQUAL(status, 'I');
    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\5T"), &status), PARSE_DONE);
    CU_ASSERT_EQUAL(status, 'T');
    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\5E"), &status), PARSE_DONE);
    CU_ASSERT_EQUAL(status, 'E');
    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\5i"), &status), PARSE_BAD);
    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\4"), &status), PARSE_BAD);
    CU_ASSERT_EQUAL(back_ready_read(BYTES("Z\0\0\0\6II"), &status), PARSE_BAD);
    CU_ASSERT_EQUAL(status, 'E');
    check_reader(read_ready, BYTES(READY));
}

static void
builders_write_what_postgresql_documents(void)
{
    static const char *const mechanisms[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", NULL };
    static const uint8_t salt[4] = { 1, 2, 0xfe, 0xff };
    struct buf b;

    buf_init(&b);
    build_auth(&b, AUTH_OK);
    build_auth(&b, AUTH_CLEARTEXT);
    build_auth_md5(&b, salt);
    build_auth_sasl(&b, mechanisms);
    build_auth_sasl_data(&b, AUTH_SASL_CONTINUE, BYTES("r=x"));
    build_auth_sasl_data(&b, AUTH_SASL_FINAL, BYTES("v=x"));
    build_key(&b, 0x102, BYTES("abcd"));
    build_parameter(&b, "TimeZone", "UTC");
    build_ready(&b, 'T');
    CU_ASSERT_TRUE(
        slice_equal(buf_slice(&b), BYTES(OK CLEARTEXT MD5 SASL CONTINUE FINAL KEY PARAMETER READY)));
    buf_release(&b);
}

static void
results_are_built_column_by_column(void)
{
    struct back_column column = { .name = "items", .type = 23, .size = 4, .format = 1 };
    struct buf b;
    size_t frame;

    buf_init(&b);
    frame = build_begin(&b, 'T', 1);
    build_column(&b, &column);
    build_end(&b, frame);
    build_complete(&b, "SHOW");
    build_bare(&b, 'I');
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("T\0\0\0\x1e\0\1items\0\0\0\0\0\0\0\0\0\0\x17\0\4"
                                                    "\xff\xff\xff\xff\0\1"
                                                    "C\0\0\0\011SHOW\0I\0\0\0\4")));
    buf_release(&b);
}

static void
a_negotiation_carries_the_whole_version_number(void)
{
    static const char *const unknown[] = { "_pq_.a", "_pq_.b" };
    struct buf b;

    buf_init(&b);
    build_negotiate(&b, 0, unknown, COUNT_OF(unknown));
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("v\0\0\0\x1a\0\3\0\0\0\0\0\2_pq_.a\0_pq_.b\0")));
    buf_drop(&b, buf_len(&b));
    build_negotiate(&b, 2, NULL, 0);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("v\0\0\0\x0c\0\3\0\2\0\0\0\0")));
    buf_release(&b);
}

/* One column "a" of a table, int4. */
#define COLUMN(name, origin, type, format) name "\0" origin "\0\0\0" type "\0\4\xff\xff\xff\xff\0" format
#define ROWS(columns) "T\0\0\0\x1a\0\1" columns

static void
a_shape_is_made_of_names_and_types(void)
{
    uint64_t plain = back_shape(BYTES(ROWS(COLUMN("a", "\0\0\0\1\0\1", "\x17", "\0"))), true);

    CU_ASSERT(plain != SHAPE_NONE && plain != SHAPE_ODD);
    CU_ASSERT_EQUAL(back_shape(BYTES(ROWS(COLUMN("a", "\0\0\0\2\0\3", "\x17", "\1"))), true), plain);
    CU_ASSERT_NOT_EQUAL(back_shape(BYTES(ROWS(COLUMN("b", "\0\0\0\1\0\1", "\x17", "\0"))), true), plain);
    CU_ASSERT_NOT_EQUAL(back_shape(BYTES(ROWS(COLUMN("a", "\0\0\0\1\0\1", "\x14", "\0"))), true), plain);
    CU_ASSERT_NOT_EQUAL(back_shape(BYTES("n\0\0\0\4"), true), plain);
    CU_ASSERT_NOT_EQUAL(back_shape(BYTES("t\0\0\0\6\0\0"), true),
                        back_shape(BYTES("t\0\0\0\x0a\0\1\0\0\0\x17"), true));
}

static void
what_cannot_be_looked_at_has_an_odd_shape(void)
{
    const struct slice whole = BYTES(ROWS(COLUMN("a", "\0\0\0\1\0\1", "\x17", "\0")));

    for (size_t len = 5; len < whole.len; len++)
        CU_ASSERT_EQUAL(back_shape(slice_of(whole.at, len), true), SHAPE_ODD);
    CU_ASSERT_EQUAL(back_shape(whole, false), SHAPE_ODD);
}

static void
tags_of_ddl_are_told_from_others(void)
{
    static const char *const changes[] = { "CREATE TABLE",   "ALTER TABLE",          "DROP TABLE",
                                           "DROP SCHEMA",    "CREATE VIEW",          "DROP TYPE",
                                           "ALTER FUNCTION", "DROP OWNED",           "DROP EXTENSION",
                                           "DROP SERVER",    "IMPORT FOREIGN SCHEMA" };
    static const char *const others[] = {
        "CREATE INDEX", "DROP INDEX", "ALTER ROLE",   "CREATE DATABASE", "INSERT 0 1",
        "SELECT 5",     "COMMIT",     "ALTER SYSTEM", "DROP TRIGGER",    ""
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++)
        CU_ASSERT_TRUE(tag_changes_schema(slice_of_text(changes[i])));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        CU_ASSERT_FALSE(tag_changes_schema(slice_of_text(others[i])));
}

void
suite_back(void)
{
    CU_pSuite suite = CU_add_suite("back", NULL, NULL);

    CU_ADD_TEST(suite, each_authentication_request_is_told_apart);
    CU_ADD_TEST(suite, authentication_requests_are_read_strictly);
    CU_ADD_TEST(suite, offered_mechanisms_are_found_by_their_whole_name);
    CU_ADD_TEST(suite, a_key_has_4_to_256_secret_bytes);
    CU_ADD_TEST(suite, a_parameter_is_two_strings);
    CU_ADD_TEST(suite, ready_has_three_states);
    CU_ADD_TEST(suite, builders_write_what_postgresql_documents);
    CU_ADD_TEST(suite, a_shape_is_made_of_names_and_types);
    CU_ADD_TEST(suite, what_cannot_be_looked_at_has_an_odd_shape);
    CU_ADD_TEST(suite, tags_of_ddl_are_told_from_others);
    CU_ADD_TEST(suite, results_are_built_column_by_column);
    CU_ADD_TEST(suite, a_negotiation_carries_the_whole_version_number);
}
