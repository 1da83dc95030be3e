/* hba_impl.h - reading an auth_hba_file. */
#ifndef PGWEIR_CONFIG_HBA_IMPL_H
#define PGWEIR_CONFIG_HBA_IMPL_H

#include "file_impl.h"
#include "pgweir/config/hba.h"
#include "problems_impl.h"

/* Reads FILE through READ. Whatever is wrong goes to PROBLEMS; a FILE that cannot be read is a problem at
 * PLACE. Never NULL. */
struct hba *hba_read(const char *file, struct place place, file_reader *read, struct problems *problems,
                     struct problems *warnings);
void hba_free(struct hba *hba); /* NULL is fine */

/* Rules from 0 on, NULL behind the last. */
const struct hba_rule *hba_rule_at(const struct hba *hba, size_t index);

#endif
