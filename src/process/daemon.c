/*
 * daemon.c
 *
 *     started: fork, wait for the pipe ----------------------- exit(0) on a byte, exit(1) on its end
 *        child: setsid, fork, exit
 *           daemon: no session leader, so no terminal can become its own; daemon_ready() writes the byte
 */
#include "daemon_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void
daemon_init(struct daemon *d)
{
    d->ready_fd = -1;
}

/* In the process that was started. */
static _Noreturn void
wait_for_daemon(int fd, pid_t child)
{
    char byte;
    ssize_t n;

    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

enum err
daemon_begin(struct daemon *d, struct error *why)
{
    int ends[2];
    pid_t pid;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(why, errno, "cannot become a daemon: pipe");
    pid = fork();
    if (pid < 0) {
        int errnum = errno;

        close(ends[0]);
        close(ends[1]);
        return error_set_errno(why, errnum, "cannot become a daemon: fork");
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_daemon(ends[0], pid);
    }
    close(ends[0]);
    setsid();
    pid = fork();
    if (pid < 0) {
        perror("pgweir: cannot become a daemon: fork");
        _exit(1);
    }
    if (pid > 0)
        _exit(0);
    d->ready_fd = ends[1];
    return ERR_NONE;
}

void
daemon_ready(struct daemon *d)
{
    int null_fd;
    ssize_t n;

    if (d->ready_fd < 0)
        return;
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null_fd, fd);
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    do
        n = write(d->ready_fd, "", 1);
    while (n < 0 && errno == EINTR);
    close(d->ready_fd);
    d->ready_fd = -1;
}
