/* file.c - reading a whole file. */
#include "file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536

static enum err
file_read_all(int fd, const char *path, struct buf *out, struct error *why)
{
    for (;;) {
        ssize_t got = read(fd, buf_reserve(out, READ_BYTES), READ_BYTES);

        if (got == 0)
            return ERR_NONE;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(why, errno, "cannot read `%.200s`", path);
        buf_commit(out, (size_t)got);
        if (buf_len(out) > FILE_BYTES_MOST)
            return error_set(why, ERR_LIMIT, "`%.200s` is larger than %u MB", path, FILE_BYTES_MOST >> 20);
    }
}

enum err
file_read(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    struct stat st;
    enum err e;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        int errnum = errno;

        e = error_set_errno(why, errnum, "cannot open `%.200s`", path);
        if (errnum != ENOENT && errnum != ENOTDIR)
            return e;
        if (why != NULL)
            why->code = ERR_NOT_FOUND;
        return ERR_NOT_FOUND;
    }
    if (fstat(fd, &st) == 0)
        *facts = (struct file_facts){ .device = st.st_dev, .inode = st.st_ino, .mode = st.st_mode };
    e = file_read_all(fd, path, out, why);
    close(fd);
    return e;
}
