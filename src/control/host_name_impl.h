/* host_name_impl.h - how the network calls a client's host. May block: for helper threads. */
#ifndef PGWEIR_CONTROL_HOST_NAME_IMPL_H
#define PGWEIR_CONTROL_HOST_NAME_IMPL_H

#include "pgweir/session/secret_ask.h"

/* Fills in the outcome of a SECRET_OF_HOST. */
void host_name_answer(struct secret_ask *ask);

/* Whether IP is among the addresses of NAME. */
bool host_name_leads_to(const char *name, const struct hba_ip *ip);

#endif
