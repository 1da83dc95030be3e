/*
 * fuzz_ini.c - whole configurations. The input up to its first 0xFF is the main file, the rest is every other
 * file: what it includes and its auth file. No real file is read, though names of some are asked about.
 */
#include <assert.h>
#include <string.h>

#include "config/settings_impl.h"
#include "pgweir/config/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice main_file, other_file;

static enum err
read_input(const char *path, struct buf *out, struct file_facts *facts, struct error *why)
{
    bool is_main = strcmp(path, "main.ini") == 0;

    (void)why;
    facts->inode = is_main ? 1 : 2; /* so that includes of the other file cannot multiply */
    buf_add(out, is_main ? main_file : other_file);
    return ERR_NONE;
}

static void
use_routes(const struct settings *s)
{
    for (unsigned i = 0; settings_database_name(s, i) != NULL; i++) {
        struct route *r = settings_route(s, settings_database_name(s, i), "joe");

        assert(r != NULL && r->host_count > 0);
        assert(!route_needs_new_servers(r, r));
        route_drop(r);
    }
}

static void
use_settings(const struct settings *s)
{
    struct buf told;

    use_routes(s);
    buf_init(&told);
    settings_tell_changes(s, s, &told);
    assert(buf_len(&told) == 0);
    buf_release(&told);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *split = size == 0 ? NULL : memchr(data, 0xFF, size);
    struct settings *settings = NULL;
    struct buf problems, warnings;
    struct error why;
    enum err e;

    main_file = slice_of(data, split == NULL ? size : (size_t)(split - data));
    other_file = split == NULL ? slice_of(data, 0) : slice_of(split + 1, size - main_file.len - 1);
    buf_init(&problems);
    buf_init(&warnings);
    e = settings_load_through(read_input, "main.ini", &settings, &problems, &warnings, &why);
    assert((e == ERR_NONE) == (buf_len(&problems) == 0));
    assert((e == ERR_NONE) == (settings != NULL));
    if (settings != NULL)
        use_settings(settings);
    settings_drop(settings);
    buf_release(&problems);
    buf_release(&warnings);
    return 0;
}
