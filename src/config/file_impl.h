/* file_impl.h - whole files, read through a function that tests and fuzzers replace. */
#ifndef PGWEIR_CONFIG_FILE_IMPL_H
#define PGWEIR_CONFIG_FILE_IMPL_H

#include <sys/types.h>

#include "pgweir/base/buf.h"
#include "pgweir/base/err.h"

#define FILE_BYTES_MOST (256u << 20)

struct file_facts {
    dev_t device;
    ino_t inode; /* 0: not a file on a disk */
    mode_t mode; /* 0: likewise */
};

/*
 * Appends the content of the file at PATH to OUT. ERR_NOT_FOUND, ERR_IO (a directory too), ERR_LIMIT above
 * FILE_BYTES_MOST; *WHY names the file.
 */
typedef enum err file_reader(const char *path, struct buf *out, struct file_facts *facts, struct error *why);

MUST_CHECK enum err file_read(const char *path, struct buf *out, struct file_facts *facts, struct error *why);

#endif
