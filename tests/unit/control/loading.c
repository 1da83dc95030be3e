#include "loading.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

struct settings *
load_settings(const char *ini, const char *users)
{
    char dir[] = "/tmp/pgweir-control-XXXXXX";
    char *ini_path, *users_path, *text;
    const char *hole = strstr(ini, "%s");
    struct settings *settings = NULL;
    struct buf problems;
    struct error why;
    mode_t mask = umask(077);

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    ini_path = mem_format("%s/pgweir.ini", dir);
    users_path = mem_format("%s/users", dir);
    text = hole == NULL ? mem_text(ini)
                        : mem_format("%.*s%s%s", (int)(hole - ini), ini, users_path, hole + 2);
    write_file(ini_path, text);
    write_file(users_path, users);
    umask(mask);
    buf_init(&problems);
    if (settings_load(ini_path, &settings, &problems, NULL, &why) != ERR_NONE)
        CU_FAIL_FATAL(why.text);
    buf_release(&problems);
    unlink(ini_path);
    unlink(users_path);
    rmdir(dir);
    free(text);
    free(ini_path);
    free(users_path);
    return settings;
}
