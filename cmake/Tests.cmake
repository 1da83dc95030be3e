# Test programs. A file test_<noun>.c defines `void suite_<noun>(void)`, which registers one CUnit suite; the
# main() that calls them all is made from tests/unit/main.c.in. Other .c files of a folder are helpers.
#
#     unit_<room>        tests/unit/<room>/       the room and what stands left of it, nothing else
#     script_tests       tests/script/            session and what stands left of it
#     integration_tests  tests/integration/       starts pgweir and PostgreSQL as programs
#     fuzz_<noun>        tests/fuzz/fuzz_<noun>.c libFuzzer harnesses, in the preset `fuzz` only

pkg_check_modules(cunit REQUIRED IMPORTED_TARGET cunit)

# pgweir_suites(PROGRAM FOLDER library...): one program from all test files of a folder.
function(pgweir_suites program folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  set(PROGRAM ${program})
  set(DECLARATIONS "")
  set(SUITES "")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM stem)
    if(stem MATCHES "^test_(.+)$")
      string(APPEND DECLARATIONS "void suite_${CMAKE_MATCH_1}(void);\n")
      string(APPEND SUITES "    suite_${CMAKE_MATCH_1},\n")
    endif()
  endforeach()
  configure_file(${CMAKE_SOURCE_DIR}/tests/unit/main.c.in ${CMAKE_BINARY_DIR}/tests/${program}_main.c @ONLY)
  add_executable(${program} ${CMAKE_BINARY_DIR}/tests/${program}_main.c ${sources})
  target_include_directories(${program} PRIVATE
    ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests ${folder})
  target_link_libraries(${program} PRIVATE strict ${ARGN} PkgConfig::cunit Threads::Threads)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${program} COMMAND ${program} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

add_test(NAME check_rooms COMMAND sh ${CMAKE_SOURCE_DIR}/tests/check_rooms.sh)

if(PGWEIR_FUZZ)
  file(GLOB harnesses CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
  foreach(source IN LISTS harnesses)
    cmake_path(GET source STEM program)
    add_executable(${program} ${source})
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${program} PRIVATE strict)
    foreach(room admin config wire base)
      if(TARGET pgweir_${room})
        target_link_libraries(${program} PRIVATE pgweir_${room})
      endif()
    endforeach()
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    add_test(NAME ${program}
      COMMAND ${program} -runs=100000 -max_total_time=5 -seed=1 -timeout=5 -rss_limit_mb=1024
      WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endforeach()
  return()
endif()

# The whole of a room is linked, used or not, so that every call it makes must be found to its left. That
# holds for a room without tests of its own too.
foreach(room IN LISTS PGWEIR_ROOMS)
  if(TARGET pgweir_${room})
    pgweir_suites(unit_${room} ${CMAKE_SOURCE_DIR}/tests/unit/${room}
      $<LINK_LIBRARY:WHOLE_ARCHIVE,pgweir_${room}>)
  endif()
endforeach()

if(TARGET pgweir_session)
  pgweir_suites(script_tests ${CMAKE_SOURCE_DIR}/tests/script pgweir_session)
  target_link_libraries(script_tests PRIVATE OpenSSL::SSL)
endif()

if(TARGET pgweir AND TARGET pgweir_wire)
  pgweir_suites(integration_tests ${CMAKE_SOURCE_DIR}/tests/integration
    pgweir_wire pgweir_base PkgConfig::libpq OpenSSL::SSL OpenSSL::Crypto)
  add_dependencies(integration_tests pgweir)
  file(GLOB pg_bin_dirs /usr/lib/postgresql/*/bin)
  list(SORT pg_bin_dirs COMPARE NATURAL ORDER DESCENDING)
  list(APPEND pg_bin_dirs "")
  list(GET pg_bin_dirs 0 pg_bin_dir)
  set_tests_properties(integration_tests PROPERTIES
    ENVIRONMENT "PGWEIR_BIN=$<TARGET_FILE:pgweir>;PG_BIN_DIR=${pg_bin_dir}" TIMEOUT 600)
endif()
