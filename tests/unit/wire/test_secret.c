/* test_secret.c - stored forms as PostgreSQL 15 wrote them, and the keys of RFC 7677. */
#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/base64.h"
#include "pgweir/wire/secret.h"

void suite_secret(void);

#define BOB                                                                                     \
    "SCRAM-SHA-256$4096:5qRVLEt6n9rSC/gkUVhUVQ==$V6r4pAUt63bDNBrT9xRQg00U7b+cT6KEHok324tILwA=:" \
    "lltKbtimojOv+ChzMib5VURe8t274R6jViRTbiCbsNE="
#define CARL                                                                                    \
    "SCRAM-SHA-256$4096:g4lriZEO6sw5KlQPulykfA==$lt0wmYmiZ/q5EVaA45YxQZhvtv0CD1y59XgL8XzqTyM=:" \
    "vwVHF4ZeiCFO4++T3n6mSgp0TkK6wyJ/DOa6GZ52xjM="
#define KEY_A "V6r4pAUt63bDNBrT9xRQg00U7b+cT6KEHok324tILwA="
#define KEY_B "lltKbtimojOv+ChzMib5VURe8t274R6jViRTbiCbsNE="

/* From pg_authid of PostgreSQL 15 with password_encryption = md5. */
static const struct {
    const char *user;
    const char *password;
    const char *stored;
} md5_rows[] = {
    { "alice", "secret", "md54a0a68b43b6cd5cf266fa02f196e2371" },
    { "ünï", "pässwörd", "md53a1175821c3d307868bb13998fbfb33a" },
    { "we ird", "x", "md541b099906295c3772bd24c153e66adb8" },
};

static void
md5_is_stored_as_postgresql_stores_it(void)
{
    for (size_t i = 0; i < COUNT_OF(md5_rows); i++) {
        char stored[MD5_TEXT];

        md5_stored(md5_rows[i].password, md5_rows[i].user, stored);
        CU_ASSERT_STRING_EQUAL(stored, md5_rows[i].stored);
    }
}

static void
md5_goes_over_the_wire_salted(void)
{
    static const uint8_t salt[4] = { 1, 2, 0xfe, 0xff };
    char response[MD5_TEXT];

    md5_response("md54a0a68b43b6cd5cf266fa02f196e2371", salt, response);
    CU_ASSERT_STRING_EQUAL(response, "md5e9b7072d7c7ccc7b5f9a7b7d60c9a2f9");
}

static const struct {
    const char *stored;
    enum secret_kind kind;
} kind_rows[] = {
    { NULL, SECRET_NONE },
    { "", SECRET_NONE },
    { "secret", SECRET_PLAIN },
    { "md5", SECRET_PLAIN },
    { "md54a0a68b43b6cd5cf266fa02f196e2371", SECRET_MD5 },
    { "md54A0a68b43b6cd5cf266fa02f196e2371", SECRET_PLAIN },
    { "md54a0a68b43b6cd5cf266fa02f196e237", SECRET_PLAIN },
    { "md54a0a68b43b6cd5cf266fa02f196e23711", SECRET_PLAIN },
    { "MD54a0a68b43b6cd5cf266fa02f196e2371", SECRET_PLAIN },
    { BOB, SECRET_SCRAM },
    { "SCRAM-SHA-256$1:YQ==$" KEY_A ":" KEY_B, SECRET_SCRAM },
    { BOB "x", SECRET_PLAIN },
    { "SCRAM-SHA-256", SECRET_PLAIN },
    { "SCRAM-SHA-256$", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==$", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==$" KEY_A, SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==$" KEY_A ":", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==$" KEY_A ":YQ==", SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:YQ==$YQ==:" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:Y$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$4096:$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$0:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$-1:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$4096x:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$2147483648:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-256$99999999999999999999:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
    { "SCRAM-SHA-1$4096:YQ==$" KEY_A ":" KEY_B, SECRET_PLAIN },
};

static void
a_stored_secret_is_told_by_its_form(void)
{
    for (size_t i = 0; i < COUNT_OF(kind_rows); i++)
        CU_ASSERT_EQUAL(secret_kind_of(kind_rows[i].stored), kind_rows[i].kind);
}

static void
a_verifier_is_read_with_all_its_parts(void)
{
    struct scram_keys keys;
    struct error why;
    struct buf b;

    CU_ASSERT_EQUAL_FATAL(scram_verifier_read(BOB, &keys, &why), ERR_NONE);
    CU_ASSERT_EQUAL(keys.iterations, 4096);
    CU_ASSERT_EQUAL(keys.salt_len, 16);
    CU_ASSERT_FALSE(keys.has_client_key);
    buf_init(&b);
    base64_add(&b, slice_of(keys.salt, keys.salt_len));
    base64_add(&b, slice_of(keys.stored_key, SCRAM_KEY));
    base64_add(&b, slice_of(keys.server_key, SCRAM_KEY));
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "5qRVLEt6n9rSC/gkUVhUVQ==" KEY_A KEY_B));
    buf_release(&b);
}

static void
a_text_that_is_no_verifier_is_refused_without_repeating_it(void)
{
    struct scram_keys keys = { .iterations = 77 };
    struct error why;

    CU_ASSERT_EQUAL(scram_verifier_read("hunter2", &keys, &why), ERR_SYNTAX);
    CU_ASSERT_FALSE(has_word(why.text, "hunter2"));
    CU_ASSERT_EQUAL(keys.iterations, 77);
}

static void
a_salt_of_64_bytes_fits_and_one_more_is_a_limit(void)
{
    uint8_t salt[65] = { 1 };
    struct scram_keys keys;
    struct error why;

    for (size_t len = 64; len <= 65; len++) {
        struct buf b;

        buf_init(&b);
        buf_add_text(&b, "SCRAM-SHA-256$4096:");
        base64_add(&b, slice_of(salt, len));
        buf_add_textz(&b, "$" KEY_A ":" KEY_B);
        CU_ASSERT_EQUAL(scram_verifier_read((const char *)b.at, &keys, &why),
                        len == 64 ? ERR_NONE : ERR_LIMIT);
        CU_ASSERT_EQUAL(secret_kind_of((const char *)b.at), SECRET_SCRAM);
        buf_release(&b);
    }
}

static void
check_derived(const char *password, const char *verifier)
{
    struct scram_keys stored;
    struct scram_keys derived;

    CU_ASSERT_EQUAL_FATAL(scram_verifier_read(verifier, &stored, NULL), ERR_NONE);
    scram_derive(password, slice_of(stored.salt, stored.salt_len), stored.iterations, &derived);
    CU_ASSERT_TRUE(derived.has_client_key);
    CU_ASSERT_EQUAL(derived.iterations, stored.iterations);
    CU_ASSERT_TRUE(
        slice_equal(slice_of(derived.salt, derived.salt_len), slice_of(stored.salt, stored.salt_len)));
    CU_ASSERT_TRUE(secret_equal(derived.stored_key, stored.stored_key, SCRAM_KEY));
    CU_ASSERT_TRUE(secret_equal(derived.server_key, stored.server_key, SCRAM_KEY));
}

static void
keys_derived_from_a_password_are_those_of_postgresql(void)
{
    check_derived("pencil", BOB);
    check_derived("pässwörd", CARL); /* not ASCII, but in NFKC already */
}

static void
the_client_key_is_the_one_of_the_password(void)
{
    struct scram_keys stored;
    struct scram_keys keys;
    struct buf b;

    CU_ASSERT_EQUAL_FATAL(scram_verifier_read(BOB, &stored, NULL), ERR_NONE);
    scram_derive("pencil", slice_of(stored.salt, stored.salt_len), 4096, &keys);
    buf_init(&b);
    base64_add(&b, slice_of(keys.client_key, SCRAM_KEY));
    CU_ASSERT_TRUE(slice_is(buf_slice(&b), "QygfyRRwiT0Y42eZID25zG0m7/s3V9oGPintMhfgSJY="));
    buf_release(&b);
}

static void
an_empty_password_has_keys_too(void)
{
    struct scram_keys keys;

    scram_derive("", BYTES("salt"), 1, &keys);
    CU_ASSERT_EQUAL(keys.salt_len, 4);
}

static bool
is_same_keys(const struct scram_keys *a, const struct scram_keys *b)
{
    return slice_equal(slice_of(a->salt, a->salt_len), slice_of(b->salt, b->salt_len)) &&
           secret_equal(a->stored_key, b->stored_key, SCRAM_KEY) &&
           secret_equal(a->server_key, b->server_key, SCRAM_KEY);
}

static void
a_mock_verifier_is_stable_per_user_and_secret(void)
{
    struct scram_keys a;
    struct scram_keys b;

    scram_mock(BYTES("process secret"), "nobody", 4096, &a);
    scram_mock(BYTES("process secret"), "nobody", 4096, &b);
    CU_ASSERT_EQUAL(a.salt_len, 16);
    CU_ASSERT_EQUAL(a.iterations, 4096);
    CU_ASSERT_FALSE(a.has_client_key);
    CU_ASSERT_TRUE(is_same_keys(&a, &b));
    CU_ASSERT_FALSE(secret_equal(a.stored_key, a.server_key, SCRAM_KEY));
    CU_ASSERT_FALSE(secret_equal(a.stored_key, a.salt, 16));
    scram_mock(BYTES("process secret"), "nobody else", 4096, &b);
    CU_ASSERT_FALSE(slice_equal(slice_of(a.salt, 16), slice_of(b.salt, 16)));
    scram_mock(BYTES("another secret"), "nobody", 4096, &b);
    CU_ASSERT_FALSE(slice_equal(slice_of(a.salt, 16), slice_of(b.salt, 16)));
}

static void
a_process_secret_of_any_length_serves(void)
{
    uint8_t long_secret[200] = { 1 };
    struct scram_keys a;
    struct scram_keys b;

    scram_mock(slice_of(long_secret, sizeof(long_secret)), "nobody", 4096, &a);
    scram_mock(slice_of(long_secret, sizeof(long_secret) - 1), "nobody", 4096, &b);
    CU_ASSERT_FALSE(is_same_keys(&a, &b));
    scram_mock(slice_of(NULL, 0), "nobody", 4096, &b);
    CU_ASSERT_FALSE(is_same_keys(&a, &b));
}

static void
secrets_are_equal_or_not(void)
{
    CU_ASSERT_TRUE(secret_equal("abc", "abc", 3));
    CU_ASSERT_FALSE(secret_equal("abc", "abd", 3));
    CU_ASSERT_TRUE(secret_equal("abc", "abd", 2));
    CU_ASSERT_TRUE(secret_equal("a", "b", 0));
}

void
suite_secret(void)
{
    CU_pSuite suite = CU_add_suite("secret", NULL, NULL);

    CU_ADD_TEST(suite, md5_is_stored_as_postgresql_stores_it);
    CU_ADD_TEST(suite, md5_goes_over_the_wire_salted);
    CU_ADD_TEST(suite, a_stored_secret_is_told_by_its_form);
    CU_ADD_TEST(suite, a_verifier_is_read_with_all_its_parts);
    CU_ADD_TEST(suite, a_text_that_is_no_verifier_is_refused_without_repeating_it);
    CU_ADD_TEST(suite, a_salt_of_64_bytes_fits_and_one_more_is_a_limit);
    CU_ADD_TEST(suite, keys_derived_from_a_password_are_those_of_postgresql);
    CU_ADD_TEST(suite, the_client_key_is_the_one_of_the_password);
    CU_ADD_TEST(suite, an_empty_password_has_keys_too);
    CU_ADD_TEST(suite, a_mock_verifier_is_stable_per_user_and_secret);
    CU_ADD_TEST(suite, a_process_secret_of_any_length_serves);
    CU_ADD_TEST(suite, secrets_are_equal_or_not);
}
