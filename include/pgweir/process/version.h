/* version.h - the version, which CMakeLists.txt says once: project(pgweir VERSION …) gives the define
 * PGWEIR_VERSION. */
#ifndef PGWEIR_PROCESS_VERSION_H
#define PGWEIR_PROCESS_VERSION_H

#ifndef PGWEIR_VERSION
#error "PGWEIR_VERSION is not defined: build through CMake"
#endif

#define PGWEIR_NAME_AND_VERSION "pgweir " PGWEIR_VERSION

#endif
