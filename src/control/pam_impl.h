/* pam_impl.h - what PAM says to a user and his password, and how the system calls a user. Both may block: for helper threads. */
#ifndef PGWEIR_CONTROL_PAM_IMPL_H
#define PGWEIR_CONTROL_PAM_IMPL_H

#include "pgweir/session/secret_ask.h"

/* Fills in the outcome of a SECRET_OF_PAM. */
void pam_answer(struct secret_ask *ask);
/* Fills in the outcome of a SECRET_OF_SYSTEM. */
void system_answer(struct secret_ask *ask);

#endif
