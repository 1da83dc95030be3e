/* loading.h - settings from texts, through temporary files. */
#ifndef PGWEIR_TESTS_CONTROL_LOADING_H
#define PGWEIR_TESTS_CONTROL_LOADING_H

#include "pgweir/config/settings.h"

/* Loads INI; each %s in it (one at most) becomes the name of an auth file with the content USERS. */
struct settings *load_settings(const char *ini, const char *users);

#endif
