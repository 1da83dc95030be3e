/*
 * fuzz_scram.c - any bytes in any of the four messages and in a stored verifier. No input may be believed by
 * the client or by the server: neither was given the password, so ERR_NONE at the end of an exchange is a
 * find.
 *
 *     input   which | bytes
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pgweir/wire/base64.h"
#include "pgweir/wire/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t nonce[SCRAM_NONCE_RAW] = { 1, 2, 3 };
static const uint8_t binding[32] = { 4, 5, 6 };

/* A tight, NUL-terminated copy. */
static char *
text_of(struct slice bytes)
{
    char *text = malloc(bytes.len + 1);

    MUST(text != NULL);
    if (bytes.len > 0)
        memcpy(text, bytes.at, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

static void
hear_client_first(struct slice message, bool plus, bool offered, const struct scram_keys *keys)
{
    struct buf out = { 0 };
    struct error why;
    struct scram x;

    scram_init(&x);
    if (scram_server_first(&x, message, plus, offered, slice_of(binding, plus ? sizeof(binding) : 0), keys,
                           nonce, &out, &why) == ERR_NONE) {
        MUST(buf_len(&out) > 0 && strlen(x.nonce) > 24);
        MUST(plus == (x.channel_binding_flag == 'p'));
    } else {
        MUST(buf_len(&out) == 0 && why.text[0] != '\0');
    }
    scram_fini(&x);
    buf_release(&out);
}

static void
hear_client_final(struct slice message, const struct scram_keys *keys)
{
    struct buf out = { 0 };
    struct error why;
    struct scram x;

    scram_init(&x);
    MUST(scram_server_first(&x, slice_of_text("n,,n=,r=a"), false, false, slice_of(NULL, 0), keys, nonce,
                            &out, &why) == ERR_NONE);
    buf_drop(&out, buf_len(&out));
    MUST(scram_server_final(&x, message, keys, &out, &why) != ERR_NONE);
    MUST(buf_len(&out) == 0);
    scram_fini(&x);
    buf_release(&out);
}

/* The rest of a client's life after a challenge that it accepted. */
static void
go_on(struct scram *x, const struct scram_keys *keys)
{
    struct buf out = { 0 };

    scram_client_final(x, keys, &out);
    MUST(buf_len(&out) > 0);
    buf_release(&out);
}

static void
hear_server(struct slice challenge, struct slice final, const struct scram_keys *keys)
{
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len = 0;
    uint32_t iterations = 0;
    struct buf out = { 0 };
    struct error why;
    struct scram x;
    enum err e;

    scram_init(&x);
    scram_client_first(&x, nonce, 'n', slice_of(NULL, 0), &out);
    e = scram_client_challenge(&x, challenge, salt, &salt_len, &iterations, &why);
    if (e == ERR_NONE) {
        MUST(salt_len > 0 && salt_len <= SCRAM_SALT_MOST);
        MUST(iterations > 0 && iterations <= SCRAM_MOST_ITERATIONS);
        go_on(&x, keys);
        MUST(scram_client_verify(&x, final, &why) != ERR_NONE);
    }
    scram_fini(&x);
    buf_release(&out);
}

static void
read_stored(struct slice bytes)
{
    char *text = text_of(bytes);
    struct scram_keys keys;
    struct error why;
    enum err e = scram_verifier_read(text, &keys, &why);
    enum secret_kind kind = secret_kind_of(text);

    MUST((kind == SECRET_SCRAM) == (e != ERR_SYNTAX));
    MUST((kind == SECRET_NONE) == (text[0] == '\0'));
    free(text);
}

static void
decode(struct slice text)
{
    uint8_t *bytes = malloc(text.len + 1);
    struct buf again = { 0 };
    size_t len;

    MUST(bytes != NULL);
    if (base64_read(text, bytes, text.len + 1, &len)) {
        base64_add(&again, slice_of(bytes, len));
        MUST(text.len == buf_len(&again));
        MUST(text.len == 0 || slice_equal(text, buf_slice(&again)));
    }
    MUST(base64_is(text) == base64_read(text, bytes, text.len + 1, &len));
    buf_release(&again);
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char challenge[] = "r=AQIDAAAAAAAAAAAAAAAAAAAAAAAAx,s=YQ==,i=1";
    struct scram_keys keys;
    struct slice in;
    char *copy;

    if (size < 1)
        return 0;
    scram_mock(slice_of_text("secret"), "user", 4096, &keys);
    keys.has_client_key = true;
    copy = text_of(slice_of(data + 1, size - 1));
    in = slice_of(copy, size - 1);
    switch (data[0] % 8) {
    case 0:
        hear_client_first(in, false, false, &keys);
        break;
    case 1:
        hear_client_first(in, true, true, &keys);
        break;
    case 2:
        hear_client_first(in, false, true, &keys);
        break;
    case 3:
        hear_client_final(in, &keys);
        break;
    case 4:
        hear_server(in, slice_of_text("v="), &keys);
        break;
    case 5:
        hear_server(slice_of_text(challenge), in, &keys);
        break;
    case 6:
        read_stored(in);
        break;
    default:
        decode(in);
        break;
    }
    free(copy);
    return 0;
}
