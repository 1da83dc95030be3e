#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/base/log.h"
#include "pgweir/base/mem.h"
#include "place.h"
#include "process/listeners_impl.h"

void suite_listeners(void);

/* The addresses of LISTEN_ADDR as one text. */
static void
addresses_text(const char *listen_addr, char *out, size_t size)
{
    struct addresses list;
    struct error why;
    size_t used = 0;

    out[0] = '\0';
    if (addresses_of(listen_addr, 6432, &list, &why) != ERR_NONE) {
        snprintf(out, size, "%s", why.text);
        return;
    }
    for (unsigned i = 0; i < list.count; i++) {
        char text[80];

        address_text(&list.at[i], text, sizeof(text));
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : " ", text);
    }
}

static bool
has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void
a_list_is_cut_at_commas_and_holds_nothing_twice(void)
{
    static const struct {
        const char *listen_addr, *addresses;
    } table[] = {
        { "", "" },
        { " , ,", "" },
        { "127.0.0.1", "127.0.0.1:6432" },
        { "127.0.0.1,127.0.0.2", "127.0.0.1:6432 127.0.0.2:6432" },
        { " 127.0.0.1 ,\t::1 , ", "127.0.0.1:6432 [::1]:6432" },
        { "127.0.0.1,127.0.0.1,::1,0:0:0:0:0:0:0:1", "127.0.0.1:6432 [::1]:6432" },
        { "0.0.0.0", "0.0.0.0:6432" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[400];

        addresses_text(table[i].listen_addr, text, sizeof(text));
        CU_ASSERT_STRING_EQUAL(text, table[i].addresses);
    }
}

static void
a_star_is_all_addresses(void)
{
    char text[200];

    addresses_text("*", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, has_ipv6() ? "[::]:6432 0.0.0.0:6432" : "0.0.0.0:6432");
}

static void
a_name_is_looked_up(void)
{
    char text[200];

    addresses_text("localhost", text, sizeof(text));
    CU_ASSERT(strstr(text, "127.0.0.1:6432") != NULL || strstr(text, "[::1]:6432") != NULL);
}

static void
what_is_no_name_is_told(void)
{
    char text[300];

    /* Longer than a label may be, so that no name server is asked. */
    addresses_text("127.0.0.1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", text,
                   sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "listen_addr: \"xxx"));
}

static void
too_many_addresses_are_refused(void)
{
    char list[2000] = "", text[300];

    for (unsigned i = 0; i < LISTENERS_MOST + 1; i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "127.0.0.%u,", i);
    addresses_text(list, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "listen_addr: more than 64 addresses");
}

/* --- sockets --- */

struct fixture {
    struct place place;
    struct clock clock;
    struct loop *loop;
    struct settings settings;
    unsigned accepted;
};

static void
on_accept(void *arg, int fd, const struct address *peer)
{
    struct fixture *f = arg;

    CU_ASSERT_EQUAL(peer->at.ss_family, AF_UNIX);
    f->accepted++;
    close(fd);
}

static void
fixture_init(struct fixture *f)
{
    static char nothing[] = "";
    struct error why;

    memset(f, 0, sizeof(*f));
    place_init(&f->place);
    f->clock = clock_real();
    f->loop = loop_new(&f->clock, f, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->loop);
    f->settings = (struct settings){ .listen_addr = nothing,
                                     .listen_port = 6432,
                                     .listen_backlog = 10,
                                     .unix_socket_dir = f->place.dir,
                                     .unix_socket_group = nothing,
                                     .unix_socket_mode = 0750 };
    CU_ASSERT_EQUAL(log_open(NULL, true, LOG_NOTICE_LEVEL, &why), ERR_NONE); /* say nothing */
}

static void
fixture_fini(struct fixture *f)
{
    loop_free(f->loop);
    place_fini(&f->place);
    log_close();
}

static void
a_unix_socket_has_its_name_and_mode(void)
{
    struct fixture f;
    struct listeners *l = NULL;
    struct error why;
    struct stat st;
    struct address a;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fixture_init(&f);
    CU_ASSERT_EQUAL_FATAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &l, &why), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(stat(place_path(&f.place, ".s.PGSQL.6432"), &st), 0);
    CU_ASSERT(S_ISSOCK(st.st_mode));
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0750);
    CU_ASSERT_EQUAL(address_of_path(&a, place_path(&f.place, ".s.PGSQL.6432"), &why), ERR_NONE);
    CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)(const void *)&a.at, a.len), 0);
    for (unsigned i = 0; i < 1000 && f.accepted == 0; i++)
        if (!loop_turn(f.loop))
            usleep(1000);
    CU_ASSERT_EQUAL(f.accepted, 1);
    close(fd);
    listeners_free(l);
    CU_ASSERT_FALSE(place_has(&f.place, ".s.PGSQL.6432"));
    listeners_free(NULL);
    fixture_fini(&f);
}

static void
processes_may_share_a_port(void)
{
    static char here[] = "127.0.0.1", nothing[] = "";
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    struct fixture f;
    struct listeners *first = NULL, *second = NULL, *third = NULL;
    struct error why;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    close(fd);
    fixture_init(&f);
    f.settings.listen_addr = here;
    f.settings.listen_port = ntohs(at.sin_port);
    f.settings.unix_socket_dir = nothing;
    f.settings.so_reuseport = true;
    CU_ASSERT_EQUAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &first, &why), ERR_NONE);
    CU_ASSERT_EQUAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &second, &why), ERR_NONE);
    f.settings.so_reuseport = false;
    CU_ASSERT_EQUAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &third, &why), ERR_IO);
    listeners_free(first);
    listeners_free(second);
    fixture_fini(&f);
}

static void
nothing_to_listen_on_is_a_mistake(void)
{
    static char nothing[] = "";
    struct fixture f;
    struct listeners *l = NULL;
    struct error why;

    fixture_init(&f);
    f.settings.unix_socket_dir = nothing;
    CU_ASSERT_EQUAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &l, &why), ERR_CONFIG);
    CU_ASSERT_STRING_EQUAL(why.text, "nothing to listen on: set listen_addr or unix_socket_dir");
    CU_ASSERT_PTR_NULL(l);
    fixture_fini(&f);
}

static void
a_port_in_use_is_told_and_undoes_the_rest(void)
{
    static char both[] = "127.0.0.2,127.0.0.1";
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    struct fixture f;
    struct listeners *l = NULL;
    struct error why;
    char expected[40];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    fixture_init(&f);
    f.settings.listen_addr = both;
    f.settings.listen_port = ntohs(at.sin_port);
    CU_ASSERT_EQUAL(listeners_new(f.loop, &f.settings, 0, on_accept, &f, &l, &why), ERR_IO);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", f.settings.listen_port);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, expected));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "in use"));
    CU_ASSERT_PTR_NULL(l);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0); /* the first one was closed again */
    close(fd);
    fixture_fini(&f);
}

void
suite_listeners(void)
{
    CU_pSuite suite = CU_add_suite("listeners", NULL, NULL);

    CU_ADD_TEST(suite, a_list_is_cut_at_commas_and_holds_nothing_twice);
    CU_ADD_TEST(suite, a_star_is_all_addresses);
    CU_ADD_TEST(suite, a_name_is_looked_up);
    CU_ADD_TEST(suite, what_is_no_name_is_told);
    CU_ADD_TEST(suite, too_many_addresses_are_refused);
    CU_ADD_TEST(suite, a_unix_socket_has_its_name_and_mode);
    CU_ADD_TEST(suite, processes_may_share_a_port);
    CU_ADD_TEST(suite, nothing_to_listen_on_is_a_mistake);
    CU_ADD_TEST(suite, a_port_in_use_is_told_and_undoes_the_rest);
}
