/* test_front.c - what frontends say, cut short at every length, and lying. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "reader.h"
#include "pgweir/wire/front.h"

void suite_front(void);

#define PASSWORD "p\0\0\0\x0bsecret\0"
#define INITIAL "p\0\0\0\x1bSCRAM-SHA-256\0\0\0\0\5n,,n="
#define RESPONSE "p\0\0\0\7abc"

#define QUERY "Q\0\0\0\x0dSHOW x;;\0"
#define PARSE "P\0\0\0\x12st\0SHOW\0\0\1\0\0\0\x19"
#define BIND "B\0\0\0\x1dpo\0st\0\0\1\0\1\0\2\xff\xff\xff\xff\0\0\0\1x\0\1\0\1"
#define DESCRIBE "D\0\0\0\x08Sst\0"
#define CLOSE "C\0\0\0\x08Ppo\0"
#define EXECUTE "E\0\0\0\x0bpo\0\0\0\0\7"

static enum parse
read_query(struct slice message)
{
    const char *out;

    return front_query_read(message, &out);
}

static enum parse
read_parse(struct slice message)
{
    struct front_parse out;

    return front_parse_read(message, &out);
}

static enum parse
read_bind(struct slice message)
{
    struct front_bind out;

    return front_bind_read(message, &out);
}

static enum parse
read_describe(struct slice message)
{
    struct front_target out;

    return front_describe_read(message, &out);
}

static enum parse
read_close(struct slice message)
{
    struct front_target out;

    return front_close_read(message, &out);
}

static enum parse
read_execute(struct slice message)
{
    struct front_execute out;

    return front_execute_read(message, &out);
}

static void
requests_are_read_to_their_last_byte(void)
{
    static const struct {
        read_one *read;
        struct slice message;
    } cases[] = {
        { read_query, { (const uint8_t *)QUERY, sizeof QUERY - 1 } },
        { read_parse, { (const uint8_t *)PARSE, sizeof PARSE - 1 } },
        { read_bind, { (const uint8_t *)BIND, sizeof BIND - 1 } },
        { read_describe, { (const uint8_t *)DESCRIBE, sizeof DESCRIBE - 1 } },
        { read_close, { (const uint8_t *)CLOSE, sizeof CLOSE - 1 } },
        { read_execute, { (const uint8_t *)EXECUTE, sizeof EXECUTE - 1 } },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_reader(cases[i].read, cases[i].message);
        check_short_bodies(cases[i].read, cases[i].message);
    }
}

static void
the_parts_of_a_request_are_told(void)
{
    struct front_parse parse;
    struct front_bind bind;
    struct front_target target;
    struct front_execute execute;

    CU_ASSERT_EQUAL(front_parse_read(BYTES(PARSE), &parse), PARSE_DONE);
    CU_ASSERT_STRING_EQUAL(parse.name, "st");
    CU_ASSERT_STRING_EQUAL(parse.text, "SHOW");
    CU_ASSERT_EQUAL(parse.type_count, 1);
    CU_ASSERT_EQUAL(front_bind_read(BYTES(BIND), &bind), PARSE_DONE);
    CU_ASSERT_STRING_EQUAL(bind.portal, "po");
    CU_ASSERT_STRING_EQUAL(bind.statement, "st");
    CU_ASSERT_EQUAL(bind.value_count, 2);
    CU_ASSERT_EQUAL(bind.format_count, 1);
    CU_ASSERT_TRUE(slice_equal(bind.formats, BYTES("\0\1")));
    CU_ASSERT_EQUAL(front_describe_read(BYTES(DESCRIBE), &target), PARSE_DONE);
    CU_ASSERT_EQUAL(target.kind, 'S');
    CU_ASSERT_STRING_EQUAL(target.name, "st");
    CU_ASSERT_EQUAL(front_close_read(BYTES("C\0\0\0\x06Q\0"), &target), PARSE_BAD);
    CU_ASSERT_EQUAL(front_execute_read(BYTES(EXECUTE), &execute), PARSE_DONE);
    CU_ASSERT_EQUAL(execute.most_rows, 7);
}

static enum parse
read_password(struct slice message)
{
    struct slice out;

    return front_password_read(message, &out);
}

static enum parse
read_initial(struct slice message)
{
    struct sasl_initial out;

    return front_sasl_initial_read(message, &out);
}

static enum parse
read_response(struct slice message)
{
    struct slice out;

    return front_sasl_response_read(message, &out);
}

static void
a_password_comes_without_its_nul(void)
{
    struct slice password;

    CU_ASSERT_EQUAL(front_password_read(BYTES(PASSWORD), &password), PARSE_DONE);
    CU_ASSERT_TRUE(slice_is(password, "secret"));
    CU_ASSERT_EQUAL(front_password_read(BYTES("p\0\0\0\5\0"), &password), PARSE_DONE);
    CU_ASSERT_EQUAL(password.len, 0);
    check_reader(read_password, BYTES(PASSWORD));
    check_short_bodies(read_password, BYTES(PASSWORD));
}

static void
a_password_with_a_nul_inside_is_bad(void)
{
    struct slice password;

    CU_ASSERT_EQUAL(front_password_read(BYTES("p\0\0\0\011ab\0c\0"), &password), PARSE_BAD);
    CU_ASSERT_EQUAL(front_password_read(BYTES("p\0\0\0\x06\0\0"), &password), PARSE_BAD);
}

static void
a_sasl_initial_response_names_its_mechanism(void)
{
    struct sasl_initial initial;

    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES(INITIAL), &initial), PARSE_DONE);
    CU_ASSERT_TRUE(slice_is(initial.mechanism, "SCRAM-SHA-256"));
    CU_ASSERT_TRUE(slice_is(initial.response, "n,,n="));
    CU_ASSERT_TRUE(initial.has_response);
    check_reader(read_initial, BYTES(INITIAL));
    check_short_bodies(read_initial, BYTES(INITIAL));
}

static void
a_sasl_initial_response_may_be_absent(void)
{
    struct sasl_initial initial;

    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES("p\0\0\0\x0ePLAIN\0\xff\xff\xff\xff"), &initial),
                    PARSE_DONE);
    CU_ASSERT_TRUE(slice_is(initial.mechanism, "PLAIN"));
    CU_ASSERT_EQUAL(initial.response.len, 0);
    CU_ASSERT_FALSE(initial.has_response);
    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES("p\0\0\0\x0ePLAIN\0\0\0\0\0"), &initial), PARSE_DONE);
    CU_ASSERT_TRUE(initial.has_response);
    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES("p\0\0\0\x0fPLAIN\0\xff\xff\xff\xffx"), &initial),
                    PARSE_BAD);
}

static void
an_inner_length_that_lies_is_bad(void)
{
    static const uint32_t lies[] = { 0, 4, 6, 0x7fffffff, 0x80000000, 0xfffffffe };
    struct slice message = BYTES(INITIAL);
    uint8_t *copy = tight_copy(message);

    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        put_be32(copy + 5 + sizeof("SCRAM-SHA-256"), lies[i]);
        CU_ASSERT_EQUAL(read_initial(slice_of(copy, message.len)), PARSE_BAD);
    }
    free(copy);
}

static void
a_sasl_response_is_taken_as_it_is(void)
{
    struct slice response;

    CU_ASSERT_EQUAL(front_sasl_response_read(BYTES(RESPONSE), &response), PARSE_DONE);
    CU_ASSERT_TRUE(slice_is(response, "abc"));
    CU_ASSERT_EQUAL(front_sasl_response_read(BYTES("p\0\0\0\4"), &response), PARSE_DONE);
    CU_ASSERT_EQUAL(response.len, 0);
    check_reader(read_response, BYTES(RESPONSE));
}

static void
a_failed_read_leaves_out_alone(void)
{
    struct sasl_initial initial = { .response = { NULL, 77 } };
    struct slice out = { NULL, 77 };

    CU_ASSERT_EQUAL(front_password_read(BYTES("p\0\0\0\5x"), &out), PARSE_BAD);
    CU_ASSERT_EQUAL(front_sasl_response_read(BYTES("q\0\0\0\5x"), &out), PARSE_BAD);
    CU_ASSERT_EQUAL(out.len, 77);
    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES("p\0\0\0\x0a\0\0\0\0\1"), &initial), PARSE_MORE);
    CU_ASSERT_EQUAL(front_sasl_initial_read(BYTES("p\0\0\0\x09\0\0\0\0\1"), &initial), PARSE_BAD);
    CU_ASSERT_EQUAL(initial.response.len, 77);
}

static void
builders_write_what_postgresql_documents(void)
{
    struct buf b;

    buf_init(&b);
    build_query(&b, "SELECT 1");
    build_sync(&b);
    build_copy_fail(&b, "no");
    build_password(&b, "secret");
    build_sasl_initial(&b, "SCRAM-SHA-256", BYTES("n,,n="));
    build_sasl_response(&b, BYTES("abc"));
    build_terminate(&b);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&b), BYTES("Q\0\0\0\x0dSELECT 1\0"
                                                    "S\0\0\0\4"
                                                    "f\0\0\0\7no\0" PASSWORD INITIAL RESPONSE "X\0\0\0\4")));
    buf_release(&b);
}

void
suite_front(void)
{
    CU_pSuite suite = CU_add_suite("front", NULL, NULL);

    CU_ADD_TEST(suite, requests_are_read_to_their_last_byte);
    CU_ADD_TEST(suite, the_parts_of_a_request_are_told);
    CU_ADD_TEST(suite, a_password_comes_without_its_nul);
    CU_ADD_TEST(suite, a_password_with_a_nul_inside_is_bad);
    CU_ADD_TEST(suite, a_sasl_initial_response_names_its_mechanism);
    CU_ADD_TEST(suite, a_sasl_initial_response_may_be_absent);
    CU_ADD_TEST(suite, an_inner_length_that_lies_is_bad);
    CU_ADD_TEST(suite, a_sasl_response_is_taken_as_it_is);
    CU_ADD_TEST(suite, a_failed_read_leaves_out_alone);
    CU_ADD_TEST(suite, builders_write_what_postgresql_documents);
}
