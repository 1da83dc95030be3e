/*
 * resolver.c - names to addresses, through evdns, remembered for a while.
 *
 *     ask --known and fresh--------------------------------> answer
 *      |--else--> waiting at the host --evdns question-----> answer to all who wait
 *
 * All who ask for one host while a question is under way wait for the same answer. A failure is remembered
 * too, for its own time; but when only the name server failed, and an older answer is known, the older answer
 * is given again: better a stale address than none.
 *
 * evdns reads /etc/resolv.conf and /etc/hosts once; so when one of them has changed, and no question is under
 * way, it is made anew.
 */
#include "resolver_impl.h"

#include <event2/dns.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loop_impl.h"
#include "pgweir/base/map.h"
#include "pgweir/base/mem.h"

struct file_stamp {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct resolver {
    struct loop *loop;
    struct evdns_base *dns; /* NULL until the first question */
    const char *resolv_conf;
    const char *hosts_file;
    struct file_stamp resolv_stamp; /* of the files that dns has read */
    struct file_stamp hosts_stamp;
    struct map hosts;
    struct list questions; /* under way */
    uint64_t ttl_us;
    uint64_t nxdomain_ttl_us;
};

struct host {
    struct map_node in_hosts; /* resolver->hosts */
    char *name;
    struct list waiting; /* struct lookup */
    bool is_asked;
    uint64_t good_until_us; /* what follows is to be believed so long */
    struct error failure;   /* ERR_NONE: there are addresses */
    unsigned count;
    struct address *addresses;
};

/* What evdns holds for us. It outlives the resolver when that is freed first. */
struct question {
    struct link in_questions; /* resolver->questions */
    struct loop *loop;
    struct resolver *resolver; /* NULL: freed meanwhile */
    struct host *host;
};

/* What is known of a host, as a value: those who are told it may free the resolver. */
struct answer {
    struct error failure;
    unsigned count;
    struct address addresses[RESOLVER_MOST_ADDRESSES];
};

void
lookup_init(struct lookup *l, void (*on_answer)(struct lookup *l, const struct address *addresses,
                                                unsigned count, const struct error *why))
{
    link_init(&l->in_waiting);
    l->on_answer = on_answer;
}

void
lookup_cancel(struct lookup *l)
{
    link_remove(&l->in_waiting);
}

struct resolver *
resolver_new(struct loop *loop, uint64_t ttl_us, uint64_t nxdomain_ttl_us)
{
    struct resolver *r = mem_new(sizeof(*r));

    r->loop = loop;
    r->ttl_us = ttl_us;
    r->nxdomain_ttl_us = nxdomain_ttl_us;
    r->resolv_conf = "/etc/resolv.conf";
    r->hosts_file = "/etc/hosts";
    map_init(&r->hosts);
    list_init(&r->questions);
    return r;
}

void
resolver_use_files(struct resolver *r, const char *resolv_conf, const char *hosts)
{
    r->resolv_conf = resolv_conf;
    r->hosts_file = hosts;
}

void
resolver_set_ttl(struct resolver *r, uint64_t ttl_us, uint64_t nxdomain_ttl_us)
{
    r->ttl_us = ttl_us;
    r->nxdomain_ttl_us = nxdomain_ttl_us;
}

/* The files */

static struct file_stamp
stamp_of(const char *file)
{
    struct stat st;

    if (stat(file, &st) != 0)
        return (struct file_stamp){ .size = -1 };
    return (struct file_stamp){ .changed = st.st_mtim, .size = st.st_size, .inode = st.st_ino };
}

static bool
is_same_stamp(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->size == b->size && a->inode == b->inode;
}

/* Makes r->dns fit for the next question; it stays NULL only when there is no memory. */
static void
prepare_dns(struct resolver *r)
{
    struct file_stamp resolv = stamp_of(r->resolv_conf);
    struct file_stamp hosts = stamp_of(r->hosts_file);

    if (r->dns != NULL && list_is_empty(&r->questions) &&
        !(is_same_stamp(&resolv, &r->resolv_stamp) && is_same_stamp(&hosts, &r->hosts_stamp))) {
        evdns_base_free(r->dns, 0);
        r->dns = NULL;
    }
    if (r->dns != NULL)
        return;
    /* Not EVDNS_BASE_INITIALIZE_NAMESERVERS: it gives up where resolv.conf names no server, and with it
     * /etc/hosts. */
    r->dns = evdns_base_new(r->loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (r->dns == NULL)
        return;
    /* How long an answer of one family waits for the other: some name servers never answer AAAA questions. */
    evdns_base_set_option(r->dns, "getaddrinfo-allow-skew:", "0.5");
    r->resolv_stamp = resolv;
    r->hosts_stamp = hosts;
    evdns_base_load_hosts(r->dns, r->hosts_file);
    /* Without a server in it, libevent asks 127.0.0.1, as resolv.conf(5) says. */
    evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, r->resolv_conf);
}

/* Hosts */

static bool
is_named(const struct map_node *node, const void *name)
{
    return strcmp(CONTAINER_OF_CONST(node, struct host, in_hosts)->name, name) == 0;
}

static struct host *
find_host(struct resolver *r, const char *name)
{
    struct map_node *node = map_find(&r->hosts, map_hash(slice_of_text(name)), is_named, name);

    return node == NULL ? NULL : CONTAINER_OF(node, struct host, in_hosts);
}

static struct host *
find_or_add_host(struct resolver *r, const char *name)
{
    struct host *h = find_host(r, name);

    if (h != NULL)
        return h;
    h = mem_new(sizeof(*h));
    h->name = mem_text(name);
    list_init(&h->waiting);
    map_add(&r->hosts, &h->in_hosts, map_hash(slice_of_text(name)));
    return h;
}

static void
host_free(struct host *h)
{
    LIST_EACH(&h->waiting, l)
        link_remove(l);
    free(h->addresses);
    free(h->name);
    free(h);
}

static void
host_answer(const struct host *h, struct answer *out)
{
    out->failure = h->failure;
    out->count = h->failure.code == ERR_NONE ? h->count : 0;
    if (out->count > 0)
        memcpy(out->addresses, h->addresses, out->count * sizeof(out->addresses[0]));
}

static void
tell(struct lookup *l, const struct answer *a)
{
    l->on_answer(l, a->addresses, a->count, a->count > 0 ? NULL : &a->failure);
}

static void
tell_all(struct host *h)
{
    struct answer a;
    struct list waiting;

    host_answer(h, &a);
    list_init(&waiting);
    list_append(&waiting, &h->waiting);
    while (!list_is_empty(&waiting)) {
        struct lookup *l = CONTAINER_OF(list_first(&waiting), struct lookup, in_waiting);

        link_remove(&l->in_waiting);
        tell(l, &a); /* may cancel others, may free the resolver */
    }
}

/* Answers */

static unsigned
count_of(const struct evutil_addrinfo *found)
{
    unsigned count = 0;

    for (; found != NULL && count < RESOLVER_MOST_ADDRESSES; found = found->ai_next)
        count++;
    return count;
}

static void
learn(struct host *h, const struct evutil_addrinfo *found)
{
    h->failure.code = ERR_NONE;
    h->count = 0;
    h->addresses = mem_grow(h->addresses, count_of(found), sizeof(*h->addresses));
    for (; found != NULL && h->count < RESOLVER_MOST_ADDRESSES; found = found->ai_next) {
        struct address *a = &h->addresses[h->count++];

        *a = (struct address){ .len = (socklen_t)found->ai_addrlen };
        memcpy(&a->at, found->ai_addr, found->ai_addrlen);
    }
}

static void
learn_failure(struct host *h, int result)
{
    bool is_unknown = result == EVUTIL_EAI_NONAME || result == EVUTIL_EAI_NODATA || result == 0;

    if (is_unknown)
        (void)error_set(&h->failure, ERR_NOT_FOUND, "host \"%s\" does not exist", h->name);
    else if (h->count == 0)
        (void)error_set(&h->failure, ERR_IO, "host \"%s\" cannot be looked up: %s", h->name,
                        evutil_gai_strerror(result));
    else
        h->failure.code = ERR_NONE; /* the addresses that we have are stale, but all that there is */
}

/* Libevent's answer: inside evdns_getaddrinfo() for what /etc/hosts knows, else from the loop. */
static void
on_answer(int result, struct evutil_addrinfo *found, void *arg)
{
    struct question *q = arg;
    struct resolver *r = q->resolver;
    struct host *h = q->host;

    loop_note_wake(q->loop);
    link_remove(&q->in_questions);
    if (r == NULL)
        q->loop->question_count--;
    free(q);
    if (r != NULL) {
        bool is_good = result == 0 && found != NULL;

        h->is_asked = false;
        h->good_until_us = loop_now_us(r->loop) + (is_good ? r->ttl_us : r->nxdomain_ttl_us);
        if (is_good)
            learn(h, found);
        else
            learn_failure(h, result);
        tell_all(h);
    }
    if (found != NULL)
        evutil_freeaddrinfo(found);
}

static void
ask_dns(struct resolver *r, struct host *h)
{
    /* Both families, whatever our interfaces: where there is no route, connecting fails at once and the
     * next address has its turn. */
    struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct question *q;

    prepare_dns(r);
    if (r->dns == NULL) {
        (void)error_set(&h->failure, ERR_IO, "host \"%s\" cannot be looked up: no memory", h->name);
        tell_all(h);
        return;
    }
    q = mem_new(sizeof(*q));
    q->loop = r->loop;
    q->resolver = r;
    q->host = h;
    list_push_last(&r->questions, &q->in_questions);
    h->is_asked = true;
    (void)evdns_getaddrinfo(r->dns, h->name, NULL, &hints, on_answer, q);
}

void
resolver_ask(struct resolver *r, const char *host, struct lookup *l)
{
    struct host *h = find_or_add_host(r, host);

    if (!h->is_asked && loop_now_us(r->loop) < h->good_until_us) {
        struct answer a;

        host_answer(h, &a);
        tell(l, &a);
        return;
    }
    list_push_last(&h->waiting, &l->in_waiting);
    if (!h->is_asked)
        ask_dns(r, h);
}

void
resolver_forget(struct resolver *r, const char *host)
{
    struct host *h = find_host(r, host);

    if (h != NULL)
        h->good_until_us = 0;
}

unsigned
resolver_look(const struct resolver *r,
              void (*each)(void *arg, const char *name, uint64_t ttl_us, const struct address *addresses,
                           unsigned count),
              void *arg)
{
    uint64_t now_us = loop_now_us(r->loop);
    unsigned asked = 0;

    for (struct map_node *node = map_next(&r->hosts, NULL); node != NULL; node = map_next(&r->hosts, node)) {
        const struct host *h = CONTAINER_OF(node, struct host, in_hosts);

        asked += h->is_asked;
        if (h->good_until_us > now_us)
            each(arg, h->name, h->good_until_us - now_us, h->addresses,
                 h->failure.code == ERR_NONE ? h->count : 0);
    }
    return asked;
}

void
resolver_free(struct resolver *r)
{
    struct map_node *node;

    if (r == NULL)
        return;
    LIST_EACH(&r->questions, l) {
        CONTAINER_OF(l, struct question, in_questions)->resolver = NULL;
        link_remove(l);
        r->loop->question_count++;
    }
    if (r->dns != NULL)
        evdns_base_free(r->dns, 1); /* answers what is under way, later, from the loop */
    while ((node = map_take_any(&r->hosts)) != NULL)
        host_free(CONTAINER_OF(node, struct host, in_hosts));
    map_fini(&r->hosts);
    free(r);
}
