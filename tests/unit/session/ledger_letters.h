/* ledger_letters.h - messages by their letters, for tests of the ledger. */
#ifndef PGWEIR_TESTS_SESSION_LEDGER_LETTERS_H
#define PGWEIR_TESTS_SESSION_LEDGER_LETTERS_H

#include "pgweir/session/ledger.h"

/* enum owed_kind by the frontend message's type; c is CopyDone and CopyFail. */
extern const uint8_t owed_kinds[256];

/* A backend message of TYPE has come; what it made void is forgotten. */
enum ledger_verdict settle(struct ledger *l, char type);

#endif
