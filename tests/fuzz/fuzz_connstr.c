/* fuzz_connstr.c - `key=value` pairs. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/connstr_impl.h"

#include "pgweir/base/mem.h"
#include "pgweir/base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_text_of(slice_of(data, size));
    char *at = text, *end = text + strlen(text);
    struct connstr_pair pair;
    enum connstr_step step;
    struct error why = { 0 };

    while ((step = connstr_next(&at, &pair, &why)) == CONNSTR_PAIR) {
        assert(pair.key[0] != '\0' && pair.value[0] != '\0');
        assert(pair.key >= text && pair.value + strlen(pair.value) <= end && at <= end);
    }
    assert((step == CONNSTR_BAD) == (why.text[0] != '\0'));
    free(text);
    return 0;
}
