/* A service manager that is a datagram socket of ours. */
#include <CUnit/CUnit.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/systemd_impl.h"

void suite_systemd(void);

/* A manager at an abstract name that this process has to itself. */
static int
manager_new(char *name, size_t size)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(name, size, "@pgweir-test-%ld", (long)getpid());
    memcpy(where.sun_path, name, strlen(name));
    where.sun_path[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)(const void *)&where,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                          0);
    return fd;
}

static const char *
manager_hears(int fd)
{
    static char text[512];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void
the_manager_hears_what_we_are_doing(void)
{
    char name[64], expected[128];
    int fd = manager_new(name, sizeof(name));

    setenv("NOTIFY_SOCKET", name, 1);
    systemd_init();
    CU_ASSERT_PTR_NULL(getenv("NOTIFY_SOCKET"));
    systemd_tell_ready("serving");
    snprintf(expected, sizeof(expected), "READY=1\nMAINPID=%ld\nSTATUS=serving\n", (long)getpid());
    CU_ASSERT_STRING_EQUAL(manager_hears(fd), expected);
    systemd_tell_reloading(123456);
    CU_ASSERT_STRING_EQUAL(manager_hears(fd),
                           "RELOADING=1\nMONOTONIC_USEC=123456\nSTATUS=reading the configuration\n");
    systemd_tell_stopping("bye");
    CU_ASSERT_STRING_EQUAL(manager_hears(fd), "STOPPING=1\nSTATUS=bye\n");
    close(fd);
    systemd_tell_ready("nobody hears this any more");
}

static void
without_a_manager_nothing_is_told(void)
{
    static const char *const odd[] = { "", "x", "relative/path", "@" };

    unsetenv("NOTIFY_SOCKET");
    systemd_init();
    systemd_tell_ready("serving");
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        setenv("NOTIFY_SOCKET", odd[i], 1);
        systemd_init();
        systemd_tell_ready("serving");
    }
    CU_ASSERT_EQUAL(systemd_listen_fds(), 0);
}

static void
sockets_are_for_the_process_that_was_started(void)
{
    char pid[32];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", pid, 1);
    systemd_init();
    CU_ASSERT_EQUAL(systemd_listen_fds(), 2);
    CU_ASSERT_PTR_NULL(getenv("LISTEN_FDS"));
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    systemd_init();
    CU_ASSERT_EQUAL(systemd_listen_fds(), 0);
    systemd_init();
    CU_ASSERT_EQUAL(systemd_listen_fds(), 0);
}

void
suite_systemd(void)
{
    CU_pSuite suite = CU_add_suite("systemd", NULL, NULL);

    CU_ADD_TEST(suite, the_manager_hears_what_we_are_doing);
    CU_ADD_TEST(suite, without_a_manager_nothing_is_told);
    CU_ADD_TEST(suite, sockets_are_for_the_process_that_was_started);
}
