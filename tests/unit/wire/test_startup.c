/* test_startup.c - the first packet, in pieces, mutilated, and lying about itself. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/startup.h"

void suite_startup(void);

#define LOGIN "\0\0\0\x25\0\3\0\0user\0alice\0database\0shop\0a\0\0\0"
#define SSL "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSSENC "\0\0\0\x08\x04\xd2\x16\x30"
#define CANCEL "\0\0\0\x10\x04\xd2\x16\x2e\0\0\1\2abcd"

static enum parse
read_tight(struct slice in, struct startup *out, const char **why)
{
    uint8_t *copy = tight_copy(in);
    enum parse p = startup_read(slice_of(copy, in.len), out, why);

    free(copy); /* the caller looks at numbers only */
    return p;
}

/* Every beginning of PACKET asks for more; PACKET itself and PACKET with more behind it are read. */
static void
check_in_pieces(struct slice packet, enum startup_kind kind)
{
    struct startup s;
    const char *why = NULL;
    uint8_t longer[256];

    for (size_t len = 0; len < packet.len; len++)
        CU_ASSERT_EQUAL(read_tight(slice_of(packet.at, len), &s, &why), PARSE_MORE);
    CU_ASSERT_EQUAL(read_tight(packet, &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.kind, kind);
    CU_ASSERT_EQUAL(s.bytes, packet.len);

    CU_ASSERT_FATAL(packet.len + 3 <= sizeof(longer));
    memcpy(longer, packet.at, packet.len);
    memcpy(longer + packet.len, "abc", 3);
    CU_ASSERT_EQUAL(read_tight(slice_of(longer, packet.len + 3), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.bytes, packet.len);
    CU_ASSERT_PTR_NULL(why);
}

static void
check_bad(struct slice packet, const char *word)
{
    struct startup s = { .bytes = 77 };
    const char *why = "";

    CU_ASSERT_EQUAL(read_tight(packet, &s, &why), PARSE_BAD);
    CU_ASSERT_TRUE(has_word(why, word));
    CU_ASSERT_EQUAL(s.bytes, 77);
}

static void
each_kind_is_read_once_it_is_all_there(void)
{
    check_in_pieces(BYTES(LOGIN), STARTUP_LOGIN);
    check_in_pieces(BYTES(SSL), STARTUP_SSL);
    check_in_pieces(BYTES(GSSENC), STARTUP_GSSENC);
    check_in_pieces(BYTES(CANCEL), STARTUP_CANCEL);
    check_in_pieces(BYTES("\0\0\0\x09\0\3\0\0\0"), STARTUP_LOGIN);
}

static void
a_login_yields_its_pairs_in_order(void)
{
    struct startup s;
    struct startup_pair pair;
    struct slice rest;
    const char *why;

    CU_ASSERT_EQUAL_FATAL(startup_read(BYTES(LOGIN), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.minor, 0);
    rest = s.pairs;
    CU_ASSERT_TRUE_FATAL(startup_next(&rest, &pair));
    CU_ASSERT_STRING_EQUAL(pair.name, "user");
    CU_ASSERT_STRING_EQUAL(pair.value, "alice");
    CU_ASSERT_TRUE_FATAL(startup_next(&rest, &pair));
    CU_ASSERT_STRING_EQUAL(pair.name, "database");
    CU_ASSERT_STRING_EQUAL(pair.value, "shop");
    CU_ASSERT_TRUE_FATAL(startup_next(&rest, &pair));
    CU_ASSERT_STRING_EQUAL(pair.name, "a");
    CU_ASSERT_STRING_EQUAL(pair.value, "");
    CU_ASSERT_FALSE(startup_next(&rest, &pair));
    CU_ASSERT_FALSE(startup_next(&rest, &pair));
}

static void
walking_half_a_pair_ends(void)
{
    struct startup_pair pair;
    struct slice rest = BYTES("user\0ali");

    CU_ASSERT_FALSE(startup_next(&rest, &pair));
    rest = BYTES("user");
    CU_ASSERT_FALSE(startup_next(&rest, &pair));
    rest = slice_of(NULL, 0);
    CU_ASSERT_FALSE(startup_next(&rest, &pair));
}

static void
a_later_minor_version_is_told(void)
{
    struct startup s;
    const char *why;

    CU_ASSERT_EQUAL(startup_read(BYTES("\0\0\0\x09\0\3\0\2\0"), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.minor, 2);
    CU_ASSERT_EQUAL(startup_read(BYTES("\0\0\0\x09\0\3\x27\x0f\0"), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.minor, 9999);
}

static void
another_major_version_is_unsupported_before_its_end(void)
{
    check_bad(BYTES("\0\0\1\x28\0\2\0\0"), "unsupported frontend protocol");
    check_bad(BYTES("\0\0\0\x09\0\4\0\0"), "unsupported frontend protocol");
    check_bad(BYTES("\0\0\0\x08\x04\xd2\x16\x31"), "unsupported frontend protocol");
}

static void
a_cancel_request_may_carry_4_to_256_secret_bytes(void)
{
    struct startup s;
    const char *why = "";
    uint8_t packet[12 + 257];

    memcpy(packet, CANCEL, 12);
    memset(packet + 12, 'x', sizeof(packet) - 12);
    for (uint32_t len = 0; len <= 257; len++) {
        put_be32(packet, 12 + len);
        if (len < 4 || len > 256) {
            check_bad(slice_of(packet, 12 + len), "invalid length");
            continue;
        }
        CU_ASSERT_EQUAL(startup_read(slice_of(packet, 12 + len), &s, &why), PARSE_DONE);
        CU_ASSERT_EQUAL(s.cancel_pid, 0x102);
        CU_ASSERT_EQUAL(s.cancel_secret.len, len);
        CU_ASSERT_PTR_EQUAL(s.cancel_secret.at, packet + 12);
    }
}

static void
a_request_for_encryption_of_another_length_is_bad(void)
{
    check_bad(BYTES("\0\0\0\x09\x04\xd2\x16\x2f"), "invalid length");
    check_bad(BYTES("\0\0\0\x0c\x04\xd2\x16\x30"), "invalid length");
}

static void
a_tls_hello_is_known_by_its_first_byte(void)
{
    struct startup s;
    const char *why;

    CU_ASSERT_EQUAL(read_tight(BYTES("\x16"), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.kind, STARTUP_TLS_HELLO);
    CU_ASSERT_EQUAL(s.bytes, 0);
    CU_ASSERT_EQUAL(read_tight(BYTES("\x16\3\1\2\0"), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.kind, STARTUP_TLS_HELLO);
}

static void
an_absurd_length_is_refused_at_once(void)
{
    check_bad(BYTES("G"), "invalid length");
    check_bad(BYTES("GET / HTTP/1.1\r\n"), "invalid length");
    check_bad(BYTES("\0\0\0\0"), "invalid length");
    check_bad(BYTES("\0\0\0\7"), "invalid length");
    check_bad(BYTES("\0\0\x27\x15"), "invalid length");
    check_bad(BYTES("\xff\xff\xff\xff"), "invalid length");
    check_bad(BYTES("\0\1\0\0"), "invalid length");
}

static void
the_longest_packet_of_postgresql_is_accepted(void)
{
    static uint8_t packet[10004];
    struct startup s;
    const char *why;

    memset(packet, 'v', sizeof(packet));
    memcpy(packet, "\0\0\x27\x14\0\3\0\0n\0", 10);
    packet[sizeof(packet) - 2] = 0;
    packet[sizeof(packet) - 1] = 0;
    CU_ASSERT_EQUAL(startup_read(slice_of(packet, sizeof(packet)), &s, &why), PARSE_DONE);
    CU_ASSERT_EQUAL(s.bytes, sizeof(packet));
}

static void
a_list_that_does_not_end_as_it_should_is_bad(void)
{
    check_bad(BYTES("\0\0\0\x08\0\3\0\0"), "terminator");
    check_bad(BYTES("\0\0\0\x09\0\3\0\0u"), "terminator");
    check_bad(BYTES("\0\0\0\x0a\0\3\0\0u\0"), "terminator");
    check_bad(BYTES("\0\0\0\x0b\0\3\0\0u\0a"), "terminator");
    check_bad(BYTES("\0\0\0\x0c\0\3\0\0u\0a\0"), "terminator");
    check_bad(BYTES("\0\0\0\x0e\0\3\0\0u\0a\0\0x"), "terminator");
    check_bad(BYTES("\0\0\0\x0a\0\3\0\0\0\0"), "terminator");
}

static void
a_lying_length_never_reads_outside_the_packet(void)
{
    uint8_t packet[sizeof(LOGIN) - 1];
    struct startup s;
    const char *why;

    memcpy(packet, LOGIN, sizeof(packet));
    for (uint32_t len = 0; len < sizeof(packet); len++) {
        put_be32(packet, len);
        CU_ASSERT_EQUAL(read_tight(slice_of(packet, sizeof(packet)), &s, &why), PARSE_BAD);
    }
    for (uint32_t len = sizeof(packet) + 1; len < 10004; len += 97) {
        put_be32(packet, len);
        CU_ASSERT_EQUAL(read_tight(slice_of(packet, sizeof(packet)), &s, &why), PARSE_MORE);
    }
}

static void
too_many_parameters_are_refused(void)
{
    uint8_t packet[8 + 3 * (STARTUP_MOST_PARAMETERS + 1) + 1] = { 0 };
    struct startup s;
    const char *why = "";
    uint32_t len = 8 + 3 * STARTUP_MOST_PARAMETERS + 1;

    for (size_t i = 0; i <= STARTUP_MOST_PARAMETERS; i++)
        packet[8 + 3 * i] = 'n';
    packet[len - 1] = 0;
    put_be32(packet, len);
    put_be32(packet + 4, 3u << 16);
    CU_ASSERT_EQUAL(startup_read(slice_of(packet, len), &s, &why), PARSE_DONE);
    packet[len - 1] = 'n';
    put_be32(packet, len + 3);
    check_bad(slice_of(packet, len + 3), "too many");
}

/* --- the `options` parameter --- */

static void
write_setting(void *arg, const char *name, const char *value)
{
    char *text = arg;

    strcat(text, "[");
    strcat(text, name);
    strcat(text, "|");
    strcat(text, value);
    strcat(text, "]");
}

static const struct {
    const char *options;
    const char *settings;
    enum parse result;
} option_rows[] = {
    { "", "", PARSE_DONE },
    { " \t\n ", "", PARSE_DONE },
    { "-c geqo=off", "[geqo|off]", PARSE_DONE },
    { "-cgeqo=off", "[geqo|off]", PARSE_DONE },
    { "--geqo=off", "[geqo|off]", PARSE_DONE },
    { "  -c   geqo=off  --work-mem=1MB ", "[geqo|off][work_mem|1MB]", PARSE_DONE },
    { "-c statement-timeout=5min", "[statement_timeout|5min]", PARSE_DONE },
    { "-c a.b=c=d", "[a.b|c=d]", PARSE_DONE },
    { "--name=", "[name|]", PARSE_DONE },
    { "-c search_path=a\\ b,\\\\c", "[search_path|a b,\\c]", PARSE_DONE },
    { "-c\\ x=1", "[ x|1]", PARSE_DONE },
    { "-c x=a-b", "[x|a-b]", PARSE_DONE },
    { "-c x=1\\", "[x|1]", PARSE_DONE },
    { "-c\tx=1\v-c\fy=2\r", "[x|1][y|2]", PARSE_DONE },
    { "-c --x=1", "[__x|1]", PARSE_DONE },
    { "-c", "", PARSE_BAD },
    { "-c ", "", PARSE_BAD },
    { "-c x", "", PARSE_BAD },
    { "-c =1", "", PARSE_BAD },
    { "--", "", PARSE_BAD },
    { "--x", "", PARSE_BAD },
    { "--=1", "", PARSE_BAD },
    { "-e", "", PARSE_BAD },
    { "-", "", PARSE_BAD },
    { "x=1", "", PARSE_BAD },
    { "-c x=1 y", "[x|1]", PARSE_BAD },
    { "-c x=1 -B 5 -c y=2", "[x|1]", PARSE_BAD },
    { "\\", "", PARSE_BAD },
};

static void
options_are_split_as_postgresql_does(void)
{
    for (size_t i = 0; i < COUNT_OF(option_rows); i++) {
        char settings[128] = "";
        const char *why = NULL;

        CU_ASSERT_EQUAL(startup_options_read(option_rows[i].options, write_setting, settings, &why),
                        option_rows[i].result);
        CU_ASSERT_STRING_EQUAL(settings, option_rows[i].settings);
        CU_ASSERT_EQUAL(why != NULL, option_rows[i].result == PARSE_BAD);
    }
}

/* --- builders --- */

static void
a_built_packet_is_what_the_reader_reads(void)
{
    static const struct startup_pair pairs[] = {
        { "user", "alice" },
        { "database", "shop" },
        { "a", "" },
    };
    struct buf b;

    buf_init(&b);
    build_startup(&b, 0, pairs, COUNT_OF(pairs));
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES(LOGIN)));
    buf_drop(&b, buf_len(&b));
    build_startup(&b, 2, NULL, 0);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("\0\0\0\x09\0\3\0\2\0")));
    buf_drop(&b, buf_len(&b));
    build_ssl_request(&b);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES(SSL)));
    buf_drop(&b, buf_len(&b));
    build_cancel_request(&b, 0x102, BYTES("abcd"));
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES(CANCEL)));
    buf_release(&b);
}

static void
builders_append_behind_what_is_there(void)
{
    static const struct startup_pair pair = { "user", "bob" };
    struct buf b;

    buf_init(&b);
    buf_add_text(&b, "xyz");
    buf_drop(&b, 1);
    build_startup(&b, 0, &pair, 1);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("yz\0\0\0\x12\0\3\0\0user\0bob\0\0")));
    buf_release(&b);
}

void
suite_startup(void)
{
    CU_pSuite suite = CU_add_suite("startup", NULL, NULL);

    CU_ADD_TEST(suite, each_kind_is_read_once_it_is_all_there);
    CU_ADD_TEST(suite, a_login_yields_its_pairs_in_order);
    CU_ADD_TEST(suite, walking_half_a_pair_ends);
    CU_ADD_TEST(suite, a_later_minor_version_is_told);
    CU_ADD_TEST(suite, another_major_version_is_unsupported_before_its_end);
    CU_ADD_TEST(suite, a_cancel_request_may_carry_4_to_256_secret_bytes);
    CU_ADD_TEST(suite, a_request_for_encryption_of_another_length_is_bad);
    CU_ADD_TEST(suite, a_tls_hello_is_known_by_its_first_byte);
    CU_ADD_TEST(suite, an_absurd_length_is_refused_at_once);
    CU_ADD_TEST(suite, the_longest_packet_of_postgresql_is_accepted);
    CU_ADD_TEST(suite, a_list_that_does_not_end_as_it_should_is_bad);
    CU_ADD_TEST(suite, a_lying_length_never_reads_outside_the_packet);
    CU_ADD_TEST(suite, too_many_parameters_are_refused);
    CU_ADD_TEST(suite, options_are_split_as_postgresql_does);
    CU_ADD_TEST(suite, a_built_packet_is_what_the_reader_reads);
    CU_ADD_TEST(suite, builders_append_behind_what_is_there);
}
