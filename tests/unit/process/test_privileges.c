#include <CUnit/CUnit.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "process/privileges_impl.h"

void suite_privileges(void);

static void
root_is_refused(void)
{
    struct error why;

    CU_ASSERT_EQUAL(privileges_drop("root", &why), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "does not run as root"));
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(privileges_drop("", &why), ERR_CONFIG);
        CU_ASSERT_STRING_EQUAL(
            why.text, "pgweir does not run as root: set `user` in the configuration file, or use -u");
    }
}

static void
an_unknown_user_is_told(void)
{
    struct error why;

    CU_ASSERT_EQUAL(privileges_drop("no-such-user", &why), ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(why.text, "there is no user \"no-such-user\"");
}

/* 0: as it should be. */
static int
become_nobody(void *arg)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct error why;
    gid_t groups[64];

    (void)arg;
    if (nobody == NULL || privileges_drop("nobody", &why) != ERR_NONE)
        return 1;
    if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid || getgid() != nobody->pw_gid)
        return 2;
    if (setuid(0) == 0 || setgid(0) == 0)
        return 3;
    for (int i = getgroups(64, groups) - 1; i >= 0; i--)
        if (groups[i] == 0)
            return 4; /* root's groups were kept */
    if (privileges_drop("nobody", &why) != ERR_NONE || privileges_drop("", &why) != ERR_NONE)
        return 5;                                                 /* it is who it should be already */
    return privileges_drop("daemon", &why) == ERR_CONFIG ? 0 : 6; /* only root can change */
}

static void
root_becomes_another_for_good(void)
{
    if (geteuid() == 0)
        CU_ASSERT_EQUAL(run_child(become_nobody, NULL), 0);
}

void
suite_privileges(void)
{
    CU_pSuite suite = CU_add_suite("privileges", NULL, NULL);

    CU_ADD_TEST(suite, root_is_refused);
    CU_ADD_TEST(suite, an_unknown_user_is_told);
    CU_ADD_TEST(suite, root_becomes_another_for_good);
}
