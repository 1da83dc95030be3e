/*
 * listener.c - bind, listen, accept in small batches.
 *
 * A Unix socket gets its mode and group between bind() and listen(), so that nobody can connect before they
 * are right. When the process has no descriptor left, the event stays quiet for a while: a level-triggered
 * one would spin.
 */
#include "pgweir/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop_impl.h"
#include "pgweir/base/mem.h"

#define ACCEPTS_PER_WAKE 64
#define TROUBLE_PAUSE_US (100 * US_PER_MS)
#define DEFER_ACCEPT_S 45

struct listener {
    struct loop *loop;
    struct event readable;
    struct timer pause; /* armed while accepting rests for want of descriptors */
    void (*on_accept)(void *arg, int fd, const struct address *peer);
    void (*on_trouble)(void *arg, const struct error *why);
    void *arg;
    struct address where;
    char *path; /* of the Unix socket file that is ours to unlink, or NULL */
    int fd;
    bool is_paused; /* by the owner */
};

static void
watch(struct listener *l)
{
    if (!l->is_paused && !timer_is_armed(&l->pause))
        event_add(&l->readable, NULL);
}

static void
on_pause_over(struct timer *timer)
{
    watch(CONTAINER_OF(timer, struct listener, pause));
}

static void
rest(struct listener *l, int errnum)
{
    struct error why;
    char text[160];

    address_text(&l->where, text, sizeof(text));
    (void)error_set_errno(&why, errnum, "accept on %s", text);
    event_del(&l->readable);
    loop_arm(l->loop, &l->pause, TROUBLE_PAUSE_US);
    if (l->on_trouble != NULL)
        l->on_trouble(l->arg, &why);
}

/* Accept(2): a new connection may already have failed, which is no trouble of the listening socket. */
static bool
is_exhausted(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    struct loop *loop = l->loop;

    (void)what;
    loop_note_wake(loop);
    for (unsigned i = 0; i < ACCEPTS_PER_WAKE; i++) {
        struct address peer = { .len = sizeof(peer.at) };
        int accepted = accept4(fd, (struct sockaddr *)&peer.at, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0) {
            loop->accepting = l;
            l->on_accept(l->arg, accepted, &peer);
            if (loop->accepting != l || l->is_paused)
                return;
        } else if (is_exhausted(errno)) {
            rest(l, errno);
            return;
        } else if (errno == EAGAIN || errno == EBADF || errno == EINVAL) {
            return;
        }
    }
}

static int
type_of(const struct address *where)
{
    return where->at.ss_family;
}

/* The file of a named Unix socket, or NULL. */
static const char *
path_of(const struct address *where)
{
    const struct sockaddr_un *un = (const void *)&where->at;

    if (type_of(where) != AF_UNIX || where->len <= offsetof(struct sockaddr_un, sun_path) ||
        un->sun_path[0] == '\0')
        return NULL;
    return un->sun_path;
}

/* Does somebody listen on this Unix socket? */
static bool
is_answered(const struct address *where)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_live;

    if (fd < 0)
        return true; /* when in doubt, leave it alone */
    is_live = connect(fd, (const struct sockaddr *)&where->at, where->len) == 0 || errno != ECONNREFUSED;
    close(fd);
    return is_live;
}

static enum err
clear_path(const struct address *where, struct error *why)
{
    const char *path = path_of(where);
    struct stat st;

    if (path == NULL || lstat(path, &st) != 0)
        return ERR_NONE;
    if (!S_ISSOCK(st.st_mode))
        return error_set(why, ERR_IO, "cannot listen on unix:%s: the file exists and is not a socket", path);
    if (is_answered(where))
        return error_set(why, ERR_IO, "cannot listen on unix:%s: the socket is in use", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set_errno(why, errno, "cannot remove the stale socket %s", path);
    return ERR_NONE;
}

static enum err
group_id(const char *name, gid_t *out, struct error *why)
{
    char room[4096];
    struct group entry;
    struct group *found = NULL;
    char *end;
    unsigned long number;

    if (getgrnam_r(name, &entry, room, sizeof(room), &found) == 0 && found != NULL) {
        *out = found->gr_gid;
        return ERR_NONE;
    }
    number = strtoul(name, &end, 10);
    if (end == name || *end != '\0' || number >= (gid_t)-1)
        return error_set(why, ERR_CONFIG, "group \"%s\" does not exist", name);
    *out = (gid_t)number;
    return ERR_NONE;
}

static enum err
set_access(const char *path, const struct listener_params *params, struct error *why)
{
    gid_t group = (gid_t)-1;
    enum err e;

    if (params->unix_group != NULL && params->unix_group[0] != '\0') {
        e = group_id(params->unix_group, &group, why);
        if (e != ERR_NONE)
            return e;
        if (chown(path, (uid_t)-1, group) != 0)
            return error_set_errno(why, errno, "cannot give %s to group %s", path, params->unix_group);
    }
    if (chmod(path, params->unix_mode) != 0)
        return error_set_errno(why, errno, "cannot set the mode of %s", path);
    return ERR_NONE;
}

static void
set_options(int fd, const struct address *where, const struct listener_params *params)
{
    int on = 1;
    int defer_s = DEFER_ACCEPT_S;

    if (type_of(where) == AF_UNIX)
        return;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    tcp_set_offspring_options(fd, &params->tcp);
    if (type_of(where) == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (params->reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (params->tcp_defer_accept)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
}

/* A bound, listening descriptor. */
static enum err
listen_on(const struct address *where, const struct listener_params *params, int *out, struct error *why)
{
    const char *path = path_of(where);
    char text[160];
    enum err e = clear_path(where, why);
    int fd;

    if (e != ERR_NONE)
        return e;
    address_text(where, text, sizeof(text));
    fd = socket(type_of(where), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(why, errno, "cannot make a socket for %s", text);
    set_options(fd, where, params);
    if (bind(fd, (const struct sockaddr *)&where->at, where->len) != 0) {
        e = error_set_errno(why, errno, "cannot listen on %s", text);
        goto fail;
    }
    if (path != NULL) {
        e = set_access(path, params, why);
        if (e != ERR_NONE)
            goto fail_bound;
    }
    if (listen(fd, params->backlog > 0 ? params->backlog : SOMAXCONN) != 0) {
        e = error_set_errno(why, errno, "cannot listen on %s", text);
        goto fail_bound;
    }
    *out = fd;
    return ERR_NONE;
fail_bound:
    if (path != NULL)
        unlink(path);
fail:
    close(fd);
    return e;
}

static struct listener *
listener_over(struct loop *loop, int fd, void (*on_accept)(void *arg, int fd, const struct address *peer),
              void (*on_trouble)(void *arg, const struct error *why), void *arg)
{
    struct listener *l = mem_new(sizeof(*l));

    l->loop = loop;
    l->fd = fd;
    l->on_accept = on_accept;
    l->on_trouble = on_trouble;
    l->arg = arg;
    l->where.len = sizeof(l->where.at);
    if (getsockname(fd, (struct sockaddr *)&l->where.at, &l->where.len) != 0)
        l->where.len = 0;
    timer_init(&l->pause, on_pause_over);
    event_assign(&l->readable, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, l);
    watch(l);
    return l;
}

enum err
listener_new(struct loop *loop, const struct address *where, const struct listener_params *params,
             void (*on_accept)(void *arg, int fd, const struct address *peer),
             void (*on_trouble)(void *arg, const struct error *why), void *arg, struct listener **out,
             struct error *why)
{
    struct listener *l;
    int fd = -1;
    enum err e = listen_on(where, params, &fd, why);

    if (e != ERR_NONE)
        return e;
    l = listener_over(loop, fd, on_accept, on_trouble, arg);
    l->path = mem_text(path_of(where));
    *out = l;
    return ERR_NONE;
}

enum err
listener_adopt(struct loop *loop, int fd, const struct tcp_options *tcp,
               void (*on_accept)(void *arg, int fd, const struct address *peer),
               void (*on_trouble)(void *arg, const struct error *why), void *arg, struct listener **out,
               struct error *why)
{
    int is_listening = 0;
    socklen_t len = sizeof(is_listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0)
        return error_set_errno(why, errno, "descriptor %d is not a socket", fd);
    if (!is_listening)
        return error_set(why, ERR_IO, "descriptor %d is not a listening socket", fd);
    evutil_make_socket_nonblocking(fd);
    evutil_make_socket_closeonexec(fd);
    *out = listener_over(loop, fd, on_accept, on_trouble, arg);
    listener_set_tcp(*out, tcp);
    return ERR_NONE;
}

void
listener_set_tcp(struct listener *l, const struct tcp_options *tcp)
{
    if (type_of(&l->where) != AF_UNIX)
        tcp_set_offspring_options(l->fd, tcp);
}

int
listener_fd(const struct listener *l)
{
    return l->fd;
}

const struct address *
listener_address(const struct listener *l)
{
    return &l->where;
}

void
listener_pause(struct listener *l)
{
    l->is_paused = true;
    event_del(&l->readable);
}

void
listener_resume(struct listener *l)
{
    l->is_paused = false;
    watch(l);
}

void
listener_free(struct listener *l)
{
    if (l == NULL)
        return;
    if (l->loop->accepting == l)
        l->loop->accepting = NULL;
    timer_cancel(&l->pause);
    event_del(&l->readable);
    if (l->path != NULL)
        unlink(l->path);
    free(l->path);
    close(l->fd);
    free(l);
}
