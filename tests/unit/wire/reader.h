/* reader.h - what every reader of one message must withstand. */
#ifndef PGWEIR_TESTS_WIRE_READER_H
#define PGWEIR_TESTS_WIRE_READER_H

#include "pgweir/base/slice.h"
#include "pgweir/wire/startup.h"

typedef enum parse read_one(struct slice message);

/* READ reads MESSAGE; asks for more at each of its beginnings; calls it bad when its length field is smaller
 * than it should be, or its type another. */
void check_reader(read_one *read, struct slice message);

/* READ calls each beginning of MESSAGE bad when the length field agrees with it. */
void check_short_bodies(read_one *read, struct slice message);

#endif
