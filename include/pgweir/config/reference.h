/* reference.h - the option table as pages for people. `pgweir --help-config` prints the first. */
#ifndef PGWEIR_CONFIG_REFERENCE_H
#define PGWEIR_CONFIG_REFERENCE_H

#include "pgweir/base/buf.h"

void config_write_reference(struct buf *out); /* docs/configuration.md */
void config_write_sample(struct buf *out);    /* etc/pgweir.ini */

#endif
