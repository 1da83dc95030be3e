/* test_scram.c - RFC 7677's exchange, our client against our server, and everything that must be refused. */
#include <stdio.h>

#include <CUnit/CUnit.h>

#include "bytes.h"
#include "pgweir/wire/secret.h"

void suite_scram(void);

/* RFC 7677, section 3. */
#define RFC_CLIENT_BARE "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_CLIENT_FINAL "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

/* -PLUS, computed with Python's hashlib from the raw nonces, password, salt and binding of struct fixture. */
#define PLUS_CLIENT_FIRST "p=tls-server-end-point,,n=,r=AAECAwQFBgcICQoLDA0ODxAR"
#define PLUS_NONCE "AAECAwQFBgcICQoLDA0ODxARZGVmZ2hpamtsbW5vcHFyc3R1"
#define PLUS_SERVER_FIRST "r=" PLUS_NONCE ",s=5qRVLEt6n9rSC/gkUVhUVQ==,i=4096"
#define PLUS_CHANNEL "cD10bHMtc2VydmVyLWVuZC1wb2ludCwsA9Zt0Ig1wco/EozOrNHzGslBYwlrIPRFroQoW8CDLXI="
#define PLUS_CLIENT_FINAL "c=" PLUS_CHANNEL ",r=" PLUS_NONCE ",p=rZSDw/DycU9FH1r7gieqfptNS6uNaN5m3Bh2eLNU/GU="
#define PLUS_SERVER_FINAL "v=T7DHcte+v4+tXwXsnuuLlIy5lmTTSN72GwqSkgD26T4="

static const uint8_t end_point[32] = {
    0x03, 0xd6, 0x6d, 0xd0, 0x88, 0x35, 0xc1, 0xca, 0x3f, 0x12, 0x8c, 0xce, 0xac, 0xd1, 0xf3, 0x1a,
    0xc9, 0x41, 0x63, 0x09, 0x6b, 0x20, 0xf4, 0x45, 0xae, 0x84, 0x28, 0x5b, 0xc0, 0x83, 0x2d, 0x72,
};
static const uint8_t salt_bytes[16] = {
    0xe6, 0xa4, 0x55, 0x2c, 0x4b, 0x7a, 0x9f, 0xda, 0xd2, 0x0b, 0xf8, 0x24, 0x51, 0x58, 0x54, 0x55,
};

struct fixture {
    struct scram client;
    struct scram server;
    struct scram_keys keys; /* of "pencil" */
    uint8_t client_nonce[SCRAM_NONCE_RAW];
    uint8_t server_nonce[SCRAM_NONCE_RAW];
    struct buf out; /* the message said last */
    struct error why;
};

static void
fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    scram_init(&f->client);
    scram_init(&f->server);
    buf_init(&f->out);
    for (uint8_t i = 0; i < SCRAM_NONCE_RAW; i++) {
        f->client_nonce[i] = i;
        f->server_nonce[i] = (uint8_t)(100 + i);
    }
    scram_derive("pencil", slice_of(salt_bytes, sizeof(salt_bytes)), 4096, &f->keys);
}

static void
fixture_fini(struct fixture *f)
{
    scram_fini(&f->client);
    scram_fini(&f->server);
    buf_release(&f->out);
}

/* What was said last; the buffer is emptied, its bytes stay until something is said again. */
static struct slice
said(struct fixture *f)
{
    struct slice message = buf_slice(&f->out);

    buf_drop(&f->out, message.len);
    return message;
}

static enum err
server_hears_first(struct fixture *f, const char *message, bool plus, bool plus_was_offered)
{
    buf_drop(&f->out, buf_len(&f->out));
    return scram_server_first(&f->server, slice_of_text(message), plus, plus_was_offered,
                              slice_of(end_point, sizeof(end_point)), &f->keys, f->server_nonce, &f->out,
                              &f->why);
}

static enum err
server_hears_final(struct fixture *f, const char *message)
{
    buf_drop(&f->out, buf_len(&f->out));
    return scram_server_final(&f->server, slice_of_text(message), &f->keys, &f->out, &f->why);
}

static enum err
client_hears_challenge(struct fixture *f, const char *message)
{
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len;
    uint32_t iterations;

    return scram_client_challenge(&f->client, slice_of_text(message), salt, &salt_len, &iterations, &f->why);
}

static void
client_speaks_first(struct fixture *f, char flag)
{
    scram_client_first(&f->client, f->client_nonce, flag,
                       slice_of(end_point, flag == 'p' ? sizeof(end_point) : 0), &f->out);
}

/* A whole exchange with FLAG; the client has PASSWORD. Returns the server's verdict. */
static enum err
exchange(struct fixture *f, char flag, const char *password)
{
    struct scram_keys keys;
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len = 0;
    uint32_t iterations = 0;
    enum err e;

    client_speaks_first(f, flag);
    e = scram_server_first(&f->server, said(f), flag == 'p', flag == 'p',
                           slice_of(end_point, sizeof(end_point)), &f->keys, f->server_nonce, &f->out,
                           &f->why);
    if (e != ERR_NONE)
        return e;
    e = scram_client_challenge(&f->client, said(f), salt, &salt_len, &iterations, &f->why);
    if (e != ERR_NONE)
        return e;
    scram_derive(password, slice_of(salt, salt_len), iterations, &keys);
    scram_client_final(&f->client, &keys, &f->out);
    e = scram_server_final(&f->server, said(f), &f->keys, &f->out, &f->why);
    if (e != ERR_NONE)
        return e;
    return scram_client_verify(&f->client, said(f), &f->why);
}

/* Puts X where RFC 7677's parties were after client-first. */
static void
rfc_begin(struct scram *x)
{
    x->channel_binding_flag = 'n';
    buf_add_text(&x->client_first_bare, RFC_CLIENT_BARE);
    buf_add_text(&x->gs2_and_binding, "n,,");
}

static void
the_client_of_rfc_7677_proves_and_verifies(void)
{
    struct fixture f;
    struct scram_keys keys;
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len = 0;
    uint32_t iterations = 0;

    fixture_init(&f);
    rfc_begin(&f.client);
    strcpy(f.client.nonce, "rOprNGfwEbeRWgbNEkqO");
    CU_ASSERT_EQUAL(
        scram_client_challenge(&f.client, BYTES(RFC_SERVER_FIRST), salt, &salt_len, &iterations, &f.why),
        ERR_NONE);
    CU_ASSERT_EQUAL(salt_len, 16);
    CU_ASSERT_EQUAL(iterations, 4096);
    scram_derive("pencil", slice_of(salt, salt_len), iterations, &keys);
    scram_client_final(&f.client, &keys, &f.out);
    CU_ASSERT_TRUE(slice_is(buf_slice(&f.out), RFC_CLIENT_FINAL));
    CU_ASSERT_EQUAL(scram_client_verify(&f.client, BYTES(RFC_SERVER_FINAL), &f.why), ERR_NONE);
    fixture_fini(&f);
}

static void
the_server_of_rfc_7677_is_convinced(void)
{
    static const uint8_t rfc_salt[] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                        0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81 };
    struct fixture f;

    fixture_init(&f);
    scram_derive("pencil", slice_of(rfc_salt, sizeof(rfc_salt)), 4096, &f.keys);
    rfc_begin(&f.server);
    buf_add_text(&f.server.server_first, RFC_SERVER_FIRST);
    strcpy(f.server.nonce, RFC_NONCE);
    CU_ASSERT_EQUAL(server_hears_final(&f, RFC_CLIENT_FINAL), ERR_NONE);
    CU_ASSERT_TRUE(slice_is(buf_slice(&f.out), RFC_SERVER_FINAL));
    fixture_fini(&f);
}

static void
an_exchange_with_channel_binding_is_byte_for_byte_right(void)
{
    struct fixture f;
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len = 0;
    uint32_t iterations = 0;

    fixture_init(&f);
    client_speaks_first(&f, 'p');
    CU_ASSERT_TRUE(slice_is(said(&f), PLUS_CLIENT_FIRST));
    CU_ASSERT_EQUAL(server_hears_first(&f, PLUS_CLIENT_FIRST, true, true), ERR_NONE);
    CU_ASSERT_TRUE(slice_is(said(&f), PLUS_SERVER_FIRST));
    CU_ASSERT_EQUAL(
        scram_client_challenge(&f.client, BYTES(PLUS_SERVER_FIRST), salt, &salt_len, &iterations, &f.why),
        ERR_NONE);
    CU_ASSERT_TRUE(slice_equal(slice_of(salt, salt_len), slice_of(salt_bytes, sizeof(salt_bytes))));
    scram_client_final(&f.client, &f.keys, &f.out);
    CU_ASSERT_TRUE(slice_is(said(&f), PLUS_CLIENT_FINAL));
    CU_ASSERT_EQUAL(server_hears_final(&f, PLUS_CLIENT_FINAL), ERR_NONE);
    CU_ASSERT_TRUE(slice_is(said(&f), PLUS_SERVER_FINAL));
    CU_ASSERT_EQUAL(scram_client_verify(&f.client, BYTES(PLUS_SERVER_FINAL), &f.why), ERR_NONE);
    fixture_fini(&f);
}

static void
client_and_server_agree_with_each_flag(void)
{
    for (const char *flag = "nyp"; *flag != '\0'; flag++) {
        struct fixture f;

        fixture_init(&f);
        CU_ASSERT_EQUAL(exchange(&f, *flag, "pencil"), ERR_NONE);
        fixture_fini(&f);
    }
}

static void
a_wrong_password_is_refused_and_reveals_no_key(void)
{
    static const uint8_t zeros[SCRAM_KEY];
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_EQUAL(exchange(&f, 'n', "pencils"), ERR_AUTH);
    CU_ASSERT_EQUAL(buf_len(&f.out), 0);
    CU_ASSERT_TRUE(secret_equal(f.server.client_key, zeros, SCRAM_KEY));
    fixture_fini(&f);
}

static void
the_client_key_of_a_login_passes_through_to_another_server(void)
{
    struct fixture f;
    struct fixture next;
    struct scram_keys learnt;

    fixture_init(&f);
    CU_ASSERT_EQUAL(exchange(&f, 'n', "pencil"), ERR_NONE);
    CU_ASSERT_TRUE(secret_equal(f.server.client_key, f.keys.client_key, SCRAM_KEY));

    learnt = f.keys;
    memcpy(learnt.client_key, f.server.client_key, SCRAM_KEY);
    fixture_init(&next);
    client_speaks_first(&next, 'n');
    CU_ASSERT_EQUAL(server_hears_first(&next, "n,,n=,r=AAECAwQFBgcICQoLDA0ODxAR", false, false), ERR_NONE);
    CU_ASSERT_EQUAL(client_hears_challenge(&next, PLUS_SERVER_FIRST), ERR_NONE);
    buf_drop(&next.out, buf_len(&next.out));
    scram_client_final(&next.client, &learnt, &next.out);
    CU_ASSERT_EQUAL(scram_server_final(&next.server, said(&next), &next.keys, &next.out, &next.why),
                    ERR_NONE);
    CU_ASSERT_EQUAL(scram_client_verify(&next.client, said(&next), &next.why), ERR_NONE);
    fixture_fini(&next);
    fixture_fini(&f);
}

static void
a_mock_exchange_looks_alike_and_fails(void)
{
    struct fixture f;

    fixture_init(&f);
    scram_mock(BYTES("process secret"), "nobody", 4096, &f.keys);
    CU_ASSERT_EQUAL(exchange(&f, 'n', "pencil"), ERR_AUTH);
    CU_ASSERT_TRUE(has_word((const char *)f.client.nonce, "AAECAwQFBgcICQoLDA0ODxAR"));
    fixture_fini(&f);
}

/* --- server --- */

static const struct {
    const char *message;
    bool plus;
    bool plus_was_offered;
    const char *word; /* of the refusal; NULL: accepted */
} first_rows[] = {
    { "n,,n=,r=abc", false, false, NULL },
    { "n,,n=,r=abc", false, true, NULL }, /* a client without channel binding may log in */
    { "y,,n=,r=abc", false, false, NULL },
    { "n,,n=user,r=abc", false, false, NULL },
    { "n,,n=us=2Cer,r=abc", false, false, NULL },
    { "n,,n=,r=abc,x=whatever,y=", false, false, NULL },
    { "p=tls-server-end-point,,n=,r=abc", true, true, NULL },
    { "y,,n=,r=abc", false, true, "thinks that the server does not" },
    { "n,,n=,r=abc", true, true, "does not include channel binding data" },
    { "y,,n=,r=abc", true, true, "does not include channel binding data" },
    { "p=tls-server-end-point,,n=,r=abc", false, true, "without channel binding" },
    { "p=tls-unique,,n=,r=abc", true, true, "unsupported SCRAM channel-binding type" },
    { "p=tls-server-end-pointx,,n=,r=abc", true, true, "unsupported SCRAM channel-binding type" },
    { "p=,,n=,r=abc", true, true, "unsupported SCRAM channel-binding type" },
    { "p,,n=,r=abc", true, true, "unsupported SCRAM channel-binding type" },
    { "x,,n=,r=abc", false, false, "unexpected channel-binding flag" },
    { "nn,,n=,r=abc", false, false, "unexpected channel-binding flag" },
    { "n,a=admin,n=,r=abc", false, false, "authorization identity" },
    { "n,,m=ext,n=,r=abc", false, false, "mandatory" },
    { "n,,n=,m=ext,r=abc", false, false, "mandatory" },
    { "", false, false, "empty" },
    { "n", false, false, "GS2" },
    { "n,", false, false, "GS2" },
    { ",,n=,r=abc", false, false, "GS2" },
    { "n,,", false, false, "\"n\" expected" },
    { "n,,n=", false, false, "\"r\" expected" },
    { "n,,r=abc", false, false, "expected attribute \"n\"" },
    { "n,,n=,r=", false, false, "empty nonce" },
    { "n,,n=,r=a c", false, false, "non-printable" },
    { "n,,n=,r=\xc3\xbc", false, false, "non-printable" },
    { "n,,n=,r=abc,garbage", false, false, "garbage" },
    { "n,,n=,r=abc,1=x", false, false, "garbage" },
};

static void
a_client_first_message_is_accepted_or_refused_with_a_reason(void)
{
    for (size_t i = 0; i < COUNT_OF(first_rows); i++) {
        struct fixture f;
        enum err e;

        fixture_init(&f);
        e = server_hears_first(&f, first_rows[i].message, first_rows[i].plus, first_rows[i].plus_was_offered);
        CU_ASSERT_EQUAL(e, first_rows[i].word == NULL ? ERR_NONE : ERR_PROTOCOL);
        if (first_rows[i].word == NULL) {
            CU_ASSERT_TRUE(slice_is(buf_slice(&f.out),
                                    strstr(first_rows[i].message, "r=abc") == NULL
                                        ? ""
                                        : "r=abcZGVmZ2hpamtsbW5vcHFyc3R1,s=5qRVLEt6n9rSC/gkUVhUVQ==,i=4096"));
        } else {
            CU_ASSERT_TRUE(has_word(f.why.text, first_rows[i].word));
            CU_ASSERT_EQUAL(buf_len(&f.out), 0);
        }
        fixture_fini(&f);
    }
}

static void
a_nul_byte_in_a_message_is_refused(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_EQUAL(scram_server_first(&f.server, BYTES("n,,n=,r=abc\0"), false, false, slice_of(NULL, 0),
                                       &f.keys, f.server_nonce, &f.out, &f.why),
                    ERR_PROTOCOL);
    fixture_fini(&f);
}

static void
a_client_nonce_of_231_characters_fits_and_one_more_does_not(void)
{
    char message[300] = "n,,n=,r=";
    struct fixture f;

    fixture_init(&f);
    memset(message + 8, 'x', 231);
    CU_ASSERT_EQUAL(server_hears_first(&f, message, false, false), ERR_NONE);
    CU_ASSERT_EQUAL(strlen(f.server.nonce), 255);
    message[8 + 231] = 'x';
    CU_ASSERT_EQUAL(server_hears_first(&f, message, false, false), ERR_PROTOCOL);
    fixture_fini(&f);
}

/* A right proof for "n,,n=,r=AAECAwQFBgcICQoLDA0ODxAR"; made by our own client, which other tests check. */
static void
reach_final(struct fixture *f, char *final, size_t size)
{
    struct slice message;

    fixture_init(f);
    client_speaks_first(f, 'n');
    CU_ASSERT_EQUAL_FATAL(server_hears_first(f, "n,,n=,r=AAECAwQFBgcICQoLDA0ODxAR", false, false), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(client_hears_challenge(f, PLUS_SERVER_FIRST), ERR_NONE);
    buf_drop(&f->out, buf_len(&f->out));
    scram_client_final(&f->client, &f->keys, &f->out);
    message = said(f);
    CU_ASSERT_FATAL(message.len < size);
    memcpy(final, message.at, message.len);
    final[message.len] = '\0';
}

static const struct {
    const char *cut;  /* this part of a right client-final-message … */
    const char *with; /* … is replaced */
    enum err e;
} final_rows[] = {
    { "", "", ERR_NONE },
    { "c=biws", "c=eSws", ERR_PROTOCOL }, /* y,, where n,, was announced */
    { "c=biws", "c=", ERR_PROTOCOL },
    { "c=biws", "c=" PLUS_CHANNEL, ERR_PROTOCOL },
    { "c=biws", "c=biwsbiws", ERR_PROTOCOL },
    { "c=biws,", "", ERR_PROTOCOL },
    { "c=biws", "m=x,c=biws", ERR_PROTOCOL },
    { "r=AAEC", "r=AAED", ERR_PROTOCOL },
    { PLUS_NONCE, "AAECAwQFBgcICQoLDA0ODxAR", ERR_PROTOCOL },
    { PLUS_NONCE, PLUS_NONCE "x", ERR_PROTOCOL },
    { PLUS_NONCE, "", ERR_PROTOCOL },
    { ",p=", ",q=", ERR_PROTOCOL },
    { ",p=", ",p=AAAA", ERR_PROTOCOL },
    { ",p=", ",p=!", ERR_PROTOCOL },
    { ",p=", ",garbage,p=", ERR_PROTOCOL },
    { ",p=", ",x=unsigned,p=", ERR_AUTH }, /* an extension that the proof does not cover */
};

static void
a_client_final_message_that_was_tampered_with_is_refused(void)
{
    for (size_t i = 0; i < COUNT_OF(final_rows); i++) {
        char right[512];
        char wrong[1024];
        struct fixture f;
        char *at;

        reach_final(&f, right, sizeof(right));
        at = strstr(right, final_rows[i].cut);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        snprintf(wrong, sizeof(wrong), "%.*s%s%s", (int)(at - right), right, final_rows[i].with,
                 at + strlen(final_rows[i].cut));
        CU_ASSERT_EQUAL(server_hears_final(&f, wrong), final_rows[i].e);
        CU_ASSERT_EQUAL(buf_len(&f.out) > 0, final_rows[i].e == ERR_NONE);
        fixture_fini(&f);
    }
}

static void
a_client_final_message_cut_anywhere_is_refused(void)
{
    char final[512];
    struct fixture f;

    reach_final(&f, final, sizeof(final));
    for (size_t len = 0; len < strlen(final); len++) {
        uint8_t *copy = tight_copy(slice_of(final, len));

        CU_ASSERT_EQUAL(scram_server_final(&f.server, slice_of(copy, len), &f.keys, &f.out, &f.why),
                        ERR_PROTOCOL);
        free(copy);
    }
    strcat(final, ",x=y");
    CU_ASSERT_EQUAL(server_hears_final(&f, final), ERR_PROTOCOL);
    CU_ASSERT_TRUE(has_word(f.why.text, "garbage"));
    fixture_fini(&f);
}

static void
every_changed_bit_of_a_proof_is_noticed(void)
{
    char right[512];
    struct fixture f;
    char *proof;

    reach_final(&f, right, sizeof(right));
    proof = strstr(right, ",p=") + 3;
    for (size_t i = 0; i < 43; i++) {
        char before = proof[i];

        proof[i] = before == 'A' ? 'E' : 'A';
        CU_ASSERT_NOT_EQUAL(server_hears_final(&f, right), ERR_NONE);
        proof[i] = before;
    }
    CU_ASSERT_EQUAL(server_hears_final(&f, right), ERR_NONE);
    fixture_fini(&f);
}

static void
a_step_out_of_turn_is_refused(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_EQUAL(server_hears_final(&f, "c=biws,r=,p=" PLUS_NONCE), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(client_hears_challenge(&f, PLUS_SERVER_FIRST), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(
        scram_client_verify(&f.client, BYTES("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &f.why),
        ERR_PROTOCOL);
    client_speaks_first(&f, 'n');
    CU_ASSERT_EQUAL(
        scram_client_verify(&f.client, BYTES("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &f.why),
        ERR_PROTOCOL);
    CU_ASSERT_EQUAL(client_hears_challenge(&f, PLUS_SERVER_FIRST), ERR_NONE);
    CU_ASSERT_EQUAL(client_hears_challenge(&f, PLUS_SERVER_FIRST), ERR_PROTOCOL);
    fixture_fini(&f);
}

/* --- client --- */

#define OURS "AAECAwQFBgcICQoLDA0ODxAR"
#define SALT ",s=5qRVLEt6n9rSC/gkUVhUVQ=="

static const struct {
    const char *message;
    enum err e;
    const char *word;
} challenge_rows[] = {
    { "r=" OURS "x" SALT ",i=1", ERR_NONE, "" },
    { "r=" OURS "x" SALT ",i=1000000", ERR_NONE, "" },
    { "r=" OURS "x" SALT ",i=4096,x=later", ERR_NONE, "" },
    { "r=" OURS "x" SALT ",i=1000001", ERR_LIMIT, "more than 1000000" },
    { "r=" OURS "x" SALT ",i=4294967296", ERR_PROTOCOL, "iteration" },
    { "r=" OURS "x" SALT ",i=0", ERR_PROTOCOL, "iteration" },
    { "r=" OURS "x" SALT ",i=-1", ERR_PROTOCOL, "iteration" },
    { "r=" OURS "x" SALT ",i=", ERR_PROTOCOL, "iteration" },
    { "r=" OURS "x" SALT ",i=1x", ERR_PROTOCOL, "iteration" },
    { "r=" OURS "x" SALT, ERR_PROTOCOL, "\"i\" expected" },
    { "r=" OURS SALT ",i=4096", ERR_PROTOCOL, "nonce mismatch" }, /* the server added nothing */
    { "r=AAECAwQFBgcICQoLDA0ODxAx" SALT ",i=4096", ERR_PROTOCOL, "nonce mismatch" },
    { "r=AAEC" SALT ",i=4096", ERR_PROTOCOL, "nonce mismatch" },
    { "r=" SALT ",i=4096", ERR_PROTOCOL, "empty nonce" },
    { "r=" OURS "\x01" SALT ",i=4096", ERR_PROTOCOL, "non-printable" },
    { "r=" OURS "x,s=,i=4096", ERR_PROTOCOL, "salt" },
    { "r=" OURS "x,s=abc,i=4096", ERR_PROTOCOL, "salt" },
    { "r=" OURS "x,i=4096", ERR_PROTOCOL, "expected attribute \"s\"" },
    { "m=ext,r=" OURS "x" SALT ",i=4096", ERR_PROTOCOL, "mandatory" },
    { "e=other-error", ERR_PROTOCOL, "expected attribute \"r\"" },
    { "r=" OURS "x" SALT ",i=4096,garbage", ERR_PROTOCOL, "garbage" },
    { "", ERR_PROTOCOL, "empty" },
};

static void
a_challenge_is_accepted_or_refused_with_a_reason(void)
{
    for (size_t i = 0; i < COUNT_OF(challenge_rows); i++) {
        struct fixture f;

        fixture_init(&f);
        client_speaks_first(&f, 'n');
        CU_ASSERT_EQUAL(client_hears_challenge(&f, challenge_rows[i].message), challenge_rows[i].e);
        CU_ASSERT_TRUE(has_word(f.why.text, challenge_rows[i].word));
        fixture_fini(&f);
    }
}

static void
a_challenge_larger_than_we_keep_is_a_limit(void)
{
    char message[1024] = "r=" OURS;
    struct fixture f;

    fixture_init(&f);
    client_speaks_first(&f, 'n');
    memset(message + strlen(message), 'x', 240);
    strcat(message, SALT ",i=4096");
    CU_ASSERT_EQUAL(client_hears_challenge(&f, message), ERR_LIMIT);
    strcpy(message, "r=" OURS "x,s=");
    memset(message + strlen(message), 'A', 88);
    strcat(message, ",i=4096");
    CU_ASSERT_EQUAL(client_hears_challenge(&f, message), ERR_LIMIT); /* 66 bytes */
    fixture_fini(&f);
}

static const struct {
    const char *message;
    enum err e;
    const char *word;
} verify_rows[] = {
    { PLUS_SERVER_FINAL, ERR_NONE, "" },
    { PLUS_SERVER_FINAL ",x=y", ERR_NONE, "" },
    { "v=T7DHcte+v4+tXwXsnuuLlIy5lmTTSN72GwqSkgD26T5=", ERR_PROTOCOL, "signature" }, /* not canonical */
    { "v=U7DHcte+v4+tXwXsnuuLlIy5lmTTSN72GwqSkgD26T4=", ERR_AUTH, "does not know the password" },
    { "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ERR_AUTH, "does not know the password" },
    { "v=", ERR_PROTOCOL, "signature" },
    { "v=AAAA", ERR_PROTOCOL, "signature" },
    { "v", ERR_PROTOCOL, "\"v\" expected" },
    { "", ERR_PROTOCOL, "empty" },
    { "e=invalid-proof", ERR_AUTH, "refused the SCRAM exchange: invalid-proof" },
    { "e=\x1b[31m", ERR_AUTH, "refused the SCRAM exchange: ?[31m" },
    { PLUS_SERVER_FINAL ",garbage", ERR_PROTOCOL, "garbage" },
};

static void
the_client_believes_only_a_server_that_knows_the_secret(void)
{
    struct fixture f;

    fixture_init(&f);
    client_speaks_first(&f, 'p');
    CU_ASSERT_EQUAL(client_hears_challenge(&f, PLUS_SERVER_FIRST), ERR_NONE);
    scram_client_final(&f.client, &f.keys, &f.out);
    for (size_t i = 0; i < COUNT_OF(verify_rows); i++) {
        CU_ASSERT_EQUAL(scram_client_verify(&f.client, slice_of_text(verify_rows[i].message), &f.why),
                        verify_rows[i].e);
        if (verify_rows[i].e != ERR_NONE)
            CU_ASSERT_TRUE(has_word(f.why.text, verify_rows[i].word));
    }
    fixture_fini(&f);
}

static void
an_exchange_may_begin_anew(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_EQUAL(exchange(&f, 'p', "pencil"), ERR_NONE);
    CU_ASSERT_EQUAL(exchange(&f, 'n', "pencil"), ERR_NONE);
    CU_ASSERT_EQUAL(exchange(&f, 'n', "wrong"), ERR_AUTH);
    CU_ASSERT_EQUAL(exchange(&f, 'y', "pencil"), ERR_NONE);
    fixture_fini(&f);
}

void
suite_scram(void)
{
    CU_pSuite suite = CU_add_suite("scram", NULL, NULL);

    CU_ADD_TEST(suite, the_client_of_rfc_7677_proves_and_verifies);
    CU_ADD_TEST(suite, the_server_of_rfc_7677_is_convinced);
    CU_ADD_TEST(suite, an_exchange_with_channel_binding_is_byte_for_byte_right);
    CU_ADD_TEST(suite, client_and_server_agree_with_each_flag);
    CU_ADD_TEST(suite, a_wrong_password_is_refused_and_reveals_no_key);
    CU_ADD_TEST(suite, the_client_key_of_a_login_passes_through_to_another_server);
    CU_ADD_TEST(suite, a_mock_exchange_looks_alike_and_fails);
    CU_ADD_TEST(suite, a_client_first_message_is_accepted_or_refused_with_a_reason);
    CU_ADD_TEST(suite, a_nul_byte_in_a_message_is_refused);
    CU_ADD_TEST(suite, a_client_nonce_of_231_characters_fits_and_one_more_does_not);
    CU_ADD_TEST(suite, a_client_final_message_that_was_tampered_with_is_refused);
    CU_ADD_TEST(suite, a_client_final_message_cut_anywhere_is_refused);
    CU_ADD_TEST(suite, every_changed_bit_of_a_proof_is_noticed);
    CU_ADD_TEST(suite, a_step_out_of_turn_is_refused);
    CU_ADD_TEST(suite, a_challenge_is_accepted_or_refused_with_a_reason);
    CU_ADD_TEST(suite, a_challenge_larger_than_we_keep_is_a_limit);
    CU_ADD_TEST(suite, the_client_believes_only_a_server_that_knows_the_secret);
    CU_ADD_TEST(suite, an_exchange_may_begin_anew);
}
