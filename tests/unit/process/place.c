#include "place.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgweir/base/mem.h"

void
place_init(struct place *p)
{
    strcpy(p->dir, "/tmp/pgweir-process-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p->dir));
    CU_ASSERT_EQUAL(chmod(p->dir, 0777), 0);
}

void
place_fini(struct place *p)
{
    DIR *dir = opendir(p->dir);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(p->dir);
}

const char *
place_path(const struct place *p, const char *name)
{
    static char paths[2][128];
    static unsigned turn;
    char *path = paths[turn++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", p->dir, name);
    return path;
}

void
place_write(const struct place *p, const char *name, const char *text)
{
    FILE *file = fopen(place_path(p, name), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

char *
place_read(const struct place *p, const char *name)
{
    FILE *file = fopen(place_path(p, name), "r");
    char *text = mem_new(65536);

    if (file == NULL)
        return text;
    text[fread(text, 1, 65535, file)] = '\0';
    fclose(file);
    return text;
}

bool
place_has(const struct place *p, const char *name)
{
    return access(place_path(p, name), F_OK) == 0;
}

pid_t
start_child(int (*body)(void *arg), void *arg)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0)
        exit(body(arg)); /* not _exit(): the leak checker looks at the child too */
    return child;
}

int
await_child(pid_t child)
{
    int status = 0;

    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int
run_child(int (*body)(void *arg), void *arg)
{
    return await_child(start_child(body, arg));
}

bool
comes_true(bool (*look)(void *arg), void *arg)
{
    for (unsigned i = 0; i < 10000; i++) {
        if (look(arg))
            return true;
        usleep(1000);
    }
    return false;
}
