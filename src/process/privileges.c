/* privileges.c - groups first: once the user is changed they cannot be. */
#include "privileges_impl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static enum err
become(const struct passwd *who, struct error *why)
{
    if (initgroups(who->pw_name, who->pw_gid) != 0)
        return error_set_errno(why, errno, "cannot take the groups of user \"%s\"", who->pw_name);
    if (setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)
        return error_set_errno(why, errno, "cannot become user \"%s\"", who->pw_name);
    if (setuid(0) == 0)
        return error_set(why, ERR_IO, "cannot become user \"%s\" for good: the way back to root is open",
                         who->pw_name);
    return ERR_NONE;
}

enum err
privileges_drop(const char *user, struct error *why)
{
    const struct passwd *who;

    if (user[0] == '\0') {
        if (geteuid() == 0)
            return error_set(why, ERR_CONFIG,
                             "pgweir does not run as root: set `user` in the configuration file, or use -u");
        return ERR_NONE;
    }
    errno = 0;
    who = getpwnam(user);
    if (who == NULL && errno != 0)
        return error_set_errno(why, errno, "user \"%s\"", user);
    if (who == NULL)
        return error_set(why, ERR_NOT_FOUND, "there is no user \"%s\"", user);
    if (who->pw_uid == 0)
        return error_set(why, ERR_CONFIG,
                         "pgweir does not run as root: `user` must be another one than \"%s\"", user);
    if (who->pw_uid == geteuid() && who->pw_uid == getuid())
        return ERR_NONE;
    if (geteuid() != 0)
        return error_set(why, ERR_CONFIG,
                         "cannot become user \"%s\": only root can, start pgweir as root or as that user",
                         user);
    return become(who, why);
}
