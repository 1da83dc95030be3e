/* listeners.c - from listen_addr, listen_port and unix_socket_… to listening sockets. */
#include "listeners_impl.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "pgweir/base/text.h"
#include "pgweir/net/listener.h"
#include "pgweir/session/house.h"
#include "systemd_impl.h"

struct listeners {
    struct listener *at[LISTENERS_MOST + 1]; /* the last place is for the Unix socket */
    unsigned count;
};

static enum err
add_address(struct addresses *list, const struct address *a, struct error *why)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->at[i].len == a->len && memcmp(&list->at[i].at, &a->at, a->len) == 0)
            return ERR_NONE;
    if (list->count == LISTENERS_MOST)
        return error_set(why, ERR_LIMIT, "listen_addr: more than %u addresses", LISTENERS_MOST);
    list->at[list->count++] = *a;
    return ERR_NONE;
}

/* Whether this machine can bind to A at all, whoever has its port: /etc/hosts may say ::1 where the kernel
 * has no IPv6. */
static bool
is_ours(const struct address *a)
{
    struct address any_port = *a;
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_missing;

    if (fd < 0)
        return errno != EAFNOSUPPORT;
    if (a->at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&any_port.at)->sin6_port = 0;
    else
        ((struct sockaddr_in *)(void *)&any_port.at)->sin_port = 0;
    is_missing = bind(fd, (const struct sockaddr *)(const void *)&any_port.at, a->len) != 0 &&
                 (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
    close(fd);
    return !is_missing;
}

/* Adds A, one of several that stand for the same wish; false when it is left out. */
static bool
is_usable(const struct address *a)
{
    char text[80];

    if (is_ours(a))
        return true;
    address_text(a, text, sizeof(text));
    log_line(LOG_NOTICE_LEVEL, "not listening on %s: this machine has no such address", text);
    return false;
}

static enum err
add_all(struct addresses *list, uint16_t port, struct error *why)
{
    static const char *const wildcards[] = { "::", "0.0.0.0" };
    enum err e = ERR_NONE;

    for (size_t i = 0; i < COUNT_OF(wildcards) && e == ERR_NONE; i++) {
        struct address a;

        if (address_of_ip(&a, wildcards[i], port) && is_usable(&a))
            e = add_address(list, &a, why);
    }
    return e;
}

static enum err
add_name(struct addresses *list, const char *name, uint16_t port, struct error *why)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    unsigned before = list->count;
    int result = getaddrinfo(name, NULL, &hints, &found);
    enum err e = ERR_NONE;

    if (result != 0)
        return error_set(why, ERR_NOT_FOUND, "listen_addr: \"%s\": %s", name, gai_strerror(result));
    for (const struct addrinfo *it = found; it != NULL && e == ERR_NONE; it = it->ai_next) {
        struct address a = { .len = it->ai_addrlen };

        memcpy(&a.at, it->ai_addr, it->ai_addrlen);
        if (it->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)(void *)&a.at)->sin6_port = htons(port);
        else
            ((struct sockaddr_in *)(void *)&a.at)->sin_port = htons(port);
        if (is_usable(&a))
            e = add_address(list, &a, why);
    }
    freeaddrinfo(found);
    if (e == ERR_NONE && list->count == before && before == 0)
        return error_set(why, ERR_NOT_FOUND, "listen_addr: \"%s\" is no address of this machine", name);
    return e;
}

static enum err
add_word(struct addresses *list, const char *word, uint16_t port, struct error *why)
{
    struct address a;

    if (strcmp(word, "*") == 0)
        return add_all(list, port, why);
    if (address_of_ip(&a, word, port))
        return add_address(list, &a, why);
    return add_name(list, word, port, why);
}

enum err
addresses_of(const char *listen_addr, unsigned port, struct addresses *out, struct error *why)
{
    struct addresses list = { .count = 0 };
    char *words = mem_text(listen_addr), *rest = NULL;
    enum err e = ERR_NONE;

    for (char *word = strtok_r(words, ",", &rest); word != NULL && e == ERR_NONE;
         word = strtok_r(NULL, ",", &rest)) {
        word = text_trim(word);
        if (word[0] != '\0')
            e = add_word(&list, word, (uint16_t)port, why);
    }
    free(words);
    if (e == ERR_NONE)
        *out = list;
    return e;
}

static void
on_trouble(void *arg, const struct error *why)
{
    (void)arg;
    log_line(LOG_WARNING_LEVEL, "accepting connections: %s", why->text);
}

/* What all listeners have in common. */
struct opening {
    struct loop *loop;
    struct listener_params params;
    void (*on_accept)(void *arg, int fd, const struct address *peer);
    void *arg;
};

static enum err
open_one(struct listeners *l, const struct opening *o, const struct address *where, struct error *why)
{
    char text[160];
    enum err e = listener_new(o->loop, where, &o->params, o->on_accept, on_trouble, o->arg, &l->at[l->count],
                              why);

    if (e != ERR_NONE)
        return e;
    l->count++;
    address_text(where, text, sizeof(text));
    log_line(LOG_NOTICE_LEVEL, "listening on %s", text);
    return ERR_NONE;
}

static enum err
open_unix(struct listeners *l, const struct opening *o, const struct settings *s, struct error *why)
{
    struct address where;
    char *path;
    enum err e;

    if (s->unix_socket_dir[0] == '\0')
        return ERR_NONE;
    path = mem_format("%s/.s.PGSQL.%u", s->unix_socket_dir, s->listen_port);
    e = address_of_path(&where, path, why);
    free(path);
    return e == ERR_NONE ? open_one(l, o, &where, why) : e;
}

static enum err
open_all(struct listeners *l, const struct opening *o, const struct settings *s, struct error *why)
{
    struct addresses addresses;
    enum err e = addresses_of(s->listen_addr, s->listen_port, &addresses, why);

    for (unsigned i = 0; e == ERR_NONE && i < addresses.count; i++)
        e = open_one(l, o, &addresses.at[i], why);
    return e == ERR_NONE ? open_unix(l, o, s, why) : e;
}

static enum err
adopt_all(struct listeners *l, const struct opening *o, unsigned count, struct error *why)
{
    for (int fd = SYSTEMD_FIRST_FD; fd < SYSTEMD_FIRST_FD + (int)count; fd++) {
        char text[160];
        enum err e = listener_adopt(o->loop, fd, &o->params.tcp, o->on_accept, on_trouble, o->arg,
                                    &l->at[l->count], why);

        if (e != ERR_NONE)
            return e;
        address_text(listener_address(l->at[l->count++]), text, sizeof(text));
        log_line(LOG_NOTICE_LEVEL, "listening on %s, handed over by the service manager", text);
    }
    return ERR_NONE;
}

enum err
listeners_new(struct loop *loop, const struct settings *settings, unsigned inherited,
              void (*on_accept)(void *arg, int fd, const struct address *peer), void *arg,
              struct listeners **out, struct error *why)
{
    struct opening opening = {
        .loop = loop,
        .params = { .backlog = (int)settings->listen_backlog,
                    .tcp_defer_accept = settings->tcp_defer_accept,
                    .reuse_port = settings->so_reuseport,
                    .tcp = tcp_options_of(settings),
                    .unix_mode = (mode_t)settings->unix_socket_mode,
                    .unix_group = settings->unix_socket_group[0] != '\0' ? settings->unix_socket_group
                                                                         : NULL },
        .on_accept = on_accept,
        .arg = arg,
    };
    struct listeners *l = mem_new(sizeof(*l));
    enum err e = inherited > 0 ? adopt_all(l, &opening, inherited, why)
                               : open_all(l, &opening, settings, why);

    if (e == ERR_NONE && l->count == 0)
        e = error_set(why, ERR_CONFIG, "nothing to listen on: set listen_addr or unix_socket_dir");
    if (e != ERR_NONE) {
        listeners_free(l);
        return e;
    }
    *out = l;
    return ERR_NONE;
}

void
listeners_reconfigure(struct listeners *l, const struct settings *settings)
{
    struct tcp_options tcp = tcp_options_of(settings);

    for (unsigned i = 0; l != NULL && i < l->count; i++)
        listener_set_tcp(l->at[i], &tcp);
}

struct errand {
    struct letter letter;
    struct listeners *listeners;
    void (*what)(struct listeners *l);
};

static void
on_errand(struct letter *letter, void *recipient)
{
    struct errand *e = CONTAINER_OF(letter, struct errand, letter);

    (void)recipient;
    e->what(e->listeners);
    free(e);
}

void
listeners_send(struct loop *loop, struct listeners *l, void (*what)(struct listeners *l))
{
    struct errand *e;

    if (l == NULL)
        return;
    e = mem_new(sizeof(*e));
    e->letter.on_arrival = on_errand;
    e->listeners = l;
    e->what = what;
    loop_post_surely(loop, &e->letter);
}

void
listeners_close_tcp(struct listeners *l)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < l->count; i++) {
        if (listener_address(l->at[i])->at.ss_family == AF_UNIX)
            l->at[kept++] = l->at[i];
        else
            listener_free(l->at[i]);
    }
    l->count = kept;
}

void
listeners_hold(struct listeners *l)
{
    for (unsigned i = 0; i < l->count; i++)
        listener_pause(l->at[i]);
}

void
listeners_let_go(struct listeners *l)
{
    for (unsigned i = 0; i < l->count; i++)
        listener_resume(l->at[i]);
}

bool
listeners_at(const struct listeners *l, unsigned i, int *fd, struct address *where)
{
    if (l == NULL || i >= l->count)
        return false;
    *fd = listener_fd(l->at[i]);
    *where = *listener_address(l->at[i]);
    return true;
}

void
listeners_free(struct listeners *l)
{
    if (l == NULL)
        return;
    while (l->count > 0)
        listener_free(l->at[--l->count]);
    free(l);
}
