/*
 * test_scan.c - whatever the pieces, the messages are the same.
 *
 * `reader` is the caller that scan.h describes: it keeps what MORE left and presents it again, with more
 * behind it.
 */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/base/buf.h"
#include "pgweir/wire/rules.h"
#include "pgweir/wire/scan.h"

void suite_scan(void);

#define BODY(literal)                                   \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

struct sample {
    char type;
    struct slice body;
};

/* clang-format off */
/* One of each message that PostgreSQL's documentation lists. */
static const struct sample front_samples[] = {
    { 'Q', BODY("SELECT 1\0") },
    { 'Q', BODY("\0") },
    { 'P', BODY("s1\0SELECT $1\0\0\1\0\0\0\x17") },
    { 'B', BODY("\0s1\0\0\1\0\1\0\1\0\0\0\4\0\0\0\x2a\0\1\0\1") },
    { 'D', BODY("Ss1\0") },
    { 'D', BODY("P\0") },
    { 'E', BODY("\0\0\0\0\0") },
    { 'C', BODY("Ss1\0") },
    { 'S', BODY("") },
    { 'H', BODY("") },
    { 'F', BODY("\0\0\0\1\0\0\0\0\0\0") },
    { 'd', BODY("1\tone\n") },
    { 'd', BODY("") },
    { 'c', BODY("") },
    { 'f', BODY("enough\0") },
    { 'p', BODY("secret\0") },
    { 'p', BODY("SCRAM-SHA-256\0\0\0\0\2n,") },
    { 'X', BODY("") },
};

static const struct sample back_samples[] = {
    { 'R', BODY("\0\0\0\0") },
    { 'R', BODY("\0\0\0\5salt") },
    { 'R', BODY("\0\0\0\x0aSCRAM-SHA-256\0\0") },
    { 'v', BODY("\0\3\0\0\0\0\0\1_pq_.x\0") },
    { 'S', BODY("TimeZone\0UTC\0") },
    { 'K', BODY("\0\0\1\2abcd") },
    { 'Z', BODY("I") },
    { '1', BODY("") },
    { '2', BODY("") },
    { '3', BODY("") },
    { 't', BODY("\0\1\0\0\0\x17") },
    { 'T', BODY("\0\1a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0") },
    { 'n', BODY("") },
    { 'D', BODY("\0\2\0\0\0\1x\xff\xff\xff\xff") },
    { 'D', BODY("\0\0") },
    { 's', BODY("") },
    { 'C', BODY("SELECT 2\0") },
    { 'I', BODY("") },
    { 'G', BODY("\0\0\1\0\0") },
    { 'H', BODY("\0\0\1\0\0") },
    { 'W', BODY("\0\0\0") },
    { 'd', BODY("1\tone\n") },
    { 'c', BODY("") },
    { 'V', BODY("\xff\xff\xff\xff") },
    { 'E', BODY("SERROR\0VERROR\0C42601\0Msyntax\0\0") },
    { 'N', BODY("SNOTICE\0VNOTICE\0C00000\0Mhm\0\0") },
    { 'A', BODY("\0\0\0\1chan\0pay\0") },
};
/* clang-format on */

#define MOST_SEEN 64u

struct reader {
    struct scanner scanner;
    struct buf kept;
    struct buf passed; /* all spans in a row */
    struct {
        uint8_t type;
        uint32_t body_len;
        size_t first_len; /* of the MESSAGE span */
        bool is_complete;
    } seen[MOST_SEEN];
    size_t count;
    enum scan last;
    const char *why;
};

static void
reader_init(struct reader *r, const struct scan_rules *rules, uint32_t most_body, uint32_t most_whole)
{
    memset(r, 0, sizeof(*r));
    scanner_init(&r->scanner, rules, most_body, most_whole);
    buf_init(&r->kept);
    buf_init(&r->passed);
}

static void
reader_fini(struct reader *r)
{
    buf_release(&r->kept);
    buf_release(&r->passed);
}

/* Runs the scanner dry over IN; what is left is kept. */
static void
reader_drain(struct reader *r, struct slice in)
{
    struct scan_span span;

    for (;;) {
        r->last = scan_next(&r->scanner, &in, &span);
        switch (r->last) {
        case SCAN_MESSAGE:
            CU_ASSERT_FATAL(r->count < MOST_SEEN);
            r->seen[r->count].type = span.type;
            r->seen[r->count].body_len = span.body_len;
            r->seen[r->count].first_len = span.bytes.len;
            r->seen[r->count].is_complete = span.is_last;
            r->count++;
            CU_ASSERT_FATAL(span.bytes.at[0] == span.type);
            CU_ASSERT_FATAL(span.is_last == (span.bytes.len == SCAN_HEADER + (size_t)span.body_len));
            break;
        case SCAN_REST:
            CU_ASSERT_FATAL(r->count > 0 && span.bytes.len > 0);
            if (span.is_last)
                r->seen[r->count - 1].is_complete = true;
            break;
        case SCAN_MORE:
            buf_add(&r->kept, in);
            return;
        case SCAN_BAD:
            r->why = span.why;
            return;
        }
        CU_ASSERT_FATAL(span.is_last == scanner_is_between_messages(&r->scanner));
        buf_add(&r->passed, span.bytes);
    }
}

static void
reader_feed(struct reader *r, struct slice piece)
{
    uint8_t *copy;
    size_t len;

    buf_add(&r->kept, piece);
    len = buf_len(&r->kept);
    copy = len > 0 ? tight_copy(buf_slice(&r->kept)) : tight_copy(slice_of(NULL, 0));
    buf_drop(&r->kept, len);
    reader_drain(r, slice_of(copy, len));
    free(copy);
}

static void
add_message(struct buf *to, const struct sample *sample)
{
    buf_add_u8(to, (uint8_t)sample->type);
    buf_add_be32(to, (uint32_t)sample->body.len + 4);
    buf_add(to, sample->body);
}

/* STREAM went through R to its end as the COUNT messages of SAMPLES, waiting where RULES say so. */
static void
check_result(const struct reader *r, struct slice stream, const struct sample *samples, size_t count,
             const struct scan_rules *rules)
{
    CU_ASSERT_EQUAL_FATAL(r->last, SCAN_MORE);
    CU_ASSERT_EQUAL_FATAL(buf_len(&r->kept), 0);
    CU_ASSERT_TRUE_FATAL(slice_equal(buf_slice(&r->passed), stream));
    CU_ASSERT_EQUAL_FATAL(r->count, count);
    CU_ASSERT_TRUE_FATAL(scanner_is_between_messages(&r->scanner));
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL_FATAL(r->seen[i].type, (uint8_t)samples[i].type);
        CU_ASSERT_EQUAL_FATAL(r->seen[i].body_len, samples[i].body.len);
        CU_ASSERT_TRUE_FATAL(r->seen[i].is_complete);
        if (rules->need[(uint8_t)samples[i].type] == SCAN_WHOLE)
            CU_ASSERT_EQUAL_FATAL(r->seen[i].first_len, SCAN_HEADER + samples[i].body.len);
    }
}

/* Feeds SAMPLES in three pieces, cut at A and B, under RULES. */
static void
check_cut(const struct sample *samples, size_t count, const struct scan_rules *rules, size_t a, size_t b)
{
    struct reader r;
    struct buf stream;
    struct slice all;

    buf_init(&stream);
    for (size_t i = 0; i < count; i++)
        add_message(&stream, &samples[i]);
    all = buf_slice(&stream);
    a = a < all.len ? a : all.len;
    b = b < all.len ? b : all.len;
    reader_init(&r, rules, SCAN_MAX_BODY, SCAN_MAX_BODY);
    reader_feed(&r, slice_of(all.at, a));
    reader_feed(&r, slice_of(all.at + a, b - a));
    reader_feed(&r, slice_of(all.at + b, all.len - b));
    check_result(&r, all, samples, count, rules);
    reader_fini(&r);
    buf_release(&stream);
}

static void
check_each_in_three(const struct sample *samples, size_t count, const struct scan_rules *rules)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = SCAN_HEADER + samples[i].body.len;

        for (size_t a = 0; a <= len; a++)
            for (size_t b = a; b <= len; b++)
                check_cut(&samples[i], 1, rules, a, b);
    }
}

static void
check_all_in_two(const struct sample *samples, size_t count, const struct scan_rules *rules)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += SCAN_HEADER + samples[i].body.len;
    for (size_t a = 0; a <= len; a++)
        check_cut(samples, count, rules, a, len);
}

static void
check_byte_by_byte(const struct sample *samples, size_t count, const struct scan_rules *rules)
{
    struct reader r;
    struct buf stream;
    struct slice all;

    buf_init(&stream);
    for (size_t i = 0; i < count; i++)
        add_message(&stream, &samples[i]);
    all = buf_slice(&stream);
    reader_init(&r, rules, SCAN_MAX_BODY, SCAN_MAX_BODY);
    for (size_t i = 0; i < all.len; i++)
        reader_feed(&r, slice_of(all.at + i, 1));
    check_result(&r, all, samples, count, rules);
    reader_fini(&r);
    buf_release(&stream);
}

static void
every_message_passes_in_any_three_pieces(void)
{
    check_each_in_three(front_samples, COUNT_OF(front_samples), &front_relay_rules);
    check_each_in_three(front_samples, COUNT_OF(front_samples), &front_login_rules);
    check_each_in_three(back_samples, COUNT_OF(back_samples), &back_relay_rules);
    check_each_in_three(back_samples, COUNT_OF(back_samples), &back_login_rules);
}

static void
a_conversation_passes_in_any_two_pieces(void)
{
    check_all_in_two(front_samples, COUNT_OF(front_samples), &front_relay_rules);
    check_all_in_two(front_samples, COUNT_OF(front_samples), &front_login_rules);
    check_all_in_two(back_samples, COUNT_OF(back_samples), &back_relay_rules);
    check_all_in_two(back_samples, COUNT_OF(back_samples), &back_login_rules);
}

static void
a_conversation_passes_byte_by_byte(void)
{
    check_byte_by_byte(front_samples, COUNT_OF(front_samples), &front_relay_rules);
    check_byte_by_byte(front_samples, COUNT_OF(front_samples), &front_login_rules);
    check_byte_by_byte(back_samples, COUNT_OF(back_samples), &back_relay_rules);
    check_byte_by_byte(back_samples, COUNT_OF(back_samples), &back_login_rules);
}

static void
a_header_alone_is_yielded_at_once(void)
{
    struct reader r;

    reader_init(&r, &back_relay_rules, SCAN_MAX_BODY, 1024);
    reader_feed(&r, BYTES("D\0\0\0\x0e"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_EQUAL(r.seen[0].body_len, 10);
    CU_ASSERT_EQUAL(r.seen[0].first_len, SCAN_HEADER);
    CU_ASSERT_FALSE(r.seen[0].is_complete);
    CU_ASSERT_FALSE(scanner_is_between_messages(&r.scanner));
    reader_feed(&r, BYTES("0123456789"));
    CU_ASSERT_TRUE(r.seen[0].is_complete);
    reader_fini(&r);
}

static void
a_whole_message_waits_for_its_last_byte(void)
{
    struct reader r;

    reader_init(&r, &back_relay_rules, SCAN_MAX_BODY, 1024);
    reader_feed(&r, BYTES("C\0\0\0\x0dSELECT 1"));
    CU_ASSERT_EQUAL(r.count, 0);
    CU_ASSERT_EQUAL(buf_len(&r.kept), 13);
    CU_ASSERT_TRUE(scanner_is_between_messages(&r.scanner));
    reader_feed(&r, BYTES("\0"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_TRUE(r.seen[0].is_complete);
    CU_ASSERT_EQUAL(r.seen[0].first_len, 14);
    reader_fini(&r);
}

static void
a_rule_may_ask_for_the_first_bytes_only(void)
{
    static const struct scan_rules rules = { .need = { ['B'] = 3 } };
    struct reader r;

    reader_init(&r, &rules, SCAN_MAX_BODY, 1024);
    reader_feed(&r, BYTES("B\0\0\0\014ab"));
    CU_ASSERT_EQUAL(r.count, 0);
    reader_feed(&r, BYTES("c"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_EQUAL(r.seen[0].first_len, SCAN_HEADER + 3);
    reader_feed(&r, BYTES("defgh"));
    CU_ASSERT_TRUE(r.seen[0].is_complete);
    reader_feed(&r, BYTES("B\0\0\0\x05x")); /* shorter than the rule asks for */
    CU_ASSERT_EQUAL(r.count, 2);
    CU_ASSERT_TRUE(r.seen[1].is_complete);
    reader_fini(&r);
}

static void
no_rule_waits_for_more_than_most_whole(void)
{
    struct reader r;

    reader_init(&r, &back_relay_rules, SCAN_MAX_BODY, 4);
    reader_feed(&r, BYTES("E\0\0\0\x0eSER"));
    CU_ASSERT_EQUAL(r.count, 0);
    reader_feed(&r, BYTES("R"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_EQUAL(r.seen[0].first_len, SCAN_HEADER + 4);
    CU_ASSERT_FALSE(r.seen[0].is_complete);
    reader_feed(&r, BYTES("OR"));
    reader_feed(&r, BYTES("\0CXX"));
    CU_ASSERT_TRUE(r.seen[0].is_complete);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&r.passed), BYTES("E\0\0\0\x0eSERROR\0CXX")));
    reader_feed(&r, BYTES("Z\0\0\0\5I")); /* not longer: whole */
    CU_ASSERT_TRUE(r.seen[1].is_complete);
    reader_fini(&r);
}

static void
check_bad(struct slice bytes, uint32_t most_body, const char *word)
{
    struct scanner s;
    struct scan_span span = { .why = NULL };
    struct slice in = bytes;

    scanner_init(&s, &front_login_rules, most_body, most_body);
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_BAD);
    CU_ASSERT_PTR_EQUAL(in.at, bytes.at);
    CU_ASSERT_EQUAL(in.len, bytes.len);
    CU_ASSERT_TRUE(span.why != NULL && has_word(span.why, word));
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_BAD);
}

static void
a_length_below_four_is_bad(void)
{
    check_bad(BYTES("Q\0\0\0\0"), SCAN_MAX_BODY, "invalid message length");
    check_bad(BYTES("Q\0\0\0\1"), SCAN_MAX_BODY, "invalid message length");
    check_bad(BYTES("Q\0\0\0\3xyz"), SCAN_MAX_BODY, "invalid message length");
    check_bad(BYTES("Q\xff\xff\xff\xff"), SCAN_MAX_BODY, "invalid message length");
    check_bad(BYTES("Q\x80\0\0\0"), SCAN_MAX_BODY, "invalid message length");
}

static void
the_longest_body_passes_and_one_more_is_bad(void)
{
    struct reader r;

    reader_init(&r, &front_relay_rules, 10, 10);
    reader_feed(&r, BYTES("Q\0\0\0\x0e"));
    CU_ASSERT_EQUAL(r.count, 1);
    reader_fini(&r);
    check_bad(BYTES("Q\0\0\0\x0f"), 10, "before login");

    reader_init(&r, &front_relay_rules, UINT32_MAX, 10);
    CU_ASSERT_EQUAL(r.scanner.most_body, SCAN_MAX_BODY);
    reader_feed(&r, BYTES("d\x40\0\0\3"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_EQUAL(r.seen[0].body_len, SCAN_MAX_BODY);
    reader_fini(&r);
    check_bad(BYTES("d\x40\0\0\4"), UINT32_MAX, "invalid message length");
}

static void
a_gigabyte_streams_through(void)
{
    static uint8_t block[1 << 20];
    struct scanner s;
    struct scan_span span;
    struct slice in = BYTES("d\x40\0\0\3");
    size_t passed = 0;

    scanner_init(&s, &front_relay_rules, SCAN_MAX_BODY, 1024);
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_MESSAGE);
    while (!scanner_is_between_messages(&s)) {
        in = slice_of(block, sizeof(block));
        CU_ASSERT_EQUAL_FATAL(scan_next(&s, &in, &span), SCAN_REST);
        passed += span.bytes.len;
    }
    CU_ASSERT_EQUAL(passed, SCAN_MAX_BODY);
    CU_ASSERT_TRUE(span.is_last);
    CU_ASSERT_EQUAL(in.len, 1); /* the block that held the end held one byte more */
}

static void
bad_bytes_behind_good_messages_do_not_spoil_them(void)
{
    struct reader r;

    reader_init(&r, &front_relay_rules, SCAN_MAX_BODY, 1024);
    reader_feed(&r, BYTES("S\0\0\0\4Q\0\0\0\2"));
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_TRUE(r.seen[0].is_complete);
    CU_ASSERT_EQUAL(r.last, SCAN_BAD);
    reader_fini(&r);
}

static void
nothing_at_all_asks_for_more(void)
{
    struct scanner s;
    struct scan_span span;
    struct slice in = { NULL, 0 };

    scanner_init(&s, &front_relay_rules, SCAN_MAX_BODY, 1024);
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_MORE);
    in = BYTES("Q\0\0\0\x0e");
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_MESSAGE);
    in = slice_of(NULL, 0);
    CU_ASSERT_EQUAL(scan_next(&s, &in, &span), SCAN_MORE);
    CU_ASSERT_FALSE(scanner_is_between_messages(&s));
}

void
suite_scan(void)
{
    CU_pSuite suite = CU_add_suite("scan", NULL, NULL);

    CU_ADD_TEST(suite, every_message_passes_in_any_three_pieces);
    CU_ADD_TEST(suite, a_conversation_passes_in_any_two_pieces);
    CU_ADD_TEST(suite, a_conversation_passes_byte_by_byte);
    CU_ADD_TEST(suite, a_header_alone_is_yielded_at_once);
    CU_ADD_TEST(suite, a_whole_message_waits_for_its_last_byte);
    CU_ADD_TEST(suite, a_rule_may_ask_for_the_first_bytes_only);
    CU_ADD_TEST(suite, no_rule_waits_for_more_than_most_whole);
    CU_ADD_TEST(suite, a_length_below_four_is_bad);
    CU_ADD_TEST(suite, the_longest_body_passes_and_one_more_is_bad);
    CU_ADD_TEST(suite, a_gigabyte_streams_through);
    CU_ADD_TEST(suite, bad_bytes_behind_good_messages_do_not_spoil_them);
    CU_ADD_TEST(suite, nothing_at_all_asks_for_more);
}
