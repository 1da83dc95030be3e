# Language, warnings, sanitizers and hardening. Everything of ours links the interface target `strict`.

include(CheckIPOSupported)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

# Only Release drops assert(): RelWithDebInfo is what the sanitizers run.
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)

add_library(strict INTERFACE)
target_compile_definitions(strict INTERFACE _GNU_SOURCE PGWEIR_VERSION="${PROJECT_VERSION}")
target_compile_options(strict INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wformat=2 -Wundef
  -Wwrite-strings -Wcast-qual -Wvla
  $<$<BOOL:${PGWEIR_WERROR}>:-Werror>)

if(PGWEIR_SANITIZE)
  target_compile_options(strict INTERFACE -fsanitize=${PGWEIR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(strict INTERFACE -fsanitize=${PGWEIR_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses gcc's flow analysis; the other builds ask this question.
    target_compile_options(strict INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

if(PGWEIR_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "the fuzz harnesses need clang (CMAKE_C_COMPILER=clang)")
  endif()
  # fuzzer-no-link everywhere for coverage feedback; only the harnesses bring libFuzzer's main().
  target_compile_options(strict INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(strict INTERFACE -fsanitize=address,undefined)
endif()

if(PGWEIR_COVERAGE)
  target_compile_options(strict INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(strict INTERFACE --coverage)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(strict INTERFACE
    -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(strict INTERFACE -Wl,-z,relro,-z,now)
  check_ipo_supported(RESULT PGWEIR_HAS_LTO OUTPUT lto_why LANGUAGES C)
  if(PGWEIR_HAS_LTO)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  else()
    message(STATUS "link-time optimisation is not available here: building without it")
  endif()
endif()
