/*
 * machine.c - programs, files and ports.
 */

#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "pgweir/base/mem.h"

void
die(const char *format, ...)
{
    va_list args;

    fputs("integration tests: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

char *
file_text(const char *path)
{
    struct buf b = { 0 };
    FILE *f = fopen(path, "r");
    char *out;

    if (f != NULL) {
        for (;;) {
            size_t got = fread(buf_reserve(&b, 65536), 1, 65536, f);
            if (got == 0)
                break;
            buf_commit(&b, got);
        }
        fclose(f);
    }
    out = mem_text_of(buf_slice(&b));
    buf_release(&b);
    return out;
}

void
file_write(const char *path, struct slice content)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fwrite(content.at, 1, content.len, f) != content.len || fclose(f) != 0)
        die("cannot write %s: %s", path, strerror(errno));
}

void
file_write_mode(const char *path, const char *content, mode_t mode)
{
    file_write(path, slice_of_text(content));
    CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

/* Whether nobody has PORT; then it is bound to *FD. */
static bool
try_bind(unsigned port, int *fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *)&a, sizeof a) == 0)
        return true;
    close(*fd);
    return false;
}

#define LOWEST_PORT 16000u /* below the range that the kernel takes for outgoing connections */
#define STRETCHES 40u
#define STRETCH_PORTS 400u

/* Runs beside this one have other stretches: who has bound the first port of one has all of it, until it
 * ends. */
static unsigned
take_stretch(void)
{
    for (unsigned i = (unsigned)getpid();; i++) {
        unsigned first = LOWEST_PORT + i % STRETCHES * STRETCH_PORTS;
        int fd;

        if (try_bind(first, &fd))
            return first;
    }
}

unsigned
free_port(void)
{
    static unsigned first, used;

    if (first == 0)
        first = take_stretch();
    for (;;) {
        unsigned port = first + 1 + used++ % (STRETCH_PORTS - 1);
        int fd;

        if (try_bind(port, &fd)) {
            close(fd);
            return port;
        }
    }
}

/* --- programs --- */

static const char *
program_path(const char *name)
{
    const char *path = strchr(name, '/') != NULL ? name : NULL;

    if (path == NULL && getenv("PG_BIN_DIR") != NULL) {
        path = text("%s/%s", getenv("PG_BIN_DIR"), name);
        if (access(path, X_OK) != 0)
            path = NULL;
    }
    return path != NULL ? path : name;
}

static pid_t
spawn(const char *input_file, const char *output_file, const char *const *words)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t plain;
    char *argv[64];
    size_t count = 0;
    pid_t pid = 0;

    for (; words[count] != NULL && count + 1 < COUNT_OF(argv); count++)
        argv[count] = strdup(
            words[count]); /* posix_spawn() promises not to write there, but its type does not */
    argv[count] = NULL;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, input_file, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, output_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_init(&attributes);
    sigemptyset(&plain);
    sigaddset(&plain, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &plain);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (posix_spawnp(&pid, program_path(words[0]), &files, &attributes, argv, environ) != 0)
        pid = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; i < count; i++)
        free(argv[i]);
    return pid;
}

pid_t
run_start(const char *output_file, const char *const *words)
{
    return spawn("/dev/null", output_file, words);
}

int
run_wait(pid_t pid)
{
    int status;

    if (pid <= 0)
        return -1;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
run(struct buf *out, const char *stdin_text, const char *const *words)
{
    static unsigned serial;
    const char *input = text("%s/input-%u", run_dir(), serial);
    const char *output = text("%s/output-%u", run_dir(), serial++);
    char *told;
    int code;

    file_write(input, slice_of_text(stdin_text != NULL ? stdin_text : ""));
    code = run_wait(spawn(input, output, words));
    told = file_text(output);
    if (out != NULL)
        buf_add_text(out, told);
    free(told);
    unlink(input);
    unlink(output);
    return code;
}

bool
program_exists(const char *name)
{
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    bool found = strchr(program_path(name), '/') != NULL;

    for (char *rest = path, *dir; !found && (dir = strsep(&rest, ":")) != NULL;)
        found = access(text("%s/%s", dir, name), X_OK) == 0;
    free(path);
    return found;
}
