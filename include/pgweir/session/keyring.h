/*
 * keyring.h - derived password keys, so that a login costs a few HMACs and not 4096 rounds. One per process,
 * one lock held for a lookup only; derivation runs outside it.
 */
#ifndef PGWEIR_SESSION_KEYRING_H
#define PGWEIR_SESSION_KEYRING_H

#include <stdbool.h>

#include "pgweir/wire/secret.h"

struct keyring;

struct keyring *keyring_new(void);
void keyring_free(struct keyring *k); /* wipes everything */

/* What USER's SCRAM proof is checked against. STORED: a plain password (a verifier with a salt of our own is
 * made once) or a SCRAM verifier; false for md5 and unreadable ones. */
bool keyring_verifier(struct keyring *k, const char *user, const char *stored, uint32_t iterations,
                      struct scram_keys *out);
/* Keys that no password fits, the same for each unknown name every time. */
void keyring_mock(struct keyring *k, const char *user, uint32_t iterations, struct scram_keys *out);

/* A client proved that it knows USER's password: KEYS has its ClientKey. Kept for logging into servers as
 * this user. */
void keyring_learn(struct keyring *k, const char *user, const struct scram_keys *keys);
/* Keys learnt for USER; false when nobody of that name has logged in with SCRAM yet. */
bool keyring_learnt(struct keyring *k, const char *user, struct scram_keys *out);

/* The same for a user whom auth_query of DATABASE knows: another user than that of the same name in another
 * database. */
void keyring_learn_in(struct keyring *k, const char *database, const char *user,
                      const struct scram_keys *keys);
bool keyring_learnt_in(struct keyring *k, const char *database, const char *user, struct scram_keys *out);
/* And where auth_query tells a plain or md5 secret, which is for the servers as it is. */
void keyring_learn_secret(struct keyring *k, const char *database, const char *user, const char *secret);
char *keyring_learnt_secret(struct keyring *k, const char *database,
                            const char *user); /* owned, a secret; NULL */

/* The server(s) called HOSTS refused this SECRET of USER. The last one is remembered. */
void keyring_note_refused(struct keyring *k, const char *hosts, const char *user, const char *secret);
bool keyring_was_refused(struct keyring *k, const char *hosts, const char *user, const char *secret);

/* Keys of PASSWORD for a server's SALT and ITERATIONS. */
void keyring_derive(struct keyring *k, const char *password, struct slice salt, uint32_t iterations,
                    struct scram_keys *out);

#endif
