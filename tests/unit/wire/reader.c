/* reader.c - see reader.h. All bytes are tight copies, so that the address sanitizer sees a read too far. */
#include "reader.h"

#include <CUnit/CUnit.h>

#include "bytes.h"

void
check_reader(read_one *read, struct slice message)
{
    uint8_t *copy;

    for (size_t len = 0; len < message.len; len++) {
        copy = tight_copy(slice_of(message.at, len));
        CU_ASSERT_EQUAL(read(slice_of(copy, len)), PARSE_MORE);
        free(copy);
    }
    copy = tight_copy(message);
    CU_ASSERT_EQUAL(read(slice_of(copy, message.len)), PARSE_DONE);
    for (uint32_t lie = 0; lie + 1 < message.len; lie++) {
        put_be32(copy + 1, lie);
        CU_ASSERT_EQUAL(read(slice_of(copy, message.len)), PARSE_BAD);
    }
    put_be32(copy + 1, (uint32_t)message.len);
    CU_ASSERT_EQUAL(read(slice_of(copy, message.len)), PARSE_MORE);
    put_be32(copy + 1, UINT32_MAX);
    CU_ASSERT_EQUAL(read(slice_of(copy, message.len)), PARSE_MORE);
    copy[0] = 'q';
    CU_ASSERT_EQUAL(read(slice_of(copy, message.len)), PARSE_BAD);
    CU_ASSERT_EQUAL(read(slice_of(copy, 1)), PARSE_BAD);
    free(copy);
}

void
check_short_bodies(read_one *read, struct slice message)
{
    for (size_t len = 5; len < message.len; len++) {
        uint8_t *copy = tight_copy(slice_of(message.at, len));

        put_be32(copy + 1, (uint32_t)len - 1);
        CU_ASSERT_EQUAL(read(slice_of(copy, len)), PARSE_BAD);
        free(copy);
    }
}
