#include <CUnit/CUnit.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolver_impl.h"
#include "peer.h"
#include "pgweir/base/mem.h"
#include "pgweir/net/dialer.h"

void suite_dialer(void);

#define TTL_US (15 * US_PER_S)
#define NXDOMAIN_TTL_US (5 * US_PER_S)

/* What one dial came to. */
struct caller {
    struct dial *dial;
    unsigned done; /* handlers that were called */
    int fd;
    struct address peer;
    struct error why;
    bool cancels_inside;
};

static void
on_connected(void *arg, int fd, const struct address *peer)
{
    struct caller *c = arg;

    c->done++;
    c->fd = fd;
    c->peer = *peer;
    c->why.code = ERR_NONE;
    if (c->cancels_inside)
        dial_cancel(c->dial);
}

static void
on_failed(void *arg, const struct error *why)
{
    struct caller *c = arg;

    c->done++;
    c->why = *why;
    if (c->cancels_inside)
        dial_cancel(c->dial);
}

static const struct dial_handler handler = { on_connected, on_failed };

/* A loop, a resolver that asks a name server of ours, and a TCP socket that listens. */
struct fixture {
    struct clock clock;
    struct loop *loop;
    struct resolver *resolver;
    struct dial_params params;
    char dir[64];
    char resolv_conf[96], hosts[96];
    int listening;
    uint16_t port;
    struct evdns_server_port *dns;
    unsigned questions; /* that the name server was asked */
    enum { DNS_ANSWERS, DNS_KNOWS_NOBODY, DNS_FAILS, DNS_IS_SILENT } dns_mood;
    unsigned char first_address[4]; /* what the name server says: this one, if set, and 127.0.0.1 */
};

static void
answer(struct fixture *f, struct evdns_server_request *request, const struct evdns_server_question *q)
{
    unsigned char addresses[8] = { 127, 0, 0, 1 };
    int count = 1;

    if (q->type != EVDNS_TYPE_A)
        return;
    if (f->first_address[0] != 0) {
        memcpy(addresses + 4, addresses, 4);
        memcpy(addresses, f->first_address, 4);
        count = 2;
    }
    evdns_server_request_add_a_reply(request, q->name, count, addresses, 1);
}

static void
on_question(struct evdns_server_request *request, void *arg)
{
    struct fixture *f = arg;

    f->questions++;
    if (f->dns_mood == DNS_IS_SILENT) {
        evdns_server_request_drop(request);
        return;
    }
    for (int i = 0; f->dns_mood == DNS_ANSWERS && i < request->nquestions; i++)
        answer(f, request, request->questions[i]);
    evdns_server_request_respond(request, f->dns_mood == DNS_KNOWS_NOBODY ? 3
                                          : f->dns_mood == DNS_FAILS      ? 2
                                                                          : 0);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static int
bound_socket(int type, uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void
fixture_init(struct fixture *f)
{
    struct error why;
    char text[64];
    uint16_t dns_port;
    int dns_fd;

    memset(f, 0, sizeof(*f));
    f->clock = clock_fake(US_PER_S);
    f->loop = loop_new(&f->clock, NULL, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    strcpy(f->dir, "/tmp/pgweir-dial-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->dir));
    snprintf(f->resolv_conf, sizeof(f->resolv_conf), "%s/resolv.conf", f->dir);
    snprintf(f->hosts, sizeof(f->hosts), "%s/hosts", f->dir);
    dns_fd = bound_socket(SOCK_DGRAM, &dns_port);
    f->dns = evdns_add_server_port_with_base(loop_base(f->loop), dns_fd, 0, on_question, f);
    snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n", dns_port);
    write_file(f->resolv_conf, text);
    write_file(f->hosts, "127.0.0.1 localhost in-hosts\n");
    f->listening = bound_socket(SOCK_STREAM, &f->port);
    CU_ASSERT_EQUAL_FATAL(listen(f->listening, 100), 0);
    f->resolver = resolver_new(f->loop, TTL_US, NXDOMAIN_TTL_US);
    resolver_use_files(f->resolver, f->resolv_conf, f->hosts);
    f->params = (struct dial_params){ .host = "127.0.0.1", .port = f->port, .timeout_us = 10 * US_PER_S };
}

static void
fixture_fini(struct fixture *f)
{
    resolver_free(f->resolver);
    if (f->dns != NULL)
        evdns_close_server_port(f->dns); /* and its socket */
    settle(f->loop);
    loop_free(f->loop);
    close(f->listening);
    unlink(f->resolv_conf);
    unlink(f->hosts);
    rmdir(f->dir);
}

static void
start(struct fixture *f, struct caller *c, const char *host)
{
    *c = (struct caller){ .fd = -1 };
    f->params.host = host;
    c->dial = dial_start(f->loop, f->resolver, &f->params, &handler, c);
}

static void
dial_and_wait(struct fixture *f, struct caller *c, const char *host)
{
    start(f, c, host);
    turn_until(f->loop, &c->done);
    settle(f->loop);
    CU_ASSERT_EQUAL(c->done, 1);
    if (c->fd >= 0)
        close(c->fd);
}

static void
an_address_is_reached_without_a_resolver(void)
{
    struct fixture f;
    struct caller c = { .fd = -1 };
    char text[64], want[64];

    fixture_init(&f);
    c.dial = dial_start(f.loop, NULL, &f.params, &handler, &c);
    CU_ASSERT_EQUAL(c.done, 0);
    turn_until(f.loop, &c.done);
    CU_ASSERT_TRUE_FATAL(c.fd >= 0);
    address_text(&c.peer, text, sizeof(text));
    snprintf(want, sizeof(want), "127.0.0.1:%u", f.port);
    CU_ASSERT_STRING_EQUAL(text, want);
    CU_ASSERT_EQUAL(f.questions, 0);
    close(c.fd);
    start(&f, &c, "name.without.resolver");
    dial_cancel(c.dial);
    f.params.host = "name";
    c = (struct caller){ .fd = -1 };
    c.dial = dial_start(f.loop, NULL, &f.params, &handler, &c);
    turn_until(f.loop, &c.done);
    CU_ASSERT_EQUAL(c.why.code, ERR_NOT_FOUND);
    fixture_fini(&f);
}

static void
options_of_the_socket_are_set(void)
{
    struct fixture f;
    struct caller c;
    int value = 0;
    socklen_t len = sizeof(value);

    fixture_init(&f);
    f.params.tcp.keepalive = true;
    f.params.tcp.keepidle_s = 77;
    f.params.tcp.user_timeout_ms = 12345;
    start(&f, &c, "127.0.0.1");
    turn_until(f.loop, &c.done);
    CU_ASSERT_TRUE_FATAL(c.fd >= 0);
    CU_ASSERT_EQUAL(getsockopt(c.fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    CU_ASSERT_NOT_EQUAL(value, 0);
    CU_ASSERT_EQUAL(getsockopt(c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len), 0);
    CU_ASSERT_EQUAL(value, 77);
    CU_ASSERT_EQUAL(getsockopt(c.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    CU_ASSERT_EQUAL(value, 12345);
    close(c.fd);
    fixture_fini(&f);
}

static void
a_refused_connection_is_told_with_the_address(void)
{
    struct fixture f;
    struct caller c;
    char want[64];

    fixture_init(&f);
    close(f.listening);
    f.listening = -1;
    dial_and_wait(&f, &c, "127.0.0.1");
    CU_ASSERT_EQUAL(c.why.code, ERR_IO);
    snprintf(want, sizeof(want), "connect to 127.0.0.1:%u: Connection refused", f.port);
    CU_ASSERT_STRING_EQUAL(c.why.text, want);
    fixture_fini(&f);
}

static void
a_name_in_the_hosts_file_needs_no_name_server(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    dial_and_wait(&f, &c, "in-hosts");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    dial_and_wait(&f, &c, "localhost");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    CU_ASSERT_EQUAL(f.questions, 0);
    fixture_fini(&f);
}

static void
localhost_works_where_resolv_conf_names_no_server_or_is_missing(void)
{
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct caller c;

        fixture_init(&f);
        if (i == 0)
            write_file(f.resolv_conf, "# nothing\n");
        else
            unlink(f.resolv_conf);
        dial_and_wait(&f, &c, "localhost");
        CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
        fixture_fini(&f);
    }
}

static void
localhost_works_with_the_files_of_this_machine(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    resolver_free(f.resolver);
    f.resolver = resolver_new(f.loop, TTL_US, NXDOMAIN_TTL_US);
    dial_and_wait(&f, &c, "localhost");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    fixture_fini(&f);
}

static void
a_name_is_asked_once_and_remembered_for_its_time(void)
{
    struct fixture f;
    struct caller c;
    unsigned asked;

    fixture_init(&f);
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    asked = f.questions;
    CU_ASSERT_TRUE(asked > 0);
    clock_advance_us(&f.clock, TTL_US - 1);
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(f.questions, asked);
    clock_advance_us(&f.clock, 1);
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_TRUE(f.questions > asked);
    fixture_fini(&f);
}

static void
those_who_ask_at_the_same_time_share_a_question(void)
{
    struct fixture f;
    struct caller c[5];

    fixture_init(&f);
    for (int i = 0; i < 5; i++)
        start(&f, &c[i], "db.test");
    for (int i = 0; i < 5; i++) {
        turn_until(f.loop, &c[i].done);
        CU_ASSERT_TRUE(c[i].fd >= 0);
        close(c[i].fd);
    }
    CU_ASSERT_EQUAL(f.questions, 2); /* A and AAAA */
    fixture_fini(&f);
}

static void
a_name_that_does_not_exist_is_told_and_remembered_for_a_shorter_time(void)
{
    struct fixture f;
    struct caller c;
    unsigned asked;

    fixture_init(&f);
    f.dns_mood = DNS_KNOWS_NOBODY;
    dial_and_wait(&f, &c, "nobody.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "nobody.test"));
    asked = f.questions;
    clock_advance_us(&f.clock, NXDOMAIN_TTL_US - 1);
    dial_and_wait(&f, &c, "nobody.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(f.questions, asked);
    clock_advance_us(&f.clock, 1);
    f.dns_mood = DNS_ANSWERS;
    dial_and_wait(&f, &c, "nobody.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    fixture_fini(&f);
}

static void
what_was_forgotten_is_asked_again(void)
{
    struct fixture f;
    struct caller c;
    unsigned asked;

    fixture_init(&f);
    resolver_forget(f.resolver, "db.test");
    dial_and_wait(&f, &c, "db.test");
    asked = f.questions;
    resolver_forget(f.resolver, "db.test");
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_TRUE(f.questions > asked);
    fixture_fini(&f);
}

static void
a_failed_connect_forgets_the_addresses_by_itself(void)
{
    struct fixture f;
    struct caller c;
    unsigned asked;

    fixture_init(&f);
    close(f.listening);
    f.listening = -1;
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_IO);
    asked = f.questions;
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_TRUE(f.questions > asked);
    fixture_fini(&f);
}

static void
a_stale_address_is_better_than_a_name_server_that_fails(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    f.dns_mood = DNS_FAILS;
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "cannot be looked up"));
    clock_advance_us(&f.clock, NXDOMAIN_TTL_US);
    f.dns_mood = DNS_ANSWERS;
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    clock_advance_us(&f.clock, TTL_US);
    f.dns_mood = DNS_FAILS;
    dial_and_wait(&f, &c, "db.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    fixture_fini(&f);
}

static void
changed_files_are_read_again(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    f.dns_mood = DNS_KNOWS_NOBODY;
    dial_and_wait(&f, &c, "new.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NOT_FOUND);
    write_file(f.hosts, "127.0.0.1 localhost new.test\n");
    clock_advance_us(&f.clock, NXDOMAIN_TTL_US);
    dial_and_wait(&f, &c, "new.test");
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    fixture_fini(&f);
}

static void
the_next_address_is_tried_when_one_refuses(void)
{
    struct fixture f;
    struct caller c;
    char text[64];

    fixture_init(&f);
    memcpy(f.first_address, (unsigned char[]){ 127, 0, 0, 9 }, 4);
    dial_and_wait(&f, &c, "two.test");
    CU_ASSERT_EQUAL_FATAL(c.why.code, ERR_NONE);
    address_text(&c.peer, text, sizeof(text));
    CU_ASSERT_PTR_EQUAL(strstr(text, "127.0.0.1:"), text);
    close(f.listening);
    f.listening = -1;
    dial_and_wait(&f, &c, "two.test");
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "last of 2 addresses of two.test"));
    fixture_fini(&f);
}

/* Fills the queue of the listening socket, so that the kernel drops further attempts: an address that does
 * not answer. */
static int
deaf_socket(struct fixture *f, const char *ip, int fillers[], int count)
{
    struct address at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_TRUE_FATAL(address_of_ip(&at, ip, f->port));
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at.at, at.len), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 0), 0);
    for (int i = 0; i < count; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&at.at, at.len);
        usleep(1000);
    }
    return fd;
}

static void
an_address_that_does_not_answer_gets_its_share_of_the_time_only(void)
{
    struct fixture f;
    struct caller c;
    int fillers[8];
    int deaf;

    fixture_init(&f);
    deaf = deaf_socket(&f, "127.0.0.9", fillers, 8);
    memcpy(f.first_address, (unsigned char[]){ 127, 0, 0, 9 }, 4);
    start(&f, &c, "two.test");
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 0);
    clock_advance_us(&f.clock, 4 * US_PER_S);
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 0);
    clock_advance_us(&f.clock, 2 * US_PER_S);
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 1);
    CU_ASSERT_TRUE(c.fd >= 0);
    if (c.fd >= 0)
        close(c.fd);
    else
        dial_cancel(c.dial);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(deaf);
    fixture_fini(&f);
}

static void
a_dial_ends_when_its_time_is_up(void)
{
    struct fixture f;
    struct caller c;
    int fillers[8];
    int deaf;

    fixture_init(&f);
    deaf = deaf_socket(&f, "127.0.0.9", fillers, 8);
    start(&f, &c, "127.0.0.9");
    settle(f.loop);
    clock_advance_us(&f.clock, 10 * US_PER_S - 1);
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 0);
    clock_advance_us(&f.clock, 1);
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 1);
    CU_ASSERT_EQUAL(c.why.code, ERR_TIMEOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "127.0.0.9"));
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "10000 ms"));
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(deaf);
    fixture_fini(&f);
}

static void
a_look_up_ends_when_the_time_is_up(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    f.dns_mood = DNS_IS_SILENT;
    start(&f, &c, "slow.test");
    settle(f.loop);
    CU_ASSERT_TRUE(f.questions > 0);
    clock_advance_us(&f.clock, 10 * US_PER_S);
    settle(f.loop);
    CU_ASSERT_EQUAL(c.done, 1);
    CU_ASSERT_EQUAL(c.why.code, ERR_TIMEOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "slow.test"));
    fixture_fini(&f); /* with the question still under way */
}

static void
a_dial_may_be_cancelled_at_any_point(void)
{
    static const char *const hosts[] = { "127.0.0.1", "db.test", "in-hosts", "/nowhere" };

    for (size_t h = 0; h < 4; h++) {
        for (int turns = 0; turns < 6; turns++) {
            struct fixture f;
            struct caller c;

            fixture_init(&f);
            start(&f, &c, hosts[h]);
            for (int i = 0; i < turns && c.done == 0; i++)
                loop_turn(f.loop);
            if (c.done == 0) {
                dial_cancel(c.dial);
                settle(f.loop);
                CU_ASSERT_EQUAL(c.done, 0);
            } else if (c.fd >= 0) {
                close(c.fd);
            }
            fixture_fini(&f);
        }
    }
    dial_cancel(NULL);
}

static void
a_cancel_inside_the_handler_is_harmless(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    start(&f, &c, "127.0.0.1");
    c.cancels_inside = true;
    turn_until(f.loop, &c.done);
    CU_ASSERT_TRUE(c.fd >= 0);
    close(c.fd);
    start(&f, &c, "/nowhere");
    c.cancels_inside = true;
    turn_until(f.loop, &c.done);
    CU_ASSERT_EQUAL(c.done, 1);
    fixture_fini(&f);
}

/* Unix sockets */

static int
unix_listener(struct fixture *f, const char *directory, int backlog)
{
    char path[128];
    struct address at;
    struct error why;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(path, sizeof(path), "%s/.s.PGSQL.%u", directory, f->port);
    CU_ASSERT_EQUAL_FATAL(address_of_path(&at, path, &why), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at.at, at.len), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, backlog), 0);
    return fd;
}

static void
remove_unix_file(struct fixture *f)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/.s.PGSQL.%u", f->dir, f->port);
    unlink(path);
}

static void
a_directory_or_an_abstract_name_stands_for_a_unix_socket(void)
{
    struct fixture f;
    struct caller c;
    char abstract[sizeof(f.dir) + 1];
    char text[160], want[160];
    int by_path, by_name;

    fixture_init(&f);
    by_path = unix_listener(&f, f.dir, 5);
    snprintf(abstract, sizeof(abstract), "@%s", f.dir);
    by_name = unix_listener(&f, abstract, 5);
    dial_and_wait(&f, &c, f.dir);
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    address_text(&c.peer, text, sizeof(text));
    snprintf(want, sizeof(want), "unix:%s/.s.PGSQL.%u", f.dir, f.port);
    CU_ASSERT_STRING_EQUAL(text, want);
    dial_and_wait(&f, &c, abstract);
    CU_ASSERT_EQUAL(c.why.code, ERR_NONE);
    close(by_path);
    close(by_name);
    remove_unix_file(&f);
    fixture_fini(&f);
}

static void
a_unix_socket_that_is_not_there_is_told_by_its_path(void)
{
    struct fixture f;
    struct caller c;
    char long_path[200];

    fixture_init(&f);
    dial_and_wait(&f, &c, "/nowhere");
    CU_ASSERT_EQUAL(c.why.code, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.why.text, "unix:/nowhere/.s.PGSQL."));
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    dial_and_wait(&f, &c, long_path);
    CU_ASSERT_EQUAL(c.why.code, ERR_LIMIT);
    fixture_fini(&f);
}

static void
a_unix_socket_with_a_full_queue_is_tried_again(void)
{
    struct fixture f;
    struct caller c[4];
    unsigned reached = 0;
    int listening, accepted = -1;

    fixture_init(&f);
    listening = unix_listener(&f, f.dir, 0);
    for (int i = 0; i < 4; i++)
        start(&f, &c[i], f.dir);
    settle(f.loop);
    for (int round = 0; round < 20; round++) {
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted >= 0)
            close(accepted);
        clock_advance_us(&f.clock, 10 * US_PER_MS);
        settle(f.loop);
    }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(c[i].done, 1);
        CU_ASSERT_TRUE(c[i].fd >= 0);
        if (c[i].fd >= 0) {
            reached++;
            close(c[i].fd);
        }
    }
    CU_ASSERT_EQUAL(reached, 4);
    close(listening);
    remove_unix_file(&f);
    fixture_fini(&f);
}

static void
a_resolver_may_go_while_questions_are_under_way(void)
{
    struct fixture f;
    struct caller c;

    fixture_init(&f);
    f.dns_mood = DNS_IS_SILENT;
    start(&f, &c, "slow.test");
    settle(f.loop);
    dial_cancel(c.dial);
    resolver_free(f.resolver);
    f.resolver = NULL;
    evdns_close_server_port(f.dns);
    f.dns = NULL;
    loop_free(f.loop); /* the answers of evdns_base_free() are still to come */
    f.loop = loop_new(&f.clock, NULL, NULL);
    fixture_fini(&f);
}

void
suite_dialer(void)
{
    CU_pSuite suite = CU_add_suite("dialer", NULL, NULL);

    CU_ADD_TEST(suite, an_address_is_reached_without_a_resolver);
    CU_ADD_TEST(suite, options_of_the_socket_are_set);
    CU_ADD_TEST(suite, a_refused_connection_is_told_with_the_address);
    CU_ADD_TEST(suite, a_name_in_the_hosts_file_needs_no_name_server);
    CU_ADD_TEST(suite, localhost_works_where_resolv_conf_names_no_server_or_is_missing);
    CU_ADD_TEST(suite, localhost_works_with_the_files_of_this_machine);
    CU_ADD_TEST(suite, a_name_is_asked_once_and_remembered_for_its_time);
    CU_ADD_TEST(suite, those_who_ask_at_the_same_time_share_a_question);
    CU_ADD_TEST(suite, a_name_that_does_not_exist_is_told_and_remembered_for_a_shorter_time);
    CU_ADD_TEST(suite, what_was_forgotten_is_asked_again);
    CU_ADD_TEST(suite, a_failed_connect_forgets_the_addresses_by_itself);
    CU_ADD_TEST(suite, a_stale_address_is_better_than_a_name_server_that_fails);
    CU_ADD_TEST(suite, changed_files_are_read_again);
    CU_ADD_TEST(suite, the_next_address_is_tried_when_one_refuses);
    CU_ADD_TEST(suite, an_address_that_does_not_answer_gets_its_share_of_the_time_only);
    CU_ADD_TEST(suite, a_dial_ends_when_its_time_is_up);
    CU_ADD_TEST(suite, a_look_up_ends_when_the_time_is_up);
    CU_ADD_TEST(suite, a_dial_may_be_cancelled_at_any_point);
    CU_ADD_TEST(suite, a_cancel_inside_the_handler_is_harmless);
    CU_ADD_TEST(suite, a_directory_or_an_abstract_name_stands_for_a_unix_socket);
    CU_ADD_TEST(suite, a_unix_socket_that_is_not_there_is_told_by_its_path);
    CU_ADD_TEST(suite, a_unix_socket_with_a_full_queue_is_tried_again);
    CU_ADD_TEST(suite, a_resolver_may_go_while_questions_are_under_way);
}
