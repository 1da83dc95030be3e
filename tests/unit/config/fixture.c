/* fixture.c - files to load, and what the load said. */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "config/settings_impl.h"

void
fixture_init(struct fixture *f)
{
    *f = (struct fixture){ .dir = "/tmp/pgweir-config-XXXXXX" };
    buf_init(&f->problems);
    buf_init(&f->warnings);
    f->cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->dir));
    CU_ASSERT_EQUAL_FATAL(chdir(f->dir), 0);
}

static void
fixture_forget(struct fixture *f)
{
    settings_drop(f->settings);
    f->settings = NULL;
    buf_release(&f->problems);
    buf_release(&f->warnings);
}

void
fixture_fini(struct fixture *f)
{
    DIR *dir = opendir(".");
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && unlink(entry->d_name) != 0)
            rmdir(entry->d_name);
    closedir(dir);
    fixture_forget(f);
    CU_ASSERT_EQUAL(fchdir(f->cwd), 0);
    CU_ASSERT_EQUAL(rmdir(f->dir), 0);
    close(f->cwd);
}

void
fixture_write_bytes(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(name, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, len, file), len);
    fclose(file);
    chmod(name, 0600);
}

void
fixture_write(const char *name, const char *text)
{
    fixture_write_bytes(name, text, strlen(text));
}

void
fixture_load_file(struct fixture *f, const char *name)
{
    fixture_forget(f);
    f->why = (struct error){ 0 };
    f->result = settings_load_through(file_read, name, &f->settings, &f->problems, &f->warnings, &f->why);
    CU_ASSERT_EQUAL(f->settings == NULL, f->result != ERR_NONE);
}

void
fixture_load(struct fixture *f, const char *text)
{
    fixture_write(MAIN_INI, text);
    fixture_load_file(f, MAIN_INI);
}

const char *
buf_text(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return (const char *)buf_slice(b).at;
}

static bool
has_part(struct buf *lines, const char *part)
{
    if (strstr(buf_text(lines), part) != NULL)
        return true;
    fprintf(stderr, "\n    expected: %s\n    got: %s", part, buf_text(lines));
    return false;
}

bool
has_problem(struct fixture *f, const char *part)
{
    return has_part(&f->problems, part);
}

bool
has_warning(struct fixture *f, const char *part)
{
    return has_part(&f->warnings, part);
}

unsigned
line_count(struct buf *b)
{
    unsigned count = 0;

    for (const char *at = buf_text(b); *at != '\0'; at++)
        count += *at == '\n';
    return count;
}
