/*
 * test_password_command.c - passwords that a command prints for servers. The commands leave a line in
 * $DIR/calls each time they run.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "machine.h"

void suite_password_command(void);

static unsigned
calls_of(const struct weir *w)
{
    char *calls = file_text(text("%s/calls", weir_dir(w)));
    unsigned count = 0;

    for (const char *at = calls; *at != '\0'; at++)
        count += *at == '\n';
    free(calls);
    return count;
}

/* Clients of md5 and trust know nothing that a server would take; COMMAND is all there is. */
static struct weir *
weir_with(const char *command, const char *settings)
{
    static char databases[4][700];
    static char all[4][300];
    static unsigned next;
    unsigned i = next++ % 4;

    snprintf(databases[i], sizeof databases[i],
             "app = host=127.0.0.1 port=$PORT password_command='echo $PGUSER@$PGDATABASE >>$DIR/calls; %s'\n",
             command);
    snprintf(all[i], sizeof all[i], "auth_type = trust\nauth_file =\nserver_connections = 10\n%s", settings);
    return weir_start(&(struct weir_spec){ .settings = all[i], .databases = databases[i] });
}

static const char *
come_in(const struct weir *w, const char *conninfo)
{
    PGconn *c = dial(weir_port(w), "%s", conninfo);
    const char *how = dial_error(c);

    how = how[0] != '\0' ? how : ask(c, "select current_user");
    PQfinish(c);
    return how;
}

static void
a_command_prints_the_password(void)
{
    struct weir *w = weir_with("echo \"$PGUSER\"_pw", "");
    char *calls;

    SAYS(come_in(w, "user=app_user"), "app_user");
    SAYS(come_in(w, "user=analytics_user"), "analytics_user");
    SAYS(come_in(w, "user=plain_user"), "plain_user"); /* wanted in the clear */
    calls = file_text(text("%s/calls", weir_dir(w)));
    SAYS(calls, "app_user@app\nanalytics_user@app\nplain_user@app\n");
    free(calls);
    weir_stop(w);
}

static void
many_connections_need_it_once(void)
{
    struct weir *w = weir_with("sleep 0.1; echo app_user_pw", "");
    PGconn *clients[6];

    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = weir_dial(w);
        SAYS(ask(clients[i], "begin"), "BEGIN");
    }
    CU_ASSERT_EQUAL(calls_of(w), 1);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        PQfinish(clients[i]);
    weir_stop(w);
}

static void
a_refused_password_is_made_anew_once(void)
{
    struct weir *w = weir_with("test $(wc -l <$DIR/calls) -lt 2 && echo stale || echo app_user_pw", "");

    SAYS(come_in(w, "user=app_user"), "app_user");
    CU_ASSERT_EQUAL(calls_of(w), 2);
    CU_ASSERT(weir_logged(w, "trying the other one"));
    weir_stop(w);
}

static void
a_password_is_made_anew_before_it_is_over(void)
{
    struct weir *w = weir_with("echo app_user_pw", "password_command_ttl = 1s\n");

    SAYS(come_in(w, "user=app_user"), "app_user");
    EVENTUALLY(calls_of(w) == 2); /* nobody has asked */
    weir_stop(w);
}

static void
a_command_that_fails_is_told_to_the_log(void)
{
    static const struct {
        const char *command, *logged;
    } rows[] = {
        { "exit 3", "failed: it exited with code 3" },
        { "true", "failed: it printed nothing" },
        { "echo a; echo b", "failed: it printed more than one line" },
        { "kill -9 $$", "failed: it ended by signal 9" },
        { "yes", "prints more than 65536 bytes: killed" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct weir *w = weir_with(rows[i].command, "query_wait_timeout = 200ms\n");

        CU_ASSERT(come_in(w, "user=app_user")[0] != 'a');
        EVENTUALLY(weir_logged(w, rows[i].logged));
        CU_ASSERT(weir_logged(w, "password_command gave no password"));
        weir_stop(w);
    }
}

static void
a_command_still_running_at_the_end_is_ended_too(void)
{
    struct weir *w = weir_with("sleep 7.7531", "");
    PGconn *c = dial_start(weir_port(w));

    EVENTUALLY(!dial_is_open(c) && calls_of(w) == 1);
    weir_stop(w);
    EVENTUALLY(run(NULL, NULL, (const char *const[]){ "pgrep", "-f", "^sleep 7.7531", NULL }) != 0);
    PQfinish(c);
}

static const struct test_case cases[] = {
    TEST(a_command_prints_the_password),           TEST(many_connections_need_it_once),
    TEST(a_refused_password_is_made_anew_once),    TEST(a_password_is_made_anew_before_it_is_over),
    TEST(a_command_that_fails_is_told_to_the_log), TEST(a_command_still_running_at_the_end_is_ended_too),
};

void
suite_password_command(void)
{
    SUITE("password_command", cases);
}
