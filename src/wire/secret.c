/*
 * secret.c - password mathematics: what is stored, and what is derived from it. The exchange is scram.c.
 *
 *     SaltedPassword = PBKDF2(password, salt, iterations)
 *     ClientKey = HMAC(SaltedPassword, "Client Key")      StoredKey = SHA256(ClientKey)
 *     ServerKey = HMAC(SaltedPassword, "Server Key")
 *
 *     Normalisation: SASLprep is the identity for ASCII and for most text as keyboards produce it. We do not
 *     carry the Unicode tables for the rest (NFKC, prohibited and unassigned code points): a password is used
 *     byte for byte, as PostgreSQL does with one that is not valid UTF-8 or holds something prohibited. A
 *     password that NFKC would change (a ligature, a full-width letter, a decomposed accent) therefore only
 *     works through its stored verifier.
 *
 *     HMAC is done over OpenSSL's SHA-256 with a fetched EVP_MD and one context for each thread: HMAC() and EVP_MAC
 *     look their digest up by name in every call and take three times as long (1.5 against 0.5 us), and a context that is
 *     made and freed for each digest is four allocations.
 */
#include "pgweir/wire/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pgweir/base/mem.h"
#include "pgweir/base/random.h"
#include "pgweir/wire/base64.h"
#include "secret_impl.h"

#define SHA256_BLOCK 64u
#define MD5_BYTES 16u
#define MD5_HEX 32u
#define MOCK_SALT 16u /* as long as PostgreSQL's own salts */

/* --- digests --- */

static pthread_once_t digests_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MD *md5;               /* NULL where OpenSSL runs in FIPS mode */
static pthread_key_t context_key; /* of the thread's EVP_MD_CTX, for SHA-256 only */

static void
context_free(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void
digests_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    if (pthread_key_create(&context_key, context_free) != 0)
        sha256 = NULL;
}

/* A failure of SHA-256 means that OpenSSL has no memory or no providers; no login could be decided. */
static void
must(int ok)
{
    if (ok != 1) {
        dprintf(STDERR_FILENO, "pgweir: OpenSSL cannot compute SHA-256\n");
        abort();
    }
}

/* The thread's context, for SHA-256. */
static EVP_MD_CTX *
context_of_thread(void)
{
    EVP_MD_CTX *ctx;

    pthread_once(&digests_once, digests_fetch);
    must(sha256 != NULL);
    ctx = pthread_getspecific(context_key);
    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        must(ctx != NULL && pthread_setspecific(context_key, ctx) == 0);
    }
    return ctx;
}

static void
digest_add(EVP_MD_CTX *ctx, const struct slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must(EVP_DigestUpdate(ctx, parts[i].at, parts[i].len));
}

void
secret_sha256(struct slice bytes, uint8_t out[SCRAM_KEY])
{
    EVP_MD_CTX *ctx = context_of_thread();

    must(EVP_DigestInit_ex2(ctx, sha256, NULL));
    digest_add(ctx, &bytes, 1);
    must(EVP_DigestFinal_ex(ctx, out, NULL));
}

/* source RFC 2104. */
void
secret_hmac(struct slice key, const struct slice *parts, size_t count, uint8_t out[SCRAM_KEY])
{
    uint8_t block[SHA256_BLOCK] = { 0 };
    EVP_MD_CTX *ctx = context_of_thread();

    if (key.len > sizeof(block))
        secret_sha256(key, block);
    else if (key.len > 0)
        memcpy(block, key.at, key.len);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36u;
    must(EVP_DigestInit_ex2(ctx, sha256, NULL));
    must(EVP_DigestUpdate(ctx, block, sizeof(block)));
    digest_add(ctx, parts, count);
    must(EVP_DigestFinal_ex(ctx, out, NULL));

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36u ^ 0x5cu;
    must(EVP_DigestInit_ex2(ctx, sha256, NULL));
    must(EVP_DigestUpdate(ctx, block, sizeof(block)));
    must(EVP_DigestUpdate(ctx, out, SCRAM_KEY));
    must(EVP_DigestFinal_ex(ctx, out, NULL));
    mem_wipe(block, sizeof(block));
}

static void
hmac_of_text(const uint8_t key[SCRAM_KEY], const char *text, uint8_t out[SCRAM_KEY])
{
    struct slice part = slice_of_text(text);

    secret_hmac(slice_of(key, SCRAM_KEY), &part, 1, out);
}

bool
secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* --- md5 --- */

/* "md5" + hex(md5(A + B)). Without MD5 (FIPS) the text is random, so that no comparison with it succeeds. */
static void
md5_text(struct slice a, struct slice b, char out[MD5_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    struct slice parts[] = { a, b };
    uint8_t hash[MD5_BYTES];
    EVP_MD_CTX *ctx;

    pthread_once(&digests_once, digests_fetch);
    if (md5 != NULL) {
        ctx = EVP_MD_CTX_new();
        must(ctx != NULL);
        must(EVP_DigestInit_ex2(ctx, md5, NULL));
        digest_add(ctx, parts, COUNT_OF(parts));
        must(EVP_DigestFinal_ex(ctx, hash, NULL));
        EVP_MD_CTX_free(ctx);
    } else {
        random_secret(hash, sizeof(hash));
    }
    memcpy(out, "md5", 3);
    for (size_t i = 0; i < sizeof(hash); i++) {
        out[3 + 2 * i] = digits[hash[i] >> 4];
        out[4 + 2 * i] = digits[hash[i] & 15u];
    }
    out[MD5_TEXT - 1] = '\0';
    mem_wipe(hash, sizeof(hash));
}

void
md5_stored(const char *password, const char *user, char out[MD5_TEXT])
{
    md5_text(slice_of_text(password), slice_of_text(user), out);
}

void
md5_response(const char *stored, const uint8_t salt[4], char out[MD5_TEXT])
{
    assert(strlen(stored) == MD5_TEXT - 1);
    md5_text(slice_of_text(stored + 3), slice_of(salt, 4), out);
}

/* --- stored secrets --- */

bool
secret_iterations_read(struct slice text, uint32_t *out)
{
    uint64_t n = 0;

    if (text.len == 0 || text.len > 10)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (n == 0 || n > INT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool
secret_key_read(struct slice text, uint8_t out[SCRAM_KEY])
{
    size_t len;

    return base64_read(text, out, SCRAM_KEY, &len) && len == SCRAM_KEY;
}

bool
secret_take_until(struct slice *in, char separator, struct slice *out)
{
    const uint8_t *end = in->len > 0 ? memchr(in->at, separator, in->len) : NULL;

    if (end == NULL)
        return false;
    *out = slice_of(in->at, (size_t)(end - in->at));
    *in = slice_skip(*in, out->len + 1);
    return true;
}

enum err
scram_verifier_read(const char *stored, struct scram_keys *out, struct error *why)
{
    struct slice rest = slice_of_text(stored);
    struct slice scheme;
    struct slice iterations;
    struct slice salt;
    struct slice stored_key;
    struct scram_keys keys = { .has_client_key = false };
    size_t salt_len;

    if (!secret_take_until(&rest, '$', &scheme) || !slice_is(scheme, "SCRAM-SHA-256") ||
        !secret_take_until(&rest, ':', &iterations) ||
        !secret_iterations_read(iterations, &keys.iterations) || !secret_take_until(&rest, '$', &salt) ||
        salt.len == 0 || !base64_is(salt) || !secret_take_until(&rest, ':', &stored_key) ||
        !secret_key_read(stored_key, keys.stored_key) || !secret_key_read(rest, keys.server_key))
        return error_set(why, ERR_SYNTAX, "not a SCRAM-SHA-256 verifier");
    if (!base64_read(salt, keys.salt, sizeof(keys.salt), &salt_len))
        return error_set(why, ERR_LIMIT, "SCRAM verifier with a salt of more than %u bytes", SCRAM_SALT_MOST);
    keys.salt_len = (uint8_t)salt_len;
    *out = keys;
    mem_wipe(&keys, sizeof(keys));
    return ERR_NONE;
}

enum secret_kind
secret_kind_of(const char *stored)
{
    struct scram_keys keys;
    enum err e;

    if (stored == NULL || stored[0] == '\0')
        return SECRET_NONE;
    if (strncmp(stored, "md5", 3) == 0 && strlen(stored) == MD5_TEXT - 1 &&
        strspn(stored + 3, "0123456789abcdef") == MD5_HEX)
        return SECRET_MD5;
    e = scram_verifier_read(stored, &keys, NULL);
    return e == ERR_NONE || e == ERR_LIMIT ? SECRET_SCRAM : SECRET_PLAIN;
}

void
scram_derive(const char *password, struct slice salt, uint32_t iterations, struct scram_keys *out)
{
    uint8_t salted[SCRAM_KEY];

    assert(salt.len <= SCRAM_SALT_MOST);
    assert(iterations > 0 && iterations <= INT32_MAX);
    pthread_once(&digests_once, digests_fetch);
    must(sha256 != NULL);
    must(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt.at, (int)salt.len, (int)iterations, sha256,
                           sizeof(salted), salted));
    *out = (struct scram_keys){
        .salt_len = (uint8_t)salt.len,
        .iterations = iterations,
        .has_client_key = true,
    };
    memcpy(out->salt, salt.at, salt.len);
    hmac_of_text(salted, "Client Key", out->client_key);
    secret_sha256(slice_of(out->client_key, SCRAM_KEY), out->stored_key);
    hmac_of_text(salted, "Server Key", out->server_key);
    mem_wipe(salted, sizeof(salted));
}

void
scram_mock(struct slice process_secret, const char *user, uint32_t iterations, struct scram_keys *out)
{
    struct slice parts[] = { slice_of_text("salt "), slice_of_text(user) };
    uint8_t salt[SCRAM_KEY];

    *out = (struct scram_keys){ .salt_len = MOCK_SALT, .iterations = iterations };
    secret_hmac(process_secret, parts, COUNT_OF(parts), salt);
    memcpy(out->salt, salt, MOCK_SALT);
    parts[0] = slice_of_text("stored key ");
    secret_hmac(process_secret, parts, COUNT_OF(parts), out->stored_key);
    parts[0] = slice_of_text("server key ");
    secret_hmac(process_secret, parts, COUNT_OF(parts), out->server_key);
}
