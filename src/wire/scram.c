/*
 * scram.c - the four messages of a SCRAM exchange, from both ends. The keys come from secret.c.
 *
 *     client                                                          server
 *     client-first   n,,n=,r=<cnonce>                          ->
 *                            r=<cnonce><snonce>,s=<salt>,i=<n> <-     server-first
 *     client-final   c=<gs2>,r=<nonce>,p=<ClientKey ^ sig>     ->     sig = HMAC(StoredKey, auth)
 *                                    v=<HMAC(ServerKey, auth)> <-     server-final
 *
 *     auth = client-first-bare "," server-first "," client-final-without-proof
 *
 *     Invariants: a step out of turn fails without looking at the message; nonce is empty until the first
 *     message was said or heard, server_first until the second; client_key is zero until a proof was right.
 */
#include "pgweir/wire/secret.h"

#include <assert.h>
#include <string.h>

#include "pgweir/base/mem.h"
#include "pgweir/wire/base64.h"
#include "secret_impl.h"

static const char end_point[] = "tls-server-end-point";

/* --- the grammar of SCRAM messages --- */

struct attribute {
    char name;
    struct slice value;
};

/* Takes "name=value" and the comma behind it off *IN. source RFC 5802, section 5.1. */
static bool
attribute_take(struct slice *in, struct attribute *out)
{
    struct slice field;

    if (!secret_take_until(in, ',', &field)) {
        field = *in;
        *in = slice_skip(*in, in->len);
    }
    if (field.len < 2 || field.at[1] != '=' ||
        !((field.at[0] >= 'a' && field.at[0] <= 'z') || (field.at[0] >= 'A' && field.at[0] <= 'Z')))
        return false;
    out->name = (char)field.at[0];
    out->value = slice_skip(field, 2);
    return true;
}

/* The same, for an attribute that must come now. */
static enum err
attribute_expect(struct slice *in, char name, struct slice *out_value, struct error *why)
{
    struct attribute a;

    if (!attribute_take(in, &a))
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: attribute \"%c\" expected", name);
    if (a.name == 'm')
        return error_set(why, ERR_PROTOCOL, "unsupported mandatory SCRAM extension");
    if (a.name != name)
        return error_set(why, ERR_PROTOCOL,
                         "malformed SCRAM message: expected attribute \"%c\" but found \"%c\"", name, a.name);
    *out_value = a.value;
    return ERR_NONE;
}

/* Extensions that may be ignored, up to the end of the message. */
static enum err
extensions_skip(struct slice in, struct error *why)
{
    struct attribute a;

    while (in.len > 0)
        if (!attribute_take(&in, &a))
            return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: garbage at its end");
    return ERR_NONE;
}

static enum err
message_check(struct slice message, struct error *why)
{
    if (message.len == 0)
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: it is empty");
    if (memchr(message.at, 0, message.len) != NULL)
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: it has a NUL byte");
    return ERR_NONE;
}

static enum err
nonce_check(struct slice nonce, struct error *why)
{
    if (nonce.len == 0)
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: empty nonce");
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.at[i] < 0x21 || nonce.at[i] > 0x7e)
            return error_set(why, ERR_PROTOCOL, "non-printable characters in SCRAM nonce");
    return ERR_NONE;
}

/* --- the exchange --- */

void
scram_init(struct scram *x)
{
    memset(x, 0, sizeof(*x));
    buf_init(&x->client_first_bare);
    buf_init(&x->server_first);
    buf_init(&x->gs2_and_binding);
}

void
scram_fini(struct scram *x)
{
    buf_wipe(&x->client_first_bare);
    buf_wipe(&x->server_first);
    buf_wipe(&x->gs2_and_binding);
    mem_wipe(x, sizeof(*x));
    scram_init(x);
}

static void
remember_channel(struct scram *x, char flag, struct slice binding)
{
    x->channel_binding_flag = (uint8_t)flag;
    buf_add_u8(&x->gs2_and_binding, (uint8_t)flag);
    if (flag == 'p')
        buf_add_format(&x->gs2_and_binding, "=%s", end_point);
    buf_add_text(&x->gs2_and_binding, ",,");
    if (flag == 'p')
        buf_add(&x->gs2_and_binding, binding);
}

/* HMAC of the AuthMessage under KEY. */
static void
sign(const struct scram *x, const uint8_t key[SCRAM_KEY], struct slice final_without_proof,
     uint8_t out[SCRAM_KEY])
{
    struct slice parts[] = {
        buf_slice(&x->client_first_bare),
        slice_of_text(","),
        buf_slice(&x->server_first),
        slice_of_text(","),
        final_without_proof,
    };

    secret_hmac(slice_of(key, SCRAM_KEY), parts, COUNT_OF(parts), out);
}

static void
key_xor(uint8_t out[SCRAM_KEY], const uint8_t a[SCRAM_KEY], const uint8_t b[SCRAM_KEY])
{
    for (size_t i = 0; i < SCRAM_KEY; i++)
        out[i] = a[i] ^ b[i];
}

/* --- client --- */

void
scram_client_first(struct scram *x, const uint8_t nonce_raw[SCRAM_NONCE_RAW], char flag, struct slice binding,
                   struct buf *out)
{
    struct buf nonce;

    assert(flag == 'n' || flag == 'y' || flag == 'p');
    scram_fini(x);
    remember_channel(x, flag, binding);
    buf_init(&nonce);
    base64_add(&nonce, slice_of(nonce_raw, SCRAM_NONCE_RAW));
    memcpy(x->nonce, nonce.at, buf_len(&nonce));
    buf_release(&nonce);
    buf_add_format(&x->client_first_bare, "n=,r=%s", x->nonce);

    buf_add(out, slice_of(buf_slice(&x->gs2_and_binding).at,
                          buf_len(&x->gs2_and_binding) - (flag == 'p' ? binding.len : 0)));
    buf_add(out, buf_slice(&x->client_first_bare));
}

static enum err
salt_read(struct slice text, uint8_t salt[SCRAM_SALT_MOST], size_t *len, struct error *why)
{
    if (text.len == 0 || !base64_is(text))
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: invalid salt");
    if (!base64_read(text, salt, SCRAM_SALT_MOST, len))
        return error_set(why, ERR_LIMIT, "the server's SCRAM salt has more than %u bytes", SCRAM_SALT_MOST);
    return ERR_NONE;
}

enum err
scram_client_challenge(struct scram *x, struct slice server_first, uint8_t salt[SCRAM_SALT_MOST],
                       uint8_t *salt_len, uint32_t *iterations, struct error *why)
{
    size_t our_len = strlen(x->nonce);
    struct slice in = server_first;
    struct slice nonce = { 0 };
    struct slice salt_text = { 0 };
    struct slice count_text = { 0 };
    uint8_t salt_bytes[SCRAM_SALT_MOST];
    size_t len = 0;
    uint32_t count = 0;
    enum err e;

    if (our_len == 0 || buf_len(&x->server_first) > 0)
        return error_set(why, ERR_PROTOCOL, "SCRAM challenge out of turn");
    e = message_check(server_first, why);
    if (e == ERR_NONE)
        e = attribute_expect(&in, 'r', &nonce, why);
    if (e == ERR_NONE)
        e = nonce_check(nonce, why);
    if (e == ERR_NONE)
        e = attribute_expect(&in, 's', &salt_text, why);
    if (e == ERR_NONE)
        e = salt_read(salt_text, salt_bytes, &len, why);
    if (e == ERR_NONE)
        e = attribute_expect(&in, 'i', &count_text, why);
    if (e == ERR_NONE)
        e = extensions_skip(in, why);
    if (e != ERR_NONE)
        return e;
    if (nonce.len <= our_len || memcmp(nonce.at, x->nonce, our_len) != 0)
        return error_set(why, ERR_PROTOCOL, "invalid SCRAM message: nonce mismatch");
    if (nonce.len >= sizeof(x->nonce))
        return error_set(why, ERR_LIMIT, "the server's SCRAM nonce is too long");
    if (!secret_iterations_read(count_text, &count))
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: invalid iteration count");
    if (count > SCRAM_MOST_ITERATIONS)
        return error_set(why, ERR_LIMIT, "the server asks for %u SCRAM iterations, more than %u",
                         (unsigned)count, SCRAM_MOST_ITERATIONS);
    memcpy(x->nonce, nonce.at, nonce.len);
    x->nonce[nonce.len] = '\0';
    buf_add(&x->server_first, server_first);
    memcpy(salt, salt_bytes, len);
    *salt_len = (uint8_t)len;
    *iterations = count;
    return ERR_NONE;
}

void
scram_client_final(struct scram *x, const struct scram_keys *keys, struct buf *out)
{
    uint8_t proof[SCRAM_KEY];
    struct buf message;

    assert(keys->has_client_key && buf_len(&x->server_first) > 0);
    buf_init(&message);
    buf_add_text(&message, "c=");
    base64_add(&message, buf_slice(&x->gs2_and_binding));
    buf_add_format(&message, ",r=%s", x->nonce);

    sign(x, keys->server_key, buf_slice(&message), x->server_signature);
    x->has_server_signature = true;
    sign(x, keys->stored_key, buf_slice(&message), proof);
    key_xor(proof, proof, keys->client_key);
    buf_add_text(&message, ",p=");
    base64_add(&message, slice_of(proof, SCRAM_KEY));

    buf_add(out, buf_slice(&message));
    buf_wipe(&message);
    mem_wipe(proof, sizeof(proof));
}

/* What a server says after e=, fit for a log line. */
static enum err
refusal(struct slice words, struct error *why)
{
    char text[64];
    size_t len = words.len < sizeof(text) ? words.len : sizeof(text) - 1;

    for (size_t i = 0; i < len; i++)
        text[i] = (char)(words.at[i] >= 0x20 && words.at[i] < 0x7f ? words.at[i] : '?');
    text[len] = '\0';
    return error_set(why, ERR_AUTH, "the server refused the SCRAM exchange: %s", text);
}

enum err
scram_client_verify(struct scram *x, struct slice server_final, struct error *why)
{
    struct slice in = server_final;
    uint8_t signature[SCRAM_KEY];
    struct slice value = { 0 };
    enum err e;

    if (!x->has_server_signature)
        return error_set(why, ERR_PROTOCOL, "SCRAM signature out of turn");
    e = message_check(server_final, why);
    if (e != ERR_NONE)
        return e;
    if (in.len >= 2 && in.at[0] == 'e' && in.at[1] == '=')
        return refusal(slice_skip(in, 2), why);
    e = attribute_expect(&in, 'v', &value, why);
    if (e == ERR_NONE)
        e = extensions_skip(in, why);
    if (e != ERR_NONE)
        return e;
    if (!secret_key_read(value, signature))
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: invalid server signature");
    if (!secret_equal(signature, x->server_signature, SCRAM_KEY))
        return error_set(why, ERR_AUTH,
                         "incorrect SCRAM server signature: the server does not know the password");
    return ERR_NONE;
}

/* --- server --- */

/* What the server side knows of the connection and of the mechanism that was chosen. */
struct channel {
    bool plus;
    bool plus_was_offered;
    struct slice binding;
};

/* Takes the gs2-header off *IN. source RFC 5802, section 7; src/backend/libpq/auth-scram.c
 * read_client_first_message(). */
static enum err
gs2_take(struct slice *in, const struct channel *channel, char *out_flag, struct error *why)
{
    struct slice flag = { 0 };
    struct slice authzid = { 0 };

    if (!secret_take_until(in, ',', &flag) || !secret_take_until(in, ',', &authzid) || flag.len == 0)
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: no GS2 header");
    if (flag.at[0] == 'p') {
        if (!channel->plus)
            return error_set(why, ERR_PROTOCOL,
                             "the client selected SCRAM-SHA-256 without channel binding, but the "
                             "SCRAM message includes channel binding data");
        if (flag.len < 2 || flag.at[1] != '=' || !slice_is(slice_skip(flag, 2), end_point))
            return error_set(why, ERR_PROTOCOL, "unsupported SCRAM channel-binding type");
    } else if (slice_is(flag, "n") || slice_is(flag, "y")) {
        if (channel->plus)
            return error_set(why, ERR_PROTOCOL,
                             "the client selected SCRAM-SHA-256-PLUS, but the SCRAM message does "
                             "not include channel binding data");
        if (flag.at[0] == 'y' && channel->plus_was_offered)
            return error_set(why, ERR_PROTOCOL,
                             "SCRAM channel binding negotiation error: the client supports it but "
                             "thinks that the server does not");
    } else {
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: unexpected channel-binding flag");
    }
    if (authzid.len > 0)
        return error_set(why, ERR_PROTOCOL, "client uses authorization identity, but it is not supported");
    *out_flag = (char)flag.at[0];
    return ERR_NONE;
}

enum err
scram_server_first(struct scram *x, struct slice client_first, bool plus, bool plus_was_offered,
                   struct slice binding, const struct scram_keys *keys,
                   const uint8_t nonce_raw[SCRAM_NONCE_RAW], struct buf *out, struct error *why)
{
    const struct channel channel = { plus, plus_was_offered, binding };
    struct slice in = client_first;
    struct slice bare = { 0 };
    struct slice user = { 0 };
    struct slice nonce = { 0 };
    struct buf *first = &x->server_first;
    char flag = 0;
    enum err e;

    e = message_check(client_first, why);
    if (e == ERR_NONE)
        e = gs2_take(&in, &channel, &flag, why);
    if (e != ERR_NONE)
        return e;
    bare = in;
    e = attribute_expect(&in, 'n', &user, why); /* ignored: the startup packet's user counts */
    if (e == ERR_NONE)
        e = attribute_expect(&in, 'r', &nonce, why);
    if (e == ERR_NONE)
        e = nonce_check(nonce, why);
    if (e == ERR_NONE)
        e = extensions_skip(in, why);
    if (e != ERR_NONE)
        return e;
    if (nonce.len + BASE64_LEN(SCRAM_NONCE_RAW) >= sizeof(x->nonce))
        return error_set(why, ERR_PROTOCOL, "the client's SCRAM nonce is too long");

    scram_fini(x);
    remember_channel(x, flag, binding);
    buf_add(&x->client_first_bare, bare);
    buf_add_text(first, "r=");
    buf_add(first, nonce);
    base64_add(first, slice_of(nonce_raw, SCRAM_NONCE_RAW));
    memcpy(x->nonce, buf_slice(first).at + 2, buf_len(first) - 2);
    buf_add_text(first, ",s=");
    base64_add(first, slice_of(keys->salt, keys->salt_len));
    buf_add_format(first, ",i=%u", (unsigned)keys->iterations);
    buf_add(out, buf_slice(first));
    return ERR_NONE;
}

/* Finds p= at the end of a client-final-message, behind extensions that are ignored. */
static enum err
proof_take(struct slice in, uint8_t proof[SCRAM_KEY], struct slice *out_text, struct error *why)
{
    struct attribute a;

    do {
        if (!attribute_take(&in, &a))
            return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: no proof");
    } while (a.name != 'p');
    if (in.len > 0)
        return error_set(why, ERR_PROTOCOL,
                         "malformed SCRAM message: garbage at the end of client-final-message");
    if (!secret_key_read(a.value, proof))
        return error_set(why, ERR_PROTOCOL, "malformed SCRAM message: invalid proof");
    *out_text = a.value;
    return ERR_NONE;
}

/* Whether the c= attribute encodes what client-first announced, the binding included. */
static bool
is_our_channel(const struct scram *x, struct slice value)
{
    struct buf expected;
    bool is_same;

    buf_init(&expected);
    base64_add(&expected, buf_slice(&x->gs2_and_binding));
    is_same = slice_equal(value, buf_slice(&expected));
    buf_release(&expected);
    return is_same;
}

enum err
scram_server_final(struct scram *x, struct slice client_final, const struct scram_keys *keys, struct buf *out,
                   struct error *why)
{
    uint8_t client_key[SCRAM_KEY];
    uint8_t hash[SCRAM_KEY];
    uint8_t proof[SCRAM_KEY] = { 0 };
    struct slice in = client_final;
    struct slice binding = { 0 };
    struct slice nonce = { 0 };
    struct slice proof_text = { 0 };
    struct slice without_proof;
    bool fits;
    enum err e;

    if (buf_len(&x->server_first) == 0)
        return error_set(why, ERR_PROTOCOL, "SCRAM proof out of turn");
    e = message_check(client_final, why);
    if (e == ERR_NONE)
        e = attribute_expect(&in, 'c', &binding, why);
    if (e == ERR_NONE)
        e = attribute_expect(&in, 'r', &nonce, why);
    if (e == ERR_NONE)
        e = proof_take(in, proof, &proof_text, why);
    if (e != ERR_NONE)
        return e;
    if (!is_our_channel(x, binding))
        return error_set(why, ERR_PROTOCOL, "SCRAM channel binding check failed");
    if (!slice_is(nonce, x->nonce))
        return error_set(why, ERR_PROTOCOL, "invalid SCRAM response: nonce does not match");

    without_proof = slice_of(client_final.at, (size_t)(proof_text.at - client_final.at) - strlen(",p="));
    sign(x, keys->stored_key, without_proof, client_key);
    key_xor(client_key, client_key, proof);
    secret_sha256(slice_of(client_key, SCRAM_KEY), hash);
    fits = secret_equal(hash, keys->stored_key, SCRAM_KEY);
    if (fits) {
        memcpy(x->client_key, client_key, SCRAM_KEY);
        sign(x, keys->server_key, without_proof, x->server_signature);
        buf_add_text(out, "v=");
        base64_add(out, slice_of(x->server_signature, SCRAM_KEY));
        e = ERR_NONE;
    } else {
        e = error_set(why, ERR_AUTH, "the SCRAM proof does not fit the password");
    }
    mem_wipe(client_key, sizeof(client_key));
    mem_wipe(hash, sizeof(hash));
    mem_wipe(proof, sizeof(proof));
    return e;
}
