#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "control/logins_impl.h"
#include "loading.h"
#include "pgweir/base/attr.h"

void suite_logins(void);

#define SCRAM                                      \
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#define USERS                                              \
    "\"plain\" \"secret\"\n"                               \
    "\"bare\" \"\"\n"                                      \
    "\"hashed\" \"md5e8a48653851e28c69d0506508fb27fc5\"\n" \
    "\"verified\" \"" SCRAM "\"\n"                         \
    "\"boss\" \"boss_secret\"\n"

#define DATABASES                                                     \
    "[databases]\n"                                                   \
    "app = host=h1,h2 port=1,2\n"                                     \
    "other = host=h1,h2 port=1,2 dbname=real\n"                       \
    "forced = host=h1,h2 port=1,2 user=robot password=robot_secret\n" \
    "replication = host=h1,h2 port=1,2\n"

struct door { /* who comes in where */
    const char *database, *user;
};

/* The logins for routes of DOORS (NULL-terminated), as "user/password@database …", "-" for no password. */
static void
logins_text(const char *more_ini, const struct door *doors, char *out, size_t size)
{
    char ini[1000];
    struct settings *s;
    struct route *routes[16];
    unsigned count = 0;
    struct logins logins;
    size_t used = 0;

    snprintf(ini, sizeof(ini), "[pgweir]\nauth_file = %%s\n%s\n" DATABASES, more_ini);
    s = load_settings(ini, USERS);
    for (; doors[count].database != NULL; count++) {
        routes[count] = settings_route(s, doors[count].database, doors[count].user);
        CU_ASSERT_PTR_NOT_NULL_FATAL(routes[count]);
    }
    logins_of(&logins, s, routes, count);
    out[0] = '\0';
    for (unsigned i = 0; i < logins.count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s/%s@%s", i == 0 ? "" : " ", logins.at[i].user,
                                 logins.at[i].password == NULL ? "-" : logins.at[i].password,
                                 logins.at[i].database);
    if (count > 0) {
        CU_ASSERT_EQUAL(logins.route->host_count, 2);
        CU_ASSERT_STRING_EQUAL(logins.route->hosts[1].host, "h2");
    }
    logins_fini(&logins);
    logins_fini(&logins);
    while (count > 0)
        route_drop(routes[--count]);
    settings_drop(s);
}

static void
the_most_promising_come_first(void)
{
    static const struct {
        const char *more_ini;
        struct door doors[5];
        const char *logins;
    } table[] = {
        { "", { { NULL, NULL } }, "" },
        { "", { { "app", "plain" } }, "plain/secret@app" },
        { "", { { "other", "plain" } }, "plain/secret@real" },
        { "", { { "replication", "plain" } }, "plain/secret@postgres" }, /* there is none of that name */
        { "", { { "app", "bare" } }, "bare/-@app" },
        { "", { { "app", "hashed" } }, "hashed/-@app" },
        { "", { { "app", "verified" } }, "verified/-@app" },
        { "", { { "app", "nobody" } }, "nobody/-@app" },
        { "", { { "app", "bare" }, { "app", "plain" } }, "plain/secret@app bare/-@app" },
        { "",
          { { "app", "bare" }, { "app", "plain" }, { "forced", "bare" } },
          "robot/robot_secret@forced plain/secret@app bare/-@app" },
        { "control_user = boss", { { "app", "plain" } }, "boss/boss_secret@app plain/secret@app" },
        { "control_user = boss",
          { { "app", "plain" }, { "other", "plain" } },
          "boss/boss_secret@app boss/boss_secret@real plain/secret@app plain/secret@real" },
        { "control_user = verified", { { "app", "plain" } }, "verified/-@app plain/secret@app" },
        { "control_user = stranger", { { "app", "plain" } }, "stranger/-@app plain/secret@app" },
        { "control_user = plain", { { "app", "plain" } }, "plain/secret@app" },
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[400];

        logins_text(table[i].more_ini, table[i].doors, text, sizeof(text));
        CU_ASSERT_STRING_EQUAL(text, table[i].logins);
    }
}

static void
a_round_is_bounded(void)
{
    static const struct door doors[] = {
        { "app", "u1" }, { "app", "u2" }, { "app", "u3" }, { "app", "u4" },    { "app", "u5" },
        { "app", "u6" }, { "app", "u7" }, { "app", "u8" }, { "app", "plain" }, { NULL, NULL },
    };
    char text[400];

    logins_text("", doors, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text,
                           "plain/secret@app u1/-@app u2/-@app u3/-@app u4/-@app u5/-@app u6/-@app u7/-@app");
}

void
suite_logins(void)
{
    CU_pSuite suite = CU_add_suite("logins", NULL, NULL);

    CU_ADD_TEST(suite, the_most_promising_come_first);
    CU_ADD_TEST(suite, a_round_is_bounded);
}
