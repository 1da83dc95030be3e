/*
 * raw.h - a client that says exactly what it is told to: any bytes, at any time, over TCP or TLS.
 *
 * Every wait is bounded by WAIT_MS. A client that was refused or lost may be used on: it hears RAW_GONE.
 */
#ifndef PGWEIR_TESTS_RAW_H
#define PGWEIR_TESTS_RAW_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/base/buf.h"
#include "pgweir/wire/pg_error.h"

struct raw;

#define RAW_GONE 0       /* the connection has ended */
#define RAW_SILENCE (-1) /* nothing came within WAIT_MS */

struct raw *raw_dial(unsigned port);     /* 127.0.0.1, nothing said yet */
struct raw *raw_open(unsigned port);     /* and logged in: app_user, database app */
struct raw *raw_open_tls(unsigned port); /* the same behind SSLRequest */
/* TLS from here on. ALPN: one protocol name to offer, NULL: none. False when the handshake fails. */
bool raw_start_tls(struct raw *r, const char *alpn);
const char *raw_chosen_alpn(struct raw *r); /* "" when none */
/* Startup packet, then whatever password is asked for, up to ReadyForQuery. Otherwise raw_error() may know
 * why. */
bool raw_login(struct raw *r, const char *user, const char *database, const char *password);
void raw_close(struct raw *r); /* NULL is fine */
void raw_abort(struct raw *r); /* the same with a TCP reset */

/* All of BYTES, reading what comes meanwhile; false when the connection is gone. */
bool raw_send(struct raw *r, struct slice bytes);
/* What was built, and empties OUT. */
bool raw_send_buf(struct raw *r, struct buf *out);
bool raw_send_query(struct raw *r, const char *sql);

/* The next byte, for answers without a header; RAW_GONE, RAW_SILENCE. */
int raw_byte(struct raw *r);
/* The type of the next message, whose bytes are raw_bytes() until the next call; RAW_GONE, RAW_SILENCE. */
int raw_message(struct raw *r);
struct slice raw_bytes(const struct raw *r); /* from the type byte on */
struct slice raw_body(const struct raw *r);
/* Reads on to a message of TYPE; false when the connection ends or falls silent before. */
bool raw_until(struct raw *r, char type);
/* Reads on to the end of the connection; false when it does not come. */
bool raw_is_closed(struct raw *r);

/* The last ErrorResponse heard ("" fields when there was none). */
const struct pg_error *raw_error(const struct raw *r);
uint32_t raw_pid(const struct raw *r); /* of BackendKeyData */
struct slice raw_secret(const struct raw *r);
/* Types of all messages heard so far, the login's too. */
const char *raw_heard(const struct raw *r);
/* The server-first-message of the SCRAM login, "" when there was none. */
const char *raw_challenge(const struct raw *r);

#endif
