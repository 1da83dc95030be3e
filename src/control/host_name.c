/*
 * host_name.c - the name of an address, for rules of auth_hba_file that name hosts.
 *
 * Whoever owns an address says what its name is, and may say anything. So the name counts only if those who own
 * the name say that it has this address. Nothing is remembered here: the resolver of the system may, and knows
 * for how long.
 *
 * source PostgreSQL docs, auth-pg-hba-conf, "address".
 */
#include "host_name_impl.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/base/mem.h"

static socklen_t
socket_address_of(const struct hba_ip *ip, struct sockaddr_storage *out)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

    if (ip->len == 4) {
        memcpy(&four.sin_addr, ip->at, 4);
        memcpy(out, &four, sizeof(four));
        return sizeof(four);
    }
    memcpy(&six.sin6_addr, ip->at, 16);
    memcpy(out, &six, sizeof(six));
    return sizeof(six);
}

bool
host_name_leads_to(const char *name, const struct hba_ip *ip)
{
    const struct addrinfo wanted = { .ai_family = ip->len == 4 ? AF_INET : AF_INET6,
                                     .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;
    bool does_lead = false;

    if (getaddrinfo(name, NULL, &wanted, &all) != 0)
        return false;
    for (const struct addrinfo *it = all; it != NULL && !does_lead; it = it->ai_next) {
        struct hba_ip found = hba_ip_of(it->ai_addr);

        does_lead = found.len == ip->len && memcmp(found.at, ip->at, ip->len) == 0;
    }
    freeaddrinfo(all);
    return does_lead;
}

void
host_name_answer(struct secret_ask *ask)
{
    struct sockaddr_storage at;
    socklen_t len = socket_address_of(&ask->address, &at);
    char name[NI_MAXHOST];
    int error = getnameinfo((const struct sockaddr *)&at, len, name, sizeof(name), NULL, 0, NI_NAMEREQD);

    ask->outcome = SECRET_UNKNOWN;
    if (error != 0) {
        snprintf(ask->reason, sizeof(ask->reason), "its address has no name: %s", gai_strerror(error));
    } else if (!host_name_leads_to(name, &ask->address)) {
        snprintf(ask->reason, sizeof(ask->reason), "its address is not among those of its name \"%.100s\"",
                 name);
    } else {
        ask->outcome = SECRET_GIVEN;
        ask->secret = mem_text(name);
    }
}
