/* test_base64.c - RFC 4648's vectors, every length, and what is not base64. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/base64.h"

void suite_base64(void);

static const struct {
    const char *plain;
    const char *encoded;
} vectors[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
};

static void
the_vectors_of_rfc_4648_hold_both_ways(void)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t plain[8];
        size_t len = 77;
        struct buf b;

        buf_init(&b);
        base64_add(&b, slice_of_text(vectors[i].plain));
        CU_ASSERT_EQUAL(buf_len(&b), strlen(vectors[i].encoded));
        CU_ASSERT_EQUAL(buf_len(&b), BASE64_LEN(strlen(vectors[i].plain)));
        CU_ASSERT_TRUE(b.at == NULL || slice_is(buf_slice(&b), vectors[i].encoded));
        CU_ASSERT_TRUE(base64_read(slice_of_text(vectors[i].encoded), plain, sizeof(plain), &len));
        CU_ASSERT_TRUE(slice_is(slice_of(plain, len), vectors[i].plain));
        buf_release(&b);
    }
}

static void
any_bytes_of_any_length_come_back(void)
{
    uint8_t bytes[100];
    uint8_t back[100];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t len = 1; len <= sizeof(bytes); len++) {
        size_t back_len = 0;
        struct buf b;

        buf_init(&b);
        base64_add(&b, slice_of(bytes, len));
        CU_ASSERT_TRUE(base64_is(buf_slice(&b)));
        CU_ASSERT_TRUE(base64_read(buf_slice(&b), back, len, &back_len));
        CU_ASSERT_TRUE(slice_equal(slice_of(back, back_len), slice_of(bytes, len)));
        CU_ASSERT_FALSE(base64_read(buf_slice(&b), back, len - 1, &back_len));
        buf_release(&b);
    }
}

static void
what_is_not_base64_is_refused(void)
{
    static const char *const bad[] = {
        "Z",      "Zg",   "Zg=",  "Zg===", "=",    "==",   "===",     "====",  "Z===",     "Zm=v", "Zg==Zg==",
        "Zm9v\n", "Zm9 ", "Zm9-", "Zm9_",  "Zh==", "Zm9=", "Zm\xc3v", "Zm9vY", "Zm9vYg=g", "=Zm9", "Zg=A",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t to[16];
        size_t len = 77;

        CU_ASSERT_FALSE(base64_is(slice_of_text(bad[i])));
        CU_ASSERT_FALSE(base64_read(slice_of_text(bad[i]), to, sizeof(to), &len));
        CU_ASSERT_EQUAL(len, 77);
    }
}

void
suite_base64(void)
{
    CU_pSuite suite = CU_add_suite("base64", NULL, NULL);

    CU_ADD_TEST(suite, the_vectors_of_rfc_4648_hold_both_ways);
    CU_ADD_TEST(suite, any_bytes_of_any_length_come_back);
    CU_ADD_TEST(suite, what_is_not_base64_is_refused);
}
