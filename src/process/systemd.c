/* systemd.c - NOTIFY_SOCKET, LISTEN_FDS and LISTEN_PID. */
#include "systemd_impl.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "listeners_impl.h"

#define LISTEN_FDS_MOST LISTENERS_MOST

static struct {
    struct sockaddr_un where;
    socklen_t len; /* 0: nobody listens */
    unsigned long listen_pid;
    unsigned listen_fds;
} manager;

static void
notify_init(const char *path)
{
    size_t len = path == NULL ? 0 : strlen(path);

    manager.len = 0;
    if (len < 2 || len >= sizeof(manager.where.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    manager.where.sun_family = AF_UNIX;
    memcpy(manager.where.sun_path, path, len);
    if (path[0] == '@')
        manager.where.sun_path[0] = '\0'; /* in the abstract name space */
    manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static unsigned long
number_in(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

void
systemd_init(void)
{
    unsigned long fds = number_in("LISTEN_FDS");

    notify_init(getenv("NOTIFY_SOCKET"));
    manager.listen_pid = number_in("LISTEN_PID");
    manager.listen_fds = fds > LISTEN_FDS_MOST ? LISTEN_FDS_MOST : (unsigned)fds;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

unsigned
systemd_listen_fds(void)
{
    return manager.listen_pid == (unsigned long)getpid() ? manager.listen_fds : 0;
}

static void
tell(const char *text)
{
    int fd;

    if (manager.len == 0)
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* When nobody takes it there is nobody to tell that either. */
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)(const void *)&manager.where, manager.len);
    close(fd);
}

void
systemd_tell_ready(const char *status)
{
    char text[256];

    snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld\nSTATUS=%s\n", (long)getpid(), status);
    tell(text);
}

void
systemd_tell_reloading(uint64_t monotonic_us)
{
    char text[128];

    snprintf(text, sizeof(text),
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration\n", monotonic_us);
    tell(text);
}

void
systemd_tell_stopping(const char *status)
{
    char text[256];

    snprintf(text, sizeof(text), "STOPPING=1\nSTATUS=%s\n", status);
    tell(text);
}
