/* address.c - see address.h. */
#include "pgweir/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* "fe80::1%eth0" needs the interface, which inet_pton() does not know; getaddrinfo() with AI_NUMERICHOST
 * does, and asks nobody. */
static bool
address_of_scoped(struct address *out, const char *text, uint16_t port)
{
    struct addrinfo hints = { .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found;
    struct sockaddr_in6 in6;

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    memcpy(&in6, found->ai_addr, sizeof(in6));
    freeaddrinfo(found);
    in6.sin6_port = htons(port);
    *out = (struct address){ .len = sizeof(in6) };
    memcpy(&out->at, &in6, sizeof(in6));
    return true;
}

bool
address_of_ip(struct address *out, const char *text, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        *out = (struct address){ .len = sizeof(in) };
        memcpy(&out->at, &in, sizeof(in));
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        *out = (struct address){ .len = sizeof(in6) };
        memcpy(&out->at, &in6, sizeof(in6));
        return true;
    }
    return strchr(text, '%') != NULL && strchr(text, ':') != NULL && address_of_scoped(out, text, port);
}

enum err
address_of_path(struct address *out, const char *path, struct error *why)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    /* A path is NUL-terminated; an abstract name is not, its length counts. */
    if (len >= sizeof(un.sun_path))
        return error_set(why, ERR_LIMIT, "Unix socket path \"%s\" is too long (maximum %zu bytes)", path,
                         sizeof(un.sun_path) - 1);
    memcpy(un.sun_path, path, len);
    if (path[0] == '@')
        un.sun_path[0] = '\0';
    *out = (struct address){ .len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
                                                (path[0] == '@' ? 0 : 1)) };
    memcpy(&out->at, &un, sizeof(un));
    return ERR_NONE;
}

static void
unix_text(const struct address *a, char *out, size_t size)
{
    const struct sockaddr_un *un = (const void *)&a->at;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    int len = a->len > head ? (int)(a->len - head) : 0;

    if (len == 0)
        snprintf(out, size, "unix");
    else if (un->sun_path[0] == '\0')
        snprintf(out, size, "unix:@%.*s", len - 1, un->sun_path + 1);
    else
        snprintf(out, size, "unix:%.*s", len, un->sun_path);
}

void
address_text(const struct address *a, char *out, size_t size)
{
    const struct sockaddr_in *in = (const void *)&a->at;
    const struct sockaddr_in6 *in6 = (const void *)&a->at;
    char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];

    if (a->len == 0) {
        snprintf(out, size, "none");
    } else if (a->at.ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else if (a->at.ss_family == AF_INET6) {
        if (getnameinfo((const void *)&a->at, a->len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
            inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (a->at.ss_family == AF_UNIX) {
        unix_text(a, out, size);
    } else {
        snprintf(out, size, "family %d", (int)a->at.ss_family);
    }
}
