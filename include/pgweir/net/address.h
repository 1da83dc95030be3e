/* address.h - a socket address as a value, and what it looks like in a log. */
#ifndef PGWEIR_NET_ADDRESS_H
#define PGWEIR_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pgweir/base/err.h"

struct address {
    struct sockaddr_storage at;
    socklen_t len; /* 0: none */
};

/* IPV4 or IPv6 text ("*" and "" are not handled here); false when TEXT is a name. */
bool address_of_ip(struct address *out, const char *text, uint16_t port);
/* Unix socket at PATH; a first '@' means the abstract name space. ERR_LIMIT when it is too long. */
MUST_CHECK enum err address_of_path(struct address *out, const char *path, struct error *why);
/* "127.0.0.1:5432", "[::1]:5432", "unix:/path/.s.PGSQL.5432". */
void address_text(const struct address *a, char *out, size_t size);

#endif
