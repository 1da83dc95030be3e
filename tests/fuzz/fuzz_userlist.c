/* fuzz_userlist.c - auth files. */
#include <assert.h>
#include <string.h>

#include "config/userlist_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems, warnings;
    struct userlist list;
    struct buf text;

    userlist_init(&list);
    problems_init(&problems, NULL);
    problems_init(&warnings, NULL);
    buf_init(&text);
    buf_add(&text, slice_of(data, size));
    userlist_read(&list, "users", &text, &problems, &warnings);
    assert(buf_len(&text) == 0);
    for (size_t i = 0; i < list.by_name.count; i++)
        assert(userlist_find(&list, list.users[i].name) == &list.users[i]);
    userlist_fini(&list);
    return 0;
}
