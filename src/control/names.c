/*
 * names.c - one host after the other through evdns, /etc/hosts included.
 *
 *     Questions are rare, so each has an evdns base of its own: it reads resolv.conf as it is now, and
 *     nothing is left open in between. libevent still holds the base while it calls us back, so the query
 *     ends as a chore, when the loop turn is over; a cancelled one lives until libevent has told us that
 *     its question is cancelled.
 */
#include "names_impl.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/address.h"

#define ADDRESSES_MOST 16u /* of all hosts together: libpq tries them in turn */

struct names_query {
    struct chore end; /* calls the handler and frees the query */
    struct loop *loop;
    struct names_handler handler;
    void *arg;
    char *hosts;      /* owned; cut into its elements while we go on */
    char *ports;      /* owned */
    char *next_host;  /* NULL: no more */
    char *next_port;  /* NULL: no more; the last one serves the hosts that follow */
    const char *host; /* in hand */
    const char *port; /* in hand */
    unsigned count;   /* elements in the three lists */
    struct buf host_list;
    struct buf hostaddr_list;
    struct buf port_list;
    struct evdns_base *dns;                     /* NULL until a name is met */
    struct evdns_getaddrinfo_request *question; /* NULL: libevent owes us nothing */
    bool is_stepping;  /* inside step(): an answer that comes at once is taken up there */
    bool is_cancelled; /* nobody wants the answer */
    struct error why;  /* of the host that failed last */
};

static void
answer(struct names_query *q)
{
    buf_add_u8(&q->host_list, 0);
    buf_add_u8(&q->hostaddr_list, 0);
    buf_add_u8(&q->port_list, 0);
    q->handler.on_answer(q->arg,
                         &(struct names_answer){
                             .host = (const char *)buf_slice(&q->host_list).at,
                             .hostaddr = (const char *)buf_slice(&q->hostaddr_list).at,
                             .port = q->ports[0] == '\0' ? "" : (const char *)buf_slice(&q->port_list).at,
                         });
}

static void
on_end(struct chore *chore)
{
    struct names_query *q = CONTAINER_OF(chore, struct names_query, end);

    if (!q->is_cancelled && q->count > 0)
        answer(q);
    else if (!q->is_cancelled)
        q->handler.on_failure(q->arg, &q->why);
    if (q->dns != NULL)
        evdns_base_free(q->dns, 0);
    buf_release(&q->host_list);
    buf_release(&q->hostaddr_list);
    buf_release(&q->port_list);
    free(q->hosts);
    free(q->ports);
    free(q);
}

/* The element that begins at *AT, which moves on to the next one, or to NULL. */
static char *
cut_element(char **at)
{
    char *element = *at;
    char *comma = strchr(element, ',');

    *at = comma == NULL ? NULL : comma + 1;
    if (comma != NULL)
        *comma = '\0';
    return element;
}

static void
add_place(struct names_query *q, const char *hostaddr)
{
    const char *comma = q->count == 0 ? "" : ",";

    if (q->count == ADDRESSES_MOST)
        return;
    q->count++;
    buf_add_format(&q->host_list, "%s%s", comma, q->host);
    buf_add_format(&q->hostaddr_list, "%s%s", comma, hostaddr);
    buf_add_format(&q->port_list, "%s%s", comma, q->port);
}

static void
add_addresses(struct names_query *q, const struct evutil_addrinfo *found)
{
    for (const struct evutil_addrinfo *it = found; it != NULL; it = it->ai_next) {
        char text[INET6_ADDRSTRLEN];
        const void *at = NULL;

        if (it->ai_family == AF_INET)
            at = &((const struct sockaddr_in *)(const void *)it->ai_addr)->sin_addr;
        else if (it->ai_family == AF_INET6)
            at = &((const struct sockaddr_in6 *)(const void *)it->ai_addr)->sin6_addr;
        if (at != NULL && inet_ntop(it->ai_family, at, text, sizeof(text)) != NULL)
            add_place(q, text);
    }
}

static void step(struct names_query *q);

static void
on_addresses(int result, struct evutil_addrinfo *found, void *arg)
{
    struct names_query *q = arg;

    q->question = NULL;
    if (result == 0)
        add_addresses(q, found);
    else
        (void)error_set(&q->why, ERR_NOT_FOUND, "host name \"%s\" has no address: %s", q->host,
                        evutil_gai_strerror(result));
    if (found != NULL)
        evutil_freeaddrinfo(found);
    if (!q->is_stepping)
        step(q);
}

static void
look_up(struct names_query *q)
{
    struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_flags = EVUTIL_AI_ADDRCONFIG };

    if (q->dns == NULL)
        q->dns = evdns_base_new(loop_base(q->loop), EVDNS_BASE_INITIALIZE_NAMESERVERS);
    if (q->dns == NULL) { /* no usable resolv.conf: /etc/hosts may still know the name */
        q->dns = evdns_base_new(loop_base(q->loop), 0);
        if (q->dns != NULL)
            (void)evdns_base_load_hosts(q->dns, "/etc/hosts");
    }
    if (q->dns == NULL) {
        (void)error_set(&q->why, ERR_NOT_FOUND, "host name \"%s\": name resolution cannot be set up",
                        q->host);
        return;
    }
    q->question = evdns_getaddrinfo(q->dns, q->host, NULL, &hints, on_addresses, q);
}

/* Goes on until a question is under way or all hosts are done. */
static void
step(struct names_query *q)
{
    q->is_stepping = true;
    while (q->question == NULL && q->next_host != NULL && !q->is_cancelled) {
        struct address ip;

        q->host = cut_element(&q->next_host);
        if (q->next_port != NULL)
            q->port = cut_element(&q->next_port);
        if (q->host[0] == '\0' || q->host[0] == '/' || q->host[0] == '@')
            add_place(q, "");
        else if (address_of_ip(&ip, q->host, 0))
            add_place(q, q->host);
        else
            look_up(q);
    }
    q->is_stepping = false;
    if (q->question == NULL)
        loop_defer(q->loop, &q->end);
}

struct names_query *
names_ask(struct loop *loop, const char *hosts, const char *ports, const struct names_handler *handler,
          void *arg)
{
    struct names_query *q = mem_new(sizeof(*q));

    q->end.run = on_end;
    q->loop = loop;
    q->handler = *handler;
    q->arg = arg;
    q->hosts = q->next_host = mem_text(hosts);
    q->ports = q->next_port = mem_text(ports);
    buf_init(&q->host_list);
    buf_init(&q->hostaddr_list);
    buf_init(&q->port_list);
    step(q);
    return q;
}

void
names_cancel(struct names_query *q)
{
    if (q == NULL)
        return;
    q->is_cancelled = true;
    if (q->question != NULL)
        evdns_getaddrinfo_cancel(q->question); /* on_addresses() follows from the loop */
}
