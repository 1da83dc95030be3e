#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"
#include "pgweir/net/listener.h"

void suite_listener(void);

#define CLIENTS_MOST 200

struct fixture {
    struct clock clock;
    struct loop *loop;
    struct listener *listener;
    char dir[64];
    char path[100];
    struct listener_params params;
    unsigned accepted;
    int fds[CLIENTS_MOST];
    struct address last_peer;
    unsigned troubles;
    struct error trouble;
    enum { KEEP_GOING, PAUSE, FREE } then;
};

static void
on_accept(void *arg, int fd, const struct address *peer)
{
    struct fixture *f = arg;

    f->last_peer = *peer;
    f->fds[f->accepted++ % CLIENTS_MOST] = fd;
    if (f->then == PAUSE)
        listener_pause(f->listener);
    if (f->then == FREE) {
        listener_free(f->listener);
        f->listener = NULL;
    }
}

static void
on_trouble(void *arg, const struct error *why)
{
    struct fixture *f = arg;

    f->troubles++;
    f->trouble = *why;
}

static void
fixture_init(struct fixture *f)
{
    struct error why;

    memset(f, 0, sizeof(*f));
    f->clock = clock_fake(0);
    f->loop = loop_new(&f->clock, NULL, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    strcpy(f->dir, "/tmp/pgweir-listen-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/.s.PGSQL.6432", f->dir);
    f->params = (struct listener_params){ .unix_mode = 0777 };
}

static void
fixture_fini(struct fixture *f)
{
    for (unsigned i = 0; i < f->accepted && i < CLIENTS_MOST; i++)
        close(f->fds[i]);
    listener_free(f->listener);
    loop_free(f->loop);
    unlink(f->path);
    rmdir(f->dir);
}

static enum err
listen_on(struct fixture *f, const struct address *where, struct error *why)
{
    return listener_new(f->loop, where, &f->params, on_accept, on_trouble, f, &f->listener, why);
}

static enum err
listen_on_path(struct fixture *f, struct error *why)
{
    struct address where;
    enum err e = address_of_path(&where, f->path, why);

    return e != ERR_NONE ? e : listen_on(f, &where, why);
}

static void
must_listen_on_path(struct fixture *f)
{
    struct error why;

    CU_ASSERT_EQUAL_FATAL(listen_on_path(f, &why), ERR_NONE);
}

static void
must_listen_on_loopback(struct fixture *f)
{
    struct address where;
    struct error why;

    CU_ASSERT_TRUE_FATAL(address_of_ip(&where, "127.0.0.1", 0));
    CU_ASSERT_EQUAL_FATAL(listen_on(f, &where, &why), ERR_NONE);
}

/* A client's descriptor, or -1. */
static int
call(const struct address *where)
{
    int fd = socket(where->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&where->at, where->len) == 0)
        return fd;
    if (fd >= 0 && where->at.ss_family != AF_UNIX)
        return fd; /* on its way */
    close(fd);
    return -1;
}

static void
connections_are_handed_over_non_blocking_and_close_on_exec(void)
{
    struct fixture f;
    int client;

    fixture_init(&f);
    must_listen_on_loopback(&f);
    client = call(listener_address(f.listener));
    turn_until(f.loop, &f.accepted);
    CU_ASSERT_EQUAL_FATAL(f.accepted, 1);
    CU_ASSERT_TRUE((fcntl(f.fds[0], F_GETFL) & O_NONBLOCK) != 0);
    CU_ASSERT_TRUE((fcntl(f.fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    CU_ASSERT_EQUAL(f.last_peer.at.ss_family, AF_INET);
    close(client);
    fixture_fini(&f);
}

static int
option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    CU_ASSERT_EQUAL(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void
connections_are_born_with_the_tcp_options_in_force(void)
{
    struct fixture f;
    struct tcp_options later = { .keepalive = false };
    int first, second, system_s;

    fixture_init(&f);
    f.params.tcp = (struct tcp_options){ .keepalive = true, .keepidle_s = 77, .user_timeout_ms = 5000 };
    must_listen_on_loopback(&f);
    first = call(listener_address(f.listener));
    turn_until(f.loop, &f.accepted);
    CU_ASSERT_EQUAL_FATAL(f.accepted, 1);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_NODELAY), 1);
    CU_ASSERT_EQUAL(option_of(f.fds[0], SOL_SOCKET, SO_KEEPALIVE), 1);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_KEEPIDLE), 77);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);

    system_s = option_of(first, IPPROTO_TCP, TCP_KEEPIDLE);
    listener_set_tcp(f.listener, &later);
    second = call(listener_address(f.listener));
    f.accepted = 0;
    close(f.fds[0]);
    turn_until(f.loop, &f.accepted);
    CU_ASSERT_EQUAL_FATAL(f.accepted, 1);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_NODELAY), 1);
    CU_ASSERT_EQUAL(option_of(f.fds[0], SOL_SOCKET, SO_KEEPALIVE), 0);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_KEEPIDLE), system_s);
    CU_ASSERT_EQUAL(option_of(f.fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    close(first);
    close(second);
    fixture_fini(&f);
}

static void
many_connections_are_accepted(void)
{
    struct fixture f;
    int clients[100];

    fixture_init(&f);
    f.params.backlog = 128;
    must_listen_on_path(&f);
    for (int i = 0; i < 100; i++)
        clients[i] = call(listener_address(f.listener));
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 100);
    for (int i = 0; i < 100; i++)
        close(clients[i]);
    fixture_fini(&f);
}

static void
a_port_that_is_taken_is_told_with_the_address(void)
{
    struct fixture f, g;
    struct error why;

    fixture_init(&f);
    fixture_init(&g);
    must_listen_on_loopback(&f);
    CU_ASSERT_EQUAL(listen_on(&g, listener_address(f.listener), &why), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "127.0.0.1:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "in use"));
    CU_ASSERT_PTR_NULL(g.listener);
    fixture_fini(&g);
    fixture_fini(&f);
}

static void
two_listeners_may_share_a_port_when_both_say_so(void)
{
    struct fixture f, g;
    struct error why;

    fixture_init(&f);
    fixture_init(&g);
    f.params.reuse_port = g.params.reuse_port = true;
    must_listen_on_loopback(&f);
    CU_ASSERT_EQUAL(listen_on(&g, listener_address(f.listener), &why), ERR_NONE);
    fixture_fini(&g);
    fixture_fini(&f);
}

static void
a_unix_socket_has_the_mode_asked_for_and_goes_with_its_listener(void)
{
    struct fixture f;
    struct stat st;

    fixture_init(&f);
    f.params.unix_mode = 0640;
    must_listen_on_path(&f);
    CU_ASSERT_EQUAL_FATAL(stat(f.path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0640);
    listener_free(f.listener);
    f.listener = NULL;
    CU_ASSERT_NOT_EQUAL(stat(f.path, &st), 0);
    fixture_fini(&f);
}

static void
a_unix_socket_is_given_to_a_group_by_number_and_an_unknown_group_is_told(void)
{
    struct fixture f;
    struct stat st;
    struct error why;
    char own[32];

    fixture_init(&f);
    snprintf(own, sizeof(own), "%u", (unsigned)getgid());
    f.params.unix_group = "no-such-group";
    CU_ASSERT_EQUAL(listen_on_path(&f, &why), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no-such-group"));
    CU_ASSERT_NOT_EQUAL(stat(f.path, &st), 0);
    f.params.unix_group = own;
    must_listen_on_path(&f);
    CU_ASSERT_EQUAL(stat(f.path, &st), 0);
    CU_ASSERT_EQUAL(st.st_gid, getgid());
    fixture_fini(&f);
}

static void
a_stale_unix_socket_is_replaced(void)
{
    struct fixture f;
    struct address where;
    struct error why;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int client;

    fixture_init(&f);
    CU_ASSERT_EQUAL_FATAL(address_of_path(&where, f.path, &why), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&where.at, where.len), 0);
    close(fd);
    must_listen_on_path(&f);
    client = call(&where);
    CU_ASSERT_TRUE(client >= 0);
    close(client);
    fixture_fini(&f);
}

static void
a_unix_socket_that_somebody_answers_is_in_use(void)
{
    struct fixture f;
    struct listener *first;
    struct error why;

    fixture_init(&f);
    must_listen_on_path(&f);
    first = f.listener;
    CU_ASSERT_EQUAL(listen_on_path(&f, &why), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "in use"));
    CU_ASSERT_PTR_EQUAL(f.listener, first);
    CU_ASSERT_EQUAL(access(f.path, F_OK), 0);
    fixture_fini(&f);
}

static void
a_file_that_is_no_socket_is_left_alone(void)
{
    struct fixture f;
    struct error why;

    fixture_init(&f);
    close(open(f.path, O_CREAT | O_WRONLY, 0600));
    CU_ASSERT_EQUAL(listen_on_path(&f, &why), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "not a socket"));
    CU_ASSERT_EQUAL(access(f.path, F_OK), 0);
    fixture_fini(&f);
}

static void
an_abstract_socket_needs_no_file(void)
{
    struct fixture f;
    struct address where;
    struct error why;
    char name[80];
    int client;

    fixture_init(&f);
    snprintf(name, sizeof(name), "@%s", f.dir);
    CU_ASSERT_EQUAL_FATAL(address_of_path(&where, name, &why), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(listen_on(&f, &where, &why), ERR_NONE);
    client = call(&where);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 1);
    close(client);
    fixture_fini(&f);
}

static void
a_paused_listener_lets_connections_wait_in_the_kernel(void)
{
    struct fixture f;
    int client;

    fixture_init(&f);
    must_listen_on_path(&f);
    listener_pause(f.listener);
    client = call(listener_address(f.listener));
    CU_ASSERT_TRUE(client >= 0);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 0);
    listener_resume(f.listener);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 1);
    close(client);
    fixture_fini(&f);
}

static void
a_handler_may_pause_or_free_its_listener(void)
{
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        int clients[3];

        fixture_init(&f);
        must_listen_on_path(&f);
        f.then = i == 0 ? PAUSE : FREE;
        for (int n = 0; n < 3; n++)
            clients[n] = call(listener_address(f.listener));
        settle(f.loop);
        CU_ASSERT_EQUAL(f.accepted, 1);
        for (int n = 0; n < 3; n++)
            close(clients[n]);
        fixture_fini(&f);
    }
}

static void
without_descriptors_accepting_rests_and_is_told(void)
{
    struct fixture f;
    struct rlimit before, none;
    int client;

    fixture_init(&f);
    must_listen_on_path(&f);
    client = call(listener_address(f.listener));
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.troubles, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.trouble.text, f.path));
    setrlimit(RLIMIT_NOFILE, &before);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 0);
    listener_pause(f.listener);
    listener_resume(f.listener); /* does not cut the rest short */
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 0);
    clock_advance_us(&f.clock, 100 * US_PER_MS);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 1);
    close(client);
    fixture_fini(&f);
}

static void
a_socket_that_listens_already_is_adopted_and_its_file_stays(void)
{
    struct fixture f;
    struct listener *second = NULL;
    struct error why;
    int client;

    fixture_init(&f);
    must_listen_on_path(&f);
    CU_ASSERT_EQUAL_FATAL(listener_adopt(f.loop, dup(listener_fd(f.listener)), &f.params.tcp, on_accept,
                                         on_trouble, &f, &second, &why),
                          ERR_NONE);
    listener_pause(f.listener);
    client = call(listener_address(second));
    CU_ASSERT_TRUE(client >= 0);
    settle(f.loop);
    CU_ASSERT_EQUAL(f.accepted, 1);
    listener_free(second);
    CU_ASSERT_EQUAL(access(f.path, F_OK), 0);
    close(client);
    fixture_fini(&f);
}

static void
a_socket_that_does_not_listen_is_not_adopted(void)
{
    struct fixture f;
    struct error why;
    int fds[2];

    fixture_init(&f);
    pair_unix(fds);
    CU_ASSERT_EQUAL(
        listener_adopt(f.loop, fds[0], &f.params.tcp, on_accept, on_trouble, &f, &f.listener, &why), ERR_IO);
    CU_ASSERT_TRUE(fd_is_open(fds[0]));
    close(fds[0]);
    close(fds[1]);
    fixture_fini(&f);
}

void
suite_listener(void)
{
    CU_pSuite suite = CU_add_suite("listener", NULL, NULL);

    CU_ADD_TEST(suite, connections_are_handed_over_non_blocking_and_close_on_exec);
    CU_ADD_TEST(suite, connections_are_born_with_the_tcp_options_in_force);
    CU_ADD_TEST(suite, many_connections_are_accepted);
    CU_ADD_TEST(suite, a_port_that_is_taken_is_told_with_the_address);
    CU_ADD_TEST(suite, two_listeners_may_share_a_port_when_both_say_so);
    CU_ADD_TEST(suite, a_unix_socket_has_the_mode_asked_for_and_goes_with_its_listener);
    CU_ADD_TEST(suite, a_unix_socket_is_given_to_a_group_by_number_and_an_unknown_group_is_told);
    CU_ADD_TEST(suite, a_stale_unix_socket_is_replaced);
    CU_ADD_TEST(suite, a_unix_socket_that_somebody_answers_is_in_use);
    CU_ADD_TEST(suite, a_file_that_is_no_socket_is_left_alone);
    CU_ADD_TEST(suite, an_abstract_socket_needs_no_file);
    CU_ADD_TEST(suite, a_paused_listener_lets_connections_wait_in_the_kernel);
    CU_ADD_TEST(suite, a_handler_may_pause_or_free_its_listener);
    CU_ADD_TEST(suite, without_descriptors_accepting_rests_and_is_told);
    CU_ADD_TEST(suite, a_socket_that_listens_already_is_adopted_and_its_file_stays);
    CU_ADD_TEST(suite, a_socket_that_does_not_listen_is_not_adopted);
}
