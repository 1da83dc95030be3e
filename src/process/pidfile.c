/* pidfile.c - the lock is flock(2): it goes with the open file, so it ends with us in any case. */
#include "pidfile_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

struct pidfile {
    char *path; /* owned; absolute or as configured: we never change the working directory */
    int fd;     /* locked */
};

static void
read_holder(int fd, char out[16])
{
    ssize_t n = pread(fd, out, 15, 0);

    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
}

/* Whether PATH still leads to what FD has open: its last holder may have removed it while we waited for the
 * lock. */
static bool
is_same_file(int fd, const char *path)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

static enum err
open_locked(const char *path, int *out, struct error *why)
{
    char holder[16];
    int fd = -1;

    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return error_set_errno(why, errno, "cannot open pidfile \"%s\"", path);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0)
            break;
        if (is_same_file(fd, path)) {
            *out = fd;
            return ERR_NONE;
        }
        close(fd);
    }
    read_holder(fd, holder);
    close(fd);
    return error_set(why, ERR_LIMIT, "another pgweir is running: process %s holds pidfile \"%s\"",
                     holder[0] != '\0' ? holder : "(unknown)", path);
}

enum err
pidfile_take(const char *path, struct pidfile **out, struct error *why)
{
    struct pidfile *p;
    char text[16];
    int fd = -1;
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    enum err e = open_locked(path, &fd, why);

    if (e != ERR_NONE)
        return e;
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        e = error_set_errno(why, errno, "cannot write pidfile \"%s\"", path);
        close(fd);
        return e;
    }
    p = mem_new(sizeof(*p));
    p->path = mem_text(path);
    p->fd = fd;
    *out = p;
    return ERR_NONE;
}

void
pidfile_give(struct pidfile *p)
{
    if (p == NULL)
        return;
    if (is_same_file(p->fd, p->path))
        unlink(p->path);
    close(p->fd);
    free(p->path);
    free(p);
}
