/* fuzz_console.c - the grammar of the console over any bytes; what it reads stays within its bounds and reads
 * the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/grammar_impl.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct command first, again;
    struct pg_error why;

    MUST(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (command_read(text, &first, &why)) {
        MUST(first.id <= COMMAND_EMPTY);
        MUST(memchr(first.name, '\0', sizeof first.name) != NULL);
        MUST(memchr(first.value, '\0', sizeof first.value) != NULL);
        MUST(command_read(text, &again, &why) && again.id == first.id &&
             strcmp(again.name, first.name) == 0 && strcmp(again.value, first.value) == 0);
    } else {
        MUST(why.message[0] != '\0' && why.hint[0] != '\0');
    }
    free(text);
    return 0;
}
