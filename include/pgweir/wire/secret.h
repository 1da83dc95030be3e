/*
 * secret.h - the password mathematics of both sides: md5 and SCRAM-SHA-256(-PLUS). Pure functions over bytes;
 * nonces are passed in, hashing is OpenSSL's. Nothing here logs or keeps a secret; callers wipe theirs.
 *
 * Without MD5 in OpenSSL (FIPS), md5_stored() and md5_response() give a text that nobody can guess or match.
 *
 * source RFC 5802, RFC 7677, RFC 5929 (tls-server-end-point); PostgreSQL docs, sasl-authentication,
 *        auth-password; catalog pg_authid "rolpassword" for the stored form
 *        SCRAM-SHA-256$<iterations>:<salt, base64>$<StoredKey, base64>:<ServerKey, base64>.
 */
#ifndef PGWEIR_WIRE_SECRET_H
#define PGWEIR_WIRE_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/attr.h"
#include "pgweir/base/buf.h"
#include "pgweir/base/err.h"
#include "pgweir/base/slice.h"

#define SCRAM_KEY 32u
#define SCRAM_SALT_MOST 64u
#define SCRAM_MOST_ITERATIONS 1000000u /* a server that asks for more is refused: it would block the loop */
#define SCRAM_NONCE_RAW 18u            /* 24 characters of base64 */
#define MD5_TEXT 36u                   /* "md5" + 32 hex + NUL */

/* --- md5 --- */
/* "md5" + hex(md5(password + user)), as stored in pg_authid. */
void md5_stored(const char *password, const char *user, char out[MD5_TEXT]);
/* What goes over the wire: "md5" + hex(md5(stored hex + salt)). STORED is the "md5…" form. */
void md5_response(const char *stored, const uint8_t salt[4], char out[MD5_TEXT]);

/* --- stored secrets --- */
enum secret_kind { SECRET_NONE, SECRET_PLAIN, SECRET_MD5, SECRET_SCRAM };
/* What a rolpassword or auth_file secret is, by PostgreSQL's get_password_type(). "", NULL: SECRET_NONE. */
enum secret_kind secret_kind_of(const char *stored);

/* Keys of one password, salt and iteration count. The client side needs client_key (and server_key to check
 * the server), the server side stored_key and server_key. */
struct scram_keys {
    uint8_t client_key[SCRAM_KEY]; /* valid when has_client_key */
    uint8_t stored_key[SCRAM_KEY];
    uint8_t server_key[SCRAM_KEY];
    uint8_t salt[SCRAM_SALT_MOST];
    uint8_t salt_len;
    uint32_t iterations;
    bool has_client_key;
};
/* PBKDF2, the two HMACs and the hash. SASLprep is NOT implemented beyond what needs no tables: ASCII and text
 * that is already in NFKC are their own SASLprep, and every other password is used byte for byte, which
 * differs from PostgreSQL for text that NFKC changes (ligatures, full-width letters, decomposed accents, a
 * no-break space); such a user needs a stored verifier. SALT: at most SCRAM_SALT_MOST bytes. Slow (1.3 ms at
 * 4096): cache the result. */
void scram_derive(const char *password, struct slice salt, uint32_t iterations, struct scram_keys *out);
/* Leaves has_client_key false. ERR_SYNTAX when it is no verifier; ERR_LIMIT when its salt is longer than
 * SCRAM_SALT_MOST. */
MUST_CHECK enum err scram_verifier_read(const char *stored, struct scram_keys *out, struct error *why);
/* A verifier that no password fits, stable per user: derived from a per-process SECRET so that unknown users
 * see the same salt each time (PostgreSQL's mock authentication). */
void scram_mock(struct slice process_secret, const char *user, uint32_t iterations, struct scram_keys *out);

/* --- one SCRAM exchange --- */
/* State of either side; wipe with scram_fini(). */
struct scram {
    struct buf client_first_bare;
    struct buf server_first;
    char nonce[256];              /* client nonce, then both */
    uint8_t channel_binding_flag; /* 'n', 'y' or 'p' */
    struct buf gs2_and_binding;   /* what c= must encode */
    uint8_t server_signature[SCRAM_KEY];
    bool has_server_signature;     /* client side: scram_client_final() was called */
    uint8_t client_key[SCRAM_KEY]; /* server side, after success: the ClientKey the proof revealed */
};
void scram_init(struct scram *x);
void scram_fini(struct scram *x);

/* Client: appends client-first-message. BINDING: tls-server-end-point data, empty for none. With FLAG 'p' the
 * mechanism is -PLUS; 'y': we could, the server did not offer it; 'n': we cannot. The user name is sent
 * empty, as libpq does. */
void scram_client_first(struct scram *x, const uint8_t nonce_raw[SCRAM_NONCE_RAW], char flag,
                        struct slice binding, struct buf *out);
/* Client: reads server-first-message; tells salt and iterations so that the caller can look for cached keys.
 * ERR_LIMIT when the server asks for more than SCRAM_MOST_ITERATIONS or SCRAM_SALT_MOST; ERR_PROTOCOL
 * otherwise. */
MUST_CHECK enum err scram_client_challenge(struct scram *x, struct slice server_first,
                                           uint8_t salt[SCRAM_SALT_MOST], uint8_t *salt_len,
                                           uint32_t *iterations, struct error *why);
/* Client: appends client-final-message from keys with all three keys (a login that passed through: the
 * StoredKey and ServerKey of the verifier, the ClientKey that its proof revealed). */
void scram_client_final(struct scram *x, const struct scram_keys *keys, struct buf *out);
/* Client: checks server-final-message (v=); ERR_AUTH when the server does not know the secret (or e=…). */
MUST_CHECK enum err scram_client_verify(struct scram *x, struct slice server_final, struct error *why);

/* Server: reads client-first-message and appends server-first-message. BINDING: our certificate's end-point
 * data, empty when the connection is not TLS. PLUS: the chosen mechanism is -PLUS. Refuses: flag 'p' without
 * PLUS or other than tls-server-end-point, 'y' when PLUS was offered (downgrade), authzid, extensions "m=".
 * ERR_PROTOCOL. */
MUST_CHECK enum err scram_server_first(struct scram *x, struct slice client_first, bool plus,
                                       bool plus_was_offered, struct slice binding,
                                       const struct scram_keys *keys,
                                       const uint8_t nonce_raw[SCRAM_NONCE_RAW], struct buf *out,
                                       struct error *why);
/* Server: checks client-final-message in constant time; on success appends server-final-message and leaves
 * the ClientKey in x->client_key. ERR_AUTH: wrong proof; ERR_PROTOCOL: malformed, wrong nonce or binding. */
MUST_CHECK enum err scram_server_final(struct scram *x, struct slice client_final,
                                       const struct scram_keys *keys, struct buf *out, struct error *why);

/* Constant-time comparison of equally long bytes. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
